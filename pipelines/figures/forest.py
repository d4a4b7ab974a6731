"""The forest of a trial: standardised effects of all outcomes on one scale."""

from dataclasses import dataclass
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from matplotlib.transforms import Transform, blended_transform_factory

from ..errors import DataError
from .trial import NOTE, PAPER, WIDTH, need_columns

ROLE_GROUPS = {'primary': 'Primary', 'secondary': 'Secondary', 'other': 'Other'}
"""Heading of each group of outcomes, in the order in which they are drawn."""

_COLUMNS = ['label', 'group', 'effect_size', 'ci_low', 'ci_high', 'n_treatment', 'n_control', 'p', 'flags']
_LINE, _GAP = 0.18, 0.14  # inches: a line of text, the space below a row
_LEFT, _RIGHT = 2.35, 4.45  # inches: ends of the scale, between the labels and the numbers
_FARTHEST = 3.0  # standard deviations; an interval that reaches farther ends in an arrow
_NAME, _SIDE, _TITLE, _NOTE = 25, 16, 56, 88  # letters of a line
_RAW = '\u00a0\u2020'
_TEXT: dict[str, Any] = {'fontsize': 10, 'va': 'center'}


class _Row(NamedTuple):
    lines: list[str]
    top: float  # inches from the top of the forest
    centre: float
    low: float
    high: float
    n: str
    p: float
    is_flagged: bool


@dataclass(frozen=True, kw_only=True)
class ForestWords:
    """What a forest says of its arms.

    Attributes
    ----------
    title
        What is compared.
    treatment, control
        Names of the arms.
    better
        What it means to lie on the side of an arm, with ``{}`` for its name: groups that chance did not make are not
        favoured by anything.
    scale
        Name of the standardised effect.

    """

    title: str
    treatment: str
    control: str
    better: str = 'favours {}'
    scale: str = "Hedges' g"


def plot_forest(table: pd.DataFrame, said: ForestWords) -> Figure:
    """Draw standardised effects with 95 % intervals, grouped by the role of the outcome.

    Parameters
    ----------
    table
        One row per outcome: ``label``, ``group`` (``primary``, ``secondary``, ``other``),
        ``effect_size ci_low ci_high`` (treatment - control, in standard deviations; NaN = n/a),
        ``n_treatment n_control``, ``p``, ``flags`` (empty or n/a: none) and, where the direction is
        known, ``lower_is_better`` (True or False; missing: not known).
    said
        Its words.

    Raises
    ------
    DataError
        No row, a column is absent, or a group is unknown.

    Notes
    -----
    Where lower is better the sign is turned, so that right of zero is better in the treated.  Where the
    direction is not known the sign stays and the label has a dagger.

    """
    need_columns(table, _COLUMNS)
    table = table.reset_index(drop=True)
    if strange := sorted(set(table['group'].astype(str)) - set(ROLE_GROUPS)):
        raise DataError(
            f'group {", ".join(strange)} of an outcome is unknown; groups are {", ".join(ROLE_GROUPS)}'
        )
    directions = _directions(table)
    notes = _notes(table, directions, said)
    heads, rows, height = _arrange(table, directions)
    words = wrap(said.title, _TITLE)
    sides = [
        wrap(side, _SIDE, break_on_hyphens=False)
        for side in (
            f'←\u00a0{said.better.format(said.control)}',
            f'{said.better.format(said.treatment)}\u00a0→',
        )
    ]
    head, foot = 0.3 + 0.22 * len(words), 0.8 + 0.17 * (max(map(len, sides)) + len(notes))
    total = head + height + foot
    figure = Figure(figsize=(WIDTH, total), **PAPER)
    axes = figure.add_axes((_LEFT / WIDTH, foot / total, (_RIGHT - _LEFT) / WIDTH, height / total))
    axes.set_ylim(height, 0)
    _draw_scale(axes, rows, f'{said.scale} (95 % CI)')
    for row in rows:
        _draw_effect(axes, row)
        _write_row(axes, row)
    for text, top in heads:
        axes.text(0.08, top, text, transform=_across(axes), weight='bold', **_TEXT)
    if directions.notna().any():
        _write_sides(axes, sides, height + 0.55)
    figure.text(0.012, 1 - 0.1 / total, '\n'.join(words), fontsize=12.5, weight='bold', va='top')
    figure.text(0.012, 0.08 / total, '\n'.join(notes), va='bottom', **NOTE)
    return figure


def _directions(table: pd.DataFrame) -> pd.Series:
    """Return -1.0 where lower is better, 1.0 where higher is, NaN where it is not known."""
    if 'lower_is_better' not in table:
        return pd.Series(np.nan, index=table.index)
    return table['lower_is_better'].map({True: -1.0, False: 1.0}).astype(float)


def _flags(table: pd.DataFrame) -> pd.Series:
    return table['flags'].fillna('').astype(str).str.strip().replace('n/a', '')


