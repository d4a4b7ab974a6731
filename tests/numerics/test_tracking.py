import numpy as np
import pytest

from pipelines.numerics.fod import fod_amplitudes
from pipelines.numerics.tracking import Domain, Tracked, draw_directions, join, track

SHAPE, AFFINE = (7, 24, 7), np.array([[2.0, 0, 0, -6], [0, 2.0, 0, -4], [0, 0, 2.0, -6], [0, 0, 0, 1]])


def lobe(direction):
    """Return coefficients of order 8 of a distribution along a direction, (u.d)^8."""
    from dipy.core.sphere import Sphere
    from dipy.data import get_sphere
    from dipy.reconst.shm import sf_to_sh

    vertices = get_sphere(name='repulsion724').vertices
    return sf_to_sh(
        (vertices @ direction) ** 8,
        Sphere(xyz=vertices),
        sh_order_max=8,
        basis_type='descoteaux07',
        legacy=True,
    )


@pytest.fixture(scope='module')
def field():
    """Fibres along y, two slabs to join, grey matter before and behind, a barred wall at the side."""
    fod = np.tile(lobe(np.array([0, 1.0, 0])), (*SHAPE, 1))
    start, goal = np.zeros((2, *SHAPE), bool)
    start[2:5, 3:5, 2:5] = goal[2:5, 18:21, 2:5] = True
    ends, barred = np.zeros((2, *SHAPE))
    ends[:, :2] = ends[:, 22:] = 1
    barred[0] = 1
    for array in (fod, start, goal, ends, barred):
        array.setflags(write=False)
    return fod, Domain(start, goal, ends, barred)


def run(field, seed=4, **options):
    known = {'n_streamlines': 40, 'max_seeds': 1000, 'rng': np.random.default_rng(seed)}
    return track(field[0], AFFINE, field[1], **(known | options))


@pytest.fixture(scope='module')
def tracked(field):
    return run(field)


def voxels_of(line):
    return tuple(np.rint((line - AFFINE[:3, 3]) / 2).astype(int).T)


def same(first: Tracked, second: Tracked):
    assert first.n_seeds == second.n_seeds
    assert len(first.streamlines) == len(second.streamlines)
    for a, b in zip(first.streamlines, second.streamlines):
        np.testing.assert_array_equal(a, b)


def test_streamlines_join_the_regions_and_end_at_their_borders(field, tracked):
    domain = field[1]
    assert len(tracked.streamlines) == 40
    for line in tracked.streamlines:
        at = voxels_of(line)
        assert domain.start[at][0]
        assert domain.goal[at][-1]
        assert not (domain.start | domain.goal)[at][1:-1].any()


def test_no_streamline_enters_what_is_barred_or_ends_between(field, tracked):
    for line in tracked.streamlines:
        at = voxels_of(line)
        # linear interpolation of 0 and 1 passes 0.5 halfway between voxels, where rounding changes
        assert (field[1].barred[at] <= 0.5).all()
        assert (field[1].ends[at] <= 0.5).all()


def test_a_wall_between_the_regions_lets_nothing_through(field):
    fod, domain = field
    for name in ('ends', 'barred'):
        wall = np.array(getattr(domain, name))
        wall[:, 10:12] = 1
        found = run((fod, domain._replace(**{name: wall})), max_seeds=500)
        assert found.streamlines == []
        assert found.n_seeds == 500


def test_steps_turn_no_more_than_allowed(tracked, field):
    for limit, found in ((30, tracked), (12, run(field, max_angle=12.0))):
        assert found.streamlines
        for line in found.streamlines:
            steps = np.diff(line, axis=0)
            length = np.linalg.norm(steps, axis=1)
            np.testing.assert_allclose(length, 0.5, atol=1e-3)
            cosine = np.sum(steps[1:] * steps[:-1], axis=1) / (length[1:] * length[:-1])
            assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < limit + 0.1


def test_long_streamlines_are_left_out(field):
    """The regions are 26 mm apart: what is longer from grey matter to grey matter cannot count."""
    short = run(field, max_length=24.0, max_seeds=500)
    assert short.streamlines == []
    for line in run(field, max_length=60.0).streamlines:
        assert np.linalg.norm(np.diff(line, axis=0), axis=1).sum() <= 60


