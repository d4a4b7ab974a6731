"""Make circuits: the default, that of a table of regions, and that which labels of results belong to."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..errors import ParameterError
from .circuit import (
    LATERAL,
    MIDLINE,
    NAME,
    ROLES,
    Circuit,
    Hemisphere,
    Pair,
    RegionRole,
    Structure,
    initial,
    pair_of,
)

COLUMNS = ('name', 'hemisphere', 'source', 'role', 'pairs')
"""Of a table of regions; the last two may be absent."""

_TITLES = {'NAc': 'nucleus accumbens', 'mPFC': 'medial prefrontal cortex'}
"""Of the structures of the default; others are called by their names."""

_SIDES: tuple[Hemisphere, ...] = (*LATERAL, MIDLINE)


class TrackingWay(NamedTuple):
    """One way of tracking: its key in sidecars, and in words."""

    name: str
    title: str


def directions(pair: Pair) -> tuple[TrackingWay, TrackingWay]:
    """Return the two ways of tracking between a pair, in their order.

    Examples
    --------
    >>> [direction.name for direction in directions(pair_of('NAc', 'mPFC'))]
    ['NAcToMPFC', 'MPFCToNAc']

    """
    a, b = pair.first, pair.second
    return (
        TrackingWay(f'{initial(a)}To{initial(b)}', f'from {a} to {b}'),
        TrackingWay(f'{initial(b)}To{initial(a)}', f'from {b} to {a}'),
    )


def structure(name: str, sources: Iterable[tuple[Hemisphere, str]], role: RegionRole = 'both') -> Structure:
    """Return a structure; its title is that of the default's, else its name."""
    return Structure(name=name, title=_TITLES.get(name, name), sources=tuple(sources), role=role)


def default_circuit(nac: str = 'harvard-oxford', mpfc: str = 'frontal-medial') -> Circuit:
    """Return nucleus accumbens and medial prefrontal cortex of both sides, and the pair of them."""
    chosen = {'NAc': nac, 'mPFC': mpfc}
    own = [structure(name, [(side, source) for side in LATERAL]) for name, source in chosen.items()]
    return Circuit(tuple(own), (pair_of('NAc', 'mPFC'),))


def circuit_of_labels(labels: Iterable[str], pairs: Iterable[Pair] = ()) -> Circuit:
    """Return the circuit that labels of a table belong to; of its sources nothing is known.

    Examples
    --------
    >>> [own.sides for own in circuit_of_labels(['NAcL', 'NAcR', 'NAc', 'PAG', 'InsR']).structures]
    [('L', 'R'), ('n/a',), ('n/a',)]

    A region of one side alone is told from one of the midline by nothing but its source.

    """
    known = list(dict.fromkeys(labels))
    lateral = {name for name in known if {f'{name}{side}' for side in LATERAL} <= set(known)}
    parts = {f'{name}{side}' for name in lateral for side in LATERAL}
    own = [
        structure(name, [(side, '') for side in (LATERAL if name in lateral else (MIDLINE,))])
        for name in known
        if name not in parts
    ]
    return Circuit(tuple(own), tuple(pairs))


def circuit_of_rows(rows: Sequence[Mapping[str, str]], default: Circuit | None = None) -> Circuit:
    """Return the circuit that rows of a table of regions describe.

    Parameters
    ----------
    rows
        Cells by :data:`COLUMNS`, a row per region and side; ``n/a`` and empty cells are missing.
    default
        Its structures are added where ``pairs`` name them and no row does.

    Raises
    ------
    ParameterError
        Naming the row and what is wrong with it.

    Notes
    -----
    ``pairs`` holds names, parted by blanks or commas: of a structure, for a tract on each side that both have, or a
    label with its side, for one from this row's region to that on the other side.  The name of the row itself is
    its two sides.

    Examples
    --------
    >>> rows = [{'name': 'VTA', 'hemisphere': 'n/a', 'source': 'sphere:0,-16,-12,4', 'pairs': 'NAc'}]
    >>> [bundle.name for bundle in circuit_of_rows(rows, default_circuit()).bundles]
    ['VTANAcL', 'VTANAcR']

    """
    cells = [{key: _known(row.get(key)) for key in COLUMNS} for row in rows]
    if not cells:
        raise ParameterError('regions: no region is listed. Write a row for each region and side.')
    own = [_structure_of(name, cells) for name in dict.fromkeys(row['name'] for row in cells)]
    named = {word for row in cells for word in _words(row['pairs'])}
    labels = {own_label: s.name for s in own for own_label in (s.name, *map(s.label, s.sides))}
    own += [
        added
        for added in (default.structures if default else ())
        if added.name not in labels and named & {added.name, *map(added.label, added.sides)}
    ]
    order = {s.name: number for number, s in enumerate(own)}
    pairs: dict[tuple[str, str], Pair] = {}
    for number, row in enumerate(cells, 1):
        for word in _words(row['pairs']):
            pair = _pair_of(f'regions, row {number}', row, word, own)
            if order[pair.first] > order[pair.second]:
                crossing = pair.crossing and pair.crossing[::-1]
                pair = pair_of(pair.second, pair.first, crossing, along=pair.along)
            _add(f'regions, row {number}', pairs, pair)
    return Circuit(tuple(own), tuple(pairs.values()))


