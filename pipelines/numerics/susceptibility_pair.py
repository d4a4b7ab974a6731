"""Solver of the displacement between two EPI of opposite phase encoding, for :mod:`.susceptibility`.

Arrays of a problem have the phase-encoding axis last, so that a line lies together in memory.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse.linalg import LinearOperator, cg

from .resample import coarsen, resample, voxel_sizes

Array = NDArray[Any]

_BARRIER = 0.2  # of the weight of the penalty: keeps the Jacobian above 0
_STEPS, _INNER = 12, 30
_STEEPEST = 0.95  # voxels per voxel


class _Problem(NamedTuple):
    """One resolution, the phase-encoding axis last.

    Attributes
    ----------
    forward, backward
        (A, B, N) cubic spline coefficients along the last axis.
    weights
        (A, B, N) weights of the difference.
    stiffness
        (3,) weights of the squared differences of neighbours along each axis.
    mirrored
        1: the second image is displaced by -u; 0: it is the true one.

    """

    forward: Array
    backward: Array
    weights: Array
    stiffness: Array
    mirrored: float


def solve_levels(
    images: tuple[Array, Array, Array],
    affine: Array,
    axis: int,
    *,
    levels: Sequence[float],
    smoothness: float,
    mirrored: float = 1.0,
) -> Array:
    """Return the displacement (X, Y, Z) float32, voxels along +axis, from coarse to fine.

    Parameters
    ----------
    images
        (X, Y, Z) intensities of polarity 1 and -1 with a common scale of about 1, and weights of
        their difference.
    affine
        (4, 4) matrix from voxel to RAS mm.
    axis
        Phase-encoding axis.
    levels
        Size of the voxels in mm, coarse to fine.
    smoothness
        Weight of the penalty.
    mirrored
        1: the second image is displaced by -u; 0: it is the true one.

    Raises
    ------
    ValueError
        If there is no level.

    """
    found: tuple[Array, Array] | None = None
    for voxel in levels:
        problem, grid = _make_level(images, affine, voxel, axis, smoothness)
        problem = problem._replace(mirrored=mirrored)
        if found is not None and np.allclose(found[1], grid):
            continue
        start = np.zeros(np.moveaxis(problem.forward, -1, axis).shape, np.float32)
        if found is not None:
            start = carry(*found, start.shape, grid, axis)
        found = np.moveaxis(_descend(problem, np.moveaxis(start, axis, -1)), -1, axis), grid
    if found is None:
        raise ValueError('at least one level is needed')
    return carry(*found, images[0].shape, affine, axis)


def _make_level(
    images: tuple[Array, Array, Array], affine: Array, voxel: float, axis: int, smoothness: float
) -> tuple[_Problem, Array]:
    """Return the problem at ``voxel`` mm and its affine."""
    (first, grid), (second, _), (weights, _) = (coarsen(image, affine, voxel) for image in images)
    splines = [
        ndimage.spline_filter1d(np.moveaxis(image, axis, -1), 3, axis=-1, output=np.float32, mode='mirror')
        for image in (first, second)
    ]
    sizes = voxel_sizes(grid)
    order = [k for k in range(3) if k != axis] + [axis]
    stiffness = (smoothness * (sizes[axis] / sizes[order]) ** 2).astype(np.float32)
    lines = np.ascontiguousarray(np.moveaxis(weights, axis, -1))
    return _Problem(splines[0], splines[1], lines, stiffness, 1.0), grid


def carry(u: Array, grid: Array, shape: tuple[int, ...], target: Array, axis: int) -> Array:
    """Interpolate a displacement to another grid over the same box, in voxels of the latter."""
    ratio = voxel_sizes(grid)[axis] / voxel_sizes(target)[axis]
    # a margin of repeated values: resample gives 0 beyond the outermost centres
    padded, start = np.pad(u, 2, mode='edge'), np.array(grid, dtype=float)
    start[:3, 3] -= 2 * grid[:3, :3].sum(axis=1)
    carried = (resample(padded, start, shape, target) * ratio).astype(np.float32)
    # between voxels a line can be steeper than the central differences on either side
    while np.abs(np.diff(carried, axis=axis)).max(initial=0) > _STEEPEST:
        carried = ndimage.gaussian_filter1d(carried, 0.7, axis=axis, mode='nearest')
    return carried


def _descend(problem: _Problem, u: Array) -> Array:
    """Take Gauss-Newton steps until the energy falls by less than 0.1 %."""
    energy, gradient, curvature, diagonal = _linearise(problem, u)
    for _ in range(_STEPS):
        n = u.size
        apply = LinearOperator((n, n), matvec=curvature, dtype=np.float32)
        scaled = LinearOperator((n, n), matvec=lambda v, d=diagonal: v.ravel() / d, dtype=np.float32)
        step, _ = cg(apply, -gradient, rtol=0.05, maxiter=_INNER, M=scaled)
        step, size = step.reshape(u.shape), 1.0
        while size > 0.02 and not _energy(problem, u + np.float32(size) * step)[0] < energy:
            size /= 2
        if size <= 0.02:
            break
        u = u + np.float32(size) * step
        before = energy
        energy, gradient, curvature, diagonal = _linearise(problem, u)
        if before - energy < 1e-3 * before:
            break
    return u


def _energy(problem: _Problem, u: Array) -> tuple[float, tuple[Array, ...]]:
    """Return the energy (infinite where the image folds) and what its derivatives need."""
    slope = _difference(u)
    if np.abs(slope).max() >= 1:
        return np.inf, ()
    f, df = interpolate(problem.forward, u)
    m = np.float32(problem.mirrored)
    b, db = interpolate(problem.backward, -m * u)
    residual = problem.weights * (f * (1 + slope) - b * (1 - m * slope))
    rough = sum(
        float(k) * float(np.square(np.diff(u, axis=d)).sum(dtype=float))
        for d, k in enumerate(problem.stiffness)
    )
    fold = _BARRIER * problem.stiffness[-1] * (slope**4 / (1 - slope**2)).sum(dtype=float)
    total = 0.5 * np.square(residual).sum(dtype=float) + 0.5 * rough + fold
    return float(total), (slope, residual, f, df, b, db)


def _linearise(problem: _Problem, u: Array) -> tuple[float, Array, Callable[[Array], Array], Array]:
    """Return energy, gradient, Gauss-Newton matrix as a function and its diagonal."""
    energy, (s, residual, f, df, b, db) = _energy(problem, u)
    # the residual changes by local * du + moved * du'
    m = np.float32(problem.mirrored)
    local = problem.weights * (df * (1 + s) + m * db * (1 - m * s))
    moved = problem.weights * (f + m * b)
    weight = np.float32(_BARRIER) * problem.stiffness[-1]
    push = weight * (4 * s**3 - 2 * s**5) / (1 - s**2) ** 2
    bend = weight * (12 * s**2 - 6 * s**4 + 2 * s**6) / (1 - s**2) ** 3
    gradient = local * residual + _adjoint(moved * residual + push) + _laplacian(u, problem.stiffness)

    def curvature(vector: Array) -> Array:
        v = vector.reshape(u.shape)
        dv = _difference(v)
        change = local * v + moved * dv
        return (
            local * change + _adjoint(moved * change + bend * dv) + _laplacian(v, problem.stiffness)
        ).ravel()

    square = 0.25 * (moved**2 + bend)
    # inside the grid every voxel has two neighbours along each axis
    diagonal = local**2 + 2 * problem.stiffness.sum()
    diagonal[..., 1:] += square[..., :-1]
    diagonal[..., :-1] += square[..., 1:]
    return energy, gradient.ravel(), curvature, diagonal.ravel()


def _difference(u: Array) -> Array:
    """Slope along the last axis by central differences, the ends repeated."""
    slope = np.empty_like(u)
    slope[..., 1:-1] = u[..., 2:] - u[..., :-2]
    slope[..., 0], slope[..., -1] = u[..., 1] - u[..., 0], u[..., -1] - u[..., -2]
    slope *= 0.5
    return slope


def _adjoint(v: Array) -> Array:
    """Transpose of :func:`_difference`."""
    out = np.empty_like(v)
    out[..., 1:-1] = v[..., :-2] - v[..., 2:]
    out[..., 0], out[..., -1] = -v[..., 0] - v[..., 1], v[..., -2] + v[..., -1]
    out *= 0.5
    return out


def _laplacian(u: Array, stiffness: Array) -> Array:
    """Derivative of half the weighted sum of squared differences of neighbours."""
    out = np.zeros_like(u)
    for axis, weight in enumerate(stiffness):
        step = np.diff(np.moveaxis(u, axis, 0), axis=0) * weight
        view = np.moveaxis(out, axis, 0)
        view[:-1] -= step
        view[1:] += step
    return out


def interpolate(spline: Array, shift: Array) -> tuple[Array, Array]:
    """Return values and slopes at ``x + shift`` along the last axis, from cubic coefficients."""
    n = spline.shape[-1]
    at = np.clip(np.arange(n, dtype=np.float32) + shift, 0, n - 1)
    base = np.minimum(at.astype(np.int32), n - 2)
    t = at - base
    rows = np.arange(spline.size // n).reshape(*spline.shape[:-1], 1) * (n + 2)
    # one coefficient more on either side, by the mirror of the filter
    flat = np.concatenate([spline[..., 1:2], spline, spline[..., -2:-1]], axis=-1).ravel()
    first = rows + base
    c0, c1, c2, c3 = (flat[first + k] for k in range(4))
    s = 1 - t
    value = (s**3 * c0 + (4 - 6 * t**2 + 3 * t**3) * c1 + (4 - 6 * s**2 + 3 * s**3) * c2 + t**3 * c3) / 6
    slope = (t * (3 * t - 4) * c1 - s * (3 * s - 4) * c2 + t**2 * c3 - s**2 * c0) / 2
    return value, slope
