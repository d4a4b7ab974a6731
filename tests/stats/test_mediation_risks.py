"""Natural effects on a risk against R, integrals one by one, potential outcomes drawn, and laws."""

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import integrate, special

from pipelines.errors import DataError
from pipelines.stats.bootstrap import draw_resamples, percentile_interval
from pipelines.stats.discrete.logistic import Events
from pipelines.stats.discrete.solving import fit_or_penalise
from pipelines.stats.mediate import mediate
from pipelines.stats.mediation_model import PathModel, orders, prepare
from pipelines.stats.mediation_risks import Worlds, risk_without_mediators, trace_risks

GOLDEN = Path(__file__).resolve().parents[1] / 'golden'
SINGLE = PathModel('x to e', 'arm', ('x',), 'e', ('x0', 'y0'), ('age',), kind='binary')
CROSSED = SINGLE._replace(interaction=True)
PARALLEL = PathModel('both', 'arm', ('x', 'z'), 'e', ('x0', 'z0'), ('age',), 'parallel', kind='binary')
SERIAL = PARALLEL._replace(structure='serial')
NODES = 5e-5
"""What 20 points leave of an integral of a logistic curve over a spread of up to 3 on its scale."""


@pytest.fixture(scope='module')
def people() -> pd.DataFrame:
    table = pd.read_csv(GOLDEN / 'mediation.tsv', sep='\t')
    return table.assign(e=(table.y > 2.5).astype(float))


def estimates(table, model, seed=0):
    """Return the estimates by mediator and path."""
    paths = mediate(table, model, np.random.default_rng(seed), n_bootstraps=99).paths
    return paths.set_index(['mediator', 'path']).estimate


class TestNumbersOfR:
    """R 4.2.2, lm, glm and integrate: see tests/golden/README.md; printed to eleven digits."""

    def test_one_mediator(self, people):
        found = estimates(people, SINGLE)['x']
        assert found.a == pytest.approx(0.7853232719, rel=1e-8)
        assert found.b == pytest.approx(-2.4466076455, rel=1e-8)
        wanted = [-0.192996862214, 0.065448176302, -0.127548685912]
        assert found[['indirect', 'direct', 'total']].tolist() == pytest.approx(wanted, abs=NODES)

    def test_a_slope_per_arm(self, people):
        found = estimates(people, CROSSED)['x']
        slopes = [-2.33901459757, -2.33901459757 - 0.22836107644, -0.22836107644]
        assert found[['b_control', 'b_treatment', 'interaction']].tolist() == pytest.approx(slopes, rel=1e-8)
        risks = [[0.64210288678, 0.45015022577], [0.70990766593, 0.51514956230]]
        wanted = {
            'indirect_control': risks[0][1] - risks[0][0],
            'indirect_treatment': risks[1][1] - risks[1][0],
            'direct_control': risks[1][0] - risks[0][0],
            'direct_treatment': risks[1][1] - risks[0][1],
            'total': risks[1][1] - risks[0][0],
        }
        assert found[list(wanted)].tolist() == pytest.approx(list(wanted.values()), abs=NODES)

    def test_without_mediator(self, people):
        found = mediate(people, SINGLE, np.random.default_rng(0), n_bootstraps=99)
        assert found.without_mediator == pytest.approx(-0.085166291276, rel=1e-8)
        assert found.without_mediator == risk_without_mediators(prepare(people, SINGLE))
        assert found.sensitivity is None


def fitted(table):
    """Return least squares of both mediators, and the logistic regression, of statsmodels."""
    fixed = 'x0 + z0 + age'
    x, z = (smf.ols(f'{left} + {fixed}', table).fit() for left in ('x ~ arm', 'z ~ arm + x'))
    return x, z, smf.logit(f'e ~ arm + x + z + {fixed}', table).fit(disp=0, tol=1e-13, maxiter=100)


