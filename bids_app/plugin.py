"""Nipype's MultiProc with a guard: a worker that is killed ends the run instead of hanging it."""

from concurrent.futures import Future
from typing import Any

from nipype.pipeline.plugins.multiproc import MultiProcPlugin


class GuardedMultiProc(MultiProcPlugin):
    """Turn the loss of a worker process into a failure of its node that says so."""

    def _submit_job(self, node: Any, updatehash: bool = False) -> int:
        self._submitted = node.fullname
        return int(super()._submit_job(node, updatehash=updatehash))

    def _async_callback(self, args: 'Future[Any]') -> None:
        error = args.exception()
        if error is None:
            super()._async_callback(args)
            return
        # the pool is broken: every task without a result is lost with it
        for taskid, future in list(self._task_obj.items()):
            if future is args and taskid not in self._taskresult:
                message = f'StoppedError: a worker process was killed ({error}); most often memory ran out.'
                self._taskresult[taskid] = {'taskid': taskid, 'result': None, 'traceback': [message]}
