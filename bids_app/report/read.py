"""Read a participant's derivatives: tables, sidecars, figures and the record of the last run.

Everything is optional: a run that stopped early still gets its report.
"""

import csv
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ..outputs.anatomy import PLACEMENT
from ..outputs.bold import COVERAGE, HALVES, QC, RELMAT
from ..outputs.diffusion import SCALARSTATS
from ..outputs.rows import SOURCE_ENTITIES, Derivative
from ..scans import query

LOGGER = logging.getLogger(__name__)

TableRow = dict[str, str]


class TractRecord(NamedTuple):
    """A pair's tract of one scan or of all: the table of its values, and their sidecar."""

    name: str
    title: str
    session: str
    bundle: str
    rows: Sequence[TableRow]
    tracking: Mapping[str, Any] = MappingProxyType({})

    @property
    def pair(self) -> str:
        """Return the two structures that it joins, else the name of the bundle."""
        ends = self.tracking.get('Ends')
        return '–'.join(map(str, ends)) if isinstance(ends, list) and ends else self.bundle


class ScanRecord(NamedTuple):
    """What was made of one scan: ``name`` holds its source entities, ``title`` says them in words.

    ``facts`` are the values of all its sidecars; those of the quality file win.  ``halves`` are ``relmat`` of the two
    halves of a run; ``placement`` is how regions lie in an anatomy.
    """

    name: str
    title: str
    session: str
    facts: dict[str, Any]
    relmat: list[TableRow]
    coverage: list[TableRow]
    figures: list[Path]
    tracts: Sequence[TractRecord] = ()
    halves: Sequence[list[TableRow]] = ()
    placement: Sequence[TableRow] = ()


class RunRecord(NamedTuple):
    """What the last run was asked, what it found and how it ended."""

    command: str
    started: str
    versions: dict[str, str]
    parameters: dict[str, Any]
    inputs: list[dict[str, Any]]
    absent: list[dict[str, Any]]
    errors: list[dict[str, Any]]
    folder: Path | None
    crashes: list[Path]


def entities_and_suffix(name: str) -> dict[str, str]:
    """Return the entities and the suffix of a BIDS file name.

    Examples
    --------
    >>> entities_and_suffix('sub-02_task-rest_desc-carpet_bold.png')
    {'sub': '02', 'task': 'rest', 'desc': 'carpet', 'suffix': 'bold'}

    """
    return {**query.entities_of(Path(name)), 'suffix': name.split('.')[0].rpartition('_')[2]}


def source_of(name: str) -> str:
    """Return the part of a file name that names its scan.

    Examples
    --------
    >>> source_of('sub-02_ses-pre_task-rest_run-1_space-S_seg-NAc_stat-fisherz_boldmap.json')
    'sub-02_ses-pre_task-rest_run-1'

    """
    entities = entities_and_suffix(name)
    return '_'.join(f'{key}-{entities[key]}' for key in SOURCE_ENTITIES if key in entities)


def scan_title(source: str) -> str:
    """Return the scan's entities in words, without the participant.

    Examples
    --------
    >>> scan_title('sub-02_ses-pre_task-rest_run-1'), scan_title('sub-02')
    ('session pre, task rest, run 1', 'all sessions')

    """
    words = {'ses': 'session', 'acq': 'acquisition', 'dir': 'direction', 'rec': 'reconstruction'}
    pairs = [pair.split('-', 1) for pair in source.split('_')[1:]]
    return ', '.join(f'{words.get(key, key)} {value}' for key, value in pairs) or 'all sessions'


def read_scans(output_dir: Path, participant: str) -> list[ScanRecord]:
    """Return the scans of a participant (``sub-XX``) in the order of their names."""
    root = output_dir / participant
    derived = [
        path
        for path in sorted(root.rglob(f'{participant}_*'))
        if path.is_file() and path.relative_to(root).parts[0] not in ('log', 'figures')
    ]
    figures = sorted(p for p in (root / 'figures').glob(f'{participant}*') if p.suffix in ('.png', '.svg'))
    names = sorted({source_of(path.name) for path in (*derived, *figures)}, key=natural)
    return [_read_scan(name, derived, figures) for name in names]


def _read_scan(name: str, derived: list[Path], figures: list[Path]) -> ScanRecord:
    own = [path for path in derived if source_of(path.name) == name]
    # the tract's sidecar speaks of no scan and of no map
    sidecars = [path for path in own if path.suffix == '.json' and f'_{SCALARSTATS.suffix}.' not in path.name]
    facts: dict[str, Any] = {}
    for path in sorted(sidecars, key=lambda path: QC.is_name(path.name, {})):
        facts.update(read_json(path))
    spaces = {entities_and_suffix(path.name).get('space') for path in own} - {None}
    facts.setdefault('Spaces', ', '.join(sorted(map(str, spaces))) or None)
    return ScanRecord(
        name=name,
        title=scan_title(name),
        session=entities_and_suffix(name + '_x').get('ses', ''),
        facts=facts,
        relmat=_read_table(own, RELMAT),
        coverage=_read_table(own, COVERAGE),
        figures=[path for path in figures if source_of(path.name) == name],
        tracts=list(_read_tracts(name, own)),
        halves=[table for row in HALVES if (table := _read_table(own, row))],
        placement=_read_table(own, PLACEMENT),
    )


