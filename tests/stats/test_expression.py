"""Differential expression against R, PyDESeq2, plain linear algebra and planted truth."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydeseq2 import utils
from pydeseq2.default_inference import DefaultInference
from scipy import optimize, stats

from pipelines.errors import DataError
from pipelines.simulated.counts import (
    ASYMPTOTIC_DISPERSION,
    EXTRA_POISSON,
    NEUTROPHILS,
    simulate_counts,
)
from pipelines.stats.bordered import Information, split_design
from pipelines.stats.counts import check_counts, filter_counts, pair_samples
from pipelines.stats.deseq import fit_counts
from pipelines.stats.deseq_inference import GroupedInference
from pipelines.stats.expression import NOT_RANDOMISED, POST_RANDOMISATION, differential_expression
from pipelines.stats.expression_contrasts import change_column
from pipelines.stats.expression_design import paired_design
from pipelines.stats.shrinkage import prior_scale, shrink_coefficient
from tests.acceptance.studies import expression as study

REPOSITORY = Path(__file__).resolve().parents[2]
GOLDEN = REPOSITORY / 'tests' / 'golden'
ARMS = ('exercise', 'waitlist')
CHANGES = [change_column(arm, 'followup') for arm in ARMS]
DIFFERENCE, CHANGE = np.array([1.0, -1]), np.array([1.0, 0])


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(GOLDEN / name, sep='\t', index_col='gene_id')


def sheet(names: list[str]) -> pd.DataFrame:
    """Return the table of samples of names such as ex03_followup."""
    people = [name.split('_')[0] for name in names]
    return pd.DataFrame(
        {
            'sample_id': names,
            'participant_id': people,
            'arm': ['exercise' if who.startswith('ex') else 'waitlist' for who in people],
            'visit': [name.split('_')[1] for name in names],
        }
    )


@pytest.fixture(scope='module')
def paired() -> tuple[pd.DataFrame, pd.DataFrame]:
    counts = read('paired_counts.tsv')
    return counts, sheet(list(counts))


@pytest.fixture(scope='module')
def r() -> pd.DataFrame:
    return read('paired_deseq2.tsv')


@pytest.fixture(scope='module')
def design(paired) -> pd.DataFrame:
    counts, samples = paired
    return paired_design(samples)[0].loc[list(counts)]


@pytest.fixture(scope='module')
def analysed(paired):
    return differential_expression(*paired, arms=ARMS, reference='postRandomisation')


# --- against R ---------------------------------------------------------------------------------


def test_design_is_that_of_r(design):
    """One intercept per person; R's time and time of those who exercise are sums of the two changes."""
    assert design.shape == (22, 13)
    assert list(design.columns[-2:]) == CHANGES
    people = [name.split('_')[0] for name in design.index]
    for name, row in design.iterrows():
        who, visit = name.split('_')
        late = float(visit == 'followup')
        wanted = [
            *(float(who == other) for other in dict.fromkeys(people)),
            late * who.startswith('ex'),
            late * who.startswith('wl'),
        ]
        assert row.tolist() == wanted


def test_regression_and_wald_test_are_those_of_r(paired, design, r, analysed):
    """At R's dispersions nothing is left but rounding: eight digits were stored."""
    counts, _ = paired
    inference, disp = GroupedInference(), r['dispersion'].to_numpy()
    matrix, y = design.to_numpy(), counts.T.to_numpy()
    factors = analysed.fit.size_factors[design.index].to_numpy()
    beta, _, leverage, converged = inference.irls(y, factors, matrix, disp, 0.5, 1e-8)
    assert converged.all()
    assert np.allclose(leverage.sum(axis=0), 13, atol=1e-3)  # trace of a projection on 13 columns
    for weights, suffix in ((DIFFERENCE, ''), (CHANGE, '_change')):
        contrast = np.zeros(13)
        contrast[-2:] = weights
        mean = factors[:, None] * np.exp(matrix @ beta.T)
        p, stat, se = inference.wald_test(matrix, disp, beta, mean, np.diag(np.full(13, 1e-6)), contrast)
        # both stop at a relative change of the deviance of 1e-8: coefficients to some 2e-4
        np.testing.assert_allclose(beta @ contrast / np.log(2), r[f'log2FoldChange{suffix}'], atol=5e-4)
        # R weighs with means of at least 0.5, PyDESeq2 with the means themselves: one gene has smaller ones
        usual = (mean >= 0.5).all(axis=0)
        assert usual.sum() == 316
        np.testing.assert_allclose(se[usual] / np.log(2), r[f'lfcSE{suffix}'][usual], rtol=1e-4)
        if not suffix:
            np.testing.assert_allclose(stat[usual], r['stat'][usual], atol=1e-3)
            np.testing.assert_allclose(p[usual], r['pvalue'][usual], atol=1e-3)


