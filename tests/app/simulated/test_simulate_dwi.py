"""Diffusion series of the simulated datasets: what is on disk holds the tract that truth.json names."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest
from dipy.core.gradients import gradient_table
from dipy.reconst.dti import TensorModel

from bids_app.simulated import dwi as phantom_dwi
from bids_app.simulated.anatomy import plant_region
from bids_app.simulated.cli import main
from bids_app.simulated.files import Request, write_gradients, write_itk_affine
from bids_app.simulated.people import draw_people
from pipelines.numerics.regions import voxel_centres
from pipelines.numerics.resample import apply_linear
from tests.sums import checksums

pytestmark = pytest.mark.slow

SMALL = ['--participants', '1', '--dwi-voxel-size', '4', '--dwi-directions', '15', '--seed', '3']
SPACE = {'raw': 'MNI152NLin6Asym', 'qsiprep': 'MNI152NLin2009cAsym'}
SERIES = {
    'raw': 'sub-01/ses-pre/dwi/sub-01_ses-pre_dir-AP_dwi',
    'qsiprep': 'sub-01/ses-pre/dwi/sub-01_ses-pre_space-ACPC_desc-preproc_dwi',
}


@pytest.fixture(scope='module')
def raw(tmp_path_factory):
    root = tmp_path_factory.mktemp('simulated') / 'raw'
    options = [
        '--layout',
        'raw',
        '--modalities',
        'dwi',
        '--voxel-size',
        '9',
        '--snr',
        '2000',
        '--dwi-motion',
        '0',
    ]
    assert main([str(root), *SMALL, *options]) == 0
    return root


@pytest.fixture(scope='module')
def qsiprep(tmp_path_factory):
    root = tmp_path_factory.mktemp('simulated') / 'qsiprep'
    assert main([str(root), *SMALL, '--layout', 'qsiprep', '--snr', '2000', '--sessions', 'pre']) == 0
    return root


def planted(root, session='pre'):
    return json.loads((root / 'sourcedata' / 'truth.json').read_text())['Tract'][f'sub-01_ses-{session}']


def to_template(root, session='pre'):
    """Points of the diffusion series to points of the template."""
    found = planted(root, session)
    return np.array(found['PointsT1wToTemplate']) @ np.array(found.get('PointsDwiToT1w', np.eye(4)))


def fitted(root, layout):
    """Tensors of the series, its b-vectors turned to RAS by FSL's rule."""
    image = nb.load(root / f'{SERIES[layout]}.nii.gz')
    axes = image.affine[:3, :3] / np.linalg.norm(image.affine[:3, :3], axis=0)
    flip = np.diag([-1 if np.linalg.det(axes) > 0 else 1, 1, 1])
    vectors = axes @ flip @ np.loadtxt(root / f'{SERIES[layout]}.bvec')
    values = np.loadtxt(root / f'{SERIES[layout]}.bval')
    data = np.asarray(image.dataobj, float)
    mask = data[..., 0] > 400
    model = TensorModel(gradient_table(values, bvecs=vectors.T, b0_threshold=10))
    return model.fit(data, mask=mask), mask, image.affine


@pytest.mark.parametrize('layout', ['raw', 'qsiprep'])
def test_the_dataset_is_valid_bids(layout, request):
    beside = Path(sys.executable).with_name('bids-validator-deno')
    validator = str(beside) if beside.exists() else shutil.which('bids-validator-deno')
    if not validator:
        pytest.skip('bids-validator-deno is not installed')
    root = request.getfixturevalue(layout)
    result = subprocess.run([validator, '--json', str(root)], capture_output=True, text=True, check=False)
    issues = json.loads(result.stdout)['issues']['issues']
    assert [i for i in issues if i['severity'] == 'error'] == []


@pytest.mark.parametrize('layout', ['raw', 'qsiprep'])
def test_fibres_of_the_series_point_along_the_planted_curves(layout, request):
    root = request.getfixturevalue(layout)
    fit, mask, affine = fitted(root, layout)
    back = np.linalg.inv(affine) @ np.linalg.inv(to_template(root))
    for curves in phantom_dwi.planted_bundles(SPACE[layout], 3, True)[:2]:
        core = apply_linear(back, curves.mean(axis=0))
        # before the crossing, where the tract fills its tube: a third of the way
        point, along = core[66], affine[:3, :3] @ (core[72] - core[60])
        voxel = tuple(np.rint(point).astype(int))
        assert mask[voxel]
        cosine = abs(fit.directions[voxel][0] @ along) / np.linalg.norm(along)
        assert cosine > np.cos(np.radians(20))  # edges of background in a voxel of 4 mm
        assert fit.fa[voxel] > 0.3


