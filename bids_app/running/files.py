"""Write files in one step: whoever reads one sees the old content or the new, never a part."""

import gzip
import json
import logging
import os
import shutil
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from pipelines.errors import OutputError

LOGGER = logging.getLogger(__name__)

_STALE = 3600.0  # s; no file takes as long to write


@contextmanager
def drafted(target: Path) -> Iterator[Path]:
    """Give a draft beside ``target`` to write to; it takes the target's place at the end.

    An old target is replaced, never written through: an annexed file is a read-only link.  The
    draft's name is random, for jobs in containers share process numbers.

    Raises
    ------
    OutputError
        The file cannot be written.

    """
    draft = target.with_name(f'.{uuid4().hex}.draft')
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        _to_disk(draft)
        os.replace(draft, target)
    except OSError as error:
        raise OutputError(
            f'{target} cannot be written ({error.strerror or error}). Check space and permissions.'
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink()


def _to_disk(path: Path) -> None:
    """Have the content written before the name points to it: a crash of the machine leaves old or new."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def replace_file(source: Path, target: Path) -> None:
    """Copy ``source`` to ``target``, compressed where only the target's name ends in ``.gz``.

    Equal content gives equal bytes: the gzip header holds neither name nor time.
    """
    with drafted(target) as draft:
        if target.suffix != '.gz' or source.suffix == '.gz':
            shutil.copyfile(source, draft)
            return
        with (
            source.open('rb') as plain,
            draft.open('wb') as raw,
            gzip.GzipFile('', 'wb', 6, raw, 0) as packed,
        ):
            shutil.copyfileobj(plain, packed)


def replace_text(text: str, target: Path) -> Path:
    """Write a text file and return its path."""
    with drafted(target) as draft:
        draft.write_text(text, encoding='utf-8')
    return target


def replace_json(content: Mapping[str, Any], target: Path) -> None:
    """Write a JSON file."""
    replace_text(json.dumps(content, indent=2, default=str) + '\n', target)


def remove_damaged_results(folder: Path) -> None:
    """Remove the folders of steps whose result was cut short, so that they run again.

    Nipype keeps what a step gave in a packed file beside it, and stops at one that it cannot read.
    """
    for result in list(folder.rglob('result_*.pklz')):
        try:
            with gzip.open(result) as packed:
                is_whole = bool(packed.read())
        except (OSError, EOFError, zlib.error):
            is_whole = False
        if not is_whole:
            LOGGER.warning('%s is damaged: this step runs again', result)
            shutil.rmtree(result.parent, ignore_errors=True)


def remove_drafts(folder: Path, older_than: float = _STALE, *, is_deep: bool = True) -> None:
    """Remove the drafts that a killed run left, below too or here alone; young ones (s) may belong to another job."""
    for draft in folder.rglob('.*.draft') if is_deep else folder.glob('.*.draft'):
        with suppress(FileNotFoundError):
            if time.time() - draft.stat().st_mtime >= older_than:
                draft.unlink()
