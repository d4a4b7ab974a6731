"""What the trial report needs and no table of the group holds: the trial's parts, and who is who."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from pipelines.errors import DataError, MissingInputError
from pipelines.terms import (
    KINDS,
    REFERENCES,
    REPORTED,
    VISIT_TITLES,
    Circuit,
    circuit_of_rows,
    default_circuit,
)

from ...outputs.group import TRIAL_RECORD
from ..read import RunRecord, read_json, record_of


class VisitRecord(NamedTuple):
    """A visit; ``session`` is the label of its session, ``time`` when it is due, in words, empty where not said."""

    name: str
    session: str
    time: str
    is_baseline: bool
    is_primary: bool

    @property
    def title(self) -> str:
        """Return the name as a heading."""
        return VISIT_TITLES.get(self.name, self.name)

    @property
    def words(self) -> str:
        """Return the name within a sentence.

        Examples
        --------
        >>> [VisitRecord(name, 'x', '', False, True).words for name in ('followup', 'T2')]
        ['follow-up', 'T2']

        """
        return VISIT_TITLES[self.name].lower() if self.name in VISIT_TITLES else self.name

    @property
    def label(self) -> str:
        """Return the name with session and time.

        Examples
        --------
        >>> VisitRecord('baseline', 'pre', '', True, False).label, VisitRecord('T2', 'w12', 'week 12', False, True).label
        ('Baseline (pre)', 'T2 (w12, week 12)')

        """
        return f'{self.title} ({", ".join(filter(None, (self.session, self.time)))})'


class OutcomeRecord(NamedTuple):
    """An outcome in words; ``derivative`` is empty for one that stands in ``table``.

    ``event`` is the word that counts of a binary outcome, and of an ordinal one the level that responders reach.
    """

    name: str
    title: str
    units: str
    role: str
    lower_is_better: bool | None
    derivative: str
    table: str
    kind: str = 'continuous'
    event: str = ''
    has_baseline: bool = True


class TrialRecord(NamedTuple):
    """What was recorded of a trial.

    ``part`` holds ``expression``, ``attendance`` and ``adverse_events`` as in the trial file;
    ``sampled`` holds the biomarkers as they were read;
    ``people``, ``attended`` and ``events`` are rows of tables, the last two None where not supplied;
    ``results`` is the folder of the participants' results, ``left_out`` whom a request leaves out of ``people``.
    ``factors`` are strata and the column of sites; ``estimands`` the attributes of the estimand of each outcome;
    ``reported`` what the trial file tells beside the data, by the names of :data:`~pipelines.terms.REPORTED`;
    ``circuit`` are the regions of the results.
    """

    name: str
    remarks: list[str]
    treated: list[str]
    control: str
    visits: list[VisitRecord]
    covariates: list[str]
    factors: list[str]
    outcomes: list[OutcomeRecord]
    part: Mapping[str, Any]
    sampled: list[dict[str, Any]]
    mediation: list[dict[str, Any]]
    people: list[dict[str, Any]]
    attended: list[dict[str, Any]] | None
    events: list[dict[str, Any]] | None
    results: Path
    left_out: list[dict[str, Any]]
    is_randomised: bool
    estimands: Mapping[str, Mapping[str, str]]
    reported: Mapping[str, Any]
    circuit: Circuit = default_circuit()

    @property
    def arms(self) -> tuple[str, ...]:
        """Return all arms, the control last."""
        return (*self.treated, self.control)

    @property
    def about_reference(self) -> str:
        """Return what is to be said of the first sample of gene expression, empty where it is nothing."""
        expression = self.part.get('expression')
        return REFERENCES[expression['reference']].about if expression else ''

    @property
    def treatment(self) -> str:
        """Return the first treated arm, for what compares one arm with the control."""
        return self.treated[0]

    @property
    def others(self) -> list[str]:
        """Return the treated arms but the first."""
        return self.treated[1:]

    @property
    def between(self) -> list[VisitRecord]:
        """Return the visits that are neither baseline nor primary."""
        return [visit for visit in self.visits if not (visit.is_baseline or visit.is_primary)]

    @property
    def baseline(self) -> VisitRecord | None:
        """Return the visit that change is counted from; None where there is one visit only."""
        return next((visit for visit in self.visits if visit.is_baseline), None)

    @property
    def primary(self) -> VisitRecord:
        """Return the visit of the primary contrasts."""
        return next(visit for visit in self.visits if visit.is_primary)

    @property
    def biomarkers(self) -> Mapping[str, str]:
        """Return the title of each biomarker."""
        return {given['name']: given['description'] or given['name'] for given in self.sampled}

    def visit(self, name: str) -> VisitRecord:
        """Return a visit by its name.

        Raises
        ------
        DataError
            The trial has no such visit.

        """
        found = next((visit for visit in self.visits if visit.name == name), None)
        if found is None:
            known = ', '.join(visit.name for visit in self.visits)
            raise DataError(
                f'a table of the group names the visit {name}, the trial has {known}. Run the group level again'
            )
        return found

    def people_of(self, arm: str) -> list[dict[str, object]]:
        """Return the people of an arm."""
        return [person for person in self.people if person['arm'] == arm]

    def titles(self) -> Mapping[str, str]:
        """Return the title of each outcome."""
        return MappingProxyType({outcome.name: outcome.title for outcome in self.outcomes})


def read_trial_record(output_dir: Path) -> TrialRecord:
    """Read ``group/log/trial.json``.

    Raises
    ------
    MissingInputError
        It is absent.

    """
    path = output_dir / TRIAL_RECORD
    content = read_json(path)
    if not content:
        raise MissingInputError(
            f'{path} is absent or cannot be read: there is no trial to report. Run the group level '
            'without --reports-only'
        )
    trial = content['trial']
    arms, sites = trial['arms'], trial['sites']
    return TrialRecord(
        name=str(trial['name']),
        remarks=list(trial['remarks']),
        treated=list(arms['treated']),
        control=arms['control'],
        visits=[_visit(given) for given in trial['visits']],
        covariates=list(trial['covariates']),
        factors=list(dict.fromkeys([*trial['strata'], *([sites['column']] if sites else [])])),
        outcomes=[_outcome(given) for given in trial['outcomes'].values()],
        part={key: trial.get(key) for key in ('expression', 'attendance', 'adverse_events')},
        sampled=list(trial.get('biomarkers', [])),
        mediation=list(trial['mediation']),
        people=content['participants'],
        attended=content['attendance'],
        events=content['events'],
        results=(output_dir / content['results']).resolve(),
        left_out=content.get('left_out', []),
        is_randomised=arms['is_randomised'],
        estimands=content.get('estimands', {}),
        reported=dict(zip(REPORTED, trial['reporting'].values(), strict=True)),
        circuit=circuit_of_rows(content['regions']) if 'regions' in content else default_circuit(),
    )


def _visit(given: Mapping[str, Any]) -> VisitRecord:
    times = [f'{unit} {given[unit]:g}' for unit in ('week', 'month') if given[unit] is not None]
    session = given['session_id'].removeprefix('ses-')
    return VisitRecord(
        given['name'], session, ''.join(times), bool(given['is_baseline']), bool(given['is_primary'])
    )


def _outcome(given: Mapping[str, Any]) -> OutcomeRecord:
    event = 1 if given['responder'] is None and given['kind'] == 'binary' else given['responder']
    return OutcomeRecord(
        name=given['name'],
        title=given['description'] or given['name'],
        units='' if given['units'] in ('1', 'count') else given['units'],
        role=given['role'],
        lower_is_better=given['lower_is_better'],
        derivative=given.get('derivative', ''),
        table=given.get('table', ''),
        kind=KINDS[given['kind']].name,
        event='' if event is None else f'{event:g}' if isinstance(event, float) else str(event),
        has_baseline=given['has_baseline'],
    )


def read_group_record(output_dir: Path) -> RunRecord:
    """Return the record of the latest run of the group level; an empty one if there is none."""
    return record_of(output_dir / 'group' / 'log')
