"""Trial files of other shapes than two arms and two visits: what they give, and every way to contradict oneself."""

import dataclasses
import json
from typing import get_args

import pytest

from bids_app.phenotype.check_shape import in_order
from bids_app.phenotype.estimand import against, estimand_of
from bids_app.phenotype.reporting import Allocation, Dates, Harms, Reporting, not_supplied, record_fields
from bids_app.phenotype.trial import DATA_DIR, read_trial
from pipelines.errors import DataError
from pipelines.stats import design
from pipelines.stats.design import PrimaryContrast, Sites, primary_visit, visits_of
from pipelines.stats.map_tests import MapVisits
from pipelines.stats.visit import Visit
from pipelines.terms import KINDS, REPORTED, SITE_USES
from tests.app.phenotype.test_trial import SMALL, changed, write

ARMS = {
    'Table': 'participants.tsv',
    'Column': 'group',
    'Treatment': ['yoga', 'walking'],
    'Control': 'usual care',
    'Others': ['healthy'],
}
VISITS = {
    'T0': {'Session': '01', 'Week': 0},
    'six weeks': {'Session': 'ses-02', 'Week': 6},
    '12': {'Session': '03', 'Week': 12, 'Primary': True},
    'a year': {'Session': '04', 'Week': 52},
}
PAIN = {'Table': 'phenotype/nrs.tsv', 'Column': 'nrs', 'Units': 'points', 'Range': [0, 10], 'Role': 'primary'}
PGIC = {
    'Table': 'phenotype/pgic.tsv',
    'Column': 'pgic',
    'Type': 'ordinal',
    'Levels': ['worse', 'same', 'better', 'much better'],
    'LowerIsBetter': False,
    'Responder': 'better',
    'Visits': ['12'],
}
WORK = {'Table': 'phenotype/work.tsv', 'Column': 'work', 'Type': 'binary', 'Responder': 'yes'}
CAME = {
    'Table': 'phenotype/came.tsv',
    'Column': 'came',
    'Type': 'count',
    'Maximum': 12,
    'Visits': ['six weeks', '12'],
}
FALLS = {
    'Table': 'phenotype/falls.tsv',
    'Column': 'falls',
    'Type': 'count',
    'Exposure': 'days',
    'Visits': ['a year'],
}
WHOLE = {
    'Arms': ARMS,
    'Visits': VISITS,
    'Covariates': ['age'],
    'Strata': ['sex'],
    'Sites': {'Column': 'clinic', 'As': 'random'},
    'Outcomes': {'nrs': PAIN, 'pgic': PGIC, 'work': WORK, 'came': CAME, 'falls': FALLS},
    'Sequence': [{'Outcome': 'nrs', 'Arm': 'Walking'}, {'Outcome': 'nrs', 'Arm': 'yoga'}],
    'Estimand': {'Population': 'everybody randomised'},
    'Reporting': {
        'Registration': 'ISRCTN1, before the first person',
        'Interventions': {'YOGA': 'twice a week', 'walking': 'daily', 'Usual Care': 'a leaflet'},
        'Allocation': {'Sequence': 'computer', 'Concealment': 'web service'},
        'Recruitment': {'Start': '2023-02', 'End': '2024-05-31'},
        'FollowUp': {'End': '2025'},
        'Screened': 211,
        'Excluded': {'pain below 4': 60},
        'Losses': {'Yoga': {'moved away': 2}},
        'Harms': {'AtRisk': {'yoga': 40, 'walking': 41, 'USUAL CARE': 39}},
    },
}
"""Three arms, four visits with odd names, every type of outcome."""

ONE_VISIT = {
    'Arms': {
        'Table': 'participants.tsv',
        'Column': 'diagnosis',
        'Treatment': 'patient',
        'Control': 'healthy',
        'Randomised': False,
    },
    'Visits': {'scan': {'Session': '01'}},
    'Outcomes': {
        'fc': {'Derivative': 'roi_connectivity', 'Regions': ['NAc', 'mPFC'], 'Visits': ['scan']},
        'nrs': {**PAIN, 'Visits': ['scan']},
    },
}
"""Patients against healthy people, seen once."""


