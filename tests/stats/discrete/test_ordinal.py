from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats
from statsmodels.miscmodels.ordinal_model import OrderedModel

from pipelines.errors import DataError
from pipelines.stats.discrete.binary import compare_binary
from pipelines.stats.discrete.cumulative import Levels
from pipelines.stats.discrete.logistic import Events
from pipelines.stats.discrete.ordinal import check_parallel, compare_ordinal, proportional_design
from pipelines.stats.discrete.people import Groups, arrange_groups
from pipelines.stats.discrete.solving import fit_likelihood, fit_or_penalise, fit_penalised, penalised
from tests.stats.discrete.made_up import level_trial, table_of

GOLDEN = Path(__file__).resolve().parents[2] / 'golden'


def levels_of(groups):
    people = arrange_groups(groups)
    seen = np.unique(people.outcome)
    places = np.searchsorted(seen, people.outcome)
    return people, Levels(places, proportional_design(people, len(seen) - 1))


@pytest.fixture(scope='module')
def housing() -> Groups:
    table = pd.read_csv(GOLDEN / 'housing.tsv', sep='\t')
    people = table.loc[table.index.repeat(table.freq)]
    kinds = [people.type == kind for kind in (1, 2, 3)]
    return Groups(outcome=people.sat, arm=people.infl, covariates=np.column_stack([*kinds, people.cont]))


def test_proportional_odds_give_the_numbers_of_r(housing):
    found = compare_ordinal(housing, responder=2)
    medium, high = (contrast.log_ratio for contrast in found.fit.contrasts)
    # R's optimiser stops within 1e-5, its second derivatives are by differences
    assert (medium.estimate, high.estimate) == pytest.approx((0.566393732590, 1.288819088890), abs=1e-5)
    assert (medium.se, high.se) == pytest.approx((0.1046527840804, 0.1271561472271), rel=1e-4)
    people, data = levels_of(housing)
    assert fit_likelihood(data).log_likelihood == pytest.approx(-1739.57464953, abs=1e-6)
    assert found.fit.tally.n.sum() == len(people.outcome) == 1681


def test_proportional_odds_are_those_of_statsmodels(rng):
    groups = level_trial(rng, effects=(0.7, -0.3), k=2)
    found = compare_ordinal(groups, responder=2).fit
    arms = np.column_stack([groups.arm == code for code in (1, 2)]).astype(float)
    model = OrderedModel(groups.outcome, np.hstack([arms, groups.covariates]), distr='logit')
    wanted = model.fit(method='bfgs', disp=0, gtol=1e-9)
    for place, contrast in enumerate(found.contrasts):
        # its second derivatives are by differences
        assert contrast.log_ratio.estimate == pytest.approx(wanted.params[place], abs=1e-6)
        assert contrast.log_ratio.se == pytest.approx(wanted.bse[place], rel=1e-4)


def test_derivatives_are_those_of_the_likelihood(rng):
    _, data = levels_of(level_trial(rng, n=60))
    at = data.start() + rng.uniform(-0.1, 0.1, data.design.shape[2])
    first, second = data.scores(at)
    wanted = optimize.approx_fprime(at, data.log_likelihood, 1e-7)
    # differences of 1e-7 keep 6 digits
    np.testing.assert_allclose(first.sum(axis=0), wanted, atol=1e-4)
    each = [
        optimize.approx_fprime(at, lambda b, j=j: data.scores(b)[0].sum(axis=0)[j], 1e-6)
        for j in range(len(at))
    ]
    np.testing.assert_allclose(-second, np.array(each), atol=1e-3)


def test_expected_information_is_the_average_over_outcomes(rng):
    """Levels drawn again and again from the model: the mean of squared scores."""
    _, data = levels_of(level_trial(rng, n=40))
    at = data.start()
    ends = data.probabilities(at).cumsum(axis=1)
    drawn = [np.sum(rng.random(40)[:, None] > ends, axis=1) for _ in range(500)]
    totals = [data._replace(levels=np.minimum(levels, 3)).scores(at)[0].sum(axis=0) for levels in drawn]
    # a variance of 500 draws is within 3 x sqrt(2 / 500) of itself
    found, wanted = np.diag(np.cov(np.transpose(totals))), np.diag(data.information(at))
    np.testing.assert_allclose(found, wanted, rtol=0.19)


