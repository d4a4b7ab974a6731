"""Contrasts of a biomarker: closed forms, brute force, another library, and the numbers of four samples as they were."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import optimize, special, stats

from pipelines.errors import DataError
from pipelines.stats.biomarker import fit_biomarker, plasma_volume_correction
from pipelines.stats.biomarker_design import FOUR_SAMPLES, SampleLabel, SamplesDesign
from pipelines.terms import BDNF_CONTRASTS

GOLDEN = Path(__file__).resolve().parents[1] / 'golden'
SD = {'person': 0.4, 'session': 0.2, 'sample': 0.2}


def design_of(sessions, times, treated=('treated',)):
    labels = [
        SampleLabel(name='_'.join(filter(None, (s, t))), session=s, time=t)
        for s, t in product(sessions, times)
    ]
    return SamplesDesign(
        name='il6', title='IL-6', units='pg/mL', treated=treated, control='control', samples=tuple(labels)
    )


FOUR = design_of(('s7', 's42'), ('pre', 'post'))


def response(rng, design=FOUR, n=24, missing=0.0):
    """Simulate concentrations: every arm rises by the number of session and time, the last one twice as much."""
    sessions = list(dict.fromkeys(sample.session for sample in design.samples))
    times = list(dict.fromkeys(sample.time for sample in design.samples))
    person, s, t = (grid.ravel() for grid in np.mgrid[:n, : len(sessions), : len(times)])
    arm = person % len(design.arms)
    y = (
        3
        + (0.1 * s + 0.2 * t) * (1 + (arm == len(design.treated)))
        + SD['person'] * rng.standard_normal(n)[person]
    )
    y += SD['session'] * rng.standard_normal((n, len(sessions)))[person, s]
    y += SD['sample'] * rng.standard_normal(len(y))
    y[rng.random(len(y)) < missing] = np.nan
    names = np.array(design.names).reshape(len(sessions), len(times))[s, t]
    return pd.DataFrame({
        'participant_id': [f'sub-{p:02}' for p in person], 'arm': np.array(design.arms)[arm], 'sample': names,
        'value': np.exp(y), 'lower': 0.0, 'upper': np.inf,
    })  # fmt: skip


def rows(table, arm, treated=''):
    return table[(table['arm'] == arm) & (table['treated'] == treated)].set_index('contrast')


@pytest.mark.parametrize('case', ['measured', 'both_limits', 'one_arm'])
def test_four_samples_have_the_numbers_they_had(case):
    samples, wanted = (
        pd.read_csv(GOLDEN / name, sep='\t').set_index('case').loc[case]
        for name in ('bdnf_samples.tsv', 'bdnf_fit.tsv')
    )
    found = fit_biomarker(samples.rename(columns={'person': 'participant_id'}), FOUR)
    assert found.contrasts['contrast'].tolist() == wanted['contrast'].tolist()
    assert found.contrasts['arm'].tolist() == wanted['arm'].tolist()
    numbers = ['estimate', 'se', 'df', 'ci_low', 'ci_high', 'p', 'n', 'n_samples', 'n_censored']
    # parameters of another form, the same maximum, which is found to a gradient of 1e-6
    np.testing.assert_allclose(found.contrasts[numbers], wanted[numbers], atol=1e-6)
    assert found.log_likelihood == pytest.approx(wanted['log_likelihood'].iloc[0], abs=1e-8)
    np.testing.assert_allclose(
        found.variances, wanted[['var_person', 'var_session', 'var_sample']].iloc[0], atol=1e-6
    )


def test_four_samples_have_words_of_their_own():
    assert [contrast.name for contrast in FOUR.contrasts] == list(BDNF_CONTRASTS)
    assert tuple(FOUR.names) == FOUR_SAMPLES
    weights = {contrast.name: contrast.weights for contrast in FOUR.contrasts}
    assert weights['acute_s42'] == {'s42_post': 1, 's42_pre': -1}
    assert weights['resting_change'] == {'s42_pre': 1, 's7_pre': -1}


@pytest.mark.parametrize(
    ('sessions', 'times', 'wanted'),
    [
        (['w0'], [''], ['level']),
        (['w0'], ['pre', 'post'], ['post - pre']),
        (['w0', 'week 6', 'w12'], [''], ['week 6 - w0', 'w12 - w0']),
        (
            ['a', 'b'], ['pre', 'post', '1h'],
            ['a: post - pre', 'a: 1h - pre', 'b: post - pre', 'b: 1h - pre', 'pre: b - a', 'post - pre: b - a',
             '1h - pre: b - a'],
        ),
    ],
)  # fmt: skip
def test_contrasts_are_named_by_the_words_of_the_trial(sessions, times, wanted):
    found = design_of(sessions, times).contrasts
    assert [contrast.name for contrast in found] == wanted
    assert all(sum(contrast.weights.values()) == (contrast.name == 'level') for contrast in found)


def test_responses_pair_the_first_sample_of_a_session_with_the_others():
    assert design_of(['a', 'b'], ['0', '1', '2']).responses == [
        ('a_0', 'a_1'), ('a_0', 'a_2'), ('b_0', 'b_1'), ('b_0', 'b_2')
    ]  # fmt: skip


def exact_likelihood(theta, y, low, n_points=(100, 50)):
    """Sum the log-likelihood of (n, s, t) samples over a grid of people's and sessions' effects."""
    means, spread = theta[:-3].reshape(y.shape[1:]), np.exp(theta[-3:])
    rules = [np.polynomial.legendre.leggauss(n) for n in n_points]
    u, v = (7 * s * x for s, (x, _) in zip(spread, rules))
    weight_u, weight_v = (7 * w * stats.norm.pdf(7 * x) for x, w in rules)
    at = (np.maximum(y, low) - means)[..., None, None] - u[:, None] - v
    joint = -((at / spread[2]) ** 2) / 2 - np.log(spread[2] * np.sqrt(2 * np.pi))
    joint[y <= low] = special.log_ndtr(at[y <= low] / spread[2])
    joint = joint.sum(axis=2)
    return np.log((np.exp(joint) @ weight_v).prod(axis=1) @ weight_u).sum()


def test_three_sessions_of_two_times_have_the_exact_maximum(rng):
    """A quarter of the samples is below the limit; the likelihood is a sum over a grid."""
    design = design_of(['w0', 'w6', 'w12'], ['pre', 'post'], treated=())
    table = response(rng, design, n=12)
    limit = table['value'].quantile(0.25)
    found = fit_biomarker(table.assign(lower=limit), design)
    assert found.contrasts['n_censored'].unique() == [18]
    y = np.log(table['value'].to_numpy()).reshape(12, 3, 2)
    # means from the contrasts, up to one of them, which a search over the exact likelihood finds
    weights = np.array([[c.weights.get(name, 0) for name in design.names] for c in design.contrasts])
    shape = np.linalg.lstsq(weights, found.contrasts['estimate'], rcond=None)[0]
    spread = np.log(found.variances) / 2

    def exact(level):
        return -exact_likelihood(np.array([*(shape + level), *spread]), y, np.log(limit))

    level = optimize.minimize_scalar(exact, bracket=(y.mean() - 0.1, y.mean() + 0.1), tol=1e-10).x
    best = np.array([*(shape + level), *spread])
    assert found.log_likelihood == pytest.approx(exact_likelihood(best, y, np.log(limit)), abs=1e-7)
    steps, hessian = 1e-3 * np.eye(9), np.zeros((9, 9))

    def at(*moves):
        return exact_likelihood(best + sum(moves), y, np.log(limit))

    gradient = np.array([at(a) - at(-a) for a in steps]) / 2e-3
    for i, j in zip(*np.tril_indices(9)):
        a, b = steps[i], steps[j]
        hessian[i, j] = hessian[j, i] = (at(a, b) - at(a, -b) - at(-a, b) + at(-a, -b)) / 4e-6
    # nowhere uphill: the step to the exact maximum is less than a thousandth of a standard error
    covariance = np.linalg.inv(-hessian)
    assert (np.abs(covariance @ gradient) < 1e-3 * np.sqrt(np.diag(covariance))).all()
    wanted = np.sqrt(np.diag(weights @ covariance[:6, :6] @ weights.T) * 12 / 11)  # people less arms
    # second differences of a sum of logarithms lose half of its digits
    np.testing.assert_allclose(found.contrasts['se'], wanted, rtol=1e-3)
    assert (found.contrasts['df'] == 11).all()


@pytest.mark.parametrize('times', [['pre', 'post'], ['pre', 'post', '1h']])
def test_contrasts_of_three_arms_are_differences_of_means(rng, times):
    """Complete and measured samples: effects are differences of cell means, standard errors those of REML."""
    design = design_of(['a', 'b', 'c'], times, treated=('yoga', 'walking'))
    table = response(rng, design)
    found = fit_biomarker(table, design).contrasts
    mean = np.log(table['value']).groupby([table['arm'], table['sample']]).mean()
    change = {
        (arm, c.name): sum(w * mean[arm, name] for name, w in c.weights.items())
        for arm in design.arms for c in design.contrasts
    }  # fmt: skip
    for (arm, contrast), wanted in change.items():
        assert rows(found, arm).loc[contrast, 'estimate'] == pytest.approx(wanted, abs=1e-6)
    for arm in design.treated:
        own = rows(found, 'difference', arm)
        wanted = [change[arm, name] - change['control', name] for name in own.index]
        # least squares of a balanced table, to the accuracy of the optimiser
        np.testing.assert_allclose(own['estimate'], wanted, atol=1e-6)
        assert (own['df'] == 21).all()
        assert (own['n'] == 16).all()
    frame = table.assign(y=np.log(table['value']), session=table['sample'].str[0])
    other = smf.mixedlm(
        'y ~ 0 + C(arm):C(sample)',
        frame,
        groups='participant_id',
        re_formula='1',
        vc_formula={'session': '0 + C(session)'},
    ).fit(gtol=1e-8)
    names = [f'C(arm)[yoga]:C(sample)[{name}]' for name in ('b_pre', 'a_pre')]
    covariance = other.cov_params().loc[names, names].to_numpy()
    # the other optimiser finds variances to a few parts in a thousand
    wanted = np.sqrt([1, -1] @ covariance @ [1, -1])
    assert rows(found, 'yoga').loc['pre: b - a', 'se'] == pytest.approx(wanted, rel=3e-3)


def test_response_of_one_session_is_a_paired_t_test(rng):
    """Where sessions do not differ in spread, the pooled error has the mean of both paired variances."""
    table = response(rng).assign(arm='control')
    found = fit_biomarker(table, FOUR).contrasts.set_index('contrast')
    change = np.diff(np.log(table['value'].to_numpy()).reshape(24, 2, 2), axis=2)[..., 0]
    pooled = np.sqrt(change.var(axis=0, ddof=1).mean() / 24)
    for name in ('acute_s7', 'acute_s42'):
        # to the accuracy of the optimiser
        assert found.loc[name, 'se'] == pytest.approx(pooled, rel=1e-6)


def test_one_session_of_two_times_is_the_paired_t_test(rng):
    design = design_of(['w0'], ['pre', 'post'], treated=())
    table = response(rng, design)
    found = fit_biomarker(table, design).contrasts.iloc[0]
    wanted = stats.ttest_rel(*np.log(table['value'].to_numpy()).reshape(24, 2).T[::-1])
    assert found['statistic'] == pytest.approx(wanted.statistic, rel=1e-6)
    assert found['p'] == pytest.approx(wanted.pvalue, rel=1e-5)


def test_one_sample_is_a_t_test_of_two_arms(rng):
    design = design_of(['w0'], [''])
    table = response(rng, design)
    found = fit_biomarker(table, design).contrasts
    y = np.log(table['value'])
    wanted = stats.ttest_ind(y[table['arm'] == 'treated'], y[table['arm'] == 'control'])
    own = rows(found, 'difference', 'treated').loc['level']
    assert own['p'] == pytest.approx(wanted.pvalue, rel=1e-5)
    assert np.exp(rows(found, 'control').loc['level', 'estimate']) == pytest.approx(
        stats.gmean(table['value'][table['arm'] == 'control'])
    )


def test_counts_and_units(rng):
    table = response(rng, missing=0.05)
    known = table['value'].notna()
    lower, upper = table['value'].quantile([0.15, 0.95])
    limited = table.assign(lower=lower, upper=upper)
    found = fit_biomarker(limited, FOUR).contrasts
    beyond = known & ((table['value'] <= lower) | (table['value'] >= upper))
    is_control = table['arm'] == 'control'
    assert rows(found, 'control').loc['acute_s7', 'n_censored'] == beyond[is_control].sum()
    assert rows(found, 'difference', 'treated').loc['acute_s7', 'n_censored'] == beyond.sum()
    assert rows(found, 'treated').loc['acute_s7', 'n_samples'] == known[~is_control].sum()
    assert rows(found, 'difference', 'treated').loc['acute_s7', 'n'] == 24
    assert (found['df'] == 22).all()
    scaled = limited.sample(frac=1, random_state=3)
    scaled[['value', 'lower', 'upper']] *= 1000
    other = fit_biomarker(scaled, FOUR).contrasts
    # ratios have no unit; to the accuracy of the optimiser
    np.testing.assert_allclose(other['estimate'], found['estimate'], atol=1e-6)
    np.testing.assert_allclose(other['se'], found['se'], rtol=1e-5)


def test_zero_is_censored_where_there_is_a_limit(rng):
    table = response(rng)
    lower = table['value'].quantile(0.2)
    low = table['value'] <= lower
    at_limit, at_zero = (table.assign(value=table['value'].mask(low, x), lower=lower) for x in (lower, 0.0))
    found, other = (fit_biomarker(each, FOUR).contrasts for each in (at_limit, at_zero))
    pd.testing.assert_frame_equal(found, other)
    with pytest.raises(DataError, match='infinite'):
        fit_biomarker(at_zero.assign(lower=0.0), FOUR)


def test_the_only_arm_keeps_its_name(rng):
    table = response(rng)
    found = fit_biomarker(table[table['arm'] == 'treated'], FOUR).contrasts
    assert set(found['arm']) == {'treated'}
    assert (found['n'] == 12).all()


def test_without_a_control_no_arms_are_compared(rng):
    design = design_of(['a', 'b'], ['pre', 'post'], treated=('yoga', 'walking'))
    table = response(rng, design)
    found = fit_biomarker(table[table['arm'] != 'control'], design).contrasts
    assert set(found['arm']) == {'yoga', 'walking'}


def test_a_cell_without_samples_takes_its_contrasts_only(rng):
    """A waiting list that gives no sample after exercise still has its change at rest."""
    table = response(rng)
    found = fit_biomarker(
        table[(table['arm'] == 'treated') | table['sample'].str.endswith('pre')], FOUR
    ).contrasts
    control, difference = rows(found, 'control'), rows(found, 'difference', 'treated')
    for own in (control, difference):
        assert own.loc['resting_change', 'note'] == ''
        assert own['estimate'].isna().tolist() == [True, True, False, True]
        assert own.loc['acute_s7', 'note'] == 'control, s7, post: no sample'
        assert (
            own.loc['change_of_acute', 'note']
            == 'control, s42, post: no sample; control, s7, post: no sample'
        )
    assert rows(found, 'treated')['estimate'].notna().all()
    means = np.log(table['value']).groupby([table['arm'], table['sample']]).mean()
    wanted = (
        means['treated', 's42_pre']
        - means['treated', 's7_pre']
        - means['control', 's42_pre']
        + means['control', 's7_pre']
    )
    # people are balanced in what is left, so that generalised least squares are differences of means
    assert difference.loc['resting_change', 'estimate'] == pytest.approx(wanted, abs=1e-6)


def test_a_cell_below_its_limit_takes_its_contrasts_only(rng):
    table = response(rng)
    is_low = (table['arm'] == 'control') & (table['sample'] == 's7_post')
    found = fit_biomarker(table.assign(value=table['value'].mask(is_low, 1e-9), lower=1e-6), FOUR).contrasts
    note = rows(found, 'control').loc['acute_s7', 'note']
    assert note == 'control, s7, post: none of 12 samples is within the limits of detection'
    assert rows(found, 'control').loc['acute_s7', 'n_samples'] == 36
    assert rows(found, 'treated')['note'].eq('').all()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda t: t.assign(value=-t['value']), '0 or more'),
        (lambda t: t.assign(value=np.nan), 'every concentration is missing'),
        (lambda t: t.assign(arm=['control', 'treated'] * 48), 'both arms'),
        (lambda t: t.assign(sample=t['sample'].replace('s7_post', 's7_pre')), 'two samples of the same'),
        (lambda t: t.assign(value=1e-9), 'control, s7, pre: none of 12'),
        (lambda t: t[t['participant_id'] < 'sub-02'], 'no degree of freedom|do not determine'),
    ],
)
def test_tables_without_an_answer_are_refused(rng, change, message):
    with pytest.raises(DataError, match=message):
        fit_biomarker(change(response(rng)).assign(lower=1e-6), FOUR)


def test_lost_plasma_is_put_back(rng):
    """Blood loses water; a protein that stays in it has the same mass before and after."""
    plasma, cells, haemoglobin, protein = rng.uniform([2500, 1500, 500, 10], [3500, 2500, 900, 90], (20, 4)).T
    left = plasma * rng.uniform(0.8, 1.05, 20)
    volumes = plasma + cells, left + cells
    corrected = plasma_volume_correction(
        protein / left,
        *(haemoglobin / volume for volume in volumes),
        *(100 * cells / volume for volume in volumes),
    )
    # one formula inverted by another
    np.testing.assert_allclose(corrected, protein / plasma, rtol=1e-12)


@pytest.mark.parametrize(
    ('blood', 'message'),
    [((0.0, 14.0, 42.0, 43.0), 'haemoglobin'), ((14.0, 14.5, 0.42, 0.43), 'multiply fractions'), ((14.0, 14.5, 42.0, 120.0), 'percentage')],
)  # fmt: skip
def test_blood_counts_out_of_range_are_refused(blood, message):
    with pytest.raises(DataError, match=message):
        plasma_volume_correction(20.0, *blood)


def test_missing_blood_counts_stay_missing():
    found = plasma_volume_correction([20.0, 20.0], [14.0, np.nan], 14.5, 42.0, 43.0)
    assert np.isnan(found).tolist() == [False, True]
