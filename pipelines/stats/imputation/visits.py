"""Who is measured when: people of several arms at several visits, up to their last."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.errors import DataError

Array = NDArray[Any]

_LEAST, _LEAST_SHARE = 3, 0.2
"""People of an arm, and share of those who came to a visit or later, who are to be seen at a visit."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Visits:
    """A continuous outcome at several visits.

    Attributes
    ----------
    outcome
        (n, n_visits) in the order of time, the baseline first; NaN = missing.
    arm
        (n,) whole numbers, 0 = control, the reference.
    primary
        Place of the visit that is compared, from 1.
    covariates
        (n,) or (n, k) numbers; categories as 0/1 columns without the reference.
    is_randomised
        Else arms may differ at baseline, and their changes are compared.

    """

    outcome: ArrayLike
    arm: ArrayLike
    primary: int
    covariates: ArrayLike | None = None
    is_randomised: bool = True


class Panel(NamedTuple):
    """People with at least one visit and every covariate, in units of one standard deviation.

    Attributes
    ----------
    values
        (n, n_visits) less ``centre``, over ``scale``.
    arm, arms
        (n,) places in ``arms``, the codes of arms that have people.
    covariates
        (n, k) with mean 0 and standard deviation 1.
    last
        (n,) place of the last visit that was made.
    primary
        Place of the primary visit among those that are used.
    centre, scale
        Mean and standard deviation of all values, in units of the outcome.
    n_without_covariates
        People left out.
    notes
        Visits left out.
    is_randomised
        As given.

    """

    values: Array
    arm: Array
    arms: Array
    covariates: Array
    last: Array
    primary: int
    centre: float
    scale: float
    n_without_covariates: int
    notes: tuple[str, ...]
    is_randomised: bool

    @property
    def gaps(self) -> Array:
        """Return (n, n_visits): missing before a later visit that was made."""
        return np.isnan(self.values) & (np.arange(self.values.shape[1]) < self.last[:, None])

    @property
    def has_left(self) -> Array:
        """Return (n,): no visit from the primary one on."""
        return self.last < self.primary


def arrange_visits(visits: Visits) -> Panel:
    """Check lengths and codes, and leave out people without any visit or with a missing covariate.

    A visit between or after the baseline and the primary one that hardly anybody of an arm made, or at which nobody
    differs, is left out: nothing tells what to impute there.

    Parameters
    ----------
    visits
        As measured.

    Raises
    ------
    DataError
        Shapes or codes do not fit, a value is infinite, an arm that has people has nobody at the baseline or
        the primary visit, control or all others have no people, or the outcome or a covariate is the same for everyone.

    Examples
    --------
    >>> pain = [[7, 6, 5], [6, 6, 4], [7, 5, np.nan], [8, np.nan, np.nan], [6, 5, 2], [8, 7, 6]]
    >>> found = arrange_visits(Visits(outcome=pain, arm=[0, 0, 0, 1, 1, 1], primary=1))
    >>> found.last.tolist(), found.has_left.tolist()
    ([1, 1, 1, 0, 1, 1], [False, False, False, True, False, False])
    >>> found.notes
    ('visit 2 is left out: hardly anybody of an arm made it',)

    """
    outcome, arm, table = _checked(visits)
    seen, known = ~np.isnan(outcome), ~np.isnan(table).any(axis=1)
    keep = seen.any(axis=1) & known
    values, code, table = outcome[keep], arm[keep].astype(int), table[keep]
    arms = np.unique(code)
    _check(values, code, table, visits.primary)
    used = _usable(values, code, visits.primary)
    notes = [
        f'visit {visit} is left out: hardly anybody of an arm made it' for visit in np.flatnonzero(~used)
    ]
    # a person seen at such a visit only is no longer there
    someone = ~np.isnan(values[:, used]).all(axis=1)
    values, code, table = values[someone][:, used], code[someone], table[someone]
    centre, scale = float(np.nanmean(values)), float(np.nanstd(values))
    last = _last(values)
    return Panel(
        (values - centre) / scale,
        np.searchsorted(arms, code),
        arms,
        (table - table.mean(axis=0)) / table.std(axis=0),
        last,
        int(used[: visits.primary].sum()),
        centre,
        scale,
        int((seen.any(axis=1) & ~known).sum()),
        tuple(notes),
        visits.is_randomised,
    )


def _checked(visits: Visits) -> tuple[Array, Array, Array]:
    """Return outcome, arm and covariates of the same people."""
    outcome, arm = np.asarray(visits.outcome, float), np.asarray(visits.arm, float)
    if outcome.ndim != 2 or not 1 <= visits.primary < outcome.shape[1]:
        raise DataError(
            f'visits: values of shape {outcome.shape} and primary visit {visits.primary}; '
            'the baseline is 0, the primary visit one of those after it'
        )
    n = len(outcome)
    table = np.empty((n, 0)) if visits.covariates is None else np.asarray(visits.covariates, float)
    table = table[:, None] if table.ndim == 1 else table
    if arm.shape != (n,) or len(table) != n:
        raise DataError(f'{n} people have an outcome, {arm.size} an arm, {len(table)} covariates')
    if np.isnan(arm).any() or (arm < 0).any() or (arm % 1).any():
        raise DataError('arms are coded by whole numbers from 0 (control)')
    if np.isinf(outcome).any() or np.isinf(table).any():
        raise DataError('an outcome or covariate is infinite; mark missing values as n/a')
    return outcome, arm, table


def _last(values: Array) -> Array:
    """Return the place of the last visit that was made."""
    return np.asarray(values.shape[1] - 1 - np.argmax(~np.isnan(values)[:, ::-1], axis=1))


def _usable(values: Array, code: Array, primary: int) -> Array:
    """Return (n_visits,): enough people of every arm made the visit, and not all have the same value."""
    last, used = _last(values), np.ones(values.shape[1], bool)
    for visit in range(1, values.shape[1]):
        seen = ~np.isnan(values[:, visit])
        differs = seen.any() and np.ptp(values[seen, visit]) > 0
        for arm in np.unique(code):
            came = int(((code == arm) & (last >= visit)).sum())
            enough = max(_LEAST, _LEAST_SHARE * came)
            used[visit] &= visit == primary or (differs and (seen & (code == arm)).sum() >= enough)
    return used


def _check(values: Array, code: Array, table: Array, primary: int) -> None:
    arms = np.unique(code).tolist()
    if 0 not in arms or len(arms) < 2:
        raise DataError(f'arms with people: {arms}; control (0) and one other arm need some')
    for visit, name in ((0, 'baseline'), (primary, 'primary visit')):
        for arm in arms:
            if np.isnan(values[code == arm, visit]).all():
                raise DataError(f'nobody in arm {arm} has the {name}: nothing tells what to impute')
        if np.nanmax(values[:, visit]) == np.nanmin(values[:, visit]):
            raise DataError(f'nobody differs at the {name}: there is nothing to explain')
    constant = np.flatnonzero(np.ptp(table, axis=0) == 0)
    if len(constant):
        raise DataError(f'covariate {constant[0] + 1} has one value for everyone; leave it out')
