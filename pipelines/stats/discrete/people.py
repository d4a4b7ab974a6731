"""Who is compared: people of several arms with a discrete outcome, and what is known of them before."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.errors import DataError

Array = NDArray[Any]

_COLLINEAR = 1e-8  # smallest singular value of columns of unit length


@dataclass(frozen=True, kw_only=True, eq=False)
class Groups:
    """An outcome of people in arms.

    Attributes
    ----------
    outcome
        (n,) at the visit that is compared; NaN = missing.
    arm
        (n,) whole numbers, 0 = control.
    baseline
        (n,) the outcome before treatment; NaN = missing, None = it has none.
    covariates
        (n,) or (n, k) numbers; categories as 0/1 columns without the reference.
    is_randomised
        False where arms were not drawn by chance: then the model alone makes them alike.
    names
        What notes call the arms, control first; empty: by their codes.

    """

    outcome: ArrayLike
    arm: ArrayLike
    baseline: ArrayLike | None = None
    covariates: ArrayLike | None = None
    is_randomised: bool = True
    names: tuple[str, ...] = ()

    def arm_name(self, code: int) -> str:
        """Return what an arm is called.

        Examples
        --------
        >>> Groups(outcome=[], arm=[]).arm_name(1), Groups(outcome=[], arm=[], names=('wait', 'yoga')).arm_name(1)
        ('arm 1', 'yoga')

        """
        return self.names[code] if self.names else f'arm {code}'


class Tally(NamedTuple):
    """People by arm, (n_arms,) each.

    Attributes
    ----------
    n
        Analysed.
    n_missing
        Without the outcome.
    n_incomplete
        With the outcome, without the baseline or a covariate: left out.

    """

    n: Array
    n_missing: Array
    n_incomplete: Array


class Compared(NamedTuple):
    """Those of whom everything is known.

    Attributes
    ----------
    outcome, exposure
        (n,) values and time at risk (1 where there is no such thing).
    arm
        (n,) place in ``arms``.
    arms
        (n_arms,) codes of the arms that have 2 people or more; the first is control.
    adjusters
        (n, k) baseline and covariates, each with mean 0 and standard deviation 1.
    tally
        Counts of every arm.
    notes
        What was left out.
    is_randomised
        As given.
    names
        Of ``arms``, as notes call them.

    """

    outcome: Array
    exposure: Array
    arm: Array
    arms: Array
    adjusters: Array
    tally: Tally
    notes: tuple[str, ...]
    is_randomised: bool
    names: tuple[str, ...]

    def design_in(self, place: int | None = None) -> Array:
        """Return (n, n_arms + k): intercept, arms but control, adjusters; with all in one arm if it is given."""
        arm = self.arm if place is None else np.full(len(self.arm), place)
        dummies = (arm[:, None] == np.arange(1, len(self.arms))).astype(float)
        return np.column_stack([np.ones(len(arm)), dummies, self.adjusters])

    def only(self, keep: Array) -> 'Compared':
        """Return those of some arms, given by their places."""
        chosen = np.isin(self.arm, keep)
        return self._replace(
            outcome=self.outcome[chosen],
            exposure=self.exposure[chosen],
            arm=np.searchsorted(keep, self.arm[chosen]),
            arms=self.arms[keep],
            names=tuple(self.names[place] for place in keep),
            adjusters=self.adjusters[chosen],
        )


def _codes(arm: ArrayLike, n: int) -> Array:
    given = np.asarray(arm, float)
    if given.shape != (n,):
        raise DataError(f'{n} people have an outcome, {given.size} an arm')
    if not n or np.isnan(given).any() or (given < 0).any() or (given % 1).any():
        raise DataError('arms are coded by whole numbers from 0 (control) for each of at least one person')
    return given.astype(int)


def _columns(groups: Groups, n: int) -> tuple[Array, list[str]]:
    """Return baseline and covariates side by side, and their names."""
    table = np.empty((n, 0)) if groups.covariates is None else np.asarray(groups.covariates, float)
    table = table[:, None] if table.ndim == 1 else table
    names = [f'covariate {number}' for number in range(1, table.shape[1] + 1)]
    if len(table) != n:
        raise DataError(f'{n} people have an outcome, {len(table)} covariates')
    if groups.baseline is not None:
        before = np.asarray(groups.baseline, float)
        if before.shape != (n,):
            raise DataError(f'{n} people have an outcome, {before.size} a baseline')
        table, names = np.column_stack([before, table]), ['the baseline', *names]
    return table, names


def _times(exposure: ArrayLike | None, n: int) -> Array:
    time = np.ones(n) if exposure is None else np.asarray(exposure, float)
    if time.shape != (n,):
        raise DataError(f'{n} people have an outcome, {time.size} a time at risk')
    return time


def arrange_groups(groups: Groups, exposure: ArrayLike | None = None) -> Compared:
    """Return the people of whom everything is known, and count the others.

    Parameters
    ----------
    groups
        As measured.
    exposure
        (n,) time at risk, above 0; NaN = missing.

    Raises
    ------
    DataError
        Lengths or codes do not fit, a value is infinite, the control arm or all others have less than 2 people, there
        are no more people than coefficients, or columns say the same.

    Examples
    --------
    >>> found = arrange_groups(Groups(outcome=[1, 0, 1, np.nan, 0, 1], arm=[0, 0, 1, 1, 1, 0]))
    >>> found.tally.n.tolist(), found.tally.n_missing.tolist()
    ([3, 2], [0, 1])

    """
    outcome = np.asarray(groups.outcome, float)
    arm = _codes(groups.arm, len(outcome))
    table, names = _columns(groups, len(outcome))
    time = _times(exposure, len(outcome))
    if np.isinf(outcome).any() or np.isinf(table).any() or np.isinf(time).any():
        raise DataError('an outcome, covariate or time is infinite; mark missing values as n/a')
    seen = ~np.isnan(outcome)
    keep = seen & ~np.isnan(table).any(axis=1) & ~np.isnan(time)
    counts = [np.bincount(arm[which], minlength=arm.max() + 1) for which in (keep, ~seen, seen & ~keep)]
    arms = np.flatnonzero(counts[0] > 1)
    if 0 not in arms or len(arms) < 2:
        told = ', '.join(
            f'{number} of {groups.arm_name(code)}' for code, number in enumerate(counts[0].tolist())
        )
        raise DataError(f'people with everything known: {told}; control and one other arm need 2 or more')
    keep &= np.isin(arm, arms)
    varies = np.ptp(table[keep], axis=0) > 0
    constant = [name for name, moves in zip(names, varies) if not moves]
    notes = [f'{name} is the same for everyone and left out' for name in constant]
    notes += [
        f'{groups.arm_name(code)} has {number} with everything known and is not compared'
        for code, number in enumerate(counts[0].tolist())
        if code not in arms
    ]
    adjusters = table[keep][:, varies]
    adjusters = (adjusters - adjusters.mean(axis=0)) / adjusters.std(axis=0)
    people = Compared(
        outcome[keep],
        time[keep],
        np.searchsorted(arms, arm[keep]),
        arms,
        adjusters,
        Tally(*counts),
        tuple(notes),
        groups.is_randomised,
        tuple(groups.arm_name(code) for code in arms.tolist()),
    )
    _refuse_too_many(people.design_in())
    return people


def _refuse_too_many(design: Array) -> None:
    if len(design) <= design.shape[1]:
        raise DataError(
            f'{len(design)} people, more than {design.shape[1]} are needed; use fewer covariates or leave this outcome out'
        )
    unit = design / np.linalg.norm(design, axis=0)
    if np.linalg.matrix_rank(unit, tol=_COLLINEAR) < design.shape[1]:
        raise DataError(
            'arm, baseline and covariates are linearly dependent; leave out the one that others make up'
        )
