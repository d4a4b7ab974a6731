"""Why a file cannot be had: it is absent, a link that leads nowhere, or not this user's to read or write."""

import grp
import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path

from .errors import MissingInputError, OutputError

_ANNEX = '/.git/annex/objects/'
_AS_OWNER = 'docker run --user "$(id -u):$(id -g)"'


def container_type() -> str | None:
    """Return what this program runs in: ``apptainer``, ``podman`` or ``docker``; None for a plain installation."""
    if any(os.environ.get(name) for name in ('APPTAINER_CONTAINER', 'SINGULARITY_CONTAINER')):
        return 'apptainer'
    if os.environ.get('container') == 'podman':  # noqa: SIM112, podman's own word
        return 'podman'
    return 'docker' if os.environ.get('CLBPE_DOCKER_TAG') else None


def why_unreadable(path: Path) -> MissingInputError | None:
    """Return why a file or folder cannot be read at all, with what to do; None where it can.

    Examples
    --------
    >>> why_unreadable(Path('/')) is None
    True
    >>> str(why_unreadable(Path('/absent/bold.nii.gz')))
    '/absent/bold.nii.gz is not here. Correct the path, or fetch the file (datalad get).'

    """
    blocker = _blocker(path)
    if blocker:
        return MissingInputError(f'{path} cannot be read: {_who(blocker)} {_remedy(blocker)}')
    if not os.path.exists(path):
        target = os.path.realpath(path)
        if target == os.path.abspath(path):
            return MissingInputError(
                f'{path} is not here. Correct the path, or fetch the file (datalad get).'
            )
        return MissingInputError(f'{path} is a link to {target}, which is not here. {_where_to_find(target)}')
    if not os.access(path, os.R_OK | (os.X_OK if os.path.isdir(path) else 0)):
        real = Path(os.path.realpath(path))
        return MissingInputError(f'{path} cannot be read: {_who(real)} {_remedy(real)}')
    return None


def not_writable(path: Path) -> OutputError:
    """Return the error of a folder, or of what lies in it, that this user may not write."""
    place = path
    while not os.path.exists(place):
        place = place.parent
    blocker = _blocker(place) or place
    if os.statvfs(blocker).f_flag & os.ST_RDONLY:
        return OutputError(
            f'{path} cannot be written: {blocker} lies on a read-only file system. Mount it for writing (without :ro), '
            'or choose another folder.'
        )
    is_dockers = place.stat().st_uid == 0 and container_type() in ('docker', 'podman')
    first = 'Make the folder before docker run does it as root. ' if is_dockers else ''
    return OutputError(f'{path} cannot be written: {_who(blocker)} {first}{_remedy(blocker)}')


def _blocker(path: Path) -> Path | None:
    """Return the first folder on the way to a file, through its links, that may not be entered."""
    for way in dict.fromkeys([Path(os.path.abspath(path)), Path(os.path.realpath(path))]):
        for folder in reversed(way.parents):
            if not os.access(folder, os.X_OK):
                if os.path.isdir(folder):
                    return Path(os.path.realpath(folder))
                break  # absent, or a link: what it leads to comes next
    return None


def _who(path: Path) -> str:
    """Say whose a file is and who asks."""
    known = path.stat()
    owner = f'{_name(pwd.getpwuid, known.st_uid)}:{_name(grp.getgrgid, known.st_gid)}'
    what = 'the folder' if stat.S_ISDIR(known.st_mode) else 'the file'
    return (
        f'{what} {path} belongs to {owner}, mode {stat.filemode(known.st_mode)}, and clbpe runs as '
        f'{_name(pwd.getpwuid, os.geteuid())}:{_name(grp.getgrgid, os.getegid())}.'
    )


def _name(find: Callable[[int], tuple[object, ...]], number: int) -> str:
    try:
        return f'{find(number)[0]} ({number})'
    except KeyError:
        return str(number)


def _remedy(path: Path) -> str:
    if container_type() in ('docker', 'podman'):
        return f'Start the container as the owner of the data: {_AS_OWNER} ...'
    return f'Run as its owner, or mend its permissions (chmod o+rX {path}).'


def _where_to_find(target: str) -> str:
    """Say how to bring the content of a link: fetched where its store is here, else by binding the store."""
    dataset, annex, _ = target.partition(_ANNEX)
    if os.path.isdir(f'{dataset}/.git' if annex else os.path.dirname(target)):
        return 'Fetch it (datalad get).'
    folder = dataset if annex else os.path.dirname(target)
    what = f'{folder}, the dataset whose .git holds the content,' if annex else folder
    if container_type() is None:
        return f'Fetch it (datalad get), or mount {what} where the link leads.'
    return (
        f'The link leads out of what the container sees: bind {what} under the same name too (docker run -v '
        f'{folder}:{folder}:ro, apptainer run --bind {folder}).'
    )
