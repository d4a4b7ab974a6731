"""Which voxel-wise tests a trial of any shape has: of changes or slopes over visits, between arms, with symptoms, of means."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..errors import DataError
from ..terms import MAP_CONTRASTS, MapContrast
from .visit import Visit


@dataclass(frozen=True, kw_only=True)
class MapTest:
    """One voxel-wise test.

    Attributes
    ----------
    name
        As it stands in names of files: letters and digits.
    contrast
        Of :data:`~pipelines.terms.MAP_CONTRASTS`.
    visits, weights
        Visits of the trial, and what their maps are multiplied by before they are added.
    arm
        That is compared with the control; empty where all are.
    about
        What is tested of whom at which visits, in words.

    """

    name: str
    contrast: str
    visits: tuple[str, ...]
    weights: tuple[float, ...]
    arm: str = ''
    about: str = ''

    @property
    def term(self) -> MapContrast:
        """Return what the test asks."""
        return MAP_CONTRASTS[self.contrast]

    @property
    def statistic(self) -> str:
        """Return what its map holds: F of several regressors, else t."""
        return 'F' if self.term.asks == 'arms' else 't'


@dataclass(frozen=True, kw_only=True)
class MapsDesign:
    """What voxel-wise tests are told of a trial.

    Attributes
    ----------
    treated, control
        Arms.
    is_randomised
        Whether the map at baseline can be a covariate: of groups that chance did not make changes are compared.
    adjusted
        Columns of the table of people that enter the comparison of arms.
    blocks
        The column of exchangeability blocks; None: everybody may change places with everybody.
    primary
        Name of the outcome that maps are compared with.

    """

    treated: tuple[str, ...]
    control: str
    primary: str
    is_randomised: bool = True
    adjusted: tuple[str, ...] = ()
    blocks: str | None = None

    @property
    def arms(self) -> tuple[str, ...]:
        """Return all arms, the control first."""
        return (self.control, *self.treated)


@dataclass(frozen=True, kw_only=True)
class MapVisits:
    """Which visits are compared voxel by voxel: pairs, the earlier one first, and whether a slope goes over all."""

    changes: tuple[tuple[str, str], ...] = ()
    slope: bool = False


def map_tests(
    design: MapsDesign, visits: Sequence[Visit], asked: MapVisits, last: Visit
) -> tuple[MapTest, ...]:
    """Return the tests of a trial, comparisons of arms first.

    Parameters
    ----------
    design
        Arms.
    visits
        Of the trial.
    asked
        Pairs and slope; without a pair the baseline and ``last`` are compared, or where there is no baseline arms at
        ``last``.
    last
        The visit of the primary contrast of what is measured in images.

    Raises
    ------
    DataError
        A slope is asked for of fewer than three visits, or of visits without times.

    Examples
    --------
    >>> week0, week6 = Visit(name='week0', session_id='ses-a', week=0, is_baseline=True), Visit(name='week6', session_id='ses-b', week=6)
    >>> two = MapsDesign(treated=('yoga',), control='wait', primary='pain')
    >>> [test.name for test in map_tests(two, [week0, week6], MapVisits(), week6)]
    ['armOnChange', 'changeWithSymptoms', 'meanBaseline', 'meanFollowup']
    >>> three = MapsDesign(treated=('yoga', 'tai chi'), control='wait', primary='pain')
    >>> [test.name for test in map_tests(three, [week0, week6], MapVisits(), week6)][:3]
    ['armsOnChange', 'armOnChangeYoga', 'armOnChangeTaiChi']

    """
    made = list(_made(visits, asked, last))
    found: list[MapTest] = []
    for asks in ('arms', 'arm', 'symptoms'):
        for of, names, weights in made:
            for term in MAP_CONTRASTS.values():
                if (term.asks, term.of) == (asks, of):
                    found += _of_arms(design, term, names, weights, is_one=len(made) == 1)
    used = [visit for visit in visits if any(visit.name in names for _, names, _ in made)]
    return (*found, *(_mean(visit, last, used) for visit in used))


def _made(
    visits: Sequence[Visit], asked: MapVisits, last: Visit
) -> Iterator[tuple[str, tuple[str, ...], tuple[float, ...]]]:
    """Yield what is made of the maps of visits: kind, visits, weights."""
    baseline = next((visit for visit in visits if visit.is_baseline), None)
    if baseline is None:
        yield 'visit', (last.name,), (1.0,)
        return
    for pair in asked.changes or (() if asked.slope else ((baseline.name, last.name),)):
        yield 'change', pair, (-1.0, 1.0)
    if asked.slope:
        times = [visit.time for visit in visits]
        known = [time for time in times if time is not None]
        if len(known) < 3 or len(known) < len(times):
            raise DataError(
                'a slope of maps needs three visits or more, each with its Week or Month in the trial file'
            )
        middle = sum(known) / len(known)
        squares = sum((time - middle) ** 2 for time in known)
        yield (
            'slope',
            tuple(visit.name for visit in visits),
            tuple((time - middle) / squares for time in known),
        )


def _of_arms(
    design: MapsDesign,
    term: MapContrast,
    visits: tuple[str, ...],
    weights: tuple[float, ...],
    *,
    is_one: bool,
) -> Iterator[MapTest]:
    """Yield a test of all arms, of each one, or of nobody's arm."""
    several = len(design.treated) > 1
    where = '' if is_one else ''.join(_words(visits))
    at = '' if is_one and len(visits) < 3 else f'; {" to ".join(dict.fromkeys((visits[0], visits[-1])))}'
    if term.asks == 'arms' and not several:
        return
    for arm, word in zip(design.treated, _words(design.treated)):
        is_pair = term.asks == 'arm'
        yield MapTest(
            name=f'{term.name}{word if is_pair and several else ""}{where}', contrast=term.name, visits=visits,
            weights=weights, arm=arm if is_pair else '',
            about=f'{term.about}{f"; {arm} against {design.control}" if is_pair and several else ""}{at}',
        )  # fmt: skip
        if not is_pair:
            return


def _mean(visit: Visit, last: Visit, used: Sequence[Visit]) -> MapTest:
    """Return the test of the mean of a visit."""
    contrast = 'meanBaseline' if visit.is_baseline else 'meanFollowup' if visit == last else 'meanVisit'
    word = _words([one.name for one in used])[used.index(visit)] if contrast == 'meanVisit' else ''
    about = MAP_CONTRASTS[contrast].about + (f', {visit.name}' if word else '')
    return MapTest(
        name=f'{contrast}{word}', contrast=contrast, visits=(visit.name,), weights=(1.0,), about=about
    )


def _words(names: Sequence[str]) -> list[str]:
    """Return names as they may stand in a file's: letters and digits, one for each, all different."""
    words = [
        ''.join(part[:1].upper() + part[1:] for part in re.findall('[A-Za-z0-9]+', name)) for name in names
    ]
    return [
        word if word and words.count(word) == 1 else f'{word}{number}' for number, word in enumerate(words, 1)
    ]
