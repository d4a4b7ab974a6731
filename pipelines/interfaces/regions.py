"""Regions of interest, tissue and brain of the template on the grid of a BOLD series."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Literal, NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd

from ..errors import DataError
from ..numerics import regions
from ..numerics.resample import sample
from ..terms import FLAGS, Circuit, Structure
from . import templates
from ._interface import interface
from .atlas import atlases, open_atlas, sample_object, to_source
from .choices import AtlasName, Segmentation
from .design import save_table
from .drawing import Canvas, Drawn, draw_structure
from .headers import open_image
from .images import save_volume, values_of
from .terms_of_use import is_free

TISSUE_LABELS = {1: 'grey matter', 2: 'deep grey matter', 3: 'CSF', 0: 'other'}
"""Labels of the tissue image, in the order of the carpet: cortex, nuclei, ventricles, the rest."""

_GREY_MATTER = 0.5
_BEYOND = 20.0  # mm
_LARGEST = 0.2  # of the brain
_FEW_VOXELS = 4


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
    circuit: Circuit,
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
    circuit
        What is drawn, see :func:`~pipelines.interfaces.drawing.draw_structure`.
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
    canvas = Canvas(space, positions, Segmentation(aseg, aparcaseg, anat2std_xfm))
    drawn, stack = draw_circuit(circuit, canvas, bold_mask)
    volumes, transform = template_volumes(space, positions, free=is_free(circuit, space))
    check_inside(stack, volumes['brain'], circuit)
    saved = {
        name: save_volume(_compact(volume), grid, out_dir / f'{name}.nii.gz')
        for name, volume in {
            'regions': np.moveaxis(stack, 0, -1),
            'regions_dseg': label_image(stack, circuit),
            **volumes,
        }.items()
    }
    table = save_table(region_table(stack, grid, drawn, circuit), out_dir / 'regions.tsv')
    sources = {'Space': space, **tell_sources(circuit, drawn), 'GreyMatterTransform': transform}
    return Regions(**saved, regions_table=table, sources=sources)


def _compact(volume: np.ndarray) -> np.ndarray:
    """Return a volume of labels in one byte each, in two where there are many."""
    return volume if volume.dtype == np.uint16 else volume.astype(np.uint8)


def template_volumes(
    space: str, positions: np.ndarray, *, free: bool = False
) -> tuple[dict[str, np.ndarray], str]:
    """Return grey matter, tissue labels and brain of a template at positions, (X, Y, Z) each.

    Parameters
    ----------
    space
        Template space.
    positions
        (X, Y, Z, 3) mm.
    free
        Take nuclei and ventricles from what is not under the licence of FSL.

    Returns
    -------
    tuple
        ``grey_matter`` (probability above 0.5, cortex and nuclei), ``tissue`` (see
        :data:`TISSUE_LABELS`) and ``brain``; and by which transform the grey matter came here.

    Notes
    -----
    Nuclei and ventricles are those of the Harvard-Oxford atlas; free ones the nuclei of CIT168, which has no thalamus,
    hippocampus or amygdala (the prior has most of them), and :func:`~pipelines.numerics.regions.ventricles`.  At 2 mm in MNI152NLin2009cAsym both grey matters are the same to a Dice of 0.99.

    """
    brain = template_brain(space, positions)
    near = _around(brain, positions)
    grey, whole, transform = _prior('gm', space, positions, near)
    if free:
        deep = _atlas_at('cit168', space, positions, near) > 0
        white, of_white, _ = _prior('wm', space, positions, near)
        fluid = regions.ventricles(brain, grey / whole + white / of_white, positions)
    else:
        about, found = atlases()['harvard-oxford'], _atlas_at('harvard-oxford', space, positions, near)
        deep, fluid = np.isin(found, about['DeepGrey']), np.isin(found, about['Ventricles'])
    cortex = (grey > _GREY_MATTER * whole) & ~fluid
    tissue = np.select([deep, fluid, cortex], [2, 3, 1], 0)
    return {'grey_matter': cortex | deep, 'tissue': tissue, 'brain': brain}, transform


def _prior(
    tissue: Literal['gm', 'wm'], space: str, positions: np.ndarray, near: tuple[slice, ...]
) -> tuple[np.ndarray, float, str]:
    """Return a tissue prior at positions, 0 away from the brain; what stands for certain; and by which transform."""
    prior, prior_space = templates.tissue_prior(tissue)
    values = np.zeros(positions.shape[:3], np.float32)
    values[near], transform = from_template(prior, prior_space, space, positions[near])
    return values, 255.0 if values.max() > 1 else 1.0, transform


def _atlas_at(name: AtlasName, space: str, positions: np.ndarray, near: tuple[slice, ...]) -> np.ndarray:
    """Return the labels of an atlas at positions, the number of no label away from the brain."""
    atlas = open_atlas(name)
    found = np.full(positions.shape[:3], atlas.none, np.float32)
    points, _ = to_source(atlas.space, space, positions[near])
    # 0 is outside an image, so labels are sampled from the number of none up
    raised = (atlas.labels - atlas.none).astype(np.float32)
    found[near] += sample(raised, atlas.affine, points, 0).reshape(found[near].shape)
    return found


def template_brain(space: str, positions: np.ndarray) -> np.ndarray:
    """Return whether positions (X, Y, Z, 3) of a template lie in its brain."""
    return from_template(templates.target_brain(space), space, space, positions)[0] > 0


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


def draw_circuit(circuit: Circuit, canvas: Canvas, grid: Path) -> tuple[dict[str, Drawn], np.ndarray]:
    """Return each structure as it was drawn, and the masks of all regions (R, X, Y, Z) in the order of their labels.

    Raises
    ------
    DataError
        A region has no voxel on the grid, or is for the most part another one.

    """
    drawn = {own.name: draw_structure(own, canvas) for own in circuit.structures}
    masks = {label: mask for own in circuit.structures for label, mask in _masks_of(own, drawn[own.name])}
    stack = np.stack([masks[label] for label in circuit.regions])
    for (label, region), volume in zip(circuit.regions.items(), stack):
        if not volume.any():
            choice = circuit.by_name[region.structure].choice
            raise DataError(f'region {label} ({choice}) has no voxel on the grid of {grid}.')
    for first, second in combinations(circuit.drawn, 2):
        share = regions.overlap(masks[first], masks[second])
        if share > regions.MAX_OVERLAP:
            raise DataError(
                f'regions {first} and {second} share {share:.0%} of the smaller one; half is allowed. Correct a source, '
                'or leave one out.'
            )
    return drawn, stack


def _masks_of(own: Structure, drawn: Drawn) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the mask of each label of a structure."""
    sides = dict(zip(own.sides, drawn.masks))
    for region in own.regions():
        yield region.name, sides.get(region.hemisphere, drawn.masks.any(axis=0))


