"""Which images of a participant are the T1-weighted anatomy, and why others are not."""

import re
from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import ClbpeError
from pipelines.interfaces.headers import open_image

from ..settings import Settings
from .dataset import Absence
from .images import Images
from .query import entities_of, is_magnitude, sidecar

_NOT_ANATOMY = {
    'a localizer': re.compile(r'local[iy][sz]er|scout|survey|^loc$', re.IGNORECASE),
    'an inversion of MP2RAGE': re.compile(r'^inv-?\d?$|inv[12]|^(first|second)inversion$', re.IGNORECASE),
}
_LEAST_EXTENT = 100.0  # mm in every direction; a head is 150 mm wide
_NORMALISED = re.compile(r'^norm|prescan', re.IGNORECASE)


def find_t1w(settings: Settings, images: Images, label: str) -> tuple[list[Path], list[Absence]]:
    """Return the T1-weighted images of a participant that are used, and what is passed over with its reason.

    Parameters
    ----------
    settings, images, label
        What was asked for, where to look, and the participant.

    Notes
    -----
    Phase images, inversions of MP2RAGE and localizers (by name, or less than 100 mm in a direction) are no anatomy.  Of
    several reconstructions of one scan (names that differ in ``rec``, or equal times of acquisition) one is used: that
    which the scanner normalised, else the one without ``rec``.  A filter for T1w images in ``--bids-filter-file``
    is taken at its word.  The uniform image of MP2RAGE serves where there is no T1w.

    """
    chosen = settings.bids_filters.get('t1w', {})
    found = images.find(settings.bids_dir, label, {'suffix': 'T1w', 'desc': None, **chosen})
    if chosen:
        return _of_sessions(settings, found), []
    passed: list[Absence] = []
    if not found:
        found = images.find(settings.bids_dir, label, {'suffix': 'UNIT1', 'desc': None})
        passed += [Absence('t1w', f'{path.name} is used: there is no T1w.') for path in found]
    usable = []
    for path in _of_sessions(settings, found):
        try:
            reason = _why_not(path)
        except ClbpeError as error:
            passed.append(Absence.of('t1w', error))
            continue
        if reason:
            passed.append(Absence('t1w', f'{path.name} is {reason} and no anatomy.'))
        else:
            usable.append(path)
    kept: list[Path] = []
    for scan in _scans(settings, usable):
        kept.append(scan[0])
        passed += [
            Absence('t1w', f'{path.name} is another reconstruction of {scan[0].name}.') for path in scan[1:]
        ]
    return sorted(kept), passed


def _of_sessions(settings: Settings, found: Sequence[Path]) -> list[Path]:
    """Return the images of the sessions asked for, else all: anatomy may be of another session."""
    wanted = settings.session_label
    own = [path for path in found if wanted and entities_of(path).get('ses') in (*wanted, None)]
    return own or list(found)


def _why_not(path: Path) -> str:
    entities = entities_of(path)
    if not is_magnitude(path):
        return f'part-{entities["part"]}'
    if 'inv' in entities:
        return 'an inversion of MP2RAGE'
    for reason, pattern in _NOT_ANATOMY.items():
        if any(pattern.search(entities.get(key, '')) for key in ('acq', 'rec')):
            return reason
    image = open_image(path)
    extents = [size * zoom for size, zoom in zip(image.shape[:3], image.header.get_zooms()[:3])]
    if len(extents) < 3 or min(extents) < _LEAST_EXTENT:
        return f'a localizer or slab ({" x ".join(f"{extent:.0f}" for extent in extents)} mm)'
    return ''


def _scans(settings: Settings, paths: Sequence[Path]) -> list[list[Path]]:
    """Return the images of each scan, the one to use first."""
    scans: list[list[Path]] = []
    for path in sorted(paths, key=_preference):
        own = next((scan for scan in scans if _is_same_scan(settings, scan[0], path)), None)
        if own:
            own.append(path)
        else:
            scans.append([path])
    return scans


def _preference(path: Path) -> tuple[bool, bool, str]:
    entities = entities_of(path)
    is_normalised = any(_NORMALISED.search(entities.get(key, '')) for key in ('rec', 'acq'))
    return not is_normalised, 'rec' in entities, path.name


def _is_same_scan(settings: Settings, one: Path, other: Path) -> bool:
    first, second = ({k: v for k, v in entities_of(p).items() if k != 'rec'} for p in (one, other))
    if first == second:
        return True
    times = [_time(settings, path) for path in (one, other)]
    return bool(times[0]) and times[0] == times[1] and first.get('ses') == second.get('ses')


def _time(settings: Settings, path: Path) -> tuple[str, ...]:
    """Return when an image was acquired, as far as its sidecar says it to the second."""
    metadata = sidecar(path, settings.bids_dir)
    return tuple(
        str(metadata[key]) for key in ('AcquisitionTime', 'AcquisitionDateTime') if metadata.get(key)
    )
