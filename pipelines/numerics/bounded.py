"""Least squares under linear inequalities, many problems at once."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

Array = NDArray[Any]

_ITERATIONS, _TOLERANCE, _RELAXATION = 400, 1e-3, 1.6
_PENALTY = 0.2  # of a violated bound, to the squares; quickest for the spectrum of a deconvolution
_WORTH_A_COPY = 0.8  # share of problems that go on


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
    iteration is two matrix products.  A problem ends when no bound is violated, and no step is larger,
    than by 0.1 % of its largest value.

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
    ratio = _PENALTY * np.trace(gram) / np.trace(bounds.T @ bounds)
    factor = linalg.cho_factor(gram + ratio * bounds.T @ bounds)
    positive = np.zeros((len(observed), len(bounds)))
    dual = np.zeros_like(positive)
    found = np.zeros((len(observed), design.shape[1]))
    open_rows = np.arange(len(observed))
    for _ in range(_ITERATIONS):
        latest = linalg.cho_solve(factor, (right + ratio * (positive - dual) @ bounds).T).T
        found[open_rows] = latest
        reached = latest @ bounds.T
        # steps a little too long need half as many
        longer = _RELAXATION * reached + (1 - _RELAXATION) * positive
        before, positive = positive, np.maximum(longer + dual, 0)
        dual += longer - positive
        gap = np.maximum(np.abs(reached - positive).max(axis=1), np.abs(positive - before).max(axis=1))
        going = gap > _TOLERANCE * np.maximum(positive.max(axis=1), 1e-12)
        if not going.any():
            break
        # problems that are solved cost no time, but neither does every copy come for nothing
        if going.mean() < _WORTH_A_COPY:
            open_rows, right, positive, dual = (part[going] for part in (open_rows, right, positive, dual))
    return found
