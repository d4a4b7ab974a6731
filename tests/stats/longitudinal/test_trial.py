import numpy as np
import pytest
from scipy import stats

from pipelines.errors import DataError, UnknownWordError
from pipelines.stats.longitudinal.fallback import fit_in_order, structures_for
from pipelines.stats.longitudinal.people_needed import people_needed
from pipelines.stats.longitudinal.trial import fit_trial
from pipelines.stats.longitudinal.trial_design import TrialModel, contrast_rows, design_means, gather

from .people import cell_means, visits

NAMED = TrialModel(arms=('wait-list', 'exercise'), visits=('week 0', 'week 7', 'week 14'))


def planted(rng, n=60, n_visits=3, n_arms=2, effect=0.0, missing=0.1):
    y, arm, table = visits(rng, n, n_visits, n_arms, missing)
    return y + effect * arm[:, None] * (np.arange(n_visits) > 0), arm, table


def test_every_arm_is_compared_at_every_visit_after_baseline(rng):
    y, arm, table = planted(rng, n=90, n_arms=3, n_visits=4)
    found = fit_trial(y, arm, table)
    assert [(e.arm, e.visit) for e in found.effects] == [(a, j) for j in (1, 2, 3) for a in (1, 2)]
    assert [test.visit for test in found.joint] == [1, 2, 3]
    assert found.not_estimated == ()
    assert found.sigmas.shape == (3, 4, 4)
    counts = [[np.sum(~np.isnan(y[arm == a, j])) for j in range(4)] for a in range(3)]
    assert found.n.tolist() == counts
    assert (found.n_people, found.n_without_covariates, found.dropped) == (90, 0, ())
    assert (found.sigma, found.structure, found.inference) == ('per_arm', 'unstructured', 'kenward_roger')
    assert found.note == 'a covariance per arm: at least 10 people of each have visit 4'


def test_an_effect_that_is_added_is_found(rng):
    y, arm, table = planted(rng)
    before = fit_trial(y, arm, table)
    after = fit_trial(y + 2.5 * arm[:, None] * (np.arange(3) > 0), arm, table)
    for first, second in zip(before.effects, after.effects):
        assert second.effect.estimate - first.effect.estimate == pytest.approx(2.5, abs=1e-8)
        assert second.effect[1:3] == pytest.approx(first.effect[1:3], rel=1e-7)


@pytest.mark.parametrize('n_visits', [1, 2, 4])
def test_the_rule_counts_people_at_the_primary_visit_and_looks_at_nothing_else(rng, n_visits):
    needed = people_needed(n_visits)
    y, arm, _ = visits(rng, n=8 * needed, n_visits=n_visits, missing=0)
    model = TrialModel(has_baseline=n_visits > 1)
    for left in (needed, needed - 1):
        gone = y.copy()
        gone[np.flatnonzero(arm == 1)[left:], n_visits - 1] = np.nan
        keep = ~np.isnan(gone).all(axis=1)
        found = fit_trial(gone[keep], arm[keep], model=model)
        assert found.sigma == ('per_arm' if left == needed else 'common')
        assert found.n[1, -1] == left
    assert f'{needed - 1} of arm 1 have visit {n_visits}, {needed} are needed' in found.note
    assert found.inference == 'cluster_robust'
    assert found.other_choice == 'per_arm'
    other = fit_trial(y, arm, model=TrialModel(has_baseline=n_visits > 1, sigma=found.other_choice))
    assert (other.sigma, other.note) == ('per_arm', 'a covariance per arm, as asked')


def test_another_visit_may_be_primary(rng):
    y, arm, _ = planted(rng, n=40)
    gone = y.copy()
    gone[np.flatnonzero(arm == 1)[4:], 2] = np.nan
    assert fit_trial(gone, arm).sigma == 'common'
    assert fit_trial(gone, arm, model=TrialModel(primary=1)).sigma == 'per_arm'


