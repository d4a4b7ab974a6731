import numpy as np
import pytest

from pipelines.numerics import course_prior as prior
from pipelines.numerics.gradients import Gradients
from pipelines.simulated.diffusion import gradient_table

BVALS, BVECS = gradient_table(16, (1000.0, 2000.0), n_b0=2)
TABLE = Gradients(BVALS, BVECS, BVECS)
STRENGTH = prior.eddy_strength(TABLE)
T, P = len(BVALS), 17
SHELLS = [np.flatnonzero(b == BVALS) for b in (1000, 2000)]


def empty():
    return np.zeros((T, P, T, P)), np.zeros((T, P))


def test_strength_is_that_of_the_gradient():
    np.testing.assert_allclose(np.linalg.norm(STRENGTH, axis=1), np.sqrt(BVALS / 2000), atol=1e-12)


@pytest.mark.parametrize('irregular', [0.0, 0.5])
def test_linear_eddy_currents_cost_nothing(rng, irregular):
    coefficients = STRENGTH @ rng.normal(size=(3, 10))
    coefficients += irregular * rng.normal(size=coefficients.shape) * np.any(STRENGTH, axis=1)[:, None]
    matrix, vector = empty()
    prior.add_eddy_prior(matrix, vector, coefficients, STRENGTH, np.full(10, 0.5), SHELLS)
    places = slice(prior.N_RIGID, prior.N_RIGID + 10)
    np.testing.assert_allclose(matrix.reshape(T * P, -1), matrix.reshape(T * P, -1).T)
    cost = np.einsum('ti,tiuj,uj->', coefficients, matrix[:, places][..., places], coefficients)
    assert (cost < 1e-9) == (irregular == 0)
    # the vector leads back to where nothing is irregular
    assert np.abs(vector).max() < 1e-6 if irregular == 0 else np.sum(vector[:, places] * coefficients) < 0
    assert not vector[TABLE.is_b0].any()


def test_what_a_shell_shares_is_linear(rng):
    """The same irregular displacement of all volumes costs far more than one of changing sign."""
    rows = SHELLS[0]
    cost = []
    for pattern in (np.ones(len(rows)), rng.choice([-1.0, 1.0], len(rows))):
        coefficients = np.zeros((T, 10))
        coefficients[rows, 0] = pattern
        matrix, vector = empty()
        prior.add_eddy_prior(matrix, vector, coefficients, STRENGTH, np.full(10, 0.5), SHELLS)
        cost.append(-np.sum(vector[:, prior.N_RIGID] * coefficients[:, 0]))
    assert cost[0] > 20 * cost[1]


def test_width_follows_what_is_linear(rng):
    linear = STRENGTH @ rng.normal(size=(3, 10)) * 2
    width = prior.tau_of(linear, STRENGTH)
    spread = np.sqrt(np.mean(linear[~TABLE.is_b0] ** 2, axis=0))
    np.testing.assert_allclose(width, np.clip(spread / 4, 0.05, 1.0))
    assert prior.tau_of(None, STRENGTH).shape == (10,)


def test_a_step_of_the_head_is_drawn_to_its_neighbours():
    parameters = np.zeros((T, 6))
    parameters[5, 0] = 1.0
    matrix, vector = empty()
    prior.add_motion_prior(matrix, vector, parameters, np.zeros(T))
    assert vector[5, 0] < 0 < vector[4, 0] == pytest.approx(vector[6, 0])
    assert not vector[:, 1:].any()


def test_a_large_jump_is_allowed():
    """The pull back grows with a small step and falls with a large one."""
    pulls = []
    for size in (0.1, 0.5, 5.0):
        parameters = np.zeros((T, 6))
        parameters[5:, 0] = size
        matrix, vector = empty()
        prior.add_motion_prior(matrix, vector, parameters, np.zeros(T))
        pulls.append(-vector[5, 0])
    assert pulls[1] > pulls[0]
    assert pulls[1] > pulls[2]


def test_brightness_is_drawn_to_one():
    matrix, vector = empty()
    prior.add_motion_prior(matrix, vector, np.zeros((T, 6)), np.full(T, 0.1))
    np.testing.assert_allclose(vector[:, -1] / matrix[0, -1, 0, -1], -0.1)


def test_a_mean_that_is_held_does_not_move():
    matrix, _ = empty()
    index = np.arange(T)
    for place in range(P):
        matrix[index, place, index, place] = 2.0
    prior.hold_mean(matrix, SHELLS[0], [0])
    asked = np.zeros((T, P))
    asked[SHELLS[0]] = 1.0
    step = np.linalg.solve(matrix.reshape(T * P, -1), asked.ravel()).reshape(T, P)
    n = len(SHELLS[0])
    np.testing.assert_allclose(step[SHELLS[0], 0], 0.5 / (1 + n), rtol=1e-9)
    np.testing.assert_allclose(step[SHELLS[0], 1], 0.5)


def test_a_volume_that_is_alone_is_held_as_the_others_are():
    matrix, _ = empty()
    index = np.arange(1, T)
    matrix[index, 0, index, 0] = 4.0
    prior.hold_mean(matrix, np.array([0]), [0])
    assert matrix[0, 0, 0, 0] == pytest.approx(4.0 * (T - 1) / T)
