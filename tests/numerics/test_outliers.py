"""ART's rules for volumes to leave out, on motions and signals with a known answer."""

import numpy as np
import pytest

from pipelines.numerics.outliers import composite_motion, jumps, signal_change

POINTS = np.array([[70, 0, 0], [-70, 0, 0], [0, 70, 0], [0, -110, 0], [0, 0, 75], [0, 0, -45]])
STILL = np.zeros((200, 3))


def test_composite_motion_of_a_rotation():
    """Rotation by a about z moves the back of the head (110 mm away) by 2 * 110 * sin(a/2)."""
    rotation = np.array([[0, 0, 0], [0, 0, 0.01]])
    expected = 2 * 110 * np.sin(0.005)
    assert composite_motion(np.zeros((2, 3)), rotation)[1] == pytest.approx(expected, rel=1e-12)


def test_a_nod_moves_the_crown_and_the_back_unlike_the_chin():
    """About x the back (110 mm) moves most; a box around the head would say 90."""
    rotation = np.array([[0, 0, 0], [0.01, 0, 0]])
    assert composite_motion(np.zeros((2, 3)), rotation)[1] == pytest.approx(220 * np.sin(0.005), rel=1e-12)


def test_composite_motion_of_small_steps_adds_up(rng):
    """To first order the shift of a point p is t + r x p; the error is of second order in r."""
    translations, rotations = 0.1 * rng.standard_normal((50, 3)), 0.001 * rng.standard_normal((50, 3))
    for array in (translations, rotations):
        array.setflags(write=False)
    steps = np.diff(translations, axis=0)[:, None] + np.cross(np.diff(rotations, axis=0)[:, None], POINTS)
    expected = np.linalg.norm(steps, axis=2).max(axis=1)
    np.testing.assert_allclose(composite_motion(translations, rotations)[1:], expected, atol=2e-3)


def test_still_head_does_not_move():
    still = np.full((5, 3), 0.3)
    np.testing.assert_array_equal(composite_motion(still, still), 0)


def test_change_is_measured_by_median_and_quartiles(rng):
    """Against the definition, written out: the change of the first volume is 0 and counts; Hazen's quartiles."""
    signal = 1000 + rng.standard_normal(201).cumsum()
    signal.setflags(write=False)
    change = sorted([0.0, *(signal[1:] - signal[:-1])])
    position = [0.25 * 201 + 0.5 - 1, 0.75 * 201 + 0.5 - 1]  # Hazen: p n + 1/2, counted from 1
    low, high = (change[int(p)] + (p - int(p)) * (change[int(p) + 1] - change[int(p)]) for p in position)
    expected = (np.diff(signal, prepend=signal[0]) - change[100]) / (0.7413 * (high - low))
    np.testing.assert_allclose(signal_change(signal), expected, rtol=1e-12)


def test_many_jumps_do_not_hide_each_other(rng):
    """By mean and SD of the change, 20 jumps of 12 SD make an SD of 3.9 and none exceeds 5 of them."""
    signal = rng.standard_normal(200) * 0.5
    signal += np.where((np.arange(200) // 10) % 2, 12.0, 0.0)
    moved, changed = jumps(STILL, STILL, signal, np.ones(200, bool))
    expected = {n for jump in range(10, 200, 10) for n in (jump - 1, jump)}
    assert set(np.flatnonzero(changed)) == expected
    assert not moved.any()


def test_a_jump_leaves_out_the_volumes_on_both_sides(rng):
    shifted = STILL.copy()
    shifted[100:, 1] = 2.0
    shifted[150:, 1] += 0.89
    moved, changed = jumps(shifted, STILL, rng.standard_normal(200), np.ones(200, bool))
    assert np.flatnonzero(moved).tolist() == [99, 100]
    assert not changed.any()


def test_a_constant_signal_has_no_jump():
    assert not signal_change(np.ones(10)).any()


def test_dummy_volumes_take_no_part(rng):
    """The bright first volumes are as if they had not been recorded, and the step behind them is none."""
    signal, shifted = rng.standard_normal(200), STILL.copy()
    shifted[:2] = 5.0
    signal[:2] += 3000
    steady = np.arange(200) >= 2
    moved, changed = jumps(shifted, STILL, signal, steady)
    assert not moved.any()
    assert not changed.any()
    alone = jumps(shifted[2:], STILL[2:], signal[2:], steady[2:])
    np.testing.assert_array_equal(alone, [moved[2:], changed[2:]])


def test_nothing_steady_is_nothing_left_out():
    assert not np.any(jumps(STILL, STILL, np.ones(200), np.zeros(200, bool)))
