"""What steps took: measured where they run, written once for each run, shown on the page of whom they were for."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bids_app.running.taken import FILE, OF_NOBODY, Taken, add_taken, read_taken, taken_by
from pipelines.interfaces._measure import measured, resources_file

STEP = Taken('sub-01', 'sub-01 task-rest connectivity: clean', 2.5, 1.25, 0.5, 0.6)


def node(folder, fullname='clbpe_wf.sub_01_wf.task_rest_wf.clean', mem_gb=0.6):
    return SimpleNamespace(output_dir=lambda: str(folder), fullname=fullname, mem_gb=mem_gb)


def test_memory_of_a_step_is_its_own(tmp_path):
    """One after another in the same process: a small step after a large one is small."""
    peaks = []
    for size in (40_000_000, 1_000_000):  # 320 and 8 MB
        with measured(tmp_path):
            assert np.ones(size).sum() == size
        found = json.loads(resources_file(tmp_path).read_text())
        peaks.append(found['peak_gb'] - found['held_gb'])
    assert peaks[0] == pytest.approx(0.298, abs=0.05)  # 320 MB; pages around it
    assert peaks[1] < 0.1


def test_time_is_measured_and_a_step_that_fails_tells_nothing(tmp_path):
    with measured(tmp_path):
        time.sleep(0.1)
    assert 0.1 <= json.loads(resources_file(tmp_path).read_text())['seconds'] < 5
    resources_file(tmp_path).unlink()
    with pytest.raises(ZeroDivisionError), measured(tmp_path):
        raise ZeroDivisionError
    assert not resources_file(tmp_path).exists()


def test_without_proc_memory_is_not_known(tmp_path, monkeypatch):
    plain = Path.read_text

    def read(path, *words, **more):
        if str(path).startswith('/proc'):
            raise FileNotFoundError(path)
        return plain(path, *words, **more)

    monkeypatch.setattr(Path, 'read_text', read)
    with measured(tmp_path):
        pass
    assert json.loads(resources_file(tmp_path).read_text())['peak_gb'] is None


def test_a_step_is_told_with_whom_it_was_for(tmp_path):
    resources_file(tmp_path).write_text('{"seconds": 2.5, "peak_gb": 1.25, "held_gb": 0.5}')
    found = taken_by(node(tmp_path), STEP.step, time.time())
    assert found == STEP
    assert taken_by(node(tmp_path, 'clbpe_wf.group_wf.fit'), 'fit', time.time()).participant_id == OF_NOBODY


def test_a_step_of_an_earlier_run_is_not_told_again(tmp_path):
    resources_file(tmp_path).write_text('{"seconds": 2.5, "peak_gb": 1.25, "held_gb": 0.5}')
    os.utime(resources_file(tmp_path), (time.time() - 60,) * 2)
    assert taken_by(node(tmp_path), 'clean', time.time()) is None
    assert taken_by(node(tmp_path / 'absent'), 'save', time.time()) is None
    resources_file(tmp_path).write_text('{')
    assert taken_by(node(tmp_path), 'clean', time.time()) is None


def test_the_table_has_every_run_and_a_page_the_last(tmp_path):
    slower = STEP._replace(seconds=9.0, peak_gb=None, held_gb=None)
    other = STEP._replace(step='regions', seconds=20.0)
    add_taken(tmp_path, 'run1', [STEP, other])
    add_taken(tmp_path, 'run2', [slower, STEP._replace(participant_id='sub-02')])
    lines = (tmp_path / FILE).read_text().splitlines()
    assert lines[0].split('\t') == [
        'run',
        'participant_id',
        'step',
        'seconds',
        'peak_gb',
        'held_gb',
        'estimate_gb',
    ]
    assert len(lines) == 5
    assert read_taken(tmp_path, 'sub-01') == [other, slower]


def test_runs_side_by_side_lose_nothing(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: add_taken(tmp_path, f'run{n}', [STEP._replace(step=f'step {n}')]), range(32)))
    assert len(read_taken(tmp_path, 'sub-01')) == 32


def test_no_table_is_no_failure(tmp_path):
    assert read_taken(tmp_path, 'sub-01') == []
    add_taken(tmp_path, 'run', [])
    assert not (tmp_path / FILE).exists()
    (tmp_path / 'logs').write_text('in the way')
    add_taken(tmp_path, 'run', [STEP])
    assert read_taken(tmp_path, 'sub-01') == []
