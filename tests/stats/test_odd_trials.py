"""Outcomes and sites one step beside the usual: arms that lack them, levels nobody has, sites that tell little."""

import numpy as np
import pandas as pd
import pytest

from pipelines.stats.design import Outcome, OutcomesDesign, Sites, Visit
from pipelines.stats.longitudinal.trial import fit_trial
from pipelines.stats.outcomes import count_levels, model_outcomes
from pipelines.stats.told_apart import arms_without_link
from pipelines.terms import MAIN

N = 60
ARMS = ('wait', 'yoga', 'gym')
VISITS = (
    Visit(name='start', session_id='ses-0', is_baseline=True),
    Visit(name='week 6', session_id='ses-6'),
    Visit(name='week 12', session_id='ses-12', is_primary=True),
)
PAIN = Outcome(name='pain', units='points', role='primary')
PGIC = Outcome(
    name='pgic', kind='ordinal', levels=('worse', 'same', 'better', 'much better'), responder='better',
    visits=('week 12',), has_baseline=False,
)  # fmt: skip
CAME = Outcome(name='came', kind='count', maximum=12, visits=('week 12',), has_baseline=False)
TRUE = {'wait': 0.0, 'yoga': -2.0, 'gym': -1.0}


def design_of(outcome, **more):
    return OutcomesDesign(treated=ARMS[1:], control='wait', visits=VISITS, outcomes=(outcome,), **more)


@pytest.fixture
def who():
    arm = np.array(ARMS)[np.arange(N) % 3]
    return pd.DataFrame({'participant_id': [f'sub-{n:02d}' for n in range(N)], 'arm': arm})


@pytest.fixture
def course(who, rng):
    """Return the pain of everybody at the visits."""
    start = rng.normal(6, 1, N)
    moved = who['arm'].map(TRUE).to_numpy()
    return [start + step * moved + rng.normal(0, 0.5, N) for step in (0, 1, 1)]


def long(outcome, who, *columns):
    visits = [visit.name for visit in VISITS][-len(columns) :]
    return pd.concat([
        who[['participant_id']].assign(
            outcome=outcome.name, visit=visit, value=np.asarray(column, float), flags=None, mean_fd=np.nan
        )
        for visit, column in zip(visits, columns)
    ])  # fmt: skip


def main_rows(outcome, who, *columns, **more):
    table = model_outcomes(long(outcome, who, *columns), who, design_of(outcome, **more))
    return table[table['analysis'] == MAIN].set_index(['arm', 'visit', 'scale'])


def shown(rows, arm, scale='difference', visit='week 12'):
    return rows.loc[(arm, visit, scale)]


class TestArmsThatLackAnOutcome:
    @pytest.mark.parametrize('lacking', [('wait',), ('wait', 'gym')])
    def test_without_control_nothing_is_compared_and_control_is_named(self, who, course, lacking):
        columns = [np.where(who['arm'].isin(lacking), np.nan, column) for column in course]
        rows = main_rows(PAIN, who, *columns)
        assert rows['estimate'].isna().all()
        assert set(rows['note']) == {'nobody in wait has week 12'}

    def test_the_arm_that_lacks_it_is_named_and_the_other_is_compared(self, who, course):
        columns = [np.where(who['arm'] == 'gym', np.nan, column) for column in course]
        rows = main_rows(PAIN, who, *columns)
        yoga, gym = (shown(rows, arm) for arm in ('yoga', 'gym'))
        assert yoga.ci_low < TRUE['yoga'] < yoga.ci_high
        assert (np.isnan(gym.estimate), gym.note) == (True, 'nobody in gym has week 12')

    def test_an_impression_that_control_was_not_asked_for(self, who, rng):
        level = np.where(who['arm'] == 'wait', np.nan, rng.integers(1, 5, N))
        rows = main_rows(PGIC, who, level)
        assert rows['estimate'].isna().all()
        assert (
            rows['note']
            .str.startswith('people with everything known: 0 of wait, 20 of yoga, 20 of gym')
            .all()
        )

    def test_an_impression_that_one_arm_was_not_asked_for(self, who, rng):
        level = np.where(who['arm'] == 'gym', np.nan, rng.integers(1, 5, N))
        rows = main_rows(PGIC, who, level)
        assert np.isfinite(shown(rows, 'yoga', 'common_odds_ratio').estimate)
        assert shown(rows, 'gym').note.startswith('gym has 0 with everything known and is not compared')


