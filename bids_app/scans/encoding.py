"""How an EPI was encoded, from its sidecar: the direction, and the time its readout took."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

_AXES = ('i', 'j', 'k')
_DIRECTIONS = ('i', 'i-', 'j', 'j-', 'k', 'k-')
_LONGEST = 1.0  # s; a longer readout is written in another unit


class Encoding(NamedTuple):
    """Direction as BIDS writes it, empty if unknown; readout in s, 0 if unknown; what is to be said of them.

    ``axis`` is that of a direction whose sign is not known, else empty.
    """

    direction: str
    readout_time: float
    remarks: list[str]
    axis: str = ''


def direction_of(metadata: Mapping[str, Any]) -> str:
    """Return the ``PhaseEncodingDirection``, empty if it is absent or none of BIDS.

    Examples
    --------
    >>> direction_of({'PhaseEncodingDirection': 'j-'}), direction_of({'PhaseEncodingDirection': 'AP'})
    ('j-', '')

    """
    value = metadata.get('PhaseEncodingDirection')
    return value if value in _DIRECTIONS else ''


def encoding_of(metadata: Mapping[str, Any], fallback: float | None = None) -> Encoding:
    """Return how an EPI was encoded.

    Parameters
    ----------
    metadata
        Its sidecar.
    fallback
        Readout time where the sidecar tells none, s.

    Notes
    -----
    ``TotalReadoutTime`` as a number or as text, else by its definition in BIDS,
    ``EffectiveEchoSpacing`` (``ReconMatrixPE`` - 1), else the ``EstimatedTotalReadoutTime`` that dcm2niix writes for
    Philips, from the water-fat shift at a field strength it assumes: that is said to be an estimate.

    Examples
    --------
    >>> encoding_of({'PhaseEncodingDirection': 'j-', 'TotalReadoutTime': '0.05'})[:2]
    ('j-', 0.05)
    >>> encoding_of({'PhaseEncodingDirection': 'j', 'EffectiveEchoSpacing': 0.0005, 'ReconMatrixPE': 101})[:2]
    ('j', 0.05)

    """
    time, remarks = _readout_time(metadata)
    direction, axis = direction_of(metadata), metadata.get('PhaseEncodingAxis')
    is_unsigned = not direction and axis in _AXES
    return Encoding(
        direction,
        time or fallback or 0.0,
        [*_of_direction(metadata), *remarks],
        str(axis) if is_unsigned else '',
    )


def _of_direction(metadata: Mapping[str, Any]) -> list[str]:
    """Return why the direction is not known, if it is not."""
    if direction_of(metadata):
        return []
    given, axis = metadata.get('PhaseEncodingDirection'), metadata.get('PhaseEncodingAxis')
    problem = f'is {given!r}, none of i, i-, j, j-, k, k-' if given else 'is absent'
    stays = 'its distortion stays'
    if axis in _AXES:
        stays = (
            f'PhaseEncodingAxis {axis!r} has no sign, and only --use-syn-sdc corrects its distortion, where it is '
            'the only series of its session'
        )
    return [f'PhaseEncodingDirection {problem}: {stays}. Mend the sidecar.']


def _readout_time(metadata: Mapping[str, Any]) -> tuple[float, list[str]]:
    """Return the readout time in s, 0 if unknown, and what is to be said of it."""
    given = metadata.get('TotalReadoutTime')
    time = _number(given)
    if 0 < time < _LONGEST:
        said = f'TotalReadoutTime is text, read as {time:g} s.'
        return time, [said] if isinstance(given, str) else []
    computed = _number(metadata.get('EffectiveEchoSpacing')) * (_number(metadata.get('ReconMatrixPE')) - 1)
    if 0 < computed < _LONGEST:
        said = f'TotalReadoutTime is {"absent" if given is None else repr(given)}; EffectiveEchoSpacing x (ReconMatrixPE - 1)'
        return computed, [f'{said} = {computed:.6g} s is used.']
    estimated = _number(metadata.get('EstimatedTotalReadoutTime'))
    if 0 < estimated < _LONGEST:
        return estimated, [
            f'TotalReadoutTime is {"absent" if given is None else repr(given)}; EstimatedTotalReadoutTime {estimated:g} s '
            'stands for it, an estimate of the converter.'
        ]
    if given is None:
        return 0.0, []
    return 0.0, [f'TotalReadoutTime {given!r} is no time in seconds and is not used. Mend the sidecar.']


def _number(value: Any) -> float:
    """Return a finite number that may be written as text; 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0.0
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return 0.0
    return number if math.isfinite(number) else 0.0
