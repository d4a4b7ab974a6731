"""Permutation inference on maps of a group, with family-wise error from the largest t and TFCE."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, ParameterError
from .freedman_lane import fit_design, flipped_t, permuted_t
from .rearrange import Rearrangements, flips, permutations
from .tfce import tfce

Array = NDArray[Any]

_TIE = 1e-6  # relative; in single precision equal statistics differ by 1e-7
_LARGEST_BATCH = 256  # more make the matrix products no quicker


class PermutationResult(NamedTuple):
    """Maps (V,), null distributions and how they were made; NaN at voxels that cannot be tested."""

    t: Array
    p: Array
    """Two-sided, uncorrected."""
    p_max_t: Array
    """Two-sided, corrected for all voxels by the largest absolute t."""
    tfce: Array | None
    p_max_tfce: Array | None
    """Two-sided, corrected for all voxels by the largest absolute TFCE."""
    max_t: Array
    """Largest absolute t of each rearrangement; the first is of the data as they are."""
    max_tfce: Array | None
    dof: int
    n_permutations: int
    """Random permutations beside the first, or all distinct ones with it."""
    exact: bool


class _Settings(NamedTuple):
    neighbours: Array | None
    block: int
    max_bytes: int
    n_threads: int
    progress: Callable[[int, int], None] | None


Statistics = Callable[[slice, Array], tuple[Array, Array]]


def permute(
    outcome: Array,
    tested: Array,
    nuisance: Array,
    *,
    covariate: Array | None = None,
    neighbours: Array | None = None,
    n_permutations: int = 10_000,
    rng: np.random.Generator,
    block: int = 1024,
    max_bytes: int = 2**28,
    n_threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> PermutationResult:
    r"""Test one regressor at every voxel by permuting residuals of the model without it.

    Parameters
    ----------
    outcome
        (V, n) one row a voxel, floating; may be a memory map, of which ``block`` rows are read at a time.
    tested
        (n,) regressor of interest: arm, or a change of symptoms.
    nuisance
        (n, k) common to all voxels; without a constant column the model has no intercept.
    covariate
        (V, n) further nuisance with values of its own at each voxel, such as the map at baseline.
    neighbours
        (V, 26) from :func:`~pipelines.stats.tfce.neighbour_table`; None: no TFCE.
    n_permutations
        Random permutations, at least 1; where no more distinct ones exist, each of these is used once.
    rng
        Generator of the permutations.
    block
        Voxels at a time, at least 1.
    max_bytes
        Memory for the t maps of the permutations done together.
    n_threads
        Threads over the TFCE maps; no result depends on it.
    progress
        Called with the permutations done and their total after each batch.

    Returns
    -------
    PermutationResult
        t is computed in double precision and rounded to that of ``outcome``; it has the sign of the slope.

    Raises
    ------
    DataError
        Shapes differ, the regressor is a combination of the nuisance, no degree of freedom is left, or no
        voxel can be tested.
    ParameterError
        A number is below its least value.

    Notes
    -----
    Freedman and Lane [1]_ [2]_: with :math:`\epsilon` the residuals of the outcome after the nuisance Z
    (and the covariate), t is computed anew for :math:`P\epsilon` under the full model.  With x and the
    covariate's q made orthogonal to Z and of unit norm, columns of Q an orthonormal basis of Z,
    :math:`c = x'q` and :math:`g = q'P\epsilon`,

    .. math::

       b = \frac{x'P\epsilon - c\,g}{\sqrt{1 - c^2}}, \qquad
       t = b \sqrt{\frac{\nu}{\epsilon'\epsilon - |Q'P\epsilon|^2 - g^2 - b^2}}, \qquad
       \nu = n - \mathrm{rank}[x\ Z\ q],

    so that the common design costs matrix products for many permutations at once, and only g is a sum
    for each voxel and permutation.  p = (1 + #{null >= observed}) / (1 + permutations) [3]_, or the share
    of all arrangements.  Statistics that differ by rounding count as equal.

    A voxel cannot be tested where a value is not finite, the outcome or the covariate is constant or
    otherwise explained by the nuisance, or the covariate explains the regressor.  It is NaN in all maps
    and belongs to no cluster.

    References
    ----------
    .. [1] Freedman D, Lane D. A nonstochastic interpretation of reported significance levels. J Bus Econ
       Stat 1983;1:292-8.
    .. [2] Winkler AM, et al. Permutation inference for the general linear model. NeuroImage
       2014;92:381-97.
    .. [3] Phipson B, Smyth GK. Permutation p-values should never be zero. Stat Appl Genet Mol Biol
       2010;9:39.

    Examples
    --------
    Three against three can be arranged in twenty ways; the two most unlike are the least likely.

    >>> arm = np.array([0.0, 0, 0, 1, 1, 1])
    >>> found = permute(np.array([[1, 2, 3, 7, 8, 9.0]]), arm, np.ones((6, 1)), rng=np.random.default_rng(0))
    >>> found.n_permutations, found.exact, found.p.tolist()
    (20, True, [0.1])

    """
    model = fit_design(
        np.asarray(tested, float), np.asarray(nuisance, float), has_covariate=covariate is not None
    )
    _check_maps(outcome, len(model.tested))
    design = np.column_stack([tested, nuisance])
    if covariate is not None:
        _check_maps(covariate, len(model.tested), len(outcome))
        design = np.column_stack([design, np.arange(len(design))])  # no two people alike
    settings = _Settings(neighbours, block, max_bytes, n_threads, progress)
    _check_settings(settings, len(outcome), n_permutations)
    drawn = permutations(design, n_permutations, rng)
    return _infer(outcome, partial(permuted_t, outcome, covariate, model), drawn, model.dof, settings)


def flip_signs(
    outcome: Array,
    *,
    neighbours: Array | None = None,
    n_permutations: int = 10_000,
    rng: np.random.Generator,
    block: int = 1024,
    max_bytes: int = 2**28,
    n_threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> PermutationResult:
    """Test the mean at every voxel by flipping the signs of people.

    Parameters and results are those of :func:`permute`; the null hypothesis is a distribution that is
    symmetric about 0.  All :math:`2^n` flips are used where these are at most ``n_permutations``.

    Notes
    -----
    With y of unit norm and signs s: b = s'y / sqrt(n), t = b sqrt((n - 1) / (1 - b^2)).

    Examples
    --------
    >>> found = flip_signs(np.array([[1.0, 2, 3, 4]]), rng=np.random.default_rng(0))
    >>> found.n_permutations, found.p.tolist()
    (16, [0.125])

    """
    n = outcome.shape[-1]
    _check_maps(outcome, n)
    if n < 2:
        raise DataError('a mean needs at least 2 people to be tested, got 1')
    settings = _Settings(neighbours, block, max_bytes, n_threads, progress)
    _check_settings(settings, len(outcome), n_permutations)
    return _infer(outcome, partial(flipped_t, outcome), flips(n, n_permutations, rng), n - 1, settings)


def _check_maps(maps: Array, n: int, n_voxels: int | None = None) -> None:
    if maps.ndim != 2 or not maps.size or not np.issubdtype(maps.dtype, np.floating):
        raise DataError(f'maps must be floating, voxels by people, got {maps.dtype} of shape {maps.shape}')
    if maps.shape != (n_voxels or len(maps), n):
        raise DataError(
            f'maps of shape {maps.shape} where {n_voxels or len(maps)} voxels by {n} people belong'
        )


def _check_settings(settings: _Settings, n_voxels: int, n_permutations: int) -> None:
    least = {'n_permutations': n_permutations, 'block': settings.block, 'n_threads': settings.n_threads}
    for name, value in least.items():
        if value < 1:
            raise ParameterError(f'{name} {value} is below 1')
    if settings.neighbours is not None and len(settings.neighbours) != n_voxels:
        raise DataError(
            f'maps of {n_voxels} voxels with neighbours of {len(settings.neighbours)}; take both from one mask'
        )


def _infer(
    outcome: Array, statistics: Statistics, drawn: Rearrangements, dof: int, settings: _Settings
) -> PermutationResult:
    """Compare the first map with those of all rearrangements."""
    max_t, max_tfce = np.zeros((2, drawn.n_drawn))
    random, done = int(not drawn.exact), 0
    for maps, testable in _batches(outcome, statistics, drawn.drawn, settings):
        if done == 0:
            if not testable.any():
                raise DataError(
                    'no voxel can be tested: values not finite, constant, or explained by the nuisance'
                )
            t, enhanced = maps[0].astype(float), _enhance(maps[0], settings.neighbours)
            as_large, count = np.abs(t) * (1 - _TIE), np.zeros(len(t), int)
        for number, magnitude in enumerate(map(np.abs, maps), start=done):
            max_t[number] = magnitude.max()
            count += magnitude >= as_large
        max_tfce[done : done + len(maps)] = _largest_tfce(maps, settings)
        done += len(maps)
        if settings.progress is not None:
            settings.progress(done - random, drawn.n_drawn - random)
    has_tfce = settings.neighbours is not None

    def masked(values: Array) -> Array:
        return np.where(testable, values, np.nan)

    return PermutationResult(
        t=masked(t),
        p=masked(count / done),
        p_max_t=masked(_share_as_large(max_t, t)),
        tfce=masked(enhanced) if has_tfce else None,
        p_max_tfce=masked(_share_as_large(max_tfce, enhanced)) if has_tfce else None,
        max_t=max_t,
        max_tfce=max_tfce if has_tfce else None,
        dof=dof,
        n_permutations=done - random,
        exact=drawn.exact,
    )


def _batches(
    outcome: Array, statistics: Statistics, drawn: Iterator[Array], settings: _Settings
) -> Iterator[tuple[Array, Array]]:
    """Yield t maps (B, V) of some rearrangements, 0 where a voxel cannot be tested, and where it can (V,)."""
    n_voxels, testable = len(outcome), np.zeros(len(outcome), bool)
    size = int(np.clip(settings.max_bytes // outcome[:1, :1].nbytes // n_voxels, 1, _LARGEST_BATCH))
    buffer = np.empty((size, n_voxels), outcome.dtype)
    while batch := list(islice(drawn, size)):
        maps, rows = buffer[: len(batch)], np.array(batch)
        for start in range(0, n_voxels, settings.block):
            part = slice(start, start + settings.block)
            maps[:, part], testable[part] = statistics(part, rows)
        yield maps, testable


def _enhance(statistic: Array, neighbours: Array | None) -> Array:
    return np.zeros(len(statistic)) if neighbours is None else tfce(statistic, neighbours)


def _largest_tfce(maps: Array, settings: _Settings) -> list[float]:
    if settings.neighbours is None:
        return [0.0] * len(maps)
    with ThreadPoolExecutor(settings.n_threads) as pool:
        return list(pool.map(lambda one: np.abs(_enhance(one, settings.neighbours)).max(), maps))


def _share_as_large(null: Array, observed: Array) -> Array:
    """Return the share of ``null`` that is at least as large as each value of ``observed``, either sign."""
    smaller = np.searchsorted(np.sort(null), np.abs(observed) * (1 - _TIE))
    return (len(null) - smaller) / len(null)
