"""Gene counts, samples and gene sets as pipelines, R and spreadsheets write them, through the command line.

Each case changes one thing of a trial that is right.  What is right stands beside it: the reads and sets
of the unchanged trial, with or without a word about it, or a refusal that says file, value and remedy.
"""

import csv
import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from bids_app.cli import main
from pipelines.interfaces.counts import read_counts
from pipelines.interfaces.expression import read_sets
from pipelines.interfaces.tables import read_columns
from pipelines.stats.expression import differential_expression
from pipelines.stats.genesets import match_sets
from tests.app.trial_data import write_expression, write_trial

COUNTS, SAMPLES, SETS = 'sourcedata/rnaseq/counts.tsv.gz', 'phenotype/rnaseq.tsv', 'code/sets.gmt'
PEOPLE, N_GENES = 12, 400
TAILS = ('__no_feature', '__ambiguous', '__too_low_aQual', '__not_aligned', '__alignment_not_unique')
STAR = ('N_unmapped', 'N_multimapping', 'N_noFeature', 'N_ambiguous')
ANNOTATION = {'Chr': '1;1', 'Start': '100;200', 'End': '150;250', 'Strand': '+;+', 'Length': '100'}


class Dataset:
    """A copy of the trial whose files a case changes."""

    def __init__(self, root: Path) -> None:
        self.root, self.sets, self.out = root, root / SETS, root.parent / 'out' / 'group'

    def counts(self) -> pd.DataFrame:
        return pd.read_csv(self.root / COUNTS, sep='\t', dtype=str, keep_default_na=False)

    def put(self, table: pd.DataFrame, before: str = '', **options: object) -> None:
        with gzip.open(self.root / COUNTS, 'wt') as stream:
            stream.write(before + table.to_csv(**{'sep': '\t', 'index': False} | options))

    def result(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self.out / f'{name}.tsv', sep='\t', na_values='n/a', keep_default_na=False)


@pytest.fixture(scope='module')
def base(once) -> Path:
    def make(folder: Path) -> None:
        bids, _ = write_trial(folder, n=PEOPLE, images=False)
        write_expression(bids, n_genes=N_GENES)

    return once('counts_cases', make) / 'bids'


@pytest.fixture
def data(base, tmp_path) -> Dataset:
    return Dataset(Path(shutil.copytree(base, tmp_path / 'bids')))


def run(data: Dataset, *words: str) -> int:
    """Run the group level and return its status."""
    root = data.root.parent
    fixed = ['-w', str(root / 'work'), '--nprocs', '1', '--gene-sets', str(data.sets)]
    return main(
        [str(data.root), str(root / 'out'), 'group', *fixed, '--skip', 'voxelwise', 'mediation', *words]
    )


def planned(data: Dataset) -> tuple[pd.DataFrame, dict[str, tuple[str, ...]]]:
    """Return reads and sets as the steps of the plan will have them."""
    samples = read_columns(data.root.parent / 'work' / 'group_tables' / 'samples.json')
    columns = dict(zip(samples['sample_id'], samples['counts_column']))
    counts = read_counts(data.root / COUNTS, columns).counts
    return counts, usable(data.sets, counts)


