"""What the mediation analyses of a trial file say that cannot all be true."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.errors import DataError
from pipelines.stats.design import GENE_SET
from pipelines.stats.mediation_design import Analysis
from pipelines.stats.mediation_visits import choose_visits
from pipelines.stats.visit import Visit
from pipelines.terms import ReferenceKind

from ..tables.problems import nearest
from .check_shape import blood_order, in_order, reference_of
from .trial_json import record


def mediation_contradictions(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the names, variables, structure and visits of mediation analyses."""
    models = content.get('Mediation', ())
    labels = ['-'.join(re.findall('[a-z0-9]+', model['Name'].casefold())) for model in models]
    for label in dict.fromkeys(labels):
        if labels.count(label) > 1:
            alike = [model['Name'] for model, own in zip(models, labels) if own == label]
            yield f'Mediation: {" and ".join(alike)} have one name for their files. Rename all but one.'
    for number, model in enumerate(models):
        path = f'Mediation.{number}'
        found = [*_variables(path, model, content), *_names_of_visits(path, model, content)]
        yield from found or _order(path, model, content)


def read_analysis(given: Mapping[str, Any], reference: ReferenceKind) -> Analysis:
    """Return an analysis with the visits that it asks for; ``reference`` is that of gene expression.

    Examples
    --------
    >>> found = read_analysis({'Name': 'm', 'Mediators': ['fc', 'fa'], 'Outcome': 'nrs', 'MediatorVisit': {'fa': 'week 6'}},
    ...                       'baseline')
    >>> found.mediator_visits
    (None, 'week 6')

    """
    known = {key: value for key, value in given.items() if key != 'MediatorVisit'}
    asked = given.get('MediatorVisit')
    visits = () if asked is None else tuple(_asked(asked, name) for name in given['Mediators'])
    analysis: Analysis = record(Analysis, known, mediator_visits=visits, reference=reference)
    return analysis


def _asked(asked: str | Mapping[str, str], mediator: str) -> str | None:
    """Return the visit of a mediator; one visit for all is not that of gene sets, which have samples of their own."""
    if isinstance(asked, str):
        return None if mediator.startswith(GENE_SET) else asked
    return asked.get(mediator)


def _variables(path: str, model: Mapping[str, Any], content: Mapping[str, Any]) -> Iterator[str]:
    outcomes, mediators = list(content['Outcomes']), model['Mediators']
    for key, name in [('Mediators', m) for m in mediators] + [('Outcome', model['Outcome'])]:
        if key == 'Mediators' and name.startswith(GENE_SET):
            if 'Expression' not in content:
                yield f'{path}.{key}: "{name}" needs the part Expression, which is absent.'
        elif name not in outcomes:
            yield f'{path}.{key}: "{name}" is none of the Outcomes. {nearest(name, outcomes)}'
    if model['Outcome'] in mediators:
        yield f'{path}: {model["Outcome"]} is mediator and outcome at once.'
    structure = model.get('Structure', 'single')
    if (structure == 'single') != (len(mediators) == 1):
        wanted = 'one mediator' if structure == 'single' else 'two or more mediators'
        yield f'{path}.Structure: {structure} needs {wanted}; Mediators names {len(mediators)}.'


def _names_of_visits(path: str, model: Mapping[str, Any], content: Mapping[str, Any]) -> Iterator[str]:
    visits, mediators = list(content['Visits']), model['Mediators']
    asked = model.get('MediatorVisit', {})
    named = {f'{path}.OutcomeVisit': model['OutcomeVisit']} if 'OutcomeVisit' in model else {}
    if isinstance(asked, str):
        named[f'{path}.MediatorVisit'] = asked
        of_others = [name for name in mediators if not name.startswith(GENE_SET)]
        if not of_others:
            yield f'{path}.MediatorVisit: gene sets are of the last sample of Expression.Visits. Remove it.'
    else:
        named |= {f'{path}.MediatorVisit.{name}': visit for name, visit in asked.items()}
        for name in asked:
            if name not in mediators:
                yield f'{path}.MediatorVisit: "{name}" is none of the Mediators. {nearest(name, mediators)}'
            elif name.startswith(GENE_SET):
                yield f'{path}.MediatorVisit: {name} is of the last sample of Expression.Visits. Remove it.'
    for key, visit in named.items():
        if visit not in visits:
            yield f'{key}: "{visit}" is none of the Visits. {nearest(visit, visits)}'


def _order(path: str, model: Mapping[str, Any], content: Mapping[str, Any]) -> Iterator[str]:
    """Yield a mediator that is measured after the outcome, or before treatment only."""
    names = in_order(content['Visits'])
    visits = [
        Visit(name=name, session_id='', is_baseline=name == names[0] and len(names) > 1) for name in names
    ]
    measured = {
        name: [visit for visit in outcome.get('Visits', names) if visit in names]
        for name, outcome in content['Outcomes'].items()
    }
    measured |= {name: _visit_of_blood(content) for name in model['Mediators'] if name.startswith(GENE_SET)}
    last = next((name for name in names if content['Visits'][name].get('Primary')), names[-1])
    own = sorted(measured[model['Outcome']], key=names.index)
    if not own:
        return  # that its Visits are unknown is said of the outcome
    try:
        choose_visits(
            read_analysis(model, reference_of(content)), measured, last if last in own else own[-1], visits
        )
    except DataError as error:
        yield f'{path}: {error}.'


def _visit_of_blood(content: Mapping[str, Any]) -> list[str]:
    """Return the visit whose session is that of the last sample of gene expression, if there is one."""
    samples = content['Expression']['Visits']
    last = samples[blood_order(samples)[-1]]['Session'].removeprefix('ses-')
    return [
        name for name, visit in content['Visits'].items() if visit['Session'].removeprefix('ses-') == last
    ]
