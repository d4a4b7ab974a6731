"""Voxel-wise tests of trials of any shape: which there are, who enters, and what is asked of them."""

import numpy as np
import pandas as pd
import pytest

from pipelines.errors import DataError
from pipelines.stats.map_questions import ask
from pipelines.stats.map_tests import MapsDesign, MapVisits, map_tests
from pipelines.stats.visit import Visit

FOUR = [
    Visit(name='week 0', session_id='ses-0', week=0, is_baseline=True),
    Visit(name='week 6', session_id='ses-6', week=6),
    Visit(name='week 12', session_id='ses-12', week=12, is_primary=True),
    Visit(name='week 52', session_id='ses-52', week=52),
]
TWO = MapsDesign(treated=('yoga',), control='wait', primary='pain')
THREE = MapsDesign(treated=('yoga', 'tai-chi'), control='wait', primary='pain', adjusted=('age', 'site'))


def named(design, visits, asked, last):
    return {test.name: test for test in map_tests(design, visits, asked, last)}


def test_without_a_word_the_primary_visit_is_compared_with_the_baseline():
    found = named(TWO, FOUR, MapVisits(), FOUR[2])
    assert list(found) == ['armOnChange', 'changeWithSymptoms', 'meanBaseline', 'meanFollowup']
    assert (found['armOnChange'].visits, found['armOnChange'].weights) == (('week 0', 'week 12'), (-1, 1))
    assert (found['meanFollowup'].visits, found['meanFollowup'].weights) == (('week 12',), (1,))
    assert {test.statistic for test in found.values()} == {'t'}


def test_pairs_and_slopes_of_several_arms():
    pairs = (('week 0', 'week 6'), ('week 6', 'week 52'))
    found = named(THREE, FOUR, MapVisits(changes=pairs, slope=True), FOUR[2])
    assert list(found) == [
        'armsOnChangeWeek0Week6', 'armsOnChangeWeek6Week52', 'armsOnSlopeWeek0Week6Week12Week52',
        'armOnChangeYogaWeek0Week6', 'armOnChangeTaiChiWeek0Week6', 'armOnChangeYogaWeek6Week52',
        'armOnChangeTaiChiWeek6Week52', 'armOnSlopeYogaWeek0Week6Week12Week52', 'armOnSlopeTaiChiWeek0Week6Week12Week52',
        'changeWithSymptomsWeek0Week6', 'changeWithSymptomsWeek6Week52', 'slopeWithSymptomsWeek0Week6Week12Week52',
        'meanBaseline', 'meanVisitWeek6', 'meanFollowup', 'meanVisitWeek52',
    ]  # fmt: skip
    slope = found['armsOnSlopeWeek0Week6Week12Week52']
    assert slope.statistic == 'F'
    line = 2 + 0.3 * np.array([0, 6, 12, 52])
    assert np.dot(slope.weights, line) == pytest.approx(0.3)
    curve = line**2
    assert np.dot(slope.weights, curve) == pytest.approx(np.polyfit([0, 6, 12, 52], curve, 1)[0])
    about = found['armOnChangeTaiChiWeek6Week52'].about
    assert about == 'change between visits, treatment minus control; tai-chi against wait; week 6 to week 52'


def test_a_slope_alone_has_no_pair():
    found = named(TWO, FOUR, MapVisits(slope=True), FOUR[2])
    assert list(found)[:2] == ['armOnSlope', 'slopeWithSymptoms']
    timeless = [Visit(name=f'v{n}', session_id=f'ses-{n}', is_baseline=n == 0) for n in range(3)]
    for visits in (FOUR[:2], timeless):
        with pytest.raises(DataError, match='a slope of maps needs three visits'):
            map_tests(TWO, visits, MapVisits(slope=True), visits[-1])


