"""How many people a planned trial needs, and the table of what they find."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import optimize, stats

from ..errors import ParameterError
from ..stats.power import paths_power
from .planned import PIECES, FoundPower, PlannedTrial, Tick, simulate_mediation, simulate_power

_MOST_PEOPLE = 100_000
_AROUND = (0.6, 0.8, 1.0, 1.2, 1.4)  # sizes of a curve, in parts of the size that the closed form gives
_BESIDE = (0.8, 1.0, 1.2)  # the same of a mediator
FEWEST = 6
"""Of an arm on average, below which no trial is simulated."""
_SURE, _FARTHEST = 1e-9, 2.0  # probability left; of a shift, in standard deviations
_SHARE = 5  # a size of a curve has this part of the trials

SIZE_COLUMNS = (
    'analysis',
    'arm',
    'n',
    'n_complete',
    'power',
    'mc_se',
    'closed_form',
    'n_trials',
    'n_failed',
    'is_planned',
)
"""``n`` people in all arms, ``n_complete`` expected with the primary visit in the arms that are compared."""


class SizeQuestion(NamedTuple):
    """What is asked: the power of ``n`` people, or where it is None the people for ``power``; paths of a mediator."""

    n: int | None
    power: float
    paths: tuple[float, float] | None
    n_trials: int

    @property
    def n_ticks(self) -> int:
        """Return how often progress is told at most."""
        curves = len(_AROUND) + (self.n is None)
        return PIECES * (curves + (len(_BESIDE) if self.paths else 0))


class Sizes(NamedTuple):
    """What was simulated, a row per analysis, arm and size, with :data:`SIZE_COLUMNS`; and the people planned for each."""

    table: pd.DataFrame
    n_primary: int
    n_mediation: int | None


def plan_sizes(plan: PlannedTrial, question: SizeQuestion, rng: np.random.Generator, tick: Tick) -> Sizes:
    """Simulate a trial at sizes around the one that is asked for, or that is needed.

    Parameters
    ----------
    plan, question
        What is assumed, and what is asked.
    rng
        Source of trials.
    tick
        Called :attr:`SizeQuestion.n_ticks` times, or less where sizes are the same.

    Notes
    -----
    Where people are sought the closed form says about where, trials of five sizes around it tell how far power is
    from it (:func:`needed_size`), and the size found is simulated anew, with all trials.
    """
    few = max(PIECES, question.n_trials // _SHARE)
    centre = expected_size(plan, question.power) if question.n is None else question.n
    curve = [
        simulate_power(plan, n, rng, question.n_trials if n == question.n else few, tick)
        for n in sizes_around(plan, centre, _AROUND)
    ]
    chosen = question.n
    if chosen is None:
        chosen = needed_size(plan, curve, question.power)
        found = simulate_power(plan, chosen, rng, question.n_trials, tick)
        curve = [*(each for each in curve if each.n != chosen), found]
    rows = [row for found in sorted(curve) for row in _primary_rows(plan, found, chosen)]
    n_paths = None
    if question.paths:
        n_paths = question.n or mediation_size(plan, question.paths, question.power)
        rows += _mediation_rows(plan, n_paths, question, rng, tick)
    return Sizes(pd.DataFrame(rows, columns=list(SIZE_COLUMNS)), chosen, n_paths)


def _primary_rows(plan: PlannedTrial, found: FoundPower, chosen: int) -> Iterator[tuple[object, ...]]:
    n = found.n
    complete, is_alone = plan.complete(n), len(found.power) == 1
    for arm, power in enumerate(found.power, 1):
        closed = plan.closed_form(n, arm) if is_alone else np.nan
        own = complete[0] + complete[arm]
        yield (
            'primary', plan.model.arm_name(arm), n, own, *power, closed, found.n_trials, found.failed, n == chosen
        )  # fmt: skip
    if not is_alone:
        yield (
            'primary',
            'every arm',
            n,
            sum(complete),
            *found.every,
            np.nan,
            found.n_trials,
            found.failed,
            n == chosen,
        )


def _mediation_rows(
    plan: PlannedTrial, n_planned: int, question: SizeQuestion, rng: np.random.Generator, tick: Tick
) -> Iterator[tuple[object, ...]]:
    assert question.paths
    for n in sizes_around(plan, n_planned, _BESIDE):
        complete = sum(plan.complete(n)[:2])
        power = simulate_mediation(plan, n, question.paths, rng, question.n_trials, tick)
        closed = paths_power(complete, *question.paths)
        yield (
            'mediation', plan.model.arm_name(1), n, complete, *power, closed, question.n_trials, 0, n == n_planned
        )  # fmt: skip


def least_size(plan: PlannedTrial, power: Callable[[int], float], target: float) -> int:
    """Return the fewest people, in whole rounds of the allocation, with which a power is reached.

    Raises
    ------
    ParameterError
        More than a hundred thousand are not enough.

    """
    step = max(1, round(sum(plan.allocation) / min(plan.allocation)))
    low = FEWEST * len(plan.allocation) // step * step
    high = low + step
    while power(high) < target:
        low, high = high, 2 * high
        if high > _MOST_PEOPLE:
            raise ParameterError(
                f'even {_MOST_PEOPLE:,} people do not reach a power of {target:g}; is the effect in units of the outcome?'
            )
    while high - low > step:
        middle = low + (high - low) // step // 2 * step
        low, high = (low, middle) if power(middle) >= target else (middle, high)
    return high


def expected_power(plan: PlannedTrial, n: int) -> float:
    """Return the least power of an arm by the closed form, the level shared among the arms if they have no order."""
    alpha = plan.alpha if plan.order is not None else plan.alpha / len(plan.effects)
    return min(plan.closed_form(n, arm, alpha) for arm in range(1, len(plan.effects) + 1))


def expected_size(plan: PlannedTrial, target: float) -> int:
    """Return the people whom the closed form asks for."""
    return least_size(plan, lambda n: expected_power(plan, n), target)


def sizes_around(plan: PlannedTrial, n: int, parts: Sequence[float]) -> list[int]:
    """Return parts of ``n``, which is one of them, that have enough people for a model."""
    least = FEWEST * len(plan.allocation)
    if n < least:
        raise ParameterError(f'{n} people in {len(plan.allocation)} arms are too few; plan {least} or more')
    return sorted({n, *(max(least, round(part * n)) for part in parts)})


def needed_size(plan: PlannedTrial, curve: Sequence[FoundPower], target: float) -> int:
    r"""Return the people with which the least power of an arm reaches the target, by what a curve found.

    Notes
    -----
    :math:`\Phi^{-1}` of power is that of the closed form and a shift, the same at every size: the one with which as many
    trials are expected to find the effect as did.
    """
    found = sum(min(each.power for each in one.power) for one in curve)
    heights = stats.norm.ppf(np.clip([expected_power(plan, one.n) for one in curve], _SURE, 1 - _SURE))

    def surplus(shift: float) -> float:
        return float(stats.norm.cdf(heights + shift).sum() - found)

    ends = surplus(-_FARTHEST), surplus(_FARTHEST)
    inside = ends[0] < 0 < ends[1]
    shift = optimize.brentq(surplus, -_FARTHEST, _FARTHEST) if inside else np.sign(-ends[0]) * _FARTHEST

    def power(n: int) -> float:
        height = stats.norm.ppf(np.clip(expected_power(plan, n), _SURE, 1 - _SURE))
        return float(stats.norm.cdf(height + shift))

    return least_size(plan, power, target)


def mediation_size(plan: PlannedTrial, paths: tuple[float, float], target: float) -> int:
    """Return the people with whom both paths of a mediator are found, by the first treated arm and the control."""
    return least_size(plan, lambda n: paths_power(sum(plan.complete(n)[:2]), *paths), target)
