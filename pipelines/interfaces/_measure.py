"""What a step takes: time, and the most memory that its process held meanwhile."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_RESET_PEAK = '5'
"""Has Linux forget the largest memory of a process so far (proc(5), ``clear_refs``)."""


def resources_file(folder: Path) -> Path:
    """Return the file that tells what a step took: beside its folder, where Nipype clears what is no result."""
    return folder.with_name(f'{folder.name}.resources.json')


@contextmanager
def measured(folder: Path) -> Iterator[None]:
    """Write what the work in the context took into :func:`resources_file` when it is done.

    Notes
    -----
    A worker process runs one step after another, so its peak is reset before each.  Where that is not allowed, or
    there is no ``/proc``, memory is that of the process since it began, or n/a.

    """
    with suppress(OSError):
        Path('/proc/self/clear_refs').write_text(_RESET_PEAK)
    held, began = _memory('VmRSS'), time.monotonic()
    yield
    found = {'seconds': time.monotonic() - began, 'peak_gb': _memory('VmHWM'), 'held_gb': held}
    resources_file(folder).write_text(json.dumps(found))


def _memory(name: str) -> float | None:
    """Return a memory of this process in GB; None where the system does not tell it."""
    try:
        lines = Path('/proc/self/status').read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith(f'{name}:')]
    return int(found[0]) / 1024**2 if found else None
