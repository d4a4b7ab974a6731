"""Intervals cover the truth as often as they say: what long simulations recorded, and that their trials repeat."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.acceptance.checks import met
from tests.acceptance.simulations import share_of_coverage
from tests.acceptance.studies import coverage as study

REPOSITORY = Path(__file__).resolve().parents[2]
COLUMNS = ['quantity', 'n_trials', 'coverage', 'type_I', 'mean_bias', 'mc_se_coverage', 'mc_se_bias']


@pytest.fixture(scope='module')
def recorded() -> pd.DataFrame:
    return pd.read_csv(REPOSITORY / 'tests/golden/coverage.tsv', sep='\t')


def test_recorded_intervals_cover_the_truth(recorded):
    assert recorded.columns.tolist() == COLUMNS
    arms = ('control', 'treated', 'difference')
    bdnf = {f'bdnf_{contrast}_{arm}' for contrast in study.CONTRASTS for arm in arms}
    assert set(recorded.quantity) == {'ancova', 'longitudinal'} | bdnf
    assert (recorded.n_trials == study.N_TRIALS).all()
    # three Monte Carlo standard errors of 2,000 trials about 95 % and 5 %
    assert recorded.coverage.between(0.935, 0.965).all()
    assert recorded.type_I.between(0.035, 0.065).all()
    # fourteen means; the largest of as many standard normal numbers is rarely above 3.5
    assert (recorded.mean_bias.abs() < 3.5 * recorded.mc_se_bias).all()


def test_a_trial_repeats_on_its_own():
    together, alone = study.simulate(range(3, 5)), study.simulate(range(4, 5))
    assert len(together) == 2 * len(alone) == 2 * 2 * 14
    later = together[together.groupby('scenario').cumcount() >= 14]
    pd.testing.assert_frame_equal(later.reset_index(drop=True), alone)


def test_a_search_that_ends_early_is_resumed():
    """In this trial a step of the optimiser gains nothing, far from the maximum."""
    found = study.simulate(range(840, 841))
    assert len(found) == 2 * 14
    assert found.error.abs().max() < 1.5


def test_simulated_samples_are_censored_as_planned():
    rng = np.random.default_rng(7)
    for scenario in study.BDNF:
        low, high = study.limits(scenario)
        y, *_ = study.bdnf_samples(rng, 20_000, scenario)
        # sampling error of a share among 80,000 is 0.1 %, more for people alike in their samples
        assert (np.exp(y) <= low).mean() == pytest.approx(study.BEYOND[0], abs=0.008)
        assert (np.exp(y) >= high).mean() == pytest.approx(study.BEYOND[1], abs=0.005)
        level = y.reshape(20_000, 2, 2)
        within = np.var(np.diff(level.mean(axis=2), axis=1)) / 2
        # half the variance of a difference between session means: session and half a sample
        assert within == pytest.approx(study.SD_SESSION**2 + study.SD_SAMPLE**2 / 2, rel=0.1)


def test_a_table_of_other_trials_is_told(recorded):
    """``scripts/accept --sloppy --only coverage`` holds 200 new trials against the table; here it is a wrong one."""
    wrong = recorded.assign(mean_bias=recorded.mean_bias + 1, coverage=0.2)
    checks = met('coverage')
    share_of_coverage(checks, wrong, 8)
    coverage, _, bias = checks  # of false positives eight trials say nothing
    assert not coverage.is_met
    assert not bias.is_met
