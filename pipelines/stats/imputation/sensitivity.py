"""What an effect would be if values were not missing at random."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.errors import DataError
from pipelines.terms import MISSING_ASSUMPTIONS, SHIFTED_ARMS

from ..estimate import Estimate, t_estimate
from .dropout import ASSUMPTIONS, Assumption, complete, draw_groups
from .pooling import Pooled, Shifted, analyse_tables, pool
from .tipping import CURVE_COLUMNS, find_tipping_point
from .visits import Panel, Visits, arrange_visits

Array = NDArray[Any]

N_IMPUTATIONS = 1000

ASSUMED_COLUMNS = ('assumption', 'arm', *Estimate._fields, 'missing_information')
"""Of the effects under each assumption."""

TIPPING_COLUMNS = ('shifted', 'arm', 'end', 'delta')
"""Of the tipping points."""


@dataclass(frozen=True, kw_only=True)
class Worse:
    """Where the search for a tipping point goes: away from better, over the width of the outcome's range."""

    lower_is_better: bool
    width: float


class MissingSensitivity(NamedTuple):
    """Effects of arms on the primary visit under several assumptions about what is missing.

    Attributes
    ----------
    effects
        Columns :data:`ASSUMED_COLUMNS`, a row per assumption and arm, against control.
    tipping
        Columns :data:`TIPPING_COLUMNS`, a row per arms that are shifted and arm that is compared.
    curves
        ``shifted arm`` and the columns of a :class:`~.tipping.TippingPoint`'s curve.
    n, n_left, n_between
        (n_arms,) people, those without a visit from the primary one on, whose values are shifted, and those who
        missed the primary visit and came later, whose values are not.
    n_without_covariates
        People left out.
    is_pooled
        One covariance for all arms.
    notes
        In words.

    """

    effects: pd.DataFrame
    tipping: pd.DataFrame
    curves: pd.DataFrame
    n: Array
    n_left: Array
    n_between: Array
    n_without_covariates: int
    is_pooled: bool
    notes: tuple[str, ...]


def vary_missing(
    visits: Visits, worse: Worse, rng: np.random.Generator, n_imputations: int = N_IMPUTATIONS
) -> MissingSensitivity:
    r"""Compare arms under several assumptions about values that are missing.

    Parameters
    ----------
    visits
        The outcome of everyone randomised; people with the baseline alone count.
    worse
        Direction and width of the search for a tipping point.
    rng
        Source of randomness.
    n_imputations
        At least 2.

    Returns
    -------
    MissingSensitivity
        To stand beside the primary result, of which ``at_random`` is another estimate.

    Raises
    ------
    DataError
        What :func:`~.visits.arrange_visits` refuses, too few people to impute from, or a width that is not above 0.

    Notes
    -----
    Multiple imputation by the normal distribution of all visits (:func:`~.gaps.draw_posterior`), ANCOVA with HC3 of
    each completed table, Rubin's rules with the degrees of freedom of Barnard and Rubin (:func:`~.pooling.pool`).
    Visits missing between others stay at random under each assumption.  A shift is added to the imputed values of
    those without a visit from the primary one on; all shifts and all assumptions share the same draws.  Rubin's
    variance is too large, if anything, for jump to reference and copy increments.

    Of groups that chance did not make the difference in change is compared, as the primary analysis does, at random
    and shifted; what another group would have become is no assumption about them, and is left out.

    Examples
    --------
    >>> rng, arm = np.random.default_rng(1), np.arange(60) % 2
    >>> pain = 5 + rng.standard_normal((60, 1)) + rng.standard_normal((60, 2)) - np.outer(arm, [0, 2])
    >>> pain[:9, 1] = np.nan
    >>> found = vary_missing(Visits(outcome=pain, arm=arm, primary=1), Worse(lower_is_better=True, width=10), rng, 50)
    >>> found.effects.assumption.tolist(), found.n_left.tolist()
    (['at_random', 'jump_to_reference', 'copy_increments'], [5, 4])

    """
    if not 0 < worse.width < np.inf:
        raise DataError(
            f'the range of the outcome has the width {worse.width:g}; it is to be above 0 and finite'
        )
    if n_imputations < 2:
        raise DataError(f'{n_imputations} imputations; at least 2 tell how much they differ')
    panel = arrange_visits(visits)
    missing = np.isnan(panel.values[:, [0, panel.primary]]).any(axis=0)
    counts = _count(panel)
    if not missing.any():
        return _nothing_missing(panel, counts)
    drawn = draw_groups(panel, n_imputations, rng)
    # no group is what another would have become
    assumed = ASSUMPTIONS if panel.is_randomised else ASSUMPTIONS[:1]
    tables = [complete(panel, drawn, assumption) for assumption in assumed]
    effects = [row for word, table in zip(assumed, tables) for row in _rows(word, panel, *table)]
    tipping, curves = _tip(panel, *tables[0], worse)
    pooled = 'covariances of the arms are pooled: an arm is too small, or its people too alike, for its own'
    notes = (*panel.notes, *[pooled] * drawn.is_pooled)
    return MissingSensitivity(
        pd.DataFrame(effects, columns=list(ASSUMED_COLUMNS)), tipping, curves, *counts,
        panel.n_without_covariates, drawn.is_pooled, notes,
    )  # fmt: skip