def brute(table, arm, through):
    """Return the risk with these arms of the outcome, and of each way through the mediators, in a double integral.

    ``through``: of the way through x alone, through z alone, and from x through z.
    """
    x, z, e = fitted(table)
    alone, second, chain = through
    both = dict.fromkeys(('x', 'z'), 0.0)
    line = e.predict(table.assign(arm=arm, **both), which='linear').to_numpy()
    mean_x = x.predict(table.assign(arm=alone)).to_numpy()
    # z holds x as it would be for the way from x through z
    mean_z = z.predict(table.assign(arm=second, x=x.predict(table.assign(arm=chain)))).to_numpy()
    u, w = np.meshgrid(*[np.linspace(-8, 8, 161)] * 2)  # a sum at equal steps is exact for smooth curves
    weight = np.exp(-(u**2 + w**2) / 2)
    # the degrees of freedom are those of the first mediator
    error_x, error_z = np.sqrt(x.scale) * u, np.sqrt(z.ssr / x.df_resid) * w
    moved = e.params['x'] * error_x + e.params['z'] * (z.params['x'] * error_x + error_z)
    at = line + e.params['x'] * mean_x + e.params['z'] * mean_z
    return float(np.mean([np.sum(weight * special.expit(one + moved)) for one in at]) / weight.sum())


def switched(risk, n_ways):
    """Return what each way adds, over all orders of switching and both arms of the outcome."""
    found, every = np.zeros(n_ways), list(permutations(range(n_ways)))
    for arm, order in product((0, 1), every):
        on = [0] * n_ways
        for way in order:
            before = risk(arm, tuple(on))
            on[way] = 1
            found[way] += (risk(arm, tuple(on)) - before) / (2 * len(every))
    return found


class TestSeveral:
    @pytest.fixture(scope='class')
    def risks(self, people):
        return {
            (arm, ways): brute(people, arm, ways) for arm, ways in product((0, 1), product((0, 1), repeat=3))
        }

    def test_in_series(self, people, risks):
        found = estimates(people, SERIAL)
        wanted = switched(lambda arm, on: risks[arm, on], 3)
        assert found[:, 'indirect'][['x', 'z', 'x>z']].tolist() == pytest.approx(wanted, abs=NODES)
        assert found['x+z', 'joint_indirect'] == pytest.approx(wanted.sum(), abs=NODES)
        ends = [risks[1, on] - risks[0, on] for on in ((0, 0, 0), (1, 1, 1))]
        assert found['x+z', 'direct'] == pytest.approx(np.mean(ends), abs=NODES)
        assert found['x>z', 'd21'] == pytest.approx(fitted(people)[1].params['x'], rel=1e-8)

    def test_side_by_side(self, people, risks):
        """The first way is x, with the second comes all of the effect on z, whatever its route."""
        found = estimates(people, PARALLEL)
        wanted = switched(lambda arm, on: risks[arm, (on[0], on[1], on[1])], 2)
        assert found[:, 'indirect'][['x', 'z']].tolist() == pytest.approx(wanted, abs=NODES)

    def test_what_all_carry_does_not_depend_on_their_order(self, people):
        one, other = (estimates(people, model) for model in orders(SERIAL))
        beside = estimates(people, PARALLEL)
        for path in ('joint_indirect', 'direct', 'total'):
            values = [found[:, path].item() for found in (one, other, beside)]
            # three ways to the same line, to rounding of the iterations
            assert values == pytest.approx([values[0]] * 3, abs=1e-9)
        assert beside[:, 'indirect'].sum() == pytest.approx(beside['x+z', 'joint_indirect'], rel=1e-9)


