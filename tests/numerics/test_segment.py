"""Tissue classes: planted labels, the work of priors, laws."""

import numpy as np
import pytest

from pipelines.numerics.segment import segment_tissues
from pipelines.simulated.series import classify
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


def vague(labels):
    """Return priors that favour the planted tissue a little: 0.5 against 0.25."""
    priors = np.full((3, *labels.shape), 0.25, np.float32)
    for tissue in range(3):
        priors[tissue][labels == tissue] = 0.5
    return priors


def test_finds_planted_tissues(noisy):
    labels, volume = noisy
    found = segment_tissues(volume, np.ones(volume.shape, bool), vague(labels))
    for tissue in range(3):
        assert dice(found.argmax(axis=0) == tissue, labels == tissue) > 0.94


def test_the_brightest_voxel_has_a_tissue(noisy):
    """A thousand times as bright as white matter: no density is above 0 there, and it is white."""
    labels, volume = noisy
    odd = volume.copy()
    odd[25, 5, 5] = 9e4
    found = segment_tissues(odd, np.ones(odd.shape, bool), vague(labels))
    np.testing.assert_array_equal(found[:, 25, 5, 5], [0, 1, 0])
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)


def test_probabilities_sum_to_one_in_the_mask_alone(noisy):
    labels, volume = noisy
    mask = np.zeros(volume.shape, bool)
    mask[3:27, 3:27, 3:27] = True
    total = segment_tissues(volume, mask, vague(labels)).sum(axis=0)
    np.testing.assert_allclose(total[mask], 1, atol=1e-5)
    assert not total[~mask].any()


def test_priors_decide_where_the_intensity_leaves_it_open(noisy):
    """A nucleus half-way between grey and white matter follows its prior, by the weight of 0.5."""
    labels, volume = noisy
    nucleus = (slice(23, 28), slice(12, 18), slice(12, 18))
    mixed = volume.copy()
    mixed[nucleus] = 75
    inside, grey = np.ones(volume.shape, bool), []
    for expected in (0, 1):
        priors = vague(labels)
        priors[:, *nucleus] = 0.02
        priors[expected][nucleus] = 0.96
        grey.append(segment_tissues(mixed, inside, priors)[0][nucleus].mean())
    assert grey[0] > grey[1] + 0.3


def test_extremes_stay_in_their_class(noisy):
    """A vessel brighter than white matter is not grey; a hole darker than fluid is fluid."""
    labels, volume = noisy
    odd = volume.copy()
    odd[25, 5, 5], odd[2, 5, 5] = 150, 0
    found = segment_tissues(odd, np.ones(odd.shape, bool), vague(labels)).argmax(axis=0)
    assert found[25, 5, 5] == 1
    assert found[2, 5, 5] == 2


def test_template_brain_gives_the_tissues_of_its_intensities():
    """Against thresholds at 0.55 and 0.85 of the brightest: borders differ, cores agree."""
    brain, _ = template_at(2.0)
    truth = classify(brain)
    planted = np.stack([truth[1], truth[2], truth[0]]).argmax(axis=0)
    labels = segment_tissues(brain, brain > 0, vague(planted)).argmax(axis=0)
    assert dice((labels == 1) & (brain > 0), truth[2]) > 0.8
    assert dice((labels == 0) & (brain > 0), truth[1]) > 0.7


def test_bitwise_equal(noisy):
    labels, volume = noisy
    inside = np.ones(volume.shape, bool)
    first, second = (segment_tissues(volume, inside, vague(labels)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_refuses_a_flat_brain():
    with pytest.raises(ValueError, match='three intensities'):
        segment_tissues(np.ones((4, 4, 4)), np.ones((4, 4, 4), bool), np.ones((3, 4, 4, 4)))
