"""Echoes of a raw run: which belong together, what is asked of them, and where they lead."""

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from bids_app.cli import main, make_settings
from bids_app.participant.bold import run_workflow
from bids_app.scans.echoes import by_echo, echo_order
from bids_app.scans.people import collect
from pipelines.errors import DataError
from tests.wiring import check_wiring

T_R = 2.0


@pytest.fixture
def root(tmp_path):
    """Return a person with a T1w image and a run of three echoes of 240 volumes."""
    root = tmp_path / 'raw'
    own = root / 'sub-01'
    write(own / 'anat/sub-01_T1w.nii.gz', (4, 4, 4))
    for number, time in ((1, 0.012), (2, 0.028), (3, 0.044)):
        echo(root, number, time)
    (root / 'dataset_description.json').write_text('{"Name": "x", "BIDSVersion": "1.9.0"}')
    return root


def write(path, shape, **facts):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nb.Nifti1Image(np.ones(shape, np.int16), np.diag([50, 50, 50, 1]))
    if len(shape) == 4:
        image.header.set_zooms((50, 50, 50, T_R))
        image.header.set_xyzt_units('mm', 'sec')
    nb.save(image, path)
    path.with_name(path.name.replace('.nii.gz', '.json')).write_text(json.dumps(facts))
    return path


def echo(root, number, time, run=''):
    facts = {'RepetitionTime': T_R, 'TaskName': 'rest', **({} if time is None else {'EchoTime': time})}
    path = root / f'sub-01/func/sub-01_task-rest{run}_echo-{number}_bold.nii.gz'
    return write(path, (2, 2, 4, 240), **facts)


def settings_of(root, *words):
    work = str(root.parent / 'work')
    return make_settings([str(root), str(root.parent / 'out'), 'participant', '-w', work, *words])


def test_runs_keep_their_own_echoes(root):
    for number, time in ((1, 0.012), (2, 0.028)):
        echo(root, number, time, '_run-2')
    runs = collect(settings_of(root), '01').runs
    assert sorted(len(run.echoes) for run in runs) == [2, 3]
    assert {run.entities.get('run') for run in runs} == {None, '2'}


def test_a_run_beside_echoes_stays_alone():
    names = ['sub-01_task-rest_bold.nii.gz', *(f'sub-01_task-x_echo-{n}_bold.nii.gz' for n in (1, 2))]
    assert [len(group) for group in by_echo([Path(name) for name in names])] == [1, 2]


def test_every_echo_is_listed_and_named_as_an_input(root, capsys):
    words = [str(root), str(root.parent / 'out'), 'participant', '-w', str(root.parent / 'work'), '--dry-run']
    assert main(words) == 0
    said = capsys.readouterr().out
    for number in (1, 2, 3):
        assert f'sub-01_task-rest_echo-{number}_bold.nii.gz' in said


def test_echoes_reach_the_workflow(root):
    settings = settings_of(root)
    person = collect(settings, '01')
    workflow = run_workflow(settings, person, person.runs[0])
    functional = workflow.get_node('functional_wf')
    check_wiring(functional, unused=frozenset({'t1w_mask'}))
    given = functional.get_node('combine_echoes').inputs
    assert given.echo_times == [0.012, 0.028, 0.044]
    assert [path.rpartition('echo-')[2][0] for path in given.echoes] == ['1', '2', '3']
    assert functional.get_node('prepare').inputs.bold == given.echoes[0]


@pytest.mark.parametrize('time', [None, 12, 0, -0.01, True, '0.012', 0.5])
def test_a_time_that_is_none_is_named(root, time):
    """In ms, as text, absent or beyond what a scan has: the file, the value and what to do."""
    path = echo(root, 1, time)
    with pytest.raises(DataError, match='EchoTime') as error:
        echo_order(settings_of(root), sorted(path.parent.glob('*_bold.nii.gz')))
    assert str(path) in str(error.value)
    assert repr(time) in str(error.value)
    assert '--bids-filter-file' in str(error.value)