class TestPeopleOfAComparison:
    def test_those_who_did_not_come_are_not_counted_though_they_came_before(self, who, rng):
        outcome = Outcome(name='work', kind='binary')
        columns = [rng.integers(0, 2, N).astype(float) for _ in VISITS]
        columns[2][np.flatnonzero(who['arm'] == 'yoga')[:3]] = np.nan
        columns[0][np.flatnonzero(who['arm'] == 'wait')[0]] = (
            np.nan
        )  # seen later, without a baseline to adjust for
        rows = main_rows(outcome, who, *columns)
        last, middle = shown(rows, 'yoga', 'odds_ratio'), shown(rows, 'yoga', 'odds_ratio', 'week 6')
        assert (last.n_treatment, last.n_control) == (17, 19)
        assert (middle.n_treatment, middle.n_control) == (20, 19)
        assert (last.n_treatment_seen, last.n_control_seen) == (17, 19)

    @pytest.mark.parametrize(('is_randomised', 'is_told'), [(True, False), (False, True)])
    def test_events_of_groups_that_chance_did_not_make_carry_a_caution(
        self, who, rng, is_randomised, is_told
    ):
        outcome = Outcome(name='work', kind='binary')
        rows = main_rows(outcome, who, *(rng.integers(0, 2, N) for _ in VISITS), is_randomised=is_randomised)
        assert rows['note'].str.contains('not allocated by chance').eq(is_told).all()


class TestLevels:
    def test_a_level_nobody_has_is_named_and_costs_nothing(self, who, rng):
        level = rng.choice([1, 2, 4], N)
        rows = main_rows(PGIC, who, level)
        assert rows['note'].eq('nobody is at the level "better"').all()
        fewer = Outcome(
            **{**vars(PGIC), 'levels': ('worse', 'same', 'much better'), 'responder': 'much better'}
        )
        same = main_rows(fewer, who, np.where(level == 4, 3, level))
        assert np.allclose(rows['estimate'], same['estimate'], atol=1e-9)

    def test_everybody_unchanged(self, who):
        rows = main_rows(PGIC, who, np.full(N, 2.0))
        assert rows['note'].eq('the outcome is 2 for all 60: there is nothing to compare').all()

    @pytest.mark.parametrize(
        ('levels', 'words'),
        [(('no', 'yes'), ['no', 'yes']), (('yes', 'no'), ['no', 'yes']), ((), ['not yes', 'yes'])],
    )
    def test_the_word_that_counts_is_counted_whatever_its_place(self, who, levels, words):
        outcome = Outcome(
            name='work',
            kind='binary',
            levels=levels,
            responder='yes',
            visits=('week 12',),
            has_baseline=False,
        )
        event = (who['arm'] == 'yoga').to_numpy(float)
        table = count_levels(long(outcome, who, event), who, design_of(outcome)).set_index(['arm', 'level'])
        assert table.index.get_level_values('level').unique().tolist() == words
        assert (table.loc[('yoga', 'yes'), 'n'], table.loc[('gym', 'yes'), 'n']) == (20, 0)


class TestSessionsAttended:
    def test_everybody_attended_everything(self, who):
        rows = main_rows(CAME, who, np.full(N, 12))
        assert rows['estimate'].isna().all()
        assert rows['note'].str.startswith('wait has the maximum throughout').all()

    def test_an_arm_that_attended_everything_leaves_the_ratio_of_the_other(self, who, rng):
        came = rng.integers(3, 11, N)
        all_came = main_rows(CAME, who, np.where(who['arm'] == 'yoga', 12, came))
        none_came = main_rows(CAME, who, np.where(who['arm'] == 'yoga', 0, came))
        for scale in ('odds_ratio_each', 'difference_of_counts'):
            row, wanted = (shown(rows, 'gym', scale) for rows in (all_came, none_came))
            assert row.estimate == pytest.approx(wanted.estimate, abs=1e-9)
        ratio = shown(all_came, 'gym', 'odds_ratio_each')
        assert (ratio.se, ratio.df) == pytest.approx(
            shown(none_came, 'gym', 'odds_ratio_each')[['se', 'df']].tolist()
        )
        yoga = shown(all_came, 'yoga', 'odds_ratio_each')
        assert np.isnan(yoga.estimate)
        assert 'yoga has the maximum throughout' in yoga.note
        assert shown(all_came, 'yoga', 'difference_of_counts').estimate == pytest.approx(
            12 - came[who['arm'] == 'wait'].mean()
        )

    def test_a_control_that_was_not_offered_any_may_be_missing_or_zero(self, who, rng):
        came = rng.integers(3, 11, N)
        for nothing, said in (
            (0, 'wait has none of what is counted'),
            (np.nan, '0 of wait, 20 of yoga, 20 of gym'),
        ):
            rows = main_rows(CAME, who, np.where(who['arm'] == 'wait', nothing, came))
            assert rows['estimate'].isna().all()
            assert rows['note'].str.contains(said).all()


