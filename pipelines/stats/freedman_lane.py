"""Statistics of rearranged residuals at blocks of voxels; the algebra is in :func:`~pipelines.stats.permute.permute`."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .linear_design import LEAST_FREE, ROUNDED, LinearDesign, VarianceGroup
from .residuals import Rearranged

Array = NDArray[Any]

_PERFECT = 1e-14  # share of squares below which a fit is called perfect, which bounds a statistic


class _Own(NamedTuple):
    """A covariate of each of m voxels.

    Attributes
    ----------
    values
        (n, m) orthogonal to the nuisance, of unit norm.
    shared
        (s, m) products with the tested regressors.
    free
        (m,) what of a regressor it leaves; 1 where that is nothing.
    is_used
        (m,) whether it varies and leaves something to test.

    """

    values: Array
    shared: Array
    free: Array
    is_used: Array


class _Fit(NamedTuple):
    """Models of B rearrangements at m voxels.

    Attributes
    ----------
    products, crossed
        By group, of the residuals with the design within it (r, B, m), and with the covariate (B, m).
    nuisance, slope, moved
        Coefficients of the nuisance (k, B, m), of the tested regressors (s, B, m), and of the covariate (B, m).
    score
        (s, B, m) products with the tested regressors, orthogonal to all others.
    squares
        By group, sums of squares of the residuals (B, m).

    """

    products: list[Array]
    crossed: list[Array]
    nuisance: Array
    slope: Array
    moved: Array
    score: Array
    squares: list[Array]


def rearranged_statistic(
    outcome: Array, covariate: Array | None, design: LinearDesign, part: slice, drawn: Rearranged
) -> tuple[Array, Array]:
    """Return the statistic of some voxels for some rearrangements.

    Parameters
    ----------
    outcome, covariate
        (V, n) maps.
    design
        From :func:`~pipelines.stats.linear_design.fit_design`.
    part
        The m voxels wanted.
    drawn
        B rearrangements.

    Returns
    -------
    tuple
        (B, m) float64 t or F, 0 where a voxel cannot be tested, and (m,) bool where it can.

    """
    own = None if covariate is None else _own(_people_first(covariate, part), design)
    left = _residuals(_people_first(outcome, part), design.nuisance, None if own is None else own.values)
    testable = left.any(axis=0) if own is None else left.any(axis=0) & own.is_used
    spreads, free = zip(*(_of_voxels(group, own) for group in design.groups))
    testable &= np.all([own_free >= LEAST_FREE for own_free in free], axis=0)
    fit = _fit(design, own, left, drawn)
    freedoms = [np.maximum(own_free, LEAST_FREE) for own_free in free]
    variances = [np.maximum(squares, _PERFECT) / freedom for squares, freedom in zip(fit.squares, freedoms)]
    matrix = np.sum([v * spread[:, :, None] for v, spread in zip(variances, spreads)], axis=0)
    if design.is_signed:
        found = fit.score[0] / np.sqrt(np.where(testable, matrix[0, 0], 1))
    else:
        found = _quadratic(fit.score, matrix, testable) / _welch(design, variances, freedoms)
    return np.where(testable, found, 0), np.asarray(testable)


def _fit(design: LinearDesign, own: _Own | None, left: Array, drawn: Rearranged) -> _Fit:
    """Fit the full model to rearranged residuals (n, m)."""
    groups, shape = design.groups, (len(drawn), left.shape[1])
    products = [drawn.products(group.basis, left) for group in groups]
    nuisance, score = (
        np.sum([_turned(part.T, product) for part, product in zip(parts, products)], axis=0)
        for parts in ([group.nuisance for group in groups], [group.tested for group in groups])
    )
    squares = [drawn.squares(group.people, left) for group in groups]
    fit = _Fit(products, [], nuisance, score, np.zeros(shape), score, squares)
    if own is not None:
        crossed = [drawn.crossed(group.people, own.values, left) for group in groups]
        whole, shared = np.sum(crossed, axis=0), own.shared[:, None]
        score = score - shared * whole
        slope = score + shared * (
            np.sum(shared * score, axis=0) / own.free
        )  # the inverse by Sherman and Morrison
        moved = whole - np.sum(shared * slope, axis=0)
        fit = _Fit(products, crossed, nuisance, slope, moved, score, squares)
    return fit._replace(
        squares=[
            s + _explained(group, number, fit, own) for number, (s, group) in enumerate(zip(squares, groups))
        ]
    )


def _explained(group: VarianceGroup, number: int, fit: _Fit, own: _Own | None) -> Array:
    """Return what the fit changes in the sum of squares of a group (B, m)."""
    product = fit.products[number]
    rest = product - _turned(group.nuisance, fit.nuisance) - _turned(group.tested, fit.slope)
    if own is None:
        return np.sum(rest**2, axis=0) - np.sum(product**2, axis=0)
    inner = (group.basis @ own.values)[
        :, None
    ]  # of the covariate, as far as the design within the group spans it
    outer = np.sum(own.values[group.people] ** 2, axis=0) - np.sum(inner**2, axis=(0, 1))
    crossed = fit.crossed[number] - np.sum(inner * product, axis=0)
    rest -= inner * fit.moved
    return (
        np.sum(rest**2, axis=0) - np.sum(product**2, axis=0) + fit.moved * (fit.moved * outer - 2 * crossed)
    )


def _of_voxels(group: VarianceGroup, own: _Own | None) -> tuple[Array, Array]:
    """Return the squares of the tested regressors within a group (s, s, m) and its degrees of freedom (m,)."""
    spread = (group.tested.T @ group.tested)[:, :, None]
    free = group.people.sum() - np.sum(group.nuisance**2)
    if own is None:
        return spread, np.array([free - np.sum(group.tested**2)])
    squares = np.sum(own.values[group.people] ** 2, axis=0)
    product = group.tested.T @ (group.basis @ own.values)
    crossed = own.shared[:, None] * product[None]
    spread = spread - crossed - crossed.swapaxes(0, 1) + own.shared[:, None] * own.shared[None] * squares
    leverage = (
        np.einsum('iim->m', spread) + np.einsum('im,ijm,jm->m', own.shared, spread, own.shared) / own.free
    )
    return spread, free - squares - leverage


def _quadratic(score: Array, matrix: Array, testable: Array) -> Array:
    """Return u'V^-1 u (B, m) of scores (s, B, m) and their covariance (s, s, B, m), by elimination."""
    s = len(score)
    v = np.where(testable, matrix, np.eye(s)[:, :, None, None])
    u, total = score.copy(), np.zeros(score.shape[1:])
    for i in range(s):
        total += u[i] ** 2 / v[i, i]
        for j in range(i + 1, s):
            share = v[j, i] / v[i, i]
            u[j] -= share * u[i]
            v[j] = v[j] - share * v[i]
    return total


