"""Which reverse phase-encoded images belong to a BOLD run, what is wrong with others, and where they lead."""

import json

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


def passed_over(root, *words):
    """Return what is said of images that are not used."""
    found = collect(settings_of(root, *words), '01').absent
    return ' | '.join(absence.reason for absence in found if absence.modality == 'bold fieldmap')


def set_bold(root, **metadata):
    facts = {'RepetitionTime': 2.0, **ENCODED, **metadata}
    path = root / 'sub-01' / 'func' / f'{BOLD}.json'
    path.write_text(json.dumps({key: value for key, value in facts.items() if value is not None}))


@pytest.mark.parametrize('form', [OLD, NEW, [NEW], ['func/other_bold.nii.gz', OLD]])
def test_intended_for_in_either_form(root, form):
    epi(root, 'j', IntendedFor=form)
    epi(root, 'j-', IntendedFor=form)
    pair = run_of(root).estimator
    assert [(e.path.name, e.direction, e.readout_time) for e in pair.epi] == [
        ('sub-01_dir-PA_epi.nii.gz', 'j', 0.05),
        ('sub-01_dir-AP_epi.nii.gz', 'j-', 0.05),
    ]
    assert pair.run[1:3] == ('j-', 0.04)


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
    assert all('acq-b0' in e.path.name for e in run_of(root).estimator.epi)


def test_images_that_differ_in_direction_alone_come_first(root):
    for direction, name in (('j', 'dir-PA_run-1'), ('j-', 'dir-AP_run-2'), ('j', 'dir-PA_run-2')):
        epi(root, direction, f'sub-01_{name}_epi')
    assert all('run-2' in e.path.name for e in run_of(root).estimator.epi)


@pytest.mark.parametrize(
    'form', [f'sub-01/{OLD}', f'/{OLD}', f'./{OLD}', OLD.removesuffix('.gz'), f'bids:raw:sub-01/{OLD}']
)
def test_intended_for_as_people_write_it(root, form):
    """With the participant in front, from the root, or of before the image was compressed."""
    for direction in ('j', 'j-'):
        epi(root, direction, IntendedFor=[form])
    assert run_of(root).estimator


PHASE = {'EchoTime1': 0.00492, 'EchoTime2': 0.00738}
MAPS = {
    'phasediff': ({'phasediff': PHASE}, 'magnitude1', (0.00492, 0.00738)),
    'phasediff, both magnitudes': ({'phasediff': PHASE, 'magnitude2': {}}, 'magnitude1', (0.00492, 0.00738)),
    'EchoTimeDifference': ({'phasediff': {'EchoTimeDifference': 0.00246}}, 'magnitude2', (0.0, 0.00246)),
    'phases': (
        {'phase2': {'EchoTime': 0.00738}, 'phase1': {'EchoTime': 0.00492}}, 'magnitude1', (0.00492, 0.00738)
    ),
    'fieldmap': ({'fieldmap': {'Units': 'rad/s'}}, 'magnitude', ()),
}  # fmt: skip


def write_maps(root, maps, magnitude, **metadata):
    for suffix, facts in maps.items():
        write(root / 'sub-01' / 'fmap' / f'sub-01_{suffix}.nii.gz', {'IntendedFor': OLD, **facts, **metadata})
    write(root / 'sub-01' / 'fmap' / f'sub-01_{magnitude}.nii.gz', {})


@pytest.mark.parametrize(('maps', 'magnitude', 'times'), MAPS.values(), ids=MAPS)
def test_maps_of_phase_or_field_are_used(root, maps, magnitude, times):
    write_maps(root, maps, magnitude)
    found = run_of(root).estimator
    assert found.kind in (*maps, 'phases')
    assert [path.name for path in found.maps] == sorted(
        f'sub-01_{s}.nii.gz' for s in maps if s[:5] != 'magni'
    )
    assert found.magnitude.name == f'sub-01_{magnitude}.nii.gz'
    assert (found.echo_times, found.run[1:3]) == (times, ('j-', 0.04))
    assert passed_over(root) == ''


@pytest.mark.parametrize(
    ('maps', 'says'),
    [
        (
            {'phasediff': {'EchoTime1': 4.92, 'EchoTime2': 7.38}},
            '(4.92, 7.38) are no two rising times in seconds',
        ),
        ({'phasediff': {}}, '(None, None) are no two rising times'),
        ({'phasediff': {'EchoTime1': 0.007, 'EchoTime2': 0.005}}, 'no two rising times'),
        ({'phase1': {'EchoTime': 0.005}}, 'the other of phase1 and phase2 is not here'),
        ({'fieldmap': {}}, 'Units of sub-01_fieldmap.nii.gz is absent, none of Hz, rad/s, T'),
        ({'fieldmap': {'Units': 'ppm'}}, 'is ppm, none of Hz'),
    ],
)
def test_maps_that_cannot_be_used_are_said(root, maps, says):
    write_maps(root, maps, 'magnitude1')
    assert run_of(root).estimator is None
    assert says in passed_over(root)


