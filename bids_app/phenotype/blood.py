"""Blood samples: plasma BDNF with its limits of detection, and the table of sequenced samples."""

import math
import os
import re
from collections.abc import Mapping, Sequence

import pandas as pd

from pipelines.errors import DataError
from pipelines.interfaces.expression import read_sample_names

from ..tables.problems import nearest
from .layouts import Cell, Key, Reader, Source
from .people import covariate_values, read_column
from .trial import Bdnf, Expression, Trial
from .values import Quantity, Value, read_numbers
from .visits import check_visits, summarise, tell_other_visits

# how laboratories and analysers write that a concentration is beyond a limit
_CENSORED = re.compile(r'(?:OOR\s*)?([<>])\s*(?:([0-9].*)|L?LOD|L?LOQ|ULOQ|ULOD)?', re.IGNORECASE)
_SIDES = {'<': 'left', '>': 'right'}

BLOOD_COLUMNS = (
    'participant_id', 'arm', 'sample', 'session_id', 'time', 'value', 'lower', 'upper', 'censored',
    'hemoglobin', 'hematocrit', 'flags', 'table', 'row',
)  # fmt: skip

Limits = dict[tuple[str, str], float]


def read_bdnf(reader: Reader, trial: Trial, arms: Mapping[str, str]) -> pd.DataFrame | None:
    """Return one row per participant and sample that is in the table, with limits of detection.

    Notes
    -----
    A value below its lower limit is left-censored, above its upper limit right-censored; a value at
    the limit is observed.  ``<2.5``, ``<LOD``, ``OOR <`` and their counterparts are censored without
    a value; a number behind the sign is the limit.  Zero is below any limit, negative is no
    concentration.

    """
    wanted = trial.bdnf
    if wanted is None:
        return None
    keys = [Key(sample.name, sample.session_id, sample.time) for sample in wanted.samples]
    sources = reader.find(
        wanted.table, [wanted.column], keys, is_default=trial.is_default, outcome='bdnf',
        time_column=wanted.time_column,
    )  # fmt: skip
    if not sources:
        return None
    _check_times(reader, sources, keys, wanted)
    cells = reader.cells(sources, wanted.column, keys)
    summarise(reader, sources, cells, keys, outcome='bdnf')
    tell_other_visits(reader.problems, sources, [wanted.column], keys, outcome='bdnf')
    check_visits(reader.problems, wanted.table, cells, keys, is_default=trial.is_default, outcome='bdnf')
    measure = Quantity(outcome='bdnf', units=wanted.units, low=0, on_log=True)
    sides = [_CENSORED.fullmatch(cell.text) for cell in cells]
    numbers = read_numbers(
        [cell._replace(text=side[2] or 'n/a') if side else cell for cell, side in zip(cells, sides)],
        measure, reader.problems,
    )  # fmt: skip
    beside = {
        name: _beside(reader, sources, cells, keys, column, units, trial.is_default)
        for name, column, units in (
            ('lower', wanted.lower_limit, wanted.units),
            ('upper', wanted.upper_limit, wanted.units),
            ('hemoglobin', wanted.hemoglobin, ''),
            ('hematocrit', wanted.hematocrit, ''),
        )
    }
    rows = [
        _bdnf_row(reader, cell, value, side[1] if side else '', beside, arms[cell.participant_id])
        for cell, side, value in sorted(zip(cells, sides, numbers), key=lambda each: each[0].participant_id)
        if cell.participant_id in arms
    ]
    return pd.DataFrame(rows, columns=list(BLOOD_COLUMNS))


def _check_times(reader: Reader, sources: Sequence[Source], keys: Sequence[Key], wanted: Bdnf) -> None:
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


def _beside(
    reader: Reader,
    sources: Sequence[Source],
    values: Sequence[Cell],
    keys: Sequence[Key],
    column: float | str | None,
    units: str,
    is_default: bool,
) -> Limits:
    """Return what stands beside each value: a limit, a number for all, or a column of its own."""
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
    numbers = read_numbers(cells, Quantity(outcome='bdnf', units=units, low=0), reader.problems)
    return {(c.participant_id, c.key.name): value.number for c, value in zip(cells, numbers)}


