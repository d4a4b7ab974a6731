"""Fit any fixed design to repeated measures by restricted maximum likelihood."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.errors import NoMaximumError
from pipelines.terms import VisitStructure

from .cells import Cells, arrange_cells
from .likelihood import Curvature, LikelihoodPoint, evaluate, expected_information, information
from .sites import NEXT_TO_NOTHING, add_sites, do_sites_differ, free_among, invert_among, with_expected
from .structures import CovarianceModel, structure_of

Array = NDArray[Any]

_MOST_STEPS, _MOST_HALVINGS = 100, 30
_FLAT, _NEARLY_FLAT = 1e-16, 1e-10  # gain of log-likelihood that another step promises
_SINGULAR = 1e-7  # smallest eigenvalue of a correlation matrix; below it one visit tells the other
_ROUNDING = 1e-10  # of the log-likelihood
_NO_INFORMATION = 1e-10  # smallest eigenvalue of information with a unit diagonal


@dataclass(frozen=True, kw_only=True)
class RemlFit:
    """The maximum of a restricted likelihood.

    Attributes
    ----------
    cells
        People, in the units of the likelihood.
    structure
        Name of the structure of the covariances.
    model
        How they follow from the parameters.
    parameters
        (G, k) at the maximum.
    point, curvature
        Likelihood and information there.
    has_sites
        Whether the last covariance is of sites, which have a variance and nothing else.
    is_held
        Whether that variance is 0, for the likelihood does not rise from there.

    """

    cells: Cells
    structure: VisitStructure
    model: CovarianceModel
    parameters: Array
    point: LikelihoodPoint
    curvature: Curvature
    has_sites: bool
    is_held: bool

    @property
    def first(self) -> Array:
        """Return (G, k, J, J) derivatives of the covariances by the parameters."""
        return self.model.first(self.parameters)

    @cached_property
    def spread(self) -> Array:
        """Return the covariance matrix of the parameters: inverse of the observed information; 0 of those held."""
        return invert_among(self.curvature.observed, self.free)

    @property
    def free(self) -> Array:
        """Return the places of the parameters that the likelihood knows."""
        return free_among(self.parameters, has_sites=self.has_sites)

    @property
    def sigmas(self) -> Array:
        """Return the (G, J, J) covariances of people in squares of the outcome's unit."""
        found = self.model.sigma(self.parameters) * self.cells.basis.scale**2
        return found[:-1] if self.has_sites else found

    @property
    def site_variance(self) -> float:
        """Return the variance of the intercepts of sites; 0 without."""
        if not self.has_sites or self.is_held:
            return 0.0
        return float(self.parameters[-1, 0] * self.cells.basis.scale**2)

    @property
    def coefficients(self) -> Array:
        """Return the (p,) coefficients of the design, and after them what is added at each site."""
        return np.linalg.solve(self.cells.basis.triangle, self.turned)

    @property
    def turned(self) -> Array:
        """Return the (p,) coefficients of the orthonormal columns, in units of the outcome."""
        return self.point.coefficients * self.cells.basis.scale + self.cells.basis.projection

    @property
    def minus_two_loglik(self) -> float:
        """Return -2 restricted log-likelihood, the density being per unit of the outcome and of the design."""
        basis, df = self.cells.basis, self.cells.n_values - self.cells.n_coefficients
        jacobian = df * np.log(basis.scale) + np.log(np.abs(np.diag(basis.triangle))).sum()
        return float(2 * (self.point.cost + jacobian) + df * np.log(2 * np.pi))

    def turn(self, contrasts: ArrayLike) -> Array:
        """Return contrasts (m, p) of the design's coefficients as contrasts of the orthonormal columns."""
        rows = np.atleast_2d(np.asarray(contrasts, float))
        of_sites = np.zeros((len(rows), self.cells.n_coefficients - rows.shape[1]))
        return np.linalg.solve(self.cells.basis.triangle.T, np.hstack([rows, of_sites]).T).T


