from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import optimize

from pipelines.errors import DataError
from pipelines.stats.change import ancova, constrained_lda
from pipelines.stats.restricted import start_from

GOLDEN = Path(__file__).resolve().parents[1] / 'golden'


@pytest.fixture
def anorexia() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / 'anorexia.tsv', sep='\t')


def trial(rng, n=60, missing=(0.0, 0.0), effect=-1.0, correlation=0.6, k=0):
    """Simulate two visits; covariates act on both, differently."""
    arm = rng.permutation(np.arange(n) % 2)
    covariates = rng.standard_normal((n, k)) * 3 + 10
    first = rng.standard_normal(n)
    second = correlation * first + np.sqrt(1 - correlation**2) * rng.standard_normal(n)
    before = 5 + 1.5 * first + 0.2 * covariates.sum(axis=1)
    after = 4 + 2 * second + effect * arm - 0.1 * covariates.sum(axis=1)
    before[rng.random(n) < missing[0]] = np.nan
    after[rng.random(n) < missing[1]] = np.nan
    for array in (arm, covariates, before, after):
        array.setflags(write=False)
    return before, after, arm, covariates


def long_table(before, after, arm, covariates):
    """Return outcome, design and person of each visit that was made, in the long form of the model."""
    rows = []
    for i, pair in enumerate(zip(before, after)):
        for visit, y in enumerate(pair):
            if not np.isnan(y):
                x = covariates[i]
                rows.append([y, i, visit, visit * arm[i], 1 - visit, visit, *x * (1 - visit), *x * visit])
    table = np.array(rows)
    return table[:, 0], table[:, 3:], table[:, 1].astype(int), table[:, 2].astype(int)


def dense_reml(parameters, y, design, person, visit):
    """Return the restricted log-likelihood from its textbook form with an N x N covariance."""
    sd0, sd1, r = np.exp(parameters[0]), np.exp(parameters[1]), np.tanh(parameters[2])
    covariance = np.array([[sd0**2, r * sd0 * sd1], [r * sd0 * sd1, sd1**2]])
    v = covariance[np.ix_(visit, visit)] * (person[:, None] == person)
    inverse = np.linalg.inv(v)
    information = design.T @ inverse @ design
    coefficients = np.linalg.solve(information, design.T @ inverse @ y)
    residual = y - design @ coefficients
    determinants = np.linalg.slogdet(v)[1] + np.linalg.slogdet(information)[1]
    constant = (len(y) - design.shape[1]) * np.log(2 * np.pi)
    loglik = -(constant + determinants + residual @ inverse @ residual) / 2
    return loglik, coefficients[0], np.sqrt(np.linalg.inv(information)[0, 0])


def test_ancova_gives_the_numbers_of_r(anorexia):
    found = ancova(anorexia.baseline, anorexia.followup, anorexia.treatment)
    # printed to 8 decimals
    assert found.effect.estimate == pytest.approx(9.03357257, abs=1e-8)
    assert found.effect.se == pytest.approx(2.35092322, abs=1e-8)
    assert (found.effect.df, found.n, found.n_pairs) == (40, 43, 43)
    classical = smf.ols('followup ~ treatment + baseline', anorexia).fit()
    assert classical.params['treatment'] == pytest.approx(found.effect.estimate, abs=1e-9)
    assert classical.bse['treatment'] == pytest.approx(2.03148625, abs=1e-8)


def test_constrained_lda_gives_the_numbers_of_r(anorexia):
    found = constrained_lda(anorexia.baseline, anorexia.followup, anorexia.treatment)
    # the optimiser of either program stops within 1e-7 of the effect, 1e-6 of the standard error
    assert found.effect.estimate == pytest.approx(9.03357257, abs=1e-7)
    assert found.effect.se == pytest.approx(1.98328747, abs=1e-6)
    assert found.log_likelihood == pytest.approx(-269.725252, abs=1e-6)


def test_missing_visits_give_the_numbers_of_r(anorexia):
    before, after = anorexia.baseline.to_numpy(copy=True), anorexia.followup.to_numpy(copy=True)
    before[[10, 38]] = np.nan
    after[[1, 4, 19, 25]] = np.nan
    found = constrained_lda(before, after, anorexia.treatment)
    assert found.effect.estimate == pytest.approx(8.150642415, abs=1e-6)
    assert found.effect.se == pytest.approx(2.091827702, abs=1e-6)
    assert found.log_likelihood == pytest.approx(-251.223261, abs=1e-6)
    assert (found.n, found.n_pairs, found.effect.df) == (43, 37, 36)


