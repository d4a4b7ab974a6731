"""Simulate events, levels and counts in two arms and record how often ratio and difference are wrong.

Half of the people are treated; one covariate tells a part of the outcome.  ``rare`` events happen to one in sixteen, so
that arms without any are common and Firth's penalty has its work; ``bounded`` counts vary more than binomial ones,
``rates`` more than Poisson's, over unequal times.
"""

from typing import Literal, NamedTuple, assert_never

import numpy as np
import pandas as pd
from scipy import special

from pipelines.errors import DataError
from pipelines.stats.discrete.binary import compare_binary
from pipelines.stats.discrete.bounded import compare_bounded
from pipelines.stats.discrete.ordinal import compare_ordinal
from pipelines.stats.discrete.people import Groups
from pipelines.stats.discrete.rates import compare_rates
from pipelines.stats.discrete.results import DiscreteFit
from pipelines.stats.estimate import Estimate
from tests.acceptance.studies import spread

SEED = 20260301
N_TRIALS = 400
TABLE = 'discrete_error.tsv'

MAXIMUM = 12  # sessions
ALPHA = 0.8  # variance of rates is mu + alpha mu squared
PRECISION = 4.0  # of the beta distribution of a person's share of sessions
RESPONDER = 2  # of levels 0 to 3

Kind = Literal['binary', 'rare', 'ordinal', 'bounded', 'rates']

LEVEL: dict[Kind, tuple[float, ...]] = {
    'binary': (-0.4,), 'rare': (-2.9,), 'ordinal': (1.2, 0.0, -1.2), 'bounded': (0.3,), 'rates': (0.5,),
}  # fmt: skip
"""Of control at the mean of the covariate: log odds (of each level or above), or the logarithm of the rate."""
SLOPE: dict[Kind, float] = {'binary': 0.8, 'rare': 0.4, 'ordinal': 0.8, 'bounded': 0.5, 'rates': 0.4}
EFFECT: dict[Kind, float] = {'binary': 1.0, 'rare': 1.5, 'ordinal': 0.8, 'bounded': 0.8, 'rates': 0.6}


class Setting(NamedTuple):
    """What is compared, of how many people, and whether there is an effect."""

    kind: Kind
    n: int
    has_effect: bool


class Tally(NamedTuple):
    """What was found on one scale in the trials of a setting; of ``n_refused`` there is no estimate."""

    scale: str
    n_trials: int
    n_refused: int
    n_penalised: int
    n_rejected: int
    n_covered: int
    error: float
    squared_error: float


class Drawn(NamedTuple):
    """A trial (n,), and the true logarithm of the ratio and difference."""

    outcome: np.ndarray
    arm: np.ndarray
    covariate: np.ndarray
    time: np.ndarray
    log_ratio: float
    difference: float


def settings() -> list[Setting]:
    """Return everything that is simulated."""
    return [Setting(kind, n, has) for kind in LEVEL for n in (57, 200) for has in (False, True)]


def draw(rng: np.random.Generator, setting: Setting) -> Drawn:
    """Draw a trial."""
    kind, n = setting.kind, setting.n
    arm, x, time = np.arange(n) % 2, rng.standard_normal(n), np.ones(n)
    effect = EFFECT[kind] * setting.has_effect
    line = np.array(LEVEL[kind]) + (effect * arm + SLOPE[kind] * x)[:, None]
    match kind:
        case 'binary' | 'rare':
            y = (rng.random(n) < special.expit(line[:, 0])).astype(float)
        case 'ordinal':
            y = (rng.random((n, 1)) < special.expit(line)).sum(axis=1).astype(float)
        case 'bounded':
            share = special.expit(line[:, 0])
            y = rng.binomial(MAXIMUM, rng.beta(PRECISION * share, PRECISION * (1 - share))).astype(float)
        case 'rates':
            time = rng.uniform(0.5, 1.5, n)
            y = rng.poisson(time * np.exp(line[:, 0]) * rng.gamma(1 / ALPHA, ALPHA, n)).astype(float)
        case _:
            assert_never(kind)
    return Drawn(y, arm, x, time, effect, mean_of(kind, effect) - mean_of(kind, 0.0))


def mean_of(kind: Kind, effect: float) -> float:
    """Return the risk, share of responders, count or rate of everybody, by quadrature over the covariate."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    line = LEVEL[kind][RESPONDER - 1 if kind == 'ordinal' else 0] + effect + SLOPE[kind] * nodes
    means = np.exp(line) if kind == 'rates' else special.expit(line)
    return float(weights @ means / weights.sum()) * (MAXIMUM if kind == 'bounded' else 1)


def compare(trial: Drawn, kind: Kind) -> DiscreteFit | None:
    """Return the comparison, or nothing where there is none."""
    groups = Groups(outcome=trial.outcome, arm=trial.arm, covariates=trial.covariate)
    try:
        match kind:
            case 'binary' | 'rare':
                return compare_binary(groups)
            case 'ordinal':
                return compare_ordinal(groups, responder=RESPONDER, levels=range(4)).fit
            case 'bounded':
                return compare_bounded(groups, maximum=MAXIMUM)
            case 'rates':
                return compare_rates(groups, trial.time)
            case _:
                assert_never(kind)
    except DataError:
        return None


def tally(setting: Setting, trials: range, number: int) -> list[Tally]:
    """Return what was found in these trials; each has a seed of its own."""
    found: dict[str, list[tuple[Estimate, float]]] = {'ratio': [], 'difference': []}
    n_penalised = 0
    for trial in trials:
        drawn = draw(np.random.default_rng([SEED, number, trial]), setting)
        fit = compare(drawn, setting.kind)
        if fit is None:
            continue
        n_penalised += fit.model.endswith(('firth', 'penalised'))
        (contrast,) = fit.contrasts
        if contrast.log_ratio is not None:
            found['ratio'].append((contrast.log_ratio, drawn.log_ratio))
        if contrast.difference is not None:
            found['difference'].append((contrast.difference, drawn.difference))
    return [_row(scale, pairs, len(trials), n_penalised) for scale, pairs in found.items()]


def _row(scale: str, pairs: list[tuple[Estimate, float]], n_trials: int, n_penalised: int) -> Tally:
    errors = np.array([estimate.estimate - truth for estimate, truth in pairs])
    return Tally(
        scale=scale,
        n_trials=n_trials,
        n_refused=n_trials - len(pairs),
        n_penalised=n_penalised,
        n_rejected=sum(estimate.p < 0.05 for estimate, _ in pairs),
        n_covered=sum(estimate.ci_low <= truth <= estimate.ci_high for estimate, truth in pairs),
        error=float(errors.sum()),
        squared_error=float(np.sum(errors**2)),
    )


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
    """Return the shares of trials that reject no effect, and that cover the truth, and the bias."""
    keys = [*Setting._fields, 'scale']
    sums = tallies.groupby(keys, sort=False)[list(Tally._fields[1:])].sum().reset_index()
    n = sums['n_trials'] - sums['n_refused']
    bias = sums['error'] / n
    return sums[keys].assign(
        n_trials=sums['n_trials'],
        n_refused=sums['n_refused'],
        penalised=sums['n_penalised'] / sums['n_trials'],
        rejected=sums['n_rejected'] / n,
        coverage=sums['n_covered'] / n,
        mean_bias=bias,
        mc_se_bias=np.sqrt((sums['squared_error'] / n - bias**2) / n),
    )


def make() -> pd.DataFrame:
    """Return the table."""
    return summarise(spread(simulate, range(N_TRIALS)))
