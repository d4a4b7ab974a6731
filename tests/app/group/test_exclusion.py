"""What --exclude leaves out of a trial: people, sessions, scans; counted in the flow, and named everywhere."""

import csv
import json
import shutil

import pytest

from bids_app.cli import main
from bids_app.report.trial import flow
from bids_app.report.trial.record import read_trial_record
from bids_app.running.manifest import Receipt, receipts_folder
from tests.app.trial_data import write_trial

HEAD = 'participant_id\tsession_id\tmodality\treason\n'
LIST = (
    HEAD
    + 'sub-03\t\t\twithdrew consent\nsub-02\tses-pre\tbold\tmoved\nsub-05\tn/a\tdwi\twraparound\nsub-99\t\t\t\n'
)


@pytest.fixture(scope='module')
def trial(once):
    """Return a trial of 16 people with results; it must not be written to."""
    return once('exclusion', lambda folder: write_trial(folder, seeds=['NAc', 'mPFC']))


@pytest.fixture
def plan(trial, tmp_path, capsys, caplog):
    """Return a function that plans the group with a list or a rule: status and what was said."""

    def run(*given, out=trial / 'out', bids=trial / 'bids'):
        caplog.clear()
        status = main([str(bids), str(tmp_path / 'new'), 'group', '-w', str(tmp_path / 'work'), '-d', f'clbpe={out}',
                       '--skip', 'mediation', '--dry-run', '--exclude', *map(str, given)])  # fmt: skip
        said = capsys.readouterr()
        return status, said.out + said.err + caplog.text

    return run


def write(tmp_path, text, name='exclude.tsv'):
    path = tmp_path / name
    path.write_text(text)
    return path


def values(tmp_path, name):
    content = json.loads((tmp_path / 'work' / 'group_tables' / f'{name}.json').read_text())
    return dict.fromkeys(content['participant_id'])


FORMS = {
    'table': ('exclude.tsv', LIST),
    'JSON': (
        'exclude.json',
        json.dumps(
            [
                {'participant_id': '03', 'reason': 'withdrew consent'},
                {'participant_id': '02', 'session_id': 'pre', 'modality': 'bold', 'reason': 'moved'},
                {'participant_id': 'sub-05', 'session_id': None, 'modality': 'DWI', 'reason': 'wraparound'},
                {'participant_id': 'sub-99'},
            ]
        ),
    ),
}


@pytest.mark.parametrize(('name', 'text'), FORMS.values(), ids=FORMS)
def test_people_sessions_and_modalities(plan, tmp_path, name, text):
    status, said = plan(write(tmp_path, text, name))
    assert status == 0
    assert f'sub-03 (exercise): left out on request ({name}): withdrew consent' in said
    assert 'trial CLBPE: 8 waitlist, 7 exercise' in said
    assert f'sub-02 ses-pre: bold: sub-02_ses-pre_task-rest: left out on request ({name}): moved' in said
    for session in ('ses-pre', 'ses-post'):
        assert f'sub-05 {session}: dwi: left out on request ({name}): wraparound' in said
    assert said.count('left out on request') == 4
    assert f'{name}: not in this dataset: sub-99' in said
    for table in ('outcomes', 'people', 'biomarkers'):
        assert 'sub-03' not in values(tmp_path, table)
        assert {'sub-02', 'sub-05'} <= values(tmp_path, table).keys()


def test_labels_and_nobody_left(plan, tmp_path):
    status, said = plan(write(tmp_path, 'sub-03\n1\n', 'labels.txt'))
    assert (status, 'trial CLBPE: 8 waitlist, 6 exercise' in said) == (0, True)
    assert 'sub-1 is taken for sub-01' in said
    everybody = ''.join(f'sub-{number:02d}\n' for number in range(1, 17))
    status, said = plan(write(tmp_path, everybody, 'labels.txt'))
    assert (status, 'leaves nobody to analyse' in said) == (18, True)


@pytest.fixture
def scans(trial, tmp_path):
    """Return a copy of the tables with scans.tsv of two people."""
    bids = shutil.copytree(trial / 'bids', tmp_path / 'bids')
    for label, value in (('sub-04', 'fail'), ('sub-06', 'pass')):
        folder = bids / label / 'ses-pre'
        folder.mkdir(parents=True)
        rows = f'filename\tqc\nfunc/{label}_ses-pre_task-rest_bold.nii.gz\t{value}\n'
        (folder / f'{label}_ses-pre_scans.tsv').write_text(rows)
    return bids


def test_a_column_of_scans(plan, scans):
    status, said = plan('scans:qc=fail', bids=scans)
    assert status == 0
    assert (
        'sub-04 ses-pre: bold: sub-04_ses-pre_task-rest: left out on request (scans:qc=fail): '
        'qc is fail in sub-04/ses-pre/sub-04_ses-pre_scans.tsv' in said
    )
    assert said.count('left out on request') == 1


