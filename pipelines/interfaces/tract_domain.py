"""Regions and tissue on the person's grid: where streamlines start, end and may not go."""

from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np

from ..errors import DataError
from ..numerics.regions import voxel_centres
from ..numerics.resample import coarsen, resample, voxel_sizes
from ..terms import REGIONS, SIDES_OF, STRUCTURES, raised
from ._anatomy import load
from ._diffusion import inside
from ._interface import interface
from ._series import load_image, write_volume
from .atlas import point_map, region_pair
from .design import save_table
from .regions import label_image, region_table, stack_regions

WHITE_FA = 0.15
"""Without a segmentation, white matter is where the anisotropy is above this (METHODS, section 6)."""

_TISSUES = ('gm', 'wm', 'csf')
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
    normalization: dict,
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
    normalization
        Facts of the way to the template, with its flags.
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
    choices = dict(zip(STRUCTURES, (nac, mpfc)))
    drawn = {name: region_pair(name, choice, space, positions) for name, choice in choices.items()}
    complete = stack_regions(drawn, choices, person_mask)
    stack = complete & mask
    coverage = _coverage(stack, complete, choices)
    tissue = [path for path in (probseg_gm, probseg_wm, probseg_csf) if path]
    has_tissue = len(tissue) == len(_TISSUES)
    maps = _segmented(tissue, like) if has_tissue else _by_anisotropy(fas)
    fields: dict[str, Any] = _fields(stack, maps, mask, positions[..., 0])
    np.savez(out_dir / 'domain.npz', affine=like.affine, mask=mask, **fields)
    facts = {
        **normalization, **choices, 'Template': space, 'RegionCoverage': coverage,
        'StoppingCriterion': 'tissue segmentation' if has_tissue else f'fractional anisotropy {WHITE_FA}',
        'Flags': [*normalization['Flags'], *raised(region_outside=min(coverage.values()) < _MIN_COVERAGE)],
    }  # fmt: skip
    dseg = write_volume(label_image(stack), like.affine, out_dir / 'regions_dseg.nii.gz')
    table = save_table(region_table(stack, like, drawn, choices), out_dir / 'regions.tsv')
    return _Mapped(out_dir / 'domain.npz', dseg, table, facts)


MapDomain = interface(map_domain, is_brief=True)


def _coverage(stack: np.ndarray, complete: np.ndarray, choices: dict[str, str]) -> dict[str, float]:
    """Return the share of every region that the scan shows."""
    shares = stack.sum(axis=(1, 2, 3)) / complete.sum(axis=(1, 2, 3))
    for name, share in zip(REGIONS, shares):
        if not share:
            raise DataError(
                f'region {name} ({choices[name.rstrip("LR")]}) lies outside the field of view of the diffusion '
                'scan, or where it has no signal. Choose another region with --nac or --mpfc, or exclude the scan.'
            )
    return {name: round(float(share), 3) for name, share in zip(REGIONS, shares)}


def _segmented(tissue: list[Path], like: nb.Nifti1Image) -> list[np.ndarray]:
    """Return probabilities on the person's grid, blurred to its voxels first."""
    voxel = float(voxel_sizes(like.affine)[0])
    return [resample(*coarsen(*load(path), voxel), like.shape, like.affine) for path in tissue]


def _by_anisotropy(fas: list[Path]) -> list[np.ndarray]:
    """Return grey and white matter, and no fluid, by the mean anisotropy of the sessions."""
    mean = np.mean([load(path)[0] for path in fas], axis=0)
    return [mean < WHITE_FA, mean >= WHITE_FA, np.zeros(mean.shape)]


def _fields(
    stack: np.ndarray, tissue: list[np.ndarray], mask: np.ndarray, x: np.ndarray
) -> dict[str, np.ndarray]:
    """Return regions (4, X, Y, Z), what ends and what bars streamlines, and the white matter that counts."""
    grey, white, fluid = tissue
    free = stack.any(axis=0)
    opposite = [x > _MIDLINE_MM, x < -_MIDLINE_MM]
    barred = [np.where(free, 0, np.maximum(fluid, other | ~mask)) for other in opposite]
    return {
        'regions': stack[[list(REGIONS).index(name) for pair in SIDES_OF.values() for name in pair]],
        'ends': np.where(free, 0, grey).astype(np.float32),
        'barred': np.array(barred, np.float32),
        'white': (white > 0.5) & mask & ~free,
    }
