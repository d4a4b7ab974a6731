"""The table of the files of gene expression and mediation."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pipelines.stats.expression_contrasts import ExpressionContrast
from pipelines.terms import (
    EXPRESSION_CONTRASTS,
    FLAGS,
    KINDS,
    PATH_SCALES,
    PATHS,
    SET_METHODS,
    STRUCTURES_OF_MEDIATORS,
    TIME_ORDERS,
    methods_of_sets,
)

from .group import figure_row, levels, of_table, table_row
from .plan import Planned
from .rows import Derivative

_CONTRAST = {
    'Description': 'what was compared; with several arms or visits their labels stand behind the words below',
    'Levels': levels(EXPRESSION_CONTRASTS),
}
_FLAGS = {'Description': 'what limits the result'}
_GENES = {
    'contrast': _CONTRAST,
    'gene_id': {'Description': 'name in the table of counts'},
    'baseMean': {'Description': 'mean of the counts over size factors'},
    'log2FoldChange': {'Description': 'estimate; n/a: several changes at once', 'Units': 'log2'},
    'lfcSE': {'Description': 'its standard error', 'Units': 'log2'},
    'stat': {'Description': 'Wald statistic of DESeq2, for comparison'},
    'F': {'Description': 'quasi-likelihood F'},
    'df': {'Description': 'its degrees of freedom: the number of changes, or differences, tested at once'},
    'df_residual': {'Description': 'its degrees of freedom below: residual and prior ones of the gene'},
    'pvalue': {'Description': 'p value of F'},
    'padj': {'Description': 'false discovery rate within the contrast (Benjamini and Hochberg)'},
    'log2FoldChange_shrunk': {'Description': 'moderated estimate, for display', 'Units': 'log2'},
    'flags': _FLAGS,
}
_CONTRASTS = {
    'contrast': _CONTRAST,
    'title': {'Description': 'in words'},
    'is_joint': {'Description': 'whether several changes are tested at once, which have no sign'},
    'df': _GENES['df'],
    'df_residual': {'Description': 'degrees of freedom below, of the gene with the smallest p value'},
    'df_prior': {
        'Description': 'median over genes of the degrees of freedom that the trend of quasi-dispersions is worth'
    },
    'n_genes': {'Description': 'genes tested'},
    'n_called': {'Description': 'genes with a false discovery rate below 10 %'},
    'f_needed': {
        'Description': 'F that the best gene alone would need to be called: p = 0.1 / genes tested, at its degrees of freedom'
    },
    'f_largest': {'Description': 'largest F seen'},
    'gene_id': {'Description': 'gene of the largest F'},
    'flags': _FLAGS,
}
_SAMPLES = {
    'sample_id': {'Description': 'name in the table of samples'},
    'visit': {'Description': 'reference is the first sample, followup the last'},
    'counts_column': {'Description': 'name in the table of counts'},
    'size_factor': {'Description': 'sequencing depth relative to the others'},
    'status': {'Description': 'whether it entered', 'Levels': {'analysed': 'yes', 'excluded': 'no'}},
    'reason': {'Description': 'why not'},
}
_DISPERSIONS = {
    'gene_id': _GENES['gene_id'],
    'gene_wise': {'Description': 'dispersion from the gene alone'},
    'trend': {'Description': 'of genes of this mean'},
    'final': {'Description': 'that the model used'},
}
_SETS = {
    'contrast': _CONTRAST,
    'method': {
        'Description': 'test',
        'Levels': levels(SET_METHODS),
    },
    'set': {'Description': 'name in the file of gene sets'},
    'size': {'Description': 'genes of the set that were tested'},
    'es': {'Description': 'enrichment score, -1 to 1'},
    'nes': {'Description': 'enrichment score over its mean by chance'},
    'p': {'Description': 'p value'},
    'padj': {'Description': 'false discovery rate within contrast and method'},
    'leading_edge': {'Description': 'genes that carry the result'},
}
_SET_LIST = {
    'set': _SETS['set'],
    'n_genes': {'Description': 'genes in the file'},
    'size': {'Description': 'of them measured'},
    'status': _SAMPLES['status'],
    'reason': _SAMPLES['reason'],
}
_SCORES = {
    'sample_id': _SAMPLES['sample_id'],
    'visit': _SAMPLES['visit'],
    'method': {
        'Description': 'how the columns behind it were computed, a set each',
        'Levels': {
            'zscore': 'mean z of the genes times the root of their number; that of mediation',
            'ssgsea': 'single-sample enrichment',
            'gsva': 'gene set variation',
        },
    },
}
_LATE = FLAGS['reference_post_randomisation'].name
_OF_MEDIATION = (
    _LATE, 'exploratory', 'no_baseline', 'constant_baseline', 'flagged_values',
    'degenerate_resamples', 'separated', 'separated_resamples', 'total_not_away_from_zero', 'opposite_signs',
)  # fmt: skip
_PATHS = {
    'analysis': {'Description': 'name in the trial file, and variant'},
    'arm': {'Description': 'treated arm that is compared with the control'},
    'mediator': {'Description': 'mediator, or chain of mediators'},
    'mediator_visits': {
        'Description': 'visit of each mediator of the analysis, separated by semicolons; a gene set has its last sample'
    },
    'outcome': {'Description': 'name in the trial file'},
    'outcome_visit': {'Description': 'visit of the outcome'},
    'path': {
        'Description': 'effect, per unit of what it comes from',
        'Levels': levels(PATHS),
    },
    'scale': {'Description': 'what the estimate is in', 'Levels': levels(PATH_SCALES)},
    'estimate': {'Description': 'on its scale; units are those of the outcome, of the mediator for a'},
    'se': {'Description': 'standard deviation over resamples'},
    'ci_low': {'Description': 'lower limit of the 95 % percentile interval'},
    'ci_high': {'Description': 'upper limit of the 95 % percentile interval'},
    'p': {'Description': 'two-sided, from the resamples'},
    'n': {'Description': 'people of whom everything is known'},
    'flags': {
        'Description': 'what limits the result',
        'Levels': {name: FLAGS[name].title for name in _OF_MEDIATION},
    },
}  # fmt: skip
_MODELS = {
    **{name: _PATHS[name] for name in ('analysis', 'arm', 'mediator_visits', 'outcome', 'outcome_visit')},
    'label': {'Description': 'in the name of the figure'},
    'structure': {'Description': 'of the mediators', 'Levels': STRUCTURES_OF_MEDIATORS.titles()},
    'mediators': {'Description': 'separated by semicolons'},
    'kind': {
        'Description': 'of the outcome',
        'Levels': {kind: KINDS[kind].title for kind in ('continuous', 'binary')},
    },
    'time_order': {'Description': 'of mediators and outcome', 'Levels': levels(TIME_ORDERS)},
    'baselines': {'Description': 'first values in all models, separated by semicolons'},
    'covariates': {'Description': 'further regressors, separated by semicolons'},
    'n': _PATHS['n'],
    'n_treatment': {'Description': 'of them treated'},
    'n_control': {'Description': 'of them in the control arm'},
    'n_incomplete': {'Description': 'people left out because something is missing'},
    'n_degenerate': {'Description': 'resamples without an estimate'},
    'n_penalised': {
        'Description': 'resamples in which a binary outcome is separated, fitted with the penalty of Firth'
    },
    'without_mediator': {
        'Description': 'effect of treatment in the regression without mediators; of a binary outcome the difference in risk'
    },
    'power_medium': {
        'Description': 'power at this number of people when both paths are 0.39 (standardised), simulated; a binary outcome '
        'as a normal variable that is cut'
    },
    'power_small': {'Description': 'the same for 0.26'},
    'flags': _PATHS['flags'],
    'note': {'Description': 'why there is no result'},
}
_CURVES = {
    **{name: _PATHS[name] for name in ('analysis', 'arm', 'mediator')},
    'rho': {'Description': 'correlation of the errors of mediator and outcome'},
    'indirect': {'Description': 'indirect effect if there were this correlation'},
}

FACTS_OF = {'expression_deseq2': 'expression_facts', 'expression_enrichment': 'enrichment_facts'}
"""Outputs whose sidecar has what another output says."""

_EXPRESSION = (
    table_row('expression_deseq2', 'Change of gene expression, by F within people', _GENES),
    table_row(
        'expression_contrasts', 'Contrasts of gene expression, and what the best gene would need', _CONTRASTS
    ),
    table_row('expression_samples', 'Samples, their size factors, and why some are left out', _SAMPLES),
    table_row('expression_dispersions', 'Dispersion of every gene', _DISPERSIONS),
)
_OF_SETS = (
    table_row('expression_enrichment', 'Enriched sets of genes', _SETS),
    table_row('expression_sets', 'All sets, and why some are left out', _SET_LIST),
    table_row('expression_scores', 'Scores of gene sets in every sample, arm and visit unseen', _SCORES),
)
_MEDIATION = (
    table_row('mediation', 'Paths of every mediation model', _PATHS),
    table_row('mediation_models', 'What every mediation model rests on', _MODELS),
    table_row('mediation_sensitivity', 'Indirect effects under confounding of mediator and outcome', _CURVES),
)
TABLES = (*_EXPRESSION, *_OF_SETS, *_MEDIATION)


def of_expression(
    output_dir: Path, contrasts: Sequence[ExpressionContrast], *, has_sets: bool
) -> Iterator[Planned]:
    """Yield the files of gene expression; changes without a sign are neither drawn nor ranked."""
    yield from (of_table(output_dir, 'expression', row) for row in _EXPRESSION)
    rows = [figure_row('components', 'expression_components')]
    for number, name in enumerate(each.name for each in contrasts if not each.is_joint):
        rows += [figure_row(f'{kind}[{number}]', f'expression_{name}_{kind}') for kind in ('ma', 'volcano')]
    yield from (of_table(output_dir, 'expression', row) for row in rows)
    if has_sets:
        pairs = [
            f'enrichment_{each.name}_{method}'
            for each in contrasts
            for method in methods_of_sets(is_joint=each.is_joint)
        ]
        drawn = (figure_row(f'enrichment_figures[{n}]', name) for n, name in enumerate(pairs))
        yield from (of_table(output_dir, 'enrichment', row) for row in (*_OF_SETS, *drawn))


def of_mediation(output_dir: Path, labels: Sequence[str], *, is_late: bool) -> Iterator[Planned]:
    """Yield the files of mediation, a figure for every model.

    ``is_late``: a first sample of expression was drawn after randomisation, which else no legend speaks of.
    """
    drawn = [
        figure_row(f'path_figures[{number}]', f'mediation_{label}') for number, label in enumerate(labels)
    ]
    tables = _MEDIATION if is_late else [_without_flag(row, _LATE) for row in _MEDIATION]
    for row in (*tables, *drawn):
        yield of_table(output_dir, 'mediation', row)


def _without_flag(row: Derivative, flag: str) -> Derivative:
    """Return a row whose legend does not explain a flag that cannot be."""
    if 'flags' not in row.fields:
        return row
    about = row.fields['flags']
    levels = {name: words for name, words in about['Levels'].items() if name != flag}
    return replace(row, fields={**row.fields, 'flags': {**about, 'Levels': levels}})
