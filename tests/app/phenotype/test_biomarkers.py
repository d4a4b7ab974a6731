"""Biomarkers of any sessions and times in the trial file, and as tables have them."""

import math

import pytest

from bids_app.phenotype.tables import read_tables
from bids_app.phenotype.trial import read_trial
from pipelines.errors import DataError, MissingInputError
from tests.app.phenotype.test_phenotype import PEOPLE, TRIAL, blood, root, rows_of, trial_of, tsv, wide
from tests.app.phenotype.test_trial import DEFAULT, SMALL, changed, write

__all__ = ['root']

IL6 = {
    'Table': 'phenotype/cytokines.tsv', 'Column': 'il6', 'Units': 'pg/mL', 'LowerLimit': 2,
    'Sessions': ['ses-w0', 'w6', 'w12'], 'Times': ['pre', 'post'],
}  # fmt: skip
CRP = {'Table': 'phenotype/cytokines.tsv', 'Column': 'crp', 'Units': 'mg/L', 'Sessions': ['w0', 'w12']}


def test_samples_are_sessions_by_times(tmp_path):
    trial = read_trial(write(tmp_path, {**SMALL, 'Biomarkers': {'il6': IL6, 'crp': CRP}}))
    il6, crp = trial.biomarkers
    assert [(s.name, s.session_id, s.time) for s in il6.samples] == [
        ('w0_pre', 'ses-w0', 'pre'), ('w0_post', 'ses-w0', 'post'), ('w6_pre', 'ses-w6', 'pre'),
        ('w6_post', 'ses-w6', 'post'), ('w12_pre', 'ses-w12', 'pre'), ('w12_post', 'ses-w12', 'post'),
    ]  # fmt: skip
    assert [(s.name, s.session_id, s.time) for s in crp.samples] == [
        ('w0', 'ses-w0', ''),
        ('w12', 'ses-w12', ''),
    ]
    assert (il6.title, il6.lower_limit, crp.upper_limit) == ('il6', 2, None)


def test_the_part_of_four_samples_is_the_first_biomarker(tmp_path):
    trial = read_trial(write(tmp_path, {**DEFAULT, 'Biomarkers': {'crp': CRP}}))
    assert [(b.name, b.title) for b in trial.biomarkers] == [('bdnf', 'BDNF'), ('crp', 'crp')]
    assert [s.name for s in trial.biomarkers[0].samples] == ['s7_pre', 's7_post', 's42_pre', 's42_post']


FAULTS = {
    'a session twice': ('Sessions', ['w0', 'ses-w0'], ['Biomarkers.il6.Sessions: "w0" stands twice']),
    'a time twice': ('Times', ['pre', 'Pre'], ['Biomarkers.il6.Times: "pre" stands twice']),
    'a time that is missing': ('Times', ['pre', 'n/a'], ['Biomarkers.il6.Times: "n/a"', 'missing value']),
    'no sessions': ('Sessions', ..., ['Biomarkers.il6.Sessions is missing']),
    'no session': ('Sessions', [], ['Biomarkers.il6.Sessions: 0 values; at least 1']),
    'no label': ('Sessions', ['week 0'], ['Biomarkers.il6.Sessions.0: "week 0" is no session label']),
    'limits turned': ('UpperLimit', 1, ['Biomarkers.il6.LowerLimit: 2 is not below UpperLimit 1']),
    'samples': ('Samples', {}, ['Biomarkers.il6.Samples is no known key']),
}


@pytest.mark.parametrize(('key', 'value', 'words'), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_by_the_path_of_its_key(tmp_path, key, value, words):
    base = {**SMALL, 'Biomarkers': {'il6': IL6}}
    with pytest.raises(DataError) as caught:
        read_trial(write(tmp_path, changed(base, f'Biomarkers.il6.{key}', value)))
    assert all(word in str(caught.value) for word in words), caught.value
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ('base', 'name', 'words'),
    [
        (SMALL, 'nrs', 'Biomarkers.nrs: "nrs" is the name of other data'),
        (SMALL, 'tract', 'Biomarkers.tract: "tract" is the name of other data'),
        (DEFAULT, 'BDNF', 'two are called bdnf'),
        (SMALL, 'IL-6', 'Begin with a letter'),
    ],
)
def test_names_stand_for_one_thing(tmp_path, base, name, words):
    with pytest.raises(DataError, match=words):
        read_trial(write(tmp_path, {**base, 'Biomarkers': {name: IL6}}))


def marker_trial(tmp_path, **markers):
    return trial_of(tmp_path, {**TRIAL, 'Biomarkers': markers})


