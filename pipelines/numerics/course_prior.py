"""What is known of movement, brightness and eddy currents before a diffusion scan is looked at."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .gradients import Gradients

Array = NDArray[Any]

N_RIGID = 6

_JUMP = np.array([0.5, 0.5, 0.5, 0.01, 0.01, 0.01])  # mm and rad from one volume to the next
_FAR = np.array([20.0, 20, 20, 0.4, 0.4, 0.4])  # mm and rad from the reference
_BRIGHTNESS = 0.05
_TAU_START = np.array([1.0, 1, 1, 1, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6])  # mm
_TAU_SHARE, _TAU_LIMITS = 0.25, (0.05, 1.0)
_SAME_FOR_ALL = 1e3  # what is irregular averages out over a shell


def eddy_strength(table: Gradients) -> Array:
    r"""Return :math:`s_k = \sqrt{b_k / b_{max}}\, g_k` (T, 3), to which eddy currents are proportional; 0 at b = 0.

    Examples
    --------
    >>> bvecs = np.array([[0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]])
    >>> eddy_strength(Gradients(np.array([0, 1000.0, 4000.0]), bvecs, bvecs)).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.5], [0.0, 1.0, 0.0]]

    """
    bvals = np.where(table.is_b0, 0, np.asarray(table.bvals, float))
    return np.sqrt(bvals / max(float(bvals.max()), 1e-12))[:, None] * np.asarray(table.bvecs, float)


def _irregular(strength: Array) -> Array:
    """Return (T, T) the projection on what is not linear in the gradients."""
    basis, sizes, _ = np.linalg.svd(strength, full_matrices=False)
    used = basis[:, sizes > 1e-6 * max(float(sizes[0]), 1e-12)]
    return np.asarray(np.eye(len(strength)) - used @ used.T)


def tau_of(coefficients: Array | None, strength: Array) -> Array:
    """Return the spread (10,) mm around linearity: a quarter of what is linear; a start without coefficients."""
    if coefficients is None or not strength.any():
        return _TAU_START
    rows = np.any(strength, axis=1)
    regular = coefficients[rows] - _irregular(strength[rows]) @ coefficients[rows]
    return np.asarray(np.clip(_TAU_SHARE * np.sqrt(np.mean(regular**2, axis=0)), *_TAU_LIMITS))


def add_motion_prior(matrix: Array, vector: Array, parameters: Array, gains: Array) -> None:
    r"""Add to normal equations (T, P, T, P) and (T, P) that a head moves little, and that brightness is even.

    Parameters
    ----------
    matrix, vector
        Are changed; the first six parameters are movement, the last is brightness.
    parameters, gains
        (T, 6) mm and rad, (T,) logarithm: as they are.

    Notes
    -----
    Steps :math:`d` from volume to volume weigh :math:`2 / (1 + (d / \sigma)^2) / \sigma^2`: Student's t of one degree of
    freedom, which allows jumps.

    """
    t = len(gains)
    steps = np.diff(np.eye(t), axis=0)
    every = np.arange(t)
    for i in range(N_RIGID):
        weights = 2 / (1 + (steps @ parameters[:, i] / _JUMP[i]) ** 2) / _JUMP[i] ** 2
        chain = steps.T @ (weights[:, None] * steps)
        matrix[:, i, :, i] += chain
        matrix[every, i, every, i] += 1 / _FAR[i] ** 2
        vector[:, i] -= chain @ parameters[:, i]
    matrix[every, -1, every, -1] += 1 / _BRIGHTNESS**2
    vector[:, -1] -= gains / _BRIGHTNESS**2


def add_eddy_prior(
    matrix: Array, vector: Array, coefficients: Array, strength: Array, tau: Array, shells: Sequence[Array]
) -> None:
    """Add that eddy currents are nearly linear in the gradients; the mean of a shell is linear.

    Parameters
    ----------
    matrix, vector
        (T, P, T, P) and (T, P), are changed; eddy currents follow the six parameters of movement.
    coefficients
        (T, 10) mm, as they are.
    strength
        (T, 3) of :func:`eddy_strength`.
    tau
        (10,) mm.
    shells
        Numbers of the volumes of each.

    """
    rows = np.flatnonzero(np.any(strength, axis=1))
    irregular = _irregular(strength[rows])
    penalty = irregular.copy()
    for shell in shells:
        mean = irregular @ np.isin(rows, shell) / len(shell)
        penalty += _SAME_FOR_ALL * np.outer(mean, mean)
    for term, width in enumerate(tau):
        place = N_RIGID + term
        matrix[rows[:, None], place, rows, place] += penalty / width**2
        vector[rows, place] -= penalty @ coefficients[rows, term] / width**2


def hold_mean(matrix: Array, rows: Array, places: Sequence[int]) -> None:
    """Add to (T, P, T, P) that the steps of some parameters average to 0 over some volumes: nothing says where to."""
    for i in places:
        # a volume that is alone in its group has no information of its own: the others say how strongly to hold
        every = np.arange(len(matrix))
        size = float(np.mean(matrix[rows, i, rows, i])) or float(np.mean(matrix[every, i, every, i]))
        matrix[rows[:, None], i, rows, i] += size