def test_a_map_without_magnitude_or_sign_is_said(root):
    write_maps(root, {'phasediff': PHASE}, 'magnitude1')
    (root / 'sub-01/fmap/sub-01_magnitude1.nii.gz').unlink()
    assert 'has no magnitude image beside it' in passed_over(root)
    set_bold(root, PhaseEncodingDirection=None, PhaseEncodingAxis='j')
    assert run_of(root).estimator is None
    assert 'and with it the sign' in passed_over(root)


def test_maps_of_another_run_are_not_spoken_of(root):
    write_maps(root, {'phasediff': PHASE}, 'magnitude1', IntendedFor='func/sub-01_task-nback_bold.nii.gz')
    assert run_of(root).estimator is None
    assert passed_over(root) == ''


def test_the_first_kind_is_used_and_the_others_are_told(root):
    write_maps(root, {'phasediff': PHASE}, 'magnitude1')
    epi(root, 'j')
    assert run_of(root).estimator.kind == 'reverse'
    assert 'sub-01_phasediff.nii.gz: not used' in passed_over(root)
    assert 'preferred is: one EPI of reverse phase encoding' in passed_over(root)
    epi(root, 'j-')
    assert run_of(root).estimator.kind == 'pair'


SHIM = [1, -2, 3]


def test_the_same_shim_makes_them_belong(root):
    """Only where nothing is meant for the run, and never images that are meant for another."""
    set_bold(root, ShimSetting=SHIM)
    write_maps(root, {'phasediff': PHASE}, 'magnitude1', IntendedFor=[], ShimSetting=SHIM)
    assert run_of(root).estimator.kind == 'phasediff'
    write_maps(root, {'phasediff': PHASE}, 'magnitude1', IntendedFor=[], ShimSetting=[1, -2, 4])
    assert run_of(root).estimator is None
    assert 'no ShimSetting says that they were acquired with its field' in passed_over(root)
    write_maps(root, {'phasediff': PHASE}, 'magnitude1', IntendedFor='func/other.nii.gz', ShimSetting=SHIM)
    assert run_of(root).estimator is None


def test_a_series_of_the_session_may_show_the_field(root):
    """Another run in the opposite direction, by the identifier of the field."""
    set_bold(root, B0FieldSource='own')
    facts = {'PhaseEncodingDirection': 'j', 'TotalReadoutTime': 0.04, 'B0FieldIdentifier': 'own'}
    write(root / 'sub-01/func/sub-01_task-rest_dir-PA_sbref.nii.gz', facts)
    found = run_of(root).estimator
    assert (found.kind, found.epi[0].path.name) == ('reverse', 'sub-01_task-rest_dir-PA_sbref.nii.gz')


def test_an_estimate_of_the_readout_is_said_to_be_one(root, caplog):
    set_bold(root, TotalReadoutTime=None, EstimatedTotalReadoutTime=0.028)
    write_maps(root, {'phasediff': PHASE}, 'magnitude1')
    assert run_of(root).estimator.run.readout_time == 0.028
    assert 'EstimatedTotalReadoutTime 0.028 s stands for it, an estimate' in caplog.text


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
    assert {run.entities['ses']: run.estimator is not None for run in runs} == {'pre': False, 'post': True}


def test_files_and_sources_hold_the_pair(root):
    epi(root, 'j')
    epi(root, 'j-')
    run = run_of(root)
    assert 'bids:raw:sub-01/fmap/sub-01_dir-PA_epi.nii.gz' in run.uris()
    assert set(run.estimator.files()) < set(run.files())


@pytest.mark.parametrize('word', ['fieldmaps', 'sdc'])
def test_ignored_images_are_no_input(root, word):
    epi(root, 'j')
    epi(root, 'j-')
    run = run_of(root, '--ignore', word)
    assert run.estimator is None
    assert run.files() == [run.bold]


