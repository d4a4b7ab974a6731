"""Likelihood of the samples of one session given its person, some of them beyond a limit."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[Any]

LOG_2PI = np.log(2 * np.pi)
NEWTON_STEPS, LONGEST_STEP = 30, 3.0

_NODES, _WEIGHTS = np.polynomial.hermite.hermgauss(40)
_FAR = 26.0  # standard deviations; the product of two probabilities beyond has no digits left
_TINY = 1e-300
_PIECE = 2_000_000  # numbers that an array of the inner rule may hold


class SessionTerms(NamedTuple):
    """Log-likelihood of sessions and its derivatives by the locations of their samples.

    Attributes
    ----------
    value
        (n, s, q) log-likelihood.
    slope
        (n, s, t, q) first derivatives.
    bend
        (n, s, q) second derivative by a shift of all samples.
    trace
        (n, s, q) sum of the second derivatives of the likelihood itself by each location, over the likelihood.

    """

    value: Array
    slope: Array
    bend: Array
    trace: Array


def session_terms(value: Array, side: Array, location: Array, session: float, sample: float) -> SessionTerms:
    r"""Return the log-likelihood of each session, and its derivatives.

    Parameters
    ----------
    value, side
        (n, s, t) samples, see :class:`~pipelines.stats.censored_likelihood.Samples`.
    location
        (n, s, t, q) their expectations given the person, at q points.
    session, sample
        Variances of sessions within a person, 0 or more, and of samples within a session, above 0.

    Notes
    -----
    :math:`y_t = m_t + w + e_t`.  Measured samples are normal with a common correlation.  Up to two samples with
    limits are a normal or bivariate normal probability, in closed form.  Of three and more the integral over w is
    an adaptive Gauss-Hermite rule of 40 points about its mode, given which samples are independent.

    """
    n, s, t, q = location.shape
    shapes = (n * s, q), (n * s, t, q), (n * s, q), (n * s, q)
    found = SessionTerms(*(np.zeros(shape) for shape in shapes))
    y, at = value.reshape(-1, t), location.reshape(-1, t, q)
    beside = side.reshape(-1, t)
    present = np.isfinite(y)
    n_present, n_censored = present.sum(axis=1), (present & (beside != 0)).sum(axis=1)
    is_measured, is_short = n_censored == 0, n_present <= 2
    n_measured = n_present - n_censored
    for rows, terms in (
        (is_measured, _measured),
        (~is_measured & is_short & (n_measured == 1), _one_measured),
        (~is_measured & is_short & (n_measured == 0), _none_measured),
        (~is_measured & ~is_short, _integrated),
    ):
        every = np.flatnonzero(rows)
        pieces = np.array_split(every, 1 + len(every) * t * q * len(_NODES) // _PIECE)
        for own in pieces if terms is _integrated else [every]:
            if len(own):
                residual = np.moveaxis(y[own][..., None] - at[own], 1, 0)
                beyond = np.moveaxis(beside[own][..., None], 1, 0)
                for target, part in zip(found, terms(residual, beyond, session, sample)):
                    target[own] = part
    return SessionTerms(*(part.reshape(n, s, *part.shape[1:]) for part in found))


def _measured(residual: Array, side: Array, session: float, sample: float) -> SessionTerms:
    """Return the terms of sessions without a censored sample."""
    present = np.isfinite(residual[..., :1])
    r = np.where(present, residual, 0)
    k = present.sum(axis=0)
    total = sample + k * session
    share = session / total
    slope = np.where(present, r - share * r.sum(axis=0), 0) / sample
    value = -(k * LOG_2PI + (k - 1) * np.log(sample) + np.log(total) + (r * slope).sum(axis=0)) / 2
    bend = np.broadcast_to(-k / total, value.shape)
    trace = (slope**2).sum(axis=0) - k * (1 - share) / sample
    return SessionTerms(value, np.moveaxis(slope, 0, 1), bend, trace)


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


def _pair(
    value: Array, first: tuple[Array, Array], second: tuple[Array, Array, Array], n_places: int
) -> SessionTerms:
    """Return terms of sessions of two samples from their log-derivatives; further places are empty."""
    slope = np.zeros((value.shape[0], n_places, value.shape[1]))
    slope[:, 0], slope[:, 1] = first
    by_first, across, by_last = second
    trace = by_first + by_last + first[0] ** 2 + first[1] ** 2
    return SessionTerms(value, slope, by_first + 2 * across + by_last, trace)


def _one_measured(residual: Array, side: Array, session: float, sample: float) -> SessionTerms:
    """Return the terms of a measured sample and a censored one."""
    s, rho = np.sqrt(session + sample), session / (session + sample)
    a, b = residual[:2] / s
    root = np.sqrt(1 - rho**2)
    bound = np.clip(side[1] * (b - rho * a) / root, -_FAR, _FAR)
    log_below = special.log_ndtr(bound)
    hazard = np.exp(-(LOG_2PI + bound**2) / 2 - log_below)
    bend = -hazard * (hazard + bound)
    by_a, by_b = side[1] * rho / (s * root), -side[1] / (s * root)
    value = -(LOG_2PI + a**2) / 2 - np.log(s) + log_below
    seconds = (bend * by_a**2 - 1 / s**2, bend * by_a * by_b, bend * by_b**2)
    return _pair(value, (a / s + hazard * by_a, hazard * by_b), seconds, len(residual))


def _none_measured(residual: Array, side: Array, session: float, sample: float) -> SessionTerms:
    """Return the terms of two censored samples, or of one alone."""
    s, rho = np.sqrt(session + sample), session / (session + sample)
    h, k = np.clip(side[:2] * residual[:2] / s, -_FAR, _FAR)
    turn = side[0] * side[1]
    r, root = turn * rho, np.sqrt(1 - rho**2)
    value = log_bivariate(h, k, r)
    by_h = np.exp(-(LOG_2PI + h**2) / 2 + special.log_ndtr((k - r * h) / root) - value)
    by_k = np.exp(-(LOG_2PI + k**2) / 2 + special.log_ndtr((h - r * k) / root) - value)
    cross = np.exp(-LOG_2PI - (h**2 - 2 * r * h * k + k**2) / (2 * root**2) - value) / root
    first, second = -side[0] * by_h / s, -side[1] * by_k / s
    seconds = (
        -(h * by_h + r * cross) / s**2 - first**2,
        turn * cross / s**2 - first * second,
        -(k * by_k + r * cross) / s**2 - second**2,
    )
    return _pair(value, (first, second), seconds, len(residual))


def _independent(residual: Array, side: Array, sample: float) -> Array:
    """Return log-likelihoods of samples given their sessions, first and second derivatives: (3, t, ...)."""
    z = residual / np.sqrt(sample)
    bound = np.clip(side * z, -_FAR, _FAR)
    log_below = special.log_ndtr(bound)
    hazard = np.exp(-(LOG_2PI + bound**2) / 2 - log_below)
    beyond = [log_below, -side * hazard / np.sqrt(sample), -hazard * (hazard + bound) / sample]
    density = [-(LOG_2PI + np.log(sample) + z**2) / 2, residual / sample, np.full_like(z, -1 / sample)]
    return np.where(side == 0, density, beyond)


def _session_mode(residual: Array, side: Array, session: float, sample: float) -> tuple[Array, Array]:
    """Return where the standardised effect of each session is likeliest, and the spread about it."""
    mode, sd = np.zeros(residual.shape[1:]), np.sqrt(session)
    for _ in range(NEWTON_STEPS):
        _, first, second = _independent(residual - sd * mode, side, sample).sum(axis=1)
        bend = 1 - session * second
        step = np.clip((sd * first - mode) / bend, -LONGEST_STEP, LONGEST_STEP)
        mode = mode + step
        # the rule need not sit on the mode exactly
        if np.abs(step).max() < 0.01:
            break
    return mode, 1 / np.sqrt(bend)


def _integrated(residual: Array, side: Array, session: float, sample: float) -> SessionTerms:
    """Return the terms of sessions of three and more samples, some of them censored."""
    mode, spread = _session_mode(residual, side, session, sample)
    z = mode[..., None] + np.sqrt(2) * spread[..., None] * _NODES
    terms = _independent(residual[..., None] - np.sqrt(session) * z, side[..., None], sample)
    log_weight = np.log(_WEIGHTS) + _NODES**2 + terms[0].sum(axis=0) - (z**2 + LOG_2PI) / 2
    value = special.logsumexp(log_weight, axis=-1)
    weight = np.exp(log_weight - value[..., None])
    _, first, second = terms
    sloped, shift = np.einsum('trqk,rqk->rtq', first, weight), first.sum(axis=0)
    bend = np.einsum('rqk,rqk->rq', shift**2 + second.sum(axis=0), weight) - sloped.sum(axis=1) ** 2
    trace = np.einsum('trqk,rqk->rq', first**2 + second, weight)
    return SessionTerms(value + np.log(np.sqrt(2) * spread), sloped, bend, trace)
