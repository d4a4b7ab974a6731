"""Simulated heads that the tests of the anatomy share: the packaged template brain, with known truth."""

from functools import cache

import nibabel as nb
import numpy as np
from scipy import ndimage

from pipelines.interfaces.templates import target_brain
from pipelines.numerics.resample import coarsen
from pipelines.simulated.series import classify

SPACE = 'MNI152NLin6Asym'


def _template() -> tuple[np.ndarray, np.ndarray]:
    image = nb.load(target_brain(SPACE))
    volume, affine = coarsen(image.get_fdata(dtype=np.float32), image.affine, 2.0)
    volume[volume < 0.1 * volume.max()] = 0
    return volume, affine


TEMPLATE = _template()


@cache
def template_at(voxel: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the template with its ventricles filled by fluid, 0 outside, and its affine."""
    volume, affine = coarsen(*TEMPLATE, voxel)
    solid = ndimage.binary_fill_holes(volume > 0.1 * volume.max())
    fluid = 0.3 * np.percentile(volume[volume > 0], 99)
    return np.where(solid, np.maximum(volume, fluid), 0).astype(np.float32), affine


def tissues_of(brain: np.ndarray) -> np.ndarray:
    """Return the labels that the simulation gives a brain."""
    return classify(brain)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Dice coefficient of two masks."""
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))
