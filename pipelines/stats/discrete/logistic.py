"""Likelihood of events among trials by their log odds."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .separation import is_separated
from .solving import invert_information

Array = NDArray[Any]


class Events(NamedTuple):
    """What is fitted.

    Attributes
    ----------
    design
        (n, p).
    events, trials
        (n,) numbers; a single event has one trial.

    Examples
    --------
    One coefficient is the log odds; with the penalty half an event and half a failure are added, so that none in
    four is 0.5 to 4.5:

    >>> from pipelines.stats.discrete.solving import fit_likelihood, fit_penalised
    >>> some, none = (Events(np.ones((4, 1)), np.array(y), np.ones(4)) for y in ([1.0, 1, 1, 0], [0.0, 0, 0, 0]))
    >>> round(float(np.exp(fit_likelihood(some).coefficients[0])), 9)
    3.0
    >>> round(float(np.exp(fit_penalised(none).coefficients[0])), 6)
    0.111111

    """

    design: Array
    events: Array
    trials: Array

    @property
    def name(self) -> str:
        """Return what messages call the model."""
        return 'a logistic regression'

    def is_separated(self) -> bool:
        """Return whether the likelihood has no maximum."""
        happened, failed = self.events > 0, self.events < self.trials
        return is_separated(np.vstack([self.design[happened], -self.design[failed]]))

    def start(self) -> Array:
        """Return zeros."""
        return np.zeros(self.design.shape[1])

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

    def slope(self, coefficients: Array) -> tuple[Array, Array]:
        """Return first and minus second derivatives of the log-likelihood."""
        residual = self.events - self.trials * special.expit(self.design @ coefficients)
        return self.design.T @ residual, self.information(coefficients)

    def penalty_slope(self, coefficients: Array) -> tuple[Array, Array]:
        r"""Return :math:`X' h (1/2 - \pi)` with leverages h, which the penalty adds to the trials of each person."""
        risk = special.expit(self.design @ coefficients)
        inverse = invert_information(self.information(coefficients), self.name)
        leverage = self.weights(coefficients) * np.sum((self.design @ inverse) * self.design, axis=1)
        bend = self.design.T @ (self.design * (leverage * risk * (1 - risk))[:, None])
        return self.design.T @ (leverage * (0.5 - risk)), bend
