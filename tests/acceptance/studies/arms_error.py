"""Simulate trials of unequal arms and record how often the comparison of arms finds what is not there.

Two visits or four; arms of unequal size; a spread at follow-up that is larger in one arm; people who drop out, the
sooner the worse they were when last seen.  ``null`` and ``effect`` compare two randomised arms, without and with an
effect of half a standard deviation; ``three_arms`` three of them by Holm.  In ``stable`` and ``given_baseline`` the
groups were not drawn by lot and start two standard deviations apart: in the former neither changes, in the latter
people of equal baseline have equal follow-up whatever their group.
"""

from collections.abc import Iterator
from functools import cache
from typing import Literal, NamedTuple, assert_never

import numpy as np
import pandas as pd
from scipy import optimize, special

from pipelines.errors import DataError
from pipelines.stats.change import ancova
from pipelines.stats.estimate import Estimate
from pipelines.stats.longitudinal.trial import TrialFit, fit_trial
from pipelines.stats.longitudinal.trial_design import TrialModel
from pipelines.stats.multiplicity import holm
from tests.acceptance.studies import spread

SEED = 20260101
N_TRIALS = 2000
TABLE = 'arms_error.tsv'

CORRELATION = 0.6  # of neighbouring visits; powers of it further apart
EFFECT = 0.5  # standard deviations at baseline
APART = 2.0  # standard deviations between groups that were not drawn by lot
PER_SD = 0.5, 1.0  # log odds of drop-out per standard deviation of the last value: usual, and harsh

Kind = Literal['no_effect', 'effect', 'three_arms', 'stable', 'given_baseline']


class Setting(NamedTuple):
    """How trials are drawn.

    Attributes
    ----------
    kind
        What is true, and which arms there are.
    n, visits
        People and visits.
    allocation
        People of the larger arm (or of each other arm) per person of the smaller, which is the control arm.
    ratio
        Standard deviation at follow-up of ``wider`` over that of the other arm.
    wider
        The arm that varies more.
    dropout
        Share of people without the last visit.
    log_odds
        Of drop-out per standard deviation of the last value.

    """

    kind: Kind
    n: int
    visits: int
    allocation: int
    ratio: float
    wider: Literal['smaller', 'larger']
    dropout: float
    log_odds: float = PER_SD[0]


class Tally(NamedTuple):
    """What an estimator did with trials of one setting."""

    estimator: str
    n_trials: int
    n_refused: int
    n_per_arm: int
    n_rejected: int
    n_covered: int
    error: float
    squared_error: float


SPREADS: tuple[tuple[float, Literal['smaller', 'larger']], ...] = (
    (1.0, 'smaller'), (2.0, 'smaller'), (2.0, 'larger'), (2.7, 'smaller'), (2.7, 'larger'),
)  # fmt: skip


def _corners(
    kind: Kind, n: int, visits: int, dropouts: tuple[float, ...] = (0, 0.3), log_odds: float = PER_SD[0]
) -> Iterator[Setting]:
    for allocation in (1, 3):
        for ratio, wider in (SPREADS[0], *SPREADS[3:]):
            # equal arms have no smaller one
            if (allocation, wider) != (1, 'larger'):
                for dropout in dropouts:
                    yield Setting(kind, n, visits, allocation, ratio, wider, dropout, log_odds)


def settings() -> list[Setting]:
    """Return everything that is simulated."""
    found = [
        Setting('no_effect', 57, 2, allocation, ratio, wider, dropout)
        for allocation in (1, 2, 3)
        for ratio, wider in SPREADS
        for dropout in (0.0, 0.1, 0.3)
        if (allocation, wider) != (1, 'larger')
    ]
    found += [one for n in (200, 30) for one in _corners('no_effect', n, 2)]
    found += [one for n in (57, 200) for one in _corners('no_effect', n, 4)]
    # two visits: drop-out depends on the baseline alone, so that errors are those of no effect, trial by trial
    found += _corners('effect', 57, 2)
    found += [one for n in (57, 200) for one in _corners('effect', n, 4, (0.3,))]
    found += [one for visits in (2, 4) for one in _corners('no_effect', 57, visits, (0.3,), PER_SD[1])]
    found += [
        Setting('three_arms', 57, 2, 1, ratio, 'smaller', dropout)
        for ratio in (1, 2.7)
        for dropout in (0, 0.3)
    ]
    kinds: tuple[Kind, ...] = ('stable', 'given_baseline')
    return found + [
        Setting(kind, 57, 2, 1, 1.0, 'smaller', dropout) for kind in kinds for dropout in (0, 0.3)
    ]


@cache
def intercept(dropout: float, log_odds: float, visits: int) -> float:
    """Return the log odds of leaving at each visit with which ``dropout`` are gone in the end, at a value of 0.

    Values are standard normal; that those who are left have lower ones is left out.
    """
    if not dropout:
        return -np.inf
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    each = 1 - (1 - dropout) ** (1 / (visits - 1))
    shares = weights / weights.sum()
    return float(optimize.brentq(lambda a: shares @ special.expit(a + log_odds * nodes) - each, -20, 5))


def sizes(setting: Setting) -> np.ndarray:
    """Return the arm of each person."""
    n_others = 2 if setting.kind == 'three_arms' else 1
    smaller = round(setting.n / (1 + n_others * setting.allocation))
    counts = [smaller, *(len(part) for part in np.array_split(np.arange(setting.n - smaller), n_others))]
    return np.repeat(np.arange(1 + n_others), counts)


class Drawn(NamedTuple):
    """A trial: outcome (n, J), arm (n,), and what is true of the last visit.

    ``effect`` is the difference of people with equal baseline, ``change`` that of the changes.
    """

    outcome: np.ndarray
    arm: np.ndarray
    effect: float
    change: float


