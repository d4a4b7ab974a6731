import numpy as np
import pytest

from pipelines.simulated import diffusion, tract
from pipelines.simulated.series import Tissues

pytestmark = pytest.mark.slow

SHAPE, VOXEL = (24, 30, 12), 2.5
AFFINE = np.array([[VOXEL, 0, 0, -28.75], [0, VOXEL, 0, -15], [0, 0, VOXEL, -14], [0, 0, 0, 1]])
NOWHERE = np.zeros((0, 200, 3))


@pytest.fixture(scope='module')
def head():
    """White matter with a grey rim; NAc and mPFC are balls 34 mm apart on both sides."""
    position = np.moveaxis(np.indices(SHAPE), 0, -1) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    white = np.zeros(SHAPE, bool)
    white[1:-1, 1:-1, 1:-1] = True
    regions = np.stack([
        np.min([np.linalg.norm(position - [side * 9, y, z], axis=-1) for side in (-1, 1)], axis=0) < radius
        for y, z, radius in ((8, 0, 5), (42, -2, 7))
    ])  # fmt: skip
    for array in (white, regions):
        array.setflags(write=False)
    return Tissues(np.zeros(SHAPE, bool), ~white, white), regions


@pytest.fixture(scope='module')
def bundles(head):
    return tract.plant_tracts(*head[1], AFFINE, np.random.default_rng(2), n_curves=200)


@pytest.fixture(scope='module')
def fractions(head, bundles):
    return tract.fibre_fractions(bundles, *head, AFFINE, SHAPE, AFFINE)


def straight(x, axis, n_curves=300, radius=5.0):
    """A straight bundle along an axis through (x, 22, 0)."""
    curves = np.zeros((n_curves, 200, 3)) + [x, 22, 0]
    rng = np.random.default_rng(0)
    others = [a for a in range(3) if a != axis]
    curves[..., others] += rng.uniform(-radius, radius, (n_curves, 1, 2))
    curves[..., axis] += np.linspace(-30, 30, 200)
    return curves


def fa_of(fractions, bundles, fa=0.55):
    b, g = diffusion.gradient_table(30)
    signal = diffusion.simulate_signal(fractions, diffusion.population_fa(fa), b, g)
    visits = np.stack([tract.curve_visitation(c, SHAPE, AFFINE) for c in bundles[:2]])
    return diffusion.planted_fa(visits, fractions, signal, b, g), visits, signal


def test_curves_run_from_one_region_to_the_other_on_their_own_side(head, bundles):
    for side, curves in ((-1, bundles.left), (1, bundles.right)):
        assert np.all(side * curves[..., 0] > 0)
        for region, ends in zip(head[1], (curves[:, 0], curves[:, -1])):
            voxels = np.rint((ends - AFFINE[:3, 3]) / VOXEL).astype(int)
            assert region[tuple(voxels.T)].all()
            assert np.unique(voxels, axis=0).shape[0] > 20  # spread inside


def test_curves_are_smooth_and_gather_in_a_tube(bundles):
    for curves in bundles[:2]:
        steps = np.diff(curves, axis=1)
        length = np.linalg.norm(steps, axis=2)
        cosine = np.sum(steps[:, 1:] * steps[:, :-1], axis=2) / (length[:, 1:] * length[:, :-1])
        turn = np.degrees(np.arccos(np.clip(cosine, -1, 1))) * 0.5 / length[:, 1:]
        assert turn.max() < 15  # degrees per step of 0.5 mm; a tracker is allowed 30
        middle = curves[:, 80:110]
        aside = (middle - middle.mean(axis=0))[..., [0, 2]]  # the tract runs along y
        assert np.linalg.norm(aside, axis=2).max() < 5
        assert length.max() < 0.6  # closer than any voxel


def test_crossing_meets_the_tract_at_a_right_angle_in_its_middle_third(bundles):
    for curves, crossing in ((bundles.left, bundles.crossing_left), (bundles.right, bundles.crossing_right)):
        core, across = curves.mean(axis=0), crossing.mean(axis=0)
        nearest = np.argmin(np.linalg.norm(core[:, None] - across, axis=2).min(axis=1))
        assert 67 < nearest < 133
        along, way = core[nearest + 3] - core[nearest - 3], across[-1] - across[0]
        angle = np.degrees(np.arccos(abs(along @ way) / np.linalg.norm(along) / np.linalg.norm(way)))
        assert angle > 80


