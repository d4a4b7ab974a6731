"""What is found of a participant: layouts of raw BIDS and of fMRIPrep, labels, filters, fallbacks, refusals."""

import json
import logging

import nibabel as nb
import numpy as np
import pytest
from niworkflows.utils.testing import generate_bids_skeleton

from bids_app.cli import main, make_settings
from bids_app.folders import check_folders
from bids_app.scans.people import collect, participants
from bids_app.scans.query import sidecar
from pipelines.errors import DatasetError, ParameterError, SelectionError

SPACE_6, SPACE_9 = 'MNI152NLin6Asym', 'MNI152NLin2009cAsym'
T_R = {'RepetitionTime': 2.0}


def write_bold(path, t_r=2.0):
    image = nb.Nifti1Image(np.ones((2, 2, 2, 4), np.int16), np.eye(4))
    image.header.set_zooms((2, 2, 2, t_r))
    image.header.set_xyzt_units('mm', 'sec')
    path.unlink(missing_ok=True)
    nb.save(image, path)


def build(root, config):
    """Write a skeleton whose BOLD files have a header."""
    # it empties the dictionaries as it goes, so none may stand in two places
    generate_bids_skeleton(str(root), json.loads(json.dumps(config)))
    for path in root.rglob('*_bold.nii.gz'):
        write_bold(path)
    for path in root.rglob('*_T1w.nii.gz'):
        write_head(path)
    return root


def write_head(path):
    """Write an image as large as a head."""
    path.unlink(missing_ok=True)
    nb.save(nb.Nifti1Image(np.ones((2, 2, 2), np.int16), np.diag([80, 80, 80, 1])), path)


def bold(task='rest', **entities):
    return {'task': task, **entities, 'suffix': 'bold', 'metadata': T_R}


T1W = {'suffix': 'T1w'}
CONFOUNDS = [{'desc': 'confounds', 'suffix': 'timeseries', 'extension': ext} for ext in ('.tsv', '.json')]


def preprocessed(spaces=(SPACE_6,), task='rest', **entities):
    """Return the files of one run in fMRIPrep's layout."""
    files = [{'task': task, **entities, **table} for table in CONFOUNDS]
    for space in spaces:
        where = {'task': task, **entities, **({'space': space, 'res': 2} if space else {})}
        files.append({**where, 'desc': 'preproc', 'suffix': 'bold', 'metadata': T_R})
        files.append({**where, 'desc': 'brain', 'suffix': 'mask'})
    return files


def settings_of(root, *words, derivatives=None):
    """Return settings for raw data in ``root``, or for fMRIPrep output in ``derivatives``."""
    given = ['-d', f'fmriprep={derivatives}'] if derivatives else []
    folder = root.parent
    return make_settings([
        str(root), str(folder / 'out'), 'participant', '-w', str(folder / 'work'), *given, *words,
    ])  # fmt: skip


def names(found):
    return [run.bold.name for run in found.runs]


def bold_problems(found):
    return [(absence.exit_code, absence.reason) for absence in found.absent if absence.modality == 'bold']


@pytest.fixture
def raw(tmp_path):
    """Return a raw dataset: two participants, sessions pre and post, rest in two runs and a task."""
    func = [bold(run=1), bold(run=2), bold('nback')]
    sessions = [{'session': ses, 'anat': [T1W], 'func': func} for ses in ('pre', 'post')]
    return build(tmp_path / 'raw', {'01': sessions, '02': [{'session': 'pre', 'anat': [T1W], 'func': func}]})


@pytest.fixture
def fmriprep(tmp_path):
    """Return derivatives of one participant, two sessions, each in three spaces."""
    spaces = [SPACE_9, 'T1w', SPACE_6]
    sessions = [{'session': ses, 'func': preprocessed(spaces)} for ses in ('pre', 'post')]
    return build(tmp_path / 'fmriprep', {'01': sessions})


# --- raw ---


