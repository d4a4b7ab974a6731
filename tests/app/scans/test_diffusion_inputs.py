"""What is found of diffusion: raw scans, QSIPrep's series, tables from above, labels, filters, refusals."""

import json

import nibabel as nb
import numpy as np
import pytest
from niworkflows.utils.testing import generate_bids_skeleton

from bids_app.cli import main
from bids_app.outputs.plan import of_participant, tracts_of
from bids_app.participant.run import tracked_files
from bids_app.scans.people import collect
from pipelines.simulated.diffusion import gradient_table
from tests.app.scans.test_inputs import (
    SPACE_6,
    SPACE_9,
    T1W,
    preprocessed,
    settings_of,
    write_bold,
    write_head,
)

N_DIRECTIONS = 15
PHASE = {'PhaseEncodingDirection': 'j-', 'TotalReadoutTime': 0.05}
XFM = {'mode': 'image', 'suffix': 'xfm', 'extension': '.h5'}


def write_dwi(path, table=None):
    """Write a series of eight voxels with its table."""
    bvals, bvecs = table or gradient_table(N_DIRECTIONS, [1000.0])
    path.unlink(missing_ok=True)
    nb.save(nb.Nifti1Image(np.ones((2, 2, 2, len(bvals)), np.int16), np.diag([2.0, 2, 2, 1])), path)
    stem = path.name.split('.')[0]
    np.savetxt(path.with_name(f'{stem}.bval'), bvals[None], fmt='%g')
    np.savetxt(path.with_name(f'{stem}.bvec'), bvecs.T, fmt='%.6f')


def build(root, config):
    """Write a skeleton whose series have headers and tables."""
    generate_bids_skeleton(str(root), json.loads(json.dumps(config)))
    for path in root.rglob('*_bold.nii.gz'):
        write_bold(path)
    for path in root.rglob('*_dwi.nii.gz'):
        write_dwi(path)
    for path in root.rglob('*_T1w.nii.gz'):
        write_head(path)
    return root


def dwi(**entities):
    return {**entities, 'suffix': 'dwi', 'metadata': PHASE}


def anatomy(space='ACPC', template=SPACE_9, tissues=True):
    """Return the files of QSIPrep's anatomy."""
    where = {'space': space} if space == 'ACPC' else {}
    images = [{'desc': 'preproc', 'suffix': 'T1w'}, {'desc': 'brain', 'suffix': 'mask'}, {'suffix': 'dseg'}]
    images += [{'label': t, 'suffix': 'probseg'} for t in ('GM', 'WM', 'CSF') if tissues]
    transforms = [{'from': a, 'to': b, **XFM} for a, b in ((template, space), (space, template))]
    return [*({**where, **image} for image in images), *transforms]


def series(space='ACPC', **entities):
    where = {**entities, 'space': space, 'desc': 'preproc', 'suffix': 'dwi'}
    return [where, {**entities, 'space': space, 'desc': 'brain', 'suffix': 'mask'}]


def found_in(root, *words, derivatives=None, label='01'):
    return collect(settings_of(root, *words, derivatives=derivatives), label)


def problems(found):
    return [(absence.exit_code, absence.reason) for absence in found.absent if absence.modality == 'dwi']


def scan_names(found):
    return [[scan.dwi.name for scan in session.scans] for session in found.diffusion.sessions]


@pytest.fixture
def raw(tmp_path):
    """Return two sessions with a T1w image and a pair of scans of opposite phase encoding each."""
    scans = [dwi(dir='AP'), {**dwi(dir='PA'), 'metadata': {**PHASE, 'PhaseEncodingDirection': 'j'}}]
    return build(
        tmp_path / 'raw', {'01': [{'session': s, 'anat': [T1W], 'dwi': scans} for s in ('pre', 'post')]}
    )


@pytest.fixture
def qsiprep(tmp_path):
    """Return two sessions of one person as QSIPrep leaves them, the anatomy at the level of the person."""
    sessions = [{'session': s, 'dwi': series()} for s in ('pre', 'post')]
    return build(tmp_path / 'qsiprep', {'01': [{'session': None, 'anat': anatomy()}, *sessions]})


# --- raw ---


