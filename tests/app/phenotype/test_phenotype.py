"""Tables of known content in every layout: the values, where they came from, and what is reported."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from bids_app.phenotype.layouts import Key, spellings
from bids_app.phenotype.tables import OUTCOME_COLUMNS, read_tables
from bids_app.phenotype.trial import DATA_DIR, read_trial
from bids_app.tables.problems import REPORT_COLUMNS
from bids_app.tables.text import Labels
from pipelines.errors import DataError

PEOPLE = [f'sub-{n:02d}' for n in range(1, 9)]
ARMS = {pid: 'exercise' if n % 2 else 'waitlist' for n, pid in enumerate(PEOPLE)}
NRS = {
    (pid, s): round(3 + 0.5 * n + (1 if s == 'pre' else 0), 1)
    for n, pid in enumerate(PEOPLE)
    for s in ('pre', 'post')
}
TRIAL = {
    'Arms': {'Table': 'participants.tsv', 'Column': 'group', 'Treatment': 'exercise', 'Control': 'waitlist'},
    'Visits': {'baseline': {'Session': 'pre'}, 'followup': {'Session': 'post'}},
    'Outcomes': {
        'nrs': {
            'Table': 'phenotype/nrs.tsv',
            'Column': 'nrs',
            'Units': 'points',
            'Range': [0, 10],
            'Role': 'primary',
        }
    },
}


def tsv(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join('\t'.join(map(str, row)) for row in rows) + '\n', encoding='utf-8')


def participants(root, *columns, head=()):
    tsv(
        root / 'participants.tsv',
        [('participant_id', 'group', *head), *((p, ARMS[p], *rest) for p, *rest in zip(PEOPLE, *columns))],
    )


def wide(root, pre='nrs_pre', post='nrs_post'):
    rows = [(p, NRS[p, 'pre'], NRS[p, 'post']) for p in PEOPLE]
    tsv(root / 'phenotype' / 'nrs.tsv', [('participant_id', pre, post), *rows])


def long(root):
    rows = [(p, f'ses-{s}', v) for (p, s), v in NRS.items()]
    tsv(root / 'phenotype' / 'nrs.tsv', [('participant_id', 'session_id', 'nrs'), *rows])


def per_session(root):
    for session in ('pre', 'post'):
        rows = [(p, NRS[p, session]) for p in PEOPLE]
        tsv(root / 'phenotype' / f'nrs_ses-{session}.tsv', [('participant_id', 'nrs'), *rows])


def per_person(root):
    for pid in PEOPLE:
        rows = [(f'ses-{s}', NRS[pid, s]) for s in ('pre', 'post')]
        tsv(root / pid / f'{pid}_sessions.tsv', [('session_id', 'nrs'), *rows])


LAYOUTS = {'wide': wide, 'long': long, 'one file per session': per_session, 'sub-*_sessions.tsv': per_person}


def trial_of(tmp_path, content=TRIAL):
    path = tmp_path / 'trial.json'
    path.write_text(json.dumps(content))
    return read_trial(path)


def with_outcome(name, **keys):
    outcomes = {name: {'Table': f'phenotype/{name}.tsv', 'Column': name, 'Units': 'points', **keys}}
    return {**TRIAL, 'Outcomes': outcomes}


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / 'bids'
    participants(folder)
    return folder


def values(tables, outcome='nrs'):
    chosen = tables.outcomes[tables.outcomes['outcome'] == outcome]
    return {(r.participant_id, r.session_id[4:]): r.value for r in chosen.itertuples()}


def rows_of(tables, **where):
    report = tables.report
    for column, value in where.items():
        report = report[report[column] == value]
    return report


@pytest.mark.parametrize('layout', LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_gives_the_same_values(root, tmp_path, layout):
    layout(root)
    tables = read_tables(root, trial_of(tmp_path))
    assert values(tables) == NRS
    assert tuple(tables.outcomes.columns) == OUTCOME_COLUMNS
    assert dict(zip(tables.participants['participant_id'], tables.participants['arm'])) == ARMS
    assert not tables.messages
    assert set(tables.outcomes['visit']) == {'baseline', 'followup'}


def test_names_of_wide_columns(root, tmp_path):
    found = []
    for pre, post in zip(
        *(spellings('nrs', Key('', f'ses-{s}'), has_session=False) for s in ('pre', 'post'))
    ):
        wide(root, pre, post)
        assert values(read_tables(root, trial_of(tmp_path))) == NRS, (pre, post)
        found.append(pre)
    assert found == ['nrs_pre', 'nrs_ses-pre', 'pre_nrs', 'ses-pre_nrs']


def test_sessions_of_the_whole_dataset(root, tmp_path):
    """A table called sessions.tsv is the file of that name, or one file per participant."""
    content = with_outcome('nrs', Table='sessions.tsv')
    per_person(root)
    assert values(read_tables(root, trial_of(tmp_path, content))) == NRS
    for pid in PEOPLE:
        (root / pid / f'{pid}_sessions.tsv').unlink()
    tsv(
        root / 'sessions.tsv',
        [('participant_id', 'session_id', 'nrs'), *((p, s, v) for (p, s), v in NRS.items())],
    )
    assert values(read_tables(root, trial_of(tmp_path, content))) == NRS


def test_outcomes_may_stand_in_participants_tsv(root, tmp_path):
    participants(
        root, [NRS[p, 'pre'] for p in PEOPLE], [NRS[p, 'post'] for p in PEOPLE], head=('nrs_pre', 'nrs_post')
    )
    content = with_outcome('nrs', Table='participants.tsv')
    assert values(read_tables(root, trial_of(tmp_path, content))) == NRS


def test_layouts_may_be_mixed_where_they_agree(root, tmp_path):
    """The follow-up came in a file of its own; the value that both have is the same."""
    tsv(
        root / 'phenotype' / 'nrs.tsv', [('participant_id', 'nrs_pre'), *((p, NRS[p, 'pre']) for p in PEOPLE)]
    )
    per_session(root)
    assert values(read_tables(root, trial_of(tmp_path))) == NRS


def test_a_value_says_where_it_stands(root, tmp_path):
    wide(root)
    table = read_tables(root, trial_of(tmp_path)).outcomes
    third = table[(table['participant_id'] == 'sub-03') & (table['visit'] == 'followup')].iloc[0]
    # the header is line 1
    assert (third['table'], third['row'], third['column']) == ('phenotype/nrs.tsv', 4, 'nrs_post')
    line = (root / third['table']).read_text().splitlines()[third['row'] - 1]
    assert line.split('\t')[2] == str(third['value'])


@pytest.mark.parametrize('word', ['n/a', 'NA', 'NaN', ''])
def test_missing_is_missing(root, tmp_path, word):
    rows = [(p, word if p == 'sub-02' else NRS[p, 'pre'], NRS[p, 'post']) for p in PEOPLE[:-1]]
    tsv(root / 'phenotype' / 'nrs.tsv', [('participant_id', 'nrs_pre', 'nrs_post'), *rows])
    tables = read_tables(root, trial_of(tmp_path))
    found = values(tables)
    absent = {place for place, value in found.items() if math.isnan(value)}
    assert absent == {('sub-02', 'pre'), ('sub-08', 'pre'), ('sub-08', 'post')}
    assert len(found) == 16
    assert list(rows_of(tables, action='missing')['problem']) == ['no value', 'no row', 'no row']
    assert list(rows_of(tables, problem='no value')['row']) == ['3']


def test_people_need_no_scans_and_folders_no_row(root, tmp_path):
    """Tables alone are a trial; a folder without an arm is listed, not used."""
    wide(root)
    for folder in (*PEOPLE[:3], 'sub-99'):
        (root / folder).mkdir()
    tables = read_tables(root, trial_of(tmp_path))
    assert set(tables.outcomes['participant_id']) == set(PEOPLE)
    assert list(rows_of(tables, problem='no row of this participant')['participant_id']) == ['sub-99']
    assert list(rows_of(tables, problem='no folder of this participant')['value']) == PEOPLE[3:]


@pytest.mark.parametrize(
    'spell', [lambda n: str(n), lambda n: f'sub-{n}', lambda n: f'{n:03d}', lambda n: f'{n}.0']
)
def test_ids_of_another_padding_are_matched_loudly(root, tmp_path, spell):
    rows = [(spell(n), NRS[p, 'pre'], NRS[p, 'post']) for n, p in enumerate(PEOPLE, 1)]
    tsv(root / 'phenotype' / 'nrs.tsv', [('participant_id', 'nrs_pre', 'nrs_post'), *rows])
    tables = read_tables(root, trial_of(tmp_path))
    assert values(tables) == NRS
    matched = rows_of(tables, problem='spelled otherwise than in the dataset')
    assert list(matched['participant_id']) == PEOPLE
    assert list(matched['value']) == [row[0] for row in rows]
    assert any('row 2 sub-01' in message and 'and 3 more' in message for message in tables.messages)


def test_ids_without_prefix_are_said_once(root, tmp_path):
    rows = [(p[4:], NRS[p, 'pre'], NRS[p, 'post']) for p in PEOPLE]
    tsv(root / 'phenotype' / 'nrs.tsv', [('participant_id', 'nrs_pre', 'nrs_post'), *rows])
    tables = read_tables(root, trial_of(tmp_path))
    assert values(tables) == NRS
    assert list(rows_of(tables, problem='ids without sub-')['value']) == ['8 of 8 rows']


def test_folders_decide_how_ids_are_spelled(root, tmp_path):
    tsv(
        root / 'participants.tsv',
        [('participant_id', 'group'), *((str(int(p[4:])), ARMS[p]) for p in PEOPLE)],
    )
    wide(root)
    for pid in PEOPLE:
        (root / pid).mkdir()
    tables = read_tables(root, trial_of(tmp_path))
    assert list(tables.participants['participant_id']) == PEOPLE
    assert values(tables) == NRS


def test_labels_are_matched_only_where_one_can_be_meant():
    labels = Labels('sub-', ['sub-1', 'sub-01', 'sub-A07', '12'])
    assert labels.find('01') == ['sub-01']
    assert sorted(labels.find('001')) == ['sub-01', 'sub-1']
    assert labels.find('a7') == ['sub-A07']
    assert labels.find('SUB-12') == ['sub-12']
    assert labels.find('2') == []
    assert [sorted(twins) for twins in labels.lookalikes()] == [['sub-01', 'sub-1']]


def test_strangers_are_listed(root, tmp_path):
    wide(root)
    with (root / 'phenotype' / 'nrs.tsv').open('a') as table:
        table.write('sub-77\t1\t2\n')
    tables = read_tables(root, trial_of(tmp_path))
    assert values(tables) == NRS
    (row,) = rows_of(tables, value='sub-77').itertuples()
    assert (row.row, row.action) == ('10', 'row left out')


def test_rows_of_other_sessions_are_listed(root, tmp_path):
    long(root)
    with (root / 'phenotype' / 'nrs.tsv').open('a') as table:
        table.write('sub-01\tses-mid\t1\n')
    tables = read_tables(root, trial_of(tmp_path))
    assert values(tables) == NRS
    assert list(rows_of(tables, value='ses-mid')['action']) == ['row not used']


def test_files_of_other_sessions_are_listed(root, tmp_path):
    per_session(root)
    tsv(root / 'phenotype' / 'nrs_ses-mid.tsv', [('participant_id', 'nrs'), *((p, 1) for p in PEOPLE)])
    tables = read_tables(root, trial_of(tmp_path))
    assert values(tables) == NRS
    assert list(rows_of(tables, session_id='ses-mid')['action']) == ['file not used']


def test_known_sessions_that_an_outcome_does_not_use_are_counted(root, tmp_path):
    long(root)
    with (root / 'phenotype' / 'nrs.tsv').open('a') as table:
        table.write('sub-01\tses-wk3\t1\nsub-02\tses-wk3\t1\n')
    blood(root)
    tables = read_tables(root, bdnf_trial(tmp_path))
    assert values(tables) == NRS
    assert list(rows_of(tables, session_id='ses-wk3', outcome='nrs')['action']) == [
        '2 rows not used: no visit of it'
    ]


def test_warnings_are_logged_even_when_the_tables_are_refused(root, tmp_path, caplog):
    rows = [(p, 'ses-baseline', NRS[p, 'pre']) for p in PEOPLE]
    tsv(root / 'phenotype' / 'nrs.tsv', [('participant_id', 'session_id', 'nrs'), *rows])
    with pytest.raises(DataError, match=r'nobody has a value at baseline \(ses-pre\)'):
        read_tables(root, trial_of(tmp_path))
    assert '"ses-baseline"' in caplog.text
    assert 'which has ses-post, ses-pre' in caplog.text


FILES = {
    'byte order mark': lambda text: b'\xef\xbb\xbf' + text.encode(),
    'Windows line ends': lambda text: text.replace('\n', '\r\n').encode(),
    'old Mac line ends': lambda text: text.replace('\n', '\r').encode(),
    'UTF-16': lambda text: text.encode('utf-16'),
    'Windows-1252': lambda text: text.replace('nrs_note', 'Größe').encode('cp1252'),
}  # fmt: skip


@pytest.mark.parametrize('encode', FILES.values(), ids=FILES)
def test_files_of_spreadsheets(root, tmp_path, encode):
    rows = [(p, NRS[p, 'pre'], NRS[p, 'post'], 'x') for p in PEOPLE]
    tsv(root / 'phenotype' / 'nrs.tsv', [('participant_id', 'nrs_pre', 'nrs_post', 'nrs_note'), *rows])
    path = root / 'phenotype' / 'nrs.tsv'
    path.write_bytes(encode(path.read_text()))
    tables = read_tables(root, trial_of(tmp_path))
    assert values(tables) == NRS
    assert len(tables.messages) == 1
    assert 'phenotype/nrs.tsv' in tables.messages[0]


def test_quotes_blank_lines_and_blanks(root, tmp_path):
    """What R's write.table, editors and spreadsheets leave; a note may hold a line break."""
    rows = ['"participant_id"\t"nrs_pre"\t" nrs_post "\t"note"']
    rows += [f'"{p}"\t{NRS[p, "pre"]} \t {NRS[p, "post"]}\t"well\nslept"\t\t' for p in PEOPLE]
    (root / 'phenotype').mkdir()
    (root / 'phenotype' / 'nrs.tsv').write_text('\n'.join([rows[0], '', *rows[1:], '\t\t\t', '', '']))
    tables = read_tables(root, trial_of(tmp_path))
    assert values(tables) == NRS
    last = tables.outcomes.iloc[-1]
    text = (root / 'phenotype' / 'nrs.tsv').read_text().split('\n')[last['row'] - 1]
    assert text.startswith('"sub-08"')