def test_whole_analysis_is_close_to_r(analysed, r):
    table = analysed.table[analysed.table['contrast'] == 'difference'].set_index('gene_id').loc[r.index]
    np.testing.assert_allclose(table['baseMean'], r['baseMean'], rtol=1e-6)  # eight digits stored
    dispersions = analysed.fit.dispersions.loc[r.index]
    # trend and prior are fitted by other algorithms: few genes at the edge of the prior differ more
    error = np.abs(np.log(dispersions['final'] / r['dispersion']))
    assert error.median() < 1e-3
    assert error.max() < 0.1
    np.testing.assert_allclose(table['log2FoldChange'], r['log2FoldChange'], atol=2e-3)
    np.testing.assert_allclose(table['lfcSE'], r['lfcSE'], rtol=0.05)
    np.testing.assert_allclose(table['stat'], r['stat'], rtol=0.05, atol=2e-3)
    vst = analysed.fit.vst['ex00_reference'].loc[r.index]
    np.testing.assert_allclose(vst, r['vst_first'], atol=0.01)  # its trend is another fit as well


@pytest.mark.real
def test_pasilla_is_that_of_r(test_data):
    folder = test_data / 'rnaseq'
    counts = pd.read_csv(folder / 'pasilla_gene_counts.tsv', sep='\t', index_col=0)
    samples = pd.read_csv(folder / 'pasilla_sample_annotation.csv', index_col=0)
    samples.index = samples.index.str.removesuffix('fb')
    samples = samples.loc[counts.columns]
    counts = counts[counts.sum(axis=1) >= 10]
    assert len(counts) == 9921
    design = pd.DataFrame({'Intercept': 1.0}, index=counts.columns)
    design['type'] = (samples['type'] == 'single-read').astype(float)
    design['condition'] = (samples['condition'] == 'treated').astype(float)
    fit = fit_counts(counts, design, {'condition': np.array([0, 0, 1.0])})
    order = ['treated1', 'treated2', 'treated3', 'untreated1', 'untreated2', 'untreated3', 'untreated4']
    known = [1.63550136, 0.76121585, 0.83266034, 1.13833758, 1.79354064, 0.64948280, 0.75160047]
    np.testing.assert_allclose(fit.size_factors[order], known, rtol=1e-7)  # as many digits are stored

    theirs = read('pasilla_deseq2.tsv')
    table = fit.tables['condition'].loc[theirs.index]
    assert len(theirs) == 1343
    # the trend, which R fits by another algorithm, is part of every dispersion
    error = (table['log2FoldChange'] - theirs['log2FoldChange']).abs()
    away = (table['stat'] / theirs['stat'] - 1).abs()
    assert error.quantile(0.99) < 0.01
    assert error.max() < 0.06
    assert away.median() < 0.015
    assert away.quantile(0.99) < 0.045
    # at the edge of the prior a gene keeps its own dispersion in one and not in the other
    assert (away > 0.06).sum() <= 3
    np.testing.assert_allclose(table.at['FBgn0003360', 'log2FoldChange'], -3.12667, atol=1e-4)
    np.testing.assert_allclose(table.at['FBgn0003360', 'stat'], -28.6144, rtol=0.015)


# --- against PyDESeq2 and plain linear algebra ---------------------------------------------------


def random_design(rng, n_people=9, k=3):
    groups = np.kron(np.eye(n_people), np.ones((2, 1)))
    return np.hstack([groups, rng.standard_normal((2 * n_people, k))])


