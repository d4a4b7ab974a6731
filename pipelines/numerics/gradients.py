"""The table of diffusion gradients: checks, shells, directions, rotation."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

B0_LIMIT = 100.0
"""Volumes with a b-value up to this, s/mm^2, count as not diffusion-weighted."""

_SHELL_GAP = 150.0  # s/mm^2 between the b-values of two shells
_SAME_DEGREES = 0.5  # repeats of one direction
_ORDERS = ((45, 8), (28, 6), (15, 4))  # at least this many directions: this harmonic order
_MIN_TENSOR = 6


class Gradients(NamedTuple):
    """Diffusion weighting of every volume.

    Attributes
    ----------
    bvals
        (T,) b-values, s/mm^2; 0 for volumes that are not weighted.
    bvecs
        (T, 3) unit vectors in RAS, 0 where the b-value is 0.
    planned
        (T, 3) those before they were turned with the head: repeats of one direction are told by
        these.

    """

    bvals: Array
    bvecs: Array
    planned: Array

    def subset(self, rows: Array) -> 'Gradients':
        """Return the table of some volumes, (T,) bool."""
        return Gradients(self.bvals[rows], self.bvecs[rows], self.planned[rows])

    def directions(self, rows: Array) -> int:
        """Return how many different directions some volumes, (T,) bool, have."""
        return count_directions(self.planned[np.asarray(rows) & ~self.is_b0])

    @property
    def is_b0(self) -> Array:
        """Return which volumes (T,) are not diffusion-weighted."""
        return np.asarray(self.bvals) <= B0_LIMIT


def read_gradients(bvals: Array, bvecs: Array, affine: Array, n_volumes: int) -> Gradients:
    """Check a gradient table in FSL's convention and turn it into RAS.

    Parameters
    ----------
    bvals
        (T,) b-values, s/mm^2.
    bvecs
        (3, T) or (T, 3) directions along the axes of the image, x mirrored when the affine has a
        positive determinant.
    affine
        (4, 4) matrix from voxel to RAS mm of the image.
    n_volumes
        T.

    Returns
    -------
    Gradients
        b-values and unit vectors in RAS.

    Raises
    ------
    ValueError
        If the counts differ, the unit is not s/mm^2, all volumes are alike, a weighted volume has
        no direction, or fewer than 6 directions are left.  The message says which.

    Notes
    -----
    With :math:`R` the rotation of the affine (its polar factor) and :math:`F` = diag(-1, 1, 1) for
    a positive determinant, identity otherwise, :math:`g_{RAS} = R F g`.

    Examples
    --------
    On a grid along RAS the x axis is mirrored:

    >>> bvecs = np.vstack([np.zeros(3), np.eye(3), -np.eye(3)])
    >>> bvecs[4:] = [[0.8, 0.6, 0], [0, 0.8, 0.6], [0.6, 0, 0.8]]
    >>> table = read_gradients(np.array([0, 1e3, 1e3, 1e3, 1e3, 1e3, 1e3]), bvecs, np.eye(4), 7)
    >>> table.bvecs[1].tolist()
    [-1.0, 0.0, 0.0]

    """
    bvals = np.asarray(bvals, dtype=float).ravel()
    bvecs = np.atleast_2d(np.asarray(bvecs, dtype=float))
    if bvecs.shape[1:] != (3,) or (bvecs.shape == (3, 3) and len(bvals) != 3):
        bvecs = bvecs.T
    if bvecs.ndim != 2 or bvecs.shape[1] != 3 or not len(bvals) == len(bvecs) == n_volumes:
        raise ValueError(
            f'the image has {n_volumes} volumes, bval {len(bvals)} values and bvec {len(bvecs)} directions'
        )
    _check_unit(bvals)
    norms = np.linalg.norm(bvecs, axis=1)
    weighted = bvals > B0_LIMIT
    if not weighted.any():
        raise ValueError('all b-values are 0: no volume is diffusion-weighted')
    if not np.isfinite(bvecs[weighted]).all() or np.any(norms[weighted] < 0.1):
        bad = np.flatnonzero(weighted & ~(norms >= 0.1))
        raise ValueError(
            f'volume {bad[0]} has a b-value of {bvals[bad[0]]:g} s/mm^2 but no direction in bvec'
        )
    # the b-value refers to a unit vector; some scanners write shells as the length of the vector
    scale = norms**2 if np.any((norms[weighted] < 0.9) | (norms[weighted] > 1.1)) else np.ones(len(bvals))
    unit = np.where(weighted[:, None], bvecs / np.maximum(norms, 1e-6)[:, None], 0)
    turned = unit @ _to_ras(affine).T
    table = Gradients(np.where(weighted, bvals * scale, 0.0), turned, turned)
    count = table.directions(weighted)
    if count < _MIN_TENSOR:
        raise ValueError(f'only {count} different directions: a tensor needs {_MIN_TENSOR}')
    return table


def _check_unit(bvals: Array) -> None:
    if not np.isfinite(bvals).all() or bvals.min() < 0:
        raise ValueError('bval holds values that are negative or no numbers')
    if bvals.max() > 1e5:
        raise ValueError(
            f'the largest b-value is {bvals.max():g}: that is s/m^2, not s/mm^2. Divide bval by 1,000,000'
        )
    if 0 < bvals.max() < 30:
        raise ValueError(f'the largest b-value is {bvals.max():g}: that is not s/mm^2 (perhaps ms/um^2)')


def _to_ras(affine: Array) -> Array:
    """Return the (3, 3) matrix that takes FSL's vectors of an image to RAS."""
    matrix = np.asarray(affine, dtype=float)[:3, :3]
    left, _, right = np.linalg.svd(matrix)  # polar factor: the rotation without zooms and shears
    mirror = np.diag([-1.0, 1, 1]) if np.linalg.det(matrix) > 0 else np.eye(3)
    return np.asarray(left @ right @ mirror)


