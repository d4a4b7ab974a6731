"""Distortion along the phase-encoding axis: heads distorted by moving their signal piece by piece."""

import numpy as np
import pytest

from pipelines.numerics.resample import apply_field, grid_points, sample
from pipelines.numerics.susceptibility import (
    displacement_mm,
    estimate_pair_field,
    field_in_hz,
    shift_in_voxels,
    unwarp,
)
from pipelines.simulated.head import epi_contrast, surround_with_head
from tests.heads import template_at

VOXEL = 4.0
PIECES = 20
NOISE = 0.02


def push(volume, u, axis):
    """Move each twentieth of a voxel by the displacement at its place and let it fall into two voxels."""
    lines, shifts = (np.moveaxis(v, axis, -1).reshape(-1, v.shape[axis]) for v in (volume, u))
    n, out = lines.shape[1], np.zeros(lines.shape)
    rows = np.arange(len(lines))
    for place in np.clip((np.arange(n * PIECES) + 0.5) / PIECES - 0.5, 0, n - 1):
        left = min(int(place), n - 2)
        share = place - left
        mass, shift = ((1 - share) * v[:, left] + share * v[:, left + 1] for v in (lines, shifts))
        at = np.clip(place + shift, 0, n - 1.001)
        low = at.astype(int)
        np.add.at(out, (rows, low), mass / PIECES * (1 - at + low))
        np.add.at(out, (rows, low + 1), mass / PIECES * (at - low))
    moved = np.moveaxis(volume, axis, -1).shape
    return np.moveaxis(out.reshape(moved), -1, axis)


def correlation(a, b, mask):
    return float(np.corrcoef(a[mask], b[mask])[0, 1])


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


@pytest.fixture(scope='module')
def case():
    """Return T1w head, EPI at rest, brain, affine and displacement: 14 mm frontal, 8 and 6 temporal."""
    brain, affine = template_at(VOXEL)
    head, affine = surround_with_head(brain, affine)
    margin = (head.shape[0] - brain.shape[0]) // 2
    inside = np.pad(brain > 0, margin)
    points = grid_points(head.shape, affine).reshape(*head.shape, 3)
    u = np.zeros(head.shape)
    for mm, centre, width in (
        (14, (0, 48, -18), 18),
        (8, (45, -10, -25), 14),
        (6, (-45, -10, -25), 14),
        (-4, (0, -40, 40), 30),
    ):
        u += mm / VOXEL * np.exp(-((points - centre) ** 2).sum(axis=-1) / 2 / width**2)
    return head, epi_contrast(head, inside).astype(np.float32), inside, affine, u


@pytest.fixture(scope='module')
def pair(case):
    rng = np.random.default_rng(0)
    _, true, _, _, u = case
    images = [np.abs(push(true, sign * u, 1) + rng.normal(0, NOISE, u.shape)) for sign in (1, -1)]
    for image in images:
        image.setflags(write=False)
    return images


@pytest.fixture(scope='module')
def found(case, pair):
    return estimate_pair_field(*pair, case[3], axis=1)


def test_planted_field_is_found(case, found):
    """0.03 voxel RMS at 2 % noise; the displacement itself has 0.5, its peak 3.5."""
    *_, inside, _, u = case
    assert rms(u[inside]) > 0.5
    assert rms((found - u)[inside]) < 0.1
    assert np.abs((found - u)[inside]).max() < 0.5


def test_corrected_pair_agrees(case, pair, found):
    _, true, inside, *_ = case
    forward, backward = unwarp(pair[0], found, 1, 1), unwarp(pair[1], found, 1, -1)
    assert correlation(*pair, inside) < 0.5
    assert correlation(forward, backward, inside) > 0.97
    assert correlation(forward + backward, true, inside) > correlation(pair[0], true, inside)


def test_swapped_images_turn_the_sign(case, pair, found):
    """The problem is symmetric; what is left is when the descent stops."""
    swapped = estimate_pair_field(pair[1], pair[0], case[3], axis=1)
    assert rms((swapped + found)[case[2]]) < 0.02


def test_scale_of_an_image_is_free(case, pair, found):
    other = estimate_pair_field(pair[0], 7 * pair[1], case[3], axis=1)
    assert rms((other - found)[case[2]]) < 0.01


def test_equal_images_give_no_field(case):
    _, true, _, affine, _ = case
    np.testing.assert_allclose(estimate_pair_field(true, true, affine, axis=1), 0, atol=1e-4)


@pytest.mark.parametrize('axis', [0, 2])
def test_axis_is_free(case, pair, found, axis):
    """The head turned so that the phase-encoding axis is another one: the same displacement."""
    turned = [np.swapaxes(image, 1, axis) for image in pair]
    other = estimate_pair_field(*turned, np.diag([-VOXEL, VOXEL, VOXEL, 1]), axis=axis)
    assert rms((np.swapaxes(other, 1, axis) - found)[case[2]]) < 0.02


def test_sloppy_stops_early(case, pair):
    """Voxels of 4 mm are the last level of both: the same answer."""
    sloppy = estimate_pair_field(*pair, case[3], axis=1, sloppy=True)
    assert rms((sloppy - case[4])[case[2]]) < 0.1


def test_mask_leaves_out_what_differs(case, pair):
    """A ghost in the air of one image bends the field unless it is masked."""
    inside, u = case[2], case[4]
    ghost = pair[0].copy()
    ghost[:, :8] += 1.5
    error = [
        rms((estimate_pair_field(ghost, pair[1], case[3], axis=1, mask=mask) - u)[inside])
        for mask in (None, np.indices(u.shape)[1] >= 8)
    ]
    assert error[1] < 0.1 < error[0]


def test_unwarp_keeps_the_sum_of_a_line(case):
    """What is pushed and read back with the Jacobian weighs the same (linear pieces: 1 %)."""
    _, true, _, _, u = case
    back = unwarp(push(true, u, 1), u, 1, 1)
    np.testing.assert_allclose(back.sum(), true.sum(), rtol=0.01)


def test_without_modulation_a_constant_stays():
    u = np.random.default_rng(1).uniform(-1, 1, (3, 9, 3))
    np.testing.assert_allclose(unwarp(np.full(u.shape, 5.0), u, 1, 1, modulate=False), 5, rtol=1e-5)


def test_vectors_read_the_same_values(case, found):
    """A field in mm through the resampler equals the shift along the axis, to linear interpolation."""
    _, true, inside, affine, _ = case
    points = apply_field(displacement_mm(found, affine, 1), affine, grid_points(true.shape, affine))
    values = sample(true, affine, points, order=3).reshape(true.shape)
    expected = unwarp(true, found, 1, 1, modulate=False)
    np.testing.assert_allclose(values[inside], expected[inside], atol=1e-3)


def test_field_serves_another_scan():
    u = np.array([-2.0, 0, 3])
    np.testing.assert_allclose(shift_in_voxels(field_in_hz(u, 0.05), 0.025), u / 2)


def test_refuses_what_is_no_pair():
    volume = np.ones((6, 6, 6))
    with pytest.raises(ValueError, match='one shape'):
        estimate_pair_field(volume, volume[:5], np.eye(4), axis=1)
    with pytest.raises(ValueError, match='one shape'):
        estimate_pair_field(volume, volume, np.eye(4), axis=3)
    with pytest.raises(ValueError, match='empty'):
        estimate_pair_field(volume, 0 * volume, np.eye(4), axis=1)
    with pytest.raises(ValueError, match='polarity'):
        unwarp(volume, volume, 1, 0)
    with pytest.raises(ValueError, match='positive'):
        field_in_hz(volume, 0.0)
