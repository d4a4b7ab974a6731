"""Denoising and connectivity of BOLD series (volumes, voxels)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import DegreesOfFreedomError, ParameterError
from pipelines.numerics.amplitude import Amplitudes, fluctuation_amplitudes
from pipelines.numerics.clean import Operator, projection, reduce_series, stop_band, trend
from pipelines.numerics.confounds import dvars
from pipelines.numerics.intrinsic import intrinsic_connectivity, noise_floor
from pipelines.numerics.motion import framewise_displacement
from pipelines.numerics.seed import average_fisher_z, fisher_z, fisher_z_se, seed_correlation
from pipelines.numerics.smooth import smooth_in_mask as smooth

__all__ = [
    'Cleaned', 'alff', 'average_fisher_z', 'clean', 'dvars', 'fisher_z', 'fisher_z_se', 'framewise_displacement',
    'intrinsic_connectivity', 'noise_floor', 'seed_map', 'smooth',
]  # fmt: skip

Array = NDArray[Any]


class Cleaned(NamedTuple):
    """A denoised series and what is left to estimate with.

    Attributes
    ----------
    series
        (T_kept, N) float32, without the volumes left out, mean 0.
    dof
        Residual degrees of freedom.

    """

    series: Array
    dof: float


def clean(
    series: Array,
    confounds: Array | None = None,
    *,
    t_r: float,
    band: tuple[float, float] = (0.008, 0.09),
    sample_mask: Sequence[bool] | Array | None = None,
) -> Cleaned:
    """Remove confounds, trend and what lies outside a band from a series, at once.

    Parameters
    ----------
    series
        (T, N) intensities.
    confounds
        (T, P) regressors, such as motion parameters; none: trend and band alone.
    t_r
        Repetition time, s.
    band
        Lower and upper edge of the pass band, Hz; 0 switches an edge off.
    sample_mask
        (T,) True = kept; none: all volumes.  Volumes left out take no part in the fit.

    Returns
    -------
    Cleaned
        The series, and its degrees of freedom: kept volumes less the rank of all that was removed.

    Raises
    ------
    ParameterError
        Numbers of volumes differ, or a confound is not finite at a kept volume.
    DegreesOfFreedomError
        Nothing is left.

    Notes
    -----
    One projection, :func:`~pipelines.numerics.clean.projection`, with constant, linear trend, the confounds and the
    discrete cosines outside the band.  Filtering after the regression would bring confounds back [1]_.

    References
    ----------
    .. [1] Lindquist MA, et al. Modular preprocessing pipelines can reintroduce artifacts into fMRI data. Hum Brain Mapp
       2019;40:2358-76.

    Examples
    --------
    A confound is gone, whatever its size:

    >>> t = np.arange(100.0)
    >>> signal, noise = np.sin(2 * np.pi * 0.05 * t)[:, None], np.cos(2 * np.pi * 0.05 * t)[:, None]
    >>> found, alone = (clean(signal + size * noise, noise, t_r=1.0, band=(0, 0)) for size in (5, 0))
    >>> bool(np.allclose(found.series, alone.series, atol=1e-5)), found.dof
    (True, 97.0)

    """
    operator = _operator(series, confounds, sample_mask, stop_band(len(series), t_r, *band))
    return Cleaned(operator.expand.astype(np.float32) @ reduce_series(operator.reduce, series), operator.dof)


def alff(
    series: Array,
    confounds: Array | None = None,
    *,
    t_r: float,
    band: tuple[float, float] = (0.008, 0.09),
    sample_mask: Sequence[bool] | Array | None = None,
) -> Amplitudes:
    """Return the amplitude of low-frequency fluctuations, and its share of all frequencies (fALFF).

    Parameters
    ----------
    series
        (T, N) intensities, not filtered.
    confounds, t_r, band, sample_mask
        As in :func:`clean`; the band is that in which amplitudes are taken.

    Returns
    -------
    Amplitudes
        ``alff`` in units of the series and ``falff``, 0 to 1, (N,) each;
        see :func:`~pipelines.numerics.amplitude.fluctuation_amplitudes`.

    Raises
    ------
    ParameterError, DegreesOfFreedomError
        As in :func:`clean`.

    """
    operator = _operator(series, confounds, sample_mask, np.zeros((len(series), 0)))
    kept = _kept(series, sample_mask)
    return fluctuation_amplitudes(reduce_series(operator.reduce, series), operator.expand, kept, t_r, band)


def seed_map(series: Array, seed: Array) -> Array:
    """Return the connectivity of every voxel with a seed.

    Parameters
    ----------
    series
        (T, N) cleaned series.
    seed
        (T,) cleaned mean series of the seed, or (T, K) of several.

    Returns
    -------
    Array
        (N,) Fisher z, or (K, N).  Its standard error is ``fisher_z_se(dof)``.

    Examples
    --------
    >>> t = np.sin(np.arange(50.0))
    >>> seed_map(np.stack([t, 0 * t], axis=1), t).round(1).tolist()
    [8.4, 0.0]

    """
    seeds = np.atleast_2d(np.asarray(seed).T).T
    found = fisher_z(seed_correlation(series, seeds))
    return found[0] if np.ndim(seed) == 1 else found


def _kept(series: Array, sample_mask: Sequence[bool] | Array | None) -> Array:
    return np.ones(len(series), bool) if sample_mask is None else np.asarray(sample_mask, bool)


def _operator(
    series: Array, confounds: Array | None, sample_mask: Sequence[bool] | Array | None, band: Array
) -> Operator:
    """Return what removes confounds, trend and a band from the kept volumes."""
    kept = _kept(series, sample_mask)
    nuisance = np.zeros((len(series), 0)) if confounds is None else np.asarray(confounds, float)
    nuisance = nuisance[:, None] if nuisance.ndim == 1 else nuisance
    if not len(nuisance) == len(kept) == len(series):
        raise ParameterError(
            f'the series has {len(series)} volumes, confounds {len(nuisance)} rows and sample_mask {len(kept)} entries'
        )
    if not np.isfinite(nuisance[kept]).all():
        raise ParameterError(
            'a confound has no number at a volume that is kept: fill the first row of derivatives with 0'
        )
    # a volume left out may have none
    model = np.column_stack([trend(len(series)), np.where(kept[:, None], nuisance, 0), band])
    operator = projection(model, kept)
    if operator.dof < 1:
        raise DegreesOfFreedomError(
            f'{kept.sum()} kept volumes and {model.shape[1]} regressors leave no degree of freedom: use fewer confounds or a wider band'
        )
    return operator
