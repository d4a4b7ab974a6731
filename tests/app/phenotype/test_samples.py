"""The table of samples against the columns of the counts: what is matched, missing, or of nobody."""

import pandas as pd
import pytest

from bids_app.phenotype.rnaseq import ExpressionPlan, NoExpression, plan_expression
from bids_app.phenotype.tables import read_tables
from pipelines.errors import DataError
from tests.app.phenotype.test_phenotype import PEOPLE, TRIAL, rows_of, trial_of, tsv, wide
from tests.app.phenotype.test_phenotype import root as root  # a fixture

SAMPLES = [(p, f'ses-{s}', f'{p[4:]}-{s}') for p in PEOPLE for s in ('wk3', 'wk14')]
NAMES = [name for _, _, name in SAMPLES]
COUNTS, TABLE = 'counts.tsv', 'phenotype/rna.tsv'
GENES = 40


@pytest.fixture
def trial(root, tmp_path):
    """Return a trial whose samples and counts have the same names."""
    wide(root)
    tsv(root / TABLE, [('participant_id', 'session_id', 'sample_id'), *SAMPLES])
    put(root, counts())
    part = {
        'Counts': COUNTS,
        'Samples': TABLE,
        'Visits': {'first': {'Session': 'wk3'}, 'last': {'Session': 'wk14'}},
    }
    return trial_of(tmp_path, {**TRIAL, 'Expression': part})


def counts(names=NAMES):
    values = {
        name: [10 + (7 * row + 3 * column) % 90 for row in range(GENES)] for column, name in enumerate(names)
    }
    return pd.DataFrame(values, [f'GENE{row}' for row in range(GENES)]).rename_axis('gene').reset_index()


def put(root, table):
    table.to_csv(root / COUNTS, sep='\t', index=False)


def columns_of(root, trial):
    table = read_tables(root, trial).expression
    return dict(zip(table['sample'], table['counts_column']))


def test_the_same_names_are_matched_without_a_word(root, trial):
    assert columns_of(root, trial) == dict(zip(NAMES, NAMES))
    assert not any(COUNTS in message for message in read_tables(root, trial).messages)


def test_files_and_names_of_r_are_matched_and_told(root, trial):
    table = counts().rename(
        columns={'01-wk3': 'results/01-wk3.sorted.bam', '01-wk14': 'X01.wk14', '02-wk3': '2_WK3'}
    )
    table.insert(1, 'gene_name', table['gene'])
    put(root, table)
    found = columns_of(root, trial)
    assert [found[name] for name in NAMES[:4]] == [*table.columns[2:5], '02-wk14']
    tables = read_tables(root, trial)
    told = rows_of(tables, table=COUNTS, action='matched as shown; check that it is right')
    assert list(told['value']) == [
        'results/01-wk3.sorted.bam = 01-wk3', 'X01.wk14 = 01-wk14', '2_WK3 = 02-wk3'
    ]  # fmt: skip
    assert rows_of(tables, table=COUNTS, action='columns of annotation left out: gene_name').shape[0] == 1
    plan = plan_expression(root, trial, tables.expression)
    assert isinstance(plan, ExpressionPlan)
    assert len(plan.samples) == 16
    assert plan.samples['counts_column'].tolist()[:2] == ['results/01-wk3.sorted.bam', 'X01.wk14']


def test_samples_of_nobody_are_listed_and_left_out(root, trial):
    put(root, counts([*NAMES, 'pilot', 'control']))
    tables = read_tables(root, trial)
    told = rows_of(tables, table=COUNTS, action='left out')
    assert list(told['value']) == ['pilot', 'control']
    assert f'a sample without participant: {TABLE} does not list it' in told['problem'].iloc[0]
    assert len(plan_expression(root, trial, tables.expression).samples) == 16


def test_rows_of_nobody_known_are_rows(root, trial):
    """The table of samples lists a stranger and another session: their columns are no surprise."""
    rows = [*SAMPLES, ('sub-77', 'ses-wk3', 'their'), ('sub-01', 'ses-wk5', 'later')]
    tsv(root / TABLE, [('participant_id', 'session_id', 'sample_id'), *rows])
    put(root, counts([*NAMES, 'their', 'later']))
    tables = read_tables(root, trial)
    assert rows_of(tables, table=COUNTS, action='left out').empty
    assert len(tables.expression) == 16


