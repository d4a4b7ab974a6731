import numpy as np
import pytest
import statsmodels.api as sm
from scipy import special, stats

from pipelines.errors import DataError
from pipelines.stats.discrete.binary import compare_binary
from pipelines.stats.discrete.people import Groups
from tests.stats.discrete.made_up import binary_trial, table_of


def test_a_table_has_woolfs_error_and_the_difference_of_its_shares():
    found = compare_binary(table_of([[20, 10], [12, 18]]))
    (contrast,) = found.contrasts
    # closed forms; the search ends at 1e-9
    assert contrast.log_ratio.estimate == pytest.approx(np.log(18 * 20 / (12 * 10)), abs=1e-8)
    assert contrast.log_ratio.se == pytest.approx(np.sqrt(1 / 20 + 1 / 10 + 1 / 12 + 1 / 18), rel=1e-8)
    assert contrast.difference.estimate == pytest.approx(18 / 30 - 10 / 30, abs=1e-9)
    # residuals divided by 1 - 1/30, HC3 of a mean
    variance = (18 * 12 + 10 * 20) / 30**2 / 30 / (1 - 1 / 30) ** 2
    assert contrast.difference.se == pytest.approx(np.sqrt(variance), rel=1e-8)
    assert found.model == 'logistic'
    assert (found.ratio_scale, found.difference_scale) == ('odds_ratio', 'risk_difference')


def test_three_arms_are_those_of_statsmodels(rng):
    groups, design = binary_trial(rng, n_arms=3)
    found, wanted = compare_binary(groups), sm.Logit(groups.outcome, design).fit(disp=0, tol=1e-12)
    low, high = wanted.conf_int().T
    for place, contrast in enumerate(found.contrasts, 1):
        numbers = (wanted.params, wanted.bse, low, high, wanted.tvalues, wanted.pvalues)
        own = [contrast.log_ratio[i] for i in (0, 1, 3, 4, 5, 6)]
        # both end at 1e-9 of a coefficient
        np.testing.assert_allclose(own, [column[place] for column in numbers], rtol=1e-6)
        assert (contrast.arm, contrast.log_ratio.df) == (place, np.inf)


def test_standardised_risks_are_averages_over_everyone(rng):
    groups, design = binary_trial(rng, n_arms=3)
    found, fit = compare_binary(groups), sm.Logit(groups.outcome, design).fit(disp=0, tol=1e-12)
    for code in range(3):
        moved = design.copy()
        moved[:, 1:3] = 0
        if code:
            moved[:, code] = 1
        assert found.means[code] == pytest.approx(fit.predict(moved).mean(), abs=1e-8)
    assert found.contrasts[1].difference.estimate == pytest.approx(found.means[2] - found.means[0], abs=1e-12)


def test_the_variance_is_that_of_influence_in_a_large_trial(rng):
    """Person by person: residual over the chance of the arm, and the expected risk about its mean."""
    groups, design = binary_trial(rng, n=20_000, k=1)
    found, fit = compare_binary(groups), sm.Logit(groups.outcome, design).fit(disp=0)
    each = []
    for code in (0, 1):
        risk = special.expit(fit.params[0] + code * fit.params[1] + design[:, 2] * fit.params[2])
        mine = groups.arm == code
        each.append(mine / mine.mean() * (groups.outcome - risk) + risk)
    se = np.std(each[1] - each[0]) / np.sqrt(20_000)
    # of the order of 1/n
    assert found.contrasts[0].difference.se == pytest.approx(se, rel=1e-3)


def test_without_randomisation_it_is_the_delta_method_in_a_large_trial(rng):
    groups, design = binary_trial(rng, n=20_000, k=1)
    chosen = Groups(outcome=groups.outcome, arm=groups.arm, covariates=groups.covariates, is_randomised=False)
    found, fit = compare_binary(chosen), sm.Logit(groups.outcome, design).fit(disp=0, cov_type='HC0')
    moved = [np.column_stack([np.ones(20_000), np.full(20_000, code), design[:, 2]]) for code in (0, 1)]
    risks = [special.expit(x @ fit.params) for x in moved]
    slope = np.mean([x * (r * (1 - r))[:, None] for x, r in zip(moved, risks)], axis=1)
    slope = slope[1] - slope[0]
    # the model is right, so that the two sources of error are independent
    wanted = np.sqrt(slope @ fit.cov_params() @ slope + np.var(risks[1] - risks[0]) / 20_000)
    assert found.contrasts[0].difference.se == pytest.approx(wanted, rel=5e-3)
    assert found.contrasts[0].difference.estimate == pytest.approx((risks[1] - risks[0]).mean(), abs=1e-7)
    assert found.contrasts[0].log_ratio == compare_binary(groups).contrasts[0].log_ratio