def read(tables, name):
    own = tables.biomarkers[tables.biomarkers['biomarker'] == name]
    return {(row.participant_id, row.sample): row for row in own.itertuples()}


def test_two_biomarkers_in_one_long_table(root, tmp_path):
    wide(root)
    rows = [
        (p, s, t, '<2' if n == 1 else 10 + n, 3 + n if t == 'pre' else 'n/a')
        for n, p in enumerate(PEOPLE) for s in ('ses-w0', 'w6', 'w12') for t in ('pre', 'post')
    ]  # fmt: skip
    head = ('participant_id', 'session_id', 'time', 'il6', 'crp')
    tsv(root / 'phenotype' / 'cytokines.tsv', [head, *rows])
    rest = {**CRP, 'Times': ['pre'], 'TimeColumn': 'time'}
    tsv(root / 'phenotype' / 'crp.tsv', [('participant_id', 'session_id', 'time', 'crp'), *((*r[:3], r[4]) for r in rows if r[2] == 'pre')])  # fmt: skip
    trial = marker_trial(tmp_path, il6=IL6, crp={**rest, 'Table': 'phenotype/crp.tsv'})
    tables = read_tables(root, trial)
    il6, crp = read(tables, 'il6'), read(tables, 'crp')
    assert len(il6) == 6 * len(PEOPLE)
    assert len(crp) == 2 * len(PEOPLE)
    censored = il6[PEOPLE[1], 'w6_post']
    assert (censored.censored, censored.lower) == ('left', 2)
    assert il6[PEOPLE[2], 'w12_pre'].value == 12
    assert crp[PEOPLE[3], 'w12_pre'].value == 6
    assert math.isnan(crp[PEOPLE[3], 'w12_pre'].lower)


@pytest.mark.parametrize('columns', [('crp_w0', 'crp_w12'), ('crp_ses-w0', 'w12_crp')])
def test_one_sample_a_session_needs_no_time(root, tmp_path, columns):
    wide(root)
    tsv(root / 'phenotype' / 'cytokines.tsv', [('participant_id', *columns), *((p, 1 + n, 2 + n) for n, p in enumerate(PEOPLE))])  # fmt: skip
    crp = read(read_tables(root, marker_trial(tmp_path, crp=CRP)), 'crp')
    assert [crp[PEOPLE[4], name].value for name in ('w0', 'w12')] == [5, 6]


def test_samples_of_sessions_and_times_in_wide_columns(root, tmp_path):
    wide(root)
    columns = ['il6_w0_pre', 'il6_ses-w0_post', 'w6_pre_il6', 'il6_w6_post', 'il6_w12_pre', 'il6_w12_post']
    rows = [(p, *(10 + n + k for k in range(6))) for n, p in enumerate(PEOPLE)]
    tsv(root / 'phenotype' / 'cytokines.tsv', [('participant_id', *columns), *rows])
    il6 = read(read_tables(root, marker_trial(tmp_path, il6=IL6)), 'il6')
    assert [il6[PEOPLE[0], name].value for name in ('w0_pre', 'w0_post', 'w6_pre', 'w12_post')] == [
        10,
        11,
        12,
        15,
    ]


def test_times_that_the_trial_does_not_name_stop(root, tmp_path):
    wide(root)
    rows = [(p, s, 'fasting', 4) for p in PEOPLE for s in ('w0', 'w12')]
    tsv(root / 'phenotype' / 'cytokines.tsv', [('participant_id', 'session_id', 'time', 'il6'), *rows])
    with pytest.raises(DataError, match='fasting'):
        read_tables(root, marker_trial(tmp_path, il6={**IL6, 'Sessions': ['w0', 'w12']}))


def test_an_absent_table_of_ones_own_trial_stops_and_four_samples_are_read_as_before(root, tmp_path):
    wide(root)
    blood(root)
    both = {**TRIAL, 'BDNF': DEFAULT['BDNF'], 'Biomarkers': {'crp': CRP}}
    with pytest.raises(MissingInputError, match=r'cytokines\.tsv'):
        read_tables(root, trial_of(tmp_path, both))
    tsv(
        root / 'phenotype' / 'cytokines.tsv',
        [('participant_id', 'crp_w0', 'crp_w12'), *((p, 1, 2) for p in PEOPLE)],
    )
    tables = read_tables(root, trial_of(tmp_path, both))
    assert set(read(tables, 'bdnf')) == {
        (p, s) for p in PEOPLE for s in ('s7_pre', 's7_post', 's42_pre', 's42_post')
    }
    assert len(read(tables, 'crp')) == 2 * len(PEOPLE)
    assert rows_of(tables, outcome='crp')['problem'].tolist()
