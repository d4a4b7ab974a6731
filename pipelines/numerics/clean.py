"""Denoising of resting BOLD by one simultaneous projection, and what it leaves to estimate with."""

import fnmatch
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import linalg

from ..terms import PRESETS

_RANK_TOLERANCE = 1e-6  # tables are rounded: a cosine of eight digits is its stop-band cosine to 5e-8


class Operator(NamedTuple):
    """A linear map from all volumes to the cleaned kept volumes, as two thin factors.

    ``cleaned = expand @ (reduce @ series)`` with ``reduce`` (K, T) and ``expand`` (T_kept, K).
    The columns of ``expand`` are orthonormal and sum to zero, so norms, inner products and hence
    correlations of cleaned series are those of their K coordinates ``reduce @ series``: everything
    behind the cleaning (smoothing, seed maps, intrinsic connectivity) works on K rows, not T.
    ``dof`` are the residual degrees of freedom.
    """

    reduce: np.ndarray
    expand: np.ndarray
    dof: float

    @property
    def matrix(self) -> np.ndarray:
        """Both factors multiplied, (T_kept, T)."""
        return self.expand @ self.reduce


def stop_band(n_volumes: int, t_r: float, high_pass: float, low_pass: float) -> np.ndarray:
    """Return the discrete cosines whose frequency lies outside the pass band.

    Parameters
    ----------
    n_volumes
        Number of volumes T.
    t_r
        Repetition time, s.
    high_pass, low_pass
        Edges of the pass band, Hz; 0 switches an edge off.

    Returns
    -------
    np.ndarray
        (T, K), orthonormal columns, without the constant.

    Notes
    -----
    Cosine k of the DCT-II has frequency k / (2 T t_r), so T - 1 of them with the constant span
    every series and regressing out the stop band is an exact filter (Hallquist 2013).

    Examples
    --------
    >>> band = stop_band(240, 2.0, 0.008, 0.09)
    >>> 239 - band.shape[1]  # cosines 8 to 86 remain
    79

    """
    order = np.arange(1, n_volumes)
    frequency = order / (2 * n_volumes * t_r)
    outside = frequency < high_pass
    if low_pass:
        outside |= frequency > low_pass
    times = np.arange(n_volumes) + 0.5
    return np.sqrt(2 / n_volumes) * np.cos(np.pi / n_volumes * np.outer(times, order[outside]))


