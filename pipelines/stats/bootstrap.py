"""Bootstrap of whole people within strata: resamples, least squares of all of them, percentile intervals."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.errors import ParameterError

Array = NDArray[Any]

LEAST_BOOTSTRAPS = 99
"""Fewer replicates have no order statistic near the limits of a 95 % interval."""

_ALPHA = 0.05
_NOTHING = 1e-10  # share of a variable's squares that is rounding
_CHUNK = 2_000_000  # numbers held at once


class Interval(NamedTuple):
    """Spread of replicates: standard error, 95 % percentile interval and two-sided p value, (...,) each."""

    se: Array
    ci_low: Array
    ci_high: Array
    p: Array


def draw_resamples(strata: ArrayLike, n_bootstraps: int, rng: np.random.Generator) -> Array:
    """Draw people with replacement, each from the stratum of the one whose place is filled.

    Parameters
    ----------
    strata
        (n,) label of everyone's stratum.
    n_bootstraps
        Number of resamples.
    rng
        Source of randomness; two calls draw what one call for both would.

    Returns
    -------
    Array
        (n_bootstraps, n) people, 0 to n - 1.

    Examples
    --------
    Strata keep their size:

    >>> arm = np.array([1, 0, 0, 1, 0])
    >>> arm[draw_resamples(arm, 50, np.random.default_rng(0))].sum(axis=1).tolist() == [2] * 50
    True

    """
    _, place, sizes = np.unique(np.asarray(strata), return_inverse=True, return_counts=True)
    members = np.argsort(place, kind='stable')
    first = np.cumsum(sizes) - sizes
    return np.asarray(members[first[place] + rng.integers(0, sizes[place], (n_bootstraps, len(place)))])


def chunks(n_people: int, n_columns: int, n_bootstraps: int) -> Iterator[int]:
    """Yield numbers of resamples, together ``n_bootstraps``, whose arrays fit into little memory.

    Examples
    --------
    >>> sum(chunks(57, 8, 10_000))
    10000

    """
    size = max(1, _CHUNK // (n_people + n_columns**2))
    for start in range(0, n_bootstraps, size):
        yield min(size, n_bootstraps - start)


def count_drawn(drawn: Array, n_people: int) -> Array:
    """Return (B, n) how often each person is in each resample.

    Examples
    --------
    >>> count_drawn(np.array([[0, 0, 2]]), 3).tolist()
    [[2.0, 0.0, 1.0]]

    """
    cells = drawn + n_people * np.arange(len(drawn))[:, None]
    times = np.bincount(cells.ravel(), minlength=n_people * len(drawn))
    return times.reshape(-1, n_people).astype(float)


def cross_products(columns: Array, drawn: Array) -> Array:
    """Return the cross products of variables in every resample.

    Parameters
    ----------
    columns
        (n, p) variables.
    drawn
        (B, n) people of each resample.

    Returns
    -------
    Array
        (p, p, B); the resamples come last, so that further steps run along memory.

    Examples
    --------
    >>> cross_products(np.array([[1.0, 2], [1, 5]]), np.array([[0, 1], [1, 1]]))[..., 1].tolist()
    [[2.0, 10.0], [10.0, 50.0]]

    """
    n, p = columns.shape
    times = count_drawn(drawn, n)
    products = (columns[:, :, None] * columns[:, None, :]).reshape(n, p * p)
    return np.asarray((products.T @ times.T).reshape(p, p, -1))


def successive_regressions(products: Array) -> tuple[Array, Array]:
    r"""Regress every variable on all variables before it.

    Parameters
    ----------
    products
        (p, p, B) cross products of the variables; it is not changed.

    Returns
    -------
    tuple
        (p, p, B) coefficients: those of the regression of variable j are ``[:j, j]``; and (p, B)
        residual sums of squares.  NaN where the variables before are collinear, or all but explain it.

    Notes
    -----
    Gauss-Jordan elimination of :math:`X'X`: once the pivots :math:`1 \dots j` are done, the rows above
    hold :math:`(X_1'X_1)^{-1} X_1'X_2` and those below the residual cross products
    :math:`X_2'X_2 - X_2'X_1 (X_1'X_1)^{-1} X_1'X_2`.  The steps do not depend on the units of the
    variables; means should be taken off, since squares of a large mean drown the rest.

    Examples
    --------
    >>> x = np.array([[1.0, 0, 3], [1, 1, 5], [1, 2, 7.3]])
    >>> found, _ = successive_regressions((x.T @ x)[..., None])
    >>> np.allclose(found[:2, 2, 0], np.linalg.lstsq(x[:, :2], x[:, 2])[0])
    True

    """
    left = products.copy()
    p = len(left)
    squares = np.empty(left.shape[1:])
    for j in range(p):
        pivot = left[j, j]
        squares[j] = np.where(pivot > _NOTHING * products[j, j], pivot, np.nan)
        row = left[j, j + 1 :] / squares[j]
        left[:, j + 1 :] -= left[:, j, None] * row
        left[j, j + 1 :] = row
    return left, squares


def percentile_interval(replicates: Array) -> Interval:
    r"""Return the spread of bootstrap replicates.

    Parameters
    ----------
    replicates
        (B, ...) at least 99, no NaN.

    Raises
    ------
    ParameterError
        There are fewer.

    Notes
    -----
    The interval reaches from the j-th smallest to the j-th largest of B replicates, with
    :math:`j = \lfloor 0.05 (B + 1) / 2 \rfloor` [1]_.  With k the smaller of the numbers of replicates
    that are :math:`\le 0` and :math:`\ge 0`, :math:`p = \min(1, 2 (k + 1) / (B + 1))`: the interval
    excludes zero exactly when :math:`p \le 0.05`.  The standard error is the standard deviation.

    References
    ----------
    .. [1] Davison AC, Hinkley DV. Bootstrap methods and their application. Cambridge University Press,
       1997, section 5.2.1.

    Examples
    --------
    >>> found = percentile_interval(np.arange(-3.0, 96))
    >>> float(found.ci_low), float(found.ci_high), float(found.p)
    (-2.0, 94.0, 0.1)

    """
    n = len(replicates)
    if n < LEAST_BOOTSTRAPS:
        raise ParameterError(f'{n} bootstrap replicates; an interval needs {LEAST_BOOTSTRAPS} or more')
    rank = int(np.floor(_ALPHA / 2 * (n + 1) + 1e-9))
    ordered = np.partition(replicates, (rank - 1, n - rank), axis=0)
    fewer = np.minimum((replicates <= 0).sum(axis=0), (replicates >= 0).sum(axis=0))
    p = np.minimum(1.0, 2 * (fewer + 1) / (n + 1))
    return Interval(replicates.std(axis=0, ddof=1), ordered[rank - 1], ordered[n - rank], p)
