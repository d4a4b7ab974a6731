"""Products of paths from the coefficients of a mediation model, and what confounding would do to them."""

from itertools import combinations, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.errors import ParameterError

Array = NDArray[Any]
Paths = dict[tuple[str, str], Array]
"""Replicates (B,) of each mediator and path."""


class Sensitivity(NamedTuple):
    """What the indirect effect through one mediator owes to the absence of confounding.

    Attributes
    ----------
    a
        Effect of treatment on the mediator.
    sd_mediator, sd_outcome
        Residual standard deviations of the mediator and of the outcome without the mediator among its
        regressors.
    r
        Correlation of these residuals.

    """

    a: float
    sd_mediator: float
    sd_outcome: float
    r: float


def trace_paths(coefficients: Array, mediators: tuple[str, ...], *, is_serial: bool) -> Paths:
    r"""Multiply coefficients along the paths from treatment to outcome.

    Parameters
    ----------
    coefficients
        (k + 2, k + 2, B) of treatment, k mediators and outcome, each regressed on those before it
        (``[:j, j]``) and on the same other regressors.
    mediators
        Their k names.
    is_serial
        Mediators act on those after them; else side by side.

    Returns
    -------
    Paths
        Of each mediator ``a`` and ``b``; the ``indirect`` effect of each chain, which is called
        ``M1>M2``; ``d21`` from the first to the second mediator; ``direct``, ``total``, ``proportion``
        and, of several mediators, ``joint_indirect``, called ``M1+M2``.

    Notes
    -----
    Side by side: :math:`a_j` is the effect on mediator j whatever its route, :math:`b_j` holds the other
    mediators; indirect :math:`a_j b_j`.  In series: :math:`a_j` holds the mediators before, indirect
    :math:`a_1 b_1`, :math:`a_2 b_2`, :math:`a_1 d_{21} b_2`.  Either way the sum of the indirect effects
    is the same, and with the direct effect it is, to rounding, the coefficient of treatment in the
    regression of the outcome without mediators.

    Examples
    --------
    >>> u = np.array([[1, 2, 3, 4], [0, 1, 5, 6], [0, 0, 1, 7], [0, 0, 0, 1.0]])[..., None]
    >>> series, parallel = (trace_paths(u, ('x', 'y'), is_serial=kind) for kind in (True, False))
    >>> float(series['x>y', 'indirect'][0]), float(parallel['y', 'a'][0])
    (70.0, 13.0)
    >>> float(series['x+y', 'total'][0]) == float(parallel['x+y', 'total'][0])
    True

    """
    k = len(mediators)
    between, b, direct = coefficients[1:-1, 1:-1], coefficients[1:-1, -1], coefficients[0, -1]
    a = coefficients[0, 1:-1].copy()
    if not is_serial:
        for j in range(1, k):
            a[j] += np.sum(a[:j] * between[:j, j], axis=0)
    found: Paths = {}
    for j, name in enumerate(mediators):
        found |= {(name, 'a'): a[j], (name, 'b'): b[j]}
    if is_serial:
        for i, j in combinations(range(k), 2):
            found[f'{mediators[i]}>{mediators[j]}', f'd{j + 1}{i + 1}'] = between[i, j]
    joint = np.zeros_like(direct)
    for length in range(1, k + 1 if is_serial else 2):
        for chain in combinations(range(k), length):
            effect = a[chain[0]] * np.prod([between[pair] for pair in pairwise(chain)], axis=0) * b[chain[-1]]
            found['>'.join(mediators[j] for j in chain), 'indirect'] = effect
            joint = joint + effect
    everyone = '+'.join(mediators)
    if k > 1:
        found[everyone, 'joint_indirect'] = joint
    total = joint + direct
    ratio = np.divide(joint, total, out=np.full_like(total, np.nan), where=total != 0)
    return found | {
        (everyone, 'direct'): direct,
        (everyone, 'total'): total,
        (everyone, 'proportion'): ratio,
    }


