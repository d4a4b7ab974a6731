"""The mediation analyses of a trial: their variants, the table of people they need, and all their results."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple, assert_never

import numpy as np
import pandas as pd

from pipelines.errors import DataError
from pipelines.terms import FLAGS, join_flags

from .counts import VISITS
from .design import GENE_SET, Analysis
from .expression import POST_RANDOMISATION
from .mediate import MediationFit, mediate, mediation_table
from .mediation_model import PathModel, orders
from .mediation_paths import acme
from .mediation_power import mediation_power
from .outcomes import encode

ARM = 'arm'
MODEL_COLUMNS = (
    'analysis', 'label', 'structure', 'mediators', 'outcome', 'baselines', 'covariates', 'n', 'n_treatment',
    'n_control', 'n_incomplete', 'n_degenerate', 'without_mediator', 'power_medium', 'power_small', 'flags',
    'note',
)  # fmt: skip
SENSITIVITY_COLUMNS = ('analysis', 'mediator', 'rho', 'indirect')

MEDIUM_PATH, SMALL_PATH = 0.39, 0.26
"""Standardised paths whose power is told."""

_POWER_BOOTSTRAPS = 499
_RHO = np.arange(-0.95, 0.951, 0.05).round(2)


class Variant(NamedTuple):
    """One model of an analysis: a word for names of files, and whether references of scores enter."""

    label: str
    model: PathModel
    with_reference: bool = True


class Mediations(NamedTuple):
    """Results of all analyses, each a table; a variant without an estimate has a model whose ``note`` says why.

    Their columns are :data:`~pipelines.stats.mediate.PATH_COLUMNS`, :data:`MODEL_COLUMNS` and
    :data:`SENSITIVITY_COLUMNS`.
    """

    paths: pd.DataFrame
    models: pd.DataFrame
    sensitivity: pd.DataFrame


def baseline_of(name: str) -> str:
    """Return the column of the first value of a mediator or outcome."""
    return f'{name}_reference' if name.startswith(GENE_SET) else f'{name}_baseline'


def variants(analysis: Analysis) -> list[Variant]:
    """Return the models of an analysis, the primary one first.

    Notes
    -----
    Serial mediators are taken in every order, for their values are of the same visit.  A single mediator
    has a model with its slope differing between arms beside it.  Where the first sample of gene expression was
    drawn after randomisation, it may itself be an effect of treatment: models with a score are then
    flagged and stand beside the same without that sample.  A set that nobody named before the data were
    seen is exploratory.

    Examples
    --------
    >>> [each.label for each in variants(Analysis('tract', ('fa',), 'nrs'))]
    ['tract', 'tract_interaction']
    >>> [each.model.analysis for each in variants(Analysis('genes', ('expression:IL6',), 'nrs'))][-1]
    'genes (without reference)'

    """
    scores = [name for name in analysis.mediators if name.startswith(GENE_SET)]
    flags = (FLAGS['exploratory'].name,) if scores and not analysis.pre_named else ()
    model = PathModel(
        analysis.name, ARM, analysis.mediators, analysis.outcome, (), analysis.covariates,
        analysis.structure, flags=flags,
    )  # fmt: skip
    stem = '-'.join(re.findall('[A-Za-z0-9]+', analysis.name)) or 'mediation'
    match analysis.structure:
        case 'serial':
            found = [Variant(f'{stem}_order{number}', each) for number, each in enumerate(orders(model), 1)]
        case 'parallel':
            found = [Variant(stem, model)]
        case 'single':
            crossed = model._replace(analysis=f'{analysis.name} (interaction)', interaction=True)
            found = [Variant(stem, model), Variant(f'{stem}_interaction', crossed)]
        case other:
            assert_never(other)
    if not scores or analysis.reference == 'baseline':
        return found
    without = [
        Variant(f'{v.label}_withoutReference', _rename(v.model, ' (without reference)'), with_reference=False)
        for v in found
        if not v.model.interaction
    ]
    return [v._replace(model=_flag(v.model, POST_RANDOMISATION)) for v in found] + without


def _rename(model: PathModel, end: str) -> PathModel:
    return model._replace(analysis=model.analysis + end)


def _flag(model: PathModel, *words: str) -> PathModel:
    return model._replace(flags=(*model.flags, *words))


def tabulate_people(
    values: pd.DataFrame, people: pd.DataFrame, scores: pd.DataFrame | None, *, treatment: str
) -> pd.DataFrame:
    """Return a row per person and a column per variable of a mediation model.

    Parameters
    ----------
    values
        ``participant_id visit outcome value``, visits ``baseline`` and ``followup``.
    people
        ``participant_id arm`` and covariates.
    scores
        ``participant_id visit`` and a column per gene set, of which visits ``reference`` and ``followup`` are taken.
    treatment
        The arm that is coded 1.

    Returns
    -------
    pd.DataFrame
        Index ``participant_id``; :data:`ARM`; every outcome and ``<outcome>_baseline``; every
        ``expression:<set>`` and ``expression:<set>_reference``; covariates as numbers.

    Examples
    --------
    >>> values = pd.DataFrame([('1', 'baseline', 'nrs', 6.0), ('1', 'followup', 'nrs', 4.0)],
    ...                       columns=['participant_id', 'visit', 'outcome', 'value'])
    >>> people = pd.DataFrame({'participant_id': ['1', '2'], 'arm': ['exercise', 'wait']})
    >>> tabulate_people(values, people, None, treatment='exercise').loc['1'].to_dict()
    {'arm': 1.0, 'nrs_baseline': 6.0, 'nrs': 4.0}

    """
    order = people['participant_id']
    parts = [pd.DataFrame({ARM: (people['arm'] == treatment).to_numpy(float)}, index=order)]
    for name, own in values.groupby('outcome', sort=False):
        wide = own.pivot(index='participant_id', columns='visit', values='value')
        wide = wide.reindex(index=order, columns=['baseline', 'followup'])
        parts.append(wide.set_axis([baseline_of(str(name)), str(name)], axis=1))
    if scores is not None:
        ends = scores[scores['visit'].isin(VISITS)]
        for visit, own in ends.set_index('participant_id').groupby('visit'):
            named = own.drop(columns='visit').add_prefix(GENE_SET)
            if visit == 'reference':
                named = named.rename(columns=baseline_of)
            parts.append(named.reindex(order))
    parts.append(encode(people.set_index('participant_id').drop(columns='arm')))
    return pd.concat(parts, axis=1)


def analyse_mediation(
    table: pd.DataFrame,
    wanted: Iterable[Analysis],
    *,
    seed: int,
    n_bootstraps: int = 10_000,
    flagged: Iterable[str] = (),
) -> Mediations:
    """Fit every variant of every analysis.

    Parameters
    ----------
    table
        Of :func:`tabulate_people`.
    wanted
        Which.
    seed
        Every variant has random numbers of its own from it: adding an analysis changes no other.
    n_bootstraps
        Resamples of each; a tenth of them, 100 to 1,000, trials are simulated for the power.
    flagged
        Outcomes with values that may be wrong: their analyses are flagged.

    Returns
    -------
    Mediations
        A model that cannot be estimated has a row in ``models`` whose ``note`` says why.

    """
    fits, rows, curves, words = [], [], [], set(flagged)
    power = _power_of(seed, int(np.clip(n_bootstraps // 10, 100, 1000)))
    for variant in (v for analysis in wanted for v in variants(analysis)):
        model = _complete(table, variant, words)
        row: dict[str, Any] = {
            'analysis': model.analysis, 'label': variant.label, 'structure': model.structure,
            'mediators': ';'.join(model.mediators), 'outcome': model.outcome,
            'baselines': ';'.join(model.baselines), 'covariates': ';'.join(model.covariates),
            'flags': join_flags(model.flags),
        }  # fmt: skip
        rng = np.random.default_rng([seed, *variant.label.encode()])
        try:
            fit = mediate(table, model, rng, n_bootstraps=n_bootstraps)
        except DataError as error:
            rows.append({**row, 'note': str(error)})
            continue
        fits.append(fit)
        rows.append({**row, **_facts(fit), **power(fit.n_treatment, fit.n_control), 'note': ''})
        curves.append(_curve(fit, model))
    empty = pd.DataFrame(columns=list(SENSITIVITY_COLUMNS))
    known = [curve for curve in curves if len(curve)]
    return Mediations(
        mediation_table(fits),
        pd.DataFrame(rows, columns=list(MODEL_COLUMNS)),
        pd.concat(known, ignore_index=True) if known else empty,
    )


def _complete(table: pd.DataFrame, variant: Variant, flagged: set[str]) -> PathModel:
    """Return the model with the baselines that exist, the columns of its covariates, and what to know."""
    model, baselines, flags = variant.model, [], []
    for name in (*model.mediators, model.outcome):
        column = baseline_of(name)
        if name.startswith(GENE_SET) and not variant.with_reference:
            continue
        if column in table and table[column].notna().any():
            baselines.append(column)
        else:
            flags.append(FLAGS['no_baseline'].name)
    if flagged & {*model.mediators, model.outcome}:
        flags.append(FLAGS['flagged_values'].name)
    columns = [c for name in model.covariates for c in _columns_of(table, name)]
    model = model._replace(baselines=tuple(baselines), covariates=tuple(columns))
    return _flag(model, *dict.fromkeys(flags))


def _columns_of(table: pd.DataFrame, name: str) -> Sequence[str]:
    """Return the column of a number, or those of the levels of a word."""
    return [name] if name in table else [c for c in table if c.startswith(f'{name}[')] or [name]


def _facts(fit: MediationFit) -> dict[str, Any]:
    fields = ('n', 'n_treatment', 'n_control', 'n_incomplete', 'n_degenerate', 'without_mediator')
    return {**{name: getattr(fit, name) for name in fields}, 'flags': fit.paths['flags'].iloc[0]}


def _curve(fit: MediationFit, model: PathModel) -> pd.DataFrame:
    if fit.sensitivity is None:
        return pd.DataFrame()
    numbers = {'rho': _RHO, 'indirect': acme(fit.sensitivity, _RHO)}
    return pd.DataFrame({'analysis': model.analysis, 'mediator': model.mediators[0], **numbers})


def _power_of(seed: int, n_trials: int) -> Callable[[int, int], dict[str, float]]:
    """Return a function of the arms' sizes, which remembers: analyses often share them."""

    @cache
    def power(n_treatment: int, n_control: int) -> dict[str, float]:
        found = {}
        for name, path in (('power_medium', MEDIUM_PATH), ('power_small', SMALL_PATH)):
            rng = np.random.default_rng([seed, n_treatment, n_control])
            found[name] = mediation_power(
                n_treatment, n_control, path, path, rng, n_trials=n_trials, n_bootstraps=_POWER_BOOTSTRAPS
            ).power
        return found

    return power
