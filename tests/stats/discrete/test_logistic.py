import numpy as np
import pytest
import statsmodels.api as sm
from scipy import optimize, special

from pipelines.errors import DataError
from pipelines.stats.discrete.logistic import Events
from pipelines.stats.discrete.profile import profile_estimate
from pipelines.stats.discrete.separation import is_separated
from pipelines.stats.discrete.solving import fit_likelihood, fit_penalised, invert_information
from tests.stats.discrete.made_up import binary_trial


def events(rng, **options):
    groups, design = binary_trial(rng, **options)
    return Events(design, groups.outcome, np.ones(len(groups.outcome)))


def penalised(coefficients, data):
    """Return the penalised likelihood from its definition."""
    risk = special.expit(data.design @ coefficients)
    total = np.sum(data.events * np.log(risk) + (data.trials - data.events) * np.log1p(-risk))
    information = data.design.T @ np.diag(data.trials * risk * (1 - risk)) @ data.design
    return total + np.linalg.slogdet(information)[1] / 2


@pytest.mark.parametrize('n_arms', [2, 3])
def test_maximum_likelihood_is_that_of_statsmodels(rng, n_arms):
    data = events(rng, n_arms=n_arms)
    found, wanted = fit_likelihood(data), sm.Logit(data.events, data.design).fit(disp=0, tol=1e-12)
    # both end at 1e-9 of a coefficient
    np.testing.assert_allclose(found.coefficients, wanted.params, rtol=1e-7)
    np.testing.assert_allclose(found.covariance, wanted.cov_params(), rtol=1e-6)
    assert found.log_likelihood == pytest.approx(wanted.llf, rel=1e-10)


def test_trials_are_counted(rng):
    design = np.column_stack([np.ones(40), rng.standard_normal(40)])
    trials = rng.integers(1, 20, 40).astype(float)
    happened = rng.binomial(trials.astype(int), 0.3).astype(float)
    found = fit_likelihood(Events(design, happened, trials))
    table = np.column_stack([happened, trials - happened])
    wanted = sm.GLM(table, design, family=sm.families.Binomial()).fit(tol=1e-12)
    np.testing.assert_allclose(found.coefficients, wanted.params, rtol=1e-7)
    np.testing.assert_allclose(found.covariance, wanted.cov_params(), rtol=1e-6)


@pytest.mark.parametrize('table', [(0, 12, 5, 7), (3, 9, 12, 0), (4, 8, 7, 5), (0, 5, 9, 0)])
def test_firth_adds_half_to_each_cell_of_a_table(table):
    """Published closed form of saturated models: odds of counts with 1/2 added."""
    yes0, no0, yes1, no1 = table
    outcome = np.repeat([1.0, 0, 1, 0], table)
    arm = np.repeat([0.0, 0, 1, 1], table)
    data = Events(np.column_stack([np.ones(len(arm)), arm]), outcome, np.ones(len(arm)))
    found = fit_penalised(data)
    cells = np.array(table) + 0.5
    wanted = np.log(cells[2] * cells[1] / (cells[3] * cells[0]))
    assert found.coefficients[1] == pytest.approx(wanted, abs=1e-7)
    # the information at those odds: n p (1 - p) of each arm
    risks, n = cells[[0, 2]] / (np.array([yes0 + no0, yes1 + no1]) + 1), [yes0 + no0, yes1 + no1]
    assert found.covariance[1, 1] == pytest.approx(np.sum(1 / (n * risks * (1 - risks))), rel=1e-6)


@pytest.mark.parametrize('level', [-0.5, -4.0])
def test_firth_is_at_the_maximum_of_the_penalised_likelihood(rng, level):
    data = events(rng, n=60, level=level)
    found = fit_penalised(data)
    assert found.log_likelihood == pytest.approx(penalised(found.coefficients, data), abs=1e-9)
    start = found.coefficients + rng.uniform(-0.2, 0.2, len(found.coefficients))
    options = {'xatol': 1e-7, 'fatol': 1e-11, 'maxiter': 5000, 'maxfev': 5000}
    best = optimize.minimize(lambda b: -penalised(b, data), start, method='Nelder-Mead', options=options)
    # a simplex stops within 1e-5 of the place
    assert -best.fun <= found.log_likelihood + 1e-8
    np.testing.assert_allclose(best.x, found.coefficients, atol=2e-5)


def test_a_held_coefficient_is_the_profile(rng):
    data = events(rng, n=40, k=0)
    for value in (-1.0, 0.5, 3.0):
        found = fit_penalised(data, (1, value))
        best = optimize.minimize_scalar(
            lambda b, value=value: -penalised([b, value], data), bounds=(-10, 10), method='bounded'
        )
        assert found.coefficients[1] == value
        # the top is flat: 1e-5 of the place is 1e-9 of the height
        assert found.log_likelihood == pytest.approx(-best.fun, abs=1e-8)


