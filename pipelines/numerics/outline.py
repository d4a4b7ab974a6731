"""Move the outline of an approximate brain mask to the border of the tissue."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .place import SCALP, largest_component
from .resample import coarsen, resample, voxel_sizes

Array = NDArray[Any]
Mask = NDArray[np.bool_]

_STEP = 0.5  # mm between the samples of a profile
_CALM = 0.01  # evidence (mm) that it costs to move by 1 mm, grows with the square
_INSIDE = 0.4  # share of tissue along the surface from which on it is inside: gyral crowns are kept
_VOXEL = 2.0  # mm: the outline is smooth, and is found where that is cheap


def dilate(mask: Mask, radius: float, sizes: Array) -> Mask:
    """Grow a mask by a ball of ``radius`` mm; ``sizes`` are the voxels' edges in mm.

    Examples
    --------
    >>> dilate(np.array([0, 0, 1, 0, 0], bool), 1, [1.0]).astype(int)
    array([0, 1, 1, 1, 0])

    """
    grown = np.zeros(mask.shape, bool)
    if not mask.any():
        return grown
    near = _box(mask, [int(radius / size) + 1 for size in sizes])
    grown[near] = ndimage.distance_transform_edt(~mask[near], sampling=sizes) <= radius
    return grown


def erode(mask: Mask, radius: float, sizes: Array) -> Mask:
    """Shrink a mask by a ball of ``radius`` mm, the dual of :func:`dilate`.

    Examples
    --------
    >>> erode(np.array([0, 1, 1, 1, 0], bool), 1, [1.0]).astype(int)
    array([0, 0, 1, 0, 0])

    """
    shrunk = np.zeros(mask.shape, bool)
    if mask.any():
        near = _box(mask, [1] * mask.ndim)
        shrunk[near] = ndimage.distance_transform_edt(mask[near], sampling=sizes) > radius
    return shrunk


def _box(mask: Mask, margins: Sequence[int]) -> tuple[slice, ...]:
    """Return the box around a mask with margins in voxels."""
    (found,) = ndimage.find_objects(mask.astype(np.uint8))
    return tuple(slice(max(part.start - n, 0), part.stop + n) for part, n in zip(found, margins))


def three_means(values: Array) -> Array:
    """Return the means of the three clusters of intensities, dark to bright (k-means).

    Examples
    --------
    >>> three_means(np.repeat([1.0, 5.0, 9.0], 10))
    array([1., 5., 9.])

    """
    means = np.quantile(values, [0.1, 0.5, 0.9])
    for _ in range(50):
        cluster = np.digitize(values, (means[1:] + means[:-1]) / 2)
        means = np.array(
            [values[cluster == k].mean() if np.any(cluster == k) else means[k] for k in range(3)]
        )
    return means


def refine_mask(
    volume: Array, affine: Array, mask: Mask, depth: Array, fits: tuple[tuple[float, float], ...]
) -> Mask:
    """Move the outline of a mask to the border of the tissue and smooth away what sticks out.

    Parameters
    ----------
    volume
        (i, j, k) bias-corrected T1-weighted intensities.
    affine
        (4, 4) matrix from voxel to RAS mm.
    mask
        (i, j, k) approximate brain.
    depth
        (i, j, k) distance in mm from the skin.
    fits
        Reach and smoothness in mm of each fit of the outline.

    Returns
    -------
    Mask
        (i, j, k) brain with its sulci: opened by 3 mm, closed by 5 mm, holes filled.

    """
    evidence, grid = coarsen(tissue_evidence(volume, affine, mask, depth), affine, _VOXEL)
    level = coarsen(mask.astype(np.float32), affine, _VOXEL)[0] * -1 + 0.5
    for reach, smoothness in fits:
        level = fit_outline(evidence, grid, level < 0, reach, smoothness)
    found = (resample(level, grid, volume.shape, affine) < 0) & (depth > 0) & (volume > 0)
    sizes = voxel_sizes(affine)
    found = dilate(largest_component(erode(found, 3, sizes)), 3.1, sizes) & found
    return ndimage.binary_fill_holes(erode(dilate(found, 5, sizes), 5, sizes))


def tissue_evidence(volume: Array, affine: Array, mask: Mask, depth: Array) -> Array:
    r"""Return for each voxel how much more it looks like brain tissue than like anything else.

    Parameters
    ----------
    volume
        (i, j, k) bias-corrected T1-weighted intensities.
    affine
        (4, 4) matrix from voxel to RAS mm.
    mask
        (i, j, k) approximate brain, right within some 10 mm.
    depth
        (i, j, k) distance in mm from the skin.

    Returns
    -------
    Array
        (i, j, k) -0.4 in fluid, bone, scalp and muscle, 0.6 in grey and white matter.

    Notes
    -----
    :math:`e = (1 + e^{-(v - c)/w})^{-1} - 0.4` with :math:`c` the middle between the lower two of
    three k-means clusters deep in the mask, or half the highest one, and :math:`w` 6 % of the
    highest one.  What is as bright as tissue but foreign counts as -0.4: fat, the skin, and objects
    that are 5 mm thick and do not hang together with the brain once bridges of less than 5 mm are
    cut.

    """
    sizes = voxel_sizes(affine)
    inside = ndimage.distance_transform_edt(mask, sampling=sizes)
    inner = volume[(inside > 6) & (volume > 0)]
    dark, grey, white = three_means(inner)
    bright = white + 3 * inner[inner > (grey + white) / 2].std()
    # where contrast is low the lowest cluster is no fluid: fluid is half as bright as white matter
    border = min((dark + grey) / 2, white / 2)
    slope = np.clip((volume - border) / (0.06 * white), -30, 30)
    evidence = (1 / (1 + np.exp(-slope)) - _INSIDE).astype(np.float32)
    edge = inside < 6
    skin = ((volume > bright) & edge) | (depth < SCALP)
    tissue = (volume > border) & ~skin
    thick = ndimage.distance_transform_edt(tissue, sampling=sizes) > 2.5
    # growth step by step does not jump across the skull, as a distance would
    steps = round(4 / sizes.min())
    core = largest_component(thick & mask)
    brain = ndimage.binary_dilation(core, iterations=steps, mask=tissue)
    foreign = (skin | (thick & ~brain)) & edge
    foreign = ndimage.binary_dilation(foreign, iterations=steps, mask=(volume > border) & ~brain)
    evidence[foreign] = -_INSIDE
    return evidence


def fit_outline(evidence: Array, affine: Array, mask: Mask, reach: float, smoothness: float) -> Array:
    r"""Move the outline of a mask to where the evidence for its inside ends.

    Parameters
    ----------
    evidence
        (i, j, k) positive inside, negative outside, per mm.
    affine
        (4, 4) matrix from voxel to RAS mm.
    mask
        (i, j, k) approximate inside.
    reach
        The outline moves at most this far, mm.
    smoothness
        Standard deviation in mm of the Gaussian along the surface that neighbours share.

    Returns
    -------
    Array
        (i, j, k) signed distance in mm from the new outline, negative inside.

    Notes
    -----
    At each point :math:`b` of the outline with normal :math:`n` the shift maximises
    :math:`\int_{-r}^{s} \bar e(b + u n)\,du - \lambda s^2`, with :math:`\bar e` the evidence
    averaged over the neighbours: a sulcus is outvoted by the gyri beside it.  The signed distance
    minus the shift, spread from the outline, is the new surface.

    Examples
    --------
    A ball of 9 mm is found from one of 6 mm:

    >>> radius = np.sqrt(sum(np.square(axis - 14.0) for axis in np.indices((29, 29, 29))))
    >>> found = fit_outline(np.where(radius < 9, 0.5, -0.5), np.eye(4), radius < 6, 5.0, 1.0) < 0
    >>> bool(np.mean(found == (radius < 9)) > 0.97)
    True

    """
    sizes = voxel_sizes(affine)
    distance = ndimage.distance_transform_edt(~mask, sampling=sizes)
    distance -= ndimage.distance_transform_edt(mask, sampling=sizes)
    rim = np.abs(distance) <= 1.01 * sizes.max()
    gradient = np.gradient(ndimage.gaussian_filter(distance, 2.5 / sizes), *sizes)
    normal = np.stack([component[rim] for component in gradient], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    start = np.argwhere(rim) - normal * distance[rim, None] / sizes
    share = ndimage.gaussian_filter(rim.astype(np.float32), smoothness / sizes)[rim]
    spread = np.zeros(mask.shape, np.float32)
    total = np.zeros(len(start), np.float32)
    best, shift = np.full(len(start), -np.inf), np.zeros(len(start), np.float32)
    for step in np.arange(-reach, reach + _STEP / 2, _STEP):
        total += _STEP * ndimage.map_coordinates(
            evidence, (start + normal * step / sizes).T, order=1, mode='nearest'
        )
        spread[rim] = total
        shared = ndimage.gaussian_filter(spread, smoothness / sizes, truncate=2.5)[rim] / share
        shared = shared - _CALM * step**2
        better = shared > best
        best[better], shift[better] = shared[better], step
    spread[rim] = shift
    return distance - _spread(spread, rim, sizes)


def _spread(values: Array, known: Mask, sizes: Array) -> Array:
    """Smooth values by 3 mm and carry them on from where they are known."""
    weight = ndimage.gaussian_filter(known.astype(np.float32), 3 / sizes)
    near = weight > 1e-3
    smooth = np.where(near, ndimage.gaussian_filter(values, 3 / sizes) / np.maximum(weight, 1e-3), 0)
    nearest = ndimage.distance_transform_edt(~near, return_distances=False, return_indices=True)
    return smooth[tuple(nearest)]
