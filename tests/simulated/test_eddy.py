import numpy as np
import pytest

from pipelines.numerics.resample import grid_points
from pipelines.simulated import eddy
from pipelines.simulated.diffusion import gradient_table

SHAPE, AFFINE = (16, 20, 12), np.array([[4.0, 0, 0, -30], [0, 4, 0, -38], [0, 0, 4, -22], [0, 0, 0, 1]])
BVALS, BVECS = gradient_table(32, (1000.0, 3000.0), n_b0=4)
POINTS = grid_points(SHAPE, AFFINE)


def blob(points, b, g):
    """A round head whose signal falls with the weighting along x alone."""
    return 100 * np.exp(-((points / 12) ** 2).sum(axis=1) / 2) * np.exp(-b * 1e-3 * g[0] ** 2)


def still(n_volumes=1):
    return eddy.Planted(np.tile(np.eye(4), (n_volumes, 1, 1)), np.zeros((n_volumes, 10)), np.zeros(3))


def test_displacement_is_as_large_as_asked_for_and_none_at_b0(rng):
    coefficients, centre = eddy.plant_eddies((BVALS, BVECS), POINTS, rng, largest=5.0)
    planted = eddy.Planted(np.eye(4)[None], coefficients, centre)
    reached = np.array([np.abs(planted.displacement(k, POINTS)).max() for k in range(len(BVALS))])
    assert reached.max() == pytest.approx(5.0)
    assert not reached[BVALS == 0].any()
    weak, strong = (np.median(reached[b == BVALS]) for b in (1000, 3000))
    assert 1.3 < strong / weak < 2.3  # sqrt(3)


@pytest.mark.parametrize('irregular', [0.0, 0.2])
def test_a_share_does_not_follow_the_gradients(rng, irregular):
    coefficients, _ = eddy.plant_eddies((BVALS, BVECS), POINTS, rng, irregular=irregular)
    strength = np.sqrt(BVALS / 3000)[:, None] * BVECS
    linear = strength @ np.linalg.lstsq(strength, coefficients, rcond=None)[0]
    rows = BVALS > 0
    share = np.sqrt(np.mean((coefficients - linear)[rows] ** 2) / np.mean(linear[rows] ** 2))
    assert share == pytest.approx(irregular * np.sqrt(2 / 3), abs=0.05)  # a weaker shell has less of it


def test_the_quadratic_part_is_a_share_of_the_linear_one(rng):
    parts = [
        np.sqrt(np.mean(coefficients[:, columns] ** 2))
        for coefficients, _ in [eddy.plant_eddies((BVALS, BVECS), POINTS, rng) for _ in range(30)][-1:]
        for columns in (slice(1, 4), slice(4, None))
    ]
    assert 0.05 < parts[1] / parts[0] < 0.6


def test_a_head_starts_where_it_is_and_stays_within_bounds(rng):
    matrices = eddy.plant_motion(40, rng, largest=2.0)
    np.testing.assert_array_equal(matrices[0], np.eye(4))
    assert np.abs(matrices[:, :3, 3]).max() == pytest.approx(2.0)
    cosine = (np.trace(matrices[:, :3, :3], axis1=1, axis2=2) - 1) / 2
    assert np.degrees(np.arccos(cosine.clip(-1, 1))).max() < 2 * np.sqrt(3) + 0.01


def test_what_nothing_happens_to_is_seen_as_it_is():
    seen = eddy.acquire(blob, still(), (np.zeros(1), np.zeros((1, 3))), AFFINE, SHAPE)
    truth = blob(POINTS, 0.0, np.zeros(3)).reshape(SHAPE)
    # eight pieces of a voxel fall into two voxels each: a little smoother
    np.testing.assert_allclose(seen[..., 0], truth, atol=4)


def test_a_field_moves_signal_along_the_axis_and_keeps_its_sum():
    planted = still()
    planted.coefficients[0, 0] = 6.0  # mm, everywhere
    pair = [
        eddy.acquire(blob, p, (np.zeros(1), np.zeros((1, 3))), AFFINE, SHAPE)[..., 0]
        for p in (still(), planted)
    ]
    assert pair[1].sum() == pytest.approx(pair[0].sum(), rel=0.01)
    centres = [POINTS.T @ volume.ravel() / volume.sum() for volume in pair]
    np.testing.assert_allclose(centres[1] - centres[0], [0, 6, 0], atol=0.1)


def test_gradients_act_on_the_turned_head():
    """A head that is turned by a right angle about z shows to a gradient along y what it showed along x."""
    turned = still()
    turned.matrices[0, :2, :2] = [[0, -1], [1, 0]]
    along = [
        eddy.acquire(blob, p, (np.array([1000.0]), g[None]), AFFINE, SHAPE).sum()
        for p, g in ((still(), np.eye(3)[0]), (turned, np.eye(3)[1]), (turned, np.eye(3)[0]))
    ]
    assert along[1] == pytest.approx(along[0], rel=0.01)
    assert along[2] > 2 * along[0]


def test_slices_that_show_the_brain_are_dropped(rng):
    data = np.ones((6, 6, 20, 100), np.float32)
    data.setflags(write=False)
    brain = np.zeros((6, 6, 20), bool)
    brain[:, :, 5:15] = True
    dropped, lost = eddy.drop_slices(data, brain, rng, share=0.05, lost=(0.3, 1.0))
    assert not lost[:5].any()
    assert not lost[15:].any()
    assert 0.03 < np.mean(lost[5:15] > 0) < 0.07
    assert lost[lost > 0].min() >= 0.3
    np.testing.assert_allclose(dropped, 1 - np.broadcast_to(lost, data.shape), rtol=1e-6)