@pytest.mark.parametrize(
    ('first', 'second', 'says', 'is_reverse'),
    [
        ({'TotalReadoutTime': 0.06}, {}, '0.06 and 0.05 s, differ', True),
        ({'TotalReadoutTime': None}, {}, 'TotalReadoutTime of sub-01_dir-PA_epi.nii.gz is absent', False),
        (
            {'PhaseEncodingDirection': None},
            {},
            'PhaseEncodingDirection of sub-01_dir-PA_epi.nii.gz is absent',
            False,
        ),
        (
            {'PhaseEncodingDirection': 'PA'},
            {},
            'PhaseEncodingDirection of sub-01_dir-PA_epi.nii.gz is absent',
            False,
        ),
        ({'PhaseEncodingDirection': 'i'}, {}, 'is j-, i, and two opposite ones are needed', False),
        ({'IntendedFor': None}, {}, 'two opposite ones are needed', False),
        ({'IntendedFor': None}, {'IntendedFor': None}, 'no B0FieldIdentifier or IntendedFor', False),
    ],
)
def test_images_that_are_no_pair_are_said(root, first, second, says, is_reverse):
    """One that is encoded against the run serves alone."""
    epi(root, 'j', 'sub-01_dir-PA_epi', **first)
    epi(root, 'j-', 'sub-01_dir-AP_epi', **second)
    found = run_of(root).estimator
    assert (found is not None) is is_reverse
    if found:
        assert (found.kind, found.epi[0].path.name) == ('reverse', 'sub-01_dir-PA_epi.nii.gz')
    assert says in passed_over(root)


def test_one_image_that_is_encoded_against_the_run_serves(root):
    epi(root, 'j')
    found = run_of(root).estimator
    assert (found.kind, [e.direction for e in found.epi]) == ('reverse', ['j'])
    assert passed_over(root) == ''


def test_the_run_itself_needs_a_direction(root):
    epi(root, 'j')
    epi(root, 'j-')
    set_bold(root, PhaseEncodingDirection=None)
    run = run_of(root)
    assert (run.estimator, run.phase_encoding) == (None, '')
    assert f'PhaseEncodingDirection of {BOLD}.nii.gz' in passed_over(root)


def test_readout_time_falls_back(root):
    epi(root, 'j', TotalReadoutTime=None)
    epi(root, 'j-', TotalReadoutTime=None)
    set_bold(root, TotalReadoutTime=None)
    pair = run_of(root, '--fallback-total-readout-time', '0.03').estimator
    assert [e.readout_time for e in (pair.run, *pair.epi)] == [0.03] * 3


def test_nothing_there_is_no_warning(root, caplog):
    assert run_of(root).estimator is None
    assert 'distortion' not in caplog.text


def distortion_of(root, *words):
    settings = settings_of(root, *words)
    person = collect(settings, '01')
    workflow = run_workflow(settings, person, person.runs[0]).get_node('functional_wf')
    node = workflow.get_node('distortion')
    check_wiring(workflow, unused=frozenset() if node else frozenset({'t1w_mask'}))
    return node and node.inputs


def test_pair_reaches_the_workflow(root):
    epi(root, 'j')
    epi(root, 'j-')
    inputs = distortion_of(root, '--use-syn-sdc')
    source = inputs.source
    assert (source.kind, source.directions, source.readout_times) == ('pair', ('j', 'j-'), (0.05, 0.05))
    assert (source.direction, source.readout_time) == ('j-', 0.04)
    assert [path.rpartition('_dir-')[2] for path in inputs.images] == ['PA_epi.nii.gz', 'AP_epi.nii.gz']


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


@pytest.mark.parametrize(
    ('words', 'facts', 'direction'),
    [
        (('--use-syn-sdc',), {'PhaseEncodingAxis': 'j'}, 'j'),
        ((), {'PhaseEncodingAxis': 'j'}, ''),
        (('--use-syn-sdc',), {'PhaseEncodingAxis': 'y'}, ''),
        (('--use-syn-sdc', '--ignore', 'fieldmaps'), {'PhaseEncodingAxis': 'j'}, ''),
    ],
)
def test_an_axis_without_sign_serves_the_registration_alone(root, words, facts, direction):
    """It finds the sign; a map of the field cannot."""
    set_bold(root, PhaseEncodingDirection=None, **facts)
    write_maps(root, {'phasediff': PHASE}, 'magnitude1')
    run = run_of(root, *words)
    assert run.estimator is None
    assert run.t1w_direction(settings_of(root, *words)) == direction
    assert run.is_undistorted(settings_of(root, *words)) is bool(direction)


@pytest.mark.parametrize('words', [(), ('--use-syn-sdc',)])
def test_what_was_measured_goes_before_the_registration(root, words):
    write_maps(root, {'phasediff': PHASE}, 'magnitude1')
    run = run_of(root, *words)
    assert run.is_undistorted(settings_of(root, *words))
    assert run.t1w_direction(settings_of(root, *words)) == ''
