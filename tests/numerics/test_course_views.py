import numpy as np
import pytest

from pipelines.numerics.course import start_course
from pipelines.numerics.course_views import DiffusionScan, expect_shells, make_level, view
from pipelines.numerics.course_weights import weigh
from pipelines.numerics.dropped import mend_slices
from pipelines.numerics.gradients import Gradients
from pipelines.numerics.resample import grid_points
from pipelines.simulated.diffusion import gradient_table

SHAPE, AFFINE = (24, 28, 20), np.array([[4.0, 0, 0, -46], [0, 4, 0, -54], [0, 0, 4, -38], [0, 0, 0, 1]])
BVALS, BVECS = gradient_table(20, (1000.0,), n_b0=2)
TABLE = Gradients(BVALS, BVECS, BVECS)
POINTS = grid_points(SHAPE, AFFINE)
DEPTH = 1 - np.linalg.norm(POINTS / [36, 42, 30], axis=1)
T = len(BVALS)


@pytest.fixture
def scan(rng):
    """An ellipsoid of waves whose fibres lie along y where y is positive, else along x."""
    inside = 1 / (1 + np.exp(-20 * DEPTH))
    s0 = 1000 * inside * (1.3 + np.sin(POINTS @ [0.2, 0.1, 0]) * np.cos(POINTS @ [0, 0.1, 0.2]))
    along = np.where(POINTS[:, 1:2] > 0, BVECS[:, 1], BVECS[:, 0])
    data = s0[:, None] * np.exp(-BVALS * (0.4e-3 + 0.8e-3 * along**2))
    data = (data + rng.normal(0, 10, data.shape)).reshape(*SHAPE, T).astype(np.float32)
    data.setflags(write=False)
    mask, brain = ((limit < DEPTH).reshape(SHAPE) for limit in (0, 0.1))
    return DiffusionScan(data, TABLE, AFFINE, mask, brain, 1, np.zeros((SHAPE[2], T), bool))


@pytest.fixture
def course():
    return start_course(T, AFFINE, 1, np.zeros(3))


def test_groups_are_b0_and_the_shells(scan):
    first, second = scan.groups()
    assert not BVALS[first].any()
    assert (BVALS[second] == 1000).all()
    weighted = scan._replace(table=TABLE.subset(~TABLE.is_b0))
    assert len(weighted.groups()) == 1


def test_a_crop_shows_the_same_places(scan):
    small = scan._replace(mask=(DEPTH > 0.7).reshape(SHAPE)).crop()
    assert np.prod(small.mask.shape) < np.prod(SHAPE)
    assert small.dropped.shape == (small.mask.shape[2], T)
    points = grid_points(small.mask.shape, small.affine)[small.mask.ravel()]
    np.testing.assert_allclose(points, POINTS[DEPTH > 0.7])


def test_values_are_those_of_the_smooth_volumes_and_slopes_their_differences(scan, course):
    level = make_level(scan, 10.0, 500)
    assert len(level.points) <= 500
    step, zero = 0.5, np.zeros(T)
    seen = view(scan, level, course, zero)
    for axis in range(3):
        moved = [
            view(
                scan, level._replace(points=level.points + sign * step * np.eye(3)[axis]), course, zero
            ).values
            for sign in (1, -1)
        ]
        slope = (moved[0] - moved[1]).T / (2 * step)
        assert np.corrcoef(slope.ravel(), seen.gradients[:, axis].ravel())[0, 1] > 0.97
    brighter = view(scan, level, course, np.full(T, np.log(2.0)))
    np.testing.assert_allclose(brighter.values, seen.values / 2)


def test_what_lies_beyond_the_scan_or_in_a_dropped_slice_is_missing(scan, course):
    matrices = course.matrices.copy()
    matrices[3, 0, 3] = 500.0
    dropped = scan.dropped.copy()
    dropped[10, 5] = True
    level = make_level(scan, 10.0, 500)
    missing = view(
        scan._replace(dropped=dropped), level, course._replace(matrices=matrices), np.zeros(T)
    ).missing
    assert missing[:, 3].all()
    slices = np.rint((level.points[:, 2] + 38) / 4)
    np.testing.assert_array_equal(missing[:, 5], slices == 10)
    assert not missing[:, [0, 1, 2, 4]].any()