def test_sessions_and_runs_of_the_default_task(raw):
    found = collect(settings_of(raw), '01')
    assert names(found) == [
        f'sub-01_ses-{ses}_task-rest_run-{run}_bold.nii.gz' for ses in ('post', 'pre') for run in (1, 2)
    ]
    assert [run.t_r for run in found.runs] == [2.0] * 4
    assert {run.space for run in found.runs} == {SPACE_6}
    assert not bold_problems(found)
    assert [path.name for path in found.t1w] == ['sub-01_ses-post_T1w.nii.gz', 'sub-01_ses-pre_T1w.nii.gz']


@pytest.mark.parametrize(
    ('words', 'n'),
    [
        (['--session-label', 'ses-post'], 2),
        (['--session-id', 'pre', 'ses-post'], 4),
        (['--task-id', 'task-nback'], 2),
        (['--task-id', 'rest', 'nback'], 6),
        (['--run', 'run-02'], 2),
        (['--run', '1', '--session-label', 'pre'], 1),
    ],
)
def test_labels_select_with_and_without_prefix(raw, words, n):
    found = collect(settings_of(raw, *words), '01')
    assert len(found.runs) == n
    assert not bold_problems(found)


@pytest.mark.parametrize('task', ['rest', 'resting', 'restingstate'])
def test_spellings_of_rest(tmp_path, task):
    root = build(tmp_path / 'raw', {'01': {'anat': [T1W], 'func': [bold(task)]}})
    assert len(collect(settings_of(root), '01').runs) == 1


def test_participants_come_from_folders(raw):
    assert participants(settings_of(raw)) == ['01', '02']
    assert participants(settings_of(raw, '--participant-label', 'sub-02')) == ['02']
    # a cluster hands over one participant with its own row and nothing else
    (raw / 'participants.tsv').write_text('participant_id\nsub-02\n')
    (raw / 'dataset_description.json').unlink()
    assert len(collect(settings_of(raw, '--participant-label', '02'), '02').runs) == 2


def test_unknown_labels_name_those_there(raw):
    with pytest.raises(SelectionError, match='03: not in the dataset, which has 01, 02'):
        participants(settings_of(raw, '--participant-label', '03'))
    with pytest.raises(SelectionError, match=r'visit9: .* which have post, pre') as stop:
        participants(settings_of(raw, '--session-label', 'pre', 'visit9'))
    assert stop.value.exit_code == 18


def test_sessions_are_those_of_the_chosen_participants(raw):
    with pytest.raises(SelectionError, match=r'which have pre$'):
        participants(settings_of(raw, '--participant-label', '02', '--session-label', 'post'))


def test_another_participant_whose_label_begins_alike_is_left_out(tmp_path):
    data = {'anat': [T1W], 'func': [bold()]}
    root = build(tmp_path / 'raw', {'1': data, '10': data, '100': data})
    assert names(collect(settings_of(root), '10')) == ['sub-10_task-rest_bold.nii.gz']


def test_t1w_of_the_run_is_that_of_its_session(raw):
    found = collect(settings_of(raw), '01')
    for run in found.runs:
        assert f'ses-{run.entities["ses"]}_' in found.t1w[found.t1w_of(run.entities)].name


def test_t1w_of_another_session_is_used_and_said(raw, caplog):
    next(raw.glob('sub-01/ses-post/anat/*T1w*')).unlink()
    with caplog.at_level(logging.WARNING):
        found = collect(settings_of(raw, '--session-label', 'post'), '01')
    assert [path.name for path in found.t1w] == ['sub-01_ses-pre_T1w.nii.gz']
    assert len(found.runs) == 2
    assert 'no T1w in its session' in caplog.text


def test_t1w_at_the_level_of_the_participant_serves_every_session(raw):
    for path in raw.glob('sub-01/ses-*/anat/*'):
        path.unlink()
    (raw / 'sub-01' / 'anat').mkdir()
    write_head(raw / 'sub-01' / 'anat' / 'sub-01_T1w.nii.gz')
    found = collect(settings_of(raw, '--session-label', 'post'), '01')
    assert [path.name for path in found.t1w] == ['sub-01_T1w.nii.gz']
    assert found.t1w_of(found.runs[0].entities) == 0


