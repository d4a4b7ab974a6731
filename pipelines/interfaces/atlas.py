"""The packaged atlases, and images of one template at points of another."""

import json
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, NotRequired, TypedDict, assert_never

import numpy as np

from ..errors import ParameterError
from ..numerics.inverse import invert_points
from ..numerics.resample import apply_field, apply_linear, sample
from ..terms import LATERAL, Hemisphere
from . import templates
from .choices import ATLASES, AtlasName, RegionSource
from .headers import open_image
from .images import iterate_stored
from .transforms import read_composite, read_field, read_linear

SIDE_WORDS = {'L': 'left', 'R': 'right'}
_DATA = Path(__file__).parents[1] / 'data'


@cache
def manifest() -> dict[str, Any]:
    """Return the region manifest of the package: choices of a structure that have a name."""
    return dict(json.loads((_DATA / 'regions.json').read_text()))


class AtlasFacts(TypedDict):
    """What ``atlases.json`` says of an atlas; labels by kind of tissue are of the Harvard-Oxford atlas alone."""

    Source: str
    Terms: str
    Space: str
    Rule: str
    CentroidTolerance: float
    Threshold: NotRequired[int]
    DeepGrey: NotRequired[list[int]]
    Ventricles: NotRequired[list[int]]


@cache
def atlases() -> dict[str, AtlasFacts]:
    """Return what the package knows of each atlas: source, terms, space, rule of its labels."""
    return dict(json.loads((_DATA / 'atlases.json').read_text()))


class Atlas(NamedTuple):
    """Labels (X, Y, Z) of an atlas with the number of no label, their affine, space, and names by number."""

    labels: np.ndarray
    none: int
    affine: np.ndarray
    space: str
    names: dict[int, str]


def open_atlas(name: AtlasName) -> Atlas:
    """Return a packaged atlas."""
    space = atlases()[name]['Space']
    match name:
        case 'harvard-oxford':
            labels, affine, none = *atlas_labels(), -1
        case 'cit168':
            labels, affine, none = *_cit168(), 0
        case other:
            assert_never(other)
    return Atlas(labels, none, affine, space, templates.label_names(name))


def atlas_named(source: str) -> AtlasName:
    """Return the atlas that stands before the label of a source; raises StopIteration for none of ours."""
    head = source.partition(':')[0]
    return next(name for name in ATLASES if name == head)


def label_numbers(region: str, side: Hemisphere, source: RegionSource) -> tuple[int, ...]:
    """Return the numbers that the label of a source means: numbers, or a name with its side or without.

    Raises
    ------
    ParameterError
        The atlas has no such label; those like it are named.

    """
    name = atlas_named(source.text)
    names, known = templates.label_names(name), templates.label_index(name)
    wanted = source.label.replace('_', ' ').casefold().strip()
    tried = [wanted, *([f'{SIDE_WORDS[side]} {wanted}'] if side in LATERAL else [])]
    found = [known[word] for word in tried if word in known]
    if found:
        return (found[0],)
    parts = source.label.split('+')
    if all(part.isdecimal() and int(part) in names for part in parts):
        return tuple(int(part) for part in parts)
    near = [own for own in names.values() if any(word in own.casefold() for word in wanted.split())]
    ends = list(names.values())
    offered = ', '.join(near[:6]) or f'{ends[0]}, {ends[-1]} ...'
    raise ParameterError(f'region {region}: {name} has no label {source.label}. Offered: {offered}.')


@cache
def _cit168() -> tuple[np.ndarray, np.ndarray]:
    image = open_image(templates.cit168())
    return np.asarray(image.dataobj).astype(np.int16), image.affine


@cache
def atlas_labels() -> tuple[np.ndarray, np.ndarray]:
    """Return the winner-takes-all labels (-1 = none) of the Harvard-Oxford atlas and their affine.

    Notes
    -----
    The label of a voxel is the map with the largest probability, the first of equals, where that
    reaches 25 %: :func:`~pipelines.numerics.regions.winner_take_all`, one map in memory at a time.

    """
    path, least = templates.harvard_oxford(), atlases()['harvard-oxford']['Threshold']
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
