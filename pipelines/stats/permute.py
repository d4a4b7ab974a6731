"""Permutation inference on maps of a group, corrected for all voxels by the largest statistic and the largest TFCE."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .freedman_lane import flipped_t, rearranged_statistic
from .linear_design import fit_design
from .question import Effort, Question
from .rearrange import Blocks, Rearrangements, flips, permutations
from .residuals import Exchanged, Flipped, Rearranged
from .tail import Tail, corrected_p
from .tfce import tfce

Array = NDArray[Any]

_TIE = 1e-6  # relative; in single precision equal statistics differ by 1e-7
_LARGEST_BATCH = 256  # more make the matrix products no quicker


class PermutationResult(NamedTuple):
    """Maps (V,), null distributions and how they were made; NaN at voxels that cannot be tested."""

    statistic: Array
    """t, with the sign of the slope, or F."""
    p: Array
    """Two-sided, uncorrected, counted."""
    p_max: Array
    """Two-sided, corrected for all voxels by the largest absolute statistic."""
    tfce: Array | None
    p_max_tfce: Array | None
    """Two-sided, corrected for all voxels by the largest absolute TFCE."""
    largest: Array
    """Largest absolute statistic of each rearrangement; the first is of the data as they are."""
    largest_tfce: Array | None
    tail: Tail | None
    """Of the largest statistics; None: all p values are counted."""
    tail_tfce: Tail | None
    dof: int
    """Residual degrees of freedom of all people together."""
    n_permutations: int
    """Random permutations beside the first, or all distinct ones with it."""
    exact: bool


class _Test(NamedTuple):
    """The statistics of a part of the voxels for some rearrangements, these, and what is asked of them."""

    statistics: Callable[[slice, Array], tuple[Array, Array]]
    drawn: Rearrangements
    dof: int
    neighbours: Array | None
    effort: Effort


def permute(
    outcome: Array,
    question: Question,
    *,
    covariate: Array | None = None,
    neighbours: Array | None = None,
    rng: np.random.Generator,
    effort: Effort = Effort(),  # noqa: B008 (frozen)
) -> PermutationResult:
    r"""Test regressors at every voxel by rearranging residuals of the model without them.

    Parameters
    ----------
    outcome
        (V, n) one row a voxel, floating; may be a memory map, of which a block of rows is read at a time.
    question
        Design, variances and blocks.
    covariate
        (V, n) further nuisance with values of its own at each voxel, such as the map at baseline.
    neighbours
        (V, 26) from :func:`~pipelines.stats.tfce.neighbour_table`; None: no TFCE.
    rng
        Generator of the rearrangements.
    effort
        Number of permutations, and memory.

    Returns
    -------
    PermutationResult
        Statistics are computed in double precision and rounded to that of ``outcome``.

    Raises
    ------
    DataError
        Shapes differ, a regressor is a combination of the nuisance, no degree of freedom is left, or no
        voxel can be tested.

    Notes
    -----
    Freedman and Lane [1]_ [2]_: with :math:`\epsilon` the residuals of the outcome after the nuisance Z
    (and the covariate q), the full model is fitted to :math:`P\epsilon`, where P exchanges people or, where groups
    have variances of their own, gives each person's residual a sign.  With x the regressors made orthogonal to Z
    and q, r the residuals, :math:`R_{ii}` the diagonal of what makes them, and a variance for each group g,

    .. math::

       u = x'P\epsilon, \qquad s_g^2 = \frac{\sum_{i \in g} r_i^2}{\sum_{i \in g} R_{ii}}, \qquad
       V = \sum_g s_g^2 \sum_{i \in g} x_i x_i'

    one regressor has :math:`t = u / \sqrt V`, several have
    :math:`F = u' V^{-1} u / (s \Lambda)` with Welch's
    :math:`\Lambda = 1 + \frac{2 (s - 1)}{s (s + 2)} \sum_g (1 - w_g / \sum w)^2 / \sum_{i \in g} R_{ii}`,
    :math:`w_g = n_g / s_g^2`.  Of group means these are the v of Aspin and Welch and the G of Winkler; with further
    nuisance V is the variance of the least-squares slopes, where G has that of weighted ones.  One group
    makes them the usual t and F.  Sums over i are matrix products with the design within groups, for many
    rearrangements at once; those of q with exchanged residuals are made for each voxel and permutation.

    People whose variances differ are not exchangeable.  Residuals that come to another group, even rescaled to its
    standard deviation, are drawn from one set without replacement: the means of two groups are then bound to
    each other, where they are independent in truth, and u varies less than V says (0.90 of it for 19 people against 38 with 2.3
    times the standard deviation), so that too much is found.  With signs each residual keeps its own
    variance [2]_; what is assumed is that errors are symmetric about 0.

    p of a voxel alone is the share of rearrangements with a statistic at least as large, the observed one among them
    [3]_; corrected ones are those of :func:`~pipelines.stats.tail.corrected_p`.  Statistics that differ by
    rounding count as equal.

    A voxel cannot be tested where a value is not finite, the outcome or the covariate is constant or
    otherwise explained by the nuisance, or the covariate explains a regressor or a group.  It is NaN in all maps
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
    Of one variance, three against three can be arranged in twenty ways; the two most unlike are the least likely.

    >>> arms = Question(tested=np.array([0.0, 0, 0, 1, 1, 1]), nuisance=np.ones((6, 1)))
    >>> found = permute(np.array([[1, 2, 3, 7, 8, 9.0]]), arms, rng=np.random.default_rng(0))
    >>> found.n_permutations, found.exact, found.p.tolist()
    (20, True, [0.1])

    """
    tested, nuisance = np.asarray(question.tested, float), np.asarray(question.nuisance, float)
    model = fit_design(tested, nuisance, question.groups, has_covariate=covariate is not None)
    _check_maps(outcome, len(tested))
    n, kind = len(tested), Exchanged if question.groups is None else Flipped
    if covariate is not None:
        _check_maps(covariate, n, len(outcome))
    if question.groups is not None:
        drawn = flips(n, effort.n_permutations, rng, question.blocks)
    else:
        own = np.arange(n) if covariate is not None else np.zeros(n)  # no two people alike
        alike = np.column_stack([tested, nuisance, own])
        drawn = permutations(alike, effort.n_permutations, rng, question.blocks)

    def statistics(part: slice, rows: Array) -> tuple[Array, Array]:
        rearranged: Rearranged = kind(rows)
        return rearranged_statistic(outcome, covariate, model, part, rearranged)

    return _infer(outcome, _Test(statistics, drawn, model.dof, neighbours, effort))


def flip_signs(
    outcome: Array,
    *,
    blocks: Blocks | None = None,
    neighbours: Array | None = None,
    rng: np.random.Generator,
    effort: Effort = Effort(),  # noqa: B008 (frozen)
) -> PermutationResult:
    """Test the mean at every voxel by flipping the signs of people, or of blocks that are wholes.

    Parameters and results are those of :func:`permute`; the null hypothesis is a distribution that is
    symmetric about 0.  All :math:`2^n` flips are used where these are at most the permutations asked for.

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
    drawn = flips(n, effort.n_permutations, rng, blocks)
    return _infer(outcome, _Test(partial(flipped_t, outcome), drawn, n - 1, neighbours, effort))


