"""Bring FreeSurfer's labels to a person's anatomy, which may be another image of the same head."""

from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
from nibabel.filebasedimages import ImageFileError

from ..access import why_unreadable
from ..errors import DataError
from ..numerics.register import register_rigid
from ..numerics.resample import coarsen, covering_grid, resample
from ._anatomy import load
from ._interface import interface
from .dwi_space import mask_dice

_LEAST_OVERLAP = 0.8
"""Dice of two masks of one brain is above .9, of two people's brains after a rigid registration often .85 and more: less
than this is no brain, or one that lies elsewhere."""

_VOXEL = 2.0


class _Aligned(NamedTuple):
    labels: Path


def align_labels(
    t1w_preproc: Path,
    t1w_mask: Path,
    brain: Path,
    labels: Path,
    random_seed: int,
    *,
    out_dir: Path,
) -> _Aligned:
    """Bring FreeSurfer's labels to a person's anatomy by a rigid registration.

    Parameters
    ----------
    t1w_preproc, t1w_mask
        Head and brain mask of the anatomy.
    brain, labels
        FreeSurfer's brain and its labels (``mgz``), on one grid.
    random_seed
        Of the metric's sampling, not 0.
    out_dir
        Folder of the results.

    Returns
    -------
    _Aligned
        The labels on their own grid, whose affine leads to the anatomy: no label is interpolated.

    Raises
    ------
    DataError
        A file is damaged, or the brains do not lie on each other.

    """
    mask, affine = load(t1w_mask)
    anatomy = coarsen(np.where(mask > 0, load(t1w_preproc)[0], 0), affine, _VOXEL)
    # two images of one head: at 4 mm the place is known to hundredths of a millimetre already
    matrix = register_rigid(*anatomy, *coarsen(*open_mgz(brain), _VOXEL), rng_seed=random_seed, sloppy=True)
    numbers, grid = open_mgz(labels)
    placed = np.linalg.inv(matrix) @ grid
    overlap = _overlap((mask > 0, affine), (numbers > 0, placed))
    if overlap < _LEAST_OVERLAP:
        raise DataError(
            f'{labels} does not fit the T1w image: the Dice of the two brains is {overlap:.2f}, and at least '
            f'{_LEAST_OVERLAP} is expected. Are the labels those of this participant?'
        )
    nb.Nifti1Image(numbers.astype(np.int32), placed).to_filename(out_dir / 'freesurfer_dseg.nii.gz')
    return _Aligned(out_dir / 'freesurfer_dseg.nii.gz')


AlignLabels = interface(align_labels)


def _overlap(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the Dice of two masks, each with its affine, on a coarse grid over the first."""
    shape, grid = covering_grid(first[0].shape, first[1], _VOXEL)
    ours, theirs = (
        resample(mask.astype(np.float32), affine, shape, grid) > 0.5 for mask, affine in (first, second)
    )
    return mask_dice(ours, theirs)


def open_mgz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return a volume (X, Y, Z) of FreeSurfer as float32 and its affine, voxel to scanner RAS mm.

    Raises
    ------
    MissingInputError
        Not there, or not for this user to read.
    DataError
        Damaged, no image of FreeSurfer, or not of three dimensions.

    """
    if reason := why_unreadable(path):
        raise reason
    try:
        image = nb.MGHImage.from_filename(path)
        values = np.asarray(image.dataobj, np.float32)
    except (ImageFileError, EOFError, OSError, TypeError, ValueError, OverflowError, MemoryError) as error:
        raise DataError(f'{path} cannot be read ({error}). Copy or fetch the file again.') from error
    if values.ndim != 3 or not np.isfinite(values).all() or not values.any():
        raise DataError(
            f'{path} holds no volume of numbers (shape {values.shape}). Copy or fetch the file again.'
        )
    return values, np.asarray(image.affine, float)
