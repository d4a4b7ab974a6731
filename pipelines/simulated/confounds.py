"""A confounds table with fMRIPrep's names and definitions, computed from simulated BOLD."""

from collections.abc import Mapping

import numpy as np

from ..numerics.confounds import expand, one_hot
from ..numerics.motion import framewise_displacement
from ..terms import MOTION

_FD_LIMIT = 0.5  # mm
_HIGH_PASS_S = 128.0
_N_COMPCOR = 6


def cosines(n_volumes: int, t_r: float) -> np.ndarray:
    """Return the discrete cosines (T, K) slower than 128 s, of unit norm, without the constant."""
    order = np.arange(1, int(np.floor(2 * n_volumes * t_r / _HIGH_PASS_S)) + 1)
    times = np.arange(n_volumes) + 0.5
    return np.asarray(np.sqrt(2 / n_volumes) * np.cos(np.pi / n_volumes * np.outer(times, order)))


def compcor(series: np.ndarray, high_pass: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return principal components (T, K), their singular values (K,) and the sum of all squares.

    Notes
    -----
    Of series without mean and slow cosines, at unit variance per voxel (Behzadi 2007), by the
    eigenvectors of the T x T matrix Y Y'.

    """
    model = np.column_stack([np.full(len(series), 1 / np.sqrt(len(series))), high_pass])
    cleaned = series - model @ (model.T @ series)
    cleaned /= np.maximum(cleaned.std(axis=0), 1e-9)
    values, vectors = np.linalg.eigh((cleaned @ cleaned.T).astype(float))
    largest = np.argsort(values)[::-1][:_N_COMPCOR]
    # the sign of an eigenvector is arbitrary: fixed, so that results repeat
    found = vectors[:, largest]
    found = found * np.sign(found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])])
    return found, np.sqrt(np.maximum(values[largest], 0)), float(values.sum())


def confounds(
    series: np.ndarray, masks: Mapping[str, np.ndarray], motion: np.ndarray, t_r: float
) -> tuple[dict[str, np.ndarray], dict[str, dict]]:
    """Return a confounds table as fMRIPrep names it, and its metadata.

    Parameters
    ----------
    series
        (T, N) BOLD of the brain.
    masks
        ``CSF`` and ``WM``: (N,) bool.
    motion
        (T, 6) mm and rad.
    t_r
        Repetition time, s.

    Returns
    -------
    tuple
        Column -> (T,) values, NaN where undefined; column -> fields of the JSON.

    """
    table: dict[str, np.ndarray] = {}
    means = {'csf': series[:, masks['CSF']], 'white_matter': series[:, masks['WM']], 'global_signal': series}
    for name, part in means.items():
        table |= expand({name: part.mean(axis=1, dtype=np.float64)})
    table |= _dvars(series)
    table['framewise_displacement'] = framewise_displacement(motion)
    metadata: dict[str, dict] = {name: {'Method': 'Mean'} for name in means}
    slow = cosines(len(series), t_r)
    for mask in ('CSF', 'WM'):
        found, singular, total = compcor(series[:, masks[mask]], slow)
        explained = singular**2 / total
        for k, share in enumerate(explained):
            name = f'a_comp_cor_{sum(c.startswith("a_comp_cor") for c in table):02d}'
            table[name] = found[:, k]
            metadata[name] = {
                'CumulativeVarianceExplained': float(explained[: k + 1].sum()),
                'Mask': mask,
                'Method': 'aCompCor',
                'Retained': True,
                'SingularValue': float(singular[k]),
                'VarianceExplained': float(share),
            }
    table |= {f'cosine{k:02d}': column for k, column in enumerate(slow.T)}
    for name, column in zip(MOTION, motion.T):
        table |= expand({name: column})
    moved = np.flatnonzero(np.nan_to_num(table['framewise_displacement']) > _FD_LIMIT)
    table |= one_hot(moved, len(series), 'motion_outlier')
    return table, metadata


def _dvars(series: np.ndarray) -> dict[str, np.ndarray]:
    """Return DVARS and its form divided by its own median (1 = an ordinary volume)."""
    change = np.sqrt(np.mean(np.diff(series, axis=0).astype(np.float64) ** 2, axis=1))
    dvars = np.concatenate([[np.nan], change])
    return {'std_dvars': dvars / np.median(change), 'dvars': dvars}
