"""Tables of counts as files: how one is laid out, and the reads of the samples that are wanted."""

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..errors import DataError
from ..reading import EXACT, number_of
from ..stats.count_columns import is_annotation
from ..stats.count_values import whole_reads
from ..stats.gene_names import check_genes
from ..stats.remarks import Remark
from ._text import read_text

_SEPARATORS = ('\t', ',', ';', ' ')
_HEAD = 50
_MOST = 0.5
_GCT = re.compile(r'#1\.\d$')


class Layout(NamedTuple):
    """How a table of counts is laid out.

    Attributes
    ----------
    separator
        Between the columns.
    skipped
        Lines above the first row of values.
    columns
        Names of all columns; R gives the first none.
    genes
        Which column has the names of genes.
    rows
        The first rows as text.

    """

    separator: str
    skipped: int
    columns: tuple[str, ...]
    genes: int
    rows: tuple[tuple[str, ...], ...]

    @property
    def named(self) -> list[str]:
        """Return the columns that may be of samples."""
        return [name for number, name in enumerate(self.columns) if number != self.genes and name]

    def place(self, name: str) -> int:
        """Return where the first column of a name stands, that of genes apart."""
        return next(k for k, column in enumerate(self.columns) if column == name and k != self.genes)

    def holds_words(self, name: str) -> bool:
        """Return whether most cells of a column are no numbers, in the first rows."""
        place = self.place(name)
        return _share_of_words(row[place] for row in self.rows) > _MOST


class CountTable(NamedTuple):
    """Reads (genes x samples, whole numbers), and what is to be said of how they were written."""

    counts: pd.DataFrame
    remarks: tuple[Remark, ...]


def read_layout(path: Path) -> Layout:
    """Return how a table of counts is laid out.

    Notes
    -----
    Separated by tabs, commas, semicolons or blanks, plain or gzip, with or without quotation marks;
    lines of comment (featureCounts) and the two lines above a GCT table are passed over; R writes no
    name above the names of genes, or numbers of rows before them.

    Raises
    ------
    DataError
        It cannot be read as such a table.

    """
    return _layout(read_text(path).text)


def _layout(text: str) -> Layout:
    lines = list(islice(io.StringIO(text), _HEAD + text.count('\n#') + 10))
    start = _first(lines)
    if start >= len(lines):
        raise DataError('has nothing but comments')
    body = [number for number in range(start + 1, len(lines)) if lines[number].strip()][:_HEAD]
    if not body:
        raise DataError('has no row of a gene; give genes in rows, samples in columns')
    top = lines[start].lstrip('#') if lines[start].startswith('#') else lines[start]
    for separator in _SEPARATORS:
        header, *rows = (_cells(line, separator) for line in (top, *(lines[k] for k in body)))
        width = len(rows[0])
        while len(header) > width and not header[-1]:
            header.pop()
        if len(header) == width - 1 and all(row[-1] == '' for row in rows):
            header = [*header, '']  # rows end with a separator
        if len(header) > 1 and len(header) in (width - 1, width):
            break
    else:
        raise DataError(
            f'is no table of counts: its first line is "{top.strip()[:60]}"; give genes in rows, samples in columns, '
            'with tabs between them'
        )
    even = tuple(tuple(row) for row in rows if len(row) == width)
    if len(header) < width and is_annotation(header[0]) and _share_of_words(row[1] for row in even) < 1:
        raise DataError(
            f'has rows with one cell more than the first line, which begins with "{header[0]}"; mend it'
        )
    columns = tuple(header if len(header) == width else ['', *header])
    return Layout(separator, body[0], columns, _place_of_genes(columns, even), even)


def _first(lines: Sequence[str]) -> int:
    """Return the line with the names of columns; one of comment has another number of cells than the next."""
    start = 0
    while start < len(lines) and (not lines[start].strip() or lines[start].startswith('#')):
        if _GCT.match(lines[start].strip()):
            return start + 2
        tabs = lines[start].count('\t')
        below = lines[start + 1] if start + 1 < len(lines) else ''
        if tabs and below.count('\t') == tabs and not below.startswith('#'):
            break
        start += 1
    return start


