"""Biomarkers of samples, with their limits of detection."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from ..tables.problems import nearest
from .layouts import Cell, Key, Reader, Source
from .parts import Biomarker, Trial
from .values import Quantity, Value, read_numbers
from .visits import check_visits, summarise, tell_other_visits

# how laboratories and analysers write that a concentration is beyond a limit
_CENSORED = re.compile(r'(?:OOR\s*)?([<>])\s*(?:([0-9].*)|L?LOD|L?LOQ|ULOQ|ULOD)?', re.IGNORECASE)
_SIDES = {'<': 'left', '>': 'right'}

MARKER_COLUMNS = (
    'biomarker', 'participant_id', 'arm', 'sample', 'session_id', 'time', 'value', 'lower', 'upper', 'censored',
    'hemoglobin', 'hematocrit', 'flags', 'table', 'row',
)  # fmt: skip

Limits = dict[tuple[str, str], float]


def read_biomarkers(reader: Reader, trial: Trial, arms: Mapping[str, str]) -> pd.DataFrame | None:
    """Return one row per biomarker, participant and sample that is in a table, with limits of detection.

    None where the trial names no biomarker, or no table of one is there.

    Notes
    -----
    A value below its lower limit is left-censored, above its upper limit right-censored; a value at
    the limit is observed.  ``<2.5``, ``<LOD``, ``OOR <`` and their counterparts are censored without
    a value; a number behind the sign is the limit.  Zero is below any limit, negative is no
    concentration.

    """
    found = [_read(reader, trial, wanted, arms) for wanted in trial.biomarkers]
    rows = [row for rows in found if rows is not None for row in rows]
    if all(rows is None for rows in found):
        return None
    return pd.DataFrame(rows, columns=list(MARKER_COLUMNS))


def _read(
    reader: Reader, trial: Trial, wanted: Biomarker, arms: Mapping[str, str]
) -> list[tuple[object, ...]] | None:
    """Return the rows of a biomarker; None where its table is not there."""
    name = wanted.name
    keys = [Key(sample.name, sample.session_id, sample.time) for sample in wanted.samples]
    sources = reader.find(
        wanted.table, [wanted.column], keys, is_default=trial.is_default, outcome=name,
        time_column=wanted.time_column,
    )  # fmt: skip
    if not sources:
        return None
    _check_times(reader, sources, keys, wanted)
    cells = reader.cells(sources, wanted.column, keys)
    summarise(reader, sources, cells, keys, outcome=name)
    tell_other_visits(reader.problems, sources, [wanted.column], keys, outcome=name)
    check_visits(reader.problems, wanted.table, cells, keys, is_default=trial.is_default, outcome=name)
    measure = Quantity(outcome=name, units=wanted.units, low=0, on_log=True)
    sides = [_CENSORED.fullmatch(cell.text) for cell in cells]
    numbers = read_numbers(
        [cell._replace(text=side[2] or 'n/a') if side else cell for cell, side in zip(cells, sides)],
        measure, reader.problems,
    )  # fmt: skip
    places = _Places(reader, sources, cells, keys, name, trial.is_default)
    beside = {
        role: _beside(places, column, units)
        for role, column, units in (
            ('lower', wanted.lower_limit, wanted.units),
            ('upper', wanted.upper_limit, wanted.units),
            ('hemoglobin', wanted.hemoglobin, ''),
            ('hematocrit', wanted.hematocrit, ''),
        )
    }
    return [
        (name, *_row(places, cell, value, side[1] if side else '', beside, arms[cell.participant_id]))
        for cell, side, value in sorted(zip(cells, sides, numbers), key=lambda each: each[0].participant_id)
        if cell.participant_id in arms
    ]


def _check_times(reader: Reader, sources: Sequence[Source], keys: Sequence[Key], wanted: Biomarker) -> None:
    """Stop at times of a session that the trial does not have: they would never be found again."""
    for source in sources:
        for record in source.records if source.has_time else ():
            times = [key.time for key in keys if record.session_id in ('', key.session_id)]
            if times and record.time.casefold() not in map(str.casefold, times):
                reader.problems.stop(
                    source.table.name, 'no time of a sample in the trial file',
                    nearest(record.time, sorted(set(times))), column=wanted.time_column,
                    session_id=record.session_id, participant_id=record.participant_id,
                    row=record.row.number, value=record.time,
                )  # fmt: skip


class _Places(NamedTuple):
    """Where the values of a biomarker stand, for what stands beside them."""

    reader: Reader
    sources: Sequence[Source]
    values: Sequence[Cell]
    keys: Sequence[Key]
    name: str
    is_default: bool


def _beside(places: _Places, column: float | str | None, units: str) -> Limits:
    """Return what stands beside each value: a limit, a number for all, or a column of its own."""
    reader, sources, values, keys, name, is_default = places
    if not isinstance(column, str):
        fixed = math.nan if column is None else float(column)
        return {(cell.participant_id, cell.key.name): fixed for cell in values}
    cells = reader.cells(sources, column, keys, plain=True)
    if not values:
        return {}
    if not cells and is_default:
        reader.problems.warn(values[0].table, f'has no column {column}', 'none is assumed', column=column)
    elif not cells:
        reader.explain_absence(values[0].table, column, sources, keys, plain=True)
    # a limit whose unit is not declared has that of the values beside it
    declared = {'Units': values[0].entry['Units']} if units and 'Units' in values[0].entry else {}
    cells = [cell._replace(entry={**declared, **cell.entry}) for cell in cells]
    numbers = read_numbers(cells, Quantity(outcome=name, units=units, low=0), reader.problems)
    return {(c.participant_id, c.key.name): value.number for c, value in zip(cells, numbers)}


def _row(
    places: _Places, cell: Cell, value: Value, sign: str, beside: Mapping[str, Limits], arm: str
) -> tuple[object, ...]:
    problems, name = places.reader.problems, places.name
    place = (cell.participant_id, cell.key.name)
    lower, upper, hemoglobin, hematocrit = (found.get(place, math.nan) for found in beside.values())
    number, censored = value.number, _SIDES.get(sign, '')
    if censored == 'left' and not math.isnan(number):
        lower = number
    elif censored == 'right' and not math.isnan(number):
        upper = number
    elif not censored and number < lower:
        censored = 'left'
    elif not censored and number > upper:
        censored = 'right'
    if sign:
        number = math.nan
    limit = lower if censored == 'left' else upper
    if (censored and not limit > 0) or (number == 0 and not censored):
        problems.stop(
            cell.table, 'is beyond a limit that is not known',
            'Give LowerLimit and UpperLimit in the trial file, or write the limit, as <2.5',
            **cell.where(), outcome=name, value=cell.text,
        )  # fmt: skip
    if math.isnan(number) and not censored and 'out_of_range' not in value.flags:
        problems.missing(cell.table, 'no value', **cell.where(), outcome=name, value=cell.text)
    return (
        cell.participant_id, arm, cell.key.name, cell.key.session_id, cell.key.time, number, lower, upper,
        censored, hemoglobin, hematocrit, ' '.join(value.flags), cell.table, cell.row,
    )  # fmt: skip