def test_one_visit_compares_arms_at_it():
    """Patients and healthy people, seen once."""
    visit = Visit(name='scan', session_id='ses-1', is_primary=True)
    assert list(named(TWO, [visit], MapVisits(), visit)) == ['armAtVisit', 'meanFollowup']
    assert list(named(THREE, [visit], MapVisits(), visit))[:3] == [
        'armsAtVisit',
        'armAtVisitYoga',
        'armAtVisitTaiChi',
    ]


@pytest.mark.parametrize('arms', [('a b', 'a-b'), ('运动', '瑜伽'), ('A', 'B', 'a')])
def test_names_of_files_are_letters_and_digits_and_all_different(arms):
    found = map_tests(MapsDesign(treated=arms, control='c', primary='pain'), FOUR, MapVisits(), FOUR[2])
    names = [test.name for test in found]
    assert len({name.casefold() for name in names}) == len(names)
    assert all(name.isascii() and name.isalnum() for name in names)


@pytest.fixture
def people(rng):
    """Twelve of each arm in two sites; the first lacks a covariate."""
    arm = np.tile(['yoga', 'tai-chi', 'wait'], 12)
    site = np.repeat(['x', 'y'], 18)
    age = rng.normal(40, 5, 36)
    age[0] = np.nan
    return pd.DataFrame(
        {'participant_id': [f'sub-{n:02d}' for n in range(36)], 'arm': arm, 'age': age, 'site': site}
    )


def asked(name, design, people, *, seen=None, symptoms=None):
    labels = people['participant_id'].tolist()
    seen = seen or {visit.name: labels for visit in FOUR}
    symptoms = pd.DataFrame(index=labels) if symptoms is None else symptoms
    return ask(named(design, FOUR, MapVisits(), FOUR[2])[name], design, people, symptoms, seen)


def test_a_pair_keeps_the_third_arm_as_nuisance(people):
    found = asked('armOnChangeYoga', THREE, people)
    own = people.iloc[1:]
    assert found.people == own['participant_id'].tolist()
    np.testing.assert_array_equal(found.question.tested[:, 0], own['arm'] == 'yoga')
    wanted = np.column_stack([np.ones(35), own['age'], own['site'] == 'y', own['arm'] == 'tai-chi'])
    np.testing.assert_allclose(found.question.nuisance, wanted)
    np.testing.assert_array_equal(found.question.groups, own['arm'])
    assert (found.covariate, found.question.blocks) == ('week 0', None)
    assert found.facts['Covariates'] == ['age', 'site']
    f = asked('armsOnChange', THREE, people)
    np.testing.assert_array_equal(
        f.question.tested, np.column_stack([own['arm'] == a for a in ('yoga', 'tai-chi')])
    )
    np.testing.assert_allclose(f.question.nuisance, wanted[:, :3])


def test_an_arm_of_two_is_left_out_and_one_that_is_compared_is_refused(people):
    few = people[(people['arm'] != 'tai-chi') | (people.index < 5)]
    assert (few['arm'] == 'tai-chi').sum() == 2
    found = asked('armOnChangeYoga', THREE, few)
    assert found.question.nuisance.shape[1] == 3
    assert found.facts['NumberOfPeopleOfArms'] == {'wait': 12, 'yoga': 11}
    for name, message in (
        ('armOnChangeTaiChi', 'tai-chi have fewer than 3'),
        ('armsOnChange', 'all arms but two'),
    ):
        with pytest.raises(DataError, match=message):
            asked(name, THREE, few)


def test_variances_are_common_where_an_arm_is_small(people):
    """With age, site and a map an arm needs six people; the choice is by counts."""
    small = people[(people['arm'] != 'wait') | (people.index < 18)].iloc[1:]
    assert (small['arm'] == 'wait').sum() == 6
    assert asked('armsOnChange', THREE, small).facts['Variances'] == 'of each arm'
    assert asked('armsOnChange', THREE, small.drop(index=2)).facts['Variances'] == 'common'


def test_groups_that_chance_did_not_make_have_no_map_at_baseline(people):
    design = MapsDesign(treated=('yoga',), control='wait', primary='pain', is_randomised=False)
    found = asked('armOnChange', design, people)
    assert found.covariate == ''
    assert 'CovariateMap' not in found.facts


