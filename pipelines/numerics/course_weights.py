"""How far volumes of a diffusion scan are from what they should show together, and what that weighs."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .course_views import Level, Views
from .shell_model import Precision, fit_precision, leave_one_out

Array = NDArray[Any]

_CLASSES, _CLASSES_BEYOND = 6, 2
_TRUST = 0.3  # of a point: neighbours share the anatomy that the model does not know
_FREEDOM = 5.0  # degrees, of Student's t
_FITS, _IMPUTATIONS = 2, 3


class Weighed(NamedTuple):
    """Residuals of T volumes at N points under the covariance of their shells.

    Attributes
    ----------
    within, shared
        (N, T) residuals times the two parts of the precision.
    weights
        (N,) of the points.
    classes
        Numbers of the points of every class.
    precisions
        Of every class and every group of volumes.
    is_expected
        Of every group: an expectation of its mean is known.
    predicted, slopes
        (N, T) what the model makes of the volumes, and (T, 3, N) of their derivatives along RAS.

    """

    within: Array
    shared: Array
    weights: Array
    classes: list[Array]
    precisions: list[list[Precision]]
    is_expected: list[bool]
    predicted: Array
    slopes: Array


def weigh(
    views: Views, expected: Array, groups: Sequence[Array], bvecs: Array, *, level: Level, is_coarse: bool
) -> Weighed:
    """Fit the covariance of every group in every class of points, and weigh the residuals by it.

    Parameters
    ----------
    views
        What the volumes show.
    expected
        (N, T) expectation of the mean of a shell, 0 without.
    groups
        Numbers of the volumes of b = 0 and of every shell.
    bvecs
        (T, 3) directions in the frame of the head.
    level
        The points.
    is_coarse
        Predict every volume from the others alone, while they are far apart.

    Notes
    -----
    Values that are missing are those that the others predict.  Points far from the model count less, as under
    Student's t of five degrees of freedom.

    """
    excess = views.values - expected
    is_expected = [bool(expected[:, rows].any()) for rows in groups]
    classes = _classes(views.values, groups, level.is_brain)
    unit = 1 / max(float(np.mean(views.values**2)), 1e-12)
    weights = np.full(len(excess), unit)
    within, shared = np.zeros((2, *excess.shape))
    for _ in range(_FITS):
        precisions = []
        for own in classes:
            found = []
            for rows, has in zip(groups, is_expected):
                place = np.ix_(own, rows)
                has_mean = has and bool(level.is_brain[own[0]])
                precision = _fit(excess, place, weights[own], views.missing[place], bvecs[rows], has_mean)
                within[place] = excess[place] @ precision.within
                shared[place] = excess[place] @ precision.shared
                found.append(precision)
            precisions.append(found)
        far = np.einsum('nt,nt->n', within + shared, excess)
        far /= max(float(np.median(far)), 1e-12)
        weights = unit * np.minimum(1, _FREEDOM / (_FREEDOM - 1 + far))
    made = Weighed(
        within, shared, _TRUST * level.share * weights, classes, precisions, is_expected, views.values, views.gradients
    )  # fmt: skip
    return _predict(made, groups, excess, expected, is_coarse=is_coarse)


def _classes(values: Array, groups: Sequence[Array], is_brain: Array) -> list[Array]:
    """Return the numbers of the points of each class, by what the weighted volumes show of the first group.

    Points beyond the brain have classes of their own.
    """
    least = 1e-3 * np.abs(values).mean()
    first, last = (
        np.maximum(values[:, rows].mean(axis=1), least)
        for rows in (groups[0], np.concatenate(groups[1:] or groups))
    )
    ratio = np.log(last / first) if len(groups) > 1 else last
    classes = []
    for part, count in ((is_brain, _CLASSES), (~is_brain, _CLASSES_BEYOND)):
        members = np.flatnonzero(part)
        if len(members):
            limits = np.quantile(ratio[members], np.arange(1, count) / count)
            order = np.searchsorted(limits, ratio[members])
            classes += [members[order == number] for number in range(count)]
    return [own for own in classes if len(own)]


def _moments(excess: Array, weights: Array) -> Array:
    return np.asarray((excess * weights[:, None]).T @ excess / len(excess))


def _fit(
    excess: Array, place: tuple[Array, ...], weights: Array, missing: Array, bvecs: Array, is_expected: bool
) -> Precision:
    """Return the precision of a group in a class; what is missing in ``excess`` is filled in."""
    part = excess[place]
    precision = fit_precision(_moments(part, weights), bvecs, is_expected=is_expected)
    if missing.any() and part.shape[1] > 1:
        for _ in range(_IMPUTATIONS):
            part[missing] -= leave_one_out(part, precision.both)[missing]
        excess[place] = part
        precision = fit_precision(_moments(part, weights), bvecs, is_expected=is_expected)
    return precision


def _predict(
    made: Weighed, groups: Sequence[Array], excess: Array, expected: Array, *, is_coarse: bool
) -> Weighed:
    """Return the same with predictions: what is left of a volume without the part that looks like noise.

    Notes
    -----
    :math:`y_k - c_k (W (y - m))_k`, where :math:`c_k = 1 / W_{kk}` leaves the volume itself out, and
    :math:`c_k = (W C)_{kk} / (W C W)_{kk}` with the moments C makes prediction and residual uncorrelated.
    """
    predicted, slopes = np.empty_like(excess), np.empty_like(made.slopes)
    for own, precisions in zip(made.classes, made.precisions):
        for rows, precision in zip(groups, precisions):
            place, both = np.ix_(own, rows), precision.both
            if is_coarse:
                size = 1 / np.maximum(np.diag(both), 1e-300)
            else:
                moments = _moments(excess[place], made.weights[own])
                size = np.diag(both @ moments) / np.maximum(np.diag(both @ moments @ both), 1e-300)
            keep = np.eye(len(rows)) - (both * size[:, None] if len(rows) > 1 else 0)
            predicted[place] = excess[place] @ keep.T + expected[place]
            part = np.tensordot(keep, made.slopes[np.ix_(rows, np.arange(3), own)], 1)
            slopes[np.ix_(rows, np.arange(3), own)] = part
    return made._replace(predicted=predicted, slopes=slopes)
