import tracemalloc
from itertools import combinations, permutations, product

import numpy as np
import pytest
from scipy import ndimage, stats

from pipelines.errors import DataError, ParameterError
from pipelines.stats.freedman_lane import rearranged_statistic
from pipelines.stats.linear_design import fit_design
from pipelines.stats.permute import flip_signs, permute
from pipelines.stats.question import Effort, Question
from pipelines.stats.residuals import Exchanged
from pipelines.stats.tfce import neighbour_table, tfce

from ..conftest import REPOSITORY


def generator(seed=0):
    return np.random.default_rng(seed)


def infer(
    outcome, tested, nuisance, *, rng, covariate=None, neighbours=None, groups=None, blocks=None, **how
):
    asked = Question(tested=tested, nuisance=nuisance, groups=groups, blocks=blocks)
    given = {'covariate': covariate, 'neighbours': neighbours, 'rng': rng}
    return permute(outcome, asked, **given, effort=Effort(**how))


def flip(outcome, *, rng, blocks=None, **how):
    return flip_signs(outcome, blocks=blocks, rng=rng, effort=Effort(**how))


def least_squares_t(y, tested, nuisance):
    """t of the first column of the full model, by the textbook."""
    design = np.column_stack([tested, nuisance])
    beta, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
    left = y - design @ beta
    variance = left @ left / (len(y) - rank)
    return beta[0] / np.sqrt(variance * np.linalg.pinv(design.T @ design)[0, 0])


def freedman_lane_t(y, tested, nuisance, order):
    """Permute residuals of the reduced model, add its fit again, fit the full model."""
    fit = nuisance @ np.linalg.lstsq(nuisance, y, rcond=None)[0]
    return least_squares_t(fit + (y - fit)[order], tested, nuisance)


def trial(rng, n=24, n_voxels=40):
    """Return outcome, arm, nuisance with an intercept, and baseline of each voxel."""
    baseline = rng.standard_normal((n_voxels, n)) + 3
    outcome = 100 + baseline + rng.standard_normal((n_voxels, n))
    arm = rng.permutation(np.arange(n) % 2).astype(float)
    return outcome, arm, np.column_stack([np.ones(n), rng.uniform(20, 60, n)]), baseline


@pytest.mark.parametrize('has_covariate', [False, True])
@pytest.mark.parametrize('has_intercept', [False, True])
def test_t_of_every_permutation_is_that_of_least_squares(rng, has_covariate, has_intercept):
    outcome, tested, nuisance, baseline = trial(rng, n_voxels=70)  # more than a tile
    if not has_intercept:
        nuisance = nuisance[:, 1:]
    covariate = baseline if has_covariate else None
    drawn = np.array([np.arange(24), *(rng.permutation(24) for _ in range(10))])
    design = fit_design(tested, nuisance, has_covariate=has_covariate)
    found, testable = rearranged_statistic(outcome, covariate, design, slice(0, 70), Exchanged(drawn))
    for voxel, y in enumerate(outcome):
        z = np.column_stack([nuisance, baseline[voxel]]) if has_covariate else nuisance
        wanted = [freedman_lane_t(y, tested, z, order) for order in drawn]
        # double precision; residuals are a hundredth of the outcome
        np.testing.assert_allclose(found[:, voxel], wanted, rtol=1e-10, atol=1e-10)
    assert testable.all()


def test_null_is_that_of_the_drawn_permutations(rng):
    """From the generator to p, by a loop over the same permutations."""
    outcome, tested, nuisance, baseline = trial(rng, n_voxels=10)
    table = neighbour_table(np.ones((5, 2, 1)))
    found = infer(
        outcome, tested, nuisance, covariate=baseline, neighbours=table, n_permutations=60, rng=generator(3)
    )
    again = generator(3)
    orders = [np.arange(24), *(again.permutation(24) for _ in range(60))]
    t = np.array(
        [
            [
                freedman_lane_t(y, tested, np.column_stack([nuisance, b]), order)
                for y, b in zip(outcome, baseline)
            ]
            for order in orders
        ]
    )
    enhanced = np.array([tfce(one, table) for one in t])
    for null, observed, maxima, p in (
        (t, found.statistic, found.largest, found.p_max),
        (enhanced, found.tfce, found.largest_tfce, found.p_max_tfce),
    ):
        np.testing.assert_allclose(observed, null[0], rtol=1e-9)
        np.testing.assert_allclose(maxima, np.abs(null).max(axis=1), rtol=1e-9)
        wanted = [(np.abs(null).max(axis=1) >= abs(one) * (1 - 1e-9)).mean() for one in null[0]]
        np.testing.assert_allclose(p, wanted, rtol=1e-12)
    np.testing.assert_allclose(found.p, (np.abs(t) >= np.abs(t[0]) * (1 - 1e-9)).mean(axis=0), rtol=1e-12)
    assert (found.n_permutations, found.exact, found.dof) == (60, False, 24 - 4)


