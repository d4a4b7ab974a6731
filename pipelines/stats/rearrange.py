"""Rearrangements of people that a null hypothesis allows: permutations and flips of sign."""

from collections.abc import Iterator, Sequence
from itertools import product
from math import factorial, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

Array = NDArray[Any]


class Blocks(NamedTuple):
    """Sets of people outside of which a null hypothesis allows no exchange."""

    label: Array
    """(n,) one for each block."""
    is_whole: bool
    """Whether blocks change places as wholes, those of equal size among themselves, or people within each."""


class Rearrangements(NamedTuple):
    """Rearrangements in the order in which they are used; the first leaves the data as they are."""

    drawn: Iterator[Array]
    """Each (n,): the person whose residual goes to each place, or the signs."""
    n_drawn: int
    """How many there are, with the first."""
    exact: bool
    """Whether they are all there are, each once."""


def permutations(
    design: Array, n_permutations: int, rng: np.random.Generator, blocks: Blocks | None = None
) -> Rearrangements:
    """Permute people at random, or list every distinct arrangement where there are few.

    Parameters
    ----------
    design
        (n, c) one row a person; people with equal rows may change places without effect.
    n_permutations
        Random permutations wanted beside the first, at least 1.
    rng
        Generator of the random ones; untouched where all are listed.
    blocks
        Who may change places; None: everybody.

    Returns
    -------
    Rearrangements
        All :math:`n! / (m_1! m_2! ...)`, with :math:`m_j` people in each set of equal rows, where these
        are at most ``n_permutations``; for two groups alone that is n choose n1.  With blocks it is the product
        of these numbers over them; where blocks are exchanged, of the blocks of each size.

    Raises
    ------
    DataError
        Blocks leave no other arrangement.

    Examples
    --------
    Two of four people can be chosen in six ways, one of each of two pairs in four.

    >>> groups = np.array([[0.0], [1], [0], [1]])
    >>> found = permutations(groups, 100, np.random.default_rng(0))
    >>> found.n_drawn, found.exact, len({tuple(groups[np.argsort(p), 0]) for p in found.drawn})
    (6, True, 6)
    >>> permutations(groups, 100, np.random.default_rng(0), Blocks(np.array([1, 1, 2, 2]), False)).n_drawn
    4

    """
    sets = _sets(len(design), blocks)
    labels, total = [], 1
    for units in sets:
        rows = design[units].reshape(len(units), -1)
        label, count = np.unique(rows, axis=0, return_inverse=True, return_counts=True)[1:]
        total *= factorial(len(units)) // prod(factorial(int(m)) for m in count)
        labels.append(label.ravel())
    if total == 1 and blocks is not None:
        raise DataError(
            'exchangeability blocks leave one arrangement only: all people of a block, or all blocks of one size, are alike '
            'in the design; name sites with another use in the trial file'
        )
    if total > n_permutations:
        return Rearrangements(_shuffled(sets, n_permutations, rng), n_permutations + 1, False)
    return Rearrangements(_listed(sets, labels), total, True)


def flips(
    n: int, n_permutations: int, rng: np.random.Generator, blocks: Blocks | None = None
) -> Rearrangements:
    """Flip signs of ``n`` people at random, or list all 2^n where these are at most ``n_permutations``.

    Where blocks are wholes all people of one have the same sign; else blocks say nothing about signs.

    Examples
    --------
    >>> found = flips(3, 8, np.random.default_rng(0))
    >>> found.n_drawn, next(found.drawn).tolist()
    (8, [1.0, 1.0, 1.0])

    """
    whole = blocks is not None and blocks.is_whole
    unit = np.unique(blocks.label, return_inverse=True)[1].ravel() if blocks and whole else np.arange(n)
    n_units = int(unit.max()) + 1
    if 2**n_units > n_permutations:
        return Rearrangements(_flipped(unit, n_permutations, rng), n_permutations + 1, False)
    signs = product((1.0, -1.0), repeat=n_units)
    return Rearrangements((np.array(one)[unit] for one in signs), 2**n_units, True)


def _sets(n: int, blocks: Blocks | None) -> list[Array]:
    """Return sets of units (m, size) that may change places: people of a block, or blocks of one size."""
    if blocks is None:
        return [np.arange(n)[:, None]]
    members = [np.flatnonzero(blocks.label == label) for label in np.unique(blocks.label)]
    if not blocks.is_whole:
        return [own[:, None] for own in members]
    sizes = sorted({len(own) for own in members})
    return [np.array([own for own in members if len(own) == size]) for size in sizes]


def _moved(sets: Sequence[Array], orders: Sequence[Array]) -> Array:
    """Return the person at each place when the units of each set are in these orders."""
    permutation = np.empty(sum(units.size for units in sets), int)
    for units, order in zip(sets, orders):
        permutation[units] = units[order]
    return permutation


def _shuffled(sets: Sequence[Array], n_permutations: int, rng: np.random.Generator) -> Iterator[Array]:
    yield _moved(sets, [np.arange(len(units)) for units in sets])
    for _ in range(n_permutations):
        yield _moved(sets, [rng.permutation(len(units)) for units in sets])


def _listed(sets: Sequence[Array], labels: Sequence[Array]) -> Iterator[Array]:
    return (_moved(sets, orders) for orders in product(*(list(_distinct(label)) for label in labels)))


def _flipped(unit: Array, n_permutations: int, rng: np.random.Generator) -> Iterator[Array]:
    yield np.ones(len(unit))
    for _ in range(n_permutations):
        yield rng.choice((1.0, -1.0), unit.max() + 1)[unit]


def _distinct(label: Array) -> Iterator[Array]:
    """Yield one permutation for each distinct order of the labels, in lexicographic order from the sorted one."""
    places = np.argsort(label, kind='stable')
    order = label[places].tolist()
    while True:
        permutation = np.empty_like(places)
        permutation[places] = places[np.argsort(order, kind='stable')]
        yield permutation
        falls = len(order) - 2
        while falls >= 0 and order[falls] >= order[falls + 1]:
            falls -= 1
        if falls < 0:
            return
        larger = max(i for i in range(falls + 1, len(order)) if order[i] > order[falls])
        order[falls], order[larger] = order[larger], order[falls]
        order[falls + 1 :] = order[:falls:-1]
