"""Reads, estimates of reads, and what is neither; size factors where nearly every gene has a zero."""

import numpy as np
import pandas as pd
import pytest

from pipelines.errors import DataError
from pipelines.simulated.counts import simulate_counts
from pipelines.stats.count_values import is_scaled, whole_reads
from pipelines.stats.counts import kept_genes
from pipelines.stats.deseq import LEAST_COMPLETE, fit_counts, size_factor_type


@pytest.fixture(scope='module')
def reads() -> pd.DataFrame:
    drawn = simulate_counts(
        np.random.default_rng(5), n_people=8, n_treated=4, n_genes=800, n_changed=20, n_pathways=2
    )
    counts = drawn.counts[:, :10]
    return pd.DataFrame(counts, [f'g{k}' for k in range(800)], [f's{k}' for k in range(10)])


def test_whole_numbers_stay_and_nothing_is_said(reads):
    for written in (reads, reads.astype(float), reads.astype(str), reads.astype(str) + '.0'):
        found = whole_reads(written)
        pd.testing.assert_frame_equal(found.counts, reads)
        assert found.remarks == ()


def test_estimates_are_rounded_and_counted(reads, rng):
    shift = np.where(reads > 0, rng.uniform(-0.49, 0.49, reads.shape), 0).round(3)
    found = whole_reads((reads + shift).astype(str))
    pd.testing.assert_frame_equal(found.counts, reads)
    assert str(found.remarks[0]) == (
        f'{(shift != 0).sum():,} values are estimates with fractions; rounded to whole reads, by at most '
        f'{np.abs(shift).max():.2g}'
    )


def test_halves_are_rounded_to_even_ones_as_r_does():
    table = pd.DataFrame({'a': [0.5, 1.5, 2.5, 99.49, 40]}, index=list('abcde'))
    assert whole_reads(table).counts['a'].tolist() == [0, 2, 2, 99, 40]


@pytest.mark.parametrize(
    ('value', 'shown'),
    [
        ('-1', '-1'), ('-0.2', '-0.2'), ('nan', 'nan'), ('inf', 'inf'), ('-inf', '-inf'), ('', 'an empty cell'),
        ('n/a', 'n/a'), ('many', 'many'), ('1,5', '1,5'), ('1e300', '1e300'), ('12 reads', '12 reads'), ('x' * 99, 'x' * 40),
    ],
)  # fmt: skip
def test_what_is_no_count_is_named_by_gene_and_sample(reads, value, shown):
    table = reads.astype(object)
    table.loc['g7', 's3'] = value
    with pytest.raises(DataError) as caught:
        whole_reads(table)
    assert f'gene g7, sample s3: {shown} is no count; give raw reads' in str(caught.value)
    table.loc['g8', 's3'] = value
    with pytest.raises(DataError, match=r'\(2 such values\)'):
        whole_reads(table)


def test_truth_values_are_no_counts():
    with pytest.raises(DataError, match='True is no count'):
        whole_reads(pd.DataFrame({'a': [True, False]}, index=['x', 'y']))


def tpm(reads):
    rate = reads.div(np.random.default_rng(1).uniform(500, 9000, len(reads)), axis=0)
    return 1e6 * rate / rate.sum()


def scaled(reads, digits=None):
    table = reads / np.random.default_rng(2).uniform(0.6, 1.7, reads.shape[1])
    return table if digits is None else table.round(digits)


@pytest.mark.parametrize(
    ('normalised', 'said'),
    [
        (tpm, 'add up to 1,000,000'),
        (lambda reads: tpm(reads).round(2), 'add up to 1,000,000'),
        (lambda reads: tpm(reads).round(), 'add up to 1,000,000'),
        (lambda reads: 1e6 * reads / reads.sum(), 'add up to 1,000,000'),
        (lambda reads: np.log2(reads + 1), 'as logarithms do'),
        (lambda reads: np.log2(tpm(reads) + 1).round(3), 'as logarithms do'),
        (lambda reads: scaled(reads.clip(upper=60)), 'multiples of a fraction'),
        (lambda reads: scaled(reads.clip(upper=60), 3), 'multiples of a fraction'),
    ],
)
def test_normalised_tables_are_refused(reads, normalised, said):
    # one read in some gene of every sample, as a whole table has
    shallow = reads.copy()
    shallow.iloc[::4] = np.random.default_rng(3).poisson(2, shallow.iloc[::4].shape)
    with pytest.raises(DataError, match=said):
        whole_reads(normalised(shallow))


