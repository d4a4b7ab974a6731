"""Regression of counts without a maximum on the logarithmic scale: negative binomial, and its limits."""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from pipelines.errors import DataError

from .solving import climb, invert_information, solve_information

Array = NDArray[Any]

CountModel = Literal['negative_binomial', 'poisson', 'quasi_poisson']

_MODEL = 'a regression of counts'
_LEAST, _MOST = np.log(1e-6), np.log(1e4)  # of alpha: no more than Poisson, and without an end


class Counted(NamedTuple):
    """What is fitted: ``design`` (n, p), ``counts`` (n,) and ``exposure`` (n,) above 0."""

    design: Array
    counts: Array
    exposure: Array

    def expected(self, coefficients: Array) -> Array:
        """Return (n,)."""
        return np.asarray(self.exposure * np.exp(self.design @ coefficients))

    def log_likelihood(self, coefficients: Array, alpha: float) -> float:
        """Return it, by the Poisson distribution where alpha is 0."""
        mu, y = self.expected(coefficients), self.counts
        if alpha == 0:
            return float(np.sum(special.xlogy(y, mu) - mu - special.gammaln(y + 1)))
        size = 1 / alpha
        ways = special.gammaln(y + size) - special.gammaln(size) - special.gammaln(y + 1)
        return float(np.sum(ways + special.xlogy(y, alpha * mu) - (y + size) * np.log1p(alpha * mu)))

    def weights(self, coefficients: Array, alpha: float) -> Array:
        """Return (n,) of the expected information."""
        mu = self.expected(coefficients)
        return np.asarray(mu / (1 + alpha * mu))


class CountFit(NamedTuple):
    """A fit.

    Attributes
    ----------
    model
        What it is by.
    coefficients, covariance
        (p,) and (p, p).
    alpha
        Variance is mu + alpha mu squared.
    spread
        Factor of the variance, in ``covariance`` already; 1 but for ``quasi_poisson``.
    log_likelihood
        At the maximum; of the Poisson distribution for ``quasi_poisson``.

    """

    model: CountModel
    coefficients: Array
    covariance: Array
    alpha: float
    spread: float
    log_likelihood: float


def fit_at(data: Counted, alpha: float, start: Array | None = None) -> Array:
    """Return the coefficients of highest likelihood at this alpha.

    Raises
    ------
    DataError
        The search does not end.

    Examples
    --------
    Without columns it is the rate, whatever alpha, if all are watched equally long:

    >>> data = Counted(np.ones((3, 1)), np.array([1.0, 4, 1]), np.full(3, 2.0))
    >>> [round(float(np.exp(fit_at(data, alpha)[0])), 9) for alpha in (0.0, 0.5)]
    [1.0, 1.0]

    """
    level = np.log(data.counts.sum() / data.exposure.sum())
    begin = np.eye(data.design.shape[1])[0] * level if start is None else start

    def step_from(at: Array) -> Array:
        mu = data.expected(at)
        gram = data.design.T @ (data.design * data.weights(at, alpha)[:, None])
        score = data.design.T @ ((data.counts - mu) / (1 + alpha * mu))
        return solve_information(gram, score, _MODEL)

    found, is_top = climb(lambda at: data.log_likelihood(at, alpha), step_from, begin)
    if not is_top:
        raise DataError('the likelihood of the counts has no maximum; use fewer covariates')
    return found


def fit_overdispersed(data: Counted) -> CountFit:
    r"""Fit counts by the negative binomial distribution, or by one of its limits.

    Parameters
    ----------
    data
        With at least one event in every arm.

    Raises
    ------
    DataError
        The likelihood has no maximum.

    Notes
    -----
    :math:`E y = \mu = T e^{x'b}`, variance :math:`\mu + \alpha \mu^2`, maximum likelihood over b and
    :math:`\log \alpha`.  The covariance of b is the inverse of the expected information, in which b and
    :math:`\alpha` are orthogonal.  Counts that vary no more than by chance have their maximum at
    :math:`\alpha = 0`, the Poisson distribution, whose standard errors are then, if anything, too large.  Where
    :math:`\alpha` grows without end: quasi-Poisson, :math:`\phi \mu` with Pearson's
    :math:`\phi = \sum (y - \mu)^2 / \mu / (n - p)`.

    Examples
    --------
    >>> fit_overdispersed(Counted(np.ones((4, 1)), np.array([2.0, 3, 2, 3]), np.ones(4))).model
    'poisson'
    >>> fit_overdispersed(Counted(np.ones((4, 1)), np.array([0.0, 3, 0, 12]), np.ones(4))).model
    'negative_binomial'

    """
    poisson = fit_at(data, 0.0)
    if _slope_at_zero(data, poisson) <= 0:
        return _finished(data, 'poisson', poisson, 0.0)

    def cost(log_alpha: float) -> float:
        alpha = float(np.exp(log_alpha))
        return -data.log_likelihood(fit_at(data, alpha, poisson), alpha)

    try:
        best = optimize.minimize_scalar(
            cost, bounds=(_LEAST, _MOST), method='bounded', options={'xatol': 1e-7}
        )
    except DataError:
        return _finished(data, 'quasi_poisson', poisson, 0.0)
    if best.x > _MOST - 0.1:
        return _finished(data, 'quasi_poisson', poisson, 0.0)
    alpha = float(np.exp(best.x))
    return _finished(data, 'negative_binomial', fit_at(data, alpha, poisson), alpha)


def _slope_at_zero(data: Counted, coefficients: Array) -> float:
    """Return the derivative of the likelihood by alpha where it is 0."""
    mu = data.expected(coefficients)
    return float(np.sum((data.counts - mu) ** 2 - data.counts) / 2)


def _finished(data: Counted, model: CountModel, coefficients: Array, alpha: float) -> CountFit:
    weights = data.weights(coefficients, alpha)
    information = data.design.T @ (data.design * weights[:, None])
    covariance, spread = invert_information(information, _MODEL), 1.0
    if model == 'quasi_poisson':
        mu = data.expected(coefficients)
        spread = float(np.sum((data.counts - mu) ** 2 / mu) / (len(mu) - len(coefficients)))
    height = data.log_likelihood(coefficients, alpha)
    return CountFit(model, coefficients, covariance * spread, alpha, spread, height)
