"""Rows that are no genes, names that spreadsheets damaged, identifiers that mean the same."""

import datetime

import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.stats.gene_names import check_genes, date_of, gene_of_date
from pipelines.stats.genesets import read_gmt, without_weights
from pipelines.stats.identifiers import name_sets, without_version
from pipelines.stats.remarks import Remark, some

GENES = ['TP53', 'IL6', 'null', 'NM_000600', 'ENSG00000000003.15', '43891', 'MARCHF1', 'N_gene', '_x']
TAILS = ['__no_feature', '__ambiguous', '__too_low_aQual', '__not_aligned', '__alignment_not_unique']
STAR = ['N_unmapped', 'N_multimapping', 'N_noFeature', 'N_ambiguous']


def test_genes_stay_and_nothing_is_said():
    found = check_genes(GENES)
    assert found.is_gene.all()
    assert found.remarks == ()


@pytest.mark.parametrize('rows', [TAILS, STAR, ['no_feature', 'not_aligned']])
@pytest.mark.parametrize('first', [True, False])
def test_tallies_of_reads_are_no_genes(rows, first):
    found = check_genes([*rows, *GENES] if first else [*GENES, *rows])
    assert found.is_gene.sum() == len(GENES)
    (remark,) = found.remarks
    assert remark == Remark(f'rows that are no genes ({len(rows)})', 'left out', ', '.join(rows))


def test_rows_without_a_name_are_counted():
    found = check_genes(['TP53', '', 'NA', '#N/A', ' ', 'IL6', ''])
    assert found.is_gene.tolist() == [True, *[False] * 4, True, False]
    assert [str(remark) for remark in found.remarks] == ['rows without a name of a gene (5); left out']


def test_two_rows_of_one_name_are_refused():
    with pytest.raises(DataError, match=r'gene IL6, TNF occurs more than once; give a table .* identifiers'):
        check_genes(['IL6', 'TNF', 'TP53', 'IL6 ', 'TNF'])
    with pytest.raises(DataError, match='no row is a gene'):
        check_genes(TAILS)
    with pytest.raises(DataError, match='no row is a gene'):
        check_genes([])


@pytest.mark.parametrize(
    'form',
    [
        '%-d-%b',
        '%d-%b',
        '%b-%d',
        '%Y-%m-%d',
        '%Y-%m-%d 00:00:00',
        '%-m/%-d/%Y',
        '%d.%m.%Y',
        '%-d-%b-%y',
        '%-d. %b',
    ],
)
def test_every_day_is_found_in_every_form(form):
    """Against the calendar's own formatting."""
    for ordinal in range(366):
        day = datetime.date(2024, 1, 1) + datetime.timedelta(ordinal)
        assert date_of(day.strftime(form)) == (day.month, day.day)


@pytest.mark.parametrize(
    'name',
    ['43891', 'SEPTIN2', 'MARCH1', 'SEP15', 'DEC1', 'OCT4', 'Oct-4', 'DEC-205', 'HLA-A', '2-Foo', '45-Sep', '2023-13-01',
     'RP11-34P13.7', '1.2.3', 'ENSG00000000003.15', '3/32/2020', '1-Decorin-2'],
)  # fmt: skip
def test_names_that_are_no_dates(name):
    assert date_of(name) is None


@pytest.mark.parametrize(
    ('name', 'gene'),
    [
        ('1-Mar', 'MARCHF1 or MTARC1'), ('Mar-02', 'MARCHF2 or MTARC2'), ('2023-03-11', 'MARCHF11'), ('2-Sep', 'SEPTIN2'),
        ('15-Sep', 'SELENOF'), ('1-Dec', 'DELEC1'), ('1. Dez', 'DELEC1'), ('3. Mrz', 'MARCHF3'),
        ('20-Mar', 'a gene such as SEPTIN2 or MARCHF1'),
    ],
)  # fmt: skip
def test_what_a_date_may_have_been(name, gene):
    assert gene_of_date(name) == gene


def test_damaged_names_are_told_with_their_remedy():
    found = check_genes(['1-Mar', 'TP53', '2-Sep', '1-Mar', '2.31E+13', '4.93E+10'])
    assert found.is_gene.tolist() == [False, True, True, False, True, True]  # of the same date none stays
    once, twice, floats = found.remarks
    assert once.value == '2-Sep (was SEPTIN2)'
    assert 'dates' in once.problem
    assert once.action.startswith('kept as unknown genes; export the table again')
    assert twice.value == '1-Mar (was MARCHF1 or MTARC1)'
    assert twice.action.startswith('left out')
    assert floats.value == '2.31E+13, 4.93E+10'


