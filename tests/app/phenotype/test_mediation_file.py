"""The part Mediation of a trial file: visits that are asked for, and what cannot be true of them."""

import pytest

from bids_app.phenotype.trial import read_trial
from pipelines.errors import DataError
from tests.app.phenotype.test_trial import changed, write
from tests.app.phenotype.test_trial_shapes import ONE_VISIT, WHOLE

STEPS = {'Table': 'phenotype/steps.tsv', 'Column': 'steps', 'Units': 'steps'}
MODEL = {'Name': 'm', 'Mediators': ['steps'], 'Outcome': 'nrs'}
BLOOD = {
    'Counts': 'c.tsv', 'Samples': 's.tsv', 'Visits': {'first': {'Session': '02'}, 'last': {'Session': '04'}},
}  # fmt: skip


def file_of(model, steps_at=None, **changes):
    """Return the trial of three arms and four visits with steps, and one analysis."""
    steps = {**STEPS, 'Visits': steps_at} if steps_at else STEPS
    return {
        **WHOLE,
        'Outcomes': {**WHOLE['Outcomes'], 'steps': steps},
        'Mediation': [{**MODEL, **model}],
        **changes,
    }


def test_visits_are_read_for_each_mediator(tmp_path):
    model = {'Mediators': ['steps', 'work'], 'Structure': 'parallel', 'OutcomeVisit': 'a year'}
    (found,) = read_trial(write(tmp_path, file_of({**model, 'MediatorVisit': '12'}))).mediation
    assert (found.outcome_visit, found.mediator_visits) == ('a year', ('12', '12'))
    (found,) = read_trial(write(tmp_path, file_of({**model, 'MediatorVisit': {'work': '12'}}))).mediation
    assert found.mediator_visits == (None, '12')
    (found,) = read_trial(write(tmp_path, file_of({}))).mediation
    assert (found.outcome_visit, found.mediator_visits) == (None, ())


def test_one_visit_for_all_is_not_that_of_gene_sets(tmp_path):
    model = {'Mediators': ['steps', 'expression:X'], 'Structure': 'parallel', 'OutcomeVisit': 'a year'}
    content = file_of({**model, 'MediatorVisit': 'six weeks'}, Expression=BLOOD)
    (found,) = read_trial(write(tmp_path, content)).mediation
    assert found.mediator_visits == ('six weeks', None)


@pytest.mark.parametrize(
    ('model', 'steps_at', 'said'),
    [
        ({'OutcomeVisit': '21'}, None, 'Mediation.0.OutcomeVisit: "21" is none of the Visits. There is T0, six weeks, 12, a year.'),
        ({'MediatorVisit': 'six week'}, None, 'Mediation.0.MediatorVisit: "six week" is none of the Visits. Did you mean six weeks?'),
        ({'MediatorVisit': {'steps': 'T1'}}, None, 'Mediation.0.MediatorVisit.steps: "T1" is none of the Visits.'),
        ({'MediatorVisit': {'step': '12'}}, None, 'MediatorVisit: "step" is none of the Mediators. Did you mean steps?'),
        ({'MediatorVisit': {}}, None, 'Mediation.0.MediatorVisit is empty'),
        ({'MediatorVisit': 12}, None, 'Mediation.0.MediatorVisit: 12 is not text in quotes or an object'),
        ({'MediatorVisit': 'T0'}, None, 'Mediation.0: steps is not measured at T0, but at six weeks and 12 and a year.'),
        ({'OutcomeVisit': 'T0'}, None, 'Mediation.0: nrs is not measured at T0'),
        ({'MediatorVisit': 'a year'}, None, 'the mediator steps is measured at a year, after the outcome nrs at 12'),
        ({'MediatorVisit': '12', 'OutcomeVisit': 'six weeks'}, None, 'steps is measured at 12, after the outcome nrs at six weeks'),
        ({}, ['T0', 'a year'], 'the mediator steps is measured at a year, after the outcome nrs at 12'),
        ({'MediatorVisit': '12'}, ['T0', 'six weeks'], 'steps is not measured at 12, but at six weeks.'),
        ({'Outcome': 'pgic', 'OutcomeVisit': 'a year'}, None, 'pgic is not measured at a year, but at 12.'),
    ],
)  # fmt: skip
def test_what_cannot_be_true(tmp_path, model, steps_at, said):
    with pytest.raises(DataError) as caught:
        read_trial(write(tmp_path, file_of(model, steps_at)))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ('model', 'said'),
    [
        ({'MediatorVisit': 'six weeks'}, 'MediatorVisit: gene sets are of the last sample of Expression.Visits. Remove it'),
        ({'MediatorVisit': {'expression:X': '12'}}, 'MediatorVisit: expression:X is of the last sample'),
        ({}, 'the mediator expression:X is measured at a year, after the outcome nrs at 12'),
    ],
)  # fmt: skip
def test_gene_sets_have_the_visit_of_their_last_sample(tmp_path, model, said):
    model = {'Mediators': ['expression:X'], **model}
    with pytest.raises(DataError, match='cannot be used') as caught:
        read_trial(write(tmp_path, file_of(model, Expression=BLOOD)))
    assert said in str(caught.value)
    elsewhere = changed(BLOOD, 'Visits.last.Session', 'blood')
    if not model.get('MediatorVisit'):
        assert read_trial(write(tmp_path, file_of(model, Expression=elsewhere))).mediation


def test_one_visit(tmp_path):
    content = {**ONE_VISIT, 'Mediation': [{'Name': 'm', 'Mediators': ['fc'], 'Outcome': 'nrs'}]}
    assert read_trial(write(tmp_path, content)).mediation
    content = changed(content, 'Mediation.0', {**content['Mediation'][0], 'MediatorVisit': 'scan'})
    assert read_trial(write(tmp_path, content)).mediation[0].mediator_visits == ('scan',)


def test_visits_of_an_outcome_that_are_unknown_are_said_once(tmp_path):
    with pytest.raises(DataError) as caught:
        read_trial(write(tmp_path, changed(file_of({}), 'Outcomes.nrs.Visits', ['week 3'])))
    assert str(caught.value).count('week 3') == 1
    assert 'Mediation' not in str(caught.value)


@pytest.mark.parametrize('session', ['03', 'ses-03'])
def test_the_last_sample_is_told_by_its_session(tmp_path, session):
    """However the session is written; of a visit before the outcome it is no error."""
    blood = changed(BLOOD, 'Visits.last.Session', session)
    model = {'Mediators': ['expression:X']}
    assert read_trial(write(tmp_path, file_of(model, Expression=blood))).mediation[0].mediator_visits == ()
    with pytest.raises(
        DataError, match=r'expression:X is measured at 12, after the outcome nrs at six weeks'
    ):
        read_trial(write(tmp_path, file_of({**model, 'OutcomeVisit': 'six weeks'}, Expression=blood)))
