"""Simulated people for the tests of repeated measures."""

import numpy as np


def visits(rng, n=24, n_visits=3, n_arms=2, missing=0.15):
    """Return outcome (n, J), arm (n,) and covariates (n, 2); arms differ in spread and correlation."""
    arm = rng.permutation(np.arange(n) % n_arms)
    table = rng.standard_normal((n, 2)) * [1, 5] + [0, 40]
    level = rng.standard_normal(n)
    noise = rng.standard_normal((n, n_visits))
    y = 5 + level[:, None] * (1 + 0.3 * np.arange(n_visits)) + (0.6 + 0.3 * arm[:, None]) * noise
    y += 0.05 * table[:, 1:] * np.arange(n_visits)
    y[rng.random(y.shape) < missing] = np.nan
    for array in (y, arm, table):
        array.setflags(write=False)
    return y, arm, table


def cell_means(arm, n_visits):
    """Return a design with a mean per arm and visit."""
    n_arms = arm.max() + 1
    design = np.zeros((len(arm), n_visits, n_arms * n_visits))
    for j in range(n_visits):
        design[np.arange(len(arm)), j, arm * n_visits + j] = 1
    return design


def unstructured(n_visits):
    """Return a function from elements of all groups to covariances (G, J, J)."""
    rows, columns = np.tril_indices(n_visits)

    def sigmas_of(parameters):
        elements = parameters.reshape(-1, len(rows))
        found = np.zeros((len(elements), n_visits, n_visits), parameters.dtype)
        found[:, rows, columns] = found[:, columns, rows] = elements
        return found

    return sigmas_of


def heterogeneous(n_visits, correlate):
    """Return a function from variances and correlations of all groups to covariances (G, J, J)."""

    def sigmas_of(parameters):
        n_correlations = 1 if correlate is not toeplitz else n_visits - 1
        own = parameters.reshape(-1, n_visits + n_correlations)
        found = np.zeros((len(own), n_visits, n_visits), parameters.dtype)
        for g, numbers in enumerate(own):
            for a in range(n_visits):
                for b in range(n_visits):
                    r = correlate(numbers[n_visits:], abs(a - b)) if a != b else 1
                    found[g, a, b] = r * np.sqrt(numbers[a] * numbers[b])
        return found

    return sigmas_of


def toeplitz(r, distance):
    return r[distance - 1]


def autoregressive(r, distance):
    return r[0] ** distance


def compound_symmetry(r, distance):
    return r[0]
