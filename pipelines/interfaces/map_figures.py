"""Figures of maps and matrices of connectivity as files, as those of :mod:`.figures`."""

from pathlib import Path

import numpy as np
import pandas as pd

from .. import figures
from ..figures import Overlay
from ..terms import MEASURES, Circuit
from ._pictures import MNI_BOX, Figured, on, save

_MANY_SEEDS = 12
"""Rows of cuts that a picture has room for; all maps are files."""

_MANY_LABELS = 18
"""Rows and columns whose names can be read."""

_MAP_CUTS = [(0, -9.0), (0, 2.0), (0, 9.0), (1, 12.0), (1, 44.0), (2, -8.0), (2, 28.0)]
"""Cuts through the nucleus accumbens, the medial prefrontal and the posterior cingulate cortex (mm)."""


def plot_seed_maps(
    seed_maps: list[Path],
    mean_bold: Path,
    metadata: dict,
    circuit: Circuit,
    background: Path | None = None,
    *,
    out_dir: Path,
) -> Figured:
    """Draw one row of cuts per seed map; of many seeds those of both sides and on the midline only.

    Parameters
    ----------
    seed_maps
        Fisher z, one map per seed.
    mean_bold
        Grey image beneath the maps unless ``background`` is given.
    metadata
        ``DegreesOfFreedom`` nu: the outline is at 3.29 standard errors, |z| = 3.29 / sqrt(nu - 2)
        (two-sided p < 0.001 for one voxel, not corrected for their number).
    circuit
        Its seeds.

    """
    seeds = dict(zip((region.name for region in circuit.seeds), seed_maps))
    mains = [name for name in circuit.mains if name in seeds]
    shown = list(seeds) if len(seeds) <= _MANY_SEEDS else mains[:_MANY_SEEDS]
    seed_maps = [seeds[name] for name in shown]
    place, row = (figures.montage([_MAP_CUTS] * n, MNI_BOX, 1.5) for n in (len(seed_maps), 1))
    z = np.vstack([on(row, path) for path in seed_maps])
    nu = metadata.get('DegreesOfFreedom')
    level = 3.29 / np.sqrt(nu - 2) if nu and nu > 2 else None
    limit = float(np.clip(np.percentile(np.abs(z[z != 0]), 98), 1.5 * (level or 0.2), 1)) if z.any() else 1.0
    unit = 'Fisher z' + (f' (outlined: |z| > {level:.2f})' if level else '')
    overlay = Overlay(z, (-limit, limit), 'RdBu_r', unit, level)
    grey = np.vstack([on(row, background or mean_bold)] * len(seed_maps))
    figure = figures.draw_montage(place, grey, overlays=[overlay], row_names=shown)
    return save(figure, out_dir / 'seed.png')


def plot_map(
    image: Path,
    mean_bold: Path,
    metadata: dict,
    measure: str,
    normal: Path | None = None,
    background: Path | None = None,
    *,
    out_dir: Path,
) -> Figured:
    """Draw the map of a measure, and below it its normalised form where there is one.

    Parameters
    ----------
    image
        Values, 0 outside the mask.
    mean_bold
        Grey image beneath the maps unless ``background`` is given.
    metadata
        Of the run; the key that the measure calls its floor gives the lower end of the colour scale.
    measure
        Name among :data:`~pipelines.terms.MEASURES`.
    normal
        Rank-based inverse-normal values of the same map.

    """
    known, paths = MEASURES[measure], [image, *([normal] if normal else [])]
    place, row = (figures.montage([_MAP_CUTS] * n, MNI_BOX, 1.5) for n in (len(paths), 1))
    raw, *others = (on(row, path) for path in paths)
    grey, nothing = on(row, background or mean_bold), np.full_like(raw, np.nan)
    top = float(np.percentile(raw[raw > 0], 99.5)) if (raw > 0).any() else 1.0
    floor = min(float(metadata.get(known.floor) or 0), 0.9 * top)
    where = 'upper row: ' if normal else ''
    overlays = [
        *(
            Overlay(np.vstack([nothing, ranks]), (-3.0, 3.0), 'RdBu_r', 'lower row: normalised')
            for ranks in others
        ),
        Overlay(np.vstack([raw, *[nothing] * len(others)]), (floor, top), 'viridis', f'{where}{known.scale}'),
    ]
    names = [known.row, f'{known.map.upper()}, normalised'][: len(paths)]
    figure = figures.draw_montage(place, np.vstack([grey] * len(paths)), overlays=overlays, row_names=names)
    return save(figure, out_dir / f'{known.map}.png')


def plot_relmat(relmat: Path, circuit: Circuit, *, out_dir: Path) -> Figured:
    """Draw the matrix of Fisher z between regions; of many regions those of both sides and on the midline only.

    Parameters
    ----------
    relmat
        Table whose first column ``node`` names the rows.
    circuit
        Its regions and pairs.

    """
    table = pd.read_csv(relmat, sep='\t', index_col='node')
    labels = list(circuit.regions) if len(circuit.regions) <= _MANY_LABELS else list(circuit.mains)
    mains = dict(zip(circuit.by_name, circuit.mains))
    groups = [circuit.regions[label].structure for label in labels]
    framed = [(mains[pair.first], mains[pair.second]) for pair in circuit.reported[:1]]
    figure = figures.draw_relmat(table.loc[labels, labels].to_numpy(float), labels, groups, primary=framed)
    return save(figure, out_dir / 'relmat.png')