def test_scans_of_a_session_are_taken_together(raw):
    found = found_in(raw)
    assert scan_names(found) == [
        [f'sub-01_ses-{s}_dir-{d}_dwi.nii.gz' for d in ('AP', 'PA')] for s in ('post', 'pre')
    ]
    assert [session.entities for session in found.diffusion.sessions] == [
        {'sub': '01', 'ses': 'post'},
        {'sub': '01', 'ses': 'pre'},
    ]
    assert [(s.direction, s.readout_time) for s in found.diffusion.sessions[0].scans] == [
        ('j-', 0.05),
        ('j', 0.05),
    ]
    assert found.diffusion.space == 'T1w'
    assert len(found.t1w) == 2
    assert not problems(found)


def test_runs_and_acquisitions_name_results_by_what_they_share(tmp_path):
    scans = [dwi(acq='b1000', run=1), dwi(acq='b1000', run=2)]
    (session,) = found_in(build(tmp_path / 'raw', {'01': {'dwi': scans}})).diffusion.sessions
    assert session.entities == {'sub': '01', 'acq': 'b1000'}
    assert len(session.scans) == 2
    assert session.label == 'n/a'


@pytest.mark.parametrize(
    ('words', 'expected'),
    [
        (['--session-label', 'pre'], [['pre_dir-AP', 'pre_dir-PA']]),
        (['--bids-filter-file', '{"dwi": {"direction": "AP"}}'], [['post_dir-AP'], ['pre_dir-AP']]),
        (
            ['--bids-filter-file', '{"dwi": {"direction": "PA"}}', '--session-label', 'ses-post'],
            [['post_dir-PA']],
        ),
    ],
)
def test_labels_and_filters_choose_scans(raw, tmp_path, words, expected):
    if '--bids-filter-file' in words:
        place = words.index('--bids-filter-file') + 1
        (tmp_path / 'filter.json').write_text(words[place])
        words = [*words[:place], str(tmp_path / 'filter.json'), *words[place + 1 :]]
    assert scan_names(found_in(raw, *words)) == [
        [f'sub-01_ses-{name}_dwi.nii.gz' for name in names] for names in expected
    ]


def test_diffusion_can_be_left_out(raw):
    found = found_in(raw, '--skip', 'diffusion')
    assert found.diffusion is None
    assert found.t1w == []
    ((code, reason),) = problems(found)
    assert code is None
    assert '--skip diffusion' in reason


def test_tables_are_inherited_from_the_root(raw):
    for path in [*raw.rglob('*.bval'), *raw.rglob('*.bvec')]:
        path.rename(raw / f'dwi{path.suffix}')
    found = found_in(raw)
    scans = [scan for session in found.diffusion.sessions for scan in session.scans]
    assert {scan.bval for scan in scans} == {raw / 'dwi.bval'}
    assert {scan.bvec for scan in scans} == {raw / 'dwi.bvec'}
    assert {raw / 'dwi.bval', raw / 'dwi.bvec'} < set(tracked_files(settings_of(raw), found))


def test_a_nearer_table_wins(raw):
    bvals = gradient_table(N_DIRECTIONS, [700.0])[0]
    np.savetxt(raw / 'dwi.bval', bvals[None], fmt='%g')
    own = next(raw.rglob('*ses-post_dir-AP_dwi.bval'))
    found = found_in(raw)
    assert found.diffusion.sessions[0].scans[0].bval == own


@pytest.mark.parametrize('value', [None, 'AP', ''])
def test_an_unknown_phase_encoding_is_said_and_the_scan_kept(raw, caplog, value):
    for path in raw.rglob('*_dwi.json'):
        path.write_text(json.dumps({'PhaseEncodingDirection': value} if value is not None else {}))
    scan = found_in(raw).diffusion.sessions[0].scans[0]
    assert (scan.direction, scan.readout_time) == ('', 0.0)
    assert f'{scan.dwi.name}: PhaseEncodingDirection' in caplog.text


def test_the_fallback_readout_time_serves_scans_without_one(raw):
    for path in raw.rglob('*ses-post*_dwi.json'):
        path.write_text('{"PhaseEncodingDirection": "j"}')
    post, pre = found_in(raw, '--fallback-total-readout-time', '0.03').diffusion.sessions
    assert [scan.readout_time for scan in post.scans] == [0.03, 0.03]
    assert [scan.readout_time for scan in pre.scans] == [0.05, 0.05]


