"""The BOLD chain on a small moving head, from raw file to template space."""

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from pipelines.acquisition import Echoes, Field, FieldSource
from pipelines.errors import DataError
from pipelines.interfaces import normalize
from pipelines.interfaces.functional import prepare_series, shift_slices
from pipelines.interfaces.normalize import standard_grid
from pipelines.interfaces.susceptibility import EstimateDistortion, RegisterDistortion
from pipelines.interfaces.transforms import read_linear, write_field, write_linear
from pipelines.numerics.motion import rigid_matrix
from pipelines.numerics.resample import covering_grid, grid_points, resample, sample
from pipelines.terms import ESTIMATORS, PLAIN
from pipelines.workflows.functional import init_functional_wf

from ..wiring import check_wiring

UNUSED = frozenset({'t1w_mask'})
"""Of the inputs: only a correction of distortion needs it."""

SPACE, N, T_R = 'MNI152NLin6Asym', 14, 2.0
ANAT = np.array([[3.0, 0, 0, -75], [0, 3, 0, -105], [0, 0, 3, -60], [0, 0, 0, 1]])
BOLD = np.array([[-5.0, 0, 0, 75], [0, 5, 0, -105], [0, 0, 5, -60], [0, 0, 0, 1]])
ANAT_SHAPE, BOLD_SHAPE = (51, 60, 48), (31, 36, 28)


@pytest.fixture(scope='module')
def head(tmp_path_factory):
    """Return the files of a head whose T1w is already in template space, and of its moving BOLD."""
    rng = np.random.default_rng(3)
    folder = tmp_path_factory.mktemp('head')
    points = grid_points(ANAT_SHAPE, ANAT)
    brain = ((((points - [0, -18, 10]) / [62, 78, 58]) ** 2).sum(axis=1) < 1).reshape(ANAT_SHAPE)
    texture = gaussian_filter(rng.standard_normal(ANAT_SHAPE), 2)
    third = np.quantile(texture[brain], [0.33, 0.66])
    tissue = np.where(brain, 1 + np.digitize(texture, third), 0)
    images = {
        't1w': np.array([0, 30, 70, 110.0])[tissue],
        'mask': brain,
        'dseg': np.array([0, 3, 1, 2])[tissue],
    }
    images |= {name: tissue == label for label, name in enumerate(('csf', 'gm', 'wm'), 1)}
    for name, values in images.items():
        nb.save(nb.Nifti1Image(values.astype(np.float32), ANAT), folder / f'{name}.nii')
    field = np.zeros((4, 4, 4, 3), np.float32)
    write_linear(folder / 'session.txt', np.eye(4))
    write_field(folder / 'field.nii', field, np.diag([60.0, 60, 60, 1]))
    epi = gaussian_filter(np.array([0, 160, 120, 90.0])[tissue], 0.5).astype(np.float32)
    volumes = []
    for number in range(N):
        matrix = rigid_matrix(np.array([0.1 * number, 0, 0, 0, 0, 0.002 * number]), np.array([0.0, -18, 10]))
        volume = resample(epi, ANAT, BOLD_SHAPE, BOLD, linear=np.linalg.inv(matrix), order=1)
        volumes.append(volume * (1.5 if number == 0 else 1) + rng.normal(0, 1, BOLD_SHAPE))
    image = nb.Nifti1Image(np.stack(volumes, axis=-1).astype(np.float32), BOLD)
    image.header.set_zooms((5, 5, 5, T_R))
    nb.save(image, folder / 'bold.nii.gz')
    return folder, epi


def _workflow(folder, **changes):
    arguments = {'slice_timing': list(np.linspace(0, 1.9, BOLD_SHAPE[2]))}
    arguments |= {
        'bold': str(folder / 'bold.nii.gz'),
        't_r': T_R,
        'space': SPACE,
        'sloppy': True,
        'random_seed': 1,
    }
    workflow = init_functional_wf(**(arguments | changes))
    inputs = workflow.get_node('inputnode').inputs
    inputs.t1w_preproc, inputs.t1w_mask = str(folder / 't1w.nii'), str(folder / 'mask.nii')
    inputs.t1w_dseg = str(folder / 'dseg.nii')
    inputs.anat2std_xfm, inputs.session_xfm = str(folder / 'field.nii'), str(folder / 'session.txt')
    for tissue in ('gm', 'wm', 'csf'):
        setattr(inputs, f't1w_probseg_{tissue}', str(folder / f'{tissue}.nii'))
    return workflow


