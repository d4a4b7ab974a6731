"""Images are found by name as PyBIDS' own database finds them, and in a time that does not grow with the dataset."""

import itertools
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from bids_app.scans.images import Images, entities, folder_names
from pipelines.errors import DatasetError, ParameterError

NAMES = [
    f'sub-01/{session}{datatype}/sub-01_{session.replace("/", "_")}{middle}_{suffix}{extension}'
    for session in ('', 'ses-pre/', 'ses-post/')
    for datatype, suffix, middles in (
        ('anat', 'T1w', ('acq-mb4', 'acq-mb4_run-1', 'run-02_desc-preproc', 'space-MNI152NLin6Asym_res-2_desc-preproc')),
        ('func', 'bold', (
            'task-rest', 'task-rest_run-1', 'task-rest_run-01_echo-2', 'task-nback_dir-AP_run-10', 'task-rest_part-phase',
            'task-rest_space-MNI152NLin6Asym_res-2_desc-preproc', 'task-rest_ce-gd_rec-magnitude_acq-mb4',
        )),
        ('dwi', 'dwi', ('dir-AP', 'dir-PA_run-2', 'space-ACPC_desc-preproc', 'acq-b0')),
        ('fmap', 'epi', ('acq-mb4_dir-AP', 'dir-PA')),
    )
    for middle in middles
    for extension in ('.nii.gz', '.nii', '.json')
]  # fmt: skip
VALUES = {
    'session': ['pre', 'post', 'absent', None, '*', ['pre', 'post']],
    'task': ['rest', 'nback', None, '*', ['rest', 'nback']],
    'acquisition': ['mb4', 'b0', None, '*'],
    'run': [1, 2, '1', '01', '10', None, '*', [1, 10], ['1', '2']],
    'echo': [2, None, '*'],
    'part': ['phase', None, '*'],
    'direction': ['AP', ['AP', 'PA'], None],
    'reconstruction': ['magnitude', None],
    'ceagent': ['gd', None],
    'space': ['MNI152NLin6Asym', 'ACPC', None, '*'],
    'res': ['2', None, '*'],
    'desc': ['preproc', None, '*', []],
    'suffix': ['bold', 'T1w', 'dwi', 'epi', ['bold', 'dwi']],
    'datatype': ['func', 'anat', ['dwi', 'fmap']],
    'extension': ['.nii.gz', 'nii.gz', ['.nii', '.nii.gz'], 'nii'],
}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('images') / 'dataset'
    for name in [*NAMES, *(name.replace('sub-01', 'sub-012') for name in NAMES[:6])]:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{}')
    (folder / 'dataset_description.json').write_text(json.dumps({'Name': 'x', 'BIDSVersion': '1.9.0'}))
    return folder


@pytest.fixture(scope='module')
def theirs(root):
    """Return a function that asks PyBIDS' database."""
    from bids.layout import BIDSLayout, BIDSLayoutIndexer, Query

    indexer = BIDSLayoutIndexer(validate=False, index_metadata=False)
    layout = BIDSLayout(
        root, validate=False, is_derivative=True, indexer=indexer, config=['bids', 'derivatives']
    )
    special = {None: Query.NONE, '*': Query.ANY}

    def find(filters):
        asked = {
            k: special[v] if isinstance(v, str | None) and v in special else v for k, v in filters.items()
        }
        asked.setdefault('extension', ['.nii.gz', '.nii'])
        return sorted(layout.get(return_type='filename', subject='01', **asked))

    return find


def ours(root, filters):
    return [str(path) for path in Images().find(root, '01', filters)]


@pytest.mark.parametrize('name', VALUES)
def test_each_entity_is_found_as_pybids_finds_it(root, theirs, name):
    for value in VALUES[name]:
        found = ours(root, {name: value})
        assert found == theirs({name: value}), value
        assert all('/sub-01/' in path for path in found)


