"""QSIPrep's output with labels in place of probabilities, and with an anatomy for each session, from end to end."""

import json
import shutil

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from nitransforms.manip import load

from bids_app.cli import main
from bids_app.outputs.plan import of_participant
from bids_app.participant.adopted import adopt
from bids_app.participant.diffusion import tract_workflow
from bids_app.scans.people import collect
from bids_app.simulated.cli import main as simulate
from bids_app.simulated.files import write_itk_affine
from pipelines.interfaces.transforms import no_reference
from pipelines.numerics.motion import rigid_matrix
from pipelines.workflows.dwi_anatomy import BETWEEN, LABELLED
from tests.app.scans.test_diffusion_inputs import anatomy, build, series, settings_of

MOVES = {'pre': np.eye(4), 'post': rigid_matrix(np.array([1.5, -1.0, 0.8, 0.02, -0.03, 0.01]), np.zeros(3))}
"""From the common space to that of each session."""

SMALL = [
    '--participants',
    '1',
    '--seed',
    '3',
    '--dwi-directions',
    '28',
    '--dwi-voxel-size',
    '4',
    '--snr',
    '100',
]
QUICK = [
    '--sloppy',
    '--skip',
    'functional',
    '--nprocs',
    '2',
    '--n-streamlines',
    '100',
    '--max-seeds',
    '10000',
]


def give_own_anatomies(root, moves):
    """Move the space of each session, and put an anatomy of its own into it.

    Only headers change: a point of the common space lies at ``move @ point``, and directions, which count along the
    axes of the image, turn along.
    """
    common = root / 'sub-01' / 'anat'
    for label, move in moves.items():
        own = root / 'sub-01' / f'ses-{label}' / 'anat'
        own.mkdir()
        for path in common.iterdir():
            shutil.copy(path, own / path.name.replace('sub-01_', f'sub-01_ses-{label}_'))
        for path in own.parent.rglob('*.nii.gz'):
            image = nb.load(path)
            nb.save(nb.Nifti1Image(np.asanyarray(image.dataobj), move @ image.affine, image.header), path)
        for path in own.glob('*_to-ACPC_mode-image_xfm.h5'):
            with no_reference():
                found = load(path, fmt='itk').map(np.vstack([np.zeros(3), np.eye(3)]))
            matrix = np.eye(4)
            matrix[:3, 3], matrix[:3, :3] = found[0], (found[1:] - found[0]).T
            path.unlink()
            write_itk_affine(path, matrix @ np.linalg.inv(move))
    shutil.rmtree(common)


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """Run one person with an anatomy for each session, and labels for tissue."""
    folder = tmp_path_factory.mktemp('sessionwise')
    root, out = folder / 'qsiprep', folder / 'out'
    assert simulate([str(root), '--layout', 'qsiprep', *SMALL]) == 0
    give_own_anatomies(root, MOVES)
    for path in root.rglob('*_probseg.*'):
        path.unlink()
    words = ['-d', f'qsiprep={root}', '-w', str(folder / 'work'), *QUICK]
    assert main([str(root), str(out), 'participant', *words]) == 0
    return folder


@pytest.mark.long
def test_the_change_between_sessions_is_that_planted(finished):
    """One session's anatomy for both would miss it by 0.015; each is interpolated once, which lowers both alike."""
    (path,) = (finished / 'out' / 'sub-01' / 'dwi').glob('*_bundle-NAcMPFC_scalarstats.tsv')
    table = pd.read_csv(path, sep='\t', na_values='n/a', keep_default_na=False)
    rows = table[(table.method == 'weighted') & (table.param == 'fa') & (table.hemi == 'B')]
    found = rows.set_index('session_id')['value']
    planted = json.loads((finished / 'qsiprep' / 'sourcedata' / 'truth.json').read_text())['Tract']
    wanted = {label: planted[f'sub-01_ses-{label}']['FA']['B'] for label in MOVES}
    assert found['post'] - found['pre'] == pytest.approx(wanted['post'] - wanted['pre'], abs=0.006)
    for label, fa in wanted.items():
        assert fa - 0.05 < found[label] < fa + 0.01


@pytest.mark.long
def test_maps_of_the_sessions_agree_in_the_space_between(finished):
    """The head is the same, but for the anisotropy of its tract."""
    maps, masks = [], []
    for label in MOVES:
        stem = finished / 'out' / 'sub-01' / f'ses-{label}' / 'dwi' / f'sub-01_ses-{label}_space-individual'
        maps.append(nb.load(f'{stem}_model-tensor_param-fa_dwimap.nii.gz'))
        masks.append(nb.load(f'{stem}_desc-brain_mask.nii.gz').get_fdata() > 0)
    np.testing.assert_array_equal(maps[0].affine, maps[1].affine)
    both = masks[0] & masks[1]
    assert both.sum() > 0.97 * masks[0].sum()
    assert np.corrcoef(*(image.get_fdata()[both] for image in maps))[0, 1] > 0.97


