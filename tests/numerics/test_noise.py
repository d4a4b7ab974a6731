"""Noise is told from signal: more of it goes than stays, and what DIPY's patches leave is left here."""

import numpy as np
import pytest
from dipy.denoise.localpca import mppca

from pipelines.numerics import noise
from pipelines.numerics.resample import grid_points
from pipelines.simulated.diffusion import gradient_table
from tests.numerics.test_dwi import head_signal

SHAPE = (14, 14, 10)


@pytest.fixture(scope='module')
def scan():
    """Two tissues, 30 directions: few components carry signal, the others are noise; with and without it."""
    b, g = gradient_table(30, (1000.0,), n_b0=3)
    points = grid_points(SHAPE, np.diag([3.0, 3, 3, 1])) - 20
    clean = head_signal(points, b, g).reshape(*SHAPE, 33)
    noisy = (clean + np.random.default_rng(3).normal(0, 25, clean.shape)).astype(np.float32)
    noisy.setflags(write=False)
    return clean, noisy


def inner():
    inside = np.zeros(SHAPE, bool)
    inside[5:-2, 2:-2, 2:-2] = True
    return inside


def error_of(data, clean):
    return np.sqrt(np.mean((data - clean)[inner()] ** 2))


def test_denoising_brings_the_data_closer_to_the_truth(scan):
    clean, noisy = scan
    mask = np.ones(SHAPE, bool)
    mask[:3] = False
    found = noise.denoise(noisy, mask)
    assert error_of(found, clean) < 0.7 * error_of(noisy, clean)
    np.testing.assert_array_equal(found[0], noisy[0])  # beyond the margin nothing changes


def test_fewer_patches_do_nearly_as_well_as_all_of_dipy(scan):
    clean, noisy = scan
    theirs = mppca(noisy, patch_radius=2, suppress_warning=True)
    ours = noise.denoise(noisy, np.ones(SHAPE, bool))
    assert error_of(ours, clean) < 1.1 * error_of(theirs, clean)
    assert error_of(ours, theirs) < 0.4 * error_of(noisy, theirs)


def test_more_volumes_than_voxels_of_a_patch(rng):
    noisy = rng.normal(100, 5, (7, 7, 7, 140)).astype(np.float32)
    found = noise.denoise(noisy, np.ones((7, 7, 7), bool))
    assert np.std(found) < 0.5 * np.std(noisy)


def test_a_scan_thinner_than_a_patch_stays_as_it_is(rng):
    noisy = rng.normal(100, 5, (9, 9, 3, 20)).astype(np.float32)
    np.testing.assert_array_equal(noise.denoise(noisy, np.ones((9, 9, 3), bool)), noisy)


def test_without_noise_nothing_changes():
    clean = np.tile(np.arange(1, 9.0), (8, 8, 8, 1)).astype(np.float32)
    np.testing.assert_allclose(noise.denoise(clean, np.ones((8, 8, 8), bool)), clean, rtol=1e-5)
