"""Intrinsic connectivity against the full correlation matrix and its laws under noise."""

import numpy as np
import pytest
from scipy.stats import norm

from pipelines.numerics.intrinsic import intrinsic_connectivity, noise_floor, normal_scores


def test_equals_brute_force(rng):
    series = rng.standard_normal((40, 90)) + rng.standard_normal((40, 1))
    series.setflags(write=False)
    expected = np.sqrt(np.mean(np.corrcoef(series.T) ** 2, axis=1))
    np.testing.assert_allclose(intrinsic_connectivity(series, 39, block=17).icc, expected, atol=1e-12)


def test_partners_only_enter_the_mean(rng):
    series = rng.standard_normal((40, 60))
    partners = rng.random(60) > 0.5
    expected = np.sqrt(np.mean(np.corrcoef(series.T)[:, partners] ** 2, axis=1))
    np.testing.assert_allclose(
        intrinsic_connectivity(series, 39, partners=partners).icc, expected, atol=1e-12
    )


def test_float32_agrees_to_1e_5(rng):
    series = (1000 + rng.standard_normal((120, 3000))).astype(np.float32)
    exact = intrinsic_connectivity(series.astype(float), 119).icc
    np.testing.assert_allclose(intrinsic_connectivity(series, 119).icc, exact, atol=1e-5)


def test_adjusted_is_the_mean_of_adjusted_squares(rng):
    series = rng.standard_normal((30, 50))
    r = np.corrcoef(series.T)
    expected = np.mean(1 - (1 - r**2) * 29 / 28, axis=1)
    np.testing.assert_allclose(intrinsic_connectivity(series, 29).icc_adjusted, expected, atol=1e-12)


def test_noise_sits_at_the_floor_and_adjusts_to_zero(rng):
    """3,000 independent voxels, nu = 79: E r^2 = 1/nu; the voxel's own r = 1 adds 1/3,000."""
    maps = intrinsic_connectivity(rng.standard_normal((80, 3000)), 79)
    assert np.sqrt(np.mean(maps.icc**2)) == pytest.approx(noise_floor(79), rel=0.02)
    assert np.mean(maps.icc_adjusted) == pytest.approx(1 / 3000, abs=2e-4)


def test_components_truncate_the_matrix(rng):
    """Keeping all components changes nothing; keeping k is the rank-k approximation."""
    series = rng.standard_normal((30, 80))
    full = intrinsic_connectivity(series, 29).icc
    np.testing.assert_allclose(intrinsic_connectivity(series, 29, n_components=30).icc, full, atol=1e-10)
    unit = series - series.mean(0)
    unit /= np.linalg.norm(unit, axis=0)
    u, s, vt = np.linalg.svd(unit, full_matrices=False)
    r_k = unit.T @ (u[:, :8] * s[:8]) @ vt[:8]
    expected = np.sqrt(np.mean(r_k**2, axis=1))
    np.testing.assert_allclose(intrinsic_connectivity(series, 29, n_components=8).icc, expected, atol=1e-10)


def test_normal_scores_are_normal_and_ordered(rng):
    values = rng.exponential(size=4001)
    scores = normal_scores(values)
    assert np.array_equal(np.argsort(scores), np.argsort(values))
    np.testing.assert_allclose(np.quantile(scores, [0.1, 0.9]), norm.ppf([0.1, 0.9]), atol=0.01)


def test_constant_voxel_has_no_connectivity(rng):
    series = rng.standard_normal((20, 5))
    series[:, 2] = 3
    assert intrinsic_connectivity(series, 19).icc[2] == 0
