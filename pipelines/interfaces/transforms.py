"""Read and write transforms on disk: ITK text for linear ones, a displacement field otherwise."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel as nb
import numpy as np
from nitransforms.io.base import TransformFileError, TransformIOError
from nitransforms.linear import Affine
from numpy.typing import NDArray

from ..errors import DataError
from .headers import open_image
from .images import values_of

Array = NDArray[np.floating]

_LPS = np.array([-1, -1, 1], dtype=np.float32)
_DISPLACEMENT = 'vector'  # NIfTI intent 1007
_UNREADABLE = (
    OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, TransformFileError, TransformIOError,
)  # fmt: skip
"""What nitransforms and HDF5 raise for files that are damaged or hold something else."""


@contextmanager
def no_reference() -> Iterator[None]:
    """Keep nitransforms from warning that it knows no image: to map points or write a matrix it needs none."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Reference space not set')
        yield


def write_linear(path: Path, matrix: Array) -> Path:
    """Write a (4, 4) RAS matrix, points of fixed to points of moving, as an ITK text transform."""
    with no_reference():
        Affine(np.asarray(matrix, dtype=float)).to_filename(path, fmt='itk')
    return path


def read_linear(path: Path) -> Array:
    """Return the (4, 4) RAS matrix of an ITK text transform.

    Raises
    ------
    DataError
        If the file is no linear ITK transform.

    """
    try:
        matrix = np.asarray(Affine.from_filename(path, fmt='itk').matrix, dtype=float).reshape(4, 4)
    except _UNREADABLE as error:
        raise DataError(f'{path} is not a linear ITK transform: {error}') from error
    if not np.isfinite(matrix).all() or not np.linalg.det(matrix):
        raise DataError(f'{path} is a transform that maps no points: {matrix.tolist()}. Fetch it again.')
    return matrix


def read_composite(path: Path) -> Callable[[Array], Array]:
    """Return the map of points (N, 3) in RAS mm that a composite ITK transform in HDF5 holds.

    Raises
    ------
    DataError
        It cannot be read.

    """
    from nitransforms.manip import load

    try:
        with no_reference():
            composite = load(path, fmt='itk')
    except _UNREADABLE as error:
        raise DataError(f'{path} is no composite ITK transform ({error}). Copy or fetch it again.') from error
    return no_reference()(composite.map)


def write_field(path: Path, field: Array, affine: Array) -> Path:
    """Write a displacement field (i, j, k, 3) in RAS mm as ``antsApplyTransforms`` reads it."""
    image = nb.Nifti1Image((np.asarray(field, dtype=np.float32) * _LPS)[:, :, :, None, :], affine)
    image.header.set_intent(_DISPLACEMENT)
    image.header.set_xyzt_units('mm')
    nb.save(image, path)
    return path


def read_field(path: Path) -> tuple[Array, Array]:
    """Return a displacement field (i, j, k, 3) in RAS mm and its affine.

    Raises
    ------
    DataError
        If the image does not have the shape (i, j, k, 1, 3).

    """
    image = open_image(path)
    if image.ndim != 5 or image.shape[3:] != (1, 3):
        raise DataError(f'{path} has the shape {image.shape}; a displacement field has (i, j, k, 1, 3)')
    return values_of(image)[:, :, :, 0] * _LPS, image.affine
