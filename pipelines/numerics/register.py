"""Register images with ANTs: arrays and voxel-to-RAS affines in, RAS transforms out.

All transforms follow the pull convention: they map points of the fixed image to points of the
moving one.
"""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .itk import Stage, library, read_itk_field, read_itk_linear, run_registration, to_itk
from .resample import apply_field, apply_linear, coarsen, covering_grid, grid_points, resample

Array = NDArray[Any]


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
    field = (
        library()
        .n4_bias_field_correction(
            to_itk(coarse, coarse_affine),
            mask=to_itk(coarse_inside, coarse_affine),
            shrink_factor=1,
            convergence={'iters': list(iterations), 'tol': 1e-5},
            spline_param=knots,
            return_bias_field=True,
        )
        .numpy()
    )
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
    metric: str = 'MI',
    model: str = 'Rigid',
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
        ``Rigid``, ``Similarity`` or ``Affine`` (starts from its own rigid stage).
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
    iterations = (200, 100) if sloppy else (500, 250, 100)
    names = ['Rigid'] if model == 'Rigid' else ['Rigid', model]
    stages = [Stage(f'{name}[0.1]', metric, voxels, iterations) for name in names]
    masks = (
        None if fixed_mask is None else to_itk(fixed_mask, fixed_affine),
        None if moving_mask is None else to_itk(moving_mask, moving_affine),
    )
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder) / 'linear_'
        images = to_itk(fixed, fixed_affine), to_itk(moving, moving_affine)
        run_registration(*images, stages, prefix, masks=masks, initial=initial, rng_seed=rng_seed)
        return read_itk_linear(Path(f'{prefix}0GenericAffine.mat'))


def register_nonlinear(
    fixed: Array,
    fixed_affine: Array,
    moving: Array,
    moving_affine: Array,
    *,
    fixed_mask: Array | None = None,
    moving_mask: Array | None = None,
    initial: Array | None = None,
    keep_initial: bool = False,
    metric: str = 'MI',
    voxels: tuple[float, ...] = (8.0, 4.0, 2.0),
    iterations: tuple[int, ...] = (100, 70, 50),
    rng_seed: int,
) -> Warp:
    r"""Find the diffeomorphism between two heads or brains: affine, then SyN.

    Parameters
    ----------
    fixed, moving
        (i, j, k) intensities.
    fixed_affine, moving_affine
        (4, 4) matrices from voxel to RAS mm.
    fixed_mask, moving_mask
        Voxels where the metric is evaluated.
    initial
        (4, 4) start, points of fixed to points of moving; centres of mass by default.
    keep_initial
        Take ``initial`` for the affine part instead of refining it.
    metric
        Of the nonlinear stage: ``MI`` or ``CC`` (slower, finer).
    voxels
        Resolutions of the nonlinear stage in mm; the last one is that of the fields.
    iterations
        At most this many per resolution.
    rng_seed
        Seed of the metric's sampling, not 0.

    Returns
    -------
    Warp
        Forward field on the fixed grid, inverse field on a grid over the moving image.

    Notes
    -----
    Symmetric normalisation [1]_: with the affine :math:`A` and the diffeomorphism :math:`\phi`,
    the forward displacement is :math:`d(x) = A(\phi(x)) - x` and the inverse one
    :math:`d'(y) = \phi^{-1}(A^{-1} y) - y`.

    References
    ----------
    .. [1] Avants BB, et al. Symmetric diffeomorphic image registration with cross-correlation.
       Med Image Anal 2008;12:26-41.

    """
    models = () if keep_initial else ('Rigid', 'Affine')
    stages = [Stage(f'{model}[0.1]', 'MI', (8.0, 4.0), (500, 250)) for model in models]
    stages.append(Stage('SyN[0.2,3,0]', metric, voxels, iterations))
    masks = (
        None if fixed_mask is None else to_itk(fixed_mask, fixed_affine),
        None if moving_mask is None else to_itk(moving_mask, moving_affine),
    )
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder) / 'warp_'
        images = to_itk(fixed, fixed_affine), to_itk(moving, moving_affine)
        run_registration(*images, stages, prefix, masks=masks, initial=initial, rng_seed=rng_seed)
        linear = read_itk_linear(Path(f'{prefix}0GenericAffine.mat'))
        there = read_itk_field(Path(f'{prefix}1Warp.nii.gz'))
        back = read_itk_field(Path(f'{prefix}1InverseWarp.nii.gz'))
    grid = grid_points(there[0].shape, there[1])
    forward = apply_linear(linear, apply_field(*there, grid)) - grid
    shape, affine = covering_grid(moving.shape, moving_affine, voxels[-1])
    grid = grid_points(shape, affine)
    inverse = apply_field(*back, apply_linear(np.linalg.inv(linear), grid)) - grid
    return Warp(_as_field(forward, there[0].shape), there[1], _as_field(inverse, shape), affine, linear)


def _as_field(displacement: Array, shape: tuple[int, ...]) -> Array:
    return displacement.reshape(*shape[:3], 3).astype(np.float32)
