"""Spheres, labels and region quality on grids where the answer is known."""

import numpy as np
import pytest

from pipelines.numerics import regions

AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
POSITIONS = regions.voxel_centres((91, 109, 91), AFFINE)


def test_positions_follow_the_affine():
    np.testing.assert_allclose(POSITIONS[45, 63, 36], [0, 0, 0])
    np.testing.assert_allclose(POSITIONS[0, 0, 0], [90, -126, -72])


def test_sides_part_at_the_midline_and_leave_it_out(rng):
    mask = rng.random(POSITIONS.shape[:3]) < 0.1
    left, right = (regions.on_side(mask, POSITIONS, side) for side in 'LR')
    assert POSITIONS[left][:, 0].max() < 0 < POSITIONS[right][:, 0].min()
    assert left.sum() + right.sum() == (mask & (POSITIONS[..., 0] != 0)).sum()


@pytest.mark.parametrize(
    ('first', 'second', 'share'), [([1, 1, 0, 0], [0, 0, 1, 1], 0), ([1, 1, 1, 1], [1, 0, 0, 0], 1)]
)
def test_overlap_is_a_share_of_the_smaller(first, second, share):
    assert regions.overlap(np.array(first, bool), np.array(second, bool)) == share


def test_winner_needs_the_threshold():
    probabilities = np.array([[25, 10], [24, 20], [40, 60]], np.uint8)
    assert regions.winner_take_all(probabilities, 25).tolist() == [0, -1, 1]


def quality_of(coverage, brightness):
    shape = (10, 10, 10)
    region = np.zeros(shape, bool)
    region[:5, 0, 0] = region[5:, 1, 0] = True
    mask = np.ones(shape, bool)
    mask[tuple(np.argwhere(region)[: round((1 - coverage) * 10)].T)] = False
    mean = np.where(region, 100.0 * brightness, 100.0)
    return regions.region_quality(region, mask, mean, mean / 2, np.ones(shape, bool) & ~region)


@pytest.mark.parametrize(
    ('coverage', 'brightness', 'dropout'), [(1, 1, False), (0.6, 1, True), (0.8, 0.6, False), (1, 0.4, True)]
)
def test_dropout_by_coverage_or_signal(coverage, brightness, dropout):
    quality = quality_of(coverage, brightness)
    assert quality.coverage == pytest.approx(coverage)
    assert quality.signal_ratio == pytest.approx(brightness)
    assert quality.tsnr == pytest.approx(50 * brightness)
    assert quality.is_dropout is dropout


def test_dark_voxels_left_out_of_the_mask_still_count():
    """Half the region is black and outside the mask: the ratio halves, it is not hidden."""
    shape = (4, 4, 4)
    region = np.zeros(shape, bool)
    region[0] = True
    mean = np.full(shape, 100.0)
    mean[0, :2] = 0
    quality = regions.region_quality(region, mean > 0, mean, mean, ~region)
    assert (quality.coverage, quality.signal_ratio) == (0.5, 0.5)


def test_region_outside_the_field_of_view_is_dropout():
    region = np.zeros((3, 3, 3), bool)
    region[0] = True
    mean = np.full((3, 3, 3), 10.0)
    mean[0] = np.nan
    quality = regions.region_quality(region, ~region, mean, mean, ~region)
    assert quality.is_dropout
    assert np.isnan(quality.tsnr)