def test_eliminating_the_groups_changes_nothing(rng):
    matrix = random_design(rng)
    weights, values = rng.uniform(0.1, 5, (6, 18)), rng.standard_normal((6, 18))
    ridge = rng.uniform(0, 0.3, (6, 12))
    right = rng.standard_normal((6, 12))
    for array in (matrix, weights, values, ridge):
        array.setflags(write=False)
    equations = Information(split_design(matrix), weights, ridge)
    for i in range(6):
        full = matrix.T @ (weights[i][:, None] * matrix) + np.diag(ridge[i])
        # systems of 12 unknowns in double precision
        np.testing.assert_allclose(equations.solve(right)[i], np.linalg.solve(full, right[i]), rtol=1e-9)
        wanted = np.linalg.solve(full, matrix.T @ (weights[i] * values[i]))
        np.testing.assert_allclose(equations.regress(values)[i], wanted, rtol=1e-9, atol=1e-12)
        wanted = np.einsum('ni,ij,nj->n', matrix, np.linalg.inv(full), matrix)
        np.testing.assert_allclose(equations.quadratic()[i], wanted, rtol=1e-9)


def test_designs_without_groups_are_known(rng):
    assert split_design(rng.standard_normal((6, 3))) is None
    assert split_design(np.eye(4)[:, :2]) is None
    intercept = split_design(np.ones((5, 1)))
    assert intercept.groups.shape == (5, 1)
    assert intercept.rest.shape == (5, 0)
    assert Information(intercept, np.ones((1, 5))).regress(np.arange(5.0)[None]).tolist() == [[2]]


@pytest.fixture(scope='module')
def problem():
    """Counts of 40 genes, a paired design, size factors, means and dispersions."""
    rng = np.random.default_rng(5)
    matrix = random_design(rng, 10, 2)
    factors = rng.uniform(0.6, 1.6, 20)
    disp = rng.uniform(0.02, 0.5, 40)
    mean = factors * np.exp(rng.uniform(2, 7, (40, 1)) + 0.4 * rng.standard_normal((40, 12)) @ matrix.T)
    counts = rng.negative_binomial(1 / disp[:, None], 1 / (1 + mean * disp[:, None])).T
    return counts, matrix, factors, mean.T, disp


def test_regression_is_that_of_pydeseq2(problem):
    counts, matrix, factors, _, disp = problem
    settings = {'counts': counts, 'size_factors': factors, 'design_matrix': matrix, 'disp': disp}
    ours, theirs = (
        one.irls(**settings, min_mu=0.5, beta_tol=1e-8)
        for one in (GroupedInference(), DefaultInference(n_cpus=1))
    )
    # the same iterations in another order of sums
    for found, wanted in zip(ours[:3], theirs[:3]):
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)
    assert (ours[3] == theirs[3]).all()
    settings = {'counts': counts, 'size_factors': factors, 'design_matrix': matrix, 'min_mu': 0.5}
    np.testing.assert_allclose(
        GroupedInference().lin_reg_mu(**settings),
        DefaultInference(n_cpus=1).lin_reg_mu(**settings),
        rtol=1e-9,
    )


def test_wald_test_is_that_of_pydeseq2(problem):
    _, matrix, _, mean, disp = problem
    contrast = np.zeros(12)
    contrast[-2:] = 1, 0.5
    lfc = np.random.default_rng(1).standard_normal((40, 12))
    settings = {
        'design_matrix': matrix, 'disp': disp, 'lfc': lfc, 'mu': mean, 'contrast': contrast,
        'ridge_factor': np.diag(np.full(12, 1e-6)), 'lfc_null': 0.0, 'alt_hypothesis': None,
    }  # fmt: skip
    for found, wanted in zip(
        GroupedInference().wald_test(**settings), DefaultInference(n_cpus=1).wald_test(**settings)
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-8)
    settings |= {'alt_hypothesis': 'greater', 'lfc_null': np.log(2)}
    for found, wanted in zip(
        GroupedInference().wald_test(**settings), DefaultInference(n_cpus=1).wald_test(**settings)
    ):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize('variance', [None, 0.5])
