"""Tables beside the effect: description per arm, standardised effect, responders, adjusted p values."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep

from pipelines.errors import DataError

from .estimate import Estimate

Array = NDArray[Any]

_ROUNDING = 1e-9  # 7 - 4.9 is a relief of 2.1


class Standardised(NamedTuple):
    """Hedges' g with its 95 % interval."""

    g: float
    ci_low: float
    ci_high: float


class Responders(NamedTuple):
    """People who improved by the minimal important change.

    Attributes
    ----------
    responders, n
        (2,) counts, control and treated; people with both visits.
    n_missing
        (2,) people without one of them, not in ``n``.
    difference, ci_low, ci_high
        Of the proportions, treated minus control, with 95 % interval.

    """

    responders: Array
    n: Array
    n_missing: Array
    difference: float
    ci_low: float
    ci_high: float


def describe(values: ArrayLike) -> dict[str, float]:
    """Return n, n_missing, mean, sd, median, q1, q3, min and max; NaN where there is no such number.

    Examples
    --------
    >>> found = describe([1.0, 2, 6, np.nan])
    >>> found['n'], found['n_missing'], found['mean'], found['median']
    (3, 1, 3.0, 2.0)

    """
    everyone = np.asarray(values, float)
    known = everyone[~np.isnan(everyone)]
    low, q1, median, q3, high = np.quantile(known, [0, 0.25, 0.5, 0.75, 1]) if len(known) else [np.nan] * 5
    return {
        'n': len(known),
        'n_missing': len(everyone) - len(known),
        'mean': float(known.mean()) if len(known) else np.nan,
        'sd': float(known.std(ddof=1)) if len(known) > 1 else np.nan,
        'median': float(median),
        'q1': float(q1),
        'q3': float(q3),
        'min': float(low),
        'max': float(high),
    }


def describe_arms(baseline: ArrayLike, followup: ArrayLike, arm: ArrayLike) -> pd.DataFrame:
    """Describe each arm at baseline, at follow-up and its change.

    Parameters
    ----------
    baseline, followup
        (n,) outcome; NaN = missing.
    arm
        (n,) labels.

    Returns
    -------
    pd.DataFrame
        Columns ``arm``, ``visit`` (``baseline``, ``followup``, ``change``) and those of
        :func:`describe`.  Change is follow-up minus baseline of people with both.

    Examples
    --------
    >>> describe_arms([3.0, 5], [2.0, np.nan], ['a', 'a'])[['visit', 'n', 'mean']].values.tolist()
    [['baseline', 2, 4.0], ['followup', 1, 2.0], ['change', 1, -1.0]]

    """
    before, after = np.asarray(baseline, float), np.asarray(followup, float)
    visits = {'baseline': before, 'followup': after, 'change': after - before}
    labels = np.asarray(arm)
    return pd.DataFrame(
        {'arm': level, 'visit': visit, **describe(values[labels == level])}
        for level in np.unique(labels)
        for visit, values in visits.items()
    )


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
    >>> round(found.g * np.arange(1000).std(ddof=1), 2)
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


def find_improved(
    baseline: ArrayLike,
    followup: ArrayLike,
    *,
    absolute: float | None = None,
    relative: float | None = None,
    lower_is_better: bool = True,
) -> Array:
    """Return who improved by the minimal important change: 1, 0, or NaN where a visit is missing.

    Parameters
    ----------
    baseline, followup, absolute, relative, lower_is_better
        As for :func:`responders`.

    Raises
    ------
    DataError
        Neither change is given, or one is not above 0.

    Examples
    --------
    >>> find_improved([7.0, 7, 3, np.nan], [5.0, 6, 2, 1], absolute=2, relative=0.3).tolist()
    [1.0, 0.0, 1.0, nan]

    """
    before, after = np.asarray(baseline, float), np.asarray(followup, float)
    thresholds = [x for x in (absolute, relative) if x is not None]
    if not thresholds or min(thresholds) <= 0:
        raise DataError(
            f'minimal important change: absolute {absolute}, relative {relative}; give one above 0'
        )
    gain = before - after if lower_is_better else after - before
    improved = np.zeros(len(gain), bool)
    if absolute is not None:
        improved |= gain >= absolute - _ROUNDING
    if relative is not None:
        improved |= (before > 0) & (gain >= relative * before - _ROUNDING)
    return np.where(np.isnan(gain), np.nan, improved)


