"""What volumes of a diffusion scan show at points of the head: values, derivatives, and what b = 0 lets expect."""

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .course import VolumeCourse
from .gradients import Gradients, find_shells
from .resample import apply_linear, grid_points, voxel_sizes

Array = NDArray[Any]

_FWHM_TO_SIGMA = 1 / np.sqrt(8 * np.log(2))
_MARGIN_MM = 20.0
_WIDER = (0.8, 1.6)  # further blur of b = 0, in units of the first
_MOST_B0 = 4
_POWERS = 3
_RIDGE, _FITS = 1e-4, 3


class DiffusionScan(NamedTuple):
    """A scan to be aligned.

    Attributes
    ----------
    data
        (X, Y, Z, T) intensities.
    table
        Weighting of the volumes, as acquired, RAS.
    affine
        (4, 4) matrix from voxel to RAS mm.
    mask
        (X, Y, Z) bool, what is compared; reaches somewhat beyond the brain.
    brain
        (X, Y, Z) bool, where a shell is compared with b = 0.
    axis
        Phase-encoding axis of the array, None if it is not known.
    dropped
        (Z, T) bool, slices that lost their signal and do not count.

    """

    data: Array
    table: Gradients
    affine: Array
    mask: Array
    brain: Array
    axis: int | None
    dropped: Array

    def groups(self) -> list[Array]:
        """Return the numbers of the volumes of b = 0, if there are any, and of every shell."""
        shells = [np.flatnonzero(rows) for _, rows in find_shells(self.table.bvals)]
        return [np.flatnonzero(self.table.is_b0), *shells] if self.table.is_b0.any() else shells

    def crop(self) -> 'DiffusionScan':
        """Return the part around the mask."""
        reach = np.ceil(_MARGIN_MM / voxel_sizes(self.affine)).astype(int)
        found = np.argwhere(self.mask)
        low = np.maximum(found.min(axis=0) - reach, 0)
        box = tuple(slice(a, b) for a, b in zip(low, found.max(axis=0) + reach + 1))
        affine = np.array(self.affine, float)
        affine[:3, 3] = apply_linear(self.affine, low)
        return self._replace(
            data=self.data[box],
            affine=affine,
            mask=self.mask[box],
            brain=self.brain[box],
            dropped=self.dropped[box[2]],
        )


class Level(NamedTuple):
    """The volumes at one smoothness, and the points (N, 3) at which they are compared, in the brain (N,) or not.

    ``smooth`` are the volumes and ``splines`` their coefficients; ``blurred`` are the first volumes of b = 0 at three widths; ``share`` is that of a point in what
    neighbouring points say together.
    """

    points: Array
    is_brain: Array
    smooth: list[Array]
    splines: list[Array]
    blurred: list[list[Array]]
    share: float


class Views(NamedTuple):
    """Values (N, T), derivatives along RAS of the reference (T, 3, N), and what is missing (N, T) bool."""

    values: Array
    gradients: Array
    missing: Array


