"""ANCOVA of many completed tables at once, as a function of a shift, and Rubin's rules."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipelines.errors import DataError

from ..change import refuse_collinear

Array = NDArray[Any]

_LEVEL = 0.95
_FULL_LEVERAGE = 1 - 1e-9
_AT_ONCE = 50  # tables, so that 1,000 people need little memory


class Shifted(NamedTuple):
    """Effects of arms and their variances when some values are shifted by d, for m tables.

    Attributes
    ----------
    effect, slope
        (m, n_arms - 1): the effect is ``effect + d slope``.
    constant, linear, square
        (m, n_arms - 1): its variance is ``constant + 2 d linear + d ** 2 square``.
    df
        Degrees of freedom of complete tables.

    """

    effect: Array
    slope: Array
    constant: Array
    linear: Array
    square: Array
    df: int

    def at(self, shift: Array) -> tuple[Array, Array]:
        """Return effects and variances (m, n_arms - 1, k) at shifts (k,)."""
        effects = self.effect[..., None] + shift * self.slope[..., None]
        variances = self.constant[..., None] + 2 * shift * self.linear[..., None]
        return effects, variances + shift**2 * self.square[..., None]


class Pooled(NamedTuple):
    """Numbers of :class:`~pipelines.stats.estimate.Estimate`, and the share of information that is missing."""

    estimate: Array
    se: Array
    df: Array
    ci_low: Array
    ci_high: Array
    statistic: Array
    p: Array
    missing_information: Array


def analyse_tables(
    baseline: Array,
    primary: Array,
    arm: Array,
    covariates: Array,
    shifted: Array,
    *,
    is_randomised: bool = True,
) -> Shifted:
    r"""Compare arms at the primary visit in every completed table.

    Parameters
    ----------
    baseline, primary
        (m, n) completed; one baseline for all, (1, n), where none is imputed.
    arm
        (n,) places of arms, 0 = control.
    covariates
        (n, k).
    shifted
        (n,) True for values that a shift is added to.
    is_randomised
        Else changes are compared.

    Raises
    ------
    DataError
        One person alone determines a coefficient, columns say the same, or there are too few people.

    Notes
    -----
    :math:`Y = b_0 + \tau_a + b_1 Y_0 + c'x + e` with HC3, as :func:`~pipelines.stats.change.ancova`.  Effects and
    residuals are linear in the shift, and so variances are squares in it: one fit serves every shift.  Where chance
    did not make the arms :math:`Y - Y_0 = b_0 + \tau_a + c'x + e`, the difference in change: adjusted for baselines
    that differ, regression to the mean would be taken for an effect.

    Examples
    --------
    >>> before, after = np.array([[4.0, 6, 5, 7, 5, 8]]), np.array([[4.0, 5, 5, 4, 3, 6]])
    >>> arm = np.array([0, 0, 0, 1, 1, 1])
    >>> found = analyse_tables(before, after, arm, np.empty((6, 0)), arm == 1)
    >>> round(float(found.slope[0, 0]), 9)
    1.0

    """
    n_arms = int(arm.max()) + 1
    dummies = (arm[:, None] == np.arange(1, n_arms)).astype(float)
    rest = np.column_stack([np.ones(len(arm)), dummies, covariates])
    n_columns = rest.shape[1] + is_randomised
    df = len(arm) - n_columns
    if df < 1:
        raise DataError(f'{len(arm)} people, more than {n_columns} are needed; use fewer covariates')
    first = baseline[0] - baseline[0].mean()
    refuse_collinear(np.column_stack([rest, first]) if is_randomised else rest)
    parts = []
    for start in range(0, len(primary), _AT_ONCE):
        chunk = slice(start, start + _AT_ONCE)
        own = baseline if len(baseline) == 1 else baseline[chunk]
        if is_randomised:
            centred = (own - own.mean(axis=1, keepdims=True))[..., None]
            design = np.concatenate([np.broadcast_to(rest, (len(own), *rest.shape)), centred], axis=2)
            parts.append(_fit(design, primary[chunk], shifted.astype(float), n_arms))
        else:
            parts.append(_fit(rest[None], primary[chunk] - own, shifted.astype(float), n_arms))
    effect, slope, constant, linear, square = (np.concatenate(columns) for columns in zip(*parts))
    return Shifted(effect, slope, constant, linear, square, df)


def _fit(design: Array, outcome: Array, shifted: Array, n_arms: int) -> tuple[Array, ...]:
    across = design.transpose(0, 2, 1)
    hat = np.linalg.solve(across @ design, across)  # (m, p, n)
    leverage = np.einsum('mnp,mpn->mn', design, hat)
    if leverage.max() > _FULL_LEVERAGE:
        raise DataError('one person alone determines a coefficient, so that it has no standard error')
    move = np.broadcast_to(shifted, outcome.shape)
    coefficients = [(hat @ column[..., None])[..., 0] for column in (outcome, move)]
    residuals = [
        column - np.einsum('mnp,mp->mn', np.broadcast_to(design, (len(column), *design.shape[1:])), b)
        for column, b in zip((outcome, move), coefficients)
    ]
    weights = (hat[:, 1:n_arms] / (1 - leverage)[:, None]) ** 2
    products = (residuals[0] ** 2, residuals[0] * residuals[1], residuals[1] ** 2)
    variances = [
        np.einsum('man,mn->ma', np.broadcast_to(weights, (len(outcome), *weights.shape[1:])), each)
        for each in products
    ]
    return coefficients[0][:, 1:n_arms], coefficients[1][:, 1:n_arms], *variances


def pool(effects: Array, variances: Array, df: float) -> Pooled:
    r"""Return one estimate of those of m completed tables.

    Parameters
    ----------
    effects, variances
        (m, ...) with at least two tables.
    df
        Degrees of freedom of complete data.

    Notes
    -----
    Rubin's rules [1]_: :math:`T = \bar U + (1 + 1/m) B`, with :math:`\lambda = (1 + 1/m) B / T`.  Degrees of freedom of
    Barnard and Rubin [2]_: :math:`1 / (1/\nu_m + 1/\nu_{obs})`, :math:`\nu_m = (m - 1) / \lambda^2`,
    :math:`\nu_{obs} = \nu (\nu + 1) (1 - \lambda) / (\nu + 3)`.

    References
    ----------
    .. [1] Rubin DB. Multiple imputation for nonresponse in surveys. Wiley, 1987.
    .. [2] Barnard J, Rubin DB. Small-sample degrees of freedom with multiple imputation. Biometrika
       1999;86:948-955.

    Examples
    --------
    >>> found = pool(np.array([1.0, 3.0]), np.array([1.0, 1.0]), 20)
    >>> found.estimate.item(), found.se.item(), found.missing_information.item()
    (2.0, 2.0, 0.75)

    """
    m = len(effects)
    estimate, within = effects.mean(axis=0), variances.mean(axis=0)
    between = (1 + 1 / m) * effects.var(axis=0, ddof=1)
    total = within + between
    missing = between / total
    seen = df * (df + 1) * (1 - missing) / (df + 3)
    freedom = 1 / (missing**2 / (m - 1) + 1 / seen)
    se = np.sqrt(total)
    half = stats.t.ppf((1 + _LEVEL) / 2, freedom) * se
    statistic = estimate / se
    p = 2 * stats.t.sf(np.abs(statistic), freedom)
    return Pooled(estimate, se, freedom, estimate - half, estimate + half, statistic, p, missing)