def test_estimates_with_simple_fractions_are_not_scaled(rng):
    """Reads shared by two or three genes: most are whole, the smallest may be a half or a third."""
    whole = rng.poisson(3, 2000)
    for share in (2, 3, 5):
        estimates = np.where(rng.random(2000) < 0.2, whole + rng.integers(1, share, 2000) / share, whole)
        assert not is_scaled(estimates)
    assert not is_scaled(whole)
    assert not is_scaled(rng.gamma(1, 5, 2000))
    assert not is_scaled(np.zeros(50))
    assert is_scaled(whole / 1.31)


def test_a_million_reads_drawn_of_every_sample_are_counts(rng):
    table = pd.DataFrame(
        rng.multinomial(1_000_000, np.full(50, 0.02), 4).T, [f'g{k}' for k in range(50)], list('abcd')
    )
    assert (table.sum() == 1_000_000).all()
    assert whole_reads(table).remarks == ()


# --- size factors -----------------------------------------------------------------------------------


def sparse(reads: pd.DataFrame) -> pd.DataFrame:
    """Put a zero into every gene, another sample each time."""
    table = reads.clip(lower=1).to_numpy().copy()
    table[np.arange(len(table)), np.arange(len(table)) % table.shape[1]] = 0
    return pd.DataFrame(table, reads.index, reads.columns)


def brute_force_poscounts(counts: pd.DataFrame) -> list[float]:
    """Return size factors by loops over the definition."""
    n = counts.shape[1]
    log_means = {
        gene: sum(np.log(k) for k in row if k > 0) / n for gene, row in zip(counts.index, counts.to_numpy())
    }
    factors = []
    for sample in counts:
        ratios = [np.log(k) - log_means[gene] for gene, k in counts[sample].items() if k > 0]
        factors.append(float(np.exp(np.median(ratios))))
    return [factor / np.exp(np.mean(np.log(factors))) for factor in factors]


def two_groups(counts: pd.DataFrame) -> pd.DataFrame:
    late = np.arange(counts.shape[1]) % 2
    return pd.DataFrame({'intercept': 1.0, 'late': late}, index=counts.columns)


def test_poscounts_are_those_of_the_definition(reads):
    counts = sparse(reads)
    found = fit_counts(counts, two_groups(counts), {'late': np.array([0, 1])})
    assert found.size_factor_type == 'poscounts'
    # sums in another order: rounding only
    np.testing.assert_allclose(found.size_factors[counts.columns], brute_force_poscounts(counts), rtol=1e-12)
    assert np.isfinite(found.vst.to_numpy()).all()


def test_a_zero_in_every_gene_hardly_moves_size_factors(reads):
    """A median moves little when every tenth value of a sample is taken from it."""
    counts = sparse(reads)
    full = fit_counts(reads.clip(lower=1), two_groups(reads), {})
    assert full.size_factor_type == 'ratio'
    found = fit_counts(counts, two_groups(counts), {})
    ratio = np.log(found.size_factors / full.size_factors)
    assert np.abs(ratio - ratio.mean()).max() < 0.05


def test_size_factors_are_medians_of_ratios_as_long_as_genes_are_complete(reads):
    """Formula of Anders and Huber, by numpy, in tables where some genes have a zero."""
    counts = reads.clip(lower=1)
    counts.iloc[: len(counts) // 2, 0] = 0
    assert size_factor_type(counts) == 'ratio'
    found = fit_counts(counts, two_groups(counts), {}).size_factors
    complete = np.log(counts[(counts > 0).all(axis=1)])
    wanted = np.exp(complete.sub(complete.mean(axis=1), axis=0).median())
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_few_complete_genes_are_not_enough():
    counts = pd.DataFrame(np.ones((100, 4), int))
    n = round(100 * LEAST_COMPLETE)
    counts.iloc[n:, 0] = 0
    assert size_factor_type(counts) == 'ratio'
    counts.iloc[n - 1 :, 0] = 0
    assert size_factor_type(counts) == 'poscounts'


def test_a_sample_without_reads_of_the_tested_genes_is_named():
    counts = pd.DataFrame({'a': [30, 40, 0], 'b': [20, 50, 0], 'c': [0, 0, 9]}, index=['x', 'y', 'z'])
    with pytest.raises(DataError, match='sample c has no read of the 2 genes that are tested'):
        kept_genes(counts, {'exercise': 2, 'waitlist': 3})
    assert kept_genes(counts[['a', 'b']], {'exercise': 2}).index.tolist() == ['x', 'y']
