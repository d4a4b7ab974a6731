"""The denoising design of a run: regressors, volumes left out, the operator and what it leaves."""

import json
from pathlib import Path
from typing import Any, NamedTuple, assert_never

import numpy as np
import pandas as pd

from ..errors import DataError, DegreesOfFreedomError, UnknownWordError
from ..numerics import clean, outliers
from ..numerics.seed import fisher_z_se
from ..params import MIN_DEGREES_OF_FREEDOM, WARN_DEGREES_OF_FREEDOM, DenoiseParams
from ..terms import MOTION, PRESETS, raised
from ._interface import interface
from .images import open_series

_COMPOSITE_MM = 0.9
_HIGH_MOTION_MM = 0.5


class DesignFiles(NamedTuple):
    """Regressors, volumes left out, operator (npz: ``reduce``, ``expand``, ``sample_mask``), counts."""

    design: Path
    outliers: Path
    operator: Path
    metadata: dict


def make_design(
    bold: Path,
    confounds: Path,
    confounds_metadata: Path,
    params: DenoiseParams,
    t_r: float,
    *,
    out_dir: Path,
) -> DesignFiles:
    """Build the denoising operator of a run and count what it leaves.

    Parameters
    ----------
    bold
        4D series; only its number of volumes is used.
    confounds, confounds_metadata
        fMRIPrep's confounds table and its JSON.
    params
        Preset, band, limits.
    t_r
        Repetition time, s.

    Raises
    ------
    DataError
        The table has another number of rows than the series, lacks a column of the preset, or
        holds a gap in it.
    DegreesOfFreedomError
        Fewer than 20 residual degrees of freedom.

    """
    table = read_confounds(confounds, open_series(bold).shape[3])
    masks = left_out(table, params, confounds)
    sample_mask = ~np.any(list(masks.values()), axis=0)
    columns = preset_columns(params.denoising, table, confounds, confounds_metadata)
    nuisance = _values(table, columns, confounds, sample_mask)
    design, operator = _operator(nuisance, params, t_r, sample_mask)
    metadata = _describe(table, masks, operator.dof, params, t_r)
    _refuse_too_little(metadata, bold)
    factors = out_dir / 'operator.npz'
    np.savez(factors, reduce=operator.reduce, expand=operator.expand, sample_mask=sample_mask)
    left = pd.DataFrame(masks).astype(int)
    return DesignFiles(
        save_table(design, out_dir / 'design.tsv'),
        save_table(left, out_dir / 'outliers.tsv'),
        factors,
        {**metadata, 'Confounds': columns},
    )


def read_confounds(path: Path, n_volumes: int) -> pd.DataFrame:
    """Read a confounds table, refusing one of another length than the series.

    Raises
    ------
    DataError
        Naming both numbers.

    """
    try:
        table = pd.read_csv(path, sep='\t', na_values=['n/a'])
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f'{path} is no table of tab-separated values ({error}). Replace it.') from error
    if len(table) != n_volumes:
        raise DataError(
            f'{path} has {len(table)} rows, but the series has {n_volumes} volumes. '
            'Use the confounds that belong to this run.'
        )
    return table


def left_out(table: pd.DataFrame, params: DenoiseParams, path: Path) -> dict[str, np.ndarray]:
    """Return why volumes are left out: reason -> (T,) bool.

    ``none`` keeps every steady-state volume; ``conn`` has its own rule (signal jumps above 5 SD,
    composite motion above 0.9 mm), which is not Power's framewise displacement.

    Raises
    ------
    DataError
        The table, which came from ``path``, lacks the column of the rule.

    """
    dummy = np.zeros(len(table), bool)
    if params.dummy_scans is not None:
        dummy[: params.dummy_scans] = True
    else:
        columns = [c for c in table if c.startswith('non_steady_state_outlier')]
        dummy |= table[columns].fillna(0).to_numpy(bool).any(axis=1)
    reasons = {'non_steady_state': dummy}
    match PRESETS[params.denoising].censoring:
        case 'jumps':
            _require(table, [*MOTION, 'global_signal'], path, f'--denoising {params.denoising}')
            motion = table[list(MOTION)].fillna(0).to_numpy(float)
            signal = table['global_signal'].to_numpy(float)
            reasons['motion'] = outliers.composite_motion(motion[:, :3], motion[:, 3:]) > _COMPOSITE_MM
            reasons['global_signal'] = outliers.is_signal_jump(signal, ~dummy)
        case 'displacement':
            if params.fd_threshold:
                _require(table, ['framewise_displacement'], path, f'--fd-threshold {params.fd_threshold:g}')
                moved = table['framewise_displacement'].fillna(0).to_numpy()
                reasons['motion'] = moved > params.fd_threshold
        case 'none':
            pass
        case other:
            assert_never(other)
    return reasons


