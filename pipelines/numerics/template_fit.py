"""How well an image of a brain lies on a template of another contrast."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_LEAST = 1e-6  # share of a neighbourhood that must lie in the mask


def local_correlation(
    image: np.ndarray, template: np.ndarray, mask: NDArray[np.bool_], voxel: float, sigma: float = 4.0
) -> float:
    r"""Return the mean squared correlation of two images in small neighbourhoods.

    Parameters
    ----------
    image, template
        (X, Y, Z) on one grid, any unit and contrast.
    mask
        (X, Y, Z) bool: voxels that count.
    voxel
        Edge length, mm.
    sigma
        Of the Gaussian that defines a neighbourhood, mm.

    Returns
    -------
    float
        Between 0 and 1; NaN for an empty mask.

    Notes
    -----
    With :math:`\langle \cdot \rangle_x` the Gaussian mean over the mask around x, the mean over the mask of
    :math:`\langle ab \rangle_c^2 / (\langle aa \rangle_c \langle bb \rangle_c)`, c for central moments [1]_.  Squared, so
    that fluid may be bright in one and dark in the other; local, so that a coil's field does not matter.  Where
    either image is constant it counts as 0.

    References
    ----------
    .. [1] Avants BB, et al. Symmetric diffeomorphic image registration with cross-correlation. Med Image Anal
       2008;12:26-41.

    Examples
    --------
    An inverted copy fits as well as the image itself:

    >>> image = np.random.default_rng(0).random((8, 8, 8))
    >>> round(local_correlation(image, 5 - 2 * image, np.ones((8, 8, 8), bool), 4.0), 6)
    1.0

    """
    if not mask.any():
        return float('nan')
    weights = mask.astype(np.float64)

    def around(values: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(values * weights, sigma / voxel)

    share = np.maximum(around(np.ones(mask.shape)), _LEAST)
    first = np.asarray(image, np.float64) - np.mean(image[mask])  # moments keep their digits
    second = np.asarray(template, np.float64) - np.mean(template[mask])
    means = [around(values) / share for values in (first, second)]
    variances = [around(v * v) / share - m * m for v, m in zip((first, second), means)]
    covariance = around(first * second) / share - means[0] * means[1]
    product = variances[0] * variances[1]
    varies = mask & (product > 1e-12 * product.max())
    return float(np.sum(covariance[varies] ** 2 / product[varies]) / mask.sum())
