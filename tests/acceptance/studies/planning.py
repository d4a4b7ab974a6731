"""Simulate trials with an effect and record how often their model finds it, beside the closed form of its power."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from pipelines.stats.longitudinal.trial import fit_trial
from pipelines.stats.longitudinal.trial_design import TrialModel
from pipelines.stats.power import difference_power
from tests.acceptance.studies import spread

SEED = 20260701
N_TRIALS = 2000
TABLE = 'planning.tsv'
SD = 2.0


class Setting(NamedTuple):
    """A trial of two visits, or of one where ``correlation`` is 0; ``dropout`` of the last, at random."""

    name: str
    n_treated: int
    n_control: int
    effect: float
    correlation: float
    dropout: float


SETTINGS = (Setting('two_visits', 41, 41, 1.2, 0.5, 0.15), Setting('followup_only', 60, 30, 1.2, 0.0, 0.0))


def trial(rng: np.random.Generator, setting: Setting) -> tuple[str, bool]:
    """Draw a trial and say whether its model tells the arms apart."""
    arm = np.repeat([1, 0], [setting.n_treated, setting.n_control])
    shared, *own = rng.standard_normal((3, len(arm), 1))
    before, after = (
        SD * (np.sqrt(setting.correlation) * shared + np.sqrt(1 - setting.correlation) * each) for each in own
    )
    after = after + setting.effect * arm[:, None]
    after[rng.random(len(arm)) < setting.dropout] = np.nan
    has_baseline = setting.correlation > 0
    values = np.hstack([before, after]) if has_baseline else after
    fit = fit_trial(values, arm, model=TrialModel(has_baseline=has_baseline))
    return setting.name, fit.effects[0].effect.p < 0.05


def simulate(trials: range) -> pd.DataFrame:
    """Return what these trials found; each has a seed of its own, so that any part can be repeated."""
    found = [
        trial(np.random.default_rng([SEED, number, index]), setting)
        for number, setting in enumerate(SETTINGS) for index in trials
    ]  # fmt: skip
    return pd.DataFrame(found, columns=['setting', 'is_found'])


def closed_form(setting: Setting) -> float:
    """Return the power by noncentral t, of the people who are expected to have the last visit."""
    people = (n * (1 - setting.dropout) for n in (setting.n_treated, setting.n_control))
    difference = setting.effect / (SD * np.sqrt(1 - setting.correlation**2))
    return difference_power(*people, difference, n_baselines=int(setting.correlation > 0))


def summarise(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the power that was simulated, its Monte Carlo standard error, and the closed form."""
    share = outcomes.groupby('setting')['is_found'].agg(['mean', 'size'])
    return pd.DataFrame([
        {
            'setting': one.name, 'n_trials': int(share.loc[one.name, 'size']), 'power': share.loc[one.name, 'mean'],
            'mc_se': np.sqrt(share.loc[one.name, 'mean'] * (1 - share.loc[one.name, 'mean']) / share.loc[one.name, 'size']),
            'closed_form': closed_form(one),
        }
        for one in SETTINGS
    ])  # fmt: skip


def make() -> pd.DataFrame:
    """Return the table."""
    return summarise(spread(simulate, range(N_TRIALS)))
