"""Derivatives laid out as QSIPrep does: a diffusion series with a planted tract, and its anatomy."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.numerics.resample import resample
from pipelines.simulated import diffusion as simulate_diffusion
from pipelines.simulated import head as simulate_head

from .dwi import (
    ECHO,
    NOISE,
    T1W_NOISE,
    Scene,
    build_scene,
    bundles_of,
    head_of,
    noise_free,
    painted_anatomy,
    painted_head,
    record_planted,
    still_series,
    tissue_voxel,
)
from .files import Request, write_gradients, write_itk_affine, write_json, write_nifti
from .people import Person
from .raw import epi_grid

_TISSUES = {'GM': 'grey', 'WM': 'white', 'CSF': 'csf'}
"""Labels of the segmentation, 1 to 3."""


def write_qsiprep(request: Request, person: Person) -> dict[str, Any]:
    """Write one session as QSIPrep does, with the anatomy before the first, and return what was planted."""
    to_template = head_of(person)
    if person.is_first:
        _write_anatomy(request, person, to_template)
    rng = person.stream(NOISE)
    scene = _scene(replace(request, directory=Path()), tuple(to_template.ravel()))
    shape, affine = scene.s0.shape, scene.affine
    table = simulate_diffusion.gradient_table(request.dwi_directions, request.dwi_bvals)
    stem = f'{person.folder(request.directory, "dwi") / person.prefix}_space-ACPC'
    signal = noise_free(scene, person.fa, table)
    volumes = still_series(scene, table[0], signal, request.snr, rng)
    t_r = ECHO['RepetitionTime']
    write_nifti(
        Path(f'{stem}_desc-preproc_dwi.nii.gz'), volumes, (*shape, len(table[0])), affine, t_r=t_r, sform=1
    )
    write_gradients(f'{stem}_desc-preproc_dwi', *table, affine)
    reference = {'SpatialReference': f'sub-{person.subject}_space-ACPC_desc-preproc_T1w.nii.gz'}
    write_json(Path(f'{stem}_desc-preproc_dwi.json'), {**ECHO, **reference, 'SkullStripped': False})
    write_nifti(Path(f'{stem}_dwiref.nii.gz'), [np.rint(scene.s0)], shape, affine, sform=1)
    write_json(Path(f'{stem}_dwiref.json'), {**reference, 'SkullStripped': False})
    mask = Path(f'{stem}_desc-brain_mask.nii.gz')
    write_nifti(mask, [scene.fractions.mask], shape, affine, dtype=np.uint8, sform=1)
    write_json(Path(f'{stem}_desc-brain_mask.json'), {**reference, 'Type': 'Brain', 'RawSources': []})
    planted = record_planted(request, person, scene, table, signal)
    return {**planted, 'PointsT1wToTemplate': to_template.tolist()}


@lru_cache(maxsize=1)
def _scene(request: Request, to_template: tuple[float, ...]) -> Scene:
    """Return the head of a participant, which lies in every session alike."""
    matrix = np.reshape(to_template, (4, 4))
    return build_scene(request, matrix, *_lps_grid(request.dwi_voxel_size, matrix))


def _lps_grid(voxel: float, to_template: np.ndarray) -> tuple[tuple[int, int, int], np.ndarray]:
    """Return a grid around the brain whose axes run as QSIPrep's: to the left, back and up."""
    shape, affine = epi_grid(voxel, np.linalg.inv(to_template))
    affine[1, 3] += affine[1, 1] * (shape[1] - 1)
    affine[1, 1] *= -1
    return shape, affine


def _write_anatomy(request: Request, person: Person, to_template: np.ndarray) -> None:
    voxel = tissue_voxel(request)
    anatomy = painted_anatomy(request.space, voxel, bundles_of(request))
    shape, affine = _lps_grid(request.anatomy_voxel_size or voxel, to_template)
    folder = request.directory / f'sub-{person.subject}' / 'anat'
    folder.mkdir(parents=True, exist_ok=True)
    stem = f'{folder}/sub-{person.subject}_space-ACPC'
    head, head_affine = painted_head(request.space, voxel, bundles_of(request))
    native = resample(head, head_affine, shape, affine, linear=to_template)
    scan = np.rint(1000 * simulate_head.scan(native, person.stream(T1W_NOISE))).clip(0, 32767)
    parts = [
        resample(
            getattr(anatomy.tissues, t).astype(np.float32), anatomy.affine, shape, affine, linear=to_template
        )
        for t in _TISSUES.values()
    ]
    mask = np.sum(parts, axis=0) > 0.5
    images = {
        'desc-preproc_T1w': (scan, np.int16),
        'desc-brain_mask': (mask, np.uint8),
        'dseg': (np.where(mask, 1 + np.argmax(parts, axis=0), 0), np.uint8),
        **{f'label-{label}_probseg': (part, np.float32) for label, part in zip(_TISSUES, parts)},
    }
    for name, (volume, dtype) in images.items():
        write_nifti(Path(f'{stem}_{name}.nii.gz'), [volume], shape, affine, dtype=dtype, sform=1)
        write_json(Path(f'{stem}_{name}.json'), _described(name))
    # a transform for images maps points the other way
    names = {f'from-ACPC_to-{request.space}': np.linalg.inv(to_template)}
    names[f'from-{request.space}_to-ACPC'] = to_template
    for name, matrix in names.items():
        write_itk_affine(folder / f'sub-{person.subject}_{name}_mode-image_xfm.h5', matrix)


def _described(name: str) -> dict[str, Any]:
    content: dict[str, Any] = {'SpatialReference': 'the image itself: rigidly aligned with the template'}
    if 'mask' in name:
        return {**content, 'Type': 'Brain', 'RawSources': []}
    if 'seg' in name:
        return {**content, 'Manual': False, 'RawSources': []}
    return {**content, 'SkullStripped': False}
