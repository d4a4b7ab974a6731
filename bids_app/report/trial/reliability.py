"""How far imaging outcomes can be trusted, and whose change is more than error."""

from typing import NamedTuple

from pipelines.terms import REPEATS

from ..read import TableRow
from .record import OutcomeRecord, TrialRecord
from .tables import GroupTables, rows_where


class PersonChange(NamedTuple):
    """One person's change, and whether it is beyond error by each kind of repetition of :class:`Reliability`."""

    participant_id: str
    page: str
    arm: str
    change: str
    beyond: list[str]


class Reliability(NamedTuple):
    """An imaging outcome: a row per kind of repetition, the kinds that have a detectable change, and everybody's change."""

    outcome: OutcomeRecord
    rows: list[tuple[str, TableRow]]
    kinds: list[tuple[str, str]]
    changes: list[PersonChange]

    @property
    def beyond(self) -> list[tuple[str, int]]:
        """Return how many people changed by more than error, by kind of repetition."""
        return [
            (title, sum(person.beyond[number] == 'yes' for person in self.changes))
            for number, (title, _) in enumerate(self.kinds)
        ]


def reliabilities(trial: TrialRecord, tables: GroupTables, pages: dict[str, str]) -> list[Reliability]:
    """Return the imaging outcomes whose reliability is known."""
    found = []
    for outcome in trial.outcomes:
        rows = rows_where(tables.get('reliability', ()), outcome=outcome.name)
        changes = rows_where(tables.get('reliable_changes', ()), outcome=outcome.name)
        named = [(REPEATS[row['repeated']].title, row) for row in rows]
        kinds = [(title, row['mdc']) for title, row in named if row['mdc'] != 'n/a']
        order = [row['repeated'] for _, row in named if row['mdc'] != 'n/a']
        if rows:
            found.append(Reliability(outcome, named, kinds, _people(changes, order, pages)))
    return found


def _people(changes: list[TableRow], order: list[str], pages: dict[str, str]) -> list[PersonChange]:
    people: dict[str, list[TableRow]] = {}
    for row in changes:
        people.setdefault(row['participant_id'], []).append(row)
    found = []
    for label, own in people.items():
        beyond = {row['repeated']: row['is_beyond'] for row in own}
        kinds = [beyond.get(kind, 'n/a') for kind in order]
        found.append(PersonChange(label, pages.get(label, ''), own[0]['arm'], own[0]['change'], kinds))
    return found
