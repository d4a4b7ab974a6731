"""Which scans a row or a rule means: told by names alone, without images."""

import logging
from pathlib import Path

import pytest

from bids_app.cli import make_settings
from bids_app.scans.exclusion import NOTHING, Exclusions, read_exclusions
from bids_app.scans.exclusion_list import Exclusion, read_list, read_rule
from pipelines.errors import DataError
from tests import damage

HEAD = 'participant_id\tsession_id\tmodality\treason\n'


def of_rule(scan, modality='bold'):
    return Exclusion('sub-01', 'ses-pre', modality, 'bad', 'scans:qc=fail', scan)


@pytest.mark.parametrize(
    ('session', 'modality', 'left_out'),
    [
        ('', '', ['pre bold', 'pre dwi', 'pre t1w', 'post bold']),
        ('ses-pre', '', ['pre bold', 'pre dwi', 'pre t1w']),
        ('', 'bold', ['pre bold', 'post bold']),
        ('ses-pre', 'dwi', ['pre dwi']),
    ],
)
def test_rows_mean_sessions_and_modalities(session, modality, left_out):
    exclusions = Exclusions((Exclusion('sub-01', session, modality, '', 'list'),))
    suffixes = {'bold': 'task-rest_bold', 'dwi': 'dwi', 't1w': 'T1w'}
    for place in ('pre bold', 'pre dwi', 'pre t1w', 'post bold'):
        own, kind = place.split()
        found = exclusions.of_file(f'sub-01_ses-{own}_{suffixes[kind]}.nii.gz')
        assert bool(found) == (place in left_out)
        assert bool(exclusions.of_session('sub-01', f'ses-{own}', kind)) == (place in left_out)
        assert not exclusions.of_session('sub-011', f'ses-{own}', kind)
    assert bool(exclusions.of_person('sub-01')) == (not session and not modality)


@pytest.mark.parametrize(
    ('scan', 'name', 'is_left_out'),
    [
        # raw scans: the very one
        ('sub-01_ses-pre_task-rest_bold.nii.gz', 'sub-01_ses-pre_task-rest_bold.nii', True),
        ('sub-01_ses-pre_task-rest_run-1_bold.nii.gz', 'sub-01_ses-pre_task-rest_bold.nii.gz', False),
        ('sub-01_ses-pre_task-rest_bold.nii.gz', 'sub-01_ses-pre_task-rest_acq-b_bold.nii.gz', False),
        ('sub-01_ses-pre_task-rest_bold.nii.gz', 'sub-01_ses-pre_task-rest_sbref.nii.gz', False),
        ('sub-01_ses-pre_task-rest_bold.nii.gz', 'sub-02_ses-pre_task-rest_bold.nii.gz', False),
        # what was made of it, in any space; echoes and parts were made into one
        ('sub-01_ses-pre_task-rest_run-1_bold.nii.gz', 'sub-01_ses-pre_task-rest_run-1_space-S_res-2_desc-preproc_bold.nii.gz', True),
        ('sub-01_ses-pre_task-rest_run-2_bold.nii.gz', 'sub-01_ses-pre_task-rest_run-1_space-S_desc-preproc_bold.nii.gz', False),
        ('sub-01_ses-pre_task-rest_echo-2_bold.nii.gz', 'sub-01_ses-pre_task-rest_space-S_desc-preproc_bold.nii.gz', True),
        ('sub-01_ses-pre_task-rest_acq-b_bold.nii.gz', 'sub-01_ses-pre_task-rest_space-S_desc-preproc_bold.nii.gz', False),
    ],
)  # fmt: skip
def test_rules_mean_single_scans(scan, name, is_left_out):
    assert bool(Exclusions((of_rule(scan),)).of_file(name)) == is_left_out


def test_diffusion_scans_are_made_into_one():
    exclusions = Exclusions((of_rule('sub-01_ses-pre_dir-PA_run-2_dwi.nii.gz', 'dwi'),))
    made, raw = 'sub-01_ses-pre_space-ACPC_desc-preproc_dwi.nii.gz', 'sub-01_ses-pre_dir-AP_dwi.nii.gz'
    assert exclusions.of_file(made)
    assert not exclusions.of_file(raw)
    assert not exclusions.of_file(made.replace('pre_', 'post_'))
    inputs = [f'qsiprep:sub-01/ses-pre/dwi/{made}', f'raw:sub-01/ses-pre/dwi/{raw}', 'raw:sub-01/x_dwi.bval']
    assert list(exclusions.of_inputs(inputs)) == [made]


