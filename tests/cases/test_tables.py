"""Tables as spreadsheets, instruments and people write them: planned through the command line as their clean original."""

import csv
import json
import re
import shutil

import pandas as pd
import pytest

from bids_app.cli import main
from bids_app.phenotype.trial import DATA_DIR
from tests.app.trial_data import save, write_trial

TRIAL = json.loads((DATA_DIR / 'trial.json').read_text())
NRS = {key: value for key, value in TRIAL['Outcomes']['nrs'].items() if key != 'Range'}


def write_trial_file(bids, **nrs):
    content = {
        'Arms': TRIAL['Arms'],
        'Visits': TRIAL['Visits'],
        'Covariates': ['age', 'sex'],
        'Outcomes': {'nrs': {**NRS, **nrs}},
    }
    (bids / 'code' / 'trial.json').write_text(json.dumps(content))


@pytest.fixture(scope='module')
def base(once):
    """Return a trial of tables: 16 people with folders, ratings of two visits."""

    def make(folder):
        bids, _ = write_trial(folder, images=False)
        for number in range(1, 17):
            (bids / f'sub-{number:02d}').mkdir()
        (bids / 'code').mkdir()
        write_trial_file(bids, Range=[0, 10])

    return once('tables', make) / 'bids'


@pytest.fixture
def planned(tmp_path, capsys, caplog):
    """Return a function that plans the group: status, what was said, and the tables as they will be used."""

    def plan(bids):
        caplog.clear()
        work = tmp_path / 'work'
        words = ['--trial', str(bids / 'code' / 'trial.json'), '-w', str(work), '--dry-run']
        status = main([str(bids), str(tmp_path / 'out'), 'group', *words])
        said = capsys.readouterr()
        tables = {}
        if status == 0:
            for name in ('outcomes', 'people'):
                content = json.loads((work / 'group_tables' / f'{name}.json').read_text())
                tables[name] = pd.DataFrame(content)
        return status, said.out + said.err + caplog.text, tables

    return plan


@pytest.fixture
def bids(base, tmp_path):
    return shutil.copytree(base, tmp_path / 'bids')


def table(bids):
    return pd.read_csv(bids / 'participants.tsv', sep='\t', dtype=str, keep_default_na=False)


def same(bids):
    pass


def tsv_bom(bids):
    path = bids / 'participants.tsv'
    path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes())


def tsv_excel_quotes(bids):
    text = table(bids).to_csv(sep='\t', index=False, quoting=csv.QUOTE_ALL, lineterminator='\r\n')
    (bids / 'participants.tsv').write_bytes(text.encode())


def tsv_blank_rows(bids):
    path = bids / 'participants.tsv'
    path.write_text(path.read_text() + '\t\t\t\n\n')


def tsv_spaces_ids(bids):
    own = table(bids)
    own['participant_id'] += ' '
    own['group'] = ' ' + own['group']
    save(own, bids / 'participants.tsv')


def tsv_date_sessions(bids):
    own = table(bids)
    own['date'] = '03.11.2025'
    save(own, bids / 'participants.tsv')


def tsv_float_ids(bids):
    own = table(bids)
    own['participant_id'] = [f'{int(re.sub("[^0-9]", "", label))}.0' for label in own['participant_id']]
    save(own, bids / 'participants.tsv')


def arm_case(bids):
    own = table(bids)
    own.loc[0, 'group'] = own.loc[0, 'group'].upper()
    save(own, bids / 'participants.tsv')


EQUAL = {
    same: [],
    tsv_bom: ['participants.tsv', 'byte order mark'],
    tsv_excel_quotes: ['participants.tsv', 'line ends of Windows'],
    tsv_blank_rows: [],
    tsv_spaces_ids: [],
    tsv_date_sessions: [],
    tsv_float_ids: ['participants.tsv', 'row 2 sub-01 "1.0"', 'spelled otherwise', 'check that it is right'],
    arm_case: ['participants.tsv', 'sub-01 "EXERCISE"', 'Taken for exercise'],
}


@pytest.mark.parametrize('change', EQUAL, ids=lambda change: change.__name__)
def test_what_is_the_same_is_read_as_the_same(base, bids, planned, change):
    """Byte order marks, quotes, blanks, blank rows, dates, ids of a spreadsheet (1.0), an arm in capitals."""
    _, _, expected = planned(base)
    change(bids)
    status, said, tables = planned(bids)
    assert status == 0
    assert all(word in said for word in EQUAL[change]), said
    for name, own in expected.items():
        pd.testing.assert_frame_equal(tables[name], own)
    assert 'trial trial: 8 exercise, 8 waitlist' in said


def test_rows_of_people_without_data(base, bids, planned):
    """One more was randomised, and has neither scans nor ratings; the others are as before."""
    own = table(bids)
    more = own.iloc[[0]].assign(participant_id='sub-999')
    save(pd.concat([own, more]), bids / 'participants.tsv')
    (bids / 'participants.tsv').write_text((bids / 'participants.tsv').read_text() + '\t\t\t\n\n')
    _, _, expected = planned(base)
    status, said, tables = planned(bids)
    assert status == 0
    assert 'participants.tsv, column participant_id, row 18 "sub-999": no folder of this participant' in said
    assert '9 exercise, 8 waitlist' in said
    for name, before in expected.items():
        now = tables[name]
        pd.testing.assert_frame_equal(now[now['participant_id'] != 'sub-999'], before)
        assert (name == 'people') or now[now['participant_id'] == 'sub-999']['value'].isna().all()


