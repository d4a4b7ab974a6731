"""Tables of gene counts and of their samples: checks, samples of one person and the filter of low counts."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipelines.errors import DataError

from .remarks import some

VISITS = ('reference', 'followup')
"""First and last sample: what change is counted from, and what it is counted to."""

SAMPLE_COLUMNS = ('sample_id', 'participant_id', 'arm', 'visit')
"""Required columns of a table of samples."""

MIN_COUNT = 10
"""A gene is kept when this many reads are seen in as many samples as the smaller arm has people."""


class Pairs(NamedTuple):
    """Samples that enter an analysis within people, and those that do not.

    Attributes
    ----------
    paired
        Rows of the table of samples, sorted by participant and visit.
    excluded
        ``participant_id sample_id reason``.

    """

    paired: pd.DataFrame
    excluded: pd.DataFrame


def sample_visits(names: Sequence[str]) -> tuple[str, ...]:
    """Return what tables call the visits of samples: the first and last as :data:`VISITS`, others by their names.

    Examples
    --------
    >>> sample_visits(['T0', 'T1', 'T2'])
    ('reference', 'T1', 'followup')

    """
    return (VISITS[0], *names[1:-1], VISITS[1])


def check_counts(counts: pd.DataFrame, samples: pd.DataFrame, visits: Sequence[str] = VISITS) -> None:
    """Check that counts are counts and that every sample is known.

    Parameters
    ----------
    counts
        Genes x samples: non-negative whole numbers, genes in the index, ``sample_id`` in the columns.
    samples
        One row per sample with :data:`SAMPLE_COLUMNS`.
    visits
        What ``visit`` may be.

    Raises
    ------
    DataError
        A value is negative, fractional or missing; a gene or sample occurs twice, or in one table only;
        a sample has no participant or no reads, or the same number for every gene; a participant has
        two samples of a visit or two arms.  The message names gene, sample and value.

    Examples
    --------
    >>> samples = pd.DataFrame({'sample_id': ['a'], 'participant_id': ['01'], 'arm': ['x'],
    ...                         'visit': ['reference']})
    >>> check_counts(pd.DataFrame({'a': [3, 1.5]}, index=['TP53', 'IL6']), samples)
    Traceback (most recent call last):
    ...
    pipelines.errors.DataError: gene IL6, sample a: 1.5 is no count; give raw reads, not normalised values

    """
    _check_samples(samples, visits)
    for what, labels in (('gene', counts.index), ('sample', counts.columns)):
        twice = labels[labels.duplicated()].unique()
        if len(twice):
            raise DataError(f'{what} {some(list(twice))} occurs more than once in the counts; merge or drop')
    listed = set(samples['sample_id'])
    for here, there, names in (
        ('counts', 'table of samples', [s for s in counts if s not in listed]),
        ('table of samples', 'counts', [s for s in samples['sample_id'] if s not in set(counts)]),
    ):
        if names:
            raise DataError(f'sample {some(names)}: in the {here}, not in the {there}; add or remove')
    _check_values(counts)


def _check_values(counts: pd.DataFrame) -> None:
    numbers = counts.apply(pd.to_numeric, errors='coerce').to_numpy(float)
    bad = ~(np.isfinite(numbers) & (numbers >= 0) & (numbers == np.floor(numbers)))
    if bad.any():
        gene, sample = np.argwhere(bad)[0]
        more = f' ({bad.sum()} such values)' if bad.sum() > 1 else ''
        raise DataError(
            f'gene {counts.index[gene]}, sample {counts.columns[sample]}: {counts.iat[gene, sample]} is no count'
            f'{more}; give raw reads, not normalised values'
        )
    for sample, column in zip(counts, numbers.T):
        if not column.any():
            raise DataError(f'sample {sample} has no reads; remove it from both tables')
        if len(column) > 1 and (column == column[0]).all():
            raise DataError(
                f'sample {sample} has {column[0]:g} reads of every gene; remove it from both tables'
            )


def _check_samples(samples: pd.DataFrame, visits: Sequence[str]) -> None:
    absent = [column for column in SAMPLE_COLUMNS if column not in samples]
    if absent:
        raise DataError(
            f'the table of samples has no column {", ".join(absent)}; it has {", ".join(samples)}'
        )
    for column in SAMPLE_COLUMNS:
        empty = samples.loc[samples[column].isna() | (samples[column] == ''), 'sample_id']
        if len(empty):
            raise DataError(f'sample {some(list(empty))} has no {column}')
    twice = samples.loc[samples['sample_id'].duplicated(), 'sample_id'].unique()
    if len(twice):
        raise DataError(f'sample {some(list(twice))} has more than one row in the table of samples')
    other = samples[~samples['visit'].isin(visits)]
    if len(other):
        row = other.iloc[0]
        raise DataError(f'sample {row["sample_id"]}: visit {row["visit"]} is none of {", ".join(visits)}')
    repeated = samples[samples.duplicated(['participant_id', 'visit'], keep=False)]
    for (person, visit), group in repeated.groupby(['participant_id', 'visit'], sort=False):
        raise DataError(
            f'participant {person} has {len(group)} samples of {visit}: {some(list(group["sample_id"]))}; '
            'add up technical replicates, or keep one'
        )
    for person, arms in samples.groupby('participant_id', sort=False)['arm']:
        if arms.nunique() > 1:
            raise DataError(f'participant {person} is in two arms: {", ".join(map(str, arms.unique()))}')


def pair_samples(
    samples: pd.DataFrame, covariates: Sequence[str] = (), visits: Sequence[str] = VISITS
) -> Pairs:
    """Return the samples of people who have two or more with all covariates, and why others are left out.

    Parameters
    ----------
    samples
        Checked by :func:`check_counts`.
    covariates
        Columns of it that must be known.
    visits
        In their order.

    Raises
    ------
    DataError
        A covariate is no column of the table.

    Examples
    --------
    >>> table = pd.DataFrame({'sample_id': ['a', 'b', 'c'], 'participant_id': ['1', '1', '2'],
    ...                       'arm': 'x', 'visit': ['reference', 'followup', 'reference']})
    >>> pairs = pair_samples(table)
    >>> pairs.paired['sample_id'].tolist(), pairs.excluded.to_numpy().tolist()
    (['a', 'b'], [['2', 'c', 'no followup sample']])

    """
    absent = [name for name in covariates if name not in samples]
    if absent:
        raise DataError(f'covariate {", ".join(absent)} is no column of the table of samples')
    order = samples['visit'].map(list(visits).index).rename('order')
    ordered = samples.assign(order=order).sort_values(['participant_id', 'order'], kind='stable')
    reasons: dict[str, str] = {}
    for _, own in ordered.groupby('participant_id', sort=False):
        unknown = own[list(covariates)].isna()
        complete = ~unknown.any(axis=1)
        if complete.sum() > 1:
            reasons |= {
                own.at[row, 'sample_id']: '; '.join(f'{name} missing' for name in covariates if cells[name])
                for row, cells in unknown[~complete].iterrows()
            }
            continue
        missing = [f'no {visit} sample' for visit in visits if visit not in set(own['visit'])]
        missing += [f'{name} missing' for name in covariates if unknown[name].any()]
        reasons |= dict.fromkeys(own['sample_id'], '; '.join(missing))
    left = ordered['sample_id'].isin(list(reasons))
    excluded = ordered.loc[left, ['participant_id', 'sample_id']]
    excluded = excluded.assign(reason=excluded['sample_id'].map(reasons).astype(object))
    return Pairs(ordered[~left].drop(columns='order').reset_index(drop=True), excluded.reset_index(drop=True))


def filter_counts(counts: pd.DataFrame, n_samples: int) -> pd.DataFrame:
    """Return the genes with at least :data:`MIN_COUNT` reads in at least ``n_samples`` samples.

    Examples
    --------
    >>> table = pd.DataFrame({'a': [10, 9], 'b': [12, 30], 'c': [0, 9]}, index=['kept', 'left'])
    >>> filter_counts(table, 2).index.tolist()
    ['kept']

    """
    return counts[(counts >= MIN_COUNT).sum(axis=1) >= n_samples]


def kept_genes(counts: pd.DataFrame, n_pairs: Mapping[str, int]) -> pd.DataFrame:
    """Return the counts of genes that are read often enough to be tested.

    Parameters
    ----------
    counts
        Genes x samples that enter.
    n_pairs
        By arm.

    Raises
    ------
    DataError
        There is none, or a sample has no read of them.

    """
    least = min(n_pairs.values())
    kept = filter_counts(counts, least)
    if not len(kept):
        raise DataError(f'none of {len(counts)} genes has 10 reads in {least} samples; are these raw counts?')
    empty = kept.columns[(kept == 0).all()]
    if len(empty):
        raise DataError(f'sample {empty[0]} has no read of the {len(kept)} genes that are tested; remove it')
    return kept.astype(float).astype(int)
