"""Sites that are a sample of sites: one covariance of all values, closed forms, and the numbers of R's ``nlme::lme``."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.regression.mixed_linear_model import MixedLM

from pipelines.errors import DataError
from pipelines.stats.longitudinal.cluster_robust import robust_degrees, sandwich
from pipelines.stats.longitudinal.contrasts import estimate_contrasts
from pipelines.stats.longitudinal.fit import fit_reml
from pipelines.stats.longitudinal.kenward_roger import degrees, moments
from pipelines.stats.longitudinal.sites import add_sites, do_sites_differ
from pipelines.stats.longitudinal.trial import fit_trial
from pipelines.stats.longitudinal.trial_design import TrialModel, contrast_rows, design_means, gather

from . import dense
from .people import autoregressive, cell_means, heterogeneous, unstructured, visits

GOLDEN = Path(__file__).resolve().parents[2] / 'golden'


def at_sites(rng, n=40, n_sites=5, spread=1.2, **shape):
    """Return outcome, arm and site; each arm is at each site."""
    y, arm, _ = visits(rng, n=n, **shape)
    site = rng.permutation(np.arange(n) % n_sites)
    return y + spread * rng.standard_normal(n_sites)[site, None], arm, site


def one_visit(rng, n_sites, n_each, spread, *, are_clusters):
    """Return a complete outcome (n, 1), arm and site of equal sites; arms of sites, or halves of each."""
    site = np.repeat(np.arange(n_sites), n_each)
    arm = site % 2 if are_clusters else np.arange(len(site)) % 2
    y = spread * rng.standard_normal(n_sites)[site] + rng.standard_normal(len(site))
    return y[:, None], arm, site


def whole_with(sites_of, long, site):
    """Return the covariance of all values by the parameters of people and, the last one, of sites."""

    def whole(parameters, same):
        together = site[same.person][:, None] == site[same.person]
        return alone(sites_of(parameters[:-1]), same) + parameters[-1] * together

    alone = dense.whole
    return whole


@pytest.mark.parametrize('name', ['unstructured', 'autoregressive'])
@pytest.mark.parametrize('per_arm', [True, False])
def test_all_inference_is_that_of_one_covariance_of_all_values(rng, monkeypatch, name, per_arm):
    y, arm, site = at_sites(rng, n=24)
    design, group = cell_means(arm, 3), arm if per_arm else 0 * arm
    fit = fit_reml(y, design, group, structure=name, sites=site)
    assert fit.site_variance > 0
    long, scale = dense.long_form(y, design, group), fit.cells.basis.scale**2
    is_full = name == 'unstructured'
    sigmas_of = unstructured(3) if is_full else heterogeneous(3, autoregressive)
    units = np.ones_like(fit.parameters)
    units[:, : 6 if is_full else 3] = scale
    top, free = (fit.parameters * units).ravel()[fit.free], units.ravel()[fit.free]
    monkeypatch.setattr(dense, 'whole', whole_with(sigmas_of, long, site))
    assert fit.minus_two_loglik == pytest.approx(dense.minus_two_loglik(top, long), abs=1e-8)
    # at the top, where half of a likelihood of some hundreds has no slope
    assert np.abs(dense.gradient(lambda p: p, top, long)).max() < 1e-5
    spread = fit.spread[np.ix_(fit.free, fit.free)] * np.outer(free, free)
    if is_full and not per_arm:
        curvature = dense.hessian(lambda p: p, top, long)
        # second derivatives by differences of slopes have about six digits
        np.testing.assert_allclose(spread @ curvature, np.eye(len(top)), atol=1e-4)
    wanted = dense.kenward_roger(lambda p: p, top, long, spread)
    row = np.zeros(6)
    row[[5, 2]] = 1, -1
    found = moments(fit, row[None])
    assert found.covariance[0, 0] == pytest.approx(row @ wanted.covariance @ row, rel=1e-8)
    # the same algebra by sums over people and sites
    assert found.adjusted[0, 0] == pytest.approx(row @ wanted.adjusted @ row, rel=1e-7)
    slope = np.array([row @ one @ row for one in wanted.slopes])
    df = 2 * (row @ wanted.covariance @ row) ** 2 / (slope @ spread @ slope)
    assert degrees(found, 0) == pytest.approx(df, rel=1e-7)


def test_halves_of_sites_are_blocks_of_an_analysis_of_variance(rng):
    y, arm, site = one_visit(rng, 6, 8, 1.5, are_clusters=False)
    fit = fit_reml(y, cell_means(arm, 1), 0 * arm, sites=site)
    (found,) = estimate_contrasts(fit, [-1, 1])
    table = np.column_stack([arm, np.eye(6)[site]])
    left = y[:, 0] - table @ np.linalg.lstsq(table, y[:, 0], rcond=None)[0]
    df = len(y) - 7
    assert found.df == pytest.approx(df, rel=1e-6)
    assert found.se == pytest.approx(np.sqrt(left @ left / df * 4 / len(y)), rel=1e-6)


@pytest.mark.parametrize('n_sites', [6, 10])
def test_arms_of_whole_sites_are_compared_by_the_means_of_sites(rng, n_sites):
    y, arm, site = one_visit(rng, n_sites, 8, 1.5, are_clusters=True)
    (found,) = estimate_contrasts(
        fit_reml(y, cell_means(arm, 1), 0 * arm, sites=site), [-1, 1], 'kenward_roger'
    )
    means = np.array([y[site == s].mean() for s in range(n_sites)])
    wanted = stats.ttest_ind(means[1::2], means[::2])
    assert (found.statistic, found.df) == pytest.approx((wanted.statistic, n_sites - 2), rel=1e-6)


def test_complete_data_are_those_of_statsmodels(rng):
    y, arm, site = one_visit(rng, 7, 9, 0.8, are_clusters=False)
    design = np.column_stack([np.ones(len(y)), arm])
    fit = fit_reml(y, design[:, None], 0 * arm, sites=site)
    wanted = MixedLM(y[:, 0], design, site).fit(reml=True)
    (found,) = estimate_contrasts(fit, [0, 1], 'satterthwaite')
    assert fit.minus_two_loglik == pytest.approx(-2 * wanted.llf, abs=1e-6)
    # where the optimiser of statsmodels stops
    assert fit.site_variance == pytest.approx(wanted.cov_re.item(), rel=3e-3)
    assert (found.estimate, found.se) == pytest.approx((wanted.params[1], wanted.bse[1]), rel=2e-3)


def test_four_visits_of_three_arms_are_those_of_nlme():
    """The command is in ``tests/golden/README.md``."""
    own = pd.read_csv(GOLDEN / 'longitudinal.tsv', sep='\t', na_values='n/a').query('model == "lot_4"')
    wide = own.pivot(index='id', columns='visit', values='y')
    site = wide.index.to_numpy() // 3 % 6
    arm = own.drop_duplicates('id').set_index('id').loc[wide.index].arm.to_numpy()
    y = wide.to_numpy() + np.array([-1.5, -0.7, 0, 0.3, 0.8, 1.9])[site, None]
    model = TrialModel()
    people = gather(y, arm, None, model, site)
    means = design_means(people, model)
    fit = fit_reml(people.outcome, means.design, 0 * people.arm, sites=people.sites)
    assert fit.minus_two_loglik == pytest.approx(728.147362841, abs=1e-7)
    # nlme stops within 1e-5 of standard errors
    assert fit.site_variance == pytest.approx(0.277715075483, rel=1e-4)
    for (a, j), numbers in {
        (1, 1): (-0.505273656488, 0.305742496703),
        (2, 1): (-0.620786411817, 0.315086940666),
        (1, 3): (-0.484490427669, 0.597148118827),
        (2, 3): (-1.888471371642, 0.569119326612),
    }.items():
        (found,) = estimate_contrasts(fit, contrast_rows(means, model, a, j), 'satterthwaite')
        assert found.estimate == pytest.approx(numbers[0], abs=2e-5 * numbers[1])
        assert found.se == pytest.approx(numbers[1], rel=1e-5)


def test_robust_standard_errors_take_people_and_sites_as_clusters(rng, monkeypatch):
    """With the rows of sites among the values it is the definition of CR2."""
    y, arm, site = at_sites(rng, n=24, n_sites=4)
    design = cell_means(arm, 3)
    fit = fit_reml(y, design, 0 * arm, sites=site)
    table = add_sites(y, design, 0 * arm, site)
    long = dense.long_form(*table)
    sigmas = fit.model.sigma(fit.parameters) * fit.cells.basis.scale**2
    row = np.zeros((1, 6))
    row[0, [5, 2]] = 1, -1
    padded = np.hstack([row, np.zeros((1, 4))])
    wanted, found = dense.cr2(sigmas, long, padded), sandwich(fit, row)
    np.testing.assert_allclose(found.covariance, wanted.covariance, rtol=1e-7)
    assert robust_degrees(found, 0) == pytest.approx(dense.cr2_degrees(wanted, sigmas, long), rel=1e-7)


@pytest.mark.parametrize('n_sites', [4, 10])
def test_sites_that_differ_less_than_by_chance_keep_their_degrees_of_freedom(rng, n_sites):
    y, arm, site = one_visit(rng, n_sites, 6, 0.0, are_clusters=True)
    # all means of sites of an arm are equal: less than chance would have it
    y = y - np.array([y[site == s].mean() for s in range(n_sites)])[site, None] + arm[:, None]
    alone = fit_reml(y, cell_means(arm, 1), 0 * arm)
    fit = fit_reml(y, cell_means(arm, 1), 0 * arm, sites=site)
    assert not do_sites_differ(alone.cells, alone.point, site)
    assert (fit.is_held, fit.site_variance) == (True, 0)
    (bare,), (found,) = (estimate_contrasts(one, [-1, 1]) for one in (alone, fit))
    # a variance of sites of 1e-4 stands for 0
    assert (found.estimate, found.se) == pytest.approx((bare.estimate, bare.se), rel=1e-2)
    assert found.df == pytest.approx(n_sites - 2, rel=0.01)
    assert bare.df == pytest.approx(len(y) - 2, rel=1e-6)


def test_whether_the_likelihood_rises_is_its_derivative(rng):
    y, arm, site = at_sites(rng, spread=0.4)
    alone = fit_reml(y, cell_means(arm, 3), arm)
    long = dense.long_form(y, cell_means(arm, 3), arm)
    v = dense.whole(alone.sigmas, long)
    together = (site[long.person][:, None] == site[long.person]).astype(float)

    def height(variance):
        inverse = np.linalg.inv(v + variance * together)
        information = long.design.T @ inverse @ long.design
        residual = long.y - long.design @ np.linalg.solve(information, long.design.T @ inverse @ long.y)
        return -(np.linalg.slogdet(v + variance * together)[1] + np.linalg.slogdet(information)[1]
                 + residual @ inverse @ residual) / 2  # fmt: skip

    for shift in (0.0, 1.0):  # of the people of each site
        moved = long._replace(y=long.y + shift * site[long.person])
        long, rises = moved, height(1e-6) > height(0.0)
        again = fit_reml(y + shift * site[:, None], cell_means(arm, 3), arm)
        if shift:
            assert do_sites_differ(again.cells, again.point, site)
        else:
            assert do_sites_differ(again.cells, again.point, site) == rises


def test_names_order_and_shifts_of_sites_do_not_matter(rng):
    y, arm, site = at_sites(rng, n=60)
    found = fit_trial(y, arm, None, None, site)
    order = rng.permutation(len(arm))
    moved = fit_trial((y * 10 + 3)[order], arm[order], None, None, (7 - 2 * site)[order])
    for one, other in zip(found.effects, moved.effects):
        assert other.effect.estimate == pytest.approx(10 * one.effect.estimate, rel=1e-6)
        assert other.effect.df == pytest.approx(one.effect.df, rel=1e-6)
    assert moved.site_variance == pytest.approx(100 * found.site_variance, rel=1e-5)
    sd = np.sqrt(found.site_variance)
    assert found.note.endswith(f'a random intercept for each of 5 sites, standard deviation {sd:.3g}')
    assert found.sigmas.shape == (2, 3, 3)


def test_people_without_a_site_are_left_out_and_counted(rng):
    y, arm, site = at_sites(rng, n=60, missing=0)
    known = site.astype(float)
    known[[4, 9]] = np.nan
    found = fit_trial(y, arm, None, None, known)
    keep = np.delete(np.arange(60), [4, 9])
    assert (found.n_people, found.n_without_covariates) == (58, 2)
    assert found.effects == fit_trial(y[keep], arm[keep], None, None, site[keep]).effects


@pytest.mark.parametrize('site', [np.zeros(60, int), np.arange(60)])
def test_one_site_or_a_site_per_person_is_no_sample_of_sites(rng, site):
    y, arm, _ = at_sites(rng, n=60)
    found = fit_trial(y, arm, None, None, site)
    assert found.effects == fit_trial(y, arm).effects
    assert 'there are no random intercepts of sites' in found.note
    assert found.site_variance == 0


def test_a_site_that_is_an_arm_is_refused(rng):
    y, arm, _ = at_sites(rng, n=60)
    for model in (TrialModel(has_baseline=False), TrialModel()):
        with pytest.raises(DataError, match='each site is an arm'):
            fit_trial(y, arm, None, model, 7 - arm)
    fit = fit_reml(y, cell_means(arm, 3), 0 * arm)
    with pytest.raises(DataError, match='each site is an arm'):
        do_sites_differ(fit.cells, fit.point, arm)
    with pytest.raises(DataError, match='60 people have an outcome, 9 a site'):
        fit_trial(y, arm, None, None, arm[:9])


def test_small_arms_have_robust_standard_errors_beside_random_sites(rng):
    y, arm, site = at_sites(rng, n=60)
    found = fit_trial(y, arm, None, TrialModel(sigma='common'), site)
    assert (found.sigma, found.inference) == ('common', 'cluster_robust')
    assert 'a random intercept for each of 5 sites' in found.note
    for one in found.effects:
        assert 0 < one.effect.se < 2


def test_many_sites_and_people_are_estimated_well(rng):
    n, n_sites = 6000, 60
    y, arm, site = at_sites(rng, n=n, n_sites=n_sites, spread=0.7, missing=0.1)
    found = fit_trial(y + 0.5 * arm[:, None] * (np.arange(3) > 0), arm, None, None, site)
    # 60 draws tell a standard deviation to 9 %
    assert np.sqrt(found.site_variance) == pytest.approx(0.7, rel=0.35)
    last = found.effects[-1].effect
    assert abs(last.estimate - 0.5) < 4 * last.se
