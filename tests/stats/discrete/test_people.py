import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.stats.discrete.people import Groups, arrange_groups


def groups(**changes):
    given = {
        'outcome': np.array([1.0, 0, 1, 0, np.nan, 1, 0, 1]),
        'arm': np.array([0, 0, 0, 1, 1, 1, 1, 0]),
        'baseline': np.array([0.0, 1, 0, 1, 1, np.nan, 0, 1]),
        'covariates': np.array([3.0, 5, 4, 4, 2, 7, 8, 1]),
    }
    return Groups(**{**given, **changes})


def test_those_left_out_are_counted_by_arm():
    found = arrange_groups(groups())
    assert found.tally.n.tolist() == [4, 2]
    assert found.tally.n_missing.tolist() == [0, 1]
    assert found.tally.n_incomplete.tolist() == [0, 1]
    assert found.outcome.tolist() == [1, 0, 1, 0, 0, 1]


def test_adjusters_have_mean_zero_and_unit_spread():
    found = arrange_groups(groups())
    # rounding
    np.testing.assert_allclose(found.adjusters.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(found.adjusters.std(axis=0), 1, rtol=1e-12)
    assert found.design_in().shape == (6, 4)
    assert (found.design_in(1)[:, 1] == 1).all()


def test_a_baseline_that_is_the_same_for_everyone_is_left_out_and_told():
    found = arrange_groups(groups(baseline=np.zeros(8)))
    assert found.adjusters.shape == (7, 1)
    assert found.notes == ('the baseline is the same for everyone and left out',)


def test_an_arm_without_people_is_told():
    found = arrange_groups(groups(arm=np.array([0, 0, 0, 3, 3, 3, 3, 0]), baseline=None))
    assert found.arms.tolist() == [0, 3]
    assert found.tally.n.tolist() == [4, 0, 0, 3]
    assert [note.split()[1] for note in found.notes] == ['1', '2']


def test_an_arm_of_one_person_is_told_and_leaves_the_others_alone():
    arm, outcome = np.array([0, 0, 0, 1, 1, 1, 2]), np.array([3.0, 4, 6, 2, 3, 1, 9])
    found = arrange_groups(Groups(outcome=outcome, arm=arm))
    assert (found.tally.n.tolist(), found.arms.tolist()) == ([3, 3, 1], [0, 1])
    assert found.outcome.max() == 6
    assert found.notes == ('arm 2 has 1 with everything known and is not compared',)


def test_some_arms_alone_keep_their_codes():
    arm = np.array([0, 1, 2, 0, 1, 2, 0, 2])
    found = arrange_groups(groups(arm=arm, outcome=np.arange(8.0), baseline=None)).only(np.array([0, 2]))
    assert found.arms.tolist() == [0, 2]
    assert found.outcome.tolist() == [0, 2, 3, 5, 6, 7]
    assert found.arm.tolist() == [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'arm': [0, 1]}, '8 people have an outcome, 2 an arm'),
        ({'arm': np.array([0, 0, 0, 1, 1, 1, 1, 0.5])}, 'whole numbers'),
        ({'arm': np.array([0, 0, 0, 1, 1, 1, 1, -1])}, 'whole numbers'),
        ({'arm': np.array([0, 0, 0, 1, 1, 1, 1, np.nan])}, 'whole numbers'),
        ({'arm': np.ones(8)}, '0 of arm 0, 6 of arm 1'),
        ({'arm': np.zeros(8)}, '6 of arm 0'),
        ({'baseline': [1.0]}, '1 a baseline'),
        ({'covariates': np.ones((3, 2))}, '3 covariates'),
        ({'covariates': np.full(8, np.inf)}, 'infinite'),
        ({'outcome': np.full(8, np.nan)}, '0 of arm 0, 0 of arm 1'),
        ({'covariates': np.random.default_rng(1).random((8, 4))}, 'more than 7 are needed'),
        ({'covariates': np.array([0, 0, 0, 1, 1, 1, 1, 0])}, 'linearly dependent'),
    ],
)
def test_what_cannot_be_arranged_is_refused(changes, message):
    with pytest.raises(DataError, match=message):
        arrange_groups(groups(**changes))


def test_times_must_fit():
    with pytest.raises(DataError, match='3 a time at risk'):
        arrange_groups(groups(), [1.0, 2, 3])
    found = arrange_groups(groups(), [1.0, 2, np.nan, 1, 1, 1, 1, 1])
    assert found.tally.n_incomplete.tolist() == [1, 1]


def test_nobody_is_refused():
    with pytest.raises(DataError, match='at least one person'):
        arrange_groups(Groups(outcome=[], arm=[]))
