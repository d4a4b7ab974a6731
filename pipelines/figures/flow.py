"""The flow of people through a trial, by arm and by kind of data."""

from collections.abc import Sequence
from textwrap import wrap
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from ..errors import DataError
from .trial import PAPER

Item = tuple[str, str]
"""What is counted, and its number in words; an empty number makes a line of text."""

_NARROW = 300.0  # points: on a telephone of 390 pixels 9 points are 11 pixels
_SIZE, _LINE, _PAD = 9.0, 12.0, 6.0
_GAP, _MARGIN = 34.0, 6.0  # between stages; around
_BAND = 18.0  # height of the name of a stage
_COLUMNS = {2: 141.0, 3: 132.0, 4: 124.0}
_SMALLEST = 116.0  # of a column, where there are more
_LETTER = 5.0  # mean width of a letter in points, of which the longest lines are made
_INDENT = 6.0  # of what a line continues
_GREY = '#e6ebef'


class FlowStage(NamedTuple):
    """A stage of the trial: its name and, for each arm, what was counted there."""

    name: str
    arms: Sequence[Sequence[Item]]


class _Layout(NamedTuple):
    """Width of the figure, of a column and of the name of a stage, and the middle of each column, in points.

    ``gap`` lies between stages, where their names are of one line.
    """

    width: float
    column: float
    band: float
    gap: float
    centres: list[float]


class _Line(NamedTuple):
    text: str
    number: str
    is_bold: bool
    indent: float


def plot_flow(enrolled: Sequence[Item], arms: Sequence[str], stages: Sequence[FlowStage]) -> Figure:
    """Draw enrolment, then the stages of all arms side by side, as CONSORT does.

    Parameters
    ----------
    enrolled
        What was counted before people were assigned to an arm.
    arms
        Names of the arms, a column for each.
    stages
        In the order of time, the first of them the allocation.

    Raises
    ------
    DataError
        There is no stage or no arm, or a stage has not one box per arm.

    Notes
    -----
    With two arms the figure is as wide as a telephone's screen: letters of 9 points are then 11 pixels high.  More
    arms make it wider, and their columns a little narrower.

    Examples
    --------
    >>> figure = plot_flow([('Randomised', '4')], ('a', 'b'), [FlowStage('Allocation', ([('Allocated', '2')],) * 2)])
    >>> [text.get_text() for text in figure.axes[0].texts[:3]]
    ['Enrolment', 'Randomised', '4']

    """
    if not stages or not arms:
        raise DataError('no stage of the trial to draw, or no arm. Leave this figure out.')
    wrong = next((stage for stage in stages if len(stage.arms) != len(arms)), None)
    if wrong is not None:
        raise DataError(f'stage {wrong.name} has {len(wrong.arms)} boxes for {len(arms)} arms')
    layout = _layout(len(arms))
    inner = layout.width - 2 * _MARGIN
    top = _lines('Enrolment', enrolled, inner)
    boxes = [[_lines(arm, items, layout.column) for arm, items in zip(arms, stage.arms)] for stage in stages]
    heights = [_height(max(row, key=len)) for row in boxes]
    names = [wrap(stage.name, int(0.9 * layout.band / _LETTER)) or [''] for stage in stages]
    gaps = [layout.gap + _LINE * (len(name) - 1) for name in names]
    total = 2 * _MARGIN + _height(top) + sum(heights) + sum(gaps)
    figure = Figure(figsize=(layout.width / 72, total / 72), **PAPER)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, layout.width), ylim=(total, 0))
    axes.set_axis_off()
    _draw_box(axes, top, _Place(_MARGIN, _MARGIN, inner, _height(top)))
    y = _MARGIN + _height(top)
    for name, row, height, gap in zip(names, boxes, heights, gaps):
        for centre, lines in zip(layout.centres, row):
            axes.add_patch(_arrow((centre, y), (centre, y + gap)))
            _draw_box(axes, lines, _Place(centre - layout.column / 2, y + gap, layout.column, height))
        _draw_name(axes, name, layout, y + gap / 2)
        y += gap + height
    return figure


def _layout(n: int) -> _Layout:
    column = _COLUMNS.get(n, _SMALLEST if n > 1 else _NARROW - 2 * _MARGIN)
    width = max(_NARROW, n * column + (n + 1) * _MARGIN)
    centres = [_MARGIN + column / 2 + number * (column + _MARGIN) for number in range(n)]
    # between the arrows of two arms, over those of more or of one
    if n == 2:
        return _Layout(width, column, centres[1] - centres[0] - 16, _GAP, centres)
    return _Layout(width, column, width - 2 * _MARGIN, _GAP + _BAND / 2, centres)


def _lines(head: str, items: Sequence[Item], width: float) -> list[_Line]:
    """Return the lines of a box; what is too long for one goes on in the next."""
    room = int((width - 2 * _PAD) / _LETTER)
    found = [_Line(part, '', True, 0) for part in wrap(head, int(0.9 * room)) or ['']]
    for text, number in items:
        parts = wrap(text, max(8, room - len(number) - 1))
        found += [
            _Line(part, '' if place else number, False, _INDENT if place else 0)
            for place, part in enumerate(parts)
        ]
    return found


def _height(lines: Sequence[_Line]) -> float:
    return 2 * _PAD + _LINE * len(lines)


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> FancyArrowPatch:
    look: dict[str, Any] = {'arrowstyle': '-|>', 'mutation_scale': 9, 'shrinkA': 0, 'shrinkB': 0}
    return FancyArrowPatch(start, end, color='black', linewidth=1.1, **look)


class _Place(NamedTuple):
    """Left, top, width and height of a box, in points."""

    left: float
    top: float
    width: float
    height: float


def _draw_box(axes: Axes, lines: Sequence[_Line], place: _Place) -> None:
    left, top, width, height = place
    axes.add_patch(Rectangle((left, top), width, height, facecolor='white', edgecolor='black', linewidth=1.1))
    for number, line in enumerate(lines):
        y = top + _PAD + _LINE * (number + 0.5)
        look: dict[str, Any] = {'fontsize': _SIZE, 'va': 'center', 'weight': ('normal', 'bold')[line.is_bold]}
        axes.text(left + _PAD + line.indent, y, line.text, **look)
        if line.number:
            axes.text(left + width - _PAD, y, line.number, ha='right', **look)


def _draw_name(axes: Axes, lines: Sequence[str], layout: _Layout, y: float) -> None:
    """Write the name of a stage."""
    middle, height = layout.width / 2, _BAND + _LINE * (len(lines) - 1)
    axes.add_patch(
        Rectangle(
            (middle - layout.band / 2, y - height / 2), layout.band, height, facecolor=_GREY, edgecolor='#7a8894',
            linewidth=0.8, zorder=2,
        )
    )  # fmt: skip
    for number, line in enumerate(lines):
        place = y + _LINE * (number - (len(lines) - 1) / 2)
        axes.text(middle, place, line, ha='center', va='center', fontsize=_SIZE, weight='bold')
