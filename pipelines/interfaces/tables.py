"""Tables that one step hands to the next: text stays text, numbers stay numbers, nothing is guessed."""

import json
import math
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DataError
from ..reading import EXACT, number_of

TEXT = frozenset({
    'participant_id', 'arm', 'visit', 'outcome', 'model', 'units', 'flags', 'note', 'sample', 'sample_id', 'censored',
    'counts_column', 'gene_id', 'contrast', 'method', 'set', 'leading_edge', 'status', 'reason', 'analysis', 'label', 'structure',
    'mediators', 'mediator', 'path', 'baselines', 'covariates', 'map', 'peak_region', 'regions', 'scale', 'adjustment',
    'level', 'threshold', 'assumption', 'shifted', 'end', 'title', 'mediator_visits', 'outcome_visit', 'kind', 'time_order',
    'repeated', 'is_beyond',
})  # fmt: skip
"""Columns of our tables that hold words, also where all of them look like numbers; all others hold numbers."""


def write_table(table: pd.DataFrame, path: Path) -> Path:
    """Write a table for readers and later steps, with ``n/a`` for what is missing or empty."""
    with pd.option_context('future.no_silent_downcasting', True):
        known = table.replace('', np.nan).infer_objects(copy=False)
    known.to_csv(path, sep='\t', index=False, na_rep='n/a', float_format='%.10g')
    return path


def read_table(
    path: Path, *, text: Collection[str] = TEXT, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read a table of ours: ``n/a`` is missing and nothing else is.

    Parameters
    ----------
    path
        Table with tabs.
    text
        Columns of words; those that the table lacks do not matter.
    columns
        The only ones that are read; None: all.

    Raises
    ------
    DataError
        A column of numbers holds something else; names it.

    """
    table = pd.read_csv(
        path,
        sep='\t',
        na_values=['n/a'],
        keep_default_na=False,
        usecols=columns,
        dtype=dict.fromkeys(text, str),
        float_precision=EXACT,
    )
    for name in table:
        words = [] if name in text or table[name].dtype != object else table[name].dropna()
        wrong = [word for word in words if math.isnan(number_of(word))]
        if wrong:
            raise DataError(f'{path}: column {name} holds "{wrong[0]}", where a number is needed.')
    return table


def columns_text(table: pd.DataFrame) -> str:
    """Return a table whose columns may be of words or of numbers as JSON, a line per column.

    Notes
    -----
    Arms called 0 and 1, or levels of a covariate that are digits, are words; a table of plain text
    would have its reader guess.

    Examples
    --------
    >>> print(columns_text(pd.DataFrame({'arm': ['0', '1'], 'age': [40.5, np.nan]})), end='')
    {
      "arm": ["0", "1"],
      "age": [40.5, null]
    }

    """
    known = table.astype(object).where(table.notna(), None)
    lines = [f'  {json.dumps(str(name))}: {json.dumps(known[name].tolist())}' for name in table]
    return '{\n' + ',\n'.join(lines) + '\n}\n'


def read_columns(path: Path) -> pd.DataFrame:
    """Read what :func:`columns_text` gave: words as text, numbers as numbers, NaN for what is missing."""
    content = json.loads(path.read_text(encoding='utf-8'))
    return pd.DataFrame({
        name: pd.Series([np.nan if value is None else value for value in values], dtype=_type_of(values))
        for name, values in content.items()
    })  # fmt: skip


def _type_of(values: list[object]) -> type | None:
    """Return object for words, None (by the numbers) for numbers."""
    return object if any(isinstance(value, str) for value in values) or not values else None
