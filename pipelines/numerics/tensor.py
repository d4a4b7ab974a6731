"""The diffusion tensor of every voxel by weighted least squares."""

from typing import Any, NamedTuple

import numpy as np
from dipy.core.gradients import GradientTable, gradient_table
from dipy.reconst.dti import (
    decompose_tensor,
    design_matrix,
    fractional_anisotropy,
    from_lower_triangular,
    wls_fit_tensor,
)
from numpy.typing import NDArray

from .gradients import B0_LIMIT, Gradients, find_shells

Array = NDArray[Any]

_TENSOR_LIMIT = 1600.0  # s/mm^2: above, diffusion in tissue is not Gaussian
_MIN_DIRECTIONS = 6
_CHUNK = 50_000  # voxels at a time: bounds the memory of the weights
_MAX_DIFFUSIVITY = 4e-3  # mm^2/s, well above free water at 37 degrees C


class Tensor(NamedTuple):
    """What the tensor says of N voxels.

    Attributes
    ----------
    fa
        (N,) fractional anisotropy, 0 to 1.
    md, ad, rd
        (N,) mean, axial and radial diffusivity, mm^2/s.
    evec
        (N, 3) principal direction, unit vector in RAS.

    """

    fa: Array
    md: Array
    ad: Array
    rd: Array
    evec: Array


def dipy_table(table: Gradients) -> GradientTable:
    """Return DIPY's object of a gradient table."""
    return gradient_table(
        np.asarray(table.bvals), bvecs=np.asarray(table.bvecs), b0_threshold=B0_LIMIT, atol=0.1
    )


def tensor_volumes(table: Gradients) -> Array:
    """Return which volumes (T,) the tensor is fitted to.

    Notes
    -----
    All shells up to b = 1,600 s/mm^2 that together have six directions; else the lowest one that
    has: a stronger weighting biases the tensor by the kurtosis of tissue.

    Examples
    --------
    >>> bvecs = np.vstack([np.zeros(3), np.eye(3), (np.ones((3, 3)) - 2 * np.eye(3)) / 3**0.5] * 2)
    >>> bvals = np.array([0, *[1000] * 6, 0, *[3000] * 6])
    >>> int(tensor_volumes(Gradients(bvals, bvecs, bvecs)).sum())
    8

    """
    chosen = np.asarray(table.is_b0) | (np.asarray(table.bvals) <= _TENSOR_LIMIT)
    if table.directions(chosen) >= _MIN_DIRECTIONS:
        return chosen
    for _, rows in find_shells(table.bvals):
        if table.directions(rows) >= _MIN_DIRECTIONS:
            return np.asarray(table.is_b0 | rows)
    return np.ones(len(table.bvals), dtype=bool)


def fit_tensor(signals: Array, table: Gradients) -> Tensor:
    r"""Fit a tensor to every voxel.

    Parameters
    ----------
    signals
        (N, T) intensities; those that are not positive count as the smallest positive one.
    table
        Weighting of the T volumes.

    Returns
    -------
    Tensor
        Anisotropy, diffusivities and principal directions.

    Notes
    -----
    Weighted least squares on :math:`\ln S = \ln S_0 - b\, g^T D g`, twice: with the squared signal of an
    unweighted fit as weights [1]_ (DIPY's ``WLS``), then with that of the weighted fit [2]_, as MRtrix3
    does (``dwi2tensor -ols -iter 2``).  Eigenvalues are kept within 0 and 4e-3 mm^2/s.

    References
    ----------
    .. [1] Chung S, Lu Y, Henry RG. Comparison of bootstrap approaches for estimation of
       uncertainties of DTI parameters. Neuroimage 2006;33:531-41.
    .. [2] Veraart J, Sijbers J, Sunaert S, Leemans A, Jeurissen B. Weighted linear least squares
       estimation of diffusion MRI parameters: strengths, limitations, and pitfalls. Neuroimage
       2013;81:335-46.

    """
    used = tensor_volumes(table)
    design = design_matrix(dipy_table(table.subset(used)))
    positive = signals[signals > 0]
    floor = float(positive.min()) if positive.size else 1.0
    parts = [
        _fit(design, np.maximum(signals[start : start + _CHUNK, used], floor))
        for start in range(0, len(signals), _CHUNK)
    ]
    return Tensor(*(np.concatenate(part) for part in zip(*parts))) if parts else _none()


def _fit(design: Array, signals: Array) -> Tensor:
    first, _ = wls_fit_tensor(design, signals, return_lower_triangular=True)
    # only the ratios of a voxel's weights matter, and ratios do not overflow
    logs = 2 * first @ design.T
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    second, _ = wls_fit_tensor(design, signals, weights=weights, return_lower_triangular=True)
    found, evecs = decompose_tensor(from_lower_triangular(second))
    evals = np.clip(found, 0, _MAX_DIFFUSIVITY)
    fa = np.clip(np.nan_to_num(fractional_anisotropy(evals)), 0, 1)
    return Tensor(
        fa.astype(np.float32),
        evals.mean(axis=-1).astype(np.float32),
        evals[..., 0].astype(np.float32),
        evals[..., 1:].mean(axis=-1).astype(np.float32),
        evecs[..., 0].astype(np.float32),
    )


def _none() -> Tensor:
    empty = np.empty(0, np.float32)
    return Tensor(empty, empty, empty, empty, np.empty((0, 3), np.float32))
