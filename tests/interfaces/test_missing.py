"""The primary outcome under assumptions about missing values, as files."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipelines.interfaces.missing import impute_outcomes
from pipelines.interfaces.tables import columns_text, read_columns, read_table, write_table
from pipelines.stats.design import Outcome, OutcomesDesign, Visit
from pipelines.stats.imputation.sensitivity import Worse, vary_missing
from pipelines.stats.imputation.visits import Visits

VISITS = (
    Visit(name='1', session_id='ses-1', is_baseline=True),
    Visit(name='2', session_id='ses-2', is_primary=True),
)
PAIN = Outcome(name='pain', units='points', role='primary', low=0, high=10, lower_is_better=True)
DESIGN = OutcomesDesign(treated=('1', '2'), control='0', outcomes=(PAIN, Outcome(name='odi')), visits=VISITS)
N = 60


@pytest.fixture
def trial(tmp_path, rng):
    """Return values of arms and visits that are called by digits, and people."""
    people = pd.DataFrame(
        {'participant_id': [f'sub-{i:02d}' for i in range(N)], 'arm': list('012' * (N // 3))}
    )
    before = rng.normal(5, 1.5, N)
    after = before - people['arm'].astype(int).to_numpy() + rng.normal(0, 1, N)
    after[::5] = np.nan
    parts = [
        people[['participant_id']].assign(outcome='pain', visit=visit, value=column)
        for visit, column in (('1', before), ('2', after))
    ]
    values = write_table(pd.concat(parts), tmp_path / 'values.tsv')
    (tmp_path / 'people.json').write_text(columns_text(people))
    return values, tmp_path / 'people.json', np.column_stack([before, after]), people['arm'].astype(int)


def test_effects_and_points_are_those_of_the_function(trial, tmp_path):
    values, people, outcome, arm = trial
    found = impute_outcomes(values, people, DESIGN, 50, 7, out_dir=tmp_path)
    wanted = vary_missing(
        Visits(outcome=outcome, arm=arm, primary=1),
        Worse(lower_is_better=True, width=10),
        np.random.default_rng(7),
        50,
    )
    effects, points = read_table(found.missing), read_table(found.tipping)
    # values are written with ten digits
    np.testing.assert_allclose(effects['estimate'], wanted.effects['estimate'], rtol=1e-6)
    assert effects['arm'].tolist() == [str(code) for code in wanted.effects['arm']]
    assert effects['assumption'].unique().tolist() == ['at_random', 'jump_to_reference', 'copy_increments']
    np.testing.assert_allclose(points['delta'], wanted.tipping['delta'], rtol=1e-4)
    assert [path.name for path in found.tipping_figure] == ['pain_tipping.svg']
    assert 'missing values worse by' in found.tipping_figure[0].read_text()


def test_the_same_seed_gives_the_same_files(trial, tmp_path):
    values, people, *_ = trial
    texts = []
    for name in ('a', 'b'):
        (tmp_path / name).mkdir()
        found = impute_outcomes(values, people, DESIGN, 20, 7, out_dir=tmp_path / name)
        texts.append([path.read_text() for path in (found.missing, found.tipping, *found.tipping_figure)])
    assert texts[0] == texts[1]


def test_an_arm_without_the_primary_visit_is_named_and_the_others_are_imputed(trial, tmp_path):
    values, people, *_ = trial
    told, arm = read_table(values), pd.DataFrame(read_columns(people)).set_index('participant_id')['arm']
    is_last = told['visit'].astype(str) == '2'
    told.loc[(told['participant_id'].map(arm) == '1') & is_last, 'value'] = np.nan
    write_table(told, values)
    found = impute_outcomes(values, people, DESIGN, 20, 7, out_dir=tmp_path)
    effects, points = read_table(found.missing), read_table(found.tipping)
    assert set(effects['arm'].astype(str)) == set(points['arm'].astype(str)) == {'2'}
    assert effects['estimate'].notna().all()
    assert effects['note'].str.contains('nobody in 1 has 2').all()
    told.loc[(told['participant_id'].map(arm) == '0') & is_last, 'value'] = np.nan
    write_table(told, values)
    none = read_table(impute_outcomes(values, people, DESIGN, 20, 7, out_dir=tmp_path).missing)
    assert none['note'].tolist() == ['nobody in 0 has 2; nobody in 1 has 2']


def test_groups_that_chance_did_not_make_are_imputed_at_random(trial, tmp_path):
    values, people, *_ = trial
    groups = replace(DESIGN, is_randomised=False)
    effects = read_table(impute_outcomes(values, people, groups, 20, 7, out_dir=tmp_path).missing)
    assert effects['assumption'].tolist() == ['at_random', 'at_random']
    assert effects['estimate'].notna().all()


def test_what_cannot_be_imputed_says_why(trial, tmp_path):
    values, people, *_ = trial
    few = read_table(values)
    write_table(few[few['participant_id'].isin(['sub-00', 'sub-01', 'sub-02'])], values)
    found = impute_outcomes(values, people, DESIGN, 20, 7, out_dir=tmp_path)
    effects = read_table(found.missing)
    assert effects['estimate'].isna().all()
    assert effects['note'].str.len().gt(10).all()
    assert read_table(found.tipping).empty
    assert 'no missing value could be shifted' in found.tipping_figure[0].read_text()


def test_outcomes_without_range_or_direction_are_not_imputed():
    assert DESIGN.imputed == (PAIN,)
    others = [
        Outcome(name='a', role='primary', low=0, lower_is_better=True),
        Outcome(name='b', role='primary', low=0, high=1),
        Outcome(name='c', role='primary', kind='binary', low=0, high=1, lower_is_better=True),
        Outcome(name='d', role='primary', low=0, high=1, lower_is_better=True, has_baseline=False),
        Outcome(name='e', low=0, high=1, lower_is_better=True),
    ]
    assert OutcomesDesign(treated=('1',), control='0', outcomes=tuple(others), visits=VISITS).imputed == ()
