"""Open NIfTI files, and refuse by name what their headers get wrong, before any of their data are read."""

import math
import os
import zlib
from pathlib import Path

import nibabel as nb
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from ..access import why_unreadable
from ..errors import DataError, SingleVolumeError

_TIME_UNITS = {16: 1e3, 24: 1e6}
"""Codes of ms and microseconds in bits 3 to 5 of ``xyzt_units``; anything else is taken for seconds."""

_DEFLATED_AT_MOST = 1100
"""How many times larger than the file its content can be: the limit of deflate is 1,032."""

_GZIP_MODULUS = 1 << 32
_PADDING = 512
"""Bytes that programs may add to fill the last block of a file."""

_AGAIN = 'Copy or fetch the file again.'


def open_image(path: Path) -> nb.Nifti1Image:
    """Open a NIfTI file.

    Raises
    ------
    MissingInputError
        Not there, a link whose content was not fetched, or not for this user to read.
    DataError
        Empty, cut short, no NIfTI, without numbers, scaled beyond them, or without orientation.

    """
    if reason := why_unreadable(path):
        raise reason
    if not path.stat().st_size:
        raise DataError(f'{path} is empty (0 bytes). {_AGAIN}')
    try:
        image = nb.load(path)
    except (ImageFileError, HeaderDataError, EOFError, OSError, zlib.error) as error:
        raise DataError(f'{path} cannot be read as NIfTI ({error}). {_AGAIN}') from error
    except (ValueError, OverflowError, MemoryError) as error:  # fields of a header that say nonsense
        raise DataError(f'{path} has a header that cannot be read ({error}). {_AGAIN}') from error
    if not isinstance(image, nb.Nifti1Image):
        raise DataError(f'{path} is no NIfTI file. Convert it.')
    _check_content(path, image)
    _check_scaling(path, image)
    _check_orientation(path, image)
    return image


def _check_content(path: Path, image: nb.Nifti1Image) -> None:
    """Refuse values that are no numbers, and more of them than the file can hold."""
    dtype = image.get_data_dtype()
    if dtype.kind not in 'iuf':
        what = 'complex numbers' if dtype.kind == 'c' else 'colours or other records'
        raise DataError(f'{path} holds {what} ({dtype}), not one number per voxel. Convert it.')
    if len(image.shape) < 3 or min(image.shape) < 1:
        raise DataError(f'{path} has shape {image.shape}, which is none of an image. {_AGAIN}')
    needed = int(image.dataobj.offset) + math.prod(map(int, image.shape)) * dtype.itemsize
    size = path.stat().st_size
    if needed > size * (_DEFLATED_AT_MOST if path.suffix == '.gz' else 1):
        raise DataError(
            f'{path} is cut short or its header is wrong: an image of {" x ".join(map(str, image.shape))} needs '
            f'{needed:,} bytes, and the file has {size:,}. {_AGAIN}'
        )


def _check_scaling(path: Path, image: nb.Nifti1Image) -> None:
    """Refuse a slope and intercept that lead beyond single precision, in which values are computed with."""
    slope, intercept = float(image.dataobj.slope), float(image.dataobj.inter)
    dtype = image.get_data_dtype()
    reach = float(np.iinfo(dtype).max) if dtype.kind in 'iu' else 1.0
    if not abs(slope) * reach + abs(intercept) <= float(
        np.finfo(np.float32).max
    ):  # nor where it is not a number
        raise DataError(
            f'{path} scales its values by {slope:.3g} and adds {intercept:.3g}, which leads beyond all numbers. {_AGAIN}'
        )


def _check_orientation(path: Path, image: nb.Nifti1Image) -> None:
    """Refuse an image that does not say where its voxels lie: neither form has a code, or they are degenerate."""
    if not (int(image.header['sform_code']) or int(image.header['qform_code'])):
        raise DataError(
            f'{path} says nothing of where its voxels lie (sform_code and qform_code are 0), so left and right are '
            'unknown. Convert it again from DICOM, or copy the orientation of the image it was made from.'
        )
    affine = image.affine
    if not np.isfinite(affine).all() or not np.linalg.det(affine[:3, :3]):
        raise DataError(f'{path} has an affine that is no map of voxels to mm. Convert it again.')


def holds_more(path: Path) -> bool:
    """Return whether a file holds more than the image that its header announces, as far as its ends tell.

    Notes
    -----
    A compressed file ends with the size of its last part modulo 4 GiB: larger than the image, it says
    that the header was cut (volumes taken off by editing a number), or that something else stands behind.

    """
    image = open_image(path)
    announced = int(image.dataobj.offset) + math.prod(map(int, image.shape)) * image.get_data_dtype().itemsize
    if path.suffix != '.gz':
        return path.stat().st_size > announced + _PADDING
    with path.open('rb') as stream:
        stream.seek(-4, os.SEEK_END)
        size = int.from_bytes(stream.read(4), 'little')
    return announced < _GZIP_MODULUS and size > announced + _PADDING


def open_series(path: Path) -> nb.Nifti1Image:
    """Open a 4D NIfTI and check that it is one.

    Raises
    ------
    SingleVolumeError
        One volume only, or not four-dimensional.
    DataError
        Not a readable NIfTI.

    """
    image = open_image(path)
    if image.ndim != 4 or image.shape[3] < 2:
        raise SingleVolumeError(
            f'{path} has shape {image.shape}; a BOLD series has four dimensions, the last one time. '
            'Exclude the file with --bids-filter-file or replace it.'
        )
    return image


def repetition_time(path: Path) -> float:
    """Return the time step of the header in seconds; 0 when the header has none."""
    header = open_series(path).header
    step = float(header['pixdim'][4]) / _TIME_UNITS.get(int(header['xyzt_units']) & 0b111000, 1.0)
    return step if np.isfinite(step) and step > 0 else 0.0


SMALL_GB = 0.1
"""A series that has less in memory is worked through sooner than a job of a batch system begins."""


def series_gb(path: Path) -> float:
    """Return the size of a series as float32, in GB, from its header alone."""
    return float(np.prod(open_series(path).shape) * 4 / 1024**3)
