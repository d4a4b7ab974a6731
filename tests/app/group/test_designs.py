"""Trials as others have run them: the examples of ``docs/trial.md``, from tables made up to the report."""

import json
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from bids_app.cli import main
from bids_app.group.plan_text import plan_sentences
from pipelines.interfaces.tables import read_columns
from pipelines.terms import EFFECT_SCALES, MAIN
from tests.app.group.designs import DESIGNS, EXAMPLES, PAGE, SITES, THREE, WORDS, write_design
from tests.app.group.test_plan_text import planned
from tests.app.group.test_shapes import table
from tests.app.trial_data import save

SKIPPED = ('--skip', 'voxelwise', 'expression', 'mediation', '--sloppy', '--nprocs', '1')


class Ran(NamedTuple):
    """A trial that was analysed: its table of effects, and the folder of results."""

    effects: pd.DataFrame
    group: Path

    @property
    def main(self):
        return self.effects[self.effects['analysis'] == MAIN]

    @property
    def page(self):
        """Return the text of the report, without figures, scripts and marks."""
        html = (self.group / 'report.html').read_text(encoding='utf-8')
        html = re.sub(r'<(script|style|svg).*?</\1>', ' ', html, flags=re.DOTALL)
        return re.sub(r'\s+', ' ', re.sub(r'<[^>]+>', '', html))


def run_group(root, name, *words):
    return main([
        str(root / 'bids'), str(root / 'out'), 'group', '--trial', str(root / name), '-w', str(root / 'work'), *SKIPPED,
        *words,
    ])  # fmt: skip


@pytest.fixture(scope='module')
def ran(tmp_path_factory):
    """Return what runs a design of the page once."""

    @cache
    def run_once(name):
        root = tmp_path_factory.mktemp(name.removesuffix('.json'))
        write_design(root, name)
        assert run_group(root, name) == 0
        group = root / 'out' / 'group'
        return Ran(table(group / 'outcomes.tsv'), group)

    return run_once


def test_every_example_of_the_page_has_its_tables():
    assert set(EXAMPLES) == set(DESIGNS)
    listed = re.findall(r'^\| \[`(\w+\.json)`\]\(#([\w-]+)\)', PAGE, re.MULTILINE)
    assert [name for name, _ in listed] == list(EXAMPLES)
    headings = {re.sub(r'\W+', '-', line.lower()) for line in re.findall(r'^### (.+)$', PAGE, re.MULTILINE)}
    assert {anchor for _, anchor in listed} <= headings


@pytest.mark.parametrize('name', DESIGNS)
def test_the_plan_says_what_the_page_shows(tmp_path, capsys, name):
    write_design(tmp_path, name)
    assert run_group(tmp_path, name, '--dry-run') == 0
    printed = capsys.readouterr().out.splitlines()
    assert EXAMPLES[name].plan
    assert [line for line in EXAMPLES[name].plan if line not in printed] == []
    assert not [line for line in printed if line.startswith(('not compared', 'not analysed'))]
    assert not (tmp_path / 'out').exists()


@pytest.mark.slow
@pytest.mark.parametrize('name', DESIGNS)
def test_every_planted_effect_is_found(ran, name):
    """Of the primary contrasts by their intervals; of all, of which there are many, within 3.3 standard errors."""
    rows = ran(name).main
    tested = rows[rows['scale'].map(lambda scale: scale == 'difference' or EFFECT_SCALES[scale].is_ratio)]
    for outcome, effects in DESIGNS[name].planted.items():
        own = tested[tested['outcome'] == outcome].set_index(['arm', 'visit'])
        assert set(own.index) == set(effects)
        for place, truth in effects.items():
            row = own.loc[place]
            assert abs(row.estimate - truth) < 3.3 * row.se, (outcome, place)
            assert not row.is_primary or row.ci_low < truth < row.ci_high, (outcome, place)


@pytest.mark.slow
@pytest.mark.parametrize('name', DESIGNS)
def test_the_report_names_arms_visits_and_outcomes(ran, name):
    given, page = json.loads(EXAMPLES[name].content), ran(name).page
    for arm in DESIGNS[name].arms:
        assert arm in page
    for visit in given['Visits']:
        assert visit in page.replace('Baseline', 'baseline')
    for key, outcome in given['Outcomes'].items():
        assert outcome.get('Description', key) in page
    assert given['Name'] in page


