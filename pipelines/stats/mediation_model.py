"""Mediation models: which columns make one, and what cannot be estimated from them."""

from itertools import permutations
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.errors import DataError, ParameterError

Array = NDArray[Any]

_LEAST_PEOPLE, _LEAST_IN_ARM = 10, 2
_DEPENDENT = 1e-7  # share of a column's norm that others leave, below which it is their combination
_ARMS = ('control', 'treated')


class PathModel(NamedTuple):
    """Which columns of a table make a mediation model.

    Attributes
    ----------
    analysis
        Name of the analysis.
    treatment
        0 = control, 1 = treated.
    mediators
        After treatment began; in series each acts on those after it.
    outcome
        Measured with the mediators or after them.
    baselines
        Of mediators and outcome, of those that have one; a reference that was taken after randomisation may be left
        out.
    covariates
        Further regressors.  Baselines and covariates are in the models of all mediators and the outcome.
    structure
        Of the mediators.
    interaction
        The slope on the (single) mediator differs between the arms.
    kind
        Of the outcome; that of a binary one is 0 or 1.
    flags
        Words for every row of the result, such as ``reference_post_randomisation`` or ``exploratory``.

    """

    analysis: str
    treatment: str
    mediators: tuple[str, ...]
    outcome: str
    baselines: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    structure: Literal['single', 'parallel', 'serial'] = 'single'
    interaction: bool = False
    kind: Literal['continuous', 'binary'] = 'continuous'
    flags: tuple[str, ...] = ()


class Prepared(NamedTuple):
    """The variables of a model, for regressions of each on those before it.

    Attributes
    ----------
    arm
        (n,) 0 or 1.
    columns
        (n, f + k + 2): f regressors of all models, orthonormal; then treatment, k mediators and outcome,
        orthogonal to these.
    n_fixed
        f.
    mediators
        (n, k) each minus its mean.
    outcome
        (n,) as it is.
    n_incomplete
        People left out because something is missing.

    """

    arm: Array
    columns: Array
    n_fixed: int
    mediators: Array
    outcome: Array
    n_incomplete: int


def orders(model: PathModel) -> tuple[PathModel, ...]:
    """Return a serial model with its mediators in every order, named by it; time may rule out some of them.

    Examples
    --------
    >>> both = orders(PathModel('brain', 'arm', ('fc', 'score'), 'nrs', structure='serial'))
    >>> [model.analysis for model in both]
    ['brain (fc>score)', 'brain (score>fc)']

    """
    return tuple(
        model._replace(analysis=f'{model.analysis} ({">".join(order)})', mediators=order)
        for order in permutations(model.mediators)
    )


def _check_model(table: pd.DataFrame, model: PathModel) -> list[str]:
    """Return the regressors and the outcome in their order; refuse a model that makes no sense."""
    is_single = model.structure == 'single'
    if model.structure not in ('single', 'parallel', 'serial'):
        raise ParameterError(f'structure "{model.structure}"; allowed: single, parallel, serial')
    if is_single != (len(model.mediators) == 1) or not model.mediators:
        wanted = 'one mediator' if is_single else 'two or more mediators'
        raise ParameterError(
            f'mediation {model.analysis}: {model.structure} needs {wanted}, got {list(model.mediators)}'
        )
    if model.interaction and not is_single:
        raise ParameterError(f'mediation {model.analysis}: an interaction needs a single mediator')
    names = [model.treatment, *model.baselines, *model.covariates, *model.mediators, model.outcome]
    for name in names:
        if name not in table:
            raise DataError(f'mediation {model.analysis}: no column {name}; there are {list(table)}')
        if names.count(name) > 1:
            raise DataError(f'mediation {model.analysis}: column {name} has two places in the model')
    return names


def _complete(table: pd.DataFrame, model: PathModel) -> pd.DataFrame:
    """Return the people of whom everything is known; refuse what has no estimate."""
    names, where = _check_model(table, model), f'mediation {model.analysis}'
    known = table[names].astype(float)
    arm = known[model.treatment]
    if not arm.dropna().isin((0, 1)).all():
        raise DataError(
            f'{where}: {model.treatment} is coded {sorted(set(arm.dropna()))}; allowed: 0 (control), 1 (treated)'
        )
    for name in (*model.mediators, model.outcome):
        arms = arm[known[name].notna()].dropna().unique()
        if len(arms) == 1:
            raise DataError(
                f'{where}: column {name} has values in the {_ARMS[int(arms[0])]} arm only, so that no path from '
                f'{model.treatment} to it can be estimated; leave it out'
            )
    complete = known.dropna()
    if np.isinf(complete.to_numpy()).any():
        raise DataError(f'{where}: a value is infinite; mark missing values as n/a')
    n, n_coefficients = len(complete), len(names) + model.interaction
    if n < max(_LEAST_PEOPLE, n_coefficients + 1):
        raise DataError(
            f'{where}: {n} people have all of {", ".join(names)}; {max(_LEAST_PEOPLE, n_coefficients + 1)} are needed'
        )
    for code, label in enumerate(_ARMS):
        if (count := int((complete[model.treatment] == code).sum())) < _LEAST_IN_ARM:
            raise DataError(
                f'{where}: {count} people of the {label} arm have all of {", ".join(names)}; '
                f'{_LEAST_IN_ARM} are needed'
            )
    for name in names:
        if np.ptp(complete[name]) == 0:
            raise DataError(
                f'{where}: {name} is {complete[name].iloc[0]:g} for all {n} complete people; leave it out'
            )
    wrong = complete.loc[~complete[model.outcome].isin((0, 1)), model.outcome]
    if model.kind == 'binary' and len(wrong):
        raise DataError(f'{where}: the binary outcome {model.outcome} is {wrong.iloc[0]:g}; allowed: 0 and 1')
    return complete


def _refuse_collinear(centred: pd.DataFrame, model: PathModel) -> None:
    """Refuse the first column that those before it make up."""
    unit = centred / np.linalg.norm(centred, axis=0)
    left = np.abs(np.diag(np.linalg.qr(unit, mode='r')))
    if (left < _DEPENDENT).any():
        last = int(np.argmax(left < _DEPENDENT))
        raise DataError(
            f'mediation {model.analysis}: {centred.columns[last]} is a linear combination of '
            f'{", ".join(centred.columns[:last])}; leave it or one of them out'
        )


def prepare(table: pd.DataFrame, model: PathModel) -> Prepared:
    """Take the complete people of a table and check that the model can be estimated.

    Raises
    ------
    DataError, ParameterError
        See :func:`~pipelines.stats.mediate.mediate`.

    Notes
    -----
    That treatment, mediators and outcome are orthogonal to the other regressors changes none of their
    coefficients and keeps all digits.

    """
    complete = _complete(table, model)
    arm, centred = complete[model.treatment].to_numpy(), complete - complete.mean()
    if model.interaction:
        product = centred[model.mediators[0]] * arm
        centred.insert(len(centred.columns) - 1, f'{model.treatment}*{model.mediators[0]}', product)
    _refuse_collinear(centred - centred.mean(), model)
    others = centred[[*model.baselines, *model.covariates]]
    basis, _ = np.linalg.qr(np.column_stack([np.ones(len(arm)), others / others.std()]))
    tested = centred.drop(columns=others.columns).to_numpy()
    columns = np.column_stack([basis, tested - basis @ (basis.T @ tested)])
    mediators, outcome = centred[[*model.mediators]].to_numpy(), complete[model.outcome].to_numpy()
    return Prepared(arm, columns, basis.shape[1], mediators, outcome, len(table) - len(complete))
