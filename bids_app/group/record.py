"""Record of a trial for its report: what no table of the group holds."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from pipelines.terms import Circuit

from ..outputs.record import without_folder
from ..phenotype.estimand import estimand_of
from ..phenotype.parts import Trial
from ..phenotype.tables import Tables


def record_trial(
    trial: Trial,
    tables: Tables,
    *,
    output_dir: Path,
    results_dir: Path,
    circuit: Circuit,
    left_out: Mapping[str, tuple[str, str]] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return what ``group/log/trial.json`` holds.

    Parameters
    ----------
    trial
        As it was read.
    tables
        As they were read: people with covariates, attendance and adverse events are taken from them.
    output_dir
        Dataset of derivatives.
    results_dir
        Where the participants' results were found, recorded relative to ``output_dir``.
    circuit
        Regions of the results.
    left_out
        Arm and reason of those who have an arm and are left out on request.

    """
    return {
        'trial': _described(trial),
        'participants': _records(tables.participants),
        'estimands': {name: asdict(estimand_of(trial, outcome)) for name, outcome in trial.outcomes.items()},
        'left_out': [
            {'participant_id': label, 'arm': arm, 'reason': reason}
            for label, (arm, reason) in left_out.items()
        ],
        'attendance': None if tables.attendance is None else _records(tables.attendance),
        'events': None if tables.events is None else _records(tables.events),
        'regions': circuit.rows(),
        'results': os.path.relpath(results_dir, output_dir),
    }


def _described(trial: Trial) -> dict[str, Any]:
    """Return the trial; files that options named are told without the folders of this machine."""
    about = asdict(trial)
    expression = about['expression'] or {}
    for key in ('counts', 'samples'):
        if expression.get(key):
            expression[key] = without_folder(expression[key])
    if expression.get('gene_sets'):
        expression['gene_sets'] = [without_folder(path) for path in expression['gene_sets']]
    return about


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows with None where a value is missing."""
    found = table.astype(object).where(table.notna(), None)
    return [{str(key): value for key, value in row.items()} for row in found.to_dict('records')]
