"""Maps of phase or field as scanners write them: radians, the field in Hz, smooth and known all over the head."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse.linalg import LinearOperator, cg

from .resample import voxel_sizes

Array = NDArray[Any]

_FILLED = (
    0.75  # of the half scale of 0 to 4095: noise around the head reaches all of it, a masked map most of it
)
_FULL = 0.99  # of milliradians: a masked map of another scale could end below
_LITTLE = 1e-2  # rad, and steps of a scale, that rounding adds to its ends
_SMOOTH_MM = 2.0


def to_radians(phase: Array) -> Array:
    r"""Return phase in radians, whichever of four scales it is written in.

    Parameters
    ----------
    phase
        (X, Y, Z) values of the file, its slope and intercept applied.

    Returns
    -------
    Array
        (X, Y, Z) float32, wrapped to :math:`[-\pi, \pi)`.

    Raises
    ------
    ValueError
        The range is that of none of them; names it.

    Notes
    -----
    By the range alone, which noise around the head fills: radians within :math:`\pm 2 \pi`; 0 to 4095,
    :math:`2 \pi x / 4096 - \pi`; -4096 to 4095 (Siemens' through dcm2niix), :math:`\pi x / 4096`; milliradians
    (GE's, Philips') that fill :math:`\pm 3142`.  Any other range is refused: stretching whatever is there to one
    turn would turn any map into a field.

    Examples
    --------
    >>> to_radians(np.array([0.0, 1024, 2048, 4095])).astype(float).round(3).tolist()
    [-3.142, -1.571, 0.0, 3.14]
    >>> to_radians(np.array([-4096.0, 0, 2048, 4094])).astype(float).round(3).tolist()
    [-3.142, 0.0, 1.571, 3.14]
    >>> to_radians(np.array([-3142.0, 1571, 3141])).astype(float).round(3).tolist()
    [3.141, 1.571, 3.141]

    """
    values = np.asarray(phase, float)
    low, high = float(values.min()), float(values.max())
    largest = max(-low, high)
    if not np.isfinite([low, high]).all() or low == high:
        raise ValueError(f'its values lie between {low:g} and {high:g}, which shows no phase')
    if largest <= 2 * np.pi + _LITTLE:
        radians = values
    elif low >= 0 and 2048 * (1 + _FILLED) <= high <= 4096:
        radians = 2 * np.pi * values / 4096 - np.pi
    elif low < 0 and 1000 * np.pi * _FULL <= largest <= 1000 * np.pi + 1:
        radians = values / 1000
    elif low < 0 and 1000 * np.pi + 1 < largest <= 4096:
        radians = np.pi * values / 4096
    else:
        raise ValueError(
            f'its values lie between {low:g} and {high:g}: neither radians, nor 0 to 4095, nor -4096 to 4095, nor '
            'milliradians'
        )
    return wrap(radians)


def wrap(radians: Array) -> Array:
    r"""Return angles within :math:`[-\pi, \pi)`, float32.

    Examples
    --------
    >>> wrap(np.array([0.0, 4.0, -4.0])).astype(float).round(3).tolist()
    [0.0, -2.283, 2.283]

    """
    return np.asarray((np.asarray(radians, float) + np.pi) % (2 * np.pi) - np.pi, np.float32)


def field_of_phase(phase: Array, mask: Array, echo_difference: float) -> Array:
    r"""Return the field of a wrapped difference of phase between two echoes.

    Parameters
    ----------
    phase
        (X, Y, Z) rad, of the later echo less that of the earlier one.
    mask
        (X, Y, Z) bool, where there is signal.
    echo_difference
        Later less earlier echo time, s.

    Returns
    -------
    Array
        (X, Y, Z) float32 Hz; 0 outside the largest piece of the mask.

    Raises
    ------
    ValueError
        The mask is empty, or the difference not above 0.

    Notes
    -----
    :math:`f = \phi / (2 \pi \Delta TE)`.  The phase is unwrapped in three dimensions by the sorting of
    reliabilities [1]_ of scikit-image, in one connected piece, for turns between pieces are not known; then the
    multiple of :math:`2 \pi` nearest to its median is taken off, since scanners are tuned to the brain: at a
    difference of 2.46 ms one turn is 406 Hz.

    References
    ----------
    .. [1] Abdul-Rahman H, et al. Fast and robust three-dimensional best path phase unwrapping algorithm.
       Appl Opt 2007;46:6623-35.

    """
    from skimage.restoration import unwrap_phase

    if not echo_difference > 0:
        raise ValueError(f'the echo times differ by {echo_difference:g} s; it must be more than 0')
    labels, count = ndimage.label(mask)
    if not count:
        raise ValueError('the mask is empty')
    piece = labels == np.argmax(np.bincount(labels.ravel())[1:]) + 1
    unwrapped = unwrap_phase(np.ma.array(np.asarray(phase, float), mask=~piece), rng=1).filled(0.0)
    turns = np.round(np.median(unwrapped[piece]) / (2 * np.pi))
    hertz = (unwrapped - 2 * np.pi * turns) / (2 * np.pi * echo_difference)
    return np.where(piece, hertz, 0).astype(np.float32)


def extend_field(field: Array, weights: Array, affine: Array, *, smooth: float = _SMOOTH_MM) -> Array:
    r"""Smooth a field where it was measured and carry it on to where it was not.

    Parameters
    ----------
    field
        (X, Y, Z) Hz.
    weights
        (X, Y, Z) trust in each voxel, 0 and more: the square of the magnitude, for noise of phase is its inverse.
    affine
        (4, 4) matrix from voxel to RAS mm.
    smooth
        Scale of the smoothing where the weight is that of most voxels, mm.

    Returns
    -------
    Array
        (X, Y, Z) float32 Hz.

    Raises
    ------
    ValueError
        No weight is above 0.

    Notes
    -----
    The :math:`g` that minimises :math:`\sum w (g - f)^2 + s^2 \sum \|\nabla g\|^2` with :math:`w` over its median
    where it is above 0: little is changed where signal is strong, more where it is weak, and where there is none
    the field goes on as a membrane does.

    Examples
    --------
    A gap is bridged:

    >>> line = np.arange(5.0)[:, None, None]
    >>> known = (line != 2).astype(float)
    >>> extend_field(line * known, 1e6 * known, np.eye(4), smooth=1e-3).ravel().round(2).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0]

    """
    seen = weights > 0
    if not np.any(seen):
        raise ValueError('nothing of the field was measured')
    w = np.where(seen, weights / np.median(weights[seen]), 0).astype(float)
    stiffness = (smooth / voxel_sizes(affine)) ** 2

    def operate(vector: Array) -> Array:
        g = vector.reshape(field.shape)
        out = w * g
        for axis in range(3):
            step = stiffness[axis] * np.diff(g, axis=axis)
            ends = [(1, 1) if k == axis else (0, 0) for k in range(3)]
            out -= np.diff(np.pad(step, ends), axis=axis)
        return out.ravel()

    n = field.size
    diagonal = (w + 2 * stiffness.sum()).ravel()
    solved, _ = cg(
        LinearOperator((n, n), matvec=operate, dtype=float),
        (w * np.where(seen, field, 0)).ravel(),
        x0=np.where(seen, field, np.median(field[seen])).ravel().astype(float),
        rtol=1e-6,
        maxiter=1000,
        M=LinearOperator((n, n), matvec=lambda v: v.ravel() / diagonal, dtype=float),
    )
    return solved.reshape(field.shape).astype(np.float32)
