"""One works at a time: who comes second is told who was first, and the dead hold nothing."""

import os
import signal
import subprocess
import sys
import time

import pytest
from filelock import FileLock

from bids_app.running import lock
from bids_app.running.lock import held
from pipelines.errors import OutputError, StoppedError


def test_the_second_is_told_who_holds_it(tmp_path):
    with held(tmp_path / 'log', 'sub-01'):
        told = rf'sub-01 is being processed by .*process {os.getpid()}'
        with pytest.raises(StoppedError, match=told), held(tmp_path / 'log', 'sub-01'):
            pytest.fail('held twice')
        with held(tmp_path / 'other', 'sub-02'):
            pass
    with held(tmp_path / 'log', 'sub-01'):
        pass
    assert StoppedError.exit_code == 75


def test_a_killed_process_holds_nothing(tmp_path):
    code = (
        'import sys, time, pathlib; from bids_app.running.lock import held\n'
        'with held(pathlib.Path(sys.argv[1]), "sub-01"): print("held", flush=True); time.sleep(60)'
    )
    with subprocess.Popen(
        [sys.executable, '-c', code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == 'held\n'
        with pytest.raises(StoppedError, match=f'process {other.pid}'), held(tmp_path, 'sub-01'):
            pytest.fail('held twice')
        other.send_signal(signal.SIGKILL)
    with held(tmp_path, 'sub-01'):
        pass


def test_whoever_shares_a_folder_may_open_its_lock(tmp_path, monkeypatch):
    before = os.umask(0o022)
    try:
        with held(tmp_path / 'log', 'sub-01'):
            assert (tmp_path / 'log' / 'lock').stat().st_mode & 0o666 == 0o666
    finally:
        os.umask(before)

    def refuse(self, *args, **kwargs):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(FileLock, 'acquire', refuse)
    with pytest.raises(OutputError, match='another user made it'), held(tmp_path / 'log', 'sub-01'):
        pytest.fail('held')


@pytest.fixture
def no_locks(monkeypatch):
    def refuse(self, *args, **kwargs):
        raise NotImplementedError('no flock here')

    monkeypatch.setattr(FileLock, 'acquire', refuse)


def test_without_locks_of_the_file_system_signs_of_life_count(tmp_path, no_locks, monkeypatch):
    monkeypatch.setattr(lock, '_BEAT', 0.02)
    with held(tmp_path, 'sub-01'):
        first = (tmp_path / 'alive').stat().st_mtime_ns
        time.sleep(0.2)
        assert (tmp_path / 'alive').stat().st_mtime_ns > first
        with pytest.raises(StoppedError, match='knows no locks'), held(tmp_path, 'sub-01'):
            pytest.fail('held twice')
    assert not (tmp_path / 'alive').exists()
    (tmp_path / 'alive').touch()
    os.utime(tmp_path / 'alive', (0, 0))  # of a run that died long ago
    with held(tmp_path, 'sub-01'):
        pass
