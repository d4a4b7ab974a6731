"""Tables of outcomes: each number is that of the model called alone."""

import numpy as np
import pandas as pd
import pytest

from pipelines.errors import DataError
from pipelines.stats.change import ancova
from pipelines.stats.design import DerivativeOutcome, Outcome, OutcomesDesign, PrimaryContrast, Visit
from pipelines.stats.discrete.binary import compare_binary
from pipelines.stats.discrete.people import Groups
from pipelines.stats.longitudinal.trial import fit_trial
from pipelines.stats.longitudinal.trial_design import TrialModel
from pipelines.stats.multiplicity import fixed_sequence, holm
from pipelines.stats.outcome_data import arrange_outcome
from pipelines.stats.outcome_rows import EffectPlace, OutcomeRows, model_name
from pipelines.stats.outcomes import (
    EFFECT_COLUMNS,
    RESPONDER_COLUMNS,
    count_levels,
    count_responders,
    describe_outcomes,
    encode,
    model_outcomes,
)
from pipelines.stats.standardised import hedges
from pipelines.terms import MAIN

N = 60
PAIN = Outcome(
    name='pain',
    units='points',
    role='primary',
    lower_is_better=True,
    minimal_important_change=2,
    minimal_important_percent=30,
)
BEFORE = Visit(name='baseline', session_id='ses-pre', is_baseline=True)
AFTER = Visit(name='followup', session_id='ses-post', is_primary=True)


def design_of(*outcomes, **more):
    given = {'treated': ('a',), 'control': 'b', 'visits': (BEFORE, AFTER), 'covariates': ('age', 'sex')}
    return OutcomesDesign(outcomes=outcomes, **given | more)


@pytest.fixture
def people(rng):
    return pd.DataFrame({
        'participant_id': [f'sub-{i:02d}' for i in range(N)],
        'arm': np.where(np.arange(N) % 2, 'a', 'b'),
        'age': rng.normal(40, 9, N),
        'sex': rng.choice(['F', 'M'], N),
    })  # fmt: skip