def test_arms_drawn_by_lot_share_their_baseline_and_others_do_not(rng):
    y, arm, _ = planted(rng, missing=0)
    apart = y + 3.0 * arm[:, None]
    free = TrialModel(is_randomised=False)
    found = fit_trial(apart, arm, model=free)
    change = y - y[:, :1]
    for one in found.effects:
        welch = stats.ttest_ind(change[arm == 1, one.visit], change[arm == 0, one.visit], equal_var=False)
        # complete data and free means: the change of each arm, whatever it started from
        assert (one.effect.statistic, one.effect.df) == pytest.approx((welch.statistic, welch.df), rel=1e-7)
    assert fit_trial(y, arm, model=free).effects[0].effect == pytest.approx(found.effects[0].effect, rel=1e-7)
    assert fit_trial(apart, arm).effects[0].effect.estimate > 1


def test_an_outcome_without_baseline_is_compared_at_each_visit(rng):
    y, arm, _ = planted(rng, missing=0)
    found = fit_trial(y, arm, model=TrialModel(has_baseline=False))
    assert [e.visit for e in found.effects] == [0, 1, 2]
    for one in found.effects:
        welch = stats.ttest_ind(y[arm == 1, one.visit], y[arm == 0, one.visit], equal_var=False)
        assert (one.effect.statistic, one.effect.df) == pytest.approx((welch.statistic, welch.df), rel=1e-7)


def test_one_visit_after_treatment_is_welch(rng):
    y, arm, _ = planted(rng, n_visits=1, missing=0)
    (one,) = fit_trial(y, arm, model=TrialModel(has_baseline=False)).effects
    welch = stats.ttest_ind(y[arm == 1, 0], y[arm == 0, 0], equal_var=False)
    numbers = (one.effect.statistic, one.effect.df, one.effect.p)
    assert numbers == pytest.approx((welch.statistic, welch.df, welch.pvalue), rel=1e-7)


def test_covariates_have_a_slope_per_visit_and_constant_ones_are_dropped(rng):
    y, arm, table = planted(rng)
    given = np.column_stack([table, np.full(60, 7.0)])
    found, without = fit_trial(y, arm, given), fit_trial(y, arm, table)
    assert found.dropped == (2,)
    assert found.effects == without.effects
    means = design_means(gather(y, arm, table, TrialModel()), TrialModel())
    assert means.design.shape[2] == 1 + 2 * 2 + 2 * 3
    assert fit_trial(y, arm, table[:, 0]).effects == fit_trial(y, arm, table[:, :1]).effects


def test_a_covariate_that_varies_at_some_visits_only_has_slopes_there(rng):
    y, arm, table = planted(rng)
    few = y.copy()
    few[table[:, 0] > 0, 1] = np.nan
    sign = (table[:, 0] > 0).astype(float)
    found = fit_trial(few, arm, sign)
    assert found.dropped == ()
    assert len(found.effects) == 2
    means = design_means(gather(few, arm, sign, TrialModel()), TrialModel())
    assert means.design.shape[2] == 5 + 2


def test_people_without_covariates_or_visits_are_left_out_and_counted(rng):
    y, arm, table = planted(rng, missing=0)
    holes, gone = table.copy(), y.copy()
    holes[[3, 9], [0, 1]] = np.nan
    gone[[5, 9]] = np.nan
    found = fit_trial(gone, arm, holes)
    # person 9 has neither
    assert (found.n_people, found.n_without_covariates) == (57, 1)
    keep = np.delete(np.arange(60), [3, 5, 9])
    assert found.effects == fit_trial(y[keep], arm[keep], table[keep]).effects


def test_an_arm_without_a_visit_is_told_and_the_others_are_compared(rng):
    y, arm, _ = planted(rng, n=90, n_arms=3)
    gone = y.copy()
    gone[arm == 2, 1] = np.nan
    found = fit_trial(gone, arm)
    assert [(e.arm, e.visit) for e in found.effects] == [(1, 1), (1, 2), (2, 2)]
    assert [(m.arm, m.visit, m.reason) for m in found.not_estimated] == [
        (2, 1, 'nobody in arm 2 has visit 2')
    ]
    assert found.sigma == 'common'
    assert 'for all arms is used, for others have no maximum' in found.note
    assert [test.visit for test in found.joint] == [2]


