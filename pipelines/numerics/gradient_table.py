"""Which volumes of a series a gradient table says something of: what scanners add to a series shows no direction."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import FewDirectionsError
from .gradients import B0_LIMIT, Gradients, count_directions, read_gradients

Array = NDArray[Any]

_MIN_TENSOR = 6
_MIN_LENGTH = 0.1  # of a vector that says a direction
_LEAST_UNIT = 30.0  # s/mm^2; directions with lower b-values are written in another unit


class Scheme(NamedTuple):
    """How a series was weighted.

    Attributes
    ----------
    table
        Of the volumes that are used, in RAS.
    used
        (T,) bool, which of the volumes of the image these are.

    """

    table: Gradients
    used: Array


def read_scheme(bvals: Array, bvecs: Array, affine: Array, n_volumes: int) -> Scheme:
    """Return the table of the volumes of a series that show diffusion along a direction, or none at all.

    Parameters
    ----------
    bvals, bvecs, affine, n_volumes
        As those of :func:`~pipelines.numerics.gradients.read_gradients`.

    Returns
    -------
    Scheme
        A weighted volume whose vector is 0 or no number (a trace or ADC image) is not used.

    Raises
    ------
    FewDirectionsError
        If fewer than 6 directions are left, or no volume is weighted.
    ValueError
        If the table is damaged, or volumes have no direction where none has b = 0.  The message says
        which.

    Notes
    -----
    Where no volume has b = 0, those without direction may be the unweighted ones of a table that
    writes the weighting as the length of the vector: they are refused, not left out.

    Examples
    --------
    A trace image behind seven volumes:

    >>> bvecs = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.8, 0.6, 0], [0, 0.8, 0.6], [0.6, 0, 0.8]])
    >>> scheme = read_scheme([0, *6 * [1000], 1000], np.vstack([bvecs, np.zeros(3)]), np.eye(4), 8)
    >>> scheme.used.tolist()
    [True, True, True, True, True, True, True, False]

    """
    values = np.asarray(bvals, dtype=float).ravel()
    vectors = np.atleast_2d(np.asarray(bvecs, dtype=float))
    if vectors.shape == (3, n_volumes):
        vectors = vectors.T
    if vectors.shape != (n_volumes, 3) or len(values) != n_volumes or not np.isfinite(values).all():
        # the strict reader says what is wrong
        return Scheme(read_gradients(values, vectors, affine, n_volumes), np.ones(n_volumes, bool))
    with np.errstate(over='ignore', invalid='ignore'):
        norms = np.linalg.norm(vectors, axis=1)
    has_direction = np.isfinite(norms) & (norms >= _MIN_LENGTH)
    weighted = values > B0_LIMIT
    used = ~weighted | has_direction
    _check_directions(values, vectors[has_direction] / norms[has_direction, None], weighted[has_direction])
    if weighted.all() and not used.all():
        bad = int(np.flatnonzero(~used)[0])
        raise ValueError(
            f'no volume has b = 0, and volume {bad} has a b-value of {values[bad]:g} s/mm^2 but no direction in '
            'bvec. If it is not weighted, write 0 for its b-value'
        )
    known = np.where(has_direction[:, None], vectors, 0)[used]
    return Scheme(read_gradients(values[used], known, affine, int(used.sum())), used)


def _check_directions(bvals: Array, directions: Array, weighted: Array) -> None:
    """Tell images that show no or few directions (N, 3), ``weighted`` (N,), from another unit of b-values."""
    count = count_directions(directions)
    is_other_unit = bvals.max() < _LEAST_UNIT and count >= _MIN_TENSOR
    if bvals.min() < 0 or (bvals.any() and is_other_unit):
        return  # the strict reader says so
    if bvals.max() <= B0_LIMIT:
        largest = f'the largest b-value is {bvals.max():g}' if bvals.any() else 'all b-values are 0'
        raise FewDirectionsError(f'{largest}: no volume is diffusion-weighted')
    count = count_directions(directions[weighted])
    if count < _MIN_TENSOR:
        raise FewDirectionsError(f'only {count} different directions: a tensor needs {_MIN_TENSOR}')
