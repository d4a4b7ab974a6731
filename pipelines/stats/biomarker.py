"""Response of a biomarker, with samples beyond the limits of detection."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pipelines.errors import DataError

from .biomarker_design import SampleContrast, SamplesDesign
from .censored import CensoredFit, fit_censored
from .censored_likelihood import Variances, arrange
from .estimate import Estimate, t_estimate

Array = NDArray[Any]
_Cell = tuple[str, str]  # arm and sample

BETWEEN_ARMS = 'difference'
"""What stands in place of an arm where a treated one is compared with the control."""

_COUNTS = ('n', 'n_samples', 'n_censored')
_COLUMNS = ('arm', 'treated', 'contrast', *Estimate._fields, *_COUNTS, 'note')


class BiomarkerFit(NamedTuple):
    """Contrasts of a log concentration and the spread they rest on.

    Attributes
    ----------
    contrasts
        One row per arm with samples, the control first, then per ``difference`` of a ``treated`` arm from the
        control, and contrast of the design: columns ``arm``, ``treated`` (empty within an arm), ``contrast``, those
        of :class:`~pipelines.stats.estimate.Estimate`, ``n`` people, ``n_samples``, ``n_censored``, and ``note``,
        which says what a contrast without an estimate lacks.
    variances
        Of people, sessions within a person and samples within a session, on the log scale.
    log_likelihood
        Of the logarithms.

    """

    contrasts: pd.DataFrame
    variances: Variances
    log_likelihood: float


def fit_biomarker(table: pd.DataFrame, design: SamplesDesign) -> BiomarkerFit:
    r"""Estimate the contrasts of a biomarker, per arm and between arms.

    Parameters
    ----------
    table
        One row per sample: ``participant_id``, ``arm`` and ``sample`` of the design, ``value`` in any unit (NaN =
        missing) and its limits of detection ``lower`` and ``upper`` (0 and inf for none).  Samples at or beyond a
        limit are censored there.
    design
        Arms and samples.  Arms without samples are left out.

    Returns
    -------
    BiomarkerFit
        Contrasts on the natural log scale: their exponential is a ratio, that of a single sample's level a
        geometric mean.

    Raises
    ------
    DataError
        A negative concentration, a person in two arms, a sample taken twice, no measured sample at all, or no
        maximum of the likelihood.

    Notes
    -----
    :math:`\log y = \mu_{a,s,t} + u_i + w_{is} + e` with a mean of its own in each arm, session s and time t;
    :func:`~pipelines.stats.censored.fit_censored`.  Effects of people need two samples of one, effects of sessions
    two samples of one session besides.  Of a cell (arm, session and time) without a measured sample nothing is
    estimated: its samples are left out, and contrasts that need it say so.

    Variances of maximum likelihood divide by people, those of REML by people less arms.  Standard errors
    are multiplied by :math:`\sqrt{n / (n - \mathrm{arms})}`, which makes them those of REML when all
    samples are there and measured; t distribution with n - arms degrees of freedom.
    ``tests/golden/coverage.tsv`` records how often the intervals cover.

    Examples
    --------
    Doubling all samples after exercise adds log 2 to the response:

    >>> from .biomarker_design import SampleLabel
    >>> labels = tuple(SampleLabel(name=time, session='1', time=time) for time in ('pre', 'post'))
    >>> design = SamplesDesign(name='il6', title='IL-6', units='pg/mL', treated=('yoga',), control='wait', samples=labels)
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({'participant_id': np.repeat(range(9), 2), 'arm': 'yoga', 'sample': ['pre', 'post'] * 9})
    >>> table = table.assign(value=rng.lognormal(size=18), lower=0.0, upper=np.inf)
    >>> double = table.assign(value=table.value * np.tile([1, 2], 9))
    >>> before, after = (fit_biomarker(each, design).contrasts.estimate[0] for each in (table, double))
    >>> round(float(after - before - np.log(2)), 6) + 0.0
    0.0

    """
    known = _known(table)
    lacking = _lacking(known, design)
    used = known[[cell not in lacking for cell in zip(known['arm'], known['sample'])]]
    if used.empty:
        raise DataError(
            f'{design.title}: {"; ".join(lacking.values()) or "no sample is of an arm of the trial"}'
        )
    arms = [arm for arm in design.arms if (used['arm'] == arm).any()]
    cells = [(arm, name) for arm in arms for name in design.names if (arm, name) not in lacking]
    column = {cell: number for number, cell in enumerate(cells)}
    rows = np.eye(len(cells))[[column[cell] for cell in zip(used['arm'], used['sample'])]]
    session = used['sample'].map({sample.name: sample.session for sample in design.samples})
    y, low, high = (used[name].to_numpy() for name in ('value', 'lower', 'upper'))
    fit = fit_censored(
        arrange(y, low, high, rows, used['participant_id'].to_numpy(str), session.to_numpy(str))
    )
    n = used['participant_id'].nunique()
    if n <= len(arms):
        raise DataError(f'{n} people in {len(arms)} arms leave no degree of freedom')
    compared: list[tuple[str, str, dict[str, int]]] = [(arm, '', {arm: 1}) for arm in arms]
    if design.control in arms:
        compared += [(BETWEEN_ARMS, arm, {arm: 1, design.control: -1}) for arm in arms[1:]]
    table_rows = []
    for name, treated, signs in compared:
        counts = _counts(used[used['arm'].isin(list(signs))])
        for contrast in design.contrasts:
            weights, why = _weights(signs, contrast, column, lacking)
            estimate = None if why else _estimate(fit, weights, n, len(arms))
            numbers = estimate or [np.nan] * len(Estimate._fields)
            table_rows.append((name, treated, contrast.name, *numbers, *counts, why))
    found = pd.DataFrame(table_rows, columns=list(_COLUMNS))
    return BiomarkerFit(found, fit.variances, fit.log_likelihood)


def _known(table: pd.DataFrame) -> pd.DataFrame:
    """Return the samples that have a value, and their limits, as logarithms; 0 is -inf, to be censored."""
    numbers = table[['value', 'lower', 'upper']].astype(float)
    if (numbers < 0).any(axis=None):
        raise DataError(f'concentrations and limits are 0 or more, got {numbers.min(axis=None):g}')
    with np.errstate(divide='ignore'):
        known = table.assign(**np.log(numbers))[numbers['value'].notna()]
    if known.empty:
        raise DataError('no sample is left: every concentration is missing')
    if known.groupby('participant_id')['arm'].nunique().max() > 1:
        raise DataError('a person is in both arms; treatment is one code for all samples of a person')
    if known.duplicated(['participant_id', 'sample']).any():
        raise DataError('a person has two samples of the same session and time; average or remove them')
    return known


def _lacking(known: pd.DataFrame, design: SamplesDesign) -> dict[_Cell, str]:
    """Say of each cell without a measured sample why its mean has no estimate."""
    is_measured = (known['value'] > known['lower']) & (known['value'] < known['upper'])
    found = {}
    for arm in design.arms:
        for sample in design.samples:
            own = (known['arm'] == arm) & (known['sample'] == sample.name)
            place = ', '.join(filter(None, (arm, sample.session, sample.time)))
            if not own.any():
                found[arm, sample.name] = f'{place}: no sample'
            elif not is_measured[own].any():
                found[arm, sample.name] = (
                    f'{place}: none of {own.sum()} samples is within the limits of detection'
                )
    return found


def _counts(used: pd.DataFrame) -> tuple[int, int, int]:
    """Return people, samples and censored samples."""
    beyond = (used['value'] <= used['lower']) | (used['value'] >= used['upper'])
    return used['participant_id'].nunique(), len(used), int(beyond.sum())


def _weights(
    signs: Mapping[str, int],
    contrast: SampleContrast,
    column: Mapping[_Cell, int],
    lacking: Mapping[_Cell, str],
) -> tuple[Array, str]:
    """Return the weight of each cell in a contrast, and what it lacks."""
    weights, why = np.zeros(len(column)), []
    for arm, sign in signs.items():
        for sample, weight in contrast.weights.items():
            if (arm, sample) in lacking:
                why.append(lacking[arm, sample])
            else:
                weights[column[arm, sample]] = sign * weight
    return weights, '; '.join(why)


def _estimate(fit: CensoredFit, weights: Array, n: int, arms: int) -> Estimate:
    """Return a contrast with its interval on people less arms."""
    se = np.sqrt(weights @ fit.covariance @ weights * n / (n - arms))
    return t_estimate(float(weights @ fit.coefficients), float(se), n - arms)


def lod_half(concentration: ArrayLike, lower: ArrayLike, upper: ArrayLike = np.inf) -> Array:
    """Return samples with half the limit in place of those at or below it (sensitivity analysis only).

    Samples at or above ``upper`` become that limit.  The result goes through :func:`fit_biomarker` without
    limits; it has less spread than the truth, so that its intervals are not to be trusted.

    Examples
    --------
    >>> lod_half([1.0, 5, 90, np.nan], 2.0, 80.0).tolist()
    [1.0, 5.0, 80.0, nan]
    >>> lod_half([0.0], 2.0).tolist()
    [1.0]

    """
    y = np.asarray(concentration, float)
    return np.minimum(np.where(y <= lower, np.asarray(lower, float) / 2, y), upper)


def plasma_volume_correction(
    concentration: ArrayLike,
    hb_before: ArrayLike,
    hb_after: ArrayLike,
    hct_before: ArrayLike,
    hct_after: ArrayLike,
) -> Array:
    r"""Refer a concentration after exercise to the plasma volume before it.

    Parameters
    ----------
    concentration
        Measured after exercise; limits of detection of these samples need the same correction.
    hb_before, hb_after
        Haemoglobin, any unit, above 0.
    hct_before, hct_after
        Haematocrit, percent, 1 to 99.

    Returns
    -------
    Array
        In the unit of ``concentration``; NaN where one number is missing.

    Raises
    ------
    DataError
        Haemoglobin not above 0, or haematocrit that is not a percentage.

    Notes
    -----
    :math:`c' = c \frac{PV_a}{PV_b}` with :math:`\frac{PV_a}{PV_b} = \frac{Hb_b}{Hb_a}
    \frac{100 - Hct_a}{100 - Hct_b}` [1]_.

    References
    ----------
    .. [1] Dill DB, Costill DL. Calculation of percentage changes in volumes of blood, plasma, and red
       cells in dehydration. J Appl Physiol 1974;37:247-248.

    Examples
    --------
    No change of the blood, no correction:

    >>> plasma_volume_correction(20.0, 14.0, 14.0, 42.0, 42.0).tolist()
    20.0

    """
    y, hb_b, hb_a, hct_b, hct_a = (
        np.asarray(values, float) for values in (concentration, hb_before, hb_after, hct_before, hct_after)
    )
    for hb in (hb_b, hb_a):
        if (hb <= 0).any():
            raise DataError(f'haemoglobin is above 0, got {np.nanmin(hb):g}; mark missing values as n/a')
    for hct in (hct_b, hct_a):
        if ((hct < 1) | (hct > 99)).any():
            raise DataError(
                f'haematocrit is a percentage from 1 to 99, got {np.nanmin(hct):g}; multiply fractions by 100'
            )
    return np.asarray(y * hb_b / hb_a * (100 - hct_a) / (100 - hct_b))
