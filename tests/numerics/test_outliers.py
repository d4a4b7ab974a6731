"""CONN's rules for volumes to leave out, on motions and signals with a known answer."""

import numpy as np
import pytest

from pipelines.numerics.outliers import composite_motion, is_signal_jump


def test_composite_motion_of_a_rotation():
    """Rotation by a about z moves the far face centre (90 mm) by 2 * 90 * sin(a/2)."""
    rotation = np.array([[0, 0, 0], [0, 0, 0.01]])
    expected = 2 * 90 * np.sin(0.005)
    assert composite_motion(np.zeros((2, 3)), rotation)[1] == pytest.approx(expected, rel=1e-12)


def test_composite_motion_of_small_steps_adds_up(rng):
    """To first order the shift of a point p is t + r x p; the error is of second order in r."""
    translations, rotations = 0.1 * rng.standard_normal((50, 3)), 0.001 * rng.standard_normal((50, 3))
    for array in (translations, rotations):
        array.setflags(write=False)
    points = np.concatenate([np.diag([70, 90, 57.5]), -np.diag([70, 90, 57.5])])
    steps = np.diff(translations, axis=0)[:, None] + np.cross(np.diff(rotations, axis=0)[:, None], points)
    expected = np.linalg.norm(steps, axis=2).max(axis=1)
    np.testing.assert_allclose(composite_motion(translations, rotations)[1:], expected, atol=2e-3)


def test_still_head_does_not_move():
    still = np.full((5, 3), 0.3)
    np.testing.assert_array_equal(composite_motion(still, still), 0)


def test_signal_jump_is_found(rng):
    signal = rng.standard_normal(200)
    signal[100:] += 60
    signal.setflags(write=False)
    assert np.flatnonzero(is_signal_jump(signal)).tolist() == [100]
    assert not is_signal_jump(np.ones(10)).any()


def test_dummy_volumes_neither_count_nor_hide_a_jump(rng):
    """The bright first volumes would raise the SD above any later jump."""
    signal = rng.standard_normal(200)
    signal[100:] += 12
    signal[:2] += 3000
    steady = np.arange(200) >= 2
    assert not is_signal_jump(signal)[100]
    assert np.flatnonzero(is_signal_jump(signal, steady)).tolist() == [100]
