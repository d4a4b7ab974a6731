"""What the group level computes: decided from tables and derivatives before anything runs."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from pipelines.errors import MissingInputError
from pipelines.interfaces.tables import columns_text
from pipelines.stats.design import GENE_SET, Analysis, OutcomesDesign

from ..outputs.found import Results
from ..phenotype.parts import Biomarker, Trial
from ..phenotype.rnaseq import ExpressionPlan, NoExpression, plan_expression
from ..phenotype.tables import Tables
from ..phenotype.trial import DerivativeOutcome, Outcome
from ..running.files import drafted
from ..settings import Settings
from .maps import MapsOfPerson, maps_of, possible_tests

LOGGER = logging.getLogger(__name__)


class GroupPlan(NamedTuple):
    """What the group level computes.

    ``tables`` are the files with the tables as they were read; ``contrasts`` the voxel-wise tests that are
    possible of each kind of map; ``people`` who has which of its images; ``absent`` says of a part why it is
    left out; ``biomarkers`` are those of which there is a sample.
    """

    trial: Trial
    outcomes: list[Outcome]
    tables: Mapping[str, Path]
    results: Results
    contrasts: Mapping[str, tuple[str, ...]]
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
    everybody, tables = tables, _two_arms(trial, tables)
    expression = _expression(settings, trial, everybody, absent)
    analyses = _analyses(settings, trial, outcomes, expression, absent)
    columns = ['participant_id', 'arm']
    factors = dict.fromkeys((*trial.covariates, *trial.factors))
    adjusted = design_of(trial, outcomes).adjusted
    files = {
        'outcomes': everybody.outcomes[_outcome_columns(trial)],
        'people': everybody.participants[[*columns, *_present(factors, tables)]],
        'participants': tables.participants[[*columns, *_present(adjusted, tables)]],
    }
    biomarkers = _sampled(trial, everybody)
    if biomarkers:
        files['biomarkers'] = everybody.biomarkers
    if expression:
        files['samples'] = expression.samples
    if analyses:
        used = dict.fromkeys(name for analysis in analyses for name in analysis.covariates)
        files['mediation'] = tables.participants[[*columns, *_present(used, tables)]]
    written = {
        name: write_text(columns_text(table), folder / f'{name}.json') for name, table in files.items()
    }
    people = {} if 'voxelwise' in settings.skip else maps_of(trial, tables, results)
    contrasts = possible_tests(trial, tables, people, primary_of(outcomes))
    tested = {kind: people[kind] for kind in contrasts}
    return GroupPlan(
        trial, outcomes, written, results, contrasts, tested, expression, analyses, absent, biomarkers
    )


def _sampled(trial: Trial, tables: Tables) -> tuple[Biomarker, ...]:
    """Return the biomarkers of which there is any sample."""
    found = tables.biomarkers
    if found is None:
        return ()
    known = found[found['value'].notna() | found['censored'].ne('')]
    return tuple(biomarker for biomarker in trial.biomarkers if biomarker.name in set(known['biomarker']))


def _two_arms(trial: Trial, tables: Tables) -> Tables:
    """Return what is known of the first treated arm and of the control, for what compares two arms."""
    arms = (trial.arms.treatment, trial.arms.control)
    kept = {
        name: table[table['arm'].isin(arms)].reset_index(drop=True)
        for name, table in tables._asdict().items()
        if isinstance(table, pd.DataFrame) and 'arm' in table
    }
    return tables._replace(**kept)


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


def _analyses(
    settings: Settings,
    trial: Trial,
    outcomes: list[Outcome],
    expression: ExpressionPlan | None,
    absent: dict[str, str],
) -> list[Analysis]:
    """Return the mediation analyses whose variables exist and are continuous; of the others say why not."""
    if 'mediation' in settings.skip:
        absent['mediation'] = '--skip mediation'
        return []
    known = {outcome.name for outcome in outcomes}
    others = {outcome.name: outcome.kind for outcome in outcomes if outcome.kind != 'continuous'}
    known |= {f'{GENE_SET}{name}' for name in expression.sets} if expression else set()
    found = []
    for model in trial.mediation:
        missing = [name for name in (*model.mediators, model.outcome) if name not in known]
        odd = [f'{name} is {others[name]}' for name in (*model.mediators, model.outcome) if name in others]
        if missing:
            reason = f'there is no {" and no ".join(missing)}'
            absent[f'mediation {model.name}'] = reason
        elif odd:
            absent[f'mediation {model.name}'] = (
                f'{" and ".join(odd)}, where the model is of continuous outcomes'
            )
        else:
            found.append(model)
    left_out = [
        f'{key.split(maxsplit=1)[1]} ({why})' for key, why in absent.items() if key.startswith('mediation ')
    ]
    if left_out:
        LOGGER.warning('mediation analyses left out: %s', '; '.join(left_out))
    if not trial.mediation:
        absent['mediation'] = 'the trial file has no part Mediation'
    return found


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
