"""Which anatomy of QSIPrep serves which session, and what its labels are."""

import json

import pytest

from bids_app.cli import main
from bids_app.outputs.chains import chains_of_diffusion
from bids_app.outputs.plan import of_participant, tracts_of
from bids_app.scans.people import collect
from bids_app.scans.qsiprep import read_labels
from pipelines.errors import DataError
from tests.app.scans.test_diffusion_inputs import SPACE_6, anatomy, build, found_in, problems, series
from tests.app.scans.test_inputs import settings_of


def sessions(*labels, own=(), **options):
    """Return sessions with a series each, those of ``own`` with an anatomy."""
    return [
        {'session': s, 'dwi': series(), **({'anat': anatomy(**options)} if s in own else {})} for s in labels
    ]


def person(options=None):
    return {'session': None, 'anat': anatomy(**(options or {}))}


def used(found):
    return [session.anatomy.t1w_preproc.name for session in found.diffusion.sessions]


@pytest.fixture
def sessionwise(tmp_path):
    """Return two sessions, each with an anatomy of its own."""
    return build(tmp_path / 'qsiprep', {'01': sessions('pre', 'post', own=('pre', 'post'))})


def test_each_session_has_its_own_anatomy(sessionwise):
    found = found_in(sessionwise, derivatives=sessionwise)
    stem = 'space-ACPC_desc-preproc_T1w.nii.gz'
    assert used(found) == [f'sub-01_ses-post_{stem}', f'sub-01_ses-pre_{stem}']
    assert found.diffusion.is_between
    assert found.diffusion.has_t1w
    assert found.diffusion.anatomy is None
    assert len(found.diffusion.anatomies) == 2
    assert {path for own in found.diffusion.anatomies for path in own.files()} <= set(found.files())


def test_results_lie_in_the_space_between(sessionwise):
    """Neither session's ACPC is the person's; one tract is defined for both."""
    settings = settings_of(sessionwise, derivatives=sessionwise)
    found = collect(settings, '01')
    names = {plan.path.name for plan in of_participant(settings, found)}
    assert 'sub-01_ses-pre_space-individual_model-tensor_param-fa_dwimap.nii.gz' in names
    assert 'sub-01_ses-pre_desc-coregistration_dwi.png' in names
    assert not any('space-ACPC' in name for name in names)
    ((entities, members),) = tracts_of(settings, '01', found.diffusion)
    assert (entities, len(members)) == ({'sub': '01'}, 2)


def test_maps_rest_on_the_anatomies_of_all_sessions(sessionwise):
    settings = settings_of(sessionwise, derivatives=sessionwise)
    found = collect(settings, '01')
    files = {settings.name_of(path) for own in found.diffusion.anatomies for path in own.files()}
    for chain in chains_of_diffusion(settings, found):
        for stage in chain.stages.values():
            assert files <= set(stage.receipt.inputs)


def test_a_job_for_one_session_stays_in_its_space(sessionwise):
    found = found_in(sessionwise, '--session-label', 'pre', derivatives=sessionwise)
    assert not found.diffusion.is_between
    assert found.diffusion.space == 'ACPC'
    assert found.diffusion.anatomy.t1w_preproc.name.startswith('sub-01_ses-pre_')


def test_the_participants_anatomy_serves_sessions_without_one(tmp_path):
    root = build(tmp_path / 'qsiprep', {'01': [person(), *sessions('pre', 'post')]})
    found = found_in(root, derivatives=root)
    assert used(found) == ['sub-01_space-ACPC_desc-preproc_T1w.nii.gz'] * 2
    assert not found.diffusion.is_between
    assert found.diffusion.space == 'ACPC'


def test_a_session_comes_before_the_participant(tmp_path):
    root = build(tmp_path / 'qsiprep', {'01': [person(), *sessions('pre', 'post', own=('pre',))]})
    found = found_in(root, derivatives=root)
    assert used(found) == [f'sub-01_{s}space-ACPC_desc-preproc_T1w.nii.gz' for s in ('', 'ses-pre_')]
    assert found.diffusion.is_between


def test_another_sessions_anatomy_is_the_last_resort_and_said(tmp_path, caplog):
    root = build(tmp_path / 'qsiprep', {'01': sessions('pre', 'post', own=('pre',))})
    found = found_in(root, derivatives=root)
    assert used(found) == ['sub-01_ses-pre_space-ACPC_desc-preproc_T1w.nii.gz'] * 2
    assert not found.diffusion.is_between
    assert (
        'session post has no anatomy: sub-01_ses-pre_space-ACPC_desc-preproc_T1w.nii.gz is used'
        in caplog.text
    )


def test_an_anatomy_that_lacks_a_file_is_none(sessionwise, caplog):
    next(sessionwise.rglob('*ses-post_space-ACPC_dseg.nii.gz')).unlink()
    found = found_in(sessionwise, derivatives=sessionwise)
    assert used(found) == ['sub-01_ses-pre_space-ACPC_desc-preproc_T1w.nii.gz'] * 2
    assert 'session post has no anatomy' in caplog.text


