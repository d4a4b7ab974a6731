import numpy as np
import pandas as pd
import pytest

from pipelines.errors import DataError
from pipelines.stats.describe import describe, responders
from pipelines.stats.estimate import t_estimate
from pipelines.stats.multiplicity import fixed_sequence, holm
from pipelines.stats.standardised import hedges


def test_description_is_that_of_pandas(rng):
    values = rng.standard_normal(31)
    values[[2, 7]] = np.nan
    found, wanted = describe(values), pd.Series(values).describe()
    numbers = [found[key] for key in ('n', 'mean', 'sd', 'min', 'q1', 'median', 'q3', 'max')]
    np.testing.assert_allclose(numbers, wanted, rtol=1e-12)
    assert found['n_missing'] == 2


def test_few_people_have_no_spread():
    assert np.isnan(describe([1.0])['sd'])
    nobody = describe([np.nan])
    assert nobody['n'] == 0
    assert all(np.isnan(nobody[key]) for key in ('mean', 'sd', 'median', 'q1', 'q3', 'min', 'max'))


def test_hedges_g_is_unbiased(rng):
    """In small arms the uncorrected ratio is 12 % too large."""
    treatment = np.arange(8) % 2
    found, raw = [], []
    for _ in range(4000):
        before = rng.standard_normal(8) * 2
        # of the effect only its mean and its independence of the baseline matter
        g = hedges(t_estimate(rng.normal(1.6, 0.5), 0.5, 6), before, treatment).g
        found.append(g)
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - 0.8) < 3 * error < 0.03
    # Gamma(3) / (sqrt(3) Gamma(2.5)) for 6 degrees of freedom
    before = np.array([1.0, 1, 3, 3])
    raw = hedges(t_estimate(2.0, 1.0, 9), before, [0, 1, 0, 1])
    pooled = np.sqrt(2)
    # for 2 degrees of freedom the factor is 1 / sqrt(pi)
    assert raw.g == pytest.approx(2 / pooled / np.sqrt(np.pi), abs=1e-12)


def test_the_interval_is_scaled_like_the_effect(rng):
    effect = t_estimate(-1.2, 0.5, 50)
    found = hedges(effect, rng.standard_normal(57), np.arange(57) % 2)
    ratio = found.g / effect.estimate
    # one multiplication
    np.testing.assert_allclose([found.ci_low, found.ci_high], np.multiply(effect[3:5], ratio), rtol=1e-12)


@pytest.mark.parametrize('before', [[1.0, 2, np.nan, np.nan], [3.0, 3, 3, 3]])
def test_without_spread_there_is_no_standardised_effect(before):
    with pytest.raises(DataError, match='baseline'):
        hedges(t_estimate(1.0, 1.0, 9), before, [0, 0, 1, 1])


@pytest.mark.parametrize(
    ('counts', 'n', 'interval'),
    # Newcombe 1998, table II, method 10, treated first
    [
        ((56, 48), (70, 80), (0.0524, 0.3339)),
        ((9, 3), (10, 10), (0.1705, 0.8090)),
        ((6, 2), (7, 7), (0.0582, 0.8062)),
        ((5, 0), (56, 29), (-0.0381, 0.1926)),
        ((0, 0), (10, 20), (-0.1611, 0.2775)),
        ((10, 0), (10, 20), (0.6791, 1.0)),
    ],
)
def test_interval_of_the_difference_is_newcombes(counts, n, interval):
    arm = np.repeat([1, 0], n)
    gain = np.concatenate([np.arange(total) < count for count, total in zip(counts, n)]) * 5.0
    found = responders(np.full(len(arm), 9.0), 9 - gain, arm, absolute=2)
    assert found.responders.tolist() == list(counts[::-1])
    # printed with 4 decimals
    np.testing.assert_allclose([found.ci_low, found.ci_high], interval, atol=6e-5)
    assert found.difference == pytest.approx(counts[0] / n[0] - counts[1] / n[1])


@pytest.mark.parametrize(
    ('before', 'after', 'responds'),
    [
        (8.0, 6.0, True),  # two points
        (8.0, 6.1, False),
        (7.0, 4.9, True),  # 30 % of 7, which floating point puts at 2.0999999999999996
        (3.0, 2.1, True),  # 30 %
        (3.0, 2.2, False),
        (0.0, 0.0, False),  # no pain to relieve
        (5.0, 8.0, False),
    ],
)
def test_relief_of_pain_counts_in_points_or_percent(before, after, responds):
    found = responders([before, 5.0], [after, 5.0], [1, 0], absolute=2, relative=0.3)
    assert found.responders.tolist() == [0, int(responds)]


def test_direction_and_missing_visits():
    before, after = [10.0, 10, 10, 10, np.nan], [5.0, 15, np.nan, 14, 20]
    better = responders(before, after, [0, 0, 0, 1, 1], absolute=5, lower_is_better=False)
    assert (better.responders.tolist(), better.n.tolist(), better.n_missing.tolist()) == (
        [1, 0],
        [2, 1],
        [1, 1],
    )
    assert responders(before, after, [0, 0, 0, 1, 1], absolute=5).responders.tolist() == [1, 0]
    assert responders(
        [10.0, 10], [13.0, 12], [0, 1], relative=0.3, lower_is_better=False
    ).responders.tolist() == [1, 0]


@pytest.mark.parametrize('change', [{}, {'absolute': 0.0}, {'absolute': 2.0, 'relative': -0.3}])
def test_a_change_is_asked_for(change):
    with pytest.raises(DataError, match='minimal important change'):
        responders([1.0, 2], [1.0, 2], [0, 1], **change)


def test_an_empty_arm_has_no_proportion():
    with pytest.raises(DataError, match='each arm needs 1'):
        responders([1.0, 2], [1.0, np.nan], [0, 1], absolute=2)


def test_holm_is_its_definition(rng):
    for _ in range(20):
        p = rng.random(6) ** 3
        wanted, worst = np.empty(6), 0.0
        for rank, which in enumerate(np.argsort(p)):
            worst = max(worst, min(1.0, (6 - rank) * p[which]))
            wanted[which] = worst
        # products of the same numbers
        np.testing.assert_allclose(holm(p), wanted, rtol=1e-12)


def test_holm_counts_only_tests_that_were_made():
    # R: p.adjust(c(0.01, 0.02, NA, 0.03, 0.04), "holm")
    np.testing.assert_allclose(holm([0.01, 0.02, np.nan, 0.03, 0.04]), [0.04, 0.06, np.nan, 0.06, 0.06])
    assert np.isnan(holm([np.nan, np.nan])).all()


def test_a_fixed_sequence_keeps_the_level(rng):
    """Without any effect the first p value alone decides; adjusted p values never fall."""
    raw = rng.random((4000, 3))
    adjusted = np.array([fixed_sequence(row) for row in raw])
    np.testing.assert_array_equal((adjusted < 0.05).any(axis=1), raw[:, 0] < 0.05)
    assert (np.diff(adjusted, axis=1) >= 0).all()
    assert (adjusted >= raw).all()


def test_behind_what_was_not_tested_nothing_is():
    assert np.isnan(fixed_sequence([np.nan, 0.01])).all()
    np.testing.assert_array_equal(fixed_sequence([0.03, np.nan, 0.01]), [0.03, np.nan, np.nan])
    assert fixed_sequence([]).size == 0
