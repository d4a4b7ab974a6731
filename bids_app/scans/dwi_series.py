"""Which raw diffusion series of a session are used together, and why others are not."""

import json
import logging
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from pipelines.errors import DataError, FewDirectionsError, MissingInputError
from pipelines.interfaces.dwi_protocol import Protocol, count_volumes, read_protocol

from ..settings import Settings
from .dataset import Absence
from .encoding import Encoding, encoding_of
from .field_images import Epi, describe_epi
from .fieldmaps import is_corrected, is_opposite
from .query import entities_of, inherited, sidecar

LOGGER = logging.getLogger(__name__)

FURTHER = 'further dwi'
"""What is left out beside series that are used."""

_FEWEST = 7  # volumes of a series that can show a tensor: b = 0 and six directions
_FILTERS = {'acq': 'acquisition', 'run': 'run', 'rec': 'reconstruction', 'dir': 'direction', 'echo': 'echo'}
"""Entities by which series of one session differ, and their names in a filter file."""


class DwiScan(NamedTuple):
    """One diffusion series with its table; an empty direction and 0 s mean unknown.

    ``left_out`` are volumes, from 0, with a b-value but no direction; ``axis`` is that of the phase encoding, whether
    its sign is known or not, empty if unknown.
    """

    dwi: Path
    bval: Path
    bvec: Path
    direction: str = ''
    readout_time: float = 0.0
    mask: Path | None = None
    left_out: tuple[int, ...] = ()
    axis: str = ''

    def files(self) -> list[Path]:
        """Return every file that was found for the scan."""
        return [path for path in (self.dwi, self.bval, self.bvec, self.mask) if path]


class _Series(NamedTuple):
    scan: DwiScan
    protocol: Protocol
    encoding: Encoding

    def encoded(self, *, takes_axis: bool) -> DwiScan:
        """Return the scan with its encoding, an axis without sign only where that serves."""
        encoding = self.encoding
        direction = encoding.direction or (encoding.axis if takes_axis else '')
        axis = (encoding.direction or encoding.axis)[:1]
        return self.scan._replace(direction=direction, readout_time=encoding.readout_time, axis=axis)


class Usable(NamedTuple):
    """Series of a session that are analysed together, what is left out, and one of those that shows their distortion.

    ``reverse`` has too few directions to be analysed, and is encoded against the first of the others.
    """

    scans: list[DwiScan]
    absent: list[Absence]
    reverse: Epi | None = None


def usable_scans(settings: Settings, files: Sequence[Path]) -> Usable:
    """Return the raw series of a session that are analysed together, and what is left out with its reason.

    One that shows too few directions (b = 0 only, a single image) costs itself beside others, and is what the
    session has when it is alone.  Series of different protocols are not pooled: none is used unless one is chosen.
    """
    found: list[_Series] = []
    lost: dict[Path, DataError | MissingInputError] = {}
    for path in files:
        try:
            scan, protocol = with_table(path, settings.bids_dir)
            found.append(_Series(scan, protocol, _encoding_of(settings, scan)))
        except (DataError, MissingInputError) as error:
            lost[path] = error
    few = [path for path, error in lost.items() if isinstance(error, FewDirectionsError)]
    reverse = _reverse_of(settings, found, few)
    absent = [
        _absence(error, found, shows_it=bool(reverse and path == reverse.path))
        for path, error in lost.items()
    ]
    absent += [absence for series in found for absence in without_direction(series.scan)]
    clash = _clash(settings, found)
    if clash:
        return Usable([], [*absent, Absence('dwi', clash, MissingInputError.exit_code)])
    # registration to the T1w image finds the sign of an axis, but it must be the same one for all
    takes_axis = settings.distortion.use_syn_sdc and len(found) == 1
    return Usable([series.encoded(takes_axis=takes_axis) for series in found], absent, reverse)


