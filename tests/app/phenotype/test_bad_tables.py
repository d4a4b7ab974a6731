"""Tables that cannot be right: file, row, column, value and remedy are named, and all at once."""

import json

import pytest

from bids_app.phenotype.tables import read_tables
from bids_app.phenotype.trial import DATA_DIR, read_trial
from pipelines.errors import DataError, MissingInputError
from tests.app.phenotype.test_phenotype import (
    NRS,
    PEOPLE,
    TRIAL,
    bdnf_trial,
    blood,
    long,
    odi,
    odi_trial,
    per_person,
    trial_of,
    tsv,
    wide,
)
from tests.app.phenotype.test_phenotype import root as root  # a fixture

TABLE = 'phenotype/nrs.tsv'


def text(change):
    """Return a harm that changes the text of the wide table."""

    def harm(root):
        path = root / TABLE
        path.write_text(change(path.read_text()))

    return harm


def content(data):
    return lambda root: (root / TABLE).write_bytes(data)


def sidecar(entry):
    return lambda root: (root / 'phenotype' / 'nrs.json').write_text(
        entry if isinstance(entry, str) else json.dumps(entry)
    )


def arms(change):
    def harm(root):
        path = root / 'participants.tsv'
        path.write_text(change(path.read_text()))

    return harm


def dangling(root):
    (root / TABLE).unlink()
    (root / TABLE).symlink_to('../.git/annex/objects/none')


def scaled(factor):
    def harm(root):
        rows = [(p, factor * NRS[p, 'pre'], factor * NRS[p, 'post']) for p in PEOPLE]
        tsv(root / TABLE, [('participant_id', 'nrs_pre', 'nrs_post'), *rows])

    return harm


