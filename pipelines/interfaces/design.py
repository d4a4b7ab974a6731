"""The denoising design of a run: regressors, volumes left out, the operator and what it leaves."""

from pathlib import Path
from typing import Any, NamedTuple, assert_never

import numpy as np
import pandas as pd

from ..errors import DegreesOfFreedomError
from ..numerics import clean
from ..numerics.seed import fisher_z_se
from ..params import MIN_DEGREES_OF_FREEDOM, WARN_DEGREES_OF_FREEDOM, DenoiseParams
from ..terms import PRESETS, raised
from .confounds_table import (
    COMPUTED,
    DISPLACEMENT,
    confound_values,
    displacement_of,
    kept_volumes,
    left_out,
    preset_columns,
    read_confounds,
)
from .degrees import ways_out
from .headers import holds_more, open_series
from .images import load_mask

_HIGH_MOTION_MM = 0.5


class DesignFiles(NamedTuple):
    """Regressors, volumes left out, operator (npz: ``reduce``, ``expand``, ``sample_mask``), counts."""

    design: Path
    outliers: Path
    operator: Path
    metadata: dict


class Design(NamedTuple):
    """The model of a run in memory: what is removed by which operator, who is left out and why.

    ``model`` (T, P) with a name for every column; ``masks`` reason -> (T,) bool; ``confounds`` are the columns of
    the table that are in the model, ``empty`` those of the preset that say nothing.
    """

    model: pd.DataFrame
    masks: dict[str, np.ndarray]
    operator: clean.Operator
    confounds: list[str]
    empty: list[str]


def make_design(
    bold: Path,
    confounds: Path,
    params: DenoiseParams,
    t_r: float,
    run: str,
    *,
    confounds_metadata: Path | None = None,
    out_dir: Path,
) -> DesignFiles:
    """Build the denoising operator of a run and count what it leaves.

    Parameters
    ----------
    bold
        4D series; only its number of volumes is used.
    confounds
        fMRIPrep's confounds table.
    params
        Preset, band, limits.
    t_r
        Repetition time, s.
    run
        What messages call the run.
    confounds_metadata
        JSON of the table; only presets with components need it.

    Raises
    ------
    DataError
        The table has another number of rows than the series, lacks a column of the preset, or
        holds a gap in it.
    DegreesOfFreedomError
        Fewer than 20 residual degrees of freedom.

    """
    table = read_confounds(confounds, open_series(bold).shape[3])
    files = confounds, confounds_metadata
    design = build_design(table, params, t_r, files)
    metadata = _describe(table, design, params, t_r)
    refuse_too_little(run, table, params, t_r, files, dof=design.operator.dof)
    factors = out_dir / 'operator.npz'
    sample_mask = kept_volumes(design.masks)
    np.savez(factors, reduce=design.operator.reduce, expand=design.operator.expand, sample_mask=sample_mask)
    left = pd.DataFrame(design.masks).astype(int)
    return DesignFiles(
        save_table(design.model, out_dir / 'design.tsv'),
        save_table(left, out_dir / 'outliers.tsv'),
        factors,
        metadata,
    )


def check_run(
    bold: Path, bold_mask: Path, files: tuple[Path, Path | None], params: DenoiseParams, t_r: float
) -> list[str]:
    """Refuse a preprocessed run that :func:`make_design` would refuse, without writing anything.

    Parameters
    ----------
    bold, bold_mask
        Series and mask.
    files
        Confounds table and its JSON.
    params, t_r
        As there.

    Returns
    -------
    list
        What is noteworthy, one sentence each.

    Raises
    ------
    DataError
        Mask or table do not belong to the series, or lack what the preset needs.
    DegreesOfFreedomError
        Fewer than 20 residual degrees of freedom.

    """
    series = open_series(bold)
    load_mask(bold_mask, series)
    table = read_confounds(files[0], series.shape[3])
    design = build_design(table, params, t_r, files)
    refuse_too_little(bold.name, table, params, t_r, files, dof=design.operator.dof)
    notes = notes_on(table, design, files[0])
    if holds_more(bold):
        notes.append(f'{bold.name} holds more than the {series.shape[3]} volumes of its header: was it cut?')
    return notes


