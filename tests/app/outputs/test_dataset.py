"""The description of the output dataset: of all runs, with sources that can be found from where it lies."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from bids_app.outputs.dataset import DESCRIPTION, write_dataset_files
from tests import damage


def described(out):
    return json.loads((out / DESCRIPTION).read_text())


def test_links_of_all_runs_are_kept(tmp_path):
    bids, out = tmp_path / 'bids', tmp_path / 'bids' / 'derivatives' / 'clbpe'
    out.mkdir(parents=True)
    write_dataset_files(out, bids, {'fmriprep': tmp_path / 'fmriprep'})
    write_dataset_files(out, bids, {'qsiprep': tmp_path / 'qsiprep', 'clbpe': out})
    about = described(out)
    assert about['DatasetLinks'] == {
        'raw': '../..', 'fmriprep': '../../../fmriprep', 'qsiprep': '../../../qsiprep',
    }  # fmt: skip
    for link in about['DatasetLinks'].values():
        assert (out / link).resolve().parent in (tmp_path, tmp_path.parent)
    assert len(about['GeneratedBy']) == len(about['SourceDatasets']) == 1


def test_every_program_that_wrote_is_named_once(tmp_path, monkeypatch):
    for tag in ('clbpe:1', 'clbpe:2', 'clbpe:1'):
        monkeypatch.setenv('CLBPE_DOCKER_TAG', tag)
        write_dataset_files(tmp_path / 'out', tmp_path / 'bids', {})
    assert [entry['Container']['Tag'] for entry in described(tmp_path / 'out')['GeneratedBy']] == [
        'clbpe:1',
        'clbpe:2',
    ]


def test_a_name_that_means_another_place_is_told(tmp_path, caplog):
    for folder in ('a', 'b'):
        write_dataset_files(tmp_path / 'out', tmp_path / 'bids', {'fmriprep': tmp_path / folder})
    assert 'fmriprep of DatasetLinks was ../a and is now ../b' in caplog.text


def test_a_damaged_description_is_made_again(tmp_path):
    write_dataset_files(tmp_path / 'out', tmp_path / 'bids', {})
    before = described(tmp_path / 'out')
    (tmp_path / 'out' / DESCRIPTION).write_text('{"Name": ')
    write_dataset_files(tmp_path / 'out', tmp_path / 'bids', {})
    assert described(tmp_path / 'out') == before


@pytest.mark.fuzz
def test_whatever_stood_there_the_description_is_one(tmp_path):
    """What can be kept of earlier runs is kept; programs and sources are lists of what they were."""
    out = tmp_path / 'out'
    write_dataset_files(out, tmp_path / 'raw', {})
    sound = described(out)

    def read(content):
        damage.write(out / DESCRIPTION, content)
        write_dataset_files(out, tmp_path / 'raw', {})
        found = described(out)
        assert sound['GeneratedBy'][0] in found['GeneratedBy']
        assert found['DatasetLinks']['raw'] == sound['DatasetLinks']['raw']

    assert damage.outcomes_of(damage.json_files(sound), read, 0.5) == {damage.READ}


def test_jobs_side_by_side_lose_nothing(tmp_path):
    links = [{f'source{number}': tmp_path / f'source{number}'} for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda link: write_dataset_files(tmp_path / 'out', tmp_path / 'bids', link), links))
    assert len(described(tmp_path / 'out')['DatasetLinks']) == 17


def test_drafts_of_killed_runs_go_from_folders_that_jobs_share(tmp_path):
    """Old ones alone: a young one may be of a job beside this, and those of a person go when that person is held."""
    made = {
        name: tmp_path / name for name in ('.a.draft', 'logs/.b.draft', 'sub-01/.c.draft', '.young.draft')
    }
    for path in made.values():
        path.parent.mkdir(exist_ok=True)
        path.touch()
        if 'young' not in path.name:
            os.utime(path, (0, 0))
    write_dataset_files(tmp_path, tmp_path / 'raw', {})
    assert [name for name, path in made.items() if path.exists()] == ['sub-01/.c.draft', '.young.draft']
