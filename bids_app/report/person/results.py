"""The numbers of the report, in words: connectivity with its interval, flags, limits."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from pipelines.numerics.seed import average_fisher_z, fisher_z_se
from pipelines.terms import REGIONS, SIDES, flag_words, split_flags

from ..read import RunRecord, ScanRecord, TableRow
from ..words import number

PAIRS = tuple(
    (side.title, *(region.name for region in REGIONS.values() if region.hemisphere == side.name))
    for side in SIDES.values()
)
"""The pairs of regions that are reported, the outcome first."""

Z95 = 1.959964
_SCALE = 1.0  # Fisher z at the ends of the drawn interval


class PairEstimate(NamedTuple):
    """Fisher z of a pair with its 95 % interval; ``left`` to ``right`` are drawn positions in percent."""

    scan: str
    pair: str
    z: float
    low: float
    high: float
    r: float
    left: float
    middle: float
    right: float


class FlagNote(NamedTuple):
    """A finding that the reader must know before the numbers."""

    where: str
    what: str
    text: str


def estimates(scan: ScanRecord) -> list[PairEstimate]:
    """Return the reported pairs of one scan; none if it has no matrix."""
    dof = number(scan.facts.get('DegreesOfFreedom')) or 0
    found = [(pair, _value(scan.relmat, a, b)) for pair, a, b in PAIRS]
    return [
        _estimate(scan.title, pair, z, fisher_z_se(dof)) for pair, z in found if z is not None and dof > 2
    ]


def pooled(scans: Iterable[ScanRecord]) -> list[list[PairEstimate]]:
    """Return the mean over the runs of each session that has several, weighted by nu - 2."""
    sessions: dict[str, list[ScanRecord]] = {}
    for scan in scans:
        if estimates(scan):
            sessions.setdefault(scan.session, []).append(scan)
    titles = {name: f'session {name}, ' if name else '' for name in sessions}
    means = [
        [_pooled(f'{titles[name]}mean of {len(runs)} runs', pair, runs) for pair in PAIRS]
        for name, runs in sessions.items()
        if len(runs) > 1
    ]
    return [[mean for mean in session if mean is not None] for session in means]


def _pooled(title: str, pair: tuple[str, ...], runs: list[ScanRecord]) -> PairEstimate | None:
    values = [(_value(run.relmat, *pair[1:]), float(run.facts['DegreesOfFreedom'])) for run in runs]
    present = [(z, dof) for z, dof in values if z is not None]
    if not present:
        return None
    mean = average_fisher_z(*np.array(present).T)
    return _estimate(title, pair[0], float(mean.z), mean.se)


def _estimate(scan: str, pair: str, z: float, se: float) -> PairEstimate:
    low, high = z - Z95 * se, z + Z95 * se
    drawn = [50 + 50 * max(-1.0, min(1.0, value / _SCALE)) for value in (low, z, high)]
    return PairEstimate(scan, pair, z, low, high, float(np.tanh(z)), *drawn)


def in_words(estimate: PairEstimate) -> str:
    """Say what an estimate means.

    Examples
    --------
    >>> in_words(PairEstimate('', '', 0.31, 0.12, 0.50, 0.3, 0, 0, 0))
    'the two regions rise and fall together'
    >>> in_words(PairEstimate('', '', 0.1, -0.1, 0.3, 0.1, 0, 0, 0))
    'no connectivity in either direction is shown: the interval includes zero'

    """
    if estimate.low > 0:
        return 'the two regions rise and fall together'
    if estimate.high < 0:
        return 'one region rises while the other falls'
    return 'no connectivity in either direction is shown: the interval includes zero'


def flags(record: RunRecord, scans: list[ScanRecord]) -> list[FlagNote]:
    """Return what limits the results: failures first, then flagged scans and regions."""
    found = [
        # the last part of a node's name says what was done; the whole name stands below
        FlagNote(str(error.get('node', 'run')).rpartition('.')[2], 'error', str(error.get('message', '')))
        for error in record.errors
    ]
    for scan in scans:
        regions: dict[str, list[str]] = {}
        for row in scan.coverage:
            for flag in split_flags(row.get('flags')):
                regions.setdefault(flag, []).append(row.get('region', ''))
        named = {flag: ', '.join(names) for flag, names in regions.items()}
        # the quality file repeats the flags of regions as dropout_NAcL
        own = [f for f in split_flags(scan.facts.get('Flags')) if f.partition('_')[0] not in named]
        found += [FlagNote(scan.title, flag, flag_words(flag)) for flag in own]
        found += [FlagNote(f'{scan.title}: {who}', flag, flag_words(flag)) for flag, who in named.items()]
    return found


def susceptibility(scan: ScanRecord) -> str:
    """Say whether the scan was corrected for susceptibility distortion."""
    method = scan.facts.get('SusceptibilityCorrection', scan.facts.get('SusceptibilityDistortionCorrection'))
    if method is None:
        return 'It is not recorded whether distortion by magnetic susceptibility was corrected.'
    if str(method).lower() in ('none', 'false', 'n/a', ''):
        return (
            'Distortion by magnetic susceptibility was not corrected: near the sinuses and the ear canals, '
            'the ventral medial prefrontal cortex among them, the functional image may be displaced by some '
            'millimetres.'
        )
    if 'T1w' in str(method):
        return (
            f'Distortion by magnetic susceptibility was corrected in part only ({method}): a scan of opposite '
            'phase encoding would show all of it.'
        )
    return f'Distortion by magnetic susceptibility was corrected ({method}).'


def _value(relmat: list[TableRow], a: str, b: str) -> float | None:
    return next((number(row.get(b)) for row in relmat if row.get('node') == a), None)
