"""Sites that are a sample of sites: a random intercept of each, without a likelihood of its own."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import DataError

from .cells import Cells
from .likelihood import Curvature, LikelihoodPoint, expected_information

Array = NDArray[Any]

_NO_RISE = 1e-8  # of the information on a variance of sites

NEXT_TO_NOTHING = 1e-4
"""Variance of sites that stands for 0, of that of people: small enough to say nothing, large enough to divide by."""


def add_sites(outcome: Array, design: Array, group: Array, sites: Array) -> tuple[Array, Array, Array]:
    r"""Return people and one row per site, so that what has no random effects fits a random intercept of sites.

    Parameters
    ----------
    outcome, design, group
        (n, J), (n, J, p) and (n,) of people.
    sites
        (n,) site of each person, by any number.

    Returns
    -------
    outcome, design, group
        Those of people with S columns more, 1 at every visit of who is of the site; then S rows that are seen at the
        first visit only, with outcome 0, 1 in the own column, and a group of their own, the last.

    Notes
    -----
    :math:`y = X \beta + Z u + e`, :math:`u \sim N(0, \tau^2 I)` is :math:`(y, 0) = (X \beta + Z u, u) + (e, -u)`
    with :math:`(e, -u)` independent and :math:`u` among the coefficients: generalised least squares of it are
    Henderson's mixed model equations, with the coefficients, their covariance and the restricted likelihood of the
    marginal model :math:`V = \mathrm{diag}(\Sigma) + \tau^2 Z Z'` [1]_ [2]_.  All derivatives by :math:`\tau^2` are
    those of a variance of one more group of people, and so are Kenward and Roger's adjustment, and the
    cluster-robust one, whose clusters are then people and sites.

    References
    ----------
    .. [1] Harville DA. Maximum likelihood approaches to variance component estimation and to related
       problems. J Am Stat Assoc 1977;72:320-338.
    .. [2] Lee Y, Nelder JA. Hierarchical generalized linear models. J R Stat Soc B 1996;58:619-678.

    Examples
    --------
    >>> y, x = np.array([[1.0, 2], [3, 4]]), np.ones((2, 2, 1))
    >>> values, table, group = add_sites(y, x, np.array([0, 0]), np.array([7, 9]))
    >>> values.tolist(), table[:, 0].tolist(), group.tolist()
    ([[1.0, 2.0], [3.0, 4.0], [0.0, nan], [0.0, nan]], [[1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [0, 0, 1, 1])

    """
    n, n_visits, p = design.shape
    is_of = _memberships(sites)
    n_sites = is_of.shape[1]
    table = np.zeros((n + n_sites, n_visits, p + n_sites))
    table[:n, :, :p], table[:n, :, p:] = design, is_of[:, None]
    table[n:, :, p:] = np.eye(n_sites)[:, None]
    zeros = np.full((n_sites, n_visits), np.nan)
    zeros[:, 0] = 0
    return np.vstack([outcome, zeros]), table, np.append(group, np.full(n_sites, group.max() + 1))


def _memberships(sites: Array) -> Array:
    return (sites[:, None] == np.unique(sites)).astype(float)


def do_sites_differ(cells: Cells, point: LikelihoodPoint, sites: Array) -> bool:
    r"""Return whether the likelihood rises when a variance of sites leaves 0.

    Parameters
    ----------
    cells, point
        The model without sites, at its maximum.
    sites
        (n,) of everyone that the cells were made of.

    Raises
    ------
    DataError
        The design tells every site: each is an arm.

    Notes
    -----
    With P of the model without sites, the derivative of the log-likelihood by :math:`\tau^2` is
    :math:`(|Z' P y|^2 - \mathrm{tr}\, Z' P Z) / 2`.  Where people of a site are more alike than those of different
    sites only by chance it is not above 0.

    """
    p = cells.n_coefficients
    is_of = _memberships(sites[cells.kept])
    ones = point.precision.sum(axis=2)[cells.cell]  # the precision of a person times 1 at every visit seen
    sums = np.einsum('is,ij,ijp->sp', is_of, ones, cells.rows)
    scores = sums[:, p] - sums[:, :p] @ point.coefficients
    left = is_of.T @ ones.sum(axis=1)
    trace = left.sum() - np.sum((sums[:, :p] @ point.root.T) ** 2)
    if trace <= _NO_RISE * left.sum():
        raise DataError('arms and sites cannot be told apart, for each site is an arm; leave sites out')
    return bool(scores @ scores - trace > _NO_RISE * left.sum())


def with_expected(cells: Cells, point: LikelihoodPoint, first: Array, curvature: Curvature) -> Curvature:
    r"""Return the information with what the variance of sites has in the mean, where it is not at a maximum.

    Notes
    -----
    A variance of 0 is uncertain as well: without it degrees of freedom of arms that are arms of sites would be those
    of people whenever sites differ less than by chance.  The observed information is of no use there, for it may be
    negative.

    """
    at = -first.shape[1]
    expected = expected_information(cells, point, first, curvature.turns)
    observed = curvature.observed.copy()
    observed[at], observed[:, at] = expected[at], expected[:, at]
    return curvature._replace(observed=observed)


def free_among(parameters: Array, *, has_sites: bool) -> Array:
    """Return the places of the parameters (G, k) that the likelihood knows: sites have a variance alone."""
    is_free = np.ones(parameters.shape, bool)
    if has_sites:
        is_free[-1, 1:] = False
    return np.flatnonzero(is_free)


def invert_among(square: Array, free: Array) -> Array:
    """Return the inverse of the rows and columns that are free, among zeros.

    Examples
    --------
    >>> invert_among(np.diag([2.0, 0.0, 4.0]), np.array([0, 2])).tolist()
    [[0.5, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.25]]

    """
    found, among = np.zeros_like(square), np.ix_(free, free)
    found[among] = np.linalg.inv(square[among])
    return found
