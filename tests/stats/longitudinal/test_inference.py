from typing import get_args

import numpy as np
import pytest
from scipy import stats

from pipelines.errors import DataError
from pipelines.stats.longitudinal.cluster_robust import robust_degrees, sandwich
from pipelines.stats.longitudinal.contrasts import estimate_contrasts, joint_test
from pipelines.stats.longitudinal.fit import fit_reml
from pipelines.stats.longitudinal.kenward_roger import degrees, moments
from pipelines.terms import (
    INFERENCES,
    SIGMA_CHOICES,
    STRUCTURES_OF_VISITS,
    Inference,
    SigmaChoice,
    VisitStructure,
)

from . import dense
from .people import autoregressive, cell_means, heterogeneous, unstructured, visits


def difference(n_arms, n_visits, arm, visit):
    """Return the contrast of an arm with the first among a mean per arm and visit."""
    row = np.zeros(n_arms * n_visits)
    row[arm * n_visits + visit], row[visit] = 1, -1
    return row


@pytest.mark.parametrize('name', ['unstructured', 'autoregressive'])
@pytest.mark.parametrize('per_arm', [True, False])
def test_kenward_roger_is_its_definition(rng, name, per_arm):
    y, arm, _ = visits(rng, n=30, n_arms=3)
    design, group = cell_means(arm, 3), arm if per_arm else 0 * arm
    fit = fit_reml(y, design, group, structure=name)
    long, scale = dense.long_form(y, design, group), fit.cells.basis.scale**2
    is_full = name == 'unstructured'
    sigmas_of = unstructured(3) if is_full else heterogeneous(3, autoregressive)
    units = np.ones_like(fit.parameters)
    units[:, : 6 if is_full else 3] = scale
    top = (fit.parameters * units).ravel()
    spread = fit.spread * np.outer(units.ravel(), units.ravel())
    wanted = dense.kenward_roger(sigmas_of, top, long, spread)
    contrasts = np.stack([difference(3, 3, a, 2) for a in (1, 2)])
    found = moments(fit, contrasts)
    # the same algebra by sums over cells
    np.testing.assert_allclose(found.covariance, contrasts @ wanted.covariance @ contrasts.T, rtol=1e-8)
    np.testing.assert_allclose(found.adjusted, contrasts @ wanted.adjusted @ contrasts.T, rtol=1e-7)
    for which, row in enumerate(contrasts):
        slope = np.array([row @ one @ row for one in wanted.slopes])
        df = 2 * (row @ wanted.covariance @ row) ** 2 / (slope @ spread @ slope)
        assert degrees(found, which) == pytest.approx(df, rel=1e-7)
    values = contrasts @ fit.coefficients
    together = joint_test(fit, contrasts)
    statistic, df = dense.scaled_f(contrasts, values, wanted, spread)
    assert together.statistic == pytest.approx(statistic, rel=1e-7)
    assert together.df_denominator == pytest.approx(df, rel=1e-6)
    assert together.p == pytest.approx(stats.f.sf(statistic, 2, df), rel=1e-6)


def test_one_visit_with_own_variances_is_welch(rng):
    y, arm, _ = visits(rng, n=15, n_visits=1, missing=0)
    (found,) = estimate_contrasts(fit_reml(y, cell_means(arm, 1), arm), [-1, 1])
    wanted = stats.ttest_ind(y[arm == 1, 0], y[arm == 0, 0], equal_var=False)
    low, high = wanted.confidence_interval()
    numbers = (found.statistic, found.p, found.df, found.ci_low, found.ci_high)
    # variances at the top of the likelihood to ten digits
    np.testing.assert_allclose(numbers, (*wanted, wanted.df, low, high), rtol=1e-8)
    satterthwaite = estimate_contrasts(fit_reml(y, cell_means(arm, 1), arm), [-1, 1], 'satterthwaite')[0]
    np.testing.assert_allclose(satterthwaite, found, rtol=1e-8)


def test_one_visit_with_one_variance_is_analysis_of_variance(rng):
    y, arm, _ = visits(rng, n=14, n_visits=1, n_arms=3, missing=0)
    fit = fit_reml(y, cell_means(arm, 1), 0 * arm)
    wanted = stats.f_oneway(*(y[arm == a, 0] for a in range(3)))
    for inference in ('kenward_roger', 'satterthwaite'):
        found = joint_test(fit, [[-1, 1, 0], [-1, 0, 1]], inference)
        np.testing.assert_allclose(found, (wanted.statistic, 2, 11, wanted.pvalue), rtol=1e-8)


