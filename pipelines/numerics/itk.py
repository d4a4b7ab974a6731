"""Call SimpleITK in process: images, linear registrations, bias fields; arrays and RAS affines on our side.

ITK counts millimetres in LPS; the sign change happens in this module and nowhere else.
"""

import os
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .resample import apply_linear

if TYPE_CHECKING:
    import SimpleITK

Array = NDArray[Any]
Metric = Literal['MI', 'GC']
Model = Literal['Rigid', 'Affine']

# two equal registrations agree to the last bit only with one thread; ITK reads this once
os.environ.setdefault('ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS', '1')

LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

_SMALL = 40_000
"""Voxels of an image of which all are compared: a quarter of fewer leaves the bins of a histogram empty."""
_BINS = 32
_STEP_MM = 0.1  # the first step of a line search moves no voxel further


class Stage(NamedTuple):
    """One stage of a linear registration.

    Attributes
    ----------
    model
        ``Rigid`` or ``Affine``.
    metric
        ``MI`` (mutual information) or ``GC`` (global correlation).
    voxels
        Size in mm of the voxels at each resolution, coarse to fine.
    iterations
        At most this many at a resolution.

    """

    model: Model
    metric: Metric
    voxels: tuple[float, ...]
    iterations: int


def library() -> ModuleType:
    """Return SimpleITK; it takes half a second that only who registers need spend."""
    import SimpleITK

    return SimpleITK


def to_itk(volume: Array, affine: Array) -> 'SimpleITK.Image':
    """Return an ITK image of an array and its affine.

    Parameters
    ----------
    volume
        (i, j, k) values.
    affine
        (4, 4) matrix from voxel to RAS mm; oblique and left-handed ones are kept as they are.

    Returns
    -------
    SimpleITK.Image
        float32 image in LPS.

    Raises
    ------
    ValueError
        If the volume is not three-dimensional or holds values that are not finite.

    Examples
    --------
    >>> affine = np.array([[-2.0, 0, 0, 9], [0, 2, 0, -8], [0, 0, 3, 7], [0, 0, 0, 1]])
    >>> to_itk(np.zeros((4, 4, 4)), affine).GetOrigin()
    (-9.0, 8.0, 7.0)

    """
    if volume.ndim != 3 or not np.all(np.isfinite(volume)):
        raise ValueError(f'a finite three-dimensional volume is needed, not one of shape {volume.shape}')
    matrix = LPS_FROM_RAS @ np.asarray(affine, dtype=float)
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    image = library().GetImageFromArray(np.ascontiguousarray(np.asarray(volume, np.float32).T))
    image.SetOrigin(matrix[:3, 3].tolist())
    image.SetSpacing(spacing.tolist())
    image.SetDirection((matrix[:3, :3] / spacing).ravel().tolist())
    return image


def run_linear(
    fixed: tuple[Array, Array],
    moving: tuple[Array, Array],
    stage: Stage,
    *,
    initial: Array,
    masks: tuple[Array | None, Array | None] = (None, None),
    rng_seed: int,
) -> Array:
    """Run one stage of a linear registration from where the last one ended.

    Parameters
    ----------
    fixed, moving
        (i, j, k) intensities and (4, 4) matrix from voxel to RAS mm.
    stage
        What to estimate.
    initial
        (4, 4) start in RAS, points of fixed to points of moving.
    masks
        (i, j, k) where the metric is evaluated, in the fixed and in the moving image.
    rng_seed
        Seed of the metric's sampling, not 0.

    Returns
    -------
    Array
        (4, 4) matrix in RAS, points of fixed to points of moving.

    Raises
    ------
    ValueError
        If the seed is 0, which means a random one to ITK.
    RuntimeError
        If ITK fails, as where the images do not overlap.

    """
    if rng_seed == 0:
        raise ValueError('rng_seed 0 is not reproducible in ITK: give another one')
    sitk, target = library(), to_itk(*fixed)
    method = sitk.ImageRegistrationMethod()
    _set_metric(method, stage.metric, (fixed, moving), masks, rng_seed)
    _set_resolutions(method, stage, min(target.GetSpacing()))
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsConjugateGradientLineSearch(
        learningRate=_STEP_MM, numberOfIterations=stage.iterations, convergenceMinimumValue=1e-6,
        convergenceWindowSize=10, estimateLearningRate=method.Once, maximumStepSizeInPhysicalUnits=_STEP_MM,
        lineSearchLowerLimit=0, lineSearchUpperLimit=2, lineSearchEpsilon=0.2,
    )  # fmt: skip
    method.SetOptimizerScalesFromPhysicalShift()
    start = sitk.AffineTransform(3)
    lps = LPS_FROM_RAS @ np.asarray(initial, float) @ LPS_FROM_RAS
    start.SetMatrix(lps[:3, :3].ravel().tolist())
    start.SetTranslation(lps[:3, 3].tolist())
    step = _models()[stage.model]()
    step.SetCenter((LPS_FROM_RAS[:3, :3] @ centre_of_mass(*fixed)).tolist())
    method.SetMovingInitialTransform(start)
    method.SetInitialTransform(step, inPlace=True)
    method.Execute(target, to_itk(*moving))
    return np.asarray(initial, float) @ _matrix_of(step)


