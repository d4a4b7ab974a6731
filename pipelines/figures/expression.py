"""Figures of gene expression: genes by level and by evidence, samples by likeness, enriched sets."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from ..errors import DataError
from .montage import ORANGE
from .tracts import PURPLE
from .trial import FAINT, PAPER, WIDTH, looks_of, need_columns, need_labels, write

Array = NDArray[Any]

LEVEL = 0.1
"""False discovery rate below which a gene or set is marked."""

_ENDS = ((1, 'higher', PURPLE, '^'), (-1, 'lower', ORANGE, 'v'))
_QUIET: dict[str, Any] = {'color': '#b4b4b4', 's': 3, 'linewidths': 0, 'rasterized': True}
_BEYOND, _BEYOND_CALLED = 0.999, 0.95  # shares that the scale has room for; others are hollow at its end
_NAMED = 6  # genes with their name
_HEAD, _TAIL = 30, 12  # letters of the name of a set; names tend to end in a number
_ABOVE: dict[str, Any] = {
    'loc': 'lower left', 'bbox_to_anchor': (0, 1), 'ncols': 2, 'fontsize': 9, 'frameon': False,
}  # fmt: skip


def plot_ma(table: pd.DataFrame, *, title: str, shrunken: bool = True) -> Figure:
    """Draw the change of every gene against its level.

    Parameters
    ----------
    table
        Genes of one contrast: ``gene_id baseMean log2FoldChange log2FoldChange_shrunk pvalue padj``.
    title
        The contrast.
    shrunken
        Draw the moderated fold changes.

    Raises
    ------
    DataError
        No row, or a column is absent.

    """
    column = 'log2FoldChange_shrunk' if shrunken else 'log2FoldChange'
    need_columns(table, ['gene_id', 'baseMean', column, 'pvalue', 'padj'])
    figure, axes = _paper()
    axes.set_xscale('log')
    mean = table['baseMean'].to_numpy(float)
    axes.set_xlim(0.7 * np.nanmin(mean), 1.4 * np.nanmax(mean))
    change = table[column].to_numpy(float)
    limit = _room(change, table['padj'])
    axes.set_ylim(-limit, limit)
    axes.axhline(0, color='black', linewidth=0.8)
    _draw_genes(axes, table, mean, change, change)
    axes.set_xlabel('mean of normalised counts', fontsize=11)
    axes.set_ylabel(('shrunken ' if shrunken else '') + 'log$_2$ fold change', fontsize=11)
    write(figure, title, _note(table))
    return figure


def plot_volcano(table: pd.DataFrame, *, title: str) -> Figure:
    """Draw the evidence for every gene against its change.

    Parameters
    ----------
    table, title
        As for :func:`plot_ma`.

    Raises
    ------
    DataError
        No row, or a column is absent.

    Notes
    -----
    A p value below the smallest positive number is drawn at the top.

    """
    need_columns(table, ['gene_id', 'log2FoldChange', 'pvalue', 'padj'])
    figure, axes = _paper()
    change = table['log2FoldChange'].to_numpy(float)
    evidence = -np.log10(np.maximum(table['pvalue'].to_numpy(float), np.finfo(float).tiny))
    limit = _room(change, table['padj'])
    axes.set_xlim(-limit, limit)
    axes.set_ylim(0, 1.1 * max(np.nanmax(evidence, initial=0), 1))
    axes.axvline(0, color='black', linewidth=0.8)
    _draw_genes(axes, table, change, evidence, change)
    axes.set_xlabel('log$_2$ fold change', fontsize=11)
    axes.set_ylabel('$-$log$_{10}$ p', fontsize=11)
    write(figure, title, _note(table))
    return figure


def plot_components(
    scores: pd.DataFrame,
    share: Array,
    samples: pd.DataFrame,
    *,
    title: str,
    arm_labels: Mapping[str, str],
    visit_labels: Mapping[str, str],
) -> Figure:
    """Draw samples by their first two principal components, the two of a person joined.

    Parameters
    ----------
    scores
        Samples x components, such as of :func:`pipelines.stats.components.principal_components`.
    share
        (components,) of the variance, 0 to 1.
    samples
        ``sample_id participant_id arm visit``.
    title
        What the samples are.
    arm_labels
        Label of each value of ``arm``: treatment, control.
    visit_labels
        Label of each value of ``visit``: the first is drawn hollow, the last filled, others in a tint.

    Raises
    ------
    DataError
        A column is absent, an arm or visit has no label, a sample has no components, or there is only one
        component.

    """
    need_columns(samples, ['sample_id', 'participant_id', 'arm', 'visit'])
    need_labels(samples, {'arm': arm_labels, 'visit': visit_labels})
    if scores.shape[1] < 2:
        raise DataError(
            'one principal component is no plane; two samples at least must differ. Leave it out.'
        )
    if lost := sorted(set(samples['sample_id']) - set(scores.index)):
        raise DataError(f'sample {", ".join(lost[:5])} has no components; give those of the same samples')
    figure, axes = _paper()
    at = scores.loc[samples['sample_id']].to_numpy()[:, :2]
    joined = [at[rows] for rows in samples.groupby('participant_id').indices.values() if len(rows) > 1]
    axes.add_collection(LineCollection(joined, zorder=1, **FAINT))
    for (arm, arm_label), (colour, _, mark) in zip(arm_labels.items(), looks_of(arm_labels).values()):
        for number, (visit, visit_label) in enumerate(visit_labels.items()):
            # white at the first visit, the arm's colour at the last, a tint between
            tint = number / max(len(visit_labels) - 1, 1)
            rows = ((samples['arm'] == arm) & (samples['visit'] == visit)).to_numpy()
            if rows.any():
                label = f'{arm_label}, {visit_label}, n = {rows.sum()}'
                face = tuple(1 - tint * (1 - part) for part in to_rgb(colour))
                axes.plot(*at[rows].T, mark, mfc=face, mec=colour, mew=1.3, ms=6, label=label)
    names = [f'PC{number} ({100 * part:.0f} % of variance)' for number, part in enumerate(share[:2], 1)]
    axes.set_xlabel(names[0], fontsize=11)
    axes.set_ylabel(names[1], fontsize=11)
    axes.margins(0.06)
    axes.legend(**_ABOVE)
    write(figure, title, 'A line joins the samples of a person. Variance of the genes that vary most.')
    return figure


def plot_enrichment(table: pd.DataFrame, *, title: str, n_sets: int = 15) -> Figure:
    """Draw the sets with the smallest p values.

    Parameters
    ----------
    table
        Sets of one method: ``set size nes p padj``; without ``nes`` (over-representation) the evidence is
        drawn instead.
    title
        Contrast and method.
    n_sets
        Sets at most.

    Raises
    ------
    DataError
        No row, or a column is absent.

    """
    need_columns(table, ['set', 'size', 'nes', 'p', 'padj'])
    shown = table.sort_values('p', kind='stable').head(n_sets)
    is_score = shown['nes'].notna().any()
    evidence = -np.log10(np.maximum(shown['p'].to_numpy(float), np.finfo(float).tiny))
    value = shown['nes'].to_numpy(float) if is_score else evidence
    shown = shown.iloc[np.argsort(value, kind='stable')]
    value = np.sort(value)
    figure = Figure(figsize=(WIDTH, 1.7 + 0.3 * len(shown)), layout='constrained', **PAPER)
    axes = figure.add_subplot()
    places = np.arange(len(shown))
    axes.hlines(places, 0, value, color='#999999', linewidth=1)
    called = shown['padj'].to_numpy(float) < LEVEL
    area = 20 + 0.6 * np.minimum(shown['size'].to_numpy(float), 500)
    for is_called, face in ((True, PURPLE), (False, 'white')):
        rows = called == is_called
        axes.scatter(
            value[rows], places[rows], s=area[rows], c=face, edgecolors=PURPLE, zorder=3, clip_on=False
        )
    names = [_short(str(name)) for name in shown['set']]
    axes.set_yticks(places, [f'{name} ({size})' for name, size in zip(names, shown['size'])], fontsize=9)
    axes.axvline(0, color='black', linewidth=0.8)
    axes.set_ylim(-0.7, len(shown) - 0.3)
    axes.set_xlabel('normalised enrichment score' if is_score else '$-$log$_{10}$ p', fontsize=11)
    _plain(axes)
    note = f'Filled: false discovery rate below {100 * LEVEL:g} %. In brackets, and as area: genes measured.'
    write(figure, title, note + f' {len(shown)} of {len(table)} sets.')
    return figure


def _paper() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, 5.0), layout='constrained', **PAPER)
    axes = figure.add_subplot()
    _plain(axes)
    return figure, axes


def _plain(axes: Axes) -> None:
    axes.tick_params(labelsize=10)
    axes.spines[['top', 'right']].set_visible(False)


def _short(name: str) -> str:
    return name if len(name) <= _HEAD + _TAIL + 3 else f'{name[:_HEAD].rstrip()} … {name[-_TAIL:].lstrip()}'


def _room(change: Array, padj: pd.Series) -> float:
    """Return how far the scale reaches on both sides: for nearly all genes, and most of the called."""
    size = np.abs(change)
    groups = ((np.isfinite(size), _BEYOND), (np.isfinite(size) & (padj < LEVEL).to_numpy(), _BEYOND_CALLED))
    found = [np.quantile(size[rows], share, method='lower') for rows, share in groups if rows.any()]
    return 1.08 * float(max(found, default=0)) or 1.0


def _draw_genes(axes: Axes, table: pd.DataFrame, x: Array, y: Array, change: Array) -> None:
    """Draw genes at (x, y): grey, or an arrow head where called; those off the scale hollow at its end."""
    inside_x, inside_y = np.clip(x, *axes.get_xlim()), np.clip(y, *axes.get_ylim())
    is_off = (inside_x != x) | (inside_y != y)
    called = table['padj'].to_numpy(float) < LEVEL
    quiet = ~called & np.isfinite(x) & np.isfinite(y)
    axes.scatter(inside_x[quiet], inside_y[quiet], **_QUIET)
    for sign, word, colour, mark in _ENDS:
        rows = called & (np.sign(change) == sign)
        face = np.where(is_off[rows], 'white', colour)
        axes.scatter(
            inside_x[rows], inside_y[rows], s=16, marker=mark, c=face, edgecolors=colour, linewidths=0.8,
            zorder=3, rasterized=True, clip_on=False,
        )  # fmt: skip
        axes.plot([], [], mark, color=colour, label=f'{word}: {rows.sum()}')
    axes.legend(**_ABOVE)
    _name_genes(axes, table, inside_x, inside_y, called)


def _name_genes(axes: Axes, table: pd.DataFrame, x: Array, y: Array, called: Array) -> None:
    """Write the names of the called genes with the smallest p values, to the side with more room."""
    order = np.argsort(table['pvalue'].to_numpy(float), kind='stable')
    taken: list[Array] = []
    for row in order[called[order]][: 3 * _NAMED]:
        at = axes.transAxes.inverted().transform(axes.transData.transform((x[row], y[row])))
        if len(taken) == _NAMED:
            break
        # a name is some 0.04 of the height, and 0.2 of the width
        if any(abs(at[1] - other[1]) < 0.045 and abs(at[0] - other[0]) < 0.25 for other in taken):
            continue
        taken.append(at)
        left = at[0] > 0.75
        axes.annotate(
            str(table['gene_id'].iloc[row]), (x[row], y[row]), xytext=(-5 if left else 5, 0),
            textcoords='offset points', ha='right' if left else 'left', va='center', fontsize=8, zorder=4,
            path_effects=[withStroke(linewidth=2.5, foreground='white')],
        )  # fmt: skip


def _note(table: pd.DataFrame) -> str:
    tested = int(table['padj'].notna().sum())
    return (
        f'Marked: false discovery rate below {100 * LEVEL:g} %, of {tested} genes tested. Grey: the others. '
        'Hollow: beyond the scale.'
    )