@pytest.fixture
def whole(tmp_path):
    return read_trial(write(tmp_path, WHOLE))


@pytest.fixture
def one_visit(tmp_path):
    return read_trial(write(tmp_path, ONE_VISIT))


def test_arms_are_compared_with_the_control(whole):
    assert whole.treated == ('yoga', 'walking')
    assert (whole.arms.treatment, whole.arms.control) == ('yoga', 'usual care')
    assert whole.arms.names == ('yoga', 'walking', 'usual care')
    assert whole.arms.others == ('healthy',)
    assert whole.is_randomised


def test_visits_keep_their_order_names_and_times(whole):
    assert [(v.name, v.session_id, v.session, v.week) for v in whole.visits] == [
        ('T0', 'ses-01', '01', 0),
        ('six weeks', 'ses-02', '02', 6),
        ('12', 'ses-03', '03', 12),
        ('a year', 'ses-04', '04', 52),
    ]
    assert whole.baseline.name == 'T0'
    assert whole.primary.name == '12'
    assert [v.time for v in whole.visits] == [0, 6, 12, 52]
    assert sum(v.is_primary for v in whole.visits) == sum(v.is_baseline for v in whole.visits) == 1


def test_outcomes_know_their_kind_and_visits(whole):
    kinds = {name: outcome.kind for name, outcome in whole.outcomes.items()}
    assert kinds == {
        'nrs': 'continuous',
        'pgic': 'ordinal',
        'work': 'binary',
        'came': 'count',
        'falls': 'count',
    }
    assert {name for name, outcome in whole.outcomes.items() if outcome.has_baseline} == {'nrs', 'work'}
    assert whole.outcomes['pgic'].threshold == 3
    assert (whole.outcomes['came'].low, whole.outcomes['came'].high, whole.outcomes['came'].maximum) == (
        0,
        12,
        12,
    )
    assert (whole.outcomes['falls'].low, whole.outcomes['falls'].high, whole.outcomes['falls'].exposure) == (
        0,
        None,
        'days',
    )
    assert whole.outcomes['came'].units == 'count'


def test_an_outcome_is_compared_at_the_primary_visit_or_its_last(whole):
    last = {name: primary_visit(outcome, whole.visits).name for name, outcome in whole.outcomes.items()}
    assert last == {'nrs': '12', 'pgic': '12', 'work': '12', 'came': '12', 'falls': 'a year'}
    assert [v.name for v in visits_of(whole.outcomes['came'], whole.visits)] == ['six weeks', '12']
    assert visits_of(whole.outcomes['nrs'], whole.visits) == whole.visits


def test_factors_and_the_order_of_testing(whole):
    assert (whole.strata, whole.sites) == (('sex',), Sites(column='clinic', use='random'))
    assert whole.factors == ('sex', 'clinic')
    assert whole.sequence == (
        PrimaryContrast(outcome='nrs', arm='walking'),
        PrimaryContrast(outcome='nrs', arm='yoga'),
    )
    assert set(whole.sequence) == set(whole.primary_contrasts)


def test_what_no_data_can_tell_is_carried(whole):
    told = whole.reporting
    assert told.registration == 'ISRCTN1, before the first person'
    assert told.interventions == {'yoga': 'twice a week', 'walking': 'daily', 'usual care': 'a leaflet'}
    assert told.allocation == Allocation(sequence='computer', concealment='web service')
    assert (told.recruitment, told.follow_up) == (Dates(start='2023-02', end='2024-05-31'), Dates(end='2025'))
    assert (told.screened, told.excluded) == (211, {'pain below 4': 60})
    assert told.losses == {'yoga': {'moved away': 2}}
    assert told.harms == Harms(at_risk={'yoga': 40, 'walking': 41, 'usual care': 39})
    lacking = not_supplied(told, is_randomised=True)
    assert 'Funding' in lacking
    assert not {'Registration', 'Allocation', 'Harms', 'Losses after allocation'} & set(lacking)
    assert len(lacking) == len(REPORTED) - 9


