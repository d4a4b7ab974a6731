"""Analysis of covariance: an outcome measured before and after, in two arms."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.errors import DataError

from .estimate import Estimate, t_estimate

Array = NDArray[Any]


class ChangeFit(NamedTuple):
    """The effect of treatment and who it rests on.

    Attributes
    ----------
    effect
        Difference at follow-up, treated minus control, adjusted for baseline.
    n
        People in the model.
    n_pairs
        Those of them with both visits.
    n_without_covariates
        People left out because a covariate is missing.

    """

    effect: Estimate
    n: int
    n_pairs: int
    n_without_covariates: int


class _People(NamedTuple):
    outcome: Array  # (n, 2), NaN where missing
    treatment: Array  # (n,) 0 or 1
    covariates: Array  # (n, k)
    n_dropped: int


def _people(
    baseline: ArrayLike, followup: ArrayLike, treatment: ArrayLike, covariates: ArrayLike | None
) -> _People:
    """Check the lengths and codes; leave out people with a missing covariate or without any visit."""
    outcome = np.column_stack([np.asarray(baseline, float), np.asarray(followup, float)])
    arm, n = np.asarray(treatment, float), len(outcome)
    table = np.empty((n, 0)) if covariates is None else np.asarray(covariates, float)
    table = table[:, None] if table.ndim == 1 else table
    if arm.shape != (n,) or len(table) != n:
        raise DataError(f'{n} people have an outcome, {len(arm)} a treatment, {len(table)} covariates')
    if not np.isin(arm, (0, 1)).all():
        raise DataError(
            f'treatment is coded {sorted(set(arm.tolist()))}; allowed: 0 (control) and 1 (treated)'
        )
    if np.isinf(outcome).any() or np.isinf(table).any():
        raise DataError('an outcome or covariate is infinite; mark missing values as n/a')
    seen = ~np.isnan(outcome).all(axis=1)
    known = ~np.isnan(table).any(axis=1)
    keep = seen & known
    return _People(outcome[keep], arm[keep], table[keep], int((seen & ~known).sum()))


def _check(people: _People, pairs: Array, n_coefficients: int) -> None:
    """Refuse what no model of change can be fitted to."""
    if pairs.sum() <= n_coefficients:
        raise DataError(
            f'{pairs.sum()} people have both visits, more than {n_coefficients} are needed; '
            'use fewer covariates or leave this outcome out'
        )
    for code, name in enumerate(('control', 'treated')):
        if not (people.treatment[pairs] == code).any():
            raise DataError(f'nobody in the {name} arm has both visits')
    for visit, name in zip(people.outcome[pairs].T, ('baseline', 'follow-up')):
        if np.ptp(visit) == 0:
            raise DataError(
                f'the outcome at {name} is {visit[0]:g} for everyone: there is nothing to explain'
            )
    constant = np.flatnonzero(np.ptp(people.covariates[pairs], axis=0) == 0)
    if len(constant):
        raise DataError(
            f'covariate {constant[0] + 1} has one value for everyone with both visits; leave it out'
        )


def refuse_collinear(design: Array) -> None:
    """Refuse columns that are linear combinations of others."""
    unit = design / np.linalg.norm(design, axis=0)
    if np.linalg.matrix_rank(unit, tol=1e-8) < design.shape[1]:
        raise DataError(
            'treatment, baseline and covariates are linearly dependent; leave out the one that others make up'
        )


def ancova(
    baseline: ArrayLike,
    followup: ArrayLike,
    treatment: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    interaction: bool = False,
) -> ChangeFit:
    r"""Compare two arms at follow-up, adjusted for baseline (ANCOVA).

    Parameters
    ----------
    baseline, followup
        (n,) outcome at the two visits; NaN = missing.  People without both are left out.
    treatment
        (n,) 0 = control, 1 = treated.
    covariates
        (n,) or (n, k) numbers; categories as 0/1 columns without the reference.
    interaction
        ANCOVA II: a slope on baseline for each arm.

    Returns
    -------
    ChangeFit
        The effect at the mean baseline with an HC3 standard error.

    Raises
    ------
    DataError
        An arm is empty, there are too few people, the outcome is constant, or a covariate repeats
        what others say.

    Notes
    -----
    :math:`Y_{1i} = b_0 + \tau a_i + b_1 (Y_{0i} - \bar Y_0) + c' (x_i - \bar x) + e_i`, least squares;
    ANCOVA II adds :math:`b_2 a_i (Y_{0i} - \bar Y_0)`.  HC3 [1]_:
    :math:`(X'X)^{-1} X' \mathrm{diag}(e_i^2 / (1 - h_i)^2) X (X'X)^{-1}` with leverages h; t
    distribution with n - p degrees of freedom.

    References
    ----------
    .. [1] MacKinnon JG, White H. Some heteroskedasticity-consistent covariance matrix estimators with
       improved finite sample properties. J Econom 1985;29:305-325.

    Examples
    --------
    Adding 3 to everyone treated adds 3 to the effect:

    >>> before, arm = np.array([4.0, 6, 5, 7, 5, 8]), np.array([0, 0, 0, 1, 1, 1])
    >>> after = np.array([4.0, 5, 5, 4, 3, 6])
    >>> effects = [ancova(before, after + shift * arm, arm).effect.estimate for shift in (0, 3)]
    >>> round(effects[1] - effects[0], 9)
    3.0

    """
    people = _people(baseline, followup, treatment, covariates)
    pairs = np.isnan(people.outcome).sum(axis=1) == 0
    before, after = people.outcome[pairs].T
    arm, table = people.treatment[pairs], people.covariates[pairs]
    _check(people, pairs, 3 + interaction + table.shape[1])
    centred = before - before.mean()
    columns = [np.ones(len(arm)), arm, centred, *([arm * centred] if interaction else [])]
    design = np.column_stack([*columns, table - table.mean(axis=0)])
    refuse_collinear(design)
    q, r = np.linalg.qr(design)
    leverage = np.sum(q**2, axis=1)
    if leverage.max() > 1 - 1e-9:
        raise DataError('one person alone determines a coefficient, so that it has no standard error')
    hat = np.linalg.solve(r, q.T)
    residual = after - q @ (q.T @ after)
    se = np.linalg.norm(hat[1] * residual / (1 - leverage))
    effect = t_estimate(float(hat[1] @ after), float(se), len(arm) - design.shape[1])
    return ChangeFit(effect, len(arm), len(arm), people.n_dropped)