def usable(sets: Path, counts: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    return match_sets(read_sets([sets], list(counts.index)).sets, counts.index).sets


@pytest.fixture
def wanted(base) -> pd.DataFrame:
    """Return the reads of the unchanged trial."""
    return read_counts(base / COUNTS).counts


# --- the reads of the unchanged trial ------------------------------------------------------------------


def salmon(data):
    """Estimates with fractions, as tximport, RSEM and nf-core write them."""
    table, rng = data.counts(), np.random.default_rng(0)
    for name in table.columns[1:]:
        reads = table[name].astype(float)
        table[name] = (
            (reads + np.where(reads > 0, rng.uniform(-0.49, 0.49, len(reads)), 0)).round(3).astype(str)
        )
    data.put(table)


def whole_floats(data):
    table = data.counts()
    table.iloc[:, 1:] += '.0'
    data.put(table)


def annotated(data, before=''):
    table = data.counts()
    for place, (name, value) in enumerate(ANNOTATION.items(), 1):
        table.insert(place, name, value)
    data.put(table.rename(columns={table.columns[0]: 'Geneid'}), before)


def feature_counts(data):
    annotated(data, '# Program:featureCounts v2.0.6; Command:"featureCounts" "-a" "genes.gtf"\n')


def renamed(pattern):
    """Name the columns of samples otherwise."""

    def change(data):
        table = data.counts()
        data.put(table.rename(columns={name: pattern.format(name) for name in table.columns[1:]}))

    return change


def tails(*names, first=False):
    def change(data):
        table = data.counts()
        rows = [[name, *(str(200_000 + 977 * k) for k in range(table.shape[1] - 1))] for name in names]
        parts = [table, pd.DataFrame(rows, columns=table.columns)]
        data.put(pd.concat(parts[::-1] if first else parts))

    return change


def column(name, value=None):
    def change(data):
        table = data.counts()
        table.insert(1, name, table.iloc[:, 0] if value is None else value)
        data.put(table)

    return change


def r_rownames(data):
    table = data.counts()
    data.put(table, '\t'.join(table.columns[1:]) + '\n', header=False)


def x_prefixed(data):
    """R's check.names: X before digits, dots for dashes."""
    table, path = data.counts(), data.root / SAMPLES
    names = {name: f'{number:02d}-{name}' for number, name in enumerate(table.columns[1:], 1)}
    samples = pd.read_csv(path, sep='\t', dtype=str)
    samples.assign(sample_id=samples['sample_id'].map(names)).to_csv(path, sep='\t', index=False)
    data.put(table.rename(columns={old: 'X' + new.replace('-', '.') for old, new in names.items()}))


def unpacked(data):
    path = data.root / COUNTS
    path.write_bytes(gzip.decompress(path.read_bytes()))


def of_sets(change):
    """Change the text of the gene sets; what is given is bytes."""
    return lambda data: data.sets.write_bytes(change(data.sets.read_text()))


class Right(NamedTuple):
    """A case with the reads of the unchanged trial, and what is said; without that, not a word is."""

    change: Callable[[Dataset], object]
    said: tuple[str, ...] = ()


SAME = {
    'same': Right(lambda data: None),
    'salmon_float': Right(salmon, ('values are estimates with fractions. Rounded to whole reads, by at most 0.49',)),
    'float_integers': Right(whole_floats),
    'feature_counts': Right(feature_counts),
    'feature_counts_nocomment': Right(annotated),
    'feature_counts_bam': Right(
        renamed('results/{}.sorted.bam'), ('results/01_wk3.sorted.bam = 01_wk3', 'and 19 more: named otherwise than in'),
    ),
    'star_bam': Right(renamed('{}Aligned.sortedByCoord.out.bam'), ('01_wk3Aligned.sortedByCoord.out.bam = 01_wk3',)),
    'htseq_tail': Right(tails(*TAILS), ('__no_feature, __ambiguous', 'rows that are no genes (5). Left out')),
    'star_head': Right(tails(*STAR, first=True), ('N_unmapped, N_multimapping', 'rows that are no genes (4). Left out')),
    'gene_name_column': Right(column('gene_name')),
    'rsem_transcripts': Right(column('transcript_id(s)', 'ENST00000404625,ENST00000258743')),
    'r_rownames': Right(r_rownames),
    'r_quoted': Right(lambda data: data.put(data.counts(), quoting=csv.QUOTE_NONNUMERIC)),
    'r_blanks': Right(lambda data: data.put(data.counts(), sep=' ', quoting=csv.QUOTE_NONNUMERIC)),
    'csv_counts': Right(lambda data: data.put(data.counts(), sep=',')),
    'semicolons': Right(lambda data: data.put(data.counts(), sep=';')),
    'plain_text_called_gz': Right(unpacked),
    'numbered_rows': Right(lambda data: data.put(data.counts(), index=True), ('its first column numbers the rows',)),
    'x_prefixed': Right(x_prefixed, ('X01.01_wk3 = 01-01_wk3', 'Matched as shown; check that it is right')),
    'extra_samples': Right(
        lambda data: data.put(data.counts().assign(pilot='7', blank='0')),
        ('"pilot", "blank"', 'a sample without participant', 'Left out'),
    ),
    'gmt_blank': Right(of_sets(lambda text: '\t\t\t\r\n'.join(text.split('\n')).encode() + b'\r\n\r\n')),
    'gmt_weights': Right(
        of_sets(lambda text: text.replace('\tGENE', ',1.0\tGENE').replace('a set,1.0', 'a set').encode()),
        ('genes have weights (', 'Weights are not used',),
    ),
    'gmt_latin1': Right(
        of_sets(lambda text: text.encode() + 'SET_ä\tna\tA\tB\n'.encode('latin-1')),
        ('is not in UTF-8. Read as Windows-1252',),
    ),
}  # fmt: skip


@pytest.mark.parametrize('case', SAME)
def test_reads_and_sets_are_those_of_the_unchanged_trial(data, base, wanted, caplog, case):
    SAME[case].change(data)
    assert run(data, '--dry-run') == 0
    counts, found = planned(data)
    names = [name.split('-')[-1] for name in counts]
    pd.testing.assert_frame_equal(counts.set_axis(names, axis=1).loc[wanted.index], wanted[names])
    assert len(counts) == len(wanted)
    assert found == usable(base / SETS, wanted)
    tell(caplog, SAME[case].said)


def tell(caplog, said):
    """Check that exactly one warning is about counts or sets, and what it says; none without words."""
    found = [text for text in caplog.messages if 'rnaseq' in text or 'sets.gmt' in text]
    assert len(found) == bool(said), found
    for each in said:
        assert each in found[0]


# --- other reads, or other genes -----------------------------------------------------------------------


def genes(*names):
    """Name the first genes otherwise."""

    def change(data):
        table = data.counts()
        table.iloc[: len(names), 0] = names
        data.put(table)

    return change


def par_y(data):
    table = data.counts()
    data.put(pd.concat([table, table.iloc[[0]].assign(gene=table.iloc[0, 0] + '_PAR_Y')]))


def all_zero(data):
    table = data.counts()
    zeros = pd.DataFrame('0', range(500), table.columns).assign(gene=[f'ZERO{k}' for k in range(500)])
    data.put(pd.concat([table, zeros]))


class Told(NamedTuple):
    """A case that is analysed with other rows or names; ``n_genes`` rows are genes."""

    change: Callable[[Dataset], object]
    n_genes: int
    said: tuple[str, ...] = ()


OTHER = {
    'excel_dates': Told(
        genes('1-Mar', '2-Sep', '2023-12-01'), N_GENES,
        ('1-Mar (was MARCHF1 or MTARC1), 2-Sep (was SEPTIN2), 2023-12-01 (was DELEC1)', 'column of names as text'),
    ),
    'excel_same_date': Told(
        genes('1-Mar', '1-Mar'), N_GENES - 2, ('1-Mar (was MARCHF1 or MTARC1)', 'Left out, for several have the same date'),
    ),
    'excel_floats': Told(genes('2.31E+13', '4.93E+10'), N_GENES, ('2.31E+13, 4.93E+10', 'turned into numbers')),
    'serial_number': Told(genes('43891'), N_GENES),
    'empty_gene_name': Told(genes('', 'NA', '', ' '), N_GENES - 4, ('rows without a name of a gene (4). Left out',)),
    'par_y': Told(par_y, N_GENES + 1),
    'all_zero_genes': Told(all_zero, N_GENES + 500),
}  # fmt: skip


@pytest.mark.parametrize('case', OTHER)
def test_other_rows_are_told_with_their_number(data, wanted, caplog, case):
    OTHER[case].change(data)
    assert run(data, '--dry-run') == 0
    counts, _ = planned(data)
    assert len(counts) == OTHER[case].n_genes
    kept = counts.index.intersection(wanted.index)
    pd.testing.assert_frame_equal(counts.loc[kept], wanted.loc[kept, counts.columns])
    tell(caplog, OTHER[case].said)


def versions(counts, sets):
    """Name genes as Ensembl does, with these versions in counts and in sets."""

    def change(data):
        table = data.counts()
        ids = {name: f'ENSG{number:011d}' for number, name in enumerate(table['gene'])}
        data.put(table.assign(gene=[ids[name] + counts for name in table['gene']]))
        lines = [line.split('\t') for line in data.sets.read_text().splitlines()]
        named = ['\t'.join([*own[:2], *(ids[gene] + sets for gene in own[2:])]) for own in lines]
        data.sets.write_text('\n'.join(named) + '\n')

    return change


def lower_case(data):
    table = data.counts()
    data.put(table.assign(gene=table['gene'].str.capitalize()))


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (versions('.7', ''), 'by a version ('),
        (versions('', '.3'), 'by a version ('),
        (versions('.3', '.4'), 'by a version ('),
        (lower_case, 'by case ('),
    ],
    ids=['version_suffix', 'version_in_sets', 'other_version', 'lower_case_genes'],
)
def test_identifiers_that_mean_the_same_are_matched_and_told(data, base, wanted, caplog, change, said):
    change(data)
    assert run(data, '--dry-run') == 0
    counts, found = planned(data)
    names = dict(zip(wanted.index, counts.index))  # genes keep the names that they have in the counts
    sets = usable(base / SETS, wanted)
    assert found == {name: tuple(names[gene] for gene in own) for name, own in sets.items()}
    tell(caplog, ['genes of the sets differ from the counts', said, 'Matched without regard to it, such as '])


