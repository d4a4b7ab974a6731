"""The plan of the group level in sentences that whoever did the trial can check."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields

import pandas as pd

from pipelines.stats.design import (
    DerivativeOutcome,
    Outcome,
    PrimaryContrast,
    primary_visit,
    visits_of,
)
from pipelines.stats.mediation_design import Analysis
from pipelines.stats.mediation_visits import order_of
from pipelines.stats.told_apart import arms_without_link
from pipelines.stats.visit import Visit
from pipelines.terms import REPORTED, SITE_USES, TIME_ORDERS

from ..phenotype.estimand import against, estimand_of, kind_of
from ..phenotype.parts import Trial
from ..phenotype.reporting import not_supplied, record_fields
from ..phenotype.tables import Tables
from ..tables.problems import listed
from .people import Included
from .plan import GroupPlan, primary_of


def plan_sentences(plan: GroupPlan, included: Included) -> Iterator[str]:
    """Yield the plan line by line: people, arms, visits, outcomes, models, and what is left out or not supplied."""
    trial, tables = plan.trial, included.tables
    yield _people(trial, tables)
    for label, (arm, reason) in included.left_out.items():
        yield f'{label} ({arm}): {reason}'
    for left in plan.results.left_out:
        yield f'{left.participant_id} {left.session_id}: {left.modality}: {left.reason}'
    yield f'arms: {arms_sentence(trial)}'
    yield f'visits: {visits_sentence(trial.visits)}'
    for outcome in plan.outcomes:
        yield f'outcome {outcome.name} ({outcome.role}): {outcome_sentence(outcome, trial.visits)}{_known(outcome, trial, tables)}'
    yield from model_sentences(trial, plan.outcomes)
    yield f'primary contrasts: {contrasts_sentence(trial, plan.outcomes)}'
    yield from family_sentences(plan.outcomes)
    yield f'adjusted for: {adjustment_sentence(trial, tables.participants)}'
    yield from apart_sentences(trial, tables.participants)
    yield from estimand_sentences(trial, primary_of(plan.outcomes))
    yield from _other_analyses(plan, tables)
    yield from supplied_sentences(trial, tables)


def _people(trial: Trial, tables: Tables) -> str:
    counts = tables.participants['arm'].value_counts()
    return f'trial {trial.name}: ' + ', '.join(f'{number} {arm}' for arm, number in counts.items())


def arms_sentence(trial: Trial) -> str:
    """Say which arms are compared, and whether chance made them."""
    how = 'allocated at random' if trial.is_randomised else 'groups as they are, not randomised'
    without = f'; {listed(trial.arms.others)} left out on purpose' if trial.arms.others else ''
    return f'{against(trial.treated, trial.arms.control)}; {how}{without}'


def visits_sentence(visits: Sequence[Visit]) -> str:
    """Name the visits in their order, with session and time.

    Examples
    --------
    >>> visits_sentence([Visit(name='T0', session_id='ses-a', week=0, is_baseline=True),
    ...                  Visit(name='T1', session_id='ses-b', week=6, is_primary=True)])
    'T0 (ses-a, week 0, baseline), T1 (ses-b, week 6, primary)'

    """
    return ', '.join(f'{visit.name} ({", ".join(_about(visit))})' for visit in visits)


def _about(visit: Visit) -> Iterator[str]:
    yield visit.session_id
    if visit.due:
        yield visit.due
    if visit.is_baseline:
        yield 'baseline'
    if visit.is_primary:
        yield 'primary'


def outcome_sentence(outcome: Outcome, visits: Sequence[Visit]) -> str:
    """Say what the values of an outcome are, and where they are measured.

    Examples
    --------
    >>> week0, week6 = Visit(name='week0', session_id='ses-a', is_baseline=True), Visit(name='week6', session_id='ses-b')
    >>> outcome_sentence(Outcome(name='back_to_work', kind='binary', responder='yes', visits=('week6',), has_baseline=False), [week0, week6])
    'binary, "yes" counts; at week6, no baseline'

    """
    own = [visit.name for visit in visits_of(outcome, visits)]
    text = f'{", ".join(_values(outcome))}; at {listed(own)}'
    if not outcome.has_baseline:
        text += ', no baseline'
    last = primary_visit(outcome, visits)
    if not last.is_primary and any(visit.is_primary for visit in visits):
        text += f'; compared at {last.name}, its last, for it is not measured at the primary visit'
    return text


def _values(outcome: Outcome) -> Iterator[str]:
    yield outcome.kind
    if outcome.units not in ('', '1', 'count'):
        yield f'in {outcome.units}'
    if outcome.kind == 'ordinal' and outcome.levels:
        yield f'{len(outcome.levels)} levels from {outcome.levels[0]} to {outcome.levels[-1]}'
    if outcome.maximum is not None:
        yield f'of at most {outcome.maximum}'
    if outcome.exposure is not None:
        yield f'over the time in {outcome.exposure}'
    if outcome.kind == 'binary':
        yield f'"{1 if outcome.responder is None else outcome.responder}" counts'
    elif outcome.responder is not None:
        yield f'responders reach "{outcome.responder}" or better'
    if outcome.lower_is_better is not None:
        yield 'lower is better' if outcome.lower_is_better else 'higher is better'


def _known(outcome: Outcome, trial: Trial, tables: Tables) -> str:
    """Say how many people of each arm have a value that is compared; imaging is counted when it is read."""
    if isinstance(outcome, DerivativeOutcome):
        return ''
    last = primary_visit(outcome, trial.visits).name
    own = tables.outcomes[(tables.outcomes['outcome'] == outcome.name) & (tables.outcomes['visit'] == last)]
    seen = set(own.loc[own['value'].notna(), 'participant_id'])
    people = tables.participants
    counts = [
        f'{int((people.loc[people["arm"] == arm, "participant_id"].isin(seen)).sum())} {arm}'
        for arm in trial.arms.names
    ]
    return f'; values at {last}: {", ".join(counts)}'


def model_sentences(trial: Trial, outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Say once of each kind of outcome how it is compared."""
    groups: dict[str, list[str]] = {}
    for outcome in outcomes:
        term = kind_of(outcome)
        said = f'{term.model if outcome.has_baseline else term.model_alone}; {term.summary}'
        groups.setdefault(f'{said}{_unlike(trial, outcome)}', []).append(outcome.name)
    for said, names in groups.items():
        yield f'model of {", ".join(names)}: {said}'


