"""Values after the last visit: at random, or as those of the reference arm."""

from typing import Any, Literal, NamedTuple, assert_never, get_args

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import DataError

from ..longitudinal.people_needed import people_needed
from .gaps import draw_posterior
from .regressions import Regressions
from .visits import Panel

Array = NDArray[Any]

Assumption = Literal['at_random', 'jump_to_reference', 'copy_increments']
ASSUMPTIONS: tuple[Assumption, ...] = get_args(Assumption)
"""The words of :data:`~pipelines.terms.MISSING_ASSUMPTIONS`."""


class Group(NamedTuple):
    """People whose regressions are drawn together, as far as they are filled in.

    Attributes
    ----------
    people
        (n,) places in the panel.
    own, reference
        Regressions of their own and of the control arm.
    columns, reference_columns
        (n, f) fixed columns of each.
    filled
        (m or 1, n, n_visits) with gaps filled, NaN after the last visit.
    noise
        (m, n, n_visits) standard normal numbers, the same for every assumption.

    """

    people: Array
    own: Regressions
    reference: Regressions
    columns: Array
    reference_columns: Array
    filled: Array
    noise: Array


class Posterior(NamedTuple):
    """Posterior draws; ``is_pooled``: one covariance for all arms, for one is too small or too alike for its own."""

    groups: list[Group]
    is_pooled: bool


def draw_groups(panel: Panel, n_draws: int, rng: np.random.Generator) -> Posterior:
    r"""Draw what each arm's visits follow.

    Parameters
    ----------
    panel
        Everyone.
    n_draws
        m.
    rng
        Source of randomness.

    Raises
    ------
    DataError
        People are too few even together.

    Notes
    -----
    Means, slopes of covariates and covariance are each arm's own where as many people of every arm came to the last
    visit as :func:`~pipelines.stats.longitudinal.people_needed.people_needed` asks for.  Otherwise means are each
    arm's own, slopes and covariance common; so too where a covariate or a visit does not vary within an arm.

    """
    n, n_visits = panel.values.shape
    least = people_needed(n_visits, n_slopes=panel.covariates.shape[1])
    codes = range(len(panel.arms))
    smallest = min(int((panel.last[panel.arm == code] == n_visits - 1).sum()) for code in codes)
    noise = rng.standard_normal((n_draws, n, n_visits))
    columns = np.column_stack([np.ones(n), panel.covariates])
    if smallest >= least:
        try:
            return Posterior(_draw_each(panel, columns, noise, rng), False)
        except DataError:
            # one arm alone says too little, which all together may say
            pass
    return Posterior([_draw_together(panel, columns, noise, rng)], True)


def _draw_each(panel: Panel, columns: Array, noise: Array, rng: np.random.Generator) -> list[Group]:
    groups: list[Group] = []
    for code in range(len(panel.arms)):
        people = np.flatnonzero(panel.arm == code)
        given, last = columns[people], panel.last[people]
        drawn, filled = draw_posterior(given, panel.values[people], last, len(noise), rng)
        reference = groups[0].own if groups else drawn
        groups.append(Group(people, drawn, reference, given, given, filled, noise[:, people]))
    return groups


def _draw_together(panel: Panel, columns: Array, noise: Array, rng: np.random.Generator) -> Group:
    dummies = (panel.arm[:, None] == np.arange(1, len(panel.arms))).astype(float)
    full, bare = np.hstack([columns, dummies]), np.hstack([columns, 0 * dummies])
    drawn, filled = draw_posterior(full, panel.values, panel.last, len(noise), rng)
    return Group(np.arange(len(columns)), drawn, drawn, full, bare, filled, noise)


def complete(panel: Panel, drawn: Posterior, assumption: Assumption) -> tuple[Array, Array]:
    r"""Return everyone's baseline and primary visit, imputed where missing.

    Parameters
    ----------
    panel
        Everyone.
    drawn
        What visits follow.
    assumption
        One of :data:`ASSUMPTIONS`.

    Returns
    -------
    baseline, primary
        (m, n) in units of the outcome; (1, n) a baseline that nobody lacks.

    Notes
    -----
    After the last visit L, visit j is :math:`\mu_j + \sum_{i<j} \beta_{ji} (y_i - \mu_i) + \sigma_j e`.  At random
    :math:`\mu, \beta, \sigma` are the own arm's.  Otherwise :math:`\beta, \sigma` are the reference's, :math:`\mu_i` is
    the own arm's up to L, and after it [1]_

    - jump to reference: :math:`\mu_j = \mu_j^{ref}`;
    - copy increments: :math:`\mu_j = \mu_L + \mu_j^{ref} - \mu_L^{ref}`.

    Means are those of each person's covariates.

    References
    ----------
    .. [1] Carpenter JR, Roger JH, Kenward MG. Analysis of longitudinal trials with protocol deviation: a
       framework for relevant, accessible assumptions, and inference via multiple imputation. J Biopharm Stat
       2013;23:1352-1371.

    """
    m, n = len(drawn.groups[0].noise), len(panel.values)
    baseline, primary = np.empty((m, n)), np.empty((m, n))
    for group in drawn.groups:
        filled = continue_visits(group, panel.last[group.people], panel.primary, assumption)
        baseline[:, group.people], primary[:, group.people] = filled[..., 0], filled[..., panel.primary]
    if not np.isnan(panel.values[:, 0]).any():
        baseline = baseline[:1]
    return baseline * panel.scale + panel.centre, primary * panel.scale + panel.centre


def continue_visits(group: Group, last: Array, until: int, assumption: Assumption) -> Array:
    """Return (m, n, n_visits) with visits up to ``until`` filled in; people as of the group."""
    m, n, n_visits = group.noise.shape
    values = np.broadcast_to(group.filled, (m, n, n_visits)).copy()
    own = group.own.means(group.columns)
    after = np.arange(n_visits) > last[:, None]
    regressions, means = group.reference, group.reference.means(group.reference_columns)
    match assumption:
        case 'at_random':
            regressions, means = group.own, own
        case 'jump_to_reference':
            means = np.where(after, means, own)
        case 'copy_increments':
            at_last = np.arange(n), last
            means = np.where(after, means + (own - means)[:, *at_last][..., None], own)
        case _:
            assert_never(assumption)
    for visit in range(1, until + 1):
        rows = np.flatnonzero(last < visit)
        away = (values - means)[:, rows, :visit]
        drift = np.einsum('mni,mi->mn', away, regressions.slopes[:, visit, :visit])
        noise = regressions.spreads[:, [visit]] * group.noise[:, rows, visit]
        values[:, rows, visit] = means[:, rows, visit] + drift + noise
    return values