def long(name, people, **visits):
    parts = [
        people[['participant_id']].assign(
            outcome=name, visit=visit, value=np.asarray(values, float), flags=None, mean_fd=np.nan
        )
        for visit, values in visits.items()
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def visits(people, rng):
    before = rng.normal(5, 1.5, N)
    after = before - 1.5 * (people['arm'] == 'a') + rng.normal(0, 1, N)
    after[3] = np.nan
    return {'baseline': before, 'followup': after.to_numpy()}


def rows_of(table, outcome='pain'):
    return table[table['outcome'] == outcome].set_index('model')


def test_every_model_is_the_one_called_alone(people, visits):
    table = rows_of(model_outcomes(long('pain', people, **visits), people, design_of(PAIN)))
    arm = (people['arm'] == 'a').astype(int)
    both, covariates = (
        np.column_stack(list(visits.values())),
        np.column_stack([people['age'], people['sex'] == 'M']),
    )
    wanted = {
        'clda': fit_trial(both, arm, covariates).effects[0].effect,
        'clda_common': fit_trial(both, arm, covariates, TrialModel(sigma='common')).effects[0].effect,
        'ancova': ancova(*both.T, arm, covariates).effect,
        'ancova_interaction': ancova(*both.T, arm, covariates, interaction=True).effect,
        'clda_unadjusted': fit_trial(both, arm).effects[0].effect,
    }
    assert set(table.index) == set(wanted)
    for model, effect in wanted.items():
        for name, value in effect._asdict().items():
            assert table.loc[model, name] == pytest.approx(value, rel=1e-9)
        assert table.loc[model, 'effect_size'] == pytest.approx(hedges(effect, both[:, 0], arm).g)
    assert (table['n_treatment_seen'] + table['n_control_seen']).eq(N - 1).all()
    assert table.loc['ancova', ['n_treatment', 'n_control']].sum() == N - 1
    assert table.loc['clda', ['n_treatment', 'n_control']].sum() == N
    assert table['analysis'].eq('main').tolist() == [True, False, False, False, False]


def test_order_of_people_and_rows_does_not_matter(people, visits):
    values, design = long('pain', people, **visits), design_of(PAIN)
    table = model_outcomes(values, people, design)
    mixed = model_outcomes(
        values.sample(frac=1, random_state=1), people.sample(frac=1, random_state=2), design
    )
    np.testing.assert_allclose(table['estimate'].astype(float), mixed['estimate'].astype(float), rtol=1e-6)


def test_motion_and_flags_have_models_of_their_own(people, visits):
    values = long('fc', people, **visits)
    values['mean_fd'] = np.linspace(0.1, 0.4, len(values))
    values.loc[[0, 5], 'flags'] = 'high_motion no_sdc'
    values.loc[9, 'flags'] = 'no_sdc'
    table = rows_of(model_outcomes(values, people, design_of(Outcome(name='fc'))), 'fc')
    left = long('fc', people, **visits)
    left.loc[[0, 5], 'value'] = np.nan
    alone = rows_of(model_outcomes(left, people, design_of(Outcome(name='fc'))), 'fc')
    assert table.loc['clda_unflagged', 'estimate'] == pytest.approx(alone.loc['clda', 'estimate'], rel=1e-9)
    fd = values.groupby('participant_id')['mean_fd'].mean().loc[people['participant_id']].to_numpy()
    moved = rows_of(
        model_outcomes(long('fc', people, **visits), people.assign(fd=fd), design_of(Outcome(name='fc'))),
        'fc',
    )
    assert table.loc['clda_mean_fd', 'estimate'] == pytest.approx(moved.loc['clda', 'estimate'], rel=1e-9)


def family(*roles):
    return [
        DerivativeOutcome(name=f'fc{number}', derivative='alff', role=role)
        for number, role in enumerate(roles)
    ]


def several(people, visits, rng, outcomes):
    noisy = {name: {**visits, 'followup': visits['followup'] + rng.normal(0, 1, N)} for name in outcomes}
    return pd.concat([long(name, people, **given) for name, given in noisy.items()])


def test_holm_counts_the_imaging_family_of_each_model(people, visits, rng):
    outcomes = [PAIN, *family('secondary', 'secondary', 'other')]
    table = model_outcomes(
        several(people, visits, rng, [o.name for o in outcomes]), people, design_of(*outcomes)
    )
    for model in ('clda', 'ancova'):
        own = table[table['model'] == model].set_index('outcome')
        assert own.loc[['pain', 'fc2'], 'p_adjusted'].isna().all()
        p = own.loc[['fc0', 'fc1'], 'p'].astype(float)
        np.testing.assert_allclose(own.loc[['fc0', 'fc1'], 'p_adjusted'], holm(p))
    assert set(table['adjustment'].dropna()) == {'holm'}


def test_several_primary_outcomes_are_adjusted_together_or_in_order(people, visits, rng):
    outcomes = family('primary', 'primary')
    values = several(people, visits, rng, [o.name for o in outcomes])
    own = rows_of(model_outcomes(values, people, design_of(*outcomes)).assign(outcome='pain')).loc['clda']
    np.testing.assert_allclose(own['p_adjusted'], holm(own['p'].astype(float)))
    order = tuple(PrimaryContrast(outcome=o.name, arm='a') for o in outcomes[::-1])
    own = model_outcomes(values, people, design_of(*outcomes, sequence=order))
    own = own[own['model'] == 'clda'].set_index('outcome')
    p = own['p'].astype(float)
    assert own['p_adjusted'].tolist() == pytest.approx(
        [p.max() if p['fc1'] > p['fc0'] else p['fc0'], p['fc1']]
    )
    assert set(own['adjustment']) == {'sequence'}


def test_a_fixed_sequence_stops_where_there_is_no_test():
    found = fixed_sequence([0.01, np.nan, 0.02])
    np.testing.assert_array_equal(found, [0.01, np.nan, np.nan])


def test_what_cannot_be_fitted_says_why(people, visits):
    values = long('pain', people, baseline=visits['baseline'], followup=np.full(N, np.nan))
    row = rows_of(model_outcomes(values, people, design_of(PAIN))).loc['clda']
    assert np.isnan(row['estimate'])
    assert row['flags'] == 'not_estimated'
    assert 'has followup' in row['note']


def test_covariate_of_one_value_is_dropped_and_named(people, visits):
    table = rows_of(
        model_outcomes(long('pain', people, **visits), people.assign(sex='F', site=1.0), design_of(PAIN))
    )
    assert table.loc['clda', 'flags'] == 'dropped:site'
    assert np.isfinite(table.loc['clda', 'estimate'])


def test_missing_covariate_is_flagged(people, visits):
    people.loc[4, 'age'] = np.nan
    row = rows_of(model_outcomes(long('pain', people, **visits), people, design_of(PAIN))).loc['clda']
    assert row['flags'] == 'covariate_missing'
    assert row['n_treatment'] + row['n_control'] == N - 1


def test_words_become_columns_without_the_first_level():
    table = encode(pd.DataFrame({'site': ['b', 'a', 'c', None]}))
    assert list(table) == ['site[b]', 'site[c]']
    np.testing.assert_array_equal(table.to_numpy(), [[1, 0], [0, 0], [0, 1], [np.nan, np.nan]])


def test_descriptions_and_responders(people, visits):
    values, design = long('pain', people, **visits), design_of(PAIN, Outcome(name='other'))
    found = describe_outcomes(values, people, design).set_index(['outcome', 'arm', 'visit']).loc['pain']
    own = visits['followup'][people['arm'] == 'a']
    assert found.loc[('a', 'followup'), 'mean'] == pytest.approx(np.nanmean(own))
    assert found.loc[('a', 'followup'), 'n_missing'] == 1
    assert found.loc[('b', 'change'), 'n'] == N // 2
    table = count_responders(values, people, design)
    assert list(table) == list(RESPONDER_COLUMNS)
    gain = visits['baseline'] - visits['followup']
    better = (gain >= 2) | (gain >= 0.3 * visits['baseline'])
    row = table.set_index('arm').loc['a']
    assert row['responders'] == better[people['arm'] == 'a'].sum()
    assert row['n_missing'] == 1
    assert row['threshold'] == '2 points or 30 %'


def test_inputs_stay_and_columns_are_those_promised(people, visits):
    values = long('pain', people, **visits)
    copies = values.copy(), people.copy()
    table = model_outcomes(values, people, design_of(PAIN))
    assert list(table) == list(EFFECT_COLUMNS)
    pd.testing.assert_frame_equal(values, copies[0])
    pd.testing.assert_frame_equal(people, copies[1])


WEEKS = (
    Visit(name='screening', session_id='ses-0', week=-2),
    Visit(name='week0', session_id='ses-a', week=0, is_baseline=True),
    Visit(name='week6', session_id='ses-b', week=6, is_primary=True),
    Visit(name='week12', session_id='ses-c', week=12),
)


@pytest.fixture
def three(rng):
    """Return 90 people of three arms, and their pain at three visits."""
    n = 90
    who = pd.DataFrame({
        'participant_id': [f'sub-{i:02d}' for i in range(n)], 'arm': np.array(['yoga', 'gym', 'wait'])[np.arange(n) % 3],
        'age': rng.normal(40, 9, n),
    })  # fmt: skip
    start = rng.normal(6, 1.5, n)
    effect = who['arm'].map({'yoga': -2.0, 'gym': -1.0, 'wait': 0.0}).to_numpy()
    course = {
        'screening': start + rng.normal(0, 1, n), 'week0': start,
        'week6': start + effect + rng.normal(0, 1, n), 'week12': start + effect / 2 + rng.normal(0, 1, n),
    }  # fmt: skip
    course['week12'][::7] = np.nan
    return who, course


def three_arms(*outcomes, **more):
    given = {'treated': ('yoga', 'gym'), 'control': 'wait', 'visits': WEEKS, 'covariates': ('age',)}
    return OutcomesDesign(outcomes=outcomes, **given | more)


class TestArmsAndVisits:
    def test_every_arm_at_every_visit_after_baseline(self, three):
        who, course = three
        table = model_outcomes(long('pain', who, **course), who, three_arms(PAIN))
        main = table[table['analysis'] == MAIN]
        places = list(zip(main['visit'], main['arm'], main['is_primary']))
        assert places == [
            ('week6', 'yoga', True), ('week6', 'gym', True), ('week12', 'yoga', False), ('week12', 'gym', False),
        ]  # fmt: skip
        codes = who['arm'].map({'wait': 0, 'yoga': 1, 'gym': 2}).to_numpy()
        columns = np.column_stack([course[name] for name in ('week0', 'week6', 'week12')])
        model = TrialModel(primary=1, is_equally_spaced=True)
        alone = fit_trial(columns, codes, who[['age']], model)
        np.testing.assert_allclose(
            main['estimate'].astype(float), [e.effect.estimate for e in alone.effects], rtol=1e-9
        )
        primary = main[main['is_primary']]
        np.testing.assert_allclose(primary['p_adjusted'], holm(primary['p'].astype(float)))
        assert main.loc[~main['is_primary'], 'p_adjusted'].isna().all()
        assert (
            main.loc[main['visit'] == 'week12', 'n_control_seen']
            .eq(np.isfinite(course['week12'])[who['arm'] == 'wait'].sum())
            .all()
        )
        assert set(table.loc[table['model'] == 'ancova', 'visit']) == {'week6'}

    def test_groups_that_were_not_randomised_compare_changes(self, three):
        who, course = three
        table = model_outcomes(long('pain', who, **course), who, three_arms(PAIN, is_randomised=False))
        row = table[
            (table['analysis'] == MAIN) & (table['arm'] == 'yoga') & (table['visit'] == 'week6')
        ].iloc[0]
        change = course['week6'] - course['week0']
        plain = change[who['arm'] == 'yoga'].mean() - change[who['arm'] == 'wait'].mean()
        assert row['estimate'] == pytest.approx(plain, abs=0.2)  # of age, which hardly counts
        notes = table.loc[table['model'] == 'ancova', 'note']
        assert notes.str.contains('regression to the mean').all()

    def test_an_arm_with_nobody_leaves_the_others_as_they_are(self, three):
        who, course = three
        kept = who['arm'] != 'gym'
        part = {name: values[kept] for name, values in course.items()}
        table = model_outcomes(long('pain', who[kept], **part), who[kept], three_arms(PAIN))
        main = table[table['analysis'] == MAIN].set_index(['arm', 'visit'])
        assert main.loc[('gym', 'week6'), 'note'] == 'nobody is in gym'
        assert np.isfinite(main.loc[('yoga', 'week6'), 'estimate'])

    def test_an_outcome_without_baseline_is_measured_in_spreads_of_control(self, three):
        who, course = three
        last = Outcome(name='pain', visits=('week6', 'week12'), has_baseline=False)
        table = model_outcomes(long('pain', who, **course), who, three_arms(last))
        assert not table['model'].isin(['ancova', 'ancova_interaction']).any()
        row = table[
            (table['model'] == 'clda_unadjusted') & (table['arm'] == 'yoga') & table['is_primary']
        ].iloc[0]
        control = course['week6'][who['arm'] == 'wait']
        assert row['effect_size'] == pytest.approx(
            row['estimate'] / control.std(ddof=1), rel=0.03
        )  # 1 - 3 / (4 n)

    def test_descriptions_have_every_visit_from_the_baseline_on(self, three):
        who, course = three
        found = describe_outcomes(long('pain', who, **course), who, three_arms(PAIN))
        assert found['visit'].unique().tolist() == ['week0', 'week6', 'week12', 'change']
        assert found['arm'].unique().tolist() == ['yoga', 'gym', 'wait']
        counted = count_responders(long('pain', who, **course), who, three_arms(PAIN))
        assert len(counted) == 2 * 3
        assert counted.loc[counted['arm'] == 'wait', 'difference'].isna().all()


class TestOtherKinds:
    def test_a_binary_outcome_has_a_ratio_and_a_difference(self, three, rng):
        who, _ = three
        event = (rng.random(len(who)) < np.where(who['arm'] == 'yoga', 0.7, 0.3)).astype(float)
        outcome = Outcome(name='work', kind='binary', visits=('week6',), has_baseline=False, role='primary')
        table = model_outcomes(long('work', who, week6=event), who, three_arms(outcome))
        main = table[(table['analysis'] == MAIN) & (table['arm'] == 'yoga')].set_index('scale')
        codes = who['arm'].map({'wait': 0, 'yoga': 1, 'gym': 2}).to_numpy()
        alone = compare_binary(Groups(outcome=event, arm=codes, covariates=who[['age']].to_numpy()))
        assert main['model'].unique().tolist() == [alone.model]
        ratio, difference = alone.contrasts[0].log_ratio, alone.contrasts[0].difference
        assert main.loc['odds_ratio', 'ratio'] == pytest.approx(np.exp(ratio.estimate))
        assert main.loc['risk_difference', 'estimate'] == pytest.approx(difference.estimate)
        assert np.isnan(main.loc['risk_difference', 'ratio'])
        assert np.isfinite(main.loc['odds_ratio', 'p_adjusted'])  # of two arms
        assert np.isnan(main.loc['risk_difference', 'p_adjusted'])
        assert set(table['model']) == {alone.model, 'discrete_unadjusted'}
        levels = count_levels(long('work', who, week6=event), who, three_arms(outcome))
        own = levels[(levels['arm'] == 'yoga') & (levels['level'] == '1')].iloc[0]
        assert (own['n'], own['n_known']) == (event[who['arm'] == 'yoga'].sum(), 30)

    def test_an_ordinal_outcome_without_responder_has_its_odds_ratio(self, three, rng):
        who, _ = three
        words = ('worse', 'same', 'better')
        level = rng.integers(1, 4, len(who)).astype(float)
        given = {
            'name': 'pgic',
            'kind': 'ordinal',
            'visits': ('week6',),
            'has_baseline': False,
            'levels': words,
        }
        table = model_outcomes(
            long('pgic', who, week6=level), who, three_arms(Outcome(**given, responder='better'))
        )
        assert set(table.loc[table['analysis'] == MAIN, 'scale']) == {'common_odds_ratio', 'risk_difference'}
        counted = count_levels(long('pgic', who, week6=level), who, three_arms(Outcome(**given)))
        assert counted['level'].unique().tolist() == sorted(words, key=words.index)
        alone = model_outcomes(long('pgic', who, week6=level), who, three_arms(Outcome(**given)))
        assert alone['note'].str.contains('no Responder is named').all()
        kept = table[table['scale'] == 'common_odds_ratio'].reset_index(drop=True)
        assert alone.drop(columns='note').equals(kept.drop(columns='note'))

    def test_counts_with_and_without_a_maximum(self, three, rng):
        who, _ = three
        attended = rng.binomial(20, np.where(who['arm'] == 'yoga', 0.8, 0.6)).astype(float)
        attended[who['arm'] == 'wait'] = 0
        bounded = Outcome(name='n', kind='count', maximum=20, visits=('week6',), has_baseline=False)
        table = model_outcomes(long('n', who, week6=attended), who, three_arms(bounded))
        main = table[table['analysis'] == MAIN]
        assert main['estimate'].isna().all()
        assert main['note'].str.len().gt(10).all()  # control cannot have any: there is nobody to compare with
        falls = Outcome(name='n', kind='count', exposure='weeks', visits=('week6',), has_baseline=False)
        values = long('n', who, week6=rng.poisson(2, len(who)).astype(float)).assign(exposure=6.0)
        table = model_outcomes(values, who, three_arms(falls))
        assert set(table.loc[table['analysis'] == MAIN, 'scale']) == {'rate_ratio', 'rate_difference'}


def test_unknown_words_are_refused(people, visits):
    with pytest.raises(LookupError):
        model_name('lda')
    data = arrange_outcome(long('pain', people, **visits), people, PAIN, design_of(PAIN))
    assert (
        OutcomeRows(PAIN, design_of(PAIN), data).row(EffectPlace(MAIN, 'clda', 1, 1), None)['flags']
        == 'not_estimated'
    )
    with pytest.raises(DataError, match='nobody is in one of the arms b, a'):
        arrange_outcome(long('pain', people, **visits), people.assign(arm='c'), PAIN, design_of(PAIN))
