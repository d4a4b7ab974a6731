"""Points are brought back through a smooth map; one that folds is refused."""

import numpy as np
import pytest

from pipelines.numerics.inverse import invert_points


def bend(points):
    """Shift points by waves whose displacement changes by at most 0.4 per mm."""
    return points + 4 * np.sin(points[:, [1, 2, 0]] / 10)


def test_the_inverse_of_an_affine_is_that_of_its_matrix(rng):
    matrix = np.eye(3) + rng.normal(0, 0.05, (3, 3))
    points = rng.uniform(-80, 80, (200, 3))
    found = invert_points(lambda x: x @ matrix.T + 3, points, tolerance=1e-6)
    np.testing.assert_allclose(found, (points - 3) @ np.linalg.inv(matrix).T, atol=1e-5)


@pytest.mark.parametrize('tolerance', [1.0, 0.01, 1e-6])
def test_there_and_back(rng, tolerance):
    """What is returned is mapped to the given points within the tolerance; some lie far from their start."""
    points = rng.uniform(-80, 80, (500, 3))
    points.setflags(write=False)
    found = invert_points(bend, points, tolerance=tolerance)
    assert np.linalg.norm(bend(found) - points, axis=1).max() <= tolerance
    assert np.linalg.norm(found - points, axis=1).max() > 3


def test_no_points():
    assert invert_points(bend, np.empty((0, 3))).shape == (0, 3)


def test_a_map_that_folds_is_refused():
    with pytest.raises(ValueError, match=r'2 points have no inverse within 0.01 mm'):
        invert_points(lambda x: np.abs(x), np.array([[1.0, 1, 1], [-1, 0, 0], [0, -2, 0]]))