def coarse_grid(space):
    shape, affine = standard_grid(space)
    return covering_grid(shape, affine, 4.0)


@pytest.fixture(scope='module')
def done(head, tmp_path_factory):
    folder, epi = head
    workflow = _workflow(folder)
    workflow.base_dir = str(tmp_path_factory.mktemp('work'))
    with pytest.MonkeyPatch.context() as patch:
        # a tenth of the points of the 2 mm grid, same box
        patch.setattr(normalize, 'standard_grid', coarse_grid)
        graph = workflow.run(plugin='Linear')
    results = {node.name: node.result.outputs for node in graph.nodes()}
    return results, epi


def test_series_lies_in_the_template(done):
    """Moved, shifted and resampled volumes correlate above 0.95 with the head they were made of."""
    results, epi = done
    series = nb.load(results['confounds'].bold_std)
    shape, affine = coarse_grid(SPACE)
    assert series.shape == (*shape, N)
    np.testing.assert_array_equal(series.affine, affine)
    expected = sample(epi, ANAT, grid_points(shape, affine)).reshape(shape)
    inside = nb.load(results['references'].bold_mask_std).get_fdata() > 0
    for number in (1, N - 1):
        assert np.corrcoef(np.asarray(series.dataobj[..., number])[inside], expected[inside])[0, 1] > 0.95


def test_motion_is_found(done):
    """Planted 0.1 mm and 2 mrad per volume; noise, coarse level and voxels of 5 mm leave 0.3 mm."""
    results, _ = done
    table = pd.read_csv(results['confounds'].confounds, sep='\t', na_values='n/a')
    planted = 0.1 * np.arange(N)
    np.testing.assert_allclose(np.ptp(table['trans_x']), np.ptp(planted), atol=0.3)
    assert np.corrcoef(table['rot_z'], np.arange(N))[0, 1] > 0.95
    assert table['non_steady_state_outlier00'][0] == 1
    assert (
        json.loads(Path(results['confounds'].confounds_metadata).read_text())['a_comp_cor_00']['Mask']
        == 'combined'
    )


def test_facts_for_sidecars(done):
    metadata = done[0]['confounds'].metadata
    assert metadata['SkippedDummyScans'] == 1
    assert metadata['SliceTimingCorrected'] is True
    assert metadata['StartTime'] == 0.95
    assert metadata['SusceptibilityDistortionCorrection'] == 'none'


def test_coregistration_is_near_identity(done):
    """BOLD and T1w share the scanner's space but for the mean motion (0.7 mm)."""
    matrix = read_linear(done[0]['coregister'].bold2anat_xfm)
    at = np.array([0, -18, 10, 1.0])
    assert np.linalg.norm((matrix @ at - at)[:3]) < 2


@pytest.mark.parametrize('slice_timing', [None, list(np.linspace(0, 1.9, BOLD_SHAPE[2]))])
def test_every_field_is_connected(head, slice_timing):
    check_wiring(_workflow(head[0], slice_timing=slice_timing), unused=UNUSED)


def _pair(folder, kind='pair'):
    files = [str(folder / 't1w.nii'), str(folder / 'mask.nii')]
    return Field(
        FieldSource(
            kind=kind, direction='j-', readout_time=0.04, directions=('j', 'j-'), readout_times=(0.05, 0.05)
        ),
        files,
    )


def test_pair_is_connected_and_named(head):
    """With a pair the corrected reference is the one that everything lies on; without, no node is added."""
    workflow = _workflow(head[0], distortion=_pair(head[0]))
    check_wiring(workflow)
    assert set(workflow.list_node_names()) - set(_workflow(head[0]).list_node_names()) == {
        'distortion',
        'judge',
    }
    assert workflow.get_node('judge').inputs.method == 'reverse phase encoding pair'
    assert 'opposite phase encoding' in workflow.__desc__
    assert 'No correction for susceptibility' in _workflow(head[0]).__desc__
    graph = workflow._graph
    prepared = {node.name for node in graph.successors(workflow.get_node('prepare'))}
    corrected = {node.name for node in graph.successors(workflow.get_node('distortion'))}
    assert 'coregister' not in prepared
    assert corrected == {'coregister', 'references', 'resample', 'judge', 'outputnode'}