@pytest.mark.long
def test_sidecars_and_methods_say_what_was_done(finished):
    folder = finished / 'out' / 'sub-01' / 'dwi'
    facts = json.loads(next(folder.glob('*_bundle-NAcMPFC_scalarstats.json')).read_text())
    assert facts['StoppingCriterion'] == 'tissue segmentation'
    labels = 'anat/sub-01_ses-{0}_space-ACPC_dseg.nii.gz'
    wanted = [f'bids:qsiprep:sub-01/ses-{label}/{labels.format(label)}' for label in ('post', 'pre')]
    assert facts['TissueLabels'] == wanted
    lines = json.loads(next(folder.glob('*_bundle-NAcMPFCL_streamlines.json')).read_text())
    assert (
        lines['SpatialReference']
        == 'bids::sub-01/ses-post/dwi/sub-01_ses-post_space-individual_dwiref.nii.gz'
    )
    text = (finished / 'out' / 'logs' / 'CITATION.md').read_text()
    for words in ('half-way between them', 'Tissue labels were taken as probabilities of 0 and 1'):
        assert words in text


# --- which steps there are ---

KINDS = {
    'one anatomy': ({}, (), False),
    'one anatomy, labels': ({'tissues': False}, LABELLED, False),
    'own anatomies': ({}, BETWEEN, True),
    'own anatomies, labels': ({'tissues': False}, BETWEEN, True),
}


def dataset(tmp_path, options, is_between):
    own = {'anat': anatomy(**options)} if is_between else {}
    person = [] if is_between else [{'session': None, 'anat': anatomy(**options)}]
    sessions = [{'session': label, 'dwi': series(), **own} for label in MOVES]
    return build(tmp_path / 'qsiprep', {'01': [*person, *sessions]})


@pytest.mark.parametrize(('options', 'made', 'is_between'), KINDS.values(), ids=KINDS)
def test_what_is_made_of_an_anatomy(tmp_path, options, made, is_between):
    root = dataset(tmp_path, options, is_between)
    settings = settings_of(root, derivatives=root)
    person = collect(settings, '01')
    adopted = adopt(settings, person)
    assert adopted.made == made
    assert (adopted.workflow is None) == (not made)
    assert person.diffusion.is_between == is_between
    nodes = adopted.workflow.list_node_names() if made else []
    assert ('between' in nodes, 'split' in nodes) == (is_between, 'tissues' in options)
    if 'split' in nodes:
        labels = [adopted.workflow.get_node('split').inputs.t1w_dseg]
        assert np.array(labels).ravel().tolist() == [str(a.t1w_dseg) for a in person.diffusion.anatomies]


@pytest.mark.parametrize(('options', 'made', 'is_between'), KINDS.values(), ids=KINDS)
def test_what_is_not_made_is_given_as_it_is(tmp_path, options, made, is_between):
    root = dataset(tmp_path, options, is_between)
    settings = settings_of(root, derivatives=root)
    person = collect(settings, '01')
    found = person.diffusion
    tract = tract_workflow(settings, person, {'sub': '01'}, found.sessions, 0)
    whole = type(tract)(name='whole')
    adopted = adopt(settings, person)
    adopted.give(
        whole, tract, 'tract_wf.inputnode', {'std2anat_xfm': 'std2anat_xfm', 'probseg_wm': 'probseg_wm'}
    )
    inputs = tract.get_node('tract_wf.inputnode').inputs
    for field in ('std2anat_xfm', 'probseg_wm'):
        given = getattr(inputs, field)
        assert (given == str(getattr(found.anatomies[0], field))) == (field not in made)
    connected = [names for *_, edge in whole._graph.edges(data=True) for names in edge['connect']]
    assert len(connected) == len({'std2anat_xfm', 'probseg_wm'} & set(made))


def test_raw_scans_have_no_anatomy_of_qsiprep(tmp_path):
    root = build(tmp_path / 'raw', {'01': {'dwi': [{'suffix': 'dwi'}]}})
    settings = settings_of(root)
    assert adopt(settings, collect(settings, '01')) is None


@pytest.mark.parametrize('is_between', [False, True])
def test_labels_alone_serve_as_tissue(tmp_path, is_between):
    """The tract excludes fluid and ends in grey matter, as with probabilities."""
    root = dataset(tmp_path, {'tissues': False}, is_between)
    settings = settings_of(root, derivatives=root)
    person = collect(settings, '01')
    tract = tract_workflow(settings, person, {'sub': '01'}, person.diffusion.sessions, 0)
    assert 'probseg_csf' in tract.get_node('tract_wf.inputnode').inputs.copyable_trait_names()
    text = tract.get_node('tract_wf').__desc__
    assert 'ended in grey matter, and were rejected in fluid' in text
    space = 'individual' if is_between else 'ACPC'
    named = [plan.path.name for plan in of_participant(settings, person) if plan.row.is_standard]
    assert named
    assert all(f'_space-{space}_' in name for name in named)
