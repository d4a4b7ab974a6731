"""Series of a session that belong together, those that do not, and fieldmaps that name them."""

import json

import numpy as np
import pytest

from bids_app.scans.encoding import encoding_of
from tests.cases.dwi_files import BOTH, SIDECAR, Plan, Series, pair_in, plan_of, write_pair

AP = BOTH[:1]


@pytest.fixture
def root(tmp_path):
    return write_pair(tmp_path / 'raw')


@pytest.fixture
def plan(root, capsys, caplog):
    return lambda *words: Plan(root, capsys, caplog, *words)


@pytest.mark.parametrize(
    ('words', 'volumes', 'direction'),
    [([], 0, ''), (['--use-syn-sdc'], 0, 'j'), (['--use-syn-sdc'], 1, 'j'), (['--use-syn-sdc'], 21, '')],
)
def test_an_axis_without_sign_serves_registration_alone(root, plan, words, volumes, direction):
    """It finds the sign itself, but two series could differ in it; one that is left out does not count."""
    for series in pair_in(root):
        series.say(PhaseEncodingDirection=None, PhaseEncodingAxis='j')
    if volumes:
        pair_in(root)[1].keep(np.arange(volumes))
    else:
        pair_in(root)[1].remove()
    found = plan(*words)
    assert {scan.direction for scan in found.scans} == {direction}
    assert "PhaseEncodingAxis 'j' has no sign, and only --use-syn-sdc corrects" in found.said


@pytest.mark.parametrize('axis', ['y', '', None, 1, ['j']])
def test_an_axis_that_bids_does_not_know_is_none(axis):
    found = encoding_of({'PhaseEncodingAxis': axis})
    assert (found.direction, found.axis) == ('', '')
    assert found.remarks == ['PhaseEncodingDirection is absent: its distortion stays. Mend the sidecar.']


# --- fieldmaps ---


def fieldmap(root, name, **facts):
    series = Series(root / 'sub-05' / 'fmap', name).write(np.full((4, 4, 4), 100, np.int16))
    return series.say(**SIDECAR, **facts)


@pytest.mark.parametrize(
    'facts',
    [
        {'IntendedFor': ['bids::sub-05/dwi/sub-05_dir-AP_dwi.nii.gz']},
        {'IntendedFor': 'dwi/sub-05_dir-AP_dwi.nii.gz'},
        {'B0FieldIdentifier': 'pepolar_dwi'},
    ],
)
@pytest.mark.parametrize('name', ['sub-05_dir-PA_epi', 'sub-05_phasediff'])
def test_a_fieldmap_that_names_the_series_and_cannot_serve_is_named(root, plan, facts, name):
    ap, pa = pair_in(root)
    pa.remove()
    ap.say(B0FieldSource='pepolar_dwi')
    fieldmap(root, name, **facts)
    found = plan()
    assert (found.status, found.names) == (0, AP)
    assert (
        found.said.count(f'sub-05_dir-AP_dwi.nii.gz: distortion is not corrected with {name}.nii.gz: ') == 1
    )
    assert found.sessions[0].estimator is None


def test_fieldmaps_of_others_or_left_out_by_an_option_are_not_missed(root, plan):
    fieldmap(root, 'sub-05_dir-PA_epi', IntendedFor='func/sub-05_task-rest_bold.nii.gz')
    assert 'not used (dwi fieldmap)' not in plan().said
    fieldmap(root, 'sub-05_dir-PA_epi', IntendedFor='dwi/sub-05_dir-AP_dwi.nii.gz')
    assert 'not used (dwi fieldmap)' not in plan('--ignore', 'fieldmaps').said


def test_a_broken_fieldmap_costs_itself(root, plan):
    fieldmap(root, 'sub-05_dir-PA_epi').file('.json').write_text('{"Intended')
    found = plan()
    assert (found.status, found.names) == (0, BOTH)
    assert 'not used (dwi fieldmap)' in found.said
    assert 'no valid JSON' in found.said


def test_fieldmaps_are_those_of_the_session(tmp_path, capsys, caplog):
    """One that names the series of another session is named with that session, once."""
    root = tmp_path / 'raw'
    for label in ('pre', 'post'):
        folder = root / 'sub-05' / f'ses-{label}'
        series = Series(folder / 'dwi', f'sub-05_ses-{label}_dwi')
        series.write(np.full((4, 4, 4, 21), 100, np.int16), *plan_of()).say(**SIDECAR)
        image = Series(folder / 'fmap', f'sub-05_ses-{label}_epi').write(np.full((4, 4, 4), 100, np.int16))
        image.say(IntendedFor=f'ses-{label}/dwi/sub-05_ses-{label}_dwi.nii.gz', PhaseEncodingDirection='j')
    found = Plan(root, capsys, caplog)
    assert found.status == 0
    assert len(found.sessions) == 2
    for label in ('pre', 'post'):
        meant = (
            f'sub-05_ses-{label}_dwi.nii.gz: distortion is not corrected with sub-05_ses-{label}_epi.nii.gz: '
        )
        assert found.said.count(meant) == 1


# --- two protocols of one session ---


def protocols(root, *, voxel=3.0, shape=(4, 4, 4), b=(2500.0,), names=('acq-a', 'acq-b')):
    """File the pair as two acquisitions, the second of another protocol."""
    ap, pa = pair_in(root)
    other = pa.rename(f'sub-05_{names[1]}_dwi')
    ap.rename(f'sub-05_{names[0]}_dwi')
    bvals, bvecs = plan_of(20, b)
    data = np.full((*shape, len(bvals)), 100, np.int16)
    other.write(data, bvals, bvecs, np.diag([voxel, voxel, voxel, 1]))


