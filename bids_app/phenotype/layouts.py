"""Find the values of a column in whichever layout a table has: long, wide, or one file per session."""

import glob
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..tables.problems import Problems, nearest
from ..tables.text import MISSING, Labels, read_text_table
from .keys import Key, by_label, spellings
from .rows import Resolver, Source

_SESSIONS, _EACH = 'sessions.tsv', 'sub-*/sub-*_sessions.tsv'


class Cell(NamedTuple):
    """A value as text, where it stands, and what the dictionary says of its column."""

    participant_id: str
    key: Key
    table: str
    row: int
    column: str
    text: str
    entry: Mapping[str, Any]

    @property
    def is_missing(self) -> bool:
        """Return whether the cell says that there is no value."""
        return self.text in MISSING

    def where(self) -> dict[str, Any]:
        """Return the cell's place, as problems name it."""
        return {
            'column': self.column,
            'session_id': self.key.session_id,
            'participant_id': self.participant_id,
            'row': self.row,
        }


def _names(source: Source, column: str, key: Key, plain: bool) -> list[str]:
    names = spellings(column, key, has_session=source.has_session, has_time=source.has_time)
    return [*names, column] if plain and column not in names else names


def _present(source: Source, column: str, key: Key, plain: bool) -> list[str]:
    """Return the columns of a value in a table, those that name the session alone where there are any."""
    found = [name for name in _names(source, column, key, plain) if name in source.table.columns]
    return found or ([] if source.has_session else by_label(source.table.columns, column, key))


