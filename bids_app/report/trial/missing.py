"""The primary outcomes where values are missing, if they are not missing at random."""

from typing import NamedTuple

from pipelines import terms
from pipelines.terms import MISSING_ASSUMPTIONS, TIPPING_ENDS, Words

from ..read import TableRow
from ..words import number
from .contrasts import Effect
from .record import OutcomeRecord
from .tables import GroupTables, rows_where
from .words import significant


class TippingPoint(NamedTuple):
    """Whose values were shifted, and by how much until p was no longer below .05."""

    shifted: str
    arm: str
    delta: str
    about: str


class MissingShown(NamedTuple):
    """A primary outcome under each assumption, its tipping points, and why there are none if there are none."""

    outcome: OutcomeRecord
    assumptions: list[tuple[str, TableRow]]
    tipping: list[TippingPoint]
    reason: str


def missing_values(found: list[Effect], tables: GroupTables) -> list[MissingShown]:
    """Return what was found of each primary outcome, the first outcome where none is called so."""
    effects = [effect for effect in found if effect.outcome.role == 'primary'] or found[:1]
    shown = []
    for effect in effects:
        name = effect.outcome.name
        rows = rows_where(tables.get('missing', ()), outcome=name)
        assumptions = [(MISSING_ASSUMPTIONS[row['assumption']].title, row) for row in rows]
        tipping = [
            _tipping(row, effect.outcome) for row in rows_where(tables.get('tipping', ()), outcome=name)
        ]
        reason = '' if rows or tipping else _reason(effect, tables)
        shown.append(MissingShown(effect.outcome, assumptions, tipping, reason))
    return shown


def _tipping(row: TableRow, outcome: OutcomeRecord) -> TippingPoint:
    end = TIPPING_ENDS[row['end']]
    delta = number(row['delta'])
    value = end.title if delta is None else f'{significant(delta)} {outcome.units}'.strip()
    return TippingPoint(_shifted(row['shifted']), row['arm'], value, end.about)


def _shifted(name: str) -> str:
    """Return whose values were shifted in words, where there are words for it."""
    words: Words[terms.Term] | None = getattr(terms, 'SHIFTED_ARMS', None)
    return name.replace('_', ' ') if words is None else words[name].title


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
    return 'not computed in this run'
