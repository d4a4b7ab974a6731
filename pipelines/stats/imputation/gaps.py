"""Visits missing between visits that were made: drawn at random, again and again, until they forget the start."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .regressions import Regressions, cross_products_of, draw_regressions

Array = NDArray[Any]

N_SWEEPS = 60
"""Of draws of gaps and regressions in turn; a share of .8 of information lost to gaps is forgotten to 2e-6."""


def draw_posterior(
    fixed_columns: Array, values: Array, last: Array, n_draws: int, rng: np.random.Generator
) -> tuple[Regressions, Array]:
    r"""Draw regressions from their posterior, and the gaps from what these say.

    Parameters
    ----------
    fixed_columns
        (n, f) the intercept, arms, covariates.
    values
        (n, n_visits); NaN = missing.
    last
        (n,) place of each person's last visit.
    n_draws
        m independent ones.
    rng
        Source of randomness.

    Returns
    -------
    regressions
        m draws.
    filled
        (m, n, n_visits) values with the gaps filled; NaN after the last visit.  One for all, (1, n, n_visits),
        where nobody has gaps.

    Raises
    ------
    DataError
        As of :func:`~.regressions.draw_regressions`.

    Notes
    -----
    Without gaps the draws are exact and independent.  With gaps: m chains side by side, each
    :data:`N_SWEEPS` times regressions given the gaps and gaps given the regressions (monotone data augmentation
    [1]_, which leaves out what is missing after the last visit and so forgets its start faster); the last draw of
    each chain is taken.

    References
    ----------
    .. [1] Schafer JL. Analysis of incomplete multivariate data. Chapman & Hall, 1997, section 6.5.

    Examples
    --------
    >>> rng, y = np.random.default_rng(1), np.array([[1.0, 2], [2, 3], [3, 5], [4, 4], [5, np.nan], [np.nan, 4]])
    >>> found, filled = draw_posterior(np.ones((6, 1)), y, np.array([1, 1, 1, 1, 0, 1]), 10, rng)
    >>> found.spreads.shape, np.isnan(filled[:, 4, 1]).all().item()
    ((10, 2), True)

    """
    n_fixed, n_visits = fixed_columns.shape[1], values.shape[1]
    counts = np.array([(last >= visit).sum() for visit in range(n_visits)])
    gaps = np.isnan(values) & (np.arange(n_visits) < last[:, None])
    broken = gaps.any(axis=1)
    whole = np.hstack([fixed_columns, values])[~broken]
    steady = cross_products_of(whole, last[~broken], n_fixed)
    if not broken.any():
        return draw_regressions(steady, counts, n_fixed, n_draws, rng), values[None]
    start = np.where(gaps, np.nanmean(values, axis=0), values)[broken]
    moving = np.broadcast_to(start, (n_draws, *start.shape)).copy()
    columns = np.broadcast_to(fixed_columns[broken], (n_draws, broken.sum(), n_fixed))
    patterns = _patterns(gaps[broken], last[broken])
    for _ in range(N_SWEEPS):
        own = cross_products_of(np.concatenate([columns, moving], axis=2), last[broken], n_fixed)
        products = [one + other for one, other in zip(steady, own)]
        drawn = draw_regressions(products, counts, n_fixed, n_draws, rng)
        _draw_gaps(moving, patterns, drawn, drawn.means(fixed_columns[broken]), rng)
    filled = np.broadcast_to(values, (n_draws, *values.shape)).copy()
    filled[:, broken] = moving
    return drawn, filled


class _Pattern(NamedTuple):
    """People who missed the same visits: their rows, and places of visits up to the last, made or not."""

    rows: Array
    present: Array
    absent: Array


def _patterns(gaps: Array, last: Array) -> list[_Pattern]:
    kinds, which = np.unique(np.column_stack([last, gaps]), axis=0, return_inverse=True)
    found = []
    for number, kind in enumerate(kinds):
        absent = np.flatnonzero(kind[1:])
        present = np.setdiff1d(np.arange(kind[0] + 1), absent)
        found.append(_Pattern(np.flatnonzero(which.ravel() == number), present, absent))
    return found


def _draw_gaps(
    moving: Array, patterns: list[_Pattern], drawn: Regressions, means: Array, rng: np.random.Generator
) -> None:
    """Replace gaps by draws given the other visits up to the last; people with the same pattern at once."""
    roots = (np.eye(moving.shape[2]) - drawn.slopes) / drawn.spreads[..., None]
    for rows, present, absent in patterns:
        # precision of the visits made so far: later ones say nothing
        until = max(present.max(), absent.max()) + 1
        root = roots[:, :until, :until]
        precision = root.transpose(0, 2, 1) @ root
        inner, across = precision[:, absent][:, :, absent], precision[:, absent][:, :, present]
        away = (moving - means)[:, rows][:, :, present]
        pull = np.linalg.solve(inner, across @ away.transpose(0, 2, 1)).transpose(0, 2, 1)
        noise = rng.standard_normal((len(moving), len(absent), len(rows)))
        factor = np.linalg.cholesky(inner).transpose(0, 2, 1)
        spread = np.linalg.solve(factor, noise).transpose(0, 2, 1)
        moving[:, rows[:, None], absent] = means[:, rows][:, :, absent] - pull + spread
