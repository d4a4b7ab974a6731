"""What the outcomes of a trial file say that cannot all be true."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, assert_never, cast

from pipelines.stats.design import OutcomeKind
from pipelines.terms import MEASURES, Circuit

from ..tables.problems import nearest
from ..tables.text import MISSING

_OF_KINDS: Mapping[str, tuple[OutcomeKind, ...]] = {
    'Items': ('continuous', 'count'),
    'Levels': ('binary', 'ordinal'),
    'Responder': ('binary', 'ordinal'),
    'Maximum': ('count',),
    'Exposure': ('count',),
    'MinimalImportantChange': ('continuous',),
    'MinimalImportantPercent': ('continuous',),
    'Range': ('continuous', 'ordinal', 'count'),
}
"""Keys that not every type of outcome has."""


def outcome_contradictions(path: str, outcome: Mapping[str, Any], visits: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with an outcome of a trial with these visits, the baseline first."""
    for key in ('Range', 'ItemRange'):
        low, high = outcome.get(key, (None, None))
        if low is not None and high is not None and low >= high:
            yield f'{path}.{key}: {low} is not below {high}. Write [lowest, highest].'
    if 'Derivative' in outcome:
        yield from _derivative(path, outcome)
    yield from _items(path, outcome)
    yield from _visits(path, outcome, visits)
    yield from _kind(path, outcome)


def _derivative(path: str, outcome: Mapping[str, Any]) -> Iterator[str]:
    measure, given = MEASURES[outcome['Derivative']], len(outcome.get('Regions', ()))
    if given != measure.n_regions and not (measure.source == 'tract' and given == 2):
        yield f'{path}.Regions: {given} regions where {measure.name} has {measure.n_regions}.'
    if 'Hemisphere' in outcome and measure.source != 'tract':
        yield f'{path}.Hemisphere is of tracts only. Name the side in Regions, as NAcL.'


def region_contradictions(outcomes: Mapping[str, Mapping[str, Any]], circuit: Circuit) -> Iterator[str]:
    """Yield the regions that outcomes name and a circuit does not have, and tracts of what is no pair of it."""
    for name, outcome in outcomes.items():
        if 'Derivative' not in outcome:
            continue
        path, given = f'Outcomes.{name}', outcome.get('Regions', ())
        if MEASURES[outcome['Derivative']].source != 'tract':
            for number, region in enumerate(given):
                if region not in circuit.regions:
                    yield f'{path}.Regions.{number}: "{region}" is no region. {nearest(region, list(circuit.regions))}'
            continue
        pairs = [f'{pair.first} and {pair.second}' for pair in circuit.pairs]
        if given and not any({pair.first, pair.second} == set(given) for pair in circuit.pairs):
            offered = '; '.join(pairs) or 'none'
            yield f'{path}.Regions: no tract joins {" and ".join(given)}. Pairs: {offered}.'


def _items(path: str, outcome: Mapping[str, Any]) -> Iterator[str]:
    items = outcome.get('Items', ())
    if outcome.get('MaxMissingItems', 0) >= len(items) > 0:
        yield f'{path}.MaxMissingItems: {outcome["MaxMissingItems"]} leaves none of {len(items)} items.'
    if not items and ('ItemRange' in outcome or 'MaxMissingItems' in outcome):
        yield f'{path} has ItemRange or MaxMissingItems but no Items. Name the columns of the items.'


def _visits(path: str, outcome: Mapping[str, Any], visits: Sequence[str]) -> Iterator[str]:
    given = outcome.get('Visits')
    if given is None:
        if len(visits) == 1:
            yield (
                f'{path}: {visits[0]} is the only visit, so there is no baseline. Say "Visits": ["{visits[0]}"] if that '
                'is meant, or add the other visit to Visits.'
            )
        return
    unknown = [name for name in given if name not in visits]
    for name in unknown:
        yield f'{path}.Visits: "{name}" is none of the Visits. {nearest(name, visits)}'
    if not unknown and len(visits) > 1 and list(given) == [visits[0]]:
        yield f'{path}.Visits: at {visits[0]} alone, the baseline, there is nothing to compare. Name a visit after it.'