def test_complete_visits_of_one_group_are_hotellings_test(rng):
    y, arm, _ = visits(rng, n=12, missing=0)
    together = np.ones((12, 3, 3)) * np.eye(3)
    contrasts = np.array([[1.0, -1, 0], [0, 1, -1]])
    found = joint_test(fit_reml(y, together, 0 * arm), contrasts)
    changes = y @ contrasts.T
    mean = changes.mean(axis=0)
    t2 = 12 * mean @ np.linalg.solve(np.cov(changes.T), mean)
    # n - m people over m (n - 1): exact, and Kenward and Roger chose their formula to be
    statistic = (12 - 2) / (2 * 11) * t2
    np.testing.assert_allclose(found, (statistic, 2, 10, stats.f.sf(statistic, 2, 10)), rtol=1e-7)


@pytest.mark.parametrize('inference', INFERENCES)
def test_one_contrast_together_is_its_square(rng, inference):
    y, arm, _ = visits(rng, n=40)
    fit = fit_reml(y, cell_means(arm, 3), 0 * arm)
    row = difference(2, 3, 1, 2)
    (alone,), together = estimate_contrasts(fit, row, inference), joint_test(fit, row, inference)
    np.testing.assert_allclose(together, (alone.statistic**2, 1, alone.df, alone.p), rtol=1e-9)


@pytest.mark.parametrize('inference', INFERENCES)
def test_a_joint_test_does_not_depend_on_how_it_is_asked(rng, inference):
    y, arm, _ = visits(rng, n=45, n_arms=3)
    fit = fit_reml(y, cell_means(arm, 3), 0 * arm)
    rows = np.stack([difference(3, 3, a, 2) for a in (1, 2)])
    first, second = (joint_test(fit, turn @ rows, inference) for turn in (np.eye(2), [[1, -1], [3, 2]]))
    if inference == 'satterthwaite':  # its degrees of freedom depend on how contrasts are turned
        assert second.statistic == pytest.approx(first.statistic, rel=1e-9)
    else:
        np.testing.assert_allclose(second, first, rtol=1e-7)


def test_standard_errors_grow_by_what_the_covariance_costs(rng):
    y, arm, _ = visits(rng, n=20)
    fit = fit_reml(y, cell_means(arm, 3), arm)
    row = difference(2, 3, 1, 2)
    adjusted, bare = (estimate_contrasts(fit, row, name)[0] for name in ('kenward_roger', 'satterthwaite'))
    assert adjusted.se > bare.se
    assert (adjusted.estimate, adjusted.df) == (bare.estimate, bare.df)
    many = np.tile(y, (200, 1)), cell_means(np.tile(arm, 200), 3), np.tile(arm, 200)
    fit = fit_reml(*many)
    adjusted, bare = (estimate_contrasts(fit, row, name)[0] for name in ('kenward_roger', 'satterthwaite'))
    assert adjusted.se == pytest.approx(bare.se, rel=1e-3)


def robust(rng, n_arms=2, n=16):
    """Return a fit with covariates, contrasts at the last visit, and all in long form."""
    y, arm, table = visits(rng, n=n, n_arms=n_arms)
    slopes = np.einsum('i,jk->ijk', table[:, 0], np.eye(3))
    design = np.concatenate([cell_means(arm, 3), slopes], axis=2)
    fit = fit_reml(y, design, 0 * arm)
    contrasts = np.stack([np.append(difference(n_arms, 3, a, 2), np.zeros(3)) for a in range(1, n_arms)])
    return fit, contrasts, dense.long_form(y, design, 0 * arm)


def test_cluster_robust_is_its_definition(rng):
    fit, contrasts, long = robust(rng)
    wanted = dense.cr2(fit.sigmas, long, contrasts)
    found = sandwich(fit, contrasts)
    np.testing.assert_allclose(found.covariance, wanted.covariance, rtol=1e-8)
    df = dense.cr2_degrees(wanted, fit.sigmas, long)
    assert robust_degrees(found, 0) == pytest.approx(df, rel=1e-8)
    (estimate,) = estimate_contrasts(fit, contrasts, 'cluster_robust')
    assert (estimate.se, estimate.df) == (np.sqrt(found.covariance[0, 0]), robust_degrees(found, 0))