def test_phase_images_are_no_runs(tmp_path):
    func = [bold(part='mag'), bold(part='phase')]
    root = build(tmp_path / 'raw', {'01': {'anat': [T1W], 'func': func}})
    found = collect(settings_of(root), '01')
    assert names(found) == ['sub-01_task-rest_part-mag_bold.nii.gz']
    assert not bold_problems(found)


def _with_times(root, *times):
    for path, time in zip(sorted((root / 'sub-01/func').glob('*_bold.nii.gz')), times):
        sidecar = path.with_name(path.name.replace('.nii.gz', '.json'))
        known = json.loads(sidecar.read_text()) if sidecar.exists() else {}
        sidecar.write_text(json.dumps({'RepetitionTime': 2.0, **known, 'EchoTime': time}))


def _echoes(tmp_path, *numbers):
    return build(tmp_path / 'raw', {'01': {'anat': [T1W], 'func': [bold(echo=n) for n in numbers]}})


def test_echoes_are_one_run_in_the_order_of_their_times(tmp_path):
    root = _echoes(tmp_path, 1, 2, 3)
    _with_times(root, 0.044, 0.012, 0.028)
    found = collect(settings_of(root), '01')
    assert not bold_problems(found)
    (run,) = found.runs
    assert [path.name[-18:-12] for path in run.echoes] == ['echo-2', 'echo-3', 'echo-1']
    assert run.echo_times == (0.012, 0.028, 0.044)
    assert run.bold == run.echoes[0]
    assert 'echo' not in run.entities
    assert {f'bids:raw:{path.relative_to(root).as_posix()}' for path in run.echoes} == set(run.uris())


def test_one_echo_may_be_chosen(tmp_path):
    root = _echoes(tmp_path, 1, 2, 3)
    choice = tmp_path / 'filter.json'
    choice.write_text('{"bold": {"echo": 2}}')
    found = collect(settings_of(root, '--bids-filter-file', str(choice)), '01')
    assert names(found) == ['sub-01_task-rest_echo-2_bold.nii.gz']
    assert found.runs[0].echoes == ()
    assert found.runs[0].entities['echo'] == '2'


@pytest.mark.parametrize(
    ('times', 'code', 'says'),
    [
        ((0.012, None, 0.044), 65, 'EchoTime None is no time in seconds'),
        ((12, 28, 44), 65, 'EchoTime 12 is no time in seconds'),
        ((0.012, '0.028', 0.044), 65, "EchoTime '0.028' is no time"),
        ((0.012, 0.028, 0.028), 65, 'two have one EchoTime'),
    ],
)
def test_echoes_whose_times_are_not_known_are_refused(tmp_path, times, code, says):
    root = _echoes(tmp_path, 1, 2, 3)
    _with_times(root, *times)
    found = collect(settings_of(root), '01')
    assert not found.runs
    assert bold_problems(found)[0][0] == code
    assert says in bold_problems(found)[0][1]


def test_one_echo_alone_is_told_to_miss_the_others(tmp_path):
    found = collect(settings_of(_echoes(tmp_path, 2)), '01')
    code, reason = bold_problems(found)[0]
    assert code == 66
    assert 'is one of several echoes, and the others are not here' in reason
    assert '{"bold": {"echo": 2}}' in reason


@pytest.mark.parametrize(
    ('filters', 'expected'),
    [
        ({'session': 'pre'}, ['ses-pre_task-rest_acq-fast', 'ses-pre_task-rest']),
        ({'acquisition': None}, ['ses-post_task-rest', 'ses-pre_task-rest', 'task-rest']),
        ({'acquisition': '*'}, ['ses-post_task-rest_acq-fast', 'ses-pre_task-rest_acq-fast']),
        ({'session': ['pre', 'post'], 'acquisition': None}, ['ses-post_task-rest', 'ses-pre_task-rest']),
        ({'session': ['pre', None], 'acquisition': None}, ['ses-pre_task-rest', 'task-rest']),
        ({'session': None}, ['task-rest']),
        ({'task': 'nback'}, ['ses-post_task-nback', 'ses-pre_task-nback']),
    ],
)
def test_filters_in_the_form_of_fmriprep(tmp_path, filters, expected):
    func = [bold(), bold(acq='fast'), bold('nback')]
    sessions = [{'session': ses, 'func': func} for ses in ('pre', 'post')]
    root = build(tmp_path / 'raw', {'01': [*sessions, {'session': None, 'anat': [T1W], 'func': [bold()]}]})
    (tmp_path / 'filter.json').write_text(json.dumps({'bold': filters, 't1w': {'acquisition': None}}))
    found = collect(settings_of(root, '--bids-filter-file', str(tmp_path / 'filter.json')), '01')
    assert sorted(names(found)) == sorted(f'sub-01_{name}_bold.nii.gz' for name in expected)


