"""Restricted likelihood of two visits of which one may be missing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import DataError

Array = NDArray[Any]

_SMALLEST_RESIDUAL = 1e-7  # of the spread of the outcome; below it one visit tells the other


def root_of(parameters: Array) -> Array:
    """Return the lower triangle whose square is the covariance."""
    return np.array([[np.exp(parameters[0]), 0], [parameters[1], np.exp(parameters[2])]])


def start_from(outcome: Array, arm: Array, table: Array) -> Array:
    """Return the parameters of :func:`root_of` by least squares on the pairs."""
    before, after = outcome.T
    means = np.column_stack([np.ones(len(arm)), table])
    residual = before - means @ np.linalg.lstsq(means, before, rcond=None)[0]
    design = np.column_stack([before, means, arm])
    slopes = np.linalg.lstsq(design, after, rcond=None)[0]
    spreads = np.array([np.std(residual), np.std(after - design @ slopes)])
    if (spreads < _SMALLEST_RESIDUAL).any():
        raise DataError('the other columns tell the baseline or the follow-up exactly; check the table')
    return np.array([np.log(spreads[0]), slopes[0] * spreads[0], np.log(spreads[1])])


class Restricted:
    """Restricted likelihood of two visits from the cross-products of each pattern of missing visits."""

    def __init__(self, outcome: Array, design: Array) -> None:
        """Take the outcome (n, 2) and the design (n, 2, p)."""
        seen = ~np.isnan(outcome)
        self.n_values, self.n_coefficients = int(seen.sum()), design.shape[2]
        full = np.concatenate([design, outcome[..., None]], axis=2)
        self.patterns = []
        for visits in ([0, 1], [0], [1]):
            rows = full[(seen == np.isin([0, 1], visits)).all(axis=1)][:, visits]
            self.patterns.append((visits, len(rows), np.einsum('iap,ibq->abpq', rows, rows)))

    def solve(self, covariance: Array) -> tuple[float, Array, Array]:
        """Return the log-likelihood, the coefficients and their covariance matrix."""
        p, log_det = self.n_coefficients, 0.0
        gram = np.zeros((p + 1, p + 1))
        for visits, n, products in self.patterns:
            block = covariance[np.ix_(visits, visits)]
            log_det += n * np.log(np.linalg.det(block))
            gram += np.einsum('ab,abpq->pq', np.linalg.inv(block), products)
        # the last pivot of the factor is the residual sum of squares
        root = np.linalg.cholesky(gram)
        log_det += 2 * np.log(np.diag(root)[:p]).sum()
        constant = (self.n_values - p) * np.log(2 * np.pi)
        inverse = np.linalg.inv(root[:p, :p])
        return -(constant + log_det + root[p, p] ** 2) / 2, inverse.T @ root[p, :p], inverse.T @ inverse

    def cost(self, parameters: Array) -> float:
        """Return minus the log-likelihood; infinite where rounding leaves no covariance."""
        root = root_of(parameters)
        try:
            value = self.solve(root @ root.T)[0]
        except np.linalg.LinAlgError:
            return np.inf
        return -value if np.isfinite(value) else np.inf