def _check_maps(maps: Array, n: int, n_voxels: int | None = None) -> None:
    if maps.ndim != 2 or not maps.size or not np.issubdtype(maps.dtype, np.floating):
        raise DataError(f'maps must be floating, voxels by people, got {maps.dtype} of shape {maps.shape}')
    if maps.shape != (n_voxels or len(maps), n):
        raise DataError(
            f'maps of shape {maps.shape} where {n_voxels or len(maps)} voxels by {n} people belong'
        )


class _Null(NamedTuple):
    """Maps of the data as they are (V,), where they can be tested, and largest values of all rearrangements."""

    observed: Array
    enhanced: Array
    testable: Array
    n_as_large: Array
    largest: Array
    largest_tfce: Array


def _infer(outcome: Array, test: _Test) -> PermutationResult:
    """Compare the first map with those of all rearrangements."""
    if test.neighbours is not None and len(test.neighbours) != len(outcome):
        raise DataError(
            f'maps of {len(outcome)} voxels with neighbours of {len(test.neighbours)}; take both from one mask'
        )
    null, has_tfce = _rearranged(outcome, test), test.neighbours is not None
    observed, enhanced = (np.where(null.testable, m, np.nan) for m in (null.observed, null.enhanced))
    counts_only = test.drawn.exact or test.effort.exact_tail
    p_max = corrected_p(null.largest, observed, counts_only=counts_only)
    p_tfce = corrected_p(null.largest_tfce, enhanced, counts_only=counts_only) if has_tfce else None
    return PermutationResult(
        statistic=observed,
        p=np.where(null.testable, null.n_as_large / test.drawn.n_drawn, np.nan),
        p_max=p_max.p,
        tfce=enhanced if has_tfce else None,
        p_max_tfce=p_tfce.p if p_tfce else None,
        largest=null.largest,
        largest_tfce=null.largest_tfce if has_tfce else None,
        tail=p_max.tail,
        tail_tfce=p_tfce.tail if p_tfce else None,
        dof=test.dof,
        n_permutations=test.drawn.n_drawn - int(not test.drawn.exact),
        exact=test.drawn.exact,
    )


