"""What --exclude leaves out of participants: four forms of a list, by session and modality, told and never lost."""

import json

import nibabel as nb
import numpy as np
import pytest

from bids_app.cli import main
from bids_app.scans.exclusion_list import read_list
from bids_app.scans.people import collect, collect_all
from pipelines.errors import MissingInputError, SelectionError
from tests.app.scans.test_diffusion_inputs import anatomy, dwi, series
from tests.app.scans.test_diffusion_inputs import build as build_dwi
from tests.app.scans.test_inputs import T1W, bold, names, preprocessed, settings_of
from tests.app.scans.test_inputs import build as build_short


def build(root, config):
    """Write a skeleton whose BOLD series are long enough to be analysed."""
    for path in build_short(root, config).rglob('*_bold.nii.gz'):
        image = nb.Nifti1Image(np.ones((2, 2, 2, 240), np.uint8), np.diag([2.0, 2, 2, 1]))
        image.header.set_zooms((2, 2, 2, 2.0))
        image.header.set_xyzt_units('mm', 'sec')
        path.unlink()
        nb.save(image, path)
    return root


@pytest.fixture
def raw(tmp_path):
    """Return a raw dataset: two participants, sessions pre and post, each with a T1w and two runs."""
    func = [bold(run=1), bold(run=2)]
    sessions = [{'session': ses, 'anat': [T1W], 'func': func} for ses in ('pre', 'post')]
    return build(tmp_path / 'raw', {'01': sessions, '02': json.loads(json.dumps(sessions))})


def write(tmp_path, text, name='exclude.tsv'):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def plan(root, capsys, caplog, *words):
    """Return status, files that would be used and all that is said."""
    caplog.clear()
    out, work = root.parent / 'out', root.parent / 'work'
    status = main(
        [str(root), str(out), 'participant', '-w', str(work), '--skip', 'diffusion', '--dry-run', *words]
    )
    said = capsys.readouterr()
    used = [
        line.rsplit('/', 1)[1].split('.')[0] for line in said.out.splitlines() if line.endswith('.nii.gz')
    ]
    return status, used, said.out + said.err + caplog.text


HEAD = 'participant_id\tsession_id\tmodality\treason\n'
FORMS = {
    'table': ('exclude.tsv', HEAD + 'sub-01\tses-pre\tbold\tmoved\n'),
    'table without prefixes': ('list.txt', HEAD + '01\tpre\tBOLD\tmoved\n'),
    'columns in another order': ('e.tsv', 'reason\tmodality\tparticipant_id\tsession_id\nmoved\tbold\tsub-01\tpre\n'),
    'Windows': ('e.tsv', '\ufeff' + HEAD.replace('\n', '\r\n') + 'sub-01\tses-pre\tbold\tmoved\r\n'),
    'JSON': (
        'exclude.json',
        '[{"participant_id": "sub-01", "session_id": "ses-pre", "modality": "bold", "reason": "moved"}]',
    ),
}  # fmt: skip


@pytest.mark.parametrize(('name', 'text'), FORMS.values(), ids=FORMS)
def test_a_session_of_a_modality(raw, tmp_path, capsys, caplog, name, text):
    """The scans are absent with their reason, the others are used, and the status stays 0."""
    status, used, said = plan(raw, capsys, caplog, '--exclude', write(tmp_path, text, name))
    assert status == 0
    assert [scan for scan in used if scan.startswith('sub-01') and 'bold' in scan] == [
        f'sub-01_ses-post_task-rest_run-{run}_bold' for run in (1, 2)
    ]
    assert sum(scan.startswith('sub-02') for scan in used) == 6
    for run in (1, 2):
        line = f'sub-01: not used (bold): sub-01_ses-pre_task-rest_run-{run}: left out on request ({name}): moved'
        assert line in said.splitlines(), said


