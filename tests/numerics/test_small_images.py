"""Registration of images of few voxels: all of them are compared, so that the seed does not matter."""

import numpy as np
import pytest

from pipelines.numerics.motion import rigid_matrix
from pipelines.numerics.register import register_rigid
from pipelines.numerics.resample import apply_linear, grid_points

VOXEL = 9.0
MOVE = rigid_matrix(np.array([2.0, -1.5, 1.0, 0.03, -0.02, 0.04]), np.zeros(3))
AFFINE = np.diag([VOXEL, VOXEL, VOXEL, 1.0])
AFFINE[:3, 3] = -81
SHAPE = (19, 19, 19)


def head(matrix, *, is_dark):
    """Return an uneven head as it lies after a move, in one of two contrasts."""
    x, y, z = apply_linear(np.linalg.inv(matrix), grid_points(SHAPE, AFFINE)).T
    radius = (
        np.sqrt((x / 0.8) ** 2 + (y / 1.1) ** 2 + z**2) + 6 * np.sin(x / 25 + y / 40) + 5 * np.cos(z / 30)
    )
    inner = 1 / (1 + np.exp((radius - 35) / 5))
    outer = 1 / (1 + np.exp((radius - 62) / 5))
    return (outer - (0.7 if is_dark else -0.6) * inner).reshape(SHAPE).astype(np.float32)


@pytest.mark.parametrize('is_dark', [False, True])
def test_the_move_is_found_whatever_the_seed(is_dark):
    fixed, moving = head(np.eye(4), is_dark=False), head(MOVE, is_dark=is_dark)
    found = [
        register_rigid(fixed, AFFINE, moving, AFFINE, initial=np.eye(4), rng_seed=seed) for seed in (1, 2, 77)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    points = 40 * np.vstack([np.eye(3), -np.eye(3)])
    # a seventh of a voxel
    np.testing.assert_allclose(apply_linear(found[0], points), apply_linear(MOVE, points), atol=1.3)


def test_one_image_lies_on_itself():
    image = head(np.eye(4), is_dark=False)
    found = register_rigid(image, AFFINE, image.copy(), AFFINE, initial=np.eye(4), rng_seed=3)
    # mm, a hundredth of a voxel: the metric counts what its histogram blurs
    np.testing.assert_allclose(found, np.eye(4), atol=0.09)
