"""The workflow of a participant with diffusion: no cycle, no loose end, every planned file has its sink."""

import json

import networkx as nx
import nibabel as nb
import numpy as np
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
    combined = [node for node in workflow._get_all_nodes() if node.name == 'combine']
    directions = {direction for node in combined for direction in node.inputs.encoding.directions}
    assert (directions == {''}) == ignored


def _write_field(root, session, name, **facts):
    path = root / 'sub-01' / f'ses-{session}' / 'fmap' / f'sub-01_ses-{session}_{name}.nii.gz'
    path.parent.mkdir(parents=True, exist_ok=True)
    nb.save(nb.Nifti1Image(np.ones((4, 4, 4), np.int16), np.diag([50, 50, 50, 1])), path)
    path.with_name(path.name.replace('.nii.gz', '.json')).write_text(json.dumps(facts))
    return path


def test_a_map_of_phase_reaches_the_session_that_it_was_acquired_in(tmp_path):
    """Of two sessions, with its magnitude behind it, as an input and as a source."""
    root, _ = dataset(tmp_path, 'raw')
    series = sorted((root / 'sub-01').glob('ses-*/dwi/*_dwi.nii.gz'))
    session = series[0].parent.parent.name.removeprefix('ses-')
    own = [path for path in series if path.parent == series[0].parent]
    for other in own[1:]:
        for path in other.parent.glob(f'{other.name.split(".")[0]}.*'):
            path.unlink()
    sidecar = own[0].with_name(own[0].name.replace('.nii.gz', '.json'))
    sidecar.write_text(json.dumps({'PhaseEncodingDirection': 'j', 'TotalReadoutTime': 0.05}))
    facts = {'EchoTime1': 0.005, 'EchoTime2': 0.0075, 'IntendedFor': f'ses-{session}/dwi/{own[0].name}'}
    images = [_write_field(root, session, name, **facts) for name in ('phasediff', 'magnitude1')]
    settings = settings_of(root)
    person = collect(settings, '01')
    with_map = [own for own in person.diffusion.sessions if own.estimator]
    assert [own.label for own in with_map] == [session]
    assert with_map[0].estimator.files() == images
    assert {f'bids:raw:{path.relative_to(root).as_posix()}' for path in images} < set(with_map[0].uris())
    workflow = build_workflow(settings, [person])
    check_wiring(workflow)
    given = [node.inputs for node in workflow._get_all_nodes() if node.name == 'combine']
    assert sorted(bool(each.encoding.source) for each in given) == [False] * (len(given) - 1) + [True]
    (mapped,) = (each for each in given if each.encoding.source)
    assert mapped.images == [str(path) for path in images]


@pytest.mark.parametrize('ignored', [False, True])
def test_eddy_currents_are_left_where_they_are_ignored(tmp_path, ignored):
    root, _ = dataset(tmp_path, 'raw')
    settings = settings_of(root, *(['--ignore', 'eddy'] if ignored else []))
    workflow = build_workflow(settings, [collect(settings, '01')])
    prepared = [node for node in workflow._get_all_nodes() if node.name == 'prepare']
    axes = {axis for node in prepared for axis in node.inputs.axis}
    assert axes == ({''} if ignored else {'j'})
    assert all(
        'j' in node.inputs.encoding.directions[0]
        for node in workflow._get_all_nodes()
        if node.name == 'combine'
    )
