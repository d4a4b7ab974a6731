"""Fit the models of a trial to its tables."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ..stats.design import OutcomesDesign
from ..stats.outcomes import count_levels, count_responders, describe_outcomes, model_outcomes
from ._interface import interface
from .tables import read_columns, read_table, write_table


class _Outcomes(NamedTuple):
    outcomes: Path
    descriptives: Path
    responders: Path
    levels: Path
    values: Path


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
        Effects, descriptions, responders and levels of all arms and visits, and the values they rest on.

    """
    people = read_columns(participants)
    values = pd.concat([read_columns(tables), read_table(imaging)], ignore_index=True)
    values = values.assign(arm=values['participant_id'].map(people.set_index('participant_id')['arm']))
    values = values[values['arm'].notna()].astype({'value': float})
    adjusted = people[[name for name in people if name in ('participant_id', 'arm', *design.adjusted)]]
    written = {
        'outcomes': model_outcomes(values, adjusted, design),
        'descriptives': describe_outcomes(values, adjusted, design),
        'responders': count_responders(values, adjusted, design),
        'levels': count_levels(values, adjusted, design),
        'values': values,
    }
    return _Outcomes(**{name: write_table(table, out_dir / f'{name}.tsv') for name, table in written.items()})


FitOutcomes = interface(fit_outcomes)