def test_nothing_told_is_all_not_supplied():
    assert not_supplied(Reporting(), is_randomised=True) == [item.title for item in REPORTED.values()]
    left = not_supplied(Reporting(), is_randomised=False)
    assert left == [item.title for item in REPORTED.values() if item.name != 'Allocation']
    assert not_supplied(Reporting(screened=0), is_randomised=True).count('Assessed for eligibility') == 0


def test_fields_of_reporting_are_the_terms_and_the_schema():
    schema = json.loads((DATA_DIR / 'trial.schema.json').read_text())
    assert (
        list(schema['$defs']['reporting']['properties']) == list(REPORTED) == list(record_fields(Reporting()))
    )
    assert len(dataclasses.fields(Reporting)) == len(REPORTED)


def test_words_of_the_schema_are_the_terms():
    schema = json.loads((DATA_DIR / 'trial.schema.json').read_text())
    assert schema['$defs']['tableOutcome']['properties']['Type']['enum'] == list(KINDS)
    assert schema['$defs']['sites']['properties']['As']['enum'] == list(SITE_USES)
    assert get_args(design.OutcomeKind) == tuple(KINDS)
    assert get_args(design.SiteRole) == tuple(SITE_USES)


def test_every_key_of_the_schema_is_described():
    schema = json.loads((DATA_DIR / 'trial.schema.json').read_text())
    waiting, bare = [schema], []
    while waiting:
        part = waiting.pop()
        for key, entry in part.get('properties', {}).items():
            bare += [key] if 'description' not in entry and key not in REPORTED else []
        waiting += [v for key, v in part.items() if isinstance(v, dict) and key != 'if']
    assert bare == []


def test_patients_against_controls_have_no_baseline(one_visit):
    assert not one_visit.is_randomised
    assert one_visit.baseline is None
    assert one_visit.primary == Visit(name='scan', session_id='ses-01', is_primary=True)
    assert not any(outcome.has_baseline for outcome in one_visit.outcomes.values())
    assert one_visit.primary_contrasts == (PrimaryContrast(outcome='nrs', arm='patient'),)


def test_a_visit_called_baseline_is_none_when_it_is_alone(tmp_path):
    content = changed(ONE_VISIT, 'Visits', {'baseline': {'Session': '01'}})
    for name in ('fc', 'nrs'):
        content = changed(content, f'Outcomes.{name}.Visits', ['baseline'])
    trial = read_trial(write(tmp_path, content))
    assert trial.baseline is None
    assert trial.primary.name == 'baseline'


def test_old_files_give_what_they_gave(tmp_path):
    trial = read_trial()
    assert [(v.name, v.is_baseline, v.is_primary) for v in trial.visits] == [
        ('baseline', True, False),
        ('followup', False, True),
    ]
    assert {o.kind for o in trial.outcomes.values()} == {'continuous'}
    assert all(o.has_baseline and o.visits == ('baseline', 'followup') for o in trial.outcomes.values())
    assert (trial.strata, trial.sites, trial.sequence) == ((), None, ())
    assert trial.reporting == Reporting()
    turned = {**SMALL, 'Visits': dict(reversed(SMALL['Visits'].items()))}
    assert read_trial(write(tmp_path, turned)) == read_trial(write(tmp_path, SMALL))


@pytest.mark.parametrize(
    ('names', 'order'),
    [
        (['followup', 'baseline'], ['baseline', 'followup']),
        (['T1', 'T0'], ['T1', 'T0']),
        (['baseline', 'week6', 'week12'], ['baseline', 'week6', 'week12']),
        (['week6', 'baseline', 'week12'], ['week6', 'baseline', 'week12']),
        (['baseline'], ['baseline']),
    ],
)
def test_order_of_visits(names, order):
    assert in_order({name: {} for name in names}) == order


def test_the_last_visit_is_primary_where_none_is_marked(tmp_path):
    content = changed(WHOLE, 'Visits.12.Primary', False)
    trial = read_trial(write(tmp_path, content))
    assert trial.primary.name == 'a year'
    assert primary_visit(trial.outcomes['came'], trial.visits).name == '12'