class TestPotentialOutcomes:
    """People of whom both fates are drawn; the models see one of them."""

    N = 200_000

    @pytest.fixture(scope='class')
    def drawn(self):
        rng = np.random.default_rng(5)
        arm, before = rng.integers(0, 2, self.N), rng.standard_normal(self.N)
        errors, chance = rng.standard_normal((2, self.N)), rng.logistic(size=self.N)

        def x(t):
            return 0.6 * t + 0.5 * before + 0.9 * errors[0]

        def z(t, s):
            return 0.4 * t + 0.5 * x(s) + 0.7 * errors[1]

        def event(t, first, second):
            return (-0.5 + 0.4 * t + 1.2 * first - 0.8 * second + 0.3 * before + chance > 0).astype(float)

        table = pd.DataFrame({'arm': arm, 'x0': before, 'x': x(arm), 'z': z(arm, arm)})
        table['e'] = event(arm, table.x, table.z)
        truth = {(t, on): event(t, x(on[0]), z(on[1], on[2])).mean()
                 for t, on in product((0, 1), product((0, 1), repeat=3))}  # fmt: skip
        return table, truth

    @pytest.mark.parametrize('structure', ['single', 'parallel', 'serial'])
    def test_effects(self, drawn, structure):
        table, truth = drawn
        model = PathModel('m', 'arm', ('x', 'z'), 'e', ('x0',), structure=structure, kind='binary')
        if structure == 'single':
            # z moved by x alone belongs to x; what treatment does to z by itself is direct
            model = model._replace(mediators=('x',))
            risk = {(t, s): truth[t, (s, t, s)] for t, s in product((0, 1), repeat=2)}
            wanted = [np.mean([risk[t, 1] - risk[t, 0] for t in (0, 1)])]
        else:
            ways = (lambda on: on) if structure == 'serial' else (lambda on: (on[0], on[1], on[1]))
            wanted = switched(lambda t, on: truth[t, ways(on)], 3 if structure == 'serial' else 2)
        found, _ = trace_risks(prepare(table, model), model, np.arange(self.N)[None])
        values = [float(v[0]) for (_, path), v in found.items() if path == 'indirect']
        # both have errors of .0011 (200,000 people of whom half have the event), a logistic model of a normal
        # mixture, where z is left out, .0005 more; effects are .02 to .15
        assert values == pytest.approx(wanted, abs=0.006)
        total = next(float(v[0]) for (_, path), v in found.items() if path == 'total')
        assert total == pytest.approx(truth[1, (1, 1, 1)] - truth[0, (0, 0, 0)], abs=0.006)


