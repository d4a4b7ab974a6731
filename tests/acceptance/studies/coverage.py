"""Simulate trials of known truth and record how often the intervals of the outcome models cover it."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from pipelines.stats.change import ancova
from pipelines.stats.longitudinal.trial import fit_trial
from tests.acceptance.studies import spread
from tests.four_samples import fit_four_samples

SEED = 20260101
N_TRIALS = 2000
TABLE = 'coverage.tsv'

N_PEOPLE, N_TREATED = 57, 29
MISSING = (0.05, 0.10)  # of first and second visit or session
EFFECT = -1.2  # points of pain
PAIN_MEAN, PAIN_COVARIANCE = (5.5, 4.6), [[2.2, 1.3], [1.3, 3.4]]

SD_PERSON, SD_SESSION, SD_SAMPLE = 0.4, 0.2, 0.2  # of log BDNF
BEYOND = (0.15, 0.05)  # share of samples below the lower and above the upper limit
BDNF = {
    # intercept, session, post, session x post; control and treated
    'coverage': np.array([[3.0, 0.05, 0.20, 0.05], [3.0, 0.15, 0.30, 0.15]]),
    'type_I': np.array([[3.0, 0.0, 0.0, 0.0], [3.0, 0.0, 0.0, 0.0]]),
}
CONTRASTS = {
    'acute_s7': [0, 0, 1, 0],
    'acute_s42': [0, 0, 1, 1],
    'resting_change': [0, 1, 0, 0],
    'change_of_acute': [0, 0, 0, 1],
}


class Outcome(NamedTuple):
    """One interval in one simulated trial."""

    quantity: str
    scenario: str
    error: float
    is_covered: bool


def treatment() -> np.ndarray:
    """Return the arms of the trial."""
    return (np.arange(N_PEOPLE) < N_TREATED).astype(int)


def pain_trial(rng: np.random.Generator, scenario: str) -> list[Outcome]:
    """Simulate pain at two visits and analyse it by both models."""
    truth = EFFECT if scenario == 'coverage' else 0.0
    visits = rng.multivariate_normal(PAIN_MEAN, PAIN_COVARIANCE, N_PEOPLE)
    visits[:, 1] += truth * treatment()
    visits[rng.random(visits.shape) < MISSING] = np.nan
    found = []
    effects = {
        'ancova': ancova(visits[:, 0], visits[:, 1], treatment()).effect,
        'longitudinal': fit_trial(visits, treatment().astype(int)).effects[0].effect,
    }
    for name, effect in effects.items():
        covered = effect.ci_low <= truth <= effect.ci_high
        found.append(Outcome(name, scenario, effect.estimate - truth, covered))
    return found


def bdnf_samples(rng: np.random.Generator, n: int, scenario: str) -> tuple[np.ndarray, ...]:
    """Return log BDNF, person, session and post of ``n`` people, half of them treated, uncensored."""
    person, session, post = (grid.ravel() for grid in np.mgrid[:n, :2, :2])
    arm = (np.arange(n) < n * N_TREATED / N_PEOPLE).astype(int)[person]
    terms = np.column_stack([np.ones(len(person)), session, post, session * post])
    y = np.sum(terms * BDNF[scenario][arm], axis=1)
    y += SD_PERSON * rng.standard_normal(n)[person] + SD_SAMPLE * rng.standard_normal(len(y))
    return y + SD_SESSION * rng.standard_normal((n, 2))[person, session], person, session, post


def limits(scenario: str) -> np.ndarray:
    """Return the limits of detection that the planned share of samples lies beyond."""
    y = bdnf_samples(np.random.default_rng(SEED), 100_000, scenario)[0]
    return np.exp(np.quantile(y, [BEYOND[0], 1 - BEYOND[1]]))


def bdnf_trial(rng: np.random.Generator, scenario: str, low: float, high: float) -> list[Outcome]:
    """Simulate censored BDNF with missing sessions and compare every contrast with the truth."""
    y, person, session, post = bdnf_samples(rng, N_PEOPLE, scenario)
    y[(rng.random((N_PEOPLE, 2)) < MISSING)[person, session]] = np.nan
    fit = fit_four_samples(np.exp(y), person, 2 * session + post, treatment()[person], (low, high))
    control, treated = BDNF[scenario]
    coefficients = {'control': control, 'treated': treated, 'difference': treated - control}
    found = []
    for row in fit.contrasts.itertuples():
        truth = float(np.dot(CONTRASTS[row.contrast], coefficients[row.arm]))
        covered = row.ci_low <= truth <= row.ci_high
        found.append(Outcome(f'bdnf_{row.contrast}_{row.arm}', scenario, row.estimate - truth, covered))
    return found


def simulate(trials: range) -> pd.DataFrame:
    """Return the outcomes of these trials; each has a seed of its own, so that any part can be repeated."""
    found = []
    for number, scenario in enumerate(BDNF):
        low, high = limits(scenario)
        for trial in trials:
            rng = np.random.default_rng([SEED, number, trial])
            found += pain_trial(rng, scenario)
            found += bdnf_trial(rng, scenario, low, high)
    return pd.DataFrame(found)


def summarise(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return coverage and bias with effects planted, and the share of false positives without."""
    rows = []
    for quantity, part in outcomes.groupby('quantity', sort=False):
        planted, null = (part[part.scenario == name] for name in BDNF)
        n, coverage = len(planted), planted.is_covered.mean()
        rows.append(
            {
                'quantity': quantity,
                'n_trials': n,
                'coverage': coverage,
                'type_I': 1 - null.is_covered.mean(),
                'mean_bias': planted.error.mean(),
                'mc_se_coverage': np.sqrt(coverage * (1 - coverage) / n),
                'mc_se_bias': planted.error.std() / np.sqrt(n),
            }
        )
    return pd.DataFrame(rows)


def make() -> pd.DataFrame:
    """Return the table."""
    return summarise(spread(simulate, range(N_TRIALS)))
