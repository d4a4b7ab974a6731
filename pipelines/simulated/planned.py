"""Trials that are planned: drawn from given spreads, correlations and drop-out, and analysed by the model of a trial."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, ParameterError
from ..stats.longitudinal.trial import fit_trial
from ..stats.longitudinal.trial_design import TrialModel
from ..stats.mediation_power import Power, mediation_power
from ..stats.multiplicity import fixed_sequence, holm
from ..stats.power import TEST_LEVEL, difference_power

Array = NDArray[Any]
Tick = Callable[[], None]

_FEWEST_COMPLETE = 2.0  # of an arm: with less there is no power
PIECES = 10
"""Of the trials of one size, after each of which progress is told."""


@dataclass(frozen=True, kw_only=True)
class PlannedTrial:
    """What is assumed of a trial with one continuous outcome.

    Attributes
    ----------
    effects
        Of each treated arm against control, at every visit after the baseline, in units of the outcome; without
        randomisation the differences in change.
    sds
        (J,) standard deviation at each visit.
    correlations
        (J (J - 1) / 2,) of visits, pair by pair: first with second, first with third, ..., second with third.
    dropout
        (J,) share of people whose values from this visit on are missing, for reasons that have nothing to do with
        them; never falling.
    allocation
        (A,) parts of the people, the control first.
    model
        How the trial will be analysed.
    order
        Treated arms in the order of their tests; None: adjusted by Holm.
    alpha
        Two-sided level.

    Raises
    ------
    ParameterError
        No outcome has such correlations.

    """

    effects: tuple[float, ...]
    sds: tuple[float, ...]
    correlations: tuple[float, ...]
    dropout: tuple[float, ...]
    allocation: tuple[float, ...]
    model: TrialModel = TrialModel()
    order: tuple[int, ...] | None = None
    alpha: float = TEST_LEVEL

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        if np.linalg.eigvalsh(self.correlation)[0] < 1e-6:
            raise ParameterError(
                f'correlations {" ".join(f"{r:g}" for r in self.correlations)} cannot all be true of one outcome; '
                'bring them nearer to each other'
            )

    @property
    def primary(self) -> int:
        """Return the column of the primary visit."""
        return range(len(self.sds))[self.model.primary]

    @property
    def correlation(self) -> Array:
        """Return the (J, J) correlations of visits."""
        above = np.zeros((len(self.sds), len(self.sds)))
        above[np.triu_indices(len(self.sds), 1)] = self.correlations
        return above + above.T + np.eye(len(self.sds))

    @property
    def covariance(self) -> Array:
        """Return the (J, J) covariance of visits."""
        return self.correlation * np.outer(self.sds, self.sds)

    def people(self, n: int) -> list[int]:
        """Return how many of ``n`` people are in each arm, the control first.

        Examples
        --------
        >>> plan = PlannedTrial(effects=(1.0,), sds=(1.0,), correlations=(), dropout=(0.0,), allocation=(1, 2))
        >>> plan.people(10), plan.people(11)
        ([3, 7], [4, 7])

        """
        exact = n * np.array(self.allocation) / sum(self.allocation)
        whole = np.floor(exact).astype(int)
        whole[np.argsort(whole - exact, kind='stable')[: n - whole.sum()]] += 1
        return [int(number) for number in whole]

    def complete(self, n: int) -> list[float]:
        """Return how many are expected to have the primary visit."""
        return [people * (1 - self.dropout[self.primary]) for people in self.people(n)]

    def closed_form(self, n: int, arm: int = 1, alpha: float | None = None) -> float:
        r"""Return the power of one arm against control by the people with the primary visit.

        Notes
        -----
        Analysis of covariance; without randomisation the t test of change; without a baseline the t test
        (:func:`~pipelines.stats.power.difference_power`).
        """
        control, treated = (self.complete(n)[each] for each in (0, arm))
        if min(control, treated) <= _FEWEST_COMPLETE:
            return 0.0
        covariance, last = self.covariance, self.primary
        variance, n_baselines = covariance[last, last], 0
        if self.model.has_baseline and self.model.is_randomised:
            variance, n_baselines = variance - covariance[0, last] ** 2 / covariance[0, 0], 1
        elif self.model.has_baseline:
            variance = variance + covariance[0, 0] - 2 * covariance[0, last]
        difference = self.effects[arm - 1] / np.sqrt(variance)
        return difference_power(
            treated, control, difference, n_baselines=n_baselines, alpha=alpha or self.alpha
        )


def draw_trial(plan: PlannedTrial, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return (n, J) values of a trial, NaN where missing, and (n,) arms, 0 the control."""
    arm = np.repeat(np.arange(len(plan.allocation)), plan.people(n))
    values = rng.multivariate_normal(np.zeros(len(plan.sds)), plan.covariance, n, method='cholesky')
    effects = np.array([0.0, *plan.effects])[arm]
    values[:, int(plan.model.has_baseline) :] += effects[:, None]
    values[rng.random(n)[:, None] < np.array(plan.dropout)] = np.nan
    return values, arm


