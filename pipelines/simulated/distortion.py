"""Distort a head as susceptibility does: the field of air in sinuses and ears, displaced signal, phase of echoes."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

_CAVITIES = (
    ((0.0, 55.0, -55.0), 30.0, 0.6),
    ((54.0, -18.0, -52.0), 20.0, 0.36),
    ((-54.0, -18.0, -52.0), 20.0, 0.36),
)
"""Centre in the template (RAS mm), radius (mm) and relative strength of the air of sinuses and ears."""

_PIECES = 8
_OFFSET_RAD = 2.0


def cavity_field(points: np.ndarray) -> np.ndarray:
    r"""Return the field of the air in sinuses and ears, in a unit of its own.

    Parameters
    ----------
    points
        (..., 3) template RAS mm; the magnet's field is along z.

    Returns
    -------
    np.ndarray
        (...,) about 1 at its largest in the brain.

    Notes
    -----
    Spheres of another susceptibility: :math:`(R / r)^3 (3 \cos^2 \theta - 1)` outside, 0 inside.

    """
    field = np.zeros(points.shape[:-1])
    for centre, radius, strength in _CAVITIES:
        away = points - np.array(centre)
        r2 = np.maximum((away**2).sum(axis=-1), 1e-6)
        outside = r2 > radius**2
        field += strength * outside * radius**3 / r2**1.5 * (3 * away[..., 2] ** 2 / r2 - 1)
    return field


def displace(volume: np.ndarray, shift: np.ndarray, axis: int) -> np.ndarray:
    """Move signal along an axis and keep its sum: what an EPI makes of a head.

    Parameters
    ----------
    volume
        (X, Y, Z) true intensities.
    shift
        (X, Y, Z) voxels along +axis: what lies at x is seen at x + shift(x).
    axis
        Phase-encoding axis.

    Returns
    -------
    np.ndarray
        (X, Y, Z) float32.

    Notes
    -----
    Every eighth of a voxel falls into the two voxels nearest to where it is displaced to; beyond the grid it is lost.

    Examples
    --------
    The sum stays, and its centre moves:

    >>> line = np.zeros((1, 8, 1)); line[0, 3] = 8
    >>> seen = displace(line, np.full((1, 8, 1), 1.5), 1).ravel()
    >>> round(float(seen.sum()), 3), round(float(seen @ np.arange(8) / 8), 3)
    (8.0, 4.5)

    """
    lines, moves = (np.moveaxis(v, axis, -1) for v in (np.asarray(volume, float), np.asarray(shift, float)))
    shape, n = lines.shape, lines.shape[-1]
    rows = np.arange(lines[..., 0].size)[:, None] * n
    seen = np.zeros(lines.size)
    for piece in range(_PIECES):
        places = np.arange(n) + (piece + 0.5) / _PIECES - 0.5
        index = np.clip(places, 0, n - 1)
        low = np.minimum(index.astype(int), n - 2)
        share = index - low
        mass, move = (
            ((1 - share) * v[..., low] + share * v[..., low + 1]).reshape(-1, n) for v in (lines, moves)
        )
        at = places + move
        left = np.floor(at).astype(int)
        for where, weight in ((left, 1 - (at - left)), (left + 1, at - left)):
            inside = (where >= 0) & (where < n)
            flat = (rows + np.clip(where, 0, n - 1))[inside]
            seen += np.bincount(flat, (mass * weight / _PIECES)[inside], minlength=seen.size)
    return np.ascontiguousarray(np.moveaxis(seen.reshape(shape), -1, axis), dtype=np.float32)


def echoes(
    magnitude: np.ndarray, hertz: np.ndarray, times: Sequence[float], noise: float, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    r"""Return magnitude and wrapped phase of gradient echoes.

    Parameters
    ----------
    magnitude, hertz
        (X, Y, Z) signal, and the field.
    times
        Echo times, s.
    noise
        SD of the noise of each channel, in units of the signal.
    rng
        Source of it.

    Notes
    -----
    :math:`m \exp(i (\phi_0 + 2 \pi f TE))` with a smooth phase :math:`\phi_0` of the coil that all echoes share.

    """
    coil = ndimage.gaussian_filter(rng.standard_normal(magnitude.shape), np.array(magnitude.shape) / 6)
    start = _OFFSET_RAD * coil / np.abs(coil).max()
    found = []
    for time in times:
        real, imaginary = rng.standard_normal((2, *magnitude.shape)) * noise
        signal = magnitude * np.exp(1j * (start + 2 * np.pi * hertz * time)) + real + 1j * imaginary
        found.append((np.abs(signal).astype(np.float32), np.angle(signal).astype(np.float32)))
    return found
