"""Simulate a T1-weighted head around a template brain, and place it in a scanner."""

import numpy as np
from scipy import ndimage

from ..numerics.resample import grid_points, voxel_sizes

_SCALP, _MUSCLE, _SKULL, _FLUID = 0.95, 0.45, 0.08, 0.30
_FLUID_MM, _SKULL_MM, _SCALP_MM = 2.5, 8.0, 14.0
_PAD_MM = 20.0


def surround_with_head(brain: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Put fluid, skull, scalp and a neck around a brain.

    Parameters
    ----------
    brain
        (X, Y, Z) T1-weighted, 0 outside the brain.
    affine
        (4, 4) voxel to RAS mm; axes parallel to those of the world.

    Returns
    -------
    tuple
        Head (X', Y', Z') float32 in units of the brain's 99th percentile, on a grid 20 mm larger on
        every side, and its affine.

    Notes
    -----
    Layers by distance from the brain's closed surface: fluid to 2.5 mm, skull (dark, with marrow in
    its middle) to about 8 mm, scalp (bright fat) to about 14 mm; below, muscle in an elliptic neck.

    """
    sizes = voxel_sizes(affine)
    pad = np.ceil(_PAD_MM / sizes).astype(int)
    inner = np.pad(np.asarray(brain, np.float32), [(p, p) for p in pad])
    inner /= np.percentile(brain[brain > 0], 99)
    grown = np.array(affine, float)
    grown[:3, 3] -= grown[:3, :3] @ pad
    solid = ndimage.binary_fill_holes(inner > 0)
    distance = ndimage.distance_transform_edt(~solid, sampling=sizes)
    position = grid_points(inner.shape, grown).reshape(*inner.shape, 3)
    # bone and fat are thicker at some places than at others
    depth = distance / (1 + 0.2 * np.sin(position[..., 1] / 25) * np.cos(position[..., 0] / 30))
    head = np.zeros(inner.shape, np.float32)
    neck = (position[..., 0] / 55) ** 2 + ((position[..., 1] + 25) / 65) ** 2 < 1
    head[neck & (position[..., 2] < -45)] = _MUSCLE
    head[depth < _SCALP_MM] = _SCALP
    head[depth < _SKULL_MM] = _SKULL
    head[np.abs(depth - 5.5) < 1.0] = _MUSCLE
    head[distance < _FLUID_MM] = _FLUID
    blurred = ndimage.gaussian_filter(head, 0.7 / sizes)
    return np.where(solid, np.where(inner > 0, inner, _FLUID), blurred).astype(np.float32), grown


def small_affine(rng: np.random.Generator) -> np.ndarray:
    """Return a (4, 4) matrix that takes points of a person to points of the template.

    Sizes differ by about 4 %, angles by about 4 degrees, the position by about 5 mm.
    """
    from scipy.spatial.transform import Rotation

    rotation = Rotation.from_euler('XYZ', rng.uniform(-4, 4, 3), degrees=True).as_matrix()
    matrix = np.eye(4)
    matrix[:3, :3] = rotation @ np.diag(rng.uniform(0.96, 1.04, 3))
    matrix[:3, 3] = rng.uniform(-5, 5, 3)
    return matrix


def small_rigid(rng: np.random.Generator, degrees: float = 3.0, mm: float = 4.0) -> np.ndarray:
    """Return a (4, 4) rotation and shift of at most ``degrees`` and ``mm`` per axis."""
    from scipy.spatial.transform import Rotation

    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler('XYZ', rng.uniform(-degrees, degrees, 3), degrees=True).as_matrix()
    matrix[:3, 3] = rng.uniform(-mm, mm, 3)
    return matrix


def scan(volume: np.ndarray, rng: np.random.Generator, noise: float = 0.015) -> np.ndarray:
    """Return ``volume`` as a coil sees it: brighter on one side, with Rician noise.

    Parameters
    ----------
    volume
        (X, Y, Z), 1 = white matter.
    noise
        SD of each of the two channels, in the unit of ``volume``.

    Notes
    -----
    Magnitude of (volume x field + e1) + i e2; the field is a smooth 20 % gradient.

    """
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in volume.shape), indexing='ij', sparse=True)
    slopes = rng.uniform(-0.1, 0.1, 3)
    field = 1 + sum(slope * axis for slope, axis in zip(slopes, axes))
    first, second = rng.standard_normal((2, *volume.shape), dtype=np.float32) * np.float32(noise)
    return np.asarray(np.hypot(volume * field + first, second), np.float32)


def epi_contrast(head: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Turn a T1-weighted head (1 = white matter) into an EPI one: fluid bright, fat suppressed.

    Examples
    --------
    >>> epi_contrast(np.array([0.95, 0.3, 0.7, 1.0]), np.array([0, 1, 1, 1], bool)).round(2).tolist()
    [0.19, 1.27, 1.03, 0.85]

    """
    return np.where(brain, 1.45 - 0.6 * np.clip(head, 0, 1), 0.2 * head)
