"""Folders of a run: who else may write into them, labels that are none, names that are no addresses."""

import os

import pytest

from bids_app import cli
from bids_app.folders import check_private, close_steps
from bids_app.settings import STEPS, Settings
from pipelines.errors import OutputError, ParameterError


@pytest.fixture
def work(tmp_path):
    (tmp_path / 'work').mkdir(mode=0o755)
    return tmp_path / 'work'


def test_a_work_folder_of_our_own_or_none_is_used(work):
    check_private(work)
    check_private(work / 'absent')
    close_steps(work)
    check_private(work)
    assert (work / STEPS).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize('place', ['', STEPS])
def test_a_folder_that_everybody_may_write_to_is_refused(work, place):
    folder = work / place
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    with pytest.raises(
        OutputError, match=r'can be written to by everybody .*mode drwxrwxrwx.*--work-dir'
    ) as caught:
        check_private(work)
    assert str(folder) in str(caught.value)


def test_a_folder_for_temporary_things_serves(work):
    """There nobody takes away what another made: a tmpfs of Docker is such a folder."""
    work.chmod(0o1777)
    check_private(work)


def test_a_group_may_share_it_and_not_the_steps(work):
    work.chmod(0o2775)
    (work / STEPS).mkdir(mode=0o775)
    check_private(work)
    close_steps(work)
    assert (work / STEPS).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize('place', ['', STEPS])
def test_a_folder_of_another_user_is_refused(work, place):
    if os.geteuid():
        pytest.skip('only root can give a folder away')
    (work / place).mkdir(exist_ok=True)
    os.chown(work / place, 12345, 12345)
    with pytest.raises(OutputError, match=r'belongs to another user .owner 12345') as caught:
        check_private(work)
    assert caught.value.exit_code == 73


def test_the_command_line_refuses_before_anything_is_loaded(tmp_path, work, capsys):
    (tmp_path / 'data' / 'sub-01').mkdir(parents=True)
    work.chmod(0o777)
    assert cli.main([str(tmp_path / 'data'), str(tmp_path / 'out'), 'participant', '-w', str(work)]) == 73
    assert 'can be written to by everybody' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def settings(root, **fields):
    return Settings(
        bids_dir=root, output_dir=root / 'out', level='participant', work_dir=root / 'work', **fields
    )


@pytest.mark.parametrize('label', ['01_old', '../01', '0 1', '', '01/ses-1', 'sub-01', '01\n', 'ä'])
@pytest.mark.parametrize('option', ['participant_label', 'session_label', 'task_id'])
def test_what_is_no_label_is_refused_as_that(tmp_path, option, label):
    with pytest.raises(ParameterError, match='a BIDS label holds letters and digits only'):
        settings(tmp_path, **{option: (label,)})


def test_the_name_of_a_dataset_can_stand_in_an_address(tmp_path):
    words = [str(tmp_path), str(tmp_path / 'out'), 'participant', '-d', f'{tmp_path}/my data', 'a b=/x']
    assert [name for name, _ in cli.make_settings(words).derivatives] == ['my-data', 'a-b']
