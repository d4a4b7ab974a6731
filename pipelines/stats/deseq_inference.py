"""The numerical steps of PyDESeq2 for all genes at once."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydeseq2.default_inference import DefaultInference
from scipy import special, stats

from .bordered import Information, Split, split_design

Array = NDArray[Any]

_GENES_AT_ONCE = 1000
_RIDGE = 1e-6  # as PyDESeq2
_ITERATIONS = 250
_LARGEST = 30.0  # coefficients beyond this have left the range of counts
_LOG_ALPHA_TOLERANCE = 1e-6
_FLAT = 1e-3  # slope at which DESeq2's line search gains less than its tolerance of 1e-6


class GroupedInference(DefaultInference):
    """Fit designs whose leading columns are an intercept, or one intercept per participant.

    It maximises the same likelihoods as :class:`pydeseq2.default_inference.DefaultInference` and takes
    its place as ``inference`` of ``DeseqDataSet``; a design without such columns, and a gene that does
    not converge, is left to it.

    Notes
    -----
    PyDESeq2 solves one system of p + k unknowns per gene and iteration; here the p intercepts are
    eliminated (:class:`~pipelines.stats.bordered.Information`) and genes are stacked.  Dispersions are
    roots of the slope of the Cox-Reid adjusted likelihood [1]_ to 1e-6 of their logarithm.  As in DESeq2, a
    gene that varies less than by chance starts at the smallest dispersion, where the likelihood is flat,
    and stays there: trend and prior count on it.

    References
    ----------
    .. [1] Love MI, Huber W, Anders S. Moderated estimation of fold change and dispersion for RNA-seq
       data with DESeq2. Genome Biology 2014;15:550.

    """

    def __init__(self) -> None:
        super().__init__(n_cpus=1)

    def lin_reg_mu(self, counts: Array, size_factors: Array, design_matrix: Array, min_mu: float) -> Array:
        """Return (n, genes) means by least squares on normalised counts, at least ``min_mu``."""
        split = split_design(design_matrix)
        if split is None:
            return super().lin_reg_mu(counts, size_factors, design_matrix, min_mu)
        equations = Information(split, np.ones((1, len(size_factors))))
        normalised = counts.T / size_factors
        fitted = equations.regress(normalised) @ np.asarray(design_matrix, float).T
        return np.maximum(size_factors * fitted, min_mu).T

    def irls(
        self,
        counts: Array,
        size_factors: Array,
        design_matrix: Array,
        disp: Array,
        min_mu: float,
        beta_tol: float,
        **settings: Any,
    ) -> tuple[Array, Array, Array, Array]:
        """Return coefficients (genes, p), means (n, genes), leverages (n, genes), convergence (genes,)."""
        split = split_design(design_matrix)
        fixed = {'size_factors': size_factors, 'design_matrix': design_matrix, 'min_mu': min_mu}
        if split is None:
            return super().irls(counts=counts, disp=disp, beta_tol=beta_tol, **fixed, **settings)
        beta, converged = _stack(
            lambda part: _scoring(counts.T[part], split, size_factors, disp[part], min_mu, beta_tol),
            len(disp),
        )
        lost = np.flatnonzero(~converged)
        if len(lost):
            rest = super().irls(
                counts=counts[:, lost], disp=disp[lost], beta_tol=beta_tol, **fixed, **settings
            )
            beta[lost], converged[lost] = rest[0], rest[3]
        mean = size_factors * np.exp(beta @ design_matrix.T)
        weights = _weights(np.maximum(mean, min_mu), disp)
        (leverage,) = _stack(
            lambda part: (weights[part] * Information(split, weights[part], _RIDGE).quadratic(),), len(disp)
        )
        return beta, mean.T, leverage.T, converged

    def alpha_mle(
        self,
        counts: Array,
        design_matrix: Array,
        mu: Array,
        alpha_hat: Array,
        min_disp: float,
        max_disp: float,
        **settings: Any,
    ) -> tuple[Array, Array]:
        """Return dispersions (genes,) and whether each was found inside its limits or at one."""
        split = split_design(design_matrix)
        if split is None or not settings.get('cr_reg', True):
            return super().alpha_mle(counts, design_matrix, mu, alpha_hat, min_disp, max_disp, **settings)
        variance = settings['prior_disp_var'] if settings.get('prior_reg') else np.inf
        centre, low, high = np.log(alpha_hat), np.log(min_disp), np.log(max_disp)

        def fit(part: slice) -> tuple[Array, Array]:
            y, mean, middle = counts.T[part], mu.T[part], centre[part]

            def slope(log_alpha: Array, which: Array) -> Array:
                prior = (log_alpha - middle[which]) / variance
                return _slope(log_alpha, y[which], mean[which], split) + prior

            return _root(slope, np.clip(middle, low, high), low, high)

        log_alpha, found = _stack(fit, len(alpha_hat))
        return np.exp(log_alpha), found

    def wald_test(
        self,
        design_matrix: Array,
        disp: Array,
        lfc: Array,
        mu: Array,
        ridge_factor: Array,
        contrast: Array,
        **settings: Any,
    ) -> tuple[Array, Array, Array]:
        """Return two-sided p values, Wald statistics and standard errors (genes,) of a contrast."""
        split = split_design(design_matrix)
        if split is None or settings.get('alt_hypothesis') or settings.get('lfc_null'):
            return super().wald_test(design_matrix, disp, lfc, mu, ridge_factor, contrast, **settings)
        ridge = np.diag(ridge_factor)

        def fit(part: slice) -> tuple[Array]:
            weights = _weights(mu.T[part], disp[part])
            right = np.broadcast_to(np.asarray(contrast, float), (len(weights), len(contrast)))
            solved = Information(split, weights, ridge).solve(right)
            # H c' X'WX H c with X'WX = H^-1 - ridge
            return (np.sqrt(solved @ contrast - solved**2 @ ridge),)

        (se,) = _stack(fit, len(disp))
        statistic = lfc @ contrast / se
        return 2 * stats.norm.sf(np.abs(statistic)), statistic, se


def _stack(fit: Callable[[slice], tuple[Array, ...]], genes: int) -> tuple[Array, ...]:
    """Fit some genes at a time, so that what is in use stays small, and join the results."""
    parts = [slice(start, start + _GENES_AT_ONCE) for start in range(0, genes, _GENES_AT_ONCE)]
    return tuple(np.concatenate(found) for found in zip(*map(fit, parts)))


def _weights(mean: Array, disp: Array) -> Array:
    return mean / (1 + mean * disp[:, None])


def _scoring(
    y: Array, split: Split, size_factors: Array, disp: Array, min_mu: float, tolerance: float
) -> tuple[Array, Array]:
    """Return coefficients (m, p) by Fisher scoring and whether they converged, for counts (m, n)."""
    design = np.hstack(split)
    beta = Information(split, np.ones_like(y, float)).regress(np.log(y / size_factors + 0.1))
    size = 1 / disp[:, None]
    constant = np.sum(
        size * np.log(disp[:, None]) - special.gammaln(y + size) + special.gammaln(y + 1)
        + special.gammaln(size), axis=1,
    )  # fmt: skip

    def mean_of(coefficients: Array) -> Array:
        return np.maximum(size_factors * np.exp(np.minimum(coefficients @ design.T, 700)), min_mu)

    deviance, converged = np.full(len(y), 1000.0), np.zeros(len(y), bool)
    going = np.arange(len(y))
    for _ in range(_ITERATIONS):
        mean = mean_of(beta[going])
        working = np.log(mean / size_factors) + (y[going] - mean) / mean
        latest = Information(split, _weights(mean, disp[going]), _RIDGE).regress(working)
        inside = (np.abs(latest) <= _LARGEST).all(axis=1)
        going, latest = going[inside], latest[inside]
        beta[going], mean, r = latest, mean_of(latest), size[going]
        varying = np.sum((y[going] + r) * np.log(mean + r) - y[going] * np.log(mean), axis=1)
        before, deviance[going] = deviance[going], 2 * (constant[going] + varying)
        done = np.abs(deviance[going] - before) <= tolerance * (np.abs(deviance[going]) + 0.1)
        converged[going[done]] = True
        going = going[~done]
        if not len(going):
            break
    return beta, converged


def _slope(log_alpha: Array, y: Array, mean: Array, split: Split) -> Array:
    """Return (m,) slope of the adjusted negative log-likelihood in log dispersion."""
    alpha = np.exp(log_alpha)[:, None]
    size = 1 / alpha
    terms = special.psi(size) - special.psi(y + size) + np.log1p(mean * alpha) + (y - mean) / (mean + size)
    weights = mean / (1 + mean * alpha)
    adjustment = np.sum(weights**2 * Information(split, weights).quadratic(), axis=1)
    return -size[:, 0] * terms.sum(axis=1) - 0.5 * alpha[:, 0] * adjustment


def _root(
    slope: Callable[[Array, Array], Array], start: Array, low: float, high: float
) -> tuple[Array, Array]:
    """Return the minimum next to ``start``, and whether it was found: walk downhill, then close in.

    ``slope(x, which)`` is the slope of the problems ``which`` at ``x``; the minimum is where it turns
    positive, the limit it falls towards, or ``start`` where that is the lower limit and flat.
    """
    near = start.copy()
    at_near = slope(near, np.arange(len(near)))
    is_flat = (near <= low) & (np.abs(at_near) < _FLAT)
    far, at_far = near.copy(), at_near.copy()
    going, step = np.flatnonzero(~is_flat), 0.5
    while len(going):
        near[going], at_near[going] = far[going], at_far[going]
        far[going] = np.clip(near[going] - np.sign(at_near[going]) * step, low, high)
        at_far[going] = slope(far[going], going)
        is_open = (at_far[going] * at_near[going] > 0) & (far[going] > low) & (far[going] < high)
        going, step = going[is_open], 2 * step
    minimum, going = far.copy(), np.flatnonzero((at_far * at_near <= 0) & ~is_flat)
    for _ in range(_ITERATIONS):
        # false position; the end that stays counts half, or it would stay for good (Illinois)
        difference = at_far[going] - at_near[going]
        between = near[going] - at_near[going] * (far[going] - near[going]) / np.where(
            difference, difference, 1
        )
        moved = np.abs(between - minimum[going])
        minimum[going] = between
        going = going[moved > _LOG_ALPHA_TOLERANCE]
        if not len(going):
            break
        between = minimum[going]
        value = slope(between, going)
        crosses = value * at_far[going] <= 0
        near[going] = np.where(crosses, far[going], near[going])
        at_near[going] = np.where(crosses, at_far[going], at_near[going] / 2)
        far[going], at_far[going] = between, value
    found = np.ones(len(start), bool)
    found[going] = False
    return minimum, found
