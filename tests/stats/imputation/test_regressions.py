import numpy as np
import pytest
from scipy import stats

from pipelines.errors import DataError
from pipelines.stats.imputation.gaps import draw_posterior
from pipelines.stats.imputation.regressions import Regressions, cross_products_of, draw_regressions

N = 20_000


def draws(rng, values, last=None, fixed=None, n=N):
    fixed = np.ones((len(values), 1)) if fixed is None else fixed
    last = np.full(len(values), values.shape[1] - 1) if last is None else last
    return draw_posterior(fixed, values, last, n, rng)


def test_complete_visits_have_the_inverse_wishart_posterior(rng):
    """Closed form: n - 1 degrees of freedom about the sums of squares; the mean is S / (n - 2 - J)."""
    values = rng.multivariate_normal([0, 1, 2], [[1, 0.5, 0.3], [0.5, 1, 0.4], [0.3, 0.4, 2]], 25)
    found, filled = draws(rng, values)
    covariance = found.covariance()
    squares = 24 * np.cov(values.T)
    error = covariance.std(axis=0) / np.sqrt(N)
    assert (np.abs(covariance.mean(axis=0) - squares / (25 - 2 - 3)) < 4 * error).all()
    # the inverse has the Wishart mean
    inverse = np.linalg.inv(covariance)
    error = inverse.std(axis=0) / np.sqrt(N)
    assert (np.abs(inverse.mean(axis=0) - 24 * np.linalg.inv(squares)) < 4 * error).all()
    assert filled.shape == (1, 25, 3)


def test_means_of_complete_visits_have_a_t_distribution(rng):
    """Marginally of each visit: n - J degrees of freedom."""
    values = rng.standard_normal((12, 3)) + [0, 1, 2]
    found, _ = draws(rng, values)
    means = found.means(np.ones((1, 1)))[:, 0]
    for visit in range(3):
        squares = np.sum((values[:, visit] - values[:, visit].mean()) ** 2)
        scale = np.sqrt(squares / 12 / (12 - 3))
        z = (means[:, visit] - values[:, visit].mean()) / scale
        # Kolmogorov and Smirnov at 1 in 1,000
        assert stats.kstest(z, stats.t(9).cdf).pvalue > 1e-3


def test_two_visits_give_exact_regression_imputation(rng):
    """Closed form: a new person's follow-up has a t distribution about the line, n_1 - 1 degrees of freedom."""
    values = rng.standard_normal((30, 2)) @ np.array([[1, 0.7], [0, 0.7]])
    values[20:, 1] = np.nan
    last = np.where(np.isnan(values[:, 1]), 0, 1)
    found, _ = draws(rng, values, last)
    x = values[25, 0]
    y = found.fixed[:, 1, 0] + found.slopes[:, 1, 0] * x + found.spreads[:, 1] * rng.standard_normal(N)
    design = np.column_stack([np.ones(20), values[:20, 0]])
    coefficients, squares = np.linalg.lstsq(design, values[:20, 1])[:2]
    at = np.array([1, x])
    spread = np.sqrt(squares[0] / 19 * (1 + at @ np.linalg.inv(design.T @ design) @ at))
    assert stats.kstest((y - at @ coefficients) / spread, stats.t(19).cdf).pvalue > 1e-3


def test_the_baseline_uses_everyone(rng):
    values = rng.standard_normal((40, 2))
    values[30:, 1] = np.nan
    found, _ = draws(rng, values, np.where(np.isnan(values[:, 1]), 0, 1))
    error = found.fixed[:, 0, 0].std() / np.sqrt(N)
    assert abs(found.fixed[:, 0, 0].mean() - values[:, 0].mean()) < 4 * error
    # inverse chi squared with n - 2 degrees of freedom
    squares = np.sum((values[:, 0] - values[:, 0].mean()) ** 2)
    variance = found.spreads[:, 0] ** 2
    assert abs(variance.mean() - squares / 36) < 4 * variance.std() / np.sqrt(N)


def test_covariates_are_regressed_on(rng):
    x = rng.standard_normal(50)
    values = np.column_stack([x, 2 * x]) + rng.standard_normal((50, 2))
    fixed = np.column_stack([np.ones(50), x])
    found, _ = draws(rng, values, fixed=fixed)
    wanted = np.linalg.lstsq(np.column_stack([fixed, values[:, :1]]), values[:, 1])[0]
    drawn = np.column_stack([found.fixed[:, 1], found.slopes[:, 1, :1]])
    assert (np.abs(drawn.mean(axis=0) - wanted) < 4 * drawn.std(axis=0) / np.sqrt(N)).all()


