"""Displacement by a map of the field, or by an EPI of reverse encoding, against formulas and a planted field."""

import numpy as np
import pytest
from scipy import ndimage

from pipelines.numerics.displacement import Encoded, encoded, place_field, place_reverse, shift_of_field
from pipelines.simulated.distortion import displace
from tests.distorted import SPACING, make_head, seen

OPTIONS = {'rng_seed': 1, 'sloppy': True}
VOXEL = 4.0


@pytest.fixture(scope='module')
def head():
    return make_head(VOXEL)


@pytest.mark.parametrize(
    ('direction', 'found'),
    [('i', (0, 1)), ('i-', (0, -1)), ('j', (1, 1)), ('j-', (1, -1)), ('k', (2, 1)), ('k-', (2, -1))],
)
def test_direction_as_bids_writes_it(direction, found):
    assert encoded(direction, 0.05) == Encoded(*found, 0.05)


@pytest.mark.parametrize('axis', [0, 1, 2])
def test_a_line_is_read_in_echo_spacing_times_number_of_lines(axis):
    """Not in BIDS' readout time, which is one spacing less."""
    field = np.full((5, 9, 33), 20.0)
    n = field.shape[axis]
    shift = shift_of_field(field, Encoded(axis, -1, SPACING * (n - 1)))
    np.testing.assert_allclose(shift, -20.0 * SPACING * n, rtol=1e-6)


def test_a_scan_that_reaches_beyond_the_map_is_displaced_as_its_edge(head):
    """The map ends 12 mm below the top of the head; there the field is that of its outermost slice."""
    cut = slice(None, -3)
    image = seen(head.epi, head.hertz, 1, np.random.default_rng(1))
    field = head.hertz[..., cut]
    encoding = Encoded(1, 1, head.readout_time)
    maps = (field, head.affine), head.t1w[..., cut]
    placed = place_field(*maps, (image, head.affine), encoding, **OPTIONS)
    planted = head.displaced_mm() / VOXEL
    beyond = head.brain[..., -3:]
    assert np.abs(placed.shift[..., -3:] - planted[..., [-4]])[beyond].max(initial=0) < 0.2
    error = np.abs(placed.shift - planted)[head.brain] * VOXEL
    assert np.percentile(error, 95) < 0.5


def test_a_reverse_image_of_another_readout(head):
    """The second image is displaced half as far; the truth is that of the first."""
    rng = np.random.default_rng(2)
    first = seen(head.epi, head.hertz, 1, rng)
    second = seen(head.epi, head.hertz, -1, rng, spacing=SPACING / 2)
    planted = head.displaced_mm() / VOXEL
    errors = {}
    for ratio in (0.5, 1.0):
        placed = place_reverse(
            (first, head.affine), (second, head.affine), head.brain, 1, ratio=ratio, **OPTIONS
        )
        errors[ratio] = float(np.percentile(np.abs(placed.shift - planted)[head.brain] * VOXEL, 95))
    assert errors[0.5] < 0.5
    assert errors[0.5] < errors[1.0]


def test_the_true_inverse_of_a_push_is_the_displacement():
    """A smooth line pushed by the simulator lies where the displacement says, to an eighth of a voxel."""
    y = np.arange(64.0)
    line = np.exp(-((y - 30) ** 2) / 18)[None, :, None]
    pushed = displace(line, np.full(line.shape, 2.5), 1)
    centre = float(ndimage.center_of_mass(pushed)[1])
    assert abs(centre - 32.5) < 0.125
    np.testing.assert_allclose(pushed.sum(), line.sum(), rtol=1e-5)
