"""Residuals of people in other places or with other signs, and their products, many rearrangements at once."""

from typing import Any, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

_TILE = 64  # voxels whose data stay in the nearest cache


class Rearranged(Protocol):
    """B rearrangements of the residuals (n, m) of people: who has whose, or with which sign."""

    def __len__(self) -> int: ...

    def products(self, rows: Array, left: Array) -> Array:
        """Return the products (r, B, m) of rows (r, n) with rearranged residuals."""

    def squares(self, people: Array, left: Array) -> Array:
        """Return the sums of squares (B, m) of the residuals that some people (n,) get."""

    def crossed(self, people: Array, own: Array, left: Array) -> Array:
        """Return the products (B, m) of these residuals with a column of each voxel's own (n, m)."""


class Exchanged:
    """Residuals of other people.

    Parameters
    ----------
    drawn
        (B, n) the person whose residual goes to each place.

    """

    def __init__(self, drawn: Array) -> None:
        self.drawn = drawn

    def __len__(self) -> int:
        """Return B."""
        return len(self.drawn)

    def products(self, rows: Array, left: Array) -> Array:
        """As :class:`Rearranged`."""
        weights = np.empty((len(rows), *self.drawn.shape))
        np.put_along_axis(weights, self.drawn[None], rows[:, None], axis=2)
        return _weighted(weights, left)

    def squares(self, people: Array, left: Array) -> Array:
        """As :class:`Rearranged`."""
        return self.products(people[None].astype(float), left**2)[0]

    def crossed(self, people: Array, own: Array, left: Array) -> Array:
        """As :class:`Rearranged`."""
        return _permuted_product(own, left, self.drawn, np.flatnonzero(people))


class Flipped:
    """Residuals of the people themselves, with signs.

    Parameters
    ----------
    signs
        (B, n) 1 or -1.

    """

    def __init__(self, signs: Array) -> None:
        self.signs = signs

    def __len__(self) -> int:
        """Return B."""
        return len(self.signs)

    def products(self, rows: Array, left: Array) -> Array:
        """As :class:`Rearranged`."""
        return _weighted(rows[:, None] * self.signs, left)

    def squares(self, people: Array, left: Array) -> Array:
        """As :class:`Rearranged`."""
        return np.broadcast_to(np.sum(left[people] ** 2, axis=0), (len(self), left.shape[1]))

    def crossed(self, people: Array, own: Array, left: Array) -> Array:
        """As :class:`Rearranged`."""
        return np.asarray(self.signs[:, people] @ (own[people] * left[people]))


def _weighted(weights: Array, left: Array) -> Array:
    """Return the products (r, B, m) of weights (r, B, n) with residuals (n, m)."""
    return (weights.reshape(-1, len(left)) @ left).reshape(*weights.shape[:2], -1)


@njit(nogil=True)
def _permuted_product(own: Array, left: Array, drawn: Array, people: Array) -> Array:
    """Return the sum over people i of own[i, v] left[drawn[b, i], v] (B, m)."""
    n_voxels = own.shape[1]
    product = np.zeros((len(drawn), n_voxels))
    for start in range(0, n_voxels, _TILE):
        tile = slice(start, min(start + _TILE, n_voxels))
        for row in range(len(drawn)):
            total = product[row, tile]
            for person in people:
                mine, other = own[person, tile], left[drawn[row, person], tile]
                for voxel in range(len(total)):
                    total[voxel] += mine[voxel] * other[voxel]
    return product
