"""What the figures of images share: sample a file at the places of a montage, choose cuts, save."""

from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray
from PIL import Image

from .. import figures
from ..errors import DataError
from ..figures import Outline
from ..numerics.resample import apply_linear, sample
from ..terms import Circuit
from .atlas import sample_object

Array = NDArray[Any]

MNI_BOX = np.array([[-78.0, -112, -68], [78, 80, 88]])
"""Corners of what is drawn of a template, mm."""

_MARGIN = 6.0  # mm around the brain
_COLOURS = (figures.BLUE, figures.YELLOW, figures.ORANGE, figures.GREEN, figures.PURPLE, figures.RED)


class Figured(NamedTuple):
    """Output of every figure."""

    figure: Path


def open_picture(path: Path) -> SpatialImage:
    """Open an image."""
    image = nb.load(path)
    assert isinstance(image, SpatialImage)
    return image


def drawn_values(image: SpatialImage, volume: int | None = None) -> Array:
    """Return a volume as finite float32 (i, j, k)."""
    data = image.dataobj if volume is None or image.ndim < 4 else image.dataobj[..., volume]
    values = np.asarray(data, dtype=np.float32).reshape(image.shape[:3])
    return values if np.isfinite(values).all() else np.nan_to_num(values)


def on(
    place: figures.Montage,
    path: Path,
    *,
    labels: tuple[int, ...] | None = None,
    matrix: Array | None = None,
) -> Array:
    """Sample an image (or the inside of some of its labels) at the pixels of a montage."""
    image = open_picture(path)
    values = drawn_values(image)
    if labels is not None:
        values = np.logical_or.reduce([values == label for label in labels]).astype(np.float32)
    points = place.points.reshape(-1, 3)
    points = points if matrix is None else apply_linear(matrix, points)
    return sample(values, image.affine, points, 1).reshape(place.points.shape[:2])


def three_planes(mask: Path) -> figures.Montage:
    """Return seven axial, seven coronal and six sagittal cuts through what is above 0.

    Raises
    ------
    DataError
        If nothing is.

    """
    image = open_picture(mask)
    inside = drawn_values(image) > 0
    if not inside.any():
        raise DataError(f'{mask}: no voxel is above 0, so that there is no brain to show')
    span = [np.flatnonzero(inside.any(axis=other))[[0, -1]] for other in ((1, 2), (0, 2), (0, 1))]
    corners = apply_linear(image.affine, np.stack(np.meshgrid(*span), axis=-1).reshape(-1, 3).astype(float))
    low, high = corners.min(axis=0), corners.max(axis=0)
    rows = [
        [(axis, at) for at in figures.spread_cuts(low[axis], high[axis], n)]
        for axis, n in ((2, 7), (1, 7), (0, 6))
    ]
    return figures.montage(rows, np.round([low - _MARGIN, high + _MARGIN]))


def centre(image: SpatialImage, volume: int) -> Array | None:
    """Return the centroid in RAS mm of what is above 0, or None if nothing is."""
    inside = np.argwhere(drawn_values(image, volume) > 0)
    return apply_linear(image.affine, inside.astype(float)).mean(axis=0) if len(inside) else None


def rows_through(centres: dict[str, Array | None], circuit: Circuit) -> list[list[tuple[int, float]]]:
    """Return a row of cuts through the sides of each structure that has voxels."""
    rows = []
    for structure in sorted(circuit.structures, key=lambda own: own.name, reverse=True):
        sides = [centres.get(structure.label(side)) for side in structure.sides]
        found = [centre for centre in sides if centre is not None]
        if found:
            middle = np.mean(found, axis=0)
            rows.append([*((0, c[0]) for c in found), (1, middle[1]), (2, middle[2])])
    return rows or [[(0, 0.0), (1, 0.0), (2, 0.0)]]


def region_colour(name: str, circuit: Circuit) -> str:
    """Return the colour of a region's structure."""
    number = list(circuit.by_name).index(circuit.regions[name].structure)
    return _COLOURS[number % len(_COLOURS)]


def region_outline(
    place: figures.Montage, image: SpatialImage, volume: int, name: str, flags: str, circuit: Circuit
) -> Outline:
    """Return the border of one region; dashed and called flagged if it has flags."""
    inside = (drawn_values(image, volume) > 0).astype(np.float32)
    canvas = sample_object(inside, image.affine, place.points.reshape(-1, 3), 1)
    flagged = flags not in ('', 'n/a')
    return Outline(
        canvas.reshape(place.points.shape[:2]),
        region_colour(name, circuit),
        f'{name}: flagged' if flagged else name,
        'dashed' if flagged else 'solid',
        1.5,
    )


def save(figure: Figure, path: Path) -> Figured:
    """Write a figure as PNG at its own resolution and colours."""
    path.unlink(missing_ok=True)
    colour = figure.get_facecolor()
    figure.savefig(path, dpi=figure.dpi, facecolor=colour)
    return Figured(path)


def save_below(drawn: list[Figure], path: Path) -> Figured:
    """Write figures below each other as one PNG; a single one as :func:`save` does."""
    if len(drawn) == 1:
        return save(drawn[0], path)
    pictures = []
    for number, figure in enumerate(drawn):
        part = save(figure, path.with_name(f'{path.stem}_{number}.png')).figure
        pictures.append(Image.open(part).convert('RGB'))
    size = max(picture.width for picture in pictures), sum(picture.height for picture in pictures)
    colour = to_hex(drawn[0].get_facecolor())
    whole, top = Image.new('RGB', size, colour), 0
    for picture in pictures:
        whole.paste(picture, (0, top))
        top += picture.height
    whole.save(path)
    return Figured(path)
