"""Whether a displacement brings an EPI nearer to the T1w image, or would with the other sign."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..terms import NO_CORRECTION
from .resample import voxel_sizes
from .susceptibility import unwarp

Array = NDArray[Any]

_BINS = 24
_SLIDE = 3  # voxels to either side that the T1w image may be shifted
_FEWEST = 200  # voxels that are displaced
_AROUND = 8.0  # mm: the edge of the brain is what every contrast shows
CLEAR = 0.02
"""Share of the variance by which one must exceed another: below, a scan of little contrast tells nothing."""

FAR_MM = 1.0
"""A displacement counts from here on."""


class Agreement(NamedTuple):
    """Share of the variance of an EPI that the T1w image explains, 0 to 1.

    As acquired, corrected, and corrected the other way round; ``n_voxels`` are those that the displacement moves.
    NaN where it moves too few to tell.
    """

    before: float
    after: float
    opposite: float
    n_voxels: int

    @property
    def is_doubtful(self) -> bool:
        """Return whether the EPI clearly fits the T1w image better as it is, or corrected the other way round."""
        return max(self.before, self.opposite) - self.after > CLEAR


@dataclass(frozen=True)
class Correction:
    """What distortion was corrected with, and how the T1w image agrees where it was asked."""

    method: str = NO_CORRECTION
    agreement: Agreement | None = None

    @property
    def is_doubtful(self) -> bool:
        """Return whether the T1w image contradicts it."""
        return self.agreement is not None and self.agreement.is_doubtful

    def facts(self) -> dict[str, object]:
        """Return what sidecars say; shares are None where too little is displaced.

        Examples
        --------
        >>> Correction().facts()
        {'SusceptibilityDistortionCorrection': 'none'}
        >>> Correction('a map', Agreement(0.25, 0.5, 0.125, 900)).facts()['DistortionCheck']
        {'Before': 0.25, 'After': 0.5, 'Opposite': 0.125, 'Voxels': 900}

        """
        told: dict[str, object] = {'SusceptibilityDistortionCorrection': self.method}
        if self.agreement is None:
            return told
        *shares, count = self.agreement
        known = [round(share, 4) if np.isfinite(share) else None for share in shares]
        names = ('Before', 'After', 'Opposite', 'Voxels')
        return {**told, 'DistortionCheck': dict(zip(names, [*known, count]))}


def judge_shift(t1w: tuple[Array, Array], epi: Array, shift: Array, axis: int, affine: Array) -> Agreement:
    r"""Return how well an EPI fits the T1w image with a displacement, without it, and with its opposite.

    Parameters
    ----------
    t1w
        (X, Y, Z) intensities on the grid of ``epi``, where the corrected EPI lies, and their brain (X, Y, Z) bool.
    epi
        (X, Y, Z) intensities as acquired.
    shift
        (X, Y, Z) displacement, voxels along +axis.
    axis
        Phase-encoding axis.
    affine
        (4, 4) matrix from voxel to RAS mm.

    Notes
    -----
    The correlation ratio [1]_ :math:`1 - \sum_k n_k \sigma_k^2 / (n \sigma^2)` over 24 bins of the T1w image, each of as
    many voxels, in the brain and 8 mm around it, where the displacement differs by more than 1 mm from its median in the
    brain.  Whichever was corrected had an advantage by the registration that followed, and a shift of the whole image
    is no distortion: each is taken at the shift along the axis, up to 3 voxels, that suits it best.

    References
    ----------
    .. [1] Roche A, et al. The correlation ratio as a new similarity measure for multimodal image registration.
       MICCAI 1998, LNCS 1496:1115-24.

    """
    image, brain = t1w
    sizes = voxel_sizes(affine)
    near = ndimage.distance_transform_edt(~brain, sampling=sizes) <= _AROUND
    own = np.asarray(shift - np.median(shift[brain]) if brain.any() else shift, np.float32)
    moved = near & (np.abs(own) * sizes[axis] > FAR_MM)
    count = int(moved.sum())
    if count < _FEWEST:
        return Agreement(np.nan, np.nan, np.nan, count)
    tissue = np.where(brain, image, 0)
    versions = [unwarp(epi, np.float32(sign) * own, axis, 1, modulate=False) for sign in (0, 1, -1)]
    slides = [np.roll(tissue, step, axis=axis)[moved] for step in range(-_SLIDE, _SLIDE + 1)]
    before, after, opposite = (
        max(correlation_ratio(version[moved], slide) for slide in slides) for version in versions
    )
    return Agreement(before, after, opposite, count)


def correlation_ratio(values: Array, by: Array) -> float:
    """Return the share of the variance of ``values`` (N,) that the bins of ``by`` (N,) explain.

    Examples
    --------
    >>> by = np.arange(2400.0)
    >>> round(correlation_ratio(by // 100, by), 3), correlation_ratio(np.ones(2400), by)
    (1.0, 0.0)

    """
    variance = float(np.var(values))
    if not variance:
        return 0.0
    bins = np.argsort(np.argsort(by, kind='stable'), kind='stable') * _BINS // len(by)
    counts = np.bincount(bins, minlength=_BINS)
    means = np.bincount(bins, values, minlength=_BINS) / np.maximum(counts, 1)
    return float(np.sum(counts * (means - values.mean()) ** 2) / len(values) / variance)
