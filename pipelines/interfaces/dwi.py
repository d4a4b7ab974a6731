"""Preprocess the diffusion scans of one session: noise, motion, distortion, one resampling."""

from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd

from ..errors import DataError
from ..numerics import dwi as scans
from ..numerics.course import VolumeCourse
from ..numerics.gain import relative_gains
from ..numerics.gradients import Gradients, find_shells, rotate
from ..numerics.motion import framewise_displacement, head_centre, motion_parameters
from ..numerics.noise import denoise
from ..numerics.register import bias_correct
from ..numerics.resample import apply_linear, grid_points, sample
from ..terms import MOTION
from ._anatomy import naming
from ._diffusion import (
    inside,
    load_course,
    load_table,
    read_dwi,
    write_course,
    write_gradient_table,
)
from ._interface import interface
from ._series import load_image, write_series, write_volume
from .design import save_table
from .transforms import read_field, read_linear


class _Prepared(NamedTuple):
    series: Path
    gradients: Path
    motion: Path
    b0: Path
    mask: Path


class _Resampled(NamedTuple):
    dwi: Path
    gradients: Path
    dwiref: Path
    dwi_mask: Path
    confounds: Path
    facts: dict[str, Any]


class _Moved(NamedTuple):
    """Volumes (N,) of one scan at the person's points, its table turned along, its course, slices dropped (Z, T)."""

    volumes: list[np.ndarray]
    table: Gradients
    course: VolumeCourse
    dropped: np.ndarray


def prepare_scan(
    dwi: Path,
    bval: Path,
    bvec: Path,
    axis: str = '',
    unringing: bool = False,
    sloppy: bool = False,
    *,
    out_dir: Path,
) -> _Prepared:
    """Check, denoise and align one scan on its own grid.

    Parameters
    ----------
    dwi, bval, bvec
        Scan and gradient table in FSL's convention.
    axis
        Phase-encoding axis ``i``, ``j`` or ``k``, empty if it is not known.
    unringing
        Remove Gibbs ringing.
    sloppy
        Coarse alignment, no denoising.
    out_dir
        Folder of the results.

    Returns
    -------
    _Prepared
        Float32 series whose dropped slices are replaced, gradients in RAS, course, mean b = 0 image, brain mask.

    Raises
    ------
    DataError
        The table or the image cannot be used.

    """
    table, data, affine = read_dwi(dwi, bval, bvec)
    with naming(dwi):
        mask = scans.find_mask(data)
        data = data if sloppy else denoise(data, mask)
        data = scans.unring(data) if unringing else data
        along = 'ijk'.index(axis) if axis else None
        data, course, dropped = scans.align(data, table, affine, mask, along, sloppy=sloppy)
    volumes = (data[..., number] for number in range(data.shape[3]))
    return _Prepared(
        write_series(out_dir / 'series.nii', volumes, data.shape, affine, 1.0),
        write_gradient_table(out_dir / 'gradients.npz', table),
        write_course(out_dir / 'motion.npz', course, dropped),
        write_volume(scans.average_b0(data, table, affine, course.matrices), affine, out_dir / 'b0.nii'),
        write_volume(mask.astype(np.uint8), affine, out_dir / 'mask.nii'),
    )


PrepareScan = interface(prepare_scan)


def resample_scans(
    series: list[Path],
    gradients: list[Path],
    motion: list[Path],
    scan_xfms: list[Path],
    displacements: list[Path],
    person2dwi_xfm: Path,
    person_mask: Path,
    *,
    out_dir: Path,
) -> _Resampled:
    """Bring all volumes of a session to the person's grid through one interpolation.

    Parameters
    ----------
    series, gradients, motion
        Of every scan, see :func:`prepare_scan`.
    scan_xfms
        Points of the session's reference to points of the reference of every scan.
    displacements
        Field of every scan on the grid of the session's reference: undistorted to distorted points;
        empty when none is known.
    person2dwi_xfm
        Points of the person's space to points of the session's reference.
    person_mask
        Brain on the person's grid.
    out_dir
        Folder of the results.

    Returns
    -------
    _Resampled
        Series, its gradients turned along, mean b = 0 image, mask, motion table, facts.

    Raises
    ------
    DataError
        If the scan does not overlap with the brain.

    Notes
    -----
    A volume at the person's point x is read at E(M(R(C x) + d(C x))) with coregistration C, scan R,
    distortion d, motion M and eddy currents E, times 1 + the derivative of d and of E along themselves where
    signal was piled up.
    Scans of different gain are then brought to that of the first, see
    :func:`~pipelines.numerics.gain.relative_gains`; one without b = 0 image stays as it is.

    """
    like = load_image(person_mask)
    points = grid_points(like.shape, np.asarray(like.affine, dtype=float))
    coregistration = read_linear(person2dwi_xfm)
    moved = [
        _bring(
            path, (gradients[n], motion[n], scan_xfms[n]), displacements[n : n + 1], points, coregistration
        )
        for n, path in enumerate(series)
    ]
    gains = _even_out(moved, like.shape, inside(person_mask))
    return _finish(moved, gains, like, inside(person_mask), out_dir)


