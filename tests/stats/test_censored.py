from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import integrate, special, stats

from pipelines.errors import DataError
from pipelines.stats import censored_sessions
from pipelines.stats.biomarker import lod_half
from pipelines.stats.censored import effects_of, fit_censored
from pipelines.stats.censored_likelihood import Variances, arrange, log_likelihood
from pipelines.stats.censored_sessions import log_bivariate

GOLDEN = Path(__file__).resolve().parents[1] / 'golden'
USUAL = Variances(0.5, 0.2, 0.3)


def samples(rng, n=40, variances=USUAL, missing=0.1, effect=(0.1, 0.2), shape=(2, 2)):
    """Simulate sessions of samples, ``shape``: of each how many; the design has a constant and the time."""
    spread, (n_sessions, n_times) = np.sqrt(variances), shape
    y = spread[0] * rng.standard_normal((n, 1, 1)) + spread[1] * rng.standard_normal((n, n_sessions, 1))
    y = (y + spread[2] * rng.standard_normal((n, *shape))).ravel()
    person, session, post = (grid.ravel() for grid in np.mgrid[:n, :n_sessions, :n_times])
    design = np.column_stack([np.ones(len(y)), post])
    y += design @ effect
    y[rng.random(len(y)) < missing] = np.nan
    for array in (y, design, person, session):
        array.setflags(write=False)
    return y, design, person, session


def brute_force(block, coefficients, variances, n_points=400):
    """Integrate over the person's and the session's effects on a dense grid (Gauss-Legendre, 9 SD)."""
    x, w = np.polynomial.legendre.leggauss(n_points)
    spread = 9 * np.sqrt(variances.person), 9 * np.sqrt(variances.session)
    (u, v), sd = ((x * s) for s in spread), np.sqrt(variances.sample)
    weight_u, weight_v = (w * 9 * stats.norm.pdf(9 * x) for _ in range(2))
    found = []
    for value, side, design in zip(*block):
        given_u = np.ones(n_points)
        for s in range(len(value)):
            joint = np.ones((n_points, n_points))
            for t in np.flatnonzero(np.isfinite(value[s])):
                r = (value[s, t] - design[s, t] @ coefficients - u[:, None] - v) / sd
                joint *= special.ndtr(side[s, t] * r) if side[s, t] else stats.norm.pdf(r) / sd
            given_u *= joint @ weight_v
        found.append(np.log(given_u @ weight_u))
    return np.array(found)


@pytest.mark.parametrize(
    ('variances', 'lower', 'upper', 'tolerance'),
    [
        (USUAL, 0.0, np.inf, 1e-8),
        (USUAL, -0.5, 0.7, 1e-8),  # censored on both sides, also within a session
        (USUAL, 3.0, np.inf, 1e-8),  # everything censored
        (Variances(1.0, 0.1, 0.1), 0.8, np.inf, 1e-8),
        (Variances(0.3, 1.0, 0.1), -0.5, 0.7, 1e-8),
        # people differ twenty times more than their samples, nearly all censored: 60 points are few
        (Variances(4.0, 0.1, 0.1), 0.8, np.inf, 1e-5),
    ],
)
def test_likelihood_is_the_integral(rng, variances, lower, upper, tolerance):
    y, design, person, session = samples(rng, 25, variances)
    block = arrange(y, lower, upper, design, person, session)
    found, _ = log_likelihood(block, np.array([0.1, 0.2]), variances)
    np.testing.assert_allclose(found, brute_force(block, np.array([0.1, 0.2]), variances), atol=tolerance)
    assert (block.side[np.isfinite(block.value)] != 0).mean() > 0.3


@pytest.mark.parametrize('shape', [(3, 2), (2, 3), (2, 5), (4, 1), (1, 3)])
@pytest.mark.parametrize('limits', [(-0.5, np.inf), (-0.5, 0.7), (3.0, np.inf)])
def test_likelihood_of_any_sessions_and_times_is_the_integral(rng, shape, limits):
    y, design, person, session = samples(rng, 4, shape=shape)
    block = arrange(y, *limits, design, person, session)
    found, score = log_likelihood(block, np.array([0.1, 0.2]), USUAL)
    # both rules are good to some 1e-9 of what a person adds
    np.testing.assert_allclose(found, brute_force(block, np.array([0.1, 0.2]), USUAL, 200), atol=1e-8)
    theta = np.array([0.1, 0.2, *USUAL])
    for j, step in enumerate(1e-5 * np.eye(5)):
        up, down = (log_likelihood(block, t[:2], Variances(*t[2:]))[0] for t in (theta + step, theta - step))
        # a central difference loses 5 of 15 digits
        np.testing.assert_allclose(score[:, j], (up - down) / 2e-5, atol=1e-6)


