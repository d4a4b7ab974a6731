"""The table of the baseline: covariates and outcomes by arm, without a test."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipelines.stats.describe import describe

from ..words import number
from .record import OutcomeRecord, TrialRecord
from .tables import GroupTables, rows_where
from .words import significant

_BY_CHANCE = 'Differences at baseline are not tested: they arose by chance.'
_LORD = (
    'Chance did not make these groups. Where they differ at baseline, values that are high or low by chance move back '
    'towards the mean of their own group: of two groups that are stable, a comparison adjusted for baseline (ANCOVA) '
    'then shows a difference at follow-up that is none (Lord’s paradox). The main analysis compares changes.'
)


class BaselineRow(NamedTuple):
    """A line of the baseline table: what, and its text in each arm; ``is_level``: of the line above."""

    what: str
    cells: list[str]
    is_level: bool = False


def about_differences(trial: TrialRecord) -> str:
    """Say what a difference at baseline is."""
    if trial.is_randomised:
        return _BY_CHANCE
    return (
        _LORD
        if trial.baseline
        else 'Chance did not make these groups: they may differ in what is not listed.'
    )


def baseline_rows(trial: TrialRecord, tables: GroupTables) -> list[BaselineRow]:
    """Return covariates, strata and sites, then every outcome; without a test, as CONSORT asks."""
    names = dict.fromkeys([*trial.covariates, *trial.factors])
    lines = [line for name in names for line in _covariate(trial, name)]
    return lines + [line for outcome in trial.outcomes for line in _outcome(trial, outcome, tables)]


def _outcome(trial: TrialRecord, outcome: OutcomeRecord, tables: GroupTables) -> list[BaselineRow]:
    if trial.baseline is None:
        return []
    where = {'outcome': outcome.name, 'visit': trial.baseline.name}
    described = {row['arm']: row for row in rows_where(tables.get('descriptives', ()), **where)}
    if not described:
        return []
    own = [described.get(arm, {}) for arm in trial.arms]
    match outcome.kind:
        case 'binary' | 'ordinal':
            head = [_missing(int(number(row.get('n_missing')) or 0)) for row in own]
            return [BaselineRow(f'{outcome.title}, n (%)', head), *_levels(trial, tables, where)]
        case 'count':
            return [BaselineRow(_head(outcome, 'median (quartiles)'), [_middle(row) for row in own])]
        case 'continuous':
            return [BaselineRow(_head(outcome, 'mean (SD)'), [_described(row) for row in own])]
        case _:
            raise ValueError(f'{outcome.kind} is no kind of outcome')


def _head(outcome: OutcomeRecord, what: str) -> str:
    return f'{outcome.title}{", " + outcome.units if outcome.units else ""}, {what}'


def _levels(trial: TrialRecord, tables: GroupTables, where: Mapping[str, str]) -> list[BaselineRow]:
    rows = rows_where(tables.get('levels', ()), **where)
    cells = {(row['level'], row['arm']): share_of(row) for row in rows}
    return [
        BaselineRow(level, [cells.get((level, arm), 'n/a') for arm in trial.arms], True)
        for level in dict.fromkeys(row['level'] for row in rows)
    ]


def share_of(row: Mapping[str, str]) -> str:
    """Return the people at a level with their share of those known.

    Examples
    --------
    >>> share_of({'n': '3', 'n_known': '12'}), share_of({'n': '0', 'n_known': '0'})
    ('3 (25 %)', 'n/a')

    """
    n, known = number(row['n']), number(row['n_known'])
    return f'{n:.0f} ({100 * n / known:.0f} %)' if known and n is not None else 'n/a'


def _covariate(trial: TrialRecord, name: str) -> list[BaselineRow]:
    values = {arm: [person.get(name) for person in trial.people_of(arm)] for arm in trial.arms}
    known = [value for own in values.values() for value in own if value is not None]
    if not known:
        return []
    if all(isinstance(value, int | float) for value in known):
        numbers = [
            [float(v) if isinstance(v, int | float) else float('nan') for v in own] for own in values.values()
        ]
        return [BaselineRow(f'{name}, mean (SD)', [_described(describe(own)) for own in numbers])]
    levels = sorted({str(value) for value in known})
    head = BaselineRow(f'{name}, n (%)', [_missing(sum(v is None for v in own)) for own in values.values()])
    rows = [BaselineRow(level, [_share(own, level) for own in values.values()], True) for level in levels]
    return [head, *rows]


def _described(found: Mapping[str, Any]) -> str:
    if number(found.get('mean')) is None:
        return 'n/a'
    text = f'{significant(found["mean"])} ({significant(found["sd"])})'
    return f'{text} {_missing(int(number(found["n_missing"]) or 0))}'.strip()


def _middle(found: Mapping[str, Any]) -> str:
    if number(found.get('median')) is None:
        return 'n/a'
    text = f'{significant(found["median"])} ({significant(found["q1"])} to {significant(found["q3"])})'
    return f'{text} {_missing(int(number(found["n_missing"]) or 0))}'.strip()


def _missing(n: int) -> str:
    return f'[{n} missing]' if n else ''


def _share(values: Sequence[Any], level: str) -> str:
    known = [value for value in values if value is not None]
    return share_of({'n': str(sum(str(value) == level for value in known)), 'n_known': str(len(known))})
