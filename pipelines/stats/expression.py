"""Differential expression in repeated samples of the people of a trial."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from pipelines.terms import FALSE_DISCOVERY_RATE, FLAGS, ReferenceKind, raised

from .counts import VISITS, check_counts, kept_genes
from .deseq import Fit, fit_counts
from .expression_contrasts import ExpressionContrast, contrasts_of, turned_to, weights_of
from .expression_design import arrange_pairs
from .quasi.likelihood import QuasiFit, f_test, fit_quasi, needed_f
from .shrinkage import prior_scale, shrink_coefficient

Array = NDArray[Any]

GENE_COLUMNS = (
    'contrast', 'gene_id', 'baseMean', 'log2FoldChange', 'lfcSE', 'stat', 'F', 'df', 'df_residual', 'pvalue', 'padj',
    'log2FoldChange_shrunk', 'flags',
)  # fmt: skip
CONTRAST_COLUMNS = (
    'contrast', 'title', 'is_joint', 'df', 'df_residual', 'df_prior', 'n_genes', 'n_called', 'f_needed', 'f_largest', 'gene_id', 'flags',
)  # fmt: skip

NOT_RANDOMISED = FLAGS['within_arm_not_randomised'].name
POST_RANDOMISATION = FLAGS['reference_post_randomisation'].name


class DifferentialExpression(NamedTuple):
    """Differential expression of a trial.

    Attributes
    ----------
    table
        Columns :data:`GENE_COLUMNS`, a row per contrast and gene; log2 scale; fold changes, their errors and Wald
        statistics are NaN in joint contrasts.
    contrasts
        Columns :data:`CONTRAST_COLUMNS`, a row per contrast: what the best gene alone would need, and the largest F.
    fit
        Size factors, dispersions and variance-stabilised counts.
    design
        Samples x coefficients.
    samples
        Rows of the table of samples that entered, in the order of ``design``.
    excluded
        ``participant_id sample_id reason`` of the others.
    n_pairs
        People by arm.
    flags
        What a reader must know: ``dropped:NAME`` (a covariate that does not vary within anyone),
        ``dispersion_trend_constant``, and those of the table.

    """

    table: pd.DataFrame
    contrasts: pd.DataFrame
    fit: Fit
    design: pd.DataFrame
    samples: pd.DataFrame
    excluded: pd.DataFrame
    n_pairs: dict[str, int]
    flags: list[str]


def differential_expression(
    counts: pd.DataFrame,
    samples: pd.DataFrame,
    *,
    arms: Sequence[str],
    covariates: Sequence[str] = (),
    visits: Mapping[str, str] | None = None,
    reference: ReferenceKind = 'baseline',
) -> DifferentialExpression:
    r"""Compare between arms how gene expression changed from the first sample to later ones.

    Parameters
    ----------
    counts
        Genes x samples: raw reads.
    samples
        ``sample_id participant_id arm visit`` and covariates, see
        :func:`~pipelines.stats.counts.check_counts`.
    arms
        Of the trial, the control last; not all of them need samples.
    covariates
        Columns of ``samples`` that vary within a person: batch, RNA integrity, cell counts.
    visits
        Name and label of each visit in their order; None: :data:`~pipelines.stats.counts.VISITS`.
    reference
        Whether the first sample was drawn after randomisation.

    Returns
    -------
    DifferentialExpression
        Contrasts of :func:`~pipelines.stats.expression_contrasts.contrasts_of`.

    Raises
    ------
    DataError
        Tables that contradict themselves, fewer than two people in an arm at a visit, an unknown arm, no gene
        with enough reads, too many covariates for the pairs.

    Notes
    -----
    :math:`\log \mu_{gis} = \log s_{is} + \beta_{gi} + \gamma_{g,x_i,t} + \dots` for the sample of person i in arm x at
    a later visit t; the arm itself is part of the person's intercept.

    Size factors, the trend of dispersions and fold changes are DESeq2's
    (:func:`~pipelines.stats.deseq.fit_counts`), p values of quasi-likelihood F tests
    (:mod:`~pipelines.stats.quasi.likelihood`), adjusted after Benjamini and Hochberg within a contrast.  Wald
    statistics stand beside them: by the normal distribution they find too much in paired designs, where a pair
    leaves one of two degrees of freedom, and by t next to nothing in small ones.

    Shrunken fold changes (:func:`~pipelines.stats.shrinkage.shrink_coefficient`) are for display; tests
    and enrichment use the others.

    """
    visits = visits or dict(zip(VISITS, VISITS))
    check_counts(counts, samples, tuple(visits))
    pairs, n_pairs, design, dropped = arrange_pairs(
        samples, arms=arms, covariates=covariates, visits=tuple(visits)
    )
    kept = kept_genes(counts[design.index], n_pairs)
    contrasts = contrasts_of(list(n_pairs), arms, visits)
    single = {each.name: weights_of(design, each)[:, 0] for each in contrasts if not each.is_joint}
    fit = fit_counts(kept, design, single)
    quasi = fit_quasi(
        kept.to_numpy(float), design.to_numpy(float), offset=np.log(fit.size_factors[design.index].to_numpy()),
        dispersion=fit.dispersions['trend'].to_numpy(),
    )  # fmt: skip
    tables = [
        _test(each, kept, design, fit, quasi).assign(flags=_flag(each, reference)) for each in contrasts
    ]
    table = pd.concat(tables, ignore_index=True)[list(GENE_COLUMNS)]
    about = pd.DataFrame([_about(each, own, quasi) for each, own in zip(contrasts, tables)])
    flags = [f'dropped:{name}' for name in dropped]
    flags += raised(
        dispersion_trend_constant=fit.is_trend_constant,
        size_factors_poscounts=fit.size_factor_type == 'poscounts',
    )
    flags += [flag for flag in dict.fromkeys(table['flags']) if flag]
    return DifferentialExpression(
        table, about[list(CONTRAST_COLUMNS)], fit, design, pairs.paired, pairs.excluded, n_pairs, flags
    )


def _flag(contrast: ExpressionContrast, reference: ReferenceKind) -> str:
    if contrast.kind not in ('difference', 'any_difference'):
        return NOT_RANDOMISED
    return POST_RANDOMISATION if reference == 'postRandomisation' else ''


def _test(
    contrast: ExpressionContrast, counts: pd.DataFrame, design: pd.DataFrame, fit: Fit, quasi: QuasiFit
) -> pd.DataFrame:
    """Return the genes of a contrast with estimates, where it has one for each, and their F."""
    found = f_test(quasi, weights_of(design, contrast))
    table = _estimates(contrast, counts, design, fit).rename_axis('gene_id').reset_index()
    return table.assign(
        contrast=contrast.name, F=found.f, df=found.df, df_residual=found.df_residual, pvalue=found.p,
        padj=stats.false_discovery_control(found.p),
    )  # fmt: skip


def _estimates(
    contrast: ExpressionContrast, counts: pd.DataFrame, design: pd.DataFrame, fit: Fit
) -> pd.DataFrame:
    if contrast.is_joint:
        level = (counts / fit.size_factors[counts.columns]).mean(axis=1)
        unknown = dict.fromkeys(('log2FoldChange', 'lfcSE', 'stat', 'log2FoldChange_shrunk'), np.nan)
        return pd.DataFrame({'baseMean': level}).assign(**unknown)
    table = fit.tables[contrast.name]
    turned, column = turned_to(design, contrast)
    estimate, se = (table[name].to_numpy() * np.log(2) for name in ('log2FoldChange', 'lfcSE'))
    shrunk = shrink_coefficient(
        counts.to_numpy().T,
        turned.to_numpy(),
        column,
        size_factors=fit.size_factors.to_numpy(),
        dispersions=fit.dispersions['final'].to_numpy(),
        scale=prior_scale(estimate, se),
    )
    return table.assign(log2FoldChange_shrunk=shrunk / np.log(2))


def _about(contrast: ExpressionContrast, table: pd.DataFrame, quasi: QuasiFit) -> dict[str, Any]:
    """Return what a contrast found, and what its best gene alone would need."""
    best = table.loc[table['pvalue'].idxmin()]
    return {
        'contrast': contrast.name,
        'title': contrast.title,
        'is_joint': contrast.is_joint,
        'df': best['df'],
        'df_residual': best['df_residual'],
        'df_prior': np.median(quasi.moderated.df_prior),
        'n_genes': len(table),
        'n_called': int((table['padj'] < FALSE_DISCOVERY_RATE).sum()),
        'f_needed': needed_f(FALSE_DISCOVERY_RATE, len(table), best['df'], best['df_residual']),
        'f_largest': table['F'].max(),
        'gene_id': table.at[table['F'].idxmax(), 'gene_id'],
        'flags': table['flags'].iloc[0],
    }
