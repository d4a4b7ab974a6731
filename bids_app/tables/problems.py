"""What is wrong or noteworthy in the tables of a trial: all of it collected, then told together."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import pandas as pd

from pipelines.errors import DataError, MissingInputError

_SHOWN = 5  # places of one problem in a message


class Severity(IntEnum):
    """How far a problem reaches; the report is in this order."""

    STOP = 0
    """The tables contradict themselves or the trial file (65)."""
    ABSENT = 1
    """Something that the trial file names is not there (66)."""
    WARNING = 2
    """Set right or set aside; a message and a row of the report."""
    MISSING = 3
    """A value that a participant does not have; a row of the report."""
    SUMMARY = 4
    """What was read from where; a row of the report without a problem."""


class Problem(NamedTuple):
    """One row of the report; ``row`` is the line of the file, the header being line 1."""

    severity: Severity
    table: str
    problem: str
    action: str
    column: str = ''
    session_id: str = ''
    outcome: str = ''
    participant_id: str = ''
    row: int | None = None
    value: str = ''

    @property
    def place(self) -> str:
        """Return row, participant, session and value, as far as they are known."""
        row = f'row {self.row}' if self.row else ''
        value = f'"{self.value}"' if self.value else ''
        return ' '.join(part for part in (row, self.participant_id, self.session_id, value) if part)


REPORT_COLUMNS = (
    'table', 'column', 'session_id', 'outcome', 'participant_id', 'row', 'value', 'problem', 'action',
)  # fmt: skip


class Problems:
    """What is found while tables are read, in order and each once."""

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}

    def __iter__(self) -> Iterator[Problem]:
        """Iterate in the order in which they were found."""
        return iter(self._found)

    def stop(self, table: str, problem: str, action: str, **where: Any) -> None:
        """Add what nobody but the user can set right: the tables are refused."""
        self._found[Problem(Severity.STOP, table, problem, action, **where)] = None

    def absent(self, table: str, problem: str, action: str, **where: Any) -> None:
        """Add something that the trial file names and that is not there."""
        self._found[Problem(Severity.ABSENT, table, problem, action, **where)] = None

    def warn(self, table: str, problem: str, action: str, **where: Any) -> None:
        """Add what was set right or set aside."""
        self._found[Problem(Severity.WARNING, table, problem, action, **where)] = None

    def missing(self, table: str, problem: str, **where: Any) -> None:
        """Add a value that a participant does not have."""
        self._found[Problem(Severity.MISSING, table, problem, 'missing', **where)] = None

    def summarise(self, table: str, action: str, **where: Any) -> None:
        """Add what was read from where."""
        self._found[Problem(Severity.SUMMARY, table, '', action, **where)] = None

    def messages(self, *severities: Severity) -> list[str]:
        """Return one line per problem of the given severities, equal problems of a column together."""
        groups: dict[tuple[Any, ...], list[Problem]] = {}
        for each in self:
            if each.severity in severities:
                key = (each.severity, each.table, each.column, each.problem, each.action)
                groups.setdefault(key, []).append(each)
        return [_line(members) for members in groups.values()]

    def raise_if_any(self) -> None:
        """Stop when anything is found that only the user can set right.

        Raises
        ------
        DataError
            Tables contradict themselves or the trial file.
        MissingInputError
            Nothing but absences.

        """
        stops = self.messages(Severity.STOP, Severity.ABSENT)
        if not stops:
            return
        listed = ''.join(f'\n- {line}' for line in stops)
        number = f'{len(stops)} problems' if len(stops) > 1 else 'a problem'
        text = f'The tables of the trial cannot be used: {number}.{listed}'
        only_absent = all(p.severity != Severity.STOP for p in self)
        raise (MissingInputError if only_absent else DataError)(text)

    def report(self) -> pd.DataFrame:
        """Return all as a table of text, problems first, then missing values, then what was read."""
        ordered = sorted(self, key=lambda p: p.severity)
        rows = [[_cell(getattr(p, column)) for column in REPORT_COLUMNS] for p in ordered]
        return pd.DataFrame(rows, columns=list(REPORT_COLUMNS), dtype=object)


def _line(members: Iterable[Problem]) -> str:
    members = list(members)
    first = members[0]
    where = f'{first.table}, column {first.column}' if first.column else first.table
    places = [place for place in dict.fromkeys(p.place for p in members) if place]
    more = f' and {len(places) - _SHOWN} more' if len(places) > _SHOWN else ''
    at = f', {", ".join(places[:_SHOWN])}{more}' if places else ''
    action = first.action[:1].upper() + first.action[1:]
    return f'{where}{at}: {first.problem}. {action}' + ('' if action.endswith(('?', '.')) else '.')


def _cell(value: Any) -> str:
    return 'n/a' if value in ('', None) else str(value)


def nearest(word: str, offered: Sequence[str]) -> str:
    """Return a sentence that offers the names nearest to ``word``, or all when none is near.

    Examples
    --------
    >>> nearest('nrs_avg', ['nrs_average', 'age'])
    'Did you mean nrs_average?'

    """
    folded: dict[str, str] = {}
    for name in offered:
        folded.setdefault(name.casefold(), name)
    exact = [word.casefold()] if word.casefold() in folded else []
    near = exact or difflib.get_close_matches(word.casefold(), list(folded), n=3, cutoff=0.6)
    if near:
        return f'Did you mean {" or ".join(folded[name] for name in near)}?'
    some = ', '.join(offered[:12]) + (' ...' if len(offered) > 12 else '')
    return f'There is {some}.' if some else 'There is none.'


def listed(words: Sequence[str]) -> str:
    """Return words with commas, and ``and`` before the last.

    Examples
    --------
    >>> listed(['yoga', 'walking', 'wait']), listed(['yoga'])
    ('yoga, walking and wait', 'yoga')

    """
    return ' and '.join(part for part in (', '.join(words[:-1]), *words[-1:]) if part)
