import numpy as np
import pytest

from pipelines.numerics import gradients
from pipelines.numerics.tensor import fit_tensor
from pipelines.simulated.diffusion import cylinder, gradient_table

OBLIQUE = np.array([[2.0, 0.3, 0, 5], [-0.3, 2.0, 0.4, 7], [0, -0.4, 2.5, 9], [0, 0, 0, 1]])


@pytest.fixture
def plan():
    """12 directions at b = 1000 and two volumes of b = 0, in the frame of the image."""
    b, g = gradient_table(12, (1000.0,), n_b0=2)
    for array in (b, g):
        array.setflags(write=False)
    return b, g


def turn(axis, degrees):
    """Return a (3, 3) rotation about an axis by the formula of Rodrigues."""
    x, y, z = np.asarray(axis) / np.linalg.norm(axis)
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew


def four(matrix, scale=1.0):
    whole = np.eye(4)
    whole[:3, :3] = matrix * scale
    return whole


@pytest.mark.parametrize('mirror', [1, -1])
def test_directions_become_those_of_the_world(plan, mirror):
    """An axis of the image, FSL's x turned round for a positive determinant, mapped by its unit column."""
    b, g = plan
    rotation = turn([1, 2, 3], 25) @ np.diag([mirror, 1, 1])
    found = gradients.read_gradients(b, g.T, four(rotation, 2.5), 14)
    columns = rotation * ([-1, 1, 1] if np.linalg.det(rotation) > 0 else [1, 1, 1])
    wanted = sum(g[:, [k]] * columns[:, k] for k in range(3))
    np.testing.assert_allclose(found.bvecs, wanted, atol=1e-12)
    np.testing.assert_array_equal(found.bvals, b)
    assert found.is_b0.sum() == 2


def test_zooms_do_not_tilt_directions(plan):
    found = gradients.read_gradients(*plan, np.diag([1.0, 2, 5, 1]), 14)
    np.testing.assert_allclose(found.bvecs, plan[1] * [-1, 1, 1], atol=1e-12)


def test_both_layouts_are_read(plan):
    wide = gradients.read_gradients(plan[0], plan[1].T, OBLIQUE, 14)
    tall = gradients.read_gradients(plan[0], plan[1], OBLIQUE, 14)
    np.testing.assert_array_equal(wide.bvecs, tall.bvecs)
    np.testing.assert_allclose(np.linalg.norm(wide.bvecs[~wide.is_b0], axis=1), 1, atol=1e-12)


def test_a_shell_written_as_length_of_the_vector_is_read(plan):
    """b is proportional to the square of the gradient: a vector of length sqrt(1/2) halves it."""
    b, g = plan
    short = g.copy()
    short[1::2] *= np.sqrt(0.5)
    found = gradients.read_gradients(b, short, np.eye(4), 14)
    wanted = np.where(b == 0, 0, np.where(np.arange(14) % 2, 500, 1000))
    np.testing.assert_allclose(found.bvals, wanted, rtol=1e-12)
    np.testing.assert_allclose(found.bvecs, g * [-1, 1, 1], atol=1e-12)
    rounded = gradients.read_gradients(b, g * 1.02, np.eye(4), 14)  # a length rounded in a file is no shell
    np.testing.assert_array_equal(rounded.bvals, b)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda b, g: (b[:-1], g), '14 volumes, bval 13 values and bvec 14'),
        (lambda b, g: (b, g[:-1]), 'bvec 13 directions'),
        (lambda b, g: (b, g[:, :2]), 'directions'),
        (lambda b, g: (b * 1e6, g), 's/m.2, not s/mm.2. Divide bval by 1,000,000'),
        (lambda b, g: (b / 1e3, g), 'perhaps ms/um.2'),
        (lambda b, g: (-b, g), 'negative or no numbers'),
        (lambda b, g: (np.where(b, b, np.nan), g), 'negative or no numbers'),
        (lambda b, g: (b * 0, g), 'no volume is diffusion-weighted'),
        (lambda b, g: (b, np.where(np.arange(14)[:, None] == 3, 0, g)), 'volume 3 .* but no direction'),
        (lambda b, g: (b, np.where(np.arange(14)[:, None] == 4, np.nan, g)), 'volume 4 .* but no direction'),
        (lambda b, g: (b, np.where(b[:, None] > 0, g[1], 0)), 'only 1 different directions'),
        (lambda b, g: (np.where(np.arange(14) < 6, b, 0), g), 'only 5 different directions'),
    ],
)
def test_a_table_that_cannot_be_used_says_why(plan, change, message):
    with pytest.raises(ValueError, match=message):
        gradients.read_gradients(*change(*plan), np.eye(4), 14)


