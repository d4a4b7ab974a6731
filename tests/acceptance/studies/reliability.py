"""Simulate cohorts whose reliability is known, and record whether its intervals hold it."""

import numpy as np
import pandas as pd

from pipelines.stats.reliability import agreement, of_mean, spearman_brown

SEED = 20270211
N_COHORTS = 2000
N_PEOPLE = (20, 57)
TRUTHS = (0.3, 0.6, 0.9)
TABLE = 'reliability.tsv'


def make() -> pd.DataFrame:
    """Return the table."""
    return simulate()


def simulate(n_cohorts: int = N_COHORTS, seed: int = SEED) -> pd.DataFrame:
    """Return coverage of the 95 % intervals, a row per number of people, truth and kind of interval.

    Every person has a true value of variance ICC and two measurements with errors of variance 1 - ICC; the bias is that
    of the median estimate.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for n in N_PEOPLE:
        for truth in TRUTHS:
            people = rng.normal(0, np.sqrt(truth), (n_cohorts, n, 1))
            values = people + rng.normal(0, np.sqrt(1 - truth), (n_cohorts, n, 2))
            found = [agreement(cohort) for cohort in values]
            whole = spearman_brown(truth, 2)
            for what, known, intervals in (
                ('consistency', truth, [one.consistency for one in found]),
                ('absolute', truth, [one.absolute for one in found]),
                ('split half', whole, [of_mean(one.consistency, 2) for one in found]),
            ):
                estimate, low, high = np.array(intervals).T
                rows.append({
                    'n': n, 'icc': truth, 'what': what, 'n_cohorts': n_cohorts,
                    'coverage': float(((low <= known) & (known <= high)).mean()),
                    'median_error': float(np.median(estimate) - known),
                })  # fmt: skip
    return pd.DataFrame(rows)