def ensembl(*beside, sets=lambda gene: gene):
    """Name genes of the counts as Ensembl does, with annotation beside, and those of the sets otherwise."""

    def change(data):
        table = data.counts()
        symbols = table['gene']
        ids = [f'ENSG{number:011d}.{number % 7}' for number in range(len(table))]
        table = table.assign(gene=ids)
        for place, (name, cell) in enumerate(beside, 1):
            table.insert(place, name, [cell(symbol) for symbol in symbols])
        data.put(table)
        lines = [line.split('\t') for line in data.sets.read_text().splitlines()]
        data.sets.write_text('\n'.join('\t'.join([*own[:2], *map(sets, own[2:])]) for own in lines) + '\n')

    return change


def biotype(symbol):
    return 'protein_coding'


def entrez(gene):
    return str(1000 + int(gene.removeprefix('GENE')))


@pytest.mark.parametrize(
    ('change', 'said', 'unsaid'),
    [
        (ensembl(), ['sets have gene symbols (GENE', 'counts Ensembl gene ids (ENSG', 'give sets with Ensembl gene ids, or name '
                     'the rows of the counts by gene symbols'], 'put it first'),
        (ensembl(('gene_name', str)), [f'column gene_name of {COUNTS} has such names: put it first'], 'species'),
        (ensembl(('gene_name', str), sets=entrez), ['the sets have Entrez ids (1', 'by Entrez ids'], 'put it first'),
        (ensembl(('entrez_id', entrez), ('gene_biotype', biotype), sets=entrez), ['column entrez_id of '], 'gene_biotype'),
        (lambda data: data.sets.write_text('a\tb\t' + '\t'.join(f'TP{n}' for n in range(30))),
         ['the sets have gene symbols (TP0), the counts gene symbols (GENE', 'sets of the same species'], 'put it first'),
    ],
    ids=['ensembl', 'symbols_beside', 'symbols_beside_entrez', 'entrez_beside', 'other_symbols'],
)  # fmt: skip
def test_sets_with_other_identifiers_say_both_and_the_way_out(data, capsys, change, said, unsaid):
    """Ensembl's identifiers of a pipeline and symbols of MSigDB; where the counts have symbols beside, which column."""
    change(data)
    assert run(data, '--dry-run') == 65
    error = capsys.readouterr().err
    for each in ['(gene sets): 0 of ', *said]:
        assert each in error
    assert unsaid not in error
    assert 'Traceback' not in error