def preset_columns(preset: str, table: pd.DataFrame, confounds: Path, metadata: Path) -> list[str]:
    """Return the preset's columns; an absent one is named with its file.

    Raises
    ------
    DataError
        A column is absent, or the JSON cannot be read.

    """
    try:
        return clean.confound_columns(preset, list(table.columns), json.loads(metadata.read_text()))
    except ValueError as error:
        raise DataError(f'{metadata} is no valid JSON ({error}). Replace it.') from error
    except UnknownWordError:
        raise
    except KeyError as error:
        raise DataError(
            f'{confounds} lacks {error.args[0]}, which --denoising {preset} needs. '
            'Choose another preset or run fMRIPrep again.'
        ) from error


def save_table(table: pd.DataFrame, path: Path) -> Path:
    """Write a table as BIDS wants it: tabs, ``n/a`` for what is missing."""
    table.to_csv(path, sep='\t', index=False, na_rep='n/a', float_format='%.8g')
    return path


def _require(table: pd.DataFrame, columns: list[str], path: Path, option: str) -> None:
    absent = [column for column in columns if column not in table]
    if absent:
        raise DataError(
            f'{path} lacks {absent[0]}, which {option} needs. Change the option or run fMRIPrep again.'
        )


def _values(table: pd.DataFrame, columns: list[str], path: Path, kept: np.ndarray) -> pd.DataFrame:
    """Return the columns as numbers; n/a of the first row (of derivatives) is 0, elsewhere an error."""
    values = pd.DataFrame(
        {name: pd.to_numeric(table[name], errors='coerce') for name in columns}, table.index
    )
    values = values.astype(float)
    gaps = values.isna().to_numpy(bool) & kept[:, None]
    gaps[0] = False
    if gaps.any():
        row, column = np.argwhere(gaps)[0]
        raise DataError(
            f'{path}: {columns[column]} has no number in row {row + 1} of {len(table)}, a volume that is kept. '
            'Mend the table, or run fMRIPrep again.'
        )
    return values.fillna(0)


def _operator(
    nuisance: pd.DataFrame, params: DenoiseParams, t_r: float, sample_mask: np.ndarray
) -> tuple[pd.DataFrame, clean.Operator]:
    names = ['constant', 'linear_trend', *nuisance.columns]
    model = np.column_stack([clean.trend(len(nuisance)), nuisance])
    edges = t_r, params.high_pass, params.low_pass
    match PRESETS[params.denoising].cleaning:
        case 'regress_then_filter':
            return pd.DataFrame(model, columns=names), clean.regress_then_filter(model, sample_mask, *edges)
        case 'projection':
            band = clean.stop_band(len(nuisance), *edges)
            names += [f'stop_band{number:03d}' for number in range(band.shape[1])]
            model = np.column_stack([model, band])
            return pd.DataFrame(model, columns=names), clean.projection(model, sample_mask)
        case other:
            assert_never(other)


def _describe(
    table: pd.DataFrame, masks: dict[str, np.ndarray], dof: float, params: DenoiseParams, t_r: float
) -> dict[str, Any]:
    kept = int(np.sum(~np.any(list(masks.values()), axis=0)))
    fd = table['framewise_displacement'] if 'framewise_displacement' in table else pd.Series(dtype=float)
    mean_fd = float(fd.mean()) if fd.notna().any() else None
    flags = raised(
        low_dof=dof < WARN_DEGREES_OF_FREEDOM,
        short=kept * t_r < params.min_time,
        high_motion=mean_fd is not None and mean_fd > _HIGH_MOTION_MM,
    )
    return {
        'NVolumes': len(table),
        'NKept': kept,
        'NLeftOut': {reason: int(mask.sum()) for reason, mask in masks.items()},
        'DegreesOfFreedom': round(dof, 3),
        'FisherZStandardError': round(float(fisher_z_se(dof)), 6) if dof > 2 else None,
        'MeanFD': mean_fd,
        'RepetitionTime': t_r,
        'SecondsKept': kept * t_r,
        'Preset': params.denoising,
        'Flags': flags,
    }


def _refuse_too_little(metadata: dict[str, Any], bold: Path) -> None:
    dof = metadata['DegreesOfFreedom']
    if dof < MIN_DEGREES_OF_FREEDOM:
        raise DegreesOfFreedomError(
            f'{bold}: {metadata["NKept"]} of {metadata["NVolumes"]} volumes are kept and {dof:g} degrees of '
            f'freedom remain after denoising "{metadata["Preset"]}"; {MIN_DEGREES_OF_FREEDOM} are needed. '
            'No connectivity was computed. Use a longer scan, or a preset with fewer confounds '
            '(--denoising none).'
        )


MakeDesign = interface(make_design, is_brief=True)