def rotate(bvecs: Array, matrices: Array) -> Array:
    """Turn directions with the head.

    Parameters
    ----------
    bvecs
        (T, 3) unit vectors in the frame of the scanner.
    matrices
        (T, 4, 4) or (4, 4) transforms from points of the reference to points of each volume.

    Returns
    -------
    Array
        (T, 3) the same directions seen from the reference.

    Notes
    -----
    A fibre that lies along :math:`f` in the reference lies along :math:`R f` in the volume, so the
    gradient :math:`g` acts on it as :math:`R^T g` does in the reference [1]_.

    References
    ----------
    .. [1] Leemans A, Jones DK. The B-matrix must be rotated when correcting for subject motion in
       DTI data. Magn Reson Med 2009;61:1336-49.

    Examples
    --------
    >>> quarter = np.array([[0, -1.0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    >>> rotate(np.array([[0, 1.0, 0]]), quarter).round(12).tolist()
    [[1.0, 0.0, 0.0]]

    """
    linear = np.broadcast_to(np.asarray(matrices, dtype=float), (len(bvecs), 4, 4))[:, :3, :3]
    left, _, right = np.linalg.svd(linear)
    return np.asarray(np.einsum('tji,tj->ti', left @ right, bvecs))


def find_shells(bvals: Array) -> list[tuple[float, Array]]:
    """Return ``(b-value, which volumes (T,))`` of every shell but b = 0, in rising order.

    Examples
    --------
    >>> [(b, int(rows.sum())) for b, rows in find_shells(np.array([0, 990, 1000, 1010, 2000]))]
    [(1000.0, 3), (2000.0, 1)]

    """
    bvals = np.asarray(bvals, dtype=float)
    values = np.sort(bvals[bvals > B0_LIMIT])
    groups = np.split(values, np.flatnonzero(np.diff(values) > _SHELL_GAP) + 1)
    return [
        (float(np.median(group)), (bvals >= group[0]) & (bvals <= group[-1]))
        for group in groups
        if len(group)
    ]


def count_directions(bvecs: Array) -> int:
    """Return how many directions differ by more than 0.5 degrees; opposite ones are the same.

    Examples
    --------
    >>> count_directions(np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0]]))
    2

    """
    kept: list[Array] = []
    for vector in np.asarray(bvecs, dtype=float):
        if all(abs(vector @ other) < np.cos(np.radians(_SAME_DEGREES)) for other in kept):
            kept.append(vector)
    return len(kept)


def harmonic_order(n_directions: int) -> int:
    """Return the order of spherical harmonics that a number of directions supports.

    Raises
    ------
    ValueError
        Fewer than 15 directions.

    Examples
    --------
    >>> [harmonic_order(n) for n in (15, 28, 32, 45, 64)]
    [4, 6, 6, 8, 8]

    """
    for least, order in _ORDERS:
        if n_directions >= least:
            return order
    raise ValueError(
        f'{n_directions} different directions: fibre orientations need 15 (28 for order 6, 45 for 8)'
    )


def best_convention(evec: Array, fa: Array, threshold: float = 0.3) -> tuple[str, float]:
    """Say under which flip of the axes the principal directions join into fibres best.

    Parameters
    ----------
    evec
        (X, Y, Z, 3) principal eigenvectors on a grid along RAS.
    fa
        (X, Y, Z) fractional anisotropy; voxels above ``threshold`` are looked at.
    threshold
        See ``fa``.

    Returns
    -------
    tuple
        ``none``, ``x``, ``y`` or ``z``, and the ratio of its coherence to that of ``none``.

    Notes
    -----
    Coherence is the mean of |e(x) . e(x + e(x))|, 0 where the neighbour along e is not anisotropic:
    with wrong signs, neighbours along a fibre lie beside it, or outside its bundle [1]_.

    References
    ----------
    .. [1] Schilling KG, et al. A fiber coherence index for quality control of B-table orientation in
       diffusion MRI scans. Magn Reson Imaging 2019;58:82-9.

    """
    strong = fa > threshold
    strong[[0, -1]] = strong[:, [0, -1]] = strong[:, :, [0, -1]] = False
    found = np.argwhere(strong)
    scores = {}
    for name, flip in (('none', (1, 1, 1)), ('x', (-1, 1, 1)), ('y', (1, -1, 1)), ('z', (1, 1, -1))):
        own = evec[strong] * np.array(flip)
        step = np.rint(own / np.maximum(np.abs(own).max(axis=1, keepdims=True), 1e-6)).astype(int)
        ahead = tuple((found + step).T)
        both = fa[ahead] > threshold
        agreement = np.abs(np.sum(own * evec[ahead] * np.array(flip), axis=1)) * both
        scores[name] = float(agreement.mean()) if len(agreement) else 0.0
    best = max(scores, key=lambda name: scores[name])
    return best, scores[best] / max(scores['none'], 1e-6)
