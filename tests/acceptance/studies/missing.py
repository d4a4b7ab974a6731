"""Simulate trials whose people leave at random, and hold what is imputed against the primary analysis and the truth.

Two or three visits; three in ten leave, the sooner the worse they were when last seen.  Without an effect both
arms are one, so that what the reference arm would have become is true of everybody, and every assumption should reject
as seldom as it may.  ``groups`` were not drawn by lot and start two standard deviations apart, and neither changes
otherwise than the other.
"""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from pipelines.stats.imputation.sensitivity import Worse, vary_missing
from pipelines.stats.imputation.visits import Visits
from pipelines.stats.longitudinal.trial import fit_trial
from pipelines.stats.longitudinal.trial_design import TrialModel
from tests.acceptance.studies import spread
from tests.acceptance.studies.arms_error import Setting as Course
from tests.acceptance.studies.arms_error import draw

SEED = 20260401
N_TRIALS = 300
N_IMPUTATIONS = 50
TABLE = 'missing_error.tsv'
PRIMARY = 'primary'

Kind = Literal['no_effect', 'effect', 'groups']


class Setting(NamedTuple):
    """What is true, of how many people at how many visits."""

    kind: Kind
    n: int
    visits: int


class Tally(NamedTuple):
    """What was found under one assumption; ``apart`` sums differences from the primary estimate, in its standard errors."""

    assumption: str
    n_trials: int
    n_rejected: int
    n_covered: int
    apart: float
    squared_apart: float
    noise: float
    se_ratio: float


def settings() -> list[Setting]:
    """Return everything that is simulated."""
    kinds: tuple[Kind, ...] = ('no_effect', 'effect')
    return [
        *(Setting(kind, n, visits) for kind in kinds for n in (57, 200) for visits in (2, 3)),
        *(Setting('groups', n, 2) for n in (57, 200)),
    ]


def course_of(setting: Setting) -> Course:
    """Return how the trials of :mod:`~tests.acceptance.studies.arms_error` are drawn."""
    kind: Literal['stable', 'no_effect', 'effect'] = 'stable' if setting.kind == 'groups' else setting.kind
    return Course(kind, setting.n, setting.visits, 1, 1.0, 'smaller', 0.3)


def judge(rng: np.random.Generator, setting: Setting) -> pd.DataFrame:
    """Return the primary estimate and those under every assumption of one trial, with the truth."""
    trial, is_randomised = draw(rng, course_of(setting)), setting.kind != 'groups'
    visits = Visits(
        outcome=trial.outcome, arm=trial.arm, primary=setting.visits - 1, is_randomised=is_randomised
    )
    found = vary_missing(visits, Worse(lower_is_better=True, width=10), rng, N_IMPUTATIONS).effects
    model = TrialModel(is_randomised=is_randomised)
    primary = fit_trial(trial.outcome, trial.arm, model=model).effects[-1].effect
    own = pd.DataFrame([{'assumption': PRIMARY, **primary._asdict(), 'missing_information': 0.0}])
    truth = trial.effect if is_randomised else trial.change
    every = pd.concat([own, found.drop(columns='arm')], ignore_index=True)
    return every.assign(truth=truth, beside=primary.estimate, beside_se=primary.se)


def tally(setting: Setting, trials: range, number: int) -> list[Tally]:
    """Return what was found in these trials; each has a seed of its own."""
    rows = pd.concat(judge(np.random.default_rng([SEED, number, trial]), setting) for trial in trials)
    found = []
    for assumption, own in rows.groupby('assumption', sort=False):
        apart = (own['estimate'] - own['beside']) / own['beside_se']
        # of a mean over so many imputed tables
        noise = own['se'] * np.sqrt(own['missing_information'] / N_IMPUTATIONS) / own['beside_se']
        found.append(
            Tally(
                assumption=str(assumption),
                n_trials=len(own),
                n_rejected=int((own['p'] < 0.05).sum()),
                n_covered=int(own['truth'].between(own['ci_low'], own['ci_high']).sum()),
                apart=float(apart.sum()),
                squared_apart=float((apart**2).sum()),
                noise=float((noise**2).sum()),
                se_ratio=float((own['se'] / own['beside_se']).sum()),
            )
        )
    return found


def simulate(trials: range, chosen: list[Setting] | None = None) -> pd.DataFrame:
    """Return tallies of these trials of every setting, or of those that are chosen."""
    rows = [
        {**setting._asdict(), **row._asdict()}
        for number, setting in enumerate(settings())
        if chosen is None or setting in chosen
        for row in tally(setting, trials, number)
    ]
    return pd.DataFrame(rows)


def summarise(tallies: pd.DataFrame) -> pd.DataFrame:
    """Return shares of trials, and how far estimates are from the primary one, in its standard errors.

    ``mc_se_apart`` is of the mean over trials, ``sd_apart`` of one trial, ``noise`` what few imputations do to one.
    """
    keys = [*Setting._fields, 'assumption']
    sums = tallies.groupby(keys, sort=False)[list(Tally._fields[1:])].sum().reset_index()
    n = sums['n_trials']
    mean = sums['apart'] / n
    sd = np.sqrt((sums['squared_apart'] / n - mean**2).clip(lower=0))
    return sums[keys].assign(
        n_trials=n,
        rejected=sums['n_rejected'] / n,
        coverage=sums['n_covered'] / n,
        mean_apart=mean,
        mc_se_apart=sd / np.sqrt(n),
        sd_apart=sd,
        noise=np.sqrt(sums['noise'] / n),
        se_ratio=sums['se_ratio'] / n,
    )


def make() -> pd.DataFrame:
    """Return the table."""
    return summarise(spread(simulate, range(N_TRIALS)))
