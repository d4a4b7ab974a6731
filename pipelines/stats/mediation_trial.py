"""The mediation analyses of a trial: their variants, the table of people they need, and all their results."""

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple, assert_never

import numpy as np
import pandas as pd

from pipelines.errors import DataError, ParameterError
from pipelines.terms import FLAGS, join_flags

from .design import GENE_SET
from .expression import POST_RANDOMISATION
from .mediate import PATH_COLUMNS, MediationFit, mediate
from .mediation_design import Analysis, MediationDesign
from .mediation_model import PathModel, orders
from .mediation_paths import acme
from .mediation_people import ARM, TrialTables, baseline_of, has_doubtful, tabulate_people
from .mediation_power import mediation_power, risk_power
from .mediation_visits import is_in_time, order_of

MODEL_COLUMNS = (
    'analysis', 'arm', 'label', 'structure', 'mediators', 'mediator_visits', 'outcome', 'outcome_visit', 'kind',
    'time_order', 'baselines', 'covariates', 'n', 'n_treatment', 'n_control', 'n_incomplete', 'n_degenerate',
    'n_penalised', 'without_mediator', 'power_medium', 'power_small', 'flags', 'note',
)  # fmt: skip
TRIAL_PATH_COLUMNS = (
    *PATH_COLUMNS[:1], 'arm', 'mediator', 'mediator_visits', 'outcome', 'outcome_visit', *PATH_COLUMNS[2:],
)  # fmt: skip
SENSITIVITY_COLUMNS = ('analysis', 'arm', 'mediator', 'rho', 'indirect')

MEDIUM_PATH, SMALL_PATH = 0.39, 0.26
"""Standardised paths whose power is told."""

_POWER_BOOTSTRAPS = 499
_RHO = np.arange(-0.95, 0.951, 0.05).round(2)


class Variant(NamedTuple):
    """One model of an analysis of one treated arm.

    Attributes
    ----------
    analysis
        With its visits.
    arm
        Which is compared with the control.
    stem
        A word for it that all arms share.
    model
        Columns, as far as they are known without data.
    number
        Of the arm, from 1, where there are several; else 0.
    with_reference
        Whether references of scores enter.

    """

    analysis: Analysis
    arm: str
    stem: str
    model: PathModel
    number: int = 0
    with_reference: bool = True

    @property
    def label(self) -> str:
        """Return a word for names of files."""
        return f'{self.stem}_arm{self.number}' if self.number else self.stem


class Mediations(NamedTuple):
    """Results of all analyses, each a table; a variant without an estimate has a model whose ``note`` says why.

    Their columns are :data:`TRIAL_PATH_COLUMNS`, :data:`MODEL_COLUMNS` and :data:`SENSITIVITY_COLUMNS`.
    """

    paths: pd.DataFrame
    models: pd.DataFrame
    sensitivity: pd.DataFrame


def variants(design: MediationDesign) -> list[Variant]:
    """Return the models of all analyses, of each for one treated arm after the other, the primary one first.

    Notes
    -----
    Serial mediators are taken in every order that their visits allow; of those of one visit the order is not known.
    A single mediator has a model with its slope differing between arms beside it.  Where the first sample of gene
    expression was drawn after randomisation, it may itself be an effect of treatment: models with a score are then
    flagged and stand beside the same without that sample.  A set that nobody named before the data were
    seen is exploratory.

    Examples
    --------
    >>> from .design import Outcome
    >>> from .visit import Visit
    >>> analysis = Analysis('tract', ('fa',), 'nrs', outcome_visit='T1', mediator_visits=('T1',))
    >>> trial = MediationDesign(treated=('yoga', 'walking'), control='wait', analyses=(analysis,), outcomes=(Outcome(name='nrs'),),
    ...                         visits=(Visit(name='T1', session_id='ses-1'),))
    >>> [each.label for each in variants(trial)]
    ['tract_arm1', 'tract_interaction_arm1', 'tract_arm2', 'tract_interaction_arm2']

    """
    has_several = len(design.treated) > 1
    return [
        each._replace(arm=arm, number=number if has_several else 0)
        for analysis in design.analyses
        for number, arm in enumerate(design.treated, 1)
        for each in _of_one(analysis, design)
    ]


