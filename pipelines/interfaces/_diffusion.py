"""What the interfaces of diffusion share: scans with their gradients, and values at the voxels of a mask."""

from pathlib import Path

import nibabel as nb
import numpy as np

from ..errors import DataError, FewDirectionsError, MissingInputError
from ..numerics.course import VolumeCourse
from ..numerics.gradient_table import Scheme, read_scheme
from ..numerics.gradients import Gradients
from ._series import load_image
from .headers import open_image, open_series
from .images import iterate_volumes

MAP_NAMES = ('fa', 'md', 'ad', 'rd')


def read_gradient_table(dwi: Path, bval: Path, bvec: Path) -> Scheme:
    """Return the checked gradient table of a scan, in RAS, and which volumes it uses.

    Raises
    ------
    MissingInputError
        A file is not there.
    FewDirectionsError
        The scan shows too few directions for a tensor.
    DataError
        A file holds no numbers, or the table cannot be used; says why and what to do.

    """
    image = open_dwi(dwi)
    columns = [_read_numbers(dwi, path) for path in (bval, bvec)]
    try:
        return read_scheme(columns[0], columns[1], image.affine, image.shape[3])
    except FewDirectionsError as error:
        remedy = f'Mend {bval.name} and {bvec.name}, or exclude the scan.'
        raise FewDirectionsError(f'{dwi}: {error}.', remedy) from error
    except ValueError as error:
        raise DataError(f'{dwi}: {error}. Mend {bval.name} and {bvec.name}, or exclude the scan.') from error


def open_dwi(dwi: Path) -> nb.Nifti1Image:
    """Open a diffusion scan.

    Raises
    ------
    FewDirectionsError
        It is one volume: no series of directions.
    DataError
        It cannot be read, or has more than four dimensions.

    """
    image = open_image(dwi)
    if image.ndim == 3 or image.shape[3:] == (1,):
        what = f'{dwi} is one volume, shape {image.shape}: it shows no directions.'
        raise FewDirectionsError(what, 'Exclude the scan.')
    return open_series(dwi)


def _read_numbers(dwi: Path, path: Path) -> np.ndarray:
    if not path.is_file():
        raise MissingInputError(
            f'{path} is not here. {dwi.name} needs it: convert the scan again, or fetch it.'
        )
    try:
        text = path.read_text(encoding='utf-8-sig')
        if ',' not in text:
            return np.loadtxt(text.splitlines(), ndmin=2)
    except (ValueError, OSError) as error:
        raise DataError(f'{path} is no table of numbers ({error}). Convert the scan again.') from error
    raise DataError(
        f'{path} is no table of numbers parted by blanks: it holds commas. Replace them, or convert the scan again.'
    )


def read_dwi(dwi: Path, bval: Path, bvec: Path) -> tuple[Gradients, np.ndarray, np.ndarray]:
    """Return the table of a scan, its volumes that have a place in it (X, Y, Z, N), and the affine.

    Raises
    ------
    MissingInputError
        A file is not there.
    DataError
        Image or table cannot be used.

    """
    table, used = read_gradient_table(dwi, bval, bvec)
    return table, *read_series(dwi, used)


def read_series(path: Path, used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the volumes of a scan that are used, (T,) bool, (X, Y, Z, N) as float32, and the affine.

    Raises
    ------
    DataError
        The file is damaged.

    """
    image = open_series(path)
    data = np.empty((*image.shape[:3], int(used.sum())), np.float32, order='F')
    places = iter(range(data.shape[3]))
    # the volumes first: the checksum of the file stands behind the last one
    for volume, is_used in zip(iterate_volumes(path), used):
        if is_used:
            data[..., next(places)] = volume
    return data, np.asarray(image.affine, dtype=float)


def write_gradient_table(path: Path, table: Gradients) -> Path:
    """Write a gradient table in RAS."""
    np.savez(path, **table._asdict())
    return path


def load_table(path: Path) -> Gradients:
    """Return a gradient table that an earlier node wrote."""
    with np.load(path) as stored:
        return Gradients(**{name: stored[name] for name in Gradients._fields})


def write_course(path: Path, course: VolumeCourse, dropped: np.ndarray) -> Path:
    """Write the course of a scan, and which slices (Z, T) were dropped."""
    np.savez(path, dropped=dropped, **course._asdict())
    return path


def load_course(path: Path) -> tuple[VolumeCourse, np.ndarray]:
    """Return the course of a scan that an earlier node wrote, and which slices (Z, T) were dropped."""
    with np.load(path) as stored:
        return VolumeCourse(**{name: stored[name] for name in VolumeCourse._fields}), stored['dropped']


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
