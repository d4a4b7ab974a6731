"""Progress in a log: plain lines that count; it survives being copied and sent with the nodes."""

import copy
import io
import pickle
from types import SimpleNamespace

from bids_app.running.progress import Progress, step_name
from pipelines.interfaces._interface import tell_progress


def node(name, folder='/w'):
    return SimpleNamespace(
        fullname=f'clbpe_wf.sub_01_wf.ses_pre_task_rest_wf.connectivity_wf.{name}',
        name=name,
        output_dir=lambda: str(folder),
    )


def test_lines_count_and_name_the_step():
    stream = io.StringIO()
    with Progress(3, stream) as progress:
        progress.on_status(node('clean'), 'start')
        progress.on_status(node('clean'), 'end')
        progress.on_status(node('seeds'), 'exception')
    lines = stream.getvalue().splitlines()
    assert lines[0] == '[0/3] sub-01 ses-pre task-rest connectivity: clean running'
    assert lines[1].startswith('[1/3] sub-01 ses-pre task-rest connectivity: clean done in')
    assert lines[2] == '[2/3] sub-01 ses-pre task-rest connectivity: seeds FAILED'


def test_copies_report_to_the_same_place_and_sent_ones_to_none():
    stream = io.StringIO()
    progress = Progress(1, stream)
    callback = copy.deepcopy({'status_callback': progress.on_status})['status_callback']
    callback(node('clean'), 'end')
    assert progress.done == 1
    assert pickle.loads(pickle.dumps(progress.on_status)).__name__ == 'on_status'


def test_long_steps_say_how_far_they_are_once_a_minute(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr('time.monotonic', lambda: now[0])
    stream = io.StringIO()
    progress = Progress(1, stream)
    progress.on_status(node('test', tmp_path), 'start')
    for now[0] in range(0, 190, 10):
        tell_progress(tmp_path, 'permutations')(100 * now[0], 20_000)
        progress.look()
    progress.on_status(node('test', tmp_path), 'end')
    progress.look()
    said = [line.split(': test ')[1] for line in stream.getvalue().splitlines()]
    told = [f'{number:,} of 20,000 permutations' for number in (6000, 12_000, 18_000)]
    assert said == ['running', *told, 'done in 180 s']


def test_parts_of_a_step_are_shown_and_not_counted():
    stream = io.StringIO()
    progress = Progress(1, stream)
    folder = '/w/clbpe_wf/sub_01_wf/task_rest_wf/functional_wf/motion/mapflow'
    part = SimpleNamespace(fullname='_motion0', name='_motion0', base_dir=folder, output_dir=lambda: folder)
    progress.on_status(part, 'start')
    progress.on_status(part, 'end')
    assert progress.done == 0
    assert stream.getvalue().startswith('[0/1] sub-01 task-rest functional: motion, part 1 running')
    assert step_name('a.sub_01_wf.anat_wf.brain') == 'sub-01 anat: brain'
