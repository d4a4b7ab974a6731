"""What the text of methods says of mediation in each design."""

from dataclasses import replace

import pytest

from pipelines.params import GroupParams
from pipelines.stats.design import Outcome
from pipelines.stats.mediation_design import Analysis, MediationDesign
from pipelines.stats.visit import Visit
from pipelines.workflows.mechanism import init_mediation_wf

VISITS = tuple(
    Visit(name=name, session_id=f'ses-{name}', is_baseline=name == 'w0', is_primary=name == 'w12')
    for name in ('w0', 'w6', 'w12')
)
EARLY = Analysis('early', ('fc',), 'nrs', outcome_visit='w12', mediator_visits=('w6',))
SAME = replace(EARLY, name='same', mediator_visits=('w12',))
WORK = replace(EARLY, name='work', outcome='work')
GENES = Analysis('genes', ('expression:X',), 'nrs', outcome_visit='w12', mediator_visits=(None,))
BOTH = Analysis('both', ('fc', 'fa'), 'nrs', 'parallel', outcome_visit='w12', mediator_visits=('w6', 'w12'))


def text_of(*analyses, treated=('yoga',), is_randomised=True):
    design = MediationDesign(
        treated=treated, control='wait', analyses=analyses, visits=VISITS, is_randomised=is_randomised,
        outcomes=(Outcome(name='fc'), Outcome(name='fa'), Outcome(name='nrs'), Outcome(name='work', kind='binary')),
    )  # fmt: skip
    workflow = init_mediation_wf(design=design, params=GroupParams(n_bootstraps=2000), random_seed=1)
    assert {'mediate', 'draw'} <= set(workflow.list_node_names())
    return workflow.__desc__


@pytest.mark.parametrize(
    ('analysis', 'said'),
    [
        (EARLY, 'Mediators were measured at a visit before that of the outcome.'),
        (
            SAME,
            'Mediator and outcome are of the same visit, and that the mediator comes first is an assumption.',
        ),
        (BOTH, 'One mediator was measured before the outcome and another at its visit.'),
        (GENES, 'The last blood sample is of a session that is no visit'),
    ],
)
def test_order_in_time(analysis, said):
    text = text_of(analysis)
    assert said in text
    assert '2,000 resamples' in text
    others = ['at a visit before', 'same visit, and', 'another at its visit', 'no visit, and']
    assert sum(other in text for other in others) == 1


def test_several_orders_are_each_of_some_analyses():
    text = text_of(EARLY, SAME)
    assert text.count('In some analyses') == 2


def test_models_by_the_kind_of_outcome():
    linear, risk, both = text_of(EARLY), text_of(WORK), text_of(EARLY, WORK)
    assert 'by linear models of mediator and outcome after' in linear
    assert 'natural effects' not in linear
    assert 'a logistic model of the outcome' in risk
    assert '@imai2010]' not in risk  # the correlation of errors is of continuous outcomes
    assert '@imaikeele2010' in risk
    assert '@firth1993' in risk
    assert '@imai2010]' in both
    assert 'logistic ones of binary outcomes' in both


def test_arms_and_chance():
    assert 'Each treated arm' in text_of(EARLY, treated=('yoga', 'walking'))
    assert 'Each treated arm' not in text_of(EARLY)
    assert 'which randomisation does not give' in text_of(EARLY)
    observed = text_of(EARLY, is_randomised=False)
    assert 'randomisation' not in observed
    assert 'chance did not make the groups' in observed
