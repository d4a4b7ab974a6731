import numpy as np
import pytest

from pipelines.errors import DataError, NoMaximumError, UnknownWordError
from pipelines.stats.longitudinal.cells import arrange_cells
from pipelines.stats.longitudinal.fit import fit_reml, slope_of
from pipelines.stats.longitudinal.likelihood import evaluate, expected_information, information
from pipelines.stats.longitudinal.structures import structure_of
from pipelines.terms import STRUCTURES_OF_VISITS

from . import dense
from .people import (
    autoregressive,
    cell_means,
    compound_symmetry,
    heterogeneous,
    toeplitz,
    unstructured,
    visits,
)

CORRELATIONS = {
    'toeplitz': toeplitz,
    'autoregressive': autoregressive,
    'compound_symmetry': compound_symmetry,
}


def model(rng, n=24, n_visits=3, per_arm=True):
    """Return outcome, design with a slope per visit of each covariate, group of each person, and all in long form."""
    y, arm, table = visits(rng, n=n, n_visits=n_visits)
    slopes = np.zeros((len(y), n_visits, 2 * n_visits))
    for j in range(n_visits):
        slopes[:, j, 2 * j : 2 * j + 2] = table
    design = np.concatenate([cell_means(arm, n_visits), slopes], axis=2)
    group = arm if per_arm else 0 * arm
    return y, design, group, dense.long_form(y, design, group)


def sigmas_for(name, n_visits):
    return unstructured(n_visits) if name == 'unstructured' else heterogeneous(n_visits, CORRELATIONS[name])


def parameters_for(rng, name, n_visits, n_groups):
    """Return parameters away from any maximum."""
    variances = rng.uniform(0.5, 2, (n_groups, n_visits))
    if name == 'unstructured':
        sd = np.sqrt(variances)
        sigma = (0.3 + 0.7 * np.eye(n_visits)) * sd[:, :, None] * sd[:, None]
        return sigma[(slice(None), *np.tril_indices(n_visits))]
    m = n_visits - 1 if name == 'toeplitz' else 1
    return np.column_stack([variances, 0.4 ** np.arange(1, m + 1) * np.ones((n_groups, m))])


@pytest.mark.parametrize('name', STRUCTURES_OF_VISITS)
@pytest.mark.parametrize('per_arm', [True, False])
def test_derivatives_are_those_of_the_textbook_likelihood(rng, name, per_arm):
    y, design, group, long = model(rng, n=18, per_arm=per_arm)
    cells = arrange_cells(y, design, group)
    structure, scale = structure_of(name, 3), cells.basis.scale
    n_variances = 6 if name == 'unstructured' else 3
    parameters = parameters_for(rng, name, 3, 1 + per_arm)
    point = evaluate(cells, structure.sigma(parameters))
    # the engine works in units of the scale: variances and covariances are scale**2 larger outside, correlations not
    units = np.ones_like(parameters)
    units[:, :n_variances] = scale**2
    outside = (parameters * units).ravel()
    sigmas_of = sigmas_for(name, 3)
    slope = slope_of(point, structure.first(parameters)) / units.ravel()
    wanted = dense.gradient(sigmas_of, outside, long)
    # a complex step is exact to rounding
    np.testing.assert_allclose(slope, wanted, rtol=1e-9, atol=1e-9 * np.abs(wanted).max())
    second = None if structure.is_linear else structure.second(parameters)
    found = information(cells, point, structure.first(parameters), second)
    curved = found.observed / np.outer(units.ravel(), units.ravel())
    wanted = dense.hessian(sigmas_of, outside, long)
    # differences of exact slopes, extrapolated: eight digits
    np.testing.assert_allclose(curved, wanted, rtol=1e-6, atol=1e-6 * np.abs(wanted).max())


def test_expected_information_is_the_mean_of_the_observed(rng):
    """Over outcomes drawn from the model, at its true covariance."""
    y, design, group, _ = model(rng)
    sigma = np.stack([0.5 + np.eye(3), 0.2 + 2 * np.eye(3)])
    structure = structure_of('unstructured', 3)
    roots, found = np.linalg.cholesky(sigma), []
    for _ in range(400):
        drawn = np.where(np.isnan(y), np.nan, (roots[group] @ rng.standard_normal((len(y), 3, 1)))[..., 0])
        cells = arrange_cells(drawn, design, group)
        parameters = structure.start(sigma / cells.basis.scale**2)
        point = evaluate(cells, structure.sigma(parameters))
        first = structure.first(parameters)
        observed, turns = information(cells, point, first, None)
        expected = expected_information(cells, point, first, turns)
        found.append(np.stack([observed, expected]) / cells.basis.scale**4)
    observed, expected = np.moveaxis(np.array(found), 1, 0)
    # it does not depend on the outcome, and 78 means of 400 are rarely further away than 4.5 standard errors
    np.testing.assert_allclose(expected, np.broadcast_to(expected[0], expected.shape), rtol=1e-6, atol=1e-9)
    error = observed.std(axis=0) / 20
    assert (np.abs(observed.mean(axis=0) - expected[0]) < 4.5 * error + 1e-9).all()