def trace_interaction(coefficients: Array, mediator: str, share: float, shift: Array) -> Paths:
    r"""Return natural effects when the slope on the mediator differs between the arms.

    Parameters
    ----------
    coefficients
        (4, 4, B) of treatment, mediator, their product and outcome, each regressed on those before it.
    mediator
        Its name.  In the product it is centred at its mean :math:`\bar m`.
    share
        Of people who are treated.
    shift
        (B,) mean of the mediator in a resample minus :math:`\bar m`.

    Notes
    -----
    With :math:`M = i_1 + a t + \dots` and :math:`Y = i_2 + c' t + b M + h t (M - \bar m) + \dots`, at
    the mean of all other regressors [1]_: indirect :math:`a b` with the control's slope, :math:`a (b + h)`
    with that of the treated; direct :math:`c' + h (E M_t - \bar m)` with the mediator as under arm t;
    total: direct of control plus indirect of treatment, which equals direct of treatment plus indirect
    of control.

    References
    ----------
    .. [1] Valeri L, VanderWeele TJ. Mediation analysis allowing for exposure-mediator interactions and
       causal interpretation. Psychol Methods 2013;18:137-150.

    Examples
    --------
    >>> u = np.array([[1, 2, 0, 3], [0, 1, 0, 4], [0, 0, 1, 5], [0, 0, 0, 1.0]])[..., None]
    >>> found = {path: float(x[0]) for (_, path), x in trace_interaction(u, 'm', 0.5, np.zeros(1)).items()}
    >>> found['indirect_control'], found['indirect_treatment'], found['total']
    (8.0, 18.0, 16.0)

    """
    a, (direct, b, slope) = coefficients[0, 1], coefficients[:3, 3]
    under = [direct + slope * (shift + a * (code - share)) for code in (0, 1)]
    found = {
        'a': a,
        'b_control': b,
        'b_treatment': b + slope,
        'interaction': slope,
        'indirect_control': a * b,
        'indirect_treatment': a * (b + slope),
        'direct_control': under[0],
        'direct_treatment': under[1],
        'total': under[0] + a * (b + slope),
    }
    return {(mediator, path): values for path, values in found.items()}


def residual_correlation(b: Array, squares: Array) -> Array:
    r"""Return the correlation of mediator and outcome given treatment and the other regressors.

    Parameters
    ----------
    b
        (B,) slope of the outcome on the mediator.
    squares
        (2, B) residual sums of squares of the mediator, and of the outcome given the mediator.

    Notes
    -----
    :math:`r = b \sqrt{S_M} / \sqrt{b^2 S_M + S_{Y|M}}`.

    """
    return np.asarray(b * np.sqrt(squares[0] / (b**2 * squares[0] + squares[1])))


def acme(sensitivity: Sensitivity, rho: ArrayLike) -> Array:
    r"""Return the indirect effect if the errors of mediator and outcome were correlated.

    Parameters
    ----------
    sensitivity
        Of :class:`~pipelines.stats.mediate.MediationFit`.
    rho
        Correlation that confounders of mediator and outcome give to the errors of their models,
        between -1 and 1, both excluded.

    Returns
    -------
    Array
        In the shape of ``rho`` and the unit of the outcome.

    Raises
    ------
    ParameterError
        A correlation is not between -1 and 1.

    Notes
    -----
    :math:`ACME(\rho) = a \frac{s_2}{s_1} \left[r - \rho \sqrt{(1 - r^2) / (1 - \rho^2)}\right]` [1]_, zero
    at :math:`\rho = r`; the product of the paths at :math:`\rho = 0`.  For one mediator and no
    interaction.

    References
    ----------
    .. [1] Imai K, Keele L, Yamamoto T. Identification, inference and sensitivity analysis for causal
       mediation effects. Stat Sci 2010;25:51-71.

    Examples
    --------
    >>> acme(Sensitivity(2.0, 1.0, 3.0, 0.4), [0.0, 0.4]).round(9).tolist()
    [2.4, 0.0]

    """
    a, s1, s2, r = sensitivity
    correlation = np.asarray(rho, float)
    if not (np.abs(correlation) < 1).all():
        raise ParameterError(f'rho is between -1 and 1, both excluded, got {correlation.tolist()}')
    return np.asarray(a * s2 / s1 * (r - correlation * np.sqrt((1 - r**2) / (1 - correlation**2))))
