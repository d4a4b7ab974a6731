"""Say in plain words what is wrong with a trial file: its keys first, then what they say together."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..tables.problems import nearest
from .check_biomarkers import biomarker_contradictions
from .check_mediation import mediation_contradictions
from .check_outcomes import outcome_contradictions
from .check_shape import (
    arm_contradictions,
    expression_contradictions,
    factor_contradictions,
    in_order,
    map_contradictions,
    reporting_contradictions,
    sequence_contradictions,
    visit_contradictions,
)

_KINDS = {
    'object': 'an object in braces { }',
    'array': 'a list in brackets [ ]',
    'string': 'text in quotes',
    'number': 'a number',
    'integer': 'a whole number',
    'boolean': 'true or false',
    'null': 'null',
}
_PATTERNS = {
    '\\S': 'is empty. Write a name',
    '\\.tsv$': 'is no .tsv file. Export the table with tabs between the columns',
    '^(ses-)?[A-Za-z0-9+]+$': 'is no session label. Use letters and digits, as in the folder ses-pre',
    '^[A-Za-z][A-Za-z0-9_]*$': 'is no name. Begin with a letter; letters, digits and _ may follow',
    '^(?![\\s\\S]*[\\t\\r\\n])\\S(.*\\S)?$': 'is no name of a visit. Write one without blanks around it, on one line',
}


def trial_errors(content: Any, schema: Mapping[str, Any]) -> list[str]:
    """Return every fault of a trial file, each with the path of its key; empty when it is sound."""
    from jsonschema import Draft202012Validator

    found = sorted(Draft202012Validator(schema).iter_errors(content), key=lambda e: [*map(str, e.path)])
    if found:
        return list(dict.fromkeys(text for error in found for text in _plain(error)))
    return list(_contradictions(content))


def _plain(error: Any) -> Iterator[str]:
    path = '.'.join(map(str, error.path))
    at, where = f'{path}.' if path else '', path or 'the file'
    value, wanted = error.instance, error.validator_value
    match error.validator:
        case 'additionalProperties':
            known = [key for key in error.schema['properties'] if not key.startswith('$')]
            for key in value:
                if key not in error.schema['properties']:
                    yield f'{at}{key} is no known key. {nearest(key, known)}'
        case 'required':
            for key in wanted:
                if key not in value:
                    yield f'{at}{key} is missing. Add it.'
        case 'anyOf':
            yield f'{where} has neither Column nor Items. Name the column of the value, or those of the items.'
        case 'type':
            kinds = [wanted] if isinstance(wanted, str) else wanted
            yield f'{where}: {_shown(value)} is not {" or ".join(_KINDS[kind] for kind in kinds)}.'
        case 'enum':
            yield f'{where}: {_shown(value)} is not allowed. {nearest(str(value), [str(w) for w in wanted])}'
        case 'pattern':
            reason = _PATTERNS.get(wanted, 'leads out of the dataset. Give the path from its top folder')
            yield f'{where}: {_shown(value)} {reason}.'
        case 'minItems' | 'maxItems' if error.schema.get('minItems') == error.schema.get('maxItems'):
            yield f'{where}: {len(value)} values where {wanted} are needed.'
        case 'minItems':
            yield f'{where}: {len(value)} values; at least {wanted} are needed.'
        case 'maxItems':
            yield f'{where}: {len(value)} values; at most {wanted} are allowed.'
        case 'minProperties':
            yield f'{where} is empty. Name at least one.'
        case 'uniqueItems':
            yield f'{where}: a name stands twice in {_shown(value)}.'
        case 'minimum':
            yield f'{where}: {_shown(value)} is below {wanted}.'
        case 'exclusiveMinimum':
            yield f'{where}: {_shown(value)} is not above {wanted}.'
        case _:
            yield f'{where}: {error.message}.'


def _shown(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + '...'


def _contradictions(content: Mapping[str, Any]) -> Iterator[str]:
    yield from arm_contradictions(content)
    yield from visit_contradictions(content['Visits'])
    if 'Expression' in content:
        yield from expression_contradictions(content)
    for name, outcome in content['Outcomes'].items():
        yield from outcome_contradictions(f'Outcomes.{name}', outcome, in_order(content['Visits']))
    yield from factor_contradictions(content)
    yield from map_contradictions(content.get('Maps', {}), content['Visits'])
    yield from sequence_contradictions(content)
    yield from reporting_contradictions(content)
    yield from biomarker_contradictions(content)
    yield from _category_contradictions(content)
    yield from mediation_contradictions(content)


def _category_contradictions(content: Mapping[str, Any]) -> Iterator[str]:
    parts = [content, content.get('Expression', {}), *content.get('Mediation', ())]
    covariates = [name for part in parts for name in part.get('Covariates', ())]
    for name in content.get('Categories', ()):
        if name not in covariates:
            yield f'Categories: "{name}" is none of the Covariates. {nearest(name, covariates)}'