def test_decimal_commas_are_converted_loudly(root, tmp_path):
    rows = [(p, *(str(NRS[p, s]).replace('.', ',') for s in ('pre', 'post'))) for p in PEOPLE]
    tsv(root / 'phenotype' / 'nrs.tsv', [('participant_id', 'nrs_pre', 'nrs_post'), *rows])
    tables = read_tables(root, trial_of(tmp_path))
    assert values(tables) == NRS
    assert sum('decimal commas' in message for message in tables.messages) == 2
    assert set(tables.outcomes['flags']) == {'decimal_comma'}


def test_one_certain_comma_decides_for_the_column(root, tmp_path):
    """1,234 is a decimal beside 1,5, but not where 2.5 is written too."""
    pre = ['1,5', '1,234', '0,125', '2', *['n/a'] * 4]
    tsv(
        root / 'phenotype' / 'nrs.tsv',
        [('participant_id', 'nrs_pre', 'nrs_post'), *zip(PEOPLE, pre, '12345678')],
    )
    found = values(read_tables(root, trial_of(tmp_path)))
    assert [found[p, 'pre'] for p in PEOPLE[:4]] == [1.5, 1.234, 0.125, 2]
    path = root / 'phenotype' / 'nrs.tsv'
    path.write_text(path.read_text().replace('\t2\t', '\t2.5\t'))
    with pytest.raises(DataError, match='could be a decimal comma or thousands'):
        read_tables(root, trial_of(tmp_path))


