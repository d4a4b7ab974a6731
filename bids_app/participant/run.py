"""The participant level: inputs to workflows to files, then the report."""

import json
import shutil
import sys
import time
import uuid
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .. import __version__
from ..outputs.dataset import write_dataset_files
from ..outputs.plan import of_participant, region_files
from ..running import engine
from ..running.engine import Failure
from ..running.files import remove_drafts, replace_json
from ..running.manifest import is_current, manifest_path, write_manifest
from ..scans.people import ParticipantInputs, collect_all
from ..settings import Settings, check_writable

LIBRARIES = (
    'nipype',
    'niworkflows',
    'pybids',
    'nilearn',
    'nibabel',
    'dipy',
    'antspyx',
    'numpy',
    'scipy',
    'matplotlib',
)


def run_participants(settings: Settings) -> int:
    """Process the selected participants and return the exit status."""
    found = collect_all(settings)
    if settings.dry_run:
        _print_plan(found)
        return 0
    for person in found:
        folder = settings.output_dir / f'sub-{person.label}'
        check_writable(folder)
        remove_drafts(folder)
    settings.output_dir.mkdir(parents=True, exist_ok=True)
    write_dataset_files(settings.output_dir, settings.bids_dir, dict(settings.derivatives))
    failures = [failure for person in found for failure in _unusable(person)]
    pending = [p for p in found if not p.is_empty and not _is_done(settings, p)]
    if settings.reports_only:
        pending = []
    run_id = f'{time.strftime("%Y%m%d-%H%M%S")}_{uuid.uuid4()}'
    if pending:
        failures += _run(settings, pending, run_id)
    for person in found:
        own = [f for f in failures if f.concerns(person.label)]
        if person in pending or own:
            _write_record(settings, person, own, run_id)
    failed = {failure.label for failure in failures}
    _report(settings, [p.label for p in found if p in pending or p.label in failed or settings.reports_only])
    _print_absent(pending)
    for person in pending:
        _print_flags(settings, person)
    return _conclude(settings, found, pending, failures)


def _unusable(person: ParticipantInputs) -> list[Failure]:
    """Return what is there but unusable; what is absent counts only when nothing remains to run."""
    codes = [(a.reason, a.exit_code or (66 if person.is_empty else None)) for a in person.absent]
    return [Failure(person.label, 'inputs', reason, code) for reason, code in codes if code]


def _print_plan(found: list[ParticipantInputs]) -> None:
    for person in found:
        sessions = person.diffusion.sessions if person.diffusion else []
        scans = [scan.dwi for session in sessions for scan in session.scans]
        for path in (*person.t1w, *(run.bold for run in person.runs), *scans):
            print(f'sub-{person.label}: {path}')
        for absence in person.absent:
            print(f'sub-{person.label}: no {absence.modality}: {absence.reason}')


def _print_absent(found: list[ParticipantInputs]) -> None:
    """Say what nobody was asked to leave out and yet is not there, once for all who lack it."""
    lacking: dict[str, list[tuple[str, str]]] = {}
    for person in found:
        for absence in person.absent:
            if absence.exit_code is None and '--skip' not in absence.reason:
                lacking.setdefault(absence.modality, []).append((person.label, absence.reason))
    for modality, people in lacking.items():
        labels = ', '.join(f'sub-{label}' for label, _ in people[:5]) + (' ...' if len(people) > 5 else '')
        print(f'clbpe: no {modality} of {len(people)} ({labels}): {people[0][1]}', file=sys.stderr)


def _is_done(settings: Settings, person: ParticipantInputs) -> bool:
    files = tracked_files(settings, person)
    path = manifest_path(settings.output_dir, person.label)
    return is_current(settings.output_dir, path, settings.parameters(), files, overwrite=settings.overwrite)


def tracked_files(settings: Settings, person: ParticipantInputs) -> list[Path]:
    """Return the files whose change makes results out of date: inputs, and images that name regions."""
    return [*person.files(), *region_files(settings)]


