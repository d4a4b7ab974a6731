"""What the interfaces of diffusion share: scans with their gradients, and values at the voxels of a mask."""

from pathlib import Path

import nibabel as nb
import numpy as np

from ..errors import DataError, MissingInputError
from ..numerics.gradients import Gradients, read_gradients
from ._series import load_image
from .headers import open_series
from .images import iterate_volumes

MAP_NAMES = ('fa', 'md', 'ad', 'rd')


def read_gradient_table(dwi: Path, bval: Path, bvec: Path) -> Gradients:
    """Return the checked gradient table of a scan, in RAS.

    Raises
    ------
    MissingInputError
        A file is not there.
    DataError
        A file holds no numbers, or the table cannot be used; says why and what to do.

    """
    columns = []
    for path in (bval, bvec):
        if not path.is_file():
            raise MissingInputError(
                f'{path} is not here. {dwi.name} needs it: convert the scan again, or fetch it.'
            )
        try:
            columns.append(np.loadtxt(path, ndmin=2))
        except ValueError as error:
            raise DataError(f'{path} is no table of numbers ({error}). Convert the scan again.') from error
    image = open_series(dwi)
    try:
        return read_gradients(columns[0], columns[1], image.affine, image.shape[3])
    except ValueError as error:
        raise DataError(f'{dwi}: {error}. Mend {bval.name} and {bvec.name}, or exclude the scan.') from error


def read_series(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return a scan (X, Y, Z, T) as float32 and its affine.

    Raises
    ------
    DataError
        The file is damaged.

    """
    image = open_series(path)
    data = np.empty(image.shape, np.float32, order='F')
    # the volumes first: the checksum of the file stands behind the last one
    for volume, number in zip(iterate_volumes(path), range(image.shape[3])):
        data[..., number] = volume
    return data, np.asarray(image.affine, dtype=float)


def write_gradient_table(path: Path, table: Gradients) -> Path:
    """Write a gradient table in RAS."""
    np.savez(path, **table._asdict())
    return path


def load_table(path: Path) -> Gradients:
    """Return a gradient table that an earlier node wrote."""
    with np.load(path) as stored:
        return Gradients(**{name: stored[name] for name in Gradients._fields})


def inside(path: Path) -> np.ndarray:
    """Return a mask as bool."""
    return np.asarray(load_image(path).dataobj) > 0.5


def signals_in(dwi: Path, mask: np.ndarray) -> np.ndarray:
    """Return (N, T) float32 signals of an uncompressed series at the voxels of a mask, one volume in memory."""
    image: nb.Nifti1Image = load_image(dwi)
    signals = np.empty((int(mask.sum()), image.shape[3]), np.float32)
    for number in range(image.shape[3]):
        signals[:, number] = np.asarray(image.dataobj[..., number])[mask]
    return signals


def fill_mask(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return a volume that holds (N,) or (N, C) values at the voxels of a mask, 0 elsewhere."""
    volume = np.zeros((*mask.shape, *values.shape[1:]), np.float32)
    volume[mask] = values
    return volume
