"""Amplitude of low-frequency fluctuations: how much a voxel's signal moves in a band, and its share of all it moves."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

HIGHEST = 0.25
"""Hz; the upper end of what fALFF is a share of, where the repetition time reaches that far."""

_DEPENDENT = 1e-6  # share of a harmonic's norm that its partner leaves, below which it is the same column


class Amplitudes(NamedTuple):
    """ALFF in units of the series and fALFF (0 to 1), (N,) each."""

    alff: Array
    falff: Array


def frequencies(n_volumes: int, t_r: float, highest: float = HIGHEST) -> Array:
    """Return the frequencies of a series, those of its discrete Fourier transform, above 0.

    Parameters
    ----------
    n_volumes
        Of the series T, those left out included.
    t_r
        Repetition time, s.
    highest
        Last one, Hz; at most the Nyquist frequency 1 / (2 ``t_r``).

    Returns
    -------
    Array
        (F,) Hz, k / (T ``t_r``).

    Examples
    --------
    >>> frequencies(10, 2.0)
    array([0.05, 0.1 , 0.15, 0.2 , 0.25])

    """
    every = np.arange(1, n_volumes // 2 + 1) / (n_volumes * t_r)
    return every[every <= highest * (1 + 1e-9)]


def harmonics(times: Array, frequency: float) -> Array:
    """Return an orthonormal basis of the sine and cosine of one frequency at given times.

    Parameters
    ----------
    times
        (T,) s; gaps where volumes were left out.
    frequency
        Hz.

    Returns
    -------
    Array
        (T, 2), or (T, 1) at the Nyquist frequency, where sine and cosine are one column.

    """
    phase = 2 * np.pi * frequency * (times - times[0])
    columns = np.column_stack([np.cos(phase), np.sin(phase)])
    basis, triangle = np.linalg.qr(columns)
    scale = np.abs(np.diag(triangle))
    return basis[:, scale > _DEPENDENT * scale.max()]


def fluctuation_amplitudes(
    reduced: Array, expand: Array, kept: Array, t_r: float, band: tuple[float, float]
) -> Amplitudes:
    r"""Return ALFF and fALFF of every voxel of a series whose confounds were removed and whose band was not.

    Parameters
    ----------
    reduced, expand
        (K, N) and (T_kept, K): the series is their product, see :class:`~pipelines.numerics.clean.Operator`.
    kept
        (T,) bool, which volumes the rows of ``expand`` are.
    t_r
        Repetition time, s.
    band
        Lower and upper edge, Hz; 0 switches an edge off.

    Returns
    -------
    Amplitudes
        0 where a voxel does not move at all.

    Raises
    ------
    ValueError
        No frequency of the series lies in the band.

    Notes
    -----
    With :math:`Q_k` an orthonormal basis of sine and cosine of frequency :math:`f_k = k / (T\,TR)` at the kept
    volumes, :math:`\sqrt{P_k} = \|Q_k' y\| / \sqrt{T_{kept}}` is the root of the power spectrum; a sine of
    amplitude a has :math:`a / \sqrt 2` at its frequency.  ALFF is the mean of :math:`\sqrt{P_k}` over the band
    [1]_, fALFF the sum over the band divided by the sum over all frequencies up to 0.25 Hz or Nyquist [2]_.

    Without gaps this is the periodogram.  With volumes left out it is the least-squares periodogram of Lomb
    and Scargle: nothing is interpolated.  Frequencies that the confounds took away, such as those of
    fMRIPrep's cosines, count with what is left of them, in every voxel alike.

    References
    ----------
    .. [1] Zang YF, et al. Altered baseline brain activity in children with ADHD revealed by resting-state
       functional MRI. Brain Dev 2007;29:83-91.
    .. [2] Zou QH, et al. An improved approach to detection of amplitude of low-frequency fluctuation (ALFF)
       for resting-state fMRI: fractional ALFF. J Neurosci Methods 2008;172:137-41.

    Examples
    --------
    A sine of amplitude 3, alone in the band, is all there is:

    >>> wave = 3 * np.sin(2 * np.pi * 0.05 * 2.0 * np.arange(100))[:, None]
    >>> found = fluctuation_amplitudes(wave, np.eye(100), np.ones(100, bool), 2.0, (0.05, 0.05))
    >>> found.alff.round(4), found.falff.round(4)
    (array([2.1213]), array([1.]))

    """
    known = frequencies(len(kept), t_r)
    low, high = band
    inside = (known >= low) & (known <= (high or np.inf))
    if not inside.any():
        raise ValueError(
            f'no frequency of {len(kept)} volumes at {t_r:g} s lies between {low:g} and {high:g} Hz'
        )
    times = t_r * np.flatnonzero(kept)
    bases = [harmonics(times, frequency) for frequency in known]
    rows = (np.concatenate(bases, axis=1).T @ expand / np.sqrt(len(times))).astype(reduced.dtype)
    starts = np.cumsum([0, *(basis.shape[1] for basis in bases[:-1])])
    within, total = (np.zeros(reduced.shape[1]) for _ in range(2))
    for start in range(0, reduced.shape[1], 4096):
        part = slice(start, start + 4096)
        power = np.add.reduceat((rows @ reduced[:, part]) ** 2, starts, axis=0)
        amplitude = np.sqrt(power, dtype=float)
        total[part], within[part] = amplitude.sum(axis=0), amplitude[inside].sum(axis=0)
    share = np.divide(within, total, out=np.zeros_like(total), where=total > 0)
    return Amplitudes(within / inside.sum(), share)
