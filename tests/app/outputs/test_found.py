"""Our own files, damaged: refused by name or made again, never a traceback."""

import json
import shutil

import numpy as np
import pytest

from bids_app.cli import make_settings
from bids_app.outputs.found import collect_results
from bids_app.phenotype.trial import read_trial
from bids_app.running.manifest import read_receipt, receipts_folder
from pipelines.errors import ClbpeError, DataError
from tests.app.trial_data import sign, write_trial


@pytest.fixture(scope='module')
def sound(tmp_path_factory):
    bids, out = write_trial(tmp_path_factory.mktemp('found'), n=2, seeds=('NAc',))
    for label in ('sub-01', 'sub-02'):
        sign(out, label, fwhm=6)
    return bids, out


@pytest.fixture
def folders(sound, tmp_path):
    bids, out = sound
    return bids, shutil.copytree(out, tmp_path / 'out')


def found(bids, out):
    settings = make_settings(
        [str(bids), str(out), 'group', '-w', str(out.parent / 'work'), '--skip', 'voxelwise']
    )
    return collect_results(settings, read_trial(None), ['sub-01', 'sub-02'])


def quality_of(out):
    return next(out.glob('sub-01/ses-pre/func/*_qc.json'))


def test_sound_results_are_found(folders):
    assert len(found(*folders).scans) == 4


CHANGES = {
    'empty': b'', 'a list': b'[]', 'no flags': b'{"DegreesOfFreedom": 50}', 'flags as text': b'{"DegreesOfFreedom": 50, "Flags": "x"}',
    'flags of numbers': b'{"DegreesOfFreedom": 50, "Flags": [1]}', 'no number': b'{"DegreesOfFreedom": "many", "Flags": []}',
    'null': b'{"DegreesOfFreedom": null, "Flags": []}', 'nested': b'[' * 100_000, 'no text': b'\xff\xfe\x00',
}  # fmt: skip


@pytest.mark.parametrize('content', CHANGES.values(), ids=CHANGES)
def test_a_damaged_quality_file_is_named_with_its_remedy(folders, content):
    path = quality_of(folders[1])
    path.write_bytes(content)
    with pytest.raises(DataError, match=r'is no quality file of a finished run.*--overwrite') as stop:
        found(*folders)
    assert str(path) in str(stop.value)


def test_a_quality_file_that_nobody_answers_for_is_refused(folders):
    path = quality_of(folders[1])
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({**facts, 'DegreesOfFreedom': 999}))
    with pytest.raises(DataError, match='not as a finished run left them'):
        found(*folders)


@pytest.mark.parametrize('state', [[], [1, 2], [1, 2, 3], 'x', None, {'size': 1}])
def test_a_receipt_of_another_shape_is_none(tmp_path, state):
    path = tmp_path / 'a.json'
    content = {'version': '1', 'parameters': {}, 'inputs': {}, 'outputs': {'sub-01/a.tsv': state}}
    path.write_text(json.dumps(content))
    assert read_receipt(path) is None
    content['outputs'] = {'sub-01/a.tsv': [1, 2, 'ab']}
    path.write_text(json.dumps(content))
    assert read_receipt(path) == content


@pytest.mark.parametrize('seed', range(4))
def test_mutations_of_our_own_files_raise_nothing_but_our_own_errors(folders, seed):
    """Bytes changed, cut out or doubled in receipts and quality files: 40 of each."""
    rng = np.random.default_rng(seed)
    out = folders[1]
    paths = [quality_of(out), *receipts_folder(out / 'sub-01').glob('*.json')]
    n_refused = 0
    for number in range(40):
        path = paths[number % len(paths)]
        content = path.read_bytes()
        first, last = sorted(rng.integers(0, len(content), 2))
        kind = number // len(paths) % 3
        middle = (bytes(rng.integers(0, 256, last - first, dtype=np.uint8)), b'', content[first:last] * 2)[
            kind
        ]
        path.write_bytes(content[:first] + middle + content[last:])
        try:
            found(*folders)
        except ClbpeError:
            n_refused += 1
        path.write_bytes(content)
    assert n_refused > 5
    assert len(found(*folders).scans) == 4


def test_runs_of_another_task_are_not_selected(folders):
    bids, out = folders
    words = ['group', '-w', str(out.parent / 'work'), '--skip', 'voxelwise']
    for more, n in (
        (['--task-id', 'rest'], 4),
        (['--task-id', 'nback'], 0),
        (['--run', '1'], 4),
        (['--run', '2'], 0),
    ):
        settings = make_settings([str(bids), str(out), *words, *more])
        assert len(collect_results(settings, read_trial(None), ['sub-01', 'sub-02']).scans) == n


def test_people_without_results_are_nobody(folders):
    bids, out = folders
    settings = make_settings([str(bids), str(out), 'group', '-w', str(out.parent / 'work')])
    results = collect_results(settings, read_trial(None), ['sub-07'])
    assert results.scans == []
    assert results.tracts == []
    assert results.space == ''
    assert not results.has('tract_fa')


def test_other_parameters_name_who_has_which(folders):
    sign(folders[1], 'sub-02', fwhm=4)
    with pytest.raises(DataError, match=r'fwhm: 4 for sub-02; 6 for sub-01'):
        found(*folders)
