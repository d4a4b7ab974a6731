"""Images at any place in RAS mm, and what is seen of them by looking through the head."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[Any]

_DEPTH = 2  # mm between the samples along a line of sight
_GLASS = 0.5  # brightness of the tissue that is looked through
_INSIDE = 0.1  # of the 98th percentile of a template: more is brain


class Picture(NamedTuple):
    """What is drawn of a statistic, each of the same shape, flat (height, width) or solid.

    ``values`` signed, NaN where there is none; ``marked`` True where significant; ``grey`` of the
    template, >= 0; ``outline`` 1 inside the brain, drawn around a projection only.
    """

    values: Array
    marked: Array
    grey: Array
    outline: Array


class Volume(NamedTuple):
    """Values (i, j, k) and the affine that takes voxels to RAS mm."""

    values: Array
    affine: Array

    def at(self, points: Array, order: int = 1, outside: float = 0.0) -> Array:
        """Return the values at (..., 3) RAS mm; order 0: of the nearest voxel, 1: linear.

        Examples
        --------
        Voxels of 2 mm from x = 10, read half-way and beyond the image:

        >>> image = Volume(np.array([[[4.0]], [[8.0]]]), np.diag([2.0, 2, 2, 1]) + 10 * np.eye(4, k=3))
        >>> image.at(np.array([[11.0, 0, 0], [20, 0, 0]])).tolist()
        [6.0, 0.0]

        """
        inverse = np.linalg.inv(self.affine)
        places = np.moveaxis(points @ inverse[:3, :3].T + inverse[:3, 3], -1, 0)
        return ndimage.map_coordinates(self.values, places, order=order, mode='constant', cval=outside)

    def inside(self) -> 'Volume':
        """Return 1 in the brain of a template, 0 around it."""
        positive = self.values[self.values > 0]
        least = _INSIDE * np.percentile(positive, 98) if positive.size else np.inf
        return Volume((self.values > least).astype(float), self.affine)


def on_grid(volumes: tuple[Volume, Volume, Volume], box: Array) -> Picture:
    """Sample the box every 2 mm, in the middle of two pixels."""
    values, marks, brain = volumes
    steps = [np.arange(low, high + 0.5, _DEPTH) + (_DEPTH - 1) / 2 for low, high in box.T]
    points = np.stack(np.meshgrid(*steps, indexing='ij'), axis=-1)
    inside = brain.inside().at(points, 0)
    return Picture(values.at(points, 0, np.nan), marks.at(points, 0) > 0.5, brain.at(points), inside)


def look_through(solid: Picture, axis: int) -> Picture:
    """Project along an axis; a significant value goes before a larger one that is not.

    Examples
    --------
    >>> line = np.array([[[1.0, -3.0, 2.0]]])
    >>> solid = Picture(line, line > 5, line * 0, line * 0)
    >>> look_through(solid, 2).values.item(), look_through(solid._replace(marked=line == 2), 2).values.item()
    (-3.0, 2.0)

    """
    size = np.where(np.isnan(solid.values), -1, np.abs(solid.values))
    first = np.argmax(size + np.where(solid.marked, size.max() + 1, 0), axis=axis, keepdims=True)
    return Picture(
        np.take_along_axis(solid.values, first, axis).squeeze(axis),
        solid.marked.max(axis=axis),
        # faint, so that the outline and not the tissue is seen
        _GLASS * solid.grey.mean(axis=axis),
        solid.outline.max(axis=axis),
    )


def as_cut(flat: Array) -> Array:
    """Return a projection with pixels of 1 mm and the top row first.

    Examples
    --------
    What is far along the second axis is above:

    >>> as_cut(np.array([[1, 2]])).tolist()
    [[2, 2], [2, 2], [1, 1], [1, 1]]

    """
    return np.repeat(np.repeat(flat, _DEPTH, axis=0), _DEPTH, axis=1).T[::-1]
