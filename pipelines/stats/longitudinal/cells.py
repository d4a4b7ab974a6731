"""People who share a covariance and have the same visits, as sums of cross-products."""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.errors import DataError

Array = NDArray[Any]

_COLLINEAR = 1e-8  # of the length of a column that others do not explain
_EXACT = 1e-9  # of the spread of the outcome that the design leaves


class Basis(NamedTuple):
    """The design in orthonormal columns and the outcome as what least squares leaves of it.

    Attributes
    ----------
    triangle
        (p, p) upper triangle R: the design is Q R over all values that were seen.
    projection
        (p,) of the outcome on Q.
    scale
        Standard deviation of what is left: unit in which the likelihood is computed.

    """

    triangle: Array
    projection: Array
    scale: float


class Cells(NamedTuple):
    """People by covariance and by which visits were seen.

    Attributes
    ----------
    rows
        (n, J, p + 1) orthonormal columns of the design and the scaled residual; zero where not seen.
    cell
        (n,) cell of each person.
    seen
        (C, J) visits of a cell.
    group
        (C,) which covariance, ascending.
    n
        (C,) people.
    products
        (C, J, J, p + 1, p + 1) sums over people of the outer products of their rows.
    basis
        What turns numbers back into the units of the outcome and of the design.
    kept
        (n_given,) who has any visit: the others are in no cell.
    slices
        Cells of each covariance.

    """

    rows: Array
    cell: Array
    seen: Array
    group: Array
    n: Array
    products: Array
    basis: Basis
    kept: Array
    slices: list[slice]

    @property
    def n_coefficients(self) -> int:
        """Return p."""
        return int(self.rows.shape[2]) - 1

    @property
    def n_values(self) -> int:
        """Return how many values of the outcome were seen."""
        return int(self.n @ self.seen.sum(axis=1))


def arrange_cells(outcome: ArrayLike, design: ArrayLike, group: ArrayLike) -> Cells:
    """Sum people up by covariance and by which visits were seen.

    Parameters
    ----------
    outcome
        (n, J) NaN = missing; people without any visit are left out.
    design
        (n, J, p) finite where the outcome was seen.
    group
        (n,) 0 .. G-1, whose covariance a person has.

    Raises
    ------
    DataError
        Lengths differ, a number is infinite, a covariance has nobody, columns of the design are linearly
        dependent, or the design tells the outcome exactly.

    Examples
    --------
    Two people with both visits, one with the first:

    >>> y = [[1.0, 2.0], [3.0, 1.0], [5.0, np.nan]]
    >>> cells = arrange_cells(y, np.broadcast_to(np.eye(2), (3, 2, 2)), [0, 0, 0])
    >>> cells.seen.tolist(), cells.n.tolist()
    ([[True, False], [True, True]], [1, 2])

    """
    y, x, groups = _checked(np.asarray(outcome, float), np.asarray(design, float), np.asarray(group))
    seen = ~np.isnan(y)
    kept = np.asarray(seen.any(axis=1))
    y, x, groups, seen = y[kept], x[kept], groups[kept], seen[kept]
    n_groups = int(groups.max()) + 1 if len(groups) else 0
    if not n_groups or (np.bincount(groups, minlength=n_groups) == 0).any():
        raise DataError('a covariance is of nobody who was seen at any visit')
    rows, basis = _basis(y, x, seen)
    code = groups * 2 ** seen.shape[1] + seen @ (2 ** np.arange(seen.shape[1]))
    _, first, cell, n = np.unique(code, return_index=True, return_inverse=True, return_counts=True)
    products = np.stack([_products(rows[cell == c]) for c in range(len(n))])
    ends = np.searchsorted(groups[first], np.arange(n_groups + 1))
    slices = [slice(low, high) for low, high in pairwise(ends)]
    return Cells(rows, cell, seen[first], groups[first], n, products, basis, kept, slices)


def _checked(y: Array, x: Array, group: Array) -> tuple[Array, Array, Array]:
    if y.ndim != 2 or x.ndim != 3 or x.shape[:2] != y.shape or group.shape != y.shape[:1]:
        raise DataError(
            f'outcome {y.shape}, design {x.shape} and groups {group.shape} do not belong together'
        )
    if np.isinf(y).any() or not np.isfinite(x[~np.isnan(y)]).all():
        raise DataError('an outcome or covariate is infinite or missing; mark missing values as n/a')
    if len(group) and (group.min() < 0 or not np.issubdtype(group.dtype, np.integer)):
        raise DataError('groups of covariances are whole numbers from 0 on')
    return y, x, group


def _basis(y: Array, x: Array, seen: Array) -> tuple[Array, Basis]:
    """Return the rows of :class:`Cells`: with orthonormal columns neither units nor shifts cost digits."""
    table, values = x[seen], y[seen]
    p, n_people = table.shape[1], len(y)
    if len(values) <= p:
        raise DataError(
            f'{len(values)} values of {n_people} people cannot tell {p} coefficients; use fewer covariates'
        )
    lengths = np.linalg.norm(table, axis=0)
    if (lengths == 0).any():
        raise DataError(f'column {int(np.argmin(lengths)) + 1} of the design is zero for all who were seen')
    q, r = np.linalg.qr(table / lengths)
    # smallest singular value, for a product of many small angles hides from the diagonal
    if np.linalg.svd(r, compute_uv=False)[-1] < _COLLINEAR:
        raise DataError('columns of the design are linearly dependent; leave out the one that others make up')
    projection = q.T @ values
    residual = values - q @ projection
    residual -= q @ (q.T @ residual)
    scale = float(np.linalg.norm(residual) / np.sqrt(len(values) - p))
    if scale <= _EXACT * max(float(np.abs(values - values.mean()).max()), np.finfo(float).tiny):
        raise DataError('the other columns tell the outcome exactly, or it has one value; check the table')
    rows = np.zeros((*y.shape, p + 1))
    rows[seen] = np.column_stack([q, residual / scale])
    return rows, Basis(r * lengths, projection, scale)


def _products(rows: Array) -> Array:
    _, n_visits, width = rows.shape
    flat = rows.reshape(len(rows), -1)
    return (flat.T @ flat).reshape(n_visits, width, n_visits, width).transpose(0, 2, 1, 3)
