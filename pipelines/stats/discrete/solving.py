"""The highest point of a likelihood of discrete outcomes, with a penalty where there is none without."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from pipelines.errors import DataError

Array = NDArray[Any]

_STEPS, _HALVINGS = 200, 40
_CONVERGED = 1e-9  # change of a coefficient
_FLAT = 1e-5  # largest slope of a penalised likelihood at its top
_ORDINARY = 10.0  # log odds; a maximum where all are smaller needs no proof


class Likelihood(Protocol):
    """What people had, and what the coefficients (p,) of a design make of it."""

    @property
    def design(self) -> Array:
        """Return rows of p columns that turn coefficients into log odds."""

    @property
    def name(self) -> str:
        """Return what messages call the model."""

    def is_separated(self) -> bool:
        """Return whether there is no maximum."""

    def start(self) -> Array:
        """Return coefficients without any effect."""

    def log_likelihood(self, coefficients: Array) -> float:
        """Return it; minus infinity where there is none."""

    def slope(self, coefficients: Array) -> tuple[Array, Array]:
        """Return (p,) first and minus (p, p) second derivatives of the log-likelihood."""

    def information(self, coefficients: Array) -> Array:
        """Return (p, p) expected."""

    def penalty_slope(self, coefficients: Array) -> tuple[Array, Array]:
        """Return (p,) derivatives of half the log determinant of the information, and a (p, p) bound of its bend."""


class LikelihoodFit(NamedTuple):
    """Coefficients (p,), their covariance (p, p) and the log-likelihood, penalised if so fitted."""

    coefficients: Array
    covariance: Array
    log_likelihood: float


def fit_or_penalise(data: Likelihood) -> tuple[LikelihoodFit, bool]:
    """Fit by maximum likelihood, or with the penalty where there is no maximum; True: with the penalty.

    Raises
    ------
    DataError
        The search does not end.

    """
    try:
        fit = fit_likelihood(data)
    except DataError:
        if not data.is_separated():
            raise
        return fit_penalised(data), True
    is_ordinary = np.abs(data.design @ fit.coefficients).max() < _ORDINARY
    return (fit, False) if is_ordinary or not data.is_separated() else (fit_penalised(data), True)


def fit_likelihood(data: Likelihood) -> LikelihoodFit:
    """Fit by maximum likelihood.

    Parameters
    ----------
    data
        Not separated.

    Raises
    ------
    DataError
        The search does not end, as with separated data.

    Notes
    -----
    Newton's method with the observed information, each step halved until the likelihood rises; it is concave.

    """

    def step_from(at: Array) -> Array:
        first, second = data.slope(at)
        return solve_information(second, first, data.name)

    at, is_top = climb(data.log_likelihood, step_from, data.start())
    if not is_top:
        raise DataError(f'the likelihood of {data.name} has no maximum; use fewer covariates')
    return LikelihoodFit(at, invert_information(data.slope(at)[1], data.name), data.log_likelihood(at))


def penalised(data: Likelihood, coefficients: Array) -> float:
    """Return the log-likelihood with half the log determinant of the expected information."""
    height = data.log_likelihood(coefficients)
    if not np.isfinite(height):
        return -np.inf
    sign, log_det = np.linalg.slogdet(data.information(coefficients))
    return float(height + log_det / 2) if sign > 0 else -np.inf


def fit_penalised(data: Likelihood, held: tuple[int, float] | None = None) -> LikelihoodFit:
    r"""Fit with Jeffreys' prior as a penalty (Firth), which has a maximum whatever the data.

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
    The maximum of :math:`\ell(\theta) + \log |I(\theta)| / 2` with the expected information [1]_, by scoring; the
    penalty is of all coefficients also where one is held.

    References
    ----------
    .. [1] Firth D. Bias reduction of maximum likelihood estimates. Biometrika 1993;80:27-38.

    """
    start = data.start()
    free = np.delete(np.arange(len(start)), [] if held is None else [held[0]])
    if held is not None:
        start[held[0]] = held[1]

    def step_from(at: Array) -> Array:
        slope, bend = data.penalty_slope(at)
        total, step = data.slope(at)[0] + slope, np.zeros_like(at)
        # without the bend of the penalty a person alone swings back and forth
        curvature = data.information(at) + bend
        step[free] = solve_information(curvature[np.ix_(free, free)], total[free], data.name)
        return step

    at, is_top = climb(lambda coefficients: penalised(data, coefficients), step_from, start)
    if not is_top:
        at = _finish_penalised(data, at, free)
    return LikelihoodFit(at, invert_information(data.information(at), data.name), penalised(data, at))


def _finish_penalised(data: Likelihood, at: Array, free: Array) -> Array:
    """Return the top from near it, where the bend of the penalty makes scoring slow."""

    def cost(values: Array) -> tuple[float, Array]:
        there = at.copy()
        there[free] = values
        height = penalised(data, there)
        if not np.isfinite(height):
            return 1e10, np.zeros_like(values)
        return -height, -(data.slope(there)[0] + data.penalty_slope(there)[0])[free]

    found = optimize.minimize(cost, at[free], method='BFGS', jac=True, options={'gtol': _FLAT / 100})
    if np.abs(found.jac).max(initial=0) > _FLAT:
        raise DataError(
            f'the search for the penalised likelihood of {data.name} did not end; use fewer covariates'
        )
    top = at.copy()
    top[free] = found.x
    return top


def climb(
    height: Callable[[Array], float], step_from: Callable[[Array], Array], at: Array
) -> tuple[Array, bool]:
    """Return where steps end, each halved until it is no lower, and whether they came to rest.

    Parameters
    ----------
    height
        What is climbed; minus infinity where one cannot stand.
    step_from
        A step that leads upwards, if it is short enough.
    at
        (p,) where to start.

    Examples
    --------
    A step that goes ten times too far:

    >>> top, _ = climb(lambda x: -float(x @ x), lambda x: -10 * x, np.array([3.0]))
    >>> bool(abs(top[0]) < 1e-8)
    True

    """
    for _ in range(_STEPS):
        step, lowest = step_from(at), height(at)
        largest = float(np.abs(step).max(initial=0))
        for halved in range(_HALVINGS):
            length = 0.5**halved
            # a rise smaller than rounding is none
            is_last = largest * length < _CONVERGED
            if is_last or height(at + length * step) >= lowest - 1e-10 * abs(lowest):
                break
        at = at + length * step
        if largest * length < _CONVERGED:
            return at, True
    return at, False


def solve_information(information: Array, right: Array, whose: str) -> Array:
    """Return the solution of the equations of a Newton step.

    Parameters
    ----------
    information
        (p, p) symmetric.
    right
        (p,) or (p, k).
    whose
        What the message calls the model.

    Raises
    ------
    DataError
        The information is singular: data are separated, or columns say the same.

    Examples
    --------
    >>> solve_information(np.diag([2.0, 4.0]), np.array([2.0, 2.0]), 'a model').tolist()
    [1.0, 0.5]

    """
    try:
        return np.linalg.solve(information, right)
    except np.linalg.LinAlgError:
        raise DataError(f'the information of {whose} is singular; use fewer covariates') from None


def invert_information(information: Array, whose: str) -> Array:
    """Return the covariance of the coefficients, (p, p); raises as :func:`solve_information`.

    Examples
    --------
    >>> invert_information(np.diag([2.0, 4.0]), 'a model').tolist()
    [[0.5, 0.0], [0.0, 0.25]]

    """
    return solve_information(information, np.eye(len(information)), whose)