def test_months_in_place_of_weeks(tmp_path):
    visits = {'a': {'Session': '1', 'Month': -0.5}, 'b': {'Session': '2', 'Month': 3}}
    trial = read_trial(write(tmp_path, changed(SMALL, 'Visits', visits)))
    assert [(v.week, v.month, v.time) for v in trial.visits] == [(None, -0.5, -0.5), (None, 3, 3)]


def test_one_treated_arm_may_be_a_list_and_a_sequence_of_names(tmp_path):
    content = changed(SMALL, 'Arms.Treatment', ['a'])
    content['Outcomes'] |= {'odi': {**PAIN, 'Column': 'odi'}}
    content['Outcomes']['nrs']['Role'] = 'primary'
    content['Sequence'] = ['odi', 'nrs']
    trial = read_trial(write(tmp_path, content))
    assert trial.treated == ('a',)
    assert trial.sequence == (
        PrimaryContrast(outcome='odi', arm='a'),
        PrimaryContrast(outcome='nrs', arm='a'),
    )


def test_session_labels_with_and_without_ses(tmp_path):
    visits = {'a': {'Session': 'ses-1'}, 'b': {'Session': '2'}, 'c': {'Session': 'ses-3'}}
    trial = read_trial(write(tmp_path, changed(SMALL, 'Visits', visits)))
    assert [v.session_id for v in trial.visits] == ['ses-1', 'ses-2', 'ses-3']


def test_levels_and_arms_of_digits_are_words(tmp_path):
    content = changed(WHOLE, 'Arms', {**ARMS, 'Treatment': ['1', '2'], 'Control': '0'})
    content = changed(content, 'Sequence', ...)
    content = changed(content, 'Reporting', {'Losses': {'1': {'left': 1}}})
    content = changed(content, 'Outcomes.pgic', {**PGIC, 'Levels': ['1', '2', '3'], 'Responder': '2'})
    trial = read_trial(write(tmp_path, content))
    assert trial.arms.names == ('1', '2', '0')
    assert trial.outcomes['pgic'].threshold == 2
    assert trial.reporting.losses == {'1': {'left': 1}}


def test_thresholds_of_responders(tmp_path):
    numbers = {**PGIC, 'Range': [1, 7], 'LowerIsBetter': True, 'Responder': 2}
    del numbers['Levels']
    trial = read_trial(write(tmp_path, changed(WHOLE, 'Outcomes.pgic', numbers)))
    assert trial.outcomes['pgic'].threshold == 2
    assert trial.outcomes['work'].threshold is None
    without = changed(WHOLE, 'Outcomes.pgic.Responder', ...)
    assert read_trial(write(tmp_path, without)).outcomes['pgic'].threshold is None


