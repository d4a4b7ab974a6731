"""Nipype's plugins with guards: what is killed or refused ends the run with a reason, never in a hang."""

import ctypes
import gc
import math
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from itertools import chain
from pathlib import Path
from traceback import format_exception
from typing import Any

import numpy as np
from nipype.pipeline.plugins.base import DistributedPluginBase
from nipype.pipeline.plugins.multiproc import MultiProcPlugin
from nipype.pipeline.plugins.slurm import SLURMPlugin
from scipy.sparse import lil_matrix

from pipelines.errors import StoppedError

from .jobs import SUBMITTED
from .resources import more_memory

_BROKEN = {
    signal.SIGBUS: 'the scratch disk (--work-dir) is full: a file that is mapped to memory found no room on it (disk, not '
    'memory). Free some space or choose another disk',
    signal.SIGXCPU: 'a worker process met the limit of its processor time (ulimit -t). Raise it',
}
"""Signals of the system that end a process and say why."""
_PROGRAM_GB = 0.6
"""What a job needs before its step begins: the interpreter and the libraries it imports."""
_GRACE = 5.0  # s, for a process that is ending
_SOONEST, _LATEST = 1.0, 15.0  # s, between two questions to the batch system
_SET_PARENT_DEATH_SIGNAL = 1  # prctl(2), Linux
_TRANSIENT = ('timed out', 'not available at the moment', 'Unable to contact')


_FORKING = [0]
"""The process that forks."""


def _tell_who_forks() -> None:
    _FORKING[0] = os.getpid()


def _be_first_to_go() -> None:
    """Have the kernel end a worker for want of memory, and not the program, which can say so and resume.

    And end it when the program is gone, killed without a chance to say so: it would wait for work forever.
    """
    with suppress(OSError):
        Path('/proc/self/oom_score_adj').write_text('500')
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != _FORKING[0]:  # it went before the kernel was asked: a fork is when memory runs out
        os.kill(os.getpid(), signal.SIGKILL)
    with suppress(ValueError):  # not from every thread
        # of a worker it ends the process, and how it ended is what the program can tell
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)


os.register_at_fork(before=_tell_who_forks, after_in_child=_be_first_to_go)


