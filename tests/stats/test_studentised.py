"""Variances of their own: t and F of groups by the textbook, and what flips of sign do to them."""

from itertools import product

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.oneway import anova_oneway

from pipelines.errors import DataError
from pipelines.stats.freedman_lane import rearranged_statistic
from pipelines.stats.linear_design import fit_design
from pipelines.stats.permute import permute
from pipelines.stats.question import Effort, Question
from pipelines.stats.rearrange import Blocks
from pipelines.stats.residuals import Flipped


@pytest.fixture
def arms(rng):
    """Three arms of 8, 11 and 14 with unequal spread, two covariates, and a map at baseline; (V, n) maps."""
    arm = rng.permutation(np.repeat([0, 1, 2], [8, 11, 14]))
    covariates, baseline = rng.standard_normal((33, 2)), rng.standard_normal((6, 33))
    maps = 3 + baseline + (1 + arm) * rng.standard_normal((6, 33))
    return arm, np.column_stack([np.ones(33), covariates]), baseline, maps


def wald(y, tested, nuisance, groups):
    """Least squares with a variance per group, by statsmodels and matrices; F has Welch's correction."""
    design = np.column_stack([tested, nuisance])
    fit = sm.OLS(y, design).fit()
    leverage = fit.get_influence().hat_matrix_diag
    variances, frees, each = [], [], np.zeros(len(y))
    for group in np.unique(groups):
        own = groups == group
        frees.append((1 - leverage[own]).sum())
        variances.append(np.sum(fit.resid[own] ** 2) / frees[-1])
        each[own] = variances[-1]
    bread = fit.normalized_cov_params
    s = design.shape[1] - nuisance.shape[1]
    covariance = (bread @ (design.T * each) @ design @ bread)[:s, :s]
    slopes = fit.params[:s]
    if s == 1:
        return slopes[0] / np.sqrt(covariance[0, 0])
    weights = np.array([(groups == g).sum() / v for g, v in zip(np.unique(groups), variances)])
    lack = np.sum((1 - weights / weights.sum()) ** 2 / frees)
    return slopes @ np.linalg.solve(covariance, slopes) / s / (1 + 2 * (s - 1) / (s * (s + 2)) * lack)


def dummies(arm):
    return np.column_stack([arm == 1, arm == 2]).astype(float)


def questions(arm, nuisance):
    """F of all arms, and one pair with the third arm as nuisance."""
    both = dummies(arm)
    return {'F': (both, nuisance), 't': (both[:, :1], np.column_stack([nuisance, both[:, 1]]))}


@pytest.mark.parametrize('has_groups', [True, False])
@pytest.mark.parametrize('has_covariate', [True, False])
@pytest.mark.parametrize('name', ['F', 't'])
def test_maps_of_three_arms_are_those_of_statsmodels(arms, name, has_covariate, has_groups):
    arm, nuisance, baseline, maps = arms
    tested, nuisance = questions(arm, nuisance)[name]
    groups = arm if has_groups else np.zeros(33)
    found = permute(
        maps, Question(tested=tested, nuisance=nuisance, groups=groups if has_groups else None),
        covariate=baseline if has_covariate else None, rng=np.random.default_rng(0), effort=Effort(n_permutations=1),
    )  # fmt: skip
    for voxel, y in enumerate(maps):
        z = np.column_stack([nuisance, baseline[voxel]]) if has_covariate else nuisance
        assert found.statistic[voxel] == pytest.approx(wald(y, tested, z, groups), rel=1e-8)
        if not has_groups:  # statsmodels' own test
            fit = sm.OLS(y, np.column_stack([tested, z])).fit()
            own = fit.tvalues[0] if name == 't' else fit.f_test(np.eye(2, len(fit.params))).fvalue
            assert found.statistic[voxel] == pytest.approx(float(own), rel=1e-8)


def test_group_means_are_compared_as_welch_does(arms):
    arm, _, _, maps = arms
    one = np.ones((33, 1))
    effort, rng = Effort(n_permutations=1), np.random.default_rng(0)
    f = permute(maps, Question(tested=dummies(arm), nuisance=one, groups=arm), rng=rng, effort=effort)
    two = arm < 2
    t = permute(
        maps[:, two],
        Question(tested=arm[two] * 1.0, nuisance=one[two], groups=arm[two]),
        rng=rng,
        effort=effort,
    )
    for voxel, y in enumerate(maps):
        welch = anova_oneway([y[arm == a] for a in range(3)], use_var='unequal', welch_correction=True)
        assert f.statistic[voxel] == pytest.approx(welch.statistic, rel=1e-8)
        wanted = stats.ttest_ind(y[arm == 1], y[arm == 0], equal_var=False).statistic
        assert t.statistic[voxel] == pytest.approx(wanted, rel=1e-8)


def signs_of(rng, n_rows, n=33):
    return np.vstack([np.ones(n), rng.choice([-1.0, 1], (n_rows, n))])


