import numpy as np
import pytest
from dipy.tracking.utils import density_map
from scipy.spatial.distance import mahalanobis

from pipelines.numerics import bundle

AFFINE = np.diag([2.0, 2, 2, 1])


def straight(n, rng, n_points=40, spread=1.0):
    """Return lines along y at places drawn once, with a different number of points each."""
    lines = []
    for place in rng.normal(0, spread, (n, 2)):
        y = np.linspace(0, 40, n_points + rng.integers(0, 20))
        lines.append(np.column_stack([np.full(len(y), 10 + place[0]), y, np.full(len(y), 10 + place[1])]))
    return lines


@pytest.fixture
def lines(rng):
    found = straight(60, rng)
    for line in found:
        line.setflags(write=False)
    return found


def test_lengths_are_sums_of_steps(lines):
    wanted = [np.linalg.norm(np.diff(line, axis=0), axis=1).sum() for line in lines]
    np.testing.assert_allclose(bundle.lengths_of(lines), wanted)
    assert bundle.lengths_of([]).shape == (0,)


def test_distances_are_those_of_mahalanobis(rng):
    """Lines of 100 equidistant points are their own nodes."""
    along = np.linspace(0, 40, 100)[:, None] * [0, 1, 0]
    nodes = along + rng.normal(0, 2, (30, 1, 3)) * [1, 0.3, 2]
    found = bundle.core_distances(list(nodes))
    for k in (0, 37, 99):
        inverse = np.linalg.inv(np.cov(nodes[:, k], rowvar=False))
        wanted = [mahalanobis(node, nodes[:, k].mean(axis=0), inverse) for node in nodes[:, k]]
        np.testing.assert_allclose(found[:, k], wanted, rtol=1e-3)  # a ridge of 1e-6 of the variance


def test_lines_that_agree_are_all_at_the_core(lines):
    assert bundle.core_distances([lines[0]] * 5).max() < 1e-3


def test_cleaning_removes_what_was_planted_and_nothing_else(lines):
    away = lines[0].copy()
    away[len(away) // 2 :, 0] += 15 * np.linspace(0, 1, len(away) - len(away) // 2)
    loop = np.vstack([lines[1][:20], lines[1][19::-1], lines[1]])
    kept = bundle.clean([*lines, away, loop])
    assert len(kept) == 60
    for a, b in zip(kept, lines):
        np.testing.assert_array_equal(a, b)


def test_a_small_bundle_is_left_alone(lines):
    away = lines[0] + [50, 0, 0]
    assert len(bundle.clean([*lines[:18], away])) == 19
    assert bundle.clean([]) == []


def test_visitation_is_brute_force_and_that_of_dipy(lines):
    shape = (12, 22, 12)
    found = bundle.visitation(lines, shape, AFFINE)
    counts = np.zeros(shape)
    for line in lines:
        for voxel in {tuple(v) for v in np.rint(line / 2).astype(int)}:
            counts[voxel] += 1
    np.testing.assert_allclose(found, counts / 60, rtol=1e-6)
    theirs = density_map(lines, AFFINE, shape)
    np.testing.assert_allclose(found, theirs / 60, rtol=1e-6)


def test_visitation_outside_the_grid_does_not_count(lines):
    assert bundle.visitation([lines[0] - 500], (4, 4, 4), AFFINE).sum() == 0
    assert bundle.visitation([], (4, 4, 4), AFFINE).shape == (4, 4, 4)


def test_weighted_mean_is_its_formula(rng):
    weights, values = rng.uniform(size=(2, 4, 5, 6))
    where = rng.uniform(size=(4, 5, 6)) > 0.5
    wanted = np.average(values[where], weights=weights[where])
    assert bundle.weighted_mean(weights, values, where) == pytest.approx(wanted)
    assert np.isnan(bundle.weighted_mean(weights, values, np.zeros((4, 5, 6), bool)))
    assert np.isnan(bundle.weighted_mean(weights * 0, values, where))


@pytest.fixture
def ramp():
    """A map that grows along y: at y mm it is y / 100."""
    return np.broadcast_to(np.arange(22.0)[:, None] * 2 / 100, (12, 22, 12)).copy()


def test_streamline_mean_weighs_every_line_alike(ramp):
    """A mean of means: the number of points of a line does not matter."""
    low, high = np.zeros((2, 50, 3)) + 10
    low[:, 1], high[:, 1] = np.linspace(0, 10, 50), np.linspace(20, 30, 50)
    everywhere = np.ones(ramp.shape, bool)
    found = bundle.streamline_mean([low, high[::5]], ramp, AFFINE, everywhere)
    assert found == pytest.approx((low[:, 1].mean() + high[::5, 1].mean()) / 200, abs=1e-5)
    half = everywhere.copy()
    half[:, 8:] = False
    assert bundle.streamline_mean([low, high], ramp, AFFINE, half) == pytest.approx(0.05, abs=1e-5)
    assert np.isnan(bundle.streamline_mean([high], ramp, AFFINE, half))
    assert np.isnan(bundle.streamline_mean([], ramp, AFFINE, half))


def test_profile_of_a_ramp_is_the_ramp(lines, ramp):
    found = bundle.profile(lines, ramp, AFFINE)
    np.testing.assert_allclose(found.mean, np.linspace(0, 0.4, 100), atol=1e-4)
    np.testing.assert_allclose(found.sd, 0, atol=1e-4)


def test_profile_weighs_by_nearness_to_the_core(lines, rng):
    values = rng.uniform(size=(12, 22, 12))
    weights = 1 / np.maximum(bundle.core_distances(lines), 0.1)
    found = bundle.profile(lines, values, AFFINE)
    from scipy.ndimage import map_coordinates

    for k in (0, 99):  # the ends of a line are nodes
        points = np.array([line[0 if k == 0 else -1] for line in lines])
        seen = map_coordinates(values, points.T / 2, order=1, mode='nearest')
        mean = np.average(seen, weights=weights[:, k])
        assert found.mean[k] == pytest.approx(mean, abs=1e-5)
        sd = np.sqrt(np.average((seen - mean) ** 2, weights=weights[:, k]))
        assert found.sd[k] == pytest.approx(sd, abs=1e-5)


def test_threshold_curve_is_plain_means_of_ever_smaller_cores(rng):
    weights, values = rng.uniform(0, 0.4, (5, 5, 5)), rng.uniform(size=(5, 5, 5))
    where = rng.uniform(size=(5, 5, 5)) > 0.3
    found = bundle.threshold_curve(weights, values, where)
    assert found.shape == (8, 2)
    for threshold, (mean, count) in zip(bundle.THRESHOLDS[:-1], found):
        inside = [v for w, v, ok in zip(weights.flat, values.flat, where.flat) if ok and w >= threshold]
        assert count == len(inside)
        assert mean == pytest.approx(np.mean(inside))
    assert found[-1, 1] == 0  # nothing reaches one half
    assert np.isnan(found[-1, 0])
