"""What a bundle of streamlines says: its clean core, where it runs, and a map's values along it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from dipy.tracking.streamline import Streamlines, length, set_number_of_points
from numpy.typing import NDArray

from .resample import apply_linear, sample

Array = NDArray[Any]

N_NODES = 100
CLEAN_DISTANCE, CLEAN_LENGTH, CLEAN_ROUNDS = 5.0, 4.0, 5
"""Outliers lie further from the core, or are longer, than this many SD; at most this many rounds."""

_MIN_TO_CLEAN = 20
THRESHOLDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Visitation probabilities of the threshold curve."""


class Profile(NamedTuple):
    """Values along a bundle: ``mean`` and ``sd`` (100,)."""

    mean: Array
    sd: Array


def lengths_of(streamlines: Sequence[Array]) -> Array:
    """Return the length (N,) of streamlines (n_points, 3), mm."""
    return np.asarray(length(Streamlines(streamlines))) if len(streamlines) else np.empty(0)


def core_distances(streamlines: Sequence[Array]) -> Array:
    r"""Return how far every node of every streamline is from the core of the bundle.

    Parameters
    ----------
    streamlines
        N of (n_points, 3) RAS mm, all running the same way.

    Returns
    -------
    Array
        (N, 100) Mahalanobis distances.

    Notes
    -----
    :math:`d^2 = (x - m)^T C^{-1} (x - m)` with mean and covariance of the 100 equidistant nodes over
    streamlines [1]_.  The full covariance is used; DIPY's ``gaussian_weights`` inverts its upper
    triangle alone, which is no distance.

    References
    ----------
    .. [1] Yeatman JD, et al. Tract profiles of white matter properties: automating fiber-tract
       quantification. PLoS One 2012;7:e49790.

    """
    nodes = _nodes(streamlines)
    centred = nodes - nodes.mean(axis=0)
    covariance = np.einsum('nki,nkj->kij', centred, centred) / max(len(nodes) - 1, 1)
    # streamlines that agree exactly at a node are all at its core
    covariance += np.eye(3) * (1e-9 + 1e-6 * np.trace(covariance, axis1=1, axis2=2)[:, None, None])
    inverse = np.linalg.inv(covariance)
    return np.sqrt(np.einsum('nki,kij,nkj->nk', centred, inverse, centred))


def _nodes(streamlines: Sequence[Array]) -> Array:
    return np.asarray(set_number_of_points(Streamlines(streamlines), nb_points=N_NODES).get_data()).reshape(
        -1, N_NODES, 3
    )


def clean(streamlines: Sequence[Array]) -> list[Array]:
    """Remove streamlines that leave the core of their bundle or are too long for it.

    Parameters
    ----------
    streamlines
        N of (n_points, 3) RAS mm, all running the same way.

    Returns
    -------
    list
        Those kept.

    Notes
    -----
    A round removes what is further than 5 SD from the core at any node, or longer than the mean by 4
    SD; rounds end when nothing is removed, after five, or at 20 streamlines (Yeatman 2012).

    """
    kept = list(streamlines)
    for _ in range(CLEAN_ROUNDS):
        if len(kept) < _MIN_TO_CLEAN:
            break
        extent = lengths_of(kept)
        near = core_distances(kept).max(axis=1) < CLEAN_DISTANCE
        usual = extent - extent.mean() <= CLEAN_LENGTH * extent.std()
        if np.all(near & usual):
            break
        kept = [line for line, good in zip(kept, near & usual) if good]
    return kept