def _unlike(trial: Trial, outcome: Outcome) -> str:
    """Say what is done about groups that may differ at baseline."""
    if trial.is_randomised or not outcome.has_baseline:
        return ''
    if outcome.kind == 'continuous':
        return '; the difference in change, baselines being free'
    return '; groups that differ at baseline may differ later though nothing happened to them'


def contrasts_sentence(trial: Trial, outcomes: Sequence[Outcome]) -> str:
    """Name the primary contrasts, and say how their number is allowed for."""
    known = {outcome.name: outcome for outcome in outcomes}
    found = [c for c in trial.sequence or trial.primary_contrasts if c.outcome in known]
    named = [_contrast(contrast, trial, known[contrast.outcome]) for contrast in found]
    if not named:
        return 'none, for no outcome with data is primary'
    if len(named) == 1:
        return f'{named[0]}; the only one, not adjusted'
    if trial.sequence:
        return f'{"; then ".join(named)}; tested in this order, each if all before it are significant'
    return f'{"; ".join(named)}; adjusted by Holm'


def _contrast(contrast: PrimaryContrast, trial: Trial, outcome: Outcome) -> str:
    visit = primary_visit(outcome, trial.visits).name
    return f'{contrast.outcome}, {contrast.arm} against {trial.arms.control} at {visit}'


