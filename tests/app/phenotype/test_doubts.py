"""Values that nothing declares to be right, columns of other visits, categories in digits: used as before, and named."""

import json

import pytest

from bids_app.phenotype.tables import read_tables
from pipelines.errors import DataError
from tests.app.phenotype.test_phenotype import (
    ARMS,
    PEOPLE,
    TRIAL,
    bdnf_trial,
    participants,
    trial_of,
    tsv,
    values,
    wide,
    with_outcome,
)
from tests.app.phenotype.test_phenotype import root as root  # a fixture

MANY = [f'sub-{number:02d}' for number in range(1, 13)]
WALK = [410, 455, 480, 500, 515, 520, 540, 550, 565, 580, 610, 640]


@pytest.fixture
def many(tmp_path):
    """Return a dataset of twelve people."""
    tsv(
        tmp_path / 'bids' / 'participants.tsv',
        [
            ('participant_id', 'group'),
            *((p, 'exercise' if n % 2 else 'waitlist') for n, p in enumerate(MANY)),
        ],
    )
    return tmp_path / 'bids'


def walk(root, pre, post=WALK, **dictionary):
    rows = zip(MANY, pre, post)
    tsv(root / 'phenotype' / 'walk.tsv', [('participant_id', 'walk_pre', 'walk_post'), *rows])
    (root / 'phenotype' / 'walk.json').write_text(json.dumps({'walk': dictionary}))


def doubts(tables):
    report = tables.report
    own = report[report['problem'].str.contains('looks like|robust')]
    return [(r.participant_id, r.value, r.problem.split(':')[0]) for r in own.itertuples()]


def read(root, tmp_path, **keys):
    return read_tables(root, trial_of(tmp_path, with_outcome('walk', **{'Units': 'm', **keys})))


@pytest.mark.parametrize('code', ['999', '-9', '-99', '9999', '-1', '99', '999.0'])
def test_a_code_without_a_range_is_used_and_named(many, tmp_path, code):
    """It is the user's to say what it means; a message names it with its place and the remedy."""
    walk(many, [*WALK[:-1], code])
    tables = read(many, tmp_path)
    assert values(tables, 'walk')['sub-12', 'pre'] == float(code)
    assert doubts(tables) == [('sub-12', code, 'looks like a code for missing')]
    (message,) = tables.messages
    for word in (
        'phenotype/walk.tsv',
        'column walk_pre',
        'row 13',
        'others are 410 to 640',
        'Minimum',
        'Range',
    ):
        assert word in message


@pytest.mark.parametrize(
    ('value', 'keys', 'dictionary', 'is_told', 'is_used'),
    [
        ('9999', {'Range': [0, 1200]}, {}, False, False),
        ('9999', {}, {'Minimum': 0, 'Maximum': 1200}, False, False),
        ('9999', {'Range': [0, 20000]}, {}, False, True),
        ('9999', {'Range': [0, None]}, {}, True, True),  # nothing is said of large ones
        ('9999', {}, {'Maximum': 20000}, False, True),
        ('-9', {'Range': [0, None]}, {}, False, False),
        ('-9', {'Range': [-20, None]}, {}, False, True),
        ('-9', {'Range': [None, 1200]}, {}, True, True),
    ],
)
def test_a_range_speaks_for_its_side(many, tmp_path, value, keys, dictionary, is_told, is_used):
    walk(many, [*WALK[:-1], value], **dictionary)
    tables = read(many, tmp_path, **keys)
    assert bool(doubts(tables)) == is_told
    found = values(tables, 'walk')['sub-12', 'pre']
    assert (found == float(value)) if is_used else (found != found)


def test_values_that_look_like_codes_and_are_none(many, tmp_path):
    """99 in a column of 80 to 120 is legitimate."""
    walk(many, [80, 85, 88, 92, 95, 99, 99, 104, 110, 111, 118, 120], WALK)
    # the follow-up of another scale, so that only the first visit speaks of the first
    walk(
        many,
        [80, 85, 88, 92, 95, 99, 99, 104, 110, 111, 118, 120],
        [90, 96, 99, 81, 77, 88, 101, 99, 120, 115, 97, 103],
    )
    assert doubts(read(many, tmp_path)) == []


def test_a_value_far_from_the_others_of_its_visit(many, tmp_path):
    """A slip of the pen: 5550 for 555; median 530, MAD 35, limit 530 + 6 x 1.4826 x 35 = 841."""
    walk(many, [*WALK[:-1], 5550])
    tables = read(many, tmp_path)
    assert values(tables, 'walk')['sub-12', 'pre'] == 5550
    assert doubts(tables) == [('sub-12', '5550', 'is further than 6 robust SD from the others of its visit')]
    walk(many, [*WALK[:-1], 840])
    assert doubts(read(many, tmp_path)) == []


