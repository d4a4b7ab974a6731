"""One outcome through its models: rows of the table of effects."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipelines.errors import DataError
from pipelines.terms import (
    DIFFERENCE,
    DISCRETE_MODELS,
    EFFECT_SCALES,
    MAIN,
    MODELS,
    PRIMARY_MODEL,
    SENSITIVITY,
    SigmaChoice,
    join_flags,
    raised,
    split_flags,
    unusable_flags,
)

from .change import ancova
from .describe import hedges, in_spreads_of_control
from .design import Outcome, OutcomesDesign
from .discrete.binary import compare_binary
from .discrete.bounded import compare_bounded
from .discrete.ordinal import compare_ordinal
from .discrete.people import Groups
from .discrete.rates import compare_rates
from .discrete.results import DiscreteFit
from .estimate import Estimate
from .longitudinal.trial import TrialFit, fit_trial
from .longitudinal.trial_design import TrialModel
from .outcome_data import Arranged, arrange

EFFECT_COLUMNS = (
    'outcome', 'analysis', 'model', 'scale', 'arm', 'visit', 'is_primary', 'n_treatment', 'n_control',
    'n_treatment_seen', 'n_control_seen', *Estimate._fields, 'p_adjusted', 'adjustment', 'ratio', 'ratio_ci_low',
    'ratio_ci_high', 'effect_size', 'effect_ci_low', 'effect_ci_high', 'units', 'flags', 'note',
)  # fmt: skip

_LORD = (
    'arms were not allocated by chance: where they differ at baseline, regression to the mean gives a difference '
    'at follow-up between arms that are both stable'
)

Row = dict[str, Any]


def model_name(model: str) -> str:
    """Return the name of a model of outcomes; an unknown one is refused."""
    return (DISCRETE_MODELS if model in DISCRETE_MODELS else MODELS)[model].name


class Place(NamedTuple):
    """Which comparison a row is of: an analysis and its model, a treated arm by its code, a visit by its column."""

    analysis: str
    model: str
    arm: int
    visit: int


class Table:
    """Rows of one outcome.

    Parameters
    ----------
    outcome, design
        What is compared.
    data
        Its values.

    """

    def __init__(self, outcome: Outcome, design: OutcomesDesign, data: Arranged) -> None:
        self.outcome, self.design, self.data = outcome, design, data

    def row(self, place: Place, effect: Estimate | None, note: str = '', **more: Any) -> Row:
        """Return a row; without an effect it says why in ``note``."""
        flags = [f'dropped:{name}' for name in self.data.dropped]
        known, treated, control = self.data.is_complete, self.data.arm == place.arm, self.data.arm == 0
        seen = ~np.isnan(self.data.values)
        incomplete = seen.any(axis=1) & ~known & (treated | control)
        flags += raised(not_estimated=effect is None, covariate_missing=bool(incomplete.any()))
        used = known & seen.any(axis=1)
        counts = {
            'n_treatment': int((used & treated).sum()),
            'n_control': int((used & control).sum()),
            'n_treatment_seen': int((known & seen[:, place.visit] & treated).sum()),
            'n_control_seen': int((known & seen[:, place.visit] & control).sum()),
        }
        return {
            'outcome': self.outcome.name,
            'analysis': place.analysis,
            'model': place.model,
            'scale': DIFFERENCE,
            'arm': self.design.treated[place.arm - 1],
            'visit': self.data.visits[place.visit].name,
            'is_primary': place.visit == self.data.primary,
            **counts,
            **({} if effect is None else effect._asdict()),
            'units': self.outcome.units,
            'flags': join_flags(flags),
            'note': note,
            **more,
        }

    def size(self, effect: Estimate, visit: int) -> Row:
        """Return an effect in standard deviations, nothing where there are none to divide by."""
        try:
            before = self.data.before
            if before is None:
                found = in_spreads_of_control(effect, self.data.values[self.data.arm == 0, visit])
            else:
                found = hedges(effect, before, self.data.arm)
        except DataError:
            return {}
        return {'effect_size': found.g, 'effect_ci_low': found.ci_low, 'effect_ci_high': found.ci_high}

    def places(self, analysis: str, model: str, visits: list[int] | None = None) -> Iterator[Place]:
        """Yield a place for every treated arm at some visits, by default all that arms are compared at."""
        for visit in self.data.followups if visits is None else visits:
            for arm in range(1, len(self.design.treated) + 1):
                yield Place(analysis, model_name(model), arm, visit)

    def refused(self, analysis: str, model: str, reason: str) -> list[Row]:
        """Return rows without numbers."""
        return [self.row(place, None, reason) for place in self.places(analysis, model)]


def model_outcome(
    own: pd.DataFrame, people: pd.DataFrame, outcome: Outcome, design: OutcomesDesign
) -> list[Row]:
    """Fit every model of an outcome; see :func:`~pipelines.stats.outcomes.model_outcomes`."""
    data = arrange(own, people, outcome, design)
    match outcome.kind:
        case 'continuous':
            return [*_continuous(Table(outcome, design, data), own, people)]
        case 'binary' | 'ordinal' | 'count':
            table = Table(outcome, design, data)
            bare = _discrete(table, SENSITIVITY, _bare(data)) if data.covariates.size else ()
            return [*_discrete(table, MAIN, data), *bare]


def _bare(data: Arranged) -> Arranged:
    return Arranged(**{**vars(data), 'covariates': data.covariates[:, :0], 'dropped': ()})


def _continuous(table: Table, own: pd.DataFrame, people: pd.DataFrame) -> Iterator[Row]:
    outcome, design, data = table.outcome, table.design, table.data
    fit, rows = _longitudinal(table, MAIN, PRIMARY_MODEL)
    yield from rows
    if fit is not None:
        yield from _longitudinal(table, SENSITIVITY, f'clda_{fit.other_choice}', fit.other_choice)[1]
    if data.baseline is not None:
        yield from _ancovas(table, 'ancova', interaction=False)
        yield from _ancovas(table, 'ancova_interaction', interaction=True)
    yield from _longitudinal(Table(outcome, design, _bare(data)), SENSITIVITY, 'clda_unadjusted')[1]
    for model, values, known in _variants(own, people):
        yield from _longitudinal(
            Table(outcome, design, arrange(values, known, outcome, design)), SENSITIVITY, model
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
    table: Table, analysis: str, model: str, sigma: SigmaChoice | None = None
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


def _is_even(data: Arranged) -> bool:
    """Return whether visits follow each other at equal distances, as far as the trial says when they are."""
    times = [visit.time for visit in data.visits]
    known = [time for time in times if time is not None]
    return len(known) == len(times) > 2 and bool(np.allclose(np.diff(known), np.diff(known)[0]))


def _ancovas(table: Table, model: str, *, interaction: bool) -> Iterator[Row]:
    """Yield each treated arm against control among people with the baseline and the primary visit."""
    data = table.data
    for place in table.places(SENSITIVITY, model, [data.primary]):
        two = data.of_arms(0, place.arm)
        pairs = Table(table.outcome, table.design, _paired(data))
        ends = two.values[:, 0], two.values[:, data.primary]
        try:
            found = ancova(*ends, two.arm, two.covariates, interaction=interaction)
        except DataError as error:
            yield pairs.row(place, None, str(error))
            continue
        note = '' if table.design.is_randomised else _LORD
        yield pairs.row(place, found.effect, note, **table.size(found.effect, place.visit))


def _paired(data: Arranged) -> Arranged:
    """Return the values of people with baseline and primary visit, so that only they are counted."""
    lacks = np.isnan(data.values[:, 0] + data.values[:, data.primary])
    return Arranged(**{**vars(data), 'values': np.where(lacks[:, None], np.nan, data.values)})


def _discrete(table: Table, analysis: str, data: Arranged) -> Iterator[Row]:
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
    shown = Table(table.outcome, table.design, data)
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


def _discrete_rows(table: Table, place: Place, fit: DiscreteFit | str) -> Iterator[Row]:
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
