"""Read a 4D series once, volume by volume, into the voxels of a mask; every damage is named."""

import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import nibabel as nb
import numpy as np
from isal import isal_zlib as inflate  # zlib's format, several times as fast
from isal.igzip import IGzipFile
from nibabel.filebasedimages import ImageFileError

from ..errors import DataError, MissingInputError

_GZIP = 31  # window bits that mean: a gzip header and checksum
_PIECE = 1 << 20
_LEVEL = 2  # of 0 to 3: files as small as zlib's at level 6
_ROWS = 16  # volumes multiplied at once


class MaskedSeries(NamedTuple):
    """Series at the voxels of a mask, and the temporal mean of every voxel of the grid."""

    series: np.ndarray
    mean: np.ndarray


def open_image(path: Path) -> nb.Nifti1Image:
    """Open a NIfTI file.

    Raises
    ------
    MissingInputError
        Not there: a link whose content was not fetched.
    DataError
        Empty, cut short within the header, or no NIfTI.

    """
    if not path.exists():
        raise MissingInputError(f'{path} is not here, or a link without its content. Fetch it (datalad get).')
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
    """Yield the scaled float32 volumes (X, Y, Z) of a NIfTI in order, two in memory at a time.

    The next volume is read and decompressed in a second thread while the caller works on this one.

    Raises
    ------
    DataError
        The file ends early or is corrupt, or a volume holds NaN or infinity.

    """
    volumes = _scaled_volumes(path)
    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(next, volumes, None)
        while (volume := ahead.result()) is not None:
            ahead = reader.submit(next, volumes, None)
            yield volume


def _scaled_volumes(path: Path) -> Iterator[np.ndarray]:
    stored: Any = open_series(path).dataobj  # on disk: its scaling and offset, not yet its values
    slope, inter = np.float32(stored.slope), np.float32(stored.inter)
    for number, values in enumerate(iterate_stored(path)):
        volume = values.astype(np.float32)
        if slope != 1 or inter != 0:
            volume *= slope
            volume += inter
        if values.dtype.kind == 'f' and not np.isfinite(volume.sum(dtype=np.float64)):
            raise DataError(
                f'{path}: volume {number} holds NaN or infinite values. '
                'Mend the file, or exclude it with --bids-filter-file.'
            )
        yield volume


def iterate_stored(path: Path) -> Iterator[np.ndarray]:
    """Yield the volumes (X, Y, Z) of a 4D NIfTI as they are stored, without its scaling.

    Raises
    ------
    DataError
        The file ends early or is corrupt.

    """
    image = open_series(path)
    shape, dtype = image.shape, image.header.get_data_dtype()
    size = int(np.prod(shape[:3])) * dtype.itemsize
    stored: Any = image.dataobj
    with ExitStack() as stack:
        stream = _open_stream(path, stack)
        _read(stream, int(stored.offset), path, 0, shape[3])
        for number in range(shape[3]):
            data = _read(stream, size, path, number, shape[3])
            yield np.frombuffer(data, dtype).reshape(shape[:3], order='F')
        _read(stream, 0, path, shape[3], shape[3])  # the checksum stands behind the last volume


def read_masked(path: Path, mask: np.ndarray, keep: np.ndarray) -> MaskedSeries:
    """Read the voxels of a mask and the mean of the whole grid in one pass.

    Parameters
    ----------
    path
        4D NIfTI.
    mask
        (X, Y, Z) bool on the same grid.
    keep
        (T,) bool: volumes that enter the mean (all are returned).

    Returns
    -------
    MaskedSeries
        ``series`` (T, n_voxels) float32, voxels in C order; ``mean`` (X, Y, Z) float32.

    """
    series = np.empty((len(keep), int(mask.sum())), np.float32)
    total = np.zeros(mask.shape, np.float64, order='F')  # the order of the file: no strided access
    inside = _positions(mask)
    # volumes first: zip then asks for one more, and the checksum behind the last is read
    for volume, row, kept in zip(iterate_volumes(path), series, keep):
        np.take(volume.reshape(-1, order='F'), inside, out=row, mode='clip')  # 'raise' goes by a copy
        if kept:
            total += volume
    return MaskedSeries(series, (total / max(int(keep.sum()), 1)).astype(np.float32))


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
        raise DataError(f'{path} is empty: no voxel is above 0. Give another mask, or run fMRIPrep again.')
    return mask