def fit_reml(
    outcome: ArrayLike,
    design: ArrayLike,
    group: ArrayLike,
    *,
    structure: VisitStructure = 'unstructured',
    sites: ArrayLike | None = None,
) -> RemlFit:
    r"""Fit a fixed design with correlated visits, and a covariance for each group of people.

    Parameters
    ----------
    outcome
        (n, J) NaN = missing.
    design
        (n, J, p).
    group
        (n,) 0 .. G-1, whose covariance a person has; all 0: one covariance for everyone.
    structure
        Of the covariances, one of :data:`pipelines.terms.STRUCTURES_OF_VISITS`.
    sites
        (n,) site of each person, by a number, where sites have a random intercept.

    Raises
    ------
    DataError
        The design cannot be fitted (:func:`~.cells.arrange_cells`).
    NoMaximumError
        The likelihood has no maximum inside: too few people saw two visits, or one visit tells the other.

    Notes
    -----
    :math:`y_i = X_i \beta + e_i`, :math:`e_i \sim N(0, \Sigma_{g(i)})`.  Newton steps on the parameters of
    Sigma with the observed information, or the expected one where that is not positive definite, halved
    until the covariances are positive definite and the likelihood rises.  Sites add a normal intercept, the same at
    all visits and in all arms (:func:`~.sites.add_sites`); where the likelihood does not rise from a variance of 0
    (:func:`~.sites.do_sites_differ`) it is 0, which is uncertain as other variances are
    (:func:`~.sites.with_expected`).

    Examples
    --------
    One visit, a mean per group and a variance per group: those of the groups.

    >>> y, group = np.array([1.0, 3, 5, 2, 8]), np.array([0, 0, 0, 1, 1])
    >>> fit = fit_reml(y[:, None], np.eye(2)[group][:, None], group)
    >>> fit.coefficients.round(6).tolist(), fit.sigmas.ravel().round(6).tolist()
    ([3.0, 5.0], [4.0, 18.0])

    """
    given = np.asarray(outcome, float), np.asarray(design, float), np.asarray(group)
    if sites is None:
        return _climb(given, structure, has_sites=False, is_held=False)
    alone, whose = _climb(given, structure, has_sites=False, is_held=False), np.asarray(sites)
    is_held = not do_sites_differ(alone.cells, alone.point, whose)
    return _climb(add_sites(*given, whose), structure, has_sites=True, is_held=is_held)


def _climb(
    given: tuple[Array, Array, Array], structure: VisitStructure, *, has_sites: bool, is_held: bool
) -> RemlFit:
    """Return the maximum of outcome, design and groups."""
    cells = arrange_cells(*given)
    model = structure_of(structure, cells.seen.shape[1])
    parameters = model.start(_start(cells))
    free = free_among(parameters, has_sites=has_sites)
    if is_held:
        parameters[-1, 0], free = NEXT_TO_NOTHING, free[:-1]
    try:
        point = evaluate(cells, model.sigma(parameters))
    except np.linalg.LinAlgError as error:
        raise NoMaximumError('people seen are too alike to start from') from error
    before = np.inf
    for _ in range(_MOST_STEPS):
        first = model.first(parameters)
        curvature = information(cells, point, first, None if model.is_linear else model.second(parameters))
        step, gain = _direction(cells, point, first, curvature, free)
        # rounding may keep the last gains from shrinking
        if gain < _FLAT or before <= gain < _NEARLY_FLAT:
            if is_held:
                curvature = with_expected(cells, point, first, curvature)
            return _finished(RemlFit(
                cells=cells, structure=structure, model=model, parameters=parameters, point=point,
                curvature=curvature, has_sites=has_sites, is_held=is_held,
            ))  # fmt: skip
        before = gain
        parameters, point = _step(cells, model, parameters, point, step.reshape(parameters.shape))
        _refuse_singular(model.sigma(parameters))
    raise NoMaximumError(f'no maximum after {_MOST_STEPS} steps')


