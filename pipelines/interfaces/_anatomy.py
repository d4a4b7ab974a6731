"""What the interfaces of the anatomy share: checked input, quality, priors."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel as nb
import numpy as np
from scipy import ndimage

from ..errors import DataError
from ..numerics.extract import at_nearest
from ..numerics.resample import apply_field, grid_points, sample
from .atlas import to_source
from .headers import open_image
from .images import values_of
from .templates import tissue_prior
from .transforms import read_field

_REMEDY = 'Look at the image; exclude it with --bids-filter-file or replace it.'


@contextmanager
def naming(*paths: Path) -> Iterator[None]:
    """Turn a ValueError of the numerics into a DataError that names the files and what to do."""
    try:
        yield
    except DataError:
        raise
    except ValueError as error:
        raise DataError(f'{", ".join(map(str, paths))}: {error}. {_REMEDY}') from error


def load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return a volume as float32 and its affine.

    Raises
    ------
    DataError
        Unreadable or damaged.

    """
    image = open_image(path)
    return values_of(image), np.asarray(image.affine, dtype=float)


def load_t1w(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return a T1-weighted image (X, Y, Z) as float32 and its affine, voxel axes nearest to right, front and top.

    One head is one array, however its scanner counts voxels: registrations begin at the same place.

    Raises
    ------
    DataError
        Unreadable, not three-dimensional, not finite, blank, or without a usable affine.

    """
    image = open_image(path)
    if image.ndim < 3 or any(n != 1 for n in image.shape[3:]) or min(image.shape[:3]) < 8:
        raise DataError(f'{path} has shape {image.shape}; a T1w image has three dimensions. {_REMEDY}')
    volume = values_of(image).reshape(image.shape[:3])
    if not np.isfinite(volume).all():
        raise DataError(f'{path} holds NaN or infinite values. {_REMEDY}')
    if not np.ptp(volume):
        raise DataError(f'{path} is blank: all voxels are {volume.flat[0]}. {_REMEDY}')
    affine = np.asarray(image.affine, dtype=float)
    if not np.isfinite(affine).all() or np.isnan(nb.io_orientation(affine)).any():
        raise DataError(f'{path} has no usable orientation (affine {affine.tolist()}). Mend its header.')
    upright = nb.as_closest_canonical(nb.Nifti1Image(volume, affine))
    return np.ascontiguousarray(upright.dataobj), np.asarray(upright.affine, dtype=float)


def masked(
    t1w: Path, mask: Path, points: np.ndarray, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the brain of a head, and its mask, at points of the anatomy laid out as ``shape``."""
    (head, affine), (inside, grid) = load(t1w), load(mask)
    found = sample(inside, grid, points).reshape(shape) > 0.5
    return np.where(found, np.clip(sample(head, affine, points, 3).reshape(shape), 0, None), 0), found


def quality_of(image: np.ndarray, mask: np.ndarray, template: np.ndarray) -> dict[str, float]:
    """Return correlation with a template brain inside it, and the Dice coefficient of the two masks."""
    solid = ndimage.binary_fill_holes(template > 0)
    dice = 2 * (mask & solid).sum() / (mask.sum() + solid.sum())
    correlation = np.corrcoef(image[solid], template[solid])[0, 1] if mask.any() else 0.0
    return {'Correlation': round(float(correlation), 4), 'MaskDice': round(float(dice), 4)}


def tissue_priors(mask: np.ndarray, affine: np.ndarray, std2anat_xfm: Path, space: str) -> np.ndarray:
    """Return (3, i, j, k) prior probabilities of grey matter, white matter and fluid in a mask."""
    (grey, source), (white, _) = tissue_prior('gm'), tissue_prior('wm')
    points = apply_field(*read_field(std2anat_xfm), grid_points(mask.shape, affine)[mask.ravel()])
    points, _ = to_source(source, space, points)
    priors = np.zeros((3, *mask.shape), np.float32)
    for prior, path in zip(priors, (grey, white)):
        values, grid = load(path)
        prior[mask] = sample(values / values.max(), grid, points)
    priors[2][mask] = np.clip(1 - priors[0] - priors[1], 0, 1)[mask]
    return priors


def spread_onto(
    values: np.ndarray, inside: np.ndarray, grid: np.ndarray, mask: np.ndarray, affine: np.ndarray
) -> np.ndarray:
    """Resample what is known ``inside`` one grid to the mask of another; its edge takes the nearest value."""
    nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    return np.where(mask, at_nearest(values[tuple(nearest)], grid, mask.shape, affine), 0)
