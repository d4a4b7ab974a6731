"""Planned trials: what is drawn is what was assumed, and sizes are those that reach a power."""

import numpy as np
import pytest
from scipy import stats

from pipelines.errors import DataError, ParameterError
from pipelines.simulated import planned, sizes
from pipelines.simulated.planned import (
    PlannedTrial,
    draw_trial,
    even_dropout,
    simulate_mediation,
    simulate_power,
)
from pipelines.simulated.sizes import SizeQuestion, needed_size, plan_sizes
from pipelines.stats.longitudinal.trial import fit_trial
from pipelines.stats.longitudinal.trial_design import TrialModel
from pipelines.stats.mediation_power import Power
from pipelines.stats.power import difference_power, paths_power


def plan_of(**changes):
    given = {
        'effects': (1.2,), 'sds': (2.0, 2.0), 'correlations': (0.5,), 'dropout': (0.0, 0.15), 'allocation': (1, 1),
    }  # fmt: skip
    return PlannedTrial(**{**given, **changes})


THREE = plan_of(
    effects=(1.0, -2.0),
    sds=(1.0, 2.0, 3.0),
    correlations=(0.6, 0.3, 0.5),
    dropout=(0.0, 0.1, 0.3),
    allocation=(2, 1, 1),
)


def test_what_is_drawn_is_what_was_assumed(rng):
    n = 80_000
    values, arm = draw_trial(THREE, n, rng)
    assert np.bincount(arm).tolist() == THREE.people(n) == [40_000, 20_000, 20_000]
    # three standard errors of a share, a mean and a correlation of 20,000 people or more
    np.testing.assert_allclose(np.isnan(values).mean(axis=0), THREE.dropout, atol=0.006)
    means = np.array([np.nanmean(values[arm == a], axis=0) for a in range(3)])
    wanted = np.array([[0, 0, 0], [0, 1, 1], [0, -2, -2]])
    np.testing.assert_allclose(means, wanted, atol=0.08)
    left = values - wanted[arm]
    whole = left[~np.isnan(left).any(axis=1)]
    np.testing.assert_allclose(np.cov(whole.T), THREE.covariance, rtol=0.05)
    np.testing.assert_allclose(np.corrcoef(whole.T), THREE.correlation, atol=0.02)


def test_who_has_left_does_not_come_back(rng):
    values, _ = draw_trial(THREE, 500, rng)
    missing = np.isnan(values)
    assert (np.diff(missing.astype(int), axis=1) >= 0).all()


@pytest.mark.parametrize('n', [7, 10, 11, 12, 57, 101])
@pytest.mark.parametrize('allocation', [(1, 1), (1, 2), (1, 1, 1), (3, 2, 2)])
def test_everybody_is_in_an_arm(n, allocation):
    people = plan_of(effects=(1.0,) * (len(allocation) - 1), allocation=allocation).people(n)
    assert sum(people) == n
    assert max(abs(found - n * part / sum(allocation)) for found, part in zip(people, allocation)) < 1


def test_dropout_rises_evenly_to_the_primary_visit():
    assert even_dropout(0.3, 4, 3) == pytest.approx((0, 0.1, 0.2, 0.3))
    assert even_dropout(0.3, 3, 1) == (0, 0.3, 0.3)


def test_correlations_that_cannot_be_are_refused():
    with pytest.raises(ParameterError, match=r'0\.9 0\.9 -0\.5 cannot all be true'):
        plan_of(sds=(1, 1, 1), correlations=(0.9, 0.9, -0.5), dropout=(0, 0, 0))


@pytest.mark.parametrize(
    ('model', 'difference', 'n_baselines'),
    [
        (TrialModel(), 1.2 / (2 * np.sqrt(0.75)), 1),
        (TrialModel(is_randomised=False), 1.2 / 2, 0),  # the change has variance 2 x 4 x (1 - 0.5)
    ],
)
def test_closed_form_is_that_of_the_model(model, difference, n_baselines):
    found = plan_of(model=model).closed_form(80)
    assert found == difference_power(34, 34, difference, n_baselines=n_baselines)


