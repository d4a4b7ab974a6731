"""Raw scans as people filed them: what a dry run would use, what not, and why."""

import json
import shutil

import nibabel as nb
import numpy as np
import pytest

from bids_app.cli import main

N_VOLUMES, T_R = 240, 2.0


def write_image(path, shape, voxel):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nb.Nifti1Image(np.ones(shape, np.int16), np.diag([voxel, voxel, voxel, 1]))
    if len(shape) == 4:
        image.header.set_zooms((voxel, voxel, voxel, T_R))
        image.header.set_xyzt_units('mm', 'sec')
    nb.save(image, path)


@pytest.fixture
def person(tmp_path):
    """Return the folder of one person with a T1w image and a resting run."""
    root = tmp_path / 'raw'
    own = root / 'sub-05'
    write_image(own / 'anat/sub-05_T1w.nii.gz', (2, 2, 2), 90)
    (own / 'anat/sub-05_T1w.json').write_text('{}')
    write_image(own / 'func/sub-05_task-rest_run-1_bold.nii.gz', (2, 2, 33, N_VOLUMES), 3)
    sidecar(own).write_text(json.dumps({'RepetitionTime': T_R, 'TaskName': 'rest'}))
    (root / 'dataset_description.json').write_text('{"Name": "x", "BIDSVersion": "1.9.0"}')
    return own


def bold_of(person):
    return person / 'func/sub-05_task-rest_run-1_bold.nii.gz'


def sidecar(person):
    return person / 'func/sub-05_task-rest_run-1_bold.json'


def change_sidecar(person, **fields):
    path = sidecar(person)
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def dry_run(person, caught, *words):
    """Return status, names of what would be used, and everything that is said."""
    capsys, caplog = caught
    folder = person.parent.parent
    given = [str(person.parent), str(folder / 'out'), 'participant', '-w', str(folder / 'work'), '--dry-run']
    status = main([*given, *words])
    said = capsys.readouterr()
    lines = [line for line in said.out.splitlines() if 'not used' not in line]
    used = sorted(line.rpartition('/')[2] for line in lines)
    return status, used, said.out + said.err + caplog.text


@pytest.fixture
def caught(capsys, caplog):
    return capsys, caplog


PLAIN = ['sub-05_T1w.nii.gz', 'sub-05_task-rest_run-1_bold.nii.gz']


def plain(person):
    pass


def latin_1(person):
    text = json.dumps(
        {**json.loads(sidecar(person).read_text()), 'InstitutionName': 'Universität'}, ensure_ascii=False
    )
    sidecar(person).write_bytes(text.encode('latin-1'))


def byte_order_mark(person):
    sidecar(person).write_bytes(b'\xef\xbb\xbf' + sidecar(person).read_bytes())


def nan_in_the_sidecar(person):
    sidecar(person).write_text(sidecar(person).read_text().rstrip('}') + ', "EchoTime2": NaN}')


def a_reference_volume_beside_it(person):
    write_image(person / 'func/sub-05_task-rest_run-1_sbref.nii.gz', (2, 2, 33), 3)


def a_phase_series_beside_it(person):
    path = person / 'func/sub-05_task-rest_run-1_part-phase_bold.nii.gz'
    write_image(path, (2, 2, 33, N_VOLUMES), 3)


def a_copy_in_derivatives(person):
    shutil.copytree(person, person.parent / 'derivatives/defaced/sub-05')


def hidden_files_of_macos(person):
    for path in list(person.rglob('*.nii.gz')):
        (path.parent / f'._{path.name}').write_bytes(b'\0\5\x16\7')


def sidecar_at_the_top(person):
    sidecar(person).rename(person.parent / 'task-rest_bold.json')


@pytest.mark.parametrize(
    'change',
    [
        plain, latin_1, byte_order_mark, nan_in_the_sidecar, a_reference_volume_beside_it, a_phase_series_beside_it,
        a_copy_in_derivatives, hidden_files_of_macos, sidecar_at_the_top,
    ],
    ids=lambda change: change.__name__,
)  # fmt: skip
def test_the_run_and_its_anatomy_are_used_and_nothing_else(person, caught, change):
    change(person)
    status, used, _ = dry_run(person, caught)
    assert (status, used) == (0, PLAIN)


def test_magnitude_and_phase_filed_apart(person, caught):
    for part in ('mag', 'phase'):
        shutil.copy(
            bold_of(person), bold_of(person).with_name(f'sub-05_task-rest_run-1_part-{part}_bold.nii.gz')
        )
    bold_of(person).unlink()
    status, used, _ = dry_run(person, caught)
    assert status == 0
    assert used[1:] == ['sub-05_task-rest_run-1_part-mag_bold.nii.gz']


