"""The table of sequenced samples, and which column of the counts each of them is."""

import os
from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from pipelines.errors import DataError
from pipelines.interfaces.counts import Layout, read_layout
from pipelines.stats.count_columns import Columns, match_columns

from ..tables.problems import nearest
from ..tables.text import MISSING
from .layouts import Cell, Key, Reader, Source
from .parts import Expression, Trial
from .people import covariate_values, read_column
from .visits import check_visits, summarise, tell_other_visits

_FEW = 0.5
"""A table of counts with a column for fewer than this share of the samples is hardly theirs."""


def read_expression(reader: Reader, trial: Trial, arms: Mapping[str, str]) -> pd.DataFrame | None:
    """Return ``participant_id arm visit session_id sample counts_column`` and covariates of sequenced samples.

    Notes
    -----
    A column of the counts may have the name of a file of the sample, or what R or a spreadsheet made of
    its name, where no other sample can be meant.  A sample without a column has an empty
    ``counts_column``: its person has no pair.  Columns of further samples are left out.

    """
    wanted = trial.expression
    if wanted is None:
        return None
    keys = [Key(visit.name, visit.session_id) for visit in wanted.visits]
    is_default = trial.is_default and not wanted.is_named
    has_counts = _has_counts(reader, wanted, is_default=is_default)
    sources = reader.find(
        wanted.samples, [wanted.sample_column], keys, is_default=is_default, outcome='expression'
    )
    if not sources or not has_counts:
        return None
    cells = [cell for cell in reader.cells(sources, wanted.sample_column, keys) if not cell.is_missing]
    summarise(reader, sources, cells, keys, outcome='expression')
    tell_other_visits(reader.problems, sources, [wanted.sample_column], keys, outcome='expression')
    check_visits(reader.problems, wanted.samples, cells, keys, is_default=is_default, outcome='expression')
    _refuse_shared_samples(reader, cells)
    columns = _match_samples(reader, wanted, cells, sources)
    used = sorted(cell for cell in cells if cell.participant_id in arms)
    table = pd.DataFrame(
        [
            (
                c.participant_id,
                arms[c.participant_id],
                c.key.name,
                c.key.session_id,
                c.text,
                columns.get(c.text, ''),
            )
            for c in used
        ],
        columns=['participant_id', 'arm', 'visit', 'session_id', 'sample', 'counts_column'],
    )
    for name in wanted.covariates:
        found = read_column(reader, wanted.samples, name, keys, is_default=is_default)
        values = covariate_values(found or [], reader.problems, is_category=name in trial.categories)
        table[name] = [values.get((c.participant_id, c.key.name)) for c in used]
    return table


def _has_counts(reader: Reader, wanted: Expression, *, is_default: bool) -> bool:
    if os.path.exists(reader.root / wanted.counts):
        return True
    if is_default:
        reader.problems.warn(wanted.counts, 'is absent', 'left out', outcome='expression')
    else:
        reader.problems.absent(
            wanted.counts, 'is absent', 'Correct Expression.Counts or add the file', outcome='expression'
        )
    return False


def _refuse_shared_samples(reader: Reader, cells: Sequence[Cell]) -> None:
    first: dict[str, Cell] = {}
    for cell in cells:
        other = first.setdefault(cell.text, cell)
        if other is not cell:
            reader.problems.stop(
                cell.table,
                f'the same sample as of {other.participant_id} at {other.key.session_id}, row {other.row}',
                'A sample is of one participant and visit', **cell.where(), value=cell.text,
            )  # fmt: skip


def _match_samples(
    reader: Reader, wanted: Expression, cells: Sequence[Cell], sources: Sequence[Source]
) -> dict[str, str]:
    """Return the column of each sample, after telling what is matched, missing or unknown."""
    try:
        layout = read_layout(reader.root / wanted.counts)
    except DataError as error:
        reader.problems.stop(wanted.counts, str(error), 'Give reads of genes x samples', outcome='expression')
        return {}
    # rows of nobody known are rows: their columns are no surprise
    listed = {text for source in sources for row in source.table.rows for text in row.cells.values()}
    named = {cell.column for cell in cells}
    samples = dict.fromkeys(
        row.cells[column]
        for source in sources
        for column in source.table.columns
        if column in named
        for row in source.table.rows
        if row.cells[column] not in MISSING
    )
    found = match_columns(layout.named, list(samples), listed)
    _tell_columns(reader, wanted, layout, found, listed)
    _tell_missing(reader, wanted, layout, found, cells)
    return found.column_of


def _tell_columns(
    reader: Reader, wanted: Expression, layout: Layout, found: Columns, listed: Collection[str]
) -> None:
    """Tell what columns are: samples by another name, annotation, samples not listed, or unknown."""
    problems, place = reader.problems, wanted.counts
    for name in dict.fromkeys(name for name in found.column_of.values() if layout.named.count(name) > 1):
        problems.stop(place, 'a sample with more than one column', 'Merge or remove them', value=name)
    for name in found.ambiguous:
        problems.stop(
            place, f'could be of several samples of {wanted.samples}, or is a second column of one',
            'Call it as the sample', value=name,
        )  # fmt: skip
    if found.annotation:
        action = f'columns of annotation left out: {", ".join(found.annotation)}'
        problems.summarise(place, action, outcome='expression')
    for sample, name in found.column_of.items():
        if sample != name:
            problems.warn(
                place, f'named otherwise than in {wanted.samples}', 'matched as shown; check that it is right',
                outcome='expression', value=f'{name} = {sample}',
            )  # fmt: skip
    for name in found.others:
        if layout.holds_words(name):
            problems.stop(
                place, 'a column of words that is neither a sample nor a known annotation',
                'Remove it; names of genes belong into the first column', value=name,
            )  # fmt: skip
        elif name not in listed:
            problems.warn(
                place, f'a sample without participant: {wanted.samples} does not list it', 'left out',
                outcome='expression', value=name,
            )  # fmt: skip


def _tell_missing(
    reader: Reader, wanted: Expression, layout: Layout, found: Columns, cells: Sequence[Cell]
) -> None:
    """Tell which samples have no column; where most have none, the table is another one."""
    missing = [cell for cell in cells if cell.text not in found.column_of]
    if found.ambiguous or len(missing) <= _FEW * len(cells):
        for cell in missing:
            reader.problems.warn(
                cell.table, f'a sample without counts in {wanted.counts}', 'left out, and its person has no pair',
                **cell.where(), outcome='expression', value=cell.text,
            )  # fmt: skip
        return
    first = {row[layout.genes] for row in layout.rows}
    hint = (
        nearest(missing[0].text, found.others)
        if found.others
        else 'Add them, or write n/a for samples without counts'
    )
    if any(cell.text in first for cell in cells):
        hint = 'It has samples in rows: turn it, so that genes are in rows'
    reader.problems.stop(
        wanted.counts,
        f'has no column for {len(missing)} of {len(cells)} samples of {wanted.samples}, such as {missing[0].text}',
        hint, outcome='expression',
    )  # fmt: skip
