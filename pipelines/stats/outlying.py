"""Values that are worth a question before they are used: codes for missing, and what lies far from the rest."""

import numpy as np
from numpy.typing import ArrayLike

CODES = frozenset(
    sign * float(digit * length)
    for digit in '789'
    for length in range(1, 6)
    for sign in (-1, 1)
    if sign < 0 or digit == '9' or length > 1
) | {-1.0}
"""What questionnaires and statistics packages write for a missing value.

Sevens, eights and nines, of either sign, and -1; neither 7 nor 8, which are answers far more often.
"""

MIN_OTHERS = 5
"""Values that are no codes, from which on it is known how far a column reaches."""

MIN_VALUES = 10
"""Values from which on their spread is known: of ten normal ones, one set in fifty holds one that is far out;
of five, one in twelve would (``tests/stats/test_outlying.py``)."""

N_DEVIATIONS = 6
_TO_SD = 1.4826  # the standard deviation of normal values over their median absolute deviation


def missing_codes(values: ArrayLike) -> np.ndarray:
    """Say which values are more likely codes for missing ones.

    Parameters
    ----------
    values
        Finite numbers, as written, (n,).

    Returns
    -------
    np.ndarray
        True at codes, (n,).

    Notes
    -----
    A number of ``CODES`` counts as a code where it is negative and the values that are no codes are not, or
    where it lies beyond them by more than 1 and more than half of their range.  99 among 80 to 120 is a value,
    and so is 9 among 0 to 10.

    Examples
    --------
    >>> missing_codes([3, 5, 6, 9, 4, 99, 7, 10]).nonzero()
    (array([5]),)
    >>> bool(missing_codes([80, 95, 99, 104, 111, 120]).any())
    False

    """
    given = np.asarray(values, float)
    is_code = np.isin(given, sorted(CODES))
    others = given[~is_code]
    if others.size < MIN_OTHERS:
        return np.zeros(given.shape, bool)
    low, high = others.min(), others.max()
    beyond = np.maximum(low - given, given - high)
    is_beyond = beyond > max((high - low) / 2, 1.0)
    return is_code & (is_beyond | ((given < 0) & (low >= 0)))


def far_out(values: ArrayLike, *, on_log: bool = False) -> np.ndarray:
    r"""Say which values lie far from the others.

    Parameters
    ----------
    values
        Finite numbers, (n,).
    on_log
        Whether they are counts or concentrations, above -1, whose distances are those of log(1 + x).

    Returns
    -------
    np.ndarray
        True where :math:`|x - \mathrm{med}(x)| > 6 \times 1.4826\, \mathrm{MAD}`, (n,); nowhere with fewer than
        ``MIN_VALUES`` values, or where more than half of them are the same.

    Examples
    --------
    >>> far_out([3, 5, 6, 8, 4, 99, 7, 10, 5, 6]).nonzero()
    (array([5]),)

    """
    given = np.asarray(values, float)
    if given.size < MIN_VALUES:
        return np.zeros(given.shape, bool)
    scale = np.log1p(given) if on_log else given
    distance = np.abs(scale - np.median(scale))
    spread = float(np.median(distance))
    return (spread > 0) & (distance > N_DEVIATIONS * _TO_SD * spread)
