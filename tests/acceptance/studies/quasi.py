"""Simulate gene expression of trials large and small, and count the false discoveries of F, of z and of t."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from pipelines.errors import DataError
from pipelines.simulated.counts import SimulatedCounts, simulate_counts
from pipelines.stats.expression import DifferentialExpression, differential_expression
from tests.acceptance.studies import spread
from tests.acceptance.studies.expression import COVARIATES, LEVEL, tables

SEED = 20260131
N_TRIALS, N_NULL = 125, 25  # of each of four sizes
N_GENES, N_CHANGED, N_PATHWAYS = 1_000, 60, 1
TABLE = 'quasi_error.tsv'
TESTS = 'F', 'z', 't'
ARMS = 'exercise', 'waitlist'


class Setting(NamedTuple):
    """Pairs of samples in each arm, and whether exercise changes any gene."""

    n_pairs: int
    is_null: bool


SETTINGS = tuple(Setting(n, is_null) for n in (4, 6, 12, 28) for is_null in (False, True))


def draw(setting: Setting, rng: np.random.Generator) -> SimulatedCounts:
    """Return counts of a trial; without any effect the first pathway does not rise either."""
    n_people = 2 * setting.n_pairs
    return simulate_counts(
        rng, n_people=n_people, n_treated=setting.n_pairs, n_genes=N_GENES,
        n_changed=0 if setting.is_null else N_CHANGED, n_pathways=N_PATHWAYS,
        shifts=np.zeros((n_people, 2)) if setting.is_null else None,
    )  # fmt: skip


def p_values(found: DifferentialExpression) -> dict[str, pd.Series]:
    """Return p of the difference between arms by each test, genes (index)."""
    table = found.table[found.table['contrast'] == 'difference'].set_index('gene_id')
    n, k = found.design.shape
    wald = table['stat'].abs()
    return {
        'F': table['pvalue'],
        'z': pd.Series(2 * stats.norm.sf(wald), table.index),
        't': pd.Series(2 * stats.t.sf(wald, n - k), table.index),
    }


def trial(setting: Setting, number: int) -> list[dict[str, float]]:
    """Simulate a trial and count what each test calls; each has a seed of its own."""
    drawn = draw(setting, np.random.default_rng([SEED, *map(int, setting), number]))
    counts, samples = tables(drawn)
    try:
        found = differential_expression(counts, samples, arms=ARMS, covariates=COVARIATES)
    except (
        DataError
    ):  # few samples, whose batches chance put in line with the arms: left out, as the message says
        found = differential_expression(counts, samples, arms=ARMS, covariates=COVARIATES[1:])
    planted = pd.Series(drawn.effect != 0, counts.index)
    rows = []
    for test, p in p_values(found).items():
        known = p.dropna()
        called = known.index[stats.false_discovery_control(known) < LEVEL]
        n_false = int((~planted[called]).sum())
        rows.append({
            **setting._asdict(), 'test': test, 'false_discovery_proportion': n_false / max(len(called), 1),
            'sensitivity': planted[called].sum() / planted.sum() if planted.any() else np.nan,
            'any_false': float(n_false > 0), 'null_below_05': (known[~planted[known.index]] < 0.05).mean(),
        })  # fmt: skip
    return rows


def simulate(trials: range) -> pd.DataFrame:
    """Return what these trials found, a row for each test; trials without any effect are fewer."""
    rows = [
        row
        for setting in SETTINGS
        for number in trials
        if not setting.is_null or number % N_TRIALS < N_NULL
        for row in trial(setting, number)
    ]
    return pd.DataFrame(rows)


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Return means over the trials of a setting, and the standard error of the false discovery proportion's."""
    parts = rows.groupby([*Setting._fields, 'test'], sort=False)
    found = parts.mean()
    found.insert(0, 'n_trials', parts.size())
    found['se'] = parts['false_discovery_proportion'].sem()
    return found.reset_index()


def make() -> pd.DataFrame:
    """Return the table."""
    return summarise(spread(simulate, range(N_TRIALS)))