def test_scientific_notation_and_signs(root, tmp_path):
    texts = ['1e1', '+2', '.5', '3.', '1E-1', '0', '7', '08']
    tsv(
        root / 'phenotype' / 'nrs.tsv',
        [('participant_id', 'nrs_pre', 'nrs_post'), *zip(PEOPLE, texts, texts)],
    )
    found = values(read_tables(root, trial_of(tmp_path)))
    assert [found[p, 'pre'] for p in PEOPLE] == [10, 2, 0.5, 3, 0.1, 0, 7, 8]


@pytest.mark.parametrize(
    ('value', 'sidecar', 'limit'),
    [
        ('11', {}, 'the trial allows 0 to 10'),
        ('-1', {}, 'the trial allows'),
        ('9', {'Maximum': 8}, 'its JSON file'),
    ],
)
def test_out_of_range_is_set_aside_and_reported(root, tmp_path, value, sidecar, limit):
    rows = [(p, value if p == 'sub-05' else 4, 5) for p in PEOPLE]
    tsv(root / 'phenotype' / 'nrs.tsv', [('participant_id', 'nrs_pre', 'nrs_post'), *rows])
    (root / 'phenotype' / 'nrs.json').write_text(json.dumps({'nrs': sidecar}))
    tables = read_tables(root, trial_of(tmp_path))
    found = values(tables)
    assert [place for place, number in found.items() if math.isnan(number)] == [('sub-05', 'pre')]
    (row,) = rows_of(tables, participant_id='sub-05', outcome='nrs').itertuples()
    assert (row.row, row.column, row.value, row.session_id) == ('6', 'nrs_pre', value, 'ses-pre')
    assert limit in row.problem
    assert 'out_of_range' in set(tables.outcomes['flags'])


