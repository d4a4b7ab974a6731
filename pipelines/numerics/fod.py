"""Fibre orientation distributions by constrained spherical deconvolution, of one or several shells."""

from typing import Any, NamedTuple

import numpy as np
from dipy.core.geometry import cart2sphere
from dipy.core.sphere import HemiSphere
from dipy.data import get_sphere
from dipy.reconst.shm import real_sh_descoteaux
from numpy.typing import NDArray
from scipy import linalg
from scipy.special import eval_legendre

from .bounded import solve_bounded
from .gradients import Gradients, find_shells
from .tensor import Tensor

Array = NDArray[Any]

MIN_B_VALUE = 500.0
"""Shells below this, s/mm^2, show too little of the angle for a deconvolution."""

_RESPONSE_VOXELS = 300
_NOISE_FA = 0.95  # above, the anisotropy is that of noise at the edge of the brain
_FLUID_MD, _FLUID_FA, _GREY_FA, _GREY_MD = 2.0e-3, 0.15, 0.2, 1.1e-3
_SHOWN = {'white': 'white matter', 'grey': 'grey matter', 'fluid': 'fluid'}
_CHUNK = 512  # voxels at a time: what the solver works on stays in the cache


class Response(NamedTuple):
    """Signal of tissues, in the unit of the image.

    Attributes
    ----------
    shells
        (S,) b-values; the first is 0 when there are several shells.
    white
        (S, L) coefficients of Y_l0, l = 0, 2 ..., of fibres along z.
    isotropic
        (K, S) mean signal of grey matter and fluid; K = 0 for one shell.

    """

    shells: Array
    white: Array
    isotropic: Array


def angular_shells(table: Gradients) -> list[tuple[float, Array]]:
    """Return the shells that a deconvolution can use.

    Raises
    ------
    ValueError
        All are below 500 s/mm^2.

    """
    shells = find_shells(table.bvals)
    strong = [shell for shell in shells if shell[0] >= MIN_B_VALUE]
    if not strong:
        raise ValueError(
            f'the largest b-value is {shells[-1][0]:g} s/mm^2: fibre orientations need {MIN_B_VALUE:g} or more'
        )
    return strong


def count_angles(table: Gradients) -> int:
    """Return the number of different directions of the shell that has most; see ``harmonic_order``."""
    return max(table.directions(rows) for _, rows in angular_shells(table))


def response_voxels(tensor: Tensor, inner: Array, white: Array | None = None) -> dict[str, Array]:
    """Choose the voxels that show one tissue alone.

    Parameters
    ----------
    tensor
        Of the N voxels of the brain.
    inner
        (N,) bool, voxels well inside the brain.
    white
        (N,) bool, white matter of a segmentation; none means all of ``inner``.

    Returns
    -------
    dict
        Indices of ``white`` (the 300 most anisotropic below 0.95), ``grey`` and ``fluid``.

    """
    where = inner if white is None else inner & white
    fa = np.where(where & (tensor.fa < _NOISE_FA), tensor.fa, 0)
    single = np.argsort(fa, kind='stable')[-_RESPONSE_VOXELS:]
    fluid = np.flatnonzero(inner & (tensor.md > _FLUID_MD) & (tensor.fa < _FLUID_FA))
    grey = np.flatnonzero(inner & (tensor.md < _GREY_MD) & (tensor.fa < _GREY_FA))
    return {'white': single[fa[single] > 0], 'grey': grey, 'fluid': fluid}