def test_filters_of_many_entities_find_the_same(root, theirs):
    """Any two entities with any of their values, and draws of more."""
    rng = np.random.default_rng(20260101)
    asked = [
        dict(zip(pair, ('*', None))) for pair in itertools.permutations(VALUES, 2) if 'suffix' not in pair
    ]
    asked = [filters for filters in asked if not {'datatype', 'extension'} & set(filters)]
    for _ in range(150):
        names = rng.choice(list(VALUES), rng.integers(2, 6), replace=False)
        asked.append({name: VALUES[name][rng.integers(len(VALUES[name]))] for name in names})
    found = [ours(root, filters) for filters in asked]
    assert sum(map(bool, found)) > 100
    for filters, paths in zip(asked, found):
        assert paths == theirs(filters), filters


def test_entities_are_those_of_pybids():
    known = entities()
    assert {'subject', 'session', 'run', 'space', 'desc', 'suffix', 'extension', 'datatype'} <= set(known)
    assert known['run'].is_number
    assert not known['session'].is_number


def test_an_entity_that_nobody_knows_is_usage(root):
    with pytest.raises(ParameterError, match="'aquisition' is not a recognized entity"):
        Images().find(root, '01', {'aquisition': 'mb4'})


def test_a_damaged_description_is_told_once_it_matters(root, tmp_path):
    (tmp_path / 'dataset_description.json').write_text('{')
    assert Images().find(tmp_path, '01', {}) == []
    (tmp_path / 'sub-01').mkdir()
    with pytest.raises(DatasetError, match='no valid JSON'):
        Images().find(tmp_path, '01', {})


def test_folders_that_are_links_are_entered_and_circles_end(root, tmp_path):
    (tmp_path / 'sub-01').symlink_to(root / 'sub-01')
    assert [os.path.relpath(path, tmp_path) for path in ours(tmp_path, {})] == [
        os.path.relpath(path, root) for path in ours(root, {})
    ]
    (tmp_path / 'sub-02' / 'ses-pre').mkdir(parents=True)
    (tmp_path / 'sub-02' / 'ses-pre' / 'func').symlink_to(tmp_path / 'sub-02')
    assert Images().find(tmp_path, '02', {}) == []


def test_hidden_files_and_deep_ones_are_none(tmp_path):
    for name in (
        '.cache/x_bold.nii',
        'func/.x_bold.nii',
        'ses-pre/func/more/x_bold.nii',
        'ses-pre/func/x_bold.nii',
    ):
        path = tmp_path / 'sub-01' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('')
    assert [path.parent.name for path in Images().find(tmp_path, '01', {})] == ['func']


def test_folders_of_other_participants_are_never_entered(root, monkeypatch):
    entered = []
    plain = os.scandir
    monkeypatch.setattr(os, 'scandir', lambda path: entered.append(str(path)) or plain(path))
    images = Images()
    for _ in range(3):
        images.find(root, '01', {'suffix': 'bold'})
    assert len(entered) == len(set(entered))
    assert not [path for path in entered if 'sub-012' in path]


def test_pybids_is_not_imported_to_find_images(root):
    code = (
        'import sys; from pathlib import Path; from bids_app.scans.images import Images\n'
        f'print(len(Images().find(Path({str(root)!r}), "01", {{}})), "bids" in sys.modules)'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    number, is_imported = done.stdout.split()
    assert (int(number), is_imported) == (
        len([name for name in NAMES if not name.endswith('.json')]),
        'False',
    )


def test_folders_are_named_in_order_with_links_and_without_files(tmp_path):
    for name in ('ses-b', 'ses-a', 'anat'):
        (tmp_path / name).mkdir()
    (tmp_path / 'ses-c').symlink_to(tmp_path / 'ses-a')
    (tmp_path / 'ses-d').write_text('')
    (tmp_path / 'ses-e').symlink_to(tmp_path / 'absent')
    assert folder_names(tmp_path, 'ses-') == ['ses-a', 'ses-b', 'ses-c']
    assert folder_names(tmp_path / 'absent', 'ses-') == []


def test_names_above_the_dataset_say_nothing(root, tmp_path):
    """PyBIDS takes a person's folder above the dataset for the participant."""
    above = tmp_path / 'sub-99_ses-old' / 'data'
    above.parent.mkdir()
    above.symlink_to(root)
    assert len(ours(above, {'session': 'pre'})) == len(ours(root, {'session': 'pre'})) > 0
