"""Bad input through the command line: file, value and remedy are named, nothing is half-written, work is resumed."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys

import nibabel as nb
import numpy as np
import pandas as pd
import psutil
import pytest
from niworkflows.engine.workflows import LiterateWorkflow

from bids_app.cli import main
from bids_app.running.files import remove_drafts
from bids_app.settings import label_of_steps, steps_of
from tests.app.participant.test_participant import SPACE, STEM, receipts, run, tables_and_maps, write_dataset
from tests.app.scans.test_inputs import T1W, bold, build
from tests.app.trial_data import N_MAPS

pytestmark = pytest.mark.slow

VOXEL = 6  # mm
BOLD, MASK = f'{STEM}_{SPACE}_desc-preproc_bold', f'{STEM}_{SPACE}_desc-brain_mask'
TABLE = f'{STEM}_desc-confounds_timeseries'


@pytest.fixture(scope='module')
def preprocessed(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp('sound') / 'fmriprep', np.random.default_rng(2), voxel=VOXEL)


@pytest.fixture
def copy(preprocessed, tmp_path):
    return shutil.copytree(preprocessed, tmp_path / 'derivatives' / 'fmriprep')


def half_written(out):
    """Return maps, receipts and drafts, none of which may be there."""
    found = [*out.rglob('*boldmap*'), *out.rglob('manifest/*.json')]
    return found + [path for path in out.rglob('.*') if path.name != '.bidsignore']


def rewrite(change):
    """Return a harm that changes the voxels of the series."""

    def harm(func):
        path = func / f'{BOLD}.nii.gz'
        image = nb.load(path)
        nb.save(nb.Nifti1Image(change(image.get_fdata(dtype=np.float32)), image.affine, image.header), path)

    return harm


def spoil(value):
    def change(data):
        data[15, 18, 15, 7] = value
        return data

    return rewrite(change)


def replace(name, content):
    def harm(func):
        (func / name).unlink()
        if content is not None:
            (func / name).write_bytes(content)

    return harm


def cut(name, size):
    def harm(func):
        (func / name).write_bytes((func / name).read_bytes()[:size])

    return harm


def edit_table(change):
    def harm(func):
        path = func / f'{TABLE}.tsv'
        change(pd.read_csv(path, sep='\t', na_values='n/a')).to_csv(path, sep='\t', index=False, na_rep='n/a')

    return harm


def gap(table):
    table.loc[4, 'rot_y'] = np.nan
    return table


def move_mask(func):
    path = func / f'{MASK}.nii.gz'
    image = nb.load(path)
    nb.save(nb.Nifti1Image(np.asarray(image.dataobj)[1:], image.affine), path)


def empty_mask(func):
    path = func / f'{MASK}.nii.gz'
    image = nb.load(path)
    nb.save(nb.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine), path)


def flip(name, position):
    def harm(func):
        content = bytearray((func / name).read_bytes())
        content[position] ^= 1
        (func / name).write_bytes(content)

    return harm


def without_time(sidecar):
    """Take the repetition time out of the header and out of the sidecar."""

    def harm(func):
        path = func / f'{BOLD}.nii.gz'
        image = nb.load(path)
        header = image.header.copy()
        header['pixdim'][4] = 0
        nb.save(nb.Nifti1Image(np.asarray(image.dataobj), image.affine, header), path)
        replace(f'{BOLD}.json', sidecar)(func)

    return harm


HARMS = {
    'empty image': (replace(f'{BOLD}.nii.gz', b''), 65, [BOLD, '0 bytes', 'Copy or fetch']),
    'cut in the header': (cut(f'{BOLD}.nii.gz', 60), 65, [BOLD, 'cannot be read', 'Copy or fetch']),
    'cut in the data': (cut(f'{BOLD}.nii.gz', -100_000), 65, [BOLD, 'volume', 'of 150', 'Copy or fetch']),
    'wrong checksum': (flip(f'{BOLD}.nii.gz', -8), 65, [BOLD, 'checksum', 'Copy or fetch']),
    'no image at all': (replace(f'{BOLD}.nii.gz', gzip.compress(b'text' * 200)), 65, [BOLD, 'NIfTI', 'Copy or fetch']),
    'three dimensions': (rewrite(lambda d: d[..., 0]), 65, [BOLD, 'shape (31, 37, 31)', '--bids-filter-file']),
    'NaN': (spoil(np.nan), 65, [BOLD, 'volume 7 holds NaN', 'Mend']),
    'infinity': (spoil(np.inf), 65, [BOLD, 'volume 7 holds NaN or infinite', 'Mend']),
    'no repetition time': (without_time(b'{}'), 66, [f'{BOLD}.json', 'no RepetitionTime', 'Add it']),
    'no sidecar': (without_time(None), 66, [f'{BOLD}.json', 'no RepetitionTime', 'Add it']),
    'negative repetition time': (replace(f'{BOLD}.json', b'{"RepetitionTime": -2}'), 65, [f'{BOLD}.json', '-2', 'Correct']),
    'another repetition time': (replace(f'{BOLD}.json', b'{"RepetitionTime": 2.5}'), 65, [BOLD, '2 s', '2.5 s', 'Correct']),
    'broken sidecar': (replace(f'{BOLD}.json', b'{"Repetition'), 65, [f'{BOLD}.json', 'no valid JSON', 'Mend']),
    'no confounds': (replace(f'{TABLE}.tsv', None), 66, [f'{TABLE}.tsv', 'confounds table', 'run fMRIPrep again']),
    'short confounds': (edit_table(lambda t: t.iloc[:-1]), 65, [TABLE, '149 rows', '150 volumes', 'Use the confounds']),
    'gap in a confound': (edit_table(gap), 65, [TABLE, 'rot_y', 'row 5 of 150', 'Mend']),
    'no motion': (edit_table(lambda t: t.drop(columns='trans_z')), 65, [TABLE, 'trans_z', 'Choose another preset']),
    'no table': (replace(f'{TABLE}.tsv', b'\xff\xfe\x00a'), 65, [TABLE, 'no table', 'Replace']),
    'broken confounds JSON': (replace(f'{TABLE}.json', b'{'), 65, [f'{TABLE}.json', 'no valid JSON', 'Replace']),
    'mask on another grid': (move_mask, 65, [MASK, 'shape (30, 37, 31)', '(31, 37, 31)', 'Give a mask']),
    'empty mask': (empty_mask, 65, [MASK, 'is empty', 'Give another mask']),
    'no mask': (replace(f'{MASK}.nii.gz', None), 66, [f'{MASK}.nii.gz', 'brain mask', 'Fetch it']),
    'cut checksum': (cut(f'{BOLD}.nii.gz', -4), 65, [BOLD, 'volume 150 of 150', 'Copy or fetch']),
    'no signal': (rewrite(np.zeros_like), 65, [BOLD, 'holds no signal', 'Replace']),
}  # fmt: skip


@pytest.mark.parametrize(('harm', 'code', 'says'), HARMS.values(), ids=HARMS)
def test_a_bad_file_is_named_with_its_value_and_a_remedy(copy, tmp_path, capsys, harm, code, says):
    harm(copy / 'sub-01/ses-pre/func')
    assert run(copy, tmp_path / 'out', '--nac', 'sphere:9,9,-8,6', '--mpfc', 'sphere:9,45,-15,8') == code
    message = capsys.readouterr().err
    for word in ('sub-01', *says):
        assert word in message
    assert 'Traceback' not in message
    assert half_written(tmp_path / 'out') == []


OPTIONS = {
    'everything skipped': (['--skip', 'functional'], 66, ['--skip functional', 'no diffusion series in']),
    'absent task': (['--task-id', 'nback'], 66, ['no BOLD of task nback', 'It has task rest', '--task-id']),
    'unknown participant': (['--participant-label', '07'], 18, ['--participant-label 07', 'which has 01']),
    'unknown session': (['--session-label', 'post'], 18, ['--session-label post', 'which have pre']),
    'absent run': (['--run', '2'], 18, ['no BOLD of task rest', 'labels or filters', 'change them']),
    'absent space': (['--output-space', 'MNI152NLin2009cAsym'], 66, ['MNI152NLin2009cAsym is needed', '--output-spaces']),
    'narrow band': (['--low-pass', '0.03'], 65, [BOLD, 'degrees of freedom', '20 are needed', '--denoising none']),
    'absent region file': (['--nac', '{tmp}/nac.nii.gz'], 66, ['--nac {tmp}/nac.nii.gz', 'no such file', 'FILE[:LABEL]']),
    'unknown region': (['--mpfc', 'frontal'], 2, ['--mpfc frontal', 'frontal-medial']),
    'no segmentation': (['--nac', 'freesurfer'], 66, ['desc-aseg_dseg', 'choose another region']),
    'parent of datasets': (['-d', '{tmp}/derivatives'], 16, ['holds datasets', 'fmriprep={tmp}/derivatives/fmriprep']),
    'derivatives elsewhere': (['-d', 'fmriprep={tmp}/none'], 16, ['{tmp}/none', 'not a folder']),
}  # fmt: skip


@pytest.mark.parametrize(('words', 'code', 'says'), OPTIONS.values(), ids=OPTIONS)
def test_an_option_that_cannot_be_met_is_named(copy, tmp_path, capsys, words, code, says):
    assert run(copy, tmp_path / 'out', *(word.format(tmp=tmp_path) for word in words)) == code
    message = capsys.readouterr().err
    for word in says:
        assert word.format(tmp=tmp_path) in message
    assert 'Traceback' not in message
    assert half_written(tmp_path / 'out') == []


@pytest.mark.parametrize(
    ('place', 'says'),
    [
        ('{data}', ['is the input dataset itself', 'Choose another folder, for example']),
        ('{data}/..', ['contains the input dataset', 'Choose another folder']),
        ('{data}/dataset_description.json/out', ['is a file', 'Choose another folder']),
    ],
)
def test_an_output_that_cannot_be_is_refused(copy, tmp_path, capsys, place, says):
    before = sorted(tmp_path.rglob('*'))
    out = place.format(data=copy)
    words = ['participant', '-d', f'fmriprep={copy}', '-w', str(tmp_path / 'work')]
    assert main([str(copy), out, *words]) == 73
    message = capsys.readouterr().err
    for word in says:
        assert word in message
    assert sorted(tmp_path.rglob('*')) == before


def test_a_file_in_the_way_of_a_participant(copy, tmp_path, capsys):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'sub-01').write_text('mine')
    assert run(copy, tmp_path / 'out') == 73
    assert str(tmp_path / 'out' / 'sub-01') in capsys.readouterr().err
    assert (tmp_path / 'out' / 'sub-01').read_text() == 'mine'


def test_raw_bold_without_t1w(tmp_path, capsys):
    root = build(tmp_path / 'raw', {'01': {'func': [bold()]}})
    assert main([str(root), str(tmp_path / 'out'), 'participant', '-w', str(tmp_path / 'work')]) == 66
    message = capsys.readouterr().err
    for word in ('sub-01_task-rest_bold.nii.gz', 'no T1w', str(root), 'Add the T1w image', '--derivatives'):
        assert word in message
    assert half_written(tmp_path / 'out') == []


def test_raw_bold_with_three_dimensions(tmp_path, capsys):
    root = build(tmp_path / 'raw', {'01': {'anat': [T1W], 'func': [bold()]}})
    path = root / 'sub-01/func/sub-01_task-rest_bold.nii.gz'
    nb.save(nb.Nifti1Image(np.ones((2, 2, 2), np.int16), np.eye(4)), path)
    assert main([str(root), str(tmp_path / 'out'), 'participant', '-w', str(tmp_path / 'work')]) == 65
    assert f'{path} has shape (2, 2, 2)' in capsys.readouterr().err
    assert half_written(tmp_path / 'out') == []


@pytest.fixture(scope='module')
def uninterrupted(preprocessed, tmp_path_factory):
    out = tmp_path_factory.mktemp('whole') / 'out'
    assert run(preprocessed, out) == 0
    return tables_and_maps(out)


def add_run(root, stem, harm):
    """Add a run that is the sound one under another name, with a harm."""
    folder = root / stem.split('_')[0] / 'ses-pre' / 'func'
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((root / 'sub-01/ses-pre/func').glob(f'{STEM}_*')):
        shutil.copyfile(path, folder / path.name.replace(STEM, stem))
    harm(folder, stem)


def cut_image(func, stem):
    path = next(func.glob(f'{stem}_*bold.nii.gz'))
    path.write_bytes(path.read_bytes()[:-100_000])


def drop_confounds_metadata(func, stem):
    next(func.glob(f'{stem}_*timeseries.json')).unlink()


@pytest.mark.parametrize(
    ('harm', 'code', 'says'),
    [
        (cut_image, 65, 'Copy or fetch the file again'),
        (drop_confounds_metadata, 66, 'which says what each component is'),
    ],
)
@pytest.mark.long
def test_the_good_run_is_complete_beside_a_bad_one(copy, uninterrupted, tmp_path, capsys, harm, code, says):
    """The first run has what it has alone; the page shows what failed; mended, the rest follows."""
    bad, out = 'sub-01_ses-pre_task-resting', tmp_path / 'out'
    add_run(copy, bad, harm)
    assert run(copy, out) == code
    message = capsys.readouterr().err
    assert bad in message
    assert says in message
    assert 'finished with errors for sub-01; valid results are in' in message
    made = tables_and_maps(out)
    assert {path: made.get(path) for path in uninterrupted} == uninterrupted
    assert not [path for path in out.rglob(f'{bad}_*') if 'boldmap' in path.name]
    good = {f'ses-pre_task-rest_{stage}' for stage in ('connectivity', 'connectivity_figures')}
    assert receipts(out) == good
    assert says in (out / 'sub-01.html').read_text()
    record = json.loads(next(out.glob('sub-01/log/*/run.json')).read_text())
    assert any(says in error['message'] for error in record['errors'])
    if harm is drop_confounds_metadata:
        add_run(copy, bad, lambda func, stem: None)
        assert run(copy, out) == 0
        assert len(list(out.rglob(f'{bad}_*boldmap.nii.gz'))) == N_MAPS
        assert receipts(out) == good | {name.replace('rest', 'resting') for name in good}


def test_the_good_participant_is_complete_beside_a_bad_one(copy, uninterrupted, tmp_path, capsys):
    add_run(copy, 'sub-02_ses-pre_task-rest', cut_image)
    assert run(copy, tmp_path / 'out') == 65
    message = capsys.readouterr().err
    assert 'finished with errors for sub-02;' in message
    made = tables_and_maps(tmp_path / 'out')
    assert made == uninterrupted
    assert len(receipts(tmp_path / 'out')) == 2
    assert receipts(tmp_path / 'out', '02') == set()


@pytest.mark.long
def test_a_killed_run_is_resumed_to_the_same_result(preprocessed, uninterrupted, tmp_path):
    """At one moment; ``scripts/accept --only interrupted`` kills at many."""
    out, work = tmp_path / 'out', tmp_path / 'work'
    command = [
        sys.executable, '-m', 'bids_app', str(preprocessed), str(out), 'participant',
        '-d', f'fmriprep={preprocessed}', '-w', str(work), '--nprocs', '1',
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert any('figures running' in line for line in process.stdout)
        workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert workers
    assert not psutil.wait_procs(workers, timeout=10)[1], 'workers wait for a program that is gone'
    assert len(receipts(out)) < 2
    assert tables_and_maps(out).keys() < uninterrupted.keys()
    kept = next(work.rglob('clean/smoothed.npy'))
    before = kept.stat().st_mtime_ns
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert kept.stat().st_mtime_ns == before  # resumed, not repeated
    assert tables_and_maps(out) == uninterrupted
    assert len(receipts(out)) == 2


@pytest.mark.parametrize('label', ['01', '01+a', 'a+b+c', '+'])
def test_a_label_with_a_plus_sign_is_the_name_of_a_workflow(label):
    """BIDS takes the sign, Nipype does not; and who failed is told by the label."""
    name = LiterateWorkflow(name=steps_of(label)).name
    assert label_of_steps(f'clbpe_wf.{name}.task_rest_wf.motion') == label


def test_stale_drafts_are_removed_and_fresh_ones_left(tmp_path):
    func = tmp_path / 'sub-01' / 'func'
    func.mkdir(parents=True)
    stale, fresh, done = (func / name for name in ('.1f.draft', '.2e.draft', 'sub-01_c.tsv'))
    for path in (stale, fresh, done):
        path.write_text('')
    for path in (stale, done):
        os.utime(path, (0, 0))
    remove_drafts(tmp_path / 'sub-01')
    assert sorted(func.iterdir()) == [fresh, done]