@pytest.mark.parametrize(
    ('units', 'declared', 'span', 'factor'),
    [
        ('points', '%', [0, 50], 0.5), ('m', 'km', [0, 1e6], 1000), ('m', 'metres', [0, 1e6], 1),
        ('W', 'kW', [0, 1e6], 1000), ('pg/mL', 'ng/mL', [0, 1e6], 1000), ('pg/mL', 'ng/L', [0, 1e6], 1),
        ('points', 'Points', [0, 50], 1), ('ug/mL', 'µg/mL', [0, 1e6], 1),
    ],
)  # fmt: skip
def test_units_of_the_dictionary_are_converted(root, tmp_path, units, declared, span, factor):
    wide(root)
    (root / 'phenotype' / 'nrs.json').write_text(
        json.dumps({'nrs_pre': {'Units': declared}, 'nrs_post': {'Units': declared}})
    )
    found = values(read_tables(root, trial_of(tmp_path, with_outcome('nrs', Units=units, Range=span))))
    # one multiplication of numbers with one digit
    assert found == pytest.approx({place: factor * value for place, value in NRS.items()}, rel=1e-12)


def test_a_session_has_a_dictionary_of_its_own(root, tmp_path):
    per_session(root)
    (root / 'phenotype' / 'nrs.json').write_text(json.dumps({'nrs': {'Units': 'points'}}))
    (root / 'phenotype' / 'nrs_ses-post.json').write_text(json.dumps({'nrs': {'Units': '%'}}))
    found = values(read_tables(root, trial_of(tmp_path)))
    assert found['sub-01', 'pre'] == NRS['sub-01', 'pre']
    assert found['sub-01', 'post'] == pytest.approx(NRS['sub-01', 'post'] / 10, rel=1e-12)