def test_entities_that_results_never_have():
    exclusions = Exclusions((of_rule('sub-01_inv-1_T1w.nii.gz', 't1w'),))
    assert exclusions.of_file('sub-01_inv-1_T1w.nii.gz')
    assert not exclusions.of_file('sub-01_inv-2_T1w.nii.gz')
    exclusions = Exclusions((of_rule('sub-01_ses-pre_task-rest_chunk-1_bold.nii.gz'),))
    assert exclusions.of_scan('sub-01_ses-pre_task-rest', 'bold', is_made=True)


def test_the_uniform_image_is_a_t1w():
    exclusions = Exclusions((Exclusion('sub-01', '', 't1w', '', 'list'),))
    assert exclusions.of_file('sub-01_UNIT1.nii.gz')
    assert not exclusions.of_file('sub-01_T2w.nii.gz')


def test_an_anatomy_that_is_only_shown_is_no_input():
    exclusions = Exclusions((Exclusion('sub-01', '', 't1w', '', 'list'),))
    names = ['fmriprep:sub-01/anat/sub-01_desc-preproc_T1w.nii.gz', 'raw:sub-01/anat/sub-01_T1w.nii.gz']
    assert list(exclusions.of_inputs(names)) == ['sub-01_T1w.nii.gz']


def test_parameters_hold_what_is_left_out():
    rows = (Exclusion('sub-02', 'ses-pre', 'bold', 'x', 'a'), Exclusion('sub-01', '', '', 'y', 'b'))
    assert Exclusions((*rows, of_rule('sub-01_dwi.nii.gz'))).keys() == [
        'sub-01',
        'sub-01_dwi.nii.gz',
        'sub-02_ses-pre_bold',
    ]
    assert (
        Exclusions(rows).keys()
        == Exclusions(tuple(row._replace(reason='', source='c') for row in rows)).keys()
    )
    assert NOTHING.keys() == []


def test_reasons_are_said_with_who_asked():
    assert Exclusion('sub-01', '', '', 'moved', 'list.tsv').said() == 'left out on request (list.tsv): moved'
    assert Exclusion('sub-01', '', '', '', 'list.tsv').said() == 'left out on request (list.tsv)'


def test_examples_of_the_page_are_read(tmp_path):
    """What the page offers to copy: both blocks say the same of the people that both hold."""
    page = (Path(__file__).resolve().parents[3] / 'docs' / 'usage.md').read_text()
    found = []
    for kind in ('tsv', 'json'):
        block = page.split(f'```{kind}\n')[1].split('```')[0]
        path = tmp_path / f'exclude.{kind}'
        path.write_text('\n'.join(line.removeprefix('  ') for line in block.splitlines()).rstrip() + '\n')
        found.append([entry._replace(source='') for entry in read_list(path)])
    assert [entry.key() for entry in found[0]] == [
        'sub-03',
        'sub-02_ses-pre_bold',
        'sub-05_dwi',
        'sub-07_ses-post_t1w',
    ]
    assert found[1] == found[0][:2]


# --- scans.tsv ---


def scans(root, label, text, session=''):
    folder = root / label / session
    folder.mkdir(parents=True, exist_ok=True)
    stem = '_'.join(filter(None, [label, session]))
    (folder / f'{stem}_scans.tsv').write_text(text)


def test_rows_of_scans_at_any_level(tmp_path):
    """Of the person or the session; paths of Windows; a value in any case; kinds of no interest are passed over."""
    scans(
        tmp_path,
        'sub-01',
        'filename\tqc\nanat/sub-01_T1w.nii.gz\tFail\nfunc\\sub-01_task-rest_bold.nii.gz\tfail\n',
    )
    scans(
        tmp_path,
        'sub-02',
        'filename\tqc\ndwi/sub-02_ses-a_dwi.nii.gz\tfail\nanat/sub-02_ses-a_T2w.nii.gz\tfail\n',
        'ses-a',
    )
    scans(tmp_path, 'sub-03', 'filename\tqc\nfunc/sub-03_task-rest_bold.nii.gz\tfail\n')
    found = read_rule('scans:qc=fail', tmp_path, ['sub-01', 'sub-02'])
    assert [(e.participant_id, e.session_id, e.modality, e.scan) for e in found] == [
        ('sub-01', '', 't1w', 'sub-01_T1w.nii.gz'),
        ('sub-01', '', 'bold', 'sub-01_task-rest_bold.nii.gz'),
        ('sub-02', 'ses-a', 'dwi', 'sub-02_ses-a_dwi.nii.gz'),
    ]
    assert found[0].reason == 'qc is Fail in sub-01/sub-01_scans.tsv'


def test_a_value_may_hold_signs(tmp_path):
    scans(tmp_path, 'sub-01', 'filename\tmy qc\nfunc/sub-01_task-rest_bold.nii.gz\ta=b\n')
    assert len(read_rule('scans:my qc=a=b', tmp_path, ['sub-01'])) == 1


