"""Which covariances of visits are tried, in which order, where the first has no maximum."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import NoMaximumError
from pipelines.terms import STRUCTURES_OF_VISITS, SigmaChoice, VisitStructure

from .fit import RemlFit, fit_reml

Array = NDArray[Any]


class Attempt(NamedTuple):
    """A covariance that was tried: whose, of which structure, and why it failed ('': it did not)."""

    sigma: SigmaChoice
    structure: VisitStructure
    reason: str


class Found(NamedTuple):
    """The first fit that has a maximum, and everything that was tried, the last being that one."""

    fit: RemlFit
    attempts: tuple[Attempt, ...]


def structures_for(n_visits: int, *, is_equally_spaced: bool) -> list[VisitStructure]:
    """Return the structures in their order; with one or two visits all are unstructured.

    Examples
    --------
    >>> structures_for(2, is_equally_spaced=True), structures_for(3, is_equally_spaced=False)
    (['unstructured'], ['unstructured', 'compound_symmetry'])

    """
    order: list[VisitStructure] = ['unstructured']
    if n_visits > 2:
        order += ['toeplitz', 'autoregressive'] if is_equally_spaced else []
        order.append('compound_symmetry')
    assert set(order) <= set(STRUCTURES_OF_VISITS)
    return order


def fit_in_order(
    outcome: Array,
    design: Array,
    arm: Array,
    sigma: SigmaChoice,
    *,
    is_equally_spaced: bool,
    sites: Array | None = None,
) -> Found:
    """Fit the covariance that was chosen, or the next that has a maximum.

    Parameters
    ----------
    outcome, design
        As for :func:`~.fit.fit_reml`.
    arm
        (n,) 0 .. A-1.
    sigma
        Whether each arm has a covariance of its own.
    is_equally_spaced
        The distances between visits are equal.
    sites
        (n,) where sites have a random intercept.

    Raises
    ------
    NoMaximumError
        None has; the message gives the reason of the last.

    Notes
    -----
    Per arm: unstructured, heterogeneous Toeplitz, AR(1) with its own variances (both for equal distances),
    compound symmetry with its own variances; then one for all arms in the same order.

    """
    choices: list[SigmaChoice] = ['per_arm', 'common'] if sigma == 'per_arm' else ['common']
    attempts: list[Attempt] = []
    for choice in choices:
        group = arm if choice == 'per_arm' else np.zeros_like(arm)
        for structure in structures_for(outcome.shape[1], is_equally_spaced=is_equally_spaced):
            try:
                fit = fit_reml(outcome, design, group, structure=structure, sites=sites)
            except NoMaximumError as error:
                attempts.append(Attempt(choice, structure, str(error)))
                continue
            return Found(fit, (*attempts, Attempt(choice, structure, '')))
    raise NoMaximumError(
        f'no covariance of the visits can be estimated: {attempts[-1].reason}; too few people have several '
        'visits, or a visit repeats another'
    )
