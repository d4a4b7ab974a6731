"""Mediation analyses with what AGReMA asks to be said of each."""

from collections.abc import Sequence
from typing import NamedTuple

from pipelines.stats.design import GENE_SET
from pipelines.stats.mediation_trial import MEDIUM_PATH, SMALL_PATH
from pipelines.terms import (
    FLAGS,
    PATH_SCALES,
    PATHS,
    STRUCTURES_OF_MEDIATORS,
    TIME_ORDERS,
    flag_words,
    split_flags,
)

from ..read import TableRow
from ..words import number
from .record import TrialRecord
from .tables import GroupTables, rows_where


class ShownAnalysis(NamedTuple):
    """One mediation model: its paths, the fields of AGReMA, and why it has no result if it has none.

    ``is_variant``: it stands beside another, with an interaction, without a reference, in another order.
    """

    name: str
    figure: str
    paths: list[tuple[str, str, TableRow]]
    fields: list[tuple[str, str]]
    flags: list[str]
    note: str
    is_variant: bool


def mediation_analyses(trial: TrialRecord, tables: GroupTables) -> list[ShownAnalysis]:
    """Return every model in the order of its table."""
    rows = tables.get('mediation_models', ())
    first = first_of_each(rows)
    return [_analysis(trial, row, tables, is_variant=row not in first) for row in rows]


def first_of_each(rows: Sequence[TableRow]) -> list[TableRow]:
    """Return the main model of each analysis and arm, the first of those whose names differ in brackets only.

    Examples
    --------
    >>> rows = [{'analysis': 'pain', 'arm': 'yoga'}, {'analysis': 'pain (interaction)', 'arm': 'yoga'},
    ...         {'analysis': 'pain', 'arm': 'walking'}]
    >>> [row['arm'] for row in first_of_each(rows)]
    ['yoga', 'walking']

    """
    found: dict[tuple[str, str], TableRow] = {}
    for row in rows:
        found.setdefault((row['analysis'].partition(' (')[0], row['arm']), row)
    return list(found.values())


def _analysis(trial: TrialRecord, row: TableRow, tables: GroupTables, *, is_variant: bool) -> ShownAnalysis:
    own = rows_where(tables.get('mediation', ()), analysis=row['analysis'], arm=row['arm'])
    note = '' if row.get('note', 'n/a') == 'n/a' else row['note']
    paths = [(_path(trial, line), _chain(trial, line['mediator']), line) for line in own]
    label = row.get('label', row['analysis'])
    about = fields(trial, row, own)
    return ShownAnalysis(
        _name(trial, row), f'mediation_{label}', paths, about, split_flags(row['flags']), note, is_variant
    )


def _name(trial: TrialRecord, row: TableRow) -> str:
    """Return the name of a model with the order of its mediators in words, and its arm where there are several."""
    chain = '>'.join(row['mediators'].split(';'))
    name = row['analysis'].replace(f'({chain})', f'({_chain(trial, chain)})')
    return f'{name}: {row["arm"]}' if trial.others else name


def _path(trial: TrialRecord, row: TableRow) -> str:
    scale = PATH_SCALES[row['scale']]
    end = f', {scale.title.lower()}' if scale.name in _SAID else ''
    head, _, arm = row['path'].rpartition('_')
    if row['path'] in PATHS:
        return f'{PATHS[row["path"]].title}{end}'
    arms = {'treatment': row['arm'], 'control': trial.control}
    return f'{PATHS[head].title}, {arms[arm]}{end}' if head in PATHS and arm in arms else row['path']


_SAID = ('log_odds', 'risk_difference')
"""Scales that are not told by the units of what a path leads to."""


def _chain(trial: TrialRecord, mediators: str) -> str:
    """Return one mediator, or several side by side or one after the other, in words."""
    mark, word = ('+', ' and ') if '+' in mediators else ('>', ' → ')
    return (
        '' if mediators == 'n/a' else word.join(variable_title(trial, name) for name in mediators.split(mark))
    )


def variable_title(trial: TrialRecord, name: str) -> str:
    """Return a mediator or outcome in words."""
    if name.startswith(GENE_SET):
        return f'score of the gene set {name.removeprefix(GENE_SET)}'
    return trial.titles().get(name, name)


def fields(trial: TrialRecord, row: TableRow, paths: list[TableRow]) -> list[tuple[str, str]]:
    """Return what AGReMA asks for, in words."""
    mediators = [f'“{variable_title(trial, name)}”' for name in _names(row['mediators'])]
    outcome = f'“{variable_title(trial, row["outcome"])}”'
    is_binary = row['kind'] == 'binary'
    if is_binary:
        event = next(known.event for known in trial.outcomes if known.name == row['outcome'])
        outcome = f'the risk of “{event}” ({outcome})'
    through = ' and '.join(mediators)
    found = [
        (
            'Target effect',
            f'effect of {row["arm"]} against {trial.control} on {outcome} that goes through {through} '
            '(indirect effect), beside that which does not (direct effect)',
        ),
        (
            'Model',
            f'{STRUCTURES_OF_MEDIATORS[row["structure"]].title}; {_LOGISTIC if is_binary else ""}{_adjusted(trial, row)}',
        ),
        ('Timing', _timing(trial, row)),
        ('Assumptions', _assumptions(trial, row)),
    ]
    if paths:
        found += [
            ('People', _people(trial, row)),
            ('Sensitivity', _sensitivity(row, paths)),
            ('Power', _power(row)),
            ('Interval', '95 % percentile interval of resampled people within arms'),
        ]
    flags = '; '.join(flag_words(flag) for flag in split_flags(row['flags']))
    return [*found, ('Limits', flags)] if flags else found


