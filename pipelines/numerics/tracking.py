"""Probabilistic streamlines that join two regions."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from dipy.data import default_sphere
from dipy.tracking.stopping_criterion import ActStoppingCriterion
from dipy.tracking.tracker import probabilistic_tracking
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .fod import fod_amplitudes
from .resample import apply_linear, sample, voxel_sizes

Array = NDArray[Any]

_FIRST_BATCH, _BATCH = 2_000, 20_000  # seeds at a time: each batch is twice the one before
_PMF_THRESHOLD = 0.1  # of the largest amplitude of a voxel


class Domain(NamedTuple):
    """Where streamlines of one hemisphere run, on one grid whose axes are RAS.

    Attributes
    ----------
    start, goal
        (X, Y, Z) bool, the two regions.
    ends
        (X, Y, Z) in [0, 1]: above 0.5 a streamline ends (grey matter); 0 in the regions.
    barred
        (X, Y, Z) in [0, 1]: above 0.5 a streamline is rejected (fluid, the other hemisphere).

    """

    start: Array
    goal: Array
    ends: Array
    barred: Array


class Tracked(NamedTuple):
    """Streamlines from one region to the other.

    Attributes
    ----------
    streamlines
        (n_points, 3) RAS mm each, from the last point in the start to the first one in the goal.
    n_seeds
        Seeds that were spent.

    """

    streamlines: list[Array]
    n_seeds: int


def track(
    fod: Array,
    affine: Array,
    domain: Domain,
    *,
    n_streamlines: int,
    max_seeds: int,
    step_size: float = 0.5,
    max_angle: float = 30.0,
    max_length: float = 100.0,
    rng: np.random.Generator,
    n_threads: int = 1,
) -> Tracked:
    """Track from a region until enough streamlines reach the other one.

    Parameters
    ----------
    fod
        (X, Y, Z, C) coefficients in DIPY's legacy ``descoteaux07`` basis.
    affine
        (4, 4) matrix from voxel to RAS mm, axes along RAS.
    domain
        Regions and tissue on the same grid.
    n_streamlines
        Wanted number.
    max_seeds
        Budget.
    step_size, max_length
        mm.
    max_angle
        Between two steps, degrees.
    rng
        Places the seeds and chooses their first directions.
    n_threads
        Of DIPY; the result does not depend on it.

    Returns
    -------
    Tracked
        The first ``n_streamlines`` in the order of the seeds, or fewer when the budget ended.

    Raises
    ------
    ValueError
        If a region is empty or the axes of the grid are not those of the world.

    Notes
    -----
    Each seed is a random point in a random voxel of ``start`` with a first direction drawn from the
    distribution there; DIPY tracks to both sides of it.  A streamline counts when it reaches ``goal``
    without entering what is barred; only the piece between the two regions is kept, so that its tails
    add nothing to the tract.

    """
    if not domain.start.any() or not domain.goal.any():
        raise ValueError('a region has no voxel on the grid of the diffusion image')
    if not np.allclose(affine[:3, :3], np.diag(voxel_sizes(affine)), atol=1e-4):
        raise ValueError('tracking needs a grid along RAS')
    field = _field(fod, affine, domain)
    options: dict[str, Any] = {
        'sf': field.amplitudes, 'sphere': default_sphere, 'step_size': step_size, 'max_angle': max_angle,
        'max_len': max_length, 'min_len': step_size, 'pmf_threshold': _PMF_THRESHOLD, 'save_seeds': True,
        'return_all': False, 'nbr_threads': n_threads,
    }  # fmt: skip
    kept: list[Array] = []
    spent, batch = 0, _FIRST_BATCH
    while len(kept) < n_streamlines and spent < max_seeds:
        count, batch = min(batch, max_seeds - spent), min(2 * batch, _BATCH)
        seeds = _place(domain.start, affine, count, rng)
        first = draw_directions(sample(fod, affine, seeds), rng)
        tracts = _follow(field, seeds, first, options, rng)
        joined = join(tracts, affine, domain.start, domain.goal)[: n_streamlines - len(kept)]
        kept += [line for _, line in joined]
        spent += joined[-1][0] + 1 if len(kept) == n_streamlines else count
    return Tracked(kept, spent)


class _Field(NamedTuple):
    """What DIPY reads, on the box that holds orientations: their amplitudes (X, Y, Z, 362), and where tracks end."""

    amplitudes: Array
    affine: Array
    ends: Array
    barred: Array


def _field(fod: Array, affine: Array, domain: Domain) -> _Field:
    """Evaluate the orientations once on the sphere: at every step it would cost more than the step itself."""
    found = np.argwhere(np.any(fod, axis=-1))
    low, high = (found.min(axis=0), found.max(axis=0)) if len(found) else (np.zeros(3, int), np.zeros(3, int))
    # with a rim that is empty, so that no track meets the end of the box
    low, high = np.maximum(low - 1, 0), np.minimum(high + 2, fod.shape[:3])
    box = tuple(slice(a, b) for a, b in zip(low, high))
    origin = affine.copy()
    origin[:3, 3] = apply_linear(affine, low[None].astype(float))[0]
    inside = fod[box]
    amplitudes = np.clip(
        fod_amplitudes(inside.reshape(-1, inside.shape[-1]), default_sphere.vertices), 0, None
    )
    # DIPY takes no array that is read-only
    return _Field(
        np.array(amplitudes.reshape(*inside.shape[:3], -1), float, order='C'),
        origin,
        np.array(domain.ends[box], float, order='C'),
        np.array(domain.barred[box], float, order='C'),
    )


def _place(start: Array, affine: Array, count: int, rng: np.random.Generator) -> Array:
    """Return random points (count, 3) of a region in RAS mm."""
    voxels = np.argwhere(start)
    inside = voxels[rng.integers(len(voxels), size=count)] + rng.uniform(-0.5, 0.5, (count, 3))
    return apply_linear(affine, inside)


def _follow(
    field: _Field, seeds: Array, first: Array, options: dict[str, Any], rng: np.random.Generator
) -> list[tuple[int, Array]]:
    """Return the streamlines from seeds with a first direction, with the numbers of their seeds, in their order."""
    seed = int(rng.integers(1, 2**31 - 1))
    alive = np.flatnonzero(np.any(first != 0, axis=1))
    stop = ActStoppingCriterion(field.ends, field.barred)
    tracts = probabilistic_tracking(
        seeds[alive], stop, field.affine, seed_directions=first[alive], random_seed=seed, **options
    )
    return _in_order(tracts, seeds)


def draw_directions(fod: Array, rng: np.random.Generator) -> Array:
    """Return one unit vector (N, 3) per distribution (N, C), with its amplitude as probability; 0 if there is none."""
    vertices = default_sphere.vertices
    amplitudes = np.clip(fod_amplitudes(fod, vertices), 0, None)
    amplitudes[amplitudes < _PMF_THRESHOLD * amplitudes.max(axis=1, keepdims=True)] = 0
    total = np.cumsum(amplitudes, axis=1)
    chosen = (total < rng.uniform(size=(len(fod), 1)) * total[:, -1:]).sum(axis=1)
    return np.where(total[:, -1:] > 0, vertices[np.minimum(chosen, len(vertices) - 1)], 0)


def _in_order(tracts: Any, seeds: Array) -> list[tuple[int, Array]]:
    """Return streamlines with the number of their seed, in its order: threads return them in any."""
    found = [(np.asarray(line), seed) for line, seed in tracts]
    if not found:
        return []
    # the seeds come back rounded
    numbers = cKDTree(seeds).query([seed for _, seed in found])[1]
    order = np.argsort(numbers, kind='stable')
    return [(int(numbers[index]), found[index][0]) for index in order]


def join(
    streamlines: Sequence[tuple[int, Array]], affine: Array, start: Array, goal: Array
) -> list[tuple[int, Array]]:
    """Keep the streamlines that join two regions, and of these the piece between them.

    Parameters
    ----------
    streamlines
        Number and (n_points, 3) RAS mm of each.
    affine
        (4, 4) matrix from voxel to RAS mm.
    start, goal
        (X, Y, Z) bool.

    Returns
    -------
    list
        Number and points, from the last one in ``start`` to the first one in ``goal`` behind it.

    Examples
    --------
    >>> start, goal = np.zeros((2, 9, 1, 1), bool)
    >>> start[1:3], goal[6:8] = True, True
    >>> line = np.c_[np.arange(9.0), np.zeros((9, 2))]
    >>> join([(0, line), (1, line[:5])], np.eye(4), start, goal)[0][1][:, 0].tolist()
    [2.0, 3.0, 4.0, 5.0, 6.0]

    """
    if not streamlines:
        return []
    labels = start.astype(np.int8) + 2 * goal.astype(np.int8)
    points = np.concatenate([line for _, line in streamlines])
    voxels = np.rint(apply_linear(np.linalg.inv(affine), points)).astype(int)
    inside = np.all((voxels >= 0) & (voxels < labels.shape), axis=1)
    at = np.zeros(len(points), np.int8)
    at[inside] = labels[tuple(voxels[inside].T)]
    ends = np.cumsum([len(line) for _, line in streamlines])
    kept = []
    for (number, line), own in zip(streamlines, np.split(at, ends[:-1])):
        piece = _between(own)
        if piece is not None:
            kept.append((number, line[piece]))
    return kept


def _between(at: Array) -> Any:
    """Return the shortest slice that leads from a 1 (start) to a 2 (goal), or back."""
    marks = np.flatnonzero(at)
    changes = marks[:-1][at[marks[:-1]] != at[marks[1:]]] if len(marks) else marks
    if not len(changes):
        return None
    following = marks[np.searchsorted(marks, changes, side='right')]
    best = np.argmin(following - changes)
    first, last = int(changes[best]), int(following[best])
    if at[first] == 1:
        return slice(first, last + 1)
    return slice(last, first - 1 if first else None, -1)
