"""Hold the correction of distortion against the T1w image: a wrong sign or axis must not pass unseen."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..numerics.agreement import Correction, judge_shift
from ..numerics.resample import resample
from ._anatomy import load
from ._interface import interface
from .transforms import read_field, read_linear


class _Judged(NamedTuple):
    correction: Correction


def judge_correction(
    epi: Path,
    displacements: list[Path],
    t1w_preproc: Path,
    t1w_mask: Path,
    t1w2epi_xfm: Path,
    method: str,
) -> _Judged:
    """Say how distortion was corrected, and how well the T1w image agrees.

    Parameters
    ----------
    epi
        Reference of a series as acquired.
    displacements
        The first is that of ``epi``, along one axis of its array; empty without correction.
    t1w_preproc, t1w_mask
        T1w image and its brain.
    t1w2epi_xfm
        Points of the T1w image to points of the corrected reference.
    method
        What it was corrected with.

    """
    if not displacements:
        return _Judged(Correction(method))
    (values, grid), (t1w, own), (brain, _) = load(epi), load(t1w_preproc), load(t1w_mask)
    back = np.linalg.inv(read_linear(t1w2epi_xfm))
    head, inside = (resample(image, own, values.shape, grid, linear=back) for image in (t1w, brain))
    shift, axis = shift_along(*read_field(displacements[0]))
    found = judge_shift((head, inside > 0.5), values, shift, axis, grid)
    return _Judged(Correction(method, found))


JudgeCorrection = interface(judge_correction)


def shift_along(field: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, int]:
    """Return a displacement (X, Y, Z, 3) mm that lies along one axis as voxels (X, Y, Z) along it, and the axis.

    Examples
    --------
    >>> field = np.zeros((1, 1, 1, 3)); field[..., 1] = 6
    >>> shift, axis = shift_along(field, np.diag([2.0, 3, 2, 1]))
    >>> shift.tolist(), axis
    ([[[2.0]]], 1)

    """
    voxels = field @ np.linalg.inv(affine[:3, :3]).T
    axis = int(np.argmax(np.square(voxels).sum(axis=(0, 1, 2))))
    return voxels[..., axis], axis
