"""Whatever tables, dictionaries and trial files hold: a result or one of our own errors, and nothing else."""

import copy
import json

import pytest

from bids_app.phenotype.tables import read_tables
from bids_app.phenotype.trial import DATA_DIR, read_trial
from pipelines.errors import ClbpeError
from tests.app.phenotype.test_phenotype import (
    PEOPLE,
    TRIAL,
    blood,
    long,
    participants,
    per_person,
    per_session,
    trial_of,
    tsv,
    wide,
)
from tests.app.phenotype.test_trial_shapes import WHOLE as SHAPES
from tests.app.phenotype.test_values_of_shapes import wide as four_visits
from tests.app.phenotype.test_values_of_shapes import write_people

MARKS = [
    b'\t', b'\n', b'\r', b'"', b'""', b',', b'.', b'-', b'n/a', b'\xe9', b'\x00', b'9', b' ', b'\xff\xfe', b'\xef\xbb\xbf',
    b'9' * 400, b'1e308', b'-1e999', b'nan', b'\xd9\xa3', b'\xc2\xb2', b'sub-', b'ses-', b'{', b'[', b'\\ud800', b'x' * 140_000,
]  # fmt: skip
"""What tables trip over; Arabic and raised digits are digits to some functions and not to others."""

ODD = [
    None, True, 0, -1, 1.5, 10**400, -(10**400), float('inf'), float('nan'), '', ' ', 'x', '\x00', '\ud800', 'n/a', '٣', '1' * 5000,
    'a' * 300 + '.tsv', '../x.tsv', '/etc/x.tsv', 'phenotype/*.tsv', '[.tsv', [], [None], ['x', 'x'], {}, {'x': 1}, {'1': {'Description': 5}},
]  # fmt: skip
"""Values of every kind, for any place of a JSON file."""