@pytest.mark.slow
def test_three_arms_have_four_primary_contrasts(ran):
    found = ran('three_arms.json')
    tested = found.main[found.main['is_primary']]
    assert len(tested) == 4
    assert set(tested['adjustment']) == {'holm'}
    assert (tested['p_adjusted'] >= tested['p']).all()
    assert tested['p_adjusted'].min() == pytest.approx(4 * tested['p'].min())
    assert found.main.loc[~found.main['is_primary'], 'p_adjusted'].isna().all()
    sizes = tested.set_index('arm')[['n_treatment', 'n_control']]
    assert sizes.loc['yoga'].drop_duplicates().values.tolist() == [[THREE['yoga'], THREE['education']]]
    assert 'Physical therapy against education' in found.page
    counted = table(found.group / 'responders.tsv')
    assert set(counted['threshold']) == {'30 %', '2 points'}


@pytest.mark.slow
def test_people_who_leave_because_they_are_worse_do_not_move_the_effect(ran):
    """All people count as far as they came; who stays to the end differs."""
    found = ran('four_visits.json')
    rows = found.main.set_index('visit')
    assert (rows['n_treatment'] == DESIGNS['four_visits.json'].arms['yoga']).all()
    assert rows.loc['12 months', 'n_control_seen'] < rows.loc['3 months', 'n_control_seen'] < 157
    assert rows['p_adjusted'].isna().all()  # the only primary contrast
    missing = table(found.group / 'missing.tsv').set_index('assumption')
    assert set(missing.index) == {'at_random', 'jump_to_reference', 'copy_increments'}
    assert missing.loc['at_random', 'missing_information'] > 0
    assert set(table(found.group / 'tipping.tsv')['shifted']) == {'treated', 'both'}


@pytest.mark.slow
def test_groups_are_compared_by_their_changes_and_nothing_is_called_an_effect_of_chance(ran):
    found = ran('patients_controls.json')
    ancova = found.effects[found.effects['model'] == 'ancova'].set_index('outcome')
    assert ancova['note'].str.contains('not allocated by chance').all()
    # groups 15 points apart at baseline: adjusted for it, the fall of 6 is not found
    assert ancova.loc['catastrophising', 'ci_low'] > -6
    # imputed for the difference in change, and never as if they were of the control group
    assert set(table(found.group / 'missing.tsv')['assumption']) == {'at_random'}
    page = found.page
    assert 'The change up to six months after differs: lower in patient than in healthy' in page
    assert 'Chance did not decide who is in which group' in page
    assert not re.search(
        r'arose by chance|randomised to|Randomised \d|[Tt]reatment effect|effect of treatment|because of',
        page,
    )
    assert 'Enrolled' in page


@pytest.mark.slow
def test_what_has_no_baseline_is_compared_at_follow_up_alone(ran):
    found = ran('followup_only.json')
    assert set(found.main['visit']) == {'one year', 'three years'}
    values = table(found.group / 'values.tsv')
    own = values[
        (values['outcome'] == 'pain')
        & (values['visit'] == 'one year')
        & (values['arm'] == 'medical management')
    ]
    row = found.main[(found.main['outcome'] == 'pain') & found.main['is_primary']].iloc[0]
    n = len(own)
    hedges = 1 - 3 / (4 * (n - 1) - 1)  # the usual approximation, to a thousandth at 18 degrees of freedom
    assert row.effect_size == pytest.approx(hedges * row.estimate / own['value'].std(), rel=2e-3)
    assert not set(found.effects['model']) & {'ancova', 'ancova_interaction'}
    risk = found.main[(found.main['scale'] == 'risk_difference') & found.main['is_primary']].iloc[0]
    shares = (
        table(found.group / 'levels.tsv').query("visit == 'one year' and level == 'yes'").set_index('arm')
    )
    shares = shares['n'] / shares['n_known']
    # without covariates the standardised difference is that of the shares themselves
    assert risk.estimate == pytest.approx(shares['exercise'] - shares['medical management'])
    assert 'The odds of “yes” are smaller at one year with exercise' in found.page


@pytest.mark.slow
def test_impressions_are_words_and_contrasts_have_an_order(ran):
    found = ran('impression_of_change.json')
    pgic = found.main[found.main['outcome'] == 'pgic']
    first = pgic[pgic['is_primary']]
    assert set(first['scale']) == {'common_odds_ratio', 'risk_difference'}
    assert first[['n_treatment', 'n_control']].drop_duplicates().values.tolist() == [
        [76, 77]
    ]  # one did not come
    ratio = first[first['scale'] == 'common_odds_ratio'].iloc[0]
    assert ratio.ratio == pytest.approx(np.exp(ratio.estimate))
    tested = found.main[found.main['p_adjusted'].notna()]
    assert tested['outcome'].tolist() == ['pgic', 'pain']
    assert set(tested['adjustment']) == {'sequence'}
    assert tested['p_adjusted'].tolist() == [tested['p'].iloc[0], tested['p'].max()]
    levels = table(found.group / 'levels.tsv')
    assert levels['level'].unique().tolist() == list(WORDS)
    assert levels.groupby(['visit', 'arm'])['n'].sum().min() == 76
    assert (
        'The odds of higher levels are larger at 2 months with exercise than with placebo, which is better'
        in found.page
    )