def _start(cells: Cells) -> Array:
    """Return (G, J, J) covariances of residuals of least squares over who saw two visits, made positive definite."""
    both = cells.seen[:, :, None] & cells.seen[:, None, :]
    sums, counts = cells.products[..., -1, -1], both * cells.n[:, None, None]
    pooled = sums.sum(axis=0) / np.maximum(counts.sum(axis=0), 1)
    variances = np.maximum(np.diag(pooled), 1e-3)
    found = []
    for part in cells.slices:
        n = counts[part].sum(axis=0)
        # two people more, of nobody in particular: an arm of one has a start as well
        own = (sums[part].sum(axis=0) + 2 * np.diag(variances)) / (n + 2)
        sd = np.sqrt(np.diag(own))
        matrix = own / np.outer(sd, sd)
        low = np.linalg.eigvalsh(matrix)[0]
        weight = 1.0 if low > 0.05 else 0.95 / (1 - low)
        found.append(np.outer(sd, sd) * (weight * matrix + (1 - weight) * np.eye(len(sd))))
    return np.stack(found)


def slope_of(point: LikelihoodPoint, first: Array) -> Array:
    """Return the derivatives of the cost by all parameters."""
    return np.asarray(np.einsum('gkab,gab->gk', first, point.slope).ravel())


def _direction(
    cells: Cells, point: LikelihoodPoint, first: Array, curvature: Curvature, free: Array
) -> tuple[Array, float]:
    """Return a step and what it promises to gain."""
    slope = slope_of(point, first)
    step = _downhill(curvature.observed, slope, free)
    if step is None:
        step = _downhill(expected_information(cells, point, first, curvature.turns), slope, free)
    if step is None:
        raise NoMaximumError(
            'the people seen do not tell every variance and correlation of the visits, or one visit nearly tells another'
        )
    return step, float(-slope @ step / 2)


def _downhill(square: Array, slope: Array, free: Array) -> Array | None:
    """Return the step to the lowest point of a parabola; None where it has none."""
    among, found = square[np.ix_(free, free)], np.zeros_like(slope)
    if np.diag(among).min() <= 0:
        return None
    scale = np.sqrt(np.diag(among))
    values, vectors = np.linalg.eigh(among / np.outer(scale, scale))
    if values[0] <= _NO_INFORMATION:
        return None
    found[free] = -(vectors @ (vectors.T @ (slope[free] / scale) / values)) / scale
    return found


def _step(
    cells: Cells, model: CovarianceModel, parameters: Array, point: LikelihoodPoint, step: Array
) -> tuple[Array, LikelihoodPoint]:
    """Return the first of ever smaller steps that is allowed and does not lower the likelihood."""
    for halving in range(_MOST_HALVINGS):
        ahead = parameters + step / 2**halving
        try:
            found = evaluate(cells, model.sigma(ahead))
        except np.linalg.LinAlgError:
            continue
        if np.isfinite(found.cost) and found.cost <= point.cost + _ROUNDING * (1 + abs(point.cost)):
            return ahead, found
    raise NoMaximumError('the likelihood rises towards covariances that are none')


def _refuse_singular(sigma: Array) -> None:
    sd = np.sqrt(np.diagonal(sigma, axis1=1, axis2=2))
    if np.linalg.eigvalsh(sigma / (sd[:, :, None] * sd[:, None, :]))[:, 0].min() < _SINGULAR:
        raise NoMaximumError('one visit tells the others exactly')
    if sd.min() < _SINGULAR:
        raise NoMaximumError('an arm does not vary at a visit')


def _finished(fit: RemlFit) -> RemlFit:
    """Return a fit at a maximum; a saddle is none."""
    try:
        np.linalg.cholesky(fit.curvature.observed[np.ix_(fit.free, fit.free)])
    except np.linalg.LinAlgError as error:
        raise NoMaximumError('the likelihood is flat at its top') from error
    return fit
