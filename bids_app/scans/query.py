"""Ask a dataset for the files of one participant, and read the JSON that applies to a file."""

import hashlib
import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.access import why_unreadable
from pipelines.errors import DataError, MissingInputError, ParameterError

from .dataset import check_description

LOGGER = logging.getLogger(__name__)


def entities_of(path: Path) -> dict[str, str]:
    """Return the ``key-value`` pairs of a file name.

    Examples
    --------
    >>> entities_of(Path('sub-01_task-rest_run-1_desc-preproc_bold.nii.gz'))
    {'sub': '01', 'task': 'rest', 'run': '1', 'desc': 'preproc'}

    """
    return dict(re.findall(r'(?:^|_)([a-zA-Z]+)-([a-zA-Z0-9+]+)', path.name))


def is_magnitude(path: Path) -> bool:
    """Return whether an image is none of phase, real or imaginary part.

    Examples
    --------
    >>> is_magnitude(Path('sub-01_part-phase_bold.nii.gz')), is_magnitude(Path('sub-01_bold.nii.gz'))
    (False, True)

    """
    return entities_of(path).get('part', 'mag') == 'mag'


def folder_names(root: Path, prefix: str) -> list[str]:
    """Return the names of folders in a folder, links to folders among them, that begin with a prefix; sorted."""
    if not root.is_dir():
        return []
    with os.scandir(root) as entries:
        return sorted(entry.name for entry in entries if entry.name.startswith(prefix) and entry.is_dir())


def closed_folders(folder: Path) -> list[MissingInputError]:
    """Return the errors of folders in a folder that this user may not list: what they hold would seem absent."""
    closed: list[OSError] = []
    for _ in os.walk(folder, onerror=closed.append):
        pass
    refused = [error.filename for error in closed if isinstance(error, PermissionError)]
    return [reason for name in refused if (reason := why_unreadable(Path(name)))]


class Images:
    """The images of chosen participants in several datasets; each dataset is indexed once.

    Parameters
    ----------
    labels
        Participants, without ``sub-``.
    database_dir
        Folder where the indices are kept; none keeps them in memory.

    Notes
    -----
    Folders of other participants are never entered and no JSON is read, so the time does not grow
    with the dataset.

    """

    def __init__(self, labels: Sequence[str], database_dir: Path | None = None) -> None:
        self._labels = labels
        self._database_dir = database_dir
        self._layouts: dict[Path, Any] = {}

    def find(self, root: Path, label: str, filters: Mapping[str, Any]) -> list[Path]:
        """Return the images of a participant that pass ``filters``, sorted.

        Parameters
        ----------
        root
            BIDS dataset, raw or derivative.
        label
            One of the participants.
        filters
            PyBIDS entities; ``None`` means without the entity, ``"*"`` any value.

        Raises
        ------
        DatasetError
            ``dataset_description.json`` cannot be read, see :func:`.dataset.check_description`.
        ParameterError
            A filter by an entity that PyBIDS does not know.

        """
        from bids.layout import Query

        if not (root / f'sub-{label}').is_dir():
            return []
        if root not in self._layouts:
            self._layouts[root] = self._index(root)
        special = {None: Query.NONE, '*': Query.ANY}
        asked = {
            key: special[value] if isinstance(value, str | None) and value in special else value
            for key, value in filters.items()
        }
        asked.setdefault('extension', ['.nii.gz', '.nii'])
        try:
            found = self._layouts[root].get(return_type='filename', subject=label, **asked)
        except ValueError as error:
            raise ParameterError(
                f'--bids-filter-file: {str(error).split(". ")[0]}. Use the names of PyBIDS, for example session, '
                'acquisition, run, echo.'
            ) from error
        return sorted(Path(name) for name in found)

    def left_out(self, label: str, modality: str) -> list[Path]:
        """Return the images of a kind that were found and are left out on request: none."""
        return []

    def _index(self, root: Path) -> Any:
        from bids.layout import BIDSLayout, BIDSLayoutIndexer

        check_description(root / 'dataset_description.json')
        chosen = '|'.join(map(re.escape, self._labels))
        others = re.compile(rf'^/(?:sub-(?!(?:{chosen})(?:/|$))|sourcedata|code|logs|derivatives)')
        return BIDSLayout(
            root,
            validate=False,
            is_derivative=True,
            indexer=BIDSLayoutIndexer(
                validate=False, index_metadata=False, ignore=[others, re.compile(r'/\.')]
            ),
            config=['bids', 'derivatives'],
            database_path=self._database_dir and self._database_dir / self._name(root),
        )

    def _name(self, root: Path) -> str:
        """Return the folder of an index, which holds for these participants alone."""
        if len(self._labels) == 1:
            return f'{root.name}_sub-{self._labels[0]}'
        digest = hashlib.sha256(' '.join(self._labels).encode()).hexdigest()[:8]
        return f'{root.name}_{len(self._labels)}-participants_{digest}'


def sidecar(path: Path, root: Path) -> dict[str, Any]:
    """Return the metadata of a file by the inheritance principle: nearer JSON files win.

    Raises
    ------
    DataError
        A JSON that applies cannot be read; names it.

    """
    found: dict[str, Any] = {}
    for candidate in inherited(path, root, '.json'):
        found |= _read_json(candidate)
    return found


def inherited(path: Path, root: Path, extension: str) -> list[Path]:
    """Return the files of another extension that apply to a file, the nearest one last.

    Notes
    -----
    BIDS' inheritance principle: same suffix, in the folder of the file or above, no entity that the
    file has not; the more entities, the nearer.

    """
    suffix = path.name.split('.')[0].rpartition('_')[2]
    wanted = entities_of(path).items()
    inside = path.parent.relative_to(root)
    found: list[Path] = []
    for folder in [root, *(root / part for part in reversed([inside, *inside.parents][:-1]))]:
        candidates = [
            c
            for c in folder.glob(f'*{suffix}{extension}')
            if c.name.split('.')[0].rpartition('_')[2] == suffix and entities_of(c).items() <= wanted
        ]
        found += sorted(candidates, key=lambda c: len(entities_of(c)))
    return found


def _read_json(path: Path) -> dict[str, Any]:
    if reason := why_unreadable(path):
        raise reason
    try:
        content = json.loads(_decoded(path))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f'{path} is no valid JSON ({error}). Mend the file.') from error
    if not isinstance(content, dict):
        raise DataError(f'{path} holds no JSON object but {str(content)[:40]}. Mend the file.')
    return content


def _decoded(path: Path) -> str:
    """Return the text of a JSON file; one that is not in UTF-8 has letters of Western Europe, in names of sites."""
    content = path.read_bytes()
    try:
        return content.decode('utf-8-sig')
    except UnicodeDecodeError:
        LOGGER.warning('%s is not in UTF-8 and was read as Windows-1252. Save it in UTF-8.', path)
        return content.decode('cp1252', errors='replace')
