"""What the report says of arms and visits, and of those that some analyses do not compare."""

import json

import pytest

from bids_app.group.record import record_trial
from bids_app.phenotype.tables import read_tables
from bids_app.phenotype.trial import read_trial
from bids_app.report.trial.absent import absent_parts
from bids_app.report.trial.flow import _mediated, enrolled, stages
from bids_app.report.trial.record import read_group_record, read_trial_record
from bids_app.running.files import replace_json
from pipelines.terms import default_circuit
from tests.app.group.shapes import write_groups, write_whole


def recorded(root, write):
    """Return the record of a trial as the report reads it."""
    bids, path = write(root)
    trial, out = read_trial(path), root / 'out'
    record = record_trial(
        trial, read_tables(bids, trial), output_dir=out, results_dir=out, circuit=default_circuit()
    )
    (out / 'group' / 'log').mkdir(parents=True)
    replace_json(json.loads(json.dumps(record)), out / 'group' / 'log' / 'trial.json')
    return read_trial_record(out), read_group_record(out)


@pytest.fixture
def whole(tmp_path):
    return recorded(tmp_path, write_whole)


def test_other_arms_and_visits_are_named_where_they_are_not_compared_yet(whole):
    tables = {'mediation_models': [{'analysis': 'pain', 'arm': 'yoga', 'note': 'n/a'}]}
    parts = {found.part: found for found in absent_parts(*whole, tables, has_maps=True)}
    # maps are of all arms, and of the visits that the trial file names
    assert 'Maps of walking' not in parts
    assert parts['Maps of six weeks and a year'].reason.startswith('not tested: the part Maps')
    assert parts['Maps of six weeks and a year'].key == 'imaging'
    tested = tables | {'map_tests': [{'visits': 'T0; six weeks'}, {'visits': '12'}]}
    assert 'Maps of a year' in {found.part for found in absent_parts(*whole, tested, has_maps=True)}
    assert not [part for part in parts if part.startswith('Mediation of')]
    assert not {'Arm walking', 'Visit six weeks', 'Visit a year', 'Gene expression of walking'} & set(parts)
    without = [found.part for found in absent_parts(*whole, {}, has_maps=False)]
    assert not [part for part in without if ' of walking' in part]


def test_what_is_told_of_the_conduct_is_in_the_record(whole, tmp_path):
    told = json.loads((tmp_path / 'out' / 'group' / 'log' / 'trial.json').read_text())['trial']
    assert told['reporting']['losses'] == {'yoga': {'moved away': 2}}
    assert told['reporting']['allocation']['concealment'] == 'web service'
    assert told['estimand']['population'] == 'everybody randomised'
    assert [visit['week'] for visit in told['visits']] == [0, 6, 12, 52]


def test_flow_names_every_visit_and_says_whether_chance_decided(whole, tmp_path):
    trial, _ = whole
    titles = [stage.name for stage in stages(trial, {})]
    assert titles == [
        'Allocation',
        'T0 (01, week 0)',
        'six weeks (02, week 6)',
        '12 (03, week 12)',
        'a year (04, week 52)',
        'Analysis',
    ]
    assert dict(enrolled(trial, {}))['Randomised'] == '30'
    groups, _ = recorded(tmp_path / 'groups', write_groups)
    assert dict(enrolled(groups, {}))['Enrolled'] == '30'
    assert not groups.is_randomised


def test_flow_counts_the_people_of_each_arm_in_mediation(whole):
    """Of control the most that a comparison has, for each arm leaves out others of it."""
    trial, _ = whole
    counts = {'yoga': ('9', '10'), 'walking': ('8', '7')}
    models = [
        {'analysis': name, 'arm': arm, 'n_treatment': treated, 'n_control': control}
        for arm, (treated, control) in counts.items()
        for name in ('pain', 'pain (interaction)')
    ]
    for arm, wanted in (('yoga', '9'), ('walking', '8'), ('usual care', '10')):
        assert list(_mediated(trial, {'mediation_models': models}, arm)) == [('Mediation, pain', wanted)]
    several = [
        {**row, 'analysis': f'{row["analysis"]} {number}'} for number in range(5) for row in models[::2]
    ]
    assert list(_mediated(trial, {'mediation_models': several}, 'walking')) == [
        ('Mediation, 5 analyses', '8')
    ]