def even_dropout(share: float, n_visits: int, primary: int) -> tuple[float, ...]:
    """Return drop-out that rises evenly from none at the first visit to a share at the primary one, and stays there.

    Examples
    --------
    >>> even_dropout(0.2, 4, 2), even_dropout(0.1, 1, 0)
    ((0.0, 0.1, 0.2, 0.2), (0.1,))

    """
    if primary == 0:
        return (share,) * n_visits
    return tuple(share * min(visit, primary) / primary for visit in range(n_visits))


class FoundPower(NamedTuple):
    """What trials of one size found.

    Attributes
    ----------
    n
        People.
    power
        Of each treated arm: share of trials whose adjusted p is below the level.
    every
        Share of trials in which that is so of all.
    failed
        Trials that had no answer: they count as having found nothing.
    n_trials
        All of them.

    """

    n: int
    power: tuple[Power, ...]
    every: Power
    failed: int
    n_trials: int


def simulate_power(
    plan: PlannedTrial, n: int, rng: np.random.Generator, n_trials: int, tick: Tick = lambda: None
) -> FoundPower:
    """Draw trials, analyse each by :func:`~pipelines.stats.longitudinal.trial.fit_trial`, and count what is found.

    Parameters
    ----------
    plan, n
        What is assumed, and people.
    rng, n_trials
        Source, and number, of trials.
    tick
        Called after each tenth of them.

    """
    found, failed = np.zeros((n_trials, len(plan.effects)), bool), 0
    for piece in np.array_split(np.arange(n_trials), PIECES):
        for trial in piece:
            p = _p_values(plan, *draw_trial(plan, n, rng))
            failed += bool(np.isnan(p).all())
            found[trial] = p < plan.alpha
        tick()
    return FoundPower(
        n, tuple(share(part) for part in found.T), share(np.asarray(found.all(axis=1))), failed, n_trials
    )


def _p_values(plan: PlannedTrial, values: Array, arm: Array) -> Array:
    """Return the adjusted p of each treated arm at the primary visit; NaN without an answer."""
    p = np.full(len(plan.effects), np.nan)
    try:
        fit = fit_trial(values, arm, model=plan.model)
    except DataError:
        return p
    for each in fit.effects:
        if each.visit == plan.primary:
            p[each.arm - 1] = each.effect.p
    if plan.order is None:
        return holm(p)
    order = list(plan.order)
    p[order] = fixed_sequence(p[order])
    return p


def share(found: Array) -> Power:
    """Return the share of trials that found something, with its Monte Carlo standard error."""
    power = float(np.mean(found))
    return Power(power, float(np.sqrt(power * (1 - power) / len(found))))


def simulate_mediation(
    plan: PlannedTrial, n: int, paths: tuple[float, float], rng: np.random.Generator, n_trials: int,
    tick: Tick = lambda: None,
) -> Power:  # fmt: skip
    """Return the power of the percentile bootstrap of the indirect effect, of the people with the primary visit."""
    control, treated = (round(people) for people in plan.complete(n)[:2])
    found = []
    for piece in np.array_split(np.arange(n_trials), PIECES):
        if len(piece):
            part = mediation_power(treated, control, *paths, rng, n_trials=len(piece))
            found += [part.power] * len(piece)
        tick()
    power = float(np.mean(found))
    return Power(power, float(np.sqrt(power * (1 - power) / n_trials)))
