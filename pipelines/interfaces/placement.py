"""How the regions of a circuit lie in a person to whom a template was brought."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..numerics.placement import (
    LIMITS,
    MARGIN_MM,
    AroundRegion,
    RegionPlacement,
    misplaced,
    place_region,
    volume_growth,
)
from ..numerics.regions import voxel_centres
from ..numerics.resample import apply_linear, sample, voxel_sizes
from ..terms import Circuit, Structure, join_flags, raised
from ._anatomy import load
from ._series import write_volume
from .atlas import point_map
from .choices import FREESURFER, OWN_SPACES
from .design import save_table
from .drawing import Canvas, draw_structure, parse_source
from .headers import open_image
from .regions import from_template
from .templates import target_brain, tissue_prior

_COARSE_MM = 4.0  # of the grid on which the growth of the brain is averaged
_BEYOND = 2.0  # mm around what is compared: derivatives are central differences

ALL_BRAIN = 'BrainGrowth'
"""Fact: volume of the person's brain over that of the template."""


class PlacementFiles(NamedTuple):
    """Table of the regions, their numbers on the grid of the template, and facts."""

    placement_table: Path
    placement_dseg: Path
    facts: dict[str, Any]


class _Person(NamedTuple):
    """The brain of a person, where the image ends, grey matter, and the way there from the template."""

    brain: tuple[np.ndarray, np.ndarray]
    extent: tuple[tuple[int, ...], np.ndarray]
    grey_matter: tuple[np.ndarray, np.ndarray] | None
    way: Callable[[np.ndarray], np.ndarray]


def judge_placement(
    brain: Path,
    t1w_mask: Path,
    anat2std_xfm: Path,
    space: str,
    circuit: Circuit,
    probseg_gm: Path | None = None,
    *,
    out_dir: Path,
) -> PlacementFiles:
    """Judge how each region of a circuit lies in a person.

    Parameters
    ----------
    brain
        Bias-corrected brain, 0 outside.
    t1w_mask
        Brain mask on the grid of the T1w image, which tells where that ends.
    anat2std_xfm
        Points of the template to points of the person.
    space
        Template.
    circuit
        Its regions; those that lie in a person's own space, or are FreeSurfer's, are not brought by this way.
    probseg_gm
        Probability of grey matter; without it no share of it is told.
    out_dir
        Folder of the results.

    """
    template, affine = load(target_brain(space))
    person = _Person(
        load(brain), _extent(t1w_mask), load(probseg_gm) if probseg_gm else None, point_map(anat2std_xfm)
    )
    masks = _carried(circuit, space, template, affine)
    growth = _brain_growth(template, affine, person.way)
    rows, labels = [], np.zeros(template.shape, np.uint16)
    for number, label in reversed(list(enumerate(circuit.drawn, 1))):
        mask = masks.get(label)
        if mask is not None:
            labels[mask] = number  # what regions share is the first one's
        rows.append((label, *_judged(mask, (template, affine), space, person, growth)))
    table = pd.DataFrame(rows[::-1], columns=['region', *_COLUMNS])
    saved = save_table(table.round(4), out_dir / 'placement.tsv')
    dseg = write_volume(labels, affine, out_dir / 'placement_dseg.nii.gz')
    return PlacementFiles(saved, dseg, {ALL_BRAIN: round(growth, 4), 'PlacementLimits': dict(LIMITS)})


_COLUMNS = (*RegionPlacement._fields, 'template_grey_matter', 'x', 'y', 'z', 'flags')


def _extent(path: Path) -> tuple[tuple[int, ...], np.ndarray]:
    image = open_image(path)
    return image.shape[:3], np.asarray(image.affine, float)


def is_carried(own: Structure) -> bool:
    """Return whether a structure comes to a person from a template, by the registration of the T1w image."""
    sources = [parse_source(own, text) for _, text in own.sources]
    return all(source.kind != FREESURFER and source.space not in OWN_SPACES for source in sources)