@pytest.mark.parametrize(
    'text',
    [
        'sub-01\n',
        '01\n\n',
        '\n  sub-01  \n',
        HEAD + 'sub-01\tn/a\tn/a\tn/a\n',
        HEAD + '01\t\t\t\n',
        'participant_id\n01\n',
    ],
)
def test_everything_of_a_person(raw, tmp_path, capsys, caplog, text):
    status, used, said = plan(raw, capsys, caplog, '--exclude', write(tmp_path, text, 'labels.txt'))
    assert status == 0
    assert {scan[:6] for scan in used} == {'sub-02'}
    assert len(used) == 6
    assert said.count('left out on request (labels.txt)') == 6  # two T1w, four runs


def write_scans(raw, label='01', session='pre', column='qc', values=('fail', 'pass', 'pass')):
    stem = f'sub-{label}_ses-{session}'
    files = [f'func/{stem}_task-rest_run-{run}_bold.nii.gz' for run in (1, 2)] + [f'anat/{stem}_T1w.nii.gz']
    rows = ''.join(f'{name}\t{value}\n' for name, value in zip(files, values))
    (raw / f'sub-{label}' / f'ses-{session}' / f'{stem}_scans.tsv').write_text(f'filename\t{column}\n{rows}')


def test_a_column_of_scans(raw, capsys, caplog):
    write_scans(raw)
    write_scans(raw, '02', values=('pass', 'pass', 'FAIL'))
    status, used, said = plan(raw, capsys, caplog, '--exclude', 'scans:qc=fail')
    assert status == 0
    assert sorted(used) == sorted(
        f'sub-{label}_ses-{session}_{scan}'
        for label in ('01', '02')
        for session in ('pre', 'post')
        for scan in ('T1w', 'task-rest_run-1_bold', 'task-rest_run-2_bold')
        if (label, session, scan) not in (('01', 'pre', 'task-rest_run-1_bold'), ('02', 'pre', 'T1w'))
    )
    assert (
        'sub-01: not used (bold): sub-01_ses-pre_task-rest_run-1: left out on request (scans:qc=fail): '
        'qc is fail in sub-01/ses-pre/sub-01_ses-pre_scans.tsv' in said
    )
    assert (
        'sub-02: not used (t1w): sub-02_ses-pre: left out on request (scans:qc=fail): qc is FAIL in' in said
    )


def test_forms_may_be_combined_and_spelled_with_underscores(raw, tmp_path, capsys, caplog):
    write_scans(raw, column='my_qc')
    both = [write(tmp_path, '02\n', 'labels.txt'), 'scans:my_qc=fail']
    status, used, _ = plan(raw, capsys, caplog, '--exclude', *both)
    assert status == 0
    assert len(used) == 5
    assert plan(raw, capsys, caplog, '--exclude', both[0], f'--exclude={both[1]}')[1] == used


def test_a_t1w_falls_to_another_session(raw, tmp_path, capsys, caplog):
    given = write(tmp_path, HEAD + 'sub-01\tpre\tT1w\tring\n')
    status, used, said = plan(raw, capsys, caplog, '--participant-label', '01', '--exclude', given)
    assert status == 0
    assert used[0] == 'sub-01_ses-post_T1w'
    assert len(used) == 5
    assert 'sub-01: not used (t1w): sub-01_ses-pre: left out on request (exclude.tsv): ring' in said
    found = collect(settings_of(raw, '--exclude', given), '01')
    assert [path.name for path in found.t1w] == ['sub-01_ses-post_T1w.nii.gz']
    assert len(found.runs) == 4


def test_without_any_t1w_raw_series_are_refused_and_both_are_told(raw, tmp_path):
    found = collect(settings_of(raw, '--exclude', write(tmp_path, HEAD + 'sub-01\t\tt1w\tring\n')), '01')
    assert not found.runs
    assert {absence.exit_code for absence in found.absent if absence.modality == 'bold'} == {66}
    assert sum(absence.on_request for absence in found.absent) == 2
    assert not found.is_left_out or any(a.exit_code for a in found.absent)


