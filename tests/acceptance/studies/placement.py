"""Lay regions of the template into heads whose shape is known, well and badly, and record what tells the two apart."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial.transform import Rotation

from pipelines.interfaces.atlas import open_atlas, to_source
from pipelines.interfaces.templates import label_names, target_brain, tissue_prior
from pipelines.numerics.placement import MOSTLY_GREY, AroundRegion, misplaced, place_region, volume_growth
from pipelines.numerics.regions import voxel_centres
from pipelines.numerics.resample import apply_field, apply_linear, sample
from pipelines.simulated.head import small_affine
from tests.acceptance.studies import divide

N_HEADS = 40
GOOD_MM, BAD_MM = 1.5, 2.5
"""How near to the truth a good registration puts the centre of a region, and how far away a bad one at least."""

KINDS = ('good', 'shift_3mm', 'shift_4mm', 'shift_6mm', 'tilt', 'failed')
TABLE = 'placement.tsv'
REGIONS = ('Accumbens', 'Frontal Medial Cortex', 'Amygdala', 'Thalamus', 'Caudate', 'Insular Cortex')
MEASURES = ('correlation', 'relative_grey', 'relative_volume')

_SPACE = 'MNI152NLin6Asym'
_SHAPE_MM, _SHAPE_SD = (
    15.0,
    3.0,
)  # of how heads differ: smoothness, and size per axis, mm; volumes of regions by a fifth
_REST_MM, _REST_SD = 10.0, 0.5  # what a good registration leaves over
_FOLDS_MM, _FOLDS_SD = 3.0, 0.8  # borders that differ between people, which none takes away
_FAILED_MM, _FAILED_SD = 8.0, 4.0  # a deformation that followed other structures
_TILT, _CENTRE = 12.0, np.array([0.0, -18.0, 8.0])  # degrees, about the middle of the brain
_GRID_MM = 3.0  # of random fields
_REACH = 14  # voxels of 1 mm around a region

Way = Callable[[np.ndarray], np.ndarray]
"""Where points (N, 3) go."""


class Template(NamedTuple):
    """Brain and probability of grey matter, each with its affine, and regions by name on the grid of the brain."""

    brain: tuple[np.ndarray, np.ndarray]
    grey: tuple[np.ndarray, np.ndarray]
    regions: dict[str, np.ndarray]


@cache
def load_template() -> Template:
    """Return the template, its brain in units of the 99th percentile."""
    image = nb.load(target_brain(_SPACE))
    brain = np.asarray(image.dataobj, np.float32)
    brain /= np.percentile(brain[brain > 0], 99)
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = -90, -126, -72
    prior, space = tissue_prior('gm')
    given = nb.load(prior)
    points, _ = to_source(space, _SPACE, voxel_centres((91, 109, 91), affine))
    grey = sample(np.asarray(given.dataobj, np.float32), given.affine, points).reshape(91, 109, 91)
    atlas, names = open_atlas('harvard-oxford'), label_names('harvard-oxford')
    at = voxel_centres(brain.shape, image.affine).reshape(-1, 3)
    labels = sample(atlas.labels.astype(np.float32) + 1, atlas.affine, at, 0).reshape(brain.shape) - 1
    regions = {
        f'{side} {name}': labels == number
        for name in REGIONS
        for side in ('Left', 'Right')
        for number, own in names.items()
        if own == f'{side} {name}'
    }
    return Template((brain, image.affine), (grey / grey.max(), affine), regions)


def random_way(rng: np.random.Generator, smoothness: float, sd: float) -> Way:
    """Return a random displacement: Gaussian, correlated over ``smoothness`` and of ``sd`` mm per axis."""
    shape, affine = (64, 76, 64), np.diag([_GRID_MM] * 3 + [1.0])
    affine[:3, 3] = -96, -132, -78
    values = rng.standard_normal((*shape, 3))
    values = ndimage.gaussian_filter(values, (*[smoothness / _GRID_MM] * 3, 0), mode='wrap')
    values *= sd / values.std()
    return lambda points: apply_field(values, affine, points)


def chain(*ways: Way) -> Way:
    """Return one way after the other."""

    def go(points: np.ndarray) -> np.ndarray:
        for way in ways:
            points = way(points)
        return points

    return go


def shift_by(away: np.ndarray) -> Way:
    """Return a shift (3,), mm."""
    return lambda points: points + away


def errors_of(rng: np.random.Generator) -> dict[str, Way]:
    """Return what registrations of each kind do wrong: from points of the template to those they take them for."""
    rest = chain(random_way(rng, _REST_MM, _REST_SD), random_way(rng, _FOLDS_MM, _FOLDS_SD))
    away = rng.standard_normal(3)
    away /= np.linalg.norm(away)
    turned = rng.standard_normal(3)
    turn = Rotation.from_rotvec(_TILT * turned / np.linalg.norm(turned), degrees=True).as_matrix()
    return {
        'good': rest,
        **{f'shift_{mm}mm': chain(rest, shift_by(mm * away)) for mm in (3, 4, 6)},
        'tilt': chain(rest, lambda points: (points - _CENTRE) @ turn.T + _CENTRE),
        'failed': chain(rest, random_way(rng, _FAILED_MM, _FAILED_SD)),
    }


def judge(number: int) -> Iterator[dict[str, object]]:
    """Yield a row per region and kind of registration of a head, of one of its sides."""
    rng, template = np.random.default_rng(number), load_template()
    matrix, shape = small_affine(rng), random_way(rng, _SHAPE_MM, _SHAPE_SD)
    truth = chain(shape, lambda points: apply_linear(matrix, points))
    contrast, noise, blur = rng.uniform(0.7, 1.4), rng.uniform(0.01, 0.04), rng.uniform(0.3, 0.8)
    for kind, wrong in errors_of(rng).items():
        for name, region in list(template.regions.items())[number % 2 :: 2]:  # a side of each
            box, corner = box_around(region)
            points = voxel_centres(region[box].shape, corner)
            taken = wrong(points.reshape(-1, 3))
            t1w = sample(*template.brain, taken).reshape(points.shape[:3]) ** contrast
            t1w = ndimage.gaussian_filter(t1w + noise * rng.standard_normal(t1w.shape), blur)
            grey = sample(*template.grey, taken).reshape(t1w.shape)
            growth = np.abs(volume_growth(truth(taken).reshape(points.shape), np.ones(3)))
            own = region[box]
            around = AroundRegion(own, template.brain[0][box], t1w, grey, growth, np.ones(3))
            found = place_region(around, float(np.linalg.det(matrix[:3, :3])))
            expected = float(sample(*template.grey, points[own]).mean())
            error = np.linalg.norm((taken.reshape(points.shape) - points)[own].mean(axis=0))
            yield {
                'head': number, 'kind': kind, 'region': name.split(' ', 1)[1], 'error': float(error),
                'correlation': found.correlation, 'relative_volume': found.relative_volume,
                'relative_grey': found.grey_matter / expected if expected >= MOSTLY_GREY else np.nan,
                'is_flagged': misplaced(found, expected),
            }  # fmt: skip


def box_around(region: np.ndarray) -> tuple[tuple[slice, ...], np.ndarray]:
    """Return the box of a region with what is compared around it, and its affine."""
    affine = load_template().brain[1]
    found = np.argwhere(region)
    low, high = found.min(axis=0) - _REACH, found.max(axis=0) + _REACH + 1
    low, high = np.maximum(low, 0), np.minimum(high, region.shape)
    corner = affine.copy()
    corner[:3, 3] = apply_linear(affine, low[None].astype(float))[0]
    return tuple(slice(a, b) for a, b in zip(low, high)), corner


def simulate(heads: range) -> pd.DataFrame:
    """Return the rows of these heads."""
    return pd.DataFrame([row for number in heads for row in judge(number)])


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Return per kind and region, and over all regions, what 95 % exceed, medians, and how many are flagged.

    Of good registrations those count whose region is where :data:`GOOD_MM` says, of bad ones where :data:`BAD_MM` does.
    """
    is_good = rows['kind'] == 'good'
    counted = rows[np.where(is_good, rows['error'] < GOOD_MM, rows['error'] > BAD_MM)]
    parts = [('all', counted), *counted.groupby('region', sort=False)]
    found = []
    for region, part in parts:
        for kind, own in part.groupby('kind', sort=False):
            found.append({
                'region': region, 'kind': kind, 'n': len(own), 'error': own['error'].median(),
                **{f'{name}_q05': own[name].quantile(0.05) for name in MEASURES},
                **{f'{name}_median': own[name].median() for name in MEASURES},
                'flagged': own['is_flagged'].mean(),
            })  # fmt: skip
    return pd.DataFrame(found)


def make() -> pd.DataFrame:
    """Return the table."""
    return summarise(pd.concat(divide(simulate, range(N_HEADS))))