def test_levels_name_arms_and_covariates(root, tmp_path):
    rows = [(p, int(ARMS[p] == 'exercise'), 1 + n % 2, 40 + n) for n, p in enumerate(PEOPLE)]
    tsv(root / 'participants.tsv', [('participant_id', 'group', 'sex', 'age'), *rows])
    levels = {
        'group': {'Levels': {'0': 'waitlist', '1': {'Description': 'Exercise'}}},
        'sex': {'Levels': {'1': 'male', '2': 'female'}},
    }
    (root / 'participants.json').write_text(json.dumps(levels))
    wide(root)
    tables = read_tables(root, trial_of(tmp_path, {**TRIAL, 'Covariates': ['age', 'sex']}))
    people = tables.participants.set_index('participant_id')
    assert dict(people['arm']) == ARMS
    assert list(people['sex']) == ['male', 'female'] * 4
    assert list(people['age']) == [40.0 + n for n in range(8)]
    assert people['age'].dtype == float


def test_words_and_gaps_of_covariates(root, tmp_path):
    """The word null is a word; a level that the dictionary lacks is set aside."""
    participants(root, ['null', *'ABABAB', 'n/a'], [1, 2, 1, 2, 1, 2, 9, 1], head=('site', 'hand'))
    (root / 'participants.json').write_text(json.dumps({'hand': {'Levels': {'1': 'left', '2': 'right'}}}))
    wide(root)
    tables = read_tables(root, trial_of(tmp_path, {**TRIAL, 'Covariates': ['site', 'hand']}))
    assert list(tables.participants['site'][:2]) == ['null', 'A']
    assert tables.participants['site'].isna().tolist() == [False] * 7 + [True]
    assert tables.participants['hand'].isna().tolist() == [False] * 6 + [True, False]
    assert list(rows_of(tables, value='9')['participant_id']) == ['sub-07']


def test_people_without_arm_or_of_other_arms(root, tmp_path):
    arms = [*list(ARMS.values())[:6], 'n/a', 'Healthy']
    tsv(root / 'participants.tsv', [('participant_id', 'group'), *zip(PEOPLE, arms)])
    wide(root)
    content = {**TRIAL, 'Arms': {**TRIAL['Arms'], 'Others': ['healthy']}}
    tables = read_tables(root, trial_of(tmp_path, content))
    assert list(tables.participants['participant_id']) == PEOPLE[:6]
    assert len(tables.outcomes) == 12
    assert list(rows_of(tables, problem='has no arm')['participant_id']) == ['sub-07']


ODI = [f'odi_{n}' for n in range(1, 11)]


def odi(root, answers, total=None):
    head = ['participant_id', 'session_id', *ODI] + (['odi_total'] if total else [])
    rows = [
        (p, s, *given, *([total[p]] if total else []))
        for s in ('ses-pre', 'ses-post')
        for p, given in answers.items()
    ]
    tsv(root / 'phenotype' / 'odi.tsv', [head, *rows])


def odi_trial(tmp_path):
    content = json.loads(json.dumps(TRIAL))
    content['Outcomes'] = {
        'odi': {
            'Table': 'phenotype/odi.tsv', 'Column': 'odi_total', 'Items': ODI, 'ItemRange': [0, 5],
            'MaxMissingItems': 2, 'Units': 'points', 'Range': [0, 50],
        }
    }  # fmt: skip
    return trial_of(tmp_path, content)


def test_items_of_the_oswestry_index(root, tmp_path):
    """The example of Fairbank & Pynsent (2000): 16 over nine sections is 16/45 = 35.5 %, of fifty 17.8."""
    full = {p: [n % 6] * 10 for n, p in enumerate(PEOPLE)}
    full['sub-02'] = [2, 2, 2, 2, 2, 2, 2, 1, 1, 'n/a']
    full['sub-03'] = [5] * 8 + ['n/a', '']
    full['sub-04'] = [5] * 7 + ['n/a'] * 3
    odi(root, full)
    tables = read_tables(root, odi_trial(tmp_path))
    found = values(tables, 'odi')
    assert found['sub-02', 'pre'] == pytest.approx(50 * 16 / 45, rel=1e-12)
    assert found['sub-03', 'pre'] == 50
    assert math.isnan(found['sub-04', 'pre'])
    assert found['sub-05', 'post'] == 40
    flags = tables.outcomes.set_index('participant_id')['flags']
    assert set(flags['sub-02']) == {'prorated'}
    assert set(flags['sub-04']) == {'items_missing'}
    assert set(flags['sub-05']) == {''}
    assert len(rows_of(tables, problem='no total: too many items missing')) == 2


