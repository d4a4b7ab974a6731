"""Draw the people of a two-arm trial: one causal story, whose effects follow from its parameters."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .series import BOLD_MEAN, head_motion

Array = NDArray[Any]

N_SESSIONS = 42
SIGNAL_LEFT = 0.3
"""Share of the BOLD signal that is left where it drops out."""

N_ITEMS, ITEM_HIGH = 10, 5
_NRS_HIGH = 10
_ITEM_OFFSETS = np.array([0.4, -0.5, 0.5, -0.6, 0.2, 0.3, -0.3, -0.4, 0.3, 0.1])
"""How much more than the average an item is affected; they sum to 0."""

_ITEM_SD = 0.45
_AGES, _FEMALE_SHARE = (21, 66), 0.58
_ATTENDANCE = (12.0, 2.5)  # of a beta distribution
_THERMAL = 0.01
_NOD_SHARE, _NOD = 0.1, np.array([0.0, 1.5, 3.5, 0.02, 0.0, 0.0])  # mm and rad
_EVENT_RATES = (0.2, 0.35)  # per person, waiting and training


class TrialParameters(NamedTuple):
    """What the people of the trial are drawn from; see :func:`draw_cohort` for the equations.

    Attributes
    ----------
    connectivity_mean, connectivity_sd, connectivity_retest, connectivity_effect
        Fisher z of the correlation of NAc and mPFC: mean and SD of people, correlation of two visits, and
        what training adds.
    expression_sd, expression_retest, expression_effect
        Log2 level of the inflammatory pathway about the mean of untrained people.
    pain_mean, pain_time, pain_sd, pain_retest
        Points of a scale from 0 to 10: at baseline, what waiting adds, and the part that neither mediator
        explains.
    pain_by_connectivity, pain_by_expression, pain_direct
        Points per unit of Fisher z, per log2 unit, and of training itself.
    disability_mean, disability_by_pain, disability_sd, disability_retest
        Points of a scale from 0 to 50: it follows pain.
    fa_mean, fa_sd, fa_retest, fa_effect
        FA of the fibres of the NAc-mPFC tract; it is not connected with pain.
    submap85, sixmwd
        Mean, SD, correlation of two visits, and effect of training: W, and m.
    bdnf_mean, bdnf_person_sd, bdnf_session_sd, bdnf_sample_sd
        Natural logarithm of pg/mL.
    bdnf_acute, bdnf_acute_growth, bdnf_resting
        Of those who train: rise over session 7, what the rise over session 42 adds, rise at rest between.
    bdnf_limits
        Below the first and above the second (pg/mL) the assay gives no number.

    """

    connectivity_mean: float = 0.6
    connectivity_sd: float = 0.25
    connectivity_retest: float = 0.6
    connectivity_effect: float = -0.3
    expression_sd: float = 0.4
    expression_retest: float = 0.6
    expression_effect: float = -0.4
    pain_mean: float = 5.5
    pain_time: float = -0.3
    pain_sd: float = 1.0
    pain_retest: float = 0.6
    pain_by_connectivity: float = 3.0
    pain_by_expression: float = 1.5
    pain_direct: float = -0.5
    disability_mean: float = 20.0
    disability_by_pain: float = 3.5
    disability_sd: float = 4.0
    disability_retest: float = 0.7
    fa_mean: float = 0.55
    fa_sd: float = 0.04
    fa_retest: float = 0.8
    fa_effect: float = 0.03
    submap85: tuple[float, float, float, float] = (120.0, 30.0, 0.8, 20.0)
    sixmwd: tuple[float, float, float, float] = (520.0, 80.0, 0.75, 45.0)
    bdnf_mean: float = 6.4
    bdnf_person_sd: float = 0.5
    bdnf_session_sd: float = 0.15
    bdnf_sample_sd: float = 0.25
    bdnf_acute: float = 0.3
    bdnf_acute_growth: float = 0.2
    bdnf_resting: float = 0.15
    bdnf_limits: tuple[float, float] = (200.0, 2000.0)


class Effects(NamedTuple):
    """Differences that training makes, arm against arm at follow-up, on the scales of the latent values.

    ``pain`` = ``pain_direct`` + ``pain_by_connectivity`` + ``pain_by_expression``: the total, and its parts.
    BDNF in natural logarithms, the others in the units of :class:`TrialParameters`.
    """

    connectivity: float
    expression: float
    fa: float
    pain: float
    pain_direct: float
    pain_by_connectivity: float
    pain_by_expression: float
    disability: float
    submap85: float
    sixmwd: float
    bdnf_acute_s7: float
    bdnf_acute_s42: float
    bdnf_resting_change: float


class Cohort(NamedTuple):
    """Latent values of n people; those of two visits are (n, 2).

    ``treated``, ``female`` bool and ``age`` in years (n,); ``connectivity`` Fisher z, ``expression`` log2,
    ``fa``, ``pain`` and ``disability`` in points without limits, ``submap85`` W, ``sixmwd`` m; ``log_bdnf``
    (n, 2, 2) natural logarithm of pg/mL by session and time; ``attended`` (n,) of 42, NaN for those
    who wait; ``n_events`` (n,) adverse events.
    """

    treated: Array
    age: Array
    female: Array
    connectivity: Array
    expression: Array
    fa: Array
    pain: Array
    disability: Array
    submap85: Array
    sixmwd: Array
    log_bdnf: Array
    attended: Array
    n_events: Array


def planted_effects(parameters: TrialParameters) -> Effects:
    r"""Return the effects of training in closed form.

    Notes
    -----
    With the equations of :func:`draw_cohort` the effect on pain is :math:`\delta + \alpha_C \beta_C + \alpha_G
    \beta_G`.  These parts are what the models of mediation estimate, for given the baselines of mediator and
    pain the mediator at follow-up touches pain at follow-up by :math:`\beta` only.  A model of one mediator
    counts what the other carries as direct.

    Examples
    --------
    >>> effects = planted_effects(TrialParameters())
    >>> round(effects.pain, 6), round(effects.pain_by_connectivity, 6), round(effects.disability, 6)
    (-2.0, -0.9, -7.0)

    """
    p = parameters
    by_connectivity = p.connectivity_effect * p.pain_by_connectivity
    by_expression = p.expression_effect * p.pain_by_expression
    pain = p.pain_direct + by_connectivity + by_expression
    return Effects(
        p.connectivity_effect, p.expression_effect, p.fa_effect,
        pain, p.pain_direct, by_connectivity, by_expression,
        p.disability_by_pain * pain, p.submap85[3], p.sixmwd[3],
        p.bdnf_acute, p.bdnf_acute + p.bdnf_acute_growth, p.bdnf_resting,
    )  # fmt: skip


def draw_cohort(
    rng: np.random.Generator, n_people: int, n_treated: int, parameters: TrialParameters | None = None
) -> Cohort:
    r"""Draw the latent values of everybody.

    Parameters
    ----------
    rng
        Source of randomness.
    n_people, n_treated
        Randomised, and how many of them train.
    parameters
        Default: :class:`TrialParameters`.

    Raises
    ------
    ValueError
        An arm is empty.

    Notes
    -----
    x is 1 in the arm that trains, t = 0, 1 the visit; every S(r) is a value of a person and a visit of mean 0,
    SD 1 and correlation r between visits, :math:`\sqrt{r} u_i + \sqrt{1 - r} e_{it}`, independent of the others:

    - connectivity :math:`C_{it} = \mu_C + \sigma_C S(r_C) + \alpha_C x_i t`
    - expression :math:`G_{it} = \sigma_G S(r_G) + \alpha_G x_i t`
    - pain :math:`P_{it} = \mu_P + \theta t + \beta_C (C_{it} - \mu_C) + \beta_G G_{it} + \delta x_i t + \sigma_P S(r_P)`
    - disability :math:`D_{it} = \mu_D + \lambda (P_{it} - \mu_P) + \sigma_D S(r_D)`
    - FA, power and walking distance as C, each on its own
    - :math:`\log` BDNF by session s and time h, :math:`\mu_B + u_i + w_{is} + e_{ish} + x_i (\eta h + \kappa s + \gamma s h)`

    Examples
    --------
    >>> cohort = draw_cohort(np.random.default_rng(1), 57, 29)
    >>> int(cohort.treated.sum()), cohort.pain.shape, cohort.log_bdnf.shape
    (29, (57, 2), (57, 2, 2))

    """
    if not 0 < n_treated < n_people:
        raise ValueError(f'{n_treated} of {n_people} people leave an arm empty')
    p = parameters or TrialParameters()
    treated = rng.permutation(n_people) < n_treated
    age, female = rng.integers(*_AGES, n_people), rng.random(n_people) < _FEMALE_SHARE

    def visits(mean: float, sd: float, retest: float, effect: float) -> Array:
        return _visits(rng, treated, mean, sd, retest) + effect * np.outer(treated, [0, 1])

    connectivity = visits(
        p.connectivity_mean, p.connectivity_sd, p.connectivity_retest, p.connectivity_effect
    )
    expression = visits(0, p.expression_sd, p.expression_retest, p.expression_effect)
    pain = visits(p.pain_mean, p.pain_sd, p.pain_retest, p.pain_direct) + [0, p.pain_time]
    pain += p.pain_by_connectivity * (connectivity - p.connectivity_mean) + p.pain_by_expression * expression
    disability = visits(p.disability_mean, p.disability_sd, p.disability_retest, 0)
    disability += p.disability_by_pain * (pain - p.pain_mean)
    attended = np.rint(N_SESSIONS * rng.beta(*_ATTENDANCE, n_people))
    return Cohort(
        treated, age, female, connectivity, expression,
        visits(p.fa_mean, p.fa_sd, p.fa_retest, p.fa_effect), pain, disability,
        visits(*p.submap85), visits(*p.sixmwd), _log_bdnf(rng, treated, p),
        np.where(treated, attended, np.nan), rng.poisson(np.where(treated, *_EVENT_RATES[::-1])),
    )  # fmt: skip


def _visits(rng: np.random.Generator, treated: Array, mean: float, sd: float, retest: float) -> Array:
    lasting, passing = rng.standard_normal((len(treated), 1)), rng.standard_normal((len(treated), 2))
    return np.asarray(mean + sd * (np.sqrt(retest) * lasting + np.sqrt(1 - retest) * passing))


def _log_bdnf(rng: np.random.Generator, treated: Array, p: TrialParameters) -> Array:
    n = len(treated)
    effects = [[0, p.bdnf_acute], [p.bdnf_resting, p.bdnf_resting + p.bdnf_acute + p.bdnf_acute_growth]]
    level = p.bdnf_mean + p.bdnf_person_sd * rng.standard_normal((n, 1, 1))
    level = level + p.bdnf_session_sd * rng.standard_normal((n, 2, 1))
    return np.asarray(
        level + p.bdnf_sample_sd * rng.standard_normal((n, 2, 2)) + np.multiply.outer(treated, effects)
    )


def rate_pain(pain: Array) -> Array:
    """Return pain as people rate it: whole points from 0 to 10.

    Examples
    --------
    >>> rate_pain(np.array([-0.7, 4.4, 11.2])).tolist()
    [0.0, 4.0, 10.0]

    """
    return np.asarray(np.rint(np.clip(pain, 0, _NRS_HIGH)))


def answer_items(disability: Array, rng: np.random.Generator) -> Array:
    """Return the answers (..., 10) to ten items of 0 to 5 whose sum follows ``disability``.

    Notes
    -----
    Item k is D / 10 + o_k + noise of SD 0.45, rounded and limited; the offsets o sum to 0.

    """
    noise = _ITEM_SD * rng.standard_normal((*disability.shape, N_ITEMS))
    return np.asarray(np.clip(np.rint(disability[..., None] / N_ITEMS + _ITEM_OFFSETS + noise), 0, ITEM_HIGH))


def lose_signal(series: Array, lost: Array, rng: np.random.Generator) -> Array:
    """Return BOLD (T, N) of which 30 % is left in the voxels ``lost`` (N,), under noise of the scanner."""
    left = series.copy()
    noise = _THERMAL * BOLD_MEAN * rng.standard_normal((len(series), int(lost.sum())), dtype=np.float32)
    left[:, lost] = SIGNAL_LEFT * series[:, lost] + noise
    return np.asarray(left)


def restless_motion(n_volumes: int, rng: np.random.Generator) -> Array:
    """Return motion (T, 6) in mm and rad of someone who nods, and later back, in a tenth of the volumes."""
    nods = rng.permutation(n_volumes) < _NOD_SHARE * n_volumes
    return np.asarray(head_motion(n_volumes, rng) + np.outer(np.cumsum(nods) % 2, _NOD))
