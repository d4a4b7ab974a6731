"""One works at a time: a folder is held by a lock of the operating system, which the kernel frees when the holder dies."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pipelines.errors import OutputError, StoppedError

_BEAT = 30.0
"""Seconds between two signs of life where the file system knows no locks."""
_STALE = 600.0
"""Seconds without one after which the holder is taken for dead."""


def lock_file(path: Path) -> FileLock:
    """Return the lock of a file that all who share a folder may open, whoever of them made it."""
    return FileLock(path, mode=0o666)


@contextmanager
def held(folder: Path, what: str) -> Iterator[None]:
    """Hold a folder while the context lasts.

    Parameters
    ----------
    folder
        In which the lock is a file.
    what
        That is held, for the message.

    Raises
    ------
    StoppedError
        Somebody else holds it; says who.
    OutputError
        The lock belongs to another user and cannot be opened.

    Notes
    -----
    Host and process stand in a file beside the lock for the message alone: in containers every process is number 1,
    and hosts may share a name.

    """
    folder.mkdir(parents=True, exist_ok=True)
    lock, holder = lock_file(folder / 'lock'), folder / 'holder'
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StoppedError(_refusal(what, holder)) from None
    except PermissionError as error:
        raise OutputError(
            f'{folder / "lock"} cannot be opened ({error.strerror}): another user made it. Mend its permissions, or '
            'choose another folder.'
        ) from error
    except (NotImplementedError, OSError):
        with _alive(folder / 'alive', holder, what):
            yield
        return
    try:
        _sign(holder)
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _sign(holder: Path) -> None:
    text = f'{socket.gethostname()}, process {os.getpid()}, since {time.strftime("%Y-%m-%d %H:%M:%S")}'
    with suppress(OSError):
        holder.write_text(text, encoding='utf-8')


def _refusal(what: str, holder: Path) -> str:
    try:
        who = holder.read_text(encoding='utf-8') or 'another run'
    except OSError:
        who = 'another run'
    return f'{what} is being processed by {who}. Wait for it, or stop it, and run again.'


@contextmanager
def _alive(beat: Path, holder: Path, what: str) -> Iterator[None]:
    """Hold by signs of life, on a file system without locks."""
    with suppress(OSError):
        if time.time() - beat.stat().st_mtime < _STALE:
            raise StoppedError(
                f'{_refusal(what, holder)} The file system knows no locks: a run that died is taken for alive '
                f'for {_STALE / 60:.0f} minutes.'
            )
    ended = threading.Event()

    def go_on() -> None:
        while not ended.wait(_BEAT):
            with suppress(OSError):
                beat.touch()

    beat.touch()
    _sign(holder)
    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        for path in (beat, holder):
            path.unlink(missing_ok=True)
