"""Text files of any origin: plain or gzip, in whatever encoding a spreadsheet or laboratory left them."""

import gzip
import io
import zlib
from pathlib import Path
from typing import NamedTuple

from ..access import why_unreadable
from ..errors import DataError

MOST_BYTES = 2**30
"""Text beyond this size is refused: counts of 60,000 genes in 1,000 samples need a third of it."""

_OTHERS = {
    b'PK\x03\x04': 'an Excel workbook or another archive',
    b'\xd0\xcf\x11\xe0': 'an old Excel workbook',
    b'%PDF': 'a PDF file',
    b'BZh': 'compressed by bzip2',
    b'\xfd7zXZ': 'compressed by xz',
    b'\x89HDF': 'an HDF5 file',
    b'RDX': 'an R data file',
}


class Text(NamedTuple):
    """A file as text with the line ends of Unix; ``is_utf8``: the encoding was not guessed."""

    text: str
    is_utf8: bool


def read_text(path: Path) -> Text:
    """Read a text file, plain or gzip by its content, not by its name.

    Raises
    ------
    MissingInputError
        It is not for this user to read, or a link without its content.
    DataError
        It cannot be read, is damaged, is no text, is empty, or is larger than :data:`MOST_BYTES`.

    """
    try:
        content = path.read_bytes() if path.stat().st_size <= MOST_BYTES else None
    except OSError as error:
        is_kept_away = isinstance(error, PermissionError) or path.is_symlink()
        if is_kept_away and (reason := why_unreadable(path)):
            raise reason from error
        raise DataError(f'cannot be read ({error.strerror}); check the file and its permissions') from error
    if content is None:
        raise _too_large()
    if content.startswith(b'\x1f\x8b'):
        content = _unpacked(content)
    kind = next((kind for magic, kind in _OTHERS.items() if content.startswith(magic)), None)
    if kind:
        raise DataError(f'is {kind}; give it as text, plain or gzip')
    text, is_utf8 = _decoded(content)
    if not text.strip():
        raise DataError('is empty')
    return Text(text.replace('\r\n', '\n').replace('\r', '\n'), is_utf8)


def _unpacked(content: bytes) -> bytes:
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            found = stream.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f'is a damaged gzip file ({error}); make or fetch it again') from error
    if len(found) > MOST_BYTES:
        raise _too_large()
    return found


def _too_large() -> DataError:
    return DataError(f'holds more than {MOST_BYTES / 2**30:g} GB of text; is it the right file?')


def _decoded(content: bytes) -> tuple[str, bool]:
    if content[:2] in (b'\xff\xfe', b'\xfe\xff'):  # Excel's "Unicode text"
        return content.decode('utf-16', errors='replace'), True
    if b'\0' in content:
        raise DataError('holds zero bytes and is no text; make or fetch it again')
    try:
        return content.decode('utf-8-sig'), True
    except UnicodeDecodeError:
        return content.decode('cp1252', errors='replace'), False
