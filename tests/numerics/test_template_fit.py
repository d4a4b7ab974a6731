"""Local correlation against its definition."""

import math

import numpy as np
import pytest

from pipelines.numerics.template_fit import local_correlation


def test_fit_equals_its_definition(rng):
    """Against weighted moments of every neighbourhood, written out with explicit Gaussian weights."""
    shape, sigma = (7, 6, 5), 1.0
    first, second = rng.random(shape), rng.random(shape)
    mask = rng.random(shape) > 0.3
    centres = np.argwhere(mask)
    reach = np.arange(-4, 5)
    kernel = np.exp(-(reach**2) / (2 * sigma**2))  # scipy's, truncated at four SD
    kernel /= kernel.sum()
    total = 0.0
    for centre in centres:
        weights = np.zeros(shape)
        for point in np.argwhere(np.ones(shape, bool)):
            # scipy mirrors at the edge: neighbours beyond it are those inside, met again
            weights[tuple(point)] = np.prod([
                sum(kernel[k] for k in range(9) if _mirrored(c + reach[k], n) == p)
                for c, p, n in zip(centre, point, shape)
            ])  # fmt: skip
        weights *= mask
        weights /= weights.sum()
        means = [np.sum(weights * v) for v in (first, second)]
        covariance = np.sum(weights * (first - means[0]) * (second - means[1]))
        variances = [np.sum(weights * (v - m) ** 2) for v, m in zip((first, second), means)]
        total += covariance**2 / np.prod(variances)
    assert local_correlation(first, second, mask, 1.0, sigma) == pytest.approx(total / len(centres), rel=1e-9)


def _mirrored(index, n):
    """Return where scipy's mode ``reflect`` finds a point beyond the edge: (d c b a | a b c d | d c b a)."""
    index = index % (2 * n)
    return index if index < n else 2 * n - 1 - index


def test_contrast_and_field_do_not_matter(rng):
    shape = (12, 12, 12)
    image, mask = rng.random(shape), np.ones(shape, bool)
    field = np.linspace(0.98, 1.02, 12)[:, None, None]
    assert local_correlation(3 - 2 * image, image, mask, 4.0) == pytest.approx(1)
    assert local_correlation(image * field, image, mask, 4.0) > 0.98
    assert math.isnan(local_correlation(image, image, np.zeros(shape, bool), 4.0))


def test_where_nothing_varies_nothing_fits(rng):
    """A constant image, and voxels of it among others, count as 0."""
    shape = (10, 10, 10)
    image, mask = rng.random(shape), np.ones(shape, bool)
    assert local_correlation(np.ones(shape), image, mask, 4.0) == 0
    half = image.copy()
    half[:, :, :5] = 0.5
    # a Gaussian of one voxel mixes the border over a few slices
    assert 0.4 < local_correlation(half, image, mask, 4.0) < 0.8


def test_a_shift_of_one_voxel_is_seen(rng):
    image, mask = rng.random((12, 12, 12)), np.ones((12, 12, 12), bool)
    assert local_correlation(np.roll(image, 1, axis=0), image, mask, 4.0) < 0.2


def test_voxels_outside_the_mask_take_no_part(rng):
    shape = (10, 9, 8)
    first, second, mask = rng.random(shape), rng.random(shape), rng.random(shape) > 0.4
    spoiled = np.where(mask, first, 1e6)
    assert local_correlation(spoiled, second, mask, 4.0) == pytest.approx(
        local_correlation(first, second, mask, 4.0), rel=1e-9
    )


def test_inputs_are_not_changed(rng):
    first, second = rng.random((2, 6, 6, 6))
    mask = rng.random((6, 6, 6)) > 0.2
    for array in (first, second, mask):
        array.setflags(write=False)
    assert 0 <= local_correlation(first, second, mask, 2.0) <= 1
