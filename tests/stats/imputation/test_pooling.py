import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from pipelines.errors import DataError
from pipelines.stats.change import ancova
from pipelines.stats.imputation.pooling import Shifted, analyse_tables, pool
from pipelines.stats.imputation.tipping import find_tipping_point


def tables(rng, m=7, n=50, n_arms=3, k=1, is_baseline_imputed=True):
    arm, covariates = np.arange(n) % n_arms, rng.standard_normal((n, k))
    baseline = rng.standard_normal((m if is_baseline_imputed else 1, n))
    primary = 0.5 * baseline + rng.standard_normal((m, n)) - 0.8 * (arm == 1)
    shifted = rng.random(n) < 0.3
    for array in (arm, covariates, baseline, primary, shifted):
        array.setflags(write=False)
    return baseline, primary, arm, covariates, shifted


@pytest.mark.parametrize('is_baseline_imputed', [True, False])
@pytest.mark.parametrize('shift', [0.0, 1.5, -0.7])
def test_every_table_is_least_squares_with_hc3(rng, is_baseline_imputed, shift):
    given = tables(rng, is_baseline_imputed=is_baseline_imputed)
    baseline, primary, arm, covariates, shifted = given
    found = analyse_tables(*given)
    effects, variances = found.at(np.array([shift]))
    for number in range(7):
        before = baseline[number if is_baseline_imputed else 0]
        design = np.column_stack([np.ones(50), arm == 1, arm == 2, before, covariates])
        wanted = sm.OLS(primary[number] + shift * shifted, design).fit(cov_type='HC3', use_t=True)
        # the same algebra by another factorisation
        np.testing.assert_allclose(effects[number, :, 0], wanted.params[1:3], rtol=1e-9)
        np.testing.assert_allclose(variances[number, :, 0], wanted.bse[1:3] ** 2, rtol=1e-9)
    assert found.df == 45 == wanted.df_resid


@pytest.mark.parametrize('is_baseline_imputed', [True, False])
def test_groups_that_chance_did_not_make_are_compared_by_their_changes(rng, is_baseline_imputed):
    baseline, primary, arm, covariates, shifted = tables(rng, is_baseline_imputed=is_baseline_imputed)
    found = analyse_tables(baseline, primary, arm, covariates, shifted, is_randomised=False)
    effects, variances = found.at(np.array([1.5]))
    design = np.column_stack([np.ones(50), arm == 1, arm == 2, covariates])
    for number in range(7):
        change = primary[number] + 1.5 * shifted - baseline[number if is_baseline_imputed else 0]
        wanted = sm.OLS(change, design).fit(cov_type='HC3', use_t=True)
        np.testing.assert_allclose(effects[number, :, 0], wanted.params[1:3], rtol=1e-9)
        np.testing.assert_allclose(variances[number, :, 0], wanted.bse[1:3] ** 2, rtol=1e-9)
    assert found.df == 46 == wanted.df_resid


@pytest.mark.parametrize('is_randomised', [True, False])
def test_a_site_that_is_an_arm_is_refused(rng, is_randomised):
    """Rounding would make some number of it."""
    baseline, primary, arm, _, shifted = tables(rng)
    sites = np.column_stack([arm == 1, rng.random(50) < 0.5]).astype(float)
    with pytest.raises(DataError, match='linearly dependent'):
        analyse_tables(baseline, primary, arm, sites, shifted, is_randomised=is_randomised)


def test_many_tables_are_done_in_parts(rng):
    given = tables(rng, m=120)
    found = analyse_tables(*given)
    alone = analyse_tables(given[0][100:101], given[1][100:101], *given[2:])
    assert found.effect.shape == (120, 2)
    # the same sums
    np.testing.assert_allclose(found.constant[100], alone.constant[0], rtol=1e-10)


