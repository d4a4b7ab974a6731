"""The parts of a trial: arms, visits, outcomes, samples and models, as they are read from its file."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.stats.design import DerivativeOutcome, Outcome, PrimaryContrast, Sites
from pipelines.stats.map_tests import MapVisits
from pipelines.stats.mediation_design import Analysis
from pipelines.stats.visit import Visit
from pipelines.terms import ReferenceKind

from .reporting import Estimand, Reporting


@dataclass(frozen=True, kw_only=True)
class Arms:
    """Which column says who is in which arm.

    Attributes
    ----------
    table, column
        Where it stands.
    treated, control
        Each treated arm is compared with the control.
    others
        Left out on purpose.
    is_randomised
        Whether chance decided.

    """

    table: str
    column: str
    treated: tuple[str, ...]
    control: str
    others: tuple[str, ...] = ()
    is_randomised: bool = True

    @property
    def treatment(self) -> str:
        """Return the first treated arm, for what compares one arm with the control."""
        return self.treated[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the arms that are analysed, the control last."""
        return (*self.treated, self.control)


@dataclass(frozen=True, kw_only=True)
class TableOutcome(Outcome):
    """An outcome in a column of a table, or the sum of ``items`` where that column has no value."""

    table: str
    column: str | None = None
    items: tuple[str, ...] = ()
    item_low: float | None = None
    item_high: float | None = None
    max_missing_items: int = 0


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A sample: its name in the trial, session and time, which is empty where a session has one sample."""

    name: str
    session_id: str
    time: str = ''


@dataclass(frozen=True, kw_only=True)
class Biomarker:
    """A concentration; limits of detection are numbers in ``units`` or columns."""

    name: str
    table: str
    column: str
    units: str
    samples: tuple[Sample, ...]
    description: str = ''
    lower_limit: float | str | None = None
    upper_limit: float | str | None = None
    time_column: str = 'time'
    hemoglobin: str | None = None
    hematocrit: str | None = None

    @property
    def title(self) -> str:
        """Return what figures and tables call it."""
        return self.description or self.name


@dataclass(frozen=True, kw_only=True)
class Expression:
    """Counts of genes, the table of their samples, and what is asked of them.

    ``visits`` are in their order, ``reference`` says what the first of them is; ``is_named``: by an option.
    """

    counts: str
    samples: str
    visits: tuple[Visit, ...]
    sample_column: str = 'sample_id'
    gene_sets: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    reference: ReferenceKind = 'baseline'
    is_named: bool = False


@dataclass(frozen=True, kw_only=True)
class Attendance:
    """How many of the planned training sessions each participant attended."""

    table: str
    column: str
    planned: int


@dataclass(frozen=True, kw_only=True)
class AdverseEvents:
    """A table of one row per event."""

    table: str
    column: str


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What was measured on whom and when; ``is_default``: nobody named its parts for this dataset."""

    name: str
    arms: Arms
    visits: tuple[Visit, ...]
    outcomes: Mapping[str, Outcome]
    covariates: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()
    sites: Sites | None = None
    maps: MapVisits = MapVisits()
    sequence: tuple[PrimaryContrast, ...] = ()
    estimand: Estimand = Estimand()
    reporting: Reporting = Reporting()
    biomarkers: tuple[Biomarker, ...] = ()
    expression: Expression | None = None
    mediation: tuple[Analysis, ...] = ()
    attendance: Attendance | None = None
    adverse_events: AdverseEvents | None = None
    remarks: tuple[str, ...] = ()
    is_default: bool = False

    @property
    def treated(self) -> tuple[str, ...]:
        """Return the arms that are compared with the control."""
        return self.arms.treated

    @property
    def is_randomised(self) -> bool:
        """Return whether chance decided who is in which arm."""
        return self.arms.is_randomised

    @property
    def baseline(self) -> Visit | None:
        """Return the visit that change is counted from; None where there is one visit only."""
        return next((visit for visit in self.visits if visit.is_baseline), None)

    @property
    def primary(self) -> Visit:
        """Return the visit of the primary contrasts."""
        return next(visit for visit in self.visits if visit.is_primary)

    @property
    def primary_contrasts(self) -> tuple[PrimaryContrast, ...]:
        """Return every primary outcome for every treated arm."""
        names = [outcome.name for outcome in self.outcomes.values() if outcome.role == 'primary']
        return tuple(PrimaryContrast(outcome=name, arm=arm) for name in names for arm in self.treated)

    @property
    def factors(self) -> tuple[str, ...]:
        """Return the columns of the table of arms that are categories by what they are for."""
        return tuple(dict.fromkeys((*self.strata, *([self.sites.column] if self.sites else ()))))

    @property
    def table_outcomes(self) -> tuple[TableOutcome, ...]:
        """Return the outcomes that stand in tables."""
        return tuple(o for o in self.outcomes.values() if isinstance(o, TableOutcome))

    @property
    def derivative_outcomes(self) -> tuple[DerivativeOutcome, ...]:
        """Return the outcomes that the participant level computed."""
        return tuple(o for o in self.outcomes.values() if isinstance(o, DerivativeOutcome))
