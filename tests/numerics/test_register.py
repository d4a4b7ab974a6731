"""Registration: planted moves and diffeomorphisms on a simulated brain, inverses, repetition, what is refused."""

import os

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from pipelines.numerics import greedy, itk
from pipelines.numerics.register import bias_correct, register_nonlinear, register_rigid
from pipelines.numerics.resample import apply_field, apply_linear, grid_points, resample, sample
from pipelines.simulated.head import scan, small_affine, small_rigid
from tests.heads import TEMPLATE, template_at

VOXEL = 4.0
OBLIQUE = np.array([[-1.9, 0.3, 0.1, 80], [0.25, 2.0, -0.4, -90], [0.2, 0.35, 2.4, -60], [0, 0, 0, 1]])


@pytest.fixture(scope='module')
def planted():
    """Return the template, a brain made of it, and the way from its points to those of that brain.

    The way is a smooth displacement of 8 mm at most, then an affine.
    """
    rng = np.random.default_rng(11)
    values, affine = template_at(VOXEL)
    field = np.stack(
        [ndimage.gaussian_filter(rng.standard_normal(values.shape), 4) for _ in range(3)], axis=-1
    )
    field *= 8 / np.linalg.norm(field, axis=-1).max()
    matrix = small_affine(rng)

    def there(points):
        return apply_linear(matrix, apply_field(field, affine, points))

    # points of the brain come from points of the template: the inverse, by fixed point
    grid = grid_points(values.shape, affine)
    back = grid_points(values.shape, affine)
    for _ in range(30):
        back += grid - there(back)
    brain = scan(sample(values, affine, back).reshape(values.shape), rng)
    brain.setflags(write=False)
    return values, affine, brain, there


@pytest.fixture(scope='module')
def found(planted):
    values, affine, brain, _ = planted
    return register_nonlinear(values, affine, brain, affine, rng=np.random.default_rng(1), sloppy=True)


def inside(planted):
    values, affine, *_ = planted
    core = ndimage.binary_erosion(values > 0.2 * values.max(), iterations=2)
    return grid_points(values.shape, affine)[core.ravel()]


def lengths(vectors):
    return np.linalg.norm(vectors, axis=1)


def test_planted_diffeomorphism_is_found(planted, found):
    """At 4 mm to less than a voxel for nineteen of twenty points, in the middle to a third of one.

    The affine part alone leaves more than twice as much.
    """
    points = inside(planted)
    truth = planted[3](points)
    error = lengths(apply_field(found.forward_field, found.forward_affine, points) - truth)
    assert np.median(error) < VOXEL / 3
    assert np.percentile(error, 95) < VOXEL
    assert np.median(lengths(apply_linear(found.linear, points) - truth)) > 2 * np.median(error)


def test_the_way_back_is_the_inverse(planted, found):
    """To a tenth of a voxel: both are linear between voxels."""
    points = inside(planted)
    there = apply_field(found.forward_field, found.forward_affine, points)
    back = apply_field(found.inverse_field, found.inverse_affine, there)
    assert np.percentile(lengths(back - points), 95) < VOXEL / 10


def test_nothing_is_folded(found):
    spacing = np.linalg.norm(found.forward_affine[:3, :3], axis=0)
    flip = np.sign(np.diag(found.forward_affine)[:3])
    jacobian = np.stack(
        [np.stack(np.gradient(found.forward_field[..., c], *(spacing * flip)), axis=-1) for c in range(3)],
        axis=-2,
    ) + np.eye(3)
    assert (np.linalg.det(jacobian) > 0).mean() > 0.999


def test_the_same_seed_gives_the_same_bits_and_another_the_same_place(planted, found):
    values, affine, brain, _ = planted
    same, other = (
        register_nonlinear(values, affine, brain, affine, rng=np.random.default_rng(seed), sloppy=True)
        for seed in (1, 2)
    )
    for name in found._fields:
        np.testing.assert_array_equal(getattr(same, name), getattr(found, name))
    points = inside(planted)
    places = [apply_field(warp.forward_field, warp.forward_affine, points) for warp in (found, other)]
    assert np.percentile(lengths(places[0] - places[1]), 95) < VOXEL / 2


def test_a_matrix_with_shear_starts_greedy_where_it_says(planted):
    """Where the linear part is all there is, the fields are next to none."""
    values, affine, *_ = planted
    shear = np.eye(4)
    shear[0, 1] = 0.2
    moved = resample(values, affine, values.shape, affine, linear=np.linalg.inv(shear))
    there, back = greedy.run_diffeomorphic(
        (values, affine), (moved, affine), initial=shear, iterations=(30, 20), rng=np.random.default_rng(0)
    )
    core = ndimage.binary_erosion(values > 0.2 * values.max(), iterations=2)
    for field in (there, back):
        # half a voxel: the moved image was interpolated
        assert np.percentile(np.linalg.norm(field[core], axis=-1), 95) < VOXEL / 2