def test_two_groups_are_enumerated(rng):
    outcome, n, first = rng.standard_normal((30, 9)), 9, [0, 3, 4, 8]
    tested = np.isin(np.arange(n), first).astype(float)
    found = infer(outcome, tested, np.ones((n, 1)), n_permutations=126, rng=generator())
    null = []
    for chosen in combinations(range(n), 4):
        moved = np.isin(np.arange(n), chosen)
        null.append(stats.ttest_ind(outcome[:, moved], outcome[:, ~moved], axis=1).statistic)
    magnitude = np.abs(null)
    observed = magnitude[list(combinations(range(n), 4)).index(tuple(first))]
    np.testing.assert_allclose(np.abs(found.statistic), observed, rtol=1e-10)
    np.testing.assert_allclose(found.p, (magnitude >= observed - 1e-9).mean(axis=0), rtol=1e-12)
    largest = magnitude.max(axis=1)
    np.testing.assert_allclose(found.p_max, [(largest >= t - 1e-9).mean() for t in observed], rtol=1e-12)
    np.testing.assert_allclose(np.sort(found.largest), np.sort(largest), rtol=1e-10)
    assert (found.exact, found.n_permutations) == (True, 126)
    assert not infer(outcome, tested, np.ones((n, 1)), n_permutations=125, rng=generator()).exact


@pytest.mark.parametrize('has_covariate', [False, True])
def test_few_people_with_nuisance_are_enumerated(rng, has_covariate):
    """Twice the same two people by design: 5! / 2 arrangements, or 5! when each has a map of his own."""
    outcome, baseline = rng.standard_normal((2, 6, 5))
    tested, nuisance = np.array([0.0, 1, 1, 0, 1]), np.column_stack([np.ones(5), [1, 2, 2, 5, 3]])
    covariate = baseline if has_covariate else None
    found = infer(outcome, tested, nuisance, covariate=covariate, n_permutations=120, rng=generator())
    z = [np.column_stack([nuisance, b]) if has_covariate else nuisance for b in baseline]
    null = np.abs(
        [
            [freedman_lane_t(y, tested, z[v], list(order)) for v, y in enumerate(outcome)]
            for order in permutations(range(5))
        ]
    )
    np.testing.assert_allclose(found.p, (null >= null[0] * (1 - 1e-7)).mean(axis=0), rtol=1e-12)
    wanted = [(null.max(axis=1) >= one * (1 - 1e-7)).mean() for one in null[0]]
    np.testing.assert_allclose(found.p_max, wanted, rtol=1e-12)
    assert (found.exact, found.n_permutations) == (True, 120 if has_covariate else 60)


def test_signs_are_enumerated(rng):
    outcome = rng.standard_normal((20, 7)) + 0.5
    found = flip(outcome, n_permutations=128, rng=generator())
    null = np.array([stats.ttest_1samp(outcome * s, 0, axis=1).statistic for s in product([1, -1], repeat=7)])
    magnitude = np.abs(null)
    np.testing.assert_allclose(found.statistic, null[0], rtol=1e-10)
    np.testing.assert_allclose(found.p, (magnitude >= magnitude[0] * (1 - 1e-9)).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.largest, magnitude.max(axis=1), rtol=1e-9)
    assert (found.exact, found.n_permutations, found.dof) == (True, 128, 6)