def _bring(
    series: Path, about: tuple[Path, Path, Path], displacement: list[Path], points: np.ndarray,
    coregistration: np.ndarray,
) -> _Moved:  # fmt: skip
    """Return the volumes of one scan at the person's points; ``about`` are table, motion and its place."""
    image, table, (course, dropped) = load_image(series), load_table(about[0]), load_course(about[1])
    to_scan = read_linear(about[2])
    at, piled = _distorted(points, coregistration, to_scan, displacement)
    volumes = []
    for t in range(len(course.matrices)):
        places, spread = course.places(t, at)
        values = sample(np.asarray(image.dataobj[..., t]), image.affine, places, 3)
        volumes.append(np.clip(values * piled * spread, 0, None).astype(np.float32))
    turned = table._replace(bvecs=rotate(table.bvecs, course.matrices @ to_scan @ coregistration))
    return _Moved(volumes, turned, course, dropped)


def _even_out(moved: list[_Moved], shape: tuple[int, ...], mask: np.ndarray) -> np.ndarray:
    """Divide the volumes of every scan by its gain, and return the gains (N,); NaN where it is not known."""
    references = []
    for scan in moved:
        chosen = np.flatnonzero(scan.table.is_b0)
        mean = np.mean([scan.volumes[t] for t in chosen], axis=0).reshape(shape) if len(chosen) else None
        references.append(mean)
    gains = relative_gains(references, mask) if len(moved) > 1 else np.ones(1)
    for scan, gain in zip(moved, gains):
        if np.isfinite(gain) and gain != 1:
            for volume in scan.volumes:
                volume /= np.float32(gain)
    return gains


def _distorted(
    points: np.ndarray, coregistration: np.ndarray, to_scan: np.ndarray, displacement: list[Path]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the points (N, 3) of a scan that show the person's points, and the gain (N,) there."""
    reference = apply_linear(coregistration, points)
    at = apply_linear(to_scan, reference)
    if not displacement:
        return at, np.ones(len(points), np.float32)
    field, grid = read_field(displacement[0])
    shift = sample(field, grid, reference)
    # the field lies along one axis of the array: its derivative along itself is its divergence
    to_voxel = np.linalg.inv(grid[:3, :3])
    in_voxels = field @ to_voxel.T
    gain = 1 + np.sum([np.gradient(in_voxels[..., axis], axis=axis) for axis in range(3)], axis=0)
    return at + shift @ to_scan[:3, :3].T, np.clip(sample(gain, grid, reference), 0, None)


def _motion_table(moved: list[_Moved], table: Gradients, centre: np.ndarray) -> pd.DataFrame:
    parameters = [motion_parameters(scan.course.matrices, centre) for scan in moved]
    frame = pd.DataFrame(np.concatenate(parameters), columns=list(MOTION))
    # no displacement is known from one scan to the next
    frame['framewise_displacement'] = np.concatenate([framewise_displacement(p) for p in parameters])
    frame['outlier_slices'] = np.concatenate([scan.dropped.sum(axis=0) for scan in moved])
    frame['b_value'] = table.bvals
    return frame


def _finish(
    moved: list[_Moved], gains: np.ndarray, like: nb.Nifti1Image, mask: np.ndarray, out_dir: Path
) -> _Resampled:
    affine = np.asarray(like.affine, dtype=float)
    table = Gradients(*(np.concatenate(columns) for columns in zip(*(scan.table for scan in moved))))
    motions = _motion_table(moved, table, head_centre(np.asarray(like.dataobj), affine))
    volumes = [volume.reshape(mask.shape) for scan in moved for volume in scan.volumes]
    chosen = np.flatnonzero(table.is_b0) if table.is_b0.any() else np.arange(len(volumes))
    b0 = np.mean([volumes[t] for t in chosen], axis=0).astype(np.float32)
    mask = scans.has_signal(b0, mask)
    if not mask.any():
        raise DataError('the diffusion scan does not overlap with the brain. Check their orientation.')
    _, bias = bias_correct(b0, affine, mask)
    shape = (*mask.shape, len(volumes))
    dwi = write_series(out_dir / 'dwi.nii', (v / bias for v in volumes), shape, affine, 1.0)
    facts = {
        **describe_table(table),
        'MeanFD': round(float(np.nanmean(motions['framewise_displacement'])), 3),
        'EddyCurrentCorrection': all(scan.course.direction.any() for scan in moved),
        'OutlierSlices': int(motions['outlier_slices'].sum()),
    }
    if len(gains) > 1:
        facts['RelativeGains'] = [round(float(gain), 4) if np.isfinite(gain) else None for gain in gains]
    return _Resampled(
        dwi,
        write_gradient_table(out_dir / 'gradients.npz', table),
        write_volume(b0 / bias, affine, out_dir / 'dwiref.nii.gz'),
        write_volume(mask.astype(np.uint8), affine, out_dir / 'dwi_mask.nii.gz'),
        save_table(motions, out_dir / 'confounds.tsv'),
        facts,
    )


def describe_table(table: Gradients) -> dict[str, Any]:
    """Return what sidecars say of a gradient table."""
    return {
        'NumberOfVolumes': len(table.bvals),
        'NumberOfB0': int(table.is_b0.sum()),
        'NumberOfDirections': table.directions(~table.is_b0),
        'BValues': [round(b) for b, _ in find_shells(table.bvals)],
    }
