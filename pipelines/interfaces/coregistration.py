"""Bring the reference of a BOLD run and the anatomy together."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import DataError
from ..numerics.border import Coregistration, align_border, find_border
from ..numerics.coregister import coregister as find_rigid
from ..numerics.register import bias_correct
from ..numerics.resample import resample
from ._anatomy import load
from ._interface import interface
from ._series import write_volume
from .transforms import read_linear, write_linear

_SIGNAL_SHARE = 0.2  # of the median in the brain: below the signal is lost
_FEW, _MANY = 2_000, 20_000  # points of the border


class _Coregistered(NamedTuple):
    bold2anat_xfm: Path
    bold_mask: Path
    coregistration: Coregistration


def coregister(
    boldref: Path,
    t1w_preproc: Path,
    t1w_dseg: Path,
    session_xfm: Path,
    random_seed: int,
    sloppy: bool = False,
    *,
    out_dir: Path,
) -> _Coregistered:
    """Find the rigid transform between BOLD reference and T1w image and the brain mask of the BOLD.

    Parameters
    ----------
    boldref
        Reference of the run.
    t1w_preproc, t1w_dseg
        T1w image, and its tissues (1 grey matter, 2 white matter, 3 fluid, 0 outside the brain).
    session_xfm
        Points of that image to points of the scanner during the run's session.
    random_seed
        Of the metric's sampling.
    sloppy
        Stop at the coarser resolution, with fewer points of the border.
    out_dir
        Folder of the results.

    Returns
    -------
    _Coregistered
        Transform from points of the T1w image to points of the BOLD reference, brain mask, and facts for sidecars.

    Raises
    ------
    DataError
        If BOLD and brain do not overlap.

    Notes
    -----
    Mutual information, then the border between white and grey matter.

    """
    (values, grid), head, tissue = load(boldref), load(t1w_preproc), load(t1w_dseg)[0]
    even, _ = bias_correct(values, grid, iterations=(20, 20))
    starts = [read_linear(session_xfm), None]
    start = find_rigid(head, tissue > 0, (even, grid), starts=starts, rng_seed=random_seed, sloppy=sloppy)
    border = find_border(tissue == 2, tissue == 1, head[1], _FEW if sloppy else _MANY)
    matrix, told = align_border(border, even, grid, start)
    mask = _brain_of((tissue > 0, head[1]), (values, grid), np.linalg.inv(matrix))
    if not mask.any():
        raise DataError(
            f'{boldref} does not overlap with the brain in {t1w_preproc}. Check their orientation.'
        )
    path = write_volume(mask.astype(np.uint8), grid, out_dir / 'bold_mask.nii')
    return _Coregistered(write_linear(out_dir / 'bold2anat.txt', matrix), path, told)


Coregister = interface(coregister)


def _brain_of(
    brain: tuple[np.ndarray, np.ndarray], bold: tuple[np.ndarray, np.ndarray], linear: np.ndarray
) -> np.ndarray:
    """Return a brain mask brought to a BOLD reference, without what is dark there."""
    values, grid = bold
    mask = resample(brain[0].astype(np.float32), brain[1], values.shape, grid, linear=linear) > 0.5
    return mask & (values > _SIGNAL_SHARE * np.median(values[mask])) if mask.any() else mask
