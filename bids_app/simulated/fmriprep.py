"""A preprocessed run laid out as fMRIPrep does."""

from pathlib import Path
from typing import Any

import numpy as np

from pipelines.numerics.motion import framewise_displacement
from pipelines.simulated import confounds as simulate_confounds

from .anatomy import REGION_LABELS, Anatomy
from .files import Given, Request, write_json, write_nifti, write_simulated_table
from .people import Person
from .series import noise_masks, simulate_run


def write_fmriprep(
    request: Request, anatomy: Anatomy, voxel: float, person: Person, given: Given | None
) -> dict[str, Any]:
    """Write one preprocessed run and return what was planted."""
    folder = person.folder(request.directory, 'func')
    sources, series = simulate_run(request, anatomy, person, given)
    stem = folder / f'{person.prefix}_task-rest'
    if given:
        Path(f'{stem}_desc-confounds_timeseries.tsv').write_bytes(given.table)
        Path(f'{stem}_desc-confounds_timeseries.json').write_bytes(given.metadata)
    else:
        table, metadata = simulate_confounds.confounds(
            series, noise_masks(anatomy), sources.motion, request.t_r
        )
        write_simulated_table(Path(f'{stem}_desc-confounds_timeseries.tsv'), table)
        write_json(Path(f'{stem}_desc-confounds_timeseries.json'), metadata)
    _write_images(request, anatomy, voxel, f'{stem}_space-{request.space}', series)
    fd = framewise_displacement(sources.motion)
    return {
        'NAcMPFCCorrelation': person.rho,
        'FisherZ': float(np.arctanh(person.rho)),
        'MeanFD': float(np.nanmean(fd)),
        'NVoxels': {name: int(region.sum()) for name, region in zip(REGION_LABELS, anatomy.regions)},
        'ConfoundsFrom': 'file' if given else 'simulation',
    }


def _write_images(request: Request, anatomy: Anatomy, voxel: float, stem: str, series: np.ndarray) -> None:
    # fMRIPrep calls the template's own 2 mm grid res-2
    label = f'{voxel:g}'.replace('.', 'p')
    stem = f'{stem}_res-{label}'
    shared = {'Resolution': f'{voxel:g} mm isotropic', 'Sources': []}
    timing = {
        'RepetitionTime': request.t_r,
        'TaskName': 'rest',
        'StartTime': 0.0,
        'SliceTimingCorrected': False,
    }
    mask = anatomy.mask
    volumes = (_fill(mask, np.rint(row)) for row in series)
    shape = (*mask.shape, len(series))
    write_nifti(Path(f'{stem}_desc-preproc_bold.nii.gz'), volumes, shape, anatomy.affine, t_r=request.t_r)
    write_json(Path(f'{stem}_desc-preproc_bold.json'), {**timing, **shared, 'SkullStripped': True})
    mean = _fill(mask, np.rint(series.mean(axis=0)))
    write_nifti(Path(f'{stem}_boldref.nii.gz'), [mean], mask.shape, anatomy.affine)
    write_json(Path(f'{stem}_boldref.json'), {**shared, 'SkullStripped': True})
    write_nifti(Path(f'{stem}_desc-brain_mask.nii.gz'), [mask], mask.shape, anatomy.affine, dtype=np.uint8)
    write_json(Path(f'{stem}_desc-brain_mask.json'), {**shared, 'Type': 'Brain', 'RawSources': []})


def _fill(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    volume = np.zeros(mask.shape, np.int16)
    volume[mask] = np.clip(values, 0, 32767)
    return volume
