"""Sets of genes: the GMT format, and whether their identifiers are those of the data."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pandas as pd

from pipelines.errors import DataError

GeneSets = Mapping[str, tuple[str, ...]]

MIN_SIZE, MAX_SIZE = 15, 500
"""Genes of a set, counted among those measured, between which it is analysed."""

MIN_OVERLAP = 0.1
"""Below this share of common identifiers the sets are refused."""

_KINDS = (
    ('Ensembl gene ids', r'ENS[A-Z]*G\d{6,}(\.\d+)?'),
    ('Ensembl transcript ids', r'ENS[A-Z]*T\d{6,}(\.\d+)?'),
    ('FlyBase ids', r'FBgn\d{7}'),
    ('Entrez ids', r'\d+'),
    ('RefSeq ids', r'[NX][MR]_\d+(\.\d+)?'),
    ('gene symbols', r'[A-Za-z][A-Za-z0-9.@_-]{0,24}'),
)
_UNKNOWN = 'identifiers of no known kind'


_WEIGHT = re.compile(r',\d+(\.\d+)?(?=\s*(\t|$))')


class Overlap(NamedTuple):
    """How many identifiers the data and the sets share.

    Attributes
    ----------
    n_genes, n_set_genes, n_shared
        Distinct identifiers of the data, of all sets together, and of both.
    share
        ``n_shared`` over the smaller of the other two, 0 to 1.

    """

    n_genes: int
    n_set_genes: int
    n_shared: int
    share: float


class MatchedSets(NamedTuple):
    """Sets reduced to the genes that were measured.

    Attributes
    ----------
    sets
        Those of a size between the limits, in the order given.
    left_out
        ``set size`` of the others, ``size`` in measured genes.
    overlap
        Of identifiers.

    """

    sets: dict[str, tuple[str, ...]]
    left_out: pd.DataFrame
    overlap: Overlap


def read_gmt(text: str) -> dict[str, tuple[str, ...]]:
    r"""Parse a GMT file: a line per set with name, description and genes, separated by tabs.

    Parameters
    ----------
    text
        Content of the file.

    Returns
    -------
    dict
        Genes of each set in the order of the file, each once; a set without genes is empty.

    Raises
    ------
    DataError
        A line has no tab or no name, a name occurs twice with different genes, or there is no set.

    Examples
    --------
    >>> read_gmt('null\tany word is a name\tIL6\tTNF\tIL6\nnone\t\n')
    {'null': ('IL6', 'TNF'), 'none': ()}

    """
    sets: dict[str, tuple[str, ...]] = {}
    lines: dict[str, int] = {}
    # other characters that Python ends lines at may stand in a description
    for number, line in enumerate(re.split(r'\r\n|\n|\r', text.removeprefix('\ufeff')), 1):
        if not line.strip():
            continue
        name, *rest = (field.strip() for field in line.split('\t'))
        if not name or not rest:
            raise DataError(
                f'line {number} is no gene set: {line[:40]!r}; name, description and genes are separated by tabs'
            )
        genes = tuple(dict.fromkeys(gene for gene in rest[1:] if gene))
        if name in sets and set(sets[name]) != set(genes):
            raise DataError(f'gene set {name} has other genes in line {number} than in line {lines[name]}')
        sets.setdefault(name, genes)
        lines.setdefault(name, number)
    if not sets:
        raise DataError('there is no gene set; a line is name, description and genes, separated by tabs')
    return sets


def without_weights(text: str) -> tuple[str, int]:
    r"""Return a GMT file without the weights that Enrichr writes behind genes, and their number.

    Examples
    --------
    >>> without_weights('set\tabout, 1.0\tIL6,1.0\tTNF,0.5\n')
    ('set\tabout, 1.0\tIL6\tTNF\n', 2)

    """
    found, number = [], 0
    for line in text.split('\n'):
        *head, genes = line.split('\t', 2)
        if len(head) == 2:
            genes, own = _WEIGHT.subn('', genes)
            number += own
        found.append('\t'.join([*head, genes]))
    return '\n'.join(found), number


def identifier_kind(names: Iterable[str]) -> str:
    """Guess what kind of identifiers most of these are.

    Examples
    --------
    >>> identifier_kind(['ENSG00000136244', 'ENSG00000232810.4']), identifier_kind(['3569', '7124'])
    ('Ensembl gene ids', 'Entrez ids')

    """
    names = list(names)
    for kind, pattern in _KINDS:
        if 2 * sum(re.fullmatch(pattern, name) is not None for name in names) > len(names):
            return kind
    return _UNKNOWN


def _remedy(theirs: str, ours: str) -> str:
    """Return what brings sets and counts together."""
    if theirs == ours or _UNKNOWN in (theirs, ours):
        return 'give sets of the same species with the identifiers of the counts'
    return f'give sets with {ours}, or name the rows of the counts by {theirs}'


def match_sets(sets: GeneSets, genes: Iterable[str]) -> MatchedSets:
    """Reduce sets to the genes that were measured.

    Parameters
    ----------
    sets
        As from :func:`read_gmt`.
    genes
        Measured genes.

    Raises
    ------
    DataError
        Less than :data:`MIN_OVERLAP` of the identifiers are common; the message guesses of which kinds
        both are.

    Examples
    --------
    >>> match_sets({'set': ('3569', '7124')}, ['IL6', 'TNF', 'IL10'])
    Traceback (most recent call last):
    ...
    pipelines.errors.DataError: 0 of 2 genes of the sets are among the 3 measured: the sets have Entrez ids \
(3569), the counts gene symbols (IL6); give sets with gene symbols, or name the rows of the counts by Entrez ids

    """
    measured = dict.fromkeys(genes)
    united = dict.fromkeys(gene for own in sets.values() for gene in own)
    shared = sum(gene in measured for gene in united)
    share = shared / max(min(len(measured), len(united)), 1)
    if share < MIN_OVERLAP:
        theirs, ours = next(iter(united), 'none'), next(iter(measured), 'none')
        kinds = identifier_kind(united), identifier_kind(measured)
        raise DataError(
            f'{shared} of {len(united)} genes of the sets are among the {len(measured)} measured: the sets have '
            f'{kinds[0]} ({theirs}), the counts {kinds[1]} ({ours}); {_remedy(*kinds)}'
        )
    reduced = {name: tuple(gene for gene in own if gene in measured) for name, own in sets.items()}
    kept = {name: own for name, own in reduced.items() if MIN_SIZE <= len(own) <= MAX_SIZE}
    others = [(name, len(own)) for name, own in reduced.items() if name not in kept]
    left_out = pd.DataFrame(others, columns=['set', 'size'])
    return MatchedSets(kept, left_out, Overlap(len(measured), len(united), shared, share))
