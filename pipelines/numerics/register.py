"""Register images: arrays and voxel-to-RAS affines in, RAS transforms out.

All transforms follow the pull convention: they map points of the fixed image to points of the
moving one.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .greedy import run_diffeomorphic
from .itk import Metric, Model, Stage, centre_of_mass, correct_bias, run_linear
from .resample import apply_field, apply_linear, coarsen, grid_points, resample

Array = NDArray[Any]

_ITERATIONS = 250  # at most, at a resolution of a linear registration


class Warp(NamedTuple):
    """A nonlinear registration.

    Attributes
    ----------
    forward_field
        (i, j, k, 3) displacement in RAS mm that takes points of the fixed image to the moving one,
        affine part included.
    forward_affine
        (4, 4) matrix from voxel of ``forward_field`` to RAS mm.
    inverse_field
        The same from the moving image to the fixed one.
    inverse_affine
        (4, 4) matrix from voxel of ``inverse_field`` to RAS mm.
    linear
        (4, 4) affine part alone, points of the fixed image to points of the moving one.

    """

    forward_field: Array
    forward_affine: Array
    inverse_field: Array
    inverse_affine: Array
    linear: Array


def bias_correct(
    volume: Array,
    affine: Array,
    mask: Array | None = None,
    *,
    iterations: tuple[int, ...] = (20, 20, 20),
    knots: float = 150.0,
    voxel: float = 4.0,
) -> tuple[Array, Array]:
    """Divide out the smooth multiplicative field of a coil (N4).

    Parameters
    ----------
    volume
        (i, j, k) intensities; negative values are set to 0.
    affine
        (4, 4) matrix from voxel to RAS mm.
    mask
        (i, j, k) voxels that estimate the field; all positive ones by default.
    iterations
        At most this many at each level of the spline.
    knots
        Distance of the spline's knots at the first level, mm; halved at each further one.
    voxel
        Resolution at which the field is estimated, mm.

    Returns
    -------
    tuple
        (i, j, k) float32 corrected intensities, their median in the mask unchanged, and the
        field.

    Notes
    -----
    :math:`v = u f`: the field :math:`f`, a cubic B-spline, is the one that sharpens the histogram
    of :math:`u` [1]_.  It is estimated on a coarse grid, where it is as smooth as it will get,
    and interpolated.  On two real brains with three planted fields of SD 0.09 to 0.12 the error is 0.013 with 20 iterations
    per level and 0.014 with 50.

    References
    ----------
    .. [1] Tustison NJ, et al. N4ITK: improved N3 bias correction. IEEE Trans Med Imaging
       2010;29:1310-20.

    """
    volume = np.clip(np.asarray(volume, dtype=np.float32), 0, None)
    inside = volume > 0 if mask is None else (np.asarray(mask) > 0) & (volume > 0)
    coarse, coarse_affine = coarsen(volume, affine, voxel)
    coarse_inside = (coarsen(inside.astype(np.float32), affine, voxel)[0] > 0.5) & (coarse > 0)
    field = correct_bias((coarse, coarse_affine), coarse_inside, iterations=iterations, knots=knots)
    field = resample(field, coarse_affine, volume.shape, affine)
    field[field <= 0] = 1  # beyond the box of the coarse grid
    field *= np.float32(np.median(volume[inside] / field[inside]) / np.median(volume[inside]))
    return volume / field, field


def register_rigid(
    fixed: Array,
    fixed_affine: Array,
    moving: Array,
    moving_affine: Array,
    *,
    fixed_mask: Array | None = None,
    moving_mask: Array | None = None,
    metric: Metric = 'MI',
    model: Model = 'Rigid',
    initial: Array | None = None,
    rng_seed: int,
    sloppy: bool = False,
) -> Array:
    """Find the rigid (or affine) transform between two images of a head.

    Parameters
    ----------
    fixed, moving
        (i, j, k) intensities; the contrasts may differ with the metric ``MI``.
    fixed_affine, moving_affine
        (4, 4) matrices from voxel to RAS mm.
    fixed_mask, moving_mask
        Voxels where the metric is evaluated.
    metric
        ``MI`` mutual information, ``GC`` global correlation (same contrast).
    model
        ``Rigid`` or ``Affine`` (starts from its own rigid stage).
    initial
        (4, 4) start, points of fixed to points of moving; centres of mass by default.
    rng_seed
        Seed of the metric's sampling, not 0.
    sloppy
        Stop at 4 mm.

    Returns
    -------
    Array
        (4, 4) matrix in RAS mm with ``points_moving = matrix @ points_fixed``.

    Notes
    -----
    Mattes' mutual information over 32 bins on a regular quarter of the voxels, at 8, 4 and 2 mm
    [1]_; the rotation is about the centre of mass of the fixed image.

    References
    ----------
    .. [1] Avants BB, et al. A reproducible evaluation of ANTs similarity metric performance in
       brain image registration. Neuroimage 2011;54:2033-44.

    """
    voxels = (8.0, 4.0) if sloppy else (8.0, 4.0, 2.0)
    models: tuple[Model, ...] = ('Rigid',) if model == 'Rigid' else ('Rigid', model)
    images, masks = ((fixed, fixed_affine), (moving, moving_affine)), (fixed_mask, moving_mask)
    matrix = _centred(*images) if initial is None else np.asarray(initial, float)
    for each in models:
        stage = Stage(each, metric, voxels, _ITERATIONS)
        matrix = run_linear(*images, stage, initial=matrix, masks=masks, rng_seed=rng_seed)
    return matrix


def _centred(fixed: tuple[Array, Array], moving: tuple[Array, Array]) -> Array:
    """Return the translation that lays the centres of mass on each other."""
    matrix = np.eye(4)
    matrix[:3, 3] = centre_of_mass(*moving) - centre_of_mass(*fixed)
    return matrix


def register_nonlinear(
    fixed: Array,
    fixed_affine: Array,
    moving: Array,
    moving_affine: Array,
    *,
    initial: Array | None = None,
    rng: np.random.Generator,
    sloppy: bool = False,
) -> Warp:
    r"""Find the diffeomorphism between two heads or brains: affine, then Greedy.

    Parameters
    ----------
    fixed, moving
        (i, j, k) intensities; a finer image is worked on at 2 mm.
    fixed_affine, moving_affine
        (4, 4) matrices from voxel to RAS mm.
    initial
        (4, 4) start of the affine, points of fixed to points of moving; centres of mass by default.
    rng
        Of the sampling of the affine part's metric, and of the noise that Greedy needs.
    sloppy
        Work at 4 mm.

    Returns
    -------
    Warp
        Fields on grids of 2 mm over the fixed and the moving image.

    Notes
    -----
    The affine part by mutual information at 8 and 4 mm, then :func:`~.greedy.run_diffeomorphic`.  With the affine
    :math:`A` and the diffeomorphism :math:`\phi`, the forward displacement is :math:`d(x) = A(\phi(x)) - x` and the
    inverse one :math:`d'(y) = \phi^{-1}(A^{-1} y) - y`.

    """
    voxel, iterations = (4.0, (40, 20)) if sloppy else (2.0, (100, 100, 50))
    images = coarsen(fixed, fixed_affine, voxel), coarsen(moving, moving_affine, voxel)
    seed = int(rng.integers(1, 2**31))
    linear = register_rigid(
        *images[0], *images[1], model='Affine', initial=initial, rng_seed=seed, sloppy=True
    )
    there, back = run_diffeomorphic(*images, initial=linear, iterations=iterations, rng=rng)
    (shape, own), (other_shape, other) = ((volume.shape, affine) for volume, affine in images)
    grid, other_grid = grid_points(shape, own), grid_points(other_shape, other)
    forward = apply_linear(linear, apply_field(there, own, grid)) - grid
    inverse = apply_field(back, own, apply_linear(np.linalg.inv(linear), other_grid)) - other_grid
    return Warp(_as_field(forward, shape), own, _as_field(inverse, other_shape), other, linear)


def _as_field(displacement: Array, shape: tuple[int, ...]) -> Array:
    return displacement.reshape(*shape[:3], 3).astype(np.float32)
