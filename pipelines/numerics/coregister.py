"""Find where a BOLD reference lies with respect to the T1-weighted image of the same person."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import entropy

from .register import register_rigid
from .resample import coarsen, resample, voxel_sizes

Array = NDArray[Any]

_AROUND = 6.0  # mm around the brain: its edge is what the two contrasts share
_WORKED = 2.0  # mm, the finest resolution of the registration: a finer anatomy would only be smoothed
_COMPARED = 3.0  # mm, voxel of the comparison of starts
_BINS = 32


def coregister(
    t1w: tuple[Array, Array],
    brain: Array,
    bold: tuple[Array, Array],
    *,
    starts: Sequence[Array | None],
    rng_seed: int,
    sloppy: bool = False,
) -> Array:
    """Return the rigid transform between a T1-weighted image and a BOLD reference.

    Parameters
    ----------
    t1w, bold
        (i, j, k) bias-corrected intensities and (4, 4) matrix from voxel to RAS mm.
    brain
        (i, j, k) bool, brain mask of ``t1w``.
    starts
        (4, 4) first guesses, points of T1w to points of BOLD; None means centres of mass.
    rng_seed
        Seed of the metric's sampling, not 0.
    sloppy
        Stop at 4 mm.

    Returns
    -------
    Array
        (4, 4) matrix in RAS mm, points of T1w to points of BOLD.

    Notes
    -----
    From every start a coarse registration (8 and 4 mm); the one after which the two images share
    most mutual information is refined at 2 mm.  The first guess that the scanner gives fails when
    the person left the scanner in between; centres of mass fail when one image holds the neck.

    """
    tissue = coarsen(np.where(brain, t1w[0], 0), t1w[1], _WORKED)
    inner = coarsen(brain.astype(np.float32), t1w[1], _WORKED)[0] > 0.5
    away = ndimage.distance_transform_edt(~inner, sampling=voxel_sizes(tissue[1]))
    near = (away <= _AROUND).astype(np.float32)
    options: dict[str, Any] = {'fixed_mask': near, 'rng_seed': rng_seed}
    found = [register_rigid(*tissue, *bold, initial=start, sloppy=True, **options) for start in starts]
    best = max(found, key=lambda matrix: shared_information(tissue, near, bold, matrix))
    return best if sloppy else register_rigid(*tissue, *bold, initial=best, **options)


def shared_information(
    fixed: tuple[Array, Array], mask: Array, moving: tuple[Array, Array], matrix: Array
) -> float:
    """Return the mutual information of two images after a linear transform, at 3 mm inside a mask.

    Parameters
    ----------
    fixed, moving
        (i, j, k) intensities and affine.
    mask
        (i, j, k) of ``fixed``, above 0.5 inside.
    matrix
        (4, 4) points of fixed to points of moving.

    """
    values, affine = coarsen(*fixed, _COMPARED)
    inside = coarsen(mask, fixed[1], _COMPARED)[0] > 0.5
    moved = resample(*moving, values.shape, affine, linear=matrix)
    joint, *_ = np.histogram2d(values[inside], moved[inside], bins=_BINS)
    return float(entropy(joint.sum(axis=0)) + entropy(joint.sum(axis=1)) - entropy(joint.ravel()))
