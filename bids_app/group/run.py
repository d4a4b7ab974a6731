"""The group level: tables and derivatives to workflows to files."""

import json
import shutil
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from ..folders import check_writable
from ..outputs.dataset import write_dataset_files
from ..outputs.found import collect_results
from ..outputs.group import TRIAL_RECORD
from ..outputs.record import save_record, without_folder
from ..outputs.recorded import with_recorded_regions
from ..participant.run import versions
from ..phenotype.rnaseq import with_named_files
from ..phenotype.tables import read_tables
from ..phenotype.trial import Trial, read_trial
from ..report import PAGE, write_methods, write_trial_report
from ..running import engine
from ..running.engine import Failure
from ..running.files import remove_damaged_results, remove_drafts, replace_file
from ..running.lock import held
from ..running.manifest import Receipt, fingerprint, receipts_folder
from ..settings import STEPS, Settings
from .assemble import build_group_workflow, group_stages
from .people import Included, select_people
from .plan import GroupPlan, make_plan, write_text, write_tsv
from .plan_text import plan_sentences
from .record import record_trial
from .scan_quality import write_scan_quality
from .status import SCANNED, list_status


def run_group(settings: Settings) -> int:
    """Analyse the group and return the exit status."""
    out = settings.output_dir / 'group'
    if settings.reports_only:
        print(f'clbpe: report {write_trial_report(settings.output_dir)}')
        return 0
    settings = with_recorded_regions(settings)
    trial = read_trial(Path(settings.group.trial) if settings.group.trial else None, settings.circuit)
    trial = with_named_files(trial, settings.group)
    wanted = replace(trial, expression=None) if 'expression' in settings.skip else trial
    included = select_people(settings, trial, read_tables(settings.bids_dir, wanted))
    tables = included.tables
    results = collect_results(settings, trial, tables.participants['participant_id'], included.exclusions)
    folder = settings.work_dir / 'group_tables'
    if settings.dry_run:
        print('\n'.join(plan_sentences(make_plan(settings, trial, tables, results, folder), included)))
        return 0
    check_writable(out)
    settings.output_dir.mkdir(parents=True, exist_ok=True)
    with held(settings.work_dir / 'locks' / 'group', 'the group'):
        plan = make_plan(settings, trial, tables, results, folder)
        with held(out / 'log', 'the group'):
            remove_drafts(out, older_than=0)  # of a run that was killed
            write_dataset_files(settings.output_dir, settings.bids_dir, dict(settings.derivatives))
            inputs = [
                _describe_trial(settings, trial, included, folder),
                *plan.tables.values(),
                *_files(plan),
            ]
            return _process(settings, plan, included, inputs)


def _process(settings: Settings, plan: GroupPlan, included: Included, inputs: list[Path]) -> int:
    """Compute what is not up to date, write page and record, and return the exit status."""
    out = settings.output_dir / 'group'
    parameters = _parameters(settings, plan, included)
    known = fingerprint({settings.name_of(path): path for path in inputs})
    stages = group_stages(settings, plan, parameters, known)
    page = Receipt(receipts_folder(out) / 'report.json', settings.output_dir, parameters, known)
    done = [stage.is_current(overwrite=settings.overwrite) for stage in stages]
    if all(done) and page.is_current([out / PAGE], overwrite=settings.overwrite):
        print(f'clbpe: the group is already up to date; results in {out}')
        return 0
    found = [plan.expression.findings] if plan.expression else []
    told = pd.concat([*found, included.tables.report], ignore_index=True)
    write_tsv(told.assign(table=told['table'].map(without_folder)), out / 'phenotype_report.tsv')
    status = list_status(settings, plan.trial, included, plan.results)
    write_tsv(status, out / 'participants.tsv')
    write_scan_quality(settings.results_dir, out)
    tell_missing(status)
    run_id = f'{time.strftime("%Y%m%d-%H%M%S")}_{uuid.uuid4()}'
    engine.configure(settings, run_id)
    remove_damaged_results(settings.work_dir / STEPS / 'group_wf')
    workflow = build_group_workflow(settings, plan, stages)
    write_methods(workflow.visit_desc(), out, versions=versions())
    failures = engine.execute(settings, workflow, run_id, [engine.EVERYBODY])
    _write_record(parameters, settings, plan, failures, run_id)
    replace_file(inputs[0], settings.output_dir / TRIAL_RECORD)
    page.void()
    written = write_trial_report(settings.output_dir)
    if not failures:
        page.write([written])
    _tell_gaps(out)
    return _conclude(settings, failures)


