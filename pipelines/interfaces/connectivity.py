"""Seed maps, region matrix and intrinsic connectivity of a cleaned series."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..numerics.intrinsic import intrinsic_connectivity, noise_floor
from ..numerics.seed import fisher_z, seed_correlation
from ..params import IccMask
from ._interface import interface
from .images import load_mask, open_image, save_map
from .regions import LABELS

_MIN_OVERLAP = 0.9


class SeedMaps(NamedTuple):
    """Fisher z maps in the order of the region labels, and their matrix."""

    seed_maps: list[Path]
    relmat: Path


class IntrinsicFiles(NamedTuple):
    """Maps of intrinsic connectivity; ``metadata`` and ``qc`` gain what they rest on."""

    icc: Path
    iccadj: Path
    iccnorm: Path
    qc: Path
    metadata: dict


def map_seeds(smoothed: Path, analysis_mask: Path, timeseries: Path, *, out_dir: Path) -> SeedMaps:
    """Correlate each region's unsmoothed series with every smoothed voxel and with each other.

    Parameters
    ----------
    smoothed
        (T_kept, N) npy.
    analysis_mask
        Its N voxels.
    timeseries
        Region series over the same volumes; an all-missing column gives a map of zeros and
        missing values in the matrix.

    """
    like = open_image(analysis_mask)
    mask = load_mask(analysis_mask, like)
    table = pd.read_csv(timeseries, sep='\t', na_values=['n/a'])
    seeds = table[LABELS].to_numpy(float)
    z = fisher_z(seed_correlation(np.load(smoothed, mmap_mode='r'), np.nan_to_num(seeds).astype(np.float32)))
    maps = [save_map(row, mask, like, out_dir / f'{label}.nii.gz') for row, label in zip(z, LABELS)]
    matrix = fisher_z(seed_correlation(np.nan_to_num(seeds), np.nan_to_num(seeds)))
    matrix[np.isnan(seeds).all(axis=0)] = np.nan
    matrix[:, np.isnan(seeds).all(axis=0)] = np.nan
    np.fill_diagonal(matrix, np.nan)  # a region with itself has no finite z
    relmat = pd.DataFrame(matrix, index=pd.Index(LABELS, name='node'), columns=LABELS)
    relmat.to_csv(out_dir / 'relmat.tsv', sep='\t', na_rep='n/a', float_format='%.8g')
    return SeedMaps(maps, out_dir / 'relmat.tsv')


def map_intrinsic(
    smoothed: Path,
    analysis_mask: Path,
    grey_matter: Path,
    icc_mask: IccMask,
    metadata: dict,
    *,
    out_dir: Path,
) -> IntrinsicFiles:
    """Map intrinsic connectivity over the brain, partners in the template's grey matter.

    Parameters
    ----------
    smoothed, analysis_mask
        (T_kept, N) npy and its voxels.
    grey_matter
        The template's grey matter on the same grid.
    icc_mask
        ``gm`` or ``brain``: the voxels whose correlations enter.
    metadata
        ``DegreesOfFreedom`` and ``Flags`` of the denoising.

    """
    like = open_image(analysis_mask)
    mask, template = load_mask(analysis_mask, like), load_mask(grey_matter, like)
    partners = template[mask] if icc_mask == 'gm' else np.ones(int(mask.sum()), bool)
    maps = intrinsic_connectivity(np.load(smoothed), metadata['DegreesOfFreedom'], partners=partners)
    overlap = float((mask & template).sum() / template.sum())
    flags = [*metadata['Flags'], *['low_overlap'] * (overlap < _MIN_OVERLAP)]
    found = {
        **metadata,
        'ICCNoiseFloor': noise_floor(metadata['DegreesOfFreedom']),
        'NVoxels': int(partners.sum()),
        'TemplateMaskOverlap': overlap,
        'Flags': flags,
    }
    (out_dir / 'qc.json').write_text(json.dumps(found, indent=2))
    icc, adjusted, normal = (
        save_map(values, mask, like, out_dir / f'{name}.nii.gz') for name, values in maps._asdict().items()
    )
    return IntrinsicFiles(icc, adjusted, normal, out_dir / 'qc.json', found)


MapSeeds = interface(map_seeds)
MapIntrinsic = interface(map_intrinsic)
