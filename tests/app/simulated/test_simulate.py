import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from bids_app.simulated.cli import main
from bids_app.simulated.files import read_given_confounds, write_nifti
from tests.sums import checksums

SMALL = ['--participants', '1', '--voxel-size', '4', '--n-volumes', '100', '--seed', '3']


@pytest.fixture(scope='module')
def preprocessed(tmp_path_factory):
    root = tmp_path_factory.mktemp('simulated') / 'fmriprep'
    assert main([str(root), *SMALL, '--sessions', 'pre', 'post']) == 0
    return root


@pytest.fixture(scope='module')
def raw(tmp_path_factory):
    root = tmp_path_factory.mktemp('simulated') / 'raw'
    options = [
        '--layout',
        'raw',
        '--modalities',
        'bold',
        '--participants',
        '1',
        '--sessions',
        'pre',
        '--n_volumes=30',
        '--voxel-size=9',
    ]
    assert main([str(root), *options]) == 0
    return root


def read_table(path):
    names, *rows = (line.split('\t') for line in path.read_text().splitlines())
    return dict(zip(names, np.array([[np.nan if v == 'n/a' else float(v) for v in r] for r in rows]).T))


@pytest.mark.parametrize('layout', ['preprocessed', 'raw'])
def test_the_dataset_is_valid_bids(layout, request):
    beside = Path(sys.executable).with_name('bids-validator-deno')
    validator = str(beside) if beside.exists() else shutil.which('bids-validator-deno')
    if not validator:
        pytest.skip('bids-validator-deno is not installed')
    root = request.getfixturevalue(layout)
    result = subprocess.run([validator, '--json', str(root)], capture_output=True, text=True, check=False)
    issues = json.loads(result.stdout)['issues']['issues']
    assert [i for i in issues if i['severity'] == 'error'] == []


@pytest.mark.parametrize('session', ['pre', 'post'])
def test_the_planted_correlation_can_be_measured(preprocessed, session):
    stem = f'sub-01_ses-{session}_task-rest'
    func = preprocessed / 'sub-01' / f'ses-{session}' / 'func'
    image = nb.load(func / f'{stem}_space-MNI152NLin6Asym_res-4_desc-preproc_bold.nii.gz')
    mask = (
        np.asarray(nb.load(func / f'{stem}_space-MNI152NLin6Asym_res-4_desc-brain_mask.nii.gz').dataobj) > 0
    )
    assert image.header.get_zooms() == (4, 4, 4, 2)
    table = read_table(func / f'{stem}_desc-confounds_timeseries.tsv')
    names = [n for n in table if n.startswith(('a_comp_cor', 'cosine', 'trans', 'rot')) and 'power2' not in n]
    model = np.column_stack([np.ones(100), np.arange(100), *(np.nan_to_num(table[n]) for n in names)])
    data = np.asarray(image.dataobj, float)
    # spheres about the atlas's own centroids, independent of the code that planted
    centres = {
        'NAc': [(-9.5, 11.6, -7.4), (9.2, 12.3, -6.8)],
        'mPFC': [(-4.8, 43.5, -18.2), (4.7, 42.9, -18.7)],
    }
    position = np.moveaxis(np.indices(mask.shape), 0, -1) @ image.affine[:3, :3].T + image.affine[:3, 3]
    means = [
        data[mask & (np.min([np.linalg.norm(position - c, axis=-1) for c in at], axis=0) < 6)].mean(axis=0)
        for at in centres.values()
    ]
    series = np.transpose(means)
    cleaned = series - model @ np.linalg.lstsq(model, series, rcond=None)[0]
    truth = json.loads((preprocessed / 'sourcedata' / 'truth.json').read_text())['Runs'][stem]
    # noise of about 30 voxels, and 9 components of noise out of 100 volumes: SD of r about 0.07
    assert np.corrcoef(cleaned.T)[0, 1] == pytest.approx(truth['NAcMPFCCorrelation'], abs=0.2)
    assert truth['FisherZ'] == pytest.approx(np.arctanh(truth['NAcMPFCCorrelation']))


def test_same_seed_same_data(preprocessed, tmp_path):
    assert main([str(tmp_path / 'again'), *SMALL, '--sessions', 'ses-pre', 'post']) == 0
    again = tmp_path / 'again'
    assert checksums(again, again.rglob('*')) == checksums(preprocessed, preprocessed.rglob('*'))


def test_exercise_lowers_the_correlation(preprocessed):
    runs = json.loads((preprocessed / 'sourcedata' / 'truth.json').read_text())['Runs']
    pre, post = (runs[f'sub-01_ses-{s}_task-rest']['NAcMPFCCorrelation'] for s in ('pre', 'post'))
    assert post < pre - 0.1


