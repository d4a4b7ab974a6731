"""Least squares under linear inequalities, many problems at once."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

Array = NDArray[Any]

_ITERATIONS, _TOLERANCE = 400, 1e-3


def solve_bounded(design: Array, observed: Array, bounds: Array) -> Array:
    r"""Solve many least-squares problems under the same linear inequalities.

    Parameters
    ----------
    design
        (T, C) matrix.
    observed
        (N, T) one problem a row.
    bounds
        (B, C) matrix.

    Returns
    -------
    Array
        (N, C) with rows :math:`x = \arg\min |A x - y|^2` subject to :math:`B x \ge 0`.

    Notes
    -----
    Alternating direction method of multipliers [1]_: all problems share one factorisation, so that an
    iteration is two matrix products.  It ends when no bound is violated, and no step is larger,
    than by 0.1 % of the largest value.

    References
    ----------
    .. [1] Boyd S, et al. Distributed optimization and statistical learning via the alternating
       direction method of multipliers. Found Trends Mach Learn 2011;3:1-122.

    Examples
    --------
    >>> solve_bounded(np.eye(2), np.array([[1.0, -2.0]]), np.eye(2)).round(2) + 0.0
    array([[1., 0.]])

    """
    gram, right = design.T @ design, observed @ design
    ratio = np.trace(gram) / np.trace(bounds.T @ bounds)
    factor = linalg.cho_factor(gram + ratio * bounds.T @ bounds)
    positive = np.zeros((len(observed), len(bounds)))
    dual = np.zeros_like(positive)
    found = np.zeros((len(observed), design.shape[1]))
    for _ in range(_ITERATIONS):
        found = linalg.cho_solve(factor, (right + ratio * (positive - dual) @ bounds).T).T
        reached = found @ bounds.T
        before, positive = positive, np.maximum(reached + dual, 0)
        dual += reached - positive
        limit = _TOLERANCE * max(float(np.abs(positive).max()), 1e-12)
        if np.abs(reached - positive).max() < limit and np.abs(positive - before).max() < limit:
            break
    return found
