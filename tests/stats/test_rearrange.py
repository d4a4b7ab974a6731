"""Exchangeability blocks: who may change places with whom, in how many ways."""

from itertools import combinations
from math import comb

import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.stats.rearrange import Blocks, flips, permutations

SITE = np.array([0, 1, 0, 2, 1, 0, 2, 1, 2, 0])
ARM = np.array([1, 0, 0, 1, 1, 1, 0, 0, 0, 0.0])


def drawn(found):
    return np.array(list(found.drawn))


def test_people_stay_in_their_block(rng):
    found = permutations(ARM[:, None], 10, rng, Blocks(SITE, False))
    orders = drawn(found)
    assert (found.n_drawn, found.exact, len(orders)) == (11, False, 11)
    np.testing.assert_array_equal(orders[0], np.arange(10))
    assert (SITE[orders] == SITE).all()
    assert (np.sort(orders) == np.arange(10)).all()
    assert len({tuple(order) for order in orders}) > 5


def test_arrangements_within_blocks_are_a_product():
    found = permutations(ARM[:, None], 1000, np.random.default_rng(0), Blocks(SITE, False))
    orders = drawn(found)
    assert found.exact
    assert found.n_drawn == len(orders) == comb(4, 2) * comb(3, 1) * comb(3, 1)
    placed = {tuple(ARM[np.argsort(order)]) for order in orders}
    assert len(placed) == found.n_drawn
    # all that brute force finds: 2, 1 and 1 treated at the three sites
    chosen = combinations(range(10), 4)
    every = {own for own in chosen if np.bincount(SITE[list(own)], minlength=3).tolist() == [2, 1, 1]}
    assert {tuple(np.flatnonzero(arm)) for arm in placed} == every


def test_wholes_change_places_with_those_of_their_size(rng):
    site = np.array(['a', 'b', 'a', 'c', 'b', 'd', 'c', 'e', 'd', 'd', 'e', 'e'])
    arm = np.isin(site, ['a', 'd']).astype(float)
    found = permutations(np.column_stack([arm, np.arange(12)]), 5, rng, Blocks(site, True))
    for order in drawn(found):
        for name in 'abcde':
            (taken,) = set(site[order[site == name]])
            assert (site == taken).sum() == (site == name).sum()
            assert order[site == name].tolist() == np.flatnonzero(site == taken).tolist()
    # one of three pairs, one of two triples
    assert permutations(arm[:, None], 100, rng, Blocks(site, True)).n_drawn == 3 * 2


def test_blocks_that_leave_nothing_are_refused(rng):
    message = 'leave one arrangement only'
    with pytest.raises(DataError, match=message):
        permutations(SITE[:, None] == 1.0, 100, rng, Blocks(SITE, False))  # an arm is a site
    with pytest.raises(DataError, match=message):
        permutations(
            ARM[:4, None], 100, rng, Blocks(np.array([0, 1, 1, 1]), True)
        )  # sites of one and of three


def test_signs_of_a_whole_are_alike(rng):
    for n_permutations, exact in ((4, False), (8, True)):
        found = flips(10, n_permutations, rng, Blocks(SITE, True))
        signs = drawn(found)
        assert (found.exact, len(signs)) == (exact, found.n_drawn)
        np.testing.assert_array_equal(signs[0], 1)
        for name in range(3):
            own = signs[:, np.flatnonzero(name == SITE)]
            assert (own == own[:, :1]).all()
    assert len({tuple(one) for one in signs}) == 8
    assert flips(10, 4000, rng, Blocks(SITE, False)).n_drawn == 2**10