def _run(settings: Settings, people: list[ParticipantInputs], run_id: str) -> list[Failure]:
    """Build and run one workflow for all participants; return what failed."""
    engine.configure(settings, run_id)
    from .bold import build_workflow

    workflow = build_workflow(settings, people)
    _write_methods(settings, workflow.visit_desc())
    if settings.boilerplate_only:
        return []
    if settings.write_graph:
        workflow.write_graph(graph2use='colored', dotfilename=str(settings.output_dir / 'logs' / 'graph.dot'))
    return engine.execute(settings, workflow, run_id, [person.label for person in people])


def _write_methods(settings: Settings, description: str) -> None:
    from ..report import write_methods

    write_methods(description, settings.output_dir / 'logs', versions=versions())


def versions() -> dict[str, str]:
    """Return the versions of the program and the libraries it computes with."""
    known = {'clbpe': __version__, 'python': sys.version.split()[0]}
    for name in LIBRARIES:
        try:
            known[name] = version(name)
        except PackageNotFoundError:
            continue
    return known


def _write_record(
    settings: Settings, person: ParticipantInputs, failures: list[Failure], run_id: str
) -> None:
    """Write the record of this run and, if nothing failed, the manifest."""
    files = tracked_files(settings, person)
    record = {
        'command': settings.command,
        'started': run_id.split('_')[0],
        'versions': versions(),
        'parameters': settings.parameters(),
        'inputs': [{'path': str(path), 'kind': path.name.split('.')[0].split('_')[-1]} for path in files],
        'absent': [{'modality': a.modality, 'reason': a.reason} for a in person.absent],
        'errors': [{'node': f.node, 'message': f.message} for f in failures],
    }
    folder = settings.output_dir / f'sub-{person.label}' / 'log' / run_id
    replace_json(record, folder / 'run.json')
    for failure in failures:
        if failure.crash:
            shutil.copyfile(failure.crash, folder / failure.crash.name)
    if not failures:
        outputs = [plan.path for plan in of_participant(settings, person) if plan.path.is_file()]
        path = manifest_path(settings.output_dir, person.label)
        write_manifest(settings.output_dir, path, settings.parameters(), files, outputs)


def _report(settings: Settings, labels: list[str]) -> None:
    from ..report import assemble_report

    for label in labels:
        if (settings.output_dir / f'sub-{label}').is_dir():
            print(f'report: {assemble_report(settings.output_dir, label)}', flush=True)  # seconds each


def _print_flags(settings: Settings, person: ParticipantInputs) -> None:
    """Say which runs carry flags; the report says what they mean."""
    for planned in of_participant(settings, person):
        facts = planned.path.with_suffix('.json')
        if planned.row.output in ('qc', 'scalarstats') and facts.is_file():
            flags = json.loads(facts.read_text())['Flags']
            name = planned.path.name.split('_desc-')[0].removesuffix('_scalarstats.tsv')
            if flags:
                print(f'clbpe: warning: {name} is flagged: {", ".join(flags)}', file=sys.stderr)


def _conclude(
    settings: Settings,
    found: list[ParticipantInputs],
    pending: list[ParticipantInputs],
    failures: list[Failure],
) -> int:
    for failure in failures:
        print(f'clbpe: sub-{failure.label}, {failure.node}: {failure.message}', file=sys.stderr)
    if failures:
        people = ', '.join(sorted({f'sub-{f.label}' for f in failures}))
        print(
            f'clbpe: finished with errors for {people}; valid results are in {settings.output_dir}',
            file=sys.stderr,
        )
        return engine.first_status(failures)
    if settings.clean_workdir:
        shutil.rmtree(settings.work_dir / 'clbpe_wf', ignore_errors=True)
    done = len(found) - len(pending)
    print(f'clbpe: {len(pending)} processed, {done} already up to date; results in {settings.output_dir}')
    return 0