HARMS = {
    'word for a number': (text(lambda t: t.replace('\t4.0\t', '\trefused\t', 1)), [TABLE, 'column nrs_pre', 'row 2', 'sub-01', '"refused"', 'is no number', 'n/a']),
    'null': (text(lambda t: t.replace('\t4.0\t', '\tnull\t', 1)), ['"null"', 'is no number']),
    'N/A in capitals': (text(lambda t: t.replace('\t4.0\t', '\tN/A\t', 1)), ['"N/A"', 'is no number']),
    'infinite': (text(lambda t: t.replace('\t4.0\t', '\tinf\t', 1)), ['"inf"', 'is no number']),
    'too large for a number': (text(lambda t: t.replace('\t4.0\t', '\t1e999\t', 1)), ['"1e999"', 'is no number']),
    'underscore': (text(lambda t: t.replace('\t4.0\t', '\t1_0\t', 1)), ['"1_0"', 'is no number']),
    'with its unit': (text(lambda t: t.replace('\t4.0\t', '\t4 points\t', 1)), ['"4 points"', 'is no number']),
    'comma or thousands': (text(lambda t: t.replace('\t4.0\t', '\t1,234\t', 1)), ['"1,234"', 'decimal comma or thousands', 'decimal point']),
    'thousands and point': (text(lambda t: t.replace('\t4.0\t', '\t1,234.5\t', 1)), ['"1,234.5"', 'is no number']),
    'row too short': (text(lambda t: t.replace('sub-03\t', 'sub-03 ', 1)), [TABLE, 'row 4', '2 cells where the header has 3']),
    'row too long': (text(lambda t: t.replace('sub-03\t', 'sub-03\t1\t', 1)), ['row 4', '4 cells where the header has 3']),
    'header without names of rows': (text(lambda t: t.replace('participant_id\t', '', 1)), ['row 2', '3 cells where the header has 2']),
    'id twice': (text(lambda t: t.replace('sub-04', 'sub-03', 1)), [TABLE, 'row 5', 'first is row 4', 'sub-03']),
    'id twice in two spellings': (text(lambda t: t.replace('sub-04', '3', 1)), ['row 5', 'first is row 4', 'sub-03', '"3"']),
    'no id': (text(lambda t: t.replace('sub-04', 'n/a', 1)), ['row 5', 'no participant_id']),
    'no column of ids': (text(lambda t: t.replace('participant_id', 'participants', 1)), ['no column participant_id', 'Did you mean participants?']),
    'column twice': (text(lambda t: t.replace('nrs_post', 'nrs_pre', 1)), ['column nrs_pre', 'two columns']),
    'two spellings of one column': (text(lambda t: t.replace('nrs_post', 'pre_nrs', 1)), ['nrs_pre and pre_nrs both mean nrs of ses-pre']),
    'other name': (text(lambda t: t.replace('nrs', 'pain')), ['has no column nrs', 'nrs_pre', 'pain_pre']),
    'near name': (text(lambda t: t.replace('nrs_p', 'NRS_avg_p')), ['has no column nrs', 'NRS_avg_pre']),
    'no session': (text(lambda t: t.replace('nrs_pre', 'nrs')), ['nobody has a value at baseline (ses-pre)']),
    'nobody at a visit': (text(lambda t: t.replace('nrs_post', 'nrs_fu')), ['nobody has a value at followup (ses-post)', 'Correct the session']),
    'commas': (text(lambda t: t.replace('\t', ',')), ['separated by ","', 'tabs']),
    'semicolons': (text(lambda t: t.replace('\t', ';')), ['separated by ";"', 'tabs']),
    'quote not closed': (text(lambda t: t.replace('sub-02', '"sub-02', 1)), ['row 3', 'quotation mark is never closed']),
    'cell without end': (content(b'participant_id\tnrs_pre\n"' + b'x' * 200_000), ['row 2', 'cannot be split into cells']),
    'Excel': (content(b'PK\x03\x04rest'), ['Excel workbook', 'tabs']),
    'zero bytes': (content(b'participant_id\0'), ['no text']),
    'empty': (content(b''), [TABLE, 'is empty']),
    'blank': (content(b' \n\n'), ['is empty']),
    'header only': (content(b'participant_id\tnrs_pre\tnrs_post\n'), ['nobody has a value at baseline']),
    'a folder': (lambda root: ((root / TABLE).unlink(), (root / TABLE).mkdir()), [TABLE, 'cannot be read']),
    'another unit': (sidecar({'nrs': {'Units': 'W'}}), ['"W"', 'in its JSON file where the trial has points']),
    'another scale': (scaled(10), ['column nrs_pre', '16 of 16 values are out of range', 'Units', 'n/a']),
    'dictionary': (sidecar('{"nrs": '), ['phenotype/nrs.json', 'no valid JSON']),
    'dictionary of another kind': (sidecar([]), ['phenotype/nrs.json', 'no JSON object']),
    'unknown arm': (arms(lambda t: t.replace('exercise', 'placebo', 1)), ['participants.tsv', 'column group', 'row 3', 'sub-02', '"placebo"', 'exercise and waitlist', 'Arms.Others']),
    'both arms empty': (arms(lambda t: t.replace('exercise', 'n/a').replace('waitlist', 'n/a')), ['nobody is in the arm exercise', 'nobody is in the arm waitlist']),
    'no column of arms': (arms(lambda t: t.replace('group', 'Group', 1)), ['participants.tsv', 'no column group', 'Did you mean Group?']),
    'participant twice': (arms(lambda t: t.replace('sub-02', 'sub-01', 1)), ['participants.tsv', 'row 3', 'first is row 2']),
    'nearly the same ids': (arms(lambda t: t + 'sub-1\texercise\n'), None),
    'id that may be two': (
        lambda root: (arms(lambda t: t + 'sub-1\texercise\n')(root), text(lambda t: t.replace('sub-01', '001', 1))(root)),
        [TABLE, 'row 2', '"001"', 'could be', 'sub-1', 'sub-01'],
    ),
}  # fmt: skip


@pytest.mark.parametrize(('harm', 'words'), HARMS.values(), ids=HARMS)
def test_a_table_that_cannot_be_right_is_refused(root, tmp_path, harm, words):
    wide(root)
    harm(root)
    if words is None:
        tables = read_tables(root, trial_of(tmp_path))
        assert any(
            'sub-1' in message and 'look like one participant' in message for message in tables.messages
        )
        return
    with pytest.raises(DataError) as caught:
        read_tables(root, trial_of(tmp_path))
    message = str(caught.value)
    assert caught.value.exit_code == 65
    assert all(word in message for word in words), message


ABSENT = {
    'table': (lambda root: (root / TABLE).rename(root / 'phenotype/nrs_total.tsv'), [TABLE, 'is absent', 'phenotype/nrs_total.tsv']),
    'content of a link': (dangling, [TABLE, 'content that is not here', 'datalad get']),
    'participants': (lambda root: (root / 'participants.tsv').unlink(), ['participants.tsv', 'is absent']),
}  # fmt: skip


