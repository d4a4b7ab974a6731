"""When a biomarker was sampled, in which arms, and what of it is compared."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ..terms import BDNF_CONTRASTS, SAMPLE_LEVEL

FOUR_SAMPLES = ('s7_pre', 's7_post', 's42_pre', 's42_post')
"""Before and after session 7, before and after session 42: what their contrasts are called has words of its own."""


@dataclass(frozen=True, kw_only=True)
class SampleLabel:
    """A sample by its name, with session and time as words; the time is empty where a session has one sample."""

    name: str
    session: str
    time: str = ''


class SampleContrast(NamedTuple):
    """A sum of the logarithms of samples by their names, each with its weight."""

    name: str
    weights: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class SamplesDesign:
    """Name, title and unit of a biomarker, the arms, and the samples in the order of sessions, then of times."""

    name: str
    title: str
    units: str
    treated: tuple[str, ...]
    control: str
    samples: tuple[SampleLabel, ...]

    @property
    def names(self) -> list[str]:
        """Return the names of the samples in their order."""
        return [sample.name for sample in self.samples]

    @property
    def arms(self) -> tuple[str, ...]:
        """Return all arms, the control first."""
        return (self.control, *self.treated)

    @property
    def contrasts(self) -> list[SampleContrast]:
        """Return what is estimated: responses within sessions, change at the first time, change of the responses.

        Names are made of the words of sessions and times, where there are several.  A single sample has its level.

        Examples
        --------
        >>> labels = [SampleLabel(name=f'{s}_{t}', session=s, time=t) for s in ('w0', 'w6') for t in ('pre', 'post')]
        >>> design = SamplesDesign(name='il6', title='IL-6', units='pg/mL', treated=('yoga',), control='wait', samples=tuple(labels))
        >>> [contrast.name for contrast in design.contrasts]
        ['w0: post - pre', 'w6: post - pre', 'pre: w6 - w0', 'post - pre: w6 - w0']
        >>> design.contrasts[3].weights
        {'w6_post': 1, 'w6_pre': -1, 'w0_post': -1, 'w0_pre': 1}

        """
        found = list(_contrasts(self.samples))
        if tuple(self.names) == FOUR_SAMPLES:
            return [
                contrast._replace(name=name) for contrast, name in zip(found, BDNF_CONTRASTS, strict=True)
            ]
        return found

    @property
    def responses(self) -> list[tuple[str, str]]:
        """Return the first sample of each session with each later one."""
        own = [list(names.values()) for names in _by_session(self.samples).values()]
        return [(first, later) for first, *others in own for later in others]


def _by_session(samples: tuple[SampleLabel, ...]) -> dict[str, dict[str, str]]:
    """Return the names of samples by session and time."""
    found: dict[str, dict[str, str]] = {}
    for sample in samples:
        found.setdefault(sample.session, {})[sample.time] = sample.name
    return found


def _contrasts(samples: tuple[SampleLabel, ...]) -> Iterator[SampleContrast]:
    of_session = _by_session(samples)
    (start, first), *later_sessions = of_session.items()
    rest, *later_times = first
    if len(samples) == 1:
        yield SampleContrast(SAMPLE_LEVEL.name, {first[rest]: 1})
    for session, names in of_session.items():
        for time in later_times:
            place = f'{session}: ' if later_sessions else ''
            yield SampleContrast(f'{place}{time} - {rest}', {names[time]: 1, names[rest]: -1})
    for session, names in later_sessions:
        place = f'{rest}: ' if later_times else ''
        yield SampleContrast(f'{place}{session} - {start}', {names[rest]: 1, first[rest]: -1})
    for session, names in later_sessions:
        for time in later_times:
            weights = {names[time]: 1, names[rest]: -1, first[time]: -1, first[rest]: 1}
            yield SampleContrast(f'{time} - {rest}: {session} - {start}', weights)
