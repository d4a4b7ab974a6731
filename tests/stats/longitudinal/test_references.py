"""Numbers of other programs: R's ``nlme::gls`` and what is published of ``mmrm`` and SAS (tests/golden/README.md)."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.stats.change import ancova
from pipelines.stats.longitudinal.contrasts import estimate_contrasts
from pipelines.stats.longitudinal.fit import fit_reml
from pipelines.stats.longitudinal.likelihood import expected_information
from pipelines.stats.longitudinal.trial import fit_trial
from pipelines.stats.longitudinal.trial_design import TrialModel, contrast_rows, design_means, gather

from .people import visits

GOLDEN = Path(__file__).resolve().parents[2] / 'golden'
GLS = pd.read_csv(GOLDEN / 'longitudinal_gls.tsv', sep='\t')


@pytest.fixture(scope='module')
def fev():
    """Return forced expiratory volume (197, 4) and the people."""
    table = pd.read_csv(GOLDEN / 'fev.tsv', sep='\t', na_values='n/a')
    wide = table.pivot(index='USUBJID', columns='AVISIT', values='FEV1')
    people = table.drop_duplicates('USUBJID').set_index('USUBJID').loc[wide.index]
    return wide.to_numpy(), people


def same_at_all(*columns):
    """Return a design whose columns are the same at all four visits."""
    return np.repeat(np.column_stack(columns)[:, None], 4, axis=1)


def test_kenward_roger_is_that_of_sas_and_mmrm(fev):
    y, people = fev
    treated = (people.ARMCD == 'TRT').to_numpy(float)
    fit = fit_reml(y, same_at_all(np.ones(len(y)), treated), np.zeros(len(y), int))
    (found,) = estimate_contrasts(fit, [0, 1])
    assert fit.minus_two_loglik == pytest.approx(3667.96276, abs=5e-6)
    # both programs stop when a likelihood of 3,668 changes by a hundred-millionth: a hundredth of a standard error
    # of a variance before the top, which nlme finds at 3.81975
    assert found.estimate == pytest.approx(3.81972492174648, abs=1e-4 * 0.66)
    assert found.se == pytest.approx(0.66124382270307, rel=1e-4)
    assert found.df == pytest.approx(160.733266403768, rel=5e-4)
    np.testing.assert_allclose(np.diag(fit.sigmas[0]), [108.39, 40.1721, 24.6058, 152.36], rtol=5e-4)
    # the expected information, which is wrong where people drop out at random
    expected = expected_information(fit.cells, fit.point, fit.first, fit.curvature.turns)
    fit.__dict__['spread'] = np.linalg.inv(expected)
    (wrong,) = estimate_contrasts(fit, [0, 1])
    assert (round(wrong.se, 4), round(wrong.df, 1)) == (0.6536, 170.9)


def test_the_top_of_the_likelihood_is_that_of_nlme(fev):
    y, people = fev
    treated = (people.ARMCD == 'TRT').to_numpy(float)
    fit = fit_reml(y, same_at_all(np.ones(len(y)), treated), np.zeros(len(y), int))
    # nlme stops 4e-8 below the top, so that a variance is up to 2e-4 of its standard error away
    assert fit.minus_two_loglik == pytest.approx(3667.9627561801, abs=1e-7)
    np.testing.assert_allclose(fit.coefficients, [41.00507168574, 3.81975013101], atol=1e-4 * 0.44)
    (bare,) = estimate_contrasts(fit, [0, 1], 'satterthwaite')
    assert bare.se == pytest.approx(0.638907689548, rel=1e-5)


def test_satterthwaite_is_that_of_sas(fev):
    y, people = fev
    treated, female = (people.ARMCD == 'TRT').to_numpy(float), (people.SEX == 'Female').to_numpy(float)
    fit = fit_reml(y, same_at_all(np.ones(len(y)), female, treated), np.zeros(len(y), int))
    (found,) = estimate_contrasts(fit, [0, 0, 1], 'satterthwaite')
    assert round(found.estimate, 4) == 3.8265
    # 0.64216 at the top, 0.6421 where that program stops
    assert found.se == pytest.approx(0.6421, abs=1e-4)
    assert round(found.df) == 161


@pytest.mark.parametrize(('name', 'structure'), sorted(set(zip(GLS.model, GLS.structure))))
def test_models_of_several_visits_are_those_of_nlme(name, structure):
    own = pd.read_csv(GOLDEN / 'longitudinal.tsv', sep='\t', na_values='n/a').query('model == @name')
    wide = own.pivot(index='id', columns='visit', values='y')
    people = own.drop_duplicates('id').set_index('id').loc[wide.index]
    model = TrialModel(is_randomised=name.startswith('lot'))
    age = people.age.to_numpy(float) if name in ('lot_3', 'free_5') else None
    given = gather(wide.to_numpy(), people.arm.to_numpy(), age, model)
    means = design_means(given, model)
    group = given.arm if name.startswith('arms') else 0 * given.arm
    fit = fit_reml(given.outcome, means.design, group, structure=structure)
    for row in GLS[(GLS.model == name) & (GLS.structure == structure)].itertuples():
        arm, visit = map(int, row.contrast.split('_'))
        (found,) = estimate_contrasts(fit, contrast_rows(means, model, arm, visit), 'satterthwaite')
        assert fit.minus_two_loglik == pytest.approx(row.minus_two_loglik, abs=1e-6)
        # at a likelihood that is lower by 1e-7 the optimiser of nlme is within 1e-5 of standard errors
        assert found.estimate == pytest.approx(row.estimate, abs=2e-5 * row.se)
        assert found.se == pytest.approx(row.se, rel=1e-5)


@pytest.mark.parametrize('k', [0, 2])
def test_two_complete_visits_with_one_covariance_are_ancova(rng, k):
    for _ in range(5):
        y, arm, table = visits(rng, n=30, n_visits=2, missing=0)
        effect = fit_trial(y, arm, table[:, :k], TrialModel(sigma='common')).effects[0].effect
        wanted = ancova(*y.T, arm, table[:, :k]).effect
        # the same least squares by two ways
        assert effect.estimate == pytest.approx(wanted.estimate, abs=1e-8)
