"""The plan of a trial in sentences: what a trialist reads before anything is computed."""

import json

import pandas as pd
import pytest

from bids_app.cli import make_settings
from bids_app.group.maps import map_tests_of, maps_by_kind, maps_design, possible_tests
from bids_app.group.people import select_people
from bids_app.group.plan import design_of, make_plan
from bids_app.group.plan_text import (
    adjustment_sentence,
    arms_sentence,
    contrasts_sentence,
    model_sentences,
    outcome_sentence,
    plan_sentences,
    visits_sentence,
)
from bids_app.outputs.found import Results, ScanResult
from bids_app.phenotype.tables import read_tables
from bids_app.phenotype.trial import read_trial
from pipelines.interfaces.tables import read_columns
from pipelines.stats.design import Sites
from pipelines.terms import default_circuit, map_words
from tests.app.group.shapes import GROUPS, PEOPLE, write_file, write_groups, write_whole
from tests.app.phenotype.test_trial import changed
from tests.app.phenotype.test_trial_shapes import WHOLE

MAPS = map_words(default_circuit().seeds)


def planned(root, bids, path, results=None):
    """Return the plan of a trial, and who is in it."""
    words = [str(bids), str(root / 'out'), 'group', '-w', str(root / 'work'), '--trial', str(path)]
    settings, trial = make_settings(words), read_trial(path)
    included = select_people(settings, trial, read_tables(bids, trial))
    plan = make_plan(settings, trial, included.tables, results or Results([], []), root / 'tables')
    return plan, included


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp('whole')
    return planned(root, *write_whole(root))


@pytest.fixture(scope='module')
def groups(tmp_path_factory):
    root = tmp_path_factory.mktemp('groups')
    return planned(root, *write_groups(root))


def lines(found):
    """Return the sentences by what stands before their colon."""
    said = list(plan_sentences(*found))
    return {key: [line.partition(': ')[2] for line in said if line.startswith(f'{key}:')] for key in
            dict.fromkeys(line.partition(':')[0] for line in said)}  # fmt: skip


def test_people_arms_and_visits(whole):
    said = lines(whole)
    assert said['trial trial'] == ['10 yoga, 10 walking, 10 usual care']
    assert said['arms'] == [
        'yoga and walking, each against usual care; allocated at random; healthy left out on purpose'
    ]
    assert said['visits'] == [
        'T0 (ses-01, week 0, baseline), six weeks (ses-02, week 6), 12 (ses-03, week 12, primary), '
        'a year (ses-04, week 52)'
    ]


def test_every_outcome_says_type_visits_and_numbers(whole):
    said = lines(whole)
    assert said['outcome nrs (primary)'] == [
        'continuous, in points; at T0, six weeks, 12 and a year; values at 12: 10 yoga, 10 walking, 10 usual care'
    ]
    assert said['outcome pgic (secondary)'] == [
        'ordinal, 4 levels from worse to much better, responders reach "better" or better, higher is better; at 12, '
        'no baseline; values at 12: 10 yoga, 10 walking, 10 usual care'
    ]
    assert said['outcome work (secondary)'][0].startswith(
        'binary, "yes" counts; at T0, six weeks, 12 and a year'
    )
    assert said['outcome came (secondary)'][0].startswith(
        'count, of at most 12; at six weeks and 12, no baseline'
    )
    assert said['outcome falls (secondary)'][0].startswith(
        'count, over the time in days; at a year, no baseline; compared at a year, its last, for it is not measured '
        'at the primary visit'
    )


def test_models_contrasts_and_factors(whole):
    said = lines(whole)
    assert said['model of nrs'][0].endswith('by REML; difference in means')
    assert said['model of pgic'][0].startswith('proportional odds; odds ratio')
    assert said['model of work'][0].startswith('logistic regression, adjusted for baseline; odds ratio')
    assert said['model of came'] == [
        'quasi-binomial regression; odds ratio of each that could be counted, and difference in counts'
    ]
    assert said['model of falls'] == ['negative binomial regression; ratio of rates and difference in rates']
    assert said['primary contrasts'] == [
        'nrs, walking against usual care at 12; then nrs, yoga against usual care at 12; tested in this order, each if '
        'all before it are significant'
    ]
    assert said['adjusted for'] == [
        'age; stratum sex (15 F, 15 M); sites clinic (12 a, 12 b, 6 c) as random intercepts in models of all visits, fixed '
        'effects in others'
    ]