@pytest.mark.parametrize(('harm', 'words'), ABSENT.values(), ids=ABSENT)
def test_what_the_trial_file_names_must_be_there(root, tmp_path, harm, words):
    wide(root)
    harm(root)
    with pytest.raises(MissingInputError) as caught:
        read_tables(root, trial_of(tmp_path))
    assert caught.value.exit_code == 66
    assert all(word in str(caught.value) for word in words), caught.value


def test_all_problems_of_all_tables_are_told_together(root, tmp_path):
    wide(root)
    arms(lambda t: t.replace('exercise', 'placebo', 1))(root)
    text(lambda t: t.replace('\t4.0\t', '\tbad\t', 1).replace('sub-05', 'sub-06', 1))(root)
    trial = {
        **TRIAL,
        'Covariates': ['agee'],
        'Outcomes': {
            **TRIAL['Outcomes'],
            'walk': {'Table': 'phenotype/walk.tsv', 'Column': 'walk', 'Units': 'm'},
        },
    }
    with pytest.raises(DataError) as caught:
        read_tables(root, trial_of(tmp_path, trial))
    message = str(caught.value)
    for word in (
        '"placebo"',
        '"bad"',
        'a second row',
        'no column agee',
        'phenotype/walk.tsv: is absent',
        '5 problems',
    ):
        assert word in message, message
    assert len(message.splitlines()) == 6


def test_one_arm_is_analysed_with_a_word(root, tmp_path):
    wide(root)
    arms(lambda t: t.replace('exercise', 'waitlist'))(root)
    tables = read_tables(root, trial_of(tmp_path))
    assert set(tables.participants['arm']) == {'waitlist'}
    assert any('nobody is in the arm exercise' in message for message in tables.messages)


def test_equal_problems_are_one_line(root, tmp_path):
    rows = [(p, 'ill', NRS[p, 'post']) for p in PEOPLE]
    tsv(root / TABLE, [('participant_id', 'nrs_pre', 'nrs_post'), *rows])
    with pytest.raises(DataError) as caught:
        read_tables(root, trial_of(tmp_path))
    (line,) = str(caught.value).splitlines()[1:]
    assert 'row 2 sub-01' in line
    assert 'and 3 more' in line


def test_two_tables_that_disagree(root, tmp_path):
    wide(root)
    rows = [(p, 9 if p == 'sub-02' else NRS[p, 'post']) for p in PEOPLE]
    tsv(root / 'phenotype' / 'nrs_ses-post.tsv', [('participant_id', 'nrs'), *rows])
    with pytest.raises(DataError) as caught:
        read_tables(root, trial_of(tmp_path))
    for word in ('nrs_ses-post.tsv', 'row 3', '"9"', f'differs from "{NRS["sub-02", "post"]}"', TABLE):
        assert word in str(caught.value), caught.value


def test_a_file_of_one_session_with_rows_of_another(root, tmp_path):
    wide(root)
    rows = [(p, 'ses-pre', NRS[p, 'post']) for p in PEOPLE]
    tsv(root / 'phenotype' / 'nrs_ses-post.tsv', [('participant_id', 'session_id', 'nrs'), *rows])
    with pytest.raises(DataError, match='another session than the name of the file, ses-post'):
        read_tables(root, trial_of(tmp_path))


def test_a_session_twice(root, tmp_path):
    long(root)
    with (root / TABLE).open('a') as table:
        table.write('sub-01\tpre\t3\n')
    with pytest.raises(DataError, match=r'row 18 sub-01.*second row of ses-pre .* first is row 2'):
        read_tables(root, trial_of(tmp_path))
    per_person(root)
    (root / TABLE).unlink()
    with (root / 'sub-04' / 'sub-04_sessions.tsv').open('a') as table:
        table.write('ses-post\t3\n')
    with pytest.raises(DataError, match=r'sub-04_sessions\.tsv.*second row of ses-post'):
        read_tables(root, trial_of(tmp_path))


