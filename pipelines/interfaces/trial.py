"""Fit the models of a trial to its tables."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..errors import DataError
from ..stats.bdnf import fit_bdnf, lod_half, plasma_volume_correction
from ..stats.before_after import before_after, compared
from ..stats.design import OutcomesDesign, SamplesDesign
from ..stats.outcomes import count_levels, count_responders, describe_outcomes, model_outcomes
from ..terms import BDNF_MODELS, join_flags, raised
from ._interface import interface
from .tables import read_columns, read_table, write_table

BDNF_COLUMNS = (
    'model', 'arm', 'contrast', 'estimate', 'se', 'df', 'ci_low', 'ci_high', 'statistic', 'p', 'ratio',
    'ratio_ci_low', 'ratio_ci_high', 'n', 'n_samples', 'n_censored', 'flags', 'note',
)  # fmt: skip


class _Outcomes(NamedTuple):
    outcomes: Path
    descriptives: Path
    responders: Path
    levels: Path
    values: Path
    before_after: Path


class _Bdnf(NamedTuple):
    bdnf: Path


def fit_outcomes(
    tables: Path, imaging: Path, participants: Path, design: OutcomesDesign, *, out_dir: Path
) -> _Outcomes:
    """Fit every outcome of a trial.

    Parameters
    ----------
    tables
        Clinical outcomes: ``participant_id visit outcome value flags``, and ``exposure`` where a count has one.
    imaging
        Of :func:`~pipelines.interfaces.imaging_outcomes.measure_imaging`.
    participants
        ``participant_id arm``, covariates, strata and site, of all arms.
    design
        Arms, visits and outcomes.
    out_dir
        Folder of the tables.

    Returns
    -------
    _Outcomes
        Effects, descriptions, responders and levels of all arms and visits; the values they rest on, and those of the
        first treated arm and the control before and after.

    """
    people = read_columns(participants)
    values = pd.concat([read_columns(tables), read_table(imaging)], ignore_index=True)
    values = values.assign(arm=values['participant_id'].map(people.set_index('participant_id')['arm']))
    values = values[values['arm'].notna()].astype({'value': float})
    adjusted = people[[name for name in people if name in ('participant_id', 'arm', *design.adjusted)]]
    two = compared(people, design)
    written = {
        'outcomes': model_outcomes(values, adjusted, design),
        'descriptives': describe_outcomes(values, adjusted, design),
        'responders': count_responders(values, adjusted, design),
        'levels': count_levels(values, adjusted, design),
        'values': values,
        'before_after': before_after(values[values['participant_id'].isin(two['participant_id'])], design),
    }
    return _Outcomes(**{name: write_table(table, out_dir / f'{name}.tsv') for name, table in written.items()})


FitOutcomes = interface(fit_outcomes)


def fit_samples(samples: Path, design: SamplesDesign, *, out_dir: Path) -> _Bdnf:
    """Estimate the responses of BDNF to exercise.

    Parameters
    ----------
    samples
        ``participant_id arm sample value lower upper censored hemoglobin hematocrit``.
    design
        Arms and samples.
    out_dir
        Folder of the table.

    Returns
    -------
    _Bdnf
        A row per model, arm or difference, and contrast, on the natural log scale and as ratio.

    Notes
    -----
    Models: ``censored``, the primary one; ``lod_half``, half the limit for what is below it, for
    comparison; ``plasma_volume``, ``censored`` after the correction of Dill and Costill, where haemoglobin
    and haematocrit are given.

    """
    table = read_columns(samples)
    table = table[table['sample'].isin(design.names)].reset_index(drop=True)
    value, lower, upper = _limits(table)
    variants = {'censored': (value, lower, upper), 'lod_half': (lod_half(value, lower, upper), 0.0, np.inf)}
    corrected = _plasma_volume(table, value, design.names)
    if corrected is not None:
        factor = np.where(np.isnan(corrected / value), 1.0, corrected / value)
        variants['plasma_volume'] = (corrected, lower * factor, upper * factor)
    rows = [_fit_variant(name, table, design, *given) for name, given in variants.items()]
    result = pd.concat(rows, ignore_index=True)
    return _Bdnf(write_table(result[list(BDNF_COLUMNS)], out_dir / 'bdnf.tsv'))


FitSamples = interface(fit_samples)


def _limits(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values and limits; what is known to be censored without a value stands at its limit."""
    value, lower, upper = (table[name].to_numpy(float) for name in ('value', 'lower', 'upper'))
    lower, upper = np.where(np.isnan(lower), 0.0, lower), np.where(np.isnan(upper), np.inf, upper)
    side = table['censored'].fillna('').to_numpy(str)
    value = np.where(side == 'left', np.minimum(np.nan_to_num(value, nan=np.inf), lower), value)
    value = np.where(side == 'right', np.maximum(np.nan_to_num(value, nan=-np.inf), upper), value)
    return value, lower, upper


def _plasma_volume(table: pd.DataFrame, value: np.ndarray, names: list[str]) -> np.ndarray | None:
    """Return concentrations after exercise as if no plasma had been lost; None without blood counts."""
    if table[['hemoglobin', 'hematocrit']].isna().all().any():
        return None
    corrected = value.copy()
    keyed = table.set_index(['participant_id', 'sample'])[['hemoglobin', 'hematocrit']].astype(float)
    for before, after in (names[:2], names[2:]):
        rows = np.flatnonzero(table['sample'] == after)
        first = keyed.reindex([(pid, before) for pid in table['participant_id'].iloc[rows]]).to_numpy()
        last = table.loc[rows, ['hemoglobin', 'hematocrit']].to_numpy(float)
        corrected[rows] = plasma_volume_correction(
            value[rows], first[:, 0], last[:, 0], first[:, 1], last[:, 1]
        )
    return corrected


def _fit_variant(
    name: str, table: pd.DataFrame, design: SamplesDesign, value: Any, lower: Any, upper: Any
) -> pd.DataFrame:
    order = {sample: number for number, sample in enumerate(design.names)}
    number = table['sample'].map(order).to_numpy(int)
    treated = (table['arm'] == design.treatment).to_numpy(int)
    one_arm = len(np.unique(treated[~np.isnan(value)])) < 2
    try:
        found = fit_bdnf(
            value,
            table['participant_id'].to_numpy(str),
            number // 2,
            number % 2,
            treated,
            lower=lower,
            upper=upper,
        ).contrasts
    except DataError as error:
        found = pd.DataFrame([{'contrast': 'n/a', 'note': str(error)}])
        return found.assign(model=name, flags=join_flags(raised(not_estimated=True))).reindex(
            columns=list(BDNF_COLUMNS)
        )
    arms = {'control': design.control, 'treated': design.treatment}
    ratios = {
        'ratio': np.exp(found['estimate']),
        'ratio_ci_low': np.exp(found['ci_low']),
        'ratio_ci_high': np.exp(found['ci_high']),
    }
    flags = join_flags(raised(within_arm_not_randomised=one_arm))
    return found.assign(
        model=BDNF_MODELS[name].name, arm=found['arm'].replace(arms), flags=flags, note='', **ratios
    )
