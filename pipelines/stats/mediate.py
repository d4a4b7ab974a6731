"""Mediation: how much of an effect of treatment goes through what it changed on the way."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.errors import DataError, ParameterError
from pipelines.terms import join_flags, raised

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

Array = NDArray[Any]

PATH_COLUMNS = ('analysis', 'mediator', 'path', 'estimate', 'se', 'ci_low', 'ci_high', 'p', 'n', 'flags')
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
    without_mediator
        Coefficient of treatment in the regression of the outcome without mediators: the total effect,
        except with an interaction.
    sensitivity
        For :func:`~pipelines.stats.mediation_paths.acme`; of a single mediator without interaction.

    """

    paths: pd.DataFrame
    n: int
    n_treatment: int
    n_control: int
    n_incomplete: int
    n_degenerate: int
    without_mediator: float
    sensitivity: Sensitivity | None


def _estimate(data: Prepared, model: PathModel, drawn: Array) -> tuple[Paths, Array]:
    """Return the paths of each resample and (k + 2, B) residual sums of squares."""
    coefficients, squares = successive_regressions(cross_products(data.columns, drawn))
    coefficients = coefficients[data.n_fixed :, data.n_fixed :]
    squares = squares[data.n_fixed :]
    if model.interaction:
        shift = data.centred[drawn].mean(axis=1)
        return trace_interaction(coefficients, model.mediators[0], data.arm.mean(), shift), squares
    found = trace_paths(coefficients, model.mediators, is_serial=model.structure == 'serial')
    if model.structure == 'single':
        name = model.mediators[0]
        found[name, 'rho_at_zero'] = residual_correlation(found[name, 'b'], squares[1:])
    return found, squares


def _table(model: PathModel, n: int, estimates: Paths, replicates: Array) -> pd.DataFrame:
    """Return one row per path; ``replicates`` (B, n_paths) are those that can be used."""
    spread = percentile_interval(replicates)
    keys = list(estimates)
    table = pd.DataFrame(
        {
            'analysis': model.analysis,
            'mediator': [mediator for mediator, _ in keys],
            'path': [path for _, path in keys],
            'estimate': [float(values[0]) for values in estimates.values()],
            **spread._asdict(),
            'n': n,
            'flags': join_flags(model.flags),
        },
        columns=list(PATH_COLUMNS),
    )
    _judge_proportion(table, model)
    return table


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


def _sensitivity(estimates: Paths, squares: Array, df: int, mediator: str) -> Sensitivity | None:
    """Return the residual spread; ``df`` degrees of freedom with treatment but without mediator."""
    if (mediator, 'rho_at_zero') not in estimates:
        return None
    a, r = (float(estimates[mediator, path][0]) for path in ('a', 'rho_at_zero'))
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
        ``proportion`` nor ``rho_at_zero``.

    Raises
    ------
    DataError
        A column is absent, constant, made up by others or known in one arm only, fewer than 10 people
        are complete, an arm has fewer than two of them, or most resamples have no estimate.
    ParameterError
        The mediators do not suit the structure, or there are too few bootstraps.

    Notes
    -----
    :math:`M_1 = i_1 + a t + d_1 M_0 + d_2 Y_0 + \dots`,
    :math:`Y_1 = i_2 + c' t + b M_1 + d_3 M_0 + d_4 Y_0 + \dots`, least squares, the baselines of mediators and
    outcome in every model [1]_; indirect :math:`ab`, direct :math:`c'`, total :math:`c' + ab`.  With
    several mediators :func:`~pipelines.stats.mediation_paths.trace_paths`, with an interaction
    :func:`~pipelines.stats.mediation_paths.trace_interaction`.  Randomisation makes :math:`a` causal; that
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
    estimates, squares = _estimate(data, model, np.arange(n)[None])
    parts = [
        np.array([*_estimate(data, model, draw_resamples(data.arm, size, rng))[0].values()]).T
        for size in chunks(n, n_columns, n_bootstraps)
    ]
    replicates = np.concatenate(parts)
    replicates = replicates[~np.isnan(replicates).any(axis=1)]
    n_degenerate = n_bootstraps - len(replicates)
    if len(replicates) < max(LEAST_BOOTSTRAPS, _LEAST_USABLE * n_bootstraps):
        raise DataError(
            f'mediation {model.analysis}: {n_degenerate} of {n_bootstraps} resamples of {n} people have no '
            'estimate; a covariate that few people have, or a mediator with few values, is to be left out'
        )
    flags = (*model.flags, *raised(degenerate_resamples=n_degenerate > 0))
    paths = _table(model._replace(flags=flags), n, estimates, replicates)
    treated = int(data.arm.sum())
    arm, outcome = data.columns[:, data.n_fixed], data.columns[:, -1]
    sensitivity = _sensitivity(estimates, squares, n - data.n_fixed - 1, model.mediators[0])
    return MediationFit(
        paths, n, treated, n - treated, data.n_incomplete, n_degenerate,
        float(arm @ outcome / (arm @ arm)), sensitivity,
    )  # fmt: skip


def mediation_table(fits: Sequence[MediationFit]) -> pd.DataFrame:
    """Return the paths of all analyses in one table, columns :data:`PATH_COLUMNS`.

    Examples
    --------
    >>> list(mediation_table([])) == list(PATH_COLUMNS)
    True

    """
    empty = pd.DataFrame(columns=list(PATH_COLUMNS))
    return pd.concat([fit.paths for fit in fits], ignore_index=True) if fits else empty