def test_same_seed_same_streamlines_with_one_thread_or_two(field, tracked):
    same(tracked, run(field))
    same(tracked, run(field, n_threads=2))
    other = run(field, seed=5)
    assert not np.array_equal(tracked.streamlines[0], other.streamlines[0])


def test_the_first_in_the_order_of_seeds_are_kept(field, tracked):
    """A smaller number is the beginning of a larger one, and costs no more seeds."""
    few = run(field, n_streamlines=10)
    for a, b in zip(few.streamlines, tracked.streamlines[:10], strict=True):
        np.testing.assert_array_equal(a, b)
    assert few.n_seeds < tracked.n_seeds
    again = run(field, n_streamlines=10**6, max_seeds=few.n_seeds)
    # the budget changes how many seeds are drawn at once, not how many are spent
    assert again.n_seeds == few.n_seeds


def test_what_cannot_be_tracked_is_refused(field):
    fod, domain = field
    with pytest.raises(ValueError, match='no voxel on the grid'):
        run((fod, domain._replace(goal=np.zeros(SHAPE, bool))))
    with pytest.raises(ValueError, match='grid along RAS'):
        track(
            fod,
            AFFINE * [[-1], [1], [1], [1]],
            domain,
            n_streamlines=1,
            max_seeds=1,
            rng=np.random.default_rng(1),
        )


def test_no_fibres_no_streamlines(field):
    found = run((np.zeros_like(field[0]), field[1]), max_seeds=200)
    assert found == ([], 200)


def test_directions_are_drawn_as_often_as_their_amplitude_says(rng):
    mixed = 3 * lobe(np.array([1.0, 0, 0])) + lobe(np.array([0, 0, 1.0]))
    drawn = draw_directions(np.tile(mixed, (4000, 1)), rng)
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1, atol=1e-9)
    along_x = np.mean(np.abs(drawn[:, 0]) > np.abs(drawn[:, 2]))
    # amplitudes below a tenth of the largest do not count; 4,000 draws have a SE of 0.007
    from dipy.data import default_sphere

    amplitude = np.clip(fod_amplitudes(mixed[None], default_sphere.vertices)[0], 0, None)
    amplitude[amplitude < 0.1 * amplitude.max()] = 0
    x, _, z = np.abs(default_sphere.vertices).T
    assert along_x == pytest.approx(amplitude[x > z].sum() / amplitude.sum(), abs=0.025)
    assert not draw_directions(np.zeros((2, 45)), rng).any()


def brute_join(at):
    """Return the shortest run from a 1 to a 2 or back with only zeros between, first one of equals."""
    best = None
    for i, first in enumerate(at):
        for j in range(i + 1, len(at)):
            if first and at[j]:
                if first != at[j] and (best is None or j - i < best[1] - best[0]):
                    best = i, j
                break
    if best is None:
        return None
    piece = list(range(best[0], best[1] + 1))
    return piece if at[piece[0]] == 1 else piece[::-1]


def test_join_is_brute_force(rng):
    start, goal = np.zeros((2, 200, 1, 3), bool)
    start[:, 0, 1] = goal[:, 0, 2] = True
    n_joined = 0
    for number in range(300):
        at = rng.choice(3, p=[0.8, 0.1, 0.1], size=rng.integers(1, 30))
        line = np.column_stack([np.arange(len(at)), np.zeros(len(at)), at]).astype(float)
        found = join([(number, line)], np.eye(4), start, goal)
        wanted = brute_join(at)
        if wanted is None:
            assert found == []
            continue
        n_joined += 1
        assert found[0][0] == number
        np.testing.assert_array_equal(found[0][1], line[wanted])
    assert n_joined > 100


def test_points_beyond_the_grid_belong_to_no_region():
    start, goal = np.zeros((2, 3, 1, 1), bool)
    start[0] = goal[2] = True
    outside = np.array([[-1.0, 0, 0], [1, 0, 0], [3.4, 0, 0]])
    assert join([(0, outside)], np.eye(4), start, goal) == []
    assert join([], np.eye(4), start, goal) == []