_LOGISTIC = (
    'logistic model of the outcome, averaged over the mediator as the linear model expects it in each arm; '
)


def _assumptions(trial: TrialRecord, row: TableRow) -> str:
    crossed = ', but for the slope of the mediator per arm' if 'interaction' in row['analysis'] else ''
    linear = f'effects are linear and do not interact{crossed}'
    if row['kind'] == 'binary':
        linear = (
            f'effects on the mediator and on the log odds of the outcome are linear and do not interact{crossed}; the '
            'mediator is normal about what the model expects'
        )
    if not trial.is_randomised:
        return (
            'chance did not decide who is in which group: that no unmeasured variable moves two of group, mediator and '
            f'outcome is assumed; {linear}'
        )
    return (
        'assignment is random, so that the path from treatment to mediator is causal; that no unmeasured '
        f'variable moves both mediator and outcome is assumed, randomisation does not give it; {linear}'
    )


def _adjusted(trial: TrialRecord, row: TableRow) -> str:
    baselines = 'baselines of mediators and outcome in every model'
    given = row.get('baselines')
    if given is not None:
        names = [
            variable_title(trial, name.removesuffix('_baseline').removesuffix('_reference'))
            for name in _names(given)
        ]
        baselines = f'first values in every model: {", ".join(names) or "none"}'
    covariates = ', '.join(_names(row['covariates'])) or 'none'
    return f'{baselines}; covariates: {covariates}'


def _names(cell: str) -> list[str]:
    return [] if cell == 'n/a' else cell.split(';')


def _timing(trial: TrialRecord, row: TableRow) -> str:
    """Say at which visits mediators and outcome were measured, and what of their order is assumed."""
    last, order = trial.visit(row['outcome_visit']), TIME_ORDERS[row['time_order']]
    pairs = [*zip(_names(row['mediators']), _names(row['mediator_visits']), strict=True)]
    if order.name == 'same_visit':
        where = f'mediator and outcome are both measured at {last.words}'
    else:
        when = [f'“{variable_title(trial, name)}” {_when(trial, visit)}' for name, visit in pairs]
        where = f'{" and ".join(when)}, the outcome at {last.words}'
    text = f'{where}: {_ASSUMED[order.name]}'
    if row['structure'] == 'serial' and len({visit for _, visit in pairs}) < len(pairs):
        text += '; which mediator comes first is assumed'
    if FLAGS['reference_post_randomisation'].name in split_flags(row['flags']):
        text += '; the first sample of gene expression was drawn after randomisation'
    return text


_ASSUMED = {
    'before': 'the mediator was measured first; that nothing before it moved both is assumed',
    'partly': 'that a mediator of the same visit comes first is assumed',
    'same_visit': 'that the mediator comes first is assumed',
    'not_known': 'that the mediator comes first is assumed',
}


def _when(trial: TrialRecord, visit: str) -> str:
    known = [each for each in trial.visits if each.name.replace(';', ',') == visit]
    return f'at {known[0].words}' if known else f'of the {visit}'


def _people(trial: TrialRecord, row: TableRow) -> str:
    n, treated, control, left = (
        number(row[key]) for key in ('n', 'n_treatment', 'n_control', 'n_incomplete')
    )
    if n is None:
        return 'none: there is no result'
    text = f'{n:.0f} in every path ({treated:.0f} {row["arm"]}, {control:.0f} {trial.control})'
    text += f'; {left:.0f} left out because something is missing' if left else '; nobody left out'
    lost, penalised = number(row['n_degenerate']), number(row['n_penalised'])
    text += f'; {lost:.0f} resamples without an estimate' if lost else ''
    return text + (f'; {penalised:.0f} resamples fitted with the penalty of Firth' if penalised else '')


def _sensitivity(row: TableRow, paths: list[TableRow]) -> str:
    if row['kind'] == 'binary':
        return 'no closed form for a logistic model'
    found = [number(row['estimate']) for row in paths if row['path'] == 'rho_at_zero']
    values = [f'{rho:.2f}'.replace('-', '−') for rho in found if rho is not None]
    if not values:
        return (
            'no closed form for this model; the joint indirect effect carries all mediators'
            if paths
            else 'n/a'
        )
    return (
        f'the indirect effect would be zero if errors of mediator and outcome were correlated by {", ".join(values)}'
        '; the nearer to 0, the less confounding would explain it'
    )


def _power(row: TableRow) -> str:
    medium, small = number(row['power_medium']), number(row['power_small'])
    if medium is None or small is None:
        return 'n/a'
    return (
        f'{medium:.0%} when both paths are of medium size ({MEDIUM_PATH} in standard deviations), {small:.0%} when they '
        f'are small ({SMALL_PATH}), at this number of people, simulated{_CUT if row["kind"] == "binary" else ""}'
    ).replace('%', ' %')


_CUT = '; the outcome as a normal variable that is cut where the share of events is as here'