def test_rubins_rules_by_hand():
    effects, variances = [1.2, 0.8, 1.5, 1.1], [0.10, 0.12, 0.09, 0.11]
    found = pool(np.array(effects), np.array(variances), 40)
    mean = sum(effects) / 4
    within = sum(variances) / 4
    between = sum((x - mean) ** 2 for x in effects) / 3
    total = within + 1.25 * between
    share = 1.25 * between / total
    nu_m, nu_seen = 3 / share**2, 41 / 43 * 40 * (1 - share)
    df = nu_m * nu_seen / (nu_m + nu_seen)
    assert found.estimate == pytest.approx(mean, rel=1e-12)
    assert found.se == pytest.approx(total**0.5, rel=1e-12)
    assert found.df == pytest.approx(df, rel=1e-12)
    assert found.missing_information == pytest.approx(share, rel=1e-12)
    assert found.p == pytest.approx(2 * stats.t.sf(mean / total**0.5, df), rel=1e-9)
    assert found.ci_low == pytest.approx(mean - stats.t.ppf(0.975, df) * total**0.5, rel=1e-9)


def test_tables_that_agree_have_the_error_of_one():
    found = pool(np.full(5, 2.0), np.full(5, 0.25), 30)
    assert (found.se, found.missing_information) == (0.5, 0)
    assert found.df == pytest.approx(31 / 33 * 30)


def test_one_person_alone_is_refused(rng):
    baseline, primary, arm, _, shifted = tables(rng)
    alone = np.where(np.arange(50) == 4, 1.0, 0)[:, None]
    with pytest.raises(DataError, match='one person alone'):
        analyse_tables(baseline, primary, arm, alone, shifted)


def test_too_few_people_are_refused(rng):
    baseline, primary, arm, _, shifted = tables(rng)
    with pytest.raises(DataError, match='more than 5 are needed'):
        analyse_tables(baseline[:, :5], primary[:, :5], arm[:5], np.arange(5.0)[:, None], shifted[:5])


@pytest.mark.parametrize('worse', [1, -1])
def test_the_tipping_point_is_where_shifted_tables_lose_the_effect(rng, worse):
    """Tables shifted one by one and analysed as if nobody had thought of curves."""
    m, n = 5, 80
    arm, baseline = np.arange(n) % 2, rng.standard_normal((1, n))
    primary = 0.5 * baseline + 0.6 * rng.standard_normal((m, n)) * np.ones(n) - worse * 0.8 * arm
    moved = (np.arange(n) % 5 == 1) & (arm == 1)
    found = find_tipping_point(
        analyse_tables(baseline, primary, arm, np.empty((n, 0)), moved), 0, 10.0, worse=worse
    )

    def p_at(delta):
        fits = [ancova(baseline[0], row + worse * delta * moved, arm).effect for row in primary]
        effects, variances = np.array([[fit.estimate, fit.se**2] for fit in fits]).T
        return pool(effects, variances, 77).p

    assert found.end == 'reached'
    # the root is found to 1e-5 of a unit
    assert p_at(found.delta - 1e-3) < 0.05 < p_at(found.delta + 1e-3)
    for row in found.curve.iloc[[0, 50, 200]].itertuples():
        assert row.p == pytest.approx(float(p_at(row.delta)), rel=1e-7)
    assert (found.curve.delta.iloc[0], found.curve.delta.iloc[-1]) == (0, 10)


def curve(effect, slope=0.5, square=0.0):
    one = np.ones((2, 1))
    return Shifted(effect * one, slope * one, one, 0 * one, square * one, 10**6)


@pytest.mark.parametrize(
    ('tables', 'end'),
    [
        (curve(-1.0), 'not_significant'),
        (curve(-9.0), 'not_reached'),
        (curve(-9.0, square=1.0), 'reached'),
        (curve(4.0), 'not_reached'),  # worse already
        (curve(-4.0, slope=0.0), 'nothing_missing'),
    ],
)
def test_ends_of_the_search(tables, end):
    found = find_tipping_point(tables, 0, 10, worse=1)
    assert found.end == end
    assert np.isfinite(found.delta) == (end == 'reached')
    assert len(found.curve) == 201


def test_the_first_crossing_counts():
    """p rises above .05 and falls again, on the other side."""
    found = find_tipping_point(curve(-4.0, slope=2.0), 0, 10, worse=1)
    assert found.curve.p.iloc[-1] < 0.05
    # (4 - 1.96) / 2
    assert found.delta == pytest.approx((4 - stats.norm.ppf(0.975)) / 2, abs=1e-4)
