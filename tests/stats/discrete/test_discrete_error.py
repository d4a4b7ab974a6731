"""What a long simulation recorded of events, levels and counts, and that its trials repeat and are drawn as planned."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.acceptance.checks import met
from tests.acceptance.simulations import share_of_discrete
from tests.acceptance.studies import discrete as study

GOLDEN = Path(__file__).resolve().parents[2] / 'golden'
SLACK = 3.5 * np.sqrt(0.05 * 0.95 / study.N_TRIALS)
"""Three and a half standard errors of a share of 5 %: 40 shares are all within in 98 studies of 100."""


@pytest.fixture(scope='module')
def recorded() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / study.TABLE, sep='\t')


def test_every_setting_is_recorded(recorded):
    told = set(recorded[list(study.Setting._fields)].itertuples(index=False, name=None))
    assert told == {tuple(one) for one in study.settings()}
    assert (recorded.n_trials == study.N_TRIALS).all()


def test_no_effect_is_found_as_seldom_as_it_should(recorded):
    found = recorded[~recorded.has_effect]
    # Wald's normal intervals of 57 people are a little short: two in a hundred more
    most = np.where(found.n == 57, 0.07, 0.055) + SLACK
    assert (found.rejected < most).all()
    # rare events are discrete, and their tests with them
    assert (found.rejected[found.kind != 'rare'] > 0.05 - SLACK).all()


def test_an_effect_is_covered(recorded):
    found = recorded[recorded.has_effect]
    least = np.where(found.n == 57, 0.93, 0.945) - SLACK
    assert (found.coverage > least).all()
    # log ratios of maximum likelihood are further from 0 than the truth, differences are not
    differences = found[found.scale == 'difference']
    assert (differences.mean_bias.abs() < 4 * differences.mc_se_bias).all()


def test_the_penalty_is_used_where_events_are_rare_and_little_is_refused(recorded):
    share = recorded.set_index(['kind', 'n']).penalised.sort_index()
    assert (share.loc[('rare', 57)] > 0.05).all()
    assert (share.drop('rare') < 0.05).all()
    assert (recorded.n_refused[recorded.kind != 'rare'] == 0).all()
    # nobody at all has the event
    assert (recorded.n_refused < 0.1 * recorded.n_trials).all()


@pytest.mark.parametrize('kind', study.LEVEL)
def test_trials_are_drawn_as_planned(kind):
    drawn = study.draw(np.random.default_rng(3), study.Setting(kind, 200_000, True))
    y = drawn.outcome / drawn.time if kind == 'rates' else drawn.outcome
    y = (y >= study.RESPONDER) if kind == 'ordinal' else y
    weights = drawn.time if kind == 'rates' else np.ones(len(y))
    means = [np.average(y[drawn.arm == a], weights=weights[drawn.arm == a]) for a in (0, 1)]
    spread = np.std(y) * np.sqrt(4 / len(y))
    assert means[1] - means[0] == pytest.approx(drawn.difference, abs=4 * spread)
    none = study.draw(np.random.default_rng(3), study.Setting(kind, 40, False))
    assert (none.log_ratio, none.difference) == (0, 0)


def test_trials_repeat_on_their_own():
    chosen = [study.Setting('binary', 57, True), study.Setting('rates', 57, False)]
    together = study.simulate(range(4), chosen)
    parts = [study.simulate(range(i, i + 1), chosen) for i in range(4)]
    pd.testing.assert_frame_equal(study.summarise(together), study.summarise(pd.concat(parts)))
    assert set(together.scale) == {'ratio', 'difference'}


def test_a_trial_that_cannot_be_compared_is_counted():
    found = study.tally(study.Setting('rare', 8, False), range(12), 0)
    assert all(0 < row.n_refused <= row.n_trials == 12 for row in found)


def test_a_table_of_other_trials_is_told(recorded):
    checks = met('discrete')
    share_of_discrete(checks, recorded.assign(mean_bias=recorded.mean_bias + 9, rejected=0.9), 4)
    rejected, _, bias = checks
    assert not rejected.is_met
    assert not bias.is_met
