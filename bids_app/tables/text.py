"""Read one tab-separated table and its JSON dictionary as text, and say what is wrong with it."""

import csv
import io
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.access import why_unreadable

from .problems import Problems

MISSING = frozenset({'', 'n/a', 'NA', 'NaN'})
"""How a table says that a value is missing; nothing else does."""

_KEYS = ('participant_id', 'session_id')
_BINARY = {
    b'PK\x03\x04': 'is an Excel workbook or another archive',
    b'\xd0\xcf\x11\xe0': 'is an old Excel workbook',
    b'\x1f\x8b': 'is compressed',
    b'%PDF': 'is a PDF file',
}
_EXPORT = 'Export it as text with tabs between the columns, in UTF-8'


class TextRow(NamedTuple):
    """A line of a table; ``number`` is its line in the file."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Table:
    """A table as text; ``dictionary`` holds the columns' entries of its JSON files."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[TextRow, ...]
    dictionary: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Labels:
    """Labels that exist, and which of them a table means by another spelling.

    Examples
    --------
    >>> Labels('sub-', ['sub-01', 'sub-02']).find('1')
    ['sub-01']

    """

    def __init__(self, prefix: str, known: Iterable[str]) -> None:
        self.prefix = prefix
        self.known = sorted({self.full(label) for label in known})
        self._known, self._loose = frozenset(self.known), dict[str, list[str]]()
        for label in self.known:
            self._loose.setdefault(self._key(label), []).append(label)

    def full(self, text: str) -> str:
        """Return a label with its prefix."""
        bare = text[len(self.prefix) :] if text[: len(self.prefix)].lower() == self.prefix else text
        return self.prefix + bare

    def find(self, text: str) -> list[str]:
        """Return the label itself where it is known, else those that differ in case or padding."""
        full = self.full(text)
        return [full] if full in self._known else self._loose.get(self._key(full), [])

    def lookalikes(self) -> list[list[str]]:
        """Return the labels that differ from each other in case or padding only."""
        return [labels for labels in self._loose.values() if len(labels) > 1]

    def _key(self, full: str) -> str:
        bare = re.sub(r'^(\d+)[.,]0+$', r'\1', full[len(self.prefix) :])  # 1.0 is a spreadsheet's 1
        return re.sub(r'[0-9]+', lambda digits: digits[0].lstrip('0') or '0', bare.casefold())


def read_text_table(
    root: Path, name: str, problems: Problems, *, dictionaries: Sequence[str] | None = None
) -> Table | None:
    """Read a table of a dataset.

    Parameters
    ----------
    root
        The dataset.
    name
        Path of the table in it.
    problems
        What is wrong is added to them.
    dictionaries
        JSON files that apply, the nearest one last; default: the one of the table's name.

    Returns
    -------
    Table | None
        Cells without surrounding blanks; None when the file cannot be used.

    """
    text = decoded(root / name, name, problems)
    lines = [] if text is None else _lines(text, name, problems)
    if not lines:
        return None
    (_, header), *body = lines
    columns = _columns(header, name, problems)
    if columns is None or not _is_even(len(columns), body, name, problems):
        return None
    rows = tuple(TextRow(number, dict(zip(columns, cells))) for number, cells in body)
    if not rows:
        problems.warn(name, 'has a header but no rows', 'nothing read')
    dictionary: dict[str, Mapping[str, Any]] = {}
    own = (name.removesuffix('.tsv') + '.json',)
    for file in own if dictionaries is None else dictionaries:
        dictionary |= _dictionary(root / file, file, problems)
    return Table(name, tuple(columns), rows, dictionary)


def decoded(path: Path, name: str, problems: Problems) -> str | None:
    """Return the text of a file, None after adding why there is none; what was guessed is a warning."""
    try:
        content = path.read_bytes()
    except OSError as error:
        if path.is_symlink() and not path.exists():
            problems.absent(
                name, 'is a link to content that is not here', 'Fetch it (datalad get, git annex get)'
            )
        elif reason := why_unreadable(path):
            raise reason from error
        else:
            problems.stop(name, f'cannot be read ({error.strerror})', 'Check the file and its permissions')
        return None
    kind = next((kind for magic, kind in _BINARY.items() if content.startswith(magic)), None)
    if kind or not content.strip():
        problems.stop(name, kind or 'is empty', _EXPORT)
        return None
    if content[:2] in (b'\xff\xfe', b'\xfe\xff'):
        problems.warn(name, 'is in UTF-16', 'read as such; save it in UTF-8')
        return content.decode('utf-16', errors='replace')
    if content.startswith(b'\xef\xbb\xbf'):
        problems.warn(name, 'begins with a byte order mark', 'ignored; save it as UTF-8 without BOM')
    if b'\0' in content:
        problems.stop(name, 'holds zero bytes and is no text', _EXPORT)
        return None
    try:
        return content.decode('utf-8-sig')
    except UnicodeDecodeError:
        problems.warn(name, 'is not in UTF-8', 'read as Windows-1252; check letters such as ä or é')
        return content.decode('cp1252', errors='replace')


