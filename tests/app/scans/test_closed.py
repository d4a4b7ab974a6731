"""Folders of a dataset: what is a participant, what this user may not list, and how files are addressed."""

import os
import sys
from pathlib import Path

import pytest

from bids_app.scans.dataset import Absence, Dataset, check_description
from bids_app.scans.images import Images
from bids_app.scans.people import collect, participants
from bids_app.scans.query import sidecar
from bids_app.settings import Settings
from pipelines.errors import DataError, MissingInputError
from tests.test_access import as_plain_user


def settings(root, **fields):
    return Settings(
        bids_dir=root, output_dir=root / 'out', level='participant', work_dir=root / 'work', **fields
    )


def test_folders_that_are_no_participants_are_passed_over_by_name(tmp_path, caplog):
    for name in ('sub-01', 'sub-02', 'sub-02_old', 'sub-03 copy'):
        (tmp_path / name).mkdir()
    (tmp_path / 'sub-04').symlink_to(tmp_path / 'sub-01')
    (tmp_path / 'sub-05.txt').write_text('')
    assert participants(settings(tmp_path)) == ['01', '02', '04']
    assert 'sub-02_old is passed over' in caplog.text
    assert 'sub-03 copy is passed over' in caplog.text


def test_what_is_absent_is_not_closed(tmp_path):
    assert Images().listing(tmp_path, 'absent').closed == []
    (tmp_path / 'sub-01').mkdir()
    assert Images().listing(tmp_path, '01').closed == []


def test_a_session_that_may_not_be_listed_stops_its_participant(tmp_path, monkeypatch):
    """Its scans would seem absent, and a person would be analysed by half."""
    folder = tmp_path / 'sub-01' / 'ses-post'
    folder.mkdir(parents=True)
    plain = os.scandir

    def scandir(path):
        if Path(path) == folder:
            raise PermissionError(13, 'Permission denied', str(path))
        return plain(path)

    monkeypatch.setattr(os, 'scandir', scandir)
    monkeypatch.setattr(
        'bids_app.scans.images.why_unreadable',
        lambda path: MissingInputError(f'{path} cannot be read: whose'),
    )
    found = collect(settings(tmp_path), '01')
    assert found.is_empty
    assert [(each.reason, each.exit_code) for each in found.absent] == [
        (f'{folder} cannot be read: whose', 66)
    ]


@pytest.mark.parametrize('call', ['check_description(path)', 'sidecar(image, root)'])
def test_a_json_that_may_not_be_read_is_not_called_damaged(tmp_path, call):
    for name in ('dataset_description.json', 'task-rest_bold.json'):
        (tmp_path / name).write_text('{}')
        (tmp_path / name).chmod(0)
    code = (
        'import sys; from pathlib import Path; from bids_app.scans.dataset import check_description\n'
        'from bids_app.scans.query import sidecar\n'
        f'root = Path({str(tmp_path)!r}); path = root / "dataset_description.json"\n'
        'image = root / "sub-01_task-rest_bold.nii.gz"\n'
        f'try: {call}\nexcept Exception as error: print(error.exit_code, error)'
    )
    said = as_plain_user(sys.executable, '-c', code).stdout
    assert said.startswith('66 '), said
    assert 'belongs to' in said
    assert 'JSON' not in said


def test_an_absence_tells_the_error_or_the_file_that_may_not_be_read(tmp_path, monkeypatch):
    damaged = DataError('x.tsv is no table')
    assert Absence.of('dwi', damaged) == Absence('dwi', 'x.tsv is no table', 65)
    damaged.__cause__ = PermissionError(13, 'Permission denied', str(tmp_path / 'x.tsv'))
    monkeypatch.setattr(
        'bids_app.scans.dataset.why_unreadable', lambda path: MissingInputError(f'{path}: whose')
    )
    assert Absence.of('dwi', damaged) == Absence('dwi', f'{tmp_path / "x.tsv"}: whose', 66)


def test_descriptions_and_sidecars_of_old_are_read(tmp_path):
    (tmp_path / 'dataset_description.json').write_text('{}')
    check_description(tmp_path / 'dataset_description.json')
    (tmp_path / 'task-rest_bold.json').write_text('{"RepetitionTime": 2}')
    assert sidecar(tmp_path / 'sub-01_task-rest_bold.nii.gz', tmp_path) == {'RepetitionTime': 2}


def test_a_space_in_a_path_gives_a_valid_address():
    assert Dataset('raw', Path('/my data')).uri(Path('/my data/sub 1/x.nii')) == 'bids:raw:sub%201/x.nii'
