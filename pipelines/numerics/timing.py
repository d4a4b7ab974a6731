"""Shift the series of every slice to one common time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[Any]

_AXES = {'i': 0, 'j': 1, 'k': 2}


def reference_time(slice_times: Sequence[float], fraction: float = 0.5) -> float:
    """Return the time within a volume that all slices are shifted to.

    Parameters
    ----------
    slice_times
        Onset of every slice, s.
    fraction
        0 first slice, 0.5 middle of the acquisition, 1 last slice.

    Returns
    -------
    float
        Seconds after the onset of the volume.

    Notes
    -----
    :math:`t = t_{min} + f (t_{max} - t_{min})`, rounded to the millisecond.

    Examples
    --------
    >>> reference_time([0, 0.5, 1, 1.5])
    0.75

    """
    first, last = min(slice_times), max(slice_times)
    return round(first + fraction * (last - first), 3)


def shift_slice(series: Array, delay: float, order: int = 5) -> Array:
    """Read series at a constant delay after their samples.

    Parameters
    ----------
    series
        (N, T) values.
    delay
        Of the wanted times, in samples.
    order
        Of the spline.

    Returns
    -------
    Array
        (N, T) float32 values; beyond the first and last sample the series is mirrored.

    Notes
    -----
    :math:`y_k = s(k + d)` with :math:`s` the spline through the samples.

    Examples
    --------
    A whole sample of delay reads the next value:

    >>> shift_slice(np.array([[0.0, 1, 2, 3, 4, 5, 6, 7]]), 1.0)[0, :6].round(4)
    array([1., 2., 3., 4., 5., 6.], dtype=float32)

    """
    mean = series.mean(axis=1, keepdims=True)  # differences keep their digits in float32
    shifted = ndimage.shift(
        np.asarray(series - mean, dtype=np.float32), (0, -delay), order=order, mode='mirror'
    )
    return (shifted + mean).astype(np.float32)


def correct_slice_timing(
    series: Array,
    slice_times: Sequence[float],
    t_r: float,
    *,
    direction: str = 'k',
    n_dummy: int = 0,
    fraction: float = 0.5,
) -> Array:
    """Shift every slice to the middle of the acquisition, in place.

    Parameters
    ----------
    series
        (i, j, k, T) float32 values, changed in place.
    slice_times
        Onset of every slice within a volume, s.
    t_r
        Repetition time, s.
    direction
        Axis along which slices are counted; with ``-`` the first time is that of the last slice.
    n_dummy
        Leading volumes that are left as they are and do not enter the interpolation.
    fraction
        See :func:`reference_time`.

    Returns
    -------
    Array
        ``series``.

    Raises
    ------
    ValueError
        If the number of times is not that of slices, or a time is outside the volume.

    Notes
    -----
    A slice acquired at :math:`t_s` is read :math:`(t_{ref} - t_s) / TR` samples later.

    References
    ----------
    .. [1] Sladky R, et al. Slice-timing effects and their correction in functional MRI.
       Neuroimage 2011;58:588-94.

    Examples
    --------
    Slices that were acquired together stay as they are:

    >>> series = np.arange(16, dtype=np.float32).reshape(1, 1, 2, 8)
    >>> bool(np.array_equal(correct_slice_timing(series.copy(), [0.3, 0.3], 2.0), series))
    True

    """
    axis = _AXES[direction[0]]
    times = list(slice_times)[::-1] if direction.endswith('-') else list(slice_times)
    if len(times) != series.shape[axis]:
        raise ValueError(f'{len(times)} slice times for {series.shape[axis]} slices')
    if min(times) < 0 or max(times) > t_r:
        raise ValueError(f'slice times {min(times)} to {max(times)} s exceed the repetition time {t_r} s')
    common = reference_time(times, fraction)
    for number, time in enumerate(times):
        if time == common:
            continue
        values = np.moveaxis(series, axis, 0)[number, ..., n_dummy:]  # a view: assigning changes series
        shifted = shift_slice(values.reshape(-1, values.shape[-1]), (common - time) / t_r)
        values[...] = shifted.reshape(values.shape)
    return series
