"""Moderated variances against moments, quantiles, brute force and planted priors."""

import numpy as np
import pytest
from scipy import integrate, special, stats

from pipelines.errors import DataError
from pipelines.stats.quasi import moderate as module
from pipelines.stats.quasi.moderate import TAIL_SHARES, moderate


def draw(rng, n=4000, df=6, prior=8.0, trend=None):
    """Return variances of which the true one is drawn from a scaled inverse chi squared, and levels."""
    level = rng.uniform(0, 10, n)
    scale = np.ones(n) if trend is None else trend(level)
    truth = scale * prior / rng.chisquare(prior, n)
    return truth * rng.chisquare(df, n) / df, np.full(n, df), level


def test_planted_prior_is_found(rng):
    def trend(level):
        return np.exp(0.5 - 0.15 * level)

    found = moderate(*(arrays := draw(rng, trend=trend)))
    # 4,000 genes: the standard error of log df is some 6 %, of the trend 2 % and more at its ends
    np.testing.assert_allclose(np.median(found.df_prior), 8, rtol=0.25)
    np.testing.assert_allclose(found.trend, trend(arrays[2]), rtol=0.15)


def test_posterior_lies_between(rng):
    variance, df, level = draw(rng)
    found = moderate(variance, df, level)
    low, high = np.minimum(variance, found.trend), np.maximum(variance, found.trend)
    assert ((found.posterior >= low * (1 - 1e-12)) & (found.posterior <= high * (1 + 1e-12))).all()
    weight = found.df_prior / (found.df_prior + df)
    np.testing.assert_allclose(found.posterior, weight * found.trend + (1 - weight) * variance, rtol=1e-12)


def test_equal_variances_are_pooled(rng):
    """They spread less than by chance: the trend is worth infinitely much, and is the posterior."""
    variance = 2 * np.exp(0.3 * rng.normal(size=3000))
    found = moderate(variance, np.full(3000, 5), rng.uniform(0, 1, 3000))
    usual = np.isinf(found.df_prior)
    assert usual.mean() > 0.9
    np.testing.assert_array_equal(found.posterior[usual], found.trend[usual])
    # the mean log of a chi squared of 5 degrees of freedom is 0.21 below that of its mean
    np.testing.assert_allclose(found.trend, 2 * np.exp(0.21), rtol=0.1)


def test_outlying_genes_keep_their_variance(rng):
    """They neither widen the prior of the others nor are drawn towards them."""
    variance, df, level = draw(rng, prior=40.0)
    wild = variance.copy()
    wild[:40] *= 100
    before, after = moderate(variance, df, level), moderate(wild, df, level)
    assert np.median(after.df_prior[40:]) > 0.6 * np.median(before.df_prior)
    assert (after.df_prior[:40] < 0.2 * np.median(after.df_prior[40:])).mean() > 0.9
    assert np.median(after.posterior[:40] / wild[:40]) > 0.5


def test_fewer_degrees_of_freedom_are_weighed(rng):
    """Genes with zeros have fewer; the same prior is found from a mixture as from equal ones."""
    n, prior = 6000, 10.0
    df = rng.choice([2, 4, 6], n)
    truth = prior / rng.chisquare(prior, n)
    found = moderate(truth * rng.chisquare(df) / df, df, rng.uniform(0, 5, n))
    np.testing.assert_allclose(np.median(found.df_prior), prior, rtol=0.3)


def test_genes_without_a_variance_have_that_of_their_level(rng):
    variance, df, level = draw(rng, trend=lambda at: np.exp(0.2 * at))
    df = df.copy()
    df[::50], gaps = 0, np.arange(4000) % 50 == 0
    found = moderate(np.where(gaps, 0, variance), df, level)
    np.testing.assert_allclose(found.trend[gaps], np.exp(0.2 * level[gaps]), rtol=0.2)
    np.testing.assert_allclose(found.posterior[gaps], found.trend[gaps], rtol=1e-12)
    assert len(np.unique(found.df_prior[gaps])) == 1


@pytest.mark.parametrize('n', [1, 2])
def test_two_genes_are_left_as_they_are(n):
    found = moderate(np.array([0.5, 3.0])[:n], np.full(n, 4), np.arange(n))
    assert found.posterior.tolist() == [0.5, 3.0][:n]
    assert found.df_prior.tolist() == [0] * n


@pytest.mark.parametrize('n', [3, 5, 8, 25])
def test_few_genes_have_a_prior(rng, n):
    found = moderate(rng.chisquare(4, n) / 4, np.full(n, 4), np.arange(n))
    assert np.isfinite(found.posterior).all()
    assert (found.df_prior > 0).all()


def test_levels_that_are_all_the_same(rng):
    variance, df, _ = draw(rng, n=500)
    found = moderate(variance, df, np.full(500, 3.0))
    assert np.ptp(found.trend) == 0
    np.testing.assert_allclose(np.median(found.df_prior), 8, rtol=0.5)


def test_genes_that_do_not_vary_are_refused():
    with pytest.raises(DataError, match='more than half of the genes do not vary'):
        moderate(np.array([0, 0, 0, 1.0, 2]), np.full(5, 3), np.arange(5))


def test_inputs_are_left_alone(rng):
    arrays = draw(rng, n=300)
    for array in arrays:
        array.setflags(write=False)
    assert len(moderate(*arrays).posterior) == 300


@pytest.mark.parametrize(('df', 'prior'), [(4, 9.0), (1, 3.0), (10, np.inf)])
def test_moments_are_those_of_adaptive_quadrature(df, prior):
    law = stats.chi2(df, scale=1 / df) if prior == np.inf else stats.f(df, prior)
    low, high = law.ppf(TAIL_SHARES[0]), law.ppf(1 - TAIL_SHARES[1])

    def moment(power, centre=0.0):
        inner = integrate.quad(lambda f: (np.log(f) - centre) ** power * law.pdf(f), low, high, limit=200)[0]
        return (
            inner
            + TAIL_SHARES[0] * (np.log(low) - centre) ** power
            + TAIL_SHARES[1] * (np.log(high) - centre) ** power
        )

    mean, variance = module._moments(df, prior)
    np.testing.assert_allclose(mean, moment(1), rtol=1e-6)
    np.testing.assert_allclose(variance, moment(2, mean), rtol=1e-6)


@pytest.mark.parametrize('x', [1e-4, 0.03, 1.0, 7.5, 1e6])
def test_inverse_of_trigamma(x):
    assert module._inverse_trigamma(float(special.polygamma(1, x))) == pytest.approx(x, rel=1e-8)


def test_spline_is_natural(rng):
    """Its span holds lines, has the width that was asked for, and no curvature at its ends."""
    level = np.sort(rng.uniform(2, 9, 200))
    basis = module._spline(level)
    assert np.linalg.matrix_rank(basis) == basis.shape[1] == 4
    line = 3 - 2 * level
    fitted = basis @ np.linalg.lstsq(basis, line, rcond=None)[0]
    np.testing.assert_allclose(fitted, line, atol=1e-9)
    grid = np.linspace(0, 1, 100_001)
    curvature = np.diff(module._spline(grid), 2, axis=0)
    # steps of 1e-5: second differences of a cubic grow from 0 at the ends
    assert np.abs(curvature[[0, -1]]).max() < 1e-3 * np.abs(curvature).max()