def test_dispersion_is_the_minimum_of_the_likelihood(problem, variance):
    """A grid of 0.001 in the logarithm, with PyDESeq2's likelihood, finds nothing lower."""
    counts, matrix, _, mean, _ = problem
    start = np.full(40, 0.1)
    prior = {} if variance is None else {'prior_disp_var': variance, 'prior_reg': True}
    found, converged = GroupedInference().alpha_mle(counts, matrix, mean, start, 1e-8, 20.0, **prior)
    assert converged.all()

    def loss(gene, log_alpha):
        weights = mean[:, gene] / (1 + mean[:, gene] * np.exp(log_alpha))
        adjusted = np.linalg.slogdet((matrix.T * weights) @ matrix)[1] / 2
        penalty = 0 if variance is None else (log_alpha - np.log(0.1)) ** 2 / (2 * variance)
        return utils.nb_nll(counts[:, gene], mean[:, gene], np.exp(log_alpha)) + adjusted + penalty

    for gene in range(40):
        at = np.log(found[gene])
        if found[gene] < 1e-6:
            assert loss(gene, at) <= loss(gene, at + 0.5) + 1e-6
            continue
        # a minimum to 1e-6 of its place is one to 1e-10 of its value; rounding of sums of 20 terms is less
        assert loss(gene, at) <= min(loss(gene, at + step) for step in (-1, -0.001, 0.001, 1)) + 1e-9


def test_genes_below_poisson_stay_where_they_start():
    """The likelihood is flat there; PyDESeq2 leaves them at the smallest dispersion too."""
    rng = np.random.default_rng(8)
    matrix, mean = random_design(rng, 6, 1), np.full((12, 30), 50.0)
    counts = rng.poisson(mean)
    settings = (counts, matrix, mean, np.full(30, 1e-8), 1e-8, 12.0)
    ours, theirs = (
        GroupedInference().alpha_mle(*settings)[0],
        DefaultInference(n_cpus=1).alpha_mle(*settings)[0],
    )
    np.testing.assert_allclose(ours, 1e-8, rtol=1e-12)
    np.testing.assert_allclose(theirs, 1e-8, rtol=1e-2)


def test_shrunken_coefficients_are_modes(problem):
    """The objective of PyDESeq2 is never lower at its own solution, and that is near."""
    counts, matrix, factors, _, disp = problem
    scale = 0.3
    found = shrink_coefficient(counts, matrix, 10, size_factors=factors, dispersions=disp, scale=scale)
    theirs, _, _ = DefaultInference(n_cpus=1).lfc_shrink_nbinom_glm(
        matrix, counts, 1 / disp, np.log(factors), 15, scale, 'L-BFGS-B', 10
    )
    # PyDESeq2 stops when a step gains less than 1e-8 of its scaled objective: 0.01 of a coefficient of 0.5
    np.testing.assert_allclose(found, theirs[:, 10], atol=0.02)
    free, _, _, _ = DefaultInference(n_cpus=1).irls(counts, factors, matrix, disp, 0.5, 1e-8)
    # between zero and the maximum of the likelihood, but for the weak prior of the intercepts
    assert (np.abs(found) < np.abs(free[:, 10]) + 3e-3).all()
    wide = shrink_coefficient(counts, matrix, 10, size_factors=factors, dispersions=disp, scale=1e4)
    # the maximum of the likelihood, but intercepts of 5 with a variance of up to 0.25 (two samples of a
    # dispersion of 0.5) are drawn by 0.25 x 5 / 15^2 = 0.006, and the coefficient with them
    np.testing.assert_allclose(wide, free[:, 10], atol=0.02)


def test_shrunken_coefficient_has_no_slope(problem):
    """Profile of the posterior over the coefficient, others optimised: the mode is its maximum."""
    counts, matrix, factors, _, disp = problem
    at = shrink_coefficient(counts[:, :3], matrix, 10, size_factors=factors, dispersions=disp[:3], scale=0.3)

    def profile(gene, value):
        others = np.delete(np.arange(12), 10)

        def objective(beta):
            full = np.insert(beta, 10, value)
            return utils.nbinomFn(full, matrix, counts[:, gene], 1 / disp[gene], np.log(factors), 15, 0.3, 10)

        start = np.append(np.log(counts[:, gene].reshape(10, 2).mean(axis=1) + 0.1), 0)
        return optimize.minimize(objective, start[: len(others)], method='BFGS', options={'gtol': 1e-7}).fun

    for gene in range(3):
        middle = profile(gene, at[gene])
        assert middle < min(profile(gene, at[gene] - 0.02), profile(gene, at[gene] + 0.02))


