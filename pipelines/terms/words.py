"""A closed set of words: each names a row, and one that is not in it is refused."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ..errors import UnknownWordError


@dataclass(frozen=True, kw_only=True)
class Term:
    """A word as it stands in files, and what it is called where people read."""

    name: str
    title: str


_Row = TypeVar('_Row', bound=Term)


class Words(Mapping[str, _Row]):
    """Terms by their names, in the order of their declaration.

    Parameters
    ----------
    kind
        What the words name, for the message that refuses others.
    rows
        The terms.

    Raises
    ------
    UnknownWordError
        On looking up a word that is none of them; the message lists them.

    Examples
    --------
    >>> colours = Words('colour', [Term(name='red', title='Red')])
    >>> colours['red'].title, list(colours), colours.get('blue')
    ('Red', ['red'], None)
    >>> colours['blue']
    Traceback (most recent call last):
    pipelines.errors.UnknownWordError: colour blue is unknown; offered: red.

    """

    def __init__(self, kind: str, rows: Iterable[_Row]) -> None:
        self._kind = kind
        self._rows: dict[str, _Row] = {}
        for row in rows:
            if row.name in self._rows:
                raise ValueError(f'{kind} {row.name} is declared twice')
            self._rows[row.name] = row

    def __getitem__(self, name: str) -> _Row:
        """Return the term of a word."""
        try:
            return self._rows[name]
        except KeyError:
            raise UnknownWordError(f'{self._kind} {name} is unknown; offered: {", ".join(self)}.') from None

    def __iter__(self) -> Iterator[str]:
        """Iterate over the words."""
        return iter(self._rows)

    def __len__(self) -> int:
        """Return how many words there are."""
        return len(self._rows)

    def titles(self) -> dict[str, str]:
        """Return the title of each word."""
        return {name: row.title for name, row in self._rows.items()}
