"""What the group level computes: decided from tables and derivatives before anything runs."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from pipelines.errors import MissingInputError
from pipelines.interfaces.tables import columns_text
from pipelines.stats.design import OutcomesDesign
from pipelines.stats.map_tests import MapTest
from pipelines.stats.mediation_design import Analysis, MediationDesign

from ..outputs.found import Results
from ..phenotype.parts import Biomarker, Trial
from ..phenotype.rnaseq import ExpressionPlan, NoExpression, plan_expression
from ..phenotype.tables import Tables
from ..phenotype.trial import DerivativeOutcome, Outcome
from ..running.files import drafted
from ..settings import Settings
from .maps import MapsOfPerson, map_tests_of, maps_by_kind, possible_tests
from .mediation import choose_analyses, measured_visits

LOGGER = logging.getLogger(__name__)


class GroupPlan(NamedTuple):
    """What the group level computes.

    ``tables`` are the files with the tables as they were read; ``tests`` the voxel-wise ones that are
    possible of each kind of map; ``people`` who has which of its images; ``absent`` says of a part why it is
    left out; ``biomarkers`` are those of which there is a sample.
    """

    trial: Trial
    outcomes: list[Outcome]
    tables: Mapping[str, Path]
    results: Results
    tests: Mapping[str, tuple[MapTest, ...]]
    people: Mapping[str, list[MapsOfPerson]]
    expression: ExpressionPlan | None
    analyses: list[Analysis]
    absent: Mapping[str, str]
    biomarkers: tuple[Biomarker, ...] = ()

    @property
    def primary(self) -> str:
        """Return the name of the primary outcome, the first where none is called so."""
        return primary_of(self.outcomes).name

    @property
    def design(self) -> OutcomesDesign:
        """Return what models, readers and figures need to know of the trial."""
        return design_of(self.trial, self.outcomes)

    @property
    def mediation(self) -> MediationDesign:
        """Return what mediation needs to know of the trial."""
        return MediationDesign(
            treated=self.trial.treated,
            control=self.trial.arms.control,
            analyses=tuple(self.analyses),
            outcomes=tuple(self.outcomes),
            visits=self.trial.visits,
            is_randomised=self.trial.is_randomised,
        )


def primary_of(outcomes: list[Outcome]) -> Outcome:
    """Return the primary outcome, the first where none is called so."""
    return next((outcome for outcome in outcomes if outcome.role == 'primary'), outcomes[0])


def design_of(trial: Trial, outcomes: Iterable[Outcome]) -> OutcomesDesign:
    """Return a trial as models of some of its outcomes know it."""
    outcomes = tuple(outcomes)
    known = {outcome.name for outcome in outcomes}
    return OutcomesDesign(
        treated=trial.treated,
        control=trial.arms.control,
        outcomes=outcomes,
        visits=trial.visits,
        is_randomised=trial.is_randomised,
        covariates=trial.covariates,
        strata=trial.strata,
        sites=trial.sites,
        sequence=tuple(contrast for contrast in trial.sequence if contrast.outcome in known),
    )


def make_plan(settings: Settings, trial: Trial, tables: Tables, results: Results, folder: Path) -> GroupPlan:
    """Decide what can be computed, and put the tables as read where the workflow finds them.

    Raises
    ------
    MissingInputError
        There is neither a table nor a derivative of any outcome.
    DataError
        Counts of genes, samples or gene sets cannot be used.

    """
    outcomes = _available(trial, tables, results)
    if not outcomes:
        raise MissingInputError(
            f'{settings.bids_dir} has no table of an outcome of the trial {trial.name}, and {settings.output_dir} no '
            'results of participants. Run the participant level first, or name the tables with --trial.'
        )
    absent: dict[str, str] = {}
    expression = _expression(settings, trial, tables, absent)
    analyses: list[Analysis] = []
    if 'mediation' in settings.skip:
        absent['mediation'] = '--skip mediation'
    else:
        measured = measured_visits(trial, outcomes, tables, results, expression)
        analyses = choose_analyses(trial, outcomes, measured, absent)
    columns = ['participant_id', 'arm']
    factors = dict.fromkeys((*trial.covariates, *trial.factors))
    files = {
        'outcomes': tables.outcomes[_outcome_columns(trial)],
        'people': tables.participants[[*columns, *_present(factors, tables)]],
    }
    biomarkers = _sampled(trial, tables)
    if biomarkers:
        files['biomarkers'] = tables.biomarkers
    if expression:
        files['samples'] = expression.samples
    if analyses:
        used = dict.fromkeys(name for analysis in analyses for name in analysis.covariates)
        files['mediation'] = tables.participants[[*columns, *_present(used, tables)]]
    written = {
        name: write_text(columns_text(table), folder / f'{name}.json') for name, table in files.items()
    }
    primary = primary_of(outcomes)
    asked = () if 'voxelwise' in settings.skip else map_tests_of(trial, primary.name)
    people = maps_by_kind(trial, tables, results, asked) if asked else {}
    tests = possible_tests(trial, tables, people, asked, primary)
    tested = {kind: people[kind] for kind in tests}
    return GroupPlan(
        trial, outcomes, written, results, tests, tested, expression, analyses, absent, biomarkers
    )


def _sampled(trial: Trial, tables: Tables) -> tuple[Biomarker, ...]:
    """Return the biomarkers of which there is any sample."""
    found = tables.biomarkers
    if found is None:
        return ()
    known = found[found['value'].notna() | found['censored'].ne('')]
    return tuple(biomarker for biomarker in trial.biomarkers if biomarker.name in set(known['biomarker']))


def _outcome_columns(trial: Trial) -> list[str]:
    has_exposure = any(outcome.exposure for outcome in trial.outcomes.values())
    return ['participant_id', 'visit', 'outcome', 'value', 'flags', *(['exposure'] if has_exposure else [])]


def _present(names: Any, tables: Tables) -> list[str]:
    return [name for name in names if name in tables.participants]


def _expression(
    settings: Settings, trial: Trial, tables: Tables, absent: dict[str, str]
) -> ExpressionPlan | None:
    found: ExpressionPlan | NoExpression = NoExpression('--skip expression')
    if 'expression' not in settings.skip:
        found = plan_expression(settings.bids_dir, trial, tables.expression)
    if isinstance(found, ExpressionPlan):
        if not found.gene_sets:
            absent['enrichment'] = 'no gene sets were given: --gene-sets, or GeneSets of the trial file'
        return found
    absent['expression'] = found.reason
    if tables.expression is not None:
        LOGGER.warning('gene expression is left out: %s', found.reason)
    return None


def _available(trial: Trial, tables: Tables, results: Results) -> list[Outcome]:
    """Return the outcomes that have data; a derivative the user's own trial names must be there."""
    read = set(tables.outcomes['outcome'])
    found: list[Outcome] = []
    for outcome in trial.outcomes.values():
        if isinstance(outcome, DerivativeOutcome):
            if results.has(outcome.derivative):
                found.append(outcome)
            else:
                LOGGER.warning('outcome %s: no participant has results of it', outcome.name)
        elif outcome.name in read:
            found.append(outcome)
    return found


def write_tsv(table: pd.DataFrame, path: Path) -> Path:
    """Write a table, see :func:`write_text`."""
    return write_text(table.to_csv(sep='\t', index=False, na_rep='n/a', lineterminator='\n'), path)


def write_text(text: str, path: Path) -> Path:
    """Write a file; one that is the same already keeps its time, so that nothing is computed anew."""
    if not path.is_file() or path.read_text(encoding='utf-8') != text:
        with drafted(path) as draft:
            draft.write_text(text, encoding='utf-8')
    return path
