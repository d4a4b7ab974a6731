"""Tables of trials of other shapes: several arms and visits in every layout, words, numbers, counts, time at risk."""

import json
import math

import pytest

from bids_app.phenotype.keys import Key, by_label, spellings, visit_keys
from bids_app.phenotype.tables import read_tables
from pipelines.errors import DataError, MissingInputError
from pipelines.stats.visit import Visit
from tests.app.phenotype.test_phenotype import rows_of, trial_of, tsv
from tests.app.phenotype.test_trial import changed
from tests.app.phenotype.test_trial_shapes import CAME, FALLS, ONE_VISIT, PAIN, PGIC, VISITS, WHOLE, WORK

PEOPLE = [f'sub-{n:02d}' for n in range(1, 10)]
GROUPS = ('yoga', 'walking', 'usual care') * 3
GROUP = dict(zip(PEOPLE, GROUPS))
SESSIONS = ['01', '02', '03', '04']
NRS = {(p, s): 9 - n / 2 - place for n, p in enumerate(PEOPLE) for place, s in enumerate(SESSIONS)}
PAIN_ONLY = {
    'Arms': WHOLE['Arms'],
    'Visits': VISITS,
    'Strata': ['sex'],
    'Sites': WHOLE['Sites'],
    'Outcomes': {'nrs': PAIN},
}


def write_people(root, groups=GROUPS, head=('sex', 'clinic'), columns=(['1', '2', '1'] * 3, ['7'] * 9)):
    rows = [(p, g, *rest) for p, g, *rest in zip(PEOPLE, groups, *columns)]
    tsv(root / 'participants.tsv', [('participant_id', 'group', *head), *rows])


def wide(root, *names):
    """Write the ratings, a column per session called as given."""
    columns = names or [f'nrs_{s}' for s in SESSIONS]
    rows = [(p, *(NRS[p, s] for s in SESSIONS)) for p in PEOPLE]
    tsv(root / 'phenotype' / 'nrs.tsv', [('participant_id', *columns), *rows])


def long(root):
    rows = [(p, f'ses-{s}', v) for (p, s), v in NRS.items()]
    tsv(root / 'phenotype' / 'nrs.tsv', [('participant_id', 'session_id', 'nrs'), *rows])


def long_bare(root):
    rows = [(p, s, v) for (p, s), v in NRS.items()]
    tsv(root / 'phenotype' / 'nrs.tsv', [('participant_id', 'session_id', 'nrs'), *rows])


def per_session(root):
    for session in SESSIONS:
        rows = [(p, NRS[p, session]) for p in PEOPLE]
        tsv(root / 'phenotype' / f'nrs_ses-{session}.tsv', [('participant_id', 'nrs'), *rows])


def per_person(root):
    for p in PEOPLE:
        rows = [(f'ses-{s}', NRS[p, s]) for s in SESSIONS]
        tsv(root / p / f'{p}_sessions.tsv', [('session_id', 'nrs'), *rows])


LAYOUTS = {
    'wide': wide,
    'long': long,
    'long without ses-': long_bare,
    'one file per session': per_session,
    'sub-*_sessions.tsv': per_person,
}


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / 'bids'
    write_people(folder)
    return folder


def values(tables, outcome='nrs'):
    chosen = tables.outcomes[tables.outcomes['outcome'] == outcome]
    return {(r.participant_id, r.session_id[4:]): r.value for r in chosen.itertuples()}


@pytest.mark.parametrize('layout', LAYOUTS.values(), ids=LAYOUTS)
def test_four_visits_in_every_layout(root, tmp_path, layout):
    layout(root)
    tables = read_tables(root, trial_of(tmp_path, PAIN_ONLY))
    assert values(tables) == NRS
    assert list(tables.outcomes['visit'].unique()) == list(VISITS)
    assert dict(zip(tables.participants['participant_id'], tables.participants['arm'])) == GROUP
    assert tables.participants['sex'].tolist() == ['1', '2', '1'] * 3
    assert set(tables.participants['clinic']) == {'7'}
    assert not tables.messages


