import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.stats.imputation.visits import Visits, arrange_visits
from tests.stats.imputation.made_up import trial

NAN = np.nan
PAIN = np.array([[7.0, 6, 5], [6, NAN, 4], [7, 3, NAN], [8, NAN, NAN], [NAN, 5, 2], [NAN, NAN, NAN]])


def visits(**changes):
    return Visits(**{'outcome': PAIN, 'arm': [0, 0, 1, 1, 1, 1], 'primary': 2, **changes})


def test_last_visits_and_gaps_are_told_apart():
    found = arrange_visits(visits())
    assert found.last.tolist() == [2, 2, 1, 0, 2]
    assert np.argwhere(found.gaps).tolist() == [[1, 1], [4, 0]]
    assert found.has_left.tolist() == [False, False, True, True, False]


def test_a_visit_after_the_primary_one_keeps_a_person():
    found = arrange_visits(visits(primary=1))
    assert found.has_left.tolist() == [False, False, False, True, False]


def test_units_are_kept():
    found = arrange_visits(visits())
    # rounding
    np.testing.assert_allclose(found.values * found.scale + found.centre, PAIN[:5], atol=1e-12)
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
        ({'arm': [0, 0, 2, 2, 1, 1]}, 'nobody in arm 2 has the primary visit'),
        ({'covariates': np.ones((4, 1))}, '4 covariates'),
        ({'covariates': np.ones(6)}, 'one value for everyone'),
        ({'outcome': np.where(PAIN == 7, np.inf, PAIN)}, 'infinite'),
        ({'outcome': PAIN * [1, 1, 0]}, 'nobody differs at visit 2'),
        ({'outcome': PAIN + [0, NAN, 0]}, 'nobody differs at visit 1'),
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
