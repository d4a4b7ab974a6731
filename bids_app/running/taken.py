"""What the steps of runs took, of time and memory, beside what was planned for: ``logs/resources.tsv``."""

import csv
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.interfaces._measure import resources_file

from ..settings import label_of_steps
from .lock import lock_file

FILE = Path('logs') / 'resources.tsv'


OF_NOBODY = 'n/a'
"""Whose the steps of the group are."""


class Taken(NamedTuple):
    """A step: s, and GB.

    ``peak_gb`` is the most its process held, ``held_gb`` what it had before (the interpreter and its libraries),
    ``estimate_gb`` what the step was planned with.
    """

    participant_id: str
    step: str
    seconds: float
    peak_gb: float | None
    held_gb: float | None
    estimate_gb: float


def taken_by(node: Any, name: str, since: float) -> Taken | None:
    """Return what a step took that ended just now; None for one that was done before ``since`` or tells nothing."""
    path = resources_file(Path(node.output_dir()))
    try:
        if path.stat().st_mtime < since - 1:  # file systems round times
            return None
        found = json.loads(path.read_text())
        took = found['seconds'], found['peak_gb'], found['held_gb']
    except (OSError, ValueError, KeyError, TypeError):
        return None
    label = label_of_steps(f'{node.fullname or ""} {path}')
    return Taken(f'sub-{label}' if label else OF_NOBODY, name, *took, node.mem_gb)


def add_taken(output_dir: Path, run_id: str, steps: Sequence[Taken]) -> None:
    """Add the steps of a run to the table of the dataset; runs side by side each add theirs.

    A disk that is full has been told of already, and results count without this table.
    """
    path = output_dir / FILE
    if not steps:
        return
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with lock_file(path.with_name('lock')), path.open('a', encoding='utf-8', newline='') as file:
            writer = csv.writer(file, delimiter='\t', lineterminator='\n')
            if not file.tell():
                writer.writerow(['run', *Taken._fields])
            writer.writerows([run_id, *map(_cell, step)] for step in steps)


def _cell(value: Any) -> str:
    return 'n/a' if value is None else f'{value:.3f}' if isinstance(value, float) else str(value)


def read_taken(output_dir: Path, participant_id: str) -> list[Taken]:
    """Return the steps of a participant, or of the group (:data:`OF_NOBODY`), each as it ran last; longest first."""
    try:
        with (output_dir / FILE).open(encoding='utf-8', newline='') as file:
            rows = [
                row for row in csv.DictReader(file, delimiter='\t') if row['participant_id'] == participant_id
            ]
        last = {row['step']: _of_row(row) for row in rows}
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return sorted(last.values(), key=lambda step: -step.seconds)


def _of_row(row: dict[str, str]) -> Taken:
    peak, held = (None if row[name] == 'n/a' else float(row[name]) for name in ('peak_gb', 'held_gb'))
    return Taken(
        row['participant_id'], row['step'], float(row['seconds']), peak, held, float(row['estimate_gb'])
    )
