"""What a long simulation recorded of imputed values, and that its trials repeat and are drawn as planned."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.terms import MISSING_ASSUMPTIONS
from tests.acceptance.checks import met
from tests.acceptance.simulations import share_of_missing
from tests.acceptance.studies import missing as study

GOLDEN = Path(__file__).resolve().parents[2] / 'golden'
SLACK = 3.5 * np.sqrt(0.05 * 0.95 / study.N_TRIALS)
"""Three and a half standard errors of a share of 5 %."""


@pytest.fixture(scope='module')
def recorded() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / study.TABLE, sep='\t')


def test_every_setting_is_recorded(recorded):
    told = set(recorded[list(study.Setting._fields)].itertuples(index=False, name=None))
    assert told == {tuple(one) for one in study.settings()}
    assert (recorded.n_trials == study.N_TRIALS).all()
    by_lot = recorded[recorded.kind != 'groups']
    assert set(by_lot.assumption) == {study.PRIMARY, *MISSING_ASSUMPTIONS}
    assert set(recorded[recorded.kind == 'groups'].assumption) == {study.PRIMARY, 'at_random'}


def test_at_random_is_the_primary_analysis(recorded):
    """On the average of trials, and in each of them but for what few imputations leave to chance."""
    found = recorded[recorded.assumption == 'at_random']
    assert (found.mean_apart.abs() < 4 * found.mc_se_apart).all()
    # 300 trials tell a spread to 4 %
    assert (found.sd_apart < 1.2 * found.noise).all()
    # HC3 and few degrees of freedom of small arms
    assert found.se_ratio.between(0.97, 1.1).all()


def test_no_assumption_finds_what_is_not_there(recorded):
    found = recorded[recorded.kind.isin(['no_effect', 'groups'])]
    assert (found.rejected <= 0.055 + SLACK).all()
    at_random = recorded[recorded.assumption.isin([study.PRIMARY, 'at_random'])]
    assert (at_random.coverage > 0.945 - SLACK).all()


def test_those_who_leave_as_the_reference_make_an_effect_smaller(recorded):
    effect = recorded[recorded.kind == 'effect'].set_index(['assumption', 'n', 'visits']).sort_index()
    for assumption in ('jump_to_reference', 'copy_increments'):
        assert (effect.loc[assumption, 'mean_apart'] < -0.1).all()


def test_trials_repeat_on_their_own():
    chosen = [study.Setting('no_effect', 57, 2), study.Setting('groups', 57, 2)]
    together = study.simulate(range(3), chosen)
    parts = [study.simulate(range(i, i + 1), chosen) for i in range(3)]
    pd.testing.assert_frame_equal(study.summarise(together), study.summarise(pd.concat(parts)))


def test_groups_start_apart_and_change_alike():
    rows = study.judge(np.random.default_rng(1), study.Setting('groups', 3000, 2))
    assert rows.truth.eq(0).all()
    # four standard errors
    assert (rows.estimate.abs() < 4 * rows.se).all()


def test_a_table_of_other_trials_is_told(recorded):
    checks = met('missing')
    share_of_missing(checks, recorded.assign(rejected=0.9), 6)
    assert not next(iter(checks)).is_met
