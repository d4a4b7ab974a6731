"""Seed maps, region matrix and intrinsic connectivity of a cleaned series."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..numerics.intrinsic import intrinsic_connectivity, noise_floor
from ..numerics.seed import fisher_z, seed_correlation, split_halves
from ..params import IccMask
from ..terms import PRESETS, Circuit, raised
from .headers import open_image
from .images import load_mask, save_map

_MIN_OVERLAP = 0.9


class SeedMaps(NamedTuple):
    """Fisher z maps in the order of the seeds, the matrix of all regions, and that of each half of the run."""

    seed_maps: list[Path]
    relmat: Path
    half1: Path
    half2: Path


class IntrinsicFiles(NamedTuple):
    """Maps of intrinsic connectivity; ``metadata`` gains what they rest on."""

    icc: Path
    iccadj: Path
    iccnorm: Path
    metadata: dict


def map_seeds(
    smoothed: Path, analysis_mask: Path, operator: Path, timeseries: Path, circuit: Circuit, *, out_dir: Path
) -> SeedMaps:
    """Correlate each region's unsmoothed series with every smoothed voxel and with each other.

    Parameters
    ----------
    smoothed
        (K, N) npy, reduced coordinates.
    analysis_mask
        Its N voxels.
    operator
        npz whose ``expand`` turns coordinates into series.
    timeseries
        Region series; an all-missing column gives a map of zeros and missing values in the matrix.
    circuit
        Its regions, and which of them are seeds.

    Notes
    -----
    z = atanh(r).  The columns of ``expand`` are orthonormal, so ``expand' s`` are the coordinates of
    a region series s and correlations of coordinates are those of the series.

    """
    like = open_image(analysis_mask)
    mask = load_mask(analysis_mask, like)
    with np.load(operator) as archive:
        expand = archive['expand']
    series = pd.read_csv(timeseries, sep='\t', na_values=['n/a'])[list(circuit.regions)]
    seeds = [region.name for region in circuit.seeds]
    coordinates = expand.T @ np.nan_to_num(series[seeds].to_numpy(float))
    z = fisher_z(seed_correlation(np.load(smoothed), coordinates.astype(np.float32), demean=False))
    maps = [save_map(row, mask, like, out_dir / f'{label}.nii.gz') for row, label in zip(z, seeds)]
    first, second = split_halves(len(series))
    parts = {'relmat': series, 'half1': series[first], 'half2': series[second]}
    saved = [_save_matrix(own, out_dir / f'{name}.tsv') for name, own in parts.items()]
    return SeedMaps(maps, *saved)


def _save_matrix(series: pd.DataFrame, path: Path) -> Path:
    region_matrix(series).to_csv(path, sep='\t', na_rep='n/a', float_format='%.8g', index_label='node')
    return path


def region_matrix(series: pd.DataFrame) -> pd.DataFrame:
    """Return Fisher z between the columns of ``series`` (T, R), missing on the diagonal.

    A region with itself has no finite z; a region without a series has none at all.
    """
    values = series.to_numpy(float)
    matrix = fisher_z(seed_correlation(np.nan_to_num(values), np.nan_to_num(values)))
    absent = np.isnan(values).all(axis=0)
    matrix[absent] = np.nan
    matrix[:, absent] = np.nan
    np.fill_diagonal(matrix, np.nan)
    return pd.DataFrame(matrix, index=list(series), columns=list(series))


def map_intrinsic(
    smoothed: Path,
    analysis_mask: Path,
    grey_matter: Path,
    brain: Path,
    icc_mask: IccMask,
    metadata: dict,
    sources: dict,
    *,
    out_dir: Path,
) -> IntrinsicFiles:
    """Map intrinsic connectivity over the brain, partners in the template's grey matter.

    Parameters
    ----------
    smoothed, analysis_mask
        (K, N) npy of reduced coordinates and its voxels.
    grey_matter, brain
        The template's, on the same grid.
    icc_mask
        ``gm`` or ``brain``: the voxels whose correlations enter.
    metadata
        ``DegreesOfFreedom``, ``Preset`` and ``Flags`` of the denoising; ``conn`` keeps 64 components.
    sources
        Choices of regions and the transforms between templates, for the sidecars.

    """
    like = open_image(analysis_mask)
    mask = load_mask(analysis_mask, like)
    template = load_mask({'gm': grey_matter, 'brain': brain}[icc_mask], like)
    dof, components = metadata['DegreesOfFreedom'], PRESETS[metadata['Preset']].icc_components
    maps = intrinsic_connectivity(
        np.load(smoothed), dof, partners=template[mask], n_components=components, demean=False
    )
    overlap = float((mask & template).sum() / template.sum())
    found = {
        **metadata,
        'ICCMask': icc_mask,
        'ICCComponents': components or 'all',
        'ICCNoiseFloor': noise_floor(dof),
        'NVoxels': int((mask & template).sum()),
        'TemplateMaskOverlap': overlap,
        'Regions': sources,
        'Flags': [*metadata['Flags'], *raised(template_overlap=overlap < _MIN_OVERLAP)],
    }
    icc, adjusted, normal = (
        save_map(values, mask, like, out_dir / f'{name}.nii.gz') for name, values in maps._asdict().items()
    )
    return IntrinsicFiles(icc, adjusted, normal, found)