def mutated(content, rng):
    """Return bytes with up to three places replaced by what tables trip over, or cut off."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        place = int(rng.integers(len(content) + 1))
        content[place : place + int(rng.integers(4))] = MARKS[int(rng.integers(len(MARKS)))]
    return bytes(content[: int(rng.integers(len(content))) if rng.random() < 0.1 else None])


def places(part, at=()):
    """Yield the path of every value of a JSON document."""
    for key in part if isinstance(part, dict) else range(len(part)):
        yield (*at, key)
        if isinstance(part[key], dict | list):
            yield from places(part[key], (*at, key))


def replaced(content, rng):
    """Return a JSON document with one or two values, or a key, replaced by something odd."""
    content = json.loads(json.dumps(content))
    for _ in range(rng.integers(1, 3)):
        found = list(places(content))
        *parents, last = found[int(rng.integers(len(found)))]
        part = content
        for key in parents:
            part = part[key]
        odd = copy.deepcopy(ODD[int(rng.integers(len(ODD)))])
        if isinstance(part, dict) and rng.random() < 0.2 and isinstance(odd, str):
            part[odd] = part.pop(last)
        else:
            part[last] = odd
    return json.dumps(content)


CONTENT = {
    **TRIAL,
    'Covariates': ['age', 'site'],
    'Outcomes': {
        **TRIAL['Outcomes'],
        'odi': {
            'Table': 'phenotype/odi.tsv', 'Items': ['odi_1', 'odi_2'], 'MaxMissingItems': 1, 'Units': 'points'
        },
        'fc': {'Derivative': 'roi_connectivity', 'Regions': ['NAc', 'mPFC']},
    },
    'BDNF': json.loads((DATA_DIR / 'trial.json').read_text())['BDNF'],
    'Mediation': [{'Name': 'one', 'Mediators': ['fc'], 'Outcome': 'nrs', 'Covariates': ['age']}],
    'Remarks': ['Open label.'],
    'Attendance': {'Table': 'phenotype/came.tsv', 'Column': 'came', 'Planned': 42},
    'AdverseEvents': {'Table': 'phenotype/ae.tsv', 'Column': 'event'},
}  # fmt: skip
"""A trial that reads every kind of table."""


@pytest.fixture
def trial(tmp_path):
    return trial_of(tmp_path, CONTENT)


ENTRY = {
    'Units': 'points',
    'Minimum': 0,
    'Maximum': 10,
    'Levels': {'1': 'a', '2': {'Description': 'b'}},
    'Format': 'number',
}
DICTIONARIES = {
    'phenotype/nrs.json': {'nrs': {'Units': 'points', 'Minimum': 0, 'Maximum': 10}, 'nrs_pre': {'Units': 'points'}},
    'phenotype/bdnf.json': {'bdnf': {'Units': 'ng/mL'}, 'lod': {'Units': 'pg/mL'}},
    'participants.json': {'group': {'Levels': {'exercise': 'a', 'waitlist': 'b'}}, 'site': ENTRY, 'age': {'Units': 'year'}},
    'phenotype/odi.json': {'odi_1_pre': ENTRY, 'odi_2_pre': ENTRY},
}  # fmt: skip


def write_all(folder, nrs):
    """Write every table and dictionary of the trial, the ratings in one of the layouts."""
    ages, sites = [30 + n for n in range(8)], [1, 2] * 4
    participants(folder, ages, sites, head=('age', 'site'))
    nrs(folder)
    blood(folder)
    rows = [(p, 1, 2, 3, 2) for p in PEOPLE]
    tsv(
        folder / 'phenotype' / 'odi.tsv',
        [('participant_id', 'odi_1_pre', 'odi_2_pre', 'odi_1_post', 'odi_2_post'), *rows],
    )
    tsv(folder / 'phenotype' / 'came.tsv', [('participant_id', 'came'), *((p, 30) for p in PEOPLE)])
    tsv(folder / 'phenotype' / 'ae.tsv', [('participant_id', 'event'), *((p, 'fall') for p in PEOPLE)])
    for name, content in DICTIONARIES.items():
        (folder / name).write_text(json.dumps({k: v for k, v in content.items() if k != 'group'}))


def outcome_of(read, *arguments):
    try:
        read(*arguments)
    except ClbpeError:
        return 'refused'
    return 'read'


@pytest.mark.parametrize('layout', [wide, long, per_session, per_person])
def test_damaged_tables(tmp_path, trial, rng, layout):
    """Every table of the trial in turn, in every layout."""
    root = tmp_path / 'bids'
    write_all(root, layout)
    files = sorted(root.rglob('*.tsv'))[:8]
    found = []
    for number in range(160):
        path = files[number % len(files)]
        sound = path.read_bytes()
        path.write_bytes(mutated(sound, rng))
        found.append(outcome_of(read_tables, root, trial))
        path.write_bytes(sound)
    assert {'read', 'refused'} == set(found)


@pytest.mark.parametrize('name', DICTIONARIES)
def test_odd_dictionaries(tmp_path, trial, rng, name):
    root = tmp_path / 'bids'
    write_all(root, wide)
    found = []
    for number in range(120):
        text = replaced(DICTIONARIES[name], rng)
        (root / name).write_bytes(mutated(text.encode(), rng) if number % 4 == 0 else text.encode())
        found.append(outcome_of(read_tables, root, trial))
    assert {'read', 'refused'} == set(found)


def test_odd_trial_files(tmp_path, rng):
    """A trial file that is accepted is used: what it names may be anything."""
    root, path = tmp_path / 'bids', tmp_path / 'trial.json'
    write_all(root, wide)
    found = []
    for _ in range(500):
        path.write_text(replaced(CONTENT, rng))
        found.append(outcome_of(lambda: read_tables(root, read_trial(path))))
    assert {'read', 'refused'} == set(found)


def test_odd_trial_files_of_other_shapes(tmp_path, rng):
    """Several arms, visits of any name, words, counts, and what no data can tell."""
    root, path = tmp_path / 'bids', tmp_path / 'trial.json'
    write_people(
        root, head=('sex', 'clinic', 'age'), columns=(['F', 'M', 'F'] * 3, [1, 2, 2] * 3, range(30, 39))
    )
    four_visits(root)
    for name, row in {'pgic_03': ['better'], 'came_02\tcame_03': [3, 9], 'falls_04\tdays': [1, 360]}.items():
        rows = [(f'sub-{n:02d}', *row) for n in range(1, 10)]
        tsv(root / 'phenotype' / f'{name.split("_")[0]}.tsv', [('participant_id', name), *rows])
    words = [(f'sub-{n:02d}', *['yes', 'no'] * 2) for n in range(1, 10)]
    tsv(
        root / 'phenotype' / 'work.tsv',
        [('participant_id', 'work_01', 'work_02', 'work_03', 'work_04'), *words],
    )
    found = [outcome_of(lambda: read_tables(root, trial_of(tmp_path, SHAPES)))]
    for _ in range(300):
        path.write_text(replaced(SHAPES, rng))
        found.append(outcome_of(lambda: read_tables(root, read_trial(path))))
    assert found[0] == 'read'
    assert {'read', 'refused'} == set(found)


@pytest.mark.parametrize(
    'text', ['[' * 100_000, '{"a":' * 100_000, '9' * 5000, '{"Name": "\\ud800"}', '\ufeff', '"x"', '']
)
def test_json_that_no_parser_likes(tmp_path, trial, text):
    root = tmp_path / 'bids'
    write_all(root, wide)
    (root / 'phenotype' / 'nrs.json').write_text(text)
    (tmp_path / 'other.json').write_text(text)
    assert outcome_of(read_trial, tmp_path / 'other.json') == 'refused'
    assert outcome_of(read_tables, root, trial) in ('read', 'refused')
