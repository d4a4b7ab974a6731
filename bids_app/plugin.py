"""Nipype's MultiProc with a guard: a worker that is killed ends the run instead of hanging it."""

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from nipype.pipeline.plugins.multiproc import MultiProcPlugin

from pipelines.errors import StoppedError

_KILLED = 'a worker process was killed; most often memory ran out. Give more with --mem, or use --low-mem'


class GuardedMultiProc(MultiProcPlugin):
    """Turn the loss of a worker process into a failure of its node that says so."""

    def _submit_job(self, node: Any, updatehash: bool = False) -> int:
        try:
            return int(super()._submit_job(node, updatehash=updatehash))
        except BrokenProcessPool as error:
            raise StoppedError(
                f'{_KILLED}. Steps that were not begun are left; run again to resume.'
            ) from error

    def _async_callback(self, args: 'Future[Any]') -> None:
        error = args.exception()
        if error is None:
            super()._async_callback(args)
            return
        # the pool is broken: every task without a result is lost with it
        for taskid, future in list(self._task_obj.items()):
            if future is args and taskid not in self._taskresult:
                message = f'StoppedError: {_KILLED}.'
                self._taskresult[taskid] = {'taskid': taskid, 'result': None, 'traceback': [message]}