def test_a_random_intercept_is_another_model(anorexia):
    table = anorexia.reset_index().melt(['index', 'treatment'], ['baseline', 'followup'], 'visit', 'weight')
    table['late'] = (table.visit == 'followup').astype(int)
    table['effect'] = table.late * table.treatment
    wrong = smf.mixedlm('weight ~ late + effect', table, groups='index').fit()
    assert wrong.params['effect'] == pytest.approx(9.093874539, abs=1e-5)
    right = constrained_lda(anorexia.baseline, anorexia.followup, anorexia.treatment)
    assert abs(right.effect.estimate - wrong.params['effect']) > 0.05


@pytest.mark.parametrize('k', [0, 1, 3])
def test_both_models_agree_on_complete_data(rng, k):
    for _ in range(5):
        people = trial(rng, k=k)
        effects = [model(*people).effect for model in (ancova, constrained_lda)]
        assert effects[0].estimate == pytest.approx(effects[1].estimate, abs=1e-6)
        assert effects[0].df == effects[1].df == 60 - 3 - k


@pytest.mark.parametrize('interaction', [False, True])
def test_ancova_is_least_squares_with_hc3(rng, interaction):
    before, after, arm, covariates = trial(rng, missing=(0.1, 0.2), k=2)
    found = ancova(before, after, arm, covariates, interaction=interaction)
    keep = ~np.isnan(before + after)
    centred = before[keep] - before[keep].mean()
    columns = [np.ones(keep.sum()), arm[keep], centred, covariates[keep]]
    design = np.column_stack([*columns, *([arm[keep] * centred] if interaction else [])])
    wanted = sm.OLS(after[keep], design).fit(cov_type='HC3', use_t=True)
    low, high = wanted.conf_int()[1]
    numbers = (
        wanted.params[1],
        wanted.bse[1],
        wanted.df_resid,
        low,
        high,
        wanted.tvalues[1],
        wanted.pvalues[1],
    )
    # the same algebra by another factorisation
    np.testing.assert_allclose(found.effect, numbers, rtol=1e-9)
    assert found.n == keep.sum() < 60


def test_second_ancova_is_the_effect_at_the_mean_baseline(rng):
    """Arms fitted on their own and compared where the average person starts."""
    before, after, arm, _ = trial(rng)
    lines = [np.polyfit(before[arm == code], after[arm == code], 1) for code in (0, 1)]
    wanted = np.polyval(lines[1], before.mean()) - np.polyval(lines[0], before.mean())
    found = ancova(before, after, arm, interaction=True)
    assert found.effect.estimate == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize('missing', [(0.05, 0.1), (0.4, 0.4), (0.0, 0.6)])
@pytest.mark.parametrize('correlation', [0.6, -0.3, 0.999])
@pytest.mark.parametrize('k', [0, 2])
def test_constrained_lda_is_at_the_maximum_of_the_textbook_likelihood(rng, missing, correlation, k):
    people = trial(rng, missing=missing, correlation=correlation, k=k)
    found = constrained_lda(*people)
    long = long_table(*people)
    sd0, sd1 = np.sqrt(np.diag(found.covariance))
    at = np.array([np.log(sd0), np.log(sd1), np.arctanh(found.covariance[0, 1] / (sd0 * sd1))])
    loglik, effect, se = dense_reml(at, *long)
    # inverses of matrices whose condition is up to 1e4 keep 8 digits or more
    assert found.log_likelihood == pytest.approx(loglik, abs=1e-6)
    assert found.effect.estimate == pytest.approx(effect, abs=1e-6)
    assert found.effect.se == pytest.approx(se, rel=1e-6)
    start = at + rng.uniform(-0.3, 0.3, 3)
    options = {'xatol': 1e-7, 'fatol': 1e-9, 'maxiter': 2000}
    best = optimize.minimize(lambda x: -dense_reml(x, *long)[0], start, method='Nelder-Mead', options=options)
    # a simplex stops within 1e-6 of the maximum
    assert -best.fun == pytest.approx(loglik, abs=1e-6)
    assert (found.n, found.n_pairs) == (
        (~np.isnan(people[0]) | ~np.isnan(people[1])).sum(),
        (~np.isnan(people[0] + people[1])).sum(),
    )


def test_units_and_order_do_not_matter(rng):
    before, after, arm, covariates = trial(rng, missing=(0.1, 0.2), k=1)
    found = constrained_lda(before, after, arm, covariates)
    order = rng.permutation(60)
    other = constrained_lda(
        1e4 + 1e3 * before[order], 1e4 + 1e3 * after[order], arm[order], 1e5 * covariates[order]
    )
    # the maximum is found to 1e-7 of a standard error
    np.testing.assert_allclose(np.array(other.effect[:2]) / 1e3, found.effect[:2], rtol=1e-5)
    assert other.effect.p == pytest.approx(found.effect.p, rel=1e-4)


