"""Sample volumes at points: grids, linear transforms and displacement fields, in RAS mm."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.floating]

_CHUNK = 2_000_000  # points per call: bounds the memory of coordinates to about 50 MB


def apply_linear(matrix: Array, points: Array) -> Array:
    """Map points by a 4 x 4 matrix.

    Parameters
    ----------
    matrix
        (4, 4) matrix in homogeneous coordinates.
    points
        (..., 3) points.

    Returns
    -------
    Array
        (..., 3) mapped points, float64.

    Notes
    -----
    :math:`x' = A x + b` with :math:`A` the upper left 3 x 3 block and :math:`b` the last column.

    Examples
    --------
    A matrix and its inverse undo each other:

    >>> matrix = np.array([[0, -2, 0, 5], [1, 0, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1.0]])
    >>> there = apply_linear(matrix, np.array([[1.0, 2, 3]]))
    >>> apply_linear(np.linalg.inv(matrix), there)
    array([[1., 2., 3.]])

    """
    matrix = np.asarray(matrix, dtype=float)
    return np.asarray(points, dtype=float) @ matrix[:3, :3].T + matrix[:3, 3]


def grid_points(shape: tuple[int, ...], affine: Array) -> Array:
    """Return the centres of all voxels of a grid.

    Parameters
    ----------
    shape
        Size of the grid in voxels (i, j, k).
    affine
        (4, 4) matrix from voxel to RAS mm.

    Returns
    -------
    Array
        (i * j * k, 3) points in RAS mm, last index fastest.

    Examples
    --------
    The order is that of ``ravel``:

    >>> grid_points((1, 1, 2), np.diag([2.0, 2, 2, 1]))
    array([[0., 0., 0.],
           [0., 0., 2.]])

    """
    indices = np.indices(shape[:3], dtype=float).reshape(3, -1).T
    return apply_linear(affine, indices)


def sample(volume: Array, affine: Array, points: Array, order: int = 1) -> Array:
    """Interpolate a volume at points; outside its grid the value is 0.

    Parameters
    ----------
    volume
        (i, j, k) or (i, j, k, n) values, any unit.
    affine
        (4, 4) matrix from voxel of ``volume`` to RAS mm.
    points
        (N, 3) points in RAS mm.
    order
        0 nearest neighbour, 1 linear, 3 cubic B-spline (may overshoot at edges).

    Returns
    -------
    Array
        (N,) or (N, n) float32 values.

    Raises
    ------
    ValueError
        If ``points`` is not (N, 3).

    Notes
    -----
    A point up to half a voxel beyond the outermost centres takes the outermost value, so that
    grids of different voxel size cover the same box.  With ``order`` 3 the values are those of
    the cubic spline through the voxels, whose coefficients are found once per volume [1]_.

    References
    ----------
    .. [1] Unser M. Splines: a perfect fit for signal and image processing. IEEE Signal Process
       Mag 1999;16:22-38.

    Examples
    --------
    Interpolation passes through the voxels:

    >>> volume = np.arange(8.0).reshape(2, 2, 2)
    >>> sample(volume, np.eye(4), np.array([[1.0, 0, 1], [0.5, 0.5, 0.5], [9, 9, 9]]))
    array([5. , 3.5, 0. ], dtype=float32)

    """
    points = np.asarray(points)
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f'points have the shape {points.shape}; (N, 3) is needed')
    channels = volume.reshape(*volume.shape[:3], -1)
    coefficients = [_coefficients(channels[..., c], order) for c in range(channels.shape[3])]
    to_voxel = np.linalg.inv(np.asarray(affine, dtype=float))
    sampled = np.zeros((len(points), len(coefficients)), dtype=np.float32)
    for start in range(0, len(points), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        at = apply_linear(to_voxel, points[chunk])
        inside = np.all((at >= -0.5) & (at <= np.array(volume.shape[:3]) - 0.5), axis=1)
        at = at[inside].T  # a scan covers a part of a template's grid: that part alone is interpolated
        for channel, values in enumerate(coefficients):
            sampled[chunk, channel][inside] = ndimage.map_coordinates(
                values, at, output=np.float32, order=order, mode='nearest', prefilter=False
            )
    return sampled[:, 0] if volume.ndim == 3 else sampled


def _coefficients(volume: Array, order: int) -> Array:
    if volume.dtype not in (np.float32, np.float64):
        volume = volume.astype(np.float32)
    # 'mirror' is the boundary for which the spline passes through the edge voxels as well
    return ndimage.spline_filter(volume, order, output=np.float32, mode='mirror') if order > 1 else volume


def apply_field(field: Array, field_affine: Array, points: Array) -> Array:
    """Map points by a displacement field.

    Parameters
    ----------
    field
        (i, j, k, 3) displacement in RAS mm.
    field_affine
        (4, 4) matrix from voxel of ``field`` to RAS mm.
    points
        (N, 3) points in RAS mm.

    Returns
    -------
    Array
        (N, 3) mapped points in RAS mm.

    Notes
    -----
    :math:`x' = x + d(x)` with :math:`d` linear between voxels.  Beyond the grid the displacement
    of the nearest voxel holds: a field that contains an affine part stays plausible there.

    Examples
    --------
    >>> field = np.full((2, 2, 2, 3), [1.0, 0.0, -2.0])
    >>> apply_field(field, np.eye(4), np.array([[0.5, 0.5, 0.5], [7, 0, 0]]))
    array([[ 1.5,  0.5, -1.5],
           [ 8. ,  0. , -2. ]])

    """
    points = np.asarray(points, dtype=float)
    to_voxel = np.linalg.inv(np.asarray(field_affine, dtype=float))
    mapped = points.copy()
    for start in range(0, len(points), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        at = apply_linear(to_voxel, points[chunk]).T
        for axis in range(3):
            mapped[chunk, axis] += ndimage.map_coordinates(field[..., axis], at, order=1, mode='nearest')
    return mapped


def resample(
    volume: Array,
    affine: Array,
    shape: tuple[int, ...],
    target_affine: Array,
    *,
    linear: Array | None = None,
    field: tuple[Array, Array] | None = None,
    order: int = 1,
) -> Array:
    """Resample a volume onto a grid through one interpolation.

    Parameters
    ----------
    volume
        (i, j, k) or (i, j, k, n) values, any unit.
    affine
        (4, 4) matrix from voxel of ``volume`` to RAS mm.
    shape
        Size of the target grid in voxels.
    target_affine
        (4, 4) matrix from voxel of the target grid to RAS mm.
    linear
        (4, 4) matrix that maps points of the target (after ``field``, if given) to points of
        ``volume``; none means identity.
    field
        Displacement field (i, j, k, 3) and its (4, 4) affine, applied to the target's points first.
    order
        0 nearest neighbour, 1 linear, 3 cubic B-spline.

    Returns
    -------
    Array
        ``shape`` (+ channels) float32 values; 0 where the target lies outside ``volume``.

    Notes
    -----
    The pull convention: :math:`w(x) = v(L(x + d(x)))` for every voxel centre :math:`x` of the
    target.

    Examples
    --------
    A shift by one voxel, read from the right:

    >>> volume = np.array([1.0, 2, 3]).reshape(3, 1, 1)
    >>> shift = np.eye(4)
    >>> shift[0, 3] = 1
    >>> resample(volume, np.eye(4), (3, 1, 1), np.eye(4), linear=shift).ravel()
    array([2., 3., 0.], dtype=float32)

    """
    points = grid_points(shape, target_affine)
    if field is not None:
        points = apply_field(field[0], field[1], points)
    if linear is not None:
        points = apply_linear(linear, points)
    return sample(volume, affine, points, order).reshape(*shape[:3], *volume.shape[3:])


def voxel_sizes(affine: Array) -> Array:
    """Return the edge lengths (3,) in mm of the voxels of a grid."""
    return np.linalg.norm(np.asarray(affine)[:3, :3], axis=0)


def covering_grid(shape: tuple[int, ...], affine: Array, voxel: float) -> tuple[tuple[int, ...], Array]:
    """Return shape and affine of a grid of about ``voxel`` mm over the same box.

    Examples
    --------
    Voxels are merged, never split, and the box stays covered:

    >>> shape, affine = covering_grid((10, 10, 3), np.diag([1.0, 1, 4, 1]), 2.0)
    >>> shape, affine[:3, 3]
    ((5, 5, 3), array([0.5, 0.5, 0. ]))

    """
    factors = np.maximum(1, np.round(voxel / voxel_sizes(affine))).astype(int)
    coarse = np.asarray(affine, dtype=float) @ np.diag([*factors, 1.0])
    coarse[:3, 3] = apply_linear(affine, (factors - 1) / 2)
    return tuple(int(n) for n in -(-np.array(shape[:3]) // factors)), coarse


def coarsen(volume: Array, affine: Array, voxel: float) -> tuple[Array, Array]:
    """Blur and resample a volume to voxels of about ``voxel`` mm; finer volumes only.

    Parameters
    ----------
    volume
        (i, j, k) values.
    affine
        (4, 4) matrix from voxel to RAS mm.
    voxel
        Wanted edge length in mm.

    Returns
    -------
    tuple
        The volume and its affine.

    Notes
    -----
    A Gaussian of 0.4 of the new voxel (FWHM just below it) precedes the sampling.

    Examples
    --------
    >>> volume, affine = coarsen(np.ones((8, 8, 8)), np.eye(4), 2.0)
    >>> volume.shape, bool(np.allclose(volume, 1))
    ((4, 4, 4), True)

    """
    sizes = voxel_sizes(affine)
    shape, coarse = covering_grid(volume.shape, affine, voxel)
    sigma = np.where(voxel_sizes(coarse) > 1.4 * sizes, 0.4 * voxel_sizes(coarse) / sizes, 0)
    blurred = ndimage.gaussian_filter(np.asarray(volume, dtype=np.float32), sigma, mode='nearest')
    return resample(blurred, affine, shape, coarse), coarse
