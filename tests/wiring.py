"""Check the connections of a workflow: nipype itself accepts fields that nobody declared."""

from typing import Any

from nipype.interfaces.base import isdefined
from nipype.interfaces.utility import IdentityInterface


def check_wiring(workflow: Any, *, unused: frozenset[str] = frozenset(), empty: frozenset[str] = frozenset()):
    """Fail on an undeclared, unconnected or missing field.

    Parameters
    ----------
    workflow
        What a factory returns.
    unused
        Fields of the inputnode that this configuration needs not.
    empty
        Fields of the outputnode that this configuration does not fill.

    """
    graph = workflow._create_flat_graph()
    names = {node.fullname for node in graph}
    assert len(names) == len(graph), 'two nodes share a name'
    for source, target, data in graph.edges(data=True):
        for output, field in data['connect']:
            given = output[0] if isinstance(output, tuple) else output
            assert given in _fields(source, 'outputs'), f'{source.fullname} has no output {given}'
            assert field in _fields(target, 'inputs'), f'{target.fullname} has no input {field}'
    for node in graph:
        connected = {field for *_, data in graph.in_edges(node, data=True) for _, field in data['connect']}
        used = {
            output[0] if isinstance(output, tuple) else output
            for *_, data in graph.out_edges(node, data=True)
            for output, _ in data['connect']
        }
        if node.fullname == f'{workflow.name}.inputnode':
            assert _fields(node, 'outputs') - used == unused
        elif node.fullname == f'{workflow.name}.outputnode':
            assert _fields(node, 'inputs') - connected == empty
        else:
            _check_mandatory(node, connected)


def _fields(node: Any, side: str) -> set[str]:
    if isinstance(node.interface, IdentityInterface):
        return set(node.interface._fields)
    spec = node.inputs if side == 'inputs' else node.interface._outputs()
    return set(spec.copyable_trait_names())


def _check_mandatory(node: Any, connected: set[str]) -> None:
    for name, trait in node.inputs.traits(mandatory=True).items():
        value = getattr(node.inputs, name)
        given = name in connected or (isdefined(value) and value not in (None, []))
        assert given, f'{node.fullname} misses {name} ({trait.trait_type})'