@pytest.mark.parametrize('cuts', [(0.3,), (-0.5, 0.8), (-1.0, 0.0, 0.7, 1.5)])
def test_expected_information_is_the_sum_over_levels(rng, cuts):
    _, data = levels_of(level_trial(rng, n=30, cuts=cuts))
    at, wanted = data.start() + 0.1 * np.arange(data.design.shape[2]) / 9, 0
    chances = data.probabilities(at)
    for level in range(chances.shape[1]):
        first = data._replace(levels=np.full(len(chances), level)).scores(at)[0]
        wanted = wanted + first.T @ (first * chances[:, [level]])
    np.testing.assert_allclose(data.information(at), wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('cuts', [(0.3,), (-0.5, 0.8), (-1.0, 0.0, 0.7, 1.5)])
def test_the_slope_of_the_penalty_is_that_of_half_the_log_determinant(rng, cuts):
    _, data = levels_of(level_trial(rng, n=40, cuts=cuts))
    at = data.start() + 0.1 * np.arange(data.design.shape[2]) / 9
    slope, bend = data.penalty_slope(at)
    for place, one in enumerate(np.eye(len(at)) * 1e-4):
        high, low = (np.linalg.slogdet(data.information(at + side * one))[1] / 2 for side in (1, -1))
        # central differences of 1e-4 keep 7 digits
        assert slope[place] == pytest.approx((high - low) / 2e-4, rel=1e-5, abs=1e-6)
    assert np.linalg.eigvalsh(bend)[0] > -1e-9


def test_the_penalised_maximum_of_many_sites_is_one(rng):
    """Twelve sites and separated levels: no way from the maximum leads higher."""
    groups = level_trial(rng, n=80)
    level = np.where(groups.arm == 1, 3.0, groups.outcome)
    site = (np.arange(80) // 2 % 12)[:, None] == np.arange(1, 12)
    _, data = levels_of(Groups(outcome=level, arm=groups.arm, covariates=site.astype(float)))
    fit, is_penalised = fit_or_penalise(data)
    assert is_penalised
    slope = data.slope(fit.coefficients)[0] + data.penalty_slope(fit.coefficients)[0]
    # steps of 1e-9 of coefficients with standard errors of about 1
    np.testing.assert_allclose(slope, 0, atol=1e-6)
    for one in rng.standard_normal((20, len(slope))) * 1e-2:
        assert penalised(data, fit.coefficients + one) < fit.log_likelihood


def test_two_levels_are_logistic_regression(rng):
    groups = level_trial(rng, cuts=(0.3,))
    found, wanted = compare_ordinal(groups, responder=1), compare_binary(groups)
    # two ways of writing one model
    np.testing.assert_allclose(found.fit.contrasts[0].log_ratio, wanted.contrasts[0].log_ratio, rtol=1e-6)
    np.testing.assert_allclose(found.fit.contrasts[0].difference, wanted.contrasts[0].difference, rtol=1e-6)
    assert found.parallel is None
    assert found.cuts.estimate.tolist() == [wanted.contrasts[0].log_ratio.estimate]


def test_the_penalty_of_two_levels_is_firths(rng):
    people, data = levels_of(level_trial(rng, n=40, cuts=(2.5,)))
    events = Events(people.design_in(), people.outcome, people.exposure)
    # one search, to steps of 1e-9
    np.testing.assert_allclose(
        fit_penalised(data).coefficients, fit_penalised(events).coefficients, atol=1e-7
    )
    at = data.start() + 0.3
    for one, other in zip(data.penalty_slope(at), events.penalty_slope(at)):
        np.testing.assert_allclose(one, other, rtol=1e-9)
    held, wanted = fit_penalised(data, (1, 0.5)), fit_penalised(events, (1, 0.5))
    assert held.log_likelihood == pytest.approx(wanted.log_likelihood, abs=1e-8)


@pytest.mark.parametrize('table', [[[9, 6, 0], [0, 0, 15]], [[5, 5, 5], [0, 0, 12]], [[12, 0, 0], [4, 4, 5]]])
def test_levels_that_separate_are_answered(table):
    found = compare_ordinal(table_of(table), responder=2)
    ratio = found.fit.contrasts[0].log_ratio
    assert found.fit.model == 'proportional_odds_penalised'
    assert 0 < ratio.ci_low < ratio.estimate < ratio.ci_high < 15
    assert ratio.p < 0.01
    assert found.parallel is None
    # the risk is that of the event on its own
    groups = table_of(table)
    alone = compare_binary(Groups(outcome=(groups.outcome >= 2).astype(float), arm=groups.arm))
    assert found.fit.contrasts[0].difference == alone.contrasts[0].difference
    assert found.fit.means.tolist() == alone.means.tolist()
    assert len(found.cuts) == 2


def test_tables_that_do_not_separate_keep_maximum_likelihood():
    found = compare_ordinal(table_of([[9, 5, 1], [0, 6, 9]]), responder=1)
    assert found.fit.model == 'proportional_odds'
    assert set(found.cuts.model) == {'logistic_firth', 'logistic'}
    _, is_penalised = fit_or_penalise(levels_of(table_of([[9, 5, 1], [0, 6, 9]]))[1])
    assert not is_penalised


def test_difference_without_covariates_is_that_of_shares(rng):
    groups = level_trial(rng, k=0)
    found = compare_ordinal(groups, responder=2).fit
    shares = [(groups.outcome[groups.arm == code] >= 2).mean() for code in (0, 1)]
    # the correction for what the model gets wrong ends at what was seen
    np.testing.assert_allclose(found.means, shares, atol=1e-12)
    assert found.contrasts[0].difference.estimate == pytest.approx(shares[1] - shares[0], abs=1e-12)
    n = [(groups.arm == code).sum() for code in (0, 1)]
    plain = np.sqrt(sum(p * (1 - p) / m for p, m in zip(shares, n)))
    # 1 / (1 - h) of arms of 150
    assert found.contrasts[0].difference.se == pytest.approx(plain, rel=0.02)


def test_cuts_are_logistic_regressions_of_their_own(rng):
    groups = level_trial(rng)
    found = compare_ordinal(groups, responder=1).cuts.set_index('cut')
    design = np.column_stack([np.ones(300), groups.arm, groups.covariates])
    for cut in (1, 2, 3):
        fit = fit_likelihood(Events(design, (groups.outcome >= cut).astype(float), np.ones(300)))
        assert found.loc[cut, 'estimate'] == pytest.approx(fit.coefficients[1], abs=1e-7)
        assert found.loc[cut, 'se'] == pytest.approx(fit.covariance[1, 1] ** 0.5, rel=1e-6)


def test_the_check_of_proportional_odds_is_a_likelihood_ratio_in_large_trials(rng):
    """The larger model by a search of its own, from its definition."""
    people, data = levels_of(level_trial(rng, n=4000, cuts=(0.8, -0.8), k=0))
    small = fit_likelihood(data)
    found = check_parallel(people, data, small)
    first, second = np.array([(people.outcome >= cut) for cut in (1, 2)])
    shares = np.array([[row[people.arm == code].mean() for row in (first, second)] for code in (0, 1)])
    chances = -np.diff(np.column_stack([np.ones(2), shares, np.zeros(2)]), axis=1)
    counts = np.array([[np.sum((people.outcome == k) & (people.arm == a)) for k in range(3)] for a in (0, 1)])
    # without covariates the larger model is the table itself
    ratio = 2 * (np.sum(counts * np.log(chances)) - small.log_likelihood)
    assert found.df == 1
    assert found.statistic == pytest.approx(ratio, rel=0.05, abs=0.01)


def test_the_check_of_proportional_odds_keeps_its_level(rng):
    p = [
        compare_ordinal(level_trial(rng, n=200, effects=(0.5, 0.2)), responder=1).parallel for _ in range(120)
    ]
    assert {found.df for found in p} == {4}
    # three Monte Carlo standard errors of 60 trials
    assert np.mean([found.p < 0.05 for found in p]) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60)
    # uniform: the mean is 1/2 within 3 / sqrt(12 x 60)
    assert abs(np.mean([found.p for found in p]) - 0.5) < 0.112


def test_odds_that_differ_are_found():
    found = compare_ordinal(table_of([[100, 50, 50], [50, 150, 30]]), responder=1)
    assert found.parallel.p < 1e-6
    assert found.cuts.estimate.iloc[0] > 0 > found.cuts.estimate.iloc[1]


def test_levels_that_nobody_has_are_told():
    groups = table_of([[8, 0, 5, 3], [4, 0, 6, 7]])
    found = compare_ordinal(groups, responder=1, levels=[-1, 0, 1, 2, 3, 4])
    assert list(found.fit.notes) == [f'nobody is at level {level}' for level in (-1, 1, 4)]
    bare = compare_ordinal(groups, responder=2)
    assert found.fit.contrasts == bare.fit.contrasts
    assert found.fit.described.query('arm == 0').n.tolist() == [0, 8, 0, 5, 3, 0]


@pytest.mark.parametrize(('responder', 'risk'), [(0, 1.0), (4, 0.0)])
def test_a_responder_beyond_what_anybody_has_leaves_no_difference(responder, risk):
    found = compare_ordinal(table_of([[8, 5, 3], [4, 6, 7]]), responder=responder, levels=[-1, 0, 1, 2, 3, 4])
    assert found.fit.means.tolist() == [risk, risk]
    assert found.fit.contrasts[0].difference is None
    assert found.fit.contrasts[0].log_ratio.estimate > 0
    assert 'nothing varies' in found.fit.notes[-1]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'responder': 0}, 'no level above the lowest; levels: 0, 1, 2'),
        ({'responder': 1.5}, 'responder 1.5'),
        ({'responder': 1, 'levels': [0, 1]}, 'an outcome is 2; allowed: 0, 1'),
        ({'responder': 1, 'levels': [2, 1, 0]}, 'rising order'),
    ],
)
def test_levels_that_do_not_fit_are_refused(options, message):
    with pytest.raises(DataError, match=message):
        compare_ordinal(table_of([[3, 4, 5], [4, 3, 2]]), **options)


