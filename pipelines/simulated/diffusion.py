"""Simulate diffusion-weighted signal of known anisotropy, and the mean FA that a tract then has."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .tract import POPULATIONS, Fractions

MEAN_DIFFUSIVITY = np.array([0.75e-3] * 5 + [0.9e-3, 3e-3])
"""mm2/s of each population: fibres, grey matter, fluid."""

CROSSING_FA, PLANTED_WHITE_FA = 0.55, 0.35
_WHITE_SHARE = 0.5


class PlantedFA(NamedTuple):
    """Mean FA along the left tract, the right one, and both together; NaN if there is none."""

    left: float
    right: float
    both: float


def population_fa(tract: float) -> np.ndarray:
    """Return the FA (7,) of every population for tracts of FA ``tract``."""
    return np.array([tract, tract, CROSSING_FA, CROSSING_FA, PLANTED_WHITE_FA, 0, 0])


def cylinder(fa: np.ndarray, mean_diffusivity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the eigenvalues along and across a fibre of given FA and mean diffusivity.

    Parameters
    ----------
    fa
        0-1.
    mean_diffusivity
        mm2/s.

    Raises
    ------
    ValueError
        An FA is below 0 or above 1.

    Notes
    -----
    With :math:`d = f / \sqrt{3 - 2 f^2}` the eigenvalues are :math:`m (1 + 2 d)` and, twice,
    :math:`m (1 - d)`: their mean is m and their FA :math:`3 d / \sqrt{3 + 6 d^2} = f`.

    Examples
    --------
    The FA comes back from its definition:

    >>> along, across = cylinder(np.array([0, 0.35, 0.6, 1]), np.array(0.75e-3))
    >>> evals = np.stack([along, across, across])
    >>> spread = np.sum((evals - evals.mean(axis=0)) ** 2, axis=0)
    >>> np.sqrt(1.5 * spread / np.sum(evals**2, axis=0)).round(12).tolist()
    [0.0, 0.35, 0.6, 1.0]

    """
    fa = np.asarray(fa, float)
    if np.any((fa < 0) | (fa > 1)):
        raise ValueError(f'FA lies between 0 and 1, not {fa}')
    d = fa / np.sqrt(3 - 2 * fa**2)
    return mean_diffusivity * (1 + 2 * d), mean_diffusivity * (1 - d)


def gradient_table(
    n_directions: int = 64, shells: Sequence[float] = (1000.0,), n_b0: int = 6
) -> tuple[np.ndarray, np.ndarray]:
    """Return b-values and directions spread evenly over the sphere.

    Parameters
    ----------
    n_directions
        Directions per shell.
    shells
        s/mm2, each above 0.
    n_b0
        Volumes without weighting, the first one first and the others at even distances.

    Returns
    -------
    tuple
        b (V,) s/mm2 and unit vectors (V, 3), RAS; 0 without weighting.

    Raises
    ------
    ValueError
        There is no direction, no volume without weighting, or a shell of 0.

    Notes
    -----
    Points of a Fibonacci spiral on the half sphere, each second one turned round; a further shell is
    rotated by the golden angle, so that its directions lie between those of the first.

    Examples
    --------
    A shell measures all axes alike: the mean of g g' is close to a third of the identity.

    >>> b, g = gradient_table(32, (1000, 2000), n_b0=3)
    >>> bool(np.abs(g[b == 2000].T @ g[b == 2000] / 32 - np.eye(3) / 3).max() < 0.02)
    True

    """
    if n_directions < 1 or n_b0 < 1 or min(shells) <= 0:
        raise ValueError(f'{n_directions} directions, {n_b0} volumes of b 0 and shells of {tuple(shells)}')
    index = np.arange(n_directions) + 0.5
    height = 1 - index / n_directions
    bvals, bvecs = [], []
    for order, shell in enumerate(shells):
        angle = np.pi * (1 + np.sqrt(5)) * index + order * np.pi * (3 - np.sqrt(5)) / 2
        width = np.sqrt(1 - height**2)
        points = np.column_stack([width * np.cos(angle), width * np.sin(angle), height])
        points[1::2] *= -1
        bvals.append(np.full(n_directions, float(shell)))
        bvecs.append(points)
    b, g = np.concatenate(bvals), np.concatenate(bvecs)
    places = np.arange(n_b0) * len(b) // n_b0
    return np.insert(b, places, 0.0), np.insert(g, places, 0.0, axis=0)


