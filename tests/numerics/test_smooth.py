"""Smoothing against scipy's filter and its conservation laws."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from pipelines.numerics.smooth import gaussian_matrix, smooth_in_mask

ZOOMS = (2.0, 2.5, 3.0)


def test_equals_normalised_gaussian_filter(rng):
    """scipy's separable filter of data and mask; float32 products agree to 1e-5 of unit noise."""
    mask = rng.random((14, 15, 13)) > 0.3
    series = rng.standard_normal((3, mask.sum())).astype(np.float32)
    series.setflags(write=False)
    sigma = [6 / np.sqrt(8 * np.log(2)) / z for z in ZOOMS]
    weight = gaussian_filter(mask.astype(float), sigma, mode='constant')
    for values, got in zip(series, smooth_in_mask(series, mask, ZOOMS, 6.0)):
        volume = np.zeros(mask.shape)
        volume[mask] = values
        expected = (gaussian_filter(volume, sigma, mode='constant') / weight)[mask]
        np.testing.assert_allclose(got, expected, atol=1e-5)


def test_constant_stays_constant_to_the_edge(rng):
    mask = np.zeros((9, 9, 9), bool)
    mask[2:7, 1:8, 3:6] = True
    smoothed = smooth_in_mask(np.full((1, mask.sum()), 5.0), mask, ZOOMS, 8.0)
    np.testing.assert_allclose(smoothed, 5.0, rtol=1e-6)


def test_outside_never_leaks_in(rng):
    """Two blobs in one box: each is smoothed as if the other's gap held nothing."""
    mask = np.zeros((20, 5, 5), bool)
    mask[:6] = mask[14:] = True
    values = np.where(np.argwhere(mask)[:, 0] < 10, 1.0, 100.0)[None]
    smoothed = smooth_in_mask(values, mask, (2, 2, 2), 3.0)
    np.testing.assert_allclose(smoothed[0, values[0] == 1], 1.0, rtol=1e-6)


def test_zero_width_is_a_copy(rng):
    series = rng.standard_normal((2, 8)).astype(np.float32)
    result = smooth_in_mask(series, np.ones((2, 2, 2), bool), ZOOMS, 0)
    np.testing.assert_array_equal(result, series)
    assert result is not series


def test_kernel_has_the_width_asked_for():
    """FWHM of the kernel row, by its second moment: sigma within 0.5 % (cut at 4 sigma)."""
    row = gaussian_matrix(101, 3.0)[50].astype(float)
    variance = np.sum(row * (np.arange(101) - 50) ** 2) / row.sum()
    assert np.sqrt(variance) == pytest.approx(3.0, rel=5e-3)