def test_the_column_that_was_named_first_is_used(data, wanted):
    """The way out that a message shows: symbols in front, Ensembl's identifiers behind as annotation."""
    ensembl(('gene_name', str))(data)
    table = data.counts()
    symbols = table.pop('gene_name')
    table = table.rename(columns={'gene': 'gene_id'})
    table.insert(0, 'gene_name', symbols)
    data.put(table)
    assert run(data, '--dry-run') == 0
    counts = planned(data)[0]
    pd.testing.assert_frame_equal(counts, wanted[counts.columns], check_names=False)


def test_samples_without_counts_cost_their_pairs(data, caplog):
    data.put(data.counts().drop(columns=['01_wk3', '02_wk14']))
    assert run(data, '--dry-run') == 0
    tell(
        caplog, [SAMPLES, 'sub-01', '"01_wk3"', 'sub-02', '"02_wk14"', f'a sample without counts in {COUNTS}']
    )
    assert planned(data)[0].shape == (N_GENES, 2 * PEOPLE - 2)


# --- refused ---------------------------------------------------------------------------------------------


def numbers(change):
    """Change all values of the table at once."""

    def harm(data):
        table = data.counts()
        data.put(pd.concat([table.iloc[:, :1], change(table.iloc[:, 1:].astype(float))], axis=1))

    return harm