@pytest.mark.parametrize('layout', ['raw', 'qsiprep'])
def test_truth_is_the_weighted_fa_of_the_series(layout, request):
    root = request.getfixturevalue(layout)
    fit, mask, affine = fitted(root, layout)
    template = apply_linear(to_template(root), voxel_centres(mask.shape, affine)).reshape(-1, 3)
    inside = [plant_region(name, SPACE[layout], template).reshape(mask.shape) for name in ('NAc', 'mPFC')]
    for side in 'LR':
        name = f'sub-01_ses-pre_label-NAcMPFC{side}_probseg.nii.gz'
        visits = np.asarray(nb.load(root / 'sourcedata' / name).dataobj) * ~np.any(inside, axis=0)
        # regions by the centre of voxels, not by their share, and no mask of white matter
        assert (visits * fit.fa).sum() / visits.sum() == pytest.approx(planted(root)['FA'][side], abs=0.04)
    assert planted(root)['FA']['L'] < planted(root)['PopulationFA']  # crossing and edges


def test_raw_series_follow_the_head_and_no_bold_is_written(raw):
    assert sorted(p.name for p in (raw / 'sub-01' / 'ses-pre').iterdir()) == ['anat', 'dwi']
    assert len(np.loadtxt(raw / f'{SERIES["raw"]}.bval')) == 21
    sidecar = json.loads((raw / f'{SERIES["raw"]}.json').read_text())
    assert sidecar['PhaseEncodingDirection'] == 'j-'
    assert {'TotalReadoutTime', 'EchoTime', 'RepetitionTime'} <= set(sidecar)
    first, last = (np.array(planted(raw, s)['PointsT1wToTemplate']) for s in ('pre', 'post'))
    between = np.linalg.inv(last) @ first
    np.testing.assert_allclose(between[:3, :3] @ between[:3, :3].T, np.eye(3), atol=1e-9)  # the same head
    assert np.abs(between[:3, 3]).max() > 0.1  # in another place
    image = nb.load(raw / f'{SERIES["raw"]}.nii.gz')
    centre = np.linalg.inv(image.affine) @ np.linalg.inv(to_template(raw)) @ [0, -18, 10, 1]
    assert image.dataobj[(*np.rint(centre[:3]).astype(int), 0)] > 400


def test_fa_rises_in_the_exercise_arm_only(raw, tmp_path):
    people = list(draw_people(Request(tmp_path, participants=4, sessions=['a', 'b', 'c'])))
    fa = np.array([p.fa for p in people]).reshape(4, 3)
    np.testing.assert_allclose(np.diff(fa[::2], axis=1), 0.015, atol=2e-4)
    np.testing.assert_allclose(np.diff(fa[1::2], axis=1), 0, atol=1e-9)
    assert np.all((fa >= 0.5) & (fa <= 0.63))
    assert planted(raw, 'post')['FA']['B'] > planted(raw)['FA']['B'] + 0.01


def test_qsiprep_names_and_tissues(qsiprep):
    anat = qsiprep / 'sub-01' / 'anat'
    names = {p.name for p in anat.iterdir()}
    tissues = {f'sub-01_space-ACPC_label-{t}_probseg.nii.gz' for t in ('GM', 'WM', 'CSF')}
    assert tissues | {'sub-01_space-ACPC_dseg.nii.gz', 'sub-01_space-ACPC_desc-preproc_T1w.nii.gz'} <= names
    mask = nb.load(f'{qsiprep}/sub-01/ses-pre/dwi/sub-01_ses-pre_space-ACPC_desc-brain_mask.nii.gz')
    series = nb.load(qsiprep / f'{SERIES["qsiprep"]}.nii.gz')
    assert nb.aff2axcodes(series.affine) == ('L', 'P', 'S')
    assert mask.shape == series.shape[:3]
    labels = nb.load(anat / 'sub-01_space-ACPC_dseg.nii.gz')
    core = phantom_dwi.planted_bundles(SPACE['qsiprep'], 3, True).left.mean(axis=0)[80:110]
    voxels = apply_linear(np.linalg.inv(labels.affine) @ np.linalg.inv(to_template(qsiprep)), core)
    assert np.all(np.asarray(labels.dataobj)[tuple(np.rint(voxels).astype(int).T)] == 2)  # white matter


