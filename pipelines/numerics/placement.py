"""Whether a region of a template lies where it should in a person: contrast around it, its tissue and its volume."""

from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from .outline import dilate

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

MARGIN_MM = 10.0
"""Of the template around a region that is compared."""

LIMITS = MappingProxyType({'correlation': 0.9, 'grey_matter': 0.6, 'relative_volume': 0.5})
"""What at least 95 % of good registrations have (docs/functional.md), below which a region may lie elsewhere; of grey
matter the share of what the template has."""

MOSTLY_GREY = 0.5
"""Share of grey matter in the template from which on a region is one of grey matter."""

_BLUR_MM = 1.0  # the mean of many heads is blurred, and one head has noise
_LEAST_IN_VIEW = 0.5
_FEW = 50  # voxels that a correlation needs


class AroundRegion(NamedTuple):
    """A box of the template around a region, and what the person has at its points.

    All are (X, Y, Z): ``region`` bool; ``template`` intensities, 0 outside the brain; ``t1w`` those of the person, NaN
    where the image shows nothing; ``grey_matter`` probability 0-1; ``growth`` volume of the person per volume of the
    template.  ``sizes`` are the edges of a voxel, mm.
    """

    region: Mask
    template: Array
    t1w: Array
    grey_matter: Array | None
    growth: Array
    sizes: Array


class RegionPlacement(NamedTuple):
    """How a region lies in a person; NaN for what cannot be told.

    ``in_view`` share of it inside the T1-weighted image; ``correlation`` of the images around it, -1 to 1; ``grey_matter``
    share of it in the person's; ``volume`` in the person, mm^3; ``relative_volume`` its growth over that of the brain.
    """

    in_view: float
    correlation: float
    grey_matter: float
    volume: float
    relative_volume: float


def misplaced(found: RegionPlacement, template_grey_matter: float) -> bool:
    """Return whether a region may lie elsewhere: one of its values is below :data:`LIMITS`.

    Parameters
    ----------
    found
        How it lies; what is not known speaks for nothing.
    template_grey_matter
        Share of grey matter in the template; below :data:`MOSTLY_GREY` that of the person is not judged.

    Examples
    --------
    >>> misplaced(RegionPlacement(1.0, 0.9, 0.1, 900.0, 1.0), 0.8), misplaced(RegionPlacement(1.0, 0.9, 0.1, 900.0, 1.0), 0.2)
    (True, False)

    """
    is_grey = template_grey_matter >= MOSTLY_GREY
    least = {**LIMITS, 'grey_matter': LIMITS['grey_matter'] * template_grey_matter if is_grey else -np.inf}
    return any(getattr(found, name) < least[name] for name in least)  # NaN is below nothing


def volume_growth(points: Array, sizes: Array) -> Array:
    r"""Return how much larger each volume element is where a grid is mapped to.

    Parameters
    ----------
    points
        (X, Y, Z, 3) mm: where the voxels of a grid whose axes are those of the world come to lie; two or more along
        each axis.
    sizes
        (3,) edges of its voxels, mm.

    Returns
    -------
    Array
        (X, Y, Z) determinant of the Jacobian, by central differences; its sign is that of the grid's handedness.

    Examples
    --------
    >>> points = np.moveaxis(np.indices((3, 3, 3)), 0, -1) * np.array([2.0, 1.0, 0.5])
    >>> float(volume_growth(points, np.ones(3))[1, 1, 1])
    1.0

    """
    columns = [np.gradient(points, size, axis=axis) for axis, size in enumerate(sizes)]
    return np.linalg.det(np.stack(columns, axis=-1))


def place_region(around: AroundRegion, brain_growth: float) -> RegionPlacement:
    r"""Judge how a region of a template lies in a person.

    Parameters
    ----------
    around
        The template around the region, and the person there; :data:`MARGIN_MM` on every side where the template has as
        much.  The region has a voxel at least.
    brain_growth
        Mean growth of the brain.

    Returns
    -------
    RegionPlacement
        Correlation and share of grey matter need half of the region in view.

    Notes
    -----
    With :math:`|J|` the growth, the volume is :math:`\int |J|` over the region, the share of grey matter
    :math:`\int p |J| / \int |J|`.  The correlation is Spearman's, so that a scanner's contrast and single bright voxels count
    little, over the brain of the template within 10 mm of the region, of images smoothed by 1 mm within what is in
    view.  Where a map folds the growth is negative, and the volume small or below 0.

    """
    seen, growth = around.region & np.isfinite(around.t1w), around.growth
    whole, n = float(growth[around.region].sum()), int(around.region.sum())
    in_view, shown = int(seen.sum()) / n, float(growth[seen].sum())
    is_seen = in_view >= _LEAST_IN_VIEW
    grey = np.nan
    if is_seen and shown > 0 and around.grey_matter is not None:
        grey = float((around.grey_matter[seen] * growth[seen]).sum() / shown)
    volume = whole * float(np.prod(around.sizes))
    correlation = _contrast(around) if is_seen else np.nan
    return RegionPlacement(in_view, correlation, grey, volume, whole / (n * brain_growth))


def _contrast(around: AroundRegion) -> float:
    """Return the rank correlation of two images around a region; NaN where one of them is constant."""
    near = dilate(around.region, MARGIN_MM, around.sizes) & (around.template > 0) & np.isfinite(around.t1w)
    if near.sum() < _FEW:
        return float('nan')
    first, second = (_smoothed(image, near, around.sizes) for image in (around.t1w, around.template))
    if not (np.ptp(first) and np.ptp(second)):
        return float('nan')
    return float(stats.spearmanr(first, second).statistic)


def _smoothed(image: Array, mask: Mask, sizes: Array) -> Array:
    """Return the values of an image in a mask, smoothed by what lies in it alone."""
    share, total = (
        ndimage.gaussian_filter(values, _BLUR_MM / sizes, mode='constant')
        for values in (mask.astype(np.float64), np.where(mask, image, 0.0).astype(np.float64))
    )
    return total[mask] / share[mask]
