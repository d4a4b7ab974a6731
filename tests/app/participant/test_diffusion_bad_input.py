"""Bad diffusion input through the command line: file, value and remedy are named, the rest goes on."""

import json
import shutil

import nibabel as nb
import numpy as np
import pytest

from bids_app.cli import main
from bids_app.simulated.cli import main as simulate
from pipelines.simulated.diffusion import gradient_table
from tests.app.participant.test_participant import write_dataset
from tests.app.trial_data import N_MAPS

pytestmark = pytest.mark.slow

STEM = 'sub-01_ses-pre_space-ACPC'
SERIES = f'{STEM}_desc-preproc_dwi'
MASK = f'{STEM}_desc-brain_mask'
QUICK = ['--sloppy', '--nprocs', '1', '--n-streamlines', '50', '--max-seeds', '1000', '--skip', 'functional']


@pytest.fixture(scope='module')
def qsiprep(tmp_path_factory):
    root = tmp_path_factory.mktemp('sound') / 'qsiprep'
    words = ['--layout', 'qsiprep', '--participants', '1', '--sessions', 'pre', '--seed', '3']
    assert simulate([str(root), *words, '--dwi-voxel-size', '5', '--dwi-directions', '15']) == 0
    return root


@pytest.fixture
def copy(qsiprep, tmp_path):
    return shutil.copytree(qsiprep, tmp_path / 'qsiprep')


def run(root, out, *words):
    folders = ['-d', f'qsiprep={root}', '-w', str(out.parent / 'work')]
    return main([str(root), str(out), 'participant', *folders, *QUICK, *words])


def half_written(out):
    """Return streamlines, tables of the tract, receipts of it and drafts, none of which may be there."""
    found = [
        *out.rglob('*_streamlines.*'),
        *out.rglob('*_scalarstats.*'),
        *out.rglob('manifest/*tract*.json'),
    ]
    return found + [path for path in out.rglob('.*') if path.name != '.bidsignore']


def keep(n_volumes):
    """Return a harm that cuts the table to some volumes."""

    def harm(folder):
        for extension in ('bval', 'bvec'):
            path = folder / f'{SERIES}.{extension}'
            np.savetxt(path, np.loadtxt(path, ndmin=2)[:, :n_volumes], fmt='%.6f')

    return harm


def scale(factor):
    def harm(folder):
        path = folder / f'{SERIES}.bval'
        np.savetxt(path, np.loadtxt(path, ndmin=2) * factor, fmt='%g')

    return harm


def replace(name, content):
    def harm(folder):
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_bytes(content)

    return harm


def with_directions(number):
    """Return a harm that leaves the b = 0 volumes and some of the others."""

    def harm(folder):
        image = nb.load(folder / f'{SERIES}.nii.gz')
        bvals, bvecs = (np.loadtxt(folder / f'{SERIES}.{e}', ndmin=2) for e in ('bval', 'bvec'))
        kept = np.cumsum(bvals[0] > 100) <= number
        data = np.asarray(image.dataobj)[..., kept]
        nb.save(nb.Nifti1Image(data, image.affine, image.header), folder / f'{SERIES}.nii.gz')
        np.savetxt(folder / f'{SERIES}.bval', bvals[:, kept], fmt='%g')
        np.savetxt(folder / f'{SERIES}.bvec', bvecs[:, kept], fmt='%.6f')

    return harm


def cut(folder):
    path = folder / f'{SERIES}.nii.gz'
    path.write_bytes(path.read_bytes()[:60])


HARMS = {
    'short table': (keep(9), 65, ['volumes, bval 9 values and bvec 9 directions', 'Mend']),
    'all b0': (scale(0), 65, ['all b-values are 0', 'exclude the scan']),
    'five directions': (with_directions(5), 65, ['only 5 different directions: a tensor needs 6']),
    's/m^2': (scale(1e6), 65, ['largest b-value is 1e+09', 's/m^2', 'Divide bval by 1,000,000']),
    'ms/um^2': (scale(1e-3), 65, ['largest b-value is 1:', 'not s/mm^2']),
    'negative': (scale(-1), 65, ['negative', 'Mend']),
    'no bvec': (replace(f'{SERIES}.bvec', None), 66, [f'{SERIES}.bvec is not here', 'convert the scan again']),
    'no bval': (replace(f'{SERIES}.bval', None), 66, [f'{SERIES}.bval is not here', 'fetch it']),
    'no numbers': (replace(f'{SERIES}.bval', b'b0 b1000'), 65, [f'{SERIES}.bval is no table of numbers', 'Convert']),
    'no mask': (replace(f'{MASK}.nii.gz', None), 66, [f'{MASK}.nii.gz', 'Fetch it']),
    'cut header': (cut, 65, ['cannot be read', 'Copy or fetch']),
}  # fmt: skip


@pytest.mark.parametrize(('harm', 'code', 'says'), HARMS.values(), ids=HARMS)
def test_a_bad_scan_is_named_with_its_value_and_a_remedy(copy, tmp_path, capsys, harm, code, says):
    harm(copy / 'sub-01/ses-pre/dwi')
    assert run(copy, tmp_path / 'out') == code
    message = capsys.readouterr().err
    for word in ('sub-01', SERIES if 'mask' not in says[0] else MASK, *says):
        assert word in message
    assert message.count(says[0]) == 1
    assert 'Traceback' not in message
    assert half_written(tmp_path / 'out') == []
    assert says[0] in (tmp_path / 'out' / 'sub-01.html').read_text().replace('&#39;', "'")


