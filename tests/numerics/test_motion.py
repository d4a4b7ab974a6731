"""Head motion: planted movements, conventions and laws."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from pipelines.numerics.motion import (
    framewise_displacement,
    head_centre,
    motion_parameters,
    realign,
    rigid_matrix,
    rms_displacement,
)
from pipelines.numerics.resample import apply_linear, grid_points, resample

SHAPE = (28, 30, 22)
AFFINE = np.array([[-3.0, 0, 0, 40], [0, 3.0, 0.2, -45], [0, -0.2, 3.3, -30], [0, 0, 0, 1]])


@pytest.fixture
def head(rng):
    """Return a textured ellipsoid and its mask."""
    at = (np.indices(SHAPE).T - (np.array(SHAPE) - 1) / 2) / (np.array(SHAPE) * 0.36)
    mask = (at**2).sum(axis=-1).T < 1
    volume = (mask * (100 + 60 * gaussian_filter(rng.standard_normal(SHAPE), 1.5) / 0.1)).astype(np.float32)
    volume.setflags(write=False)
    return volume, mask


def _error(found, expected, mask):
    points = grid_points(SHAPE, AFFINE)[mask.ravel()]
    return np.linalg.norm(apply_linear(found, points) - apply_linear(expected, points), axis=1).mean()


@pytest.mark.parametrize('size', [0.3, 3.0])
def test_finds_planted_motion(head, rng, size):
    """Mean error in the head below 0.05 mm: a sixtieth of a voxel, with 2 % noise."""
    volume, mask = head
    centre = head_centre(mask, AFFINE)
    planted = [
        rigid_matrix(rng.uniform(-size, size, 6) * [1, 1, 1, 0.02, 0.02, 0.02], centre) for _ in range(2)
    ]
    moved = [
        resample(volume, AFFINE, SHAPE, AFFINE, linear=np.linalg.inv(m), order=3) + rng.normal(0, 2, SHAPE)
        for m in planted
    ]
    for found, expected in zip(realign(moved, volume, AFFINE, mask), planted):
        assert _error(found, expected, mask) < 0.05


def test_brightness_is_no_motion(head):
    """A gain of 20 % belongs to the gain; the rest is the precision of float32 smoothing."""
    volume, mask = head
    found = realign([1.2 * volume], volume, AFFINE, mask)
    assert _error(found[0], np.eye(4), mask) < 1e-3


def test_sloppy_is_close(head):
    volume, mask = head
    planted = rigid_matrix(np.array([1.0, 0, -1, 0, 0.01, 0]), head_centre(mask, AFFINE))
    moved = resample(volume, AFFINE, SHAPE, AFFINE, linear=np.linalg.inv(planted), order=3)
    # one resolution, 10 mm wide: a tenth of a voxel
    assert _error(realign([moved], volume, AFFINE, mask, sloppy=True)[0], planted, mask) < 0.3


def test_refuses_what_it_cannot_compare(head):
    volume, mask = head
    with pytest.raises(ValueError, match='empty'):
        realign([volume], volume, AFFINE, np.zeros(SHAPE))
    with pytest.raises(ValueError, match='shape'):
        realign([volume[1:]], volume, AFFINE, mask)


def test_no_volumes_give_no_matrices(head):
    volume, mask = head
    assert realign([], volume, AFFINE, mask).shape == (0, 4, 4)


def test_parameters_and_matrices_are_inverse(rng):
    parameters = rng.uniform(-0.5, 0.5, (5, 6))
    centre = np.array([3.0, -20, 10])
    matrices = np.array([rigid_matrix(p, centre) for p in parameters])
    np.testing.assert_allclose(motion_parameters(matrices, centre), parameters, atol=1e-12)


def test_translation_moves_the_centre():
    """Whatever the rotation, the centre moves by the translation alone."""
    centre = np.array([3.0, -20, 10])
    matrix = rigid_matrix(np.array([1.0, 2, 3, 0.1, 0.2, 0.3]), centre)
    np.testing.assert_allclose(apply_linear(matrix, centre), centre + [1, 2, 3])


def test_framewise_displacement_equals_nipype(rng, tmp_path):
    """nipype's own implementation, on a file in SPM order (mm, then rad)."""
    from nipype.algorithms.confounds import FramewiseDisplacement

    parameters = rng.normal(0, 0.1, (12, 6))
    np.savetxt(tmp_path / 'motion.txt', parameters)
    oracle = FramewiseDisplacement(
        in_file=str(tmp_path / 'motion.txt'), parameter_source='SPM', out_file=str(tmp_path / 'fd.txt')
    )
    oracle.run()
    expected = np.loadtxt(tmp_path / 'fd.txt', skiprows=1)
    got = framewise_displacement(parameters)
    assert np.isnan(got[0])
    np.testing.assert_allclose(got[1:], expected, rtol=1e-6)


def test_rms_displacement_is_the_mean_over_a_ball(rng):
    """Monte Carlo over the ball; 40,000 points give 1 %."""
    centre = np.array([5.0, -10, 15])
    matrices = np.array([rigid_matrix(p, centre) for p in rng.normal(0, 0.05, (2, 6))])
    points = rng.uniform(-80, 80, (80000, 3))
    points = points[np.linalg.norm(points, axis=1) < 80] + centre
    relative = matrices[1] @ np.linalg.inv(matrices[0])
    expected = np.sqrt(((apply_linear(relative, points) - points) ** 2).sum(axis=1).mean())
    assert rms_displacement(matrices, centre)[1] == pytest.approx(expected, rel=0.01)
