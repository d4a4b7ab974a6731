"""Intrinsic connectivity: the root mean square of a voxel's correlations with all others."""

from typing import NamedTuple

import numpy as np
from scipy import linalg
from scipy.special import ndtri
from scipy.stats import rankdata

from .seed import unit_columns

_ROWS = 60  # of the triangle per product: more wastes its empty half, fewer waste the processor


class IntrinsicMaps(NamedTuple):
    """Raw, noise-adjusted (squared) and rank-normalised intrinsic connectivity, (N,) each."""

    icc: np.ndarray
    icc_adjusted: np.ndarray
    icc_normal: np.ndarray


def intrinsic_connectivity(
    series: np.ndarray,
    dof: float,
    *,
    partners: np.ndarray | None = None,
    n_components: int | None = None,
    demean: bool = True,
    block: int = 4096,
) -> IntrinsicMaps:
    """Map intrinsic connectivity contrast, exactly and without the voxel-by-voxel matrix.

    Parameters
    ----------
    series
        (T, N) denoised series.
    dof
        Residual degrees of freedom nu, above 1.
    partners
        (N,) bool, voxels whose correlations enter the mean; default all.
    n_components
        Keep this many principal components of the partners (CONN keeps 64); default all.
    demean
        False for coordinates in which the mean is removed already.
    block
        Voxels per matrix product; bounds the working memory.

    Returns
    -------
    IntrinsicMaps
        ``icc`` 0 to 1; ``icc_adjusted`` its square corrected for ``dof``, at most 1 and zero on
        average for noise, so it may be negative; ``icc_normal`` standard normal scores.

    Notes
    -----
    With unit-norm columns y and C = Y Y' (T x T), ICC(x)^2 = (1/N) y_x' C y_x = mean_y r_xy^2
    (Martuzzi 2011; Whitfield-Gabrieli & Nieto-Castanon 2012), self-correlation included as CONN
    does.  With C = L L' it is the squared norm of L' y_x.  O(N T^2) time, O(N T) memory.
    ICC_adj^2 = mean_y [1 - (1 - r^2) nu / (nu - 1)] = 1 - (1 - ICC^2) nu / (nu - 1).  A constant voxel has correlation 0 with all.

    References
    ----------
    Martuzzi R et al. (2011) NeuroImage 58:1044-1050. doi:10.1016/j.neuroimage.2011.06.049

    Examples
    --------
    >>> one = np.sin(np.arange(50.0))[:, None]
    >>> float(intrinsic_connectivity(np.hstack([one, -one]), 49.0).icc[0].round(6))
    1.0

    """
    unit = unit_columns(series, demean=demean)
    chosen = np.ones(unit.shape[1], bool) if partners is None else partners
    values, vectors = np.linalg.eigh(_gram(unit, chosen, block))
    if n_components is not None:
        values, vectors = values[-n_components:], vectors[:, -n_components:]
    root = (np.sqrt(np.maximum(values, 0)) * vectors).T
    squared = np.clip(_squared_norms(root, unit, block) / np.sum(chosen), 0, 1)
    icc = np.sqrt(squared)
    return IntrinsicMaps(icc, 1 - (1 - squared) * dof / (dof - 1), normal_scores(icc))


def _gram(unit: np.ndarray, chosen: np.ndarray, block: int) -> np.ndarray:
    """Return Y Y' of the chosen columns, summed over blocks in float64 so that roundings do not add up."""
    gram = np.zeros((len(unit), len(unit)))
    for start in range(0, unit.shape[1], block):
        part = unit[:, start : start + block]
        part = part if chosen[start : start + block].all() else part[:, chosen[start : start + block]]
        gram += part @ part.T
    return gram


def _squared_norms(root: np.ndarray, unit: np.ndarray, block: int) -> np.ndarray:
    """Return the squared norm of ``root`` times each column of ``unit``.

    With root = Q R they are the norms of R times the column, and half of R need not be multiplied.
    """
    triangle = linalg.qr(root, mode='r')[0].astype(unit.dtype)
    squared = np.zeros(unit.shape[1])
    for start in range(0, unit.shape[1], block):
        columns = unit[:, start : start + block]
        for row in range(0, len(triangle), _ROWS):
            part = triangle[row : row + _ROWS, row:] @ columns[row:]
            squared[start : start + block] += np.einsum('tn,tn->n', part, part)
    return squared


def noise_floor(dof: float) -> float:
    """Return the raw ICC that pure noise has: 1 / sqrt(nu).

    Examples
    --------
    >>> round(noise_floor(79), 3)
    0.113

    """
    return float(1 / np.sqrt(dof))


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Return rank-based inverse-normal scores: the normal quantile of (rank - 0.5) / N."""
    return ndtri((rankdata(values) - 0.5) / len(values))