def _welch(design: LinearDesign, variances: list[Array], freedoms: list[Array]) -> Array:
    """Return what turns a quadratic form into an F: its degrees of freedom, and Welch's correction (B, m)."""
    s = design.tested.shape[1]
    weights = np.array([group.people.sum() / v for group, v in zip(design.groups, variances)])
    share = weights / weights.sum(axis=0)
    lack = np.sum([(1 - own) ** 2 / free for own, free in zip(share, freedoms)], axis=0)
    return np.asarray(s * (1 + 2 * (s - 1) / (s * (s + 2)) * lack))


def flipped_t(outcome: Array, part: slice, drawn: Array) -> tuple[Array, Array]:
    """Return t of the mean of some voxels for signs ``drawn`` (B, n), as :func:`rearranged_statistic`."""
    n = drawn.shape[1]
    left = _residuals(_people_first(outcome, part), np.empty((n, 0)))
    fitted = drawn @ left / np.sqrt(n)
    rest = np.maximum(1 - fitted**2, _PERFECT)
    return fitted * np.sqrt((n - 1) / rest), np.asarray(left.any(axis=0))


def _people_first(maps: Array, part: slice) -> Array:
    """Read a block (n, m), so that voxels lie side by side."""
    return np.ascontiguousarray(maps[part].T, float)


def _own(values: Array, design: LinearDesign) -> _Own:
    left = _residuals(values, design.nuisance)
    shared = design.tested.T @ left
    free = 1 - np.sum(shared**2, axis=0)
    is_used = left.any(axis=0) & (free > ROUNDED)
    return _Own(left, shared, np.where(is_used, free, 1), is_used)


def _residuals(values: Array, basis: Array, own: Array | None = None) -> Array:
    """Return what ``basis`` and ``own`` leave of the values (n, m), of unit norm; 0 where that is nothing."""
    left = values - basis @ (basis.T @ values)
    if own is not None:
        left -= own * np.einsum('nm,nm->m', own, left)
    squares = np.einsum('nm,nm->m', left, left)
    something = squares > ROUNDED * np.einsum('nm,nm->m', values, values)  # False where not finite
    left /= np.sqrt(np.where(something, squares, 1))
    left[:, ~something] = 0
    return left


def _turned(matrix: Array, values: Array) -> Array:
    """Return a matrix (a, r) times values (r, B, m)."""
    return (matrix @ values.reshape(len(values), -1)).reshape(len(matrix), *values.shape[1:])