def _carried(circuit: Circuit, space: str, template: np.ndarray, affine: np.ndarray) -> dict[str, np.ndarray]:
    """Return the masks (X, Y, Z) of what is carried by its label, each that has a voxel on the grid of the template."""
    own = [structure for structure in circuit.structures if is_carried(structure)]
    if not own:
        return {}
    canvas = Canvas(space, voxel_centres(template.shape, affine))
    masks = {s.label(side): mask for s in own for side, mask in zip(s.sides, draw_structure(s, canvas).masks)}
    return {label: mask for label, mask in masks.items() if mask.any()}


def _brain_growth(template: np.ndarray, affine: np.ndarray, way: Callable[[np.ndarray], np.ndarray]) -> float:
    """Return the volume of a person's brain over that of the template."""
    step = max(1, round(_COARSE_MM / voxel_sizes(affine).mean()))
    coarse = affine @ np.diag([step, step, step, 1.0])
    inside = template[::step, ::step, ::step] > 0
    return float(np.abs(_growth(inside.shape, coarse, way)[0][inside]).mean())


def _growth(
    shape: tuple[int, ...], affine: np.ndarray, way: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the growth (X, Y, Z) of a grid of the template, and where its points come to lie, (X, Y, Z, 3) mm."""
    points = way(voxel_centres(shape, affine).reshape(-1, 3)).reshape(*shape, 3)
    sign = np.sign(np.linalg.det(affine[:3, :3]))  # templates may count from right to left
    return sign * volume_growth(points, voxel_sizes(affine)), points


def _judged(
    mask: np.ndarray | None,
    fixed: tuple[np.ndarray, np.ndarray],
    space: str,
    person: _Person,
    growth: float,
) -> Iterator[float | str]:
    """Yield the cells of a region's row behind its label; all n/a where it is not carried."""
    if mask is None:
        yield from [np.nan] * (len(_COLUMNS) - 1)
        yield 'n/a'
        return
    template, affine = fixed
    box, corner = _box(mask, affine)
    own, points = _growth(mask[box].shape, corner, person.way)
    around = AroundRegion(mask[box], template[box], *_seen(person, points), own, voxel_sizes(affine))
    found = place_region(around, growth)
    prior, _ = from_template(*tissue_prior('gm'), space, voxel_centres(mask[box].shape, corner))
    expected = float(prior[mask[box]].mean() / (255.0 if prior.max() > 1 else 1.0))
    yield from found
    yield expected
    yield from points[mask[box]].mean(axis=0)
    yield join_flags(raised(placement=misplaced(found, expected))) or 'n/a'


def _box(mask: np.ndarray, affine: np.ndarray) -> tuple[tuple[slice, ...], np.ndarray]:
    """Return the box of what is compared around a region, and its affine."""
    reach = np.ceil((MARGIN_MM + _BEYOND) / voxel_sizes(affine)).astype(int)
    found = np.argwhere(mask)
    low = np.maximum(found.min(axis=0) - reach, 0)
    high = np.minimum(found.max(axis=0) + reach + 1, mask.shape)
    corner = affine.copy()
    corner[:3, 3] = apply_linear(affine, low[None].astype(float))[0]
    return tuple(slice(a, b) for a, b in zip(low, high)), corner


def _seen(person: _Person, points: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the brain, NaN beyond the image, and its grey matter at points (X, Y, Z, 3), (X, Y, Z) each."""
    shape, flat = points.shape[:3], points.reshape(-1, 3)
    size, affine = person.extent
    at = apply_linear(np.linalg.inv(affine), flat)
    is_shown = np.all((at >= -0.5) & (at <= np.array(size) - 0.5), axis=1)
    brain = np.where(is_shown, sample(*person.brain, flat), np.nan).reshape(shape)
    return brain, sample(*person.grey_matter, flat).reshape(shape) if person.grey_matter else None
