"""Biomarkers of a trial of three arms, from the table to the page."""

import re

import numpy as np
import pandas as pd
import pytest

from bids_app.cli import main
from tests.app.group.shapes import GROUPS, PEOPLE, write_whole
from tests.app.phenotype.test_phenotype import tsv

IL6 = {
    'Description': 'Interleukin 6', 'Table': 'phenotype/il6.tsv', 'Column': 'il6', 'Units': 'pg/mL', 'LowerLimit': 12.0,
    'Sessions': ['01', '02', 'wk9'], 'Times': ['rest', 'post'],
}  # fmt: skip
CRP = {'Table': 'phenotype/crp.tsv', 'Column': 'crp', 'Units': 'mg/L', 'Sessions': ['02']}
RISE = {'yoga': 0.5, 'walking': 0.2, 'usual care': 0.0}
"""Of log interleukin at rest from the first session to each later one; noise has a standard deviation of 0.1."""


@pytest.fixture(scope='module')
def out(tmp_path_factory):
    root = tmp_path_factory.mktemp('markers')
    bids, trial = write_whole(root, Biomarkers={'il6': IL6, 'crp': CRP})
    rng = np.random.default_rng(3)
    rows = [
        (p, s, t, f'{np.exp(3 + RISE[g] * (s != "01") + 0.3 * (t == "post") + 0.1 * rng.standard_normal()):.3f}')
        for p, g in zip(PEOPLE, GROUPS) for s in ('01', '02', 'wk9') for t in ('rest', 'post')
        if (g, t) != ('usual care', 'post')  # who does not exercise has no sample after it
    ]  # fmt: skip
    tsv(bids / 'phenotype' / 'il6.tsv', [('participant_id', 'session_id', 'time', 'il6'), *rows])
    values = [(p, f'{2 + RISE[g] + rng.random():.2f}') for p, g in zip(PEOPLE, GROUPS)]
    tsv(bids / 'phenotype' / 'crp.tsv', [('participant_id', 'crp_02'), *values])
    words = [str(bids), str(root / 'out'), 'group', '-w', str(root / 'work'), '--trial', str(trial)]
    assert main([*words, '--skip', 'voxelwise', 'mediation', 'expression', '--n-imputations', '100']) == 0
    return root / 'out' / 'group'


@pytest.fixture(scope='module')
def rows(out):
    table = pd.read_csv(out / 'biomarkers.tsv', sep='\t', na_values='n/a', keep_default_na=False)
    return table[table['model'] == 'censored']


def test_every_treated_arm_is_compared_in_the_words_of_the_trial(rows):
    il6 = rows[(rows['biomarker'] == 'il6') & (rows['arm'] == 'difference')].set_index(
        ['treated', 'contrast']
    )
    for arm in ('yoga', 'walking'):
        for contrast in ('rest: six weeks - T0', 'rest: wk9 - T0'):
            row = il6.loc[(arm, contrast)]
            assert abs(row['estimate'] - RISE[arm]) < 4 * row['se']
            assert (row['df'], row['n']) == (27, 20)
    assert il6.loc[('yoga', 'rest: wk9 - T0'), 'p'] < 1e-6


def test_what_was_not_sampled_is_not_estimated_and_says_so(rows):
    il6 = rows[(rows['biomarker'] == 'il6') & (rows['arm'] != 'difference')].set_index(['arm', 'contrast'])
    row = il6.loc[('usual care', 'T0: post - rest')]
    assert np.isnan(row['estimate'])
    assert (row['note'], row['flags']) == ('usual care, T0, post: no sample', 'not_estimated')
    assert il6.loc[('yoga', 'T0: post - rest'), 'estimate'] == pytest.approx(0.3, abs=0.15)


def test_one_sample_is_compared_between_arms(rows):
    crp = rows[rows['biomarker'] == 'crp']
    assert set(crp['contrast']) == {'level'}
    assert crp['arm'].tolist() == ['usual care', 'yoga', 'walking', 'difference', 'difference']


def test_the_page_shows_each(out):
    page = (out / 'report.html').read_text()
    section = re.search(r'<section id="biomarkers".*?</section>', page, re.DOTALL)[0]
    said = ' '.join(re.sub('<[^>]+>', ' ', section).split())
    for words in (
        'Interleukin 6', 'Difference between arms, yoga over usual care', 'Difference between arms, walking over usual care',
        'rest: six weeks − T0', 'Geometric mean; between arms the ratio of both', 'Usual care, T0, post: no sample',
    ):  # fmt: skip
        assert words in said, words
    assert section.count('<svg') == 2
    assert 'Biomarkers of walking' not in page
    assert 'Interleukin 6, all 6 samples' in page
    assert 'concentrations depend on the handling of samples' in page
    assert {path.name for path in (out / 'figures').glob('biomarker_*')} == {
        'biomarker_il6.svg',
        'biomarker_crp.svg',
    }


def test_who_has_samples_is_in_the_table_of_people(out):
    people = pd.read_csv(out / 'participants.tsv', sep='\t', dtype=str)
    own = people[people['data'] == 'il6']
    assert len(own) == 6 * len(PEOPLE)
    assert (own['status'] == 'missing').sum() == 3 * GROUPS.count('usual care')