def estimate_response(
    signals: Array, table: Gradients, directions: Array, voxels: dict[str, Array], order: int
) -> Response:
    r"""Measure the response of the tissues.

    Parameters
    ----------
    signals
        (N, T) intensities.
    table
        Weighting of the volumes.
    directions
        (N, 3) principal directions.
    voxels
        Of :func:`response_voxels`.
    order
        Highest harmonic order, even.

    Returns
    -------
    Response
        For one shell without b = 0 and with white matter only; for several with grey matter and fluid.

    Raises
    ------
    ValueError
        If a tissue has no voxel.

    Notes
    -----
    With the angle :math:`\theta` between gradient and fibre, :math:`S(\theta) = \sum_l r_l Y_l^0
    (\theta)` is fitted to all white-matter voxels at once [1]_: no tensor is assumed.

    References
    ----------
    .. [1] Tournier JD, et al. Direct estimation of the fiber orientation density function from
       diffusion-weighted MRI data using spherical deconvolution. Neuroimage 2004;23:1176-85.

    """
    shells = angular_shells(table)
    several = len(shells) > 1
    rows = [np.asarray(table.is_b0)] * several + [r for _, r in shells]
    values = np.array([0.0] * several + [b for b, _ in shells])
    for tissue in ('white', 'grey', 'fluid')[: 3 if several else 1]:
        if not len(voxels[tissue]):
            raise ValueError(f'no voxel shows {_SHOWN[tissue]} alone: the response cannot be measured')
    single = voxels['white']
    zonal = np.zeros((len(values), order // 2 + 1))
    for number, row in enumerate(rows):
        if values[number] == 0:
            zonal[number, 0] = signals[single][:, row].mean() * np.sqrt(4 * np.pi)
            continue
        cosine = np.abs(directions[single] @ table.bvecs[row].T).ravel()
        basis = np.stack([_y_l0(degree, cosine) for degree in range(0, order + 1, 2)], axis=1)
        zonal[number] = np.linalg.lstsq(basis, signals[single][:, row].ravel(), rcond=None)[0]
    other = ('grey', 'fluid') if several else ()
    flat = np.array([[signals[voxels[tissue]][:, row].mean() for row in rows] for tissue in other])
    return Response(values, zonal, flat.reshape(len(other), len(values)))


def _y_l0(degree: int, cosine: Array) -> Array:
    return np.asarray(np.sqrt((2 * degree + 1) / (4 * np.pi)) * eval_legendre(degree, cosine))


def fit_fod(signals: Array, table: Gradients, response: Response) -> Array:
    """Return the fibre orientation distribution of every voxel.

    Parameters
    ----------
    signals
        (N, T) intensities.
    table
        Weighting of the volumes.
    response
        Of :func:`estimate_response`; its order is that of the result.

    Returns
    -------
    Array
        (N, C) float32 coefficients in DIPY's legacy ``descoteaux07`` basis; 1 is as much fibre as in
        a voxel of the response.

    Notes
    -----
    Least squares over all shells with amplitudes that may not be negative; with several shells grey
    matter and fluid stand beside the fibres, not negative either [2]_.  One shell is solved alike, the
    hard form of [1]_: DIPY's ``ConstrainedSphericalDeconvModel`` diverges in a fifth of the voxels of a
    scan with 32 directions at order 6, where its equations are nearly singular.

    References
    ----------
    .. [1] Tournier JD, Calamante F, Connelly A. Robust determination of the fibre orientation
       distribution in diffusion MRI. Neuroimage 2007;35:1459-72.
    .. [2] Jeurissen B, et al. Multi-tissue constrained spherical deconvolution for improved analysis
       of multi-shell diffusion MRI data. Neuroimage 2014;103:411-26.

    """
    design, used = _convolution(table, response)
    n_flat = len(response.isotropic)
    sphere = HemiSphere.from_sphere(get_sphere(name='repulsion724'))
    amplitudes = _basis(2 * (response.white.shape[1] - 1), sphere.vertices)
    bounds = linalg.block_diag(np.eye(n_flat), amplitudes) if n_flat else amplitudes
    scale = float(np.abs(response.white[0, 0]))
    # nothing to deconvolve where the signal is lost
    lit = np.flatnonzero(signals[:, used].max(axis=1) > 0)
    fod = np.zeros((len(signals), amplitudes.shape[1]), np.float32)
    for start in range(0, len(lit), _CHUNK):
        rows = lit[start : start + _CHUNK]
        observed = np.maximum(signals[rows][:, used], 0) / scale
        fod[rows] = solve_bounded(design / scale, observed, bounds)[:, n_flat:]
    return fod


def _convolution(table: Gradients, response: Response) -> tuple[Array, Array]:
    """Return the (T', K + C) matrix from tissues to signals, and which volumes (T',) these are."""
    order = 2 * (response.white.shape[1] - 1)
    unweighted = [(0.0, np.asarray(table.is_b0))] if response.shells[0] == 0 else []
    blocks, used = [], []
    degrees = np.array([degree for degree in range(0, order + 1, 2) for _ in range(2 * degree + 1)])
    for number, (b, rows) in enumerate([*unweighted, *angular_shells(table)]):
        directions = table.bvecs[rows] if b else np.tile([0.0, 0, 1], (int(rows.sum()), 1))
        gain = response.white[number][degrees // 2] * np.sqrt(4 * np.pi / (2 * degrees + 1))
        flat = np.tile(response.isotropic[:, number], (int(rows.sum()), 1))
        blocks.append(np.hstack([flat, _basis(order, directions) * gain]))
        used.append(np.flatnonzero(rows))
    return np.vstack(blocks), np.concatenate(used)


def _basis(order: int, directions: Array) -> Array:
    _, theta, phi = cart2sphere(*np.asarray(directions).T)
    return np.asarray(real_sh_descoteaux(order, theta, phi, legacy=True)[0])


def fod_amplitudes(fod: Array, directions: Array) -> Array:
    """Return the amplitude (N, D) of distributions (N, C) along unit vectors (D, 3)."""
    order = round((np.sqrt(8 * fod.shape[-1] + 1) - 3) / 2)
    return np.asarray(fod @ _basis(order, directions).T)
