"""Maps of a group on a template: a statistic through a glass brain and in cuts, and people per voxel."""

from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..errors import DataError
from .montage import Montage, Outline, Overlay, cut, draw_montage, montage, spread_cuts
from .projection import Picture, Volume, as_cut, look_through, on_grid

Array = NDArray[Any]

MAX_PEAKS = 4
"""Peaks through which cuts are shown; more are left to the table of clusters."""

_MARGIN = np.array([[-6.0, -6, -6], [6, 6, 14]])  # mm around the brain, with room for a row's name
_COLOURS = 'RdBu_r'
_VIEWS = ('side', 'front', 'top')
_FAINTEST = 1.4  # level of a montage's map at which the largest value is about half opaque
_TITLE, _NOTE = 12.0, 8.5  # points
_LETTER = 0.62  # of its height, the width of a letter
_PIXELS = 1.39  # of a montage, in a point
_TEXT: dict[str, Any] = {'color': 'white', 'va': 'top', 'linespacing': 1.25}


class _Words(NamedTuple):
    """Lines above a montage, names of its equally high rows, and lines below."""

    title: list[str]
    rows: list[str]
    notes: list[str]

    @property
    def margins(self) -> tuple[int, int]:
        """Pixels above and below the cuts."""
        sizes = (_TITLE, len(self.title)), (_NOTE, len(self.notes))
        above, below = (round(8 + 1.25 * _PIXELS * size * n) for size, n in sizes)
        return above, below


def plot_statmap(
    statistic: Array,
    affine: Array,
    background: Array,
    *,
    significant: Array,
    title: str,
    units: str,
    peaks: Array | None = None,
    background_affine: Array | None = None,
    note: str = '',
) -> Figure:
    """Draw a statistic through a glass brain and in cuts through its peaks.

    Parameters
    ----------
    statistic
        (i, j, k) signed values; NaN where there is none.
    affine
        (4, 4) voxel to RAS mm.
    background
        Brain of the template, without skull, >= 0, on the grid of the statistic or on its own.
    significant
        (i, j, k) True where the corrected test rejects.
    title
        What is compared.
    units
        Text at the colour bar, such as ``t (56 degrees of freedom)``.
    peaks
        (n, 3) RAS mm, the most important first; the first four are cut through.  None or empty: the
        voxel of the largest absolute value.
    background_affine
        (4, 4) of ``background``; None: ``affine``.
    note
        Test, correction and number of people.

    Raises
    ------
    DataError
        Shapes differ, there is no value, or no brain.

    Notes
    -----
    Everything is shown and what is significant is highlighted [1]_: opaque with an outline (dashed where
    the statistic is negative), the rest the more translucent the nearer to zero.  The glass brain shows
    the value of the largest magnitude along each line of sight.

    References
    ----------
    .. [1] Taylor PA, et al. Highlight results, don't hide them: Enhance interpretation, reduce biases
       and improve reproducibility. NeuroImage 2023;274:120138.

    """
    marked = np.asarray(significant, dtype=bool)
    if marked.shape != statistic.shape:
        raise DataError(f'the map is {statistic.shape}, the mask of what is significant {marked.shape}')
    values = Volume(np.asarray(statistic, dtype=float), affine)
    if not np.isfinite(values.values).any():
        raise DataError(f'no value of {title} to draw: the map is empty. Leave this figure out.')
    brain = Volume(np.nan_to_num(background), affine if background_affine is None else background_affine)
    marks = Volume((marked & np.isfinite(values.values)).astype(float), affine)
    centres = _centres(values, peaks)
    rows = [[(axis, float(centre[axis])) for axis in range(3)] for centre in [np.zeros(3), *centres]]
    box = _box(brain)
    place = montage(rows, box)
    names = ['glass brain: largest value in depth', *_names(values, centres, peaks)]
    notes = _notes(bool(marks.values.any()), len(centres), peaks, note)
    words = _Words(_wrap(title, place, _TITLE), names, _wrap(notes, place, _NOTE))
    place = _framed(place, words)
    picture = _picture(place, (values, marks, brain), box, words.margins[0])
    views = [(*label[:2], view) for label, view in zip(place.labels, _VIEWS)]
    place = place._replace(labels=views + place.labels[3:])
    figure = _draw(place, picture, _limit(values.values), units)
    _write(figure.axes[0], place, words)
    return figure


