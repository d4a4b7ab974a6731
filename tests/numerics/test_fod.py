import numpy as np
import pytest
from scipy import integrate
from scipy.special import eval_legendre

from pipelines.numerics import fod
from pipelines.numerics.gradients import Gradients
from pipelines.numerics.tensor import Tensor
from pipelines.simulated.diffusion import add_rician, cylinder, gradient_table

ALONG, ACROSS = (float(v) for v in cylinder(np.array(0.75), np.array(0.75e-3)))
S0, FLUID, GREY = 1000.0, 3e-3, 0.8e-3


def table_of(n_directions=64, shells=(1000.0,), n_b0=4):
    b, g = gradient_table(n_directions, shells, n_b0)
    return Gradients(b, g, g)


def fibre(table, directions):
    """Return the signal (N, T) of prolate tensors along unit vectors (N, 3)."""
    cosine = np.asarray(directions) @ table.bvecs.T
    return S0 * np.exp(-table.bvals * (ACROSS + (ALONG - ACROSS) * cosine**2))


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def zonal(b, order):
    """Return the coefficients of Y_l0 of a prolate tensor along z, by quadrature."""

    def part(degree):
        weight = np.sqrt((2 * degree + 1) / (4 * np.pi))
        found = integrate.quad(
            lambda t: np.exp(-b * (ACROSS + (ALONG - ACROSS) * t * t)) * eval_legendre(degree, t), -1, 1
        )
        return 2 * np.pi * S0 * weight * found[0]

    return np.array([part(degree) for degree in range(0, order + 1, 2)])


def response_of(table, order=8):
    directions = unit(np.random.default_rng(0).standard_normal((100, 3)))
    return fod.estimate_response(
        fibre(table, directions), table, directions, {'white': np.arange(100)}, order
    )


@pytest.fixture(scope='module')
def dense():
    """724 directions over the sphere."""
    from dipy.data import get_sphere

    return get_sphere(name='repulsion724').vertices


def degrees(a, b):
    return np.degrees(np.arccos(np.clip(np.abs(np.sum(a * b, axis=-1)), 0, 1)))


def peaks(amplitudes, directions, reach=20):
    """Return local maxima above 0.3 of the largest: all directions within ``reach`` degrees are lower."""
    near = np.abs(directions @ directions.T) > np.cos(np.radians(reach))
    highest = np.where(near, amplitudes, -np.inf).max(axis=1)
    # opposite directions differ by rounding
    found = directions[
        (amplitudes > highest - 1e-6 * amplitudes.max()) & (amplitudes > 0.3 * amplitudes.max())
    ]
    return found[found[:, 2] + 1e-3 * found[:, 0] + 1e-6 * found[:, 1] > 0]


def test_response_is_the_legendre_series_of_a_prolate_tensor():
    found = response_of(table_of())
    wanted = zonal(1000, 8)
    np.testing.assert_allclose(found.white[0], wanted, atol=1e-4 * wanted[0])  # orders above 8 alias
    assert found.shells.tolist() == [1000]
    assert found.isotropic.shape == (0, 1)


def test_response_of_shells_has_b0_and_the_other_tissues():
    table = table_of(40, (1000.0, 2500.0))
    directions = unit(np.random.default_rng(1).standard_normal((60, 3)))
    grey, fluid = (np.tile(S0 * np.exp(-table.bvals * d), (20, 1)) for d in (GREY, FLUID))
    signals = np.vstack([fibre(table, directions), grey, fluid])
    voxels = {'white': np.arange(60), 'grey': np.arange(60, 80), 'fluid': np.arange(80, 100)}
    found = fod.estimate_response(signals, table, np.vstack([directions, directions[:40]]), voxels, 6)
    assert found.shells.tolist() == [0, 1000, 2500]
    np.testing.assert_allclose(found.white[0], [S0 * np.sqrt(4 * np.pi), 0, 0, 0], rtol=1e-9)
    for row, b in zip(found.white[1:], (1000, 2500)):
        np.testing.assert_allclose(row, zonal(b, 6), atol=2e-3 * S0)
    wanted = [[S0 * np.exp(-b * d) for b in (0, 1000, 2500)] for d in (GREY, FLUID)]
    np.testing.assert_allclose(found.isotropic, wanted, rtol=1e-9)


def test_a_tissue_without_voxels_is_named():
    with pytest.raises(ValueError, match='no voxel shows white matter alone'):
        fod.estimate_response(np.ones((1, 68)), table_of(), np.eye(3)[:1], {'white': np.array([], int)}, 8)


def test_voxels_of_the_response_show_one_tissue():
    fa = np.concatenate([np.linspace(0.2, 0.97, 500), np.full(10, 0.05), np.full(10, 0.05)])
    md = np.concatenate([np.full(500, 0.7e-3), np.full(10, 0.9e-3), np.full(10, 3e-3)])
    tensor = Tensor(fa, md, md, md, np.zeros((520, 3)))
    inner = np.ones(520, bool)
    inner[400] = False
    found = fod.response_voxels(tensor, inner)
    assert len(found['white']) == 300
    assert fa[found['white']].max() < 0.95
    assert 400 not in found['white']
    assert found['grey'].tolist() == [*range(500, 510)]
    assert found['fluid'].tolist() == [*range(510, 520)]
    white = np.arange(520) < 100
    assert found['white'].min() > 100
    assert fod.response_voxels(tensor, inner, white)['white'].tolist() == [*range(100)]


