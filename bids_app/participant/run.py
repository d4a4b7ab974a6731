"""The participant level: inputs to workflows to files, then the report."""

import json
import shutil
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipelines.errors import StoppedError

from .. import __version__
from ..folders import check_writable
from ..outputs.bold import QC
from ..outputs.chains import left_to_do, methods_of
from ..outputs.dataset import write_dataset_files
from ..outputs.diffusion import SCALARSTATS
from ..outputs.plan import of_participant, region_files
from ..outputs.record import save_record
from ..running import engine
from ..running.engine import Failure
from ..running.files import remove_damaged_results, remove_drafts
from ..running.lock import held
from ..running.manifest import digest_of
from ..scans.people import ParticipantInputs, collect_all
from ..settings import STEPS, Settings, steps_of
from .feasible import check_regions, feasible

_HEAD = 4000  # characters of a page that hold its head
LIBRARIES = (
    'nipype',
    'niworkflows',
    'pybids',
    'nilearn',
    'nibabel',
    'dipy',
    'SimpleITK',
    'picsl-greedy',
    'numpy',
    'scipy',
    'matplotlib',
)


def run_participants(settings: Settings) -> int:
    """Process the selected participants and return the exit status."""
    check_regions(settings)
    found = [_with_feasible_runs(settings, person) for person in collect_all(settings)]
    if settings.dry_run:
        return _print_plan(found)
    for person in found:
        check_writable(settings.output_dir / f'sub-{person.label}')
    settings.output_dir.mkdir(parents=True, exist_ok=True)
    write_dataset_files(settings.output_dir, settings.bids_dir, dict(settings.derivatives))
    failures = [
        failure for person in found if not _is_only_shown(settings, person) for failure in _unusable(person)
    ]
    run_id = f'{time.strftime("%Y%m%d-%H%M%S")}_{uuid.uuid4()}'
    with ExitStack() as locks:
        pending, taken = _hold(settings, found, locks)
        failures += taken
        if pending:
            failures += _run(settings, pending, run_id)
        _tell(settings, found, pending, failures, run_id)
        return _conclude(settings, found, pending, failures)


def _hold(
    settings: Settings, found: list[ParticipantInputs], locks: ExitStack
) -> tuple[list[ParticipantInputs], list[Failure]]:
    """Return what is left to do of people whom nobody else processes now, and who they are that somebody does."""
    pending, taken = [], []
    for person in found if not settings.reports_only else []:
        if person.is_empty or left_to_do(settings, person).is_empty:
            continue
        name = f'sub-{person.label}'
        try:
            for folder in (settings.work_dir / 'locks' / name, settings.output_dir / name / 'log'):
                locks.enter_context(held(folder, name))
        except StoppedError as error:
            taken.append(Failure(person.label, 'lock', str(error), error.exit_code))
            continue
        remove_drafts(settings.output_dir / name, older_than=0)  # of a run that was killed
        left = left_to_do(settings, person)  # somebody may have finished in between
        if not left.is_empty:
            pending.append(left)
    return pending, taken


def _tell(
    settings: Settings,
    found: list[ParticipantInputs],
    pending: list[ParticipantInputs],
    failures: list[Failure],
    run_id: str,
) -> None:
    """Write the records of this run and the pages, and say what is absent and what is flagged."""
    busy = {failure.label for failure in failures if failure.node == 'lock'}
    processed = {person.label for person in pending}
    for person in found:
        own = [f for f in failures if f.concerns(person.label)]
        if person.label not in busy and (person.label in processed or own):
            _write_record(settings, person, own, run_id)
    failed = {failure.label for failure in failures}
    _report(settings, [
        label for label in (person.label for person in found if person.label not in busy)
        if (settings.output_dir / f'sub-{label}').is_dir()
        and (label in processed | failed or settings.reports_only or not is_page_current(settings.output_dir, label))
    ])  # fmt: skip
    _print_absent([person for person in found if person.label in processed or person.is_left_out])
    for person in pending:
        _print_flags(settings, person)


def _is_only_shown(settings: Settings, person: ParticipantInputs) -> bool:
    """Return whether a page is made of results that are there: what they were made of may lie elsewhere."""
    return settings.reports_only and (settings.output_dir / f'sub-{person.label}').is_dir()


def _unusable(person: ParticipantInputs) -> list[Failure]:
    """Return what is there but unusable; what is absent counts only when nothing remains to run."""
    otherwise = 66 if person.is_empty and not person.is_left_out else None
    codes = [(a.reason, a.exit_code or otherwise) for a in person.absent]
    return [Failure(person.label, 'inputs', reason, code) for reason, code in codes if code]


def _with_feasible_runs(settings: Settings, person: ParticipantInputs) -> ParticipantInputs:
    """Leave out what a step would refuse, of people who have anything left to do: to judge it takes a moment."""
    is_asked = settings.dry_run or not (settings.reports_only or left_to_do(settings, person).is_empty)
    return feasible(settings, person) if is_asked else person


def _print_plan(found: list[ParticipantInputs]) -> int:
    """Print what would be used and what not, and return the status that the run would have for its inputs."""
    for person in found:
        sessions = person.diffusion.sessions if person.diffusion else []
        scans = [scan.dwi for session in sessions for scan in session.scans]
        used = [*(run.estimator for run in person.runs), *(session.estimator for session in sessions)]
        fields = [estimator.files() for estimator in used if estimator]
        shown = dict.fromkeys(path for files in fields for path in files)
        series = [path for run in person.runs for path in run.echoes or (run.bold,)]
        for path in (*person.t1w, *series, *scans, *shown):
            print(f'sub-{person.label}: {path}')
        for absence in person.absent:
            print(f'sub-{person.label}: not used ({absence.modality}): {absence.reason}')
    unusable = [failure for person in found for failure in _unusable(person)]
    return engine.first_status(unusable) if unusable else 0


