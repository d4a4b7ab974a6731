"""Resample one BOLD run to template space, in chunks of volumes, and join the chunks."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..numerics.agreement import Correction
from ..numerics.resample import apply_field, apply_linear, grid_points, sample
from ._interface import interface
from ._series import load_image, write_series, write_volume
from .headers import open_series
from .transforms import read_field, read_linear

_STANDARD_GRIDS = {
    'MNI152NLin6Asym': ((91, 109, 91), (-90.0, -126.0, -72.0)),
    'MNI152NLin2009cAsym': ((97, 115, 97), (-96.5, -132.5, -78.5)),
}


class _Resampled(NamedTuple):
    bold_std: Path
    bold_native: Path


class _Merged(NamedTuple):
    bold_std: Path
    bold_native: Path
    motion: Path


class _References(NamedTuple):
    boldref_std: Path
    bold_mask_std: Path


def standard_grid(space: str) -> tuple[tuple[int, ...], np.ndarray]:
    """Return shape and affine of the 2 mm grid of a template (``res-2`` of fMRIPrep)."""
    shape, origin = _STANDARD_GRIDS[space]
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = origin
    return shape, affine


def standard_gb(bold: Path, space: str) -> float:
    """Return the size in GB of a run as float32 on the 2 mm grid of a template."""
    return float(np.prod(standard_grid(space)[0]) * open_series(bold).shape[3] * 4 / 1024**3)


def _points_of_reference(space: str, anat2std_xfm: Path, bold2anat_xfm: Path) -> np.ndarray:
    points = grid_points(*standard_grid(space))
    points = apply_field(*read_field(anat2std_xfm), points)
    return apply_linear(read_linear(bold2anat_xfm), points)


def resample_series(
    series: Path,
    motion: Path,
    first: int,
    last: int,
    anat2std_xfm: Path,
    bold2anat_xfm: Path,
    space: str,
    displacement: Path | None = None,
    *,
    out_dir: Path,
) -> _Resampled:
    """Resample volumes ``first`` to ``last`` to template and reference through one interpolation each.

    Parameters
    ----------
    series
        Float32 4D series as acquired (slice timing aside).
    motion
        (last - first, 4, 4) matrices from points of the reference to points of each volume.
    first, last
        Range of volumes.
    anat2std_xfm, bold2anat_xfm
        Template to T1w (field), T1w to BOLD reference (linear).
    space
        Template.
    displacement
        Field from points of the corrected reference to points of the reference, which moves with
        the head; none where distortion stays.
    out_dir
        Folder of the results.

    Returns
    -------
    _Resampled
        Series on the 2 mm grid of the template and on the BOLD grid.

    Notes
    -----
    Intensities are not multiplied by the Jacobian of the displacement: it is constant in time but
    for motion, and its noise would be that of the field.

    """
    image, matrices = load_image(series), np.load(motion)
    t_r = float(image.header.get_zooms()[3])
    shape, affine = standard_grid(space)
    grids = {
        'bold_std': (_points_of_reference(space, anat2std_xfm, bold2anat_xfm), shape, affine),
        'bold_native': (grid_points(image.shape, image.affine), image.shape[:3], image.affine),
    }
    paths = []
    for name, (points, size, to_mm) in grids.items():
        if displacement is not None:
            points = apply_field(*read_field(displacement), points)
        volumes = (
            sample(
                np.asarray(image.dataobj[..., number]), image.affine, apply_linear(matrix, points), 3
            ).reshape(size)
            for number, matrix in zip(range(first, last), matrices)
        )
        paths.append(write_series(out_dir / f'{name}.nii', volumes, (*size, last - first), to_mm, t_r))
    return _Resampled(paths[0], paths[1])


ResampleSeries = interface(resample_series)


def merge_chunks(
    bold_std: list[Path], bold_native: list[Path], motion: list[Path], *, out_dir: Path
) -> _Merged:
    """Join what was done in chunks of volumes."""
    merged = []
    for name, parts in (('bold_std', bold_std), ('bold_native', bold_native)):
        images = [load_image(part) for part in parts]
        shape = (*images[0].shape[:3], sum(image.shape[3] for image in images))
        volumes = (np.asarray(image.dataobj[..., n]) for image in images for n in range(image.shape[3]))
        t_r = float(images[0].header.get_zooms()[3])
        merged.append(write_series(out_dir / f'{name}.nii', volumes, shape, images[0].affine, t_r))
    matrices = out_dir / 'motion.npy'
    np.save(matrices, np.concatenate([np.load(part) for part in motion]))
    return _Merged(merged[0], merged[1], matrices)


def resample_references(
    boldref: Path, bold_mask: Path, anat2std_xfm: Path, bold2anat_xfm: Path, space: str, *, out_dir: Path
) -> _References:
    """Resample reference and brain mask of a run to the template's 2 mm grid."""
    shape, affine = standard_grid(space)
    points = _points_of_reference(space, anat2std_xfm, bold2anat_xfm)
    paths = []
    for name, source, order in (('boldref_std', boldref, 3), ('bold_mask_std', bold_mask, 1)):
        image = load_image(source)
        values = sample(image.get_fdata(dtype=np.float32), image.affine, points, order).reshape(shape)
        values = (values > 0.5).astype(np.uint8) if order == 1 else np.clip(values, 0, None)
        paths.append(write_volume(values, affine, out_dir / f'{name}.nii'))
    return _References(paths[0], paths[1])


def describe_run(
    n_dummy: int,
    summary: dict[str, Any],
    noise_voxels: dict[str, int],
    timing: dict[str, Any] | None = None,
    distortion: Correction | None = None,
) -> dict[str, Any]:
    """Return what sidecars and report say of the preprocessing of a run."""
    return {
        'SkippedDummyScans': n_dummy,
        'SliceTimingCorrected': False,
        **(distortion or Correction()).facts(),
        'NoiseMaskVoxels': noise_voxels,
        **(timing or {}),
        **summary,
    }