def _lines(text: str, name: str, problems: Problems) -> list[tuple[int, list[str]]]:
    """Return the lines that hold anything, with their numbers."""
    if '\r' in text:
        problems.warn(name, 'has line ends of Windows or old Mac OS', 'read all the same; BIDS wants LF')
    reader, found, start = csv.reader(io.StringIO(text, newline=''), delimiter='\t'), [], 1
    try:
        for cells in reader:
            if any('\t' in cell and '\n' in cell.replace('\r', '\n') for cell in cells):
                problems.stop(name, 'a quotation mark is never closed', 'Close or remove it', row=start)
                return []
            if any(cell.strip() for cell in cells):
                found.append((start, [cell.strip() for cell in cells]))
            start = reader.line_num + 1
    except csv.Error as error:
        problems.stop(name, f'cannot be split into cells ({error})', _EXPORT, row=start)
        return []
    if not found:  # cells of blanks, or a byte order mark alone
        problems.stop(name, 'is empty', _EXPORT)
        return []
    header = found[0][1]
    separator = next((mark for mark in (';', ',') if len(header) == 1 and mark in header[0]), None)
    if separator:
        problems.stop(name, f'has columns separated by "{separator}"', _EXPORT)
        return []
    return found


def _columns(header: Sequence[str], name: str, problems: Problems) -> list[str] | None:
    columns = list(header)
    while columns and not columns[-1]:
        columns.pop()
    for number, column in enumerate(columns):
        plain = column.casefold().replace(' ', '_')
        if plain in _KEYS and plain != column and plain not in columns:
            problems.warn(name, f'should be called {plain}', 'read as such', column=column)
            columns[number] = plain
    twice = [column for column, count in Counter(columns).items() if count > 1 and column]
    for column in twice:
        problems.stop(name, 'there are two columns of this name', 'Remove or rename one', column=column)
    return None if twice else columns


def _is_even(width: int, body: Iterable[tuple[int, list[str]]], name: str, problems: Problems) -> bool:
    """Return whether every row has a cell for every column; a shifted cell is in the wrong column."""
    even = True
    for number, cells in body:
        while len(cells) > width and not cells[-1]:
            cells.pop()
        if len(cells) != width:
            even = False
            problems.stop(
                name,
                f'{len(cells)} cells where the header has {width}',
                'Add or remove tabs; write n/a where a value is missing',
                row=number,
            )
    return even


def _dictionary(path: Path, name: str, problems: Problems) -> dict[str, Mapping[str, Any]]:
    if not os.path.exists(path):
        return {}
    if reason := why_unreadable(path):
        raise reason
    try:
        content = json.loads(path.read_bytes().decode('utf-8-sig'))
        json.dumps(content, ensure_ascii=False).encode()  # half of a letter can be escaped, and never written
    except (OSError, ValueError, RecursionError) as error:
        problems.stop(name, f'is no valid JSON ({error})', 'Mend the file')
        return {}
    if not isinstance(content, dict):
        problems.stop(name, 'holds no JSON object', 'Mend the file')
        return {}
    return dict(_sound_entries(content, name, problems))


def _sound_entries(
    content: Mapping[str, Any], name: str, problems: Problems
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    kinds = {'Units': str, 'Levels': dict, 'Format': str}
    for column, entry in content.items():
        if not isinstance(entry, dict):
            continue
        wrong = [k for k, kind in kinds.items() if k in entry and not isinstance(entry[k], kind)]
        wrong += [k for k in ('Minimum', 'Maximum') if k in entry and not _is_number(entry[k])]
        for key in wrong:
            problems.warn(
                name, f'{key} is of the wrong kind', 'ignored', column=column, value=str(entry[key])[:60]
            )
        yield column, {key: value for key, value in entry.items() if key not in wrong}


def _is_number(value: Any) -> bool:
    """Return whether a value of JSON is a number that can be compared with others."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
