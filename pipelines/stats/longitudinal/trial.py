"""Arms of a trial compared at every visit by one model of all visits."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.errors import DataError
from pipelines.terms import SIGMA_CHOICES, STRUCTURES_OF_VISITS, Inference, SigmaChoice, VisitStructure

from ..estimate import Estimate
from .contrasts import estimate_contrasts, joint_test
from .fallback import Attempt, fit_in_order
from .fit import RemlFit
from .kenward_roger import JointTest
from .people_needed import people_needed
from .trial_design import (
    Means,
    People,
    TrialModel,
    compared_means,
    contrast_rows,
    design_means,
    few_words,
    gather,
)

Array = NDArray[Any]


class ArmEffect(NamedTuple):
    """An arm against control at a visit (column of the outcome)."""

    arm: int
    visit: int
    effect: Estimate


class NotEstimated(NamedTuple):
    """A comparison without an answer, and why; ``arm`` None: all arms at once."""

    arm: int | None
    visit: int
    reason: str


class VisitTest(NamedTuple):
    """All arms at once at a visit."""

    visit: int
    test: JointTest


@dataclass(frozen=True, kw_only=True)
class TrialFit:
    """Arms compared with control.

    Attributes
    ----------
    effects
        Every arm at every visit after baseline, in the order of visits.
    joint
        With more than two arms, an F test of all at each of these visits.
    not_estimated
        What is missing among the two.
    sigmas
        (A, J, J) covariance per arm, or (1, J, J); NaN at a visit nobody has.
    site_variance
        Of the random intercepts of sites; 0 without, or where sites differ no more than by chance.
    minus_two_loglik
        -2 restricted log-likelihood.
    n
        (A, J) people by arm and visit.
    n_people, n_without_covariates
        In the model, and left out because a covariate is missing.
    dropped
        Covariates left out because they have one value among people with the primary visit.
    sigma, structure, inference
        What was used.
    note
        Why, in words.

    """

    effects: tuple[ArmEffect, ...]
    joint: tuple[VisitTest, ...]
    not_estimated: tuple[NotEstimated, ...]
    sigmas: Array
    site_variance: float
    minus_two_loglik: float
    n: Array
    n_people: int
    n_without_covariates: int
    dropped: tuple[int, ...]
    sigma: SigmaChoice
    structure: VisitStructure
    inference: Inference
    note: str

    @property
    def other_choice(self) -> SigmaChoice:
        """Return the choice of covariances that stands beside this one as a sensitivity analysis."""
        return 'common' if self.sigma == 'per_arm' else 'per_arm'


def fit_trial(
    outcome: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    model: TrialModel | None = None,
    sites: ArrayLike | None = None,
) -> TrialFit:
    r"""Compare every arm with control at every visit, with everyone who has at least one visit.

    Parameters
    ----------
    outcome
        (n, J) NaN = missing.
    arm
        (n,) 0 = control, 1 .. A-1.
    covariates
        (n,) or (n, k) numbers; categories as 0/1 columns without the reference.  People with one missing are
        left out and counted.
    model
        What is compared; by default a randomised trial whose first visit is the baseline and whose last is
        the primary one.
    sites
        (n,) site of each person by a number, where sites have a random intercept; NaN = missing, as for covariates.

    Raises
    ------
    DataError
        The trial cannot be analysed, or no arm can be compared at the primary visit; the message says why.

    Notes
    -----
    :math:`y_{ij} = m_j + \tau_{a(i) j} [j > 0] + c_j' (x_i - \bar x) + e_{ij}`,
    :math:`e_i \sim N(0, \Sigma_{a(i)})` by REML; inference by Kenward and Roger with the observed
    information.  Each arm has a covariance of its own if and only if every arm has at least
    :func:`people_needed` people with the primary visit, a count that no look at the variances can bend;
    else one for all with a cluster-robust standard error (CR2).  ``tests/golden/arms_error.tsv`` records
    how often either is wrong.  In trials without randomisation the means at baseline are free and the
    contrast is :math:`\tau_{aj} - \tau_{a0}`.

    Sites at random add :math:`u_s \sim N(0, \tau^2)`, the same at every visit and in every arm
    (:func:`~.sites.add_sites`): effects of arms, and changes between visits, are taken to be the same at all sites.
    Where arms are arms of whole sites degrees of freedom without a baseline are those of sites; with one, sites that
    change unlike each other are not allowed for.

    Examples
    --------
    Adding 3 to everyone treated adds 3 to the effect:

    >>> before, arm = np.array([4.0, 6, 5, 7, 5, 8]), np.array([0, 0, 0, 1, 1, 1])
    >>> after = np.array([4.0, 5, 5, 4, 3, 6])
    >>> fits = [fit_trial(np.column_stack([before, after + shift * arm]), arm) for shift in (0, 3)]
    >>> round(fits[1].effects[0].effect.estimate - fits[0].effects[0].effect.estimate, 6)
    3.0

    """
    model = model or TrialModel()
    people = gather(outcome, arm, covariates, model, sites)
    means = design_means(people, model)
    chosen, why = _choose(people, model)
    found = fit_in_order(
        people.outcome, means.design, people.arm, chosen, is_equally_spaced=model.is_equally_spaced,
        sites=people.sites,
    )  # fmt: skip
    used = found.attempts[-1]
    inference: Inference = 'kenward_roger' if used.sigma == 'per_arm' else 'cluster_robust'
    effects, joint, missing = _compare(found.fit, means, people, model, inference)
    primary = _primary(people, model)
    if not any(effect.visit == primary for effect in effects):
        raise DataError(next(one.reason for one in missing if one.visit == primary))
    notes = [why, *_fallbacks(found.attempts), *_of_sites(people, found.fit, is_asked=sites is not None)]
    return TrialFit(
        effects=effects, joint=joint, not_estimated=missing, sigmas=_spread_out(found.fit.sigmas, people),
        site_variance=found.fit.site_variance,
        minus_two_loglik=found.fit.minus_two_loglik, n=people.counts, n_people=len(people.arm),
        n_without_covariates=people.n_without_covariates, dropped=people.dropped, sigma=used.sigma,
        structure=used.structure, inference=inference, note='; '.join(notes),
    )  # fmt: skip


def _primary(people: People, model: TrialModel) -> int:
    return range(people.counts.shape[1])[model.primary]


def _choose(people: People, model: TrialModel) -> tuple[SigmaChoice, str]:
    """Return the choice of covariances, by counts alone, and why."""
    counts, needed = people.counts[:, model.primary], people_needed(people.counts.shape[1])
    name = model.visit_name(_primary(people, model))
    few = [a for a, count in enumerate(counts) if count < needed]
    if model.sigma is not None:
        return model.sigma, f'{SIGMA_CHOICES[model.sigma].about}, as asked'
    if few:
        who = ', '.join(f'{counts[a]} of {model.arm_name(a)}' for a in few)
        return (
            'common',
            f'one covariance for all arms: {who} have {name}, {needed} are needed for one of their own',
        )
    return 'per_arm', f'a covariance per arm: at least {needed} people of each have {name}'


def _fallbacks(attempts: tuple[Attempt, ...]) -> list[str]:
    if len(attempts) == 1:
        return []
    used, first = attempts[-1], attempts[0]
    whose = 'per arm' if used.sigma == 'per_arm' else 'for all arms'
    return [
        f'{STRUCTURES_OF_VISITS[used.structure].title} {whose} is used, for others have no maximum: {first.reason}'
    ]


def _of_sites(people: People, fit: RemlFit, *, is_asked: bool) -> list[str]:
    if not is_asked:
        return []
    if people.sites is None:
        return ['all people are of one site, or each is of another: there are no random intercepts of sites']
    n_sites, sd = len(np.unique(people.sites)), np.sqrt(fit.site_variance)
    found = (
        f'standard deviation {sd:.3g}'
        if sd
        else 'whose variance is 0, for they differ no more than by chance'
    )
    return [f'a random intercept for each of {n_sites} sites, {found}']


def _compare(
    fit: RemlFit, means: Means, people: People, model: TrialModel, inference: Inference
) -> tuple[tuple[ArmEffect, ...], tuple[VisitTest, ...], tuple[NotEstimated, ...]]:
    effects: list[ArmEffect] = []
    joint: list[VisitTest] = []
    missing: list[NotEstimated] = []
    n_arms, n_visits = people.counts.shape
    for visit in range(int(model.has_baseline), n_visits):
        rows = {arm: contrast_rows(means, model, arm, visit) for arm in range(1, n_arms)}
        for arm, row in rows.items():
            if row is None:
                lacking = [(a, j) for a, j, _ in compared_means(model, arm, visit) if means.columns[a, j] < 0]
                missing.append(NotEstimated(arm, visit, few_words(people.counts, model, *lacking[-1])))
                continue
            try:
                effects.append(ArmEffect(arm, visit, estimate_contrasts(fit, row, inference)[0]))
            except DataError as error:
                missing.append(NotEstimated(arm, visit, str(error)))
        together = [row for row in rows.values() if row is not None]
        if len(together) > 1:
            try:
                joint.append(VisitTest(visit, joint_test(fit, np.stack(together), inference)))
            except DataError as error:
                missing.append(NotEstimated(None, visit, str(error)))
    return tuple(effects), tuple(joint), tuple(missing)


def _spread_out(sigmas: Array, people: People) -> Array:
    """Return covariances of all visits, NaN at those nobody has."""
    n_visits = people.counts.shape[1]
    found = np.full((len(sigmas), n_visits, n_visits), np.nan)
    found[np.ix_(np.arange(len(sigmas)), people.visits, people.visits)] = sigmas
    return found
