"""Steps of diffusion that a user would name, each of several functions of files, as those of :mod:`.stages`."""

from pathlib import Path
from typing import Any, NamedTuple

from ..numerics.agreement import Correction
from . import dwi, dwi_maps, dwi_preprocessed
from ._interface import interface


class _Session(NamedTuple):
    person_mask: Path
    dwi: Path
    gradients: Path
    dwiref: Path
    dwi_mask: Path
    fa: Path
    md: Path
    ad: Path
    rd: Path
    evec: Path
    metadata: dict[str, Any]
    confounds: Path | None = None


def map_session(
    series: list[Path],
    gradients: list[Path],
    motion: list[Path],
    scan_xfms: list[Path],
    displacements: list[Path],
    person2dwi_xfm: Path,
    person_mask: Path,
    correction: Correction,
    *,
    out_dir: Path,
) -> _Session:
    """Bring the scans of a session to the person's grid and fit a tensor.

    See :func:`~pipelines.interfaces.dwi.resample_scans` and :func:`~pipelines.interfaces.dwi_maps.model_tensor`.
    """
    scans = series, gradients, motion, scan_xfms, displacements
    found = dwi.resample_scans(*scans, person2dwi_xfm, person_mask, out_dir=out_dir)
    maps = dwi_maps.model_tensor(found.dwi, found.gradients, found.dwi_mask, out_dir=out_dir)
    facts = dwi_maps.describe_session(found.facts, maps.facts, correction)
    own = found.dwi, found.gradients, found.dwiref, found.dwi_mask
    return _Session(person_mask, *own, *maps[:5], facts, found.confounds)


def map_preprocessed(
    dwi: Path,
    bval: Path,
    bvec: Path,
    dwi_mask: Path,
    grid_mask: Path,
    person2session_xfm: Path | None = None,
    *,
    out_dir: Path,
) -> _Session:
    """Read one session that QSIPrep preprocessed and fit a tensor; ``grid_mask`` lies on the grid of the person.

    See :func:`~pipelines.interfaces.dwi_preprocessed.read_preprocessed` and
    :func:`~pipelines.interfaces.dwi_maps.model_tensor`.
    """
    person_mask = dwi_preprocessed.adopt_grid(grid_mask, out_dir=out_dir)
    files = dwi, bval, bvec, dwi_mask
    found = dwi_preprocessed.read_preprocessed(*files, person_mask, person2session_xfm, out_dir=out_dir)
    maps = dwi_maps.model_tensor(found.dwi, found.gradients, found.dwi_mask, out_dir=out_dir)
    facts = dwi_maps.describe_session(found.facts, maps.facts, Correction('as QSIPrep did'))
    return _Session(person_mask, *found[:4], *maps[:5], facts)


MapSession = interface(map_session)
MapPreprocessed = interface(map_preprocessed)
