"""The part Expression of a trial file: visits of samples in their order, and what the first of them is."""

import json

import pandas as pd
import pytest

from bids_app.phenotype.parts import Expression
from bids_app.phenotype.rnaseq import NoExpression, _label, _too_few, plan_expression
from bids_app.phenotype.trial import read_trial
from pipelines.errors import DataError
from pipelines.stats.visit import Visit

ARMS = {
    'Table': 'participants.tsv',
    'Column': 'group',
    'Treatment': ['yoga', 'walking'],
    'Control': 'waiting',
}
OUTCOMES = {'nrs': {'Table': 'phenotype/nrs.tsv', 'Column': 'nrs', 'Units': 'points'}}
FIRST_LAST = {'first': {'Session': 'pre'}, 'last': {'Session': 'post'}}


def read(tmp_path, samples, *, expression=None, **changes):
    """Return a trial with these visits of samples."""
    content = {
        'Arms': ARMS,
        'Visits': {'baseline': {'Session': 'pre'}, 'followup': {'Session': 'post'}},
        'Outcomes': OUTCOMES,
        'Expression': {
            'Counts': 'counts.tsv',
            'Samples': 'phenotype/rna.tsv',
            'Visits': samples,
            **(expression or {}),
        },
        'Mediation': [{'Name': 'm', 'Mediators': ['expression:SET'], 'Outcome': 'nrs'}],
        **changes,
    }
    path = tmp_path / 'trial.json'
    path.write_text(json.dumps(content))
    return read_trial(path)


def visits(*sessions) -> dict:
    return {f'T{number}': {'Session': session} for number, session in enumerate(sessions)}


@pytest.mark.parametrize(
    ('samples', 'names'),
    [
        (FIRST_LAST, ['first', 'last']),
        (dict(reversed(FIRST_LAST.items())), ['first', 'last']),
        (visits('pre', 'mid', 'post'), ['T0', 'T1', 'T2']),
        ({'last': {'Session': 'c'}, 'week 6': {'Session': 'b'}, 'first': {'Session': 'a'}}, ['first', 'week 6', 'last']),
    ],
)  # fmt: skip
def test_visits_of_samples_are_in_their_order(tmp_path, samples, names):
    found = read(tmp_path, samples).expression
    assert [visit.name for visit in found.visits] == names
    assert all(visit.session_id.startswith('ses-') for visit in found.visits)


@pytest.mark.parametrize(
    ('samples', 'expression', 'changes', 'wanted'),
    [
        (visits('pre', 'post'), {}, {}, 'baseline'),
        (visits('ses-pre', 'post'), {}, {}, 'baseline'),
        (visits('wk3', 'wk14'), {}, {}, 'postRandomisation'),
        (visits('post', 'late'), {}, {}, 'postRandomisation'),
        # drawn before allocation, in a session of its own
        (visits('screening', 'post'), {'Reference': 'baseline'}, {}, 'baseline'),
        (visits('pre', 'post'), {'Reference': 'postRandomisation'}, {}, 'postRandomisation'),
        # nobody was allocated by chance
        (visits('wk3', 'wk14'), {}, {'Arms': {**ARMS, 'Randomised': False}}, 'baseline'),
        # the order of two visits is by the name baseline
        (visits('pre', 'post'), {}, {'Visits': {'followup': {'Session': 'post'}, 'baseline': {'Session': 'pre'}}}, 'baseline'),
        # a trial of one visit has no baseline to compare with
        (visits('wk3', 'wk14'), {}, {'Visits': {'end': {'Session': 'wk14'}}, 'Outcomes': {'nrs': {**OUTCOMES['nrs'], 'Visits': ['end']}}}, 'baseline'),
    ],
)  # fmt: skip
def test_what_the_first_sample_is(tmp_path, samples, expression, changes, wanted):
    trial = read(tmp_path, samples, expression=expression, **changes)
    assert trial.expression.reference == wanted
    assert [analysis.reference for analysis in trial.mediation] == [wanted]


def test_the_default_trial_says_it_as_before():
    trial = read_trial()
    assert trial.expression.reference == 'postRandomisation'
    assert {analysis.reference for analysis in trial.mediation} == {'postRandomisation'}


@pytest.mark.parametrize(
    ('samples', 'expression', 'changes', 'said'),
    [
        ({'first': {'Session': 'pre'}}, {}, {}, 'Expression.Visits'),
        (visits('pre', 'pre'), {}, {}, 'Expression.Visits: T0 and T1 are the same session pre'),
        ({'a': {'Session': 'x'}, 'followup': {'Session': 'y'}, 'c': {'Session': 'z'}}, {}, {}, '"followup" is what tables call'),
        ({'a': {'Session': 'x'}, 'A': {'Session': 'y'}}, {}, {}, 'two visits have the same name (a, A)'),
        (visits('pre', 'post'), {'Reference': 'before'}, {}, 'Expression.Reference: "before" is not allowed'),
        (visits('pre', 'post'), {'Reference': 'postRandomisation'}, {'Arms': {**ARMS, 'Randomised': False}}, 'Arms.Randomised is false'),
        (visits('pre', 'post') | {'T2': {}}, {}, {}, 'Expression.Visits.T2.Session is missing'),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_by_its_key(tmp_path, samples, expression, changes, said):
    with pytest.raises(DataError) as caught:
        read(tmp_path, samples, expression=expression, **changes)
    assert said in str(caught.value)


def test_a_visit_whose_name_says_only_where_it_stands_is_called_by_its_session():
    found = [_label(Visit(name=name, session_id='ses-wk3')) for name in ('first', 'last', 'week 6')]
    assert found == ['wk3', 'wk3', 'week 6']


def samples_of(**people) -> pd.DataFrame:
    """Return samples of people by arm, each with the visits they made."""
    rows = [
        (f'{arm}{number}_{visit}', f'{arm}{number}', arm, visit)
        for arm, made in people.items()
        for number, own in enumerate(made)
        for visit in own
    ]
    return pd.DataFrame(rows, columns=['sample_id', 'participant_id', 'arm', 'visit'])


def test_too_few_people_are_counted_by_arm_and_visit():
    both, labels = ('reference', 'followup'), {'reference': 'wk3', 'followup': 'wk14'}
    assert _too_few(samples_of(yoga=[both] * 2, waiting=[both] * 3), (), labels) == ''
    said = _too_few(samples_of(yoga=[both, both[:1]], waiting=[both] * 2), (), labels)
    assert said == (
        'too few people with both blood samples and all covariates: 1 of yoga, 2 of waiting; 2 of an arm are needed'
    )
    three = {'reference': 'week 0', 'T1': 'week 6', 'followup': 'week 12'}
    said = _too_few(samples_of(yoga=[tuple(three)] * 2, waiting=[both] * 2), (), three)
    assert '0 of waiting at week 6' in said
    assert _too_few(samples_of(yoga=[tuple(three), tuple(three), both]), (), three) == ''
    assert 'none' in _too_few(samples_of(), (), labels)


def test_a_trial_without_the_part_has_no_expression(tmp_path):
    trial = read(tmp_path, FIRST_LAST, Mediation=[])
    assert isinstance(trial.expression, Expression)
    assert plan_expression(tmp_path, trial, None) == NoExpression('counts.tsv or phenotype/rna.tsv is absent')