@pytest.mark.parametrize(
    ('other', 'says'),
    [
        ({'voxel': 2.0}, ['voxels of 3 x 3 x 3 mm, b 2500', 'voxels of 2 x 2 x 2 mm', '{"dwi": {"acquisition": "a"}}']),
        ({'shape': (4, 4, 5)}, ['4 x 4 x 4 voxels', '4 x 4 x 5 voxels']),
        ({'b': (1000.0,)}, ['b 2500)', 'b 1000)', 'pool them with {"dwi": {"acquisition": ["a", "b"]}}']),
        ({'b': (1000.0, 2500.0)}, ['b 2500)', 'b 1000 2500)']),
        ({'voxel': 2.0, 'names': ('run-1', 'run-2')}, ['{"dwi": {"run": 1}}']),
        ({'voxel': 2.0, 'names': ('dir-AP', 'dir-PA')}, ['{"dwi": {"direction": "AP"}}']),
        ({'voxel': 2.0, 'names': ('dir-AP', 'acq-b_dir-AP')}, ['{"dwi": {"acquisition": ']),
    ],
)  # fmt: skip
def test_two_protocols_of_a_session_are_asked_for(root, plan, other, says):
    protocols(root, **other)
    found = plan()
    assert (found.status, found.names) == (66, [])
    assert 'are different protocols of one session, and are not pooled' in found.said
    for word in says:
        assert word in found.said


@pytest.mark.parametrize(
    ('other', 'wanted', 'used'),
    [
        ({'voxel': 2.0}, {'acquisition': 'a'}, ['sub-05_acq-a_dwi']),
        ({'voxel': 2.0}, {'acquisition': 'b'}, ['sub-05_acq-b_dwi']),
        ({'voxel': 2.0, 'names': ('run-1', 'run-2')}, {'run': 1}, ['sub-05_run-1_dwi']),
        ({'voxel': 2.0, 'names': ('dir-AP', 'acq-b_dir-AP')}, {'acquisition': None}, ['sub-05_dir-AP_dwi']),
        ({'b': (1000.0,)}, {'acquisition': ['a', 'b']}, ['sub-05_acq-a_dwi', 'sub-05_acq-b_dwi']),
    ],
)
def test_the_remedy_that_is_named_works(root, plan, tmp_path, other, wanted, used):
    protocols(root, **other)
    (tmp_path / 'filter.json').write_text(json.dumps({'dwi': wanted}))
    found = plan('--bids-filter-file', str(tmp_path / 'filter.json'))
    assert (found.status, found.names) == (0, used)


@pytest.mark.parametrize(
    'other',
    [
        {},
        {'b': (2530.0,)},
        {'names': ('run-1', 'run-2')},
        {'names': ('run-1', 'run-2'), 'b': (1000.0,)},
        {'names': ('dir-AP', 'dir-PA'), 'b': (1000.0,)},
    ],
)
def test_one_protocol_in_several_series_is_pooled(root, plan, other):
    protocols(root, **other)
    found = plan()
    assert found.status == 0
    assert len(found.sessions) == 1
    assert len(found.scans) == 2


# --- how a series was encoded ---


@pytest.mark.parametrize('direction', ['i', 'i-', 'j', 'j-', 'k', 'k-'])
@pytest.mark.parametrize('time', [0.05, '0.05', ' 5e-2 '])
def test_directions_and_times_of_bids(direction, time):
    found = encoding_of({'PhaseEncodingDirection': direction, 'TotalReadoutTime': time})
    assert found[:2] == (direction, 0.05)
    assert len(found.remarks) == isinstance(time, str)


@pytest.mark.parametrize(
    'value', [0, -1, 1.5, 47.5, 'nan', 'inf', '', 'fast', None, [0.05], {'s': 1}, True, 10**400]
)
def test_what_is_no_time_is_not_used(value):
    """The spacing of echoes times the steps between the first and the last line stands in its place."""
    about = {'PhaseEncodingDirection': 'j', 'TotalReadoutTime': value}
    assert encoding_of(about).readout_time == 0
    assert encoding_of(about, 0.03).readout_time == 0.03
    computed = encoding_of({**about, 'EffectiveEchoSpacing': '0.0005', 'ReconMatrixPE': 101}, 0.03)
    assert computed.readout_time == pytest.approx(0.05, rel=1e-12)
    assert '= 0.05 s is used' in computed.remarks[-1]


@pytest.mark.parametrize(
    'about',
    [
        {'EffectiveEchoSpacing': 0.0005},
        {'ReconMatrixPE': 101},
        {'EffectiveEchoSpacing': 0.5, 'ReconMatrixPE': 101},
        {'EffectiveEchoSpacing': 0.0005, 'ReconMatrixPE': 1},
        {'EffectiveEchoSpacing': 0.0005, 'ReconMatrixPE': [101]},
    ],
)
def test_what_is_known_by_half_gives_no_time(about):
    assert encoding_of({'PhaseEncodingDirection': 'j', **about}).readout_time == 0


@pytest.mark.parametrize('value', ['AP', 'J', 'j+', 'y', 1, ['j'], True])
def test_a_direction_that_bids_does_not_know_is_said_with_its_value(value):
    found = encoding_of({'PhaseEncodingDirection': value, 'TotalReadoutTime': 0.05})
    assert found.direction == ''
    (remark,) = found.remarks
    assert f'PhaseEncodingDirection is {value!r}, none of i, i-, j' in remark
    assert 'Mend the sidecar' in remark