def test_sessions_of_many_samples_are_taken_in_pieces(rng, monkeypatch):
    y, design, person, session = samples(rng, 12, shape=(3, 3))
    block = arrange(y, 0.0, np.inf, design, person, session)
    whole = log_likelihood(block, np.zeros(2), USUAL)
    monkeypatch.setattr(censored_sessions, '_PIECE', 20_000)
    for part, wanted in zip(log_likelihood(block, np.zeros(2), USUAL), whole):
        # the mode is sought until the last of a piece is found: another centre of the same rule
        np.testing.assert_allclose(part, wanted, atol=1e-9)


@pytest.mark.parametrize(
    ('person', 'session', 'wanted'),
    [
        ([1, 2, 3, 4], [1, 1, 1, 1], (False, False)),
        ([1, 1, 2, 2], [1, 1, 1, 1], (True, False)),  # people and their only sessions are one
        ([1, 1, 2, 2], [1, 2, 1, 2], (True, False)),
        ([1, 1, 1, 2], [1, 1, 2, 1], (True, True)),
    ],
)
def test_effects_are_those_that_can_be_told_apart(person, session, wanted):
    block = arrange([1.0, 2, 4, 7], -np.inf, np.inf, np.ones((4, 1)), person, session)
    assert effects_of(block) == wanted


def test_one_sample_a_session_is_a_random_intercept(rng):
    y, design, person, session = samples(rng, shape=(3, 1), missing=0.15)
    design = np.column_stack([design[:, 0], session == 1, session == 2]).astype(float)
    found = fit_censored(arrange(y, -np.inf, np.inf, design, person, session))
    frame = pd.DataFrame({'y': y, 'person': person, 'session': session}).dropna()
    wanted = smf.mixedlm('y ~ C(session)', frame, groups='person').fit(reml=False, gtol=1e-8)
    # the other optimiser stops some 1e-5 of a standard error away
    np.testing.assert_allclose(found.coefficients, wanted.fe_params, atol=1e-5)
    assert found.log_likelihood == pytest.approx(wanted.llf, abs=1e-6)
    assert found.variances.session == 0


@pytest.mark.parametrize('shape', [(2, 2), (2, 3)])
def test_likelihood_without_censoring_is_the_normal_density(rng, shape):
    y, design, person, session = samples(rng, shape=shape)
    block = arrange(y, -np.inf, np.inf, design, person, session)
    found, _ = log_likelihood(block, np.array([0.3, -0.1]), USUAL)
    for i, density in enumerate(found):
        rows = (person == i) & ~np.isnan(y)
        same = session[rows][:, None] == session[rows]
        covariance = USUAL.person + USUAL.session * same + USUAL.sample * np.eye(rows.sum())
        # the rule is exact: what is left is rounding
        wanted = stats.multivariate_normal(design[rows] @ [0.3, -0.1], covariance).logpdf(y[rows])
        assert density == pytest.approx(wanted, abs=1e-11)


@pytest.mark.parametrize(('lower', 'upper'), [(-np.inf, np.inf), (0.0, np.inf), (-0.4, 0.6)])
def test_score_is_the_derivative(rng, lower, upper):
    block = arrange(*(data := samples(rng))[:1], lower, upper, *data[1:])
    theta = np.array([0.2, 0.1, 0.4, 0.15, 0.35])
    _, score = log_likelihood(block, theta[:2], Variances(*theta[2:]))
    for j, step in enumerate(1e-5 * np.eye(5)):
        up, down = (log_likelihood(block, t[:2], Variances(*t[2:]))[0] for t in (theta + step, theta - step))
        # a central difference of this step is good to 1e-9 relative, and loses 5 of 15 digits
        np.testing.assert_allclose(score[:, j], (up - down) / 2e-5, atol=1e-7)


