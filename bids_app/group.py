"""The group level: tables and derivatives to workflows to files."""

import json
import logging
import shutil
import sys
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.errors import MissingInputError, SelectionError

from . import engine
from .assemble_group import GroupPlan, build_group_workflow, planned_files
from .derivatives import write_dataset_files
from .engine import Failure
from .files import drafted, remove_drafts, replace_json
from .group_derivatives import MAP_KINDS
from .group_inputs import Results, collect_results, stamp_of
from .group_status import list_status
from .manifest import group_manifest_path, is_current, write_manifest
from .participant import versions
from .phenotype import Tables, read_tables
from .report import write_methods
from .settings import Settings, check_writable
from .trial import DerivativeOutcome, Outcome, Trial, read_trial

LOGGER = logging.getLogger(__name__)

_PER_ARM, _LEAST = 3, 6
"""People with both maps that a comparison of arms, and any other test, needs at least."""


def run_group(settings: Settings) -> int:
    """Analyse the group and return the exit status."""
    trial = read_trial(Path(settings.group.trial) if settings.group.trial else None)
    tables = _selected(settings, read_tables(settings.bids_dir, trial))
    results = collect_results(settings, trial, tables.participants['participant_id'])
    folder = settings.work_dir / 'group_tables'
    plan = make_plan(settings, trial, tables, results, folder)
    if settings.dry_run:
        _print_plan(plan, tables)
        return 0
    out = settings.output_dir / 'group'
    check_writable(out)
    remove_drafts(out)
    settings.output_dir.mkdir(parents=True, exist_ok=True)
    write_dataset_files(settings.output_dir, settings.bids_dir, dict(settings.derivatives))
    inputs = [*plan.tables.values(), *_files(results)]
    manifest = group_manifest_path(settings.output_dir)
    parameters = {**settings.group_parameters(), 'trial_name': trial.name}
    if is_current(settings.output_dir, manifest, parameters, inputs, overwrite=settings.overwrite):
        print(f'clbpe: the group is already up to date; results in {out}')
        return 0
    _write(tables.report, out / 'phenotype_report.tsv')
    _write(list_status(settings, trial, tables, results), out / 'participants.tsv')
    run_id = f'{time.strftime("%Y%m%d-%H%M%S")}_{uuid.uuid4()}'
    engine.configure(settings, run_id)
    workflow = build_group_workflow(settings, plan)
    write_methods(workflow.visit_desc(), out, versions=versions())
    failures = engine.execute(settings, workflow, run_id, [engine.EVERYBODY])
    _write_record(settings, plan, failures, run_id)
    written = [planned.path for planned in planned_files(settings, plan) if planned.path.is_file()]
    if not failures:
        write_manifest(settings.output_dir, manifest, parameters, inputs, written)
    return _conclude(settings, failures)


def _selected(settings: Settings, tables: Tables) -> Tables:
    """Keep the participants of ``--participant-label``.

    Raises
    ------
    SelectionError
        None of them has an arm.

    """
    if not settings.participant_label:
        return tables
    wanted = {f'sub-{label}' for label in settings.participant_label}
    people = tables.participants[tables.participants['participant_id'].isin(wanted)]
    if people.empty:
        known = ', '.join(tables.participants['participant_id'].head(5))
        raise SelectionError(
            f'--participant-label {" ".join(settings.participant_label)}: nobody of these has an arm. '
            f'Known are {known}, and so on.'
        )
    kept = {
        name: table[table['participant_id'].isin(wanted)].reset_index(drop=True)
        for name, table in tables._asdict().items()
        if isinstance(table, pd.DataFrame) and name != 'report' and 'participant_id' in table
    }
    return tables._replace(**kept)


def make_plan(settings: Settings, trial: Trial, tables: Tables, results: Results, folder: Path) -> GroupPlan:
    """Decide what can be computed, and put the tables as read where the workflow finds them.

    Raises
    ------
    MissingInputError
        There is neither a table nor a derivative of any outcome.

    """
    outcomes = _available(trial, tables, results)
    if not outcomes:
        raise MissingInputError(
            f'{settings.bids_dir} has no table of an outcome of the trial {trial.name}, and {settings.output_dir} no '
            'results of participants. Run the participant level first, or name the tables with --trial.'
        )
    files = {
        'outcomes': tables.outcomes[['participant_id', 'visit', 'outcome', 'value', 'flags']],
        'participants': tables.participants[['participant_id', 'arm', *_covariates(trial, tables)]],
    }
    if tables.bdnf is not None and len(tables.bdnf):
        files['bdnf'] = tables.bdnf
    written = {name: _write(table, folder / f'{name}.tsv') for name, table in files.items()}
    people = {} if 'voxelwise' in settings.skip else _maps_of(trial, tables, results)
    contrasts = _possible(trial, tables, people.get('icc', []), outcomes)
    return GroupPlan(trial, outcomes, written, results, contrasts, people if contrasts else {})


def _covariates(trial: Trial, tables: Tables) -> list[str]:
    return [name for name in trial.covariates if name in tables.participants]


