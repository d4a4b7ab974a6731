"""Logistic regression of all resamples at once against the same one by one, and statsmodels."""

import numpy as np
import pytest
import statsmodels.api as sm

from pipelines.stats.discrete.logistic import Events
from pipelines.stats.discrete.resampled import fit_resamples
from pipelines.stats.discrete.solving import fit_or_penalise


def data_of(rng, n, slopes=(-0.3, 0.5, 0.7, 0.3)):
    design = np.column_stack([np.ones(n), np.arange(n) % 2, rng.standard_normal((n, 2))])
    outcome = (rng.random(n) < 1 / (1 + np.exp(-design @ slopes))).astype(float)
    return design, outcome


def resampled(rng, n, n_resamples):
    drawn = rng.integers(0, n, (n_resamples, n))
    return drawn, np.stack([np.bincount(one, minlength=n) for one in drawn], axis=1)


def test_each_is_the_fit_of_statsmodels(rng):
    design, outcome = data_of(rng, 90)
    drawn, times = resampled(rng, 90, 12)
    for array in (design, outcome, times):
        array.setflags(write=False)
    found = fit_resamples(design, outcome, times)
    assert not found.is_penalised.any()
    for one, coefficients in zip(drawn, found.coefficients.T):
        wanted = sm.Logit(outcome[one], design[one]).fit(disp=0, tol=1e-13)
        assert coefficients == pytest.approx(wanted.params, rel=1e-8)


def test_separated_ones_are_penalised_and_counted(rng):
    design, outcome = data_of(rng, 22)
    drawn, times = resampled(rng, 22, 150)
    found = fit_resamples(design, outcome, times)
    assert 5 < found.is_penalised.sum() < 145
    for place, one in enumerate(drawn):
        wanted, is_penalised = fit_or_penalise(Events(design[one], outcome[one], np.ones(22)))
        assert found.is_penalised[place] == is_penalised
        # the one by one stops at steps of 1e-9
        assert found.coefficients[:, place] == pytest.approx(wanted.coefficients, rel=1e-6, abs=1e-7)


def test_steep_but_not_separated_is_no_case_for_a_penalty(rng):
    x = np.array([-9.0, -8, -2, -0.1, 0.1, 2, 8, 9])
    design, outcome = np.column_stack([np.ones(8), x]), np.array([0.0, 0, 0, 1, 0, 1, 1, 1])
    found = fit_resamples(design, outcome, np.ones((8, 1)))
    assert np.abs(design @ found.coefficients).max() > 10
    assert not found.is_penalised.any()
    assert found.coefficients[:, 0] == pytest.approx(
        sm.Logit(outcome, design).fit(disp=0, tol=1e-12).params, abs=1e-6
    )


@pytest.mark.parametrize('outcome', [np.zeros(20), np.repeat([0.0, 1.0], 10)])
def test_all_are_separated_where_everybody_is(rng, outcome):
    design = np.column_stack([np.ones(20), np.linspace(-1, 1, 20)])
    _, times = resampled(rng, 20, 30)
    found = fit_resamples(design, outcome, times)
    assert found.is_penalised.all()
    assert np.isfinite(found.coefficients).all()


def test_a_resample_whose_columns_say_the_same_has_no_estimate(rng):
    design, outcome = data_of(rng, 30)
    design[:, 3] = np.arange(30) == 4
    times = np.ones((30, 2))
    times[4, 1] = 0
    found = fit_resamples(design, outcome, times)
    assert np.isfinite(found.coefficients[:, 0]).all()
    assert np.isnan(found.coefficients[:, 1]).all()
