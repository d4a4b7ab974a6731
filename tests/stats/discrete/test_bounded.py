import numpy as np
import pytest
import statsmodels.api as sm

from pipelines.errors import DataError
from pipelines.stats.discrete.bounded import compare_bounded
from pipelines.stats.discrete.people import Groups


def sessions(rng, n=90, n_arms=2, shifts=(0.6, -0.3), maximum=42):
    """Sessions attended: more alike within a person than by chance."""
    arm = rng.permutation(np.arange(n) % n_arms)
    x = rng.standard_normal((n, 1))
    line = 0.5 + np.array([0, *shifts])[arm] + 0.3 * x[:, 0] + 0.8 * rng.standard_normal(n)
    counts = rng.binomial(maximum, 1 / (1 + np.exp(-line))).astype(float)
    for array in (arm, x, counts):
        array.setflags(write=False)
    return Groups(outcome=counts, arm=arm, covariates=x)


@pytest.mark.parametrize('n_arms', [2, 3])
def test_ratios_are_those_of_statsmodels_with_pearsons_dispersion(rng, n_arms):
    groups = sessions(rng, n_arms=n_arms)
    found = compare_bounded(groups, maximum=42)
    dummies = [groups.arm == code for code in range(1, n_arms)]
    design = np.column_stack([np.ones(90), *dummies, groups.covariates])
    # as shares with weights: of two columns it takes Pearson's residuals without the number of trials
    model = sm.GLM(groups.outcome / 42, design, family=sm.families.Binomial(), var_weights=np.full(90, 42.0))
    wanted = model.fit(scale='X2', use_t=True, tol=1e-12)
    low, high = wanted.conf_int().T
    for place, contrast in enumerate(found.contrasts, 1):
        numbers = (wanted.params, wanted.bse, low, high, wanted.tvalues, wanted.pvalues)
        own = [contrast.log_ratio[i] for i in (0, 1, 3, 4, 5, 6)]
        # both end at 1e-9 of a coefficient
        np.testing.assert_allclose(own, [column[place] for column in numbers], rtol=1e-6)
        assert contrast.log_ratio.df == 90 - design.shape[1]
    assert found.model == 'quasi_binomial'


def test_without_covariates_the_difference_is_that_of_means(rng):
    groups = sessions(rng)
    bare = Groups(outcome=groups.outcome, arm=groups.arm)
    (contrast,) = compare_bounded(bare, maximum=42).contrasts
    arms = [groups.outcome[groups.arm == code] for code in (0, 1)]
    assert contrast.difference.estimate == pytest.approx(arms[1].mean() - arms[0].mean(), abs=1e-9)
    # variance of a mean with residuals divided by 1 - 1/n
    variance = sum(arm.var() / len(arm) / (1 - 1 / len(arm)) ** 2 for arm in arms)
    assert contrast.difference.se == pytest.approx(np.sqrt(variance), rel=1e-8)


def test_one_that_can_be_counted_is_an_event(rng):
    groups = sessions(rng, maximum=1)
    found = compare_bounded(groups, maximum=1)
    design = np.column_stack([np.ones(90), groups.arm, groups.covariates])
    wanted = sm.Logit(groups.outcome, design).fit(disp=0)
    assert found.contrasts[0].log_ratio.estimate == pytest.approx(wanted.params[1], abs=1e-6)


def test_covariates_sharpen_the_difference(rng):
    ratios = []
    for _ in range(20):
        groups = sessions(rng, n=200)
        x = np.log((groups.outcome + 1) / (43 - groups.outcome)) + rng.standard_normal(200)
        one, two = (
            compare_bounded(Groups(outcome=groups.outcome, arm=groups.arm, covariates=table), maximum=42)
            for table in (None, x)
        )
        ratios.append(two.contrasts[0].difference.se / one.contrasts[0].difference.se)
    assert max(ratios) < 0.9


def test_an_arm_that_has_none_is_described_only(rng):
    groups = sessions(rng, n_arms=3)
    counts = np.where(groups.arm == 2, 0, groups.outcome)
    found = compare_bounded(Groups(outcome=counts, arm=groups.arm), maximum=42)
    assert [contrast.arm for contrast in found.contrasts] == [1]
    assert 'arm 2 has none' in found.notes[0]
    assert np.isnan(found.means[2])
    assert found.described.set_index('arm').loc[2, ['total', 'n', 'mean']].tolist() == [0, 30, 0]
    alone = groups.arm < 2
    wanted = compare_bounded(Groups(outcome=counts[alone], arm=groups.arm[alone]), maximum=42)
    assert found.contrasts == wanted.contrasts


@pytest.mark.parametrize('options', [{}, {'not_offered': (0,)}])
def test_a_control_arm_that_cannot_have_any_leaves_a_description(rng, options):
    groups = sessions(rng)
    counts = groups.outcome if options else np.where(groups.arm == 0, 0, groups.outcome)
    found = compare_bounded(Groups(outcome=counts, arm=groups.arm), maximum=42, **options)
    assert (found.model, found.contrasts) == ('described', ())
    assert found.notes[-1] == 'no two arms can be compared'
    assert found.means[1] == pytest.approx(groups.outcome[groups.arm == 1].mean())
    assert found.tally.n.tolist() == [45, 45]


def test_an_arm_at_the_maximum_has_a_difference_but_no_ratio(rng):
    groups = sessions(rng)
    counts = np.where(groups.arm == 1, 42, groups.outcome)
    (contrast,) = compare_bounded(Groups(outcome=counts, arm=groups.arm), maximum=42).contrasts
    assert contrast.log_ratio is None
    control = groups.outcome[groups.arm == 0]
    assert contrast.difference.estimate == pytest.approx(42 - control.mean(), abs=1e-9)
    assert contrast.difference.se == pytest.approx(control.std() / np.sqrt(45) / (1 - 1 / 45), rel=1e-6)


def test_counts_that_do_not_vary_have_no_error():
    found = compare_bounded(Groups(outcome=[5] * 4 + [8] * 4, arm=[0] * 4 + [1] * 4), maximum=10)
    assert found.contrasts[0] == (1, None, None)
    assert found.means.tolist() == pytest.approx([5, 8])
    assert len(found.notes) == 2


@pytest.mark.parametrize(
    ('outcome', 'maximum', 'message'),
    [
        ([1, 2, 11, 4, 5, 6], 10, 'a count is 11; allowed: whole numbers from 0 to 10'),
        ([1, 2, -1, 4, 5, 6], 10, 'a count is -1'),
        ([1, 2.5, 1, 4, 5, 6], 10, 'a count is 2.5'),
        ([1, 2, 1, 4, 5, 6], 0, 'the maximum 0'),
        ([1, 2, 1, 4, 5, 6], 6.5, 'the maximum 6.5'),
        ([1, 2, 1, 4, 5, 6], np.nan, 'the maximum nan'),
    ],
)
def test_counts_beyond_their_limits_are_refused(outcome, maximum, message):
    with pytest.raises(DataError, match=message):
        compare_bounded(Groups(outcome=outcome, arm=[0, 1] * 3), maximum=maximum)
