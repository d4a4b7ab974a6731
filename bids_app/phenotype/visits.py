"""Which visits the tables of an outcome have: those that are read, those that nobody asked for, those without a value."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from ..tables.problems import Problems
from ..tables.text import MISSING
from .keys import Key, by_label, spellings
from .layouts import Cell, Reader
from .rows import Source

_WORDS = frozenset({'pre', 'post', 'mid', 'baseline', 'bl', 'followup', 'fu', 'screening', 'end', 'final'})
_NUMBERED = _WORDS | frozenset(
    {
        'week',
        'wk',
        'w',
        'month',
        'mo',
        'm',
        'day',
        'd',
        'year',
        'yr',
        'y',
        'visit',
        'v',
        'session',
        'time',
        't',
    }
)
"""Words for a time, the second kind only with a number behind: ``nrs_t`` is a score, ``nrs_t2`` a visit."""


def summarise(
    reader: Reader,
    sources: Iterable[Source],
    cells: Iterable[Cell],
    keys: Sequence[Key],
    *,
    outcome: str,
) -> None:
    """Add which values were read from where, and which sessions of the tables were not asked for."""
    read = Counter((cell.table, cell.key.session_id, cell.column) for cell in cells if not cell.is_missing)
    for (table, session_id, column), number in read.items():
        reader.problems.summarise(
            table, f'{number} values read', session_id=session_id, column=column, outcome=outcome
        )
    asked = {key.session_id for key in keys}
    for source in sources:
        others = Counter(r.session_id for r in source.records if r.session_id and r.session_id not in asked)
        for session_id, number in others.items():
            action = f'{number} rows not used: no visit of it'
            reader.problems.summarise(source.table.name, action, session_id=session_id, outcome=outcome)


def check_visits(
    problems: Problems,
    table: str,
    cells: Iterable[Cell],
    keys: Sequence[Key],
    *,
    is_default: bool,
    outcome: str,
) -> None:
    """Add the visits at which nobody has a value."""
    present = {cell.key.name for cell in cells if not cell.is_missing}
    for key in keys:
        if key.name not in present:
            add = problems.warn if is_default else problems.stop
            add(
                table, f'nobody has a value at {key.name} ({key.session_id})',
                'Correct the session in the trial file, the table, or leave the outcome out',
                session_id=key.session_id, outcome=outcome,
            )  # fmt: skip


def tell_other_visits(
    problems: Problems,
    sources: Iterable[Source],
    columns: Iterable[str],
    keys: Sequence[Key],
    *,
    outcome: str,
) -> None:
    """Warn of columns that look like a value at a visit which the trial does not have.

    ``nrs_week26`` beside ``nrs_week14``, ``nrs_fu`` and ``nrs_ses-any`` do; ``nrs_sd`` does not.  Rows of other
    sessions are told where rows are read.
    """
    for source in (source for source in sources if not source.has_session):
        for column in columns:
            known = {name for key in keys for name in _names(source, column, key)}
            known |= {name for key in keys for name in by_label(source.table.columns, column, key)}
            forms = {_form(part) for name in known if (part := _visit_part(name, column))}
            times = [key.time for key in keys if key.time]
            for name in source.table.columns:
                part = _visit_part(name, column)
                if not part or name in known or not _is_visit(part, forms, times):
                    continue
                number = sum(row.cells[name] not in MISSING for row in source.table.rows)
                if number:
                    problems.warn(
                        source.table.name, f'looks like {column} at a visit that the trial does not have',
                        'not used; if it should be, name its session in the trial file', column=name,
                        outcome=outcome, value=f'{number} values',
                    )  # fmt: skip


def tell_left_out(
    problems: Problems,
    sources: Iterable[Source],
    columns: Iterable[str],
    keys: Sequence[Key],
    *,
    outcome: str,
) -> None:
    """Add the columns of visits at which the trial file does not ask for an outcome; rows are told elsewhere."""
    for source in (source for source in sources if not source.has_session):
        for column in columns:
            for key in keys:
                names = [*_names(source, column, key), *by_label(source.table.columns, column, key)]
                for name in (name for name in names if name in source.table.columns):
                    problems.summarise(
                        source.table.name, f'not used: {key.name} is none of its Visits',
                        session_id=key.session_id, column=name, outcome=outcome,
                    )  # fmt: skip


def _names(source: Source, column: str, key: Key) -> list[str]:
    return spellings(column, key, has_session=False, has_time=source.has_time)


def _visit_part(name: str, column: str) -> str:
    """Return what stands before or behind the name of a value, empty where it is another column."""
    before, behind = f'{column}_', f'_{column}'
    if name.startswith(before):
        return name[len(before) :]
    return name[: -len(behind)] if name.endswith(behind) else ''


def _form(part: str) -> str:
    return re.sub('[0-9]+', '#', part.casefold().removeprefix('ses-'))


def _is_visit(part: str, forms: Iterable[str], times: Iterable[str]) -> bool:
    """Return whether a part of a name says when: as those of the trial do, with ``ses-``, or in a usual word."""
    form = _form(part)
    if '#' in form and form in forms:
        return True
    for time in times:
        part = part.removesuffix(f'_{time}')
    if not re.fullmatch('(ses-)?[A-Za-z0-9+]+', part):
        return False
    word = part.casefold().rstrip('0123456789')
    return (
        part.startswith('ses-')
        or part.casefold() in _WORDS
        or (word in _NUMBERED and word != part.casefold())
    )