def test_without_t1w_the_space_is_the_persons_own(raw):
    for path in raw.rglob('*_T1w.*'):
        path.unlink()
    found = found_in(raw, '--output-space', SPACE_9)
    assert (found.diffusion.space, found.diffusion.template) == ('individual', SPACE_9)
    names = {plan.path.name for plan in of_participant(settings_of(raw), found)}
    assert 'sub-01_ses-pre_space-individual_model-tensor_param-fa_dwimap.nii.gz' in names
    assert 'sub-01_space-individual_bundle-NAcMPFCL_streamlines.trk' in names
    assert not any('from-dwiref' in name for name in names)


def test_phase_images_are_no_scans(tmp_path):
    root = build(tmp_path / 'raw', {'01': {'dwi': [dwi(part='mag'), dwi(part='phase')]}})
    assert scan_names(found_in(root)) == [['sub-01_part-mag_dwi.nii.gz']]


def test_raw_scans_beside_bold_of_fmriprep(raw, tmp_path):
    """BOLD as fMRIPrep left it, diffusion from the raw dataset with its own T1w images."""
    func = [{'session': s, 'func': preprocessed([SPACE_6])} for s in ('pre', 'post')]
    fmriprep = build(tmp_path / 'fmriprep', {'01': func})
    found = found_in(raw, derivatives=fmriprep)
    assert len(found.runs) == 2
    assert len(found.diffusion.sessions) == 2
    assert found.diffusion.sessions[0].uris()[0].startswith('bids:raw:sub-01/ses-post/dwi/')
    assert len(found.t1w) == 2
    assert not problems(found)


def test_nothing_of_diffusion_names_where_it_was_looked_for(tmp_path):
    root = build(tmp_path / 'raw', {'01': {'anat': [T1W]}})
    ((code, reason),) = problems(found_in(root))
    assert code is None
    assert f'no diffusion series in {root}' in reason
    ((_, reason),) = problems(found_in(root, derivatives=root))
    assert f'no diffusion series in {root}.' in reason  # once, though it was given twice


def test_one_tract_per_person_or_one_per_session(raw):
    found = found_in(raw).diffusion
    ((entities, members),) = tracts_of(settings_of(raw), '01', found)
    assert (entities, len(members)) == ({'sub': '01'}, 2)
    each = tracts_of(settings_of(raw, '--tract', 'independent'), '01', found)
    assert [entities.get('ses') for entities, _ in each] == ['post', 'pre']
    assert [len(members) for _, members in each] == [1, 1]


def test_names_of_results_differ(raw):
    """No two files of a participant share a name, whatever is asked for."""
    for words in ([], ['--tract', 'independent', '--write-tck']):
        settings = settings_of(raw, *words)
        paths = [plan.path for plan in of_participant(settings, collect(settings, '01'))]
        assert len(paths) == len(set(paths))


def test_a_filter_that_leaves_nothing_is_a_selection_error(raw, tmp_path, capsys):
    (tmp_path / 'filter.json').write_text('{"dwi": {"acquisition": "none"}}')
    words = ['--bids-filter-file', str(tmp_path / 'filter.json'), '-w', str(tmp_path / 'work')]
    assert main([str(raw), str(tmp_path / 'out'), 'participant', *words]) == 18
    assert 'filters leave none' in capsys.readouterr().err


# --- QSIPrep ---


def test_sessions_of_qsiprep(qsiprep):
    found = found_in(qsiprep, derivatives=qsiprep)
    stem = 'space-ACPC_desc-preproc_dwi.nii.gz'
    assert scan_names(found) == [[f'sub-01_ses-post_{stem}'], [f'sub-01_ses-pre_{stem}']]
    assert found.diffusion.is_preprocessed
    assert (found.diffusion.space, found.diffusion.template) == ('ACPC', SPACE_9)
    scan = found.diffusion.sessions[0].scans[0]
    assert scan.mask.name == 'sub-01_ses-post_space-ACPC_desc-brain_mask.nii.gz'
    made = found.diffusion.anatomy
    assert made.t1w_dseg.name == 'sub-01_space-ACPC_dseg.nii.gz'
    assert made.has_tissue
    # points of the person to the template: what brings the template's image to the person
    assert made.std2anat_xfm.name == f'sub-01_from-{SPACE_9}_to-ACPC_mode-image_xfm.h5'
    assert set(made.files()) | set(scan.files()) <= set(found.files())
    assert not problems(found)
    assert found.t1w == []


def test_session_label_chooses_a_session_of_qsiprep(qsiprep):
    found = found_in(qsiprep, '--session-label', 'pre', derivatives=qsiprep)
    assert [session.label for session in found.diffusion.sessions] == ['pre']


