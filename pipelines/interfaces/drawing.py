"""Regions of a circuit at points of a template: from packaged atlases, FreeSurfer, spheres and files."""

from pathlib import Path
from typing import Any, NamedTuple, assert_never

import numpy as np

from ..errors import DataError, MissingInputError
from ..numerics import regions
from ..numerics.resample import sample
from ..terms import LATERAL, Hemisphere, Structure
from .atlas import (
    SIDE_WORDS,
    atlas_named,
    atlases,
    label_numbers,
    manifest,
    open_atlas,
    point_map,
    sample_object,
    to_source,
)
from .choices import FREESURFER, OWN_SPACES, RegionSource, Segmentation, read_source
from .headers import open_image
from .images import values_of

_CORTICAL = 1000
"""FreeSurfer's numbers of parcels of the cortex begin here; those below stand in aseg."""


class Drawn(NamedTuple):
    """Masks (S, X, Y, Z) of the sides of a structure, and by which transform they came here."""

    masks: np.ndarray
    transform: str


class Canvas:
    """Points that regions are drawn at; what several rest on is read and transformed once.

    Parameters
    ----------
    space
        Template space of the positions.
    positions
        (X, Y, Z, 3) mm, RAS.
    segmentation
        FreeSurfer's labels, and the way to the person's anatomy.
    own
        (X, Y, Z, 3) mm: the positions in the person's anatomy, where they are known.

    """

    def __init__(
        self,
        space: str,
        positions: np.ndarray,
        segmentation: Segmentation | None = None,
        own: np.ndarray | None = None,
    ) -> None:
        self.space, self.positions, self.segmentation = space, positions, segmentation or Segmentation()
        self.shape = positions.shape[:3]
        self._own = own
        self._points: dict[str, tuple[np.ndarray, str]] = {}
        self._labels: dict[tuple[Path, str], np.ndarray] = {}

    @property
    def anatomy(self) -> str:
        """Return the space of FreeSurfer's labels: the person's, or none where they lie at the positions."""
        is_known = self._own is not None or self.segmentation.anat2std_xfm
        return OWN_SPACES[0] if is_known else ''

    def points(self, space: str) -> tuple[np.ndarray, str]:
        """Return the points (N, 3) in a space, and how they came there.

        Raises
        ------
        MissingInputError
            It is that of the person's anatomy, and no way there is known.

        """
        if space not in self._points:
            self._points[space] = self._to_own() if space in OWN_SPACES else self._to_template(space)
        return self._points[space]

    def labels(self, path: Path, space: str) -> np.ndarray:
        """Return the labels of an image in a space at the positions, (X, Y, Z)."""
        if (path, space) not in self._labels:
            image = _open(path)
            found = sample(values_of(image), image.affine, self.points(space)[0], 0)
            self._labels[path, space] = found.reshape(self.shape)
        return self._labels[path, space]

    def _to_template(self, space: str) -> tuple[np.ndarray, str]:
        return to_source(space or self.space, self.space, self.positions)

    def _to_own(self) -> tuple[np.ndarray, str]:
        if self._own is not None:
            return self._own.reshape(-1, 3), "none: the person's own space"
        xfm = self.segmentation.anat2std_xfm
        if xfm is None:
            raise MissingInputError(
                f'a region in the space of the T1w image needs from-T1w_to-{self.space}_mode-image_xfm beside it. '
                'Run fMRIPrep with this template among --output-spaces, or give the region in the template.'
            )
        return point_map(xfm)(self.positions.reshape(-1, 3)), xfm.name


def draw_structure(own: Structure, canvas: Canvas) -> Drawn:
    """Return the masks of the sides of a structure.

    Parameters
    ----------
    own
        What is drawn.
    canvas
        Where.

    Raises
    ------
    ParameterError
        A source is unknown, or has no such label; names those offered.
    MissingInputError
        A file, or FreeSurfer's segmentation, is not there.
    DataError
        The region lies elsewhere or on the other side than it should.

    Notes
    -----
    A sphere or file is cut at x = 0 where a side is asked for.  One sphere for both sides is mirrored, unless it crosses
    the midline (:math:`|x| < R`).

    """
    drawn, transforms = [], []
    for side, text in own.sources:
        source = parse_source(own, text)
        match source.kind:
            case 'sphere':
                mask, transform = _sphere(own, side, source, canvas), 'none: drawn in this space'
            case 'named' | 'atlas':
                mask, transform = _of_atlas(own, side, source, canvas)
            case 'freesurfer':
                mask, transform = _of_freesurfer(own, side, source, canvas)
            case 'file':
                mask, transform = _of_file(own, side, source, canvas)
            case other:
                assert_never(other)
        _check_side(own.label(side), side, mask, canvas)
        drawn.append(mask)
        transforms.append(transform)
    return Drawn(np.stack(drawn), ' and '.join(dict.fromkeys(transforms)))


def _open(path: Path) -> Any:
    """Return a 3D image."""
    image = open_image(path)
    if image.ndim != 3:
        raise DataError(f'{path} has shape {image.shape}; a region is a 3D mask or label image.')
    return image


def parse_source(own: Structure, text: str) -> RegionSource:
    """Return what a source of a structure says; raises as :func:`~.choices.read_source`."""
    known = manifest().get(own.name, {})
    what = f'--{own.name.lower()}' if known else f'region {own.name}'
    return read_source(text, known=known, what=what)


def check_sources(own: Structure) -> None:
    """Refuse sources of a structure that cannot be drawn in any run; raises as :func:`draw_structure`."""
    for side, text in own.sources:
        source = parse_source(own, text)
        match source.kind:
            case 'atlas':
                label_numbers(own.label(side), side, source)
            case 'freesurfer':
                source.check_label()
            case 'file':
                assert source.path
                source.check_label()
                _open(source.path)
            case 'named' | 'sphere':
                pass
            case other:
                assert_never(other)