def test_nobody_left_has_no_power():
    plan = plan_of(dropout=(0.0, 0.95))
    assert plan.closed_form(40) == 0
    assert plan.closed_form(sizes.expected_size(plan, 0.8)) >= 0.8


def test_closed_form_without_a_baseline():
    plan = plan_of(sds=(2.0,), correlations=(), dropout=(0.0,), model=TrialModel(has_baseline=False))
    assert plan.closed_form(60) == difference_power(30, 30, 0.6)


def test_power_is_counted_by_the_model_of_a_trial(rng):
    plan, told = plan_of(effects=(1.6,)), []
    found = simulate_power(plan, 60, rng, 20, lambda: told.append(1))
    assert len(told) == 10
    assert (found.n, found.n_trials, found.failed) == (60, 20, 0)
    again = np.random.default_rng(5)
    wanted = [fit_trial(*draw_trial(plan, 60, again)).effects[0].effect.p < 0.05 for _ in range(5)]
    few = simulate_power(plan, 60, np.random.default_rng(5), 5)
    assert few.power[0].power == np.mean(wanted)
    # four Monte Carlo standard errors of 20 trials
    assert found.power[0].power == pytest.approx(plan.closed_form(60), abs=4 * 0.09)
    assert found.every == found.power[0]


class _Effect:
    def __init__(self, arm, p):
        self.arm, self.visit = arm, 1
        self.effect = type('Effect', (), {'p': p})


@pytest.mark.parametrize(
    ('order', 'wanted'),
    [
        (None, [True, False]),  # Holm: 2 x 0.02 and 0.06
        ((1, 0), [False, False]),
        ((0, 1), [True, False]),
    ],
)
def test_several_arms_are_adjusted_as_the_trial_does(rng, monkeypatch, order, wanted):
    fit = type('Fit', (), {'effects': [_Effect(1, 0.02), _Effect(2, 0.06)]})
    monkeypatch.setattr(planned, 'fit_trial', lambda *given, **more: fit)
    plan = plan_of(effects=(1.0, 1.0), allocation=(1, 1, 1), order=order)
    found = simulate_power(plan, 30, rng, 10)
    assert [each.power for each in found.power] == wanted
    assert found.every.power == 0


def test_trials_without_an_answer_are_counted(rng, monkeypatch):
    def refuse(*given, **more):
        raise DataError('no')

    monkeypatch.setattr(planned, 'fit_trial', refuse)
    found = simulate_power(plan_of(), 30, rng, 20)
    assert (found.failed, found.power[0].power) == (20, 0)


