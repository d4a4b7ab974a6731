"""Say which participant and session each row of a table belongs to."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ..scans.query import entities_of
from ..tables.problems import Problems, nearest
from ..tables.text import MISSING, Labels, Table, TextRow


class Record(NamedTuple):
    """A row whose participant is known; ``session_id`` and ``time`` are empty where columns tell them."""

    participant_id: str
    session_id: str
    time: str
    row: TextRow


class Source(NamedTuple):
    """A table and its records; ``has_session``: a row, not a column, is of one session."""

    table: Table
    records: list[Record]
    has_session: bool
    has_time: bool


class Resolver:
    """Match the ids of rows with the participants and sessions that exist.

    Parameters
    ----------
    participants, sessions
        Labels that rows may name.
    problems
        Ids that are unknown, spelled otherwise, ambiguous or there twice are added to them.

    """

    def __init__(self, participants: Labels, sessions: Labels, problems: Problems) -> None:
        self._participants, self._sessions = participants, sessions
        self._problems = problems

    def source(self, table: Table, *, time_column: str = '', unique: bool = True) -> Source | None:
        """Return the rows of known participants and sessions; None when the table has no ids.

        ``unique`` refuses two rows of one participant, session and time; without it the table is a
        list of events, whose sessions do not matter.
        """
        entities = entities_of(Path(table.name))
        owner, session = entities.get('sub', ''), entities.get('ses', '')
        needed = 'session_id' if owner else 'participant_id'
        if needed not in table.columns:
            hint = nearest(needed, table.columns)
            self._problems.stop(table.name, f'has no column {needed}', f'Add it. {hint}')
            return None
        has_session = bool(session) or 'session_id' in table.columns or not unique
        has_time = bool(time_column) and time_column in table.columns
        if session and not self._sessions.find(session):
            known = ', '.join(self._sessions.known)
            self._problems.warn(
                table.name, f'of no session of the trial, which has {known}', 'file not used',
                session_id=f'ses-{session}',
            )  # fmt: skip
        records = []
        for row in table.rows:
            participant_id = f'sub-{owner}' if owner else self._participant(table.name, row)
            session_id = self._session(table.name, row, session) if unique else ''
            time = row.cells[time_column] if has_time else ''
            if participant_id and session_id is not None:
                records.append(Record(participant_id, session_id, time, row))
        if not owner:
            self._count_bare(table)
        if unique:
            records = self._without_twins(table.name, records)
        return Source(table, records, has_session, has_time)

    def _participant(self, name: str, row: TextRow) -> str:
        text = row.cells['participant_id']
        if text in MISSING:
            self._problems.stop(
                name, 'a row has no participant_id', 'Write it, or remove the row', row=row.number
            )
            return ''
        found = self._match(name, row, 'participant_id', self._participants)
        if not found:
            self._problems.warn(
                name, 'no participant of this id in the table of arms, participants.tsv or the folders',
                'row left out', column='participant_id', row=row.number, value=text,
            )  # fmt: skip
        return found

    def _session(self, name: str, row: TextRow, of_file: str) -> str | None:
        """Return the session of a row, empty where columns tell it, None for one that is not used."""
        text = row.cells.get('session_id')
        of_file = f'ses-{of_file}' if of_file else ''
        if text is None:
            return next(iter(self._sessions.find(of_file)), None) if of_file else ''
        found = None if text in MISSING else self._match(name, row, 'session_id', self._sessions)
        if of_file and found != of_file:
            self._problems.stop(
                name, f'is of another session than the name of the file, {of_file}', 'Correct one of them',
                column='session_id', row=row.number, value=text,
            )  # fmt: skip
        if not found:
            known = ', '.join(self._sessions.known)
            self._problems.warn(
                name, f'no session of the trial, which has {known}', 'row not used',
                column='session_id', row=row.number, value=text,
            )  # fmt: skip
        return found or None

    def _match(self, name: str, row: TextRow, column: str, labels: Labels) -> str:
        """Return the label that a cell means, empty when it is unknown."""
        text = row.cells[column]
        found = labels.find(text)
        if len(found) > 1:
            self._problems.stop(
                name, f'could be {" or ".join(found)}', 'Write the one that is meant',
                column=column, row=row.number, value=text,
            )  # fmt: skip
        elif found and found[0] != labels.full(text):
            about = {'participant_id': found[0]} if column == 'participant_id' else {'session_id': found[0]}
            self._problems.warn(
                name, 'spelled otherwise than in the dataset', 'matched as shown; check that it is right',
                column=column, row=row.number, value=text, **about,
            )  # fmt: skip
        return found[0] if found else ''

    def _count_bare(self, table: Table) -> None:
        """Say once of a table how many of its ids lack ``sub-``."""
        texts = [(row.number, row.cells['participant_id']) for row in table.rows]
        bare = [number for number, text in texts if text not in MISSING and not text.startswith('sub-')]
        if bare:
            self._problems.warn(
                table.name, 'ids without sub-', 'read as if sub- stood before them',
                column='participant_id', row=bare[0], value=f'{len(bare)} of {len(texts)} rows',
            )  # fmt: skip

    def _without_twins(self, name: str, records: Iterable[Record]) -> list[Record]:
        """Return the first record of each participant, session and time; a second one stops."""
        first: dict[tuple[str, str, str], Record] = {}
        for record in records:
            key = (record.participant_id, record.session_id, record.time.casefold())
            twin = first.setdefault(key, record)
            if twin is not record:
                about = ' '.join(part for part in (record.session_id, record.time) if part)
                of = f' of {about}' if about else ''
                self._problems.stop(
                    name, f'a second row{of} of this participant, whose first is row {twin.row.number}',
                    'Keep one of them; rows of several visits need a column session_id', participant_id=record.participant_id, row=record.row.number,
                    value=record.row.cells.get('participant_id', ''),
                )  # fmt: skip
        return list(first.values())
