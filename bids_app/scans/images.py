"""The images of participants, found by their names: the entities are PyBIDS' own, its database is not needed."""

import json
import os
import re
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.access import why_unreadable
from pipelines.errors import MissingInputError, ParameterError

from .dataset import check_description

_DEPTH = 3
"""Folders from a participant's own to those of its files: ``sub-01``, ``ses-pre``, ``func``."""

_IMAGES = ('.nii.gz', '.nii')


class Entity(NamedTuple):
    """How a file tells the value of an entity."""

    pattern: re.Pattern[str]
    is_number: bool

    def of(self, name: str) -> str | None:
        """Return the value in a path relative to the dataset; None where it has none."""
        found = self.pattern.search(name)
        return found[1] if found else None


@cache
def entities() -> dict[str, Entity]:
    """Return the entities of raw and derived datasets by the names that PyBIDS gives them."""
    package = find_spec('bids')  # not imported: that takes seconds
    folder = Path(str(package and package.origin)).parent / 'layout' / 'config'
    rows = [
        row
        for name in ('bids', 'derivatives')
        for row in json.loads((folder / f'{name}.json').read_text())['entities']
    ]
    return {row['name']: Entity(re.compile(row['pattern']), row.get('dtype') == 'int') for row in rows}


class Listing(NamedTuple):
    """Images of a participant in a dataset, by their path in it that begins with a slash; and folders that are closed."""

    images: dict[str, Path]
    closed: list[MissingInputError]


class Images:
    """The images of participants in several datasets; each folder is listed once.

    Notes
    -----
    Only folders of participants who are asked for are entered, and no JSON is read, so the time does not grow with
    the dataset: under a millisecond a person, where an index of PyBIDS takes twenty.

    """

    def __init__(self) -> None:
        self._listings: dict[tuple[Path, str], Listing] = {}
        self._checked: set[Path] = set()

    def find(self, root: Path, label: str, filters: Mapping[str, Any]) -> list[Path]:
        """Return the images of a participant that pass ``filters``, sorted.

        Parameters
        ----------
        root
            BIDS dataset, raw or derivative.
        label
            Participant, without ``sub-``.
        filters
            Entities by PyBIDS' names; ``None`` means without the entity, ``"*"`` any value, a list one of several.

        Raises
        ------
        DatasetError
            ``dataset_description.json`` cannot be read, see :func:`.dataset.check_description`.
        ParameterError
            A filter by an entity that PyBIDS does not know.

        """
        asked = {'extension': list(_IMAGES), **filters}
        unknown = [name for name in asked if name not in entities()]
        if unknown:
            raise ParameterError(
                f"--bids-filter-file: '{unknown[0]}' is not a recognized entity. Use the names of PyBIDS, for example "
                'session, acquisition, run, echo.'
            )
        found = self.listing(root, label).images.items()
        return sorted(path for name, path in found if all(_passes(name, *pair) for pair in asked.items()))

    def listing(self, root: Path, label: str) -> Listing:
        """Return what a participant has in a dataset."""
        if (root, label) not in self._listings:
            if root not in self._checked and (root / f'sub-{label}').is_dir():
                check_description(root / 'dataset_description.json')
                self._checked.add(root)
            self._listings[root, label] = _list(root, f'sub-{label}')
        return self._listings[root, label]

    def left_out(self, label: str, modality: str) -> list[Path]:
        """Return the images of a kind that were found and are left out on request: none."""
        return []


def folder_names(root: Path, prefix: str) -> list[str]:
    """Return the names of folders in a folder, links to folders among them, that begin with a prefix; sorted."""
    if not root.is_dir():
        return []
    with os.scandir(root) as entries:
        return sorted(entry.name for entry in entries if entry.name.startswith(prefix) and entry.is_dir())


def _list(root: Path, name: str) -> Listing:
    closed: list[OSError] = []
    images: dict[str, Path] = {}
    for folder, folders, files in os.walk(root / name, onerror=closed.append, followlinks=True):
        inside = Path(folder).relative_to(root)
        folders[:] = (
            [each for each in folders if not each.startswith('.')] if len(inside.parts) < _DEPTH else []
        )
        images |= {
            f'/{inside.as_posix()}/{file}': Path(folder, file)
            for file in files
            if file.endswith(_IMAGES) and not file.startswith('.')
        }
    refused = [Path(error.filename) for error in closed if isinstance(error, PermissionError)]
    return Listing(images, [reason for path in refused if (reason := why_unreadable(path))])


def _passes(path: str, name: str, wanted: Any) -> bool:
    """Return whether a file has one of the values that are wanted of an entity."""
    entity = entities()[name]
    value = entity.of(path)
    options = list(wanted) if isinstance(wanted, list | tuple) else [wanted]
    return not options or any(_is(entity, value, option, name) for option in options)


def _is(entity: Entity, value: str | None, wanted: Any, name: str) -> bool:
    if wanted is None or value is None:
        return wanted is value
    if wanted == '*':
        return True
    text = str(wanted)
    if name == 'extension':
        return value == f'.{text.lstrip(".")}'
    if entity.is_number and text.isdecimal():
        return int(value) == int(text)
    return value == text
