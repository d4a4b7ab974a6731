"""Mediation against least squares of statsmodels and R, loops, planted errors and laws."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats

from pipelines.errors import DataError, ParameterError
from pipelines.stats.bootstrap import (
    chunks,
    cross_products,
    draw_resamples,
    percentile_interval,
    successive_regressions,
)
from pipelines.stats.mediate import PATH_COLUMNS, mediate
from pipelines.stats.mediation_model import PathModel, orders
from pipelines.stats.mediation_paths import acme
from pipelines.stats.mediation_power import mediation_power, risk_power, simulate_paths, standard_arm
from tests.acceptance.checks import met
from tests.acceptance.simulations import share_of_mediation
from tests.acceptance.studies import mediation as study

REPOSITORY = Path(__file__).resolve().parents[2]
GOLDEN = REPOSITORY / 'tests' / 'golden'

SINGLE = PathModel('x to y', 'arm', ('x',), 'y', ('x0', 'y0'), ('age',))
PARALLEL = PathModel('both', 'arm', ('x', 'z'), 'y', ('x0', 'z0', 'y0'), ('age',), 'parallel')
SERIAL = PARALLEL._replace(structure='serial')
FIXED = 'x0 + y0 + age'


@pytest.fixture(scope='module')
def people() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / 'mediation.tsv', sep='\t')


def estimates(table, model, n_bootstraps=99, seed=0):
    """Return the estimates by mediator and path."""
    paths = mediate(table, model, np.random.default_rng(seed), n_bootstraps=n_bootstraps).paths
    return paths.set_index(['mediator', 'path']).estimate


def ols(formula, table):
    return smf.ols(formula, table).fit().params


class TestSingle:
    def test_numbers_of_r(self, people):
        """R 4.2.2, lm: see tests/golden/README.md."""
        found = estimates(people, SINGLE)['x']
        wanted = {
            'a': 0.7853232719,
            'b': -0.82833022254,
            'direct': -0.06916192558,
            'total': -0.7196689262,
            'rho_at_zero': -0.6888537818,
            'indirect': 0.7853232719 * -0.82833022254,
        }
        # printed to ten digits
        assert found[list(wanted)].tolist() == pytest.approx(list(wanted.values()), rel=1e-8)

    def test_the_parts_make_up_the_total(self, people):
        fit = mediate(people, SINGLE, np.random.default_rng(0), n_bootstraps=99)
        found = fit.paths.set_index('path').estimate
        assert found.total == found.indirect + found.direct
        assert found.indirect == found.a * found.b
        assert found.total == pytest.approx(fit.without_mediator, rel=1e-12)
        assert found.total == pytest.approx(ols(f'y ~ arm + {FIXED}', people)['arm'], rel=1e-10)

    def test_interval_of_r(self, people):
        """20,000 resamples within arms in R 4.2.2 with quantiles of type 6: see tests/golden/README.md."""
        found = mediate(people, SINGLE, np.random.default_rng(0), n_bootstraps=20_000).paths.set_index('path')
        paths = ['a', 'b', 'indirect', 'direct', 'total']
        low = [0.1971252689, -1.0809436754, -1.1914461300, -0.6202875614, -1.41359067284]
        high = [1.3234961833, -0.6125208146, -0.1514540933, 0.5125784381, 0.03348472031]
        se = np.array([0.2874755361, 0.1198924327, 0.2634476138, 0.2898200767, 0.3709898695])
        # a 2.5 % quantile of 20,000 normal numbers has a standard error of 0.019 SD, the difference of two
        # 0.027; ten numbers stay within four of these.  That of the SD is 0.5 %, skewed paths more
        assert (np.abs(found.loc[paths, 'ci_low'] - low) / se).max() < 0.11
        assert (np.abs(found.loc[paths, 'ci_high'] - high) / se).max() < 0.11
        assert found.loc[paths, 'se'].tolist() == pytest.approx(se, rel=0.04)

    def test_without_baseline_of_the_mediator(self, people):
        found = estimates(people, SINGLE._replace(baselines=('y0',)))['x']
        assert found.a == pytest.approx(ols('x ~ arm + y0 + age', people)['arm'], rel=1e-9)
        assert found.b == pytest.approx(ols('y ~ arm + x + y0 + age', people)['x'], rel=1e-9)

    @pytest.mark.parametrize('column', ['x', 'y', 'x0', 'age'])
    def test_origin_of_a_measure_does_not_matter(self, people, column):
        moved = people.assign(**{column: people[column] + 1e6})
        # a mean of a million spreads takes six of sixteen digits
        assert estimates(moved, SINGLE)['x'].tolist() == pytest.approx(
            estimates(people, SINGLE)['x'].tolist(), rel=1e-7, nan_ok=True
        )

    def test_units(self, people):
        found, scaled = (
            estimates(people, SINGLE)['x'],
            estimates(people.assign(x=people.x * 1000), SINGLE)['x'],
        )
        assert scaled.a == pytest.approx(1000 * found.a)
        assert scaled.b == pytest.approx(found.b / 1000)
        assert scaled[['indirect', 'direct', 'rho_at_zero']].tolist() == pytest.approx(
            found[['indirect', 'direct', 'rho_at_zero']].tolist()
        )


class TestSeveral:
    def test_parallel_numbers_of_r(self, people):
        found = estimates(people, PARALLEL)
        wanted = {
            ('x', 'a'): 0.756338973,
            ('z', 'a'): 0.7761365709,
            ('x', 'b'): -0.6700627488,
            ('z', 'b'): -0.4577541670,
            ('x+z', 'direct'): 0.1064118324,
        }
        assert found[list(wanted)].tolist() == pytest.approx(list(wanted.values()), rel=1e-8)
        assert found['x', 'indirect'] == found['x', 'a'] * found['x', 'b']
        assert found['x+z', 'joint_indirect'] == found['x', 'indirect'] + found['z', 'indirect']

    def test_serial_numbers_of_r(self, people):
        found = estimates(people, SERIAL)
        a1, a2, d21, b1, b2 = 0.756338973, 0.4911921084, 0.3767417423, -0.6700627488, -0.4577541670
        wanted = {
            ('x', 'a'): a1,
            ('z', 'a'): a2,
            ('x>z', 'd21'): d21,
            ('x', 'indirect'): a1 * b1,
            ('z', 'indirect'): a2 * b2,
            ('x>z', 'indirect'): a1 * d21 * b2,
            ('x+z', 'joint_indirect'): a1 * b1 + a2 * b2 + a1 * d21 * b2,
        }
        assert found[list(wanted)].tolist() == pytest.approx(list(wanted.values()), rel=1e-8)

    def test_what_all_mediators_carry_does_not_depend_on_their_order(self, people):
        one, other = (
            mediate(people, model, np.random.default_rng(0), n_bootstraps=199).paths.set_index('path')
            for model in orders(SERIAL)
        )
        parallel = mediate(people, PARALLEL, np.random.default_rng(0), n_bootstraps=199)
        numbers = ['estimate', 'se', 'ci_low', 'ci_high', 'p']
        for path in ('joint_indirect', 'direct', 'total'):
            rows = [table.loc[path, numbers].astype(float) for table in (one, other)]
            rows.append(parallel.paths.set_index('path').loc[path, numbers].astype(float))
            for a, b in pairwise(rows):
                assert a.tolist() == pytest.approx(b.tolist(), rel=1e-9)
        assert one.loc['total', 'estimate'] == pytest.approx(parallel.without_mediator, rel=1e-10)

    def test_three_in_series_against_statsmodels(self, people, rng):
        table = people.assign(w=people.z * 0.3 + people.x * 0.2 + rng.standard_normal(len(people)))
        model = SERIAL._replace(mediators=('x', 'z', 'w'))
        found, fixed = estimates(table, model), 'x0 + z0 + y0 + age'
        x = ols(f'x ~ arm + {fixed}', table)
        z = ols(f'z ~ arm + x + {fixed}', table)
        w = ols(f'w ~ arm + x + z + {fixed}', table)
        y = ols(f'y ~ arm + x + z + w + {fixed}', table)
        chains = {
            'x': x.arm * y.x,
            'z': z.arm * y.z,
            'w': w.arm * y.w,
            'x>z': x.arm * z.x * y.z,
            'x>w': x.arm * w.x * y.w,
            'z>w': z.arm * w.z * y.w,
            'x>z>w': x.arm * z.x * w.z * y.w,
        }
        assert found[:, 'indirect'].to_dict() == pytest.approx(chains, rel=1e-8)
        assert found['x>w', 'd31'] == pytest.approx(w.x, rel=1e-8)
        assert found['z>w', 'd32'] == pytest.approx(w.z, rel=1e-8)
        assert found['x+z+w', 'joint_indirect'] == pytest.approx(sum(chains.values()), rel=1e-8)
        assert found['x+z+w', 'total'] == pytest.approx(ols(f'y ~ arm + {fixed}', table).arm, rel=1e-8)


class TestInteraction:
    def test_natural_effects_are_differences_of_predictions(self, people):
        """The outcome of everyone is predicted under each arm with the mediator of each arm."""
        m = smf.ols(f'x ~ arm + {FIXED}', people).fit()
        y = smf.ols(f'y ~ arm * x + {FIXED}', people).fit()

        def predicted(arm, arm_of_mediator):
            mediator = m.predict(people.assign(arm=arm_of_mediator))
            return y.predict(people.assign(arm=arm, x=mediator)).mean()

        found = estimates(people, SINGLE._replace(interaction=True))['x']
        wanted = {
            'indirect_control': predicted(0, 1) - predicted(0, 0),
            'indirect_treatment': predicted(1, 1) - predicted(1, 0),
            'direct_control': predicted(1, 0) - predicted(0, 0),
            'direct_treatment': predicted(1, 1) - predicted(0, 1),
            'total': predicted(1, 1) - predicted(0, 0),
            'b_control': -0.9984159248,  # R 4.2.2, lm
            'b_treatment': -0.9984159248 + 0.2730925667,
            'interaction': 0.2730925667,
        }
        assert found[list(wanted)].tolist() == pytest.approx(list(wanted.values()), rel=1e-8)

    def test_resamples_are_analysed_alike(self, people):
        """The same by statsmodels in each resample, whose mean of the mediator is its own."""
        fit = mediate(
            people, SINGLE._replace(interaction=True), np.random.default_rng(4), n_bootstraps=99
        ).paths.set_index('path')
        direct = []
        for drawn in draw_resamples(people.arm, 99, np.random.default_rng(4)):
            part = people.iloc[drawn].reset_index(drop=True)
            m, y = ols(f'x ~ arm + {FIXED}', part), ols(f'y ~ arm * x + {FIXED}', part)
            under_control = part.x.mean() - m.arm * part.arm.mean()
            direct.append(y.arm + y['arm:x'] * under_control)
        assert fit.loc['direct_control', 'se'] == pytest.approx(np.std(direct, ddof=1), rel=1e-7)
        assert fit.loc['direct_control', 'ci_low'] == pytest.approx(np.sort(direct)[1], rel=1e-7)

    def test_needs_one_mediator(self, people, rng):
        with pytest.raises(ParameterError, match='interaction needs a single mediator'):
            mediate(people, PARALLEL._replace(interaction=True), rng)


class TestBootstrap:
    @pytest.mark.parametrize('model', [SINGLE, PARALLEL, SERIAL], ids=lambda m: m.structure)
    def test_loop_over_the_same_resamples(self, people, model):
        """Least squares one by one; quantiles of order (B + 1) q."""
        n_bootstraps, fixed = 119, [*model.baselines, *model.covariates]
        table = mediate(people, model, np.random.default_rng(8), n_bootstraps=n_bootstraps).paths
        joint = []
        for drawn in draw_resamples(people.arm, n_bootstraps, np.random.default_rng(8)):
            part = people.iloc[drawn]
            z = np.column_stack([np.ones(len(part)), part.arm, part[fixed]])
            full = np.column_stack([z, part[list(model.mediators)]])
            total, direct = (np.linalg.lstsq(design, part.y)[0][1] for design in (z, full))
            joint.append(total - direct)
        path = 'indirect' if model.structure == 'single' else 'joint_indirect'
        found = table[table.path == path].iloc[-1]
        wanted = np.sort(joint)
        # order statistics 3 and B - 2: floor(0.025 * 120) = 3; two ways of least squares agree to 1e-9
        assert found[['ci_low', 'ci_high']].tolist() == pytest.approx([wanted[2], wanted[-3]], rel=1e-9)
        assert found.se == pytest.approx(np.std(joint, ddof=1), rel=1e-9)
        k = min((wanted <= 0).sum(), (wanted >= 0).sum())
        assert found.p == pytest.approx(min(1, 2 * (k + 1) / (n_bootstraps + 1)))

    def test_successive_regressions_are_least_squares(self, rng):
        columns = rng.standard_normal((30, 5)) * [1, 10, 0.1, 1e4, 1]
        columns.setflags(write=False)
        drawn = rng.integers(0, 30, (7, 30))
        found, squares = successive_regressions(cross_products(columns, drawn))
        for b, people_drawn in enumerate(drawn):
            x = columns[people_drawn]
            for j in range(1, 5):
                wanted, (rest,), *_ = np.linalg.lstsq(x[:, :j], x[:, j])
                assert found[:j, j, b] == pytest.approx(wanted, rel=1e-8)
                assert squares[j, b] == pytest.approx(rest, rel=1e-8)

    def test_a_collinear_resample_is_nan_and_others_are_not(self):
        columns = np.array([[1.0, 0, 3], [1, 1, 5], [1, 2, 8], [1, 0, 2]])
        found, _ = successive_regressions(cross_products(columns, np.array([[0, 1, 2, 3], [0, 3, 3, 0]])))
        assert np.isfinite(found[1, 2, 0])
        assert np.isnan(found[1, 2, 1])

    @pytest.mark.parametrize('n', [99, 100, 199, 250, 999, 1000])
    def test_p_is_below_5_percent_exactly_when_zero_is_outside(self, n):
        # all numbers of replicates below zero, and zeros among them
        replicates = np.arange(1.0, n + 1)[:, None] - np.arange(0, n + 2) + np.array([0, 0.5])[:, None, None]
        found = percentile_interval(np.moveaxis(replicates, 1, 0))
        excludes = (found.ci_low > 0) | (found.ci_high < 0)
        assert (excludes == (found.p <= 0.05)).all()
        assert 0 < excludes.mean() < 1

    def test_interval_is_the_quantile_of_hyndman_and_fan_6(self, rng):
        replicates = rng.standard_normal((999, 3))
        found = percentile_interval(replicates)
        wanted = np.quantile(replicates, [0.025, 0.975], axis=0, method='weibull')
        # 0.025 * 1000 is a whole number, so that no rule of interpolation matters
        np.testing.assert_allclose([found.ci_low, found.ci_high], wanted, rtol=1e-12)

    def test_too_few_replicates(self, people, rng):
        with pytest.raises(ParameterError, match='98 bootstrap replicates'):
            percentile_interval(np.zeros(98))
        with pytest.raises(ParameterError, match='50 bootstraps; an interval needs 99'):
            mediate(people, SINGLE, rng, n_bootstraps=50)

    def test_resamples_stay_within_strata_and_are_uniform(self, rng):
        strata = np.array(['b', 'a', 'a', 'b', 'a', 'c'])
        drawn = draw_resamples(strata, 6000, rng)
        assert (strata[drawn] == strata).all()
        share = np.bincount(drawn[:, 1], minlength=6) / 6000
        # each of three with 1/3; standard error 0.006
        assert share[[1, 2, 4]] == pytest.approx(1 / 3, abs=0.025)
        assert not np.array_equal(drawn[:, 1], drawn[:, 2])

    def test_chunks_draw_what_one_call_draws(self):
        one, parts = np.random.default_rng(3), np.random.default_rng(3)
        whole = draw_resamples([0, 0, 1, 1, 1], 10, one)
        pieces = [draw_resamples([0, 0, 1, 1, 1], size, parts) for size in (3, 7)]
        assert np.array_equal(whole, np.concatenate(pieces))

    @pytest.mark.parametrize('n', [57, 10_000, 5_000_000])
    def test_chunks_are_bounded_and_complete(self, n):
        sizes = list(chunks(n, 9, 200))
        assert sum(sizes) == 200
        assert max(sizes) * n <= 2_000_000 or set(sizes) == {1}

    def test_the_generator_decides(self, people):
        one, same, other = (
            mediate(people, SINGLE, np.random.default_rng(seed), n_bootstraps=99).paths for seed in (1, 1, 2)
        )
        pd.testing.assert_frame_equal(one, same)
        assert not np.array_equal(one.se, other.se)
        # the interval decides whether there is a proportion
        is_fixed = one.path != 'proportion'
        assert np.array_equal(one.estimate[is_fixed], other.estimate[is_fixed])


class TestSensitivity:
    def sensitivity(self, people):
        return mediate(people, SINGLE, np.random.default_rng(0), n_bootstraps=99).sensitivity

    def test_residuals_of_r(self, people):
        """R 4.2.2: sigma of both models and correlation of their residuals."""
        wanted = (0.7853232719, 1.1139732593, 1.3395262421, -0.6888537818)
        assert self.sensitivity(people) == pytest.approx(wanted, rel=1e-8)

    def test_zero_where_the_correlation_is_that_of_the_residuals(self, people):
        found = self.sensitivity(people)
        assert acme(found, found.r) == pytest.approx(0, abs=1e-12)
        paths = estimates(people, SINGLE)['x']
        assert acme(found, 0.0) == pytest.approx(paths.indirect, rel=1e-10)
        assert paths.rho_at_zero == pytest.approx(found.r)

    @pytest.mark.parametrize('rho', [-0.6, 0.0, 0.3, 0.8])
    def test_errors_planted_with_a_correlation(self, rng, rho):
        """The curve is at the true indirect effect where rho is that of the errors."""
        n, a, b = 100_000, 0.7, -0.9
        arm = np.arange(n) % 2
        errors = rng.multivariate_normal([0, 0], [[1, 2 * rho], [2 * rho, 4]], n)
        x0 = rng.standard_normal(n)
        x = a * arm + 0.4 * x0 + errors[:, 0]
        table = pd.DataFrame({'arm': arm, 'x0': x0, 'x': x, 'y': 0.3 * arm + b * x + errors[:, 1]})
        model = PathModel('planted', 'arm', ('x',), 'y', ('x0',))
        fit = mediate(table, model, np.random.default_rng(0), n_bootstraps=99)
        # standard error of a is 0.006, of b at most 0.02: 0.03 is three of their product
        assert acme(fit.sensitivity, rho) == pytest.approx(a * b, abs=0.03)
        if abs(rho) > 0.2:
            assert abs(acme(fit.sensitivity, 0.0) - a * b) > 0.2

    def test_only_of_one_mediator_without_interaction(self, people, rng):
        for model in (PARALLEL, SERIAL, SINGLE._replace(interaction=True)):
            fit = mediate(people, model, rng, n_bootstraps=99)
            assert fit.sensitivity is None
            assert 'rho_at_zero' not in set(fit.paths.path)

    @pytest.mark.parametrize('rho', [-1.0, 1.0, 1.2, np.nan])
    def test_correlations_out_of_range(self, people, rho):
        with pytest.raises(ParameterError, match='rho is between'):
            acme(self.sensitivity(people), [0.0, rho])


class TestProportion:
    def table(self, rng, direct, b=1.0, noise=0.3):
        arm = np.arange(60) % 2
        x = arm + noise * rng.standard_normal(60)
        return pd.DataFrame({'arm': arm, 'x': x, 'y': direct * arm + b * x + noise * rng.standard_normal(60)})

    def row(self, table, **changes):
        model = PathModel('p', 'arm', ('x',), 'y', **changes)
        paths = mediate(table, model, np.random.default_rng(0), n_bootstraps=999).paths.set_index('path')
        return paths.loc['proportion'], paths

    def test_share_of_a_clear_total(self, rng):
        row, paths = self.row(self.table(rng, direct=1.0))
        assert row.estimate == paths.estimate.indirect / paths.estimate.total
        # half; the standard error of direct and indirect effects is about 0.25 each
        assert row.estimate == pytest.approx(0.5, abs=0.25)
        assert row.ci_low < row.estimate < row.ci_high
        assert row['flags'] == ''

    def test_no_share_of_a_total_that_may_be_zero(self, rng):
        row, paths = self.row(self.table(rng, direct=0.0, b=0.0), flags=('exploratory',))
        assert paths.p.total > 0.05
        assert np.isnan(row[['estimate', 'se', 'ci_low', 'ci_high', 'p']].astype(float)).all()
        assert row['flags'].split()[:2] == ['exploratory', 'total_not_away_from_zero']

    def test_no_share_of_parts_that_oppose_each_other(self, rng):
        row, paths = self.row(self.table(rng, direct=-2.5))
        assert paths.estimate.indirect > 0 > paths.estimate.direct
        assert row['flags'] == 'opposite_signs'
        assert np.isnan(row.estimate)


class TestTable:
    def test_one_row_per_analysis_and_path(self, people, rng):
        fits = [mediate(people, m, rng, n_bootstraps=99) for m in (SINGLE, PARALLEL, *orders(SERIAL))]
        table = pd.concat([fit.paths for fit in fits])
        assert all(tuple(fit.paths) == PATH_COLUMNS for fit in fits)
        assert set(table.scale) == {'units', 'none'}
        assert set(table.path[table.scale == 'none']) == {'proportion', 'rho_at_zero'}
        assert not table.duplicated(['analysis', 'mediator', 'path']).any()
        single = table[table.analysis == SINGLE.analysis]
        assert single.path.tolist() == ['a', 'b', 'indirect', 'direct', 'total', 'proportion', 'rho_at_zero']
        assert (table.n == 57).all()
        assert (table.mediator != '').all()
        assert 'd21' in set(table.path)

    def test_flags_of_the_caller_are_in_every_row(self, people, rng):
        flags = ('reference_post_randomisation', 'exploratory')
        table = mediate(people, SINGLE._replace(flags=flags), rng, n_bootstraps=99).paths
        assert table['flags'].str.startswith(' '.join(flags)).all()


class TestWho:
    def test_people_are_counted(self, people, rng):
        table = people.copy()
        table.loc[[0, 1], 'x'] = np.nan
        table.loc[[1, 40], 'age'] = np.nan
        before = table.copy()
        fit = mediate(table, SINGLE, rng, n_bootstraps=99)
        assert (fit.n, fit.n_treatment, fit.n_control, fit.n_incomplete) == (54, 28, 26, 3)
        pd.testing.assert_frame_equal(table, before)
        alone = estimates(table.dropna(), SINGLE)
        assert fit.paths.estimate.tolist() == pytest.approx(alone.tolist(), nan_ok=True)

    def test_a_covariate_of_one_person_leaves_resamples_without_estimate(self, people, rng):
        fit = mediate(people.assign(age=np.arange(57) == 3), SINGLE, rng, n_bootstraps=4000)
        # the person is in none of the 28 places of the arm
        assert fit.n_degenerate / 4000 == pytest.approx((27 / 28) ** 28, abs=0.03)
        assert fit.paths['flags'].str.contains('degenerate_resamples').all()
        assert fit.paths.se.dropna().gt(0).all()

    def test_mostly_without_estimate(self, people, rng):
        rare = people.assign(age=np.arange(57) == 3, y0=np.arange(57) == 5, x0=np.arange(57) == 50)
        with pytest.raises(DataError, match=r'resamples of 57 people have no estimate'):
            mediate(rare, SINGLE, rng, n_bootstraps=500)


class TestRefused:
    @pytest.mark.parametrize('arm', [0, 1])
    def test_mediator_in_one_arm_only(self, people, rng, arm):
        table = people.assign(x=people.x.where(people.arm == arm))
        name = ('control', 'treated')[arm]
        with pytest.raises(DataError, match=f'column x has values in the {name} arm only'):
            mediate(table, SINGLE, rng)

    @pytest.mark.parametrize(
        ('change', 'message'),
        [
            ({'x': 3.0}, 'x is 3 for all 57 complete people'),
            ({'y': 1.0}, 'y is 1 for all 57'),
            ({'age': 40.0}, 'age is 40 for all'),
            ({'arm': 1}, 'column x has values in the treated arm only'),
            ({'x': np.inf}, 'infinite'),
            ({'x': np.nan}, '0 people have all of arm, x0, y0, age, x, y; 10 are needed'),
        ],
    )
    def test_columns_that_say_nothing(self, people, rng, change, message):
        with pytest.raises(DataError, match=message):
            mediate(people.assign(**change), SINGLE, rng)

    def test_arm_codes(self, people, rng):
        with pytest.raises(
            DataError, match=r'arm is coded \[1\.0, 2\.0\]; allowed: 0 .control., 1 .treated.'
        ):
            mediate(people.assign(arm=people.arm + 1), SINGLE, rng)

    @pytest.mark.parametrize(
        ('copy', 'of', 'message'),
        [
            ('x', 'arm', 'x is a linear combination of arm, x0, y0, age'),
            ('age', 'y0', 'age is a linear combination of arm, x0, y0;'),
            ('y', 'x', 'y is a linear combination of arm, x0, y0, age, x;'),
        ],
    )
    def test_combinations(self, people, rng, copy, of, message):
        with pytest.raises(DataError, match=message):
            mediate(people.assign(**{copy: 2 * people[of] + people.x0 + 5}), SINGLE, rng)

    def test_few_people(self, people, rng):
        few = people.iloc[[*range(5), *range(50, 54)]]
        with pytest.raises(DataError, match='9 people have all'):
            mediate(few, SINGLE, rng)
        with pytest.raises(DataError, match='1 people of the control arm have all'):
            mediate(people.iloc[[0, *range(30, 57)]], SINGLE, rng)

    @pytest.mark.parametrize(
        ('change', 'error', 'message'),
        [
            ({'structure': 'parallel'}, ParameterError, 'parallel needs two or more mediators'),
            ({'mediators': ('x', 'z')}, ParameterError, 'single needs one mediator'),
            ({'mediators': ()}, ParameterError, 'needs'),
            ({'structure': 'ring'}, ParameterError, 'allowed: single, parallel, serial'),
            ({'mediators': ('fa',)}, DataError, 'no column fa; there are'),
            ({'covariates': ('x',)}, DataError, 'column x has two places'),
        ],
    )
    def test_models_that_make_no_sense(self, people, rng, change, error, message):
        with pytest.raises(error, match=message):
            mediate(people, SINGLE._replace(**change), rng)


class TestPower:
    @pytest.mark.parametrize(('path', 'wanted'), [(0.39, 0.71), (0.26, 0.23)])
    def test_trial_of_57(self, path, wanted):
        found = mediation_power(29, 28, path, path, np.random.default_rng(1), n_trials=600, n_bootstraps=500)
        # three Monte Carlo errors of 600 trials, and half a unit of the last digit
        assert found.power == pytest.approx(wanted, abs=3 * found.mc_se + 0.005)
        assert found.mc_se == pytest.approx(np.sqrt(found.power * (1 - found.power) / 600))

    @pytest.mark.parametrize('share', [0.3, 0.5])
    def test_power_of_a_risk_is_that_of_both_paths_tested(self, share):
        """Where many people make the interval of a product one of both slopes: t and Wald tests of statsmodels."""
        n, a, b = 200, 0.15, 0.15
        found = risk_power((n, n), (a, b), share, np.random.default_rng(3), n_trials=150, n_bootstraps=299)
        rng, x, n_both = np.random.default_rng(4), standard_arm(n, n), 0
        for _ in range(300):
            mediator, latent = simulate_paths(x, a, b, rng)
            event = latent > stats.norm.isf(share)
            first = sm.OLS(mediator, sm.add_constant(x)).fit().pvalues[1]
            design = sm.add_constant(np.column_stack([x, mediator]))
            n_both += max(first, sm.Logit(event, design).fit(disp=0).pvalues[2]) < 0.05
        # three errors of 150 and 300 trials; .02 for two tests that are not quite one
        error = np.sqrt(found.power * (1 - found.power) * (1 / 150 + 1 / 300))
        assert 0.3 < n_both / 300 < 0.98
        assert found.power == pytest.approx(n_both / 300, abs=3 * error + 0.02)

    def test_a_cut_costs_power(self):
        whole = mediation_power(29, 28, 0.39, 0.39, np.random.default_rng(1), n_trials=200, n_bootstraps=299)
        cut = risk_power(
            (29, 28), (0.39, 0.39), 0.4, np.random.default_rng(1), n_trials=200, n_bootstraps=299
        )
        assert cut.power < whole.power - 0.1
        assert cut.mc_se == pytest.approx(np.sqrt(cut.power * (1 - cut.power) / 200))

    @pytest.mark.parametrize('share', [0, 1, 1.2])
    def test_an_event_of_nobody_or_everybody(self, rng, share):
        with pytest.raises(ParameterError, match=f'{share:g} of people have the event'):
            risk_power((20, 20), (0.3, 0.3), share, rng)

    def test_signs_do_not_matter_and_no_path_has_no_power(self):
        def power(a, b):
            return mediation_power(
                15, 15, a, b, np.random.default_rng(2), n_trials=100, n_bootstraps=199
            ).power

        assert power(0.6, 0.6) == pytest.approx(power(-0.6, -0.6), abs=0.25)
        assert power(0.0, 0.0) < 0.05  # the interval of two null paths rarely excludes zero

    @pytest.mark.parametrize(
        ('arguments', 'message'),
        [((1, 20, 0.3, 0.3), '1 treated and 20 control'), ((20, 20, 1.0, 0.3), 'between -1 and 1')],
    )
    def test_impossible_trials(self, rng, arguments, message):
        with pytest.raises(ParameterError, match=message):
            mediation_power(*arguments, rng)


@pytest.fixture(scope='module')
def recorded() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / 'mediation_coverage.tsv', sep='\t')


class TestCoverage:
    def test_recorded_intervals(self, recorded):
        two_arms = recorded[recorded.kind == 'same_visit']
        assert list(zip(two_arms.a, two_arms.b)) == list(study.PATHS)
        others = [
            (kind, arm) for kind in ('before_no_baseline', 'before_binary') for arm in ('yoga', 'walking')
        ]
        assert list(zip(recorded.kind, recorded.arm))[len(two_arms) :] == others
        assert (recorded.n_trials == study.N_TRIALS).all()
        planted, null = recorded[recorded.a * recorded.b > 0], recorded[recorded.a * recorded.b == 0]
        assert set(planted.kind) == {'same_visit', 'before_no_baseline', 'before_binary'}
        # percentile intervals of a product are a little short in small samples
        assert planted.coverage.between(0.915, 0.965).all()
        largest = np.maximum(null.a, null.b)
        assert (null.excludes_zero[largest <= 0.39] <= 0.065).all()
        assert (null.excludes_zero[largest == 0.59] <= 0.085).all()
        # of 120 people: twice as many, half as much too short
        assert (null.excludes_zero[null.kind != 'same_visit'] <= 0.075).all()
        # ten means of 2,000 trials
        assert (recorded.mean_bias.abs() < 3.5 * recorded.mc_se_bias).all()

    def test_a_trial_repeats_on_its_own(self):
        together, alone = study.simulate(range(3, 5)), study.simulate(range(4, 5))
        keys = ['kind', 'arm', 'a', 'b']
        second = together.groupby(keys, sort=False).tail(1).reset_index(drop=True)
        pd.testing.assert_frame_equal(second, alone)

    def test_truth_of_the_risk_is_that_of_people_with_both_fates(self):
        """Drawn in the world of the study, 400,000 people."""
        rng, n = np.random.default_rng(1), 400_000
        first, noise, chance = rng.standard_normal(n), rng.standard_normal(n), rng.logistic(size=n)

        def risk(arm, effect):
            mediator = study.BASELINE * first + effect + noise
            line = study.INTERCEPT + study.DIRECT * arm + study.SLOPE * mediator + study.CONFOUNDED * first
            return np.mean(line + chance > 0)

        wanted = np.mean([risk(arm, 0.8) - risk(arm, 0.0) for arm in (0, 1)])
        # a share of 400,000 has an error of 0.0008, differences within people less
        assert study.indirect_risk(0.8) == pytest.approx(wanted, abs=0.002)
        assert study.indirect_risk(0.0) == 0

    def test_a_table_of_other_trials_is_told(self, recorded):
        """``scripts/accept --sloppy --only mediation`` holds new trials against the table; here it is a wrong one."""
        wrong = recorded.assign(mean_bias=recorded.mean_bias - 1, excludes_zero=0.9)
        checks = met('mediation')
        share_of_mediation(checks, wrong, 8)
        assert [check.is_met for check in checks] == [True, False, False]