@pytest.mark.parametrize('how', ['arm', 'nuisance', 'covariate', 'mean'])
def test_p_is_uniform_where_nothing_is_true(how):
    """Without effect the corrected p of the largest t is uniform: 300 data sets, skewed errors."""
    rng, found = generator(11), []
    for _ in range(300):
        errors = rng.standard_exponential((15, 16)) - 1
        outcome, arm, nuisance, baseline = trial(rng, 16, 15)
        if how == 'mean':
            signs = rng.choice([-1, 1], errors.shape)
            found.append(np.nanmin(flip(errors * signs, n_permutations=99, rng=rng).p_max))
            continue
        nuisance = nuisance if how != 'arm' else np.ones((16, 1))
        covariate = baseline if how == 'covariate' else None
        outcome = 2 * baseline + 5 * nuisance[:, -1] + errors if covariate is not None else errors
        found.append(
            infer(outcome, arm, nuisance, covariate=covariate, n_permutations=99, rng=rng).p_max.min()
        )
    # p takes the hundred values 0.01, 0.02, ... 1; ten equal classes
    count = np.histogram(np.array(found) - 0.005, bins=10, range=(0, 1))[0]
    assert stats.chisquare(count).pvalue > 0.001
    # 300 draws at 0.05: 15, SD 3.8
    assert abs(np.sum(np.array(found) <= 0.05) - 15) < 4 * 3.8


def test_nilearn_agrees(rng):
    """t to single precision; corrected p within the error of 2,000 draws in each program."""
    from nilearn.mass_univariate import permuted_ols

    outcome, tested, nuisance, _ = trial(rng, 30, 200)
    outcome[:3] += 4 * tested
    theirs = permuted_ols(
        tested,
        outcome.T,
        nuisance[:, 1:],
        n_perm=2000,
        two_sided_test=True,
        random_state=1,
        output_type='dict',
    )
    found = infer(
        outcome.astype(np.float32), tested, nuisance, n_permutations=2000, exact_tail=True, rng=generator()
    )
    np.testing.assert_allclose(found.statistic, theirs['t'][0], atol=1e-5 * np.abs(found.statistic).max())
    p = 10 ** -theirs['logp_max_t'][0]
    # SD of a difference of two shares of 2,000; five of it, as 200 voxels share the same two nulls
    allowed = 5 * np.sqrt(2 * p * (1 - p) / 2000) + 1e-3
    assert (np.abs(found.p_max - p) < allowed).all()
    assert p.min() < 0.01
    assert stats.ks_2samp(found.largest, theirs['h0_max_t'].ravel()).pvalue > 0.001


def test_blocks_batches_and_threads_change_nothing(rng):
    outcome, tested, nuisance, baseline = trial(rng, n_voxels=60)
    table = neighbour_table(np.ones((5, 4, 3)))
    outcome, baseline = outcome.astype(np.float32), baseline.astype(np.float32)

    def found(**how):
        return infer(
            outcome, tested, nuisance, covariate=baseline, neighbours=table, n_permutations=50,
            rng=generator(5), **how,
        )  # fmt: skip

    def arrays(result):
        return [value for value in result if isinstance(value, np.ndarray)]

    whole = found()
    assert len(arrays(whole)) == 7
    for how in ({'block': 7}, {'block': 1, 'max_bytes': 4 * 60 * 7}, {'max_bytes': 1}, {'n_threads': 3}):
        for one, other in zip(arrays(whole), arrays(found(**how))):
            # sums of another order, then rounded to single precision
            np.testing.assert_allclose(one, other, rtol=1e-6)
    for one, other in zip(arrays(whole), arrays(found(n_threads=2))):
        np.testing.assert_array_equal(one, other)


def test_memory_maps_are_read_in_blocks_and_left_as_they_are(rng, tmp_path):
    outcome, tested, nuisance, baseline = (array.astype(np.float32) for array in trial(rng, n_voxels=30))
    maps = []
    for name, array in (('outcome', outcome), ('baseline', baseline)):
        np.save(tmp_path / f'{name}.npy', array)
        maps.append(np.load(tmp_path / f'{name}.npy', mmap_mode='r'))
    read = []

    class Watched(np.memmap):
        def __getitem__(self, key):
            read.append(np.asarray(super().__getitem__(key)).size)
            return super().__getitem__(key)

    from_disk = infer(
        maps[0].view(Watched),
        tested,
        nuisance,
        covariate=maps[1],
        n_permutations=20,
        rng=generator(),
        block=8,
    )
    assert max(read) == 8 * 24
    from_memory = infer(outcome, tested, nuisance, covariate=baseline, n_permutations=20, rng=generator())
    np.testing.assert_allclose(from_disk.statistic, from_memory.statistic, rtol=1e-6)
    np.testing.assert_array_equal(from_disk.p_max, from_memory.p_max)


