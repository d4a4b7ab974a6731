"""How far a value can be trusted: agreement of repeated measurements, and the change that is more than error."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

_Z = 1.959963984540054  # of 95 %


class Coefficient(NamedTuple):
    """An estimate with its 95 % limits."""

    estimate: float
    low: float
    high: float


class Repeatability(NamedTuple):
    """Agreement of k measurements of n people, each measured equally often.

    ``consistency`` is ICC(C,1), in which a shift of all people from one measurement to the other is no error;
    ``absolute`` is ICC(A,1), in which it is.  ``sem_consistency`` and ``sem_absolute`` are the standard errors of one
    measurement, in its units.
    """

    n: int
    k: int
    consistency: Coefficient
    absolute: Coefficient
    sem_consistency: float
    sem_absolute: float


def agreement(values: ArrayLike) -> Repeatability:
    r"""Return how well repeated measurements agree.

    Parameters
    ----------
    values
        (n, k) a row per person; people with a missing value are left out.

    Returns
    -------
    Repeatability
        NaN with fewer than 3 people or 2 measurements.

    Raises
    ------
    ValueError
        There are not two axes.

    Notes
    -----
    Mean squares of people R, measurements C and error E of the two-way table give

    .. math:: ICC(C,1) = (R - E) / (R + (k-1) E), \quad ICC(A,1) = (R - E) / (R + (k-1) E + k (C - E) / n),

    with F intervals, that of ICC(A,1) with Satterthwaite's degrees of freedom.  :math:`SEM_C = \sqrt{E}` and
    :math:`SEM_A = \sqrt{E + \max(0, (C - E)/n)}`.  Values without any error agree perfectly; values without any
    spread have no ICC.

    References
    ----------
    McGraw and Wong (1996), Psychological Methods 1, 30-46, tables 4 and 7.

    Examples
    --------
    >>> found = agreement([[1.0, 2.0], [2.0, 3.0], [4.0, 5.0]])
    >>> float(found.consistency.estimate), round(found.absolute.estimate, 2)
    (1.0, 0.82)

    """
    table = np.asarray(values, float)
    if table.ndim != 2:
        raise ValueError(f'values are a table of people and measurements, not of shape {table.shape}')
    table = table[~np.isnan(table).any(axis=1)]
    n, k = table.shape
    if n < 3 or k < 2:
        none = Coefficient(np.nan, np.nan, np.nan)
        return Repeatability(n, k, none, none, np.nan, np.nan)
    squares = _mean_squares(table)
    _, visits, error = squares
    return Repeatability(
        n,
        k,
        _consistency(squares, n, k),
        _absolute(squares, n, k),
        float(np.sqrt(error)),
        float(np.sqrt(error + max(0.0, (visits - error) / n))),
    )


def _mean_squares(table: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the mean squares of people, measurements and error; what is rounding alone is 0."""
    n, k = table.shape
    centred = table - table.mean()
    people, visits = centred.mean(axis=1), centred.mean(axis=0)
    rest = centred - people[:, None] - visits
    least = np.square(np.finfo(float).eps * np.abs(table).max()) * n * k
    found = (
        k * np.square(people).sum() / (n - 1),
        n * np.square(visits).sum() / (k - 1),
        np.square(rest).sum() / ((n - 1) * (k - 1)),
    )
    people, visits, error = (float(value) if value > least else 0.0 for value in found)
    return people, visits, error


def _consistency(squares: tuple[float, float, float], n: int, k: int) -> Coefficient:
    people, _, error = squares
    if error == 0:
        return Coefficient(*[1.0 if people > 0 else np.nan] * 3)
    ratio, df = people / error, (n - 1) * (k - 1)
    ends = ratio / stats.f.ppf(0.975, n - 1, df), ratio * stats.f.ppf(0.975, df, n - 1)
    return Coefficient(*(float((f - 1) / (f + k - 1)) for f in (ratio, *ends)))


def _absolute(squares: tuple[float, float, float], n: int, k: int) -> Coefficient:
    people, visits, error = squares
    below = people + (k - 1) * error + k * (visits - error) / n
    if below <= 0:
        return Coefficient(np.nan, np.nan, np.nan)
    icc = (people - error) / below
    if icc == 1:
        return Coefficient(1.0, 1.0, 1.0)
    a, b = k * icc / (n * (1 - icc)), 1 + k * icc * (n - 1) / (n * (1 - icc))
    spread = (a * visits) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    df = (a * visits + b * error) ** 2 / spread
    low_f, high_f = stats.f.ppf(0.975, n - 1, df), stats.f.ppf(0.975, df, n - 1)
    rest = k * visits + (k * n - k - n) * error
    low = n * (people - low_f * error) / (low_f * rest + n * people)
    high = n * (high_f * people - error) / (rest + n * high_f * people)
    return Coefficient(float(icc), float(low), float(high))


def spearman_brown(reliability: float, length: float = 2.0) -> float:
    """Return the reliability of the mean of ``length`` measurements from that of one.

    Notes
    -----
    :math:`m r / (1 + (m - 1) r)`; minus infinity where :math:`1 + (m - 1) r` is not above 0, for no mean has such a
    reliability.

    References
    ----------
    Spearman (1910), Brown (1910), British Journal of Psychology 3.

    Examples
    --------
    >>> round(spearman_brown(0.5), 3), spearman_brown(0.3, 1.0), spearman_brown(1.0)
    (0.667, 0.3, 1.0)

    """
    below = 1 + (length - 1) * reliability
    return float(length * reliability / below) if below > 0 else -np.inf


def of_mean(found: Coefficient, length: float) -> Coefficient:
    """Return the reliability of a mean of several measurements, its interval by :func:`spearman_brown` of the ends."""
    return Coefficient(*(spearman_brown(value, length) for value in found))


def detectable_change(sem: float) -> float:
    r"""Return the change of one person that error alone exceeds in 5 % of people, in the units of ``sem``.

    Notes
    -----
    :math:`1.96 \sqrt 2\ SEM`; with the SEM of two visits it is 1.96 standard deviations of the change.

    Examples
    --------
    >>> round(detectable_change(0.1), 3)
    0.277

    """
    return _Z * float(np.sqrt(2)) * sem
