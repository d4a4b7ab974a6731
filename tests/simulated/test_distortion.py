"""What is planted of distortion: a field of cavities, signal that moves and stays, phase of echoes."""

import numpy as np
import pytest

from pipelines.simulated.distortion import cavity_field, displace, echoes

SHAPE = (12, 40, 10)


def test_the_field_falls_off_as_a_dipole():
    """Above a cavity and beside it: +2 and -1 times the cube of radius over distance; none within."""
    centre, radius = np.array([0.0, 55.0, -55.0]), 30.0
    far = 4000.0
    above, beside = (cavity_field(centre + far * np.array(way)) for way in ([0, 0, 1.0], [0, 1.0, 0]))
    assert above / beside == pytest.approx(-2, rel=0.05)
    assert cavity_field(centre + [0, 0, 2 * far]) / above == pytest.approx(1 / 8, rel=0.02)
    assert abs(cavity_field(centre)) < 0.1
    assert cavity_field(centre + [0, 0, radius + 1]) > 0.9


def test_left_and_right_are_alike():
    points = np.random.default_rng(1).uniform(-60, 60, (50, 3))
    np.testing.assert_allclose(cavity_field(points), cavity_field(points * [-1, 1, 1]))


@pytest.mark.parametrize('axis', [0, 1, 2])
def test_signal_is_moved_and_not_lost(axis):
    """A voxel far from the edges, by a whole number of voxels and by part of one."""
    volume = np.zeros(SHAPE)
    volume[6, 20, 5] = 3.0
    for shift in (2.0, -1.5, 0.25):
        seen = displace(volume, np.full(SHAPE, shift), axis)
        assert seen.sum() == pytest.approx(3.0, rel=1e-5)
        places = np.arange(SHAPE[axis])
        others = tuple(k for k in range(3) if k != axis)
        centre = (seen.sum(axis=others) * places).sum() / 3.0
        assert centre == pytest.approx((6, 20, 5)[axis] + shift, abs=1e-4)


def test_signal_beyond_the_grid_is_lost():
    volume = np.zeros(SHAPE)
    volume[:, -2:] = 1.0
    assert displace(volume, np.full(SHAPE, 30.0), 1).sum() == 0


def test_phase_of_two_echoes_tells_the_field():
    """Their difference over 2 pi and the time between; noise of 1 % of the signal leaves 1 Hz."""
    rng = np.random.default_rng(2)
    hertz = np.broadcast_to(np.linspace(-60, 60, SHAPE[1])[None, :, None], SHAPE)
    (_, early), (magnitude, late) = echoes(np.ones(SHAPE), hertz, (0.005, 0.0075), 0.01, rng)
    found = np.angle(np.exp(1j * (late - early))) / (2 * np.pi * 0.0025)
    assert np.abs(found - hertz).std() < 1.5
    assert magnitude.mean() == pytest.approx(1, abs=0.01)
    assert early.std() > 0.1  # the coil has a phase of its own
