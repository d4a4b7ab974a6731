"""Rows of a table of counts: which are no genes, and names that a spreadsheet or an export has damaged."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import DataError

from .remarks import Remark, some

_TALLIES = frozenset({
    'N_unmapped', 'N_multimapping', 'N_noFeature', 'N_ambiguous', 'no_feature', 'ambiguous', 'too_low_aQual',
    'not_aligned', 'alignment_not_unique',
})  # fmt: skip
"""STAR's counts of reads without a gene, and those of HTSeq before version 0.6."""

_UNNAMED = frozenset({'', '-', 'na', 'n/a', '#n/a', 'nan'})

_MONTHS = {
    'jan': 1, 'feb': 2, 'mar': 3, 'mrz': 3, 'mär': 3, 'apr': 4, 'may': 5, 'mai': 5, 'jun': 6, 'jul': 7, 'aug': 8,
    'sep': 9, 'oct': 10, 'okt': 10, 'nov': 11, 'dec': 12, 'dez': 12,
}  # fmt: skip
_MONTH = '|'.join(_MONTHS)
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf'(?P<day>\d\d?)\.?[- ](?P<word>{_MONTH})[a-z]*\.?([- ]\d\d(\d\d)?)?',
        rf'(?P<word>{_MONTH})[a-z]*[- ](?P<day>\d\d)',
        r'\d{4}-(?P<month>\d\d)-(?P<day>\d\d)([T ]00:00(:00)?)?',
        r'(?P<month>\d\d?)/(?P<day>\d\d?)/\d\d(\d\d)?',
        r'(?P<day>\d\d?)\.(?P<month>\d\d?)\.\d\d(\d\d)?',
    )
)
_FLOAT = re.compile(r'\d([.,]\d+)?E\+\d\d', re.IGNORECASE)
"""A clone of RIKEN, such as 2310009E13, as a spreadsheet shows it."""


class GeneRows(NamedTuple):
    """Which rows are genes, and what is to be said of the others and of damaged names."""

    is_gene: NDArray[Any]
    remarks: tuple[Remark, ...]


def check_genes(names: Sequence[str]) -> GeneRows:
    """Tell genes from other rows.

    Parameters
    ----------
    names
        First column of a table of counts.

    Returns
    -------
    GeneRows
        True (n,) for rows that are genes of their own.

    Raises
    ------
    DataError
        A gene has several rows, or none is left.

    Notes
    -----
    Left out: HTSeq's ``__*``, STAR's ``N_*``, and rows without a name, which no result could be told of.
    A name that became a date stays as an unknown gene: its reads are right, and some thirty of 20,000
    genes are concerned; which gene it was is not guessed, for 1-Mar was MARCHF1 or MTARC1.  Of those
    that became the same date none stays.  Two rows of one name are otherwise refused, as DESeq2 does:
    whether they are parts of a gene or different genes is known to their owner only.

    Examples
    --------
    >>> check_genes(['TP53', '__no_feature', 'N_unmapped']).is_gene.tolist()
    [True, False, False]

    """
    found = [name.strip() for name in names]
    is_tally = np.array([name.startswith('__') or name in _TALLIES for name in found], bool)
    is_unnamed = np.array([name.lower() in _UNNAMED for name in found], bool)
    dates = [name for name in found if date_of(name)]
    twice = {name for name, number in Counter(dates).items() if number > 1}
    is_gene = ~(is_tally | is_unnamed | np.array([name in twice for name in found], bool))
    _refuse_repeated([name for name, kept in zip(found, is_gene) if kept])
    remarks = []
    if is_tally.any():
        tallies = [name for name, holds in zip(found, is_tally) if holds]
        remarks.append(Remark(f'rows that are no genes ({len(tallies)})', 'left out', some(tallies)))
    if is_unnamed.any():
        remarks.append(Remark(f'rows without a name of a gene ({is_unnamed.sum()})', 'left out'))
    return GeneRows(is_gene, (*remarks, *_damaged(found, dates, twice)))


def _refuse_repeated(names: Sequence[str]) -> None:
    if not names:
        raise DataError('no row is a gene; give genes in rows, their names first')
    repeated = [name for name, number in Counter(names).items() if number > 1]
    if repeated:
        raise DataError(
            f'gene {some(repeated)} occurs more than once; give a table whose first column has identifiers, such as '
            'those of Ensembl, or add up or remove rows'
        )


def _damaged(names: Sequence[str], dates: Sequence[str], twice: set[str]) -> list[Remark]:
    remarks = []
    remedy = 'export the table again with the column of names as text'
    once = [name for name in dates if name not in twice]
    for own, done in (
        (once, 'kept as unknown genes'),
        (sorted(twice), 'left out, for several have the same date'),
    ):
        if own:
            was = [f'{name} (was {gene_of_date(name)})' for name in own]
            remarks.append(
                Remark('names of genes that a spreadsheet turned into dates', f'{done}; {remedy}', some(was))
            )
    floats = [name for name in names if _FLOAT.fullmatch(name)]
    if floats:
        problem = 'names of genes, such as 2310009E13Rik, that a spreadsheet turned into numbers'
        remarks.append(Remark(problem, f'kept as unknown genes; {remedy}', some(floats)))
    return remarks


def date_of(name: str) -> tuple[int, int] | None:
    """Return month and day where a name is a date; identifiers that are numbers are none.

    Examples
    --------
    >>> [date_of(name) for name in ('1-Mar', 'Sep-02', '2023-03-01', '43891', 'MARCHF1')]
    [(3, 1), (9, 2), (3, 1), None, None]

    """
    for pattern in _DATES:
        found = pattern.fullmatch(name)
        if found:
            parts = found.groupdict()
            month = _MONTHS[parts['word'].lower()] if parts.get('word') else int(parts['month'])
            day = int(parts['day'])
            return (month, day) if 1 <= month <= 12 and 1 <= day <= 31 else None
    return None


def gene_of_date(name: str) -> str:
    """Return which gene a date may have been.

    Examples
    --------
    >>> gene_of_date('2-Sep'), gene_of_date('1-Mar'), gene_of_date('4-Oct')
    ('SEPTIN2', 'MARCHF1 or MTARC1', 'a gene such as SEPTIN2 or MARCHF1')

    """
    month, day = date_of(name) or (0, 0)
    match month, day:
        case 3, 1 | 2:
            return f'MARCHF{day} or MTARC{day}'
        case 3, number if number <= 11:
            return f'MARCHF{number}'
        case 9, number if number <= 14:
            return f'SEPTIN{number}'
        case 9, 15:
            return 'SELENOF'
        case 12, 1:
            return 'DELEC1'
        case _:
            return 'a gene such as SEPTIN2 or MARCHF1'
