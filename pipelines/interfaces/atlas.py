"""The packaged atlas, and images of one template at points of another."""

import json
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ..numerics.inverse import invert_points
from ..numerics.resample import apply_field, apply_linear, sample
from . import templates
from .headers import open_image
from .images import iterate_stored
from .transforms import read_composite, read_field, read_linear

_MANIFEST = Path(__file__).parents[1] / 'data' / 'regions.json'


@cache
def manifest() -> dict[str, Any]:
    """Return the region manifest of the package."""
    return dict(json.loads(_MANIFEST.read_text()))


@cache
def atlas_labels() -> tuple[np.ndarray, np.ndarray]:
    """Return the winner-takes-all labels (-1 = none) of the Harvard-Oxford atlas and their affine.

    Notes
    -----
    The label of a voxel is the map with the largest probability, the first of equals, where that
    reaches 25 %: :func:`~pipelines.numerics.regions.winner_take_all`, one map in memory at a time.

    """
    path, least = templates.harvard_oxford(), manifest()['harvard-oxford']['Threshold']
    image = open_image(path)
    best = np.full(image.shape[2::-1], least - 1, np.uint8)  # planes first, as they lie in the file
    winner = np.full(best.shape, -1, np.int16)
    for number, volume in enumerate(iterate_stored(path)):
        planes = np.flatnonzero(volume.max(axis=(0, 1)) >= least)  # of a region, a third
        if len(planes):
            slab = slice(planes[0], planes[-1] + 1)
            is_largest = volume.T[slab] > best[slab]
            best[slab][is_largest], winner[slab][is_largest] = volume.T[slab][is_largest], number
    return winner.T, image.affine


def point_map(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return the map of points (N, 3) in RAS mm that a transform file holds.

    Parameters
    ----------
    path
        ITK's ``.h5`` composite or ``.txt``, or a displacement field ``.nii(.gz)``.

    Raises
    ------
    DataError
        It cannot be read.

    """
    if path.suffix == '.h5':
        return read_composite(path)
    if path.suffix == '.txt':
        matrix = read_linear(path)
        return lambda points: apply_linear(matrix, points)
    field, affine = read_field(path)
    return lambda points: apply_field(field, affine, points)


def to_source(source: str, target: str, positions: np.ndarray) -> tuple[np.ndarray, str]:
    """Return the points (N, 3) of template ``source`` at ``positions`` of ``target``, and by which transform."""
    points = positions.reshape(-1, 3)
    way = templates.between_templates(source, target)
    if way.path is None:
        return points, way.provenance
    mapping = point_map(way.path)
    return (invert_points(mapping, points) if way.is_inverse else mapping(points)), way.provenance


def sample_object(volume: np.ndarray, affine: np.ndarray, points: np.ndarray, order: int) -> np.ndarray:
    """Return what :func:`~pipelines.numerics.resample.sample` does for an image that is mostly zero, sooner.

    Only points near voxels other than 0 are looked at; a template brain leaves half of them, a region few.
    """
    values = np.zeros(len(points), np.float32)
    others = [volume.any(axis=axes) for axes in ((1, 2), (0, 2), (0, 1))]
    if not others[0].any():
        return values
    first, last = np.array([np.flatnonzero(other)[[0, -1]] for other in others]).T
    corners = apply_linear(affine, np.array(list(product(*zip(first - 1, last + 1)))))
    near = np.arange(len(points))
    for axis in (2, 1, 0):  # a plane of a scan after the other: most points are away from it
        along = points[near, axis]
        near = near[(along > corners[:, axis].min()) & (along < corners[:, axis].max())]
    values[near] = sample(volume, affine, points[near], order)
    return values