def test_only_coefficients_beside_the_intercepts_are_shrunk(problem):
    counts, matrix, factors, _, disp = problem
    for index in (0, 9, 12):
        with pytest.raises(ValueError, match=f'column {index} '):
            shrink_coefficient(counts, matrix, index, size_factors=factors, dispersions=disp, scale=1)


def test_prior_follows_the_spread_of_the_estimates(rng):
    se = rng.uniform(0.1, 0.3, 20_000)
    estimate = rng.normal(0, 0.5, 20_000) + se * rng.standard_normal(20_000)
    # sampling error of a standard deviation from 20,000 numbers is 0.5 %
    assert prior_scale(np.append(estimate, np.nan), np.append(se, 1)) == pytest.approx(0.5, rel=0.03)
    assert prior_scale(10 * estimate, se) == 1
    assert prior_scale(1e4 * estimate, se) == 1


# --- contrasts, labels and designs ----------------------------------------------------------------


def test_difference_is_the_difference_of_changes(analysed):
    wide = analysed.table.pivot(index='gene_id', columns='contrast', values='log2FoldChange')
    np.testing.assert_allclose(
        wide['difference'], wide['change_treatment'] - wide['change_control'], atol=1e-12
    )


def test_tables_are_labelled(analysed, r):
    table = analysed.table
    assert table.columns[2:8].tolist() == ['baseMean', 'log2FoldChange', 'lfcSE', 'stat', 'F', 'df']
    names = ['difference', 'change_treatment', 'change_control', 'any_change']
    assert list(dict.fromkeys(table['contrast'])) == analysed.contrasts['contrast'].tolist() == names
    assert len(table) == 4 * len(r)
    flags = table.groupby('contrast')['flags'].unique().str.join(' ')
    assert flags['difference'] == POST_RANDOMISATION
    assert set(flags[names[1:]]) == {NOT_RANDOMISED}
    assert analysed.n_pairs == {'exercise': 6, 'waitlist': 5}
    assert 'baseline' not in table.to_csv() + ' '.join(analysed.flags)
    single = table[table['contrast'] != 'any_change']
    assert (single['log2FoldChange_shrunk'].abs() <= single['log2FoldChange'].abs() + 1e-3).all()
    assert (
        table.loc[table['contrast'] == 'any_change', ['log2FoldChange', 'lfcSE', 'stat']]
        .isna()
        .all(axis=None)
    )


def test_nothing_is_said_of_a_randomisation_where_it_is_not_so(paired):
    found = differential_expression(*paired, arms=ARMS, reference='baseline')
    assert found.flags == [NOT_RANDOMISED]
    assert 'post_randomisation' not in found.table.to_csv() + found.contrasts.to_csv()
    assert set(found.table.loc[found.table['contrast'] == 'difference', 'flags']) == {''}


def test_the_best_gene_alone_is_called_from_the_f_that_is_told(analysed):
    """Benjamini and Hochberg: the smallest of m p values is called alone where it is at most 0.1 / m."""
    for row in analysed.contrasts.itertuples():
        own = analysed.table[analysed.table['contrast'] == row.contrast]
        best = own.loc[own['pvalue'].idxmin()]
        assert row.n_genes == len(own) == 317
        at = stats.f.sf(row.f_needed, best['df'], best['df_residual'])
        np.testing.assert_allclose(at * len(own), 0.1, rtol=1e-9)
        assert row.f_largest == own['F'].max()
        assert own.set_index('gene_id').loc[row.gene_id, 'F'] == row.f_largest
        assert row.n_called == (own['padj'] < 0.1).sum()
        np.testing.assert_allclose(own['padj'], stats.false_discovery_control(own['pvalue']))


def test_f_of_several_changes_has_their_number(analysed):
    wide = analysed.table.pivot(index='gene_id', columns='contrast', values='F')
    df = analysed.contrasts.set_index('contrast')['df']
    assert df.to_dict() == {'difference': 1, 'change_treatment': 1, 'change_control': 1, 'any_change': 2}
    # the two changes share no sample, so that deviances add up but for the moderation they share
    both = (wide['change_treatment'] + wide['change_control']) / 2
    np.testing.assert_allclose(wide['any_change'], both, rtol=1e-6, atol=1e-7)