def _bdnf_row(
    reader: Reader, cell: Cell, value: Value, sign: str, beside: Mapping[str, Limits], arm: str
) -> tuple[object, ...]:
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
        reader.problems.stop(
            cell.table, 'is beyond a limit that is not known',
            'Give LowerLimit and UpperLimit in the trial file, or write the limit, as <2.5',
            **cell.where(), outcome='bdnf', value=cell.text,
        )  # fmt: skip
    if math.isnan(number) and not censored and 'out_of_range' not in value.flags:
        reader.problems.missing(cell.table, 'no value', **cell.where(), outcome='bdnf', value=cell.text)
    return (
        cell.participant_id, arm, cell.key.name, cell.key.session_id, cell.key.time, number, lower, upper,
        censored, hemoglobin, hematocrit, ' '.join(value.flags), cell.table, cell.row,
    )  # fmt: skip


def read_expression(reader: Reader, trial: Trial, arms: Mapping[str, str]) -> pd.DataFrame | None:
    """Return ``participant_id arm visit session_id sample`` and covariates of the sequenced samples."""
    wanted = trial.expression
    if wanted is None:
        return None
    keys = [Key(visit.name, visit.session_id) for visit in wanted.visits]
    is_default = trial.is_default and not wanted.is_named
    has_counts = _has_counts(reader, wanted, is_default=is_default)
    sources = reader.find(
        wanted.samples, [wanted.sample_column], keys, is_default=is_default, outcome='expression'
    )
    if not sources or not has_counts:
        return None
    cells = [cell for cell in reader.cells(sources, wanted.sample_column, keys) if not cell.is_missing]
    summarise(reader, sources, cells, keys, outcome='expression')
    tell_other_visits(reader.problems, sources, [wanted.sample_column], keys, outcome='expression')
    check_visits(reader.problems, wanted.samples, cells, keys, is_default=is_default, outcome='expression')
    _refuse_shared_samples(reader, cells)
    _match_samples(reader, wanted, cells, sources)
    used = sorted(cell for cell in cells if cell.participant_id in arms)
    table = pd.DataFrame(
        [(c.participant_id, arms[c.participant_id], c.key.name, c.key.session_id, c.text) for c in used],
        columns=['participant_id', 'arm', 'visit', 'session_id', 'sample'],
    )
    for name in wanted.covariates:
        found = read_column(reader, wanted.samples, name, keys, is_default=is_default)
        values = covariate_values(found or [], reader.problems, is_category=name in trial.categories)
        table[name] = [values.get((c.participant_id, c.key.name)) for c in used]
    return table


def _has_counts(reader: Reader, wanted: Expression, *, is_default: bool) -> bool:
    if os.path.exists(reader.root / wanted.counts):
        return True
    if is_default:
        reader.problems.warn(wanted.counts, 'is absent', 'left out', outcome='expression')
    else:
        reader.problems.absent(
            wanted.counts, 'is absent', 'Correct Expression.Counts or add the file', outcome='expression'
        )
    return False


def _refuse_shared_samples(reader: Reader, cells: Sequence[Cell]) -> None:
    first: dict[str, Cell] = {}
    for cell in cells:
        other = first.setdefault(cell.text, cell)
        if other is not cell:
            reader.problems.stop(
                cell.table,
                f'the same sample as of {other.participant_id} at {other.key.session_id}, row {other.row}',
                'A sample is of one participant and visit', **cell.where(), value=cell.text,
            )  # fmt: skip


def _match_samples(
    reader: Reader, wanted: Expression, cells: Sequence[Cell], sources: Sequence[Source]
) -> None:
    """Stop at samples that have counts or a row, but not both; a row of nobody known is a row."""
    listed = {text for source in sources for row in source.table.rows for text in row.cells.values()}
    try:
        counted = read_sample_names(reader.root / wanted.counts)
    except DataError as error:
        reader.problems.stop(wanted.counts, str(error), 'Give reads of genes x samples', outcome='expression')
        return
    for name in dict.fromkeys(counted):
        if counted.count(name) > 1:
            reader.problems.stop(
                wanted.counts, 'a sample with more than one column', 'Merge or remove them', value=name
            )
        if name not in listed:
            reader.problems.stop(
                wanted.counts, f'a sample without participant: {wanted.samples} does not list it',
                'Add its row or remove its column', value=name,
            )  # fmt: skip
    for cell in cells:
        if cell.text not in counted:
            reader.problems.stop(
                cell.table, f'a sample without counts in {wanted.counts}',
                'Add its column, or write n/a for the sample', **cell.where(), value=cell.text,
            )  # fmt: skip
