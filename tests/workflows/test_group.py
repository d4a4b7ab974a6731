"""What the workflows of the group say of themselves, and how their steps are joined."""

import pytest

from pipelines.interfaces.clusters import MapPlace
from pipelines.params import GroupParams
from pipelines.stats.design import DerivativeOutcome, Outcome, OutcomesDesign, PrimaryContrast, Sites, Visit
from pipelines.stats.map_tests import MapsDesign, MapVisits, map_tests
from pipelines.workflows.group import init_outcomes_wf
from pipelines.workflows.maps import KindOfMap, init_voxelwise_wf
from tests.wiring import check_wiring

VISITS = (
    Visit(name='before', session_id='ses-1', is_baseline=True),
    Visit(name='after', session_id='ses-2', is_primary=True),
)
PAIN = Outcome(name='pain', role='primary', low=0, high=10, lower_is_better=True)
WORK = Outcome(name='work', kind='binary', levels=('no', 'yes'), responder='yes')


def workflow(*outcomes, **more):
    given = {'treated': ('yoga', 'gym'), 'control': 'wait', 'visits': VISITS} | more
    design = OutcomesDesign(outcomes=outcomes, **given)
    return init_outcomes_wf(
        scans=[{'stamp': ''}],
        tracts=[{'stamp': ''}],
        design=design,
        params=GroupParams(n_imputations=50),
        random_seed=1,
    )


def test_every_output_comes_from_a_step():
    made = workflow(PAIN, WORK, DerivativeOutcome(name='icc', derivative='alff', regions=('NAc',)))
    check_wiring(made)
    names = set(made.get_node('outputnode').outputs.copyable_trait_names())
    assert {'outcomes', 'levels', 'missing', 'tipping', 'tipping_figure'} <= names
    impute = made.get_node('impute')
    assert (impute.inputs.n_imputations, impute.inputs.random_seed) == (50, 1)


def test_reliability_rests_on_repeats_and_on_the_values_of_everybody():
    icc = DerivativeOutcome(name='icc', derivative='alff', regions=('NAc',))
    made = workflow(PAIN, icc)
    rate = made.get_node('rate')
    assert rate.inputs.design.imaging == [icc]
    into = {
        (source.name, pair)
        for source, _, data in made._graph.in_edges(rate, data=True)
        for pair in data['connect']
    }
    assert into == {('measure', ('repeats', 'repeats')), ('fit', ('values', 'values'))}
    saved = dict(made._graph.get_edge_data(rate, made.get_node('outputnode'))['connect'])
    assert saved == {name: name for name in ('reliability', 'reliable_changes')}
    assert 'intraclass correlation of halves of a run' in made.__desc__
    assert 'intraclass' not in workflow(PAIN).__desc__


@pytest.mark.parametrize(
    ('is_randomised', 'said', 'unsaid'),
    [
        (True, 'arms share the mean at baseline [@lu2010]', 'not allocated at random'),
        (False, 'arms were not allocated at random and have means of their own', 'share the mean'),
    ],
)
def test_the_model_is_told_as_the_design_has_it(is_randomised, said, unsaid):
    text = workflow(PAIN, is_randomised=is_randomised).__desc__
    assert said in text
    assert unsaid not in text
    assert text.endswith('.\n\n')


def test_kinds_of_outcomes_are_told_where_there_are_any():
    continuous, binary = (workflow(outcome).__desc__ for outcome in (PAIN, WORK))
    assert 'restricted maximum likelihood' in continuous
    assert 'logistic regression' not in continuous
    assert 'logistic regression' in binary
    assert 'restricted maximum likelihood' not in binary


def test_imputations_are_told_where_they_are_made():
    assert 'imputed 50 times' in workflow(PAIN).__desc__
    without_range = Outcome(name='pain', role='primary', lower_is_better=True)
    assert 'imputed' not in workflow(without_range).__desc__


def test_what_another_group_would_have_become_is_told_of_arms_by_lot_only():
    assert 'imputed 50 times at random, by jump to reference' in workflow(PAIN).__desc__
    groups = workflow(PAIN, is_randomised=False).__desc__
    assert 'imputed 50 times at random, and shifted' in groups
    assert 'reference' not in groups


@pytest.mark.parametrize('use', ['fixed', 'random', 'blocks'])
def test_random_intercepts_of_sites_are_told(use):
    text = workflow(PAIN, sites=Sites(column='clinic', use=use)).__desc__
    assert ('Sites have a random intercept' in text) == (use == 'random')


def test_the_order_of_testing_is_told():
    assert 'adjusted by Holm' in workflow(PAIN).__desc__
    ordered = workflow(PAIN, sequence=(PrimaryContrast(outcome='pain', arm='yoga'),)).__desc__
    assert 'tested in the order of the trial file' in ordered
    assert 'Holm' not in ordered


def maps(*treated, **more):
    """Return the workflow of two kinds of maps."""
    design = MapsDesign(treated=treated, control='wait', primary='pain', **more)
    tests = map_tests(design, VISITS, MapVisits(), VISITS[1])
    kinds = [KindOfMap(name, [{'participant_id': 'sub-01', 'maps': {}}], tests) for name in ('NAc', 'icc')]
    params = GroupParams(n_permutations=200, exact_tail=more.get('blocks') is not None)
    return init_voxelwise_wf(
        kinds=kinds, place=MapPlace('MNI152NLin6Asym'), design=design, params=params, random_seed=5
    )


def test_all_kinds_of_maps_have_the_same_permutations_and_one_table():
    made = maps('yoga', 'gym')
    check_wiring(made)
    test = made.get_node('test')
    assert test.inputs.random_seed == 5  # no field that is iterated over
    assert {'stack', 'mask', 'tests'} == set(test.iterfield)
    assert made.get_node('list').inputs.tests[0] == [one.name for one in test.inputs.tests[0]]
    text = made.__desc__
    for said in (
        '200 permutations',
        'F of Welch [@welch1951]',
        'generalised Pareto',
        'map at the first visit',
        'All maps of a test',
    ):
        assert said in text


def test_maps_are_told_as_the_design_has_it():
    text = maps('yoga', is_randomised=False, blocks='site').__desc__
    for said in ('compared without it', 'keep the blocks of site', 'p values are counted'):
        assert said in text
    assert not any(word in text for word in ('welch1951', 'Pareto'))
