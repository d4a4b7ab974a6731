"""Visits as regressions on those before them: drawn from their posterior, and what they say of means."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import DataError

Array = NDArray[Any]

_TELLS = 1e-10  # of a variance; below it earlier visits tell a later one


class Regressions(NamedTuple):
    r"""Draws of :math:`y_j = z'c_j + \sum_{i<j} \beta_{ji} y_i + \sigma_j e`.

    Attributes
    ----------
    fixed
        (m, n_visits, f) coefficients c.
    slopes
        (m, n_visits, n_visits) coefficients beta, 0 on and above the diagonal.
    spreads
        (m, n_visits) standard deviations sigma.

    """

    fixed: Array
    slopes: Array
    spreads: Array

    def means(self, fixed_columns: Array) -> Array:
        """Return (m, n, n_visits), what is expected of people with these columns (n, f) at each visit.

        Examples
        --------
        >>> one = Regressions(np.ones((1, 2, 1)), np.array([[[0, 0], [0.5, 0]]]), np.ones((1, 2)))
        >>> one.means(np.ones((1, 1))).tolist()
        [[[1.0, 1.5]]]

        """
        alone = np.einsum('nf,mjf->mnj', fixed_columns, self.fixed)
        eye = np.eye(self.slopes.shape[1])
        return np.asarray(alone @ np.linalg.inv(eye - self.slopes).transpose(0, 2, 1))

    def covariance(self) -> Array:
        """Return (m, n_visits, n_visits) of a person about these means."""
        root = np.linalg.inv(np.eye(self.slopes.shape[1]) - self.slopes) * self.spreads[:, None]
        return np.asarray(root @ root.transpose(0, 2, 1))


def cross_products_of(columns: Array, last: Array, n_fixed: int) -> list[Array]:
    """Return for each visit (..., q, q) of the columns up to it, over people who came to it or later.

    ``columns`` (..., n, f + n_visits) are the fixed ones and the visits, with anything after the last.
    """
    found = []
    for visit in range(columns.shape[-1] - n_fixed):
        rows = columns[..., last >= visit, : n_fixed + visit + 1]
        found.append(np.swapaxes(rows, -1, -2) @ rows)
    return found


def draw_regressions(
    products: list[Array], counts: Array, n_fixed: int, n_draws: int, rng: np.random.Generator
) -> Regressions:
    r"""Draw regressions from their posterior given values without gaps.

    Parameters
    ----------
    products
        For each visit (m, q, q) or (q, q), as of :func:`cross_products_of`; m is ``n_draws``.
    counts
        (n_visits,) people behind them.
    n_fixed
        Columns that are no visits.
    n_draws
        m.
    rng
        Source of randomness.

    Raises
    ------
    DataError
        People are too few or columns say the same, or earlier visits tell a later one.

    Notes
    -----
    Of J normal visits with Jeffreys' prior :math:`|\Sigma|^{-(J+1)/2}` and flat priors of f coefficients,
    factored into regressions [1]_, visit j (from 0) of :math:`n_j` people has

    .. math:: \sigma_j^2 = \mathrm{RSS}_j / \chi^2_\nu, \quad \nu = n_j - f + j + 1 - J, \qquad
              b_j | \sigma_j \sim N(\hat b_j, \sigma_j^2 (X_j'X_j)^{-1}).

    With all visits made this is the inverse Wishart distribution with n - f degrees of freedom.

    References
    ----------
    .. [1] Schafer JL. Analysis of incomplete multivariate data. Chapman & Hall, 1997, section 6.5.

    Examples
    --------
    >>> rng, y = np.random.default_rng(1), np.arange(20.0)
    >>> products = cross_products_of(np.column_stack([np.ones(20), y]), np.zeros(20), 1)
    >>> found = draw_regressions(products, np.array([20]), 1, 4000, rng)
    >>> bool(abs(found.fixed.mean() - 9.5) < 0.1)
    True

    """
    n_visits = len(products)
    fixed = np.zeros((n_draws, n_visits, n_fixed))
    slopes, spreads = np.zeros((n_draws, n_visits, n_visits)), np.zeros((n_draws, n_visits))
    for visit, product in enumerate(products):
        p, nu = n_fixed + visit, counts[visit] - n_fixed + visit + 1 - n_visits
        if nu < 1 or counts[visit] <= p:
            raise DataError(f'{counts[visit]} people came to visit {visit} or later, too few to impute from')
        gram, right, total = product[..., :p, :p], product[..., :p, p:], product[..., p, p]
        try:
            root = np.linalg.cholesky(gram)
        except np.linalg.LinAlgError:
            raise DataError('arms, covariates and visits are linearly dependent; leave one out') from None
        half = np.linalg.solve(root, right)
        rss = total - np.sum(half[..., 0] ** 2, axis=-1)
        if np.any(rss < _TELLS * counts[visit]):
            raise DataError(f'what is known before tells visit {visit} exactly; check the table')
        sigma = np.sqrt(rss / rng.chisquare(nu, n_draws))
        noise = rng.standard_normal((n_draws, p, 1)) * sigma[:, None, None]
        # b = R^-T (R^-1 X'y + sigma z)
        drawn = np.linalg.solve(np.swapaxes(root, -1, -2), half + noise)[..., 0]
        fixed[:, visit], slopes[:, visit, :visit] = drawn[:, :n_fixed], drawn[:, n_fixed:]
        spreads[:, visit] = sigma
    return Regressions(fixed, slopes, spreads)
