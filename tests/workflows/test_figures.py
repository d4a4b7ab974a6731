"""The figure workflows: fields named as the producers name them, every input used, every output made."""

import numpy as np
import pytest
from niworkflows.engine.workflows import LiterateWorkflow

from pipelines.interfaces.templates import target_brain
from pipelines.params import FunctionalParams
from pipelines.terms import MAP_MEASURES
from pipelines.workflows import figures
from pipelines.workflows.connectivity import init_connectivity_wf

MADE = {
    'anatomical': (
        lambda: figures.init_anatomical_figures_wf(space='MNI152NLin6Asym'),
        {'mask_figure', 'normalization_figure'},
    ),
    'functional': (figures.init_functional_figures_wf, {'coregistration_figure'}),
    'connectivity': (
        lambda: figures.init_connectivity_figures_wf(fd_threshold=0.5),
        {
            *('regions_figure', 'carpet_figure', 'seed_figure', 'relmat_figure'),
            *(f'{measure.map}_figure' for measure in MAP_MEASURES),
        },
    ),
}


def fields(workflow: LiterateWorkflow, node: str) -> set[str]:
    return set(workflow.get_node(node).interface._fields)


def used(workflow: LiterateWorkflow) -> set[str]:
    """Return the fields of the inputnode that some node takes."""
    inputnode = workflow.get_node('inputnode')
    edges = workflow._graph.out_edges(inputnode, data=True)
    return {source for *_, data in edges for source, _ in data['connect']}


@pytest.mark.parametrize('kind', MADE)
def test_every_input_is_used(kind: str) -> None:
    workflow = MADE[kind][0]()
    assert used(workflow) == fields(workflow, 'inputnode')


@pytest.mark.parametrize('kind', MADE)
def test_every_output_is_connected_to_a_figure(kind: str) -> None:
    make, expected = MADE[kind]
    workflow = make()
    outputnode = workflow.get_node('outputnode')
    edges = workflow._graph.in_edges(outputnode, data=True)
    connected = [link for *_, data in edges for link in data['connect']]
    assert {target for _, target in connected} == expected == fields(workflow, 'outputnode')
    assert {source for source, _ in connected} == {'figure'}


@pytest.mark.parametrize('kind', MADE)
def test_mandatory_inputs_of_every_node_are_set_or_connected(kind: str) -> None:
    workflow = MADE[kind][0]()
    for node in workflow._graph.nodes:
        edges = workflow._graph.in_edges(node, data=True)
        connected = {target for *_, data in edges for _, target in data['connect']}
        for name in node.inputs.traits(mandatory=True):
            assert name in connected or getattr(node.inputs, name), f'{node}.{name}'


def test_names_are_those_of_the_connectivity_workflow() -> None:
    figure_wf = figures.init_connectivity_figures_wf(fd_threshold=0.5)
    producer = init_connectivity_wf(params=FunctionalParams(), t_r=2.0, space='MNI152NLin6Asym')
    assert fields(figure_wf, 'inputnode') <= fields(producer, 'outputnode')


def test_template_is_that_of_the_space() -> None:
    workflow = figures.init_anatomical_figures_wf(space='MNI152NLin6Asym')
    node = workflow.get_node('plot_normalization')
    assert node.inputs.template == str(target_brain('MNI152NLin6Asym'))
    assert node.inputs.space == 'MNI152NLin6Asym'


def test_threshold_reaches_the_carpet() -> None:
    workflow = figures.init_connectivity_figures_wf(fd_threshold=0.3)
    assert workflow.get_node('plot_carpet').inputs.fd_threshold == 0.3


@pytest.mark.parametrize('given', [True, False])
def test_background_is_optional(given: bool) -> None:
    background = str(target_brain('MNI152NLin6Asym')) if given else None
    workflow = figures.init_connectivity_figures_wf(fd_threshold=0.5, background=background)
    for name in ('plot_seed', 'plot_icc'):
        assert bool(workflow.get_node(name).inputs.background) is given


def test_figures_say_nothing_about_the_methods() -> None:
    for make, _ in MADE.values():
        assert make().visit_desc() == ''


def test_memory_is_asked_for() -> None:
    sizes = [
        node.mem_gb
        for make, _ in MADE.values()
        for node in make()._graph.nodes
        if node.name.startswith('plot_')
    ]
    assert np.all(np.array(sizes) >= 1)
