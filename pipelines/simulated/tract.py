"""Plant fibre bundles between two regions, and say how much of each voxel they fill."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage, optimize, spatial

from ..numerics.regions import split_hemispheres, voxel_centres
from ..numerics.resample import apply_linear, resample, sample
from .series import Tissues

POPULATIONS = ('tract_left', 'tract_right', 'crossing_left', 'crossing_right', 'white', 'grey', 'fluid')
"""What a voxel can hold, in the order of the columns of :class:`Fractions`."""

_N_POINTS = 200
_BULGE_MM = np.array([8.0, 0.0, 3.0])
"""How far the middle of a tract lies lateral of and above the straight line between its ends."""

_NARROW, _FAN = (0.0, 0.35), (0.55, 1.0)
"""Parts of the way on which the curves gather from the first region and spread in the second."""

_CROSSING_MM = (-7.0, 20.0)
"""Medial and lateral end of a crossing bundle, from the core of the tract."""

_REACH_MM = 0.6
_IN_REGION = 0.5
"""Share of fibres where a tract ends in grey matter."""


class Bundles(NamedTuple):
    """Curves (n_curves, n_points, 3) RAS mm: two tracts from NAc to mPFC, and what crosses them."""

    left: np.ndarray
    right: np.ndarray
    crossing_left: np.ndarray
    crossing_right: np.ndarray

    def move(self, matrix: np.ndarray) -> 'Bundles':
        """Return the curves with all points mapped by a (4, 4) matrix."""
        return Bundles(*(apply_linear(matrix, curves) for curves in self))


class Fractions(NamedTuple):
    """What the voxels of a grid hold.

    ``mask`` (X, Y, Z) bool, the N voxels that touch the brain; ``volume`` (N, 7), columns as
    :data:`POPULATIONS`, each row sums to 1; ``direction`` (N, 7, 3) unit vectors, 0 where there is none;
    ``region`` (N,) share of the two regions, 0-1.
    """

    mask: np.ndarray
    volume: np.ndarray
    direction: np.ndarray
    region: np.ndarray


def plant_tracts(
    nac: np.ndarray, mpfc: np.ndarray, affine: np.ndarray, rng: np.random.Generator, n_curves: int = 1000
) -> Bundles:
    """Draw a bundle from NAc to mPFC on each side, and one that crosses it.

    Parameters
    ----------
    nac, mpfc
        (X, Y, Z) bool, both sides together.
    affine
        (4, 4) voxel to RAS mm.
    rng
        Where curves start and end inside the regions.
    n_curves
        Curves per bundle.

    Returns
    -------
    Bundles
        Curves in RAS mm, 200 points each, from NAc to mPFC and from medial to lateral.

    Raises
    ------
    ValueError
        A region has no voxel on one side.

    Notes
    -----
    Curve i is c(t) + w_0(t) (a_i - A) + w_1(t) (b_i - B) + (1 - w_0 - w_1) u_i with t in 0-1: A, B are
    the centroids, a_i, b_i points of the regions, c the parabola from A to B that bulges to the side,
    u_i a point of a disk of R = 4.5 mm where curves are dense as 1 - (r / R)^2, for bundles thin out towards
    their surface, w_0 and w_1 smooth steps (linear for the part along A to B).  Starts, disk and ends are matched so that the sum of squared shifts is least: fibres keep their neighbours,
    as they do in a real bundle.  The crossing bundle is straight and perpendicular to the core at
    t = 0.5.

    """
    positions = voxel_centres(nac.shape, affine)
    sides = list(zip((-1, 1), split_hemispheres(nac, positions), split_hemispheres(mpfc, positions)))
    tracts, crossings = [], []
    for side, first, last in sides:
        if not (np.any(first) and np.any(last)):
            raise ValueError(f'a region has no voxel on the {"left" if side < 0 else "right"}')
        starts, ends = (_draw_points(region, affine, n_curves, rng) for region in (first, last))
        core = _core(positions[first].mean(axis=0), positions[last].mean(axis=0), side)
        tracts.append(_fan(core, starts, ends))
        crossings.append(_cross(core, side, n_curves))
    return Bundles(*tracts, *crossings)


def _draw_points(
    region: np.ndarray, affine: np.ndarray, n_points: int, rng: np.random.Generator
) -> np.ndarray:
    voxels = np.argwhere(region)
    chosen = voxels[rng.integers(len(voxels), size=n_points)]
    return apply_linear(affine, chosen + rng.uniform(-0.5, 0.5, chosen.shape))


def _core(start: np.ndarray, end: np.ndarray, side: int) -> np.ndarray:
    t = np.linspace(0, 1, _N_POINTS)[:, None]
    bulge = _BULGE_MM * np.array([side, 1, 1])
    chord = (end - start) / np.linalg.norm(end - start)
    bulge -= bulge @ chord * chord
    return (1 - t) * start + t * end + 4 * t * (1 - t) * bulge


def _disk(n_points: int, radius: float = 4.5) -> np.ndarray:
    """Return points (N, 2) of a disk, laid as a sunflower lays its seeds, with density 1 - (r / radius)^2."""
    index = np.arange(n_points) + 0.5
    angle = np.pi * (1 + np.sqrt(5)) * index
    # share of the points within r: 1 - (1 - (r / radius)^2)^2
    r = radius * np.sqrt(1 - np.sqrt(1 - index / n_points))
    return r[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])


def _match(disk: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the order of ``points`` (N, 2) that lies closest to ``disk`` (N, 2), both standardised."""
    first, second = ((p - p.mean(axis=0)) / np.maximum(p.std(axis=0), 1e-9) for p in (disk, points))
    return np.asarray(optimize.linear_sum_assignment(spatial.distance.cdist(first, second, 'sqeuclidean'))[1])


