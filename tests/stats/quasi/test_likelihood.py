"""Quasi-likelihood F tests against edgeR, its laws, and planted truth."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipelines.simulated.counts import simulate_counts
from pipelines.stats.bordered import split_design
from pipelines.stats.counts import kept_genes
from pipelines.stats.deseq import fit_counts
from pipelines.stats.quasi.likelihood import FTest, QuasiFit, f_test, fit_quasi, needed_f
from pipelines.stats.quasi.regression import abundance, fit_means, unit_deviance

GOLDEN = Path(__file__).resolve().parents[2] / 'golden'
SIZES = (3, 4, 6, 12, 28)
CALLED = {3: (5525, 1137), 4: (5507, 1091), 6: (2844, 413), 12: (2856, 616), 28: (2848, 748)}
"""Genes tested, and called by edgeR at q < .1."""

GENES_WHOLE = {3: 6000, 4: 6000, 6: 3000, 12: 3000, 28: 3000}
"""Simulated for the whole analysis: size factors of few genes are too noisy to compare F of few pairs."""

SEED, THINNED = 19, 0.35


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(GOLDEN / name, sep='\t', na_values='n/a')


def pairs_design(n: int, names) -> np.ndarray:
    """Return a column per pair, time and, of six pairs or more, time of those who exercise."""
    late = np.tile([[0.0], [1]], (n, 1))
    columns = [np.kron(np.eye(n), np.ones((2, 1))), late]
    if n >= 6:
        columns.append(late * np.array([[name.startswith('ex')] for name in names]))
    return np.hstack(columns)


def alternating(n_genes: int) -> pd.DataFrame:
    """Return counts of 28 pairs of which one exercises, the next does not."""
    rng = np.random.default_rng(SEED)
    drawn = simulate_counts(
        rng, n_people=28, n_treated=14, n_genes=n_genes, n_changed=n_genes // 10, n_pathways=1
    )
    people = np.arange(28).reshape(2, 14).T.ravel()
    order = (2 * people[:, None] + [0, 1]).ravel()
    names = [
        f'{"ex" if drawn.treated[k] else "wl"}{place // 2:02d}_{"followup" if drawn.followup[k] else "reference"}'
        for place, k in enumerate(order)
    ]
    genes = [f'gene{number:04d}' for number in range(n_genes)]
    return pd.DataFrame(drawn.counts[:, order], genes, names)


def changed(n: int) -> pd.DataFrame:
    """Return counts of n pairs with two reads of three lost in every fifth gene, after or before.

    In all of fewer than six pairs, else in those that exercise: what the last coefficient is about.
    """
    y, rng = alternating(GENES_WHOLE[n]).iloc[:, : 2 * n], np.random.default_rng(SEED)
    for place, name in enumerate(y.columns):
        if n < 6 or name.startswith('ex'):
            rows = slice(0 if name.endswith('followup') else 5, None, 10)
            y.iloc[rows, place] = rng.binomial(y.iloc[rows, place], THINNED)
    return kept_genes(y, {'smaller': n if n < 6 else n // 2})


@pytest.fixture(scope='module')
def counts() -> pd.DataFrame:
    return read('pairs_counts.tsv').set_index('gene_id')


class Pairs:
    """What edgeR found of some pairs, and what we do with its dispersions and offsets."""

    def __init__(self, counts: pd.DataFrame, n: int) -> None:
        table, libraries = read('pairs_edger.tsv'), read('pairs_libraries.tsv')
        self.theirs = table[table['pairs'] == n].set_index('gene_id')
        self.counts = counts.loc[self.theirs.index].iloc[:, : 2 * n]
        own = libraries[libraries['pairs'] == n].set_index('sample_id')['library']
        self.offset = np.log(own[self.counts.columns].to_numpy())
        self.design = pairs_design(n, self.counts.columns)

    @property
    def y(self) -> np.ndarray:
        return self.counts.to_numpy(float)

    @property
    def dispersion(self) -> np.ndarray:
        return self.theirs['dispersion'].to_numpy()

    def fit(self) -> QuasiFit:
        level = self.theirs['abundance'].to_numpy()
        return fit_quasi(self.y, self.design, offset=self.offset, dispersion=self.dispersion, level=level)


def test_the_committed_counts_are_those_of_the_simulation(counts):
    drawn = alternating(420)
    pd.testing.assert_frame_equal(drawn.loc[counts.index], counts, check_names=False)


@pytest.mark.parametrize('n', SIZES)
def test_f_and_prior_df_are_those_of_edger(counts, n):
    """With its dispersions, offsets and levels; seven digits were stored."""
    pairs = Pairs(counts, n)
    fit, theirs = pairs.fit(), pairs.theirs
    assert fit.df.tolist() == theirs['df_residual'].tolist()
    prior, wanted = fit.moderated.df_prior, theirs['df_prior'].to_numpy()
    np.testing.assert_array_equal(np.isinf(prior), np.isinf(wanted))
    np.testing.assert_allclose(prior, wanted, rtol=1e-3)
    found = f_test(fit, np.eye(pairs.design.shape[1])[-1])
    np.testing.assert_allclose(found.f, theirs['F_last'], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(np.log(found.p), np.log(theirs['p_last']), atol=2e-3)
    assert found.df == 1


def test_both_kinds_of_prior_are_among_the_pairs(counts):
    """Of three pairs the trend is worth infinitely much but for outlying genes, of more it is not."""
    three, many = (Pairs(counts, n).theirs['df_prior'] for n in (3, 12))
    assert np.isinf(three).mean() > 0.8
    assert np.isfinite(three).sum() > 3
    assert np.isfinite(many).all()
    assert many.min() < many.median()
    assert (Pairs(counts, 12).theirs['df_residual'] < 10).sum() == 4  # genes with pairs fitted as zero


@pytest.mark.parametrize('n', SIZES[2:])
def test_f_of_two_degrees_of_freedom_is_that_of_edger(counts, n):
    pairs = Pairs(counts, n)
    found = f_test(pairs.fit(), np.eye(pairs.design.shape[1])[:, -2:])
    assert found.df == 2
    np.testing.assert_allclose(found.f, pairs.theirs['F_any'], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(np.log(found.p), np.log(pairs.theirs['p_any']), atol=2e-3)


@pytest.mark.parametrize('n', SIZES)
def test_levels_are_those_of_edger(counts, n):
    """It takes one dispersion for all genes here: levels of genes whose samples differ most move by some hundredths."""
    pairs = Pairs(counts, n)
    found = abundance(pairs.y, pairs.offset, pairs.dispersion)
    assert np.abs(found - pairs.theirs['abundance']).max() < 0.1
    common = abundance(pairs.y, pairs.offset, np.full(len(pairs.y), np.median(pairs.dispersion)))
    assert np.abs(common - pairs.theirs['abundance']).median() < 0.01


@pytest.mark.parametrize('n', SIZES)
def test_the_whole_analysis_calls_what_edger_calls(n):
    """Own size factors and trend in place of TMM and a local trend."""
    y = changed(n)
    design = pairs_design(n, y.columns)
    contrast = np.eye(design.shape[1])[-1]
    found = whole(y, design, contrast)
    recorded = read('pairs_edger_whole.tsv')
    own = recorded[recorded['pairs'] == n].set_index('gene_id')['F']
    f = pd.Series(found.f, y.index)[own.index]
    assert stats.spearmanr(f, own)[0] >= 0.99
    n_genes, n_called = CALLED[n]
    assert len(y) == n_genes
    called = int((stats.false_discovery_control(found.p) < 0.1).sum())
    assert abs(called - n_called) <= 0.1 * n_called


def whole(counts: pd.DataFrame, design: np.ndarray, contrast: np.ndarray) -> FTest:
    fit = fit_counts(counts, pd.DataFrame(design, counts.columns), {})
    offset = np.log(fit.size_factors[counts.columns].to_numpy())
    trend = fit.dispersions['trend'].to_numpy()
    return f_test(fit_quasi(counts.to_numpy(float), design, offset=offset, dispersion=trend), contrast)


@pytest.mark.real
class TestPasilla:
    """Seven samples of flies; every third gene with 10 reads in three samples."""

    LIBRARIES = (4785905, 7382238, 2707425, 3121068, 6790399, 3149652, 3431724)
    """Sizes times TMM."""

    @pytest.fixture(scope='class')
    def theirs(self):
        return read('pasilla_edger.tsv').set_index('gene_id')

    @pytest.fixture(scope='class')
    def y(self, test_data, theirs):
        table = pd.read_csv(test_data / 'rnaseq' / 'pasilla_gene_counts.tsv', sep='\t', index_col=0)
        return table.loc[theirs.index]

    @pytest.fixture(scope='class')
    def design(self, test_data, y):
        samples = pd.read_csv(test_data / 'rnaseq' / 'pasilla_sample_annotation.csv', index_col=0)
        samples = samples.set_axis(samples.index.str.removesuffix('fb')).loc[y.columns]
        single, treated = samples['type'] == 'single-read', samples['condition'] == 'treated'
        return np.column_stack([np.ones(7), single, treated])

    def test_f_and_prior_df_are_those_of_edger(self, y, design, theirs):
        offset, level = np.log(self.LIBRARIES), theirs['abundance'].to_numpy()
        dispersion = theirs['dispersion'].to_numpy()
        fit = fit_quasi(y.to_numpy(float), design, offset=offset, dispersion=dispersion, level=level)
        assert fit.df.tolist() == theirs['df_residual'].tolist()
        np.testing.assert_allclose(fit.moderated.df_prior, theirs['df_prior'], rtol=1e-3)
        for contrast, name in ((np.eye(3)[2], 'F_last'), (np.eye(3)[:, 1:], 'F_any')):
            np.testing.assert_allclose(f_test(fit, contrast).f, theirs[name], rtol=1e-3, atol=1e-5)

    def test_the_whole_analysis_calls_what_edger_calls(self, y, design, theirs):
        for contrast, name in ((np.eye(3)[2], 'last'), (np.eye(3)[:, 1:], 'any')):
            found = whole(y, design, contrast)
            assert stats.spearmanr(found.f, theirs[f'F_{name}'])[0] >= 0.99
            ours, edger = (stats.false_discovery_control(p) < 0.1 for p in (found.p, theirs[f'p_{name}']))
            assert abs(ours.sum() - edger.sum()) <= 0.1 * edger.sum()
            assert (ours & edger).sum() >= 0.9 * edger.sum()


# --- laws ------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def six(counts) -> Pairs:
    return Pairs(counts, 6)


def test_f_does_not_know_how_a_contrast_is_written(six):
    fit, identity = six.fit(), np.eye(six.design.shape[1])
    both = f_test(fit, identity[:, -2:])
    turned = f_test(fit, identity[:, -2:] @ [[1, 1, 2], [1, -1, 0]])
    assert turned.df == both.df == 2
    # deviances are minimised to 1e-9 of themselves
    np.testing.assert_allclose(turned.f, both.f, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        f_test(fit, -3 * identity[-1]).f, f_test(fit, identity[-1]).f, rtol=1e-5, atol=1e-6
    )


def test_depth_may_be_in_any_unit(six):
    settings = {'dispersion': six.dispersion, 'level': six.theirs['abundance'].to_numpy()}
    small, large = (fit_quasi(six.y, six.design, offset=six.offset + by, **settings) for by in (-9, 3))
    # as above
    np.testing.assert_allclose(small.deviance, large.deviance, rtol=1e-6)


def test_inputs_are_left_alone(six):
    arrays = [six.y, six.design.copy(), six.offset.copy(), six.dispersion.copy()]
    for array in arrays:
        array.setflags(write=False)
    fit = fit_quasi(arrays[0], arrays[1], offset=arrays[2], dispersion=arrays[3])
    assert (f_test(fit, np.eye(8)[-1]).p <= 1).all()


def test_contrasts_that_test_nothing_are_refused(six):
    fit = six.fit()
    with pytest.raises(ValueError, match='of intercepts'):
        f_test(fit, np.eye(8)[0])
    with pytest.raises(ValueError, match='tests nothing'):
        f_test(fit, np.zeros(8))
    with pytest.raises(ValueError, match='neither an intercept'):
        fit_quasi(
            six.y, np.random.default_rng(1).normal(size=(12, 2)), offset=six.offset, dispersion=six.dispersion
        )


def test_p_is_uniform_where_nothing_changes():
    """20 degrees of freedom, Poisson-gamma counts with a quasi-dispersion of 1 and a common dispersion."""
    rng, n = np.random.default_rng(4), 12
    design = np.hstack([np.kron(np.eye(n), np.ones((2, 1))), np.tile([[0.0], [1]], (n, 1))])
    mean = np.exp(rng.uniform(3, 6, (3000, 1)) + 0.3 * rng.normal(size=(3000, n)) @ design[:, :n].T)
    y = rng.poisson(rng.gamma(1 / 0.1, 0.1 * mean)).astype(float)
    fit = fit_quasi(y, design, offset=np.zeros(2 * n), dispersion=np.full(3000, 0.1))
    found = f_test(fit, np.eye(n + 1)[-1])
    # the trend is worth much, for all genes have the same dispersion
    assert np.median(fit.moderated.df_prior) > 50
    # standard error of a share of 5 % among 3,000 is 0.4 %
    assert abs((found.p < 0.05).mean() - 0.05) < 0.015
    assert stats.kstest(found.p, 'uniform').statistic < 0.03


def test_f_on_one_degree_of_freedom_is_near_t_squared_of_logs():
    """Large counts with a small dispersion are lognormal: the paired t test, but for moderation."""
    rng, n = np.random.default_rng(6), 10
    design = np.hstack([np.kron(np.eye(n), np.ones((2, 1))), np.tile([[0.0], [1]], (n, 1))])
    y = np.round(np.exp(11 + 0.05 * rng.normal(size=(400, 2 * n))))
    fit = fit_quasi(y, design, offset=np.zeros(2 * n), dispersion=np.full(400, 0.0025))
    log = np.log(y)
    change = log[:, 1::2] - log[:, ::2]
    s2, prior = change.var(axis=1, ddof=1) / 2, fit.moderated
    posterior = (prior.df_prior * prior.trend * 0.0025 + fit.df * s2) / (prior.df_prior + fit.df)
    if np.isinf(prior.df_prior).any():
        posterior = np.where(np.isinf(prior.df_prior), prior.trend * 0.0025, posterior)
    t2 = change.mean(axis=1) ** 2 / (2 * posterior / n)
    # the deviance is quadratic in the logs but for terms of the order of 0.05
    np.testing.assert_allclose(f_test(fit, np.eye(n + 1)[-1]).f, t2, rtol=0.1, atol=0.02)


def test_deviance_is_a_minimum(six):
    """No step along any coefficient lowers it."""
    means = fit_means(six.y, split_design(six.design), six.offset, six.dispersion)
    fit = six.fit()
    for column in six.design.T:
        for step in (-1e-3, 1e-3):
            moved = unit_deviance(six.y, means * np.exp(step * column), six.dispersion).sum(axis=1)
            assert (moved >= fit.deviance * (1 - 1e-9)).all()


@pytest.mark.parametrize(('rate', 'n_tests'), [(0.1, 12_000), (0.05, 1)])
def test_the_needed_f_has_the_p_that_is_needed(rate, n_tests):
    found = needed_f(rate, n_tests, 2, 31.5)
    np.testing.assert_allclose(stats.f.sf(found, 2, 31.5), rate / n_tests, rtol=1e-9)