@pytest.mark.parametrize('kind', ESTIMATORS)
def test_every_estimator_is_told(head, kind):
    workflow = _workflow(head[0], distortion=_pair(head[0], kind))
    assert workflow.get_node('judge').inputs.method == ESTIMATORS[kind].title
    assert ESTIMATORS[kind].text + PLAIN in workflow.__desc__


def test_registration_to_the_t1w_image_is_connected_and_named(head):
    """It needs the anatomy; a pair goes before it."""
    workflow = _workflow(head[0], distortion='j-')
    check_wiring(workflow)
    assert isinstance(workflow.get_node('distortion').interface, RegisterDistortion)
    assert 'in part' in workflow.get_node('judge').inputs.method
    assert 'registration to the T1w image along' in workflow.__desc__
    both = _workflow(head[0], distortion=_pair(head[0]))
    assert isinstance(both.get_node('distortion').interface, EstimateDistortion)


@pytest.mark.parametrize('ignore', [(), ('slicetiming',)])
def test_echoes_are_combined_between_motion_and_what_follows(head, ignore):
    """Motion is that of the first; what is resampled is the combination, shifted in time or not."""
    path = str(head[0] / 'bold.nii.gz')
    workflow = _workflow(head[0], echoes=Echoes([path, path], [0.012, 0.03]), ignore=ignore)
    check_wiring(workflow, unused=UNUSED)
    assert 'Echoes were combined' in workflow.__desc__
    graph = workflow._graph
    after = {node.name for node in graph.successors(workflow.get_node('combine_echoes'))}
    assert after == {'confounds', 'resample' if ignore else 'shift'}
    before = {node.name for node in graph.predecessors(workflow.get_node('combine_echoes'))}
    assert before == {'prepare', 'motion'}


def test_slice_timing_can_be_left_out(head):
    folder, _ = head
    names = _workflow(folder, ignore=('slicetiming',)).list_node_names()
    assert 'shift' not in names
    assert 'shift' in _workflow(folder).list_node_names()


def test_dummy_scans_are_taken_over(head, tmp_path):
    folder, _ = head
    workflow = _workflow(folder, dummy_scans=3)
    assert workflow.get_node('prepare').inputs.dummy_scans == 3
    with pytest.raises(DataError, match='--dummy-scans'):
        prepare_series(folder / 'bold.nii.gz', T_R, N - 1, out_dir=tmp_path)


def test_wrong_slice_timing_names_the_file(head, tmp_path):
    folder, _ = head
    prepared = prepare_series(folder / 'bold.nii.gz', T_R, out_dir=tmp_path)
    with pytest.raises(DataError, match=r'bold\.nii\.gz: SliceTiming'):
        shift_slices(prepared.series, folder / 'bold.nii.gz', T_R, 0, [0.0, 1.0], out_dir=tmp_path)


def test_methods_text_follows_the_choice(head):
    folder, _ = head
    assert 'shifted in time' in _workflow(folder).__desc__
    assert 'shifted in time' not in _workflow(folder, slice_timing=None).__desc__


@pytest.mark.real
@pytest.mark.parametrize('space', ['MNI152NLin6Asym', 'MNI152NLin2009cAsym'])
def test_standard_grid_covers_the_template(space, test_data):
    """The box of the 1 mm template, to a voxel of 2 mm on either side."""
    template = nb.load(test_data / 'templates' / f'tpl-{space}_res-01_desc-brain_T1w.nii.gz')
    shape, affine = standard_grid(space)
    low, high = affine[:3, 3], affine[:3, 3] + 2 * (np.array(shape) - 1)
    corners = template.affine @ np.array([[0, 0, 0, 1], [*(np.array(template.shape) - 1), 1]]).T
    np.testing.assert_allclose(low, corners[:3].min(axis=1), atol=2)
    np.testing.assert_allclose(high, corners[:3].max(axis=1), atol=2)
