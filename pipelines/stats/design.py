"""What the models of a trial are told of it: its outcomes, arms, visits, samples and questions."""

from dataclasses import dataclass
from typing import Literal

Role = Literal['primary', 'secondary', 'other']

GENE_SET = 'expression:'
"""Start of a mediator that is the score of a gene set."""


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
        return self.role != 'other'


@dataclass(frozen=True, kw_only=True)
class OutcomesDesign:
    """Arms by name, outcomes in the order of tables, and the label of each visit by its name."""

    treatment: str
    control: str
    outcomes: tuple[Outcome, ...]
    visits: tuple[tuple[str, str], ...] = ()

    @property
    def imaging(self) -> list[DerivativeOutcome]:
        """Return the outcomes that are read from derivatives."""
        return [outcome for outcome in self.outcomes if isinstance(outcome, DerivativeOutcome)]


@dataclass(frozen=True, kw_only=True)
class SampleLabel:
    """A blood sample by its name, with session and time for figures."""

    name: str
    session: str
    time: str


@dataclass(frozen=True, kw_only=True)
class SamplesDesign:
    """Arms, unit, and the four samples: before and after the early session, before and after the late one."""

    treatment: str
    control: str
    units: str
    samples: tuple[SampleLabel, ...]

    @property
    def names(self) -> list[str]:
        """Return the names of the samples in their order."""
        return [sample.name for sample in self.samples]


@dataclass(frozen=True, kw_only=True)
class ExpressionDesign:
    """Arms, covariates of samples, contrasts with their titles, and the label of each visit by its name."""

    treatment: str
    control: str
    covariates: tuple[str, ...]
    contrasts: tuple[tuple[str, str], ...]
    visits: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Analysis:
    """A mediation analysis as a trial names it.

    Attributes
    ----------
    name
        Of the analysis.
    mediators, outcome
        Names of outcomes of the trial; a mediator may be :data:`GENE_SET` and a set.
    structure, covariates
        Of the mediators; columns of the table of people.
    pre_named
        The gene sets were chosen before anybody saw expression by arm.

    """

    name: str
    mediators: tuple[str, ...]
    outcome: str
    structure: Literal['single', 'parallel', 'serial'] = 'single'
    covariates: tuple[str, ...] = ()
    pre_named: bool = False


@dataclass(frozen=True, kw_only=True)
class MediationDesign:
    """The treated arm, the analyses, and what outcomes are called."""

    treatment: str
    analyses: tuple[Analysis, ...]
    titles: tuple[tuple[str, str], ...] = ()