class TestSites:
    def asked(self, who, course, site, use='fixed'):
        people = who.assign(site=site)
        return main_rows(PAIN, people, *course, sites=Sites(column='site', use=use))

    def test_blocks_are_fixed_effects_to_models_of_outcomes(self, who, course):
        site = np.array(['x', 'y'])[np.arange(N) // 3 % 2]
        fixed, found = self.asked(who, course, site), self.asked(who, course, site, 'blocks')
        pd.testing.assert_frame_equal(found, fixed)

    def test_a_sample_of_sites_has_random_intercepts_where_a_model_has_all_visits(self, who, course):
        site = np.array(list('stuvw'))[np.arange(N) // 3 % 5]
        people, sites = who.assign(site=site), Sites(column='site', use='random')
        shift = np.arange(5.0)[np.arange(N) // 3 % 5]
        table = model_outcomes(
            long(PAIN, who, *(column + shift for column in course)), people, design_of(PAIN, sites=sites)
        ).set_index(['model', 'arm', 'visit'])
        alone = fit_trial(
            np.column_stack([column + shift for column in course]), np.arange(N) % 3, sites=shift
        )
        for one in alone.effects:
            row = table.loc[('clda', ARMS[one.arm], VISITS[one.visit].name)]
            assert (row.estimate, row.se, row.df) == pytest.approx(one.effect[:3])
        is_random = table['note'].str.contains('a random intercept for each of 5 sites')
        assert is_random.groupby('model').all()[is_random.groupby('model').any()].index.tolist() == [
            'clda', 'clda_common',
        ]  # fmt: skip
        said = table['note'].str.contains('sites enter as fixed effects, not as random ones')
        assert said[said].index.get_level_values('model').unique().tolist() == [
            'ancova', 'ancova_interaction',
        ]  # fmt: skip
        assert not table.loc['clda_unadjusted', 'note'].str.contains('sites').any()

    def test_arms_of_whole_sites_have_the_degrees_of_freedom_of_sites(self, who, course, rng):
        """As fixed effects they could not be told from arms."""
        site = np.array([f'{arm}{number}' for arm, number in zip(who['arm'], np.arange(N) // 3 % 4)])
        shift = dict(zip(np.unique(site), rng.normal(0, 2, 12)))
        moved = [
            column + pd.Series(site).map(shift).to_numpy() * (column is not course[0]) for column in course
        ]
        assert self.asked(who, moved, site)['estimate'].isna().all()
        rows = self.asked(who, moved, site, 'random')
        assert np.isfinite(rows['estimate']).all()
        alone = self.asked(who, moved, np.zeros(N), 'fixed')
        assert (rows['df'] < alone['df']).all()

    def test_people_whose_site_is_not_known_are_left_out_and_flagged(self, who, course):
        site = np.array(['x', 'y', 'z'])[np.arange(N) // 3 % 3].astype(object)
        site[0] = None
        row = shown(self.asked(who, course, site, 'random'), 'yoga')
        assert (row.n_treatment, row.n_control, row['flags']) == (20, 19, 'covariate_missing')

    def test_what_a_site_adds_to_everybody_moves_nothing(self, who, course):
        site = np.array(['x', 'y', 'z'])[np.arange(N) // 3 % 3]
        shift = pd.Series(site).map({'x': 0.0, 'y': 3.0, 'z': -2.0}).to_numpy()
        plain, moved = self.asked(who, course, site), self.asked(who, [c + shift for c in course], site)
        assert np.allclose(plain['estimate'], moved['estimate'], atol=1e-6)
        assert np.allclose(plain['se'], moved['se'], atol=1e-6)

    @pytest.mark.parametrize('n_small', [1, 3])
    def test_a_site_of_few_people(self, who, course, n_small):
        site = np.array(['y', 'z'])[np.arange(N) // 3 % 2].astype(object)
        site[:n_small] = 'x'
        rows = self.asked(who, course, site)
        for arm in ARMS[1:]:
            row = shown(rows, arm)
            assert abs(row.estimate - TRUE[arm]) < 3.3 * row.se
            assert row.se < 0.6

    def test_a_site_that_is_an_arm_cannot_be_told_from_it(self, who, course):
        rows = self.asked(who, course, np.where(who['arm'] == 'yoga', 'x', 'y'))
        assert rows['estimate'].isna().all()
        assert rows['note'].str.contains('linearly dependent').all()

    @pytest.mark.parametrize('seed', range(4))
    def test_arms_are_linked_if_and_only_if_the_columns_are_independent(self, who, seed):
        rng = np.random.default_rng(seed)
        few = who.iloc[:9]
        for _ in range(40):
            site = pd.Series(rng.integers(0, 4, len(few)).astype(str))
            columns = [
                np.ones(len(few)),
                few['arm'] == 'yoga',
                few['arm'] == 'gym',
                *(site == s for s in site.unique()[1:]),
            ]
            design = np.column_stack(columns).astype(float)
            is_full = np.linalg.matrix_rank(design) == design.shape[1]
            assert (arms_without_link(few['arm'], site) == []) == is_full


def test_healthy_people_without_any_pain_do_not_stop_the_comparison(who, course):
    """Their variance is zero, and a covariance of their own has no maximum."""
    columns = [np.where(who['arm'] == 'wait', 0.0, column) for column in course]
    rows = main_rows(PAIN, who, *columns, is_randomised=False)
    own = [column[who['arm'] == 'yoga'] for column in columns]
    assert shown(rows, 'yoga').estimate == pytest.approx((own[2] - own[0]).mean(), abs=1e-6)
    assert rows['note'].str.contains('an arm does not vary at a visit').all()


def test_primary_outcomes_are_imputed_whether_or_not_chance_decided():
    outcome = Outcome(name='pain', role='primary', low=0, high=10, lower_is_better=True)
    assert design_of(outcome).imputed == (outcome,)
    assert design_of(outcome, is_randomised=False).imputed == (outcome,)
