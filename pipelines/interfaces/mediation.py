"""Mediation analyses of a trial from its tables."""

from pathlib import Path
from typing import Any, NamedTuple

from ..stats.mediation_design import MediationDesign
from ..stats.mediation_people import TrialTables
from ..stats.mediation_trial import analyse_mediation
from ._interface import interface
from .expression import MEDIATOR_SCORE, SCORE_KEYS
from .tables import read_columns, read_table, write_table


class _Mediation(NamedTuple):
    mediation: Path
    mediation_models: Path
    mediation_sensitivity: Path


def mediate_outcomes(
    values: Path,
    participants: Path,
    design: MediationDesign,
    seed: int,
    n_bootstraps: int,
    scores: Path | None = None,
    *,
    out_dir: Path,
) -> _Mediation:
    """Ask what an effect of treatment goes through.

    Parameters
    ----------
    values
        Of :func:`~pipelines.interfaces.trial.fit_outcomes`.
    participants
        ``participant_id arm`` of all arms, and the covariates of the analyses.
    design
        Arms, visits and analyses.
    seed, n_bootstraps
        Of the resamples.
    scores
        Of :func:`~pipelines.interfaces.expression.score_sets`; None: no expression.
    out_dir
        Folder of the tables.

    Returns
    -------
    _Mediation
        Paths, models and sensitivity to confounding.

    """
    tables = TrialTables(read_table(values), read_columns(participants), _of_sets(scores, design))
    found = analyse_mediation(tables, design, seed=seed, n_bootstraps=n_bootstraps)
    written = {
        'mediation': found.paths,
        'mediation_models': found.models,
        'mediation_sensitivity': found.sensitivity,
    }
    return _Mediation(**{name: write_table(own, out_dir / f'{name}.tsv') for name, own in written.items()})


MediateOutcomes = interface(mediate_outcomes)


def _of_sets(scores: Path | None, design: MediationDesign) -> Any:
    """Return the scores of the sets that are mediators."""
    if scores is None:
        return None
    wide = read_table(scores, text=SCORE_KEYS)
    wide = wide[wide['method'] == MEDIATOR_SCORE]
    named = {m.partition(':')[2] for analysis in design.analyses for m in analysis.mediators if ':' in m}
    return wide[['participant_id', 'visit', *(name for name in wide if name in named)]]
