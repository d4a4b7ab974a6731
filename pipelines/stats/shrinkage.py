"""Moderated fold changes: posterior modes under a heavy-tailed prior on one coefficient."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from .bordered import Information, Split, split_design

Array = NDArray[Any]

_FREE_SCALE = 15.0  # standard deviation of the other coefficients, natural logarithm
_VARIANCES = (1e-6, 400.0)
_ITERATIONS, _TOLERANCE, _LONGEST_STEP = 200, 1e-7, 5.0
_GENES_AT_ONCE = 1000


def prior_scale(estimate: Array, se: Array) -> float:
    r"""Return the scale of the prior that the estimates of all genes call for, at most 1.

    Parameters
    ----------
    estimate, se
        (genes,) maximum likelihood coefficients and standard errors, natural logarithm.

    Notes
    -----
    The variance A solves :math:`\sum_i w_i (\hat\beta_i^2 - s_i^2 - A) = 0` with
    :math:`w_i = (A + s_i^2)^{-2}`; the scale is its root [1]_.

    References
    ----------
    .. [1] Zhu A, Ibrahim JG, Love MI. Heavy-tailed prior distributions for sequence count data.
       Bioinformatics 2019;35:2084-2092.

    Examples
    --------
    Estimates that spread no more than their errors call for the narrowest prior:

    >>> prior_scale(np.array([0.1, -0.1]), np.array([0.2, 0.2]))
    0.001

    """
    known = np.isfinite(estimate) & np.isfinite(se)
    squared, variance = estimate[known] ** 2, se[known] ** 2

    def excess(a: float) -> float:
        weight = (a + variance) ** -2
        return float(np.sum(weight * (squared - variance)) / np.sum(weight) - a)

    if excess(_VARIANCES[0]) < 0:
        return float(np.sqrt(_VARIANCES[0]))
    if excess(_VARIANCES[1]) > 0:
        return 1.0
    return float(min(np.sqrt(optimize.brentq(excess, *_VARIANCES)), 1))


def shrink_coefficient(
    counts: Array,
    design: Array,
    index: int,
    *,
    size_factors: Array,
    dispersions: Array,
    scale: float,
) -> Array:
    r"""Return the posterior mode of one coefficient of every gene, natural logarithm.

    Parameters
    ----------
    counts
        (n, genes).
    design
        (n, p); its leading columns are an intercept, or one per participant.
    index
        Column whose coefficient is shrunk; not one of the intercepts.
    size_factors
        (n,).
    dispersions
        (genes,).
    scale
        Of the prior, see :func:`prior_scale`.

    Raises
    ------
    ValueError
        If the design has no intercepts, or ``index`` is one of them.

    Notes
    -----
    Maximises the negative binomial likelihood times the prior of apeglm [1]_: density proportional to
    :math:`1 / (1 + \beta^2 / S^2)`, and normal with standard deviation 15 for other coefficients.  Each
    step is Newton's, with :math:`2 / (S^2 + \beta^2)` as curvature of the prior: a bound that keeps every
    system positive definite and leaves the mode where it is.

    References
    ----------
    .. [1] Zhu A, Ibrahim JG, Love MI. Heavy-tailed prior distributions for sequence count data.
       Bioinformatics 2019;35:2084-2092.

    """
    split = split_design(design)
    if split is None or not split.groups.shape[1] <= index < design.shape[1]:
        raise ValueError(f'column {index} of a design of {design.shape[1]} is not beside its intercepts')
    parts = [slice(start, start + _GENES_AT_ONCE) for start in range(0, len(dispersions), _GENES_AT_ONCE)]
    offset = np.log(size_factors)
    return np.concatenate(
        [_mode(counts.T[part], split, index, offset, 1 / dispersions[part, None], scale) for part in parts]
    )


def _mode(y: Array, split: Split, index: int, offset: Array, size: Array, scale: float) -> Array:
    """Return (m,) modes for counts (m, n) of genes with ``size`` (m, 1), the inverse dispersion."""
    design = np.hstack(split)
    start = Information(split, np.ones_like(y, float), 1e-6)
    beta = start.regress(np.log(y / np.exp(offset) + 0.1))
    going = np.arange(len(y))
    for _ in range(_ITERATIONS):
        current, r = beta[going], size[going]
        mean = np.exp(np.minimum(current @ design.T + offset, 700))
        penalty = np.full(current.shape, _FREE_SCALE**-2)
        penalty[:, index] = 2 / (scale**2 + current[:, index] ** 2)
        gradient = (y[going] - mean) * r / (r + mean) @ design - penalty * current
        weights = (y[going] + r) * r * mean / (r + mean) ** 2
        step = Information(split, weights, penalty).solve(gradient)
        beta[going] = current + np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        going = going[np.abs(step).max(axis=1) > _TOLERANCE]
        if not len(going):
            break
    return beta[:, index]
