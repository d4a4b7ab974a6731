"""Names of genes that mean the same: Ensembl and RefSeq with and without version, symbols in other case."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from .genesets import GeneSets
from .remarks import Remark, some

_VERSIONED = re.compile(r'((?:ENS[A-Z]*[GTEP]R?\d{6,})|(?:[NX][MRP]_\d+))\.\d+(_PAR_Y)?', re.IGNORECASE)
_FLOAT = re.compile(r'(\d+)\.0')
_EXAMPLES = 2


class NamedSets(NamedTuple):
    """Sets by the names that the counts have, and what is to be said of it."""

    sets: dict[str, tuple[str, ...]]
    remarks: tuple[Remark, ...]


def without_version(name: str) -> str:
    """Return an identifier of Ensembl or RefSeq without its version, and any other name as it is.

    Examples
    --------
    >>> [without_version(name) for name in ('ENSG00000000003.15', 'ENSG00000182378.15_PAR_Y', 'NM_000600.5', 'RP11-34P13.7')]
    ['ENSG00000000003', 'ENSG00000182378_PAR_Y', 'NM_000600', 'RP11-34P13.7']
    >>> without_version('3569.0')  # Entrez, once a column of numbers
    '3569'

    """
    found = _VERSIONED.fullmatch(name)
    if found:
        return found[1] + (found[2] or '')
    number = _FLOAT.fullmatch(name)
    return number[1] if number else name


def name_sets(sets: GeneSets, genes: Sequence[str]) -> NamedSets:
    """Return sets by the names that the counts have for their genes.

    Parameters
    ----------
    sets
        As from :func:`~pipelines.stats.genesets.read_gmt`.
    genes
        Names in the counts, which stay as they are in every result.

    Notes
    -----
    A gene of a set is the one of its name; else the only one of the counts that differs by the version
    alone, else by case alone.  Where two would do (two versions of a gene in the counts), none does.
    The copy on the Y chromosome (``_PAR_Y``) is a gene of its own.  Symbols are unique whatever their
    case within a species; names of another species are matched too where they differ by case only
    (Trp53 and TP53 do not), which is said.

    Examples
    --------
    >>> found = name_sets({'set': ('ENSG00000136244', 'ENSG00000232810')}, ['ENSG00000136244.12', 'ENSG00000232810.4'])
    >>> found.sets['set'], str(found.remarks[0])  # doctest: +ELLIPSIS
    (('ENSG00000136244.12', 'ENSG00000232810.4'), 'genes of the sets differ from ... by a version (2); matched ...')

    """
    known, remarks = {gene: gene for gene in genes}, []
    open_names = [gene for own in sets.values() for gene in own if gene not in known]
    for how, check, key in _KEYS:
        found, doubtful = _by_key(dict.fromkeys(open_names), genes, key)
        known |= found
        open_names = [gene for gene in open_names if gene not in found and gene not in doubtful]
        if found:
            pairs = [f'{theirs} and {ours}' for theirs, ours in list(found.items())[:_EXAMPLES]]
            action = f'matched without regard to it, such as {", ".join(pairs)}{check}'
            remarks.append(
                Remark(f'genes of the sets differ from the counts by {how} ({len(found)})', action)
            )
        if doubtful:
            problem = (
                f'genes of the sets have several rows in the counts, which differ by {how} ({len(doubtful)})'
            )
            remarks.append(Remark(problem, 'not matched; keep one row of a gene', some(list(doubtful))))
    named = {name: tuple(dict.fromkeys(known.get(gene, gene) for gene in own)) for name, own in sets.items()}
    return NamedSets(named, tuple(remarks))


def _by_key(
    names: Iterable[str], genes: Sequence[str], key: Callable[[str], str]
) -> tuple[dict[str, str], dict[str, None]]:
    """Return the only gene of the same key, and the names that have several."""
    owners: dict[str, list[str]] = {}
    for gene in genes:
        owners.setdefault(key(gene), []).append(gene)
    several = {name: owners.get(key(name), []) for name in names}
    return (
        {name: own[0] for name, own in several.items() if len(own) == 1},
        dict.fromkeys(name for name, own in several.items() if len(own) > 1),
    )


_KEYS: tuple[tuple[str, str, Callable[[str], str]], ...] = (
    ('a version', '', without_version),
    ('case', '; check that both are of one species', lambda name: without_version(name).casefold()),
)
"""What differs, what to do, and what is the same."""
