import numpy as np
import pytest
from scipy import special, stats

from pipelines.errors import DataError, UnknownWordError
from pipelines.stats.discrete.binary import compare_binary, expect_events
from pipelines.stats.discrete.logistic import Events
from pipelines.stats.discrete.people import Groups, arrange_groups
from pipelines.stats.discrete.results import Comparison, collect_contrasts, tally_levels
from pipelines.stats.discrete.solving import fit_likelihood
from pipelines.stats.discrete.standardise import Expected, Marginal, difference, leverages, standardise
from tests.stats.discrete.made_up import binary_trial


def by_loops(people, expected):
    """The published variance person by person, with residuals over one minus leverage."""
    n, arms, mu = len(people.outcome), range(len(people.arms)), expected.means
    means, covariance = np.zeros(len(arms)), np.zeros((len(arms), len(arms)))
    rows = [[i for i in range(n) if people.arm[i] == t] for t in arms]
    shift = [sum(people.outcome[i] - mu[i, t] for i in rows[t]) / len(rows[t]) for t in arms]
    corrected = [mu[:, t] + shift[t] for t in arms]

    def within(one, other, group):
        a, b = ([values[i] for i in group] for values in (one, other))
        middle = sum(a) / len(a), sum(b) / len(b)
        return sum((x - middle[0]) * (y - middle[1]) for x, y in zip(a, b)) / (len(a) - 1)

    for t in arms:
        means[t] = sum(corrected[t]) / n
        for s in arms:
            everyone = within(mu[:, t], mu[:, s], range(n))
            one, other = within(people.outcome, mu[:, s], rows[t]), within(people.outcome, mu[:, t], rows[s])
            covariance[t, s] = one + other - everyone
        squares = [((people.outcome[i] - corrected[t][i]) / (1 - expected.leverage[i])) ** 2 for i in rows[t]]
        covariance[t, t] += sum(squares) / len(squares) * n / len(squares)
    return means, covariance / n


@pytest.fixture
def three_arms(rng):
    groups, _ = binary_trial(rng, n=90, n_arms=3)
    people = arrange_groups(groups)
    data = Events(people.design_in(), people.outcome, people.exposure)
    return people, expect_events(people, data, fit_likelihood(data), is_shrunken=False)


@pytest.mark.parametrize('offset', [0.0, 0.1])
def test_the_published_variance_by_loops(three_arms, offset):
    people, expected = three_arms
    # a model that is wrong by a constant is set right by its residuals
    wrong = expected._replace(means=expected.means + offset)
    found = standardise(people, wrong)
    means, covariance = by_loops(people, wrong)
    # the same sums in another order
    np.testing.assert_allclose(found.means, means, rtol=1e-10)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(found.means, standardise(people, expected).means, rtol=1e-10)


def test_the_covariance_is_one(three_arms):
    for people in (three_arms[0], three_arms[0]._replace(is_randomised=False)):
        covariance = standardise(people, three_arms[1]).covariance
        # rounding
        np.testing.assert_allclose(covariance, covariance.T, rtol=1e-12)
        assert np.linalg.eigvalsh(covariance).min() > 0


def test_a_model_that_says_nothing_leaves_the_means_of_arms(rng):
    groups, _ = binary_trial(rng, n=90, n_arms=3)
    people = arrange_groups(Groups(outcome=groups.outcome, arm=groups.arm))
    nothing = Expected(np.zeros((90, 3)), np.zeros((3, 3)), np.zeros((90, 3)), np.full(90, 1 / 30))
    found = standardise(people, nothing)
    for code in range(3):
        mine = groups.outcome[groups.arm == code]
        assert found.means[code] == pytest.approx(mine.mean(), abs=1e-12)
        assert found.covariance[code, code] == pytest.approx(mine.var() / 30 / (29 / 30) ** 2, rel=1e-10)
    # arms do not share people
    np.testing.assert_allclose(found.covariance - np.diag(np.diag(found.covariance)), 0, atol=1e-12)


def test_covariates_that_explain_the_outcome_shorten_the_interval(rng):
    """Efficiency that the theory promises, in one large trial."""
    n = 5000
    x, arm = rng.standard_normal(n), np.arange(n) % 2
    outcome = (rng.random(n) < special.expit(2 * x + 0.5 * arm)).astype(float)
    one, two = (
        compare_binary(Groups(outcome=outcome, arm=arm, covariates=table)).contrasts[0].difference
        for table in (None, x)
    )
    assert two.se < 0.85 * one.se
    assert abs(one.estimate - two.estimate) < 3 * one.se


def test_confounding_is_answered_where_arms_were_not_drawn(rng):
    """Those with high x are treated more often; without x the treated look better than they are."""
    n = 20_000
    x = rng.standard_normal(n)
    arm = (rng.random(n) < special.expit(x)).astype(int)
    outcome = (rng.random(n) < special.expit(x + 0.5 * arm)).astype(float)
    found = compare_binary(Groups(outcome=outcome, arm=arm, covariates=x, is_randomised=False))
    nodes = stats.norm.ppf((np.arange(400) + 0.5) / 400)
    truth = np.mean(special.expit(nodes + 0.5) - special.expit(nodes))
    estimate = found.contrasts[0].difference
    assert abs(estimate.estimate - truth) < 3.5 * estimate.se < 0.03
    crude = outcome[arm == 1].mean() - outcome[arm == 0].mean()
    assert crude - truth > 8 * estimate.se


def test_leverages_are_the_diagonal_of_the_hat(rng):
    design, weights = rng.standard_normal((30, 4)), rng.uniform(0.1, 2, 30)
    root = np.sqrt(weights)[:, None] * design
    wanted = np.diag(root @ np.linalg.inv(root.T @ root) @ root.T)
    # inverses of well-conditioned matrices
    np.testing.assert_allclose(leverages(design, weights), wanted, rtol=1e-10)
    assert leverages(design, weights).sum() == pytest.approx(4)


def test_full_leverage_is_refused(three_arms):
    people, expected = three_arms
    leverage = expected.leverage.copy()
    leverage[0] = 1.0
    with pytest.raises(DataError, match='one person alone'):
        standardise(people, expected._replace(leverage=leverage))


def test_a_difference_needs_something_that_varies():
    assert difference(Marginal(np.array([0.1, 0.4]), np.zeros((2, 2))), 1) is None
    shared = Marginal(np.array([0.1, 0.4]), np.full((2, 2), 0.01))
    assert difference(shared, 1) is None
    apart = difference(Marginal(np.array([0.1, 0.4, 0.2]), np.diag([0.01, 0.5, 0.03])), 2)
    assert (apart.estimate, apart.se) == pytest.approx((0.1, 0.2))
    assert apart.p == pytest.approx(2 * stats.norm.sf(0.5))


def test_words_of_a_comparison_are_those_of_the_terms(three_arms):
    people, expected = three_arms
    marginal, described = standardise(people, expected), tally_levels(people, np.array([0, 1]))
    with pytest.raises(UnknownWordError, match='probit'):
        collect_contrasts(
            Comparison('probit', 'odds_ratio', 'risk_difference'), people, [None, None], marginal, described
        )
    good = Comparison('logistic', 'odds_ratio', 'risk_difference')
    found = collect_contrasts(good, people, [None, None], marginal, described, ['a note'])
    assert found.notes == ('a note',)
    assert [contrast.arm for contrast in found.contrasts] == [1, 2]
    assert found.described.groupby('arm').n.sum().tolist() == [30, 30, 30]
    with pytest.raises(ValueError, match='shorter'):
        collect_contrasts(good, people, [None], marginal, described)
