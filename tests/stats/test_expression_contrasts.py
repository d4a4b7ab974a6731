"""Contrasts and designs of repeated samples in any number of arms, against long-hand algebra and planted changes."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipelines.errors import DataError
from pipelines.stats.counts import pair_samples
from pipelines.stats.expression import NOT_RANDOMISED, POST_RANDOMISATION, differential_expression
from pipelines.stats.expression_contrasts import change_column, contrasts_of, turned_to, weights_of
from pipelines.stats.expression_design import arrange_pairs, paired_design

ARMS = ('yoga', 'walking', 'waiting')
VISITS = {'reference': 'week 0', 'week 6': 'week 6', 'followup': 'week 12'}
PEOPLE = 4


def samples_of(arms=ARMS, visits=tuple(VISITS), people=PEOPLE) -> pd.DataFrame:
    rows = [
        (f'{arm}{number}_{visit}', f'{arm}{number}', arm, visit)
        for arm in arms
        for number in range(people)
        for visit in visits
    ]
    return pd.DataFrame(rows, columns=['sample_id', 'participant_id', 'arm', 'visit'])


def counts_of(samples: pd.DataFrame, changes, seed=3, n_genes=400) -> pd.DataFrame:
    """Return counts whose first 40 genes change by e to the power of ``changes[arm, visit]``."""
    rng = np.random.default_rng(seed)
    person = {who: rng.normal(0, 0.3, n_genes) for who in samples['participant_id'].unique()}
    level, columns = rng.uniform(3, 8, n_genes), {}
    for row in samples.itertuples():
        change = np.where(np.arange(n_genes) < 40, changes.get((row.arm, row.visit), 0.0), 0)
        mean = np.exp(level + person[row.participant_id] + change)
        columns[row.sample_id] = rng.poisson(mean * rng.gamma(20, 1 / 20, n_genes))
    return pd.DataFrame(columns, [f'g{number}' for number in range(n_genes)])


def test_contrasts_of_three_arms_and_visits():
    names = [each.name for each in contrasts_of(ARMS, ARMS, VISITS)]
    assert names == [
        'difference_yoga_week6', 'difference_yoga_week12', 'any_difference_yoga', 'difference_walking_week6',
        'difference_walking_week12', 'any_difference_walking', 'any_difference', 'change_treatment_yoga_week6',
        'change_treatment_yoga_week12', 'change_treatment_walking_week6', 'change_treatment_walking_week12',
        'change_control_week6', 'change_control_week12', 'any_change',
    ]  # fmt: skip
    titles = {each.name: each.title for each in contrasts_of(ARMS, ARMS, VISITS)}
    assert titles['difference_walking_week6'] == 'Difference in change, walking minus waiting, week 6'
    assert titles['any_difference'] == 'Any difference in change, yoga and walking against waiting'
    assert titles['any_change'] == 'Any change within yoga, walking and waiting'


@pytest.mark.parametrize(
    ('present', 'visits', 'wanted'),
    [
        (['yoga', 'walking', 'waiting'], 2, ['difference_yoga', 'difference_walking', 'any_difference', 'change_treatment_yoga', 'change_treatment_walking', 'change_control', 'any_change']),
        (['walking', 'waiting'], 2, ['difference', 'change_treatment', 'change_control', 'any_change']),
        (['yoga', 'walking'], 2, ['change_treatment_yoga', 'change_treatment_walking', 'any_change']),
        (['yoga'], 2, ['change_treatment']),
        (['yoga'], 3, ['change_treatment_week6', 'change_treatment_week12', 'any_change']),
    ],
)  # fmt: skip
def test_contrasts_are_of_the_arms_that_have_samples(present, visits, wanted):
    chosen = {'reference': 'a', 'followup': 'b'} if visits == 2 else VISITS
    assert [each.name for each in contrasts_of(present, ARMS, chosen)] == wanted


def test_names_of_contrasts_differ_where_arms_hardly_do():
    arms = ('a b', 'ab', '++', 'control')
    names = [each.name for each in contrasts_of(arms, arms, {'reference': 'x', 'followup': 'y'})]
    assert len({name.casefold() for name in names}) == len(names)
    assert all(name.replace('_', '').isalnum() for name in names)


def test_weights_are_those_written_out():
    samples = samples_of()
    design, _ = paired_design(samples, visits=tuple(VISITS))
    assert design.shape == (36, 12 + 6)
    found = {each.name: weights_of(design, each) for each in contrasts_of(ARMS, ARMS, VISITS)}

    def column(**own):
        weights = pd.Series(0.0, design.columns)
        for arm, (visit, value) in own.items():
            weights[change_column(arm, visit)] = value
        return weights.to_numpy()

    wanted = column(yoga=('week 6', 1), waiting=('week 6', -1))
    np.testing.assert_array_equal(found['difference_yoga_week6'][:, 0], wanted)
    np.testing.assert_array_equal(found['any_difference_yoga'][:, 0], wanted)
    ranks = {name: np.linalg.matrix_rank(own) for name, own in found.items()}
    assert ranks['any_difference_yoga'] == 2
    assert ranks['any_difference'] == 4
    assert ranks['any_change'] == 6
    assert {rank for name, rank in ranks.items() if not name.startswith('any')} == {1}


def test_a_turned_design_has_the_contrast_as_a_coefficient(rng):
    design, _ = paired_design(samples_of(), visits=tuple(VISITS))
    beta = rng.normal(size=design.shape[1])
    for contrast in contrasts_of(ARMS, ARMS, VISITS):
        if contrast.is_joint:
            continue
        turned, column = turned_to(design, contrast)
        coefficients = np.linalg.lstsq(turned.to_numpy(), design.to_numpy() @ beta, rcond=None)[0]
        # exact but for rounding of 18 unknowns
        np.testing.assert_allclose(coefficients[column], beta @ weights_of(design, contrast)[:, 0], atol=1e-9)


@pytest.fixture(scope='module')
def analysed():
    """Yoga changes by week 6 and walking by week 12."""
    samples = samples_of()
    counts = counts_of(samples, {('yoga', 'week 6'): 1.0, ('walking', 'followup'): -1.0})
    return differential_expression(counts, samples, arms=ARMS, visits=VISITS, reference='postRandomisation')


def test_planted_changes_are_found_where_they_are(analysed):
    planted = [f'g{number}' for number in range(40)]
    called = {
        name: own.index[own['padj'] < 0.1]
        for name, own in analysed.table.set_index('gene_id').groupby('contrast')
    }
    for name in (
        'difference_yoga_week6', 'difference_walking_week12', 'any_difference_yoga', 'any_difference', 'any_change',
        'change_treatment_yoga_week6',
    ):  # fmt: skip
        assert len(called[name].intersection(planted)) >= 30, name
    for name in ('difference_yoga_week12', 'difference_walking_week6', 'change_control_week6'):
        assert len(called[name].intersection(planted)) <= 5, name
    wide = analysed.table.pivot(index='gene_id', columns='contrast', values='log2FoldChange').loc[planted]
    # 1 / log 2; standard error .1 of a mean of 40
    assert wide['difference_yoga_week6'].mean() == pytest.approx(1.443, abs=0.25)
    assert wide['difference_walking_week12'].mean() == pytest.approx(-1.443, abs=0.25)


def test_p_of_genes_that_do_not_change_is_uniform(analysed):
    null = analysed.table[~analysed.table['gene_id'].isin([f'g{number}' for number in range(40)])]
    shares = null.groupby('contrast')['pvalue'].apply(lambda p: (p < 0.05).mean())
    # 360 genes: standard error 1.1 %
    assert shares.between(0.005, 0.1).all()
    assert abs(shares.mean() - 0.05) < 0.02


def test_each_contrast_says_what_it_is(analysed):
    about = analysed.contrasts.set_index('contrast')
    assert about.loc['any_change', 'df'] == 6
    assert about.loc['any_difference', 'df'] == 4
    randomised = about.index.str.contains('difference')
    assert set(about.loc[randomised, 'flags']) == {POST_RANDOMISATION}
    assert set(about.loc[~randomised, 'flags']) == {NOT_RANDOMISED}
    assert about['is_joint'].tolist() == about.index.str.startswith('any').tolist()
    for name, own in analysed.table.groupby('contrast'):
        tail = stats.f.sf(own['F'], own['df'], own['df_residual'])
        np.testing.assert_allclose(own['pvalue'], tail, err_msg=name)


def test_who_left_early_counts_as_far_as_they_came():
    samples = samples_of()
    gone = samples[~((samples['participant_id'] == 'yoga0') & (samples['visit'] == 'followup'))]
    pairs = pair_samples(gone, visits=tuple(VISITS))
    assert pairs.excluded.empty
    assert (pairs.paired['participant_id'] == 'yoga0').sum() == 2
    alone = gone[~((gone['participant_id'] == 'yoga0') & (gone['visit'] == 'week 6'))]
    reasons = pair_samples(alone, visits=tuple(VISITS)).excluded['reason']
    assert reasons.tolist() == ['no week 6 sample; no followup sample']
    counts = counts_of(gone, {})
    found = differential_expression(counts, gone, arms=ARMS, visits=VISITS)
    assert found.n_pairs == {'yoga': 4, 'walking': 4, 'waiting': 4}


def test_a_sample_without_its_covariate_is_left_out_alone():
    samples = samples_of().assign(quality=np.arange(36.0) % 7)
    samples.loc[1, 'quality'] = np.nan
    pairs = pair_samples(samples, ['quality'], tuple(VISITS))
    assert pairs.excluded.to_numpy().tolist() == [['yoga0', 'yoga0_week 6', 'quality missing']]
    assert (pairs.paired['participant_id'] == 'yoga0').sum() == 2


def test_visits_that_nobody_of_an_arm_made_are_named():
    samples = samples_of()
    few = samples[~((samples['arm'] == 'waiting') & (samples['visit'] == 'week 6'))]
    with pytest.raises(DataError, match='arm waiting: 0 people with a sample of week 6'):
        arrange_pairs(few, arms=ARMS, visits=tuple(VISITS))
    with pytest.raises(DataError, match='arm waiting of the samples is none of yoga, walking'):
        arrange_pairs(samples, arms=ARMS[:2], visits=tuple(VISITS))
    with pytest.raises(DataError, match='visit week 6 is none of reference, followup'):
        differential_expression(counts_of(samples, {}), samples, arms=ARMS)


def test_visits_that_nobody_links_are_named():
    """Two people of week 0 and 6, two of week 12 and 18: their changes cannot be joined."""
    visits = ('reference', 'week 6', 'week 12', 'followup')
    samples = samples_of(visits=visits)
    early = samples['participant_id'].str.endswith(('0', '1'))
    apart = samples[(samples['arm'] != 'yoga') | (early == samples['visit'].isin(visits[:2]))]
    with pytest.raises(
        DataError, match='arm yoga: nobody has samples that link reference and week 6 and followup and'
    ):
        arrange_pairs(apart, arms=ARMS, visits=visits)
    linked = pd.concat([apart, samples[samples['sample_id'] == 'yoga0_followup']])
    design = arrange_pairs(linked, arms=ARMS, visits=visits).design
    assert np.linalg.matrix_rank(design) == design.shape[1]


def test_contrasts_of_an_unknown_kind_are_refused():
    design, _ = paired_design(samples_of(), visits=tuple(VISITS))
    contrast = contrasts_of(ARMS, ARMS, VISITS)[0]
    with pytest.raises(ValueError, match='sum is no kind of contrast'):
        weights_of(design, type(contrast)(name='x', kind='sum', title='x', arms=ARMS, visits=('followup',)))
