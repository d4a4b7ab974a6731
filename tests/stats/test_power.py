"""Closed forms of power against another library, the textbook, simulation, and 2,000 runs of the model of a trial."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower

from pipelines.errors import ParameterError
from pipelines.stats.power import difference_power, paths_power
from tests.acceptance.checks import met
from tests.acceptance.simulations import share_of_planning
from tests.acceptance.studies import planning as study

GOLDEN = Path(__file__).resolve().parents[1] / 'golden'


@pytest.mark.parametrize(('n_treated', 'n_control'), [(10, 10), (28, 29), (60, 30), (200, 50)])
@pytest.mark.parametrize('difference', [0.0, 0.2, 0.5, -0.8, 1.5])
def test_without_a_baseline_it_is_the_t_test_of_another_library(n_treated, n_control, difference):
    found = difference_power(n_treated, n_control, difference)
    wanted = TTestIndPower().power(
        abs(difference), n_treated, 0.05, ratio=n_control / n_treated, alternative='two-sided'
    )
    # both sum the same series
    assert found == pytest.approx(wanted, abs=1e-8)


def test_what_nobody_can_miss_is_found():
    """Where the series of the other tail has no digits: that library has no number there."""
    assert difference_power(200, 50, 3.0) == pytest.approx(1, abs=1e-12)


def test_numbers_of_r():
    # power.t.test(n = 64, delta = 0.5, strict = TRUE)$power of R 4.2.2; Cohen 1988, table 2.3.5
    assert difference_power(64, 64, 0.5) == pytest.approx(0.8014596, abs=1e-6)


def found_by_ancova(rng, n_treated, n_control, difference, n_trials):
    """Return the share of trials in which least squares of outcome on arm and a baseline finds an effect at 5 %."""
    n = n_treated + n_control
    arm = np.repeat([1.0, 0.0], [n_treated, n_control])
    before = rng.standard_normal((n_trials, n))
    after = rng.standard_normal((n_trials, n)) + difference * arm + 0.7 * before

    def centred(x):
        return x - x.mean(axis=-1, keepdims=True)

    x, z, y = centred(arm), centred(before), centred(after)
    x = x - z * ((z * x).sum(axis=1) / (z**2).sum(axis=1))[:, None]
    y = y - z * ((z * y).sum(axis=1) / (z**2).sum(axis=1))[:, None]
    slope = (x * y).sum(axis=1) / (x**2).sum(axis=1)
    error = ((y - slope[:, None] * x) ** 2).sum(axis=1) / (n - 3)
    t = slope / np.sqrt(error / (x**2).sum(axis=1))
    return np.mean(np.abs(t) > stats.t.isf(0.025, n - 3))


@pytest.mark.parametrize(
    ('n_treated', 'n_control', 'difference'), [(8, 8, 1.4), (30, 30, 0.7), (40, 15, 0.8)]
)
def test_one_baseline_is_analysis_of_covariance(rng, n_treated, n_control, difference):
    n_trials = 20_000
    share = found_by_ancova(rng, n_treated, n_control, difference, n_trials)
    found = difference_power(n_treated, n_control, difference, n_baselines=1)
    # three Monte Carlo standard errors, and what averaging the cost of the baseline leaves in small trials
    assert abs(found - share) < 3 * np.sqrt(0.25 / n_trials) + 0.06 / (n_treated + n_control)


@pytest.mark.parametrize(('n', 'a', 'b'), [(57, 0.39, 0.39), (57, 0.26, 0.26), (40, 0.59, 0.3)])
def test_paths_are_found_as_often_as_in_simulated_trials(rng, n, a, b):
    n_trials = 20_000
    x = np.where(np.arange(n) < n // 2, 1.0, -1.0)
    x = (x - x.mean()) / x.std()
    m = a * x + np.sqrt(1 - a**2) * rng.standard_normal((n_trials, n))
    y = b * m + np.sqrt(1 - b**2) * rng.standard_normal((n_trials, n))

    def correlation(one, other):
        one, other = (each - each.mean(axis=-1, keepdims=True) for each in (one, other))
        return (one * other).sum(axis=-1) / np.sqrt((one**2).sum(axis=-1) * (other**2).sum(axis=-1))

    first, y_m, y_x = correlation(x, m), correlation(m, y), correlation(x, y)
    partial = (y_m - y_x * first) / np.sqrt((1 - y_x**2) * (1 - first**2))
    t = [r * np.sqrt(df / (1 - r**2)) for r, df in ((first, n - 2), (partial, n - 3))]
    both = (np.abs(t[0]) > stats.t.isf(0.025, n - 2)) & (np.abs(t[1]) > stats.t.isf(0.025, n - 3))
    # the slope's noncentrality is that of the expected mediator: a hundredth at most beside the Monte Carlo error
    assert paths_power(n, a, b) == pytest.approx(both.mean(), abs=0.01 + 3 * np.sqrt(0.25 / n_trials))


def test_signs_do_not_matter_and_more_people_find_more():
    assert paths_power(60, -0.3, 0.4) == paths_power(60, 0.3, -0.4) == paths_power(60, 0.3, 0.4)
    assert difference_power(20, 20, -1.0) == difference_power(20, 20, 1.0)
    powers = [difference_power(n, n, 0.4, n_baselines=1) for n in (10, 20, 50, 100, 1000, 10_000)]
    assert powers == sorted(powers)
    assert powers[-1] == pytest.approx(1)


@pytest.mark.parametrize(
    'call',
    [
        lambda: difference_power(1, 30, 1.0),
        lambda: paths_power(4, 0.3, 0.3),
        lambda: paths_power(50, 1.0, 0.3),
    ],
)
def test_what_has_no_power_is_refused(call):
    with pytest.raises(ParameterError, match='people'):
        call()


def test_the_model_of_a_trial_has_the_power_of_the_closed_form():
    """2,000 trials each: with a baseline and drop-out, and of unequal arms seen once."""
    table = pd.read_csv(GOLDEN / study.TABLE, sep='\t').set_index('setting')
    assert list(table.index) == [one.name for one in study.SETTINGS]
    assert (table['n_trials'] == 2000).all()
    for one in study.SETTINGS:
        row = table.loc[one.name]
        assert row['closed_form'] == pytest.approx(study.closed_form(one), abs=1e-5)
        assert abs(row['power'] - row['closed_form']) < 3 * row['mc_se']


def test_a_table_of_other_trials_is_told():
    table = pd.read_csv(GOLDEN / study.TABLE, sep='\t')
    checks = met('planning')
    share_of_planning(checks, table.assign(power=0.05), 8)
    (power,) = checks
    assert not power.is_met