def test_a_total_wins_over_items_and_is_compared_with_them(root, tmp_path):
    answers = {p: [2] * 10 for p in PEOPLE}
    total = dict.fromkeys(PEOPLE, 20) | {'sub-01': 25, 'sub-02': 'n/a'}
    odi(root, answers, total)
    tables = read_tables(root, odi_trial(tmp_path))
    found = values(tables, 'odi')
    assert (found['sub-01', 'pre'], found['sub-02', 'pre'], found['sub-03', 'pre']) == (25, 20, 20)
    compared = rows_of(tables, problem='is not the sum of its items, 20')
    assert list(compared['participant_id']) == ['sub-01', 'sub-01']


def blood(root, change=None, columns=('bdnf', 'lod', 'uloq')):
    rows = []
    for n, pid in enumerate(PEOPLE):
        for session in ('wk3', 'wk14'):
            for time in ('pre', 'post'):
                rows.append([pid, f'ses-{session}', time, 20 + n, 5, 100])
    for (pid, session, time), text in (change or {}).items():
        next(r for r in rows if r[:3] == [pid, f'ses-{session}', time])[3] = text
    tsv(root / 'phenotype' / 'bdnf.tsv', [('participant_id', 'session_id', 'time', *columns), *rows])


def bdnf_trial(tmp_path, **keys):
    part = json.loads((DATA_DIR / 'trial.json').read_text())['BDNF']
    return trial_of(tmp_path, {**TRIAL, 'BDNF': {**part, **keys}})


def sample(tables, pid, name):
    table = tables.biomarkers
    (row,) = table[(table['participant_id'] == pid) & (table['sample'] == name)].itertuples()
    return row


CENSORED = {
    '3': ('left', 3, 5), '5': ('', 5, 5), '0': ('left', 0, 5), '<2.5': ('left', None, 2.5), '< LOD': ('left', None, 5),
    'OOR <': ('left', None, 5), '<': ('left', None, 5), '120': ('right', 120, 100), '100': ('', 100, 100),
    '>90': ('right', None, 90), '>ULOQ': ('right', None, 100), 'OOR >': ('right', None, 100),
}  # fmt: skip


@pytest.mark.parametrize('text', CENSORED)
def test_concentrations_beyond_the_limits(root, tmp_path, text):
    wide(root)
    blood(root, {('sub-03', 'wk3', 'post'): text})
    row = sample(read_tables(root, bdnf_trial(tmp_path)), 'sub-03', 's7_post')
    side, value, limit = CENSORED[text]
    assert row.censored == side
    assert math.isnan(row.value) if value is None else row.value == value
    if side:
        assert (row.lower if side == 'left' else row.upper) == limit


def test_bdnf_is_long_with_a_row_per_sample(root, tmp_path):
    wide(root)
    blood(root, {('sub-02', 'wk14', 'pre'): 'n/a', ('sub-04', 'wk3', 'pre'): -3})
    tables = read_tables(root, bdnf_trial(tmp_path, LowerLimit=4, UpperLimit='uloq'))
    assert len(tables.biomarkers) == 32
    assert set(tables.biomarkers['lower']) == {4.0}
    assert set(tables.biomarkers['upper']) == {100.0}
    assert math.isnan(sample(tables, 'sub-02', 's42_pre').value)
    negative = sample(tables, 'sub-04', 's7_pre')
    assert math.isnan(negative.value)
    assert negative.flags == 'out_of_range'
    assert sample(tables, 'sub-01', 's7_pre').arm == 'waitlist'


def test_times_in_another_case_are_the_same(root, tmp_path):
    wide(root)
    blood(root)
    path = root / 'phenotype' / 'bdnf.tsv'
    path.write_text(path.read_text().replace('\tpre\t', '\tPre\t'))
    assert sample(read_tables(root, bdnf_trial(tmp_path)), 'sub-01', 's7_pre').value == 20


def test_bdnf_in_wide_columns_and_per_session(root, tmp_path):
    wide(root)
    names = ['s7_pre', 's7_post', 's42_pre', 's42_post']
    rows = [(p, *(10 + n + k for k in range(4)), 5, 100) for n, p in enumerate(PEOPLE)]
    expected = {(p, name): 10.0 + n + k for n, p in enumerate(PEOPLE) for k, name in enumerate(names)}
    for columns in (
        [f'bdnf_{name}' for name in names],
        ['bdnf_wk3_pre', 'bdnf_wk3_post', 'bdnf_ses-wk14_pre', 'wk14_post_bdnf'],
    ):
        tsv(root / 'phenotype' / 'bdnf.tsv', [('participant_id', *columns, 'lod', 'uloq'), *rows])
        table = read_tables(root, bdnf_trial(tmp_path)).biomarkers
        assert dict(zip(zip(table['participant_id'], table['sample']), table['value'])) == expected
        assert set(table['lower']) == {5.0}
    (root / 'phenotype' / 'bdnf.tsv').unlink()
    for session, place in (('wk3', 1), ('wk14', 3)):
        part = [(r[0], r[place], r[place + 1], 5, 100) for r in rows]
        head = ('participant_id', 'bdnf_pre', 'bdnf_post', 'lod', 'uloq')
        tsv(root / 'phenotype' / f'bdnf_ses-{session}.tsv', [head, *part])
    table = read_tables(root, bdnf_trial(tmp_path)).biomarkers
    assert dict(zip(zip(table['participant_id'], table['sample']), table['value'])) == expected