def test_the_interval_of_a_profile_is_where_the_likelihood_has_fallen(rng):
    data = events(rng, n=40, k=1, level=-2.5)
    fit = fit_penalised(data)
    found = profile_estimate(
        fit.coefficients[1],
        fit.covariance[1, 1] ** 0.5,
        lambda value: fit_penalised(data, (1, value)).log_likelihood,
    )
    for end in (found.ci_low, found.ci_high):
        # half the 95 % point of chi squared with one degree of freedom
        assert fit.log_likelihood - fit_penalised(data, (1, end)).log_likelihood == pytest.approx(
            1.920729, abs=1e-5
        )
    assert found.ci_low < found.estimate < found.ci_high
    assert (found.p < 0.05) == (found.ci_low > 0 or found.ci_high < 0)


def test_a_likelihood_without_bounds_is_told():
    with pytest.raises(DataError, match='does not bound'):
        profile_estimate(0.0, 1.0, lambda value: -1e-9 * value**2)


@pytest.mark.parametrize(
    ('outcome', 'arm', 'x', 'separated'),
    [
        ([0, 0, 0, 1, 1, 0], [0, 0, 0, 1, 1, 1], [1, 2, 3, 1, 2, 3], True),  # nobody in control
        ([0, 1, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1], [1, 2, 3, 1, 2, 3], True),  # everybody treated
        ([0, 1, 0, 1, 0, 1], [0, 0, 1, 1, 0, 1], [1, 5, 2, 6, 1, 7], True),  # the covariate tells
        ([0, 1, 0, 1, 0, 1], [0, 0, 1, 1, 0, 1], [1, 5, 6, 2, 4, 3], False),
    ],
)
def test_separation_is_found(outcome, arm, x, separated):
    design = np.column_stack([np.ones(6), arm, x])
    data = Events(design, np.array(outcome, float), np.ones(6))
    assert data.is_separated() == separated
    if separated:
        # whatever the place, there is a higher one
        signs = 2 * data.events - 1
        assert is_separated(signs[:, None] * design)
    else:
        assert np.isfinite(fit_likelihood(data).coefficients).all()


def test_separated_data_have_no_maximum():
    design = np.column_stack([np.ones(8), np.arange(8) > 3])
    data = Events(design, (np.arange(8) > 3).astype(float), np.ones(8))
    with pytest.raises(DataError, match=r'singular|no maximum'):
        fit_likelihood(data)
    # half is added: 4.5 against 0.5 in each arm
    assert fit_penalised(data).coefficients[1] == pytest.approx(2 * np.log(9), abs=1e-7)


def test_separation_of_random_data_is_the_failure_of_newton(rng):
    """Two answers to one question: a linear programme, and how far the search goes."""
    found = []
    for _ in range(30):
        x = np.column_stack([np.ones(12), rng.standard_normal((12, 2))])
        data = Events(x, (rng.random(12) < special.expit(2 * x[:, 1])).astype(float), np.ones(12))
        try:
            line = x @ fit_likelihood(data).coefficients
        except DataError:
            line = np.full(12, np.inf)
        # without a maximum the search runs to risks that rounding makes 0 or 1
        separated = data.is_separated()
        assert not (separated and np.abs(line).max() < 15)
        assert separated or np.isfinite(line).all()
        found.append(separated)
    assert 0 < sum(found) < 30


def test_information_that_vanishes_is_refused_in_words():
    with pytest.raises(DataError, match='the information of a logistic regression is singular; use fewer'):
        invert_information(np.zeros((2, 2)), 'a logistic regression')


def test_a_profile_along_which_scoring_is_slow_is_followed_to_its_top(rng):
    """Twelve sites, one arm without failures, and its coefficient held far away."""
    arm = np.arange(80) % 2
    site = (np.arange(80) // 2 % 12)[:, None] == np.arange(1, 12)
    data = Events(
        np.column_stack([np.ones(80), arm, site]), np.where(arm, 1.0, rng.integers(0, 2, 80)), np.ones(80)
    )
    fit = fit_penalised(data)
    for value in fit.coefficients[1] + np.arange(-2.0, 8.0):
        held = fit_penalised(data, (1, value))
        slope = np.delete(data.slope(held.coefficients)[0] + data.penalty_slope(held.coefficients)[0], 1)
        # a slope of 1e-5 is a height of 1e-10
        np.testing.assert_allclose(slope, 0, atol=1e-5)
        assert held.log_likelihood <= fit.log_likelihood + 1e-9