def blocked(**more):
    return MapsDesign(
        treated=('yoga', 'tai-chi'), control='wait', primary='pain', adjusted=('site',), blocks='site', **more
    )


def test_people_change_places_within_a_site(people):
    found = asked('armsOnChange', blocked(), people)
    assert not found.question.blocks.is_whole
    np.testing.assert_array_equal(found.question.blocks.label, people['site'])
    assert found.question.nuisance.shape[1] == 2  # sites are fixed effects as well
    few = asked('armsOnChange', blocked(), people.groupby('arm').head(3))
    assert (few.facts['Variances'], few.facts['Exchangeability']) == ('common', 'people within site')
    assert found.facts['Exchangeability'] == 'signs'  # of each arm's own variance
    mean = asked('meanBaseline', blocked(), people)
    assert (mean.blocks, mean.facts['Exchangeability']) == (None, 'signs')


def test_without_blocks_people_change_places_or_get_signs(people):
    own = asked(
        'armsOnChange', MapsDesign(treated=('yoga', 'tai-chi'), control='wait', primary='pain'), people
    )
    assert (own.facts['Variances'], own.facts['Exchangeability']) == ('of each arm', 'signs')
    few = people.groupby('arm').head(3)
    own = asked('armsOnChange', MapsDesign(treated=('yoga', 'tai-chi'), control='wait', primary='pain'), few)
    assert (own.facts['Variances'], own.facts['Exchangeability']) == ('common', 'people')


def test_sites_of_one_arm_change_places_as_wholes(people):
    """As in a trial whose sites were allocated: sites are no fixed effects, and their people have one sign."""
    arms = np.tile(['yoga', 'wait', 'tai-chi', 'yoga', 'wait', 'tai-chi'], 6)
    own = people.assign(arm=arms, site=[f's{n}' for n in np.tile(np.arange(6), 6)])
    found = asked('armsOnChange', blocked(), own)
    assert found.question.blocks.is_whole
    assert found.question.nuisance.shape[1] == 1
    assert found.facts['Exchangeability'] == 'signs, one for each site'
    mean = asked('meanFollowup', blocked(), own)
    assert mean.blocks.is_whole
    assert mean.facts['Exchangeability'] == 'signs, one for each site'
    few = asked('armsOnChange', blocked(), own.groupby('arm').head(3))
    assert few.facts['Exchangeability'] == 'site as wholes'
    without = own.assign(site=own['site'].where(own.index > 3))
    assert len(asked('armsOnChange', blocked(), without).people) == 32


def test_symptoms_are_those_of_the_visits_of_the_test(people):
    labels = people['participant_id']
    symptoms = pd.DataFrame({'week 0': np.arange(36.0), 'week 12': 3.0, 'week 6': 100.0}, index=labels)
    symptoms.iloc[5, 1] = np.nan
    found = asked('changeWithSymptoms', blocked(), people, symptoms=symptoms)
    kept = [n for n in range(36) if n != 5]
    assert found.people == labels.iloc[kept].tolist()
    np.testing.assert_allclose(found.question.tested, 3 - np.array(kept))
    assert found.question.nuisance.shape[1] == 2
    assert not found.question.blocks.is_whole


def test_only_people_with_all_visits_enter(people):
    seen = {visit.name: people['participant_id'].tolist() for visit in FOUR}
    seen['week 12'] = seen['week 12'][:20]
    assert asked('armsOnChange', THREE, people, seen=seen).people == [f'sub-{n:02d}' for n in range(1, 20)]
    assert len(asked('meanBaseline', THREE, people, seen=seen).people) == 36


def test_blocks_that_no_table_names_are_refused(people):
    with pytest.raises(DataError, match='armsOnChange: the table of people has no column site'):
        asked('armsOnChange', blocked(), people.drop(columns='site'))
