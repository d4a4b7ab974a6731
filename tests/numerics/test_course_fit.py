"""Planted eddy currents, motion and dropped slices are found again, and what is measured is as if they were not there."""

import numpy as np
import pytest
from scipy import ndimage

from pipelines.numerics import dwi
from pipelines.numerics.course_fit import SMOOTHNESSES, estimate_course
from pipelines.numerics.course_views import DiffusionScan
from pipelines.numerics.gradients import rotate
from pipelines.numerics.motion import rigid_matrix
from pipelines.numerics.resample import apply_linear, grid_points, sample
from pipelines.numerics.tensor import fit_tensor
from pipelines.simulated.diffusion import gradient_table
from tests import eddied


def whole_sphere(b, n=32):
    return gradient_table(n, (b,), n_b0=3)


def half_sphere(b, n=32):
    bvals, bvecs = whole_sphere(b, n)
    return bvals, np.where(bvecs[:, 2:] < 0, -bvecs, bvecs)


def left_over(scan, course):
    """Return the displacement (T, N) mm that is left in the brain, one rigid movement of all volumes apart."""
    told = scan.table.is_b0 if scan.table.is_b0.any() else np.ones(len(scan.table.bvals), bool)
    points = grid_points(scan.brain.shape, scan.affine)[scan.brain.ravel()][::5]
    errors = []
    for k, matrix in enumerate(scan.planted.matrices):
        there = apply_linear(matrix, points)
        there[:, 1] += scan.planted.displacement(k, there)
        errors.append((course.places(k, points)[0] - there) @ matrix[:3, :3])
    errors = np.array(errors)
    # where the reference lies is free: b = 0 alone says it
    mean = errors[told].mean(axis=0)
    offsets = points - points.mean(axis=0)
    turns = np.stack([np.cross(axis, offsets) for axis in np.eye(3)], axis=2)
    design = np.concatenate([np.broadcast_to(np.eye(3), (len(points), 3, 3)), turns], axis=2)
    free = np.linalg.lstsq(design.reshape(-1, 6), mean.ravel(), rcond=None)[0]
    return np.linalg.norm(errors - design @ free, axis=2)


def reference_of(scan, course):
    """Return (4, 4) points of the head to points of the reference that was found; b = 0 says it."""
    first = np.flatnonzero(scan.table.is_b0)[0]
    return np.linalg.inv(course.matrices[first]) @ scan.planted.matrices[first]


def planted_course(scan, course):
    """Return what was planted as a course."""
    return course._replace(
        matrices=scan.planted.matrices, coefficients=scan.planted.coefficients, centre=scan.planted.centre
    )


def aligned(scan, axis=1, **options):
    mask = dwi.find_mask(scan.data)
    return dwi.align(scan.data, scan.table, scan.affine, mask, axis, **options)


def tract_fa(scan, data, course, matrix):
    points = apply_linear(matrix, grid_points(scan.brain.shape, scan.affine)[scan.tract.ravel()])
    signals = np.empty((len(points), data.shape[3]), np.float32)
    for k in range(data.shape[3]):
        at, factor = course.places(k, points)
        signals[:, k] = sample(data[..., k], scan.affine, at, 3) * factor
    table = scan.table._replace(bvecs=rotate(scan.table.bvecs, course.matrices @ matrix))
    return fit_tensor(signals.clip(0), table).fa.mean()


@pytest.fixture(scope='module')
def scan():
    """32 directions on one half of the sphere, as scanners have them, b = 1,000; 5 % of the slices lost signal."""
    made = eddied.make_scan(*half_sphere(1000.0), np.random.default_rng(1), voxel=3.0, dropped=0.05)
    made.data.setflags(write=False)
    return made


@pytest.fixture(scope='module')
def found(scan):
    return aligned(scan)


def test_little_of_the_displacement_is_left(scan, found):
    at_rest = found.course._replace(
        matrices=np.tile(np.eye(4), found.course.matrices[:, :1, :1].shape),
        coefficients=0 * found.course.coefficients,
    )
    weighted = ~scan.table.is_b0
    before, after = (np.percentile(left_over(scan, c)[weighted], 95) for c in (at_rest, found.course))
    print(f'displacement, 95th percentile in the brain: {before:.2f} mm, {after:.2f} mm are left')
    assert before > 3
    assert after < 0.3