def _of_one(analysis: Analysis, design: MediationDesign) -> list[Variant]:
    scores = [name for name in analysis.mediators if name.startswith(GENE_SET)]
    flags = (FLAGS['exploratory'].name,) if scores and not analysis.pre_named else ()
    kind = design.kind_of(analysis.outcome)
    if kind not in ('continuous', 'binary'):
        raise ParameterError(
            f'mediation {analysis.name}: {analysis.outcome} is {kind}; natural effects are computed of continuous and '
            'binary outcomes'
        )
    model = PathModel(
        analysis.name, ARM, analysis.mediators, analysis.outcome, (), analysis.covariates,
        analysis.structure, kind=kind, flags=flags,
    )  # fmt: skip
    stem = '-'.join(re.findall('[A-Za-z0-9]+', analysis.name)) or 'mediation'
    one = Variant(analysis, '', stem, model)
    match analysis.structure:
        case 'serial':
            allowed = [each for each in orders(model) if is_in_time(each.mediators, analysis, design.visits)]
            found = [
                one._replace(stem=f'{stem}_order{number}', model=each)
                for number, each in enumerate(allowed, 1)
            ]
        case 'parallel':
            found = [one]
        case 'single':
            crossed = model._replace(analysis=f'{analysis.name} (interaction)', interaction=True)
            found = [one, one._replace(stem=f'{stem}_interaction', model=crossed)]
        case other:
            assert_never(other)
    if not scores or analysis.reference == 'baseline':
        return found
    without = [
        v._replace(
            stem=f'{v.stem}_withoutReference', model=_rename(v.model, ' (without reference)'), with_reference=False,
        )
        for v in found if not v.model.interaction
    ]  # fmt: skip
    return [v._replace(model=_flag(v.model, POST_RANDOMISATION)) for v in found] + without


def _rename(model: PathModel, end: str) -> PathModel:
    return model._replace(analysis=model.analysis + end)


def _flag(model: PathModel, *words: str) -> PathModel:
    return model._replace(flags=(*model.flags, *words))


