"""Intervals and tests from the profile of a likelihood."""

from collections.abc import Callable

import numpy as np
from scipy import optimize, stats

from pipelines.errors import DataError

from ..estimate import Estimate

_LEVEL = 0.95
_WIDEST = 200.0  # standard errors, at which no profile of a penalised likelihood is still high


def profile_estimate(estimate: float, se: float, log_likelihood: Callable[[float], float]) -> Estimate:
    r"""Return an estimate with the interval and test of its profile.

    Parameters
    ----------
    estimate, se
        At the maximum.
    log_likelihood
        The highest with the coefficient held at a value.

    Raises
    ------
    DataError
        The profile stays high however far one goes.

    Notes
    -----
    The interval holds the values b with :math:`2 (\ell(\hat b) - \ell(b)) \le \chi^2_{1, .95}`; the statistic is
    the signed root of that at 0, and p is of the normal distribution [1]_.

    References
    ----------
    .. [1] Heinze G, Schemper M. A solution to the problem of separation in logistic regression. Stat Med
       2002;21:2409-2419.

    Examples
    --------
    Where the likelihood is a parabola it is Wald's:

    >>> found = profile_estimate(1.0, 0.5, lambda value: -(((value - 1) / 0.5) ** 2) / 2)
    >>> round(found.ci_low, 6), round(found.ci_high, 6), round(found.statistic, 6)
    (0.020018, 1.979982, 2.0)

    """
    highest, fall = log_likelihood(estimate), stats.chi2.ppf(_LEVEL, 1) / 2

    def above(value: float) -> float:
        return log_likelihood(value) - highest + fall

    ends = []
    for side in (-1, 1):
        step = 2.0
        while above(estimate + side * step * se) > 0:
            step *= 1.5
            if step > _WIDEST:
                raise DataError('the likelihood does not bound a coefficient')
        ends.append(optimize.brentq(above, estimate, estimate + side * step * se, xtol=1e-8))
    root = float(np.sqrt(max(2 * (highest - log_likelihood(0.0)), 0)) * np.sign(estimate))
    p = float(2 * stats.norm.sf(abs(root)))
    return Estimate(estimate, se, np.inf, float(ends[0]), float(ends[1]), root, p)
