"""Confound series: DVARS, expansions, outliers and masks of noise tissue."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[Any]
Mask = NDArray[np.bool_]

_OUTLIER_Z = 3.5
_LOOK_AT = 50  # volumes
_PURE = 0.99  # tissue probability, as fMRIPrep


def count_non_steady(global_signal: Array, threshold: float = _OUTLIER_Z) -> int:
    r"""Count the leading volumes whose signal has not reached its steady state.

    Parameters
    ----------
    global_signal
        (T,) mean of every volume; the first 50 are used.
    threshold
        Modified z-score above which a volume is an outlier.

    Returns
    -------
    int
        Number of outliers before the first volume that is none.

    Notes
    -----
    :math:`z = 0.6745 |s - \mathrm{med}(s)| / \mathrm{MAD}` [1]_.

    References
    ----------
    .. [1] Iglewicz B, Hoaglin DC. How to detect and handle outliers. ASQC Quality Press, 1993.

    Examples
    --------
    >>> count_non_steady(np.array([180.0, 130, 100, 101, 99, 100, 102, 98]))
    2

    """
    signal = np.asarray(global_signal[:_LOOK_AT], dtype=float)
    deviation = np.abs(signal - np.median(signal))
    spread = np.median(deviation)
    if spread == 0:
        return 0
    steady = 0.6745 * deviation / spread <= threshold
    return int(np.argmax(steady))


def expand(columns: Mapping[str, Array]) -> dict[str, Array]:
    """Add derivative, square and squared derivative of every column.

    Parameters
    ----------
    columns
        Name -> (T,) values.

    Returns
    -------
    dict
        Four columns for each, named ``x``, ``x_derivative1``, ``x_power2`` and
        ``x_derivative1_power2``; a derivative begins with NaN.

    Notes
    -----
    Backward differences; with six motion parameters these are the 24 of Friston [1]_ but for the
    derivative in place of the previous value, which spans the same space together with ``x``.

    References
    ----------
    .. [1] Satterthwaite TD, et al. An improved framework for confound regression and filtering
       for control of motion artifact. Neuroimage 2013;64:240-56.

    Examples
    --------
    >>> expand({'x': np.array([1.0, 3, 2])})['x_derivative1_power2']
    array([nan,  4.,  1.])

    """
    expanded: dict[str, Array] = {}
    for name, values in columns.items():
        derivative = np.concatenate([[np.nan], np.diff(values)])
        expanded |= {
            name: values,
            f'{name}_derivative1': derivative,
            f'{name}_power2': values**2,
            f'{name}_derivative1_power2': derivative**2,
        }
    return expanded


def one_hot(rows: NDArray[np.integer], n_volumes: int, prefix: str) -> dict[str, Array]:
    """Return one column with a single 1 for every row named.

    Examples
    --------
    >>> one_hot(np.array([2]), 3, 'motion_outlier')
    {'motion_outlier00': array([0., 0., 1.])}

    """
    digits = max(2, len(str(len(rows) - 1)))
    identity = np.eye(n_volumes)
    return {f'{prefix}{number:0{digits}d}': identity[row] for number, row in enumerate(rows)}


def pure_tissue(probability: Array, grey_matter: Array, zooms: Array, radius: float = 3.0) -> Array:
    """Return the probability of a noise tissue, 0 within ``radius`` of grey matter.

    Parameters
    ----------
    probability
        (i, j, k) of white matter or cerebrospinal fluid.
    grey_matter
        (i, j, k) probability of grey matter on the same grid.
    zooms
        (3,) edge lengths of voxels in mm.
    radius
        Distance in mm.

    Returns
    -------
    Array
        (i, j, k) float32.

    Notes
    -----
    Voxels with more than 0.05 grey matter, dilated by a ball, are taken out [1]_.

    References
    ----------
    .. [1] Behzadi Y, et al. A component based noise correction method (CompCor) for BOLD and
       perfusion based fMRI. Neuroimage 2007;37:90-101.

    Examples
    --------
    >>> line = np.ones((1, 1, 6))
    >>> grey = np.array([1.0, 0, 0, 0, 0, 0]).reshape(1, 1, 6)
    >>> pure_tissue(line, grey, np.ones(3), 2.0).ravel()
    array([0., 0., 0., 1., 1., 1.], dtype=float32)

    """
    distance = ndimage.distance_transform_edt(np.asarray(grey_matter) <= 0.05, sampling=np.asarray(zooms))
    return np.where(distance > radius + 1e-6, probability, 0).astype(np.float32)


def noise_mask(probability: Array, brain: Mask, minimum: int = 30) -> Mask:
    """Choose the voxels of the BOLD grid that hold one noise tissue alone.

    Parameters
    ----------
    probability
        (i, j, k) of the tissue on the BOLD grid.
    brain
        (i, j, k) brain mask.
    minimum
        Where fewer voxels are pure, so many of the highest probability are taken.

    Returns
    -------
    Mask
        (i, j, k) bool.

    Notes
    -----
    Pure means a probability of at least 0.99.  Ties at the limit may add voxels.

    Examples
    --------
    >>> probability = np.array([0.2, 0.995, 0.6, 0.0])
    >>> noise_mask(probability, np.ones(4, bool), minimum=2)
    array([False,  True,  True, False])

    """
    inside = np.where(brain, probability, 0)
    pure = inside >= _PURE
    if pure.sum() >= minimum:
        return pure
    lowest = np.sort(inside, axis=None)[-min(minimum, inside.size)]
    return (inside >= lowest) & (inside > 0)


def dvars(series: Array) -> tuple[Array, Array]:
    r"""Return DVARS, standardised and plain.

    Parameters
    ----------
    series
        (T, N) realigned series of the brain's voxels, any unit.

    Returns
    -------
    tuple
        (T,) standardised DVARS (1 in stationary noise) and (T,) plain DVARS of the series scaled
        to a median of 1000; the first value of both is NaN.

    Raises
    ------
    ValueError
        If no voxel varies.

    Notes
    -----
    :math:`D_t = \sqrt{\langle (y_t - y_{t-1})^2 \rangle}` over voxels, divided by the mean of
    :math:`\hat\sigma \sqrt{2 (1 - \hat\rho)}` with :math:`\hat\sigma` from the interquartile range
    and :math:`\hat\rho` the lag-1 autocorrelation [1]_.  Voxels without spread are left out.

    References
    ----------
    .. [1] Nichols TE. Notes on creating a standardized version of DVARS. arXiv:1704.01469.

    Examples
    --------
    White noise has standardised DVARS near 1:

    >>> noise = 100 + np.random.default_rng(0).standard_normal((100, 500))
    >>> bool(abs(np.nanmean(dvars(noise)[0]) - 1) < 0.02)
    True

    """
    scaled = np.asarray(series, dtype=np.float32) * np.float32(1000 / np.median(series))
    upper, lower = np.percentile(scaled, [75, 25], axis=0, method='lower')
    spread = (upper - lower) / 1.349
    if not np.any(spread > 0):
        raise ValueError('no voxel varies in time')
    scaled, spread = scaled[:, spread > 0], spread[spread > 0]
    centred = scaled - scaled.mean(axis=0)
    lag_one = (centred[1:] * centred[:-1]).sum(axis=0) / (centred**2).sum(axis=0)
    expected = float(np.mean(np.sqrt(2 * (1 - lag_one)) * spread))
    plain = np.sqrt(np.mean(np.diff(scaled, axis=0) ** 2, axis=1, dtype=float))
    plain = np.concatenate([[np.nan], plain])
    return plain / expected, plain
