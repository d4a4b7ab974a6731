import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.stats.imputation.dropout import complete, continue_visits, draw_groups
from pipelines.stats.imputation.visits import Visits, arrange_visits
from tests.stats.imputation.made_up import trial


def by_definition(group, i, person_last, until, assumption, draw):
    """One person in one draw by the joint normal distributions of the paper, partitioned at the last visit."""
    own = group.own.means(group.columns[[i]])[draw, 0], group.own.covariance()[draw]
    reference = (
        group.reference.means(group.reference_columns[[i]])[draw, 0],
        group.reference.covariance()[draw],
    )
    before, after = np.arange(person_last + 1), np.arange(person_last + 1, until + 1)
    mean = own[0].copy()
    covariance = own[1] if assumption == 'at_random' else reference[1]
    if assumption == 'jump_to_reference':
        mean[after] = reference[0][after]
    if assumption == 'copy_increments':
        mean[after] = own[0][person_last] + reference[0][after] - reference[0][person_last]
    gain = covariance[np.ix_(after, before)] @ np.linalg.inv(covariance[np.ix_(before, before)])
    seen = group.filled[min(draw, len(group.filled) - 1), i, before]
    rest = covariance[np.ix_(after, after)] - gain @ covariance[np.ix_(before, after)]
    # the lower root of the rest turns the noise of each visit into its own, as visit by visit does
    return mean[after] + gain @ (seen - mean[before]) + np.linalg.cholesky(rest) @ group.noise[draw, i, after]


@pytest.mark.parametrize('assumption', ['at_random', 'jump_to_reference', 'copy_increments'])
@pytest.mark.parametrize(('n', 'k', 'skip'), [(120, 0, 0.0), (150, 2, 0.1), (36, 1, 0.05)])
def test_visits_after_the_last_are_those_of_the_joint_distributions(rng, assumption, n, k, skip):
    panel = arrange_visits(trial(rng, n=n, n_visits=4, k=k, skip=skip, effects=(-1, 0.5), leave=0.4))
    drawn = draw_groups(panel, 6, rng)
    assert drawn.is_pooled == (n == 36)
    for group in drawn.groups:
        last = panel.last[group.people]
        found = continue_visits(group, last, 3, assumption)
        for i in np.flatnonzero(last < 3)[:8]:
            for draw in (0, 5):
                wanted = by_definition(group, i, last[i], 3, assumption, draw)
                # the same algebra by inverses
                np.testing.assert_allclose(found[draw, i, last[i] + 1 :], wanted, rtol=1e-8, atol=1e-8)


def test_control_is_its_own_reference(rng):
    panel = arrange_visits(trial(rng))
    drawn = draw_groups(panel, 10, rng)
    tables = [
        complete(panel, drawn, word)[1] for word in ('at_random', 'jump_to_reference', 'copy_increments')
    ]
    control = panel.arm == 0
    # rounding
    np.testing.assert_allclose(tables[0][:, control], tables[1][:, control], rtol=1e-10)
    np.testing.assert_allclose(tables[0][:, control], tables[2][:, control], rtol=1e-10)
    gone = panel.has_left & ~control
    assert (tables[0][:, gone] != tables[1][:, gone]).all()


def test_who_was_seen_keeps_the_value(rng):
    visits = trial(rng, skip=0.1)
    panel = arrange_visits(visits)
    baseline, primary = complete(panel, draw_groups(panel, 10, rng), 'jump_to_reference')
    values = panel.values * panel.scale + panel.centre
    for table, column in ((baseline, 0), (primary, 2)):
        seen = ~np.isnan(values[:, column])
        # one multiplication and its opposite
        np.testing.assert_allclose(table[:, seen], np.tile(values[seen, column], (10, 1)), rtol=1e-12)
        assert np.isfinite(table).all()


def test_a_baseline_that_nobody_lacks_is_one(rng):
    panel = arrange_visits(trial(rng))
    baseline, primary = complete(panel, draw_groups(panel, 10, rng), 'at_random')
    assert (baseline.shape, primary.shape) == ((1, 120), (10, 120))


def test_those_who_left_jump_to_the_mean_of_control(rng):
    """With the baseline alone and no correlation with it, the imputed mean is that of control, not the own one."""
    visits = trial(rng, n=4000, n_visits=2, effects=(-3.0,))
    panel = arrange_visits(visits)
    drawn = draw_groups(panel, 20, rng)
    own, jump, copy = (
        complete(panel, drawn, word)[1] for word in ('at_random', 'jump_to_reference', 'copy_increments')
    )
    gone = panel.has_left & (panel.arm == 1)
    # 500 people with a standard deviation of 1.4, 20 times
    assert abs(own[:, gone].mean() - 3) < 0.2
    assert abs(jump[:, gone].mean() - 6) < 0.2
    # baselines are alike, so that increments lead to the same place
    assert abs(copy[:, gone].mean() - 6) < 0.2


def test_small_arms_share_a_covariance(rng):
    panel = arrange_visits(trial(rng, n=14, leave=0.1))
    drawn = draw_groups(panel, 5, rng)
    assert drawn.is_pooled
    (group,) = drawn.groups
    assert group.own is group.reference
    assert group.columns[:, 1].tolist() == panel.arm.tolist()
    assert not group.reference_columns[:, 1].any()
    assert not draw_groups(arrange_visits(trial(rng, n=60, leave=0.1)), 5, rng).is_pooled


def test_too_few_people_are_refused(rng):
    panel = arrange_visits(trial(rng, n=8, n_visits=4, leave=0.0))
    broken = panel._replace(last=np.array([3, 3, 0, 0, 0, 0, 0, 0]))
    with pytest.raises(DataError, match='too few to impute from'):
        draw_groups(broken, 5, rng)


def test_the_same_seed_gives_the_same_draws(rng):
    panel = arrange_visits(trial(rng, skip=0.1))
    tables = [
        complete(panel, draw_groups(panel, 4, np.random.default_rng(seed)), 'at_random')[1]
        for seed in (1, 1, 2)
    ]
    assert (tables[0] == tables[1]).all()
    assert (tables[0] != tables[2]).any()


def test_a_covariate_that_one_arm_does_not_vary_in_pools_the_arms(rng):
    visits = trial(rng, n=120, leave=0.2)
    site = ((np.arange(120) % 3 == 0) & (visits.arm == 1)).astype(float)
    panel = arrange_visits(Visits(outcome=visits.outcome, arm=visits.arm, primary=2, covariates=site))
    drawn = draw_groups(panel, 5, rng)
    assert drawn.is_pooled
    assert np.isfinite(complete(panel, drawn, 'jump_to_reference')[1]).all()


def test_an_arm_at_the_floor_pools_the_arms(rng):
    visits = trial(rng, n=120, leave=0.2)
    values = np.array(visits.outcome)
    values[:, 2] = np.where((visits.arm == 1) & ~np.isnan(values[:, 2]), 0.0, values[:, 2])
    panel = arrange_visits(Visits(outcome=values, arm=visits.arm, primary=2))
    drawn = draw_groups(panel, 40, rng)
    gone = panel.has_left & (panel.arm == 1)
    assert drawn.is_pooled
    # about the mean of the arm, with the spread of all
    assert abs(complete(panel, drawn, 'at_random')[1][:, gone].mean()) < 1