def test_the_estimand_and_what_is_not_supplied(whole):
    said = lines(whole)
    assert said['estimand, population'] == ['everybody randomised']
    assert said['estimand, variable'] == ['nrs at 12 (week 12)']
    assert said['estimand, intercurrent events'][0].startswith('treatment policy')
    (given,), (lacking,) = said['supplied'], said['not supplied']
    assert 'Registration' in given
    assert 'Allocation' in given
    assert 'Funding' in lacking
    assert 'Attendance, Adverse events' in lacking
    assert not set(given.split(', ')) & set(lacking.split(', '))


def test_groups_as_they_are(groups):
    said = lines(groups)
    assert said['trial trial'] == ['15 patient, 15 healthy']
    assert said['arms'] == ['patient against healthy; groups as they are, not randomised']
    assert said['visits'] == ['scan (ses-01, primary)']
    assert said['outcome nrs (primary)'][0].startswith(
        'continuous, in points; at scan, no baseline; values at scan'
    )
    assert said['primary contrasts'] == ['nrs, patient against healthy at scan; the only one, not adjusted']
    assert said['adjusted for'] == ['nothing']
    assert said['estimand, treatment'] == ['being in patient against healthy']
    assert 'Allocation' not in said['not supplied'][0].split(', ')


def test_the_default_trial_has_nothing_left_to_compare():
    trial = read_trial()
    outcomes = list(trial.outcomes.values())
    assert arms_sentence(trial) == 'exercise against waitlist; allocated at random'
    assert visits_sentence(trial.visits) == 'baseline (ses-pre, baseline), followup (ses-post, primary)'
    assert contrasts_sentence(trial, outcomes) == (
        'nrs, exercise against waitlist at followup; the only one, not adjusted'
    )
    assert len(list(model_sentences(trial, outcomes))) == 1
    assert outcome_sentence(trial.outcomes['odi'], trial.visits) == (
        'continuous, in points, lower is better; at baseline and followup'
    )


def test_several_contrasts_are_adjusted_by_holm(tmp_path):
    trial = read_trial(write_file(tmp_path, changed(WHOLE, 'Sequence', ...)))
    said = contrasts_sentence(trial, list(trial.outcomes.values()))
    assert (
        said == 'nrs, yoga against usual care at 12; nrs, walking against usual care at 12; adjusted by Holm'
    )


def test_a_primary_outcome_without_data_is_not_replaced(tmp_path):
    trial = read_trial(write_file(tmp_path, WHOLE))
    said = contrasts_sentence(trial, [trial.outcomes['work']])
    assert said == 'none, for no outcome with data is primary'
    assert design_of(trial, [trial.outcomes['work']]).sequence == ()
    assert design_of(trial, trial.outcomes.values()).sequence == trial.sequence


def test_change_of_groups_is_compared_with_free_baselines(tmp_path):
    content = changed(WHOLE, 'Arms.Randomised', False)
    for key in ('Strata', 'Reporting'):
        content = changed(content, key, ...)
    trial = read_trial(write_file(tmp_path, content))
    by_name = dict(line.split(': ', 1) for line in model_sentences(trial, trial.outcomes.values()))
    assert by_name['model of nrs'].endswith('the difference in change, baselines being free')
    assert 'free' not in by_name['model of pgic']
    assert by_name['model of work'].endswith('may differ later though nothing happened to them')


@pytest.mark.parametrize('use', ['fixed', 'random', 'blocks'])
def test_sites_in_words(tmp_path, use):
    trial = read_trial(write_file(tmp_path, changed(WHOLE, 'Sites.As', use)))
    people = pd.DataFrame({'age': [30.0, None], 'sex': ['F', None], 'clinic': ['a', 'b']})
    said = adjustment_sentence(trial, people)
    assert said.startswith('age (1 missing); stratum sex (1 F, 1 missing); sites clinic (1 a, 1 b) as ')
    ends = {
        'fixed': 'as fixed effects',
        'random': 'as random intercepts in models of all visits, fixed effects in others',
        'blocks': 'blocks within which people change places in tests of maps',
    }
    assert said.endswith(ends[use])


def test_tables_of_the_plan_hold_all_arms(whole):
    plan, _ = whole
    people = read_columns(plan.tables['people'])
    assert people['arm'].tolist() == GROUPS
    assert list(people) == ['participant_id', 'arm', 'age', 'sex', 'clinic']
    outcomes = read_columns(plan.tables['outcomes'])
    assert set(outcomes['participant_id']) == set(PEOPLE)
    assert list(outcomes) == ['participant_id', 'visit', 'outcome', 'value', 'flags', 'exposure']
    assert outcomes['exposure'].notna().sum() == len(PEOPLE)


