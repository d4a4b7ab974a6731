"""Events that happen or not: odds ratio and difference in risk."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pipelines.errors import DataError

from ..estimate import Estimate, t_estimate
from .logistic import Events
from .people import Compared, Groups, arrange_groups
from .profile import profile_estimate
from .results import Comparison, DiscreteFit, collect_contrasts, tally_levels
from .solving import LikelihoodFit, fit_or_penalise, fit_penalised
from .standardise import Expected, leverages, standardise

Array = NDArray[Any]


def compare_binary(groups: Groups) -> DiscreteFit:
    r"""Compare how often an event happens in each arm and in control.

    Parameters
    ----------
    groups
        The outcome is 0 or 1.  The baseline enters as it is.

    Returns
    -------
    DiscreteFit
        Log odds ratios and differences in risk, 1 = the event.

    Raises
    ------
    DataError
        Another value than 0 and 1, everyone has the same, or what :func:`~.people.arrange_groups` refuses.

    Notes
    -----
    :math:`\mathrm{logit} P(y_i = 1) = b_0 + \tau_{a_i} + c'x_i`.  Where the data are separated, in an arm (an
    empty cell) or by covariates, with Firth's penalty and intervals by its profile; otherwise by maximum
    likelihood with Wald's.  Both are normal.  Risks by :func:`~.standardise.standardise`; Firth's are those of
    the shrunken model, with its variance :math:`\hat p (1 - \hat p)`.

    Examples
    --------
    >>> found = compare_binary(Groups(outcome=[0, 0, 1, 0, 1, 1, 0, 1], arm=[0, 0, 0, 0, 1, 1, 1, 1]))
    >>> round(np.exp(found.contrasts[0].log_ratio.estimate)), found.contrasts[0].difference.estimate
    (9, 0.5)

    """
    people = arrange_groups(groups)
    wrong = people.outcome[~np.isin(people.outcome, (0, 1))]
    if len(wrong):
        raise DataError(f'a binary outcome is {wrong[0]:g}; allowed: 0 (no) and 1 (yes)')
    if np.ptp(people.outcome) == 0:
        raise DataError(
            f'the outcome is {people.outcome[0]:g} for all {len(people.outcome)}: there is nothing to compare'
        )
    data = Events(people.design_in(), people.outcome, people.exposure)
    described = tally_levels(people, np.array([0, 1]))
    fit, is_separated = fit_or_penalise(data)
    places = range(1, len(people.arms))
    if is_separated:
        ratios = [profile_firth(data, fit, place) for place in places]
    else:
        ratios = [wald(fit, place) for place in places]
    marginal = standardise(people, expect_events(people, data, fit, is_shrunken=is_separated))
    kind = Comparison('logistic_firth' if is_separated else 'logistic', 'odds_ratio', 'risk_difference')
    return collect_contrasts(kind, people, ratios, marginal, described)


def wald(fit: LikelihoodFit, place: int, spread: float = 1.0, df: float = np.inf) -> Estimate:
    """Return a coefficient with its interval; ``spread`` multiplies the variance."""
    se = np.sqrt(spread * fit.covariance[place, place])
    return t_estimate(float(fit.coefficients[place]), float(se), df)


def profile_firth(data: Events, fit: LikelihoodFit, place: int) -> Estimate:
    """Return a penalised coefficient with the interval and test of its profile."""
    estimate, se = float(fit.coefficients[place]), float(np.sqrt(fit.covariance[place, place]))
    return profile_estimate(estimate, se, lambda value: fit_penalised(data, (place, value)).log_likelihood)


def expect_events(people: Compared, data: Events, fit: LikelihoodFit, *, is_shrunken: bool) -> Expected:
    """Return the risk of each person in each arm per trial."""
    designs = [people.design_in(place) for place in range(len(people.arms))]
    risks = np.column_stack([special.expit(design @ fit.coefficients) for design in designs])
    slopes = [(risk * (1 - risk)) @ design / len(risk) for risk, design in zip(risks.T, designs)]
    own = special.expit(data.design @ fit.coefficients)
    score = data.design * (data.events - data.trials * own)[:, None]
    return Expected(
        risks,
        np.array(slopes),
        score @ fit.covariance,
        leverages(data.design, data.weights(fit.coefficients)),
        own * (1 - own) if is_shrunken else None,
    )
