"""The table of people that a mediation model needs: its variables at their visits, of one arm and control."""

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from pipelines.terms import split_flags, unusable_flags

from .counts import VISITS
from .design import GENE_SET
from .mediation_design import Analysis, MediationDesign
from .outcomes import encode

ARM = 'arm'


class TrialTables(NamedTuple):
    """What mediation is computed from.

    Attributes
    ----------
    values
        ``participant_id visit outcome value``, visits by their names in the trial; ``flags`` (words) where there are any.
    people
        ``participant_id arm`` and covariates.
    scores
        ``participant_id visit`` and a column per gene set, of which visits ``reference`` and ``followup`` are taken;
        None: there are none.

    """

    values: pd.DataFrame
    people: pd.DataFrame
    scores: pd.DataFrame | None = None


def tabulate_people(
    tables: TrialTables, design: MediationDesign, analysis: Analysis, arm: str
) -> pd.DataFrame:
    """Return a row per person of an arm and of control, and a column per variable of a mediation model.

    Parameters
    ----------
    tables
        Of the trial.
    design
        Visits, and which arm is control.
    analysis
        With its visits.
    arm
        Which is coded 1.

    Returns
    -------
    pd.DataFrame
        Index ``participant_id``; :data:`ARM`; each mediator and the outcome at its visit, and ``<name>_baseline``; every
        ``expression:<set>`` and ``expression:<set>_reference``; covariates as numbers.

    Examples
    --------
    >>> from .design import Outcome
    >>> from .visit import Visit
    >>> visits = tuple(Visit(name=name, session_id=f'ses-{name}', is_baseline=name == 'T0') for name in ('T0', 'T1', 'T2'))
    >>> trial = MediationDesign(treated=('yoga',), control='wait', analyses=(), visits=visits, outcomes=(Outcome(name='nrs'),))
    >>> values = pd.DataFrame([('1', 'T0', 'nrs', 6.0), ('1', 'T1', 'nrs', 4.0), ('1', 'T2', 'nrs', 3.0)],
    ...                       columns=['participant_id', 'visit', 'outcome', 'value'])
    >>> people = pd.DataFrame({'participant_id': ['1', '2'], 'arm': ['yoga', 'wait']})
    >>> analysis = Analysis('pain', ('fc',), 'nrs', outcome_visit='T2', mediator_visits=('T1',))
    >>> tabulate_people(TrialTables(values, people), trial, analysis, 'yoga').loc['1', ['arm', 'nrs_baseline', 'nrs']].to_dict()
    {'arm': 1.0, 'nrs_baseline': 6.0, 'nrs': 3.0}

    """
    people = tables.people[tables.people['arm'].isin((arm, design.control))]
    order = pd.Index(people['participant_id'])
    parts = [pd.DataFrame({ARM: (people['arm'] == arm).to_numpy(float)}, index=order)]
    for name, visit in _places(analysis):
        columns = {name: visit}
        if design.baseline:
            columns = {baseline_of(name): design.baseline.name, **columns}
        own = _rows(tables.values, people, name, columns.values())
        wide = own.pivot(index='participant_id', columns='visit', values='value')
        wide = wide.reindex(index=order, columns=list(columns.values())).astype(float)
        parts.append(wide.set_axis(list(columns), axis=1))
    if tables.scores is not None:
        ends = tables.scores[tables.scores['visit'].isin(VISITS)]
        for visit, own in ends.set_index('participant_id').groupby('visit'):
            named = own.drop(columns='visit').add_prefix(GENE_SET)
            if visit == VISITS[0]:
                named = named.rename(columns=baseline_of)
            parts.append(named.reindex(order))
    parts.append(encode(people.set_index('participant_id').drop(columns='arm')))
    return pd.concat(parts, axis=1)


def _places(analysis: Analysis) -> list[tuple[str, str]]:
    """Return every variable that is an outcome of the trial, with its visit."""
    pairs = [*zip(analysis.mediators, analysis.mediator_visits, strict=True)]
    pairs.append((analysis.outcome, analysis.outcome_visit))
    return [(name, visit) for name, visit in pairs if visit is not None and not name.startswith(GENE_SET)]


def _rows(values: pd.DataFrame, people: pd.DataFrame, name: str, visits: Iterable[str]) -> pd.DataFrame:
    """Return the values of some people and visits."""
    return values[
        (values['outcome'] == name)
        & values['visit'].isin(list(visits))
        & values['participant_id'].isin(people['participant_id'])
    ]


def has_doubtful(tables: TrialTables, design: MediationDesign, analysis: Analysis, arm: str) -> bool:
    """Return whether a value that may be wrong is among those of an analysis."""
    if 'flags' not in tables.values:
        return False
    people = tables.people[tables.people['arm'].isin((arm, design.control))]
    before = [design.baseline.name] if design.baseline else []
    cells = [
        cell
        for name, visit in _places(analysis)
        for cell in _rows(tables.values, people, name, [visit, *before])['flags']
    ]
    return any(unusable_flags(split_flags(cell)) for cell in cells)


def baseline_of(name: str) -> str:
    """Return the column of the first value of a mediator or outcome."""
    return f'{name}_reference' if name.startswith(GENE_SET) else f'{name}_baseline'
