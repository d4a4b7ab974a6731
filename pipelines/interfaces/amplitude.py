"""Maps of the amplitude of low-frequency fluctuations of one run."""

from pathlib import Path
from typing import NamedTuple

from ..errors import DataError
from ..numerics import clean
from ..numerics.amplitude import fluctuation_amplitudes
from ..numerics.smooth import smooth_in_mask
from .images import save_map
from .quality import Scan
from .tables import read_table


class AmplitudeMaps(NamedTuple):
    """ALFF over its mean in the mask, and fALFF."""

    alff: Path
    falff: Path


def amplitude_maps(
    scan: Scan,
    files: tuple[Path, Path, Path],
    t_r: float,
    fwhm: float,
    band: tuple[float, float],
    *,
    out_dir: Path,
) -> AmplitudeMaps:
    """Map ALFF and fALFF of a series whose confounds are removed before any filter.

    Parameters
    ----------
    scan
        Of :func:`~pipelines.interfaces.denoise.read_scan`.
    files
        The series, for messages; design and outliers of :func:`~pipelines.interfaces.design.make_design`.  The
        stop band of the design is left in the data.
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
    bold, design, outliers = files
    model = read_table(design)
    model = model[[name for name in model if not name.startswith('stop_band')]]
    kept = read_table(outliers).to_numpy(int).sum(axis=1) == 0
    operator = clean.projection(model.to_numpy(float), kept)
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