def test_all_sessions_lead_to_one_template(tmp_path):
    """One session has both transforms, the other one of them: that one is taken."""
    both = anatomy() + [p for p in anatomy(template=SPACE_6) if 'from' in p]
    data = [
        {'session': 'pre', 'dwi': series(), 'anat': both},
        {'session': 'post', 'dwi': series(), 'anat': anatomy(template=SPACE_6)},
    ]
    root = build(tmp_path / 'qsiprep', {'01': data})
    found = found_in(root, derivatives=root)
    assert found.diffusion.template == SPACE_6
    assert found.diffusion.is_between


@pytest.mark.parametrize(
    ('words', 'made'),
    [
        ([], 'person'),
        (['--tract', 'independent'], 'independent'),
        (['--session-label', 'pre'], 'independent'),
    ],
)
def test_receipts_say_whose_tract_was_made(sessionwise, words, made):
    """Not what was asked for: the group refuses to mix tracts of persons and of sessions."""
    settings = settings_of(sessionwise, *words, derivatives=sessionwise)
    found = collect(settings, '01')
    tracts = [c for c in chains_of_diffusion(settings, found) if 'tract' in c.stages]
    assert {stage.receipt.parameters['tract'] for chain in tracts for stage in chain.stages.values()} == {
        made
    }


# --- labels ---


@pytest.mark.parametrize(
    ('rows', 'wanted'),
    [
        (['1\tGM', '2\tWM', '3\tCSF'], {'gm': [1], 'wm': [2], 'csf': [3]}),
        (['1\tCSF', '2\tGrey Matter', '3\tWhite-Matter'], {'gm': [2], 'wm': [3], 'csf': [1]}),
        (
            ['0\tBackground', '2\tgray matter', '4\tGM', '1\tWM', '8\tcsf'],
            {'gm': [2, 4], 'wm': [1], 'csf': [8]},
        ),
        (['1\tGM', '2\tWM'], None),
        (['1\tLeft-Cerebral-Cortex', '2\tWM', '3\tCSF'], None),
        ([], None),
    ],
)
@pytest.mark.parametrize('end', ['\n', '\r\n'])
def test_a_table_names_the_labels(tmp_path, rows, wanted, end):
    table = tmp_path / 'dseg.tsv'
    table.write_text(end.join(['index\tname', *rows, '']), newline='')
    assert read_labels(table) == wanted


@pytest.mark.parametrize(
    'text', ['', 'index\n1\n', 'name\nGM\n', 'index\tname\none\tGM\n', 'index\tname\n\tGM\n', '\x00']
)
def test_a_table_that_names_nothing_or_is_damaged(tmp_path, text):
    table = tmp_path / 'dseg.tsv'
    table.write_text(text)
    try:
        assert read_labels(table) is None
    except DataError as error:
        assert f'{table} is no table with the columns index and name' in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    'place', ['sub-01/anat/sub-01_space-ACPC_dseg.tsv', 'dseg.tsv', 'space-ACPC_dseg.tsv']
)
def test_the_table_beside_the_segmentation_or_above(tmp_path, place):
    root = build(tmp_path / 'qsiprep', {'01': [person({'tissues': False}), *sessions('pre')]})
    (root / 'desc-aseg_dseg.tsv').write_text('index\tname\n1\tWM\n2\tGM\n3\tCSF\n')  # of another segmentation
    assert found_in(root, derivatives=root).diffusion.anatomy.labels() is None
    (root / place).write_text('index\tname\n1\tCSF\n2\tGM\n3\tWM\n')
    made = found_in(root, derivatives=root).diffusion.anatomy
    assert made.labels() == {'gm': [2], 'wm': [3], 'csf': [1]}
    assert made.table in made.files()
    assert not made.has_tissue


def test_a_damaged_table_is_found_before_anything_runs(tmp_path, capsys):
    root = build(tmp_path / 'qsiprep', {'01': [person(), *sessions('pre')]})
    table = root / 'sub-01/anat/sub-01_space-ACPC_dseg.tsv'
    table.write_text('label\n1\n')
    ((code, reason),) = problems(found_in(root, derivatives=root))
    assert code == 65
    assert str(table) in reason
    words = ['-d', f'qsiprep={root}', '-w', str(tmp_path / 'work'), '--dry-run']
    assert main([str(root), str(tmp_path / 'out'), 'participant', *words]) == 65
    assert str(table) in capsys.readouterr().out


def test_sources_of_the_plan_are_plain(sessionwise):
    """What receipts keep of a person's inputs can be written as JSON."""
    settings = settings_of(sessionwise, derivatives=sessionwise)
    found = collect(settings, '01')
    assert json.dumps([settings.name_of(path) for path in found.files()])
