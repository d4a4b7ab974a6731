"""Values of an outcome at its visits, from a column or from items, with what they were read from."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..tables.problems import Problems
from .keys import Key, visit_keys
from .layouts import Cell, Reader
from .levels import read_values
from .parts import TableOutcome, Trial
from .values import Quantity, Value, read_numbers
from .visits import check_visits, summarise, tell_left_out, tell_other_visits

OUTCOME_COLUMNS = (
    'participant_id', 'session_id', 'visit', 'outcome', 'value', 'exposure', 'flags', 'table', 'row', 'column',
)  # fmt: skip

_Place = tuple[str, str]
"""Participant and name of a visit."""
_Measured = tuple[Value, Cell]

_WHY = {
    'items_missing': 'no total: too many items missing',
    'no_exposure': 'no time at risk, which a count needs',
}


def read_outcome(
    reader: Reader, trial: Trial, outcome: TableOutcome, arms: Mapping[str, str]
) -> list[tuple[Any, ...]]:
    """Return one row per participant and visit of the outcome, empty where it cannot be read."""
    every = visit_keys(trial.visits)
    keys = [key for key in every if key.name in outcome.visits]
    columns = [*([outcome.column] if outcome.column else []), *outcome.items]
    sources = reader.find(outcome.table, columns, keys, is_default=trial.is_default, outcome=outcome.name)
    if not sources:
        return []
    total = reader.cells(sources, outcome.column, keys) if outcome.column else []
    found = {
        (cell.participant_id, cell.key.name): (value, cell)
        for cell, value in zip(total, read_values(total, outcome, reader.problems))
    }
    items = _items(reader, outcome, sources, keys)
    for place, scored in _totals(reader, outcome, items).items():
        given = found.get(place)
        if given is None or given[1].is_missing:
            found[place] = scored
        elif not math.isnan(scored[0].number) and 'prorated' not in scored[0].flags:
            _compare(reader.problems, outcome, given, scored[0].number)
    used = [cell for _, cell in found.values()]
    summarise(reader, sources, used, keys, outcome=outcome.name)
    tell_other_visits(reader.problems, sources, columns, every, outcome=outcome.name)
    left_out = [key for key in every if key not in keys]
    tell_left_out(reader.problems, sources, columns, left_out, outcome=outcome.name)
    check_visits(
        reader.problems, outcome.table, used, keys, is_default=trial.is_default, outcome=outcome.name
    )
    times = _exposures(reader, outcome, sources, keys)
    return [
        _row(reader.problems, outcome, pid, key, _at_risk(outcome, found, times, (pid, key.name)))
        for pid in arms
        for key in keys
    ]


def _exposures(
    reader: Reader, outcome: TableOutcome, sources: Sequence[Any], keys: Sequence[Key]
) -> dict[_Place, float]:
    """Return the times at risk, one column for all visits where the table has no other."""
    if outcome.exposure is None:
        return {}
    if not reader.has_column(sources, outcome.exposure, keys, plain=True):
        reader.explain_absence(outcome.table, outcome.exposure, sources, keys, plain=True)
    cells = reader.cells(sources, outcome.exposure, keys, plain=True)
    numbers = read_numbers(cells, Quantity(outcome=outcome.name, low=0), reader.problems)
    return {
        (cell.participant_id, cell.key.name): value.number
        for cell, value in zip(cells, numbers)
        if value.number > 0
    }


def _at_risk(
    outcome: TableOutcome, found: Mapping[_Place, _Measured], times: Mapping[_Place, float], place: _Place
) -> tuple[Value, Cell, float] | None:
    """Return a value with its time at risk; a count of no time is missing."""
    if place not in found:
        return None
    value, cell = found[place]
    time = times.get(place, math.nan)
    if outcome.exposure is not None and math.isnan(time) and not math.isnan(value.number):
        value = Value(math.nan, (*value.flags, 'no_exposure'))
    return value, cell, time


def _row(
    problems: Problems, outcome: TableOutcome, pid: str, key: Key, found: tuple[Value, Cell, float] | None
) -> tuple[Any, ...]:
    where = {'session_id': key.session_id, 'outcome': outcome.name, 'participant_id': pid}
    if found is None:
        problems.missing(outcome.table, 'no row', **where)
        return (pid, key.session_id, key.name, outcome.name, math.nan, math.nan, '', 'n/a', None, 'n/a')
    value, cell, time = found
    if math.isnan(value.number) and 'out_of_range' not in value.flags:
        problem = next((words for flag, words in _WHY.items() if flag in value.flags), 'no value')
        problems.missing(cell.table, problem, column=cell.column, row=cell.row, value=cell.text, **where)
    flags = ' '.join(value.flags)
    return (
        pid, key.session_id, key.name, outcome.name, value.number, time, flags, cell.table, cell.row, cell.column,
    )  # fmt: skip


def _items(
    reader: Reader, outcome: TableOutcome, sources: Sequence[Any], keys: Sequence[Key]
) -> list[list[Cell]]:
    """Return the cells of each item, none unless all items have a column."""
    absent = [item for item in outcome.items if not reader.has_column(sources, item, keys)]
    if not absent:
        return [reader.cells(sources, item, keys) for item in outcome.items]
    has_total = outcome.column is not None and reader.has_column(sources, outcome.column, keys)
    if not has_total:
        for item in absent:
            reader.explain_absence(outcome.table, item, sources, keys)
    elif len(absent) < len(outcome.items):
        reader.problems.warn(
            outcome.table, f'has some items but not {", ".join(absent)}', 'items not used, only the total',
            outcome=outcome.name,
        )  # fmt: skip
    return []


def _totals(
    reader: Reader, outcome: TableOutcome, items: Sequence[Sequence[Cell]]
) -> dict[_Place, _Measured]:
    """Return the sums of items, each with the cell of its first item.

    Notes
    -----
    A total over n items of which m are answered is n times their mean, the share of the score that
    was possible: of the Oswestry index 16 over nine sections is 16/45 [1]_.  More than
    ``max_missing_items`` missing leave no total; the paper gives no such limit.

    References
    ----------
    .. [1] Fairbank JCT, Pynsent PB. The Oswestry Disability Index. Spine 2000;25:2940-2953.

    """
    measure = Quantity(outcome=outcome.name, low=outcome.item_low, high=outcome.item_high)
    answers: dict[tuple[str, str], list[tuple[Value, Cell]]] = {}
    for cells in items:
        for cell, value in zip(cells, read_numbers(cells, measure, reader.problems)):
            answers.setdefault((cell.participant_id, cell.key.name), []).append((value, cell))
    found = {}
    for place, given in answers.items():
        numbers = [value.number for value, _ in given if not math.isnan(value.number)]
        lacking = len(items) - len(numbers)
        flags = tuple(dict.fromkeys(flag for value, _ in given for flag in value.flags))
        if lacking > outcome.max_missing_items:
            found[place] = (Value(math.nan, (*flags, 'items_missing')), given[0][1])
        else:
            total = math.fsum(numbers) * len(items) / len(numbers)
            found[place] = (Value(total, (*flags, 'prorated') if lacking else flags), given[0][1])
    return found


def _compare(problems: Problems, outcome: TableOutcome, given: tuple[Value, Cell], total: float) -> None:
    value, cell = given
    if not math.isnan(value.number) and abs(value.number - total) > 1e-6 * max(1, abs(total)):
        problems.warn(
            cell.table, f'is not the sum of its items, {total:g}', 'the column is used; check both',
            **cell.where(), outcome=outcome.name, value=cell.text,
        )  # fmt: skip
