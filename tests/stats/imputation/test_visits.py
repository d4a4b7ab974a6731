import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.stats.imputation.visits import Visits, arrange_visits
from tests.stats.imputation.made_up import trial

NAN = np.nan
PAIN = np.array([[7.0, 6, 5], [6, NAN, 4], [7, 3, NAN], [8, NAN, NAN], [NAN, 5, 2], [NAN, NAN, NAN]])
MORE = np.array([[5.0, 4, 3], [6, 5, 3], [8, 6, 6], [7, 7, 6], [5, 3, 3], [6, 6, 7]])


def visits(**changes):
    return Visits(**{'outcome': PAIN, 'arm': [0, 0, 1, 1, 1, 1], 'primary': 2, **changes})


def twelve(**changes):
    """Return enough people for every visit to be used."""
    arm = [0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1]
    return Visits(**{'outcome': np.vstack([PAIN, MORE]), 'arm': arm, 'primary': 2, **changes})


def test_last_visits_and_gaps_are_told_apart():
    found = arrange_visits(twelve())
    assert found.last.tolist()[:5] == [2, 2, 1, 0, 2]
    assert np.argwhere(found.gaps).tolist() == [[1, 1], [4, 0]]
    assert np.flatnonzero(found.has_left).tolist() == [2, 3]
    assert found.notes == ()


def test_a_visit_after_the_primary_one_keeps_a_person():
    found = arrange_visits(twelve(primary=1))
    assert np.flatnonzero(found.has_left).tolist() == [3]


def test_a_visit_that_hardly_anybody_made_is_left_out():
    found = arrange_visits(visits())
    assert found.notes == ('visit 1 is left out: hardly anybody of an arm made it',)
    assert (found.values.shape[1], found.primary) == (2, 1)
    # the third was last seen there, and counts by the baseline
    assert found.last.tolist() == [1, 1, 0, 0, 1]


@pytest.mark.parametrize('column', [np.full(12, NAN), np.full(12, 3.0)])
def test_a_visit_that_tells_nothing_is_left_out(column):
    outcome = np.column_stack([twelve().outcome, column])
    found, wanted = arrange_visits(twelve(outcome=outcome)), arrange_visits(twelve())
    assert 'visit 3' in found.notes[0]
    # nothing else changes, and who was seen at that visit only is not there
    np.testing.assert_allclose(found.values, wanted.values, rtol=1e-12)
    assert len(found.values) == 11


def test_units_are_kept():
    found = arrange_visits(twelve())
    wanted = np.vstack([PAIN[:5], MORE])
    # rounding
    np.testing.assert_allclose(found.values * found.scale + found.centre, wanted, atol=1e-12)
    assert np.nanstd(found.values) == pytest.approx(1)


def test_people_without_covariates_are_counted():
    found = arrange_visits(visits(covariates=[1.0, 2, NAN, 4, 5, NAN]))
    assert (len(found.values), found.n_without_covariates) == (4, 1)
    assert found.covariates.mean() == pytest.approx(0)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'primary': 0}, 'primary visit 0'),
        ({'primary': 3}, 'primary visit 3'),
        ({'outcome': PAIN[:, 0]}, 'shape'),
        ({'arm': [0, 1]}, '2 an arm'),
        ({'arm': [0, 0, 1, 1, 1, 0.5]}, 'whole numbers'),
        ({'arm': [0, 0, 1, 1, 1, -1]}, 'whole numbers'),
        ({'arm': [0] * 6}, r'arms with people: \[0\]'),
        ({'arm': [1, 1, 2, 2, 2, 2]}, r'arms with people: \[1, 2\]'),
        ({'arm': [0, 0, 2, 2, 0, 1]}, 'nobody in arm 2 has the primary visit'),
        ({'covariates': np.ones((4, 1))}, '4 covariates'),
        ({'covariates': np.ones(6)}, 'one value for everyone'),
        ({'outcome': np.where(PAIN == 7, np.inf, PAIN)}, 'infinite'),
        ({'outcome': PAIN * [1, 1, 0]}, 'nobody differs at the primary visit'),
        ({'outcome': PAIN * [0, 1, 1]}, 'nobody differs at the baseline'),
        (
            {'outcome': PAIN + [[0], [0], [NAN], [NAN], [0], [0]] * np.array([1, 0, 0])},
            'nobody in arm 1 has the baseline',
        ),
    ],
)
def test_what_cannot_be_arranged_is_refused(changes, message):
    with pytest.raises(DataError, match=message):
        arrange_visits(visits(**changes))


def test_simulated_trials_have_what_they_say(rng):
    found = arrange_visits(trial(rng, n=2000, leave=0.4, skip=0.1))
    # three standard errors of a share of 2,000
    assert abs(found.has_left.mean() - 0.4) < 0.035
    assert abs(found.gaps[:, 0].mean() - 0.08) < 0.03
