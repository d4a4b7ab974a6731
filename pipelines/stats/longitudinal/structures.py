"""Covariances of visits: which parameters they have, and how Sigma follows from them."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines.terms import STRUCTURES_OF_VISITS, VisitStructure

Array = NDArray[Any]

_WITHIN = 0.9  # of the largest correlation a start may have


class CovarianceModel(Protocol):
    """A covariance of J visits; parameters are in the last axis, so that those of groups go together."""

    is_linear: bool
    """Second derivatives vanish."""

    def sigma(self, parameters: Array) -> Array:
        """Return (..., J, J)."""

    def first(self, parameters: Array) -> Array:
        """Return (..., k, J, J) first derivatives."""

    def second(self, parameters: Array) -> Array:
        """Return (..., k, k, J, J) second derivatives."""

    def start(self, sigma: Array) -> Array:
        """Return parameters (..., k) whose covariance resembles (..., J, J)."""


class Unstructured:
    """Every variance and covariance is a parameter.

    Examples
    --------
    >>> structure = Unstructured(2)
    >>> structure.sigma(np.array([4.0, 1.0, 9.0])).tolist()
    [[4.0, 1.0], [1.0, 9.0]]

    """

    is_linear = True

    def __init__(self, n_visits: int) -> None:
        self._rows, self._columns = np.tril_indices(n_visits)
        k = np.arange(len(self._rows))
        self._first = np.zeros((len(k), n_visits, n_visits))
        self._first[k, self._rows, self._columns] = self._first[k, self._columns, self._rows] = 1

    def sigma(self, parameters: Array) -> Array:
        """Return (..., J, J)."""
        k, n_visits, _ = self._first.shape
        square = parameters @ self._first.reshape(k, -1)
        return np.asarray(square.reshape(*parameters.shape[:-1], n_visits, n_visits))

    def first(self, parameters: Array) -> Array:
        """Return (..., k, J, J) first derivatives: where each element stands."""
        return np.broadcast_to(self._first, (*parameters.shape[:-1], *self._first.shape))

    def second(self, parameters: Array) -> Array:
        """Return zeros."""
        k, n_visits, _ = self._first.shape
        return np.zeros((*parameters.shape[:-1], k, k, n_visits, n_visits))

    def start(self, sigma: Array) -> Array:
        """Return the elements."""
        return sigma[..., self._rows, self._columns]


class Correlations(NamedTuple):
    """Correlations (J, J) with their first (m, J, J) and second (m, m, J, J) derivatives by m parameters."""

    matrix: Array
    first: Array
    second: Array


class Heterogeneous:
    r"""A variance of its own at each visit, and few correlations.

    Notes
    -----
    Parameters are the variances v and the correlations r: :math:`\Sigma_{ab} = \sqrt{v_a v_b}\, C_{ab}(r)`.

    Examples
    --------
    >>> structure = Heterogeneous(3, one_for_all)
    >>> structure.sigma(np.array([1.0, 4.0, 9.0, 0.5]))[0].tolist()
    [1.0, 1.0, 1.5]

    """

    is_linear = False

    def __init__(self, n_visits: int, correlate: Callable[[Array, int], Correlations]) -> None:
        self._n, self._correlate = n_visits, correlate
        distance = np.abs(np.subtract.outer(np.arange(n_visits), np.arange(n_visits)))
        self._n_correlations = len(correlate(np.full(n_visits, 0.1), n_visits).first)
        self._neighbours = distance == 1
        # 1/2 for the row and 1/2 for the column of the visit
        one = np.eye(n_visits)
        self._half = (one[:, :, None] + one[:, None, :]) / 2

    def sigma(self, parameters: Array) -> Array:
        """Return (..., J, J)."""
        return np.stack([self._spread(own) * self._at(own).matrix for own in _rows(parameters)]).reshape(
            *parameters.shape[:-1], self._n, self._n
        )

    def first(self, parameters: Array) -> Array:
        """Return (..., k, J, J) first derivatives."""
        found = np.stack([self._first_of(own) for own in _rows(parameters)])
        return found.reshape(*parameters.shape, self._n, self._n)

    def second(self, parameters: Array) -> Array:
        """Return (..., k, k, J, J) second derivatives."""
        found = np.stack([self._second_of(own) for own in _rows(parameters)])
        return found.reshape(*parameters.shape, parameters.shape[-1], self._n, self._n)

    def start(self, sigma: Array) -> Array:
        """Return the variances and the mean correlation of neighbours, for all distances where there are several."""
        variances = np.diagonal(sigma, axis1=-2, axis2=-1)
        sd = np.sqrt(variances)
        matrix = sigma / (sd[..., :, None] * sd[..., None, :])
        mean = np.clip(matrix[..., self._neighbours].mean(axis=-1), -_WITHIN / max(self._n - 1, 1), _WITHIN)
        powers = np.arange(1, self._n_correlations + 1)
        return np.concatenate([variances, mean[..., None] ** powers], axis=-1)

    def _at(self, own: Array) -> Correlations:
        return self._correlate(own[self._n :], self._n)

    def _spread(self, own: Array) -> Array:
        if (own[: self._n] <= 0).any():
            raise np.linalg.LinAlgError('a variance is not positive')
        sd = np.sqrt(own[: self._n])
        return np.outer(sd, sd)

    def _first_of(self, own: Array) -> Array:
        at, spread = self._at(own), self._spread(own)
        relative = self._half / own[: self._n, None, None]
        return np.concatenate([relative * spread * at.matrix, spread * at.first])

    def _second_of(self, own: Array) -> Array:
        at, spread, n = self._at(own), self._spread(own), self._n
        relative = self._half / own[:n, None, None]
        by_variances = relative[:, None] * relative[None]
        which = np.arange(n)
        by_variances[which, which] -= relative / own[:n, None, None]
        found = np.empty((len(own), len(own), n, n))
        found[:n, :n] = by_variances * spread * at.matrix
        found[:n, n:] = relative[:, None] * spread * at.first[None]
        found[n:, :n] = found[:n, n:].swapaxes(0, 1)
        found[n:, n:] = spread * at.second
        return found


def _rows(parameters: Array) -> Array:
    return parameters.reshape(-1, parameters.shape[-1])


def one_for_all(r: Array, n_visits: int) -> Correlations:
    """Return the same correlation between any two visits (compound symmetry)."""
    apart = 1 - np.eye(n_visits)
    return Correlations(np.eye(n_visits) + r[0] * apart, apart[None], np.zeros((1, 1, n_visits, n_visits)))


def one_per_distance(r: Array, n_visits: int) -> Correlations:
    """Return a correlation per distance of visits (Toeplitz)."""
    distance = np.abs(np.subtract.outer(np.arange(n_visits), np.arange(n_visits)))
    m = n_visits - 1
    first = (distance == np.arange(1, n_visits)[:, None, None]).astype(float)
    matrix = np.eye(n_visits) + np.tensordot(r[:m], first, axes=1)
    return Correlations(matrix, first, np.zeros((m, m, n_visits, n_visits)))


def powers_of_one(r: Array, n_visits: int) -> Correlations:
    """Return powers of one correlation by distance of visits (autoregression)."""
    distance = np.abs(np.subtract.outer(np.arange(n_visits), np.arange(n_visits)))
    # no power below 0 is looked at where its factor is 0
    first = distance * r[0] ** np.maximum(distance - 1, 0)
    second = distance * (distance - 1) * r[0] ** np.maximum(distance - 2, 0)
    return Correlations(r[0] ** distance, first[None], second[None, None])


def structure_of(name: VisitStructure, n_visits: int) -> CovarianceModel:
    """Return a structure by its name.

    Raises
    ------
    UnknownWordError
        The name is none of :data:`pipelines.terms.STRUCTURES_OF_VISITS`.

    """
    correlations = {
        'toeplitz': one_per_distance,
        'autoregressive': powers_of_one,
        'compound_symmetry': one_for_all,
    }
    word = STRUCTURES_OF_VISITS[name].name
    return Unstructured(n_visits) if word == 'unstructured' else Heterogeneous(n_visits, correlations[word])
