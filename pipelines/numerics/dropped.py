"""Slices of diffusion volumes that lost their signal: found, and replaced by what the other volumes predict."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .course import VolumeCourse
from .course_views import DiffusionScan
from .gradients import rotate
from .resample import apply_linear, grid_points, sample
from .shell_model import fit_precision, leave_one_out

Array = NDArray[Any]

_LIMIT, _LEAST_LOSS = 4.0, 0.1
_LEAST_SPREAD, _MOST_SPREAD = 0.015, 2.5  # of a loss; of a slice against the median of all
_LEAST_MM2 = 400.0  # of brain in a slice
_FEW = 5  # volumes, too few for a spread of their own
_ROUNDS, _FILLS = 2, 3
_MAD_TO_SD = 1.4826


class Mended(NamedTuple):
    """Intensities (X, Y, Z, T) with dropped slices replaced, and which (Z, T) bool were."""

    data: Array
    dropped: Array


def mend_slices(scan: DiffusionScan, course: VolumeCourse) -> Mended:
    """Find slices that lost their signal, and replace them.

    Parameters
    ----------
    scan
        The scan; ``mask`` is the brain, ``dropped`` is not looked at.
    course
        Where its volumes show the brain.

    Notes
    -----
    A slice is compared with what all other volumes of the shell predict for it
    (:func:`~pipelines.numerics.shell_model.leave_one_out`), brought to where the volume shows it.  The loss is the sum
    of what is missing over the sum of what was predicted, in slices with 4 cm2 of brain, against the median of
    the volume and then of the slice.  More than four robust standard deviations over the volumes of the shell, and
    more than 10 %, are a dropped slice.  Two rounds: in the second, dropped slices predict nothing.

    """
    inside = scan.mask.ravel()
    points = grid_points(scan.mask.shape, scan.affine)[inside]
    values, slices = _gather(scan, course, points)
    turned = rotate(scan.table.bvecs, course.matrices)
    dropped = np.zeros((scan.mask.shape[2], scan.data.shape[3]), bool)
    for _ in range(_ROUNDS):
        missing = dropped[slices, np.arange(dropped.shape[1])]
        predicted = _predict_others(values, missing, scan.groups(), turned)
        seen = _carry(scan, course, points, predicted)
        dropped = _judge(scan, _losses(scan, seen))
    data = np.array(scan.data)
    for z, t in np.argwhere(dropped):
        data[:, :, z, t] = np.where(np.isfinite(seen[:, :, z, t]), seen[:, :, z, t], data[:, :, z, t])
    return Mended(data, dropped)


def _gather(scan: DiffusionScan, course: VolumeCourse, points: Array) -> tuple[Array, Array]:
    """Return what the volumes show at points, (N, T), and in which slice each shows them, (N, T)."""
    t, last = scan.data.shape[3], scan.mask.shape[2] - 1
    values, slices = np.empty((len(points), t), np.float32), np.empty((len(points), t), np.int16)
    to_voxel = np.linalg.inv(scan.affine)
    for k in range(t):
        at, factor = course.places(k, points)
        values[:, k] = sample(scan.data[..., k], scan.affine, at) * factor
        slices[:, k] = np.clip(np.rint(apply_linear(to_voxel, at)[:, 2]), 0, last)
    return values, slices


def _predict_others(values: Array, missing: Array, groups: list[Array], bvecs: Array) -> Array:
    """Return (N, T) what all other volumes of a group predict for each; NaN for one that is alone."""
    predicted = np.full(values.shape, np.nan, np.float32)
    for rows in groups:
        if len(rows) < 2:
            continue
        own, gone = np.array(values[:, rows], float), missing[:, rows]
        own[gone] = np.broadcast_to(np.median(own, axis=1, keepdims=True), own.shape)[gone]
        unit = max(float(np.mean(own**2)), 1e-12) * len(own)
        for _ in range(_FILLS):
            precision = fit_precision(own.T @ own / unit, bvecs[rows], is_expected=False).within
            left = leave_one_out(own, precision)
            if not gone.any():
                break
            own[gone] -= left[gone]
        predicted[:, rows] = own - left
    return predicted


def _carry(scan: DiffusionScan, course: VolumeCourse, points: Array, predicted: Array) -> Array:
    """Return predictions (X, Y, Z, T) where each volume shows the brain; NaN elsewhere."""
    shape, inside = scan.mask.shape, scan.mask.ravel()
    seen = np.full(scan.data.shape, np.nan, np.float32)
    volume = np.zeros((*shape, 2), np.float32)
    volume[..., 1] = scan.mask
    for k in range(scan.data.shape[3]):
        volume[..., 0].reshape(-1)[inside] = predicted[:, k]
        home, factor = course.origins(k, points)
        found, covered = sample(volume, scan.affine, home).T
        whole = np.where(covered > 0.99, found / np.maximum(factor, 0.1), np.nan)
        seen[..., k][scan.mask] = whole
    return seen


def _losses(scan: DiffusionScan, seen: Array) -> Array:
    """Return the share (Z, T) of the predicted signal that a slice lacks; NaN where it shows little brain."""
    known = np.isfinite(seen)
    area = float(np.linalg.norm(np.cross(scan.affine[:3, 0], scan.affine[:3, 1])))
    expected = np.where(known, seen, 0).sum(axis=(0, 1), dtype=float)
    found = np.where(known, scan.data, 0).sum(axis=(0, 1), dtype=float)
    enough = (known.sum(axis=(0, 1)) * area >= _LEAST_MM2) & (expected > 0)
    return np.where(enough, 1 - found / np.where(enough, expected, 1), np.nan)


def _judge(scan: DiffusionScan, losses: Array) -> Array:
    """Return which slices (Z, T) are dropped."""
    dropped = np.zeros(losses.shape, bool)
    for rows in scan.groups():
        own = losses[:, rows]
        # few directions differ by anisotropy, of which they do not say enough
        is_few = len(rows) < _FEW and not scan.table.is_b0[rows[0]]
        if is_few or not np.isfinite(own).any():
            continue
        own = own - _median(own, 0)
        # of two volumes, one that lost its signal leaves the other with too much
        own = own - (_median(own, 1) if len(rows) >= _FEW else 0)
        spread = _MAD_TO_SD * _median(np.abs(own), 1)
        typical = float(np.nanmedian(spread))
        # where several volumes lost the same slice its own spread is that of the losses
        least = max(typical, _LEAST_SPREAD)
        spread = np.clip(spread, least, (_MOST_SPREAD if len(rows) >= _FEW else 1) * least)
        limit = np.maximum(_LIMIT * spread, _LEAST_LOSS)
        dropped[:, rows] = np.nan_to_num(own) > limit
    return dropped


def _median(values: Array, axis: int) -> Array:
    """Return the median along an axis, which is kept, without NaN; 0 where there is nothing else."""
    known = np.isfinite(values).any(axis=axis, keepdims=True)
    return np.asarray(np.nanmedian(np.where(known, values, 0), axis=axis, keepdims=True))
