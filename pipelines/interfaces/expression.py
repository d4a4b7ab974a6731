"""Gene expression from files: counts, samples and gene sets to tables."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import pandas as pd

from ..errors import DataError
from ..stats.enrich import over_representation, preranked
from ..stats.expression import differential_expression
from ..stats.genesets import MAX_SIZE, MIN_SIZE, match_sets, read_gmt
from ..stats.scores import Method, pathway_scores
from ..terms import FALSE_DISCOVERY_RATE, raised
from ._interface import interface
from .tables import read_columns, read_table, write_table

MEDIATOR_SCORE = 'zscore'
"""Score that mediation takes."""

SCORE_KEYS = ('participant_id', 'visit', 'sample_id', 'method')
_CELLS = re.compile(
    r'neutro|lympho|mono|eosin|baso|leuko|leuco|granulo|nk_?cell|[tb]_?cell|cbc|wbc', re.IGNORECASE
)


class _Expression(NamedTuple):
    expression_deseq2: Path
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


def read_sample_names(path: Path) -> list[str]:
    """Return the samples that a table of counts has columns of; R writes no name above the genes.

    Raises
    ------
    DataError
        It cannot be read as a table.

    """
    try:
        top = pd.read_csv(path, sep='\t', header=None, nrows=2, dtype=str, keep_default_na=False)
    except (OSError, EOFError, ValueError) as error:
        if 'Expected' not in str(error):
            raise DataError(f'cannot be read: {error}; give a table with tabs, plain or gzip') from error
        # the second row is longer: the first one has no name for the genes
        top = pd.read_csv(path, sep='\t', header=None, nrows=1, dtype=str, keep_default_na=False)
        return list(top.iloc[0])
    if top.shape[1] < 2 or len(top) < 2:
        raise DataError(
            f'{len(top)} rows and {top.shape[1]} columns are no table of counts; give genes in rows, samples in '
            'columns, with tabs between them'
        )
    return list(top.iloc[0, 1:])


def read_counts(path: Path) -> pd.DataFrame:
    """Read genes x samples: the first column has the names of genes, the first row those of samples.

    Values stay as they are; :func:`~pipelines.stats.counts.check_counts` judges them.

    Raises
    ------
    DataError
        It cannot be read as a table.

    """
    samples = read_sample_names(path)
    try:
        table = pd.read_csv(
            path, sep='\t', header=None, skiprows=1, keep_default_na=False, dtype={0: str}, low_memory=False
        )
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f'cannot be read: {error}') from error
    if table.shape[1] != len(samples) + 1:
        raise DataError(
            f'{len(samples)} samples in the first row and {table.shape[1] - 1} in the others; mend the table'
        )
    return table.set_index(0).rename_axis('gene_id').set_axis(samples, axis=1)


def read_sets(paths: Sequence[Path]) -> dict[str, tuple[str, ...]]:
    """Return the gene sets of all files.

    Raises
    ------
    DataError
        A file is no GMT file, or two have different sets of one name.

    """
    found: dict[str, tuple[str, ...]] = {}
    for path in paths:
        try:
            own = read_gmt(path.read_text(encoding='utf-8'))
        except (OSError, ValueError) as error:
            raise DataError(f'{path} (gene sets): {error}') from error
        for name, genes in own.items():
            if set(found.setdefault(name, genes)) != set(genes):
                raise DataError(
                    f'{path} (gene sets): {name} has other genes than in another file; rename one of them'
                )
    return found


def fit_expression(
    counts: Path, samples: Path, treatment: str, covariates: list[str], *, out_dir: Path
) -> _Expression:
    """Compare the change of gene expression between arms.

    Parameters
    ----------
    counts
        See :func:`read_counts`; samples that ``samples`` lacks are left out.
    samples
        ``sample_id participant_id arm visit`` and covariates.
    treatment, covariates
        See :func:`~pipelines.stats.expression.differential_expression`.
    out_dir
        Folder of the tables.

    Returns
    -------
    _Expression
        Genes per contrast, samples with size factors and why some are left out, dispersions, and
        variance-stabilised counts.

    """
    listed = read_columns(samples)
    found = differential_expression(
        read_counts(counts)[listed['sample_id']],
        listed,
        treatment=treatment,
        covariates=covariates,
        alpha=FALSE_DISCOVERY_RATE,
    )
    has_cells = any(_CELLS.search(name) for name in covariates)
    facts = {
        'Pairs': found.n_pairs, 'Genes': len(found.fit.dispersions), 'Covariates': covariates,
        'Flags': [*found.flags, *raised(no_cell_counts=not has_cells)], 'FalseDiscoveryRate': FALSE_DISCOVERY_RATE,
    }  # fmt: skip
    reasons = found.excluded.set_index('sample_id')['reason']
    status = listed.assign(
        size_factor=listed['sample_id'].map(found.fit.size_factors),
        status=np.where(listed['sample_id'].isin(reasons.index), 'excluded', 'analysed'),
        reason=listed['sample_id'].map(reasons),
    )
    written = {
        'expression_deseq2': found.table,
        'expression_samples': status,
        'expression_dispersions': found.fit.dispersions.rename_axis('gene_id').reset_index(),
        'vst': found.fit.vst.rename_axis('gene_id').reset_index(),
    }
    paths = {name: write_table(table, out_dir / f'{name}.tsv') for name, table in written.items()}
    return _Expression(**paths, facts=facts)


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
    genes, sets = read_table(expression_deseq2), read_sets(gene_sets)
    parts = []
    for contrast, own in genes.groupby('contrast', sort=False):
        own = own.set_index('gene_id')
        tested = own.index[own['padj'].notna()]
        called = own.index[own['padj'] < FALSE_DISCOVERY_RATE]
        ranked = preranked(own['stat'].dropna(), sets, seed=seed)
        over = over_representation(called, tested, sets) if len(called) else ranked.head(0)
        parts += [table.assign(contrast=contrast) for table in (ranked, over)]
    table = pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)
    table = table[['contrast', *(c for c in table if c != 'contrast')]]
    matched = match_sets(sets, genes['gene_id'].unique())
    facts = {
        'GeneSetFiles': [path.name for path in gene_sets],
        'Overlap': matched.overlap._asdict(),
        'SizeLimits': [MIN_SIZE, MAX_SIZE],
    }
    return _Enrichment(
        write_table(table, out_dir / 'expression_enrichment.tsv'),
        write_table(_list_sets(sets, set(genes['gene_id'])), out_dir / 'expression_sets.tsv'),
        facts,
    )


EnrichSets = interface(enrich_sets)


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
    sets, parts = read_sets(gene_sets), []
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
