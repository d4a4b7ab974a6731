"""Likelihood of censored samples: people, sessions within people, up to two samples a session."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from pipelines.errors import DataError

Array = NDArray[Any]

_NODES, _WEIGHTS = np.polynomial.hermite.hermgauss(60)
_LOG_2PI = np.log(2 * np.pi)
_FAR = 26.0  # standard deviations; the product of two probabilities beyond has no digits left
_TINY = 1e-300
_NEWTON_STEPS, _LONGEST_STEP = 30, 3.0


class Samples(NamedTuple):
    """Samples in a block of people by sessions by two, measured ones first.

    Attributes
    ----------
    value
        (n, s, 2) measured value, limit of a censored one, infinite where there is no sample.
    side
        (n, s, 2): 0 measured, 1 below its limit or no sample, -1 above its limit.
    design
        (n, s, 2, p) rows of the fixed effects, 0 where there is no sample.

    """

    value: Array
    side: Array
    design: Array


class Variances(NamedTuple):
    """Variances of people, of sessions within a person, and of samples within a session."""

    person: float
    session: float
    sample: float


def arrange(
    value: ArrayLike, lower: ArrayLike, upper: ArrayLike, design: Array, person: ArrayLike, session: ArrayLike
) -> Samples:
    """Put a long table of samples into a block.

    Parameters
    ----------
    value
        (m,) samples; NaN = missing.  At or below ``lower`` they count as censored there, at or above
        ``upper`` as well.
    lower, upper
        (m,) or one number: limits of detection; -inf and inf for none.
    design
        (m, p) fixed effects.
    person, session
        (m,) labels; at most two samples share both.

    Raises
    ------
    DataError
        More than two samples in a session, limits that are missing or cross, or an infinite value
        without a limit.

    Examples
    --------
    >>> block = arrange([1.0, 5.0], 2.0, np.inf, np.ones((2, 1)), ['a', 'a'], [1, 1])
    >>> block.value.tolist(), block.side.tolist()
    ([[[5.0, 2.0]]], [[[0, 1]]])

    """
    y = np.asarray(value, float)
    low, high = (np.broadcast_to(np.asarray(limit, float), y.shape) for limit in (lower, upper))
    known = ~np.isnan(y)
    if not (low[known] < high[known]).all():
        raise DataError('every sample needs a lower limit below its upper limit (-inf and inf for none)')
    y, low, high, rows = y[known], low[known], high[known], design[known]
    side = np.where(y <= low, 1, np.where(y >= high, -1, 0))
    y = np.clip(y, low, high)
    if not np.isfinite(y).all():
        raise DataError('a sample is infinite; mark missing ones as n/a')
    people, i = np.unique(np.asarray(person)[known], return_inverse=True)
    sessions, s = np.unique(np.asarray(session)[known], return_inverse=True)
    group = i * len(sessions) + s
    # measured samples first within their session
    order = np.lexsort((side != 0, group))
    i, s, group = i[order], s[order], group[order]
    first = np.searchsorted(group, group)
    place = np.arange(len(group)) - first
    if (place > 1).any():
        worst = i[place > 1][0], s[place > 1][0]
        raise DataError(
            f'person {people[worst[0]]} has more than two samples in session {sessions[worst[1]]}; '
            'average or remove repeated ones'
        )
    shape = (len(people), len(sessions), 2)
    block = Samples(np.full(shape, np.inf), np.ones(shape, int), np.zeros((*shape, design.shape[1])))
    for target, source in zip(block, (y, side, rows)):
        target[i, s, place] = source[order]
    return block


def log_bivariate(h: Array, k: Array, rho: Array | float) -> Array:
    r"""Return the log of P(X <= h, Y <= k) of standard normal X and Y with correlation ``rho``.

    Notes
    -----
    By Owen's T function [1]_, to 1e-15.  Far in the lower tail, where its terms cancel, at least the
    product of the margins, below which it cannot be for a correlation of 0 or more.

    References
    ----------
    .. [1] Owen DB. Tables for computing bivariate normal probabilities. Ann Math Stat 1956;27:1075-1090.

    Examples
    --------
    A quadrant holds 1/4 + asin(rho) / 2 pi:

    >>> float(np.exp(log_bivariate(np.zeros(1), np.zeros(1), 0.5))[0].round(12))
    0.333333333333

    """
    h, k = (np.where(x == 0, 1e-30, x) for x in (h, k))
    root = np.sqrt(1 - rho**2)
    halves = (special.ndtr(h) + special.ndtr(k) - (h * k < 0)) / 2
    joint = (
        halves
        - special.owens_t(h, (k - rho * h) / (h * root))
        - special.owens_t(k, (h - rho * k) / (k * root))
    )
    margins = special.ndtr(h) * np.where(rho < 0, 1e-6 * special.ndtr((k - rho * h) / root), special.ndtr(k))
    return np.log(np.maximum(joint, np.maximum(margins, _TINY)))


def _both_measured(residual: Array, s: float, rho: float) -> Array:
    """Return log-density, its two first and three second derivatives by location: (6, k, q)."""
    a, b = residual / s
    q2 = 1 - rho**2
    by_a, by_b = (a - rho * b) / q2, (b - rho * a) / q2
    value = -_LOG_2PI - 2 * np.log(s) - (np.log(q2) + a * by_a + b * by_b) / 2
    curvature = np.full_like(a, -1 / (q2 * s**2))
    return np.stack([value, by_a / s, by_b / s, curvature, -rho * curvature, curvature])


def _one_measured(residual: Array, side: Array, s: float, rho: float) -> Array:
    """Return the same of a measured sample and a censored (or absent) one."""
    a, b = residual / s
    root = np.sqrt(1 - rho**2)
    bound = np.clip(side[1] * (b - rho * a) / root, -_FAR, _FAR)
    log_below = special.log_ndtr(bound)
    hazard = np.exp(-(_LOG_2PI + bound**2) / 2 - log_below)
    bend = -hazard * (hazard + bound)
    by_a, by_b = side[1] * rho / (s * root), -side[1] / (s * root)
    value = -(_LOG_2PI + a**2) / 2 - np.log(s) + log_below
    seconds = (bend * by_a**2 - 1 / s**2, bend * by_a * by_b, bend * by_b**2)
    return np.stack([value, a / s + hazard * by_a, hazard * by_b, *seconds])


def _none_measured(residual: Array, side: Array, s: float, rho: float) -> Array:
    """Return the same of two censored (or absent) samples."""
    h, k = np.clip(side * residual / s, -_FAR, _FAR)
    turn = side[0] * side[1]
    r, root = turn * rho, np.sqrt(1 - rho**2)
    value = log_bivariate(h, k, r)
    by_h = np.exp(-(_LOG_2PI + h**2) / 2 + special.log_ndtr((k - r * h) / root) - value)
    by_k = np.exp(-(_LOG_2PI + k**2) / 2 + special.log_ndtr((h - r * k) / root) - value)
    cross = np.exp(-_LOG_2PI - (h**2 - 2 * r * h * k + k**2) / (2 * root**2) - value) / root
    first, second = -side[0] * by_h / s, -side[1] * by_k / s
    return np.stack(
        [
            value,
            first,
            second,
            -(h * by_h + r * cross) / s**2 - first**2,
            turn * cross / s**2 - first * second,
            -(k * by_k + r * cross) / s**2 - second**2,
        ]
    )


def _sessions(samples: Samples, location: Array, variances: Variances) -> Array:
    """Return log-likelihood of each session given its person, and derivatives by location: (6, n, s, q)."""
    total = variances.session + variances.sample
    s, rho = np.sqrt(total), variances.session / total
    found = np.empty((6, *location.shape[:2], location.shape[3]))
    n_measured = (samples.side == 0).sum(axis=2)
    for count in np.unique(n_measured):
        rows = n_measured == count
        residual = np.moveaxis(samples.value[rows][..., None] - location[rows], 1, 0)
        side = np.moveaxis(samples.side[rows][..., None], 1, 0)
        if count == 2:
            found[:, rows] = _both_measured(residual, s, rho)
        else:
            found[:, rows] = (_one_measured if count else _none_measured)(residual, side, s, rho)
    return found


def _person_mode(samples: Samples, fixed: Array, variances: Variances) -> tuple[Array, Array]:
    """Return where the standardised effect of each person is likeliest, and the spread about it."""
    sd = np.sqrt(variances.person)
    mode = np.zeros(len(fixed))
    for _ in range(_NEWTON_STEPS):
        _, a, b, aa, ab, bb = _sessions(samples, fixed[..., None] + sd * mode[:, None, None, None], variances)
        slope = sd * (a + b).sum(axis=(1, 2)) - mode
        bend = 1 - np.minimum(variances.person * (aa + 2 * ab + bb).sum(axis=(1, 2)), 0)
        step = np.clip(slope / bend, -_LONGEST_STEP, _LONGEST_STEP)
        mode = mode + step
        # the rule need not sit on the mode exactly
        if np.abs(step).max() < 0.01:
            break
    return mode, 1 / np.sqrt(bend)


def log_likelihood(samples: Samples, coefficients: Array, variances: Variances) -> tuple[Array, Array]:
    r"""Return each person's log-likelihood and score.

    Parameters
    ----------
    samples
        Of :func:`arrange`.
    coefficients
        (p,) fixed effects.
    variances
        Person and session 0 or more, sample above 0.

    Returns
    -------
    tuple
        (n,) log-likelihoods and (n, p + 3) derivatives by coefficients and variances.

    Notes
    -----
    :math:`y = x' \beta + u_i + w_{is} + e`.  Given u, a session is normal in two dimensions: a density,
    a density times a normal probability, or a bivariate probability, in closed form.  The integral over
    u is an adaptive Gauss-Hermite rule of 60 points about the mode [1]_, exact where nothing is censored
    and good to 1e-8 of the log-likelihood unless nearly everything is censored and people differ several
    times more than the samples of one person (4e-8 at three times in standard deviation, 5e-4 at six).

    Derivatives by variances use :math:`\partial L / \partial \sigma^2 = \frac12 \partial^2 L / \partial m^2`
    for a location m that the effect shifts; they hold at a variance of 0 as well.

    References
    ----------
    .. [1] Liu Q, Pierce DA. A note on Gauss-Hermite quadrature. Biometrika 1994;81:624-629.

    Examples
    --------
    A limit at the mean halves the probability:

    >>> block = arrange([0.0], 0.0, np.inf, np.ones((1, 1)), [1], [1])
    >>> value, _ = log_likelihood(block, np.zeros(1), Variances(1.0, 0.5, 0.5))
    >>> float(np.exp(value)[0].round(9))
    0.5

    """
    fixed = samples.design @ coefficients
    mode, spread = _person_mode(samples, fixed, variances)
    z = mode[:, None] + np.sqrt(2) * spread[:, None] * _NODES
    terms = _sessions(samples, fixed[..., None] + np.sqrt(variances.person) * z[:, None, None], variances)
    value, a, b, aa, ab, bb = terms
    log_weight = np.log(_WEIGHTS) + _NODES**2 + value.sum(axis=1) - (z**2 + _LOG_2PI) / 2
    person = special.logsumexp(log_weight, axis=1)
    weight = np.exp(log_weight - person[:, None])
    likelihood = person + np.log(np.sqrt(2) * spread)
    location = np.einsum('tnsq,nq->nst', terms[1:3], weight)
    slope, bend = a + b, aa + 2 * ab + bb
    by_person = bend.sum(axis=1) + slope.sum(axis=1) ** 2
    by_session = (bend + slope**2).sum(axis=1)
    by_sample = (aa + bb + a**2 + b**2).sum(axis=1)
    by_variance = np.einsum('vnq,nq->nv', np.stack([by_person, by_session, by_sample]), weight) / 2
    return likelihood, np.hstack([np.einsum('nst,nstp->np', location, samples.design), by_variance])