def test_one_fibre_is_found_and_weighs_one(dense, rng):
    """The mean over the sphere of the distribution of the response itself is that of a unit mass."""
    table = table_of()
    directions = unit(rng.standard_normal((10, 3)))
    found = fod.fit_fod(fibre(table, directions), table, response_of(table))
    highest = dense[fod.fod_amplitudes(found, dense).argmax(axis=1)]
    assert degrees(highest, directions).max() < 5  # 724 directions lie 4 degrees from their midpoints
    np.testing.assert_allclose(found[:, 0], 1 / np.sqrt(4 * np.pi), rtol=0.02)


@pytest.mark.parametrize(('n_directions', 'order', 'limit'), [(64, 8, 5), (32, 6, 8)])
def test_a_right_angle_shows_two_peaks(dense, n_directions, order, limit, rng):
    table = table_of(n_directions)
    frame = np.linalg.qr(rng.standard_normal((5, 3, 3)))[0]
    pair = (fibre(table, frame[:, 0]) + fibre(table, frame[:, 1])) / 2
    pair.setflags(write=False)
    found = fod.fod_amplitudes(fod.fit_fod(pair, table, response_of(table, order)), dense)
    for amplitudes, axes in zip(found, frame):
        seen = peaks(amplitudes, dense)
        assert len(seen) == 2
        assert max(degrees(seen, axis).min() for axis in axes[:2]) < limit
        assert amplitudes.min() > -0.01 * amplitudes.max()


def test_few_directions_and_noise_do_not_diverge(rng):
    """Order 6 from 32 directions is nearly singular; the bounds hold it (DIPY's CSD failed here)."""
    table = table_of(32, n_b0=1)
    directions = unit(rng.standard_normal((200, 3)))
    grey = np.tile(S0 * np.exp(-table.bvals * GREY), (200, 1))
    signals = np.vstack([fibre(table, directions), grey, (fibre(table, directions) + grey) / 2])
    found = fod.fit_fod(add_rician(signals.astype(np.float32), 40, rng), table, response_of(table, 6))
    # the mass is that of the mean signal, which noise of 4 % over 32 volumes hardly moves
    share = np.exp(-1000 * GREY) * S0 * np.sqrt(4 * np.pi) / zonal(1000, 0)[0] / np.sqrt(4 * np.pi)
    for rows, wanted in ((slice(0, 200), 1 / np.sqrt(4 * np.pi)), (slice(200, 400), share)):
        np.testing.assert_allclose(found[rows, 0].mean(), wanted, rtol=0.05)
        assert np.abs(found[rows]).max() < 1


def test_three_tissues_are_told_apart(dense, rng):
    """Fibres spread like (u.d)^6, which order 6 holds exactly: no truncation passes for grey matter."""
    table, shells = table_of(45, (1000.0, 2500.0)), np.array([0.0, 1000, 2500])
    directions = unit(rng.standard_normal((6, 3)))
    spread = (directions @ dense.T) ** 6
    white = (spread / spread.sum(axis=1, keepdims=True)) @ fibre(table, dense)
    response = fod.Response(
        shells,
        np.vstack([[S0 * np.sqrt(4 * np.pi), 0, 0, 0], zonal(1000, 6), zonal(2500, 6)]),
        S0 * np.exp(-np.array([[GREY], [FLUID]]) * shells),
    )
    share = np.array([1.0, 0.7, 0.5, 0.3, 0.5, 0])[:, None]
    rest = np.where(np.arange(6) % 2, GREY, FLUID)[:, None]
    signals = share * white + (1 - share) * S0 * np.exp(-table.bvals * rest)
    found = fod.fit_fod(signals, table, response)
    # the mass of fibres is their share of the voxel
    np.testing.assert_allclose(found[:, 0] * np.sqrt(4 * np.pi), share[:, 0], atol=0.02)
    amplitudes = fod.fod_amplitudes(found[:4], dense)
    assert degrees(dense[amplitudes.argmax(axis=1)], directions[:4]).max() < 5
    assert amplitudes.min() > -0.02 * amplitudes.max()


def test_lost_signal_has_no_fibres():
    table = table_of()
    found = fod.fit_fod(np.vstack([np.zeros(68), np.full(68, -5.0)]), table, response_of(table))
    assert not found.any()


def test_weak_weighting_is_refused_and_left_out():
    with pytest.raises(ValueError, match=r'the largest b-value is 300 s/mm.2: fibre orientations need 500'):
        fod.count_angles(table_of(20, (300.0,)))
    both = table_of(20, (300.0, 1000.0))
    assert [b for b, _ in fod.angular_shells(both)] == [1000]
    assert fod.count_angles(both) == 20


def test_amplitudes_follow_the_basis_of_dipy(dense, rng):
    from dipy.core.sphere import Sphere
    from dipy.reconst.shm import sh_to_sf

    found = rng.standard_normal((4, 28))
    wanted = sh_to_sf(found, Sphere(xyz=dense), sh_order_max=6, basis_type='descoteaux07', legacy=True)
    np.testing.assert_allclose(fod.fod_amplitudes(found, dense), wanted, atol=1e-10)
