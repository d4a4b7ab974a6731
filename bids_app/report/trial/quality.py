"""Quality of every scan of a trial in one table, and who is left out or flagged."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipelines.terms import told_side

from ..read import ScanRecord, TableRow, read_scans
from ..words import number
from .record import TrialRecord
from .tables import GroupTables
from .words import DATA_TITLES, split_flags

_SCANS = ('connectivity', 'tract')


class ScanQuality(NamedTuple):
    """One scan, or one that is missing; numbers are None where they are not known.

    ``coverage`` is the smallest of the regions, ``tsnr`` too; ``page`` leads to the person's report.
    """

    participant_id: str
    page: str
    arm: str
    session: str
    data: str
    scan: str
    status: str
    flags: list[str]
    reason: str
    mean_fd: float | None = None
    minutes: float | None = None
    dof: float | None = None
    coverage: float | None = None
    tsnr: float | None = None
    n_streamlines: float | None = None
    length: float | None = None


def pages_of(trial: TrialRecord, folder: Path) -> dict[str, str]:
    """Return the address, from a page in ``folder``, of the report of each participant that has one."""
    pages = {p['participant_id']: trial.results / f'{p["participant_id"]}.html' for p in trial.people}
    return {
        person: Path(os.path.relpath(page, folder.resolve())).as_posix()
        for person, page in pages.items()
        if page.is_file()
    }


def scan_quality(trial: TrialRecord, tables: GroupTables, pages: dict[str, str]) -> list[ScanQuality]:
    """Return one row per scan of the trial's visits, of those that are missing as well."""
    rows = [row for row in tables.get('participants', ()) if row['data'] in _SCANS]
    scans = {person: read_scans(trial.results, person) for person in {row['participant_id'] for row in rows}}
    found = []
    for row in rows:
        own = list(_scans(row, scans[row['participant_id']], pages))
        found += own or [_of_row(row, pages, '')]
    return found


def _of_row(row: TableRow, pages: dict[str, str], scan: str) -> ScanQuality:
    is_missing = row['status'] == 'missing'
    flags = [] if is_missing else split_flags(row['reason'])
    return ScanQuality(
        row['participant_id'], pages.get(row['participant_id'], ''), row['arm'],
        row['session_id'].removeprefix('ses-'), DATA_TITLES[row['data']], scan, row['status'], flags,
        row['reason'] if is_missing and row['reason'] != 'n/a' else '',
    )  # fmt: skip


def _scans(row: TableRow, scans: list[ScanRecord], pages: dict[str, str]) -> Iterator[ScanQuality]:
    session = row['session_id'].removeprefix('ses-')
    for scan in scans:
        if row['data'] == 'connectivity' and scan.session == session and 'DegreesOfFreedom' in scan.facts:
            yield _function(row, scan, pages)
        for own in scan.tracts if row['data'] == 'tract' else ():
            side = told_side(line.get('hemi', '') for line in own.rows)
            values = [line for line in own.rows if _is_outcome(line, session, scan, side)]
            if values:
                yield _tract(row, values[0], pages, own.pair if len(scan.tracts) > 1 else '')


def _function(row: TableRow, scan: ScanRecord, pages: dict[str, str]) -> ScanQuality:
    facts = scan.facts
    seconds = number(facts.get('SecondsKept'))
    found = _of_row(row, pages, scan.title.partition(', ')[2])
    if found.page:
        found = found._replace(page=f'{found.page}#function-{scan.name}')
    # flags of the visit are those of all its runs
    flags = split_flags(facts.get('Flags')) if found.status != 'missing' else []
    return found._replace(
        flags=flags,
        mean_fd=number(facts.get('MeanFD')),
        minutes=None if seconds is None else seconds / 60,
        dof=number(facts.get('DegreesOfFreedom')),
        coverage=_least(scan, 'coverage'),
        tsnr=_least(scan, 'tsnr'),
    )


def _least(scan: ScanRecord, column: str) -> float | None:
    values = [value for row in scan.coverage if (value := number(row.get(column))) is not None]
    return min(values, default=None)


def _is_outcome(line: TableRow, session: str, scan: ScanRecord, side: str) -> bool:
    named = line.get('session_id', '').removeprefix('ses-')
    wanted = (side, 'weighted', 'fa')
    is_here = (scan.session if named in ('', 'n/a') else named) == session
    return is_here and (line.get('hemi'), line.get('method'), line.get('param')) == wanted


def _tract(row: TableRow, line: TableRow, pages: dict[str, str], pair: str) -> ScanQuality:
    found = _of_row(row, pages, pair)
    if found.page:
        found = found._replace(page=f'{found.page}#diffusion')
    return found._replace(
        n_streamlines=number(line.get('n_streamlines')), length=number(line.get('mean_length'))
    )


def people_left_out(tables: GroupTables) -> list[TableRow]:
    """Return who is missing or flagged, with the reason."""
    return [row for row in tables.get('participants', ()) if row['status'] != 'analysed']


def findings(tables: GroupTables) -> list[TableRow]:
    """Return what was set right or set aside when tables were read, missing values apart."""
    rows = tables.get('phenotype_report', ())
    return [row for row in rows if row['problem'] != 'n/a' and row['action'] != 'missing']
