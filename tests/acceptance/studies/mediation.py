"""Simulate trials with known paths and record how often the interval of the indirect effect covers it.

Of two arms with mediator and outcome at one visit; and of three arms with the mediator at the visit before that of the
outcome, the mediator without baseline and the outcome continuous, or the outcome binary and without baseline.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import integrate, special, stats

from pipelines.stats.design import Outcome as Measured
from pipelines.stats.mediate import mediate
from pipelines.stats.mediation_design import Analysis, MediationDesign
from pipelines.stats.mediation_model import PathModel
from pipelines.stats.mediation_people import TrialTables, tabulate_people
from pipelines.stats.mediation_power import simulate_paths, standard_arm
from pipelines.stats.mediation_trial import complete_model, variants
from pipelines.stats.mediation_visits import choose_visits
from pipelines.stats.visit import Visit
from tests.acceptance.studies import spread

SEED = 20260101
N_TRIALS, N_BOOTSTRAPS, N_BOOTSTRAPS_RISK = 2000, 1000, 599
TABLE = 'mediation_coverage.tsv'

N_TREATMENT, N_CONTROL = 29, 28
PATHS = ((0.39, 0.39), (0.0, 0.39), (0.39, 0.0), (0.0, 0.59), (0.59, 0.0), (0.0, 0.0))
BASELINE = 0.5  # slope of each measure on its own baseline
MODEL = PathModel('indirect', 'arm', ('mediator',), 'outcome', ('mediator_0', 'outcome_0'))

VISITS = ('week 0', 'week 6', 'week 12')
N_IN_ARM = 60
EFFECTS = {'yoga': 0.8, 'walking': 0.0, 'usual care': 0.0}
"""On the mediator at week 6, in standard deviations of its error."""
SLOPE, DIRECT, CONFOUNDED, INTERCEPT = 0.8, 0.3, 0.4, -0.5
"""Of the outcome at week 12, continuous or in log odds: on the mediator, of either treatment, on the mediator's baseline."""


class Outcome(NamedTuple):
    """The interval of the indirect effect in one simulated trial."""

    kind: str
    arm: str
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
    return _judged('same_visit', 'treated', (a, b), paths.loc['indirect'], a * b * float(np.ptp(x)))


def _judged(kind: str, arm: str, slopes: tuple[float, float], found: pd.Series, truth: float) -> Outcome:
    covers = bool(found.ci_low <= truth <= found.ci_high)
    return Outcome(kind, arm, *slopes, found.estimate - truth, covers, bool(found.p <= 0.05))


@cache
def risk(arm: int, shift: float) -> float:
    """Return the risk under an arm with the mediator moved by an effect, integrated over everything else."""
    # the mediator is half its baseline and an error of 1
    mean = INTERCEPT + DIRECT * arm + SLOPE * shift
    sd = np.hypot(SLOPE * BASELINE + CONFOUNDED, SLOPE)
    return integrate.quad(lambda u: special.expit(mean + sd * u) * stats.norm.pdf(u), -12, 12)[0]


def indirect_risk(effect: float) -> float:
    """Return the natural indirect effect on the risk, the mean of those under either arm."""
    return float(np.mean([risk(arm, effect) - risk(arm, 0.0) for arm in (0, 1)]))


def planned(rng: np.random.Generator, *, is_binary: bool) -> tuple[TrialTables, MediationDesign]:
    """Simulate a trial of three arms and three visits; at the visits that are not asked for other things happen."""
    arm = np.repeat(list(EFFECTS), N_IN_ARM)
    names = [f'sub-{number:03d}' for number in range(len(arm))]
    moved = np.array([EFFECTS[name] for name in arm])
    treated = (arm != 'usual care').astype(float)
    first, start, noise = rng.standard_normal((3, len(arm)))
    mediator = BASELINE * first + moved + noise
    line = INTERCEPT + DIRECT * treated + SLOPE * mediator + CONFOUNDED * first
    if is_binary:
        after = (line + rng.logistic(size=len(arm)) > 0).astype(float)
        outcome = {'week 6': rng.integers(0, 2, len(arm)).astype(float), 'week 12': after}
    else:
        outcome = {
            'week 0': start,
            'week 6': start - moved,
            'week 12': line + BASELINE * start + rng.standard_normal(len(arm)),
        }
    measures = {'mediator': {'week 6': mediator, 'week 12': -mediator - treated}, 'outcome': outcome}
    if is_binary:
        measures['mediator']['week 0'] = first
    else:
        # without its baseline the mediator must not share it with the outcome
        measures['outcome']['week 12'] = outcome['week 12'] - CONFOUNDED * first
    values = pd.concat([
        pd.DataFrame({'participant_id': names, 'outcome': name, 'visit': visit, 'value': value})
        for name, own in measures.items()
        for visit, value in own.items()
    ])  # fmt: skip
    visits = tuple(
        Visit(
            name=name,
            session_id=f'ses-{name[5:]}',
            is_baseline=name == VISITS[0],
            is_primary=name == VISITS[2],
        )
        for name in VISITS
    )
    outcomes = (
        Measured(name='mediator'),
        Measured(name='outcome', kind='binary' if is_binary else 'continuous'),
    )
    measured = {name: sorted(own, key=VISITS.index) for name, own in measures.items()}
    chosen = choose_visits(Analysis('planned', ('mediator',), 'outcome'), measured, VISITS[2], visits)
    design = MediationDesign(
        treated=('yoga', 'walking'),
        control='usual care',
        analyses=(chosen,),
        outcomes=outcomes,
        visits=visits,
    )
    return TrialTables(values, pd.DataFrame({'participant_id': names, 'arm': arm})), design


def planned_trial(rng: np.random.Generator, *, is_binary: bool) -> list[Outcome]:
    """Simulate such a trial and analyse each arm."""
    tables, design = planned(rng, is_binary=is_binary)
    found = []
    for variant in variants(design):
        if variant.model.interaction:
            continue
        table = tabulate_people(tables, design, variant.analysis, variant.arm)
        model = complete_model(table, variant, is_doubtful=False)
        n = N_BOOTSTRAPS_RISK if is_binary else N_BOOTSTRAPS
        row = mediate(table, model, rng, n_bootstraps=n).paths.set_index('path').loc['indirect']
        effect = EFFECTS[variant.arm]
        truth = indirect_risk(effect) if is_binary else effect * SLOPE
        kind = 'before_binary' if is_binary else 'before_no_baseline'
        found.append(_judged(kind, variant.arm, (effect, SLOPE), row, truth))
    return found


def simulate(trials: range) -> pd.DataFrame:
    """Return the outcomes of these trials; each has a seed of its own, so that any part can be repeated."""
    found = [
        trial(np.random.default_rng([SEED, number, index]), a, b)
        for number, (a, b) in enumerate(PATHS)
        for index in trials
    ]
    for number, is_binary in enumerate((False, True), len(PATHS)):
        for index in trials:
            found += planned_trial(np.random.default_rng([SEED, number, index]), is_binary=is_binary)
    return pd.DataFrame(found)


def summarise(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return coverage, share of intervals without zero (type I error when a path is 0) and bias."""
    rows = []
    for keys, part in outcomes.groupby(['kind', 'arm', 'a', 'b'], sort=False):
        n, coverage, found = len(part), part.is_covered.mean(), part.is_found.mean()
        rows.append(
            {
                **dict(zip(('kind', 'arm', 'a', 'b'), keys)),
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
