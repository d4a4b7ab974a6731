"""A wrong sign or axis of a displacement is told by the T1w image."""

import numpy as np
import pytest

from pipelines.numerics.agreement import correlation_ratio, judge_shift
from tests.distorted import make_head, seen

VOXEL = 4.0


@pytest.fixture(scope='module')
def head():
    return make_head(VOXEL)


@pytest.mark.parametrize('polarity', [1, -1])
def test_the_right_displacement_is_not_doubted(head, polarity):
    """A head seen along ``j`` or ``j-``: explained more after than before, and least the other way round."""
    image = seen(head.epi, head.hertz, polarity, np.random.default_rng(1))
    shift = polarity * head.displaced_mm() / VOXEL
    found = judge_shift((head.t1w, head.brain), image, shift, 1, head.affine)
    assert found.opposite < found.before < found.after
    assert not found.is_doubtful
    assert found.n_voxels > 1000


@pytest.mark.parametrize('polarity', [1, -1])
@pytest.mark.parametrize(('sign', 'axis'), [(-1, 1), (1, 0), (-1, 0), (1, 2), (-1, 2)])
def test_a_wrong_sign_or_axis_is_doubted(head, polarity, sign, axis):
    image = seen(head.epi, head.hertz, polarity, np.random.default_rng(1))
    shift = sign * polarity * head.displaced_mm() / VOXEL
    assert judge_shift((head.t1w, head.brain), image, shift, axis, head.affine).is_doubtful


def test_the_opposite_of_one_sign_is_the_other(head):
    image = seen(head.epi, head.hertz, 1, np.random.default_rng(1))
    right, wrong = (
        judge_shift((head.t1w, head.brain), image, sign * head.displaced_mm() / VOXEL, 1, head.affine)
        for sign in (1, -1)
    )
    assert (right.after, right.before, right.opposite) == (wrong.opposite, wrong.before, wrong.after)


def test_a_shift_of_the_whole_image_is_no_evidence(head):
    """The T1w image lies two voxels further on, as a registration to a wrongly corrected image would leave it."""
    image = seen(head.epi, head.hertz, 1, np.random.default_rng(1))
    moved = np.roll(head.t1w, 2, axis=1)
    brain = np.roll(head.brain, 2, axis=1)
    assert not judge_shift((moved, brain), image, head.displaced_mm() / VOXEL, 1, head.affine).is_doubtful


def test_where_nothing_moves_nothing_is_said(head):
    found = judge_shift((head.t1w, head.brain), head.epi, np.full(head.epi.shape, 0.1), 1, head.affine)
    assert np.isnan(found[:3]).all()
    assert not found.is_doubtful


def test_ratio_is_that_of_an_analysis_of_variance():
    """Against sums of squares within groups, written out."""
    rng = np.random.default_rng(3)
    by = rng.permutation(2400).astype(float)
    values = np.sin(by / 300) + rng.normal(0, 0.5, 2400)
    groups = np.split(values[np.argsort(by)], 24)
    within = sum(((g - g.mean()) ** 2).sum() for g in groups)
    assert correlation_ratio(values, by) == pytest.approx(1 - within / ((values - values.mean()) ** 2).sum())
