"""Seed-to-voxel and region-to-region correlation on the Fisher z scale."""

from typing import NamedTuple

import numpy as np

_LARGEST_R = 1 - 1e-7


class MeanZ(NamedTuple):
    """A weighted mean of Fisher z values and its standard error."""

    z: np.ndarray
    se: float


def unit_columns(series: np.ndarray, *, demean: bool = True, block: int = 4096) -> np.ndarray:
    """Return ``series`` (T, N) with columns demeaned and of unit norm; constant columns are 0.

    Parameters
    ----------
    series
        (T, N), float32 or float64; the result has its type.
    demean
        False for coordinates in which the mean is removed already (see
        :class:`~pipelines.numerics.clean.Operator`).
    block
        Columns done at once, while they are in the processor's cache.

    Notes
    -----
    The first row is taken off before the mean, so that float32 data on a large mean keep their
    digits and a constant is exactly zero.

    Examples
    --------
    >>> unit_columns(np.array([[1.0, 5], [3, 5]])).round(4).tolist()
    [[-0.7071, 0.0], [0.7071, 0.0]]

    """
    unit = np.empty(series.shape, np.promote_types(series.dtype, np.float32))
    average = np.full(len(unit), 1 / len(unit), unit.dtype)
    for start in range(0, series.shape[1], block):
        part, given = unit[:, start : start + block], series[:, start : start + block]
        np.subtract(given, given[0] if demean else 0, out=part)
        if demean:
            part -= average @ part
        norm = np.sqrt(np.einsum('tn,tn->n', part, part))
        part *= np.divide(1, norm, out=np.zeros_like(norm), where=norm > 0)
    return unit


def seed_correlation(series: np.ndarray, seeds: np.ndarray, *, demean: bool = True) -> np.ndarray:
    """Correlate every voxel with every seed.

    Parameters
    ----------
    series
        (T, N) denoised series.
    seeds
        (T, K) denoised seed series over the same volumes.
    demean
        False for coordinates in which the mean is removed already.

    Returns
    -------
    np.ndarray
        (K, N) Pearson r, -1 to 1; 0 where a series is constant.

    Notes
    -----
    r = sum_t x_t y_t with x and y demeaned and of unit norm.

    Examples
    --------
    >>> t = np.linspace(0, 1, 9)[:, None]
    >>> seed_correlation(np.hstack([t, -t]), t).round(6).tolist()
    [[1.0, -1.0]]

    """
    return np.clip(unit_columns(seeds, demean=demean).T @ unit_columns(series, demean=demean), -1, 1)


def fisher_z(r: np.ndarray) -> np.ndarray:
    """Return atanh(r); |r| = 1 (a series with itself) is held at a finite 8.4."""
    return np.arctanh(np.clip(r, -_LARGEST_R, _LARGEST_R))


def split_halves(n_volumes: int) -> tuple[slice, slice]:
    """Return the two contiguous halves of a run, of equal length; the middle of an odd number is in neither.

    Notes
    -----
    The run is denoised as a whole, so that both halves have the same model; of volumes that were left out nothing is
    counted.

    Examples
    --------
    >>> split_halves(7)
    (slice(0, 3, None), slice(4, 7, None))

    """
    half = n_volumes // 2
    return slice(0, half), slice(n_volumes - half, n_volumes)


def fisher_z_se(dof: float) -> float:
    """Return the standard error of z at ``dof`` residual degrees of freedom (intercept excluded).

    SE = 1 / sqrt(nu - 2); it equals the familiar 1 / sqrt(T - 3) when only the mean was removed
    (nu = T - 1).  Infinite at nu <= 2.
    """
    return 1 / np.sqrt(dof - 2) if dof > 2 else np.inf


def average_fisher_z(z: np.ndarray, dof: np.ndarray) -> MeanZ:
    """Average z over runs or hemispheres, weighted by nu - 2.

    Parameters
    ----------
    z
        (n_runs, ...) Fisher z.
    dof
        (n_runs,) residual degrees of freedom, each above 2.

    Returns
    -------
    MeanZ
        ``z`` (...) and its standard error 1 / sqrt(sum(nu - 2)) for independent runs.

    """
    weights = np.asarray(dof, float) - 2
    if np.any(weights <= 0):
        raise ValueError(f'every run needs more than 2 degrees of freedom, got {list(dof)}')
    return MeanZ(np.tensordot(weights, z, axes=1) / weights.sum(), 1 / np.sqrt(weights.sum()))
