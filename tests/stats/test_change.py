from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from pipelines.errors import DataError
from pipelines.stats.change import ancova

GOLDEN = Path(__file__).resolve().parents[1] / 'golden'


@pytest.fixture
def anorexia() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / 'anorexia.tsv', sep='\t')


def trial(rng, n=60, missing=(0.0, 0.0), effect=-1.0, correlation=0.6, k=0):
    """Simulate two visits; covariates act on both, differently."""
    arm = rng.permutation(np.arange(n) % 2)
    covariates = rng.standard_normal((n, k)) * 3 + 10
    first = rng.standard_normal(n)
    second = correlation * first + np.sqrt(1 - correlation**2) * rng.standard_normal(n)
    before = 5 + 1.5 * first + 0.2 * covariates.sum(axis=1)
    after = 4 + 2 * second + effect * arm - 0.1 * covariates.sum(axis=1)
    before[rng.random(n) < missing[0]] = np.nan
    after[rng.random(n) < missing[1]] = np.nan
    for array in (arm, covariates, before, after):
        array.setflags(write=False)
    return before, after, arm, covariates


def test_ancova_gives_the_numbers_of_r(anorexia):
    found = ancova(anorexia.baseline, anorexia.followup, anorexia.treatment)
    # printed to 8 decimals
    assert found.effect.estimate == pytest.approx(9.03357257, abs=1e-8)
    assert found.effect.se == pytest.approx(2.35092322, abs=1e-8)
    assert (found.effect.df, found.n, found.n_pairs) == (40, 43, 43)
    classical = smf.ols('followup ~ treatment + baseline', anorexia).fit()
    assert classical.params['treatment'] == pytest.approx(found.effect.estimate, abs=1e-9)
    assert classical.bse['treatment'] == pytest.approx(2.03148625, abs=1e-8)


@pytest.mark.parametrize('interaction', [False, True])
def test_ancova_is_least_squares_with_hc3(rng, interaction):
    before, after, arm, covariates = trial(rng, missing=(0.1, 0.2), k=2)
    found = ancova(before, after, arm, covariates, interaction=interaction)
    keep = ~np.isnan(before + after)
    centred = before[keep] - before[keep].mean()
    columns = [np.ones(keep.sum()), arm[keep], centred, covariates[keep]]
    design = np.column_stack([*columns, *([arm[keep] * centred] if interaction else [])])
    wanted = sm.OLS(after[keep], design).fit(cov_type='HC3', use_t=True)
    low, high = wanted.conf_int()[1]
    numbers = (
        wanted.params[1],
        wanted.bse[1],
        wanted.df_resid,
        low,
        high,
        wanted.tvalues[1],
        wanted.pvalues[1],
    )
    # the same algebra by another factorisation
    np.testing.assert_allclose(found.effect, numbers, rtol=1e-9)
    assert found.n == keep.sum() < 60


def test_second_ancova_is_the_effect_at_the_mean_baseline(rng):
    """Arms fitted on their own and compared where the average person starts."""
    before, after, arm, _ = trial(rng)
    lines = [np.polyfit(before[arm == code], after[arm == code], 1) for code in (0, 1)]
    wanted = np.polyval(lines[1], before.mean()) - np.polyval(lines[0], before.mean())
    found = ancova(before, after, arm, interaction=True)
    assert found.effect.estimate == pytest.approx(wanted, abs=1e-9)


def test_missing_covariates_are_told(rng):
    before, after, arm, covariates = trial(rng, k=2)
    holes = covariates.copy()
    holes[[3, 9], [0, 1]] = np.nan
    found, keep = ancova(before, after, arm, holes), np.delete(np.arange(60), [3, 9])
    assert found.n_without_covariates == 2
    assert found.n == 58
    without = ancova(before[keep], after[keep], arm[keep], covariates[keep])
    assert found.effect == without.effect


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda b, a, t, c: (b, a, 0 * t, c), 'nobody in the treated arm'),
        (lambda b, a, t, c: (b, np.where(t == 0, np.nan, a), t, c), 'nobody in the control arm'),
        (lambda b, a, t, c: (b, np.nan * a, t, c), '0 people have both visits'),
        (lambda b, a, t, c: (np.nan * b, a, t, c), '0 people have both visits'),
        (lambda b, a, t, c: (np.where(t == 1, np.nan, b), a, t, c), 'nobody in the treated arm'),
        (lambda b, a, t, c: (b[:4], a[:4], t[:4], c[:4]), 'are needed'),
        (lambda b, a, t, c: (0 * b + 3, a, t, c), 'baseline is 3 for everyone'),
        (lambda b, a, t, c: (b, 0 * a + 2, t, c), 'follow-up is 2 for everyone'),
        (lambda b, a, t, c: (b, a, t + 1, c), 'allowed: 0'),
        (lambda b, a, t, c: (b, a, t[:9], c), '9 a treatment'),
        (lambda b, a, t, c: (b, a, t, c[:9]), '9 covariates'),
        (lambda b, a, t, c: (b, a, t, 0 * c + 0.1), 'one value for everyone'),
        (lambda b, a, t, c: (b, a, t, t), 'linearly dependent'),
        (lambda b, a, t, c: (b, a, t, np.hstack([c, 2 * c])), 'linearly dependent'),
        (lambda b, a, t, c: (b, np.where(t == 1, np.inf, a), t, c), 'infinite'),
    ],
)
def test_what_cannot_be_estimated_is_refused(rng, change, message):
    with pytest.raises(DataError, match=message):
        ancova(*change(*trial(rng, k=1)))


def test_one_person_of_a_kind_has_no_standard_error(rng):
    before, after, arm, _ = trial(rng)
    with pytest.raises(DataError, match='one person alone'):
        ancova(before, after, arm, np.arange(60) == 0)
