"""Find where susceptibility displaced the signal of a BOLD run: from what was measured, or from the T1w image."""

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from ..acquisition import FieldSource
from ..numerics.coregister import coregister as find_rigid
from ..numerics.register import bias_correct
from ..numerics.resample import resample
from ..numerics.susceptibility import displacement_mm, unwarp
from ..numerics.susceptibility_t1w import register_along_axis
from ._anatomy import load
from ._field import place_source
from ._interface import interface
from ._series import write_volume
from .transforms import read_linear, write_field

Direction = Literal['i', 'i-', 'j', 'j-', 'k', 'k-']


class _Distortion(NamedTuple):
    displacement: Path
    boldref: Path


def estimate_distortion(
    boldref: Path,
    source: FieldSource,
    images: list[Path],
    random_seed: int,
    sloppy: bool = False,
    *,
    out_dir: Path,
) -> _Distortion:
    """Estimate the displacement of a BOLD reference from what was measured beside it, and correct the reference.

    Parameters
    ----------
    boldref
        Reference of the run.
    source, images
        What shows the field, see :func:`~pipelines.interfaces._field.place_source`; series are averaged.
    random_seed
        Of registrations, not 0.
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
        The images are not what they are taken for.

    """
    (values, grid), axis = load(boldref), 'ijk'.index(source.direction[0])
    shift = place_source(source, images, (values, grid), rng_seed=random_seed, sloppy=sloppy).shift
    corrected = np.clip(unwarp(values, shift, axis, 1, modulate=False), 0, None)
    path = write_volume(corrected, grid, out_dir / 'boldref_corrected.nii')
    field = displacement_mm(shift, grid, axis)
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
