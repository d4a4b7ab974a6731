"""Displacement from the T1w image alone: better than nothing on planted distortion, near nothing without."""

import numpy as np
import pytest

from pipelines.numerics.resample import grid_points
from pipelines.numerics.susceptibility import unwarp
from pipelines.numerics.susceptibility_t1w import register_along_axis
from pipelines.simulated.head import epi_contrast, surround_with_head
from tests.heads import template_at

from .test_susceptibility import correlation, push, rms

VOXEL = 4.0
NOISE = 0.02


@pytest.fixture(scope='module')
def scans():
    """Return T1w head with a slope of 20 % and noise, brain, EPI along +, EPI along -, EPI at rest, affine and u."""
    rng = np.random.default_rng(1)
    brain, affine = template_at(VOXEL)
    head, affine = surround_with_head(brain, affine)
    inside = np.pad(brain > 0, (head.shape[0] - brain.shape[0]) // 2)
    true = epi_contrast(head, inside).astype(np.float32)
    points = grid_points(head.shape, affine).reshape(*head.shape, 3)
    u = np.zeros(head.shape)
    for mm, centre, width in ((14, (0, 48, -18), 18), (8, (45, -10, -25), 14), (-4, (0, -40, 40), 30)):
        u += mm / VOXEL * np.exp(-((points - centre) ** 2).sum(axis=-1) / 2 / width**2)
    t1w = head * (1 + 0.1 * np.linspace(-1, 1, head.shape[0]))[:, None, None]
    images = [t1w, inside, push(true, u, 1), push(true, -u, 1), true]
    noisy = [image if image.dtype == bool else image + rng.normal(0, NOISE, u.shape) for image in images]
    for image in noisy:
        image.setflags(write=False)
    return (*noisy, affine, u)


def register(scans, number, **changes):
    return register_along_axis(*scans[:2], scans[number], scans[5], **{'axis': 1, 'rng_seed': 1} | changes)


@pytest.mark.parametrize(('number', 'sign'), [(2, 1), (3, -1)])
def test_part_of_the_displacement_is_found(scans, number, sign):
    """A tenth at least of the RMS error goes, nowhere is it made worse, and the sign is that of the encoding."""
    inside, u = scans[1], sign * scans[6]
    found = register(scans, number)
    assert rms((found - u)[inside]) < 0.9 * rms(u[inside])
    assert np.max((np.abs(found - u) - np.abs(u))[inside]) < 0.3
    assert correlation(found, u, inside) > 0.7
    assert np.polyfit(u[inside], found[inside], 1)[0] < 1


@pytest.mark.parametrize('number', [2, 3])
def test_image_comes_nearer_to_the_truth(scans, number):
    _, inside, *_, rest, _, _ = scans
    undone = unwarp(scans[number], register(scans, number), 1, 1)
    assert correlation(undone, rest, inside) > correlation(scans[number], rest, inside)


@pytest.mark.parametrize('sloppy', [False, True])
def test_no_distortion_gives_little(scans, sloppy):
    assert np.abs(register(scans, 4, sloppy=sloppy)[scans[1]]).max() < 0.1


def test_scale_of_the_images_is_free(scans):
    t1w, inside, epi, *_, affine, _ = scans
    other = register_along_axis(9 * t1w, inside, 7 * epi, affine, axis=1, rng_seed=1)
    np.testing.assert_allclose(other[inside], register(scans, 2)[inside], atol=0.02)


@pytest.mark.parametrize('axis', [0, 2])
def test_axis_is_free(scans, axis):
    turned = [np.swapaxes(image, 1, axis) for image in scans[:3]]
    other = register_along_axis(*turned, np.diag([-VOXEL, VOXEL, VOXEL, 1]), axis=axis, rng_seed=1)
    np.testing.assert_allclose(np.swapaxes(other, 1, axis)[scans[1]], register(scans, 2)[scans[1]], atol=0.1)


def test_wrong_arguments_are_named(scans):
    t1w, inside, epi, *_, affine, _ = scans
    with pytest.raises(ValueError, match='axis'):
        register_along_axis(t1w, inside, epi, affine, axis=3, rng_seed=1)
    with pytest.raises(ValueError, match='one shape'):
        register_along_axis(t1w, inside, epi[1:], affine, axis=1, rng_seed=1)
    with pytest.raises(ValueError, match='brain mask is empty'):
        register_along_axis(t1w, np.zeros_like(inside), epi, affine, axis=1, rng_seed=1)