def _sphere(own: Structure, side: Hemisphere, source: RegionSource, canvas: Canvas) -> np.ndarray:
    x, y, z, radius = source.sphere
    is_pair = own.sides == LATERAL and len({text for _, text in own.sources}) == 1
    if is_pair and abs(x) >= radius:
        x = abs(x) * (1 if side == 'R' else -1)
    inside = np.linalg.norm(canvas.positions - np.array([x, y, z]), axis=-1) <= radius
    return _cut(own.label(side), side, inside, canvas)


def _of_file(
    own: Structure, side: Hemisphere, source: RegionSource, canvas: Canvas
) -> tuple[np.ndarray, str]:
    assert source.path
    values = canvas.labels(source.path, source.space)
    inside = np.isin(values, source.numbers) if source.label else values > 0
    transform = canvas.points(source.space)[1] if source.space else 'none: taken to be in this space'
    return _cut(own.label(side), side, inside, canvas), transform


def _cut(label: str, side: Hemisphere, inside: np.ndarray, canvas: Canvas) -> np.ndarray:
    """Return the part of a mask on a side of the midline; all of it for a region on the midline."""
    if side not in LATERAL:
        return inside
    own = regions.on_side(inside, canvas.positions, side)
    if own.sum() * 10 < inside.sum():
        raise DataError(
            f'region {label} lies on the other side: a tenth of it at most is on the {SIDE_WORDS[side]} (x '
            f'{"<" if side == "L" else ">"} 0). Correct its hemisphere or its source.'
        )
    return own


def _of_atlas(
    own: Structure, side: Hemisphere, source: RegionSource, canvas: Canvas
) -> tuple[np.ndarray, str]:
    label = own.label(side)
    entry = manifest()[own.name][source.text] if source.kind == 'named' else {}
    name = atlas_named(entry['Atlas'] if entry else source.text)
    numbers = (entry[side],) if entry else label_numbers(label, side, source)
    atlas = open_atlas(name)
    inside = np.isin(atlas.labels, numbers)
    if entry:
        centre = regions.centroid(inside, atlas.affine)
        _check_place(label, centre, entry['Centroids'][side], atlases()[name]['CentroidTolerance'])
    points, provenance = canvas.points(atlas.space)
    drawn = (sample_object(inside.astype(np.float32), atlas.affine, points, 1) >= 0.5).reshape(canvas.shape)
    if 'BelowZ' in entry:
        drawn &= canvas.positions[..., 2] < entry['BelowZ']
    return drawn, provenance


def _of_freesurfer(
    own: Structure, side: Hemisphere, source: RegionSource, canvas: Canvas
) -> tuple[np.ndarray, str]:
    entry = {} if source.label else manifest()[own.name][FREESURFER]
    numbers = tuple(entry[side]) if entry else source.numbers
    path = freesurfer_labels(own, canvas.segmentation, canvas.space)
    label = own.label(side)
    mask = np.isin(canvas.labels(path, canvas.anatomy), numbers)
    if not mask.any():
        raise DataError(f'{path} has no voxel of {label} (labels {list(numbers)}). Check the file.')
    if entry:
        centre = canvas.positions[mask].mean(axis=0)
        _check_place(label, centre, entry['Centroids'][side], entry['CentroidTolerance'])
    return mask, canvas.points(canvas.anatomy)[1] if canvas.anatomy else 'none: labels of this space'


def freesurfer_labels(own: Structure, found: Segmentation, space: str) -> Path:
    """Return the file of FreeSurfer's labels that a structure is taken from.

    Raises
    ------
    MissingInputError
        It is not there.

    """
    sources = [parse_source(own, text) for _, text in own.sources]
    numbers = [number for source in sources for number in source.numbers]
    is_cortical = any(number >= _CORTICAL for number in numbers)
    kind = manifest()[own.name][FREESURFER]['File'] if not numbers else 'aparcaseg' if is_cortical else 'aseg'
    path = found.aparcaseg if kind == 'aparcaseg' else found.aseg or found.aparcaseg
    if path is None:
        raise MissingInputError(
            f'region {own.name}: {FREESURFER} needs desc-{kind}_dseg and from-T1w_to-{space or "template"}_mode-image_xfm '
            f'in the anat folder of fMRIPrep, or aparc+aseg.mgz in the folder given with -d {FREESURFER}. Run FreeSurfer, '
            'or choose another region.'
        )
    return path


def _check_place(label: str, found: np.ndarray, expected: list[float], tolerance: float) -> None:
    if np.linalg.norm(found - expected) > tolerance:
        where = ', '.join(f'{v:.1f}' for v in found)
        raise DataError(
            f'region {label} is centred on ({where}) mm, expected {expected} within {tolerance} mm: '
            'the labels are flipped or of another atlas, or the transform is of another image.'
        )


def _check_side(label: str, side: Hemisphere, mask: np.ndarray, canvas: Canvas) -> None:
    """Refuse a region whose centre is not where its hemisphere says."""
    if not mask.any():
        return  # told with its grid
    x = float(canvas.positions[mask][:, 0].mean())
    if not regions.is_on_side(x, side):
        near = f'within {regions.MIDLINE_MM:g} mm of the midline'
        wanted = f'on the {SIDE_WORDS[side]}' if side in LATERAL else near
        raise DataError(
            f'region {label} is centred on x = {x:.1f} mm and should lie {wanted}. Correct its hemisphere or its source.'
        )
