"""Call ANTs in process: images and transforms between our RAS arrays and ITK's LPS objects.

ITK counts millimetres in LPS; the sign change happens in this module and nowhere else.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import ants

Array = NDArray[Any]

# two equal registrations agree to the last bit only with one thread; ITK reads this once
os.environ.setdefault('ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS', '1')

LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

_SMALL = 40_000
"""Voxels of an image of which all are compared: a quarter of fewer leaves the bins of a histogram empty."""


def library() -> ModuleType:
    """Return ANTsPy; it imports plotting and statistics, a second that only who registers need spend."""
    import ants

    return ants


class Stage(NamedTuple):
    """One stage of a registration: model, metric and resolutions.

    Attributes
    ----------
    transform
        ANTs' name of the model with its step, for example ``Rigid[0.1]``.
    metric
        ``MI`` (mutual information), ``CC`` (neighbourhood correlation) or ``GC`` (global correlation).
    voxels
        Size in mm of the voxels at each resolution, coarse to fine.
    iterations
        At most this many per resolution.

    """

    transform: str
    metric: str
    voxels: tuple[float, ...]
    iterations: tuple[int, ...]


def to_itk(volume: Array, affine: Array) -> 'ants.ANTsImage':
    """Return an ITK image of an array and its affine.

    Parameters
    ----------
    volume
        (i, j, k) values.
    affine
        (4, 4) matrix from voxel to RAS mm; oblique and left-handed ones are kept as they are.

    Returns
    -------
    ants.ANTsImage
        float32 image in LPS.

    Raises
    ------
    ValueError
        If the volume is not three-dimensional or holds values that are not finite.

    Examples
    --------
    >>> affine = np.array([[-2.0, 0, 0, 9], [0, 2, 0, -8], [0, 0, 3, 7], [0, 0, 0, 1]])
    >>> to_itk(np.zeros((4, 4, 4)), affine).origin
    (-9.0, 8.0, 7.0)

    """
    if volume.ndim != 3 or not np.all(np.isfinite(volume)):
        raise ValueError(f'a finite three-dimensional volume is needed, not one of shape {volume.shape}')
    matrix = LPS_FROM_RAS @ np.asarray(affine, dtype=float)
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    return library().from_numpy(
        np.asarray(volume, dtype=np.float32),
        origin=matrix[:3, 3].tolist(),
        spacing=spacing.tolist(),
        direction=matrix[:3, :3] / spacing,
    )


def affine_of(image: 'ants.ANTsImage') -> Array:
    """Return the (4, 4) voxel-to-RAS affine of an ITK image, the inverse of :func:`to_itk`."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.asarray(image.direction) * np.asarray(image.spacing)
    matrix[:3, 3] = image.origin
    return LPS_FROM_RAS @ matrix


def run_registration(
    fixed: 'ants.ANTsImage',
    moving: 'ants.ANTsImage',
    stages: Sequence[Stage],
    prefix: Path,
    *,
    masks: 'tuple[ants.ANTsImage | None, ants.ANTsImage | None]' = (None, None),
    initial: Array | None = None,
    rng_seed: int,
) -> None:
    """Run ``antsRegistration``; its transforms are written beside ``prefix``.

    Parameters
    ----------
    fixed, moving
        Images in LPS.
    stages
        What to estimate, in this order.
    prefix
        Path and beginning of the names of the transforms that are written.
    masks
        Where the metric is evaluated, in the fixed and in the moving image.
    initial
        (4, 4) start in RAS, points of fixed to points of moving; centres of mass by default.
    rng_seed
        Seed of the metric's sampling, not 0.

    Raises
    ------
    ValueError
        If the seed is 0, which means a random one to ANTs.
    RuntimeError
        If ANTs fails.

    """
    if rng_seed == 0:
        raise ValueError('rng_seed 0 is not reproducible in ANTs: give another one')
    from ants.internal import get_lib_fn, get_pointer_string, process_arguments

    # the library takes images by address: they must stay alive until it returns
    addresses = [get_pointer_string(image) for image in (fixed, moving)]
    pair = ','.join(addresses)
    # it takes a mask for bytes whatever it holds: of floats it would read the lowest quarter only
    bytes_of = [None if mask is None else mask.clone('unsigned char') for mask in masks]
    mask_pair = ','.join('NA' if mask is None else get_pointer_string(mask) for mask in bytes_of)
    start = f'[{pair},1]'
    if initial is not None:
        start = f'{prefix}start.mat'
        write_itk_linear(initial, Path(start))
    arguments = [
        *('-d', '3', '-r', start, '--random-seed', str(rng_seed)), *('--float', '1', '-z', '1', '-o', str(prefix)),
    ]  # fmt: skip
    for stage in stages:
        arguments += [*_stage_arguments(stage, pair, fixed), '-x', f'[{mask_pair}]']
    if get_lib_fn('antsRegistration')(process_arguments(arguments)):
        raise RuntimeError('antsRegistration failed')


def _stage_arguments(stage: Stage, pair: str, fixed: 'ants.ANTsImage') -> list[str]:
    """Translate a stage; a resolution below the voxel size of the image is the image's own."""
    spacing, is_small = min(fixed.spacing), np.prod(fixed.shape) < _SMALL
    shrink = [max(1, round(size / spacing)) for size in stage.voxels]
    smooth = [0.0 if factor == 1 else 0.4 * factor * spacing for factor in shrink]
    is_linear = not stage.transform.startswith('SyN')
    sampling = ',Regular,0.25' if is_linear and not is_small else ''
    parameter = '32' if stage.metric == 'MI' else '4' if stage.metric == 'CC' else '1'
    return [
        *('--transform', stage.transform),
        *('--metric', f'{stage.metric}[{pair},1,{parameter}{sampling}]'),
        *('--convergence', f'[{"x".join(map(str, stage.iterations))},1e-6,10]'),
        *('--shrink-factors', 'x'.join(map(str, shrink))),
        *('--smoothing-sigmas', 'x'.join(f'{sigma:g}' for sigma in smooth) + 'mm'),
    ]


def write_itk_linear(matrix: Array, path: Path) -> None:
    """Write a (4, 4) RAS matrix as the ITK transform that ANTs reads (``.mat`` or ``.txt``)."""
    lps = LPS_FROM_RAS @ np.asarray(matrix, dtype=float) @ LPS_FROM_RAS
    parameters = np.concatenate([lps[:3, :3].ravel(), lps[:3, 3]])
    transform = library().create_ants_transform(
        'AffineTransform',
        precision='double',
        dimension=3,
        parameters=parameters,
        fixed_parameters=np.zeros(3),
    )
    library().write_transform(transform, str(path))


def read_itk_linear(path: Path) -> Array:
    """Return the (4, 4) RAS matrix of an ITK linear transform, whatever its centre of rotation."""
    transform = library().read_transform(str(path))
    parameters, centre = np.asarray(transform.parameters), np.asarray(transform.fixed_parameters)
    matrix = np.eye(4)
    matrix[:3, :3] = parameters[:9].reshape(3, 3)
    matrix[:3, 3] = parameters[9:] + centre - matrix[:3, :3] @ centre
    return LPS_FROM_RAS @ matrix @ LPS_FROM_RAS


def read_itk_field(path: Path) -> tuple[Array, Array]:
    """Return an ITK displacement field as (i, j, k, 3) RAS mm and its affine."""
    image = library().image_read(str(path))
    return image.numpy() * np.diag(LPS_FROM_RAS)[:3].astype(np.float32), affine_of(image)
