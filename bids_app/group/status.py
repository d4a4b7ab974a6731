"""Who is analysed with what: every participant, visit and kind of data, and why something is not."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import pandas as pd

from pipelines.stats.counts import VISITS
from pipelines.stats.design import visits_of
from pipelines.stats.visit import Visit
from pipelines.terms import MEASURES, join_flags, split_flags, told_side, unusable_flags

from ..outputs.found import Results, TractResult
from ..phenotype.parts import Trial
from ..phenotype.tables import Tables
from ..report.read import read_record
from ..scans.exclusion import Exclusions
from ..scans.exclusion_list import Exclusion
from ..settings import Settings
from .people import Included

STATUS_COLUMNS = ('participant_id', 'arm', 'visit', 'session_id', 'data', 'status', 'reason')
"""``status`` is ``analysed``, ``flagged`` (analysed, left out in sensitivity analyses) or ``missing``."""

SCANNED = ('scans', 'connectivity', 'maps', 'tract')
"""Kinds of ``data`` that come from the participant level."""

_Found = TypeVar('_Found', bound=tuple[Any, ...])

_MATRIX = MEASURES['roi_connectivity'].name


def list_status(settings: Settings, trial: Trial, included: Included, results: Results) -> pd.DataFrame:
    """Return one row per participant, visit and kind of data: nothing is left out without a word."""
    tables, scanned, own = included.tables, _scanned(trial), _Own(included.tables, results)
    rows = [
        (label, arm, 'n/a', 'n/a', 'participant', 'missing', reason)
        for label, (arm, reason) in included.left_out.items()
    ]
    for label, arm in zip(tables.participants['participant_id'], tables.participants['arm']):
        for visit in trial.visits:
            place = (label, arm, visit.name, visit.session_id)
            if visit in scanned:
                for data, status, reason in _imaging(settings, label, visit, own, included.exclusions):
                    rows.append((*place, data, status, reason))
            for data, status, reason in _measured(own.outcomes.get((label, visit.name), [])):
                rows.append((*place, data, status, reason))
        blood = _blood(trial, own.biomarkers.get(label), tables.biomarkers)
        rows += [(label, arm, *found) for found in blood]
        rows += [
            (label, arm, *found) for found in _genes(trial, own.expression.get(label), tables.expression)
        ]
    return pd.DataFrame(rows, columns=list(STATUS_COLUMNS))


class _Own:
    """What was found and measured, by whom and when: looked up once, not for everybody again."""

    def __init__(self, tables: Tables, results: Results) -> None:
        self.results = results
        lacked = {key for scan in results.scans for key in scan.lacks}
        self.had = {key for key in lacked if results.has(key)}
        self.scans = _by_session(results.scans)
        self.tracts = _by_session(results.tracts)
        self.left_out = _by_session(results.left_out)
        self.outcomes: dict[tuple[str, str], list[tuple[str, float, str]]] = {}
        columns = ('participant_id', 'visit', 'outcome', 'value', 'flags')
        for label, visit, *value in zip(*(tables.outcomes[column] for column in columns)):
            self.outcomes.setdefault((label, visit), []).append(tuple(value))
        self.biomarkers, self.expression = (
            {} if table is None else dict(iter(table.groupby('participant_id', sort=False)))
            for table in (tables.biomarkers, tables.expression)
        )


def _by_session(found: Iterable[_Found]) -> dict[tuple[str, str], list[_Found]]:
    """Return what was found by participant and session, its first two fields."""
    own: dict[tuple[str, str], list[_Found]] = {}
    for each in found:
        own.setdefault((each[0], each[1]), []).append(each)
    return own


def _scanned(trial: Trial) -> set[Visit]:
    """Return the visits that an outcome of images is measured at; all where there is no such outcome."""
    own = {visit for outcome in trial.derivative_outcomes for visit in visits_of(outcome, trial.visits)}
    return own or set(trial.visits)


def _imaging(
    settings: Settings, label: str, visit: Visit, own: _Own, exclusions: Exclusions
) -> Iterator[tuple[str, str, str]]:
    results, place = own.results, (label, visit.session_id)
    left_out = own.left_out.get(place, [])
    for left in left_out:
        yield 'scans', 'missing', left.reason

    def reason_of(modality: str) -> str:
        reasons = [left.reason for left in left_out if left.modality == modality]
        return '; '.join(reasons) or _why(
            settings, label, visit, exclusions.of_session(label, visit.session_id, modality)
        )

    scans = own.scans.get(place, [])
    if results.scans:
        usable = [scan for scan in scans if _MATRIX not in scan.lacks]
        if usable:
            yield 'connectivity', *_status(sorted({flag for scan in usable for flag in scan.flags}))
        else:
            lacking = [f'{scan.name}: {scan.lacks[_MATRIX]}' for scan in scans]
            yield 'connectivity', 'missing', '; '.join(lacking) or reason_of('bold')
    for scan in scans:
        # what nobody has is told once, in the log
        lacking = [why for key, why in scan.lacks.items() if key != _MATRIX and key in own.had]
        if lacking:
            yield 'maps', 'missing', f'{scan.name}: {"; ".join(dict.fromkeys(lacking))}'
    if results.tracts:
        if place in own.tracts:
            yield 'tract', *_tract_status(own.tracts[place][0])
        else:
            yield 'tract', 'missing', reason_of('dwi')


def _status(flags: list[str]) -> tuple[str, str]:
    return 'flagged' if unusable_flags(flags) else 'analysed', join_flags(flags) or 'n/a'


def _tract_status(tract: TractResult) -> tuple[str, str]:
    """Return what the bilateral anisotropy of a session is worth."""
    with tract.table.open(newline='') as stream:
        rows = list(csv.DictReader(stream, delimiter='\t'))
    session = tract.session_id.removeprefix('ses-')
    side = told_side(row['hemi'] for row in rows)
    wanted = {'session_id': session, 'hemi': side, 'method': 'weighted', 'param': 'fa'}
    found = [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]
    if not found:
        return 'missing', f'no value of {tract.session_id}'
    flags = split_flags(found[0]['flags'])
    if found[0]['value'] == 'n/a':
        return 'missing', join_flags(flags) or 'no value'
    return _status(flags)


def _why(settings: Settings, label: str, visit: Visit, on_request: Exclusion | None) -> str:
    """Return who asked for it, else what the participant level said, as far as it says anything."""
    if on_request:
        return on_request.said()
    root = settings.results_dir
    if not (root / label).is_dir():
        return 'participant level not run'
    record = read_record(root, label.removeprefix('sub-'))
    said = [str(entry.get('message') or entry.get('reason')) for entry in (*record.errors, *record.absent)]
    own = [text for text in said if visit.session_id in text] or said
    return '; '.join(own) or f'no results of {visit.session_id}'


def _measured(own: Iterable[tuple[str, float, str]]) -> Iterator[tuple[str, str, str]]:
    for outcome, value, flags in own:
        if pd.isna(value):
            yield outcome, 'missing', flags or 'no value'
        else:
            yield outcome, 'analysed', flags or 'n/a'


def _blood(trial: Trial, rows: pd.DataFrame | None, every: pd.DataFrame | None) -> Iterator[tuple[str, ...]]:
    if every is None:
        return
    rows = every[:0] if rows is None else rows
    for biomarker in trial.biomarkers:
        own = rows[rows['biomarker'] == biomarker.name].set_index('sample')
        for sample in biomarker.samples:
            known = sample.name in own.index and not (
                pd.isna(own.loc[sample.name, 'value']) and not own.loc[sample.name, 'censored']
            )
            status = ('analysed', 'n/a') if known else ('missing', 'no sample')
            yield sample.name, sample.session_id, biomarker.name, *status


def _genes(trial: Trial, rows: pd.DataFrame | None, every: pd.DataFrame | None) -> Iterator[tuple[str, ...]]:
    """Yield the sequenced samples of a person; one alone cannot be compared with anything."""
    if trial.expression is None or every is None:
        return
    columns = {} if rows is None else dict(zip(rows['visit'], rows['counts_column']))
    is_pair = len([name for name in columns.values() if name]) > 1
    others = 'the other sample is' if len(trial.expression.visits) == len(VISITS) else 'all other samples are'
    for visit in trial.expression.visits:
        if not columns.get(visit.name):
            status = ('missing', 'no counts' if visit.name in columns else 'no sample')
        else:
            status = ('analysed', 'n/a') if is_pair else ('missing', f'{others} missing')
        yield visit.name, visit.session_id, 'expression', *status
