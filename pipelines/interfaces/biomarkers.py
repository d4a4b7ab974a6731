"""Fit biomarkers with limits of detection to the samples of a trial."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import DataError
from ..stats.biomarker import BETWEEN_ARMS, fit_biomarker, lod_half, plasma_volume_correction
from ..stats.biomarker_design import SamplesDesign
from ..terms import BIOMARKER_MODELS, join_flags, raised
from ._interface import interface
from .tables import read_columns, write_table

BIOMARKER_COLUMNS = (
    'biomarker', 'model', 'arm', 'treated', 'contrast', 'estimate', 'se', 'df', 'ci_low', 'ci_high', 'statistic', 'p',
    'ratio', 'ratio_ci_low', 'ratio_ci_high', 'n', 'n_samples', 'n_censored', 'flags', 'note',
)  # fmt: skip


class _Biomarkers(NamedTuple):
    biomarkers: Path


def fit_samples(samples: Path, designs: list[SamplesDesign], *, out_dir: Path) -> _Biomarkers:
    """Estimate the contrasts of every biomarker.

    Parameters
    ----------
    samples
        ``biomarker participant_id arm sample value lower upper censored hemoglobin hematocrit``.
    designs
        Arms and samples of each biomarker.
    out_dir
        Folder of the table.

    Returns
    -------
    _Biomarkers
        A row per biomarker, model, arm or difference, and contrast, on the natural log scale and as ratio.

    Notes
    -----
    Models: ``censored``, the primary one; ``lod_half``, half the limit for what is below it, for
    comparison; ``plasma_volume``, ``censored`` after the correction of Dill and Costill, where haemoglobin
    and haematocrit are given and a session has several samples.

    """
    table = read_columns(samples)
    rows = [part for design in designs for part in _fit_models(table, design)]
    found = pd.concat(rows, ignore_index=True)
    return _Biomarkers(write_table(found[list(BIOMARKER_COLUMNS)], out_dir / 'biomarkers.tsv'))


FitSamples = interface(fit_samples)


def _fit_models(table: pd.DataFrame, design: SamplesDesign) -> list[pd.DataFrame]:
    """Return the rows of a biomarker by every model."""
    own = table[(table['biomarker'] == design.name) & table['sample'].isin(design.names)]
    own = _limits(own.reset_index(drop=True))
    half = lod_half(own['value'], own['lower'], own['upper'])
    variants = {'censored': own, 'lod_half': own.assign(value=half, lower=0.0, upper=np.inf)}
    factor = _plasma_volume(own, design)
    if factor is not None:
        numbers = {name: own[name] * factor for name in ('value', 'lower', 'upper')}
        variants['plasma_volume'] = own.assign(**numbers)
    return [_fit_variant(name, part, design) for name, part in variants.items()]


def _limits(table: pd.DataFrame) -> pd.DataFrame:
    """Return values and limits; what is known to be censored without a value stands at its limit."""
    value, lower, upper = (table[name].astype(float) for name in ('value', 'lower', 'upper'))
    lower, upper = lower.fillna(0.0), upper.fillna(np.inf)
    side = table['censored'].fillna('')
    value = value.mask(side == 'left', np.minimum(value.fillna(np.inf), lower))
    value = value.mask(side == 'right', np.maximum(value.fillna(-np.inf), upper))
    return table.assign(value=value, lower=lower, upper=upper)


def _plasma_volume(table: pd.DataFrame, design: SamplesDesign) -> NDArray[np.float64] | None:
    """Return by what to multiply samples as if no plasma had been lost since the first of their session.

    None without blood counts, or where no session has several samples; samples whose counts are missing keep theirs
    out: NaN.
    """
    counts = table[['hemoglobin', 'hematocrit']].astype(float)
    if counts.isna().all().any() or not design.responses:
        return None
    factor = np.ones(len(table))
    keyed = table.set_index(['participant_id', 'sample'])[counts.columns].astype(float)
    for before, after in design.responses:
        rows = np.flatnonzero(table['sample'] == after)
        first = keyed.reindex([(pid, before) for pid in table['participant_id'].iloc[rows]]).to_numpy()
        last = counts.iloc[rows].to_numpy()
        factor[rows] = plasma_volume_correction(1.0, first[:, 0], last[:, 0], first[:, 1], last[:, 1])
    return factor


def _fit_variant(name: str, table: pd.DataFrame, design: SamplesDesign) -> pd.DataFrame:
    known = {'biomarker': design.name, 'model': BIOMARKER_MODELS[name].name}
    try:
        found = fit_biomarker(table, design).contrasts
    except DataError as error:
        found = pd.DataFrame([{'contrast': 'n/a', 'note': str(error)}])
        known['flags'] = join_flags(raised(not_estimated=True))
        return found.assign(**known).reindex(columns=list(BIOMARKER_COLUMNS))
    one_arm = BETWEEN_ARMS not in set(found['arm'])
    flags = [
        join_flags(raised(within_arm_not_randomised=one_arm, not_estimated=bool(note)))
        for note in found['note']
    ]
    ratios = {
        f'ratio{end}': np.exp(found[column])
        for end, column in {'': 'estimate', '_ci_low': 'ci_low', '_ci_high': 'ci_high'}.items()
    }
    return found.assign(**known, **ratios, flags=flags)
