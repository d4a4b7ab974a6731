"""Whatever tables, dictionaries and trial files hold: a result or one of our own errors, and nothing else."""

import json
from contextlib import suppress

import pytest
from hypothesis import strategies as st

from bids_app.phenotype.tables import read_tables
from bids_app.phenotype.trial import DATA_DIR, read_trial
from pipelines.errors import ClbpeError
from tests import damage
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

BOTH = {damage.READ, damage.REFUSED}

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


pytestmark = pytest.mark.fuzz


@pytest.mark.parametrize('layout', [wide, long, per_session, per_person])
def test_damaged_tables(tmp_path, trial, layout):
    """Every table of the trial, in every layout."""
    root = tmp_path / 'bids'
    write_all(root, layout)
    sound = {path: path.read_bytes() for path in sorted(root.rglob('*.tsv'))[:8]}
    drawn = st.sampled_from(list(sound)).flatmap(
        lambda path: st.tuples(st.just(path), damage.damaged(sound[path]))
    )

    def read(changed):
        path, content = changed
        damage.write(path, content)
        try:
            read_tables(root, trial)
        finally:
            damage.write(path, sound[path])

    assert damage.outcomes_of(drawn, read) == BOTH


@pytest.mark.parametrize('name', DICTIONARIES)
def test_odd_dictionaries(tmp_path, trial, name):
    root = tmp_path / 'bids'
    write_all(root, wide)

    def read(content):
        damage.write(root / name, content)
        read_tables(root, trial)

    assert damage.outcomes_of(damage.json_files(DICTIONARIES[name]), read) == BOTH


def test_odd_trial_files(tmp_path):
    """A trial file that is accepted is used: what it names may be anything."""
    root, path = tmp_path / 'bids', tmp_path / 'trial.json'
    write_all(root, wide)

    def read(content):
        damage.write(path, content)
        read_tables(root, read_trial(path))

    assert damage.outcomes_of(damage.json_files(CONTENT), read, 4) == BOTH


def test_odd_trial_files_of_other_shapes(tmp_path):
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
    read_tables(root, trial_of(tmp_path, SHAPES))

    def read(content):
        damage.write(path, content)
        read_tables(root, read_trial(path))

    assert damage.outcomes_of(damage.json_files(SHAPES), read, 3) == BOTH


@pytest.mark.parametrize('text', damage.NO_JSON)
def test_json_that_no_parser_likes(tmp_path, trial, text):
    root = tmp_path / 'bids'
    write_all(root, wide)
    (root / 'phenotype' / 'nrs.json').write_bytes(text)
    (tmp_path / 'other.json').write_bytes(text)
    with pytest.raises(ClbpeError):
        read_trial(tmp_path / 'other.json')
    with suppress(ClbpeError):
        assert len(read_tables(root, trial).outcomes)