BOTH = {'Session': '09', 'Week': 60, 'Month': 14}
SHAPES = {
    'treated arm twice': ('Arms.Treatment', ['yoga', 'Yoga'], ['two arms have the same name']),
    'treated arm listed twice': ('Arms.Treatment', ['yoga', 'yoga'], ['Arms.Treatment: a name stands twice']),
    'treated is control': ('Arms.Treatment', ['yoga', 'USUAL CARE'], ['two arms have the same name']),
    'treated is left out': ('Arms.Others', ['Walking'], ['two arms have the same name']),
    'no treated arm': ('Arms.Treatment', [], ['Arms.Treatment: 0 values; at least 1']),
    'treated arm of no kind': ('Arms.Treatment', 3, ['Arms.Treatment: 3 is not text in quotes or a list']),
    'arm called missing': ('Arms.Treatment', ['yoga', 'NA'], ['"NA" is a word for a missing value']),
    'a word for false': ('Arms.Randomised', 'no', ['Arms.Randomised: "no" is not true or false']),
    'name of a visit with a tab': ('Visits.a\tb', {'Session': '09'}, ['is no name of a visit']),
    'name of a visit with a line': ('Visits.a\n', {'Session': '09'}, ['is no name of a visit']),
    'blank name of a visit': ('Visits. ', {'Session': '09'}, ['is no name of a visit']),
    'visit called missing': ('Visits.n/a', {'Session': '09', 'Week': 60}, ['Visits: "n/a" is a word for a missing value']),
    'visits of one name': ('Visits.t0', {'Session': '09', 'Week': 60}, ['Visits: two visits have the same name']),
    'visits of one session': ('Visits.end', {'Session': 'ses-03', 'Week': 60}, ['Visits: 12 and end are the same session 03']),
    'week and month': ('Visits.end', BOTH, ['Visits.end has both Week and Month']),
    'weeks and months': ('Visits.end', {'Session': '09', 'Month': 14}, ['some have Week and some have Month']),
    'week of some': ('Visits.end', {'Session': '09'}, ['Visits.end has no Week, and others have']),
    'weeks turned': ('Visits.six weeks.Week', 14, ['Visits.12.Week: 12 is not after 14 of six weeks']),
    'weeks alike': ('Visits.six weeks.Week', 0, ['Visits.six weeks.Week: 0 is not after 0 of T0']),
    'week in words': ('Visits.12.Week', '12', ['Visits.12.Week: "12" is not a number']),
    'two primary visits': ('Visits.a year.Primary', True, ['Visits: 12 and a year are both Primary']),
    'primary baseline': (
        'Visits', {'a': {'Session': '1', 'Primary': True}, 'b': {'Session': '2'}},
        ['Visits.a.Primary: the baseline cannot be the primary visit'],
    ),
    'baseline in the middle': (
        'Visits', {'screening': {'Session': '1'}, 'baseline': {'Session': '2'}, 'end': {'Session': '3'}},
        ['Visits: screening stands before baseline'],
    ),
    'unknown key of a visit': ('Visits.12.Weeks', 12, ['Visits.12.Weeks is no known key', 'Did you mean Week?']),
    'visit without session': ('Visits.12.Session', ..., ['Visits.12.Session is missing']),
    'unknown visit of an outcome': ('Outcomes.pgic.Visits', ['13'], ['Outcomes.pgic.Visits: "13" is none of the Visits']),
    'no visit of an outcome': ('Outcomes.pgic.Visits', [], ['Outcomes.pgic.Visits: 0 values; at least 1']),
    'visit of an outcome twice': ('Outcomes.pgic.Visits', ['12', '12'], ['a name stands twice']),
    'baseline alone': ('Outcomes.pgic.Visits', ['T0'], ['Outcomes.pgic.Visits: at T0 alone, the baseline']),
    'unknown type': ('Outcomes.pgic.Type', 'ordered', ['Outcomes.pgic.Type: "ordered" is not allowed', 'ordinal']),
    'levels of a number': ('Outcomes.nrs.Levels', ['a', 'b'], ['Outcomes.nrs.Levels is of binary and ordinal outcomes']),
    'responder of a number': ('Outcomes.nrs.Responder', 3, ['Outcomes.nrs.Responder is of binary and ordinal outcomes']),
    'maximum of a number': ('Outcomes.nrs.Maximum', 10, ['Outcomes.nrs.Maximum is of count outcomes']),
    'exposure of a binary': ('Outcomes.work.Exposure', 'days', ['Outcomes.work.Exposure is of count outcomes']),
    'range of a binary': ('Outcomes.work.Range', [0, 1], ['Outcomes.work.Range is of continuous and ordinal and count outcomes']),
    'change of an ordinal': ('Outcomes.pgic.MinimalImportantChange', 1, ['MinimalImportantChange is of continuous outcomes']),
    'items of a binary': ('Outcomes.work.Items', ['a', 'b'], ['Outcomes.work.Items is of continuous and count outcomes']),
    'three levels of a binary': ('Outcomes.work.Levels', ['no', 'part', 'yes'], ['Outcomes.work.Levels: 3 where a binary outcome has 2']),
    'responder is no level': ('Outcomes.pgic.Responder', 'betr', ['Responder: "betr" is none of the Levels', 'Did you mean better?']),
    'responder of another case': ('Outcomes.pgic.Responder', 'Better', ['"Better" is none of the Levels. Did you mean better?']),
    'responder is a number': ('Outcomes.pgic.Responder', 3, ['Outcomes.pgic.Responder: 3 is a number, and Levels are words']),
    'responder is true': ('Outcomes.pgic.Responder', True, ['Outcomes.pgic.Responder: True is not text in quotes or a number']),
    'everybody responds': ('Outcomes.pgic.Responder', 'worse', ['everybody is at the worst level, "worse"']),
    'direction of responders': ('Outcomes.pgic.LowerIsBetter', ..., ['Outcomes.pgic.Responder: at which side of it?']),
    'two levels': ('Outcomes.pgic.Levels', ['worse', 'better'], ['two levels is binary']),
    'one level': ('Outcomes.pgic.Levels', ['better'], ['Outcomes.pgic.Levels: 1 values; at least 2']),
    'levels alike': ('Outcomes.pgic.Levels', ['worse', 'better', 'Worse'], ['Outcomes.pgic.Levels: two have the same name']),
    'level called missing': ('Outcomes.pgic.Levels', ['NA', 'worse', 'better'], ['"NA" is a word for a missing value']),
    'levels and range': ('Outcomes.pgic.Range', [1, 4], ['Outcomes.pgic has both Levels and Range']),
    'words without levels': ('Outcomes.pgic.Levels', ..., ['Outcomes.pgic.Responder: "better" is a word', 'Levels']),
    'count from one': ('Outcomes.falls.Range', [1, 9], ['Outcomes.falls.Range: a count begins at 0']),
    'two maxima': ('Outcomes.came.Range', [0, 10], ['Outcomes.came.Maximum: 12 is not 10']),
    'no maximum': ('Outcomes.came.Maximum', 0, ['Outcomes.came.Maximum: 0 is below 1']),
    'half a maximum': ('Outcomes.came.Maximum', 1.5, ['Outcomes.came.Maximum: 1.5 is not a whole number']),
    'maximum and exposure': ('Outcomes.came.Exposure', 'days', ['Outcomes.came has both Maximum and Exposure']),
    'no units': ('Outcomes.nrs.Units', ..., ['Outcomes.nrs.Units is missing']),
    'strata are the arms': ('Strata', ['group'], ['Strata: "group" is the column of the arms']),
    'strata are people': ('Strata', ['participant_id'], ['Strata: "participant_id" says whose']),
    'covariates are the arms': ('Covariates', ['group'], ['Covariates: "group" is the column of the arms']),
    'site is the arms': ('Sites.Column', 'group', ['Sites.Column: "group" is the column of the arms']),
    'site is a covariate': ('Sites.Column', 'age', ['Sites.Column: "age" is among the Covariates']),
    'use of sites': ('Sites.As', 'block', ['Sites.As: "block" is not allowed', 'Did you mean blocks?']),
    'sites without use': ('Sites.As', ..., ['Sites.As is missing']),
    'change of an unknown visit': ('Maps', {'Changes': [['T0', 'six week']]}, ['Maps.Changes.0: "six week" is none of the', 'six weeks']),
    'change backwards': ('Maps', {'Changes': [['12', 'T0']]}, ['Maps.Changes.0: T0 is not after 12']),
    'change twice': ('Maps', {'Changes': [['T0', '12'], ['T0', '12']]}, ['Maps.Changes.1: T0 and 12 stand twice']),
    'change of three': ('Maps', {'Changes': [['T0', '12', 'a year']]}, ['Maps.Changes.0: 3 values where 2 are needed']),
    'nothing of maps': ('Maps', {}, ['Maps is empty']),
    'order of nothing': ('Sequence', [], ['Sequence: 0 values; at least 1']),
    'order without arm': ('Sequence.0', 'nrs', ['Sequence.0: "nrs" is of several arms', '"Arm": "yoga"']),
    'order of a secondary': ('Sequence.0.Outcome', 'pgic', ['Sequence.0: "pgic" is no primary outcome']),
    'order of an unknown arm': ('Sequence.0.Arm', 'yog', ['Sequence.0.Arm: "yog" is no treated arm', 'Did you mean yoga?']),
    'order of the control': ('Sequence.0.Arm', 'usual care', ['Sequence.0.Arm: "usual care" is no treated arm']),
    'order twice': ('Sequence.0.Arm', 'yoga', ['Sequence.1: nrs of yoga stands twice']),
    'order without primary outcomes': ('Outcomes.nrs.Role', 'secondary', ['Sequence: no outcome has "Role": "primary"']),
    'order left out': ('Sequence', [{'Outcome': 'nrs', 'Arm': 'yoga'}], ['Sequence leaves out nrs of walking']),
    'order of half a contrast': ('Sequence.0', {'Outcome': 'nrs'}, ['Sequence.0.Arm is missing']),
    'unknown part of the estimand': ('Estimand.Populations', 'all', ['Estimand.Populations is no known key', 'Population']),
    'empty part of the estimand': ('Estimand.Population', ' ', ['Estimand.Population: " " is empty']),
    'unknown report': ('Reporting.Fundings', 'x', ['Reporting.Fundings is no known key', 'Did you mean Funding or']),
    'losses of an unknown arm': ('Reporting.Losses', {'yogi': {'x': 1}}, ['Reporting.Losses: "yogi" is no arm', 'yoga']),
    'losses of an arm twice': ('Reporting.Losses', {'yoga': {'x': 1}, 'Yoga': {'y': 1}}, ['"Yoga" stands twice']),
    'half a loss': ('Reporting.Losses.Yoga', {'x': 1.5}, ['1.5 is not a whole number']),
    'fewer than nobody': ('Reporting.Screened', -1, ['Reporting.Screened: -1 is below 0']),
    'at risk of an unknown arm': ('Reporting.Harms', {'AtRisk': {'all': 3}}, ['Reporting.Harms.AtRisk: "all" is no arm']),
    'treatment of an unknown arm': ('Reporting.Interventions', {'all': 'x'}, ['Reporting.Interventions: "all" is no arm']),
    'no date': ('Reporting.Recruitment.Start', 'May 2023', ['Reporting.Recruitment.Start: "May 2023" is no date']),
    'no month': ('Reporting.Recruitment.Start', '2023-13', ['Reporting.Recruitment.Start: "2023-13" is no date']),
    'dates turned': ('Reporting.Recruitment.End', '2023-01', ['Reporting.Recruitment: it ends 2023-01, before it starts']),
    'no dates': ('Reporting.Recruitment', {}, ['Reporting.Recruitment is empty']),
}  # fmt: skip


