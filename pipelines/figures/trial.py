"""Trajectories of people in a trial, and what figures of its tables share."""

from collections.abc import Collection, Iterable, Mapping
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import StrMethodFormatter
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ..errors import DataError
from .montage import ORANGE
from .tracts import PURPLE

Array = NDArray[Any]

Look = tuple[str, str, str]

LOOKS: tuple[Look, Look] = ((PURPLE, 'solid', 'o'), (ORANGE, 'dashed', 's'))
"""Colour, dash and marker of the treatment and of the control; any one of them tells the arms apart."""

WIDTH = 6.4
"""Inches; on a screen of 390 pixels letters of 10 points are 8.5 pixels high."""

PAPER: dict[str, Any] = {'dpi': 130, 'facecolor': 'white'}
NOTE: dict[str, Any] = {'fontsize': 9, 'color': '#333333', 'linespacing': 1.3}
FAINT: dict[str, Any] = {'colors': '#8a8a8a', 'linewidths': 0.8, 'alpha': 0.55}
"""Lines of single people."""

PERSON = 'person-'
"""What the identifiers of people's dots in a SVG file begin with."""

_TITLE, _NOTE = 56, 88  # letters in the width of a figure


class Bounds(NamedTuple):
    """A mean with its 95 % interval; NaN where there is none."""

    mean: float
    low: float
    high: float


def mean_interval(values: ArrayLike) -> Bounds:
    r"""Return the mean of (n,) values and :math:`\bar y \pm t_{0.975, n-1}\, s / \sqrt n`; NaN is missing.

    Examples
    --------
    One value has a mean but no interval:

    >>> mean_interval([2.0, np.nan]), mean_interval([])
    (Bounds(mean=2.0, low=nan, high=nan), Bounds(mean=nan, low=nan, high=nan))

    """
    every = np.asarray(values, dtype=float)
    known = every[~np.isnan(every)]
    if len(known) < 2:
        return Bounds(float(known[0]) if len(known) else np.nan, np.nan, np.nan)
    half = stats.t.ppf(0.975, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known))
    return Bounds(*map(float, known.mean() + half * np.array([0, -1, 1])))


def plot_trajectories(
    table: pd.DataFrame,
    *,
    title: str,
    units: str,
    visit_labels: Mapping[str, str],
    arm_labels: Mapping[str, str],
    lower_is_better: bool | None = None,
    estimate: tuple[float, float, float] | None = None,
    estimate_text: str = '',
) -> Figure:
    """Draw every person's two visits, the means of each arm and the adjusted difference.

    Parameters
    ----------
    table
        ``participant_id arm visit value``, one row per person and visit, in ``units``; NaN = missing.
    title
        Name of the outcome.
    units
        Text at the axis.
    visit_labels
        Label of each value of ``visit``: baseline, follow-up.
    arm_labels
        Label of each value of ``arm``: treatment, control; an arm without people has no panel.
    lower_is_better
        Direction of the arrow (None: no arrow).
    estimate
        Adjusted difference in means and its 95 % interval, treatment - control; None: no panel.
    estimate_text
        The same in words, below that panel.

    Raises
    ------
    DataError
        No value, a column is absent, an arm or visit without a label, or a person with two rows of one
        visit.

    Notes
    -----
    Means are of everybody seen at the visit, see :func:`mean_interval`.

    """
    need_columns(table, ['participant_id', 'arm', 'visit', 'value'])
    need_labels(table, {'arm': arm_labels, 'visit': visit_labels})
    need_once(table, 'visit')
    known = table[table['value'].notna()]
    if known.empty:
        raise DataError(f'no value of {title} to draw: all are missing. Leave this figure out.')
    arms = [arm for arm in arm_labels if (known['arm'] == arm).any()]
    figure = Figure(figsize=(WIDTH, 4.4), layout=ConstrainedLayoutEngine(wspace=0.06), **PAPER)
    ratios = [3.0] * len(arms) + [1.7] * (estimate is not None)
    grid = figure.add_gridspec(1, len(ratios), width_ratios=ratios)
    shared: Any = None
    for number, arm in enumerate(arms):
        axes = shared = figure.add_subplot(grid[number], sharey=shared)
        _draw_arm(axes, known[known['arm'] == arm], visit_labels, LOOKS[list(arm_labels).index(arm)])
        people = table.loc[table['arm'] == arm, 'participant_id'].nunique()
        finish(axes, arm_labels[arm], people, first=number == 0)
    arrow = {None: '', True: '\n← better', False: '\nbetter →'}[lower_is_better]
    figure.axes[0].set_ylabel(fill(units, 34) + arrow, fontsize=11)
    if estimate is not None:
        _draw_difference(figure.add_subplot(grid[-1]), estimate, estimate_text)
    note = 'Thin lines: people. Hollow: seen at one visit only. Thick: mean with 95 % CI.'
    if estimate is not None:
        note += f' Difference: {" minus ".join(arm_labels.values())}, adjusted, with 95 % CI.'
    write(figure, title, note)
    return figure


def need_labels(table: pd.DataFrame, labels: Mapping[str, Collection[str]]) -> None:
    """Raise :class:`~pipelines.errors.DataError` if a column has a value without a label."""
    for column, known in labels.items():
        if strange := sorted(set(table[column].astype(str)) - set(known)):
            raise DataError(
                f'{column} {", ".join(strange)} of the table has no label; labels were given for '
                f'{", ".join(known)}. Correct the table or add a label.'
            )


def need_once(table: pd.DataFrame, column: str) -> None:
    """Raise :class:`~pipelines.errors.DataError` if a person has two rows with the same value of a column."""
    again = table[table.duplicated(['participant_id', column])]
    if len(again):
        row = again.iloc[0]
        raise DataError(
            f'{row["participant_id"]} has more than one row of {column} {row[column]}, in one arm or in '
            'two; average or remove them'
        )


