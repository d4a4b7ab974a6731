"""Likelihood of ordered levels by the log odds of each level or above."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .separation import is_separated
from .solving import invert_information

Array = NDArray[Any]


class Levels(NamedTuple):
    r"""What is fitted: :math:`P(y_i \ge k) = \mathrm{expit}(z_{ik}'\theta)`, k from 1.

    Attributes
    ----------
    levels
        (n,) place of each person's level, 0 to n_levels - 1, each of which somebody has.
    design
        (n, n_levels - 1, p) rows :math:`z_{ik}`.

    Examples
    --------
    Without columns, a third at each of three levels is log odds of 2 and 1/2:

    >>> from pipelines.stats.discrete.solving import fit_likelihood
    >>> data = Levels(np.array([0, 1, 2]), np.tile(np.eye(2), (3, 1, 1)))
    >>> np.exp(fit_likelihood(data).coefficients).round(6).tolist()
    [2.0, 0.5]

    """

    levels: Array
    design: Array

    @property
    def name(self) -> str:
        """Return what messages call the model."""
        return 'a regression of levels'

    def _ends(self) -> tuple[Array, Array, Array, Array]:
        """Return rows of being at the own level or above, and above it, and whether there is such a row."""
        n, n_cuts, _ = self.design.shape
        people, has_low, has_high = np.arange(n), self.levels > 0, self.levels < n_cuts
        low = self.design[people, np.maximum(self.levels - 1, 0)] * has_low[:, None]
        high = self.design[people, np.minimum(self.levels, n_cuts - 1)] * has_high[:, None]
        return low, high, has_low, has_high

    def is_separated(self) -> bool:
        """Return whether the likelihood has no maximum."""
        low, high, has_low, has_high = self._ends()
        steps = np.diff(self.design, axis=1).reshape(-1, self.design.shape[2])
        ordered = -np.unique(steps, axis=0) if len(steps) else steps
        return is_separated(np.vstack([low[has_low], -high[has_high], ordered]))

    def probabilities(self, coefficients: Array) -> Array:
        """Return (n, n_levels)."""
        above = special.expit(self.design @ coefficients)
        ends = np.column_stack([np.ones(len(above)), above, np.zeros(len(above))])
        return -np.diff(ends, axis=1)

    def log_likelihood(self, coefficients: Array) -> float:
        """Return it; minus infinity where levels are out of order."""
        own = self.probabilities(coefficients)[np.arange(len(self.levels)), self.levels]
        return float(np.log(own).sum()) if (own > 0).all() else -np.inf

    def scores(self, coefficients: Array) -> tuple[Array, Array]:
        """Return (n, p) derivatives of each person's log-likelihood, and (p, p) minus the second of their sum."""
        low, high, has_low, has_high = self._ends()
        below, above = special.expit(low @ coefficients), special.expit(high @ coefficients)
        upper, lower = np.where(has_low, below, 1.0), np.where(has_high, above, 0.0)
        own = (upper - lower)[:, None]
        one, two = ((end * (1 - end))[:, None] for end in (upper, lower))
        first = (one * low - two * high) / own
        bends = (one * (1 - 2 * upper[:, None]) / own, two * (1 - 2 * lower[:, None]) / own)
        second = first.T @ first - low.T @ (bends[0] * low) + high.T @ (bends[1] * high)
        return first, second

    def slope(self, coefficients: Array) -> tuple[Array, Array]:
        """Return first and minus second derivatives of the log-likelihood."""
        first, second = self.scores(coefficients)
        return first.sum(axis=0), second

    def _weights(self, coefficients: Array) -> tuple[Array, Array, Array, Array]:
        r"""Return what the information :math:`\sum_i Z_i' A_i Z_i` is made of.

        (n, n_cuts) :math:`g = \gamma (1 - \gamma)` of :math:`\gamma = P(y \ge k)`, its derivative by the log odds,
        (n, n_levels) one over the chance of each level, and (n, n_cuts, n_cuts) A.
        """
        above = special.expit(self.design @ coefficients)
        g, odds = above * (1 - above), 1 / self.probabilities(coefficients)
        inner = np.zeros((*g.shape, g.shape[1]))
        cuts = np.arange(g.shape[1])
        inner[:, cuts, cuts] = g**2 * (odds[:, :-1] + odds[:, 1:])
        inner[:, cuts[:-1], cuts[1:]] = inner[:, cuts[1:], cuts[:-1]] = -g[:, :-1] * g[:, 1:] * odds[:, 1:-1]
        return g, g * (1 - 2 * above), odds, inner

    def information(self, coefficients: Array) -> Array:
        """Return (p, p) expected."""
        inner = self._weights(coefficients)[3]
        return np.asarray(np.einsum('iap,iaq->pq', self.design, inner @ self.design, optimize=True))

    def penalty_slope(self, coefficients: Array) -> tuple[Array, Array]:
        r"""Return the derivatives of half the log determinant of the expected information, and a bound of their bend.

        Notes
        -----
        :math:`\tfrac12 \mathrm{tr}(I^{-1} \partial I) = \sum_{ik} z_{ik} \tfrac12 \sum_{ab} H_{i,ab}\, \partial
        A_{i,ab} / \partial \eta_{ik}` with :math:`H_i = Z_i I^{-1} Z_i'`, :math:`\eta = z'\theta` and A tridiagonal,
        :math:`A_{kk} = g_k^2 (1/p_{k-1} + 1/p_k)`, :math:`A_{k,k+1} = -g_k g_{k+1} / p_k`.  For two levels it is that of
        :class:`~.logistic.Events`, whose bend is taken at each cut.

        """
        g, bent, odds, inner = self._weights(coefficients)
        inverse = invert_information(self.information(coefficients), self.name)
        hat = (self.design @ inverse) @ self.design.swapaxes(1, 2)
        own, beside = np.diagonal(hat, axis1=1, axis2=2), np.diagonal(hat, offset=1, axis1=1, axis2=2)
        below, over, between = odds[:, :-1], odds[:, 1:], odds[:, 1:-1]
        moved = own * (2 * g * bent * (below + over) + g**3 * (below**2 - over**2))
        # of the neighbouring cuts, through the level between them
        low, high, squares = g[:, :-1], g[:, 1:], between**2
        moved[:, :-1] += squares * low * (2 * beside * low * high - own[:, 1:] * high**2)
        moved[:, :-1] -= 2 * beside * bent[:, :-1] * high * between
        moved[:, 1:] += squares * high * (own[:, :-1] * low**2 - 2 * beside * low * high)
        moved[:, 1:] -= 2 * beside * low * bent[:, 1:] * between
        weights = own * np.diagonal(inner, axis1=1, axis2=2) * g
        bend = np.einsum('ikp,ik,ikq->pq', self.design, weights, self.design, optimize=True)
        return np.einsum('ikp,ik->p', self.design, moved / 2), np.asarray(bend)

    def start(self) -> Array:
        """Return coefficients without any effect, for designs that start with one intercept per cut."""
        n_cuts = self.design.shape[1]
        above = np.array([(self.levels >= cut).mean() for cut in range(1, n_cuts + 1)])
        return np.concatenate([special.logit(above), np.zeros(self.design.shape[2] - n_cuts)])
