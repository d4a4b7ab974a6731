import itertools

import numpy as np
import pytest

from pipelines.numerics.segment import TISSUES
from pipelines.numerics.tissue_labels import CONVENTIONS, split_labels, tissue_labels

BRIGHT = {'gm': 60.0, 'wm': 95.0, 'csf': 25.0}


def painted(rng, labels, noise=8.0, bias=0.0):
    """Return labels of a ball of white matter in grey matter in fluid, and its T1w image."""
    place = np.moveaxis(np.indices((24, 24, 24)), 0, -1) - 11.5
    radius = np.linalg.norm(place, axis=-1)
    tissue = np.select([radius < 6, radius < 9, radius < 11], [1, 0, 2], -1)
    dseg = np.where(tissue < 0, 0, np.array(labels)[tissue])
    t1w = np.where(tissue < 0, 0, np.array([BRIGHT[name] for name in TISSUES])[tissue])
    return dseg, t1w * (1 + bias * place[..., 0] / 12) + rng.normal(0, noise, t1w.shape)


@pytest.mark.parametrize('labels', CONVENTIONS.values(), ids=CONVENTIONS)
@pytest.mark.parametrize(('noise', 'bias'), [(0, 0), (8, 0), (20, 0), (8, 0.4)])
def test_both_conventions_are_told_apart(rng, labels, noise, bias):
    assert tissue_labels(*painted(rng, labels, noise, bias)) == labels


@pytest.mark.parametrize(
    'labels', [order for order in itertools.permutations((1, 2, 3)) if order not in CONVENTIONS.values()]
)
def test_an_order_that_no_program_writes_is_refused(rng, labels):
    with pytest.raises(ValueError, match='which no program writes'):
        tissue_labels(*painted(rng, labels))


@pytest.mark.parametrize('labels', CONVENTIONS.values(), ids=CONVENTIONS)
def test_an_image_of_other_contrast_does_not_tell(rng, labels):
    """In a T2-weighted image fluid is brightest: neither convention fits."""
    dseg, t1w = painted(rng, labels)
    with pytest.raises(ValueError, match='no program writes'):
        tissue_labels(dseg, 120 - t1w)
    with pytest.raises(ValueError, match='equally bright'):
        tissue_labels(dseg, rng.normal(100, 10, t1w.shape))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda dseg: np.where(dseg == 3, 4, dseg), r'labels 1, 2, 4, and not 1, 2, 3'),
        (lambda dseg: np.where(dseg == 3, 0, dseg), r'labels 1, 2, and not'),
        (lambda dseg: dseg * 0, '0 only'),
        (lambda dseg: np.arange(dseg.size).reshape(dseg.shape), r'1, 2, 3, 4, 5, 6, 7, 8 \.\.\.'),
    ],
)
def test_other_labels_are_named(rng, change, message):
    dseg, t1w = painted(rng, (1, 2, 3))
    with pytest.raises(ValueError, match=message):
        tissue_labels(change(dseg), t1w)


def test_labels_are_split_as_one_by_one(rng):
    dseg = rng.integers(0, 9, (5, 6, 7))
    wanted = ((1, 8), (2,), (3, 4, 5))
    found = split_labels(dseg, wanted)
    for place in np.ndindex(dseg.shape):
        assert [found[(number, *place)] for number in range(3)] == [int(dseg[place]) in own for own in wanted]
