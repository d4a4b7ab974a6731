"""One outcome through its models: rows of the table of effects."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from pipelines.errors import DataError
from pipelines.terms import (
    DISCRETE_MODELS,
    EFFECT_SCALES,
    MAIN,
    PRIMARY_MODEL,
    SENSITIVITY,
    SigmaChoice,
    split_flags,
    unusable_flags,
)

from .change import ancova
from .design import Outcome, OutcomesDesign
from .discrete.binary import compare_binary
from .discrete.bounded import compare_bounded
from .discrete.ordinal import compare_ordinal
from .discrete.people import Groups
from .discrete.rates import compare_rates
from .discrete.results import DiscreteFit
from .longitudinal.trial import TrialFit, fit_trial
from .longitudinal.trial_design import TrialModel
from .outcome_data import OutcomeData, arrange_outcome
from .outcome_rows import EffectPlace, OutcomeRows, Row

_LORD = (
    'arms were not allocated by chance: where they differ at baseline, regression to the mean gives a difference '
    'at follow-up between arms that are both stable'
)


def model_outcome(
    own: pd.DataFrame, people: pd.DataFrame, outcome: Outcome, design: OutcomesDesign
) -> list[Row]:
    """Fit every model of an outcome; see :func:`~pipelines.stats.outcomes.model_outcomes`."""
    data = arrange_outcome(own, people, outcome, design)
    match outcome.kind:
        case 'continuous':
            return [*_continuous(OutcomeRows(outcome, design, data), own, people)]
        case 'binary' | 'ordinal' | 'count':
            table = OutcomeRows(outcome, design, data)
            bare = _discrete(table, SENSITIVITY, _bare(data)) if data.covariates.size else ()
            return [*_discrete(table, MAIN, data), *bare]


def _bare(data: OutcomeData) -> OutcomeData:
    return OutcomeData(**{**vars(data), 'covariates': data.covariates[:, :0], 'dropped': ()})


def _continuous(table: OutcomeRows, own: pd.DataFrame, people: pd.DataFrame) -> Iterator[Row]:
    outcome, design, data = table.outcome, table.design, table.data
    fit, rows = _longitudinal(table, MAIN, PRIMARY_MODEL)
    yield from rows
    if fit is not None:
        yield from _longitudinal(table, SENSITIVITY, f'clda_{fit.other_choice}', fit.other_choice)[1]
    if data.baseline is not None:
        yield from _ancovas(table, 'ancova', interaction=False)
        yield from _ancovas(table, 'ancova_interaction', interaction=True)
    yield from _longitudinal(OutcomeRows(outcome, design, _bare(data)), SENSITIVITY, 'clda_unadjusted')[1]
    for model, values, known in _variants(own, people):
        yield from _longitudinal(
            OutcomeRows(outcome, design, arrange_outcome(values, known, outcome, design)), SENSITIVITY, model
        )[1]


def _variants(own: pd.DataFrame, people: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Yield the sensitivity analyses of scans: head motion as a covariate, and without flagged ones."""
    if 'mean_fd' in own and own['mean_fd'].notna().any():
        motion = own.groupby('participant_id')['mean_fd'].mean()
        yield 'clda_mean_fd', own, people.assign(mean_fd=people['participant_id'].map(motion))
    is_flagged = own['flags'].map(lambda cell: bool(unusable_flags(split_flags(cell))))
    if is_flagged.any():
        yield 'clda_unflagged', own.assign(value=own['value'].mask(is_flagged)), people


def _longitudinal(
    table: OutcomeRows, analysis: str, model: str, sigma: SigmaChoice | None = None
) -> tuple[TrialFit | None, list[Row]]:
    """Return the fit of all visits together and its rows; arms that have nobody are said to have nobody."""
    data, design = table.data, table.design
    present = [0, *(a for a in range(1, len(design.treated) + 1) if (data.arm == a).any())]
    chosen = data.of_arms(*present)
    names = (design.control, *design.treated)
    asked = TrialModel(
        is_randomised=design.is_randomised, has_baseline=data.baseline is not None,
        primary=data.primary, sigma=sigma, is_equally_spaced=_is_even(data),
        arms=tuple(names[a] for a in present), visits=tuple(visit.name for visit in data.visits),
    )  # fmt: skip
    try:
        fit = fit_trial(chosen.values, chosen.arm, chosen.covariates, asked)
    except DataError as error:
        return None, table.refused(analysis, model, str(error))
    found = {(present[e.arm], e.visit): e.effect for e in fit.effects}
    reasons = {(present[m.arm], m.visit): m.reason for m in fit.not_estimated if m.arm is not None}
    rows = []
    for place in table.places(analysis, model):
        effect = found.get((place.arm, place.visit))
        if effect is None:
            reason = reasons.get((place.arm, place.visit), f'nobody is in {names[place.arm]}')
            rows.append(table.row(place, None, reason))
        else:
            rows.append(table.row(place, effect, fit.note, **table.size(effect, place.visit)))
    return fit, rows


