"""How many steps a person and a group take: each is a job of its own where a batch system runs them."""

import nibabel as nb
import numpy as np
import pytest
from nipype.interfaces.utility import IdentityInterface

from bids_app.cli import make_settings
from bids_app.group.assemble import build_group_workflow, group_stages
from bids_app.group.plan import make_plan
from bids_app.outputs.found import collect_results
from bids_app.outputs.sinks import SaveStage, descriptions
from bids_app.participant.bold import build_workflow, participant_workflow
from bids_app.phenotype.rnaseq import with_named_files
from bids_app.phenotype.tables import read_tables
from bids_app.phenotype.trial import read_trial
from bids_app.scans.people import collect
from tests.app.scans.test_diffusion_inputs import anatomy, build, dwi, series
from tests.app.scans.test_inputs import SPACE_6, T1W, preprocessed
from tests.app.trial_data import write_expression, write_trial
from tests.wiring import check_wiring

PHASE = {'PhaseEncodingDirection': 'j-', 'TotalReadoutTime': 0.05}
TIMES = {'RepetitionTime': 2.0, 'SliceTiming': [0.0, 1.0]}
FROM_DERIVATIVES, FROM_RAW, OF_GROUP = 18, 37, 80
"""The most steps that a person with one BOLD run and one diffusion scan, and a group with all parts, may take."""


def steps(workflow):
    """Return the names of the steps: a MapNode is one, an IdentityInterface none."""
    graph = workflow._create_flat_graph()
    return [node.fullname for node in graph if not isinstance(node.interface, IdentityInterface)]


def settings_for(root, *words):
    return make_settings(
        [str(root), str(root.parent / 'out'), 'participant', '-w', str(root.parent / 'w'), *words]
    )


def both_datasets(tmp_path):
    """Return words that name what fMRIPrep and QSIPrep made of one person with one session."""
    shown = {'space': SPACE_6, 'res': 2}
    images = [{'desc': 'preproc', 'suffix': 'T1w'}, {'desc': 'brain', 'suffix': 'mask'}, {'suffix': 'dseg'}]
    person = {'session': None, 'anat': [{**shown, **image} for image in images]}
    run = {'session': 'pre', 'func': preprocessed()}
    fmriprep = build(tmp_path / 'fmriprep', {'01': [person, run]})
    head = {'session': None, 'anat': anatomy()}
    qsiprep = build(tmp_path / 'qsiprep', {'01': [head, {'session': 'pre', 'dwi': series()}]})
    return fmriprep, ['-d', f'fmriprep={fmriprep}', f'qsiprep={qsiprep}']


def test_each_chain_knows_how_it_was_made_and_nobody_elses_words(tmp_path):
    root, given = both_datasets(tmp_path)
    settings = settings_for(root, *given)
    person = collect(settings, '01')
    nodes = participant_workflow(settings, person)._get_all_nodes()
    own = {n.name: n.interface.receipt.methods for n in nodes if isinstance(n.interface, SaveStage)}
    first = {name: [text.split()[0] for text in texts] for name, texts in own.items()}
    diffusion = ['Diffusion', 'Fibre']
    assert first == {'save_connectivity': ['Nuisance'], 'save_dwi': diffusion, 'save_tract': diffusion}
    both = build_workflow(settings, [person, person._replace(label='02', runs=[])])
    assert [text.split()[0] for text in descriptions(both)] == ['Nuisance', *diffusion]


@pytest.mark.parametrize('words', [[], ['--write-denoised', '--write-tck']])
def test_from_derivatives(tmp_path, words):
    root, given = both_datasets(tmp_path)
    settings = settings_for(root, *given, *words)
    person = collect(settings, '01')
    assert len(person.runs) == len(person.diffusion.sessions) == 1
    assert person.anatomies()
    workflow = build_workflow(settings, [person])
    check_wiring(workflow)
    assert len(steps(workflow)) <= FROM_DERIVATIVES, sorted(steps(workflow))


def test_from_raw_with_everything(tmp_path):
    """Slice timing, a pair of fieldmaps and a pair of diffusion scans."""
    fmap = [
        {'dir': d, 'suffix': 'epi', 'metadata': {**PHASE, 'PhaseEncodingDirection': way,
         'IntendedFor': 'ses-pre/func/sub-01_ses-pre_task-rest_bold.nii.gz'}}
        for d, way in (('AP', 'j-'), ('PA', 'j'))
    ]  # fmt: skip
    func = [{'task': 'rest', 'suffix': 'bold', 'metadata': {**TIMES, **PHASE}}]
    pair = [dwi(dir='AP'), {**dwi(dir='PA'), 'metadata': {**PHASE, 'PhaseEncodingDirection': 'j'}}]
    session = {'session': 'pre', 'anat': [T1W], 'func': func, 'dwi': pair, 'fmap': fmap}
    root = build(tmp_path / 'raw', {'01': [session]})
    for path in (*root.rglob('*_T1w.nii.gz'), *root.rglob('*_epi.nii.gz')):
        path.unlink()
        nb.save(nb.Nifti1Image(np.ones((2, 2, 2), np.int16), np.diag([80, 80, 80, 1])), path)
    settings = settings_for(root)
    person = collect(settings, '01')
    assert person.runs[0].estimator
    assert person.runs[0].slice_timing
    assert len(person.diffusion.sessions[0].scans) == 2
    workflow = build_workflow(settings, [person])
    check_wiring(workflow)
    assert len(steps(workflow)) <= FROM_RAW, sorted(steps(workflow))


def test_a_group_with_all_parts(tmp_path):
    """Kinds of maps, contrasts and outcomes do not multiply steps."""
    bids, out = write_trial(tmp_path, n=16)
    sets = write_expression(bids)
    settings = make_settings(
        [str(bids), str(out), 'group', '-w', str(tmp_path / 'w'), '--gene-sets', str(sets)]
    )
    trial = with_named_files(read_trial(), settings.group)
    tables = read_tables(bids, trial)
    results = collect_results(settings, trial, tables.participants['participant_id'])
    plan = make_plan(settings, trial, tables, results, tmp_path / 'tables')
    assert plan.expression
    assert plan.analyses
    assert len(plan.people) >= 7
    workflow = build_group_workflow(settings, plan, group_stages(settings, plan, {}, {}))
    assert len(steps(workflow)) <= OF_GROUP, sorted(steps(workflow))
