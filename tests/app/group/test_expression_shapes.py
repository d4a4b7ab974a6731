"""Gene expression of trials one step beside the usual: what the first sample is, and several arms and visits."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from bids_app.cli import main
from bids_app.phenotype.trial import DATA_DIR
from tests.app.trial_data import SET, save, write_expression, write_trial

pytestmark = pytest.mark.slow

LATE = re.compile(r'after randomi[sz]ation|post.?randomi[sz]ation', re.IGNORECASE)
SCORE = f'expression:{SET}'
MODEL = {'Name': 'genes', 'Mediators': [SCORE], 'Outcome': 'nrs', 'PreNamed': True}


def table(out, name):
    return pd.read_csv(out / 'group' / f'{name}.tsv', sep='\t', na_values='n/a', keep_default_na=False)


def write_file(bids, **changes):
    """Write a trial of pain, genes and what is between them; return the options that name it."""
    content = json.loads((DATA_DIR / 'trial.json').read_text())
    kept = {key: content[key] for key in ('Arms', 'Visits', 'Expression')}
    content = {**kept, 'Outcomes': {'nrs': content['Outcomes']['nrs']}, 'Mediation': [MODEL], **changes}
    path = bids / 'code' / 'trial.json'
    path.write_text(json.dumps(content))
    return ['--trial', str(path)]


def run(bids, out, *words):
    fixed = ['--nprocs', '1', '--n-bootstraps', '99', '--skip', 'voxelwise', '-w', str(out.parent / 'work')]
    return main([str(bids), str(out), 'group', *fixed, *words])


def written(out):
    """Return all text that a reader meets: tables, what explains them, methods and the page."""
    places = [
        *out.glob('group/*.tsv'),
        *out.glob('group/*.json'),
        out / 'group' / 'CITATION.md',
        out / 'group' / 'report.html',
    ]
    return {path.name: path.read_text() for path in places}


def sampled(tmp_path, sessions, **changes):
    """Run a trial whose two samples are of these sessions."""
    bids, out = write_trial(tmp_path, n=16, images=False)
    sets = write_expression(bids, n_genes=500)
    path = bids / 'phenotype' / 'rnaseq.tsv'
    rows = pd.read_csv(path, sep='\t')
    rows['session_id'] = rows['session_id'].replace(dict(zip(('ses-wk3', 'ses-wk14'), sessions)))
    save(rows, path)
    expression = json.loads((DATA_DIR / 'trial.json').read_text())['Expression'] | changes
    first, last = (session.removeprefix('ses-') for session in sessions)
    expression['Visits'] = {'first': {'Session': first}, 'last': {'Session': last}}
    words = write_file(bids, Expression=expression)
    assert run(bids, out, *words, '--gene-sets', str(sets)) == 0
    return out


@pytest.mark.parametrize(
    ('sessions', 'changes'),
    [(('ses-pre', 'ses-post'), {}), (('ses-wk3', 'ses-wk14'), {'Reference': 'baseline'})],
)
@pytest.mark.long
def test_a_first_sample_before_treatment_says_nothing_of_randomisation(tmp_path, sessions, changes):
    out = sampled(tmp_path, sessions, **changes)
    texts = written(out)
    assert len(texts) > 15
    assert {name: LATE.findall(text) for name, text in texts.items() if LATE.search(text)} == {}
    models = table(out, 'mediation_models')
    assert models['analysis'].tolist() == ['genes', 'genes (interaction)']
    assert models['flags'].isna().all()
    assert set(models['baselines']) == {f'{SCORE}_reference;nrs_baseline'}
    genes = table(out, 'expression_deseq2')
    assert genes.loc[genes['contrast'] == 'difference', 'flags'].isna().all()
    assert json.loads(texts['expression_deseq2.json'])['Reference'] == 'baseline'


@pytest.mark.parametrize(
    ('sessions', 'changes'),
    [(('ses-wk3', 'ses-wk14'), {}), (('ses-pre', 'ses-post'), {'Reference': 'postRandomisation'})],
)
@pytest.mark.long
def test_a_first_sample_after_randomisation_is_told_everywhere(tmp_path, sessions, changes):
    out = sampled(tmp_path, sessions, **changes)
    texts = written(out)
    telling = {name for name, text in texts.items() if LATE.search(text)}
    assert {
        'expression_deseq2.tsv',
        'expression_deseq2.json',
        'mediation_models.tsv',
        'CITATION.md',
        'report.html',
    } <= telling
    said = 'The first sample is a reference, not a baseline: it was drawn after randomisation.'
    page = texts['report.html']
    assert page.count(said) == 2  # in the part of genes, and in that of methods
    assert 'The first sample of gene expression was drawn after randomisation' in page
    assert said in texts['CITATION.md']
    assert 'genes (without reference)' in table(out, 'mediation_models')['analysis'].tolist()


VISITS = {'week 0': {'Session': 'pre'}, 'week 6': {'Session': 'mid'}, 'week 12': {'Session': 'post'}}


@pytest.fixture(scope='module')
def wide(tmp_path_factory):
    """Three arms of six and three samples; genes 0 to 29 rise with walking by week 6."""
    root = tmp_path_factory.mktemp('wide')
    bids, out = write_trial(root, n=18, images=False)
    people = pd.read_csv(bids / 'participants.tsv', sep='\t', dtype=str)
    people['group'] = np.resize(['yoga', 'walking', 'waiting'], len(people))
    save(people, bids / 'participants.tsv')
    rng, n_genes = np.random.default_rng(5), 400
    level, rows, columns = rng.uniform(3, 8, n_genes), [], {}
    for who, arm in zip(people['participant_id'], people['group']):
        own = level + rng.normal(0, 0.3, n_genes)
        for session in ('pre', 'mid', 'post'):
            rise = np.where((np.arange(n_genes) < 30) & (arm == 'walking') & (session == 'mid'), 1.2, 0)
            name = f'{who[4:]}_{session}'
            columns[name] = rng.poisson(np.exp(own + rise) * rng.gamma(25, 1 / 25, n_genes))
            rows.append((who, f'ses-{session}', name))
    rows = rows[:-1]  # the last person left before the last sample
    (bids / 'sourcedata' / 'rnaseq').mkdir(parents=True)
    counts = pd.DataFrame(columns, [f'GENE{number}' for number in range(n_genes)]).rename_axis('gene')
    save(counts[[row[2] for row in rows]].reset_index(), bids / 'sourcedata' / 'rnaseq' / 'counts.tsv.gz')
    save(
        pd.DataFrame(rows, columns=['participant_id', 'session_id', 'sample_id']),
        bids / 'phenotype' / 'rnaseq.tsv',
    )
    (bids / 'code').mkdir(exist_ok=True)
    sets = bids / 'code' / 'sets.gmt'
    sets.write_text(
        '\n'.join(
            '\t'.join([f'SET_{k}', 'x', *(f'GENE{g}' for g in range(30 * k, 30 * k + 30))]) for k in range(6)
        )
    )
    words = write_file(
        bids,
        Arms={
            'Table': 'participants.tsv',
            'Column': 'group',
            'Treatment': ['yoga', 'walking'],
            'Control': 'waiting',
        },
        Expression={
            'Counts': 'sourcedata/rnaseq/counts.tsv.gz',
            'Samples': 'phenotype/rnaseq.tsv',
            'Visits': VISITS,
        },
        Mediation=[MODEL | {'Mediators': ['expression:SET_0']}],
    )
    assert run(bids, out, *words, '--gene-sets', str(sets)) == 0
    return out


def test_every_arm_is_compared_at_every_visit(wide):
    about = table(wide, 'expression_contrasts').set_index('contrast')
    assert about['df'].to_dict() == {
        'difference_yoga_week6': 1, 'difference_yoga_week12': 1, 'any_difference_yoga': 2,
        'difference_walking_week6': 1, 'difference_walking_week12': 1, 'any_difference_walking': 2,
        'any_difference': 4, 'change_treatment_yoga_week6': 1, 'change_treatment_yoga_week12': 1,
        'change_treatment_walking_week6': 1, 'change_treatment_walking_week12': 1, 'change_control_week6': 1,
        'change_control_week12': 1, 'any_change': 6,
    }  # fmt: skip
    assert (
        about.loc[['difference_walking_week6', 'any_difference_walking', 'any_difference'], 'n_called'].min()
        > 20
    )
    assert (
        about.loc[
            ['difference_yoga_week6', 'difference_walking_week12', 'change_control_week6'], 'n_called'
        ].max()
        < 5
    )
    genes = table(wide, 'expression_deseq2')
    assert genes.loc[genes['contrast'] == 'any_change', 'log2FoldChange'].isna().all()
    assert set(genes['contrast']) == set(about.index)


def test_sets_are_ranked_where_changes_have_a_sign(wide):
    sets = table(wide, 'expression_enrichment')
    ranked = set(sets.loc[sets['method'] == 'gsea', 'contrast'])
    assert len(ranked) == 10
    assert not any(name.startswith('any') for name in ranked)
    own = sets[(sets['contrast'] == 'difference_walking_week6') & (sets['method'] == 'gsea')]
    assert own.iloc[0]['set'] == 'SET_0'
    over = sets[(sets['contrast'] == 'any_difference') & (sets['method'] == 'over_representation')]
    assert over.iloc[0]['set'] == 'SET_0'
    drawn = {path.name for path in (wide / 'group' / 'figures').glob('e[xn]*.svg')}
    assert 'expression_difference_walking_week6_volcano.svg' in drawn
    assert 'enrichment_any_change_over_representation.svg' in drawn
    assert not any('any' in name and ('gsea' in name or 'volcano' in name or '_ma' in name) for name in drawn)


def test_the_page_tells_all_contrasts_and_nothing_of_other_arms(wide):
    page = (wide / 'group' / 'report.html').read_text()
    for title in table(wide, 'expression_contrasts')['title']:
        assert title in page
    assert 'Gene expression of walking' not in page
    assert 'RNA, two samples or more' in page
    assert not LATE.search(page)
    samples = table(wide, 'expression_samples')
    assert samples['reason'].isna().all()
    assert samples['visit'].value_counts().to_dict() == {'reference': 18, 'week 6': 18, 'followup': 17}
    rows = table(wide, 'participants').query("data == 'expression'")
    missing = rows[rows['status'] == 'missing']
    assert missing[['visit', 'reason']].to_numpy().tolist() == [['week 12', 'no sample']]


def test_scores_of_first_and_last_sample_mediate(wide):
    """Of the first treated arm and the control, whatever stands between."""
    models = table(wide, 'mediation_models')
    assert models['mediators'].iloc[0] == 'expression:SET_0'
    assert (
        'of 11 people' in models['note'].iloc[0]
    )  # too few for an estimate; of one the last sample is missing
    scores = table(wide, 'expression_scores')
    assert set(scores['visit']) == {'reference', 'week 6', 'followup'}
