"""A folder of the program's own where there is no home to write to: containers, unknown users, read-only systems."""

import os
import stat
import tempfile
from functools import cache
from pathlib import Path

from pipelines.access import container_type

_CACHES = {
    'MPLCONFIGDIR': 'matplotlib',
    'XDG_CACHE_HOME': 'cache',
    'NIPYPE_CONFIG_DIR': 'nipype',
    'NUMBA_CACHE_DIR': 'numba',
}
"""Where libraries keep what they want to find again."""


def settle_home() -> None:
    """Give libraries folders they can write to; call it before any of them is imported.

    A container may know no user of this number, show a home that is read-only or another's, or none at all: PyBIDS
    and others ask for it when they are imported.  The home of a host that shows inside a container is left alone.
    """
    is_usable = _is_usable(os.environ.get('HOME', ''))
    if is_usable and container_type() is None:
        return
    folder = private_folder()
    for name, part in _CACHES.items():
        os.environ.setdefault(name, str(folder / part))
    if not is_usable:
        os.environ['HOME'] = str(folder)


def _is_usable(home: str) -> bool:
    return os.path.isabs(home) and os.path.isdir(home) and os.access(home, os.R_OK | os.W_OK | os.X_OK)


@cache
def private_folder() -> Path:
    """Return a folder for temporary things that nobody else can write to, the same in every run of a user if it can be.

    Its name holds the user's number, for containers share ``/tmp``; one that somebody else made is not used.
    """
    folder = Path(tempfile.gettempdir()) / f'clbpe-{os.getuid()}'
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        known = folder.lstat()
        if stat.S_ISDIR(known.st_mode) and known.st_uid == os.getuid() and not known.st_mode & 0o022:
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix='clbpe-'))
