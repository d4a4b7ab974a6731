"""Analyses of a trial: their variants, the table of people, planted paths, and independence of each other."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipelines.errors import ParameterError
from pipelines.stats.design import Outcome
from pipelines.stats.mediate import mediate
from pipelines.stats.mediation_design import Analysis, MediationDesign
from pipelines.stats.mediation_model import PathModel
from pipelines.stats.mediation_people import TrialTables, tabulate_people
from pipelines.stats.mediation_power import mediation_power, risk_power
from pipelines.stats.mediation_trial import analyse_mediation, variants
from pipelines.stats.visit import Visit

A, B, DIRECT, N = -0.5, 2.0, -0.7, 400
SCORE = 'expression:INFLAMMATION'
CONNECTIVITY = Analysis(
    'connectivity', ('fc',), 'nrs', outcome_visit='followup', mediator_visits=('followup',)
)
GENES = replace(CONNECTIVITY, name='genes', mediators=(SCORE,), pre_named=True, mediator_visits=(None,))
BOTH = replace(
    CONNECTIVITY, name='both', mediators=('fc', SCORE), structure='serial', mediator_visits=('followup', None)
)
VISITS = (
    Visit(name='baseline', session_id='ses-pre', is_baseline=True),
    Visit(name='followup', session_id='ses-post', is_primary=True),
)


def design_of(*analyses, treated=('exercise',), visits=VISITS, kind='continuous'):
    outcomes = (Outcome(name='fc'), Outcome(name='nrs', kind=kind))
    return MediationDesign(
        treated=treated, control='wait', analyses=analyses, outcomes=outcomes, visits=visits
    )


def analyse(tables, *analyses, n_bootstraps=150, **changes):
    return analyse_mediation(tables, design_of(*analyses, **changes), seed=1, n_bootstraps=n_bootstraps)


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
    return TrialTables(values, pd.DataFrame(people), scores)


@pytest.fixture(scope='module')
def table(tables):
    return tabulate_people(tables, design_of(), BOTH, 'exercise')


def test_planted_paths_are_found(tables):
    paths = analyse(tables, CONNECTIVITY, n_bootstraps=500).paths
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


def test_numbers_are_those_of_the_model_called_alone(tables, table):
    found = analyse(tables, CONNECTIVITY, n_bootstraps=200)
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
    mixed = TrialTables(values.sample(frac=1, random_state=1), people, scores.sample(frac=1, random_state=1))
    shuffled = tabulate_people(mixed, design_of(), BOTH, 'exercise')
    pd.testing.assert_frame_equal(table, shuffled[list(table)])
    assert table[SCORE].isna().sum() == N - 300
    assert list(table.loc['sub-001', ['arm', 'age']]) == [1, people['age'][1]]
    assert set(table['sex[M]']) == {0, 1}
    one = values[(values['participant_id'] == 'sub-007') & (values['visit'] == 'baseline')]
    assert table.loc['sub-007', 'nrs_baseline'] == one.set_index('outcome').loc['nrs', 'value']


def test_an_analysis_does_not_change_the_others(tables):
    alone = analyse(tables, GENES).paths
    together = analyse(tables, CONNECTIVITY, BOTH, GENES).paths
    own = together[together['analysis'].str.startswith('genes')].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, own)


def test_variants_and_their_labels_differ():
    found = variants(design_of(CONNECTIVITY, GENES, BOTH))
    assert len(found) == 2 + 3 + 4
    assert len({each.label for each in found}) == len(found)
    assert len({each.model.analysis for each in found}) == len(found)
    several = variants(design_of(CONNECTIVITY, GENES, BOTH, treated=('exercise', 'yoga')))
    assert len({each.label for each in several}) == len(several) == 18
    assert {each.label for each in several if each.arm == 'yoga'} == {f'{each.label}_arm2' for each in found}


def test_flags_of_expression(tables):
    models = analyse(tables, GENES, BOTH).models.set_index('label')
    assert models.loc['genes', 'flags'] == 'reference_post_randomisation'
    assert models.loc['genes', 'baselines'] == f'{SCORE}_reference;nrs_baseline'
    assert models.loc['genes_withoutReference', 'flags'] == ''
    assert models.loc['genes_withoutReference', 'baselines'] == 'nrs_baseline'
    assert set(models.loc[['both_order1', 'both_order2'], 'flags']) == {
        'exploratory reference_post_randomisation'
    }
    assert models.loc['both_order1', 'n'] == 300
    assert models.loc['both_order2', 'mediator_visits'] == 'last sample;followup'
    assert set(models['time_order']) == {'not_known'}


def change(tables, **columns):
    return tables._replace(values=tables.values.assign(**columns))


def test_doubtful_values_and_absent_baselines_are_flagged(tables):
    values = tables.values
    is_first = (values['outcome'] == 'fc') & (values['visit'] == 'baseline')
    bare = tables._replace(values=values[~is_first].assign(flags=''))
    assert set(analyse(bare, CONNECTIVITY).models['flags']) == {'no_baseline'}
    odd = bare.values['participant_id'].eq('sub-009') & bare.values['outcome'].eq('fc')
    doubtful = change(bare, flags=np.where(odd, 'high_motion_dwi', ''))
    models = analyse(doubtful, CONNECTIVITY).models
    assert set(models['flags']) == {'no_baseline flagged_values'}
    assert set(models['baselines']) == {'nrs_baseline'}
    elsewhere = change(bare, flags=np.where(odd & bare.values['visit'].eq('none'), 'high_motion_dwi', ''))
    assert set(analyse(elsewhere, CONNECTIVITY).models['flags']) == {'no_baseline'}


def test_a_baseline_that_is_the_same_for_everybody_is_left_out_and_said(tables):
    """As where nobody works at baseline."""
    values = tables.values
    is_first = (values['outcome'] == 'nrs') & (values['visit'] == 'baseline')
    models = analyse(change(tables, value=values['value'].mask(is_first, 6.0)), CONNECTIVITY).models
    assert set(models['flags']) == {'constant_baseline'}
    assert set(models['baselines']) == {'fc_baseline'}
    assert models['n'].eq(N).all()


def test_words_become_the_columns_of_their_levels(tables):
    found = analyse(tables, replace(CONNECTIVITY, covariates=('age', 'sex')))
    assert found.models['covariates'][0] == 'age;sex[M]'


def test_what_cannot_be_estimated_has_a_note_and_no_rows(tables):
    is_fc = tables.values['outcome'].eq('fc') & tables.values['visit'].eq('followup')
    found = analyse(change(tables, value=tables.values['value'].mask(is_fc, 1.0)), CONNECTIVITY)
    assert found.paths.empty
    assert found.sensitivity.empty
    assert found.models['note'].str.contains('fc is 1 for all 400 complete people').all()
    assert found.models['n'].isna().all()


def test_sensitivity_is_the_indirect_effect_at_zero_and_nothing_at_its_root(tables):
    found = analyse(tables, CONNECTIVITY)
    curve = found.sensitivity
    own = found.paths[found.paths['analysis'] == 'connectivity'].set_index('path')['estimate']
    at_zero = curve.loc[curve['rho'].abs() < 1e-9, 'indirect'].item()
    assert at_zero == pytest.approx(own['indirect'], rel=1e-9)
    below, above = (curve[curve['rho'] * side > own['rho_at_zero'] * side]['indirect'] for side in (-1, 1))
    assert len(set(np.sign(below))) == len(set(np.sign(above))) == 1
    assert np.sign(below.iloc[0]) != np.sign(above.iloc[0])


THREE = tuple(
    Visit(name=name, session_id=f'ses-{name}', is_baseline=name == 'w0', is_primary=name == 'w12')
    for name in ('w0', 'w6', 'w12')
)
EARLY = Analysis('early', ('fc',), 'nrs', outcome_visit='w12', mediator_visits=('w6',))
ARMS = {'yoga': -0.6, 'walking': 0.3, 'wait': 0.0}


@pytest.fixture(scope='module')
def three():
    """Return a trial in which what yoga and walking do to connectivity at week 6 moves pain at week 12.

    At week 12 connectivity goes the other way, and pain at week 6 knows nothing of it.
    """
    rng = np.random.default_rng(9)
    arm = np.repeat(list(ARMS), 200)
    labels = [f'sub-{n:03d}' for n in range(len(arm))]
    fc0, nrs0, noise, more = rng.standard_normal((4, len(arm)))
    early = 0.5 * fc0 + np.array([ARMS[name] for name in arm]) + noise
    late = 1.5 * early + 0.4 * nrs0 - 0.2 * (arm != 'wait') + more
    wide = {
        ('fc', 'w0'): fc0, ('fc', 'w6'): early, ('fc', 'w12'): -early - nrs0,
        ('nrs', 'w0'): nrs0, ('nrs', 'w6'): nrs0 + noise, ('nrs', 'w12'): late,
    }  # fmt: skip
    values = pd.concat([
        pd.DataFrame({'participant_id': labels, 'outcome': name, 'visit': visit, 'value': own})
        for (name, visit), own in wide.items()
    ])  # fmt: skip
    return TrialTables(values, pd.DataFrame({'participant_id': labels, 'arm': arm}))


def test_each_arm_has_its_own_contrast_at_the_visits_that_were_chosen(three):
    found = analyse(three, EARLY, treated=('yoga', 'walking'), visits=THREE, n_bootstraps=500)
    rows = found.paths[found.paths['analysis'] == 'early'].set_index(['arm', 'path'])
    for arm in ('yoga', 'walking'):
        for path, planted in {'a': ARMS[arm], 'b': 1.5, 'indirect': 1.5 * ARMS[arm], 'direct': -0.2}.items():
            row = rows.loc[(arm, path)]
            assert abs(row['estimate'] - planted) < 4 * row['se'], (arm, path)
        assert rows.loc[(arm, 'a'), ['mediator_visits', 'outcome', 'outcome_visit']].tolist() == [
            'w6',
            'nrs',
            'w12',
        ]
    models = found.models.set_index(['analysis', 'arm'])
    assert models.loc[('early', 'walking'), ['label', 'n_treatment', 'n_control']].tolist() == [
        'early_arm2',
        200,
        200,
    ]
    assert set(models['time_order']) == {'before'}
    assert set(found.sensitivity['arm']) == {'yoga', 'walking'}


def test_an_arm_is_that_of_a_trial_without_the_others(three):
    """Numbers of the first arm are as they were when only the first was compared."""
    together = analyse(three, EARLY, treated=('yoga', 'walking'), visits=THREE)
    for arm in ('yoga', 'walking'):
        alone = analyse(three, EARLY, treated=(arm,), visits=THREE)
        own = together.paths[together.paths['arm'] == arm].reset_index(drop=True)
        pd.testing.assert_frame_equal(own, alone.paths)


def test_a_binary_outcome_without_baseline(three):
    """Effects are those of the model called alone; the power is of an outcome that is cut."""
    is_end = three.values['outcome'].eq('nrs') & three.values['visit'].eq('w12')
    ends = three.values[is_end].assign(value=lambda rows: (rows['value'] > 0.5).astype(float))
    others = three.values[three.values['outcome'].eq('fc')]
    tables = three._replace(values=pd.concat([others, ends]))
    found = analyse(tables, EARLY, treated=('yoga',), visits=THREE, kind='binary')
    row = found.models.iloc[0]
    assert (row['kind'], row['flags'], row['n_penalised']) == ('binary', 'no_baseline', 0)
    wide = tabulate_people(tables, design_of(EARLY, visits=THREE, kind='binary'), EARLY, 'yoga')
    model = PathModel('early', 'arm', ('fc',), 'nrs', ('fc_baseline',), kind='binary', flags=('no_baseline',))
    wanted = mediate(wide, model, np.random.default_rng([1, *b'early']), n_bootstraps=150)
    own = found.paths[found.paths['analysis'] == 'early']
    columns = ['path', 'scale', 'estimate', 'ci_low', 'ci_high', 'flags']
    pd.testing.assert_frame_equal(own[columns], wanted.paths[columns])
    power = risk_power((200, 200), (0.26, 0.26), wanted.share, np.random.default_rng([1, 200, 200]),
                       n_trials=100, n_bootstraps=499)  # fmt: skip
    assert row['power_small'] == power.power
    assert found.sensitivity.empty


def test_mediators_in_series_follow_time(three):
    serial = Analysis(
        's', ('fc', 'nrs'), 'work', 'serial', outcome_visit='w12', mediator_visits=('w12', 'w6')
    )
    outcomes = (Outcome(name='fc'), Outcome(name='nrs'), Outcome(name='work'))
    design = replace(design_of(serial, visits=THREE), outcomes=outcomes)
    assert [each.model.mediators for each in variants(design)] == [('nrs', 'fc')]
    free = replace(serial, mediator_visits=('w6', 'w6'))
    assert len(variants(replace(design, analyses=(free,)))) == 2


@pytest.mark.parametrize('kind', ['ordinal', 'count'])
def test_other_outcomes_are_refused(kind):
    with pytest.raises(ParameterError, match=f'nrs is {kind}; natural effects'):
        variants(design_of(CONNECTIVITY, kind=kind))
