"""Jobs for single sessions add up: files, page and description are those of one job for both."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from bids_app.participant.run import is_page_current
from tests.app.participant.test_participant import STEM, run, write_dataset
from tests.sums import checksums

pytestmark = pytest.mark.long

VOXEL = 6  # mm
OF_A_RUN = ('log', 'logs')
"""Folders of records, which name a run."""


@pytest.fixture(scope='module')
def preprocessed(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp('sessions') / 'fmriprep', np.random.default_rng(4)
    for session in ('pre', 'post'):
        write_dataset(root, rng, voxel=VOXEL, stem=STEM.replace('ses-pre', f'ses-{session}'))
    return root


def made(out):
    """Return the checksums of everything but records, pages and the description."""
    files = [
        path for path in out.rglob('*')
        if path.is_file() and path.parent != out and not set(OF_A_RUN) & set(path.relative_to(out).parts)
    ]  # fmt: skip
    return checksums(out, files)


def page(out):
    """Return the page without what names the run: its command, and when it was."""
    text = (out / 'sub-01.html').read_text()
    text = re.sub(r'run started [^<]*', '', text)
    return re.sub(r'(?s)<section id="run".*?</section>', '', re.sub(r'content="[0-9a-f]{64}"', '', text))


def unpack(source: Path, target: Path):
    """Copy as an archive is unpacked: what is there already is replaced."""
    shutil.copytree(source, target, dirs_exist_ok=True)


def test_two_jobs_are_one(preprocessed, tmp_path, capsys):
    folders = {name: tmp_path / name / 'out' for name in ('pre', 'post', 'both')}
    for name, out in folders.items():
        labels = ['pre', 'post'] if name == 'both' else [name]
        assert run(preprocessed, out, '--session-label', *labels) == 0
    merged = tmp_path / 'merged' / 'out'
    for name in ('pre', 'post'):
        unpack(folders[name], merged)
    assert made(merged) == made(folders['both'])
    receipts = [
        sorted(p.name for p in out.glob('sub-01/log/manifest/*')) for out in (merged, folders['both'])
    ]
    assert receipts[0] == receipts[1] != []
    assert not is_page_current(merged, '01')  # it is that of the last job
    capsys.readouterr()
    assert run(preprocessed, merged) == 0
    said = capsys.readouterr().out
    assert '0 processed, 1 already up to date' in said
    assert f'report: {merged / "sub-01.html"}' in said
    assert page(merged) == page(folders['both'])
    told = [(out / 'sub-01/log/CITATION.md').read_text() for out in (merged, folders['both'])]
    assert told[0] == told[1]
    links = [
        json.loads((o / 'dataset_description.json').read_text())['DatasetLinks'] for o in folders.values()
    ]
    assert links[0] == links[1] == links[2]


def test_another_session_leaves_the_first_as_it_is(preprocessed, tmp_path, capsys):
    out = tmp_path / 'out'
    assert run(preprocessed, out, '--session-label', 'pre') == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob('*ses-pre*') if path.is_file()}
    assert run(preprocessed, out, '--session-label', 'post') == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    html = (out / 'sub-01.html').read_text()
    assert 'session pre' in html
    assert 'session post' in html
    capsys.readouterr()
    assert run(preprocessed, out) == 0
    assert '0 processed' in capsys.readouterr().out


def test_what_is_asked_of_one_chain_does_not_refuse_another(preprocessed, tmp_path, capsys):
    """Files that are written beside the others are added; another filter needs --overwrite and says so."""
    out = tmp_path / 'out'
    assert run(preprocessed, out, '--session-label', 'pre') == 0
    assert run(preprocessed, out, '--session-label', 'pre', '--n-streamlines', '2000', '--write-tck') == 0
    assert '0 processed' in capsys.readouterr().out
    assert run(preprocessed, out, '--session-label', 'pre', '--write-denoised') == 0
    assert '1 processed' in capsys.readouterr().out
    assert len(list(out.rglob('*_desc-denoised_bold.nii.gz'))) == 1
    assert run(preprocessed, out, '--session-label', 'pre') == 0
    assert '0 processed' in capsys.readouterr().out
    assert run(preprocessed, out, '--session-label', 'pre', '--low-pass', '0.1') == 73
    assert (
        'ses-pre task-rest connectivity of sub-01 was made with low_pass = 0.09, now 0.1'
        in capsys.readouterr().err
    )
    assert run(preprocessed, out, '--session-label', 'pre', '--low-pass', '0.1', '--overwrite') == 0
