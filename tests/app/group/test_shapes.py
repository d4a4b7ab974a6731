"""Trials of other shapes from their tables through the models of the group."""

import pandas as pd
import pytest

from pipelines.interfaces.imaging_outcomes import IMAGING_COLUMNS
from pipelines.interfaces.trial import fit_outcomes
from tests.app.group.shapes import EFFECTS, PEOPLE, write_groups, write_whole
from tests.app.group.test_plan_text import planned


def fitted(folder, write):
    """Return the plan of a trial and its tables of results, by the functions of the steps alone."""
    plan, _ = planned(folder, *write(folder))
    imaging = folder / 'imaging.tsv'
    pd.DataFrame(columns=list(IMAGING_COLUMNS)).to_csv(imaging, sep='\t', index=False)
    out = folder / 'fit'
    out.mkdir()
    return plan, fit_outcomes(
        plan.tables['outcomes'], imaging, plan.tables['people'], plan.design, out_dir=out
    )


def table(path):
    return pd.read_csv(path, sep='\t', na_values='n/a', keep_default_na=False, dtype={'participant_id': str})


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    return fitted(tmp_path_factory.mktemp('fitted'), write_whole)


@pytest.mark.parametrize('arm', ['yoga', 'walking'])
def test_each_arm_is_compared_at_every_visit_after_the_first(whole, arm):
    rows = table(whole[1].outcomes).query("outcome == 'nrs' and model == 'clda'").set_index(['arm', 'visit'])
    for visit in ('six weeks', '12', 'a year'):
        row = rows.loc[(arm, visit)]
        assert row.ci_low < EFFECTS[arm] < row.ci_high
        assert row.is_primary == (visit == '12')
        assert (row.n_treatment, row.n_control) == (10, 10)
    assert (arm, 'T0') not in rows.index


def test_every_type_is_compared_where_it_is_measured(whole):
    rows = table(whole[1].outcomes)
    seen = rows.groupby('outcome')['visit'].agg(set).to_dict()
    assert seen['pgic'] == {'12'}
    assert seen['came'] == {'six weeks', '12'}
    assert seen['falls'] == {'a year'}
    assert seen['work'] == {'six weeks', '12', 'a year'}
    assert set(rows.loc[rows['is_primary'].astype(bool), 'outcome']) == {
        'nrs',
        'pgic',
        'work',
        'came',
        'falls',
    }


def test_the_primary_contrasts_are_tested_in_the_order_of_the_file(whole):
    rows = table(whole[1].outcomes)
    own = rows[(rows['outcome'] == 'nrs') & (rows['model'] == 'clda') & rows['is_primary'].astype(bool)]
    own = own.set_index('arm')
    assert set(own['adjustment']) == {'sequence'}
    assert own.loc['walking', 'p_adjusted'] == own.loc['walking', 'p']
    assert own.loc['yoga', 'p_adjusted'] == own['p'].max()
    assert rows.loc[rows['outcome'] != 'nrs', 'p_adjusted'].isna().all()


def test_values_are_of_everybody_at_every_visit(whole):
    values = table(whole[1].values)
    assert set(values['participant_id']) == set(PEOPLE)
    assert values.groupby('outcome')['visit'].nunique().to_dict() == {
        'nrs': 4,
        'pgic': 1,
        'work': 4,
        'came': 2,
        'falls': 1,
    }
    assert set(values['arm']) == {'yoga', 'walking', 'usual care'}
    assert values.loc[values['outcome'] == 'falls', 'exposure'].eq(360).all()


def test_people_seen_once_are_compared_at_that_visit(tmp_path):
    _, found = fitted(tmp_path, write_groups)
    rows = table(found.outcomes)
    assert set(rows['visit']) == {'scan'}
    row = rows[rows['model'] == 'clda'].iloc[0]
    assert row.ci_low < 4 < row.ci_high
    assert (row.n_treatment, row.n_control) == (15, 15)
    described = table(found.descriptives).set_index(['arm', 'visit'])
    assert described.loc[('patient', 'scan'), 'n'] == 15
    assert described.loc[('patient', 'scan'), 'mean'] > described.loc[('healthy', 'scan'), 'mean'] + 3