def test_two_columns_of_one_name(bids, planned):
    """Nobody can know which is meant: refused."""
    path = bids / 'participants.tsv'
    lines = path.read_text().splitlines()
    path.write_text('\n'.join(line + '\t' + line.rsplit('\t', 1)[1] for line in lines) + '\n')
    status, said, _ = planned(bids)
    assert status == 65
    assert 'participants.tsv, column sex: there are two columns of this name. Remove or rename one.' in said


@pytest.mark.parametrize('code', ['999', '-9', '-99', '99'])
@pytest.mark.parametrize('nrs', [{'Range': [0, 10]}, {}], ids=['range', 'no range'])
def test_a_code_for_missing(base, bids, planned, code, nrs):
    """With a range it is missing; without one it is used, and the user is asked."""
    path = bids / 'phenotype' / 'nrs.tsv'
    own = pd.read_csv(path, sep='\t', dtype=str)
    own.loc[0, 'nrs_average_pre'] = code
    save(own, path)
    write_trial_file(bids, **nrs)
    _, _, expected = planned(base)
    status, said, tables = planned(bids)
    assert status == 0
    is_code = (tables['outcomes']['participant_id'] == 'sub-01') & (tables['outcomes']['visit'] == 'baseline')
    others = expected['outcomes'][~is_code]
    pd.testing.assert_frame_equal(tables['outcomes'][~is_code], others)
    (value,) = tables['outcomes'][is_code]['value']
    place = f'phenotype/nrs.tsv, column nrs_average_pre, row 2 sub-01 ses-pre "{code}": '
    if nrs:
        assert value is None or value != value
        assert place + 'out of range: the trial allows 0 to 10' in said
    else:
        assert value == float(code)
        assert place + 'looks like a code for missing: others are ' in said
        assert 'write n/a where it is one, else declare Minimum and Maximum in its JSON file or Range' in said


def test_a_third_visit_in_the_table(base, bids, planned):
    """A follow-up that the trial file does not name is not used without a word."""
    path = bids / 'phenotype' / 'nrs.tsv'
    own = pd.read_csv(path, sep='\t', dtype=str)
    own['nrs_average_fu'] = '3'
    save(own, path)
    _, _, expected = planned(base)
    status, said, tables = planned(bids)
    assert status == 0
    pd.testing.assert_frame_equal(tables['outcomes'], expected['outcomes'])
    assert (
        'column nrs_average_fu, "16 values": looks like nrs_average at a visit that the trial does not have'
        in said
    )


@pytest.mark.parametrize('named', [False, True])
def test_a_category_in_digits(bids, planned, named):
    """It is one where Levels say so; else it is read as a number, and the user is asked."""
    own = table(bids)
    own['sex'] = ['1', '2'] * 8
    save(own, bids / 'participants.tsv')
    if named:
        (bids / 'participants.json').write_text(json.dumps({'sex': {'Levels': {'1': 'F', '2': 'M'}}}))
    status, said, tables = planned(bids)
    assert status == 0
    assert ('column sex: has 2 values, 1, 2: a number or a category?' in said) != named
    assert list(tables['people']['sex'][:2]) == (['F', 'M'] if named else [1.0, 2.0])


@pytest.mark.parametrize('layout', ['long', 'one file per session'])
def test_rows_and_files_of_a_third_visit(base, bids, planned, layout):
    """In the other layouts, too, a session that the trial does not name is not passed over without a word."""
    path = bids / 'phenotype' / 'nrs.tsv'
    own = pd.read_csv(path, sep='\t', dtype=str)
    sessions = {'pre': 'nrs_average_pre', 'post': 'nrs_average_post', 'week26': 'nrs_average_post'}
    parts = {
        label: pd.DataFrame({'participant_id': own['participant_id'], 'nrs_average': own[column]})
        for label, column in sessions.items()
    }
    path.unlink()
    if layout == 'long':
        save(pd.concat([part.assign(session_id=f'ses-{label}') for label, part in parts.items()]), path)
        words = [
            'phenotype/nrs.tsv, column session_id',
            '"ses-week26"',
            'and 11 more: no session of the trial',
            'Row not used',
        ]
    else:
        for label, part in parts.items():
            save(part, bids / 'phenotype' / f'nrs_ses-{label}.tsv')
        words = ['phenotype/nrs_ses-week26.tsv, ses-week26: of no session of the trial', 'File not used']
    _, _, expected = planned(base)
    status, said, tables = planned(bids)
    assert status == 0
    pd.testing.assert_frame_equal(tables['outcomes'], expected['outcomes'])
    assert all(word in said for word in words), said


@pytest.mark.parametrize('is_named', [False, True])
def test_the_trial_file_says_what_is_a_category(bids, planned, is_named):
    own = table(bids)
    own['site'] = ['1', '2', '3', '1'] * 4
    save(own, bids / 'participants.tsv')
    content = json.loads((bids / 'code' / 'trial.json').read_text())
    content |= {'Covariates': ['site']} | ({'Categories': ['site']} if is_named else {})
    (bids / 'code' / 'trial.json').write_text(json.dumps(content))
    status, said, tables = planned(bids)
    assert status == 0
    assert ('column site: has 3 values, 1, 2, 3: a number or a category?' in said) != is_named
    assert list(tables['people']['site'][:3]) == (['1', '2', '3'] if is_named else [1.0, 2.0, 3.0])
