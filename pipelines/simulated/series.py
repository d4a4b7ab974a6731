"""Simulate BOLD with a planted correlation: sources, motion, noise, and how voxels carry them."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage, signal

BOLD_MEAN = 10000.0
_BAND = (0.01, 0.08)
_HEAD_RADIUS_MM = 50.0
_PHYSIOLOGY = {'csf': 1.5, 'white': 1.0, 'grey': 0.4}
_REGION_AMPLITUDE, _NETWORK_AMPLITUDE, _PHYSIOLOGY_AMPLITUDE, _NOISE = 0.012, 0.008, 0.006, 0.010
_MOTION_PER_MM = 0.004


class Tissues(NamedTuple):
    """Disjoint tissue masks (X, Y, Z) of a T1-weighted brain."""

    csf: np.ndarray
    grey: np.ndarray
    white: np.ndarray


class Sources(NamedTuple):
    """Series behind a run: regions (T, 2) NAc and mPFC, network (T,), physiology (T, 3), motion (T, 6)."""

    regions: np.ndarray
    network: np.ndarray
    physiology: np.ndarray
    motion: np.ndarray


def classify(brain: np.ndarray) -> Tissues:
    """Split a brain (0 outside) into tissues by intensity relative to its 99th percentile.

    Examples
    --------
    >>> [int(m.sum()) for m in classify(np.array([[[0, 0.3, 0.7, 1.0]]]))]
    [1, 1, 1]

    """
    relative = brain / np.percentile(brain[brain > 0], 99)
    inside = brain > 0
    csf, white = inside & (relative < 0.55), inside & (relative > 0.85)
    return Tissues(csf, inside & ~csf & ~white, white)


def slow_series(
    n_volumes: int,
    t_r: float,
    n_series: int,
    rng: np.random.Generator,
    avoid: np.ndarray | None = None,
) -> np.ndarray:
    """Return random series within 0.01-0.08 Hz that are exactly uncorrelated with each other.

    Parameters
    ----------
    n_volumes
        Number of volumes T.
    t_r
        Repetition time, s.
    n_series
        Number of series K.
    avoid
        (T, P) series that the result is to be uncorrelated with, where the run is long enough.

    Returns
    -------
    np.ndarray
        (T, K), mean 0, variance 1.

    Raises
    ------
    ValueError
        The run is too short to hold K uncorrelated series in the band.

    Notes
    -----
    A random orthonormal mixture of the discrete cosines C of frequency k / (2 T t_r) in the band;
    the mixture m lies in the null space of avoid' C.

    """
    order = np.arange(1, n_volumes)
    frequency = order / (2 * n_volumes * t_r)
    order = order[(frequency > _BAND[0]) & (frequency < _BAND[1])]
    if len(order) < n_series:
        raise ValueError(f'{n_volumes} volumes of {t_r} s hold {len(order)} slow series, not {n_series}')
    times = np.arange(n_volumes) + 0.5
    cosines = np.sqrt(2) * np.cos(np.pi / n_volumes * np.outer(times, order))
    draw = rng.standard_normal((len(order), n_series))
    if avoid is not None and len(order) - avoid.shape[1] >= n_series:
        taken, _ = np.linalg.qr(cosines.T @ (avoid / np.maximum(np.linalg.norm(avoid, axis=0), 1e-12)))
        draw -= taken @ (taken.T @ draw)
    mixture, _ = np.linalg.qr(draw)
    return np.asarray(cosines @ mixture)


def draw_sources(
    n_volumes: int,
    t_r: float,
    rho: float,
    rng: np.random.Generator,
    motion: np.ndarray | None = None,
    avoid: np.ndarray | None = None,
) -> Sources:
    """Draw the series of a run, with correlation ``rho`` between NAc and mPFC.

    Parameters
    ----------
    n_volumes, t_r
        Length of the run and repetition time in s.
    rho
        Correlation, -1 to 1.
    motion
        (T, 6) mm and rad; drawn if not given.
    avoid
        (T, P) further confounds of the run.

    Notes
    -----
    mPFC = rho NAc + sqrt(1 - rho^2) e with e uncorrelated with NAc: the sample correlation over all
    volumes is rho itself, not an estimate of it.  Both are uncorrelated with head motion and its
    derivative, so that regressing these out leaves rho as it is.

    Examples
    --------
    >>> regions = draw_sources(120, 2.0, 0.5, np.random.default_rng(1)).regions
    >>> float(np.corrcoef(regions.T)[0, 1].round(6))
    0.5

    """
    if not -1 <= rho <= 1:
        raise ValueError(f'a correlation lies between -1 and 1, not {rho}')
    motion = head_motion(n_volumes, rng) if motion is None else motion
    confounds = [motion, np.diff(motion, axis=0, prepend=motion[:1])]
    slow = slow_series(n_volumes, t_r, 6, rng, np.hstack([*confounds, *([] if avoid is None else [avoid])]))
    other = rho * slow[:, 0] + np.sqrt(1 - rho**2) * slow[:, 1]
    return Sources(np.column_stack([slow[:, 0], other]), slow[:, 2], slow[:, 3:], motion)


def head_motion(n_volumes: int, rng: np.random.Generator) -> np.ndarray:
    """Return head motion (T, 6): trans_x..z in mm, rot_x..z in rad; a slow walk with rare jerks."""
    steps = rng.standard_normal((n_volumes, 6)) * 0.02
    jerks = rng.random(n_volumes) < 0.02
    steps[jerks] += rng.standard_normal((int(jerks.sum()), 6)) * 0.15
    # pulled back to rest, so that a long run does not wander out of the field of view
    walk = signal.lfilter([1.0], [1.0, -0.97], steps, axis=0)
    return np.asarray((walk - walk[:1]) / np.array([1, 1, 1, *3 * [_HEAD_RADIUS_MM]]))


def ar_noise(n_volumes: int, n_voxels: int, rng: np.random.Generator, coefficient: float = 0.3) -> np.ndarray:
    """Return AR(1) noise (T, N), float32, variance 1 from the first volume on."""
    noise = rng.standard_normal((n_volumes, n_voxels), dtype=np.float32)
    noise[1:] *= np.float32(np.sqrt(1 - coefficient**2))
    for t in range(1, n_volumes):
        noise[t] += np.float32(coefficient) * noise[t - 1]
    return noise


def baseline(brain: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the mean BOLD signal (N,) of the voxels of ``mask``: fluid bright, white matter dark."""
    relative = brain[mask] / np.percentile(brain[brain > 0], 99)
    return np.asarray(BOLD_MEAN * (1.45 - 0.6 * np.clip(relative, 0, 1)), np.float32)


