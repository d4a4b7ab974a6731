"""Restricted likelihood of people with unequal visits, its gradient and its information."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .cells import Cells

Array = NDArray[Any]


class LikelihoodPoint(NamedTuple):
    """The restricted likelihood at given covariances, in the units of :class:`~.cells.Basis`.

    Attributes
    ----------
    cost
        Minus the log-likelihood, without constants.
    coefficients, root
        (p,) generalised least squares; (p, p) with ``root.T @ root`` their covariance.
    precision
        (C, J, J) inverse covariance of the visits of each cell, zero elsewhere.
    squares, leverage
        (C, J, J) precision-weighted products of residuals, and of the design with its covariance.
    slope
        (G, J, J) derivative of the cost by the elements of each covariance, were they free.

    """

    cost: float
    coefficients: Array
    root: Array
    precision: Array
    squares: Array
    leverage: Array
    slope: Array

    @property
    def covariance(self) -> Array:
        """Return the (p, p) covariance of the coefficients, were Sigma known."""
        return self.root.T @ self.root


class Curvature(NamedTuple):
    """Second derivatives of the cost by all parameters, and what small-sample inference needs of them.

    Attributes
    ----------
    observed
        (k, k).
    turns
        (k, p, p) root of the covariance times the derivative of X' V^-1 X, on either side.

    """

    observed: Array
    turns: Array


def evaluate(cells: Cells, sigma: Array) -> LikelihoodPoint:
    r"""Return the restricted likelihood.

    Parameters
    ----------
    cells
        People.
    sigma
        (G, J, J) covariance of each group, in squares of the scale.

    Raises
    ------
    numpy.linalg.LinAlgError
        A covariance is not positive definite, or nothing is left of the outcome.

    Notes
    -----
    :math:`-2 \ell = \sum_i \log |V_i| + \log |X' V^{-1} X| + r' V^{-1} r` with r the residual of
    generalised least squares [1]_.  All sums over people are sums over cells of an inverse times products.

    References
    ----------
    .. [1] Harville DA. Maximum likelihood approaches to variance component estimation and to related
       problems. J Am Stat Assoc 1977;72:320-338.

    """
    both = cells.seen[:, :, None] & cells.seen[:, None, :]
    blocks = np.where(both, sigma[cells.group], np.eye(sigma.shape[1]))
    # what was not seen stands as a visit on its own with variance 1: it leaves the determinant alone
    factor = np.linalg.cholesky(blocks)
    precision = np.linalg.inv(blocks) * both
    p, products = cells.n_coefficients, cells.products.reshape(precision.size, -1)
    gram = (precision.ravel() @ products).reshape(p + 1, p + 1)
    # the last pivot of the factor is the residual sum of squares
    pivots = np.linalg.cholesky(gram)
    root = np.linalg.inv(pivots[:p, :p])
    coefficients = root.T @ pivots[p, :p]
    log_det = cells.n @ np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    cost = float(log_det + np.log(np.diag(pivots)[:p]).sum() + pivots[p, p] ** 2 / 2)
    turned = np.append(-coefficients, 1.0)
    weights = np.zeros((2, p + 1, p + 1))
    weights[0] = np.outer(turned, turned)
    weights[1, :p, :p] = root.T @ root
    sums = (products @ weights.reshape(2, -1).T).T.reshape(2, *precision.shape)
    squares, leverage = precision @ sums @ precision
    slopes = (cells.n[:, None, None] * precision - squares - leverage) / 2
    slope = np.stack([slopes[part].sum(axis=0) for part in cells.slices])
    return LikelihoodPoint(cost, coefficients, root, precision, squares, leverage, slope)


def trace_sums(cells: Cells, precision: Array, weight: Array, first: Array) -> Array:
    """Return the sums over cells of the traces of ``D_k precision D_l weight``, D the derivatives of Sigma.

    Parameters
    ----------
    cells
        People.
    precision, weight
        (C, J, J) symmetric.
    first
        (G, k, J, J) derivatives.

    Returns
    -------
    Array
        (G k, G k), zero between groups.

    """
    n_groups, k, n_visits, _ = first.shape
    size, found = n_visits**2, np.zeros((n_groups * k, n_groups * k))
    for g, part in enumerate(cells.slices):
        # of precision[b, c] weight[a, d]
        flat = precision[part].reshape(-1, size).T @ weight[part].reshape(-1, size)
        square = flat.reshape([n_visits] * 4).transpose(2, 0, 1, 3).reshape(size, size)
        own = first[g].reshape(k, size)
        found[g * k : (g + 1) * k, g * k : (g + 1) * k] = own @ square @ own.T
    return found


def information(cells: Cells, point: LikelihoodPoint, first: Array, second: Array | None) -> Curvature:
    r"""Return the observed information of the parameters of the covariances.

    Parameters
    ----------
    cells, point
        People and where.
    first
        (G, k, J, J) derivatives of Sigma by the parameters of a group.
    second
        (G, k, k, J, J) second derivatives; None where they vanish, as by the elements of Sigma.

    Notes
    -----
    With :math:`P = V^{-1} - V^{-1} X \Phi X' V^{-1}` and :math:`V_k` the derivatives:
    :math:`y' P V_k P V_l P y - \tfrac12 \mathrm{tr}(P V_k P V_l) + \tfrac12 \mathrm{tr}(P V_{kl})
    - \tfrac12 y' P V_{kl} P y`.

    """
    p, k = cells.n_coefficients, first.shape[1]
    weight = point.leverage + point.squares - cells.n[:, None, None] * point.precision / 2
    observed = trace_sums(cells, point.precision, weight, first)
    if second is not None:
        for g, curved in enumerate(np.einsum('gklab,gab->gkl', second, point.slope)):
            observed[g * k : (g + 1) * k, g * k : (g + 1) * k] += curved
    moments = _moments(cells, point, first)
    turns = point.root @ moments[:, :p, :p] @ point.root.T
    scores = moments[:, :p] @ np.append(-point.coefficients, 1.0) @ point.root.T
    return Curvature(observed - _traces(turns) - scores @ scores.T, -turns)


def expected_information(cells: Cells, point: LikelihoodPoint, first: Array, turns: Array) -> Array:
    r"""Return (k, k) the expected information, which is positive definite wherever there is any.

    Notes
    -----
    :math:`\tfrac12 \mathrm{tr}(P V_k P V_l)`, as in :func:`information`.

    """
    weight = cells.n[:, None, None] * point.precision / 2 - point.leverage
    return trace_sums(cells, point.precision, weight, first) + _traces(turns)


def _traces(turns: Array) -> Array:
    flat = turns.reshape(len(turns), -1)
    return np.asarray(flat @ flat.T / 2)


def _moments(cells: Cells, point: LikelihoodPoint, first: Array) -> Array:
    """Return (G k, p + 1, p + 1) sums of [X y]' V^-1 V_k V^-1 [X y]."""
    width, found = cells.n_coefficients + 1, []
    for part, derivatives in zip(cells.slices, first):
        w = point.precision[part]
        turned = w @ derivatives[:, None] @ w  # k, cells, J, J
        found.append(turned.reshape(len(derivatives), -1) @ cells.products[part].reshape(-1, width**2))
    return np.concatenate(found).reshape(-1, width, width)
