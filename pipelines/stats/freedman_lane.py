"""t of rearranged residuals at blocks of voxels; the algebra is in :func:`~pipelines.stats.permute.permute`."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..errors import DataError

Array = NDArray[Any]

_NOTHING = 1e-12  # share of squares that is rounding: a constant or a combination of the nuisance
_PERFECT = 1e-14  # share of squares below which a fit is called perfect, which bounds t
_TILE = 64  # voxels whose data stay in the nearest cache


class LinearDesign(NamedTuple):
    """What the models of all voxels have in common."""

    tested: Array
    """(n,) regressor of interest, orthogonal to the nuisance, of unit norm."""
    nuisance: Array
    """(n, k) orthonormal."""
    moving: Array
    """(c, n) rows: the part of the nuisance to which permuted residuals are not orthogonal anyway."""
    dof: int


def fit_design(tested: Array, nuisance: Array, *, has_covariate: bool) -> LinearDesign:
    """Make the design orthonormal; a constant is set apart, as permutations leave it as it is.

    Parameters
    ----------
    tested
        (n,) regressor of interest.
    nuisance
        (n, k) any columns, also dependent ones.
    has_covariate
        Whether every voxel adds a column of its own, which costs a degree of freedom.

    Raises
    ------
    DataError
        Shapes differ, a value is not finite, the regressor is a combination of the nuisance, or no
        degree of freedom is left.

    Examples
    --------
    >>> design = fit_design(np.array([0.0, 0, 1, 1]), np.ones((4, 2)), has_covariate=False)
    >>> design.tested.round(12).tolist(), design.moving.shape, design.dof
    ([-0.5, -0.5, 0.5, 0.5], (0, 4), 2)

    """
    n = len(tested)
    if tested.ndim != 1 or nuisance.ndim != 2 or len(nuisance) != n:
        raise DataError(f'a regressor of shape {tested.shape} with a nuisance of shape {nuisance.shape}')
    if not np.isfinite(tested).all() or not np.isfinite(nuisance).all():
        raise DataError('the design holds values that are not finite; leave these people out')
    constant = np.full((n, 1), n**-0.5)
    basis = _orthonormal(nuisance)
    has_constant = np.sum((basis.T @ constant) ** 2) > 1 - _NOTHING
    moving = _orthonormal(nuisance - nuisance.mean(axis=0)) if has_constant else basis
    basis = np.column_stack([constant, moving]) if has_constant else basis
    left = tested - basis @ (basis.T @ tested)
    if left @ left <= _NOTHING * (tested @ tested):
        raise DataError('the tested regressor is constant or a combination of the nuisance; nothing to test')
    dof = n - basis.shape[1] - 1 - has_covariate
    if dof < 1:
        raise DataError(f'{n} people leave {dof} degrees of freedom to this design; it needs at least 1')
    return LinearDesign(left / np.linalg.norm(left), basis, moving.T, dof)


def _orthonormal(columns: Array) -> Array:
    """Return an orthonormal basis (n, rank) of the space of ``columns`` (n, k)."""
    scale = np.abs(columns).max(axis=0, initial=0)
    vectors, values, _ = np.linalg.svd(columns / np.where(scale > 0, scale, 1), full_matrices=False)
    return vectors[:, values > values.max(initial=0) * 1e-10]


def permuted_t(
    outcome: Array, covariate: Array | None, design: LinearDesign, part: slice, drawn: Array
) -> tuple[Array, Array]:
    """Return t of some voxels for some permutations.

    Parameters
    ----------
    outcome, covariate
        (V, n) maps.
    design
        From :func:`fit_design`.
    part
        The m voxels wanted.
    drawn
        (B, n) permutations: the person whose residual goes to each place.

    Returns
    -------
    tuple
        (B, m) float64 t, 0 where a voxel cannot be tested, and (m,) bool where it can.

    """
    own = None if covariate is None else _residuals(_people_first(covariate, part), design.nuisance)
    left = _residuals(_people_first(outcome, part), design.nuisance, own)
    columns = np.concatenate([design.tested[None], design.moving])
    weights = np.empty((len(drawn), *columns.shape))
    np.put_along_axis(weights, drawn[:, None], columns[None], axis=2)
    fitted = weights[:, 0] @ left
    squares = np.ones_like(fitted)
    for column in range(1, len(columns)):
        squares -= (weights[:, column] @ left) ** 2
    testable: Array = np.asarray(left.any(axis=0))
    if own is not None:
        shared = design.tested @ own
        free = 1 - shared**2
        testable &= own.any(axis=0) & (free > _NOTHING)
        of_own = _permuted_product(own, left, drawn)
        fitted = (fitted - shared * of_own) / np.sqrt(np.where(testable, free, 1))
        squares -= of_own**2
    return np.where(testable, _t(fitted, squares, design.dof), 0), testable


def flipped_t(outcome: Array, part: slice, drawn: Array) -> tuple[Array, Array]:
    """Return t of the mean of some voxels for signs ``drawn`` (B, n), as :func:`permuted_t`."""
    n = drawn.shape[1]
    left = _residuals(_people_first(outcome, part), np.empty((n, 0)))
    fitted = drawn @ left / np.sqrt(n)
    return _t(fitted, np.ones_like(fitted), n - 1), np.asarray(left.any(axis=0))


def _people_first(maps: Array, part: slice) -> Array:
    """Read a block (n, m), so that voxels lie side by side."""
    return np.ascontiguousarray(maps[part].T, float)


def _residuals(values: Array, basis: Array, own: Array | None = None) -> Array:
    """Return what ``basis`` and ``own`` leave of the values (n, m), of unit norm; 0 where that is nothing."""
    left = values - basis @ (basis.T @ values)
    if own is not None:
        left -= own * np.einsum('nm,nm->m', own, left)
    squares = np.einsum('nm,nm->m', left, left)
    something = squares > _NOTHING * np.einsum('nm,nm->m', values, values)  # False where not finite
    left /= np.sqrt(np.where(something, squares, 1))
    left[:, ~something] = 0
    return left


def _t(fitted: Array, squares: Array, dof: int) -> Array:
    return fitted * np.sqrt(dof / np.maximum(squares - fitted**2, _PERFECT))


@njit(nogil=True)
def _permuted_product(own: Array, left: Array, drawn: Array) -> Array:
    """Return sum_i own[i, v] left[drawn[b, i], v] (B, m)."""
    n, n_voxels = own.shape
    product = np.zeros((len(drawn), n_voxels))
    for start in range(0, n_voxels, _TILE):
        tile = slice(start, min(start + _TILE, n_voxels))
        for row in range(len(drawn)):
            total = product[row, tile]
            for person in range(n):
                mine, other = own[person, tile], left[drawn[row, person], tile]
                for voxel in range(len(total)):
                    total[voxel] += mine[voxel] * other[voxel]
    return product
