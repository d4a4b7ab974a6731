"""Regions and tissue on the person's grid: where streamlines start, end and may not go."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from ..numerics.regions import voxel_centres
from ..numerics.resample import coarsen, resample, voxel_sizes
from ._anatomy import load
from ._diffusion import inside
from ._interface import interface
from ._series import load_image, save_volume
from .atlas import point_map, region_pair
from .design import save_table
from .regions import label_image, region_table, stack_regions

WHITE_FA = 0.15
"""Without a segmentation, white matter is where the anisotropy is above this (METHODS, section 6)."""

_MIN_COVERAGE = 0.7
_MIDLINE_MM = 1.0


class _Mapped(NamedTuple):
    domain: Path
    regions_dseg: Path
    regions_table: Path
    facts: dict[str, Any]


def map_domain(
    person_mask: Path,
    dwi_masks: list[Path],
    fas: list[Path],
    std2anat_xfm: Path,
    space: str,
    nac: str,
    mpfc: str,
    probseg_gm: Path | None = None,
    probseg_wm: Path | None = None,
    probseg_csf: Path | None = None,
    files: list[Path] | None = None,
    *,
    out_dir: Path,
) -> _Mapped:
    """Put regions and tissue on the person's grid: where streamlines start, end and may not go.

    Parameters
    ----------
    person_mask
        Brain on the person's grid.
    dwi_masks, fas
        Mask and fractional anisotropy of every session there.
    std2anat_xfm
        Points of the person to points of the template.
    space
        Template.
    nac, mpfc
        Choice of region.
    probseg_gm, probseg_wm, probseg_csf
        Probabilities of tissue; without them white matter is told by the anisotropy.
    files
        Images that the choices name; a change of them repeats this step.
    out_dir
        Folder of the results.

    Raises
    ------
    DataError
        A region lies outside the field of view.

    """
    like, mask = load_image(person_mask), np.all([inside(path) for path in dwi_masks], axis=0)
    positions = point_map(std2anat_xfm)(voxel_centres(mask.shape, like.affine).reshape(-1, 3))
    positions = positions.reshape(*mask.shape, 3)
    choices = {'NAc': nac, 'mPFC': mpfc}
    drawn = {name: region_pair(name, choice, space, positions) for name, choice in choices.items()}
    complete = stack_regions(drawn, choices, person_mask)
    stack = complete & mask
    coverage = stack.sum(axis=(1, 2, 3)) / complete.sum(axis=(1, 2, 3))
    table = region_table(stack, like, drawn, choices)
    lost = table['name'][coverage == 0]
    if len(lost):
        raise DataError(
            f'region {lost.iloc[0]} lies outside the field of view of the diffusion scan, or where it has no signal. '
            'Choose another region with --nac or --mpfc, or exclude the scan.'
        )
    tissue = [probseg_gm, probseg_wm, probseg_csf]
    if all(tissue):
        grey, white, fluid = (_onto(path, mask.shape, like.affine) for path in tissue if path)
    else:
        mean = np.mean([load(path)[0] for path in fas], axis=0)
        grey, white, fluid = mean < WHITE_FA, mean >= WHITE_FA, np.zeros(mask.shape)
    free = stack.any(axis=0)
    x = positions[..., 0]
    opposite = [x > _MIDLINE_MM, x < -_MIDLINE_MM]
    barred = [np.where(free, 0, np.maximum(fluid, other | ~mask)).astype(np.float32) for other in opposite]
    np.savez(
        out_dir / 'domain.npz', regions=stack[[0, 1, 3, 4]], barred=barred, affine=like.affine, mask=mask,
        ends=np.where(free, 0, grey).astype(np.float32), white=(white > 0.5) & mask & ~free,
    )  # fmt: skip
    flags = ['region_outside'] if coverage.min() < _MIN_COVERAGE else []
    facts = {
        'NAc': nac, 'mPFC': mpfc, 'Space': space, 'Flags': flags,
        'StoppingCriterion': 'tissue segmentation' if all(tissue) else f'fractional anisotropy {WHITE_FA}',
        'RegionCoverage': {name: round(float(c), 3) for name, c in zip(table['name'], coverage)},
    }  # fmt: skip
    dseg = save_volume(out_dir / 'regions_dseg.nii.gz', label_image(stack), like.affine)
    return _Mapped(out_dir / 'domain.npz', dseg, save_table(table, out_dir / 'regions.tsv'), facts)


MapDomain = interface(map_domain)


def _onto(path: Path, shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """Return a probability map on the person's grid, blurred to its voxels first."""
    return resample(*coarsen(*load(path), float(voxel_sizes(affine)[0])), shape, affine)
