"""Regions and tissue on the person's grid: where streamlines start, end and may not go."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd

from ..numerics.regions import voxel_centres
from ..numerics.resample import coarsen, resample, voxel_sizes
from ..terms import LATERAL, Bundle, Circuit, raised
from ._anatomy import load
from ._diffusion import inside
from ._interface import interface
from ._series import load_image, write_volume
from .atlas import point_map
from .choices import Segmentation
from .design import save_table
from .drawing import Canvas, Drawn
from .regions import check_inside, draw_circuit, label_image, region_flags, region_table, template_brain

WHITE_FA = 0.15
"""Without a segmentation, white matter is where the anisotropy is above this (docs/diffusion.md)."""

_TISSUES = ('gm', 'wm', 'csf')
_MIN_COVERAGE = 0.7
_MIDLINE_MM = 1.0
_MARGIN_MM = 20.0  # around both regions: as far as the tract may bend


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
    circuit: Circuit,
    normalization: dict,
    probseg_gm: Path | None = None,
    probseg_wm: Path | None = None,
    probseg_csf: Path | None = None,
    labels: Path | None = None,
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
    circuit
        Its regions are drawn; files in a person's own space are taken to lie in that of the mask.
    normalization
        Facts of the way to the template: ``Template``, flags, and how well it fits.
    probseg_gm, probseg_wm, probseg_csf
        Probabilities of tissue; without them white matter is told by the anisotropy.
    labels
        FreeSurfer's in the space of the mask.
    files
        Images that the choices name; a change of them repeats this step.
    out_dir
        Folder of the results.

    Raises
    ------
    DataError
        A region lies outside both brains, the person's and the template's.

    Notes
    -----
    A region of the brain that this scan does not show has a flag and no tract; the others are not affected.

    """
    like, mask = load_image(person_mask), np.all([inside(path) for path in dwi_masks], axis=0)
    own = voxel_centres(mask.shape, like.affine)
    positions = point_map(std2anat_xfm)(own.reshape(-1, 3)).reshape(*mask.shape, 3)
    space = normalization['Template']
    canvas = Canvas(space, positions, Segmentation(labels, labels), own)
    drawn, complete = draw_circuit(circuit, canvas, person_mask)
    check_inside(complete, inside(person_mask) | template_brain(space, positions), circuit)
    stack = complete & mask
    coverage = _coverage(stack, complete, circuit)
    maps, criterion = _tissue((probseg_gm, probseg_wm, probseg_csf), fas, like)
    fields = _fields(stack[_drawn(circuit)], maps, mask, positions[..., 0])
    _save_domain(fields, like.affine, circuit, out_dir / 'domain.npz')
    facts = {
        **normalization, **{region.name: region.choice for region in circuit.structures},
        'RegionCoverage': coverage,
        'StoppingCriterion': criterion,
        'RegionFlags': _limits(stack, coverage, circuit),
    }  # fmt: skip
    dseg = write_volume(label_image(stack, circuit), like.affine, out_dir / 'regions_dseg.nii.gz')
    table = save_table(_table(stack, like, drawn, circuit), out_dir / 'regions.tsv')
    return _Mapped(out_dir / 'domain.npz', dseg, table, facts)


MapDomain = interface(map_domain, is_brief=True)


