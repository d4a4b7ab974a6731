"""How a run ends when a process is killed or a signal comes, and that the next run resumes."""

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import psutil
import pytest
from nipype import Node, Workflow
from nipype.interfaces.utility import IdentityInterface
from scipy.sparse import lil_matrix

from bids_app.running import engine
from bids_app.running.engine import read_crashes
from bids_app.running.faults import judge, raised_in
from bids_app.running.plugin import Dependencies, GuardedMultiProc
from bids_app.settings import Settings
from bids_app.simulated.cli import main as simulate
from pipelines.errors import StoppedError
from tests.app.trial_data import N_MAPS

SLOW = 120  # s, an upper limit on a crowded machine


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp('simulated') / 'fmriprep'
    options = ['--participants', '1', '--sessions', 'pre', '--voxel-size', '3', '--n-volumes', '150']
    assert simulate([str(root), *options]) == 0
    return root


def start(dataset, folder, nprocs=2):
    command = [sys.executable, '-m', 'bids_app', str(dataset), str(folder / 'out'), 'participant']
    command += ['-d', f'fmriprep={dataset}', '-w', str(folder / 'work'), '--nprocs', str(nprocs)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for(process, word):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if word in line:
            return lines
    raise AssertionError(f'{word!r} never came: {"".join(lines)}')


def rest_of(process):
    text, _ = process.communicate(timeout=SLOW)
    return process.returncode, text


def test_killed_worker_ends_the_run_and_the_next_one_resumes(dataset, tmp_path):
    """What happens when memory runs out: status 75 and a remedy, no endless wait."""
    process = start(dataset, tmp_path)
    wait_for(process, 'clean running')
    for worker in psutil.Process(process.pid).children():
        worker.send_signal(signal.SIGKILL)
    status, text = rest_of(process)
    assert status == 75, text
    assert re.search(
        r'sub-01, clbpe_wf.sub_01_wf.\S+: a worker process was killed; most often memory ran out', text
    )
    assert not list((tmp_path / 'out').rglob('*boldmap*'))
    again = start(dataset, tmp_path)
    status, text = rest_of(again)
    assert status == 0, text
    assert len(list((tmp_path / 'out').rglob('*boldmap.nii.gz'))) == N_MAPS


def test_one_process_at_a_time_is_a_worker_too(dataset, tmp_path):
    """The kernel ends the process that holds the memory: with one core that must not be the program itself.

    At once the next step would be submitted: the step that was lost is named all the same.
    """
    process = start(dataset, tmp_path, nprocs=1)
    wait_for(process, 'regions running')
    (worker,) = psutil.Process(process.pid).children()
    worker.send_signal(signal.SIGKILL)
    status, text = rest_of(process)
    assert status == 75, text
    assert re.search(r'sub-01, \S+connectivity_wf.regions: a worker process was killed', text), text


@pytest.mark.parametrize(
    ('number', 'says'),
    [
        (signal.SIGKILL, 'a worker process was killed'),
        (signal.SIGBUS, 'the scratch disk (--work-dir) is full'),
        (signal.SIGXCPU, 'the limit of its processor time'),
    ],
)
def test_a_step_that_cannot_begin_is_named(tmp_path, monkeypatch, number, says):
    """A worker may be ended while it waits, and then the next step finds no pool; the signal tells why."""
    monkeypatch.chdir(tmp_path)
    pool = GuardedMultiProc({'n_procs': 1, 'memory_gb': 1})
    pool.pool.submit(os.getpid).result(timeout=SLOW)
    for process in pool.pool._processes.values():
        os.kill(process.pid, number)
    node = Node(IdentityInterface(fields=['x']), name='regions', base_dir=tmp_path)
    node.config = {'execution': {'crashdump_dir': str(tmp_path / 'crashes'), 'crashfile_format': 'txt'}}
    deadline = time.monotonic() + SLOW
    while not pool.pool._broken:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(StoppedError, match='run again to resume'):
        pool._submit_job(node)
    (failure,) = read_crashes(tmp_path / 'crashes', settings_in(tmp_path))
    assert (failure.node, failure.exit_code) == ('regions', 75)
    assert says in failure.message


def test_a_result_that_could_not_be_kept_is_told_with_its_reason(tmp_path, monkeypatch):
    """On a full disk a step ends in an error of its own, and the pool is whole: nothing was killed."""
    monkeypatch.chdir(tmp_path)
    pool = GuardedMultiProc({'n_procs': 1, 'memory_gb': 1})
    future = Future()
    pool._task_obj[7] = future
    future.add_done_callback(pool._async_callback)
    error = FileNotFoundError('result_clean.pklz')
    error.__cause__ = OSError(28, 'No space left on device')
    future.set_exception(error)
    text = ''.join(pool._get_result(7)['traceback'])
    pool.pool.shutdown()
    assert '[Errno 28]' in text
    assert judge(raised_in(text), settings_in(tmp_path)).message.startswith('the disk of the work folder')


def test_a_step_that_fails_before_its_number_is_known_is_not_waited_for(tmp_path, monkeypatch):
    """Of a crowded machine with too few open files: the step had failed when the pool had just taken it."""
    monkeypatch.chdir(tmp_path)
    pool, failed = GuardedMultiProc({'n_procs': 1, 'memory_gb': 1}), Future()
    failed.set_exception(OSError(24, 'Too many open files'))
    monkeypatch.setattr(pool.pool, 'submit', lambda *words: failed)
    task = pool._submit_job(Node(IdentityInterface(fields=['x']), name='regions', base_dir=tmp_path))
    pool.pool.shutdown()
    assert '[Errno 24]' in ''.join(pool._get_result(task)['traceback'])


@pytest.mark.parametrize('size', [2, pytest.param(4, marks=pytest.mark.long)])
def test_a_run_on_a_scratch_disk_that_is_too_small(dataset, tmp_path, size):
    if os.geteuid():
        pytest.skip('only root can make a disk')
    (tmp_path / 'work').mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', f'size={size}m,mode=755', 'tmpfs', tmp_path / 'work']
    if subprocess.run(mount).returncode:
        pytest.skip('no disk can be made here')
    try:
        status, text = rest_of(start(dataset, tmp_path))
    finally:
        subprocess.run(['umount', tmp_path / 'work'], check=True)
    assert status == 75, text
    assert f'the disk of the work folder {tmp_path / "work"} is full (disk, not memory)' in text
    assert 'Traceback' not in text
    assert rest_of(start(dataset, tmp_path))[0] == 0


def settings_in(folder):
    return Settings(bids_dir=folder, output_dir=folder / 'out', level='participant', work_dir=folder / 'work')


def test_steps_that_left_no_crash_file_are_no_success(tmp_path, monkeypatch):
    """Where the disk is full, the crash file is what cannot be written."""
    monkeypatch.setattr(engine, 'stop_workers', lambda: None)

    def full(*arguments):
        engine.crash_folder(settings_in(tmp_path), 'run').mkdir(parents=True)
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(engine, '_start', full)
    workflow = Workflow('clbpe_wf')
    failures = engine.execute(settings_in(tmp_path), workflow, 'run', ['01', '02'])
    assert [(each.label, each.exit_code) for each in failures] == [('01', 75), ('02', 75)]
    assert 'disk, not memory' in failures[0].message


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_run_at_once(dataset, tmp_path, number):
    """SIGTERM comes from a batch system at its time limit, SIGINT from the keyboard."""
    process = start(dataset, tmp_path)
    wait_for(process, 'running')
    began = time.monotonic()
    os.kill(process.pid, number)
    status, text = rest_of(process)
    assert status == 75, text
    assert f'stopped by {number.name}; run the same command again to resume' in text
    assert time.monotonic() - began < 20
    assert not psutil.pid_exists(process.pid)


def test_crash_files_give_node_message_and_status(tmp_path):
    crash = """Node: clbpe_wf.sub_01_wf.ses_pre_task_rest_wf.connectivity_wf.design
Traceback (most recent call last):
pipelines.errors.DegreesOfFreedomError: bold.nii.gz: 10 degrees of freedom remain
"""
    (tmp_path / 'crash-1.txt').write_text(crash)
    (tmp_path / 'crash-2.txt').write_text(crash.replace('pipelines.errors.DegreesOfFreedom', 'Zero'))
    known, other = read_crashes(tmp_path, settings_in(tmp_path))
    assert (known.label, known.exit_code) == ('01', 65)
    assert known.message == 'bold.nii.gz: 10 degrees of freedom remain'
    assert other.exit_code == 1
    assert read_crashes(tmp_path / 'absent', settings_in(tmp_path)) == []


def test_part_of_a_map_node_is_told_by_its_folder(tmp_path):
    """Nipype names such a part without its workflow: its participant would not be known to have failed."""
    (tmp_path / 'crash-1.txt').write_text(
        'Node: _track0\nWorking directory: /w/clbpe_wf/sub_02_wf/tract_0_wf/tract_wf/track/mapflow/_track0\n'
        'Traceback (most recent call last):\n\tKeyError: 1\n'
    )
    (failure,) = read_crashes(tmp_path, settings_in(tmp_path))
    assert (failure.label, failure.node) == ('02', 'clbpe_wf.sub_02_wf.tract_0_wf.tract_wf.track._track0')
    assert failure.concerns('02')
    assert not failure.concerns('01')


def test_columns_add_up_as_scipy_adds_them_and_follow_changes(rng):
    plain = lil_matrix(rng.random((40, 40)) < 0.1)
    own = Dependencies(plain)
    np.testing.assert_array_equal(own.sum(0), plain.sum(0))
    for matrix in (own, plain):
        row = matrix.getrowview(7)
        row[row.nonzero()] = 0  # as Nipype does when a step is done
        matrix[3, 5] = 1
    np.testing.assert_array_equal(own.sum(axis=0), plain.sum(axis=0))
    assert own.sum() == plain.sum()


def test_a_scheduler_keeps_its_matrix_when_map_nodes_enlarge_it():
    plugin = GuardedMultiProc(plugin_args={'n_procs': 1})
    plugin.depidx = lil_matrix((3, 3))
    assert isinstance(plugin.depidx, Dependencies)
    plugin.depidx = None
    assert plugin.depidx is None


def overflow(path):
    """Fill a file that is mapped to memory and larger than its disk: the system ends the process."""
    np.lib.format.open_memmap(path, 'w+', np.float32, (2**22,))[:] = 1


def test_a_map_that_outgrows_its_disk_is_told_as_a_disk(tmp_path, monkeypatch):
    if os.geteuid():
        pytest.skip('only root can make a disk')
    monkeypatch.chdir(tmp_path)
    disk = tmp_path / 'disk'
    disk.mkdir()
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]).returncode:
        pytest.skip('no disk can be made here')
    try:
        pool = GuardedMultiProc({'n_procs': 1, 'memory_gb': 1})
        future = pool.pool.submit(overflow, disk / 'maps.npy')
        with pytest.raises(BrokenProcessPool):
            future.result(timeout=SLOW)
        said = pool._how_it_broke()
    finally:
        subprocess.run(['umount', disk], check=True)
    assert 'the scratch disk (--work-dir) is full' in said
    assert 'disk, not memory' in said
