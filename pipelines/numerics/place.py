"""Place a template brain in a T1-weighted head."""

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from .register import bias_correct
from .resample import apply_linear, coarsen, grid_points, resample, sample, voxel_sizes

Array = NDArray[Any]

SCALP = 7.0
"""Nothing closer than this (mm) to the surface of the head is brain."""

_UNIT = 60.0  # mm and degrees per unit of the optimiser's parameters, so that all have one scale


class Placement(NamedTuple):
    """Where a template brain lies in a head.

    Attributes
    ----------
    matrix
        (4, 4) points of the template (RAS mm) to points of the head.
    score
        Correlation of local contrast minus the share of the brain that sticks out of the skull;
        about 0.7 to 0.8 in a T1-weighted head, below 0.4 where there is none.

    """

    matrix: Array
    score: float


def largest_component(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest set of face-connected voxels.

    Raises
    ------
    ValueError
        If the mask is empty.

    Examples
    --------
    >>> largest_component(np.array([True, False, True, True]))
    array([False, False,  True,  True])

    """
    labels, count = ndimage.label(mask)
    if count == 0:
        raise ValueError('the mask is empty')
    return labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])


def head_depth(volume: Array, affine: Array) -> Array:
    """Return for each voxel of a head its distance in mm to the air.

    Parameters
    ----------
    volume
        (i, j, k) intensities of a head; voxels of about 4 mm suffice.
    affine
        (4, 4) matrix from voxel to RAS mm.

    Returns
    -------
    Array
        (i, j, k) distance in mm, 0 in the air.

    """
    head = volume > 0.2 * volume[volume > volume.mean()].mean()
    head = largest_component(ndimage.binary_opening(head))
    margin = 8
    head = ndimage.binary_closing(np.pad(head, margin), iterations=5)
    head = head[(slice(margin, -margin),) * 3]
    for axis in range(3):  # slice by slice: the sinuses are open to the air in three dimensions
        for section in np.moveaxis(head, axis, 0):
            section[...] = ndimage.binary_fill_holes(section)
    return ndimage.distance_transform_edt(head, sampling=voxel_sizes(affine)).astype(np.float32)


def local_contrast(volume: Array, affine: Array, sigma: float = 12.0) -> Array:
    r"""Return the deviation from the local mean in units of the local standard deviation.

    Parameters
    ----------
    volume
        (i, j, k) intensities.
    affine
        (4, 4) matrix from voxel to RAS mm.
    sigma
        Standard deviation in mm of the Gaussian neighbourhood.

    Notes
    -----
    :math:`c = (v - G v) / (\sqrt{G v^2 - (G v)^2} + 0.05 v_{99})`: a smooth coil profile drops
    out of numerator and denominator alike.

    Examples
    --------
    Scaling an image leaves its local contrast:

    >>> volume = np.random.default_rng(0).random((12, 12, 12))
    >>> a = local_contrast(volume, np.diag([4.0, 4, 4, 1]))
    >>> bool(np.allclose(a, local_contrast(7 * volume, np.diag([4.0, 4, 4, 1]))))
    True

    """
    width = sigma / voxel_sizes(affine)
    mean = ndimage.gaussian_filter(volume, width)
    variance = ndimage.gaussian_filter(np.square(volume), width) - np.square(mean)
    floor = 0.05 * np.percentile(volume, 99)
    return ((volume - mean) / (np.sqrt(np.clip(variance, 0, None)) + floor)).astype(np.float32)


def place_template(head: Array, affine: Array, template: Array, template_affine: Array) -> Placement:
    """Place a brain-only template in a head that may have a neck, a tilt and no face.

    Parameters
    ----------
    head
        (i, j, k) T1-weighted intensities.
    affine
        (4, 4) matrix from voxel to RAS mm; axes may be tilted by some 30 degrees.
    template
        (i, j, k) intensities of a brain, 0 outside.
    template_affine
        (4, 4) matrix from voxel to RAS mm.

    Returns
    -------
    Placement
        Nine-parameter affine (rotation, translation, three scales) and its score.

    Notes
    -----
    The score is the correlation of :func:`local_contrast` of the two at 8 mm, over the brain and
    4 mm around it, minus half the mean of :math:`(1 - d/8)_+` over the outline of the brain, with
    :math:`d` the depth below the skin in mm.  Without the second term a bright scalp attracts the
    outline of the brain.  1,155 starts (three sizes, positions below the top of the head, pitch) are
    scored, the best three that differ are refined by Powell's method.

    """
    score, centre, origin = _placement_score(head, affine, template, template_affine)
    starts = []
    for size, up, front, pitch in product(
        (0.8, 0.9, 1.0), np.arange(-40, 41, 8), np.arange(-24, 25, 8), (-30, -15, 0, 15, 30)
    ):
        start = np.array([0, front, up, pitch, 0, 0, 0, 0, 0]) / _UNIT
        start[6:] = np.log(size)
        starts.append((score(_placement_matrix(start, centre, origin)), start))
    starts.sort(key=lambda item: -item[0])
    best = Placement(np.eye(4), -np.inf)
    for start in _distinct([start for _, start in starts], count=3):
        bounds = [(value - 0.6, value + 0.6) for value in start[:6]] + [(-0.35, 0.25)] * 3
        found = minimize(
            lambda p: -score(_placement_matrix(p, centre, origin)),
            start,
            method='Powell',
            bounds=bounds,
            options={'xtol': 1e-3, 'ftol': 1e-4, 'maxiter': 8},
        )
        if -found.fun > best.score:
            best = Placement(_placement_matrix(found.x, centre, origin), float(-found.fun))
    return best


def _distinct(starts: list[Array], count: int) -> list[Array]:
    """Return the first ``count`` starts that differ by 10 mm or 10 degrees (or 15 % of size)."""
    kept: list[Array] = []
    for start in starts:
        if all(np.abs(start - other).max() >= 9 / _UNIT for other in kept):
            kept.append(start)
    return kept[:count]


def _placement_matrix(parameters: Array, centre: Array, origin: Array) -> Array:
    """Return the matrix that takes ``origin`` (template) to ``centre`` (head) plus a shift."""
    matrix = np.eye(4)
    angles = np.asarray(parameters[3:6]) * _UNIT
    matrix[:3, :3] = Rotation.from_euler('xyz', angles, degrees=True).as_matrix() * np.exp(parameters[6:9])
    matrix[:3, 3] = centre + np.asarray(parameters[:3]) * _UNIT - matrix[:3, :3] @ origin
    return matrix


def _placement_score(
    head: Array, affine: Array, template: Array, template_affine: Array
) -> tuple[Callable[[Array], float], Array, Array]:
    """Prepare both images; return the score of a matrix, and the centres of head and template."""
    brain, brain_affine = coarsen(template, template_affine, 4.0)
    inside = brain > 0.15 * brain.max()
    rim = grid_points(brain.shape, brain_affine)[(inside & ~ndimage.binary_erosion(inside)).ravel()]
    rim = rim[rim[:, 2] > -10][::4]  # the base of the brain may lie close to a cavity
    near = ndimage.binary_dilation(inside).astype(np.float32)
    contrast, grid = coarsen(local_contrast(brain, brain_affine), brain_affine, 8.0)
    weight = resample(near, brain_affine, contrast.shape, grid) > 0.3
    points, reference = grid_points(contrast.shape, grid)[weight.ravel()], contrast[weight]

    coarse, coarse_affine = coarsen(head, affine, 4.0)
    depth = head_depth(coarse, coarse_affine)
    where = apply_linear(coarse_affine, np.argwhere(depth > 0).astype(float))
    top = np.percentile(where[:, 2], 99.8)
    upper = where[where[:, 2] > top - 120]
    front, back = upper[:, 1].max(), upper[:, 1].min()
    centre = np.array([np.median(upper[:, 0]), (front + back) / 2, top - 75])
    coarse, _ = bias_correct(coarse, coarse_affine, depth > 0, iterations=(20, 20), knots=200, voxel=8)
    deep = np.linalg.norm(grid_points(coarse.shape, coarse_affine) - centre, axis=1) < 40
    bright = np.percentile(coarse.ravel()[deep], 95)
    coarse[((coarse > 1.3 * bright) & (depth < 16)) | (depth < SCALP)] = 0
    seen, seen_affine = local_contrast(np.minimum(coarse, 1.1 * bright), coarse_affine), coarse_affine
    seen, seen_affine = coarsen(seen, seen_affine, 8.0)

    def score(matrix: Array) -> float:
        found = sample(seen, seen_affine, apply_linear(matrix, points))
        out = np.clip(1 - sample(depth, coarse_affine, apply_linear(matrix, rim)) / 8, 0, None)
        spread = found.std() * reference.std() * len(found)
        agreement = np.dot(found - found.mean(), reference - reference.mean()) / (spread + 1e-9)
        return float(agreement - 0.5 * out.mean())

    return score, centre, np.array([0.0, -18.0, 8.0])
