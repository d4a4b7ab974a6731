"""Ordered levels: a common odds ratio, and the difference in being at a level or above."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from pipelines.errors import DataError

from ..estimate import Estimate, t_estimate
from .binary import expect_events, profile_firth, wald
from .cumulative import Levels
from .logistic import Events
from .people import Compared, Groups, arrange_groups
from .profile import profile_estimate
from .results import Comparison, DiscreteFit, collect_contrasts, tally_levels
from .solving import LikelihoodFit, fit_or_penalise, fit_penalised
from .standardise import Expected, leverages, standardise

Array = NDArray[Any]


class Parallel(NamedTuple):
    """Score test that arms have the same odds ratio at every cut: chi squared."""

    statistic: float
    df: int
    p: float


class OrdinalFit(NamedTuple):
    """A comparison of levels.

    Attributes
    ----------
    fit
        Common odds ratios, and differences in being at ``responder`` or above.
    responder
        The level from which on people count as responders.
    cuts
        Odds ratios at every cut on their own: ``cut`` (level or above), ``arm``, ``model`` and the columns of
        :class:`~pipelines.stats.estimate.Estimate`, logarithms.
    parallel
        None with two levels, or where levels separate.

    """

    fit: DiscreteFit
    responder: float
    cuts: pd.DataFrame
    parallel: Parallel | None


def compare_ordinal(
    groups: Groups, *, responder: float, levels: Sequence[float] | None = None, words: Sequence[str] = ()
) -> OrdinalFit:
    r"""Compare the levels of an ordered outcome in each arm and in control.

    Parameters
    ----------
    groups
        The outcome is one of the levels; the baseline enters as its number.
    responder
        Level of which, or above, the risk is compared.
    levels
        All that can be, as numbers in their order; by default those that somebody has.
    words
        What notes call the levels; empty: by their numbers.

    Returns
    -------
    OrdinalFit
        Log common odds ratios above 0 mean higher levels.

    Raises
    ------
    DataError
        An outcome is none of the levels, everyone has the same, the responder is none of the levels or the
        lowest, or what :func:`~.people.arrange_groups` refuses.

    Notes
    -----
    :math:`\mathrm{logit} P(y_i \ge k) = \alpha_k + \tau_{a_i} + c'x_i`, maximum likelihood, observed information;
    Wald, normal.  Where levels separate: Jeffreys' penalty and its profile.  Levels that nobody has take no part.
    The difference in :math:`P(y \ge responder)` is by :func:`~.standardise.standardise`, in a randomised trial
    corrected for what proportional odds get wrong; where levels separate it is as for
    :func:`~.binary.compare_binary`.  ``parallel`` is the score test against odds ratios of the arms
    that differ between cuts, and ``cuts`` has those ratios, each by logistic regression of its own.

    Examples
    --------
    >>> level, arm = [0, 0, 1, 2, 0, 1, 1, 0, 1, 2, 2, 1, 0, 2], [0] * 7 + [1] * 7
    >>> found = compare_ordinal(Groups(outcome=level, arm=arm), responder=1)
    >>> [len(found.cuts), found.parallel.df, round(found.fit.contrasts[0].difference.estimate, 6)]
    [2, 1, 0.142857]

    """
    people = arrange_groups(groups)
    seen = np.unique(people.outcome)
    if len(seen) < 2:
        raise DataError(
            f'the outcome is {seen[0]:g} for all {len(people.outcome)}: there is nothing to compare'
        )
    offered = _offered(seen, levels)
    if responder not in offered[1:]:
        raise DataError(
            f'responder {responder:g} is no level above the lowest; levels: {", ".join(f"{x:g}" for x in offered)}'
        )
    names = words or [f'level {level:g}' for level in offered]
    notes = [f'nobody is at {name}' for level, name in zip(offered, names, strict=True) if level not in seen]
    data = Levels(np.searchsorted(seen, people.outcome), proportional_design(people, len(seen) - 1))
    fit, is_penalised = fit_or_penalise(data)
    places = range(len(seen) - 1, len(seen) - 2 + len(people.arms))
    ratios = [_common_ratio(data, fit, place, is_penalised=is_penalised) for place in places]
    event = people._replace(outcome=(people.outcome >= responder).astype(float))
    cut = int(np.searchsorted(seen, responder))
    if is_penalised and np.ptp(event.outcome) > 0:
        expected = _expect_alone(event)
    else:
        expected = _expect(event, data, fit, cut)
    marginal = standardise(event, expected)
    kind = Comparison(
        'proportional_odds' + '_penalised' * is_penalised, 'common_odds_ratio', 'risk_difference'
    )
    found = collect_contrasts(kind, people, ratios, marginal, tally_levels(people, offered), notes)
    parallel = None if is_penalised or len(seen) < 3 else check_parallel(people, data, fit)
    return OrdinalFit(found, responder, odds_at_cuts(people, seen), parallel)


def _offered(seen: Array, levels: Sequence[float] | None) -> Array:
    offered = seen if levels is None else np.asarray(levels, float)
    if np.any(np.diff(offered) <= 0):
        raise DataError('levels are to be given in rising order, each once')
    strange = seen[~np.isin(seen, offered)]
    if len(strange):
        allowed = ', '.join(f'{level:g}' for level in offered)
        raise DataError(f'an outcome is {strange[0]:g}; allowed: {allowed}')
    return offered


def proportional_design(people: Compared, n_cuts: int, place: int | None = None) -> Array:
    """Return (n, n_cuts, n_cuts + columns): an intercept per cut, and arms and adjusters alike at every cut."""
    columns = people.design_in(place)[:, 1:]
    intercepts = np.broadcast_to(np.eye(n_cuts), (len(columns), n_cuts, n_cuts))
    return np.concatenate([intercepts, np.repeat(columns[:, None], n_cuts, axis=1)], axis=2)


def _common_ratio(data: Levels, fit: LikelihoodFit, place: int, *, is_penalised: bool) -> Estimate:
    estimate, se = float(fit.coefficients[place]), float(np.sqrt(fit.covariance[place, place]))
    if not is_penalised:
        return t_estimate(estimate, se, np.inf)
    return profile_estimate(estimate, se, lambda value: fit_penalised(data, (place, value)).log_likelihood)


def _expect(people: Compared, data: Levels, fit: LikelihoodFit, cut: int) -> Expected:
    """Return the risk of each person in each arm to be above a cut, counted from 1."""
    n, n_cuts, p = data.design.shape
    arms = range(len(people.arms))
    if not 1 <= cut <= n_cuts:
        sure = np.full((n, len(arms)), float(cut < 1))
        return Expected(sure, np.zeros((len(arms), p)), np.zeros((n, p)), np.zeros(n))
    designs = [proportional_design(people, n_cuts, place)[:, cut - 1] for place in arms]
    risks = np.column_stack([special.expit(design @ fit.coefficients) for design in designs])
    slopes = [(risk * (1 - risk)) @ design / n for risk, design in zip(risks.T, designs)]
    own = risks[np.arange(n), people.arm]
    influence = data.scores(fit.coefficients)[0] @ fit.covariance
    return Expected(risks, np.array(slopes), influence, leverages(people.design_in(), own * (1 - own)))


def _expect_alone(event: Compared) -> Expected:
    """Return the risk by logistic regression of the event, which asks nothing of other levels."""
    data = Events(event.design_in(), event.outcome, event.exposure)
    fit, is_separated = fit_or_penalise(data)
    return expect_events(event, data, fit, is_shrunken=is_separated)


def check_parallel(people: Compared, data: Levels, fit: LikelihoodFit) -> Parallel:
    r"""Test whether the odds ratios of the arms are the same at every cut.

    Parameters
    ----------
    people, data, fit
        Of the model with proportional odds, at its maximum.

    Notes
    -----
    Score test :math:`U' I^{-1} U` of the (n_levels - 2) (n_arms - 1) differences between the first cut and the
    others, with the expected information of the larger model [1]_.

    References
    ----------
    .. [1] Peterson B, Harrell FE. Partial proportional odds models for ordinal response variables. J R Stat Soc
       C 1990;39:205-217.

    """
    n, n_cuts, _ = data.design.shape
    dummies = people.design_in()[:, 1 : len(people.arms)]
    # columns of arms that count at one cut only, the first left out
    own = np.einsum('kc,ia->ikca', np.eye(n_cuts)[:, 1:], dummies).reshape(n, n_cuts, -1)
    larger = Levels(data.levels, np.concatenate([data.design, own], axis=2))
    at = np.concatenate([fit.coefficients, np.zeros(own.shape[2])])
    total = larger.scores(at)[0].sum(axis=0)
    statistic = float(total @ np.linalg.solve(larger.information(at), total))
    df = own.shape[2]
    return Parallel(statistic, df, float(stats.chi2.sf(statistic, df)))


def odds_at_cuts(people: Compared, seen: Array) -> pd.DataFrame:
    """Return the odds ratio of each arm at each cut, by logistic regression of its own."""
    rows = []
    for cut in seen[1:]:
        data = Events(people.design_in(), (people.outcome >= cut).astype(float), people.exposure)
        fit, is_separated = fit_or_penalise(data)
        for place, code in enumerate(people.arms[1:], 1):
            ratio = profile_firth(data, fit, place) if is_separated else wald(fit, place)
            model = 'logistic_firth' if is_separated else 'logistic'
            rows.append({'cut': cut, 'arm': int(code), 'model': model, **ratio._asdict()})
    return pd.DataFrame(rows)
