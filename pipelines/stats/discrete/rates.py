"""Counts without a maximum (events): ratio and difference of rates."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.errors import DataError

from ..estimate import Estimate, t_estimate
from .bounded import describe_counts
from .overdispersed import Counted, CountFit, fit_overdispersed
from .people import Compared, Groups, arrange_groups
from .results import Comparison, DiscreteFit, collect_contrasts
from .standardise import Expected, leverages, standardise

Array = NDArray[Any]


def compare_rates(groups: Groups, time: ArrayLike | None = None) -> DiscreteFit:
    r"""Compare how many events happen per unit of time at risk in each arm and in control.

    Parameters
    ----------
    groups
        The outcome is a whole number from 0 on.
    time
        (n,) at risk, above 0; NaN = missing.  None: the same for everyone, 1.

    Returns
    -------
    DiscreteFit
        Log rate ratios, and differences in rate.

    Raises
    ------
    DataError
        A count is not whole or below 0, a time is not above 0, nobody has an event, or what
        :func:`~.people.arrange_groups` refuses.

    Notes
    -----
    Model and covariance by :func:`~.overdispersed.fit_overdispersed`; normal, but t with n - p degrees of freedom for
    ``quasi_poisson``.  Differences by :func:`~.standardise.standardise`, in a randomised trial corrected for what
    the model gets wrong, normal.  An arm without a single event has the rate 0 and no ratio.

    Examples
    --------
    >>> found = compare_rates(Groups(outcome=[1, 0, 2, 1, 4, 2, 3, 3], arm=[0, 0, 0, 0, 1, 1, 1, 1]))
    >>> ratio, difference = found.contrasts[0].log_ratio, found.contrasts[0].difference
    >>> round(float(np.exp(ratio.estimate)), 6), round(difference.estimate, 6)
    (3.0, 2.0)

    """
    people = arrange_groups(groups, time)
    wrong = people.outcome[(people.outcome < 0) | (people.outcome % 1 != 0)]
    if len(wrong):
        raise DataError(f'a count is {wrong[0]:g}; allowed: whole numbers from 0 on')
    if (people.exposure <= 0).any():
        raise DataError(f'a time at risk is {people.exposure.min():g}; it is to be above 0')
    if not people.outcome.any():
        raise DataError(f'not one event among {len(people.outcome)} people: there is nothing to compare')
    places = range(len(people.arms))
    has = np.array([place for place in places if people.outcome[people.arm == place].any()])
    notes = [
        f'{people.names[place]} has no event: its rate ratio has no finite interval'
        for place in places
        if place not in has
    ]
    fit = fit_overdispersed(_counted(people.only(has)))
    if fit.model == 'poisson':
        notes.append('counts vary no more than by chance: the negative binomial is the Poisson distribution')
    if fit.model == 'quasi_poisson':
        notes.append('the negative binomial distribution has no maximum: quasi-Poisson')
    kind = Comparison(fit.model, 'rate_ratio', 'rate_difference')
    marginal = standardise(people, _expect(people, has, fit))
    return collect_contrasts(
        kind, people, _ratios(people, has, fit), marginal, describe_counts(people), notes
    )


def _counted(people: Compared) -> Counted:
    return Counted(people.design_in(), people.outcome, people.exposure)


def _ratios(people: Compared, has: Array, fit: CountFit) -> Sequence[Estimate | None]:
    """Return log ratios of the arms that have events, as has control."""
    df = len(people.outcome) - len(fit.coefficients) if fit.model == 'quasi_poisson' else np.inf
    found: list[Estimate | None] = []
    for place in range(1, len(people.arms)):
        if 0 not in has or place not in has:
            found.append(None)
            continue
        column = int(np.searchsorted(has, place))
        se = float(np.sqrt(fit.covariance[column, column]))
        found.append(t_estimate(float(fit.coefficients[column]), se, df))
    return found


def _expect(people: Compared, has: Array, fit: CountFit) -> Expected:
    """Return the rate of each person in each arm; 0 in those without events."""
    compared, n, p = people.only(has), len(people.outcome), len(fit.coefficients)
    means, slopes = np.zeros((n, len(people.arms))), np.zeros((len(people.arms), p))
    for column, place in enumerate(has):
        design = people._replace(arms=people.arms[has]).design_in(column)
        means[:, place] = np.exp(design @ fit.coefficients)
        slopes[place] = means[:, place] @ design / n
    own = _counted(compared)
    mu = own.expected(fit.coefficients)
    score = own.design * ((own.counts - mu) / (1 + fit.alpha * mu))[:, None]
    inside = np.isin(people.arm, has)
    influence, leverage = np.zeros((n, p)), np.zeros(n)
    influence[inside] = score @ fit.covariance / fit.spread
    leverage[inside] = leverages(own.design, own.weights(fit.coefficients, fit.alpha))
    return Expected(means, slopes, influence, leverage)
