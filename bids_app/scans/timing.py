"""When the volumes and slices of a series were taken: by its sidecar, that of the raw series, or its header."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.errors import DataError, MissingInputError
from pipelines.interfaces.headers import open_series, repetition_time

LOGGER = logging.getLogger(__name__)

_TOLERANCE = 1e-3  # s, as the BIDS validator
_LONGEST = 60.0  # s; a header that says more is in ms
_MS = 1000.0
_AXES = {'i': 0, 'j': 1, 'k': 2}
_DIRECTIONS = ('i', 'i-', 'j', 'j-', 'k', 'k-')


def repetition_time_of(
    bold: Path, metadata: Mapping[str, Any], raw_metadata: Mapping[str, Any] | None = None
) -> float:
    """Return the repetition time of a series, s.

    Parameters
    ----------
    bold
        Series, raw or preprocessed.
    metadata
        Its sidecar.
    raw_metadata
        Of a preprocessed series: the sidecar of the raw one, which counts where ``metadata`` is silent;
        where it is silent, too, the header does.

    Raises
    ------
    MissingInputError
        Nothing says it.
    DataError
        It is no time, or the header contradicts it: headers of 1 s and of ms in place of s are known to be
        left by tools that wrote the series, and are only warned of.

    """
    json_file = bold.with_name(bold.name.split('.')[0] + '.json')
    value = metadata.get('RepetitionTime') or (raw_metadata or {}).get('RepetitionTime')
    header = repetition_time(bold)
    if not value:
        return _from_header(bold, json_file, header if raw_metadata is not None else 0.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _LONGEST:
        raise DataError(
            f'{json_file}: RepetitionTime {value!r} is no time between 0 and {_LONGEST:g}. Correct it, in seconds.'
        )
    if header and abs(header - value) > _TOLERANCE:
        contradiction = f'{header:g} s in its header, but {json_file.name} says {value:g} s'
        if not _is_known_slip(header, float(value)):
            raise DataError(
                f'{bold} has a repetition time of {contradiction}. Correct the one that is wrong.'
            )
        LOGGER.warning('%s has a repetition time of %s, which counts', bold.name, contradiction)
    return float(value)


def _from_header(bold: Path, json_file: Path, header: float) -> float:
    if not 0 < header < _LONGEST:
        raise MissingInputError(f'{json_file} has no RepetitionTime. Add it in seconds.')
    LOGGER.warning(
        '%s: neither its sidecar nor that of the raw series has a RepetitionTime; the %g s of its header count',
        bold.name,
        header,
    )
    return header


def _is_known_slip(header: float, value: float) -> bool:
    return header == 1 or abs(header - value * _MS) <= _TOLERANCE * _MS


def slice_times_of(bold: Path, metadata: Mapping[str, Any], t_r: float) -> list[float] | None:
    """Return the onset of every slice, s; None where the sidecar has none.

    Raises
    ------
    DataError
        They are no times, not one per slice, or not within one volume.

    """
    times = metadata.get('SliceTiming')
    if times is None:
        return None
    n_slices = open_series(bold).shape[_AXES[slice_direction_of(bold, metadata)[0]]]
    problem = _problem(times, n_slices, t_r)
    if problem:
        raise DataError(f'{bold}: SliceTiming {problem}. Mend the sidecar, or use --ignore slicetiming.')
    return [float(time) for time in times]


def slice_direction_of(bold: Path, metadata: Mapping[str, Any]) -> str:
    """Return the axis that slices are counted along, backwards with ``-``; the third where the sidecar has no times.

    Raises
    ------
    DataError
        There are times, and their direction is none of BIDS.

    """
    direction = metadata.get('SliceEncodingDirection', 'k')
    if direction in _DIRECTIONS:
        return str(direction)
    if metadata.get('SliceTiming') is None:
        return 'k'
    raise DataError(
        f'{bold}: SliceEncodingDirection {direction!r} is none of {", ".join(_DIRECTIONS)}. Mend the sidecar, or use '
        '--ignore slicetiming.'
    )


def _problem(times: Sequence[Any], n_slices: int, t_r: float) -> str:
    if not isinstance(times, list) or not all(_is_time(time) for time in times):
        return f'holds {str(times)[:40]}, and a list of times in seconds is needed'
    if len(times) != n_slices:
        return f'has {len(times)} times for {n_slices} slices'
    if min(times) < 0:
        return f'has a time of {min(times):g} s, before its volume'
    if max(times) > t_r:
        hint = '; it looks like ms' if 10 * t_r < max(times) <= _MS * t_r else ''
        return f'reaches {max(times):g} s, beyond the repetition time of {t_r:g} s{hint}'
    return ''


def _is_time(value: Any) -> bool:
    """Return whether a value is a number that may be a time in s or ms: not ``true``, NaN, or beyond all floats."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MS * _LONGEST