def visitation(streamlines: Sequence[Array], shape: tuple[int, ...], affine: Array) -> Array:
    """Return the share of streamlines that visit each voxel.

    Parameters
    ----------
    streamlines
        N of (n_points, 3) RAS mm.
    shape, affine
        Grid.

    Returns
    -------
    Array
        (X, Y, Z) float32 in [0, 1]; a streamline counts once per voxel.

    Examples
    --------
    >>> line = np.array([[0.0, 0, 0], [0.4, 0, 0], [1, 0, 0]])
    >>> visitation([line, line[:1]], (3, 1, 1), np.eye(4)).ravel()
    array([1. , 0.5, 0. ], dtype=float32)

    """
    counts = np.zeros(int(np.prod(shape[:3])))
    to_voxel = np.linalg.inv(affine)
    for line in streamlines:
        voxels = np.rint(apply_linear(to_voxel, line)).astype(int)
        voxels = voxels[np.all((voxels >= 0) & (voxels < shape[:3]), axis=1)]
        counts[np.unique(np.ravel_multi_index(tuple(voxels.T), shape[:3]))] += 1
    return (counts / max(len(streamlines), 1)).reshape(shape[:3]).astype(np.float32)


def weighted_mean(weights: Array, values: Array, where: Array) -> float:
    r"""Return the mean of a map weighted by visitation.

    Parameters
    ----------
    weights
        (X, Y, Z) visitation P, not negative.
    values
        (X, Y, Z) map.
    where
        (X, Y, Z) bool, voxels that count: white matter outside the regions.

    Returns
    -------
    float
        NaN when no weight is left.

    Notes
    -----
    :math:`\sum_v P(v) F(v) / \sum_v P(v)`.

    Examples
    --------
    >>> weighted_mean(np.array([1.0, 1, 5]), np.array([0.25, 0.75, 9]), np.array([True, True, False]))
    0.5

    """
    used = np.where(where, weights, 0).astype(float)
    total = used.sum()
    return float((used * values).sum() / total) if total > 0 else float('nan')


def streamline_mean(streamlines: Sequence[Array], values: Array, affine: Array, where: Array) -> float:
    """Return the mean over streamlines of a map's mean along each.

    Parameters
    ----------
    streamlines
        N of (n_points, 3) RAS mm.
    values
        (X, Y, Z) map, linear between voxels.
    affine
        Of the map.
    where
        (X, Y, Z) bool, voxels whose points count.

    Returns
    -------
    float
        NaN without any point.

    """
    if not len(streamlines):
        return float('nan')
    points = np.concatenate(streamlines)
    inside = sample(where.astype(np.float32), affine, points, 0) > 0.5
    found = np.where(inside, sample(values, affine, points), 0)
    owner = np.repeat(np.arange(len(streamlines)), [len(line) for line in streamlines])
    counts = np.bincount(owner, inside, len(streamlines))
    sums = np.bincount(owner, found, len(streamlines))
    return float(np.mean(sums[counts > 0] / counts[counts > 0])) if np.any(counts) else float('nan')


def profile(streamlines: Sequence[Array], values: Array, affine: Array) -> Profile:
    r"""Return the values of a map at 100 nodes along a bundle.

    Parameters
    ----------
    streamlines
        N of (n_points, 3) RAS mm, all running the same way.
    values
        (X, Y, Z) map, linear between voxels.
    affine
        Of the map.

    Returns
    -------
    Profile
        Mean and SD over streamlines, weighted by nearness to the core.

    Notes
    -----
    Weights :math:`w \propto 1 / d` with the distance of :func:`core_distances`, as AFQ does; those
    nearer than a tenth of an SD weigh alike, for a streamline that is the core would be alone.

    """
    weights = 1 / np.maximum(core_distances(streamlines), 0.1)
    weights /= weights.sum(axis=0)
    found = sample(values, affine, _nodes(streamlines).reshape(-1, 3)).reshape(-1, N_NODES)
    mean = (weights * found).sum(axis=0)
    return Profile(mean, np.sqrt((weights * (found - mean) ** 2).sum(axis=0)))


def threshold_curve(weights: Array, values: Array, where: Array) -> Array:
    """Return the plain mean of a map where the visitation reaches each of the thresholds.

    Parameters
    ----------
    weights, values, where
        As for :func:`weighted_mean`.

    Returns
    -------
    Array
        (8, 2) mean and number of voxels; NaN where none is left.

    """
    rows = []
    for threshold in THRESHOLDS:
        inside = where & (weights >= threshold)
        rows.append((values[inside].mean() if inside.any() else np.nan, inside.sum()))
    return np.array(rows, dtype=float)