def test_dropout_that_baseline_explains_does_not_bias(rng):
    """Those who start high and are treated leave; the plain difference of those left is wrong."""
    before, after, arm, _ = trial(rng, n=20_000)
    after = np.where((arm == 1) & (before > 5.5), np.nan, after)
    found = constrained_lda(before, after, arm).effect
    assert abs(found.estimate + 1) < 4 * found.se < 0.2
    assert abs(np.nanmean(after[arm == 1]) - np.nanmean(after[arm == 0]) + 1) > 0.5


def test_a_person_with_one_visit_adds_knowledge(rng):
    before, after, arm, _ = trial(rng, missing=(0.2, 0.2))
    pairs = ~np.isnan(before + after)
    everyone = constrained_lda(before, after, arm)
    assert everyone.n > everyone.n_pairs == pairs.sum()
    assert everyone.effect.se < constrained_lda(before[pairs], after[pairs], arm[pairs]).effect.se
    nobody = np.append(before, np.nan), np.append(after, np.nan), np.append(arm, 1)
    # the same people give the same sums
    np.testing.assert_allclose(constrained_lda(*nobody).effect, everyone.effect, rtol=1e-9)


@pytest.mark.parametrize('model', [ancova, constrained_lda])
def test_missing_covariates_are_told(rng, model):
    before, after, arm, covariates = trial(rng, k=2)
    holes = covariates.copy()
    holes[[3, 9], [0, 1]] = np.nan
    found, keep = model(before, after, arm, holes), np.delete(np.arange(60), [3, 9])
    assert found.n_without_covariates == 2
    assert found.n == 58
    without = model(before[keep], after[keep], arm[keep], covariates[keep])
    assert found.effect == without.effect


@pytest.mark.parametrize('model', [ancova, constrained_lda])
@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda b, a, t, c: (b, a, 0 * t, c), 'nobody in the treated arm'),
        (lambda b, a, t, c: (b, np.where(t == 0, np.nan, a), t, c), 'nobody in the control arm'),
        (lambda b, a, t, c: (b, np.nan * a, t, c), '0 people have both visits'),
        (lambda b, a, t, c: (np.nan * b, a, t, c), '0 people have both visits'),
        (lambda b, a, t, c: (np.where(t == 1, np.nan, b), a, t, c), 'nobody in the treated arm'),
        (lambda b, a, t, c: (b[:4], a[:4], t[:4], c[:4]), 'are needed'),
        (lambda b, a, t, c: (0 * b + 3, a, t, c), 'baseline is 3 for everyone'),
        (lambda b, a, t, c: (b, 0 * a + 2, t, c), 'follow-up is 2 for everyone'),
        (lambda b, a, t, c: (b, a, t + 1, c), 'allowed: 0'),
        (lambda b, a, t, c: (b, a, t[:9], c), '9 a treatment'),
        (lambda b, a, t, c: (b, a, t, c[:9]), '9 covariates'),
        (lambda b, a, t, c: (b, a, t, 0 * c + 0.1), 'one value for everyone'),
        (lambda b, a, t, c: (b, a, t, t), 'linearly dependent'),
        (lambda b, a, t, c: (b, a, t, np.hstack([c, 2 * c])), 'linearly dependent'),
        (lambda b, a, t, c: (b, np.where(t == 1, np.inf, a), t, c), 'infinite'),
    ],
)
def test_what_cannot_be_estimated_is_refused(rng, model, change, message):
    with pytest.raises(DataError, match=message):
        model(*change(*trial(rng, k=1)))


def test_a_visit_that_tells_the_other_is_refused(rng):
    before, after, arm, covariates = trial(rng, k=1)
    with pytest.raises(DataError, match='exactly'):
        constrained_lda(before, 2 * before + arm, arm)
    with pytest.raises(DataError, match='exactly'):
        constrained_lda(covariates[:, 0], after, arm, covariates)


def test_one_person_of_a_kind_has_no_standard_error(rng):
    before, after, arm, _ = trial(rng)
    with pytest.raises(DataError, match='one person alone'):
        ancova(before, after, arm, np.arange(60) == 0)


def test_the_start_is_regression_on_the_pairs(rng):
    before, after, arm, _ = trial(rng, n=5000, correlation=0.5)
    found = start_from(np.column_stack([before, after]), arm, np.empty((5000, 0)))
    # four standard errors of the slope times the spread at baseline
    np.testing.assert_allclose(found, [np.log(1.5), 0.5 * 2, np.log(2 * np.sqrt(0.75))], atol=0.1)
