"""Path diagram of a mediation analysis, and its sensitivity to confounding."""

import textwrap
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from numpy.typing import NDArray

Array = NDArray[Any]
Point = tuple[float, float]
Align = Literal['left', 'center', 'right']

_WIDTH = 374.0  # points: text keeps its size on a telephone 390 pixels wide
_BOX = (104.0, 40.0)
_LEFT, _MIDDLE, _RIGHT = 58.0, _WIDTH / 2, _WIDTH - 58.0
_STEP = {'single': 120.0, 'parallel': 92.0, 'serial': 156.0}  # between rows of boxes
_LINE, _CURVE, _MARGIN = 15.0, 190.0, 26.0  # heights: of a row of numbers, of the curve; around
_SIZE = 8.5
_GREY = '#555555'

_EFFECTS = {
    'indirect': 'indirect',
    'joint_indirect': 'indirect, all mediators',
    'indirect_control': 'indirect, slope of control',
    'indirect_treatment': 'indirect, slope of treatment',
    'direct': 'direct',
    'direct_control': 'direct, mediator as in control',
    'direct_treatment': 'direct, mediator as in treatment',
    'total': 'total',
    'proportion': 'proportion mediated',
    'rho_at_zero': 'ρ where indirect is 0',
}


class Arrow(NamedTuple):
    """One path: between which points, its rows (one, or one per arm), and where they stand."""

    start: Point
    end: Point
    rows: pd.DataFrame
    at: Point
    align: Align = 'center'
    is_wide: bool = False  # room for estimate and interval on a line


def draw_paths(
    paths: pd.DataFrame,
    *,
    treatment: str,
    outcome: str,
    names: dict[str, str] | None = None,
    curve: tuple[Array, Array] | None = None,
    notes: Sequence[str] = (),
) -> Figure:
    """Draw treatment, mediators and outcome, the paths between them, and the effects below.

    Parameters
    ----------
    paths
        Rows of one analysis: ``mediator path estimate ci_low ci_high p n``, see
        :func:`~pipelines.stats.mediate.mediate`; any number of mediators side by side, or two in series.
    treatment, outcome
        What stands in their boxes.
    names
        What stands in the boxes of mediators, where it is not their name in the table.
    curve
        Correlations of the errors (m,) and the indirect effect at each (m,), drawn below.
    notes
        Lines below the effects.

    Raises
    ------
    ValueError
        More than two mediators are in series: their arrows leave no place for numbers.

    Notes
    -----
    A path whose 95 % interval includes zero is dashed.  The figure is as wide as a telephone's screen, with
    text of 8.5 points.

    """
    mediators = list(dict.fromkeys(paths['mediator'][paths['path'] == 'a']))
    is_serial = paths['path'].str.fullmatch(r'd\d+').any()
    if is_serial and len(mediators) > 2:
        raise ValueError(f'{len(mediators)} mediators in series; a diagram shows two')
    shape = 'serial' if is_serial else 'single' if len(mediators) == 1 else 'parallel'
    words = {name: (names or {}).get(name, name) for name in mediators}
    effects = _effects(paths, words)
    n_rows = 1 if is_serial else len(mediators)
    diagram = n_rows * _STEP[shape] + _BOX[1] + _MARGIN
    notes = [f'n = {int(paths["n"].iloc[0])} people; 95 % intervals; dashed: includes 0', *notes]
    below = _LINE * (len(effects) + len(notes) + 1)
    height = diagram + below + (_CURVE if curve is not None else 0)
    figure = Figure(figsize=(_WIDTH / 72, height / 72), dpi=150, facecolor='white')
    axes = figure.add_axes((0, 1 - (diagram + below) / height, 1, (diagram + below) / height))
    axes.set(xlim=(0, _WIDTH), ylim=(-below, diagram))
    axes.axis('off')
    arrange = _in_series if is_serial else _side_by_side
    places, arrows = arrange(paths, mediators, diagram - _MARGIN / 2 - _BOX[1] / 2, _STEP[shape])
    for place, text in zip(places, (treatment, outcome, *words.values())):
        _draw_box(axes, place, text)
    for arrow in arrows:
        _draw_arrow(axes, arrow)
    _write_effects(axes, effects, notes)
    if curve is not None:
        _draw_curve(figure, curve, height)
    return figure


def _rows(paths: pd.DataFrame, path: str, mediator: str | None = None) -> pd.DataFrame:
    """Return the row of a path, or its rows of both arms."""
    rows = paths[paths['path'].isin([path, f'{path}_control', f'{path}_treatment'])]
    return rows if mediator is None else rows[rows['mediator'] == mediator]


def _direct(paths: pd.DataFrame, treatment: Point, outcome: Point) -> Arrow:
    start, end = _edge(treatment, outcome), _edge(outcome, treatment)
    return Arrow(start, end, _rows(paths, 'direct'), (_MIDDLE, treatment[1] + 12), is_wide=True)


