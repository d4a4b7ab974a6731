"""Which mediation analyses of a trial can be made of what was measured, at which visits, and why others cannot."""

import logging
from collections.abc import Mapping, Sequence

from pipelines.errors import DataError
from pipelines.stats.design import GENE_SET, primary_visit
from pipelines.stats.mediation_design import Analysis
from pipelines.stats.mediation_visits import choose_visits
from pipelines.terms import MEASURES

from ..outputs.found import Results
from ..phenotype.parts import Trial
from ..phenotype.rnaseq import ExpressionPlan
from ..phenotype.tables import Tables
from ..phenotype.trial import DerivativeOutcome, Outcome

LOGGER = logging.getLogger(__name__)

_KINDS_OF_OUTCOMES = ('continuous', 'binary')


def choose_analyses(
    trial: Trial, outcomes: Sequence[Outcome], measured: Mapping[str, Sequence[str]], absent: dict[str, str]
) -> list[Analysis]:
    """Return the analyses whose variables exist and are in time, with their visits; ``absent`` gets why others are not.

    ``measured``: at which visits each outcome and gene set has values, see :func:`measured_visits`.
    """
    found = []
    for model in trial.mediation:
        reason = _reason(model, outcomes, measured)
        if not reason:
            outcome = trial.outcomes[model.outcome]
            try:
                primary = primary_visit(outcome, trial.visits).name
                found.append(choose_visits(model, measured, primary, trial.visits))
            except DataError as error:
                reason = str(error)
        if reason:
            absent[f'mediation {model.name}'] = reason
    left_out = [
        f'{key.split(maxsplit=1)[1]} ({why})' for key, why in absent.items() if key.startswith('mediation ')
    ]
    if left_out:
        LOGGER.warning('mediation analyses left out: %s', '; '.join(left_out))
    if not trial.mediation:
        absent['mediation'] = 'the trial file has no part Mediation'
    return found


def _reason(model: Analysis, outcomes: Sequence[Outcome], measured: Mapping[str, Sequence[str]]) -> str:
    """Return why the variables of an analysis make no model; empty where they do."""
    kinds = {outcome.name: outcome.kind for outcome in outcomes}
    missing = [name for name in (*model.mediators, model.outcome) if name not in measured]
    if missing:
        return f'there is no {" and no ".join(missing)}'
    odd = [
        f'{name} is {kind}'
        for name in model.mediators
        if (kind := kinds.get(name, 'continuous')) != 'continuous'
    ]
    if odd:
        return f'{" and ".join(odd)}, where the model of a mediator is of continuous values'
    if (kind := kinds[model.outcome]) not in _KINDS_OF_OUTCOMES:
        return (
            f'{model.outcome} is {kind}, where natural effects are computed of continuous and binary outcomes'
        )
    return ''


def measured_visits(
    trial: Trial,
    outcomes: Sequence[Outcome],
    tables: Tables,
    results: Results,
    expression: ExpressionPlan | None,
) -> dict[str, tuple[str, ...]]:
    """Return at which visits each outcome and gene set has values of anybody.

    A gene set has those of its last sample, none where that is of no visit of the trial.
    """
    names = {visit.session_id: visit.name for visit in trial.visits}
    seen = tables.outcomes[tables.outcomes['value'].notna()]
    found = {}
    for outcome in outcomes:
        if isinstance(outcome, DerivativeOutcome):
            own = {names.get(session) for session in _sessions(outcome.derivative, results)}
        else:
            own = set(seen.loc[seen['outcome'] == outcome.name, 'visit'])
        found[outcome.name] = tuple(visit for visit in outcome.visits if visit in own)
    if expression and trial.expression:
        last = names.get(trial.expression.visits[-1].session_id)
        found |= {f'{GENE_SET}{name}': (last,) if last else () for name in expression.sets}
    return found


def _sessions(derivative: str, results: Results) -> set[str]:
    """Return the sessions of which anybody has results of a measure."""
    if MEASURES[derivative].source == 'tract':
        return {tract.session_id for tract in results.tracts}
    return {scan.session_id for scan in results.scans if derivative not in scan.lacks}
