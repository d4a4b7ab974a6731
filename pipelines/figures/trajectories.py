"""The course of every person of a trial over its visits, the means of each arm, and the differences."""

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from ..errors import DataError
from .trial import (
    FAINT,
    MANY,
    PAPER,
    WIDTH,
    ArmLook,
    Bounds,
    draw_means,
    finish,
    jitter,
    looks_of,
    mean_interval,
    name_people,
    need_columns,
    need_labels,
    need_once,
    write,
)

Array = NDArray[Any]

_PANELS = 3  # of arms, side by side
_HEIGHT = 4.4  # inches of a row of panels
_UPRIGHT = 0.65  # inches: labels of visits that have less stand upright


@dataclass(frozen=True, kw_only=True)
class TrajectoryWords:
    """What a figure says of an outcome.

    Attributes
    ----------
    title, units
        Name of the outcome, and text at the axis.
    visits, arms
        Label of each visit in their order, and of each arm, the control last.
    primary
        The visit of the primary contrasts.
    lower_is_better
        Direction of the arrow (None: no arrow).

    """

    title: str
    units: str
    visits: Mapping[str, str]
    arms: Mapping[str, str]
    primary: str = ''
    lower_is_better: bool | None = None


def plot_trajectories(
    table: pd.DataFrame, course: TrajectoryWords, effects: pd.DataFrame | None = None, words: str = ''
) -> Figure:
    """Draw every person over all visits, the means of each arm and the adjusted differences.

    Parameters
    ----------
    table
        ``participant_id arm visit value``, one row per person and visit, in units; NaN = missing.
    course
        Names of what is drawn; an arm without people has no panel.
    effects
        ``arm visit estimate ci_low ci_high``: adjusted difference of a treated arm from the control with its
        95 % interval, NaN where there is none; None: no panel of differences.
    words
        What is written below that panel.

    Raises
    ------
    DataError
        No value, a column is absent, an arm or visit without a label, or a person with two rows of one
        visit.

    Notes
    -----
    Means are of everybody seen at the visit, see :func:`~pipelines.figures.trial.mean_interval`.  A line
    joins the visits at which a person was seen, also across one that is missing.

    """
    need_columns(table, ['participant_id', 'arm', 'visit', 'value'])
    need_labels(table, {'arm': course.arms, 'visit': course.visits})
    need_once(table, 'visit')
    known = table[table['value'].notna()]
    if known.empty:
        raise DataError(f'no value of {course.title} to draw: all are missing. Leave this figure out.')
    arms = [arm for arm in course.arms if (known['arm'] == arm).any()]
    figure, grid = _paper(len(arms), effects)
    shared: Any = None
    for number, arm in enumerate(arms):
        row, column = divmod(number, _columns(len(arms)))
        axes = shared = figure.add_subplot(grid[row, column], sharey=shared)
        own = known[known['arm'] == arm]
        _draw_arm(axes, own, course.visits, looks_of(course.arms)[arm], _room(len(arms), effects))
        people = table.loc[table['arm'] == arm, 'participant_id'].nunique()
        finish(axes, course.arms[arm], people, first=column == 0)
    arrow = {None: '', True: '\n← better', False: '\nbetter →'}[course.lower_is_better]
    figure.axes[0].set_ylabel(fill(course.units, 34) + arrow, fontsize=11)
    if effects is not None:
        _draw_differences(figure.add_subplot(grid[:, -1]), effects, course, words)
    write(figure, course.title, _note(course, effects))
    return figure


