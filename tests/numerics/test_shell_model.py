import numpy as np
import pytest
from scipy.special import eval_legendre

from pipelines.numerics.shell_model import fit_precision, leave_one_out
from pipelines.simulated.diffusion import gradient_table

_, BVECS = gradient_table(32)
BVECS = BVECS[np.any(BVECS, axis=1)]
N = len(BVECS)


def covariance(shared=4.0, second=0.5, fourth=0.05, noise=0.02):
    cosine = np.clip(BVECS @ BVECS.T, -1, 1)
    return shared + second * eval_legendre(2, cosine) + fourth * eval_legendre(4, cosine) + noise * np.eye(N)


def differences(n):
    """Return an orthonormal basis (n, n - 1) of what is not common."""
    return np.linalg.svd(np.ones((1, n)))[2][1:].T


def test_precision_inverts_the_covariance_that_made_the_signals():
    truth = covariance()
    found = fit_precision(truth, BVECS, is_expected=True)
    np.testing.assert_allclose(found.both @ truth, np.eye(N), atol=0.05)


def test_without_an_expectation_what_all_share_is_free():
    truth = covariance(shared=100.0)
    found = fit_precision(truth, BVECS, is_expected=False)
    np.testing.assert_allclose(found.within.sum(axis=0), 0, atol=1e-6)
    assert not found.shared.any()
    basis = differences(N)
    np.testing.assert_allclose(
        basis.T @ found.within @ basis @ (basis.T @ truth @ basis), np.eye(N - 1), atol=0.05
    )


def test_the_two_parts_are_blind_to_each_other():
    found = fit_precision(covariance(), BVECS, is_expected=True)
    np.testing.assert_allclose(found.within.sum(axis=0), 0, atol=1e-6)
    assert np.linalg.matrix_rank(found.shared, tol=1e-6 * found.shared.max()) == 1


def test_opposite_directions_are_one():
    flipped = BVECS * np.where(np.arange(N) % 2, -1, 1)[:, None]
    pair = [fit_precision(covariance(), g, is_expected=False).within for g in (BVECS, flipped)]
    # a flat minimum: two descents end this close to each other
    np.testing.assert_allclose(pair[0], pair[1], atol=2e-3 * np.abs(pair[0]).max())


def test_scale_of_the_signal_scales_the_precision():
    once, thrice = (fit_precision(f * covariance(), BVECS, is_expected=True).both for f in (1, 9))
    np.testing.assert_allclose(thrice * 9, once, atol=1e-2 * np.abs(once).max())


@pytest.mark.parametrize('n', [2, 5, 8])
def test_few_volumes_have_a_simpler_model(n, rng):
    values = rng.normal(size=(4000, n)) + 10
    found = fit_precision(values.T @ values / 4000, BVECS[:n], is_expected=False)
    basis = differences(n)
    np.testing.assert_allclose(basis.T @ found.within @ basis, np.eye(n - 1), atol=0.15)


def test_a_volume_that_is_alone_says_nothing():
    found = fit_precision(np.array([[3.0]]), BVECS[:1], is_expected=False)
    assert not found.both.any()
    assert not leave_one_out(np.ones((4, 1)), found.within).any()
    assert fit_precision(np.array([[3.0]]), BVECS[:1], is_expected=True).shared > 0
    assert not fit_precision(np.zeros((3, 3)), BVECS[:3], is_expected=False).both.any()


def test_leaving_out_is_regression_on_the_others(rng):
    """The conditional mean of a Gaussian, found from the covariance itself."""
    truth = covariance()
    values = rng.multivariate_normal(np.zeros(N), truth, size=20)
    precision = np.linalg.inv(truth)
    others = np.arange(N) != 7
    conditional = values[:, others] @ np.linalg.solve(truth[np.ix_(others, others)], truth[others, 7])
    np.testing.assert_allclose(leave_one_out(values, precision)[:, 7], values[:, 7] - conditional, atol=1e-8)
