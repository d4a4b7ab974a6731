"""Denoising of resting BOLD by one simultaneous projection, and what it leaves to estimate with."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

MOTION = ('trans_x', 'trans_y', 'trans_z', 'rot_x', 'rot_y', 'rot_z')
_N_COMPCOR = 5
_BOX_MM = np.array([140.0, 180.0, 115.0])
"""Box around a head whose six face centres carry CONN's composite motion."""


class Operator(NamedTuple):
    """A linear map from all volumes to the cleaned kept volumes, and its degrees of freedom."""

    matrix: np.ndarray
    dof: float


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
    other; singular values below 1e-8 of the largest are rank deficiency.
    """
    norms = np.linalg.norm(matrix, axis=0)
    scaled = matrix[:, norms > 0] / norms[norms > 0]
    if not scaled.shape[1]:
        return np.zeros((len(matrix), 0))
    basis, singular, _ = np.linalg.svd(scaled, full_matrices=False)
    return basis[:, singular > 1e-8 * singular[0]]


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
        ``matrix`` (T_kept, T), zero for volumes left out; ``dof`` = T_kept - rank.

    Notes
    -----
    Y_clean = (I - M M^+) Y with M the kept rows (Lindquist 2018): a volume left out takes no
    part in the fit, and the rank is counted on the kept rows so that it is not paid for twice.

    """
    kept = np.flatnonzero(sample_mask)
    basis = orthonormal_basis(model[kept])
    matrix = np.zeros((len(kept), len(model)))
    matrix[:, kept] = np.eye(len(kept)) - basis @ basis.T
    return Operator(matrix, float(len(kept) - basis.shape[1]))


def regress_then_filter(
    model: np.ndarray, sample_mask: np.ndarray, t_r: float, high_pass: float, low_pass: float
) -> Operator:
    """Return CONN's operator: regression, then a hard-cut filter of the mirrored series.

    Volumes left out are regressed out by one spike each, so the filter sees them as zero and
    never as an interpolation; they are dropped afterwards and the rest is centred.

    Notes
    -----
    No projection: with A = R R', nu = (tr A)^2 / tr(A^2) (Satterthwaite).

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
    matrix = matrix - matrix.mean(axis=0)
    gram = matrix @ matrix.T
    total = np.trace(gram)
    return Operator(matrix, float(total**2 / np.sum(gram**2)) if total > 0 else 0.0)


def apply_operator(matrix: np.ndarray, series: np.ndarray, block: int = 32768) -> np.ndarray:
    """Return ``matrix`` (T_kept, T) times ``series`` (T, N) as float32, in blocks of voxels.

    The temporal mean is taken off first: it carries almost all of the signal's magnitude and
    would cost float32 its last digits; every operator here removes constants.
    """
    operator = matrix.astype(np.float32)
    cleaned = np.empty((len(matrix), series.shape[1]), np.float32)
    for start in range(0, series.shape[1], block):
        part = series[:, start : start + block]
        cleaned[:, start : start + block] = operator @ (part - part.mean(axis=0, dtype=np.float64)).astype(
            np.float32
        )
    return cleaned


def confound_columns(
    preset: str, columns: Sequence[str], metadata: Mapping[str, Mapping[str, object]]
) -> list[str]:
    """Return the confound columns of a preset, in the order of the table.

    Parameters
    ----------
    preset
        ``acompcor``, ``24p``, ``conn``, ``gsr`` or ``none``.
    columns
        Column names of an fMRIPrep confounds table.
    metadata
        Its JSON, column name -> fields; CompCor components are chosen by ``Mask``.

    Raises
    ------
    KeyError
        Naming the first column that the preset needs and the table lacks.

    """
    if preset == 'none':
        return []
    wanted = [name + suffix for suffix in ('', '_derivative1') for name in MOTION]
    if preset == '24p':
        wanted += [name + suffix for suffix in ('_power2', '_derivative1_power2') for name in MOTION]
    else:
        wanted += _compcor_columns(columns, metadata)
        wanted += [name for name in columns if name.startswith('cosine')]
    if preset == 'gsr':
        wanted.append('global_signal')
    missing = [name for name in wanted if name not in columns]
    if missing:
        raise KeyError(missing[0])
    return [name for name in columns if name in set(wanted)]


def _compcor_columns(columns: Sequence[str], metadata: Mapping[str, Mapping[str, object]]) -> list[str]:
    chosen: list[str] = []
    for tissue in ('WM', 'CSF'):
        of_tissue = [
            name
            for name in columns
            if name.split('_')[0] in {'a', 'w', 'c'}
            and 'comp_cor' in name
            and metadata.get(name, {}).get('Mask') == tissue
        ]
        if len(of_tissue) < _N_COMPCOR:
            raise KeyError(f'{_N_COMPCOR} aCompCor components of {tissue} (Mask: {tissue} in the JSON)')
        chosen += of_tissue[:_N_COMPCOR]
    return chosen


def composite_motion(translations: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Return CONN's composite motion: the largest frame-to-frame shift of six box points.

    Parameters
    ----------
    translations, rotations
        (T, 3) in mm and in rad about x, y, z.

    Returns
    -------
    np.ndarray
        (T,) mm, first value 0.

    Examples
    --------
    A pure shift moves every point alike:

    >>> float(composite_motion(np.array([[0, 0, 0], [0.3, 0, 0.4]]), np.zeros((2, 3)))[1])
    0.5

    """
    points = np.concatenate([np.diag(_BOX_MM / 2), -np.diag(_BOX_MM / 2)])
    moved = points @ np.swapaxes(_rotation_matrices(rotations), 1, 2) + translations[:, None, :]
    steps = np.linalg.norm(np.diff(moved, axis=0), axis=2).max(axis=1)
    return np.concatenate([[0.0], steps])


def _rotation_matrices(angles: np.ndarray) -> np.ndarray:
    """Return R_x R_y R_z for each row of ``angles`` (T, 3), as (T, 3, 3)."""
    result = np.broadcast_to(np.eye(3), (len(angles), 3, 3))
    for axis in range(3):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn = np.zeros((len(angles), 3, 3))
        turn[:, axis, axis] = 1
        turn[:, i, i] = turn[:, j, j] = np.cos(angles[:, axis])
        turn[:, j, i] = np.sin(angles[:, axis])
        turn[:, i, j] = -np.sin(angles[:, axis])
        result = result @ turn
    return result


def is_signal_jump(global_signal: np.ndarray, n_sd: float = 5.0) -> np.ndarray:
    """Return where the global signal's change from the volume before exceeds ``n_sd`` SD, (T,)."""
    change = np.concatenate([[0.0], np.diff(global_signal)])
    spread = change[1:].std()
    return np.abs(change - change[1:].mean()) > n_sd * spread if spread > 0 else np.zeros(len(change), bool)
