"""Standard errors that do not trust the covariance of the model: CR2 with people as clusters."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipelines.errors import DataError

from .fit import RemlFit
from .kenward_roger import JointTest

Array = NDArray[Any]

_ALONE = 1e-6  # of a variance that the fit does not leave to a person


class Sandwich(NamedTuple):
    """Cluster-robust moments of m contrasts, in units of the outcome.

    Attributes
    ----------
    covariance
        (m, m) CR2.
    model
        (m, m) of the working covariance, which the degrees of freedom rest on.
    own
        (n, m, m) what the working covariance expects of each person in ``covariance``, before what the
        fit takes away.
    shared
        (n, m, p) with ``shared[i, s] @ shared[j, t]`` what the fit takes away of persons i and j.

    """

    covariance: Array
    model: Array
    own: Array
    shared: Array


def sandwich(fit: RemlFit, contrasts: Array) -> Sandwich:
    r"""Return CR2 covariances of contrasts.

    Parameters
    ----------
    fit
        A restricted likelihood at its maximum, whose covariance is the working covariance.
    contrasts
        (m, p) of the coefficients of the design.

    Raises
    ------
    DataError
        One person alone determines a part of a contrast.

    Notes
    -----
    :math:`\sum_i (l' M X_i' W_i A_i e_i)^2`, :math:`M = (X' W X)^{-1}`, :math:`W_i = V_i^{-1}`; with
    :math:`V_i = D_i' D_i` the adjustment is
    :math:`A_i = D_i' B_i^{-1/2} D_i`, :math:`B_i = D_i (V_i - X_i M X_i') D_i'`: were V the truth, the
    estimate would be unbiased [1]_ [2]_.

    References
    ----------
    .. [1] Bell RM, McCaffrey DF. Bias reduction in standard errors for linear regression with multi-stage
       samples. Surv Methodol 2002;28:169-181.
    .. [2] Pustejovsky JE, Tipton E. Small-sample methods for cluster-robust variance estimation and
       hypothesis testing in fixed effects models. J Bus Econ Stat 2018;36:672-683.

    """
    cells, point, p = fit.cells, fit.point, fit.cells.n_coefficients
    scale, half = fit.cells.basis.scale, fit.turn(contrasts) @ fit.point.root.T
    blocks = _covariances(fit)
    upper = np.linalg.cholesky(blocks).swapaxes(1, 2)[cells.cell]
    design = cells.rows[..., :p] @ point.root.T  # its cross-product with the precision is the unit matrix
    residual = cells.rows[..., p] - cells.rows[..., :p] @ point.coefficients
    whitened = point.precision[cells.cell] @ design
    left = upper @ (blocks[cells.cell] - design @ design.swapaxes(1, 2)) @ upper.swapaxes(1, 2)
    fitted = upper @ whitened
    inverse, null = _inverse_root(left, _count_alone(fitted))
    turned = fitted @ half.T  # n, J, m
    # what a fit without residual hides of the variance that the working covariance expects
    hidden = np.sum((null @ turned) ** 2, axis=(0, 1))
    if (hidden > _ALONE * np.sum(half**2, axis=1)).any():
        raise DataError('one person alone determines a part of a contrast, so that it has no standard error')
    weights = upper.swapaxes(1, 2) @ inverse @ turned
    scores = np.einsum('ijm,ij->im', weights, residual)
    own = weights.swapaxes(1, 2) @ blocks[cells.cell] @ weights
    shared = weights.swapaxes(1, 2) @ design
    return Sandwich(scores.T @ scores * scale**2, half @ half.T * scale**2, own * scale**2, shared * scale)


def _covariances(fit: RemlFit) -> Array:
    """Return the (C, J, J) covariance of each cell; what was not seen stands on its own."""
    cells = fit.cells
    both = cells.seen[:, :, None] & cells.seen[:, None, :]
    sigma = fit.model.sigma(fit.parameters)
    return np.where(both, sigma[cells.group], np.eye(sigma.shape[1]))


def _count_alone(fitted: Array) -> Array:
    """Return (n,) of how many values of each person the fit leaves nothing; ``fitted`` (n, J, p) with variance 1.

    However much visits correlate, these are shares of a variance.
    """
    left = np.eye(fitted.shape[1]) - fitted @ fitted.swapaxes(1, 2)
    return np.asarray((np.linalg.eigvalsh(left) < _ALONE).sum(axis=1))


def _inverse_root(squares: Array, n_null: Array) -> tuple[Array, Array]:
    """Return inverse symmetric roots, and projections on what has none: the (n,) smallest of each."""
    values, vectors = np.linalg.eigh(squares)
    is_null = np.arange(squares.shape[1]) < n_null[:, None]
    roots = np.where(is_null, 0, 1 / np.sqrt(np.where(is_null, 1, values)))
    turned = vectors.swapaxes(1, 2)
    return (vectors * roots[:, None]) @ turned, (vectors * is_null[:, None]) @ turned


def robust_degrees(found: Sandwich, which: int) -> float:
    r"""Return Satterthwaite's degrees of freedom of the CR2 standard error of one contrast.

    Notes
    -----
    With :math:`g_i` the vectors whose products with the outcome are squared and summed:
    :math:`\nu = (\sum_i g_i' V g_i)^2 / \sum_{ij} (g_i' V g_j)^2`.

    """
    own, shared = found.own[:, which, which], found.shared[:, which]
    lost = np.sum(shared**2, axis=1)
    together = np.sum((shared.T @ shared) ** 2) - np.sum(lost**2)
    return float(np.sum(own - lost) ** 2 / (np.sum((own - lost) ** 2) + together))


def hotelling(values: Array, found: Sandwich) -> JointTest:
    r"""Test that all contrasts are zero by an approximate Hotelling test.

    Parameters
    ----------
    values
        (m,) estimates.
    found
        Their moments.

    Raises
    ------
    DataError
        The contrasts are linearly dependent, or there are too few people.

    Notes
    -----
    The CR2 covariance, turned so that the working covariance of the contrasts is the unit matrix, is taken
    for a Wishart matrix with :math:`\eta = m (m + 1) / \sum_{st} \mathrm{Var}(d_{st})` degrees of freedom:
    :math:`\frac{\eta - m + 1}{\eta m} Q \sim F(m, \eta - m + 1)` [1]_.

    References
    ----------
    .. [1] Tipton E, Pustejovsky JE. Small-sample adjustments for tests of moderators and model fit using
       robust variance estimation in meta-regression. J Educ Behav Stat 2015;40:604-634.

    """
    m = len(values)
    if min(np.linalg.matrix_rank(s, hermitian=True) for s in (found.model, found.covariance)) < m:
        raise DataError('contrasts tested together are linearly dependent, or too few people have them')
    turn = np.linalg.inv(np.linalg.cholesky(found.model))
    own, shared = turn @ found.own @ turn.T, turn @ found.shared
    variance = 0.0
    pairs = {
        (s, t): np.diag(own[:, s, t]) - shared[:, s] @ shared[:, t].T for s in range(m) for t in range(m)
    }
    for s in range(m):
        for t in range(m):
            variance += np.sum(pairs[s, s] * pairs[t, t] + pairs[s, t] * pairs[t, s])
    eta = m * (m + 1) / variance
    if eta <= m - 1 + 1e-9:
        raise DataError('too few people for a joint test of several arms')
    wald = values @ np.linalg.solve(found.covariance, values)
    df = float(eta - m + 1)
    statistic = float(df / (eta * m) * wald)
    return JointTest(statistic, m, df, float(stats.f.sf(statistic, m, df)))
