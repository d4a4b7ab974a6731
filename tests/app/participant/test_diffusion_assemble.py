"""The workflow of a participant with diffusion: no cycle, no loose end, every planned file has its sink."""

import networkx as nx
import pytest

from bids_app.outputs.plan import of_participant
from bids_app.participant.bold import build_workflow
from bids_app.scans.people import collect
from tests.app.scans.test_diffusion_inputs import T1W, anatomy, build, dwi, series, settings_of
from tests.wiring import check_wiring

SESSIONS = ('pre', 'post')


def dataset(tmp_path, kind):
    """Return root and derivatives of a two-session person."""
    if kind.startswith('qsiprep'):
        made = anatomy(tissues='without tissue' not in kind)
        own = {'anat': made} if 'sessionwise' in kind else {}
        sessions = [{'session': s, 'dwi': series(), **own} for s in SESSIONS]
        root = build(
            tmp_path / 'qsiprep', {'01': [*([] if own else [{'session': None, 'anat': made}]), *sessions]}
        )
        return root, root
    pair = [dwi(dir='AP'), dwi(dir='PA')]
    t1w = [T1W] if kind == 'raw' else []
    root = build(tmp_path / 'raw', {'01': [{'session': s, 'anat': t1w, 'dwi': pair} for s in SESSIONS]})
    return root, None


@pytest.mark.parametrize('words', [[], ['--tract', 'independent', '--write-tck']], ids=['person', 'each'])
@pytest.mark.parametrize(
    'kind',
    [
        *('raw', 'raw without T1w', 'qsiprep', 'qsiprep without tissue'),
        *('qsiprep sessionwise', 'qsiprep sessionwise without tissue'),
    ],
)
def test_the_whole_is_connected(tmp_path, kind, words):
    root, derivatives = dataset(tmp_path, kind)
    settings = settings_of(root, *words, derivatives=derivatives)
    person = collect(settings, '01')
    assert person.diffusion
    workflow = build_workflow(settings, [person])
    check_wiring(workflow)
    graph = workflow._create_flat_graph()
    assert nx.is_directed_acyclic_graph(graph)
    sinks = [path for node in graph for path in getattr(node.interface, 'targets', [])]
    assert sorted(sinks) == sorted(plan.path for plan in of_participant(settings, person))


@pytest.mark.parametrize('ignored', [False, True])
def test_no_correction_where_it_is_ignored(tmp_path, ignored):
    root, _ = dataset(tmp_path, 'raw')
    settings = settings_of(root, '--use-syn-sdc', *(['--ignore', 'sdc'] if ignored else []))
    workflow = build_workflow(settings, [collect(settings, '01')])
    nodes = [node for node in workflow._get_all_nodes() if node.name == 'coregister']
    assert nodes
    assert all(node.inputs.use_syn == (not ignored) for node in nodes)
