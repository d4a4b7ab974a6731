"""Segment a brain into grey matter, white matter and cerebrospinal fluid."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .outline import three_means

Array = NDArray[Any]
Mask = NDArray[np.bool_]

TISSUES = ('gm', 'wm', 'csf')
"""Order of the tissues; their labels count from 1."""

_FLOOR = 0.05  # probability that a prior never goes below: registration is not perfect
_FACES = np.array([[[0, 0, 0], [0, 1, 0], [0, 0, 0]], [[0, 1, 0], [1, 0, 1], [0, 1, 0]]], np.float32) / 6
_NEIGHBOURS = np.concatenate([_FACES, _FACES[:1]])


class Tissues(NamedTuple):
    """Tissues of a brain.

    Attributes
    ----------
    probabilities
        (3, i, j, k) float32 grey matter, white matter, fluid; their sum is 1 in the mask, 0 outside.
    means, deviations
        (3,) mean and standard deviation of the intensity of each tissue.

    """

    probabilities: Array
    means: Array
    deviations: Array


def segment_tissues(
    volume: Array,
    mask: Mask,
    priors: Array | None = None,
    *,
    smoothness: float = 1.5,
    n_iterations: int = 20,
) -> Tissues:
    r"""Find the probability of three tissues by a Gaussian mixture with priors in space.

    Parameters
    ----------
    volume
        (i, j, k) bias-corrected T1-weighted intensities.
    mask
        (i, j, k) brain.
    priors
        (3, i, j, k) probability of each tissue before the intensity is looked at; flat by default.
    smoothness
        Weight of the neighbours.
    n_iterations
        Number of updates.

    Returns
    -------
    Tissues
        Posterior probabilities and the Gaussians.

    Raises
    ------
    ValueError
        If the mask is empty or holds fewer than three intensities.

    Notes
    -----
    Expectation maximisation [1]_ with a hidden Markov random field in the mean-field approximation
    [2]_: :math:`p_k(x) \propto \pi_k(x)\, N(v(x); \mu_k, \sigma_k)\, e^{\beta \bar p_k(x)}` with
    :math:`\bar p_k` the mean of :math:`p_k` over the six neighbours and
    :math:`\pi_k \propto 0.05 + \mathrm{prior}_k`.  Darker than the mean of fluid is fluid, brighter
    than the mean of white matter white matter.  The priors keep deep nuclei, whose
    intensity lies between cortex and white matter, in the grey matter.

    References
    ----------
    .. [1] Ashburner J, Friston KJ. Unified segmentation. Neuroimage 2005;26:839-51.
    .. [2] Zhang Y, Brady M, Smith S. Segmentation of brain MR images through a hidden Markov random
       field model and the expectation-maximization algorithm. IEEE Trans Med Imaging 2001;20:45-57.

    Examples
    --------
    >>> volume = np.repeat([30.0, 60, 90], 16).reshape(3, 4, 4)
    >>> found = segment_tissues(volume, np.ones((3, 4, 4), bool))
    >>> (1 + found.probabilities.argmax(axis=0))[:, 0, 0]
    array([3, 1, 2])

    """
    values = np.asarray(volume, np.float32)[mask]
    if len(np.unique(values)) < 3:
        raise ValueError('the brain mask holds fewer than three intensities')
    dark, grey, white = three_means(values)
    means, deviations = np.array([grey, white, dark]), np.full(3, (white - dark) / 6)
    flat = np.full((3, values.size), 1 / 3, np.float32) if priors is None else priors[:, mask]
    prior = np.log((_FLOOR + flat) / (_FLOOR + flat).sum(axis=0))
    spread = np.zeros((3, *mask.shape), np.float32)
    posterior = _posterior(values, means, deviations, prior)
    for _ in range(n_iterations):
        means, deviations = _gaussians(values, posterior)
        spread[:, mask] = posterior
        near = np.stack([ndimage.convolve(p, _NEIGHBOURS, mode='nearest')[mask] for p in spread])
        posterior = _posterior(values, means, deviations, prior + np.float32(smoothness) * near)
    spread[:, mask] = posterior
    return Tissues(spread, means, deviations)


def _gaussians(values: Array, posterior: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation of each tissue, none narrower than a hundredth of their range."""
    weight = posterior.sum(axis=1, dtype=float) + 1e-9
    means = (posterior * values).sum(axis=1, dtype=float) / weight
    variance = [(p * np.square(values - m)).sum(dtype=float) for p, m in zip(posterior, means)] / weight
    return means, np.maximum(np.sqrt(variance), 0.01 * np.ptp(means))


def _posterior(values: Array, means: Array, deviations: Array, prior: Array) -> Array:
    """Return (3, n) probabilities from intensities, Gaussians and log prior."""
    white, fluid = means[1:]
    bounded = np.stack([values, np.minimum(values, white), np.maximum(values, fluid)])
    z = (bounded - means[:, None].astype(np.float32)) / deviations[:, None].astype(np.float32)
    log = prior - 0.5 * np.square(z) - np.log(deviations)[:, None].astype(np.float32)
    log -= log.max(axis=0)
    probability = np.exp(log)
    return probability / probability.sum(axis=0)