def test_a_sample_without_counts_costs_its_pair(root, trial):
    put(root, counts().drop(columns=['01-wk3', '02-wk14']))
    tables = read_tables(root, trial)
    told = rows_of(tables, table=TABLE, problem=f'a sample without counts in {COUNTS}')
    assert list(told['value']) == ['01-wk3', '02-wk14']
    assert list(told['participant_id']) == ['sub-01', 'sub-02']
    assert columns_of(root, trial)['01-wk3'] == ''
    plan = plan_expression(root, trial, tables.expression)
    assert len(plan.samples) == 14
    assert '01-wk3' not in set(plan.samples['sample_id'])


def test_people_without_a_pair_leave_too_few(root, trial):
    put(
        root,
        counts().drop(
            columns=[name for name in NAMES if name.endswith('14') and name[:2] in ('02', '04', '06')]
        ),
    )
    found = plan_expression(root, trial, read_tables(root, trial).expression)
    assert isinstance(found, NoExpression)
    assert '1 of exercise' in found.reason


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        # another naming altogether
        (
            lambda table: table.set_axis(['gene', *(f'run{k}' for k in range(16))], axis=1),
            ['has no column for 16 of 16 samples', 'such as 01-wk3', 'There is run0, run1'],
        ),
        # one table of another study, whose samples happen to have some of the names
        (lambda table: table[['gene', *NAMES[:7]]], ['has no column for 9 of 16 samples', 'such as 05-wk3. Add them']),
        (lambda table: table.set_index('gene').T.reset_index(), ['has samples in rows', 'turn it']),
        (lambda table: table.assign(alias='x'), ['"alias"', 'a column of words', 'Remove it']),
        (
            lambda table: table.rename(columns={'01-wk3': 'a/01-wk3.bam', '02-wk3': 'b/01-wk3.bam'}),
            ['"a/01-wk3.bam", "b/01-wk3.bam"', 'could be of several samples', 'Call it as the sample'],
        ),
        (lambda table: table.set_axis([*table.columns[:-1], '01-wk3'], axis=1), ['"01-wk3"', 'more than one column']),
    ],
)  # fmt: skip
def test_columns_that_cannot_be_told_are_refused(root, trial, change, said):
    put(root, change(counts()))
    with pytest.raises(DataError) as caught:
        read_tables(root, trial)
    for each in [COUNTS, *said]:
        assert each in str(caught.value)


def test_findings_of_the_plan_are_those_of_a_report(root, trial):
    table = counts()
    table.loc[0, 'gene'] = '2-Sep'
    table.loc[len(table)] = ['__no_feature', *[900] * 16]
    put(root, table)
    plan = plan_expression(root, trial, read_tables(root, trial).expression)
    assert list(plan.findings['table']) == [COUNTS, COUNTS]
    assert list(plan.findings['value']) == ['__no_feature', '2-Sep (was SEPTIN2)']
    assert plan.size_factors == 'ratio'


def test_nearly_empty_counts_are_told_before_they_are_used(root, trial):
    table = counts()
    for row in range(GENES):
        table.iloc[row, 1 + row % 16] = 0
    put(root, table)
    plan = plan_expression(root, trial, read_tables(root, trial).expression)
    assert plan.size_factors == 'poscounts'
    assert 'poscounts' in plan.findings['action'].iloc[0]


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (lambda table: table.replace({'gene': 'GENE1'}, 'GENE0'), 'gene GENE0 occurs more than once'),
        (lambda table: table.assign(**{'01-wk3': -1}), 'gene GENE0, sample 01-wk3: -1 is no count'),
        (lambda table: table.assign(**{'01-wk3': 0}), 'sample 01-wk3 has no reads'),
        (
            lambda table: table.assign(**{name: table[name] % 9 + 1 for name in NAMES}),
            'none of 40 genes has 10 reads',
        ),
    ],
)
def test_counts_that_cannot_be_used_are_refused_before_a_step(root, trial, change, said):
    put(root, change(counts()))
    tables = read_tables(root, trial)
    with pytest.raises(DataError, match=rf'counts\.tsv: {said}'):
        plan_expression(root, trial, tables.expression)
