"""Likelihood of ordered levels by the log odds of each level or above."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from pipelines.errors import DataError

from .separation import is_separated
from .solving import invert_information

Array = NDArray[Any]

_STEPS, _HALVINGS = 100, 40
_MODEL = 'a regression of levels'
_CONVERGED = 1e-9  # change of a coefficient
_ORDINARY = 10.0  # log odds; a maximum where all are smaller needs no proof
_FLAT = 1e-3  # largest gradient of a penalised likelihood at its maximum


class Levels(NamedTuple):
    r"""What is fitted: :math:`P(y_i \ge k) = \mathrm{expit}(z_{ik}'\theta)`, k from 1.

    Attributes
    ----------
    levels
        (n,) place of each person's level, 0 to n_levels - 1, each of which somebody has.
    design
        (n, n_levels - 1, p) rows :math:`z_{ik}`.

    """

    levels: Array
    design: Array

    def _ends(self) -> tuple[Array, Array, Array, Array]:
        """Return rows of being at the own level or above, and above it, and whether there is such a row."""
        n, n_cuts, _ = self.design.shape
        people, has_low, has_high = np.arange(n), self.levels > 0, self.levels < n_cuts
        low = self.design[people, np.maximum(self.levels - 1, 0)] * has_low[:, None]
        high = self.design[people, np.minimum(self.levels, n_cuts - 1)] * has_high[:, None]
        return low, high, has_low, has_high

    def is_separated(self) -> bool:
        """Return whether the likelihood has no maximum."""
        low, high, has_low, has_high = self._ends()
        steps = np.diff(self.design, axis=1).reshape(-1, self.design.shape[2])
        ordered = -np.unique(steps, axis=0) if len(steps) else steps
        return is_separated(np.vstack([low[has_low], -high[has_high], ordered]))

    def probabilities(self, coefficients: Array) -> Array:
        """Return (n, n_levels)."""
        above = special.expit(self.design @ coefficients)
        ends = np.column_stack([np.ones(len(above)), above, np.zeros(len(above))])
        return -np.diff(ends, axis=1)

    def log_likelihood(self, coefficients: Array) -> float:
        """Return it; minus infinity where levels are out of order."""
        own = self.probabilities(coefficients)[np.arange(len(self.levels)), self.levels]
        return float(np.log(own).sum()) if (own > 0).all() else -np.inf

    def scores(self, coefficients: Array) -> tuple[Array, Array]:
        """Return (n, p) derivatives of each person's log-likelihood, and (p, p) minus the second of their sum."""
        low, high, has_low, has_high = self._ends()
        below, above = special.expit(low @ coefficients), special.expit(high @ coefficients)
        upper, lower = np.where(has_low, below, 1.0), np.where(has_high, above, 0.0)
        own = (upper - lower)[:, None]
        one, two = ((end * (1 - end))[:, None] for end in (upper, lower))
        first = (one * low - two * high) / own
        bends = (one * (1 - 2 * upper[:, None]) / own, two * (1 - 2 * lower[:, None]) / own)
        second = first.T @ first - low.T @ (bends[0] * low) + high.T @ (bends[1] * high)
        return first, second

    def information(self, coefficients: Array) -> Array:
        """Return (p, p) expected."""
        n, n_cuts, p = self.design.shape
        total, chances = np.zeros((p, p)), self.probabilities(coefficients)
        for level in range(n_cuts + 1):
            first = self._replace(levels=np.full(n, level)).scores(coefficients)[0]
            total += first.T @ (first * chances[:, [level]])
        return total

    def penalised(self, coefficients: Array) -> float:
        """Return the log-likelihood with half the log determinant of the expected information."""
        height = self.log_likelihood(coefficients)
        if not np.isfinite(height):
            return -np.inf
        sign, log_det = np.linalg.slogdet(self.information(coefficients))
        return height + log_det / 2 if sign > 0 else -np.inf

    def start(self) -> Array:
        """Return coefficients without any effect, for designs that start with one intercept per cut."""
        n_cuts = self.design.shape[1]
        above = np.array([(self.levels >= cut).mean() for cut in range(1, n_cuts + 1)])
        return np.concatenate([special.logit(above), np.zeros(self.design.shape[2] - n_cuts)])