def test_given_confounds_are_copied_and_drive_the_motion(preprocessed, tmp_path):
    source = preprocessed / 'sub-01/ses-pre/func/sub-01_ses-pre_task-rest_desc-confounds_timeseries.tsv'
    root = tmp_path / 'given'
    assert main([str(root), *SMALL, '--sessions', 'pre', '--confounds', str(source)]) == 0
    copied = root / source.relative_to(preprocessed)
    assert copied.read_bytes() == source.read_bytes()
    assert copied.with_suffix('.json').read_bytes() == source.with_suffix('.json').read_bytes()
    assert read_given_confounds(source).components.std(axis=0) == pytest.approx(1)


@pytest.mark.real
def test_confounds_of_a_real_run_are_read(test_data):
    given = read_given_confounds(next(test_data.glob('confounds/*/sub-0001/func/*_regressors.tsv')))
    assert given.motion.shape == (len(given.components), 6)
    assert np.isfinite(given.components).all()


def test_raw_bold_has_a_head_that_moves_and_starts_bright(raw):
    func = raw / 'sub-01' / 'ses-pre' / 'func'
    image = nb.load(func / 'sub-01_ses-pre_task-rest_bold.nii.gz')
    data = np.asarray(image.dataobj, float)
    assert data.shape[3] == 30
    mean = data.mean(axis=(0, 1, 2))
    assert mean[0] > 1.1 * mean[5]
    truth = json.loads((raw / 'sourcedata' / 'truth.json').read_text())['Runs']['sub-01_ses-pre_task-rest']
    rigid = np.array(truth['PointsBoldToT1w'])
    np.testing.assert_allclose(rigid[:3, :3] @ rigid[:3, :3].T, np.eye(3), atol=1e-12)
    # the brain's centre, taken back from the template through both truths, is bright
    centre = np.linalg.inv(np.array(truth['PointsT1wToTemplate']) @ rigid) @ [0, -18, 10, 1]
    voxel = np.rint(np.linalg.inv(image.affine) @ centre).astype(int)
    assert data[tuple(voxel[:3])].mean() > 0.4 * data.max()


def test_raw_t1w_shows_fluid_skull_and_scalp(raw):
    image = nb.load(raw / 'sub-01' / 'ses-pre' / 'anat' / 'sub-01_ses-pre_T1w.nii.gz')
    data = np.asarray(image.dataobj)
    assert image.header.get_zooms() == (3, 3, 3)
    assert np.median(data[data > 300]) > 500
    assert data[:2].mean() < 50  # air


@pytest.mark.parametrize(
    ('options', 'status', 'message'),
    [
        (['--n-volumes', '10'], 2, '60 s are needed'),
        (['--confounds', 'absent.tsv'], 66, 'absent.tsv'),
        (['--seed', '-1'], 2, '--seed -1'),
    ],
)
def test_unusable_requests_stop_with_their_status(tmp_path, capsys, options, status, message):
    assert main([str(tmp_path / 'new'), *options]) == status
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'new').exists()


def test_a_folder_with_content_is_left_alone(tmp_path, capsys):
    (tmp_path / 'mine').write_text('x')
    assert main([str(tmp_path)]) == 73
    assert 'not an empty folder' in capsys.readouterr().err


@pytest.mark.parametrize('option', ['--participants=0', '--t-r=x', '--sessions=a_b', '--voxel-size=-1'])
def test_malformed_options_are_usage_errors(tmp_path, option):
    with pytest.raises(SystemExit) as stop:
        main([str(tmp_path / 'new'), option])
    assert stop.value.code == 2


def test_gzip_header_holds_neither_name_nor_time(tmp_path):
    write_nifti(tmp_path / 'a.nii.gz', [np.ones((2, 2, 2))], (2, 2, 2), np.eye(4))
    start = (tmp_path / 'a.nii.gz').read_bytes()[:8]
    assert start[3] == 0  # no optional fields
    assert start[4:8] == bytes(4)  # no time
    assert np.asarray(nb.load(tmp_path / 'a.nii.gz').dataobj).sum() == 8


def test_help_imports_nothing_heavy():
    code = 'import sys; from bids_app.simulated.cli import parser; parser().format_help(); print("numpy" in sys.modules)'
    root = Path(__file__).resolve().parents[3]
    result = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True, cwd=root
    )
    assert result.stdout.strip() == 'False'


def test_it_starts_without_a_home(tmp_path):
    """As a container starts it for a user that nobody knows."""
    code = 'import os; from bids_app.simulated.cli import main; main(["--help"])'
    done = subprocess.run(
        [sys.executable, '-c', code], env={'TMPDIR': str(tmp_path)}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, '')
    assert [path.name[:6] for path in tmp_path.iterdir()] == ['clbpe-']
