"""FreeSurfer's folder of subjects: what is found there, what is said of what is not, and that it is no dataset of scans."""

import pytest

from bids_app.scans.freesurfer import find_freesurfer
from bids_app.scans.people import collect, participants
from pipelines.errors import MissingInputError

from .test_diffusion_inputs import build, dwi, found_in, problems, raw, settings_of  # noqa: F401
from .test_inputs import preprocessed

BOTH = ('--nac', 'freesurfer', '--mpfc', 'freesurfer')


@pytest.fixture
def subjects(tmp_path):
    """Return a function that makes folders of FreeSurfer with some files, and one of fsaverage."""
    root = tmp_path / 'subjects'

    def make(*folders, files=('norm.mgz', 'aseg.mgz', 'aparc+aseg.mgz')):
        for folder in (*folders, 'fsaverage'):
            (root / folder / 'mri').mkdir(parents=True)
            for name in files:
                (root / folder / 'mri' / name).write_bytes(b'content')
        return root

    return make


def test_labels_of_the_whole_brain_serve_every_region(subjects, raw):  # noqa: F811
    root = subjects('sub-01')
    found = find_freesurfer(settings_of(raw, '-d', f'freesurfer={root}'), '01')
    assert found.labels == root / 'sub-01/mri/aparc+aseg.mgz'
    assert found.brain.name == 'norm.mgz'
    assert found.uris() == ['bids:freesurfer:sub-01/mri/aparc%2Baseg.mgz']


def test_what_an_early_end_left_serves_nuclei(subjects, raw):  # noqa: F811
    root = subjects('sub-01', files=('brainmask.mgz', 'aseg.mgz'))
    found = find_freesurfer(settings_of(raw, '--nac', 'freesurfer', '-d', f'freesurfer={root}'), '01')
    assert [path.name for path in found.files()] == ['brainmask.mgz', 'aseg.mgz']
    with pytest.raises(MissingInputError, match=r'region mPFC: .*aparc\+aseg.mgz'):
        find_freesurfer(settings_of(raw, *BOTH, '-d', f'freesurfer={root}'), '01')


@pytest.mark.parametrize(
    ('folders', 'chosen', 'is_told'),
    [
        (('sub-01_ses-post', 'sub-01_ses-pre'), 'sub-01_ses-post', True),
        (('sub-01', 'sub-01_ses-pre'), 'sub-01', False),
        (('sub-01_ses-pre', 'sub-01_ses-pre.long.sub-01x'), 'sub-01_ses-pre', False),
        (('sub-01_ses-pre.long.sub-01x',), 'sub-01_ses-pre.long.sub-01x', False),
    ],
)
def test_folders_of_sessions(subjects, raw, caplog, folders, chosen, is_told):  # noqa: F811
    root = subjects(*folders)
    found = find_freesurfer(settings_of(raw, '-d', f'freesurfer={root}'), '01')
    assert found.labels.parent.parent.name == chosen
    assert ('are those of' in caplog.text) == is_told


@pytest.mark.parametrize(
    ('folders', 'files', 'said'),
    [
        (('sub-02',), ('norm.mgz', 'aseg.mgz'), 'has no folder sub-01'),
        (('sub-01',), ('norm.mgz',), r'has no aparc\+aseg.mgz or aseg.mgz'),
        (('sub-01',), ('aseg.mgz',), 'has no norm.mgz or brain.mgz or brainmask.mgz'),
    ],
)
def test_what_is_missing_is_named_with_a_way_out(subjects, raw, folders, files, said):  # noqa: F811
    root = subjects(*folders, files=files)
    with pytest.raises(MissingInputError, match=rf'{said}.* or choose another region'):
        find_freesurfer(settings_of(raw, '-d', f'freesurfer={root}'), '01')


def test_without_the_folder_the_option_is_named(raw):  # noqa: F811
    ((code, reason),) = problems(found_in(raw, *BOTH))
    assert code == 66
    assert '-d freesurfer=SUBJECTS_DIR, or choose another region' in reason


def test_raw_scans_stay_raw_beside_it(subjects, raw):  # noqa: F811
    """The folder is no output of fMRIPrep, and its subjects are no participants."""
    root = subjects('sub-01', 'sub-09')
    settings = settings_of(raw, *BOTH, '-d', f'freesurfer={root}')
    assert participants(settings) == ['01']
    found = collect(settings, '01')
    assert found.diffusion
    assert not found.diffusion.is_preprocessed
    assert found.freesurfer == found.diffusion.freesurfer
    assert set(found.freesurfer.files()) <= set(found.files())


def test_nothing_is_read_of_it_where_no_region_needs_it(raw, tmp_path):  # noqa: F811
    (tmp_path / 'empty' / 'sub-01').mkdir(parents=True)
    found = collect(settings_of(raw, '-d', f'freesurfer={tmp_path / "empty"}'), '01')
    assert found.freesurfer is None
    assert found.diffusion


def test_labels_that_may_not_be_read_are_said_so(subjects, raw, monkeypatch):  # noqa: F811
    root = subjects('sub-01')
    closed = MissingInputError('closed to this user')
    monkeypatch.setattr('bids_app.scans.freesurfer.why_unreadable', lambda path: closed)
    with pytest.raises(MissingInputError, match='closed to this user'):
        find_freesurfer(settings_of(raw, '-d', f'freesurfer={root}'), '01')


def test_without_t1w_image_there_is_no_place_for_labels(subjects, tmp_path):
    root = build(tmp_path / 'raw', {'01': {'dwi': [dwi()]}})
    words = [*BOTH, '-d', f'freesurfer={subjects("sub-01")}']
    found = found_in(root, *words)
    assert found.diffusion is None
    ((code, reason),) = problems(found)
    assert code == 66
    assert 'a region lies in the space of the T1w image' in reason


def test_the_series_of_fmriprep_have_their_own_labels(subjects, tmp_path):
    """Beside fMRIPrep's output the folder serves diffusion alone."""
    root = build(tmp_path / 'fmriprep', {'01': {'func': preprocessed()}})
    words = ['-d', f'fmriprep={root}', f'freesurfer={subjects("sub-01")}', '--nac', 'freesurfer']
    found = found_in(root, *words)
    assert found.freesurfer is None
    assert any('NAc: freesurfer needs desc-aseg_dseg' in absence.reason for absence in found.absent)
