"""Find the brain in a T1-weighted head, given a template of a brain without a head."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .outline import refine_mask
from .place import SCALP, Placement, head_depth, place_template
from .register import bias_correct
from .resample import apply_linear, coarsen, grid_points, resample, voxel_sizes

Array = NDArray[Any]
Mask = NDArray[np.bool_]

MIN_SCORE = 0.4
"""Lowest score of a placement that is taken for a head."""

_MARGIN = 16.0  # mm around the placed template that are looked at
_PASSES = (((10.0, 5.0), (5.0, 2.5)), ((5.0, 4.0), (4.0, 2.0)))
"""Reach and smoothness in mm of the four fits of the outline; the bias field is renewed in between."""


class Brain(NamedTuple):
    """A brain found in a head, on an isotropic grid around it.

    Attributes
    ----------
    volume
        (i, j, k) bias-corrected intensities, head included.
    affine
        (4, 4) matrix from voxel to RAS mm.
    mask
        (i, j, k) True in the brain: grey and white matter, ventricles and sulci.
    field
        (i, j, k) bias field in voxels of about 6 mm: ``volume`` is the head divided by it.
    field_affine
        (4, 4) matrix from voxel of ``field`` to RAS mm.
    placement
        The affine of the template that started the search, and its score.

    """

    volume: Array
    affine: Array
    mask: Mask
    field: Array
    field_affine: Array
    placement: Placement


def extract_brain(
    head: Array, affine: Array, template: Array, template_affine: Array, *, sloppy: bool = False
) -> Brain:
    """Find the brain in a head.

    Parameters
    ----------
    head
        (i, j, k) T1-weighted intensities.
    affine
        (4, 4) matrix from voxel to RAS mm.
    template
        (i, j, k) intensities of a brain, 0 outside.
    template_affine
        (4, 4) matrix from voxel to RAS mm.
    sloppy
        Work at 2 mm instead of 1 mm.

    Returns
    -------
    Brain
        On a grid with axes along RAS, larger than the brain by 16 mm.

    Raises
    ------
    ValueError
        If no head is found: the template fits nowhere.

    Notes
    -----
    The template is placed by an affine (:func:`~.place.place_template`); the bias field is
    estimated in its shadow; the outline of the shadow is moved to the border of the tissue
    (:func:`~.outline.refine_mask`); both are repeated once.  Like deformable
    surfaces [1]_ it bridges sulci, but every point of the outline looks for the best place along
    its whole profile at once, so that a poor start does not matter.

    References
    ----------
    .. [1] Smith SM. Fast robust automated brain extraction. Human Brain Mapping 2002;17:143-55.

    """
    placement = place_template(head, affine, template, template_affine)
    if placement.score < MIN_SCORE:
        raise ValueError(
            f'no T1-weighted head was found: a brain fits with a score of {placement.score:.2f}, '
            f'{MIN_SCORE} are needed'
        )
    coarse, coarse_affine = coarsen(template, template_affine, 2.0)
    shadow = ndimage.binary_fill_holes(coarse > 0.02 * coarse.max()).astype(np.float32)
    outline = apply_linear(placement.matrix, grid_points(coarse.shape, coarse_affine)[shadow.ravel() > 0])
    work, grid = _around(head, affine, outline, 2.0 if sloppy else 1.0)
    back = np.linalg.inv(placement.matrix)
    mask = resample(shadow, coarse_affine, work.shape, grid, linear=back) > 0.5
    depth = resample(*_depth(head, affine), work.shape, grid)
    inside, even = mask & (depth > SCALP), work
    for fits in _PASSES:
        even = even / bias_field(even, grid, inside)
        mask = inside = refine_mask(even, grid, mask, depth, fits)
    even = even / bias_field(even, grid, mask)
    field = np.where(even > 0, work / np.where(even > 0, even, 1), 1)
    return Brain(even, grid, mask, *coarse_field(field, grid), placement)


def bias_field(volume: Array, affine: Array, mask: Mask) -> Array:
    """Return the bias field (i, j, k), found from means over the mask in voxels of 6 mm.

    Parameters
    ----------
    volume
        (i, j, k) intensities.
    affine
        (4, 4) matrix from voxel to RAS mm.
    mask
        (i, j, k) voxels that estimate the field.

    Raises
    ------
    ValueError
        If the mask is empty.

    """
    if not mask.any():
        raise ValueError('no brain is left in the mask')
    share, grid = coarsen(mask.astype(np.float32), affine, 6.0)
    mean = coarsen(np.where(mask, volume, 0), affine, 6.0)[0] / np.maximum(share, 0.1)
    _, field = bias_correct(mean, grid, share > 0.3)
    return np.clip(at_nearest(field, grid, volume.shape, affine), 0.1, 10)


def at_nearest(volume: Array, affine: Array, shape: tuple[int, ...], target_affine: Array) -> Array:
    """Resample a volume linearly; beyond its box the nearest value holds, and no list of points is made.

    Examples
    --------
    >>> at_nearest(np.array([[[1.0]], [[3.0]]]), np.eye(4), (4, 1, 1), np.eye(4)).ravel()
    array([1., 3., 3., 3.], dtype=float32)

    """
    matrix = np.linalg.inv(affine) @ target_affine
    return ndimage.affine_transform(
        np.asarray(volume, np.float32), matrix, output_shape=shape[:3], order=1, mode='nearest'
    )


def coarse_field(field: Array, affine: Array) -> tuple[Array, Array]:
    """Return a bias field in voxels of about 6 mm, positive everywhere, and its affine."""
    coarse, grid = coarsen(field, affine, 6.0)
    # the last voxels may lie beyond the box
    nearest = ndimage.distance_transform_edt(coarse < 0.05, return_distances=False, return_indices=True)
    return coarse[tuple(nearest)], grid


def _depth(head: Array, affine: Array) -> tuple[Array, Array]:
    coarse, coarse_affine = coarsen(head, affine, 4.0)
    return head_depth(coarse, coarse_affine), coarse_affine


def _around(head: Array, affine: Array, points: Array, voxel: float) -> tuple[Array, Array]:
    """Resample a head onto an isotropic grid around points."""
    low, high = points.min(axis=0) - _MARGIN, points.max(axis=0) + _MARGIN
    grid = np.diag([voxel, voxel, voxel, 1.0])
    grid[:3, 3] = low
    shape = tuple(int(n) for n in np.ceil((high - low) / voxel) + 1)
    sizes = voxel_sizes(affine)
    sigma = np.where(voxel > 1.2 * sizes, 0.4 * voxel / sizes, 0)
    blurred = ndimage.gaussian_filter(np.asarray(head, dtype=np.float32), sigma)
    return resample(blurred, affine, shape, grid), grid
