"""What was planned, in words: assumptions, table, and the sentence of a protocol."""

from collections.abc import Iterator

from pipelines.simulated.sizes import SizeQuestion, Sizes

from ..phenotype.estimand import against
from ..tables.problems import listed
from .assumptions import Assumed


def assumption_lines(assumed: Assumed) -> Iterator[str]:
    """Yield what is assumed, line by line."""
    trial, outcome, plan = assumed.trial, assumed.outcome, assumed.plan
    names = [visit.name for visit in assumed.visits]
    yield f'trial {trial.name}: {against(trial.treated, trial.arms.control)}'
    change = '' if trial.is_randomised or not plan.model.has_baseline else ' in change'
    effects = listed([f'{effect:g} ({arm})' for effect, arm in zip(plan.effects, trial.treated)])
    yield f'outcome {outcome.name} at {assumed.primary.name}: difference{change} {effects} {outcome.units}, by {assumed.effect_from}'
    yield f'standard deviation: {_each(plan.sds, names)} {outcome.units}'
    if plan.correlations:
        pairs = [f'{a} with {b}' for number, a in enumerate(names) for b in names[number + 1 :]]
        yield f'correlation: {_each(plan.correlations, pairs)}'
    yield f'missing, whatever the values: {_each([per_cent(share) for share in plan.dropout], names)}'
    yield f'effects are the same at every visit{" after the baseline" if plan.model.has_baseline else ""}; level {plan.alpha:g}, two-sided{_adjusted(assumed)}'


def _adjusted(assumed: Assumed) -> str:
    if len(assumed.plan.effects) == 1:
        return ''
    if assumed.plan.order is None:
        return ', adjusted by Holm for the arms'
    return f', tested in the order {listed([assumed.trial.treated[arm] for arm in assumed.plan.order])}'


def _each(values: tuple[float, ...] | list[str], names: list[str]) -> str:
    words = [value if isinstance(value, str) else f'{value:g}' for value in values]
    if len(set(words)) == 1:
        return words[0]
    return listed([f'{word} ({name})' for word, name in zip(words, names)])


def table_lines(sizes: Sizes) -> Iterator[str]:
    """Yield the table for a terminal; a star is at the size that is planned."""
    head = ('', 'what', 'people', 'complete', 'power', '± 2 SE', 'closed form')
    cells = [
        (
            '*' if row.is_planned else '', f'{row.analysis}: {row.arm}', f'{row.n:,}', f'{row.n_complete:.0f}',
            f'{row.power:.3f}', f'{_two(row.mc_se):.3f}', 'n/a' if row.closed_form != row.closed_form else f'{row.closed_form:.3f}',
        )
        for row in sizes.table.itertuples()
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(head, *cells)]
    for line in (head, *cells):
        name = line[1].ljust(widths[1])
        yield f'{line[0].ljust(widths[0])} {name}  ' + '  '.join(
            cell.rjust(width) for cell, width in zip(line[2:], widths[2:])
        )
    failed = sizes.table['n_failed'].sum()
    if failed:
        yield f'{failed} simulated trials had no answer and count as having found nothing'


def per_cent(share: float) -> str:
    """Return a share as per cent.

    Examples
    --------
    >>> per_cent(0.154)
    '15 %'

    """
    return f'{share:.0%}'.replace('%', ' %')


def _two(standard_error: float) -> float:
    return standard_error + standard_error


def protocol(assumed: Assumed, sizes: Sizes, question: SizeQuestion) -> str:
    """Return the sentences for a protocol."""
    trial, plan, outcome = assumed.trial, assumed.plan, assumed.outcome
    counts = plan.people(sizes.n_primary)
    arms = [f'{n} {arm}' for n, arm in zip([*counts[1:], counts[0]], trial.arms.names)]
    own = sizes.table[(sizes.table['analysis'] == 'primary') & sizes.table['is_planned']]
    powers = [f'{per_cent(power)} for {arm}' for arm, power in zip(own['arm'], own['power'])]
    found = per_cent(own['power'].iloc[0]) if len(own) == 1 else listed(powers)
    verb = 'randomised' if trial.is_randomised else 'examined'
    effects = ' or '.join(dict.fromkeys(f'{effect:g} {outcome.units}' for effect in plan.effects))
    lost = plan.dropout[plan.primary]
    text = (
        f'With {sizes.n_primary:,} people {verb} ({listed(arms)}), {per_cent(lost)} of whom are expected to have no value at '
        f'{assumed.primary.name}, the trial has a power of {found} to find a difference in {outcome.description or outcome.name} of '
        f'{effects} between {against(trial.treated, trial.arms.control).replace(" against ", " and ")} at a two-sided level of {plan.alpha:g}'
        f'{_adjusted(assumed)}. This assumes a standard deviation of {_each(plan.sds, [v.name for v in assumed.visits])} '
        f'{outcome.units}'
    )
    if plan.correlations:
        text += (
            f' and a correlation between visits of {_each(plan.correlations, [""] * len(plan.correlations))}'
        )
    text += (
        f', and was found in {question.n_trials:,} simulated trials, each analysed by the linear model of all visits that is '
        'planned (restricted maximum likelihood).'
    )
    if sizes.n_mediation and question.paths:
        row = sizes.table[(sizes.table['analysis'] == 'mediation') & sizes.table['is_planned']].iloc[0]
        a, b = question.paths
        text += (
            f' With {sizes.n_mediation:,} people, of whom {row["n_complete"]:.0f} in {trial.arms.treatment} and '
            f'{trial.arms.control} have all values, an indirect effect with standardised paths of {a:g} and {b:g} is found with a power '
            f'of {per_cent(row["power"])} (percentile bootstrap).'
        )
    return text
