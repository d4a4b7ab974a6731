"""Files are replaced in one step, and what cannot be written leaves nothing behind."""

import gzip
import os

import pytest

from bids_app.running import files
from pipelines.errors import OutputError


def test_replacing_unlinks_a_read_only_link(tmp_path):
    """An annexed output is a link to a read-only object that must stay as it is."""
    annexed = tmp_path / 'object'
    annexed.write_text('old')
    annexed.chmod(0o444)
    (tmp_path / 'out.tsv').symlink_to(annexed)
    (tmp_path / 'new').write_text('new')
    files.replace_file(tmp_path / 'new', tmp_path / 'out.tsv')
    assert (tmp_path / 'out.tsv').read_text() == 'new'
    assert annexed.read_text() == 'old'


def test_plain_images_are_compressed_on_the_way(tmp_path):
    (tmp_path / 'a.nii').write_bytes(b'volume' * 99)
    for name in ('one.nii.gz', 'two.nii.gz'):
        files.replace_file(tmp_path / 'a.nii', tmp_path / name)
    assert gzip.decompress((tmp_path / 'one.nii.gz').read_bytes()) == b'volume' * 99
    assert (tmp_path / 'one.nii.gz').read_bytes() == (tmp_path / 'two.nii.gz').read_bytes()


def test_failure_keeps_the_old_file_and_leaves_no_draft(tmp_path, monkeypatch):
    (tmp_path / 'a.txt').write_text('old')
    monkeypatch.setattr(files.os, 'replace', lambda *_: (_ for _ in ()).throw(OSError(28, os.strerror(28))))
    with pytest.raises(OutputError, match=r'a.txt cannot be written \(No space left'):
        files.replace_text('new', tmp_path / 'a.txt')
    assert [p.name for p in tmp_path.iterdir()] == ['a.txt']
    assert (tmp_path / 'a.txt').read_text() == 'old'


def test_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / 'sub-01').write_text('')
    with pytest.raises(OutputError, match='Check space and permissions'):
        files.replace_json({}, tmp_path / 'sub-01' / 'a.json')


def test_results_that_were_cut_short_are_taken_away(tmp_path, caplog):
    """Nipype stops at a result that it cannot read; the folder of its step goes, others stay."""
    steps = {name: tmp_path / 'wf' / name for name in ('whole', 'empty', 'cut', 'foreign', 'checksum')}
    packed = gzip.compress(b'result' * 100)
    contents = {
        'whole': packed,
        'empty': b'',
        'cut': packed[:12],
        'foreign': b'text',
        'checksum': packed[:-8] + bytes(8),
    }
    for name, folder in steps.items():
        folder.mkdir(parents=True)
        (folder / f'result_{name}.pklz').write_bytes(contents[name])
        (folder / 'out.nii').write_text(name)
    files.remove_damaged_results(tmp_path)
    assert [name for name, folder in steps.items() if folder.exists()] == ['whole']
    assert (steps['whole'] / 'out.nii').read_text() == 'whole'
    assert caplog.text.count('is damaged: this step runs again') == 4
    files.remove_damaged_results(tmp_path / 'nowhere')
