"""Tell noise from signal in diffusion scans by the eigenvalues of small patches."""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[Any]

_RADIUS = 2
_STRIDE = 2  # from one patch to the next: every voxel lies in about sixteen patches
_MARGIN_VOXELS = 2
_CHUNK_VALUES = 4_000_000  # bounds memory


def denoise(data: Array, mask: Array) -> Array:
    """Remove the noise that local principal components tell from signal.

    Parameters
    ----------
    data
        (X, Y, Z, T) intensities as acquired; any interpolation before would correlate the noise.
    mask
        (X, Y, Z) bool; beyond it and two voxels around it the data stay as they are.

    Returns
    -------
    Array
        (X, Y, Z, T) float32.

    Notes
    -----
    Marchenko-Pastur PCA [1]_ in patches of 5 x 5 x 5 voxels.  Patches lie two voxels apart along each axis, where DIPY's
    ``mppca`` puts one at every voxel, an eighth of the work; a voxel is the mean of its patches, weighted by
    1 / (1 + number of components) as there.

    References
    ----------
    .. [1] Veraart J, et al. Denoising of diffusion MRI using random matrix theory. Neuroimage
       2016;142:394-406.

    """
    near = ndimage.binary_dilation(mask, iterations=_MARGIN_VOXELS)
    width = 2 * _RADIUS + 1
    data = np.asarray(data, np.float32)
    if min(data.shape[:3]) < width:
        return data
    total = np.zeros(data.shape, np.float32, order='C')
    shares = np.zeros(data.shape[:3], np.float32)
    windows = sliding_window_view(data, (width, width, width), axis=(0, 1, 2))
    corners = np.argwhere(near[_RADIUS:-_RADIUS:_STRIDE, _RADIUS:-_RADIUS:_STRIDE, _RADIUS:-_RADIUS:_STRIDE])
    step = max(1, _CHUNK_VALUES // (width**3 * data.shape[3]))
    for start in range(0, len(corners), step):
        own = _STRIDE * corners[start : start + step]
        patches = windows[tuple(own.T)].reshape(len(own), data.shape[3], -1).swapaxes(1, 2)
        cleaned, share = _clean(patches)
        for place, offset in enumerate(np.ndindex(width, width, width)):
            at = tuple((own + offset).T)
            total[at] += share[:, None] * cleaned[:, place]
            shares[at] += share
    known = near & (shares > 0)
    total /= np.where(known, shares, 1)[..., None]
    return np.where(known[..., None], np.clip(total, 0, None), data)


def _clean(patches: Array) -> tuple[Array, Array]:
    """Return patches (P, N, T) without their noise, and the weight (P,) of each."""
    n, t = patches.shape[1:]
    mean = patches.mean(axis=1, keepdims=True)
    centred = patches - mean
    moments = (centred.swapaxes(1, 2) @ centred).astype(float) / n
    sizes, vectors = np.linalg.eigh(moments)
    limit = (1 + np.sqrt(t / n)) ** 2 * _noise_variance(sizes, n)
    is_signal = sizes >= limit[:, None]
    kept = (vectors * is_signal[:, None]).astype(np.float32)
    return centred @ kept @ kept.swapaxes(1, 2) + mean, 1 / (1 + is_signal.sum(axis=1))


def _noise_variance(sizes: Array, n: int) -> Array:
    """Return the variance (P,) of noise among eigenvalues (P, T), ascending, of n samples.

    Examples
    --------
    Equal eigenvalues are noise, one far above them is not:

    >>> _noise_variance(np.array([[1.0, 1, 1, 1], [1, 1, 1, 50]]), 125).tolist()
    [1.0, 1.0]

    """
    sizes = sizes[:, -(n - 1) :]
    counts = np.arange(1, sizes.shape[1] + 1)
    means = np.cumsum(sizes, axis=1) / counts
    fits = sizes - sizes[:, :1] <= 4 * np.sqrt(counts / n) * means
    last = sizes.shape[1] - 1 - np.argmax(fits[:, ::-1], axis=1)
    return np.asarray(means[np.arange(len(sizes)), last])
