"""Exact threshold-free cluster enhancement of statistic maps."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..errors import DataError

Array = NDArray[Any]

N_NEIGHBOURS = 26
"""Voxels that share a face, an edge or a corner with a voxel."""

_STEPS = np.delete(np.array(list(np.ndindex(3, 3, 3))) - 1, N_NEIGHBOURS // 2, axis=0)
_COLUMNS = np.argsort(np.abs(_STEPS).sum(axis=1), kind='stable').astype(np.int32)
"""Columns of a table of neighbours by their bit: those with a common face first, as they touch most of the others."""

_BITS = np.uint32(1) << np.argsort(_COLUMNS).astype(np.uint32)
"""Bits by column."""

_APART = np.array(
    [
        sum(1 << bit for bit, far in enumerate(np.abs(_STEPS[_COLUMNS] - step).max(axis=1) > 1) if far)
        for step in _STEPS[_COLUMNS]
    ],
    np.uint32,
)
"""By bit, the bits of the neighbours that are no neighbours of this one."""

_DIGIT, _N_DIGITS = 11, 6  # bits of a digit of a sort, digits of a number in double precision


def neighbour_table(mask: Array) -> Array:
    """List the neighbours of every voxel of a mask.

    Parameters
    ----------
    mask
        (X, Y, Z) bool; any other type counts as inside where it is not 0.

    Returns
    -------
    Array
        (V, 26) int32, V the voxels of the mask in C order: positions among the V, -1 where the neighbour
        lies outside the mask.  Columns follow the displacements ``numpy.ndindex(3, 3, 3)`` without the
        centre, so that column ``j`` and column ``25 - j`` are opposite.

    Raises
    ------
    DataError
        The mask is not a volume, or is empty.

    Examples
    --------
    Neighbours are mutual.

    >>> table = neighbour_table(np.ones((2, 1, 1)))
    >>> table[0].max(), table[1].max(), int((table >= 0).sum())
    (np.int32(1), np.int32(0), 2)

    """
    inside = np.pad(np.asarray(mask) != 0, 1)
    if inside.ndim != 3 or not inside.any():
        raise DataError(f'a mask must be a volume with voxels in it, got shape {np.shape(mask)}')
    number = np.full(inside.shape, -1, np.int32)
    number[inside] = np.arange(inside.sum(), dtype=np.int32)
    flat = np.flatnonzero(inside)
    steps = np.arange(inside.size).reshape(inside.shape)[:3, :3, :3].ravel()
    steps = np.delete(steps - steps[N_NEIGHBOURS // 2], N_NEIGHBOURS // 2)
    return number.ravel()[flat[:, None] + steps]


def tfce(
    statistic: Array, neighbours: Array, *, extent_power: float = 0.5, height_power: float = 2.0
) -> Array:
    r"""Enhance a statistic map by the extent and height of the clusters that support each voxel.

    Parameters
    ----------
    statistic
        (V,) t or z values of the voxels of a mask, finite.
    neighbours
        (V, 26) int32 from :func:`neighbour_table`; it serves every map of the mask.
    extent_power
        E, above 0.
    height_power
        H, above -1.

    Returns
    -------
    Array
        (V,) float64 with the sign of the statistic; positive and negative voxels are enhanced apart.

    Raises
    ------
    DataError
        A value is not finite, or the map and the table are of different masks.

    Notes
    -----
    For a voxel of height :math:`h_p` [1]_

    .. math:: TFCE(p) = \int_0^{h_p} e_p(h)^E \, h^H \, dh

    where :math:`e_p(h)` counts the voxels connected with p at heights of at least h.  The extent changes
    only at heights of voxels, so the integral is a sum of
    :math:`e^E (h_i^{H+1} - h_{i+1}^{H+1}) / (H + 1)` and no step has to be chosen.  Voxels enter from the
    highest to the lowest; each becomes the parent of the components it touches, which gives a tree with
    one stretch of heights a node [2]_, and a second walk adds the stretches from the root outwards.
    Of taller neighbours that touch one another only one is asked for its component.  Voxels of equal
    height add stretches of no length, whatever their order.  Programs that add :math:`e^E h^H` over steps
    give this value divided by the step.

    References
    ----------
    .. [1] Smith SM, Nichols TE. Threshold-free cluster enhancement: addressing problems of smoothing,
       threshold dependence and localisation in cluster inference. NeuroImage 2009;44:83-98.
    .. [2] Najman L, Couprie M. Building the component tree in quasi-linear time. IEEE Trans Image
       Process 2006;15:3531-9.

    Examples
    --------
    A plateau of n voxels at height h has n^0.5 h^3 / 3.

    >>> plateau = np.full(9, 3.0)
    >>> tfce(plateau, neighbour_table(np.ones((3, 3, 1)))).round(12).tolist() == [3 * 27 / 3] * 9
    True

    """
    statistic = np.asarray(statistic)
    if statistic.shape != (len(neighbours),):
        raise DataError(
            f'a map of shape {statistic.shape} does not belong to a mask of {len(neighbours)} voxels'
        )
    if not np.isfinite(statistic).all():
        raise DataError(
            f'{(~np.isfinite(statistic)).sum()} values of the statistic map are not finite; mask them'
        )
    values = np.ascontiguousarray(statistic, float)
    height = np.abs(values)
    # a product is ten times as fast as a power
    power = height_power + 1
    integral = (height * height * height if height_power == 2 else height**power) / power
    order = _descending(height)
    enhanced = _enhance(order, _taller(values, neighbours), neighbours, integral, extent_power)
    return np.copysign(enhanced, statistic)


# compiled at the first call and never cached on disk: seconds once in a process, and nothing to write
@njit(nogil=True)
def _descending(height: Array) -> Array:
    """Return the places of heights (V,) of at least 0 from the highest to the lowest, equal ones in their order."""
    n, keys = len(height), height.view(np.uint64)  # positive floating numbers sort as their bits do
    order, other = np.arange(n).astype(np.int32), np.empty(n, np.int32)
    starts = np.zeros((_N_DIGITS, 1 << _DIGIT), np.int64)
    last = np.uint64((1 << _DIGIT) - 1)
    for key in keys:
        for digit in range(_N_DIGITS):
            starts[digit, (~key >> np.uint64(_DIGIT * digit)) & last] += 1
    for digit in range(_N_DIGITS):
        if starts[digit].max() == n:  # all alike, as the last digits of single precision are
            continue
        place = starts[digit]
        place[:] = np.cumsum(place) - place
        shift = np.uint64(_DIGIT * digit)
        for voxel in order:
            value = (~keys[voxel] >> shift) & last
            other[place[value]] = voxel
            place[value] += 1
        order, other = other, order
    return order


@njit(nogil=True)
def _taller(values: Array, neighbours: Array) -> Array:
    """Return the bits of the neighbours (V,) that have the same sign and come earlier in the descending order."""
    taller = np.zeros(len(values), np.uint32)
    for voxel, value in enumerate(values):
        own, height = np.uint32(0), abs(value)
        for column in range(N_NEIGHBOURS // 2, N_NEIGHBOURS):
            other = neighbours[voxel, column]
            if other < 0 or value * values[other] <= 0:
                continue
            its = abs(values[other])
            if its > height or (its == height and other < voxel):
                own |= _BITS[column]
            else:
                taller[other] |= _BITS[N_NEIGHBOURS - 1 - column]
        taller[voxel] |= own
    return taller


@njit(nogil=True)
def _enhance(order: Array, taller: Array, neighbours: Array, integral: Array, extent_power: float) -> Array:
    """Build the tree of components from the highest voxel down, then add the stretches from the root up."""
    n = len(order)
    lead, parent = np.empty(n, np.int32), np.empty(n, np.int32)  # a lead stands for its component
    lowest = np.empty(n, np.int32)  # voxel that joined the component last
    extent, enhanced = np.ones(n, np.int32), np.zeros(n)
    for voxel in order:
        stands = lead[voxel] = parent[voxel] = voxel
        left, bit = taller[voxel], 0
        while left:
            while not (left >> np.uint32(bit)) & np.uint32(1):
                bit += 1
            # neighbours of one another were joined when the later one entered
            left &= _APART[bit]
            other = neighbours[voxel, _COLUMNS[bit]]
            while lead[other] != other:
                lead[other] = lead[lead[other]]
                other = lead[other]
            if other != stands:
                joined = lowest[other]
                parent[joined] = voxel
                # the larger keeps its place, so that most paths have one step
                if extent[joined] >= extent[voxel]:
                    lead[stands] = other
                    stands = other
                else:
                    lead[other] = stands
                extent[voxel] += extent[joined]
        lowest[stands] = voxel
    for voxel in order[::-1]:
        above = parent[voxel]
        stretch = integral[voxel] if above == voxel else integral[voxel] - integral[above]
        wide = np.sqrt(extent[voxel]) if extent_power == 0.5 else extent[voxel] ** extent_power
        enhanced[voxel] = (0.0 if above == voxel else enhanced[above]) + wide * stretch
    return enhanced
