"""Refine where a BOLD reference lies by the border between white and grey matter."""

from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import minimize

from .motion import rigid_matrix
from .resample import apply_linear, coarsen, sample

Array = NDArray[Any]

_DEPTH = 2.0  # mm from the border to where either side is read: half a voxel of most BOLD
_SURE = 0.7  # probability that either side has its tissue
_SLOPE = 0.1  # per per cent of contrast: beyond some 15 % a point says little more than its sign
_LOST = 0.3  # of the median signal: below it a point says nothing
_STEPS = (-6.0, -3.0, 0.0, 3.0, 6.0)  # mm, first guesses along every axis
_REACH = 4.0  # mm and degrees around the best of them
_TO_RIGID = np.array([1.0, 1, 1, *np.radians([1, 1, 1])])  # shifts in mm, turns in degrees

FITS = 0.9
"""A border that costs more than this fits nowhere: contrast is poor or of the other kind."""


@dataclass(frozen=True)
class Coregistration:
    """How an anatomy and a BOLD reference came together.

    Attributes
    ----------
    cost
        Of the border there, 0 to 2; NaN if there is no border.
    shift
        How far the middle of the border moved from where mutual information had put it, mm.
    is_moved
        False where that place was kept.

    """

    cost: float
    shift: float
    is_moved: bool

    def facts(self) -> dict[str, object]:
        """Return what sidecars say.

        Examples
        --------
        >>> Coregistration(0.5, 1.25, True).facts()
        {'Coregistration': 'border of white matter', 'CoregistrationCost': 0.5, 'CoregistrationShift': 1.25}

        """
        return {
            'Coregistration': 'border of white matter' if self.is_moved else 'mutual information',
            'CoregistrationCost': round(self.cost, 3) if np.isfinite(self.cost) else None,
            'CoregistrationShift': round(self.shift, 2),
        }


class Fitted(NamedTuple):
    """Where a border fits.

    Attributes
    ----------
    matrix
        (4, 4) points of the anatomy to points of the BOLD reference.
    told
        What is said of it.

    """

    matrix: Array
    told: Coregistration


class Border(NamedTuple):
    """Points between cortex and white matter.

    Attributes
    ----------
    white, grey
        (N, 3) RAS mm, points on either side, 2 mm from the border.

    """

    white: Array
    grey: Array


def find_border(white: Array, grey: Array, affine: Array, most: int = 20_000) -> Border:
    """Find points on both sides of the border between white and grey matter.

    Parameters
    ----------
    white, grey
        (i, j, k) either tissue: probability, or True where it is.
    affine
        (4, 4) matrix from voxel to RAS mm.
    most
        Number of pairs that suffice.

    Returns
    -------
    Border
        Pairs where both tissues are sure, spread over the brain; none if there is no such border.

    Notes
    -----
    The border is where white matter, smoothed by 1 mm, is one half; its normal is the gradient
    there.  A first step along it brings the centre of a voxel onto the border.

    """
    white, grey = np.asarray(white, np.float32), np.asarray(grey, np.float32)
    values, grid = coarsen(white, affine, 1.0)
    smooth = ndimage.gaussian_filter(values, 1.0)
    near = (smooth > 0.25) & (smooth < 0.75)
    slopes = np.stack([slope[near] for slope in np.gradient(smooth)], axis=1)
    slopes = slopes @ np.linalg.inv(grid[:3, :3])  # per mm along RAS
    steep = np.maximum(np.linalg.norm(slopes, axis=1), 1e-6)
    at = (
        apply_linear(grid, np.argwhere(near).astype(float))
        + ((0.5 - smooth[near]) / steep**2)[:, None] * slopes
    )
    normals = slopes / steep[:, None]
    inner, outer = at + _DEPTH * normals, at - _DEPTH * normals
    sure = (sample(white, affine, inner) > _SURE) & (sample(grey, affine, outer) > _SURE) & (steep > 0.1)
    kept = np.flatnonzero(sure)
    kept = kept[:: max(1, -(-len(kept) // most))]
    return Border(inner[kept], outer[kept])


def border_cost(border: Border, volume: Array, affine: Array, matrix: Array) -> float:
    r"""Return how badly a border fits a BOLD reference: 0 is perfect, 1 is no relation, 2 inverted.

    Parameters
    ----------
    border
        Points on either side.
    volume
        (i, j, k) intensities in which grey matter is brighter than white matter.
    affine
        (4, 4) matrix from voxel to RAS mm.
    matrix
        (4, 4) points of the border's space to points of ``volume``.

    Notes
    -----
    With the contrast of a pair :math:`q = 200 (g - w) / (g + w)` per cent, the mean of
    :math:`1 - \tanh(q / 10)` [1]_; a steeper slope, as there, has no single lowest place where contrast is good.  Pairs outside the volume, or where its signal is lost, count as 1, so that nothing
    is gained by moving the border out of the field of view.

    References
    ----------
    .. [1] Greve DN, Fischl B. Accurate and robust brain image alignment using boundary-based registration. Neuroimage
       2009;48:63-72.

    """
    inner = sample(volume, affine, apply_linear(matrix, border.white))
    outer = sample(volume, affine, apply_linear(matrix, border.grey))
    floor = _LOST * np.median(inner[inner > 0]) if np.any(inner > 0) else np.inf
    seen = (inner > floor) & (outer > floor)
    contrast = 200 * (outer[seen] - inner[seen]) / (outer[seen] + inner[seen])
    return 1 - float(np.tanh(_SLOPE * contrast).sum()) / max(len(inner), 1)


def align_border(border: Border, volume: Array, affine: Array, start: Array) -> Fitted:
    """Move a rigid transform so that the border between white and grey matter fits a BOLD reference.

    Parameters
    ----------
    border
        Points on either side, in the space of the anatomy.
    volume
        (i, j, k) intensities in which grey matter is brighter than white matter.
    affine
        (4, 4) matrix from voxel to RAS mm.
    start
        (4, 4) points of the anatomy to points of ``volume``.

    Returns
    -------
    Fitted
        Transform, ``start`` where no place fits or none fits better, and what is said of it.

    Notes
    -----
    125 shifts of at most 6 mm along every axis are compared on a tenth of the points, the best one is refined by
    Powell's method on all of them, within 4 mm and 4 degrees.

    """
    if not len(border.white):
        return Fitted(start, Coregistration(np.nan, 0.0, False))
    middle = border.white.mean(axis=0)
    some = Border(border.white[::10], border.grey[::10])

    def moved(parameters: Array) -> Array:
        return start @ rigid_matrix(parameters * _TO_RIGID, middle)

    def cost(parameters: Array, pairs: Border) -> float:
        return border_cost(pairs, volume, affine, moved(parameters))

    shifts = [np.array([*shift, 0.0, 0.0, 0.0]) for shift in product(_STEPS, repeat=3)]
    first = min(shifts, key=lambda shift: cost(shift, some))
    bounds = [(value - _REACH, value + _REACH) for value in first]
    options = {'xtol': 1e-2, 'ftol': 1e-5, 'maxiter': 10}
    found = minimize(cost, first, args=(border,), method='Powell', bounds=bounds, options=options)
    before = cost(np.zeros(6), border)
    if found.fun > min(before, FITS):
        return Fitted(start, Coregistration(before, 0.0, False))
    shift = float(np.linalg.norm(found.x[:3]))
    return Fitted(moved(found.x), Coregistration(float(found.fun), shift, True))
