"""The primary outcomes where values are missing, if they are not missing at random."""

from typing import NamedTuple

from pipelines.terms import MISSING_ASSUMPTIONS, SHIFTED_ARMS, TIPPING_ENDS

from ..read import TableRow
from ..words import number
from .contrasts import Effect
from .record import OutcomeRecord
from .tables import GroupTables, rows_where
from .words import significant


class ShownTipping(NamedTuple):
    """Whose values were shifted, and by how much until p was no longer below .05."""

    shifted: str
    arm: str
    delta: str
    about: str


class MissingShown(NamedTuple):
    """A primary outcome under each assumption and its tipping points; ``reason``: why there are none, if there are none."""

    outcome: OutcomeRecord
    assumptions: list[tuple[str, TableRow]]
    tipping: list[ShownTipping]
    reason: str
    notes: list[str]


def missing_values(found: list[Effect], tables: GroupTables) -> list[MissingShown]:
    """Return what was found of each primary outcome, the first outcome where none is called so."""
    effects = [effect for effect in found if effect.outcome.role == 'primary'] or found[:1]
    shown = []
    for effect in effects:
        name = effect.outcome.name
        rows = rows_where(tables.get('missing', ()), outcome=name)
        made = [row for row in rows if row['assumption'] != 'n/a']
        assumptions = [(MISSING_ASSUMPTIONS[row['assumption']].title, row) for row in made]
        tipping = [
            _tipping(row, effect.outcome) for row in rows_where(tables.get('tipping', ()), outcome=name)
        ]
        notes = dict.fromkeys(row['note'] for row in rows if row['note'] != 'n/a')
        reason = '' if made or tipping else '; '.join(notes) or _reason(effect, tables)
        shown.append(MissingShown(effect.outcome, assumptions, tipping, reason, list(notes) if made else []))
    return shown


def _tipping(row: TableRow, outcome: OutcomeRecord) -> ShownTipping:
    end = TIPPING_ENDS[row['end']]
    delta = number(row['delta'])
    value = end.title if delta is None else f'{significant(delta)} {outcome.units}'.strip()
    return ShownTipping(SHIFTED_ARMS[row['shifted']].title, row['arm'], value, end.about)


def _reason(effect: Effect, tables: GroupTables) -> str:
    outcome, first = effect.outcome, effect.primary[0]
    visit = first.visit
    rows = rows_where(tables.get('descriptives', ()), outcome=outcome.name, visit=visit.name)
    if rows and not any(number(row['n_missing']) for row in rows):
        return f'nobody lacks {outcome.title} at {visit.words}'
    if outcome.kind != 'continuous':
        return f'only continuous outcomes are imputed, and {outcome.title} is {outcome.kind}'
    if not outcome.has_baseline:
        return f'{outcome.title} has no baseline from which missing values could be imputed'
    if outcome.role != 'primary':
        return 'no outcome is called primary, and only primary outcomes are imputed'
    if outcome.lower_is_better is None:
        return f'the trial file does not say whether lower is better of {outcome.title}'
    return 'not computed in this run'