def _known(cell: str | None) -> str:
    text = (cell or '').strip()
    return '' if text in ('n/a', 'NA', 'NaN') else text


def _words(cell: str) -> list[str]:
    return re.findall(r'[^\s,;]+', cell)


def _structure_of(name: str, cells: Sequence[Mapping[str, str]]) -> Structure:
    """Return the structure of the rows of a name."""
    own = [(number, row) for number, row in enumerate(cells, 1) if row['name'] == name]
    where = f'regions, row {own[0][0]}'
    if not NAME.fullmatch(name):
        raise ParameterError(f'{where}: the name "{name}" should be letters and digits, the first a letter.')
    sources: dict[Hemisphere, str] = {}
    for number, row in own:
        side = next((side for side in _SIDES if side == (row['hemisphere'] or MIDLINE)), None)
        if side is None:
            raise ParameterError(
                f'regions, row {number}: hemisphere {row["hemisphere"]} of {name} is unknown; write L, R, or n/a for the '
                'midline, a row for each side.'
            )
        if side in sources:
            raise ParameterError(f'regions, row {number}: {name} {side} is there twice. Leave one out.')
        if not row['source']:
            raise ParameterError(f'regions, row {number}: {name} has no source. Say where it is taken from.')
        sources[side] = row['source']
    if MIDLINE in sources and len(sources) > 1:
        raise ParameterError(f'{where}: {name} is on the midline and on a side. Keep L and R, or n/a alone.')
    roles = {row['role'] or 'both' for _, row in own}
    if len(roles) > 1:
        raise ParameterError(f'{where}: {name} is {" and ".join(sorted(roles))}. Give all its rows one role.')
    role = ROLES[roles.pop()].name
    return structure(name, [(side, sources[side]) for side in _SIDES if side in sources], role)  # type: ignore[arg-type]


def _pair_of(where: str, row: Mapping[str, str], word: str, own: Sequence[Structure]) -> Pair:
    """Return the pair of a row's region with what a word names."""
    mine = next(s for s in own if s.name == row['name'])
    label = mine.label(row['hemisphere'] or MIDLINE)  # type: ignore[arg-type]
    if word == mine.name:
        if mine.sides != LATERAL:
            raise ParameterError(f'{where}: {word} has no two sides that a tract could join.')
        return pair_of(word, word, (mine.label('L'), mine.label('R')))
    for other in own:
        if word == other.name:
            return pair_of(mine.name, word)
        for side in other.sides:
            if word == other.label(side):
                if label == word:
                    raise ParameterError(f'{where}: {word} is paired with itself. Name another region.')
                if side == row['hemisphere']:
                    return pair_of(mine.name, other.name)
                return pair_of(mine.name, other.name, (label, word))
    offered = ', '.join(s.name for s in own)
    raise ParameterError(f'{where}: {word} in pairs is none of the regions. Listed: {offered}.')


def _add(where: str, pairs: dict[tuple[str, str], Pair], pair: Pair) -> None:
    """Add a pair to those that are known, or what it says of the midline to the one that is there."""
    key = pair.first, pair.second
    known = pairs.get(key)
    if known and known.crossing and pair.crossing and set(known.crossing) != set(pair.crossing):
        raise ParameterError(
            f'{where}: {pair.first} and {pair.second} are joined across the midline twice. Name one of the two.'
        )
    if known:
        pair = pair_of(*key, known.crossing or pair.crossing, along=known.along or pair.along)
    pairs[key] = pair