NAMES = {
    'sessions': ['nrs_01', 'nrs_02', 'nrs_03', 'nrs_04'],
    'sessions in full': ['nrs_ses-01', 'nrs_ses-02', 'nrs_ses-03', 'nrs_ses-04'],
    'visits': ['nrs_T0', 'nrs_six weeks', 'nrs_12', 'nrs_a year'],
    'visits joined': ['nrs_t0', 'nrs_six_weeks', 'nrs_12', 'nrs_A_Year'],
    'visits before': ['T0_nrs', 'six_weeks_nrs', '12_nrs', 'a_year_nrs'],
    'weeks': ['nrs_week0', 'nrs_week6', 'nrs_week12', 'nrs_week52'],
    'weeks in short': ['nrs_wk0', 'nrs_w6', 'nrs_W12', 'nrs_Wk52'],
    'weeks before': ['week0_nrs', 'wk6_nrs', 'w12_nrs', 'week52_nrs'],
    'mixed': ['nrs_T0', 'nrs_02', 'nrs_week12', 'nrs_a_year'],
}


@pytest.mark.parametrize('names', NAMES.values(), ids=NAMES)
def test_columns_are_called_by_session_visit_or_week(root, tmp_path, names):
    wide(root, *names)
    tables = read_tables(root, trial_of(tmp_path, PAIN_ONLY))
    assert values(tables) == NRS
    assert not tables.messages


def test_columns_are_called_by_month(root, tmp_path):
    visits = {
        'a': {'Session': '01', 'Month': 0},
        'b': {'Session': '02', 'Month': 3},
        'c': {'Session': '03', 'Month': 12},
    }
    wide(root, 'nrs_m0', 'nrs_Month3', 'mo12_nrs', 'other')
    tables = read_tables(root, trial_of(tmp_path, changed(PAIN_ONLY, 'Visits', visits)))
    assert values(tables) == {key: value for key, value in NRS.items() if key[1] != '04'}


def test_the_session_goes_before_the_visit(root, tmp_path):
    """A column that names a session is that session's, whatever a visit of the same name is."""
    visits = {'03': {'Session': '01'}, '02': {'Session': '03'}, '01': {'Session': '02'}}
    wide(root)
    tables = read_tables(root, trial_of(tmp_path, changed(PAIN_ONLY, 'Visits', visits)))
    assert values(tables) == {key: value for key, value in NRS.items() if key[1] != '04'}
    by_visit = tables.outcomes.pivot(index='participant_id', columns='visit', values='value')
    assert by_visit.loc['sub-01', ['03', '02', '01']].tolist() == [
        NRS['sub-01', s] for s in ('01', '03', '02')
    ]


def test_a_label_that_two_visits_could_have_is_of_neither():
    visits = [Visit(name='w6', session_id='ses-a', week=1), Visit(name='x', session_id='ses-b', week=6)]
    first, second = visit_keys(visits)
    assert first.labels == ('week1', 'wk1', 'w1')
    assert second.labels == ('x', 'week6', 'wk6')


def test_labels_never_are_the_label_of_a_session():
    visits = [Visit(name='POST', session_id='ses-pre'), Visit(name='end', session_id='ses-post', week=2.5)]
    assert [key.labels for key in visit_keys(visits)] == [(), ('end',)]


def test_two_columns_of_one_visit_stop(root, tmp_path):
    tsv(
        root / 'phenotype' / 'nrs.tsv',
        [
            ('participant_id', 'nrs_week0', 'nrs_T0', 'nrs_02', 'nrs_03', 'nrs_04'),
            *((p, 1, 2, 3, 4, 5) for p in PEOPLE),
        ],
    )
    with pytest.raises(DataError, match='nrs_week0 and nrs_T0 both mean nrs of ses-01'):
        read_tables(root, trial_of(tmp_path, PAIN_ONLY))


def test_spellings_of_sessions_come_first():
    key = Key('T1', 'ses-b', labels=('t1', 'week6'))
    assert spellings('nrs', key, has_session=False) == ['nrs_b', 'nrs_ses-b', 'b_nrs', 'ses-b_nrs']
    assert by_label(['nrs_b', 'nrs_WEEK6', 'nrs_week60', 't1_NRS'], 'nrs', key) == ['nrs_WEEK6', 't1_NRS']


