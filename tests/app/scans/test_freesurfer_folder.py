"""FreeSurfer's folder of subjects: what is found there, what is said of what is not, and that it is no dataset of scans."""

import pytest

from bids_app.scans.absent import preprocessed_inside
from bids_app.scans.freesurfer import find_freesurfer
from bids_app.scans.people import collect, participants
from pipelines.errors import MissingInputError, ParameterError

from .test_diffusion_inputs import anatomy, build, dwi, found_in, problems, raw, series, settings_of  # noqa: F401
from .test_inputs import T1W, preprocessed

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


def test_one_person_without_labels_costs_nobody_else(subjects, tmp_path):
    scans = {'anat': [T1W], 'dwi': [dwi()]}
    root = build(tmp_path / 'raw', {'01': scans, '02': scans})
    words = [*BOTH, '-d', f'freesurfer={subjects("sub-02")}']
    lacking, whole = (found_in(root, *words, label=label) for label in ('01', '02'))
    assert lacking.is_empty
    assert 'has no folder sub-01. Run FreeSurfer for this participant' in problems(lacking)[0][1]
    assert whole.freesurfer
    assert not problems(whole)


def test_sessions_of_qsiprep_with_anatomies_of_their_own_share_the_labels(subjects, tmp_path):
    sessions = [{'session': s, 'anat': anatomy(), 'dwi': series()} for s in ('pre', 'post')]
    root = build(tmp_path / 'qsiprep', {'01': sessions})
    found = found_in(root, *BOTH, '-d', f'qsiprep={root}', f'freesurfer={subjects("sub-01")}')
    assert found.diffusion.is_between
    assert found.freesurfer.labels.name == 'aparc+aseg.mgz'


@pytest.mark.parametrize(
    ('pairs', 'needs'),
    [('mPFC', True), ('n/a', False)],
    ids=['a tract', 'no tract'],
)
def test_diffusion_needs_labels_for_tracts_alone(raw, tmp_path, pairs, needs):  # noqa: F811
    rows = [
        f'{name}\t{side}\tfreesurfer:{number}\tboth\t{pairs if name == "NAc" else "n/a"}'
        for name, numbers in (('NAc', (26, 58)), ('mPFC', (1014, 2014)))
        for side, number in zip('LR', numbers)
    ]
    table = tmp_path / 'regions.tsv'
    table.write_text('\n'.join(['name\themisphere\tsource\trole\tpairs', *rows]) + '\n')
    found = found_in(raw, '--regions', str(table))
    assert (found.diffusion is None) == needs
    assert any('SUBJECTS_DIR' in reason for _, reason in problems(found)) == needs


def test_maps_to_measure_are_not_looked_for_among_labels(subjects, raw):  # noqa: F811
    words = ['-d', f'freesurfer={subjects("sub-01")}', '--scalars', 'T1=*T1.nii.gz']
    with pytest.raises(ParameterError, match='none is given'):
        settings_of(raw, *words)


def test_preprocessed_data_inside_are_still_pointed_at(subjects, raw):  # noqa: F811
    inside = raw / 'derivatives' / 'fmriprep'
    (inside / 'sub-01').mkdir(parents=True)
    settings = settings_of(raw, '-d', f'freesurfer={subjects("sub-01")}')
    assert preprocessed_inside(settings) == [inside]


def test_what_lacks_is_looked_for_in_the_scans_alone(subjects, raw):  # noqa: F811
    """The message of no BOLD names the raw dataset, not the folder of labels."""
    found = collect(settings_of(raw, '-d', f'freesurfer={subjects("sub-01")}'), '01')
    (reason,) = [absence.reason for absence in found.absent if absence.modality == 'bold']
    assert f'no BOLD of task rest in {raw}.' in reason


def test_a_bare_path_is_named_after_its_folder(subjects, raw, tmp_path):  # noqa: F811
    root = subjects('sub-01').rename(tmp_path / 'freesurfer')
    assert settings_of(raw, '-d', str(root)).freesurfer_dir == root


@pytest.mark.parametrize(
    ('files', 'taken'),
    [
        (('brain.mgz', 'norm.mgz', 'aseg.mgz'), ['norm.mgz', 'aseg.mgz']),
        (('brainmask.mgz', 'brain.mgz', 'aseg.mgz'), ['brain.mgz', 'aseg.mgz']),
        (('brainmask.mgz', 'aseg.mgz', 'aparc+aseg.mgz'), ['brainmask.mgz', 'aparc+aseg.mgz']),
    ],
)
def test_the_most_even_brain_and_the_fullest_labels_are_taken(subjects, raw, files, taken):  # noqa: F811
    root = subjects('sub-01', files=files)
    words = ['--nac', 'freesurfer', '-d', f'freesurfer={root}']
    found = find_freesurfer(settings_of(raw, *words), '01')
    assert [path.name for path in found.files()] == taken
    assert all(path.parent == root / 'sub-01' / 'mri' for path in found.files())


def test_links_of_an_annex_without_content_are_told(subjects, raw):  # noqa: F811
    root = subjects('sub-01')
    path = root / 'sub-01' / 'mri' / 'norm.mgz'
    path.unlink()
    path.symlink_to(root / '.git' / 'annex' / 'key')
    with pytest.raises(MissingInputError, match=r'norm\.mgz'):
        find_freesurfer(settings_of(raw, '-d', f'freesurfer={root}'), '01')


def test_labels_of_other_people_are_none(subjects, raw):  # noqa: F811
    """A folder whose name only begins as that of a participant is of somebody else."""
    root = subjects('sub-011', 'sub-01b_ses-pre', 'sub-1')
    settings = settings_of(raw, '--nac', 'freesurfer', '-d', f'freesurfer={root}')
    with pytest.raises(MissingInputError, match='has no folder sub-01'):
        find_freesurfer(settings, '01')
    found = collect(settings, '01')
    assert found.freesurfer is None
    assert found.diffusion is None
    assert [code for code, _ in problems(found)] == [66]
