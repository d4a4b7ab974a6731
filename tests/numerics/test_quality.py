"""Quality of a scan: against brute force and known noise."""

import numpy as np
import pytest

from pipelines.numerics.quality import global_correlation, repeated_snr, temporal_snr


@pytest.mark.parametrize('block', [3, 4096])
def test_global_correlation_is_the_mean_of_the_whole_matrix(rng, block):
    """Float32 sums of 40 columns: 1e-6."""
    series = (rng.normal(size=(30, 1)) + rng.normal(size=(30, 40)) + 1000).astype(np.float32)
    series.setflags(write=False)
    assert global_correlation(series, block) == pytest.approx(np.corrcoef(series.T).mean(), abs=1e-5)


def test_constant_voxels_correlate_with_none(rng):
    series = rng.normal(size=(30, 4))
    more = np.hstack([series, np.full((30, 4), 7.0)])
    assert global_correlation(more) == pytest.approx(global_correlation(series) / 4)
    assert np.isnan(global_correlation(np.empty((5, 0))))


def test_temporal_snr_is_of_voxels_that_vary():
    assert temporal_snr(np.array([100.0, 60, 30]), np.array([2.0, 2, 0])) == 40
    assert np.isnan(temporal_snr(np.ones(3), np.zeros(3)))


@pytest.mark.parametrize('count', [2, 3, 8])
def test_snr_of_repeated_volumes_is_that_of_their_noise(rng, count):
    """20,000 voxels: the median is within 2 %."""
    volumes = 500 + rng.normal(0, 20, (count, 20_000))
    assert repeated_snr(volumes) == pytest.approx(25, rel=0.02)


def test_a_single_volume_has_no_noise():
    assert np.isnan(repeated_snr(np.ones((1, 5))))
    assert np.isnan(repeated_snr(np.ones((3, 5))))
    assert np.isnan(repeated_snr(np.empty((3, 0))))
