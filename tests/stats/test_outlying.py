"""Codes for missing values and values far from the others: told by hand, and false alarms counted."""

import numpy as np
import pytest

from pipelines.stats.outlying import CODES, MIN_OTHERS, MIN_VALUES, far_out, missing_codes

RATINGS = [0, 2, 3, 5, 6, 6, 7, 8, 10, 4]


def marked(found, values):
    return [value for value, mark in zip(values, found) if mark]


@pytest.mark.parametrize(
    ('others', 'value', 'is_code'),
    [
        (RATINGS, 99, True),
        (RATINGS, 999, True),
        (RATINGS, 77, True),
        (RATINGS, -9, True),
        (RATINGS, -1, True),
        (RATINGS, 9, False),  # one of eleven answers
        (RATINGS, 98, False),  # no code
        (RATINGS, 15, False),
        (range(80, 121, 5), 99, False),
        (range(300, 700, 50), 999, True),
        (range(300, 1200, 50), 999, False),
        (range(300, 1200, 50), 9999, True),
        (range(20, 61, 5), 99, True),  # age
        (range(20, 86, 5), 99, False),
        ([0, 0, 1, 1, 0, 1, 1], 9, True),
        ([0, 1, 2, 3, 0, 1], 9, True),
        ([10] * 8, 9, False),  # nearly everybody came to all ten
        ([-3, -1.5, 0, 0.2, 1, 2.5], -1, False),  # a change
        ([-3, -1.5, 0, 0.2, 1, 2.5], -9, True),
        ([-30, -15, 0, 20, 10, 25], -9, False),
        ([0.1, 0.2, 0.15, 0.3, 0.22], -99, True),
    ],
)
def test_a_code_is_told_from_a_value(others, value, is_code):
    """The rule of the docstring, applied by hand."""
    values = [*others, value]
    assert marked(missing_codes(values), values) == ([value] if is_code else [])


def test_several_codes_are_found_together():
    """99 does not hide 999, for what may be a code says nothing of the others."""
    values = [*RATINGS, 99, 999, 88, 99]
    assert marked(missing_codes(values), values) == [99, 999, 88, 99]


@pytest.mark.parametrize('number', [MIN_OTHERS - 1, MIN_OTHERS])
def test_a_few_values_tell_nothing(number):
    values = [*range(number), 999]
    assert missing_codes(values).any() == (number == MIN_OTHERS)


def test_words_of_codes():
    assert {9, 99, 999, -9, -99, -999, 77, 888, -7, -1} <= CODES
    assert not {7, 8, 0, 1, 98, 0.9} & CODES


@pytest.mark.parametrize(('value', 'is_far'), [(23, True), (22, False)])
def test_far_out_is_six_times_the_spread(value, is_far):
    """Median 5, deviations 0, 0, 1, 1, 2, 2, 3, 3, 4 and the value's: MAD 2, limit 5 + 17.8."""
    values = [5, 5, 4, 6, 3, 7, 2, 8, 1, value]
    limit = np.median(values) + 6 * 1.4826 * np.median(np.abs(values - np.median(values)))
    assert (value > limit) == is_far
    assert marked(far_out(values), values) == ([value] if is_far else [])


def test_where_most_are_the_same_nothing_is_far():
    assert not far_out([0] * 8 + [1, 50]).any()
    assert not far_out([3, 5, 6, 8, 4, 999, 7, 10, 5]).any()  # nine


def test_counts_are_looked_at_in_their_logarithm():
    """A lognormal count in the tail of its own distribution is no question; its square is one."""
    values = [12, 20, 33, 40, 55, 70, 90, 130, 210, 700]
    assert marked(far_out(values), values) == [700]
    assert not far_out(values, on_log=True).any()
    values[-1] **= 2
    assert marked(far_out(values, on_log=True), values) == [490_000]


def test_inputs_are_not_changed():
    values = np.array([*RATINGS, 999.0])
    values.setflags(write=False)
    assert missing_codes(values).sum() == far_out(values).sum() == 1


@pytest.mark.parametrize(
    ('number', 'low', 'high'), [(5, 0.06, 0.11), (MIN_VALUES, 0.01, 0.03), (60, 0, 0.001)]
)
def test_false_alarms_of_normal_values(rng, number, low, high):
    """Why there is a minimum: shares of sets of normal values with any far one, +- 3 standard errors of 4,000."""
    sets = rng.standard_normal((4000, number))
    centre = np.median(sets, axis=1, keepdims=True)
    limit = 6 * 1.4826 * np.median(np.abs(sets - centre), axis=1, keepdims=True)
    share = (np.abs(sets - centre) > limit).any(axis=1).mean()
    assert low <= share <= high
    if number >= MIN_VALUES:
        assert np.mean([far_out(values).any() for values in sets]) == share