def test_older_qsiprep_in_the_space_of_the_t1w(tmp_path):
    """Before 1.0 the anatomy's names have no space."""
    person = {'anat': anatomy('T1w', SPACE_9), 'dwi': series('T1w')}
    root = build(tmp_path / 'qsiprep', {'01': person})
    found = found_in(root, derivatives=root)
    assert found.diffusion.space == 'T1w'
    assert found.diffusion.anatomy.t1w_preproc.name == 'sub-01_desc-preproc_T1w.nii.gz'
    assert found.diffusion.anatomy.std2anat_xfm.name == f'sub-01_from-{SPACE_9}_to-T1w_mode-image_xfm.h5'


def test_segmentations_of_freesurfer_are_not_the_tissues(qsiprep):
    (qsiprep / 'sub-01/anat/sub-01_space-ACPC_desc-aseg_dseg.nii.gz').touch()
    made = found_in(qsiprep, derivatives=qsiprep).diffusion.anatomy
    assert made.t1w_dseg.name == 'sub-01_space-ACPC_dseg.nii.gz'


def test_anatomy_of_a_session_and_no_tissue_maps(tmp_path):
    person = {'session': 'pre', 'anat': anatomy(tissues=False), 'dwi': series()}
    root = build(tmp_path / 'qsiprep', {'01': [person]})
    made = found_in(root, derivatives=root).diffusion.anatomy
    assert made.t1w_mask.parent.parent.name == 'ses-pre'
    assert not made.has_tissue


@pytest.mark.parametrize('end', ['desc-preproc_T1w', 'desc-brain_mask', 'dseg', 'to-ACPC_mode-image_xfm'])
def test_missing_anatomy_is_named_with_a_remedy(qsiprep, end):
    for path in (qsiprep / 'sub-01/anat').glob(f'*{end}.*'):
        path.unlink()
    found = found_in(qsiprep, derivatives=qsiprep)
    assert found.diffusion is None
    ((code, reason),) = problems(found)
    assert code == 66
    for word in (str(qsiprep / 'sub-01/anat'), 'to-ACPC_mode-image_xfm', 'Fetch it', 'run QSIPrep'):
        assert word in reason


def test_a_transform_from_another_template_does_not_serve_the_asked_space(qsiprep):
    found = found_in(qsiprep, '--output-space', SPACE_6, derivatives=qsiprep)
    ((code, reason),) = problems(found)
    assert code == 66
    assert f'from-{SPACE_6}_to-ACPC' in reason


def test_a_missing_mask_stops_its_session_only(qsiprep):
    next(qsiprep.rglob('*ses-pre*_mask.nii.gz')).unlink()
    found = found_in(qsiprep, derivatives=qsiprep)
    assert [session.label for session in found.diffusion.sessions] == ['post']
    ((code, reason),) = problems(found)
    assert code == 66
    for word in ('sub-01_ses-pre_space-ACPC_desc-brain_mask.nii.gz', 'Fetch it'):
        assert word in reason


def test_series_in_an_unknown_space_name_what_is_needed(tmp_path):
    person = {'anat': anatomy(), 'dwi': series(SPACE_9)}
    root = build(tmp_path / 'qsiprep', {'01': person})
    ((code, reason),) = problems(found_in(root, derivatives=root))
    assert code == 66
    assert f'space {SPACE_9}; ACPC or T1w is needed' in reason


def test_two_series_of_one_session_are_refused_unless_one_is_chosen(tmp_path):
    person = {'anat': anatomy(), 'dwi': [*series(run=1), *series(run=2)]}
    root = build(tmp_path / 'qsiprep', {'01': person})
    found = found_in(root, derivatives=root)
    assert found.diffusion is None
    assert [code for code, _ in problems(found)] == [66]
    for word in ('run-1_space-ACPC', 'run-2_space-ACPC', '--bids-filter-file', '{"dwi": '):
        assert word in problems(found)[0][1]
    (tmp_path / 'filter.json').write_text('{"dwi": {"run": 2}}')
    found = found_in(root, '--bids-filter-file', str(tmp_path / 'filter.json'), derivatives=root)
    assert scan_names(found) == [['sub-01_run-2_space-ACPC_desc-preproc_dwi.nii.gz']]


def test_derivatives_win_over_raw_scans(raw, qsiprep):
    found = found_in(raw, derivatives=qsiprep)
    assert found.diffusion.is_preprocessed