def test_a_filter_by_an_unknown_entity_is_a_usage_error(raw, tmp_path, capsys):
    (tmp_path / 'filter.json').write_text('{"bold": {"colour": "red"}}')
    words = ['--bids-filter-file', str(tmp_path / 'filter.json')]
    assert main([str(raw), str(tmp_path / 'out'), 'participant', '-w', str(tmp_path / 'work'), *words]) == 2
    message = capsys.readouterr().err
    assert 'colour' in message
    assert '--bids-filter-file' in message
    assert 'Traceback' not in message


def test_filters_that_select_nothing_have_their_code(raw, tmp_path, capsys):
    (tmp_path / 'filter.json').write_text('{"bold": {"acquisition": "slow"}}')
    words = ['--bids-filter-file', str(tmp_path / 'filter.json')]
    assert main([str(raw), str(tmp_path / 'out'), 'participant', '-w', str(tmp_path / 'work'), *words]) == 18
    assert 'filters' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    ('words', 'says'), [(['--run', 'one'], '--run one'), (['--bids-filter-file', '{file}'], '"bold" holds 5')]
)
def test_malformed_choices_are_usage_errors(raw, tmp_path, words, says):
    (tmp_path / 'filter.json').write_text('{"bold": 5}')
    with pytest.raises(ParameterError, match=says):
        settings_of(raw, *(word.format(file=tmp_path / 'filter.json') for word in words))


# --- metadata ---


def test_nearer_metadata_win(raw):
    files = {
        'task-rest_bold.json': {'RepetitionTime': 9.0, 'TaskName': 'top', 'EchoTime': 0.03},
        'sub-01/ses-pre/sub-01_ses-pre_task-rest_bold.json': {'RepetitionTime': 2.0, 'TaskName': 'session'},
        'task-nback_bold.json': {'TaskName': 'other task'},
        'sub-01/ses-pre/sub-01_ses-pre_run-2_bold.json': {'TaskName': 'other run'},
    }
    for name, content in files.items():
        (raw / name).write_text(json.dumps(content))
    path = raw / 'sub-01/ses-pre/func/sub-01_ses-pre_task-rest_run-1_bold.nii.gz'
    path.with_name('sub-01_ses-pre_task-rest_run-1_bold.json').unlink()
    assert sidecar(path, raw) == {'RepetitionTime': 2.0, 'TaskName': 'session', 'EchoTime': 0.03}
    found = collect(settings_of(raw, '--run', '1', '--session-label', 'pre'), '01')
    assert [run.t_r for run in found.runs] == [2.0]


def test_a_header_that_contradicts_the_sidecar_names_both(raw):
    bad = raw / 'sub-01/ses-pre/func/sub-01_ses-pre_task-rest_run-1_bold.nii.gz'
    write_bold(bad, t_r=3.0)
    found = collect(settings_of(raw), '01')
    assert len(found.runs) == 3
    ((code, reason),) = bold_problems(found)
    assert code == 65
    for word in (str(bad), '3 s in its header', 'says 2 s', 'Correct'):
        assert word in reason


def test_a_header_without_a_time_is_no_contradiction(raw):
    write_bold(raw / 'sub-01/ses-pre/func/sub-01_ses-pre_task-rest_run-1_bold.nii.gz', t_r=0)
    assert len(collect(settings_of(raw), '01').runs) == 4


