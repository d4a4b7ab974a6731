"""Corrected p values: counts where they are many, a generalised Pareto tail where they are few, over one map and several."""

import numpy as np
import pytest
from scipy import stats

from pipelines.errors import DataError
from pipelines.stats import tail as tails
from pipelines.stats.tail import Tail, anderson_darling, corrected_p, fit_tail, p_over_maps


def pareto(shape, scale=2.0):
    """Return SciPy's distribution, whose shape has the other sign."""
    return stats.genpareto(-shape, scale=scale)


@pytest.mark.parametrize('shape', [-0.2, 0.0, 0.3])
def test_a_tail_is_that_of_scipy(shape):
    found = Tail(share=0.2, threshold=5.0, scale=2.0, shape=shape, mean=2 / (1 + shape))
    values = 5 + np.linspace(0, 6, 25)
    np.testing.assert_allclose(found.p(values), 0.2 * pareto(shape).sf(values - 5), rtol=1e-12)
    assert found.end == pytest.approx(5 + 2 / shape if shape > 0 else np.inf)


def test_beyond_the_end_it_is_exponential_and_falls_all_the_way():
    found = Tail(share=0.1, threshold=1.0, scale=2.0, shape=0.5, mean=2 / 1.5)  # ends at 5
    values = np.array([1.5, 4.9999, 5, 8, 3])
    p = found.p(values)
    np.testing.assert_allclose(p[2:4], 0.1 * np.exp(-np.array([4, 7]) * 0.75), rtol=1e-12)
    assert p[1] == p[2]  # inside it would be smaller than that of a larger value
    assert p[0] == pytest.approx(0.1 * pareto(0.5).sf(0.5))
    assert (np.diff(p[np.argsort(values)]) <= 0).all()


@pytest.mark.parametrize('shape', [-0.1, 0.0, 0.15])
def test_moments_give_the_parameters_back(shape):
    """Quantiles of a known tail: the first threshold leaves a quarter, above which the tail is Pareto again."""
    n = 40_000
    maxima = pareto(shape, 1.5).isf((np.arange(n) + 0.5) / n)
    found = fit_tail(np.random.default_rng(1).permutation(maxima))
    u = pareto(shape, 1.5).isf(0.25)
    assert (found.share, found.threshold) == (0.25, pytest.approx(u, rel=1e-4))
    # with end points cut off at half a step moments of heavy tails are a little small
    assert found.shape == pytest.approx(shape, abs=0.01)
    assert found.scale == pytest.approx(1.5 - shape * u, rel=0.01)


def test_parameters_are_those_of_the_moments():
    """The mean a / (1 + k) and variance a^2 / ((1 + k)^2 (1 + 2k)) of the fit are those of the sample."""
    maxima = np.random.default_rng(5).gumbel(4, 0.4, 1000)
    found = fit_tail(maxima)
    own = maxima[maxima > found.threshold] - found.threshold
    assert len(own) == round(1000 * found.share)
    mean, variance = pareto(found.shape, found.scale).stats('mv')
    assert (mean, variance) == (pytest.approx(own.mean(), rel=1e-9), pytest.approx(own.var(ddof=1), rel=1e-9))
    assert found.mean == pytest.approx(own.mean())


def test_anderson_darling_is_that_of_an_integral():
    """n times the integral of (F_n - F)^2 / F (1 - F), summed over fine steps of F."""
    known, sample = pareto(0.2, 1.0), np.array([0.1, 0.4, 0.5, 1.1, 2.0])
    level = (np.arange(2_000_000) + 0.5) / 2_000_000
    empirical = np.searchsorted(np.sort(known.cdf(sample)), level, side='right') / 5
    integral = 5 * np.mean((empirical - level) ** 2 / (level * (1 - level)))
    assert anderson_darling(sample, 0.2, 1.0) == pytest.approx(integral, rel=1e-4)


@pytest.mark.parametrize('shape', [-0.2, 0.0, 0.2])
def test_limits_of_the_fit_are_those_of_simulated_samples(shape):
    """One sample in twenty is above; 2,000 samples have a standard error of 0.5 %."""
    rng, above, n = np.random.default_rng(8), 0, 0
    for sample in pareto(shape).rvs((2000, 150), random_state=rng):
        mean, ratio = sample.mean(), sample.mean() ** 2 / sample.var(ddof=1)
        k, a = (ratio - 1) / 2, mean * (ratio + 1) / 2
        if k <= 0 or a / k > sample.max():
            n += 1
            above += anderson_darling(sample, k, a) >= tails._limit(k)
    assert above / n == pytest.approx(
        0.05, abs=0.025
    )  # limits are taken at the shape found, not at the true one


