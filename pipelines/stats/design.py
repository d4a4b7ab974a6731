"""What the models of a trial are told of it: its outcomes, arms, visits, samples and questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .visit import Visit

Role = Literal['primary', 'secondary', 'other']
OutcomeKind = Literal['continuous', 'binary', 'ordinal', 'count']
"""Names of :data:`~pipelines.terms.KINDS`."""
SiteRole = Literal['fixed', 'random', 'blocks']
"""Names of :data:`~pipelines.terms.SITE_USES`."""

GENE_SET = 'expression:'
"""Start of a mediator that is the score of a gene set."""


@dataclass(frozen=True, kw_only=True)
class PrimaryContrast:
    """A treated arm against the control at the primary visit of an outcome."""

    outcome: str
    arm: str


@dataclass(frozen=True, kw_only=True)
class Sites:
    """The column of the table of arms that names sites, and what they are to a model."""

    column: str
    use: SiteRole


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What is compared between arms.

    Attributes
    ----------
    name, units
        As they appear in tables.
    low, high
        Possible values, in units.
    role
        In the trial.
    lower_is_better
        None: not stated, no responders.
    minimal_important_change, minimal_important_percent
        In units, and in per cent of the baseline; both positive.
    description
        In words.
    kind
        What its values are; those of a binary outcome are 0 and 1, those of an ordinal one numbers whose order counts.
    levels
        Words of an ordinal outcome from lowest to highest, whose values are then 1, 2, ...; the two of a binary one.
    responder
        The word or number that counts: of a binary outcome the one that is 1, of an ordinal one the level that is
        reached or bettered.
    maximum
        Of a count, None where there is none.
    exposure
        The column of the time at risk of an unbounded count.
    visits
        Names of the visits at which it is measured, in their order; empty: all of the trial.
    has_baseline
        Whether the trial's baseline is among them.

    """

    name: str
    units: str = ''
    low: float | None = None
    high: float | None = None
    role: Role = 'secondary'
    lower_is_better: bool | None = None
    minimal_important_change: float | None = None
    minimal_important_percent: float | None = None
    description: str = ''
    kind: OutcomeKind = 'continuous'
    levels: tuple[str, ...] = ()
    responder: str | float | None = None
    maximum: int | None = None
    exposure: str | None = None
    visits: tuple[str, ...] = ()
    has_baseline: bool = True

    @property
    def threshold(self) -> float | None:
        """Return the value that a responder of an ordinal outcome reaches or betters.

        Examples
        --------
        >>> Outcome(name='pgic', kind='ordinal', levels=('worse', 'same', 'better'), responder='better').threshold
        3.0

        """
        if self.kind != 'ordinal' or self.responder is None:
            return None
        if isinstance(self.responder, str):
            return 1.0 + self.levels.index(self.responder)
        return float(self.responder)

    @property
    def title(self) -> str:
        """Return what figures call it."""
        return self.description or self.name

    @property
    def in_family(self) -> bool:
        """Return whether it is adjusted by Holm together with the others of which this is true."""
        return False


@dataclass(frozen=True, kw_only=True)
class DerivativeOutcome(Outcome):
    """An outcome that the participant level computed.

    ``derivative`` is one of :data:`~pipelines.terms.MEASURES`, ``hemisphere`` is of tracts (``B``: both).
    """

    derivative: str
    regions: tuple[str, ...] = ()
    hemisphere: Literal['L', 'R', 'B'] = 'B'

    @property
    def in_family(self) -> bool:
        """Return whether it belongs to the imaging family: those of another role stand beside it."""
        return self.role == 'secondary'


def visits_of(outcome: Outcome, visits: Sequence[Visit]) -> tuple[Visit, ...]:
    """Return the visits of a trial at which an outcome is measured.

    Examples
    --------
    >>> week0, week6 = Visit(name='week0', session_id='ses-a'), Visit(name='week6', session_id='ses-b')
    >>> [visit.name for visit in visits_of(Outcome(name='pgic', visits=('week6',)), [week0, week6])]
    ['week6']

    """
    return tuple(visit for visit in visits if not outcome.visits or visit.name in outcome.visits)


def primary_visit(outcome: Outcome, visits: Sequence[Visit]) -> Visit:
    """Return the visit of an outcome's primary contrast: the trial's, else the last at which it is measured."""
    own = visits_of(outcome, visits)
    return next((visit for visit in own if visit.is_primary), own[-1])


@dataclass(frozen=True, kw_only=True)
class OutcomesDesign:
    """What the models of outcomes are told of a trial.

    Attributes
    ----------
    treated, control
        Names of the arms that are compared with the control, in the order of the trial file, and of the control.
    outcomes
        In the order of tables.
    visits
        In their order in time.
    is_randomised
        Whether chance decided who is in which arm.
    covariates, strata
        Columns of the table of people that are adjusted for, and that randomisation was stratified by.
    sites
        None where the trial has one.
    sequence
        Primary contrasts in the order in which they are tested; empty: adjusted by Holm.

    """

    treated: tuple[str, ...]
    control: str
    outcomes: tuple[Outcome, ...]
    visits: tuple[Visit, ...] = ()
    is_randomised: bool = True
    covariates: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()
    sites: Sites | None = None
    sequence: tuple[PrimaryContrast, ...] = ()

    @property
    def treatment(self) -> str:
        """Return the first treated arm, for what compares one arm with the control."""
        return self.treated[0]

    @property
    def arms(self) -> tuple[str, ...]:
        """Return all arms, the control last."""
        return (*self.treated, self.control)

    @property
    def baseline(self) -> Visit | None:
        """Return the visit that change is counted from."""
        return next((visit for visit in self.visits if visit.is_baseline), None)

    @property
    def adjusted(self) -> tuple[str, ...]:
        """Return the columns that enter a model: covariates, strata and sites."""
        site = (self.sites.column,) if self.sites else ()
        return tuple(dict.fromkeys((*self.covariates, *self.strata, *site)))

    @property
    def imputed(self) -> tuple[Outcome, ...]:
        """Return the primary outcomes of which it is known what worse means, and how far it goes."""
        return tuple(
            outcome
            for outcome in self.outcomes
            if outcome.role == 'primary' and outcome.kind == 'continuous' and outcome.has_baseline
            and None not in (outcome.low, outcome.high, outcome.lower_is_better)
        )  # fmt: skip

    @property
    def imaging(self) -> list[DerivativeOutcome]:
        """Return the outcomes that are read from derivatives."""
        return [outcome for outcome in self.outcomes if isinstance(outcome, DerivativeOutcome)]
