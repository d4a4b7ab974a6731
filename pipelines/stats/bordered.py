"""Weighted normal equations of many regressions at once, for designs with one intercept per group."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Split(NamedTuple):
    """A design as the groups of its samples and what varies within them.

    Attributes
    ----------
    groups
        (n, p) 0/1, each row sums to one: a participant each, or the intercept.
    rest
        (n, k) remaining columns.

    """

    groups: Array
    rest: Array


def split_design(design: Array) -> Split | None:
    """Return the leading columns that assign every sample to one group, and the others; None without.

    Examples
    --------
    >>> split_design(np.array([[1, 0, 5.0], [1, 0, 7], [0, 1, 6]])).rest.ravel().tolist()
    [5.0, 7.0, 6.0]

    """
    design = np.asarray(design, float)
    for p in range(1, design.shape[1] + 1):
        leading = design[:, :p]
        if not np.isin(leading[:, -1], (0, 1)).all():
            return None
        if (leading.sum(axis=1) == 1).all():
            return Split(leading, design[:, p:])
    return None


class Information:
    r"""The matrix X'WX + ridge of every regression, with the block of the groups eliminated.

    Parameters
    ----------
    split
        Design X of n samples, the same for all.
    weights
        (m, n) positive weights W of each of m regressions.
    ridge
        Added to the diagonal: one number, (p + k,) or (m, p + k).

    Notes
    -----
    With :math:`X = [D\; Z]` the block :math:`D'WD` is diagonal, and the matrix of the k remaining
    coefficients is its Schur complement :math:`S = Z'WZ - Z'WD\,(D'WD)^{-1}D'WZ`.  A regression on p
    participants costs :math:`O(n k^2)` instead of :math:`O(n p^2)`.

    Examples
    --------
    >>> split = split_design(np.array([[1, 0, 0.0], [1, 0, 1], [0, 1, 0], [0, 1, 1]]))
    >>> equations = Information(split, np.ones((1, 4)))
    >>> equations.regress(np.array([[1.0, 2, 5, 6]])).round(9).tolist()
    [[1.0, 5.0, 1.0]]

    """

    def __init__(self, split: Split, weights: Array, ridge: float | Array = 0.0) -> None:
        groups, rest = split
        p, k = groups.shape[1], rest.shape[1]
        added = np.broadcast_to(np.asarray(ridge, float), (len(weights), p + k))
        self.split, self.weights = split, weights
        self._diagonal = weights @ groups + added[:, :p]
        cross = (weights[:, None, :] * rest.T) @ groups
        self._centre = cross / self._diagonal[:, None, :]
        products = (rest[:, :, None] * rest[:, None, :]).reshape(len(rest), k * k)
        schur = (weights @ products).reshape(len(weights), k, k) - self._centre @ cross.transpose(0, 2, 1)
        schur[:, range(k), range(k)] += added[:, p:]
        self._inverse = np.linalg.inv(schur)

    def solve(self, right: Array) -> Array:
        """Return (m, p + k) solutions for right-hand sides (m, p + k)."""
        p = self._diagonal.shape[1]
        top, bottom = right[:, :p], right[:, p:]
        lower = self._inverse @ (bottom[..., None] - self._centre @ top[..., None])
        upper = top / self._diagonal - (lower.transpose(0, 2, 1) @ self._centre)[:, 0]
        return np.hstack([upper, lower[..., 0]])

    def regress(self, values: Array) -> Array:
        """Return (m, p + k) weighted least-squares coefficients of values (m, n)."""
        return self.solve((self.weights * values) @ np.hstack(self.split))

    def quadratic(self) -> Array:
        """Return (m, n): x' (X'WX + ridge)^-1 x of every sample x; times the weight, its leverage."""
        groups, rest = self.split
        centred = rest.T - self._centre @ groups.T
        return (1 / self._diagonal) @ groups.T + np.einsum(
            'mkn,mkn->mn', self._inverse @ centred, centred, optimize=True
        )
