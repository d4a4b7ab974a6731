"""The trial: arms, visits, outcomes, samples and models, read from a JSON file and checked."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pipelines.errors import DataError
from pipelines.stats.biomarker_design import FOUR_SAMPLES
from pipelines.stats.design import DerivativeOutcome, Outcome, PrimaryContrast, Sites
from pipelines.stats.map_tests import MapVisits
from pipelines.stats.visit import Visit
from pipelines.terms import MEASURES, Circuit, default_circuit

from .check_mediation import read_analysis
from .check_outcomes import region_contradictions
from .check_shape import blood_order, in_order, reference_of
from .parts import AdverseEvents, Arms, Attendance, Biomarker, Expression, Sample, TableOutcome, Trial
from .regions import circuit_of_trial
from .reporting import Estimand, read_reporting
from .trial_check import trial_errors
from .trial_json import load_json, record

DATA_DIR = Path(__file__).parents[2] / 'pipelines' / 'data'
__all__ = [
    'DATA_DIR',
    'Biomarker',
    'DerivativeOutcome',
    'Expression',
    'Outcome',
    'TableOutcome',
    'Trial',
    'Visit',
    'read_trial',
]


def read_trial(path: Path | None = None, circuit: Circuit | None = None) -> Trial:
    """Read and check a trial file.

    Parameters
    ----------
    path
        JSON file; None: the trial CLBPE.
    circuit
        Regions that its outcomes may name; None: those of its own part Regions, else the default's.

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
    content = load_json(source)
    errors = trial_errors(content, _schema())
    if not errors and path:
        default = default_circuit()
        own = circuit_of_trial(content['Regions'], source, default) if 'Regions' in content else default
        errors = list(region_contradictions(content['Outcomes'], circuit or own))
    if errors:
        listed = ''.join(f'\n- {error}' for error in errors)
        raise DataError(f'{source} cannot be used as a trial file:{listed}')
    return _trial(content, source, is_default=path is None)


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((DATA_DIR / 'trial.schema.json').read_text(encoding='utf-8'))
    return schema


def _trial(content: Mapping[str, Any], source: Path, *, is_default: bool) -> Trial:
    expression, arms = content.get('Expression'), _arms(content['Arms'])
    visits = _visits(content['Visits'])
    reference = reference_of(content)
    return Trial(
        name=content.get('Name', source.stem),
        arms=arms,
        visits=visits,
        outcomes={name: _outcome(name, given, visits) for name, given in content['Outcomes'].items()},
        covariates=tuple(content.get('Covariates', ())),
        categories=tuple(content.get('Categories', ())),
        strata=tuple(content.get('Strata', ())),
        sites=_sites(content),
        maps=_maps(content.get('Maps', {})),
        sequence=tuple(_contrast(given, arms) for given in content.get('Sequence', ())),
        estimand=_part(Estimand, content, 'Estimand') or Estimand(),
        reporting=read_reporting(content.get('Reporting', {}), arms.names),
        biomarkers=tuple(_biomarkers(content)),
        expression=expression
        and record(Expression, expression, visits=_blood_visits(expression['Visits']), reference=reference),
        mediation=tuple(read_analysis(given, reference) for given in content.get('Mediation', ())),
        attendance=_part(Attendance, content, 'Attendance'),
        adverse_events=_part(AdverseEvents, content, 'AdverseEvents'),
        remarks=tuple(content.get('Remarks', ())),
        is_default=is_default,
    )


def _part(kind: Any, content: Mapping[str, Any], key: str) -> Any:
    return record(kind, content[key]) if key in content else None


def _arms(given: Mapping[str, Any]) -> Arms:
    known = {key: value for key, value in given.items() if key not in ('Treatment', 'Randomised')}
    treated = given['Treatment']
    return record(
        Arms,
        known,
        treated=(treated,) if isinstance(treated, str) else tuple(treated),
        is_randomised=given.get('Randomised', True),
    )


def _sites(content: Mapping[str, Any]) -> Sites | None:
    given = content.get('Sites')
    return Sites(column=given['Column'], use=given['As']) if given else None


def _maps(given: Mapping[str, Any]) -> MapVisits:
    changes = tuple((first, last) for first, last in given.get('Changes', ()))
    return MapVisits(changes=changes, slope=given.get('Slope', False))


def _contrast(given: str | Mapping[str, str], arms: Arms) -> PrimaryContrast:
    if isinstance(given, str):
        return PrimaryContrast(outcome=given, arm=arms.treatment)
    names = {name.casefold(): name for name in arms.treated}
    return PrimaryContrast(outcome=given['Outcome'], arm=names[given['Arm'].casefold()])


def _visits(given: Mapping[str, Mapping[str, Any]]) -> tuple[Visit, ...]:
    """Return the visits in their order, the baseline first."""
    names = in_order(given)
    primary = next((name for name in names if given[name].get('Primary')), names[-1])
    return tuple(
        Visit(
            name=name,
            session_id=_session(given[name]['Session']),
            week=given[name].get('Week'),
            month=given[name].get('Month'),
            is_baseline=name == names[0] and len(names) > 1,
            is_primary=name == primary,
        )
        for name in names
    )


def _blood_visits(given: Mapping[str, Mapping[str, Any]]) -> tuple[Visit, ...]:
    return tuple(Visit(name=name, session_id=_session(given[name]['Session'])) for name in blood_order(given))


def _biomarkers(content: Mapping[str, Any]) -> Iterator[Biomarker]:
    """Yield the biomarkers, BDNF in its four samples first, these as the model takes them whatever their order."""
    if 'BDNF' in content:
        given = content['BDNF']
        four = {name: given['Samples'][name] for name in FOUR_SAMPLES}
        samples = tuple(
            Sample(name=name, session_id=_session(sample['Session']), time=sample['Time'])
            for name, sample in four.items()
        )
        yield record(Biomarker, given, name='bdnf', description='BDNF', samples=samples)
    for name, given in content.get('Biomarkers', {}).items():
        known = {key: value for key, value in given.items() if key not in ('Sessions', 'Times')}
        yield record(Biomarker, known, name=name, samples=tuple(_samples(given)))


def _samples(given: Mapping[str, Any]) -> Iterator[Sample]:
    """Yield a sample of every session and time, named by both."""
    for label in given['Sessions']:
        for time in given.get('Times', ('',)):
            session_id = _session(label)
            name = f'{session_id.removeprefix("ses-")}_{time}' if time else session_id.removeprefix('ses-')
            yield Sample(name=name, session_id=session_id, time=time)


def _session(label: str) -> str:
    return 'ses-' + label.removeprefix('ses-')


def _outcome(name: str, given: Mapping[str, Any], visits: tuple[Visit, ...]) -> Outcome:
    given = dict(given)
    wanted = given.pop('Visits', None)
    own = tuple(visit for visit in visits if wanted is None or visit.name in wanted)
    shared = {
        'name': name,
        'kind': given.pop('Type', 'continuous'),
        'visits': tuple(visit.name for visit in own),
        'has_baseline': any(visit.is_baseline for visit in own),
    }
    if 'Derivative' in given:
        measure = MEASURES[given['Derivative']]
        limits = {'units': measure.units, 'low': measure.low, 'high': measure.high}
        return record(DerivativeOutcome, given, **shared, **limits)
    low, high = given.pop('Range', (None, None))
    if shared['kind'] == 'count':
        low, high = 0, given.get('Maximum', high)
        given.setdefault('Units', 'count')
    item_low, item_high = given.pop('ItemRange', (None, None))
    return record(TableOutcome, given, **shared, low=low, high=high, item_low=item_low, item_high=item_high)
