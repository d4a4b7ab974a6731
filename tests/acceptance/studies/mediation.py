"""Simulate trials with known paths and record how often the interval of the indirect effect covers it."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from pipelines.stats.mediate import mediate
from pipelines.stats.mediation_model import PathModel
from pipelines.stats.mediation_power import simulate_paths, standard_arm
from tests.acceptance.studies import spread

SEED = 20260101
N_TRIALS, N_BOOTSTRAPS = 2000, 1000
TABLE = 'mediation_coverage.tsv'

N_TREATMENT, N_CONTROL = 29, 28
PATHS = ((0.39, 0.39), (0.0, 0.39), (0.39, 0.0), (0.0, 0.59), (0.59, 0.0), (0.0, 0.0))
BASELINE = 0.5  # slope of each measure on its own baseline
MODEL = PathModel('indirect', 'arm', ('mediator',), 'outcome', ('mediator_0', 'outcome_0'))


class Outcome(NamedTuple):
    """The interval of the indirect effect in one simulated trial."""

    a: float
    b: float
    error: float
    is_covered: bool
    is_found: bool


def trial(rng: np.random.Generator, a: float, b: float) -> Outcome:
    """Simulate a trial with both baselines and analyse it."""
    x = standard_arm(N_TREATMENT, N_CONTROL)
    before = rng.standard_normal((2, len(x)))
    mediator, outcome = simulate_paths(x, a, b, rng)
    people = pd.DataFrame(
        {
            'arm': (x > 0).astype(int),
            'mediator_0': before[0],
            'mediator': mediator + BASELINE * before[0],
            'outcome_0': before[1],
            'outcome': outcome + BASELINE * before[1],
        }
    )
    paths = mediate(people, MODEL, rng, n_bootstraps=N_BOOTSTRAPS).paths.set_index('path')
    found = paths.loc['indirect']
    truth = a * b * float(np.ptp(x))
    return Outcome(
        a, b, found.estimate - truth, bool(found.ci_low <= truth <= found.ci_high), bool(found.p <= 0.05)
    )


def simulate(trials: range) -> pd.DataFrame:
    """Return the outcomes of these trials; each has a seed of its own, so that any part can be repeated."""
    return pd.DataFrame(
        trial(np.random.default_rng([SEED, number, index]), a, b)
        for number, (a, b) in enumerate(PATHS)
        for index in trials
    )


def summarise(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return coverage, share of intervals without zero (type I error when a path is 0) and bias."""
    rows = []
    for (a, b), part in outcomes.groupby(['a', 'b'], sort=False):
        n, coverage, found = len(part), part.is_covered.mean(), part.is_found.mean()
        rows.append(
            {
                'a': a,
                'b': b,
                'n_trials': n,
                'coverage': coverage,
                'excludes_zero': found,
                'mean_bias': part.error.mean(),
                'mc_se_coverage': np.sqrt(coverage * (1 - coverage) / n),
                'mc_se_excludes_zero': np.sqrt(found * (1 - found) / n),
                'mc_se_bias': part.error.std() / np.sqrt(n),
            }
        )
    return pd.DataFrame(rows)


def make() -> pd.DataFrame:
    """Return the table."""
    return summarise(spread(simulate, range(N_TRIALS)))
