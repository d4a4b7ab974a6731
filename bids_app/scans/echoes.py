"""Which BOLD series are echoes of one run, and when each was read."""

import re
from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import DataError

from ..settings import Settings
from .query import sidecar

_LONGEST = 0.2  # s; a longer echo time is written in another unit
_ECHO = re.compile(r'_echo-[^_]+')


def by_echo(files: Sequence[Path]) -> list[list[Path]]:
    """Group series that differ in their echo alone.

    Examples
    --------
    >>> names = ['a_echo-1_bold.nii', 'a_echo-2_bold.nii', 'b_bold.nii']
    >>> [len(group) for group in by_echo([Path(name) for name in names])]
    [2, 1]

    """
    groups: dict[Path, list[Path]] = {}
    for path in files:
        groups.setdefault(path.with_name(_ECHO.sub('', path.name)), []).append(path)
    return list(groups.values())


def echo_order(settings: Settings, files: Sequence[Path]) -> tuple[tuple[Path, ...], tuple[float, ...]]:
    """Return the echoes of a run and their times in s, the shortest first.

    Raises
    ------
    DataError
        A time is absent, none in seconds, or that of another echo; names it.

    """
    times: list[float] = []
    for path in files:
        time = sidecar(path, settings.bids_dir).get('EchoTime')
        if isinstance(time, bool) or not isinstance(time, int | float) or not 0 < time < _LONGEST:
            raise DataError(
                f'{path}: EchoTime {time!r} is no time in seconds, by which echoes are combined. Mend the sidecar, or choose '
                'one echo by --bids-filter-file with {"bold": {"echo": 2}}.'
            )
        times.append(float(time))
    if len(set(times)) < len(times):
        named = ', '.join(path.name for path in files)
        raise DataError(
            f'{named}: two have one EchoTime ({", ".join(map(str, times))} s). Mend the sidecars.'
        )
    ordered = sorted(zip(times, files))
    return tuple(path for _, path in ordered), tuple(time for time, _ in ordered)
