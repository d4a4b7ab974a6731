"""The trial: arms, visits, outcomes, samples and models, read from a JSON file and checked."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pipelines.errors import DataError, MissingInputError
from pipelines.stats.design import Analysis, DerivativeOutcome, Outcome
from pipelines.terms import MEASURES

from .trial_check import trial_errors

DATA_DIR = Path(__file__).parents[2] / 'pipelines' / 'data'
BDNF_SAMPLES = ('s7_pre', 's7_post', 's42_pre', 's42_post')
"""Before and after session 7, before and after session 42."""


@dataclass(frozen=True, kw_only=True)
class Arms:
    """Which column says who was randomised to what; people of ``others`` are left out on purpose."""

    table: str
    column: str
    treatment: str
    control: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A visit and its session, ``ses-`` included."""

    name: str
    session_id: str


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
    """A blood sample: its name in the trial, session and time relative to the training."""

    name: str
    session_id: str
    time: str


@dataclass(frozen=True, kw_only=True)
class Bdnf:
    """Plasma BDNF; limits of detection are numbers in ``units`` or columns."""

    table: str
    column: str
    units: str
    samples: tuple[Sample, ...]
    lower_limit: float | str | None = None
    upper_limit: float | str | None = None
    time_column: str = 'time'
    hemoglobin: str | None = None
    hematocrit: str | None = None


@dataclass(frozen=True, kw_only=True)
class Expression:
    """Counts of genes, the table of their samples, and what is asked of them; ``is_named``: by an option."""

    counts: str
    samples: str
    visits: tuple[Visit, Visit]
    sample_column: str = 'sample_id'
    gene_sets: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
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
    visits: tuple[Visit, Visit]
    outcomes: Mapping[str, Outcome]
    covariates: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    bdnf: Bdnf | None = None
    expression: Expression | None = None
    mediation: tuple[Analysis, ...] = ()
    attendance: Attendance | None = None
    adverse_events: AdverseEvents | None = None
    remarks: tuple[str, ...] = ()
    is_default: bool = False

    @property
    def table_outcomes(self) -> tuple[TableOutcome, ...]:
        """Return the outcomes that stand in tables."""
        return tuple(o for o in self.outcomes.values() if isinstance(o, TableOutcome))

    @property
    def derivative_outcomes(self) -> tuple[DerivativeOutcome, ...]:
        """Return the outcomes that the participant level computed."""
        return tuple(o for o in self.outcomes.values() if isinstance(o, DerivativeOutcome))


def read_trial(path: Path | None = None) -> Trial:
    """Read and check a trial file.

    Parameters
    ----------
    path
        JSON file; None: the trial CLBPE.

    Raises
    ------
    MissingInputError
        The file is absent.
    DataError
        It is no JSON, or its content cannot be used; every fault is named by its path, such as
        ``Outcomes.nrs.Range``.

    Examples
    --------
    >>> trial = read_trial()
    >>> trial.name, [visit.session_id for visit in trial.visits]
    ('CLBPE', ['ses-pre', 'ses-post'])

    """
    source = path or DATA_DIR / 'trial.json'
    content = _load(source)
    errors = trial_errors(content, _schema())
    if errors:
        listed = ''.join(f'\n- {error}' for error in errors)
        raise DataError(f'{source} cannot be used as a trial file:{listed}')
    return _trial(content, source, is_default=path is None)


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((DATA_DIR / 'trial.schema.json').read_text(encoding='utf-8'))
    return schema


def _load(path: Path) -> Any:
    try:
        text = path.read_bytes().decode('utf-8-sig')
        content = json.loads(
            text, object_pairs_hook=_no_key_twice, parse_constant=_no_constant, parse_int=_whole_number
        )
        json.dumps(content, ensure_ascii=False).encode()  # half of a letter can be escaped, and never written
        return content
    except FileNotFoundError:
        raise MissingInputError(f'{path} (trial file) does not exist. Correct the path.') from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f'{path} (trial file) is no valid JSON: {error}. Mend it; an editor for JSON shows where.'
        ) from error


def _no_key_twice(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f'the key "{key}" stands twice in one object')
        found[key] = value
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(f'{word} is no number of JSON; for no limit write null')


def _whole_number(text: str) -> int:
    if not math.isfinite(float(text)):
        raise ValueError(f'a number of {len(text)} digits is too large')
    return int(text)


def _trial(content: Mapping[str, Any], source: Path, *, is_default: bool) -> Trial:
    bdnf, expression = content.get('BDNF'), content.get('Expression')
    return Trial(
        name=content.get('Name', source.stem),
        arms=_record(Arms, content['Arms']),
        visits=_visits(content['Visits'], ('baseline', 'followup')),
        outcomes={name: _outcome(name, given) for name, given in content['Outcomes'].items()},
        covariates=tuple(content.get('Covariates', ())),
        categories=tuple(content.get('Categories', ())),
        bdnf=bdnf and _record(Bdnf, bdnf, samples=_samples(bdnf)),
        expression=expression
        and _record(Expression, expression, visits=_visits(expression['Visits'], ('first', 'last'))),
        mediation=tuple(_record(Analysis, given) for given in content.get('Mediation', ())),
        attendance=_part(Attendance, content, 'Attendance'),
        adverse_events=_part(AdverseEvents, content, 'AdverseEvents'),
        remarks=tuple(content.get('Remarks', ())),
        is_default=is_default,
    )


def _part(kind: Any, content: Mapping[str, Any], key: str) -> Any:
    return _record(kind, content[key]) if key in content else None


def _record(kind: Any, given: Mapping[str, Any], **others: Any) -> Any:
    """Return the dataclass whose fields are the keys in snake case."""
    frozen = {_field(key): tuple(v) if isinstance(v, list) else v for key, v in given.items()}
    return kind(**frozen | others)


def _field(key: str) -> str:
    return ''.join('_' + letter.lower() if letter.isupper() else letter for letter in key).lstrip('_')


def _visits(given: Mapping[str, Any], names: tuple[str, str]) -> tuple[Visit, Visit]:
    first, last = (Visit(name=name, session_id=_session(given[name]['Session'])) for name in names)
    return first, last


def _samples(given: Mapping[str, Any]) -> tuple[Sample, ...]:
    """Return the samples as the model takes them, whatever the order in the file."""
    named = {name: given['Samples'][name] for name in BDNF_SAMPLES}
    return tuple(
        Sample(name=name, session_id=_session(sample['Session']), time=sample['Time'])
        for name, sample in named.items()
    )


def _session(label: str) -> str:
    return 'ses-' + label.removeprefix('ses-')


def _outcome(name: str, given: Mapping[str, Any]) -> Outcome:
    given = dict(given)
    if 'Derivative' in given:
        measure = MEASURES[given['Derivative']]
        limits = {'units': measure.units, 'low': measure.low, 'high': measure.high}
        return _record(DerivativeOutcome, given, name=name, **limits)
    low, high = given.pop('Range', (None, None))
    item_low, item_high = given.pop('ItemRange', (None, None))
    return _record(TableOutcome, given, name=name, low=low, high=high, item_low=item_low, item_high=item_high)
