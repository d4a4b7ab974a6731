"""Denoising design from a confounds table, and the cleaned series with the quality of each region."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd

from ..errors import DataError, DegreesOfFreedomError
from ..numerics import clean
from ..numerics.regions import region_quality
from ..numerics.smooth import smooth_in_mask
from ..params import MIN_DEGREES_OF_FREEDOM, WARN_DEGREES_OF_FREEDOM, FunctionalParams
from ._interface import interface
from .images import load_mask, open_image, open_series, read_masked, save_map
from .regions import LABELS

_COMPOSITE_MM = 0.9
_HIGH_MOTION_MM = 0.5
_CARPET_VOXELS = 4000


class Design(NamedTuple):
    """Regressors, volumes left out, the operator (npz: ``matrix``, ``sample_mask``) and counts."""

    design: Path
    outliers: Path
    operator: Path
    metadata: dict


class Cleaned(NamedTuple):
    """Cleaned series (npy, kept volumes x mask voxels), region series and their quality."""

    cleaned: Path
    smoothed: Path
    analysis_mask: Path
    mean_bold: Path
    timeseries: Path
    coverage: Path
    carpet: Path
    metadata: dict


def make_design(
    bold: Path,
    confounds: Path,
    confounds_metadata: Path,
    params: FunctionalParams,
    t_r: float,
    *,
    out_dir: Path,
) -> Design:
    """Build the denoising operator of a run and count what it leaves.

    Parameters
    ----------
    bold
        4D series; only its number of volumes is used.
    confounds, confounds_metadata
        fMRIPrep's confounds table and its JSON.
    t_r
        Repetition time, s.

    Raises
    ------
    DataError
        The table has another number of rows than the series, or lacks a column of the preset.
    DegreesOfFreedomError
        Fewer than 20 residual degrees of freedom.

    """
    n_volumes = open_series(bold).shape[3]
    table = read_confounds(confounds, n_volumes)
    masks = left_out(table, params, n_volumes)
    sample_mask = ~np.any(list(masks.values()), axis=0)
    columns = preset_columns(params.denoising, table, confounds, confounds_metadata)
    model = np.column_stack([clean.trend(n_volumes), table[columns].fillna(0).to_numpy(float)])
    band = clean.stop_band(n_volumes, t_r, params.high_pass, params.low_pass)
    if params.denoising == 'conn':
        operator = clean.regress_then_filter(model, sample_mask, t_r, params.high_pass, params.low_pass)
    else:
        operator = clean.projection(np.column_stack([model, band]), sample_mask)
    metadata = _describe(table, masks, sample_mask, operator.dof, params, t_r)
    _refuse_too_little(metadata, bold)
    names = ['constant', 'linear_trend', *columns]
    design = pd.DataFrame(model, columns=names)
    if params.denoising != 'conn':
        design = design.join(pd.DataFrame(band, columns=[f'stop_band{i:03d}' for i in range(band.shape[1])]))
    np.savez(out_dir / 'operator.npz', matrix=operator.matrix, sample_mask=sample_mask)
    return Design(
        _save_table(design, out_dir / 'design.tsv'),
        _save_table(pd.DataFrame(masks).astype(int), out_dir / 'outliers.tsv'),
        out_dir / 'operator.npz',
        metadata,
    )


def read_confounds(path: Path, n_volumes: int) -> pd.DataFrame:
    """Read a confounds table, refusing one of another length than the series."""
    table = pd.read_csv(path, sep='\t', na_values=['n/a'])
    if len(table) != n_volumes:
        raise DataError(
            f'{path} has {len(table)} rows, but the series has {n_volumes} volumes. '
            'Use the confounds that belong to this run.'
        )
    return table


def left_out(table: pd.DataFrame, params: FunctionalParams, n_volumes: int) -> dict[str, np.ndarray]:
    """Return why volumes are left out: reason -> (T,) bool.

    ``none`` keeps every steady-state volume; ``conn`` has its own rule (signal jumps above 5 SD,
    composite motion above 0.9 mm), which is not Power's framewise displacement.
    """
    dummy = np.zeros(n_volumes, bool)
    if params.dummy_scans is not None:
        dummy[: params.dummy_scans] = True
    else:
        columns = [c for c in table if c.startswith('non_steady_state_outlier')]
        dummy |= table[columns].fillna(0).to_numpy(bool).any(axis=1)
    reasons = {'non_steady_state': dummy}
    if params.denoising == 'conn':
        motion = table[list(clean.MOTION)].fillna(0).to_numpy(float)
        reasons['motion'] = clean.composite_motion(motion[:, :3], motion[:, 3:]) > _COMPOSITE_MM
        reasons['global_signal'] = clean.is_signal_jump(table['global_signal'].to_numpy(float))
    elif params.denoising != 'none' and params.fd_threshold and 'framewise_displacement' in table:
        reasons['motion'] = table['framewise_displacement'].fillna(0).to_numpy() > params.fd_threshold
    return reasons


def preset_columns(preset: str, table: pd.DataFrame, confounds: Path, metadata: Path) -> list[str]:
    """Return the preset's columns; an absent one is named with its file."""
    try:
        return clean.confound_columns(preset, list(table.columns), json.loads(metadata.read_text()))
    except KeyError as error:
        raise DataError(
            f'{confounds} lacks {error.args[0]}, which --denoising {preset} needs. '
            'Choose another preset or run fMRIPrep again.'
        ) from error


