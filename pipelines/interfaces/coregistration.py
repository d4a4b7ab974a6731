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
    bold2anat_start: Path
    boldref_even: Path


class _Refined(NamedTuple):
    bold2anat_xfm: Path
    bold_mask: Path
    coregistration: Coregistration


def coregister(
    boldref: Path,
    t1w_preproc: Path,
    t1w_mask: Path,
    session_xfm: Path,
    random_seed: int,
    sloppy: bool = False,
    *,
    out_dir: Path,
) -> _Coregistered:
    """Find the rigid transform between BOLD reference and T1w image by mutual information.

    Parameters
    ----------
    boldref
        Reference of the run.
    t1w_preproc, t1w_mask
        T1w image and its brain mask.
    session_xfm
        Points of that image to points of the scanner during the run's session.
    random_seed
        Of the metric's sampling.
    sloppy
        Stop at the coarser resolution.
    out_dir
        Folder of the results.

    Returns
    -------
    _Coregistered
        Transform from points of the T1w image to points of the BOLD reference, and that reference without bias.

    """
    (values, grid), head, brain = load(boldref), load(t1w_preproc), load(t1w_mask)[0] > 0.5
    even, _ = bias_correct(values, grid, iterations=(20, 20))
    starts = [read_linear(session_xfm), None]
    matrix = find_rigid(head, brain, (even, grid), starts=starts, rng_seed=random_seed, sloppy=sloppy)
    return _Coregistered(
        write_linear(out_dir / 'start.txt', matrix), write_volume(even, grid, out_dir / 'boldref_even.nii')
    )


Coregister = interface(coregister)


def refine_coregistration(
    boldref_even: Path,
    bold2anat_start: Path,
    t1w_mask: Path,
    t1w_probseg_gm: Path,
    t1w_probseg_wm: Path,
    sloppy: bool = False,
    *,
    out_dir: Path,
) -> _Refined:
    """Move the border between white and grey matter to where the BOLD reference shows it; find its brain mask.

    Parameters
    ----------
    boldref_even, bold2anat_start
        Of :func:`coregister`.
    t1w_mask
        Brain mask of the T1w image.
    t1w_probseg_gm, t1w_probseg_wm
        Probability of grey and of white matter on its grid.
    sloppy
        Look at fewer points of the border.
    out_dir
        Folder of the results.

    Returns
    -------
    _Refined
        Transform from points of the T1w image to points of the BOLD reference, brain mask, and facts for sidecars.

    Raises
    ------
    DataError
        If BOLD and brain do not overlap.

    """
    (even, grid), (white, anatomy) = load(boldref_even), load(t1w_probseg_wm)
    border = find_border(white, load(t1w_probseg_gm)[0], anatomy, _FEW if sloppy else _MANY)
    fitted = align_border(border, even, grid, read_linear(bold2anat_start))
    brain = (load(t1w_mask)[0] > 0.5).astype(np.float32)
    mask = _with_signal(
        resample(brain, anatomy, even.shape, grid, linear=np.linalg.inv(fitted.matrix)) > 0.5, even
    )
    if not mask.any():
        raise DataError(
            f'{boldref_even} does not overlap with the brain in {t1w_mask}. Check their orientation.'
        )
    path = write_volume(mask.astype(np.uint8), grid, out_dir / 'bold_mask.nii')
    return _Refined(write_linear(out_dir / 'bold2anat.txt', fitted.matrix), path, fitted.told)


RefineCoregistration = interface(refine_coregistration)


def _with_signal(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the part of a mask that is not dark."""
    return mask & (values > _SIGNAL_SHARE * np.median(values[mask])) if mask.any() else mask