class Reader:
    """Tables of a dataset, each read once.

    Parameters
    ----------
    root
        The dataset.
    participants, sessions
        Labels that rows may name.
    problems
        What is wrong is added to them.

    """

    def __init__(self, root: Path, participants: Labels, sessions: Labels, problems: Problems) -> None:
        self.root, self.participants, self.problems = root, participants, problems
        self._resolver = Resolver(participants, sessions, problems)
        self._sources: dict[tuple[str, str, bool], list[Source]] = {}

    def sources(self, name: str, *, time_column: str = '', unique: bool = True) -> list[Source]:
        """Return what a name of a table leads to: the file itself and one file per session."""
        key = (name, time_column, unique)
        if key not in self._sources:
            stem = name.removesuffix('.tsv')
            found = [
                self._source(
                    file,
                    [f'{stem}.json', file.removesuffix('.tsv') + '.json'],
                    time_column=time_column,
                    unique=unique,
                )
                for file in self._files(name)
            ]
            self._sources[key] = [source for source in found if source]
        return self._sources[key]

    def _files(self, name: str) -> list[str]:
        """Return the file itself, dangling links too, and those of one session each."""
        place = Path(name)
        own = [name] if os.path.lexists(self.root / name) else []  # a name too long for a file is of none
        others = (self.root / place.parent).glob(f'{glob.escape(place.stem)}_ses-*.tsv')
        return own + sorted((place.parent / path.name).as_posix() for path in others)

    def session_files(self) -> list[Source]:
        """Return the ``sub-*/sub-*_sessions.tsv``."""
        key = (_EACH, '', True)
        if key not in self._sources:
            names = sorted(
                p.relative_to(self.root).as_posix() for p in self.root.glob('sub-*/sub-*_sessions.tsv')
            )
            found = [self._source(n, ['sessions.json', n.removesuffix('.tsv') + '.json']) for n in names]
            self._sources[key] = [source for source in found if source]
        return self._sources[key]

    def find(
        self,
        name: str,
        columns: Sequence[str],
        keys: Sequence[Key],
        *,
        plain: bool = False,
        is_default: bool = False,
        outcome: str = '',
        **options: Any,
    ) -> list[Source]:
        """Return the sources of a table that has any of the columns; none after adding why.

        The files of ``sub-*/sub-*_sessions.tsv`` serve where the table itself has none of the columns.
        ``is_default``: nobody named the table for this dataset, it may be absent.
        """
        own = self.sources(name, **options)
        if any(self.has_column(own, column, keys, plain=plain) for column in columns):
            return own
        of_sessions = [] if plain else self.session_files()
        if any(self.has_column(of_sessions, column, keys) for column in columns):
            return of_sessions
        if own:
            self.explain_absence(name, columns[0], own, keys, plain=plain)
        elif of_sessions and name == _SESSIONS:
            self.explain_absence(name, columns[0], of_sessions, keys)
        elif not self._files(name):
            self._explain_missing_table(name, columns, is_default=is_default, outcome=outcome)
        return []

    def _explain_missing_table(
        self, name: str, columns: Sequence[str], *, is_default: bool, outcome: str
    ) -> None:
        if is_default:
            self.problems.warn(name, 'is absent', 'left out', outcome=outcome)
            return
        tables = [*self.root.glob('*.tsv'), *self.root.glob('phenotype/*.tsv')]
        others = sorted(p.relative_to(self.root).as_posix() for p in tables)
        remedy = (
            nearest(name, others) if others else 'Add it, or name another table in the trial file (--trial)'
        )
        self.problems.absent(name, 'is absent', remedy, outcome=outcome)

    @staticmethod
    def has_column(
        sources: Iterable[Source], column: str, keys: Sequence[Key], *, plain: bool = False
    ) -> bool:
        """Return whether any table has the column for any of the keys."""
        return any(_present(source, column, key, plain) for source in sources for key in keys)

    def explain_absence(
        self, name: str, column: str, sources: Sequence[Source], keys: Sequence[Key], *, plain: bool = False
    ) -> None:
        """Add that no table has a column, and the nearest names that there are."""
        source = sources[0]
        wanted = _names(source, column, keys[0], plain)
        hint = nearest(column, [c for c in source.table.columns if c not in ('participant_id', 'session_id')])
        if column not in wanted:
            rows = 'one row per participant and session' if source.has_session else 'one row per participant'
            hint = f'A table of {rows} calls it {" or ".join(wanted)}. {hint}'
        self.problems.stop(name, f'has no column {column}', hint, column=column)

    def cells(
        self, sources: Iterable[Source], column: str, keys: Sequence[Key], *, plain: bool = False
    ) -> list[Cell]:
        """Return the cells of a column, one per participant and key.

        ``plain`` accepts a column without session in a table of one row per participant: the same
        for all.  Two values of one participant and key that differ are a problem that stops.
        """
        found: dict[tuple[str, str], Cell] = {}
        for source in sources:
            for key in keys:
                name = self._column_of(source, column, key, plain)
                for record in source.records if name else ():
                    if source.has_session and record.session_id != key.session_id:
                        continue
                    if source.has_time and record.time.casefold() != key.time.casefold():
                        continue
                    entries = source.table.dictionary
                    entry = entries.get(name, entries.get(column, {}))
                    cell = Cell(
                        record.participant_id, key, source.table.name, record.row.number, name,
                        record.row.cells[name], entry,
                    )  # fmt: skip
                    self._keep(cell, found)
        return list(found.values())

    def _keep(self, cell: Cell, found: dict[tuple[str, str], Cell]) -> None:
        place = (cell.participant_id, cell.key.name)
        other = found.get(place)
        if other is None or other.is_missing:
            found[place] = cell
        elif not cell.is_missing and cell.text != other.text:
            self.problems.stop(
                cell.table,
                f'differs from "{other.text}" in {other.table}, row {other.row}, column {other.column}',
                'Keep the right one',
                **cell.where(),
                value=cell.text,
            )

    def _column_of(self, source: Source, column: str, key: Key, plain: bool) -> str:
        """Return the column of the table that holds the value of a key, empty when there is none."""
        there = _present(source, column, key, plain)
        if len(there) > 1:
            self.problems.stop(
                source.table.name, f'{" and ".join(there)} both mean {column} of {key.session_id}',
                'Remove or rename one', column=there[0],
            )  # fmt: skip
        return there[0] if there else ''

    def _source(self, name: str, dictionaries: Sequence[str], **options: Any) -> Source | None:
        table = read_text_table(
            self.root, name, self.problems, dictionaries=list(dict.fromkeys(dictionaries))
        )
        return None if table is None else self._resolver.source(table, **options)
