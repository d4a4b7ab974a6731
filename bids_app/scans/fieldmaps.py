"""Decide what a raw series is undistorted with, and say what is passed over and why."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.terms import ESTIMATORS, FIELD_UNITS

from ..settings import Settings
from .field_images import (
    EPI,
    FIELD,
    PHASEDIFF,
    PHASES,
    Epi,
    describe_epi,
    find_belonging,
    magnitude_of,
    phases_of,
    suffix_of,
)
from .query import entities_of, sidecar

_SAME_READOUT = 0.01  # share by which two readout times may differ
_LONGEST_ECHO = 0.5  # s; a longer one is written in another unit


class Estimator(NamedTuple):
    """What shows the distortion of a series, by ``kind`` of :data:`~pipelines.terms.ESTIMATORS`.

    ``run`` is the series; ``epi`` are its images where they are EPI, ``maps`` and their ``magnitude`` where they are
    not, with ``echo_times`` of phase in s, the earlier first, and ``units`` of a field.
    """

    kind: str
    run: Epi
    epi: tuple[Epi, ...] = ()
    maps: tuple[Path, ...] = ()
    magnitude: Path | None = None
    echo_times: tuple[float, ...] = ()
    units: str = ''

    def files(self) -> list[Path]:
        """Return the images, the magnitude last."""
        own = [*(epi.path for epi in self.epi), *self.maps]
        return [*own, self.magnitude] if self.magnitude else own


class Choice(NamedTuple):
    """What is used, and why other images are not."""

    estimator: Estimator | None
    passed_over: list[str]


class _Unusable(Exception):
    """Why images are no estimator; empty where another kind says it."""


Sidecars = Mapping[Path, Mapping[str, Any]]


def is_corrected(settings: Settings) -> bool:
    """Return whether distortion may be corrected: ``--ignore fieldmaps`` and ``--ignore sdc`` forbid it."""
    return not {'fieldmaps', 'sdc'} & set(settings.distortion.ignore)


def choose_estimator(settings: Settings, series: Sequence[Path], *, has_own_pair: bool = False) -> Choice:
    """Return what shows the distortion of the series of a session.

    Parameters
    ----------
    settings
        ``--ignore`` and ``--fallback-total-readout-time`` are used.
    series
        Raw series that are corrected together, the first one their reference.
    has_own_pair
        They show it themselves, for their encoding is opposite: nothing else is used.

    Notes
    -----
    Of the images that belong to the series (see :func:`.field_images.find_belonging`) the first kind that can be
    used, in the order of :data:`~pipelines.terms.ESTIMATORS`.  What is passed over is told with its reason.

    Raises
    ------
    DataError
        A JSON of the series cannot be read.

    """
    if not series or not is_corrected(settings):
        return Choice(None, [])
    images, reasons = find_belonging(settings, series)
    named = ', '.join(path.name for path in series)
    if has_own_pair:
        others = ', '.join(path.name for path in images)
        kept = f'{others}: not used for {named}, which show their distortion themselves, by opposite phase encoding.'
        return Choice(None, [kept] if images else reasons)
    run = describe_epi(settings, series[0], sidecar(series[0], settings.bids_dir))
    chosen: Estimator | None = None
    refused: dict[str, str] = {}
    for kind in ESTIMATORS:
        own = {path: facts for path, facts in images.items() if suffix_of(path) in _SUFFIXES[kind]}
        which = ', '.join(path.name for path in own)
        if not own or (chosen and set(own) & set(chosen.files())):
            continue
        if chosen:
            reasons.append(f'{which}: not used for {named}; preferred is: {ESTIMATORS[chosen.kind].title}.')
            continue
        try:
            chosen = _OFFERS[kind](settings, run, own)
        except _Unusable as reason:
            if str(reason):
                refused[kind] = f'{named}: distortion is not corrected with {which}: {reason}'
    # why a single image is no pair is no news where it serves or could
    if 'reverse' in refused or (chosen and len(chosen.epi) == len(_epis(images))):
        refused.pop('pair', None)
    return Choice(chosen, [*reasons, *refused.values()])


def _epis(images: Sidecars) -> list[Path]:
    return [path for path in images if suffix_of(path) in _EPIS]


def _pair(settings: Settings, run: Epi, images: Sidecars) -> Estimator:
    """Return two EPI of opposite direction."""
    scans = [describe_epi(settings, path, facts) for path, facts in images.items()]
    pairs = [(a, b) for a in scans for b in scans if a.direction and b.direction == f'{a.direction}-']
    # preferably those whose names differ in ``dir`` alone
    pair = min(pairs, key=lambda two: _group(two[0].path) != _group(two[1].path), default=None)
    without = [scan.path.name for scan in (run, *scans) if not scan.direction]
    if (pair is None or not run.direction) and without:
        raise _Unusable(
            f'PhaseEncodingDirection of {", ".join(without)} is absent or unknown. Mend the sidecar.'
        )
    if pair is None:
        given = ', '.join(scan.direction for scan in scans)
        raise _Unusable(f'their PhaseEncodingDirection is {given}, and two opposite ones are needed.')
    _check_times([run, *pair])
    first, second = (scan.readout_time for scan in pair)
    if abs(first - second) > _SAME_READOUT * max(first, second):
        raise _Unusable(f'their TotalReadoutTime, {first:g} and {second:g} s, differ.')
    return Estimator('pair', run, pair)


def _reverse(settings: Settings, run: Epi, images: Sidecars) -> Estimator:
    """Return one EPI whose direction is opposite to that of the series."""
    scans = [describe_epi(settings, path, facts) for path, facts in images.items()]
    found = [scan for scan in scans if run.direction and is_opposite(scan.direction, run.direction)]
    if not found:
        raise _Unusable
    _check_times([run, found[0]])
    return Estimator('reverse', run, (found[0],))


def is_opposite(one: str, other: str) -> bool:
    """Return whether two directions are opposite.

    Examples
    --------
    >>> is_opposite('j', 'j-'), is_opposite('j', 'j'), is_opposite('', 'j')
    (True, False, False)

    """
    return bool(one and other) and one[0] == other[0] and one != other


def _fieldmap(settings: Settings, run: Epi, images: Sidecars) -> Estimator:
    """Return a map of the field."""
    path, facts = next(iter(images.items()))
    units = str(facts.get('Units', '')).strip()
    if units not in FIELD_UNITS:
        raise _Unusable(
            f'Units of {path.name} is {units or "absent"}, none of {", ".join(FIELD_UNITS)}. Mend the sidecar.'
        )
    return Estimator('fieldmap', run, (), (path,), _magnitude(run, path), (), units)


def _phasediff(settings: Settings, run: Epi, images: Sidecars) -> Estimator:
    """Return a difference of phase, whose sidecar has both echo times."""
    path, facts = next(iter(images.items()))
    times = [facts.get('EchoTime1'), facts.get('EchoTime2')]
    if None in times and facts.get('EchoTimeDifference') is not None:
        times = [0.0, facts['EchoTimeDifference']]
    return Estimator('phasediff', run, (), (path,), _magnitude(run, path), _echoes(path, times))


def _phases(settings: Settings, run: Epi, images: Sidecars) -> Estimator:
    """Return the phase of two echoes."""
    first = next(iter(images))
    paths = phases_of(first)
    if len(paths) < 2:
        raise _Unusable('the other of phase1 and phase2 is not here.')
    facts = [sidecar(path, settings.bids_dir) for path in paths]
    times = _echoes(first, [its.get('EchoTime') for its in facts])
    return Estimator('phases', run, (), tuple(paths), _magnitude(run, first), times)


def _echoes(path: Path, given: list[Any]) -> tuple[float, ...]:
    try:
        times = tuple(float(time) for time in given)
    except (TypeError, ValueError):
        times = ()
    if len(times) != 2 or not 0 <= times[0] < times[1] < _LONGEST_ECHO:
        told = ', '.join(map(str, given))
        raise _Unusable(
            f'the echo times of {path.name} ({told}) are no two rising times in seconds. Mend the sidecar.'
        )
    return times


def _magnitude(run: Epi, path: Path) -> Path:
    if not run.direction:
        raise _Unusable(
            f'PhaseEncodingDirection of {run.path.name} is absent or unknown, and with it the sign. Mend the sidecar.'
        )
    _check_times([run])
    found = magnitude_of(path)
    if found is None:
        raise _Unusable(f'{path.name} has no magnitude image beside it, by which it is registered.')
    return found


def _check_times(scans: Sequence[Epi]) -> None:
    untimed = [scan.path.name for scan in scans if not scan.readout_time]
    if untimed:
        raise _Unusable(
            f'TotalReadoutTime of {", ".join(untimed)} is absent or not above 0. Mend the sidecar or give '
            '--fallback-total-readout-time.'
        )


def _group(path: Path) -> dict[str, str]:
    return {key: value for key, value in entities_of(path).items() if key != 'dir'}


_EPIS = (EPI, 'bold', 'dwi', 'sbref')
_SUFFIXES: dict[str, tuple[str, ...]] = {
    'pair': _EPIS, 'reverse': _EPIS, 'fieldmap': (FIELD,), 'phasediff': (PHASEDIFF,), 'phases': PHASES,
}  # fmt: skip
_OFFERS: dict[str, Callable[[Settings, Epi, Sidecars], Estimator]] = {
    'pair': _pair, 'reverse': _reverse, 'fieldmap': _fieldmap, 'phasediff': _phasediff, 'phases': _phases,
}  # fmt: skip
if not _OFFERS.keys() == _SUFFIXES.keys() == ESTIMATORS.keys():
    raise TypeError('an estimator of distortion is not looked for')
