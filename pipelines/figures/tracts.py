"""Figures of the diffusion analysis: colour FA, the tract on the brain, its charts, head motion."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from .montage import BLUE, ORANGE, Montage, Outline, Overlay, draw_montage

Array = NDArray[Any]

PURPLE = '#A0409C'
"""Darker in grey print than ``ORANGE``, and told from it by people with any colour vision."""

SIDE_LOOKS: dict[str, tuple[str, str, Literal['solid', 'dashed', 'dotted']]] = {
    'L': ('left', ORANGE, 'solid'),
    'R': ('right', PURPLE, 'dashed'),
    'C': ('across', BLUE, 'dotted'),
    'n/a': ('midline', BLUE, 'dotted'),
    'B': ('both', '#444444', 'solid'),
}
"""Word, colour and dash of each side; dashes tell the sides apart without colour."""

_MAPS = {'L': 'YlOrBr_r', 'R': 'RdPu_r', 'C': 'GnBu_r', 'n/a': 'GnBu_r'}
_DIRECTIONS = (('left–right', '#FF5555'), ('front–back', '#55DD55'), ('up–down', '#8899FF'))
_DASHES: tuple[Any, ...] = ('solid', 'dashed', 'dotted', 'dashdot', (0, (8, 2, 1, 2, 1, 2)))
_MARKS = {'L': 'o', 'R': 's', 'C': '^', 'n/a': '^'}
_LINE = 0.1  # visitation that is outlined
_WIDE_RANGE = 20.0  # thresholds that span more than this ratio are spaced by their logarithm
_PAPER: dict[str, Any] = {'dpi': 130, 'facecolor': 'white'}
_MARGINS = {'left': 0.09, 'right': 0.985, 'top': 0.95, 'bottom': 0.08}
_ABOVE: dict[str, Any] = {'bbox_to_anchor': (1, 0.98), 'borderaxespad': 0}
_AXES: dict[str, tuple[str, Any]] = {
    'x': ('#000000', 'solid'),
    'y': ('#D55E00', 'dashed'),
    'z': ('#0072B2', 'dotted'),
}


class Curve(NamedTuple):
    """One line of a chart: a measure of one session (empty: the only one) and side (``L R C n/a``).

    ``x``, ``y`` and ``spread`` are (n,), the last the standard deviation of ``y``.
    """

    session: str
    hemi: str
    x: Array
    y: Array
    spread: Array | None = None


def colour_fa(fa: Array, evec: Array) -> Array:
    r"""Return the direction of diffusion as colour, as bright as it is anisotropic.

    Parameters
    ----------
    fa
        (...,) fractional anisotropy, cut to 0..1.
    evec
        (..., 3) principal eigenvector, RAS, unit length; its sign has no meaning.

    Returns
    -------
    Array
        (..., 3) red :math:`FA\,|e_x|`, green :math:`FA\,|e_y|`, blue :math:`FA\,|e_z|`, 0 to 1 [1]_.

    References
    ----------
    .. [1] Pajevic S, Pierpaoli C. Color schemes to represent the orientation of anisotropic tissues
       from diffusion tensor data. Magnetic Resonance in Medicine 1999;42:526-540.

    Examples
    --------
    A fibre from right to left is red, whichever way its vector points:

    >>> colour_fa(np.array([0.5, 0.5]), np.array([[1.0, 0, 0], [-1, 0, 0]])).tolist()
    [[0.5, 0.0, 0.0], [0.5, 0.0, 0.0]]

    """
    rgb = np.clip(np.nan_to_num(fa), 0, 1)[..., None] * np.abs(np.nan_to_num(evec))
    return np.clip(rgb, 0, 1)


def draw_colour_fa(place: Montage, rgb: Array, mask: Array) -> Figure:
    """Draw the direction of diffusion in colour.

    Parameters
    ----------
    place
        Where the pixels lie.
    rgb
        (height, width, 3) colours, 0 to 1, see :func:`colour_fa`.
    mask
        (height, width) brain mask, above 0.5 inside.

    """
    outline = Outline(mask, '#aaaaaa', 'brain mask', 'dotted', 0.6)
    figure = draw_montage(place, np.zeros(mask.shape), outlines=[outline])
    # white matter of FA 0.7 is fully bright: few voxels are beyond
    figure.axes[0].imshow(np.clip(rgb / 0.7, 0, 1), interpolation='bilinear')
    right = 0.995
    for word, colour in reversed(_DIRECTIONS):
        figure.text(right, 0.995, word, color=colour, fontsize=9, weight='bold', ha='right', va='top')
        right -= 0.09
    return figure


def draw_tract(
    place: Montage,
    background: Array,
    visits: Mapping[str, Array],
    *,
    regions: list[Outline],
    counts: dict[str, str] | None = None,
) -> Figure:
    """Draw how many streamlines visit each place, each side in its own colour.

    Parameters
    ----------
    place
        Where the pixels lie.
    background
        (height, width) grey values, >= 0.
    visits
        For the sides, as ``L`` and ``R``, the (height, width) share of streamlines, 0 to 1.
    regions
        Outlines of the regions that the tract joins.
    counts
        Number of streamlines of each side, in words.

    Notes
    -----
    The line around a side is at a visitation of 0.1; the fill grows fainter towards 0 and its scale
    ends at the largest visitation of either side, at least 0.1.

    """
    top = max(_LINE, *(float(np.nan_to_num(values).max(initial=0)) for values in visits.values()))
    outlines, overlays = list(regions), []
    for hemi, values in visits.items():
        word, colour, dash = SIDE_LOOKS[hemi]
        number = (counts or {}).get(hemi, '')
        unit = f'{word}, {number} streamlines: share' if number else f'{word}: share'
        # an outline is drawn where its canvas is 0.5
        outlines.append(Outline(values / _LINE / 2, colour, '', dash, 1.2))
        overlays.append(Overlay(values, (0.0, top), _MAPS[hemi], unit))
    return draw_montage(place, background, outlines=outlines, overlays=overlays[::-1])


def draw_profile(
    curves: list[Curve],
    *,
    sides: Sequence[str] = ('L', 'R'),
    ends: tuple[str, str] = ('NAc', 'mPFC'),
    name: str = 'FA',
) -> Figure:
    """Draw a measure along the tract, a panel for each side, a dash for each session.

    Parameters
    ----------
    curves
        ``x`` are the nodes from one region to the other, ``y`` the measure, ``spread`` its standard deviation over
        streamlines, shown as a band.
    sides
        Where the tract lies.
    ends
        The regions that it joins.
    name
        Measure and unit.

    """
    figure = Figure(figsize=(9.5, 4.0), **_PAPER)
    shared: Any = None
    for number, hemi in enumerate(sides, 1):
        word, colour, _ = SIDE_LOOKS[hemi]
        axes = shared = figure.add_subplot(1, len(sides), number, sharex=shared, sharey=shared)
        for session, curve in _of_side(curves, hemi):
            label, look = curve.session or f'tract {word}', {'color': colour, 'linestyle': _DASHES[session]}
            axes.plot(curve.x, curve.y, label=label, linewidth=1.6, **look)
            if curve.spread is not None:
                band = curve.y - curve.spread, curve.y + curve.spread
                axes.fill_between(curve.x, *band, color=colour, alpha=0.16, linewidth=0)
        _finish(
            axes, word.capitalize(), f'from {ends[0]} (1) to {ends[1]} (100)', name if number == 1 else ''
        )
    figure.tight_layout()
    return figure


def draw_threshold(
    curves: list[Curve], volumes: list[Curve], *, sides: Sequence[str] = ('L', 'R'), name: str = 'FA'
) -> Figure:
    """Draw a measure, and the volume that it comes from, against the visitation threshold.

    Parameters
    ----------
    curves
        ``x`` thresholds of visitation (0 to 1), ``y`` mean of the measure where it is reached.
    volumes
        The same with ``y`` the volume in mm^3.
    sides
        Where the tract lies.
    name
        Measure and unit.

    """
    figure = Figure(figsize=(9.5, 4.0), **_PAPER)
    every = np.concatenate([curve.x for curve in curves] or [np.ones(1)])
    wide = every.size and every.min() > 0 and every.max() > _WIDE_RANGE * every.min()
    for number, (shown, title) in enumerate(((curves, name), (volumes, 'volume (mm³)')), 1):
        axes = figure.add_subplot(1, 2, number)
        for hemi in sides:
            word, colour, _ = SIDE_LOOKS[hemi]
            for session, curve in _of_side(shown, hemi):
                look = {'color': colour, 'linestyle': _DASHES[session], 'marker': _MARKS[hemi]}
                label = ', '.join(part for part in (word, curve.session) if part)
                axes.plot(curve.x, curve.y, label=label, markersize=3.5, linewidth=1.4, **look)
        axes.set_xscale('log' if wide else 'linear')
        axes.xaxis.set_major_formatter('{x:g}')
        if number == 2:
            axes.set_ylim(bottom=0)
        _finish(axes, '', 'visited by at least this share of streamlines', title)
    figure.tight_layout()
    return figure


def _of_side(curves: list[Curve], hemi: str) -> list[tuple[int, Curve]]:
    """Return the curves of one side, each with the number of its session."""
    sessions = list(dict.fromkeys(curve.session for curve in curves))
    return [(sessions.index(curve.session) % len(_DASHES), curve) for curve in curves if curve.hemi == hemi]


def _finish(axes: Axes, title: str, across: str, up: str) -> None:
    axes.set_title(title, fontsize=11, loc='left')
    axes.set_xlabel(across, fontsize=10)
    axes.set_ylabel(up, fontsize=10)
    axes.tick_params(labelsize=9)
    axes.grid(color='#dddddd', linewidth=0.6)
    axes.spines[['top', 'right']].set_visible(False)
    if axes.lines:
        axes.legend(frameon=False, fontsize=9, handlelength=3.2)
    else:
        axes.text(0.5, 0.5, 'n/a', transform=axes.transAxes, ha='center', va='center', fontsize=14)


def draw_motion(shifts: Array, turns: Array, fd: Array, b_values: Array) -> Figure:
    """Draw head motion by volume above the diffusion weighting.

    Parameters
    ----------
    shifts, turns
        (n_volumes, 3) translations in mm and rotations in degrees about x, y and z.
    fd
        (n_volumes,) framewise displacement in mm, the first may be NaN.
    b_values
        (n_volumes,) s/mm^2.

    """
    figure = Figure(figsize=(9.5, 6.2), **_PAPER)
    grid = figure.add_gridspec(4, 1, height_ratios=(2, 2, 2, 1), hspace=0.22, **_MARGINS)
    volumes = np.arange(1, len(fd) + 1)
    panels = [figure.add_subplot(grid[row]) for row in range(4)]
    for axes, values in zip(panels, (shifts, turns)):
        for column, (colour, dash) in zip(values.T, _AXES.values()):
            axes.plot(volumes, column, color=colour, linestyle=dash, linewidth=1.3)
    panels[2].plot(volumes, fd, color='black', linewidth=1.0, marker='.', markersize=4)
    panels[2].set_ylim(0, np.nanmax(fd, initial=0) * 1.15 or 1.0)
    panels[3].step(volumes, b_values, where='mid', color='black', linewidth=1.3)
    names = ('shift (mm)', 'turn (°)', 'FD (mm)', 'b (s/mm²)')
    for axes, name in zip(panels, names):
        axes.set_ylabel(name, fontsize=9)
        axes.tick_params(labelsize=8, labelbottom=axes is panels[3])
        axes.set_xlim(0.5, len(fd) + 0.5)
        axes.spines[['top', 'right']].set_visible(False)
    panels[3].set_xlabel('volume', fontsize=9)
    lines = [Line2D([], [], color=c, linestyle=d, label=axis) for axis, (c, d) in _AXES.items()]
    panels[0].legend(handles=lines, ncols=3, frameon=False, fontsize=9, loc='lower right', **_ABOVE)
    return figure
