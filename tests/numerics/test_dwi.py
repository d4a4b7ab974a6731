import numpy as np
import pytest
from scipy import ndimage

from pipelines.numerics import dwi
from pipelines.numerics.gradients import Gradients
from pipelines.numerics.motion import rigid_matrix
from pipelines.numerics.resample import grid_points
from pipelines.simulated.diffusion import add_rician, gradient_table

SHAPE, AFFINE = (32, 36, 26), np.array([[3.0, 0, 0, -46], [0, 3, 0, -52], [0, 0, 3, -38], [0, 0, 0, 1]])


def head_signal(points, bvals, bvecs):
    """A head given by formulas: an ellipsoid whose T2 and fibre directions vary smoothly, in its own frame."""
    radius = np.linalg.norm(points / [36, 42, 30], axis=1)
    inside = 1 / (1 + np.exp((radius - 1) * 25))
    waves = sum(
        np.sin(points @ np.array(k) + p)
        for k, p in (((0.2, 0.1, 0), 0), ((0, 0.17, 0.23), 1), ((0.3, 0, -0.2), 2))
    )
    s0 = 1000 * inside * (1 + 0.2 * waves)
    fibre = np.column_stack([np.cos(points[:, 1] / 15), np.sin(points[:, 1] / 15), np.cos(points[:, 0] / 12)])
    fibre /= np.linalg.norm(fibre, axis=1, keepdims=True)
    decay = np.exp(-bvals * (0.4e-3 + 1e-3 * (fibre @ bvecs.T) ** 2))
    return s0[:, None] * decay


@pytest.fixture(scope='module')
def scan():
    """A head that moves up to 3 mm and 3 degrees between volumes, SNR 30; truth beside it."""
    b, g = gradient_table(16, (1000.0,), n_b0=2)
    rng = np.random.default_rng(3)
    planted = rng.uniform(-1, 1, (18, 6)) * [3, 3, 3, *np.radians([3, 3, 3])]
    planted[0] = 0
    points = grid_points(SHAPE, AFFINE)
    data = np.empty((*SHAPE, 18), np.float32)
    matrices = np.array([rigid_matrix(p, np.zeros(3)) for p in planted])
    for t, matrix in enumerate(matrices):
        home = (points - matrix[:3, 3]) @ matrix[:3, :3]
        # what the scanner applies along g acts along R'g in the head
        turned = matrix[:3, :3].T @ g[t]
        data[..., t] = head_signal(home, b[t : t + 1], turned[None])[:, 0].reshape(SHAPE)
    data = add_rician(data, 30.0, rng)
    data.setflags(write=False)
    return data, Gradients(b, g, g), matrices


@pytest.fixture(scope='module')
def mask(scan):
    return dwi.find_mask(scan[0])


def test_mask_is_the_head(mask):
    points = grid_points(SHAPE, AFFINE)
    truth = (np.linalg.norm(points / [36, 42, 30], axis=1) < 1).reshape(SHAPE)
    overlap = 2 * np.sum(mask & truth) / (mask.sum() + truth.sum())
    assert overlap > 0.93  # a rim of one voxel of this head is 20 % of it
    assert ndimage.label(mask)[1] == 1


def test_a_blank_scan_has_no_mask():
    with pytest.raises(ValueError, match='all volumes are blank'):
        dwi.find_mask(np.ones((8, 8, 8, 2)))


def test_a_planted_motion_is_found_again(scan, mask):
    """Independent movement of 3 mm and 3 degrees in every volume, 16 directions."""
    data, table, truth = scan
    found = dwi.align(data, table, AFFINE, mask, None).course.matrices
    corners = 50 * np.vstack([np.eye(3), -np.eye(3)])
    whole = np.column_stack([corners, np.ones(6)])

    def distance(matrices):
        error = (
            np.array([whole @ (np.linalg.inv(m) @ t).T for m, t in zip(matrices, truth)])[..., :3] - corners
        )
        # where the reference lies is free
        return np.linalg.norm(error - np.median(error, axis=0), axis=-1).mean(axis=1)

    before, after = distance(np.tile(np.eye(4), (18, 1, 1))), distance(found)
    print(f'motion, median at 50 mm: {np.median(before):.2f} mm, {np.median(after):.2f} mm are left')
    assert np.median(after) < 0.6 * np.median(before)
    first, second = (np.linalg.inv(found[t]) @ truth[t] for t in np.flatnonzero(table.is_b0))
    apart = np.linalg.norm((whole @ (first - second).T)[:, :3], axis=1)
    assert apart.mean() < 0.3


def test_ringing_is_taken_away_and_a_smooth_image_is_left(rng):
    """An edge seen through a truncated Fourier series."""
    fine = np.zeros((256, 256))
    fine[70:186, 70:186] = 1
    low = np.fft.ifftshift(np.fft.fftshift(np.fft.fft2(fine))[96:160, 96:160])
    ringed = np.abs(np.fft.ifft2(low)) / 16
    found = dwi.unring(np.tile(ringed[..., None, None], (1, 1, 2, 1)).astype(np.float32))[..., 0, 0]
    flat = (slice(22, 42), slice(22, 42))
    assert found[flat].std() < 0.6 * ringed[flat].std()
    smooth = 1 + 0.1 * np.cos(np.arange(64) * 2 * np.pi / 64)[:, None, None, None] * np.ones((1, 64, 1, 1))
    np.testing.assert_allclose(dwi.unring(smooth), smooth, atol=2e-3)


def test_the_mean_of_b0_is_of_the_realigned_volumes(scan):
    data, table, truth = scan
    found = dwi.average_b0(data, table, AFFINE, truth)
    still = head_signal(grid_points(SHAPE, AFFINE), np.zeros(1), np.zeros((1, 3)))[:, 0].reshape(SHAPE)
    inner = ndimage.binary_erosion(still > 500, iterations=2)
    error = (found - still)[inner]
    # two volumes of noise 30, one of which the spline smooths or not
    assert np.sqrt(np.mean(error**2)) < 35
    moved = data[..., table.is_b0].mean(axis=3)
    assert np.sqrt(np.mean((moved - still)[inner] ** 2)) > 1.2 * np.sqrt(np.mean(error**2))


def test_dark_voxels_have_no_signal():
    mask = np.ones((4, 4, 4), bool)
    mask[0] = False
    reference = np.full((4, 4, 4), 100.0)
    reference[1, 0, 0] = 9
    found = dwi.has_signal(reference, mask)
    assert not found[1, 0, 0]
    assert found.sum() == mask.sum() - 1
    assert not dwi.has_signal(reference, mask & False).any()