def test_means_and_covariance_follow_visit_by_visit(rng):
    """People made from the regressions one visit after the other."""
    slopes = np.array([[[0, 0, 0], [0.5, 0, 0], [0.2, 0.4, 0]]])
    one = Regressions(np.array([[[1.0, 2], [0, 1], [3, 0]]]), slopes, np.array([[1.0, 0.5, 2]]))
    z, made = np.array([1.0, 0.5]), np.zeros((50_000, 3))
    for visit in range(3):
        noise = one.spreads[0, visit] * rng.standard_normal(50_000)
        made[:, visit] = z @ one.fixed[0, visit] + made @ slopes[0, visit] + noise
    error = made.std(axis=0) / np.sqrt(50_000)
    assert (np.abs(one.means(z[None])[0, 0] - made.mean(axis=0)) < 4 * error).all()
    # of a covariance: sqrt(2 / n) of the variances
    np.testing.assert_allclose(one.covariance()[0], np.cov(made.T), atol=4 * np.sqrt(2 / 50_000) * 5)


def naive(rng, values, n_draws, sweeps):
    """Data augmentation from the textbook: everything missing is filled, covariance by the inverse Wishart."""
    n = len(values)
    missing, found = np.isnan(values), []
    now = np.where(missing, np.nanmean(values, axis=0), values)
    for number in range(n_draws * sweeps):
        squares = (n - 1) * np.cov(now.T)
        sigma = stats.invwishart.rvs(n - 1, squares, random_state=rng)
        mu = rng.multivariate_normal(now.mean(axis=0), sigma / n)
        for i in np.flatnonzero(missing.any(axis=1)):
            m, o = missing[i], ~missing[i]
            gain = sigma[np.ix_(m, o)] @ np.linalg.inv(sigma[np.ix_(o, o)])
            rest = sigma[np.ix_(m, m)] - gain @ sigma[np.ix_(o, m)]
            now[i, m] = rng.multivariate_normal(mu[m] + gain @ (now[i, o] - mu[o]), rest)
        if number % sweeps == 0:
            found.append([*mu, *np.log(np.diag(sigma)), *now[missing]])
    return np.array(found)[20:]


def test_gaps_are_those_of_textbook_data_augmentation(rng):
    values = rng.multivariate_normal([0, 1, 2], [[1, 0.6, 0.4], [0.6, 1, 0.6], [0.4, 0.6, 1]], 20)
    values[0, 1] = values[1, 0] = values[2, :2] = values[3, 1:] = values[4, 2] = np.nan
    last = np.array([2, 2, 2, 0, 1] + [2] * 15)
    found, filled = draws(rng, values, last, n=2000)
    mu, variances = found.means(np.ones((1, 1)))[:, 0], np.diagonal(found.covariance(), axis1=1, axis2=2)
    gaps = np.isnan(values) & (np.arange(3) < last[:, None])
    own = np.column_stack([mu, np.log(variances), filled[:, gaps]])
    wanted = naive(rng, values, 500, 2)
    # of what is missing in the rows of people, only gaps: places of (0, 1), (1, 0), (2, 0), (2, 1)
    wanted = wanted[:, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]
    # draws of a chain are worth about half as many
    error = np.sqrt(own.var(axis=0) / 2000 + wanted.var(axis=0) / 240)
    assert (np.abs(own.mean(axis=0) - wanted.mean(axis=0)) < 4 * error).all()
    np.testing.assert_allclose(own.std(axis=0), wanted.std(axis=0), rtol=0.2)
    assert not np.isnan(filled[:, last == 2]).any()
    assert np.isnan(filled[:, 3, 1:]).all()
    assert (filled[:, ~np.isnan(values)] == values[~np.isnan(values)]).all()


def test_sums_of_products_are_over_those_who_came(rng):
    columns, last = rng.standard_normal((9, 4)), np.array([2, 0, 1, 2, 2, 0, 1, 1, 2])
    found = cross_products_of(columns, last, 1)
    for visit, product in enumerate(found):
        rows = columns[last >= visit, : visit + 2]
        # the same sums
        np.testing.assert_allclose(product, sum(np.outer(row, row) for row in rows), rtol=1e-12)


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        (np.random.default_rng(1).standard_normal((3, 3)), '3 people came to visit 0'),
        (np.column_stack([np.arange(9.0), 2 * np.arange(9.0)]), 'tells visit 1 exactly'),
        (np.column_stack([np.ones(9), np.arange(9.0) ** 2]), r'exactly|dependent'),
    ],
)
def test_what_has_no_posterior_is_refused(rng, values, message):
    with pytest.raises(DataError, match=message):
        draws(rng, values, n=5)


def test_columns_that_say_the_same_are_refused(rng):
    values, twice = rng.standard_normal((9, 2)), np.ones((9, 2))
    products = cross_products_of(np.hstack([twice, values]), np.ones(9), 2)
    with pytest.raises(DataError, match='linearly dependent'):
        draw_regressions(products, np.array([9, 9]), 2, 5, rng)
