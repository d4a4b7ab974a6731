import numpy as np
import pandas as pd
import pytest

from pipelines.errors import DataError
from pipelines.stats.describe import describe
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