class Dependencies(lil_matrix):
    """What steps wait for which others, with a sum of columns that costs what there is to add.

    Nipype asks for it twice in every turn of its loop; SciPy's turns the whole matrix around for it, a tenth of a
    second with the steps of 57 people.

    Examples
    --------
    >>> Dependencies(np.array([[0, 1, 1], [0, 0, 1], [0, 0, 0]])).sum(axis=0)
    array([[0, 1, 2]])

    """

    def sum(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        """Return the sum of each column for ``axis`` 0, (1, n) as SciPy's matrix is."""
        if axis != 0:
            return super().sum(axis, dtype, out)
        columns = np.fromiter(chain.from_iterable(self.rows), int)
        values = np.fromiter(chain.from_iterable(self.data), float)
        counts = np.bincount(columns, values, self.shape[1])
        return counts.astype(int)[None]


class _Watching(DistributedPluginBase):
    """Have the progress looked at in every turn of the loop."""

    def _send_procs_to_workers(self, updatehash: bool = False, graph: Any = None) -> None:
        super()._send_procs_to_workers(updatehash=updatehash, graph=graph)
        progress = getattr(self._status_callback, '__self__', None)
        if progress is not None:
            progress.look()


class GuardedMultiProc(_Watching, MultiProcPlugin):
    """Turn the loss of a worker process into a failure of its node that says so.

    The objects of the workflow are set aside from the garbage collector, which Nipype calls after every
    step that runs in the program itself: with many participants it took most of a core.
    """

    @property
    def depidx(self) -> Dependencies | None:
        """Return which steps wait for which."""
        return self._dependencies

    @depidx.setter
    def depidx(self, matrix: Any) -> None:
        self._dependencies = None if matrix is None else Dependencies(matrix)

    def run(self, graph: Any, config: Any, updatehash: bool = False) -> None:
        """Run the steps of a graph."""
        gc.collect()
        gc.freeze()
        try:
            super().run(graph, config, updatehash=updatehash)
        finally:
            gc.unfreeze()

    def _submit_job(self, node: Any, updatehash: bool = False) -> int:
        try:
            task = int(super()._submit_job(node, updatehash=updatehash))
        except BrokenProcessPool as error:
            results = {job: self._taskresult.get(task) for task, job in self.pending_tasks}
            lost = [self.procs[job] for job, known in results.items() if not known or known['traceback']]
            said = self._how_it_broke()
            for step in lost or [node]:  # an idle worker may be killed too, and then this step cannot begin
                self._report_crash(step, result={'result': None, 'traceback': [f'StoppedError: {said}']})
            raise StoppedError(f'{said} Steps that were not begun are left; run again to resume.') from error
        future = self._task_obj[task]
        if future.done() and task not in self._taskresult:
            # it failed before Nipype noted whose it is, and the run would wait for it forever
            self._async_callback(future)
        return task

    def _async_callback(self, args: 'Future[Any]') -> None:
        error = args.exception()
        if error is None:
            super()._async_callback(args)
            return
        # the pool is broken, and every task without a result lost with it; or a step's result could not be kept
        for taskid, future in list(self._task_obj.items()):
            if future is args and taskid not in self._taskresult:
                is_broken = isinstance(error, BrokenProcessPool)
                said = (
                    [f'StoppedError: {self._how_it_broke(taskid)}'] if is_broken else format_exception(error)
                )
                self._taskresult[taskid] = {'taskid': taskid, 'result': None, 'traceback': said}

    def _how_it_broke(self, taskid: int | None = None) -> str:
        """Say why a worker process ended, and what the step that it ran was thought to need."""
        planned = [self.procs[job].mem_gb for task, job in self.pending_tasks if task == taskid]
        processes = list((getattr(self.pool, '_processes', None) or {}).values())
        end = time.monotonic() + _GRACE
        # a process closes its files first, which is what breaks the pool, and can then be asked how it ended
        while all(process.exitcode is None for process in processes) and time.monotonic() < end:
            time.sleep(0.01)
        codes = [process.exitcode for process in processes]
        return how_it_was_killed(codes, planned[0] if planned else None)


class SizedSLURM(_Watching, SLURMPlugin):
    """Ask Slurm for what each step needs, ask about all jobs at once, and say how a lost job ended.

    Parameters
    ----------
    plugin_args
        Those of Nipype's SLURM, and ``n_threads``: the threads of a step.

    """

    def __init__(self, plugin_args: dict[str, Any]) -> None:
        super().__init__(plugin_args=plugin_args)
        self._n_threads = int(plugin_args.get('n_threads', 1))
        self._listed: set[int] | None = None
        self._asked = self._moved = 0.0

    def _submit_batchtask(self, scriptfile: str, node: Any) -> int:
        own = node.plugin_args.get('sbatch_args', '')
        wanted = request(f'{self._sbatch_args or ""} {own}', node.mem_gb, max(node.n_procs, self._n_threads))
        node.plugin_args = {**node.plugin_args, 'sbatch_args': f'{own} {wanted}'.strip()}
        job = int(super()._submit_batchtask(scriptfile, node))
        SUBMITTED.add(job)
        self._listed = None  # the last answer does not know this job
        self._moved = time.monotonic()
        return job

    def _is_pending(self, taskid: int) -> bool:
        now = time.monotonic()
        if self._listed is None or now - self._asked > pause(now - self._moved):
            before, self._listed, self._asked = self._listed, waiting_jobs(self._listed), now
            self._moved = self._moved if self._listed == before else now
        return self._listed is None or taskid in self._listed

    def _get_result(self, taskid: int) -> Any:
        folder = self._pending.get(taskid)
        result = super()._get_result(taskid)
        if result and result['traceback'] and 'results file does not exist' in ''.join(result['traceback']):
            result['traceback'] = [f'StoppedError: {how_it_ended(taskid)} Its folder is {folder}.']
        return result

    def _clear_task(self, taskid: int) -> None:
        SUBMITTED.discard(taskid)
        super()._clear_task(taskid)


def how_it_was_killed(codes: Iterable[int | None], planned_gb: float | None = None) -> str:
    """Say why a worker process was lost, from the exit codes of all.

    Examples
    --------
    >>> how_it_was_killed([None, -7]).split(':')[0]
    'the scratch disk (--work-dir) is full'
    >>> how_it_was_killed([-9]).split('.')[0]
    'a worker process was killed; most often memory ran out'

    """
    for code in codes:
        if code and -code in _BROKEN:
            return f'{_BROKEN[signal.Signals(-code)]}, and run again to resume.'
    planned = f' (this step was planned with {planned_gb:.1f} GB)' if planned_gb else ''
    return f'a worker process was killed; most often memory ran out{planned}. {more_memory()}'


def pause(still: float) -> float:
    """Return s between two questions to Slurm where no job began or ended for ``still`` s.

    Short steps are not kept waiting, and a controller that serves many is not asked without need.

    Examples
    --------
    >>> pause(0.5), pause(40), pause(3600)
    (1.0, 4.0, 15.0)

    """
    return min(_LATEST, max(_SOONEST, still / 10))


def request(arguments: str, mem_gb: float, n_procs: int) -> str:
    """Return what to ask of sbatch for a step, unless the user's arguments say it already.

    Examples
    --------
    >>> request('--partition=long', 1.4, 1)
    '--mem=2048M --cpus-per-task=1'
    >>> request('--mem-per-cpu=4G -c2', 1.4, 1)
    ''

    """
    words = shlex.split(arguments)
    megabytes = math.ceil(1024 * (mem_gb + _PROGRAM_GB))
    memory = '' if any(word.startswith('--mem') for word in words) else f'--mem={megabytes}M'
    is_said = any(re.match(r'-c|--cpus-per-task', word) for word in words)
    return f'{memory} {"" if is_said else f"--cpus-per-task={n_procs}"}'.strip()


def waiting_jobs(before: set[int] | None) -> set[int] | None:
    """Return the user's jobs that wait or run; ``before`` when Slurm cannot answer now."""
    try:
        asked = subprocess.run(
            ['squeue', '--noheader', '--me', '--format=%A'], capture_output=True, text=True, timeout=60
        )
    except subprocess.TimeoutExpired:
        return before
    if asked.returncode and any(word in asked.stderr for word in _TRANSIENT):
        return before
    if asked.returncode:
        raise StoppedError(f'squeue failed: {asked.stderr.strip()}. Run again to resume.')
    return {int(word) for word in asked.stdout.split() if word.isdigit()}


def how_it_ended(job: int) -> str:
    """Say why a job left no result: its state in Slurm, and what to do."""
    try:
        asked = subprocess.run(
            ['scontrol', 'show', 'job', str(job)], capture_output=True, text=True, timeout=60
        )
        state = re.search(r'JobState=(\S+)', asked.stdout)
        output = re.search(r'StdOut=(\S+)', asked.stdout)
    except subprocess.TimeoutExpired:
        state = output = None
    word = state[1] if state else 'unknown'
    tail = Path(output[1]).read_text(errors='replace') if output and Path(output[1]).is_file() else ''
    said = tail.strip().splitlines()[-1:] or ['nothing']
    return (
        f'Slurm job {job} ended without a result, state {word}; it said last: {said[0]!r}. Give more with '
        'sbatch_args in the plugin file (--mem, --time) and run again to resume.'
    )
