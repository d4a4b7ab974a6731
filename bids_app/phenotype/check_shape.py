"""What the arms, visits, factors and reports of a trial file say that cannot all be true."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from pipelines.stats.counts import VISITS
from pipelines.terms import REPORTED, ReferenceKind

from ..tables.problems import nearest
from ..tables.text import MISSING

_DATE = re.compile(r'[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?')


BLOOD_ENDS = ('first', 'last')
"""Names of visits of samples that say nothing but where they stand."""


def in_order(visits: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of visits in their order; of two the one called ``baseline`` is the first.

    Examples
    --------
    >>> in_order({'followup': {}, 'baseline': {}}), in_order({'week0': {}, 'week6': {}, 'week12': {}})
    (['baseline', 'followup'], ['week0', 'week6', 'week12'])

    """
    names = list(visits)
    return sorted(names, key=lambda name: name != 'baseline') if len(names) == 2 else names


def blood_order(visits: Mapping[str, Any]) -> list[str]:
    """Return the names of the visits of samples in their order; those called ``first`` and ``last`` are.

    Examples
    --------
    >>> blood_order({'last': {}, 'T1': {}, 'first': {}})
    ['first', 'T1', 'last']

    """
    first, last = BLOOD_ENDS
    return sorted(visits, key=lambda name: (name == last) - (name == first))


def reference_of(content: Mapping[str, Any]) -> ReferenceKind:
    """Return whether the first sample of expression was drawn after randomisation.

    As the trial file says; else it was where there was a randomisation and the sample's session is not that of the
    trial's baseline.
    """
    if 'Expression' not in content or not content['Arms'].get('Randomised', True):
        return 'baseline'
    expression, visits = content['Expression'], content['Visits']
    if 'Reference' in expression:
        given: ReferenceKind = expression['Reference']
        return given
    sessions = [
        part[names[0]]['Session'].removeprefix('ses-')
        for part, names in (
            (expression['Visits'], blood_order(expression['Visits'])),
            (visits, in_order(visits)),
        )
    ]
    return 'baseline' if len(visits) < 2 or sessions[0] == sessions[1] else 'postRandomisation'


