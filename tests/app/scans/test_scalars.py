"""Further maps along tracts: which files they are, what is said of others, and what is refused at once."""

import re
import shutil

import nibabel as nb
import numpy as np
import pytest

from bids_app.cli import main, make_settings
from bids_app.outputs.chains import chain_of_session, chain_of_tract
from bids_app.outputs.plan import of_participant
from bids_app.participant.diffusion import tract_workflow
from bids_app.participant.run import tracked_files
from bids_app.scans.people import collect
from bids_app.scans.scalars import SCALAR
from pipelines.errors import ParameterError
from pipelines.scalar_maps import ScalarParams
from tests.app.scans.test_diffusion_inputs import T1W, anatomy, build, dwi, series
from tests.wiring import check_wiring

ICVF = 'icvf=*_param-icvf_dwimap.nii.gz'
SESSIONS = ('pre', 'post')


def write_map(root, name, session='pre', space='ACPC', shape=(2, 2, 2), **more):
    words = [f'{key}-{value}' for key, value in {'space': space, **more, 'param': name}.items() if value]
    label = f'ses-{session}' if session else ''
    folder = root / 'sub-01' / label / 'dwi'
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'{"_".join(word for word in ["sub-01", label, *words] if word)}_dwimap.nii.gz'
    nb.save(nb.Nifti1Image(np.ones(shape, np.float32), np.diag([2.0, 2, 2, 1])), path)
    return path


@pytest.fixture
def qsiprep(tmp_path):
    sessions = [{'session': label, 'dwi': series()} for label in SESSIONS]
    return build(tmp_path / 'qsiprep', {'01': [{'session': None, 'anat': anatomy()}, *sessions]})


@pytest.fixture
def noddi(tmp_path):
    root = tmp_path / 'noddi'
    for session in SESSIONS:
        write_map(root, 'icvf', session)
        write_map(root, 'od', session)
    return root


def settings_of(root, *words, **derivatives):
    given = [f'{name}={path}' for name, path in derivatives.items()]
    folders = [str(root), str(root.parent / 'out'), 'participant', '-w', str(root.parent / 'work')]
    return make_settings([*folders, *(['-d', *given] if given else []), *words])


def found_in(qsiprep, noddi, *patterns):
    return collect(settings_of(qsiprep, '--scalars', *patterns, qsiprep=qsiprep, noddi=noddi), '01')


def lacks(found):
    return [absence.reason for absence in found.absent if absence.modality == SCALAR]


def test_each_session_gets_its_own_file(qsiprep, noddi):
    found = found_in(qsiprep, noddi, ICVF, 'od=dwi/*_param-od_*')
    assert lacks(found) == []
    maps = [own for session in found.diffusion.sessions for own in session.scalars]
    assert [(own.name, own.session) for own in maps] == [
        (name, session) for session in ('post', 'pre') for name in ('icvf', 'od')
    ]
    for own in maps:
        name = f'sub-01_ses-{own.session}_space-ACPC_param-{own.name}_dwimap.nii.gz'
        assert own.path == str(noddi / 'sub-01' / f'ses-{own.session}' / 'dwi' / name)
        assert own.source == f'bids:noddi:sub-01/ses-{own.session}/dwi/{name}'


@pytest.mark.parametrize(
    'pattern', ['sub-*/ses-*/dwi/*icvf*', 'ses-*/dwi/*icvf*', '*_param-icvf_dwimap.nii*', '*icvf*.gz']
)
def test_patterns_are_held_against_the_end_of_a_path(qsiprep, noddi, pattern):
    found = found_in(qsiprep, noddi, f'a={pattern}')
    assert [bool(own.path) for session in found.diffusion.sessions for own in session.scalars] == [True, True]


def test_a_session_without_one_is_named_and_goes_on(qsiprep, noddi):
    next(noddi.rglob('*ses-post*icvf*')).unlink()
    found = found_in(qsiprep, noddi, ICVF)
    assert [session.label for session in found.diffusion.sessions] == ['post', 'pre']
    (reason,) = lacks(found)
    assert reason == 'sub-01: icvf: session post has no image that matches *_param-icvf_dwimap.nii.gz'
    post, pre = (session.scalars[0] for session in found.diffusion.sessions)
    assert (post.path, post.lack) == ('', reason.removeprefix('sub-01: icvf: '))
    assert pre.path
    assert not pre.lack


