"""Draw gene expression and mediation as SVG."""

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from ..figures.expression import plot_components, plot_enrichment, plot_ma, plot_volcano
from ..figures.paths import draw_paths
from ..figures.words import plot_words
from ..stats.components import principal_components
from ..stats.design import GENE_SET
from ..stats.expression_contrasts import ExpressionDesign
from ..stats.mediation_design import MediationDesign
from ..terms import SET_METHODS, methods_of_sets
from ._interface import interface
from .tables import read_table
from .trial_figures import save_svg


class _Expression(NamedTuple):
    ma: list[Path]
    volcano: list[Path]
    components: Path


class _Enrichment(NamedTuple):
    enrichment_figures: list[Path]


class _Paths(NamedTuple):
    path_figures: list[Path]


def draw_expression(
    expression_deseq2: Path, vst: Path, expression_samples: Path, design: ExpressionDesign, *, out_dir: Path
) -> _Expression:
    """Draw every gene, and the samples by their components.

    Parameters
    ----------
    expression_deseq2, vst, expression_samples
        Of :func:`~pipelines.interfaces.expression.fit_expression`.
    design
        Contrasts with titles, arms and visits.
    out_dir
        Folder of the figures.

    Returns
    -------
    _Expression
        Two lists in the order of those contrasts whose changes have a sign, and one figure.

    """
    genes, ma, volcano = read_table(expression_deseq2), [], []
    for each in design.with_sign:
        own = genes[genes['contrast'] == each.name]
        ma.append(save_svg(plot_ma(own, title=each.title), out_dir / f'{each.name}_ma.svg'))
        volcano.append(save_svg(plot_volcano(own, title=each.title), out_dir / f'{each.name}_volcano.svg'))
    values = read_table(vst, text=['gene_id']).set_index('gene_id')
    samples = read_table(expression_samples, columns=['sample_id', 'participant_id', 'arm', 'visit'])
    samples = design.in_order(samples[samples['sample_id'].isin(values.columns)])
    found = principal_components(values)
    figure = plot_components(
        found.scores, found.share, samples, title='Samples by their principal components',
        arm_labels={arm: arm for arm in design.arms}, visit_labels=dict(design.visits),
    )  # fmt: skip
    return _Expression(ma, volcano, save_svg(figure, out_dir / 'components.svg'))


DrawExpression = interface(draw_expression)


def draw_enrichment(expression_enrichment: Path, design: ExpressionDesign, *, out_dir: Path) -> _Enrichment:
    """Draw the most enriched sets, of every contrast by both methods.

    Parameters
    ----------
    expression_enrichment
        Of :func:`~pipelines.interfaces.expression.enrich_sets`.
    design
        Contrasts with titles.
    out_dir
        Folder of the figures.

    """
    table, paths = read_table(expression_enrichment), []
    for contrast in design.contrasts:
        for method in methods_of_sets(is_joint=contrast.is_joint):
            own = table[(table['contrast'] == contrast.name) & (table['method'] == method)]
            figure = _enrichment(own, f'{contrast.title}: {SET_METHODS[method].title}')
            paths.append(save_svg(figure, out_dir / f'{contrast.name}_{method}.svg'))
    return _Enrichment(paths)


DrawEnrichment = interface(draw_enrichment, is_brief=True)


def _enrichment(table: pd.DataFrame, title: str) -> Figure:
    if len(table):
        return plot_enrichment(table, title=title)
    return plot_words(
        title, 'No set was tested: no gene was called, or no set has a size between the limits.'
    )


def draw_mediation(
    mediation: Path,
    mediation_models: Path,
    mediation_sensitivity: Path,
    design: MediationDesign,
    *,
    out_dir: Path,
) -> _Paths:
    """Draw the paths of every model, or why it has none.

    Parameters
    ----------
    mediation, mediation_models, mediation_sensitivity
        Of :func:`~pipelines.interfaces.mediation.mediate_outcomes`.
    design
        What outcomes are called.
    out_dir
        Folder of the figures.

    Returns
    -------
    _Paths
        A figure per row of ``mediation_models``.

    """
    paths, curves = read_table(mediation), read_table(mediation_sensitivity)
    drawn = [
        save_svg(_paths(model, paths, curves, design), out_dir / f'{model["label"]}.svg')
        for model in read_table(mediation_models).to_dict('records')
    ]
    return _Paths(drawn)


DrawMediation = interface(draw_mediation, is_brief=True)


def _paths(
    model: dict[str, Any], paths: pd.DataFrame, curves: pd.DataFrame, design: MediationDesign
) -> Figure:
    own = _of_model(paths, model)
    title = f'{model["analysis"]}, {model["arm"]}' if len(design.treated) > 1 else model['analysis']
    if not len(own):
        return plot_words(title, str(model['note']))
    mediators = list(dict.fromkeys(own.loc[own['path'] == 'a', 'mediator']))
    if model['structure'] == 'serial' and len(mediators) > 2:
        return plot_words(title, 'More than two mediators in series are not drawn; see mediation.tsv.')
    curve, titles = _of_model(curves, model), design.titles
    names = {name: titles.get(name, name.removeprefix(GENE_SET).replace('_', ' ')) for name in mediators}
    return draw_paths(
        own, treatment=model['arm'], outcome=titles.get(model['outcome'], model['outcome']), names=names,
        curve=(curve['rho'].to_numpy(), curve['indirect'].to_numpy()) if len(curve) else None,
        notes=_notes(model),
    )  # fmt: skip


def _of_model(table: pd.DataFrame, model: dict[str, Any]) -> pd.DataFrame:
    return table[(table['analysis'] == model['analysis']) & (table['arm'] == model['arm'])]


def _notes(model: dict[str, Any]) -> list[str]:
    """Return when mediators and outcome were measured where that differs, and what effects on a risk are in."""
    found = []
    if model['time_order'] in ('before', 'partly'):
        visits = dict.fromkeys(str(model['mediator_visits']).split(';'))
        several = 's' if ';' in str(model['mediators']) else ''
        found.append(f'mediator{several} at {" and ".join(visits)}, outcome at {model["outcome_visit"]}')
    if model['kind'] == 'binary':
        found.append('mediator on outcome in log odds; effects are differences in risk')
    return found
