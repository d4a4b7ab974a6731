from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from pipelines.errors import DataError
from pipelines.stats.discrete.overdispersed import Counted, fit_at, fit_overdispersed
from pipelines.stats.discrete.people import Groups
from pipelines.stats.discrete.rates import compare_rates

GOLDEN = Path(__file__).resolve().parents[2] / 'golden'


def falls(rng, n=200, alpha=0.7, shift=0.5):
    """Events by the negative binomial with unequal times at risk."""
    arm, x = rng.permutation(np.arange(n) % 2), rng.standard_normal((n, 1))
    time = rng.uniform(0.5, 2, n)
    mu = time * np.exp(0.7 + shift * arm + 0.4 * x[:, 0])
    counts = rng.poisson(mu * (rng.gamma(1 / alpha, alpha, n) if alpha else 1)).astype(float)
    for array in (arm, x, time, counts):
        array.setflags(write=False)
    return Groups(outcome=counts, arm=arm, covariates=x), time


@pytest.fixture(scope='module')
def quine() -> Groups:
    table = pd.read_csv(GOLDEN / 'quine.tsv', sep='\t')
    return Groups(outcome=table.days, arm=table.age, covariates=table[['sex', 'eth']])


def test_negative_binomial_gives_the_numbers_of_r(quine):
    found = compare_rates(quine)
    ratios = [contrast.log_ratio for contrast in found.contrasts]
    # alpha is found to 1e-7, R stops at 1e-6
    assert [ratio.estimate for ratio in ratios] == pytest.approx(
        [-0.3658463525968, 0.1795088663238, 0.2527334352087], abs=1e-5
    )
    assert [ratio.se for ratio in ratios] == pytest.approx(
        [0.233136472719, 0.231723418264, 0.242740645304], rel=1e-5
    )
    assert ratios[1].p == pytest.approx(0.4385354837, abs=1e-4)
    design = np.column_stack([np.ones(146), *(quine.arm == code for code in (1, 2, 3)), quine.covariates])
    fit = fit_overdispersed(Counted(design.astype(float), np.asarray(quine.outcome, float), np.ones(146)))
    assert 1 / fit.alpha == pytest.approx(1.25070356792, rel=1e-5)
    assert fit.log_likelihood == pytest.approx(-547.826348624, abs=1e-6)
    assert found.model == 'negative_binomial'


def test_negative_binomial_is_at_the_maximum_of_statsmodels(rng):
    groups, time = falls(rng)
    design = np.column_stack([np.ones(200), groups.arm, groups.covariates])
    found = fit_overdispersed(Counted(design, groups.outcome, time))
    model = sm.NegativeBinomial(groups.outcome, design, exposure=time)
    wanted = model.fit(disp=0, method='bfgs', gtol=1e-8)
    # either search ends within 1e-6
    np.testing.assert_allclose(found.coefficients, wanted.params[:3], atol=1e-5)
    assert found.alpha == pytest.approx(wanted.params[3], rel=1e-4)
    assert found.log_likelihood == pytest.approx(wanted.llf, abs=1e-7)


def test_covariance_at_a_known_alpha_is_that_of_a_generalised_linear_model(rng):
    groups, time = falls(rng)
    design = np.column_stack([np.ones(200), groups.arm, groups.covariates])
    found = fit_overdispersed(Counted(design, groups.outcome, time))
    family = sm.families.NegativeBinomial(alpha=found.alpha)
    wanted = sm.GLM(groups.outcome, design, family=family, exposure=time).fit(tol=1e-12)
    np.testing.assert_allclose(found.coefficients, wanted.params, atol=1e-7)
    np.testing.assert_allclose(found.covariance, wanted.cov_params(), rtol=1e-5)