def check_inside(stack: np.ndarray, brain: np.ndarray, circuit: Circuit) -> None:
    """Refuse regions that lie outside the brain for the most part, or that are no part of it but most of it.

    Raises
    ------
    DataError
        Naming the region.

    """
    for label, volume in zip(circuit.regions, stack):
        inside = (volume & brain).sum()
        choice = circuit.by_name[circuit.regions[label].structure].choice
        if inside < 0.5 * volume.sum():
            share = inside / volume.sum()
            raise DataError(
                f'region {label} ({choice}) lies outside the brain: {share:.0%} of it is inside. Correct its source.'
            )
        if inside > _LARGEST * brain.sum():
            raise DataError(
                f'region {label} ({choice}) is {inside / brain.sum():.0%} of the brain. Name the label that is meant.'
            )


def region_flags(stack: np.ndarray, circuit: Circuit) -> dict[str, list[str]]:
    """Return what limits each region by its shape: few voxels, or voxels that it shares with another."""
    masks = dict(zip(circuit.regions, stack))
    shared = {
        label
        for pair in combinations(circuit.drawn, 2)
        if (masks[pair[0]] & masks[pair[1]]).any()
        for label in pair
    }
    return {
        label: [
            *[FLAGS['small'].name] * bool(masks[label].sum() < _FEW_VOXELS),
            *[FLAGS['overlap'].name] * (label in shared),
        ]
        for label in circuit.regions
    }


def label_image(stack: np.ndarray, circuit: Circuit) -> np.ndarray:
    """Return (X, Y, Z) the number of the region of each voxel, 0 elsewhere; the first has what two share."""
    many = len(circuit.regions) > np.iinfo(np.uint8).max
    labels = np.zeros(stack.shape[1:], np.uint16 if many else np.uint8)
    masks = dict(zip(circuit.regions, stack))
    for label in reversed(circuit.drawn):
        labels[masks[label]] = circuit.numbers(label)[0]
    return labels


def region_table(
    stack: np.ndarray, grid: nb.Nifti1Image, drawn: dict[str, Drawn], circuit: Circuit
) -> pd.DataFrame:
    """Return a row per region: label, source, transform, volume in mm^3 and centre in RAS mm."""
    voxel = float(abs(np.linalg.det(grid.affine[:3, :3])))
    rows = []
    for number, (region, volume) in enumerate(zip(circuit.regions.values(), stack), 1):
        own = circuit.by_name[region.structure]
        source = dict(own.sources).get(region.hemisphere, own.choice)
        centre = np.round(regions.centroid(volume, grid.affine), 2)
        rows.append((number, region.name, source, drawn[own.name].transform, volume.sum() * voxel, *centre))
    return pd.DataFrame(rows, columns=['index', 'name', 'source', 'transform', 'volume', 'x', 'y', 'z'])


def tell_sources(circuit: Circuit, drawn: dict[str, Drawn]) -> dict[str, object]:
    """Return what sidecars say of the regions: sources, transforms, and the pairs whose connection is reported."""
    return {
        **{own.name: own.choice for own in circuit.structures},
        **{f'{name}Transform': own.transform for name, own in drawn.items()},
        'Pairs': [[pair.first, pair.second] for pair in circuit.reported],
    }


MakeRegions = interface(make_regions, is_brief=True)