def _notes(table: pd.DataFrame, directions: pd.Series, said: ForestWords) -> list[str]:
    notes = [f'n: {said.treatment} + {said.control}. Lines: 95 % confidence interval.']
    if (directions == -1).any():
        side = said.better.format(said.treatment)
        notes.append(f'Where lower is better the sign is turned: right of zero {side}.')
    if directions.isna().any():
        notes.append(f'{_RAW.strip()} Direction not stated: {said.treatment} minus {said.control} as it is.')
    if flags := sorted({flag for flag in _flags(table) if flag}):
        notes.append(f'Hollow: flagged ({"; ".join(flags)}).')
    return [line for note in notes for line in wrap(note, _NOTE)]


def _arrange(table: pd.DataFrame, directions: pd.Series) -> tuple[list[tuple[str, float]], list[_Row], float]:
    """Return headings and rows with their places in inches from the top, and where they end."""
    flagged = _flags(table) != ''
    heads, rows, top = [], [], 0.0
    for group, heading in ROLE_GROUPS.items():
        members = table[table['group'] == group]
        if len(members):
            heads.append((heading, top + _LINE / 2))
            top += _LINE + 0.06
        for at, outcome in members.iterrows():
            name = str(outcome['label']) + (_RAW if np.isnan(directions[at]) else '')
            lines = wrap(name, _NAME)
            centre, low, high = map(float, outcome[['effect_size', 'ci_low', 'ci_high']])
            if directions[at] == -1:
                centre, low, high = -centre, -high, -low
            n = f'n = {outcome["n_treatment"]:.0f} + {outcome["n_control"]:.0f}'.replace('nan', 'n/a')
            rows.append(_Row(lines, top, centre, low, high, n, float(outcome['p']), bool(flagged[at])))
            top += _LINE * (len(lines) + 1) + _GAP
    return heads, rows, top


def _across(axes: Axes) -> Transform:
    """Return a transform with x in inches from the left of the figure and y in data."""
    return blended_transform_factory(axes.figure.dpi_scale_trans, axes.transData)


def _draw_scale(axes: Axes, rows: list[_Row], name: str) -> None:
    ends = np.array([row[2:5] for row in rows], dtype=float)
    limit = float(np.clip(1.08 * np.nanmax(np.abs(ends), initial=0), 0.5, _FARTHEST))
    axes.set_xlim(-limit, limit)
    axes.axvline(0, color='black', linewidth=1.2)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(StrMethodFormatter('{x:g}'))
    axes.grid(axis='x', color='#dddddd', linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_yticks([])
    axes.tick_params(labelsize=10)
    axes.set_xlabel(name, fontsize=10)
    axes.spines[['top', 'right', 'left']].set_visible(False)


def _draw_effect(axes: Axes, row: _Row) -> None:
    end, y = axes.get_xlim()[1], _middle(row)
    low, high = np.clip([row.low, row.high], -end, end)
    axes.plot([low, high], [y, y], color='black', linewidth=2, solid_capstyle='butt', label='interval')
    for at, is_beyond, mark in ((-end, row.low < -end, '<'), (end, row.high > end, '>')):
        if is_beyond:
            axes.plot(at, y, mark, color='black', markersize=7, clip_on=False, label='beyond')
    if abs(row.centre) <= end:
        fill = 'white' if row.is_flagged else 'black'
        axes.plot(row.centre, y, 's', mfc=fill, mec='black', mew=1.6, ms=8, label='effect', clip_on=False)


def _middle(row: _Row) -> float:
    return row.top + _LINE * (len(row.lines) + 1) / 2


def _write_row(axes: Axes, row: _Row) -> None:
    for number, line in enumerate([*row.lines, row.n]):
        colour = 'black' if number < len(row.lines) else '#555555'
        place = 0.18, row.top + _LINE * (number + 0.5)
        axes.text(*place, line, transform=_across(axes), color=colour, **_TEXT)
    effect = f'{row.centre:.2f} ({row.low:.2f} to {row.high:.2f})' if np.isfinite(row.centre) else 'n/a'
    p = '' if np.isnan(row.p) else 'p < 0.001' if row.p < 0.001 else f'p = {row.p:.3f}'
    for text, shift in ((effect, -0.5), (p, 0.5)):
        place = WIDTH - 0.08, _middle(row) + shift * _LINE
        axes.text(*place, text.replace('-', '\u2212'), transform=_across(axes), ha='right', **_TEXT)


def _write_sides(axes: Axes, sides: list[list[str]], top: float) -> None:
    look: dict[str, Any] = {'transform': _across(axes), 'fontsize': 10, 'va': 'top', 'linespacing': 1.1}
    for place, side, lines in zip((_LEFT - 0.3, _RIGHT + 0.3), ('left', 'right'), sides):
        axes.text(place, top, '\n'.join(lines), ha=side, **look)
