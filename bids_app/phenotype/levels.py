"""Turn cells of binary, ordinal and counted outcomes into numbers; a word that is none of the levels stops."""

import math
from collections.abc import Sequence
from typing import assert_never

from pipelines.reading import NUMBER

from ..tables.problems import Problems, listed
from .layouts import Cell
from .parts import TableOutcome
from .values import Quantity, Value, decode, read_numbers, whole


def read_values(cells: Sequence[Cell], outcome: TableOutcome, problems: Problems) -> list[Value]:
    """Return the numbers of an outcome's cells.

    Those of a binary outcome are 0 and 1, of an ordinal one in words 1, 2, ... from the lowest level; NaN where a
    value is missing, or cannot be read, which is added to the problems.
    """
    measure = Quantity(outcome=outcome.name, units=outcome.units, low=outcome.low, high=outcome.high)
    match outcome.kind:
        case 'continuous':
            return read_numbers(cells, measure, problems)
        case 'count':
            return _whole_numbers(cells, read_numbers(cells, measure, problems), outcome, problems)
        case 'ordinal' if not outcome.levels:
            return read_numbers(_coded(cells, outcome, problems), measure, problems)
        case 'ordinal':
            places = {level.casefold(): float(place) for place, level in enumerate(outcome.levels, start=1)}
            return [_place(cell, places, outcome, problems) for cell in cells]
        case 'binary' if outcome.levels:
            places = {level.casefold(): float(level == outcome.responder) for level in outcome.levels}
            return [_place(cell, places, outcome, problems) for cell in cells]
        case 'binary':
            return _binary(cells, outcome, problems)
        case other:
            assert_never(other)


def _whole_numbers(
    cells: Sequence[Cell], values: Sequence[Value], outcome: TableOutcome, problems: Problems
) -> list[Value]:
    for cell, value in zip(cells, values):
        if math.isfinite(value.number) and not value.number.is_integer():
            problems.stop(
                cell.table, 'is no whole number, and the outcome is a count', 'Correct it, or the Type of the outcome',
                **cell.where(), outcome=outcome.name, value=cell.text,
            )  # fmt: skip
    return list(values)


def _coded(cells: Sequence[Cell], outcome: TableOutcome, problems: Problems) -> list[Cell]:
    """Return cells of numbers: words that a dictionary numbers under theirs, others stop for they have no order."""
    found = [cell._replace(text=_code(cell)) for cell in cells]
    words = [cell for cell in found if not cell.is_missing and cell.text[0].isalpha()]
    for cell in words:
        problems.stop(
            cell.table, 'is a word, and words have no order', 'Name them from lowest to highest as Levels in the trial file',
            **cell.where(), outcome=outcome.name, value=cell.text,
        )  # fmt: skip
    return [cell._replace(text='n/a') if cell in words else cell for cell in found]


def _code(cell: Cell) -> str:
    """Return the number that a dictionary gives a word; the text itself where it gives none.

    Examples
    --------
    >>> from .layouts import Key
    >>> about = {'Levels': {'1': 'worse', '2': {'Description': 'Better'}}}
    >>> _code(Cell('sub-01', Key('a', 'ses-a'), 't.tsv', 2, 'pgic', 'better', about))
    '2'

    """
    levels = cell.entry.get('Levels') or {}
    if cell.is_missing or NUMBER.fullmatch(cell.text):
        return cell.text
    for code, label in levels.items():
        words = label.get('Description', '') if isinstance(label, dict) else label
        if NUMBER.fullmatch(str(code)) and str(words).casefold() == cell.text.casefold():
            return str(code)
    return cell.text


def _words(cell: Cell) -> list[str]:
    """Return what a cell may mean: as it stands, as its dictionary decodes it, and without a spreadsheet's zeros."""
    found = (cell.text, decode(cell.text, cell.entry) or '', whole(cell.text))
    return [word for word in dict.fromkeys(found) if word]


def _place(cell: Cell, places: dict[str, float], outcome: TableOutcome, problems: Problems) -> Value:
    """Return the number of a level, whatever the case of its letters."""
    if cell.is_missing:
        return Value(math.nan)
    found = next((word for word in _words(cell) if word.casefold() in places), None)
    if found is not None:
        return Value(places[found.casefold()])
    problems.stop(
        cell.table, f'is none of the Levels, which are {listed(outcome.levels)}',
        'Correct it, name it in Levels of the trial file, or write n/a', **cell.where(), outcome=outcome.name,
        value=cell.text,
    )  # fmt: skip
    return Value(math.nan)


def _binary(cells: Sequence[Cell], outcome: TableOutcome, problems: Problems) -> list[Value]:
    """Return 1 for the word that counts, 0 for the other, of a column that has no more than two."""
    wanted, given = _target(outcome), _unique(cells)
    others = {_meant(cell): cell for cell in given if wanted not in map(str.casefold, _words(cell))}
    odd = [cell for cell in given if whole(cell.text) not in ('0', '1')]
    if outcome.responder is None and odd:
        problems.stop(
            odd[0].table, 'is neither 0 nor 1', 'Name the word that counts as Responder in the trial file',
            **odd[0].where(), outcome=outcome.name, value=odd[0].text,
        )  # fmt: skip
    elif len(others) > 1:
        problems.stop(
            cells[0].table, f'has {listed(list(others))} beside {wanted}, where a binary outcome has two words',
            'Correct Responder or the cells, write n/a for what is missing, or call the outcome ordinal',
            column=cells[0].column, outcome=outcome.name,
        )  # fmt: skip
    elif others and len(others) == len({_meant(cell) for cell in given}):
        problems.warn(
            cells[0].table, f'nobody has {wanted}, which counts', 'all values are 0; check its spelling',
            column=cells[0].column, outcome=outcome.name,
        )  # fmt: skip
    return [
        Value(math.nan if cell.is_missing else float(wanted in map(str.casefold, _words(cell))))
        for cell in cells
    ]


def _meant(cell: Cell) -> str:
    """Return the word by which a cell is told from others: its level, or the text."""
    label = decode(cell.text, cell.entry) if cell.entry.get('Levels') else None
    return (label or whole(cell.text)).casefold()


def _target(outcome: TableOutcome) -> str:
    """Return the word that counts; a number as a table writes it."""
    given = 1 if outcome.responder is None else outcome.responder
    return given.casefold() if isinstance(given, str) else f'{given:g}'


def _unique(cells: Sequence[Cell]) -> list[Cell]:
    """Return the first cell of each text that is there."""
    found: dict[str, Cell] = {}
    for cell in cells:
        if not cell.is_missing:
            found.setdefault(cell.text, cell)
    return list(found.values())
