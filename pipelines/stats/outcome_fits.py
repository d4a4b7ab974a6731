"""One outcome through its models: rows of the table of effects."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from pipelines.errors import DataError
from pipelines.terms import MAIN, PRIMARY_MODEL, SENSITIVITY, SigmaChoice, split_flags, unusable_flags

from .change import ancova
from .design import Outcome, OutcomesDesign
from .discrete_rows import discrete_rows
from .longitudinal.trial import TrialFit, fit_trial
from .longitudinal.trial_design import TrialModel
from .outcome_data import OutcomeData, arrange_outcome
from .outcome_rows import LORD, OutcomeRows, Row


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
            bare = discrete_rows(table, SENSITIVITY, _bare(data)) if data.covariates.size else ()
            return [*discrete_rows(table, MAIN, data), *bare]


def _bare(data: OutcomeData) -> OutcomeData:
    return OutcomeData(
        **{
            **vars(data),
            'covariates': data.covariates[:, :0],
            'dropped': (),
            'sites': None,
            'has_sites': False,
        }
    )


def _all_visits(
    own: pd.DataFrame, people: pd.DataFrame, outcome: Outcome, design: OutcomesDesign
) -> OutcomeRows:
    """Return the values as the model of all visits takes them, to which sites can be a sample of sites."""
    is_sample = design.sites is not None and design.sites.use == 'random'
    return OutcomeRows(
        outcome, design, arrange_outcome(own, people, outcome, design, are_sites_random=is_sample)
    )


def _continuous(table: OutcomeRows, own: pd.DataFrame, people: pd.DataFrame) -> Iterator[Row]:
    outcome, design, data = table.outcome, table.design, table.data
    every = _all_visits(own, people, outcome, design)
    fit, rows = _longitudinal(every, MAIN, PRIMARY_MODEL)
    yield from rows
    if fit is not None:
        yield from _longitudinal(every, SENSITIVITY, f'clda_{fit.other_choice}', fit.other_choice)[1]
    if data.baseline is not None:
        yield from _ancovas(table, 'ancova', interaction=False)
        yield from _ancovas(table, 'ancova_interaction', interaction=True)
    yield from _longitudinal(OutcomeRows(outcome, design, _bare(data)), SENSITIVITY, 'clda_unadjusted')[1]
    for model, values, known in _variants(own, people):
        yield from _longitudinal(_all_visits(values, known, outcome, design), SENSITIVITY, model)[1]


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
        fit = fit_trial(chosen.values, chosen.arm, chosen.covariates, asked, chosen.sites)
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
    pairs = OutcomeRows(table.outcome, table.design, data.complete_at(data.primary))
    for place in table.places(SENSITIVITY, model, [data.primary]):
        two = data.of_arms(0, place.arm)
        ends = two.values[:, 0], two.values[:, data.primary]
        try:
            found = ancova(*ends, two.arm, two.covariates, interaction=interaction)
        except DataError as error:
            yield pairs.row(place, None, str(error))
            continue
        note = '' if table.design.is_randomised else LORD
        yield pairs.row(place, found.effect, note, **table.size(found.effect, place.visit))