def value(text):
    def harm(data):
        table = data.counts()
        table.iloc[3, 2] = text
        data.put(table)

    return harm


def two_files(data):
    table = data.counts()
    data.put(table.rename(columns={'01_wk3': 'a/01_wk3.bam', '01_wk14': 'b/01_wk3.bam'}))


REFUSED = {
    'negative': (value('-3'), ['gene GENE3, sample ', ': -3 is no count; give raw reads or estimates of reads']),
    'nan': (value('nan'), ['gene GENE3, sample ', ': nan is no count']),
    'inf': (value('inf'), ['gene GENE3, sample ', ': inf is no count']),
    'words': (value('many'), ['gene GENE3, sample ', ': many is no count']),
    'empty': (value(''), ['gene GENE3, sample ', ': an empty cell is no count']),
    'cpm': (numbers(lambda reads: 1e6 * reads / reads.sum()), ['add up to 1,000,000, as TPM and CPM do']),
    'log': (numbers(lambda reads: np.log2(reads + 1).round(4)), ['as logarithms do']),
    'duplicated_symbols': (genes('GENE1'), ['gene GENE1 occurs more than once', 'identifiers', 'add up or remove rows']),
    'unknown_words': (column('alias', 'x'), ['"alias"', 'a column of words that is neither', 'Remove it']),
    'transposed': (
        lambda data: data.put(data.counts().set_index('gene').T.rename_axis('sample').reset_index()),
        ['has samples in rows', 'turn it'],
    ),
    'other_names': (renamed('run{}x'), ['has no column for 24 of 24 samples', 'Did you mean run']),
    'two_files_of_a_sample': (two_files, ['"a/01_wk3.bam", "b/01_wk3.bam"', 'could be of several samples']),
    'excel': (lambda data: (data.root / COUNTS).write_bytes(b'PK\x03\x04' + bytes(99)), ['is an Excel workbook', 'as text']),
}  # fmt: skip


def test_a_part_that_is_left_out_is_not_read(data, capsys):
    value('many')(data)
    data.put(data.counts().set_index('gene').T.reset_index())
    assert run(data, '--dry-run', '--skip', 'expression', 'mediation', 'voxelwise') == 0
    assert COUNTS not in capsys.readouterr().err


@pytest.mark.parametrize('case', REFUSED)
def test_what_cannot_be_told_is_refused_with_its_remedy(data, capsys, case):
    change, said = REFUSED[case]
    change(data)
    assert run(data, '--dry-run') == 65
    error = capsys.readouterr().err
    for each in [COUNTS, *said]:
        assert each in error
    assert 'Traceback' not in error


# --- results ---------------------------------------------------------------------------------------------


def genes_of(data: Dataset) -> pd.DataFrame:
    """Return the genes of the plan, tested as its step does."""
    samples = read_columns(data.root.parent / 'work' / 'group_tables' / 'samples.json')
    return differential_expression(planned(data)[0], samples, arms=('exercise', 'waitlist')).table


