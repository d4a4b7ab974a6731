"""Write the confounds of one run under fMRIPrep's names, with their JSON."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
from nipype.algorithms.confounds import compute_noise_components

from ..errors import DataError
from ..numerics.confounds import dvars, expand, noise_mask, one_hot, pure_tissue
from ..numerics.motion import framewise_displacement, head_centre, motion_parameters, rms_displacement
from ..numerics.resample import coarsen, resample, voxel_sizes
from ..terms import MOTION
from ._series import load_image
from .transforms import read_linear

_FD_LIMIT, _DVARS_LIMIT = 0.5, 1.5  # mm and standardised: fMRIPrep's marks of a motion outlier
_HIGH_PASS_PERIOD = 128.0  # s
_VARIANCE = 0.5  # share that the kept components explain
_PREFIXES = {'CSF': 'c_comp_cor', 'WM': 'w_comp_cor', 'combined': 'a_comp_cor'}


class _NoiseMasks(NamedTuple):
    wm_mask: Path
    csf_mask: Path
    noise_voxels: dict[str, int]


class _Confounds(NamedTuple):
    confounds: Path
    confounds_metadata: Path
    summary: dict[str, Any]


def make_noise_masks(
    t1w_probseg_gm: Path,
    t1w_probseg_wm: Path,
    t1w_probseg_csf: Path,
    bold_mask: Path,
    bold2anat_xfm: Path,
    *,
    out_dir: Path,
) -> _NoiseMasks:
    """Bring white matter and cerebrospinal fluid, away from grey matter, to the BOLD grid.

    Parameters
    ----------
    t1w_probseg_gm, t1w_probseg_wm, t1w_probseg_csf
        Tissue probabilities on the T1w grid.
    bold_mask
        Brain mask on the BOLD grid.
    bold2anat_xfm
        Points of the T1w image to points of the BOLD reference.
    out_dir
        Folder of the masks.

    Returns
    -------
    _NoiseMasks
        Masks on the BOLD grid and their sizes.

    """
    grid = load_image(bold_mask)
    brain = np.asarray(grid.dataobj) > 0
    grey = np.asarray(load_image(t1w_probseg_gm).dataobj, dtype=np.float32)
    anat2bold = np.linalg.inv(read_linear(bold2anat_xfm))
    paths, n_voxels = [], {}
    for tissue, source in (('WM', t1w_probseg_wm), ('CSF', t1w_probseg_csf)):
        image = load_image(source)
        values = np.asarray(image.dataobj, dtype=np.float32)
        pure = pure_tissue(values, grey, voxel_sizes(image.affine))
        coarse = coarsen(pure, image.affine, float(voxel_sizes(grid.affine).min()))
        on_bold = resample(*coarse, brain.shape, grid.affine, linear=anat2bold)
        mask = noise_mask(on_bold, brain)
        n_voxels[tissue] = int(mask.sum())
        paths.append(out_dir / f'{tissue.lower()}_mask.nii')
        nb.save(nb.Nifti1Image(mask.astype(np.uint8), grid.affine), paths[-1])
    return _NoiseMasks(paths[0], paths[1], n_voxels)


def collect_confounds(
    bold: Path,
    bold_mask: Path,
    wm_mask: Path,
    csf_mask: Path,
    motion: Path,
    t_r: float,
    n_dummy: int,
    *,
    out_dir: Path,
) -> _Confounds:
    """Compute every confound of a realigned run and write table and JSON.

    Parameters
    ----------
    bold
        Realigned 4D series on the BOLD grid.
    bold_mask, wm_mask, csf_mask
        Masks on that grid.
    motion
        (T, 4, 4) matrices, ``.npy``.
    t_r
        Repetition time, s.
    n_dummy
        Leading volumes before the steady state: left out of the components.
    out_dir
        Folder of the two files.

    Returns
    -------
    _Confounds
        Table (``n/a`` where a value is not defined), JSON and a summary.

    Raises
    ------
    DataError
        If fewer than two steady volumes are left.

    """
    image = load_image(bold)
    n_volumes = image.shape[3]
    if n_volumes - n_dummy < 2:
        raise DataError(
            f'{bold}: {n_dummy} of {n_volumes} volumes precede the steady state. Lower --dummy-scans.'
        )
    masks = {name: np.asarray(load_image(path).dataobj) > 0 for name, path in
             (('csf', csf_mask), ('white_matter', wm_mask), ('global_signal', bold_mask))}  # fmt: skip
    columns = expand(_mean_signals(image, masks))
    changes, moved = _dvars(image, masks['global_signal']), _motion(np.load(motion), bold_mask)
    columns |= changes | {name: moved.pop(name) for name in ('framewise_displacement', 'rmsd')}
    components, metadata = _compcor(image, masks['csf'], masks['white_matter'], t_r, n_dummy)
    columns |= components | one_hot(np.arange(n_dummy), n_volumes, 'non_steady_state_outlier')
    columns |= expand(moved)
    fd = columns['framewise_displacement']
    outliers = np.flatnonzero((fd > _FD_LIMIT) | (changes['std_dvars'] > _DVARS_LIMIT))
    columns |= one_hot(outliers, n_volumes, 'motion_outlier')
    table, sidecar = out_dir / 'confounds.tsv', out_dir / 'confounds.json'
    _integers(pd.DataFrame(columns)).to_csv(table, sep='\t', index=False, na_rep='n/a', float_format='%.10g')
    sidecar.write_text(json.dumps(metadata | _describe(t_r), indent=2) + '\n')
    summary = {
        'MeanFD': float(np.nanmean(fd)),
        'MaxFD': float(np.nanmax(fd)),
        'MotionOutliers': len(outliers),
    }
    return _Confounds(table, sidecar, summary)


def _integers(table: pd.DataFrame) -> pd.DataFrame:
    """Show indicator columns as 0 and 1."""
    return table.astype({name: int for name in table if 'outlier' in name})


def _mean_signals(image: nb.Nifti1Image, masks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    signals = {name: np.empty(image.shape[3]) for name in masks}
    for number in range(image.shape[3]):
        volume = np.asarray(image.dataobj[..., number])
        for name, mask in masks.items():
            signals[name][number] = volume[mask].mean(dtype=float)
    return signals


def _dvars(image: nb.Nifti1Image, brain: np.ndarray) -> dict[str, np.ndarray]:
    series = np.empty((image.shape[3], int(brain.sum())), np.float32)
    for row, number in zip(series, range(image.shape[3])):
        row[:] = np.asarray(image.dataobj[..., number])[brain]
    standard, plain = dvars(series)
    return {'std_dvars': standard, 'dvars': plain}


def _motion(matrices: np.ndarray, bold_mask: Path) -> dict[str, np.ndarray]:
    image = load_image(bold_mask)
    centre = head_centre(np.asarray(image.dataobj), image.affine)
    parameters = motion_parameters(matrices, centre)
    return dict(zip(MOTION, parameters.T)) | {
        'framewise_displacement': framewise_displacement(parameters),
        'rmsd': rms_displacement(matrices, centre),
    }


def _compcor(
    image: nb.Nifti1Image, csf: np.ndarray, white: np.ndarray, t_r: float, n_dummy: int
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, Any]]]:
    """Return components and cosines, 0 before the steady state, and what the JSON says of them."""
    steady = np.asarray(image.dataobj)[..., n_dummy:]
    columns: dict[str, np.ndarray] = {}
    metadata: dict[str, dict[str, Any]] = {}
    for name, mask in (('combined', csf | white), ('CSF', csf), ('WM', white)):
        found, basis, facts = compute_noise_components(
            steady, [nb.Nifti1Image(mask.astype(np.uint8), image.affine)], _VARIANCE, 'cosine', period_cut=_HIGH_PASS_PERIOD,
            repetition_time=t_r, mask_names=[name],
        )  # fmt: skip
        for number, component in enumerate(found.T):
            column = f'{_PREFIXES[name]}_{number:02d}'
            columns[column] = _pad(component, n_dummy)
            metadata[column] = {
                'CumulativeVarianceExplained': float(facts['cumulative_variance_explained'][number]),
                'Mask': name,
                'Method': 'aCompCor',
                'Retained': bool(facts['retained'][number]),
                'SingularValue': float(facts['singular_value'][number]),
                'VarianceExplained': float(facts['variance_explained'][number]),
            }
    cosines = np.asarray(basis).reshape(steady.shape[3], -1) if np.size(basis) else np.empty((0, 0))
    columns |= {f'cosine{number:02d}': _pad(cosine, n_dummy) for number, cosine in enumerate(cosines.T)}
    return columns, metadata


def _pad(values: np.ndarray, n_dummy: int) -> np.ndarray:
    return np.concatenate([np.zeros(n_dummy), values])


def _describe(t_r: float) -> dict[str, dict[str, Any]]:
    return {
        'csf': {'Method': 'Mean'},
        'white_matter': {'Method': 'Mean'},
        'global_signal': {'Method': 'Mean'},
        'framewise_displacement': {'Method': 'Power2012', 'Units': 'mm', 'Radius': 50},
        'rmsd': {'Method': 'Jenkinson1999', 'Units': 'mm', 'Radius': 80},
        'cosine': {'Method': 'DCT', 'PeriodCutoff': _HIGH_PASS_PERIOD, 'RepetitionTime': t_r},
        'motion_outlier': {'FramewiseDisplacement': _FD_LIMIT, 'StandardisedDVARS': _DVARS_LIMIT},
    }
