"""What is published tells no folder of the machine."""

import json
import re
from pathlib import Path

import pytest

from bids_app.outputs.dataset import DESCRIPTION, write_dataset_files
from bids_app.outputs.record import save_record, without_folders


def test_a_record_and_its_crash_files_hold_no_absolute_path(tmp_path):
    crash = tmp_path / 'crash-1.txt'
    crash.write_text(f'File "{tmp_path}/lib/x.py", line 3\nOSError: \'/scratch/alice/my work/x.npy\'\n')
    record = {
        'command': f'clbpe {tmp_path}/bids /scratch/alice/out participant --trial {tmp_path}/bids/code/trial.json',
        'inputs': [{'path': 'fmriprep:sub-01/x.nii.gz', 'kind': 'bold'}],
        'errors': [{'node': 'clean', 'message': '/scratch/alice/steps/x.npy cannot be written, at 3 mm/s'}],
        'selection': {'run': ('1',)},
    }
    save_record(record, [crash, None], tmp_path / 'log', tmp_path / 'bids')
    written = json.loads((tmp_path / 'log' / 'run.json').read_text())
    assert written['command'] == 'clbpe bids out participant --trial code/trial.json'
    assert written['inputs'] == record['inputs']
    assert written['errors'][0]['message'] == 'x.npy cannot be written, at 3 mm/s'
    assert written['selection'] == {'run': ['1']}
    for path in (tmp_path / 'log').iterdir():
        assert not re.search(r'alice|' + re.escape(str(tmp_path)), path.read_text())


def test_sources_far_away_are_linked_without_an_absolute_path(tmp_path):
    write_dataset_files(tmp_path / 'out', Path('/some where/bids'), {'fmriprep': tmp_path / 'my fmriprep'})
    links = json.loads((tmp_path / 'out' / DESCRIPTION).read_text())['DatasetLinks']
    assert links['fmriprep'] == '../my%20fmriprep'
    assert links['raw'].startswith('../')
    assert links['raw'].endswith('/some%20where/bids')


def test_a_published_dataset_is_linked_by_its_name_for_good(tmp_path):
    (tmp_path / 'bids').mkdir()
    (tmp_path / 'bids' / DESCRIPTION).write_text('{"DatasetDOI": "doi:10.1234/abc"}')
    write_dataset_files(tmp_path / 'out', tmp_path / 'bids', {})
    about = json.loads((tmp_path / 'out' / DESCRIPTION).read_text())
    assert about['DatasetLinks'] == {'raw': 'doi:10.1234/abc'}
    assert about['SourceDatasets'] == [{'DOI': 'doi:10.1234/abc'}]


def test_the_kind_of_container_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv('CLBPE_DOCKER_TAG', 'clbpe:1')
    monkeypatch.setenv('APPTAINER_CONTAINER', '/x.sif')
    write_dataset_files(tmp_path / 'out', tmp_path / 'bids', {})
    (program,) = json.loads((tmp_path / 'out' / DESCRIPTION).read_text())['GeneratedBy']
    assert program['Container'] == {'Type': 'apptainer', 'Tag': 'clbpe:1'}


def test_every_part_of_a_record_loses_its_folders(tmp_path):
    record = {
        'command': "clbpe '/data/my trial' /scratch/out group --trial '/data/my trial/code/t.json'",
        'parameters': {'trial': '/data/my trial/code/t.json', 'exclude': ['/disk/me/x.tsv'], 'seed': 3},
        'inputs': ['/scratch/out/a.tsv'],
        'errors': [{'message': 'see /tmp/w/crash.txt: 3/4 done'}],
    }
    save_record(record, [], tmp_path, Path('/data/my trial'))
    assert json.loads((tmp_path / 'run.json').read_text()) == {
        'command': "clbpe 'my trial' out group --trial 'code/t.json'",
        'parameters': {'trial': 'code/t.json', 'exclude': ['x.tsv'], 'seed': 3},
        'inputs': ['a.tsv'],
        'errors': [{'message': 'see crash.txt: 3/4 done'}],
    }


@pytest.mark.parametrize(
    'text', ['mm/s', 'https://example.org/a/b', 'sub-01/func', 'and / or', '10 of 12', './x/y']
)
def test_what_is_no_absolute_path_stays(text):
    assert without_folders(text) == text