def make_level(scan: DiffusionScan, fwhm: float, limit: int) -> Level:
    """Smooth the volumes of a scan to ``fwhm`` mm, and choose at most ``limit`` points of its mask."""
    sizes = voxel_sizes(scan.affine)
    sigma = fwhm * _FWHM_TO_SIGMA / sizes
    numbers = range(scan.data.shape[3])
    smooth = [
        ndimage.gaussian_filter(np.asarray(scan.data[..., t], np.float32), sigma, mode='nearest')
        for t in numbers
    ]
    chosen = np.flatnonzero(scan.table.is_b0)[:_MOST_B0]
    blurred = [
        [smooth[t], *(ndimage.gaussian_filter(smooth[t], wider * sigma, mode='nearest') for wider in _WIDER)]
        for t in chosen
    ]
    inside = np.flatnonzero(scan.mask)
    kept = inside[:: -(-len(inside) // limit)]
    volume = len(inside) * float(np.prod(sizes)) / len(kept)
    return Level(
        grid_points(scan.mask.shape, scan.affine)[kept],
        scan.brain.ravel()[kept],
        smooth,
        [ndimage.spline_filter(v, output=np.float32, mode='mirror') for v in smooth],
        blurred,
        min(1.0, volume / fwhm**3),
    )


def view(scan: DiffusionScan, level: Level, course: VolumeCourse, gains: Array) -> Views:
    """Return what the volumes show at the points of a level.

    Parameters
    ----------
    scan, level
        The volumes.
    course
        Where they show the points.
    gains
        (T,) logarithm of the brightness of every volume.

    """
    to_voxel = np.linalg.inv(scan.affine)
    limit = np.array(scan.mask.shape) - 1
    n, t = len(level.points), len(gains)
    values, gradients, missing = np.empty((n, t)), np.empty((t, 3, n), np.float32), np.empty((n, t), bool)
    for k in range(t):
        at, factor = course.places(k, level.points)
        voxels = apply_linear(to_voxel, at)
        slices = np.clip(np.rint(voxels[:, 2]).astype(int), 0, limit[2])
        missing[:, k] = np.any((voxels < 0) | (voxels > limit), axis=1) | scan.dropped[slices, k]
        factor = factor * np.exp(-gains[k])
        found = _at(level.splines[k], voxels, 3)
        values[:, k] = found * factor
        slopes = np.stack([_slope(level.smooth[k], voxels, axis) for axis in np.eye(3)])
        gradients[k] = course.matrices[k, :3, :3].T @ to_voxel[:3, :3].T @ slopes * factor
    return Views(values, gradients, missing)


def _at(volume: Array, voxels: Array, order: int) -> Array:
    found = ndimage.map_coordinates(
        volume, voxels.T, output=np.float64, order=order, mode='mirror', prefilter=False
    )
    return np.asarray(found)


def _slope(volume: Array, voxels: Array, axis: Array) -> Array:
    """Return the derivative (N,) per voxel along an axis of the array."""
    return (_at(volume, voxels + axis, 1) - _at(volume, voxels - axis, 1)) / 2


def expect_shells(
    scan: DiffusionScan, level: Level, course: VolumeCourse, values: Array, groups: Sequence[Array]
) -> Array:
    r"""Return what b = 0 lets expect of the mean of every shell, (N, T); 0 for b = 0, without it, and beyond the brain.

    Notes
    -----
    The mean of a shell is fitted by polynomials of third degree in b = 0 at three widths: contrast that is the same in
    all directions, which no shift of the shell can imitate.  Points that fit badly count little.

    """
    expected, inside = np.zeros(values.shape), level.is_brain
    if not level.blurred:
        return expected
    to_voxel = np.linalg.inv(scan.affine)
    chosen = np.flatnonzero(scan.table.is_b0)[:_MOST_B0]
    seen = np.zeros((3, len(level.points)))
    for number, widths in zip(chosen, level.blurred):
        voxels = apply_linear(to_voxel @ course.matrices[number], level.points)
        seen += np.stack([_at(v, voxels, 1) for v in widths]) / len(chosen)
    seen /= seen[0].mean()
    powers = [p for p in product(range(_POWERS + 1), repeat=3) if sum(p) <= _POWERS]
    design = np.stack([np.prod(seen.T ** np.array(p), axis=1) for p in powers], axis=1)
    design /= np.sqrt(np.mean(design**2, axis=0))
    for rows in groups:
        if not scan.table.is_b0[rows[0]]:
            mean = values[:, rows].mean(axis=1)
            expected[np.ix_(inside, rows)] = _fit_robustly(design[inside], mean[inside])[:, None]
    return expected


def _fit_robustly(design: Array, values: Array) -> Array:
    weights = np.ones(len(values))
    ridge = _RIDGE * len(values) * np.eye(design.shape[1])
    for _ in range(_FITS):
        weighted = design * weights[:, None]
        fitted = design @ np.linalg.solve(weighted.T @ design + ridge, weighted.T @ values)
        scale = 2 * 1.4826 * np.median(np.abs(values - fitted))
        weights = 1 / (1 + ((values - fitted) / max(float(scale), 1e-12)) ** 2)
    return np.asarray(fitted)
