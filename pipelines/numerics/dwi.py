"""Prepare one diffusion scan on its own grid: mask, noise, ringing, head motion."""

from typing import Any

import numpy as np
from dipy.denoise.gibbs import gibbs_removal
from dipy.denoise.localpca import mppca
from dipy.segment.mask import median_otsu
from numpy.typing import NDArray
from scipy import ndimage

from .gradients import Gradients, find_shells, rotate
from .motion import realign
from .register import register_rigid
from .resample import apply_linear, grid_points, resample, sample, voxel_sizes
from .tensor import predict_signals

Array = NDArray[Any]

_PATCH_RADIUS = 2
_ROUNDS = 2
_MARGIN_VOXELS = 2
_BLUR_MM = 12.0
_SIGNAL_SHARE = 0.1  # of the median in the brain: below, the signal is lost


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


def denoise(data: Array, mask: Array) -> Array:
    """Remove the noise that local principal components tell from signal.

    Parameters
    ----------
    data
        (X, Y, Z, T) intensities as acquired; any interpolation before would correlate the noise.
    mask
        (X, Y, Z) bool; beyond it and two voxels around it the data stay as they are.

    Returns
    -------
    Array
        (X, Y, Z, T) float32.

    Notes
    -----
    Marchenko-Pastur PCA [1]_ of DIPY in patches of 5 x 5 x 5 voxels.

    References
    ----------
    .. [1] Veraart J, et al. Denoising of diffusion MRI using random matrix theory. Neuroimage
       2016;142:394-406.

    """
    near = ndimage.binary_dilation(mask, iterations=_MARGIN_VOXELS)
    with np.errstate(invalid='ignore', divide='ignore'):
        cleaned = mppca(
            np.asarray(data, np.float32), mask=near, patch_radius=_PATCH_RADIUS, suppress_warning=True
        )
    return np.where(near[..., None] & np.isfinite(cleaned), cleaned, data).astype(np.float32)


def unring(data: Array) -> Array:
    """Remove Gibbs ringing slice by slice (DIPY; Kellner 2016); slices lie along the third axis."""
    return np.asarray(gibbs_removal(np.array(data, np.float32), slice_axis=2, inplace=False), np.float32)


def estimate_dwi_motion(
    data: Array, table: Gradients, affine: Array, mask: Array, *, rng_seed: int, sloppy: bool = False
) -> Array:
    """Find how the head lay in every volume of a diffusion scan.

    Parameters
    ----------
    data
        (X, Y, Z, T) intensities.
    table
        Weighting of the volumes, in RAS.
    affine
        (4, 4) matrix from voxel to RAS mm.
    mask
        (X, Y, Z) bool, brain.
    rng_seed
        Of the registration of a shell to b = 0, not 0.
    sloppy
        One round at the smoother resolution, shells registered to b = 0 at 4 mm.

    Returns
    -------
    Array
        (T, 4, 4) matrices from points of the reference to points of each volume, RAS mm.

    Notes
    -----
    Every volume is realigned to what a tensor fitted to all predicts for it, which has its contrast,
    and the tensor is fitted again to the realigned volumes, with their directions turned along; two
    rounds, in the manner of SHORELine [1]_.  A movement that all volumes of a shell share cannot be
    seen so: the mean of the shell is registered to the mean of b = 0 by mutual information.  Eddy
    currents are not modelled.

    References
    ----------
    .. [1] Cieslak M, et al. QSIPrep: an integrative platform for preprocessing and reconstructing
       diffusion MRI data. Nat Methods 2021;18:775-8.

    """
    near = ndimage.binary_dilation(mask, iterations=_MARGIN_VOXELS)
    # further than the brain, for the images are blurred when they are compared
    around = ndimage.distance_transform_edt(~near, sampling=voxel_sizes(affine)) <= _BLUR_MM
    points = grid_points(mask.shape, affine)[around.ravel()]
    matrices = _onto_b0(data, table, affine, near, rng_seed, sloppy=sloppy)
    for _ in range(1 if sloppy else _ROUNDS):
        moved = [sample(data[..., t], affine, apply_linear(m, points)) for t, m in enumerate(matrices)]
        turned = table._replace(bvecs=rotate(table.bvecs, matrices))
        predicted = predict_signals(np.stack(moved, axis=1), turned)
        for t in range(data.shape[3]):
            target = np.zeros(mask.shape, np.float32)
            target[around] = predicted[:, t]
            matrices[t] = realign([data[..., t]], target, affine, near, start=matrices[t], sloppy=sloppy)[0]
    return matrices


def _onto_b0(
    data: Array, table: Gradients, affine: Array, near: Array, rng_seed: int, *, sloppy: bool
) -> Array:
    """Return (T, 4, 4) the common position of every shell."""
    matrices = np.tile(np.eye(4), (data.shape[3], 1, 1))
    is_b0 = np.asarray(table.is_b0)
    if not is_b0.any():
        return matrices
    reference = np.where(near, data[..., is_b0].mean(axis=3), 0)
    for _, rows in find_shells(table.bvals):
        mean = np.where(near, data[..., rows].mean(axis=3), 0)
        matrices[rows] = register_rigid(
            reference, affine, mean, affine, initial=np.eye(4), rng_seed=rng_seed, sloppy=sloppy
        )
    return matrices


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