def test_maps_are_compared_between_pairs_of_visits_and_over_all(tmp_path):
    given = {'Changes': [['T0', '12'], ['six weeks', 'a year']], 'Slope': True}
    found = read_trial(write(tmp_path, changed(WHOLE, 'Maps', given))).maps
    assert found == MapVisits(changes=(('T0', '12'), ('six weeks', 'a year')), slope=True)
    assert read_trial(write(tmp_path, WHOLE)).maps == MapVisits()
    slope = read_trial(write(tmp_path, changed(WHOLE, 'Maps', {'Slope': True}))).maps
    assert slope == MapVisits(slope=True)


def test_a_slope_of_maps_needs_visits_and_their_times(tmp_path):
    timeless = {name: {key: v for key, v in visit.items() if key != 'Week'} for name, visit in VISITS.items()}
    two = {name: VISITS[name] for name in list(VISITS)[:2]}
    for visits, message in ((timeless, 'Give each a Week or a Month'), (two, 'the trial has 2')):
        content = {'Arms': ARMS, 'Visits': visits, 'Outcomes': {'work': WORK}, 'Maps': {'Slope': True}}
        with pytest.raises(DataError, match=message):
            read_trial(write(tmp_path, content))


@pytest.mark.parametrize(('path', 'value', 'words'), SHAPES.values(), ids=SHAPES)
def test_a_contradiction_is_told_in_plain_words(tmp_path, path, value, words):
    with pytest.raises(DataError) as caught:
        read_trial(write(tmp_path, changed(WHOLE, path, value)))
    message = str(caught.value)
    assert all(word in message for word in [*words, 'trial.json']), message
    assert not any(word in message for word in ('schema', 'regex', 'valid under', 'instance'))


