"""ALFF and fALFF against brute force, scipy's spectra and laws."""

import numpy as np
import pytest
from scipy import signal

from pipelines.numerics import clean
from pipelines.numerics.amplitude import fluctuation_amplitudes, frequencies, harmonics

T, N, T_R = 120, 40, 2.0
BAND = (0.008, 0.09)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def cleaned(rng, kept=None, n_confounds=6):
    """Return an operator without a band, and random series in its coordinates."""
    kept = np.ones(T, bool) if kept is None else kept
    model = np.column_stack([clean.trend(T), rng.standard_normal((T, n_confounds))])
    operator = clean.projection(model, kept)
    series = rng.standard_normal((T, N)).cumsum(axis=0) * 0.3 + rng.standard_normal((T, N))
    reduced = operator.reduce @ series
    for array in (reduced, operator.expand, kept):
        array.setflags(write=False)
    return operator, reduced, kept, operator.expand @ reduced


def brute_force(series, kept, t_r, band):
    """Fit sine and cosine of every frequency by least squares, a voxel at a time."""
    times = t_r * np.flatnonzero(kept)
    known = [
        k / (len(kept) * t_r)
        for k in range(1, len(kept))
        if k / (len(kept) * t_r) <= min(0.25, 0.5 / t_r) + 1e-12
    ]
    amplitude = np.zeros((len(known), series.shape[1]))
    for row, frequency in enumerate(known):
        wave = np.column_stack([np.sin(2 * np.pi * frequency * times), np.cos(2 * np.pi * frequency * times)])
        for voxel in range(series.shape[1]):
            fit = wave @ np.linalg.lstsq(wave, series[:, voxel], rcond=1e-8)[0]
            amplitude[row, voxel] = np.sqrt(np.mean(fit**2))
    inside = [band[0] <= f <= band[1] for f in known]
    return amplitude[inside].mean(axis=0), amplitude[inside].sum(axis=0) / amplitude.sum(axis=0)


@pytest.mark.parametrize('lost', [0, 1, 30])
def test_equals_brute_force(lost, rng):
    kept = np.ones(T, bool)
    kept[rng.choice(T, lost, replace=False)] = False
    operator, reduced, kept, series = cleaned(rng, kept)
    found = fluctuation_amplitudes(reduced, operator.expand, kept, T_R, BAND)
    alff, falff = brute_force(series, kept, T_R, BAND)
    np.testing.assert_allclose(found.alff, alff, rtol=1e-10)  # double precision
    np.testing.assert_allclose(found.falff, falff, rtol=1e-10)


def test_equals_the_power_spectrum_of_scipy(rng):
    operator, reduced, kept, series = cleaned(rng)
    known, power = signal.periodogram(series, 1 / T_R, detrend=False, scaling='spectrum', axis=0)
    amplitude = np.sqrt(power)
    inside = (known >= BAND[0]) & (known <= BAND[1])
    found = fluctuation_amplitudes(reduced, operator.expand, kept, T_R, BAND)
    np.testing.assert_allclose(found.alff, amplitude[inside].mean(axis=0), rtol=1e-10)
    shares = amplitude[inside].sum(axis=0) / amplitude[(known > 0) & (known <= 0.25)].sum(axis=0)
    np.testing.assert_allclose(found.falff, shares, rtol=1e-10)


def test_equals_the_lomb_scargle_periodogram_of_scipy_where_volumes_are_left_out(rng):
    kept = np.ones(T, bool)
    kept[[3, 4, 5, 60, 61, 90]] = False
    operator, reduced, kept, series = cleaned(rng, kept)
    times, known = T_R * np.flatnonzero(kept), frequencies(T, T_R)
    # scipy's power of the sine and cosine that fit best is half of their sum of squares
    power = np.array([signal.lombscargle(times, y, 2 * np.pi * known[:-1]) for y in series.T]).T
    amplitude = np.sqrt(2 * power / len(times))
    inside = (known[:-1] >= BAND[0]) & (known[:-1] <= BAND[1])
    found = fluctuation_amplitudes(reduced, operator.expand, kept, T_R, BAND)
    np.testing.assert_allclose(found.alff, amplitude[inside].mean(axis=0), rtol=1e-8)


