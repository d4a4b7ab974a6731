"""What the group level computes: decided from tables and derivatives before anything runs."""

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from pipelines.errors import MissingInputError
from pipelines.interfaces.tables import columns_text
from pipelines.stats.design import GENE_SET, Analysis
from pipelines.terms import MAPS

from ..outputs.found import Results, stamp_of
from ..outputs.group import LEAST_PEOPLE
from ..phenotype.rnaseq import ExpressionPlan, NoExpression, plan_expression
from ..phenotype.tables import Tables
from ..phenotype.trial import DerivativeOutcome, Outcome, Trial
from ..running.files import drafted
from ..settings import Settings

LOGGER = logging.getLogger(__name__)

_PER_ARM = 3
"""People of each arm with both maps that a comparison of arms needs."""


class GroupPlan(NamedTuple):
    """What the group level computes.

    ``tables`` are the files with the tables as they were read; ``contrasts`` the voxel-wise tests that are
    possible of each kind of map; ``people`` who has which of its images; ``absent`` says of a part why it is
    left out.
    """

    trial: Trial
    outcomes: list[Outcome]
    tables: Mapping[str, Path]
    results: Results
    contrasts: Mapping[str, tuple[str, ...]]
    people: Mapping[str, list[dict[str, Any]]]
    expression: ExpressionPlan | None
    analyses: list[Analysis]
    absent: Mapping[str, str]

    @property
    def primary(self) -> str:
        """Return the name of the primary outcome, the first where none is called so."""
        return primary_of(self.outcomes)


def primary_of(outcomes: list[Outcome]) -> str:
    """Return the name of the primary outcome, the first where none is called so."""
    names = [o.name for o in outcomes if o.role == 'primary'] or [o.name for o in outcomes]
    return names[0]


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
    analyses = _analyses(settings, trial, outcomes, expression, absent)
    columns = ['participant_id', 'arm']
    files = {
        'outcomes': tables.outcomes[['participant_id', 'visit', 'outcome', 'value', 'flags']],
        'participants': tables.participants[[*columns, *_present(trial.covariates, tables)]],
    }
    if tables.bdnf is not None and len(tables.bdnf):
        files['bdnf'] = tables.bdnf
    if expression:
        files['samples'] = expression.samples
    if analyses:
        used = dict.fromkeys(name for analysis in analyses for name in analysis.covariates)
        files['mediation'] = tables.participants[[*columns, *_present(used, tables)]]
    written = {
        name: write_text(columns_text(table), folder / f'{name}.json') for name, table in files.items()
    }
    people = {} if 'voxelwise' in settings.skip else _maps_of(trial, tables, results)
    contrasts = _tests(trial, tables, people, primary_of(outcomes))
    tested = {kind: people[kind] for kind in contrasts}
    return GroupPlan(trial, outcomes, written, results, contrasts, tested, expression, analyses, absent)


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
    """Return the mediation analyses whose variables exist; of the others say what is missing."""
    if 'mediation' in settings.skip:
        absent['mediation'] = '--skip mediation'
        return []
    known = {outcome.name for outcome in outcomes}
    known |= {f'{GENE_SET}{name}' for name in expression.sets} if expression else set()
    found = []
    for model in trial.mediation:
        missing = [name for name in (*model.mediators, model.outcome) if name not in known]
        if missing:
            reason = f'there is no {" and no ".join(missing)}'
            absent[f'mediation {model.name}'] = reason
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


def _maps_of(trial: Trial, tables: Tables, results: Results) -> dict[str, list[dict[str, Any]]]:
    """Return for each kind of map that anybody has who has which images at which visit."""
    visits = {visit.session_id: visit.name for visit in trial.visits}
    kinds: dict[str, list[dict[str, Any]]] = {}
    for kind in MAPS:
        owners = [scan for scan in results.scans if kind in scan.maps]
        people = []
        for label in tables.participants['participant_id'] if owners else ():
            entry: dict[str, Any] = {'participant_id': label, 'stamp': ''}
            entry |= {name: [] for visit in visits.values() for name in (visit, f'{visit}_dof')}
            for scan in owners:
                if scan.participant_id == label:
                    path, visit = scan.maps[kind], visits[scan.session_id]
                    entry[visit].append(str(path))
                    entry[f'{visit}_dof'].append(scan.dof)
                    entry['stamp'] += stamp_of(path)
            people.append(entry)
        if people:
            kinds[kind] = people
        elif results.scans:
            LOGGER.warning('voxel-wise %s: nobody has such a map; not tested', kind)
    return kinds


def _tests(
    trial: Trial, tables: Tables, people: Mapping[str, list[dict[str, Any]]], primary: str
) -> dict[str, tuple[str, ...]]:
    """Return the voxel-wise tests that have enough people, of each kind of map that has any."""
    found: dict[str, tuple[str, ...]] = {}
    few: dict[str, list[str]] = {}
    for kind, own in people.items():
        counts = _counts(trial, tables, own, primary)
        found[kind] = tuple(contrast for contrast, count in counts.items() if count >= LEAST_PEOPLE)
        for contrast, count in counts.items():
            if count < LEAST_PEOPLE:
                few.setdefault(contrast, []).append(kind)
    for contrast, kinds in few.items():
        of = '' if len(kinds) == len(people) else f' of {", ".join(kinds)}'
        LOGGER.warning('voxel-wise %s%s: too few people have maps; not tested', contrast, of)
    return {kind: contrasts for kind, contrasts in found.items() if contrasts}


def _counts(trial: Trial, tables: Tables, people: list[dict[str, Any]], primary: str) -> dict[str, int]:
    """Return for each voxel-wise test how many people it would have, as far as they count."""
    arms = dict(zip(tables.participants['participant_id'], tables.participants['arm']))
    pairs = [p['participant_id'] for p in people if p['baseline'] and p['followup']]
    by_arm = Counter(arms[label] for label in pairs)
    own = tables.outcomes[tables.outcomes['outcome'] == primary].dropna(subset='value')
    visits = own.groupby('participant_id')['visit'].nunique()
    with_symptoms = [label for label in pairs if visits.get(label, 0) == len(trial.visits)]
    return {
        'armOnChange': min(by_arm[trial.arms.treatment], by_arm[trial.arms.control])
        * (LEAST_PEOPLE // _PER_ARM),
        'changeWithSymptoms': len(with_symptoms),
        'meanBaseline': sum(bool(p['baseline']) for p in people),
        'meanFollowup': sum(bool(p['followup']) for p in people),
    }


def write_tsv(table: pd.DataFrame, path: Path) -> Path:
    """Write a table, see :func:`write_text`."""
    return write_text(table.to_csv(sep='\t', index=False, na_rep='n/a', lineterminator='\n'), path)


def write_text(text: str, path: Path) -> Path:
    """Write a file; one that is the same already keeps its time, so that nothing is computed anew."""
    if not path.is_file() or path.read_text(encoding='utf-8') != text:
        with drafted(path) as draft:
            draft.write_text(text, encoding='utf-8')
    return path
