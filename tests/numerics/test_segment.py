"""Tissue classes: planted labels, the work of priors, laws."""

import numpy as np
import pytest

from pipelines.numerics.segment import segment_tissues
from pipelines.numerics.simulate import classify
from tests.heads import dice, template_at

MEANS = np.array([60.0, 90.0, 30.0])


@pytest.fixture(scope='module')
def noisy():
    """Return planted labels (0 grey, 1 white, 2 fluid) and intensities with 10 % noise."""
    rng = np.random.default_rng(4)
    labels = np.digitize(np.indices((30, 30, 30))[0] + 3 * np.sin(np.indices((30, 30, 30))[1] / 4), [10, 20])
    labels = np.array([2, 0, 1])[labels]
    volume = (MEANS[labels] + rng.normal(0, 9, labels.shape)).astype(np.float32)
    volume.setflags(write=False)
    return labels, volume


def test_finds_planted_tissues(noisy):
    labels, volume = noisy
    found = segment_tissues(volume, np.ones(volume.shape, bool))
    for tissue in range(3):
        assert dice(found.probabilities.argmax(axis=0) == tissue, labels == tissue) > 0.94
    # 9,000 voxels: the standard error of a mean is 0.1; neighbours sharpen it by up to 1
    np.testing.assert_allclose(found.means, MEANS, atol=1.5)


def test_neighbours_help(noisy):
    labels, volume = noisy
    inside = np.ones(volume.shape, bool)
    right = [
        np.mean(segment_tissues(volume, inside, smoothness=s).probabilities.argmax(axis=0) == labels)
        for s in (0.0, 1.5)
    ]
    assert right[1] > right[0]


def test_probabilities_sum_to_one_in_the_mask_alone(noisy):
    _, volume = noisy
    mask = np.zeros(volume.shape, bool)
    mask[3:27, 3:27, 3:27] = True
    total = segment_tissues(volume, mask).probabilities.sum(axis=0)
    np.testing.assert_allclose(total[mask], 1, atol=1e-5)
    assert not total[~mask].any()


def test_priors_keep_a_bright_nucleus_grey(noisy):
    """A nucleus half-way between grey and white matter follows its prior."""
    labels, volume = noisy
    nucleus = (slice(23, 28), slice(12, 18), slice(12, 18))
    mixed = volume.copy()
    mixed[nucleus] = 78
    priors = np.full((3, *volume.shape), 0.1, np.float32)
    for tissue in range(3):
        priors[tissue][labels == tissue] = 0.8
    priors[:, *nucleus] = np.array([0.9, 0.1, 0.0], np.float32)[:, None, None, None]
    inside = np.ones(volume.shape, bool)
    grey = [segment_tissues(mixed, inside, p).probabilities[0][nucleus].mean() for p in (None, priors)]
    assert grey[1] > 0.7
    assert grey[1] > grey[0] + 0.1


def test_extremes_stay_in_their_class(noisy):
    """A vessel brighter than white matter is not grey; a hole darker than fluid is fluid."""
    _, volume = noisy
    odd = volume.copy()
    odd[25, 5, 5], odd[2, 5, 5] = 400, 0
    found = segment_tissues(odd, np.ones(odd.shape, bool)).probabilities.argmax(axis=0)
    assert found[25, 5, 5] == 1
    assert found[2, 5, 5] == 2


def test_template_brain_gives_the_tissues_of_its_intensities():
    """Against thresholds at 0.55 and 0.85 of the brightest: borders differ, cores agree."""
    brain, _ = template_at(2.0)
    truth = classify(brain)
    labels = segment_tissues(brain, brain > 0).probabilities.argmax(axis=0)
    assert dice((labels == 1) & (brain > 0), truth[2]) > 0.8
    assert dice((labels == 0) & (brain > 0), truth[1]) > 0.7


def test_bitwise_equal(noisy):
    _, volume = noisy
    inside = np.ones(volume.shape, bool)
    first, second = (segment_tissues(volume, inside).probabilities for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_refuses_a_flat_brain():
    with pytest.raises(ValueError, match='three intensities'):
        segment_tissues(np.ones((4, 4, 4)), np.ones((4, 4, 4), bool))
