"""The mean BOLD image of a head that was brought to a template, as well as normalisation does it."""

import nibabel as nb
import numpy as np
from scipy import ndimage

from pipelines.interfaces.templates import target_brain
from pipelines.numerics.regions import voxel_centres
from pipelines.numerics.resample import sample
from pipelines.simulated.head import epi_contrast

_EXTENT, _CORNER = (182, 218, 182), (-90, -126, -72)  # mm
_DARK = {(0, 40, -22): (25, 25, 15), (50, -20, -25): (15, 20, 12), (-50, -20, -25): (15, 20, 12)}
"""Centres and widths (mm) of where an EPI loses its signal: above the nose and above the ears."""


def standard_head(space, voxel, rng, *, misplaced=1.5, has_dropout=False):
    """Return mean BOLD (X, Y, Z), mask and affine.

    Parameters
    ----------
    space
        Template that the head lies on.
    voxel
        Edge length, mm.
    rng
        Draws what normalisation left over, the coil's field, noise and how wide the mask is.
    misplaced
        Root mean square of what normalisation left over, mm per axis.
    has_dropout
        Lose the signal above nose and ears; the mask leaves out what is dark.
    """
    shape = tuple(int(np.ceil(extent / voxel)) for extent in _EXTENT)
    affine = np.diag([voxel, voxel, voxel, 1.0])
    affine[:3, 3] = _CORNER
    positions = voxel_centres(shape, affine)
    points = _shift(positions.reshape(-1, 3), misplaced, rng)
    image = nb.load(target_brain(space))
    brain = np.asarray(image.dataobj, np.float32)
    brain /= np.percentile(brain[brain > 0], 99)
    t1w = sample(ndimage.gaussian_filter(brain, 1.2), image.affine, points, 1).reshape(shape)
    mask = sample((brain > 0).astype(np.float32), image.affine, points, 1).reshape(shape) > 0.5
    bold = ndimage.gaussian_filter(epi_contrast(t1w, mask) * mask, 1.3 / voxel)
    phases = rng.uniform(0, 2 * np.pi, 2)
    bold *= (
        1
        + 0.2 * np.sin(positions[..., 0] / 70 + phases[0])
        + 0.2 * np.cos(positions[..., 1] / 80 + phases[1])
    )
    bold += 0.03 * rng.standard_normal(shape) * mask
    if has_dropout:
        for centre, widths in _DARK.items():
            bold *= 1 - 0.9 * np.exp(-np.sum(((positions - centre) / widths) ** 2, axis=-1) / 2)
        mask &= bold > 0.25 * np.median(bold[mask])
    wider = rng.integers(-1, 2)
    if wider:
        mask = (ndimage.binary_dilation if wider > 0 else ndimage.binary_erosion)(mask)
    return bold.astype(np.float32), mask, affine


def _shift(points, rms, rng):
    """Move points by a smooth random field with wavelengths of about 15 cm."""
    moved = points.copy()
    for _ in range(12):
        wave, direction = rng.standard_normal(3) / 25, rng.standard_normal(3) * rms / np.sqrt(6)
        moved += np.sin(points @ wave + rng.uniform(0, 2 * np.pi))[:, None] * direction
    return moved
