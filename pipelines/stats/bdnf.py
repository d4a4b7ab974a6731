"""Response of BDNF in blood to exercise, with samples beyond the limits of detection."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pipelines.errors import DataError

from .censored import fit_censored
from .censored_likelihood import Samples, Variances, arrange
from .estimate import t_estimate

Array = NDArray[Any]

_CONTRASTS = {
    'acute_s7': (0, 0, 1, 0),
    'acute_s42': (0, 0, 1, 1),
    'resting_change': (0, 1, 0, 0),
    'change_of_acute': (0, 0, 0, 1),
}
_ARMS = ('control', 'treated')


class BdnfFit(NamedTuple):
    """Contrasts of log BDNF and the spread they rest on.

    Attributes
    ----------
    contrasts
        One row per arm (``control``, ``treated``, ``difference``) and contrast (``acute_s7``,
        ``acute_s42``, ``resting_change``, ``change_of_acute``): columns ``arm``, ``contrast``, those of
        :class:`~pipelines.stats.estimate.Estimate`, ``n`` people, ``n_samples`` and ``n_censored``.
    variances
        Of people, sessions within a person and samples within a session, on the log scale.
    log_likelihood
        Of the logarithms.

    """

    contrasts: pd.DataFrame
    variances: Variances
    log_likelihood: float


def _code(name: str, values: ArrayLike, n: int) -> Array:
    """Return 0/1 codes as integers."""
    codes = np.asarray(values, float)
    if codes.shape != (n,) or not np.isin(codes, (0, 1)).all():
        raise DataError(f'{name} needs 0 or 1 for each of {n} samples, got {sorted(set(codes.tolist()))[:5]}')
    return codes.astype(int)


def _log(concentration: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> tuple[Array, Array, Array]:
    """Return logarithms of samples and limits; 0 is -inf, to be censored."""
    y = np.asarray(concentration, float)
    low, high = (np.broadcast_to(np.asarray(limit, float), y.shape) for limit in (lower, upper))
    if (y < 0).any() or (low < 0).any():
        raise DataError(f'concentrations and limits are 0 or more, got {min(np.nanmin(y), np.nanmin(low)):g}')
    with np.errstate(divide='ignore'):
        return np.log(y), np.log(low), np.log(high)


def _blocks(arms: int, arm: Array, session: Array, post: Array) -> Array:
    """Return (m, 4 arms): intercept, session, post and their product for each arm."""
    base = np.column_stack([np.ones(len(arm)), session, post, session * post])
    return np.hstack([base * (arm == level)[:, None] for level in range(arms)])


def _check_cells(measured: Array, arm: Array, session: Array, post: Array) -> None:
    """Refuse a cell without a single measured sample: its mean has no estimate."""
    for level in np.unique(arm):
        for s in (0, 1):
            for t in (0, 1):
                cell = (arm == level) & (session == s) & (post == t)
                if not measured[cell].any():
                    raise DataError(
                        f'{_ARMS[level]} arm, session {s + 1}, {("before", "after")[t]} exercise: none of '
                        f'{cell.sum()} samples is within the limits of detection; the model needs one'
                    )


def _rows(samples: Samples, arms: int) -> list[tuple[str, Array, int, int, int]]:
    """Return name, weights of the blocks, people, samples and censored samples of each arm and of both."""
    present = np.isfinite(samples.value)
    censored = present & (samples.side != 0)
    level = (
        samples.design[..., 4:].any(axis=(1, 2, 3)).astype(int) if arms == 2 else np.zeros(len(present), int)
    )
    masks = [level == k for k in range(arms)]
    weights = list(np.eye(arms))
    if arms == 2:
        masks, weights = [*masks, level >= 0], [*weights, np.array([-1.0, 1.0])]
    return [
        (name, weight, int(mask.sum()), int(present[mask].sum()), int(censored[mask].sum()))
        for name, weight, mask in zip((*_ARMS, 'difference'), weights, masks)
    ]


def fit_bdnf(
    concentration: ArrayLike,
    person: ArrayLike,
    session: ArrayLike,
    post: ArrayLike,
    treatment: ArrayLike,
    *,
    lower: ArrayLike = 0.0,
    upper: ArrayLike = np.inf,
) -> BdnfFit:
    r"""Estimate the acute responses and the change at rest, per arm and between arms.

    Parameters
    ----------
    concentration
        (m,) samples, any unit; NaN = missing.
    person
        (m,) labels.
    session
        (m,) 0 = session 7, 1 = session 42.
    post
        (m,) 0 = before, 1 = after exercise.
    treatment
        (m,) 0 = control, 1 = treated; one arm alone is analysed by itself.
    lower, upper
        (m,) or one number: limits of detection in the unit of the samples, 0 and inf for none.
        Samples at or beyond a limit are censored there.

    Returns
    -------
    BdnfFit
        Contrasts on the natural log scale: their exponential is a ratio.

    Raises
    ------
    DataError
        Codes other than 0 and 1, a negative concentration, a person in two arms, a sample taken
        twice, a cell of the design without a measured sample, or no maximum of the likelihood.

    Notes
    -----
    :math:`\log y = b_0 + b_1 s + b_2 t + b_3 s t + u_i + w_{is} + e`, s session and t post, with
    coefficients of their own in each arm; :func:`~pipelines.stats.censored.fit_censored`.  Acute response
    at session 7 is :math:`b_2`, at session 42 :math:`b_2 + b_3`, the change at rest :math:`b_1`, the
    change of the acute response :math:`b_3`.

    Variances of maximum likelihood divide by people, those of REML by people less arms.  Standard errors
    are multiplied by :math:`\sqrt{n / (n - \mathrm{arms})}`, which makes them those of REML when all
    samples are there and measured; t distribution with n - arms degrees of freedom.
    ``tests/golden/coverage.tsv`` records how often the intervals cover.

    Examples
    --------
    Doubling all samples after exercise adds log 2 to the acute response:

    >>> rng = np.random.default_rng(0)
    >>> people, session, post = (grid.ravel() for grid in np.mgrid[:9, :2, :2])
    >>> level, none = rng.lognormal(size=36), np.zeros(36)
    >>> found = [fit_bdnf(level * (1 + post * k), people, session, post, none) for k in (0, 1)]
    >>> acute = [fit.contrasts.estimate[0] for fit in found]
    >>> round(float(acute[1] - acute[0] - np.log(2)), 6) + 0.0
    0.0

    """
    y, low, high = _log(concentration, lower, upper)
    known = ~np.isnan(y)
    codes = zip(('session', 'post', 'treatment'), (session, post, treatment))
    s, t, arm = (_code(name, values, len(y))[known] for name, values in codes)
    who, y, low, high = np.asarray(person)[known], y[known], low[known], high[known]
    if not known.any():
        raise DataError('no sample is left: every concentration is missing')
    if len(set(zip(who.tolist(), arm.tolist()))) > len(set(who.tolist())):
        raise DataError('a person is in both arms; treatment is one code for all samples of a person')
    if len(set(zip(who.tolist(), s.tolist(), t.tolist()))) < len(who):
        raise DataError('a person has two samples of the same session and time; average or remove them')
    _check_cells((y > low) & (y < high), arm, s, t)
    arms = len(np.unique(arm))
    samples = arrange(y, low, high, _blocks(arms, arm if arms == 2 else 0 * arm, s, t), who, s)
    fit, n = fit_censored(samples), len(samples.value)
    if n <= arms:
        raise DataError(f'{n} people in {arms} arms leave no degree of freedom')
    table = []
    for name, weight, *counts in _rows(samples, arms):
        label = _ARMS[arm[0]] if arms == 1 else name
        for contrast, coding in _CONTRASTS.items():
            row = np.kron(weight, coding)
            se = np.sqrt(row @ fit.covariance @ row * n / (n - arms))
            estimate = t_estimate(float(row @ fit.coefficients), float(se), n - arms)
            table.append((label, contrast, *estimate, *counts))
    columns = ['arm', 'contrast', *estimate._fields, 'n', 'n_samples', 'n_censored']
    return BdnfFit(pd.DataFrame(table, columns=columns), fit.variances, fit.log_likelihood)


def lod_half(concentration: ArrayLike, lower: ArrayLike, upper: ArrayLike = np.inf) -> Array:
    """Return samples with half the limit in place of those at or below it (sensitivity analysis only).

    Samples at or above ``upper`` become that limit.  The result goes through :func:`fit_bdnf` without
    limits; it has less spread than the truth, so that its intervals are not to be trusted.

    Examples
    --------
    >>> lod_half([1.0, 5, 90, np.nan], 2.0, 80.0).tolist()
    [1.0, 5.0, 80.0, nan]
    >>> lod_half([0.0], 2.0).tolist()
    [1.0]

    """
    y = np.asarray(concentration, float)
    return np.minimum(np.where(y <= lower, np.asarray(lower, float) / 2, y), upper)


def plasma_volume_correction(
    concentration: ArrayLike,
    hb_before: ArrayLike,
    hb_after: ArrayLike,
    hct_before: ArrayLike,
    hct_after: ArrayLike,
) -> Array:
    r"""Refer a concentration after exercise to the plasma volume before it.

    Parameters
    ----------
    concentration
        Measured after exercise; limits of detection of these samples need the same correction.
    hb_before, hb_after
        Haemoglobin, any unit, above 0.
    hct_before, hct_after
        Haematocrit, percent, 1 to 99.

    Returns
    -------
    Array
        In the unit of ``concentration``; NaN where one number is missing.

    Raises
    ------
    DataError
        Haemoglobin not above 0, or haematocrit that is not a percentage.

    Notes
    -----
    :math:`c' = c \frac{PV_a}{PV_b}` with :math:`\frac{PV_a}{PV_b} = \frac{Hb_b}{Hb_a}
    \frac{100 - Hct_a}{100 - Hct_b}` [1]_.

    References
    ----------
    .. [1] Dill DB, Costill DL. Calculation of percentage changes in volumes of blood, plasma, and red
       cells in dehydration. J Appl Physiol 1974;37:247-248.

    Examples
    --------
    No change of the blood, no correction:

    >>> plasma_volume_correction(20.0, 14.0, 14.0, 42.0, 42.0).tolist()
    20.0

    """
    y, hb_b, hb_a, hct_b, hct_a = (
        np.asarray(values, float) for values in (concentration, hb_before, hb_after, hct_before, hct_after)
    )
    for hb in (hb_b, hb_a):
        if (hb <= 0).any():
            raise DataError(f'haemoglobin is above 0, got {np.nanmin(hb):g}; mark missing values as n/a')
    for hct in (hct_b, hct_a):
        if ((hct < 1) | (hct > 99)).any():
            raise DataError(
                f'haematocrit is a percentage from 1 to 99, got {np.nanmin(hct):g}; multiply fractions by 100'
            )
    return np.asarray(y * hb_b / hb_a * (100 - hct_a) / (100 - hct_b))
