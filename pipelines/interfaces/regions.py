"""Regions of interest, tissue and brain of the template on the grid of a BOLD series."""

from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd

from ..errors import DataError
from ..numerics import regions
from ..numerics.resample import sample
from ..terms import REGIONS, STRUCTURES
from . import templates
from ._interface import interface
from .atlas import Drawn, atlas_labels, manifest, region_pair, sample_object, to_source
from .choices import Segmentation
from .design import save_table
from .headers import open_image
from .images import save_volume, values_of

TISSUE_LABELS = {1: 'grey matter', 2: 'deep grey matter', 3: 'CSF', 0: 'other'}
"""Labels of the tissue image, in the order of the carpet: cortex, nuclei, ventricles, the rest."""

_GREY_MATTER = 0.5
_BEYOND = 20.0  # mm


class Regions(NamedTuple):
    """Regions (4D, one volume per label), as labels with their table, and the template's tissue."""

    regions: Path
    regions_dseg: Path
    regions_table: Path
    grey_matter: Path
    tissue: Path
    brain: Path
    sources: dict


def make_regions(
    bold_mask: Path,
    space: str,
    nac: str,
    mpfc: str,
    *,
    aseg: Path | None = None,
    aparcaseg: Path | None = None,
    anat2std_xfm: Path | None = None,
    files: list[Path] | None = None,
    out_dir: Path,
) -> Regions:
    """Put the regions, the template's grey matter and its brain on the grid of a BOLD mask.

    Parameters
    ----------
    bold_mask
        Functional mask in ``space``; only its grid is used.
    space
        Name of the template space of the BOLD series.
    nac, mpfc
        Choice of region, see :func:`~pipelines.interfaces.atlas.region_pair`.
    aseg, aparcaseg, anat2std_xfm
        FreeSurfer's labels in anatomical space and the transform that resamples them here.
    files
        Images that the choices name; a change of them repeats this step.

    Raises
    ------
    ParameterError
        Unknown choice, naming those offered.
    DataError
        A region lies elsewhere or on the other side than the manifest says, or is empty.

    """
    grid = open_image(bold_mask)
    positions = regions.voxel_centres(grid.shape[:3], grid.affine)
    segmentation = Segmentation(aseg, aparcaseg, anat2std_xfm)
    choices = dict(zip(STRUCTURES, (nac, mpfc)))
    drawn = {n: region_pair(n, choice, space, positions, segmentation) for n, choice in choices.items()}
    stack = stack_regions(drawn, choices, bold_mask)
    volumes, transform = template_volumes(space, positions)
    saved = {
        name: save_volume(volume.astype(np.uint8), grid, out_dir / f'{name}.nii.gz')
        for name, volume in {
            'regions': np.moveaxis(stack, 0, -1),
            'regions_dseg': label_image(stack),
            **volumes,
        }.items()
    }
    table = save_table(region_table(stack, grid, drawn, choices), out_dir / 'regions.tsv')
    transforms = {f'{name}Transform': pair.transform for name, pair in drawn.items()}
    sources = {'Space': space, **choices, **transforms, 'GreyMatterTransform': transform}
    return Regions(**saved, regions_table=table, sources=sources)


def template_volumes(space: str, positions: np.ndarray) -> tuple[dict[str, np.ndarray], str]:
    """Return grey matter, tissue labels and brain of a template at positions, (X, Y, Z) each.

    Parameters
    ----------
    space
        Template space.
    positions
        (X, Y, Z, 3) mm.

    Returns
    -------
    tuple
        ``grey_matter`` (probability above 0.5, cortex and nuclei), ``tissue`` (see
        :data:`TISSUE_LABELS`) and ``brain``; and by which transform the grey matter came here.

    """
    brain, _ = from_template(templates.target_brain(space), space, space, positions)
    near = _around(brain > 0, positions)
    prior, prior_space = templates.tissue_prior('gm')
    grey, atlas = np.zeros(brain.shape, np.float32), np.full(brain.shape, -1.0, np.float32)
    grey[near], transform = from_template(prior, prior_space, space, positions[near])
    about = manifest()['harvard-oxford']
    labels, affine = atlas_labels()
    points, _ = to_source(about['Space'], space, positions[near])
    # 0 is outside the atlas, so labels are sampled one up
    atlas[near] = sample((labels + 1).astype(np.float32), affine, points, 0).reshape(grey[near].shape) - 1
    deep, fluid = np.isin(atlas, about['DeepGrey']), np.isin(atlas, about['Ventricles'])
    cortex = (grey > _GREY_MATTER * (255.0 if grey.max() > 1 else 1.0)) & ~fluid
    tissue = np.select([deep, fluid, cortex], [2, 3, 1], 0)
    return {'grey_matter': cortex | deep, 'tissue': tissue, 'brain': brain > 0}, transform


def _around(mask: np.ndarray, positions: np.ndarray) -> tuple[slice, ...]:
    """Return the box of a brain and what the templates of others reach beyond it; all where there is no brain."""
    if not mask.any():
        return (slice(None),) * 3
    beyond = np.ceil(_BEYOND / np.linalg.norm(regions.grid_affine(positions)[:3, :3], axis=0)).astype(int)
    ends = [np.flatnonzero(mask.any(axis=axes))[[0, -1]] for axes in ((1, 2), (0, 2), (0, 1))]
    return tuple(slice(max(0, low - more), high + more + 1) for (low, high), more in zip(ends, beyond))


def from_template(path: Path, source: str, target: str, positions: np.ndarray) -> tuple[np.ndarray, str]:
    """Sample a 3D template image of ``source`` at positions of ``target``; also say by which transform."""
    image = open_image(path)
    points, provenance = to_source(source, target, positions)
    values = sample_object(values_of(image), image.affine, points, 1)
    return values.reshape(positions.shape[:3]), provenance


def stack_regions(drawn: dict[str, Drawn], choices: dict[str, str], bold_mask: Path) -> np.ndarray:
    """Return (6, X, Y, Z) masks in the order of the labels."""
    stack = np.stack([m for pair in drawn.values() for m in (*pair.masks, pair.masks.any(axis=0))])
    for label, volume in zip(REGIONS, stack):
        if not volume.any():
            choice = choices[REGIONS[label].structure]
            raise DataError(f'region {label} ({choice}) has no voxel on the grid of {bold_mask}.')
    return stack


def label_image(stack: np.ndarray) -> np.ndarray:
    """Return (X, Y, Z) the index of the one-sided region in the table of each voxel, 0 elsewhere."""
    labels = np.zeros(stack.shape[1:], np.uint8)
    for index, (name, volume) in enumerate(zip(REGIONS, stack), 1):
        if name not in STRUCTURES:
            labels[volume] = index
    return labels


def region_table(
    stack: np.ndarray, grid: nb.Nifti1Image, drawn: dict[str, Drawn], choices: dict[str, str]
) -> pd.DataFrame:
    """Return a row per region: label, source, transform, volume in mm^3 and centre in RAS mm."""
    voxel = float(abs(np.linalg.det(grid.affine[:3, :3])))
    rows = []
    for number, (label, volume) in enumerate(zip(REGIONS, stack), 1):
        name = REGIONS[label].structure
        centre = np.round(regions.centroid(volume, grid.affine), 2)
        rows.append((number, label, choices[name], drawn[name].transform, volume.sum() * voxel, *centre))
    return pd.DataFrame(rows, columns=['index', 'name', 'source', 'transform', 'volume', 'x', 'y', 'z'])


MakeRegions = interface(make_regions, is_brief=True)
