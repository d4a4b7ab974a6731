"""What a run does with Nipype's plugins: refused, replaced, or told how a job ended."""

import logging
import multiprocessing
import os
import shutil
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from bids_app.running import jobs, plugin
from bids_app.running.engine import configure, plugin_name
from bids_app.settings import Settings
from pipelines.errors import ParameterError, StoppedError


def settings(tmp_path, **fields):
    return Settings(
        bids_dir=tmp_path, output_dir=tmp_path / 'out', level='participant', work_dir=tmp_path, **fields
    )


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Return a function that puts programs of a batch system on the path: scripts that say a line."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    monkeypatch.setenv('PATH', str(folder))

    def add(name, script):
        path = folder / name
        path.write_text(f'#!/bin/sh\necho "$0 $@" >>{tmp_path}/said\n{script}\n')
        path.chmod(0o755)

    return add


@pytest.mark.parametrize(
    ('asked', 'word'),
    [({'plugin': 'Slrum'}, "plugin 'Slrum' is unknown"), ({'plugin_args': {}}, 'Write for example')],
)
def test_unknown_plugin_is_usage(tmp_path, asked, word):
    with pytest.raises(ParameterError, match=word):
        plugin_name(settings(tmp_path, plugin=asked))


def test_a_batch_system_that_is_not_here_is_usage(tmp_path, programs):
    assert shutil.which('sbatch') is None
    with pytest.raises(ParameterError, match='needs the command sbatch, which is not here'):
        configure(settings(tmp_path, plugin={'plugin': 'SLURM'}), 'run')


def test_a_plugin_that_only_submits_is_replaced(tmp_path, programs, caplog):
    """SLURMGraph leaves at once and reports success whatever happens."""
    programs('sbatch', '')
    with caplog.at_level(logging.WARNING):
        assert plugin_name(settings(tmp_path, plugin={'plugin': 'SLURMGraph'})) == 'SLURM'
    assert 'SLURM is used, which waits' in caplog.text


def test_processes_are_the_default(tmp_path):
    assert plugin_name(settings(tmp_path)) == 'MultiProc'
    assert plugin_name(settings(tmp_path, plugin={'plugin': 'LegacyMultiProc'})) == 'MultiProc'


def test_a_user_whom_the_machine_does_not_know(tmp_path, monkeypatch):
    """``docker run --user 12345`` has no name; Nipype names jobs and crash files after it."""

    def unknown():
        raise KeyError('getpwuid(): uid not found: 12345')

    monkeypatch.setattr('bids_app.running.engine.getpass.getuser', unknown)
    monkeypatch.delenv('LOGNAME', raising=False)
    configure(settings(tmp_path), 'run')
    assert os.environ['LOGNAME'] == f'uid{os.getuid()}'


@pytest.mark.skipif(not Path('/proc/self/oom_score_adj').exists(), reason='not Linux')
def test_the_kernel_ends_a_worker_rather_than_the_program():
    with multiprocessing.get_context('fork').Pool(1) as pool:
        (worker,) = pool.map(Path.read_text, [Path('/proc/self/oom_score_adj')])
    assert int(worker) == 500
    assert int(Path('/proc/self/oom_score_adj').read_text()) < 500


def submit(programs, arguments, node_arguments=None):
    programs('sbatch', 'echo Submitted batch job 17')
    slurm = plugin.SizedSLURM({'sbatch_args': arguments, 'n_threads': 2})
    node = SimpleNamespace(
        plugin_args=node_arguments or {}, mem_gb=2.4, n_procs=1, _hierarchy='clbpe_wf', _id='clean',
        output_dir=lambda: '/somewhere/clean',
    )  # fmt: skip
    assert slurm._submit_batchtask('/somewhere/batch/script.sh', node) == 17
    return slurm


@pytest.fixture
def nothing_submitted(monkeypatch):
    monkeypatch.setattr(jobs, 'SUBMITTED', set())
    monkeypatch.setattr(plugin, 'SUBMITTED', jobs.SUBMITTED)
    monkeypatch.setenv('LOGNAME', 'anna')


@pytest.mark.usefixtures('nothing_submitted')
def test_a_job_asks_for_the_memory_and_cores_of_its_step(tmp_path, programs):
    submit(programs, '--partition=long')
    said = (tmp_path / 'said').read_text()
    assert '--partition=long' in said
    assert '--mem=3072M --cpus-per-task=2' in said
    assert sorted(jobs.SUBMITTED) == [17]


@pytest.mark.usefixtures('nothing_submitted')
def test_the_user_has_the_last_word(tmp_path, programs):
    submit(programs, '--mem=9G -c 4', {'sbatch_args': '--time=5'})
    said = (tmp_path / 'said').read_text()
    assert '--mem=9G -c 4 --time=5' in said
    assert '--mem=3072M' not in said
    assert '--cpus-per-task' not in said


