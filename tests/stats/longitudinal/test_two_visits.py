"""Two visits and two arms: the model against the textbook likelihood, R, and ANCOVA."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import optimize

from pipelines.errors import DataError
from pipelines.stats.change import ancova
from pipelines.stats.longitudinal.trial import fit_trial
from pipelines.stats.longitudinal.trial_design import TrialModel
from tests.stats.test_change import trial

GOLDEN = Path(__file__).resolve().parents[2] / 'golden'


@pytest.fixture
def anorexia() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / 'anorexia.tsv', sep='\t')


def fit(before, after, arm, covariates=None):
    """Fit one covariance for both arms."""
    return fit_trial(
        np.column_stack([before, after]), np.asarray(arm, int), covariates, TrialModel(sigma='common')
    )


def effect_of(found):
    return found.effects[0].effect


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


def test_the_numbers_of_r(anorexia):
    found = fit(anorexia.baseline, anorexia.followup, anorexia.treatment)
    # the optimiser of either program stops within 1e-7 of the effect
    assert effect_of(found).estimate == pytest.approx(9.03357257, abs=1e-7)
    assert -found.minus_two_loglik / 2 == pytest.approx(-269.725252, abs=1e-6)


def test_missing_visits_give_the_numbers_of_r(anorexia):
    before, after = anorexia.baseline.to_numpy(copy=True), anorexia.followup.to_numpy(copy=True)
    before[[10, 38]] = np.nan
    after[[1, 4, 19, 25]] = np.nan
    found = fit(before, after, anorexia.treatment)
    assert effect_of(found).estimate == pytest.approx(8.150642415, abs=1e-6)
    assert -found.minus_two_loglik / 2 == pytest.approx(-251.223261, abs=1e-6)
    assert found.n_people == 43


def test_a_random_intercept_is_another_model(anorexia):
    table = anorexia.reset_index().melt(['index', 'treatment'], ['baseline', 'followup'], 'visit', 'weight')
    table['late'] = (table.visit == 'followup').astype(int)
    table['effect'] = table.late * table.treatment
    wrong = smf.mixedlm('weight ~ late + effect', table, groups='index').fit()
    assert wrong.params['effect'] == pytest.approx(9.093874539, abs=1e-5)
    right = fit(anorexia.baseline, anorexia.followup, anorexia.treatment)
    assert abs(effect_of(right).estimate - wrong.params['effect']) > 0.05


@pytest.mark.parametrize('k', [0, 1, 3])
def test_the_estimate_is_that_of_ancova_on_complete_data(rng, k):
    for _ in range(5):
        people = trial(rng, k=k)
        assert ancova(*people).effect.estimate == pytest.approx(effect_of(fit(*people)).estimate, abs=1e-6)


@pytest.mark.parametrize('missing', [(0.05, 0.1), (0.4, 0.4), (0.0, 0.6)])
@pytest.mark.parametrize('correlation', [0.6, -0.3, 0.99])
@pytest.mark.parametrize('k', [0, 2])
def test_the_maximum_is_that_of_the_textbook_likelihood(rng, missing, correlation, k):
    people = trial(rng, missing=missing, correlation=correlation, k=k)
    found = fit(*people)
    long, (covariance,) = long_table(*people), found.sigmas
    sd0, sd1 = np.sqrt(np.diag(covariance))
    at = np.array([np.log(sd0), np.log(sd1), np.arctanh(covariance[0, 1] / (sd0 * sd1))])
    loglik, effect, _ = dense_reml(at, *long)
    # inverses of matrices whose condition is up to 1e4 keep 8 digits or more
    assert -found.minus_two_loglik / 2 == pytest.approx(loglik, abs=1e-6)
    assert effect_of(found).estimate == pytest.approx(effect, abs=1e-6)
    start = at + rng.uniform(-0.3, 0.3, 3)
    options = {'xatol': 1e-7, 'fatol': 1e-9, 'maxiter': 2000}
    best = optimize.minimize(lambda x: -dense_reml(x, *long)[0], start, method='Nelder-Mead', options=options)
    # a simplex stops within 1e-6 of the maximum
    assert -best.fun == pytest.approx(loglik, abs=1e-6)
    assert found.n_people == (~np.isnan(people[0]) | ~np.isnan(people[1])).sum()


def test_units_and_order_do_not_matter(rng):
    before, after, arm, covariates = trial(rng, missing=(0.1, 0.2), k=1)
    found = effect_of(fit(before, after, arm, covariates))
    order = rng.permutation(60)
    moved = 1e4 + 1e3 * before[order], 1e4 + 1e3 * after[order]
    other = effect_of(fit(*moved, arm[order], 1e5 * covariates[order]))
    # the maximum is found to 1e-7 of a standard error
    np.testing.assert_allclose(np.array(other[:2]) / 1e3, found[:2], rtol=1e-5)
    assert other.p == pytest.approx(found.p, rel=1e-4)


def test_dropout_that_baseline_explains_does_not_bias(rng):
    """Those who start high and are treated leave; the plain difference of those left is wrong."""
    before, after, arm, _ = trial(rng, n=20_000)
    after = np.where((arm == 1) & (before > 5.5), np.nan, after)
    found = effect_of(fit(before, after, arm))
    assert abs(found.estimate + 1) < 4 * found.se < 0.2
    assert abs(np.nanmean(after[arm == 1]) - np.nanmean(after[arm == 0]) + 1) > 0.5


def test_a_person_with_one_visit_adds_knowledge(rng):
    before, after, arm, _ = trial(rng, missing=(0.2, 0.2))
    pairs = ~np.isnan(before + after)
    everyone = fit(before, after, arm)
    assert everyone.n_people > pairs.sum()
    assert effect_of(everyone).se < effect_of(fit(before[pairs], after[pairs], arm[pairs])).se
    nobody = np.append(before, np.nan), np.append(after, np.nan), np.append(arm, 1)
    # the same people give the same sums
    np.testing.assert_allclose(effect_of(fit(*nobody)), effect_of(everyone), rtol=1e-9)


def test_a_visit_that_tells_the_other_is_refused(rng):
    before, _, arm, _ = trial(rng, k=1)
    with pytest.raises(DataError):
        fit(before, 2 * before + arm, arm)
