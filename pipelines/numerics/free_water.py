"""Anisotropy of tissue beside free water, from two weightings."""

from typing import Any, NamedTuple

import numpy as np
from dipy.reconst.dti import fractional_anisotropy
from dipy.reconst.fwdti import wls_fit_tensor
from numpy.typing import NDArray

from .gradients import Gradients, find_shells
from .tensor import dipy_table

Array = NDArray[Any]

WATER = 3.0e-3
"""Diffusivity of free water at 37 degrees C, mm^2/s."""
B_LIMIT = 1500.0
"""s/mm^2; above, diffusion in tissue is not Gaussian, and the two parts are not told apart."""
MOST_WATER = 0.7
"""Beyond this share of water the signal of tissue is too weak for an anisotropy."""

_MIN_DIRECTIONS = 6


class FreeWater(NamedTuple):
    """Anisotropy of the tissue (N,) 0 to 1, NaN where too much is water; share of water (N,) 0 to 1."""

    fa: Array
    fraction: Array


def water_volumes(table: Gradients) -> Array | None:
    """Return which volumes (T,) water is told from tissue by; None where they do not suffice.

    Notes
    -----
    Volumes without weighting and two shells or more with b up to 1,500 s/mm^2, six directions each.

    Examples
    --------
    >>> bvecs = np.vstack([np.zeros(3), np.eye(3), (np.ones((3, 3)) - 2 * np.eye(3)) / 3**0.5] * 2)
    >>> two, one = ([0, *[500] * 6, 0, *[b] * 6] for b in (1500, 3000))
    >>> int(water_volumes(Gradients(np.array(two), bvecs, bvecs)).sum())
    14
    >>> water_volumes(Gradients(np.array(one), bvecs, bvecs)) is None
    True

    """
    is_b0 = np.asarray(table.is_b0)
    shells = [
        rows
        for b, rows in find_shells(table.bvals)
        if b <= B_LIMIT * 1.02 and table.directions(rows) >= _MIN_DIRECTIONS  # scanners round b
    ]
    return is_b0 | np.logical_or.reduce(shells) if is_b0.any() and len(shells) > 1 else None


def free_water(signals: Array, table: Gradients) -> FreeWater | None:
    r"""Fit a tensor and free water to every voxel.

    Parameters
    ----------
    signals
        (N, T) intensities; those that are not positive count as the smallest positive one.
    table
        Weighting of the T volumes.

    Returns
    -------
    FreeWater
        None where the weightings do not suffice, see :func:`water_volumes`.

    Notes
    -----
    :math:`S = S_0 [(1 - f) e^{-b g^T D g} + f e^{-b D_{water}}]`, by DIPY's weighted linear fit, which looks for
    f on ever finer grids; its non-linear one takes five times as long for the same error.

    References
    ----------
    Pasternak O et al. (2009) Magn Reson Med 62:717-730.  Neto Henriques R et al. (2017) ReScience 3.

    """
    used = water_volumes(table)
    if used is None:
        return None
    positive = signals[signals > 0]
    floor = float(positive.min()) if positive.size else 1.0
    data = np.maximum(signals[:, used], floor).astype(float)
    # DIPY's function takes volumes
    shape = data[:, None, None]
    found = wls_fit_tensor(dipy_table(table.subset(used)), shape, Diso=WATER)[:, 0, 0]
    fraction = np.clip(found[:, 12], 0, 1)
    fa = np.clip(np.nan_to_num(fractional_anisotropy(np.clip(found[:, :3], 0, None))), 0, 1)
    return FreeWater(
        np.where(fraction > MOST_WATER, np.nan, fa).astype(np.float32), fraction.astype(np.float32)
    )