@pytest.mark.usefixtures('nothing_submitted')
def test_a_job_is_waited_for_while_slurm_lists_it(programs):
    slurm = submit(programs, '')
    programs('squeue', 'echo 16; echo 17')
    assert slurm._is_pending(17)
    programs('squeue', 'echo 16')
    assert slurm._is_pending(17)  # not asked again within seconds
    slurm._asked -= 60
    assert not slurm._is_pending(17)


@pytest.mark.usefixtures('nothing_submitted')
def test_slurm_is_asked_often_while_steps_are_short_and_seldom_later(programs, monkeypatch):
    slurm, clock, asked = submit(programs, ''), [1000.0], []
    monkeypatch.setattr(plugin.time, 'monotonic', lambda: clock[0])
    monkeypatch.setattr(plugin, 'waiting_jobs', lambda _: asked.append(clock[0]) or {17})
    slurm._moved = slurm._asked = clock[0]
    for _ in range(2 * 3600):
        clock[0] += 0.5
        assert slurm._is_pending(17)
    first = [at for at in asked if at < 1010]
    last = [at for at in asked if at > 1000 + 3600 - 60]
    assert len(first) >= 6  # about once a second in the first ten
    assert len(last) <= 4  # four times in the last minute of an hour


@pytest.mark.usefixtures('nothing_submitted')
def test_a_job_that_ends_makes_the_next_question_soon(programs, monkeypatch):
    slurm, clock, jobs_there = submit(programs, ''), [1000.0], [{16, 17}]
    monkeypatch.setattr(plugin.time, 'monotonic', lambda: clock[0])
    monkeypatch.setattr(plugin, 'waiting_jobs', lambda _: jobs_there[0])
    slurm._moved, slurm._asked = 0.0, 0.0
    assert slurm._is_pending(17)
    jobs_there[0] = {17}
    clock[0] += 16
    assert slurm._is_pending(17)  # asked: 16 is gone
    jobs_there[0] = set()
    clock[0] += 1.5
    assert not slurm._is_pending(17)


@pytest.mark.usefixtures('nothing_submitted')
def test_a_controller_that_is_away_for_a_moment_ends_nothing(programs):
    slurm = submit(programs, '')
    programs('squeue', 'echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1')
    assert slurm._is_pending(17)
    programs('squeue', 'echo "squeue: error: no such option" >&2; exit 1')
    slurm._asked -= 60
    with pytest.raises(StoppedError, match='no such option'):
        slurm._is_pending(17)


@pytest.mark.usefixtures('nothing_submitted')
def test_a_lost_job_tells_its_state_and_its_last_line(tmp_path, programs):
    output = tmp_path / 'slurm-17.out'
    output.write_text('begun\nslurmstepd: error: Detected 1 oom-kill event(s)\n')
    programs('squeue', '')
    programs('scontrol', f'echo "JobId=17 JobState=OUT_OF_MEMORY Reason=None"; echo " StdOut={output}"')
    slurm = submit(programs, '')
    slurm._config = {'execution': {'job_finished_timeout': '0'}}
    (message,) = slurm._get_result(17)['traceback']
    assert message.startswith('StoppedError: Slurm job 17 ended without a result, state OUT_OF_MEMORY')
    assert 'oom-kill' in message
    assert '/somewhere/clean' in message


@pytest.mark.usefixtures('nothing_submitted')
def test_jobs_are_cancelled_when_nobody_waits_any_more(tmp_path, programs):
    slurm = submit(programs, '')
    programs('scancel', '')
    jobs.cancel_jobs()
    assert (tmp_path / 'said').read_text().splitlines()[-1] == f'{tmp_path}/bin/scancel 17'
    slurm._pending[18] = Path()
    jobs.SUBMITTED.add(18)
    slurm._clear_task(18)
    before = (tmp_path / 'said').read_text()
    jobs.cancel_jobs()  # nothing is left to cancel
    assert (tmp_path / 'said').read_text() == before


@pytest.mark.usefixtures('nothing_submitted')
def test_cancelling_does_not_wait_for_long(programs, monkeypatch):
    def slow(*_, timeout, **__):
        raise subprocess.TimeoutExpired('scancel', timeout)

    programs('scancel', '')
    monkeypatch.setattr(jobs.subprocess, 'run', slow)
    jobs.SUBMITTED.add(17)
    jobs.cancel_jobs()
    assert not jobs.SUBMITTED


@pytest.mark.parametrize('is_gone', [False, True], ids=['it waits', 'it went meanwhile'])
def test_a_worker_whose_program_went_while_it_was_forked_goes_too(is_gone):
    """The kernel ends children of what dies after it was asked to, and not of what died before: they would wait forever."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        if is_gone:
            plugin._FORKING[0] = -1  # nobody's parent
        plugin._be_first_to_go()
        os.write(write, b'.')
        os._exit(0)
    _, status = os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read, 'rb') as said:
        assert said.read() == (b'' if is_gone else b'.')
    assert os.WIFSIGNALED(status) == is_gone
    if is_gone:
        assert os.WTERMSIG(status) == signal.SIGKILL
