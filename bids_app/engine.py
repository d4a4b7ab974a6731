"""Run a workflow with Nipype and say what failed, in the program's own terms."""

import logging
import os
import re
import signal
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from pipelines import errors
from pipelines.errors import ClbpeError, StoppedError

from .settings import Settings

_RAISED = re.compile(r'^\s*(?:[\w.]+\.)?(\w+(?:Error|Exception|Exit)\b): (.*)$', re.MULTILINE)


EVERYBODY = '?'
"""Label of a failure whose participant is not known."""


class Failure(NamedTuple):
    """A step that failed, and the file that says how."""

    label: str
    node: str
    message: str
    exit_code: int
    crash: Path | None = None

    def concerns(self, label: str) -> bool:
        """Return whether the results of a participant may lack something for it."""
        return self.label in (label, EVERYBODY)


_PRECEDENCE = (75, 73, 1, 65, 66)
"""Order in which one exit status is chosen when steps failed in different ways."""


def first_status(failures: Iterable[Failure]) -> int:
    """Return the exit status of a run with failures."""
    codes = {failure.exit_code for failure in failures}
    return next(code for code in (*_PRECEDENCE, *sorted(codes)) if code in codes)


def crash_folder(settings: Settings, run_id: str) -> Path:
    """Return where the crash files of a run are."""
    return settings.work_dir / 'crashes' / run_id


def configure(settings: Settings, run_id: str) -> None:
    """Set Nipype up for this run; call it before workflows are made."""
    from nipype import config
    from nipype import logging as nipype_logging

    config.update_config({
        'execution': {
            'poll_sleep_duration': '0.05',
            'crashdump_dir': str(crash_folder(settings, run_id)),
            'crashfile_format': 'txt',
            'hash_method': 'timestamp',
            'stop_on_first_crash': str(settings.stop_on_first_crash).lower(),
            'create_report': 'false',
        },
        'monitoring': {'enabled': str(settings.resource_monitor).lower()},
        'logging': {'workflow_level': 'INFO' if settings.verbosity else 'ERROR', 'interface_level': 'ERROR'},
    })  # fmt: skip
    nipype_logging.update_logging(config)
    if settings.resource_monitor:
        config.enable_resource_monitor()
    if not settings.verbosity:
        for name in ('nipype.workflow', 'nipype.interface', 'nipype.utils'):
            logging.getLogger(name).setLevel(logging.CRITICAL)


def execute(settings: Settings, workflow: Any, run_id: str, labels: list[str]) -> list[Failure]:
    """Run a workflow with progress; return what failed."""
    from nipype.interfaces.utility import IdentityInterface

    from .progress import Progress

    crashes = crash_folder(settings, run_id)
    nodes = [n for n in workflow._get_all_nodes() if not isinstance(n.interface, IdentityInterface)]
    with Progress(len(nodes)) as progress:
        try:
            _start(settings, workflow, progress)
        except StoppedError as error:
            stop_workers()
            lost = [Failure(label, 'workflow', str(error), error.exit_code) for label in labels]
            return read_crashes(crashes) or lost
        except Exception as error:
            if not crashes.is_dir():
                traceback.print_exc()
                return [Failure(label, 'workflow', f'{type(error).__name__}: {error}', 1) for label in labels]
    return read_crashes(crashes)


def stop_workers() -> None:
    """End the processes that still compute, so that the program ends now and not after them."""
    # not multiprocessing's list: it lacks a process that is being made at this moment
    for process in psutil.Process().children(recursive=True):
        process.kill()


@contextmanager
def stopped_by_signal() -> Iterator[None]:
    """End with status 75 when the user or a batch system asks to, while the context lasts.

    The handler leaves the process itself: an exception raised here may be swallowed by whatever the
    signal interrupts (a hook of ``fork``, for one).  Outputs are written in one step, so none is half.
    """
    main = os.getpid()

    def stop(number: int, _: object) -> None:
        if os.getpid() == main:  # workers inherit the handler
            stop_workers()
            name = signal.Signals(number).name
            os.write(2, f'clbpe: stopped by {name}; run the same command again to resume.\n'.encode())
        os._exit(StoppedError.exit_code)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(settings: Settings, workflow: Any, progress: Any) -> None:
    arguments: dict[str, Any] = {'status_callback': progress.on_status}
    if settings.plugin:
        arguments |= settings.plugin.get('plugin_args', {})
        workflow.run(plugin=settings.plugin['plugin'], plugin_args=arguments)
    elif settings.nprocs > 1:
        from .plugin import GuardedMultiProc

        arguments |= {
            'n_procs': settings.nprocs,
            'memory_gb': settings.memory_gb,
            'raise_insufficient': False,
        }
        workflow.run(plugin=GuardedMultiProc(plugin_args=arguments))
    else:
        workflow.run(plugin='Linear', plugin_args=arguments)


def read_crashes(crash_dir: Path) -> list[Failure]:
    """Return one failure per crash file, with the status of the error that was raised."""
    failures = []
    for path in sorted(crash_dir.glob('crash-*.txt')) if crash_dir.is_dir() else []:
        text = path.read_text(errors='replace')
        name = _node_of(text) or path.name
        label = re.search(r'sub_([A-Za-z0-9]+)_wf', name)
        raised = _RAISED.findall(text)
        kinds = [(getattr(errors, kind, None), message) for kind, message in raised]
        own = [
            (kind, message)
            for kind, message in kinds
            if isinstance(kind, type) and issubclass(kind, ClbpeError)
        ]
        message = own[0][1] if own else (raised[-1][1] if raised else 'see the crash file')
        code = own[0][0].exit_code if own else 1
        failures.append(Failure(label.group(1) if label else EVERYBODY, name, f'{message}', code, path))
    return failures


def _node_of(text: str) -> str:
    """Return the whole name of the node that crashed; a part of a MapNode tells it by its folder alone."""
    node = re.search(r'^Node: (\S+)', text, re.MULTILINE)
    folder = re.search(r'^Working directory: .*?/(clbpe_wf/.+)$', text, re.MULTILINE)
    if node and '.' not in node.group(1) and folder:
        return folder.group(1).strip().replace('/mapflow/', '/').replace('/', '.')
    return node.group(1) if node else ''
