"""The tract's numbers in words: FA of each session and side, how it was tracked, what limits it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pipelines.terms import SIDES, directions, flag_term, flag_words, is_flag, pair_of, split_flags

from ..read import ScanRecord, TableRow, TractRecord, natural, scan_title
from ..words import number
from .results import FlagNote, judged_by_t1w

TRACT_FACTS = (
    ('NumberOfDirections', 'Diffusion directions', ''),
    ('BValues', 'Diffusion weighting (b-values)', 's/mm²'),
    ('RelativeGains', 'Intensity of each scan against the first, before it was evened out', ''),
    ('VolumesWithoutDirection', 'Volumes left out, without direction (the first is 0)', ''),
    ('FodModel', 'Model of fibre directions', ''),
    ('HarmonicOrder', 'Harmonic order', ''),
    ('ResponseFunction', 'Response of one fibre', ''),
    ('StoppingCriterion', 'Streamlines stop by', ''),
    ('StepSize', 'Step', 'mm'),
    ('MaxAngle', 'Largest angle', '°'),
    ('MaxLength', 'Largest length', 'mm'),
    ('Normalization', 'Normalisation', ''),
)
"""How the tract was made: key in its sidecar, words, unit; what the sidecar lacks is not shown."""

_TENSOR = ('fa', 'md', 'ad', 'rd')


class TractRow(NamedTuple):
    """The tract of one side in one session; None where there is no value, with ``reason``.

    ``fa`` is weighted by visitation, ``streamline_fa`` the mean over streamlines; ``md`` is in
    mm^2/s, ``length`` in mm, ``volume`` in mm^3.
    """

    session: str
    side: str
    fa: float | None
    streamline_fa: float | None
    md: float | None
    n: float | None
    length: float | None
    volume: float | None
    flags: list[str]
    reason: str


class FurtherRow(NamedTuple):
    """A further map along the tract of one side in one session, weighted as FA is; None where there is no value."""

    session: str
    side: str
    name: str
    value: float | None
    flags: list[str]


class Count(NamedTuple):
    """Streamlines of one side and direction: seeds, those that joined both regions, those kept."""

    side: str
    direction: str
    seeds: str
    accepted: str
    kept: str


def rows(scan: TractRecord) -> list[TractRow]:
    """Return the tract's values, the outcome (both sides) of each session first."""
    groups: dict[tuple[str, str], list[TableRow]] = {}
    for row in scan.rows:
        groups.setdefault((_session(row, scan), row.get('hemi', '')), []).append(row)
    sessions = sorted({session for session, _ in groups}, key=lambda name: natural(f'ses-{name}'))
    order = [(session, hemi) for session in sessions for hemi in SIDES]
    return [_row(key, groups[key], scan) for key in order if key in groups]


def _session(row: TableRow, scan: TractRecord) -> str:
    named = row.get('session_id', '').removeprefix('ses-')
    return scan.session if named in ('', 'n/a') else named


def _row(key: tuple[str, str], group: Sequence[TableRow], scan: TractRecord) -> TractRow:
    session, hemi = key
    chosen = [('weighted', 'fa'), ('streamline', 'fa'), ('weighted', 'md')]
    fa, streamline_fa, md = (_value(group, *what) for what in chosen)
    first = next((row for row in group if row.get('method') == 'weighted'), group[0])
    n, length, volume = (number(first.get(name)) for name in ('n_streamlines', 'mean_length', 'volume'))
    own = (row for row in group if row.get('param') in _TENSOR)  # what limits a further map limits that alone
    flags = list(dict.fromkeys(flag for row in own for flag in split_flags(row.get('flags'))))
    reason = '' if fa is not None else _reason([*flags, *split_flags(scan.tracking.get('Flags'))])
    title = f'session {session}' if session else scan_title(scan.name)
    side = SIDES.titles().get(hemi, hemi)
    return TractRow(title, side, fa, streamline_fa, md, n, length, volume, flags, reason)


def _value(group: Sequence[TableRow], method: str, param: str) -> float | None:
    found = (row for row in group if (row.get('method'), row.get('param')) == (method, param))
    return next((number(row.get('value')) for row in found), None)


def _reason(flags: Iterable[str]) -> str:
    """Say why there is no value: the flags that forbid one, else all of them."""
    given = list(dict.fromkeys(flags))
    forbid = [flag for flag in given if is_flag(flag) and flag_term(flag)[0].has_no_value] or given
    return '; '.join(flag_words(flag) for flag in forbid) or 'no reason was recorded'


