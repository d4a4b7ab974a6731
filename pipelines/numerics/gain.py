"""The gain of one scan against another of the same head: scanners choose it anew for every scan."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

MUCH = 1.2
"""Gains that differ by more than this factor are worth a word."""

_EQUAL = 0.02  # share: noise, drift and distortion alone move the median by this much
_SIGNAL_SHARE = 0.1  # of the median in the brain: below, there is no signal to compare


def relative_gains(references: Sequence[Array | None], mask: Array) -> Array:
    r"""Return the gain of every scan against the first that has a reference.

    Parameters
    ----------
    references
        For every scan its mean b = 0 image (X, Y, Z), all on one grid; None where it has none.
    mask
        (X, Y, Z) bool, brain.

    Returns
    -------
    Array
        (N,) factors above 0 that intensities are divided by; 1 where they differ by 2 % at most, so
        that scans of equal gain stay as they are to the last bit; NaN where it is not known.

    Notes
    -----
    :math:`g_n = \mathrm{median}_v\, b_n(v) / b_1(v)` over voxels of the brain where both show signal.
    A gain is one number for the whole image; the median leaves out what moved or is distorted.

    Examples
    --------
    >>> b0 = np.arange(50.0, 77).reshape(3, 3, 3)
    >>> relative_gains([b0, 1.5 * b0, 1.001 * b0, None], b0 > 0).tolist()
    [1.0, 1.5, 1.0, nan]

    """
    gains = np.full(len(references), np.nan)
    first = next((image for image in references if image is not None), None)
    for number, image in enumerate(references):
        if image is None or first is None:
            continue
        both = _shows_signal(first, mask) & _shows_signal(image, mask)
        if both.any():
            gains[number] = _settled(float(np.median(image[both].astype(float) / first[both])))
    return gains


def opposite_gain(first: Array, second: Array, mask: Array, axis: int) -> float:
    r"""Return the gain of one image against another of opposite phase encoding.

    Parameters
    ----------
    first, second
        (X, Y, Z) intensities on one grid.
    mask
        (X, Y, Z) bool, brain in the first.
    axis
        Phase-encoding axis.

    Returns
    -------
    float
        Factor above 0 that ``second`` is divided by; 1 where they differ by 2 % at most, or where
        the brain is dark.

    Notes
    -----
    Susceptibility moves intensity along a line and neither makes nor destroys it, while it moves the
    median in the brain (by 6 % in a scan of 3 mm): the gain is the ratio of the sums over all lines
    that pass through the brain.

    """
    lines = np.broadcast_to(np.asarray(mask).any(axis=axis, keepdims=True), first.shape)
    here, there = float(first[lines].sum(dtype=float)), float(second[lines].sum(dtype=float))
    return _settled(there / here) if min(here, there) > 0 else 1.0


def _settled(gain: float) -> float:
    return gain if abs(gain - 1) > _EQUAL else 1.0


def _shows_signal(image: Array, mask: Array) -> Array:
    inner = image[mask & (image > 0)]
    limit = _SIGNAL_SHARE * np.median(inner) if len(inner) else np.inf
    return np.asarray(mask & (image > limit))


def spread(gains: Array) -> float:
    """Return the largest gain over the smallest of those that are known; 1 for a single one.

    Examples
    --------
    >>> spread(np.array([1.0, 0.5, np.nan])), spread(np.array([np.nan]))
    (2.0, 1.0)

    """
    known = gains[np.isfinite(gains)]
    return float(known.max() / known.min()) if len(known) else 1.0
