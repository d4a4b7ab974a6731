"""A head of many fibre directions whose diffusion scans eddy currents, motion and dropped slices spoil."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from pipelines.numerics.gradients import Gradients
from pipelines.numerics.resample import apply_linear, grid_points, sample, voxel_sizes
from pipelines.simulated import eddy
from pipelines.simulated.diffusion import add_rician, cylinder
from tests.heads import template_at

S0 = 1000.0
_TRACT_FA = 0.6
_T2 = {'white': 0.85, 'grey': 1.0, 'fluid': 1.6}  # signal without weighting


class Head(NamedTuple):
    """Shares of white, grey matter, fluid and tract (X, Y, Z, 4) on a fine grid; the brain's points (N, 3)."""

    shares: np.ndarray
    affine: np.ndarray

    def signal(self, points, b, g):
        """Return the signal (N,): two bundles cross in white matter at angles that change from place to place."""
        shares = sample(self.shares, self.affine, points)
        shown = shares.sum(axis=1) > 0
        signal = np.zeros(len(points))
        signal[shown] = self._inside(points[shown], shares[shown].T, b, g)
        return signal

    def _inside(self, points, shares, b, g):
        white, grey, fluid, tract = shares
        total = np.zeros(len(points))
        for number, (share, fa) in enumerate(((0.65, 0.65), (0.35, 0.6))):
            total += white * share * _decay(fibre(points, number), fa, b, g)
        total += tract * _decay(along(points), _TRACT_FA, b, g)
        total *= _T2['white']
        total += grey * _T2['grey'] * np.exp(-b * 0.85e-3) + fluid * _T2['fluid'] * np.exp(-b * 3e-3)
        return S0 * total


def _decay(direction, fa, b, g):
    fast, slow = cylinder(np.array(fa), np.array(0.75e-3))
    # a part of the water is hindered: the decay is not that of one tensor
    cosine = (direction @ g) ** 2
    return 0.7 * np.exp(-b * (slow + (fast - slow) * cosine)) + 0.3 * np.exp(
        -b * (0.25 * slow + (1.2 * fast - 0.25 * slow) * cosine)
    )


def fibre(points, number):
    """Return unit vectors (N, 3) of one of two bundles: they turn within centimetres, as those of a brain do."""
    rng = np.random.default_rng(number)
    vectors = np.zeros((len(points), 3))
    for _ in range(8):
        wave = rng.standard_normal(3)
        wave *= 2 * np.pi / rng.uniform(30, 80) / np.linalg.norm(wave)
        vectors += rng.standard_normal(3) * np.sin(points @ wave + rng.uniform(0, 2 * np.pi))[:, None]
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def along(points):
    """Return the direction (N, 3) of the tract: an arc in the sagittal plane."""
    angle = (points[:, 1] - 20) / 40
    return np.column_stack([np.zeros(len(points)), np.cos(angle), -np.sin(angle)])


def make_head(voxel):
    """Return the template at 2 mm as voxels of a size see it, its white matter cut by a tract on each side."""
    blur = voxel / 2 / 2.355
    brain, affine = template_at(2.0)
    relative = brain / np.percentile(brain[brain > 0], 99)
    inside = brain > 0
    white = np.clip((relative - 0.65) / 0.25, 0, 1) * inside
    fluid = np.clip((0.55 - relative) / 0.2, 0, 1) * inside
    fluid = np.maximum(fluid, ndimage.binary_dilation(inside, iterations=1) & ~inside)
    points = grid_points(brain.shape, affine).reshape(*brain.shape, 3)
    height = 2 - (points[..., 1] - 20) ** 2 / 80
    away = np.hypot(np.abs(points[..., 0]) - 15, points[..., 2] - height)
    tract = (away < 5) & (np.abs(points[..., 1] - 20) < 20) & inside
    rest = np.where(tract, 0, 1)
    grey = np.clip(inside - white - fluid, 0, 1)
    shares = np.stack([white * rest, grey * rest, fluid * rest, tract], axis=-1)
    return Head(ndimage.gaussian_filter(shares.astype(np.float32), (blur, blur, blur, 0)), affine)


class Scan(NamedTuple):
    """A scan and what was planted in it.

    Data and the same without motion, eddy currents and dropped slices (X, Y, Z, T), table, affine, brain and tract
    (X, Y, Z), what was planted, share of signal that slices lost (Z, T).
    """

    data: np.ndarray
    still: np.ndarray
    table: Gradients
    affine: np.ndarray
    brain: np.ndarray
    tract: np.ndarray
    planted: eddy.Planted
    lost: np.ndarray


def make_scan(bvals, bvecs, rng, *, voxel, snr=30.0, dropped=0.0, largest=5.0, moved=2.0):
    """Return a scan along ``j`` of cubic voxels; ``largest`` mm of eddy currents, ``moved`` mm and degrees of motion."""
    head = make_head(voxel)
    extent = np.array(head.shares.shape[:3]) * voxel_sizes(head.affine)
    shape = tuple(int(n) for n in np.ceil((extent + 24) / voxel))
    affine = np.diag([voxel, voxel, voxel, 1.0])
    middle = apply_linear(head.affine, (np.array(head.shares.shape[:3]) - 1) / 2)
    affine[:3, 3] = middle - voxel * (np.array(shape) - 1) / 2
    points = grid_points(shape, affine)
    shares = sample(head.shares, head.affine, points)
    brain = (shares.sum(axis=1) > 0.5).reshape(shape)
    coefficients, centre = eddy.plant_eddies((bvals, bvecs), points[brain.ravel()], rng, largest=largest)
    planted = eddy.Planted(eddy.plant_motion(len(bvals), rng, moved), coefficients, centre)
    data = eddy.acquire(head.signal, planted, (bvals, bvecs), affine, shape)
    lost = np.zeros((shape[2], len(bvals)))
    if dropped:
        data, lost = eddy.drop_slices(data, brain, rng, share=dropped)
    noise = _T2['white'] * S0 / snr
    rest = np.stack([head.signal(points, b, g).reshape(shape) for b, g in zip(bvals, bvecs)], axis=-1)
    return Scan(
        add_rician(data, noise, rng),
        add_rician(rest.astype(np.float32), noise, rng),
        Gradients(bvals, bvecs, bvecs),
        affine,
        brain,
        (shares[:, 3] > 0.9).reshape(shape),
        planted,
        lost,
    )


def acquire_again(scan, matrices, snr=30.0):
    """Return a scan of the same head that lay elsewhere."""
    planted = scan.planted._replace(matrices=matrices)
    head = make_head(float(scan.affine[0, 0]))
    b, g = scan.table.bvals, scan.table.bvecs
    data = eddy.acquire(head.signal, planted, (b, g), scan.affine, scan.brain.shape)
    noise = _T2['white'] * S0 / snr
    return scan._replace(data=add_rician(data, noise, np.random.default_rng(5)), planted=planted)


def thicken(scan):
    """Return the same seen by slices of twice the thickness."""
    n = scan.data.shape[2] // 2 * 2

    def pairs(image):
        return (image[:, :, 0:n:2] + image[:, :, 1:n:2]) / 2

    affine = scan.affine @ np.diag([1.0, 1, 2, 1])
    affine[:3, 3] += scan.affine[:3, 2] / 2
    brain = pairs(scan.brain.astype(float)) > 0.5
    return scan._replace(data=pairs(scan.data), still=pairs(scan.still), affine=affine, brain=brain)
