"""The cleaned series of a run and the mean series of its regions."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..errors import DataError
from ..numerics import clean
from ..numerics.smooth import smooth_in_mask
from ..params import CircuitMaps
from ..terms import Circuit
from ._interface import interface
from .design import save_table
from .headers import open_image, open_series
from .images import load_mask, read_masked, save_product, save_volume
from .quality import Scan, save_carpet, save_coverage


class Cleaned(NamedTuple):
    """Cleaned series in reduced coordinates (npy, K x mask voxels), region series and their quality."""

    cleaned: Path
    smoothed: Path
    analysis_mask: Path
    mean_bold: Path
    timeseries: Path
    coverage: Path
    carpet: Path
    metadata: dict


class Denoised(NamedTuple):
    """4D series for other programs."""

    denoised: Path
    denoised_smoothed: Path


def clean_series(
    bold: Path,
    bold_mask: Path,
    operator: Path,
    regions: Path,
    tissue: Path,
    brain: Path,
    confounds: Path,
    maps: CircuitMaps,
    t_r: float,
    metadata: dict,
    *,
    out_dir: Path,
) -> Cleaned:
    """Read a series once; write its cleaned and smoothed form, region series and quality.

    Parameters
    ----------
    bold, bold_mask
        4D series and functional mask on one grid.
    operator
        npz of :func:`~pipelines.interfaces.design.make_design`.
    regions, tissue, brain
        On the same grid: 4D regions, tissue labels and the template's brain.
    confounds
        Table that the motion traces of the carpet come from.
    maps
        Whose regions they are, and the smoothing inside the mask, mm (0 = none).
    t_r
        Repetition time, s.
    metadata
        Of the design; gains the flags of regions.

    Notes
    -----
    Smoothing (in space) and cleaning (in time) are linear on disjoint axes, so they commute: the K
    coordinates of the cleaned series are smoothed, not the T volumes of the raw one.

    """
    scan, factors = read_scan(bold, bold_mask, operator)
    files = regions, tissue, brain, confounds
    return clean_scan(scan, factors, files, maps, t_r, metadata, out_dir=out_dir)


def clean_scan(
    scan: Scan,
    factors: dict[str, np.ndarray],
    files: tuple[Path, Path, Path, Path],
    maps: CircuitMaps,
    t_r: float,
    metadata: dict,
    *,
    out_dir: Path,
) -> Cleaned:
    """Write the cleaned and smoothed form of a series, region series and quality; see :func:`clean_series`.

    Parameters
    ----------
    scan, factors
        Of :func:`read_scan`.
    files
        Regions, tissue, brain and confounds.
    maps, t_r, metadata
        As there.

    """
    regions, tissue, brain, confounds = files
    cleaned = clean.reduce_series(factors['reduce'], scan.series)
    zooms = scan.like.header.get_zooms()[:3]
    smoothed = smooth_in_mask(cleaned, scan.mask, zooms, maps.fwhm)
    stack = np.moveaxis(np.asarray(open_image(regions).dataobj) > 0, -1, 0)
    coverage, flags = save_coverage(scan, stack, load_mask(brain, scan.like), maps.circuit, out_dir)
    series = region_series(cleaned, factors['expand'], stack[:, scan.mask], maps.circuit)
    for name, values in (('cleaned', cleaned), ('smoothed', smoothed)):
        np.save(out_dir / f'{name}.npy', values)
    return Cleaned(
        out_dir / 'cleaned.npy',
        out_dir / 'smoothed.npy',
        save_volume(scan.mask.astype(np.uint8), scan.like, out_dir / 'mask.nii.gz'),
        save_volume(scan.mean, scan.like, out_dir / 'mean.nii.gz'),
        save_table(series, out_dir / 'timeseries.tsv'),
        coverage,
        save_carpet(scan, factors['expand'], cleaned, (tissue, confounds), t_r, out_dir),
        {**metadata, 'Flags': sorted({*metadata['Flags'], *flags})},
    )


def read_scan(bold: Path, bold_mask: Path, operator: Path) -> tuple[Scan, dict[str, np.ndarray]]:
    """Return the series of all voxels of the mask that vary, and the factors of the operator.

    Raises
    ------
    DataError
        No voxel varies.

    """
    like = open_series(bold)
    mask = load_mask(bold_mask, like)
    with np.load(operator) as archive:
        factors = dict(archive)
    keep = factors['sample_mask']
    raw = read_masked(bold, mask, keep)
    sd = clean.temporal_sd(raw.series, keep)
    varies = sd > 0
    if not varies.any():
        raise DataError(
            f'{bold} holds no signal: no voxel of {bold_mask} varies in time. Replace the file, or exclude it '
            'with --bids-filter-file.'
        )
    analysed = mask.copy()
    analysed[mask] = varies
    series = raw.series if varies.all() else raw.series[:, varies]
    return Scan(like, analysed, series, raw.mean, sd[varies], keep), factors


def region_series(
    reduced: np.ndarray, expand: np.ndarray, members: np.ndarray, circuit: Circuit
) -> pd.DataFrame:
    """Return the mean series of each region; a bilateral one is the average of its two sides.

    Parameters
    ----------
    reduced
        (K, N) unsmoothed, reduced coordinates.
    expand
        (T_kept, K) that turns coordinates into series.
    members
        (R, N) bool, in the order of the circuit's regions.
    circuit
        Whose regions they are.

    Returns
    -------
    pandas.DataFrame
        One column per label; NaN (missing) for a region without a voxel, and for a bilateral one
        that lacks a side.

    """
    columns = {
        label: expand @ reduced[:, member].mean(axis=1, dtype=np.float64)
        if member.any()
        else np.full(len(expand), np.nan)
        for label, member in zip(circuit.regions, members)
    }
    for own in circuit.structures:
        if own.name in columns and len(own.sides) == 2:
            left, right = (columns[own.label(side)] for side in own.sides)
            columns[own.name] = (left + right) / 2
    return pd.DataFrame(columns)


def write_denoised(
    bold: Path, analysis_mask: Path, operator: Path, cleaned: Path, smoothed: Path, *, out_dir: Path
) -> Denoised:
    """Put the cleaned series back on the grid, unsmoothed and smoothed; kept volumes only."""
    like = open_series(bold)
    mask = load_mask(analysis_mask, like)
    with np.load(operator) as archive:
        expand = archive['expand'].astype(np.float32)
    with ThreadPoolExecutor(2) as pool:  # compression takes most of the time and needs no interpreter lock
        paths = [
            pool.submit(save_product, expand, np.load(reduced), mask, like, out_dir / f'{name}.nii.gz')
            for name, reduced in (('denoised', cleaned), ('smoothed', smoothed))
        ]
    return Denoised(*(path.result() for path in paths))


WriteDenoised = interface(write_denoised)