def test_a_visit_that_nobody_has_stops(root, tmp_path):
    wide(root, 'nrs_01', 'nrs_02', 'nrs_03', 'other')
    with pytest.raises(DataError, match=r'nobody has a value at a year \(ses-04\)'):
        read_tables(root, trial_of(tmp_path, PAIN_ONLY))


def test_missing_is_missing_and_named(root, tmp_path):
    wide(root)
    path = root / 'phenotype' / 'nrs.tsv'
    path.write_text(path.read_text().replace('\t7.0\t', '\tn/a\t', 1))
    tables = read_tables(root, trial_of(tmp_path, PAIN_ONLY))
    gone = [key for key, value in values(tables).items() if math.isnan(value)]
    assert len(gone) == 1
    (row,) = rows_of(tables, problem='no value').itertuples()
    assert (row.participant_id, row.session_id) == (gone[0][0], f'ses-{gone[0][1]}')


def test_visits_of_an_outcome_are_read_alone(root, tmp_path):
    content = changed(PAIN_ONLY, 'Outcomes.nrs.Visits', ['T0', '12'])
    for layout in (wide, long):
        layout(root)
        tables = read_tables(root, trial_of(tmp_path, content))
        assert values(tables) == {key: value for key, value in NRS.items() if key[1] in ('01', '03')}
        assert not tables.messages
    wide(root)
    tables = read_tables(root, trial_of(tmp_path, content))
    left = rows_of(tables, action='not used: a year is none of its Visits')
    assert left['column'].tolist() == ['nrs_04']


ARMS = {
    'case': (['Yoga', 'WALKING', 'Usual care'], None, 'spelled otherwise than'),
    'codes': (['1', '2', '0'], {'1': 'yoga', '2': 'walking', '0': 'usual care'}, ''),
    'codes of a spreadsheet': (['1.0', '2.0', '0.0'], {'1': 'yoga', '2': 'walking', '0': 'usual care'}, ''),
    'labels': (
        ['yoga', 'walking', 'usual care'],
        {'yoga': 'Yoga twice a week', 'walking': 'w', 'usual care': 'u'},
        '',
    ),
}


@pytest.mark.parametrize(('words', 'levels', 'said'), ARMS.values(), ids=ARMS)
def test_arms_are_found_by_name_case_or_code(root, tmp_path, words, levels, said):
    write_people(root, words * 3)
    wide(root)
    if levels:
        (root / 'participants.json').write_text(json.dumps({'group': {'Levels': levels}}))
    tables = read_tables(root, trial_of(tmp_path, PAIN_ONLY))
    assert dict(zip(tables.participants['participant_id'], tables.participants['arm'])) == GROUP
    assert any(said in message for message in tables.messages) if said else not tables.messages


@pytest.mark.parametrize('digits', [['1', '2', '0'], ['1.0', '2.00', '0.0']])
def test_arms_called_by_digits(root, tmp_path, digits):
    write_people(root, digits * 3)
    wide(root)
    content = changed(
        PAIN_ONLY, 'Arms', {**WHOLE['Arms'], 'Treatment': ['1', '2'], 'Control': '0', 'Others': []}
    )
    tables = read_tables(root, trial_of(tmp_path, content))
    assert tables.participants['arm'].tolist() == ['1', '2', '0'] * 3


def test_an_arm_that_the_trial_lacks_stops(root, tmp_path):
    write_people(root, ['yoga', 'swimming', 'usual care'] * 3)
    wide(root)
    with pytest.raises(DataError, match='is no arm of the trial, which has yoga, walking and usual care'):
        read_tables(root, trial_of(tmp_path, PAIN_ONLY))


def test_people_of_other_arms_are_left_out(root, tmp_path):
    write_people(root, ['yoga', 'healthy', 'usual care'] * 3)
    wide(root)
    tables = read_tables(root, trial_of(tmp_path, PAIN_ONLY))
    assert set(tables.participants['arm']) == {'yoga', 'usual care'}
    assert any('nobody is in the arm walking' in message for message in tables.messages)


def test_a_stratum_of_one_person_each_is_asked_about(root, tmp_path):
    write_people(root, columns=([str(30 + n) for n in range(9)], ['a', 'b', 'a'] * 3))
    wide(root)
    tables = read_tables(root, trial_of(tmp_path, PAIN_ONLY))
    (message,) = tables.messages
    assert 'column sex: has 9 values for 9 people: is it a stratum or site?' in message