def notes_on(table: pd.DataFrame, design: Design, path: Path) -> list[str]:
    """Return what is noteworthy of a table of confounds that can be used, one sentence each."""
    notes = []
    if table.attrs.get(COMPUTED):
        notes.append(f'{path.name} has no {DISPLACEMENT}; it was computed from the motion parameters')
    elif displacement_of(table).isna().all():
        notes.append(f'{path.name} says nothing of movement: no volume can be left out for it')
    if design.empty:
        notes.append(f'{path.name}: {", ".join(design.empty)} do not vary and remove nothing')
    return notes


def build_design(
    table: pd.DataFrame, params: DenoiseParams, t_r: float, files: tuple[Path, Path | None]
) -> Design:
    """Return the model of a run.

    Parameters
    ----------
    table
        Of :func:`read_confounds`.
    params, t_r
        As in :func:`make_design`.
    files
        The table's file and its JSON, for messages and for the tissue of components.

    Raises
    ------
    DataError
        The table lacks a column of the preset, or holds a gap in it.

    """
    masks = left_out(table, params, files[0])
    kept = kept_volumes(masks)
    columns = preset_columns(params.denoising, table, *files)
    nuisance = confound_values(table, columns, files[0], kept)
    varies = nuisance[kept].nunique() > 1
    used = nuisance.loc[:, varies | (not kept.any())]
    model, operator = _operator(used, params, t_r, kept)
    return Design(model, masks, operator, list(used), [name for name in columns if name not in used])


def save_table(table: pd.DataFrame, path: Path) -> Path:
    """Write a table as BIDS wants it: tabs, ``n/a`` for what is missing."""
    table.to_csv(path, sep='\t', index=False, na_rep='n/a', float_format='%.8g')
    return path


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


def _describe(table: pd.DataFrame, design: Design, params: DenoiseParams, t_r: float) -> dict[str, Any]:
    kept, dof = int(kept_volumes(design.masks).sum()), design.operator.dof
    fd = displacement_of(table)
    mean_fd = float(fd.mean()) if fd.notna().any() else None
    flags = raised(
        low_dof=dof < WARN_DEGREES_OF_FREEDOM,
        short=kept * t_r < params.min_time,
        high_motion=mean_fd is not None and mean_fd > _HIGH_MOTION_MM,
        no_displacement=mean_fd is None,
        empty_confounds=bool(design.empty),
    )
    return {
        'NVolumes': len(table),
        'NKept': kept,
        'NLeftOut': {reason: int(mask.sum()) for reason, mask in design.masks.items()},
        'DegreesOfFreedom': round(dof, 3),
        'FisherZStandardError': round(float(fisher_z_se(dof)), 6) if dof > 2 else None,
        'MeanFD': mean_fd,
        'RepetitionTime': t_r,
        'SecondsKept': kept * t_r,
        'Preset': params.denoising,
        'Flags': flags,
        'Confounds': design.confounds,
        **({'ConfoundsWithoutVariation': design.empty} if design.empty else {}),
    }


def refuse_too_little(
    run: str,
    table: pd.DataFrame,
    params: DenoiseParams,
    t_r: float,
    files: tuple[Path, Path | None],
    *,
    dof: float,
) -> None:
    """Refuse a run that leaves too few degrees of freedom, and name the options that would leave enough.

    Raises
    ------
    DegreesOfFreedomError
        Fewer than 20 remain.

    """
    if dof >= MIN_DEGREES_OF_FREEDOM:
        return
    kept = int(kept_volumes(left_out(table, params, files[0])).sum())

    def dof_of(other: DenoiseParams) -> float:
        return build_design(table, other, t_r, files).operator.dof

    raise DegreesOfFreedomError(
        f'{run}: {kept} of {len(table)} volumes are kept and {dof:.4g} degrees of freedom remain after denoising '
        f'"{params.denoising}"; {MIN_DEGREES_OF_FREEDOM} are needed. No connectivity was computed. '
        f'{ways_out(params, dof_of)}'
    )