def test_sessions_files_without_the_column(root, tmp_path):
    per_person(root)
    spec = {**TRIAL, 'Outcomes': {'nrs': {'Table': 'sessions.tsv', 'Column': 'nrs_avg', 'Units': 'points'}}}
    with pytest.raises(DataError, match=r'sessions\.tsv.*no column nrs_avg\. Did you mean nrs'):
        read_tables(root, trial_of(tmp_path, spec))
    for pid in PEOPLE:
        (root / pid / f'{pid}_sessions.tsv').unlink()
    with pytest.raises(MissingInputError, match=r'sessions\.tsv: is absent'):
        read_tables(root, trial_of(tmp_path, spec))


def test_items_must_all_be_there_without_a_total(root, tmp_path):
    odi(root, {p: [2] * 10 for p in PEOPLE})
    path = root / 'phenotype' / 'odi.tsv'
    path.write_text(path.read_text().replace('odi_7', 'odi7'))
    with pytest.raises(DataError, match=r'odi\.tsv, column odi_7: has no column odi_7\. Did you mean odi7'):
        read_tables(root, odi_trial(tmp_path))


def test_an_item_out_of_range_is_missing(root, tmp_path):
    odi(root, {p: [2] * 9 + [6 if p == 'sub-01' else 2] for p in PEOPLE})
    tables = read_tables(root, odi_trial(tmp_path))
    first = tables.outcomes[tables.outcomes['participant_id'] == 'sub-01']
    assert list(first['value']) == [20, 20]
    assert set(first['flags']) == {'out_of_range prorated'}


@pytest.mark.parametrize(('number', 'stops'), [(2, False), (3, True)])
def test_three_values_out_of_range_are_another_scale(root, tmp_path, number, stops):
    rows = [(p, 40 if n < number else 4, 5) for n, p in enumerate(PEOPLE)]
    tsv(root / TABLE, [('participant_id', 'nrs_pre', 'nrs_post'), *rows])
    if stops:
        with pytest.raises(DataError, match='3 of 16 values are out of range'):
            read_tables(root, trial_of(tmp_path))
    else:
        assert read_tables(root, trial_of(tmp_path)).outcomes['value'].isna().sum() == number


BLOOD = {
    'unknown time': ('time', lambda t: t.replace('\tpost\t', '\tafter\t', 1), ['column time', 'row 3', '"after"', 'There is post, pre']),
    'limit not known': (None, lambda t: t.replace('\t20\t5\t', '\t<LOD\tn/a\t', 1), ['row 2', '"<LOD"', 'a limit that is not known', '<2.5']),
    'zero without a limit': (None, lambda t: t.replace('\t20\t5\t', '\t0\tn/a\t', 1), ['row 2', '"0"', 'a limit that is not known']),
    'no column of limits': (None, lambda t: t.replace('uloq', 'upper', 1), ['has no column uloq', 'upper']),
    'no column of times': (None, lambda t: t.replace('time', 'timepoint', 1), ['second row of ses-wk3']),
    'extrapolated': (None, lambda t: t.replace('\t20\t', '\t*20\t', 1), ['"*20"', 'is no number']),
    'nobody in a session': (None, lambda t: t.replace('wk14', 'wk15'), ['nobody has a value at s42_pre (ses-wk14)']),
}  # fmt: skip


@pytest.mark.parametrize(('_', 'change', 'words'), BLOOD.values(), ids=BLOOD)
def test_blood_samples(root, tmp_path, _, change, words):
    wide(root)
    blood(root)
    path = root / 'phenotype' / 'bdnf.tsv'
    path.write_text(change(path.read_text()))
    with pytest.raises(DataError) as caught:
        read_tables(root, bdnf_trial(tmp_path))
    assert all(word in str(caught.value) for word in ['phenotype/bdnf.tsv', *words]), caught.value


def test_a_sample_of_two_people(root, tmp_path):
    wide(root)
    (root / 'counts.tsv').write_text('gene\n')
    rows = [
        (p, f'ses-{s}', 'lane1' if n < 2 and s == 'wk3' else f'{p}{s}')
        for n, p in enumerate(PEOPLE)
        for s in ('wk3', 'wk14')
    ]
    tsv(root / 'phenotype' / 'rna.tsv', [('participant_id', 'session_id', 'sample_id'), *rows])
    part = {
        'Counts': 'counts.tsv',
        'Samples': 'phenotype/rna.tsv',
        'Visits': {'first': {'Session': 'wk3'}, 'last': {'Session': 'wk14'}},
    }
    with pytest.raises(
        DataError, match=r'row 4 sub-02 ses-wk3 "lane1".*same sample as of sub-01 at ses-wk3, row 2'
    ):
        read_tables(root, trial_of(tmp_path, {**TRIAL, 'Expression': part}))
    (root / 'counts.tsv').unlink()
    with pytest.raises(MissingInputError, match=r'counts\.tsv: is absent'):
        read_tables(root, trial_of(tmp_path, {**TRIAL, 'Expression': part}))