def test_a_visit_nobody_has_is_left_out(rng):
    y, arm, _ = planted(rng)
    gone = y.copy()
    gone[:, 1] = np.nan
    found, pair = fit_trial(gone, arm), fit_trial(y[:, [0, 2]], arm)
    assert found.effects[0].effect == pair.effects[0].effect
    assert [e.visit for e in found.effects] == [2]
    np.testing.assert_array_equal(found.sigmas[:, [0, 0, 2, 2], [0, 2, 0, 2]], pair.sigmas.reshape(2, 4))
    assert np.isnan(found.sigmas[:, 1]).all()


def test_one_person_per_cell_is_refused_with_the_reason(rng):
    y, arm, _ = planted(rng, missing=0)
    alone = y.copy()
    alone[np.flatnonzero(arm == 1)[1:], 2] = np.nan
    with pytest.raises(DataError, match='one person alone in arm 1 has visit 3'):
        fit_trial(alone, arm)
    found = fit_trial(alone, arm, model=TrialModel(primary=1))
    assert [e.visit for e in found.effects] == [1]
    assert found.not_estimated[0].reason == 'one person alone in arm 1 has visit 3'
    # whose value there says nothing of the other visits
    nobody = np.where((arm == 1)[:, None] & (np.arange(3) == 2), np.nan, y)
    assert fit_trial(nobody, arm, model=TrialModel(primary=1)).effects == found.effects
    assert found.n[1, 2] == 1


def test_answers_of_yes_and_no_have_an_answer(rng):
    y, arm, _ = planted(rng, missing=0)
    yes = (y > np.median(y)).astype(float)
    found = fit_trial(yes, arm)
    assert np.isfinite([e.effect for e in found.effects]).all()
    # nobody of an arm at one visit: its own covariance has no maximum, one for all has
    none = np.where((arm == 0)[:, None] & (np.arange(3) == 2), 0.0, yes)
    found = fit_trial(none, arm)
    assert (found.sigma, found.inference) == ('common', 'cluster_robust')
    assert 'no maximum' in found.note


def test_structures_are_tried_in_their_order(rng):
    """An arm of people whose last visits are two of four has no unstructured covariance."""
    y, arm, _ = planted(rng, n_visits=4, missing=0)
    gone = y.copy()
    treated = np.flatnonzero(arm == 1)
    gone[treated[:15], 1] = np.nan
    gone[treated[15:], 2] = np.nan
    for is_equal, structure in ((True, 'toeplitz'), (False, 'compound_symmetry')):
        found = fit_trial(gone, arm, model=TrialModel(is_equally_spaced=is_equal))
        assert (found.sigma, found.structure) == ('per_arm', structure)
    assert 'Heterogeneous compound symmetry per arm is used, for others have no maximum' in found.note
    attempts = fit_in_order(gone, cell_means(arm, 4), arm, 'per_arm', is_equally_spaced=False).attempts
    assert [(a.sigma, a.structure, bool(a.reason)) for a in attempts] == [
        ('per_arm', 'unstructured', True),
        ('per_arm', 'compound_symmetry', False),
    ]
    assert structures_for(4, is_equally_spaced=True) == [
        'unstructured', 'toeplitz', 'autoregressive', 'compound_symmetry',
    ]  # fmt: skip


