"""Tables of counts and files of gene sets as pipelines, R and spreadsheets write them, whole and damaged."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.errors import DataError, MissingInputError
from pipelines.interfaces import _text
from pipelines.interfaces.counts import read_counts, read_layout
from pipelines.interfaces.expression import read_sets
from pipelines.stats.deseq import fit_counts
from pipelines.stats.genesets import read_gmt
from tests import damage

COUNTS = pd.DataFrame(
    {'s1': [5, 0, 812], 's-2': [7, 31, 0], '3': [1, 2, 3]},
    index=pd.Index(['TP53', 'null', '3569'], name='gene_id'),
)
ANNOTATION = {'Chr': '1;1', 'Start': '1;2', 'End': '3;4', 'Strand': '+;+', 'Length': '4'}


def table(**options) -> str:
    return COUNTS.to_csv(sep='\t', lineterminator='\n', **options)


def annotated() -> str:
    wide = COUNTS.reset_index().rename(columns={'gene_id': 'Geneid'})
    for place, (name, value) in enumerate(ANNOTATION.items(), 1):
        wide.insert(place, name, value)
    return wide.to_csv(sep='\t', index=False)


def gct() -> str:
    wide = COUNTS.rename_axis('Name')
    wide.insert(0, 'Description', ['a', 'b c', ''])
    return f'#1.2\n{len(COUNTS)}\t{COUNTS.shape[1]}\n' + wide.to_csv(sep='\t')


WRITTEN = {
    'tabs': table(),
    'crlf': table().replace('\n', '\r\n'),
    'old mac': table().replace('\n', '\r'),
    'no end of line': table().rstrip('\n'),
    'blank lines': '\n' + table().replace('\nnull', '\n\n\nnull') + '\n\n',
    'byte order mark': '\ufeff' + table(),
    'r without a name': table(index_label=False),
    'r with quotes': table(index_label=False, quoting=csv.QUOTE_NONNUMERIC),
    'r with blanks': table(index_label=False, quoting=csv.QUOTE_NONNUMERIC).replace('\t', ' '),
    'commas': table().replace('\t', ','),
    'semicolons': table().replace('\t', ';'),
    'whole floats': table(float_format='%.1f').replace('\t812', '\t812.0'),
    'blanks around': table().replace('\t', ' \t '),
    'tabs at the end': table().replace('\n', '\t\n'),
    'tabs at the end of rows': '\n'.join(
        line + '\t' * (k > 0) for k, line in enumerate(table().splitlines())
    ),
    'tab at the end of the first line': table().replace('\n', '\t\n', 1),
    'comment': '# Program:featureCounts v2.0.6; Command:"featureCounts" "-a" "genes.gtf"\n' + table(),
    'comments': '#a\n#\n# b\n' + table(),
    'name in a comment': '#' + table(),
    'comments with tabs': '#a\tb\tc\td\n#a\tb\tc\td\n#e\tf\n' + table(),
    'numbered by pandas': COUNTS.reset_index().to_csv(sep='\t'),
    'numbered by r': COUNTS.reset_index().set_axis([1, 2, 3]).to_csv(quoting=csv.QUOTE_NONNUMERIC),
    'featureCounts': '# Program:featureCounts\n' + annotated(),
    'featureCounts without comment': annotated(),
    'gct': gct(),
    'tails': table() + ''.join(f'{name}\t9\t9\t9\n' for name in ('__no_feature', 'N_unmapped')),
}


@pytest.mark.parametrize('packed', [False, True])
@pytest.mark.parametrize('written', WRITTEN.values(), ids=WRITTEN)
def test_reads_are_those_of_the_table(tmp_path, written, packed):
    path = tmp_path / 'counts.txt'
    content = written.encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    assert {'s1', 's-2', '3'} <= set(read_layout(path).named)
    found = read_counts(path, {'s-2': 's-2', 'a': 's1', '3': '3'})
    wanted = COUNTS[['s-2', 's1', '3']].set_axis(['s-2', 'a', '3'], axis=1)
    pd.testing.assert_frame_equal(found.counts, wanted)


def test_what_was_done_is_told(tmp_path):
    path = tmp_path / 'counts.tsv'
    assert read_counts(written(path, table())).remarks == ()
    told = [str(remark) for remark in read_counts(written(path, WRITTEN['tails'])).remarks]
    assert told == ['__no_feature, N_unmapped: rows that are no genes (2); left out']
    (numbered,) = read_counts(written(path, WRITTEN['numbered by r'])).remarks
    assert str(numbered) == 'its first column numbers the rows; column "gene_id" has the names of genes'
    path.write_bytes(table().replace('null', 'né').encode('latin-1'))
    (encoding,) = read_counts(path).remarks
    assert encoding.action.startswith('read as Windows-1252')
    assert 'né' in read_counts(path).counts.index
    path.write_bytes(table().encode('utf-16'))  # Excel's "Unicode text"
    pd.testing.assert_frame_equal(read_counts(path).counts, COUNTS)


def test_entrez_ids_in_order_are_no_numbers_of_rows(tmp_path):
    path = written(tmp_path / 'c.tsv', 'gene_id\ta\tb\n1\t4\t5\n2\t6\t7\n')
    assert read_counts(path).counts.index.tolist() == ['1', '2']
    path = written(tmp_path / 'd.tsv', '\ta\tb\n1\t4\t5\n2\t6\t7\n')
    assert read_counts(path).counts.index.tolist() == ['1', '2']


def test_a_sample_may_be_called_as_the_column_of_genes(tmp_path):
    path = written(tmp_path / 'c.tsv', 'gene\tgene\ts1\nA\t4\t5\nB\t6\t7\n')
    assert read_counts(path, {'x': 'gene'}).counts['x'].tolist() == [4, 6]


def test_columns_of_words_are_told_from_samples(tmp_path):
    text = 'g\talias\ts1\ts2\nA\tx\t1\t2\nB\t\t2\tNA\nC\t7\t3\t4\n'
    layout = read_layout(written(tmp_path / 'c.tsv', text))
    assert [layout.holds_words(name) for name in ('alias', 's1', 's2')] == [True, False, False]


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('', 'is empty'),
        ('# only a comment\n', 'has nothing but comments'),
        ('#1.2\n', 'has nothing but comments'),
        ('gene\ts1\n', 'has no row of a gene'),
        ('one\ntwo\n', 'is no table of counts: its first line is "one"'),
        ('g\ts1\ts2\nA\t1\t2\nB\t3\n', 'line 3 has 2 cells where the first has 3'),
        ('g\ts1\ts2\nA\t1\t2\nB\t3\t4\t5\n', 'line 3 has 4 cells'),
        ('# c\n\ng\ts1\ts2\nA\t1\t2\n"B\t3\t4\nC\t5\t6\n', 'line 5 has 1 cells'),
        ('gene\ts1\ts2\nA\t1\t2\t3\nB\t4\t5\t6\n', 'one cell more than the first line, which begins with "gene"'),
        ('g\ts1\ts2\nA\t1\t\n', 'gene A, sample s2: an empty cell'),
        ('g\ts1\nA\t1\nA\t2\n', 'gene A occurs more than once'),
        ('g\ts1\n__no_feature\t1\n', 'no row is a gene'),
        ('g\ts1\nA\t1\0\n', 'holds zero bytes'),
        ('g\ts1\nA\t' + '9' * 200_000 + '\n', 'cannot be split into cells'),
        ('g\ts1\nA\t1\n' + 'B\t"' + 'x' * 200_000 + '"\n', 'cannot be split into cells'),
    ],
)  # fmt: skip
def test_what_is_no_table_is_told_by_line(tmp_path, text, said):
    with pytest.raises(DataError) as caught:
        read_counts(written(tmp_path / 'c.tsv', text))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        (b'PK\x03\x04' + bytes(30), 'is an Excel workbook'),
        (b'\xd0\xcf\x11\xe0' + bytes(30), 'is an old Excel workbook'),
        (b'BZh91AY', 'is compressed by bzip2'),
        (gzip.compress(table().encode(), mtime=0)[:-9], 'is a damaged gzip file'),
        (gzip.compress(table().encode(), mtime=0)[:12] + bytes(60), 'is a damaged gzip file'),
        (b'\x1f\x8b', 'is a damaged gzip file'),
        (gzip.compress(b'', mtime=0), 'is empty'),
        (gzip.compress(b'PK\x03\x04', mtime=0), 'is an Excel workbook'),
    ],
)
def test_what_is_no_text_is_told_by_kind(tmp_path, content, said):
    path = tmp_path / 'counts.tsv.gz'
    path.write_bytes(content)
    for read in (read_counts, read_layout):
        with pytest.raises(DataError, match=said):
            read(path)
    with pytest.raises(DataError, match=rf'counts\.tsv\.gz \(gene sets\): .*{said}'):
        read_sets([path], ['TP53'])


def test_files_that_cannot_be_read(tmp_path):
    for path in (tmp_path, tmp_path / 'absent'):
        with pytest.raises(DataError, match='cannot be read'):
            read_counts(path)


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_text, 'MOST_BYTES', 10_000)
    path = tmp_path / 'c.tsv.gz'
    path.write_bytes(gzip.compress(b'0' * 10_001))
    with pytest.raises(DataError, match='holds more than'):
        read_counts(path)
    with pytest.raises(DataError, match='holds more than'):
        read_counts(written(path, '0' * 10_001))


def test_a_column_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match='has no column s9'):
        read_counts(written(tmp_path / 'c.tsv', table()), {'s': 's9'})


# --- gene sets --------------------------------------------------------------------------------------

SETS = {'A': ('TP53', 'IL6'), 'null': ('TNF', 'IL6')}
GMT = 'A\tabout\tTP53\tIL6\nnull\t\tTNF\tIL6\n'


@pytest.mark.parametrize(
    'content',
    [
        GMT.encode(),
        GMT.replace('\n', '\t\t\t\r\n').encode() + b'\r\n\r\n',
        b'\xef\xbb\xbf' + GMT.encode(),
        gzip.compress(GMT.encode(), mtime=0),
        GMT.encode('utf-16'),
    ],
)
def test_sets_are_those_of_the_file(tmp_path, content):
    path = tmp_path / 'sets.gmt'
    path.write_bytes(content)
    assert read_sets([path], ['TP53', 'IL6', 'TNF']) == (SETS, ())


def test_weights_and_letters_are_told(tmp_path):
    path = tmp_path / 'sets.gmt'
    path.write_bytes('A\tabout\tTP53,1.0\tIL6,0.5\nä\t\tTNF\n'.encode('latin-1'))
    found = read_sets([path], ['TP53', 'IL6', 'TNF'])
    assert found.sets == {'A': ('TP53', 'IL6'), 'ä': ('TNF',)}
    assert [str(remark) for remark in found.remarks] == [
        'sets.gmt: is not in UTF-8; read as Windows-1252; check names of sets',
        'sets.gmt: genes have weights (2); weights are not used',
    ]


def test_two_files_agree_or_are_refused(tmp_path):
    one, two = written(tmp_path / 'a.gmt', GMT), written(tmp_path / 'b.gmt', GMT)
    assert read_sets([one, two], ['IL6']).sets == SETS
    written(two, 'A\tabout\tTP53\n')
    with pytest.raises(DataError, match=r'b\.gmt \(gene sets\): A has other genes than in another file'):
        read_sets([one, two], ['IL6'])


# --- published files ----------------------------------------------------------------------------------


@pytest.mark.real
def test_published_counts_have_the_size_factors_of_r(test_data):
    """R 4.2, DESeq2 1.38.3, genes with 10 reads or more: sizeFactors(dds)."""
    path = test_data / 'rnaseq' / 'pasilla_gene_counts.tsv'
    found = read_counts(path)
    assert found.remarks == ()
    plain = pd.read_csv(path, sep='\t', index_col=0)
    assert (found.counts.to_numpy() == plain.to_numpy()).all()
    kept = found.counts[found.counts.sum(axis=1) >= 10].sort_index(axis=1)
    design = pd.DataFrame({'intercept': 1.0, 'half': np.arange(7) % 2}, index=kept.columns)
    fit = fit_counts(kept, design, {})
    assert fit.size_factor_type == 'ratio'
    wanted = [1.63550136, 0.76121585, 0.83266034, 1.13833758, 1.79354064, 0.64948280, 0.75160047]
    np.testing.assert_allclose(fit.size_factors, wanted, rtol=1e-7)  # eight digits are known


@pytest.mark.real
def test_published_sets_are_read_as_they_are(test_data):
    """Nothing in them looks like a weight, and no name is changed where the counts have the same."""
    for path in sorted((test_data / 'genesets').glob('*.gmt')):
        plain = read_gmt(path.read_text(encoding='utf-8'))
        genes = sorted({gene for own in plain.values() for gene in own})
        assert read_sets([path], genes) == (plain, ())


# --- damaged files ------------------------------------------------------------------------------------


@pytest.mark.fuzz
def test_damaged_counts_are_read_or_refused(tmp_path):
    """No error but ours; what is read is whole, not negative, and of genes each there once."""
    path = tmp_path / 'counts.tsv'
    valid = [text.encode() for text in WRITTEN.values()]

    def read(content):
        damage.write(path, content)
        layout = read_layout(path)
        columns = {name: name for name in layout.named if not layout.holds_words(name)}
        counts = read_counts(path, columns).counts
        assert counts.index.is_unique
        assert (counts.dtypes == np.int64).all()
        assert (counts >= 0).all(axis=None)

    drawn = damage.damaged(*valid, *(gzip.compress(text, mtime=0) for text in valid))
    assert damage.outcomes_of(drawn, read, 4) == {damage.READ, damage.REFUSED}


@pytest.mark.fuzz
def test_damaged_sets_are_read_or_refused(tmp_path):
    path = tmp_path / 'sets.gmt'
    weighted = GMT.replace('6', '6,1.0').encode()

    def read(content):
        damage.write(path, content)
        sets = read_sets([path], ['TP53', 'IL6', 'TNF']).sets
        assert sets
        assert all(name and '' not in genes for name, genes in sets.items())

    drawn = damage.damaged(GMT.encode(), gzip.compress(GMT.encode(), mtime=0), GMT.encode('utf-16'), weighted)
    assert damage.outcomes_of(drawn, read, 4) == {damage.READ, damage.REFUSED}


def test_a_link_without_its_content_is_told_as_that(tmp_path):
    (tmp_path / 'c.tsv').symlink_to('.git/annex/objects/absent')
    with pytest.raises(MissingInputError, match=r'is a link to .*absent, which is not here'):
        read_counts(tmp_path / 'c.tsv')
