"""Segment a brain into grey matter, white matter and cerebrospinal fluid."""

from typing import Any

import numpy as np
from dipy.segment.mrf import ConstantObservationModel, IteratedConditionalModes
from numpy.typing import NDArray

Array = NDArray[Any]
Mask = NDArray[np.bool_]

TISSUES = ('gm', 'wm', 'csf')
"""Order of the tissues; their labels count from 1."""

_FLOOR = 0.02  # probability that a prior never goes below: registration is not perfect
_PRIOR_WEIGHT = 0.5
_SMOOTHNESS = 0.1  # of the Markov random field, per neighbour that differs
_ITERATIONS = 8


def segment_tissues(volume: Array, mask: Mask, priors: Array) -> Array:
    r"""Return the probability of three tissues.

    Parameters
    ----------
    volume
        (i, j, k) bias-corrected T1-weighted intensities.
    mask
        (i, j, k) brain.
    priors
        (3, i, j, k) probability of each tissue before the intensity is looked at, in the order of
        :data:`TISSUES`.

    Returns
    -------
    Array
        (3, i, j, k) float32 in the order of :data:`TISSUES`; their sum is 1 in the mask, 0 outside.

    Raises
    ------
    ValueError
        If the mask is empty or holds fewer than three intensities.

    Notes
    -----
    Expectation maximisation of a Gaussian mixture with a Markov random field [1]_, whose parts are DIPY's:
    :math:`p_k(x) \propto \pi_k(x)^w\, N(v(x); \mu_k, \sigma_k)\, e^{-\beta n_k(x)}` with :math:`w = 0.5` and
    :math:`n_k` neighbours of another tissue.  The priors decide where the intensity leaves it open, as in deep nuclei,
    whose intensity lies between cortex and white matter; a larger weight takes the fluid from the sulci.

    References
    ----------
    .. [1] Zhang Y, Brady M, Smith S. Segmentation of brain MR images through a hidden Markov random field model and
       the expectation-maximization algorithm. IEEE Trans Med Imaging 2001;20:45-57.

    Examples
    --------
    >>> planted = np.arange(3).repeat(192).reshape(9, 8, 8)  # grey, white, fluid
    >>> volume = np.array([60.0, 90, 30])[planted] + np.indices((9, 8, 8)).sum(axis=0) / 9
    >>> found = segment_tissues(volume, np.ones((9, 8, 8), bool), np.eye(3)[:, planted])
    >>> bool((found.argmax(axis=0) == planted).all())
    True

    """
    values = np.asarray(volume, np.float32)
    if len(np.unique(values[mask])) < 3:
        raise ValueError('the brain mask holds fewer than three intensities')
    box = tuple(slice(used.min(), used.max() + 1) for used in np.nonzero(mask))
    inside, image = mask[box], values[box].astype(float)
    known = np.clip(priors[:, *box], _FLOOR, None).astype(float)
    known = np.moveaxis(known / known.sum(axis=0), 0, -1)
    model, field = ConstantObservationModel(), IteratedConditionalModes()
    share = known * inside[..., None]
    means = np.array([np.average(image, weights=share[..., k]) for k in range(3)])
    for _ in range(_ITERATIONS):
        means, variances = model.update_param(image, share, means, 3)
        labels = np.where(inside, share.argmax(axis=-1), -1).astype(np.int16)
        near = field.prob_neighborhood(labels, _SMOOTHNESS, 3) * known**_PRIOR_WEIGHT
        share = model.prob_image(image, 3, means, variances, near)
        lost = ~np.isfinite(share).all(axis=-1)  # so bright or dark that no tissue is likely: the nearest
        share[lost] = np.eye(3)[np.abs(image[lost, None] - means).argmin(axis=-1)]
        share *= inside[..., None]
    found = np.zeros((3, *mask.shape), np.float32)
    found[:, *box] = np.moveaxis(share / np.where(inside, share.sum(axis=-1), 1)[..., None], -1, 0)
    return found
