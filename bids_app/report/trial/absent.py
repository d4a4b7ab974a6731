"""What a trial's report cannot show, and why; and what of it is for trying out only."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from pipelines.params import GroupParams, option_name
from pipelines.terms import MEASURES

from ...outputs.group import LEAST_WITH_MAPS
from ...tables.problems import listed
from ..read import RunRecord, TableRow, read_record
from .record import OutcomeRecord, TrialRecord
from .tables import GroupTables, rows_where


class AbsentPart(NamedTuple):
    """A part of the trial without results; ``key`` is that of its section."""

    key: str
    part: str
    reason: str


def absent_parts(
    trial: TrialRecord, record: RunRecord, tables: GroupTables, *, has_maps: bool
) -> list[AbsentPart]:
    """Return every part of the trial that has no results, with the reason as far as it is known."""
    skipped = set(_listed(record, 'skip'))
    found = [*_arms(trial), *_visits(trial, tables), *(_untested(trial, tables) if has_maps else ())]
    found += [*_derivatives(trial, tables), *_measured(trial, tables)]
    if not has_maps and any(MEASURES[outcome.derivative].modality == 'bold' for outcome in _imaging(trial)):
        found.append(AbsentPart('imaging', 'Maps', _why_no_maps(trial, tables, skipped)))
    found += _blood(trial, tables)
    reasons = {
        str(entry.get('modality')): _plainly(str(entry.get('reason', 'no reason was recorded')))
        for entry in record.absent
    }
    found += _expression(trial, tables, reasons)
    found += _mediation(trial, tables, reasons)
    for key, part in (('attendance', 'Attendance'), ('adverse_events', 'Adverse events')):
        if (trial.attended if key == 'attendance' else trial.events) is None:
            found.append(AbsentPart(key, part, _of_table(trial, tables, key)))
    return found


def _plainly(reason: str) -> str:
    return f'left out by {reason}' if reason.startswith('--') else reason


def _listed(record: RunRecord, key: str) -> list[str]:
    value = record.parameters.get(key)
    return [str(word) for word in value] if isinstance(value, list) else []


def _imaging(trial: TrialRecord) -> list[OutcomeRecord]:
    return [outcome for outcome in trial.outcomes if outcome.derivative]


def _arms(trial: TrialRecord) -> Iterator[AbsentPart]:
    for arm in trial.arms:
        if trial.people_of(arm):
            continue
        if len(trial.arms) == 2 or arm == trial.control:
            compared = ', and what is shown is not a randomised comparison' if trial.is_randomised else ''
            reason = f'nobody is in it: arms cannot be compared{compared}'
        else:
            reason = 'nobody is in it: it is not compared'
        yield AbsentPart('outcomes', f'Arm {arm}', reason)


def _visits(trial: TrialRecord, tables: GroupTables) -> Iterator[AbsentPart]:
    for visit in trial.visits:
        rows = rows_where(tables.get('participants', ()), visit=visit.name)
        if rows and all(row['status'] == 'missing' for row in rows):
            compared = '' if visit in trial.between else ': there is no change to compare'
            yield AbsentPart('outcomes', f'Visit {visit.session}', f'nobody has data of it{compared}')


def _untested(trial: TrialRecord, tables: GroupTables) -> Iterator[AbsentPart]:
    """Yield the visits whose maps nobody asked to test."""
    tested = {visit for row in tables.get('map_tests', ()) for visit in row['visits'].split('; ')}
    untested = [visit.name for visit in trial.between if visit.name not in tested]
    if untested:
        reason = 'not tested: the part Maps of the trial file does not name it'
        yield AbsentPart('imaging', f'Maps of {listed(untested)}', reason)


def _derivatives(trial: TrialRecord, tables: GroupTables) -> Iterator[AbsentPart]:
    kinds = dict.fromkeys(outcome.derivative for outcome in _imaging(trial))
    for kind in kinds:
        own = [outcome.name for outcome in _imaging(trial) if outcome.derivative == kind]
        if not any(rows_where(tables.get('outcomes', ()), outcome=name) for name in own):
            yield AbsentPart('imaging', MEASURES[kind].title, _said(trial, kind))


def _said(trial: TrialRecord, kind: str) -> str:
    """Return why participants have no results of a kind, as their own records tell it."""
    modality = MEASURES[kind].modality
    reasons: Counter[str] = Counter()
    for person in trial.people:
        absent = read_record(trial.results, person['participant_id']).absent
        reasons.update(str(entry.get('reason', '')) for entry in absent if entry.get('modality') == modality)
    listed = '; '.join(f'{reason} ({n} people)' for reason, n in reasons.most_common(3) if reason)
    return 'no participant has results of it' + (f': {listed}' if listed else '')


def _measured(trial: TrialRecord, tables: GroupTables) -> Iterator[AbsentPart]:
    for outcome in trial.outcomes:
        if not outcome.derivative and not rows_where(tables.get('outcomes', ()), outcome=outcome.name):
            reason = _reported(tables, rows_where(tables.get('phenotype_report', ()), outcome=outcome.name))
            yield AbsentPart('outcomes', outcome.title, reason or 'no value was found')


def _reported(tables: GroupTables, rows: Iterable[TableRow]) -> str:
    """Return what the report of the tables says of something that is not there."""
    found = (f'{row["table"]} {row["problem"]}' for row in rows if row['action'].startswith('left out'))
    return '; '.join(dict.fromkeys(found))


def _of_table(trial: TrialRecord, tables: GroupTables, key: str) -> str:
    part = trial.part.get(key)
    if not part:
        return 'not supplied: the trial file does not name it'
    return _not_supplied(tables, part)


def _not_supplied(tables: GroupTables, part: Mapping[str, Any]) -> str:
    names = [part.get(key) for key in ('table', 'counts', 'samples')]
    rows = [row for row in tables.get('phenotype_report', ()) if row['table'] in names]
    return f'not supplied: {_reported(tables, rows) or "no table was found"}'


def _why_no_maps(trial: TrialRecord, tables: GroupTables, skipped: set[str]) -> str:
    if 'voxelwise' in skipped:
        return 'left out by --skip voxelwise'
    rows = rows_where(tables.get('participants', ()), data='connectivity')
    n = len({row['participant_id'] for row in rows if row['status'] != 'missing'})
    if n < LEAST_WITH_MAPS:
        return f'{n} people have maps; a test needs at least {LEAST_WITH_MAPS}'
    return 'no test had enough people with maps'


def _blood(trial: TrialRecord, tables: GroupTables) -> Iterator[AbsentPart]:
    for given in trial.sampled:
        if not rows_where(tables.get('biomarkers', ()), biomarker=given['name']):
            title = trial.biomarkers[given['name']]
            yield AbsentPart('biomarkers', title, _not_supplied(tables, given))
    if not trial.sampled:
        yield AbsentPart('biomarkers', 'Biomarkers', 'not supplied: the trial file names none')


def _expression(trial: TrialRecord, tables: GroupTables, reasons: Mapping[str, str]) -> Iterator[AbsentPart]:
    if not tables.get('expression_deseq2'):
        known = _reported(tables, rows_where(tables.get('phenotype_report', ()), outcome='expression'))
        reason = (known and f'not supplied: {known}') or reasons.get('expression')
        yield AbsentPart('expression', 'Gene expression', reason or _of_table(trial, tables, 'expression'))
    elif not tables.get('expression_enrichment'):
        yield AbsentPart('expression', 'Enrichment', reasons.get('enrichment', 'no gene sets were given'))


def _mediation(trial: TrialRecord, tables: GroupTables, reasons: Mapping[str, str]) -> Iterator[AbsentPart]:
    """Yield the analyses that were not made, those of one reason together."""
    if 'mediation' in reasons:
        yield AbsentPart('mediation', 'Mediation', reasons['mediation'])
        return
    if not trial.mediation:
        yield AbsentPart('mediation', 'Mediation', 'the trial file names no analysis')
    done = {row['analysis'].partition(' (')[0] for row in tables.get('mediation_models', ())}
    left: dict[str, list[str]] = {}
    for model in trial.mediation:
        if model['name'] not in done:
            reason = reasons.get(f'mediation {model["name"]}', 'its mediators or its outcome have no values')
            left.setdefault(reason, []).append(model['name'])
    for reason, names in left.items():
        part = 'Mediation analysis' if len(names) == 1 else 'Mediation analyses'
        yield AbsentPart('mediation', f'{part} {", ".join(names)}', reason)


def trials_only(record: RunRecord) -> list[str]:
    """Return why results are for trying out: options that make them fast and rough."""
    found = ['--sloppy'] if record.parameters.get('sloppy') else []
    skipped = _listed(record, 'skip')
    parts = {'n_permutations': 'voxelwise', 'n_bootstraps': 'mediation'}
    for name, part in parts.items():
        used, usual = record.parameters.get(name), getattr(GroupParams(), name, 0)
        if part not in skipped and isinstance(used, int) and used < usual:
            found.append(f'{option_name(name)} {used:,} in place of {usual:,}')
    return found


def changed_options(record: RunRecord) -> list[str]:
    """Return the options of the group that differ from their defaults."""
    usual: dict[str, object] = {field.name: field.default for field in fields(GroupParams)}
    usual |= {'sloppy': False, 'skip': [], 'participant_label': [], 'task_id': [], 'run': [], 'exclude': []}
    return [
        f'{option_name(name)} {_text(record.parameters[name])}'.strip()
        for name, default in usual.items()
        if name in record.parameters and _plain(record.parameters[name]) != _plain(default)
    ]


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _text(value: object) -> str:
    if isinstance(value, bool):
        return ''
    items: Sequence[object] = value if isinstance(value, list | tuple) else [value]
    return ' '.join(map(str, items))
