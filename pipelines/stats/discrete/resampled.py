"""Logistic regression of all resamples of people at once."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pipelines.errors import DataError

from ..bootstrap import successive_regressions
from .logistic import Events
from .solving import fit_or_penalise, fit_penalised

Array = NDArray[Any]

_STEPS = 25
_SETTLED = 1e-6  # Newton doubles the digits: the step after this one would be of 1e-12
_ORDINARY = 10.0  # log odds; a maximum where all are smaller needs no proof


class ResampledFits(NamedTuple):
    """Logistic fits of B resamples.

    Attributes
    ----------
    coefficients
        (p, B); NaN where there is no estimate.
    is_penalised
        (B,) whether the resample is separated and was fitted with Firth's penalty.

    """

    coefficients: Array
    is_penalised: Array


def fit_resamples(design: Array, outcome: Array, times: Array) -> ResampledFits:
    r"""Fit the logistic regression of every resample.

    Parameters
    ----------
    design
        (n, p) of everybody, columns of about the same size.
    outcome
        (n,) 0 or 1.
    times
        (n, B) how often each person is in each resample.

    Notes
    -----
    Newton's steps of all resamples together, from coefficients of zero.  A resample that does not settle, or
    whose log odds grow large, is fitted on its own by :func:`~.solving.fit_or_penalise`: by maximum likelihood, or with
    Firth's penalty where it is separated.  Where everybody together are separated, so is every resample.

    Examples
    --------
    One coefficient is the log odds, 3 to 1; and Firth's of no failure in four, 4.5 to 0.5:

    >>> times = np.array([[1, 2], [1, 1], [1, 1], [1, 0]])
    >>> found = fit_resamples(np.ones((4, 1)), np.array([1.0, 1, 1, 0]), times)
    >>> np.exp(found.coefficients).round(6).tolist(), found.is_penalised.tolist()
    ([[3.0, 9.0]], [False, True])

    """
    outcome, times = np.asarray(outcome, float), np.asarray(times, float)
    coefficients, is_settled = climb_together(design, outcome, times)
    with np.errstate(invalid='ignore'):
        reach = np.where(times > 0, np.abs(design @ coefficients), 0).max(axis=0)
        doubtful = np.flatnonzero(~(is_settled & (reach < _ORDINARY)))
    is_penalised = np.zeros(times.shape[1], bool)
    if not len(doubtful):
        return ResampledFits(coefficients, is_penalised)
    everybody_is_separated = Events(design, outcome, np.ones(len(outcome))).is_separated()
    for place in doubtful:
        seen = times[:, place] > 0
        data = Events(design[seen], outcome[seen] * times[seen, place], times[seen, place])
        try:
            fit, is_penalised[place] = (
                (fit_penalised(data), True) if everybody_is_separated else fit_or_penalise(data)
            )
            coefficients[:, place] = fit.coefficients
        except DataError:
            coefficients[:, place] = np.nan
    return ResampledFits(coefficients, is_penalised)


def climb_together(design: Array, outcome: Array, times: Array) -> tuple[Array, Array]:
    """Return (p, B) coefficients after Newton's steps from zero, and (B,) whether they have settled.

    Those of separated resamples have gone some way in the direction in which they separate.

    Examples
    --------
    >>> x = np.column_stack([np.ones(4), [-2.0, -1, 1, 2]])
    >>> found, settled = climb_together(x, np.array([0, 0, 1, 1.0]), np.ones((4, 1)))
    >>> bool(found[1, 0] > 5), settled.tolist()
    (True, [False])

    """
    p, n_resamples = design.shape[1], times.shape[1]
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), p * p).T
    coefficients, is_settled = np.zeros((p, n_resamples)), np.zeros(n_resamples, bool)
    moving, own = np.arange(n_resamples), times
    for _ in range(_STEPS):
        risk = special.expit(design @ coefficients[:, moving])
        # the equations of a step stand as cross products of p regressors and one outcome
        system = np.ones((p + 1, p + 1, len(moving)))
        system[:p, :p] = (products @ (own * risk * (1 - risk))).reshape(p, p, -1)
        system[:p, p] = design.T @ (own * (outcome[:, None] - risk))
        with np.errstate(invalid='ignore', divide='ignore', over='ignore'):
            step = successive_regressions(system)[0][:p, p]
        coefficients[:, moving] += step
        size = np.abs(step).max(axis=0)
        is_settled[moving] = size < _SETTLED
        # a step that is no number stays none
        goes_on = size >= _SETTLED
        moving, own = moving[goes_on], own[:, goes_on]
        if not len(moving):
            break
    return coefficients, is_settled