def responders(
    baseline: ArrayLike,
    followup: ArrayLike,
    treatment: ArrayLike,
    *,
    absolute: float | None = None,
    relative: float | None = None,
    lower_is_better: bool = True,
) -> Responders:
    r"""Count people who improved by the minimal important change and compare the arms.

    Parameters
    ----------
    baseline, followup
        (n,) outcome; NaN = missing.
    treatment
        (n,) 0 = control, 1 = treated.
    absolute
        Improvement in units of the outcome that is enough (2 points of pain).
    relative
        Improvement as a share of the baseline that is enough as well (0.3); it counts only where the
        baseline is above 0.
    lower_is_better
        False for outcomes that improvement raises.

    Raises
    ------
    DataError
        Neither change is given, one is not above 0, or nobody in an arm has both visits.

    Notes
    -----
    The interval of the difference is Newcombe's hybrid of two Wilson intervals [1]_, which keeps its
    level in small arms and with proportions of 0 or 1.

    References
    ----------
    .. [1] Newcombe RG. Interval estimation for the difference between independent proportions: comparison
       of eleven methods. Stat Med 1998;17:873-890.

    Examples
    --------
    >>> found = responders([7.0, 4, 6, 3], [7.0, 4, 4, 2], [0, 0, 1, 1], absolute=2, relative=0.3)
    >>> found.responders.tolist(), found.difference
    ([0, 2], 1.0)

    """
    arm = np.asarray(treatment, float)
    improved = find_improved(
        baseline, followup, absolute=absolute, relative=relative, lower_is_better=lower_is_better
    )
    known = ~np.isnan(improved)
    masks = [arm == code for code in (0, 1)]
    counts, n = (
        np.array([(which & mask & known).sum() for mask in masks]) for which in (improved == 1, known)
    )
    if not n.all():
        raise DataError(f'{n[0]} control and {n[1]} treated people have both visits; each arm needs 1')
    missing = np.array([(mask & ~known).sum() for mask in masks])
    low, high = confint_proportions_2indep(counts[1], n[1], counts[0], n[0], compare='diff', method='newcomb')
    return Responders(counts, n, missing, float(counts[1] / n[1] - counts[0] / n[0]), float(low), float(high))


def holm(p: ArrayLike) -> Array:
    """Adjust p values by Holm's step-down procedure.

    Parameters
    ----------
    p
        (k,) 0 to 1; NaN = no test, which stays NaN and does not count.

    Examples
    --------
    >>> holm([0.01, 0.04, np.nan]).tolist()
    [0.02, 0.04, nan]

    """
    raw = np.asarray(p, float)
    adjusted, known = np.full(raw.shape, np.nan), ~np.isnan(raw)
    if known.any():
        adjusted[known] = multipletests(raw[known], method='holm')[1]
    return adjusted


def fixed_sequence(p: ArrayLike) -> Array:
    """Adjust p values of tests in a fixed order: none counts once one before it has failed.

    Parameters
    ----------
    p
        (k,) 0 to 1 in their order; NaN = no test, after which none can count.

    Notes
    -----
    The largest p so far [1]_.

    References
    ----------
    .. [1] Westfall PH, Krishen A. Optimally weighted, fixed sequence and gatekeeper multiple testing procedures.
       J Stat Plan Inference 2001;99:25-40.

    Examples
    --------
    >>> fixed_sequence([0.01, 0.2, 0.03]).tolist()
    [0.01, 0.2, 0.2]

    """
    return np.maximum.accumulate(np.asarray(p, float))
