"""Which step of which participant runs and how many are left: a bar on a terminal, lines in a log."""

import re
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from pipelines.interfaces._interface import PROGRESS

from ..settings import STEPS
from .taken import Taken, taken_by

_PATIENCE = 60.0  # s between two lines of a log on one step
_ENTITIES = ('sub', 'ses', 'task', 'acq', 'ce', 'rec', 'dir', 'run', 'echo')
_UNSAID = ('wf', 'group', 'anatomical', 'scans', 'session', 'preprocessed', 'figures')
"""Words of workflows that tell a user nothing."""
_AGAIN = 2.0  # s between two looks at what the steps that run have written


@dataclass
class _Running:
    """A step that has begun: its folder, when it began and when a line last told of it, s."""

    folder: Path
    began: float
    shown: float


class Progress:
    """Counts nodes as they finish; give :meth:`on_status` to Nipype as ``status_callback``."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self.total, self.done = total, 0
        self.stream = stream or sys.stdout
        self.failed: list[str] = []
        self._running: dict[str, _Running] = {}
        self.taken: list[Taken] = []
        self._since = time.time()
        self._looked = 0.0
        self._bar: Any = None
        if self.stream.isatty():
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            columns = (
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn('{task.description}'),
            )
            self._bar = Bar(*columns)
            self._task = self._bar.add_task('starting', total=total)

    def __enter__(self) -> 'Progress':
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar:
            self._bar.stop()

    # Nipype copies nodes, and sends them to workers, together with whom they report to

    def __deepcopy__(self, memo: object) -> 'Progress':
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_status(self, node: Any, status: str, result: Any = None) -> None:
        """Take a node's change of state: ``start``, ``end`` or ``exception``."""
        part = re.fullmatch(r'_(\w+?)(\d+)', str(node.name))
        name = (
            part_name(str(node.base_dir), int(part[2]))
            if part
            else step_name(str(node.fullname or node.name))
        )
        if status == 'start':
            now = time.monotonic()
            self._running[name] = _Running(Path(node.output_dir()), now, now)
            self._show(name, 'running')
            return
        self.done += not part  # parts of a step are not in the total
        if status == 'exception':
            self.failed.append(name)
        elif (taken := taken_by(node, name, self._since)) is not None:
            self.taken.append(taken)
        state = 'FAILED' if status == 'exception' else 'done'
        step = self._running.pop(name, None)  # steps run in this process never report a start
        self._show(name, f'{state} in {time.monotonic() - step.began:.0f} s' if step else state)

    def say(self, text: str) -> None:
        """Write how many steps there are and how they are run."""
        if not self._bar:
            print(f'{self.total} steps, {text}', file=self.stream, flush=True)

    def look(self) -> None:
        """Show how far long steps are, as they write it themselves; call it often."""
        now = time.monotonic()
        if now - self._looked < _AGAIN:
            return
        self._looked = now
        for name, step in self._running.items():
            if self._bar or now - step.shown >= _PATIENCE:
                with suppress(OSError):
                    self._show(name, (step.folder / PROGRESS).read_text())
                    step.shown = now

    def _show(self, name: str, state: str) -> None:
        if self._bar:
            self._bar.update(self._task, completed=self.done, description=f'{name} {state}')
        else:
            print(f'[{min(self.done, self.total)}/{self.total}] {name} {state}', file=self.stream, flush=True)


def part_name(folder: str, number: int) -> str:
    """Return the name of one part of a step, which Nipype knows by its folder only.

    Examples
    --------
    >>> part_name('/scratch/clbpe_wf/sub_01_wf/task_rest_wf/functional_wf/motion/mapflow', 2)
    'sub-01 task-rest functional: motion, part 3'

    """
    parts = folder.split('/')
    inside = parts[parts.index(STEPS) :] if STEPS in parts else parts[-2:]
    return f'{step_name(".".join(part for part in inside if part != "mapflow"))}, part {number + 1}'


def step_name(fullname: str) -> str:
    """Return a node's name for people.

    Examples
    --------
    >>> step_name('clbpe_wf.sub_01_wf.ses_pre_task_rest_wf.connectivity_wf.clean')
    'sub-01 ses-pre task-rest connectivity: clean'
    >>> step_name('clbpe_wf.sub_01_wf.dwi_ses_pre_scans_wf.prepare')
    'sub-01 dwi ses-pre: prepare'
    >>> step_name('clbpe_wf.group_wf.voxelwise_wf.test')
    'voxelwise: test'

    """
    *workflows, node = fullname.split('.')[-1:] if '.' not in fullname else fullname.split('.')[1:]
    words = [word for workflow in workflows for word in workflow.split('_') if word not in _UNSAID]
    rest = iter(words)
    where = [f'{word}-{next(rest, "")}' if word in _ENTITIES else word for word in rest]
    told = ' '.join(dict.fromkeys(word for word in where if not word.isdigit()))
    step = node.replace('_', ' ')
    return f'{told}: {step}' if told else step
