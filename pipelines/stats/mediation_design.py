"""Mediation analyses as a trial names them, and what their models are told of the trial."""

from dataclasses import dataclass
from typing import Literal

from ..terms import ReferenceKind
from .design import Outcome, OutcomeKind
from .visit import Visit


@dataclass(frozen=True)
class Analysis:
    """A mediation analysis as a trial names it.

    Attributes
    ----------
    name
        Of the analysis.
    mediators, outcome
        Names of outcomes of the trial; a mediator may be :data:`~.design.GENE_SET` and a set.
    structure, covariates
        Of the mediators; columns of the table of people.
    pre_named
        The gene sets were chosen before anybody saw expression by arm.
    reference
        Of expression: whether its first sample was drawn after randomisation.
    outcome_visit
        None: the outcome's primary visit.
    mediator_visits
        One for each mediator, or none at all.  None: by :func:`~.mediation_visits.choose_visits`, after which it is left
        for gene sets whose last sample is of no visit of the trial.

    """

    name: str
    mediators: tuple[str, ...]
    outcome: str
    structure: Literal['single', 'parallel', 'serial'] = 'single'
    covariates: tuple[str, ...] = ()
    pre_named: bool = False
    reference: ReferenceKind = 'postRandomisation'
    outcome_visit: str | None = None
    mediator_visits: tuple[str | None, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MediationDesign:
    """What mediation is told of a trial.

    Attributes
    ----------
    treated, control
        Each treated arm is compared with the control.
    analyses
        With their visits chosen.
    outcomes, visits
        Of the trial; visits in their order in time.
    is_randomised
        Whether chance decided who is in which arm.

    """

    treated: tuple[str, ...]
    control: str
    analyses: tuple[Analysis, ...]
    outcomes: tuple[Outcome, ...]
    visits: tuple[Visit, ...]
    is_randomised: bool = True

    @property
    def baseline(self) -> Visit | None:
        """Return the visit that change is counted from."""
        return next((visit for visit in self.visits if visit.is_baseline), None)

    @property
    def titles(self) -> dict[str, str]:
        """Return what outcomes are called."""
        return {outcome.name: outcome.title for outcome in self.outcomes}

    def kind_of(self, name: str) -> OutcomeKind:
        """Return the kind of an outcome."""
        return next(outcome.kind for outcome in self.outcomes if outcome.name == name)