def test_score_holds_where_a_variance_is_zero(rng):
    y, design, person, session = samples(rng)
    block = arrange(y, 0.0, np.inf, design, person, session)
    for which in range(2):
        variances = [0.4, 0.2, 0.3]
        variances[which] = 0.0
        at, score = log_likelihood(block, np.zeros(2), Variances(*variances))
        variances[which] = 1e-6
        beside, _ = log_likelihood(block, np.zeros(2), Variances(*variances))
        # one-sided: the second derivative, of order 100, times half the step
        np.testing.assert_allclose(score[:, 2 + which], (beside - at) / 1e-6, atol=1e-3)


@pytest.mark.parametrize('rho', [-0.95, -0.4, 0.0, 0.3, 0.9])
def test_bivariate_probability_is_its_integral(rho):
    grid = np.array([-4.0, -1.3, 0.0, 0.4, 2.5])
    for h in grid:
        for k in grid:
            wanted, _ = integrate.quad(
                lambda x, k=k: stats.norm.pdf(x) * special.ndtr((k - rho * x) / np.sqrt(1 - rho**2)),
                -12, h, epsabs=1e-14, epsrel=1e-12, limit=200,
            )  # fmt: skip
            # Owen's T is good to 1e-15 in absolute terms
            assert np.exp(log_bivariate(np.array([h]), np.array([k]), rho))[0] == pytest.approx(
                wanted, abs=1e-13
            )


def test_bivariate_probability_stays_finite_far_away():
    h, k = np.meshgrid([-26.0, -9, 0, 26], [-26.0, -9, 0, 26])
    for rho in (-0.99, 0.0, 0.99):
        assert np.isfinite(log_bivariate(h, k, rho)).all()
    assert log_bivariate(np.array([-9.0]), np.array([26.0]), 0.5)[0] == pytest.approx(
        special.log_ndtr(-9.0), rel=1e-9
    )


def test_tobit_gives_the_numbers_of_survreg():
    table = pd.read_csv(GOLDEN / 'tobin.tsv', sep='\t')
    design = np.column_stack([np.ones(20), table.age, table.quant])
    block = arrange(table.durable, 0.0, np.inf, design, np.arange(20), np.zeros(20))
    found = fit_censored(block)
    # printed with 8 decimals and 5; the maximum is found to 1e-5 of a standard error
    np.testing.assert_allclose(found.coefficients, [15.14486636, -0.12905928, -0.04554166], rtol=1e-7)
    assert np.sqrt(found.variances.sample) == pytest.approx(5.57254, abs=5e-6)
    assert found.log_likelihood == pytest.approx(-28.9401332, abs=1e-7)
    # the information is taken one small Newton step before the maximum
    errors = np.sqrt(np.diag(found.covariance))
    np.testing.assert_allclose(errors, [16.0794531948, 0.2185835966, 0.0582541155], rtol=2e-5)
    assert found.variances[:2] == (0, 0)


def mixed(y, design, person, session, reml=False):
    """Fit the uncensored model by another library."""
    frame = pd.DataFrame({'y': y, 'person': person, 'session': session}).dropna()
    frame[[f'x{j}' for j in range(design.shape[1])]] = design[~np.isnan(y)]
    formula = 'y ~ 0 + ' + ' + '.join(f'x{j}' for j in range(design.shape[1]))
    model = smf.mixedlm(
        formula, frame, groups='person', re_formula='1', vc_formula={'session': '0 + C(session)'}
    )
    return model.fit(reml=reml, gtol=1e-8)


def test_uncensored_fit_is_that_of_another_library(rng):
    data = samples(rng)
    found, wanted = fit_censored(arrange(data[0], -np.inf, np.inf, *data[1:])), mixed(*data)
    # the other optimiser stops at a gradient of 1e-8 in its own scale, some 1e-5 of a standard error away
    np.testing.assert_allclose(found.coefficients, wanted.fe_params, atol=1e-5)
    assert found.log_likelihood == pytest.approx(wanted.llf, abs=1e-6)
    spread = wanted.cov_re.iloc[0, 0], wanted.vcomp[0], wanted.scale
    np.testing.assert_allclose(found.variances, spread, rtol=2e-3)
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), wanted.bse_fe, rtol=2e-3)