def test_visits_are_looked_at_one_by_one(many, tmp_path):
    """All that doubled between visits is far from no other."""
    walk(many, WALK, [4 * value for value in WALK])
    assert doubts(read(many, tmp_path)) == []


def test_counts_by_their_unit(many, tmp_path):
    steps = [1200, 2000, 3300, 4000, 5500, 7000, 9000, 13000, 21000, 2500, 6000, 70000]
    walk(many, steps)
    assert doubts(read(many, tmp_path, Units='steps')) == [
        ('sub-12', '70000', 'is further than 6 robust SD from the others of its visit')
    ]
    assert doubts(read(many, tmp_path, Units='count')) == []
    walk(many, [*steps[:-1], -99])
    assert [row[:2] for row in doubts(read(many, tmp_path, Units='count'))] == [('sub-12', '-99')]


def test_codes_are_looked_for_as_written(many, tmp_path):
    """999 in a column of km is 999,000 m, and a code all the same."""
    walk(many, [*(value / 1000 for value in WALK[:-1]), 999], [value / 1000 for value in WALK], Units='km')
    tables = read(many, tmp_path)
    assert values(tables, 'walk')['sub-12', 'pre'] == 999_000
    assert [row[:2] for row in doubts(tables)] == [('sub-12', '999')]


def test_decimal_commas_are_no_obstacle(many, tmp_path):
    walk(many, [*(f'{value / 10:.1f}'.replace('.', ',') for value in WALK[:-1]), '-9,0'])
    assert [row[:2] for row in doubts(read(many, tmp_path))] == [('sub-12', '-9,0')]


def test_concentrations_and_items(many, tmp_path):
    """BDNF has a lower limit of 0 and none above; items without ItemRange have none at all."""
    walk(many, WALK)
    rows = [(p, *(20 + n + k for k in range(4)), 5, 'n/a') for n, p in enumerate(MANY)]
    rows[3] = (*rows[3][:2], 9999, *rows[3][3:])
    names = [f'bdnf_{name}' for name in ('s7_pre', 's7_post', 's42_pre', 's42_post')]
    tsv(many / 'phenotype' / 'bdnf.tsv', [('participant_id', *names, 'lod', 'uloq'), *rows])
    tsv(
        many / 'phenotype' / 'nrs.tsv',
        [('participant_id', 'nrs_pre', 'nrs_post'), *((p, 5, 4) for p in MANY)],
    )
    assert [row[:2] for row in doubts(read_tables(many, bdnf_trial(tmp_path)))] == [('sub-04', '9999')]
    rows = [(p, *([n % 4] * 3), *([n % 4] * 2), 9 if n == 5 else n % 4) for n, p in enumerate(MANY)]
    names = [f'q_{item}_{visit}' for visit in ('pre', 'post') for item in (1, 2, 3)]
    tsv(many / 'phenotype' / 'walk.tsv', [('participant_id', *names), *rows])
    content = with_outcome('walk', Items=['q_1', 'q_2', 'q_3'])
    tables = read_tables(many, trial_of(tmp_path, content))
    assert [row[:2] for row in doubts(tables)] == [('sub-06', '9')]


def test_covariates_are_asked_about_too(many, tmp_path):
    walk(many, WALK)
    ages = [23, 31, 35, 38, 41, 44, 47, 52, 55, 58, 61, 999]
    rows = [(p, 'exercise' if n % 2 else 'waitlist', age) for n, (p, age) in enumerate(zip(MANY, ages))]
    tsv(many / 'participants.tsv', [('participant_id', 'group', 'age'), *rows])
    content = {**with_outcome('walk', Units='m'), 'Covariates': ['age']}
    tables = read_tables(many, trial_of(tmp_path, content))
    assert tables.participants['age'].max() == 999
    assert [row[:2] for row in doubts(tables)] == [('sub-12', '999')]
    assert not any('Range' in message for message in tables.messages)  # covariates have none


# --- visits ---


def other_visits(tables):
    report = tables.report
    return sorted(report[report['problem'].str.contains('at a visit that the trial does not have')]['column'])


def with_columns(root, *names, sessions=('week0', 'week14')):
    rows = [(p, 5, 4, *([3] * len(names))) for p in PEOPLE]
    tsv(root / 'phenotype' / 'nrs.tsv', [('participant_id', *(f'nrs_{s}' for s in sessions), *names), *rows])


def of_sessions(tmp_path, first, last, **keys):
    visits = {'baseline': {'Session': first}, 'followup': {'Session': last}}
    return trial_of(tmp_path, {**TRIAL, 'Visits': visits, **keys})


@pytest.mark.parametrize(
    'name',
    [
        'nrs_week26',
        'nrs_ses-week26',
        'week26_nrs',
        'nrs_fu',
        'nrs_Screening',
        'nrs_month12',
        'nrs_ses-x',
        'nrs_t2',
    ],
)
def test_a_column_of_a_visit_that_the_trial_lacks(root, tmp_path, name):
    with_columns(root, name)
    tables = read_tables(root, of_sessions(tmp_path, 'week0', 'week14'))
    assert set(values(tables).values()) == {5.0, 4.0}
    assert other_visits(tables) == [name]
    assert any(name in message and 'trial file' in message for message in tables.messages)