def _is_even(data: OutcomeData) -> bool:
    """Return whether visits follow each other at equal distances, as far as the trial says when they are."""
    times = [visit.time for visit in data.visits]
    known = [time for time in times if time is not None]
    return len(known) == len(times) > 2 and bool(np.allclose(np.diff(known), np.diff(known)[0]))


def _ancovas(table: OutcomeRows, model: str, *, interaction: bool) -> Iterator[Row]:
    """Yield each treated arm against control among people with the baseline and the primary visit."""
    data = table.data
    for place in table.places(SENSITIVITY, model, [data.primary]):
        two = data.of_arms(0, place.arm)
        pairs = OutcomeRows(table.outcome, table.design, _paired(data))
        ends = two.values[:, 0], two.values[:, data.primary]
        try:
            found = ancova(*ends, two.arm, two.covariates, interaction=interaction)
        except DataError as error:
            yield pairs.row(place, None, str(error))
            continue
        note = '' if table.design.is_randomised else _LORD
        yield pairs.row(place, found.effect, note, **table.size(found.effect, place.visit))


def _paired(data: OutcomeData) -> OutcomeData:
    """Return the values of people with baseline and primary visit, so that only they are counted."""
    lacks = np.isnan(data.values[:, 0] + data.values[:, data.primary])
    return OutcomeData(**{**vars(data), 'values': np.where(lacks[:, None], np.nan, data.values)})


def _discrete(table: OutcomeRows, analysis: str, data: OutcomeData) -> Iterator[Row]:
    """Yield ratio and difference of every arm at every visit on its own."""
    fits: dict[int, DiscreteFit | str] = {}
    compare = _comparison(table.outcome)
    for visit in data.followups:
        groups = Groups(
            outcome=data.values[:, visit], arm=data.arm, baseline=data.before, covariates=data.covariates,
            is_randomised=table.design.is_randomised,
        )  # fmt: skip
        try:
            fits[visit] = compare(groups, None if data.exposure is None else data.exposure[:, visit])
        except DataError as error:
            fits[visit] = str(error)
    shown = OutcomeRows(table.outcome, table.design, data)
    model = _usual_model(table.outcome) if analysis == MAIN else 'discrete_unadjusted'
    for place in shown.places(analysis, model):
        yield from _discrete_rows(shown, place, fits[place.visit])


def _comparison(outcome: Outcome) -> Callable[[Groups, Any], DiscreteFit]:
    match outcome.kind:
        case 'binary':
            return lambda groups, _: compare_binary(groups)
        case 'ordinal':
            return lambda groups, _: (
                compare_ordinal(groups, responder=_responder(outcome), levels=_levels(outcome)).fit
            )
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


def _responder(outcome: Outcome) -> float:
    if outcome.threshold is None:
        raise DataError(f'{outcome.name} has no Responder, the level from which on people count')
    return outcome.threshold


def _discrete_rows(table: OutcomeRows, place: EffectPlace, fit: DiscreteFit | str) -> Iterator[Row]:
    if isinstance(fit, str):
        yield table.row(place, None, fit)
        return
    if place.analysis == MAIN:
        place = place._replace(model=DISCRETE_MODELS[fit.model].name)
    note = '; '.join(fit.notes)
    contrast = next((found for found in fit.contrasts if found.arm == place.arm), None)
    if contrast is None:
        yield table.row(place, None, '; '.join(fit.notes) or 'this arm cannot be compared with control')
        return
    for scale, effect in ((fit.ratio_scale, contrast.log_ratio), (fit.difference_scale, contrast.difference)):
        more: Row = {'scale': scale, 'units': ''}
        if EFFECT_SCALES[scale].is_ratio and effect is not None:
            ends = np.exp([effect.estimate, effect.ci_low, effect.ci_high]).tolist()
            more |= dict(zip(('ratio', 'ratio_ci_low', 'ratio_ci_high'), ends))
        yield table.row(place, effect, note, **more)
