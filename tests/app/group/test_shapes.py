"""Trials of other shapes through the models and figures that compare two arms before and after, then as a whole."""

import pandas as pd
import pytest

from bids_app.cli import main
from bids_app.report.trial.record import read_trial_record
from pipelines.interfaces.imaging_outcomes import IMAGING_COLUMNS
from pipelines.interfaces.trial import fit_outcomes
from pipelines.interfaces.trial_figures import draw_outcomes
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


def test_the_first_treated_arm_is_compared_at_the_primary_visit(whole):
    rows = table(whole[1].outcomes).set_index(['outcome', 'model'])
    row = rows.loc[('nrs', 'clda')]
    assert row.ci_low < EFFECTS['yoga'] < row.ci_high
    assert row.ci_high < EFFECTS['walking']
    assert (row.n_treatment, row.n_control, row.n_pairs) == (10, 10, 20)


def test_other_types_say_why_they_are_not_compared(whole):
    rows = table(whole[1].outcomes).set_index('outcome')
    for name, kind in {'pgic': 'ordinal', 'work': 'binary', 'came': 'count', 'falls': 'count'}.items():
        assert rows.loc[name, 'note'] == f'{kind} outcomes are described only'
        assert rows.loc[name, 'flags'] == 'not_estimated'


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


def test_before_and_after_is_of_two_arms(whole):
    pairs = table(whole[1].before_after)
    assert set(pairs['arm']) == {'yoga', 'usual care'}
    assert set(pairs['visit']) == {'baseline', 'followup'}
    nrs = pairs[pairs['outcome'] == 'nrs'].pivot(index='participant_id', columns='visit', values='value')
    own = (
        table(whole[1].values)
        .query("outcome == 'nrs'")
        .pivot(index='participant_id', columns='visit', values='value')
    )
    assert nrs['baseline'].equals(own.loc[nrs.index, 'T0'].rename('baseline'))
    assert nrs['followup'].equals(own.loc[nrs.index, '12'].rename('followup'))


def test_figures_are_drawn_of_what_there_is(whole, tmp_path):
    plan, found = whole
    figures = draw_outcomes(found.before_after, found.outcomes, plan.design, out_dir=tmp_path)
    assert [path.name for path in figures.trajectories] == [
        f'{o.name}_trajectories.svg' for o in plan.outcomes
    ]
    text = figures.trajectories[0].read_text()
    assert 'yoga' in text
    assert 'walking' not in text


def test_people_seen_once_have_no_model_and_say_so(tmp_path):
    plan, found = fitted(tmp_path, write_groups)
    rows = table(found.outcomes)
    assert rows['estimate'].isna().all()
    assert rows['note'].str.len().gt(0).all()
    described = table(found.descriptives).set_index(['arm', 'visit'])
    assert described.loc[('patient', 'followup'), 'n'] == 15
    assert described.loc[('patient', 'followup'), 'mean'] > described.loc[('healthy', 'followup'), 'mean'] + 3
    figures = draw_outcomes(found.before_after, found.outcomes, plan.design, out_dir=tmp_path)
    assert figures.forest.stat().st_size > 1000


def run(root, bids, trial, *words):
    fixed = ['-w', str(root / 'work'), '--trial', str(trial), '--nprocs', '1']
    return main([str(bids), str(root / 'out'), 'group', *fixed, *words])


@pytest.mark.slow
def test_a_whole_group_of_three_arms_and_four_visits(tmp_path):
    bids, path = write_whole(tmp_path)
    assert run(tmp_path, bids, path) == 0
    out = tmp_path / 'out'
    record = read_trial_record(out)
    assert (record.treatment, record.control, record.others) == ('yoga', 'usual care', ['walking'])
    assert record.between == ['six weeks', 'a year']
    assert list(record.visits) == ['T0', 'six weeks', '12', 'a year']
    status = table(out / 'group' / 'participants.tsv')
    assert status.groupby('arm')['participant_id'].nunique().to_dict() == {
        'yoga': 10,
        'walking': 10,
        'usual care': 10,
    }
    page = (out / 'group' / 'report.html').read_text()
    assert 'Arm walking' in page
    assert 'Visit six weeks' in page
    assert 'ordinal outcomes are described only' in page


@pytest.mark.slow
def test_a_whole_group_of_patients_and_healthy_people(tmp_path, capsys):
    bids, path = write_groups(tmp_path)
    assert run(tmp_path, bids, path, '--dry-run') == 0
    assert 'groups as they are, not randomised' in capsys.readouterr().out
    assert run(tmp_path, bids, path) == 0
    page = (tmp_path / 'out' / 'group' / 'report.html').read_text()
    assert 'In a group' in page
