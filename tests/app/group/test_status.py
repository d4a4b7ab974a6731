"""Who is analysed with what: every person, visit and kind of data has its own row, whatever others have."""

from types import SimpleNamespace

import pandas as pd
import pytest

from bids_app.group.maps import map_tests_of, maps_by_kind
from bids_app.group.status import list_status
from bids_app.outputs.found import Results, ScanResult
from bids_app.outputs.left_out import LeftOut
from bids_app.phenotype.trial import read_trial
from bids_app.scans.exclusion import NOTHING
from bids_app.settings import Settings
from pipelines.terms import MEASURES

TRIAL = read_trial(None)
FIRST, LAST = TRIAL.baseline.session_id, TRIAL.primary.session_id
PEOPLE = ['sub-01', 'sub-02', 'sub-03']


def scan(label, session, flags=(), lacks=(), run=''):
    name = f'{label}_{session}_task-rest{run}'
    return ScanResult(
        label, session, name, {}, {}, 'MNI152NLin6Asym', 100.0, list(flags), dict.fromkeys(lacks, 'none')
    )


@pytest.fixture
def status(tmp_path):
    """Return a function of what was found that gives ``status`` and ``reason`` by person, session and data."""

    def rows(scans, left_out=(), outcomes=()):
        columns = ['participant_id', 'visit', 'outcome', 'value', 'flags']
        tables = SimpleNamespace(
            participants=pd.DataFrame({'participant_id': PEOPLE, 'arm': ['exercise', 'waitlist', 'exercise']}),
            outcomes=pd.DataFrame(list(outcomes), columns=columns), biomarkers=None, expression=None,
        )  # fmt: skip
        included = SimpleNamespace(
            tables=tables, left_out={'sub-09': ('exercise', 'withdrew')}, exclusions=NOTHING
        )
        settings = Settings(bids_dir=tmp_path, output_dir=tmp_path, level='group', work_dir=tmp_path)
        found = list_status(settings, TRIAL, included, Results(list(scans), [], tuple(left_out)))
        return found.set_index(['participant_id', 'session_id', 'data'])[['status', 'reason']]

    return rows


def test_each_has_the_scans_of_its_own(status):
    scans = [
        scan('sub-01', FIRST),
        scan('sub-02', FIRST, ['dropout'], run='_run-1'),
        scan('sub-02', FIRST, ['short'], run='_run-2'),
    ]
    found = status(scans)
    assert tuple(found.loc[('sub-01', FIRST, 'connectivity')]) == ('analysed', 'n/a')
    assert found.loc[('sub-02', FIRST, 'connectivity')].reason == 'dropout short'  # of both runs
    assert tuple(found.loc[('sub-01', LAST, 'connectivity')]) == ('missing', 'participant level not run')
    assert found.loc[('sub-03', FIRST, 'connectivity')].status == 'missing'
    assert tuple(found.loc[('sub-09', 'n/a', 'participant')]) == ('missing', 'withdrew')


def test_what_a_scan_lacks_is_told_where_others_have_it(status):
    matrix = MEASURES['roi_connectivity'].name
    scans = [scan('sub-01', FIRST, lacks=[matrix, 'icc']), scan('sub-02', FIRST)]
    found = status(scans)
    assert found.loc[('sub-01', FIRST, 'connectivity')].reason == f'sub-01_{FIRST}_task-rest: none'
    assert found.loc[('sub-01', FIRST, 'maps')].status == 'missing'
    nobody = status([scan('sub-01', FIRST, lacks=['icc']), scan('sub-02', FIRST, lacks=['icc'])])
    assert 'maps' not in nobody.index.get_level_values('data')


def test_what_is_left_out_is_told_of_that_session_alone(status):
    found = status([scan('sub-01', LAST), scan('sub-02', FIRST)], [LeftOut('sub-01', FIRST, 'bold', 'moved')])
    assert tuple(found.loc[('sub-01', FIRST, 'connectivity')]) == ('missing', 'moved')
    assert found.loc[('sub-01', LAST, 'connectivity')].status == 'analysed'
    assert found.loc[('sub-03', FIRST, 'connectivity')].reason == 'participant level not run'


def test_outcomes_are_of_the_person_and_the_visit(status):
    name = TRIAL.baseline.name
    rows = [
        ('sub-01', name, 'nrs', 5.0, ''),
        ('sub-01', name, 'odi', float('nan'), ''),
        ('sub-02', name, 'nrs', 6.0, 'prorated'),
    ]
    found = status([], outcomes=rows)
    assert tuple(found.loc[('sub-01', FIRST, 'nrs')]) == ('analysed', 'n/a')
    assert tuple(found.loc[('sub-01', FIRST, 'odi')]) == ('missing', 'no value')
    assert tuple(found.loc[('sub-02', FIRST, 'nrs')]) == ('analysed', 'prorated')
    assert ('sub-02', FIRST, 'odi') not in found.index


def test_maps_are_of_the_people_in_their_order(tmp_path):
    image = tmp_path / 'icc.nii.gz'
    image.write_text('')
    owners = [('sub-02', LAST), ('sub-01', FIRST), ('sub-02', FIRST), ('sub-02', FIRST)]
    scans = [scan(*place)._replace(maps={'icc': image}, dof=float(n)) for n, place in enumerate(owners)]
    tables = SimpleNamespace(participants=pd.DataFrame({'participant_id': PEOPLE}))
    own = maps_by_kind(TRIAL, tables, Results(scans, []), map_tests_of(TRIAL, 'nrs'))['icc']
    assert [each['participant_id'] for each in own] == PEOPLE
    baseline, followup = TRIAL.baseline.name, TRIAL.primary.name
    assert [each['dof'] for each in own] == [{baseline: [1.0]}, {baseline: [2.0, 3.0], followup: [0.0]}, {}]
