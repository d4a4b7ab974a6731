"""Values of a table of counts: reads, or estimates of reads, and nothing that was normalised."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.errors import DataError
from pipelines.reading import number_of

from .remarks import Remark

Array = NDArray[Any]

MOST_READS = 1e12
"""No gene has more reads; whole numbers up to here are exact."""

LOG_LIMIT = 30
"""Fractions of which none reaches this are logarithms: the largest count would have to be below 2**30."""

MILLION, _NEAR_MILLION = 1e6, 1e-3
_LEAST_MULTIPLES, _LARGEST_MULTIPLE, _NEAR_WHOLE = 20, 20, 0.02
_OF_ALL, _MOST_WHOLE = 0.9, 0.5


class Reads(NamedTuple):
    """Whole numbers of reads (genes x samples), and what is to be said of them."""

    counts: pd.DataFrame
    remarks: tuple[Remark, ...]


def whole_reads(values: pd.DataFrame) -> Reads:
    """Return reads as whole numbers.

    Parameters
    ----------
    values
        Genes x samples, numbers or text.

    Raises
    ------
    DataError
        A value is negative, no finite number or no number at all; or all look like values per million,
        logarithms or counts over a size factor.  The message names gene, sample and value.

    Notes
    -----
    Salmon, RSEM, kallisto and tximport estimate reads, with fractions; they are rounded to the nearest
    whole number (halves to the even one), as DESeq2's importers do.

    Examples
    --------
    >>> table = pd.DataFrame({'a': ['12.0', '40.7']}, index=['IL6', 'TNF'])
    >>> whole_reads(table).counts['a'].tolist(), str(whole_reads(table).remarks[0])
    ([12, 41], '1 value is an estimate with a fraction; rounded to whole reads, by at most 0.3')

    """
    numbers = values.apply(_numbers).to_numpy(float)
    bad = ~(np.isfinite(numbers) & (numbers >= 0) & (numbers <= MOST_READS))
    if bad.any():
        gene, sample = np.argwhere(bad)[0]
        more = f' ({bad.sum()} such values)' if bad.sum() > 1 else ''
        shown = str(values.iat[gene, sample]).strip()[:40] or 'an empty cell'
        raise DataError(
            f'gene {values.index[gene]}, sample {values.columns[sample]}: {shown} is no count{more}; give raw reads or '
            'estimates of reads, not normalised values'
        )
    _refuse_normalised(numbers)
    whole = np.rint(numbers)
    change = np.abs(numbers - whole)
    n = int((change > 0).sum())
    remarks = []
    if n:
        what = (
            '1 value is an estimate with a fraction'
            if n == 1
            else f'{n:,} values are estimates with fractions'
        )
        remarks.append(Remark(what, f'rounded to whole reads, by at most {change.max():.2g}'))
    counts = pd.DataFrame(whole.astype(np.int64), index=values.index, columns=values.columns)
    return Reads(counts, tuple(remarks))


def _numbers(column: pd.Series) -> pd.Series:
    if column.dtype == bool:
        return pd.Series(np.nan, index=column.index)
    return column if pd.api.types.is_numeric_dtype(column) else column.map(number_of).astype(float)


def _refuse_normalised(numbers: Array) -> None:
    """Refuse what no count can be, by what it looks like."""
    if not numbers.size:
        return
    what = ''
    has_fractions = (numbers != np.rint(numbers)).any()
    sums = numbers.sum(axis=0)
    is_drawn = not has_fractions and (sums == MILLION).all()  # the same number of reads drawn of every sample
    if len(numbers) > 1 and not is_drawn and (np.abs(sums / MILLION - 1) < _NEAR_MILLION).all():
        what = 'the values of every sample add up to 1,000,000, as TPM and CPM do'
    elif has_fractions and numbers.max() < LOG_LIMIT:
        what = f'the values have fractions and none is above {numbers.max():.3g}, as logarithms do'
    elif has_fractions and np.mean([is_scaled(column) for column in numbers.T]) > _MOST_WHOLE:
        what = 'the values of a sample are multiples of a fraction, as counts over a size factor or CPM are'
    if what:
        raise DataError(f'{what}; give raw reads or estimates of reads, not normalised values')


def is_scaled(column: Array) -> bool:
    """Return whether values are whole numbers over one common number: reads that were normalised.

    Parameters
    ----------
    column
        (n_genes,) of a sample.

    Notes
    -----
    The smallest positive value u stands for one read; nearly all values up to 20 u are then multiples
    of it, and few are whole.  Of estimates most small ones are whole, and of arbitrary fractions one in
    25 is a multiple, within the tolerance.  With fewer than 20 values this small it cannot be told.

    Examples
    --------
    >>> reads = np.arange(1, 41)
    >>> is_scaled(reads / 1.23), is_scaled(reads), is_scaled(np.linspace(0.7, 40, 500))
    (True, False, False)

    """
    positive = column[column > 0].astype(float)
    unit = positive.min(initial=np.inf)
    small = positive[positive < (_LARGEST_MULTIPLE + 0.5) * unit]
    if len(small) < _LEAST_MULTIPLES or (small == np.rint(small)).mean() >= _MOST_WHOLE:
        return False
    multiple = np.rint(small / unit)
    is_multiple = np.abs(small / unit - multiple) <= _NEAR_WHOLE
    return bool(is_multiple.mean() >= _OF_ALL and len(np.unique(multiple)) > 1)
