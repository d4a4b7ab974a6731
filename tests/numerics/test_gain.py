import numpy as np
import pytest

from pipelines.numerics import gain


@pytest.fixture
def head(rng):
    """Return a b = 0 image with a dark rim, and its brain."""
    image = rng.uniform(300, 900, (8, 9, 10))
    mask = np.zeros(image.shape, bool)
    mask[2:6, 2:7, 2:8] = True
    image[~mask] = rng.uniform(0, 20, (~mask).sum())
    image.setflags(write=False)
    return image, mask


def brute(first, other, mask):
    """Return the median ratio, voxel by voxel, where both are brighter than a tenth of their median."""
    limits = [
        0.1 * np.median([image[v] for v in np.argwhere(mask).tolist() for v in [tuple(v)]])
        for image in (first, other)
    ]
    ratios = [
        other[v] / first[v]
        for v in map(tuple, np.argwhere(mask).tolist())
        if first[v] > limits[0] and other[v] > limits[1]
    ]
    ratios.sort()
    middle = len(ratios) // 2
    return ratios[middle] if len(ratios) % 2 else (ratios[middle - 1] + ratios[middle]) / 2


@pytest.mark.parametrize('factor', [0.5, 0.9, 1.2, 1.5, 2.0, 40.0])
def test_the_gain_is_the_median_ratio_in_the_brain(rng, head, factor):
    image, mask = head
    other = factor * image * rng.normal(1, 0.02, image.shape)
    found = gain.relative_gains([image, other], mask)
    # sums of doubles in another order
    assert found.tolist() == [1.0, pytest.approx(brute(image, other, mask), rel=1e-12)]
    assert found[1] == pytest.approx(factor, rel=0.005)


def test_a_tenth_of_the_brain_may_be_lost(rng, head):
    """Signal that is gone in one scan does not count, nor what lies outside the brain."""
    image, mask = head
    other = np.where(mask, 1.5 * image, 1e4)
    other[2, 2:7, 2:8] = 0
    assert gain.relative_gains([image, other], mask)[1] == pytest.approx(1.5, rel=1e-12)


@pytest.mark.parametrize('factor', [0.981, 1.0, 1.019])
def test_equal_gain_is_one_to_the_last_bit(head, factor):
    image, mask = head
    assert gain.relative_gains([image, factor * image], mask).tolist() == [1.0, 1.0]
    assert gain.opposite_gain(image, factor * image, mask, 1) == 1.0


def test_scans_without_reference_have_no_known_gain(head):
    image, mask = head
    found = gain.relative_gains([None, image, 2 * image], mask)
    np.testing.assert_array_equal(found, [np.nan, 1, 2])
    assert np.isnan(gain.relative_gains([None, None], mask)).all()
    assert np.isnan(gain.relative_gains([image, 0 * image], mask)[1])


@pytest.mark.parametrize('axis', [0, 1, 2])
@pytest.mark.parametrize('factor', [0.7, 1.5])
def test_intensity_that_moves_along_its_lines_is_no_gain(rng, head, axis, factor):
    """Each voxel gives parts of what it holds to others of its line, as susceptibility does."""
    image, mask = head
    n = image.shape[axis]
    moves = rng.dirichlet(np.full(n, 0.2), n)  # row: where the intensity of a voxel goes
    other = np.moveaxis(np.moveaxis(image, axis, -1) @ moves, -1, axis)
    assert gain.opposite_gain(image, factor * other, mask, axis) == pytest.approx(factor, rel=1e-12)
    # the median does not say so: that is why the sums are compared
    assert abs(gain.relative_gains([image, factor * other], mask)[1] / factor - 1) > 0.02


def test_a_dark_image_has_no_gain(head):
    image, mask = head
    assert gain.opposite_gain(image, 0 * image, mask, 1) == 1.0
    assert gain.opposite_gain(image, image, np.zeros_like(mask), 1) == 1.0


@pytest.mark.parametrize(
    ('gains', 'wanted'), [([1, 1], 1), ([1, 1.5, np.nan, 0.75], 2), ([np.nan], 1), ([1], 1), ([1, 0.8], 1.25)]
)
def test_the_spread_is_the_largest_over_the_smallest(gains, wanted):
    assert gain.spread(np.array(gains, float)) == pytest.approx(wanted, rel=1e-15)