def test_rates_without_covariates_are_events_over_time(rng):
    groups, time = falls(rng)
    found = compare_rates(Groups(outcome=groups.outcome, arm=groups.arm), time)
    members = [groups.arm == code for code in (0, 1)]
    rates = [groups.outcome[mine].sum() / time[mine].sum() for mine in members]
    np.testing.assert_allclose(found.means, rates, rtol=1e-9)
    # the error of a ratio of sums, to what leverages of 1/100 add
    variance = [
        np.sum((groups.outcome[mine] - rate * time[mine]) ** 2) / time[mine].sum() ** 2
        for mine, rate in zip(members, rates)
    ]
    assert found.contrasts[0].difference.se == pytest.approx(np.sqrt(sum(variance)), rel=0.03)
    assert found.described['total'].tolist() == [groups.outcome[mine].sum() for mine in members]
    assert found.described['time'].tolist() == pytest.approx([time[mine].sum() for mine in members])


def test_counts_that_vary_by_chance_are_poisson(rng):
    counts = np.tile([2.0, 3, 2, 3, 4, 3], 10)
    arm = np.repeat([0, 1], 30)
    found = compare_rates(Groups(outcome=counts, arm=arm))
    assert found.model == 'poisson'
    # closed form: 1 / events of each arm
    assert found.contrasts[0].log_ratio.se == pytest.approx(np.sqrt(1 / 85 + 1 / 85), rel=1e-9)
    assert 'no more than by chance' in found.notes[0]
    # the difference knows that they vary less
    assert found.contrasts[0].difference.se < np.sqrt(2 * 85) / 30 / 1.5


def test_a_distribution_without_end_is_quasi_poisson():
    """One person has every event of the arm: alpha grows until it is useless."""
    counts = np.zeros(60)
    counts[[3, 40]] = 5000, 20_000
    data = Counted(np.column_stack([np.ones(60), np.arange(60) >= 30]), counts, np.ones(60))
    found = fit_overdispersed(data)
    if found.model == 'negative_binomial':
        assert found.alpha > 50
    wanted = sm.GLM(counts, data.design, family=sm.families.Poisson()).fit(scale='X2')
    quasi = compare_rates(Groups(outcome=counts, arm=(np.arange(60) >= 30).astype(int)))
    np.testing.assert_allclose(quasi.contrasts[0].log_ratio.estimate, wanted.params[1], atol=1e-6)


def test_quasi_poisson_takes_pearsons_dispersion(rng, monkeypatch):
    groups, time = falls(rng)
    monkeypatch.setattr('pipelines.stats.discrete.overdispersed._MOST', np.log(1e-3))
    found = compare_rates(groups, time)
    design = np.column_stack([np.ones(200), groups.arm, groups.covariates])
    wanted = sm.GLM(groups.outcome, design, family=sm.families.Poisson(), exposure=time).fit(
        scale='X2', use_t=True, tol=1e-12
    )
    assert found.model == 'quasi_poisson'
    own = [found.contrasts[0].log_ratio[i] for i in (0, 1, 5, 6)]
    numbers = (wanted.params, wanted.bse, wanted.tvalues, wanted.pvalues)
    # both end at 1e-9 of a coefficient
    np.testing.assert_allclose(own, [column[1] for column in numbers], rtol=1e-6)
    assert found.contrasts[0].log_ratio.df == 197


def test_an_arm_without_events_has_a_rate_but_no_ratio(rng):
    counts = np.array([0, 2, 1, 3, 0, 1, 4, 2] + [0] * 8 + [1, 0, 2, 2, 5, 1, 0, 3], float)
    arm = np.repeat([0, 1, 2], 8)
    found = compare_rates(Groups(outcome=counts, arm=arm))
    none, some = found.contrasts
    assert none.log_ratio is None
    assert none.difference.estimate == pytest.approx(-counts[:8].mean(), abs=1e-9)
    assert none.difference.se == pytest.approx(counts[:8].std() / np.sqrt(8) / (1 - 1 / 8), rel=1e-6)
    assert some.log_ratio.estimate == pytest.approx(np.log(14 / 13), abs=1e-7)
    assert 'arm 1 has no event' in found.notes[0]


def test_a_control_arm_without_events_has_no_ratios():
    found = compare_rates(Groups(outcome=[0, 0, 0, 2, 1, 3], arm=[0, 0, 0, 1, 1, 1]))
    assert found.contrasts[0].log_ratio is None
    assert found.contrasts[0].difference.estimate == pytest.approx(2)


