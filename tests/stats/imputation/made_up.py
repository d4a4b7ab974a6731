"""Trials with visits that were missed."""

import numpy as np

from pipelines.stats.imputation.visits import Visits


def trial(rng, n=120, n_visits=3, effects=(-1.0,), leave=0.25, skip=0.0, k=0):
    """Return pain at visits; people leave for good with the chance ``leave``, and skip visits with ``skip``."""
    arm = rng.permutation(np.arange(n) % (1 + len(effects)))
    covariates = rng.standard_normal((n, k))
    effect = np.array([0, *effects])[arm]
    time = np.arange(n_visits) / (n_visits - 1)
    values = 6 + rng.standard_normal((n, 1)) + rng.standard_normal((n, n_visits)) + np.outer(effect, time)
    values += covariates.sum(axis=1, keepdims=True) * 0.5
    last = np.where(rng.random(n) < leave, rng.integers(0, n_visits - 1, n), n_visits - 1)
    values[np.arange(n_visits) > last[:, None]] = np.nan
    values[:, :-1][rng.random((n, n_visits - 1)) < skip] = np.nan
    for array in (arm, covariates, values):
        array.setflags(write=False)
    return Visits(outcome=values, arm=arm, primary=n_visits - 1, covariates=covariates)