def expression_contradictions(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the visits of samples, and what is said of a randomisation that there was not."""
    expression = content['Expression']
    names = blood_order(expression['Visits'])
    yield from same_session('Expression.Visits', expression['Visits'])
    for name in names[1:-1]:
        if name in VISITS:
            yield f'Expression.Visits: "{name}" is what tables call the first or last sample. Give it another name.'
    if len({name.casefold() for name in names}) < len(names):
        yield f'Expression.Visits: two visits have the same name ({", ".join(names)}). Each needs its own.'
    if expression.get('Reference') == 'postRandomisation' and not content['Arms'].get('Randomised', True):
        yield (
            'Expression.Reference: postRandomisation is after a randomisation, and Arms.Randomised is false. Remove one '
            'of them.'
        )


def treated_arms(content: Mapping[str, Any]) -> list[str]:
    """Return the arms that are compared with the control."""
    given = content['Arms']['Treatment']
    return [given] if isinstance(given, str) else list(given)


def arm_contradictions(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield arms that cannot be told apart, and what is said of a randomisation that there was not."""
    arms = content['Arms']
    named = [*treated_arms(content), arms['Control'], *arms.get('Others', ())]
    folded = [name.casefold() for name in named]
    if len(set(folded)) < len(folded):
        yield f'Arms: two arms have the same name ({", ".join(folded)}). Each needs its own.'
    for name in named:
        if name in MISSING:
            yield f'Arms: "{name}" is a word for a missing value. Give the arm another name, there and in its table.'
    if not arms.get('Randomised', True):
        if 'Strata' in content:
            yield (
                'Strata are those of a randomisation, and Arms.Randomised is false. Name the columns in Covariates.'
            )
        if 'Allocation' in content.get('Reporting', {}):
            yield 'Reporting.Allocation is that of a randomisation, and Arms.Randomised is false. Remove one of them.'


def visit_contradictions(visits: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is wrong with the names, order, times and primary visit of the trial."""
    names = in_order(visits)
    yield from same_session('Visits', visits)
    if len({name.casefold() for name in names}) < len(names):
        yield f'Visits: two visits have the same name ({", ".join(names)}). Each needs its own.'
    for name in names:
        if name in MISSING:
            yield f'Visits: "{name}" is a word for a missing value. Give the visit another name.'
    if 'baseline' in names[1:]:
        yield (
            f'Visits: {names[0]} stands before baseline. Write the visits in the order of time, from the baseline on; '
            'what was measured before it can be a covariate.'
        )
    yield from _time_contradictions(names, visits)
    primary = [name for name in names if visits[name].get('Primary')]
    if len(primary) > 1:
        yield f'Visits: {" and ".join(primary)} are both Primary. Choose one.'
    elif primary == names[:1] and len(names) > 1:
        yield f'Visits.{primary[0]}.Primary: the baseline cannot be the primary visit. Choose one after it.'


def _time_contradictions(names: Sequence[str], visits: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    both = [name for name in names if 'Week' in visits[name] and 'Month' in visits[name]]
    for name in both:
        yield f'Visits.{name} has both Week and Month. Keep one.'
    timed = [name for name in names if 'Week' in visits[name] or 'Month' in visits[name]]
    units = {key for name in timed for key in ('Week', 'Month') if key in visits[name]}
    if both or not timed:
        return
    if len(units) > 1:
        yield 'Visits: some have Week and some have Month. Use one of them for all.'
        return
    (unit,) = units
    for name in names:
        if name not in timed:
            yield f'Visits.{name} has no {unit}, and others have. Give it to all or to none.'
    for earlier, later in pairwise(timed):
        first, second = (visits[name][unit] for name in (earlier, later))
        if first >= second:
            yield (
                f'Visits.{later}.{unit}: {second} is not after {first} of {earlier}, which stands before it. '
                'Write the visits in the order of time.'
            )


def same_session(path: str, visits: Mapping[str, Any]) -> Iterator[str]:
    """Yield visits of one session."""
    of_session: dict[str, list[str]] = {}
    for name, visit in visits.items():
        of_session.setdefault(visit['Session'].removeprefix('ses-'), []).append(name)
    for label, names in of_session.items():
        if len(names) > 1:
            yield f'{path}: {" and ".join(names)} are the same session {label}.'


def factor_contradictions(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield columns that cannot be covariates, strata or sites."""
    column, sites = content['Arms']['Column'], content.get('Sites', {})
    used = {
        'Covariates': content.get('Covariates', ()),
        'Strata': content.get('Strata', ()),
        'Sites.Column': [sites['Column']] if sites else [],
    }
    for path, names in used.items():
        if column in names:
            yield f'{path}: "{column}" is the column of the arms. Name another one.'
        for name in names:
            if name in ('participant_id', 'session_id'):
                yield f'{path}: "{name}" says whose and which row it is. Name another column.'
    if sites and sites['Column'] in content.get('Covariates', ()):
        yield f'Sites.Column: "{sites["Column"]}" is among the Covariates as well. Name it in Sites only.'


def map_contradictions(given: Mapping[str, Any], visits: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield pairs of visits that are no change, and slopes that have too few visits or no times."""
    names, seen = in_order(visits), set[tuple[str, ...]]()
    for number, pair in enumerate(given.get('Changes', ())):
        path, unknown = f'Maps.Changes.{number}', [name for name in pair if name not in names]
        for name in unknown:
            yield f'{path}: "{name}" is none of the Visits. {nearest(name, names)}'
        if not unknown and names.index(pair[0]) >= names.index(pair[1]):
            yield f'{path}: {pair[1]} is not after {pair[0]}. Write the earlier visit first.'
        if tuple(pair) in seen:
            yield f'{path}: {" and ".join(pair)} stand twice.'
        seen.add(tuple(pair))
    if given.get('Slope') and len(names) < 3:
        yield f'Maps.Slope needs three visits or more, the trial has {len(names)}. Name the pair in Changes.'
    elif given.get('Slope') and any(
        'Week' not in visit and 'Month' not in visit for visit in visits.values()
    ):
        yield 'Maps.Slope needs to know when visits are due. Give each a Week or a Month.'


def sequence_contradictions(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the order of testing names twice, leaves out, or has no contrast for."""
    if 'Sequence' not in content:
        return
    treated = {name.casefold(): name for name in treated_arms(content)}
    primary = [name for name, outcome in content['Outcomes'].items() if outcome.get('Role') == 'primary']
    if not primary:
        yield 'Sequence: no outcome has "Role": "primary". Give it to those whose contrasts are tested in order.'
        return
    wanted = [(name, arm) for name in primary for arm in treated.values()]
    given = []
    for number, item in enumerate(content['Sequence']):
        path = f'Sequence.{number}'
        if isinstance(item, str) and len(treated) > 1:
            yield f'{path}: "{item}" is of several arms. Write {{"Outcome": "{item}", "Arm": "{wanted[0][1]}"}}.'
            continue
        outcome, arm = (
            (item, next(iter(treated))) if isinstance(item, str) else (item['Outcome'], item['Arm'])
        )
        if outcome not in primary:
            yield f'{path}: "{outcome}" is no primary outcome. {nearest(outcome, primary)}'
        elif arm.casefold() not in treated:
            yield f'{path}.Arm: "{arm}" is no treated arm. {nearest(arm, list(treated.values()))}'
        elif (outcome, treated[arm.casefold()]) in given:
            yield f'{path}: {outcome} of {treated[arm.casefold()]} stands twice in the order of testing.'
        else:
            given.append((outcome, treated[arm.casefold()]))
    if len(given) == len(content['Sequence']):
        for outcome, arm in wanted:
            if (outcome, arm) not in given:
                yield f'Sequence leaves out {outcome} of {arm}. Name every primary contrast, or remove Sequence.'


def reporting_contradictions(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield reports of arms that the trial has not, and dates that are none or are turned."""
    given = content.get('Reporting', {})
    arms = [*treated_arms(content), content['Arms']['Control']]
    for key, value in given.items():
        match REPORTED[key].holds:
            case 'numbers of arms' | 'texts of arms':
                yield from _unknown_arms(f'Reporting.{key}', value, arms)
            case 'dates':
                yield from _date_contradictions(f'Reporting.{key}', value)
            case 'object':
                yield from _unknown_arms(f'Reporting.{key}.AtRisk', value.get('AtRisk', {}), arms)
            case 'text' | 'number' | 'numbers':
                pass


def _unknown_arms(path: str, given: Mapping[str, Any], arms: Sequence[str]) -> Iterator[str]:
    known = [arm.casefold() for arm in arms]
    seen: set[str] = set()
    for arm in given:
        if arm.casefold() not in known:
            yield f'{path}: "{arm}" is no arm of the trial. {nearest(arm, arms)}'
        elif arm.casefold() in seen:
            yield f'{path}: "{arm}" stands twice.'
        seen.add(arm.casefold())


def _date_contradictions(path: str, given: Mapping[str, str]) -> Iterator[str]:
    wrong = [key for key, date in given.items() if not _DATE.fullmatch(date)]
    for key in wrong:
        yield f'{path}.{key}: "{given[key]}" is no date. Write 2024-05-31 or 2024-05.'
    start, end = given.get('Start', ''), given.get('End', '')
    # a month or a year is compared with the same part of the other date
    if not wrong and start and end and end[: len(start)] < start[: len(end)]:
        yield f'{path}: it ends {end}, before it starts {start}.'
