"""What the participant level left for the group: scans and tracts of the trial's visits."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, assert_never

from pipelines.errors import DataError
from pipelines.stats.visit import Visit
from pipelines.terms import MEASURES, Circuit, Map, default_circuit

from ..phenotype.parts import Trial
from ..running.manifest import is_unchanged, read_receipts
from ..scans.exclusion import NOTHING, Exclusions
from ..scans.query import entities_of
from ..settings import Settings
from .bold import HALVES, QC, REGIONS_DSEG, REGIONS_TABLE, RELMAT, map_rows
from .left_out import LeftOut, Receipts, inputs_of, warn_of
from .rows import SOURCE_ENTITIES, Derivative
from .tract_tables import TractResult, tract_tables

LOGGER = logging.getLogger(__name__)

_FREE = ('random_seed',)
"""Parameters that may differ between participants without making their numbers incomparable."""

_REMEDY = (
    'Run the participant level again with the same options for all (and --overwrite), or leave some out with '
    '--exclude.'
)


class ScanResult(NamedTuple):
    """What was made of one BOLD run: its files by the output of their row, those that are there.

    ``lacks`` names files that an analysis of the trial needs and that are absent, by that analysis.
    """

    participant_id: str
    session_id: str
    name: str
    files: dict[str, Path]
    maps: dict[str, Path]
    space: str
    dof: float
    flags: list[str]
    lacks: dict[str, str]


class Results(NamedTuple):
    """Everything that was found of the participant level, what of it is left out, and of which regions it is."""

    scans: list[ScanResult]
    tracts: list[TractResult]
    left_out: Sequence[LeftOut] = ()
    circuit: Circuit = default_circuit()

    @property
    def space(self) -> str:
        """Return the one template space of the maps; empty without maps."""
        return next((scan.space for scan in self.scans if scan.space), '')

    def has(self, what: str) -> bool:
        """Return whether anybody has the files of a measure or of a kind of map."""
        if what in MEASURES and MEASURES[what].source == 'tract':
            return bool(self.tracts)
        return any(what not in scan.lacks for scan in self.scans)


def collect_results(
    settings: Settings, trial: Trial, people: Iterable[str], exclusions: Exclusions = NOTHING
) -> Results:
    """Find the results of the participant level for people who are analysed.

    Parameters
    ----------
    settings
        The derivatives are ``-d clbpe=PATH`` if given, else the output folder.
    trial
        Its visits.
    people
        Their ``participant_id``.
    exclusions
        What is left out of them.

    Raises
    ------
    DataError
        Participants were processed with different parameters or into different spaces, or a file is not as a
        finished run left it; names them.

    """
    root = settings.results_dir
    known = [label for label in sorted(people) if (root / label).is_dir()]
    receipts = {label: read_receipts(root / label) for label in known}
    _check_parameters(receipts)
    wanted = _wanted(settings, trial)
    results = _admitted(
        [scan for label in known for scan in _scans_of(root / label, trial, settings, wanted)],
        [tract for label in known for tract in tract_tables(root / label, trial, settings.circuit)],
        exclusions,
        lambda label, path: inputs_of(root, receipts[label], path),
    )
    spaces: dict[str, str] = {}
    for scan in results.scans:
        spaces.setdefault(scan.space, scan.name)
    spaces.pop('', None)
    if len(spaces) > 1:
        listed = '; '.join(f'{space}, for example {name}' for space, name in spaces.items())
        raise DataError(
            f'{root}: maps are in different template spaces: {listed}. Run the participant level with one '
            '--output-space for all.'
        )
    _check_files(root, receipts, results)
    return results._replace(circuit=settings.circuit)


def _admitted(
    scans: list[ScanResult],
    tracts: list[TractResult],
    exclusions: Exclusions,
    inputs: Callable[[str, Path], list[str]],
) -> Results:
    """Return results without those that are left out; warn of others that were made of what is left out."""
    kept, left_out = Results([], []), []
    for scan in scans:
        why = exclusions.of_scan(scan.name, 'bold', is_made=True)
        if why:
            left_out.append(LeftOut(*scan[:2], 'bold', f'{scan.name}: {why.said()}'))
        else:
            kept.scans.append(scan)
            warn_of(scan.name, exclusions.of_inputs(inputs(scan.participant_id, scan.files[QC.output])))
    for tract in tracts:
        made_of = exclusions.of_inputs(inputs(tract.participant_id, tract.table))
        own = (why for name, why in made_of.items() if f'_{tract.session_id}_' in name)
        why = exclusions.of_session(*tract[:2], 'dwi') or next(own, None)
        if why:
            gone = LeftOut(*tract[:2], 'dwi', why.said())
            left_out += [gone] if gone not in left_out else []  # once for all pairs
        else:
            kept.tracts.append(tract)
            warn_of(f'{tract.table.name} of {tract.session_id}', made_of)
    return kept._replace(left_out=left_out)


def _wanted(settings: Settings, trial: Trial) -> dict[str, list[Derivative]]:
    """Return the rows that each analysis of the trial reads of a BOLD run: a reader asks for no more."""
    found: dict[str, list[Derivative]] = {}
    rows = map_rows(settings.circuit)
    for outcome in trial.derivative_outcomes:
        measure = MEASURES[outcome.derivative]
        match measure.source:
            case 'matrix':
                found[measure.name] = [RELMAT]
            case 'map':
                found[measure.name] = [rows[measure.map], REGIONS_DSEG, REGIONS_TABLE]
            case 'tract':
                pass
            case other:
                assert_never(other)
    if 'voxelwise' not in settings.skip:
        found |= {kind: [row] for kind, row in rows.items()}
    return found


def _check_parameters(receipts: Mapping[str, Receipts]) -> None:
    """Refuse to pool people, or scans of one, who were processed differently."""
    groups: dict[str, dict[str, dict[str, None]]] = {}
    for label, own in receipts.items():
        for receipt in own.values():
            for key, value in receipt['parameters'].items():
                groups.setdefault(key, {}).setdefault(json.dumps(value), {})[label] = None
    mixed = {key: values for key, values in groups.items() if len(values) > 1 and key not in _FREE}
    if mixed:
        lines = [
            f'\n- {key}: '
            + '; '.join(f'{value} for {_some(list(people))}' for value, people in sorted(values.items()))
            for key, values in mixed.items()
        ]
        raise DataError(f'participants were processed with different parameters:{"".join(lines)}\n{_REMEDY}')


def _check_files(root: Path, receipts: Mapping[str, Receipts], results: Results) -> None:
    """Refuse files that no finished step answers for: a run that replaced them was stopped."""
    unknown = [label for label, own in receipts.items() if not own]
    if unknown:
        LOGGER.warning('%s: no record of a finished run; the results are used as they are', _some(unknown))
    used: dict[str, dict[Path, None]] = {}
    for scan in results.scans:
        used.setdefault(scan.participant_id, {}).update(dict.fromkeys(scan.files.values()))
    for tract in results.tracts:
        files = tract.table, tract.table.with_suffix('.json')
        used.setdefault(tract.participant_id, {}).update(dict.fromkeys(files))
    bad = []
    for label, own in receipts.items():
        known = {name: state for receipt in own.values() for name, state in receipt['outputs'].items()}
        for path in used.get(label, ()) if own else ():
            name = path.relative_to(root).as_posix()
            if name not in known or not is_unchanged(path, known[name]):
                bad.append(name)
    if bad:
        listed = ''.join(f'\n- {name}' for name in bad[:10]) + ('\n...' if len(bad) > 10 else '')
        raise DataError(
            f'{len(bad)} files are not as a finished run left them; one that replaced them was stopped, is still '
            f'running, or failed:{listed}\n{_REMEDY}'
        )


def _some(people: list[str]) -> str:
    return ', '.join(people[:3]) + (f' and {len(people) - 3} more' if len(people) > 3 else '')


def _sessions(folder: Path, trial: Trial) -> Iterator[tuple[Visit, Path]]:
    for visit in trial.visits:
        if (folder / visit.session_id).is_dir():
            yield visit, folder / visit.session_id


def _scans_of(
    folder: Path, trial: Trial, settings: Settings, wanted: Mapping[str, list[Derivative]]
) -> Iterator[ScanResult]:
    for visit, session in _sessions(folder, trial):
        present = sorted(p for p in (session / 'func').glob('*') if p.is_file())
        for qc in present:
            if QC.is_name(qc.name, {}) and _is_selected(entities_of(qc), settings):
                yield _scan(folder.name, visit, qc, present, wanted)


def _is_selected(entities: dict[str, str], settings: Settings) -> bool:
    runs = {str(int(number)) for number in settings.run}
    return (not settings.task_id or entities.get('task') in settings.task_id) and (
        not runs or str(int(entities.get('run', '1'))) in runs
    )


def _scan(
    label: str, visit: Visit, qc: Path, present: list[Path], wanted: Mapping[str, list[Derivative]]
) -> ScanResult:
    """Return the results of one run, and what it lacks of that which analyses need."""
    dof, flags = _quality(qc)
    source = {key: value for key, value in entities_of(qc).items() if key in SOURCE_ENTITIES}
    files, lacks = {QC.output: qc}, {}
    for analysis, rows in wanted.items():
        for row in rows:
            own = [path for path in present if row.is_name(path.name, source)]
            if len(own) == 1:
                files[row.output] = own[0]
            else:
                lacks[analysis] = f'{len(own)} files of {row.description}, one is expected'
    halves = {row.output: path for row in HALVES for path in present if row.is_name(path.name, source)}
    files |= halves if len(halves) == len(HALVES) and RELMAT.output in files else {}
    spaces = {entities_of(path).get('space', '') for path in files.values()} - {''}
    if len(spaces) > 1:
        raise DataError(f'{qc}: results of this run are in different spaces: {", ".join(sorted(spaces))}.')
    maps = {
        row.term.name: files[row.output]
        for rows in wanted.values()
        for row in rows
        if isinstance(row.term, Map) and row.output in files
    }
    stem = qc.name.removesuffix(f'_desc-denoise_{QC.suffix}{QC.extension}')
    return ScanResult(
        label, visit.session_id, stem, files, maps, next(iter(spaces), ''), dof, flags, lacks,
    )  # fmt: skip


def _quality(qc: Path) -> tuple[float, list[str]]:
    """Return degrees of freedom and flags of a run."""
    try:
        facts = json.loads(qc.read_text(encoding='utf-8'))
        flags = facts['Flags']
        if not isinstance(flags, list) or not all(isinstance(flag, str) for flag in flags):
            raise TypeError(f'Flags are {flags!r}')
        return float(facts['DegreesOfFreedom']), flags
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise DataError(
            f'{qc} is no quality file of a finished run ({error}). Process the participant again with --overwrite.'
        ) from error


def stamp_of(*paths: Path) -> str:
    """Return what changes when a file does: names alone would let a step keep an old result."""
    return ';'.join(f'{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}' for p in paths)
