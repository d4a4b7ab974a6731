"""Logistic regression of events among trials, by maximum likelihood and with Firth's penalty."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pipelines.errors import DataError

from .separation import is_separated
from .solving import invert_information, solve_information

Array = NDArray[Any]

_STEPS, _HALVINGS = 200, 40
_MODEL = 'a logistic regression'
_CONVERGED = 1e-9  # change of a coefficient
_ORDINARY = 10.0  # log odds; a maximum where all are smaller needs no proof


class Events(NamedTuple):
    """What is fitted.

    Attributes
    ----------
    design
        (n, p).
    events, trials
        (n,) numbers; a single event has one trial.

    """

    design: Array
    events: Array
    trials: Array

    def is_separated(self) -> bool:
        """Return whether the likelihood has no maximum."""
        happened, failed = self.events > 0, self.events < self.trials
        return is_separated(np.vstack([self.design[happened], -self.design[failed]]))

    def log_likelihood(self, coefficients: Array) -> float:
        """Return it without the constant of the numbers of ways."""
        line = self.design @ coefficients
        return float(np.sum(self.events * line - self.trials * np.logaddexp(0, line)))

    def weights(self, coefficients: Array) -> Array:
        """Return (n,) variances of the events."""
        risk = special.expit(self.design @ coefficients)
        return np.asarray(self.trials * risk * (1 - risk))

    def information(self, coefficients: Array) -> Array:
        """Return (p, p)."""
        return np.asarray(self.design.T @ (self.design * self.weights(coefficients)[:, None]))

    def penalised(self, coefficients: Array) -> float:
        """Return the log-likelihood with half the log determinant of the information."""
        sign, log_det = np.linalg.slogdet(self.information(coefficients))
        return self.log_likelihood(coefficients) + log_det / 2 if sign > 0 else -np.inf


class LogisticFit(NamedTuple):
    """Coefficients (p,), their covariance (p, p) and the log-likelihood, penalised if so fitted."""

    coefficients: Array
    covariance: Array
    log_likelihood: float


def fit_events(data: Events) -> tuple[LogisticFit, bool]:
    """Fit by maximum likelihood, or with Firth's penalty where there is no maximum; True: with the penalty.

    Raises
    ------
    DataError
        The search does not end.

    Examples
    --------
    >>> [fit_events(Events(np.ones((3, 1)), np.array(y), np.ones(3)))[1] for y in ([0.0, 1, 0], [0.0, 0, 0])]
    [False, True]

    """
    try:
        fit = fit_logistic(data)
    except DataError:
        if not data.is_separated():
            raise
        return fit_firth(data), True
    is_ordinary = np.abs(data.design @ fit.coefficients).max() < _ORDINARY
    return (fit, False) if is_ordinary or not data.is_separated() else (fit_firth(data), True)


def fit_logistic(data: Events) -> LogisticFit:
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
    Newton's method, each step halved until the likelihood rises.

    Examples
    --------
    One coefficient is the log odds:

    >>> found = fit_logistic(Events(np.ones((4, 1)), np.array([1.0, 1, 1, 0]), np.ones(4)))
    >>> round(float(np.exp(found.coefficients[0])), 9)
    3.0

    """
    coefficients = np.zeros(data.design.shape[1])
    for _ in range(_STEPS):
        residual = data.events - data.trials * special.expit(data.design @ coefficients)
        step = solve_information(data.information(coefficients), data.design.T @ residual, _MODEL)
        coefficients, moved = _climb(data.log_likelihood, coefficients, step)
        if moved < _CONVERGED:
            covariance = invert_information(data.information(coefficients), _MODEL)
            return LogisticFit(coefficients, covariance, data.log_likelihood(coefficients))
    raise DataError('the likelihood of a logistic regression has no maximum')


def fit_firth(data: Events, held: tuple[int, float] | None = None) -> LogisticFit:
    r"""Fit with Firth's penalty, which has a maximum whatever the data.

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
    The maximum of :math:`\ell(b) + \log |X'WX| / 2` [1]_, by scoring on
    :math:`X'(y - m\pi + h (1/2 - \pi))` with leverages h; the penalty is of all coefficients also where one is
    held.

    References
    ----------
    .. [1] Firth D. Bias reduction of maximum likelihood estimates. Biometrika 1993;80:27-38.

    Examples
    --------
    Half an event and half a failure are added; no event in four is 0.5 to 4.5:

    >>> found = fit_firth(Events(np.ones((4, 1)), np.zeros(4), np.ones(4)))
    >>> round(float(np.exp(found.coefficients[0])), 6)
    0.111111

    """
    p = data.design.shape[1]
    coefficients, free = np.zeros(p), np.arange(p)
    if held is not None:
        coefficients[held[0]], free = held[1], np.delete(free, held[0])
    for _ in range(_STEPS):
        risk = special.expit(data.design @ coefficients)
        inverse = invert_information(data.information(coefficients), _MODEL)
        leverage = data.weights(coefficients) * np.sum((data.design @ inverse) * data.design, axis=1)
        score = data.design.T @ (data.events - data.trials * risk + leverage * (0.5 - risk))
        step = np.zeros(p)
        # the penalty adds h to the trials of each person; without it a person alone swings back and forth
        weights = (data.trials + leverage) * risk * (1 - risk)
        curvature = data.design.T @ (data.design * weights[:, None])
        step[free] = solve_information(curvature[np.ix_(free, free)], score[free], _MODEL)
        coefficients, moved = _climb(data.penalised, coefficients, step)
        if moved < _CONVERGED:
            covariance = invert_information(data.information(coefficients), _MODEL)
            return LogisticFit(coefficients, covariance, data.penalised(coefficients))
    raise DataError("the search of Firth's logistic regression did not end; use fewer covariates")


def _climb(height: Any, at: Array, step: Array) -> tuple[Array, float]:
    """Return the end of the step, halved until it is not lower, and how far it went."""
    lowest, largest = height(at), float(np.abs(step).max(initial=0))
    for halved in range(_HALVINGS):
        length = 0.5**halved
        # a rise smaller than rounding is none
        if largest * length < _CONVERGED or height(at + length * step) >= lowest - 1e-10 * abs(lowest):
            return at + length * step, largest * length
    return at, 0.0
