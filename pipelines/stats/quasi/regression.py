"""Negative binomial regressions of many genes whose dispersions are known."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ..bordered import Information, Split

Array = NDArray[Any]

ZERO = 1e-4
"""A mean below this is fitted as zero."""

PRIOR_READS = 2.0
"""Reads that are added to a library of mean size before its logarithm is taken."""

_GENES_AT_ONCE = 1000
_ITERATIONS, _HALVINGS = 100, 20
_TOLERANCE = 1e-9
_LONGEST_STEP = 5.0
_RIDGE = 1e-10  # keeps systems regular where no read tells a coefficient


def unit_deviance(counts: Array, means: Array, dispersion: Array) -> Array:
    r"""Return the deviance of every count.

    Parameters
    ----------
    counts, means
        (genes, n); a mean of 0 is allowed where the count is 0.
    dispersion
        (genes,) positive.

    Returns
    -------
    Array
        (genes, n), not negative.

    Notes
    -----
    :math:`2 [y \log (y/\mu) - (y + 1/\phi) \log ((1 + \phi y) / (1 + \phi \mu))]`.

    Examples
    --------
    >>> unit_deviance(np.array([[3.0, 0]]), np.array([[3.0, 0]]), np.array([0.1])).tolist()
    [[0.0, 0.0]]

    """
    phi = dispersion[:, None]
    shared = (counts + 1 / phi) * (np.log1p(phi * counts) - np.log1p(phi * means))
    return np.maximum(2 * (special.xlogy(counts, counts) - special.xlogy(counts, means) - shared), 0)


def fit_means(counts: Array, split: Split, offset: Array, dispersion: Array) -> Array:
    r"""Return the means (genes, n) of maximum likelihood.

    Parameters
    ----------
    counts
        (genes, n) reads.
    split
        Design of the n samples: a group each (a participant, or the intercept), and further columns.
    offset
        (n,) logarithm of sequencing depth.
    dispersion
        (genes,) positive.

    Notes
    -----
    :math:`\log \mu = o + X \beta` with variance :math:`\mu + \phi \mu^2`, by Fisher scoring with halved steps where the
    deviance would rise.  The mean of a group without reads is 0; a coefficient that only zeros speak of is followed
    until they add less than 1e-9 to the deviance.

    Examples
    --------
    >>> split = Split(np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]]), np.zeros((4, 0)))
    >>> fit_means(np.array([[2.0, 4, 0, 0]]), split, np.zeros(4), np.array([0.1])).round(6).tolist()
    [[3.0, 3.0, 0.0, 0.0]]

    """
    parts = [slice(start, start + _GENES_AT_ONCE) for start in range(0, len(counts), _GENES_AT_ONCE)]
    return np.concatenate([_means(counts[part], split, offset, dispersion[part]) for part in parts])


def _means(y: Array, split: Split, offset: Array, dispersion: Array) -> Array:
    groups, rest = split
    design, n_groups = np.hstack(split), groups.shape[1]
    is_read = y @ groups > 0
    counted = (is_read @ groups.T).astype(float)
    ridge = np.hstack([~is_read, np.full((len(y), rest.shape[1]), _RIDGE)])

    def means_of(coefficients: Array, which: Array) -> Array:
        return np.exp(np.minimum(coefficients @ design.T + offset, 700)) * counted[which]

    def deviance_of(coefficients: Array, which: Array) -> Array:
        return unit_deviance(y[which], means_of(coefficients, which), dispersion[which]).sum(axis=1)

    beta = np.zeros((len(y), design.shape[1]))
    start = np.where(is_read, y @ groups, 1) / np.where(is_read, np.exp(offset) @ groups, 1)
    beta[:, :n_groups] = np.log(start)
    going = np.arange(len(y))
    deviance = deviance_of(beta, going)
    for _ in range(_ITERATIONS):
        mean = means_of(beta[going], going)
        inflation = 1 + dispersion[going, None] * mean
        equations = Information(split, mean / inflation, ridge[going])
        step = equations.solve((y[going] - mean) / inflation @ design)
        step /= np.maximum(np.abs(step).max(axis=1, keepdims=True) / _LONGEST_STEP, 1)
        latest = deviance_of(beta[going] + step, going)
        for _ in range(_HALVINGS):
            rises = latest > deviance[going] * (1 + _TOLERANCE) + _TOLERANCE
            if not rises.any():
                break
            step[rises] /= 2
            latest[rises] = deviance_of(beta[going[rises]] + step[rises], going[rises])
        beta[going] += step
        gained = np.abs(deviance[going] - latest)
        deviance[going] = latest
        going = going[gained > _TOLERANCE * (1 + latest)]
        if not len(going):
            break
    return means_of(beta, np.arange(len(y)))


def residual_df(counts: Array, means: Array, split: Split) -> Array:
    """Return the residual degrees of freedom (genes,) of fits, without samples that are fitted as zero.

    Parameters
    ----------
    counts, means
        (genes, n), see :func:`fit_means`.
    split
        Their design.

    Notes
    -----
    A zero whose mean is zero has no deviance, whatever the dispersion: samples of which that is so are taken off,
    and with them the coefficients that no other sample tells [1]_.

    References
    ----------
    .. [1] Lun ATL, Smyth GK. No counts, no variance: allowing for loss of degrees of freedom when assessing biological
       variability from RNA-seq data. Stat Appl Genet Mol Biol 2017;16:83-93.

    Examples
    --------
    Of three pairs the second has no reads; two pairs are left to tell three coefficients:

    >>> split = Split(np.kron(np.eye(3), np.ones((2, 1))), np.tile([[0.0], [1]], (3, 1)))
    >>> counts = np.array([[5.0, 4, 0, 0, 3, 9]])
    >>> residual_df(counts, fit_means(counts, split, np.zeros(6), np.array([0.1])), split).tolist()
    [1]

    """
    told = ~((counts < ZERO) & (means < ZERO))
    patterns, which = np.unique(told, axis=0, return_inverse=True)
    return _spare(patterns.astype(float), split)[which.ravel()]


def _spare(kept: Array, split: Split) -> Array:
    """Return how many of the samples kept (m, n; 0 or 1) are more than the coefficients they tell."""
    groups, rest = split
    sizes = kept @ groups
    sums = (kept[:, None, :] * rest.T) @ groups
    products = np.einsum('mn,ni,nj->mij', kept, rest, rest, optimize=True)
    within = products - (sums / np.maximum(sizes, 1)[:, None, :]) @ sums.transpose(0, 2, 1)
    scale = max(float(np.abs(products).max(initial=0)), 1e-300)
    rank = np.linalg.matrix_rank(within, tol=1e-9 * scale, hermitian=True) if rest.shape[1] else 0
    return (kept.sum(axis=1) - (sizes > 0).sum(axis=1) - rank).astype(int)


def abundance(counts: Array, offset: Array, dispersion: Array) -> Array:
    """Return the mean level (genes,) as log2 of reads per million of a library.

    Parameters
    ----------
    counts, offset, dispersion
        As for :func:`fit_means`.

    Notes
    -----
    One mean for all samples, with :data:`PRIOR_READS` added to a library of mean size, and to others in proportion.

    """
    depth = np.exp(offset)
    prior = PRIOR_READS * depth / depth.mean()
    library = depth * counts.sum() / depth.sum() + 2 * prior
    split = Split(np.ones((len(offset), 1)), np.zeros((len(offset), 0)))
    means = fit_means(counts + prior, split, np.log(library), dispersion)
    return np.log2(means[:, 0] / library[0] * 1e6)
