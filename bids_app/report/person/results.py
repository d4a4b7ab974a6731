"""The numbers of the report, in words: connectivity with its interval, flags, limits."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from pipelines.numerics.agreement import CLEAR
from pipelines.numerics.placement import MOSTLY_GREY
from pipelines.numerics.seed import average_fisher_z, fisher_z_se
from pipelines.terms import LATERAL, SIDES, circuit_of_labels, flag_words, pair_of, split_flags

from ..read import RunRecord, ScanRecord, TableRow
from ..words import number

Z95 = 1.959964
_SCALE = 1.0  # Fisher z at the ends of the drawn interval


class Connection(NamedTuple):
    """What is reported of a pair of structures: the side in words, and the labels of the regions."""

    pair: str
    side: str
    first: str
    second: str


class PairEstimate(NamedTuple):
    """Fisher z of a pair with its 95 % interval; ``left`` to ``right`` are drawn positions in percent."""

    scan: str
    of: Connection
    z: float
    low: float
    high: float
    r: float
    left: float
    middle: float
    right: float


class Halves(NamedTuple):
    """Fisher z of a pair in the halves of a run, and whether noise alone gives a difference as large."""

    scan: str
    of: Connection
    first: float
    second: float
    is_noise: bool


class FlagNote(NamedTuple):
    """A finding that the reader must know before the numbers."""

    where: str
    what: str
    text: str


def connections(scan: ScanRecord) -> list[Connection]:
    """Return the pairs that are reported of a scan, each for both sides, left and right as far as there are any.

    They are those of its sidecar; a scan that names none has all pairs.
    """
    circuit = circuit_of_labels(row.get('node', '') for row in scan.relmat)
    told = scan.facts.get('Regions')
    named = told.get('Pairs', []) if isinstance(told, dict) else []
    pairs = [pair_of(*pair) for pair in named if all(name in circuit.by_name for name in pair)]
    found = []
    for pair in pairs or circuit.reported:
        ends = [circuit.by_name[name] for name in (pair.first, pair.second)]
        sides = {side for own in ends for side in ('B', *own.sides) if len(own.sides) > 1} or {'n/a'}
        for side in (side for side in SIDES if side in sides):
            labels = [own.label(side) if side in own.sides else own.name for own in ends]
            if labels[0] != labels[1]:
                found.append(Connection(pair.title, SIDES[side].title, *labels))
    return found


def estimates(scan: ScanRecord) -> list[PairEstimate]:
    """Return the reported pairs of one scan; none if it has no matrix."""
    dof = number(scan.facts.get('DegreesOfFreedom')) or 0
    found = [(of, _value(scan.relmat, of.first, of.second)) for of in connections(scan)]
    return [_estimate(scan.title, of, z, fisher_z_se(dof)) for of, z in found if z is not None and dof > 2]


def pooled(scans: Iterable[ScanRecord]) -> list[list[PairEstimate]]:
    """Return the mean over the runs of each session that has several, weighted by nu - 2."""
    sessions: dict[str, list[ScanRecord]] = {}
    for scan in scans:
        if estimates(scan):
            sessions.setdefault(scan.session, []).append(scan)
    titles = {name: f'session {name}, ' if name else '' for name in sessions}
    means = [
        [_pooled(f'{titles[name]}mean of {len(runs)} runs', of, runs) for of in connections(runs[0])]
        for name, runs in sessions.items()
        if len(runs) > 1
    ]
    return [[mean for mean in session if mean is not None] for session in means]


def _pooled(title: str, of: Connection, runs: list[ScanRecord]) -> PairEstimate | None:
    values = [(_value(run.relmat, of.first, of.second), float(run.facts['DegreesOfFreedom'])) for run in runs]
    present = [(z, dof) for z, dof in values if z is not None]
    if not present:
        return None
    mean = average_fisher_z(*np.array(present).T)
    return _estimate(title, of, float(mean.z), mean.se)


def _estimate(scan: str, of: Connection, z: float, se: float) -> PairEstimate:
    low, high = z - Z95 * se, z + Z95 * se
    drawn = [50 + 50 * max(-1.0, min(1.0, value / _SCALE)) for value in (low, z, high)]
    return PairEstimate(scan, of, z, low, high, float(np.tanh(z)), *drawn)


def halves(scan: ScanRecord) -> list[Halves]:
    """Return the reported pairs in both halves of a run; none where there are no halves.

    Notes
    -----
    A half has half of the degrees of freedom, so the difference of two has twice the standard error of the run.
    """
    dof = number(scan.facts.get('DegreesOfFreedom')) or 0
    if len(scan.halves) != 2 or dof <= 2:
        return []
    limit, found = Z95 * 2 * fisher_z_se(dof), []
    for of in connections(scan):
        first, second = (_value(table, of.first, of.second) for table in scan.halves)
        if first is not None and second is not None:
            found.append(Halves(scan.title, of, first, second, abs(second - first) <= limit))
    return found


def in_words(estimate: PairEstimate) -> str:
    """Say what an estimate means.

    Examples
    --------
    >>> of = Connection('A–B', 'Left', 'AL', 'BL')
    >>> in_words(PairEstimate('', of, 0.31, 0.12, 0.50, 0.3, 0, 0, 0))
    'the two regions rise and fall together'
    >>> in_words(PairEstimate('', of, 0.1, -0.1, 0.3, 0.1, 0, 0, 0))
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
        for row in (*scan.coverage, *scan.placement):
            for flag in split_flags(row.get('flags')):
                regions.setdefault(flag, []).append(row.get('region', ''))
        named = {flag: ', '.join(names) for flag, names in regions.items()}
        # the quality file repeats the flags of regions as dropout_NAcL
        own = [f for f in split_flags(scan.facts.get('Flags')) if f.partition('_')[0] not in named]
        found += [FlagNote(scan.title, flag, flag_words(flag)) for flag in own]
        found += [FlagNote(f'{scan.title}: {who}', flag, flag_words(flag)) for flag, who in named.items()]
    return found


