"""Estimate head motion: rigid realignment of volumes to a reference, and its summaries."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from .resample import apply_linear, voxel_sizes

Array = NDArray[Any]

_LEVELS = ((10.0, 8000), (5.0, 40000))  # FWHM in mm, at most this many points
_STEPS = 30
_CONVERGED = 2e-3  # mm of displacement at 50 mm from the centre
_HEAD_RADIUS = 50.0  # mm, Power 2012
_BALL_RADIUS = 80.0  # mm, Jenkinson 1999


class _Level(NamedTuple):
    """What the reference contributes at one smoothness: points, values and derivatives."""

    fwhm: float
    points: Array
    values: Array
    jacobian: Array


def realign(
    volumes: Iterable[Array],
    reference: Array,
    affine: Array,
    mask: Array,
    *,
    start: Array | None = None,
    sloppy: bool = False,
) -> Array:
    r"""Find the rigid motion of volumes with respect to a reference of the same grid.

    Parameters
    ----------
    volumes
        (i, j, k) intensities, in the order of time; each starts where the one before ended.
    reference
        (i, j, k) intensities.
    affine
        (4, 4) matrix from voxel to RAS mm, common to all.
    mask
        (i, j, k) voxels of the head that are compared.
    start
        (4, 4) start of the first volume; identity by default.
    sloppy
        Only the smoother of the two resolutions.

    Returns
    -------
    Array
        (T, 4, 4) matrices with ``points_volume = matrix @ points_reference``, RAS mm.

    Raises
    ------
    ValueError
        If the mask is empty or the volumes have another shape.

    Notes
    -----
    Gauss-Newton on :math:`\sum_x (v(M x) - (1 + g) r(x))^2` with the inverse compositional
    update [1]_: the derivatives are those of the smoothed reference :math:`r`, so they are found
    once; with the step :math:`\delta = (J^T J)^{-1} J^T e`, :math:`M \leftarrow M D(\delta)^{-1}`.
    The gain :math:`g` absorbs a change of brightness.  Volumes are cubic splines.

    References
    ----------
    .. [1] Baker S, Matthews I. Lucas-Kanade 20 years on: a unifying framework. Int J Comput
       Vis 2004;56:221-55.

    Examples
    --------
    The reference itself did not move:

    >>> head = np.random.default_rng(1).random((9, 9, 9))
    >>> moved = realign([head], head, np.diag([3.0, 3, 3, 1]), np.ones_like(head))
    >>> bool(np.allclose(moved[0], np.eye(4), atol=1e-6))
    True

    """
    if not np.any(mask):
        raise ValueError('the mask of the head is empty')
    centre = head_centre(mask, affine)
    wanted = _LEVELS[:1] if sloppy else _LEVELS
    levels = [_level(reference, affine, mask, centre, *level) for level in wanted]
    matrix = np.eye(4) if start is None else np.array(start, dtype=float)
    found = []
    for volume in volumes:
        if volume.shape != reference.shape:
            raise ValueError(f'a volume has the shape {volume.shape}, the reference {reference.shape}')
        for level in levels:
            matrix = _descend(volume, affine, level, centre, matrix)
        found.append(matrix)
    return np.array(found).reshape(-1, 4, 4)


def head_centre(mask: NDArray, affine: Array) -> Array:
    """Return the centre of mass (3,) of a mask in RAS mm."""
    return apply_linear(affine, np.argwhere(np.asarray(mask) > 0).mean(axis=0, dtype=float))


def _smooth(volume: Array, affine: Array, fwhm: float) -> Array:
    sigma = fwhm / np.sqrt(8 * np.log(2)) / voxel_sizes(affine)
    return ndimage.gaussian_filter(np.asarray(volume, dtype=np.float32), sigma, mode='nearest')


def _level(reference: Array, affine: Array, mask: Array, centre: Array, fwhm: float, limit: int) -> _Level:
    smooth = _smooth(reference, affine, fwhm)
    voxels = np.argwhere(np.asarray(mask) > 0).astype(float)
    voxels = voxels[:: -(-len(voxels) // limit)]
    where = tuple(voxels.T.astype(int))
    points = apply_linear(affine, voxels)
    coefficients = ndimage.spline_filter(smooth, output=np.float32, mode='mirror')
    # derivatives of the spline itself, along RAS, by differences over a tenth of a mm
    to_voxel = np.linalg.inv(affine)
    gradient = np.empty((len(points), 3))
    for axis in range(3):
        shift = np.eye(3)[axis] * 0.05
        ends = [_at(coefficients, apply_linear(to_voxel, points + sign * shift)) for sign in (1, -1)]
        gradient[:, axis] = (ends[0] - ends[1]) / 0.1
    values = smooth[where].astype(float)
    jacobian = np.column_stack([gradient, np.cross(points - centre, gradient), values])
    return _Level(fwhm, points, values, jacobian)


def _at(coefficients: Array, voxels: Array) -> Array:
    return ndimage.map_coordinates(
        coefficients, voxels.T, output=np.float64, order=3, mode='mirror', prefilter=False
    )


def _descend(volume: Array, affine: Array, level: _Level, centre: Array, matrix: Array) -> Array:
    smooth = _smooth(volume, affine, level.fwhm)
    coefficients = ndimage.spline_filter(smooth, output=np.float32, mode='mirror')
    to_voxel = np.linalg.inv(affine)
    limit = np.array(volume.shape) - 1
    for _ in range(_STEPS):
        voxels = apply_linear(to_voxel @ matrix, level.points)
        inside = np.all((voxels >= 0) & (voxels <= limit), axis=1)
        jacobian = level.jacobian[inside]
        error = _at(coefficients, voxels[inside]) - level.values[inside]
        step = np.linalg.lstsq(jacobian.T @ jacobian, jacobian.T @ error, rcond=1e-12)[0]
        matrix = matrix @ np.linalg.inv(rigid_matrix(step[:6], centre))
        if np.linalg.norm(step[:3]) + _HEAD_RADIUS * np.linalg.norm(step[3:6]) < _CONVERGED:
            break
    return matrix


def rigid_matrix(parameters: Array, centre: Array) -> Array:
    """Return the (4, 4) matrix of six motion parameters.

    Parameters
    ----------
    parameters
        (6,) translation x, y, z in mm, then rotation about x, y, z in rad.
    centre
        (3,) centre of the rotation, RAS mm.

    Returns
    -------
    Array
        (4, 4) matrix.

    Notes
    -----
    :math:`M x = R_x R_y R_z (x - c) + c + t`.

    Examples
    --------
    It undoes :func:`motion_parameters`:

    >>> motion = np.array([0.1, -0.2, 0.3, 0.01, -0.02, 0.03])
    >>> matrix = rigid_matrix(motion, np.array([1.0, 2, 3]))
    >>> bool(np.allclose(motion_parameters(matrix[None], np.array([1.0, 2, 3]))[0], motion))
    True

    """
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler('XYZ', parameters[3:6]).as_matrix()
    matrix[:3, 3] = parameters[:3] + centre - matrix[:3, :3] @ centre
    return matrix


def motion_parameters(matrices: Array, centre: Array) -> Array:
    """Return translations and rotations of rigid matrices.

    Parameters
    ----------
    matrices
        (T, 4, 4) matrices from points of the reference to points of each volume, RAS mm.
    centre
        (3,) centre of the rotation, RAS mm.

    Returns
    -------
    Array
        (T, 6) ``trans_x trans_y trans_z`` in mm and ``rot_x rot_y rot_z`` in rad: how the head lay
        in each volume, seen from the reference.

    Notes
    -----
    The inverse of :func:`rigid_matrix`.

    """
    rotations = matrices[:, :3, :3]
    angles = Rotation.from_matrix(rotations).as_euler('XYZ')
    shifts = matrices[:, :3, 3] - centre + rotations @ centre
    return np.hstack([shifts, angles])


def framewise_displacement(parameters: Array, radius: float = _HEAD_RADIUS) -> Array:
    r"""Return the displacement of the head from one volume to the next.

    Parameters
    ----------
    parameters
        (T, 6) translations in mm, rotations in rad.
    radius
        Of the sphere on which rotations become arcs, mm.

    Returns
    -------
    Array
        (T,) mm; the first one is NaN.

    Notes
    -----
    :math:`FD_t = \sum |\Delta d| + r \sum |\Delta \alpha|` [1]_.

    References
    ----------
    .. [1] Power JD, et al. Spurious but systematic correlations in functional connectivity MRI
       networks arise from subject motion. Neuroimage 2012;59:2142-54.

    Examples
    --------
    One mm, then one hundredth of a radian:

    >>> framewise_displacement(np.array([[0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0.01, 0]]))
    array([nan, 1. , 0.5])

    """
    steps = np.abs(np.diff(parameters, axis=0))
    return np.concatenate([[np.nan], steps[:, :3].sum(axis=1) + radius * steps[:, 3:].sum(axis=1)])


def rms_displacement(matrices: Array, centre: Array, radius: float = _BALL_RADIUS) -> Array:
    r"""Return the root mean square displacement in a ball from one volume to the next.

    Parameters
    ----------
    matrices
        (T, 4, 4) matrices from points of the reference to points of each volume.
    centre
        (3,) centre of the ball, RAS mm.
    radius
        Of the ball, mm.

    Returns
    -------
    Array
        (T,) mm; the first one is NaN.

    Notes
    -----
    :math:`\sqrt{r^2 \mathrm{tr}(A^T A) / 5 + |t + A c|^2}` where :math:`[A\ t]` is the relative
    matrix less the identity [1]_.

    References
    ----------
    .. [1] Jenkinson M. Measuring transformation error by RMS deviation. FMRIB technical report
       TR99MJ1, 1999.

    Examples
    --------
    A pure shift displaces every point alike:

    >>> shift = np.eye(4)
    >>> shift[:3, 3] = 3, 0, 4
    >>> rms_displacement(np.array([np.eye(4), shift]), np.zeros(3))
    array([nan,  5.])

    """
    relative = matrices[1:] @ np.linalg.inv(matrices[:-1]) - np.eye(4)
    rotation = relative[:, :3, :3]
    shift = relative[:, :3, 3] + rotation @ centre
    squares = radius**2 / 5 * (rotation**2).sum(axis=(1, 2)) + (shift**2).sum(axis=1)
    return np.concatenate([[np.nan], np.sqrt(squares)])
