"""Read what is left out on request: a table, a list of labels, JSON, or a column of ``scans.tsv``."""

import difflib
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipelines.errors import DataError, MissingInputError, ParameterError

from ..tables.problems import Problems, Severity, nearest
from ..tables.text import MISSING, Table, decoded, read_text_table
from .query import entities_of

LOGGER = logging.getLogger(__name__)

MODALITIES = {'bold': 'bold', 'dwi': 'dwi', 'T1w': 't1w', 'UNIT1': 't1w'}
"""What may be left out, by the suffix of its files."""

RULE = 'scans:'
_KEYS = ('participant_id', 'session_id', 'modality', 'reason')
_NARROWER = (
    'session',
    'ses',
    'visit',
    'task',
    'run',
    'acquisition',
    'acq',
    'dir',
    'echo',
    'suffix',
    'filename',
)
"""Names of columns that would narrow down what is left out, and that nothing here reads."""

_LABEL = re.compile(r'(sub-)?[A-Za-z0-9+]+')


class Exclusion(NamedTuple):
    """What is left out of whom; no session, no modality: all of them; ``scan``: one raw file."""

    participant_id: str
    session_id: str
    modality: str
    reason: str
    source: str
    scan: str = ''

    @property
    def is_person(self) -> bool:
        """Return whether everything of a participant is left out."""
        return not (self.session_id or self.modality or self.scan)

    def said(self) -> str:
        """Return why, with who asked for it."""
        return f'left out on request ({self.source})' + (f': {self.reason}' if self.reason else '')

    def key(self) -> str:
        """Return what is left out in one word, as parameters record it."""
        return self.scan or '_'.join(filter(None, self[:3]))


def read_list(path: Path) -> list[Exclusion]:
    """Read a list of people and scans in any of its three forms; labels get their prefix.

    Raises
    ------
    MissingInputError
        There is no such file.
    ParameterError
        It cannot be used: every fault is named, with its row.

    """
    if not path.is_file():
        raise MissingInputError(
            f'--exclude {path}: there is no such file. Correct the path, or write scans:COLUMN=VALUE for a column '
            'of the scans.tsv files.'
        )
    problems = Problems()
    text = decoded(path, path.name, problems) or ''
    rows: Iterable[tuple[int, Mapping[str, str]]] = ()
    if text.lstrip()[:1] in ('[', '{'):
        rows = _of_json(text, path.name, problems)
    elif '\t' in text or text.split('\n', 1)[0].strip() in _KEYS:
        rows = _of_table(path, problems)
    else:
        lines = enumerate(text.splitlines(), 1)
        rows = [(number, {'participant_id': line.strip()}) for number, line in lines if line.strip()]
    found = [_exclusion(row, number, path.name, problems) for number, row in rows]
    for message in problems.messages(Severity.WARNING):
        LOGGER.warning('--exclude %s', message)
    stops = problems.messages(Severity.STOP, Severity.ABSENT)
    if stops:
        raise ParameterError(f'--exclude {path} cannot be used:' + ''.join(f'\n- {line}' for line in stops))
    return found


def _of_table(path: Path, problems: Problems) -> list[tuple[int, Mapping[str, str]]]:
    table = read_text_table(path.parent, path.name, problems, dictionaries=())
    if table is None or not _are_known(table.columns, path.name, problems):
        return []
    return [(row.number, row.cells) for row in table.rows]


def _of_json(text: str, name: str, problems: Problems) -> list[tuple[int, Mapping[str, str]]]:
    """Return the objects of a list, numbered from 1."""
    wanted = (
        'Write a list of objects, as [{"participant_id": "sub-01", "modality": "dwi", "reason": "moved"}]'
    )
    try:
        content = json.loads(text)
        json.dumps(content, ensure_ascii=False).encode()  # half of a letter can be escaped, and never written
    except (ValueError, RecursionError) as error:
        problems.stop(name, f'is no valid JSON ({error})', wanted)
        return []
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        problems.stop(name, 'is no list of objects', wanted)
        return []
    rows: list[tuple[int, Mapping[str, str]]] = []
    if not content or not _are_known(
        dict.fromkeys(key for entry in content for key in entry), name, problems
    ):
        return rows
    for number, entry in enumerate(content, 1):
        for key, value in entry.items():
            if not isinstance(value, str | None):
                problems.stop(
                    name, f'{key} is no text', 'Write it in quotes', row=number, value=str(value)[:40]
                )
        rows.append((number, {key: str(value or '').strip() for key, value in entry.items()}))
    return rows


def _are_known(names: Iterable[str], file: str, problems: Problems) -> bool:
    """Refuse a list without ids, or with a column that would say of fewer scans than are left out."""
    names = list(names)
    if 'participant_id' not in names:
        problems.stop(file, 'has no column participant_id', f'Add it. {nearest("participant_id", names)}')
        return False
    for name in names:
        plain = name.casefold().removesuffix('_id')
        if name in _KEYS:
            continue
        if plain in _NARROWER or difflib.get_close_matches(name.casefold(), _KEYS, cutoff=0.75):
            problems.stop(
                file, 'would leave out more than it says: this column is not read',
                f'Known are {", ".join(_KEYS)}. Rename or remove it', column=name,
            )  # fmt: skip
        else:
            problems.warn(file, 'is not read', f'known are {", ".join(_KEYS)}', column=name)
    return True