def test_a_baseline_is_a_covariate(rng):
    groups, _ = binary_trial(rng, k=2)
    first, second = np.asarray(groups.covariates).T
    other = Groups(outcome=groups.outcome, arm=groups.arm, baseline=first, covariates=second)
    one, two = (compare_binary(each).contrasts[0] for each in (groups, other))
    # the same columns
    np.testing.assert_allclose(one.log_ratio, two.log_ratio, rtol=1e-9)
    np.testing.assert_allclose(one.difference, two.difference, rtol=1e-9)


def test_an_empty_cell_gets_half_a_person():
    found = compare_binary(table_of([[15, 0], [9, 6]]))
    (contrast,) = found.contrasts
    assert found.model == 'logistic_firth'
    assert contrast.log_ratio.estimate == pytest.approx(np.log(6.5 / 9.5 * 15.5 / 0.5), abs=1e-6)
    assert 0 < contrast.log_ratio.ci_low < contrast.log_ratio.ci_high < 10
    # 0 against 6 of 15: Fisher's exact p is .017
    assert contrast.log_ratio.p == pytest.approx(0.005, abs=0.003)
    risks = np.array([0.5, 6.5]) / 16
    np.testing.assert_allclose(found.means, risks, atol=1e-7)
    assert contrast.difference.se == pytest.approx(np.sqrt(np.sum(risks * (1 - risks) / 15)), rel=1e-6)
    assert found.described.n.tolist() == [15, 0, 9, 6]


def test_separation_by_a_covariate_is_answered():
    x = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    found = compare_binary(Groups(outcome=(x > 5).astype(float), arm=[0, 1] * 5, covariates=x))
    assert found.model == 'logistic_firth'
    assert np.isfinite(found.contrasts[0].log_ratio).sum() == 6  # but for the degrees of freedom
    assert found.contrasts[0].log_ratio.ci_low < 0 < found.contrasts[0].log_ratio.ci_high


def test_missing_outcomes_are_counted_and_change_nothing(rng):
    groups, _ = binary_trial(rng, n=60)
    more = Groups(
        outcome=np.append(groups.outcome, [np.nan, np.nan]),
        arm=np.append(groups.arm, [1, 1]),
        covariates=np.vstack([groups.covariates, [[1.0, 2], [3, 4]]]),
    )
    found = compare_binary(more)
    assert found.tally.n_missing.tolist() == [0, 2]
    assert found.contrasts == compare_binary(groups).contrasts


@pytest.mark.parametrize(
    ('outcome', 'message'),
    [
        ([0, 1, 2, 1, 0, 1], 'binary outcome is 2; allowed: 0'),
        ([1, 1, 1, 1, 1, 1], 'the outcome is 1 for all 6'),
        ([0, 0, 0, 0, 0, 0], 'the outcome is 0 for all 6'),
        ([0, 0.5, 0, 1, 0, 0], 'binary outcome is 0.5'),
    ],
)
def test_what_is_no_binary_outcome_is_refused(outcome, message):
    with pytest.raises(DataError, match=message):
        compare_binary(Groups(outcome=outcome, arm=[0, 1, 0, 1, 0, 1]))


def test_one_person_of_a_kind_has_no_standard_error(rng):
    groups, _ = binary_trial(rng, n=40, k=1)
    alone = np.zeros(40)
    alone[3] = 1
    # a column of one person separates the data: Firth has an answer for the ratio, the variance is the model's
    found = compare_binary(Groups(outcome=groups.outcome, arm=groups.arm, covariates=alone))
    assert found.model == 'logistic_firth'
    assert found.contrasts[0].difference.se > 0


@pytest.mark.parametrize(('n', 'is_randomised'), [(60, True), (120, False)])
def test_intervals_cover_the_difference_in_risk(rng, n, is_randomised):
    """Logistic outcomes with one covariate of slope 1; the truth by 200 nodes of the normal distribution."""
    nodes = stats.norm.ppf((np.arange(200) + 0.5) / 200)
    truth = np.mean(special.expit(0.3 + nodes) - special.expit(-0.5 + nodes))
    hits = []
    for _ in range(200):
        x, arm = rng.standard_normal(n), rng.permutation(np.arange(n) % 2)
        outcome = (rng.random(n) < special.expit(-0.5 + 0.8 * arm + x)).astype(float)
        (found,) = compare_binary(
            Groups(outcome=outcome, arm=arm, covariates=x, is_randomised=is_randomised)
        ).contrasts
        hits.append(found.difference.ci_low <= truth <= found.difference.ci_high)
    # three Monte Carlo standard errors of 200 trials about 95 %
    assert abs(np.mean(hits) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 200)