def test_a_planted_cluster_is_found(rng):
    shape, n = (12, 12, 12), 40
    cluster = np.zeros(shape, bool)
    cluster[4:8, 4:8, 4:8] = True
    tested = np.arange(n) % 2.0
    baseline = rng.standard_normal((cluster.size, n))
    outcome = 0.7 * baseline + rng.standard_normal((cluster.size, n))
    outcome[cluster.ravel()] -= 1.2 * tested
    table = neighbour_table(np.ones(shape))
    found = infer(
        outcome.astype(np.float32), tested, np.ones((n, 1)), covariate=baseline.astype(np.float32),
        neighbours=table, n_permutations=199, rng=generator(),
    )  # fmt: skip
    by_tfce, by_t = found.p_max_tfce.reshape(shape) < 0.05, found.p_max.reshape(shape) < 0.05
    assert by_tfce[cluster].mean() > 0.9
    assert by_tfce[cluster].mean() > by_t[cluster].mean() + 0.2  # what clusters are for
    near = ndimage.binary_dilation(cluster, np.ones((3, 3, 3)))
    assert not by_t[~cluster].any()
    assert by_tfce[~near].mean() < 0.05  # neighbours lean on the cluster
    assert (found.tfce.reshape(shape)[cluster & by_tfce] < 0).all()


def test_voxels_that_cannot_be_tested_are_missing(rng):
    outcome, tested, nuisance, baseline = trial(rng, n_voxels=12)
    outcome[0] = 7
    outcome[1, 3] = np.nan
    outcome[2] = 2 - 3 * nuisance[:, 1]
    baseline[3] = -1
    baseline[4] = 5 * tested + 1
    baseline[5, 0] = np.nan
    outcome[6] = 2 * baseline[6] + 1
    table = neighbour_table(np.ones((12, 1, 1)))
    arguments = {'neighbours': table, 'n_permutations': 30}
    found = infer(outcome, tested, nuisance, covariate=baseline, rng=generator(), **arguments)
    maps = (found.statistic, found.p, found.p_max, found.tfce, found.p_max_tfce)
    for one in maps:
        assert np.isnan(one).tolist() == [True] * 7 + [False] * 5
    alone = infer(
        outcome[7:], tested, nuisance, covariate=baseline[7:], rng=generator(), n_permutations=30,
        neighbours=neighbour_table(np.ones((5, 1, 1))),
    )  # fmt: skip
    for one, other in zip(maps, (alone.statistic, alone.p, alone.p_max, alone.tfce, alone.p_max_tfce)):
        np.testing.assert_allclose(one[7:], other, rtol=1e-10)
    with pytest.raises(DataError, match='no voxel can be tested'):
        infer(outcome[:3], tested, nuisance, rng=generator())


def test_a_perfect_fit_is_large_and_as_likely_as_its_mirror(rng):
    arm = np.array([0.0, 0, 0, 1, 1, 1])
    found = infer(np.array([2 + 3 * arm]), arm, np.ones((6, 1)), rng=generator())
    assert found.statistic[0] > 1e6
    assert found.p[0] == found.p_max[0] == 2 / 20  # to the last bit, so that 0.05 is not above 0.05


def test_location_scale_and_coding_do_not_matter(rng):
    outcome, tested, nuisance, baseline = trial(rng)
    found = infer(outcome, tested, nuisance, covariate=baseline, n_permutations=40, rng=generator())
    mixed = np.column_stack([nuisance @ [[1, 2], [0.1, -3]], nuisance[:, 1]])
    other = infer(
        5e-3 * outcome + mixed[:, 1], 10 - 4 * tested, mixed, covariate=baseline * 1e4 - 7,
        n_permutations=40, rng=generator(),
    )  # fmt: skip
    np.testing.assert_allclose(other.statistic, -found.statistic, rtol=1e-7)
    np.testing.assert_array_equal(other.p_max, found.p_max)
    assert other.dof == found.dof


