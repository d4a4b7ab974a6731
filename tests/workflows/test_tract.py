"""The workflow of the tract: every field connected in every configuration, methods text by choice."""

import pytest

from pipelines.interfaces.gather import Gather
from pipelines.params import TractParams
from pipelines.scalar_maps import ScalarMap, TractScalars
from pipelines.terms import circuit_of_rows, default_circuit
from pipelines.workflows.tract import SESSION, TISSUE, init_tract_wf
from pipelines.workflows.tract_scalars import measure_scalars_too

from ..wiring import check_wiring

SPACE = 'MNI152NLin6Asym'
CIRCUIT = default_circuit()


def make(sessions=('pre', 'post'), has_t1w=True, has_tissue=True, circuit=CIRCUIT, **params):
    return init_tract_wf(
        params=TractParams(**params), circuit=circuit, space=SPACE, sessions=list(sessions), has_t1w=has_t1w,
        has_tissue=has_tissue, random_seed=1,
    )  # fmt: skip


@pytest.mark.parametrize('sessions', [('n/a',), ('pre', 'post'), ('a', 'b', 'c')])
@pytest.mark.parametrize(('has_t1w', 'has_tissue'), [(True, True), (True, False), (False, False)])
def test_every_field_is_connected(sessions, has_t1w, has_tissue):
    workflow = make(sessions, has_t1w, has_tissue)
    check_wiring(workflow, empty=frozenset({'fa_std'}) if has_t1w else frozenset())
    for number in range(len(sessions)):
        assert set(workflow.get_node(f'session_{number}').interface._fields) == set(SESSION)
    assert workflow.get_node('measure').inputs.sessions == list(sessions)
    inputs = set(workflow.get_node('inputnode').interface._fields)
    assert (set(TISSUE) <= inputs) == has_tissue
    assert ('normalize' in workflow.list_node_names()) == (not has_t1w)


def test_sessions_keep_their_order():
    """Item n of what is measured comes from ``session_<n>``, whose label is the n-th."""
    workflow = make(('pre', 'post', 'late'))
    for number in range(3):
        node = workflow.get_node(f'session_{number}')
        joined = {
            (target.name, pair)
            for _, target, data in workflow._graph.out_edges(node, data=True)
            for pair in data['connect']
        }
        assert joined == {('sessions', (field, f'{field}_{number}')) for field in SESSION}


def test_both_sides_are_tracked_in_both_directions():
    track = make().get_node('track').inputs
    assert track.part == [0, 1, 2, 3]
    assert [bundle.first for bundle in track.circuit.bundles] == ['NAcL', 'NAcR']


def test_parameters_reach_the_tracking():
    chosen = {
        'n_streamlines': 200, 'max_seeds': 5000, 'step_size': 1.0, 'max_angle': 20.0, 'max_length': 60.0
    }  # fmt: skip
    workflow = make(**chosen)
    inputs = workflow.get_node('track').inputs
    assert {name: getattr(inputs, name) for name in chosen} == chosen
    assert workflow.get_node('measure').inputs.wanted.n_streamlines == 200
    for word in ('step 1 mm', 'angle 20 degrees', 'up to 60 mm', '200 per', '5,000 seeds'):
        assert word in workflow.__desc__


def test_methods_text_follows_the_choice():
    assert 'one tract per person' in make().__desc__
    assert 'one tract per person' not in make(('pre',)).__desc__
    assert 'ended in grey matter' in make().__desc__
    assert 'anisotropy is below 0.15' in make(has_tissue=False).__desc__


def test_a_region_file_is_an_input_of_its_node(tmp_path):
    """A changed file must repeat the step."""
    mine = tmp_path / 'mine.nii.gz'
    mine.touch()
    assert make(circuit=default_circuit(f'{mine}:3')).get_node('domain').inputs.files == [str(mine)]


def test_steps_and_words_of_several_pairs():
    """More tracts are more parts of a step, not more steps."""
    listed = [
        {'name': name, 'hemisphere': side, 'source': 'sphere:9,9,-8,4', 'pairs': pairs}
        for name, pairs in (('NAc', 'Amg VTA'), ('Amg', 'AmgR'))
        for side in ('L', 'R')
    ]
    listed[-1]['pairs'] = ''
    circuit = circuit_of_rows([*listed, {'name': 'VTA', 'hemisphere': 'n/a', 'source': 'sphere:0,-16,-12,4'}])
    workflow = make(circuit=circuit)
    assert len(workflow.get_node('track').inputs.part) == 2 * len(circuit.bundles) == 10
    assert sorted(workflow.list_node_names()) == sorted(make().list_node_names())
    for words in (
        'the nucleus accumbens and in the Amg',
        'in the nucleus accumbens and in the VTA',
        'across the midline',
    ):
        assert words in workflow.__desc__


def test_maps_and_series_of_all_sessions_reach_what_measures():
    """Session after session, each list in one piece: maps of a session are four, a series has its gradients."""
    workflow = make(('pre', 'post'))
    gather, measure = workflow.get_node('sessions'), workflow.get_node('measure')
    joined = dict(workflow._graph.get_edge_data(gather, measure)['connect'])
    assert joined == {'maps': 'maps', 'scans': 'scans', 'metadata': 'session_facts'}
    assert {'maps', 'scans'} <= set(gather.outputs.copyable_trait_names())
    assert gather.interface.joined['maps'] == ('fa', 'md', 'ad', 'rd')
    assert measure.inputs.sessions == ['pre', 'post']


def test_joined_lists_go_source_after_source(tmp_path):
    paths = {f'{field}_{n}': tmp_path / f'{field}{n}' for field in ('fa', 'md') for n in range(2)}
    for path in paths.values():
        path.touch()
    made = Gather(['fa', 'md'], [], 2, {'maps': ('fa', 'md')}, **{k: str(v) for k, v in paths.items()})
    found = made.run().outputs
    assert [path.rpartition('/')[2] for path in found.maps] == ['fa0', 'md0', 'fa1', 'md1']
    assert [path.rpartition('/')[2] for path in found.md] == ['md0', 'md1']


@pytest.mark.parametrize('sessions', [('n/a',), ('pre', 'post')])
def test_further_maps_are_one_step_behind_that_which_measures(sessions, tmp_path):
    """Tables and facts come from it, all else from where it came before; a session may lack a map."""
    path = tmp_path / 'icvf.nii.gz'
    path.touch()
    maps = tuple(ScalarMap('icvf', session, str(path) if session != 'post' else '') for session in sessions)
    plain, workflow = make(sessions), make(sessions)
    measure_scalars_too(workflow, TractScalars(circuit=CIRCUIT, maps=maps))
    check_wiring(workflow, empty=frozenset({'fa_std'}))
    assert set(workflow.list_node_names()) - set(plain.list_node_names()) == {'scalars'}
    scalars = workflow.get_node('scalars')
    assert scalars.inputs.files == [str(path)]
    edges = workflow._graph.get_edge_data(scalars, workflow.get_node('outputnode'))['connect']
    assert sorted(edges) == [(field, field) for field in ('metadata', 'scalarstats')]
    kept = {
        field
        for _, field in workflow._graph.get_edge_data(
            workflow.get_node('measure'), workflow.get_node('outputnode')
        )['connect']
    }
    assert kept == {'streamlines', 'tck', 'probsegs', 'profile', 'threshold'}
    assert workflow.__desc__.startswith(plain.__desc__)
    assert 'Further maps (icvf) were weighted in the same way' in workflow.__desc__
    assert 'less than 70% of a tract' in workflow.__desc__
