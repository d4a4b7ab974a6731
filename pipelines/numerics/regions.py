"""Regions of interest on a voxel grid: spheres, atlas labels, hemispheres, and their quality."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

MIN_COVERAGE = 0.7
MIN_SIGNAL_RATIO = 0.5
MAX_OVERLAP = 0.5
MIDLINE_MM = 5.0
"""A region on the midline is centred within this of x = 0, mm."""

_VENTRICLES_DEEP = 15.0  # mm


class RegionQuality(NamedTuple):
    """What a region's mean series rests on; ``is_dropout`` when it rests on too little."""

    n_voxels: int
    coverage: float
    tsnr: float
    signal_ratio: float
    is_dropout: bool


def voxel_centres(shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """Return the RAS position in mm of every voxel, (X, Y, Z, 3)."""
    index = np.moveaxis(np.indices(shape), 0, -1)
    return index @ affine[:3, :3].T + affine[:3, 3]


def grid_affine(positions: np.ndarray) -> np.ndarray:
    """Return the 4 x 4 affine of the grid whose voxel centres are ``positions`` (X, Y, Z, 3).

    Examples
    --------
    The inverse of :func:`voxel_centres`:

    >>> affine = np.array([[-2.0, 0, 0, 9], [0, 3, 0, 8], [0, 0, 4, 7], [0, 0, 0, 1]])
    >>> bool(np.allclose(grid_affine(voxel_centres((2, 2, 2), affine)), affine))
    True

    """
    affine = np.eye(4)
    affine[:3, 3] = positions[0, 0, 0]
    neighbours = positions[1, 0, 0], positions[0, 1, 0], positions[0, 0, 1]
    affine[:3, :3] = np.transpose(neighbours) - positions[0, 0, 0][:, None]
    return affine


def on_side(mask: np.ndarray, positions: np.ndarray, side: str) -> np.ndarray:
    """Return the part of ``mask`` (X, Y, Z) on the left (``L``: x < 0) or on the right (``R``: x > 0).

    Voxels centred on x = 0 belong to neither side.
    """
    x = positions[..., 0]
    return mask & (x < 0 if side == 'L' else x > 0)


def split_hemispheres(mask: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the left (x < 0) and right (x > 0) parts of ``mask`` as (2, X, Y, Z)."""
    return np.stack([mask & (positions[..., 0] < 0), mask & (positions[..., 0] > 0)])


def is_on_side(x: float, side: str) -> bool:
    """Return whether a centre at ``x`` mm fits a side; ``n/a`` is the midline, within :data:`MIDLINE_MM`.

    Examples
    --------
    >>> is_on_side(-9.5, 'L'), is_on_side(-9.5, 'R'), is_on_side(-9.5, 'n/a'), is_on_side(1.0, 'n/a')
    (True, False, False, True)

    """
    return {'L': x < 0, 'R': x > 0, 'n/a': abs(x) <= MIDLINE_MM}[side]


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Return the voxels that two masks share, as a share of the smaller one.

    Examples
    --------
    >>> overlap(np.array([1, 1, 1, 0], bool), np.array([0, 0, 1, 1], bool))
    0.5

    """
    return float((first & second).sum() / min(first.sum(), second.sum()))


def ventricles(brain: np.ndarray, tissue: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return where the ventricles of a template are, by the prior of its tissues alone.

    Parameters
    ----------
    brain
        (X, Y, Z) bool.
    tissue
        (X, Y, Z) probability of grey or white matter, 0-1.
    positions
        (X, Y, Z, 3) RAS mm.

    Returns
    -------
    np.ndarray
        (X, Y, Z) bool: less than half tissue, more than 15 mm inside the brain, and connected with such voxels where
        the bodies of the lateral ventricles lie, which the fissure and the cisterns are not.

    """
    size = np.linalg.norm(grid_affine(positions)[:3, :3], axis=0)
    depth = ndimage.distance_transform_edt(brain, sampling=size)
    pieces, _ = ndimage.label(brain & (tissue < 0.5) & (depth > _VENTRICLES_DEEP))
    x, y, z = np.moveaxis(positions, -1, 0)
    bodies = (np.abs(np.abs(x) - 12) < 6) & (np.abs(y) < 15) & (np.abs(z - 15) < 8)
    return np.isin(pieces, np.setdiff1d(pieces[bodies], [0]))


def winner_take_all(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Return the index of the most probable label (last axis) where it reaches ``threshold``, else -1.

    Parameters
    ----------
    probabilities
        (..., n_labels); ``threshold`` in the same unit (percent for Harvard-Oxford).

    Examples
    --------
    >>> winner_take_all(np.array([[30, 60], [20, 10]]), 25).tolist()
    [1, -1]

    """
    winner = probabilities.argmax(axis=-1).astype(np.int16)
    winner[probabilities.max(axis=-1) < threshold] = -1
    return winner


def centroid(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return the centre of mass of ``mask`` in mm, (3,)."""
    return np.argwhere(mask).mean(axis=0) @ affine[:3, :3].T + affine[:3, 3]


def region_quality(
    region: np.ndarray,
    mask: np.ndarray,
    mean: np.ndarray,
    tsnr: np.ndarray,
    template_mask: np.ndarray,
) -> RegionQuality:
    """Judge whether a region has signal.

    Parameters
    ----------
    region, mask, template_mask
        (X, Y, Z) bool: the region, the functional mask, the template's brain.
    mean, tsnr
        (X, Y, Z) temporal mean and mean / SD before denoising; NaN outside the field of view.

    Returns
    -------
    RegionQuality
        ``n_voxels`` in the functional mask; ``coverage`` their share of the region;
        ``tsnr`` the median over them; ``signal_ratio`` the mean over *all* region voxels in the
        field of view over the mean of the template brain, so that a mask which left the dark
        voxels out cannot hide them.

    """
    used = region & mask
    n_region = int(region.sum())
    coverage = used.sum() / n_region if n_region else 0.0
    in_view = region & np.isfinite(mean)
    brain = mean[template_mask & np.isfinite(mean)]
    ratio = mean[in_view].mean() / brain.mean() if in_view.any() and brain.size else np.nan
    return RegionQuality(
        n_voxels=int(used.sum()),
        coverage=float(coverage),
        tsnr=float(np.median(tsnr[used])) if used.any() else np.nan,
        signal_ratio=float(ratio),
        is_dropout=bool(coverage < MIN_COVERAGE or ratio < MIN_SIGNAL_RATIO),
    )