@pytest.mark.parametrize(
    ('outcome', 'time', 'message'),
    [
        ([1, 2, -1, 4], None, 'a count is -1'),
        ([1, 2, 0.5, 4], None, 'a count is 0.5'),
        ([1, 2, 0, 4], [1, 1, 0, 1], 'time at risk is 0'),
        ([0, 0, 0, 0], None, 'not one event among 4'),
    ],
)
def test_what_is_no_count_is_refused(outcome, time, message):
    with pytest.raises(DataError, match=message):
        compare_rates(Groups(outcome=outcome, arm=[0, 1, 0, 1]), time)


def test_a_covariate_that_tells_who_has_events_is_refused(rng):
    design = np.column_stack([np.ones(20), np.arange(20) < 10])
    with pytest.raises(DataError, match='no maximum'):
        fit_at(Counted(design, (np.arange(20) >= 10) * 2.0, np.ones(20)), 0.0)


@pytest.mark.parametrize('is_randomised', [True, False])
def test_intervals_cover_the_ratio_and_the_difference(rng, is_randomised):
    """Truth in closed form: the mean of exp(0.4 x) is exp(0.08)."""
    truth = np.exp(0.78) * np.expm1(0.5)
    hits = []
    for _ in range(80):
        groups, time = falls(rng)
        given = Groups(
            outcome=groups.outcome, arm=groups.arm, covariates=groups.covariates, is_randomised=is_randomised
        )
        (found,) = compare_rates(given, time).contrasts
        pairs = ((found.log_ratio, 0.5), (found.difference, truth))
        hits.append([each.ci_low <= value <= each.ci_high for each, value in pairs])
    # three Monte Carlo standard errors of 80 trials
    low, high = stats.binom.ppf([0.0013, 0.9987], 80, 0.95) / 80
    assert all(low <= share <= high for share in np.mean(hits, axis=0))


def test_the_unit_of_time_does_not_matter_to_the_ratio(rng):
    groups, time = falls(rng)
    years, months = compare_rates(groups, time), compare_rates(groups, 12 * time)
    # the search ends at 1e-10 of a coefficient
    np.testing.assert_allclose(months.contrasts[0].log_ratio, years.contrasts[0].log_ratio, rtol=1e-6)
    one, two = years.contrasts[0].difference, months.contrasts[0].difference
    assert (two.estimate * 12, two.se * 12) == pytest.approx((one.estimate, one.se), rel=1e-6)
    assert two.p == pytest.approx(one.p, rel=1e-5)
    np.testing.assert_allclose(months.means * 12, years.means, rtol=1e-6)


def test_arms_but_control_do_not_move_each_other_without_covariates(rng):
    """Of the quasi-likelihood the others share the spread only; rates are each arm's own."""
    groups, time = falls(rng, n=300)
    arm = np.where(np.arange(300) % 3 == 2, 2, groups.arm)
    three = compare_rates(Groups(outcome=groups.outcome, arm=arm), time)
    two = arm < 2
    alone = compare_rates(Groups(outcome=groups.outcome[two], arm=arm[two]), time[two])
    assert three.contrasts[0].difference.estimate == pytest.approx(
        alone.contrasts[0].difference.estimate, abs=1e-9
    )
    # leverages depend on the dispersion, which is shared
    assert three.contrasts[0].difference.se == pytest.approx(alone.contrasts[0].difference.se, rel=1e-4)
    assert three.tally.n.sum() == 300


def test_missing_times_are_counted(rng):
    groups, time = falls(rng)
    holes = np.where(np.arange(200) < 7, np.nan, time)
    found = compare_rates(groups, holes)
    assert found.tally.n_incomplete.sum() == 7
    rest = Groups(outcome=groups.outcome[7:], arm=groups.arm[7:], covariates=groups.covariates[7:])
    # the same people
    np.testing.assert_allclose(
        found.contrasts[0].log_ratio, compare_rates(rest, time[7:]).contrasts[0].log_ratio
    )
