"""Which images are the anatomy of a participant, and what is said of the others."""

import json

import nibabel as nb
import numpy as np
import pytest

from bids_app.scans.people import collect
from tests.app.scans.test_inputs import bold, build, settings_of

HEAD = (2, 2, 2)


def write(path, shape=HEAD, **metadata):
    path.parent.mkdir(parents=True, exist_ok=True)
    nb.save(nb.Nifti1Image(np.ones(shape, np.int16), np.diag([90, 90, 90, 1])), path)
    path.with_name(path.name.replace('.nii.gz', '.json')).write_text(json.dumps(metadata))


@pytest.fixture
def anat(tmp_path):
    """Return the folder of a participant with a raw run."""
    root = build(tmp_path / 'raw', {'01': {'func': [bold()]}})
    (root / 'sub-01/anat').mkdir()
    return root / 'sub-01/anat'


def found(anat, *words):
    """Return the names used, and why others are not by their names."""
    person = collect(settings_of(anat.parent.parent, *words), '01')
    reasons = [a.reason for a in person.absent if a.modality == 't1w']
    return [path.name for path in person.t1w], {reason.split(' ')[0]: reason for reason in reasons}


def test_what_scanners_file_beside_the_anatomy_is_passed_over_by_name(anat):
    for name in ('', 'acq-inv1', 'acq-INV2', 'acq-localizer', 'acq-scout', 'part-phase', 'inv-1_part-mag'):
        write(anat / f'sub-01_{name + "_" if name else ""}T1w.nii.gz')
    used, passed = found(anat)
    assert used == ['sub-01_T1w.nii.gz']
    assert (
        passed['sub-01_acq-INV2_T1w.nii.gz']
        == 'sub-01_acq-INV2_T1w.nii.gz is an inversion of MP2RAGE and no anatomy.'
    )
    assert 'a localizer' in passed['sub-01_acq-localizer_T1w.nii.gz']
    assert 'part-phase' in passed['sub-01_part-phase_T1w.nii.gz']
    assert len(passed) == 6


def test_a_slab_is_no_head(anat):
    write(anat / 'sub-01_acq-hippocampus_T1w.nii.gz', (2, 2, 1))
    write(anat / 'sub-01_acq-mprage_T1w.nii.gz')
    used, passed = found(anat)
    assert used == ['sub-01_acq-mprage_T1w.nii.gz']
    assert '180 x 180 x 90 mm' in passed['sub-01_acq-hippocampus_T1w.nii.gz']


def test_one_of_several_reconstructions_is_used(anat):
    """Those that differ in ``rec`` alone, or were acquired at one time; the normalised one is preferred."""
    write(anat / 'sub-01_T1w.nii.gz', AcquisitionTime='10:11:12.345')
    write(anat / 'sub-01_rec-defaced_T1w.nii.gz')
    write(anat / 'sub-01_acq-norm_T1w.nii.gz', AcquisitionTime='10:11:12.345')
    write(anat / 'sub-01_acq-second_T1w.nii.gz', AcquisitionTime='10:40:00.000')
    used, passed = found(anat)
    assert used == ['sub-01_acq-norm_T1w.nii.gz', 'sub-01_acq-second_T1w.nii.gz']
    assert (
        passed['sub-01_T1w.nii.gz']
        == 'sub-01_T1w.nii.gz is another reconstruction of sub-01_acq-norm_T1w.nii.gz.'
    )


def test_two_scans_of_one_session_are_both_used(anat):
    for number in (1, 2):
        write(anat / f'sub-01_run-{number}_T1w.nii.gz', AcquisitionTime=f'10:1{number}:00')
    assert found(anat) == (['sub-01_run-1_T1w.nii.gz', 'sub-01_run-2_T1w.nii.gz'], {})


def test_the_same_time_in_another_session_is_another_scan(anat):
    for session in ('pre', 'post'):
        write(anat.parent / f'ses-{session}/anat/sub-01_ses-{session}_T1w.nii.gz', AcquisitionTime='09:00:00')
    assert len(found(anat)[0]) == 2


def test_the_uniform_image_serves_where_there_is_no_t1w(anat):
    write(anat / 'sub-01_UNIT1.nii.gz')
    used, said = found(anat)
    assert used == ['sub-01_UNIT1.nii.gz']
    assert 'is used: there is no T1w' in said['sub-01_UNIT1.nii.gz']
    write(anat / 'sub-01_T1w.nii.gz')
    assert found(anat) == (['sub-01_T1w.nii.gz'], {})


def test_a_filter_is_taken_at_its_word(anat, tmp_path):
    for name in ('acq-inv2', 'acq-mprage'):
        write(anat / f'sub-01_{name}_T1w.nii.gz')
    choice = tmp_path / 'filter.json'
    choice.write_text('{"t1w": {"acquisition": "inv2"}}')
    assert found(anat, '--bids-filter-file', str(choice)) == (['sub-01_acq-inv2_T1w.nii.gz'], {})


def test_nothing_is_said_where_no_anatomy_is_needed(anat):
    write(anat / 'sub-01_acq-inv1_T1w.nii.gz')
    used, said = found(anat, '--skip', 'functional')
    assert (used, said) == ([], {})