def _print_absent(found: list[ParticipantInputs]) -> None:
    """Say what nobody was asked to leave out and yet is not used; a modality that is not there, once for all."""
    lacking: dict[str, list[tuple[str, str]]] = {}
    for person in found:
        has = {'bold': bool(person.runs), 'dwi': person.diffusion is not None}
        for absence in person.absent:
            modality, reason = absence.modality, absence.reason
            if absence.exit_code is not None or '--skip' in reason:
                continue
            if absence.on_request or has.get(modality, True):
                print(f'clbpe: sub-{person.label}: not used ({modality}): {reason}', file=sys.stderr)
            else:
                lacking.setdefault(modality, []).append((person.label, reason))
    for modality, reasons in lacking.items():
        people = list(dict.fromkeys(label for label, _ in reasons))
        labels = ', '.join(f'sub-{label}' for label in people[:5]) + (' ...' if len(people) > 5 else '')
        own = ' '.join(reason for label, reason in reasons if label == people[0])
        print(f'clbpe: no {modality} of {len(people)} ({labels}): {own}', file=sys.stderr)


def tracked_files(settings: Settings, person: ParticipantInputs) -> list[Path]:
    """Return the files whose change makes results out of date: inputs, and images that name regions."""
    return [*person.files(), *region_files(settings, person.label)]


def _run(settings: Settings, people: list[ParticipantInputs], run_id: str) -> list[Failure]:
    """Build and run one workflow for all participants; return what failed."""
    engine.configure(settings, run_id)
    for person in people:
        remove_damaged_results(settings.work_dir / STEPS / steps_of(person.label))
    from ..outputs.sinks import descriptions
    from .bold import build_workflow

    workflow = build_workflow(settings, people)
    _write_methods(settings.output_dir / 'logs', descriptions(workflow))
    if settings.boilerplate_only:
        return []
    if settings.write_graph:
        workflow.write_graph(graph2use='colored', dotfilename=str(settings.output_dir / 'logs' / 'graph.dot'))
    return engine.execute(settings, workflow, run_id, [person.label for person in people])


def _write_methods(folder: Path, paragraphs: list[str]) -> None:
    from ..report import write_methods

    write_methods('\n\n'.join(paragraphs), folder, versions=versions())


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
    """Write the record of this run."""
    files = tracked_files(settings, person)
    record = {
        'command': settings.command,
        'started': run_id.split('_')[0],
        'versions': versions(),
        'parameters': settings.parameters(),
        'selection': {'session': settings.session_label, 'task': settings.task_id, 'run': settings.run},
        'inputs': [
            {'path': settings.name_of(path), 'kind': path.name.split('.')[0].split('_')[-1]} for path in files
        ],
        'absent': [{'modality': a.modality, 'reason': a.reason} for a in person.absent],
        'errors': [{'node': f.node, 'message': f.message} for f in failures],
    }
    folder = settings.output_dir / f'sub-{person.label}' / 'log' / run_id
    save_record(record, [failure.crash for failure in failures], folder, settings.bids_dir)


def _report(settings: Settings, labels: list[str]) -> None:
    """Write the pages that are asked for, or that do not show what is on disk: another job added to it."""
    if not labels:
        return
    from ..report import assemble_report  # here, so that workers need not spend the second it takes again

    write = partial(_write_page, assemble_report, settings.output_dir)
    with ExitStack() as stack:
        n_workers = min(settings.nprocs, len(labels))
        run = stack.enter_context(ProcessPoolExecutor(n_workers)).map if n_workers > 1 else map
        for page in run(write, labels):
            print(f'report: {page}', flush=True)  # seconds each


def _write_page(assemble: Callable[[Path, str], Path], output_dir: Path, label: str) -> Path:
    folder = output_dir / f'sub-{label}'
    told = methods_of(folder)
    if told:  # by other jobs too; results of before do not tell
        _write_methods(folder / 'log', told)
    return assemble(output_dir, label)


def is_page_current(output_dir: Path, label: str) -> bool:
    """Return whether the page shows what is on disk: jobs for single sessions each add to it."""
    try:
        with (output_dir / f'sub-{label}.html').open(encoding='utf-8') as page:
            return digest_of(output_dir / f'sub-{label}') in page.read(_HEAD)
    except OSError:
        return False


def _print_flags(settings: Settings, person: ParticipantInputs) -> None:
    """Say which runs carry flags; the report says what they mean."""
    for planned in of_participant(settings, person):
        facts = planned.path.with_suffix('.json')
        if (planned.row == QC or planned.row.term == SCALARSTATS.term) and facts.is_file():
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
        for person in pending:
            shutil.rmtree(settings.work_dir / STEPS / steps_of(person.label), ignore_errors=True)
    left_out = sum(person.is_left_out for person in found)
    done = f'{len(pending)} processed, {len(found) - len(pending) - left_out} already up to date'
    done += f', {left_out} left out' if left_out else ''
    print(f'clbpe: {done}; results in {settings.output_dir}')
    return 0