def test_b0_lets_expect_the_mean_of_a_shell(scan, course):
    level = make_level(scan, 10.0, 2000)
    seen = view(scan, level, course, np.zeros(T))
    expected = expect_shells(scan, level, course, seen.values, scan.groups())
    assert not expected[:, TABLE.is_b0].any()
    rows = ~TABLE.is_b0
    inside = level.is_brain
    assert 0 < np.sum(~inside) < np.sum(inside)
    assert not expected[~inside].any()
    mean = seen.values[np.ix_(inside, rows)].mean(axis=1)
    assert np.var(mean - expected[inside, np.flatnonzero(rows)[0]]) < 0.1 * np.var(mean)
    weighted = scan._replace(table=TABLE.subset(rows), data=scan.data[..., rows])
    alone = make_level(weighted, 10.0, 500)
    assert not expect_shells(weighted, alone, course, seen.values[:, rows], weighted.groups()).any()


@pytest.mark.parametrize('is_coarse', [True, False])
def test_predictions_look_like_the_volumes_and_fill_what_is_missing(scan, course, is_coarse):
    level = make_level(scan, 10.0, 1000)
    seen = view(scan, level, course, np.zeros(T))
    missing = seen.missing.copy()
    missing[:200, 4] = True
    spoilt = seen.values.copy()
    spoilt[:200, 4] = 0
    expected = expect_shells(scan, level, course, seen.values, scan.groups())
    made = weigh(
        seen._replace(values=spoilt, missing=missing),
        expected,
        scan.groups(),
        BVECS,
        level=level,
        is_coarse=is_coarse,
    )
    error = made.predicted[:200, 4] - seen.values[:200, 4]
    assert np.sqrt(np.mean(error**2)) < 0.1 * np.sqrt(np.mean(seen.values**2))
    assert sorted(np.concatenate(made.classes)) == list(range(len(level.points)))
    # what lies beyond the brain is compared with its own shell alone
    for own, found in zip(made.classes, made.precisions):
        assert found[1].shared.any() == level.is_brain[own].all() == level.is_brain[own].any()
    assert made.is_expected == [False, True]
    np.testing.assert_allclose(
        made.within[:, TABLE.is_b0].sum(axis=1), 0, atol=1e-3 * np.abs(made.within).max()
    )


def test_a_slice_without_signal_is_found_and_mended(scan, course):
    data = scan.data.copy()
    lost = np.zeros((SHAPE[2], T), bool)
    lost[[8, 9, 12], [3, 7, 15]] = True
    data *= np.where(lost, 0.5, 1.0)
    found = mend_slices(scan._replace(data=data), course)
    np.testing.assert_array_equal(found.dropped, lost)
    inside = scan.mask[:, :, 8]
    error = found.data[:, :, 8, 3] - scan.data[:, :, 8, 3]
    assert np.abs(error[inside]).mean() < 0.1 * scan.data[:, :, 8, 3][inside].mean()
    np.testing.assert_array_equal(found.data[:, :, ~lost], data[:, :, ~lost])


def test_of_two_volumes_the_dark_one_is_dropped(scan, course):
    data = scan.data.copy()
    data[:, :, 9, 0] *= 0.3
    found = mend_slices(scan._replace(data=data), course).dropped
    assert np.argwhere(found).tolist() == [[9, 0]]


def test_a_volume_that_is_alone_is_left(scan, course):
    rows = np.arange(T) != np.flatnonzero(TABLE.is_b0)[1]
    data = scan.data[..., rows].copy()
    data[:, :, 9, 0] = 0
    few = scan._replace(data=data, table=TABLE.subset(rows), dropped=scan.dropped[:, rows])
    found = mend_slices(
        few, course._replace(matrices=course.matrices[rows], coefficients=course.coefficients[rows])
    )
    assert not found.dropped.any()
    np.testing.assert_array_equal(found.data, data)