def test_a_stratum_that_is_absent_stops(root, tmp_path):
    write_people(root, head=('sex',), columns=(['1', '2', '1'] * 3,))
    wide(root)
    with pytest.raises(DataError, match='has no column clinic'):
        read_tables(root, trial_of(tmp_path, PAIN_ONLY))


def test_patients_against_healthy_people(root, tmp_path):
    rows = [(p, ['patient', 'healthy', 'patient'][n % 3]) for n, p in enumerate(PEOPLE)]
    tsv(root / 'participants.tsv', [('participant_id', 'diagnosis'), *rows])
    tsv(root / 'phenotype' / 'nrs.tsv', [('participant_id', 'nrs_scan'), *((p, 3) for p in PEOPLE)])
    content = {**ONE_VISIT, 'Outcomes': {'nrs': ONE_VISIT['Outcomes']['nrs']}}
    tables = read_tables(root, trial_of(tmp_path, content))
    assert set(tables.outcomes['visit']) == {'scan'}
    assert values(tables) == {(p, '01'): 3 for p in PEOPLE}


def one(outcome, **keys):
    """Return a trial whose only outcome has one column, of the visit ``12``."""
    given = {key: value for key, value in ({**outcome, 'Visits': ['12']} | keys).items() if value is not ...}
    return {**PAIN_ONLY, 'Outcomes': {'x': {**given, 'Table': 'phenotype/x.tsv', 'Column': 'x'}}}


def cells(root, words, *beside, head=(), about=None):
    rows = zip(PEOPLE, words, *beside)
    tsv(root / 'phenotype' / 'x.tsv', [('participant_id', 'x_03', *head), *rows])
    (root / 'phenotype' / 'x.json').write_text(json.dumps({} if about is None else {'x': about}))


def read(root, tmp_path, content):
    tables = read_tables(root, trial_of(tmp_path, content))
    return [values(tables, 'x')[p, '03'] for p in PEOPLE], tables


LEVELS = {
    'words': (['worse', 'same', 'better'], None),
    'other case': (['Worse', 'SAME', 'Better'], None),
    'codes': (['1', '2', '3'], {'1': 'worse', '2': 'same', '3': 'better', '4': 'much better'}),
    'codes of a spreadsheet': (
        ['1.0', '2.0', '3.0'],
        {'1': {'Description': 'worse'}, '2': 'same', '3': 'Better'},
    ),
    'codes in another order': (['5', '0', '1'], {'5': 'worse', '0': 'same', '1': 'better'}),
}


@pytest.mark.parametrize(('words', 'levels'), LEVELS.values(), ids=LEVELS)
def test_levels_are_numbers_in_their_order(root, tmp_path, words, levels):
    cells(root, [*words, 'n/a', *words, *words[:2]], about=levels and {'Levels': levels})
    found, tables = read(root, tmp_path, one(PGIC))
    assert found[:3] + found[4:] == [1, 2, 3, 1, 2, 3, 1, 2]
    assert math.isnan(found[3])
    assert len(rows_of(tables, problem='no value')) == 1


def test_levels_of_digits(root, tmp_path):
    cells(root, ['3', '2', '1'] * 3)
    found, _ = read(root, tmp_path, one(PGIC, Levels=['3', '2', '1'], Responder='2'))
    assert found == [1, 2, 3] * 3


def test_a_word_that_is_no_level_stops(root, tmp_path):
    cells(root, ['worse', 'not asked', 'better'] * 3)
    with pytest.raises(
        DataError, match='is none of the Levels, which are worse, same, better and much better'
    ):
        read(root, tmp_path, one(PGIC))


ORDINAL = {'Levels': ..., 'Responder': ..., 'LowerIsBetter': ...}


def test_an_ordinal_outcome_in_numbers(root, tmp_path):
    """Half a point is a level of some scales."""
    cells(root, ['0', '0.5', '1', '2', '3', '0.5', '1', '8', 'n/a'])
    found, tables = read(root, tmp_path, one(PGIC, **ORDINAL, Range=[0, 3]))
    assert found[:7] == [0, 0.5, 1, 2, 3, 0.5, 1]
    assert all(math.isnan(value) for value in found[7:])
    assert len(rows_of(tables, participant_id='sub-08', problem='out of range: the trial allows 0 to 3')) == 1