@pytest.mark.parametrize('has_covariate', [True, False])
@pytest.mark.parametrize('name', ['F', 't'])
def test_every_flip_is_that_of_residuals_with_signs(arms, name, has_covariate, rng):
    """By the textbook: residuals without what is tested, with signs, given to the full model."""
    arm, nuisance, baseline, maps = arms
    tested, nuisance = questions(arm, nuisance)[name]
    drawn = signs_of(rng, 4)
    design = fit_design(tested, nuisance, arm, has_covariate=has_covariate)
    covariate = baseline if has_covariate else None
    found, testable = rearranged_statistic(maps, covariate, design, slice(0, 6), Flipped(drawn))
    assert testable.all()
    for voxel, y in enumerate(maps):
        z = np.column_stack([nuisance, baseline[voxel]]) if has_covariate else nuisance
        left = sm.OLS(y, z).fit().resid
        for row, signs in enumerate(drawn):
            assert found[row, voxel] == pytest.approx(wald(left * signs, tested, z, arm), rel=1e-8)


@pytest.mark.parametrize('is_whole', [True, False])
def test_signs_are_those_of_blocks_that_are_wholes(arms, is_whole):
    """The null of the signs drawn by hand; people of a stratum keep their own residuals, and so signs of their own."""
    arm, nuisance, _, maps = arms
    site = np.repeat(np.arange(11), 3)
    question = Question(tested=dummies(arm), nuisance=nuisance, groups=arm, blocks=Blocks(site, is_whole))
    found = permute(maps, question, rng=np.random.default_rng(4), effort=Effort(n_permutations=20))
    rng, unit = np.random.default_rng(4), site if is_whole else np.arange(33)
    drawn = [np.ones(33), *(rng.choice((1.0, -1.0), unit.max() + 1)[unit] for _ in range(20))]
    design = fit_design(question.tested, nuisance, arm, has_covariate=False)
    null, _ = rearranged_statistic(maps, None, design, slice(0, 6), Flipped(np.array(drawn)))
    np.testing.assert_allclose(found.largest, np.abs(null).max(axis=1), rtol=1e-12)


@pytest.mark.parametrize('ratio', [0.5, 1.0, 3.0])
def test_means_of_groups_are_as_free_as_their_variances_say(rng, ratio):
    """Over all signs the slope varies by what V is on average: closed form, where exchange of people gives 0.9 of it."""
    arm = np.repeat([1.0, 0.0], [4, 7])
    maps = rng.standard_normal((50, 11)) * np.where(arm == 1, ratio, 1)
    signs = np.array(list(product((1.0, -1.0), repeat=11)))
    left = maps - maps.mean(axis=1, keepdims=True)
    slopes = (left * arm) @ signs.T / 4 - (left * (1 - arm)) @ signs.T / 7
    own = [(left[:, arm == a] ** 2).mean(axis=1) / n for a, n in ((1, 4), (0, 7))]
    np.testing.assert_allclose((slopes**2).mean(axis=1), np.sum(own, axis=0), rtol=1e-10)
    found = permute(
        maps, Question(tested=arm, nuisance=np.ones((11, 1)), groups=arm), rng=rng, effort=Effort(n_permutations=2048)
    )  # fmt: skip
    within = [(left * a) ** 2 @ np.ones(11) for a in (arm, 1 - arm)]
    mean = [(left * a) @ signs.T / n for a, n in ((arm, 4), (1 - arm, 7))]
    variance = [(total[:, None] - n * m**2) / (n - 1) / n for total, m, n in zip(within, mean, (4, 7))]
    t = np.abs(slopes) / np.sqrt(np.sum(variance, axis=0))
    assert found.exact
    assert found.n_permutations == 2048
    np.testing.assert_allclose(found.p, (t >= t[:, :1] * (1 - 1e-9)).mean(axis=1), rtol=1e-12)


def test_a_group_without_a_variance_is_refused(rng):
    arm = np.array([0.0] * 8 + [1])
    with pytest.raises(DataError, match='1 people of a group leave'):
        fit_design(arm, np.ones((9, 1)), arm, has_covariate=False)


def test_a_covariate_that_is_a_group_leaves_nothing_to_test(arms):
    """Also where it differs from person to person within one arm only, whose variance it leaves no freedom."""
    arm, nuisance, baseline, maps = arms
    own = baseline.copy()
    own[0] = arm == 1
    question = Question(tested=dummies(arm)[:, :1], nuisance=nuisance[:, :1], groups=arm == 1)
    found = permute(
        maps, question, covariate=own, rng=np.random.default_rng(0), effort=Effort(n_permutations=3)
    )
    assert np.isnan(found.statistic).tolist() == [True] + [False] * 5


def test_regressors_that_depend_on_one_another_are_refused(arms):
    arm, nuisance, _, _ = arms
    with pytest.raises(DataError, match='combination of the nuisance'):
        fit_design(np.column_stack([dummies(arm), dummies(arm).sum(axis=1)]), nuisance, has_covariate=False)