@pytest.mark.parametrize('text', ['{"RepetitionTime": ', '[2.0]', '\x93\xff'])
def test_a_broken_sidecar_stops_its_run_only(raw, text):
    bad = raw / 'sub-01/ses-pre/func/sub-01_ses-pre_task-rest_run-1_bold.json'
    bad.write_text(text, encoding='latin-1')
    found = collect(settings_of(raw), '01')
    assert len(found.runs) == 3
    ((code, reason),) = bold_problems(found)
    assert code == 65
    assert str(bad) in reason


# --- fMRIPrep ---


def test_the_preferred_space_of_every_session(fmriprep):
    found = collect(settings_of(fmriprep, derivatives=fmriprep), '01')
    assert [run.space for run in found.runs] == [SPACE_6] * 2
    assert [run.res for run in found.runs] == ['2', '2']
    run = found.runs[0]
    stem = 'sub-01_ses-post_task-rest'
    assert run.bold.name == f'{stem}_space-{SPACE_6}_res-2_desc-preproc_bold.nii.gz'
    assert run.preprocessed.mask.name == f'{stem}_space-{SPACE_6}_res-2_desc-brain_mask.nii.gz'
    assert run.preprocessed.confounds.name == f'{stem}_desc-confounds_timeseries.tsv'
    assert run.entities == {'sub': '01', 'ses': 'post', 'task': 'rest'}
    assert run.uris()[0].startswith('bids:fmriprep:sub-01/ses-post/func/')
    assert found.t1w == []


def test_the_asked_space_is_taken(fmriprep):
    settings = settings_of(fmriprep, '--output-space', SPACE_9, derivatives=fmriprep)
    assert [run.space for run in collect(settings, '01').runs] == [SPACE_9] * 2


def test_the_second_space_serves_where_the_first_is_absent(tmp_path):
    root = build(tmp_path / 'fmriprep', {'01': {'func': preprocessed([None, 'T1w', SPACE_9])}})
    assert [run.space for run in collect(settings_of(root, derivatives=root), '01').runs] == [SPACE_9]


def test_native_space_alone_says_what_to_run(tmp_path):
    root = build(tmp_path / 'fmriprep', {'01': {'func': preprocessed([None, 'T1w'])}})
    found = collect(settings_of(root, derivatives=root), '01')
    ((code, reason),) = bold_problems(found)
    assert code == 66
    assert 'T1w, native' in reason
    assert f'--output-spaces {SPACE_6}' in reason


def test_single_echoes_beside_the_combined_series_are_no_runs(tmp_path):
    """FMRIPrep with --me-output-echos writes each echo, in native space only."""
    echoes = [bold(echo=n, desc='preproc') for n in (1, 2, 3)]
    root = build(tmp_path / 'fmriprep', {'01': {'func': [*preprocessed(), *echoes]}})
    found = collect(settings_of(root, derivatives=root), '01')
    assert len(found.runs) == 1
    assert not bold_problems(found)


def test_older_names_of_confounds(fmriprep):
    for path in fmriprep.rglob('*_timeseries.*'):
        path.rename(path.with_name(path.name.replace('timeseries', 'regressors')))
    found = collect(settings_of(fmriprep, derivatives=fmriprep), '01')
    assert [run.preprocessed.confounds.name[-14:] for run in found.runs] == ['regressors.tsv'] * 2


@pytest.mark.parametrize('content', ['{"Name": "fMRIPrep"}', '{"Name": "x", "BIDSVersion": "1.1.1"}'])
def test_an_old_description_does_not_stop(fmriprep, content):
    (fmriprep / 'dataset_description.json').write_text(content)
    assert len(collect(settings_of(fmriprep, derivatives=fmriprep), '01').runs) == 2


def test_a_missing_description_is_a_warning(fmriprep, caplog):
    (fmriprep / 'dataset_description.json').unlink()
    settings = settings_of(fmriprep, derivatives=fmriprep)
    check_folders(settings)
    assert 'no dataset_description.json' in caplog.text
    assert len(collect(settings, '01').runs) == 2


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        ('no json', ' is no valid JSON'), ('[' * 100_000, ' is no valid JSON'), ('null', ' holds no JSON object but None'),
        ('{"GeneratedBy": "fMRIPrep"}', ': GeneratedBy is fMRIPrep, and a list of objects is needed'),
        ('{"GeneratedBy": ["fMRIPrep"]}', ': GeneratedBy is '), ('{"PipelineDescription": []}', ': PipelineDescription is '),
    ],
)  # fmt: skip
def test_a_damaged_description_is_named(fmriprep, content, said):
    (fmriprep / 'dataset_description.json').write_text(content)
    with pytest.raises(DatasetError, match=rf'dataset_description\.json{said}'):
        collect(settings_of(fmriprep, derivatives=fmriprep), '01')


