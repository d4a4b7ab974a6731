"""Small-sample inference on contrasts of a restricted likelihood: Kenward-Roger and Satterthwaite."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipelines.errors import DataError

from .fit import RemlFit
from .likelihood import trace_sums

Array = NDArray[Any]


class JointTest(NamedTuple):
    """An F test of several contrasts at once.

    Attributes
    ----------
    statistic
        F, already scaled.
    df_numerator, df_denominator
        Degrees of freedom.
    p
        Probability of an F at least as large.

    """

    statistic: float
    df_numerator: float
    df_denominator: float
    p: float


class Moments(NamedTuple):
    """What small samples do to m contrasts, in units of the outcome.

    Attributes
    ----------
    covariance
        (m, m) of the contrasts, were Sigma known.
    adjusted
        (m, m) with what estimating Sigma adds.
    turns
        (k, m, m) minus the derivatives of ``covariance`` by the parameters of Sigma.
    spread
        (k, k) covariance of those parameters.

    """

    covariance: Array
    adjusted: Array
    turns: Array
    spread: Array


def moments(fit: RemlFit, contrasts: Array) -> Moments:
    r"""Return covariances of contrasts by Kenward and Roger.

    Parameters
    ----------
    fit
        A restricted likelihood at its maximum.
    contrasts
        (m, p) of the coefficients of the design.

    Notes
    -----
    :math:`\Phi_A = \Phi + 2 \Phi \{\sum_{kl} W_{kl} (Q_{kl} - P_k \Phi P_l)\} \Phi` with
    :math:`P_k = -X' V^{-1} V_k V^{-1} X`, :math:`Q_{kl} = X' V^{-1} V_k V^{-1} V_l V^{-1} X` and W the
    inverse of the OBSERVED information: the expected one is wrong where drop-out depends on what was seen
    [2]_.  A quarter of the second derivatives of V belongs into the braces [1]_; by the elements of Sigma
    they vanish, and for other structures they are left out, which makes the result that of
    "Kenward-Roger-Linear".

    References
    ----------
    .. [1] Kenward MG, Roger JH. Small sample inference for fixed effects from restricted maximum
       likelihood. Biometrics 1997;53:983-997.
    .. [2] Kenward MG, Molenberghs G. Likelihood based frequentist inference when data are missing at
       random. Stat Sci 1998;13:236-247.

    """
    cells, point, scale = fit.cells, fit.point, fit.cells.basis.scale
    half = fit.turn(contrasts) @ point.root.T
    weights = half @ point.root
    covariance = half @ half.T
    turns = half @ fit.curvature.turns @ half.T
    p, added = cells.n_coefficients, np.empty_like(covariance)
    products = cells.products[..., :p, :p].reshape(-1, p * p)
    for s, t in zip(*np.tril_indices(len(half))):
        both = (products @ np.outer(weights[s], weights[t]).ravel()).reshape(point.precision.shape)
        # the products of a pair are those of the other pair turned round; the sum over both is wanted
        both = point.precision @ (both + both.swapaxes(1, 2)) @ point.precision / 2
        added[s, t] = added[t, s] = np.sum(fit.spread * trace_sums(cells, point.precision, both, fit.first))
    turned = half @ fit.curvature.turns  # k, m, p
    added -= np.einsum('kl,kmp,lnp->mn', fit.spread, turned, turned)
    return Moments(covariance * scale**2, (covariance + 2 * added) * scale**2, turns * scale**2, fit.spread)


def degrees(found: Moments, which: int) -> float:
    r"""Return Satterthwaite's degrees of freedom of one contrast, which are those of Kenward-Roger as well.

    Notes
    -----
    :math:`\nu = 2 (l' \Phi l)^2 / (g' W g)` with g the derivatives of :math:`l' \Phi l`.

    """
    slope = found.turns[:, which, which]
    variance = float(slope @ found.spread @ slope)
    if not variance > 0:
        raise DataError('the standard error of a contrast does not depend on any variance')
    return float(2 * found.covariance[which, which] ** 2 / variance)


def scaled_f(values: Array, found: Moments) -> JointTest:
    r"""Test that all contrasts are zero by the scaled F of Kenward and Roger.

    Parameters
    ----------
    values
        (m,) estimates.
    found
        Their moments.

    Raises
    ------
    DataError
        The contrasts are linearly dependent, or there are too few people for an F distribution.

    Notes
    -----
    F is :math:`\lambda\, b' \Phi_A^{-1} b / m`; :math:`\lambda` and the denominator's degrees of freedom
    follow from :math:`A_1 = \sum W_{kl} \mathrm{tr}(\Theta_k) \mathrm{tr}(\Theta_l)` and
    :math:`A_2 = \sum W_{kl} \mathrm{tr}(\Theta_k \Theta_l)`, :math:`\Theta_k = \Phi^{-1} \Phi_k`, so that the
    first two moments agree with those of an F, exactly where the test is one of Hotelling or of analysis of
    variance.  With one contrast it is the square of t.

    """
    m = len(values)
    if np.linalg.matrix_rank(found.covariance, hermitian=True) < m:
        raise DataError('contrasts tested together are linearly dependent')
    shares = np.linalg.solve(found.covariance, found.turns)
    traces = np.trace(shares, axis1=1, axis2=2)
    a1 = float(traces @ found.spread @ traces)
    a2 = float(np.einsum('kl,kab,lba->', found.spread, shares, shares))
    b = (a1 + 6 * a2) / (2 * m)
    g = ((m + 1) * a1 - (m + 4) * a2) / ((m + 2) * a2)
    d = 3 * m + 2 * (1 - g)
    c1, c2, c3 = g / d, (m - g) / d, (m + 2 - g) / d
    # variance of F over twice the square of its mean
    ratio = (1 + c1 * b) * (1 - a2 / m) ** 2 / ((1 - c2 * b) ** 2 * (1 - c3 * b) * m)
    if a2 >= m or c3 * b >= 1 or m * ratio <= 1:
        raise DataError('too few people for a joint test of several arms')
    df = 4 + (m + 2) / (m * ratio - 1)
    scale = df * (1 - a2 / m) / (df - 2)
    statistic = float(scale * values @ np.linalg.solve(found.adjusted, values) / m)
    return JointTest(statistic, m, float(df), float(stats.f.sf(statistic, m, df)))


def fai_cornelius(values: Array, found: Moments) -> JointTest:
    r"""Test that all contrasts are zero by an F of independent t statistics.

    Notes
    -----
    The contrasts are turned so that they do not correlate, each gets its own degrees of freedom
    :math:`\nu`, and those of the mean of the squared t follow from
    :math:`E = \sum_{\nu > 2} \nu / (\nu - 2)`: :math:`2 E / (E - m)` [1]_.

    Raises
    ------
    DataError
        Too few people.

    References
    ----------
    .. [1] Fai AH, Cornelius PL. Approximate F-tests of multiple degree of freedom hypotheses in generalized
       least squares analyses of unbalanced split-plot experiments. J Stat Comput Simul 1996;54:363-378.

    """
    m = len(values)
    variances, vectors = np.linalg.eigh(found.covariance)
    if variances[0] <= variances[-1] * 1e-12:
        raise DataError('contrasts tested together are linearly dependent')
    turned = Moments(np.diag(variances), np.diag(variances), vectors.T @ found.turns @ vectors, found.spread)
    each = np.array([degrees(turned, which) for which in range(m)])
    expected = float(np.sum((each / (each - 2))[each > 2]))
    if m > 1 and expected <= m:
        raise DataError('too few people for a joint test of several arms')
    df = float(each[0]) if m == 1 else 2 * expected / (expected - m)
    statistic = float(np.mean((vectors.T @ values) ** 2 / variances))
    return JointTest(statistic, m, df, float(stats.f.sf(statistic, m, df)))