def test_directions_are_those_of_the_head(scan, found):
    matrices = found.course.matrices @ reference_of(scan, found.course)
    turned, truth = (
        rotate(scan.table.bvecs, m)[~scan.table.is_b0] for m in (matrices, scan.planted.matrices)
    )
    angles = np.degrees(np.arccos(np.sum(turned * truth, axis=1).clip(-1, 1)))
    assert np.percentile(angles, 95) < 0.5


def test_anisotropy_is_that_of_a_head_at_rest(scan, found):
    n = len(scan.table.bvals)
    rest = found.course._replace(matrices=np.tile(np.eye(4), (n, 1, 1)), coefficients=np.zeros((n, 10)))
    truth, spoilt = (tract_fa(scan, d, rest, np.eye(4)) for d in (scan.still, scan.data))
    corrected = tract_fa(scan, found.data, found.course, reference_of(scan, found.course))
    ideal = tract_fa(scan, found.data, planted_course(scan, found.course), np.eye(4))
    print(
        f'FA of the tract: {truth:.4f}, spoilt {spoilt:.4f}, corrected {corrected:.4f}, by the truth {ideal:.4f}'
    )
    # what interpolation alone does to a tract of three voxels is in both
    assert abs(corrected - ideal) < 0.005
    assert abs(corrected - truth) < abs(spoilt - truth) / 3


def test_dropped_slices_are_found(scan, found):
    lost = scan.lost > 0
    area = scan.brain.sum(axis=(0, 1)) * 9.0
    rows = area > 1000
    hits, false = np.mean(found.dropped[rows][lost[rows]]), np.mean(found.dropped[~lost])
    print(f'dropped slices: {hits:.3f} found, {false:.4f} of the others taken for one')
    assert hits > 0.9
    assert false < 0.01


def test_dropped_slices_are_replaced_and_others_left(scan, found):
    clean = scan.data / np.where(scan.lost < 1, 1 - scan.lost, np.nan)
    inner = ndimage.binary_erosion(scan.brain, iterations=2)
    strong = found.dropped & (scan.lost < 0.6)
    z, t = np.nonzero(strong & (inner.sum(axis=(0, 1))[:, None] > 100))
    errors = [
        np.mean([np.abs(d[inner[:, :, a], a, b] - clean[inner[:, :, a], a, b]).mean() for a, b in zip(z, t)])
        for d in (scan.data, found.data)
    ]
    assert errors[1] < 0.4 * errors[0]
    np.testing.assert_array_equal(found.data[:, :, ~found.dropped], scan.data[:, :, ~found.dropped])


@pytest.mark.long
@pytest.mark.parametrize(('b', 'limit'), [(1000.0, 0.35), (3000.0, 0.45)])
def test_large_voxels_and_strong_weighting(b, limit):
    scan = eddied.make_scan(*whole_sphere(b), np.random.default_rng(2), voxel=4.0)
    left = np.percentile(left_over(scan, aligned(scan).course)[~scan.table.is_b0], 95)
    print(f'b = {b:.0f}: {left:.2f} mm')
    assert left < limit


@pytest.fixture
def jumpy():
    """A head that lies elsewhere in every volume, without eddy currents."""
    bvals, bvecs = whole_sphere(1000.0, 16)
    return eddied.make_scan(bvals, bvecs, np.random.default_rng(3), voxel=6.0, largest=0.0, moved=3.0)


def test_without_an_axis_motion_alone_is_found(jumpy):
    course = aligned(jumpy, None).course
    assert not course.coefficients.any()
    assert not course.direction.any()
    left = left_over(jumpy, course)
    rest = course._replace(matrices=np.tile(np.eye(4), (len(course.matrices), 1, 1)))
    assert np.percentile(left, 95) < 0.5 * np.percentile(left_over(jumpy, rest), 95)


def test_coarse_is_near(jumpy):
    """What tests use: one resolution, no refinement."""
    course = aligned(jumpy, 1, sloppy=True).course
    assert np.median(left_over(jumpy, course)) < 1.0


