"""A dataset that files come from, and what it lacks."""

from pathlib import Path
from typing import NamedTuple


class Dataset(NamedTuple):
    """A dataset that files come from, under the name that ``bids:`` URIs use."""

    name: str
    root: Path

    def uri(self, path: Path) -> str:
        """Return the ``bids:`` URI of one of its files."""
        return f'bids:{self.name}:{path.relative_to(self.root).as_posix()}'


class Absence(NamedTuple):
    """Something that cannot be used: ``exit_code`` when it is there but unusable, None when it is absent.

    ``on_request``: it was left out by name, and is no failure even where nothing else is there.
    """

    modality: str
    reason: str
    exit_code: int | None = None
    on_request: bool = False
