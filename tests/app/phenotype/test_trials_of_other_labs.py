"""Trials as other labs run them, from their files to one validated table of values."""

import json

import numpy as np
import pytest

from bids_app.phenotype.tables import read_tables
from bids_app.phenotype.trial import read_trial
from pipelines.errors import DataError
from pipelines.stats.design import PrimaryContrast
from tests.app.phenotype.test_phenotype import rows_of, tsv

PEOPLE = [f'sub-{n:03d}' for n in range(1, 13)]


def lab(tmp_path, content, people, **tables):
    """Write a dataset and a trial file; return what is read of both."""
    root, path = tmp_path / 'bids', tmp_path / 'trial.json'
    tsv(root / 'participants.tsv', people)
    for name, rows in tables.items():
        tsv(root / 'phenotype' / f'{name}.tsv', rows)
    path.write_text(json.dumps(content))
    trial = read_trial(path)
    return trial, read_tables(root, trial)


def groups(*names, column='arm', head=(), columns=()):
    rows = [(p, names[n % len(names)], *rest) for n, (p, *rest) in enumerate(zip(PEOPLE, *columns))]
    return [('participant_id', column, *head), *rows]


def by_visit(tables, outcome):
    own = tables.outcomes[tables.outcomes['outcome'] == outcome]
    return own.pivot(index='participant_id', columns='visit', values='value')


OUTCOME = {
    'Table': 'phenotype/pain.tsv',
    'Column': 'pain',
    'Units': 'points',
    'Range': [0, 100],
    'Role': 'primary',
}


def test_surgery_with_a_followup_alone(tmp_path):
    """Nobody could be asked before an accident: randomised, one visit, success as a word."""
    content = {
        'Arms': {'Table': 'participants.tsv', 'Column': 'arm', 'Treatment': 'surgery', 'Control': 'cast'},
        'Visits': {'one year': {'Session': '1y', 'Month': 12}},
        'Outcomes': {
            'pain': {**OUTCOME, 'Visits': ['one year']},
            'healed': {
                'Table': 'phenotype/healed.tsv', 'Column': 'healed', 'Type': 'binary', 'Levels': ['no', 'yes'],
                'Responder': 'yes', 'Visits': ['one year'],
            },
        },
    }  # fmt: skip
    healed = ['yes', 'no', 'YES', 'n/a'] * 3
    trial, tables = lab(
        tmp_path, content, groups('surgery', 'cast'),
        pain=[('participant_id', 'pain_m12'), *((p, 10 * n) for n, p in enumerate(PEOPLE[:11]))],
        healed=[('participant_id', 'session_id', 'healed'), *((p, '1y', w) for p, w in zip(PEOPLE, healed))],
    )  # fmt: skip
    assert trial.baseline is None
    assert trial.is_randomised
    assert by_visit(tables, 'pain')['one year'].tolist()[:11] == [10 * n for n in range(11)]
    assert np.isnan(by_visit(tables, 'pain')['one year'].iloc[11])
    assert by_visit(tables, 'healed')['one year'].fillna(-1).tolist() == [1, 0, 1, -1] * 3
    missing = rows_of(tables, action='missing')
    assert set(missing['outcome']) == {'pain', 'healed'}
    assert len(missing) == 4


def test_a_baseline_that_was_never_measured_is_a_visit_all_the_same(tmp_path):
    content = {
        'Arms': {'Table': 'participants.tsv', 'Column': 'arm', 'Treatment': 'a', 'Control': 'b'},
        'Visits': {'baseline': {'Session': 'pre'}, 'mid': {'Session': 'mid'}, 'end': {'Session': 'end'}},
        'Outcomes': {'pain': {**OUTCOME, 'Visits': ['mid', 'end']}},
    }
    rows = [('participant_id', 'pain_mid', 'pain_end'), *((p, 50, 40) for p in PEOPLE)]
    trial, tables = lab(tmp_path, content, groups('a', 'b'), pain=rows)
    assert trial.baseline.name == 'baseline'
    assert not trial.outcomes['pain'].has_baseline
    assert set(tables.outcomes['visit']) == {'mid', 'end'}
    assert not tables.messages


