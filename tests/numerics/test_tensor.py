import numpy as np
import pytest
from dipy.core.gradients import gradient_table as dipy_gradients
from dipy.reconst.dti import TensorModel

from pipelines.numerics import tensor
from pipelines.numerics.gradients import Gradients
from pipelines.simulated.diffusion import add_rician, gradient_table

EVALS = np.array([1.6e-3, 0.5e-3, 0.3e-3])


def table_of(n_directions=30, shells=(1000.0,), n_b0=3):
    b, g = gradient_table(n_directions, shells, n_b0)
    return Gradients(b, g, g)


def frames(n, rng):
    """Return random rotations (n, 3, 3), columns are axes."""
    return np.linalg.qr(rng.standard_normal((n, 3, 3)))[0]


def signals_of(table, axes, evals=EVALS, s0=1000.0):
    shaped = np.einsum('nij,j,nkj->nik', axes, evals, axes)
    return s0 * np.exp(-table.bvals * np.einsum('ti,nij,tj->nt', table.bvecs, shaped, table.bvecs))


def test_eigenvalues_and_anisotropy_come_back_as_their_definitions_say(rng):
    table, axes = table_of(), frames(20, rng)
    signals = signals_of(table, axes)
    signals.setflags(write=False)
    found = tensor.fit_tensor(signals, table)
    mean = EVALS.mean()
    fa = np.sqrt(1.5 * np.sum((EVALS - mean) ** 2) / np.sum(EVALS**2))
    for name, wanted in zip(('fa', 'md', 'ad', 'rd'), (fa, mean, EVALS[0], EVALS[1:].mean())):
        np.testing.assert_allclose(getattr(found, name), wanted, rtol=1e-4)  # float32
    np.testing.assert_allclose(np.abs(np.sum(found.evec * axes[..., 0], axis=1)), 1, atol=1e-5)


def test_noisy_voxels_agree_with_dipy(rng):
    """DIPY weights once, by an unweighted fit; at SNR 25 the second time moves FA by less than 0.01."""
    table = table_of()
    signals = add_rician(signals_of(table, frames(200, rng)).astype(np.float32), 40, rng)
    found = tensor.fit_tensor(signals, table)
    gtab = dipy_gradients(table.bvals, bvecs=table.bvecs)
    theirs = TensorModel(gtab, fit_method='WLS').fit(signals)
    np.testing.assert_allclose(found.fa, theirs.fa, atol=0.01)
    np.testing.assert_allclose(found.md, theirs.md, rtol=0.01)


def test_weighted_least_squares_is_that_of_the_normal_equations(rng):
    """The same in a dozen lines: weights are the squared signal of the fit before, at first of an unweighted one."""
    table = table_of()
    signals = add_rician(signals_of(table, frames(5, rng)).astype(np.float32), 30, rng)
    x, y, z = table.bvecs.T
    b = table.bvals[:, None]
    design = np.hstack([-b * np.stack([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z], 1), b * 0 + 1])
    for row, md in zip(signals.astype(float), tensor.fit_tensor(signals, table).md):
        found = np.linalg.lstsq(design, np.log(row), rcond=None)[0]
        for _ in range(2):
            weight = np.exp(design @ found)[:, None]
            found = np.linalg.lstsq(design * weight, np.log(row) * weight[:, 0], rcond=None)[0]
        assert md == pytest.approx(found[:3].mean(), rel=1e-5)  # float32


def test_values_stay_in_their_limits_whatever_the_signal(rng):
    signals = rng.normal(0, 100, (50, 33)).astype(np.float32)
    found = tensor.fit_tensor(signals, table_of())
    assert np.isfinite(np.concatenate([v.ravel() for v in found])).all()
    assert found.fa.min() >= 0
    assert found.fa.max() <= 1
    assert 0 <= found.rd.min() <= found.ad.max() <= 4.001e-3
    assert tensor.fit_tensor(signals[:0], table_of()).evec.shape == (0, 3)
    assert np.isfinite(tensor.fit_tensor(np.zeros((1, 33), np.float32), table_of()).fa).all()


def test_high_shells_are_left_out_and_used_only_alone():
    two = table_of(30, (1000.0, 3000.0))
    np.testing.assert_array_equal(tensor.tensor_volumes(two), two.bvals < 1600)
    low = Gradients(np.where(two.bvals == 1000, 2000.0, two.bvals), two.bvecs, two.planned)
    np.testing.assert_array_equal(tensor.tensor_volumes(low), low.bvals < 2500)
    only = Gradients(np.full(6, 3000.0), np.eye(3)[[0, 1, 2] * 2], np.eye(3)[[0, 1, 2] * 2])
    assert tensor.tensor_volumes(only).all()
