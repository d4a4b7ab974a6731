"""Preprocess one BOLD run: steady state, slice timing, head motion, coregistration, resampling."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy import ndimage

from ..errors import DataError
from ..numerics.confounds import count_non_steady
from ..numerics.motion import realign
from ..numerics.resample import resample
from ..numerics.timing import correct_slice_timing, reference_time
from ._interface import interface
from ._series import load_image, write_series, write_volume
from .headers import open_series
from .images import iterate_volumes

_N_REFERENCE = 16
_HEAD_SHARE = 0.25  # of the bright voxels: below lies air


class _Prepared(NamedTuple):
    series: Path
    n_dummy: int
    boldref: Path
    head_mask: Path


class _Shifted(NamedTuple):
    series: Path
    metadata: dict[str, Any]


class _Motion(NamedTuple):
    motion: Path


def prepare_series(bold: Path, t_r: float, dummy_scans: int | None = None, *, out_dir: Path) -> _Prepared:
    """Unpack a run, find its steady state and average a reference.

    Parameters
    ----------
    bold
        4D NIfTI as acquired.
    t_r
        Repetition time, s.
    dummy_scans
        Leading volumes to leave out; found from the global signal by default.
    out_dir
        Folder of the results.

    Returns
    -------
    _Prepared
        Float32 series, number of leading volumes, reference and head mask.

    Raises
    ------
    DataError
        If the file is damaged or fewer than two steady volumes are left.

    """
    image = open_series(bold)
    means: list[float] = []

    def volumes() -> Iterator[np.ndarray]:
        for volume in iterate_volumes(bold):
            means.append(float(volume.mean(dtype=float)))
            yield volume

    series = write_series(out_dir / 'series.nii', volumes(), image.shape, image.affine, t_r)
    n_dummy = count_non_steady(np.array(means)) if dummy_scans is None else dummy_scans
    if len(means) - n_dummy < 2:
        raise DataError(f'{bold}: {n_dummy} of {len(means)} volumes are not steady. Lower --dummy-scans.')
    reference, head = _average(series, n_dummy)
    boldref = write_volume(reference, image.affine, out_dir / 'boldref.nii')
    mask = write_volume(head.astype(np.uint8), image.affine, out_dir / 'head_mask.nii')
    return _Prepared(series, n_dummy, boldref, mask)


PrepareSeries = interface(prepare_series)


def _average(series: Path, n_dummy: int) -> tuple[np.ndarray, np.ndarray]:
    """Average realigned volumes spread over the run, twice: first onto the middle one."""
    image = load_image(series)
    chosen = np.unique(np.linspace(n_dummy, image.shape[3] - 1, _N_REFERENCE).round().astype(int))
    volumes = [np.asarray(image.dataobj[..., number]) for number in chosen]
    reference = volumes[len(volumes) // 2]
    head = _head(reference)
    for _ in range(2):
        matrices = realign(volumes, reference, image.affine, head)
        moved = [
            resample(volume, image.affine, volume.shape, image.affine, linear=matrix, order=3)
            for volume, matrix in zip(volumes, matrices)
        ]
        # the median resists volumes taken during a sudden movement
        reference = np.clip(np.median(moved, axis=0), 0, None).astype(np.float32)
    return reference, head


def _head(volume: np.ndarray) -> np.ndarray:
    """Return the largest bright object, holes filled."""
    bright = ndimage.gaussian_filter(volume, 1.0) > _HEAD_SHARE * np.percentile(volume, 98)
    labels, count = ndimage.label(bright)
    if not count:
        raise DataError('no head is visible in the BOLD series: all volumes are blank')
    return ndimage.binary_fill_holes(labels == np.argmax(np.bincount(labels.ravel())[1:]) + 1)


def shift_slices(
    series: Path,
    bold: Path,
    t_r: float,
    n_dummy: int,
    slice_timing: list[float],
    slice_encoding_direction: Literal['i', 'i-', 'j', 'j-', 'k', 'k-'] = 'k',
    *,
    out_dir: Path,
) -> _Shifted:
    """Shift every slice of a run to the middle of the acquisition of a volume.

    Parameters
    ----------
    series
        Float32 4D series.
    bold
        The file it came from, for messages.
    t_r
        Repetition time, s.
    n_dummy
        Leading volumes that stay as they are.
    slice_timing
        Onset of every slice, s.
    slice_encoding_direction
        Axis of the slices.
    out_dir
        Folder of the result.

    Returns
    -------
    _Shifted
        Series, and what sidecars say.

    Raises
    ------
    DataError
        If ``SliceTiming`` does not fit the image.

    """
    image = load_image(series)
    data = np.array(image.dataobj, dtype=np.float32, order='F')
    try:
        correct_slice_timing(data, slice_timing, t_r, direction=slice_encoding_direction, n_dummy=n_dummy)
    except ValueError as error:
        raise DataError(
            f'{bold}: SliceTiming: {error}. Mend the sidecar or use --ignore slicetiming.'
        ) from error
    volumes = (data[..., number] for number in range(image.shape[3]))
    path = write_series(out_dir / 'shifted.nii', volumes, image.shape, image.affine, t_r)
    return _Shifted(path, {'SliceTimingCorrected': True, 'StartTime': reference_time(slice_timing)})


ShiftSlices = interface(shift_slices)


def estimate_motion(
    series: Path,
    boldref: Path,
    head_mask: Path,
    first: int,
    last: int,
    sloppy: bool = False,
    *,
    out_dir: Path,
) -> _Motion:
    """Realign volumes ``first`` to ``last`` (not included) to the reference.

    Parameters
    ----------
    series
        Float32 4D series.
    boldref, head_mask
        Reference and the voxels that are compared.
    first, last
        Range of volumes.
    sloppy
        Stop at the smoother resolution.
    out_dir
        Folder of the result.

    Returns
    -------
    _Motion
        (last - first, 4, 4) matrices from points of the reference to points of each volume.

    """
    image, reference = load_image(series), load_image(boldref)
    volumes = (np.asarray(image.dataobj[..., number]) for number in range(first, last))
    mask = np.asarray(load_image(head_mask).dataobj)
    matrices = realign(volumes, reference.get_fdata(dtype=np.float32), image.affine, mask, sloppy=sloppy)
    path = out_dir / 'motion.npy'
    np.save(path, matrices)
    return _Motion(path)


EstimateMotion = interface(estimate_motion)
