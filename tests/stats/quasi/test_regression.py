"""Negative binomial regressions against statsmodels, closed forms and brute force."""

from itertools import product

import numpy as np
import pytest
import statsmodels.api as sm

from pipelines.stats.bordered import Split, split_design
from pipelines.stats.quasi.regression import abundance, fit_means, residual_df, unit_deviance


@pytest.fixture
def problem(rng):
    """Counts of 20 genes in six pairs with two further columns."""
    design = np.hstack(
        [np.kron(np.eye(6), np.ones((2, 1))), np.tile([[0.0], [1]], (6, 1)), rng.normal(size=(12, 1))]
    )
    offset, dispersion = rng.normal(0, 0.3, 12), rng.uniform(0.02, 0.5, 20)
    mean = np.exp(offset + rng.uniform(1, 6, (20, 1)) + 0.4 * rng.normal(size=(20, 8)) @ design.T)
    y = rng.negative_binomial(1 / dispersion[:, None], 1 / (1 + mean * dispersion[:, None])).astype(float)
    return y, split_design(design), offset, dispersion


def test_means_and_deviance_are_those_of_statsmodels(problem):
    y, split, offset, dispersion = problem
    means = fit_means(y, split, offset, dispersion)
    design = np.hstack(split)
    for gene in range(20):
        if (y[gene] @ split.groups == 0).any():  # a mean of zero, which statsmodels only comes near
            continue
        family = sm.families.NegativeBinomial(alpha=dispersion[gene])
        model = sm.GLM(y[gene], design, family=family, offset=offset).fit(tol=1e-12, maxiter=200)
        np.testing.assert_allclose(means[gene], model.mu, rtol=1e-4, atol=1e-6)
        ours = unit_deviance(y[gene : gene + 1], means[gene : gene + 1], dispersion[gene : gene + 1]).sum()
        # both minimise it to 1e-9 of itself
        np.testing.assert_allclose(ours, model.deviance, rtol=1e-7)


def test_deviance_of_small_dispersions_is_poisson():
    y, mean = np.array([[0.0, 3, 50]]), np.array([[0.5, 4, 40]])
    poisson = 2 * np.where(y > 0, y * np.log(np.maximum(y, 1) / mean) - (y - mean), mean)
    np.testing.assert_allclose(unit_deviance(y, mean, np.array([1e-7])), poisson, rtol=1e-4)


def test_one_mean_of_equal_depths_is_the_mean(rng):
    y = rng.poisson(30, (5, 8)).astype(float)
    split = Split(np.ones((8, 1)), np.zeros((8, 0)))
    found = fit_means(y, split, np.zeros(8), np.full(5, 0.2))
    np.testing.assert_allclose(found, np.repeat(y.mean(axis=1, keepdims=True), 8, axis=1), rtol=1e-7)


def test_genes_are_fitted_alone(problem):
    y, split, offset, dispersion = problem
    whole = fit_means(y, split, offset, dispersion)
    np.testing.assert_allclose(fit_means(y[7:8], split, offset, dispersion[7:8]), whole[7:8], rtol=1e-9)


def test_means_that_only_zeros_speak_of_vanish():
    """All second samples are empty: their mean is followed to zero, and nothing overflows."""
    split = Split(np.kron(np.eye(4), np.ones((2, 1))), np.tile([[0.0], [1]], (4, 1)))
    y = np.tile([5.0, 0, 9, 0], 2)[None]
    means = fit_means(y, split, np.zeros(8), np.array([0.1]))
    np.testing.assert_allclose(means[0, ::2], y[0, ::2], rtol=1e-6)
    assert (means[0, 1::2] < 1e-4).all()
    # four samples are left, which four intercepts tell
    assert residual_df(y, means, split).tolist() == [0]


def test_all_patterns_of_zeros_leave_what_a_rank_says():
    """Every pattern of samples fitted as zero, against the rank of the rows that are left."""
    groups = np.kron(np.eye(3), np.ones((2, 1)))
    rest = np.column_stack([np.tile([0.0, 1], 3), [0, 1, 0, 0, 0, 0]])
    split, design = Split(groups, rest), np.hstack([groups, rest])
    zero = np.array(list(product([False, True], repeat=6)))
    means = np.where(zero, 0.0, 5.0)
    wanted = [(~row).sum() - (np.linalg.matrix_rank(design[~row]) if (~row).any() else 0) for row in zero]
    assert residual_df(means, means, split).tolist() == wanted


def test_level_of_equal_libraries_is_the_mean_of_reads():
    """With two reads more in each: log2 of reads per million of library and twice that."""
    y = np.array([[100.0, 100, 100], [999_900, 999_900, 999_900]])
    found = abundance(y, np.zeros(3), np.full(2, 0.1))
    np.testing.assert_allclose(found, np.log2((y[:, 0] + 2) / 1_000_004 * 1e6), rtol=1e-9)


def test_level_of_a_gene_without_reads_is_known():
    y = np.array([[0.0, 0], [1000, 3000]])
    found = abundance(y, np.log([1.0, 3.0]), np.full(2, 0.1))
    assert np.isfinite(found).all()
    assert found[0] < found[1]
