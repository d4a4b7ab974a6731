"""Maps of phase and field: scales, turns, and what is carried on to where nothing was measured."""

import numpy as np
import pytest
from scipy import ndimage

from pipelines.numerics.field_map import extend_field, field_of_phase, to_radians, wrap

SHAPE = (24, 26, 20)
ECHOES = 0.00246  # s


@pytest.fixture(scope='module')
def true():
    """Return a field in Hz that turns several times, and a ball."""
    x, y, z = np.indices(SHAPE) - 12.0
    hertz = 900 * np.exp(-(x**2 + (y - 6) ** 2 + (z + 4) ** 2) / 60) - 15 * x + 4 * z
    return hertz, x**2 + y**2 + z**2 < 81


SCALES = {
    'radians': lambda p: p,
    '0 to 2 pi': lambda p: p % (2 * np.pi),
    '0 to 4095': lambda p: np.floor((p + np.pi) / (2 * np.pi) * 4096),
    '-4096 to 4094': lambda p: 2 * np.floor(p / np.pi * 2048),
    'milliradians': lambda p: np.round(1000 * p),
}


@pytest.mark.parametrize('scale', SCALES.values(), ids=SCALES)
def test_every_scale_gives_the_same_angle(scale):
    """To its own step: at most 1 / 652 of a turn."""
    phase = np.random.default_rng(1).uniform(-np.pi, np.pi, SHAPE)
    error = np.angle(np.exp(1j * (to_radians(scale(phase)) - phase)))
    error -= np.median(error)  # 0 to 4095 and 0 to 2 pi begin elsewhere; a constant phase is no field
    assert np.abs(error).max() < 2 * np.pi / 650


@pytest.mark.parametrize(
    'values',
    [(-2048, 2047), (0, 1000), (0, 65535), (-8192, 8191), (-2000, 2000), (-180, 180), (5, 5), (0, np.nan)],
)
def test_other_ranges_are_refused(values):
    with pytest.raises(ValueError, match='lie between'):
        to_radians(np.linspace(*values, 60).reshape(3, 4, 5))


def test_phase_is_unwrapped(true):
    """Noise-free phase comes back exactly, whatever a whole turn more."""
    hertz, ball = true
    turns = np.round(np.median(hertz[ball]) * ECHOES) / ECHOES
    found = field_of_phase(wrap(2 * np.pi * hertz * ECHOES), ball, ECHOES)
    assert np.ptp(hertz[ball]) * ECHOES > 2
    np.testing.assert_allclose(found[ball], (hertz - turns)[ball], atol=1e-2)


def test_whole_turns_of_the_brain_are_taken_off(true):
    hertz, ball = true
    calm = hertz / 20
    found = field_of_phase(wrap(2 * np.pi * (calm + 3 / ECHOES) * ECHOES), ball, ECHOES)
    np.testing.assert_allclose(found[ball], calm[ball], atol=1e-1)


def test_only_the_largest_piece_is_unwrapped(true):
    hertz, ball = true
    two = ball.copy()
    two[0, 0, :2] = True
    found = field_of_phase(wrap(2 * np.pi * hertz * ECHOES), two, ECHOES)
    assert found[0, 0, 0] == 0
    np.testing.assert_array_equal(found, field_of_phase(wrap(2 * np.pi * hertz * ECHOES), ball, ECHOES))


def test_noise_is_smoothed_and_trusted_voxels_stay():
    """A plane survives; noise falls where the weight is that of most voxels and not where it is a hundredfold."""
    rng = np.random.default_rng(2)
    x = np.indices(SHAPE)[0] * 3.0
    affine = np.diag([3.0, 3, 3, 1])
    noisy = x + rng.normal(0, 5, SHAPE)
    weights = np.ones(SHAPE)
    weights[:, :4] = 100
    found = extend_field(noisy, weights, affine)
    inner = (slice(4, -4), slice(8, -4), slice(4, -4))
    assert (found - x)[inner].std() < 0.6 * 5
    np.testing.assert_allclose(found[:, 0], noisy[:, 0], atol=0.5)


def test_a_hole_is_filled_by_the_harmonic_function():
    """Where nothing was measured the field satisfies the equation of a membrane, which x y z does as well."""
    x, y, z = np.indices((18, 18, 18)) - 8.5
    true = x * y + y * z
    known = np.maximum(np.maximum(abs(x), abs(y)), abs(z)) > 3
    found = extend_field(true * known, 1.0 * known, np.eye(4), smooth=0.3)
    inner = (slice(4, -4),) * 3  # what lies beyond the grid bends the field at its edge
    np.testing.assert_allclose(found[inner], true[inner], atol=0.05)
    assert not known[9, 9, 9]
    residual = ndimage.laplace(found.astype(float))[~known]
    assert np.abs(residual).max() < 0.05


def test_refuses_what_shows_nothing():
    blank = np.zeros(SHAPE)
    with pytest.raises(ValueError, match='nothing of the field'):
        extend_field(blank, blank, np.eye(4))
    with pytest.raises(ValueError, match='mask is empty'):
        field_of_phase(blank, blank > 0, ECHOES)
    with pytest.raises(ValueError, match='echo times'):
        field_of_phase(blank, blank == 0, 0.0)
