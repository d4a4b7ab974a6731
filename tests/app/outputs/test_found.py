"""Our own files, damaged: refused by name or made again, never a traceback."""

import json
import shutil

import pytest
from hypothesis import strategies as st

from bids_app.cli import make_settings
from bids_app.outputs.found import collect_results
from bids_app.phenotype.trial import read_trial
from bids_app.running.manifest import Receipt, digest_of, read_receipt, receipts_folder
from pipelines.errors import DataError
from tests import damage
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


@pytest.mark.fuzz
def test_damaged_receipts_are_none(tmp_path):
    """What is read has the four parts of a receipt, and a state for each file."""
    path = tmp_path / 'a.json'
    sound = {
        'version': '1',
        'parameters': {'fwhm': 6},
        'inputs': {'a': [1, 2]},
        'outputs': {'sub-01/a.tsv': [1, 2, 'ab']},
    }
    read_back = []

    def read(content):
        damage.write(path, content)
        receipt = read_receipt(path)
        read_back.append(receipt is None)
        digest_of(tmp_path)
        asked = Receipt(path, tmp_path, sound['parameters'], sound['inputs'])
        assert not asked.is_current([tmp_path / 'sub-01/a.tsv'], overwrite=True)
        if receipt is not None:
            assert [type(receipt[key]) for key in sound] == [type(part) for part in sound.values()]

    assert damage.outcomes_of(damage.json_files(sound), read, 3) == {damage.READ}
    assert set(read_back) == {True, False}


@pytest.mark.fuzz
def test_damaged_files_of_our_own_are_refused_or_found(folders):
    """Quality files and receipts: a change that leaves their content as it was is none."""
    bids, out = folders
    paths = [quality_of(out), *receipts_folder(out / 'sub-01').glob('*.json')]
    sound = {path: path.read_bytes() for path in paths}
    drawn = st.sampled_from(paths).flatmap(
        lambda path: st.tuples(
            st.just(path), damage.json_files(json.loads(sound[path])) | damage.damaged(sound[path])
        )
    )

    def read(changed):
        path, content = changed
        damage.write(path, content)
        try:
            found(bids, out)
        finally:
            damage.write(path, sound[path])

    # without its receipt a run is no result: nothing is refused, it is not there
    assert damage.REFUSED in damage.outcomes_of(drawn, read)
    assert len(found(bids, out).scans) == 4


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