NOT_RANDOMISED = {
    'strata': ('Strata', ['sex'], ['Strata are those of a randomisation, and Arms.Randomised is false']),
    'allocation': (
        'Reporting',
        {'Allocation': {'Sequence': 'x'}},
        ['Reporting.Allocation is that of a randomisation'],
    ),
    'no visit of an outcome': (
        'Outcomes.fc.Visits',
        ...,
        ['Outcomes.fc: scan is the only visit, so there is no baseline'],
    ),
}


@pytest.mark.parametrize(('path', 'value', 'words'), NOT_RANDOMISED.values(), ids=NOT_RANDOMISED)
def test_contradictions_of_groups_that_chance_did_not_make(tmp_path, path, value, words):
    with pytest.raises(DataError) as caught:
        read_trial(write(tmp_path, changed(ONE_VISIT, path, value)))
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    ('keys', 'words'),
    [
        ({'Levels': ['no', 'yes'], 'Responder': ...}, ['which of the two Levels counts?']),
        ({'Levels': ['no', 'yes'], 'Responder': 1}, ['Responder: 1 is a number, and Levels are words']),
        (
            {'Type': 'ordinal', 'Responder': 9, 'Range': [1, 7], 'LowerIsBetter': True},
            ['Outcomes.work.Responder: 9 lies outside Range'],
        ),
        (
            {'Type': 'ordinal', 'Responder': 7, 'Range': [1, 7], 'LowerIsBetter': True},
            ['everybody is at 7, the worst of Range'],
        ),
        (
            {'Type': 'count', 'Responder': ..., 'Items': ['a', 'b'], 'MaxMissingItems': 1},
            ['what is missing of a count cannot be filled in'],
        ),
    ],
)
def test_contradictions_of_several_keys(tmp_path, keys, words):
    content = WHOLE
    for key, value in keys.items():
        content = changed(content, f'Outcomes.work.{key}', value)
    with pytest.raises(DataError) as caught:
        read_trial(write(tmp_path, content))
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    'keys',
    [
        {'Levels': ['no', 'yes'], 'Responder': 'no'},
        {'Responder': 0},
        {'Responder': ...},
        {'Type': 'ordinal', 'Responder': ...},
        {'Type': 'ordinal', 'Responder': 3, 'Range': [1, 7], 'LowerIsBetter': True},
        {'Type': 'count', 'Responder': ..., 'Items': ['a', 'b'], 'Maximum': 9, 'Range': [0, 9]},
    ],
)
def test_what_is_no_contradiction(tmp_path, keys):
    content = WHOLE
    for key, value in keys.items():
        content = changed(content, f'Outcomes.work.{key}', value)
    assert read_trial(write(tmp_path, content)).outcomes['work'].name == 'work'