def test_runs_without_padding_are_three(person, caught):
    for number in (2, 10):
        for path in (bold_of(person), sidecar(person)):
            shutil.copy(path, path.with_name(path.name.replace('run-1', f'run-{number}')))
    status, used, _ = dry_run(person, caught)
    assert status == 0
    assert len(used) == 4


def test_a_time_as_text_is_named(person, caught):
    change_sidecar(person, RepetitionTime='2.0')
    status, _, said = dry_run(person, caught)
    assert status == 65
    assert "RepetitionTime '2.0' is no time" in said


def test_anatomy_of_one_session_serves_both_and_is_said(person, caught):
    for session in ('1', '2'):
        folder = person / f'ses-{session}/func'
        folder.mkdir(parents=True)
        for path in (bold_of(person), sidecar(person)):
            shutil.copy(path, folder / path.name.replace('sub-05_', f'sub-05_ses-{session}_'))
    (person / 'ses-1/anat').mkdir()
    shutil.move(person / 'anat/sub-05_T1w.nii.gz', person / 'ses-1/anat/sub-05_ses-1_T1w.nii.gz')
    shutil.rmtree(person / 'func')
    status, used, said = dry_run(person, caught)
    assert status == 0
    assert len(used) == 3
    assert 'ses-2_task-rest_run-1_bold.nii.gz: no T1w in its session; that of another session is used' in said


def test_no_t1w_says_what_is_needed(person, caught):
    (person / 'anat/sub-05_T1w.nii.gz').rename(person / 'anat/sub-05_T2w.nii.gz')
    status, used, said = dry_run(person, caught)
    assert (status, used) == (66, [])
    assert 'no T1w image of this participant' in said
    assert 'Add the T1w image, or give fMRIPrep output' in said


def test_only_inversions_is_no_t1w_and_told_why(person, caught):
    (person / 'anat/sub-05_T1w.nii.gz').rename(person / 'anat/sub-05_acq-inv2_T1w.nii.gz')
    status, used, said = dry_run(person, caught)
    assert (status, used) == (66, [])
    assert 'sub-05_acq-inv2_T1w.nii.gz is an inversion of MP2RAGE' in said


def test_an_anatomy_without_orientation_is_refused(person, caught):
    path = person / 'anat/sub-05_T1w.nii.gz'
    image = nb.load(path)
    image.header['sform_code'] = image.header['qform_code'] = 0
    data, header = np.asarray(image.dataobj), image.header.copy()
    blind = nb.Nifti1Image(data, None, header)
    nb.save(blind, path)
    status, _, said = dry_run(person, caught)
    assert status == 65
    assert 'sub-05_T1w.nii.gz says nothing of where its voxels lie' in said


def test_an_extension_in_capitals_is_no_image_of_bids(person, caught):
    bold_of(person).rename(bold_of(person).with_name('sub-05_task-rest_run-1_bold.NII.GZ'))
    status, _, said = dry_run(person, caught)
    assert status == 66
    assert 'It has no BOLD at all' in said


B = 'func/sub-05_task-rest_run-1_bold.nii.gz'


def one_reverse_epi(person):
    write_image(person / 'fmap/sub-05_dir-PA_epi.nii.gz', (2, 2, 33), 3)
    facts = {'PhaseEncodingDirection': 'j', 'TotalReadoutTime': 0.03, 'IntendedFor': [f'sub-05/{B}']}
    (person / 'fmap/sub-05_dir-PA_epi.json').write_text(json.dumps(facts))
    return ['sub-05_dir-PA_epi.nii.gz']


def only_phasediff(person):
    for name in ('phasediff', 'magnitude1'):
        write_image(person / f'fmap/sub-05_{name}.nii.gz', (2, 2, 33), 3)
        facts = {'EchoTime1': 0.01, 'EchoTime2': 0.01246, 'IntendedFor': [f'bids::sub-05/{B}']}
        (person / f'fmap/sub-05_{name}.json').write_text(json.dumps(facts))
    return ['sub-05_magnitude1.nii.gz', 'sub-05_phasediff.nii.gz']


@pytest.mark.parametrize('change', [one_reverse_epi, only_phasediff])
def test_what_shows_the_distortion_is_an_input(person, caught, change):
    files = change(person)
    change_sidecar(person, PhaseEncodingDirection='j-', TotalReadoutTime=0.03)
    status, used, said = dry_run(person, caught)
    assert (status, used) == (0, sorted([*PLAIN, *files]))
    assert 'bold fieldmap' not in said
    change_sidecar(person, PhaseEncodingDirection=None, PhaseEncodingAxis='j')
    status, used, said = dry_run(person, caught)
    assert (status, used) == (0, PLAIN)
    assert 'not used (bold fieldmap)' in said
