"""What the figures of a trial's tables share: looks of arms, means with intervals, dots of people."""

from collections.abc import Collection, Iterable, Mapping
from itertools import cycle
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ..errors import DataError
from .montage import BLUE, GREEN, ORANGE
from .tracts import PURPLE

Array = NDArray[Any]

ArmLook = tuple[str, Any, str]

LOOKS: tuple[ArmLook, ...] = (
    (PURPLE, 'solid', 'o'), (BLUE, 'dashdot', '^'), (GREEN, 'dotted', 'D'), ('#444444', (0, (5, 1, 1, 1, 1, 1)), 'v'),
)  # fmt: skip
"""Colour, dash and marker of the treated arms; markers and dashes tell the arms apart without colour."""

CONTROL_LOOK: ArmLook = (ORANGE, 'dashed', 's')


def looks_of(arms: Iterable[str]) -> dict[str, ArmLook]:
    """Return the look of each arm, the control being the last.

    Examples
    --------
    >>> [look[2] for look in looks_of(['high dose', 'low dose', 'placebo']).values()]
    ['o', '^', 's']

    """
    *treated, control = arms
    return {**dict(zip(treated, cycle(LOOKS))), control: CONTROL_LOOK}


WIDTH = 6.4
"""Inches; on a screen of 390 pixels letters of 10 points are 8.5 pixels high."""

PAPER: dict[str, Any] = {'dpi': 130, 'facecolor': 'white'}
NOTE: dict[str, Any] = {'fontsize': 9, 'color': '#333333', 'linespacing': 1.3}
FAINT: dict[str, Any] = {'colors': '#8a8a8a', 'linewidths': 0.8, 'alpha': 0.55}
"""Lines of single people."""

PERSON = 'person-'
"""What the identifiers of people's dots in a SVG file begin with."""

MANY = 200
"""People of a panel beyond which nobody can be pointed at: they are drawn as one picture and have no names."""

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

    Notes
    -----
    More people than :data:`MANY` become one picture: a drawing of 5,000 would be 20 MB, and no dot could be told
    from its neighbours.

    """
    style: dict[str, Any] = {'color': '#8a8a8a', 'ms': 2.5, 'alpha': None if look else 0.7} | look
    if len(values) > MANY:
        axes.plot(np.ravel(places), np.ravel(values), 'o', label='person', rasterized=True, **style)
        return
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


def draw_means(axes: Axes, places: Array, means: list[Bounds], look: ArmLook) -> None:
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


def write(figure: Figure, title: str, note: str) -> None:
    """Write the title above and the note below the panels."""
    place: dict[str, Any] = {'x': 0.012, 'ha': 'left'}
    figure.suptitle(fill(title, _TITLE), fontsize=12.5, weight='bold', **place)
    figure.supxlabel(fill(note, _NOTE), **NOTE, **place)
