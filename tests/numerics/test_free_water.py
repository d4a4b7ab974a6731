"""Anisotropy of tissue beside free water: of simulated partial volume, and where it cannot be told."""

import warnings

import numpy as np
import pytest
from dipy.reconst.dti import fractional_anisotropy

from pipelines.numerics.free_water import WATER, free_water, water_volumes
from pipelines.numerics.gradients import Gradients
from pipelines.numerics.tensor import fit_tensor

EVALS = np.array([1.6e-3, 0.4e-3, 0.3e-3])
TRUTH = float(fractional_anisotropy(EVALS))


def directions(n):
    """Return n directions spread over the sphere along a spiral."""
    number = np.arange(n) + 0.5
    z, turn = 1 - 2 * number / n, np.pi * (1 + 5**0.5) * number
    return np.column_stack([np.sqrt(1 - z**2) * np.cos(turn), np.sqrt(1 - z**2) * np.sin(turn), z])


def table_of(*shells, n=32):
    bvals = np.concatenate([np.zeros(4), *(np.full(n, b) for b in shells)])
    bvecs = np.vstack([np.zeros((4, 3)), *(directions(n) for _ in shells)])
    return Gradients(bvals, bvecs, bvecs)


def signals_of(table, fraction, n, rng, snr=30):
    """Return signals (n, T) of a tensor with a share of free water, and Rician noise."""
    tissue = np.exp(-table.bvals * (np.square(table.bvecs) @ EVALS))
    signal = 1000 * ((1 - fraction) * tissue + fraction * np.exp(-table.bvals * WATER))
    real, imaginary = rng.normal(0, 1000 / snr, (2, n, len(signal)))
    return np.hypot(signal + real, imaginary).astype(np.float32)


@pytest.fixture(autouse=True)
def quiet():
    """DIPY names arguments that move."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        yield


@pytest.mark.parametrize('fraction', [0.1, 0.3, 0.5])
def test_the_error_is_at_most_half_of_that_of_fa(rng, fraction):
    """SNR 30, shells of 500 and 1,500; medians over 60 voxels."""
    table = table_of(500, 1500)
    signals = signals_of(table, fraction, 60, rng)
    found, plain = free_water(signals, table), fit_tensor(signals, table).fa
    errors = [np.median(np.abs(fa - TRUTH)) for fa in (found.fa, plain)]
    assert errors[0] <= errors[1] / 2
    assert np.median(found.fraction) == pytest.approx(fraction, abs=0.03)


def test_without_noise_it_is_exact():
    """The fit stops at steps of 1e-8 of its squares: 1e-3 of FA."""
    table = table_of(700, 1400)
    signals = signals_of(table, 0.4, 1, np.random.default_rng(0), snr=1e9)
    found = free_water(signals, table)
    assert found.fa[0] == pytest.approx(TRUTH, abs=1e-3)
    assert found.fraction[0] == pytest.approx(0.4, abs=1e-3)


def test_mostly_water_has_no_anisotropy(rng):
    table = table_of(500, 1500)
    found = free_water(signals_of(table, 0.9, 8, rng, snr=60), table)
    assert np.isnan(found.fa).all()
    assert (found.fraction > 0.7).all()


@pytest.mark.parametrize('shells', [(1000,), (1000, 3000), (2000, 3000)])
def test_one_low_shell_does_not_suffice(shells):
    table = table_of(*shells)
    assert water_volumes(table) is None
    assert free_water(np.ones((2, len(table.bvals)), np.float32), table) is None


def test_higher_shells_are_left_out(rng):
    """A shell of 3,000 changes nothing: the same volumes are fitted."""
    low, high = table_of(500, 1500), table_of(500, 1500, 3000)
    signals = signals_of(high, 0.3, 3, rng)
    used = water_volumes(high)
    assert used.sum() == len(low.bvals)
    np.testing.assert_array_equal(free_water(signals, high).fa, free_water(signals[:, used], low).fa)


def test_few_directions_of_a_shell_do_not_suffice():
    table = table_of(500, 1500)
    few = table.subset(np.r_[0:4, 4:9, 36:68])
    assert water_volumes(few) is None


def test_no_voxel():
    table = table_of(500, 1500)
    assert free_water(np.empty((0, len(table.bvals)), np.float32), table).fa.shape == (0,)
