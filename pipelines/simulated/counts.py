"""RNA-seq counts of a trial with two blood samples per person and a planted effect of exercise."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

N_BATCHES = 3
PATHWAY_SIZE = 40
ASYMPTOTIC_DISPERSION, EXTRA_POISSON = 0.04, 2.0
"""Dispersion of a gene of mean m is about ``ASYMPTOTIC_DISPERSION + EXTRA_POISSON / m``."""

NEUTROPHILS = 0.58
"""Mean share of neutrophils among leukocytes."""

_LOG_MEAN, _LOG_MEAN_SD = 4.8, 1.7  # natural logarithm of a gene's mean count
_DISPERSION_SD = 0.4  # of a gene about the trend, logarithm
_LIBRARY_SD, _PERSON_SD, _TIME_SD, _BATCH_SD = 0.25, 0.35, 0.04, 0.15
_CELLS_PERSON_SD, _CELLS_SAMPLE_SD, _CELLS_SHIFT = 0.06, 0.05, 0.03
_LOADED_SHARE, _LOADING_SD = 0.4, 1.5  # genes whose level follows the cells, and how steeply
_SMALLEST, _LARGEST = 0.4, 1.2  # planted effects, log2
_PATHWAY_EFFECT = 0.4


class SimulatedCounts(NamedTuple):
    """Counts and the truth behind them.

    Attributes
    ----------
    counts
        (n_genes, 2 n_people) reads; samples 2 i and 2 i + 1 are the first and second of person i.
    participant, followup, treated
        (2 n_people,) number of the person; 1 for the second sample; 1 in the arm that exercises.
    batch
        (2 n_people,) sequencing batch, 0 to 2, drawn for each sample.
    neutrophils
        (2 n_people,) share of leukocytes, 0 to 1; it rises with exercise.
    effect
        (n_genes,) planted difference in change between arms, log2; 0 for most.
    pathways
        (n_pathways, 40) genes of disjoint sets; those of the first rise together.

    """

    counts: Array
    participant: Array
    followup: Array
    treated: Array
    batch: Array
    neutrophils: Array
    effect: Array
    pathways: Array


def simulate_counts(
    rng: np.random.Generator,
    *,
    n_people: int = 57,
    n_treated: int = 29,
    n_genes: int = 12_000,
    n_changed: int = 300,
    n_pathways: int = 50,
    shifts: Array | None = None,
) -> SimulatedCounts:
    r"""Draw counts of a trial.

    Parameters
    ----------
    rng
        Source of randomness.
    n_people, n_treated
        Randomised, and how many of them exercise.
    n_genes
        Expressed genes; ``n_pathways`` times 40 must fit into it.
    n_changed
        Genes outside the pathways that exercise changes, by 0.4 to 1.2 on the log2 scale, up or down.
    n_pathways
        Sets of genes; the first rises by 0.4.
    shifts
        (n_people, 2) log2 levels of the first pathway in the samples, in place of its rise.

    Raises
    ------
    ValueError
        If pathways and changed genes do not fit into ``n_genes``, or shifts are not two per person.

    Notes
    -----
    Counts are negative binomial with :math:`\log \mu_{gs} = a_g + u_{gi} + \ell_s + t_s (\tau_g +
    x_i \delta_g \log 2) + b_{g,batch} + c_g (q_s - 0.58)`: u the person, l the library, t the second
    sample, x the treated arm, q the neutrophils, which exercise raises by 0.03, so that a gene of
    neutrophils seems to respond to exercise until they are accounted for.  Dispersions are lognormal
    about their trend over the mean.  ``shifts`` h take the place of :math:`t_s x_i \delta_g` in genes of the
    first pathway; their ``effect`` is then the difference between arms in the mean change of h.

    Examples
    --------
    >>> drawn = simulate_counts(np.random.default_rng(1), n_people=4, n_treated=2, n_genes=90,
    ...                         n_changed=5, n_pathways=2)
    >>> drawn.counts.shape, int(np.count_nonzero(drawn.effect)), drawn.treated.tolist()
    ((90, 8), 45, [1, 1, 1, 1, 0, 0, 0, 0])

    """
    in_pathways = n_pathways * PATHWAY_SIZE
    if in_pathways + n_changed > n_genes:
        raise ValueError(
            f'{n_pathways} pathways of {PATHWAY_SIZE} and {n_changed} changed genes exceed {n_genes} genes'
        )
    participant = np.repeat(np.arange(n_people), 2)
    followup = np.tile([0, 1], n_people)
    treated = (participant < n_treated).astype(int)
    batch = rng.integers(N_BATCHES, size=2 * n_people)
    cells = NEUTROPHILS + _CELLS_PERSON_SD * rng.standard_normal(n_people)[participant]
    cells += _CELLS_SAMPLE_SD * rng.standard_normal(2 * n_people) + _CELLS_SHIFT * followup * treated
    cells = np.clip(cells, 0.2, 0.95)
    effect, pathways = _plant(rng, n_genes, n_changed, n_pathways)
    effect, response = _respond(effect, pathways[0], treated, shifts)

    log_mean = (_LOG_MEAN + _LOG_MEAN_SD * rng.standard_normal(n_genes))[:, None]
    dispersion = ASYMPTOTIC_DISPERSION + EXTRA_POISSON * np.exp(-log_mean)
    dispersion = dispersion * np.exp(_DISPERSION_SD * rng.standard_normal((n_genes, 1)))
    loading = _LOADING_SD * rng.standard_normal(n_genes) * (rng.random(n_genes) < _LOADED_SHARE)
    log_mu = (
        log_mean
        + _PERSON_SD * rng.standard_normal((n_genes, n_people))[:, participant]
        + _LIBRARY_SD * rng.standard_normal(2 * n_people)
        + np.outer(_TIME_SD * rng.standard_normal(n_genes), followup)
        + response
        + _BATCH_SD * rng.standard_normal((n_genes, N_BATCHES))[:, batch]
        + np.outer(loading, cells - NEUTROPHILS)
    )
    counts = rng.poisson(np.exp(log_mu) * rng.gamma(1 / dispersion, dispersion, log_mu.shape))
    return SimulatedCounts(counts, participant, followup, treated, batch, cells, effect, pathways)


def _plant(rng: np.random.Generator, n_genes: int, n_changed: int, n_pathways: int) -> tuple[Array, Array]:
    """Return the effect of every gene (n_genes,) and the genes of the pathways (n_pathways, 40)."""
    order = rng.permutation(n_genes)
    pathways, others = np.split(order, [n_pathways * PATHWAY_SIZE])
    pathways = pathways.reshape(n_pathways, PATHWAY_SIZE)
    effect = np.zeros(n_genes)
    sign = rng.choice([-1, 1], n_changed)
    effect[others[:n_changed]] = sign * rng.uniform(_SMALLEST, _LARGEST, n_changed)
    effect[pathways[:1]] = _PATHWAY_EFFECT
    return effect, pathways


def _respond(effect: Array, pathway: Array, treated: Array, shifts: Array | None) -> tuple[Array, Array]:
    """Return the effect of every gene and its response in every sample, natural logarithm."""
    followup = np.tile([0, 1], len(treated) // 2)
    if shifts is None:
        return effect, np.outer(np.log(2) * effect, followup * treated)
    if shifts.shape != (len(treated) // 2, 2):
        raise ValueError(f'shifts of shape {shifts.shape} for {len(treated) // 2} people, two samples each')
    change, is_treated = np.diff(shifts, axis=1)[:, 0], treated[::2] == 1
    effect = effect.copy()
    effect[pathway] = change[is_treated].mean() - change[~is_treated].mean()
    response = np.outer(np.log(2) * effect, followup * treated)
    response[pathway] = np.log(2) * shifts.ravel()
    return effect, response
