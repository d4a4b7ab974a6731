"""What a run's results rest on: quality of each region, and the carpet of its voxels."""

from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd

from ..numerics.quality import global_correlation, temporal_snr
from ..numerics.regions import region_quality
from ..terms import FLAGS, Circuit, join_flags, raised
from .design import save_table
from .headers import open_image
from .regions import TISSUE_LABELS, region_flags

_CARPET_VOXELS = 4000
_FD_MRIQC = 0.2  # mm: a volume that moved
_LEAST_TSNR = 1.0
"""Below it the median voxel has no mean to speak of: raw series have 20 and more, centred ones next to 0."""


class Scan(NamedTuple):
    """A run in memory: grid, voxels analysed, their series, mean of the grid, SD and kept volumes.

    ``mask`` (X, Y, Z) bool; ``series`` (T, N) float32; ``mean`` (X, Y, Z) and ``sd`` (N,) before
    denoising over kept volumes; ``keep`` (T,) bool.
    """

    like: nb.Nifti1Image
    mask: np.ndarray
    series: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    keep: np.ndarray


def save_coverage(
    scan: Scan, stack: np.ndarray, template: np.ndarray, circuit: Circuit, out_dir: Path
) -> tuple[Path, list[str]]:
    """Write the quality of each region before denoising; also return its flags.

    Parameters
    ----------
    scan
        The run.
    stack
        (R, X, Y, Z) bool, regions in the order of their labels.
    template
        (X, Y, Z) bool, brain of the template.
    circuit
        Whose regions they are.

    Returns
    -------
    tuple
        Table ``region n_voxels coverage tsnr signal_ratio flags``, and ``<flag>_<region>`` for
        each region flagged.  A series whose mean was taken off has neither tSNR nor signal ratio, and a flag.

    """
    # resampling leaves exact zeros where the scanner saw nothing
    mean = np.where(scan.mean == 0, np.nan, scan.mean)
    tsnr = np.full(scan.mask.shape, np.nan, np.float32)
    tsnr[scan.mask] = scan.mean[scan.mask] / scan.sd
    has_mean = bool(np.median(tsnr[scan.mask]) > _LEAST_TSNR)
    if not has_mean:
        mean, tsnr = np.full_like(mean, np.nan), np.full_like(tsnr, np.nan)
    rows: list[tuple[Any, ...]] = []
    flags = raised(no_mean_signal=not has_mean)
    by_shape = region_flags(stack, circuit)
    for label, region in zip(circuit.regions, stack):
        quality = region_quality(region, scan.mask, mean, tsnr, template)
        own = [*[FLAGS['dropout'].name] * quality.is_dropout, *by_shape[label]]
        flags += [f'{name}_{label}' for name in own]
        rows.append((label, *quality[:-1], join_flags(own) or 'n/a'))
    columns = ['region', 'n_voxels', 'coverage', 'tsnr', 'signal_ratio', 'flags']
    return save_table(pd.DataFrame(rows, columns=columns), out_dir / 'coverage.tsv'), flags


def image_quality(scan: Scan, confounds: Path) -> dict[str, float | int | None]:
    """Return the quality of a run before denoising by MRIQC's names; None for what is not known.

    Parameters
    ----------
    scan
        The run, volumes that are kept.
    confounds
        Table with displacement (mm) and DVARS.

    """
    table = pd.read_csv(confounds, sep='\t', na_values=['n/a'])
    missing = pd.Series(np.full(len(table), np.nan))
    fd, dvars = (
        table.get(name, missing).to_numpy(float)[1:] for name in ('framewise_displacement', 'std_dvars')
    )
    moved = int((fd > _FD_MRIQC).sum()) if not np.isnan(fd).all() else np.nan
    found = {
        'fd_mean': np.nanmean(fd) if not np.isnan(fd).all() else np.nan,
        'fd_num': moved,
        'fd_perc': 100 * moved / len(fd) if len(fd) else np.nan,
        'dvars_std': np.nanmean(dvars) if not np.isnan(dvars).all() else np.nan,
        'tsnr': temporal_snr(scan.mean[scan.mask], scan.sd),
        'gcor': global_correlation(scan.series),
    }
    return {name: None if np.isnan(value) else round(float(value), 6) for name, value in found.items()}


def save_carpet(
    scan: Scan,
    expand: np.ndarray,
    cleaned: np.ndarray,
    files: tuple[Path, Path],
    t_r: float,
    out_dir: Path,
) -> Path:
    """Write about 4,000 voxels before and after denoising, in units of their SD before, by tissue.

    Parameters
    ----------
    scan
        The run.
    expand, cleaned
        (T_kept, K) and (K, N): the cleaned series is their product.
    files
        Tissue labels on the grid, and the confounds table with motion and DVARS.
    t_r
        Repetition time, s.

    Returns
    -------
    Path
        npz of ``before`` and ``after`` (n_voxels, T) float16, NaN for volumes left out; ``tissue``
        (n_voxels,); ``kept fd dvars`` (T,); ``t_r``.

    """
    labels = np.asarray(open_image(files[0]).dataobj)[scan.mask]
    chosen = np.linspace(0, len(labels) - 1, min(_CARPET_VOXELS, len(labels))).astype(int)
    order = [list(TISSUE_LABELS).index(label) for label in labels[chosen]]
    chosen = chosen[np.argsort(order, kind='stable')]
    before = scan.series[:, chosen] - scan.series[:, chosen].mean(axis=0, dtype=np.float64)
    sd = before.std(axis=0)  # of both halves, so that what denoising removed is seen
    after = np.full((len(chosen), len(scan.keep)), np.nan, np.float16)
    after[:, scan.keep] = (expand @ cleaned[:, chosen] / sd).T
    table = pd.read_csv(files[1], sep='\t', na_values=['n/a'])
    missing = pd.Series(np.full(len(table), np.nan))
    arrays: dict[str, Any] = {
        'before': (before / sd).T.astype(np.float16),
        'after': after,
        'tissue': np.array([TISSUE_LABELS[label] for label in labels[chosen]]),
        'kept': scan.keep,
        'fd': table.get('framewise_displacement', missing).to_numpy(float),
        'dvars': table.get('std_dvars', missing).to_numpy(float),
        't_r': t_r,
    }
    np.savez(out_dir / 'carpet.npz', **arrays)
    return out_dir / 'carpet.npz'