def clean_series(
    bold: Path,
    bold_mask: Path,
    operator: Path,
    regions: Path,
    grey_matter: Path,
    brain: Path,
    confounds: Path,
    fwhm: float,
    t_r: float,
    metadata: dict,
    *,
    out_dir: Path,
) -> Cleaned:
    """Read a series once; write its cleaned and smoothed form, region series and quality."""
    like = open_series(bold)
    mask = load_mask(bold_mask, like)
    with np.load(operator) as archive:
        matrix, keep = archive['matrix'], archive['sample_mask']
    raw = read_masked(bold, mask, keep)
    alive = raw.sd[mask] > 0
    series, analysed = raw.series[:, alive], mask.copy()
    analysed[mask] = alive
    cleaned = clean.apply_operator(matrix, series)
    smoothed = smooth_in_mask(cleaned, analysed, like.header.get_zooms()[:3], fwhm)
    stack = np.moveaxis(np.asarray(open_image(regions).dataobj) > 0, -1, 0)
    template = load_mask(brain, like)
    coverage, flags = _coverage(stack, analysed, raw.mean, raw.sd, template)
    tissue = np.where(load_mask(grey_matter, like)[analysed], 'grey matter', 'other')
    np.save(out_dir / 'cleaned.npy', cleaned)
    np.save(out_dir / 'smoothed.npy', smoothed)
    _save_carpet(out_dir / 'carpet.npz', series, cleaned, tissue, keep, confounds, t_r)
    nb.save(nb.Nifti1Image(analysed.astype(np.uint8), like.affine), out_dir / 'mask.nii.gz')
    nb.save(nb.Nifti1Image(raw.mean, like.affine), out_dir / 'mean.nii.gz')
    return Cleaned(
        out_dir / 'cleaned.npy',
        out_dir / 'smoothed.npy',
        out_dir / 'mask.nii.gz',
        out_dir / 'mean.nii.gz',
        _save_table(region_series(cleaned, stack[:, analysed]), out_dir / 'timeseries.tsv'),
        _save_table(coverage, out_dir / 'coverage.tsv'),
        out_dir / 'carpet.npz',
        {**metadata, 'Flags': sorted({*metadata['Flags'], *flags})},
    )


def region_series(cleaned: np.ndarray, members: np.ndarray) -> pd.DataFrame:
    """Return the mean series of each region; a bilateral one is the average of its two sides.

    Parameters
    ----------
    cleaned
        (T_kept, N) unsmoothed.
    members
        (6, N) bool, in the order of :data:`LABELS`.

    Returns
    -------
    pandas.DataFrame
        One column per label; NaN (missing) for a region without a voxel.

    """
    columns = {
        label: cleaned[:, member].mean(axis=1, dtype=np.float64)
        if member.any()
        else np.full(len(cleaned), np.nan)
        for label, member in zip(LABELS, members)
    }
    for name in ('NAc', 'mPFC'):
        columns[name] = np.nanmean([columns[f'{name}L'], columns[f'{name}R']], axis=0)
    return pd.DataFrame(columns)


def write_denoised(
    bold: Path, analysis_mask: Path, cleaned: Path, smoothed: Path, *, out_dir: Path
) -> 'Denoised':
    """Put the cleaned series back on the grid, unsmoothed and smoothed."""
    like = open_series(bold)
    mask = load_mask(analysis_mask, like)
    return Denoised(
        save_map(np.load(cleaned), mask, like, out_dir / 'denoised.nii.gz'),
        save_map(np.load(smoothed), mask, like, out_dir / 'smoothed.nii.gz'),
    )


