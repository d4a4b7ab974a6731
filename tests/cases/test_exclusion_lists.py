"""Exclusion lists as spreadsheets, raters and job scripts leave them, through the command line at both levels."""

import csv
import io
import json

import pytest

from bids_app.cli import main
from tests.app.scans.test_exclusion import build, write_scans
from tests.app.scans.test_inputs import T1W, bold
from tests.app.trial_data import write_trial

ROWS = [
    ('participant_id', 'session_id', 'modality', 'reason'),
    ('sub-01', 'ses-pre', 'bold', 'Bewegung größer 3 mm'),
    ('sub-02', '', '', 'said "no" afterwards'),
]
RUNS = [
    f'sub-{label}_ses-{session}_task-rest_run-{run}_bold'
    for label in ('01', '02')
    for session in ('post', 'pre')
    for run in (1, 2)
]


@pytest.fixture
def raw(tmp_path):
    """Return three people with two sessions of two runs each."""
    func = [bold(run=1), bold(run=2)]
    sessions = [{'session': ses, 'anat': [T1W], 'func': func} for ses in ('pre', 'post')]
    return build(tmp_path / 'raw', {label: json.loads(json.dumps(sessions)) for label in ('01', '02', '03')})


@pytest.fixture
def plan(raw, capsys, caplog):
    """Return a function that plans the participant level: status, runs that would be used, and what was said."""

    def run(*words, root=raw):
        caplog.clear()
        fixed = ['-w', str(root.parent / 'work'), '--skip', 'diffusion', '--dry-run']
        status = main([str(root), str(root.parent / 'out'), 'participant', *fixed, *map(str, words)])
        said = capsys.readouterr()
        used = [line.rsplit('/', 1)[1].split('.')[0] for line in said.out.splitlines() if 'bold.nii' in line]
        return status, used, said.out + said.err + caplog.text

    return run


def text_of(**options):
    stream = io.StringIO()
    csv.writer(stream, delimiter='\t', **options).writerows(ROWS)
    return stream.getvalue()


SPREADSHEETS = {
    'plain': text_of(lineterminator='\n').encode(),
    'every cell in quotes': text_of(quoting=csv.QUOTE_ALL, lineterminator='\r\n').encode(),
    'byte order mark': text_of(lineterminator='\n').encode('utf-8-sig'),
    'UTF-16': text_of(lineterminator='\r\n').encode('utf-16'),
    'Windows-1252': text_of(lineterminator='\r\n').encode('cp1252'),
    'blank columns and rows': text_of(lineterminator='\t\t\n').encode() + b'\t\t\t\t\t\n\n',
}


@pytest.mark.parametrize('content', SPREADSHEETS.values(), ids=SPREADSHEETS)
def test_lists_that_spreadsheets_wrote(plan, tmp_path, content):
    path = tmp_path / 'Ausschlüsse final (2).txt'
    path.write_bytes(content)
    status, used, said = plan('--exclude', path)
    assert status == 0
    assert [run for run in used if '03' not in run[:6]] == [run for run in RUNS if 'sub-01_ses-post' in run]
    assert sum(run.startswith('sub-03') for run in used) == 4
    assert 'left out on request (Ausschlüsse final (2).txt): Bewegung größer 3 mm' in said
    assert 'left out on request (Ausschlüsse final (2).txt): said "no" afterwards' in said


@pytest.mark.parametrize('separator', [',', ';'])
def test_a_list_with_other_separators_is_refused(plan, tmp_path, separator):
    """Nobody is left out by halves: the whole list is refused, with what to do."""
    path = tmp_path / 'exclude.csv'
    path.write_text('\n'.join(separator.join(row[:3]) for row in ROWS) + '\n')
    status, used, said = plan('--exclude', path)
    assert (status, used) == (2, [])
    assert str(path) in said
    assert 'tabs between columns' in said


def test_one_list_for_many_studies_in_a_job_of_one_participant(plan, tmp_path):
    """Job scripts hand over the list of everybody; names of others are one line, however many."""
    path = tmp_path / 'exclude.txt'
    path.write_text(''.join(f'sub-{number}\n' for number in range(100, 140)) + 'sub-02\n')
    status, used, said = plan('--participant-label', '01', '--exclude', path)
    assert (status, len(used)) == (0, 4)
    (line,) = (line for line in said.splitlines() if 'not in this dataset' in line)
    assert line.endswith('sub-108, sub-109 and 30 more')
    assert 'sub-02' not in said
    status, used, said = plan('--participant-label', '02', '--exclude', path)
    assert (status, used) == (18, [])
    assert 'sub-02_ses-pre_task-rest_run-1: left out on request (exclude.txt)' in said


def test_jobs_of_sessions(plan, tmp_path):
    """What is left out of another session is not the business of this one."""
    path = tmp_path / 'exclude.tsv'
    path.write_bytes(SPREADSHEETS['plain'])
    status, used, said = plan('--participant-label', '01', '--session-label', 'post', '--exclude', path)
    assert (status, used) == (0, RUNS[:2])
    assert 'on request' not in said
    status, used, said = plan('--participant-label', '01', '--session-label', 'pre', '--exclude', path)
    assert (status, used) == (18, [])


def test_a_rule_and_a_list_of_the_same_scan(plan, raw, tmp_path):
    """Once is enough: the row of the list is told, and nothing is told twice."""
    write_scans(raw)
    path = tmp_path / 'exclude.tsv'
    path.write_bytes(SPREADSHEETS['plain'])
    status, used, said = plan('--exclude', path, path, 'scans:qc=fail')
    assert (status, len(used)) == (0, 6)
    assert said.count('sub-01_ses-pre_task-rest_run-1: left out on request') == 1


def test_sessions_of_a_dataset_without_sessions(plan, tmp_path):
    root = build(tmp_path / 'flat' / 'raw', {'01': [{'anat': [T1W], 'func': [bold()]}]})
    path = tmp_path / 'exclude.tsv'
    path.write_text('participant_id\tsession_id\nsub-01\tses-pre\n')
    status, used, said = plan('--exclude', path, root=root)
    assert (status, used) == (0, ['sub-01_task-rest_bold'])
    assert 'no ses-pre of sub-01, which has no sessions: nothing left out' in said
    path.write_text('participant_id\tsession_id\nsub-01\tn/a\n')
    assert plan('--exclude', path, root=root)[0] == 18


def test_the_same_list_at_the_group_level(tmp_path, capsys, caplog):
    """The person is gone, the session's connectivity too, and its ratings stay."""
    bids, out = write_trial(tmp_path, n=12, seeds=['NAc'])
    path = tmp_path / 'exclude.txt'
    path.write_bytes(SPREADSHEETS['UTF-16'])
    words = [
        '-w',
        str(tmp_path / 'work'),
        '--skip',
        'voxelwise',
        'mediation',
        '--dry-run',
        '--exclude',
        str(path),
    ]
    assert main([str(bids), str(out), 'group', *words]) == 0
    said = capsys.readouterr().out
    assert 'sub-02 (waitlist): left out on request (exclude.txt): said "no" afterwards' in said
    assert (
        'sub-01 ses-pre: bold: sub-01_ses-pre_task-rest: left out on request (exclude.txt): Bewegung' in said
    )
    outcomes = json.loads((tmp_path / 'work' / 'group_tables' / 'outcomes.json').read_text())
    assert 'sub-02' not in outcomes['participant_id']
    assert outcomes['participant_id'].count('sub-01') == 2
