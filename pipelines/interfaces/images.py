"""Read a 4D series once, volume by volume, into the voxels of a mask; every damage is named."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, NamedTuple

import nibabel as nb
import numpy as np
from nibabel.filebasedimages import ImageFileError

from ..errors import DataError


class MaskedSeries(NamedTuple):
    """Series at the voxels of a mask, and the mean and SD of every voxel of the grid."""

    series: np.ndarray
    mean: np.ndarray
    sd: np.ndarray


def open_image(path: Path) -> nb.Nifti1Image:
    """Open a NIfTI file.

    Raises
    ------
    DataError
        Empty, cut short within the header, or no NIfTI.

    """
    if not path.stat().st_size:
        raise DataError(f'{path} is empty (0 bytes). Copy or fetch the file again.')
    try:
        image = nb.load(path)
    except (ImageFileError, EOFError, OSError, zlib.error) as error:
        raise DataError(f'{path} cannot be read as NIfTI ({error}). Copy or fetch the file again.') from error
    if not isinstance(image, nb.Nifti1Image):
        raise DataError(f'{path} is no NIfTI file. Convert it.')
    return image


def open_series(path: Path) -> nb.Nifti1Image:
    """Open a 4D NIfTI and check that it is one.

    Raises
    ------
    DataError
        Not a readable NIfTI, or not four-dimensional.

    """
    image = open_image(path)
    if image.ndim != 4 or image.shape[3] < 2:
        raise DataError(
            f'{path} has shape {image.shape}; a BOLD series has four dimensions, the last one time. '
            'Exclude the file with --bids-filter-file or replace it.'
        )
    return image


def repetition_time(path: Path) -> float:
    """Return the time step of the header in seconds; 0 when the header has none."""
    header = open_series(path).header
    step = float(header.get_zooms()[3])
    return step / {'msec': 1e3, 'usec': 1e6}.get(header.get_xyzt_units()[1], 1.0)


def series_gb(path: Path) -> float:
    """Return the size of a series as float32, in GB, from its header alone."""
    return float(np.prod(open_series(path).shape) * 4 / 1024**3)


def iterate_volumes(path: Path) -> Iterator[np.ndarray]:
    """Yield the scaled float32 volumes (X, Y, Z) of a NIfTI in order, one in memory at a time.

    Raises
    ------
    DataError
        The file ends early or is corrupt, or a volume holds NaN or infinity.

    """
    image = open_series(path)
    header = image.header
    shape, dtype = image.shape, header.get_data_dtype()
    stored: Any = image.dataobj  # on disk: its scaling and offset, not yet its values
    slope, inter = float(stored.slope), float(stored.inter)
    size = int(np.prod(shape[:3])) * dtype.itemsize
    with ExitStack() as stack:
        stream = _open_stream(path, stack)
        stream.read(int(stored.offset))
        for number in range(shape[3]):
            data = _read(stream, size, path, number, shape[3])
            volume = np.frombuffer(data, dtype).reshape(shape[:3], order='F').astype(np.float32)
            if slope != 1 or inter != 0:
                volume = volume * np.float32(slope) + np.float32(inter)
            if not np.isfinite(volume.sum(dtype=np.float64)):
                raise DataError(
                    f'{path}: volume {number} holds NaN or infinite values. '
                    'Mend the file, or exclude it with --bids-filter-file.'
                )
            yield volume


def read_masked(path: Path, mask: np.ndarray, keep: np.ndarray) -> MaskedSeries:
    """Read the voxels of a mask and the mean and SD of the whole grid in one pass.

    Parameters
    ----------
    path
        4D NIfTI.
    mask
        (X, Y, Z) bool on the same grid.
    keep
        (T,) bool: volumes that enter mean and SD (all are returned).

    Returns
    -------
    MaskedSeries
        ``series`` (T, n_voxels) float32; ``mean`` and ``sd`` (X, Y, Z) float32.

    """
    series = np.empty((len(keep), int(mask.sum())), np.float32)
    total = np.zeros(mask.shape, np.float64)
    squares = np.zeros(mask.shape, np.float64)
    origin: np.ndarray | None = None
    for row, kept, volume in zip(series, keep, iterate_volumes(path)):
        row[:] = volume[mask]
        if kept:
            # sums of differences to one volume keep the digits that a large mean would cost
            origin = volume if origin is None else origin
            difference = volume - origin
            total += difference
            squares += np.square(difference)
    count = int(keep.sum())
    offset = total / count
    variance = np.maximum(squares / count - offset**2, 0)
    mean = (origin if origin is not None else 0) + offset
    return MaskedSeries(series, mean.astype(np.float32), np.sqrt(variance).astype(np.float32))


def load_mask(path: Path, like: nb.Nifti1Image) -> np.ndarray:
    """Return a 3D mask as bool, refusing one on another grid.

    Raises
    ------
    DataError
        Naming both files and shapes, or an empty mask.

    """
    image = open_image(path)
    if image.shape[:3] != like.shape[:3] or not np.allclose(image.affine, like.affine, atol=1e-3):
        raise DataError(
            f'{path} (shape {image.shape}) is not on the grid of {like.get_filename()} '
            f'(shape {like.shape[:3]}). Give a mask of the same space and resolution.'
        )
    mask = np.asarray(image.dataobj) > 0.5
    if not mask.any():
        raise DataError(f'{path} is empty: no voxel is above 0.')
    return mask


def save_map(values: np.ndarray, mask: np.ndarray, like: nb.Nifti1Image, path: Path) -> Path:
    """Write (N,) values, or (T, N) series, at the voxels of ``mask`` as float32; 0 elsewhere."""
    volume = np.zeros((*mask.shape, *values.shape[:-1]), np.float32)
    volume[mask] = values.T
    image = nb.Nifti1Image(volume, like.affine)
    image.header.set_xyzt_units('mm', 'sec')
    if values.ndim == 2:
        image.header.set_zooms((*like.header.get_zooms()[:3], like.header.get_zooms()[3]))
    nb.save(image, path)
    return path


def _open_stream(path: Path, stack: ExitStack) -> IO[bytes] | gzip.GzipFile:
    if path.suffix == '.gz':
        return stack.enter_context(gzip.open(path))
    return stack.enter_context(path.open('rb'))


def _read(stream: IO[bytes] | gzip.GzipFile, size: int, path: Path, number: int, total: int) -> bytes:
    try:
        data = stream.read(size)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(
            f'{path} is damaged at volume {number} of {total} ({error}). Copy or fetch the file again.'
        ) from error
    if len(data) < size:
        raise DataError(f'{path} ends at volume {number} of {total}. Copy or fetch the file again.')
    return data
