"""Refinement by the border of white matter: planted shifts and turns of a folded brain."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pipelines.numerics.border import FITS, Border, align_border, border_cost, find_border
from pipelines.numerics.resample import apply_linear, grid_points, sample

FINE = np.array([[1.0, 0, 0, -60], [0, 1, 0, -60], [0, 0, 1, -50], [0, 0, 0, 1]])
SHAPE = (121, 121, 101)
COARSE = np.array([[3.0, 0, 0, -60], [0, 3, 0, -60], [0, 0, 3.5, -48], [0, 0, 0, 1]])
BOLD_SHAPE = (41, 41, 28)


def _level(points):
    """Depth in mm below a folded surface of about 40 mm radius, positive inside."""
    radius = np.linalg.norm(points * [1.0, 0.9, 1.15], axis=1)
    x, y, z = points.T / 7.0
    return 38 - radius + 4 * np.sin(x) * np.cos(y) + 3 * np.sin(y + 1) * np.cos(z)


@pytest.fixture(scope='module')
def tissues():
    """White and grey matter: a crust of 4 mm."""
    depth = _level(grid_points(SHAPE, FINE)).reshape(SHAPE)
    white = np.clip(depth - 4 + 0.5, 0, 1).astype(np.float32)
    return white, (np.clip(depth + 0.5, 0, 1) - white).astype(np.float32)


def _bold(tissues, matrix, white=0.85, fluid=1.1, rng=None):
    """Return BOLD (3 x 3 x 3.5 mm) of that brain; ``matrix`` takes its points to points of the BOLD; fluid around it."""
    image = white * tissues[0] + tissues[1] + fluid * (1 - tissues[0] - tissues[1])
    # mean over a voxel
    inner = grid_points((3, 3, 3), np.diag([1.0, 1, 1.2, 1])) - [1, 1, 1.2]
    where = apply_linear(np.linalg.inv(matrix), grid_points(BOLD_SHAPE, COARSE))
    turned = inner @ np.linalg.inv(matrix)[:3, :3].T
    values = np.mean([sample(image, FINE, where + step) for step in turned], axis=0).reshape(BOLD_SHAPE)
    noise = 0 if rng is None else 0.03 * rng.standard_normal(BOLD_SHAPE)
    return (1000 * np.clip(values + noise, 0, None)).astype(np.float32)


def _moved(shift, turn):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler('xyz', turn, degrees=True).as_matrix()
    matrix[:3, 3] = shift
    return matrix


def _farthest(found, planted):
    """Largest distance in mm between two transforms over the brain."""
    points = grid_points((3, 3, 3), np.diag([40.0, 40, 40, 1])) - 40
    return np.linalg.norm(apply_linear(found, points) - apply_linear(planted, points), axis=1).max()


@pytest.mark.parametrize(
    ('shift', 'turn'),
    [((0.0, 0, 0), (0, 0, 0)), ((1.0, -2.0, 4.0), (2, 0, 0)), ((-4.0, 3.0, -5.0), (-1, 2, 1.5))],
)
def test_planted_shift_and_turn_are_found(tissues, shift, turn):
    """Noise of 3 % and voxels of 3 mm leave 0.7 mm in the corners, 70 mm from the middle."""
    planted = _moved(shift, turn)
    bold = _bold(tissues, planted, rng=np.random.default_rng(4))
    fitted = align_border(find_border(*tissues, FINE), bold, COARSE, np.eye(4))
    assert fitted.told.is_moved
    assert fitted.told.cost < 0.4
    assert (
        abs(fitted.told.shift - np.linalg.norm(shift)) < 1.5
    )  # of the middle, which a turn about zero moves too
    assert _farthest(fitted.matrix, planted) < 0.7


def test_few_points_find_it_as_well(tissues):
    planted = _moved((2.0, 0, 3.0), (1, 0, 0))
    bold = _bold(tissues, planted)
    some = find_border(*tissues, FINE, 1500)
    assert 1000 < len(some.white) <= 1500
    assert _farthest(align_border(some, bold, COARSE, np.eye(4)).matrix, planted) < 0.8


def test_sides_of_the_border(tissues):
    """Pairs lie 4 mm apart across the border, white matter deeper than 4 mm, grey matter above it."""
    found = find_border(*tissues, FINE)
    assert len(found.white) > 5000
    np.testing.assert_allclose(np.linalg.norm(found.white - found.grey, axis=1), 4, atol=1e-9)
    assert (_level(found.white) > 4).mean() > 0.99
    assert (_level(found.grey) < 4).mean() > 0.99
    # the level is no exact distance: its gradient is 0.5 to 1.7
    assert abs(np.median(_level((found.white + found.grey) / 2)) - 4) < 0.3


@pytest.mark.parametrize(('white', 'grey'), [(0.8, 1.0), (1.0, 1.0), (1.0, 0.9)])
def test_cost_is_that_of_the_contrast(white, grey):
    """Closed form: a constant on either side."""
    volume = np.full((8, 8, 8), white, np.float32)
    volume[:, :, 4:] = grey
    points = np.array([[3.0, 3, 2], [4.0, 4, 2]])
    border = Border(points, points + [0, 0, 4])
    contrast = 200 * (grey - white) / (grey + white)
    found = border_cost(border, volume, np.eye(4), np.eye(4))
    np.testing.assert_allclose(found, 1 - np.tanh(contrast / 10), atol=1e-5)


def test_points_that_see_nothing_count_as_one(tissues):
    """Neither leaving the field of view nor signal lost to air is a gain."""
    volume = np.ones((8, 8, 8), np.float32)
    volume[:, :, 4:] = 1.5
    volume[4:] = 0.01
    border = Border(
        np.array([[1.0, 3, 2], [6.0, 3, 2], [99.0, 3, 2]]), np.array([[1.0, 3, 6], [6.0, 3, 6], [99.0, 3, 6]])
    )
    np.testing.assert_allclose(
        border_cost(border, volume, np.eye(4), np.eye(4)), (1 - np.tanh(4) + 1 + 1) / 3, atol=1e-5
    )
    assert border_cost(border, volume, np.eye(4), _moved((500.0, 0, 0), (0, 0, 0))) == 1


@pytest.mark.parametrize(('white', 'fluid'), [(1.0, 1.0), (1.2, 0.5)])
def test_start_is_kept_where_no_border_fits(tissues, white, fluid):
    """Without contrast, or where white matter is the brighter one, as after a single excitation."""
    start = _moved((1.0, 2, -1), (1, 0, 0))
    bold = _bold(
        tissues, _moved((3.0, 0, 0), (0, 0, 0)), white=white, fluid=fluid, rng=np.random.default_rng(1)
    )
    fitted = align_border(find_border(*tissues, FINE), bold, COARSE, start)
    assert not fitted.told.is_moved
    assert fitted.told.cost > FITS
    np.testing.assert_array_equal(fitted.matrix, start)


def test_a_brain_without_white_matter_has_no_border():
    nothing = np.zeros((12, 12, 12), np.float32)
    found = find_border(nothing, nothing, np.eye(4))
    assert len(found.white) == 0
    fitted = align_border(found, nothing, np.eye(4), np.eye(4))
    assert np.isnan(fitted.told.cost)
    assert not fitted.told.is_moved
