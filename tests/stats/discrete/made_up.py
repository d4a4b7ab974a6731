"""Trials with known truth."""

import numpy as np
from scipy import special

from pipelines.stats.discrete.people import Groups


def frozen(*arrays):
    for array in arrays:
        array.setflags(write=False)
    return arrays


def binary_trial(rng, n=200, n_arms=2, k=2, effects=(0.8, -0.4), level=-0.5):
    """Return groups and their design: intercept, arms, covariates."""
    arm = rng.permutation(np.arange(n) % n_arms)
    covariates = 3 + 2 * rng.standard_normal((n, k))
    shift = np.array([0, *effects])[arm]
    chance = special.expit(level + shift + (covariates - 3) @ np.full(k, 0.4))
    outcome = (rng.random(n) < chance).astype(float)
    frozen(arm, covariates, outcome)
    design = np.column_stack([np.ones(n), *(arm == code for code in range(1, n_arms)), covariates])
    return Groups(outcome=outcome, arm=arm, covariates=covariates), design


def level_trial(rng, n=300, cuts=(1.0, 0.0, -1.5), effects=(0.7,), k=1, slope=0.8):
    """Return groups with levels 0 to 3 by proportional odds."""
    arm = rng.permutation(np.arange(n) % (1 + len(effects)))
    covariates = rng.standard_normal((n, k))
    line = np.array([0, *effects])[arm] + slope * covariates.sum(axis=1)
    latent = rng.logistic(size=n) + line
    outcome = np.sum(latent[:, None] > -np.array(cuts), axis=1).astype(float)
    frozen(arm, covariates, outcome)
    return Groups(outcome=outcome, arm=arm, covariates=covariates)


def table_of(counts):
    """Return groups of a table (arms, levels) of counts."""
    counts = np.asarray(counts)
    arm, outcome = (np.repeat(grid.ravel(), counts.ravel()) for grid in np.indices(counts.shape))
    return Groups(outcome=outcome.astype(float), arm=arm)