def test_two_sites_of_digits_in_a_pragmatic_trial(tmp_path):
    content = {
        'Arms': {'Table': 'participants.tsv', 'Column': 'arm', 'Treatment': ['1', '2'], 'Control': '3'},
        'Visits': {'T0': {'Session': 'T0', 'Month': 0}, 'T1': {'Session': 'T1', 'Month': 3}, 'T2': {'Session': 'T2', 'Month': 12}},
        'Sites': {'Column': 'centre', 'As': 'blocks'},
        'Strata': ['centre', 'severe'],
        'Covariates': ['age', 'severe'],
        'Outcomes': {'pain': OUTCOME},
    }  # fmt: skip
    people = groups(
        '1', '2', '3', head=('centre', 'severe', 'age'), columns=([1, 2] * 6, [0, 0, 1] * 4, range(30, 42))
    )
    rows = [('participant_id', 'T0_pain', 'T1_pain', 'T2_pain'), *((p, 50, 40, 30) for p in PEOPLE)]
    trial, tables = lab(tmp_path, content, people, pain=rows)
    assert trial.factors == ('centre', 'severe')
    assert tables.participants['centre'].tolist() == ['1', '2'] * 6
    # a stratum is a category though it is a covariate too, and nobody asks
    assert tables.participants['severe'].tolist() == ['0', '0', '1'] * 4
    assert tables.participants['age'].tolist() == [float(n) for n in range(30, 42)]
    assert tables.participants['arm'].tolist() == ['1', '2', '3'] * 4
    assert not tables.messages
    assert trial.primary_contrasts == (
        PrimaryContrast(outcome='pain', arm='1'),
        PrimaryContrast(outcome='pain', arm='2'),
    )


def test_sessions_attended_are_an_outcome_of_those_who_could(tmp_path):
    content = {
        'Arms': {'Table': 'participants.tsv', 'Column': 'arm', 'Treatment': 'training', 'Control': 'advice'},
        'Visits': {'before': {'Session': '1'}, 'after': {'Session': '2'}},
        'Outcomes': {
            'pain': OUTCOME,
            'sessions': {
                'Table': 'phenotype/came.tsv', 'Items': ['first', 'second'], 'Type': 'count', 'Maximum': 42,
                'Visits': ['after'],
            },
        },
    }  # fmt: skip
    came = [
        (p, 20 - n % 3 if n % 2 == 0 else 'n/a', 21 if n % 2 == 0 else 'n/a') for n, p in enumerate(PEOPLE)
    ]
    trial, tables = lab(
        tmp_path, content, groups('training', 'advice'),
        pain=[('participant_id', 'pain_before', 'pain_after'), *((p, 60, 30) for p in PEOPLE)],
        came=[('participant_id', 'first_after', 'second_after'), *came],
    )  # fmt: skip
    found = by_visit(tables, 'sessions')['after']
    assert found.iloc[::2].tolist() == [41, 39, 40, 41, 39, 40]
    assert found.iloc[1::2].isna().all()
    assert (trial.outcomes['sessions'].units, trial.outcomes['sessions'].maximum) == ('count', 42)


IMPRESSION = {'1': 'very much improved', '2': 'much improved', '3': 'minimally improved', '4': 'no change'}