def simulate_signal(
    fractions: Fractions,
    fa: np.ndarray,
    bvals: np.ndarray,
    bvecs: np.ndarray,
    s0: np.ndarray | float = 1.0,
) -> np.ndarray:
    r"""Return the noise-free signal (N, V) of the voxels of ``fractions``.

    Parameters
    ----------
    fractions
        What each of the N voxels holds.
    fa
        (7,) FA of every population, as of :func:`population_fa`.
    bvals
        (V,) s/mm2.
    bvecs
        (V, 3) unit vectors in the frame of the directions of ``fractions``.
    s0
        Signal without weighting, (N,) or one number.

    Notes
    -----
    :math:`S = S_0 \sum_k f_k \exp(-b\, g' D_k g)` with :math:`g' D_k g = \lambda_\perp +
    (\lambda_\parallel - \lambda_\perp) (g' u_k)^2`, fractions f and directions u.

    """
    along, across = cylinder(fa, MEAN_DIFFUSIVITY)
    signal = np.zeros((len(fractions.volume), len(bvals)), np.float32)
    for k in range(len(POPULATIONS)):
        held = fractions.volume[:, k] > 0
        cosine = fractions.direction[held, k] @ np.asarray(bvecs).T
        decay = np.exp(-bvals * (across[k] + (along[k] - across[k]) * cosine**2))
        signal[held] += fractions.volume[held, k, None] * decay
    return np.asarray(np.broadcast_to(s0, len(signal))[:, None] * signal, np.float32)


def add_rician(signal: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Return the magnitude of ``signal`` with noise of SD ``sigma`` in both channels."""
    first, second = rng.standard_normal((2, *signal.shape), dtype=np.float32) * np.float32(sigma)
    return np.asarray(np.hypot(signal + first, second), np.float32)


def noise_level(s0: np.ndarray, fractions: Fractions, snr: float) -> float:
    """Return the SD of noise for a signal-to-noise ratio of white matter without weighting.

    Parameters
    ----------
    s0
        (N,) signal without weighting.
    fractions
        What each voxel holds.
    snr
        Median of ``s0`` where more than 90 % is fibre, / SD of noise.

    Raises
    ------
    ValueError
        No voxel is that white.

    """
    white = fractions.volume[:, :5].sum(axis=1) > 0.9
    if not np.any(white):
        raise ValueError('no voxel holds more than 90 % white matter; use smaller voxels')
    return float(np.median(s0[white]) / snr)


def tensor_fa(signal: np.ndarray, bvals: np.ndarray, bvecs: np.ndarray) -> np.ndarray:
    """Return FA (N,) of a tensor fitted to signal (N, V) by weighted least squares."""
    from dipy.core.gradients import gradient_table as table
    from dipy.reconst.dti import TensorModel

    gtab = table(np.asarray(bvals, float), bvecs=np.asarray(bvecs, float), b0_threshold=0)
    return np.asarray(TensorModel(gtab, fit_method='WLS').fit(np.asarray(signal, float)).fa)


def planted_fa(
    visits: np.ndarray, fractions: Fractions, signal: np.ndarray, bvals: np.ndarray, bvecs: np.ndarray
) -> PlantedFA:
    """Return the FA that tractography of the planted tracts should find.

    Parameters
    ----------
    visits
        (2, X, Y, Z) share of the curves through each voxel, left and right.
    fractions
        What the N voxels hold.
    signal
        (N, V) without noise.
    bvals, bvecs
        (V,) s/mm2 and (V, 3).

    Notes
    -----
    sum P FA / sum P over voxels of which at least half is white matter and less than half belongs to a
    region, P the visitation, FA that of one tensor: where the tract is crossed it is lower than
    that of its fibres.  For both sides together P is the mean of the two.

    """
    weights = visits[:, fractions.mask]
    white = fractions.volume[:, :5].sum(axis=1) >= _WHITE_SHARE
    used = np.any(weights > 0, axis=0) & white & (fractions.region < 0.5)
    if not np.any(used):
        return PlantedFA(np.nan, np.nan, np.nan)
    weights, fa = weights[:, used], tensor_fa(signal[used], bvals, bvecs)
    left, right = weights @ fa / np.where(weights.sum(axis=1) > 0, weights.sum(axis=1), np.nan)
    return PlantedFA(float(left), float(right), float(weights.sum(axis=0) @ fa / weights.sum()))
