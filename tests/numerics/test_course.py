import numpy as np
import pytest

from pipelines.numerics.course import N_TERMS, VolumeCourse, eddy_basis, start_course
from pipelines.numerics.motion import rigid_matrix

CENTRE = np.array([3.0, -8, 12])
OBLIQUE = np.array([0.1, 0.98, -0.17]) / np.linalg.norm([0.1, 0.98, -0.17])


@pytest.fixture
def points(rng):
    return rng.uniform(-70, 70, (50, 3))


@pytest.fixture
def course(rng):
    matrices = np.array(
        [rigid_matrix(rng.uniform(-1, 1, 6) * [3, 3, 3, 0.05, 0.05, 0.05], CENTRE) for _ in range(3)]
    )
    return VolumeCourse(matrices, rng.uniform(-3, 3, (3, N_TERMS)), OBLIQUE, CENTRE)


def test_derivatives_of_the_terms_are_those_of_differences(points):
    step = 1e-3
    ends = [eddy_basis(points + sign * step * OBLIQUE, OBLIQUE)[0] for sign in (1, -1)]
    _, slopes = eddy_basis(points, OBLIQUE)
    assert slopes.shape == (N_TERMS, len(points))
    np.testing.assert_allclose(slopes, (ends[0] - ends[1]) / (2 * step), atol=1e-7)


def test_eddy_currents_move_along_the_axis_alone(course, points):
    still = course._replace(coefficients=np.zeros((3, N_TERMS)))
    for k in range(3):
        moved = course.places(k, points)[0] - still.places(k, points)[0]
        np.testing.assert_allclose(np.cross(moved, OBLIQUE), 0, atol=1e-9)
        assert np.abs(moved @ OBLIQUE).max() > 0.5
        np.testing.assert_array_equal(still.places(k, points)[1], 1)


def test_the_factor_is_how_much_space_grows_along_the_axis(course, points):
    """Two points that lie one behind the other are further apart by the factor."""
    at, factor = course.places(1, points)
    back = course.matrices[1, :3, :3].T @ OBLIQUE
    ahead, _ = course.places(1, points + 1e-3 * back)
    np.testing.assert_allclose((ahead - at) @ OBLIQUE / 1e-3, factor, atol=1e-5)


def test_origins_undo_places(course, points):
    for k in range(3):
        at, factor = course.places(k, points)
        home, again = course.origins(k, at)
        np.testing.assert_allclose(home, points, atol=2e-3)
        np.testing.assert_allclose(again, factor, atol=1e-4)


@pytest.mark.parametrize(('axis', 'direction'), [(0, [-1, 0, 0]), (1, [0, 1, 0]), (None, [0, 0, 0])])
def test_a_course_starts_at_rest(axis, direction):
    course = start_course(4, np.diag([-2.0, 2, 3, 1]), axis, CENTRE)
    np.testing.assert_array_equal(course.direction, direction)
    at, factor = course.places(3, np.ones((2, 3)))
    np.testing.assert_array_equal(at, 1)
    np.testing.assert_array_equal(factor, 1)