def test_a_column_of_a_table_that_is_there_must_be_there_in_the_default_trial_too(root):
    wide(root)
    with pytest.raises(DataError, match=r'has no column nrs_average'):
        read_tables(root, read_trial())


def test_messages_say_no_path_of_the_machine(root, tmp_path):
    wide(root)
    text(lambda t: t.replace('\t4.0\t', '\tbad\t', 1))(root)
    with pytest.raises(DataError) as caught:
        read_tables(root, trial_of(tmp_path))
    assert str(tmp_path) not in str(caught.value)


def damage(content, rng):
    """Return bytes with a few of them removed, doubled or replaced by what tables trip over."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        place = int(rng.integers(len(content)))
        marks = [b'\t', b'\n', b'\r', b'"', b',', b'.', b'-', b'n/a', b'\xe9', b'\x00', b'9', b' ']
        change = marks[int(rng.integers(len(marks)))]
        content[place : place + int(rng.integers(3))] = change
    return bytes(content)


def test_a_damaged_table_is_refused_or_read_as_it_stands(root, tmp_path, rng):
    """Nothing but our own errors, and every value that is returned stands at the place that is named."""
    wide(root)
    trial, path = trial_of(tmp_path), root / TABLE
    sound = path.read_bytes()
    refused = 0
    for _ in range(300):
        path.write_bytes(damage(sound, rng))
        try:
            tables = read_tables(root, trial)
        except (DataError, MissingInputError):
            refused += 1
            continue
        lines = (
            path.read_bytes()
            .decode('cp1252', 'replace')
            .replace('\r\n', '\n')
            .replace('\r', '\n')
            .split('\n')
        )
        for found in tables.outcomes.dropna(subset=['value']).itertuples():
            # a quoted cell may hold line breaks: the value is then in a later line of its row
            texts = [
                t
                for line in lines[found.row - 1 :]
                for t in line.replace('"', '').replace(',', '.').split('\t')
            ]
            assert any(found.value == float(t) for t in texts[:12] if is_number(t)), found
    # both happen often: a damaged letter stops, a damaged digit does not
    assert 50 < refused < 290


def is_number(word):
    try:
        return bool(float(word.strip()) + 1)
    except ValueError:
        return False


def test_a_damaged_trial_file_is_refused_or_read(tmp_path, rng):
    sound = (DATA_DIR / 'trial.json').read_bytes()
    path, messages = tmp_path / 'trial.json', []
    for _ in range(100):
        path.write_bytes(damage(sound, rng))
        try:
            read_trial(path)
        except DataError as error:
            messages.append(str(error))
    assert len(messages) > 50
    assert all('trial.json' in message for message in messages)


VALUES = [None, 0, -1, 1.5, True, '', 'x', [], [None], ['x', 'x'], {}, {'x': 1}]


def test_any_value_at_any_key_of_a_trial_file(tmp_path):
    """Every part of the default trial is replaced by values of every kind, in turn."""
    content = json.loads((DATA_DIR / 'trial.json').read_text())

    def places(part, at=()):
        for key in part if isinstance(part, dict) else range(len(part)):
            yield (*at, key)
            if isinstance(part[key], dict | list):
                yield from places(part[key], (*at, key))

    path, messages, tried = tmp_path / 'trial.json', [], 0
    for number, (*parents, last) in enumerate(list(places(content))):
        part = content
        for key in parents:
            part = part[key]
        for value in VALUES[number % 6 :: 6]:
            kept, part[last] = part[last], value
            path.write_text(json.dumps(content))
            part[last] = kept
            tried += 1
            try:
                read_trial(path)
            except DataError as error:
                messages.append(str(error))
    assert tried > 200
    # the few values that are allowed somewhere are numbers and names
    assert len(messages) > 0.8 * tried
    assert all('trial.json' in message for message in messages)
