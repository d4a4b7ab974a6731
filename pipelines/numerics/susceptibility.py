"""Distortion of an EPI along its phase-encoding axis: estimate the displacement, take it back.

One convention holds everywhere: ``u`` is in voxels along +axis of the array, and what lies at voxel
``x`` appears at ``x + u(x)`` in an image of polarity 1 (phase encoding ``i``, ``j``, ``k``) and at
``x - u(x)`` in one of polarity -1 (``i-``, ``j-``, ``k-``).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .susceptibility_pair import interpolate, solve_levels

Array = NDArray[Any]

_VOXELS = (8.0, 4.0, 2.0)  # mm, coarse to fine
_SMOOTH = 0.01  # of the squared slope, where intensities are about 1: found on simulated heads


def estimate_pair_field(
    forward: Array,
    backward: Array,
    affine: Array,
    *,
    axis: int,
    mask: Array | None = None,
    ratio: float = 1.0,
    sloppy: bool = False,
) -> Array:
    r"""Find the displacement between two EPI of opposite phase encoding.

    Parameters
    ----------
    forward, backward
        (X, Y, Z) intensities, phase encoding along +axis (``j``) and along -axis (``j-``); the head
        in the same place, the scale free.
    affine
        (4, 4) matrix from voxel to RAS mm, of both.
    axis
        Phase-encoding axis of the array, 0 to 2.
    mask
        (X, Y, Z) voxels whose difference and sum count; all by default.
    ratio
        Readout time of ``backward`` over that of ``forward``: it is displaced by :math:`-r u`.
    sloppy
        Stop at 4 mm.

    Returns
    -------
    Array
        (X, Y, Z) float32 displacement :math:`u` of ``forward``, voxels along +axis.

    Raises
    ------
    ValueError
        If the shapes differ, the axis is none, or an image is empty.

    Notes
    -----
    Signal is moved, not lost [1]_, so that the true image is :math:`F(x+u)(1+u')` and also
    :math:`B(x-ru)(1-ru')` (below :math:`r = 1`), with :math:`u'` the slope along the axis.  As in [2]_ we minimise

    .. math:: \tfrac12 \|F(x+u)(1+u') - B(x-u)(1-u')\|^2 + \tfrac\alpha2 \|\nabla u\|^2
              + \beta \sum u'^4 / (1 - u'^2)

    by Gauss-Newton steps with conjugate gradients, at about 8, 4 and 2 mm; slopes are in mm per mm,
    intensities are divided by the 98th percentile and the two images brought to the same sum.  The
    last term keeps both Jacobians positive.  Departures: central differences instead of a
    staggered grid, cubic splines.  Movement between the two images is not modelled.

    References
    ----------
    .. [1] Andersson JLR, et al. How to correct susceptibility distortions in spin-echo echo-planar
       images. Neuroimage 2003;20:870-88.
    .. [2] Ruthotto L, et al. Diffeomorphic susceptibility artifact correction of diffusion-weighted
       magnetic resonance images. Phys Med Biol 2012;57:5715-31.

    Examples
    --------
    A blob that lies at voxel 12 is seen at 13 along ``j`` and at 11 along ``j-``: u is +1 there.

    >>> y = np.arange(24.0)[None, :, None] * np.ones((24, 1, 24))
    >>> rest = np.exp(-((np.indices((24, 24, 24))[[0, 2]] - 12) ** 2).sum(axis=0) / 20)
    >>> forward, backward = (rest * np.exp(-((y - seen) ** 2) / 20) for seen in (13, 11))
    >>> u = estimate_pair_field(forward, backward, np.diag([4.0, 4, 4, 1]), axis=1)
    >>> round(float(u[12, 12, 12]), 1)
    1.0

    """
    if forward.shape != backward.shape or forward.ndim != 3 or axis not in (0, 1, 2):
        raise ValueError(f'two volumes of one shape and an axis: {forward.shape} {backward.shape} {axis}')
    first, second = (np.clip(np.asarray(image, np.float32), 0, None) for image in (forward, backward))
    weights = np.ones(first.shape) if mask is None else np.asarray(mask, float)
    if not ((first * weights).any() and (second * weights).any()):
        raise ValueError('an image of the pair is empty')
    # distortion moves signal and keeps its sum
    second = second * np.float32((first * weights).sum() / (second * weights).sum())
    scale = np.percentile((first + second)[first + second > 0], 98) / 2
    levels = _VOXELS[:2] if sloppy else _VOXELS
    images = first / scale, second / scale, weights.astype(np.float32)
    return solve_levels(images, affine, axis, levels=levels, smoothness=_SMOOTH, mirrored=ratio)


def unwarp(volume: Array, u: Array, axis: int, polarity: int, *, modulate: bool = True) -> Array:
    """Put the signal of a distorted volume back.

    Parameters
    ----------
    volume
        (X, Y, Z) intensities as acquired.
    u
        (X, Y, Z) displacement, voxels along +axis.
    axis
        Phase-encoding axis.
    polarity
        1 for phase encoding along +axis (``j``), -1 along -axis (``j-``).
    modulate
        Multiply by the Jacobian: signal that was piled up is spread again.

    Returns
    -------
    Array
        (X, Y, Z) float32.

    Raises
    ------
    ValueError
        If ``polarity`` is neither 1 nor -1.

    Notes
    -----
    :math:`v(x + p u)(1 + p u')` by cubic splines along the axis alone; beyond the grid the
    outermost voxel is repeated.

    Examples
    --------
    Signal that was seen one voxel too far comes back:

    >>> seen = np.zeros((1, 8, 1)); seen[0, 5] = 6
    >>> unwarp(seen, np.ones((1, 8, 1)), 1, 1).ravel().round(2).tolist()
    [0.0, 0.0, 0.0, 0.0, 6.0, 0.0, 0.0, 0.0]

    """
    if polarity not in (1, -1):
        raise ValueError(f'polarity is 1 or -1, not {polarity}')
    lines = np.moveaxis(np.asarray(volume, np.float32), axis, -1)
    shift = np.float32(polarity) * np.moveaxis(np.asarray(u, np.float32), axis, -1)
    values, _ = interpolate(
        ndimage.spline_filter1d(lines, 3, axis=-1, output=np.float32, mode='mirror'), shift
    )
    if modulate:
        values = values * (1 + np.gradient(shift, axis=-1))
    return np.ascontiguousarray(np.moveaxis(values, -1, axis), dtype=np.float32)


def displacement_mm(u: Array, affine: Array, axis: int) -> Array:
    """Return a displacement along one axis of the array as vectors.

    Parameters
    ----------
    u
        (X, Y, Z) voxels along +axis, already times the polarity of the image that is read.
    affine
        (4, 4) matrix from voxel to RAS mm.
    axis
        Phase-encoding axis.

    Returns
    -------
    Array
        (X, Y, Z, 3) float32 RAS mm, for :func:`.resample.apply_field`: true points to points of the
        distorted image.

    Examples
    --------
    Half a voxel along an axis that runs to the left:

    >>> displacement_mm(np.full((1, 1, 1), 0.5), np.diag([-3.0, 3, 3, 1]), 0).ravel().tolist()
    [-1.5, 0.0, 0.0]

    """
    direction = np.asarray(affine, dtype=np.float32)[:3, axis]
    return np.asarray(u, np.float32)[..., None] * direction


def field_in_hz(u: Array, total_readout_time: float) -> Array:
    """Return the off-resonance field that displaces by ``u``.

    Parameters
    ----------
    u
        (X, Y, Z) voxels along +axis at polarity 1.
    total_readout_time
        ``TotalReadoutTime`` of BIDS, s.

    Returns
    -------
    Array
        (X, Y, Z) float32, Hz.

    Raises
    ------
    ValueError
        If the readout time is not positive.

    Notes
    -----
    A line of :math:`n` voxels is read in :math:`n t`, with the effective echo spacing :math:`t`, and
    a field of :math:`f` displaces by :math:`f n t` voxels.  BIDS has :math:`T = (n - 1) t`; like
    SDCFlows we take :math:`u = f T`, too small by :math:`1/n`.  The two errors cancel when a field
    found in one scan serves another of the same matrix, and stay below 1 % otherwise.

    Examples
    --------
    >>> field_in_hz(np.array([2.0]), 0.05).tolist()
    [40.0]

    """
    if not total_readout_time > 0:
        raise ValueError(f'TotalReadoutTime is {total_readout_time} s; it must be positive')
    return np.asarray(u, np.float32) / np.float32(total_readout_time)


def shift_in_voxels(field: Array, total_readout_time: float) -> Array:
    """Return the displacement at polarity 1 by a field in Hz, the inverse of :func:`field_in_hz`."""
    return np.asarray(field, np.float32) * np.float32(total_readout_time)
