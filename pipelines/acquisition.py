"""How the scans of a person were acquired, as far as a correction of them needs it; and which files show it."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, kw_only=True)
class FieldSource:
    """What shows the distortion of a series: a kind of estimator, and how its images were acquired.

    Attributes
    ----------
    kind
        Name in :data:`~pipelines.terms.ESTIMATORS`.
    direction, readout_time
        ``PhaseEncodingDirection`` and ``TotalReadoutTime`` (s) of the series that is corrected.
    directions, readout_times
        Of EPI, in the order of the images; empty for maps.
    echo_times
        Of phase, s: of the earlier and the later echo.
    units
        Of a map of the field, ``Hz``, ``rad/s`` or ``T``.
    volumes
        Of every EPI those that count; empty for all.

    """

    kind: str
    direction: str
    readout_time: float
    directions: tuple[str, ...] = ()
    readout_times: tuple[float, ...] = ()
    echo_times: tuple[float, ...] = ()
    units: str = ''
    volumes: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class SessionEncoding:
    """How the diffusion scans of a session were encoded.

    Attributes
    ----------
    directions
        ``PhaseEncodingDirection`` of each (``j``, ``j-`` ...), empty if unknown or not to be used.
    readout_times
        ``TotalReadoutTime`` of each, s; 0 if unknown.
    source
        What else shows the distortion of the first; not used where the scans show it themselves.

    """

    directions: tuple[str, ...]
    readout_times: tuple[float, ...]
    source: FieldSource | None = None


class Echoes(NamedTuple):
    """The echoes of a BOLD run, the first of the shortest time: paths, and times in s."""

    paths: list[str]
    times: list[float]


class Field(NamedTuple):
    """What shows the distortion of a series: how its images were acquired, and the paths of the images."""

    source: FieldSource
    images: list[str]
