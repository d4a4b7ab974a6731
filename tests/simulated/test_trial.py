"""The people of a simulated trial against the equations that they are drawn from."""

import numpy as np
import pytest

from pipelines.numerics.motion import framewise_displacement
from pipelines.simulated.counts import simulate_counts
from pipelines.simulated.series import BOLD_MEAN
from pipelines.simulated.trial import (
    SIGNAL_LEFT,
    TrialParameters,
    answer_items,
    draw_cohort,
    lose_signal,
    planted_effects,
    rate_pain,
    restless_motion,
)

MANY = 40_000
TRUTH = planted_effects(TrialParameters())


@pytest.fixture(scope='module')
def cohort():
    return draw_cohort(np.random.default_rng(11), MANY, MANY // 2)


def slopes(outcome, *terms):
    """Least squares slopes of the terms, without that of the constant."""
    model = np.column_stack([np.ones(len(outcome)), *terms])
    return np.linalg.lstsq(model, outcome, rcond=None)[0][1:]


@pytest.mark.parametrize(
    ('name', 'effect', 'error'),
    # SE = 2 sd sqrt(1 - r^2) / sqrt(40,000), given the baseline; four of them
    [
        ('connectivity', TRUTH.connectivity, 0.008),
        ('expression', TRUTH.expression, 0.013),
        ('fa', TRUTH.fa, 0.001),
        ('pain', TRUTH.pain, 0.045),
        ('disability', TRUTH.disability, 0.21),
        ('submap85', TRUTH.submap85, 0.72),
        ('sixmwd', TRUTH.sixmwd, 2.1),
    ],
)
def test_training_changes_what_the_closed_form_says(cohort, name, effect, error):
    first, last = getattr(cohort, name).T
    assert slopes(last, cohort.treated, first)[0] == pytest.approx(effect, abs=error)


def test_paths_of_mediation_are_those_of_the_closed_form(cohort):
    """Both baselines stand in both models, as the analysis has them."""
    x, (c0, c1), (g0, g1), (y0, y1) = (
        cohort.treated,
        cohort.connectivity.T,
        cohort.expression.T,
        cohort.pain.T,
    )
    direct, by_connectivity, by_expression, *_ = slopes(y1, x, c1, g1, c0, g0, y0)
    assert direct == pytest.approx(TRUTH.pain_direct, abs=0.05)
    assert by_connectivity == pytest.approx(TrialParameters().pain_by_connectivity, abs=0.1)
    assert by_expression == pytest.approx(TrialParameters().pain_by_expression, abs=0.06)
    to_connectivity, to_expression = slopes(c1, x, c0, y0)[0], slopes(g1, x, g0, y0)[0]
    assert to_connectivity * by_connectivity == pytest.approx(TRUTH.pain_by_connectivity, abs=0.04)
    assert to_expression * by_expression == pytest.approx(TRUTH.pain_by_expression, abs=0.04)
    # one mediator alone: the other's part counts as direct
    alone = slopes(y1, x, c1, c0, y0)
    assert alone[1] == pytest.approx(TrialParameters().pain_by_connectivity, abs=0.1)
    assert alone[0] == pytest.approx(TRUTH.pain - TRUTH.pain_by_connectivity, abs=0.06)


def test_parts_of_the_effect_add_up():
    parts = TRUTH.pain_direct + TRUTH.pain_by_connectivity + TRUTH.pain_by_expression
    assert parts == pytest.approx(TRUTH.pain, abs=1e-12)


def test_visits_of_a_person_are_alike(cohort):
    """Without training the correlation of two visits is the one asked for."""
    p, waiting = TrialParameters(), ~cohort.treated
    for name, wanted in (
        ('connectivity', p.connectivity_retest), ('expression', p.expression_retest), ('fa', p.fa_retest),
        ('submap85', p.submap85[2]), ('sixmwd', p.sixmwd[2]), ('pain', p.pain_retest),
    ):  # fmt: skip
        # SE (1 - r^2) / sqrt(20,000) < .005; mediators repeat as well as the rest of pain does
        assert np.corrcoef(getattr(cohort, name)[waiting].T)[0, 1] == pytest.approx(wanted, abs=0.02), name


def test_arms_do_not_differ_before_training(cohort):
    for name in ('connectivity', 'expression', 'fa', 'pain', 'disability', 'submap85', 'sixmwd'):
        first = getattr(cohort, name)[:, 0]
        gap = first[cohort.treated].mean() - first[~cohort.treated].mean()
        assert abs(gap) < 4 * first.std() * 2 / np.sqrt(MANY), name


def test_bdnf_rises_after_training_and_leaves_the_range_of_the_assay(cohort):
    mean = cohort.log_bdnf[cohort.treated].mean(axis=0) - cohort.log_bdnf[~cohort.treated].mean(axis=0)
    assert mean[0, 1] - mean[0, 0] == pytest.approx(TRUTH.bdnf_acute_s7, abs=0.015)
    assert mean[1, 1] - mean[1, 0] == pytest.approx(TRUTH.bdnf_acute_s42, abs=0.015)
    assert mean[1, 0] - mean[0, 0] == pytest.approx(TRUTH.bdnf_resting_change, abs=0.015)
    within = cohort.log_bdnf - cohort.log_bdnf.mean(axis=(1, 2), keepdims=True)
    assert cohort.log_bdnf.var() > 2 * within.var()
    low, high = TrialParameters().bdnf_limits
    assert 0.005 < np.mean(np.exp(cohort.log_bdnf) < low) < 0.1
    assert 0.005 < np.mean(np.exp(cohort.log_bdnf) > high) < 0.1


def test_ratings_and_items_keep_their_scales(cohort, rng):
    rated = rate_pain(cohort.pain)
    assert set(np.unique(rated)) <= set(range(11))
    assert np.mean(np.abs(rated - cohort.pain)) < 0.4  # 1/4 where nothing is cut off
    items = answer_items(cohort.disability, rng)
    assert items.shape == (MANY, 2, 10)
    assert set(np.unique(items)) <= set(range(6))
    slope = slopes(items.sum(axis=-1).ravel(), cohort.disability.ravel())[0]
    assert slope == pytest.approx(1, abs=0.1)  # people near 0 or 5 in an item flatten it a little
    middle = np.abs(cohort.disability - 25) < 1
    assert (items[middle].sum(axis=-1) - cohort.disability[middle]).mean() == pytest.approx(0, abs=0.3)


def test_only_those_who_train_attend(cohort):
    assert np.isnan(cohort.attended[~cohort.treated]).all()
    came = cohort.attended[cohort.treated]
    assert came.min() >= 0
    assert came.max() <= 42
    assert 0.7 * 42 < came.mean() < 0.95 * 42


def test_a_parameter_changes_nothing_but_its_own_part():
    usual, none = (
        draw_cohort(np.random.default_rng(2), 30, 12, p)
        for p in (TrialParameters(), TrialParameters(fa_effect=0.0))
    )
    np.testing.assert_allclose(usual.fa - none.fa, 0.03 * np.outer(usual.treated, [0, 1]), atol=1e-12)
    assert (usual.pain == none.pain).all()
    assert usual.treated.sum() == 12


@pytest.mark.parametrize('n_treated', [0, 5, 9])
def test_an_empty_arm_is_refused(n_treated, rng):
    with pytest.raises(ValueError, match='arm empty'):
        draw_cohort(rng, 5, n_treated)


def test_dropout_takes_signal_where_it_is_asked_to(rng):
    series = BOLD_MEAN * (1 + 0.01 * rng.standard_normal((200, 40)))
    series.setflags(write=False)
    lost = np.arange(40) < 10
    found = lose_signal(series, lost, rng)
    assert (found[:, ~lost] == series[:, ~lost]).all()
    assert found[:, lost].mean() == pytest.approx(SIGNAL_LEFT * BOLD_MEAN, rel=0.01)
    # 30 % of the fluctuation, and noise as large as all of it was
    r = [np.corrcoef(found[:, k], series[:, k])[0, 1] for k in range(10)]
    assert np.mean(r) == pytest.approx(0.3 / np.sqrt(1 + 0.3**2), abs=0.08)


def test_a_restless_person_moves_too_much_but_not_always(rng):
    fd = np.nan_to_num([framewise_displacement(restless_motion(150, rng)) for _ in range(20)])
    assert fd.mean(axis=1).min() > 0.5
    # what is left of 150 volumes of 3 s must be enough to denoise: 20 degrees of freedom need 119
    assert (fd < 0.5).sum(axis=1).min() >= 125


def test_counts_follow_the_shifts_of_a_pathway():
    rng = np.random.default_rng(8)
    shifts = 0.5 * rng.standard_normal((40, 2))
    drawn = simulate_counts(
        rng, n_people=40, n_treated=20, n_genes=1200, n_changed=0, n_pathways=2, shifts=shifts
    )
    levels = np.log2(drawn.counts + 1)
    levels = levels - levels.mean(axis=0)
    score = levels[drawn.pathways[0]].mean(axis=0)
    # per gene .5 for the person and .35 for the sample, log2, through 40 genes: .1 beside .5
    assert slopes(score, shifts.ravel())[0] == pytest.approx(1, abs=0.15)
    assert np.corrcoef(score, shifts.ravel())[0, 1] > 0.9
    other = levels[drawn.pathways[1]].mean(axis=0)
    assert abs(slopes(other, shifts.ravel())[0]) < 0.15
    change = np.diff(shifts, axis=1)[:, 0]
    assert drawn.effect[drawn.pathways[0]] == pytest.approx(change[:20].mean() - change[20:].mean())
    with pytest.raises(ValueError, match='two samples each'):
        simulate_counts(rng, n_people=4, n_treated=2, n_genes=90, n_changed=0, n_pathways=1, shifts=shifts)