def test_limits_without_a_unit_have_that_of_the_values(root, tmp_path):
    wide(root)
    blood(root)
    (root / 'phenotype' / 'bdnf.json').write_text(json.dumps({'bdnf': {'Units': 'ng/mL'}}))
    row = sample(read_tables(root, bdnf_trial(tmp_path)), 'sub-01', 's7_pre')
    assert (row.value, row.lower, row.upper) == (20_000, 5_000, 100_000)


def test_plasma_volume_stands_beside_the_value(root, tmp_path):
    wide(root)
    blood(root, columns=('bdnf', 'hb', 'hct'))
    trial = bdnf_trial(tmp_path, LowerLimit=1, UpperLimit=1000, Hemoglobin='hb', Hematocrit='hct')
    row = sample(read_tables(root, trial), 'sub-01', 's7_pre')
    assert (row.hemoglobin, row.hematocrit) == (5, 100)


def test_expression_events_and_attendance(root, tmp_path):
    wide(root)
    rows = [(p, f'ses-{s}', f'{p}{s}', 40 + n) for n, p in enumerate(PEOPLE[:6]) for s in ('wk3', 'wk14')]
    tsv(root / 'phenotype' / 'rna.tsv', [('participant_id', 'session_id', 'sample_id', 'neutrophils'), *rows])
    (root / 'sourcedata').mkdir()
    tsv(root / 'sourcedata' / 'counts.tsv', [('gene', *(row[2] for row in rows)), ('IL6', *range(len(rows)))])
    tsv(
        root / 'phenotype' / 'came.tsv',
        [('participant_id', 'came'), *((p, 30 + n) for n, p in enumerate(PEOPLE))],
    )
    events = [('sub-01', 'ses-wk5', 'fall'), ('sub-01', 'ses-wk5', 'sore back'), ('sub-03', 'n/a', 'flu')]
    tsv(root / 'phenotype' / 'ae.tsv', [('participant_id', 'session_id', 'event'), *events])
    content = {
        **TRIAL,
        'Expression': {
            'Counts': 'sourcedata/counts.tsv', 'Samples': 'phenotype/rna.tsv', 'Covariates': ['neutrophils'],
            'Visits': {'first': {'Session': 'wk3'}, 'last': {'Session': 'wk14'}},
        },
        'Attendance': {'Table': 'phenotype/came.tsv', 'Column': 'came', 'Planned': 42},
        'AdverseEvents': {'Table': 'phenotype/ae.tsv', 'Column': 'event'},
    }  # fmt: skip
    tables = read_tables(root, trial_of(tmp_path, content))
    expression = tables.expression
    assert list(expression.columns) == [
        'participant_id',
        'arm',
        'visit',
        'session_id',
        'sample',
        'counts_column',
        'neutrophils',
    ]
    assert sorted(zip(expression['sample'], expression['neutrophils'])) == sorted(
        (r[2], float(r[3])) for r in rows
    )
    assert set(expression['visit']) == {'first', 'last'}
    assert list(tables.attendance['attended']) == [30.0 + n for n in range(8)]
    assert list(tables.events['event']) == ['fall', 'sore back', 'flu']
    assert list(tables.events['arm']) == ['waitlist', 'waitlist', 'waitlist']


def test_no_adverse_event_is_an_empty_table(root, tmp_path):
    wide(root)
    tsv(root / 'phenotype' / 'ae.tsv', [('participant_id', 'event')])
    content = {**TRIAL, 'AdverseEvents': {'Table': 'phenotype/ae.tsv', 'Column': 'event'}}
    assert read_tables(root, trial_of(tmp_path, content)).events.empty


def test_default_trial_leaves_out_what_is_absent(root):
    tsv(
        root / 'phenotype' / 'nrs.tsv',
        [('participant_id', 'nrs_average_pre', 'nrs_average_post'), *((p, 5, 4) for p in PEOPLE)],
    )
    tables = read_tables(root, read_trial())
    assert set(tables.outcomes['outcome']) == {'nrs'}
    assert (tables.biomarkers, tables.expression, tables.attendance, tables.events) == (
        None,
        None,
        None,
        None,
    )
    absent = set(rows_of(tables, problem='is absent')['table'])
    assert {'phenotype/odi.tsv', 'phenotype/bdnf.tsv', 'phenotype/adverse_events.tsv'} <= absent
    assert list(tables.participants.columns) == ['participant_id', 'arm']


