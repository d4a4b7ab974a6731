"""Find where susceptibility displaced the signal of a BOLD run, from two EPI or from the T1w image."""

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from ..errors import DataError
from ..numerics.coregister import coregister as find_rigid
from ..numerics.register import bias_correct, register_rigid
from ..numerics.resample import resample
from ..numerics.susceptibility import (
    displacement_mm,
    estimate_pair_field,
    field_in_hz,
    shift_in_voxels,
    unwarp,
)
from ..numerics.susceptibility_t1w import register_along_axis
from ._anatomy import load
from ._interface import interface
from ._series import load_image, write_volume
from .transforms import read_linear, write_field

Direction = Literal['i', 'i-', 'j', 'j-', 'k', 'k-']

_SAME_READOUT = 0.01  # share by which two readout times may differ


class _Distortion(NamedTuple):
    displacement: Path
    boldref: Path


def estimate_distortion(
    boldref: Path,
    phase_encoding: Direction,
    total_readout_time: float,
    epi: list[Path],
    epi_directions: list[str],
    epi_readout_times: list[float],
    random_seed: int,
    sloppy: bool = False,
    *,
    out_dir: Path,
) -> _Distortion:
    """Estimate the displacement of a BOLD reference from a pair of EPI, and correct the reference.

    Parameters
    ----------
    boldref
        Reference of the run.
    phase_encoding, total_readout_time
        Of the run; the time in s.
    epi
        Two images of opposite phase encoding, acquired one after the other; series are averaged.
    epi_directions, epi_readout_times
        Of each of the two.
    random_seed
        Of the registration between the pair and the reference, not 0.
    sloppy
        Coarse estimates.
    out_dir
        Folder of the results.

    Returns
    -------
    _Distortion
        Displacement field, points of the corrected reference to points of the run's reference, and
        the corrected reference.

    Raises
    ------
    DataError
        If the two are no pair.

    Notes
    -----
    The member of the pair whose phase encoding is the run's own is registered to the reference
    (rigid), and the field carried over in Hz.

    """
    axis, polarity = 'ijk'.index(phase_encoding[0]), -1 if phase_encoding.endswith('-') else 1
    reference = load_image(boldref)
    values, grid = reference.get_fdata(dtype=np.float32), reference.affine
    order = _check_pair(epi, epi_directions, epi_readout_times)
    pair, affine = _load_pair([epi[number] for number in order])
    along = 'ijk'.index(epi_directions[0][0])
    u = estimate_pair_field(pair[0], pair[1], affine, axis=along, sloppy=sloppy)
    hertz = field_in_hz(u, float(np.mean(epi_readout_times)))
    same = next((k for k, n in enumerate(order) if epi_directions[n] == phase_encoding), 0)
    matrix = register_rigid(values, grid, pair[same], affine, rng_seed=random_seed, sloppy=sloppy)
    carried = resample(hertz, affine, values.shape, grid, linear=matrix)
    shift = shift_in_voxels(carried, total_readout_time)
    field = displacement_mm(polarity * shift, grid, axis)
    corrected = np.clip(unwarp(values, shift, axis, polarity, modulate=False), 0, None)
    path = write_volume(corrected, grid, out_dir / 'boldref_corrected.nii')
    return _Distortion(write_field(out_dir / 'displacement.nii', field, grid), path)


EstimateDistortion = interface(estimate_distortion)


def register_distortion(
    boldref: Path,
    t1w_preproc: Path,
    t1w_mask: Path,
    session_xfm: Path,
    phase_encoding: Direction,
    random_seed: int,
    sloppy: bool = False,
    *,
    out_dir: Path,
) -> _Distortion:
    """Estimate the displacement of a BOLD reference from the T1w image, and correct the reference.

    Parameters
    ----------
    boldref
        Reference of the run.
    t1w_preproc, t1w_mask
        T1w image and its brain mask.
    session_xfm
        Points of that image to points of the scanner during the run's session.
    phase_encoding
        Of the run; only the axis counts.
    random_seed
        Of the rigid registration that comes before, not 0.
    sloppy
        Coarse estimates.
    out_dir
        Folder of the results.

    Returns
    -------
    _Distortion
        As :func:`estimate_distortion`.

    """
    (values, grid), head = load(boldref), load(t1w_preproc)
    brain, axis = load(t1w_mask)[0] > 0.5, 'ijk'.index(phase_encoding[0])
    even, _ = bias_correct(values, grid, iterations=(20, 20))
    starts = [read_linear(session_xfm), None]
    matrix = find_rigid(head, brain, (even, grid), starts=starts, rng_seed=random_seed, sloppy=sloppy)
    back = np.linalg.inv(matrix)
    anatomy = resample(*head, values.shape, grid, linear=back)
    inside = resample(brain.astype(np.float32), head[1], values.shape, grid, linear=back) > 0.5
    u = register_along_axis(anatomy, inside, values, grid, axis=axis, rng_seed=random_seed, sloppy=sloppy)
    corrected = np.clip(unwarp(values, u, axis, 1, modulate=False), 0, None)
    path = write_volume(corrected, grid, out_dir / 'boldref_corrected.nii')
    return _Distortion(write_field(out_dir / 'displacement.nii', displacement_mm(u, grid, axis), grid), path)


RegisterDistortion = interface(register_distortion)


def _check_pair(epi: list[Path], directions: list[str], times: list[float]) -> list[int]:
    """Return the numbers of the images along +axis and -axis."""
    names = ', '.join(str(path) for path in epi)
    if len(epi) != 2 or {d[1:] for d in directions} != {'', '-'} or len({d[0] for d in directions}) != 1:
        raise DataError(
            f'{names}: PhaseEncodingDirection {", ".join(directions)} is no pair of opposite directions. '
            'Mend the sidecars or use --ignore fieldmaps.'
        )
    if abs(times[0] - times[1]) > _SAME_READOUT * max(times):
        raise DataError(
            f'{names}: TotalReadoutTime {times[0]:g} and {times[1]:g} s differ. '
            'Mend the sidecars or use --ignore fieldmaps.'
        )
    return sorted((0, 1), key=lambda number: directions[number].endswith('-'))


def _load_pair(epi: list[Path]) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the two images, averaged over volumes, on the grid of the first, and its affine."""
    images = [load_image(path) for path in epi]
    volumes = [image.get_fdata(dtype=np.float32) for image in images]
    first, second = (volume.mean(axis=3) if volume.ndim == 4 else volume for volume in volumes)
    grid = images[0].affine
    if first.shape != second.shape or not np.allclose(grid, images[1].affine, atol=1e-3):
        second = resample(second, images[1].affine, first.shape, grid)
    return [first, second], grid
