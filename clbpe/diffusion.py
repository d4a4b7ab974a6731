"""Tensors, fibre orientations and tracts of diffusion series."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipelines.errors import DataError
from pipelines.numerics.bundle import clean as without_outliers
from pipelines.numerics.bundle import profile as tract_profile
from pipelines.numerics.bundle import visitation
from pipelines.numerics.bundle import weighted_mean as tract_mean
from pipelines.numerics.fod import count_angles, estimate_response, fit_fod, response_voxels
from pipelines.numerics.gradients import Gradients, harmonic_order, read_gradients
from pipelines.numerics.tensor import fit_tensor
from pipelines.numerics.tracking import Domain, track

__all__ = [
    'Gradients', 'Tract', 'fibre_orientations', 'fit_tensor', 'read_gradients', 'track_between', 'tract_mean',
    'tract_profile',
]  # fmt: skip

Array = NDArray[Any]

_CORE_VOXELS = 2  # from the rim of the brain, where signal is mixed


class Tract(NamedTuple):
    """What joins two regions.

    Attributes
    ----------
    streamlines
        (n_points, 3) RAS mm each, all from the first region to the second, without outliers.
    visits
        (X, Y, Z) share of streamlines that visit a voxel, the mean of both directions of search.
    n_found
        Streamlines from the first region and from the second, before outliers were removed.

    """

    streamlines: list[Array]
    visits: Array
    n_found: tuple[int, int]


def fibre_orientations(data: Array, table: Gradients, mask: Array, white: Array | None = None) -> Array:
    """Return the fibre orientation distribution of every voxel of a mask.

    Parameters
    ----------
    data
        (X, Y, Z, T) intensities.
    table
        Of :func:`read_gradients`.
    mask
        (X, Y, Z) bool, the brain.
    white
        (X, Y, Z) bool, where the response of fibres is looked for; none: in all of the mask.

    Returns
    -------
    Array
        (X, Y, Z, C) float32 coefficients in DIPY's legacy ``descoteaux07`` basis, of order 8, 6 or 4 by the number of
        directions; 0 outside the mask.

    Raises
    ------
    ValueError
        Too few directions, too low a b-value, or no voxel shows a tissue alone; says which.

    Notes
    -----
    Constrained spherical deconvolution with the response of the data; of several tissues where there are several shells:
    :func:`~pipelines.numerics.fod.estimate_response`, :func:`~pipelines.numerics.fod.fit_fod`.

    """
    inside = np.asarray(mask, bool)
    signals = np.asarray(data)[inside]
    tensor = fit_tensor(signals, table)
    core = ndimage.binary_erosion(inside, iterations=_CORE_VOXELS)[inside]
    voxels = response_voxels(tensor, core, None if white is None else np.asarray(white, bool)[inside])
    order = harmonic_order(count_angles(table))
    found = fit_fod(signals, table, estimate_response(signals, table, tensor.evec, voxels, order))
    fod = np.zeros((*inside.shape, found.shape[1]), np.float32)
    fod[inside] = found
    return fod


def track_between(
    fod: Array,
    affine: Array,
    regions: tuple[Array, Array],
    *,
    white: Array,
    rng: np.random.Generator,
    n_streamlines: int = 1000,
) -> Tract:
    """Find the tract between two regions by probabilistic tracking from both.

    Parameters
    ----------
    fod
        (X, Y, Z, C) of :func:`fibre_orientations`.
    affine
        (4, 4) voxel to RAS mm, axes along RAS.
    regions
        Two of (X, Y, Z) bool.
    white
        (X, Y, Z) bool, where streamlines may run; they end outside, and in the regions.
    rng
        Source of seeds and directions.
    n_streamlines
        Wanted from each region; up to 500 seeds are spent for each.

    Returns
    -------
    Tract
        With no streamline where nothing joins the regions.

    Raises
    ------
    DataError
        The regions share voxels.
    ValueError
        A region is empty, or the grid is not along RAS.

    Notes
    -----
    Steps of 0.5 mm, at most 30 degrees and 100 mm; outliers beyond five standard deviations of the core are removed:
    :func:`~pipelines.numerics.tracking.track`, :func:`~pipelines.numerics.bundle.clean`.

    """
    first, second = (np.asarray(region, bool) for region in regions)
    if np.any(first & second):
        raise DataError(
            f'the regions share {np.sum(first & second)} voxels: a tract needs two that lie apart'
        )
    ends = (~(np.asarray(white, bool) | first | second)).astype(float)
    barred = np.zeros(ends.shape)
    found = [
        track(
            fod, affine, Domain(start, goal, ends, barred), n_streamlines=n_streamlines,
            max_seeds=500 * n_streamlines, rng=rng,
        ).streamlines
        for start, goal in ((first, second), (second, first))
    ]  # fmt: skip
    both = [*found[0], *(line[::-1] for line in found[1])]
    is_forward = {id(line): number < len(found[0]) for number, line in enumerate(both)}
    kept = without_outliers(both)
    parts = [[line for line in kept if is_forward[id(line)] == forward] for forward in (True, False)]
    visits = [visitation(part, first.shape, affine) for part in parts]
    return Tract(kept, (visits[0] + visits[1]) / 2, (len(found[0]), len(found[1])))