def test_several_arms_cluster_robust_is_its_definition(rng):
    fit, contrasts, long = robust(rng, n_arms=3, n=24)
    wanted = dense.cr2(fit.sigmas, long, contrasts)
    statistic, df = dense.hotelling(wanted, contrasts @ fit.coefficients, contrasts, fit.sigmas, long)
    found = joint_test(fit, contrasts, 'cluster_robust')
    np.testing.assert_allclose(found, (statistic, 2, df, stats.f.sf(statistic, 2, df)), rtol=1e-7)


def test_cluster_robust_variance_is_right_where_the_model_is(rng):
    """Its mean under the working covariance is the variance of the contrast: what CR2 is made for."""
    fit, contrasts, _ = robust(rng)
    found = sandwich(fit, contrasts)
    expected = np.sum(found.own[:, 0, 0] - np.sum(found.shared[:, 0] ** 2, axis=1))
    assert expected == pytest.approx(found.model[0, 0], rel=1e-9)


def test_cluster_robust_at_one_visit_is_bell_and_mccaffrey(rng):
    y, arm, _ = visits(rng, n=15, n_visits=1, missing=0)
    (found,) = estimate_contrasts(fit_reml(y, cell_means(arm, 1), 0 * arm), [-1, 1], 'cluster_robust')
    n = np.bincount(arm)
    welch = stats.ttest_ind(y[arm == 1, 0], y[arm == 0, 0], equal_var=False)
    df = np.sum(1 / n) ** 2 / np.sum(1 / (n**2 * (n - 1)))
    assert (found.statistic, found.df) == pytest.approx((welch.statistic, df), rel=1e-8)


@pytest.mark.parametrize('apart', [0.03, 0.01])
def test_visits_that_hardly_differ_have_a_robust_standard_error(rng, apart):
    """Correlations of .999 and .9999 are no person alone; the error of the difference shrinks with it."""
    arm = np.arange(20) % 2
    level = rng.standard_normal((20, 1))
    y = level + apart * rng.standard_normal((20, 2))
    fit = fit_reml(y, cell_means(arm, 2), 0 * arm)
    row = difference(2, 2, 1, 1) - difference(2, 2, 1, 0)
    found = sandwich(fit, row[None])
    change = y[:, 1] - y[:, 0]
    # a change is one value of each person: CR2 of two means is their variance
    wanted = sum(np.var(change[arm == a], ddof=1) / 10 for a in (0, 1))
    assert found.covariance[0, 0] == pytest.approx(wanted, rel=1e-5)
    assert robust_degrees(found, 0) == pytest.approx(18, rel=1e-5)


def test_a_mean_of_one_person_has_no_robust_standard_error(rng):
    y, arm, _ = visits(rng, missing=0)
    alone = np.where((arm == 1)[:, None] & (np.arange(3) == 2), np.nan, y)
    alone[np.flatnonzero(arm == 1)[0], 2] = 4.0
    fit = fit_reml(alone, cell_means(arm, 3), 0 * arm)
    with pytest.raises(DataError, match='one person alone'):
        estimate_contrasts(fit, difference(2, 3, 1, 2), 'cluster_robust')
    # others do not rest on that person
    assert estimate_contrasts(fit, difference(2, 3, 1, 1)[:6], 'kenward_roger')[0].se > 0


@pytest.mark.parametrize('inference', INFERENCES)
def test_the_same_contrast_twice_is_no_joint_test(rng, inference):
    y, arm, _ = visits(rng)
    fit = fit_reml(y, cell_means(arm, 3), 0 * arm)
    row = difference(2, 3, 1, 2)
    with pytest.raises(DataError, match='linearly dependent'):
        joint_test(fit, [row, 2 * row], inference)


def test_too_few_people_for_a_joint_test_are_told():
    y = np.array([1.0, 3, 2, 7, 4, 9])
    arm = np.repeat([0, 1, 2], 2)
    fit = fit_reml(y[:, None], cell_means(arm, 1), arm)
    with pytest.raises(DataError, match='too few people'):
        joint_test(fit, [[-1, 1, 0], [-1, 0, 1]])


def test_words_are_those_of_the_tables():
    assert get_args(Inference) == tuple(INFERENCES)
    assert get_args(SigmaChoice) == tuple(SIGMA_CHOICES)
    assert get_args(VisitStructure) == tuple(STRUCTURES_OF_VISITS)
    fit = fit_reml([[1.0], [2.0], [4.0]], np.ones((3, 1, 1)), [0, 0, 0])
    for ask in (estimate_contrasts, joint_test):
        with pytest.raises(AssertionError, match='asymptotic'):
            ask(fit, [1.0], 'asymptotic')
