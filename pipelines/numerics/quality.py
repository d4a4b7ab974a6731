"""Measures of the quality of a scan as MRIQC defines them."""

import numpy as np
from scipy import stats

from .seed import unit_columns


def temporal_snr(mean: np.ndarray, sd: np.ndarray) -> float:
    """Return the median over voxels of mean over standard deviation in time; NaN without a voxel that varies.

    Parameters
    ----------
    mean, sd
        (N,) of each voxel, in one unit.

    """
    varies = sd > 0
    return float(np.median(mean[varies] / sd[varies])) if varies.any() else float('nan')


def global_correlation(series: np.ndarray, block: int = 4096) -> float:
    r"""Return the mean correlation of all pairs of voxels, each with itself among them (GCOR).

    Parameters
    ----------
    series
        (T, N); constant voxels correlate with none.
    block
        Columns done at once.

    Returns
    -------
    float
        0 to 1.

    Notes
    -----
    With columns y of unit norm, :math:`\frac{1}{N^2} \sum_{ij} y_i' y_j = |\bar y|^2`: the squared length of the mean
    column.

    References
    ----------
    Saad ZS et al. (2013) Brain Connectivity 3:339-352. doi:10.1089/brain.2013.0156

    Examples
    --------
    >>> t = np.arange(5.0)[:, None]
    >>> global_correlation(np.hstack([t, 2 * t])), global_correlation(np.hstack([t, -t]))
    (1.0, 0.0)

    """
    n = series.shape[1]
    if not n:
        return float('nan')
    parts = (unit_columns(series[:, start : start + block]) for start in range(0, n, block))
    mean = np.sum([part.sum(axis=1, dtype=np.float64) for part in parts], axis=0) / n
    return float(round(mean @ mean, 12))


def repeated_snr(volumes: np.ndarray) -> float:
    """Return the signal over noise of volumes that should be the same; NaN of fewer than two.

    Parameters
    ----------
    volumes
        (K, N) of each voxel.

    Notes
    -----
    Median of the voxels' means over their noise.  The standard deviations of K volumes have a chi distribution with
    K - 1 degrees of freedom, whose median is below that of the noise; it is divided by.

    """
    count = len(volumes)
    if count < 2 or not volumes.size:
        return float('nan')
    noise = np.median(volumes.std(axis=0, ddof=1, dtype=np.float64))
    sigma = noise / (stats.chi.median(count - 1) / np.sqrt(count - 1))
    return float(np.median(volumes.mean(axis=0)) / sigma) if sigma > 0 else float('nan')