@pytest.mark.filterwarnings('ignore:Reference space')
def test_transforms_are_read_as_qsipreps_are(qsiprep):
    from nitransforms.manip import load

    points = np.array([[10.0, 20, -5], [-30, 2, 40]])
    stem = f'{qsiprep}/sub-01/anat/sub-01_from-'
    there = load(f'{stem}ACPC_to-MNI152NLin2009cAsym_mode-image_xfm.h5', fmt='itk')
    back = load(f'{stem}MNI152NLin2009cAsym_to-ACPC_mode-image_xfm.h5', fmt='itk')
    # a transform of images maps points of its target
    np.testing.assert_allclose(back.map(points), apply_linear(to_template(qsiprep), points), atol=1e-6)
    np.testing.assert_allclose(there.map(back.map(points)), points, atol=1e-6)


def test_itk_reads_the_transform(tmp_path):
    import SimpleITK as sitk

    matrix = np.array([[1.02, 0.1, 0, 3], [-0.1, 0.97, 0, -4], [0, 0.02, 1, 5], [0, 0, 0, 1]])
    write_itk_affine(tmp_path / 'a.h5', matrix)
    write_itk_affine(tmp_path / 'b.h5', matrix)
    assert (tmp_path / 'a.h5').read_bytes() == (tmp_path / 'b.h5').read_bytes()
    found = sitk.ReadTransform(str(tmp_path / 'a.h5')).TransformPoint([-10.0, -20, 30])
    lps = np.array([-1, -1, 1])
    np.testing.assert_allclose(
        lps * np.array(found), apply_linear(matrix, np.array([10.0, 20, 30])), atol=1e-5
    )


@pytest.mark.parametrize('first', [-2.0, 2.0])
def test_b_vectors_are_flipped_when_the_determinant_is_positive(tmp_path, first):
    affine = np.diag([first, 2, 2, 1])
    write_gradients(f'{tmp_path}/x', np.array([0, 1000]), np.array([[0, 0, 0], [0.6, 0.8, 0]]), affine)
    # to the right: against an axis that runs to the left; along one that runs right, and then flipped
    np.testing.assert_allclose(np.loadtxt(tmp_path / 'x.bvec')[:, 1], [-0.6, 0.8, 0])
    assert (tmp_path / 'x.bval').read_text() == '0 1000\n'


def test_same_seed_same_data_and_motion_moves_the_head(tmp_path):
    options = [
        '--layout',
        'raw',
        '--sessions',
        'pre',
        '--dwi-motion',
        '1',
        '--n-volumes',
        '30',
        '--voxel-size',
        '9',
    ]
    small = [*SMALL, '--dwi-directions', '6', '--dwi-voxel-size', '6', '--dwi-bvals', '700', '2000']
    for name in ('a', 'b'):
        assert main([str(tmp_path / name), *small, *options]) == 0
    first, second = (checksums(tmp_path / name, (tmp_path / name).rglob('*')) for name in 'ab')
    assert first == second
    assert {'anat', 'func', 'dwi'} <= {Path(name).parent.name for name in first}
    truth = json.loads((tmp_path / 'a' / 'sourcedata' / 'truth.json').read_text())
    assert set(truth) == {'Runs', 'Seed', 'Space', 'Tract'}
    lines = (tmp_path / 'a/sourcedata/sub-01_ses-pre_dwi_motion.tsv').read_text().splitlines()[1:]
    assert np.abs([[float(v) for v in line.split('\t')[:3]] for line in lines]).max() == pytest.approx(1)
    assert (np.loadtxt(tmp_path / 'a' / f'{SERIES["raw"]}.bval') > 0).sum() == 12


def test_no_tract_no_truth(tmp_path):
    small = [*SMALL, '--dwi-directions', '6', '--dwi-voxel-size', '6', '--voxel-size', '9']
    options = ['--layout', 'raw', '--modalities', 'dwi', '--tract-fa', '0', '--sessions', 'pre']
    assert main([str(tmp_path / 'none'), *small, *options]) == 0
    found = planted(tmp_path / 'none')
    assert found['FA'] == {'L': None, 'R': None, 'B': None}
    assert found['PopulationFA'] == 0


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--layout', 'fmriprep', '--modalities', 'dwi'], '--layout fmriprep has bold'),
        (['--layout', 'qsiprep', '--modalities', 'bold'], '--layout qsiprep has dwi'),
        (['--layout', 'raw', '--tract-fa', '0.95'], '--tract-fa 0.95'),
    ],
)
def test_unusable_requests_stop_as_usage_errors(tmp_path, capsys, options, message):
    assert main([str(tmp_path / 'new'), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'new').exists()
