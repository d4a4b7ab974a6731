"""Maps of the amplitude of low-frequency fluctuations of one run."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import DataError
from ..numerics import clean
from ..numerics.amplitude import fluctuation_amplitudes
from ..numerics.smooth import smooth_in_mask
from ._interface import interface
from .denoise import read_scan
from .images import save_map
from .tables import read_table


class AmplitudeMaps(NamedTuple):
    """ALFF over its mean in the mask, and fALFF."""

    alff: Path
    falff: Path


def map_amplitude(
    bold: Path,
    bold_mask: Path,
    design: Path,
    outliers: Path,
    t_r: float,
    fwhm: float,
    band: tuple[float, float],
    *,
    out_dir: Path,
) -> AmplitudeMaps:
    """Map ALFF and fALFF of a series whose confounds are removed before any filter.

    Parameters
    ----------
    bold, bold_mask
        4D series and functional mask on one grid.
    design, outliers
        Of :func:`~pipelines.interfaces.design.make_design`; the stop band of the design is left in the data.
    t_r
        Repetition time, s.
    fwhm
        Smoothing inside the mask, mm; 0 = none.
    band
        Edges of the pass band, Hz; 0 switches an edge off.

    Raises
    ------
    DataError
        The run is too short for any frequency of the band.

    Notes
    -----
    BOLD has no unit, so ALFF is divided by its mean over the mask (Zang 2007), without which neither
    people nor visits could be compared.

    """
    model = read_table(design)
    model = model[[name for name in model if not name.startswith('stop_band')]]
    kept = read_table(outliers).to_numpy(int).sum(axis=1) == 0
    operator = clean.projection(model.to_numpy(float), kept)
    factors = out_dir / 'operator.npz'
    np.savez(factors, reduce=operator.reduce, expand=operator.expand, sample_mask=kept)
    scan, _ = read_scan(bold, bold_mask, factors)
    reduced = clean.reduce_series(operator.reduce, scan.series)
    smoothed = smooth_in_mask(reduced, scan.mask, scan.like.header.get_zooms()[:3], fwhm)
    try:
        found = fluctuation_amplitudes(smoothed, operator.expand, kept, t_r, band)
    except ValueError as error:
        raise DataError(
            f'{bold}: {error}. Widen --high-pass and --low-pass, or use a longer scan.'
        ) from error
    relative = found.alff / (found.alff.mean() or 1.0)
    return AmplitudeMaps(
        save_map(relative, scan.mask, scan.like, out_dir / 'alff.nii.gz'),
        save_map(found.falff, scan.mask, scan.like, out_dir / 'falff.nii.gz'),
    )


MapAmplitude = interface(map_amplitude)