def _kind(path: str, outcome: Mapping[str, Any]) -> Iterator[str]:
    """Yield keys that are of another type of outcome, and what those of its own type contradict."""
    kind = cast(OutcomeKind, outcome.get('Type', 'continuous'))
    foreign = [key for key, kinds in _OF_KINDS.items() if key in outcome and kind not in kinds]
    for key in foreign:
        yield f'{path}.{key} is of {" and ".join(_OF_KINDS[key])} outcomes, and {path} is {kind}. Remove it, or correct Type.'
    if foreign:
        return
    match kind:
        case 'continuous':
            pass
        case 'binary':
            yield from _level_contradictions(path, outcome)
            if outcome.get('Levels') and len(outcome['Levels']) != 2:
                yield f'{path}.Levels: {len(outcome["Levels"])} where a binary outcome has 2.'
            elif outcome.get('Levels') and 'Responder' not in outcome:
                yield f'{path}: which of the two Levels counts? Name it as Responder.'
        case 'ordinal':
            yield from _level_contradictions(path, outcome)
            yield from _ordinal(path, outcome)
        case 'count':
            yield from _count(path, outcome)
        case other:
            assert_never(other)


def _level_contradictions(path: str, outcome: Mapping[str, Any]) -> Iterator[str]:
    levels, responder = outcome.get('Levels', ()), outcome.get('Responder')
    if len({level.casefold() for level in levels}) < len(levels):
        yield f'{path}.Levels: two have the same name. Each needs its own.'
    for level in levels:
        if level in MISSING:
            yield f'{path}.Levels: "{level}" is a word for a missing value. Leave it out; such cells are missing.'
    if levels and responder is not None:
        if not isinstance(responder, str):
            yield f'{path}.Responder: {responder} is a number, and Levels are words. Write one of them.'
        elif responder not in levels:
            yield f'{path}.Responder: "{responder}" is none of the Levels. {nearest(responder, levels)}'


def _ordinal(path: str, outcome: Mapping[str, Any]) -> Iterator[str]:
    levels, responder = outcome.get('Levels', ()), outcome.get('Responder')
    low, high = outcome.get('Range', (None, None))
    if len(levels) == 2:
        yield f'{path}.Levels: an outcome of two levels is binary. Write "Type": "binary".'
    if levels and 'Range' in outcome:
        yield f'{path} has both Levels and Range. Levels are the words of the cells, Range is of numbers; keep one.'
    if responder is None:
        return
    better = outcome.get('LowerIsBetter')
    if better is None:
        yield f'{path}.Responder: at which side of it? Say with LowerIsBetter whether low or high is good.'
    if isinstance(responder, str):
        if not levels:
            yield f'{path}.Responder: "{responder}" is a word. Write Levels, from lowest to highest, or a number.'
        elif better is not None and responder == levels[-1 if better else 0]:
            yield f'{path}.Responder: everybody is at the worst level, "{responder}", or better. Name a better one.'
    elif not levels:
        outside = (low is not None and responder < low) or (high is not None and responder > high)
        worst = (high if better else low) if better is not None else None
        if outside:
            yield f'{path}.Responder: {responder} lies outside Range.'
        elif worst is not None and responder == worst:
            yield f'{path}.Responder: everybody is at {responder}, the worst of Range, or better. Name a better one.'


def _count(path: str, outcome: Mapping[str, Any]) -> Iterator[str]:
    low, high = outcome.get('Range', (None, None))
    if low is not None and low != 0:
        yield f'{path}.Range: a count begins at 0, and not at {low}.'
    if 'Maximum' in outcome and high is not None and high != outcome['Maximum']:
        yield f'{path}.Maximum: {outcome["Maximum"]} is not {high}, where Range ends. Keep Maximum.'
    if 'Maximum' in outcome and 'Exposure' in outcome:
        yield (
            f'{path} has both Maximum and Exposure. Maximum is of so many occasions, Exposure the time at risk of '
            'events without a limit; keep one.'
        )
    if outcome.get('MaxMissingItems'):
        yield f'{path}.MaxMissingItems: what is missing of a count cannot be filled in. Leave it out.'
