"""What is assumed of a trial: its trial file, and the numbers of the command line."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.errors import ParameterError
from pipelines.simulated.planned import PlannedTrial, even_dropout
from pipelines.stats.design import Outcome, primary_visit, visits_of
from pipelines.stats.longitudinal.trial_design import TrialModel
from pipelines.stats.power import TEST_LEVEL
from pipelines.stats.visit import Visit

from ..phenotype.parts import Trial
from ..tables.problems import listed, nearest

DROPOUT, CORRELATION, WANTED_POWER, N_PLANNED, PLAN_SEED = 0.15, 0.5, 0.8, 1000, 1


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """Options of the command line as they were given."""

    sd: tuple[float, ...]
    effect: tuple[float, ...] = ()
    correlation: tuple[float, ...] = (CORRELATION,)
    dropout: tuple[float, ...] = (DROPOUT,)
    allocation: tuple[float, ...] = ()
    alpha: float = TEST_LEVEL
    outcome: str | None = None


@dataclass(frozen=True, kw_only=True)
class Assumed:
    """A trial as it is planned; ``visits`` are those of the outcome, ``effect_from`` says where the effect is from."""

    trial: Trial
    outcome: Outcome
    visits: tuple[Visit, ...]
    plan: PlannedTrial
    effect_from: str

    @property
    def primary(self) -> Visit:
        """Return the visit of the primary contrast."""
        return primary_visit(self.outcome, self.trial.visits)


def assume(trial: Trial, numbers: Numbers) -> Assumed:
    """Return what is assumed of a trial.

    Raises
    ------
    ParameterError
        An option has another number of values than the trial needs, or one out of its range; the outcome is unknown
        or not continuous.

    """
    outcome = _outcome(trial, numbers.outcome)
    visits = tuple(visits_of(outcome, trial.visits))
    primary = visits.index(primary_visit(outcome, trial.visits))
    has_baseline = outcome.has_baseline and trial.baseline is not None
    effects, source = _effects(trial, outcome, numbers.effect)
    later = visits[1:] if has_baseline else visits
    dropout = _dropout(numbers.dropout, later, len(visits), primary if has_baseline else 0)
    n_pairs = len(visits) * (len(visits) - 1) // 2
    order = {contrast.arm: None for contrast in trial.sequence if contrast.outcome == outcome.name}
    plan = PlannedTrial(
        effects=effects,
        sds=_repeated('--sd', numbers.sd, len(visits), 'visits of the outcome'),
        correlations=_repeated('--correlation', numbers.correlation, n_pairs, 'pairs of visits'),
        dropout=dropout,
        allocation=_allocation(trial, numbers.allocation),
        model=TrialModel(
            is_randomised=trial.is_randomised, has_baseline=has_baseline, primary=primary,
            arms=(trial.arms.control, *trial.treated), visits=tuple(visit.name for visit in visits),
        ),
        order=tuple(trial.treated.index(arm) for arm in order) or None,
        alpha=numbers.alpha,
    )  # fmt: skip
    return Assumed(trial=trial, outcome=outcome, visits=visits, plan=plan, effect_from=source)


def _outcome(trial: Trial, name: str | None) -> Outcome:
    primary = [outcome for outcome in trial.outcomes.values() if outcome.role == 'primary']
    if name is not None and name not in trial.outcomes:
        raise ParameterError(
            f'--outcome {name}: the trial has none of this name. {nearest(name, list(trial.outcomes))}'
        )
    found = trial.outcomes[name] if name else next(iter([*primary, *trial.outcomes.values()]))
    if found.kind != 'continuous':
        continuous = [outcome.name for outcome in trial.outcomes.values() if outcome.kind == 'continuous']
        others = f'--outcome {" or ".join(continuous)} is' if continuous else 'The trial has none that is'
        raise ParameterError(f'{found.name} is {found.kind}; continuous outcomes are planned. {others}.')
    return found


def _effects(trial: Trial, outcome: Outcome, given: tuple[float, ...]) -> tuple[tuple[float, ...], str]:
    """Return the effect of each treated arm, by default the minimal important change towards better."""
    if given:
        found = _repeated('--effect', given, len(trial.treated), 'treated arms')
        if 0.0 in found:
            raise ParameterError(
                '--effect 0: no effect is found with no number of people; give one that matters'
            )
        return found, '--effect'
    least = outcome.minimal_important_change
    if least is None or outcome.lower_is_better is None:
        raise ParameterError(
            f'--effect is needed: {outcome.name} has no MinimalImportantChange and LowerIsBetter in the trial file'
        )
    return (-least if outcome.lower_is_better else least,) * len(trial.treated), 'MinimalImportantChange'


def _dropout(
    given: tuple[float, ...], later: Sequence[Visit], n_visits: int, primary: int
) -> tuple[float, ...]:
    """Return the share that is missing at each visit; one number is that of the primary visit."""
    if len(given) == 1:
        return even_dropout(given[0], n_visits, primary)
    if len(given) != len(later):
        raise ParameterError(
            f'--dropout has {len(given)} values; give one, for the primary visit, or {len(later)}: '
            f'{listed([visit.name for visit in later])}'
        )
    if list(given) != sorted(given):
        raise ParameterError(
            f'--dropout {" ".join(f"{s:g}" for s in given)}: who has left does not come back'
        )
    return (*(0.0,) * (n_visits - len(later)), *given)


def _allocation(trial: Trial, given: tuple[float, ...]) -> tuple[float, ...]:
    """Return the parts of the arms, the control first; on the command line it is the last."""
    arms = trial.arms.names
    if not given:
        return (1.0,) * len(arms)
    if len(given) != len(arms):
        raise ParameterError(f'--allocation has {len(given)} values; give {len(arms)}: {listed(arms)}')
    return (given[-1], *given[:-1])


def _repeated(option: str, given: tuple[float, ...], n: int, what: str) -> tuple[float, ...]:
    if len(given) not in (1, n):
        raise ParameterError(
            f'{option} has {len(given)} values; give one, or {n}: one for each of the {what}'
        )
    return given * n if len(given) == 1 else given