def need_columns(table: pd.DataFrame, columns: list[str]) -> None:
    """Raise :class:`~pipelines.errors.DataError` if a column is absent or there is no row."""
    if missing := [column for column in columns if column not in table]:
        raise DataError(
            f'the table to draw lacks {", ".join(missing)}; it has {", ".join(map(str, table)) or "no column"}'
        )
    if table.empty:
        raise DataError('no row to draw: the table is empty. Leave this figure out.')


def _draw_arm(axes: Axes, known: pd.DataFrame, visits: Mapping[str, str], look: Look) -> None:
    colour, dash, mark = look
    wide = known.pivot(index='participant_id', columns='visit', values='value').reindex(columns=list(visits))
    values = wide.to_numpy(dtype=float)
    places = np.arange(values.shape[1]) + jitter(len(values))[:, None]
    both = ~np.isnan(values).any(axis=1)
    lines = np.stack([places[both], values[both]], axis=-1)
    axes.add_collection(LineCollection(list(lines), **FAINT))
    alone = ~np.isnan(values) & ~both[:, None]
    axes.plot(places[alone], values[alone], 'o', mfc='white', mec='#555555', ms=4.5, label='one visit')
    name_people(axes, wide.index, places, np.where(both[:, None], values, np.nan))
    name_people(axes, wide.index, places, np.where(alone, values, np.nan), mfc='white', mec='#555555', ms=4.5)
    draw_means(axes, np.arange(len(visits)), [mean_interval(v) for v in values.T], (colour, dash, mark))
    counts = (~np.isnan(values)).sum(axis=0)
    ticks = [f'{fill(label, 11)}\nn = {n}' for label, n in zip(visits.values(), counts)]
    axes.set_xticks(range(len(visits)), ticks, fontsize=10)
    axes.set_xlim(-0.35, len(visits) - 0.65)


def name_people(axes: Axes, people: Iterable[str], places: Array, values: Array, **look: Any) -> None:
    """Draw a dot at each value of a person, whose name is the identifier of its group in a SVG file.

    Parameters
    ----------
    axes
        Panel.
    people
        (n,) names.
    places, values
        (n, m) positions; NaN: no dot.
    look
        Of the dots, where they are not small and grey.

    """
    style: dict[str, Any] = {'color': '#8a8a8a', 'ms': 2.5, 'alpha': None if look else 0.7} | look
    for person, at, height in zip(people, places, values):
        if not np.isnan(height).all():
            axes.plot(at, height, 'o', gid=f'{PERSON}{person}', label='person', **style)


def jitter(n: int) -> Array:
    """Return (n,) shifts within 0.08 of 0, always the same: multiples of the golden ratio fill evenly.

    Examples
    --------
    >>> jitter(3).round(3).tolist()
    [0.019, -0.042, 0.057]

    """
    return 0.16 * ((np.arange(1, n + 1) * 0.6180339887) % 1 - 0.5)


def draw_means(axes: Axes, places: Array, means: list[Bounds], look: Look) -> None:
    """Draw means with their intervals, joined by a line; dash ``none``: not joined."""
    colour, dash, mark = look
    centre, low, high = np.array(means, dtype=float).reshape(-1, 3).T
    spread = np.nan_to_num(np.stack([centre - low, high - centre]))
    lines: dict[str, Any] = {'color': 'black', 'zorder': 4, 'linestyle': dash, 'linewidth': 2.6}
    marks: dict[str, Any] = {'marker': mark, 'markersize': 9, 'mfc': colour, 'mec': 'black', 'mew': 1.2}
    bars: dict[str, Any] = {'elinewidth': 2.2, 'capsize': 5, 'capthick': 1.6}
    axes.errorbar(places, centre, spread, label='mean with 95 % CI', **lines, **marks, **bars)


def finish(axes: Axes, title: str, n: int | None, *, first: bool, pad: float = 6.0) -> None:
    """Name a panel and its number of people; only the first of a row has numbers at its axis."""
    axes.set_title(fill(title, 20) + ('' if n is None else f'\nn = {n}'), fontsize=11, pad=pad)
    axes.tick_params(axis='y', labelsize=10, labelleft=first)
    axes.yaxis.set_major_formatter(StrMethodFormatter('{x:g}'))
    axes.grid(axis='y', color='#dddddd', linewidth=0.6)
    axes.spines[['top', 'right']].set_visible(False)
    axes.margins(y=0.08)


def _draw_difference(axes: Axes, estimate: tuple[float, float, float], words: str) -> None:
    centre, low, high = estimate
    if np.isfinite(estimate).all():
        axes.axhline(0, color='black', linewidth=1, linestyle='dotted')
        draw_means(axes, np.zeros(1), [Bounds(centre, low, high)], ('black', 'none', 'D'))
    else:
        axes.set_yticks([])
        axes.text(0.5, 0.6, 'n/a', transform=axes.transAxes, ha='center', va='center', fontsize=12)
    lines = [fill(part, 16) for part in words.replace(' (', '\n(').splitlines()]
    axes.set_xticks([0], ['\n'.join(lines)], fontsize=10)
    axes.set_xlim(-1, 1)
    finish(axes, 'Difference', None, first=True)
    axes.yaxis.tick_right()
    axes.spines['right'].set_visible(True)
    axes.spines['left'].set_visible(False)


def write(figure: Figure, title: str, note: str) -> None:
    """Write the title above and the note below the panels."""
    place: dict[str, Any] = {'x': 0.012, 'ha': 'left'}
    figure.suptitle(fill(title, _TITLE), fontsize=12.5, weight='bold', **place)
    figure.supxlabel(fill(note, _NOTE), **NOTE, **place)
