"""An outcome that is no measurement, visit by visit: rows of the table of effects."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pipelines.errors import DataError
from pipelines.terms import DISCRETE_MODELS, EFFECT_SCALES, MAIN, PRIMARY_MODEL

from .design import Outcome
from .discrete.binary import compare_binary
from .discrete.bounded import compare_bounded
from .discrete.ordinal import compare_ordinal
from .discrete.people import Groups
from .discrete.rates import compare_rates
from .discrete.results import DiscreteFit
from .outcome_data import OutcomeData
from .outcome_rows import LORD, EffectPlace, OutcomeRows, Row


def discrete_rows(table: OutcomeRows, analysis: str, data: OutcomeData) -> Iterator[Row]:
    """Yield ratio and difference of every arm at every visit on its own."""
    fits: dict[int, DiscreteFit | str] = {}
    compare = _comparison(table.outcome)
    for visit in data.followups:
        groups = Groups(
            outcome=data.values[:, visit], arm=data.arm, baseline=data.before, covariates=data.covariates,
            is_randomised=table.design.is_randomised, names=(table.design.control, *table.design.treated),
        )  # fmt: skip
        try:
            fits[visit] = compare(groups, None if data.exposure is None else data.exposure[:, visit])
        except DataError as error:
            fits[visit] = str(error)
    model = _usual_model(table.outcome) if analysis == MAIN else 'discrete_unadjusted'
    for place in table.places(analysis, model):
        # of a visit on its own those count who were seen at it
        shown = OutcomeRows(table.outcome, table.design, data.complete_at(place.visit))
        yield from _discrete_rows(shown, place, fits[place.visit])


def _comparison(outcome: Outcome) -> Callable[[Groups, Any], DiscreteFit]:
    match outcome.kind:
        case 'binary':
            return lambda groups, _: compare_binary(groups)
        case 'ordinal':
            return lambda groups, _: _compare_levels(outcome, groups)
        case 'count' if outcome.maximum is not None:
            return lambda groups, _: compare_bounded(groups, maximum=float(outcome.maximum or 0))
        case 'count':
            return compare_rates
        case 'continuous':
            raise ValueError('a continuous outcome has a model of all visits')


def _usual_model(outcome: Outcome) -> str:
    match outcome.kind:
        case 'binary':
            return 'logistic'
        case 'ordinal':
            return 'proportional_odds'
        case 'count':
            return 'negative_binomial' if outcome.maximum is None else 'quasi_binomial'
        case 'continuous':
            return PRIMARY_MODEL


def _levels(outcome: Outcome) -> list[float] | None:
    return [float(level) for level in range(1, len(outcome.levels) + 1)] or None


def _compare_levels(outcome: Outcome, groups: Groups) -> DiscreteFit:
    """Compare levels; without one from which on people count there is no share to compare."""
    levels, words = _levels(outcome), [f'the level "{word}"' for word in outcome.levels]
    if outcome.threshold is not None:
        return compare_ordinal(groups, responder=outcome.threshold, levels=levels, words=words).fit
    seen = np.unique(np.asarray(groups.outcome)[~np.isnan(groups.outcome)])
    # any level does: the odds ratio knows of none
    highest = float(seen[-1]) if len(seen) else np.nan
    fit = compare_ordinal(groups, responder=highest, levels=levels, words=words).fit
    return fit._replace(contrasts=tuple(found._replace(difference=None) for found in fit.contrasts))


def _discrete_rows(table: OutcomeRows, place: EffectPlace, fit: DiscreteFit | str) -> Iterator[Row]:
    if isinstance(fit, str):
        yield table.row(place, None, fit)
        return
    if place.analysis == MAIN:
        place = place._replace(model=DISCRETE_MODELS[fit.model].name)
    unlike = () if table.design.is_randomised or table.data.before is None else (LORD,)
    notes = [*fit.notes, *unlike]
    note = '; '.join(notes)
    contrast = next((found for found in fit.contrasts if found.arm == place.arm), None)
    if contrast is None:
        yield table.row(place, None, note or 'this arm cannot be compared with control')
        return
    scales = [(fit.ratio_scale, contrast.log_ratio), (fit.difference_scale, contrast.difference)]
    if table.outcome.kind == 'ordinal' and table.outcome.threshold is None:
        scales, note = scales[:1], '; '.join([*notes, 'no Responder is named, whose share could be compared'])
    for scale, effect in scales:
        more: Row = {'scale': scale, 'units': ''}
        if EFFECT_SCALES[scale].is_ratio and effect is not None:
            ends = np.exp([effect.estimate, effect.ci_low, effect.ci_high]).tolist()
            more |= dict(zip(('ratio', 'ratio_ci_low', 'ratio_ci_high'), ends))
        yield table.row(place, effect, note, **more)