# --- identifiers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('name', 'bare'),
    [
        ('ENSG00000000003.15', 'ENSG00000000003'),
        ('ENSMUSG00000017167.16', 'ENSMUSG00000017167'),
        ('ENSGR0000182378.14', 'ENSGR0000182378'),
        ('ENSG00000182378.15_PAR_Y', 'ENSG00000182378_PAR_Y'),
        ('ENST00000404625.6', 'ENST00000404625'),
        ('NM_000600.5', 'NM_000600'),
        ('3569.0', '3569'),
        ('3569.5', '3569.5'),
        ('RP11-34P13.7', 'RP11-34P13.7'),
        ('AC012345.1', 'AC012345.1'),
        ('ENSG00000000003', 'ENSG00000000003'),
    ],
)
def test_versions_are_those_of_identifiers(name, bare):
    assert without_version(name) == bare
    assert without_version(bare) == bare


def test_sets_take_the_names_of_the_counts_both_ways():
    bare = [f'ENSG{number:011d}' for number in range(40)]
    versioned = [f'{name}.{number % 7 + 1}' for number, name in enumerate(bare)]
    for counts, sets in ((versioned, bare), (bare, versioned)):
        found = name_sets({'s': tuple(sets), 't': (sets[3], 'none')}, counts)
        assert found.sets == {'s': tuple(counts), 't': (counts[3], 'none')}
        (remark,) = found.remarks
        assert remark.problem == 'genes of the sets differ from the counts by a version (40)'
        assert f'{sets[0]} and {counts[0]}' in remark.action


def test_another_version_matches_and_the_same_one_first():
    found = name_sets({'s': ('ENSG00000000003.14', 'NM_000600.5')}, ['ENSG00000000003.15', 'NM_000600.5'])
    assert found.sets['s'] == ('ENSG00000000003.15', 'NM_000600.5')
    assert len(found.remarks) == 1


def test_a_gene_is_never_doubled():
    """The copy on Y is a gene of its own; of two versions in the counts neither is taken."""
    counts = ['ENSG00000182378.15', 'ENSG00000182378.15_PAR_Y', 'ENSG00000000003.1', 'ENSG00000000003.2']
    found = name_sets({'s': ('ENSG00000182378', 'ENSG00000000003', 'ENSG00000182378.14')}, counts)
    assert found.sets['s'] == ('ENSG00000182378.15', 'ENSG00000000003')
    assert [remark.problem for remark in found.remarks] == [
        'genes of the sets differ from the counts by a version (2)',
        'genes of the sets have several rows in the counts, which differ by a version (1)',
    ]
    assert found.remarks[1].value == 'ENSG00000000003'


def test_case_matches_last_and_is_told():
    found = name_sets(
        {'s': ('IL6', 'C1ORF112', 'TP53', 'HLA-A')}, ['Il6', 'C1orf112', 'Trp53', 'HLA-A', 'hla-a']
    )
    assert found.sets['s'] == ('Il6', 'C1orf112', 'TP53', 'HLA-A')
    (remark,) = found.remarks
    assert 'genes of the sets differ from the counts by case (2)' in str(remark)
    assert 'one species' in remark.action


def test_sets_that_fit_are_left_as_they_are(rng):
    genes = [f'G{number}' for number in range(100)]
    sets = {f's{k}': tuple(rng.choice(genes, 20, replace=False)) for k in range(5)} | {'x': ('none', 'NONE')}
    found = name_sets(sets, genes)
    assert found.sets == sets
    assert found.remarks == ()


def test_weights_of_enrichr_are_taken_off():
    text = 'a, 1.0\tb,2\tIL6,1.0\tTNF,0.25\tX,Y\tZ,1 \nempty\nnone\tabout,1\n'
    bare, number = without_weights(text)
    assert number == 3
    assert bare == 'a, 1.0\tb,2\tIL6\tTNF\tX,Y\tZ \nempty\nnone\tabout,1\n'
    assert without_weights(bare) == (bare, 0)


def test_lines_of_gmt_end_where_files_end_lines():
    assert read_gmt('a\tsee\u2028below\x85\tIL6\r\nb\t\tTNF\rc\t\tTP53') == {
        'a': ('IL6',),
        'b': ('TNF',),
        'c': ('TP53',),
    }


def test_names_are_shortened_with_their_number():
    assert some(list(np.arange(6))) == '0, 1, 2, 3, 4 ... (6 in all)'
    assert str(Remark('problem', 'action')) == 'problem; action'
