"""Charts of the participant report: the carpet of a run and the matrix of its regions."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

Array = NDArray[Any]

CARPET_TISSUES = ('grey matter', 'GM', 'deep grey matter', 'white matter', 'WM', 'CSF')
"""Order of the tissues in the carpet, from the top; others follow."""

_NAME_GAP = 0.075  # of a carpet's height
_ROOMY = 10  # rows of a matrix that fit a usual page
_LEFT_OUT = '#F5C26B'  # light in grey print, unlike the mid grey of a carpet


def draw_carpet(
    before: Array,
    after: Array,
    tissue: Array,
    *,
    kept: Array,
    fd: Array,
    dvars: Array,
    t_r: float,
    fd_threshold: float = 0.0,
) -> Figure:
    r"""Draw head motion, DVARS and the voxels' series before and after denoising.

    Parameters
    ----------
    before, after
        (n_voxels, n_volumes) series; ``after`` may hold the kept volumes only.
    tissue
        (n_voxels,) name of each voxel's tissue.
    kept
        (n_volumes,) False where a volume was left out.
    fd
        (n_volumes,) framewise displacement in mm, the first may be NaN.
    dvars
        (n_volumes,) DVARS in any unit, the first may be NaN.
    t_r
        Repetition time in s.
    fd_threshold
        Displacement above which volumes are left out, in mm (0 = no line).

    Raises
    ------
    ValueError
        If the series have neither as many volumes as ``kept`` nor as many as are kept.

    Notes
    -----
    Each carpet shows :math:`(y - \bar y) / s` with :math:`s` the standard deviation of the voxel's
    kept volumes before denoising, from -2 (black) to 2 (white), so that the second is as pale as
    denoising removed; Power 2017 [1]_ shows percent of the mean signal instead.

    References
    ----------
    .. [1] Power JD. A simple but useful way to assess fMRI scan qualities. NeuroImage
       2017;154:150-158.

    """
    kept = np.asarray(kept, dtype=bool)
    order = np.argsort(
        [CARPET_TISSUES.index(t) if t in CARPET_TISSUES else len(CARPET_TISSUES) for t in tissue],
        kind='stable',
    )
    end = len(kept) * t_r
    figure = Figure(figsize=(9.5, 7.6), dpi=130, facecolor='white')
    grid = figure.add_gridspec(
        4, 1, height_ratios=(1, 1, 3, 3), left=0.14, right=0.985, top=0.965, bottom=0.065, hspace=0.3
    )
    for row, (values, name) in enumerate(((fd, 'FD (mm)'), (dvars, 'DVARS'))):
        axes = figure.add_subplot(grid[row])
        _draw_trace(axes, np.asarray(values, dtype=float), name, t_r, kept)
        if row == 0 and fd_threshold:
            axes.axhline(fd_threshold, color='black', linestyle='dashed', linewidth=0.8)
    spread = _all_volumes(before, kept)[order][:, kept].std(axis=1, keepdims=True)
    for row, (values, name) in enumerate(((before, 'before denoising'), (after, 'after denoising')), 2):
        axes = figure.add_subplot(grid[row])
        _draw_series(axes, _all_volumes(values, kept)[order], spread, kept, end)
        axes.set_title(name, fontsize=10, loc='left', pad=3)
        _mark_tissues(axes, np.asarray(tissue)[order])
        if row == 2:
            axes.tick_params(labelbottom=False)
    axes.set_xlabel('time (s)', fontsize=9)
    return figure


def _all_volumes(series: Array, kept: Array) -> Array:
    """Return the series with NaN for volumes that it does not hold."""
    series = np.asarray(series, dtype=np.float32)
    if series.shape[1] == len(kept):
        return series
    if series.shape[1] != kept.sum():
        raise ValueError(
            f'the carpet has {series.shape[1]} volumes; {len(kept)} or the {kept.sum()} kept are needed'
        )
    full = np.full((len(series), len(kept)), np.nan, dtype=np.float32)
    full[:, kept] = series
    return full


def _draw_trace(axes: Axes, values: Array, name: str, t_r: float, kept: Array) -> None:
    time = (np.arange(len(values)) + 0.5) * t_r
    axes.plot(time, values, color='black', linewidth=0.9)
    top = np.nanmax(values, initial=0) * 1.15 or 1.0
    axes.set(xlim=(0, len(values) * t_r), ylim=(0, top))
    for at in time[~kept]:
        axes.axvspan(at - t_r / 2, at + t_r / 2, color=_LEFT_OUT, linewidth=0)
    axes.set_ylabel(name, fontsize=9)
    axes.tick_params(labelsize=8, labelbottom=False)
    axes.spines[['top', 'right']].set_visible(False)


def _draw_series(axes: Axes, series: Array, spread: Array, kept: Array, end: float) -> None:
    centred = series - series[:, kept].mean(axis=1, keepdims=True)
    standard = centred / np.where(spread > 0, spread, 1)
    picture = np.repeat(np.clip(standard[..., None] / 4 + 0.5, 0, 1), 3, axis=2)
    picture[:, ~kept] = to_rgb(_LEFT_OUT)
    axes.imshow(picture, aspect='auto', extent=(0, end, len(series), 0), interpolation='nearest')
    axes.tick_params(labelsize=8)


def _mark_tissues(axes: Axes, tissue: Array) -> None:
    borders = [0, *(np.flatnonzero(tissue[1:] != tissue[:-1]) + 1), len(tissue)]
    for _, stop in pairwise(borders):
        axes.axhline(stop, color='black', linewidth=1)
    middles = np.array([(a + b) / 2 for a, b in pairwise(borders)])
    # names of thin strips are pushed apart, downwards from the top and then up from the bottom
    gap, last = _NAME_GAP * len(tissue), len(middles) - 1
    for number in range(1, last + 1):
        middles[number] = max(middles[number], middles[number - 1] + gap)
    middles[last] = min(middles[last], len(tissue))
    for number in range(last - 1, -1, -1):
        middles[number] = min(middles[number], middles[number + 1] - gap)
    axes.set_yticks(middles, [str(tissue[a]) for a in borders[:-1]], fontsize=8)
    axes.tick_params(axis='y', length=0)


def draw_relmat(
    z: Array, labels: list[str], groups: Sequence[str], *, primary: Sequence[tuple[str, str]] = ()
) -> Figure:
    """Draw a matrix of Fisher z with its numbers; primary pairs have a heavy frame.

    Parameters
    ----------
    z
        (n, n) Fisher z; the diagonal is not shown.  NaN is shown as n/a.
    labels
        Names of the regions.
    groups
        The structure of each.  Both sides together contain either, and such a pair is hatched, because its value is
        high by construction.
    primary
        Pairs that are framed.

    """
    n = len(labels)
    shown = np.array(z, dtype=float)
    whole = [label == group for label, group in zip(labels, groups)]
    hidden = np.array([[g == h and (a or b) for h, b in zip(groups, whole)] for g, a in zip(groups, whole)])
    # beyond 1 (r = 0.76) the numbers say more than a colour that would pale all others
    limit = float(np.clip(np.nanmax(np.abs(np.where(hidden, np.nan, shown)), initial=0), 0.3, 1))
    scale = max(1.0, n / _ROOMY)
    figure = Figure(figsize=(6.4 * scale, 5.4 * scale), dpi=130, facecolor='white')
    axes = figure.add_axes((0.13, 0.1, 0.7, 0.86))
    colours = axes.imshow(np.where(hidden, np.nan, shown), cmap='RdBu_r', vmin=-limit, vmax=limit)
    for row, column in np.ndindex(n, n):
        if row == column:
            continue
        value = shown[row, column]
        if hidden[row, column]:
            box = Rectangle(
                (column - 0.5, row - 0.5), 1, 1, facecolor='#eeeeee', hatch='///', edgecolor='#bbbbbb', lw=0
            )
            axes.add_patch(box)
        dark = not hidden[row, column] and abs(value) > 0.6 * limit
        text = f'{value:.2f}'.replace('-', '\u2212') if np.isfinite(value) else 'n/a'
        colour, size = 'white' if dark else 'black', 11 if n <= _ROOMY else 8
        axes.text(column, row, text, ha='center', va='center', color=colour, fontsize=size)
    for pair in primary:
        _frame(axes, labels, pair)
    slant: dict[str, Any] = {'rotation': 45, 'ha': 'right'} if n > _ROOMY else {}
    axes.set_xticks(range(n), labels, fontsize=10, **slant)
    axes.set_yticks(range(n), labels, fontsize=10)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(colours, cax=figure.add_axes((0.86, 0.1, 0.03, 0.86))).set_label('Fisher z', fontsize=10)
    return figure


def _frame(axes: Axes, labels: list[str], pair: tuple[str, str]) -> None:
    if not set(pair) <= set(labels):
        return
    a, b = (labels.index(name) for name in pair)
    for row, column in ((a, b), (b, a)):
        axes.add_patch(
            Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor='black', lw=3, clip_on=False)
        )
