"""Mediation: how much of an effect of treatment goes through what it changed on the way."""

import re
from typing import Any, NamedTuple, assert_never

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.errors import DataError, ParameterError
from pipelines.terms import PATHS, join_flags, raised

from .bootstrap import (
    LEAST_BOOTSTRAPS,
    chunks,
    cross_products,
    draw_resamples,
    percentile_interval,
    successive_regressions,
)
from .mediation_model import PathModel, Prepared, prepare
from .mediation_paths import Paths, Sensitivity, residual_correlation, trace_interaction, trace_paths
from .mediation_risks import risk_without_mediators, trace_risks

Array = NDArray[Any]

PATH_COLUMNS = (
    'analysis', 'mediator', 'path', 'scale', 'estimate', 'se', 'ci_low', 'ci_high', 'p', 'n', 'flags',
)  # fmt: skip
"""Of the table of paths."""

_LEAST_USABLE = 0.5  # share of resamples


class MediationFit(NamedTuple):
    """Paths of one mediation model and who they rest on.

    Attributes
    ----------
    paths
        Columns :data:`PATH_COLUMNS`, one row per mediator and path.
    n, n_treatment, n_control
        People of whom everything is known; the same in every path.
    n_incomplete
        People left out because something is missing.
    n_degenerate
        Resamples without an estimate (collinear, or an exact fit), which the intervals leave out.
    n_penalised
        Resamples in which a binary outcome is separated, so that they were fitted with Firth's penalty.
    without_mediator
        Coefficient of treatment in the regression of the outcome without mediators: the total effect,
        except with an interaction.  Of a binary outcome the difference in risk, which is near the total effect.
    share
        Of people with the event, where the outcome is binary.
    sensitivity
        For :func:`~pipelines.stats.mediation_paths.acme`; of a single mediator without interaction and a
        continuous outcome.

    """

    paths: pd.DataFrame
    n: int
    n_treatment: int
    n_control: int
    n_incomplete: int
    n_degenerate: int
    n_penalised: int
    without_mediator: float
    share: float | None
    sensitivity: Sensitivity | None


class _Estimates(NamedTuple):
    """Paths of B resamples, (B,) which of them needed Firth's penalty, (k + 2, B) residual sums of squares.

    There are no sums of squares of a binary outcome.
    """

    paths: Paths
    is_penalised: Array
    squares: Array | None


def _estimate(data: Prepared, model: PathModel, drawn: Array) -> _Estimates:
    match model.kind:
        case 'continuous':
            return _linear(data, model, drawn)
        case 'binary':
            return _Estimates(*trace_risks(data, model, drawn), None)
        case other:
            assert_never(other)


def _linear(data: Prepared, model: PathModel, drawn: Array) -> _Estimates:
    coefficients, squares = successive_regressions(cross_products(data.columns, drawn))
    coefficients = coefficients[data.n_fixed :, data.n_fixed :]
    squares = squares[data.n_fixed :]
    is_penalised = np.zeros(len(drawn), bool)
    if model.interaction:
        shift = data.mediators[:, 0][drawn].mean(axis=1)
        found = trace_interaction(coefficients, model.mediators[0], data.arm.mean(), shift)
        return _Estimates(found, is_penalised, squares)
    found = trace_paths(coefficients, model.mediators, is_serial=model.structure == 'serial')
    if model.structure == 'single':
        name = model.mediators[0]
        found[name, 'rho_at_zero'] = residual_correlation(found[name, 'b'], squares[1:])
    return _Estimates(found, is_penalised, squares)


def _table(model: PathModel, n: int, estimates: Paths, replicates: Array) -> pd.DataFrame:
    """Return one row per path; ``replicates`` (B, n_paths) are those that can be used."""
    spread = percentile_interval(replicates)
    keys = list(estimates)
    table = pd.DataFrame(
        {
            'analysis': model.analysis,
            'mediator': [mediator for mediator, _ in keys],
            'path': [path for _, path in keys],
            'scale': [_scale_of(path, model) for _, path in keys],
            'estimate': [float(values[0]) for values in estimates.values()],
            **spread._asdict(),
            'n': n,
            'flags': join_flags(model.flags),
        },
        columns=list(PATH_COLUMNS),
    )
    _judge_proportion(table, model)
    return table


def _scale_of(path: str, model: PathModel) -> str:
    head = path.removesuffix('_control').removesuffix('_treatment')
    term = PATHS['d21' if re.fullmatch(r'd\d+', head) else head]
    return term.risk_scale if model.kind == 'binary' else term.scale


def _judge_proportion(table: pd.DataFrame, model: PathModel) -> None:
    """Strike a proportion that means nothing, and say why."""
    row = table['path'] == 'proportion'
    if not row.any():
        return
    known = table.set_index('path').loc[['direct', 'total']]
    direct, total = known['estimate']
    words = raised(
        total_not_away_from_zero=not known['p'].iloc[1] <= 0.05, opposite_signs=(total - direct) * direct < 0
    )
    if words:
        table.loc[row, ['estimate', 'se', 'ci_low', 'ci_high', 'p']] = np.nan
        table.loc[row, 'flags'] = join_flags([*model.flags, *words])


def _sensitivity(found: _Estimates, df: int, mediator: str) -> Sensitivity | None:
    """Return the residual spread; ``df`` degrees of freedom with treatment but without mediator."""
    paths, _, squares = found
    if squares is None or (mediator, 'rho_at_zero') not in paths:
        return None
    a, r = (float(paths[mediator, path][0]) for path in ('a', 'rho_at_zero'))
    sd_mediator = np.sqrt(squares[1, 0] / df)
    sd_outcome = np.sqrt(squares[2, 0] / df / (1 - r**2))
    return Sensitivity(a, float(sd_mediator), float(sd_outcome), r)