def test_an_outlier_is_not_called_and_moves_no_other_gene(data):
    assert run(data, '--dry-run') == 0
    before = genes_of(data)
    table = data.counts()
    table.iloc[200, 3] = '5000000'
    data.put(table)
    assert run(data, '--dry-run') == 0
    after = genes_of(data)
    own = after['gene_id'] == table['gene'][200]
    assert own.sum() == 4
    assert (after.loc[own, 'padj'] > 0.5).all()
    # others share the trend and the prior of dispersions with it
    np.testing.assert_allclose(after.loc[~own, 'stat'], before.loc[~own, 'stat'], atol=0.05)
    np.testing.assert_allclose(after.loc[~own, 'F'], before.loc[~own, 'F'], rtol=0.15, atol=0.01)
    # what is at the threshold may cross it
    differs = (after['padj'] < 0.1) != (before['padj'] < 0.1)
    assert before.loc[differs, 'padj'].between(0.08, 0.12).all()
    assert differs.sum() <= 0.1 * (before['padj'] < 0.1).sum()


def test_genes_of_zeros_change_nothing(data):
    assert run(data, '--dry-run') == 0
    before = genes_of(data)
    all_zero(data)
    assert run(data, '--dry-run') == 0
    pd.testing.assert_frame_equal(genes_of(data), before)


# --- whole runs ------------------------------------------------------------------------------------------


@pytest.mark.long
def test_tails_do_not_enter_the_result(data, wanted):
    tails(*TAILS)(data)
    assert run(data) == 0
    samples = data.result('expression_samples')
    expected = differential_expression(
        wanted[samples['sample_id']], samples, arms=('exercise', 'waitlist')
    ).table
    found = data.result('expression_deseq2')
    assert list(found['gene_id']) == list(expected['gene_id'])
    for name in ('baseMean', 'log2FoldChange', 'stat', 'padj'):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-8)  # ten digits are written
    facts = json.loads((data.out / 'expression_deseq2.json').read_text())
    assert facts['CountTable'] == [f'{", ".join(TAILS)}: rows that are no genes (5); left out']
    assert facts['SizeFactors'] == 'ratio'
    assert (data.result('phenotype_report')['problem'] == 'rows that are no genes (5)').sum() == 1
    assert 'rows that are no genes (5)' in (data.out / 'report.html').read_text()
    assert 'to their geometric mean' in (data.out / 'CITATION.md').read_text()


@pytest.mark.long
def test_size_factors_of_sparse_counts_are_poscounts_and_said(data, wanted, caplog):
    table = data.counts()
    for row in range(len(table)):
        table.iloc[row, 1 + row % (table.shape[1] - 1)] = '0'
    data.put(table)
    assert run(data) == 0
    tell(caplog, ['nearly every gene', 'Size factors are those of the positive counts (poscounts)'])
    samples = data.result('expression_samples').set_index('sample_id')
    counts = read_counts(data.root / COUNTS).counts[samples.index]
    kept = counts[(counts >= 10).sum(axis=1) >= PEOPLE // 2]
    logs = np.log(kept.where(kept > 0))
    factors = np.exp(logs.sub(logs.sum(axis=1) / logs.shape[1], axis=0).median())
    # ten digits are written
    np.testing.assert_allclose(samples['size_factor'], factors / np.exp(np.log(factors).mean()), rtol=1e-8)
    full = np.log(wanted.loc[(wanted > 0).all(axis=1), samples.index])
    ratio = np.log(samples['size_factor']) - full.sub(full.mean(axis=1), axis=0).median()
    # one zero in 24 values hardly moves a median of 400 genes
    assert np.abs(ratio - ratio.mean()).max() < 0.05
    facts = json.loads((data.out / 'expression_deseq2.json').read_text())
    assert (facts['SizeFactors'], 'size_factors_poscounts' in facts['Flags']) == ('poscounts', True)
    assert 'size factors rest on positive counts (poscounts)' in (data.out / 'report.html').read_text()
    assert 'poscounts' in (data.out / 'CITATION.md').read_text()
