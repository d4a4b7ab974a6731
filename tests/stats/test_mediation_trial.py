"""Analyses of a trial: their variants, the table of people, planted paths, and independence of each other."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipelines.stats.design import Analysis
from pipelines.stats.mediate import mediate
from pipelines.stats.mediation_model import PathModel
from pipelines.stats.mediation_power import mediation_power
from pipelines.stats.mediation_trial import analyse_mediation, tabulate_people, variants

A, B, DIRECT, N = -0.5, 2.0, -0.7, 400
SCORE = 'expression:INFLAMMATION'
CONNECTIVITY = Analysis('connectivity', ('fc',), 'nrs')
GENES = Analysis('genes', (SCORE,), 'nrs', pre_named=True)
BOTH = Analysis('both', ('fc', SCORE), 'nrs', 'serial')


@pytest.fixture(scope='module')
def tables():
    """Return values, people and scores of a trial in which connectivity carries -1 of -1.7 points."""
    rng = np.random.default_rng(3)
    labels = [f'sub-{number:03d}' for number in range(N)]
    treated = np.arange(N) % 2
    fc0, nrs0 = rng.normal(0.4, 0.2, N), rng.normal(6, 1, N)
    fc = 0.6 * fc0 + A * treated + rng.normal(0, 0.2, N)
    nrs = 1 + 0.5 * nrs0 + B * fc + DIRECT * treated + rng.normal(0, 0.5, N)
    wide = {
        ('fc', 'baseline'): fc0,
        ('fc', 'followup'): fc,
        ('nrs', 'baseline'): nrs0,
        ('nrs', 'followup'): nrs,
    }
    values = pd.concat([
        pd.DataFrame({'participant_id': labels, 'outcome': name, 'visit': visit, 'value': own})
        for (name, visit), own in wide.items()
    ])  # fmt: skip
    people = {
        'participant_id': labels,
        'arm': np.where(treated, 'exercise', 'wait'),
        'age': rng.integers(20, 60, N),
        'sex': rng.choice(['F', 'M'], N),
    }
    scores = pd.concat([
        pd.DataFrame({'participant_id': labels[:300], 'visit': visit, 'INFLAMMATION': rng.normal(size=300)})
        for visit in ('reference', 'followup')
    ])  # fmt: skip
    return values, pd.DataFrame(people), scores


@pytest.fixture(scope='module')
def table(tables):
    values, people, scores = tables
    return tabulate_people(values, people, scores, treatment='exercise')


def test_planted_paths_are_found(table):
    paths = analyse_mediation(table, [CONNECTIVITY], seed=1, n_bootstraps=500).paths
    rows = paths[paths['analysis'] == 'connectivity'].set_index('path')
    for path, planted in {
        'a': A,
        'b': B,
        'indirect': A * B,
        'direct': DIRECT,
        'total': A * B + DIRECT,
    }.items():
        row = rows.loc[path]
        assert abs(row['estimate'] - planted) < 4 * row['se']  # once in 16,000 otherwise
        assert row['se'] < 0.3


def test_numbers_are_those_of_the_model_called_alone(table):
    found = analyse_mediation(table, [CONNECTIVITY], seed=1, n_bootstraps=200)
    model = PathModel('x', 'arm', ('fc',), 'nrs', ('fc_baseline', 'nrs_baseline'))
    wanted = mediate(table, model, np.random.default_rng([1, *b'connectivity']), n_bootstraps=200)
    own = found.paths[found.paths['analysis'] == 'connectivity']
    columns = ['path', 'estimate', 'ci_low', 'ci_high', 'p']
    pd.testing.assert_frame_equal(own[columns], wanted.paths[columns])
    row = found.models.iloc[0]
    assert (row['n'], row['n_treatment'], row['n_incomplete']) == (N, N // 2, 0)
    power = mediation_power(
        N // 2, N // 2, 0.26, 0.26, np.random.default_rng([1, N // 2, N // 2]), n_trials=100, n_bootstraps=499
    )
    assert row['power_small'] == power.power


def test_people_keep_their_values_and_missing_stays_missing(tables, table):
    values, people, scores = tables
    shuffled = tabulate_people(
        values.sample(frac=1, random_state=1),
        people,
        scores.sample(frac=1, random_state=1),
        treatment='exercise',
    )
    pd.testing.assert_frame_equal(table, shuffled[list(table)])
    assert table[SCORE].isna().sum() == N - 300
    assert list(table.loc['sub-001', ['arm', 'age']]) == [1, people['age'][1]]
    assert set(table['sex[M]']) == {0, 1}
    one = values[(values['participant_id'] == 'sub-007') & (values['visit'] == 'baseline')]
    assert table.loc['sub-007', 'nrs_baseline'] == one.set_index('outcome').loc['nrs', 'value']


def test_an_analysis_does_not_change_the_others(table):
    alone = analyse_mediation(table, [GENES], seed=1, n_bootstraps=150).paths
    together = analyse_mediation(table, [CONNECTIVITY, BOTH, GENES], seed=1, n_bootstraps=150).paths
    own = together[together['analysis'].str.startswith('genes')].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, own)


def test_variants_and_their_labels_differ():
    found = [each for analysis in (CONNECTIVITY, GENES, BOTH) for each in variants(analysis)]
    assert len(found) == 2 + 3 + 4
    assert len({each.label for each in found}) == len(found)
    assert len({each.model.analysis for each in found}) == len(found)


def test_flags_of_expression(table):
    models = analyse_mediation(table, [GENES, BOTH], seed=1, n_bootstraps=150).models.set_index('label')
    assert models.loc['genes', 'flags'] == 'reference_post_randomisation'
    assert models.loc['genes', 'baselines'] == f'{SCORE}_reference;nrs_baseline'
    assert models.loc['genes_withoutReference', 'flags'] == ''
    assert models.loc['genes_withoutReference', 'baselines'] == 'nrs_baseline'
    assert set(models.loc[['both_order1', 'both_order2'], 'flags']) == {
        'exploratory reference_post_randomisation'
    }
    assert models.loc['both_order1', 'n'] == 300


def test_doubtful_values_and_absent_baselines_are_flagged(table):
    bare = table.drop(columns='fc_baseline')
    models = analyse_mediation(bare, [CONNECTIVITY], seed=1, n_bootstraps=150, flagged=['fc']).models
    assert set(models['flags']) == {'no_baseline flagged_values'}
    assert set(models['baselines']) == {'nrs_baseline'}


def test_words_become_the_columns_of_their_levels(table):
    analysis = replace(CONNECTIVITY, covariates=('age', 'sex'))
    assert (
        analyse_mediation(table, [analysis], seed=1, n_bootstraps=150).models['covariates'][0] == 'age;sex[M]'
    )


def test_what_cannot_be_estimated_has_a_note_and_no_rows(table):
    constant = table.assign(fc=1.0)
    found = analyse_mediation(constant, [CONNECTIVITY], seed=1, n_bootstraps=150)
    assert found.paths.empty
    assert found.sensitivity.empty
    assert found.models['note'].str.contains('fc is 1 for all 400 complete people').all()
    assert found.models['n'].isna().all()


def test_sensitivity_is_the_indirect_effect_at_zero_and_nothing_at_its_root(table):
    found = analyse_mediation(table, [CONNECTIVITY], seed=1, n_bootstraps=150)
    curve = found.sensitivity
    own = found.paths[found.paths['analysis'] == 'connectivity'].set_index('path')['estimate']
    at_zero = curve.loc[curve['rho'].abs() < 1e-9, 'indirect'].item()
    assert at_zero == pytest.approx(own['indirect'], rel=1e-9)
    below, above = (curve[curve['rho'] * side > own['rho_at_zero'] * side]['indirect'] for side in (-1, 1))
    assert len(set(np.sign(below))) == len(set(np.sign(above))) == 1
    assert np.sign(below.iloc[0]) != np.sign(above.iloc[0])
