"""A circuit: regions by name and side, and the pairs of them that tracts join.  All that is made follows from it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

from ..errors import ParameterError
from .words import Term, Words

Hemisphere = Literal['L', 'R', 'B', 'C', 'n/a']
"""Left, right, both, across the midline, on the midline."""

RegionRole = Literal['seed', 'target', 'both']

LATERAL: tuple[Literal['L', 'R'], ...] = ('L', 'R')
MIDLINE: Literal['n/a'] = 'n/a'

SIDES = Words(
    'hemisphere',
    [
        Term(name='B', title='Both sides'),
        Term(name='L', title='Left'),
        Term(name='R', title='Right'),
        Term(name='C', title='Across the midline'),
        Term(name=MIDLINE, title='Midline'),
    ],
)
"""Hemispheres in the order of tables for readers, the outcome first."""


def told_side(sides: Iterable[str]) -> str:
    """Return the side that speaks for a tract: one alone on or across the midline for itself, both for all others.

    Examples
    --------
    >>> told_side(['L', 'R', 'B']), told_side(['n/a', 'n/a']), told_side(['C']), told_side(['L'])
    ('B', 'n/a', 'C', 'B')

    """
    known = set(sides)
    return known.pop() if known in ({MIDLINE}, {'C'}) else 'B'


ROLES = Words(
    'role of a region',
    [
        Term(name='seed', title='has a map of its correlation with every voxel'),
        Term(name='target', title='has none; it stands in the matrix of regions'),
        Term(name='both', title='is seed and target'),
    ],
)

NAME = re.compile('[A-Za-z][A-Za-z0-9]*')
"""Of a region: it stands in names of files."""

_WORDS = {'L': 'left', 'R': 'right'}


@dataclass(frozen=True, kw_only=True)
class Region(Term):
    """A structure on one side, on both, or on the midline; ``phrase`` stands in a sentence, behind an article."""

    structure: str
    hemisphere: Hemisphere
    phrase: str


@dataclass(frozen=True, kw_only=True)
class Structure(Term):
    """An anatomical structure that regions are the sides of.

    ``sources`` says of each of its sides (``L``, ``R``, or ``n/a`` alone for the midline) where it is taken
    from; ``role`` whether it has seed maps.
    """

    sources: tuple[tuple[Hemisphere, str], ...]
    role: RegionRole = 'both'

    @property
    def sides(self) -> tuple[Hemisphere, ...]:
        """Return its sides, left before right."""
        return tuple(side for side, _ in self.sources)

    @property
    def choice(self) -> str:
        """Return the source, or those of its sides where they differ.

        Examples
        --------
        >>> Structure(name='NAc', title='', sources=(('L', 'a'), ('R', 'b'))).choice
        'a and b'

        """
        return ' and '.join(dict.fromkeys(source for _, source in self.sources))

    def label(self, side: Hemisphere) -> str:
        """Return the label of a side; the bare name is both, or the midline."""
        return f'{self.name}{side}' if side in LATERAL else self.name

    def regions(self) -> Iterator[Region]:
        """Yield its sides, then both together if it has two."""
        title = self.title if self.title == self.name else self.title[:1].upper() + self.title[1:]
        for side in self.sides:
            word = _WORDS.get(side)
            yield Region(
                name=self.label(side), title=f'{title}, {word}' if word else title,
                phrase=f'{word} {self.title}' if word else self.title, structure=self.name, hemisphere=side,
            )  # fmt: skip
        if self.sides == LATERAL:
            yield Region(
                name=self.name, title=f'{title}, both sides', phrase=f'{self.title}, both sides',
                structure=self.name, hemisphere='B',
            )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Pair(Term):
    """Two structures whose connection is asked for.

    ``along``: tracts join them on each side that both have, or on the midline; ``crossing`` are the labels that a tract
    across the midline joins.
    """

    first: str
    second: str
    along: bool = True
    crossing: tuple[str, str] | None = None


def pair_of(
    first: str, second: str, crossing: tuple[str, str] | None = None, *, along: bool | None = None
) -> Pair:
    """Return a pair, named after both; without ``along`` it lies along the sides unless it crosses the midline.

    Examples
    --------
    >>> pair_of('NAc', 'mPFC').name
    'NAcMPFC'

    """
    return Pair(
        name=f'{first}{initial(second)}', title=f'{first}–{second}', first=first, second=second,
        along=crossing is None if along is None else along, crossing=crossing,
    )  # fmt: skip


def initial(name: str) -> str:
    """Return a name that begins with a capital."""
    return name[:1].upper() + name[1:]


class Bundle(NamedTuple):
    """A tract of a pair: where it lies, and the labels of the regions that it joins."""

    pair: Pair
    hemisphere: Hemisphere
    first: str
    second: str

    @property
    def name(self) -> str:
        """Return its label in names of files."""
        return self.pair.name + (self.hemisphere if self.hemisphere != MIDLINE else '')


@dataclass(frozen=True)
class Circuit:
    """Structures in the order of every table and image, and the pairs of them.

    Raises
    ------
    ParameterError
        Two structures share a label, or a pair names a structure that is not there or has no common side.

    """

    structures: tuple[Structure, ...]
    pairs: tuple[Pair, ...] = ()

    def __post_init__(self) -> None:
        """Refuse labels that stand for two things, and pairs that nothing can join."""
        labels = [region.name for own in self.structures for region in own.regions()]
        twice = [label for label in labels if labels.count(label) > 1]
        if twice:
            raise ParameterError(f'regions: {twice[0]} is the label of two regions. Rename one.')
        for pair in self.pairs:
            if not any(True for _ in self._bundles_of(pair)):
                raise ParameterError(
                    f'regions: {pair.first} and {pair.second} have no side in common. Name the label of the other '
                    f'side, as {pair.second}R, for a tract across the midline.'
                )

    @cached_property
    def by_name(self) -> Words[Structure]:
        """Return the structures by name."""
        return Words('structure', self.structures)

    @cached_property
    def regions(self) -> Words[Region]:
        """Return the regions: of each structure left, right and both sides, or the midline."""
        return Words('region', [region for own in self.structures for region in own.regions()])

    @property
    def drawn(self) -> tuple[str, ...]:
        """Return the labels that are drawn each by itself: all but those of both sides."""
        return tuple(name for name, region in self.regions.items() if region.hemisphere != 'B')

    @property
    def mains(self) -> tuple[str, ...]:
        """Return one label of each structure: both sides, the midline, or the one side it has."""
        return tuple(list(own.regions())[-1].name for own in self.structures)

    @property
    def seeds(self) -> tuple[Region, ...]:
        """Return the regions that have seed maps."""
        roles = {own.name: own.role for own in self.structures}
        return tuple(region for region in self.regions.values() if roles[region.structure] != 'target')

    @cached_property
    def bundles(self) -> tuple[Bundle, ...]:
        """Return the tracts of all pairs: left, right, the midline, across it."""
        return tuple(bundle for pair in self.pairs for bundle in self._bundles_of(pair))

    @property
    def reported(self) -> tuple[Pair, ...]:
        """Return the pairs whose connectivity is reported: those that are named, else all."""
        if self.pairs:
            return self.pairs
        names = [own.name for own in self.structures]
        return tuple(pair_of(a, b) for n, a in enumerate(names) for b in names[n + 1 :])

    def numbers(self, label: str) -> tuple[int, ...]:
        """Return the numbers of a region in the label image, where both sides together have none of their own."""
        wanted = self.regions[label]
        sides = LATERAL if wanted.hemisphere == 'B' else (wanted.hemisphere,)
        return tuple(
            number
            for number, region in enumerate(self.regions.values(), 1)
            if region.structure == wanted.structure and region.hemisphere in sides
        )

    def of_person(self, label: str) -> 'Circuit':
        """Return the circuit with ``{subject}`` in its sources replaced by a participant's label."""
        own = [
            replace(s, sources=tuple((side, text.replace('{subject}', label)) for side, text in s.sources))
            for s in self.structures
        ]
        return replace(self, structures=tuple(own))

    def rows(self) -> list[dict[str, str]]:
        """Return the circuit as rows of a table of regions, one per region and side; of files the names alone.

        Folders differ between machines that process people of one dataset.
        """
        return [
            {
                'name': own.name,
                'hemisphere': side,
                'source': source.rpartition('/')[2] if '.nii' in source else source,
                'role': own.role,
                'pairs': ' '.join(self._named_pairs(own, side)),
            }
            for own in self.structures
            for side, source in own.sources
        ]

    def _named_pairs(self, own: Structure, side: Hemisphere) -> Iterator[str]:
        for pair in self.pairs:
            if pair.first == own.name and pair.along:
                yield pair.second
            if pair.crossing and pair.crossing[0] == own.label(side):
                yield pair.crossing[1]

    def _bundles_of(self, pair: Pair) -> Iterator[Bundle]:
        first, second = self.by_name[pair.first], self.by_name[pair.second]
        if pair.along:
            for side in (*LATERAL, MIDLINE):
                ends = [own for own in (first, second) if side in own.sides]
                others = [own for own in (first, second) if own.sides == (MIDLINE,)]
                if len(ends) == 2 or (side != MIDLINE and ends and len(ends) + len(others) == 2):
                    yield Bundle(
                        pair, side, first.label(_side(first, side)), second.label(_side(second, side))
                    )
        if pair.crossing:
            yield Bundle(pair, 'C', *pair.crossing)


def _side(own: Structure, side: Hemisphere) -> Hemisphere:
    return side if side in own.sides else MIDLINE