@pytest.mark.parametrize(
    ('use', 'columns'), [(use, ('age', 'sex', 'clinic')) for use in ('fixed', 'random', 'blocks')]
)
def test_sites_enter_models(tmp_path, use, columns):
    trial = read_trial(write_file(tmp_path, changed(WHOLE, 'Sites.As', use)))
    design = design_of(trial, trial.outcomes.values())
    assert design.adjusted == columns
    assert design.sites == Sites(column='clinic', use=use)
    assert (design.treatment, design.arms) == ('yoga', ('yoga', 'walking', 'usual care'))
    assert design.baseline == trial.baseline
    assert design.sequence == trial.sequence


def scan(tmp_path, label, session):
    """Return a run with maps of every kind, which are empty files."""
    path = tmp_path / f'{label}_{session}.nii.gz'
    path.touch()
    maps = dict.fromkeys(MAPS, path)
    return ScanResult(label, f'ses-{session}', path.name, {}, maps, 'S', 50.0, [], {})


FC = {'Derivative': 'roi_connectivity', 'Regions': ['NAc', 'mPFC']}


@pytest.mark.parametrize(
    ('visits', 'followup'), [(None, '03'), (['T0', 'six weeks'], '02'), (['T0', '12', 'a year'], '03')]
)
def test_maps_of_the_baseline_and_of_the_primary_visit_of_images(tmp_path, visits, followup):
    bids, path = write_whole(tmp_path)
    outcome = FC if visits is None else {**FC, 'Visits': visits}
    path = write_file(tmp_path, changed(json.loads(path.read_text()), 'Outcomes.fc', outcome))
    scans = [scan(tmp_path, p, s) for p in PEOPLE for s in ('01', '02', '03', '04')]
    plan, _ = planned(tmp_path, bids, path, Results(scans, []))
    assert set(plan.people) == set(MAPS)
    people = plan.people['icc']
    assert [person['participant_id'] for person in people] == list(PEOPLE)
    for person in people:
        label = person['participant_id']
        assert list(person['maps'].values()) == [
            [str(tmp_path / f'{label}_{s}.nii.gz')] for s in ('01', followup)
        ]
        assert list(person['dof'].values()) == [[50], [50]]
    tests = {test.name: test for test in plan.tests['icc']}
    assert {'armsOnChange', 'armOnChangeYoga', 'armOnChangeWalking', 'meanBaseline', 'meanFollowup'} <= set(
        tests
    )
    # symptoms are those of the visits of the maps
    symptoms = tests['changeWithSymptoms']
    assert symptoms.visits == tests['armsOnChange'].visits
    assert list(people[0]['maps']) == list(symptoms.visits)


def test_maps_of_one_visit_are_averaged_alone(tmp_path):
    bids, path = write_groups(tmp_path)
    trial = read_trial(path)
    tables = read_tables(bids, trial)
    results = Results([scan(tmp_path, p, '01') for p in PEOPLE], [])
    asked = map_tests_of(trial, 'nrs')
    people = maps_by_kind(trial, tables, results, asked)
    assert all(list(person['maps']) == [trial.primary.name] for person in people['icc'])
    tests = possible_tests(trial, tables, people, asked, trial.outcomes['nrs'])
    assert [test.name for test in tests['icc']] == [test.name for test in asked]
    assert asked[-1].name == 'meanFollowup'


def test_pairs_and_slope_of_the_trial_file_are_tested(tmp_path):
    maps = {'Changes': [['T0', 'six weeks'], ['six weeks', '12']], 'Slope': True}
    bids, path = write_whole(tmp_path, Maps=maps)
    path = write_file(tmp_path, changed(json.loads(path.read_text()), 'Outcomes.fc', FC))
    scans = [scan(tmp_path, p, s) for p in PEOPLE for s in ('01', '02', '03', '04')]
    few = [s for s in scans if (s.session_id, s.participant_id) != ('ses-04', PEOPLE[0])]
    plan, _ = planned(tmp_path, bids, path, Results(few, []))
    pairs = [test.visits for test in plan.tests['icc'] if test.contrast == 'armsOnChange']
    assert pairs == [('T0', 'six weeks'), ('six weeks', '12')]
    (slope,) = [test for test in plan.tests['icc'] if test.contrast == 'armsOnSlope']
    assert len(slope.visits) == 4
    assert [len(person['maps']) for person in plan.people['icc']] == [3] + [4] * (len(PEOPLE) - 1)


def test_blocks_are_told_to_maps(tmp_path):
    trial = read_trial(write_file(tmp_path, changed(WHOLE, 'Sites.As', 'blocks')))
    assert maps_design(trial, 'nrs').blocks == 'clinic'
    assert 'clinic' in maps_design(trial, 'nrs').adjusted
    fixed = read_trial(write_file(tmp_path, changed(WHOLE, 'Sites.As', 'fixed')))
    assert maps_design(fixed, 'nrs').blocks is None
