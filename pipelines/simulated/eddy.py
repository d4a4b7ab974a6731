"""Plant eddy currents, motion and dropped slices in diffusion scans of a head that is given as a function."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..numerics.motion import rigid_matrix
from ..numerics.resample import apply_linear, grid_points, voxel_sizes
from .distortion import displace

_UNIT_MM = 100.0
_N_TERMS = 10
_DEGREES_PER_MM = 1.0

Signal = Callable[[np.ndarray, float, np.ndarray], np.ndarray]
"""Signal (N,) of a head at points (N, 3) mm of its own frame, for a b-value and a direction (3,) in that frame."""


class Planted(NamedTuple):
    """What happens to the volumes of a scan.

    Attributes
    ----------
    matrices
        (T, 4, 4) points of the head to points of the scanner, RAS mm.
    coefficients
        (T, 10) mm of displacement along the phase-encoding axis per term of :func:`eddy_terms`.
    centre
        (3,) mm, where the terms have their origin.

    """

    matrices: np.ndarray
    coefficients: np.ndarray
    centre: np.ndarray

    def displacement(self, number: int, points: np.ndarray) -> np.ndarray:
        """Return how far (N,) mm along the axis volume ``number`` shows what lies at points (N, 3) of the scanner."""
        return np.asarray(eddy_terms(points - self.centre) @ self.coefficients[number])


def eddy_terms(points: np.ndarray) -> np.ndarray:
    """Return the terms (N, 10) of a quadratic field: 1, x, y, z, xx, yy, zz, xy, xz, yz, in units of 100 mm.

    Examples
    --------
    >>> eddy_terms(np.array([[100.0, 0, 200]]))[0].tolist()
    [1.0, 1.0, 0.0, 2.0, 1.0, 0.0, 4.0, 0.0, 2.0, 0.0]

    """
    x, y, z = np.asarray(points, float).T / _UNIT_MM
    return np.column_stack([np.ones(len(x)), x, y, z, x * x, y * y, z * z, x * y, x * z, y * z])


def plant_eddies(
    gradients: tuple[np.ndarray, np.ndarray],
    points: np.ndarray,
    rng: np.random.Generator,
    *,
    largest: float = 5.0,
    irregular: float = 0.2,
    quadratic: float = 0.2,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Draw the eddy currents of a scan.

    Parameters
    ----------
    gradients
        (T,) s/mm2 and (T, 3) unit vectors in the frame of the scanner.
    points
        (N, 3) mm of the brain.
    rng
        Source of it.
    largest
        Largest displacement of a point in a volume, mm.
    irregular
        SD of what does not follow the gradients, share of what does.
    quadratic
        SD of the quadratic terms, share of the linear ones.

    Returns
    -------
    tuple
        Coefficients (T, 10) mm, and the centre (3,) of the terms.

    Notes
    -----
    :math:`c_k = A s_k + \delta_k` with :math:`s_k = \sqrt{b_k / b_{max}}\, g_k`, the entries of A normal;
    :math:`\delta_k` is normal with the share ``irregular`` of the root mean square of :math:`A s_k`, term by term.
    """
    bvals, bvecs = (np.asarray(part, float) for part in gradients)
    strength = np.sqrt(bvals / bvals.max())
    sizes = np.where(np.arange(_N_TERMS) < 4, 1.0, quadratic)
    regular = strength[:, None] * bvecs @ (rng.standard_normal((3, _N_TERMS)) * sizes)
    spread = np.sqrt(np.mean(regular[strength > 0] ** 2, axis=0))
    noise = rng.standard_normal(regular.shape) * irregular * spread * strength[:, None]
    coefficients, centre = regular + noise, points.mean(axis=0)
    reached = np.abs(eddy_terms(points - centre) @ coefficients.T).max()
    return coefficients * largest / reached, centre


def plant_motion(n_volumes: int, rng: np.random.Generator, largest: float = 2.0) -> np.ndarray:
    """Draw where (T, 4, 4) a restless head lies: a walk of at most ``largest`` mm and degrees; the first stays."""
    walk = np.cumsum(rng.standard_normal((n_volumes, 6)), axis=0)
    walk -= walk[0]
    walk *= largest / np.maximum(np.abs(walk).max(axis=0), 1e-12)
    walk[:, 3:] = np.radians(walk[:, 3:] * _DEGREES_PER_MM)
    return np.array([rigid_matrix(parameters, np.zeros(3)) for parameters in walk])


def acquire(
    signal: Signal, planted: Planted, gradients: tuple[np.ndarray, np.ndarray], affine: np.ndarray,
    shape: tuple[int, int, int], axis: int = 1,
) -> np.ndarray:  # fmt: skip
    """Return the volumes (X, Y, Z, T) that a scanner makes of a head, without noise.

    Parameters
    ----------
    signal
        Of the head.
    planted
        What happens to it.
    gradients
        (T,) s/mm2 and (T, 3) unit vectors in the frame of the scanner.
    affine, shape
        Of the scan.
    axis
        Phase-encoding axis of the array.

    Notes
    -----
    A gradient along g acts along R'g in a head that is turned by R.  The field stays with the scanner; it moves the
    signal, whose sum is kept.

    """
    bvals, bvecs = gradients
    points = grid_points(shape, affine)
    size = voxel_sizes(affine)[axis]
    seen = np.empty((*shape, len(bvals)), np.float32)
    for number, matrix in enumerate(planted.matrices):
        home = apply_linear(np.linalg.inv(matrix), points)
        still = signal(home, float(bvals[number]), matrix[:3, :3].T @ bvecs[number]).reshape(shape)
        shift = planted.displacement(number, points).reshape(shape) / size
        seen[..., number] = displace(still, shift, axis)
    return seen


def drop_slices(
    data: np.ndarray,
    brain: np.ndarray,
    rng: np.random.Generator,
    *,
    share: float = 0.05,
    lost: tuple[float, float] = (0.3, 1.0),
) -> tuple[np.ndarray, np.ndarray]:
    """Take signal from slices, as a movement during their weighting does.

    Parameters
    ----------
    data
        (X, Y, Z, T) without noise.
    brain
        (X, Y, Z) bool; slices that show it may be dropped.
    rng
        Source of it.
    share
        Of slices.
    lost
        Least and largest share of the signal.

    Returns
    -------
    tuple
        Data of the same shape, and the share (Z, T) that was lost, 0 where nothing was.

    """
    shown = np.asarray(brain.any(axis=(0, 1)))
    chosen = (rng.random((data.shape[2], data.shape[3])) < share) & shown[:, None]
    loss = np.where(chosen, rng.uniform(*lost, chosen.shape), 0.0)
    return (data * (1 - loss)).astype(np.float32), loss
