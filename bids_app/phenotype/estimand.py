"""What is estimated of an outcome, in the words of the trial file or in ours."""

from collections.abc import Sequence
from dataclasses import fields

from pipelines.stats.design import Outcome, primary_visit
from pipelines.terms import KINDS, KINDS_IN_PART, Kind

from ..tables.problems import listed
from .parts import Trial
from .reporting import Estimand


def against(treated: Sequence[str], control: str) -> str:
    """Say which arms are compared.

    Examples
    --------
    >>> against(['yoga'], 'wait'), against(['yoga', 'walking'], 'wait')
    ('yoga against wait', 'yoga and walking, each against wait')

    """
    return f'{listed(treated)}{", each" if len(treated) > 1 else ""} against {control}'


def kind_of(outcome: Outcome) -> Kind:
    """Return what is said of the type of an outcome, as far as it applies to this one.

    Examples
    --------
    >>> kind_of(Outcome(name='classes', kind='count', maximum=12)).model_alone
    'quasi-binomial regression'

    """
    if outcome.kind == 'count':
        return KINDS_IN_PART['unbounded_count' if outcome.maximum is None else 'bounded_count']
    if outcome.kind == 'ordinal' and outcome.threshold is None:
        return KINDS_IN_PART['levels_alone']
    return KINDS[outcome.kind]


def estimand_of(trial: Trial, outcome: Outcome) -> Estimand:
    """Return the estimand with what the trial file says, and for the rest a default that fits the outcome.

    References
    ----------
    International Council for Harmonisation. Addendum on estimands and sensitivity analysis in clinical trials,
    E9(R1). 2019.

    """
    is_repeated = outcome.kind == 'continuous' and len(outcome.visits or trial.visits) > 1
    usual = Estimand(
        treatment=f'{"assignment to" if trial.is_randomised else "being in"} {against(trial.treated, trial.arms.control)}',
        population='all randomised people with data, in the arm that they were assigned to'
        if trial.is_randomised
        else 'all people of these groups with data',
        variable=f'{outcome.title} at {primary_visit(outcome, trial.visits).words}',
        intercurrent_events='treatment policy: values after treatment was stopped are used',
        missing_data=f'missing at random given arm and {"earlier visits" if is_repeated else "covariates"}',
        summary=kind_of(outcome).summary,
    )
    given = {
        field.name: getattr(trial.estimand, field.name) or getattr(usual, field.name)
        for field in fields(usual)
    }
    return Estimand(**given)
