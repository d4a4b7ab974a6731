import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from pipelines.errors import DataError
from pipelines.stats.tfce import neighbour_table, tfce


def smooth_map(rng, shape=(9, 11, 8), fwhm=1.2):
    """Return a map with clusters of both signs, of unit SD, and a mask with holes in it."""
    volume = ndimage.gaussian_filter(rng.standard_normal(shape), fwhm)
    return volume / volume.std(), rng.random(shape) < 0.8


def step_sum(volume, mask, step, extent_power=0.5, height_power=2.0):
    """Sum over heights in the middle of steps, components labelled anew at each."""
    enhanced = np.zeros(mask.shape)
    for sign in (1, -1):
        part = np.where(mask, sign * volume, 0)
        for height in np.arange(step / 2, part.max(), step):
            labels, _ = ndimage.label(part >= height, np.ones((3, 3, 3)))
            extent = np.bincount(labels.ravel())[labels]
            enhanced += sign * step * np.where(labels > 0, extent**extent_power * height**height_power, 0)
    return enhanced[mask]


def test_sum_over_finer_steps_comes_closer(rng):
    volume, mask = smooth_map(rng)
    exact = tfce(volume[mask], neighbour_table(mask))
    errors = [
        np.abs(step_sum(volume, mask, step) - exact).max() / np.abs(exact).max()
        for step in (0.1, 0.01, 0.001)
    ]
    # an end of a stretch falls anywhere within a step, so errors shrink with the step
    assert errors[1] < errors[0] / 4
    assert errors[2] < errors[1] / 4
    assert errors[2] < 1e-3


@pytest.mark.parametrize(('extent_power', 'height_power'), [(1.0, 1.0), (2 / 3, 0.5)])
def test_other_powers(rng, extent_power, height_power):
    volume, mask = smooth_map(rng, (6, 5, 7))
    powers = {'extent_power': extent_power, 'height_power': height_power}
    exact = tfce(volume[mask], neighbour_table(mask), **powers)
    np.testing.assert_allclose(
        exact, step_sum(volume, mask, 1e-3, **powers), atol=2e-3 * np.abs(exact).max()
    )  # half a step at each change of extent


def test_one_plateau():
    volume = np.zeros((7, 7, 7))
    volume[1:4, 2:4, 5] = 2.5
    found = tfce(volume.ravel(), neighbour_table(np.ones_like(volume))).reshape(volume.shape)
    np.testing.assert_allclose(found, np.where(volume > 0, 6**0.5 * 2.5**3 / 3, 0), rtol=1e-14)


def test_a_plateau_on_a_plateau():
    volume = np.zeros((8, 8, 1))
    volume[1:7, 1:5], volume[2:4, 2:4] = 2, 3
    found = tfce(-volume.ravel(), neighbour_table(np.ones_like(volume))).reshape(volume.shape)
    base = 24**0.5 * 2**3 / 3
    np.testing.assert_allclose(found[volume == 2], -base, rtol=1e-14)
    np.testing.assert_allclose(found[volume == 3], -(base + 4**0.5 * (3**3 - 2**3) / 3), rtol=1e-14)


def test_two_peaks_share_what_lies_below_their_saddle():
    line = np.array([3.0, 5, 2, 4, 0, 1])
    found = tfce(line, neighbour_table(np.ones((6, 1, 1))))
    common, cube = 4**0.5 * 8, [0, 1, 8, 27, 64, 125]
    wanted = [
        common + 2**0.5 * (cube[3] - cube[2]),
        common + 2**0.5 * (cube[3] - cube[2]) + cube[5] - cube[3],
        common,
        common + cube[4] - cube[2],
        0,
        1,
    ]
    np.testing.assert_allclose(found, np.array(wanted) / 3, rtol=1e-14)


def test_signs_do_not_touch():
    """A positive beside a negative voxel is a cluster of one."""
    found = tfce(np.array([3.0, -3, 3, 0, 3]), neighbour_table(np.ones((5, 1, 1))))
    np.testing.assert_allclose(found, [9, -9, 9, 0, 9], rtol=1e-14)


def test_ties_need_no_order(rng):
    """Heights of few values: every permutation of the voxels' numbers gives the same map."""
    volume, mask = smooth_map(rng)
    statistic, table = np.round(volume[mask] * 2) / 2, neighbour_table(mask)
    found = tfce(statistic, table)
    np.testing.assert_allclose(found, step_sum(np.round(volume * 2) / 2, mask, 1e-3), atol=1e-4 * found.max())
    for _ in range(5):
        old = rng.permutation(len(statistic))
        new = np.append(np.argsort(old), -1)
        np.testing.assert_allclose(
            tfce(statistic[old], new[table[old]].astype(np.int32)), found[old], rtol=1e-12
        )