def test_preprocessed_participants_without_raw_data(raw, tmp_path):
    """A cluster hands over the derivatives of one participant beside the raw data of all."""
    root = build(tmp_path / 'fmriprep', {'09': {'func': preprocessed()}})
    assert participants(settings_of(raw, derivatives=root)) == ['01', '02', '09']
    found = collect(settings_of(raw, derivatives=root), '01')
    assert not found.runs
    ((code, reason),) = bold_problems(found)
    assert code is None
    assert str(root) in reason


def test_preprocessed_data_as_the_dataset_itself_says_how(fmriprep):
    found = collect(settings_of(fmriprep), '01')
    ((_, reason),) = bold_problems(found)
    assert f'--derivatives fmriprep={fmriprep}' in reason


def test_a_named_task_that_is_absent_counts_beside_one_that_is_there(fmriprep):
    found = collect(settings_of(fmriprep, '--task-id', 'rest', 'nback', derivatives=fmriprep), '01')
    assert len(found.runs) == 2
    ((code, reason),) = bold_problems(found)
    assert code == 66
    assert 'nback' in reason


SEGMENTATION = [
    {'desc': 'aseg', 'suffix': 'dseg'},
    {'desc': 'aparcaseg', 'suffix': 'dseg'},
    {'from': 'T1w', 'to': SPACE_6, 'mode': 'image', 'suffix': 'xfm', 'extension': '.h5'},
    {'from': 'T1w', 'to': SPACE_9, 'mode': 'image', 'suffix': 'xfm', 'extension': '.h5'},
]


@pytest.mark.parametrize(
    ('places', 'expected'),
    [
        (['pre', 'post', None], 'sub-01/ses-post/anat/sub-01_ses-post_desc-aseg_dseg.nii.gz'),
        (['pre', None], 'sub-01/anat/sub-01_desc-aseg_dseg.nii.gz'),
        (['pre'], 'sub-01/ses-pre/anat/sub-01_ses-pre_desc-aseg_dseg.nii.gz'),
        ([], None),
    ],
)
def test_segmentation_of_session_participant_or_another_session(tmp_path, places, expected):
    func = {'post': preprocessed(), 'pre': [], None: []}
    sessions = [
        {'session': ses, 'anat': SEGMENTATION if ses in places else [], 'func': func[ses]}
        for ses in ('pre', 'post', None)
    ]
    root = build(tmp_path / 'fmriprep', {'01': sessions})
    settings = settings_of(root, '--nac', 'freesurfer', derivatives=root)
    found = collect(settings, '01')
    if expected is None:
        ((code, reason),) = bold_problems(found)
        assert code == 66
        assert 'NAc: freesurfer needs desc-aseg_dseg' in reason
        return
    (run,) = found.runs
    assert run.segmentation.aseg == root / expected
    assert run.segmentation.anat2std_xfm.name.endswith(f'from-T1w_to-{SPACE_6}_mode-image_xfm.h5')
    assert run.segmentation.aseg in run.files()


def test_labels_on_the_grid_of_the_series_serve_where_the_anatomy_has_none(tmp_path):
    labels = {'task': 'rest', 'space': SPACE_6, 'res': 2, 'desc': 'aseg', 'suffix': 'dseg'}
    root = build(tmp_path / 'fmriprep', {'01': {'func': [*preprocessed(), labels]}})
    (run,) = collect(settings_of(root, '--nac', 'freesurfer', derivatives=root), '01').runs
    assert run.segmentation.aseg.name == f'sub-01_task-rest_space-{SPACE_6}_res-2_desc-aseg_dseg.nii.gz'
    assert run.segmentation.anat2std_xfm is None
    ((code, reason),) = bold_problems(
        collect(settings_of(root, '--mpfc', 'freesurfer', derivatives=root), '01')
    )
    assert code == 66
    assert 'mPFC: freesurfer needs desc-aparcaseg_dseg' in reason


