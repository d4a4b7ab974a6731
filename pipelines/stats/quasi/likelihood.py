"""Quasi-likelihood F tests of counts."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.linalg import null_space

from ..bordered import Split, split_design
from .moderate import Moderated, moderate
from .regression import abundance, fit_means, residual_df, unit_deviance

Array = NDArray[Any]


class QuasiFit(NamedTuple):
    """Negative binomial regressions with a quasi-dispersion of every gene.

    Attributes
    ----------
    counts
        (genes, n).
    split
        Design of the n samples.
    offset
        (n,) logarithm of sequencing depth.
    dispersion
        (genes,) of the negative binomial variance.
    deviance, df
        (genes,) of the regression, and its residual degrees of freedom.
    moderated
        Quasi-dispersions, deviance / df, drawn towards their trend.

    """

    counts: Array
    split: Split
    offset: Array
    dispersion: Array
    deviance: Array
    df: Array
    moderated: Moderated

    @property
    def df_total(self) -> Array:
        """Return the degrees of freedom (genes,) of moderated quasi-dispersions."""
        n, p = len(self.offset), sum(part.shape[1] for part in self.split)
        return np.minimum(self.moderated.df_prior + self.df, len(self.counts) * (n - p))


class FTest(NamedTuple):
    """F of every gene (genes,), its degrees of freedom above (one number) and below (genes,), and p (genes,)."""

    f: Array
    df: int
    df_residual: Array
    p: Array


def fit_quasi(
    counts: Array, design: Array, *, offset: Array, dispersion: Array, level: Array | None = None
) -> QuasiFit:
    r"""Fit every gene, and moderate its quasi-dispersion.

    Parameters
    ----------
    counts
        (genes, n) reads.
    design
        (n, p); its leading columns are an intercept, or one per participant.
    offset
        (n,) logarithm of sequencing depth.
    dispersion
        (genes,) positive, a TREND over the mean: a gene's own would count its variation twice.
    level
        (genes,) mean level; None: :func:`~pipelines.stats.quasi.regression.abundance`.

    Raises
    ------
    ValueError
        If the design has no such leading columns.
    DataError
        Genes do not vary.

    Notes
    -----
    :math:`var(y) = \psi (\mu + \phi \mu^2)` with :math:`\psi` estimated by deviance over residual degrees of freedom
    [1]_, those of samples that are fitted as zero taken off
    (:func:`~pipelines.stats.quasi.regression.residual_df`), and moderated robustly
    (:func:`~pipelines.stats.quasi.moderate.moderate`).

    References
    ----------
    .. [1] Lund SP, Nettleton D, McCarthy DJ, Smyth GK. Detecting differential expression in RNA-sequence data using
       quasi-likelihood with shrunken dispersion estimates. Stat Appl Genet Mol Biol 2012;11(5):8.

    """
    split = split_design(design)
    if split is None:
        raise ValueError('the design has neither an intercept nor one per participant in front')
    means = fit_means(counts, split, offset, dispersion)
    deviance, df = _deviance(counts, means, dispersion), residual_df(counts, means, split)
    variance = np.where(df > 0, deviance / np.maximum(df, 1), 0.0)
    if level is None:
        level = abundance(counts, offset, dispersion)
    return QuasiFit(counts, split, offset, dispersion, deviance, df, moderate(variance, df, level))


def f_test(fit: QuasiFit, contrasts: Array) -> FTest:
    r"""Test that all contrasts of coefficients are zero.

    Parameters
    ----------
    fit
        Of :func:`fit_quasi`.
    contrasts
        (p,) or (p, r) weights of coefficients, none of them of the leading columns; some may follow from others.

    Raises
    ------
    ValueError
        If a leading column has a weight, or no column has one.

    Notes
    -----
    :math:`F = (D_0 - D) / (r \tilde\psi)` with the deviance :math:`D_0` of the design without what the contrasts span,
    on r and :math:`d + d_0` degrees of freedom.

    """
    weights = np.atleast_2d(np.asarray(contrasts, float).T).T
    n_groups = fit.split.groups.shape[1]
    if weights[:n_groups].any():
        raise ValueError('a contrast of intercepts is none of the change')
    df = int(np.linalg.matrix_rank(weights))
    if not df:
        raise ValueError('a contrast without weights tests nothing')
    rest = fit.split.rest @ null_space(weights[n_groups:].T)
    means = fit_means(fit.counts, Split(fit.split.groups, rest), fit.offset, fit.dispersion)
    gained = np.maximum(_deviance(fit.counts, means, fit.dispersion) - fit.deviance, 0)
    f = gained / df / fit.moderated.posterior
    return FTest(f, df, fit.df_total, stats.f.sf(f, df, fit.df_total))


def _deviance(counts: Array, means: Array, dispersion: Array) -> Array:
    return unit_deviance(counts, means, dispersion).sum(axis=1)


def needed_f(rate: float, n_tests: int, df: int, df_residual: float) -> float:
    """Return the F that the best of many genes needs to be called if it is the only one.

    Parameters
    ----------
    rate
        False discovery rate, 0 to 1.
    n_tests
        Genes tested.
    df, df_residual
        Degrees of freedom of the gene.

    Notes
    -----
    The smallest of m p values is called alone where it is at most q / m (Benjamini and Hochberg).

    Examples
    --------
    One test needs the quantile itself, here that of t squared:

    >>> bool(np.isclose(needed_f(0.1, 1, 1, 9), stats.t.isf(0.05, 9) ** 2))
    True

    """
    return float(stats.f.isf(rate / n_tests, df, df_residual))