def test_a_person_without_any_goes_on(qsiprep, noddi, capsys):
    shutil.rmtree(noddi / 'sub-01')
    (noddi / 'sub-02').mkdir()
    words = [
        '-d',
        f'qsiprep={qsiprep}',
        f'noddi={noddi}',
        '--participant-label',
        '01',
        '--skip',
        'functional',
        '--dry-run',
    ]
    status = main([str(qsiprep), str(qsiprep.parent / 'out'), 'participant', *words, '--scalars', ICVF])
    assert status == 0
    said = capsys.readouterr().out
    assert said.count(f'not used ({SCALAR})') == 2
    assert 'session pre has no image that matches' in said


WRONG = {
    'two of a session': ({'desc': 'smooth'}, r'session pre has several images .*Narrow the pattern'),
    'another space': ({'space': 'MNI152NLin2009cAsym'}, r'must lie in the space of the tract, space-ACPC'),
    'no space': ({'space': ''}, r'sub-01_ses-pre_param-icvf_dwimap.nii.gz: maps must lie in the space'),
    'several volumes': ({'shape': (2, 2, 2, 3)}, r'has 3 volumes, and a map has one'),
}


@pytest.mark.parametrize(('change', 'reason'), WRONG.values(), ids=WRONG)
def test_what_cannot_be_measured_says_why(qsiprep, noddi, change, reason):
    if 'desc' not in change:
        next(noddi.rglob('*ses-pre*icvf*')).unlink()
    write_map(noddi, 'icvf', **change)
    found = found_in(qsiprep, noddi, ICVF)
    (said,) = lacks(found)
    assert re.search(reason, said)
    assert str(noddi) not in said
    assert all(absence.exit_code is None for absence in found.absent if absence.modality == SCALAR)
    assert [bool(own.path) for s in found.diffusion.sessions for own in s.scalars] == [True, False]


def test_a_damaged_map_says_why(qsiprep, noddi):
    next(noddi.rglob('*ses-pre*icvf*')).write_bytes(b'')
    (said,) = lacks(found_in(qsiprep, noddi, ICVF))
    assert 'is empty' in said


def test_of_two_spaces_the_tracts_is_taken(qsiprep, noddi):
    write_map(noddi, 'icvf', space='MNI152NLin2009cAsym')
    found = found_in(qsiprep, noddi, ICVF)
    assert lacks(found) == []
    assert all('space-ACPC' in own.path for session in found.diffusion.sessions for own in session.scalars)


def test_sessions_with_anatomies_of_their_own_have_no_space_for_maps(tmp_path, noddi):
    sessions = [{'session': label, 'dwi': series(), 'anat': anatomy()} for label in SESSIONS]
    root = build(tmp_path / 'qsiprep', {'01': sessions})
    found = found_in(root, noddi, ICVF)
    assert found.diffusion.is_between
    assert len(lacks(found)) == 2
    assert 'between images of several sessions' in lacks(found)[0]


@pytest.mark.parametrize(('n_t1w', 'is_measured'), [(0, False), (1, True), (2, False)])
def test_raw_scans_have_maps_in_the_space_of_their_one_t1w(tmp_path, n_t1w, is_measured):
    images = [{**T1W, 'run': number + 1} for number in range(n_t1w)]
    raw = build(tmp_path / 'raw', {'01': [{'session': 'pre', 'dwi': [dwi()], 'anat': images}]})
    other = tmp_path / 'maps'
    write_map(other, 'icvf', space='T1w')
    found = collect(settings_of(raw, '--scalars', ICVF, maps=other), '01')
    (own,) = found.diffusion.sessions[0].scalars
    assert bool(own.path) == is_measured
    assert bool(lacks(found)) != is_measured


