"""A dataset that files come from, and what it lacks."""

import json
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from pipelines.access import why_unreadable
from pipelines.errors import ClbpeError, DatasetError, MissingInputError

_OBJECTS = {'GeneratedBy': list, 'PipelineDescription': dict}
"""What says who made a dataset: since BIDS 1.4 a list of objects, before that one object."""


class Dataset(NamedTuple):
    """A dataset that files come from, under the name that ``bids:`` URIs use."""

    name: str
    root: Path

    def uri(self, path: Path) -> str:
        """Return the ``bids:`` URI of one of its files."""
        return f'bids:{self.name}:{quote(path.relative_to(self.root).as_posix())}'


class Absence(NamedTuple):
    """Something that cannot be used: ``exit_code`` when it is there but unusable, None when it is absent.

    ``on_request``: it was left out by name, and is no failure even where nothing else is there.
    """

    modality: str
    reason: str
    exit_code: int | None = None
    on_request: bool = False

    @classmethod
    def of(cls, modality: str, error: ClbpeError | PermissionError) -> 'Absence':
        """Return what an error says of a scan; a file that this user may not read is not told as damaged."""
        files = (e.filename for e in (error, error.__cause__) if isinstance(e, OSError) and e.filename)
        refused = next((reason for file in files if (reason := why_unreadable(Path(file)))), None)
        told = refused or error
        return cls(modality, str(told), getattr(told, 'exit_code', MissingInputError.exit_code))


def check_description(path: Path) -> None:
    """Refuse what describes a dataset, ``dataset_description.json``, if it cannot be read; an absent one is none.

    Raises
    ------
    DatasetError
        Damaged, or of another form than BIDS has.
    MissingInputError
        Not for this user to read.

    """
    if not path.is_file():
        return
    if reason := why_unreadable(path):
        raise reason
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f'{path} is no valid JSON ({error}). Mend the file or remove it.') from error
    if not isinstance(content, dict):
        raise DatasetError(
            f'{path} holds no JSON object but {str(content)[:40]}. Mend the file or remove it.'
        )
    for name, kind in _OBJECTS.items():
        value = content.get(name, kind())
        parts = value if isinstance(value, list) else [value]
        if not isinstance(value, kind) or not all(isinstance(part, dict) for part in parts):
            wanted = 'a list of objects' if kind is list else 'an object'
            raise DatasetError(f'{path}: {name} is {str(value)[:40]}, and {wanted} is needed. Mend the file.')