def test_one_arm_has_its_change_only(paired):
    counts, samples = paired
    for arm, name in (('exercise', 'change_treatment'), ('waitlist', 'change_control')):
        own = samples[samples['arm'] == arm]
        found = differential_expression(counts[own['sample_id']], own, arms=ARMS)
        assert found.table['contrast'].unique().tolist() == [name]
        assert found.flags == [NOT_RANDOMISED]
        assert found.design.shape[1] == found.n_pairs[arm] + 1


def test_order_of_the_tables_does_not_matter(paired, analysed, rng):
    counts, samples = paired
    mixed = counts.iloc[:, rng.permutation(counts.shape[1])]
    again = differential_expression(
        mixed, samples.sample(frac=1, random_state=1), arms=ARMS, reference='postRandomisation'
    )
    pd.testing.assert_frame_equal(again.table, analysed.table)


def test_inputs_are_left_alone(paired):
    counts, samples = (table.copy() for table in paired)
    before = counts.copy(), samples.copy()
    differential_expression(counts, samples, arms=ARMS)
    for table, old in zip((counts, samples), before):
        pd.testing.assert_frame_equal(table, old)


def test_covariates_of_a_person_drop_out(paired, rng):
    counts, samples = paired
    age = samples['participant_id'].map(
        {who: 40.0 + i for i, who in enumerate(samples['participant_id'].unique())}
    )
    rich = samples.assign(age=age, quality=rng.uniform(6, 9, 22), batch=rng.choice(['a', 'b', 'c'], 22))
    found = differential_expression(counts, rich, arms=ARMS, covariates=['age', 'quality', 'batch'])
    assert 'dropped:age' in found.flags
    assert found.design.columns[-3:].tolist() == ['quality', 'batch[b]', 'batch[c]']
    np.testing.assert_allclose(found.design['quality'].std(), 1)


def test_unit_of_a_covariate_does_not_matter(paired, rng):
    counts, samples = paired
    quality = rng.uniform(6, 9, 22)
    small, large = (
        differential_expression(
            counts, samples.assign(quality=quality * unit), arms=ARMS, covariates=['quality']
        )
        for unit in (1e-6, 1e6)
    )
    # standardised numbers differ in the last digits, which the last step of an iteration may enlarge
    np.testing.assert_allclose(small.table['log2FoldChange'], large.table['log2FoldChange'], atol=1e-7)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda s: s.assign(x=(s['visit'] == 'followup') * 3.0), 'covariate x repeats the visits'),
        (lambda s: s.assign(x=np.where(s['participant_id'] == 'wl06', np.nan, np.arange(22.0) ** 2)), None),
        (
            lambda s: s.assign(arm=s['arm'].replace({'exercise': 'yoga'})),
            'arm yoga of the samples is none of exercise, waitlist',
        ),
    ],
)
def test_designs_that_cannot_be_fitted_are_named(paired, change, message):
    counts, samples = paired
    samples = change(samples)
    covariates = ['x'] if 'x' in samples else []
    if message is None:
        found = differential_expression(counts, samples, arms=ARMS, covariates=covariates)
        assert found.n_pairs == {'exercise': 6, 'waitlist': 4}
        assert set(found.excluded['reason']) == {'x missing'}
        assert not found.design.index.str.startswith('wl06').any()
        return
    with pytest.raises(DataError, match=message):
        differential_expression(counts, samples, arms=ARMS, covariates=covariates)


def test_too_few_pairs_or_reads_are_named(paired):
    counts, samples = paired
    few = samples[(samples['arm'] == 'exercise') | samples['participant_id'].eq('wl06')]
    with pytest.raises(DataError, match='arm waitlist: 1 people with a sample of reference'):
        differential_expression(counts[few['sample_id']], few, arms=ARMS)
    with pytest.raises(DataError, match='none of 317 genes has 10 reads in 5 samples'):
        differential_expression(counts.clip(upper=9), samples, arms=ARMS)
    two = samples[samples['participant_id'].isin(['ex00', 'ex01', 'wl06', 'wl07'])]
    columns = {f'x{i}': np.random.default_rng(i).standard_normal(8) for i in range(2)}
    with pytest.raises(DataError, match='8 samples cannot support 8 coefficients'):
        differential_expression(
            counts[two['sample_id']], two.assign(**columns), arms=ARMS, covariates=list(columns)
        )