@pytest.mark.parametrize('written', ['codes', 'labels', 'codes of a spreadsheet'])
def test_a_global_impression_whose_first_level_is_best(tmp_path, written):
    content = {
        'Arms': {'Table': 'participants.tsv', 'Column': 'arm', 'Treatment': 'a', 'Control': 'b'},
        'Visits': {'baseline': {'Session': '1'}, 'week 8': {'Session': '2', 'Primary': True}, 'week 26': {'Session': '3'}},
        'Outcomes': {
            'pain': OUTCOME,
            'pgic': {
                'Table': 'phenotype/pgic.tsv', 'Column': 'pgic', 'Type': 'ordinal', 'Levels': list(IMPRESSION.values()),
                'LowerIsBetter': True, 'Responder': 'much improved', 'Visits': ['week 8', 'week 26'],
            },
        },
    }  # fmt: skip
    write = {
        'codes': str,
        'codes of a spreadsheet': lambda n: f'{n}.0',
        'labels': lambda n: IMPRESSION[str(n)].title(),
    }
    (tmp_path / 'bids' / 'phenotype').mkdir(parents=True)
    (tmp_path / 'bids' / 'phenotype' / 'pgic.json').write_text(json.dumps({'pgic': {'Levels': IMPRESSION}}))
    cells = [(p, s, write[written](1 + (n + int(s)) % 4)) for n, p in enumerate(PEOPLE) for s in '23']
    trial, tables = lab(
        tmp_path, content, groups('a', 'b'),
        pain=[('participant_id', 'pain_1', 'pain_2', 'pain_3'), *((p, 60, 30, 35) for p in PEOPLE)],
        pgic=[('participant_id', 'session_id', 'pgic'), *cells],
    )  # fmt: skip
    found = by_visit(tables, 'pgic')
    assert found['week 8'].tolist() == [1 + (n + 2) % 4 for n in range(12)]
    assert found['week 26'].tolist() == [1 + (n + 3) % 4 for n in range(12)]
    assert trial.outcomes['pgic'].threshold == 2
    assert not tables.messages


def test_sessions_that_differ_in_case_and_zeros_are_matched_and_told(tmp_path):
    content = {
        'Arms': {'Table': 'participants.tsv', 'Column': 'arm', 'Treatment': 'a', 'Control': 'b'},
        'Visits': {'0': {'Session': 'M00'}, '6': {'Session': 'M06'}, '12': {'Session': 'M12'}},
        'Outcomes': {'pain': OUTCOME},
    }
    rows = [(p, s, v) for p in PEOPLE for s, v in (('m0', 60), ('ses-M06', 40), ('ses-m12', 30))]
    _, tables = lab(
        tmp_path, content, groups('a', 'b'), pain=[('participant_id', 'session_id', 'pain'), *rows]
    )
    assert by_visit(tables, 'pain')[['0', '6', '12']].iloc[0].tolist() == [60, 40, 30]
    assert [message for message in tables.messages if 'spelled otherwise than in the dataset' in message]


def test_a_session_that_no_visit_has_is_listed(tmp_path):
    content = {
        'Arms': {'Table': 'participants.tsv', 'Column': 'arm', 'Treatment': 'a', 'Control': 'b'},
        'Visits': {'T0': {'Session': '0', 'Week': 0}, 'T1': {'Session': '1', 'Week': 6}},
        'Outcomes': {'pain': OUTCOME},
    }
    rows = [
        ('participant_id', 'pain_T0', 'pain_T1', 'pain_T2', 'pain_week26'),
        *((p, 9, 8, 7, 6) for p in PEOPLE),
    ]
    _, tables = lab(tmp_path, content, groups('a', 'b'), pain=rows)
    told = rows_of(tables, problem='looks like pain at a visit that the trial does not have')
    assert told['column'].tolist() == ['pain_T2', 'pain_week26']


def test_a_table_that_says_two_things_of_a_visit_stops(tmp_path):
    content = {
        'Arms': {'Table': 'participants.tsv', 'Column': 'arm', 'Treatment': 'a', 'Control': 'b'},
        'Visits': {'T0': {'Session': '0', 'Week': 0}, 'T1': {'Session': '1', 'Week': 6}},
        'Outcomes': {'pain': OUTCOME},
    }
    rows = [('participant_id', 'pain_T0', 'pain_week6', 'pain_wk6'), *((p, 9, 8, 7) for p in PEOPLE)]
    with pytest.raises(DataError, match='pain_week6 and pain_wk6 both mean pain of ses-1'):
        lab(tmp_path, content, groups('a', 'b'), pain=rows)
