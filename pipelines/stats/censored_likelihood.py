"""Likelihood of censored samples: people, sessions within people, samples within sessions."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from pipelines.errors import DataError

from .censored_sessions import LOG_2PI, LONGEST_STEP, NEWTON_STEPS, SessionTerms, session_terms

Array = NDArray[Any]

_NODES, _WEIGHTS = np.polynomial.hermite.hermgauss(60)


class Samples(NamedTuple):
    """Samples in a block of people by sessions by places, of which there are two or more; measured ones first.

    Attributes
    ----------
    value
        (n, s, t) measured value, limit of a censored one, infinite where there is no sample.
    side
        (n, s, t): 0 measured, 1 below its limit or no sample, -1 above its limit.
    design
        (n, s, t, p) rows of the fixed effects, 0 where there is no sample.

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
        (m,) labels.

    Raises
    ------
    DataError
        Limits that are missing or cross, or an infinite value without a limit.

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
    shape = (len(people), len(sessions), max(2, place.max(initial=0) + 1))
    block = Samples(np.full(shape, np.inf), np.ones(shape, int), np.zeros((*shape, design.shape[1])))
    for target, source in zip(block, (y, side, rows)):
        target[i, s, place] = source[order]
    return block


def _sessions(samples: Samples, location: Array, variances: Variances) -> SessionTerms:
    """Return the terms of each session given its person."""
    return session_terms(samples.value, samples.side, location, variances.session, variances.sample)


def _person_mode(samples: Samples, fixed: Array, variances: Variances) -> tuple[Array, Array]:
    """Return where the standardised effect of each person is likeliest, and the spread about it."""
    sd = np.sqrt(variances.person)
    mode = np.zeros(len(fixed))
    for _ in range(NEWTON_STEPS):
        terms = _sessions(samples, fixed[..., None] + sd * mode[:, None, None, None], variances)
        slope = sd * terms.slope.sum(axis=(1, 2, 3)) - mode
        bend = 1 - np.minimum(variances.person * terms.bend.sum(axis=(1, 2)), 0)
        step = np.clip(slope / bend, -LONGEST_STEP, LONGEST_STEP)
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
    :math:`y = x' \beta + u_i + w_{is} + e`.  Given u, sessions are those of
    :func:`~pipelines.stats.censored_sessions.session_terms`.  The integral over u is an adaptive Gauss-Hermite rule of 60 points about the mode [1]_, exact where nothing is censored
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
    log_weight = np.log(_WEIGHTS) + _NODES**2 + terms.value.sum(axis=1) - (z**2 + LOG_2PI) / 2
    person = special.logsumexp(log_weight, axis=1)
    weight = np.exp(log_weight - person[:, None])
    likelihood = person + np.log(np.sqrt(2) * spread)
    location = np.einsum('nstq,nq->nst', terms.slope, weight)
    shift = terms.slope.sum(axis=2)
    by_person = terms.bend.sum(axis=1) + shift.sum(axis=1) ** 2
    by_session = (terms.bend + shift**2).sum(axis=1)
    by_sample = terms.trace.sum(axis=1)
    by_variance = np.einsum('vnq,nq->nv', np.stack([by_person, by_session, by_sample]), weight) / 2
    return likelihood, np.hstack([np.einsum('nst,nstp->np', location, samples.design), by_variance])
