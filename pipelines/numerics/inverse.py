"""The inverse of a smooth map of points."""

from collections.abc import Callable

import numpy as np

_ROUNDS = 100


def invert_points(
    mapping: Callable[[np.ndarray], np.ndarray], points: np.ndarray, *, tolerance: float = 0.01
) -> np.ndarray:
    r"""Return the points that a map takes to given ones.

    Parameters
    ----------
    mapping
        Of points (N, 3) to points (N, 3), mm.
    points
        (N, 3) mm.
    tolerance
        Largest distance, in mm, between given points and the images of those returned.

    Raises
    ------
    ValueError
        The search does not end: the map folds, or is far from the identity.

    Notes
    -----
    :math:`y_{k+1} = y_k + x - f(y_k)` from :math:`y_0 = x`, which converges where the displacement
    :math:`f(y) - y` changes by less than the distance (Lipschitz constant below 1).

    References
    ----------
    .. [1] Chen M, Lu W, Chen Q, Ruchala KJ, Olivera GH. A simple fixed-point approach to invert a deformation field.
       Medical Physics 2008;35:81-88.

    Examples
    --------
    >>> invert_points(lambda x: 1.1 * x + 2, np.array([[13.0, 24.0, -9.0]])).round(1).tolist()
    [[10.0, 20.0, -10.0]]

    """
    wanted = np.asarray(points, float)
    found, open_ = wanted.copy(), np.arange(len(wanted))
    for _ in range(_ROUNDS):
        off = wanted[open_] - mapping(found[open_])
        far = np.linalg.norm(off, axis=1) > tolerance
        open_ = open_[far]
        if not len(open_):
            return found
        found[open_] += off[far]
    raise ValueError(f'{len(open_)} points have no inverse within {tolerance} mm after {_ROUNDS} rounds')