def test_a_sine_has_its_amplitude_wherever_volumes_are_lost(rng):
    kept = np.ones(T, bool)
    kept[rng.choice(T, 20, replace=False)] = False
    times = T_R * np.arange(T)
    wave = (4 * np.sin(2 * np.pi * 0.05 * times + 0.7))[kept][:, None]
    found = fluctuation_amplitudes(wave, np.eye(len(wave)), kept, T_R, (0.05, 0.05))
    np.testing.assert_allclose(
        found.alff, 4 / np.sqrt(2), rtol=0.12
    )  # a random phase costs sqrt(1/T) of the mean


def test_white_noise_has_the_share_of_the_band(rng):
    noise = rng.standard_normal((400, 2000))
    found = fluctuation_amplitudes(noise, np.eye(400), np.ones(400, bool), 2.0, (0.01, 0.08))
    known = frequencies(400, 2.0)
    expected = ((known >= 0.01) & (known <= 0.08)).sum() / len(known)
    # 2,000 voxels of 56 frequencies each: the standard error is 2e-4
    assert found.falff.mean() == pytest.approx(expected, abs=1.5e-3)


def test_what_moves_outside_the_band_lowers_the_share_alone():
    times = T_R * np.arange(T)
    slow, fast = np.sin(2 * np.pi * 0.05 * times), np.sin(2 * np.pi * 0.2 * times)
    series = np.column_stack([slow, slow + fast, slow + 2 * fast])
    found = fluctuation_amplitudes(series, np.eye(T), np.ones(T, bool), T_R, BAND)
    np.testing.assert_allclose(found.alff, found.alff[0], rtol=1e-9)
    np.testing.assert_allclose(found.falff, [1, 1 / 2, 1 / 3], rtol=1e-9)


def test_scale_changes_one_and_not_the_other(rng):
    operator, reduced, kept, _ = cleaned(rng)
    once, twice = (fluctuation_amplitudes(f * reduced, operator.expand, kept, T_R, BAND) for f in (1, 2))
    np.testing.assert_allclose(twice.alff, 2 * once.alff)
    np.testing.assert_allclose(twice.falff, once.falff)


def test_a_voxel_that_does_not_move_has_nothing(rng):
    operator, reduced, kept, _ = cleaned(rng)
    still = np.where(np.arange(N) == 3, 0, reduced)
    found = fluctuation_amplitudes(still, operator.expand, kept, T_R, BAND)
    assert (found.alff[3], found.falff[3]) == (0, 0)
    assert np.all(found.falff[np.arange(N) != 3] > 0)


@pytest.mark.parametrize(('t_r', 'last'), [(0.5, 0.25), (2.0, 0.25), (3.0, 1 / 6)])
def test_frequencies_end_at_a_quarter_hertz_or_nyquist(t_r, last):
    known = frequencies(120, t_r)
    assert known[-1] == pytest.approx(last)
    assert known[0] == pytest.approx(1 / (120 * t_r))


def test_an_open_band_is_everything(rng):
    operator, reduced, kept, _ = cleaned(rng)
    found = fluctuation_amplitudes(reduced, operator.expand, kept, T_R, (0, 0))
    np.testing.assert_allclose(found.falff, 1)


def test_a_band_without_a_frequency_is_refused(rng):
    operator, reduced, kept, _ = cleaned(rng)
    with pytest.raises(
        ValueError, match=r'no frequency of 120 volumes at 2 s lies between 0.001 and 0.002 Hz'
    ):
        fluctuation_amplitudes(reduced, operator.expand, kept, T_R, (0.001, 0.002))


def test_sine_and_cosine_are_one_column_at_nyquist():
    times = T_R * np.arange(T)
    assert harmonics(times, 0.25).shape == (T, 1)
    assert harmonics(times, 0.2).shape == (T, 2)