@pytest.mark.parametrize('name', STRUCTURES_OF_VISITS)
@pytest.mark.parametrize('n_visits', [2, 4])
def test_the_fit_is_at_the_top_of_the_textbook_likelihood(rng, name, n_visits):
    y, design, group, long = model(rng, n_visits=n_visits)
    fit = fit_reml(y, design, group, structure=name)
    assert fit.minus_two_loglik == pytest.approx(dense.minus_two_loglik(fit.sigmas, long), abs=1e-8)
    inverse = np.linalg.inv(dense.whole(fit.sigmas, long))
    wanted = np.linalg.solve(long.design.T @ inverse @ long.design, long.design.T @ inverse @ long.y)
    np.testing.assert_allclose(fit.coefficients, wanted, rtol=1e-8, atol=1e-8)
    scale = fit.cells.basis.scale**2
    n_scaled = n_visits * (n_visits + 1) // 2 if name == 'unstructured' else n_visits
    top = fit.parameters.copy()
    top[:, :n_scaled] *= scale
    slopes = dense.gradient(sigmas_for(name, n_visits), top.ravel(), long)
    # Newton's last step left a gain below 1e-12
    assert np.abs(slopes * top.ravel()).max() < 1e-4
    for _ in range(20):
        beside = top * (1 + 1e-3 * rng.standard_normal(top.shape))
        sigmas = sigmas_for(name, n_visits)(beside.ravel())
        assert dense.minus_two_loglik(sigmas, long) > fit.minus_two_loglik


def test_structures_are_nested(rng):
    y, design, group, _ = model(rng, n_visits=4)
    found = [fit_reml(y, design, group, structure=name).minus_two_loglik for name in STRUCTURES_OF_VISITS]
    full, bands, powers, one = found
    assert full < bands < min(powers, one)
    pair = [fit_reml(y[:, :2], cell_means(group, 2), group, structure=name) for name in STRUCTURES_OF_VISITS]
    # two visits: all are the same model
    np.testing.assert_allclose([fit.sigmas for fit in pair[1:]], [pair[0].sigmas] * 3, rtol=1e-6)


def test_one_visit_is_analysis_of_variance(rng):
    y, arm, _ = visits(rng, n_visits=1, n_arms=3, missing=0)
    fit = fit_reml(y, cell_means(arm, 1), 0 * arm)
    groups = [y[arm == a, 0] for a in range(3)]
    np.testing.assert_allclose(fit.coefficients, [g.mean() for g in groups], rtol=1e-12)
    within = sum(np.sum((g - g.mean()) ** 2) for g in groups) / (len(y) - 3)
    assert fit.sigmas[0, 0, 0] == pytest.approx(within, rel=1e-9)


def test_units_shifts_and_order_do_not_matter(rng):
    y, design, group, _ = model(rng)
    fit = fit_reml(y, design, group)
    order = rng.permutation(len(y))
    mixed = rng.standard_normal((design.shape[2],) * 2)
    other = fit_reml(1e6 + 1e3 * y[order], 1e-4 * design[order] @ mixed, group[order])
    np.testing.assert_allclose(other.sigmas, 1e6 * fit.sigmas, rtol=1e-6)
    back = 1e-4 * mixed @ other.coefficients
    # the shift is in the means of arms and visits; a random matrix of 12 columns costs some digits
    np.testing.assert_allclose(back[:6], 1e6 + 1e3 * fit.coefficients[:6], rtol=1e-8)
    np.testing.assert_allclose(back[6:], 1e3 * fit.coefficients[6:], rtol=1e-4, atol=1e-5)
    df = np.sum(~np.isnan(y)) - design.shape[2]
    jacobian = 2 * df * np.log(1e3) + 2 * np.linalg.slogdet(1e-4 * mixed)[1]
    assert other.minus_two_loglik == pytest.approx(fit.minus_two_loglik + jacobian, abs=1e-5)


def test_who_was_never_seen_changes_nothing(rng):
    y, design, group, _ = model(rng)
    more = (
        np.concatenate([y, np.full((1, 3), np.nan)]),
        np.concatenate([design, design[:1]]),
        np.append(group, 0),
    )
    fits = [fit_reml(y, design, group), fit_reml(*more)]
    np.testing.assert_allclose(fits[1].sigmas, fits[0].sigmas, rtol=1e-9)
    assert fits[1].cells.kept.sum() == len(y)