class CumulativeFit(NamedTuple):
    """Coefficients (p,), their covariance (p, p) and the log-likelihood, penalised if so fitted."""

    coefficients: Array
    covariance: Array
    log_likelihood: float


def fit_levels(data: Levels) -> tuple[CumulativeFit, bool]:
    """Fit by maximum likelihood, or with Jeffreys' penalty where there is no maximum; True: with the penalty.

    Raises
    ------
    DataError
        The search does not end.

    Examples
    --------
    >>> fit_levels(Levels(np.array([0, 1, 2]), np.tile(np.eye(2), (3, 1, 1))))[1]
    False

    """
    try:
        fit = fit_cumulative(data)
    except DataError:
        if not data.is_separated():
            raise
        return fit_penalised(data), True
    is_ordinary = np.abs(data.design @ fit.coefficients).max() < _ORDINARY
    return (fit, False) if is_ordinary or not data.is_separated() else (fit_penalised(data), True)


def fit_cumulative(data: Levels) -> CumulativeFit:
    """Fit by maximum likelihood.

    Parameters
    ----------
    data
        Not separated.

    Raises
    ------
    DataError
        The search does not end.

    Notes
    -----
    Newton's method with the observed information, each step halved until the likelihood rises; it is concave.

    Examples
    --------
    Without columns, a third at each of three levels is log odds of 2 and 1/2:

    >>> data = Levels(np.array([0, 1, 2]), np.tile(np.eye(2), (3, 1, 1)))
    >>> np.exp(fit_cumulative(data).coefficients).round(6).tolist()
    [2.0, 0.5]

    """
    coefficients = data.start()
    for _ in range(_STEPS):
        first, second = data.scores(coefficients)
        try:
            step = np.linalg.solve(second, first.sum(axis=0))
        except np.linalg.LinAlgError:
            break
        height, length = data.log_likelihood(coefficients), 1.0
        for _ in range(_HALVINGS):
            if data.log_likelihood(coefficients + length * step) >= height - 1e-10 * abs(height):
                break
            length /= 2
        coefficients = coefficients + length * step
        if np.abs(length * step).max() < _CONVERGED:
            covariance = invert_information(data.scores(coefficients)[1], _MODEL)
            return CumulativeFit(coefficients, covariance, data.log_likelihood(coefficients))
    raise DataError('the likelihood of the levels has no maximum; join levels or use fewer covariates')


def fit_penalised(data: Levels, held: tuple[int, float] | None = None) -> CumulativeFit:
    r"""Fit with Jeffreys' prior as a penalty, which has a maximum whatever the data.

    Parameters
    ----------
    data
        Separated or not.
    held
        Place and value of a coefficient that is not free, for profiles.

    Raises
    ------
    DataError
        The search does not end.

    Notes
    -----
    The maximum of :math:`\ell(\theta) + \log |I(\theta)| / 2` with the expected information; for two levels it
    is :func:`~.logistic.fit_firth`.

    Examples
    --------
    >>> data = Levels(np.array([0, 0, 1, 1]), np.array([[[1.0, 0]], [[1, 0]], [[1, 1]], [[1, 1]]]))
    >>> np.exp(fit_penalised(data).coefficients).round(3).tolist()
    [0.2, 25.0]

    """
    full = data.start()
    free = np.delete(np.arange(len(full)), [] if held is None else [held[0]])
    if held is not None:
        full[held[0]] = held[1]

    def cost(values: Array) -> float:
        at = full.copy()
        at[free] = values
        height = data.penalised(at)
        return -height if np.isfinite(height) else 1e10

    found = _search(cost, full[free])
    full[free] = found
    return CumulativeFit(full, invert_information(data.information(full), _MODEL), data.penalised(full))


def _search(cost: Callable[[Array], float], start: Array) -> Array:
    best = optimize.minimize(cost, start, method='BFGS', jac='3-point', options={'gtol': 1e-6})
    if np.abs(best.jac).max(initial=0) > _FLAT:
        raise DataError('the penalised likelihood of the levels has no maximum; join levels')
    return np.asarray(best.x)
