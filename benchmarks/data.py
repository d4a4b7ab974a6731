"""The files that benchmarks read: one run as fMRIPrep leaves it, and the skeleton of a large dataset."""

from collections.abc import Iterator
from pathlib import Path

import nibabel as nb
import numpy as np
from scipy import ndimage

from bids_app.simulated.dataset import write_dataset
from bids_app.simulated.files import Request, write_nifti

_GRID = (99, 117, 95)
_SKIN_MM, _SKIN, _AIR = 12, 2500, 40


def write_run(folder: Path, voxel: float = 2.0, n_volumes: int = 240) -> dict[str, Path]:
    """Simulate a run; at 2 mm on 99 x 117 x 95 voxels, with head and air around the brain as in real files."""
    if not folder.exists():
        request = Request(folder, 1, ['pre'], n_volumes=n_volumes, voxel_size=voxel)
        write_dataset(request)
        for path in folder.rglob('*_bold.nii.gz'):
            _surround(path, voxel)
    (bold,), (mask,) = folder.rglob('*_bold.nii.gz'), folder.rglob('*_mask.nii.gz')
    (table,) = folder.rglob('*_timeseries.tsv')
    return {'bold': bold, 'mask': mask, 'confounds': table, 'metadata': table.with_suffix('.json')}


def _surround(bold: Path, voxel: float) -> None:
    """Put a run on a larger grid and fill what is not brain with head and noise, so that it compresses as scans do."""
    mask_path = bold.with_name(bold.name.replace('preproc_bold', 'brain_mask'))
    image, mask = nb.load(bold), np.asarray(nb.load(mask_path).dataobj) > 0
    grid = tuple(int(np.ceil(n * 2 / voxel)) for n in _GRID)
    low = [(large - small) // 2 for large, small in zip(grid, mask.shape)]
    margins = [(a, large - small - a) for a, large, small in zip(low, grid, mask.shape)]
    affine = image.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ low
    inside = np.pad(mask, margins)
    distance = ndimage.distance_transform_edt(~inside) * voxel
    level = np.where(distance < _SKIN_MM, _SKIN, _AIR)

    def volumes() -> Iterator[np.ndarray]:
        rng = np.random.default_rng(1)
        for number in range(image.shape[3]):
            noise = rng.standard_normal(grid, np.float32)
            around = np.abs(level * (1 + 0.02 * noise) + 20 * noise)
            yield np.where(inside, np.pad(stored[..., number], margins), around).astype(np.int16)

    stored = np.asarray(image.dataobj)
    bold.unlink()
    write_nifti(bold, volumes(), (*grid, image.shape[3]), affine, t_r=float(image.header.get_zooms()[3]))
    write_nifti(mask_path, [inside], grid, affine, dtype=np.uint8)


def write_skeleton(root: Path, n_participants: int) -> Path:
    """Make empty files with fMRIPrep's names for participants of two sessions; JSON files hold what is read."""
    (root / 'logs').mkdir(parents=True)
    (root / 'dataset_description.json').write_text(
        '{"Name": "skeleton", "BIDSVersion": "1.10.0", "DatasetType": "derivative", '
        '"GeneratedBy": [{"Name": "fMRIPrep"}]}'
    )
    spaces = [f'_space-{space}_res-2' for space in ('MNI152NLin6Asym', 'MNI152NLin2009cAsym')]
    for number in range(1, n_participants + 1):
        anat = root / f'sub-{number:04d}' / 'anat'
        anat.mkdir(parents=True)
        for end in _ANAT:
            _touch(anat / f'sub-{number:04d}_{end}')
        for session in ('pre', 'post'):
            func = anat.parent / f'ses-{session}' / 'func'
            func.mkdir(parents=True)
            stem = f'sub-{number:04d}_ses-{session}_task-rest'
            for end in [space + end for space in spaces for end in _SPATIAL] + _FUNC:
                _touch(func / f'{stem}{end}')
    return root


_ANAT = [
    *(f'desc-{what}.{kind}' for what in ('preproc_T1w', 'brain_mask') for kind in ('nii.gz', 'json')),
    'dseg.nii.gz',
    *(f'label-{tissue}_probseg.nii.gz' for tissue in ('CSF', 'GM', 'WM')),
    *(
        f'from-{a}_to-{b}_mode-image_xfm.h5'
        for a, b in (('T1w', 'MNI152NLin6Asym'), ('MNI152NLin6Asym', 'T1w'))
    ),
]
_FUNC = [
    *(f'_desc-confounds_timeseries.{kind}' for kind in ('tsv', 'json')),
    '_from-scanner_to-boldref_mode-image_desc-hmc_xfm.txt',
    '_from-boldref_to-T1w_mode-image_desc-coreg_xfm.txt',
]
_SPATIAL = [
    f'_{what}.{kind}' for what in ('desc-preproc_bold', 'desc-brain_mask') for kind in ('nii.gz', 'json')
]
_SPATIAL += ['_boldref.nii.gz']


def _touch(path: Path) -> None:
    path.write_text('{"RepetitionTime": 2.0}' if path.suffix == '.json' else '')
