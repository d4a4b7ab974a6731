"""Columns of counts by the names that pipelines give them."""

import itertools

import pytest

from pipelines.stats.count_columns import Columns, is_annotation, match_columns, r_name, stems_of_file

FEATURE_COUNTS = ['Chr', 'Start', 'End', 'Strand', 'Length']


@pytest.mark.parametrize(
    ('name', 'sample'),
    [
        ('results/s1.bam', 's1'),
        ('/x/s1.sorted.bam', 's1'),
        ('s1Aligned.sortedByCoord.out.bam', 's1'),
        ('star/s1.Aligned.toTranscriptome.out.bam', 's1'),
        ('star/s1/Aligned.sortedByCoord.out.bam', 's1'),
        ('tophat/s1/accepted_hits.bam', 's1'),
        ('salmon/s1/quant.sf', 's1'),
        ('s1ReadsPerGene.out.tab', 's1'),
        ('s1.markdup.sorted.bam', 's1'),
        ('s1_counts.txt', 's1'),
        ('s1.genes.results', 's1'),
        ('D:\\runs\\s1.bam', 's1'),
        ('01_wk3', '01_wk3'),
        ('s1.2', 's1.2'),
        ('bam', 'bam'),
        ('quant.sf', 'quant.sf'),
        ('', ''),
        ('/', '/'),
    ],
)
def test_names_of_files_tell_the_sample(name, sample):
    assert stems_of_file(name)[-1] == sample


@pytest.mark.parametrize(
    ('name', 'made'),
    [  # the rule of ?make.names; X is put before what does not begin with a letter, or a dot and no digit
        ('1a', 'X1a'), ('a-b', 'a.b'), ('a b', 'a.b'), ('_a', 'X_a'), ('.1a', 'X.1a'), ('.a', '.a'), ('a_1', 'a_1'),
        ('', 'X'), ('if', 'if.'), ('TRUE', 'TRUE.'), ('a/b', 'a.b'), ('/x/s1.bam', 'X.x.s1.bam'),
    ],
)  # fmt: skip
def test_names_are_made_as_r_makes_them(name, made):
    assert r_name(name) == made


@pytest.mark.parametrize('columns', itertools.permutations([*FEATURE_COUNTS[:2], 'bam/s1.bam', 's2', 'X3']))
def test_order_does_not_matter(columns):
    found = match_columns(columns, ['s1', 's2', '3'])
    assert found.column_of == {'s1': 'bam/s1.bam', 's2': 's2', '3': 'X3'}
    assert set(found.annotation) == {'Chr', 'Start'}
    assert found.ambiguous == found.others == ()


@pytest.mark.parametrize(
    ('columns', 'samples', 'column_of', 'ambiguous', 'others'),
    [
        # the name itself wins, and what is left of it is another sample
        (['s1', 'x/s1.bam'], ['s1'], {'s1': 's1'}, (), ('x/s1.bam',)),
        # two files of one sample, one name of two samples
        (['a/s1.bam', 'b/s1.bam'], ['s1'], {}, ('a/s1.bam', 'b/s1.bam'), ()),
        (['X1.2'], ['1-2', '1.2'], {}, ('X1.2',), ()),
        # the longest name first; the sample may be called as a file, too
        (['s1_star.bam', 's1.bam'], ['s1', 's1_star'], {'s1_star': 's1_star.bam', 's1': 's1.bam'}, (), ()),
        (['s1'], ['bam/s1.bam'], {'bam/s1.bam': 's1'}, (), ()),
        # lanes and replicates are no sample
        (['s1_L001', 's1_L002', 's1_rep2.bam'], ['s1'], {}, (), ('s1_L001', 's1_L002', 's1_rep2.bam')),
        # R's path of a file; where it could be of two, of none
        (['results.star.s1.sorted.bam'], ['s1'], {'s1': 'results.star.s1.sorted.bam'}, (), ()),
        (['run.a.s1.bam'], ['s1', 'a.s1'], {}, ('run.a.s1.bam',), ()),
        # case, padding, separators
        (['S1', 'P01-wk3'], ['s1', 'p1_wk3'], {'s1': 'S1', 'p1_wk3': 'P01-wk3'}, (), ()),
        (['s01', 's1'], ['s1', 's01'], {'s1': 's1', 's01': 's01'}, (), ()),
        (['S01', 'S1'], ['s1'], {}, ('S01', 'S1'), ()),
        (['s11'], ['s1_1'], {}, (), ('s11',)),
        ([], ['s1'], {}, (), ()),
    ],
)  # fmt: skip
def test_a_match_counts_where_nothing_else_can_be_meant(columns, samples, column_of, ambiguous, others):
    assert match_columns(columns, samples) == Columns(column_of, ambiguous, (), others)


def test_annotation_is_told_by_name_unless_the_samples_have_it():
    names = ['gene_name', 'transcript_id(s)', 'Length', 's1']
    assert match_columns(names, ['s1']).annotation == ('gene_name', 'transcript_id(s)', 'Length')
    assert match_columns(names, ['s1', 'Length']).column_of == {'s1': 's1', 'Length': 'Length'}
    assert match_columns(names, ['s1'], ['Length']).others == ('Length',)
    assert all(map(is_annotation, [*FEATURE_COUNTS, 'GENE ID', 'external_gene_name', 'ENTREZID']))
    assert not any(map(is_annotation, ['s1', 'length1', 'control', '']))