def _read_tracts(name: str, own: list[Path]) -> Iterator[TractRecord]:
    for path in own:
        if SCALARSTATS.is_name(path.name, {}):
            about = entities_and_suffix(path.name)
            session, tracking = about.get('ses', ''), read_json(path.with_suffix('.json'))
            rows = _read_table([path], SCALARSTATS)
            yield TractRecord(name, scan_title(name), session, about['bundle'], rows, tracking)


def read_record(output_dir: Path, participant: str) -> RunRecord:
    """Return the record of the participant's latest run, with what others say of other sessions, tasks or runs.

    A job for one session knows nothing of the other: of each selection the latest run counts.  Without any run
    the record is empty.
    """
    log = output_dir / participant / 'log'
    by_selection = {json.dumps(record.get('selection')): record for record, _ in _records(log)}

    def every(key: str, main: str) -> list[dict[str, Any]]:
        entries = [entry for record in by_selection.values() for entry in _entries(record, key, main)]
        return list({json.dumps(entry, sort_keys=True): entry for entry in entries}.values())

    return record_of(log)._replace(
        inputs=sorted(every('inputs', 'path'), key=lambda entry: str(entry.get('path'))),
        absent=every('absent', 'modality'),
        errors=every('errors', 'message'),
    )


def record_of(log: Path) -> RunRecord:
    """Return the record of the latest run of which a folder in ``log`` tells; empty without one."""
    records = _records(log)
    record: dict[str, Any] = records[-1][0] if records else {}
    folder = records[-1][1] if records else None
    return RunRecord(
        command=str(record.get('command', '')),
        started=str(record.get('started', '')),
        versions={str(k): str(v) for k, v in _mapping(record, 'versions').items()},
        parameters=_flat(_mapping(record, 'parameters')),
        inputs=_entries(record, 'inputs', 'path'),
        absent=_entries(record, 'absent', 'modality'),
        errors=_entries(record, 'errors', 'message'),
        folder=folder,
        crashes=sorted(folder.glob('crash*')) if folder else [],
    )


def _records(log: Path) -> list[tuple[dict[str, Any], Path]]:
    """Return the records of all runs with their folders, the latest last."""
    folders = [path for path in log.glob('*') if (path / 'run.json').is_file()]
    records = [(read_json(folder / 'run.json'), folder) for folder in folders]
    return sorted(records, key=lambda pair: (str(pair[0].get('started', '')), pair[1].name))


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; empty, with a warning, if it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        LOGGER.warning('%s is left out of the report: %s', path, error)
        return {}
    return content if isinstance(content, dict) else {}


def _read_table(paths: list[Path], row: Derivative) -> list[TableRow]:
    found = [path for path in paths if row.is_name(path.name, {})]
    if not found:
        return []
    with found[0].open(encoding='utf-8', newline='') as file:
        return list(csv.DictReader(file, delimiter='\t'))


def _mapping(record: dict[str, Any], key: str) -> dict[str, Any]:
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def _entries(record: dict[str, Any], key: str, main: str) -> list[dict[str, Any]]:
    """Return a list of objects: of names with reasons, or of what becomes one with the field ``main``."""
    value = record.get(key)
    if isinstance(value, dict):
        return [{main: str(name), 'reason': str(reason)} for name, reason in value.items()]
    items = value if isinstance(value, list) else []
    return [item if isinstance(item, dict) else {main: str(item)} for item in items]


def _flat(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of all analyses side by side."""
    flat: dict[str, Any] = {}
    for key, value in parameters.items():
        flat.update(value if isinstance(value, dict) and value else {key: value})
    return flat


def natural(name: str) -> list[tuple[str, int, str]]:
    """Sort run-10 behind run-9, and the sessions before a treatment ahead of those after it.

    Examples
    --------
    >>> sorted(['ses-10', 'ses-post', 'ses-9', 'ses-pre'], key=natural)
    ['ses-pre', 'ses-post', 'ses-9', 'ses-10']

    """
    pairs = [pair.split('-', 1) for pair in name.split('_')]
    first = ('pre', 'baseline', 'bl')
    return [
        (key, int(value) if value.isdigit() else -1, '' if value in first else value) for key, value in pairs
    ]
