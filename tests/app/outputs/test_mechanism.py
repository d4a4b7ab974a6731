"""Files of gene expression and mediation: which there are, what they are called, and what their legends say."""

import json
from pathlib import Path

import pytest

from bids_app.outputs.group import of_table
from bids_app.outputs.mechanism import TABLES, of_expression, of_mediation
from pipelines.stats.expression import CONTRAST_COLUMNS, GENE_COLUMNS
from pipelines.stats.expression_contrasts import contrasts_of
from pipelines.stats.mediation_trial import MODEL_COLUMNS, SENSITIVITY_COLUMNS, TRIAL_PATH_COLUMNS
from pipelines.terms import EXPRESSION_CONTRASTS, FLAGS, PATH_SCALES, TIME_ORDERS

OUT = Path('out')
TWO = {'reference': 'week 3', 'followup': 'week 14'}
ROWS = {row.output: row for row in TABLES}
THREE = {'reference': 'week 0', 'week 6': 'week 6', 'followup': 'week 12'}


def names(planned) -> list[str]:
    return [each.path.relative_to(OUT / 'group').as_posix() for each in planned]


def test_genes_of_two_arms_have_the_files_of_their_contrasts():
    contrasts = contrasts_of(['yoga', 'wait'], ['yoga', 'wait'], TWO)
    assert names(of_expression(OUT, contrasts, has_sets=False)) == [
        'expression_deseq2.tsv', 'expression_contrasts.tsv', 'expression_samples.tsv', 'expression_dispersions.tsv',
        'figures/expression_components.svg',
        'figures/expression_difference_ma.svg', 'figures/expression_difference_volcano.svg',
        'figures/expression_change_treatment_ma.svg', 'figures/expression_change_treatment_volcano.svg',
        'figures/expression_change_control_ma.svg', 'figures/expression_change_control_volcano.svg',
    ]  # fmt: skip


@pytest.mark.parametrize('arms', [('yoga', 'wait'), ('yoga', 'walking', 'wait')])
@pytest.mark.parametrize('visits', [TWO, THREE])
def test_no_file_is_named_twice_and_each_has_its_output(arms, visits):
    contrasts = contrasts_of(arms, arms, visits)
    planned = list(of_expression(OUT, contrasts, has_sets=True))
    assert len(set(names(planned))) == len(planned)
    single = [each for each in contrasts if not each.is_joint]
    outputs = [each.row.output for each in planned]
    assert [o for o in outputs if o.startswith('ma[')] == [f'ma[{n}]' for n in range(len(single))]
    drawn = [o for o in outputs if o.startswith('enrichment_figures[')]
    # both tests of sets where changes have a sign, one where they have none
    assert drawn == [f'enrichment_figures[{n}]' for n in range(len(single) + len(contrasts))]
    assert not [name for name in names(planned) if 'any_' in name and 'gsea' in name]


def test_columns_are_explained_as_they_are_written():
    rows = {row.output: row for row in TABLES}
    assert tuple(rows['expression_deseq2'].fields) == GENE_COLUMNS
    assert tuple(rows['expression_contrasts'].fields) == CONTRAST_COLUMNS
    assert set(rows['expression_deseq2'].fields['contrast']['Levels']) == set(EXPRESSION_CONTRASTS)
    for row in TABLES:
        assert of_table(OUT, 'x', row).path.name == f'{row.output}.tsv'
        assert all(about['Description'] for about in row.fields.values()), row.output


def test_no_legend_of_expression_speaks_of_randomisation_that_may_not_be():
    legends = {row.output: json.dumps(row.fields) for row in TABLES if row.output.startswith('expression')}
    assert len(legends) == 7
    assert not [
        name for name, text in legends.items() if 'after randomisation' in text or 'post_random' in text
    ]


@pytest.mark.parametrize('is_late', [True, False])
def test_the_legend_of_mediation_explains_a_late_sample_where_there_is_one(is_late):
    planned = list(of_mediation(OUT, ['genes'], is_late=is_late))
    assert names(planned) == [
        'mediation.tsv', 'mediation_models.tsv', 'mediation_sensitivity.tsv', 'figures/mediation_genes.svg'
    ]  # fmt: skip
    for each in planned[:2]:
        levels = each.row.fields['flags']['Levels']
        assert ('reference_post_randomisation' in levels) is is_late
        assert 'no_baseline' in levels
    assert ('randomisation' in json.dumps(planned[0].row.fields)) is is_late


@pytest.mark.parametrize(
    ('output', 'columns'),
    [
        ('mediation', TRIAL_PATH_COLUMNS),
        ('mediation_models', MODEL_COLUMNS),
        ('mediation_sensitivity', SENSITIVITY_COLUMNS),
    ],
)
def test_every_column_is_explained(output, columns):
    assert set(columns) <= set(ROWS[output].fields)
    assert all(ROWS[output].fields[name]['Description'] for name in columns)


def test_words_of_closed_columns_are_explained():
    paths, models = ROWS['mediation'].fields, ROWS['mediation_models'].fields
    assert set(paths['scale']['Levels']) == set(PATH_SCALES)
    assert set(models['time_order']['Levels']) == set(TIME_ORDERS)
    raised = {'no_baseline', 'constant_baseline', 'separated', 'separated_resamples', 'degenerate_resamples'}
    assert raised <= set(paths['flags']['Levels']) <= set(FLAGS)