@pytest.mark.parametrize(
    'name',
    [
        'nrs_sd',
        'nrs_complete',
        'nrs_date',
        'nrs_t',
        'nrs_change',
        'nrs_total_pre',
        'nrs',
        'mynrs_week26',
        'nrs_1_week2',
    ],
)
def test_a_column_of_something_else(root, tmp_path, name):
    with_columns(root, name)
    assert other_visits(read_tables(root, of_sessions(tmp_path, 'week0', 'week14'))) == []


def test_sessions_that_are_numbers(root, tmp_path):
    with_columns(root, 'nrs_26', 'nrs_n', sessions=('0', '14'))
    assert other_visits(read_tables(root, of_sessions(tmp_path, '0', '14'))) == ['nrs_26']


def test_a_column_without_values_is_none(root, tmp_path):
    rows = [(p, 5, 4, 'n/a') for p in PEOPLE]
    tsv(root / 'phenotype' / 'nrs.tsv', [('participant_id', 'nrs_pre', 'nrs_post', 'nrs_fu'), *rows])
    assert other_visits(read_tables(root, trial_of(tmp_path))) == []


def test_samples_of_other_times(root, tmp_path):
    wide(root)
    names = [f'bdnf_{name}' for name in ('s7_pre', 's7_post', 's42_pre', 's42_post', 's21_pre', 'wk8_post')]
    rows = [(p, *range(20, 26), 5, 100) for p in PEOPLE]
    tsv(root / 'phenotype' / 'bdnf.tsv', [('participant_id', *names, 'lod', 'uloq'), *rows])
    assert other_visits(read_tables(root, bdnf_trial(tmp_path))) == ['bdnf_s21_pre', 'bdnf_wk8_post']


# --- categories ---


def with_covariate(root, tmp_path, cells, entry=None, **keys):
    wide(root)
    participants(root, cells, head=('site',))
    (root / 'participants.json').write_text(json.dumps({'site': entry} if entry else {}))
    return read_tables(root, trial_of(tmp_path, {**TRIAL, 'Covariates': ['site'], **keys}))


def questions(tables):
    return [message for message in tables.messages if 'a number or a category?' in message]


def test_a_few_whole_numbers_are_asked_about(root, tmp_path):
    tables = with_covariate(root, tmp_path, [1, 2, 3, 1, 2, 3, 1, 'n/a'])
    assert list(tables.participants['site'][:3]) == [1.0, 2.0, 3.0]
    (message,) = questions(tables)
    for word in ('participants.tsv, column site', 'has 3 values, 1, 2, 3', 'Levels', 'Categories', 'Units'):
        assert word in message


@pytest.mark.parametrize(
    ('cells', 'entry'),
    [
        ([1, 2, 3] * 2 + [1, 1], {'Units': 'year'}),
        ([1, 2, 3] * 2 + [1, 1], {'Format': 'integer'}),
        ([1, 2, 3] * 2 + [1, 1], {'Minimum': 0}),
        ([1, 2, 3] * 2 + [1, 1], {'Levels': {'1': 'A', '2': 'B', '3': 'C'}}),
        ([1, 2, 3, 4, 5, 6, 1, 2], None),
        (['1.5', '2', '1.5', '2', '1.5', '2', '2', '2'], None),
        ([1] * 8, None),
        (['a', 'b'] * 4, None),
    ],
)
def test_what_is_clear_is_not_asked(root, tmp_path, cells, entry):
    assert questions(with_covariate(root, tmp_path, cells, entry)) == []


def test_four_people_of_four_ages(root, tmp_path):
    """Values that are all different are no few levels."""
    wide(root)
    head = ('participant_id', 'group', 'site')
    tsv(root / 'participants.tsv', [head, *((p, ARMS[p], 40 + n) for n, p in enumerate(PEOPLE[:4]))])
    content = {**TRIAL, 'Covariates': ['site']}
    assert questions(read_tables(root, trial_of(tmp_path, content))) == []


def test_the_trial_file_names_categories(root, tmp_path):
    tables = with_covariate(root, tmp_path, [1, 2, 3, 1, 2, 3, 1, 'n/a'], Categories=['site'])
    assert list(tables.participants['site'][:3]) == ['1', '2', '3']
    assert tables.participants['site'].isna().tolist() == [False] * 7 + [True]
    assert questions(tables) == []


def test_a_category_is_a_covariate(tmp_path):
    with pytest.raises(DataError, match=r'Categories: "centre" is none of the Covariates\. There is site'):
        trial_of(tmp_path, {**TRIAL, 'Covariates': ['site'], 'Categories': ['centre']})
