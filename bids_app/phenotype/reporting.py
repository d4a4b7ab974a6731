"""What a report tells of a trial beside its data: what is estimated, and what the trial file says of its conduct."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.terms import REPORTED

from .trial_json import record

Counts = Mapping[str, int]
"""Numbers by reason, or by arm."""


@dataclass(frozen=True, kw_only=True)
class Estimand:
    """What is estimated, by the attributes of ICH E9 (R1) and with what is assumed; None: the default."""

    treatment: str | None = None
    population: str | None = None
    variable: str | None = None
    intercurrent_events: str | None = None
    missing_data: str | None = None
    summary: str | None = None


@dataclass(frozen=True, kw_only=True)
class Dates:
    """First and last day, as ``2024-05-31`` or ``2024-05``; None where not given."""

    start: str | None = None
    end: str | None = None


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """How people came into arms: how the sequence was made and restricted, concealed, and carried out."""

    sequence: str | None = None
    restriction: str | None = None
    concealment: str | None = None
    implementation: str | None = None


@dataclass(frozen=True, kw_only=True)
class Harms:
    """How harms were defined and asked for, and how many people of each arm could have had any."""

    definition: str | None = None
    at_risk: Counts = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Reporting:
    """What the part ``Reporting`` of a trial file says; None: not supplied.

    The fields are those of :data:`~pipelines.terms.REPORTED`.
    """

    registration: str | None = None
    protocol: str | None = None
    analysis_plan: str | None = None
    data_sharing: str | None = None
    funding: str | None = None
    conflicts: str | None = None
    involvement: str | None = None
    changes: str | None = None
    setting: str | None = None
    eligibility: str | None = None
    interventions: Mapping[str, str] | None = None
    sample_size: str | None = None
    stopping: str | None = None
    allocation: Allocation | None = None
    blinding: str | None = None
    recruitment: Dates | None = None
    follow_up: Dates | None = None
    screened: int | None = None
    excluded: Counts | None = None
    losses: Mapping[str, Counts] | None = None
    harms: Harms | None = None


_OBJECTS: Mapping[str, Any] = {
    'Allocation': Allocation, 'Recruitment': Dates, 'FollowUp': Dates, 'Harms': Harms,
}  # fmt: skip


def read_reporting(given: Mapping[str, Any], arms: tuple[str, ...]) -> Reporting:
    """Return the part ``Reporting`` of a trial file, arms under the names that ``Arms`` gives them.

    Examples
    --------
    >>> read_reporting({'Losses': {'YOGA': {'moved away': 2}}}, ('yoga', 'wait')).losses
    {'yoga': {'moved away': 2}}

    """
    found = {key: _of_arms(key, value, arms) for key, value in given.items()}
    return record(
        Reporting,
        {key: record(_OBJECTS[key], value) if key in _OBJECTS else value for key, value in found.items()},
    )


def _of_arms(key: str, value: Any, arms: tuple[str, ...]) -> Any:
    names = {name.casefold(): name for name in arms}
    if REPORTED[key].holds in ('numbers of arms', 'texts of arms'):
        return {names[arm.casefold()]: own for arm, own in value.items()}
    if key == 'Harms' and 'AtRisk' in value:
        return {**value, 'AtRisk': {names[arm.casefold()]: n for arm, n in value['AtRisk'].items()}}
    return value


def not_supplied(reporting: Reporting, *, is_randomised: bool) -> list[str]:
    """Return the titles of what the trial file does not say, in the order of the terms.

    Examples
    --------
    >>> not_supplied(Reporting(registration='NCT07480460, before the first person'), is_randomised=True)[:2]
    ['Protocol', 'Statistical analysis plan']

    """
    given = record_fields(reporting)
    return [
        item.title
        for item in REPORTED.values()
        if given[item.name] is None and (is_randomised or not item.of_randomised)
    ]


def record_fields(reporting: Reporting) -> dict[str, object]:
    """Return what is reported by the keys of a trial file."""
    return dict(zip(REPORTED, vars(reporting).values(), strict=True))
