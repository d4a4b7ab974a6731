"""The time course of a biomarker: samples within sessions, on a log axis."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter
from numpy.typing import NDArray

from ..errors import DataError
from .trial import (
    FAINT,
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

_COLUMNS = ['participant_id', 'arm', 'sample', 'value', 'lower', 'upper', 'censored']
_SIDES = {'left': ('v', 'lower', '▽'), 'right': ('^', 'upper', '△')}
_MOST_SAMPLES = 12  # in the panels of a row
_PAUSE = 0.7  # between sessions, in steps between the samples of one
_PAST = 1.15  # a limit stands at least this ratio inside the axis
_NARROW, _WIDE = 5.0, 1000.0  # ratio of the ends below which ticks are even, above which powers of ten


def geometric_mean_interval(values: Array) -> Bounds:
    r"""Return the geometric mean of (n,) values above 0 and its 95 % interval.

    :func:`~pipelines.figures.trial.mean_interval` of the logarithms, taken back to the scale of the values.

    Examples
    --------
    >>> found = geometric_mean_interval(np.array([1.0, 4.0]))
    >>> round(found.mean, 9), round(found.low * found.high, 9)
    (2.0, 4.0)

    """
    return Bounds(*np.exp(mean_interval(np.log(values))).tolist())


def plot_time_course(
    table: pd.DataFrame,
    *,
    title: str,
    units: str,
    sample_labels: Mapping[str, tuple[str, str]],
    arm_labels: Mapping[str, str],
) -> Figure:
    """Draw every person's samples and the geometric mean of each arm.

    Parameters
    ----------
    table
        One row per person and sample: ``participant_id arm sample``, ``value`` in ``units`` (NaN =
        missing), limits of detection ``lower`` and ``upper`` (NaN: none) and ``censored`` (``left``:
        below the lower limit, ``right``: above the upper; empty: measured).
    title
        What was measured.
    units
        Text at the axis.
    sample_labels
        For each value of ``sample`` the session and the time, such as ``('Session 7', 'before')``;
        samples of one session, which follow each other, are joined.
    arm_labels
        Label of each value of ``arm``; an arm without people has no panel.  Panels stand in rows of up to 12
        samples.

    Raises
    ------
    DataError
        No sample, a column is absent, an arm or sample without a label, a person with two rows of one
        sample, a measured value that is not above 0, or a censored one without a limit.

    Notes
    -----
    A censored sample is drawn, and counts in the geometric mean, at its limit: a description that is
    nearer to the limit than the truth.

    """
    need_columns(table, _COLUMNS)
    need_labels(table, {'arm': arm_labels, 'sample': sample_labels})
    need_once(table, 'sample')
    known = _known(table)
    if known.empty:
        raise DataError(f'no sample of {title} to draw: all are missing. Leave this figure out.')
    arms = [arm for arm in arm_labels if (known['arm'] == arm).any()]
    columns = min(len(arms), max(1, _MOST_SAMPLES // len(sample_labels)))
    rows = -(-len(arms) // columns)
    size = (WIDTH, 4.6 if rows == 1 else 1.2 + 2.9 * rows)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(wspace=0.06, hspace=0.04), **PAPER)
    shared: Any = None
    for number, arm in enumerate(arms):
        axes = shared = figure.add_subplot(rows, columns, number + 1, sharey=shared)
        axes.set_yscale('log')
        people = known[known['arm'] == arm]
        _draw_arm(axes, people, sample_labels, looks_of(arm_labels)[arm])
        finish(axes, arm_labels[arm], people['participant_id'].nunique(), first=number % columns == 0, pad=20)
    _draw_limits(figure.axes, known)
    for axes in figure.axes[::columns]:
        axes.set_ylabel(f'{units}, log scale', fontsize=11)
    write(figure, title, _note(known))
    return figure


def _known(table: pd.DataFrame) -> pd.DataFrame:
    """Return the samples that have a value or are censored, these at their limit."""
    used = table.assign(value=table['value'].astype(float), censored=table['censored'].fillna(''))
    for word, (_, limit, _) in _SIDES.items():
        side = used['censored'] == word
        used.loc[side, 'value'] = used.loc[side, limit].astype(float)
    wrong = used[(used['censored'] != '') & used['value'].isna() | (used['value'] <= 0)]
    if len(wrong):
        row = wrong.iloc[0]
        raise DataError(
            f'sample {row["sample"]} of {row["participant_id"]} is {row["value"]:g}'
            + (f', censored {row["censored"]}' if row['censored'] else '')
            + ': a log axis needs a value above 0. Give its limit of detection, or leave the sample out.'
        )
    return used[used['value'].notna()]


def _constant_limits(known: pd.DataFrame) -> dict[str, float]:
    """Return the limits of detection that are the same for all samples."""
    limits = known[['lower', 'upper']].astype(float).replace([0, np.inf], np.nan)
    return {
        name: float(column.iloc[0])
        for name, column in limits.items()
        if column.nunique(dropna=False) == 1 and column.notna().all()
    }


def _places(labels: Mapping[str, tuple[str, str]]) -> Array:
    """Return where each sample stands: one apart, more between sessions.

    Examples
    --------
    >>> _places({'a': ('1', 'pre'), 'b': ('1', 'post'), 'c': ('2', 'pre')}).tolist()
    [0.0, 1.0, 2.7]

    """
    sessions = [session for session, _ in labels.values()]
    pauses = [0, *(_PAUSE * (a != b) for a, b in pairwise(sessions))]
    return np.arange(len(sessions)) + np.cumsum(pauses)


def _draw_arm(axes: Axes, known: pd.DataFrame, labels: Mapping[str, tuple[str, str]], look: ArmLook) -> None:
    wide = known.pivot(index='participant_id', columns='sample', values='value').reindex(columns=list(labels))
    values, places = wide.to_numpy(dtype=float), _places(labels)
    shifted = places + jitter(len(values))[:, None]
    sessions = [session for session, _ in labels.values()]
    for session in dict.fromkeys(sessions):
        members = [number for number, name in enumerate(sessions) if name == session]
        lines = np.stack([shifted[:, members], values[:, members]], axis=-1)
        complete = lines[~np.isnan(lines).any(axis=(1, 2))]
        axes.add_collection(LineCollection(list(complete), **FAINT))
        means = [geometric_mean_interval(column[~np.isnan(column)]) for column in values[:, members].T]
        draw_means(axes, places[members], means, look)
    side = known.pivot(index='participant_id', columns='sample', values='censored')
    side = side.reindex(columns=list(labels)).to_numpy()
    name_people(axes, wide.index, shifted, np.where(side == '', values, np.nan))
    for word, (mark, _, _) in _SIDES.items():
        at = shifted[side == word], values[side == word]
        axes.plot(*at, mark, mfc='white', mec='black', mew=1.1, ms=7, label=word, zorder=3.5)
    # white on the white triangles: not seen, yet they name the person
    beyond = np.where(np.isin(side, list(_SIDES)), values, np.nan)
    name_people(axes, wide.index, shifted, beyond, color='white', ms=2, zorder=3.6)
    _write_ticks(axes, labels, values, side)


def _write_ticks(axes: Axes, labels: Mapping[str, tuple[str, str]], values: Array, side: Array) -> None:
    places = _places(labels)
    ticks = []
    for (_, time), column, words in zip(labels.values(), values.T, side.T):
        counts = [f'{(words == word).sum()} {glyph}' for word, (*_, glyph) in _SIDES.items() if word in words]
        ticks.append('\n'.join([time, f'n={np.isfinite(column).sum()}', *counts]))
    axes.set_xticks(places, ticks, fontsize=9.5)
    axes.set_xlim(-0.5, places[-1] + 0.5)
    sessions = [session for session, _ in labels.values()]
    for session in dict.fromkeys(sessions):
        middle = np.mean([at for at, name in zip(places, sessions) if name == session])
        axes.text(
            middle, 1.0, session, transform=axes.get_xaxis_transform(), fontsize=9.5, ha='center', va='bottom'
        )


def _draw_limits(panels: list[Axes], known: pd.DataFrame) -> None:
    """Shade what is beyond the limits of detection, where they are the same for all samples."""
    low, high = panels[0].get_ylim()
    limits = _constant_limits(known)
    low = min(low, limits.get('lower', np.inf) / _PAST)
    if limits.get('upper', np.inf) < high * _PAST:
        high = max(high, limits['upper'] * _PAST)
    bands = {name: (low, limit) if name == 'lower' else (limit, high) for name, limit in limits.items()}
    for axes in panels:
        for name, (start, stop) in bands.items():
            if start < stop:
                axes.axhspan(start, stop, color='#e4e4e4', linewidth=0, zorder=0, label=f'beyond {name}')
                axes.axhline(limits[name], color='black', linewidth=0.9, linestyle='dashdot', zorder=0.5)
    panels[0].set_ylim(low, high)
    for axes in panels:
        logarithmic = LogLocator(subs=(1, 2, 5) if high / low < _WIDE else (1,))
        axes.yaxis.set_major_locator(MaxNLocator(6) if high / low < _NARROW else logarithmic)
        axes.yaxis.set_major_formatter(StrMethodFormatter('{x:g}'))
        axes.yaxis.set_minor_formatter(NullFormatter())


def _note(known: pd.DataFrame) -> str:
    note = 'Thin lines: people, joined within a session. Thick: geometric mean with 95 % CI.'
    if known['censored'].isin(list(_SIDES)).any():
        note += ' ▽\u00a0below, △\u00a0above the limit of detection, drawn and averaged at it.'
    if _constant_limits(known):
        note += ' Grey: beyond the limit of detection.'
    return note
