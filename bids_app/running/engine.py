"""Run a workflow with Nipype and say what failed, in the program's own terms."""

import getpass
import logging
import os
import re
import resource
import shutil
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from pipelines.errors import ParameterError, StoppedError

from ..folders import close_steps
from ..settings import STEPS, Settings, label_of_steps
from .faults import chain_of, cut_short, judge, raised_in, write_crash
from .jobs import cancel_jobs
from .taken import add_taken

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


_TOLD_AS = {signal.SIGXCPU: 'the limit of its processor time (ulimit -t)'}

_PRECEDENCE = (75, 73, 1, 65, 66)
"""Order in which one exit status is chosen when steps failed in different ways."""


def first_status(failures: Iterable[Failure]) -> int:
    """Return the exit status of a run with failures."""
    codes = {failure.exit_code for failure in failures}
    return next(code for code in (*_PRECEDENCE, *sorted(codes)) if code in codes)


def crash_folder(settings: Settings, run_id: str) -> Path:
    """Return where the crash files of a run are."""
    return settings.work_dir / 'crashes' / run_id


_SUBMITTERS = {'SLURMGraph': 'SLURM', 'PBSGraph': 'PBS', 'SGEGraph': 'SGE'}
"""Plugins that submit all steps, leave, and report success whatever happens, and those that wait."""

_SUBMIT_COMMANDS = {'SLURM': 'sbatch', 'PBS': 'qsub', 'SGE': 'qsub', 'LSF': 'bsub', 'OAR': 'oarsub'}


def plugin_name(settings: Settings) -> str:
    """Return Nipype's name of what runs the steps.

    Raises
    ------
    ParameterError
        The plugin file names no plugin, or one that cannot work here.

    """
    from nipype.pipeline import plugins

    if not settings.plugin:
        return 'MultiProc'
    asked = str(settings.plugin.get('plugin', ''))
    name = _SUBMITTERS.get(asked, 'MultiProc' if asked == 'LegacyMultiProc' else asked)
    known = sorted(word.removesuffix('Plugin') for word in dir(plugins) if word.endswith('Plugin'))
    if name not in known:
        raise ParameterError(
            f'--use-plugin: plugin {asked!r} is unknown. Write for example {{plugin: SLURM}}; '
            f'known are {", ".join(known)}.'
        )
    if name in _SUBMIT_COMMANDS and not shutil.which(_SUBMIT_COMMANDS[name]):
        raise ParameterError(
            f'--use-plugin: {name} needs the command {_SUBMIT_COMMANDS[name]}, which is not here. Start clbpe on a '
            'machine that submits jobs, and not inside a container.'
        )
    if name != asked:
        logging.getLogger(__name__).warning('plugin %s: %s is used, which waits for the steps', asked, name)
    return name


def configure(settings: Settings, run_id: str) -> None:
    """Set Nipype up for this run; call it before workflows are made.

    Raises
    ------
    ParameterError
        The plugin cannot work here.

    """
    from nipype import config
    from nipype import logging as nipype_logging

    close_steps(settings.work_dir)
    is_batch = plugin_name(settings) in _SUBMIT_COMMANDS
    # plugins name jobs after the user, whom a container may not know
    try:
        os.environ.setdefault('LOGNAME', getpass.getuser())
    except (KeyError, OSError):
        os.environ['LOGNAME'] = f'uid{os.getuid()}'
    config.update_config({
        'execution': {
            'poll_sleep_duration': '0.5' if is_batch else '0.05',
            'job_finished_timeout': '10',
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
        except Exception as error:
            failures = read_crashes(crashes, settings)
            # Nipype tells of steps that failed by an exception as well, when all the others are done
            if not failures or isinstance(error, OSError | MemoryError | StoppedError):
                stop_workers()
                failures = failures or _lost(error, settings, labels)
            return failures
        finally:
            cancel_jobs()
            add_taken(settings.output_dir, run_id, progress.taken)
    return read_crashes(crashes, settings)


def _lost(error: Exception, settings: Settings, labels: list[str]) -> list[Failure]:
    """Return the failure of everybody, where the program itself could not go on."""
    fault = judge(chain_of(error), settings)
    crash = write_crash(error, settings.command, settings) if fault.exit_code == 1 else None
    return [Failure(label, 'workflow', fault.message, fault.exit_code, crash) for label in labels]


def stop_workers() -> None:
    """End the processes and jobs that still compute, so that the program ends now and not after them."""
    cancel_jobs()
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
            name = _TOLD_AS.get(signal.Signals(number), signal.Signals(number).name)
            os.write(2, f'clbpe: stopped by {name}; run the same command again to resume.\n'.encode())
        os._exit(StoppedError.exit_code)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _leave_time_to_say_so()
    before = {
        number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGXCPU)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_time_to_say_so() -> None:
    """Have the signal of too much processor time come before the kill: ``ulimit -t`` sets both to the same second."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard > 1 and soft in (hard, resource.RLIM_INFINITY) and hard != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_CPU, (hard - 1, hard))


def _start(settings: Settings, workflow: Any, progress: Any) -> None:
    from .plugin import GuardedMultiProc, SizedSLURM

    name = plugin_name(settings)
    given = (settings.plugin or {}).get('plugin_args') or {}
    arguments: dict[str, Any] = {'status_callback': progress.on_status}
    if name == 'MultiProc':
        # one process at a time is a worker too: the kernel ends it for memory, and the program can say so
        arguments |= {
            'n_procs': settings.nprocs,
            'memory_gb': settings.memory_gb,
            'raise_insufficient': False,
            **given,
        }
        progress.say(
            f'at most {arguments["n_procs"]} at a time, in {arguments["memory_gb"]:.1f} GB of memory'
        )
        workflow.run(plugin=GuardedMultiProc(plugin_args=arguments))
        return
    keep_brief_steps(workflow)
    progress.say(f'run by {name}')
    if name == 'SLURM':
        workflow.run(plugin=SizedSLURM({'n_threads': settings.omp_nthreads, **given, **arguments}))
        return
    workflow.run(plugin=name, plugin_args={**given, **arguments})


def keep_brief_steps(workflow: Any) -> None:
    """Have the steps that take less time than the start of a job run in this process, and those of some seconds in one."""
    from nipype.pipeline.engine import MapNode

    for node in workflow._get_all_nodes():
        if getattr(node.interface, 'is_brief', False):
            node.run_without_submitting = True
        elif isinstance(node, MapNode) and getattr(node.interface, 'is_short', False):
            node._serial = True


def read_crashes(crash_dir: Path, settings: Settings) -> list[Failure]:
    """Return one failure per crash file, with the status of the error that was raised."""
    failures = []
    for path in sorted(crash_dir.glob('crash-*.txt')) if crash_dir.is_dir() else []:
        text = path.read_text(errors='replace')
        name = _node_of(text) or path.name
        label = label_of_steps(name) or EVERYBODY
        raised = raised_in(text)
        # a crash file that ends before the error met the full disk that it was to tell of
        is_whole = bool(raised) or 'Traceback' in text
        fault = judge(raised, settings) if is_whole else cut_short(settings)
        failures.append(Failure(label, name, *fault, path))
    return failures


def _node_of(text: str) -> str:
    """Return the whole name of the node that crashed; a part of a MapNode tells it by its folder alone."""
    node = re.search(r'^Node: (\S+)', text, re.MULTILINE)
    folder = re.search(rf'^Working directory: .*?/({STEPS}/.+)$', text, re.MULTILINE)
    if node and '.' not in node.group(1) and folder:
        return folder.group(1).strip().replace('/mapflow/', '/').replace('/', '.')
    return node.group(1) if node else ''