def save_map(values: np.ndarray, mask: np.ndarray, like: nb.Nifti1Image, path: Path) -> Path:
    """Write (N,) values, or (T, N) series, at the voxels of ``mask`` as float32; 0 elsewhere."""
    shape = (*mask.shape, *values.shape[:-1])
    return _write(_on_grid(np.atleast_2d(values), mask), _header(like, shape, np.float32), path)


def save_product(
    left: np.ndarray, right: np.ndarray, mask: np.ndarray, like: nb.Nifti1Image, path: Path
) -> Path:
    """Write the series ``left`` (T, K) times ``right`` (K, N) as :func:`save_map` does, few volumes in memory."""
    rows = (row for part in range(0, len(left), _ROWS) for row in left[part : part + _ROWS] @ right)
    return _write(_on_grid(rows, mask), _header(like, (*mask.shape, len(left)), np.float32), path)


def save_volume(volume: np.ndarray, like: nb.Nifti1Image, path: Path) -> Path:
    """Write an array on the grid of ``like``, with its codes of space, voxel size and time step."""
    return _write([volume], _header(like, volume.shape, volume.dtype), path)


def _header(like: nb.Nifti1Image, shape: tuple[int, ...], dtype: Any) -> nb.Nifti1Header:
    header = nb.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header.set_sform(like.affine, int(like.header['sform_code']) or 2)
    header.set_qform(like.affine, int(like.header['qform_code']), strip_shears=True)
    if len(like.shape) >= len(shape):
        header.set_zooms(like.header.get_zooms()[: len(shape)])
    header.set_xyzt_units('mm', 'sec')
    header.set_slope_inter(1, 0)
    header.set_data_offset(header.single_vox_offset)
    return header


def _on_grid(rows: Iterable[np.ndarray], mask: np.ndarray) -> Iterator[np.ndarray]:
    """Yield each row of mask voxels as a volume; the array is the same every time."""
    volume = np.zeros(mask.shape, np.float32, order='F')
    inside = _positions(mask)
    for row in rows:
        volume.reshape(-1, order='F')[inside] = row
        yield volume


def _positions(mask: np.ndarray) -> np.ndarray:
    """Return where the voxels of a mask, in C order, stand in a file: first axis fastest."""
    return np.ravel_multi_index(tuple(np.nonzero(mask)), mask.shape, order='F')


def _write(volumes: Iterable[np.ndarray], header: nb.Nifti1Header, path: Path) -> Path:
    """Write a NIfTI; its gzip header holds neither name nor time."""
    with ExitStack() as stack:
        stream: Any = stack.enter_context(path.open('wb'))
        if path.suffix == '.gz':
            stream = stack.enter_context(IGzipFile('', 'wb', _LEVEL, stream, mtime=0))
        stream.write(header.binaryblock + bytes(header.single_vox_offset - header.sizeof_hdr))
        for volume in volumes:
            stream.write(volume.tobytes(order='F'))
    return path


def _open_stream(path: Path, stack: ExitStack) -> IO[bytes]:
    stream = stack.enter_context(path.open('rb'))
    return cast(IO[bytes], _Unzipped(stream)) if path.suffix == '.gz' else stream


class _Unzipped:
    """Read a gzip stream in large pieces; several times the speed of the standard library's file."""

    def __init__(self, compressed: IO[bytes]) -> None:
        self._compressed = compressed
        self._member = inflate.decompressobj(_GZIP)

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer at the end of the file."""
        if not size:
            return self._next(1)
        pieces = []
        while size > 0 and (piece := self._next(size)):
            pieces.append(piece)
            size -= len(piece)
        return b''.join(pieces)

    def _next(self, size: int) -> bytes:
        while True:
            if self._member.eof:
                following = self._member.unused_data or self._compressed.read(_PIECE)
                if not following.rstrip(b'\0'):
                    return b''
                self._member = inflate.decompressobj(_GZIP)  # files of several members end to end
            else:
                following = self._member.unconsumed_tail or self._compressed.read(_PIECE)
            piece = self._member.decompress(following, size)
            if piece:
                return bytes(piece)
            if not following and not self._member.eof:
                raise EOFError('the compressed data end early')


def _read(stream: IO[bytes], size: int, path: Path, number: int, total: int) -> bytes:
    try:
        data = stream.read(size)
    except (EOFError, OSError, zlib.error, inflate.error) as error:  # type: ignore[misc]
        raise DataError(
            f'{path} is damaged at volume {number} of {total} ({error}). Copy or fetch the file again.'
        ) from error
    if len(data) < size:
        raise DataError(f'{path} ends at volume {number} of {total}. Copy or fetch the file again.')
    return data
