"""How far missing values must be shifted until an effect is no longer told from none."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize

from pipelines.terms import TIPPING_ENDS

from .pooling import Shifted, pool

Array = NDArray[Any]

ALPHA = 0.05
"""An effect is told from none where p is below."""

_N_SHIFTS = 201

CURVE_COLUMNS = ('delta', 'estimate', 'se', 'df', 'ci_low', 'ci_high', 'p')
"""Of the curve of an effect over shifts."""


class TippingPoint(NamedTuple):
    """Where an effect ends.

    Attributes
    ----------
    end
        Of :data:`~pipelines.terms.TIPPING_ENDS`.
    delta
        Smallest shift towards worse, in units of the outcome, at which p is .05 or more; NaN without one.
    curve
        Columns :data:`CURVE_COLUMNS`, from no shift to the width of the range.

    """

    end: str
    delta: float
    curve: pd.DataFrame


def find_tipping_point(tables: Shifted, place: int, width: float, *, worse: float) -> TippingPoint:
    """Search shifts from 0 to a width for the first at which p is .05 or more.

    Parameters
    ----------
    tables
        Completed ones, as a function of a shift.
    place
        Of the arm among those that are compared.
    width
        Of the range of the outcome, in its units, above 0.
    worse
        1 where higher values are worse, -1 where lower ones are.

    Notes
    -----
    Shifts are not clipped to the range of the outcome.  A grid of 201 finds the first, and the root between it and
    the one before is found to 1e-6 of the width.

    Examples
    --------
    An effect of -4 with standard error 1 is shifted by half of each delta:

    >>> ones = np.ones((2, 1))
    >>> tables = Shifted(-4 * ones, 0.5 * ones, ones, 0 * ones, 0 * ones, 10**9)
    >>> found = find_tipping_point(tables, 0, 10, worse=1)
    >>> found.end, round(found.delta, 3)
    ('reached', 4.08)

    """

    def p_at(shift: Array) -> Array:
        effects, variances = tables.at(worse * shift)
        return pool(effects[:, place], variances[:, place], tables.df).p

    shifts = np.linspace(0, width, _N_SHIFTS)
    effects, variances = tables.at(worse * shifts)
    pooled = pool(effects[:, place], variances[:, place], tables.df)
    curve = pd.DataFrame({'delta': shifts, **pooled._asdict()})[list(CURVE_COLUMNS)]
    beyond = np.flatnonzero(pooled.p >= ALPHA)
    if not tables.slope[:, place].any():
        return TippingPoint(TIPPING_ENDS['nothing_missing'].name, np.nan, curve)
    if not len(beyond):
        return TippingPoint(TIPPING_ENDS['not_reached'].name, np.nan, curve)
    if beyond[0] == 0:
        return TippingPoint(TIPPING_ENDS['not_significant'].name, np.nan, curve)
    between = shifts[beyond[0] - 1], shifts[beyond[0]]
    root = optimize.brentq(lambda shift: p_at(np.array([shift])).item() - ALPHA, *between, xtol=1e-6 * width)
    return TippingPoint(TIPPING_ENDS['reached'].name, float(root), curve)