@pytest.mark.parametrize('zero', [0, 1])
def test_a_variance_may_be_zero(rng, zero):
    """Samples that differ more within than between people or sessions."""
    person, session, _ = (grid.ravel() for grid in np.mgrid[:30, :2, :2])
    y = rng.standard_normal(120)
    group = person if zero == 0 else 2 * person + session
    # alike in the mean of every group: no variance is left between
    y -= np.array([y[group == g].mean() for g in range(group.max() + 1)])[group]
    y += 0 if zero == 0 else rng.standard_normal(30)[person]
    design = np.ones((120, 1))
    found = fit_censored(arrange(y, np.quantile(y, 0.1), np.inf, design, person, session))
    assert found.variances[zero] == 0
    assert found.variances.sample > 0.3
    assert 0 < found.covariance[0, 0] < 1


def test_the_fit_is_the_maximum(rng):
    y, design, person, session = samples(rng)
    block = arrange(y, -0.2, 1.0, design, person, session)
    found = fit_censored(block)

    def likelihood(theta):
        return log_likelihood(block, theta[:2], Variances(*theta[2:]))[0].sum()

    theta = np.array([*found.coefficients, *found.variances])
    assert likelihood(theta) == pytest.approx(found.log_likelihood, abs=1e-8)
    for _ in range(50):
        assert likelihood(theta * (1 + 0.02 * rng.standard_normal(5))) < found.log_likelihood
    # the information by second differences of the likelihood itself, which lose half the digits
    step = 1e-3 * np.eye(5)
    hessian = np.array(
        [
            [likelihood(theta + a + b) - likelihood(theta + a - b) - likelihood(theta - a + b) + likelihood(theta - a - b) for b in step]
            for a in step
        ]
    )  # fmt: skip
    np.testing.assert_allclose(found.covariance, np.linalg.inv(-hessian / 4e-6)[:2, :2], rtol=1e-3)


def test_censoring_is_undone_where_half_the_limit_is_biased(rng):
    spread = Variances(*(np.array(USUAL) / 16))
    y, design, person, session = samples(rng, 1500, spread, missing=0.05, effect=(0.0, 0.2))
    limit = np.nanquantile(y, 0.3)
    found = fit_censored(arrange(y, limit, np.inf, design, person, session))
    error = np.sqrt(np.diag(found.covariance))
    assert (np.abs(found.coefficients - [0, 0.2]) < 3 * error).all()
    # three standard errors of a variance of 1500 people, rising with what is censored
    np.testing.assert_allclose(found.variances, spread, rtol=0.2)
    half = np.log(lod_half(np.exp(y), np.exp(limit)))
    naive = fit_censored(arrange(half, -np.inf, np.inf, design, person, session))
    assert abs(naive.coefficients[1] - 0.2) > 5 * error[1]


@pytest.mark.parametrize(
    ('y', 'lower', 'upper', 'message'),
    [
        ([1.0, 2, np.nan], 3.0, 2.0, 'below its upper limit'),
        ([1.0, 2, np.nan], np.nan, 2.0, 'below its upper limit'),
        ([np.inf, 2, np.nan], -np.inf, np.inf, 'infinite'),
    ],
)
def test_tables_that_make_no_sense_are_refused(y, lower, upper, message):
    with pytest.raises(DataError, match=message):
        arrange(y, lower, upper, np.ones((3, 1)), ['a'] * 3, [1] * 3)


def test_models_without_a_maximum_are_refused(rng):
    y, design, person, session = samples(rng)
    with pytest.raises(DataError, match='do not determine'):
        fit_censored(arrange(y, -9.0, 9.0, np.hstack([design, design]), person, session))
    with pytest.raises(DataError, match='do not vary'):
        fit_censored(arrange(np.ones(160), -9.0, 9.0, design, person, session))
    group = np.column_stack([design, person < 10])
    low = np.where((person < 10), 99.0, -9.0)
    with pytest.raises(DataError, match='no maximum'):
        fit_censored(arrange(y, low, np.inf, group, person, session))
