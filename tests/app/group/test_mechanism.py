"""Gene expression and mediation at the group level, through the command line."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from bids_app.cli import main
from bids_app.phenotype.trial import DATA_DIR
from pipelines.interfaces.counts import read_counts
from pipelines.simulated.counts import PATHWAY_SIZE
from pipelines.stats.expression import differential_expression
from tests.acceptance.checks import validator_errors
from tests.app.trial_data import SET, save, write_expression, write_trial

pytestmark = pytest.mark.slow

COUNTS = 'sourcedata/rnaseq/counts.tsv.gz'


def run(bids, out, work, *words):
    fixed = ['-w', str(work), '--nprocs', '1', '--skip', 'voxelwise', '--n-bootstraps', '500']
    return main([str(bids), str(out), 'group', *fixed, *words])


def table(out, name):
    return pd.read_csv(out / 'group' / f'{name}.tsv', sep='\t', na_values='n/a', keep_default_na=False)


@pytest.fixture(scope='module')
def trial(tmp_path_factory):
    root = tmp_path_factory.mktemp('mechanism')
    bids, out = write_trial(root, n=24)
    sets = write_expression(bids)
    rows = pd.read_csv(bids / 'phenotype' / 'rnaseq.tsv', sep='\t')
    rows.loc[rows['sample_id'] == '01_wk14', 'sample_id'] = np.nan
    save(rows, bids / 'phenotype' / 'rnaseq.tsv')
    change_counts(bids, lambda counts: counts.drop(columns='01_wk14'))
    assert run(bids, out, root / 'work', '--gene-sets', str(sets)) == 0
    return bids, out, root / 'work', sets


def change_counts(bids, change):
    path = bids / COUNTS
    counts = pd.read_csv(path, sep='\t', index_col=0)
    change(counts).to_csv(path, sep='\t')


def test_the_table_of_genes_is_that_of_the_model_called_alone(trial):
    samples = table(trial[1], 'expression_samples')
    assert samples.set_index('sample_id')['reason'].dropna().to_dict() == {'01_wk3': 'no followup sample'}
    counts = read_counts(trial[0] / COUNTS).counts[samples['sample_id']]
    wanted = differential_expression(counts, samples, arms=('exercise', 'waitlist')).table
    found = table(trial[1], 'expression_deseq2')
    assert set(found['contrast']) == {'difference', 'change_treatment', 'change_control', 'any_change'}
    numbers = ['log2FoldChange', 'stat', 'F', 'df_residual', 'padj', 'log2FoldChange_shrunk']
    pd.testing.assert_frame_equal(found[numbers], wanted[numbers], rtol=1e-8)


def test_sidecar_says_what_the_genes_rest_on(trial):
    facts = json.loads((trial[1] / 'group' / 'expression_deseq2.json').read_text())
    assert facts['Pairs'] == {'exercise': 11, 'waitlist': 12}
    assert facts['Flags'] == ['reference_post_randomisation', 'within_arm_not_randomised', 'no_cell_counts']


def test_planted_set_is_first(trial):
    rows = table(trial[1], 'expression_enrichment').query("contrast == 'difference' and method == 'gsea'")
    assert rows.iloc[0]['set'] == SET
    assert rows.iloc[0]['nes'] > 1.5
    assert rows.iloc[0]['padj'] < 0.01


def test_scores_are_of_every_method_and_used_sample(trial):
    scores = table(trial[1], 'expression_scores')
    assert scores.groupby('method').size().to_dict() == {'gsva': 46, 'ssgsea': 46, 'zscore': 46}
    own = scores[scores['method'] == 'zscore'].groupby('visit')[SET].mean()
    assert own['followup'] > own['reference']  # the set rises with exercise


def test_every_sample_is_listed(trial):
    rows = table(trial[1], 'participants').query("data == 'expression'")
    reasons = rows.set_index(['participant_id', 'session_id'])['reason']
    assert reasons.loc['sub-01'].to_dict() == {
        'ses-wk3': 'the other sample is missing',
        'ses-wk14': 'no sample',
    }
    assert (rows['status'] == 'analysed').sum() == 46


def test_mediation_adds_up_and_is_labelled(trial):
    paths = table(trial[1], 'mediation').set_index(['analysis', 'path']).sort_index()
    models = table(trial[1], 'mediation_models').set_index('analysis')
    own = paths.loc['connectivity-nrs', 'estimate']
    assert own['indirect'] + own['direct'] == pytest.approx(own['total'], rel=1e-8)
    assert own['total'] == pytest.approx(models.loc['connectivity-nrs', 'without_mediator'], rel=1e-8)
    assert own['a'] == pytest.approx(-0.25, abs=0.06)  # planted; standard error .02
    assert models.loc['expression-nrs', 'n'] == 23
    assert models.loc['expression-nrs', 'flags'] == 'reference_post_randomisation'
    assert models.loc['expression-nrs (without reference)', 'baselines'] == 'nrs_baseline'
    assert 0 < models.loc['connectivity-nrs', 'power_medium'] < 1
    orders = [name for name in models.index if name.startswith('serial-nrs (') and 'without' not in name]
    assert len(orders) == 2
    assert not any(name.endswith('-odi') for name in models.index)


def test_every_model_has_a_figure(trial):
    for label in table(trial[1], 'mediation_models')['label']:
        text = (trial[1] / 'group' / 'figures' / f'mediation_{label}.svg').read_text()
        assert 'exercise' in text
    for name in ('expression_difference_ma', 'expression_change_control_volcano', 'expression_components'):
        assert (trial[1] / 'group' / 'figures' / f'{name}.svg').stat().st_size > 5000


def test_methods_are_cited(trial):
    text = (trial[1] / 'group' / 'CITATION.md').read_text()
    for key in ('love2014', 'subramanian2005', 'landau2018'):
        assert f'@{key}' in text
    bibliography = (trial[1] / 'group' / 'CITATION.bib').read_text()
    assert 'muzellec2023' in bibliography


def test_outputs_are_valid_and_a_second_run_does_nothing(trial, capsys):
    assert validator_errors(trial[1]) == []
    assert run(*trial[:3], '--gene-sets', str(trial[3])) == 0
    assert 'already up to date' in capsys.readouterr().out


@pytest.fixture
def small(tmp_path):
    bids, out = write_trial(tmp_path, n=12, images=False)
    sets = write_expression(bids, n_genes=400)
    return bids, out, tmp_path / 'work', sets


def genes_twice(counts):
    return counts.rename(index={'GENE1': 'GENE0'})


def negative(counts):
    counts.loc['GENE3', '02_wk3'] = -1
    return counts


def words(counts):
    counts = counts.astype(object)
    counts.loc['GENE3', '02_wk3'] = 'many'
    return counts


def empty_sample(counts):
    counts['02_wk3'] = 0
    return counts


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (negative, ['counts.tsv.gz', 'gene GENE3, sample 02_wk3: -1', 'raw reads']),
        (words, ['gene GENE3, sample 02_wk3: many']),
        (genes_twice, ['gene GENE0 occurs more than once']),
        (empty_sample, ['sample 02_wk3 has no reads']),
        (lambda counts: counts.rename(columns={'03_wk3': '02_wk3'}), ['"02_wk3"', 'more than one column']),
    ],
)  # fmt: skip
def test_counts_that_are_none(small, capsys, change, said):
    bids, out, work, _ = small
    change_counts(bids, change)
    assert run(bids, out, work) == 65
    error = capsys.readouterr().err
    for each in said:
        assert each in error
    assert not (out / 'group').exists()


def half(counts):
    counts = counts.astype(float)
    counts.loc['GENE3', '02_wk3'] = 7.5
    return counts


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (half, 'counts.tsv.gz: 1 value is an estimate with a fraction. Rounded to whole reads, by at most 0.5'),
        (lambda counts: counts.assign(X9=1), '"X9": a sample without participant: phenotype/rnaseq.tsv does not list it'),
        (lambda counts: counts.rename(index={'GENE0': '1-Sep'}), '"1-Sep (was SEPTIN1)": names of genes that a spreadsheet'),
    ],
)  # fmt: skip
def test_counts_that_are_set_right(small, caplog, change, said):
    bids, out, work, sets = small
    change_counts(bids, change)
    assert run(bids, out, work, '--gene-sets', str(sets), '--dry-run') == 0
    assert [message for message in caplog.messages if said in message]
    assert not (out / 'group').exists()


@pytest.mark.long
def test_a_sample_without_counts_costs_its_pair(small, caplog):
    """The other sample, its person and the report say why; everybody else is analysed."""
    bids, out, work, _ = small
    change_counts(bids, lambda counts: counts.drop(columns='02_wk3').assign(X9=1))
    assert run(bids, out, work, '--skip', 'voxelwise', 'mediation') == 0
    (said,) = [message for message in caplog.messages if 'without counts' in message]
    assert 'phenotype/rnaseq.tsv, column sample_id, row' in said
    assert 'sub-02 ses-wk3 "02_wk3"' in said
    rows = (
        table(out, 'participants').query("data == 'expression'").set_index(['participant_id', 'session_id'])
    )
    assert rows.loc['sub-02', 'reason'].to_dict() == {
        'ses-wk3': 'no counts',
        'ses-wk14': 'the other sample is missing',
    }
    assert (rows['status'] == 'analysed').sum() == 22
    samples = table(out, 'expression_samples').set_index('sample_id')
    assert samples['reason'].dropna().to_dict() == {'02_wk14': 'no reference sample'}
    assert list(samples['counts_column']) == list(samples.index)
    report = table(out, 'phenotype_report').set_index('value')
    assert report.loc['02_wk3', 'action'] == 'left out, and its person has no pair'
    assert report.loc['X9', 'action'] == 'left out'


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        (b'gene 01_wk3 3', 'has no row of a gene'),
        (b'table\nwords\n', 'with tabs between them'),
        (b'', 'is empty'),
        (b'gene\t01_wk3\n', 'has no row of a gene'),
    ],
)
def test_counts_that_are_no_table(small, capsys, content, said):
    (small[0] / COUNTS).write_bytes(gzip.compress(content))
    assert run(*small[:3]) == 65
    assert said in capsys.readouterr().err


def test_counts_that_are_half_a_gzip(small, capsys):
    path = small[0] / COUNTS
    path.write_bytes(path.read_bytes()[:-100])
    assert run(*small[:3]) == 65
    assert 'is a damaged gzip file' in capsys.readouterr().err


def gmt(*lines):
    return lambda path: path.write_text('\n'.join('\t'.join(line) for line in lines))


@pytest.mark.parametrize(
    ('write', 'status', 'said'),
    [
        (gmt(('set', 'no', *map(str, range(1000, 1030)))), 65, ['Entrez ids', 'gene symbols', '0 of 30 genes']),
        (gmt(('set', 'no', *(f'GENE{n}' for n in range(5)))), 65, ['none of 1 sets has 15 to 500']),
        (gmt(('set', 'no')), 65, ['sets.gmt']),
        (lambda path: path.write_text('a set without tabs'), 65, ['sets.gmt', 'line 1']),
        (lambda path: path.unlink(), 66, ['--gene-sets', 'no such file']),
    ],
)  # fmt: skip
def test_gene_sets_that_do_not_fit(small, capsys, write, status, said):
    bids, out, work, sets = small
    write(sets)
    assert run(bids, out, work, '--gene-sets', str(sets)) == status
    error = capsys.readouterr().err
    for each in said:
        assert each in error


def own_trial(bids, **changes):
    """Write the default trial with changed parts; return the options that name it."""
    content = json.loads((DATA_DIR / 'trial.json').read_text())
    for key in ('$schema', 'BDNF', 'Attendance', 'AdverseEvents'):
        del content[key]
    content['Outcomes'] = {'nrs': content['Outcomes']['nrs']}
    content['Covariates'] = []
    content |= changes
    path = bids / 'code' / 'trial.json'
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))
    return ['--trial', str(path)]


@pytest.mark.parametrize(
    ('name', 'genes', 'said'),
    [
        ('SETT_1', range(PATHWAY_SIZE), 'Did you mean SET_1'),
        ('SMALL', range(4), 'expression:SMALL: 4 genes of the set are measured; 15 to 500'),
        ('NONE', range(0), 'expression:NONE: 0 genes of the set are measured'),
    ],
)
def test_a_mediator_without_score_is_refused(small, capsys, name, genes, said):
    bids, out, work, sets = small
    with sets.open('a') as stream:
        stream.write('\t'.join(['SMALL', 'x', *(f'GENE{n}' for n in genes)][: 2 + 4]) + '\n')
        stream.write('NONE\tx\n')
    model = {'Name': 'm', 'Mediators': [f'expression:{name}'], 'Outcome': 'nrs'}
    assert run(bids, out, work, *own_trial(bids, Mediation=[model]), '--gene-sets', str(sets)) == 65
    assert said in capsys.readouterr().err


def test_files_of_the_command_line_need_visits(small, capsys):
    bids, out, work, sets = small
    words = own_trial(bids, Expression=None, Mediation=None)
    assert run(bids, out, work, *words, '--gene-sets', str(sets)) == 2
    assert 'no part Expression' in capsys.readouterr().err


@pytest.mark.long
def test_counts_and_samples_from_elsewhere(small, tmp_path):
    bids, out, work, sets = small
    counts = (bids / COUNTS).rename(tmp_path / 'c.tsv.gz')
    samples = (bids / 'phenotype' / 'rnaseq.tsv').rename(tmp_path / 's.tsv')
    words = ['--gene-counts', str(counts), '--gene-samples', str(samples), '--gene-sets', str(sets)]
    assert run(bids, out, work, *words) == 0
    assert len(table(out, 'expression_samples')) == 24


@pytest.mark.long
def test_a_set_nobody_named_before_is_exploratory(small):
    bids, out, work, sets = small
    models = [
        {'Name': 'seen', 'Mediators': ['expression:SET_1'], 'Outcome': 'nrs'},
        {'Name': 'named', 'Mediators': ['expression:SET_1'], 'Outcome': 'nrs', 'PreNamed': True},
    ]
    assert run(bids, out, work, *own_trial(bids, Mediation=models), '--gene-sets', str(sets)) == 0
    flags = table(out, 'mediation').groupby('analysis')['flags'].first()
    assert flags['seen'].split()[:2] == ['exploratory', 'reference_post_randomisation']
    assert 'exploratory' not in flags['named']


def test_samples_of_one_arm_are_labelled_and_mediate_nothing(small, capsys):
    bids, out, work, sets = small
    people = pd.read_csv(bids / 'participants.tsv', sep='\t').set_index('participant_id')['group']
    path = bids / 'phenotype' / 'rnaseq.tsv'
    rows = pd.read_csv(path, sep='\t')
    rows = rows[rows['participant_id'].map(people) == 'exercise']
    save(rows, path)
    change_counts(bids, lambda counts: counts[list(rows['sample_id'])])
    assert run(bids, out, work, '--gene-sets', str(sets)) == 0
    assert 'in the treated arm only' in capsys.readouterr().err
    genes = table(out, 'expression_deseq2')
    assert set(genes['contrast']) == {'change_treatment'}
    assert set(genes['flags']) == {'within_arm_not_randomised'}
    notes = table(out, 'mediation_models').set_index('analysis')['note']
    assert f'column expression:{SET} has values in the treated arm only' in notes['expression-nrs']
    assert (out / 'group' / 'figures' / 'mediation_expression-nrs.svg').is_file()


def test_models_that_cannot_be_estimated_say_why(small, capsys):
    """A constant mediator; and few complete people."""
    bids, out, work, _ = small
    rows = pd.read_csv(bids / 'phenotype' / 'nrs.tsv', sep='\t')
    rows = rows.assign(same_pre=rows.index, same_post=5.0, few_pre=rows.index, few_post=rows.index)
    rows['few_post'] = rows['few_post'].where(rows.index < 9)
    save(rows, bids / 'phenotype' / 'nrs.tsv')
    outcome = {'Table': 'phenotype/nrs.tsv', 'Units': 'points'}
    nrs = json.loads((DATA_DIR / 'trial.json').read_text())['Outcomes']['nrs']
    outcomes = {'nrs': nrs, **{name: {**outcome, 'Column': name} for name in ('same', 'few')}}
    models = [{'Name': name, 'Mediators': [name], 'Outcome': 'nrs'} for name in ('same', 'few')]
    words = own_trial(bids, Outcomes=outcomes, Mediation=models, Expression=None)
    assert run(bids, out, work, *words) == 0
    error = capsys.readouterr().err
    assert 'mediation same: same is 5 for all 12 complete people; leave it out' in error
    assert 'mediation few: 9 people have all of' in error
    assert table(out, 'mediation').empty
    assert len(table(out, 'mediation_models')) == 4


def test_a_dataset_without_images_has_mediation_by_tables(small):
    bids, out, work, _ = small
    rows = pd.read_csv(bids / 'phenotype' / 'nrs.tsv', sep='\t')
    rng = np.random.default_rng(2)
    rows['steps_pre'], rows['steps_post'] = rng.normal(5, 1, (2, len(rows))).round(3)
    save(rows, bids / 'phenotype' / 'nrs.tsv')
    nrs = json.loads((DATA_DIR / 'trial.json').read_text())['Outcomes']['nrs']
    steps = {'Table': 'phenotype/nrs.tsv', 'Column': 'steps', 'Units': '1000'}
    model = {'Name': 'steps', 'Mediators': ['steps'], 'Outcome': 'nrs', 'Covariates': ['age', 'sex']}
    words = own_trial(bids, Outcomes={'nrs': nrs, 'steps': steps}, Mediation=[model], Expression=None)
    assert run(bids, out, work, *words) == 0
    row = table(out, 'mediation_models').iloc[0]
    assert (row['covariates'], row['n']) == ('age;sex[M]', 12)


@pytest.mark.long
@pytest.mark.parametrize('part', ['expression', 'mediation'])
def test_a_part_can_be_skipped(small, part):
    bids, out, work, sets = small
    skipped = ['voxelwise', 'mediation', 'expression'] if part == 'expression' else ['voxelwise', 'mediation']
    words = ['--gene-sets', str(sets), '--skip', *skipped]
    assert main([str(bids), str(out), 'group', '-w', str(work), '--nprocs', '1', *words]) == 0
    assert (out / 'group' / 'expression_deseq2.tsv').exists() == (part == 'mediation')
    assert not (out / 'group' / 'mediation.tsv').exists()
