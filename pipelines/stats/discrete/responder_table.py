"""How many improved by the minimal important change, by arm and visit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from pipelines.errors import DataError

from ..describe import find_improved

IMPROVED_COLUMNS = (
    'visit', 'arm', 'n', 'n_missing', 'responders', 'share', 'share_low', 'share_high', 'difference', 'ci_low', 'ci_high',
)  # fmt: skip
"""Of the table of responders."""


@dataclass(frozen=True, kw_only=True)
class Improvement:
    """What counts as improved: by so much, or by such a share of the baseline."""

    absolute: float | None = None
    relative: float | None = None
    lower_is_better: bool = True


def tabulate_responders(
    outcome: ArrayLike, arm: ArrayLike, improvement: Improvement, visits: Sequence[str]
) -> pd.DataFrame:
    """Count who improved since baseline at each visit and in each arm.

    Parameters
    ----------
    outcome
        (n, n_visits) values, the baseline first; NaN = missing.
    arm
        (n,) whole numbers, 0 = control.
    improvement
        What is enough.
    visits
        Names of the visits after the baseline.

    Returns
    -------
    pd.DataFrame
        Columns :data:`IMPROVED_COLUMNS`, a row per visit and arm.  ``n`` have both visits, ``n_missing`` lack
        one.  ``share`` of ``n`` with Wilson's interval; ``difference`` of the share from that of control with
        Newcombe's hybrid of two of them [1]_, which keeps its level in small arms and with shares of 0 or 1.  NaN
        where nobody has both visits.

    Raises
    ------
    DataError
        Shapes do not fit, no change is given, or one is not above 0.

    References
    ----------
    .. [1] Newcombe RG. Interval estimation for the difference between independent proportions: comparison
       of eleven methods. Stat Med 1998;17:873-890.

    Examples
    --------
    >>> pain = np.array([[7.0, 6, 7], [6, np.nan, 6], [7, 4, 3], [8, 5, 8]])
    >>> found = tabulate_responders(pain, [0, 0, 1, 1], Improvement(absolute=2), ['week 6', 'week 14'])
    >>> found[['n', 'responders', 'difference']].values.tolist()[1:4:2]
    [[2.0, 2.0, 1.0], [2.0, 1.0, 0.5]]

    """
    values, code = np.asarray(outcome, float), np.asarray(arm, int)
    if values.ndim != 2 or values.shape != (len(code), len(visits) + 1):
        raise DataError(
            f'responders: values of shape {values.shape}, {len(code)} people and {len(visits)} visits after the baseline'
        )
    rows = []
    for number, visit in enumerate(visits, 1):
        improved = find_improved(
            values[:, 0], values[:, number], absolute=improvement.absolute,
            relative=improvement.relative, lower_is_better=improvement.lower_is_better,
        )  # fmt: skip
        control = improved[code == 0]
        for level in np.unique(code).tolist():
            row = {'visit': visit, 'arm': level, **_share(improved[code == level])}
            rows.append(row | ({} if level == 0 else _against(improved[code == level], control)))
    return pd.DataFrame(rows, columns=list(IMPROVED_COLUMNS))


def _share(improved: np.ndarray) -> dict[str, float]:
    known = improved[~np.isnan(improved)]
    counts: dict[str, float] = {
        'n': len(known),
        'n_missing': len(improved) - len(known),
        'responders': int(known.sum()),
    }
    if not len(known):
        return counts
    low, high = proportion_confint(known.sum(), len(known), method='wilson')
    return {**counts, 'share': float(known.mean()), 'share_low': float(low), 'share_high': float(high)}


def _against(improved: np.ndarray, control: np.ndarray) -> dict[str, float]:
    one, other = (values[~np.isnan(values)] for values in (improved, control))
    if not (len(one) and len(other)):
        return {}
    low, high = confint_proportions_2indep(
        one.sum(), len(one), other.sum(), len(other), compare='diff', method='newcomb'
    )
    return {
        'difference': float(one.mean() - other.mean()),
        'ci_low': float(low),
        'ci_high': float(high),
    }
