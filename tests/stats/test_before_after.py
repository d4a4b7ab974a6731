"""A trial of any shape as one of two arms and two visits."""

import pandas as pd
import pytest

from pipelines.stats.before_after import before_after, compared
from pipelines.stats.design import Outcome, OutcomesDesign, Sites, primary_visit, visits_of
from pipelines.stats.visit import Visit

VISITS = (
    Visit(name='start', session_id='ses-a', is_baseline=True),
    Visit(name='followup', session_id='ses-b'),
    Visit(name='end', session_id='ses-c', is_primary=True),
    Visit(name='late', session_id='ses-d'),
)
PAIN = Outcome(name='nrs')
FALLS = Outcome(name='falls', kind='count', visits=('late',), has_baseline=False)
CHANGE = Outcome(name='pgic', kind='ordinal', visits=('followup', 'end'), has_baseline=False)


def design(*outcomes, **others):
    return OutcomesDesign(
        treated=('yoga', 'walking'),
        control='wait',
        outcomes=outcomes or (PAIN, FALLS, CHANGE),
        visits=VISITS,
        **others,
    )


def values(**by_outcome):
    rows = [
        (pid, outcome, visit.name, 10 * number + place)
        for number, pid in enumerate(['1', '2', '3', '4', '5', '6'])
        for outcome in by_outcome or ('nrs', 'falls', 'pgic')
        for place, visit in enumerate(VISITS)
    ]
    table = pd.DataFrame(rows, columns=['participant_id', 'outcome', 'visit', 'value'])
    return table.astype({'value': float}).assign(flags='')


def test_each_outcome_has_its_own_last_visit():
    found = before_after(values(), design())
    wide = found[found['participant_id'] == '1'].pivot(index='outcome', columns='visit', values='value')
    assert wide.loc['nrs'].to_dict() == {'baseline': 0, 'followup': 2}
    assert wide.loc['falls', 'followup'] == 3
    assert wide.loc['pgic', 'followup'] == 2
    assert wide.loc[['falls', 'pgic'], 'baseline'].isna().all()


def test_a_visit_called_followup_is_no_followup_unless_it_is_primary():
    found = before_after(values(), design())
    assert found.groupby('outcome')['visit'].value_counts().to_dict() == {
        ('falls', 'followup'): 6,
        ('nrs', 'baseline'): 6,
        ('nrs', 'followup'): 6,
        ('pgic', 'followup'): 6,
    }
    assert set(found.loc[(found['outcome'] == 'nrs') & (found['visit'] == 'followup'), 'value'] % 10) == {2}


def test_names_of_two_visits_are_kept():
    two = (
        Visit(name='baseline', session_id='ses-pre', is_baseline=True),
        Visit(name='followup', session_id='ses-post', is_primary=True),
    )
    own = OutcomesDesign(treated=('a',), control='b', outcomes=(PAIN,), visits=two)
    table = values()[values()['outcome'] == 'nrs'].iloc[:2].assign(visit=['followup', 'baseline'])
    pd.testing.assert_frame_equal(before_after(table, own), table)


def test_outcomes_that_are_not_asked_for_are_left_out():
    assert set(before_after(values(), design(PAIN))['outcome']) == {'nrs'}
    assert before_after(values().iloc[:0], design()).empty


PEOPLE = pd.DataFrame(
    {
        'participant_id': ['1', '2', '3', '4', '5', '6'],
        'arm': ['yoga', 'walking', 'wait', 'yoga', 'wait', 'wait'],
        'age': [30.0, 40, 50, 60, 35, 45],
        'sex': ['F', 'M', 'F', 'M', 'F', 'M'],
        'clinic': ['a', 'b', 'a', 'b', 'a', 'b'],
    }
)


@pytest.mark.parametrize(
    ('given', 'columns'),
    [
        ({}, []),
        ({'covariates': ('age',)}, ['age']),
        ({'covariates': ('age',), 'strata': ('sex',)}, ['age', 'sex']),
        ({'strata': ('sex',), 'sites': Sites(column='clinic', use='fixed')}, ['sex', 'clinic']),
        ({'strata': ('sex',), 'sites': Sites(column='clinic', use='blocks')}, ['sex', 'clinic']),
        ({'strata': ('clinic',), 'sites': Sites(column='clinic', use='random')}, ['clinic']),
    ],
)
def test_people_of_two_arms_with_what_is_adjusted_for(given, columns):
    found = compared(PEOPLE, design(**given))
    assert found['participant_id'].tolist() == ['1', '3', '4', '5', '6']
    assert list(found) == ['participant_id', 'arm', *columns]


def test_visits_of_an_outcome():
    assert visits_of(PAIN, VISITS) == VISITS
    assert [v.name for v in visits_of(CHANGE, VISITS)] == ['followup', 'end']
    assert primary_visit(CHANGE, VISITS).name == 'end'
    assert primary_visit(FALLS, VISITS).name == 'late'


@pytest.mark.parametrize(
    ('given', 'time', 'session'),
    [
        ({'week': 6}, 6, 'a'),
        ({'month': 1.5}, 1.5, 'a'),
        ({'week': 0}, 0, 'a'),
        ({}, None, 'a'),
    ],
)
def test_time_and_session_of_a_visit(given, time, session):
    visit = Visit(name='x', session_id='ses-a', **given)
    assert (visit.time, visit.session) == (time, session)


@pytest.mark.parametrize(
    ('given', 'threshold'),
    [
        ({'kind': 'ordinal', 'levels': ('a', 'b', 'c'), 'responder': 'b'}, 2),
        ({'kind': 'ordinal', 'levels': ('3', '2', '1'), 'responder': '1'}, 3),
        ({'kind': 'ordinal', 'responder': 2}, 2),
        ({'kind': 'ordinal'}, None),
        ({'kind': 'binary', 'responder': 'yes'}, None),
        ({}, None),
    ],
)
def test_threshold_of_responders(given, threshold):
    assert Outcome(name='x', **given).threshold == threshold