def test_a_region_on_one_side_only_is_refused(head, rng):
    nac, mpfc = (r.copy() for r in head[1])
    nac[:12] = False
    with pytest.raises(ValueError, match='no voxel on the left'):
        tract.plant_tracts(nac, mpfc, AFFINE, rng)


def test_fractions_fill_every_voxel_and_directions_are_unit(fractions):
    np.testing.assert_allclose(fractions.volume.sum(axis=1), 1, atol=1e-6)
    length = np.linalg.norm(fractions.direction, axis=2)
    held = fractions.volume[:, :5] > 0
    np.testing.assert_allclose(length[:, :5][held], 1, atol=1e-9)
    assert not length[:, 5:].any()
    assert fractions.mask.sum() == len(fractions.volume)


def test_edges_hold_a_part_and_the_share_is_the_volume_of_the_tube(head):
    curves = straight(-10, 1, n_curves=4000)
    held = tract.fibre_fractions(
        tract.Bundles(curves, NOWHERE, NOWHERE, NOWHERE), head[0], np.zeros((2, *SHAPE), bool), AFFINE,
        SHAPE, AFFINE, supersample=5,
    )  # fmt: skip
    share = held.volume[:, 0]
    assert np.sum((share > 0.05) & (share < 0.95)) > 20
    box = (10 + 2 * 0.6) ** 2 * (60 + 2 * 0.6) - 4 * (1 - np.pi / 4) * 0.6**2 * 60
    assert share.sum() * VOXEL**3 == pytest.approx(box, rel=0.03)  # points of 0.5 mm


def test_two_bundles_share_a_voxel_half_and_half(head):
    planted = tract.Bundles(straight(-10, 1), NOWHERE, straight(-10, 0), NOWHERE)
    held = tract.fibre_fractions(planted, head[0], np.zeros((2, *SHAPE), bool), AFFINE, SHAPE, AFFINE)
    both = (held.volume[:, 0] > 0) & (held.volume[:, 2] > 0) & (held.volume[:, 4] == 0)
    inner = both & (np.abs(held.volume[:, 0] - held.volume[:, 2]) < 0.01)
    assert inner.sum() >= 4
    np.testing.assert_allclose(held.volume[inner][:, [0, 2]], 0.5, atol=0.01)


def test_regions_are_grey_matter_of_which_fibres_fill_half(head, bundles, fractions):
    inside = fractions.region == 1
    assert inside.sum() > 50
    fibres = fractions.volume[inside][:, :4].sum(axis=1)
    assert 0.2 < fibres.mean() < 0.5 + 1e-6
    np.testing.assert_allclose(fibres + fractions.volume[inside][:, 5], 1, atol=1e-6)


def test_a_moved_head_holds_the_same_in_its_own_frame(head, bundles):
    turn = np.array([[0.0, -1, 0, 3], [1, 0, 0, -8], [0, 0, 1, 2], [0, 0, 0, 1]])
    still = tract.fibre_fractions(bundles, *head, AFFINE, SHAPE, AFFINE)
    moved = tract.fibre_fractions(bundles.move(turn), *head, turn @ AFFINE, SHAPE, turn @ AFFINE)
    # a point on the border of two labels falls to either side by rounding
    np.testing.assert_allclose(moved.volume, still.volume, atol=0.05)
    turned = still.direction[:, :4] @ turn[:3, :3].T
    np.testing.assert_allclose(moved.direction[:, :4], turned, atol=0.05)


@pytest.mark.parametrize('fa', [0.2, 0.55, 0.8])
def test_one_straight_tract_gives_its_fa_back(head, fa):
    wide = [straight(x, 1, n_curves=3000) for x in (-10, 10)]
    held = tract.fibre_fractions(
        tract.Bundles(*wide, NOWHERE, NOWHERE), head[0], np.zeros((2, *SHAPE), bool), AFFINE, SHAPE, AFFINE
    )
    # curves that keep to the voxels which the bundle fills
    inner = [straight(x, 1, radius=3)[:, 40:160] for x in (-10, 10)]
    found, _, _ = fa_of(held, inner, fa)
    assert found == pytest.approx((fa, fa, fa), abs=1e-3)