def mediate(
    table: pd.DataFrame, model: PathModel, rng: np.random.Generator, *, n_bootstraps: int = 10_000
) -> MediationFit:
    r"""Estimate direct and indirect effects of treatment.

    Parameters
    ----------
    table
        A row per person; NaN = missing.
    model
        Which columns.
    rng
        Source of the resamples.
    n_bootstraps
        Their number, 99 or more.

    Returns
    -------
    MediationFit
        Paths ``a``, ``b``, ``indirect``, ``direct``, ``total``, ``proportion``, ``rho_at_zero`` of a single
        mediator; ``joint_indirect`` of several, and in series ``d21`` from the first to the second (``d31``,
        ``d32`` with a third).  With an interaction ``b``, ``indirect`` and ``direct`` end in ``_control`` and
        ``_treatment``, ``interaction`` is the difference of the slopes, and there is neither
        ``proportion`` nor ``rho_at_zero``.  A binary outcome has no ``rho_at_zero``; ``scale`` says what each is in.

    Raises
    ------
    DataError
        A column is absent, constant, made up by others or known in one arm only, a binary outcome is neither 0 nor 1,
        fewer than 10 people are complete, an arm has fewer than two of them, or most resamples have no estimate.
    ParameterError
        The mediators do not suit the structure, or there are too few bootstraps.

    Notes
    -----
    :math:`M_1 = i_1 + a t + d_1 M_0 + d_2 Y_0 + \dots`,
    :math:`Y_1 = i_2 + c' t + b M_1 + d_3 M_0 + d_4 Y_0 + \dots`, least squares, the baselines of mediators and
    outcome in every model [1]_; indirect :math:`ab`, direct :math:`c'`, total :math:`c' + ab`.  With
    several mediators :func:`~pipelines.stats.mediation_paths.trace_paths`, with an interaction
    :func:`~pipelines.stats.mediation_paths.trace_interaction`.  A binary outcome has a logistic model and effects on
    the risk, :func:`~pipelines.stats.mediation_risks.trace_risks`.  Randomisation makes :math:`a` causal; that
    :math:`b` is rests on the absence of confounders of mediator and outcome, for which ``rho_at_zero``
    tells how strong they need be.

    Intervals are percentiles over resamples of whole people within arms,
    :func:`~pipelines.stats.bootstrap.percentile_interval`; ``tests/golden/mediation_coverage.tsv`` records
    how often they cover.  A proportion is given when the interval of the total effect excludes zero and
    direct and indirect effects do not oppose each other; else NaN, with the flag
    ``total_not_away_from_zero`` or ``opposite_signs``.

    References
    ----------
    .. [1] Landau S, Emsley R, Dunn G. Beyond total treatment effects in randomised controlled trials:
       baseline measurement of intermediate outcomes needed to reduce confounding in mediation
       investigations. Clin Trials 2018;15:247-256.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> people = pd.DataFrame({'arm': np.arange(40) % 2, 'fc': rng.normal(size=40)})
    >>> people['nrs'] = 5 - 2 * people.fc + rng.normal(size=40)
    >>> fit = mediate(people, PathModel('fc to nrs', 'arm', ('fc',), 'nrs'), rng, n_bootstraps=99)
    >>> found = fit.paths.set_index('path').estimate
    >>> float(round(found.direct + found.indirect - fit.without_mediator, 9)) + 0.0
    0.0

    """
    if n_bootstraps < LEAST_BOOTSTRAPS:
        raise ParameterError(f'{n_bootstraps} bootstraps; an interval needs {LEAST_BOOTSTRAPS} or more')
    data = prepare(table, model)
    n, n_columns = data.columns.shape
    whole = _estimate(data, model, np.arange(n)[None])
    parts = [
        _estimate(data, model, draw_resamples(data.arm, size, rng))
        for size in chunks(n, n_columns, n_bootstraps)
    ]
    replicates = np.concatenate([np.array([*part.paths.values()]).T for part in parts])
    is_usable = ~np.isnan(replicates).any(axis=1)
    replicates = replicates[is_usable]
    n_penalised = int(np.concatenate([part.is_penalised for part in parts])[is_usable].sum())
    n_degenerate = n_bootstraps - len(replicates)
    if len(replicates) < max(LEAST_BOOTSTRAPS, _LEAST_USABLE * n_bootstraps):
        raise DataError(
            f'mediation {model.analysis}: {n_degenerate} of {n_bootstraps} resamples of {n} people have no '
            'estimate; a covariate that few people have, or a mediator with few values, is to be left out'
        )
    words = raised(
        degenerate_resamples=n_degenerate > 0, separated=bool(whole.is_penalised[0]),
        separated_resamples=n_penalised > 0,
    )  # fmt: skip
    paths = _table(model._replace(flags=(*model.flags, *words)), n, whole.paths, replicates)
    treated = int(data.arm.sum())
    sensitivity = _sensitivity(whole, n - data.n_fixed - 1, model.mediators[0])
    return MediationFit(
        paths, n, treated, n - treated, data.n_incomplete, n_degenerate, n_penalised,
        _without_mediators(data, model), float(data.outcome.mean()) if model.kind == 'binary' else None, sensitivity,
    )  # fmt: skip


def _without_mediators(data: Prepared, model: PathModel) -> float:
    """Return the effect of treatment in the regression of the outcome without mediators."""
    if model.kind == 'binary':
        return risk_without_mediators(data)
    arm, outcome = data.columns[:, data.n_fixed], data.columns[:, -1]
    return float(arm @ outcome / (arm @ arm))