class TestBootstrap:
    def test_loop_over_the_same_resamples(self, people):
        """One by one, with the fit that tells separation by a linear programme."""
        few = people.iloc[[*range(9), *range(40, 49)]].reset_index(drop=True)
        model = SINGLE._replace(baselines=(), covariates=())
        fit = mediate(few, model, np.random.default_rng(8), n_bootstraps=99)
        indirect, n_penalised = [], 0
        for drawn in draw_resamples(few.arm, 99, np.random.default_rng(8)):
            part = few.iloc[drawn]
            design = np.column_stack([np.ones(len(part)), part.arm])
            a, *_ = np.linalg.lstsq(design, part.x)
            spread = np.sqrt(np.sum((part.x - design @ a) ** 2) / (len(part) - 2))
            data = Events(np.column_stack([design, part.x]), part.e.to_numpy(), np.ones(len(part)))
            (i, c, b), is_penalised = fit_or_penalise(data)[0].coefficients, fit_or_penalise(data)[1]
            n_penalised += is_penalised
            risk = {
                (t, s): integrate.quad(
                    lambda u, t=t, s=s, i=i, c=c, b=b, a=a, spread=spread: (
                        special.expit(i + c * t + b * (a[0] + a[1] * s + spread * u))
                        * np.exp(-(u**2) / 2)
                        / np.sqrt(2 * np.pi)
                    ),
                    -9,
                    9,
                    limit=200,
                )[0]
                for t, s in product((0, 1), repeat=2)
            }
            indirect.append((risk[0, 1] - risk[0, 0] + risk[1, 1] - risk[1, 0]) / 2)
        row = fit.paths.set_index('path').loc['indirect']
        wanted = percentile_interval(np.array(indirect))
        assert 5 < n_penalised == fit.n_penalised
        assert row['flags'] == 'separated_resamples'
        # nearly separated resamples have slopes so steep that 20 points leave more
        assert [row.ci_low, row.ci_high, row.se] == pytest.approx(
            [wanted.ci_low, wanted.ci_high, wanted.se], abs=5e-3
        )
        assert row.p == wanted.p

    def test_an_effect_has_the_sign_of_its_paths(self, people):
        """Risks rise with log odds, so that p of the indirect effect is that of the product."""
        data, drawn = prepare(people, SINGLE), draw_resamples(people.arm, 400, np.random.default_rng(2))
        found, _ = trace_risks(data, SINGLE, drawn)
        product_of_paths = found['x', 'a'] * found['x', 'b']
        assert (np.sign(found['x', 'indirect']) == np.sign(product_of_paths)).all()
        assert len(set(np.sign(product_of_paths))) == 2

    def test_parts_add_up_and_rare_covariates_leave_no_estimate(self, people):
        table = people.assign(age=np.arange(57) == 3)
        fit = mediate(table, SINGLE, np.random.default_rng(0), n_bootstraps=999)
        found = fit.paths.set_index('path').estimate
        assert found.total == pytest.approx(found.indirect + found.direct, rel=1e-9)
        assert fit.n_degenerate / 999 == pytest.approx((27 / 28) ** 28, abs=0.06)

    def test_everybody_separated(self, people):
        table = people.assign(e=(people.x > people.x.median()).astype(float))
        fit = mediate(table, SINGLE, np.random.default_rng(0), n_bootstraps=150)
        assert fit.n_penalised == 150 - fit.n_degenerate > 140
        assert fit.paths['flags'].str.contains('separated separated_resamples').all()
        assert fit.paths.estimate.dropna().abs().max() < 50

    def test_scales(self, people):
        for model in (SINGLE, CROSSED, SERIAL):
            scales = mediate(people, model, np.random.default_rng(0), n_bootstraps=99).paths
            of = scales.set_index('path')['scale']
            heads = of.index.str.replace('_(control|treatment)$', '', regex=True)
            assert set(of[heads.isin(['b', 'interaction'])]) == {'log_odds'}
            assert set(of[heads.isin(['indirect', 'direct', 'total', 'joint_indirect'])]) == {
                'risk_difference'
            }
            assert set(of[heads.isin(['a', 'd21'])]) == {'units'}

    @pytest.mark.parametrize('value', [0.5, 2, -1])
    def test_other_values_are_refused(self, people, value):
        with pytest.raises(DataError, match=rf'the binary outcome e is {value:g}; allowed: 0 and 1'):
            mediate(people.assign(e=people.e.where(people.index > 0, value)), SINGLE, np.random.default_rng())


class TestQuadrature:
    @pytest.mark.parametrize('spread', [0.0, 0.5, 1.5, 3.0])
    def test_risk_is_the_integral(self, spread, rng):
        line, shift = rng.normal(0, 2, (6, 1)), np.array([0.7])
        times = rng.integers(0, 3, (6, 1)).astype(float)
        for array in (line, times, shift):
            array.setflags(write=False)
        one = [
            integrate.quad(
                lambda u, at=at: special.expit(at + 0.7 + spread * u) * np.exp(-(u**2) / 2), -12, 12
            )[0]
            for at in line[:, 0]
        ]
        wanted = np.average(one, weights=times[:, 0]) / np.sqrt(2 * np.pi)
        found = Worlds(line, times, np.array([spread])).risk(shift)
        assert found == pytest.approx(wanted, abs=NODES if spread < 3 else 1e-4)

    def test_many_resamples_are_cut_up(self, rng):
        line, times = rng.normal(size=(500, 1200)), np.ones((500, 1200))
        found = Worlds(line, times, np.full(1200, 0.8)).risk(np.zeros(1200))
        alone = [Worlds(line[:, [b]], times[:, [b]], np.array([0.8])).risk(np.zeros(1))[0] for b in (0, 777)]
        assert found[[0, 777]].tolist() == pytest.approx(alone, rel=1e-12)
