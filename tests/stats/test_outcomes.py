"""Tables of outcomes: each number is that of the model called alone."""

import numpy as np
import pandas as pd
import pytest

from pipelines.stats.change import ancova, constrained_lda
from pipelines.stats.describe import hedges
from pipelines.stats.design import DerivativeOutcome, Outcome
from pipelines.stats.outcomes import (
    EFFECT_COLUMNS,
    count_responders,
    describe_outcomes,
    encode,
    model_outcomes,
)

N = 30
PAIN = Outcome(
    name='pain',
    units='points',
    lower_is_better=True,
    minimal_important_change=2,
    minimal_important_percent=30,
)


@pytest.fixture
def people(rng):
    return pd.DataFrame({
        'participant_id': [f'sub-{i:02d}' for i in range(N)],
        'arm': np.where(np.arange(N) % 2, 'a', 'b'),
        'age': rng.normal(40, 9, N),
        'sex': rng.choice(['F', 'M'], N),
    })  # fmt: skip


def long(name, people, baseline, followup, **more):
    parts = [
        people[['participant_id']].assign(
            outcome=name, visit=visit, value=values, flags=None, mean_fd=np.nan, **more
        )
        for visit, values in (('baseline', baseline), ('followup', followup))
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def visits(people, rng):
    before = rng.normal(5, 1.5, N)
    after = before - 1.5 * (people['arm'] == 'a') + rng.normal(0, 1, N)
    after[3] = np.nan
    return before, after.to_numpy()


def rows_of(table, outcome='pain'):
    return table[table['outcome'] == outcome].set_index('model')


def test_every_model_is_the_one_called_alone(people, visits):
    table = rows_of(model_outcomes(long('pain', people, *visits), people, [PAIN], treatment='a'))
    arm = (people['arm'] == 'a').astype(float)
    covariates = np.column_stack([people['age'], people['sex'] == 'M'])
    wanted = {
        'clda': constrained_lda(*visits, arm, covariates),
        'ancova': ancova(*visits, arm, covariates),
        'ancova_interaction': ancova(*visits, arm, covariates, interaction=True),
        'clda_unadjusted': constrained_lda(*visits, arm),
    }
    assert set(table.index) == set(wanted)
    for model, fit in wanted.items():
        for name, value in fit.effect._asdict().items():
            assert table.loc[model, name] == pytest.approx(value, rel=1e-9)
        assert table.loc[model, 'effect_size'] == pytest.approx(hedges(fit.effect, visits[0], arm).g)
        assert table.loc[model, 'n_treatment'] + table.loc[model, 'n_control'] == fit.n
    assert table['n_pairs'].eq(N - 1).all()


def test_order_of_people_and_rows_does_not_matter(people, visits, rng):
    values = long('pain', people, *visits)
    table = model_outcomes(values, people, [PAIN], treatment='a')
    mixed = model_outcomes(
        values.sample(frac=1, random_state=1), people.sample(frac=1, random_state=2), [PAIN], treatment='a'
    )
    np.testing.assert_allclose(table['estimate'].astype(float), mixed['estimate'].astype(float), rtol=1e-6)


def test_motion_and_flags_have_models_of_their_own(people, visits):
    values = long('fc', people, *visits)
    values['mean_fd'] = np.linspace(0.1, 0.4, len(values))
    values.loc[[0, 5], 'flags'] = 'high_motion no_sdc'
    values.loc[9, 'flags'] = 'no_sdc'
    table = rows_of(
        model_outcomes(values, people, [Outcome(name='fc')], treatment='a'),
        'fc',
    )
    assert table.loc['clda_unflagged', 'n_pairs'] == N - 3
    fd = values.groupby('participant_id')['mean_fd'].mean().loc[people['participant_id']].to_numpy()
    covariates = np.column_stack([people['age'], people['sex'] == 'M', fd])
    alone = constrained_lda(*visits, (people['arm'] == 'a').astype(float), covariates)
    assert table.loc['clda_mean_fd', 'estimate'] == pytest.approx(alone.effect.estimate, rel=1e-9)


def test_holm_counts_the_family_of_each_model(people, visits, rng):
    outcomes = [Outcome(name='pain')]
    outcomes += [DerivativeOutcome(name=name, derivative='alff') for name in ('fc', 'fa')]
    values = pd.concat([long(o.name, people, visits[0], visits[1] + rng.normal(0, 1, N)) for o in outcomes])
    table = model_outcomes(values, people, outcomes, treatment='a')
    own = table[table['model'] == 'clda'].set_index('outcome')
    assert np.isnan(own.loc['pain', 'p_holm'])
    p = own.loc[['fc', 'fa'], 'p'].astype(float)
    assert own.loc[p.idxmin(), 'p_holm'] == pytest.approx(min(1, 2 * p.min()))


def test_what_cannot_be_fitted_says_why(people, visits):
    values = long('pain', people, visits[0], np.full(N, np.nan))
    row = rows_of(model_outcomes(values, people, [PAIN], treatment='a')).loc['clda']
    assert np.isnan(row['estimate'])
    assert row['flags'] == 'not_estimated'
    assert 'both visits' in row['note']


def test_covariate_of_one_value_is_dropped_and_named(people, visits):
    table = rows_of(
        model_outcomes(long('pain', people, *visits), people.assign(sex='F', site=1.0), [PAIN], treatment='a')
    )
    assert table.loc['clda', 'flags'] == 'dropped:site'
    assert np.isfinite(table.loc['clda', 'estimate'])


def test_missing_covariate_is_flagged(people, visits):
    people.loc[4, 'age'] = np.nan
    row = rows_of(model_outcomes(long('pain', people, *visits), people, [PAIN], treatment='a')).loc['clda']
    assert row['flags'] == 'covariate_missing'
    assert row['n_treatment'] + row['n_control'] == N - 1


def test_words_become_columns_without_the_first_level():
    table = encode(pd.DataFrame({'site': ['b', 'a', 'c', None]}))
    assert list(table) == ['site[b]', 'site[c]']
    np.testing.assert_array_equal(table.to_numpy(), [[1, 0], [0, 0], [0, 1], [np.nan, np.nan]])


def test_descriptions_and_responders(people, visits):
    values = long('pain', people, *visits)
    found = describe_outcomes(values, people, [PAIN]).set_index(['arm', 'visit'])
    own = visits[1][people['arm'] == 'a']
    assert found.loc[('a', 'followup'), 'mean'] == pytest.approx(np.nanmean(own))
    assert found.loc[('a', 'followup'), 'n_missing'] == 1
    row = count_responders(values, people, [PAIN, Outcome(name='other')], treatment='a').iloc[0]
    gain = visits[0] - visits[1]
    better = (gain >= 2) | (gain >= 0.3 * visits[0])
    assert row['responders_treatment'] == better[people['arm'] == 'a'].sum()
    assert row['n_missing'] == 1


def test_inputs_stay_and_columns_are_those_promised(people, visits):
    values = long('pain', people, *visits)
    copies = values.copy(), people.copy()
    table = model_outcomes(values, people, [PAIN], treatment='a')
    assert list(table) == list(EFFECT_COLUMNS)
    pd.testing.assert_frame_equal(values, copies[0])
    pd.testing.assert_frame_equal(people, copies[1])
