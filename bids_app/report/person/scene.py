"""Tracts in three dimensions: lines, regions and the outline of the brain, as numbers that the page draws."""

import json
import logging
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.streamlines.tractogram_file import HeaderError
from scipy import ndimage

from ...outputs.bold import REGIONS_DSEG
from ...outputs.diffusion import BRAIN, STREAMLINES
from ..read import entities_and_suffix, scan_title, source_of
from ..words import anchor

LOGGER = logging.getLogger(__name__)

_LINES, _POINTS, _OUTLINE = 150, 25, 2500
"""Streamlines of a tract, points of a streamline, points of the brain: enough for the eye, and small."""

_COLOURS = ('#e15759', '#4e79a7', '#f28e2b', '#59a14f', '#b07aa1', '#9c755f')
_REGION, _BRAIN = '#111111', '#9aa0a6'
_SIZES = {_REGION: 3.0, _BRAIN: 1.5}
_DAMAGED = (OSError, EOFError, ValueError, zlib.error, ImageFileError, HeaderError)


class Part(NamedTuple):
    """What has one colour: a tract's lines, or points of regions or of the brain, as lists of RAS mm one after the other.

    ``size`` of dots is in pixels.
    """

    title: str
    colour: str
    size: float
    lines: list[list[float]]
    dots: list[float]


class TractScene(NamedTuple):
    """Tracts of one space: ``data`` is what the page draws, as JSON."""

    key: str
    title: str
    parts: list[Part]

    @property
    def data(self) -> str:
        """Return the parts as JSON."""
        known = [own._asdict() for own in self.parts]
        return json.dumps(known, separators=(',', ':'))


def scenes_of(output_dir: Path, participant: str) -> list[TractScene]:
    """Return a scene for every folder that holds streamlines; what cannot be read is left out and told."""
    files = sorted((output_dir / participant).rglob(f'{participant}_*'))
    tracts = [path for path in files if STREAMLINES.is_name(path.name, {})]
    folders = dict.fromkeys(path.parent for path in tracts)
    found = (_scene([path for path in tracts if path.parent == folder], files) for folder in folders)
    return [scene for scene in found if scene]


def _scene(tracts: Sequence[Path], files: Sequence[Path]) -> TractScene | None:
    about = entities_and_suffix(tracts[0].name)
    images = [path for path in files if entities_and_suffix(path.name).get('space') == about['space']]
    masks = [path for path in images if BRAIN.is_name(path.name, {})]
    regions = [path for path in tracts[0].parent.glob('*') if REGIONS_DSEG.is_name(path.name, {})]
    wanted: list[tuple[str, str, Any, Path]] = [
        *(('outline of the brain', _BRAIN, _brain, path) for path in masks[:1]),
        *(('regions', _REGION, _regions, path) for path in regions),
        *(
            (entities_and_suffix(path.name)['bundle'], _COLOURS[number % len(_COLOURS)], _tract, path)
            for number, path in enumerate(tracts)
        ),
    ]
    parts = list(_read(wanted))
    if not any(own.lines for own in parts):
        return None
    title = f'{scan_title(source_of(tracts[0].name))}: tract in three dimensions'
    return TractScene(anchor(f'{source_of(tracts[0].name)}-scene'), title, parts)


def _read(wanted: Sequence[tuple[str, str, Any, Path]]) -> Iterator[Part]:
    for title, colour, reader, path in wanted:
        try:
            yield Part(title, colour, _SIZES.get(colour, 0), *reader(path))
        except _DAMAGED as error:
            LOGGER.warning('%s cannot be looked through: %s', path.name, error)


def _tract(path: Path) -> tuple[list[list[float]], list[float]]:
    """Return some streamlines, evenly chosen, with fewer points each."""
    streamlines = nb.streamlines.load(path).streamlines
    chosen = streamlines[_some(len(streamlines), _LINES)]
    return [_flat(line[_some(len(line), _POINTS)]) for line in chosen if len(line) > 1], []


def _brain(path: Path) -> tuple[list[list[float]], list[float]]:
    image = nb.load(path)
    return [], _flat(_border(np.asarray(image.dataobj) > 0, image.affine, _OUTLINE))


def _regions(path: Path) -> tuple[list[list[float]], list[float]]:
    image = nb.load(path)
    labels = np.asarray(image.dataobj)
    each = [_border(labels == label, image.affine, _OUTLINE // 10) for label in np.unique(labels[labels > 0])]
    return [], _flat(np.concatenate([np.empty((0, 3)), *each]))


def _border(mask: np.ndarray, affine: np.ndarray, most: int) -> np.ndarray:
    """Return some voxels at the border of a mask, mm."""
    voxels = np.argwhere(mask & ~ndimage.binary_erosion(mask))
    # a walk through the sorted voxels would show as stripes
    order = np.random.default_rng(1).permutation(len(voxels))[:most]
    return nb.affines.apply_affine(affine, voxels[order])


def _some(count: int, most: int) -> np.ndarray:
    """Return at most so many numbers below a count, evenly spread, the first and the last among them."""
    return (
        np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
        if count
        else np.empty(0, int)
    )


def _flat(points: np.ndarray) -> list[float]:
    return [round(float(value), 1) for value in np.asarray(points).ravel()]
