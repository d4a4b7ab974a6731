"""Layouts of public datasets: their names filled with small valid files, and a dry run of a few people of each."""

import gzip
import json
import os

import nibabel as nb
import numpy as np
import pytest

from bids_app.cli import main
from bids_app.scans.query import entities_of

pytestmark = [pytest.mark.real, pytest.mark.slow]

N_DATASETS = 33
N_PEOPLE = 2
TREES = 'trees/bids-examples_tree.txt.gz'
ENDS = {0, 16, 18, 65, 66}
"""What a dry run may end with: all is well, no dataset, nothing selected, unusable, absent."""


def images():
    """Return the bytes of a series, a volume as large as a head, and a diffusion series."""
    shapes = {'bold': ((3, 3, 3, 240), 60), 'volume': ((3, 3, 3), 60), 'dwi': ((3, 3, 3, 40), 60)}
    made = {}
    for kind, (shape, voxel) in shapes.items():
        image = nb.Nifti1Image(np.ones(shape, np.int16), np.diag([voxel, voxel, voxel, 1]))
        if len(shape) == 4:
            image.header.set_zooms((voxel, voxel, voxel, 2.0))
            image.header.set_xyzt_units('mm', 'sec')
        made[kind] = image.to_bytes()
    return made


def tables():
    """Return the text of b-values and directions: one volume without and 39 with diffusion weighting."""
    vectors = np.random.default_rng(0).standard_normal((3, 40))
    vectors[:, 0] = 0
    vectors[:, 1:] /= np.linalg.norm(vectors[:, 1:], axis=0)
    rows = '\n'.join(' '.join(f'{value:.6f}' for value in row) for row in vectors)
    return {'.bval': ' '.join(['0'] + ['1000'] * 39), '.bvec': rows}


METADATA = {
    'RepetitionTime': 2.0,
    'TaskName': 'rest',
    'PhaseEncodingDirection': 'j',
    'TotalReadoutTime': 0.05,
}


class Store:
    """Files of each kind, written once and linked to from everywhere."""

    def __init__(self, folder):
        self.kinds = {}
        for kind, content in images().items():
            for end, packed in (('.nii', content), ('.nii.gz', gzip.compress(content, 1))):
                self.kinds[kind, end] = folder / f'{kind}{end}'
                self.kinds[kind, end].write_bytes(packed)
        for end, text in (*tables().items(), ('.json', json.dumps(METADATA)), ('.tsv', 'participant_id\n')):
            self.kinds[end] = folder / f'any{end}'
            self.kinds[end].write_text(text)

    def put(self, path):
        """Write a file after its name."""
        path.parent.mkdir(parents=True, exist_ok=True)
        end = ''.join(path.suffixes[-2:]) if path.name.endswith('.nii.gz') else path.suffix
        if path.name == 'dataset_description.json':
            path.write_text('{"Name": "x", "BIDSVersion": "1.9.0"}')
        elif end in ('.nii', '.nii.gz'):
            suffix = path.name.split('.')[0].rpartition('_')[2]
            os.link(self.kinds[suffix if suffix in ('bold', 'dwi') else 'volume', end], path)
        elif end in self.kinds:
            os.link(self.kinds[end], path)
        else:
            path.touch()


@pytest.fixture(scope='module')
def datasets(test_data):
    names = gzip.decompress((test_data / TREES).read_bytes()).decode().split('\n')
    found = {}
    for name in names:
        found.setdefault(name.split('/')[0], []).append(name)
    is_scan = ('_bold.nii', '_bold.nii.gz', '_dwi.nii', '_dwi.nii.gz')
    return {root: own for root, own in found.items() if any(name.endswith(is_scan) for name in own)}


@pytest.fixture(scope='module')
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp('store'))


def test_there_are_as_many_as_were_counted(datasets):
    assert len(datasets) == N_DATASETS


def test_no_layout_ends_in_a_traceback(datasets, store, tmp_path, caplog, capsys):
    """All 33 in one test: what they share is that each ends with a status that says something, and its reason."""
    ended = {}
    for root, names in datasets.items():
        people = sorted({name.split('/')[1] for name in names if name.split('/')[1].startswith('sub-')})[
            :N_PEOPLE
        ]
        for name in names:
            parts = name.split('/')
            if not parts[1].startswith('sub-') or parts[1] in people:
                store.put(tmp_path / name)
        tasks = sorted(
            {entities_of(tmp_path / n)['task'] for n in names if 'task' in entities_of(tmp_path / n)}
        )
        folder = tmp_path / root
        words = ['participant', '-w', str(tmp_path / 'work'), '--dry-run']
        for more in ([], *([['--task-id', *tasks]] if tasks else [])):
            ended[root, bool(more)] = main([str(folder), str(tmp_path / 'out'), *words, *more])
            said = capsys.readouterr()
            assert 'Traceback' not in said.err + said.out, root
            assert said.err or said.out or caplog.text, root
    assert set(ended.values()) <= ENDS, ended
    usable = [root for (root, _), status in ended.items() if status == 0]
    assert len(set(usable)) > 15, (
        ended
    )  # those with T1w, times and tables: the rest lacks what it is told to lack
