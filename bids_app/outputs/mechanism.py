"""The table of the files of gene expression and mediation."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pipelines.terms import EXPRESSION_CONTRASTS, FLAGS, PATHS, SET_METHODS

from .group import figure_row, levels, of_table, table_row
from .plan import Planned

_CONTRAST = {
    'Description': 'what was compared, from the first sample to the last',
    'Levels': levels(EXPRESSION_CONTRASTS),
}
_FLAGS = {'Description': 'what limits the result'}
_GENES = {
    'contrast': _CONTRAST,
    'gene_id': {'Description': 'name in the table of counts'},
    'baseMean': {'Description': 'mean of the counts over size factors'},
    'log2FoldChange': {'Description': 'estimate', 'Units': 'log2'},
    'lfcSE': {'Description': 'its standard error', 'Units': 'log2'},
    'stat': {'Description': 'Wald statistic'},
    'pvalue': {'Description': 'two-sided p value of the t distribution; n/a: an outlier among the counts'},
    'padj': {
        'Description': 'false discovery rate (Benjamini and Hochberg); n/a: too weakly expressed to be tested'
    },
    'log2FoldChange_shrunk': {'Description': 'moderated estimate, for display', 'Units': 'log2'},
    'flags': _FLAGS,
}
_SAMPLES = {
    'sample_id': {'Description': 'name in the table of samples'},
    'visit': {'Description': 'reference is the first sample, drawn after randomisation'},
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
_OF_MEDIATION = (
    'reference_post_randomisation', 'exploratory', 'no_baseline', 'flagged_values', 'degenerate_resamples',
    'total_not_away_from_zero', 'opposite_signs',
)  # fmt: skip
_PATHS = {
    'analysis': {'Description': 'name in the trial file, and variant'},
    'mediator': {'Description': 'mediator, or chain of mediators'},
    'path': {
        'Description': 'effect, per unit of what it comes from',
        'Levels': levels(PATHS),
    },
    'estimate': {'Description': 'in units of the outcome; of the mediator for a'},
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
    'analysis': _PATHS['analysis'],
    'label': {'Description': 'in the name of the figure'},
    'structure': {'Description': 'of the mediators'},
    'mediators': {'Description': 'separated by semicolons'},
    'baselines': {'Description': 'first values in all models, separated by semicolons'},
    'covariates': {'Description': 'further regressors, separated by semicolons'},
    'n': _PATHS['n'],
    'n_treatment': {'Description': 'of them treated'},
    'n_control': {'Description': 'of them in the control arm'},
    'n_incomplete': {'Description': 'people left out because something is missing'},
    'n_degenerate': {'Description': 'resamples without an estimate'},
    'without_mediator': {'Description': 'effect of treatment in the regression without mediators'},
    'power_medium': {
        'Description': 'power at this number of people when both paths are 0.39 (standardised), simulated'
    },
    'power_small': {'Description': 'the same for 0.26'},
    'flags': _PATHS['flags'],
    'note': {'Description': 'why there is no result'},
}
_CURVES = {
    'rho': {'Description': 'correlation of the errors of mediator and outcome'},
    'indirect': {'Description': 'indirect effect if there were this correlation'},
}

FACTS_OF = {'expression_deseq2': 'expression_facts', 'expression_enrichment': 'enrichment_facts'}
"""Outputs whose sidecar has what another output says."""

_EXPRESSION = (
    table_row('expression_deseq2', 'Change of gene expression, DESeq2 in pairs of samples', _GENES),
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


def of_expression(output_dir: Path, contrasts: Iterable[str], *, has_sets: bool) -> Iterator[Planned]:
    """Yield the files of gene expression."""
    yield from (of_table(output_dir, 'expression', row) for row in _EXPRESSION)
    rows = [figure_row('components', 'expression_components')]
    for number, name in enumerate(contrasts):
        rows += [figure_row(f'{kind}[{number}]', f'expression_{name}_{kind}') for kind in ('ma', 'volcano')]
    yield from (of_table(output_dir, 'expression', row) for row in rows)
    if has_sets:
        pairs = [f'enrichment_{name}_{method}' for name in contrasts for method in SET_METHODS]
        drawn = (figure_row(f'enrichment_figures[{n}]', name) for n, name in enumerate(pairs))
        yield from (of_table(output_dir, 'enrichment', row) for row in (*_OF_SETS, *drawn))


def of_mediation(output_dir: Path, labels: Sequence[str]) -> Iterator[Planned]:
    """Yield the files of mediation, a figure for every model."""
    drawn = [
        figure_row(f'path_figures[{number}]', f'mediation_{label}') for number, label in enumerate(labels)
    ]
    for row in (*_MEDIATION, *drawn):
        yield of_table(output_dir, 'mediation', row)