@pytest.mark.parametrize(('harm', 'code', 'says'), HARMS.values(), ids=HARMS)
def test_a_dry_run_ends_with_the_status_of_the_run(copy, tmp_path, capsys, harm, code, says):
    harm(copy / 'sub-01/ses-pre/dwi')
    assert run(copy, tmp_path / 'out', '--dry-run') == code
    shown = capsys.readouterr().out
    assert all(word in shown for word in says)
    assert not (tmp_path / 'out').exists()


def test_a_trace_volume_of_qsiprep_costs_itself(copy, tmp_path, capsys):
    """The last volume has no direction; the series is planned without it, and the plan says so."""
    path = copy / 'sub-01/ses-pre/dwi' / f'{SERIES}.bvec'
    vectors = np.loadtxt(path, ndmin=2)
    vectors[:, -1] = 0
    np.savetxt(path, vectors, fmt='%.6f')
    assert run(copy, tmp_path / 'out', '--dry-run') == 0
    assert f'volume {vectors.shape[1] - 1} (the first is 0)' in capsys.readouterr().out


def tensor_maps(out):
    return sorted(path.name.split('_param-')[1] for path in out.rglob('*_dwimap.nii.gz'))


MAPS = [f'{name}_dwimap.nii.gz' for name in ('ad', 'fa', 'md', 'rd')]


LATE = {
    'fourteen directions': (with_directions(14), [], ['14 different directions', 'need 15']),
    'low b-value': (scale(0.3), [], ['largest b-value is 300 s/mm^2']),
    'region outside': (None, ['--mpfc', 'sphere:0,200,0,5'], ['mPFC', 'sphere:0,200,0,5']),
}


@pytest.mark.parametrize(('harm', 'words', 'says'), LATE.values(), ids=LATE)
def test_maps_are_kept_where_the_tract_is_refused(copy, tmp_path, capsys, harm, words, says):
    if harm:
        harm(copy / 'sub-01/ses-pre/dwi')
    assert run(copy, tmp_path / 'out', *words) == 65
    message = capsys.readouterr().err
    for word in ('sub-01', *says):
        assert word in message
    assert 'Traceback' not in message
    assert tensor_maps(tmp_path / 'out') == MAPS
    assert half_written(tmp_path / 'out') == []


@pytest.mark.long
def test_the_other_session_goes_on(copy, tmp_path, capsys):
    """The bad session is named with 65; the tract is that of the sound one."""
    good, bad = copy / 'sub-01/ses-pre', copy / 'sub-01/ses-post'
    shutil.copytree(good, bad)
    for path in list((bad / 'dwi').iterdir()):
        path.rename(path.with_name(path.name.replace('ses-pre', 'ses-post')))
    table = bad / 'dwi' / f'{SERIES.replace("pre_", "post_")}.bval'
    table.write_text('0 1000\n')
    assert run(copy, tmp_path / 'out') == 65
    message = capsys.readouterr().err
    assert table.name in message
    assert 'finished with errors for sub-01' in message
    (stats,) = (tmp_path / 'out').rglob('*_bundle-NAcMPFC_scalarstats.tsv')
    assert {line.split('\t')[0] for line in stats.read_text().splitlines()[1:]} == {'pre'}
    made = {path.stem for path in (tmp_path / 'out').glob('sub-01/log/manifest/*.json')}
    assert made == {'ses-pre_dwi', 'ses-pre_dwi_figures', 'tract', 'tract_figures'}


@pytest.mark.long
def test_bold_of_the_participant_goes_on(tmp_path, capsys):
    """A raw scan of bad table beside a sound run of fMRIPrep."""
    func = write_dataset(tmp_path / 'fmriprep', np.random.default_rng(2), voxel=6)
    folder = tmp_path / 'raw/sub-01/ses-pre/dwi'
    folder.mkdir(parents=True)
    bvals, bvecs = gradient_table(15, [1000.0])
    scan = folder / 'sub-01_ses-pre_dwi.nii.gz'
    nb.save(nb.Nifti1Image(np.ones((2, 2, 2, len(bvals) + 1), np.int16), np.eye(4)), scan)
    np.savetxt(folder / 'sub-01_ses-pre_dwi.bval', bvals[None])
    np.savetxt(folder / 'sub-01_ses-pre_dwi.bvec', bvecs.T)
    out = tmp_path / 'out'
    words = ['-d', f'fmriprep={func}', '-w', str(tmp_path / 'work'), '--nprocs', '1']
    assert main([str(tmp_path / 'raw'), str(out), 'participant', *words]) == 65
    assert str(scan) in capsys.readouterr().err
    assert len(list(out.rglob('*_boldmap.nii.gz'))) == N_MAPS
    record = json.loads(next(out.glob('sub-01/log/*/run.json')).read_text())
    assert [error['node'] for error in record['errors']] == ['inputs']
