"""Activity of gene sets in single samples."""

from typing import Any, Literal, assert_never

import gseapy
import numpy as np
import pandas as pd

from pipelines.errors import DataError

from .genesets import MAX_SIZE, MIN_SIZE, GeneSets, match_sets

Method = Literal['zscore', 'ssgsea', 'gsva']


def pathway_scores(vst: pd.DataFrame, sets: GeneSets, method: Method = 'zscore') -> pd.DataFrame:
    r"""Score every set in every sample, arms and visits unseen.

    Parameters
    ----------
    vst
        Genes x samples: variance-stabilised counts, log2 scale.  Genes that do not vary are left out.
    sets
        As from :func:`~pipelines.stats.genesets.read_gmt`.
    method
        ``zscore``, ``ssgsea`` or ``gsva``.

    Returns
    -------
    pd.DataFrame
        Sets x samples, sets in the order given.

    Raises
    ------
    DataError
        Fewer than two samples, values that are no numbers, or identifiers of another kind than the sets'.

    Notes
    -----
    ``zscore`` [1]_: :math:`\sum_{g \in S} z_{gs} / \sqrt{|S|}`, with z standardised over samples (n - 1).
    ``ssgsea`` [2]_: sum over genes, ranked within a sample, of the difference between the weighted
    distribution of the set (exponent 0.25) and that of the others, divided by the range of all scores.
    ``gsva`` [3]_: genes are compared over samples by a Gaussian kernel, then ranked within a sample; the
    score is the largest positive plus the largest negative deviation of the running sum.
    All are relative to the samples given: scores of different runs do not compare.

    References
    ----------
    .. [1] Lee E, et al. Inferring pathway activity toward precise disease classification. PLoS Comput
       Biol 2008;4:e1000217.
    .. [2] Barbie DA, et al. Systematic RNA interference reveals that oncogenic KRAS-driven cancers
       require TBK1. Nature 2009;462:108-112.
    .. [3] Haenzelmann S, Castelo R, Guinney J. GSVA: gene set variation analysis for microarray and RNA-seq
       data. BMC Bioinformatics 2013;14:7.

    Examples
    --------
    Scores of a set sum to zero over samples:

    >>> genes = [f'G{i}' for i in range(20)]
    >>> table = pd.DataFrame(np.random.default_rng(1).random((20, 4)), genes, list('abcd'))
    >>> bool(abs(pathway_scores(table, {'set': tuple(genes[:15])}).sum(axis=1)['set']) < 1e-12)
    True

    """
    if vst.shape[1] < 2 or not np.isfinite(vst.to_numpy(float)).all():
        raise DataError(f'scores need finite values of two samples or more, got {vst.shape[1]} samples')
    varying = vst[vst.std(axis=1) > 0]
    matched = match_sets(sets, varying.index).sets
    if not matched:
        return pd.DataFrame(columns=vst.columns, dtype=float)
    match method:
        case 'zscore':
            z = varying.sub(varying.mean(axis=1), axis=0).div(varying.std(axis=1), axis=0)
            return pd.DataFrame(
                {name: z.loc[list(own)].sum() / np.sqrt(len(own)) for name, own in matched.items()}
            ).T
        case 'ssgsea' | 'gsva':
            return _by_gseapy(varying, matched, method)
        case _:
            assert_never(method)


def _by_gseapy(
    vst: pd.DataFrame, sets: dict[str, tuple[str, ...]], method: Literal['ssgsea', 'gsva']
) -> pd.DataFrame:
    # neutral names: gseapy changes the case of some symbols and takes numbers for Entrez ids
    codes = {gene: f'G{number}' for number, gene in enumerate(vst.index)}
    samples = {f'S{number}': sample for number, sample in enumerate(vst.columns)}
    common: dict[str, Any] = {
        'data': pd.DataFrame(vst.to_numpy(float), index=list(codes.values()), columns=list(samples)),
        'gene_sets': {name: [codes[gene] for gene in own] for name, own in sets.items()},
        'min_size': MIN_SIZE, 'max_size': MAX_SIZE, 'threads': 1, 'outdir': None, 'verbose': False,
    }  # fmt: skip
    if method == 'gsva':
        found, value = gseapy.gsva(**common, kcdf='Gaussian', weight=1.0, mx_diff=True), 'ES'
    else:
        found = gseapy.ssgsea(**common, sample_norm_method='rank', weight=0.25, no_plot=True)
        value = 'NES'
    wide = found.res2d.astype({value: float}).pivot(index='Term', columns='Name', values=value)
    return wide.loc[list(sets), list(samples)].set_axis(vst.columns, axis=1).rename_axis(index=None)
