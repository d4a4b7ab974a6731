"""How an effect changes when values that are missing are taken to be worse and worse."""

from collections.abc import Mapping
from textwrap import fill
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from .trial import PAPER, WIDTH, finish, looks_of, need_columns, need_labels, write

_CURVE = ['shifted', 'arm', 'delta', 'estimate', 'ci_low', 'ci_high']
_HEIGHT = 3.9  # inches


def plot_tipping(
    curves: pd.DataFrame,
    points: pd.DataFrame,
    *,
    title: str,
    units: str,
    arms: Mapping[str, str],
    shifted: Mapping[str, str],
) -> Figure:
    """Draw the effect of every arm over the shift of missing values, and where it is no longer told from none.

    Parameters
    ----------
    curves
        ``shifted arm delta estimate ci_low ci_high``, ``delta`` in units towards worse.
    points
        ``shifted arm delta``: tipping points, NaN where there is none.
    title, units
        Name of the outcome, and its unit.
    arms
        Label of each arm, the control last.
    shifted
        Label of each value of ``shifted``: whose values are shifted, a panel each.

    Raises
    ------
    DataError
        No row, a column is absent, or a word without a label.

    """
    need_columns(curves, _CURVE)
    need_labels(curves, {'shifted': shifted, 'arm': arms})
    figure = Figure(figsize=(WIDTH, _HEIGHT), layout=ConstrainedLayoutEngine(wspace=0.06), **PAPER)
    shared: Any = None
    for number, (word, label) in enumerate(shifted.items()):
        axes = shared = figure.add_subplot(1, len(shifted), number + 1, sharey=shared)
        own, ends = (table[table['shifted'] == word] for table in (curves, points))
        for arm, look in looks_of(arms).items():
            _draw_curve(axes, own[own['arm'] == arm], ends[ends['arm'] == arm], look, arms[arm])
        axes.axhline(0, color='black', linewidth=1, linestyle='dotted')
        axes.set_xlim(0, float(curves['delta'].max()))
        axes.set_xlabel(
            fill(f'missing values worse by ({units})' if units else 'missing values worse by', 32),
            fontsize=10,
        )
        finish(axes, label, None, first=number == 0)
    control = list(arms.values())[-1]
    figure.axes[0].set_ylabel(fill(f'minus {control}, {units}'.rstrip(', '), 34), fontsize=11)
    if len(arms) > 2:
        figure.axes[0].legend(fontsize=9, frameon=False, loc='lower left')
    write(
        figure,
        title,
        'Band: 95 % CI. Vertical line: from here on p is 0.05 or more. Left end: missing at random.',
    )
    return figure


def plot_remark(words: str) -> Figure:
    """Return a figure that says why there is nothing to draw."""
    figure = Figure(figsize=(WIDTH, 0.8), **PAPER)
    figure.text(0.012, 0.5, fill(words, 80), fontsize=11, va='center')
    return figure


def _draw_curve(axes: Axes, curve: pd.DataFrame, ends: pd.DataFrame, look: Any, label: str) -> None:
    if curve.empty:
        return
    colour, dash, _ = look
    at, centre, low, high = curve[['delta', 'estimate', 'ci_low', 'ci_high']].to_numpy(float).T
    axes.fill_between(at, low, high, color=colour, alpha=0.25, linewidth=0)
    axes.plot(at, centre, color='black', linestyle=dash, linewidth=2, label=label)
    for delta in ends['delta'].dropna():
        axes.axvline(float(delta), color=colour, linewidth=1.6, label='_tipping')
        is_left = delta < at.max() / 2  # the number stands on the side that has room
        axes.annotate(
            f'{delta:.3g}', (float(delta), 1), xycoords=('data', 'axes fraction'), textcoords='offset points',
            xytext=(3 if is_left else -3, -11), ha='left' if is_left else 'right', fontsize=9,
        )  # fmt: skip
