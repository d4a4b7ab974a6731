"""What the trial report needs and no table of the group holds: the trial's parts, and who is who."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from pipelines.errors import MissingInputError

from ...outputs.group import TRIAL_RECORD
from ..read import RunRecord, read_json, record_of


class OutcomeRecord(NamedTuple):
    """An outcome in words; ``derivative`` is empty for one that stands in ``table``."""

    name: str
    title: str
    units: str
    role: str
    lower_is_better: bool | None
    derivative: str
    table: str


class TrialRecord(NamedTuple):
    """What was recorded of a trial.

    ``part`` holds ``bdnf``, ``expression``, ``attendance`` and ``adverse_events`` as in the trial file;
    ``people``, ``attended`` and ``events`` are rows of tables, the last two None where not supplied;
    ``results`` is the folder of the participants' results, ``left_out`` whom a request leaves out of ``people``.
    ``others`` are the treated arms but the first, ``between`` the visits that are neither baseline nor primary.
    """

    name: str
    remarks: list[str]
    treatment: str
    control: str
    visits: dict[str, str]
    covariates: list[str]
    outcomes: list[OutcomeRecord]
    part: Mapping[str, Any]
    mediation: list[dict[str, Any]]
    people: list[dict[str, Any]]
    attended: list[dict[str, Any]] | None
    events: list[dict[str, Any]] | None
    results: Path
    left_out: list[dict[str, Any]]
    is_randomised: bool
    others: list[str]
    between: list[str]

    @property
    def arms(self) -> tuple[str, str]:
        """Return treatment and control."""
        return self.treatment, self.control

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
    return TrialRecord(
        name=str(trial['name']),
        remarks=list(trial['remarks']),
        treatment=trial['arms']['treated'][0],
        control=trial['arms']['control'],
        visits={visit['name']: visit['session_id'].removeprefix('ses-') for visit in trial['visits']},
        covariates=list(trial['covariates']),
        outcomes=[_outcome(given) for given in trial['outcomes'].values()],
        part={key: trial.get(key) for key in ('bdnf', 'expression', 'attendance', 'adverse_events')},
        mediation=list(trial['mediation']),
        people=content['participants'],
        attended=content['attendance'],
        events=content['events'],
        results=(output_dir / content['results']).resolve(),
        left_out=content.get('left_out', []),
        is_randomised=trial['arms']['is_randomised'],
        others=list(trial['arms']['treated'][1:]),
        between=[v['name'] for v in trial['visits'] if not (v['is_baseline'] or v['is_primary'])],
    )


def _outcome(given: Mapping[str, Any]) -> OutcomeRecord:
    return OutcomeRecord(
        name=given['name'],
        title=given['description'] or given['name'],
        units='' if given['units'] == '1' else given['units'],
        role=given['role'],
        lower_is_better=given['lower_is_better'],
        derivative=given.get('derivative', ''),
        table=given.get('table', ''),
    )


def read_group_record(output_dir: Path) -> RunRecord:
    """Return the record of the latest run of the group level; an empty one if there is none."""
    return record_of(output_dir / 'group' / 'log')