def _cells(line: str, separator: str) -> list[str]:
    try:
        found = next(csv.reader([line.rstrip('\n')], delimiter=separator), [])
    except csv.Error as error:
        raise DataError(f'cannot be split into cells ({error}); is it a table of counts?') from error
    return [cell.strip() for cell in found]


def _place_of_genes(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Return 1 where the first column numbers the rows and the second has names, as R and pandas write it."""
    numbers = [row[0] for row in rows]
    counted = [[str(first + k) for k in range(len(rows))] for first in (0, 1)]
    is_numbered = columns[0].strip('. ').lower() in ('', 'x', 'index', 'unnamed: 0') and numbers in counted
    is_named = len(columns) > 2 and (
        is_annotation(columns[1]) or _share_of_words(row[1] for row in rows) == 1
    )
    return int(is_numbered and is_named)


def _share_of_words(cells: Iterable[str]) -> float:
    """Return which share of cells are no numbers."""
    return float(np.mean([math.isnan(number_of(cell)) for cell in cells]))


def read_counts(path: Path, columns: Mapping[str, str] | None = None) -> CountTable:
    """Read genes x samples, as pipelines write them.

    Parameters
    ----------
    path
        See :func:`read_layout`.
    columns
        The samples wanted, each with its column; None: every column is of a sample.

    Returns
    -------
    CountTable
        Rows that are no genes are left out, see :func:`~pipelines.stats.gene_names.check_genes`; estimates
        are rounded, see :func:`~pipelines.stats.count_values.whole_reads`.

    Raises
    ------
    DataError
        It cannot be read as such a table, a column is absent, a gene has several rows, or a value is no count.

    """
    decoded = read_text(path)
    layout = _layout(decoded.text)
    wanted = dict(columns) if columns is not None else {name: name for name in layout.named}
    absent = [name for name in wanted.values() if name not in layout.named]
    if absent:
        raise DataError(f'has no column {absent[0]}')
    table = _parse(decoded.text, layout, list(wanted.values()))
    genes = check_genes(list(table.index))
    kept = table[genes.is_gene].set_axis(list(wanted), axis=1)
    reads = whole_reads(kept.set_axis(kept.index.str.strip(), axis=0).rename_axis('gene_id'))
    return CountTable(reads.counts, (*_of_file(decoded.is_utf8, layout), *genes.remarks, *reads.remarks))


def _of_file(is_utf8: bool, layout: Layout) -> Iterator[Remark]:
    if not is_utf8:
        yield Remark('is not in UTF-8', 'read as Windows-1252; check letters such as ä or é')
    if layout.genes:
        yield Remark(
            'its first column numbers the rows', f'column "{layout.columns[1]}" has the names of genes'
        )


def _parse(text: str, layout: Layout, wanted: Sequence[str]) -> pd.DataFrame:
    """Return the values of columns by the names of genes, as numbers or as they stand."""
    rows = io.StringIO(text)
    for _ in range(layout.skipped):
        next(rows)
    _refuse_uneven(rows.read(), layout)
    try:
        table = pd.read_csv(
            io.StringIO(text), sep=layout.separator, header=None, names=range(len(layout.columns)), skiprows=layout.skipped,
            dtype={layout.genes: str}, keep_default_na=False, low_memory=False, skipinitialspace=True,
            float_precision=EXACT,
        )  # fmt: skip
    except (ValueError, csv.Error, OverflowError) as error:
        raise DataError(f'cannot be read: {error}') from error
    return table.set_index(layout.genes)[[layout.place(name) for name in wanted]]


def _refuse_uneven(body: str, layout: Layout) -> None:
    """Refuse rows whose cells may stand in another column than their own."""
    width, separator = len(layout.columns), layout.separator
    for number, line in enumerate(body.split('\n'), layout.skipped + 1):
        found = len(_cells(line, separator)) if '"' in line else line.count(separator) + 1
        if found != width and line.strip():
            raise DataError(
                f'line {number} has {found} cells where the first has {width}; add or remove cells, and quotation marks '
                'that are never closed'
            )
