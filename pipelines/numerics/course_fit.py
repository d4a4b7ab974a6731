"""Find head motion and eddy currents of a diffusion scan together, all volumes at once."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from .course import N_TERMS, VolumeCourse, eddy_basis, start_course
from .course_prior import N_RIGID, add_eddy_prior, add_motion_prior, eddy_strength, hold_mean, tau_of
from .course_views import DiffusionScan, Level, expect_shells, make_level, view
from .course_weights import Weighed, weigh
from .gradients import rotate
from .motion import head_centre, motion_parameters, rigid_matrix
from .resample import apply_linear, voxel_sizes

Array = NDArray[Any]

SMOOTHNESSES = ((10.0, 4000, 5), (6.0, 8000, 4), (4.0, 16000, 6))
"""FWHM in mm, points at most, steps at most; volumes are brought near at the first, refined at the others."""

_MOST_VALUES = 1_600_000  # points times volumes: bounds memory and time of scans of many volumes
_CONVERGED, _LONGEST = 0.03, 4.0  # mm
_HEAD_RADIUS = 50.0  # mm
_STIFF = 1e-9
_FEWEST = 6  # weighted volumes: fewer do not tell eddy currents from anisotropy
_VOXELS = 1.2  # of a voxel: a narrower smoothing shows the grid


class _State(NamedTuple):
    """VolumeCourse, logarithm of brightness (T,), and spread (10,) mm of eddy currents around linearity."""

    course: VolumeCourse
    gains: Array
    tau: Array


def estimate_course(
    scan: DiffusionScan,
    *,
    start: VolumeCourse | None = None,
    levels: Sequence[tuple[float, int, int]] = SMOOTHNESSES,
) -> VolumeCourse:
    r"""Find how the head lay in every volume, and how eddy currents displaced it.

    Parameters
    ----------
    scan
        The scan; ``mask`` reaches somewhat beyond the brain.
    start
        First guess; none means that the head lies still.
    levels
        Of :data:`SMOOTHNESSES`; none is finer than the voxels.

    Notes
    -----
    With the volumes of a voxel, brought to the reference, as a vector y and W the inverse of their covariance
    (:func:`~pipelines.numerics.shell_model.fit_precision`, in six classes of voxels by the ratio of the shells to
    b = 0), all parameters take a Gauss-Newton step for :math:`\sum_x (y - m)' W (y - m)` together: a
    movement of one volume that others could follow by another anisotropy is weighed as such, and no target has
    to be made anew in turn.  m is what b = 0 lets expect of a shell.

    - Derivatives are those of the prediction :math:`y_k - c_k (W(y-m))_k`, :math:`c_k` such that it is uncorrelated
      with the residual; derivatives of the volume itself would stretch it, for that spreads its noise.
    - Only b = 0 says what all volumes of a shell have in common, a scale that is the same in all directions apart:
      the rim of fluid is wide at b = 0 and narrow beyond.
    - Coefficients of eddy currents are a ridge around :math:`A s_k`, :math:`s_k = \sqrt{b_k / b_{max}}\, g_k`, whose width
      is a quarter of :math:`A s_k`; movement is a ridge around the volume before with heavy tails; brightness one around 1.

    - A shell is compared with b = 0 inside the brain only: beyond it lie fluid, fat and eyes, whose contrast is another.

    The constant of the field is told from a shift along the axis by the last two alone: nothing in a volume shows it.

    """
    scan = scan.crop()
    t, strength = scan.data.shape[3], eddy_strength(scan.table)
    course = start or start_course(t, scan.affine, scan.axis, head_centre(scan.mask, scan.affine))
    state = _State(course, np.zeros(t), tau_of(course.coefficients if start else None, strength))
    finest = _VOXELS * float(voxel_sizes(scan.affine).max())
    for fwhm, limit, steps in levels:
        is_coarse = fwhm == SMOOTHNESSES[0][0]
        level = make_level(scan, max(fwhm, finest), min(limit, _MOST_VALUES // t))
        for step in range(steps):
            state, largest = _advance(scan, level, state, is_coarse=is_coarse)
            if step > 1:
                state = state._replace(tau=tau_of(state.course.coefficients, strength))
            if largest < _CONVERGED:
                break
    # the reference is the first volume without weighting, which is so shown as it is
    first = int(np.argmax(scan.table.is_b0))
    return state.course._replace(matrices=state.course.matrices @ np.linalg.inv(state.course.matrices[first]))


def _advance(scan: DiffusionScan, level: Level, state: _State, *, is_coarse: bool) -> tuple[_State, float]:
    """Take one step, and say how long it was at most, mm."""
    groups, course = scan.groups(), state.course
    views = view(scan, level, course, state.gains)
    expected = expect_shells(scan, level, course, views.values, groups)
    turned = rotate(scan.table.bvecs, course.matrices)
    weighed = weigh(views, expected, groups, turned, level=level, is_coarse=is_coarse)
    strength = eddy_strength(scan.table)
    has_eddies = scan.axis is not None and int(strength.any(axis=1).sum()) >= _FEWEST
    jacobian = _jacobian(level.points, course, weighed, views.missing, has_eddies=has_eddies)
    matrix, vector = _normal_equations(jacobian, weighed, groups, level.points - course.centre)
    parameters = motion_parameters(course.matrices, course.centre)
    for rows, is_expected in zip(groups, weighed.is_expected):
        hold_mean(matrix, rows, [-1] if is_expected else [*range(N_RIGID), -1])
    add_motion_prior(matrix, vector, parameters, state.gains)
    if has_eddies:
        shells = [rows for rows in groups if strength[rows].any()]
        add_eddy_prior(matrix, vector, course.coefficients, strength, state.tau, shells)
    active = np.ones(vector.shape, bool)
    active[~strength.any(axis=1), N_RIGID:-1] = False
    return _move(state, _solve(matrix, vector, active))


def _jacobian(
    points: Array, course: VolumeCourse, weighed: Weighed, missing: Array, *, has_eddies: bool
) -> Array:
    """Return how the T volumes change with their P parameters, (T, P, N); what is missing does not change."""
    t, n = len(course.matrices), len(points)
    n_terms = N_TERMS if has_eddies else 0
    found = np.empty((t, N_RIGID + n_terms + 1, n), np.float32)
    for k in range(t):
        offsets = apply_linear(course.matrices[k], points) - course.centre
        slopes = course.matrices[k, :3, :3] @ weighed.slopes[k]
        found[k, :3] = slopes
        found[k, 3:N_RIGID] = np.cross(offsets, slopes.T).T
        if has_eddies:
            basis, changes = eddy_basis(offsets, course.direction)
            found[k, N_RIGID:-1] = (course.direction @ slopes) * basis + weighed.predicted[:, k] * changes
        found[k, -1] = -weighed.predicted[:, k]
        found[k][:, missing[:, k]] = 0
    return found


def _normal_equations(
    jacobian: Array, weighed: Weighed, groups: list[Array], offsets: Array
) -> tuple[Array, Array]:
    """Return matrix (T, P, T, P) and vector (T, P) of the step that the volumes ask for."""
    t, p, _ = jacobian.shape
    matrix, vector = np.zeros((t, p, t, p)), np.zeros((t, p))
    root = np.sqrt(weighed.weights)
    for number, rows in enumerate(groups):
        own = jacobian[rows] * root.astype(np.float32)
        within, shared = np.zeros((2, len(rows), p, len(rows), p))
        for members, precisions in zip(weighed.classes, weighed.precisions):
            part = own[:, :, members].reshape(len(rows) * p, -1)
            products = (part @ part.T).reshape(within.shape)
            within += products * precisions[number].within[:, None, :, None]
            shared += products * precisions[number].shared[:, None, :, None]
        asked = -np.einsum('tpn,nt->tp', own, weighed.within[:, rows] * root[:, None])
        if weighed.is_expected[number]:
            # what all volumes of a shell share is left to b = 0
            for axis in (0, 2):
                within -= within.mean(axis=axis, keepdims=True)
            asked -= asked.mean(axis=0)
            _leave_scale(own, weighed, (number, rows), offsets, (shared, asked))
        asked -= np.einsum('tpn,nt->tp', own, weighed.shared[:, rows] * root[:, None])
        matrix[np.ix_(rows, np.arange(p), rows, np.arange(p))] = within + shared
        vector[rows] = asked
    return matrix, vector


def _leave_scale(
    own: Array, weighed: Weighed, group: tuple[int, Array], offsets: Array, equations: tuple[Array, Array]
) -> None:
    """Take from the equations of a shell what a scale, the same in all directions, would explain as well."""
    number, rows = group
    (shared, asked), root = equations, np.sqrt(weighed.weights)
    growth = np.einsum('an,na->n', weighed.slopes[rows].mean(axis=0), offsets) * root
    loads = np.zeros((len(growth), len(rows)))
    for members, precisions in zip(weighed.classes, weighed.precisions):
        loads[members] = precisions[number].shared.sum(axis=0)
    column = np.einsum('tpn,nt->tp', own, loads * growth[:, None])
    size = max(float(np.sum(loads.sum(axis=1) * growth**2)), 1e-12)
    asked += column * float(np.sum(weighed.shared[:, rows].sum(axis=1) * growth * root)) / size
    shared -= column[:, :, None, None] * column / size


def _solve(matrix: Array, vector: Array, active: Array) -> Array:
    """Return the step (T, P), 0 where a parameter is not active."""
    used = np.flatnonzero(active)
    system = matrix.reshape(vector.size, vector.size)[np.ix_(used, used)]
    system[np.diag_indices(len(used))] *= 1 + _STIFF
    step = np.zeros(vector.size)
    step[used] = linalg.solve(system, vector.ravel()[used], assume_a='pos')
    return step.reshape(vector.shape)


def _move(state: _State, step: Array) -> tuple[_State, float]:
    course, n_terms = state.course, step.shape[1] - N_RIGID - 1
    eddy = np.zeros((len(step), N_TERMS))
    eddy[:, :n_terms] = step[:, N_RIGID:-1]
    length = (
        np.linalg.norm(step[:, :3], axis=1)
        + _HEAD_RADIUS * np.linalg.norm(step[:, 3:N_RIGID], axis=1)
        + 0.5 * np.abs(eddy[:, 1:4]).sum(axis=1)
    )
    share = np.minimum(1, _LONGEST / np.maximum(length, 1e-9))
    matrices = np.array([
        rigid_matrix(share[k] * step[k, :N_RIGID], course.centre) @ matrix
        for k, matrix in enumerate(course.matrices)
    ])  # fmt: skip
    moved = course._replace(matrices=matrices, coefficients=course.coefficients + share[:, None] * eddy)
    return state._replace(course=moved, gains=state.gains + share * step[:, -1]), float(length.max())