def test_words_that_the_dictionary_numbers(root, tmp_path):
    cells(root, ['Better', 'worse', '2'] * 3, about={'Levels': {'1': 'worse', '2': 'same', '3': 'better'}})
    found, _ = read(root, tmp_path, one(PGIC, **ORDINAL))
    assert found == [3, 1, 2] * 3


def test_words_without_an_order_stop(root, tmp_path):
    cells(root, ['better', 'worse', 'same'] * 3)
    with pytest.raises(DataError, match=r'is a word, and words have no order\. Name them .* as Levels'):
        read(root, tmp_path, one(PGIC, **ORDINAL))


BINARY = {
    'numbers': (['1', '0', '1'], ..., None, [1, 0, 1]),
    'numbers of a spreadsheet': (['1.0', '0.0', '1'], ..., None, [1, 0, 1]),
    'numbers with labels': (['1', '0', '1'], ..., {'1': 'yes', '0': 'no'}, [1, 0, 1]),
    'words': (['yes', 'no', 'Yes'], 'yes', None, [1, 0, 1]),
    'the other word counts': (['yes', 'no', 'NO'], 'no', None, [0, 1, 1]),
    'codes of words': (['2', '1', '2'], 'yes', {'1': 'yes', '2': 'no'}, [0, 1, 0]),
    'codes': (['2', '1', '2.0'], 2, None, [1, 0, 1]),
    'zero counts': (['1', '0', '1'], 0, None, [0, 1, 0]),
    'code as text': (['2', '1', '2'], '1', {'1': 'yes', '2': 'no'}, [0, 1, 0]),
    'everybody': (['yes', 'yes', 'yes'], 'yes', None, [1, 1, 1]),
}


@pytest.mark.parametrize(('words', 'responder', 'levels', 'wanted'), BINARY.values(), ids=BINARY)
def test_binary_values_are_0_and_1(root, tmp_path, words, responder, levels, wanted):
    cells(root, [*words, *words, *words[:2], 'NA'], about=levels and {'Levels': levels})
    found, tables = read(root, tmp_path, one(WORK, Responder=responder))
    assert found[:8] == [*wanted, *wanted, *wanted[:2]]
    assert math.isnan(found[8])
    assert not tables.messages


def test_binary_levels(root, tmp_path):
    cells(root, ['No', 'yes', 'no'] * 3)
    found, _ = read(root, tmp_path, one(WORK, Levels=['yes', 'no'], Responder='no'))
    assert found == [1, 0, 1] * 3
    cells(root, ['no', 'yes', 'partly'] * 3)
    with pytest.raises(DataError, match='is none of the Levels, which are yes and no'):
        read(root, tmp_path, one(WORK, Levels=['yes', 'no'], Responder='no'))


NOT_BINARY = {
    'words without responder': (
        ['yes', 'no', 'no'],
        ...,
        'is neither 0 nor 1. Name the word that counts as Responder',
    ),
    'codes 1 and 2': (['1', '2', '1'], ..., 'is neither 0 nor 1'),
    'three words': (
        ['yes', 'no', 'unknown'],
        'yes',
        'has no and unknown beside yes, where a binary outcome has two words',
    ),
    'another word': (['y', 'n', 'n'], 'yes', 'has y and n beside yes'),
}


@pytest.mark.parametrize(('words', 'responder', 'said'), NOT_BINARY.values(), ids=NOT_BINARY)
def test_what_is_not_binary_stops(root, tmp_path, words, responder, said):
    cells(root, words * 3)
    with pytest.raises(DataError) as caught:
        read(root, tmp_path, one(WORK, Responder=responder))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ('words', 'responder', 'said'), [('no', 'yes', 'nobody has yes'), ('0', ..., 'nobody has 1')]
)
def test_nobody_responds(root, tmp_path, words, responder, said):
    cells(root, [words] * 9)
    found, tables = read(root, tmp_path, one(WORK, Responder=responder))
    assert found == [0] * 9
    assert any(said in message for message in tables.messages)