def test_results_of_fmriprep(tmp_path):
    """A raw run that failed is left out in every space, and none of the others; an echo costs its combination."""
    func = [*preprocessed(['MNI152NLin2009cAsym', 'MNI152NLin6Asym'], run=1), *preprocessed(run=2)]
    fmriprep = build(tmp_path / 'fmriprep', {'01': [{'session': 'pre', 'func': func}]})
    raw = build(tmp_path / 'raw', {'01': [{'session': 'pre', 'func': [bold(run=1), bold(run=2)]}]})
    write_scans(raw)
    found = collect(settings_of(raw, '--exclude', 'scans:qc=fail', derivatives=fmriprep), '01')
    assert [run.entities['run'] for run in found.runs] == ['2']
    (left,) = (absence for absence in found.absent if absence.on_request)
    assert left.reason.startswith('sub-01_ses-pre_task-rest_run-1: left out')
    path = raw / 'sub-01' / 'ses-pre' / 'sub-01_ses-pre_scans.tsv'
    path.write_text(path.read_text().replace('run-1_bold', 'run-1_echo-2_bold'))
    found = collect(settings_of(raw, '--exclude', 'scans:qc=fail', derivatives=fmriprep), '01')
    assert [run.entities['run'] for run in found.runs] == ['2']


def test_what_is_left_out_is_not_read(raw, tmp_path):
    """A damaged series that is left out is no failure."""
    for path in (raw / 'sub-01' / 'ses-pre').rglob('*_bold.nii.gz'):
        path.write_bytes(b'none')
    found = collect(settings_of(raw, '--exclude', write(tmp_path, HEAD + '01\tpre\tbold\t\n')), '01')
    assert len(found.runs) == 2
    assert not any(absence.exit_code for absence in found.absent)


def test_everything_of_one_person_is_no_failure(raw, tmp_path):
    everybody = collect_all(settings_of(raw, '--skip', 'diffusion', '--exclude', write(tmp_path, 'sub-01\n')))
    assert [person.is_left_out for person in everybody] == [True, False]
    assert not any(absence.exit_code for absence in everybody[0].absent)
    assert names(everybody[1])


@pytest.fixture
def tasks(tmp_path):
    """Return a dataset of one participant with a run at rest and one of a task."""
    func = [bold(), bold('nback')]
    return build(tmp_path / 'raw', {'01': [{'session': 'pre', 'anat': [T1W], 'func': func}]})


def exclude_task(root, *tasks):
    rows = ''.join(f'func/sub-01_ses-pre_task-{task}_bold.nii.gz\tfail\n' for task in tasks)
    (root / 'sub-01' / 'ses-pre' / 'sub-01_ses-pre_scans.tsv').write_text(f'filename\tqc\n{rows}')
    return '--exclude', 'scans:qc=fail'


@pytest.mark.parametrize(
    ('asked', 'excluded', 'status', 'used', 'says'),
    [
        (['rest', 'nback'], ['nback'], 0, ['rest'], 'sub-01_ses-pre_task-nback: left out on request'),
        (['rest', 'nback'], ['rest'], 0, ['nback'], 'sub-01_ses-pre_task-rest: left out on request'),
        (['nback'], ['nback'], 18, [], 'leaves nothing of anybody'),
        (['rest', 'nback'], ['rest', 'nback'], 18, [], 'leaves nothing of anybody'),
        (['rest', 'movie'], ['rest'], 66, [], 'no BOLD of task movie'),
        (['rest', 'movie'], ['nback'], 66, ['rest'], 'no BOLD of task movie'),
    ],
)
def test_a_task_that_was_named_and_left_out_is_not_missing(
    tasks, capsys, caplog, asked, excluded, status, used, says
):
    """What was left out by name is no failure; a task that is not there still is, whatever else was left out."""
    words = exclude_task(tasks, *excluded)
    found, files, said = plan(tasks, capsys, caplog, '--task-id', *asked, *words)
    assert found == status, said
    assert [name for name in files if name.endswith('bold')] == [
        f'sub-01_ses-pre_task-{task}_bold' for task in used
    ]
    assert says in said


