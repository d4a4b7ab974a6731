"""Average several images of one head half-way between them, so that none is privileged."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.linalg import expm, logm

from .extract import MIN_SCORE, at_nearest, bias_field, coarse_field
from .motion import realign
from .outline import dilate
from .place import place_template
from .register import register_rigid
from .resample import apply_linear, coarsen, grid_points, resample, voxel_sizes

Array = NDArray[Any]
Image = tuple[Array, Array]
"""A volume (i, j, k) and its (4, 4) matrix from voxel to RAS mm."""

_CENTRE = np.array([0.0, -18.0, 8.0])  # of the brain, in the template


class Aligned(NamedTuple):
    """Images of one head brought together.

    Attributes
    ----------
    matrices
        For each image (4, 4), points of the reference to points of the image.
    fields
        For each image its bias field on a coarse grid and the affine of that, scaled so that white
        and grey matter have the same median in all images once divided by it.

    """

    matrices: list[Array]
    fields: list[Image]


def rigid_part(matrix: Array, point: Array) -> Array:
    """Return the rigid transform nearest to an affine that moves ``point`` alike.

    Examples
    --------
    Scales drop out:

    >>> rigid_part(np.diag([2.0, 3, 4, 1]), np.array([1.0, 0, 0])).astype(int)
    array([[1, 0, 0, 1],
           [0, 1, 0, 0],
           [0, 0, 1, 0],
           [0, 0, 0, 1]])

    """
    u, _, v = np.linalg.svd(matrix[:3, :3])
    rigid = np.eye(4)
    rigid[:3, :3] = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ v))]) @ v
    rigid[:3, 3] = apply_linear(matrix, point) - rigid[:3, :3] @ point
    return rigid


def half_way(matrices: Sequence[Array]) -> list[Array]:
    r"""Return transforms that start at the mean of all images instead of at one of them.

    Parameters
    ----------
    matrices
        (4, 4) rigid, points of one image to points of each image.

    Returns
    -------
    list
        The same from points of the mean position: :math:`X_i = M_i H` with
        :math:`\sum_i \log X_i = 0`.

    Examples
    --------
    >>> shift = np.eye(4)
    >>> shift[0, 3] = 4
    >>> [float(matrix[0, 3].round(6)) for matrix in half_way([np.eye(4), shift])]
    [-2.0, 2.0]

    """
    centre = np.eye(4)
    for _ in range(20):
        step = np.mean([np.real(logm(matrix @ centre)) for matrix in matrices], axis=0)
        centre = centre @ expm(-step)
        if np.abs(step).max() < 1e-10:
            break
    halves = np.array([matrix @ centre for matrix in matrices])
    halves[:, 3] = 0, 0, 0, 1  # the exponential rounds it, and images refuse such a matrix
    return list(halves)


def align_heads(heads: Sequence[Image], template: Image, *, voxel: float = 2.0, rng_seed: int) -> Aligned:
    """Register images of one head rigidly to each other.

    Parameters
    ----------
    heads
        T1-weighted images.
    template
        Brain without a head: where it fits in each image starts the registration and tells where
        the bias field is estimated.
    voxel
        Size in mm at which the images are compared.
    rng_seed
        Seed of the metric's sampling, not 0.

    Returns
    -------
    Aligned
        Transforms from a reference half-way between all images, and bias fields.

    Raises
    ------
    ValueError
        If an image shows no head.

    """
    coarse = [coarsen(*head, voxel) for head in heads]
    placements, shadows, fields = [], [], []
    for number, (head, small) in enumerate(zip(heads, coarse), start=1):
        placed = place_template(*head, *template)
        if placed.score < MIN_SCORE:
            raise ValueError(f'image {number} shows no T1-weighted head (score {placed.score:.2f})')
        placements.append(placed.matrix)
        shadows.append(_shadow(template, placed.matrix, small))
        fields.append(_scaled_field(small, shadows[-1]))
    evened = [small[0] / at_nearest(*f, small[0].shape, small[1]) for small, f in zip(coarse, fields)]
    centre = apply_linear(placements[0], _CENTRE)
    around = dilate(shadows[0], 10, voxel_sizes(coarse[0][1]))
    fixed = evened[0], coarse[0][1]
    matrices = [np.eye(4)]
    for moving, small, place in zip(evened[1:], coarse[1:], placements[1:]):
        start = rigid_part(place @ np.linalg.inv(placements[0]), centre)
        matrices.append(_register(fixed, (moving, small[1]), around, start, rng_seed))
    return Aligned(half_way(matrices), fields)


def align_brains(
    heads: Sequence[Image], brains: Sequence[NDArray[np.bool_]], *, voxel: float = 2.0, rng_seed: int
) -> list[Array]:
    """Register images of one head whose brains are known, and that lie nearly alike, to each other.

    Parameters
    ----------
    heads
        T1-weighted images without bias; each is scaled by its median in the brain.
    brains
        Mask of the brain in each.
    voxel
        Size in mm at which the images are compared.
    rng_seed
        Seed of the metric's sampling, not 0.

    Returns
    -------
    list
        For each image (4, 4), points of a space half-way between all to points of the image.

    Raises
    ------
    ValueError
        A mask is empty.

    """
    if not all(brain.any() for brain in brains):
        raise ValueError('a brain mask is empty')
    # least squares find a small change of brightness only
    even = [(volume / np.median(volume[brain]), affine) for (volume, affine), brain in zip(heads, brains)]
    coarse = [coarsen(*head, voxel) for head in even]
    fixed = coarse[0]
    inner = resample(brains[0].astype(np.float32), heads[0][1], fixed[0].shape, fixed[1]) > 0.5
    around = dilate(inner, 10, voxel_sizes(fixed[1]))
    others = [_register(fixed, moving, around, np.eye(4), rng_seed) for moving in coarse[1:]]
    return half_way([np.eye(4), *others])


def _register(fixed: Image, moving: Image, mask: NDArray[np.bool_], start: Array, rng_seed: int) -> Array:
    """Return the rigid transform between two images: mutual information, then Gauss-Newton."""
    found = register_rigid(*fixed, *moving, fixed_mask=mask, initial=start, rng_seed=rng_seed)
    # the same contrast in both: least squares are the sharper criterion once they are close
    moved = resample(*moving, fixed[0].shape, fixed[1], linear=found)
    return found @ realign([moved], fixed[0], fixed[1], mask)[0]


def _shadow(template: Image, matrix: Array, image: Image) -> NDArray[np.bool_]:
    volume, affine = coarsen(*template, 2.0)
    solid = ndimage.binary_fill_holes(volume > 0.02 * volume.max()).astype(np.float32)
    return resample(solid, affine, image[0].shape, image[1], linear=np.linalg.inv(matrix)) > 0.5


def _scaled_field(image: Image, mask: NDArray[np.bool_]) -> Image:
    """Return the coarse bias field of an image, scaled so that the median in the mask becomes 1000."""
    volume, affine = image
    field = bias_field(volume, affine, mask)
    field *= np.median(volume[mask] / field[mask]) / 1000
    return coarse_field(field, affine)


def average_heads(heads: Sequence[Image], aligned: Aligned) -> Image:
    """Return the mean of images brought together, on a grid along RAS around all of them.

    Parameters
    ----------
    heads
        T1-weighted images.
    aligned
        What :func:`align_heads` found.

    Returns
    -------
    tuple
        Mean, and its affine; voxels are cubes with the edge of the finest image.

    Notes
    -----
    Every image, the first one included, is interpolated once (cubic B-spline), so that none is
    sharper than the others.  A voxel is the mean of the images whose field of view holds it.

    """
    shape, affine = _common_grid(heads, aligned.matrices)
    total, count = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for (volume, grid), matrix, field in zip(heads, aligned.matrices, aligned.fields):
        even = np.clip(volume, 0, None) / at_nearest(*field, volume.shape, grid)
        to_voxel = np.linalg.inv(grid) @ matrix @ affine
        # as two parts: a last row that rounding has touched would be refused
        place: dict[str, Any] = {'matrix': to_voxel[:3, :3], 'offset': to_voxel[:3, 3], 'output_shape': shape}
        total += np.clip(ndimage.affine_transform(even, order=3, **place), 0, None)
        count += ndimage.affine_transform(np.ones_like(even), order=0, **place)
    return total / np.maximum(count, 1), affine


def _common_grid(heads: Sequence[Image], matrices: Sequence[Array]) -> tuple[tuple[int, ...], Array]:
    corners = []
    for (volume, grid), matrix in zip(heads, matrices):
        ends = grid_points((2, 2, 2), np.eye(4)) * (np.array(volume.shape) - 1)
        corners.append(apply_linear(np.linalg.inv(matrix) @ grid, ends))
    low, high = np.concatenate(corners).min(axis=0), np.concatenate(corners).max(axis=0)
    voxel = min(float(np.mean(voxel_sizes(grid))) for _, grid in heads)
    affine = np.diag([voxel, voxel, voxel, 1.0])
    affine[:3, 3] = low
    return tuple(int(n) for n in np.ceil((high - low) / voxel) + 1), affine