def test_counts_with_a_maximum(root, tmp_path):
    cells(root, ['0', '12', '13', '5', '6', '7', '8', '9', 'n/a'])
    found, tables = read(root, tmp_path, one(CAME))
    assert found[:2] + found[3:8] == [0, 12, 5, 6, 7, 8, 9]
    assert math.isnan(found[2])
    assert len(rows_of(tables, problem='out of range: the trial allows 0 to 12')) == 1


def test_a_count_is_whole(root, tmp_path):
    cells(root, ['0', '12', '2.5'] * 3)
    with pytest.raises(DataError, match='is no whole number, and the outcome is a count'):
        read(root, tmp_path, one(CAME))


@pytest.mark.parametrize('column', ['days_03', 'days', 'days_week12', '12_days'])
def test_time_at_risk_of_the_visit_or_of_all(root, tmp_path, column):
    days = [365, 300, 'n/a', 0, 365, 365, 365, 365, 200]
    cells(root, [0, 1, 2, 1, 0, 0, 3, 'n/a', 1], days, head=(column,))
    found, tables = read(root, tmp_path, one(FALLS))
    assert found[:2] + found[4:7] + found[8:] == [0, 1, 0, 0, 3, 1]
    assert all(math.isnan(found[place]) for place in (2, 3, 7))
    exposure = tables.outcomes.set_index('participant_id')['exposure']
    assert exposure['sub-01'] == 365
    assert exposure[['sub-03', 'sub-04']].isna().all()
    flags = tables.outcomes.set_index('participant_id')['flags']
    assert flags[flags != ''].to_dict() == {'sub-03': 'no_exposure', 'sub-04': 'no_exposure'}
    assert len(rows_of(tables, problem='no time at risk, which a count needs')) == 2


def test_time_at_risk_that_is_absent_stops(root, tmp_path):
    cells(root, range(9))
    with pytest.raises(DataError, match='has no column days'):
        read(root, tmp_path, one(FALLS))


def test_numbers_have_no_exposure(root, tmp_path):
    wide(root)
    assert read_tables(root, trial_of(tmp_path, PAIN_ONLY)).outcomes['exposure'].isna().all()


def test_a_table_of_a_later_visit_that_is_absent_is_named(root, tmp_path):
    wide(root)
    content = changed(PAIN_ONLY, 'Outcomes.pgic', PGIC)
    with pytest.raises(MissingInputError, match=r'phenotype/pgic\.tsv: is absent'):
        read_tables(root, trial_of(tmp_path, content))


def test_a_whole_trial_is_read(root, tmp_path):
    wide(root)
    write_people(
        root, head=('sex', 'clinic', 'age'), columns=(['F', 'M', 'F'] * 3, ['a', 'b', 'b'] * 3, range(30, 39))
    )
    phenotype = root / 'phenotype'
    tsv(phenotype / 'pgic.tsv', [('participant_id', 'pgic_03'), *((p, 'better') for p in PEOPLE)])
    work = [
        (p, f'ses-{s}', 'yes' if int(s) > n % 4 else 'no') for n, p in enumerate(PEOPLE) for s in SESSIONS
    ]
    tsv(phenotype / 'work.tsv', [('participant_id', 'session_id', 'work'), *work])
    tsv(
        phenotype / 'came.tsv',
        [('participant_id', 'came_week6', 'came_week12'), *((p, 3, 9) for p in PEOPLE)],
    )
    tsv(phenotype / 'falls.tsv', [('participant_id', 'falls_04', 'days'), *((p, 1, 360) for p in PEOPLE)])
    tables = read_tables(root, trial_of(tmp_path, WHOLE))
    counted = tables.outcomes.groupby(['outcome', 'visit'])['value'].count()
    assert counted.loc['work'].to_dict() == dict.fromkeys(VISITS, 9)
    assert counted.loc['came'].to_dict() == {'six weeks': 9, '12': 9}
    assert counted.drop(['work', 'nrs', 'came']).to_dict() == {('falls', 'a year'): 9, ('pgic', '12'): 9}
    assert set(tables.outcomes.loc[tables.outcomes['outcome'] == 'work', 'value']) == {0, 1}
    assert list(tables.participants) == ['participant_id', 'arm', 'age', 'sex', 'clinic']
    assert not tables.messages
