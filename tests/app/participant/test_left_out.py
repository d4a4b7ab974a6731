"""What a run says and records of scans that are left out on request."""

import json

import pytest

from bids_app.cli import main
from bids_app.participant import run
from tests.app.scans.test_exclusion import build
from tests.app.scans.test_inputs import T1W, bold

HEAD = 'participant_id\tsession_id\tmodality\treason\n'


@pytest.fixture
def process(tmp_path, monkeypatch, capsys):
    """Return a function that runs everything but the steps: status and what was said."""
    sessions = [{'session': ses, 'anat': [T1W], 'func': [bold()]} for ses in ('pre', 'post')]
    raw = build(tmp_path / 'raw', {'01': sessions, '02': json.loads(json.dumps(sessions))})
    monkeypatch.setattr(run, '_run', lambda settings, people, run_id: [])

    def process(rows, *words):
        (tmp_path / 'exclude.tsv').write_text(HEAD + rows)
        fixed = [
            '-w',
            str(tmp_path / 'work'),
            '--skip',
            'diffusion',
            '--exclude',
            str(tmp_path / 'exclude.tsv'),
        ]
        status = main([str(raw), str(tmp_path / 'out'), 'participant', *fixed, *words])
        return status, capsys.readouterr()

    return process


def records(tmp_path, label):
    return [json.loads(path.read_text()) for path in (tmp_path / 'out' / label / 'log').glob('*/run.json')]


def test_a_session_is_recorded_with_its_reason(process, tmp_path):
    """Record and page tell it, and the list; the other session and the other person go their way."""
    status, said = process('sub-01\tpre\tbold\tmoved\n')
    assert status == 0
    reason = 'sub-01_ses-pre_task-rest: left out on request (exclude.tsv): moved'
    assert f'clbpe: sub-01: not used (bold): {reason}' in said.err.splitlines()
    (record,) = records(tmp_path, 'sub-01')
    assert {'modality': 'bold', 'reason': reason} in record['absent']
    assert record['parameters']['exclude'] == ['exclude.tsv']
    assert not any('ses-pre_task-rest' in entry['path'] for entry in record['inputs'])
    assert record['errors'] == []
    assert 'left out on request (exclude.tsv): moved' in (tmp_path / 'out' / 'sub-01.html').read_text()
    (other,) = records(tmp_path, 'sub-02')
    assert not any('request' in entry['reason'] for entry in other['absent'])


def test_a_person_is_neither_processed_nor_a_failure(process, tmp_path):
    status, said = process('sub-01\t\t\twithdrew\n')
    assert status == 0
    assert 'clbpe: 1 processed, 0 already up to date, 1 left out' in said.out
    assert said.err.count('left out on request (exclude.tsv): withdrew') == 4
    assert records(tmp_path, 'sub-01') == []
    assert len(records(tmp_path, 'sub-02')) == 1


def test_only_one_modality_and_that_is_left_out(process, tmp_path):
    """Who has nothing else is left out, and not lacking: no failure, as long as somebody remains."""
    assert process('sub-01\t\tbold\t\n')[0] == 0
    status, said = process('sub-01\t\tbold\t\n', '--participant-label', '01')
    assert status == 18
    assert 'leaves nothing of anybody' in said.err


def test_without_a_t1w_both_are_told(process):
    status, said = process('sub-01\t\tt1w\tringing\n')
    assert status == 66
    assert 'no T1w image of this participant' in said.err
    assert 'left out on request (exclude.tsv): ringing' in said.err