def test_inputs_are_not_changed_and_progress_is_told(rng):
    arrays = trial(rng)
    for array in arrays:
        array.setflags(write=False)
    told = []
    outcome, tested, nuisance, baseline = arrays
    infer(
        outcome, tested, nuisance, covariate=baseline, n_permutations=25, rng=generator(),
        max_bytes=outcome[:, :10].nbytes, progress=lambda *numbers: told.append(numbers),
    )  # fmt: skip
    assert told == [(9, 25), (19, 25), (25, 25)]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'tested': np.ones(24)}, 'constant or a combination'),
        ({'tested': np.zeros(24)}, 'constant or a combination'),
        ({'tested': np.ones(23)}, 'shape'),
        ({'nuisance': generator().standard_normal((24, 22))}, 'degrees of freedom'),
        ({'nuisance': np.full((24, 1), np.nan)}, 'not finite'),
        ({'outcome': np.ones((40, 23))}, '40 voxels by 24 people'),
        ({'outcome': np.ones((40, 24), int)}, 'floating'),
        ({'outcome': np.ones((0, 24))}, 'voxels by people'),
        ({'outcome': np.ones(24)}, 'voxels by people'),
        ({'covariate': np.ones((39, 24))}, '40 voxels by 24 people'),
        ({'neighbours': np.full((39, 26), -1, np.int32)}, 'neighbours of 39'),
    ],
)
def test_data_that_do_not_fit_are_refused(rng, change, message):
    outcome, tested, nuisance, baseline = trial(rng)
    given = {'outcome': outcome, 'tested': tested, 'nuisance': nuisance, 'covariate': baseline} | change
    with pytest.raises(DataError, match=message):
        infer(**given, n_permutations=9, rng=generator())


def test_a_mean_needs_two_people():
    with pytest.raises(DataError, match='at least 2 people'):
        flip(np.ones((3, 1)), rng=generator())


@pytest.mark.parametrize('name', ['n_permutations', 'block', 'n_threads'])
def test_numbers_below_one_are_refused(rng, name):
    outcome, tested, nuisance, _ = trial(rng)
    with pytest.raises(ParameterError, match=f'{name} 0 is below 1'):
        infer(outcome, tested, nuisance, rng=generator(), **{name: 0})
    with pytest.raises(ParameterError, match=f'{name} 0 is below 1'):
        flip(outcome, rng=generator(), **{name: 0})


def test_memory_grows_with_a_block_and_not_with_permutations(rng, tmp_path):
    """Eight times the people add less than the maps on disk would; ten times the permutations add nothing."""

    def peak(n, n_permutations):
        maps = np.lib.format.open_memmap(tmp_path / 'maps.npy', 'w+', np.float32, (6000, n))
        maps[:] = rng.standard_normal(maps.shape)
        tracemalloc.start()
        infer(
            maps, np.arange(n) % 2, np.ones((n, 1)), covariate=maps[::-1], n_permutations=n_permutations,
            rng=generator(), block=32, max_bytes=16 * 6000 * 4,
        )  # fmt: skip
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(40, 16), peak(40, 160)  # what is compiled and kept once
    few, many = peak(40, 16), peak(320, 16)
    # blocks of 32 voxels, a dozen at a time in double precision, and 16 permutations
    assert many - few < 280 * (12 * 32 + 5 * 16) * 8 < 2 * 6000 * 280 * 4 / 10
    assert (
        peak(40, 160) - few < 144 * 6000 * 4 / 50
    )  # where the maps of the others would be kept: the null, a few arrays


@pytest.fixture
def benchmark(monkeypatch):
    """Make the folder importable whatever the way pytest was started."""
    monkeypatch.syspath_prepend(REPOSITORY)
    from benchmarks import voxelwise

    monkeypatch.setattr(voxelwise, '_GRID', (21, 25, 21))
    return voxelwise


def test_benchmark_compares_equal_things(benchmark, tmp_path):
    benchmark.write_maps(str(tmp_path), 0.2, 14, smooth=True)
    found = benchmark.compare(str(tmp_path), 0.2, n_tfce=4, n_theirs=2, n_max_t=4)
    assert found['t_error'] < 1e-5
    assert found['tfce_error'] < 0.01  # 400 steps
    assert all(
        found[name] > 0
        for name in ('ours', 'theirs', 'ours_covariate', 'ours_mean', 'ours_max_t', 'theirs_max_t')
    )


def test_benchmark_of_memory(benchmark, tmp_path):
    benchmark.write_maps(str(tmp_path), 0.2, 14, smooth=False)
    assert benchmark.memory(str(tmp_path), 0.2, 3)['peak'] > 0.05