def further(scan: TractRecord) -> list[FurtherRow]:
    """Return the values of maps beside the tensor's, in the order of the table."""
    titles = {'fwfa': 'FA of tissue beside free water'}
    return [
        FurtherRow(
            session=f'session {session}' if (session := _session(row, scan)) else scan_title(scan.name),
            side=SIDES.titles().get(row.get('hemi', ''), row.get('hemi', '')),
            name=titles.get(row['param'], row['param']),
            value=number(row.get('value')),
            flags=split_flags(row.get('flags')),
        )
        for row in scan.rows
        if row.get('param') not in (None, *_TENSOR)
    ]


def sessions(scan: TractRecord) -> list[list[TractRow]]:
    """Return the rows of each session together."""
    groups: dict[str, list[TractRow]] = {}
    for row in rows(scan):
        groups.setdefault(row.session, []).append(row)
    return list(groups.values())


def counts(scan: TractRecord) -> list[Count]:
    """Return the seeds and streamlines of each side and direction that the sidecar records."""
    ends = scan.tracking.get('Ends')
    known = directions(pair_of(*ends)) if isinstance(ends, list) and len(ends) == 2 else ()
    words = {way.name: way.title for way in known}
    return [
        Count(SIDES.titles().get(hemi, hemi), words.get(way, way), *_stages(numbers))
        for hemi, ways in _items(scan.tracking.get('Tracking'))
        for way, numbers in _items(ways)
    ]


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _stages(numbers: Any) -> tuple[str, str, str]:
    known = numbers if isinstance(numbers, dict) else {}
    return _count(known.get('Seeds')), _count(known.get('Accepted')), _count(known.get('Kept'))


def _count(value: Any) -> str:
    found = number(value)
    return 'n/a' if found is None else f'{found:,.0f}'


def flags(scans: Iterable[ScanRecord]) -> list[FlagNote]:
    """Return what limits the tracts: flags of a session and side, then those of all."""
    found = []
    tracts = [tract for scan in scans for tract in scan.tracts]
    told = {tract.pair for tract in tracts}
    for scan in tracts:
        where: dict[str, list[str]] = {}
        for session in sessions(scan):
            sides = [row for row in session if row.side != SIDES['B'].title] or session
            for row in sides:  # both sides have the flags of either
                for flag in row.flags:
                    where.setdefault(flag, []).append(f'{row.session} {row.side.lower()}')
        which = f' {scan.pair}' if len(told) > 1 else ''
        named = [(flag, f'{which}: {", ".join(places)}') for flag, places in where.items()]
        own = [(flag, '') for flag in split_flags(scan.tracking.get('Flags')) if flag not in where]
        found += [
            FlagNote(f'tract{place}' if place else f'tract{which}, {scan.title}', flag, flag_words(flag))
            for flag, place in (*named, *own)
        ]
    return found


def susceptibility(scan: TractRecord) -> str:
    """Say whether the diffusion scan was corrected for susceptibility distortion."""
    method = _correction(scan)
    if method is None:
        return 'It is not recorded whether distortion by magnetic susceptibility was corrected.'
    if not method:
        return (
            'Distortion by magnetic susceptibility was not corrected: near the sinuses, where the tract '
            'reaches the medial prefrontal cortex, the diffusion image may be displaced by some '
            'millimetres. Read FA with this in mind.'
        )
    return f'Distortion by magnetic susceptibility was corrected ({method}).{judged_by_t1w(scan.tracking)}'


def caution(scan: TractRecord) -> str:
    """Say beside the value that susceptibility was not corrected; nothing if it was."""
    if _correction(scan):
        return ''
    known = 'not corrected' if _correction(scan) == '' else 'not recorded as corrected'
    return f'Distortion by magnetic susceptibility: {known}.'


def _correction(scan: TractRecord) -> str | None:
    """Return the method of correction; empty for none, None if that is not recorded."""
    method = scan.tracking.get('SusceptibilityDistortionCorrection')
    if method is None:
        return None
    return '' if str(method).lower() in ('none', 'false', 'n/a', '') else str(method)


def facts(scan: TractRecord) -> list[tuple[str, str]]:
    """Return how the tract was made, in words."""
    known = scan.tracking
    return [
        (words, f'{_text(known[key])} {unit}'.strip()) for key, words, unit in TRACT_FACTS if _has(known, key)
    ]


def _has(known: Mapping[str, Any], key: str) -> bool:
    return known.get(key) not in (None, '', [], {}, 'n/a')


def _text(value: Any) -> str:
    """Return a value of a sidecar as text.

    Examples
    --------
    >>> _text([0, 1000.0]), _text({'pre': 32, 'post': 30}), _text([1.0, None])
    ('0, 1000', 'pre: 32; post: 30', '1, n/a')

    """
    if value is None:
        return 'n/a'
    if isinstance(value, Mapping):
        return '; '.join(f'{key}: {_text(item)}' for key, item in value.items())
    if isinstance(value, list):
        return ', '.join(map(_text, value))
    return f'{value:.4g}' if isinstance(value, float) else str(value)
