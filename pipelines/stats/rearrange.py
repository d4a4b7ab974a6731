"""Rearrangements of people that a null hypothesis allows: permutations and flips of sign."""

from collections.abc import Iterator
from itertools import product
from math import factorial, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Rearrangements(NamedTuple):
    """Rearrangements in the order in which they are used; the first leaves the data as they are."""

    drawn: Iterator[Array]
    """Each (n,): the person whose residual goes to each place, or the signs."""
    n_drawn: int
    """How many there are, with the first."""
    exact: bool
    """Whether they are all there are, each once."""


def permutations(design: Array, n_permutations: int, rng: np.random.Generator) -> Rearrangements:
    """Permute people at random, or list every distinct arrangement where there are few.

    Parameters
    ----------
    design
        (n, c) one row a person; people with equal rows may change places without effect.
    n_permutations
        Random permutations wanted beside the first, at least 1.
    rng
        Generator of the random ones; untouched where all are listed.

    Returns
    -------
    Rearrangements
        All :math:`n! / (m_1! m_2! ...)`, with :math:`m_j` people in each set of equal rows, where these
        are at most ``n_permutations``; for two groups alone that is n choose n1.

    Examples
    --------
    Two of four people can be chosen in six ways.

    >>> groups = np.array([[0.0], [1], [0], [1]])
    >>> found = permutations(groups, 100, np.random.default_rng(0))
    >>> found.n_drawn, found.exact, len({tuple(groups[np.argsort(p), 0]) for p in found.drawn})
    (6, True, 6)

    """
    n = len(design)
    label, count = np.unique(design, axis=0, return_inverse=True, return_counts=True)[1:]
    total = factorial(n) // prod(factorial(int(m)) for m in count)
    if total > n_permutations:
        return Rearrangements(_shuffled(n, n_permutations, rng), n_permutations + 1, False)
    return Rearrangements(_distinct(label.ravel()), total, True)


def flips(n: int, n_permutations: int, rng: np.random.Generator) -> Rearrangements:
    """Flip signs of ``n`` people at random, or list all 2^n where these are at most ``n_permutations``.

    Examples
    --------
    >>> found = flips(3, 8, np.random.default_rng(0))
    >>> found.n_drawn, next(found.drawn).tolist()
    (8, [1.0, 1.0, 1.0])

    """
    if 2**n > n_permutations:
        return Rearrangements(_flipped(n, n_permutations, rng), n_permutations + 1, False)
    return Rearrangements((np.array(signs) for signs in product((1.0, -1.0), repeat=n)), 2**n, True)


def _shuffled(n: int, n_permutations: int, rng: np.random.Generator) -> Iterator[Array]:
    yield np.arange(n)
    for _ in range(n_permutations):
        yield rng.permutation(n)


def _flipped(n: int, n_permutations: int, rng: np.random.Generator) -> Iterator[Array]:
    yield np.ones(n)
    for _ in range(n_permutations):
        yield rng.choice((1.0, -1.0), n)


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