def test_what_is_no_tail_is_counted():
    """Maxima of few values: no threshold leaves a Pareto tail above it."""
    maxima = np.concatenate([[9.0], np.repeat([1.0, 3, 5], [500, 400, 100])])
    assert fit_tail(maxima[1:]) is None
    found = corrected_p(maxima, np.array([4.0, 9.0]), counts_only=False)
    assert found.tail is None
    np.testing.assert_allclose(found.p, [101 / 1001, 1 / 1001])


def test_small_p_values_are_of_the_tail_and_others_are_counted():
    maxima = np.random.default_rng(3).gumbel(4, 0.4, 1001)
    values = np.array([[3.0, 4.5, 5.2], [np.nan, -7.0, 9.0]])
    counted, found = (corrected_p(maxima, values, counts_only=only) for only in (True, False))
    assert counted.tail is None
    np.testing.assert_allclose(counted.p[0], [(maxima >= value).mean() for value in values[0]])
    assert np.isnan([counted.p[1, 0], found.p[1, 0]]).all()
    is_small = counted.p < 0.1
    assert is_small.tolist() == [[False, False, True], [False, True, True]]
    np.testing.assert_array_equal(
        found.p[~is_small & ~np.isnan(values)], counted.p[~is_small & ~np.isnan(values)]
    )
    np.testing.assert_allclose(found.p[is_small], found.tail.p(np.abs(values[is_small])))
    # a Gumbel tail: within a quarter at 5.2, where fifty are expected beyond; far out below the least count
    assert found.p[0, 2] == pytest.approx(stats.gumbel_r(4, 0.4).sf(5.2), rel=0.25)
    assert found.p[1, 2] < found.p[1, 1] < 1 / 1001


def test_the_observed_value_is_no_part_of_its_tail():
    maxima = np.random.default_rng(4).gumbel(4, 0.4, 1001)
    other = np.append(50.0, maxima[1:])
    assert (
        corrected_p(other, other[:1], counts_only=False).tail
        == corrected_p(maxima, maxima[:1], counts_only=False).tail
    )


@pytest.mark.parametrize('n', [1, 150, 199])
def test_too_few_maxima_have_no_tail(n):
    maxima = np.random.default_rng(0).gumbel(4, 0.4, n)
    assert (fit_tail(maxima) is None) == (n < 199)
    assert corrected_p(maxima, np.array([np.inf]), counts_only=True).p[0] == 0


def test_nothing_to_refer_to_is_refused():
    with pytest.raises(DataError, match='no largest statistic'):
        corrected_p(np.empty(0), np.ones(2), counts_only=True)


def test_over_maps_it_is_the_smallest_p_of_every_rearrangement():
    """By a loop over all: scales of maps do not matter, equal maps cost nothing, independent ones their number."""
    rng = np.random.default_rng(6)
    one, two = rng.gumbel(4, 0.4, (2, 400))
    both = np.array([one, 100 * two])
    p = np.array([0.01, 0.05, 0.3])
    found = p_over_maps(both, p, counts_only=True)
    own = [[np.mean(null >= value) for value in null] for null in both]
    least = np.min(own, axis=0)
    np.testing.assert_allclose(found, [(least <= level * (1 + 1e-9)).mean() for level in p])
    np.testing.assert_allclose(found, 1 - (1 - p) ** 2, atol=0.05)  # 400 draws
    same = p_over_maps(np.array([one, 3 * one]), p, counts_only=True)
    np.testing.assert_allclose(same, p, atol=1 / 400)
    with_tail = p_over_maps(both, p, counts_only=False)
    np.testing.assert_allclose(with_tail, found, rtol=0.4)
    assert (with_tail >= p).all()


def test_one_map_alone_is_not_corrected_again():
    p = np.array([0.01, np.nan])
    np.testing.assert_array_equal(p_over_maps(np.ones((1, 9)), p, counts_only=False), p)
