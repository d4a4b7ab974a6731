"""Gene expression from files: counts, samples and gene sets to tables."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import pandas as pd

from ..errors import DataError
from ..stats.enrich import ENRICHMENT_COLUMNS, over_representation, preranked, signed_root
from ..stats.expression import DifferentialExpression, differential_expression
from ..stats.expression_contrasts import ExpressionDesign
from ..stats.genesets import MAX_SIZE, MIN_SIZE, match_sets, read_gmt, without_weights
from ..stats.identifiers import name_sets
from ..stats.remarks import Remark
from ..stats.scores import Method, pathway_scores
from ..terms import FALSE_DISCOVERY_RATE, raised
from ._interface import interface
from ._text import read_text
from .counts import read_counts
from .tables import read_columns, read_table, write_table

MEDIATOR_SCORE = 'zscore'
"""Score that mediation takes."""

SCORE_KEYS = ('participant_id', 'visit', 'sample_id', 'method')
_CELLS = re.compile(
    r'neutro|lympho|mono|eosin|baso|leuko|leuco|granulo|nk_?cell|[tb]_?cell|cbc|wbc', re.IGNORECASE
)


class _Expression(NamedTuple):
    expression_deseq2: Path
    expression_contrasts: Path
    expression_samples: Path
    expression_dispersions: Path
    vst: Path
    facts: dict[str, Any]


class _Enrichment(NamedTuple):
    expression_enrichment: Path
    expression_sets: Path
    facts: dict[str, Any]


class _Scores(NamedTuple):
    expression_scores: Path


class GeneSetFiles(NamedTuple):
    """Sets of all files by the names of the counts, and what is to be said of them."""

    sets: dict[str, tuple[str, ...]]
    remarks: tuple[Remark, ...]


def read_sets(paths: Sequence[Path], genes: Sequence[str]) -> GeneSetFiles:
    """Return the gene sets of all files by the names that the counts have for their genes.

    Parameters
    ----------
    paths
        GMT files, plain or gzip.
    genes
        Names in the counts, see :func:`~pipelines.stats.identifiers.name_sets`.

    Raises
    ------
    DataError
        A file is no GMT file, or two have different sets of one name.

    """
    found: dict[str, tuple[str, ...]] = {}
    remarks = []
    for path in paths:
        try:
            decoded = read_text(path)
            text, n_weights = without_weights(decoded.text)
            own = read_gmt(text)
        except DataError as error:
            raise DataError(f'{path} (gene sets): {error}') from error
        if not decoded.is_utf8:
            remarks.append(Remark('is not in UTF-8', 'read as Windows-1252; check names of sets', path.name))
        if n_weights:
            remarks.append(Remark(f'genes have weights ({n_weights:,})', 'weights are not used', path.name))
        for name, members in own.items():
            if set(found.setdefault(name, members)) != set(members):
                raise DataError(
                    f'{path} (gene sets): {name} has other genes than in another file; rename one of them'
                )
    named = name_sets(found, genes)
    return GeneSetFiles(named.sets, (*remarks, *named.remarks))


def fit_expression(counts: Path, samples: Path, design: ExpressionDesign, *, out_dir: Path) -> _Expression:
    """Compare the change of gene expression between arms.

    Parameters
    ----------
    counts
        See :func:`~pipelines.interfaces.counts.read_counts`; columns that ``samples`` lacks are left out.
    samples
        ``sample_id participant_id arm visit counts_column`` and covariates.
    design
        Arms, covariates, visits, and what the first of these is.
    out_dir
        Folder of the tables.

    Returns
    -------
    _Expression
        Genes per contrast, contrasts, samples with size factors and why some are left out, dispersions, and
        variance-stabilised counts.

    """
    listed = read_columns(samples)
    table = read_counts(counts, dict(zip(listed['sample_id'], listed['counts_column'])))
    found = differential_expression(
        table.counts, listed, arms=design.arms, covariates=design.covariates, visits=dict(design.visits),
        reference=design.reference,
    )  # fmt: skip
    written = {
        'expression_deseq2': found.table,
        'expression_contrasts': found.contrasts,
        'expression_samples': _list_samples(listed, found),
        'expression_dispersions': found.fit.dispersions.rename_axis('gene_id').reset_index(),
        'vst': found.fit.vst.rename_axis('gene_id').reset_index(),
    }
    paths = {name: write_table(table, out_dir / f'{name}.tsv') for name, table in written.items()}
    return _Expression(**paths, facts=_facts(found, design, table.remarks))


def _list_samples(listed: pd.DataFrame, found: DifferentialExpression) -> pd.DataFrame:
    reasons = found.excluded.set_index('sample_id')['reason']
    return listed.assign(
        size_factor=listed['sample_id'].map(found.fit.size_factors),
        status=np.where(listed['sample_id'].isin(reasons.index), 'excluded', 'analysed'),
        reason=listed['sample_id'].map(reasons),
    )


def _facts(
    found: DifferentialExpression, design: ExpressionDesign, remarks: Sequence[Remark]
) -> dict[str, Any]:
    has_cells = any(_CELLS.search(name) for name in design.covariates)
    return {
        'Pairs': found.n_pairs, 'Genes': len(found.fit.dispersions), 'Covariates': list(design.covariates),
        'CountTable': [str(remark) for remark in remarks], 'SizeFactors': found.fit.size_factor_type,
        'Flags': [*found.flags, *raised(no_cell_counts=not has_cells)], 'FalseDiscoveryRate': FALSE_DISCOVERY_RATE,
        'Reference': design.reference,
    }  # fmt: skip


FitExpression = interface(fit_expression)


def enrich_sets(expression_deseq2: Path, gene_sets: list[Path], seed: int, *, out_dir: Path) -> _Enrichment:
    """Test every set in every contrast, by ranking and by over-representation.

    Parameters
    ----------
    expression_deseq2
        Of :func:`fit_expression`.
    gene_sets
        GMT files.
    seed
        Of the permutations.
    out_dir
        Folder of the tables.

    Returns
    -------
    _Enrichment
        Sets per contrast and method; all sets with their size among the measured genes.

    """
    genes = read_table(expression_deseq2)
    sets, remarks = read_sets(gene_sets, genes['gene_id'].unique())
    parts = [
        table.assign(contrast=contrast)
        for contrast, own in genes.groupby('contrast', sort=False)
        for table in _test_sets(own.set_index('gene_id'), sets, seed)
    ]
    empty = pd.DataFrame(columns=['contrast', *ENRICHMENT_COLUMNS])
    table = pd.concat([p for p in parts if len(p)] or [empty], ignore_index=True)[list(empty)]
    matched = match_sets(sets, genes['gene_id'].unique())
    facts = {
        'GeneSetFiles': [path.name for path in gene_sets],
        'Overlap': matched.overlap._asdict(),
        'SizeLimits': [MIN_SIZE, MAX_SIZE],
        'Identifiers': [str(remark) for remark in remarks],
    }
    return _Enrichment(
        write_table(table, out_dir / 'expression_enrichment.tsv'),
        write_table(_list_sets(sets, set(genes['gene_id'])), out_dir / 'expression_sets.tsv'),
        facts,
    )


EnrichSets = interface(enrich_sets)


def _test_sets(genes: pd.DataFrame, sets: dict[str, tuple[str, ...]], seed: int) -> Iterator[pd.DataFrame]:
    """Yield the tests of sets in one contrast: by ranking where changes have a sign, then of called genes."""
    tested = genes.index[genes['padj'].notna()]
    called = genes.index[genes['padj'] < FALSE_DISCOVERY_RATE]
    ranking = signed_root(genes['F'], genes['log2FoldChange']).dropna()
    if len(ranking):
        yield preranked(ranking, sets, seed=seed)
    if len(called):
        yield over_representation(called, tested, sets)


def _list_sets(sets: dict[str, tuple[str, ...]], measured: set[str]) -> pd.DataFrame:
    rows = []
    for name, genes in sets.items():
        size = sum(gene in measured for gene in genes)
        small, large = size < MIN_SIZE, size > MAX_SIZE
        reason = (
            f'fewer than {MIN_SIZE} genes measured'
            if small
            else f'more than {MAX_SIZE} genes measured'
            if large
            else ''
        )
        rows.append((name, len(genes), size, 'excluded' if reason else 'analysed', reason))
    return pd.DataFrame(rows, columns=['set', 'n_genes', 'size', 'status', 'reason'])


def score_sets(vst: Path, gene_sets: list[Path], samples: Path, *, out_dir: Path) -> _Scores:
    """Score every set in every sample; nothing but the counts enters.

    Parameters
    ----------
    vst
        Of :func:`fit_expression`.
    gene_sets
        GMT files.
    samples
        ``sample_id participant_id visit``, for the labels of rows.
    out_dir
        Folder of the table.

    Returns
    -------
    _Scores
        ``participant_id visit sample_id method`` and a column per set.

    """
    values = read_table(vst, text=['gene_id']).set_index('gene_id')
    labels = read_columns(samples)[list(SCORE_KEYS[:3])]
    sets, parts = read_sets(gene_sets, list(values.index)).sets, []
    for method in get_args(Method):
        wide = pathway_scores(values, sets, method).T.rename_axis('sample_id').reset_index()
        parts.append(labels.merge(wide.assign(method=method), on='sample_id'))
    table = pd.concat(parts, ignore_index=True)
    return _Scores(
        write_table(
            table[[*SCORE_KEYS, *(c for c in table if c not in SCORE_KEYS)]],
            out_dir / 'expression_scores.tsv',
        )
    )


ScoreSets = interface(score_sets)