def test_a_crossing_at_a_right_angle_lowers_fa_as_its_closed_form_says():
    volume = np.zeros((1, 7))
    volume[0, [0, 2]] = 0.5
    direction = np.zeros((1, 7, 3))
    direction[0, 0], direction[0, 2] = [0, 1, 0], [1, 0, 0]
    held = tract.Fractions(np.ones((1, 1, 1), bool), volume, direction, np.zeros(1))
    # at a small b the two tensors average
    b, g = diffusion.gradient_table(64, (10.0,))
    found = diffusion.tensor_fa(
        diffusion.simulate_signal(held, diffusion.population_fa(0.55), b, g).astype(float), b, g
    )
    along, across = diffusion.cylinder(np.array(0.55), np.array(0.75e-3))
    evals = np.array([(along + across) / 2, (along + across) / 2, across])
    wanted = np.sqrt(1.5 * np.sum((evals - evals.mean()) ** 2) / np.sum(evals**2))
    assert found == pytest.approx(wanted, abs=2e-3)  # signal is float32, its change 1 %
    b, g = diffusion.gradient_table(64)
    assert diffusion.tensor_fa(diffusion.simulate_signal(held, np.full(7, 0.55), b, g), b, g) < 0.4


def test_planted_fa_is_the_weighted_mean_by_brute_force(bundles, fractions):
    found, visits, signal = fa_of(fractions, bundles)
    b, g = diffusion.gradient_table(30)
    row = {tuple(v): n for n, v in enumerate(np.argwhere(fractions.mask))}
    sums = np.zeros((2, 2))
    for side, curves in enumerate(bundles[:2]):
        for curve in curves:
            for voxel in {tuple(v) for v in np.rint((curve - AFFINE[:3, 3]) / VOXEL).astype(int)}:
                n = row[voxel]
                if fractions.region[n] < 0.5 and fractions.volume[n, :5].sum() >= 0.5:
                    sums[side] += [
                        diffusion.tensor_fa(signal[n : n + 1], b, g)[0] / len(curves),
                        1 / len(curves),
                    ]
    total = sums.sum(axis=0)
    assert found == pytest.approx((*(sums[:, 0] / sums[:, 1]), total[0] / total[1]), abs=1e-9)
    assert visits.max() <= 1


def test_planted_fa_grows_with_the_fa_of_the_fibres_and_is_lower_where_crossed(bundles, fractions, head):
    low, high = (fa_of(fractions, bundles, fa)[0].both for fa in (0.5, 0.55))
    assert 0.01 < high - low < 0.05
    alone = bundles._replace(crossing_left=NOWHERE, crossing_right=NOWHERE)
    free = fa_of(tract.fibre_fractions(alone, *head, AFFINE, SHAPE, AFFINE), alone)[0].both
    assert high < free - 0.02


def test_without_a_tract_there_is_no_fa(fractions, bundles):
    nothing = bundles._replace(left=bundles.left + 1000, right=bundles.right + 1000)
    assert np.isnan(fa_of(fractions, nothing)[0]).all()


def test_directions_are_even_and_b0_are_spread():
    b, g = diffusion.gradient_table(64, (700.0, 2000.0), n_b0=6)
    assert np.flatnonzero(b == 0)[0] == 0
    assert np.ptp(np.diff(np.flatnonzero(b == 0))) <= 1
    np.testing.assert_allclose(np.linalg.norm(g[b > 0], axis=1), 1)
    for shell in (700, 2000):
        cosine = np.abs(g[b == shell] @ g[b == shell].T) - np.eye(64)
        # 64 axes cover the half sphere when neighbours are about 15 degrees apart
        assert np.degrees(np.arccos(cosine.max(axis=1))).min() > 10
    with pytest.raises(ValueError, match='0 directions'):
        diffusion.gradient_table(0)


def test_noise_is_rician_and_as_strong_as_asked_for(fractions, rng):
    air = diffusion.add_rician(np.zeros((200, 200), np.float32), 2.0, rng)
    assert air.mean() == pytest.approx(2 * np.sqrt(np.pi / 2), rel=0.01)  # SE 0.3 %
    s0 = np.full(len(fractions.volume), 900.0)
    assert diffusion.noise_level(s0, fractions, 30) == pytest.approx(30)
    fluid = fractions._replace(volume=np.eye(7)[[6] * len(s0)])
    with pytest.raises(ValueError, match='no voxel'):
        diffusion.noise_level(s0, fluid, 30)


def test_impossible_fa_is_refused():
    with pytest.raises(ValueError, match='between 0 and 1'):
        diffusion.cylinder(np.array([1.2]), np.array([1e-3]))


def test_same_seed_same_curves(head, bundles):
    again = tract.plant_tracts(*head[1], AFFINE, np.random.default_rng(2), n_curves=200)
    for first, second in zip(bundles, again):
        np.testing.assert_array_equal(first, second)