@pytest.mark.parametrize('axis', [0, 1, 2])
def test_flipped_axes_and_signs(rng, axis):
    volume, mask = smooth_map(rng)
    found, flipped = np.zeros((2, *mask.shape))
    found[mask] = tfce(volume[mask], neighbour_table(mask))
    turned, turned_mask = -np.flip(volume, axis), np.flip(mask, axis)
    flipped[turned_mask] = tfce(turned[turned_mask], neighbour_table(turned_mask))
    np.testing.assert_allclose(-np.flip(flipped, axis), found, rtol=1e-12)


def test_a_larger_scale_enhances_by_its_cube(rng):
    volume, mask = smooth_map(rng)
    table = neighbour_table(mask)
    np.testing.assert_allclose(tfce(4 * volume[mask], table), 64 * tfce(volume[mask], table), rtol=1e-12)


def test_nilearn_comes_closer_with_finer_steps(rng):
    """Its sum is not multiplied by the step, and takes heights at the top of steps."""
    from nilearn.mass_univariate._utils import calculate_tfce

    volume, mask = smooth_map(rng, (14, 15, 13), 1.5)
    volume[~mask] = 0
    exact, largest = tfce(volume[mask], neighbour_table(mask)), np.abs(volume).max()
    errors = []
    for n_steps in (100, 1000):
        summed = calculate_tfce(
            volume[..., None], ndimage.generate_binary_structure(3, 3), dh=largest / n_steps
        )
        theirs = summed[mask, 0] * largest / n_steps
        errors.append(np.abs(theirs - exact).max() / np.abs(exact).max())
    assert errors[0] < 0.03  # a step of 1 % of the height, whose cube counts
    assert errors[1] < 0.003
    assert errors[1] < errors[0] / 5


def test_neighbours_are_those_of_a_search(rng):
    mask = rng.random((4, 5, 6)) < 0.5
    places = np.argwhere(mask)
    distance = np.abs(places[:, None] - places).max(axis=2)
    table = neighbour_table(mask)
    assert table.dtype == np.int32
    for voxel, row in enumerate(table):
        assert sorted(row[row >= 0]) == np.flatnonzero(distance[voxel] == 1).tolist()
    for column in range(26):
        there = table[:, column]
        back = table[there[there >= 0], 25 - column]
        np.testing.assert_array_equal(back, np.flatnonzero(there >= 0))


def test_single_precision_and_frozen_arrays(rng):
    volume, mask = smooth_map(rng)
    table, statistic = neighbour_table(mask), volume[mask].astype(np.float32)
    for array in (table, statistic, mask):
        array.setflags(write=False)
    found = tfce(statistic, table)
    assert found.dtype == float
    # heights are rounded to 6e-8 and cubed
    np.testing.assert_allclose(found, tfce(volume[mask], table), rtol=1e-6)


def test_nothing_to_enhance():
    assert not tfce(np.zeros(8), neighbour_table(np.ones((2, 2, 2)))).any()


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value):
    with pytest.raises(DataError, match='1 values of the statistic map are not finite'):
        tfce(np.array([1, value, 2]), neighbour_table(np.ones((3, 1, 1))))


def test_another_mask_is_refused():
    with pytest.raises(DataError, match='mask of 3 voxels'):
        tfce(np.ones(4), neighbour_table(np.ones((3, 1, 1))))


@pytest.mark.parametrize('mask', [np.zeros((2, 2, 2)), np.ones((2, 2))])
def test_masks_without_a_volume_are_refused(mask):
    with pytest.raises(DataError, match='mask'):
        neighbour_table(mask)


def test_nothing_is_written(tmp_path):
    """In a container without home and cache; /proc cannot be written by anyone."""
    program = (
        'import numpy as np\n'
        'from pipelines.stats.tfce import neighbour_table, tfce\n'
        'print(tfce(np.array([3.0]), neighbour_table(np.ones((1, 1, 1))))[0])\n'
    )
    unwritable = dict.fromkeys(('HOME', 'NUMBA_CACHE_DIR', 'XDG_CACHE_HOME'), '/proc/no')
    done = subprocess.run(
        [sys.executable, '-B', '-c', program],
        env={**os.environ, **unwritable, 'TMPDIR': str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == '9.0\n', done.stderr
    assert not list(tmp_path.iterdir())