def orthonormal_basis(matrix: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis (T, rank) of the columns of ``matrix`` (T, P).

    Columns are scaled to unit norm first, so that a confound in small units counts like any
    other; one whose part outside the span of the others is below 1e-6 of its norm is redundant.
    """
    return _split_space(matrix)[0]


def _split_space(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return orthonormal bases of the column space of ``matrix`` and of what is orthogonal to it."""
    norms = np.linalg.norm(matrix, axis=0)
    scaled = matrix[:, norms > 0] / norms[norms > 0]
    if not scaled.size:
        return np.zeros((len(matrix), 0)), np.eye(len(matrix))
    # not numpy's singular value decomposition: it fails to converge on some sound designs
    basis, triangle, _ = linalg.qr(scaled, pivoting=True)
    rank = int(np.sum(np.abs(np.diag(triangle)) > _RANK_TOLERANCE))
    return basis[:, :rank], basis[:, rank:]


def trend(n_volumes: int) -> np.ndarray:
    """Return constant and linear trend, (T, 2)."""
    return np.column_stack([np.ones(n_volumes), np.linspace(-1, 1, n_volumes)])


def projection(model: np.ndarray, sample_mask: np.ndarray) -> Operator:
    """Return the operator that removes ``model`` from the kept volumes at once.

    Parameters
    ----------
    model
        (T, P) nuisance regressors, the constant among them.
    sample_mask
        (T,) True = kept.

    Returns
    -------
    Operator
        ``reduce`` is zero for volumes left out; ``dof`` = T_kept - rank.

    Notes
    -----
    Y_clean = (I - M M^+) Y = Q Q' Y with M the kept rows and Q an orthonormal basis of what M does
    not span (Hallquist 2013; Lindquist 2019).  A volume left out takes no part in the fit, which
    equals a regressor of its own, and the rank is counted on the kept rows so that it is not paid
    for twice.

    References
    ----------
    Hallquist MN et al. (2013) NeuroImage 82:208-225. doi:10.1016/j.neuroimage.2013.05.116
    Lindquist MA et al. (2019) Hum Brain Mapp 40:2358-2376. doi:10.1002/hbm.24528

    Examples
    --------
    Cleaning twice is cleaning once:

    >>> model = trend(20)
    >>> matrix = projection(model, np.ones(20, bool)).matrix
    >>> bool(np.allclose(matrix @ matrix, matrix)), projection(model, np.ones(20, bool)).dof
    (True, 18.0)

    """
    kept = np.flatnonzero(sample_mask)
    _, rest = _split_space(model[kept])
    reduce = np.zeros((rest.shape[1], len(model)))
    reduce[:, kept] = rest.T
    return Operator(reduce, rest, float(rest.shape[1]))


def regress_then_filter(
    model: np.ndarray, sample_mask: np.ndarray, t_r: float, high_pass: float, low_pass: float
) -> Operator:
    """Return CONN's operator: regression, then a hard-cut filter of the mirrored series.

    Volumes left out are regressed out by one spike each, so the filter sees them as zero and
    never as an interpolation; they are dropped afterwards and the rest is centred.

    Parameters
    ----------
    model
        (T, P) nuisance regressors, the constant among them.
    sample_mask
        (T,) True = kept.
    t_r
        Repetition time, s.
    high_pass, low_pass
        Edges of the pass band, Hz; 0 switches an edge off.

    Notes
    -----
    No projection, for the filter brings back some of what was regressed out: with R the operator
    and A = R R', nu = (tr A)^2 / tr(A^2) (Satterthwaite).  R = W S V' gives the factors.

    References
    ----------
    Whitfield-Gabrieli S, Nieto-Castanon A (2012) Brain Connect 2:125-141. doi:10.1089/brain.2012.0073

    """
    n_volumes = len(model)
    spikes = np.eye(n_volumes)[:, ~sample_mask]
    basis = orthonormal_basis(np.column_stack([model, spikes]))
    residual = np.eye(n_volumes) - basis @ basis.T
    frequency = np.fft.rfftfreq(2 * n_volumes, t_r)
    passed = (frequency >= high_pass) & (frequency <= (low_pass or np.inf))
    mirrored = np.concatenate([residual, residual[::-1]])
    filtered = np.fft.irfft(np.fft.rfft(mirrored, axis=0) * passed[:, None], 2 * n_volumes, axis=0)
    matrix = filtered[:n_volumes][sample_mask]
    if not matrix.size:
        return Operator(np.zeros((0, n_volumes)), np.zeros((0, 0)), 0.0)
    centred = matrix - matrix.mean(axis=0)
    left, singular, right = linalg.svd(centred, full_matrices=False, lapack_driver='gesvd')
    size = int(np.sum(singular > _RANK_TOLERANCE))
    power = singular[:size] ** 2
    dof = float(power.sum() ** 2 / np.sum(power**2)) if size else 0.0
    return Operator(singular[:size, None] * right[:size], left[:, :size], dof)


def reduce_series(reduce: np.ndarray, series: np.ndarray, block: int = 4096) -> np.ndarray:
    """Return ``reduce`` (K, T) times ``series`` (T, N) as float32, in blocks of voxels.

    The temporal mean is taken off first: it carries almost all of the signal's magnitude and
    would cost float32 its last digits; every operator here removes constants.
    """
    factor = reduce.astype(np.float32)
    average = np.full(len(series), 1 / len(series), np.float32)
    reduced = np.empty((len(reduce), series.shape[1]), np.float32)
    for start in range(0, series.shape[1], block):
        part = series[:, start : start + block]
        np.matmul(factor, part - average @ part, out=reduced[:, start : start + block])
    return reduced


def temporal_sd(series: np.ndarray, keep: np.ndarray, block: int = 8192) -> np.ndarray:
    """Return the standard deviation over kept volumes, (N,) float32; exactly 0 for a constant voxel.

    Examples
    --------
    >>> temporal_sd(np.array([[1.0, 7], [3, 7], [99, 99]]), np.array([True, True, False])).tolist()
    [1.0, 0.0]

    """
    rows = np.flatnonzero(keep)
    sd = np.zeros(series.shape[1], np.float32)
    for start in range(0, series.shape[1] if len(rows) else 0, block):
        part = series[rows, start : start + block] - series[rows[0], start : start + block]
        part -= part.mean(axis=0)
        sd[start : start + block] = np.sqrt(np.einsum('tn,tn->n', part, part) / len(rows))
    return sd


def confound_columns(
    preset: str, columns: Sequence[str], metadata: Mapping[str, Mapping[str, object]]
) -> list[str]:
    """Return the confound columns of a preset, in the order of the table.

    Parameters
    ----------
    preset
        Name among :data:`~pipelines.terms.PRESETS`.
    columns
        Column names of an fMRIPrep confounds table.
    metadata
        Its JSON, column name -> fields; CompCor components are chosen by ``Mask``.

    Raises
    ------
    UnknownWordError
        There is no such preset.
    KeyError
        Naming the first column that the preset needs and the table lacks.

    Notes
    -----
    With components of aCompCor go the cosines: fMRIPrep computed them after its high-pass filter.

    Examples
    --------
    >>> confound_columns('none', ['csf', 'trans_x'], {})
    []

    """
    known = PRESETS[preset]
    wanted = _compcor_columns(columns, metadata, known.n_compcor) if known.n_compcor else []
    for pattern in known.columns:
        found = fnmatch.filter(columns, pattern)
        if not found and '*' not in pattern:
            raise KeyError(pattern)
        wanted += found
    return [name for name in columns if name in set(wanted)]


def _compcor_columns(
    columns: Sequence[str], metadata: Mapping[str, Mapping[str, object]], number: int
) -> list[str]:
    """Return the strongest retained components of white matter and of fluid; fewer if no more exist."""
    chosen: list[str] = []
    for tissue in ('WM', 'CSF'):
        found = [
            name
            for name in columns
            if name.startswith(('a_comp_cor_', 'w_comp_cor_', 'c_comp_cor_'))
            and metadata.get(name, {}).get('Mask') == tissue
            and metadata[name].get('Retained', True)
        ]
        if not found:
            raise KeyError(f'an aCompCor component of {tissue} (Mask: {tissue} in the JSON)')
        strength = {name: metadata[name].get('SingularValue') for name in found}
        if all(isinstance(value, int | float) for value in strength.values()):
            found.sort(key=lambda name: -float(str(strength[name])))
        chosen += found[:number]
    return chosen