@pytest.mark.parametrize('allocation', [(1, 1), (1, 2), (1, 3)])
def test_the_least_size_is_the_first_that_reaches_the_power(allocation):
    plan = plan_of(allocation=allocation)
    step = sum(allocation)
    n = sizes.expected_size(plan, 0.8)
    assert n % step == 0
    every = [m for m in range(12 // step * step, 400, step) if m > 12 and plan.closed_form(m) >= 0.8]
    assert n == every[0]


def test_level_is_shared_among_arms_unless_they_have_an_order():
    both = plan_of(effects=(1.2, 1.2), allocation=(1, 1, 1))
    ordered = plan_of(effects=(1.2, 1.2), allocation=(1, 1, 1), order=(0, 1))
    assert sizes.expected_size(both, 0.8) > sizes.expected_size(ordered, 0.8)


def curve_of(plan, points, shift, n_trials=200):
    found = []
    for n in points:
        power = float(stats.norm.cdf(stats.norm.ppf(plan.closed_form(n)) + shift))
        each = Power(power, np.sqrt(power * (1 - power) / n_trials))
        found.append(planned.FoundPower(n, (each,), each, 0, n_trials))
    return found


@pytest.mark.parametrize('target', [0.7, 0.8, 0.9])
@pytest.mark.parametrize('shift', [-0.3, 0.0, 0.2])
def test_the_size_is_that_of_the_closed_form_shifted_to_what_was_found(target, shift):
    plan = plan_of()
    found = needed_size(plan, curve_of(plan, (50, 70, 90, 110), shift), target)
    whole = [one.n for one in curve_of(plan, range(14, 400, 2), shift) if one.power[0].power >= target]
    assert found == whole[0]
    assert (found > sizes.expected_size(plan, target)) == (shift < 0)


@pytest.mark.parametrize('power', [0.0, 1.0])
def test_a_curve_that_found_all_or_nothing_gives_a_size(power):
    plan, each = plan_of(), Power(power, 0.0)
    found = needed_size(plan, [planned.FoundPower(n, (each,), each, 0, 10) for n in (60, 80)], 0.8)
    assert (found < sizes.expected_size(plan, 0.8)) == (power == 1)


def test_effects_that_nobody_can_find_are_refused():
    with pytest.raises(ParameterError, match='in units of the outcome'):
        sizes.expected_size(plan_of(effects=(0.001,)), 0.8)
    with pytest.raises(ParameterError, match='10 people in 2 arms are too few'):
        sizes.sizes_around(plan_of(), 10, (1.0,))


def test_mediation_of_complete_people(rng):
    plan = plan_of(dropout=(0, 0.2))
    n = sizes.mediation_size(plan, (0.39, 0.39), 0.8)
    assert paths_power(0.8 * n, 0.39, 0.39) >= 0.8 > paths_power(0.8 * (n - 2), 0.39, 0.39)
    found = simulate_mediation(plan, n, (0.39, 0.39), rng, 100)
    # the bootstrap finds as much as both paths do (Fritz and MacKinnon); three Monte Carlo standard errors and 0.02
    assert found.power == pytest.approx(0.8, abs=3 * 0.04 + 0.02)


def normal_model(monkeypatch):
    """Put the t test of change in place of the model of all visits, for speed."""

    def fit(values, arm, model):
        change = np.diff(values)[:, 0]
        p = stats.ttest_ind(*(change[(arm == a) & ~np.isnan(change)] for a in (1, 0))).pvalue
        return type('Fit', (), {'effects': [_Effect(1, p)]})

    monkeypatch.setattr(planned, 'fit_trial', fit)


@pytest.mark.long
def test_a_plan_for_a_power(rng, monkeypatch):
    normal_model(monkeypatch)
    monkeypatch.setattr(sizes, 'simulate_mediation', lambda *given: Power(0.8, 0.01))
    plan = plan_of(model=TrialModel(is_randomised=False, arms=('control', 'yoga')))
    request, told = SizeQuestion(None, 0.8, (0.39, 0.39), 100), []
    found = plan_sizes(plan, request, rng, lambda: told.append(1))
    assert len(told) <= request.n_ticks == 10 * (6 + 3)
    table = found.table.set_index(['analysis', 'n'])
    assert list(found.table) == list(sizes.SIZE_COLUMNS)
    planned_row = table.loc[('primary', found.n_primary)]
    assert planned_row['n_trials'] == 100
    # 20 trials at five sizes know power to 0.04, and the size to a tenth of it: three standard errors
    assert found.n_primary == pytest.approx(sizes.expected_size(plan, 0.8), rel=0.35)
    assert abs(planned_row['power'] - planned_row['closed_form']) < 4 * planned_row['mc_se']
    assert table.loc[('mediation', found.n_mediation), 'is_planned']
    assert found.table['arm'].unique().tolist() == ['yoga']


@pytest.mark.long
def test_a_plan_of_given_people(rng, monkeypatch):
    normal_model(monkeypatch)
    found = plan_sizes(plan_of(), SizeQuestion(100, 0.8, None, 100), rng, lambda: None)
    assert (found.n_primary, found.n_mediation) == (100, None)
    assert found.table['n'].tolist() == [60, 80, 100, 120, 140]
    assert found.table.loc[found.table['is_planned'], 'n_trials'].tolist() == [100]