def test_everything_of_everybody_selects_nothing(raw, tmp_path, capsys, caplog):
    status, _, said = plan(
        raw, capsys, caplog, '--participant-label', '01', '--exclude', write(tmp_path, '01\n')
    )
    assert status == SelectionError.exit_code == 18
    assert 'leaves nothing of anybody' in said
    assert 'sub-01_ses-pre_task-rest_run-1: left out on request' in said


def test_people_and_sessions_of_elsewhere_are_named(raw, tmp_path, capsys, caplog):
    rows = HEAD + 'sub-77\t\t\t\nsub-01\tses-week5\tbold\t\nsub-1\tses-PRE\tbold\tmoved\n'
    status, used, said = plan(raw, capsys, caplog, '--exclude', write(tmp_path, rows))
    assert status == 0
    assert 'exclude.tsv: not in this dataset: sub-77' in said
    assert 'no ses-week5 of sub-01, which has ses-post, ses-pre: nothing left out' in said
    assert 'sub-1 is taken for sub-01; check that it is' in said
    assert len(used) == 10  # sub-1 is sub-01, PRE is pre


def test_an_id_that_may_be_two(tmp_path, capsys, caplog):
    one = [{'session': 'pre', 'anat': [T1W], 'func': [bold()]}]
    raw = build(tmp_path / 'raw', {'01': one, '1': json.loads(json.dumps(one))})
    status, _, said = plan(raw, capsys, caplog, '--exclude', write(tmp_path, '001\n'))
    assert status == 2
    assert 'sub-001 could be' in said


REFUSED = {
    'no file': (None, 66, ['there is no such file', 'scans:COLUMN=VALUE']),
    'modality': (HEAD + 'sub-01\t\tfmri\t\n', 2, ['row 2', '"fmri"', 'unknown modality', 'bold, dwi, t1w']),
    'no ids': ('subject\tmodality\nsub-01\tdwi\n', 2, ['no column participant_id']),
    'ids called otherwise': ('participant\tmodality\nsub-01\tdwi\n', 2, ['no column participant_id', 'Did you mean participant?']),
    'a session column that is not read': ('participant_id\tsession\nsub-01\tpre\n', 2, ['column session', 'would leave out more than it says', 'session_id']),
    'a column of runs': ('participant_id\trun\nsub-01\t2\n', 2, ['column run', 'would leave out more']),
    'near name': ('participant_id\tmodalty\nsub-01\tdwi\n', 2, ['column modalty', 'would leave out more']),
    'no id': (HEAD + 'n/a\tpre\t\t\n', 2, ['row 2', 'no participant_id']),
    'commas': ('sub-01,sub-02\n', 2, ['"sub-01,sub-02"', 'no label']),
    'table with commas': ('participant_id,modality\nsub-01,dwi\n', 2, ['"participant_id,modality"', 'tabs']),
    'rows of unequal length': (HEAD + 'sub-01\tpre\n', 2, ['row 2', '2 cells where the header has 4']),
    'Excel': ('PK\x03\x04', 2, ['Excel workbook']),
    'empty': ('', 2, ['is empty']),
    'JSON that is none': ('[{"participant_id": ', 2, ['no valid JSON', 'list of objects']),
    'JSON object': ('{"participant_id": "sub-01"}', 2, ['no list of objects']),
    'JSON words': ('["sub-01"]', 2, ['no list of objects']),
    'JSON number': ('[{"participant_id": 1}]', 2, ['participant_id is no text', 'quotes']),
    'JSON unknown key': ('[{"participant_id": "01", "session": "pre"}]', 2, ['column session', 'more than it says']),
    'JSON without ids': ('[{"participant_id": "01"}, {"modality": "dwi"}]', 2, ['row 2', 'no participant_id']),
}  # fmt: skip