def test_report_begins_with_problems_and_ends_with_what_was_read(root, tmp_path):
    wide(root)
    with (root / 'phenotype' / 'nrs.tsv').open('a') as table:
        table.write('sub-77\t1\t2\n')
    report = read_tables(root, trial_of(tmp_path)).report
    assert tuple(report.columns) == REPORT_COLUMNS
    assert report.iloc[0]['value'] == 'sub-77'
    read = report[report['problem'] == 'n/a']
    assert list(read['action'])[-2:] == ['8 values read', '8 values read']
    assert read.index[-1] == len(report) - 1
    assert not report.isna().any().any()
    assert not (report == '').any().any()


def test_dictionaries_with_faults_are_told_and_used_as_far_as_they_go(root, tmp_path):
    wide(root)
    entry = {'Units': 'score', 'Minimum': 'none', 'Maximum': 6.9}
    (root / 'phenotype' / 'nrs.json').write_text(
        json.dumps({'nrs': entry, 'MeasurementToolMetadata': 'text'})
    )
    tables = read_tables(root, trial_of(tmp_path))
    assert [place for place, number in values(tables).items() if math.isnan(number)] == [
        ('sub-07', 'pre'),
        ('sub-08', 'pre'),
    ]
    assert list(rows_of(tables, problem='Minimum is of the wrong kind')['value']) == ['none']
    same = rows_of(tables, problem='score in its JSON file where the trial has points')
    assert set(same['action']) == {'taken for the same unit; check that it is'}


def test_names_of_the_columns_of_ids_in_another_case(root, tmp_path):
    long(root)
    path = root / 'phenotype' / 'nrs.tsv'
    path.write_text(
        path.read_text().replace('participant_id', 'Participant ID').replace('session_id', 'SESSION_ID')
    )
    tables = read_tables(root, trial_of(tmp_path))
    assert values(tables) == NRS
    assert list(rows_of(tables, action='read as such')['column']) == ['Participant ID', 'SESSION_ID']


def test_some_items_only_leave_the_total(root, tmp_path):
    odi(root, {p: [2] * 10 for p in PEOPLE}, dict.fromkeys(PEOPLE, 21))
    path = root / 'phenotype' / 'odi.tsv'
    path.write_text(path.read_text().replace('odi_7', 'odi7'))
    tables = read_tables(root, odi_trial(tmp_path))
    assert set(values(tables, 'odi').values()) == {21}
    assert list(rows_of(tables, outcome='odi', problem='has some items but not odi_7')['action']) == [
        'items not used, only the total'
    ]


@pytest.mark.parametrize(
    ('entry', 'expected'), [({'Format': 'label'}, '1'), ({'Units': 'kg'}, 1.0), ({}, 1.0)]
)
def test_the_dictionary_says_whether_a_covariate_is_a_number(root, tmp_path, entry, expected):
    participants(root, ['1'] * 8, head=('x',))
    (root / 'participants.json').write_text(json.dumps({'x': entry}))
    wide(root)
    tables = read_tables(root, trial_of(tmp_path, {**TRIAL, 'Covariates': ['x']}))
    assert list(tables.participants['x']) == [expected] * 8


def test_default_trial_without_columns_of_limits(root):
    """The default names lod and uloq; a table that has neither is read without limits."""
    tsv(
        root / 'phenotype' / 'nrs.tsv',
        [('participant_id', 'nrs_average_pre', 'nrs_average_post'), *((p, 5, 4) for p in PEOPLE)],
    )
    blood(root, columns=('bdnf', 'a', 'b'))
    tables = read_tables(root, read_trial())
    assert tables.biomarkers['lower'].isna().all()
    assert set(tables.biomarkers['censored']) == {''}
    assert list(rows_of(tables, action='none is assumed')['column']) == ['lod', 'uloq']


def test_tables_of_the_default_trial_without_rows(root):
    tsv(root / 'phenotype' / 'nrs.tsv', [('participant_id', 'nrs_average_pre', 'nrs_average_post')])
    blood(root)
    path = root / 'phenotype' / 'bdnf.tsv'
    path.write_text(path.read_text().splitlines()[0] + '\n')
    tables = read_tables(root, read_trial())
    assert tables.outcomes['value'].isna().all()
    assert tables.biomarkers.empty
    assert len(rows_of(tables, problem='has a header but no rows')) == 2


def test_order_of_rows_and_columns_does_not_matter(root, tmp_path, rng):
    long(root)
    trial = trial_of(tmp_path)
    expected = read_tables(root, trial).outcomes.drop(columns=['row'])
    path = root / 'phenotype' / 'nrs.tsv'
    table = pd.read_csv(path, sep='\t', dtype=str)
    shuffled = table.iloc[rng.permutation(len(table)), ::-1]
    shuffled.to_csv(path, sep='\t', index=False)
    pd.testing.assert_frame_equal(read_tables(root, trial).outcomes.drop(columns=['row']), expected)
    assert np.isfinite(expected['value']).all()
