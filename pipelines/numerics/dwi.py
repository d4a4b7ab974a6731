"""Prepare one diffusion scan on its own grid: mask, noise, ringing, motion, eddy currents, dropped slices."""

from typing import Any, NamedTuple

import numpy as np
from dipy.denoise.gibbs import gibbs_removal
from dipy.segment.mask import median_otsu
from numpy.typing import NDArray
from scipy import ndimage

from .course import VolumeCourse
from .course_fit import SMOOTHNESSES, estimate_course
from .course_views import DiffusionScan
from .dropped import mend_slices
from .gradients import Gradients
from .resample import resample

Array = NDArray[Any]

_MARGIN_VOXELS = 2
_SIGNAL_SHARE = 0.1  # of the median in the brain: below, the signal is lost


class AlignedScan(NamedTuple):
    """Intensities (X, Y, Z, T) with dropped slices replaced, where they lie, and which slices (Z, T) were dropped."""

    data: Array
    course: VolumeCourse
    dropped: Array


def find_mask(data: Array) -> Array:
    """Return the brain (X, Y, Z) of a diffusion scan (X, Y, Z, T) from its mean over volumes.

    Raises
    ------
    ValueError
        No head is visible.

    Notes
    -----
    DIPY's ``median_otsu``, of which the largest piece is kept after thin bridges were cut.

    """
    mean = data.mean(axis=3)
    if not np.ptp(mean):
        raise ValueError('all volumes are blank')
    _, mask = median_otsu(mean, median_radius=2, numpass=1)
    core = ndimage.binary_erosion(mask, iterations=2)
    labels, count = ndimage.label(core)
    if not count:
        raise ValueError('no head is visible')
    largest = labels == np.argmax(np.bincount(labels.ravel())[1:]) + 1
    # the brain grows back into what it was, the orbits and the neck do not
    return np.asarray(ndimage.binary_fill_holes(ndimage.binary_dilation(largest, iterations=2) & mask))


def unring(data: Array) -> Array:
    """Remove Gibbs ringing slice by slice (DIPY; Kellner 2016); slices lie along the third axis."""
    return np.asarray(gibbs_removal(np.array(data, np.float32), slice_axis=2, inplace=False), np.float32)


def align(
    data: Array, table: Gradients, affine: Array, mask: Array, axis: int | None, *, sloppy: bool = False
) -> AlignedScan:
    """Find head motion, eddy currents and dropped slices of a diffusion scan.

    Parameters
    ----------
    data
        (X, Y, Z, T) intensities; slices lie along the third axis.
    table
        Weighting of the volumes, in RAS, as acquired.
    affine
        (4, 4) matrix from voxel to RAS mm.
    mask
        (X, Y, Z) bool, brain.
    axis
        Phase-encoding axis of the array, None if it is not known: then eddy currents are not modelled.
    sloppy
        The coarsest resolution alone.

    Notes
    -----
    Volumes are brought near to each other, see :func:`~pipelines.numerics.course_fit.estimate_course`; slices that
    lost their signal are found and replaced, see :func:`~pipelines.numerics.dropped.mend_slices`; the course is
    refined without them, and they are found and replaced again.

    """
    near = ndimage.binary_dilation(mask, iterations=_MARGIN_VOXELS)
    none = np.zeros((data.shape[2], data.shape[3]), bool)
    scan = DiffusionScan(data, table, affine, near, mask, axis, none)
    course = estimate_course(scan, levels=SMOOTHNESSES[:1] if sloppy else SMOOTHNESSES[:2])
    mended = mend_slices(scan, course)
    if not sloppy:
        rest = scan._replace(data=mended.data, dropped=mended.dropped)
        course = estimate_course(rest, start=course, levels=SMOOTHNESSES[2:])
        mended = mend_slices(scan, course)
    return AlignedScan(mended.data, course, mended.dropped)


def average_b0(data: Array, table: Gradients, affine: Array, matrices: Array) -> Array:
    """Return the mean (X, Y, Z) of the realigned unweighted volumes, of all if there is none."""
    chosen = np.flatnonzero(table.is_b0) if table.is_b0.any() else np.arange(data.shape[3])
    moved = [
        resample(data[..., t], affine, data.shape[:3], affine, linear=matrices[t], order=3) for t in chosen
    ]
    return np.clip(np.mean(moved, axis=0), 0, None).astype(np.float32)


def has_signal(reference: Array, mask: Array) -> Array:
    """Return the part of a brain mask (X, Y, Z) where a reference is not dark."""
    if not mask.any():
        return mask
    return np.asarray(mask & (reference > _SIGNAL_SHARE * np.median(reference[mask])))