def test_one_level_is_refused():
    with pytest.raises(DataError, match='is 2 for all 6'):
        compare_ordinal(Groups(outcome=[2] * 6, arm=[0, 1] * 3), responder=1, levels=[0, 1, 2])


def test_the_difference_holds_where_odds_are_not_proportional(rng):
    """A randomised trial of levels that the model gets wrong; truth by 200 nodes of the covariate."""
    nodes = stats.norm.ppf((np.arange(200) + 0.5) / 200)
    risks = [special.expit(nodes - 0.5).mean(), special.expit(nodes).mean()]
    hits, errors = [], []
    for _ in range(100):
        x, arm = rng.standard_normal(120), rng.permutation(np.arange(120) % 2)
        u = rng.random(120)
        top = u < special.expit(x - 0.5 + 0.5 * arm)
        # the arm does nothing at the lower cut, where there is a little more of level 1 in control
        some = u < special.expit(x + 1)
        found = compare_ordinal(Groups(outcome=top * 1.0 + (some | top), arm=arm, covariates=x), responder=2)
        difference = found.fit.contrasts[0].difference
        errors.append(difference.estimate - (risks[1] - risks[0]))
        hits.append(abs(errors[-1]) <= difference.ci_high - difference.estimate)
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(100)
    # three Monte Carlo standard errors of 100 trials
    assert abs(np.mean(hits) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 100)


