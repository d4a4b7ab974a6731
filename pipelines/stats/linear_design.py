"""Design of the models of all voxels, as a whole and within every group of one variance."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

Array = NDArray[Any]

ROUNDED = 1e-12
"""Share of squares that is rounding: a constant or a combination of the nuisance."""

LEAST_FREE = 0.5
"""Degrees of freedom of a group below which its variance is no estimate."""


class VarianceGroup(NamedTuple):
    """People of one variance: the design as its rows see it.

    Attributes
    ----------
    people
        (n,) whether a person is of the group.
    basis
        (r, n) orthonormal rows that are 0 outside the group and span the design within it.
    nuisance, tested
        (r, k) and (r, s) coordinates of the columns of the design.

    """

    people: Array
    basis: Array
    nuisance: Array
    tested: Array


class LinearDesign(NamedTuple):
    """What the models of all voxels have in common."""

    tested: Array
    """(n, s) orthonormal, orthogonal to the nuisance."""
    nuisance: Array
    """(n, k) orthonormal."""
    groups: tuple[VarianceGroup, ...]
    dof: int

    @property
    def is_signed(self) -> bool:
        """Return whether the statistic is a t, which has a sign, and no F."""
        return self.tested.shape[1] == 1


def fit_design(
    tested: Array, nuisance: Array, groups: Array | None = None, *, has_covariate: bool
) -> LinearDesign:
    """Make the design orthonormal, as a whole and within every group of one variance.

    Parameters
    ----------
    tested
        (n,) or (n, s) regressors of interest.
    nuisance
        (n, k) any columns, also dependent ones.
    groups
        (n,) a label for each variance; None: one for all.
    has_covariate
        Whether every voxel adds a column of its own, which costs a degree of freedom.

    Raises
    ------
    DataError
        Shapes differ, a value is not finite, a regressor is a combination of the nuisance and the others, or no
        degree of freedom is left, to all or to a group.

    Examples
    --------
    >>> design = fit_design(np.array([0.0, 0, 1, 1]), np.ones((4, 2)), has_covariate=False)
    >>> design.tested[:, 0].round(12).tolist(), design.nuisance.shape, design.dof
    ([-0.5, -0.5, 0.5, 0.5], (4, 1), 2)

    """
    n, columns = len(tested), tested if tested.ndim == 2 else tested[:, None]
    if tested.ndim not in (1, 2) or nuisance.ndim != 2 or len(nuisance) != n:
        raise DataError(f'regressors of shape {tested.shape} with a nuisance of shape {nuisance.shape}')
    if not np.isfinite(columns).all() or not np.isfinite(nuisance).all():
        raise DataError('the design holds values that are not finite; leave these people out')
    basis = _orthonormal(nuisance)
    left = columns - basis @ (basis.T @ columns)
    lost = np.sum(left**2, axis=0) <= ROUNDED * np.sum(columns**2, axis=0)
    own = _orthonormal(left)
    if lost.any() or own.shape[1] < left.shape[1]:
        raise DataError('a tested regressor is constant or a combination of the nuisance; nothing to test')
    if left.shape[1] == 1:
        own = left / np.linalg.norm(left)  # with the sign of the regressor
    dof = n - basis.shape[1] - own.shape[1] - has_covariate
    if dof < 1:
        raise DataError(f'{n} people leave {dof} degrees of freedom to this design; it needs at least 1')
    label = np.zeros(n, int) if groups is None else np.unique(groups, return_inverse=True)[1].ravel()
    parts = tuple(_group(label == one, basis, own) for one in range(label.max() + 1))
    return LinearDesign(own, basis, parts, dof)


def _group(people: Array, nuisance: Array, tested: Array) -> VarianceGroup:
    both = np.where(people[:, None], np.column_stack([nuisance, tested]), 0)
    basis = _orthonormal(both)
    inside = basis.T @ both
    free = people.sum() - np.sum(inside**2)
    if free < LEAST_FREE:
        raise DataError(
            f'{people.sum()} people of a group leave {free:.2g} degrees of freedom to its variance in this design'
        )
    k = nuisance.shape[1]
    return VarianceGroup(people, basis.T, inside[:, :k], inside[:, k:])


def _orthonormal(columns: Array) -> Array:
    """Return an orthonormal basis (n, rank) of the space of ``columns`` (n, k)."""
    scale = np.abs(columns).max(axis=0, initial=0)
    vectors, values, _ = np.linalg.svd(columns / np.where(scale > 0, scale, 1), full_matrices=False)
    return vectors[:, values > values.max(initial=0) * 1e-10]