@pytest.mark.parametrize(('text', 'code', 'words'), REFUSED.values(), ids=REFUSED)
def test_a_list_that_cannot_be_used(raw, tmp_path, capsys, caplog, text, code, words):
    given = str(tmp_path / 'none.tsv') if text is None else write(tmp_path, text)
    status, _, said = plan(raw, capsys, caplog, '--exclude', given)
    assert status == code
    assert given in said
    assert all(word in said for word in words), said


RULES = {
    'no column': ('scans:quality=fail', 66, ['no scans.tsv has a column quality', 'filename, qc']),
    'near column': ('scans:QC=fail', 66, ['Did you mean qc?']),
    'no value': ('scans:qc', 2, ['scans:COLUMN=VALUE']),
    'empty value': ('scans:qc=', 2, ['scans:COLUMN=VALUE']),
    'value of none': ('scans:qc=failed', 0, ['no scan has this value; there is fail, pass']),
}


@pytest.mark.parametrize(('rule', 'code', 'words'), RULES.values(), ids=RULES)
def test_a_rule_that_finds_nothing(raw, capsys, caplog, rule, code, words):
    write_scans(raw)
    status, used, said = plan(raw, capsys, caplog, '--exclude', rule)
    assert status == code
    assert all(word in said for word in words), said
    assert len(used) == (0 if code else 12)


def test_files_that_a_rule_cannot_use(raw, capsys, caplog):
    """Without any table, with one of another column, with one that is damaged, with scans of another kind."""
    status, _, said = plan(raw, capsys, caplog, '--exclude', 'scans:qc=fail')
    assert (status, 'there is no scans.tsv' in said) == (66, True)
    write_scans(raw)
    write_scans(raw, '02', column='note')
    path = raw / 'sub-01' / 'ses-pre' / 'sub-01_ses-pre_scans.tsv'
    path.write_text(path.read_text() + 'fmap/sub-01_ses-pre_dir-AP_epi.nii.gz\tfail\n')
    status, used, said = plan(raw, capsys, caplog, '--exclude', 'scans:qc=fail')
    assert (status, len(used)) == (0, 11)
    assert 'without a column qc, nothing left out: sub-02/ses-pre/sub-02_ses-pre_scans.tsv' in said
    assert 'used all the same: sub-01_ses-pre_dir-AP_epi.nii.gz' in said
    path.write_text(path.read_text() + 'func/x\n')
    status, _, said = plan(raw, capsys, caplog, '--exclude', 'scans:qc=fail')
    assert (status, 'row 6' in said) == (65, True)


def test_other_columns_of_a_table_are_named(tmp_path, caplog):
    found = read_list(tmp_path / write(tmp_path, 'participant_id\trater\nsub-01\tA\n'))
    assert [entry.participant_id for entry in found] == ['sub-01']
    assert 'column rater: is not read' in caplog.text


def test_a_list_beside_its_own_json(tmp_path):
    """exclude.json is another form of the list, not a dictionary of exclude.tsv."""
    write(tmp_path, '[{"participant_id": "02"}]', 'exclude.json')
    assert [e.participant_id for e in read_list(tmp_path / write(tmp_path, HEAD + '01\t\t\t\n'))] == [
        'sub-01'
    ]
    with pytest.raises(MissingInputError):
        read_list(tmp_path)