def test_many_people_are_estimated_well(rng):
    sigma = np.array([[2.0, 1.0, 0.5], [1.0, 3.0, 1.2], [0.5, 1.2, 1.5]])
    y = rng.multivariate_normal([1, 2, 3], sigma, 4000)
    y[rng.random(y.shape) < 0.2] = np.nan
    fit = fit_reml(y, np.broadcast_to(np.eye(3), (4000, 3, 3)), np.zeros(4000, int))
    # four standard errors of a variance among 3,200 people
    np.testing.assert_allclose(fit.sigmas[0], sigma, atol=4 * 3 * np.sqrt(2 / 2500))
    np.testing.assert_allclose(fit.coefficients, [1, 2, 3], atol=4 * np.sqrt(3 / 3200))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda y, x, g: (y[:5], x, g), 'do not belong together'),
        (lambda y, x, g: (y, x, g[:5]), 'do not belong together'),
        (lambda y, x, g: (np.where(y > 6, np.inf, y), x, g), 'infinite'),
        (lambda y, x, g: (y, x * np.nan, g), 'missing'),
        (lambda y, x, g: (y, x, g - 1), 'whole numbers'),
        (lambda y, x, g: (y, x, g + 0.5), 'whole numbers'),
        (lambda y, x, g: (y, x, 2 * g), 'nobody'),
        (lambda y, x, g: (np.nan * y, x, g), 'nobody'),
        (lambda y, x, g: (y, np.concatenate([x, x[..., :1]], axis=2), g), 'linearly dependent'),
        (lambda y, x, g: (y, x * [0] + 0, g), 'column 1 of the design is zero'),
        (lambda y, x, g: (y[:4], x[:4], 0 * g[:4]), 'use fewer covariates'),
        (lambda y, x, g: (x[..., 0], x, g), 'tell the outcome exactly'),
    ],
)
def test_what_cannot_be_fitted_is_refused(rng, change, message):
    y, design, group, _ = model(rng)
    with pytest.raises(DataError, match=message):
        fit_reml(*change(y, design, group))


@pytest.mark.parametrize('name', STRUCTURES_OF_VISITS)
def test_a_visit_that_repeats_another_has_no_maximum(rng, name):
    y, arm, _ = visits(rng, missing=0)
    twice = np.column_stack([y[:, 0], 3 * y[:, 0] + 2, y[:, 1]])
    if name == 'unstructured':
        with pytest.raises(NoMaximumError, match=r'exactly|covariances that are none|flat|do not tell'):
            fit_reml(twice, cell_means(arm, 3), arm, structure=name)
    else:
        # its correlation with the others stands in the way of a correlation of one
        fit = fit_reml(twice[:, [0, 2]], cell_means(arm, 2), arm, structure=name)
        assert np.isfinite(fit.minus_two_loglik)
    with pytest.raises(NoMaximumError):
        fit_reml(twice[:, :2], cell_means(arm, 2), arm, structure=name)


def test_an_arm_that_does_not_vary_has_no_covariance(rng):
    y, arm, _ = visits(rng, missing=0)
    still = np.where((arm == 1)[:, None] & (np.arange(3) == 2), 4.0, y)
    with pytest.raises(NoMaximumError):
        fit_reml(still, cell_means(arm, 3), arm)
    assert np.isfinite(fit_reml(still, cell_means(arm, 3), 0 * arm).minus_two_loglik)


def test_visits_nobody_has_together_leave_their_covariance_untold(rng):
    y, arm, _ = visits(rng, missing=0, n_visits=2)
    split = np.where(np.eye(2, dtype=bool)[np.arange(len(y)) % 2], np.nan, y)
    with pytest.raises(NoMaximumError, match='do not tell'):
        fit_reml(split, cell_means(arm, 2), arm)


def test_an_unknown_structure_is_refused(rng):
    y, design, group, _ = model(rng)
    with pytest.raises(UnknownWordError, match='compound_symmetry'):
        fit_reml(y, design, group, structure='banded')


def test_saturated_means_of_complete_data_are_the_means(rng):
    y, arm, _ = visits(rng, missing=0)
    fit = fit_reml(y, cell_means(arm, 3), arm)
    means = np.concatenate([y[arm == a].mean(axis=0) for a in (0, 1)])
    np.testing.assert_allclose(fit.coefficients, means, rtol=1e-10)
    covariances = [np.cov(y[arm == a].T) for a in (0, 1)]
    np.testing.assert_allclose(fit.sigmas, covariances, rtol=1e-6)