def doubtful_places(scans: Iterable[ScanRecord], labels: Iterable[str]) -> list[str]:
    """Return which of some regions, or of their sides, may lie elsewhere in the person."""
    sides = {f'{label}{side}' for label in labels for side in ('', *LATERAL)}
    rows = [row for scan in scans for row in scan.placement]
    return [row['region'] for row in rows if row.get('region') in sides and split_flags(row.get('flags'))]


def least_grey(row: TableRow, limits: Mapping[str, float]) -> float | None:
    """Return the share of grey matter below which a region is flagged; none where it is not judged by it.

    Examples
    --------
    >>> least_grey({'template_grey_matter': '0.9'}, {'grey_matter': 0.6}), least_grey({'template_grey_matter': '0.1'}, {})
    (0.54, None)

    """
    share, least = number(row.get('template_grey_matter')), limits.get('grey_matter')
    return share * least if share is not None and least and share >= MOSTLY_GREY else None


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
    told = judged_by_t1w(scan.facts)
    if 'T1w' in str(method):
        return (
            f'Distortion by magnetic susceptibility was corrected in part only ({method}): a scan of opposite '
            f'phase encoding would show all of it.{told}'
        )
    return f'Distortion by magnetic susceptibility was corrected ({method}).{told}'


def judged_by_t1w(facts: Mapping[str, Any]) -> str:
    """Say how well the T1-weighted image agrees with a correction; empty where that is not known."""
    found = facts.get('DistortionCheck')
    if not isinstance(found, Mapping) or 'Before' not in found:
        return ''
    shares = [number(found.get(name)) for name in ('Before', 'After', 'Opposite')]
    known = [share for share in shares if share is not None]
    if len(known) < len(shares):
        return ' It displaces too little of the brain by more than 1 mm to be held against the T1-weighted image.'
    before, after, opposite = (f'{100 * share:.0f} %' for share in known)
    lead = known[1] - max(known[0], known[2])
    verdict = (
        'as it should'
        if lead > CLEAR
        else 'WHICH SPEAKS AGAINST IT'
        if lead < -CLEAR
        else 'which settles nothing'
    )
    return (
        f' Where it moves signal by more than 1 mm, the T1-weighted image explains {before} of the image before, {after} '
        f'after, and {opposite} with the opposite sign, {verdict}.'
    )


def _value(relmat: list[TableRow], a: str, b: str) -> float | None:
    return next((number(row.get(b)) for row in relmat if row.get('node') == a), None)