# --- links and trees ---


def test_an_unfetched_image_says_datalad_get(fmriprep, tmp_path, capsys):
    for path in fmriprep.rglob(f'*space-{SPACE_6}_res-2_desc-preproc_bold.nii.gz'):
        path.unlink()
        path.symlink_to('../../../.git/annex/objects/absent')
    words = ['-d', f'fmriprep={fmriprep}', '-w', str(tmp_path / 'work')]
    assert main([str(fmriprep), str(tmp_path / 'out'), 'participant', *words]) == 66
    message = capsys.readouterr().err
    assert 'datalad get' in message
    assert f'space-{SPACE_6}_res-2_desc-preproc_bold.nii.gz' in message


def test_an_unfetched_sidecar_or_mask_is_named(fmriprep):
    mask = next(fmriprep.rglob(f'sub-01_ses-pre*{SPACE_6}*mask.nii.gz'))
    mask.unlink()
    mask.symlink_to('absent')
    found = collect(settings_of(fmriprep, derivatives=fmriprep), '01')
    assert len(found.runs) == 1
    ((code, reason),) = bold_problems(found)
    assert code == 66
    assert mask.name in reason


def plant(root, tree, subjects, lists):
    """Turn a list of names into files: BOLD with a header, tables and JSON empty but valid."""
    for name in (tree / lists).read_text().split('\n'):
        if name and (not name.startswith('sub-') or name.split('/')[0] in subjects):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith('_bold.nii.gz'):
                write_bold(path)
            elif name.endswith('_T1w.nii.gz'):
                write_head(path)
            elif name.endswith('.json'):
                path.write_text('{}')
            else:
                path.touch()


@pytest.mark.real
def test_names_of_an_openpain_study(tmp_path, test_data, caplog):
    """Task "resting", its repetition time at the root, a person without it, visits without a T1w."""
    subjects = ['sub-002', 'sub-058', 'sub-059']
    plant(tmp_path / 'raw', test_data / 'trees', subjects, 'openpain_subacute_tree.txt')
    (tmp_path / 'raw' / 'task-resting_bold.json').write_text('{"RepetitionTime": 2.0}')
    assert participants(settings_of(tmp_path / 'raw')) == [s[4:] for s in subjects]
    for subject in subjects:
        expected = sorted(p.name for p in (tmp_path / 'raw' / subject).rglob('*_task-resting_bold.nii.gz'))
        found = collect(settings_of(tmp_path / 'raw'), subject[4:])
        assert sorted(names(found)) == expected
        if not expected:
            ((code, reason),) = bold_problems(found)
            assert code is None
            assert 'mv, sp, sv' in reason
    assert {r.message.split('_task')[0] for r in caplog.records} == {
        'sub-059_ses-visit1',
        'sub-059_ses-visit3',
    }


@pytest.mark.real
def test_names_of_a_two_session_fmriprep_dataset(tmp_path, test_data):
    root = tmp_path / 'fmriprep'
    plant(root, test_data / 'trees', ['sub-01'], 'ds000114-fmriprep_tree.txt')
    for path in root.rglob('*_desc-preproc_bold.json'):
        path.write_text('{"RepetitionTime": 2.0}')
    words = ['--task-id', 'fingerfootlips', '--nac', 'freesurfer']
    found = collect(settings_of(root, *words, derivatives=root), '01')
    stem = 'task-fingerfootlips_space-MNI152NLin2009cAsym_res-2_desc-preproc_bold.nii.gz'
    assert names(found) == [f'sub-01_ses-{ses}_{stem}' for ses in ('retest', 'test')]
    assert not bold_problems(found)
    assert all(
        run.segmentation.aseg == root / 'sub-01/anat/sub-01_desc-aseg_dseg.nii.gz' for run in found.runs
    )
    found = collect(settings_of(root, derivatives=root), '01')
    assert not found.runs
    assert 'fingerfootlips' in bold_problems(found)[0][1]
