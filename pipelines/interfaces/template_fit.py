"""Which template a series in standard space lies on, whatever its name says."""

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from ..numerics.resample import coarsen, resample, voxel_sizes
from ..numerics.template_fit import local_correlation
from ..terms import raised
from .headers import open_image
from .quality import Scan
from .templates import known_spaces, target_brain

_VOXEL = 4.0  # mm: coarse, so that series of any resolution are judged alike
_CLEARLY_BETTER = 0.05
"""Logarithm of the ratio of fits.  Of simulated heads normalised to 2 mm, another template than the right one
never fitted better (docs/functional.md)."""


_TOLD = 0.26
"""Best fit from which on it tells the template.  Simulated heads have .36 or more, real scans .2 to .25 where they are
misplaced by some 4 mm, and then the better template is a matter of chance."""


class TemplateFit(NamedTuple):
    """Fit of a series to each template by its name, and the one that fits clearly better than the named one."""

    fits: dict[str, float]
    better: str

    def flags(self) -> list[str]:
        """Return the flag, where there is one."""
        is_poor = not _tells(self.fits)
        mismatch = [f'{name}:{self.better}' for name in raised(template_mismatch=bool(self.better))]
        return [*mismatch, *raised(poor_template_fit=is_poor)]


def fit_templates(scan: Scan, space: str, *, free: bool = False) -> TemplateFit:
    """Compare the mean of a series with the brains of all templates; where it fits none well it is not told which it is on.

    Parameters
    ----------
    scan
        The run: grid, mask and temporal mean.
    space
        Template that the series is named after.
    free
        Leave out templates under the licence of FSL.

    """
    affine = scan.like.affine
    mean, coarse = coarsen(scan.mean, affine, _VOXEL)
    inside, _ = coarsen(scan.mask.astype(np.float32), affine, _VOXEL)
    voxel = float(voxel_sizes(coarse).mean())
    fits = {}
    for name in known_spaces(free=free):
        brain, own = _coarse_brain(name)
        template = resample(brain, own, mean.shape, coarse)
        fits[name] = round(local_correlation(mean, template, inside > 0.5, voxel), 4)
    return TemplateFit(fits, _better(fits, space))


def _tells(fits: dict[str, float]) -> bool:
    return max(fits.values()) >= _TOLD  # False of NaN


def _better(fits: dict[str, float], space: str) -> str:
    best = max(fits, key=lambda name: (fits[name], name == space))
    named = fits[space]
    if not named > 0 or not _tells(fits):
        return ''
    return best if math.log(fits[best] / named) > _CLEARLY_BETTER else ''


@cache
def _coarse_brain(space: str) -> tuple[np.ndarray, Any]:
    """Return a template's brain at 2 mm, blurred as a series of 4 mm is, and its affine."""
    image = open_image(target_brain(space))
    halved = np.asarray(image.dataobj, np.float32)[::2, ::2, ::2]
    affine = image.affine @ np.diag([2, 2, 2, 1])
    return ndimage.gaussian_filter(halved, _VOXEL / 2.355 / voxel_sizes(affine)), affine
