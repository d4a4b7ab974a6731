"""How many people stood where in a trial, by arm and by kind of data."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from pipelines.figures.flow import FlowStage, Item
from pipelines.terms import PRIMARY_MODEL

from ..read import TableRow
from .mediation import first_of_each
from .record import TrialRecord
from .tables import GroupTables, rows_where
from .words import DATA_TITLES

_UNKNOWN = 'not supplied'
_FEW = 3  # analyses that a box of the flow has room for
_VISITS = {'baseline': 'Baseline', 'followup': 'Follow-up'}


def enrolled(trial: TrialRecord, tables: GroupTables) -> list[Item]:
    """Return what is known of the time before people were assigned."""
    without = rows_where(tables.get('phenotype_report', ()), problem='has no arm')
    others = [
        row for row in tables.get('phenotype_report', ()) if row['problem'].startswith('of an arm left out')
    ]
    items = [
        ('Assessed for eligibility', _UNKNOWN),
        ('Randomised' if trial.is_randomised else 'In a group', str(len([*trial.people, *trial.left_out]))),
    ]
    items += [('Not analysed, no arm recorded', str(len(without)))] if without else []
    return items + ([('Not analysed, of another arm', str(len(others)))] if others else [])


def stages(trial: TrialRecord, tables: GroupTables) -> list[FlowStage]:
    """Return the stages of the trial with what was counted in each arm."""
    allocation = _both(trial, lambda arm: list(_allocated(trial, arm)))
    found = [FlowStage('Allocation', allocation)]
    status = tables.get('participants', ())
    for visit, session in trial.visits.items():
        seen = _both(
            trial, lambda arm, visit=visit: list(_seen(trial, rows_where(status, arm=arm, visit=visit)))
        )
        found.append(FlowStage(f'{_VISITS.get(visit, visit)} ({session})', seen))
    blood = _both(trial, lambda arm: list(_blood(trial, tables, arm)))
    if any(blood):
        found.append(FlowStage('Blood samples', blood))
    found.append(FlowStage('Analysis', _both(trial, lambda arm: list(_analysed(trial, tables, arm)))))
    return found


def _both(trial: TrialRecord, count: Any) -> tuple[list[Item], list[Item]]:
    return count(trial.treatment), count(trial.control)


def _allocated(trial: TrialRecord, arm: str) -> Iterator[Item]:
    yield 'Allocated', str(sum(person['arm'] == arm for person in [*trial.people, *trial.left_out]))
    if trial.left_out:
        yield 'Left out on request', str(sum(person['arm'] == arm for person in trial.left_out))
    if trial.attended is not None:
        own = [row['attended'] for row in trial.attended if row['arm'] == arm]
        yield 'Attendance recorded', str(sum(value is not None for value in own))


def _seen(trial: TrialRecord, rows: Sequence[TableRow]) -> Iterator[Item]:
    """Yield for each kind of data how many have it, and how many of these are flagged."""
    for data in dict.fromkeys(row['data'] for row in rows):
        if data in ('bdnf', 'scans'):
            continue
        states = Counter(row['status'] for row in rows if row['data'] == data)
        n_flagged = states['flagged']
        yield data_title(trial, data), str(states['analysed'] + n_flagged)
        if n_flagged:
            yield f'{data_title(trial, data)}, of these flagged', str(n_flagged)


def data_title(trial: TrialRecord, data: str) -> str:
    """Return a kind of data in words, short enough for a box."""
    return DATA_TITLES.get(data) or trial.titles().get(data, data)


def _blood(trial: TrialRecord, tables: GroupTables, arm: str) -> Iterator[Item]:
    rows = rows_where(tables.get('participants', ()), arm=arm, data='bdnf')
    if rows:
        taken = Counter(row['participant_id'] for row in rows if row['status'] != 'missing')
        most = len({row['visit'] for row in rows})
        yield f'BDNF, all {most} samples', str(sum(n == most for n in taken.values()))
        yield 'BDNF, at least one', str(len(taken))
    samples = rows_where(tables.get('expression_samples', ()), arm=arm)
    if samples:
        used = {row['participant_id'] for row in samples if is_used(row)}
        yield 'RNA, sequenced', str(len({row['participant_id'] for row in samples}))
        yield 'RNA, complete pairs', str(len(used))


def is_used(row: TableRow) -> bool:
    """Say whether a sample of gene expression entered the analysis."""
    return row.get('status', row.get('is_used')) in ('analysed', 'True')


def _analysed(trial: TrialRecord, tables: GroupTables, arm: str) -> Iterator[Item]:
    column = 'n_treatment' if arm == trial.treatment else 'n_control'
    for outcome in trial.outcomes:
        rows = rows_where(tables.get('outcomes', ()), outcome=outcome.name, model=PRIMARY_MODEL)
        if rows and outcome.role != 'other':
            yield outcome.title, _number(rows[0][column])
    for row in rows_where(tables.get('bdnf', ()), model='censored', arm=arm)[:1]:
        yield 'BDNF', _number(row['n'])
    samples = [row for row in rows_where(tables.get('expression_samples', ()), arm=arm) if is_used(row)]
    if tables.get('expression_samples'):
        yield 'Gene expression', str(len({row['participant_id'] for row in samples}))
    models = first_of_each(tables.get('mediation_models', ()))
    if len(models) > _FEW:
        counts = sorted({int(_number(row[column])) for row in models})
        n = str(counts[0]) if len(counts) == 1 else f'{counts[0]} to {counts[-1]}'
        yield f'Mediation, {len(models)} analyses', n
        return
    for row in models:
        yield f'Mediation, {row["analysis"]}', _number(row[column])


def _number(cell: str) -> str:
    return '0' if cell in ('n/a', '') else f'{float(cell):.0f}'
