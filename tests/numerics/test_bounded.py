import numpy as np
from scipy import optimize

from pipelines.numerics.bounded import solve_bounded


def cost(design, x, y):
    return np.sum((x @ design.T - y) ** 2, axis=-1)


def test_bounds_on_each_number_are_those_of_nnls(rng):
    design, observed = rng.standard_normal((30, 8)), rng.standard_normal((40, 30))
    for array in (design, observed):
        array.setflags(write=False)
    found = solve_bounded(design, observed, np.eye(8))
    wanted = np.array([optimize.nnls(design, y)[0] for y in observed])
    # bounds and steps are held to 0.1 % of the largest value
    np.testing.assert_allclose(found, wanted, atol=3e-3 * np.abs(wanted).max())
    assert (wanted == 0).any()


def test_general_bounds_are_those_of_sequential_quadratic_programming(rng):
    design, observed = rng.standard_normal((20, 5)), rng.standard_normal((15, 20))
    bounds = rng.standard_normal((12, 5)) + [1, 0, 0, 0, 0]
    found = solve_bounded(design, observed, bounds)
    for x, y in zip(found, observed):
        best = optimize.minimize(
            lambda c, y=y: cost(design, c, y), np.zeros(5), method='SLSQP', options={'ftol': 1e-14},
            constraints={'type': 'ineq', 'fun': lambda c: bounds @ c},
        )  # fmt: skip
        # numbers of about 0.3; the solver stops when steps are 0.1 % of the largest bound
        np.testing.assert_allclose(x, best.x, atol=0.02)
        assert abs(cost(design, x, y) / best.fun - 1) < 3e-3


def test_free_problems_are_plain_least_squares(rng):
    design, truth = rng.standard_normal((30, 4)), rng.uniform(1, 2, (6, 4))
    found = solve_bounded(design, truth @ design.T, np.eye(4))
    np.testing.assert_allclose(found, truth, rtol=5e-3)


def test_a_problem_does_not_depend_on_those_beside_it(rng):
    """Small and large ones end on their own account."""
    design, observed = rng.standard_normal((20, 6)), rng.standard_normal((30, 20))
    scale = 10.0 ** rng.uniform(-4, 4, (30, 1))
    together = solve_bounded(design, observed * scale, np.eye(6)) / scale
    alone = np.concatenate([solve_bounded(design, y[None], np.eye(6)) for y in observed])
    np.testing.assert_allclose(together, alone, atol=3e-3 * np.abs(alone).max())


def test_nothing_observed_gives_nothing():
    assert not solve_bounded(np.eye(3), np.zeros((2, 3)), np.eye(3)).any()
    assert solve_bounded(np.eye(3), np.zeros((0, 3)), np.eye(3)).shape == (0, 3)