def _exclusion(row: Mapping[str, str], number: int, file: str, problems: Problems) -> Exclusion:
    cells = {key: '' if row.get(key, '') in MISSING else row[key] for key in _KEYS}
    label, session, modality = cells['participant_id'], cells['session_id'], cells['modality'].casefold()
    if not label:
        problems.stop(file, 'has no participant_id', 'Write it, or remove the row', row=number)
    for column, text in (('participant_id', label), ('session_id', session.removeprefix('ses-'))):
        if text and not _LABEL.fullmatch(text):
            problems.stop(
                file, 'is no label: letters and digits only', 'One label a line, or tabs between columns',
                column=column, row=number, value=text[:40],
            )  # fmt: skip
    if modality and modality not in MODALITIES.values():
        problems.stop(
            file, 'is an unknown modality', f'Offered are {", ".join(dict.fromkeys(MODALITIES.values()))}, and n/a for all',
            column='modality', row=number, value=cells['modality'][:40],
        )  # fmt: skip
    session = f'ses-{session.removeprefix("ses-")}' if session else ''
    return Exclusion(f'sub-{label.removeprefix("sub-")}', session, modality, cells['reason'], file)


def read_rule(word: str, root: Path, people: Iterable[str]) -> list[Exclusion]:
    """Return the scans whose row in a ``scans.tsv`` has a value.

    Parameters
    ----------
    word
        ``scans:COLUMN=VALUE``; the value in any case.
    root
        The raw dataset.
    people
        ``participant_id`` of those whose files are read.

    Raises
    ------
    ParameterError
        It is no such rule.
    MissingInputError
        No ``scans.tsv`` has the column.
    DataError
        A ``scans.tsv`` cannot be read.

    """
    column, equals, value = word.removeprefix(RULE).partition('=')
    if not (column and equals and value):
        raise ParameterError(f'--exclude {word}: write scans:COLUMN=VALUE, for example scans:qc=fail.')
    problems = Problems()
    tables = [table for person in people for table in _scans_tables(root, person, problems)]
    stops = problems.messages(Severity.STOP, Severity.ABSENT)
    if stops:
        raise DataError(f'--exclude {word}:' + ''.join(f'\n- {line}' for line in stops))
    having = [table for table in tables if column in table.columns]
    if not having:
        there = list(dict.fromkeys(name for table in tables for name in table.columns))
        which = (
            f'no scans.tsv has a column {column}. {nearest(column, there)}'
            if tables
            else 'there is no scans.tsv.'
        )
        raise MissingInputError(
            f'--exclude {word}: {which} Correct the name, or give a list of scans as a file.'
        )
    lacking = [table.name for table in tables if table not in having]
    if lacking:
        LOGGER.warning(
            '--exclude %s: without a column %s, nothing left out: %s', word, column, few_of(lacking)
        )
    found = list(_marked(having, column, value, word))
    if not found:
        values = dict.fromkeys(row.cells[column] for table in having for row in table.rows)
        LOGGER.warning('--exclude %s: no scan has this value; there is %s', word, few_of(list(values)))
    return found


def _scans_tables(root: Path, person: str, problems: Problems) -> Iterator[Table]:
    for path in sorted([*root.glob(f'{person}/*_scans.tsv'), *root.glob(f'{person}/ses-*/*_scans.tsv')]):
        name = path.relative_to(root).as_posix()
        table = read_text_table(root, name, problems, dictionaries=())
        if table and 'filename' not in table.columns:
            problems.stop(name, 'has no column filename', 'Add it')
        elif table:
            yield table


def _marked(tables: Iterable[Table], column: str, value: str, word: str) -> Iterator[Exclusion]:
    others = []
    for table in tables:
        for row in table.rows:
            if row.cells[column].casefold() != value.casefold():
                continue
            name = re.split(r'[\\/]', row.cells['filename'])[-1]
            entities, suffix = entities_of(Path(name)), name.split('.')[0].rpartition('_')[2]
            if suffix not in MODALITIES or 'sub' not in entities:
                others.append(name)
                continue
            session = f'ses-{entities["ses"]}' if 'ses' in entities else ''
            reason = f'{column} is {row.cells[column]} in {table.name}'
            yield Exclusion(f'sub-{entities["sub"]}', session, MODALITIES[suffix], reason, word, name)
    if others:
        LOGGER.warning(
            '--exclude %s: no %s, used all the same: %s', word, ', '.join(MODALITIES), few_of(others)
        )


def few_of(names: Sequence[str]) -> str:
    """Return the first ten of a list, and how many more there are."""
    return ', '.join(names[:10]) + (f' and {len(names) - 10} more' if len(names) > 10 else '')
