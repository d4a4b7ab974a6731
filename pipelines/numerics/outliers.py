"""Volumes that CONN would leave out, by the rule of ART: composite motion and jumps of the global signal."""

import numpy as np
from scipy.spatial.transform import Rotation

MOTION_MM = 0.9
SIGNAL_Z = 5.0
"""Limits of CONN's intermediate setting."""

_POINTS_MM = np.array([[70, 0, 0], [-70, 0, 0], [0, 70, 0], [0, -110, 0], [0, 0, 75], [0, 0, -45]], float)
"""Where the surface of a head meets the axes of the world, mm: their largest shift is the composite motion."""

_IQR_TO_SD = 0.7413  # interquartile range of a normal distribution to its standard deviation


def composite_motion(translations: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Return the largest shift, from one volume to the next, of six points on the surface of a head.

    Parameters
    ----------
    translations, rotations
        (T, 3) in mm and in rad about x, y, z of the world.

    Returns
    -------
    np.ndarray
        (T,) mm, first value 0.

    Notes
    -----
    The points are rotated, then translated.  It is not Power's framewise displacement, which adds up
    all six parameters.

    References
    ----------
    Whitfield-Gabrieli S, Nieto-Castanon A (2012) Brain Connect 2:125-141. doi:10.1089/brain.2012.0073

    Examples
    --------
    A pure shift moves every point alike:

    >>> composite_motion(np.array([[0, 0, 0], [0.3, 0, 0.4]]), np.zeros((2, 3))).round(6)
    array([0. , 0.5])

    """
    turned = _POINTS_MM @ np.swapaxes(Rotation.from_euler('XYZ', rotations).as_matrix(), 1, 2)
    moved = turned + translations[:, None, :]
    steps = np.linalg.norm(np.diff(moved, axis=0), axis=2).max(axis=1)
    return np.concatenate([[0.0], steps])


def signal_change(global_signal: np.ndarray) -> np.ndarray:
    """Return how unusual the change of the global signal from the volume before is, as a robust z.

    Parameters
    ----------
    global_signal
        (T,) any unit.

    Returns
    -------
    np.ndarray
        (T,) (change - median) / (0.7413 interquartile range); the change of the first volume is 0 and enters
        both; quartiles by Hazen's rule.  0 where half of the changes are equal.

    Examples
    --------
    >>> signal = np.array([10.0, 11, 10, 11, 10, 30, 29, 30, 29, 30])
    >>> int(np.argmax(signal_change(signal)))
    5

    """
    change = np.diff(global_signal, prepend=global_signal[:1])
    low, high = np.quantile(change, [0.25, 0.75], method='hazen')
    spread = _IQR_TO_SD * (high - low)
    return (change - np.median(change)) / spread if spread > 0 else np.zeros(len(change))


def jumps(
    translations: np.ndarray, rotations: np.ndarray, global_signal: np.ndarray, steady: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return which volumes ART leaves out for a jump of the head, and for one of the global signal.

    Parameters
    ----------
    translations, rotations
        (T, 3) in mm and rad.
    global_signal
        (T,) any unit.
    steady
        (T,) bool: volumes in steady state; others take no part, as if they had not been recorded.

    Returns
    -------
    tuple
        Two (T,) bool.  A jump at volume n leaves out n - 1 and n.

    """
    rows = np.flatnonzero(steady)
    found = np.zeros((2, len(steady)), bool)
    if len(rows):
        moved = composite_motion(translations[rows], rotations[rows]) > MOTION_MM
        changed = np.abs(signal_change(global_signal[rows])) > SIGNAL_Z
        for reason, jump in zip(found, (moved, changed)):
            reason[rows] = jump | np.append(jump[1:], False)
    return found[0], found[1]
