"""What a file name says, and the JSON that applies to a file."""

import json
import logging
import os
import re
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipelines.access import why_unreadable
from pipelines.errors import DataError

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
            folder / name
            for name in _files_in(folder)
            if name.endswith(f'{suffix}{extension}')
            and name.split('.')[0].rpartition('_')[2] == suffix
            and entities_of(Path(name)).items() <= wanted
        ]
        found += sorted(candidates, key=lambda c: len(entities_of(c)))
    return found


_SETTLED = 2_000_000_000
"""Age (ns) from which on a change of a folder shows in its time, however coarse the clock of a file system is."""


def _files_in(folder: Path) -> tuple[str, ...]:
    """Return the names in a folder that have an extension; that of a dataset with many people is listed once."""
    try:
        changed = folder.stat().st_mtime_ns
    except OSError:
        return ()
    is_settled = time.time_ns() - changed > _SETTLED
    return _listed(folder, changed) if is_settled else _listed.__wrapped__(folder, changed)


@lru_cache(maxsize=64)
def _listed(folder: Path, changed: int) -> tuple[str, ...]:
    return tuple(name for name in os.listdir(folder) if '.' in name)


def _read_json(path: Path) -> dict[str, Any]:
    if not os.access(path, os.R_OK) and (reason := why_unreadable(path)):
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