def analyse_mediation(
    tables: TrialTables, design: MediationDesign, *, seed: int, n_bootstraps: int = 10_000
) -> Mediations:
    """Fit every variant of every analysis for every treated arm.

    Parameters
    ----------
    tables
        Of the trial.
    design
        Arms, visits and analyses.
    seed
        Every variant has random numbers of its own from it, the same for every arm: adding an analysis or an arm
        changes no other.
    n_bootstraps
        Resamples of each; a tenth of them, 100 to 1,000, trials are simulated for the power.

    Returns
    -------
    Mediations
        A model that cannot be estimated has a row in ``models`` whose ``note`` says why.

    """
    paths, rows, curves = [], [], []
    power = _power_of(seed, int(np.clip(n_bootstraps // 10, 100, 1000)))
    for variant in variants(design):
        table = tabulate_people(tables, design, variant.analysis, variant.arm)
        model = complete_model(
            table, variant, is_doubtful=has_doubtful(tables, design, variant.analysis, variant.arm)
        )
        row = _about(variant, model)
        rng = np.random.default_rng([seed, *variant.stem.encode()])
        try:
            fit = mediate(table, model, rng, n_bootstraps=n_bootstraps)
        except DataError as error:
            rows.append({**row, 'note': str(error)})
            continue
        paths.append(
            fit.paths.assign(**{key: row[key] for key in TRIAL_PATH_COLUMNS if key in row and key != 'flags'})
        )
        rows.append({**row, **_facts(fit), **power(fit.n_treatment, fit.n_control, fit.share), 'note': ''})
        curves.append(_curve(fit, model).assign(arm=variant.arm))
    return Mediations(
        _joined(paths, TRIAL_PATH_COLUMNS),
        pd.DataFrame(rows, columns=list(MODEL_COLUMNS)),
        _joined([curve for curve in curves if len(curve)], SENSITIVITY_COLUMNS),
    )


def _joined(tables: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    found = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    return found.reindex(columns=list(columns))


def _about(variant: Variant, model: PathModel) -> dict[str, Any]:
    visits = dict(zip(variant.analysis.mediators, variant.analysis.mediator_visits, strict=True))
    return {
        'analysis': model.analysis, 'arm': variant.arm, 'label': variant.label, 'structure': model.structure,
        'mediators': ';'.join(model.mediators),
        'mediator_visits': ';'.join((visits[name] or 'last sample').replace(';', ',') for name in model.mediators),
        'outcome': model.outcome, 'outcome_visit': variant.analysis.outcome_visit, 'kind': model.kind,
        'time_order': order_of(variant.analysis), 'baselines': ';'.join(model.baselines),
        'covariates': ';'.join(model.covariates), 'flags': join_flags(model.flags),
    }  # fmt: skip


def complete_model(table: pd.DataFrame, variant: Variant, *, is_doubtful: bool) -> PathModel:
    """Return the model with the baselines that exist, the columns of its covariates, and what to know."""
    model, baselines, flags = variant.model, [], []
    for name in (*model.mediators, model.outcome):
        column = baseline_of(name)
        if name.startswith(GENE_SET) and not variant.with_reference:
            continue
        match table[column].nunique() if column in table else 0:
            case 0:
                flags.append(FLAGS['no_baseline'].name)
            case 1:
                flags.append(FLAGS['constant_baseline'].name)
            case _:
                baselines.append(column)
    if is_doubtful:
        flags.append(FLAGS['flagged_values'].name)
    columns = [c for name in model.covariates for c in _columns_of(table, name)]
    model = model._replace(baselines=tuple(baselines), covariates=tuple(columns))
    return _flag(model, *dict.fromkeys(flags))


def _columns_of(table: pd.DataFrame, name: str) -> Sequence[str]:
    """Return the column of a number, or those of the levels of a word."""
    return [name] if name in table else [c for c in table if c.startswith(f'{name}[')] or [name]


def _facts(fit: MediationFit) -> dict[str, Any]:
    fields = (
        'n', 'n_treatment', 'n_control', 'n_incomplete', 'n_degenerate', 'n_penalised', 'without_mediator',
    )  # fmt: skip
    return {**{name: getattr(fit, name) for name in fields}, 'flags': fit.paths['flags'].iloc[0]}


def _curve(fit: MediationFit, model: PathModel) -> pd.DataFrame:
    if fit.sensitivity is None:
        return pd.DataFrame()
    numbers = {'rho': _RHO, 'indirect': acme(fit.sensitivity, _RHO)}
    return pd.DataFrame({'analysis': model.analysis, 'mediator': model.mediators[0], **numbers})


def _power_of(seed: int, n_trials: int) -> Callable[[int, int, float | None], dict[str, float]]:
    """Return a function of the arms' sizes and the share with the event, which remembers: analyses often share them."""

    @cache
    def power(n_treatment: int, n_control: int, share: float | None) -> dict[str, float]:
        found, how = {}, {'n_trials': n_trials, 'n_bootstraps': _POWER_BOOTSTRAPS}
        for name, path in (('power_medium', MEDIUM_PATH), ('power_small', SMALL_PATH)):
            rng = np.random.default_rng([seed, n_treatment, n_control])
            if share is None:
                found[name] = mediation_power(n_treatment, n_control, path, path, rng, **how).power
            else:
                found[name] = risk_power((n_treatment, n_control), (path, path), share, rng, **how).power
        return found

    return power
