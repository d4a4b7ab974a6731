"""The record of a run, and its crash files, without the folders of the machine where it was made: both are published."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ..running.files import replace_json, replace_text

_PATH = re.compile(r"""'(?P<quoted>/[^']+)'|(?<![\w.:/~\-])(?P<plain>/[^\s'",;:()|]+)""")


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
        name = PurePosixPath(quoted or plain).name
        return f"'{name}'" if quoted else name

    if root:  # first, for it may hold blanks
        text = re.sub(rf'(?<![\w.:/~\-]){re.escape(root.rstrip("/"))}/(?=\S)', '', text)
    return _PATH.sub(shorten, text)


def without_folder(name: str) -> str:
    """Return the name of a file that may be told by its absolute path; one relative to a dataset stays.

    Examples
    --------
    >>> without_folder('/disk/me/counts.tsv'), without_folder('phenotype/nrs.tsv')
    ('counts.tsv', 'phenotype/nrs.tsv')

    """
    return PurePosixPath(name).name if name.startswith('/') else name


def save_record(record: Mapping[str, Any], crashes: Iterable[Path | None], folder: Path, root: Path) -> None:
    """Write ``run.json`` and the crash files of a run.

    Parameters
    ----------
    record
        Plain values.
    crashes
        Crash files of the failures; None for one without.
    folder
        Of the run, made if absent.
    root
        Dataset that paths are told relative to.

    """
    plain = json.loads(json.dumps(record, default=str))
    replace_json(_without_folders(plain, str(root)), folder / 'run.json')
    for crash in filter(None, crashes):
        text = crash.read_text(encoding='utf-8', errors='replace')
        replace_text(without_folders(text, str(root)), folder / crash.name)


def _without_folders(value: Any, root: str) -> Any:
    if isinstance(value, str):
        return without_folders(value, root)
    if isinstance(value, Mapping):
        return {key: _without_folders(own, root) for key, own in value.items()}
    if isinstance(value, Sequence):
        return [_without_folders(own, root) for own in value]
    return value
