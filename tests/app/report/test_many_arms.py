"""The page of a trial of three arms, four visits and every kind of outcome, and of groups that chance did not make."""

import csv
import json
import math
import re
import shutil
from html import unescape
from pathlib import Path

import pandas as pd
import pytest

from bids_app.report import write_trial_report
from bids_app.report.trial.contrasts import contrasts, effects, model_title
from bids_app.report.trial.flow import enrolled, side_by_side, stages
from bids_app.report.trial.missing import missing_values
from bids_app.report.trial.record import read_trial_record
from bids_app.report.trial.reporting import lacking, supplied
from bids_app.report.trial.tables import read_group_tables, typed
from pipelines.errors import DataError, UnknownWordError
from pipelines.terms import REPORTED
from tests.app.report.many_arms import ARMS, LEVELS, REPORTING, write_many_arms
from tests.app.report.test_trial_report import section
from tests.app.trial_data import save


@pytest.fixture(scope='module')
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_many_arms(tmp_path_factory.mktemp('many'))[1]


@pytest.fixture(scope='module')
def groups(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the outputs of the same people as groups that chance did not make."""
    return write_many_arms(tmp_path_factory.mktemp('groups'), is_randomised=False)[1]


@pytest.fixture(scope='module')
def html(out: Path) -> str:
    return (out / 'group' / 'report.html').read_text(encoding='utf-8')


def rows_of(out: Path, name: str, **wanted: str) -> list[dict[str, str]]:
    with (out / 'group' / f'{name}.tsv').open(newline='') as file:
        rows = list(csv.DictReader(file, delimiter='\t'))
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def main_row(out: Path, outcome: str, arm: str, scale: str, visit: str = 'T2') -> dict[str, str]:
    (row,) = rows_of(out, 'outcomes', outcome=outcome, arm=arm, scale=scale, visit=visit, analysis='main')
    return row


class TestSummary:
    def card(self, html: str, start: str, end: str) -> str:
        said = section(html, 'summary')
        return said[said.index(start) : said.index(end)]

    def test_every_treated_arm_has_a_line_and_the_adjustment_its_name(self, html: str, out: Path) -> None:
        card = self.card(html, 'Pain primary outcome', 'Back at work')
        for arm in ARMS[:2]:
            row = main_row(out, 'nrs', arm, 'difference')
            assert f'{arm.capitalize()} against usual care' in card
            assert f'{float(row["estimate"]):.2f} points'.replace('-', '−') in card
            n = f'{row["n_treatment_seen"]} {arm}, {row["n_control_seen"]} usual care'
            assert f'People with a value at T2: {n}' in card
        assert card.count('by Holm') == 2
        assert 'Lower at T2 with yoga than with usual care, which is better' in card

    def test_a_ratio_is_a_ratio_with_the_difference_in_risk_below(self, html: str, out: Path) -> None:
        card = self.card(html, 'Back at work', 'Global impression')
        row = main_row(out, 'working', 'yoga', 'odds_ratio')
        ends = [math.exp(float(row[key])) for key in ('estimate', 'ci_low', 'ci_high')]
        assert 'Odds ratio {:#.3g} 95 % CI {:#.3g} to {:#.3g}'.format(*ends) in card
        risk = main_row(out, 'working', 'yoga', 'risk_difference')
        points = f'{100 * float(risk["estimate"]):.0f} percentage points'
        assert f'Difference in risk {points} 95 % CI {100 * float(risk["ci_low"]):.0f} to' in card
        assert 'The odds of “yes” are larger at T2 with yoga than with usual care, which is better' in card
        assert 'No difference in either direction is shown: the interval includes 1' in card

    def test_levels_and_rates_have_words_of_their_own(self, html: str) -> None:
        assert 'The odds of higher levels are larger at T2' in section(html, 'summary')
        assert 'The rate is smaller at T2 with yoga than with usual care, which is better' in section(
            html, 'summary'
        )

    def test_of_groups_no_word_says_that_chance_or_treatment_did_it(self, groups: Path) -> None:
        page = (groups / 'group' / 'report.html').read_text()
        said = section(page, 'summary')
        assert 'The change up to T2 differs: lower in yoga than in usual care' in said
        assert 'Differences in change from T0 to T2, each arm minus usual care. Chance did not decide' in said
        assert ' with yoga' not in said
        assert 'by chance.' not in section(page, 'baseline')
        assert 'Lord’s paradox' in section(page, 'baseline')
        assert 'Enrolled 72' in section(page, 'flow')
        assert not re.search('[Rr]andomised|Allocat', section(page, 'flow') + section(page, 'reporting'))
        assert 'being in yoga and walking, each against usual care' in section(page, 'estimand').lower()


class TestOutcomes:
    def test_every_arm_and_visit_has_a_row_and_the_primary_one_is_bold(self, html: str, out: Path) -> None:
        start = html.index('aria-label="Effects at every visit"')
        table = html[start : html.index('</table>', start)]
        body = re.findall(r'<tr( class="main")?><th scope="row">', table)
        main = rows_of(out, 'outcomes', analysis='main')
        places = {(row['outcome'], row['arm'], row['visit']) for row in main}
        assert len(body) == len(places) == 2 * (3 + 3 + 3 + 2)
        assert sum(map(bool, body)) == len({p for p in places if p[2] == 'T2'}) == 8
        assert '<details>\n  <summary>Effects at every visit' in html

    def test_what_was_done_stands_once_below_the_table(self, html: str, out: Path) -> None:
        notes = {row['note'] for row in rows_of(out, 'outcomes', analysis='main', is_primary='True')} - {
            'n/a'
        }
        start = html.index('<ul class="notes">')
        listed = unescape(html[start : html.index('</ul>', start)])
        assert notes
        assert listed.count('<li>') == len(notes)
        assert all(f': {note}.' in listed for note in notes)

    def test_sensitivity_is_of_the_primary_visit(self, html: str, out: Path) -> None:
        start = html.index('aria-label="Sensitivity analyses"')
        table = html[start : html.index('</table>', start)]
        shown = table.count('<tr><th scope="row">')
        rows = rows_of(out, 'outcomes', is_primary='True')
        assert shown == len({(row['outcome'], row['model'], row['arm']) for row in rows})
        assert 'ANCOVA of people with both visits' in table

    def test_unknown_models_scales_and_visits_are_refused(self, out: Path) -> None:
        trial, row = read_trial_record(out), main_row(out, 'nrs', 'yoga', 'difference')
        with pytest.raises(UnknownWordError, match='model magic is unknown'):
            model_title('magic')
        with pytest.raises(UnknownWordError, match='scale of an effect'):
            contrasts(trial, [{**row, 'scale': 'magic'}])
        with pytest.raises(DataError, match='names the visit T9, the trial has T0, T1, T2, T3'):
            contrasts(trial, [{**row, 'visit': 'T9'}])
        (found,) = contrasts(trial, [{**row, 'adjustment': 'magic'}])
        with pytest.raises(UnknownWordError, match='adjustment of p'):
            assert found.adjusted

    def test_people_at_each_level_stand_by_visit_and_arm(self, html: str, out: Path) -> None:
        said = section(html, 'outcomes')
        for visit in ('T1', 'T2', 'T3'):
            for level in LEVELS:
                n = [
                    int(rows_of(out, 'levels', outcome='pgic', visit=visit, arm=arm, level=level)[0]['n'])
                    for arm in ARMS
                ]
                assert ' '.join(f'{k} ({100 * k / 24:.0f} %)' for k in n) in said

    def test_responders_stand_by_visit_and_arm_and_control_has_no_difference(
        self, html: str, out: Path
    ) -> None:
        said = section(html, 'outcomes')
        rows = rows_of(out, 'responders')
        assert len(rows) == 9
        for row in rows:
            text = f'{row["arm"]} {row["responders"]} of {row["n"]} {100 * float(row["share"]):.0f} %'
            assert text in said
            assert (row['difference'] == 'n/a') == (row['arm'] == 'usual care')

    def test_estimates_that_are_absent_say_why(self, out: Path) -> None:
        trial, tables = read_trial_record(out), read_group_tables(out)
        empty = {**main_row(out, 'nrs', 'yoga', 'difference'), 'note': 'nobody is in yoga'}
        empty |= dict.fromkeys(('estimate', 'ci_low', 'ci_high', 'p', 'p_adjusted', 'adjustment'), 'n/a')
        (effect,) = effects(trial, {**tables, 'outcomes': [empty]})
        assert not effect.primary[0].has_estimate
        assert effect.primary[0].adjusted == ''


class TestMissing:
    def render(self, out: Path, tmp_path: Path, **tables: list[dict[str, object]]) -> str:
        copy = Path(shutil.copytree(out, tmp_path / 'out'))
        for name, rows in tables.items():
            save(pd.DataFrame(rows), copy / 'group' / f'{name}.tsv')
        return section(write_trial_report(copy).read_text(encoding='utf-8'), 'outcomes')

    def test_assumptions_and_tipping_points_are_shown(self, out: Path, tmp_path: Path) -> None:
        numbers = {
            'estimate': -1.2,
            'se': 0.3,
            'df': 40,
            'ci_low': -1.8,
            'ci_high': -0.6,
            'statistic': -4,
            'p': 1e-4,
        }
        missing = [
            {
                'outcome': 'nrs',
                'assumption': word,
                'arm': 'yoga',
                **numbers,
                'missing_information': 0.12,
                'note': note,
            }
            for word, note in (('at_random', '1,000 imputations'), ('jump_to_reference', '1,000 imputations'))
        ]
        tipping = [
            {'outcome': 'nrs', 'shifted': 'treated', 'arm': 'yoga', 'end': 'reached', 'delta': 3.25},
            {'outcome': 'nrs', 'shifted': 'both', 'arm': 'yoga', 'end': 'not_reached', 'delta': 'n/a'},
        ]
        said = self.render(out, tmp_path, missing=missing, tipping=tipping)
        assert 'Jump to reference yoga −1.20 (−1.80 to −0.60) < 0.001 12 %' in said
        assert said.count('1,000 imputations') == 1
        assert 'All arms but control yoga 3.25 points P is .05 or more from this shift on' in said
        assert 'All arms yoga None P stays below .05' in said

    def test_why_there_is_none_is_told(self, out: Path, tmp_path: Path) -> None:
        row = {'outcome': 'nrs', 'assumption': 'n/a', 'note': 'too few people'}
        assert 'Pain: absent. Reason: too few people.' in self.render(out, tmp_path, missing=[row])

    def test_without_the_tables_the_reason_is_that_of_the_outcome(self, out: Path) -> None:
        tables = read_group_tables(out)
        found = effects(read_trial_record(out), tables)
        (shown,) = missing_values(found, tables)
        assert shown.reason == 'not computed in this run'
        complete = [{**row, 'n_missing': '0'} for row in tables['descriptives']]
        (shown,) = missing_values(found, {'descriptives': complete})
        assert shown.reason == 'nobody lacks Pain at T2'
        (shown,) = missing_values(found[1:2], {})
        assert shown.reason == 'only continuous outcomes are imputed, and Back at work is binary'


class TestFlow:
    def test_people_are_counted_in_every_arm_at_every_visit(self, out: Path) -> None:
        trial, tables = read_trial_record(out), read_group_tables(out)
        found = {stage.name: stage.arms for stage in stages(trial, tables)}
        assert list(found)[1:5] == [
            'T0 (w0, week 0)',
            'T1 (w6, week 6)',
            'T2 (w12, week 12)',
            'T3 (w26, week 26)',
        ]
        for arm, items in zip(ARMS, found['T3 (w26, week 26)'], strict=True):
            seen = rows_of(out, 'participants', arm=arm, visit='T3', data='nrs', status='analysed')
            assert dict(items)['Pain'] == str(len(seen))
        assert [dict(items)['Falls'] for items in found['Analysis']] == ['24'] * 3

    def test_what_the_trial_file_tells_is_counted_and_the_rest_not_supplied(self, out: Path) -> None:
        trial = read_trial_record(out)
        before = dict(enrolled(trial, {}))
        assert list(before.values()) == ['131', '59', '41', '18', '72']
        allocation = dict(side_by_side(stages(trial, {})[0].arms))
        assert allocation['Lost'] == ['2', 'not supplied', '4']
        assert allocation['Lost: moved away'] == ['2', 'not supplied', '1']
        assert allocation['Lost: no reason given'] == ['0', 'not supplied', '3']


class TestReporting:
    def test_items_are_supplied_or_listed_as_lacking_never_both(self, html: str, out: Path) -> None:
        trial, said = read_trial_record(out), section(html, 'reporting')
        given = [item.title for item in supplied(trial)]
        assert given == [REPORTED[key].title for key in REPORTED if key in REPORTING]
        assert {*given, *lacking(trial)} == {
            *(item.title for item in REPORTED.values()),
            'Attendance',
            'Adverse events',
        }
        assert not set(given) & set(lacking(trial))
        assert 'Allocation Sequence: computer Concealment: web service' in said
        assert (
            'Losses after allocation yoga: 2 moved away usual care: 3 no reason given, 1 moved away' in said
        )
        assert 'Dates of recruitment 2023-02 to 2024-05' in said
        assert said.index('Not supplied') < said.index('Protocol')

    def test_the_estimand_is_printed_from_the_record(self, html: str) -> None:
        said = section(html, 'estimand')
        assert 'Treatment Assignment to yoga and walking, each against usual care' in said
        assert 'Variable Pain at T2' in said
        assert 'Estimands of the other outcomes (3)' in said

    def test_baseline_has_levels_strata_and_a_column_for_every_arm(self, html: str, out: Path) -> None:
        said = section(html, 'baseline')
        known = [
            int(rows_of(out, 'levels', outcome='working', visit='T0', arm=arm, level='yes')[0]['n'])
            for arm in ARMS
        ]
        assert 'yes ' + ' '.join(f'{n} ({100 * n / 24:.0f} %)' for n in known) in said
        assert 'Back at work, n (%)' in said
        assert 'Centre, n (%)' in said
        assert 'arose by chance' in said

    def test_results_hold_arms_and_visits(self, out: Path) -> None:
        found = json.loads((out / 'group' / 'results.json').read_text())
        assert found['arms'] == {'treated': ['yoga', 'walking'], 'control': 'usual care'}
        assert [(v['name'], v['session'], v['time']) for v in found['visits']][2] == ('T2', 'w12', 'week 12')
        assert [v['is_primary'] for v in found['visits']] == [False, False, True, False]
        assert typed('levels', [{'arm': '1', 'level': '2', 'n': '3'}]) == [{'arm': '1', 'level': '2', 'n': 3}]


class TestPaths:
    def test_no_page_holds_the_folder_of_its_files(self, html: str, out: Path) -> None:
        assert str(out.parent) not in html
