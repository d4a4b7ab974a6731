"""How many people stood where in a trial, by arm and by kind of data."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from pipelines.figures.flow import FlowStage, Item
from pipelines.stats.counts import VISITS
from pipelines.terms import BIOMARKER_MODELS, MAIN, REPORTED

from ..read import TableRow
from .mediation import first_of_each
from .record import TrialRecord
from .tables import GroupTables, rows_where
from .words import DATA_TITLES

_UNKNOWN = 'not supplied'
_FEW = 3  # analyses that a box of the flow has room for


def enrolled(trial: TrialRecord, tables: GroupTables) -> list[Item]:
    """Return what is known of the time before people were assigned."""
    without = rows_where(tables.get('phenotype_report', ()), problem='has no arm')
    others = [
        row for row in tables.get('phenotype_report', ()) if row['problem'].startswith('of an arm left out')
    ]
    screened = trial.reported.get('Screened')
    items = [(REPORTED['Screened'].title, _UNKNOWN if screened is None else str(screened))]
    items += _by_reason('Excluded', trial.reported.get('Excluded'))
    items += [
        ('Randomised' if trial.is_randomised else 'Enrolled', str(len([*trial.people, *trial.left_out])))
    ]
    items += [('Not analysed, no arm recorded', str(len(without)))] if without else []
    return items + ([('Not analysed, of another arm', str(len(others)))] if others else [])


def _by_reason(title: str, counts: Mapping[str, int] | None) -> list[Item]:
    """Return the sum of what is counted by reason, then each reason."""
    if counts is None:
        return [(title, _UNKNOWN)]
    reasons = [(f'{title}: {reason}', str(n)) for reason, n in counts.items()]
    return [(title, str(sum(counts.values()))), *reasons]


def side_by_side(arms: Sequence[Sequence[Item]]) -> list[tuple[str, list[str]]]:
    """Return what was counted in any arm with the numbers of all.

    An arm without it has 0, but of what is counted by reason where the sum is not known.

    Examples
    --------
    >>> side_by_side([[('Lost', '3'), ('Lost: moved', '3')], [('Lost', 'not supplied')], [('Lost', '0')]])
    [('Lost', ['3', 'not supplied', '0']), ('Lost: moved', ['3', 'not supplied', '0'])]

    """
    counted = [dict(own) for own in arms]
    return [
        (what, [own.get(what) or _without(own, what) for own in counted])
        for what in dict.fromkeys(key for own in counted for key in own)
    ]


def _without(own: Mapping[str, str], what: str) -> str:
    known = own.get(what.partition(': ')[0], '0')
    return _UNKNOWN if known == _UNKNOWN else '0'


def stages(trial: TrialRecord, tables: GroupTables) -> list[FlowStage]:
    """Return the stages of the trial with what was counted in each arm."""
    found = [FlowStage('Allocation' if trial.is_randomised else 'Groups', _each(trial, _allocated))]
    status = tables.get('participants', ())
    for visit in trial.visits:
        own = rows_where(status, visit=visit.name)
        seen = [list(_seen(trial, rows_where(own, arm=arm))) for arm in trial.arms]
        found.append(FlowStage(visit.label, seen))
    blood = [list(_blood(trial, tables, arm)) for arm in trial.arms]
    if any(blood):
        found.append(FlowStage('Samples', blood))
    analysed = [list(_analysed(trial, tables, arm)) for arm in trial.arms]
    return [*found, FlowStage('Analysis', analysed)]


def _each(trial: TrialRecord, count: Callable[[TrialRecord, str], Iterator[Item]]) -> list[list[Item]]:
    return [list(count(trial, arm)) for arm in trial.arms]


def _allocated(trial: TrialRecord, arm: str) -> Iterator[Item]:
    said = 'Allocated' if trial.is_randomised else 'In the group'
    yield said, str(sum(person['arm'] == arm for person in [*trial.people, *trial.left_out]))
    if trial.left_out:
        yield 'Left out on request', str(sum(person['arm'] == arm for person in trial.left_out))
    if trial.attended is not None:
        own = [row['attended'] for row in trial.attended if row['arm'] == arm]
        yield 'Attendance recorded', str(sum(value is not None for value in own))
    losses = trial.reported.get('Losses') or {}
    yield from _by_reason('Lost', losses.get(arm))


def _seen(trial: TrialRecord, rows: Sequence[TableRow]) -> Iterator[Item]:
    """Yield for each kind of data how many have it, and how many of these are flagged."""
    for data in dict.fromkeys(row['data'] for row in rows):
        if data == 'scans' or data in trial.biomarkers:
            continue
        states = Counter(row['status'] for row in rows if row['data'] == data)
        n_flagged = states['flagged']
        yield data_title(trial, data), str(states['analysed'] + n_flagged)
        if n_flagged:
            yield f'{data_title(trial, data)}, of these flagged', str(n_flagged)


def data_title(trial: TrialRecord, data: str) -> str:
    """Return a kind of data in words, short enough for a box."""
    return DATA_TITLES.get(data) or {**trial.titles(), **trial.biomarkers}.get(data, data)


def _blood(trial: TrialRecord, tables: GroupTables, arm: str) -> Iterator[Item]:
    for name, title in trial.biomarkers.items():
        rows = rows_where(tables.get('participants', ()), arm=arm, data=name)
        taken = Counter(row['participant_id'] for row in rows if row['status'] != 'missing')
        most = len({row['visit'] for row in rows})
        if most > 1:
            yield f'{title}, all {most} samples', str(sum(n == most for n in taken.values()))
        if rows:
            yield f'{title}, at least one', str(len(taken))
    samples = rows_where(tables.get('expression_samples', ()), arm=arm)
    if samples:
        used = {row['participant_id'] for row in samples if is_used(row)}
        yield 'RNA, sequenced', str(len({row['participant_id'] for row in samples}))
        is_pair = len({row['visit'] for row in samples}) <= len(VISITS)
        yield 'RNA, complete pairs' if is_pair else 'RNA, two samples or more', str(len(used))


def is_used(row: TableRow) -> bool:
    """Say whether a sample of gene expression entered the analysis."""
    return row.get('status', row.get('is_used')) in ('analysed', 'True')


def _analysed(trial: TrialRecord, tables: GroupTables, arm: str) -> Iterator[Item]:
    for outcome in trial.outcomes:
        rows = rows_where(tables.get('outcomes', ()), outcome=outcome.name, analysis=MAIN, is_primary='True')
        if rows and outcome.role != 'other':
            yield outcome.title, _in_model(trial, rows, arm)
    for name, title in trial.biomarkers.items():
        model = BIOMARKER_MODELS['censored'].name
        for row in rows_where(tables.get('biomarkers', ()), biomarker=name, model=model, arm=arm)[:1]:
            yield title, _number(row['n'])
    if tables.get('expression_samples'):
        samples = [row for row in rows_where(tables['expression_samples'], arm=arm) if is_used(row)]
        n = str(len({row['participant_id'] for row in samples}))
        yield 'Gene expression', n
    yield from _mediated(trial, tables, arm)


def _in_model(trial: TrialRecord, rows: Sequence[TableRow], arm: str) -> str:
    """Return how many people of an arm are in the main model of an outcome."""
    if arm == trial.control:
        return str(max(int(_number(row['n_control'])) for row in rows))
    own = rows_where(rows, arm=arm)
    return _number(own[0]['n_treatment']) if own else '0'


def _mediated(trial: TrialRecord, tables: GroupTables, arm: str) -> Iterator[Item]:
    models = first_of_each(tables.get('mediation_models', ()))
    if arm == trial.control:
        # of the models of each treated arm, which may leave out others of the control arm
        found: dict[str, int] = {}
        for row in models:
            found[row['analysis']] = max(found.get(row['analysis'], 0), int(_number(row['n_control'])))
    else:
        found = {row['analysis']: int(_number(row['n_treatment'])) for row in models if row['arm'] == arm}
    if len(found) > _FEW:
        least, most = min(found.values()), max(found.values())
        yield f'Mediation, {len(found)} analyses', str(most) if least == most else f'{least} to {most}'
        return
    for name, n in found.items():
        yield f'Mediation, {name}', str(n)


def _number(cell: str) -> str:
    return '0' if cell in ('n/a', '') else f'{float(cell):.0f}'
