"""A confounds table of fMRIPrep: what it says of movement, whom it leaves out, what a preset takes from it."""

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import assert_never

import numpy as np
import pandas as pd

from ..errors import DataError, UnknownWordError
from ..numerics import clean, outliers
from ..numerics.motion import framewise_displacement
from ..params import DenoiseParams
from ..reading import number_of
from ..terms import MOTION, PRESETS

DISPLACEMENT = 'framewise_displacement'
COMPUTED = 'computed'
"""Attribute of a table whose displacement was computed here."""


def read_confounds(path: Path, n_volumes: int) -> pd.DataFrame:
    """Read a confounds table, refusing one of another length than the series.

    Raises
    ------
    DataError
        Naming both numbers, or the row that has not a cell for each column.

    """
    try:
        content = path.read_text(encoding='utf-8-sig')
        _check_cells(path, content)
        # a lone quotation mark would join cells that _check_cells counts apart
        text = pd.read_csv(
            io.StringIO(content),
            sep='\t',
            dtype=str,
            keep_default_na=False,
            index_col=False,
            quoting=csv.QUOTE_NONE,
        )
    except DataError:
        raise
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise DataError(f'{path} is no table of tab-separated values ({error}). Replace it.') from error
    table = text.rename(columns=_unquoted).map(lambda cell: number_of(_unquoted(cell)))
    if len(table) != n_volumes:
        raise DataError(
            f'{path} has {len(table)} rows, but the series has {n_volumes} volumes. '
            'Use the confounds that belong to this run.'
        )
    return with_displacement(table)


def _unquoted(cell: str) -> str:
    """Return a cell without the quotation marks around it, which R writes."""
    return cell[1:-1] if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def _check_cells(path: Path, content: str) -> None:
    """Refuse zero bytes, at which a number would end, and rows unlike their header: values would be of other columns."""
    if '\0' in content:
        raise DataError(f'{path} holds zero bytes and is no text. Make or fetch it again.')
    rows = [line.split('\t') for line in content.split('\n') if line.strip()]
    header = rows.pop(0) if rows else []
    twice = [name for name, count in Counter(map(_unquoted, header)).items() if count > 1 and name]
    if twice:
        raise DataError(f'{path} has two columns {twice[0]}. Replace it.')
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise DataError(
                f'{path} has {len(row)} cells in row {number} and {len(header)} in its header. Replace it.'
            )


def with_displacement(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose displacement, where it has none at all, is computed from the motion parameters.

    Notes
    -----
    A table whose motion is incomplete, too, is returned as it is: nothing can be said of movement.

    """
    if displacement_of(table).notna().any() or not set(MOTION) <= set(table):
        return table
    motion = table[list(MOTION)].to_numpy(float)
    if not np.isfinite(motion).all():
        return table
    computed = table.assign(**{DISPLACEMENT: framewise_displacement(motion)})
    computed.attrs[COMPUTED] = True
    return computed


def displacement_of(table: pd.DataFrame) -> pd.Series:
    """Return Power's displacement of every volume, mm; NaN where the table does not say it."""
    return table[DISPLACEMENT] if DISPLACEMENT in table else pd.Series(np.nan, table.index)


def left_out(table: pd.DataFrame, params: DenoiseParams, path: Path) -> dict[str, np.ndarray]:
    """Return why volumes are left out: reason -> (T,) bool.

    ``none`` keeps every steady-state volume; ``conn`` has ART's rule (:mod:`~pipelines.numerics.outliers`),
    which is not Power's framewise displacement.

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
            moved, changed = outliers.jumps(motion[:, :3], motion[:, 3:], signal, ~dummy)
            reasons |= {'motion': moved, 'global_signal': changed}
        case 'displacement':
            if params.fd_threshold:
                reasons['motion'] = displacement_of(table).fillna(0).to_numpy() > params.fd_threshold
        case 'none':
            pass
        case other:
            assert_never(other)
    return reasons


def preset_columns(preset: str, table: pd.DataFrame, confounds: Path, metadata: Path | None) -> list[str]:
    """Return the preset's columns; an absent one is named with its file.

    Raises
    ------
    DataError
        A column is absent, or the JSON cannot be read.

    """
    try:
        content = json.loads(metadata.read_text()) if metadata else {}
        entries = content.items() if isinstance(content, dict) else ()
        described = {name: entry for name, entry in entries if isinstance(entry, dict)}
        return clean.confound_columns(preset, list(table.columns), described)
    except (ValueError, RecursionError) as error:
        raise DataError(f'{metadata} is no valid JSON ({error}). Replace it.') from error
    except UnknownWordError:
        raise
    except KeyError as error:
        raise DataError(
            f'{confounds} lacks {error.args[0]}, which --denoising {preset} needs. '
            'Choose another preset or run fMRIPrep again.'
        ) from error


def kept_volumes(masks: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return which volumes no reason leaves out, (T,) bool."""
    return ~np.any(list(masks.values()), axis=0)


def confound_values(table: pd.DataFrame, columns: list[str], path: Path, kept: np.ndarray) -> pd.DataFrame:
    """Return columns of a table as numbers.

    Parameters
    ----------
    table
        Of :func:`read_confounds`; it came from ``path``.
    columns
        Those of a preset.
    path
        For messages.
    kept
        (T,) bool: volumes that must have a number.

    Returns
    -------
    pandas.DataFrame
        (T, columns); n/a of the first row is 0: fMRIPrep writes it for derivatives, which have none.

    Raises
    ------
    DataError
        A column has no number at all, or none in a volume that is kept.

    """
    values = table[columns].astype(float)
    if columns and values.isna().all().any():
        empty = values.columns[values.isna().all()][0]
        raise DataError(
            f'{path}: {empty} has no number in any row: fMRIPrep found nothing to take it from. Choose a preset '
            'without it (--denoising 24p), or run fMRIPrep again.'
        )
    gaps = values.isna().to_numpy(bool) & kept[:, None]
    gaps[0] = False
    if gaps.any():
        row, column = np.argwhere(gaps)[0]
        raise DataError(
            f'{path}: {columns[column]} has no number in row {row + 1} of {len(table)}, a volume that is kept. '
            'Mend the table, or run fMRIPrep again.'
        )
    return values.fillna(0)


def _require(table: pd.DataFrame, columns: list[str], path: Path, option: str) -> None:
    absent = [column for column in columns if column not in table or table[column].isna().all()]
    if absent:
        raise DataError(
            f'{path} lacks {absent[0]}, which {option} needs. Change the option or run fMRIPrep again.'
        )
