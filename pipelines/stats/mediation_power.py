"""Power of a mediation analysis, by simulation."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pipelines.errors import ParameterError

from .bootstrap import (
    LEAST_BOOTSTRAPS,
    count_drawn,
    cross_products,
    draw_resamples,
    percentile_interval,
    successive_regressions,
)
from .discrete.resampled import climb_together

Array = NDArray[Any]

_LEAST_IN_ARM = 2


class Power(NamedTuple):
    """Share of simulated trials whose interval of the indirect effect excludes zero.

    Attributes
    ----------
    power
        0 to 1.
    mc_se
        Its Monte Carlo standard error.

    """

    power: float
    mc_se: float


def standard_arm(n_treatment: int, n_control: int) -> Array:
    """Return treatment in units of its standard deviation, mean 0, the treated first.

    Examples
    --------
    >>> standard_arm(2, 2).tolist()
    [1.0, 1.0, -1.0, -1.0]

    """
    arm = np.repeat([1.0, 0.0], (n_treatment, n_control))
    return (arm - arm.mean()) / arm.std()


def simulate_paths(x: Array, a: float, b: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return mediator and outcome of people whose standard treatment is ``x``, as :func:`mediation_power`."""
    errors = rng.standard_normal((2, len(x)))
    mediator = a * x + np.sqrt(1 - a**2) * errors[0]
    return mediator, b * mediator + np.sqrt(1 - b**2) * errors[1]


def mediation_power(
    n_treatment: int,
    n_control: int,
    a: float,
    b: float,
    rng: np.random.Generator,
    *,
    n_trials: int = 1000,
    n_bootstraps: int = 1000,
) -> Power:
    r"""Return the power to find an indirect effect whose two paths are ``a`` and ``b``.

    Parameters
    ----------
    n_treatment, n_control
        People of each arm who are complete, two or more.
    a, b
        Standardised paths, between -1 and 1, both excluded; see Notes.
    rng
        Source of trials and resamples.
    n_trials, n_bootstraps
        Simulated trials, and resamples of each.

    Raises
    ------
    ParameterError
        An arm has fewer than two people, a path is not between -1 and 1, no trial is wanted, or there are
        too few bootstraps.

    Notes
    -----
    :math:`M = a x + \sqrt{1 - a^2} e_1`, :math:`Y = b M + \sqrt{1 - b^2} e_2` with standard normal errors
    and treatment x of mean 0 and unit variance: all three have unit variance, a and b are standardised
    regression coefficients, and treatment acts through the mediator only.  .14, .39 and .59 are small, medium
    and large [1]_.  With equal arms the arms' means of the mediator are 2 a apart.  Baselines and
    covariates count through the variance, which is what they leave; the degrees of freedom that they cost
    are not taken off.  Each trial is analysed by the percentile bootstrap within arms
    (:func:`~pipelines.stats.bootstrap.percentile_interval`).  57 people find .39 and .39 with power 0.71,
    .26 and .26 with 0.24.

    References
    ----------
    .. [1] Fritz MS, MacKinnon DP. Required sample size to detect the mediated effect. Psychol Sci
       2007;18:233-239.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> few, many = (mediation_power(n, n, 0.5, 0.5, rng, n_trials=50, n_bootstraps=99) for n in (5, 50))
    >>> few.power < many.power
    True

    """
    _check_trials((n_treatment, n_control), (a, b), n_trials)
    x = standard_arm(n_treatment, n_control)
    n_found = 0
    for _ in range(n_trials):
        mediator, outcome = simulate_paths(x, a, b, rng)
        columns = np.column_stack([np.ones(len(x)), x, mediator, outcome])
        coefficients, _ = successive_regressions(
            cross_products(columns, draw_resamples(x, n_bootstraps, rng))
        )
        indirect = coefficients[1, 2] * coefficients[2, 3]
        n_found += bool(percentile_interval(indirect[~np.isnan(indirect)]).p <= 0.05)
    return _power_of(n_found, n_trials)


def risk_power(
    sizes: tuple[int, int],
    paths: tuple[float, float],
    share: float,
    rng: np.random.Generator,
    *,
    n_trials: int = 1000,
    n_bootstraps: int = 1000,
) -> Power:
    r"""Return the power of :func:`mediation_power` where the outcome is whether a normal variable is above a cut.

    Parameters
    ----------
    sizes, paths
        People treated and in control, and the two standardised paths.
    share
        Of people who have the event, between 0 and 1.
    rng, n_trials, n_bootstraps
        As there.

    Raises
    ------
    ParameterError
        As there, or the share is not between 0 and 1.

    Notes
    -----
    The event is :math:`b M + \sqrt{1 - b^2} e_2 > \Phi^{-1}(1 - \text{share})`, analysed by the logistic model.  The
    indirect effect on the risk has the sign of the product of its paths, so that the product is tested.  The slope of
    a resample that separates counts by the direction in which it does.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> few, many = (risk_power((n, n), (0.6, 0.6), 0.5, rng, n_trials=30, n_bootstraps=99) for n in (8, 80))
    >>> few.power < many.power
    True

    """
    _check_trials(sizes, paths, n_trials)
    if not 0 < share < 1:
        raise ParameterError(f'{share:g} of people have the event; the share is between 0 and 1')
    x, cut, n_found = standard_arm(*sizes), special.ndtri(1 - share), 0
    for _ in range(n_trials):
        mediator, latent = simulate_paths(x, *paths, rng)
        drawn, event = draw_resamples(x, n_bootstraps, rng), (latent > cut).astype(float)
        columns = np.column_stack([np.ones(len(x)), x, mediator])
        coefficients, _ = successive_regressions(cross_products(columns, drawn))
        slopes, _ = climb_together(columns, event, count_drawn(drawn, len(x)).T)
        indirect = coefficients[1, 2] * slopes[2]
        known = indirect[~np.isnan(indirect)]
        n_found += len(known) >= LEAST_BOOTSTRAPS and bool(percentile_interval(known).p <= 0.05)
    return _power_of(n_found, n_trials)


def _power_of(n_found: int, n_trials: int) -> Power:
    power = n_found / n_trials
    return Power(power, float(np.sqrt(power * (1 - power) / n_trials)))


def _check_trials(sizes: tuple[int, int], paths: tuple[float, float], n_trials: int) -> None:
    n_treatment, n_control = sizes
    a, b = paths
    if min(n_treatment, n_control) < _LEAST_IN_ARM or n_trials < 1:
        raise ParameterError(
            f'{n_treatment} treated and {n_control} control people in {n_trials} trials; '
            f'{_LEAST_IN_ARM} people of each arm and one trial are needed'
        )
    if max(abs(a), abs(b)) >= 1:
        raise ParameterError(f'paths {a:g} and {b:g}; standardised paths are between -1 and 1')