def test_turning_levels_round_turns_the_ratio(rng):
    """A law of the logistic link: the odds of being lower are those of being higher, upside down."""
    groups = level_trial(rng, effects=(0.7, -0.2))
    turned = Groups(outcome=3 - groups.outcome, arm=groups.arm, covariates=groups.covariates)
    one, two = compare_ordinal(groups, responder=2), compare_ordinal(turned, responder=2)
    for up, down in zip(one.fit.contrasts, two.fit.contrasts):
        # the searches end at 1e-9 of a coefficient
        assert up.log_ratio.estimate == pytest.approx(-down.log_ratio.estimate, abs=1e-7)
        assert up.log_ratio.se == pytest.approx(down.log_ratio.se, rel=1e-6)
        assert up.log_ratio.ci_low == pytest.approx(-down.log_ratio.ci_high, abs=1e-6)
        # turned, 2 or above is what 1 or below was: the same cut
        assert up.difference.estimate == pytest.approx(-down.difference.estimate, abs=1e-8)
        assert up.difference.p == pytest.approx(down.difference.p, rel=1e-6)
    assert one.parallel.statistic == pytest.approx(two.parallel.statistic, rel=1e-5)


def test_joining_levels_keeps_the_ratio_of_proportional_odds(rng):
    """The common ratio does not depend on how finely levels are cut, but for chance."""
    groups = level_trial(rng, n=5000)
    fine = compare_ordinal(groups, responder=2).fit.contrasts[0].log_ratio
    joined = Groups(outcome=np.minimum(groups.outcome, 2), arm=groups.arm, covariates=groups.covariates)
    coarse = compare_ordinal(joined, responder=2).fit.contrasts[0].log_ratio
    assert abs(fine.estimate - 0.7) < 3.5 * fine.se
    assert abs(coarse.estimate - fine.estimate) < fine.se
    assert coarse.se > fine.se


@pytest.mark.parametrize('codes', [[1, 2, 3, 4], [-2, 0, 5, 7], [0.5, 1, 1.5, 2]])
def test_levels_are_told_by_order_alone(rng, codes):
    groups = level_trial(rng, n=120)
    other = Groups(
        outcome=np.array(codes)[groups.outcome.astype(int)], arm=groups.arm, covariates=groups.covariates
    )
    found = compare_ordinal(other, responder=codes[2], levels=codes)
    wanted = compare_ordinal(groups, responder=2)
    assert found.fit.contrasts == wanted.fit.contrasts
    assert found.parallel == wanted.parallel
    assert found.cuts.cut.tolist() == codes[1:]
    assert found.fit.described.level.tolist() == codes * 2
