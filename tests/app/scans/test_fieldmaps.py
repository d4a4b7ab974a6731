"""Which reverse phase-encoded images belong to a BOLD run, what is wrong with others, and where they lead."""

import json
import logging

import nibabel as nb
import numpy as np
import pytest

from bids_app.cli import make_settings
from bids_app.participant.bold import run_workflow
from bids_app.scans.people import collect
from tests.wiring import check_wiring

BOLD = 'sub-01_task-rest_bold'
OLD, NEW = f'func/{BOLD}.nii.gz', f'bids::sub-01/func/{BOLD}.nii.gz'
ENCODED = {'PhaseEncodingDirection': 'j-', 'TotalReadoutTime': 0.04}


def write(path, metadata, shape=(4, 4, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nb.Nifti1Image(np.ones(shape, np.int16), np.diag([50, 50, 50, 1]))
    if len(shape) == 4:
        image.header.set_zooms((2, 2, 2, 2.0))
        image.header.set_xyzt_units('mm', 'sec')
    nb.save(image, path)
    path.with_name(path.name.replace('.nii.gz', '.json')).write_text(json.dumps(metadata))


def epi(root, direction, name=None, **metadata):
    """Write an image of the pair; ``None`` takes a field out of its sidecar."""
    facts = {'PhaseEncodingDirection': direction, 'TotalReadoutTime': 0.05, 'IntendedFor': OLD} | metadata
    facts = {key: value for key, value in facts.items() if value is not None}
    name = name or f'sub-01_dir-{"PA" if direction == "j" else "AP"}_epi'
    write(root / 'sub-01' / 'fmap' / f'{name}.nii.gz', facts)


@pytest.fixture
def root(tmp_path):
    """Return a raw dataset: one run of known encoding and a T1w image."""
    root = tmp_path / 'raw'
    write(root / 'sub-01' / 'anat' / 'sub-01_T1w.nii.gz', {})
    write(root / 'sub-01' / 'func' / f'{BOLD}.nii.gz', {'RepetitionTime': 2.0, **ENCODED}, (4, 4, 4, 6))
    (root / 'dataset_description.json').write_text('{"Name": "x", "BIDSVersion": "1.9.0"}')
    return root


def settings_of(root, *words):
    work = str(root.parent / 'work')
    return make_settings([str(root), str(root.parent / 'out'), 'participant', '-w', work, *words])


def run_of(root, *words):
    (run,) = collect(settings_of(root, *words), '01').runs
    return run


def set_bold(root, **metadata):
    facts = {'RepetitionTime': 2.0, **ENCODED, **metadata}
    path = root / 'sub-01' / 'func' / f'{BOLD}.json'
    path.write_text(json.dumps({key: value for key, value in facts.items() if value is not None}))


@pytest.mark.parametrize('form', [OLD, NEW, [NEW], ['func/other_bold.nii.gz', OLD]])
def test_intended_for_in_either_form(root, form):
    epi(root, 'j', IntendedFor=form)
    epi(root, 'j-', IntendedFor=form)
    pair = run_of(root).pair
    assert [(e.path.name, e.direction, e.readout_time) for e in pair.epi] == [
        ('sub-01_dir-PA_epi.nii.gz', 'j', 0.05),
        ('sub-01_dir-AP_epi.nii.gz', 'j-', 0.05),
    ]
    assert pair.run[1:] == ('j-', 0.04)


def test_field_source_comes_before_intended_for(root):
    set_bold(root, B0FieldSource=['pepolar1'])
    for direction, name in (('j', 'dir-PA'), ('j-', 'dir-AP')):
        epi(root, direction)
        epi(
            root,
            direction,
            f'sub-01_acq-b0_{name}_epi',
            IntendedFor=None,
            B0FieldIdentifier='pepolar1',
        )
    assert all('acq-b0' in e.path.name for e in run_of(root).pair.epi)


def test_images_that_differ_in_direction_alone_come_first(root):
    for direction, name in (('j', 'dir-PA_run-1'), ('j-', 'dir-AP_run-2'), ('j', 'dir-PA_run-2')):
        epi(root, direction, f'sub-01_{name}_epi')
    assert all('run-2' in e.path.name for e in run_of(root).pair.epi)


@pytest.mark.parametrize(
    'form', [f'sub-01/{OLD}', f'/{OLD}', f'./{OLD}', OLD.removesuffix('.gz'), f'bids:raw:sub-01/{OLD}']
)
def test_intended_for_as_people_write_it(root, form):
    """With the participant in front, from the root, or of before the image was compressed."""
    for direction in ('j', 'j-'):
        epi(root, direction, IntendedFor=[form])
    assert run_of(root).pair


@pytest.mark.parametrize('kind', ['phasediff', 'phase1', 'fieldmap'])
def test_maps_of_phase_are_said_not_to_be_used(root, caplog, kind):
    write(root / 'sub-01' / 'fmap' / f'sub-01_{kind}.nii.gz', {'IntendedFor': OLD})
    assert run_of(root).pair is None
    assert f'not corrected with sub-01_{kind}.nii.gz: maps of phase or field are not used' in caplog.text


def test_maps_of_phase_of_another_run_are_not_spoken_of(root, caplog):
    write(
        root / 'sub-01' / 'fmap' / 'sub-01_phasediff.nii.gz',
        {'IntendedFor': 'func/sub-01_task-nback_bold.nii.gz'},
    )
    run_of(root)
    assert 'phasediff' not in caplog.text


def test_images_are_those_of_the_session(tmp_path):
    root = tmp_path / 'raw'
    write(root / 'sub-01' / 'ses-pre' / 'anat' / 'sub-01_ses-pre_T1w.nii.gz', {})
    for ses in ('pre', 'post'):
        bold = f'ses-{ses}/func/sub-01_ses-{ses}_task-rest_bold.nii.gz'
        write(root / 'sub-01' / bold, {'RepetitionTime': 2.0, **ENCODED}, (4, 4, 4, 6))
    for name, direction in (('PA', 'j'), ('AP', 'j-')):
        facts = {'PhaseEncodingDirection': direction, 'TotalReadoutTime': 0.05, 'IntendedFor': bold}
        write(root / 'sub-01' / 'ses-post' / 'fmap' / f'sub-01_ses-post_dir-{name}_epi.nii.gz', facts)
    runs = collect(settings_of(root), '01').runs
    assert {run.entities['ses']: run.pair is not None for run in runs} == {'pre': False, 'post': True}


def test_files_and_sources_hold_the_pair(root):
    epi(root, 'j')
    epi(root, 'j-')
    run = run_of(root)
    assert 'bids:raw:sub-01/fmap/sub-01_dir-PA_epi.nii.gz' in run.uris()
    assert set(run.pair.files()) < set(run.files())


@pytest.mark.parametrize('word', ['fieldmaps', 'sdc'])
def test_ignored_images_are_no_input(root, word):
    epi(root, 'j')
    epi(root, 'j-')
    run = run_of(root, '--ignore', word)
    assert run.pair is None
    assert run.files() == [run.bold]


@pytest.mark.parametrize(
    ('first', 'second', 'says'),
    [
        ({'TotalReadoutTime': 0.06}, {}, '0.06 and 0.05 s, differ'),
        ({'TotalReadoutTime': None}, {}, 'TotalReadoutTime of sub-01_dir-PA_epi.nii.gz is absent'),
        ({'PhaseEncodingDirection': None}, {}, 'PhaseEncodingDirection of sub-01_dir-PA_epi.nii.gz is absent'),
        ({'PhaseEncodingDirection': 'PA'}, {}, 'PhaseEncodingDirection of sub-01_dir-PA_epi.nii.gz is absent'),
        ({'PhaseEncodingDirection': 'i'}, {}, 'is j-, i, and two opposite ones are needed'),
        ({'IntendedFor': None}, {}, 'two opposite ones are needed'),
        ({'IntendedFor': None}, {'IntendedFor': None}, 'no B0FieldIdentifier or IntendedFor'),
    ],
)  # fmt: skip
def test_images_that_cannot_be_used_are_said(root, caplog, first, second, says):
    epi(root, 'j', 'sub-01_dir-PA_epi', **first)
    epi(root, 'j-', 'sub-01_dir-AP_epi', **second)
    with caplog.at_level(logging.WARNING):
        assert run_of(root).pair is None
    assert says in caplog.text


def test_the_run_itself_needs_a_direction(root, caplog):
    epi(root, 'j')
    epi(root, 'j-')
    set_bold(root, PhaseEncodingDirection=None)
    run = run_of(root)
    assert (run.pair, run.phase_encoding) == (None, '')
    assert f'PhaseEncodingDirection of {BOLD}.nii.gz' in caplog.text


def test_readout_time_falls_back(root):
    epi(root, 'j', TotalReadoutTime=None)
    epi(root, 'j-', TotalReadoutTime=None)
    set_bold(root, TotalReadoutTime=None)
    pair = run_of(root, '--fallback-total-readout-time', '0.03').pair
    assert [e.readout_time for e in (pair.run, *pair.epi)] == [0.03] * 3


def test_nothing_there_is_no_warning(root, caplog):
    assert run_of(root).pair is None
    assert 'distortion' not in caplog.text


def distortion_of(root, *words):
    settings = settings_of(root, *words)
    person = collect(settings, '01')
    workflow = run_workflow(settings, person, person.runs[0]).get_node('functional_wf')
    check_wiring(workflow)
    node = workflow.get_node('distortion')
    return node and node.inputs


def test_pair_reaches_the_workflow(root):
    epi(root, 'j')
    epi(root, 'j-')
    inputs = distortion_of(root, '--use-syn-sdc')
    assert inputs.epi_directions == ['j', 'j-']
    assert inputs.epi_readout_times == [0.05, 0.05]
    assert (inputs.phase_encoding, inputs.total_readout_time) == ('j-', 0.04)


@pytest.mark.parametrize(
    ('words', 'direction', 'is_there'),
    [
        ((), 'j-', False),
        (('--use-syn-sdc',), 'j-', True),
        (('--use-syn-sdc',), None, False),
        (('--use-syn-sdc', '--ignore', 'sdc'), 'j-', False),
    ],
)
def test_registration_to_the_t1w_image_is_asked_for(root, words, direction, is_there):
    set_bold(root, PhaseEncodingDirection=direction)
    inputs = distortion_of(root, *words)
    assert (inputs is not None) is is_there
    if inputs:
        assert inputs.phase_encoding == direction
