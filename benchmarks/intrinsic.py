"""Intrinsic connectivity against the correlation matrix, block by block."""

from functools import partial

import numpy as np

from pipelines.numerics.intrinsic import intrinsic_connectivity

from .fresh import peak_gb, seconds

_ROWS = 512


def simulate(n_voxels: int, n_volumes: int) -> np.ndarray:
    """Return (T, N) float32 series of a few networks in noise."""
    rng = np.random.default_rng(1)
    networks = rng.standard_normal((n_volumes, 8), np.float32)
    series = np.empty((n_volumes, n_voxels), np.float32)
    for part in np.array_split(series, n_voxels // 8192 + 1, axis=1):
        part[:] = rng.standard_normal(part.shape, np.float32)
        part += networks @ rng.standard_normal((8, part.shape[1]), np.float32)
    return series


def brute_force(unit: np.ndarray, start: int) -> np.ndarray:
    """Return the intrinsic connectivity of some voxels from their rows of the correlation matrix."""
    r = unit[:, start : start + _ROWS].T @ unit
    return np.sqrt(np.einsum('xy,xy->x', r, r) / unit.shape[1])


def compare(n_voxels: int, n_volumes: int, n_blocks: int) -> dict[str, float]:
    """Time both; the brute force on ``n_blocks`` blocks of rows, scaled to all of them."""
    series = simulate(n_voxels, n_volumes)
    maps = intrinsic_connectivity(series, n_volumes - 1.0)
    unit = series - series.mean(axis=0)
    unit /= np.linalg.norm(unit, axis=0)
    starts = np.linspace(0, n_voxels - _ROWS, n_blocks).astype(int)
    blocks = [brute_force(unit, start) for start in starts]
    jobs = [
        (partial(intrinsic_connectivity, series, n_volumes - 1.0), partial(brute_force, unit, start))
        for start in starts
    ]
    # in turn, and as often as the other, so that a busy machine slows both
    ours, block = np.min([[seconds(job) for job in turn] for turn in jobs], axis=0)
    theirs = block * n_voxels / _ROWS
    error = max(np.abs(maps.icc[s : s + _ROWS] - b).max() for s, b in zip(starts, blocks))
    return {
        'ours': float(ours),
        'theirs': float(theirs),
        'ratio': float(theirs / ours),
        'error': float(error),
    }


def memory(n_voxels: int, n_volumes: int) -> dict[str, float]:
    """Return the peak memory that the call adds to its input, in GB."""
    series = simulate(n_voxels, n_volumes)
    before = peak_gb()
    intrinsic_connectivity(series, n_volumes - 1.0)
    return {'added': peak_gb() - before}
