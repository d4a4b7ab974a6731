"""What a failure means for the user: a limit that was met, a permission that lacks, or a mistake of the program."""

import errno
import re
import resource
import sys
import time
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pipelines import errors
from pipelines.access import not_writable, why_unreadable
from pipelines.errors import ClbpeError, OutputError, StoppedError

from .. import __version__
from ..settings import Settings
from .home import private_folder
from .resources import more_memory

_RAISED = re.compile(r'^\s*(?:[\w.]+\.)?(\w+(?:Error|Exception|Exit)\b)(?:: (.*))?$', re.MULTILINE)
_NUMBER = re.compile(r'\[Errno (\d+)\]')
_PATH = re.compile(r": '([^']+)'")

_FULL = {errno.ENOSPC: 'is full', errno.EDQUOT: 'has no more room for this user (quota)'}
_LIMITS = {
    errno.EMFILE: 'more files are open than this user may have (ulimit -n)',
    errno.ENFILE: 'more files are open than this machine can have',
    errno.EAGAIN: 'no more processes or threads may be started (ulimit -u)',
    errno.EFBIG: 'a file grew beyond what this user may write (ulimit -f)',
}
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_CUT_SHORT = re.compile(r'\d+ requested and \d+ written')
"""What NumPy says of a file that it could not write whole; the system's reason is lost."""
_WORDED = {
    "can't start new thread": errno.EAGAIN,
    'failed to map segment from shared object': errno.ENOMEM,
    'cannot map zero-fill pages': errno.ENOMEM,
    'Cannot allocate memory': errno.ENOMEM,
    'Too many open files': errno.EMFILE,
}
"""What is said without the system's number: by Python of threads, by the loader of a library that it cannot take in."""


class Raised(NamedTuple):
    """An exception as it reads: the name of its class, and its message."""

    kind: str
    message: str

    @property
    def number(self) -> int:
        """Return the number of the system's error; 0 where it is none."""
        if found := _NUMBER.search(self.message):
            return int(found[1])
        return next((number for words, number in _WORDED.items() if words in self.message), 0)

    @property
    def is_memory(self) -> bool:
        """Return whether memory ran out; NumPy's own error says how much was asked for."""
        return self.kind.endswith('MemoryError') or self.number == errno.ENOMEM

    @property
    def own(self) -> type[ClbpeError] | None:
        """Return the class, if it is one of ours."""
        kind = getattr(errors, self.kind, None)
        return kind if isinstance(kind, type) and issubclass(kind, ClbpeError) else None


class Fault(NamedTuple):
    """What a failure means: in words, and as an exit status."""

    message: str
    exit_code: int


def raised_in(text: str) -> list[Raised]:
    """Return the exceptions that a traceback names, the last raised first."""
    return [Raised(kind, message or '') for kind, message in reversed(_RAISED.findall(text))]


def chain_of(error: BaseException) -> list[Raised]:
    """Return an exception and what it came from, the last raised first."""
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found:  # one raised from itself would have no end
        found.append(one)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return [Raised(type(each).__name__, str(each)) for each in found]


def judge(chain: list[Raised], settings: Settings | None) -> Fault:
    """Return what a chain of exceptions means.

    Parameters
    ----------
    chain
        The last raised first: who raised it knew most, the name of the file for one.
    settings
        That tell the folder of a file; None before they are known.

    Notes
    -----
    What the system refused comes before what a reader made of it: a file that may not be read is not damaged.  A full
    output folder is 73, a full scratch disk 75: after that the same command goes on where it stopped.

    """
    own = [raised for raised in chain if raised.own]
    for raised in chain:
        if raised.is_memory and not own:
            return _out_of_memory(raised)
        if raised.number in _FULL:
            return _full_disk(raised, [each.message for each in chain], settings)
        if _CUT_SHORT.search(raised.message):
            return cut_short(settings)
        if raised.number in _FORBIDDEN and (path := _PATH.search(raised.message)):
            return _forbidden(Path(path[1]), settings, raised)
        # who writes a file says which, and not that it met a limit of the user
        if raised.number in _LIMITS and all(each.own is OutputError for each in own):
            return Fault(f'{_LIMITS[raised.number]}. Raise the limit, and run again to resume.', 75)
    if own:
        kind = own[0].own
        return Fault(own[0].message, kind.exit_code if kind else 1)
    last = chain[0] if chain else Raised('Exception', 'no reason was given')
    return Fault(f'{last.kind}: {last.message}' if last.message else last.kind, 1)


def cut_short(settings: Settings | None) -> Fault:
    """Return what it means that a file of ours ends too early and nobody knows the system's reason."""
    where = f'in the work folder {settings.work_dir} ' if settings else ''
    return Fault(
        f'a file {where}could not be written whole: its disk is full, or no file may be so large (ulimit -f). '
        'Free some space or raise the limit, and run again to resume.',
        StoppedError.exit_code,
    )


def _out_of_memory(raised: Raised) -> Fault:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    needed = raised.message or f'the program held {peak:.1f} GB when it asked for more'
    return Fault(
        f'memory ran out: {needed}. {more_memory()} Then run again to resume.', StoppedError.exit_code
    )


def _full_disk(raised: Raised, messages: Iterable[str], settings: Settings | None) -> Fault:
    place = _place(' '.join(messages), settings)
    if settings and place == 'output':
        return Fault(
            f'the disk of the output folder {settings.output_dir} {_FULL[raised.number]}. Free some space, and run again.',
            OutputError.exit_code,
        )
    where = f'of the work folder {settings.work_dir}' if settings else 'for temporary files'
    return Fault(
        f'the disk {where} {_FULL[raised.number]} (disk, not memory). Free some space or choose another with --work-dir, '
        'and run again to resume.',
        StoppedError.exit_code,
    )


def _forbidden(path: Path, settings: Settings | None, raised: Raised) -> Fault:
    reason = why_unreadable(path)
    if reason and _place(str(path), settings) not in ('output', 'work'):
        return Fault(str(reason), reason.exit_code)
    refused = not_writable(path)
    return Fault(str(refused), refused.exit_code)


def _place(text: str, settings: Settings | None) -> str:
    """Return which folder of a run a text speaks of, the innermost first; nothing where it speaks of none."""
    if settings is None:
        return ''
    folders = {
        str(settings.bids_dir): 'input', str(settings.output_dir): 'output', str(settings.work_dir): 'work',
        **{str(path): 'input' for _, path in settings.derivatives},
    }  # fmt: skip
    named = [folder for folder in folders if folder in text]
    return folders[max(named, key=len)] if named else ''


def write_crash(error: BaseException, command: str, settings: Settings | None) -> Path | None:
    """Write what a mistake of the program looks like, for who mends it; None where no folder takes it."""
    name = f'crash-{time.strftime("%Y%m%d-%H%M%S")}-main.txt'
    text = f'clbpe {__version__}, Python {sys.version}\n{command}\n\n{"".join(traceback.format_exception(error))}'
    folders = [settings.work_dir / 'crashes', settings.output_dir / 'logs'] if settings else []
    for folder in (*folders, private_folder() / 'crashes'):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding='utf-8')
        except OSError:
            continue
        return folder / name
    return None
