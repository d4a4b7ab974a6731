"""Where FreeSurfer's labels go: from the anatomy that scans rest on to every step that draws regions."""

import pytest

from bids_app.outputs.chains import chain_of_run, chain_of_tract
from bids_app.outputs.plan import tracts_of
from bids_app.outputs.sinks import SaveStage
from bids_app.participant.bold import participant_workflow
from bids_app.scans.people import collect
from tests.app.scans.test_diffusion_inputs import anatomy, build, dwi, series
from tests.app.scans.test_inputs import T1W
from tests.wiring import check_wiring

from .test_steps import PHASE, TIMES, settings_for

LISTS = ['--nac', 'freesurfer', '--mpfc', 'freesurfer']


@pytest.fixture
def subjects(tmp_path):
    folder = tmp_path / 'subjects' / 'sub-01' / 'mri'
    folder.mkdir(parents=True)
    for name in ('norm.mgz', 'aparc+aseg.mgz'):
        (folder / name).write_bytes(b'content')
    return tmp_path / 'subjects'


def raw_person(tmp_path):
    bold = {'task': 'rest', 'suffix': 'bold', 'metadata': TIMES}
    scans = {'session': 'pre', 'anat': [T1W], 'func': [bold], 'dwi': [dwi(metadata=PHASE)]}
    return build(tmp_path / 'raw', {'01': [scans]})


def sources_of(workflow, name, field):
    """Return by which step each node of a name gets a field, through whatever hands it on."""
    graph = workflow._create_flat_graph()

    def given(node, field):
        edges = graph.in_edges(node, data=True)
        found = [(s, out) for s, _, data in edges for out, into in data['connect'] if into == field]
        return [
            step
            for source, out in found
            for step in (
                given(source, out) if source.name in ('inputnode', 'outputnode') else [(source.name, out)]
            )
        ]

    return [step for node in graph if node.name == name for step in given(node, field)]


def test_raw_scans_of_both_kinds_have_the_same_labels(tmp_path, subjects):
    settings = settings_for(raw_person(tmp_path), *LISTS, '-d', f'freesurfer={subjects}')
    person = collect(settings, '01')
    workflow = participant_workflow(settings, person)
    check_wiring(workflow)
    for node, fields in (('regions', ('aseg', 'aparcaseg')), ('domain', ('labels',))):
        for field in fields:
            assert sources_of(workflow, node, field) == [('align', 'labels')]
    assert {field for field in ('t1w_preproc', 't1w_mask') if sources_of(workflow, 'align', field)} == {
        't1w_preproc',
        't1w_mask',
    }
    (align,) = [node for node in workflow._get_all_nodes() if node.name == 'align']
    assert align.inputs.labels == str(subjects / 'sub-01/mri/aparc+aseg.mgz')


def test_labels_are_among_what_results_are_made_of(tmp_path, subjects):
    settings = settings_for(raw_person(tmp_path), *LISTS, '-d', f'freesurfer={subjects}')
    person = collect(settings, '01')
    (run,) = person.runs
    ((source, members),) = tracts_of(settings, '01', person.diffusion)
    for chain in (chain_of_run(settings, person, run), chain_of_tract(settings, person, source, members)):
        for stage in chain.stages.values():
            assert 'freesurfer:sub-01/mri/aparc+aseg.mgz' in stage.receipt.inputs
    assert run.uris() == [
        'bids:raw:sub-01/ses-pre/func/sub-01_ses-pre_task-rest_bold.nii.gz',
        'bids:freesurfer:sub-01/mri/aparc%2Baseg.mgz',
    ]


def test_labels_are_brought_to_the_anatomy_of_qsiprep(tmp_path, subjects):
    head = {'session': None, 'anat': anatomy()}
    root = build(tmp_path / 'qsiprep', {'01': [head, {'session': 'pre', 'dwi': series()}]})
    settings = settings_for(root, *LISTS, '-d', f'qsiprep={root}', f'freesurfer={subjects}')
    workflow = participant_workflow(settings, collect(settings, '01'))
    (align,) = [node for node in workflow._get_all_nodes() if node.name == 'align']
    assert align.inputs.t1w_preproc.endswith('_desc-preproc_T1w.nii.gz')
    assert align.inputs.t1w_mask.endswith('_desc-brain_mask.nii.gz')
    assert sources_of(workflow, 'domain', 'labels') == [('align', 'labels')]


def test_nothing_is_aligned_where_no_region_needs_it(tmp_path, subjects):
    settings = settings_for(raw_person(tmp_path), '-d', f'freesurfer={subjects}')
    workflow = participant_workflow(settings, collect(settings, '01'))
    assert not [node for node in workflow._get_all_nodes() if node.name == 'align']


def test_sessions_between_which_the_person_lies_have_labels_brought_there(tmp_path, subjects):
    """Where QSIPrep made an anatomy of each session, labels go to the one that is made of them."""
    sessions = [{'session': s, 'anat': anatomy(), 'dwi': series()} for s in ('pre', 'post')]
    root = build(tmp_path / 'qsiprep', {'01': sessions})
    settings = settings_for(root, *LISTS, '-d', f'qsiprep={root}', f'freesurfer={subjects}')
    workflow = participant_workflow(settings, collect(settings, '01'))
    check_wiring(workflow)
    for field in ('t1w_preproc', 't1w_mask'):
        assert sources_of(workflow, 'align', field) == [('between', field)]


def test_methods_tell_of_labels_with_the_anatomy_that_they_were_brought_to(tmp_path, subjects):
    settings = settings_for(raw_person(tmp_path), *LISTS, '-d', f'freesurfer={subjects}')
    nodes = participant_workflow(settings, collect(settings, '01'))._get_all_nodes()
    receipts = [node.interface.receipt for node in nodes if isinstance(node.interface, SaveStage)]
    told = {
        receipt.path.stem: any(text.startswith('Labels of FreeSurfer') for text in receipt.methods)
        for receipt in receipts
    }
    assert {name for name, is_told in told.items() if is_told} == {'ses-pre_anatomical'}