def _table(
    stack: np.ndarray, like: nb.Nifti1Image, drawn: dict[str, Drawn], circuit: Circuit
) -> pd.DataFrame:
    """Return a row per region; one that the scan does not show has no centre."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)
        return region_table(stack, like, drawn, circuit)


def _coverage(stack: np.ndarray, complete: np.ndarray, circuit: Circuit) -> dict[str, float]:
    """Return the share of every region that the scan shows."""
    shares = stack.sum(axis=(1, 2, 3)) / np.maximum(complete.sum(axis=(1, 2, 3)), 1)
    return {name: round(float(share), 3) for name, share in zip(circuit.regions, shares)}


def _limits(stack: np.ndarray, coverage: Mapping[str, float], circuit: Circuit) -> dict[str, list[str]]:
    """Return the flags of each region that has any."""
    found = {
        label: [*raised(region_outside=coverage[label] < _MIN_COVERAGE), *(f'{flag}_{label}' for flag in own)]
        for label, own in region_flags(stack, circuit).items()
    }
    return {label: own for label, own in found.items() if own}


def _drawn(circuit: Circuit) -> list[int]:
    """Return which of the regions are drawn each by itself."""
    return [list(circuit.regions).index(label) for label in circuit.drawn]


def _tissue(
    found: Sequence[Path | None], fas: list[Path], like: nb.Nifti1Image
) -> tuple[list[np.ndarray], str]:
    """Return grey matter, white matter and fluid on the person's grid, and by what they were told."""
    paths = [path for path in found if path]
    if len(paths) == len(_TISSUES):
        return _segmented(paths, like), 'tissue segmentation'
    return _by_anisotropy(fas), f'fractional anisotropy {WHITE_FA}'


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
    """Return regions (R, X, Y, Z), and tissue as it is without them: what ends and what bars streamlines, what counts.

    ``outside`` is white matter outside all regions.  ``barred`` is (3, X, Y, Z): for the left, for the right, and for what crosses the midline or lies on it.
    """
    grey, white, fluid = tissue
    opposite = [x > _MIDLINE_MM, x < -_MIDLINE_MM, np.zeros(x.shape, bool)]
    return {
        'regions': stack,
        'ends': grey.astype(np.float32),
        'barred': np.array([np.maximum(fluid, other | ~mask) for other in opposite], np.float32),
        'mask': mask,
        'white': (white > 0.5) & mask,
        'outside': (white > 0.5) & mask & ~stack.any(axis=0),
    }


def _save_domain(fields: dict[str, np.ndarray], affine: np.ndarray, circuit: Circuit, path: Path) -> None:
    """Write the fields with what lies around the two structures of any pair, (X, Y, Z)."""
    placed = {**fields, 'affine': affine}
    frees = [domain_of(placed, circuit, own).free for own in circuit.bundles]
    np.savez(path, **placed, near=np.any([around(free, affine) for free in frees], axis=0))  # type: ignore[arg-type]


def around(regions: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return the box around regions (X, Y, Z) within which a tract between them may bend; none around none."""
    margin = np.ceil(_MARGIN_MM / voxel_sizes(affine)).astype(int)
    near = np.zeros(regions.shape, bool)
    if not regions.any():
        return near
    found = np.argwhere(regions)
    low, high = np.maximum(found.min(axis=0) - margin, 0), found.max(axis=0) + margin + 1
    near[tuple(slice(a, b) for a, b in zip(low, high))] = True
    return near


def read_fields(domain: Path) -> dict[str, np.ndarray]:
    """Return what :func:`map_domain` stored."""
    with np.load(domain) as stored:
        return dict(stored)


class TractDomain(NamedTuple):
    """Where one tract may lie: its two regions, what ends and bars streamlines, the white matter that counts.

    All are (X, Y, Z); ``free`` are the regions of the pair on all sides, where nothing ends and nothing counts.
    """

    first: np.ndarray
    second: np.ndarray
    free: np.ndarray
    ends: np.ndarray
    barred: np.ndarray
    white: np.ndarray
    affine: np.ndarray


def domain_of(stored: Mapping[str, np.ndarray], circuit: Circuit, bundle: Bundle) -> TractDomain:
    """Return where a tract may lie; other regions of the circuit are tissue like any other to it.

    Parameters
    ----------
    stored
        Of :func:`map_domain`.
    circuit, bundle
        Whose regions they are, and the tract.

    """
    masks = dict(zip(circuit.drawn, stored['regions']))
    both = (circuit.by_name[name] for name in (bundle.pair.first, bundle.pair.second))
    free = np.any([masks[own.label(side)] for own in both for side in own.sides], axis=0)
    bars = LATERAL.index(bundle.hemisphere) if bundle.hemisphere in LATERAL else len(LATERAL)
    return TractDomain(
        masks[bundle.first], masks[bundle.second], free, np.where(free, 0, stored['ends']),
        np.where(free, 0, stored['barred'][bars]), stored['white'] & ~free, stored['affine'],
    )  # fmt: skip
