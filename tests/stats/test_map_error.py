"""Maps without effect are called as often as their p values say, and tails agree with counts: what simulations recorded."""

import numpy as np
import pandas as pd
import pytest

from tests.acceptance.made import GOLDEN
from tests.acceptance.studies import map_error, map_tail


@pytest.fixture(scope='module')
def recorded() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / map_error.TABLE, sep='\t')


def test_arms_of_own_variances_are_called_as_often_as_p_says(recorded):
    own = recorded[recorded.variances == 'per_arm']
    assert len(own) == 2 * len(map_error.SETTINGS)
    for level, column in ((0.05, 'error_05'), (0.01, 'error_01')):
        # three Monte Carlo standard errors of the data sets that were tried, and one of them
        allowed = 3 * np.sqrt(level * (1 - level) / own.n_trials) + 1 / own.n_trials
        assert ((own[column] - level).abs() < allowed).all(), own[['n_treated', 'by', column]]


def test_one_variance_for_unequal_arms_calls_too_much(recorded):
    """Why arms have their own: the same data sets, 13 and 44 people, the larger spread in the smaller arm."""
    common = recorded[recorded.variances == 'common'].set_index('n_treated')
    assert common.error_05[13] > 0.2
    assert common.error_05[28] < 0.2


def test_tails_agree_with_counts_of_ten_thousand():
    found = map_tail.agreement(pd.read_csv(GOLDEN / map_tail.TABLE, sep='\t'))
    assert set(found.by) == {'largest', 'tfce'}
    whole = found.groupby('by').apply(
        lambda own: (own.share * own.n).sum() / own.n.sum(), include_groups=False
    )
    assert (whole >= 0.95).all(), found


def test_a_data_set_repeats_on_its_own(monkeypatch):
    monkeypatch.setattr(map_error, 'SHAPE', (5, 5, 4))
    monkeypatch.setattr(map_error, 'N_PERMUTATIONS', 20)
    together, alone = map_error.simulate(range(2)), map_error.simulate(range(1, 2))
    later = together[together.groupby(list(map_error.Setting._fields)).cumcount() >= 3].reset_index(drop=True)
    pd.testing.assert_frame_equal(later, alone)
    shares = map_error.summarise(together)
    assert (shares.n_trials == 2).all()
    assert shares.error_05[0] == (together.p[[0, 3]] <= 0.05).mean()


def test_noise_is_smooth_and_of_unit_spread():
    maps = map_error.noise(np.random.default_rng(1), 200)
    assert maps.std() == pytest.approx(1, abs=1e-3)
    volume = maps.reshape(*map_error.SHAPE, -1)
    near = np.mean(volume[1:] * volume[:-1])
    # noise smoothed by a Gaussian of SD s is correlated by exp(-d^2 / 4 s^2) at distance d
    assert near == pytest.approx(np.exp(-1 / (4 * (map_error.FWHM / 2.355) ** 2)), abs=0.03)


def test_agreement_counts_what_is_within_its_factor():
    rows = pd.DataFrame({
        'by': 'tfce', 'p': [0.07, 0.2, 0.04, 0.001, 0.02], 'counted': [0.06, 0.06, 0.03, 0.0004, 0.0004],
    })  # fmt: skip
    found = map_tail.agreement(rows).set_index('low')
    assert (found.n[0.05], found.share[0.05], found.share[0.02], found.share[0.0]) == (2, 0.5, 1, 0.5)
