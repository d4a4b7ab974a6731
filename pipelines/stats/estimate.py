"""An estimate with its interval and test."""

from typing import NamedTuple

from scipy import stats

_LEVEL = 0.95


class Estimate(NamedTuple):
    """A number with its 95 % interval.

    Attributes
    ----------
    estimate, se
        In units of the outcome.
    df
        Degrees of freedom of the t distribution.
    ci_low, ci_high
        95 % interval.
    statistic, p
        t of the hypothesis of no effect and its two-sided p value.

    """

    estimate: float
    se: float
    df: float
    ci_low: float
    ci_high: float
    statistic: float
    p: float


def t_estimate(estimate: float, se: float, df: float) -> Estimate:
    """Return an estimate with its 95 % interval and test by the t distribution.

    Examples
    --------
    The interval reaches zero where p is 0.05:

    >>> found = t_estimate(stats.t.ppf(0.975, 20), 1.0, 20)
    >>> round(found.ci_low, 9) + 0.0, round(found.p, 9)
    (0.0, 0.05)

    """
    half = stats.t.ppf((1 + _LEVEL) / 2, df) * se
    statistic = estimate / se
    numbers = (
        estimate,
        se,
        df,
        estimate - half,
        estimate + half,
        statistic,
        2 * stats.t.sf(abs(statistic), df),
    )
    return Estimate(*map(float, numbers))
