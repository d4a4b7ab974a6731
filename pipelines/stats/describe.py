"""Tables beside the effect: what values are like, and who improved."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.errors import DataError

Array = NDArray[Any]

_ROUNDING = 1e-9  # 7 - 4.9 is a relief of 2.1


def describe(values: ArrayLike) -> dict[str, float]:
    """Return n, n_missing, mean, sd, median, q1, q3, min and max; NaN where there is no such number.

    Examples
    --------
    >>> found = describe([1.0, 2, 6, np.nan])
    >>> found['n'], found['n_missing'], found['mean'], found['median']
    (3, 1, 3.0, 2.0)

    """
    everyone = np.asarray(values, float)
    known = everyone[~np.isnan(everyone)]
    low, q1, median, q3, high = np.quantile(known, [0, 0.25, 0.5, 0.75, 1]) if len(known) else [np.nan] * 5
    return {
        'n': len(known),
        'n_missing': len(everyone) - len(known),
        'mean': float(known.mean()) if len(known) else np.nan,
        'sd': float(known.std(ddof=1)) if len(known) > 1 else np.nan,
        'median': float(median),
        'q1': float(q1),
        'q3': float(q3),
        'min': float(low),
        'max': float(high),
    }


def find_improved(
    baseline: ArrayLike,
    followup: ArrayLike,
    *,
    absolute: float | None = None,
    relative: float | None = None,
    lower_is_better: bool = True,
) -> Array:
    """Return who improved by the minimal important change: 1, 0, or NaN where a visit is missing.

    Parameters
    ----------
    baseline, followup
        (n,) outcome; NaN = missing.
    absolute
        Improvement in units of the outcome that is enough (2 points of pain).
    relative
        Improvement as a share of the baseline that is enough as well (0.3); it counts only where the
        baseline is above 0.
    lower_is_better
        False for outcomes that improvement raises.

    Raises
    ------
    DataError
        Neither change is given, or one is not above 0.

    Examples
    --------
    >>> find_improved([7.0, 7, 3, np.nan], [5.0, 6, 2, 1], absolute=2, relative=0.3).tolist()
    [1.0, 0.0, 1.0, nan]

    """
    before, after = np.asarray(baseline, float), np.asarray(followup, float)
    thresholds = [x for x in (absolute, relative) if x is not None]
    if not thresholds or min(thresholds) <= 0:
        raise DataError(
            f'minimal important change: absolute {absolute}, relative {relative}; give one above 0'
        )
    gain = before - after if lower_is_better else after - before
    improved = np.zeros(len(gain), bool)
    if absolute is not None:
        improved |= gain >= absolute - _ROUNDING
    if relative is not None:
        improved |= (before > 0) & (gain >= relative * before - _ROUNDING)
    return np.where(np.isnan(gain), np.nan, improved)
