"""Volumes that CONN would leave out: composite motion and jumps of the global signal."""

import numpy as np
from scipy.spatial.transform import Rotation

_BOX_MM = np.array([140.0, 180.0, 115.0])
"""Box around a head whose six face centres carry CONN's composite motion."""


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
    moved = (
        points @ np.swapaxes(Rotation.from_euler('XYZ', rotations).as_matrix(), 1, 2)
        + translations[:, None, :]
    )
    steps = np.linalg.norm(np.diff(moved, axis=0), axis=2).max(axis=1)
    return np.concatenate([[0.0], steps])


def is_signal_jump(
    global_signal: np.ndarray, steady: np.ndarray | None = None, n_sd: float = 5.0
) -> np.ndarray:
    """Return where the global signal's change from the volume before exceeds ``n_sd`` SD.

    Parameters
    ----------
    global_signal
        (T,) any unit.
    steady
        (T,) bool: volumes in steady state; changes from or to any other do not count.
    n_sd
        Limit in standard deviations of the change.

    Returns
    -------
    np.ndarray
        (T,) bool.

    """
    steady = np.ones(len(global_signal), bool) if steady is None else steady
    counted = np.flatnonzero(steady[1:] & steady[:-1]) + 1
    change = np.diff(global_signal, prepend=global_signal[:1])
    jumps = np.zeros(len(global_signal), bool)
    if len(counted):
        centred = change[counted] - change[counted].mean()
        jumps[counted] = np.abs(centred) > n_sd * max(centred.std(), np.finfo(float).tiny)
    return jumps
