"""Cuts through single regions, close up: a montage whose every region has a place of its own."""

from collections.abc import Mapping, Sequence

import numpy as np

from .montage import GAP, OUTSIDE, Array, Montage, cut

_HALF_MM = 24.0  # from the centre of a region to the edge of its cuts
_STEP_MM = 0.5
_BESIDE = 18  # pixels between regions
_BAND = 14  # pixels above and below cuts: letters on tissue are hard to read
_IN_BAND = 30  # pixels from the left edge of a cut to what is said of its place
_ACROSS = 2  # regions in a row


def zoom_on(centres: Mapping[str, Sequence[float]]) -> tuple[Montage, dict[str, tuple[slice, slice]]]:
    """Arrange a sagittal, a coronal and an axial cut through the centre of each region.

    Parameters
    ----------
    centres
        (3,) RAS mm of every region by its name.

    Returns
    -------
    tuple
        The montage, two regions in a row, with the name above the cuts of each and places and sides below; and the rows
        and columns of the pixels of each region.

    Examples
    --------
    >>> place, parts = zoom_on({'A': (0, 0, 0), 'B': (10, 0, 0), 'C': (0, 5, 0)})
    >>> place.points[parts['B']].shape, [text for _, _, text in place.labels][:4]
    ((97, 303, 3), ['A', 'x = 0', 'y = 0', 'z = 0'])

    """
    side = len(np.arange(-_HALF_MM, _HALF_MM + _STEP_MM / 2, _STEP_MM))
    width, height = 3 * side + 2 * GAP, side + 2 * _BAND
    n_rows, n_columns = -(-len(centres) // _ACROSS), min(_ACROSS, len(centres))
    whole = n_rows * height, n_columns * (width + _BESIDE) - _BESIDE
    points = np.full((*whole, 3), OUTSIDE)
    labels: list[tuple[int, int, str]] = []
    sides: list[tuple[int, int, str]] = []
    parts = {}
    for number, (name, centre) in enumerate(centres.items()):
        top, left = (number // _ACROSS) * height + _BAND, (number % _ACROSS) * (width + _BESIDE)
        parts[name] = slice(top, top + side), slice(left, left + width)
        labels.append((top, left, name))
        for axis, at in enumerate(centre):
            begin = left + axis * (side + GAP)
            points[top : top + side, begin : begin + side] = _close_up(axis, np.asarray(centre, float))
            labels.append((top + side + _BAND, begin + _IN_BAND, f'{"xyz"[axis]} = {at:.0f}'))
            if axis:
                middle = top + side + _BAND // 2
                sides += [(middle, begin, 'L'), (middle, begin + side - 1, 'R')]
    return Montage(points, labels, sides), parts


def _close_up(axis: int, centre: Array) -> Array:
    """Return the places of the pixels of a cut through a centre, (side, side, 3) RAS mm."""
    box = np.array([centre - _HALF_MM, centre + _HALF_MM])
    return cut(axis, float(centre[axis]), box, _STEP_MM)
