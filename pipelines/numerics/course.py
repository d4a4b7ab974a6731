"""Where the head lay in every volume of a diffusion scan, and how eddy currents displaced what is seen of it."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .resample import apply_linear

Array = NDArray[Any]

N_TERMS = 10
"""Terms of the field of eddy currents: 1, x, y, z, xx, yy, zz, xy, xz, yz."""

_UNIT_MM = 100.0
_INVERSIONS = 3


class VolumeCourse(NamedTuple):
    """Position of the head and displacement by eddy currents in each of T volumes.

    Attributes
    ----------
    matrices
        (T, 4, 4) points of the reference to points of each volume, RAS mm.
    coefficients
        (T, 10) mm of displacement per term, at 100 mm from the centre.
    direction
        (3,) unit vector of the phase-encoding axis, RAS; 0 where it is not known.
    centre
        (3,) mm, origin of the terms.

    """

    matrices: Array
    coefficients: Array
    direction: Array
    centre: Array

    def places(self, number: int, points: Array) -> tuple[Array, Array]:
        r"""Return where (N, 3) a volume shows points (N, 3) of the reference, and the factor (N,) of its signal.

        Notes
        -----
        What lies at :math:`y = M x` is seen at :math:`y + d(y) e`, and the signal that was piled up there is
        spread again by :math:`1 + \partial d / \partial e`.

        Examples
        --------
        A field that grows along y stretches along y:

        >>> stretched = np.zeros((1, 10)); stretched[0, 2] = 5
        >>> course = VolumeCourse(np.eye(4)[None], stretched, np.array([0, 1.0, 0]), np.zeros(3))
        >>> at, factor = course.places(0, np.array([[10.0, 50, 0]]))
        >>> at.tolist(), factor.tolist()
        ([[10.0, 52.5, 0.0]], [1.05])

        """
        at = apply_linear(self.matrices[number], points)
        values, slopes = eddy_basis(at - self.centre, self.direction)
        shift, slope = self.coefficients[number] @ values, self.coefficients[number] @ slopes
        return at + shift[:, None] * self.direction, 1 + slope

    def origins(self, number: int, seen: Array) -> tuple[Array, Array]:
        """Return what points (N, 3) of the reference lie where a volume shows ``seen`` (N, 3), and the factor (N,)."""
        at, own = np.array(seen, float), self.coefficients[number]
        for _ in range(_INVERSIONS):
            values, slopes = eddy_basis(at - self.centre, self.direction)
            at = seen - (own @ values)[:, None] * self.direction
        return apply_linear(np.linalg.inv(self.matrices[number]), at), 1 + own @ slopes


def eddy_basis(offsets: Array, direction: Array) -> tuple[Array, Array]:
    """Return the terms of the field, and their derivatives along the phase-encoding axis per mm.

    Parameters
    ----------
    offsets
        (N, 3) mm from the centre.
    direction
        (3,) unit vector of the axis.

    Returns
    -------
    tuple
        Two (10, N): values in units of 100 mm, derivatives per mm.

    """
    x, y, z = np.asarray(offsets, float).T / _UNIT_MM
    a, b, c = np.asarray(direction, float) / _UNIT_MM
    one, none = np.ones(len(x)), np.zeros(len(x))
    values = [one, x, y, z, x * x, y * y, z * z, x * y, x * z, y * z]
    slopes = [
        none, a * one, b * one, c * one, 2 * a * x, 2 * b * y, 2 * c * z, a * y + b * x, a * z + c * x, b * z + c * y,
    ]  # fmt: skip
    return np.stack(values), np.stack(slopes)


def start_course(n_volumes: int, affine: Array, axis: int | None, centre: Array) -> VolumeCourse:
    """Return the course of a head that lies still, without eddy currents; ``axis`` of the array, None if unknown."""
    column = np.asarray(affine, float)[:3, axis] if axis is not None else np.zeros(3)
    length = max(float(np.linalg.norm(column)), 1e-12)
    return VolumeCourse(
        np.tile(np.eye(4), (n_volumes, 1, 1)),
        np.zeros((n_volumes, N_TERMS)),
        column / length,
        np.asarray(centre),
    )