def test_the_other_choice_stands_beside_it(rng):
    y, arm, _ = planted(rng, missing=0)
    found = fit_trial(y, arm)
    assert (found.sigma, found.other_choice) == ('per_arm', 'common')
    beside = fit_trial(y, arm, model=TrialModel(sigma=found.other_choice))
    assert (beside.sigma, beside.inference, len(beside.sigmas)) == ('common', 'cluster_robust', 1)
    assert beside.note == 'one covariance for all arms, as asked'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda y, a, t: (y[:9], a, t), '9 people have an outcome'),
        (lambda y, a, t: (y, a[:9], t), '9 an arm'),
        (lambda y, a, t: (y, a, t[:9]), '9 covariates'),
        (lambda y, a, t: (y[:0], a[:0], t[:0]), '0 people'),
        (lambda y, a, t: (y, 0 * a, t), r'coded \[0\]'),
        (lambda y, a, t: (y, 2 * a, t), r'coded \[0, 2\]'),
        (lambda y, a, t: (y, a + 0.5, t), 'allowed: 0'),
        (lambda y, a, t: (np.where(y > 6, np.inf, y), a, t), 'infinite'),
        (lambda y, a, t: (y, a, np.where(t > 1, np.inf, t)), 'infinite'),
        (lambda y, a, t: (y[:, :1], a, t), 'none after baseline'),
        (
            lambda y, a, t: (np.where((a == 1)[:, None] & (np.arange(3) == 2), np.nan, y), a, t),
            'nobody in exercise has week 14',
        ),
        (
            lambda y, a, t: (np.where((a == 0)[:, None] & (np.arange(3) == 2), np.nan, y), a, t),
            'nobody in wait-list has week 14',
        ),
        (lambda y, a, t: (np.where(np.arange(3) == 0, np.nan, y), a, t), 'nobody has week 0'),
        (lambda y, a, t: (np.where(np.arange(3) == 2, 4.0, y), a, t), 'week 14 is 4 for everyone'),
        (lambda y, a, t: (np.where(np.arange(3) == 0, 4.0, y), a, t), 'week 0 is 4 for everyone'),
        (lambda y, a, t: (y, a, np.column_stack([t, t @ [1, 2]])), 'linearly dependent'),
        (lambda y, a, t: (y, a, a), 'linearly dependent'),
        (lambda y, a, t: (y[:, [0, 0, 0]] * [1, 2, 1] + [0, 0, 1], a, t), 'repeats another'),
        (
            lambda y, a, t: (y[:9], a[:9], np.random.default_rng(1).standard_normal((9, 12))),
            'linearly dependent|fewer covariates',
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(rng, change, message):
    y, arm, table = planted(rng, missing=0)
    model = NAMED if len(change(y, arm, table)[0].T) == 3 else TrialModel()
    with pytest.raises(DataError, match=message):
        fit_trial(*change(y, arm, table), model)


@pytest.mark.parametrize(
    ('model', 'message'),
    [
        (TrialModel(primary=0), 'number 0'),
        (TrialModel(primary=3), 'number 3'),
        (TrialModel(primary=-4), 'number -4'),
        (TrialModel(arms=('one',)), '1 names are given for 2 arms'),
        (TrialModel(visits=('one', 'two')), '2 names are given for 3 visits'),
    ],
)
def test_a_model_that_does_not_fit_the_outcome_is_refused(rng, model, message):
    y, arm, _ = planted(rng)
    with pytest.raises(DataError, match=message):
        fit_trial(y, arm, model=model)


def test_a_change_needs_a_baseline_of_each_arm(rng):
    y, arm, _ = planted(rng, missing=0)
    gone = np.where((arm == 1)[:, None] & (np.arange(3) == 0), np.nan, y)
    with pytest.raises(DataError, match='nobody in arm 1 has visit 1'):
        fit_trial(gone, arm, model=TrialModel(is_randomised=False))
    # by lot the baseline of one arm is that of the other
    assert len(fit_trial(gone, arm).effects) == 2


def test_an_unknown_choice_is_refused(rng):
    y, arm, _ = planted(rng)
    with pytest.raises(UnknownWordError, match='offered: per_arm, common'):
        fit_trial(y, arm, model=TrialModel(sigma='own'))


def test_a_contrast_without_a_mean_is_none(rng):
    y, arm, _ = planted(rng)
    gone = np.where((arm == 0)[:, None] & (np.arange(3) == 1), np.nan, y)
    for model in (TrialModel(), TrialModel(is_randomised=False)):
        means = design_means(gather(gone, arm, None, model), model)
        assert contrast_rows(means, model, 1, 1) is None
        assert contrast_rows(means, model, 1, 2).tolist().count(1) == 2 - model.is_randomised


def test_drop_out_that_earlier_visits_explain_does_not_bias(rng):
    """Those who start high and are treated leave; the plain difference of those left is wrong."""
    n = 20_000
    arm = np.arange(n) % 2
    level = rng.standard_normal(n)
    y = np.column_stack([level, level + rng.standard_normal(n) - arm])
    y[(arm == 1) & (level > 0.5), 1] = np.nan
    (one,) = fit_trial(y, arm).effects
    assert abs(one.effect.estimate + 1) < 4 * one.effect.se < 0.2
    assert abs(np.nanmean(y[arm == 1, 1]) - np.nanmean(y[arm == 0, 1]) + 1) > 0.3