def test_a_refined_course_starts_from_what_is_given(jumpy):
    scan = DiffusionScan(
        jumpy.data,
        jumpy.table,
        jumpy.affine,
        jumpy.brain,
        jumpy.brain,
        1,
        np.zeros((jumpy.data.shape[2], jumpy.data.shape[3]), bool),
    )
    start = estimate_course(scan, levels=SMOOTHNESSES[:1])
    again = estimate_course(scan, start=start, levels=())
    np.testing.assert_allclose(again.matrices, start.matrices, atol=1e-12)
    np.testing.assert_allclose(again.coefficients, start.coefficients, atol=1e-12)
    finer = estimate_course(scan, start=start, levels=SMOOTHNESSES[2:])
    assert np.percentile(left_over(jumpy, finer), 95) < np.percentile(left_over(jumpy, start), 95)


def test_a_large_jump_is_followed():
    bvals, bvecs = whole_sphere(1000.0, 16)
    scan = eddied.make_scan(bvals, bvecs, np.random.default_rng(4), voxel=6.0, largest=0.0, moved=0.5)
    jump = rigid_matrix(np.array([4.0, -3, 3, 0.03, 0.05, -0.04]), np.zeros(3))
    moved = scan.planted.matrices.copy()
    moved[9:] = jump @ moved[9:]
    made = eddied.acquire_again(scan, moved)
    left = left_over(made, aligned(made, None).course)
    assert np.percentile(left, 95) < 1.0


SERIES = {
    'two shells': ([16, 16], (1000.0, 2500.0), slice(None)),
    'no b = 0': ([16], (1000.0,), slice(1, None)),
    'twelve directions': ([12], (1000.0,), slice(None)),
    'six directions': ([6], (1000.0,), slice(None)),
    'three directions': ([6], (1000.0,), slice(0, 4)),
    'one direction': ([6], (1000.0,), slice(0, 2)),
}


@pytest.mark.parametrize('name', SERIES)
@pytest.mark.parametrize('depth', [1, pytest.param(2, marks=pytest.mark.long)])
def test_series_of_any_kind_are_brought_nearer(name, depth):
    """Cubic voxels of 6 mm, and slices of twice that; few volumes say little, but nothing is made worse."""
    counts, shells, chosen = SERIES[name]
    bvals, bvecs = (part[chosen] for part in gradient_table(counts[0], shells, n_b0=1))
    made = eddied.make_scan(bvals, bvecs, np.random.default_rng(3), voxel=6.0, largest=2.0, moved=3.0)
    scan = eddied.thicken(made) if depth > 1 else made
    assert scan.table.is_b0.sum() <= 1
    found = aligned(scan)
    assert np.isfinite(found.data).all()
    rest = found.course._replace(
        matrices=np.tile(np.eye(4), (len(bvals), 1, 1)), coefficients=0 * found.course.coefficients
    )
    left, before = (np.sqrt(np.mean(left_over(scan, c) ** 2)) for c in (found.course, rest))
    assert left < (0.4 * before if len(bvals) > 10 else before)
    assert found.dropped.mean() < 0.03


def test_a_series_of_b0_alone():
    bvals, bvecs = np.zeros(5), np.zeros((5, 3))
    still = eddied.make_scan(
        *whole_sphere(1000.0, 6), np.random.default_rng(3), voxel=6.0, largest=0.0, moved=2.0
    )
    rows = np.flatnonzero(still.table.is_b0)[[0, 1, 2, 0, 1]]
    scan = still._replace(
        data=still.data[..., rows],
        table=still.table._replace(bvals=bvals, bvecs=bvecs, planned=bvecs),
        planted=still.planted._replace(
            matrices=still.planted.matrices[rows], coefficients=still.planted.coefficients[rows]
        ),
    )
    course = aligned(scan).course
    assert not course.coefficients.any()
    assert np.percentile(left_over(scan, course), 95) < 0.5


def test_one_volume_stays_where_it_is():
    made = eddied.make_scan(*whole_sphere(1000.0, 6), np.random.default_rng(3), voxel=6.0)
    alone = DiffusionScan(
        made.data[..., :1], made.table.subset(np.arange(9) < 1), made.affine, made.brain, made.brain, 1,
        np.zeros((made.data.shape[2], 1), bool),
    )  # fmt: skip
    np.testing.assert_allclose(estimate_course(alone).matrices, np.eye(4)[None], atol=1e-9)
