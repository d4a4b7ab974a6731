"""The forms of input that platforms hand over, and a machine without network."""

import os
import shutil
import subprocess
import sys

import pytest

from .conftest import participant_results, run_plain

pytestmark = pytest.mark.slow


def listing(folder):
    return sorted(
        (path.relative_to(folder).as_posix(), path.lstat().st_mtime_ns) for path in folder.rglob('*')
    )


def write_protect(folder):
    for path in (folder, *folder.rglob('*')):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)


def test_one_participant_as_cbrain_hands_it_over(dataset, plain, tmp_path):
    """A folder around one participant, whose table has one column; nothing may be written there."""
    data = tmp_path / 'data'
    shutil.copytree(dataset / 'sub-01', data / 'sub-01')
    (data / 'participants.tsv').write_text('participant_id\nsub-01\n')
    (data / 'dataset_description.json').write_text('{"Name": "CBRAIN", "BIDSVersion": "1.4.0"}')
    write_protect(data)
    before = listing(data)
    words = ['--participant-label', '01', '-d', data, '-w', tmp_path / 'work']
    done = run_plain(data, tmp_path / 'out', 'participant', *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert participant_results(tmp_path / 'out') == plain
    assert listing(data) == before


def annex(dataset, data):
    """Make a clone as DataLad does: every file a link, and content for the first participant only."""
    store = data / '.git' / 'annex' / 'objects'
    store.mkdir(parents=True)
    for path in dataset.rglob('*'):
        if not path.is_file() or path.name == 'dataset_description.json':
            continue
        link, key = data / path.relative_to(dataset), path.relative_to(dataset).as_posix().replace('/', '-')
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(store / key, link.parent))
        if 'sub-02' not in path.parts:
            shutil.copyfile(path, store / key)


@pytest.mark.long
def test_a_clone_as_babs_hands_it_over(dataset, plain, tmp_path):
    """Labels with prefixes, one session, links without content beside, no description of the derivatives."""
    data = tmp_path / 'data'
    annex(dataset, data)
    words = [
        '--participant-label',
        'sub-01',
        '--session-label',
        'ses-pre',
        '-d',
        data,
        '-w',
        tmp_path / 'work',
    ]
    done = run_plain(data, tmp_path / 'out', 'participant', *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert participant_results(tmp_path / 'out') == plain
    assert 'no dataset_description.json; it is read all the same' in done.stderr


WATCH = """
import os, socket
def refuse(kind):
    def call(*words, **options):
        address = words[-1] if kind == 'connect' else words[0]
        with open(os.environ['WATCH'], 'a') as stream:
            stream.write(f'{kind} {address}\\n')
        raise OSError('no network')
    return call
_connect = socket.socket.connect
class Watched(socket.socket):
    def connect(self, address):
        return _connect(self, address) if self.family == socket.AF_UNIX else refuse('connect')(address)
socket.socket = Watched
socket.getaddrinfo = refuse('lookup')
"""


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """Have every Python process write down whom it tries to reach."""
    (tmp_path / 'site').mkdir()
    (tmp_path / 'site' / 'sitecustomize.py').write_text(WATCH)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path / 'site'))
    monkeypatch.setenv('WATCH', str(tmp_path / 'tried'))
    for name in ('NO_ET', 'TEMPLATEFLOW_AUTOUPDATE', 'NIPYPE_NO_ET'):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / 'tried'


@pytest.mark.long
def test_nobody_is_asked_for_anything(dataset, plain, tmp_path, watched):
    words = ['--participant-label', '01', '-d', dataset, '-w', tmp_path / 'work']
    done = run_plain(dataset, tmp_path / 'out', 'participant', *words)
    assert done.returncode == 0, done.stderr
    assert not watched.exists(), watched.read_text()
    assert participant_results(tmp_path / 'out') == plain


def test_the_watch_sees(watched):
    code = 'import urllib.request; urllib.request.urlopen("http://localhost:9")'
    subprocess.run([sys.executable, '-c', code], capture_output=True)
    assert watched.read_text().startswith('lookup localhost')


def test_a_participant_whose_content_was_not_fetched_is_told(dataset, tmp_path):
    data = tmp_path / 'data'
    annex(dataset, data)
    words = ['--participant-label', 'sub-02', '-d', data, '-w', tmp_path / 'work']
    done = run_plain(data, tmp_path / 'out', 'participant', *words, cwd=tmp_path)
    assert done.returncode == 66, done.stderr
    assert 'sub-02' in done.stderr
    assert 'datalad get' in done.stderr
