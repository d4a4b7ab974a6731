"""Natural effects on the risk of a binary outcome: normal mediators put through a logistic model."""

from math import comb
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .bootstrap import count_drawn, cross_products, successive_regressions
from .discrete.logistic import Events
from .discrete.resampled import fit_resamples
from .discrete.solving import fit_or_penalise
from .mediation_model import PathModel, Prepared
from .mediation_paths import Paths, trace_paths

Array = NDArray[Any]

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(20)
_CUT = 20_000  # log odds at once: what a processor keeps near
_SURE = 340.0  # log odds; of two such numbers the product of exponentials is still a number


class RiskPaths(NamedTuple):
    """Paths of B resamples, and (B,) which of them were fitted with Firth's penalty."""

    paths: Paths
    is_penalised: Array


class Worlds(NamedTuple):
    """Log odds of everybody, from which follow risks under either arm with mediators as under either.

    Attributes
    ----------
    line
        (n, B) under control, with mediators as they are expected under control.
    times
        (n, B) how often each person is in each resample.
    spread
        (B,) standard deviation that what is unexplained of the mediators gives to the log odds.

    """

    line: Array
    times: Array
    spread: Array

    def risk(self, shift: Array) -> Array:
        r"""Return (B,) the mean risk of people whose log odds are moved by ``shift`` (B,).

        Notes
        -----
        :math:`\frac1n \sum_i \int \mathrm{expit}(\eta_i + \delta + \tau u)\, \phi(u)\, du` by 20 points of Gauss
        and Hermite.

        Examples
        --------
        >>> even = Worlds(np.zeros((2, 1)), np.ones((2, 1)), np.array([3.0]))
        >>> even.risk(np.zeros(1)).round(12).tolist()
        [0.5]

        """
        found = np.empty(len(self.spread))
        size = max(1, _CUT // len(self.line))
        for start in range(0, len(found), size):
            own = slice(start, start + size)
            # 1 / (1 + exp(-line) exp(-shift)): one exponential for all points
            odds_against = np.exp(-np.clip(self.line[:, own], -_SURE, _SURE))
            total, part = np.zeros_like(odds_against), np.empty_like(odds_against)
            for node, weight in zip(_NODES, _WEIGHTS):
                moved = np.clip(shift[own] + node * self.spread[own], -_SURE, _SURE)
                np.multiply(odds_against, np.exp(-moved), out=part)
                part += 1
                total += np.divide(weight, part, out=part)
            times = self.times[:, own]
            found[own] = np.sum(times * total, axis=0) / _WEIGHTS.sum() / times.sum(axis=0)
        return found


class _Fitted(NamedTuple):
    """Models of B resamples: of k mediators on f regressors, treatment and those before; and of the outcome.

    ``between`` (k + 1, k + 1, B) of treatment and mediators on each other, ``expected`` (f, k, B) of mediators under
    control, ``variances`` (k, B) of what is unexplained, ``logistic`` (f + 1 + k [+ 1], B).
    """

    basis: Array
    times: Array
    between: Array
    expected: Array
    variances: Array
    logistic: Array

    def worlds(self, b: Array) -> Worlds:
        """Return log odds where mediators have slopes ``b`` (k, B)."""
        f, k = self.expected.shape[:2]
        line = self.basis @ (self.logistic[:f] + np.sum(self.expected * b, axis=1))
        effects = b.copy()  # of an error of each mediator, also through those after it
        for j in reversed(range(k)):
            effects[j] += np.sum(self.between[j + 1, j + 2 :] * effects[j + 1 :], axis=0)
        return Worlds(line, self.times, np.sqrt(np.sum(effects**2 * self.variances, axis=0)))


def trace_risks(data: Prepared, model: PathModel, drawn: Array) -> RiskPaths:
    r"""Return the paths of each resample when the outcome is 0 or 1.

    Parameters
    ----------
    data
        The outcome is 0 or 1.
    model
        Mediators, and whether their slope differs between the arms.
    drawn
        (B, n) people of each resample.

    Returns
    -------
    RiskPaths
        As of :func:`~.mediation_paths.trace_paths` or :func:`~.mediation_paths.trace_interaction`; slopes on
        mediators in log odds, indirect, direct and total effects as differences in risk.  NaN where a resample has no
        estimate.

    Notes
    -----
    :math:`M = i_1 + a t + \dots + e`, :math:`\mathrm{logit}\, P(Y = 1) = i_2 + c' t + b M + \dots`.  With
    :math:`R(t, s)` the risk under arm t with the mediator as under arm s, normal about its fitted value with the
    residual variance, averaged over people: the indirect effect is the mean over t of
    :math:`R(t, 1) - R(t, 0)`, the direct one the mean over s of :math:`R(1, s) - R(0, s)`, and both add up to
    :math:`R(1, 1) - R(0, 0)`, the total effect [1]_ [2]_.  Of several mediators the log odds hold the sum, whose
    variance is that of the sum of their errors.  What goes through one of them is the mean over which of the others
    are as under treatment, all orders of switching counting alike (Shapley's value), so that the parts add up to
    the joint effect.

    References
    ----------
    .. [1] Imai K, Keele L, Tingley D. A general approach to causal mediation analysis. Psychol Methods
       2010;15:309-334.
    .. [2] VanderWeele TJ, Vansteelandt S. Odds ratios for mediation analysis for a dichotomous outcome. Am J
       Epidemiol 2010;172:1339-1348.

    """
    fitted, is_penalised = _fit(data, model, drawn)
    return RiskPaths((_by_arm if model.interaction else _by_mediator)(fitted, model), is_penalised)


def _fit(data: Prepared, model: PathModel, drawn: Array) -> tuple[_Fitted, Array]:
    f, k, n = data.n_fixed, len(model.mediators), len(data.arm)
    design = np.column_stack([data.columns[:, :f], data.arm, data.mediators])
    coefficients, squares = successive_regressions(cross_products(design, drawn))
    variances = squares[f + 1 :] / (n - f - 1)  # one number for all, or the order of mediators would matter
    expected = coefficients[:f, f + 1 :].copy()
    for j in range(1, k):
        expected[:, j] += np.sum(coefficients[f + 1 : f + 1 + j, f + 1 + j] * expected[:, :j], axis=1)
    if model.interaction:
        design = np.column_stack([design, data.arm * data.mediators[:, 0]])
    sizes = np.sqrt(np.mean(design**2, axis=0))
    times = count_drawn(drawn, n).T
    usable = ~np.isnan(squares).any(axis=0)
    logistic, is_penalised = np.full((len(sizes), len(drawn)), np.nan), np.zeros(len(drawn), bool)
    logistic[:, usable], is_penalised[usable] = fit_resamples(design / sizes, data.outcome, times[:, usable])
    fitted = _Fitted(
        design[:, :f], times, coefficients[f:, f:], expected, variances, logistic / sizes[:, None]
    )
    return fitted, is_penalised


def _by_mediator(fitted: _Fitted, model: PathModel) -> Paths:
    """Return the paths of one mediator, or of several side by side or in series."""
    k, f = len(model.mediators), len(fitted.expected)
    slopes = fitted.logistic[f:]
    system = np.zeros((k + 2, k + 2, slopes.shape[1]))
    system[: k + 1, : k + 1], system[: k + 1, k + 1] = fitted.between, slopes
    found = trace_paths(system, model.mediators, is_serial=model.structure == 'serial')
    worlds = fitted.worlds(slopes[1:])
    chains = [key for key in found if key[1] == 'indirect']
    n_chains, everything = len(chains), 2 ** len(chains) - 1
    # a bit says whether a chain is as under treatment
    risks = np.array([
        [
            worlds.risk(arm * slopes[0] + sum(found[c] for bit, c in enumerate(chains) if mask >> bit & 1))
            for mask in range(everything + 1)
        ]
        for arm in (0, 1)
    ])  # fmt: skip
    for bit, chain in enumerate(chains):
        found[chain] = sum(
            (risks[:, mask | 1 << bit] - risks[:, mask]).mean(axis=0)
            / (n_chains * comb(n_chains - 1, mask.bit_count()))
            for mask in range(everything + 1)
            if not mask >> bit & 1
        )
    joint = (risks[:, everything] - risks[:, 0]).mean(axis=0)
    direct = (risks[1] - risks[0])[[0, everything]].mean(axis=0)
    total = risks[1, everything] - risks[0, 0]
    effects = {'joint_indirect': joint, 'direct': direct, 'total': total}
    effects['proportion'] = np.divide(joint, total, out=np.full_like(total, np.nan), where=total != 0)
    return found | {key: effects[key[1]] for key in found if key[1] in effects}


def _by_arm(fitted: _Fitted, model: PathModel) -> Paths:
    """Return natural effects when the slope on the mediator differs between the arms."""
    f = len(fitted.expected)
    a, (direct, b, slope) = fitted.between[0, 1], fitted.logistic[f:]
    risks = {}
    for arm, own in ((0, b), (1, b + slope)):
        worlds = fitted.worlds(own[None])
        for other in (0, 1):
            risks[arm, other] = worlds.risk(arm * direct + other * own * a)
    found = {
        'a': a,
        'b_control': b,
        'b_treatment': b + slope,
        'interaction': slope,
        'indirect_control': risks[0, 1] - risks[0, 0],
        'indirect_treatment': risks[1, 1] - risks[1, 0],
        'direct_control': risks[1, 0] - risks[0, 0],
        'direct_treatment': risks[1, 1] - risks[0, 1],
        'total': risks[1, 1] - risks[0, 0],
    }
    return {(model.mediators[0], path): values for path, values in found.items()}


def risk_without_mediators(data: Prepared) -> float:
    """Return the difference in risk, standardised over everybody, of the regression without mediators."""
    basis = data.columns[:, : data.n_fixed]
    design = np.column_stack([basis, data.arm])
    fit, _ = fit_or_penalise(Events(design, data.outcome, np.ones(len(design))))
    line = basis @ fit.coefficients[:-1]
    return float(np.mean(special.expit(line + fit.coefficients[-1]) - special.expit(line)))