def test_a_map_concerns_the_tract_alone(qsiprep, noddi):
    """Maps of the session are not made anew for it, and a changed map makes the tract anew."""
    plain = settings_of(qsiprep, qsiprep=qsiprep, noddi=noddi)
    asked = settings_of(qsiprep, '--scalars', ICVF, qsiprep=qsiprep, noddi=noddi)
    known = {}
    for name, settings in (('plain', plain), ('asked', asked)):
        person = collect(settings, '01')
        sessions = person.diffusion.sessions
        maps = chain_of_session(settings, person, sessions[0])
        tract = chain_of_tract(settings, person, {'sub': '01'}, sessions)
        known[name] = [next(iter(chain.stages.values())).receipt for chain in (maps, tract)]
        assert [plan.path.name for plan in of_participant(settings, person)]
    before, after = known['plain'], known['asked']
    assert before[0] == after[0]
    assert before[1].parameters != after[1].parameters
    new = set(after[1].inputs) - set(before[1].inputs)
    assert {name.rpartition('_')[0][-4:] for name in new} == {'icvf'}
    tracked = tracked_files(asked, collect(asked, '01'))
    assert sum('icvf' in path.name for path in tracked) == 2


def test_one_step_more_that_is_wired(qsiprep, noddi):
    steps = {}
    for words in ((), ('--scalars', ICVF, 'od=*_param-od_dwimap.nii.gz')):
        settings = settings_of(qsiprep, *words, qsiprep=qsiprep, noddi=noddi)
        person = collect(settings, '01')
        tract = tract_workflow(settings, person, {'sub': '01'}, person.diffusion.sessions, 0)
        inner = tract.get_node('tract_wf')
        steps[bool(words)] = set(inner.list_node_names())
    assert steps[True] - steps[False] == {'scalars'}
    node = inner.get_node('scalars').inputs
    assert len(node.files) == 4
    assert list(node.wanted.by_name) == ['icvf', 'od']
    assert 'Further maps (icvf, od) were weighted in the same way' in inner.__desc__
    check_wiring(inner, empty=frozenset({'fa_std'}))


def test_without_pairs_no_map_is_looked_for(qsiprep, noddi, tmp_path):
    listed = tmp_path / 'regions.tsv'
    listed.write_text('name\themisphere\tsource\tpairs\nVTA\tn/a\tsphere:0,-16,-12,4\tn/a\n')
    settings = settings_of(qsiprep, '--scalars', ICVF, '--regions', str(listed), qsiprep=qsiprep, noddi=noddi)
    assert all(not session.scalars for session in collect(settings, '01').diffusion.sessions)


REFUSED = {
    'no pattern': ('icvf', 'a name, =, and a pattern'),
    'empty pattern': ('icvf=', 'a name, =, and a pattern'),
    'no name': ('=*icvf*', 'letters and digits, a letter first'),
    'dash in the name': ('ic-vf=*icvf*', 'letters and digits, a letter first'),
    'figure first': ('1icvf=*icvf*', 'letters and digits, a letter first'),
    'name of a map that is there': ('FA=*fa*', r'a map of their own \(fa, md, ad, rd, fwfa\)'),
    'free water': ('fwfa=*fa*', 'a map of their own'),
    'from outside': ('icvf=/data/*icvf*', 'no path from outside'),
    'upwards': ('icvf=../other/*icvf*', 'no path from outside'),
}


@pytest.mark.parametrize(('word', 'reason'), REFUSED.values(), ids=REFUSED)
def test_names_and_patterns_that_no_map_could_have(word, reason):
    with pytest.raises(ParameterError, match=reason) as caught:
        ScalarParams(scalars=(word,))
    assert f'--scalars {word}' in str(caught.value)
    assert 'icvf=*_param-icvf_dwimap.nii.gz' in str(caught.value)


def test_two_maps_of_one_name():
    with pytest.raises(ParameterError, match='two maps are called icvf'):
        ScalarParams(scalars=('icvf=*a*', 'icvf=*b*'))


def test_usage_is_refused_before_anything_is_read(tmp_path, qsiprep, capsys):
    words = [str(qsiprep), str(tmp_path / 'out'), 'participant', '--scalars']
    assert main([*words, 'icvf']) == 2
    assert main([*words, ICVF]) == 2
    assert 'none is given. Add for example -d' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
