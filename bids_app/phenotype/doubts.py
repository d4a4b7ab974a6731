"""Ask about values that nothing declares to be right: they are used as they stand, and named."""

from collections.abc import Iterable, Sequence
from itertools import compress
from typing import NamedTuple

from pipelines.stats.outlying import N_DEVIATIONS, far_out, missing_codes

from ..tables.problems import Problems
from .layouts import Cell

_FEW = 6
"""Different whole numbers from which on a covariate is taken for a number without a question."""


class Reading(NamedTuple):
    """A number as it is written; ``has_low`` and ``has_high``: a range says how far down or up it may go."""

    cell: Cell
    number: float
    has_low: bool
    has_high: bool


def tell_doubts(readings: Sequence[Reading], problems: Problems, *, outcome: str, on_log: bool) -> None:
    """Add numbers that look like codes for missing ones, and those far from the others of their visit.

    Parameters
    ----------
    readings
        The numbers of a column at all visits, in one unit.
    problems
        What is found is added to them as a warning, where no range is declared on that side.
    outcome
        Which outcome they are of, empty for a covariate.
    on_log
        Whether they are counts or concentrations.

    """
    declare = 'declare Minimum and Maximum in its JSON file'
    declare += ' or Range in the trial file' if outcome else ''
    marks = missing_codes([reading.number for reading in readings])
    codes, kept = list(compress(readings, marks)), list(compress(readings, ~marks))
    numbers = sorted(reading.number for reading in kept)
    for reading in codes:
        if not _is_declared(reading, numbers):
            problems.warn(
                reading.cell.table, f'looks like a code for missing: others are {numbers[0]:g} to {numbers[-1]:g}',
                f'used as it is; write n/a where it is one, else {declare}',
                **reading.cell.where(), outcome=outcome, value=reading.cell.text,
            )  # fmt: skip
    for own in _by_visit(kept):
        numbers = sorted(reading.number for reading in own)
        far = far_out([reading.number for reading in own], on_log=on_log and numbers[0] >= 0)
        for reading in compress(own, far):
            if not _is_declared(reading, numbers):
                problems.warn(
                    reading.cell.table, f'is further than {N_DEVIATIONS} robust SD from the others of its visit',
                    f'used as it is; correct it, or {declare}',
                    **reading.cell.where(), outcome=outcome, value=reading.cell.text,
                )  # fmt: skip


def _is_declared(reading: Reading, numbers: Sequence[float]) -> bool:
    """Return whether a range allows the number on its side of the others, given in order."""
    is_low = reading.number < numbers[len(numbers) // 2]
    return reading.has_low if is_low else reading.has_high


def _by_visit(readings: Iterable[Reading]) -> Iterable[list[Reading]]:
    found: dict[str, list[Reading]] = {}
    for reading in readings:
        found.setdefault(reading.cell.key.name, []).append(reading)
    return found.values()


def ask_for_kind(cells: Sequence[Cell], problems: Problems) -> None:
    """Ask whether a covariate in a few whole numbers, about which nothing is declared, is a category."""
    given = [cell for cell in cells if not cell.is_missing]
    levels = sorted({cell.text for cell in given}, key=lambda text: (len(text), text))
    about = given[0].entry if given else {}
    is_declared = any(key in about for key in ('Levels', 'Units', 'Format', 'Minimum', 'Maximum'))
    is_few = 1 < len(levels) < min(_FEW, len(given))
    if is_few and not is_declared and all(text.lstrip('-').isdecimal() for text in levels):
        problems.warn(
            given[0].table, f'has {len(levels)} values, {", ".join(levels)}: a number or a category?',
            'taken for a number; give Levels in its JSON file or name it in Categories of the trial file if it '
            'is a category, else Units', column=given[0].column,
        )  # fmt: skip
