"""Variances of many genes, each drawn towards what genes of its level have."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats
from statsmodels.nonparametric.smoothers_lowess import lowess

from pipelines.errors import DataError

Array = NDArray[Any]

TAIL_SHARES = (0.05, 0.1)
"""Shares of the log variances, from below and above, that are drawn in before their spread is taken."""

_SPAN, _INTERPOLATED = 0.4, 0.01  # of the local trend: share of genes, and of the range of levels
_NODES = 128
_SMALLEST, _SMALLEST_PLAIN = 1e-12, 1e-5  # of the median variance
_MANY, _SOME, _FEW = 30, 6, 3  # genes for which the spline has 4, 3 and 2 degrees of freedom


class Moderated(NamedTuple):
    """Moderated variances.

    Attributes
    ----------
    trend
        (genes,) variance of genes of this level.
    df_prior
        (genes,) degrees of freedom that the trend is worth; lower for genes that vary more than others do.
    posterior
        (genes,) the two together.

    """

    trend: Array
    df_prior: Array
    posterior: Array


class _Prior(NamedTuple):
    trend: Array
    df: float


def moderate(variance: Array, df: Array, level: Array) -> Moderated:
    r"""Draw variances towards a trend over the level of genes, outlying genes less than others.

    Parameters
    ----------
    variance
        (genes,) not negative.
    df
        (genes,) degrees of freedom; 0 where there is no variance.
    level
        (genes,) such as mean log expression.

    Raises
    ------
    DataError
        More than half of the variances are zero.

    Notes
    -----
    :math:`s^2 \sim \sigma_0^2 F_{d, d_0}` with a trend :math:`\sigma_0^2` and :math:`d_0` from the moments of
    :math:`\log s^2` [1]_.  Robust [2]_: the trend is local (lowess), moments are of residuals with their :data:`TAIL_SHARES`
    drawn in and are compared with those of an F distribution treated likewise; genes further out than the rank
    of their residual allows keep a smaller :math:`d_0`.
    Posterior: :math:`(d s^2 + d_0 \sigma_0^2) / (d + d_0)`.

    References
    ----------
    .. [1] Smyth GK. Linear models and empirical Bayes methods for assessing differential expression in microarray
       experiments. Stat Appl Genet Mol Biol 2004;3:3.
    .. [2] Phipson B, Lee S, Majewski IJ, Alexander WS, Smyth GK. Robust hyperparameter estimation protects against
       hypervariable genes and improves power to detect differential expression. Ann Appl Stat 2016;10:946-963.

    """
    known = df > 0
    if known.sum() < _FEW:
        return Moderated(variance, np.zeros(len(variance)), variance)
    used = variance[known]
    middle = np.median(used)
    if middle <= 0:
        raise DataError(
            'more than half of the genes do not vary about their model; were samples copied, or are these no reads?'
        )
    trend, df_prior = np.empty(len(variance)), np.empty(len(variance))
    prior, own = _robust(np.maximum(used, _SMALLEST * middle), df[known].astype(float), level[known])
    trend[known], df_prior[known] = prior.trend, own
    order = np.argsort(level[known], kind='stable')
    trend[~known] = np.exp(np.interp(level[~known], level[known][order], np.log(prior.trend)[order]))
    df_prior[~known] = prior.df
    is_finite = np.isfinite(df_prior)
    weight = np.where(is_finite, df_prior, 1.0)
    mixed = (df * variance + weight * trend) / np.where(known | (weight > 0), df + weight, 1)
    return Moderated(trend, df_prior, np.where(is_finite, mixed, trend))


def _robust(variance: Array, df: Array, level: Array) -> tuple[_Prior, Array]:
    """Return trend and degrees of freedom of most genes, and the degrees of freedom of each."""
    n, plain = len(variance), _plain(variance, df, level)
    if max(TAIL_SHARES) < 1 / n:
        return plain, np.full(n, plain.df)
    log_variance = np.log(_of_equal_df(variance, df, plain))
    most = df.max()
    local = _local_trend(log_variance, level)
    residual = log_variance - local
    low, high = np.quantile(residual, (TAIL_SHARES[0], 1 - TAIL_SHARES[1]))
    drawn_in = np.clip(residual, low, high)
    spread = drawn_in.var(ddof=1)

    def excess(share: float) -> float:
        return float(np.log(spread / _moments(most, _df_of(share))[1]))

    if excess(1.0) <= 0:
        found = np.inf
    elif plain.df == np.inf:
        return plain, np.full(n, np.inf)
    else:
        least = plain.df / (1 + plain.df)
        found = plain.df if excess(least) >= 0 else _df_of(optimize.brentq(excess, least, 1.0, xtol=1e-12))
    centre = local + drawn_in.mean() - _moments(most, found)[0]
    return _Prior(np.exp(centre), found), _own_df(np.exp(log_variance - centre), most, found)


def _df_of(share: float) -> float:
    return np.inf if share >= 1 else share / (1 - share)


def _plain(variance: Array, df: Array, level: Array) -> _Prior:
    """Return trend, a natural spline, and degrees of freedom by moments of all genes."""
    floored = np.maximum(variance, _SMALLEST_PLAIN * np.median(variance))
    z = np.log(floored) - special.digamma(df / 2) + np.log(df / 2)
    basis = _spline(level)
    fitted = basis @ np.linalg.lstsq(basis, z, rcond=None)[0]
    spare = len(z) - np.linalg.matrix_rank(basis)
    surplus = np.sum((z - fitted) ** 2) / max(spare, 1) - special.polygamma(1, df / 2).mean()
    if surplus <= 0:
        return _Prior(np.exp(fitted), np.inf)
    prior = 2 * _inverse_trigamma(surplus)
    return _Prior(np.exp(fitted + special.digamma(prior / 2) - np.log(prior / 2)), prior)


def _inverse_trigamma(value: float) -> float:
    # trigamma(x) lies between 1/x and 1/x + 1/x^2
    def excess(x: float) -> float:
        return float(special.polygamma(1, x)) - value

    return float(
        optimize.brentq(excess, 0.5 / value, 1 / value + 1 / np.sqrt(value) + 1, xtol=1e-14, rtol=1e-13)
    )


def _spline(level: Array) -> Array:
    """Return a basis of natural cubic splines with knots at quantiles, linear beyond the range."""
    n = len(level)
    width = min(1 + (n >= _FEW) + (n >= _SOME) + (n >= _MANY), len(np.unique(level)))
    columns = [np.ones(n)]
    if width > 1:
        x = (level - level.min()) / np.ptp(level)
        columns.append(x)
        knots = np.unique(np.quantile(x, np.linspace(0, 1, width)))
        cubes = np.maximum(x[:, None] - knots, 0) ** 3
        slopes = (cubes[:, :-1] - cubes[:, -1:]) / (knots[-1] - knots[:-1])
        columns += list((slopes[:, :-1] - slopes[:, -1:]).T)
    return np.column_stack(columns)


def _local_trend(values: Array, level: Array) -> Array:
    if np.ptp(level) == 0:
        return np.full(len(values), np.median(values))
    return np.asarray(
        lowess(values, level, frac=_SPAN, it=3, delta=_INTERPOLATED * np.ptp(level), return_sorted=False)
    )


def _of_equal_df(variance: Array, df: Array, plain: _Prior) -> Array:
    """Return variances as they would be at the same probability with the most degrees of freedom."""
    fewer, most = df < df.max(), df.max()
    equal = variance.copy()
    if fewer.any():
        f, own = variance[fewer] / plain.trend[fewer], df[fewer]
        above, below = _law(own, plain.df).sf(f), _law(own, plain.df).cdf(f)
        target = _law(most, plain.df)
        equal[fewer] = plain.trend[fewer] * np.where(above < below, target.isf(above), target.ppf(below))
    return equal


def _law(df: Any, prior: float) -> Any:
    """Return the distribution of a variance over its trend."""
    return stats.chi2(df, scale=1 / df) if prior == np.inf else stats.f(df, prior)


def _moments(df: float, prior: float) -> tuple[float, float]:
    """Return mean and variance of the log of F whose tails are drawn in, by Gauss-Legendre in F / (1 + F)."""
    law = _law(df, prior)
    ends = law.ppf([TAIL_SHARES[0], 1 - TAIL_SHARES[1]])
    shares = ends / (1 + ends)
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    share = shares[0] + np.diff(shares)[0] * (nodes + 1) / 2
    f = share / (1 - share)
    density = law.pdf(f) / (1 - share) ** 2 * weights * np.diff(shares)[0] / 2
    logs, outer = np.log(f), np.log(ends)
    mean = density @ logs + outer @ TAIL_SHARES
    return float(mean), float(density @ (logs - mean) ** 2 + (outer - mean) ** 2 @ TAIL_SHARES)


def _own_df(f: Array, df: float, prior: float) -> Array:
    """Return the prior degrees of freedom of each gene: fewer where its variance is too large for its rank."""
    n, law = len(f), _law(df, prior)
    tail = law.logsf(f)
    expected = np.log(n - stats.rankdata(f) + 0.5) - np.log(n)
    is_usual = np.exp(np.minimum(tail - expected, 0))
    if (is_usual == 1).all():
        return np.full(n, prior)
    order = np.argsort(tail, kind='stable')
    if prior == np.inf:
        own = np.where(is_usual < 1, is_usual * n * df, np.inf)
        own[order] = np.maximum.accumulate(own[order])
        return own
    least = 0.0
    if np.isfinite(tail.min()):
        # degrees of freedom at which the largest would be the median of the largest, in two steps
        least = np.log(0.5) / tail.min() * prior
        least *= np.log(0.5) / stats.f(df, least).logsf(f.max())
    own = is_usual * prior + (1 - is_usual) * least
    ordered = own[order]
    running = np.cumsum(ordered) / np.arange(1, n + 1)
    lowest = running.argmin()
    ordered[: lowest + 1] = running[lowest]
    own[order] = np.maximum.accumulate(ordered)
    return own
