"""How the volumes of one shell resemble each other: a Gaussian process over the directions of their gradients."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize
from scipy.special import eval_legendre

Array = NDArray[Any]

_DEGREES = (2, 4, 6)
_MIN_ALL, _MIN_FIRST = 15, 6  # volumes for all degrees, and for the first
_LEAST, _MOST = 12.0, 3.0  # natural logarithm of a variance against that of the shell
_MAX_STEPS = 20


class Precision(NamedTuple):
    """Inverse covariance of n volumes at a voxel, in two parts.

    Attributes
    ----------
    within
        (n, n) what the differences between the volumes say; blind to what all share.
    shared
        (n, n) what their common part says against what was expected of it; 0 where nothing was.

    """

    within: Array
    shared: Array

    @property
    def both(self) -> Array:
        """Return (n, n) the sum."""
        return np.asarray(self.within + self.shared)


def fit_precision(moments: Array, bvecs: Array, *, is_expected: bool) -> Precision:
    r"""Find the covariance under which the signals of a shell are most likely.

    Parameters
    ----------
    moments
        (n, n) mean over voxels of the products of two volumes; of what exceeds the expectation, if there is one.
    bvecs
        (n, 3) unit vectors, 0 for volumes without weighting.
    is_expected
        An expectation of what the volumes share was taken away.

    Notes
    -----
    :math:`K = a_0 1 1' + \sum_l a_l P_l(g_i \cdot g_j) + \sigma^2 I` with the even Legendre polynomials of degree 2, 4, 6,
    for diffusion along g and -g is the same; :math:`a_0` is infinite without an expectation.  The variances
    maximise the Gaussian likelihood, whose mean over voxels needs the moments alone.  A Gaussian process for this
    purpose is due to [1]_; there the covariance falls with the angle, here degrees of freedom are variances.

    References
    ----------
    .. [1] Andersson JLR, Sotiropoulos SN. Non-parametric representation and prediction of single- and
       multi-shell diffusion-weighted MRI data using Gaussian processes. Neuroimage 2015;122:166-76.

    Examples
    --------
    What all volumes share does not count within:

    >>> moments = np.full((2, 2), 3.0) + np.diag([1.0, 1.0])
    >>> fit_precision(moments, np.zeros((2, 3)), is_expected=False).within.round(2).tolist()
    [[0.5, -0.5], [-0.5, 0.5]]

    """
    n = len(moments)
    variance = float(np.trace(moments) / n - (0 if is_expected else moments.mean()))
    if variance <= 0 or (n < 2 and not is_expected):
        return Precision(np.zeros((n, n)), np.zeros((n, n)))
    kernels = _kernels(bvecs)
    start = [*([-1.0] if is_expected else []), *(-1.0, -3.0, -4.0)[: len(kernels)], -2.0]

    def lack(logs: Array) -> float:
        precision, determinant = _invert(logs, kernels, n, is_expected)
        return float((np.sum(precision.both * moments) / variance + determinant) / n)

    limits = [(-_LEAST, _MOST)] * len(start)
    found = optimize.minimize(
        lack, start, method='L-BFGS-B', bounds=limits, options={'maxiter': _MAX_STEPS}
    )  # fmt: skip
    precision, _ = _invert(found.x, kernels, n, is_expected)
    return Precision(precision.within / variance, precision.shared / variance)


def _kernels(bvecs: Array) -> list[Array]:
    n = len(bvecs)
    if not np.any(bvecs):
        return []
    cosine = np.clip(bvecs @ bvecs.T, -1, 1)
    chosen = _DEGREES if n >= _MIN_ALL else _DEGREES[:1] if n >= _MIN_FIRST else ()
    return [eval_legendre(degree, cosine) for degree in chosen]


def _invert(logs: Array, kernels: list[Array], n: int, is_expected: bool) -> tuple[Precision, float]:
    """Return the precision of the logarithms of variances, and the logarithm of the determinant of K."""
    sizes = np.exp(logs)
    covariance = sizes[-1] * np.eye(n)
    for size, kernel in zip(sizes[int(is_expected) :], kernels):
        covariance += size * kernel
    factor = linalg.cho_factor(covariance, lower=True)
    inverse = linalg.cho_solve(factor, np.eye(n))
    determinant = 2 * float(np.log(np.diag(factor[0])).sum())
    sums = inverse.sum(axis=0)
    total = float(sums.sum())
    within = inverse - np.outer(sums, sums) / total
    if not is_expected:
        return Precision(within, np.zeros((n, n))), determinant + float(np.log(total))
    share = 1 / (total * (1 + total * sizes[0]))
    return Precision(within, share * np.outer(sums, sums)), determinant + float(np.log1p(total * sizes[0]))


def leave_one_out(excess: Array, precision: Array) -> Array:
    """Return what volumes (N, n) differ by from what the others predict for them.

    Notes
    -----
    :math:`(W y)_k / W_{kk}` with the precision W; 0 for a volume of which nothing is known.

    """
    own = np.diag(precision)
    return np.asarray(excess @ precision / np.where(own > 0, own, np.inf))
