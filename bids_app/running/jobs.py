"""The jobs of a batch system that a run waits for, and how to end them; no heavy import, for signal handlers."""

import shutil
import subprocess
from contextlib import suppress

SUBMITTED: set[int] = set()
"""Numbers of the jobs that are not known to have ended."""


def cancel_jobs() -> None:
    """Cancel what was submitted and has not ended: nobody waits for it any more."""
    if SUBMITTED and shutil.which('scancel'):
        with suppress(subprocess.SubprocessError):
            subprocess.run(['scancel', *map(str, sorted(SUBMITTED))], capture_output=True, timeout=5)
    SUBMITTED.clear()