def _available(trial: Trial, tables: Tables, results: Results) -> list[Outcome]:
    """Return the outcomes that have data; a derivative the user's own trial names must be there."""
    read = set(tables.outcomes['outcome'])
    has = {'tract_fa': bool(results.tracts)}
    found: list[Outcome] = []
    for outcome in trial.outcomes.values():
        if isinstance(outcome, DerivativeOutcome):
            if has.get(outcome.derivative, bool(results.scans)):
                found.append(outcome)
            else:
                LOGGER.warning('outcome %s: no participant has results of it', outcome.name)
        elif outcome.name in read:
            found.append(outcome)
    return found


def _files(results: Results) -> list[Path]:
    scans = [path for s in results.scans for path in (s.qc, s.relmat, s.regions, *s.maps.values())]
    return [*scans, *(path for t in results.tracts for path in (t.table, t.table.with_suffix('.json')))]


def _maps_of(trial: Trial, tables: Tables, results: Results) -> dict[str, list[dict[str, Any]]]:
    """Return for each kind of map who has which images at which visit."""
    if not results.scans:
        return {}
    visits = {visit.session_id: visit.name for visit in trial.visits}
    kinds: dict[str, list[dict[str, Any]]] = {}
    for kind in MAP_KINDS:
        people = []
        for label in tables.participants['participant_id']:
            entry: dict[str, Any] = {'participant_id': label, 'stamp': ''}
            entry |= {name: [] for visit in visits.values() for name in (visit, f'{visit}_dof')}
            for scan in results.scans:
                if scan.participant_id == label:
                    path, visit = scan.maps[kind], visits[scan.session_id]
                    entry[visit].append(str(path))
                    entry[f'{visit}_dof'].append(scan.dof)
                    entry['stamp'] += stamp_of(path)
            people.append(entry)
        kinds[kind] = people
    return kinds


def _possible(
    trial: Trial, tables: Tables, people: list[dict[str, Any]], outcomes: list[Outcome]
) -> tuple[str, ...]:
    """Return the voxel-wise tests that have enough people."""
    arms = dict(zip(tables.participants['participant_id'], tables.participants['arm']))
    pairs = [p['participant_id'] for p in people if p['baseline'] and p['followup']]
    by_arm = Counter(arms[label] for label in pairs)
    primary = next((o.name for o in outcomes if o.role == 'primary'), outcomes[0].name)
    own = tables.outcomes[tables.outcomes['outcome'] == primary].dropna(subset='value')
    visits = own.groupby('participant_id')['visit'].nunique()
    with_symptoms = [label for label in pairs if visits.get(label, 0) == len(trial.visits)]
    counts = {
        'armOnChange': min(by_arm[trial.arms.treatment], by_arm[trial.arms.control]) * (_LEAST // _PER_ARM),
        'changeWithSymptoms': len(with_symptoms),
        'meanBaseline': sum(bool(p['baseline']) for p in people),
        'meanFollowup': sum(bool(p['followup']) for p in people),
    }
    for contrast, count in counts.items():
        if people and count < _LEAST:
            LOGGER.warning('voxel-wise %s: too few people have maps; not tested', contrast)
    return tuple(contrast for contrast, count in counts.items() if count >= _LEAST)


def _write(table: pd.DataFrame, path: Path) -> Path:
    """Write a table; one that is the same already keeps its time, so that nothing is computed anew."""
    text = table.to_csv(sep='\t', index=False, na_rep='n/a', lineterminator='\n')
    if not path.is_file() or path.read_text(encoding='utf-8') != text:
        with drafted(path) as draft:
            draft.write_text(text, encoding='utf-8')
    return path


def _print_plan(plan: GroupPlan, tables: Tables) -> None:
    counts = tables.participants['arm'].value_counts()
    print(f'trial {plan.trial.name}: ' + ', '.join(f'{number} {arm}' for arm, number in counts.items()))
    for outcome in plan.outcomes:
        print(f'outcome {outcome.name} ({outcome.role})')
    if tables.bdnf is not None and 'bdnf' in plan.tables:
        print(f'bdnf: {len(tables.bdnf)} samples')
    for kind in plan.people:
        print(f'voxel-wise {kind}: {", ".join(plan.contrasts)}')


def _write_record(settings: Settings, plan: GroupPlan, failures: list[Failure], run_id: str) -> None:
    folder = settings.output_dir / 'group' / 'log' / run_id
    record = {
        'command': settings.command,
        'started': run_id.split('_')[0],
        'versions': versions(),
        'parameters': settings.group_parameters(),
        'trial': plan.trial.name,
        'inputs': [str(path) for path in plan.tables.values()],
        'errors': [{'node': f.node, 'message': f.message} for f in failures],
    }
    replace_json(json.loads(json.dumps(record, default=str)), folder / 'run.json')
    for failure in failures:
        if failure.crash:
            shutil.copyfile(failure.crash, folder / failure.crash.name)


def _conclude(settings: Settings, failures: list[Failure]) -> int:
    out = settings.output_dir / 'group'
    for failure in failures:
        print(f'clbpe: group, {failure.node}: {failure.message}', file=sys.stderr)
    if failures:
        print(f'clbpe: the group finished with errors; valid results are in {out}', file=sys.stderr)
        return engine.first_status(failures)
    if settings.clean_workdir:
        shutil.rmtree(settings.work_dir / 'clbpe_wf' / 'group_wf', ignore_errors=True)
    print(f'clbpe: the group is done; results in {out}')
    return 0