def _paper(n_arms: int, effects: pd.DataFrame | None) -> tuple[Figure, GridSpec]:
    """Return a figure and the places of its panels: arms in rows, differences in a column of their own."""
    n_columns = _columns(n_arms)
    n_rows = -(-n_arms // n_columns)
    ratios = [3.0] * n_columns + ([] if effects is None else [_width_of(effects)])
    engine = ConstrainedLayoutEngine(wspace=0.06, hspace=0.06)
    figure = Figure(figsize=(WIDTH, _HEIGHT * n_rows), layout=engine, **PAPER)
    return figure, figure.add_gridspec(n_rows, len(ratios), width_ratios=ratios)


def _columns(n_arms: int) -> int:
    """Return how many arms stand side by side, rows being as even as can be.

    Examples
    --------
    >>> [_columns(n) for n in (1, 2, 3, 4, 5)]
    [1, 2, 3, 2, 3]

    """
    return -(-n_arms // -(-n_arms // _PANELS))


def _width_of(effects: pd.DataFrame) -> float:
    return float(np.clip(1.4 + 0.3 * len(effects), 1.7, 3.0))


def _room(n_arms: int, effects: pd.DataFrame | None) -> float:
    """Return the inches of a panel of an arm, axis labels aside."""
    share = 3.0 / (3.0 * _columns(n_arms) + (0 if effects is None else _width_of(effects)))
    return (WIDTH - 1.0) * share


def _note(course: TrajectoryWords, effects: pd.DataFrame | None) -> str:
    note = 'Thin lines: people. Hollow: seen at one visit only. Thick: mean with 95 % CI.'
    if effects is None:
        return note
    control = list(course.arms.values())[-1]
    treated = [label for arm, label in course.arms.items() if (effects['arm'] == arm).any()]
    who = treated[0] if len(treated) == 1 else 'each arm'
    note += f' Difference: {who} minus {control}, adjusted, with 95 % CI.'
    return note if len(effects) < 2 else f'{note} Filled: the primary visit.'


def _draw_arm(axes: Axes, known: pd.DataFrame, visits: Mapping[str, str], look: ArmLook, room: float) -> None:
    wide = known.pivot(index='participant_id', columns='visit', values='value').reindex(columns=list(visits))
    values = wide.to_numpy(dtype=float)
    places = np.arange(values.shape[1]) + jitter(len(values))[:, None]
    seen = ~np.isnan(values)
    is_again = seen.sum(axis=1) > 1
    lines = [np.column_stack([places[n, seen[n]], values[n, seen[n]]]) for n in np.flatnonzero(is_again)]
    axes.add_collection(LineCollection(lines, rasterized=len(lines) > MANY, **FAINT))
    alone = seen & ~is_again[:, None]
    axes.plot(places[alone], values[alone], 'o', mfc='white', mec='#555555', ms=4.5, label='one visit')
    name_people(axes, wide.index, places, np.where(is_again[:, None], values, np.nan))
    name_people(axes, wide.index, places, np.where(alone, values, np.nan), mfc='white', mec='#555555', ms=4.5)
    draw_means(axes, np.arange(len(visits)), [mean_interval(v) for v in values.T], look)
    _name_visits(axes, list(visits.values()), seen.sum(axis=0), room)


def _name_visits(axes: Axes, labels: list[str], counts: Array, room: float) -> None:
    """Write visits with their numbers of people below an axis, upright where they are many."""
    if room / len(labels) > _UPRIGHT:
        words = [f'{fill(label, 11)}\nn = {n}' for label, n in zip(labels, counts)]
        axes.set_xticks(range(len(labels)), words, fontsize=10)
    else:
        words = [fill(f'{label}, n = {n}', 18) for label, n in zip(labels, counts)]
        axes.set_xticks(range(len(labels)), words, fontsize=9, rotation=90)
    axes.set_xlim(-0.35, len(labels) - 0.65)


def _draw_differences(axes: Axes, effects: pd.DataFrame, course: TrajectoryWords, words: str) -> None:
    """Draw the difference of every treated arm at every visit beside the panels of the arms."""
    columns = ['estimate', 'ci_low', 'ci_high']
    if effects[columns].notna().any(axis=None):
        axes.axhline(0, color='black', linewidth=1, linestyle='dotted')
    else:
        axes.set_yticks([])
        axes.text(0.5, 0.6, 'n/a', transform=axes.transAxes, ha='center', va='center', fontsize=12)
    visits = [visit for visit in course.visits if (effects['visit'] == visit).any()]
    treated = [arm for arm in course.arms if (effects['arm'] == arm).any()]
    looks = looks_of(course.arms)
    for number, arm in enumerate(treated):
        colour, _, mark = ('black', '', 'D') if len(treated) == 1 else looks[arm]
        shift = 0.26 * (number - (len(treated) - 1) / 2)
        for row in effects[effects['arm'] == arm].itertuples():
            bounds = Bounds(float(row.estimate), float(row.ci_low), float(row.ci_high))
            face = colour if len(effects) < 2 or row.visit == course.primary else 'white'
            if np.isfinite(bounds).all():
                draw_means(axes, np.array([visits.index(row.visit) + shift]), [bounds], (face, 'none', mark))
    _name_differences(axes, visits, len(effects), course, words)
    axes.set_xlim(*((-1, 1) if len(visits) == 1 else (-0.5, len(visits) - 0.5)))
    finish(axes, 'Difference', None, first=True)
    axes.yaxis.tick_right()
    axes.spines['right'].set_visible(True)
    axes.spines['left'].set_visible(False)


def _name_differences(
    axes: Axes, visits: list[str], n_effects: int, course: TrajectoryWords, words: str
) -> None:
    if n_effects < 2:
        lines = [fill(part, 16) for part in words.replace(' (', '\n(').splitlines()]
        axes.set_xticks(range(len(visits)), ['\n'.join(lines)] * len(visits), fontsize=10)
        return
    labels = [fill(course.visits[visit], 18) for visit in visits]
    axes.set_xticks(range(len(visits)), labels, fontsize=9, rotation=90 if len(visits) > 1 else 0)
