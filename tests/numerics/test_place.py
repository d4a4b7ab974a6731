"""Placing a template brain: planted positions, tilts, necks and images without a head."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from pipelines.numerics.place import head_depth, largest_component, local_contrast, place_template
from pipelines.numerics.resample import apply_linear, grid_points, resample
from pipelines.simulated.head import scan, surround_with_head
from tests.heads import TEMPLATE, template_at


@pytest.fixture(scope='module')
def head():
    return surround_with_head(*template_at(4.0))


def tilted(head, degrees, seed=0):
    """Return a scan of a head whose points are ``planted`` of the template's, and ``planted``."""
    volume, affine = head
    planted = np.eye(4)
    planted[:3, :3] = Rotation.from_euler('xyz', degrees, degrees=True).as_matrix() @ np.diag(
        [0.95, 1.0, 1.04]
    )
    planted[:3, 3] = [7, -12, 9]
    shape, grid = (62, 72, 66), np.diag([4.0, 4, 4, 1])
    grid[:3, 3] = [-122, -160, -130]
    seen = resample(volume, affine, shape, grid, linear=np.linalg.inv(planted))
    return 1000 * scan(seen, np.random.default_rng(seed)), grid, planted


@pytest.mark.parametrize('degrees', [(20, 4, 5)])
def test_finds_the_planted_place(head, degrees):
    """Mean error over the brain below 5 mm: half a voxel of the 8 mm grid on which the score is read."""
    volume, affine, planted = tilted(head, degrees)
    found = place_template(volume, affine, *TEMPLATE)
    brain, grid = template_at(8.0)
    points = grid_points(brain.shape, grid)[(brain > 0).ravel()]
    error = np.linalg.norm(apply_linear(found.matrix, points) - apply_linear(planted, points), axis=1)
    assert error.mean() < 5
    assert found.score > 0.55


def test_depth_grows_from_the_skin():
    """In a cube of 40 voxels of 4 mm the centre lies 80 mm deep."""
    cube = np.zeros((60, 60, 60), np.float32)
    cube[10:50, 10:50, 10:50] = 100
    depth = head_depth(cube, np.diag([4.0, 4, 4, 1]))
    assert depth.max() == pytest.approx(80)
    assert depth[5, 5, 5] == 0


def test_local_contrast_ignores_a_coil(rng):
    """A linear profile of 50 % over the image changes the local contrast by a fifth of its spread at most."""
    volume = 1 + 0.2 * gaussian_filter(rng.standard_normal((40, 40, 40)), 2).astype(np.float32) / 0.05
    affine = np.diag([4.0, 4, 4, 1])
    plain = local_contrast(volume, affine)
    coil = local_contrast(volume * np.linspace(0.75, 1.25, 40)[:, None, None], affine)
    assert np.std(plain - coil) < 0.2 * np.std(plain)


def test_an_empty_mask_is_refused():
    with pytest.raises(ValueError, match='empty'):
        largest_component(np.zeros((3, 3, 3), bool))