def _step(t: np.ndarray, low: float, high: float) -> np.ndarray:
    x = np.clip((t - low) / (high - low), 0, 1)
    return np.asarray(x * x * x * (10 - 15 * x + 6 * x * x))


def _plane(axis: np.ndarray) -> np.ndarray:
    """Return two unit vectors (2, 3) perpendicular to ``axis`` and to each other."""
    helper = np.eye(3)[np.argmin(np.abs(axis))]
    first = np.cross(axis, helper)
    return np.stack([first, np.cross(axis, first)]) / np.linalg.norm(first) / [[1], [np.linalg.norm(axis)]]


def _fan(core: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    plane = _plane(core[-1] - core[0])
    disk = _disk(len(starts))
    starts = starts[_match(disk, (starts - core[0]) @ plane.T)]
    ends = ends[_match(disk, (ends - core[-1]) @ plane.T)]
    t = np.linspace(0, 1, len(core))[:, None]
    near, far = 1 - _step(t, *_NARROW), _step(t, *_FAN)
    across = plane.T @ plane
    first, last = starts - core[0], ends - core[-1]
    aside = near * (first @ across)[:, None] + far * (last @ across)[:, None]
    # along the way the shift is spread evenly, so that no curve turns back
    ahead = (1 - t) * (first - first @ across)[:, None] + t * (last - last @ across)[:, None]
    return np.asarray(core + aside + ahead + (1 - near - far) * (disk @ plane)[:, None])


def _cross(core: np.ndarray, side: int, n_curves: int) -> np.ndarray:
    middle = len(core) // 2
    along = core[middle + 1] - core[middle - 1]
    along /= np.linalg.norm(along)
    axis = np.array([float(side), 0, 0])
    axis -= axis @ along * along
    axis /= np.linalg.norm(axis)
    length = np.linspace(*_CROSSING_MM, _N_POINTS)[:, None]
    offsets = _disk(n_curves) @ _plane(axis)
    return np.asarray(core[middle] + length * axis + offsets[:, None])


def curve_visitation(curves: np.ndarray, shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """Return the share of curves that pass through each voxel.

    Parameters
    ----------
    curves
        (n_curves, n_points, 3) RAS mm, points closer to each other than the voxels.
    shape, affine
        The grid.

    Returns
    -------
    np.ndarray
        (X, Y, Z), 0-1.

    Examples
    --------
    Each curve counts once per voxel, however many of its points lie there:

    >>> curves = np.array([[[0, 0, 0], [0.2, 0, 0], [1, 0, 0]], [[1, 0, 0], [1, 0.1, 0], [1, 0.2, 0]]])
    >>> curve_visitation(curves, (2, 1, 1), np.eye(4)).ravel().tolist()
    [0.5, 1.0]

    """
    voxels = np.rint(apply_linear(np.linalg.inv(affine), curves)).astype(int)
    inside = np.all((voxels >= 0) & (voxels < np.array(shape)), axis=-1)
    size = int(np.prod(shape))
    flat = np.ravel_multi_index(tuple(np.moveaxis(voxels, -1, 0)), shape, mode='clip')
    once = np.unique((flat + size * np.arange(len(curves))[:, None])[inside]) % size
    return np.bincount(once, minlength=size).reshape(shape) / len(curves)


def fibre_fractions(
    bundles: Bundles | None,
    tissues: Tissues,
    regions: np.ndarray,
    tissue_affine: np.ndarray,
    shape: tuple[int, ...],
    affine: np.ndarray,
    *,
    supersample: int = 3,
    background: tuple[float, float, float] = (0.0, 0.0, 1.0),
) -> Fractions:
    """Return how much of each voxel every population fills, and where its fibres point.

    Parameters
    ----------
    bundles
        Curves in RAS mm of the grid; None: there is no bundle.  A bundle without curves is absent.
    tissues
        Masks (I, J, K) of the brain.
    regions
        (2, I, J, K) bool, NAc and mPFC.
    tissue_affine
        (4, 4) voxel of ``tissues`` to RAS mm of the grid; it may rotate and scale.
    shape, affine
        The grid.
    supersample
        Points per voxel and axis.
    background
        Direction of the fibres of other white matter.

    Notes
    -----
    A point belongs to a bundle if a curve passes within 0.6 mm, and points along it.  A bundle makes
    white matter of what it passes, except in the regions: there half is fibre and half grey matter, all
    of it grey where no curve is near.  Where a tract is crossed the two share a point half and half.
    What lies outside the brain counts as grey.

    """
    labels = np.select([np.any(regions, axis=0), *tissues], [4, 1, 2, 3], 0).astype(np.uint8)
    mask, points, label = _sub_voxels(labels, tissue_affine, shape, affine, supersample)
    volume = np.zeros((*label.shape, len(POPULATIONS)), np.float32)
    direction = np.zeros((len(label), len(POPULATIONS), 3))
    for column, curves in enumerate(bundles or ()):
        if len(curves):
            near, tangent = _near(curves, points)
            near &= label > 0
            volume[..., column] = near
            direction[:, column] = np.einsum('np,npd->nd', near, tangent)
    volume /= np.maximum(volume.sum(axis=-1, keepdims=True), 1)
    volume[label == 4] *= _IN_REGION
    left = 1 - volume.sum(axis=-1)
    for column, wanted in enumerate((label == 3, np.isin(label, (0, 2, 4)), label == 1), 4):
        # half a fibre leaves the other half to grey matter, whatever the template has there
        volume[..., column] = left * wanted
    direction[:, 4] = background
    length = np.linalg.norm(direction, axis=-1, keepdims=True)
    return Fractions(
        mask, volume.mean(axis=1), direction / np.maximum(length, 1e-12), (label == 4).mean(axis=1)
    )


def _sub_voxels(
    labels: np.ndarray, label_affine: np.ndarray, shape: tuple[int, ...], affine: np.ndarray, per_axis: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the N voxels (X, Y, Z) that touch a label, P points of each (N, P, 3) and their labels (N, P)."""
    steps = (np.arange(per_axis) + 0.5) / per_axis - 0.5
    offsets = np.stack(np.meshgrid(steps, steps, steps, indexing='ij'), axis=-1).reshape(-1, 3)
    # a point of a voxel lies less than one voxel away from its centre
    roughly = resample((labels > 0).astype(np.float32), label_affine, shape, affine) > 0
    mask = ndimage.binary_dilation(roughly, np.ones((3, 3, 3)))
    points = apply_linear(affine, np.argwhere(mask)[:, None] + offsets)
    label = sample(labels, label_affine, points.reshape(-1, 3), 0).reshape(points.shape[:2])
    touched = np.any(label > 0, axis=1)
    mask[mask] = touched
    return mask, points[touched], label[touched]


def _near(curves: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which points (N, P) a curve passes, and its direction there (N, P, 3)."""
    flat = points.reshape(-1, 3)
    box = np.all(
        (flat >= curves.min(axis=(0, 1)) - _REACH_MM) & (flat <= curves.max(axis=(0, 1)) + _REACH_MM), axis=1
    )
    tangents = np.gradient(curves, axis=1).reshape(-1, 3)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    tree = spatial.cKDTree(curves.reshape(-1, 3))
    distance, index = tree.query(flat[box], distance_upper_bound=_REACH_MM)
    near, tangent = np.zeros(len(flat), bool), np.zeros(flat.shape)
    found = np.isfinite(distance)
    near[box] = found
    tangent[np.flatnonzero(box)[found]] = tangents[index[found]]
    return near.reshape(points.shape[:2]), tangent.reshape(points.shape)
