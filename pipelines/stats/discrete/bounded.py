"""Counts that have a maximum (sessions attended): ratio of odds and difference in counts."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.errors import DataError

from ..describe import describe
from ..estimate import Estimate
from .binary import expect_events, wald
from .logistic import Events
from .people import Compared, Groups, arrange_groups
from .results import Comparison, DiscreteFit, collect_contrasts
from .solving import LikelihoodFit, fit_or_penalise
from .standardise import Marginal, standardise

Array = NDArray[Any]


def compare_bounded(groups: Groups, *, maximum: float, not_offered: Collection[int] = ()) -> DiscreteFit:
    r"""Compare counts out of a maximum in each arm and in control.

    Parameters
    ----------
    groups
        The outcome is a whole number from 0 to the maximum.
    maximum
        What could be counted of each person.
    not_offered
        Codes of arms that cannot have any; an arm without a single one is taken for such a one.

    Returns
    -------
    DiscreteFit
        Log ratios of the odds of each of the ``maximum``, and differences in counts.

    Raises
    ------
    DataError
        A count is not whole or beyond its limits, or what :func:`~.people.arrange_groups` refuses.

    Notes
    -----
    :math:`\mathrm{logit} E(y_i / m) = b_0 + \tau_{a_i} + c'x_i`, variance
    :math:`\phi m \pi (1 - \pi)`, :math:`\phi = \sum r_i^2 / (n - p)` of Pearson's residuals; t with n - p degrees
    of freedom.  Differences are m times those of :func:`~.standardise.standardise`, normal.  Arms that cannot have
    any are described; where control is one of them, there is nobody to compare with.  Where everybody of an arm
    has the maximum its ratio has no estimate, its difference has, and other arms are compared without it.

    Examples
    --------
    >>> found = compare_bounded(Groups(outcome=[4, 2, 3, 8, 6, 7], arm=[0, 0, 0, 1, 1, 1]), maximum=10)
    >>> found.contrasts[0].difference.estimate, round(found.contrasts[0].log_ratio.df)
    (4.0, 4)

    """
    people = arrange_groups(groups)
    if not (maximum > 0 and maximum % 1 == 0):
        raise DataError(f'a count has the maximum {maximum:g}; it is to be a whole number above 0')
    wrong = people.outcome[(people.outcome < 0) | (people.outcome > maximum) | (people.outcome % 1 != 0)]
    if len(wrong):
        raise DataError(f'a count is {wrong[0]:g}; allowed: whole numbers from 0 to {maximum:g}')
    described = describe_counts(people)
    places = range(len(people.arms))
    means = np.array([people.outcome[people.arm == place].mean() for place in places])
    can = np.array([place for place in places if means[place] > 0 and people.arms[place] not in not_offered])
    notes = [
        f'{people.names[place]} has none of what is counted, and is described only'
        for place in places
        if place not in can
    ]
    if 0 not in can or len(can) < 2:
        return _described_only(people, means, described, notes)
    compared = people.only(can)
    ratios, marginal, reasons = _compared(compared, maximum)
    kind = Comparison('quasi_binomial', 'odds_ratio_each', 'difference_of_counts')
    return collect_contrasts(kind, compared, ratios, marginal, described, [*notes, *reasons])


def _compared(people: Compared, maximum: float) -> tuple[Sequence[Estimate | None], Marginal, list[str]]:
    """Return log ratios, standardised counts, and why there is no ratio."""
    data = _counted(people, maximum)
    fit, _ = fit_or_penalise(data)
    # as shares of the maximum, of which each person has one
    shares = people._replace(outcome=people.outcome / maximum)
    share = data._replace(events=shares.outcome, trials=shares.exposure)
    expected = expect_events(
        people, share, fit._replace(covariance=fit.covariance * maximum), is_shrunken=False
    )
    marginal = standardise(shares, expected)
    marginal = Marginal(marginal.means * maximum, marginal.covariance * maximum**2)
    ratios, notes = _log_ratios(people, maximum)
    return ratios, marginal, notes


def _counted(people: Compared, maximum: float) -> Events:
    return Events(people.design_in(), people.outcome, np.full(len(people.outcome), float(maximum)))


def _log_ratios(people: Compared, maximum: float) -> tuple[list[Estimate | None], list[str]]:
    """Return log ratios of the arms that are below the maximum somewhere, and why others have none."""
    places = range(len(people.arms))
    below = np.array([place for place in places if (people.outcome[people.arm == place] < maximum).any()])
    found: list[Estimate | None] = [None] * (len(people.arms) - 1)
    notes = [
        f'{people.names[place]} has the maximum throughout: no ratio of odds can be estimated'
        for place in places
        if place not in below
    ]
    if 0 not in below or len(below) < 2:
        return found, notes
    data = _counted(people.only(below), maximum)
    fit, is_separated = fit_or_penalise(data)
    if is_separated:
        return found, [*notes, 'counts are all at a limit: no ratio of odds can be estimated']
    df = len(data.events) - data.design.shape[1]
    spread = _dispersion(data, fit, df)
    if spread == 0:
        return found, [*notes, 'counts do not vary: the ratio of odds has no standard error']
    for column, place in enumerate(below[1:], start=1):
        found[place - 1] = wald(fit, column, spread, df)
    return found, notes


def _dispersion(data: Events, fit: LikelihoodFit, df: int) -> float:
    weights = data.weights(fit.coefficients)
    risk = 1 / (1 + np.exp(-data.design @ fit.coefficients))
    squares = (data.events - data.trials * risk) ** 2 / weights
    return float(squares.sum() / df) if squares.max() > 1e-12 else 0.0


def _described_only(people: Compared, means: Array, described: pd.DataFrame, notes: list[str]) -> DiscreteFit:
    nobody = people.only(np.array([0]))
    marginal = Marginal(np.full(1, np.nan), np.full((1, 1), np.nan))
    kind = Comparison('described', 'odds_ratio_each', 'difference_of_counts')
    found = collect_contrasts(kind, nobody, [], marginal, described, [*notes, 'no two arms can be compared'])
    observed = found.means.copy()
    observed[people.arms] = means
    return found._replace(means=observed)


def describe_counts(people: Compared) -> pd.DataFrame:
    """Return ``arm``, ``total``, ``time`` at risk, and mean, spread and quartiles of each arm."""
    rows = []
    for place, code in enumerate(people.arms):
        members = people.arm == place
        values, time = people.outcome[members], people.exposure[members].sum()
        rows.append({'arm': int(code), 'total': values.sum(), 'time': time, **describe(values)})
    return pd.DataFrame(rows).drop(columns='n_missing')