@pytest.mark.slow
def test_sites_take_their_part_of_the_spread(ran):
    found = ran('two_sites.json')
    rows = found.effects[(found.effects['outcome'] == 'pain') & found.effects['is_primary']].set_index(
        'model'
    )
    # half a standard deviation of 0.75 between sites, constant over visits, which the baseline knows in part
    assert rows.loc['clda', 'se'] < rows.loc['clda_unadjusted', 'se']
    assert (rows.loc['clda', ['n_treatment', 'n_control']] == list(SITES.values())).all()
    assert not found.main['note'].str.contains('sites').any()


@pytest.mark.slow
def test_who_cannot_attend_is_described(ran):
    found = ran('sessions_attended.json')
    classes = found.main[found.main['outcome'] == 'classes']
    assert classes['estimate'].isna().all()
    assert (
        classes['note']
        .str.startswith('self-care book has none of what is counted, and is described only')
        .all()
    )
    described = table(found.group / 'descriptives.tsv').set_index(['outcome', 'arm', 'visit'])
    assert described.loc[('classes', 'yoga', 'week 12'), 'mean'] > 4
    assert described.loc[('classes', 'self-care book', 'week 12'), 'max'] == 0
    tested = found.main[found.main['p_adjusted'].notna()]
    assert tested['arm'].tolist() == ['yoga', 'stretching']
    assert 'Self-care book has none of what is counted, and is described only' in found.page


def recoded(root, name, arms, treatment, control):
    """Write a design whose arms have other names in table and trial file."""
    bids, path = write_design(root, name)
    content = json.loads(path.read_text())
    content['Arms'] |= {'Treatment': treatment, 'Control': control}
    path.write_text(json.dumps(content))
    people = pd.read_csv(bids / 'participants.tsv', sep='\t', dtype=str)
    column = content['Arms']['Column']
    people[column] = people[column].map(arms)
    save(people, bids / 'participants.tsv')
    return bids, path, column


CODES = {'yoga': '1', 'stretching': '2', 'self-care book': '3'}


@pytest.mark.parametrize('has_labels', [False, True])
def test_arms_in_digits_are_arms_of_the_same_people(tmp_path, has_labels):
    """As codes alone, or with a dictionary that says what they mean."""
    named, _ = planned(tmp_path / 'named', *write_design(tmp_path / 'named', 'sessions_attended.json'))
    names = {code: arm for arm, code in CODES.items()} if has_labels else {code: code for code in '123'}
    bids, path, column = recoded(
        tmp_path, 'sessions_attended.json', CODES, [names['1'], names['2']], names['3']
    )
    content = json.loads(path.read_text())
    content['Sequence'] = [{'Outcome': 'rmdq', 'Arm': names[code]} for code in '12']
    path.write_text(json.dumps(content))
    if has_labels:
        (bids / 'participants.json').write_text(json.dumps({column: {'Levels': names}}))
    plan, _ = planned(tmp_path, bids, path)
    assert plan.design.arms == (names['1'], names['2'], names['3'])
    one, other = (read_columns(p.tables['people'])['arm'] for p in (named, plan))
    assert one.map(CODES).map(names).tolist() == other.tolist()


def test_a_site_of_one_arm_alone_is_told_before_anything_is_computed(tmp_path):
    bids, path = write_design(tmp_path, 'two_sites.json')
    people = pd.read_csv(bids / 'participants.tsv', sep='\t', dtype=str)
    people['site'] = people['group'].map({'motor control': 'Sydney', 'graded activity': 'Brisbane'})
    save(people, bids / 'participants.tsv')
    (said,) = apart(tmp_path, bids, path)
    assert said.startswith(
        'arms and site cannot be told apart: nothing links graded activity and motor control, '
    )
    assert said.endswith('have no estimate; leave it out of the trial file')
    path.write_text(path.read_text().replace('"As": "fixed"', '"As": "random"'))
    (said,) = apart(tmp_path, bids, path)
    assert said.endswith('models of all visits take all of site to change alike, others have no estimate')
    people.loc[people['group'].eq('motor control').idxmax(), 'site'] = 'Brisbane'
    save(people, bids / 'participants.tsv')
    assert apart(tmp_path, bids, path) == []


def apart(root, bids, path):
    return [line for line in plan_sentences(*planned(root, bids, path)) if 'told apart' in line]
