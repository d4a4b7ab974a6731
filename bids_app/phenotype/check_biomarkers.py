"""What a trial file says of biomarkers that cannot all be true."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ..tables.text import MISSING

_TAKEN = ('participant', 'scans', 'connectivity', 'maps', 'tract', 'expression')
"""Kinds of data that ``group/participants.tsv`` names beside biomarkers."""


def biomarker_contradictions(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield samples that cannot be told apart, limits that are turned, and names that stand for something else."""
    if 'BDNF' in content:
        yield from _limit_contradictions('BDNF', content['BDNF'])
        samples = content['BDNF']['Samples'].values()
        places = [(s['Session'].removeprefix('ses-'), s['Time'].casefold()) for s in samples]
        if len(set(places)) < len(places):
            yield 'BDNF.Samples: two samples have the same Session and Time.'
    for name, given in content.get('Biomarkers', {}).items():
        path = f'Biomarkers.{name}'
        yield from _limit_contradictions(path, given)
        for key, words in (
            ('Sessions', [label.removeprefix('ses-') for label in given['Sessions']]),
            ('Times', [time.casefold() for time in given.get('Times', ())]),
        ):
            for word in [word for word, number in Counter(words).items() if number > 1]:
                yield f'{path}.{key}: "{word}" stands twice.'
        for time in given.get('Times', ()):
            if time in MISSING:
                yield f'{path}.Times: "{time}" is a word for a missing value. Give the time another name.'
        if name in content['Outcomes'] or name in _TAKEN:
            yield f'{path}: "{name}" is the name of other data of the trial. Give the biomarker another name.'
    folded = Counter(
        [*map(str.casefold, content.get('Biomarkers', {})), *(['bdnf'] if 'BDNF' in content else [])]
    )
    for name in [name for name, number in folded.items() if number > 1]:
        yield f'Biomarkers: two are called {name}, of which BDNF is one where the file has that part. Each needs its own.'


def _limit_contradictions(path: str, given: Mapping[str, Any]) -> Iterator[str]:
    low, high = given.get('LowerLimit'), given.get('UpperLimit')
    if isinstance(low, int | float) and isinstance(high, int | float) and low >= high:
        yield f'{path}.LowerLimit: {low} is not below UpperLimit {high}.'
