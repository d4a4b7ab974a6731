"""Power in closed form: of a difference between two arms, and of both paths of a mediator."""

import numpy as np
from scipy import stats

from pipelines.errors import ParameterError

TEST_LEVEL = 0.05


def difference_power(
    n_treated: float, n_control: float, difference: float, *, n_baselines: int = 0, alpha: float = TEST_LEVEL
) -> float:
    r"""Return the power of the two-sided t test of a difference between arms, adjusted for baselines or not.

    Parameters
    ----------
    n_treated, n_control
        People with the outcome; expected numbers need not be whole.
    difference
        In standard deviations of what the baselines leave.
    n_baselines
        Covariates of analysis of covariance; 0: the t test.
    alpha
        Two-sided level.

    Raises
    ------
    ParameterError
        Too few people for an error of its own.

    Notes
    -----
    t is noncentral with :math:`n - 2 - k` degrees of freedom and noncentrality
    :math:`d / \sqrt{(1/n_1 + 1/n_0)(1 + k / (n - 3 - k))}`: k baselines that differ between arms by chance cost the last
    factor on average.  With a correlation r of baseline and outcome d is :math:`\delta / (\sigma \sqrt{1 - r^2})` [1]_.

    References
    ----------
    .. [1] Borm GF, Fransen J, Lemmens WAJG. A simple sample size formula for analysis of covariance in randomized
       clinical trials. J Clin Epidemiol 2007;60:1234-1238.

    Examples
    --------
    The table of every textbook: 64 in an arm for half a standard deviation.

    >>> round(difference_power(64, 64, 0.5), 3), round(difference_power(64, 64, 0.0), 3)
    (0.801, 0.05)

    """
    n = n_treated + n_control
    df = n - 2 - n_baselines
    if min(n_treated, n_control) <= 1 or df <= 1:
        raise ParameterError(
            f'{n_treated:g} and {n_control:g} people are too few to tell arms apart; plan more'
        )
    centre = difference / np.sqrt((1 / n_treated + 1 / n_control) * (1 + n_baselines / (df - 1)))
    return _both_tails(df, centre, alpha)


def paths_power(n: float, a: float, b: float, *, alpha: float = TEST_LEVEL) -> float:
    r"""Return the power to find both paths of an indirect effect.

    Parameters
    ----------
    n
        Complete people of both arms.
    a, b
        Standardised paths as in :func:`~pipelines.stats.mediation_power.mediation_power`, between -1 and 1.
    alpha
        Two-sided level of each.

    Raises
    ------
    ParameterError
        Too few people, or a path of no such size.

    Notes
    -----
    The test of joint significance, whose power is close to that of the percentile bootstrap [1]_: the product of the
    power of the regression of M on treatment, noncentrality :math:`a \sqrt{n / (1 - a^2)}` with n - 2 degrees of
    freedom, and of the partial slope of Y on M, :math:`b \sqrt{n (1 - a^2) / (1 - b^2)}` with n - 3.

    References
    ----------
    .. [1] Fritz MS, MacKinnon DP. Required sample size to detect the mediated effect. Psychol Sci
       2007;18:233-239.

    Examples
    --------
    >>> round(paths_power(57, 0.39, 0.39), 2), round(paths_power(57, 0.26, 0.26), 2)
    (0.73, 0.25)

    """
    if n <= 4 or max(abs(a), abs(b)) >= 1:
        raise ParameterError(
            f'paths {a:g} and {b:g} of {n:g} people; more than four people and paths between -1 and 1'
        )
    first = _both_tails(n - 2, a * np.sqrt(n / (1 - a**2)), alpha)
    return first * _both_tails(n - 3, b * np.sqrt(n * (1 - a**2) / (1 - b**2)), alpha)


def _both_tails(df: float, centre: float, alpha: float) -> float:
    """Return the probability that a noncentral t is beyond the critical values of both sides."""
    critical = stats.t.isf(alpha / 2, df)
    # far in the lower tail the series of nct has no digits: there the probability is 0
    below = np.nan_to_num(stats.nct.cdf(-critical, df, abs(centre)))
    return float(stats.nct.sf(critical, df, abs(centre)) + below)
