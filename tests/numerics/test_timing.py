"""Slice timing against a signal known at every moment."""

import numpy as np
import pytest

from pipelines.numerics.timing import correct_slice_timing, reference_time, shift_slice

T_R, TIMES = 2.0, [0.0, 1.0, 0.5, 1.5]


def _signal(seconds):
    return 100 + np.sin(2 * np.pi * 0.05 * seconds) + 0.5 * np.cos(2 * np.pi * 0.11 * seconds)


def _acquire(axis, times, n_volumes=80):
    onsets = T_R * np.arange(n_volumes)
    series = np.stack([_signal(onsets + t) for t in times])
    shape = [3, 3, 3, n_volumes]
    shape[axis] = len(times)
    spread = [1, 1, 1, n_volumes]
    spread[axis] = len(times)
    return np.array(np.broadcast_to(series.reshape(spread), shape), dtype=np.float32)


@pytest.mark.parametrize(('direction', 'axis'), [('k', 2), ('k-', 2), ('j', 1), ('i-', 0)])
def test_every_slice_shows_the_common_time(direction, axis):
    """Quintic spline at a fifth of the Nyquist frequency: 1e-3 of the amplitude, ends aside."""
    times = TIMES[::-1] if direction.endswith('-') else TIMES
    series = correct_slice_timing(_acquire(axis, times), TIMES, T_R, direction=direction)
    expected = _signal(T_R * np.arange(80) + 0.75)
    np.testing.assert_allclose(
        series[..., 8:-8], np.broadcast_to(expected, series.shape)[..., 8:-8], atol=2e-3
    )


def test_leading_volumes_do_not_ring():
    """A bright first volume neither changes nor leaks into later ones."""
    clean = _acquire(2, TIMES)
    bright = clean.copy()
    bright[..., 0] = 1000
    done = correct_slice_timing(bright, TIMES, T_R, n_dummy=1)
    np.testing.assert_array_equal(done[..., 0], 1000)
    reference = correct_slice_timing(clean[..., 1:].copy(), TIMES, T_R)
    np.testing.assert_array_equal(done[..., 1:], reference)


def test_constant_stays_constant():
    series = np.full((2, 2, 4, 10), 7, np.float32)
    np.testing.assert_allclose(correct_slice_timing(series, TIMES, T_R), 7, rtol=1e-6)


@pytest.mark.parametrize('times', [[0, 1], [0, 1, 2, 3.0], [-1, 0, 1, 1]])
def test_refuses_times_that_do_not_fit(times):
    with pytest.raises(ValueError, match='slice times'):
        correct_slice_timing(np.zeros((2, 2, 4, 10), np.float32), times, T_R)


def test_middle_of_acquisition():
    assert reference_time(TIMES) == 0.75
    assert reference_time(TIMES, 0) == 0
    assert reference_time([0.2, 1.0], 1) == 1.0


def test_shift_keeps_input(rng):
    series = rng.standard_normal((2, 12)).astype(np.float32)
    series.setflags(write=False)
    np.testing.assert_allclose(shift_slice(series, 0.0), series, atol=1e-6)
