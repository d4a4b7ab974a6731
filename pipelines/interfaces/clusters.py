"""Name the clusters of a group map."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial import KDTree

from ..numerics.resample import apply_linear, voxel_sizes
from ._interface import interface
from .atlas import open_atlas, sample_object, to_source
from .choices import AtlasName
from .headers import open_image
from .over_maps import OverMaps
from .trial import write_table

SIGNIFICANT_P = 0.05
CLUSTER_COLUMNS = (
    'map', 'contrast', 'cluster', 'sign', 'volume', 'peak_x', 'peak_y', 'peak_z', 'peak_statistic',
    'peak_p_corrected', 'peak_p_over_maps', 'peak_region', 'regions',
)  # fmt: skip
_NONE = 'none'  # name of what is in no region
_NAMED = 3  # regions that a cluster's row lists


@dataclass(frozen=True)
class MapPlace:
    """The template that maps lie on, and the atlas that names places in it."""

    space: str
    atlas: AtlasName = 'harvard-oxford'


class _Clusters(NamedTuple):
    clusters: Path


def list_clusters(
    maps: list[str],
    contrasts: list[list[str]],
    statistics: list[list[Path]],
    log_p_max_tfce: list[list[Path]],
    nulls: list[Path],
    place: MapPlace,
    *,
    out_dir: Path,
) -> _Clusters:
    """List the clusters where TFCE is significant, with the regions they lie in.

    Parameters
    ----------
    maps, contrasts
        Kinds of maps, and what was tested of each.
    statistics, log_p_max_tfce
        t or F, and -log10 of p corrected by the largest TFCE, of each kind in the order of its contrasts.
    nulls
        Of :func:`~pipelines.interfaces.voxelwise.infer_maps`.
    place
        Template of the images, and the atlas that names the regions.
    out_dir
        Folder of the table.

    Returns
    -------
    _Clusters
        A row per cluster: volume in mm^3, peak of t or F in mm, corrected p at the peak (two-sided, all voxels
        of the map; and of all maps), region of the peak, the nearest one with its distance where the peak is in none,
        and the share of the cluster in its largest regions.
        No row where nothing is significant.

    """
    over = OverMaps(maps, nulls)
    rows = [
        {
            'map': kind, 'contrast': contrast, **row,
            'peak_p_over_maps': float(over.p(kind, contrast, np.array([row['peak_p_corrected']]), 'largest_tfce')[0]),
        }
        for kind, *tests in zip(maps, contrasts, statistics, log_p_max_tfce, strict=True)
        for contrast, statistic, log_p in zip(*tests, strict=True)
        for row in _clusters_of(statistic, log_p, place.space, place.atlas)
    ]  # fmt: skip
    return _Clusters(write_table(pd.DataFrame(rows, columns=list(CLUSTER_COLUMNS)), out_dir / 'clusters.tsv'))


ListClusters = interface(list_clusters, is_brief=True)


def _clusters_of(statistic_map: Path, log_p_map: Path, space: str, atlas: AtlasName) -> list[dict[str, Any]]:
    image = open_image(statistic_map)
    statistic = np.asarray(image.dataobj, float)
    log_p = np.asarray(open_image(log_p_map).dataobj, float)
    affine, found = np.asarray(image.affine, float), []
    for sign, name in ((1, 'positive'), (-1, 'negative')):
        inside = (log_p > -np.log10(SIGNIFICANT_P)) & (sign * statistic > 0)
        labels, count = ndimage.label(inside, np.ones((3, 3, 3)))
        for number in range(1, count + 1):
            voxels = np.argwhere(labels == number)
            t = statistic[tuple(voxels.T)]
            peak = voxels[np.argmax(np.abs(t))]
            names = name_points(apply_linear(affine, voxels.astype(float)), space, atlas)
            shares = names.value_counts(normalize=True).head(_NAMED)
            x, y, z = apply_linear(affine, peak[None].astype(float))[0].round(1)
            found.append({
                'sign': name,
                'volume': len(voxels) * float(np.prod(voxel_sizes(affine))),
                'peak_x': x, 'peak_y': y, 'peak_z': z, 'peak_statistic': float(statistic[tuple(peak)]),
                'peak_p_corrected': float(10 ** -log_p[tuple(peak)]),
                'peak_region': name_peak(apply_linear(affine, peak[None].astype(float)), space, atlas),
                'regions': '; '.join(f'{share:.0%} {region}' for region, share in shares.items()),
            })  # fmt: skip
    found.sort(key=lambda row: -row['volume'])
    return [{**row, 'cluster': number} for number, row in enumerate(found, 1)]


def name_points(points: np.ndarray, space: str, atlas: AtlasName = 'harvard-oxford') -> pd.Series:
    """Return the region of an atlas of points (N, 3) in mm of a template; ``none`` outside all of them."""
    own = open_atlas(atlas)
    at, _ = to_source(own.space, space, points)
    labels = sample_object(own.labels - own.none, own.affine, at, 0).astype(int) + own.none
    return pd.Series([own.names.get(label, _NONE) for label in labels.tolist()])


def name_peak(point: np.ndarray, space: str, atlas: AtlasName = 'harvard-oxford') -> str:
    """Return the region of a point (1, 3) in mm of a template, or the nearest one and how far away it is.

    Notes
    -----
    The distance is that to the middle of the nearest voxel of the atlas that has a label, in the atlas' space.

    """
    (name,) = name_points(point, space, atlas)
    if name != _NONE:
        return str(name)
    tree, labels = _labelled(atlas)
    own = open_atlas(atlas)
    at, _ = to_source(own.space, space, point)
    distance, number = tree.query(at[0])
    return f'{own.names[int(labels[number])]}, {distance:.0f} mm away'


@cache
def _labelled(atlas: AtlasName) -> tuple[KDTree, np.ndarray]:
    """Return the middles (mm) of the atlas' voxels that have a label, and their labels."""
    own = open_atlas(atlas)
    inside = own.labels != own.none
    return KDTree(apply_linear(own.affine, np.argwhere(inside).astype(float))), own.labels[inside]