class Denoised(NamedTuple):
    """4D series for other programs."""

    denoised: Path
    denoised_smoothed: Path


def _describe(
    table: pd.DataFrame,
    masks: dict[str, np.ndarray],
    sample_mask: np.ndarray,
    dof: float,
    params: FunctionalParams,
    t_r: float,
) -> dict[str, Any]:
    kept = int(sample_mask.sum())
    fd = table['framewise_displacement'] if 'framewise_displacement' in table else pd.Series(dtype=float)
    mean_fd = float(fd.mean()) if fd.notna().any() else None
    found = {
        'low_dof': dof < WARN_DEGREES_OF_FREEDOM,
        'short': kept * t_r < params.min_time,
        'high_motion': mean_fd is not None and mean_fd > _HIGH_MOTION_MM,
    }
    return {
        'NVolumes': len(sample_mask),
        'NKept': kept,
        'NLeftOut': {reason: int(mask.sum()) for reason, mask in masks.items()},
        'DegreesOfFreedom': round(dof, 3),
        'MeanFD': mean_fd,
        'RepetitionTime': t_r,
        'SecondsKept': kept * t_r,
        'Preset': params.denoising,
        'Flags': [flag for flag, present in found.items() if present],
    }


def _refuse_too_little(metadata: dict[str, Any], bold: Path) -> None:
    dof = metadata['DegreesOfFreedom']
    if dof < MIN_DEGREES_OF_FREEDOM:
        raise DegreesOfFreedomError(
            f'{bold}: {metadata["NKept"]} of {metadata["NVolumes"]} volumes are kept and {dof:g} degrees of '
            f'freedom remain after denoising "{metadata["Preset"]}"; {MIN_DEGREES_OF_FREEDOM} are needed. '
            'No connectivity was computed. Use a longer scan, or a preset with fewer confounds (--denoising 24p or none).'
        )


def _coverage(
    stack: np.ndarray, mask: np.ndarray, mean: np.ndarray, sd: np.ndarray, template: np.ndarray
) -> tuple[pd.DataFrame, list[str]]:
    tsnr = np.divide(mean, sd, out=np.zeros_like(mean), where=sd > 0)
    rows, flags = [], []
    for label, region in zip(LABELS, stack):
        quality = region_quality(region, mask, mean, tsnr, template)
        flag = 'dropout' if quality.is_dropout else ''
        flags += [f'dropout_{label}'] * bool(flag)
        rows.append(
            (label, quality.n_voxels, quality.coverage, quality.tsnr, quality.signal_ratio, flag or 'n/a')
        )
    columns = ['region', 'n_voxels', 'coverage', 'tsnr', 'signal_ratio', 'flags']
    return pd.DataFrame(rows, columns=columns), flags


def _save_carpet(
    path: Path,
    series: np.ndarray,
    cleaned: np.ndarray,
    tissue: np.ndarray,
    keep: np.ndarray,
    confounds: Path,
    t_r: float,
) -> None:
    chosen = np.linspace(0, len(tissue) - 1, min(_CARPET_VOXELS, len(tissue))).astype(int)
    chosen = chosen[np.argsort(tissue[chosen], kind='stable')]
    after = np.full((len(chosen), len(keep)), np.nan, np.float32)
    after[:, keep] = _standard(cleaned[:, chosen]).T
    table = pd.read_csv(confounds, sep='\t', na_values=['n/a'])
    traces: dict[str, Any] = {
        key: table[column].to_numpy(float) if column in table else np.full(len(keep), np.nan)
        for key, column in (('fd', 'framewise_displacement'), ('dvars', 'std_dvars'))
    }
    before = _standard(series[:, chosen]).T.astype(np.float16)
    np.savez(
        path,
        before=before,
        after=after.astype(np.float16),
        tissue=tissue[chosen],
        kept=keep,
        t_r=t_r,
        **traces,
    )


def _standard(series: np.ndarray) -> np.ndarray:
    centred = series - series.mean(axis=0, dtype=np.float64)
    return np.asarray(centred / np.maximum(centred.std(axis=0), 1e-12))


def _save_table(table: pd.DataFrame, path: Path) -> Path:
    table.to_csv(path, sep='\t', index=False, na_rep='n/a', float_format='%.8g')
    return path


MakeDesign = interface(make_design)
CleanSeries = interface(clean_series)
WriteDenoised = interface(write_denoised)
