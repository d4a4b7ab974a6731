"""Texts without the folders of the machine where a run was made."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from .read import RunRecord

_PATH = re.compile(r"""'(?P<quoted>/[^']+)'|(?<![\w.:/~\-])(?P<plain>/[^\s'",;:()|]+)""")

_FIRST = re.compile(r"""\S+\s+(?:'(?P<quoted>[^']+)'|(?P<plain>\S+))""")


def without_folders(text: str, root: str = '') -> str:
    """Return a text in which absolute paths are relative to a dataset, and only names where they lie elsewhere.

    Parameters
    ----------
    text
        Any.
    root
        Absolute path of the dataset; empty: none is known.

    Examples
    --------
    >>> without_folders('clbpe /data/moves /scratch/out group --trial /data/moves/code/trial.json -d q=/disk/qsiprep',
    ...                 '/data/moves')
    'clbpe moves out group --trial code/trial.json -d q=qsiprep'
    >>> without_folders("see '/my data/x.tsv', 3 mm/s, https://example.org/a and phenotype/nrs.tsv")
    "see 'x.tsv', 3 mm/s, https://example.org/a and phenotype/nrs.tsv"

    """

    def shorten(found: re.Match[str]) -> str:
        quoted, plain = found.group('quoted'), found.group('plain')
        path = PurePosixPath(quoted or plain)
        is_inside = bool(root) and path.is_relative_to(root) and path != PurePosixPath(root)
        name = path.relative_to(root).as_posix() if is_inside else path.name
        return f"'{name}'" if quoted else name

    return _PATH.sub(shorten, text)


def shown_record(record: RunRecord) -> RunRecord:
    """Return the record of a run as a page shows it; the dataset is the first path of its command."""
    first = _FIRST.match(record.command)
    path = (first.group('quoted') or first.group('plain')) if first else ''
    root = path.rstrip('/') if path.startswith('/') else ''
    return record._replace(
        command=without_folders(record.command, root),
        parameters={key: _shown(value, root) for key, value in record.parameters.items()},
        inputs=[_shown(entry, root) for entry in record.inputs],
        absent=[_shown(entry, root) for entry in record.absent],
        errors=[_shown(entry, root) for entry in record.errors],
    )


def _shown(value: Any, root: str) -> Any:
    if isinstance(value, str):
        return without_folders(value, root)
    if isinstance(value, Mapping):
        return {key: _shown(own, root) for key, own in value.items()}
    if isinstance(value, Sequence):
        return [_shown(own, root) for own in value]
    return value