def family_sentences(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Name the secondary outcomes that are adjusted together."""
    family = [outcome.name for outcome in outcomes if outcome.in_family]
    if len(family) > 1:
        yield f'imaging family: {", ".join(family)}; adjusted by Holm among themselves'


def adjustment_sentence(trial: Trial, people: pd.DataFrame) -> str:
    """Name what models are adjusted for, with the levels of categories."""
    found = [_levels(name, people) for name in trial.covariates if name in people]
    found += [f'stratum {_levels(name, people)}' for name in trial.strata if name in people]
    if trial.sites and trial.sites.column in people:
        found.append(f'sites {_levels(trial.sites.column, people)} as {SITE_USES[trial.sites.use].title}')
    has_baseline = any(outcome.has_baseline for outcome in trial.outcomes.values())
    return '; '.join(found) or ('nothing but the baseline' if has_baseline else 'nothing')


def _levels(name: str, people: pd.DataFrame) -> str:
    """Return a column with the number of people at each level, or at none."""
    values = people[name]
    lacking = int(values.isna().sum())
    counts = (
        []
        if pd.api.types.is_numeric_dtype(values)
        else [f'{n} {level}' for level, n in values.value_counts().items()]
    )
    counts += [f'{lacking} missing'] if lacking else []
    return f'{name} ({", ".join(counts)})' if counts else name


def apart_sentences(trial: Trial, people: pd.DataFrame) -> Iterator[str]:
    """Name the categories that cannot be told from the arms."""
    for name in dict.fromkeys((*trial.covariates, *trial.factors)):
        if name not in people or pd.api.types.is_numeric_dtype(people[name]):
            continue
        parts = arms_without_link(people['arm'], people[name])
        if parts:
            apart = f'arms and {name} cannot be told apart: nothing links {" and ".join(map(listed, parts))}'
            if trial.sites and (trial.sites.column, trial.sites.use) == (name, 'random'):
                yield f'{apart}; models of all visits take all of {name} to change alike, others have no estimate'
            else:
                yield f'{apart}, and models that are adjusted for {name} have no estimate; leave it out of the trial file'


def estimand_sentences(trial: Trial, outcome: Outcome) -> Iterator[str]:
    """Say what is estimated of the primary outcome."""
    found = estimand_of(trial, outcome)
    for field in fields(found):
        yield f'estimand, {field.name.replace("_", " ")}: {getattr(found, field.name)}'


def _other_analyses(plan: GroupPlan, tables: Tables) -> Iterator[str]:
    for biomarker in plan.biomarkers:
        assert tables.biomarkers is not None
        yield f'{biomarker.title}: {(tables.biomarkers["biomarker"] == biomarker.name).sum()} samples'
    if plan.expression:
        asked = '; '.join(contrast.title for contrast in plan.expression.contrasts)
        yield f'expression: {len(plan.expression.samples)} samples, {len(plan.expression.sets)} gene sets; {asked}'
    for analysis in plan.analyses:
        yield f'mediation {analysis.name}: {mediation_sentence(analysis, plan.trial)}'
    for kind in plan.people:
        yield f'voxel-wise {kind}: {", ".join(test.name for test in plan.tests[kind])}'


def mediation_sentence(analysis: Analysis, trial: Trial) -> str:
    """Say what is mediator and outcome when, which arms are compared, and what an analysis has no baseline of."""
    outcome, last = trial.outcomes[analysis.outcome], analysis.outcome_visit
    order = order_of(analysis)
    if order == TIME_ORDERS['same_visit'].name:
        both = 'both' if len(analysis.mediators) == 1 else 'all'
        text = f'{listed(analysis.mediators)} on {analysis.outcome}, {both} at {last}'
    else:
        pairs = zip(analysis.mediators, analysis.mediator_visits, strict=True)
        when = [f'{name} {f"at {visit}" if visit else "of the last sample"}' for name, visit in pairs]
        text = f'{listed(when)} on {analysis.outcome} at {last}'
    parts = [text]
    if order == TIME_ORDERS['before'].name:
        parts.append(
            'the mediator comes first' if len(analysis.mediators) == 1 else 'the mediators come first'
        )
    if outcome.kind == 'binary':
        parts.append('effects on the risk of its event')
    names = (*analysis.mediators, analysis.outcome)
    without = [name for name in names if name in trial.outcomes and not trial.outcomes[name].has_baseline]
    if without:
        parts.append(f'no baseline of {listed(without)}')
    parts.append(against(trial.treated, trial.arms.control))
    return '; '.join(parts)


def supplied_sentences(trial: Trial, tables: Tables) -> Iterator[str]:
    """Name what the trial file says of the conduct of the trial, and what a report will lack."""
    given = [
        REPORTED[key].title for key, value in record_fields(trial.reporting).items() if value is not None
    ]
    if given:
        yield f'supplied: {", ".join(given)}'
    lacking = not_supplied(trial.reporting, is_randomised=trial.is_randomised)
    lacking += [] if tables.attendance is not None else ['Attendance']
    lacking += [] if tables.events is not None else ['Adverse events']
    if lacking:
        yield f'not supplied: {", ".join(lacking)}'