def plot_coverage(
    n_map: Array,
    affine: Array,
    background: Array,
    n_total: int,
    *,
    title: str = 'People with data at each voxel',
    background_affine: Array | None = None,
) -> Figure:
    """Draw in how many people each voxel has data.

    Parameters
    ----------
    n_map
        (i, j, k) people with data, 0 to ``n_total``.
    affine
        (4, 4) voxel to RAS mm.
    background
        Brain of the template, without skull, >= 0.
    n_total
        People in the analysis.
    title
        What is counted.
    background_affine
        (4, 4) of ``background``; None: ``affine``.

    Raises
    ------
    DataError
        There is nobody, no brain, or a voxel has more people than there are.

    """
    counts = np.nan_to_num(np.asarray(n_map, dtype=float))
    if n_total < 1 or counts.max(initial=0) > n_total or counts.min(initial=0) < 0:
        found = f'{counts.min(initial=0):g} to {counts.max(initial=0):g}'
        raise DataError(f'people per voxel are {found}; 0 to {n_total} are possible. Check the maps.')
    people = Volume(counts, affine)
    brain = Volume(np.nan_to_num(background), affine if background_affine is None else background_affine)
    box = _box(brain)
    low, high = box - _MARGIN
    rows = [[(axis, at) for at in spread_cuts(low[axis], high[axis], 3)] for axis in (2, 1, 0)]
    seen = counts[counts > 0]
    share = 100 * float(np.mean(seen == n_total)) if seen.size else 0.0
    note = f'n = {n_total} people. {share:.0f} % of the voxels with data have all of them (outlined).'
    place = montage(rows, box)
    words = _Words(_wrap(title, place, _TITLE), [], _wrap(note, place, _NOTE))
    place = _framed(place, words)
    canvas, grey = people.at(place.points, 0), brain.at(place.points)
    full = Outline((canvas == n_total).astype(float), 'white', '', 'solid', 0.8)
    scale = Overlay(np.full(canvas.shape, np.nan), (0.0, float(n_total)), 'cividis', 'people')
    figure = draw_montage(place, grey, outlines=[full], overlays=[scale])
    shown = np.where(canvas > 0, canvas, np.nan)
    look: dict[str, Any] = {'cmap': 'cividis', 'vmin': 0, 'vmax': n_total, 'interpolation': 'nearest'}
    figure.axes[0].imshow(shown, alpha=0.75, **look)
    _write(figure.axes[0], place, words)
    return figure


def _box(brain: Volume) -> Array:
    """Return (2, 3) whole RAS mm around the brain."""
    inside = np.argwhere(brain.inside().values)
    if not len(inside):
        raise DataError('the background is empty: no brain to draw on. Check the template.')
    corners = np.stack(np.meshgrid(*np.stack([inside.min(0), inside.max(0)]).T), axis=-1).reshape(-1, 3)
    world = corners @ brain.affine[:3, :3].T + brain.affine[:3, 3]
    return np.round(np.stack([world.min(axis=0), world.max(axis=0)])) + _MARGIN


def _centres(values: Volume, peaks: Array | None) -> Array:
    """Return the (n, 3) RAS mm of the cuts."""
    if peaks is not None and len(peaks):
        return np.asarray(peaks, dtype=float)[:MAX_PEAKS]
    largest = np.unravel_index(np.nanargmax(np.abs(values.values)), values.values.shape)
    return (values.affine[:3, :3] @ np.array(largest) + values.affine[:3, 3])[None]


def _wrap(text: str, place: Montage, size: float) -> list[str]:
    """Return lines that are not wider than the cuts."""
    return wrap(text, int(place.points.shape[1] / (_LETTER * _PIXELS * size)))