def draw(rng: np.random.Generator, setting: Setting) -> Drawn:
    """Draw a trial."""
    arm, visits = sizes(setting), setting.visits
    distance = np.abs(np.subtract.outer(np.arange(visits), np.arange(visits)))
    z = rng.standard_normal((setting.n, visits)) @ np.linalg.cholesky(CORRELATION**distance).T
    sd = np.ones(z.shape)
    sd[(arm > 0) == (setting.wider == 'larger'), 1:] = setting.ratio
    shift, effect, change = np.zeros(visits), 0.0, 0.0
    match setting.kind:
        case 'no_effect' | 'three_arms':
            pass
        case 'effect':
            shift[1:] = effect = change = EFFECT
        case 'stable':
            shift[:] = APART
            # what ANCOVA takes for an effect
            effect = APART * (1 - CORRELATION ** (visits - 1))
        case 'given_baseline':
            shift[:] = APART * CORRELATION ** np.arange(visits)
            change = shift[-1] - shift[0]
        case _:
            assert_never(setting.kind)
    seen = stay(rng, z + (arm[:, None] * (shift - shift[0])) / sd, setting)
    return Drawn(np.where(seen, z * sd + arm[:, None] * shift, np.nan), arm, effect, float(change))


def stay(rng: np.random.Generator, scores: np.ndarray, setting: Setting) -> np.ndarray:
    """Return who is seen when (n, J): nobody who has left comes back."""
    start = intercept(setting.dropout, setting.log_odds, setting.visits)
    staying = rng.random(scores[:, 1:].shape) >= special.expit(start + setting.log_odds * scores[:, :-1])
    return np.column_stack([np.ones(setting.n, bool), np.cumprod(staying, axis=1).astype(bool)])


Judged = dict[str, tuple[Estimate, float, bool]]
"""By estimator: what it found, the truth, and whether each arm has its own covariance."""


def judge(trial: Drawn, setting: Setting) -> Judged:
    """Return what every estimator found; what it refuses is absent."""
    found: Judged = {}
    is_randomised = setting.kind not in ('stable', 'given_baseline')
    truth = trial.effect if is_randomised else trial.change
    own = fit(trial, TrialModel(is_randomised=is_randomised))
    if own is not None:
        found['rule'] = (own.effects[-1].effect, truth, own.sigma == 'per_arm')
        # the other choice of covariances where it matters most
        is_judged = setting.n == 57 and setting.allocation == 3
        beside = fit(trial, TrialModel(sigma=own.other_choice)) if is_judged else None
        if beside is not None:
            found['other'] = (beside.effects[-1].effect, truth, beside.sigma == 'per_arm')
    if not is_randomised:
        constrained = fit(trial, TrialModel())
        if constrained is not None:
            found['constrained'] = (
                constrained.effects[-1].effect,
                trial.effect,
                constrained.sigma == 'per_arm',
            )
        found['ancova'] = (ancova(*trial.outcome[:, [0, -1]].T, trial.arm).effect, trial.effect, False)
    return found


def fit(trial: Drawn, model: TrialModel) -> TrialFit | None:
    """Return a fit, or nothing where there is none."""
    try:
        return fit_trial(trial.outcome, trial.arm, model=model)
    except DataError:
        return None


def judge_together(trial: Drawn) -> Judged:
    """Return the smallest of the p values by Holm, and the joint test, each as the estimate of no effect."""
    own = fit(trial, TrialModel())
    if own is None:
        return {}
    smallest = min(holm([one.effect.p for one in own.effects]))
    nothing = own.effects[0].effect
    tests = {'holm': smallest, 'joint': own.joint[-1].test.p}
    return {name: (nothing._replace(p=p), 0.0, own.sigma == 'per_arm') for name, p in tests.items()}


def tally(setting: Setting, trials: range, number: int) -> list[Tally]:
    """Return what every estimator did with these trials; each has a seed of its own."""
    found: list[Judged] = []
    for trial in trials:
        drawn = draw(np.random.default_rng([SEED, number, trial]), setting)
        found.append(judge_together(drawn) if setting.kind == 'three_arms' else judge(drawn, setting))
    rows = []
    for name in dict.fromkeys(name for judged in found for name in judged):
        kept = [judged[name] for judged in found if name in judged]
        errors = np.array([estimate.estimate - truth for estimate, truth, _ in kept])
        rows.append(
            Tally(
                estimator=name,
                n_trials=len(found),
                n_refused=len(found) - len(kept),
                n_per_arm=sum(is_own for *_, is_own in kept),
                n_rejected=sum(estimate.p < 0.05 for estimate, *_ in kept),
                n_covered=sum(e.ci_low <= truth <= e.ci_high for e, truth, _ in kept),
                error=float(errors.sum()),
                squared_error=float(np.sum(errors**2)),
            )
        )
    return rows


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
    """Return the share of trials that reject no effect, that cover the truth, and the bias."""
    keys = [*Setting._fields, 'estimator']
    sums = tallies.groupby(keys, sort=False)[list(Tally._fields[1:])].sum().reset_index()
    n = sums['n_trials'] - sums['n_refused']
    bias = sums['error'] / n
    return sums[keys].assign(
        n_trials=sums['n_trials'],
        n_refused=sums['n_refused'],
        per_arm=sums['n_per_arm'] / n,
        rejected=sums['n_rejected'] / n,
        coverage=sums['n_covered'] / n,
        mean_bias=bias,
        mc_se_bias=np.sqrt((sums['squared_error'] / n - bias**2) / n),
    )


def make() -> pd.DataFrame:
    """Return the table."""
    return summarise(spread(simulate, range(N_TRIALS)))