def source_weights(
    tissues: Tissues, regions: np.ndarray, network: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return how strongly every voxel carries each source, as a fraction of its mean.

    Parameters
    ----------
    tissues, mask
        (X, Y, Z) bool.
    regions
        (2, X, Y, Z) bool, NAc and mPFC.
    network
        (X, Y, Z) weight of a widespread network, 0-1; it is left out of the regions.

    Returns
    -------
    np.ndarray
        (12, N): two regions, network, three of physiology, six of motion; N voxels of ``mask``.

    """
    n_voxels = int(mask.sum())
    weights = np.zeros((12, n_voxels), np.float32)
    weights[:2] = _REGION_AMPLITUDE * regions[:, mask]
    outside = tissues.grey[mask] & ~np.any(regions[:, mask], axis=0)
    weights[2] = _NETWORK_AMPLITUDE * network[mask] * outside
    physiology = np.zeros(n_voxels, np.float32)
    for name, tissue in tissues._asdict().items():
        physiology[tissue[mask]] = _PHYSIOLOGY[name]
    spread = 1 + 0.5 * rng.standard_normal((3, n_voxels), dtype=np.float32)
    weights[3:6] = _PHYSIOLOGY_AMPLITUDE * physiology * spread
    # what realignment leaves behind is largest at the edge of the brain
    inner: np.ndarray = ndimage.binary_erosion(mask)
    strength = np.where(inner[mask], 0.5, 2.0) * _MOTION_PER_MM
    weights[6:] = strength * rng.standard_normal((6, n_voxels), dtype=np.float32)
    return weights


def simulate_series(
    mean: np.ndarray, weights: np.ndarray, sources: Sources, rng: np.random.Generator
) -> np.ndarray:
    """Return BOLD (T, N) of voxels with the given mean (N,) and weights (12, N).

    Notes
    -----
    y = mean (1 + W' s + drift + noise), noise AR(1) of 1 %, drift linear of up to 1 % per run.

    """
    steps = np.vstack([np.zeros(6), np.diff(sources.motion, axis=0)])
    steps = steps * np.array([1, 1, 1, *3 * [_HEAD_RADIUS_MM]])
    series = np.column_stack([sources.regions, sources.network, sources.physiology, steps])
    drift = np.linspace(-0.5, 0.5, len(series), dtype=np.float32)
    change = _NOISE * ar_noise(len(series), len(mean), rng)
    change += series.astype(np.float32) @ weights
    change += np.outer(drift, 0.01 * rng.standard_normal(len(mean), dtype=np.float32))
    return np.asarray(mean * (1 + change), np.float32)