def _set_metric(
    method: Any,
    metric: Metric,
    images: tuple[tuple[Array, Array], tuple[Array, Array]],
    masks: tuple[Array | None, Array | None],
    rng_seed: int,
) -> None:
    match metric:
        case 'MI':
            method.SetMetricAsMattesMutualInformation(_BINS)
        case 'GC':
            method.SetMetricAsCorrelation()
    if images[0][0].size >= _SMALL:
        method.SetMetricSamplingStrategy(method.REGULAR)
        method.SetMetricSamplingPercentage(0.25, rng_seed)
    for place, mask, (_, affine) in zip(
        (method.SetMetricFixedMask, method.SetMetricMovingMask), masks, images
    ):
        if mask is not None:
            place(library().Cast(to_itk(mask, affine) > 0, library().sitkUInt8))


def _models() -> dict[Model, Callable[[], Any]]:
    return {'Rigid': library().Euler3DTransform, 'Affine': lambda: library().AffineTransform(3)}


def _set_resolutions(method: Any, stage: Stage, spacing: float) -> None:
    """Set the resolutions; one below the voxel size of the image is the image's own."""
    shrink = [max(1, round(size / spacing)) for size in stage.voxels]
    method.SetShrinkFactorsPerLevel(shrink)
    method.SetSmoothingSigmasPerLevel([0.0 if factor == 1 else 0.4 * factor * spacing for factor in shrink])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()


def _matrix_of(step: Any) -> Array:
    """Return the (4, 4) RAS matrix of a linear transform of ITK, whatever its centre of rotation."""
    matrix, centre = np.eye(4), np.asarray(step.GetCenter())
    matrix[:3, :3] = np.reshape(step.GetMatrix(), (3, 3))
    matrix[:3, 3] = np.asarray(step.GetTranslation()) + centre - matrix[:3, :3] @ centre
    return LPS_FROM_RAS @ matrix @ LPS_FROM_RAS


def centre_of_mass(volume: Array, affine: Array) -> Array:
    """Return the centre (3,) of the intensities of a volume, RAS mm; of its box where it is empty.

    Examples
    --------
    >>> centre_of_mass(np.array([[[0.0, 1, 3]]]), np.diag([2.0, 2, 2, 1])).tolist()
    [0.0, 0.0, 3.5]

    """
    values = np.clip(volume, 0, None)
    weight = values if values.any() else np.ones(volume.shape)
    return apply_linear(affine, np.array(ndimage.center_of_mass(weight)))


def ras_displacement(image: 'SimpleITK.Image') -> Array:
    """Return a displacement field of ITK as (i, j, k, 3) RAS mm."""
    values = library().GetArrayFromImage(image).transpose(2, 1, 0, 3)
    return values * np.diag(LPS_FROM_RAS)[:3].astype(np.float32)


def correct_bias(
    image: tuple[Array, Array], mask: Array, *, iterations: tuple[int, ...], knots: float
) -> Array:
    """Return the smooth multiplicative field of a coil that N4 finds.

    Parameters
    ----------
    image
        (i, j, k) intensities and (4, 4) matrix from voxel to RAS mm.
    mask
        (i, j, k) voxels that estimate the field.
    iterations
        At most this many at each level of the spline.
    knots
        Distance of the spline's knots at the first level, mm.

    """
    sitk, volume = library(), to_itk(*image)
    finder = sitk.N4BiasFieldCorrectionImageFilter()
    finder.SetMaximumNumberOfIterations(list(iterations))
    finder.SetConvergenceThreshold(1e-5)
    extents = np.array(volume.GetSize()) * np.array(volume.GetSpacing())
    # rounded: knots nearer to each other take contrast of tissues for the coil's; a cubic spline has 3 more
    finder.SetNumberOfControlPoints([max(1, round(n)) + 3 for n in extents / knots])
    finder.Execute(volume, sitk.Cast(to_itk(mask, image[1]) > 0, sitk.sitkUInt8))
    field = sitk.GetArrayFromImage(finder.GetLogBiasFieldAsImage(volume)).T
    return np.exp(field, dtype=np.float32)
