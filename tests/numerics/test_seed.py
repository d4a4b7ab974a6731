"""Correlation and Fisher z against numpy and against sampling."""

import numpy as np
import pytest

from pipelines.numerics.seed import average_fisher_z, fisher_z, fisher_z_se, seed_correlation, unit_columns


def test_equals_corrcoef(rng):
    series, seeds = rng.standard_normal((60, 12)), rng.standard_normal((60, 3))
    series.setflags(write=False)
    expected = np.corrcoef(series.T, seeds.T)[12:, :12]
    np.testing.assert_allclose(seed_correlation(series, seeds), expected, atol=1e-12)


def test_constant_voxel_is_zero_not_nan(rng):
    series = rng.standard_normal((30, 2))
    series[:, 0] = 4.0
    assert seed_correlation(series, series[:, 1:])[0].tolist() == pytest.approx([0, 1])


def test_float32_with_large_mean(rng):
    """float32 data on a mean of 1e4: only the storage rounding of the data may remain."""
    base = rng.standard_normal((200, 5))
    stored = (1e4 + base).astype(np.float32)
    expected = np.corrcoef(stored.astype(float).T)[0]
    np.testing.assert_allclose(seed_correlation(stored, stored[:, :1])[0], expected, atol=2e-6)


def test_unit_columns_keep_dtype(rng):
    assert unit_columns(rng.standard_normal((5, 2)).astype(np.float32)).dtype == np.float32


def test_fisher_z_is_finite_at_one():
    assert np.isfinite(fisher_z(np.array([-1.0, 1.0]))).all()
    np.testing.assert_allclose(fisher_z(np.array([0.5])), 0.5 * np.log(3))


def test_standard_error_matches_sampling(rng):
    """SD of z over 5,000 null pairs after removing the mean (nu = T - 1); 3 SE of an SD = 3 %."""
    x, y = rng.standard_normal((2, 43, 5000))
    z = fisher_z(np.einsum('tn,tn->n', unit_columns(x), unit_columns(y)))
    assert z.std() / fisher_z_se(42) == pytest.approx(1, abs=0.03)
    assert fisher_z_se(2) == np.inf


def test_average_weights_runs_by_information():
    mean = average_fisher_z(np.array([[0.2, 0.0], [0.5, 1.0]]), np.array([12, 22]))
    np.testing.assert_allclose(mean.z, [0.4, 2 / 3])
    assert mean.se == pytest.approx(1 / np.sqrt(30))
    with pytest.raises(ValueError, match='more than 2'):
        average_fisher_z(np.zeros(2), np.array([2, 30]))