def _count(panel: Panel) -> tuple[Array, Array, Array]:
    """Return people, those who left, and those who missed the primary visit only, of each arm."""
    is_absent = np.isnan(panel.values[:, panel.primary]) & ~panel.has_left
    codes, n = panel.arms[panel.arm], int(panel.arms[-1]) + 1
    everyone, left, between = (
        np.bincount(codes[which], minlength=n) for which in (panel.arm >= 0, panel.has_left, is_absent)
    )
    return everyone, left, between


def _analyse(panel: Panel, baseline: Array, primary: Array, shifted: Array) -> Shifted:
    return analyse_tables(
        baseline, primary, panel.arm, panel.covariates, shifted, is_randomised=panel.is_randomised
    )


def _rows(assumption: Assumption, panel: Panel, baseline: Array, primary: Array) -> list[dict[str, object]]:
    tables = _analyse(panel, baseline, primary, panel.has_left)
    pooled = pool(tables.effect, tables.constant, tables.df)
    return [
        {'assumption': MISSING_ASSUMPTIONS[assumption].name, 'arm': int(code), **_taken(pooled, place)}
        for place, code in enumerate(panel.arms[1:])
    ]


def _taken(pooled: Pooled, place: int) -> dict[str, float]:
    return {name: float(numbers[place]) for name, numbers in pooled._asdict().items()}


def _tip(panel: Panel, baseline: Array, primary: Array, worse: Worse) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows, curves = [], []
    for shifted in SHIFTED_ARMS:
        who = panel.has_left & ((panel.arm > 0) | (shifted == 'both'))
        tables = _analyse(panel, baseline, primary, who)
        for place, code in enumerate(panel.arms[1:]):
            found = find_tipping_point(tables, place, worse.width, worse=1 if worse.lower_is_better else -1)
            rows.append((shifted, int(code), found.end, found.delta))
            curves.append(found.curve.assign(shifted=shifted, arm=int(code)))
    table = pd.DataFrame(rows, columns=list(TIPPING_COLUMNS))
    return table, pd.concat(curves, ignore_index=True)[['shifted', 'arm', *CURVE_COLUMNS]]


def _nothing_missing(panel: Panel, counts: tuple[Array, Array, Array]) -> MissingSensitivity:
    """Return the analysis of the table as it is."""
    values = panel.values * panel.scale + panel.centre
    ends = [
        (shifted, int(code), 'nothing_missing', np.nan) for shifted in SHIFTED_ARMS for code in panel.arms[1:]
    ]
    before, after = values[None, :, 0], values[None, :, panel.primary]
    tables = _analyse(panel, before, after, panel.has_left)
    effects = [
        {'assumption': 'at_random', 'arm': int(code), **t_estimate(effect, np.sqrt(variance), tables.df)._asdict(),
         'missing_information': 0.0}
        for code, effect, variance in zip(panel.arms[1:], tables.effect[0], tables.constant[0])
    ]  # fmt: skip
    return MissingSensitivity(
        pd.DataFrame(effects, columns=list(ASSUMED_COLUMNS)),
        pd.DataFrame(ends, columns=list(TIPPING_COLUMNS)),
        pd.DataFrame(columns=['shifted', 'arm', *CURVE_COLUMNS]), *counts,
        panel.n_without_covariates, False,
        (*panel.notes, 'nobody lacks the baseline or the primary visit: there is nothing to impute',),
    )  # fmt: skip