def test_all_contradictions_are_told_at_once(tmp_path):
    content = changed(WHOLE, 'Visits.a year.Primary', True)
    content = changed(content, 'Outcomes.pgic.Responder', 'worse')
    content = changed(content, 'Reporting.Recruitment.Start', 'May')
    with pytest.raises(DataError) as caught:
        read_trial(write(tmp_path, content))
    assert len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize(
    ('treated', 'text'),
    [
        (('yoga',), 'yoga against wait'),
        (('yoga', 'walking'), 'yoga and walking, each against wait'),
        (('a', 'b', 'c'), 'a, b and c, each against wait'),
    ],
)
def test_arms_in_words(treated, text):
    assert against(treated, 'wait') == text


def test_estimand_says_the_default_where_the_file_is_silent(whole, one_visit):
    pain = estimand_of(whole, whole.outcomes['nrs'])
    assert pain.population == 'everybody randomised'
    assert pain.treatment == 'assignment to yoga and walking, each against usual care'
    assert pain.variable == 'nrs at 12 (week 12)'
    assert pain.intercurrent_events.startswith('treatment policy')
    assert pain.missing_data == 'missing at random given arm and earlier visits'
    assert pain.summary == 'difference in means'
    falls = estimand_of(whole, whole.outcomes['falls'])
    assert falls.variable == 'falls at a year (week 52)'
    assert falls.missing_data == 'missing at random given arm and covariates'
    groups = estimand_of(one_visit, one_visit.outcomes['nrs'])
    assert groups.treatment == 'being in patient against healthy'
    assert groups.population == 'all people of these groups with data'
    assert None not in dataclasses.asdict(groups).values()