def test_opposite_directions_and_repeats_count_once(plan):
    g = plan[1][plan[0] > 0]
    assert gradients.count_directions(np.vstack([g, -g, g])) == 12
    near, far = (turn([1, 0, 0], angle) @ [0, 0, 1.0] for angle in (0.4, 0.6))
    assert gradients.count_directions(np.array([[0, 0, 1.0], near])) == 1
    assert gradients.count_directions(np.array([[0, 0, 1.0], far])) == 2


def test_repeats_are_told_by_the_plan_after_the_head_has_moved(plan):
    b, g = np.tile(plan[0], 2), np.tile(plan[1], (2, 1))
    table = gradients.read_gradients(b, g, np.eye(4), 28)
    moves = np.array([four(turn([0, 1, 0], 0.2 * number)) for number in range(28)])
    moved = table._replace(bvecs=gradients.rotate(table.bvecs, moves))
    assert moved.directions(np.ones(28, bool)) == 12
    assert gradients.count_directions(moved.bvecs[~moved.is_b0]) > 12
    assert moved.subset(np.arange(28) < 14).directions(np.ones(14, bool)) == 12


def test_a_tensor_seen_by_a_turned_head_comes_back(plan):
    """In a turned head the fibre lies along R f; with turned directions the tensor finds f."""
    b, g = gradient_table(30)
    rotation, fibre = turn([1, -1, 2], 17), np.array([0.6, 0.0, 0.8])
    along, across = cylinder(np.array(0.7), np.array(0.75e-3))
    signal = np.exp(-b * (across + (along - across) * (g @ (rotation @ fibre)) ** 2))[None]
    shifted = four(rotation, 1.02)  # a scale does not count
    shifted[:3, 3] = [3, 4, 5]
    table = gradients.Gradients(b, gradients.rotate(g, shifted), g)
    assert abs(fit_tensor(signal, table).evec[0] @ fibre) == pytest.approx(1, abs=1e-6)
    assert abs(fit_tensor(signal, table._replace(bvecs=g)).evec[0] @ fibre) < 0.995
    each = gradients.rotate(g, np.tile(shifted, (len(g), 1, 1)))
    np.testing.assert_array_equal(each, table.bvecs)


def test_shells_split_where_b_jumps():
    b = np.array([0, 5, 99, 690, 700, 715, 1500, 2000, 1990, 2100])
    found = gradients.find_shells(b)
    assert [value for value, _ in found] == [700, 1500, 2000]
    np.testing.assert_array_equal(np.sum([rows for _, rows in found], axis=0), b > 100)
    assert gradients.find_shells(np.zeros(3)) == []


@pytest.mark.parametrize(('count', 'order'), [(15, 4), (27, 4), (28, 6), (44, 6), (45, 8), (200, 8)])
def test_the_order_has_no_more_coefficients_than_directions(count, order):
    assert gradients.harmonic_order(count) == order
    assert (order + 1) * (order + 2) // 2 <= count


def test_too_few_directions_are_refused():
    with pytest.raises(ValueError, match='14 different directions: fibre orientations need 15'):
        gradients.harmonic_order(14)


@pytest.mark.parametrize('wrong', ['none', 'x', 'y', 'z'])
def test_a_wrong_flip_is_told_by_fibres_that_do_not_join(wrong):
    """A flat ring about a tilted axis: directions mirrored along an axis leave it."""
    position = np.moveaxis(np.indices((20, 20, 20)), 0, -1) - 9.5
    axis = np.array([1.0, 2, 3]) / np.sqrt(14)
    ring = np.cross(axis, position)
    radius = np.linalg.norm(ring, axis=-1)
    fa = np.where((radius > 5) & (radius < 9) & (np.abs(position @ axis) < 1.5), 0.6, 0.0)
    evec = ring / np.maximum(radius, 1e-9)[..., None]
    flip = {'none': [1, 1, 1], 'x': [-1, 1, 1], 'y': [1, -1, 1], 'z': [1, 1, -1]}[wrong]
    found, gain = gradients.best_convention(evec * flip, fa)
    assert found == wrong
    assert gain == 1 if wrong == 'none' else gain > 1.03
