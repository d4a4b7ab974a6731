"""Diffusion series that QSIPrep preprocessed, on one grid along RAS for all sessions of a person."""

from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np

from ..errors import DataError
from ..numerics.gradients import rotate
from ..numerics.resample import apply_linear, resample, voxel_sizes
from ._diffusion import inside, read_dwi, write_gradient_table
from ._series import load_image, write_series, write_volume
from .dwi import describe_table
from .dwi_space import box_around
from .headers import open_image
from .images import values_of
from .transforms import read_linear


class _Read(NamedTuple):
    dwi: Path
    gradients: Path
    dwiref: Path
    dwi_mask: Path
    facts: dict


def adopt_grid(dwi_mask: Path, *, out_dir: Path) -> Path:
    """Return the brain mask of a session on its own grid with axes along RAS.

    Parameters
    ----------
    dwi_mask
        Brain mask of the first session.
    out_dir
        Folder of the result.

    Notes
    -----
    Axes are flipped and swapped, which interpolates nothing; an oblique grid is laid anew.

    """
    given = open_image(dwi_mask)
    image = nb.as_closest_canonical(nb.Nifti1Image(values_of(given), given.affine))
    mask, affine = np.asarray(image.dataobj, np.float32), np.asarray(image.affine, float)
    if not np.allclose(affine[:3, :3], np.diag(voxel_sizes(affine)), atol=1e-4):
        shape, grid = box_around(
            apply_linear(affine, np.argwhere(mask > 0.5).astype(float)), float(voxel_sizes(affine).min())
        )
        mask, affine = resample(mask, affine, shape, grid), grid
    return write_volume((mask > 0.5).astype(np.uint8), affine, out_dir / 'person_mask.nii')


def read_preprocessed(
    dwi: Path,
    bval: Path,
    bvec: Path,
    dwi_mask: Path,
    person_mask: Path,
    person2session_xfm: Path | None = None,
    *,
    out_dir: Path,
) -> _Read:
    """Bring a preprocessed series to the person's grid; one that is there already is not interpolated.

    Parameters
    ----------
    dwi, bval, bvec, dwi_mask
        Of one session.
    person_mask
        Grid of the person.
    person2session_xfm
        Points of the person to points of the session; none where they are the same.
    out_dir
        Folder of the results.

    Raises
    ------
    DataError
        The table cannot be used, or the mask is empty.

    """
    table, data, affine = read_dwi(dwi, bval, bvec)
    like, brain = load_image(person_mask), open_image(dwi_mask)
    flipped = nb.as_closest_canonical(nb.Nifti1Image(data, affine))
    shape, grid = like.shape, np.asarray(like.affine, float)
    linear = None
    if person2session_xfm:
        linear = read_linear(person2session_xfm)
        table = table._replace(bvecs=rotate(table.bvecs, linear))
    here = linear is None and flipped.shape[:3] == shape and np.allclose(flipped.affine, grid, atol=1e-3)
    values = np.asarray(flipped.dataobj)

    def at(number: int) -> np.ndarray:
        volume = values[..., number]
        if here:
            return volume
        return np.clip(resample(volume, flipped.affine, shape, grid, linear=linear, order=3), 0, None)

    mask = resample(values_of(brain), brain.affine, shape, grid, linear=linear) > 0.5
    if not mask.any():
        raise DataError(f'{dwi_mask} is empty on the grid of the person. Run QSIPrep again.')
    chosen = np.flatnonzero(table.is_b0) if table.is_b0.any() else np.arange(data.shape[3])
    reference = np.mean([at(int(number)) for number in chosen], axis=0).astype(np.float32)
    series = (at(number) for number in range(data.shape[3]))
    return _Read(
        write_series(out_dir / 'dwi.nii', series, (*shape, data.shape[3]), grid, 1.0),
        write_gradient_table(out_dir / 'gradients.npz', table),
        write_volume(reference, grid, out_dir / 'dwiref.nii.gz'),
        write_volume((mask & inside(person_mask)).astype(np.uint8), grid, out_dir / 'dwi_mask.nii.gz'),
        describe_table(table),
    )
