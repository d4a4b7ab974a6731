"""Segment a brain into grey matter, white matter and cerebrospinal fluid (ANTs' Atropos)."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .itk import library, to_itk

Array = NDArray[Any]
Mask = NDArray[np.bool_]

TISSUES = ('gm', 'wm', 'csf')
"""Order of the tissues; their labels count from 1."""

_ATROPOS = ('csf', 'gm', 'wm')  # Atropos counts classes from dark to bright
_FLOOR = 0.02  # probability that a prior never goes below: registration is not perfect
_PRIOR_WEIGHT = 0.25
_NEIGHBOURS = '[0.1,1x1x1]'  # weight and radius in voxels of the Markov random field
_ITERATIONS = '[5,0]'


def segment_tissues(volume: Array, affine: Array, mask: Mask, priors: Array) -> Array:
    r"""Return the probability of three tissues.

    Parameters
    ----------
    volume
        (i, j, k) bias-corrected T1-weighted intensities.
    affine
        (4, 4) matrix from voxel to RAS mm.
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
    Expectation maximisation of a Gaussian mixture with a Markov random field,
    :math:`p_k(x) \propto \pi_k(x)^w\, N(v(x); \mu_k, \sigma_k)\, e^{\beta n_k(x)}` with :math:`w = 0.25`
    [1]_.  The priors decide where the intensity leaves it open, as in deep nuclei, whose intensity
    lies between cortex and white matter; a larger weight takes the fluid from the sulci.

    References
    ----------
    .. [1] Avants BB, Tustison NJ, Wu J, Cook PA, Gee JC. An open source multivariate framework for
       n-tissue segmentation with evaluation on public data. Neuroinformatics 2011;9:381-400.

    Examples
    --------
    >>> planted = np.arange(3).repeat(192).reshape(9, 8, 8)  # grey, white, fluid
    >>> volume = np.array([60.0, 90, 30])[planted] + np.indices((9, 8, 8)).sum(axis=0) / 9
    >>> found = segment_tissues(volume, np.eye(4), np.ones((9, 8, 8), bool), np.eye(3)[:, planted])
    >>> bool((found.argmax(axis=0) == planted).all())
    True

    """
    values = np.asarray(volume, np.float32)
    if len(np.unique(values[mask])) < 3:
        raise ValueError('the brain mask holds fewer than three intensities')
    known = np.clip(priors, _FLOOR, None)
    known = np.where(mask, known / known.sum(axis=0), 0)
    start = [to_itk(known[TISSUES.index(name)], affine) for name in _ATROPOS]
    with _own_temporary_folder():
        found = library().atropos(
            to_itk(values, affine), to_itk(mask, affine), start,
            m=_NEIGHBOURS, c=_ITERATIONS, priorweight=_PRIOR_WEIGHT, r=0,  # a constant seed
        )['probabilityimages']  # fmt: skip
    maps = np.stack([found[_ATROPOS.index(name)].numpy() for name in TISSUES])
    return np.where(mask, maps / np.maximum(maps.sum(axis=0), 1e-6), 0).astype(np.float32)


@contextmanager
def _own_temporary_folder() -> Iterator[None]:
    """Remove what is written as temporary meanwhile: ANTsPy leaves its maps in the folder of all."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder
        try:
            yield
        finally:
            tempfile.tempdir = before