@pytest.mark.parametrize('text', ['name\tqc\nx\tfail\n', 'filename\tqc\nx\n', '', 'filename;qc\nx;fail\n'])
def test_damaged_tables_of_scans_are_named(tmp_path, text):
    scans(tmp_path, 'sub-01', text)
    with pytest.raises(DataError, match=r'scans:qc=fail:\n- sub-01/sub-01_scans\.tsv'):
        read_rule('scans:qc=fail', tmp_path, ['sub-01'])


@pytest.mark.parametrize('content', [b'', b'\xfe\xff', b'\t\t\n"  "\n'])
def test_tables_of_scans_without_any_text_are_empty(tmp_path, content):
    scans(tmp_path, 'sub-01', '')
    damage.write(tmp_path / 'sub-01' / 'sub-01_scans.tsv', content)
    with pytest.raises(DataError, match=r'sub-01_scans\.tsv: is empty'):
        read_rule('scans:qc=fail', tmp_path, ['sub-01'])


@pytest.mark.fuzz
def test_damaged_tables_of_scans_are_read_or_refused(tmp_path):
    sound = b'filename\tqc\nfunc/sub-01_task-rest_bold.nii.gz\tfail\n'
    scans(tmp_path, 'sub-01', '')
    path = tmp_path / 'sub-01' / 'sub-01_scans.tsv'
    found = set()

    def read(content):
        damage.write(path, content)
        found.add(len(read_rule('scans:qc=fail', tmp_path, ['sub-01'])))

    assert damage.outcomes_of(damage.damaged(sound), read, 2) == {damage.READ, damage.REFUSED}
    assert found >= {0, 1}  # more where rows are doubled


@pytest.mark.fuzz
def test_damaged_lists_are_read_or_refused(tmp_path):
    """In each of the three forms; what is read names people."""
    rows = [
        {'participant_id': 'sub-01', 'session_id': 'ses-pre', 'modality': 'dwi', 'reason': 'moved'},
        {'participant_id': '02'},
    ]
    path = tmp_path / 'list'

    def read(content):
        damage.write(path, content)
        assert all(entry.participant_id.startswith('sub-') for entry in read_list(path))

    sound = (HEAD + 'sub-01\tses-pre\tdwi\tmoved\nsub-02\tn/a\t\t\n').encode(), b'sub-01\n02\n'
    drawn = damage.damaged(*sound) | damage.json_files(rows)
    assert damage.outcomes_of(drawn, read, 4) == {damage.READ, damage.REFUSED}


# --- in a dataset ---


def settings_of(tmp_path, *given):
    return make_settings([str(tmp_path / 'raw'), str(tmp_path / 'out'), 'group', '--exclude', *given])


def test_who_is_not_chosen_is_neither_left_out_nor_a_stranger(tmp_path, caplog):
    for label in ('sub-01', 'sub-02'):
        (tmp_path / 'raw' / label).mkdir(parents=True)
    path = tmp_path / 'list.tsv'
    path.write_text(HEAD + '01\t\t\t\n02\t\t\t\n03\t\t\t\n04\t\t\t\n01\t\t\t\n')
    with caplog.at_level(logging.WARNING):
        found = read_exclusions(settings_of(tmp_path, str(path)), ['sub-01', 'sub-03'])
    assert [entry.participant_id for entry in found.entries] == ['sub-01', 'sub-03']  # sub-03 has no folder
    assert caplog.messages == ['--exclude list.tsv: not in this dataset: sub-04']


def test_sessions_without_a_folder(tmp_path, caplog):
    """Tables have sessions, too."""
    (tmp_path / 'raw' / 'sub-01').mkdir(parents=True)
    path = tmp_path / 'list.tsv'
    path.write_text(HEAD + 'sub-01\tpre\tbold\t\nsub-01\tmid\tbold\t\n')
    (entry,) = read_exclusions(settings_of(tmp_path, str(path)), ['sub-01'], ['ses-pre']).entries
    assert entry.session_id == 'ses-pre'
    assert 'no ses-mid of sub-01, which has ses-pre: nothing left out' in caplog.text
    assert read_exclusions(settings_of(tmp_path, str(path)), ['sub-01']) == NOTHING
    assert 'which has no sessions' in caplog.text


def test_paths_are_taken_from_where_the_program_was_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('labels.txt').write_text('sub-01\n')
    (tmp_path / 'raw').mkdir()
    settings = settings_of(tmp_path, 'labels.txt', 'scans:qc=fail')
    assert settings.exclude == (str(tmp_path / 'labels.txt'), 'scans:qc=fail')
    assert [entry.participant_id for entry in read_list(Path(settings.exclude[0]))] == ['sub-01']
