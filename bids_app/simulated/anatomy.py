"""A template brain on a grid, and where regions are planted in it."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
from scipy import ndimage

from pipelines.interfaces import templates
from pipelines.numerics import regions as region_tools
from pipelines.numerics.resample import apply_field, apply_linear, grid_points, resample, sample
from pipelines.simulated import series as simulate

_BRAINS = {
    'MNI152NLin6Asym': 'MNI152_T1_1mm_brain.nii.gz',
    'MNI152NLin2009cAsym': 'mni_icbm152_t1_tal_nlin_asym_09c_brain.nii.gz',
}
_HARVARD_OXFORD_SPACE = 'MNI152NLin6Asym'
REGION_LABELS = {'NAc': (104, 112), 'mPFC': (48, 49)}

BOX_MM = np.array([[-30.0, -5, -45], [30, 75, 15]])
"""Corners that hold both regions, so that only this part of the atlas is classified."""
_NETWORK_CENTRE, _NETWORK_RADIUS = (0.0, -55.0, 30.0), 25.0


class Anatomy(NamedTuple):
    """A template brain on a grid, with the regions to plant in."""

    brain: np.ndarray
    affine: np.ndarray
    mask: np.ndarray
    tissues: simulate.Tissues
    regions: np.ndarray
    network: np.ndarray


def template_path(space: str) -> Path:
    """Return the 1 mm brain of a template space."""
    # always the built-in one: bytes must not depend on what TemplateFlow's folder holds
    return templates.harvard_oxford().parents[1] / 'templates' / _BRAINS[space]


@cache
def region_labels() -> tuple[np.ndarray, np.ndarray]:
    """Return Harvard-Oxford labels (-1 = none) around the regions, winner takes all, and their affine."""
    image = nb.load(templates.harvard_oxford())
    corners = apply_linear(np.linalg.inv(image.affine), BOX_MM).round().astype(int)
    low, high = corners.min(axis=0), corners.max(axis=0)
    box = np.asarray(image.dataobj)[tuple(slice(a, b) for a, b in zip(low, high))]
    affine = image.affine.copy()
    affine[:3, 3] = apply_linear(image.affine, low)
    return region_tools.winner_take_all(np.ascontiguousarray(box), 25), affine


@cache
def load_anatomy(space: str, voxel: float) -> Anatomy:
    """Return a template brain at ``voxel`` mm on the box of its own grid."""
    image = nb.load(template_path(space))
    fine = np.asarray(image.dataobj, np.float32)
    shape = tuple(int(np.ceil(n / voxel)) for n in image.shape)
    affine = image.affine @ np.diag([voxel, voxel, voxel, 1.0])
    width = 0.4 * voxel if voxel > 1 else 0.0
    brain = resample(ndimage.gaussian_filter(fine, width), image.affine, shape, affine)
    inside = resample((fine > 0).astype(np.float32), image.affine, shape, affine) > 0.5
    inside = ndimage.binary_fill_holes(inside)
    # the template leaves the ventricles empty: they hold fluid
    brain = np.where(inside, np.maximum(brain, 0.3 * np.percentile(fine[fine > 0], 99)), 0)
    points = grid_points(shape, affine)
    distance = np.linalg.norm(points - np.array(_NETWORK_CENTRE), axis=1).reshape(shape)
    planted = np.stack([plant_region(name, space, points).reshape(shape) & inside for name in REGION_LABELS])
    network = np.exp(-0.5 * (distance / _NETWORK_RADIUS) ** 2)
    return Anatomy(brain, affine, inside, simulate.classify(brain), planted, network)


def plant_region(name: str, space: str, points: np.ndarray) -> np.ndarray:
    """Return which points (N, 3) of ``space`` lie in a region, both sides together."""
    if space != _HARVARD_OXFORD_SPACE:
        points = _to_atlas_space(space, points)
    labels, affine = region_labels()
    # shifted by one, because points beyond the box are given 0
    return np.isin(sample(labels + 1.0, affine, points, 0).round() - 1, REGION_LABELS[name])


def _to_atlas_space(space: str, points: np.ndarray) -> np.ndarray:
    from pipelines.interfaces.transforms import read_field

    return apply_field(*read_field(templates.recorded_field(_HARVARD_OXFORD_SPACE, space)), points)