def _side_by_side(
    paths: pd.DataFrame, mediators: list[str], top: float, step: float
) -> tuple[list[Point], list[Arrow]]:
    """Return the places of treatment, outcome and mediators, and the arrows between them."""
    rows = [top - step * row for row in range(len(mediators) + 1)]
    level = rows.pop((len(mediators) + 1) // 2)
    treatment, outcome = (_LEFT, level), (_RIGHT, level)
    middles = [(_MIDDLE, y) for y in rows]
    arrows = [_direct(paths, treatment, outcome)]
    for name, place in zip(mediators, middles):
        n_beyond = sum(
            abs(y - level) > abs(place[1] - level) and (y > level) == (place[1] > level) for y in rows
        )
        n_nearer = round(abs(place[1] - level) / step) - 1
        for path, end, sign in (('a', treatment, -1), ('b', outcome, 1)):
            if n_beyond or n_nearer:
                # arrows to farther boxes pass outside the nearer ones
                outwards = 60 * n_nearer / (n_beyond + n_nearer) - 30
                up = _BOX[1] / 2 * np.sign(place[1] - level)
                points = (end[0] + sign * outwards, level + up), (place[0] + sign * _BOX[0] / 2, place[1])
            else:
                points = _edge(end, place), _edge(place, end)
            start, stop = points if path == 'a' else points[::-1]
            at: Point = (start[0] + stop[0]) / 2, (start[1] + stop[1]) / 2
            align: Align = 'center'
            if not (n_beyond or n_nearer):
                at = place[0] + sign * (_BOX[0] / 2 + 8), place[1] + 8
                align = 'right' if path == 'a' else 'left'
            arrows.append(Arrow(start, stop, _rows(paths, path, name), at, align))
    return [treatment, outcome, *middles], arrows


def _in_series(
    paths: pd.DataFrame, mediators: list[str], top: float, step: float
) -> tuple[list[Point], list[Arrow]]:
    """Return the same for two mediators, the first acting on the second."""
    treatment, outcome = (_LEFT, top - step), (_RIGHT, top - step)
    first, second = (_LEFT + 50, top), (_RIGHT - 50, top)
    low, half = top - 0.62 * step, top - 0.4 * step
    crossing = [(_MIDDLE + sign * 44, low) for sign in (-1, 1)]
    found: list[tuple[Point, Point, str, str, Point, Any]] = [
        (treatment, first, 'a', mediators[0], (_LEFT + 24, half), 'right'),
        (second, outcome, 'b', mediators[1], (_RIGHT - 24, half), 'left'),
        (treatment, second, 'a', mediators[1], crossing[0], 'center'),
        (first, outcome, 'b', mediators[0], crossing[1], 'center'),
        (first, second, 'd21', '>'.join(mediators), (_MIDDLE, top + 16), 'center'),
    ]
    arrows = [
        Arrow(_edge(start, end), _edge(end, start), _rows(paths, path, mediator), at, align)
        for start, end, path, mediator, at, align in found
    ]
    return [treatment, outcome, first, second], [_direct(paths, treatment, outcome), *arrows]


def _edge(place: Point, towards: Point) -> Point:
    """Return where the line from the middle of a box to another point leaves the box."""
    step = np.subtract(towards, place)
    share = min(np.divide(_BOX, 2 * np.abs(step), out=np.full(2, np.inf), where=step != 0))
    return float(place[0] + share * step[0]), float(place[1] + share * step[1])


def _draw_box(axes: Axes, place: Point, text: str) -> None:
    corner = place[0] - _BOX[0] / 2, place[1] - _BOX[1] / 2
    axes.add_patch(Rectangle(corner, *_BOX, facecolor='white', edgecolor='black', linewidth=1.2))
    lines = textwrap.wrap(text, 19)
    lines = lines if len(lines) <= 3 else [*lines[:2], lines[2][:18] + '…']
    axes.text(*place, '\n'.join(lines), ha='center', va='center', fontsize=_SIZE + 0.5)


def _draw_arrow(axes: Axes, arrow: Arrow) -> None:
    is_clear = ((arrow.rows['ci_low'] > 0) | (arrow.rows['ci_high'] < 0)).any()
    look: dict[str, Any] = {'linewidth': 1.4} if is_clear else {'linewidth': 1.0, 'linestyle': (0, (4, 2.5))}
    head: dict[str, Any] = {'arrowstyle': '-|>', 'mutation_scale': 11, 'shrinkA': 1, 'shrinkB': 1}
    axes.add_patch(FancyArrowPatch(arrow.start, arrow.end, color='black', **head, **look))
    lines = []
    for row in arrow.rows.itertuples():
        arm = str(row.path).partition('_')[2]
        estimate, interval = write_interval(row.estimate, row.ci_low, row.ci_high)
        lines.append(f'{arm} {estimate}'.strip() + ('\n', ' ')[arrow.is_wide] + interval)
    axes.text(
        *arrow.at,
        '\n'.join(lines),
        ha=arrow.align,
        va='center',
        fontsize=_SIZE,
        linespacing=1.15,
        bbox={'facecolor': 'white', 'edgecolor': 'none', 'pad': 1.0},
    )


def write_interval(estimate: float, low: float, high: float) -> tuple[str, str]:
    """Return an estimate and its interval in words, two digits of the interval's half width.

    Examples
    --------
    >>> write_interval(-0.4214, -0.7, -0.14), write_interval(12.345, 8.0, 16.0)
    (('−0.42', '[−0.70, −0.14]'), ('12.3', '[8.0, 16.0]'))
    >>> write_interval(float('nan'), float('nan'), float('nan'))
    ('n/a', '')

    """
    if not np.isfinite([estimate, low, high]).all():
        return 'n/a', ''
    half = max((high - low) / 2, 1e-9)
    digits = int(np.clip(1 - np.floor(np.log10(half)), 0, 6))
    # rounding must not leave a zero with a sign
    numbers = [f'{round(x, digits) + 0.0:.{digits}f}'.replace('-', '−') for x in (estimate, low, high)]
    return numbers[0], f'[{numbers[1]}, {numbers[2]}]'


def _effects(paths: pd.DataFrame, words: dict[str, str]) -> list[tuple[str, str, str]]:
    """Return name, estimate with interval, and p of each effect in the order of the table."""
    found = []
    has_many = len(words) > 1
    for row in paths[paths['path'].isin(list(_EFFECTS))].itertuples():
        name = _EFFECTS[str(row.path)]
        if row.path == 'indirect' and has_many:
            name = f'via {words[row.mediator]}' if row.mediator in words else 'via both in turn'
        estimate, interval = write_interval(row.estimate, row.ci_low, row.ci_high)
        shows_p = np.isfinite(row.p) and row.path not in ('proportion', 'rho_at_zero')
        p = ('p < 0.001' if row.p < 0.001 else f'p = {row.p:.3f}') if shows_p else ''
        found.append((textwrap.shorten(name, 40, placeholder=' …'), f'{estimate} {interval}'.strip(), p))
    return found


def _write_effects(axes: Axes, effects: list[tuple[str, str, str]], notes: Sequence[str]) -> None:
    look: dict[str, Any] = {'fontsize': _SIZE, 'va': 'center'}
    axes.plot([8, _WIDTH - 8], [-2, -2], color=_GREY, linewidth=0.6)
    for line, (name, numbers, p) in enumerate(effects):
        y = -_LINE * (line + 0.8)
        weight = 'bold' if name.startswith('indirect') else 'normal'
        axes.text(8, y, name, weight=weight, **look)
        axes.text(_WIDTH - 66, y, numbers, ha='right', weight=weight, **look)
        axes.text(_WIDTH - 8, y, p, ha='right', **look)
    for line, note in enumerate(notes, len(effects) + 1):
        axes.text(8, -_LINE * line, note, color=_GREY, **look)


def _draw_curve(figure: Figure, curve: tuple[Array, Array], height: float) -> None:
    """Draw the indirect effect by the correlation of the errors; mark 0 and where the effect is 0."""
    bottom, left = 36 / height, 52 / _WIDTH
    axes = figure.add_axes((left, bottom, 1 - left - 12 / _WIDTH, (_CURVE - 50) / height))
    rho, effect = (np.asarray(values, float) for values in curve)
    axes.axhline(0, color=_GREY, linewidth=0.8)
    axes.axvline(0, color=_GREY, linewidth=0.8, linestyle='dotted')
    axes.plot(rho, effect, color='black', linewidth=1.6)
    crossing = np.flatnonzero(np.diff(np.sign(effect)) != 0)
    if len(crossing):
        before = crossing[0]
        share = effect[before] / (effect[before] - effect[before + 1])
        zero = float(rho[before] + share * (rho[before + 1] - rho[before]))
        axes.plot([zero], [0], 'o', color='white', markeredgecolor='black', markersize=6)
        axes.annotate(
            f'ρ = {zero:.2f}'.replace('-', '−'), (zero, 0), (6, 6), textcoords='offset points', fontsize=_SIZE
        )
    axes.set_xlim(float(rho[0]), float(rho[-1]))
    axes.set_xlabel('ρ, correlation of the errors of mediator and outcome', fontsize=_SIZE)
    axes.set_ylabel('indirect effect', fontsize=_SIZE)
    axes.tick_params(labelsize=_SIZE - 0.5)
    axes.spines[['top', 'right']].set_visible(False)
