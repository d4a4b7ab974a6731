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

from ..errors import DataError
from .headers import open_image, open_series

_GZIP = 31  # window bits that mean: a gzip header and checksum
_PIECE = 1 << 20
_LEVEL = 2  # of 0 to 3: files as small as zlib's at level 6
_ROWS = 16  # volumes multiplied at once


class MaskedSeries(NamedTuple):
    """Series at the voxels of a mask, and the temporal mean of every voxel of the grid."""

    series: np.ndarray
    mean: np.ndarray


def iterate_volumes(path: Path) -> Iterator[np.ndarray]:
    """Yield the scaled float32 volumes (X, Y, Z) of a NIfTI in order, two in memory at a time.

    Raises
    ------
    DataError
        The file ends early or is corrupt, or a volume holds NaN or infinity.

    """
    for number, (volume, is_finite) in enumerate(_volumes_ahead(path)):
        if not is_finite:
            raise _not_finite(path, number)
        yield volume


def _volumes_ahead(path: Path) -> Iterator[tuple[np.ndarray, bool]]:
    """Yield scaled volumes, the next one being read in a second thread, and whether all values are finite."""
    volumes = _scaled_volumes(path)
    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(next, volumes, None)
        while (found := ahead.result()) is not None:
            ahead = reader.submit(next, volumes, None)
            yield found


def _scaled_volumes(path: Path) -> Iterator[tuple[np.ndarray, bool]]:
    stored: Any = open_series(path).dataobj  # on disk: its scaling and offset, not yet its values
    slope, inter = np.float32(stored.slope), np.float32(stored.inter)
    for values in iterate_stored(path):
        volume = values.astype(np.float32)
        if slope != 1 or inter != 0:
            volume *= slope
            volume += inter
        yield volume, values.dtype.kind != 'f' or _is_finite(volume)


def _is_finite(values: np.ndarray) -> bool:
    return bool(np.isfinite(values.sum(dtype=np.float64)))  # one pass, and no array beside


def _not_finite(path: Path, number: int, where: str = '') -> DataError:
    return DataError(
        f'{path}: volume {number} holds NaN or infinite values{where}. '
        'Mend the file, or exclude it with --bids-filter-file.'
    )


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
        _read(stream, int(stored.offset), path, f' at volume 0 of {shape[3]}')
        for number in range(shape[3]):
            data = _read(stream, size, path, f' at volume {number} of {shape[3]}')
            yield np.frombuffer(data, dtype).reshape(shape[:3], order='F')
        # the checksum stands behind the last volume
        _read(stream, 0, path, f' at volume {shape[3]} of {shape[3]}')


def values_of(image: nb.Nifti1Image) -> np.ndarray:
    """Return the scaled float32 values of an image of few volumes that was opened; its checksum is verified.

    Raises
    ------
    DataError
        The file ends early or is corrupt.

    """
    path, dtype, stored = Path(image.get_filename()), image.get_data_dtype(), image.dataobj
    with ExitStack() as stack:
        stream = _open_stream(path, stack)
        _read(stream, int(stored.offset), path)
        data = _read(stream, int(np.prod(image.shape)) * dtype.itemsize, path)
        _read(stream, 0, path)
    values = np.frombuffer(data, dtype).reshape(image.shape, order='F').astype(np.float32)
    return values * np.float32(stored.slope) + np.float32(stored.inter)


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

    Raises
    ------
    DataError
        The file ends early or is corrupt, or a voxel of the mask holds NaN or infinity.

    Notes
    -----
    Outside the mask NaN and infinity say that nothing was measured: they count as 0.

    """
    series = np.empty((len(keep), int(mask.sum())), np.float32)
    total = np.zeros(mask.shape, np.float64, order='F')  # the order of the file: no strided access
    inside = _positions(mask)
    # volumes first: zip then asks for one more, and the checksum behind the last is read
    for number, ((volume, is_finite), row, kept) in enumerate(zip(_volumes_ahead(path), series, keep)):
        np.take(volume.reshape(-1, order='F'), inside, out=row, mode='clip')  # 'raise' goes by a copy
        if not is_finite:
            if not _is_finite(row):
                raise _not_finite(path, number, ' inside the brain mask')
            np.nan_to_num(volume, copy=False, nan=0, posinf=0, neginf=0)
        if kept:
            total += volume
    return MaskedSeries(series, (total / max(int(keep.sum()), 1)).astype(np.float32))


def load_mask(path: Path, like: nb.Nifti1Image) -> np.ndarray:
    """Return a 3D mask as bool, refusing one on another grid; a trailing axis of length 1 is none.

    Raises
    ------
    DataError
        Naming both files and shapes, or an empty mask.

    """
    image = open_image(path)
    is_3d = len(image.shape) >= 3 and set(image.shape[3:]) <= {1}
    if not is_3d:
        raise DataError(f'{path} has shape {image.shape}; a mask has three dimensions. Give another mask.')
    if image.shape[:3] != like.shape[:3] or not np.allclose(image.affine, like.affine, atol=1e-3):
        raise DataError(
            f'{path} (shape {image.shape}) is not on the grid of {like.get_filename()} '
            f'(shape {like.shape[:3]}). Give a mask of the same space and resolution.'
        )
    mask = values_of(image).reshape(image.shape[:3]) > 0.5
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


def _read(stream: IO[bytes], size: int, path: Path, where: str = '') -> bytes:
    try:
        data = stream.read(size)
    except (EOFError, OSError, zlib.error, inflate.error) as error:  # type: ignore[misc]
        raise DataError(f'{path} is damaged{where} ({error}). Copy or fetch the file again.') from error
    if len(data) < size:
        raise DataError(f'{path} ends{where or " early"}. Copy or fetch the file again.')
    return data
