"""Agreement of repeated measurements: against pingouin, closed forms and laws."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.stats.reliability import Coefficient, agreement, detectable_change, of_mean, spearman_brown
from tests.acceptance.made import GOLDEN
from tests.acceptance.studies import reliability as study


@pytest.fixture
def table(rng):
    """Return 12 people measured 3 times, the second time higher."""
    return rng.normal(0, 1, (12, 1)) + rng.normal(0, 0.7, (12, 3)) + [0, 0.4, 0]


def test_intervals_of_simulated_cohorts_hold_their_reliability():
    """2,000 cohorts of each kind, a standard error of half a per cent: 95 within four of them.  The median estimate is off by 0.006 at most."""
    table = pd.read_csv(GOLDEN / study.TABLE, sep='\t')
    assert len(table) == len(study.N_PEOPLE) * len(study.TRUTHS) * 3
    assert (table['n_cohorts'] == 2000).all()
    assert table['coverage'].between(0.93, 0.97).all()
    assert table['median_error'].abs().max() < 0.01


@pytest.mark.parametrize('n_columns', [2, 3])
def test_icc_and_intervals_are_those_of_pingouin(table, n_columns):
    """Its intervals are printed to two digits; estimates to rounding."""
    import pingouin

    own = table[:, :n_columns]
    long = pd.DataFrame(own).reset_index().melt('index', var_name='rater', value_name='score')
    theirs = pingouin.intraclass_corr(data=long, targets='index', raters='rater', ratings='score').set_index(
        'Type'
    )
    found = agreement(own)
    for ours, names in ((found.absolute, ('ICC2', 'ICC(A,1)')), (found.consistency, ('ICC3', 'ICC(C,1)'))):
        row = theirs.loc[next(name for name in names if name in theirs.index)]
        assert ours.estimate == pytest.approx(row['ICC'], abs=1e-10)
        limits = row[next(name for name in row.index if name.startswith('CI95'))]
        np.testing.assert_allclose(ours[1:], limits, atol=0.0051)


def test_two_visits_in_closed_form(table):
    """SEM is the SD of the change over the square root of 2, and MDC 1.96 SD; ICC(C,1) is their own formula."""
    pair = table[:, :2]
    change = pair[:, 1] - pair[:, 0]
    found = agreement(pair)
    assert found.sem_consistency == pytest.approx(change.std(ddof=1) / np.sqrt(2))
    assert detectable_change(found.sem_consistency) == pytest.approx(1.959964 * change.std(ddof=1), rel=1e-6)
    covariance = np.cov(pair.T)
    expected = 2 * covariance[0, 1] / np.trace(covariance)
    assert found.consistency.estimate == pytest.approx(expected)
    error = change.var(ddof=1) / 2
    shift = (12 * change.mean() ** 2 / 2 - error) / 12
    assert found.sem_absolute == pytest.approx(np.sqrt(error + max(0, shift)))


def test_a_shift_of_everybody_is_an_error_of_agreement_alone(table):
    moved = table[:, :2] + [0, 5]
    assert agreement(moved).consistency == pytest.approx(agreement(table[:, :2]).consistency)
    assert agreement(moved).absolute.estimate < 0.2
    assert agreement(moved).sem_absolute > 3


@pytest.mark.parametrize('scale', [1e-6, 1.0, 1e6])
def test_units_do_not_matter(table, scale):
    found, other = agreement(table), agreement(scale * table + 3 * scale)
    assert other.consistency == pytest.approx(found.consistency)
    assert other.absolute == pytest.approx(found.absolute)
    assert other.sem_absolute == pytest.approx(scale * found.sem_absolute)


def test_who_lacks_a_value_does_not_count(table):
    table = np.vstack([table, [np.nan, 1, 2]])
    table.setflags(write=False)
    assert agreement(table) == agreement(table[:-1])
    assert agreement(table).n == 12


@pytest.mark.parametrize('values', [np.empty((0, 2)), [[1.0, 2], [3, 4]], [[1.0], [2], [3], [4]]])
def test_too_few_have_no_agreement(values):
    found = agreement(values)
    assert np.isnan([*found.consistency, *found.absolute, found.sem_consistency, found.sem_absolute]).all()


def test_without_error_and_without_spread():
    people = np.array([[0.1], [0.2], [0.7]])
    assert agreement(np.repeat(people, 2, axis=1)).consistency == Coefficient(1, 1, 1)
    assert agreement(np.repeat(people, 2, axis=1)).absolute == Coefficient(1, 1, 1)
    assert np.isnan(agreement(np.full((4, 2), 0.3)).consistency).all()
    assert np.isnan(agreement(np.full((4, 2), 0.3)).absolute).all()


def test_a_vector_is_no_table():
    with pytest.raises(ValueError, match='people and measurements'):
        agreement([1.0, 2, 3])


@given(st.floats(0, 1), st.floats(1, 8), st.floats(1, 8))
def test_lengths_multiply(reliability, one, other):
    """Doubling twice is four times; the reliability of a mean is that of its parts stepped up and back."""
    twice = spearman_brown(spearman_brown(reliability, one), other)
    assert twice == pytest.approx(spearman_brown(reliability, one * other))
    assert spearman_brown(spearman_brown(reliability, one), 1 / one) == pytest.approx(reliability, abs=1e-12)


def test_halves_of_a_run_tell_the_reliability_of_the_run(rng):
    """Series with a correlation of their own: truth is the variance of z over that with the error 1/(T - 3) of the run.

    2,000 people, so that the standard error of the estimate is about 0.01.
    """
    n, length = 2000, 120
    z = rng.normal(0.3, 0.15, n)
    r = np.tanh(z)[:, None]
    first, noise = rng.normal(size=(2, n, length))
    second = r * first + np.sqrt(1 - r**2) * noise

    def z_of(part):
        a, b = (x[:, part] - x[:, part].mean(1, keepdims=True) for x in (first, second))
        return np.arctanh((a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1)))

    halves = np.stack([z_of(slice(0, 60)), z_of(slice(60, 120))], axis=1)
    found = agreement(halves)
    truth = 0.15**2 / (0.15**2 + 1 / (length - 3))
    assert of_mean(found.consistency, 2).estimate == pytest.approx(truth, abs=0.03)
    error = np.std(z_of(slice(None)) - z)
    assert found.sem_consistency / np.sqrt(2) == pytest.approx(error, rel=0.05)
