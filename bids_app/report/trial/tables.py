"""The tables of the group as they lie on disk, and all of them as one JSON."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...running.files import replace_text
from ..read import RunRecord, TableRow
from ..words import number
from .record import TrialRecord

GroupTables = Mapping[str, Sequence[TableRow]]
"""Rows of each table by its name without ``.tsv``."""

_TEXT = (
    'participant_id', 'session_id', 'sample', 'sample_id', 'gene_id', 'set', 'value_text', 'arm', 'visit', 'level',
    'outcome', 'threshold',
)  # fmt: skip
_ALL_TEXT = ('phenotype_report',)
_WORDS = {'True': True, 'False': False}


def read_group_tables(output_dir: Path) -> dict[str, list[TableRow]]:
    """Return every table in ``group/``."""
    return {path.stem: _read(path) for path in sorted((output_dir / 'group').glob('*.tsv'))}


def _read(path: Path) -> list[TableRow]:
    with path.open(encoding='utf-8', newline='') as file:
        return list(csv.DictReader(file, delimiter='\t'))


def rows_where(rows: Sequence[TableRow], **wanted: str) -> list[TableRow]:
    """Return the rows whose cells are as given.

    Examples
    --------
    >>> rows_where([{'a': '1', 'b': '2'}, {'a': '3', 'b': '2'}], a='1')
    [{'a': '1', 'b': '2'}]

    """
    return [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]


def write_results(output_dir: Path, trial: TrialRecord, record: RunRecord, tables: GroupTables) -> Path:
    """Write ``group/results.json``: every table, and what made them.

    Notes
    -----
    A column is of numbers where all its cells are, ``n/a`` aside, and names of people, samples, genes and
    sets stay text; ``n/a`` is null.

    """
    content = {
        'trial': trial.name,
        'arms': {'treated': trial.treated, 'control': trial.control},
        'is_randomised': trial.is_randomised,
        'visits': [visit._asdict() for visit in trial.visits],
        'command': record.command,
        'started': record.started,
        'random_seed': record.parameters.get('random_seed'),
        'parameters': record.parameters,
        'versions': record.versions,
    }
    head = json.dumps(content, indent=2)[:-2]
    # a line per row: a table of genes is long, and a difference of two files is then readable
    parts = [f'    {json.dumps(name)}: {_lines(typed(name, rows))}' for name, rows in tables.items()]
    text = f'{head},\n  "tables": {{\n' + ',\n'.join(parts) + '\n  }\n}\n'
    return replace_text(text, output_dir / 'group' / 'results.json')


def _lines(rows: Sequence[Mapping[str, Any]]) -> str:
    return '[\n' + ',\n'.join(f'      {json.dumps(row)}' for row in rows) + '\n    ]' if rows else '[]'


def typed(name: str, rows: Sequence[TableRow]) -> list[dict[str, Any]]:
    """Return the rows of a table with numbers, truth values and None.

    Examples
    --------
    >>> typed('x', [{'participant_id': '01', 'n': '3', 'is_used': 'True'}, {'participant_id': '02', 'n': 'n/a', 'is_used': 'False'}])
    [{'participant_id': '01', 'n': 3, 'is_used': True}, {'participant_id': '02', 'n': None, 'is_used': False}]

    """
    columns = list(rows[0]) if rows else []
    text = set(columns) if name in _ALL_TEXT else set(_TEXT)
    numbers = {
        column
        for column in columns
        if column not in text
        and all(row[column] in ('n/a', '') or number(row[column]) is not None for row in rows)
    }
    return [{column: _value(row[column], column in numbers) for column in columns} for row in rows]


def _value(cell: str, is_number: bool) -> Any:
    if cell in ('n/a', ''):
        return None
    if not is_number:
        return _WORDS.get(cell, cell)
    value = float(cell)
    return int(value) if value.is_integer() and '.' not in cell and 'e' not in cell else value
