"""What a trial file tells beside the data: what is estimated (ICH E9 R1), and the items of CONSORT 2025."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from pipelines.terms import REPORTED, Reported

from ...phenotype.reporting import Reporting, not_supplied
from .record import OutcomeRecord, TrialRecord

_ATTRIBUTES = {
    'treatment': 'Treatment',
    'population': 'Population',
    'variable': 'Variable',
    'intercurrent_events': 'Intercurrent events',
    'missing_data': 'Missing values',
    'summary': 'Summary measure',
}
"""Attributes of an estimand, and what is assumed, by the names of the record."""


class EstimandShown(NamedTuple):
    """The estimand of an outcome by its attributes, in words; ``is_main``: of a primary outcome, or of the first."""

    outcome: OutcomeRecord
    attributes: list[tuple[str, str]]
    is_main: bool


def estimands(trial: TrialRecord) -> list[EstimandShown]:
    """Return the estimand of every outcome that the record has one of, the primary outcomes first."""
    order = sorted(trial.outcomes, key=lambda outcome: outcome.role != 'primary')
    return [
        EstimandShown(
            outcome,
            [(_ATTRIBUTES[key], text) for key, text in found.items()],
            outcome.role == 'primary' or outcome == order[0],
        )
        for outcome in order
        if (found := trial.estimands.get(outcome.name))
    ]


class ItemShown(NamedTuple):
    """An item that was supplied: its title, and what was told, line by line."""

    title: str
    lines: list[str]


def supplied(trial: TrialRecord) -> list[ItemShown]:
    """Return the items that the trial file tells, in the order of the terms."""
    return [
        ItemShown(item.title, list(_lines(item, value)))
        for item in REPORTED.values()
        if (value := trial.reported.get(item.name)) is not None
    ]


def lacking(trial: TrialRecord) -> list[str]:
    """Return the titles of the items that the trial file does not tell, and of tables that were not there."""
    names = (field.name for field in fields(Reporting))
    given = Reporting(**dict(zip(names, trial.reported.values(), strict=True)))
    found = not_supplied(given, is_randomised=trial.is_randomised)
    found += ['Attendance'] if trial.attended is None else []
    return found + (['Adverse events'] if trial.events is None else [])


def _lines(item: Reported, value: Any) -> Iterator[str]:
    match item.holds:
        case 'text' | 'number':
            yield str(value)
        case 'numbers' | 'texts of arms':
            yield from (f'{key}: {own}' for key, own in value.items())
        case 'numbers of arms':
            yield from (f'{arm}: {_numbers(own)}' for arm, own in value.items())
        case 'dates':
            yield ' to '.join(str(value[end] or 'not supplied') for end in ('start', 'end'))
        case 'object':
            yield from _object(value)


def _numbers(counts: Mapping[str, int]) -> str:
    return ', '.join(f'{n} {reason}' for reason, n in counts.items()) or 'none'


def _object(value: Mapping[str, Any]) -> Iterator[str]:
    for key, own in value.items():
        if own:
            text = _numbers_of(own) if isinstance(own, Mapping) else str(own)
            yield f'{key.replace("_", " ").capitalize()}: {text}'


def _numbers_of(counts: Mapping[str, int]) -> str:
    return ', '.join(f'{arm} {n}' for arm, n in counts.items())
