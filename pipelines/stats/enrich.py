"""Sets of genes that are over-represented among the called, or gather at an end of a ranking."""

from collections.abc import Collection
from typing import Any

import gseapy
import numpy as np
import pandas as pd
from scipy import stats

from pipelines.errors import DataError

from .genesets import MAX_SIZE, MIN_SIZE, GeneSets, match_sets

ENRICHMENT_COLUMNS = ('method', 'set', 'size', 'es', 'nes', 'p', 'padj', 'leading_edge')

_SEEDS = 2**32


def over_representation(called: Collection[str], background: Collection[str], sets: GeneSets) -> pd.DataFrame:
    r"""Test whether more genes of a set were called than by chance.

    Parameters
    ----------
    called
        Genes found; all of them are part of the background.
    background
        All genes that could have been found: those tested.
    sets
        As from :func:`~pipelines.stats.genesets.read_gmt`.

    Returns
    -------
    pd.DataFrame
        Columns :data:`ENRICHMENT_COLUMNS`, by p value; ``size`` is counted in the background, ``leading_edge`` has
        the called genes of the set, ``es`` and ``nes`` have no value.

    Raises
    ------
    DataError
        A called gene is not in the background, or the identifiers are of another kind than the sets'.

    Notes
    -----
    :math:`p = P(X \ge x)` for x called genes of the set, X hypergeometric: k called of N genes, m of
    which are in the set (Fisher's exact test, one-sided); adjusted after Benjamini and Hochberg.

    Examples
    --------
    >>> genes = [f'G{i}' for i in range(30)]
    >>> table = over_representation(genes[:2], genes, {'set': tuple(genes[:15])})
    >>> bool(np.isclose(table['p'][0], 15 / 30 * 14 / 29))
    True

    """
    universe, found = set(background), set(called)
    strange = sorted(found - universe)
    if strange:
        raise DataError(f'{len(strange)} called genes were not tested, such as {strange[0]}')
    rows = []
    for name, own in match_sets(sets, background).sets.items():
        hits = [gene for gene in own if gene in found]
        p = stats.hypergeom.sf(len(hits) - 1, len(universe), len(own), len(found))
        rows.append((name, len(own), np.nan, np.nan, p, ';'.join(hits)))
    return _table('over_representation', rows)


def preranked(statistic: pd.Series, sets: GeneSets, *, seed: int, n_permutations: int = 1000) -> pd.DataFrame:
    r"""Test whether the genes of a set gather at an end of the ranking (GSEA).

    Parameters
    ----------
    statistic
        By gene, such as of :func:`signed_root`; genes without one are left out.
    sets
        As from :func:`~pipelines.stats.genesets.read_gmt`.
    seed
        Same seed, same table.
    n_permutations
        Random sets per size that normalise the score.

    Returns
    -------
    pd.DataFrame
        Columns :data:`ENRICHMENT_COLUMNS`, by p value; ``es`` -1 to 1, ``nes`` in units of its mean by chance,
        ``leading_edge`` the genes up to the extreme of the running sum, from the end of the ranking.

    Raises
    ------
    DataError
        A gene occurs twice, or the identifiers are of another kind than the sets'.

    Notes
    -----
    Running sum [1]_ over genes ranked by r: up by :math:`|r_j| / \sum_{S} |r|` at a gene of the set S,
    down by :math:`1 / (N - |S|)` elsewhere; ``es`` is its largest deviation from zero.  Ties keep the order
    of gene names.  P values by adaptive multilevel splitting [2]_, which resolves small ones.

    References
    ----------
    .. [1] Subramanian A, et al. Gene set enrichment analysis. PNAS 2005;102:15545-15550.
    .. [2] Korotkevich G, et al. Fast gene set enrichment analysis. bioRxiv 060012, 2021.

    Examples
    --------
    >>> genes = [f'G{i:02d}' for i in range(60)]
    >>> table = preranked(pd.Series(np.linspace(3, -3, 60), genes), {'top': tuple(genes[:15])}, seed=1)
    >>> table['es'].round(9).tolist()
    [1.0]

    """
    known = statistic[np.isfinite(statistic)]
    twice = known.index[known.index.duplicated()]
    if len(twice):
        raise DataError(f'gene {twice[0]} occurs more than once in the ranking')
    matched = match_sets(sets, known.index).sets
    if not matched:
        return _table('gsea', [])
    ranked = known.sort_index().sort_values(ascending=False, kind='stable')
    codes = _codes(ranked.index)
    found = gseapy.prerank(
        rnk=pd.Series(ranked.to_numpy(float), index=list(codes.values())),
        gene_sets={name: [codes[gene] for gene in own] for name, own in matched.items()},
        min_size=MIN_SIZE, max_size=MAX_SIZE, permutation_num=n_permutations, weight=1.0, ascending=None,
        method='multilevel', threads=1, seed=seed % _SEEDS, outdir=None, no_plot=True, verbose=False,
    )  # fmt: skip
    genes = {code: gene for gene, code in codes.items()}
    rows = []
    for row in found.res2d.to_dict('records'):
        name, leading = row['Term'], ';'.join(genes[code] for code in row['Lead_genes'].split(';'))
        numbers = (float(row[column]) for column in ('ES', 'NES', 'NOM p-val'))
        rows.append((name, len(matched[name]), *numbers, leading))
    return _table('gsea', rows)


def signed_root(f: pd.Series, change: pd.Series) -> pd.Series:
    r"""Return :math:`\mathrm{sign}(\beta) \sqrt{F}`, which is t where F has one degree of freedom.

    Examples
    --------
    >>> signed_root(pd.Series([4.0, 9.0]), pd.Series([-0.2, 0.1])).tolist()
    [-2.0, 3.0]

    """
    return np.sign(change) * np.sqrt(f)


def _codes(genes: pd.Index) -> dict[str, str]:
    """Return neutral names: gseapy changes the case of some symbols and takes numbers for Entrez ids."""
    return {gene: f'G{number}' for number, gene in enumerate(genes)}


def _table(method: str, rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    table = pd.DataFrame(
        rows, columns=[name for name in ENRICHMENT_COLUMNS if name not in ('method', 'padj')]
    )
    table['padj'] = stats.false_discovery_control(table['p']) if len(table) else np.array([], float)
    table = table.assign(method=method).sort_values(['p', 'set'], kind='stable')
    return table[list(ENRICHMENT_COLUMNS)].reset_index(drop=True)
