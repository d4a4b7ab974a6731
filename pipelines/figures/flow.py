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

_WIDTH = 300.0  # points: on a telephone of 390 pixels 9 points are 11 pixels
_SIZE, _LINE, _PAD = 9.0, 12.0, 6.0
_GAP, _MARGIN = 34.0, 6.0  # between stages; around
_COLUMN = (_WIDTH - 3 * _MARGIN) / 2
_CENTRES = (_MARGIN + _COLUMN / 2, _WIDTH - _MARGIN - _COLUMN / 2)
_LETTER = 5.0  # mean width of a letter in points, of which the longest lines are made
_INDENT = 6.0  # of what a line continues
_GREY = '#e6ebef'


class FlowStage(NamedTuple):
    """A stage of the trial: its name and, for each arm, what was counted there."""

    name: str
    arms: tuple[Sequence[Item], Sequence[Item]]


class _Line(NamedTuple):
    text: str
    number: str
    is_bold: bool
    indent: float


def plot_flow(enrolled: Sequence[Item], arms: tuple[str, str], stages: Sequence[FlowStage]) -> Figure:
    """Draw enrolment, then the stages of both arms side by side, as CONSORT does.

    Parameters
    ----------
    enrolled
        What was counted before people were assigned to an arm.
    arms
        Names of treatment and control.
    stages
        In the order of time, the first of them the allocation.

    Raises
    ------
    DataError
        There is no stage.

    Notes
    -----
    The figure is as wide as a telephone's screen: letters of 9 points are then 11 pixels high.

    Examples
    --------
    >>> figure = plot_flow([('Randomised', '4')], ('a', 'b'), [FlowStage('Allocation', ([('Allocated', '2')],) * 2)])
    >>> [text.get_text() for text in figure.axes[0].texts[:3]]
    ['Enrolment', 'Randomised', '4']

    """
    if not stages:
        raise DataError('no stage of the trial to draw. Leave this figure out.')
    top = _lines('Enrolment', enrolled, _WIDTH - 2 * _MARGIN)
    boxes = [tuple(_lines(arm, items, _COLUMN) for arm, items in zip(arms, stage.arms)) for stage in stages]
    heights = [_height(max(pair, key=len)) for pair in boxes]
    total = 2 * _MARGIN + _height(top) + sum(heights) + _GAP * len(stages)
    figure = Figure(figsize=(_WIDTH / 72, total / 72), **PAPER)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, _WIDTH), ylim=(total, 0))
    axes.set_axis_off()
    _draw_box(axes, top, _MARGIN, _MARGIN, _WIDTH - 2 * _MARGIN, _height(top))
    y = _MARGIN + _height(top)
    for stage, pair, height in zip(stages, boxes, heights):
        for centre, lines in zip(_CENTRES, pair):
            axes.add_patch(_arrow((centre, y), (centre, y + _GAP)))
            _draw_box(axes, lines, centre - _COLUMN / 2, y + _GAP, _COLUMN, height)
        _draw_name(axes, stage.name, y + _GAP / 2)
        y += _GAP + height
    return figure


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


def _draw_box(
    axes: Axes, lines: Sequence[_Line], left: float, top: float, width: float, height: float
) -> None:
    axes.add_patch(Rectangle((left, top), width, height, facecolor='white', edgecolor='black', linewidth=1.1))
    for place, line in enumerate(lines):
        y = top + _PAD + _LINE * (place + 0.5)
        look: dict[str, Any] = {'fontsize': _SIZE, 'va': 'center', 'weight': ('normal', 'bold')[line.is_bold]}
        axes.text(left + _PAD + line.indent, y, line.text, **look)
        if line.number:
            axes.text(left + width - _PAD, y, line.number, ha='right', **look)


def _draw_name(axes: Axes, name: str, y: float) -> None:
    """Write the name of a stage between the arrows of the two arms."""
    (text,) = wrap(name, 24)[:1] or ['']
    half = (_CENTRES[1] - _CENTRES[0]) / 2 - 8
    axes.add_patch(
        Rectangle(
            (_WIDTH / 2 - half, y - 9), 2 * half, 18, facecolor=_GREY, edgecolor='#7a8894', linewidth=0.8
        )
    )
    axes.text(_WIDTH / 2, y, text, ha='center', va='center', fontsize=_SIZE, weight='bold')
