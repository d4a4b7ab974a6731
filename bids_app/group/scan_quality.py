"""Quality of all scans of a dataset in a table per kind, a row per scan, in the names that MRIQC gives them."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from pipelines.terms import split_flags

from ..report.read import ScanRecord, read_scans
from ..report.words import number
from ..running.files import replace_json
from .plan import write_tsv

_Value = str | float | int | None


class Column(NamedTuple):
    """A column: its name, what it says, and where a scan has it."""

    name: str
    about: str
    of: Callable[[ScanRecord], _Value]


def _fact(*keys: str) -> Callable[[ScanRecord], _Value]:
    """Return what reads a value of the sidecars, one inside another."""

    def read(scan: ScanRecord) -> _Value:
        found: Any = scan.facts
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found if isinstance(found, str | int | float) else None

    return read


def _flags(scan: ScanRecord) -> _Value:
    flags = scan.facts.get('Flags')
    return ' '.join(map(str, flags)) if isinstance(flags, list) and flags else None


def _dropout(scan: ScanRecord) -> _Value:
    named = [row['region'] for row in scan.coverage if 'dropout' in row.get('flags', '').split()]
    return ' '.join(named) or None


def _misplaced(scan: ScanRecord) -> _Value:
    return ' '.join(row['region'] for row in scan.placement if split_flags(row.get('flags'))) or None


def _least(column: str) -> Callable[[ScanRecord], _Value]:
    def read(scan: ScanRecord) -> _Value:
        known = [
            value
            for row in (*scan.coverage, *scan.placement)
            if (value := number(row.get(column))) is not None
        ]
        return min(known, default=None)

    return read


_END = (Column('flags', 'what limits the scan', _flags),)
BOLD = (
    Column('fd_mean', 'mean framewise displacement, mm', _fact('ImageQuality', 'fd_mean')),
    Column('fd_num', 'volumes with a displacement above 0.2 mm', _fact('ImageQuality', 'fd_num')),
    Column('fd_perc', 'their share, percent', _fact('ImageQuality', 'fd_perc')),
    Column('dvars_std', 'mean standardised DVARS', _fact('ImageQuality', 'dvars_std')),
    Column('tsnr', 'median over the brain of mean over SD in time, before denoising', _fact('ImageQuality', 'tsnr')),
    Column('gcor', 'mean correlation of all pairs of voxels, before denoising', _fact('ImageQuality', 'gcor')),
    Column('size_t', 'volumes', _fact('NVolumes')),
    Column('spacing_tr', 'repetition time, s', _fact('RepetitionTime')),
    Column('dummy_trs', 'volumes before the steady state', _fact('NLeftOut', 'non_steady_state')),
    Column('n_kept', 'volumes that were kept', _fact('NKept')),
    Column('seconds_kept', 'their time, s', _fact('SecondsKept')),
    Column('dof', 'degrees of freedom after denoising', _fact('DegreesOfFreedom')),
    Column('dropout', 'regions without enough signal', _dropout),
    Column('coverage_min', 'smallest share of a region inside the functional mask', _least('coverage')),
    Column('tsnr_min', 'smallest median signal to noise of a region', _least('tsnr')),
    *_END,
)  # fmt: skip
DWI = (
    Column('fd_mean', 'mean framewise displacement, mm', _fact('MeanFD')),
    Column('outlier_slices', 'slices that had lost their signal', _fact('OutlierSlices')),
    Column('snr_b0', 'signal over noise of the b = 0 volumes; n/a of a single one', _fact('B0SNR')),
    Column('size_t', 'volumes', _fact('NumberOfVolumes')),
    Column('n_b0', 'volumes with b = 0', _fact('NumberOfB0')),
    Column('n_directions', 'different directions', _fact('NumberOfDirections')),
    Column('sdc', 'correction of distortion by susceptibility', _fact('SusceptibilityDistortionCorrection')),
    *_END,
)
T1W = (
    Column('template_correlation', 'correlation with the template in its brain, normalised', _fact('TemplateCorrelation')),
    Column('mask_dice', 'overlap of brain and template, normalised', _fact('MaskDice')),
    Column('placement', 'regions that may lie elsewhere in the person', _misplaced),
    Column('correlation_min', 'smallest correlation with the template around a region', _least('correlation')),
    Column('relative_volume_min', 'smallest volume of a region, relative to the brain', _least('relative_volume')),
)  # fmt: skip
QUALITY_TABLES = (
    ('group_T1w', 'T1w', 'PlacementLimits', T1W),
    ('group_bold', 'bold', 'NKept', BOLD),
    ('group_dwi', 'dwi', 'BestConvention', DWI),
)
"""Names of the tables, suffix of scans, and a value that the sidecars of all of the kind have."""


def write_scan_quality(results_dir: Path, folder: Path) -> None:
    """Write a table of the quality of all anatomies of ours, all BOLD runs and all diffusion sessions, with sidecars.

    Everything that participants left is there, whatever the trial uses of it; ``bids_name`` is the first column.
    """
    labels = sorted(path.name for path in results_dir.glob('sub-*') if path.is_dir())
    scans = [scan for label in labels for scan in read_scans(results_dir, label)]
    for name, suffix, has, columns in QUALITY_TABLES:
        rows = list(_rows(scans, has, columns, suffix))
        if rows:
            named = ['bids_name', *(column.name for column in columns)]
            # as they were read: a count stays a whole number beside one that is missing
            write_tsv(pd.DataFrame(rows, columns=named, dtype=object), folder / f'{name}.tsv')
            about = {column.name: {'Description': column.about} for column in columns}
            replace_json({'bids_name': {'Description': 'the scan'}, **about}, folder / f'{name}.json')


def _rows(
    scans: list[ScanRecord], has: str, columns: tuple[Column, ...], suffix: str
) -> Iterator[list[_Value]]:
    """Yield the rows of the scans of a kind."""
    for scan in scans:
        if has in scan.facts:
            yield [f'{scan.name}_{suffix}', *(column.of(scan) for column in columns)]