@pytest.mark.parametrize('metric', ['MI', 'GC'])
def test_planted_move_is_found(metric, rng):
    """A turn of 3 degrees and 4 mm: to a quarter of a voxel in the corners of a head."""
    values, affine = TEMPLATE
    move = small_rigid(rng)
    moving = resample(values, affine, values.shape, affine, linear=np.linalg.inv(move))
    found = register_rigid(values, affine, scan(moving, rng), affine, metric=metric, rng_seed=4)
    corners = np.array([[x, y, z] for x in (-70, 70) for y in (-100, 70) for z in (-40, 75)], float)
    assert lengths(apply_linear(found, corners) - apply_linear(move, corners)).max() < 0.5


def test_an_affine_is_found_that_a_rigid_move_is_not(rng):
    values, affine = template_at(VOXEL)
    truth = small_affine(rng)
    moving = scan(resample(values, affine, values.shape, affine, linear=np.linalg.inv(truth)), rng)
    points = apply_linear(affine, np.argwhere(values > 0.3 * values.max()).astype(float))
    rigid, full = (
        register_rigid(values, affine, moving, affine, model=model, rng_seed=4)
        for model in ('Rigid', 'Affine')
    )
    errors = [
        np.median(lengths(apply_linear(m, points) - apply_linear(truth, points))) for m in (rigid, full)
    ]
    assert errors[1] < VOXEL / 5 < errors[0]


def test_seed_0_is_refused():
    """It means the clock to ITK."""
    image = np.ones((4, 4, 4)), np.eye(4)
    with pytest.raises(ValueError, match='rng_seed 0'):
        itk.run_linear(*[image] * 2, itk.Stage('Rigid', 'MI', (1.0,), 1), initial=np.eye(4), rng_seed=0)


def test_images_that_do_not_overlap_end_in_an_error():
    values, affine = template_at(8.0)
    away = np.eye(4)
    away[0, 3] = 900
    with pytest.raises(RuntimeError):
        register_rigid(values, affine, values, affine, initial=away, rng_seed=1)


@pytest.mark.parametrize('affine', [OBLIQUE, np.diag([-2.0, 3, 4, 1]), np.diag([2.0, 2, 2, 1])])
def test_an_image_keeps_its_place(affine, rng):
    """A voxel lies where its affine says, in LPS."""
    volume = rng.random((5, 6, 7)).astype(np.float32)
    image = itk.to_itk(volume, affine)
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    matrix[:3, 3] = image.GetOrigin()
    np.testing.assert_allclose(itk.LPS_FROM_RAS @ matrix, affine, atol=1e-12)
    assert image.GetPixel(1, 2, 3) == volume[1, 2, 3]
    point = np.array(image.TransformIndexToPhysicalPoint((1, 2, 3))) * [-1, -1, 1]
    np.testing.assert_allclose(point, apply_linear(affine, np.array([1.0, 2, 3])), atol=1e-9)


def test_a_field_comes_back_in_ras(rng):
    values = rng.random((4, 3, 2, 3))
    image = sitk.GetImageFromArray(values, isVector=True)
    np.testing.assert_array_equal(itk.ras_displacement(image)[1, 2, 3], (values * [-1, -1, 1])[3, 2, 1])


@pytest.mark.parametrize('bad', [np.ones((3, 3)), np.full((3, 3, 3), np.nan)])
def test_what_is_no_image_is_refused(bad):
    with pytest.raises(ValueError, match='finite three-dimensional'):
        itk.to_itk(bad, np.eye(4))


def test_an_empty_image_has_the_centre_of_its_box():
    np.testing.assert_allclose(itk.centre_of_mass(np.zeros((3, 5, 7)), np.eye(4)), [1, 2, 3])


def test_planted_bias_is_divided_out(rng):
    """A field of a third from side to side: a tenth of its spread is left at most, and the median stays.

    Against what is found in the template as it is, whose cortex is darker than its deep white matter.
    """
    values, affine = TEMPLATE
    x, y, _ = grid_points(values.shape, affine).T.reshape(3, *values.shape) / 90
    truth = 0.2 * x - 0.12 * y + 0.08 * x * y
    noise = 0.015 * np.percentile(values, 99)
    clean = values + rng.normal(0, noise, values.shape)
    uneven = (clean * np.exp(truth)).astype(np.float32)
    mask = values > 0.3 * values.max()
    even, field = bias_correct(uneven, affine, mask)
    error = (np.log(field) - np.log(bias_correct(clean, affine, mask)[1]) - truth)[mask]
    assert error.std() < truth[mask].std() / 10
    assert np.median(even[mask]) == pytest.approx(np.median(uneven[mask]), rel=1e-3)


def test_threads_are_those_that_were_asked_for():
    assert os.environ['ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS']
    assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == int(
        os.environ['ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS']
    )
