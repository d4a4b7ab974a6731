"""Regions from the packaged atlas, a FreeSurfer segmentation, a sphere or a file, at points of a template."""

import json
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError, MissingInputError, ParameterError
from ..numerics import regions
from ..numerics.resample import apply_field, apply_linear, sample
from . import templates
from .choices import Segmentation, file_of
from .headers import open_image
from .images import iterate_stored, values_of
from .transforms import read_composite, read_field, read_linear

_MANIFEST = Path(__file__).parents[1] / 'data' / 'regions.json'


class Drawn(NamedTuple):
    """Left and right masks (2, X, Y, Z) of a region, and by which transform they came here."""

    masks: np.ndarray
    transform: str


@cache
def manifest() -> dict[str, Any]:
    """Return the region manifest of the package."""
    return dict(json.loads(_MANIFEST.read_text()))


def region_pair(
    name: str, choice: str, space: str, positions: np.ndarray, segmentation: Segmentation | None = None
) -> Drawn:
    """Return left and right masks of a region.

    Parameters
    ----------
    name
        ``NAc`` or ``mPFC``.
    choice
        A name of the manifest, ``sphere:X,Y,Z,R`` in mm, or ``FILE[:LABEL]`` in ``space``, which is
        split at x = 0.
    space
        Template space of ``positions``.
    positions
        (X, Y, Z, 3) mm, RAS.
    segmentation
        Needed for ``freesurfer`` only.

    Raises
    ------
    ParameterError
        Unknown choice, naming those offered.
    MissingInputError
        The file, or FreeSurfer's segmentation, is not there.
    DataError
        The region lies elsewhere or on the other side than the manifest says.

    """
    if choice.startswith('sphere:'):
        x, y, z, radius = _four_numbers(name, choice)
        return Drawn(regions.sphere_pair(positions, (x, y, z), radius), 'none: drawn in this space')
    if choice == 'freesurfer':
        return _freesurfer_pair(name, positions, segmentation or Segmentation(), space)
    if choice in manifest()[name]:
        return _atlas_pair(name, choice, space, positions)
    return _file_pair(name, choice, positions)


def check_choice(name: str, choice: str) -> None:
    """Refuse a choice of region that cannot be drawn in any run.

    Raises
    ------
    ParameterError
        Unknown choice, naming those offered.
    MissingInputError
        The file is not there.

    """
    if choice.startswith('sphere:'):
        _four_numbers(name, choice)
    elif choice != 'freesurfer' and choice not in manifest()[name]:
        _region_file(name, choice)


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
    field, provenance = templates.between_templates(source, target)
    return (points if field is None else point_map(field)(points)), provenance


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


def _atlas_pair(name: str, choice: str, space: str, positions: np.ndarray) -> Drawn:
    entry, about = manifest()[name][choice], manifest()['harvard-oxford']
    labels, affine = atlas_labels()
    points, provenance = to_source(about['Space'], space, positions)
    masks = []
    for side in 'LR':
        inside = labels == entry[side]
        _check_place(f'{name}{side}', inside, affine, entry['Centroids'][side], about['CentroidTolerance'])
        drawn = sample_object(inside.astype(np.float32), affine, points, 1) >= 0.5
        masks.append(drawn.reshape(positions.shape[:3]))
    pair = np.stack(masks)
    if 'BelowZ' in entry:
        pair &= positions[..., 2] < entry['BelowZ']
    return Drawn(pair, provenance)


def _freesurfer_pair(name: str, positions: np.ndarray, found: Segmentation, space: str) -> Drawn:
    entry, source = manifest()[name]['freesurfer'], freesurfer_labels(name, found, space)
    image, points = open_image(source), positions.reshape(-1, 3)
    if found.anat2std_xfm:
        points = point_map(found.anat2std_xfm)(points)
    labels = sample(values_of(image), image.affine, points, 0)
    pair = np.stack([np.isin(labels, entry[side]).reshape(positions.shape[:3]) for side in 'LR'])
    affine = regions.grid_affine(positions)
    for side, inside in zip('LR', pair):
        if not inside.any():
            raise DataError(f'{source} has no voxel of {name}{side} (labels {entry[side]}). Check the file.')
        _check_place(f'{name}{side}', inside, affine, entry['Centroids'][side], entry['CentroidTolerance'])
    return Drawn(pair, found.anat2std_xfm.name if found.anat2std_xfm else 'none: labels of this space')


def freesurfer_labels(name: str, found: Segmentation, space: str) -> Path:
    """Return the file of FreeSurfer's labels that a region is taken from.

    Raises
    ------
    MissingInputError
        It is not there.

    """
    kind = manifest()[name]['freesurfer']['File']
    source = found.aparcaseg if kind == 'aparcaseg' else found.aseg or found.aparcaseg
    if source is None:
        raise MissingInputError(
            f'--{name.lower()} freesurfer needs desc-{kind}_dseg and from-T1w_to-{space}_mode-image_xfm '
            'in the anat folder of fMRIPrep. Run fMRIPrep with FreeSurfer, or choose another region.'
        )
    return source


def _file_pair(name: str, choice: str, positions: np.ndarray) -> Drawn:
    image, label = _region_file(name, choice)
    values = sample(values_of(image), image.affine, positions.reshape(-1, 3), 0)
    inside = values > 0 if label is None else values == label
    masks = regions.split_hemispheres(inside.reshape(positions.shape[:3]), positions)
    return Drawn(masks, 'none: taken to be in this space')


def _region_file(name: str, choice: str) -> tuple[Any, float | None]:
    """Return the image of a region and its label."""
    found = file_of(choice)
    if found is None:
        offered = ', '.join([*manifest()[name], 'sphere:X,Y,Z,R', 'FILE[:LABEL]'])
        kind = MissingInputError if '/' in choice or '.nii' in choice else ParameterError
        raise kind(f'--{name.lower()} {choice}: no such file or name. Offered: {offered}')
    image = open_image(found[0])
    if image.ndim != 3:
        raise DataError(f'{found[0]} has shape {image.shape}; a region is a 3D mask or label image.')
    return image, None if found[1] is None else _label(name, choice, found[1])


def _check_place(
    label: str, inside: np.ndarray, affine: np.ndarray, expected: list[float], tolerance: float
) -> None:
    found = regions.centroid(inside, affine)
    if np.linalg.norm(found - expected) > tolerance:
        where = ', '.join(f'{v:.1f}' for v in found)
        raise DataError(
            f'region {label} is centred on ({where}) mm, expected {expected} within {tolerance} mm: '
            'the labels are flipped or of another atlas, or the transform is of another image.'
        )


def _four_numbers(name: str, choice: str) -> list[float]:
    try:
        numbers = [float(v) for v in choice.removeprefix('sphere:').split(',')]
    except ValueError:
        numbers = []
    if len(numbers) != 4 or not np.isfinite(numbers).all() or numbers[3] <= 0:
        raise ParameterError(f'--{name.lower()} {choice}: write sphere:X,Y,Z,R in mm, with R above 0.')
    return numbers


def _label(name: str, choice: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ParameterError(f'--{name.lower()} {choice}: the label {text} is no number.') from None