def _framed(place: Montage, words: _Words) -> Montage:
    """Return a montage with room for text above and below."""
    top, bottom = words.margins
    points = np.pad(place.points, ((top, bottom), (0, 0), (0, 0)), constant_values=place.points.max())
    labels, sides = (
        [(row + top, column, text) for row, column, text in texts] for texts in (place.labels, place.sides)
    )
    return Montage(points, labels, sides)


def _names(values: Volume, centres: Array, peaks: Array | None) -> list[str]:
    found = values.at(centres, 0, np.nan)
    n = 0 if peaks is None else len(peaks)
    names = []
    for number, (value, centre) in enumerate(zip(found, centres), 1):
        name = f'peak {number} of {n}' if n else 'largest value'
        at = ', '.join(f'{x:.0f}' for x in centre)
        names.append(f'{name}: {value:.2f} at ({at}) mm'.replace('-', '\u2212').replace('nan', 'n/a'))
    return names


def _notes(is_any: bool, n_shown: int, peaks: Array | None, note: str) -> str:
    words = 'Translucent: not significant, the fainter the nearer to 0.'
    if is_any:
        words = 'Opaque and outlined: significant (solid line above 0, dashed below). ' + words
    else:
        words = 'No voxel is significant. ' + words
    if peaks is not None and len(peaks) > n_shown:
        words += f' {n_shown} of {len(peaks)} peaks are shown.'
    return f'{note.strip()} {words}'.strip()


def _limit(values: Array) -> float:
    """Return the end of the colour scale: the largest magnitude, unless few values are far beyond."""
    sizes = np.abs(values[np.isfinite(values)])
    usual = 3 * float(np.percentile(sizes, 99))
    return min(float(sizes.max()), usual or np.inf) or 1.0


def _picture(place: Montage, volumes: tuple[Volume, Volume, Volume], box: Array, start: int) -> Picture:
    """Sample cuts, and lines of sight in the first row, which begins at pixel ``start``."""
    values, marks, brain = volumes
    points, empty = place.points, np.zeros(place.points.shape[:2])
    picture = Picture(values.at(points, 0, np.nan), marks.at(points, 0) > 0.5, brain.at(points), empty)
    solid = on_grid(volumes, box)
    for axis, (bottom, left, _) in enumerate(place.labels[:3]):
        seen = [as_cut(flat) for flat in look_through(solid, axis)]
        height, width, _ = cut(axis, 0.0, box).shape
        top = start + (bottom - start - height) // 2
        for canvas, tile in zip(picture, seen):
            canvas[top : top + height, left : left + width] = tile[-height:, :width]
    return picture


def _draw(place: Montage, picture: Picture, limit: float, units: str) -> Figure:
    values, marked, grey, outline = picture
    above, below = ((marked & (sign * values > 0)).astype(float) for sign in (1, -1))
    outlines = [
        Outline(outline, '#9a9a9a', '', 'solid', 0.9),
        Outline(above, 'white', '', 'solid', 1.1),
        Outline(below, 'white', '', 'dashed', 1.1),
    ]
    rest = Overlay(np.where(marked, np.nan, values), (-limit, limit), _COLOURS, units, _FAINTEST * limit)
    figure = draw_montage(place, grey, outlines=outlines, overlays=[rest])
    look: dict[str, Any] = {'cmap': _COLOURS, 'vmin': -limit, 'vmax': limit, 'interpolation': 'nearest'}
    figure.axes[0].imshow(np.where(marked, values, np.nan), **look)
    return figure


def _write(axes: Axes, place: Montage, words: _Words) -> None:
    """Write above and below the cuts, and the names of the rows at their left."""
    (top, below), height = words.margins, len(place.points)
    axes.text(4, 6, '\n'.join(words.title), fontsize=_TITLE, weight='bold', **_TEXT)
    axes.text(4, height - below + 6, '\n'.join(words.notes), fontsize=_NOTE, **_TEXT)
    for number, name in enumerate(words.rows):
        start = top + number * (height - top - below) / len(words.rows)
        axes.text(4, start + 3, name, fontsize=9.5, weight='bold', **_TEXT)