def _rearranged(outcome: Array, test: _Test) -> _Null:
    """Go through all rearrangements, the data as they are first."""
    largest, largest_tfce = np.zeros((2, test.drawn.n_drawn))
    random, done, progress = int(not test.drawn.exact), 0, test.effort.progress
    for maps, testable in _batches(outcome, test):
        if done == 0:
            if not testable.any():
                raise DataError(
                    'no voxel can be tested: values not finite, constant, or explained by the nuisance'
                )
            observed, enhanced = maps[0].astype(float), _enhance(maps[0], test.neighbours)
            as_large, count = np.abs(observed) * (1 - _TIE), np.zeros(len(observed), int)
        for number, magnitude in enumerate(map(np.abs, maps), start=done):
            largest[number] = magnitude.max()
            count += magnitude >= as_large
        largest_tfce[done : done + len(maps)] = _largest_tfce(maps, test)
        done += len(maps)
        if progress is not None:
            progress(done - random, test.drawn.n_drawn - random)
    return _Null(observed, enhanced, testable, count, largest, largest_tfce)


def _batches(outcome: Array, test: _Test) -> Iterator[tuple[Array, Array]]:
    """Yield maps (B, V) of some rearrangements, 0 where a voxel cannot be tested, and where it can (V,)."""
    n_voxels, testable = len(outcome), np.zeros(len(outcome), bool)
    at_once = test.effort.max_bytes // outcome[:1, :1].nbytes // n_voxels
    size = int(np.clip(at_once, 1, min(_LARGEST_BATCH, test.drawn.n_drawn)))
    buffer = np.empty((size, n_voxels), outcome.dtype)
    while batch := list(islice(test.drawn.drawn, size)):
        maps, rows = buffer[: len(batch)], np.array(batch)
        for start in range(0, n_voxels, test.effort.block):
            part = slice(start, start + test.effort.block)
            maps[:, part], testable[part] = test.statistics(part, rows)
        yield maps, testable


def _enhance(statistic: Array, neighbours: Array | None) -> Array:
    return np.zeros(len(statistic)) if neighbours is None else tfce(statistic, neighbours)


def _largest_tfce(maps: Array, test: _Test) -> list[float]:
    if test.neighbours is None:
        return [0.0] * len(maps)
    with ThreadPoolExecutor(test.effort.n_threads) as pool:
        return list(pool.map(lambda one: np.abs(_enhance(one, test.neighbours)).max(), maps))