# --- tables of counts and samples -------------------------------------------------------------------


def small() -> tuple[pd.DataFrame, pd.DataFrame]:
    names = [f'{who}_{visit}' for who in ('ex1', 'wl2') for visit in ('reference', 'followup')]
    counts = pd.DataFrame(np.arange(12).reshape(3, 4) + 5, index=['IL6', 'TNF', 'null'], columns=names)
    return counts, sheet(names)


def put(table: pd.DataFrame, row, column, value) -> pd.DataFrame:
    table = table.astype(object)
    table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda c, s: (put(c, 'TNF', 'ex1_followup', 2.5), s), 'gene TNF, sample ex1_followup: 2.5 is no count'),
        (lambda c, s: (put(c, 'TNF', 'ex1_followup', -1), s), 'gene TNF, sample ex1_followup: -1 is no count'),
        (lambda c, s: (put(c, 'null', 'wl2_reference', np.nan), s), 'gene null, sample wl2_reference: nan'),
        (lambda c, s: (put(c, 'IL6', 'wl2_reference', 'many'), s), 'gene IL6, sample wl2_reference: many'),
        (lambda c, s: (c.rename(index={'TNF': 'IL6'}), s), 'gene IL6 occurs more than once'),
        (lambda c, s: (c.set_axis([*c.columns[:3], 'ex1_reference'], axis=1), s), 'sample ex1_reference occurs more'),
        (lambda c, s: (c.drop(columns='ex1_followup'), s), 'ex1_followup: in the table of samples, not in the counts'),
        (lambda c, s: (c, s.iloc[1:]), 'ex1_reference: in the counts, not in the table of samples'),
        (lambda c, s: (c.assign(ex1_followup=0), s), 'sample ex1_followup has no reads'),
        (lambda c, s: (c.assign(ex1_followup=7), s), 'sample ex1_followup has 7 reads of every gene'),
        (lambda c, s: (c, put(s, 2, 'participant_id', None)), 'sample wl2_reference has no participant_id'),
        (lambda c, s: (c, put(s, 2, 'arm', '')), 'sample wl2_reference has no arm'),
        (lambda c, s: (c, s.drop(columns='arm')), 'no column arm'),
        (lambda c, s: (c, put(s, 2, 'visit', 'baseline')), 'visit baseline is none of reference, followup'),
        (lambda c, s: (c, put(s, 1, 'visit', 'reference')), 'participant ex1 has 2 samples of reference'),
        (lambda c, s: (c, put(s, 1, 'arm', 'waitlist')), 'participant ex1 is in two arms: exercise, waitlist'),
        (lambda c, s: (c, pd.concat([s, s.iloc[[0]]])), 'sample ex1_reference has more than one row'),
    ],
)  # fmt: skip
def test_faults_of_the_tables_are_named(change, message):
    with pytest.raises(DataError, match=message):
        check_counts(*change(*small()))


def test_whole_numbers_of_any_type_are_counts():
    counts, samples = small()
    assert check_counts(counts.astype(float), samples) is None
    assert check_counts(counts.astype(str), samples) is None


def test_people_without_a_pair_are_listed():
    _, samples = small()
    quality = samples.assign(quality=[7.0, np.nan, 8, 8])
    pairs = pair_samples(quality.drop(index=2), ['quality'])
    assert pairs.paired.empty
    assert pairs.excluded.to_numpy().tolist() == [
        ['ex1', 'ex1_reference', 'quality missing'],
        ['ex1', 'ex1_followup', 'quality missing'],
        ['wl2', 'wl2_followup', 'no reference sample'],
    ]
    assert pair_samples(samples).excluded.empty
    with pytest.raises(DataError, match='covariate ring is no column'):
        pair_samples(quality, ['ring'])


