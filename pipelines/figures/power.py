"""Power over the number of people, as it was simulated and by the closed form."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from .trial import PAPER, WIDTH, finish, looks_of, need_columns, write

_COLUMNS = ['analysis', 'arm', 'n', 'power', 'mc_se', 'closed_form', 'is_planned']
_TITLES = {'primary': 'Primary contrast', 'mediation': 'Mediation path'}
_HEIGHT = 4.2  # inches
_TWO_SIDED = 1.96


def plot_power(table: pd.DataFrame, *, title: str, target: float | None) -> Figure:
    """Draw the power of every analysis and arm over the number of people, a panel per analysis.

    Parameters
    ----------
    table
        One row per analysis (``primary``, ``mediation``), arm and size: ``analysis arm n power mc_se closed_form``
        (NaN: none) and ``is_planned``.
    title
        What is planned.
    target
        Power that was asked for; None: the people were given.

    Raises
    ------
    DataError
        A column is absent, or there is no row.

    """
    need_columns(table, _COLUMNS)
    figure = Figure(figsize=(WIDTH, _HEIGHT), layout=ConstrainedLayoutEngine(wspace=0.06), **PAPER)
    analyses = list(dict.fromkeys(table['analysis']))
    for number, analysis in enumerate(analyses):
        axes = figure.add_subplot(1, len(analyses), number + 1)
        own = table[table['analysis'] == analysis]
        _draw_arms(axes, own)
        if target is not None:
            axes.axhline(target, color='black', linewidth=0.9, linestyle='dotted')
        planned = int(own.loc[own['is_planned'], 'n'].iloc[0])
        axes.axvline(planned, color='black', linewidth=0.9, linestyle='dashdot')
        axes.annotate(
            f'{planned:,}', (planned, 0), xycoords=('data', 'axes fraction'), xytext=(3, 3),
            textcoords='offset points', fontsize=9.5,
        )  # fmt: skip
        finish(axes, _TITLES[analysis], None, first=number == 0)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel('people in all arms', fontsize=10)
        if own['arm'].nunique() > 1:
            axes.legend(fontsize=9, frameon=False, loc='lower right')
    figure.axes[0].set_ylabel('power', fontsize=11)
    note = 'Marks: simulated, with 95 % intervals.'
    note += ' Grey line: closed form.' if table['closed_form'].notna().any() else ''
    write(figure, title, f'{note} Vertical: planned.')
    return figure


def _draw_arms(axes: Axes, own: pd.DataFrame) -> None:
    closed = own[own['closed_form'].notna()]
    if len(closed):
        axes.plot(
            closed['n'], closed['closed_form'], color='#8a8a8a', linewidth=4, alpha=0.5, label='_closed form'
        )
    labels = {arm: arm for arm in (*own['arm'].unique(), '')}
    for arm, (colour, dash, mark) in looks_of(labels).items():
        part = own[own['arm'] == arm].sort_values('n')
        if part.empty:
            continue
        half = _TWO_SIDED * part['mc_se']
        ends = np.stack([np.minimum(half, part['power']), np.minimum(half, 1 - part['power'])])
        axes.errorbar(
            part['n'], part['power'], ends, label=arm, color='black', linestyle=dash, linewidth=1.4, marker=mark,
            markersize=8, mfc=colour, mec='black', mew=1.1, elinewidth=1.6, capsize=4,
        )  # fmt: skip
