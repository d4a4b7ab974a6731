"""Means of a trial: one per arm and visit, equal at baseline where arms were drawn by lot."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.errors import DataError
from pipelines.terms import SigmaChoice

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class TrialModel:
    """What is compared in a trial.

    Attributes
    ----------
    is_randomised
        Arms share their mean at baseline; else each has its own and changes are compared.
    has_baseline
        The first visit precedes treatment; else arms are compared at every visit.
    primary
        Column of the primary visit; -1: the last.
    sigma
        Whether arms have covariances of their own; None: by the number of people.
    is_equally_spaced
        The distances between visits are equal.
    arms, visits
        What messages call them; empty: by number.

    """

    is_randomised: bool = True
    has_baseline: bool = True
    primary: int = -1
    sigma: SigmaChoice | None = None
    is_equally_spaced: bool = False
    arms: tuple[str, ...] = ()
    visits: tuple[str, ...] = ()

    def arm_name(self, arm: int) -> str:
        """Return what an arm is called."""
        return self.arms[arm] if self.arms else f'arm {arm}'

    def visit_name(self, visit: int) -> str:
        """Return what a visit is called."""
        return self.visits[visit] if self.visits else f'visit {visit + 1}'


class People(NamedTuple):
    """Who is in the model.

    Attributes
    ----------
    outcome
        (n, J) NaN = missing, or alone in an arm at a visit; everyone was seen at least once.
    arm
        (n,) 0 = control.
    covariates
        (n, k) without missing values, each varying among people with the primary visit.
    sites
        (n,) where sites have a random intercept, there are several, and some have several people.
    counts
        (A, J) people.
    n_without_covariates
        People left out because a covariate is missing.
    dropped
        Covariates left out because they have one value among people with the primary visit.
    visits
        Visits that somebody has: columns of ``outcome`` in the given one.

    """

    outcome: Array
    arm: Array
    covariates: Array
    sites: Array | None
    counts: Array
    n_without_covariates: int
    dropped: tuple[int, ...]
    visits: Array


class Means(NamedTuple):
    """The design and which of its columns is the mean of which arm at which visit.

    Attributes
    ----------
    design
        (n, J, p).
    columns
        (A, J) column of a mean; -1 where nobody was seen.

    """

    design: Array
    columns: Array


def gather(
    outcome: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None,
    model: TrialModel,
    sites: ArrayLike | None = None,
) -> People:
    """Check what is given and leave out who cannot be in the model.

    Raises
    ------
    DataError
        Lengths differ, arms are not 0, 1, ..., a number is infinite, an arm has nobody at the primary visit,
        or everyone has the same value there or at baseline.

    """
    y, group = np.asarray(outcome, float), np.asarray(arm)
    n = len(y)
    table = np.empty((n, 0)) if covariates is None else np.asarray(covariates, float)
    table = table[:, None] if table.ndim == 1 else table
    where = np.zeros(n) if sites is None else np.asarray(sites, float)
    _check_shapes(y, group, table, model)
    _check_sites(where, group)
    seen = ~np.isnan(y)
    known = ~np.isnan(table).any(axis=1) & ~np.isnan(where)
    keep = known & seen.any(axis=1)
    n_without = int((~known & seen.any(axis=1)).sum())
    n_arms = int(group.max()) + 1
    y, group, table, where, seen = y[keep], group[keep].astype(int), table[keep], where[keep], seen[keep]
    counts = np.stack([seen[group == a].sum(axis=0) for a in range(n_arms)])
    _check_visits(y, counts, model)
    at_primary = seen[:, model.primary]
    varies = np.ptp(table[at_primary], axis=0) > 0
    compared = counts > 1
    compared[:, 0] |= model.is_randomised and model.has_baseline
    # a person who alone tells a mean says nothing of anything else
    y = np.where(compared[group], y, np.nan)
    visits = np.flatnonzero((compared & (counts > 0)).any(axis=0))
    return People(
        y[:, visits],
        group,
        table[:, varies],
        # people who are a site each have what it adds in their own covariance
        where if 1 < len(np.unique(where)) < len(where) else None,
        counts,
        n_without,
        tuple(np.flatnonzero(~varies).tolist()),
        visits,
    )


def _check_shapes(y: Array, arm: Array, table: Array, model: TrialModel) -> None:
    if y.ndim != 2 or arm.shape != (len(y),) or len(table) != len(y) or not len(y):
        raise DataError(f'{len(y)} people have an outcome, {len(arm)} an arm, {len(table)} covariates')
    if np.isinf(y).any() or np.isinf(table).any():
        raise DataError('an outcome or covariate is infinite; mark missing values as n/a')
    found = sorted(set(arm.tolist()))
    if len(found) < 2 or found != list(range(len(found))):
        raise DataError(f'arms are coded {found}; allowed: 0 (control), 1 and so on, at least two of them')
    primary = range(y.shape[1])[model.primary] if -y.shape[1] <= model.primary < y.shape[1] else -1
    if primary < int(model.has_baseline):
        raise DataError(
            f'of {y.shape[1]} visits none after baseline is number {model.primary}, the primary one'
        )
    for names, n, what in ((model.arms, len(found), 'arms'), (model.visits, y.shape[1], 'visits')):
        if names and len(names) != n:
            raise DataError(f'{len(names)} names are given for {n} {what}')


def _check_sites(where: Array, group: Array) -> None:
    if where.shape != group.shape:
        raise DataError(f'{len(group)} people have an outcome, {where.size} a site')
    known = ~np.isnan(where)
    pairs = np.unique(np.column_stack([group, where])[known], axis=0)
    if len(np.unique(where[known])) == len(pairs) == len(np.unique(group)):
        raise DataError('arms and sites cannot be told apart, for each site is an arm; leave sites out')


def _check_visits(y: Array, counts: Array, model: TrialModel) -> None:
    few = np.flatnonzero(counts[:, model.primary] < 2)
    primary = range(y.shape[1])[model.primary]
    if 0 in few or len(few) == len(counts) - 1:
        raise DataError(few_words(counts, model, int(few[0]), primary))
    needed = [0, primary] if model.has_baseline else [primary]
    for visit in needed:
        values = y[~np.isnan(y[:, visit]), visit]
        if not len(values):
            raise DataError(f'nobody has {model.visit_name(visit)}')
        if np.ptp(values) == 0:
            raise DataError(
                f'the outcome at {model.visit_name(visit)} is {values[0]:g} for everyone: there is nothing to explain'
            )


def few_words(counts: Array, model: TrialModel, arm: int, visit: int) -> str:
    """Return that too few people of an arm have a visit."""
    who = 'one person alone' if counts[arm, visit] else 'nobody'
    return f'{who} in {model.arm_name(arm)} has {model.visit_name(visit)}'


def design_means(people: People, model: TrialModel) -> Means:
    r"""Return the design of the trial.

    Notes
    -----
    :math:`E y_{ij} = m_{aj} + c_j' (x_i - \bar x)`; at the baseline of a randomised trial
    :math:`m_{a0} = m_0` for all arms (constrained longitudinal analysis [1]_).  A covariate has no slope at
    a visit at which it does not vary.

    References
    ----------
    .. [1] Liang KY, Zeger SL. Longitudinal data analysis of continuous and discrete responses for
       pre-post designs. Sankhya B 2000;62:134-148.

    """
    n, n_visits = people.outcome.shape
    seen = ~np.isnan(people.outcome)
    columns = np.full(people.counts.shape, -1)
    made: list[tuple[int, Array]] = []
    for place, visit in enumerate(people.visits):
        is_shared = model.is_randomised and model.has_baseline and visit == 0
        levels = [np.arange(len(columns))] if is_shared else [[a] for a in range(len(columns))]
        for level in levels:
            if seen[np.isin(people.arm, level), place].any():
                columns[level, visit] = len(made)
                made.append((place, np.isin(people.arm, level).astype(float)))
        centred = people.covariates - people.covariates.mean(axis=0)
        made += [(place, x) for x in centred.T if np.ptp(x[seen[:, place]]) > 0]
    design = np.zeros((n, n_visits, len(made)))
    for column, (place, values) in enumerate(made):
        design[:, place, column] = values
    return Means(design, columns)


def compared_means(model: TrialModel, arm: int, visit: int) -> list[tuple[int, int, float]]:
    """Return arm, visit and weight of each mean in the contrast of an arm with control at a visit.

    Where arms were not drawn by lot it is the difference of the changes since baseline.

    Examples
    --------
    >>> compared_means(TrialModel(), 1, 2)
    [(1, 2, 1.0), (0, 2, -1.0)]

    """
    wanted = [(arm, visit, 1.0), (0, visit, -1.0)]
    if model.has_baseline and not model.is_randomised:
        wanted += [(arm, 0, -1.0), (0, 0, 1.0)]
    return wanted


def contrast_rows(means: Means, model: TrialModel, arm: int, visit: int) -> Array | None:
    """Return the (p,) contrast of an arm with control at a visit; None where one of the means is missing."""
    row = np.zeros(means.design.shape[2])
    for a, j, weight in compared_means(model, arm, visit):
        if means.columns[a, j] < 0:
            return None
        row[means.columns[a, j]] += weight
    return row
