"""Estimates and tests of contrasts, by the inference that is asked for."""

from typing import Any, assert_never

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.terms import Inference

from ..estimate import Estimate, t_estimate
from .cluster_robust import hotelling, robust_degrees, sandwich
from .fit import RemlFit
from .kenward_roger import JointTest, degrees, fai_cornelius, moments, scaled_f

Array = NDArray[Any]


def estimate_contrasts(
    fit: RemlFit, contrasts: ArrayLike, inference: Inference = 'kenward_roger'
) -> list[Estimate]:
    """Return each contrast of the coefficients with its interval and t test.

    Parameters
    ----------
    fit
        A restricted likelihood at its maximum.
    contrasts
        (p,) or (m, p).
    inference
        One of :data:`pipelines.terms.INFERENCES`.

    Raises
    ------
    DataError
        A standard error rests on one person alone.

    Examples
    --------
    Two groups with their own variances at one visit: the test of Welch.

    >>> from scipy import stats
    >>> from pipelines.stats.longitudinal.fit import fit_reml
    >>> y, group = np.array([1.0, 3, 5, 4, 2, 8, 9]), np.array([0, 0, 0, 0, 1, 1, 1])
    >>> fit = fit_reml(y[:, None], np.eye(2)[group][:, None], group)
    >>> found, = estimate_contrasts(fit, [-1, 1])
    >>> welch = stats.ttest_ind(y[group == 1], y[group == 0], equal_var=False)
    >>> bool(abs(found.p - welch.pvalue) < 1e-9)
    True

    """
    table = np.atleast_2d(np.asarray(contrasts, float))
    values = fit.turn(table) @ fit.turned
    match inference:
        case 'kenward_roger' | 'satterthwaite':
            found = moments(fit, table)
            variances = np.diag(found.adjusted if inference == 'kenward_roger' else found.covariance)
            df = [degrees(found, which) for which in range(len(table))]
        case 'cluster_robust':
            robust = sandwich(fit, table)
            variances = np.diag(robust.covariance)
            df = [robust_degrees(robust, which) for which in range(len(table))]
        case _:
            assert_never(inference)
    return [t_estimate(*numbers) for numbers in zip(values, np.sqrt(variances), df)]


def joint_test(fit: RemlFit, contrasts: ArrayLike, inference: Inference = 'kenward_roger') -> JointTest:
    """Test that several contrasts are zero at once.

    Parameters
    ----------
    fit, contrasts, inference
        As for :func:`estimate_contrasts`.

    Raises
    ------
    DataError
        The contrasts are linearly dependent, or there are too few people.

    """
    table = np.atleast_2d(np.asarray(contrasts, float))
    values = fit.turn(table) @ fit.turned
    match inference:
        case 'kenward_roger':
            return scaled_f(values, moments(fit, table))
        case 'satterthwaite':
            return fai_cornelius(values, moments(fit, table))
        case 'cluster_robust':
            return hotelling(values, sandwich(fit, table))
        case _:
            assert_never(inference)
