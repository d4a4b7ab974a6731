"""Means that everyone would have in each arm (g-computation), with errors that count whom one sampled."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import DataError

from ..estimate import Estimate, t_estimate
from .people import Compared

Array = NDArray[Any]

_FULL_LEVERAGE = 1 - 1e-9


class Expected(NamedTuple):
    """What a model expects of each person in each arm.

    Attributes
    ----------
    means
        (n, n_arms) per unit of exposure.
    slopes
        (n_arms, p) derivatives of their averages by the coefficients.
    influence
        (n, p) of each person on the coefficients.
    leverage
        (n,) 0 to 1.
    variance
        (n,) of the outcome by the model; given where the model shrinks (Firth), whose residuals say too
        little.  None: squared residuals.

    """

    means: Array
    slopes: Array
    influence: Array
    leverage: Array
    variance: Array | None = None


class Marginal(NamedTuple):
    """Standardised means (n_arms,) and their covariance (n_arms, n_arms)."""

    means: Array
    covariance: Array


def leverages(design: Array, weights: Array) -> Array:
    """Return the diagonal of the hat matrix of weighted least squares.

    Examples
    --------
    >>> leverages(np.ones((4, 1)), np.array([1.0, 1, 1, 1])).tolist()
    [0.25, 0.25, 0.25, 0.25]

    """
    q = np.linalg.qr(design * np.sqrt(weights)[:, None])[0]
    return np.asarray(np.sum(q**2, axis=1))


def standardise(people: Compared, expected: Expected) -> Marginal:
    r"""Average over everyone what each would have in each arm.

    Parameters
    ----------
    people
        Outcomes and arms.
    expected
        By a working model, which in a randomised trial need not be right.

    Raises
    ------
    DataError
        One person alone determines a coefficient.

    Notes
    -----
    Randomised: :math:`\hat\theta_t = n^{-1} \sum_i \hat\mu_t(x_i) + n_t^{-1} \sum_{a_i = t} r_i` with
    :math:`r = y - \hat\mu_{a}(x)`; the second sum is 0 for logistic regression.  Their covariance over n is
    [1]_ :math:`V_{tt} = S_t^2 / \pi_t + 2 C_t(y, \mu_t) - C(\mu_t, \mu_t)` and
    :math:`V_{ts} = C_t(y, \mu_s) + C_s(y, \mu_t) - C(\mu_t, \mu_s)`, C over everyone, :math:`C_t` within an
    arm.  We depart in one thing: residuals in :math:`S_t^2` are divided by one minus their leverage (HC3), as in
    :func:`~pipelines.stats.change.ancova`, for intervals of 57 people are too short without.  With time at risk
    T, residuals are :math:`(y - T \mu) / \bar T_t`.

    Not randomised: :math:`\hat\theta_t` is the first sum alone; person i adds
    :math:`\hat\mu_t(x_i) - \hat\theta_t + \nabla_\beta \hat\theta_t' \psi_i` with the influence :math:`\psi_i` on the
    coefficients, which holds where the model does.

    References
    ----------
    .. [1] Ye T, Bannick M, Yi Y, Shao J. Robust variance estimation for covariate-adjusted unconditional
       treatment effect in randomized clinical trials with binary outcomes. Stat Theory Relat Fields
       2023;7:159-163.

    """
    is_used = expected.variance is None or not people.is_randomised
    if is_used and expected.leverage.max() > _FULL_LEVERAGE:
        raise DataError('one person alone determines a coefficient, so that it has no standard error')
    return _randomised(people, expected) if people.is_randomised else _modelled(expected)


def _randomised(people: Compared, expected: Expected) -> Marginal:
    n, codes = len(people.outcome), range(len(people.arms))
    mu, members = expected.means, [people.arm == code for code in codes]
    pace = np.array([people.exposure[group].mean() for group in members])[people.arm]
    own = mu[np.arange(n), people.arm]
    residual = (people.outcome - people.exposure * own) / pace
    squares, means = residual**2, mu.mean(axis=0)
    if expected.variance is None:
        shift = np.array([residual[group].mean() for group in members])
        means, squares = means + shift, (residual - shift[people.arm]) ** 2
        squares = squares / (1 - expected.leverage) ** 2
    else:
        residual, squares = np.zeros(n), expected.variance
    # cross[t, s]: within arm t, of the outcome with what is expected in arm s
    cross = np.array([_covariances((own + residual)[group], mu[group]) for group in members])
    covariance = cross + cross.T - np.atleast_2d(np.cov(mu.T))
    covariance[codes, codes] += [squares[group].mean() * n / group.sum() for group in members]
    return Marginal(means, covariance / n)


def _covariances(one: Array, others: Array) -> Array:
    centred = others - others.mean(axis=0)
    return np.asarray((one - one.mean()) @ centred / max(len(one) - 1, 1))


def _modelled(expected: Expected) -> Marginal:
    means = expected.means.mean(axis=0)
    n = len(expected.means)
    psi = n * expected.influence / (1 - expected.leverage)[:, None]
    each = expected.means - means + psi @ expected.slopes.T
    return Marginal(means, each.T @ each / n**2)


def difference(marginal: Marginal, place: int) -> Estimate | None:
    """Return an arm minus control by the normal distribution; None where nothing varies.

    Examples
    --------
    >>> found = difference(Marginal(np.array([0.2, 0.5]), np.diag([0.01, 0.03])), 1)
    >>> round(found.estimate, 9), round(found.se, 9)
    (0.3, 0.2)

    """
    contrast = np.zeros(len(marginal.means))
    contrast[[0, place]] = -1, 1
    variance = float(contrast @ marginal.covariance @ contrast)
    if not variance > 0:
        return None
    return t_estimate(float(contrast @ marginal.means), np.sqrt(variance), np.inf)
