"""Effects in standard deviations."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from pipelines.errors import DataError

from .estimate import Estimate

Array = NDArray[Any]


class Standardised(NamedTuple):
    """Hedges' g with its 95 % interval."""

    g: float
    ci_low: float
    ci_high: float


def hedges(effect: Estimate, baseline: ArrayLike, arm: ArrayLike) -> Standardised:
    r"""Return the effect in pooled baseline standard deviations, corrected for small samples.

    Parameters
    ----------
    effect
        In units of the outcome.
    baseline
        (n,) outcome at baseline; NaN = missing.
    arm
        (n,) any number of them; the standard deviation is that within all.

    Raises
    ------
    DataError
        An arm has fewer than two people at baseline, or they do not differ.

    Notes
    -----
    :math:`g = J \tau / s`, :math:`s^2 = \sum_a (n_a - 1) s_a^2 / \nu`, :math:`\nu = \sum_a (n_a - 1)`,
    :math:`J = \Gamma(\nu/2) / (\sqrt{\nu/2}\, \Gamma((\nu-1)/2))` [1]_.  Baseline, because treatment has
    not touched its spread.  The limits of the interval are divided alike: s is taken as known, since the
    interval is there to read the effect on another scale, not to test it again.

    References
    ----------
    .. [1] Hedges LV. Distribution theory for Glass's estimator of effect size and related estimators.
       J Educ Stat 1981;6:107-128.

    Examples
    --------
    The unit of the outcome does not matter:

    >>> effect, before, arm = Estimate(2, 1, 8, 0, 4, 2, 0.1), np.array([1.0, 3, 2, 5]), [0, 0, 1, 1]
    >>> metres, feet = (hedges(Estimate(*np.multiply(effect, k)), before * k, arm).g for k in (1, 3.28))
    >>> round(metres - feet, 9) + 0.0
    0.0

    """
    before, codes = np.asarray(baseline, float), np.asarray(arm)
    groups = [before[(codes == code) & ~np.isnan(before)] for code in np.unique(codes)]
    if min(map(len, groups)) < 2:
        raise DataError(f'{" and ".join(str(len(g)) for g in groups)} people at baseline; each arm needs 2')
    return _in_spreads(effect, groups, 'at baseline')


def in_spreads_of_control(effect: Estimate, control: ArrayLike) -> Standardised:
    """Return an effect on an outcome without baseline in standard deviations of the control arm [1]_.

    Parameters
    ----------
    effect
        In units of the outcome.
    control
        (n,) outcome of the control arm at the visit of the effect; NaN = missing.

    Raises
    ------
    DataError
        The arm has fewer than three people there, or they do not differ.

    References
    ----------
    .. [1] Glass GV. Primary, secondary, and meta-analysis of research. Educ Res 1976;5:3-8.

    Examples
    --------
    >>> found = in_spreads_of_control(Estimate(2, 1, 8, 0, 4, 2, 0.1), np.arange(1000.0))
    >>> round(float(found.g * np.arange(1000).std(ddof=1)), 2)
    2.0

    """
    known = np.asarray(control, float)
    known = known[~np.isnan(known)]
    if len(known) < 3:
        raise DataError(f'{len(known)} people of the control arm; 3 are needed')
    return _in_spreads(effect, [known], 'of the control arm')


def _in_spreads(effect: Estimate, groups: list[Array], where: str) -> Standardised:
    nu = sum(map(len, groups)) - len(groups)
    pooled = np.sqrt(sum(np.sum((group - group.mean()) ** 2) for group in groups) / nu)
    if pooled == 0:
        raise DataError(f'everyone has the same value {where}: there is no standard deviation to divide by')
    correction = np.exp(special.gammaln(nu / 2) - special.gammaln((nu - 1) / 2)) / np.sqrt(nu / 2)
    numbers = np.array([effect.estimate, effect.ci_low, effect.ci_high]) * correction / pooled
    return Standardised(*map(float, numbers))