@pytest.mark.parametrize(
    ('word', 'code', 'words'),
    [
        ('none.tsv', 66, 'there is no such file'),
        ('scans:quality=fail', 66, 'no scans.tsv has a column quality'),
        ('scans:qc', 2, 'scans:COLUMN=VALUE'),
    ],
)
def test_what_cannot_be_used_is_refused_at_this_level_too(plan, scans, word, code, words):
    status, said = plan(word, bids=scans)
    assert (status, words in said) == (code, True)


def test_results_that_rest_on_what_is_left_out(plan, trial, scans, tmp_path):
    """The tract of a session rests on its own scans, and one of a person on those of the other sessions as well."""
    out = shutil.copytree(trial / 'out', tmp_path / 'results')
    names = [
        f'raw:sub-04/ses-{s}/dwi/sub-04_ses-{s}_dir-{d}_dwi.nii.gz'
        for s in ('pre', 'post')
        for d in ('AP', 'PA')
    ]
    files = [path for path in (out / 'sub-04').rglob('sub-04_*') if path.is_file()]
    receipt = Receipt(receipts_folder(out / 'sub-04') / 'all.json', out, {}, {name: [1, 1] for name in names})
    receipt.write(files)
    table = scans / 'sub-04' / 'ses-pre' / 'sub-04_ses-pre_scans.tsv'
    table.write_text('filename\tqc\ndwi/sub-04_ses-pre_dir-PA_dwi.nii.gz\tfail\n')
    status, said = plan('scans:qc=fail', bids=scans, out=out)
    assert status == 0
    assert 'sub-04 ses-pre: dwi: left out on request (scans:qc=fail)' in said
    assert (
        'scalarstats.tsv of ses-post was made with sub-04_ses-pre_dir-PA_dwi.nii.gz, which is left out'
        in said
    )
    # the participant level was run with the list: nothing of the tract rests on that scan
    receipt = receipt._replace(inputs={name: [1, 1] for name in names if 'pre_dir-PA' not in name})
    receipt.write(files)
    status, said = plan('scans:qc=fail', bids=scans, out=out)
    assert (status, 'left out on request' in said) == (0, False)


@pytest.mark.slow
def test_a_whole_group_without_them(trial, tmp_path, capsys):
    """Tables, page and flow tell who is left out; the list is a parameter of the group, its place is not."""
    out = shutil.copytree(trial / 'out', tmp_path / 'out')
    fixed = [str(trial / 'bids'), str(out), 'group', '-w', str(tmp_path / 'work')]
    fixed += ['--skip', 'voxelwise', 'mediation', 'expression']
    assert main([*fixed, '--exclude', str(write(tmp_path, LIST))]) == 0
    with (out / 'group' / 'participants.tsv').open(newline='') as file:
        rows = list(csv.DictReader(file, delimiter='\t'))
    told = {
        (r['participant_id'], r['session_id'], r['data']): r['reason']
        for r in rows
        if r['status'] == 'missing'
    }
    assert told == {
        ('sub-03', 'n/a', 'participant'): 'left out on request (exclude.tsv): withdrew consent',
        ('sub-02', 'ses-pre', 'scans'): 'sub-02_ses-pre_task-rest: left out on request (exclude.tsv): moved',
        (
            'sub-02',
            'ses-pre',
            'connectivity',
        ): 'sub-02_ses-pre_task-rest: left out on request (exclude.tsv): moved',
        **{
            ('sub-05', session, data): 'left out on request (exclude.tsv): wraparound'
            for session in ('ses-pre', 'ses-post')
            for data in ('scans', 'tract')
        },
    }
    with (out / 'group' / 'outcomes.tsv').open(newline='') as file:
        used = {
            r['outcome']: (r['n_treatment'], r['n_control'], r['n_treatment_seen'], r['n_control_seen'])
            for r in csv.DictReader(file, delimiter='\t')
            if r['model'] == 'clda'
        }
    assert used['nrs'] == used['fc_nac_mpfc'] == ('7', '8', '7', '8')
    assert used['fa_nac_mpfc'] == ('6', '8', '6', '8')
    page = (out / 'group' / 'report.html').read_text()
    assert 'left out on request (exclude.tsv): withdrew consent' in page
    known = read_trial_record(out)
    assert dict(flow.enrolled(known, {}))['Randomised'] == '16'
    exercise, waitlist = flow.stages(known, {})[0].arms
    told = [('Allocated', '8'), ('Left out on request', '1'), ('Lost', 'not supplied')]
    assert list(exercise) == told
    assert list(waitlist) == [told[0], ('Left out on request', '0'), told[2]]
    assert 'Left out on request' in (out / 'group' / 'figures' / 'flow.svg').read_text()
    (record,) = (out / 'group' / 'log').glob('*/run.json')
    assert json.loads(record.read_text())['parameters']['exclude'] == [
        'sub-02_ses-pre_bold',
        'sub-03',
        'sub-05_dwi',
    ]
    capsys.readouterr()
    moved = write(tmp_path, LIST.replace('sub-99', 'sub-98'), 'exclude.tsv')
    assert main([*fixed, '--exclude', str(moved)]) == 0
    assert 'already up to date' in capsys.readouterr().out
    assert main(fixed) == 73
    assert 'exclude' in capsys.readouterr().err