def test_nothing_of_others_depends_on_it(raw, tmp_path):
    """Receipts hold the inputs and parameters of each scan: those of other scans are as without a list."""
    from bids_app.outputs.chains import chain_of_anatomy, chain_of_run

    given = write(tmp_path, HEAD + 'sub-01\tpre\tT1w\tring\nsub-02\tpre\tbold\tmoved\n')
    without = {p.label: p for p in collect_all(settings_of(raw, '--skip', 'diffusion'))}
    settings = settings_of(raw, '--skip', 'diffusion', '--exclude', given)
    for person in collect_all(settings):
        before = without[person.label]
        for run in person.runs:
            receipts = [
                [
                    (s.receipt.inputs, s.receipt.parameters)
                    for s in chain_of_run(settings, p, run).stages.values()
                ]
                for p in (before, person)
            ]
            assert (receipts[0] == receipts[1]) == (person.label == '02')
        names_of = [set(stage.receipt.inputs) for stage in chain_of_anatomy(settings, person).stages.values()]
        assert all(len(own) == (1 if person.label == '01' else 2) for own in names_of)


# --- diffusion ---


@pytest.fixture
def diffusion(tmp_path):
    """Return raw data and QSIPrep's output of one person: two sessions, each of a pair of scans made into one."""
    sessions = [
        {'session': ses, 'anat': [T1W], 'dwi': [dwi(dir='AP'), dwi(dir='PA')]} for ses in ('pre', 'post')
    ]
    made = [{'session': None, 'anat': anatomy()}, *({'session': s, 'dwi': series()} for s in ('pre', 'post'))]
    return build_dwi(tmp_path / 'raw', {'01': sessions}), build_dwi(tmp_path / 'qsiprep', {'01': made})


def mark(raw, *names):
    for session in ('pre', 'post'):
        stem = f'sub-01_ses-{session}'
        rows = [
            f'dwi/{stem}_dir-{way}_dwi.nii.gz\t{"fail" if f"{stem}_dir-{way}" in names else "ok"}\n'
            for way in ('AP', 'PA')
        ]
        path = raw / 'sub-01' / f'ses-{session}' / f'{stem}_scans.tsv'
        path.write_text('filename\tqc\n' + ''.join(rows))
    return ['--exclude', 'scans:qc=fail']


def test_a_session_of_diffusion(diffusion, tmp_path):
    raw, qsiprep = diffusion
    given = ['--exclude', write(tmp_path, HEAD + 'sub-01\tpre\tdwi\tmoved\n')]
    for derivatives in (None, qsiprep):
        found = collect(settings_of(raw, *given, derivatives=derivatives), '01')
        assert [session.label for session in found.diffusion.sessions] == ['post']
        reasons = {a.reason for a in found.absent if a.modality == 'dwi'}
        assert all('left out on request (exclude.tsv): moved' in reason for reason in reasons)
        assert len(reasons) == (1 if derivatives else 2)


def test_one_of_a_pair(diffusion):
    """Of raw scans the other serves; of QSIPrep's series nobody can take it away again."""
    raw, qsiprep = diffusion
    rule = mark(raw, 'sub-01_ses-pre_dir-PA')
    sessions = collect(settings_of(raw, *rule), '01').diffusion.sessions
    assert [(s.label, len(s.scans)) for s in sessions] == [('post', 2), ('pre', 1)]
    sessions = collect(settings_of(raw, *rule, derivatives=qsiprep), '01').diffusion.sessions
    assert [(s.label, len(s.scans)) for s in sessions] == [('post', 1)]


@pytest.mark.parametrize('is_inside', [False, True])
def test_raw_scans_do_not_stand_in_for_what_is_left_out(diffusion, is_inside):
    """A person of another preprocessing than the others would be worse than none."""
    raw, qsiprep = diffusion
    if is_inside:
        qsiprep = qsiprep.rename(raw / 'derivatives')
    rule = mark(raw, 'sub-01_ses-pre_dir-PA', 'sub-01_ses-post_dir-AP')
    found = collect(settings_of(raw, *rule, derivatives=qsiprep), '01')
    assert found.diffusion is None
    assert found.is_left_out
    assert all(
        'left out on request' in absence.reason for absence in found.absent if absence.modality == 'dwi'
    )