def with_table(path: Path, root: Path) -> tuple[DwiScan, Protocol]:
    """Return a series with its table, which is checked before anything runs.

    Raises
    ------
    MissingInputError
        A series of several directions has no table.
    FewDirectionsError
        It shows too few directions for a tensor.
    DataError
        Image or table cannot be used.

    """
    own = [path.with_name(path.name.split('.')[0] + extension) for extension in ('.bval', '.bvec')]
    n_volumes = count_volumes(path)
    # a table further up is that of the others: such a series could not use it
    if n_volumes < _FEWEST and not all(table.is_file() for table in own):
        what = f'{path} has {n_volumes} volumes and no gradient table of its own: too few for directions.'
        raise FewDirectionsError(what, 'Exclude the scan, or fetch its .bval and .bvec.')
    bval, bvec = ([table, *inherited(path, root, table.suffix)][-1] for table in own)
    protocol = read_protocol(path, bval, bvec)
    return DwiScan(path, bval, bvec, left_out=protocol.left_out), protocol


def without_direction(scan: DwiScan) -> list[Absence]:
    """Return that volumes are left out, if any are."""
    if not scan.left_out:
        return []
    which = f'volume{"s" * (len(scan.left_out) > 1)} {", ".join(map(str, scan.left_out))} (the first is 0)'
    reason = f'{scan.dwi}: {which} with a b-value but no direction, as trace and ADC images have, left out.'
    return [Absence(FURTHER, reason)]


def _absence(error: DataError | MissingInputError, beside: Sequence[_Series], *, shows_it: bool) -> Absence:
    """Return what is said of a series that is not analysed, with the others of its session."""
    if not beside:
        return Absence.of('dwi', error)
    if not isinstance(error, FewDirectionsError):
        return Absence.of(FURTHER, error)
    used = (
        'its b = 0 images show the distortion of the others'
        if shows_it
        else 'distortion is not corrected with it'
    )
    return Absence(
        FURTHER, f'{error.args[0]} It is left out of the analysis, and {used}; the session goes on.'
    )


def _reverse_of(settings: Settings, found: Sequence[_Series], few: Sequence[Path]) -> Epi | None:
    """Return the first series of too few directions whose b = 0 images are encoded against those that are used."""
    directions = {series.encoding.direction for series in found}
    if not found or len(directions) > 1 or not is_corrected(settings):
        return None
    for path in few:
        try:
            epi = describe_epi(settings, path, sidecar(path, settings.bids_dir))
        except (DataError, MissingInputError):
            continue
        if is_opposite(epi.direction, found[0].encoding.direction):
            return epi
    return None


def _encoding_of(settings: Settings, scan: DwiScan) -> Encoding:
    metadata = sidecar(scan.dwi, settings.bids_dir)
    found = encoding_of(metadata, settings.distortion.fallback_total_readout_time)
    for remark in found.remarks:
        LOGGER.warning('%s: %s', scan.dwi.name, remark)
    return found


def _clash(settings: Settings, found: Sequence[_Series]) -> str:
    """Return why the series may not be pooled, empty if they may."""
    chosen = settings.bids_filters.get('dwi', {}).get('acquisition')
    for one, other in combinations(found, 2):
        is_asked = isinstance(chosen, list)  # both are named in the filter file
        acquired = [entities_of(series.scan.dwi).get('acq') for series in (one, other)]
        shells_may_differ = is_asked or acquired[0] == acquired[1]
        has_grid = one.protocol.has_grid_of(other.protocol)
        if not has_grid or not (one.protocol.has_shells_of(other.protocol) or shells_may_differ):
            return _ask(one, other, can_pool=has_grid and all(acquired))
    return ''


def _ask(one: _Series, other: _Series, *, can_pool: bool) -> str:
    """Return which two protocols there are, and how to choose."""
    named = ' and '.join(f'{s.scan.dwi} ({s.protocol.in_words()})' for s in (one, other))
    first, second = (entities_of(series.scan.dwi) for series in (one, other))
    key = next((key for key in _FILTERS if first.get(key) != second.get(key)), 'acq')

    def filtered(value: object) -> str:
        return json.dumps({'dwi': {_FILTERS[key]: value}})

    pool = f', or pool them with {filtered([first[key], second[key]])}' if can_pool else ''
    value = int(first[key]) if key == 'run' and first.get(key, '').isdigit() else first.get(key)
    return (
        f'{named} are different protocols of one session, and are not pooled. Choose one by --bids-filter-file with '
        f'{filtered(value)}{pool}.'
    )