def _parameters(settings: Settings, plan: GroupPlan, included: Included) -> dict[str, object]:
    """Return what decides the numbers: what is left out, not the list that says so."""
    own = {'exclude': included.exclusions.keys(), 'trial_name': plan.trial.name}
    return {**settings.group_parameters(), **own}


def _describe_trial(settings: Settings, trial: Trial, included: Included, folder: Path) -> Path:
    """Write what the report needs to know of the trial."""
    record = record_trial(
        trial, included.tables, output_dir=settings.output_dir, results_dir=settings.results_dir,
        circuit=settings.circuit, left_out=included.left_out,
    )  # fmt: skip
    return write_text(json.dumps(record, indent=2, default=str) + '\n', folder / 'trial.json')


def _files(plan: GroupPlan) -> list[Path]:
    """Return the files that results rest on, beside the tables."""
    scans = [path for scan in plan.results.scans for path in scan.files.values()]
    tracts = [path for t in plan.results.tracts for path in (t.table, t.table.with_suffix('.json'))]
    genes = [plan.expression.counts, *plan.expression.gene_sets] if plan.expression else []
    return [*scans, *tracts, *genes]


def _write_record(
    parameters: Mapping[str, object],
    settings: Settings,
    plan: GroupPlan,
    failures: list[Failure],
    run_id: str,
) -> None:
    folder = settings.output_dir / 'group' / 'log' / run_id
    record = {
        'command': settings.command,
        'started': run_id.split('_')[0],
        'versions': versions(),
        'parameters': parameters,
        'trial': plan.trial.name,
        'inputs': [str(path) for path in plan.tables.values()],
        'absent': [{'modality': part, 'reason': reason} for part, reason in plan.absent.items()],
        'errors': [{'node': f.node, 'message': f.message} for f in failures],
    }
    save_record(record, [failure.crash for failure in failures], folder, settings.bids_dir)


def tell_missing(status: pd.DataFrame) -> None:
    """Say who has an arm and no scan that is analysed, and why: their job may have failed."""
    scans = status[status['data'].isin(SCANNED)]
    for label, own in scans.groupby('participant_id', sort=False):
        if (own['status'] == 'missing').all():
            reasons = '; '.join(dict.fromkeys(own['reason']))
            print(f'clbpe: no results of {label}: {reasons}', file=sys.stderr)


def _tell_gaps(out: Path) -> None:
    """Print which mediation analyses have no estimate, and why, once for all variants of one in an arm."""
    path = out / 'mediation_models.tsv'
    if path.is_file():
        models = pd.read_csv(path, sep='\t', keep_default_na=False, dtype=str)
        failed = models[models['note'] != 'n/a']
        stems = failed['label'].str.split('_').str[0]
        for note in failed.groupby([stems, failed['arm']], sort=False)['note'].first().unique():
            print(f'clbpe: not estimated: {note}', file=sys.stderr)


def _conclude(settings: Settings, failures: list[Failure]) -> int:
    out = settings.output_dir / 'group'
    for failure in failures:
        print(f'clbpe: group, {failure.node}: {failure.message}', file=sys.stderr)
    if failures:
        print(f'clbpe: the group finished with errors; valid results are in {out}', file=sys.stderr)
        return engine.first_status(failures)
    if settings.clean_workdir:
        shutil.rmtree(settings.work_dir / STEPS / 'group_wf', ignore_errors=True)
    print(f'clbpe: the group is done; results in {out}, report {out / "report.html"}')
    return 0
