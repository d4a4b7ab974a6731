"""Maximum likelihood of a mixed model of censored samples."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from pipelines.errors import DataError

from .censored_likelihood import Samples, Variances, log_likelihood

Array = NDArray[Any]

_LEAST_ERROR = 1e-5  # variance of single samples, share of all variance
_GRADIENT = 1e-6  # of the log-likelihood at its maximum, in standard deviations of the samples
_LEAST_INFORMATION = 1e-2  # where the data say nothing of a coefficient of ten standard deviations
_SHARES = 0.4, 0.2, 0.4  # of people, sessions and samples in the variance, to start from
_NEAR = 0.01  # near enough for Newton steps
_RESTARTS, _POLISH, _STEPS = 5, 5, 3


class CensoredFit(NamedTuple):
    """Maximum likelihood estimates of a censored mixed model.

    Attributes
    ----------
    coefficients, covariance
        (p,) fixed effects and (p, p) their covariance matrix, from the observed information.
    variances
        Of person, session and sample; 0 when at that bound.
    log_likelihood
        At the maximum.

    """

    coefficients: Array
    covariance: Array
    variances: Variances
    log_likelihood: float


class _Problem:
    """The likelihood in units of its own: samples of unit spread, columns of the design orthogonal."""

    def __init__(self, samples: Samples) -> None:
        """Scale and start from least squares with the limits as values."""
        present = np.isfinite(samples.value)
        rows, y = samples.design[present], samples.value[present]
        q, r = np.linalg.qr(rows)
        self.p = rows.shape[1]
        if len(y) <= self.p or np.abs(np.diag(r)).min() < 1e-9 * np.abs(r).max():
            raise DataError(f'{len(y)} samples do not determine {self.p} fixed effects')
        effect = q.T @ y
        self.scale = float(np.sqrt(np.mean((y - q @ effect) ** 2)))
        if self.scale <= 1e-12 * np.abs(y).max():
            raise DataError('the samples do not vary about their fixed effects; check the table')
        self.turn = np.linalg.inv(r) * np.sqrt(len(y))
        self.samples = Samples(samples.value / self.scale, samples.side, samples.design @ self.turn)
        effects = effects_of(samples)
        shares = np.array(_SHARES) * (*effects, True)
        self.start = np.append(effect / (self.scale * np.sqrt(len(y))), shares / shares.sum())
        free = [(0, None) if is_there else (0, 0) for is_there in effects]
        self.bounds = [(None, None)] * self.p + [*free, (_LEAST_ERROR, None)]
        self.lowest = np.array([-np.inf if low is None else low for low, _ in self.bounds])
        self.fixed = np.array([high == 0 for _, high in self.bounds])

    def cost(self, theta: Array) -> tuple[float, Array]:
        """Return minus the log-likelihood and its gradient."""
        value, score = log_likelihood(self.samples, theta[: self.p], Variances(*theta[self.p :]))
        return -float(value.sum()), -score.sum(axis=0)

    def information(self, theta: Array, free: Array) -> Array:
        """Return second derivatives by the free parameters, central differences of the gradient."""
        rows = []
        for j in np.flatnonzero(free):
            step = np.zeros_like(theta)
            step[j] = 1e-4 * (theta[j] if j >= self.p else 1)
            rows.append((self.cost(theta + step)[1] - self.cost(theta - step)[1])[free] / (2 * step[j]))
        matrix = np.array(rows)
        return (matrix + matrix.T) / 2

    def solve(self) -> tuple[Array, Array]:
        """Return the maximum and the information of the parameters that are free there."""
        theta, options = self.start, {'maxiter': 200, 'ftol': 0, 'gtol': 1e-4}
        for _ in range(_RESTARTS):
            found = optimize.minimize(
                self.cost, theta, jac=True, bounds=self.bounds, method='L-BFGS-B', options=options
            )
            theta = found.x
            # a search may end far from the maximum, on a step that gains nothing
            inward = ~self.fixed & ((theta > self.lowest) | (found.jac < 0))
            if np.abs(found.jac[inward]).max() < _NEAR:
                break
        theta = np.where((theta < self.lowest + 1e-6) & ~np.isinf(self.lowest), self.lowest, theta)
        for _ in range(_POLISH):
            free = ~self.fixed & (theta > self.lowest)
            information = self.information(theta, free)
            if np.linalg.eigvalsh(information)[0] <= _LEAST_INFORMATION:
                break
            # steps this near the maximum leave the information as it is
            for _ in range(_STEPS):
                gradient = self.cost(theta)[1][free]
                if np.abs(gradient).max() < _GRADIENT:
                    return theta, information
                theta[free] = np.maximum(
                    theta[free] - np.linalg.solve(information, gradient), self.lowest[free]
                )
        raise DataError(
            'the likelihood of the censored model has no maximum inside its range; too many samples are '
            'beyond their limits, or a group of samples is censored entirely'
        )


def effects_of(samples: Samples) -> tuple[bool, bool]:
    """Return whether people, and sessions within them, can be told from single samples.

    Examples
    --------
    Three people in two sessions of one sample each:

    >>> from pipelines.stats.censored_likelihood import arrange
    >>> effects_of(arrange([1.0, 2, 3, 4, 6, 5], -np.inf, np.inf, np.ones((6, 1)), [1, 1, 2, 2, 3, 3], [1, 2, 1, 2, 1, 2]))
    (True, False)

    """
    taken = np.isfinite(samples.value).sum(axis=2)
    of_people, sessions = taken.sum(axis=1), (taken > 0).sum(axis=1)
    return bool((of_people > 1).any()), bool((taken > 1).any() and (sessions > 1).any())


def fit_censored(samples: Samples) -> CensoredFit:
    r"""Fit the censored mixed model by maximum likelihood.

    Parameters
    ----------
    samples
        Of :func:`arrange`.

    Raises
    ------
    DataError
        Fixed effects are not determined, samples do not vary, or the likelihood has no maximum.

    Notes
    -----
    :func:`log_likelihood` summed over people.  A variance whose maximum is at 0 stays there, and the
    information is that of the parameters left.  Effects that :func:`effects_of` cannot tell apart are left out: of
    sessions where none has two samples or nobody two sessions, of people where each has one sample, which is the
    model of Tobin [1]_.

    References
    ----------
    .. [1] Tobin J. Estimation of relationships for limited dependent variables. Econometrica
       1958;26:24-36.

    Examples
    --------
    With nothing censored a constant is the mean:

    >>> from pipelines.stats.censored_likelihood import arrange
    >>> block = arrange([1.0, 2, 6], -np.inf, np.inf, np.ones((3, 1)), [1, 2, 3], [1, 1, 1])
    >>> float(fit_censored(block).coefficients[0].round(9))
    3.0

    """
    problem = _Problem(samples)
    theta, information = problem.solve()
    p, scale = problem.p, problem.scale
    turn = problem.turn * scale
    covariance = np.linalg.inv(information)[:p, :p]
    n_measured = int((samples.side == 0).sum())
    return CensoredFit(
        turn @ theta[:p],
        turn @ covariance @ turn.T,
        Variances(*(theta[p:] * scale**2)),
        -problem.cost(theta)[0] - n_measured * np.log(scale),
    )
