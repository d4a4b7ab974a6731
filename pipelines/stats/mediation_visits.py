"""At which visits a mediation analysis takes its mediators and its outcome, and what that says of their order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipelines.errors import DataError
from pipelines.terms import TIME_ORDERS

from .design import GENE_SET
from .mediation_design import Analysis
from .visit import Visit


def choose_visits(
    analysis: Analysis, measured: Mapping[str, Sequence[str]], primary: str, visits: Sequence[Visit]
) -> Analysis:
    """Return an analysis with the visit of its outcome and of each mediator.

    Parameters
    ----------
    analysis
        With the visits that were asked for.
    measured
        Names of the visits at which each outcome and gene set has values.  A set is absent or has none where its last
        sample is of no visit of the trial.
    primary
        The visit of the outcome where none was asked for.
    visits
        Of the trial, in their order in time.

    Raises
    ------
    DataError
        Something is not measured at the visit that is asked for, or before treatment only, or a mediator is measured
        after the outcome.

    Notes
    -----
    A mediator is taken at the latest visit after the baseline and before the outcome's at which it was measured,
    and where there is none, at the outcome's.

    Examples
    --------
    >>> visits = [Visit(name=name, session_id=f'ses-{name}', is_baseline=name == 'w0') for name in ('w0', 'w6', 'w12')]
    >>> analysis, everywhere = Analysis('pain', ('fc',), 'nrs'), ('w0', 'w6', 'w12')
    >>> choose_visits(analysis, {'fc': everywhere, 'nrs': everywhere}, 'w12', visits).mediator_visits
    ('w6',)
    >>> choose_visits(analysis, {'fc': ('w0', 'w12'), 'nrs': everywhere}, 'w12', visits).mediator_visits
    ('w12',)

    """
    place = {visit.name: number for number, visit in enumerate(visits)}
    later = {
        name: sorted((v for v in own if not visits[place[v]].is_baseline), key=place.__getitem__)
        for name, own in measured.items()
    }
    last = analysis.outcome_visit or primary
    _require(analysis.outcome, last, later)
    wanted = analysis.mediator_visits or (None,) * len(analysis.mediators)
    chosen: list[str | None] = []
    for name, visit in zip(analysis.mediators, wanted, strict=True):
        if name.startswith(GENE_SET) and not later.get(name):
            chosen.append(None)
            continue
        if visit is not None:
            _require(name, visit, later)
        upto = [v for v in (later[name] if visit is None else [visit]) if place[v] <= place[last]]
        if not upto:
            reason = (
                f'measured at {_listed(later[name] if visit is None else [visit])}, after the outcome {analysis.outcome} at '
                f'{last}: what comes later cannot carry an effect on it'
                if later[name]
                else 'not measured at any visit after the baseline, so that treatment cannot have moved it'
            )
            raise DataError(f'the mediator {name} is {reason}')
        earlier = [v for v in upto if v != last]
        chosen.append(earlier[-1] if earlier else last)
    return replace(analysis, outcome_visit=last, mediator_visits=tuple(chosen))


def _require(name: str, visit: str, later: Mapping[str, Sequence[str]]) -> None:
    known = later.get(name, ())
    if visit not in known:
        there = f'but at {_listed(known)}' if known else 'nor at any other visit after the baseline'
        raise DataError(f'{name} is not measured at {visit}, {there}')


def _listed(names: Sequence[str]) -> str:
    return ' and '.join(names)


def order_of(analysis: Analysis) -> str:
    """Return the name of one of :data:`~pipelines.terms.TIME_ORDERS`, of an analysis whose visits are chosen.

    Examples
    --------
    >>> order_of(Analysis('pain', ('fc',), 'nrs', outcome_visit='w12', mediator_visits=('w6',)))
    'before'

    """
    is_before = {visit != analysis.outcome_visit for visit in analysis.mediator_visits}
    if None in analysis.mediator_visits:
        return TIME_ORDERS['not_known'].name
    if len(is_before) > 1:
        return TIME_ORDERS['partly'].name
    return TIME_ORDERS['before' if is_before == {True} else 'same_visit'].name


def is_in_time(order: Sequence[str], analysis: Analysis, visits: Sequence[Visit]) -> bool:
    """Return whether mediators in this order are of visits in theirs; one of no visit may stand anywhere.

    Examples
    --------
    >>> visits = [Visit(name=name, session_id=f'ses-{name}') for name in ('w6', 'w12')]
    >>> analysis = Analysis('both', ('fc', 'fa'), 'nrs', 'serial', outcome_visit='w12', mediator_visits=('w12', 'w6'))
    >>> [is_in_time(order, analysis, visits) for order in (('fc', 'fa'), ('fa', 'fc'))]
    [False, True]

    """
    place = {visit.name: number for number, visit in enumerate(visits)}
    of_mediator = dict(zip(analysis.mediators, analysis.mediator_visits, strict=True))
    times = [place[visit] for name in order if (visit := of_mediator[name]) is not None]
    return times == sorted(times)