def test_filter_counts_at_its_edges():
    counts = pd.DataFrame([[10, 10, 9], [9, 9, 99], [0, 10, 10]], index=list('abc'))
    assert filter_counts(counts, 2).index.tolist() == ['a', 'c']
    assert filter_counts(counts, 3).empty


# --- simulated counts ---------------------------------------------------------------------------------


def test_simulated_counts_have_the_planted_moments():
    drawn = simulate_counts(np.random.default_rng(3), n_genes=1500, n_changed=100, n_pathways=5)
    assert drawn.counts.shape == (1500, 114)
    assert drawn.treated.sum() == 58
    assert len(np.unique(drawn.pathways)) == 200
    changed = drawn.effect != 0
    assert changed.sum() == 140
    assert (drawn.effect[drawn.pathways[0]] == 0.4).all()
    assert np.abs(drawn.effect[changed]).min() >= 0.4
    assert np.abs(drawn.effect).max() <= 1.2
    levels = np.log2(drawn.counts / np.exp(np.log(drawn.counts + 1).mean(axis=0)) + 0.01)
    change = levels[:, 1::2] - levels[:, ::2]
    strong = drawn.counts.mean(axis=1) > 100
    observed = change[:, :29].mean(axis=1) - change[:, 29:].mean(axis=1)
    slope = np.polyfit(drawn.effect[strong], observed[strong], 1)[0]
    # some 100 changed genes with an error of 0.15 each about effects of SD 0.3: 0.05
    assert slope == pytest.approx(1, abs=0.2)
    rise = np.diff(drawn.neutrophils.reshape(-1, 2), axis=1)[:, 0]
    assert drawn.neutrophils.mean() == pytest.approx(NEUTROPHILS, abs=0.04)
    assert rise[:29].mean() - rise[29:].mean() == pytest.approx(0.03, abs=0.06)  # three SE of .019


def test_simulated_dispersion_follows_its_trend():
    """Two samples of a person differ by Poisson noise and dispersion, after batch, cells and library."""
    drawn = simulate_counts(np.random.default_rng(4), n_people=60, n_genes=600, n_changed=0, n_pathways=1)
    same = np.flatnonzero(drawn.batch[::2] == drawn.batch[1::2])
    first, second = drawn.counts[:, ::2][:, same], drawn.counts[:, 1::2][:, same]
    ratio = np.log((first + 0.5) / (second + 0.5))
    ratio -= np.median(ratio, axis=0)
    mean = drawn.counts.mean(axis=1)
    strong = mean > 300
    variance = np.median(ratio[strong].var(axis=1, ddof=1))
    expected = 2 * (ASYMPTOTIC_DISPERSION + (EXTRA_POISSON + 1) / np.median(mean[strong]))
    # cells add (1.5 x 0.07)^2 = 0.011 in two genes of five; the trend has a lognormal spread of 0.4
    assert expected * 0.8 < variance < expected * 1.4


def test_simulated_counts_repeat_with_their_seed():
    a, b = (simulate_counts(np.random.default_rng(9), n_people=4, n_treated=2, n_genes=90, n_changed=5, n_pathways=1)
            for _ in range(2))  # fmt: skip
    assert (a.counts == b.counts).all()
    with pytest.raises(ValueError, match='exceed 90 genes'):
        simulate_counts(np.random.default_rng(9), n_genes=90)


# --- recovery of planted expression -------------------------------------------------------------------


def test_recorded_discoveries_are_true():
    recorded = pd.read_csv(GOLDEN / 'expression_recovery.tsv', sep='\t')
    assert len(recorded) == study.N_TRIALS
    assert (recorded['n_genes'] > 11_000).all()
    # level 0.1; standard error of the mean of 20 proportions is 0.005
    assert recorded['false_discovery_proportion'].mean() <= 0.12
    # 11,000 null genes that share samples: 0.002 between trials
    assert recorded['null_below_05'].between(0.04, 0.06).all()
    assert recorded['sensitivity'].mean() > 0.65
    assert (recorded['pathway_rank'] == 1).all()


def test_a_small_trial_repeats():
    found = study.trial(100, n_genes=1200)
    assert found['n_called'] > 20
    assert found['pathway_rank'] == 1
    # one trial of some 45 calls: three standard errors above 0.1
    assert found['false_discovery_proportion'] < 0.25
