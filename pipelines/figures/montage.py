"""Cuts through the head: pictures whose every pixel has a place in RAS mm (``Montage.points``).

Any image on any grid is drawn by sampling it there.  The viewer's left is the person's left.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

Array = NDArray[np.floating]

BLUE, GREEN, ORANGE, YELLOW, RED = '#56B4E9', '#00B988', '#E69F00', '#F0E442', '#D55E00'
"""Colours that people with any colour vision tell apart (after Okabe and Ito); lines differ in dash too."""

OUTSIDE = 1e6  # mm: padding between cuts is sampled outside every image, where the value is 0
_AXES, _SIDES = 'xyz', {'L': 'left', 'R': 'right'}
GAP = 6  # pixels between cuts
_DOTS_PER_PIXEL, _DPI = 1.6, 160
_TITLE: dict[str, Any] = {'color': 'white', 'fontsize': 11, 'weight': 'bold', 'va': 'center'}
_UNIT: dict[str, Any] = {'color': 'white', 'fontsize': 8, 'ha': 'right', 'va': 'center'}
_HEAD = 0.36  # inches above a montage, for its legend and colour bars


class Montage(NamedTuple):
    """Cuts through the head side by side.

    ``points`` is (height, width, 3): the RAS mm of each pixel; ``labels`` holds the pixel (row,
    column) and the text of every label, ``sides`` those of the letters L and R.
    """

    points: Array
    labels: list[tuple[int, int, str]]
    sides: list[tuple[int, int, str]]


class Outline(NamedTuple):
    """The border of a region: ``canvas`` (height, width) is above 0.5 inside; ``width`` in points."""

    canvas: Array
    color: str
    label: str
    dash: Literal['solid', 'dashed', 'dotted'] = 'solid'
    width: float = 0.8


class Overlay(NamedTuple):
    """A map on a montage: faint where its absolute value is far below ``level``.

    ``canvas`` is (height, width) in any unit, ``limits`` the ends of the colour scale, ``level``
    the value that is outlined (none: nothing), ``unit`` the text at the colour bar.
    """

    canvas: Array
    limits: tuple[float, float]
    cmap: str
    unit: str
    level: float | None = None


def cut(axis: int, at: float, box: Array, step: float = 1.0) -> Array:
    """Return the places of the pixels of one cut, the top row first.

    Parameters
    ----------
    axis
        0 sagittal, 1 coronal, 2 axial.
    at
        Position along ``axis`` in mm.
    box
        (2, 3) lower and upper corner in RAS mm.
    step
        Size of a pixel in mm.

    Returns
    -------
    Array
        (height, width, 3) RAS mm.

    Examples
    --------
    Up is superior (anterior in an axial cut), and left is left:

    >>> box = np.array([[-2.0, -3, -4], [2, 3, 4]])
    >>> cut(1, 0.0, box)[0, 0], cut(2, 0.0, box)[-1, -1]
    (array([-2.,  0.,  4.]), array([ 2., -3.,  0.]))

    """
    across, up = [(1, 2), (0, 2), (0, 1)][axis]
    horizontal = np.arange(box[0, across], box[1, across] + step / 2, step)
    vertical = np.arange(box[0, up], box[1, up] + step / 2, step)[::-1]
    points = np.empty((len(vertical), len(horizontal), 3))
    points[..., axis] = at
    points[..., across] = horizontal
    points[..., up] = vertical[:, None]
    return points


def montage(rows: list[list[tuple[int, float]]], box: Array, step: float = 1.0) -> Montage:
    """Arrange cuts in rows.

    Parameters
    ----------
    rows
        Each row is a list of cuts ``(axis, at)``, see :func:`cut`.
    box
        (2, 3) lower and upper corner in RAS mm.
    step
        Size of a pixel in mm.

    Examples
    --------
    Every pixel of a cut knows its place; what lies between cuts is far outside the head:

    >>> box = np.array([[0.0, 0, 0], [2, 4, 6]])
    >>> both = montage([[(2, 3.0), (1, 1.0)]], box)
    >>> both.points.shape, [text for _, _, text in both.labels]
    ((7, 12, 3), ['z = 3', 'y = 1'])

    """
    tiles = [[cut(axis, at, box, step) for axis, at in row] for row in rows]
    height, width = sum(max(t.shape[0] for t in row) for row in tiles), max(map(_width, tiles))
    points = np.full((height, width, 3), OUTSIDE)
    labels, sides, top = [], [], 0
    for cuts, row in zip(rows, tiles):
        tallest = max(tile.shape[0] for tile in row)
        left = (width - _width(row)) // 2
        axes = [None, *(axis for axis, _ in cuts), None]
        for number, ((axis, at), tile) in enumerate(zip(cuts, row), 1):
            tile_top = top + (tallest - tile.shape[0]) // 2
            right = left + tile.shape[1]
            points[tile_top : tile_top + tile.shape[0], left:right] = tile
            labels.append((top + tallest, left, f'{_AXES[axis]} = {at:.0f}'))
            middle = tile_top + tile.shape[0] // 2
            if axis and axes[number - 1] != axis:
                sides.append((middle, left, 'L'))
            if axis and axes[number + 1] != axis:
                sides.append((middle, right - 1, 'R'))
            left = right + GAP
        top += tallest
    return Montage(points, labels, sides)


def _width(row: list[Array]) -> int:
    return sum(tile.shape[1] for tile in row) + GAP * (len(row) - 1)


def spread_cuts(low: float, high: float, n: int) -> list[float]:
    """Return ``n`` whole positions inside an interval, as far from its ends as from each other.

    Examples
    --------
    >>> spread_cuts(-50, 50, 4)
    [-30.0, -10.0, 10.0, 30.0]

    """
    return np.round(np.linspace(low, high, n + 2)[1:-1]).tolist()


def grey_limits(canvas: Array) -> tuple[float, float]:
    """Return black and white of a grey image: 0 and 1.1 x the 99th percentile of what is above 0.

    Examples
    --------
    >>> grey_limits(np.zeros((2, 2)))
    (0.0, 1.0)

    """
    inside = canvas[np.isfinite(canvas) & (canvas > 0)]
    return 0.0, 1.1 * float(np.percentile(inside, 99)) if inside.size else 1.0


def draw_montage(
    place: Montage,
    background: Array,
    *,
    outlines: list[Outline] | None = None,
    overlays: list[Overlay] | None = None,
    row_names: list[str] | None = None,
) -> Figure:
    """Draw a grey image with outlines and maps in colour.

    Parameters
    ----------
    place
        Where the pixels lie.
    background
        (height, width) grey values, >= 0.
    outlines
        Borders; those without a label stay out of the legend.
    overlays
        Maps in colour, each NaN where another one is shown; a map's ``level`` is outlined, dashed
        where the map is negative.
    row_names
        Text at the left of each of that many equally high rows.

    """
    height, width = background.shape
    outlines, overlays = outlines or [], overlays or []
    head = _HEAD if overlays or any(outline.label for outline in outlines) else 0.0
    size = width * _DOTS_PER_PIXEL / _DPI, height * _DOTS_PER_PIXEL / _DPI + head
    figure = Figure(figsize=size, facecolor='black', dpi=_DPI)
    axes = figure.add_axes((0, 0, 1, 1 - head / size[1]))
    _draw_canvas(axes, place, background, outlines)
    for number, overlay in enumerate(overlays):
        _draw_overlay(axes, overlay)
        _draw_bar(figure, overlay, number, head / size[1])
    for number, name in enumerate(row_names or []):
        top = height * number / len(row_names or []) + 4
        axes.text(4, top, name, color='white', fontsize=11, weight='bold', va='top')
    _draw_legend(figure, [outline for outline in outlines if outline.label], 1.0)
    return figure


def draw_pair(
    place: Montage, images: tuple[Array, Array], names: tuple[str, str], outlines: list[Outline]
) -> Figure:
    """Draw two images of the same places one above the other, in halves of equal layout.

    The report lays the halves over each other, to compare them; printed or opened alone the file
    shows both.  The outlines are drawn on both; the names stand side by side, legible in either.

    Parameters
    ----------
    place
        Where the pixels lie.
    images
        (height, width) each: the fixed image (upper half) and the moving one.
    names
        What the halves show.
    outlines
        Borders of the fixed image.

    """
    height, width = images[0].shape
    # whole dots: half a dot of difference would look like a shift of the head
    dots = round(height * _DOTS_PER_PIXEL) + round(_HEAD * _DPI)
    size = width * _DOTS_PER_PIXEL / _DPI, 2 * dots / _DPI
    figure = Figure(figsize=size, facecolor='black', dpi=_DPI)
    for half, (image, name) in enumerate(zip(images, names)):
        axes = figure.add_axes((0, 0.5 * (1 - half), 1, round(height * _DOTS_PER_PIXEL) / dots / 2))
        _draw_canvas(axes, place, image, outlines)
        top = 1 - 0.5 * half
        figure.text((0.006, 0.3)[half], top - _HEAD / 2 / size[1], name, **_TITLE)
        _draw_legend(figure, outlines, top, side='right')
    return figure


def _draw_canvas(axes: Axes, place: Montage, image: Array, outlines: list[Outline]) -> None:
    axes.imshow(np.nan_to_num(image), cmap='gray', clim=grey_limits(image), interpolation='bilinear')
    axes.set_axis_off()
    for outline in outlines:
        if outline.canvas.max() > 0.5:
            _contour(axes, outline.canvas, 0.5, outline.color, outline.dash, outline.width)
    for row, column, text in place.labels:
        axes.text(column + 2, row - 2, text, color='#cccccc', fontsize=7.5, va='bottom')
    for row, column, text in place.sides:
        axes.text(column, row, text, color='#cccccc', fontsize=7.5, ha=_SIDES[text], va='center')


def _draw_overlay(axes: Axes, overlay: Overlay) -> None:
    values = np.nan_to_num(overlay.canvas)
    low, high = overlay.limits
    full = overlay.level or high / 2
    opacity = np.clip(np.abs(values) / full, 0, 1) ** 1.5 * 0.9
    axes.imshow(values, cmap=overlay.cmap, vmin=low, vmax=high, alpha=opacity, interpolation='nearest')
    for sign, dash in ((1, 'solid'), (-1, 'dashed')):
        if overlay.level is not None and (sign * values).max() > overlay.level:
            _contour(axes, sign * values, overlay.level, 'white', dash, 0.8)


def _contour(axes: Axes, canvas: Array, level: float, color: str, dash: str, width: float) -> None:
    drawn = axes.contour(canvas, [level], colors=[color], linestyles=[dash], linewidths=[width])
    for path in drawn.get_paths():  # straight edges of voxels; matplotlib thins no closed path by itself
        path.should_simplify = True


def _draw_bar(figure: Figure, overlay: Overlay, number: int, head: float) -> None:
    low, high = overlay.limits
    left = 0.82 - 0.42 * number
    bar = figure.add_axes((left, 1 - head * 0.5, 0.16, head * 0.3))
    ramp = np.linspace(low, high, 256)[None]
    bar.imshow(ramp, cmap=overlay.cmap, aspect='auto', extent=(low, high, 0, 1))
    bar.set_yticks([])
    bar.tick_params(colors='white', labelsize=7, length=2, pad=1)
    figure.text(left - 0.015, 1 - head * 0.4, overlay.unit, **_UNIT)


def _draw_legend(
    figure: Figure, outlines: list[Outline], top: float, side: Literal['left', 'right'] = 'left'
) -> None:
    lines = [Line2D([], [], color=o.color, linestyle=o.dash, label=o.label, lw=1.8) for o in outlines]
    if lines:
        # the legend's corner touches that of the figure (or of its lower half)
        corner: Any = {'loc': f'upper {side}', 'bbox_to_anchor': (float(side == 'right'), top)}
        look: Any = {'frameon': False, 'labelcolor': 'white', 'fontsize': 9, 'borderaxespad': 0.2}
        figure.legend(handles=lines, ncols=len(lines), **corner, **look)
