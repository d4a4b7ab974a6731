"""Turn cells into numbers or words: decimal commas, units, ranges and levels."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipelines.reading import NUMBER

from ..tables.problems import Problems
from .doubts import Reading, tell_doubts
from .layouts import Cell

_COMMA = re.compile(r'[+-]?[0-9]+,[0-9]+([eE][+-]?[0-9]+)?')
_THOUSANDS = re.compile(r'[+-]?[1-9][0-9]{0,2},[0-9]{3}')
_MANY, _SHARE = 3, 0.1  # out of range: so many, and this share, are no slips of the pen

_FACTORS: dict[str, tuple[str, float]] = {
    'pg/ml': ('concentration', 1), 'ng/l': ('concentration', 1), 'ng/ml': ('concentration', 1e3),
    'ug/l': ('concentration', 1e3), 'ug/ml': ('concentration', 1e6), 'mg/l': ('concentration', 1e6),
    'w': ('power', 1), 'watt': ('power', 1), 'watts': ('power', 1), 'kw': ('power', 1e3),
    'm': ('length', 1), 'metre': ('length', 1), 'metres': ('length', 1), 'meter': ('length', 1),
    'meters': ('length', 1), 'km': ('length', 1e3), 'cm': ('length', 1e-2), 'mm': ('length', 1e-3),
    '%': ('percent', 1), 'percent': ('percent', 1),
}  # fmt: skip


_COUNTS = frozenset({'count', 'counts', 'number', 'n', 'times', 'events', 'cells', 'reads'})


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """What a column must hold; ``units`` empty: any; ``on_log``: what is far is so in its logarithm."""

    outcome: str
    units: str = ''
    low: float | None = None
    high: float | None = None
    on_log: bool = False


class Value(NamedTuple):
    """A number, NaN where it is missing, and what was done to it."""

    number: float
    flags: tuple[str, ...] = ()


def read_numbers(cells: Sequence[Cell], measure: Quantity, problems: Problems) -> list[Value]:
    """Return the numbers of cells in the units of the measure.

    Text where a number is due stops; a value out of the range of the trial or of the dictionary is
    reported and missing.  Decimal commas are converted where they cannot be thousands.
    """
    by_column: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        by_column.setdefault((cell.table, cell.column), []).append(cell)
    commas = {place: _decimal_comma(c.text for c in members) for place, members in by_column.items()}
    scales = {place: _scale(members[0], measure, problems) for place, members in by_column.items()}
    for (table, column), members in by_column.items():
        if commas[table, column]:
            number = sum(',' in cell.text for cell in members)
            problems.warn(
                table, 'decimal commas', 'read as decimal points; BIDS wants points',
                column=column, outcome=measure.outcome, value=f'{number} of {len(members)} values',
            )  # fmt: skip
    values = []
    for cell in cells:
        place = (cell.table, cell.column)
        values.append(_read(cell, measure, commas[place], scales[place], problems))
    _refuse_other_scale(cells, values, measure, problems)
    _ask(cells, values, scales, measure, problems)
    return values


def _ask(
    cells: Sequence[Cell],
    values: Sequence[Value],
    scales: Mapping[tuple[str, str], tuple[float, float]],
    measure: Quantity,
    problems: Problems,
) -> None:
    """Name values that may be none; those of one scale are looked at together, as they are written."""
    found: dict[tuple[float, float], list[Reading]] = {}
    is_count = measure.on_log
    for cell, value in zip(cells, values):
        if math.isfinite(value.number):
            has_low = measure.low is not None or 'Minimum' in cell.entry
            has_high = measure.high is not None or 'Maximum' in cell.entry
            reading = Reading(cell, float(cell.text.replace(',', '.')), has_low, has_high)
            found.setdefault(scales[cell.table, cell.column], []).append(reading)
            is_count |= _plain(str(cell.entry.get('Units', measure.units))) in _COUNTS
    for own in found.values():
        tell_doubts(own, problems, outcome=measure.outcome, on_log=is_count)


def _read(
    cell: Cell, measure: Quantity, has_commas: bool, scale: tuple[float, float], problems: Problems
) -> Value:
    if cell.is_missing:
        return Value(math.nan)
    text = cell.text.replace(',', '.') if has_commas and _COMMA.fullmatch(cell.text) else cell.text
    if not NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        thousands = _THOUSANDS.fullmatch(cell.text)
        problems.stop(
            cell.table,
            'could be a decimal comma or thousands' if thousands else 'is no number',
            'Write a decimal point, and no mark at thousands' if thousands else 'Write the number, or n/a',
            **cell.where(), outcome=measure.outcome, value=cell.text,
        )  # fmt: skip
        return Value(math.nan)
    raw = float(text)
    offset, factor = scale
    number = offset + factor * raw
    flags: tuple[str, ...] = ('decimal_comma',) if text != cell.text else ()
    flags += ('converted',) if scale != (0, 1) else ()
    limit = _violated(raw, cell.entry.get('Minimum'), cell.entry.get('Maximum'), 'its JSON file')
    limit = limit or _violated(number, measure.low, measure.high, 'the trial')
    if limit:
        problems.warn(
            cell.table, f'out of range: {limit}', 'set aside, the value counts as missing; correct it',
            **cell.where(), outcome=measure.outcome, value=cell.text,
        )  # fmt: skip
        return Value(math.nan, (*flags, 'out_of_range'))
    return Value(number, flags)


def _violated(number: float, low: float | None, high: float | None, source: str) -> str:
    below, above = low is not None and number < low, high is not None and number > high
    if not below and not above:
        return ''
    return (
        f'{source} allows {"-inf" if low is None else f"{low:g}"} to {"inf" if high is None else f"{high:g}"}'
    )


def _decimal_comma(texts: Iterable[str]) -> bool:
    """Return whether commas of a column are decimal: one that cannot mark thousands says so."""
    present = [text for text in texts if ',' in text or '.' in text]
    commas = [text for text in present if _COMMA.fullmatch(text)]
    if any(not _THOUSANDS.fullmatch(text) for text in commas):
        # with points in the same column, 1,234 may be thousands
        has_points = any('.' in text and NUMBER.fullmatch(text) for text in present)
        return not (has_points and any(_THOUSANDS.fullmatch(text) for text in commas))
    return False


def _scale(cell: Cell, measure: Quantity, problems: Problems) -> tuple[float, float]:
    """Return offset and factor from the units of the dictionary to those of the measure."""
    declared = str(cell.entry.get('Units', ''))
    given, wanted = _plain(declared), _plain(measure.units)
    if not given or not wanted or given == wanted:
        return 0, 1
    (kind, factor), (wanted_kind, wanted_factor) = (_FACTORS.get(u, ('', 1)) for u in (given, wanted))
    where = {'column': cell.column, 'outcome': measure.outcome, 'value': declared}
    if kind and kind == wanted_kind:
        if factor != wanted_factor:
            problems.warn(
                cell.table, f'{declared} in its JSON file', f'converted to {measure.units}', **where
            )
        return 0, factor / wanted_factor
    if kind == 'percent' and measure.low is not None and measure.high is not None:
        problems.warn(cell.table, 'per cent in its JSON file', f'converted to {measure.units}', **where)
        return measure.low, (measure.high - measure.low) / 100
    if kind or wanted_kind:
        problems.stop(
            cell.table, f'{declared} in its JSON file where the trial has {measure.units}',
            'Correct the one that is wrong', **where,
        )  # fmt: skip
    else:
        problems.warn(
            cell.table, f'{declared} in its JSON file where the trial has {measure.units}',
            'taken for the same unit; check that it is', **where,
        )  # fmt: skip
    return 0, 1


def _plain(units: str) -> str:
    return units.casefold().replace(' ', '').replace('µ', 'u').replace('μ', 'u')


def _refuse_other_scale(
    cells: Sequence[Cell], values: Sequence[Value], measure: Quantity, problems: Problems
) -> None:
    """Stop when so many values are out of range that the others cannot be trusted either."""
    given = [(cell, value) for cell, value in zip(cells, values) if not cell.is_missing]
    outside = [cell for cell, value in given if 'out_of_range' in value.flags]
    if len(outside) >= _MANY and len(outside) > _SHARE * len(given):
        problems.stop(
            outside[0].table,
            f'{len(outside)} of {len(given)} values are out of range: another unit, or a code for missing',
            'Declare Units in the JSON file, write n/a for missing, or correct Range in the trial file',
            column=outside[0].column, outcome=measure.outcome,
        )  # fmt: skip


def whole(text: str) -> str:
    """Return a code as it was before a spreadsheet made a number of it.

    Examples
    --------
    >>> whole('2.0'), whole('2.5'), whole('yoga')
    ('2', '2.5', 'yoga')

    """
    return re.sub(r'^([0-9]+)\.0+$', r'\1', text)


def decode(text: str, entry: Mapping[str, object]) -> str | None:
    """Return the label of a level, None when the dictionary has levels and this is none.

    Examples
    --------
    >>> decode('1', {'Levels': {'1': 'exercise', '0': {'Description': 'wait-list'}}})
    'exercise'

    """
    levels = entry.get('Levels')
    if not isinstance(levels, Mapping) or not levels:
        return text
    labels = {
        str(key): str(label.get('Description', key) if isinstance(label, Mapping) else label)
        for key, label in levels.items()
    }
    if whole(text) in labels:
        return labels[whole(text)]
    return next((label for label in labels.values() if label.casefold() == text.casefold()), None)


def holds_numbers(cells: Sequence[Cell]) -> bool:
    """Return whether a column is one of numbers, by its dictionary, else by most of its cells."""
    given = [cell for cell in cells if not cell.is_missing]
    if not given or given[0].entry.get('Levels'):
        return False
    declared = given[0].entry.get('Format')
    if declared or given[0].entry.get('Units'):
        return declared in (None, 'number', 'integer', 'index')
    numbers = sum(bool(NUMBER.fullmatch(c.text) or _COMMA.fullmatch(c.text)) for c in given)
    return 2 * numbers > len(given)
